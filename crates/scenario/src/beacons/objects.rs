//! A stream of JSON objects: bare, one after another, or the elements of one array.
//!
//! The stream is cut into objects by counting brackets outside of strings; whether an object is
//! valid is the JSON parser's to say. White space between objects does not matter.

use super::{BeaconsError, BeaconsFault};
use flate2::bufread::MultiGzDecoder;
use serde::de::DeserializeOwned;
use std::{
    fs::File,
    io::{BufRead, BufReader, Cursor, Read},
    path::Path,
    sync::Arc,
};

/// Longest object, in bytes: thirty times what the formats need.
pub const MAX_OBJECT_BYTES: usize = 64 * 1024;

/// What a gzip file begins with (RFC 1952, section 2.3.1).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Bytes read and unpacked at a time.
const BUFFER_BYTES: usize = 64 * 1024;

/// The objects of one file.
pub(super) struct Objects {
    input: BufReader<Box<dyn Read + Send>>,
    file: String,
    /// Line of the next byte, from 1.
    line: u64,
    state: State,
    object: Vec<u8>,
}

/// What may come next.
#[derive(Clone, Copy, PartialEq)]
enum State {
    /// Anything: nothing has been read.
    Start,
    /// Objects or the end.
    Bare,
    /// The array has begun: its first element or its end.
    First,
    /// A comma was read: an element.
    Element,
    /// An element was read: a comma or the array's end.
    Separator,
    /// The array has ended: nothing more.
    End,
    /// A fault or the end was reached.
    Done,
}

impl State {
    fn expected(self) -> &'static str {
        match self {
            Self::Start => "a JSON object or an array of them",
            Self::Bare => "a JSON object",
            Self::First => "a JSON object or ]",
            Self::Element => "a JSON object",
            Self::Separator => ", or ]",
            Self::End | Self::Done => "nothing after the array",
        }
    }
}

impl Objects {
    pub(super) fn open(path: impl AsRef<Path>) -> Result<Self, BeaconsError> {
        let file = path.as_ref().display().to_string();
        match File::open(path) {
            Ok(input) => Self::new(input, file),
            Err(source) => Err(BeaconsError::Open {
                file,
                source: Arc::new(source),
            }),
        }
    }

    /// Looks at the first bytes to know whether the input is gzipped; its name does not matter.
    pub(super) fn new(
        mut raw: impl Read + Send + 'static,
        file: impl Into<String>,
    ) -> Result<Self, BeaconsError> {
        let file = file.into();
        let mut magic = Vec::with_capacity(GZIP_MAGIC.len());
        let head = raw.by_ref().take(GZIP_MAGIC.len() as u64);
        if let Err(source) = { head }.read_to_end(&mut magic) {
            let source = Arc::new(source);
            return Err(BeaconsError::Open { file, source });
        }
        let is_packed = magic == GZIP_MAGIC;
        let whole = Cursor::new(magic).chain(raw);
        let text: Box<dyn Read + Send> = if is_packed {
            let raw = BufReader::with_capacity(BUFFER_BYTES, whole);
            Box::new(MultiGzDecoder::new(raw))
        } else {
            Box::new(whole)
        };
        Ok(Self {
            input: BufReader::with_capacity(BUFFER_BYTES, text),
            file,
            line: 1,
            state: State::Start,
            object: Vec::new(),
        })
    }

    /// The next object, parsed and checked; `None` at the end and after a fault.
    pub(super) fn next<T: DeserializeOwned, R>(
        &mut self,
        expected: &'static str,
        check: impl FnOnce(T) -> Result<R, BeaconsFault>,
    ) -> Option<Result<R, BeaconsError>> {
        let mut line = self.line;
        let found = match self.cut(&mut line) {
            Ok(false) => return None,
            Ok(true) => serde_json::from_slice(&self.object)
                .map_err(|error| BeaconsFault::not_a(expected, &error))
                .and_then(check),
            Err(fault) => Err(fault),
        };
        Some(found.map_err(|fault| {
            self.state = State::Done;
            BeaconsError::Content {
                file: self.file.clone(),
                line,
                fault,
            }
        }))
    }

    /// Cuts out the next object; `false` at the end. `line` becomes where it, or a fault, begins.
    fn cut(&mut self, line: &mut u64) -> Result<bool, BeaconsFault> {
        self.object.clear();
        loop {
            *line = self.line;
            if self.state == State::Done {
                return Ok(false);
            }
            let Some(byte) = self.byte()? else {
                let is_complete = matches!(self.state, State::Bare | State::End);
                let expected = self.state.expected();
                self.state = State::Done;
                return match is_complete {
                    true => Ok(false),
                    false => Err(BeaconsFault::Unexpected {
                        expected,
                        found: "the end of the file".into(),
                    }),
                };
            };
            self.state = match (byte, self.state) {
                (b' ' | b'\t' | b'\r' | b'\n', state) => state,
                (b'[', State::Start) => State::First,
                (b']', State::First | State::Separator) => State::End,
                (b',', State::Separator) => State::Element,
                (b'{', State::Start | State::Bare) => {
                    self.state = State::Bare;
                    return self.object(line).map(|()| true);
                }
                (b'{', State::First | State::Element) => {
                    self.state = State::Separator;
                    return self.object(line).map(|()| true);
                }
                (byte, state) => {
                    return Err(BeaconsFault::Unexpected {
                        expected: state.expected(),
                        found: format!("'{}'", byte.escape_ascii()),
                    });
                }
            };
        }
    }

    /// Collects the rest of an object whose opening bracket has been read.
    fn object(&mut self, line: &mut u64) -> Result<(), BeaconsFault> {
        self.object.push(b'{');
        let (mut depth, mut is_string, mut is_escaped) = (1_usize, false, false);
        while depth > 0 {
            let Some(byte) = self.byte()? else {
                *line = self.line;
                return Err(BeaconsFault::Unexpected {
                    expected: "the end of the object",
                    found: "the end of the file".into(),
                });
            };
            if self.object.len() == MAX_OBJECT_BYTES {
                return Err(BeaconsFault::TooLong);
            }
            self.object.push(byte);
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' if is_string => is_escaped = true,
                b'"' => is_string = !is_string,
                b'{' | b'[' if !is_string => depth += 1,
                b'}' | b']' if !is_string => depth -= 1,
                _ => {}
            }
        }
        Ok(())
    }

    fn byte(&mut self) -> Result<Option<u8>, BeaconsFault> {
        let available = loop {
            match self.input.fill_buf() {
                Ok(available) => break available,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(BeaconsFault::Read(Arc::new(error))),
            }
        };
        let byte = available.first().copied();
        if let Some(byte) = byte {
            self.input.consume(1);
            self.line += u64::from(byte == b'\n');
        }
        Ok(byte)
    }
}
