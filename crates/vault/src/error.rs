//! What can go wrong.

use std::path::PathBuf;

use thiserror::Error;

use crate::{
    BlockName, EvidenceId, FileId, Key, MAX_BATCH_BYTES, MAX_BATCH_RECORDS, MAX_BLOCK, MAX_BLOCKS,
    MAX_CHANGES, MAX_CONTENT, MAX_EVIDENCE, MAX_NUMBER, MAX_VERSION_RECORD, Root,
};

/// Something stored, named in an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// A record.
    Record(Key),
    /// A batch of records.
    Batch(Root),
    /// A piece of evidence.
    Evidence(EvidenceId),
    /// A block of a file.
    Block(FileId, BlockName),
    /// A version of a file.
    Version(FileId, u64),
}

impl std::fmt::Display for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Record(key) => write!(f, "record of {} at {} ms", key.device, key.time_ms),
            Self::Batch(root) => write!(f, "batch {root}"),
            Self::Evidence(id) => write!(f, "evidence {id}"),
            Self::Block(file, name) => write!(f, "block {name} of file {file}"),
            Self::Version(file, number) => write!(f, "version {number} of file {file}"),
        }
    }
}

/// Why the vault refuses or fails.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The caller's: content of a record above the limit.
    #[error(
        "expected content of at most {MAX_CONTENT} bytes, got {0}: keep larger things as files \
         and record their id"
    )]
    ContentSize(usize),
    /// The caller's: a time, block id or version number that stores cannot hold.
    #[error("expected a number of at most {MAX_NUMBER}, got {0}")]
    Number(u64),
    /// The caller's: an empty batch or too many records.
    #[error("expected 1 to {MAX_BATCH_RECORDS} records in a batch, got {0}")]
    BatchRecords(usize),
    /// The caller's: too much content in one batch.
    #[error("expected at most {MAX_BATCH_BYTES} bytes of content in a batch, got {0}: split it")]
    BatchBytes(usize),
    /// The caller's: evidence above the limit.
    #[error("expected evidence of at most {MAX_EVIDENCE} bytes, got {0}: leave out messages")]
    EvidenceSize(usize),
    /// The caller's: a block above the limit.
    #[error("expected a block of at most {MAX_BLOCK} bytes, got {0}")]
    BlockSize(usize),
    /// The caller's: no blocks, or too many at once.
    #[error("expected 1 to {MAX_BLOCKS} blocks at once, got {0}")]
    BlockCount(usize),
    /// The caller's: too many names in one question.
    #[error("expected at most {MAX_BLOCKS} block names at once, got {0}")]
    TooManyNames(usize),
    /// The caller's: the record of a file version above the limit.
    #[error("expected a version record of at most {MAX_VERSION_RECORD} bytes, got {0}")]
    VersionRecordSize(usize),
    /// The caller's: too many changes in one file version.
    #[error("expected at most {MAX_CHANGES} changes in a version, got {0}: make several versions")]
    ChangeCount(usize),
    /// The caller's: one version changes a block twice.
    #[error("expected one change per block, got two of block {0}")]
    ChangedTwice(u64),
    /// The caller's: not the next version.
    #[error("expected version {expected}, got {got}: somebody else may have changed the file")]
    VersionOrder {
        /// Latest version plus one.
        expected: u64,
        /// What was to be committed.
        got: u64,
    },
    /// The caller's: a version uses a block that was not uploaded.
    #[error("{} is not here: upload it before committing", Item::Block(*.0, *.1))]
    MissingBlock(FileId, BlockName),
    /// The caller's: the name is taken by other content.
    #[error("{0} exists with other content; what is stored is never replaced")]
    Conflict(Item),
    /// The store's: stored bytes are not what was stored.
    #[error("{0} is corrupt: stored bytes do not match their digest; restore it from a copy")]
    Corrupt(Item),
    /// Configuration: another process has the directory open.
    #[error("{} is open in another process; a directory serves one process at a time", .0.display())]
    InUse(PathBuf),
    /// Configuration: the directory has a layout of another version of this program.
    #[error("expected layout {expected} in {}, found {found}", path.display())]
    Layout {
        /// The directory.
        path: PathBuf,
        /// Layout of this program.
        expected: u32,
        /// Layout of the directory.
        found: String,
    },
    /// The store's: the log holds damage that is not a cut-off end.
    #[error("the log in {} is damaged: restore the directory from a copy", .0.display())]
    DamagedLog(PathBuf),
    /// Configuration: not a place where a vault can be.
    #[error("expected a directory or a postgres:// URL, got {0}")]
    Location(String),
    /// The server could not be reached, or the connection broke again and again. Whether the
    /// write happened is unknown: repeat it.
    #[error("database server not reachable, tried {attempts} times")]
    Unavailable {
        /// How often it was tried.
        attempts: u32,
        /// The last failure.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Disk or server failed. After a failed write the embedded store takes no more of them until
    /// it is opened again, as it cannot know what reached the disk.
    #[error("storage failed")]
    Storage(#[source] Box<dyn std::error::Error + Send + Sync>),
}
