//! What can be wrong with a trace, and where.

use super::{MAX_ATTRIBUTE_BYTES, MAX_ATTRIBUTES, MAX_DEPTH, MAX_MARKUP_BYTES, MAX_NAME_BYTES};
use super::{MAX_TIME_MS, MAX_VEHICLES_PER_STEP};
use crate::{MAX_EXTENT_M, frame::MAX_LATITUDE_DEG};
use std::{fmt, io, sync::Arc};

/// Longest stretch of the input that an error repeats, in characters.
const EXCERPT_CHARS: usize = 40;

/// A place in a text; in a gzipped file, of the text that was packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// Line, from 1.
    pub line: u64,
    /// Column in bytes, from 1.
    pub column: u64,
}

impl Location {
    /// Where a text begins.
    pub(super) const START: Self = Self { line: 1, column: 1 };

    /// The place just after `text` if `text` begins here.
    pub(super) fn after(self, text: &[u8]) -> Self {
        match text.iter().rposition(|&byte| byte == b'\n') {
            None => Self {
                column: self.column + text.len() as u64,
                ..self
            },
            Some(last) => Self {
                line: self.line + text.iter().filter(|&&byte| byte == b'\n').count() as u64,
                column: (text.len() - last) as u64,
            },
        }
    }

    /// Attaches what is wrong here.
    pub(super) fn fault(self, fault: TraceFault) -> Fault {
        Fault { at: self, fault }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// A fault and its place; the reader adds the file's name.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) at: Location,
    pub(super) fault: TraceFault,
}

/// Why a trace was refused. Shown as one line: file, line, column, what was expected.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TraceError {
    /// The file cannot be opened.
    #[error("cannot open {file}: {source}")]
    Open {
        /// The file's name.
        file: String,
        /// The system's reason.
        source: Arc<io::Error>,
    },
    /// The content is not what was expected.
    #[error("{file}, {at}: {fault}")]
    Content {
        /// The file's name.
        file: String,
        /// Where the fault was seen.
        at: Location,
        /// What is wrong.
        #[source]
        fault: TraceFault,
    },
}

/// What is wrong with a trace's content.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TraceFault {
    /// The system cannot read on.
    #[error("cannot read: {0}")]
    Read(#[source] Arc<io::Error>),
    /// The gzip stream stops early.
    #[error("expected more compressed data; the .gz file is truncated")]
    TruncatedGzip,
    /// The gzip stream contradicts itself.
    #[error("expected valid compressed data; the .gz file is damaged ({0})")]
    CorruptGzip(#[source] Arc<io::Error>),
    /// Not well-formed XML.
    #[error("expected well-formed XML: {0}")]
    Malformed(String),
    /// There is no element at all.
    #[error("expected XML with the root element <fcd-export>, but there is no element")]
    NoRoot,
    /// Another kind of XML file.
    #[error("expected the root element <fcd-export>, found <{found}>")]
    WrongRoot {
        /// The root's name, abridged.
        found: String,
    },
    /// A trace without a single step.
    #[error("expected at least one <timestep> in <fcd-export>")]
    NoTimesteps,
    /// The text ends inside an element, as when its writer was killed.
    #[error("expected </{open}>, but the file ends")]
    UnexpectedEnd {
        /// The element that is open.
        open: &'static str,
    },
    /// An element where the format has none of its kind.
    #[error("expected {expected}, found <{found}>")]
    Misplaced {
        /// What the format has here.
        expected: &'static str,
        /// The element's name, abridged.
        found: String,
    },
    /// Text where the format has elements only.
    #[error("expected XML elements, found the text \"{found}\"")]
    Text {
        /// The text, abridged.
        found: String,
    },
    /// A document type, which a trace does not need.
    #[error("expected no DOCTYPE")]
    DocType,
    /// A tag, comment or text is too long.
    #[error("expected tags, comments and text of at most {MAX_MARKUP_BYTES} bytes each")]
    TooLong,
    /// Elements are nested too deeply.
    #[error("expected elements nested at most {MAX_DEPTH} deep")]
    TooDeep,
    /// A tag has too many attributes.
    #[error("expected at most {MAX_ATTRIBUTES} attributes in a tag")]
    TooManyAttributes,
    /// An attribute's value is too long.
    #[error("expected attribute {attribute} of at most {MAX_ATTRIBUTE_BYTES} bytes")]
    AttributeTooLong {
        /// The attribute's name, abridged.
        attribute: String,
    },
    /// A required attribute is not there.
    #[error("expected attribute {attribute} in <{element}>")]
    Missing {
        /// The element without it.
        element: &'static str,
        /// The attribute.
        attribute: &'static str,
    },
    /// A name that is empty, too long, not UTF-8, or has control characters.
    #[error(
        "expected {attribute} of 1 to {MAX_NAME_BYTES} bytes of UTF-8 without control characters"
    )]
    BadName {
        /// The attribute.
        attribute: &'static str,
    },
    /// Not a number.
    #[error("expected a number in {attribute}, found \"{found}\"")]
    BadNumber {
        /// The attribute.
        attribute: &'static str,
        /// The value, abridged.
        found: String,
    },
    /// NaN, an infinity, or a number too large to be one.
    #[error("expected a finite number in {attribute}, found \"{found}\"")]
    NotFinite {
        /// The attribute.
        attribute: &'static str,
        /// The value, abridged.
        found: String,
    },
    /// A number beyond what the attribute can mean.
    #[error("expected {attribute} within ±{limit}, found {found}")]
    OutOfRange {
        /// The attribute.
        attribute: &'static str,
        /// Largest magnitude, in the attribute's unit.
        limit: f64,
        /// The value.
        found: f64,
    },
    /// A position too far from the first one to be projected with it.
    #[error(
        "expected a position within {} km of the trace's first one and latitude within \
         ±{MAX_LATITUDE_DEG}°",
        MAX_EXTENT_M / 1000.0
    )]
    TooFar,
    /// A time that is none.
    #[error(
        "expected a time from 0 to {} seconds with at most three decimals, found \"{found}\"",
        MAX_TIME_MS / 1000
    )]
    BadTime {
        /// The value, abridged.
        found: String,
    },
    /// Time repeats or runs backwards.
    #[error("expected a time after {previous_ms} ms, found {found_ms} ms")]
    TimeNotIncreasing {
        /// Time of the step before, in milliseconds.
        previous_ms: u64,
        /// Time of this step, in milliseconds.
        found_ms: u64,
    },
    /// One vehicle twice in one step.
    #[error("expected each vehicle once in a step, found \"{id}\" again")]
    DuplicateVehicle {
        /// The vehicle.
        id: Arc<str>,
    },
    /// Too many vehicles in one step.
    #[error("expected at most {MAX_VEHICLES_PER_STEP} vehicles in a step")]
    TooManyVehicles,
}

/// The beginning of some input, for an error: on one line, and harmless on a terminal.
pub(super) fn excerpt(input: &[u8]) -> String {
    // A character has at most four bytes.
    let head = &input[..input.len().min(4 * EXCERPT_CHARS)];
    let text = String::from_utf8_lossy(head);
    let mut excerpt: String = text
        .chars()
        .take(EXCERPT_CHARS)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if text.chars().nth(EXCERPT_CHARS).is_some() {
        excerpt.push('…');
    }
    excerpt
}
