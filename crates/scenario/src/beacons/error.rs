//! What is wrong with a file of beacons.

use super::{MAX_HEARERS, MAX_OBJECT_BYTES};
use crate::{MAX_NAME_BYTES, MAX_TIME_MS};
use std::{io, sync::Arc};

/// Longest explanation taken over from the JSON parser, in characters: it may quote the input.
const MAX_REASON_CHARS: usize = 200;

/// Why a file of beacons was refused. Shown as one line: file, line, what was expected.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BeaconsError {
    /// The file cannot be opened.
    #[error("cannot open {file}: {source}")]
    Open {
        /// The file's name.
        file: String,
        /// The system's reason.
        source: Arc<io::Error>,
    },
    /// The content is not what was expected.
    #[error("{file}, line {line}: {fault}")]
    Content {
        /// The file's name.
        file: String,
        /// The line of the fault, from 1; that on which its object begins, if it is about one.
        line: u64,
        /// What is wrong.
        #[source]
        fault: BeaconsFault,
    },
}

/// What is wrong with the content of a file.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BeaconsFault {
    /// The system, or gzip, gives no more bytes.
    #[error("cannot read on: {0}")]
    Read(Arc<io::Error>),
    /// Between the objects stands something else.
    #[error("expected {expected}, found {found}")]
    Unexpected {
        /// What may stand there.
        expected: &'static str,
        /// What stands there: a byte, escaped, or the end of the file.
        found: String,
    },
    /// An object is too long.
    #[error("expected an object of at most {MAX_OBJECT_BYTES} bytes")]
    TooLong,
    /// An object is no valid JSON, or lacks a field, or has one of another kind.
    #[error("expected {expected}: {reason}")]
    NotA {
        /// What kind of object was expected.
        expected: &'static str,
        /// What the parser says.
        reason: String,
    },
    /// A number is too large.
    #[error("expected {field} within ±{limit}")]
    OutOfRange {
        /// The field.
        field: &'static str,
        /// Largest magnitude.
        limit: f64,
    },
    /// A time is negative or too late.
    #[error("expected {field} from 0 to {} s", MAX_TIME_MS / 1_000)]
    BadTime {
        /// The field.
        field: &'static str,
    },
    /// A time goes back.
    #[error("expected sendTime not to go back: {found_ms} ms after {previous_ms} ms")]
    TimeGoesBack {
        /// The time of the object before, in milliseconds.
        previous_ms: u64,
        /// The time found, in milliseconds.
        found_ms: u64,
    },
    /// A name is empty, too long, or has control characters.
    #[error("expected {field} of 1 to {MAX_NAME_BYTES} bytes without control characters")]
    BadName {
        /// The field.
        field: &'static str,
    },
    /// More sites than there can be.
    #[error("expected heard_by to have at most {MAX_HEARERS} sites")]
    TooManyHearers,
    /// A field's text is not of its form.
    #[error("expected {field} to be {expected}")]
    BadText {
        /// The field.
        field: &'static str,
        /// Its form.
        expected: &'static str,
    },
}

impl BeaconsFault {
    /// What the parser says, without the place, which is the caller's to say.
    pub(super) fn not_a(expected: &'static str, error: &serde_json::Error) -> Self {
        let said = error.to_string();
        let said = said.split(" at line ").next().unwrap_or_default();
        let reason = said.chars().take(MAX_REASON_CHARS).collect();
        Self::NotA { expected, reason }
    }
}
