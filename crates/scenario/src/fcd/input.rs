//! Bytes in: unpacked if need be, counted in lines and columns, rationed.

use super::{MAX_MARKUP_BYTES, error::Location};
use flate2::bufread::MultiGzDecoder;
use std::io::{self, BufRead, BufReader, Cursor, Read};

/// What a gzip file begins with (RFC 1952, section 2.3.1).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Bytes read and unpacked at a time.
const BUFFER_BYTES: usize = 64 * 1024;

/// The ration of one piece of markup is used up.
#[derive(Debug, thiserror::Error)]
#[error("markup is too long")]
pub(super) struct Exhausted;

/// A text input that knows how far it has been read, and refuses to give more than
/// [`MAX_MARKUP_BYTES`] between two calls of [`ration`](Self::ration): the parser above collects a
/// tag, comment or text in memory however long it is.
pub(super) struct Input {
    inner: BufReader<Box<dyn Read + Send>>,
    packed: bool,
    at: Location,
    last: u8,
    ration: usize,
}

impl Input {
    /// Looks at the first bytes to know whether the input is gzipped; its name does not matter.
    pub(super) fn new(mut raw: impl Read + Send + 'static) -> io::Result<Self> {
        let mut magic = Vec::with_capacity(GZIP_MAGIC.len());
        raw.by_ref()
            .take(GZIP_MAGIC.len() as u64)
            .read_to_end(&mut magic)?;
        let packed = magic == GZIP_MAGIC;
        let whole = Cursor::new(magic).chain(raw);
        let text: Box<dyn Read + Send> = if packed {
            let raw = BufReader::with_capacity(BUFFER_BYTES, whole);
            Box::new(MultiGzDecoder::new(raw))
        } else {
            Box::new(whole)
        };
        Ok(Self {
            inner: BufReader::with_capacity(BUFFER_BYTES, text),
            packed,
            at: Location::START,
            last: 0,
            ration: MAX_MARKUP_BYTES,
        })
    }

    /// Allows another [`MAX_MARKUP_BYTES`].
    pub(super) fn ration(&mut self) {
        self.ration = MAX_MARKUP_BYTES;
    }

    /// The place of the next byte.
    pub(super) fn at(&self) -> Location {
        self.at
    }

    /// The byte read last; 0 before the first.
    pub(super) fn last(&self) -> u8 {
        self.last
    }

    /// Whether the input is gzipped.
    pub(super) fn is_packed(&self) -> bool {
        self.packed
    }
}

impl BufRead for Input {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let available = self.inner.fill_buf()?;
        if self.ration == 0 && !available.is_empty() {
            return Err(io::Error::other(Exhausted));
        }
        Ok(&available[..available.len().min(self.ration)])
    }

    fn consume(&mut self, count: usize) {
        // What is consumed was returned by `fill_buf`, so it is buffered and within the ration.
        let taken = &self.inner.buffer()[..count];
        self.at = self.at.after(taken);
        self.last = taken.last().copied().unwrap_or(self.last);
        self.ration -= count;
        self.inner.consume(count);
    }
}

impl Read for Input {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let count = available.len().min(out.len());
        out[..count].copy_from_slice(&available[..count]);
        self.consume(count);
        Ok(count)
    }
}
