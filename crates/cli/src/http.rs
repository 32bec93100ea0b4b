//! One HTTP request to a node or an edge. HTTP/1.0: the answer ends with the connection.

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};
use thiserror::Error;

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum HttpError {
    #[error("cannot reach {0}: {1}; is it running?")]
    Io(SocketAddr, io::Error),
    #[error("{0} answers something else than HTTP, or more than {1} bytes")]
    Answer(SocketAddr, u64),
    #[error("{0} refuses ({1}): {2}")]
    Refused(SocketAddr, u16, String),
}

/// What is asked, and how much of an answer is expected.
pub struct Request<'a> {
    /// `GET /`, for example.
    pub line: &'a str,
    pub body: &'a [u8],
    /// How long the other side may be silent.
    pub patience: Duration,
    pub most_bytes: u64,
}

impl Request<'_> {
    /// Sends it; returns the body of a good answer.
    pub fn send(&self, at: SocketAddr) -> Result<Vec<u8>, HttpError> {
        let failed = |error| HttpError::Io(at, error);
        let answer = self.exchange(at).map_err(failed)?;
        let odd = || HttpError::Answer(at, self.most_bytes);
        if answer.len() as u64 > self.most_bytes {
            return Err(odd());
        }
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
        let (head, body) = answer.split_at(end.ok_or_else(odd)?);
        let body = &body[4..];
        match status(head).ok_or_else(odd)? {
            200 => Ok(body.to_vec()),
            refused => {
                let text = serde_json::from_slice::<serde_json::Value>(body).ok();
                let text = text.and_then(|json| Some(json["error"].as_str()?.to_owned()));
                let text = text.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
                Err(HttpError::Refused(at, refused, text))
            }
        }
    }

    fn exchange(&self, at: SocketAddr) -> io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect_timeout(&at, self.patience)?;
        stream.set_read_timeout(Some(self.patience))?;
        stream.set_write_timeout(Some(self.patience))?;
        let (line, length) = (self.line, self.body.len());
        let head = format!("{line} HTTP/1.0\r\nHost: {at}\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes())?;
        stream.write_all(self.body)?;
        let mut answer = Vec::new();
        stream
            .take(self.most_bytes.saturating_add(1))
            .read_to_end(&mut answer)?;
        Ok(answer)
    }
}

fn status(head: &[u8]) -> Option<u16> {
    let head = std::str::from_utf8(head).ok()?;
    let mut words = head.lines().next()?.split(' ');
    words.next().filter(|word| word.starts_with("HTTP/1."))?;
    words.next()?.parse().ok()
}
