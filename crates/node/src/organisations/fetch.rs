//! One HTTP request to another organisation's edge, whose answer is read as it comes.
//!
//! HTTP/1.0: the answer ends with the connection. What is lost at its end the envelope notices.

use std::{io, time::Duration};
use thiserror::Error;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::mpsc,
    time::{error::Elapsed, timeout},
};

/// How long the other edge may be silent.
const PATIENCE: Duration = Duration::from_secs(60);

/// The longest head of an answer, in bytes.
const MAX_HEAD: usize = 16 * 1024;

/// How much of the text of a refusal is read, in bytes.
const MAX_REFUSAL: u64 = 4 * 1024;

/// What is read at once, in bytes.
const PIECE: usize = 64 * 1024;

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum FetchError {
    /// The connection.
    #[error("cannot reach {0}: {1}")]
    Io(String, io::Error),
    /// It says nothing.
    #[error("{0} did not answer in time")]
    Silent(String),
    /// It answers something else than HTTP.
    #[error("{0} answers something else than HTTP")]
    NoHttp(String),
    /// It refuses.
    #[error("{0} answers {1}: {2}")]
    Refused(String, u16, String),
}

/// An answer that begins to come.
pub struct Coming {
    first: Vec<u8>,
    stream: TcpStream,
}

/// Posts `body`; returns when the head of a good answer is there.
///
/// # Errors
///
/// [`FetchError`].
pub async fn post(at: &str, path: &str, body: &[u8]) -> Result<Coming, FetchError> {
    let failed = |error| FetchError::Io(at.to_owned(), error);
    let silent = |_: Elapsed| FetchError::Silent(at.to_owned());
    let connecting = timeout(PATIENCE, TcpStream::connect(at));
    let mut stream = connecting.await.map_err(silent)?.map_err(failed)?;
    let length = body.len();
    let head = format!("POST {path} HTTP/1.0\r\nHost: {at}\r\nContent-Length: {length}\r\n\r\n");
    let sending = async {
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body).await
    };
    timeout(PATIENCE, sending)
        .await
        .map_err(silent)?
        .map_err(failed)?;
    let mut answer = Vec::new();
    let end = loop {
        if let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        let reading = timeout(PATIENCE, stream.read_buf(&mut answer));
        let read = reading.await.map_err(silent)?.map_err(failed)?;
        if read == 0 || answer.len() > MAX_HEAD {
            return Err(FetchError::NoHttp(at.to_owned()));
        }
    };
    let mut first = answer.split_off(end + 4);
    let Some(status) = status(&answer) else {
        return Err(FetchError::NoHttp(at.to_owned()));
    };
    if status != 200 {
        let mut rest = stream.take(MAX_REFUSAL);
        let reading = timeout(PATIENCE, rest.read_to_end(&mut first));
        reading.await.map_err(silent)?.map_err(failed)?;
        let text = String::from_utf8_lossy(&first).into_owned();
        return Err(FetchError::Refused(at.to_owned(), status, text));
    }
    Ok(Coming { first, stream })
}

/// The status in the first line, `HTTP/1.x NNN …`.
fn status(head: &[u8]) -> Option<u16> {
    let head = std::str::from_utf8(head).ok()?;
    let mut words = head.lines().next()?.split(' ');
    words.next().filter(|word| word.starts_with("HTTP/1."))?;
    words.next()?.parse().ok()
}

impl Coming {
    /// Hands the body on, until it ends, the other edge falls silent, or nobody wants more.
    pub async fn into_pieces(mut self, sink: mpsc::Sender<Vec<u8>>) {
        let mut piece = self.first;
        loop {
            if !piece.is_empty() && sink.send(piece).await.is_err() {
                return;
            }
            piece = Vec::with_capacity(PIECE);
            match timeout(PATIENCE, self.stream.read_buf(&mut piece)).await {
                Ok(Ok(read)) if read > 0 => {}
                _ => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_that_of_the_first_line() {
        assert_eq!(status(b"HTTP/1.0 200 OK\r\nA: 1"), Some(200));
        assert_eq!(status(b"HTTP/1.1 403 Forbidden"), Some(403));
        for bad in [
            &b"SSH-2.0 200"[..],
            b"",
            b"HTTP/1.0",
            b"HTTP/1.0 many",
            b"\xff\xff 200",
        ] {
            assert_eq!(status(bad), None, "{bad:?}");
        }
    }
}
