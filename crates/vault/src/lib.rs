//! The vault: an organisation's off-chain store (PROTOCOLS.md sections 6, 9 and 10.3).
//!
//! Content never goes on a chain. It lies here, and what goes on the chain proves that it is
//! still what it was:
//!
//! 1. **Records** (section 9): an edge server draws 32 random bytes `r` for each record
//!    `{device id, time, grade, content}`, gathers records in a [`Batch`] and calls
//!    [`Vault::put_batch`]. When it returns, the batch is on disk.
//! 2. The batch's [`Root`] goes on the organisation's chain. Until the edge has seen that final
//!    and called [`Vault::settle`], the root is listed by [`Vault::pending`], so that a crash
//!    between vault and chain loses nothing.
//! 3. An exchange reads a record, and [`inclusion`] proves that its commitment lies under the
//!    root. [`commitment`] has the pure functions; a receiver needs no vault.
//! 4. **Evidence** (section 6): the signed bytes behind a vote, stored under their digest.
//! 5. **Audited files** (section 10.3): blocks, tags and the index of each file version.
//!
//! Two stores are behind [`Vault`]: [`Embedded`] (a directory) and `Postgres` (a server).
//! [`open`] tells them apart. They behave alike, and one test suite runs against both.
//!
//! # What is checked, and what that is worth
//!
//! Every read recomputes the commitment or digest and compares it with the stored one, so rows
//! that were damaged or swapped are never returned ([`Error::Corrupt`]). Somebody who can write
//! to the disk can change row and digest together: only the root on the chain tells, and
//! [`inclusion`] and [`check_batch`] recompute that root from what is stored. A deleted row
//! reads as absent; [`check_batch`] names it.
//!
//! The vault keeps content and `r` in the clear. Encrypt the disk, or the content.

mod batch;
pub mod commitment;
mod embedded;
mod error;
mod evidence;
mod file;
mod hash;
#[cfg(feature = "postgres")]
mod postgres;
mod record;

use std::{ops::Range, path::Path, sync::Arc};

use async_trait::async_trait;

pub use batch::{Batch, MAX_BATCH_BYTES, MAX_BATCH_RECORDS, Manifest, check_batch, inclusion};
pub use commitment::{Commitment, Inclusion, Root};
pub use embedded::Embedded;
pub use error::{Error, Item};
pub use evidence::{EvidenceId, MAX_EVIDENCE};
pub use file::{
    Block, BlockName, Blocks, Change, FileId, FileVersion, IndexPage, MAX_BLOCK, MAX_BLOCKS,
    MAX_CHANGES, MAX_INDEX_PAGE, MAX_VERSION_RECORD, Tag,
};
#[cfg(feature = "postgres")]
pub use postgres::Postgres;
pub use record::{Blind, DeviceId, Grade, Key, MAX_CONTENT, MAX_NUMBER, Record};

/// Most records in a page of [`Vault::range`]: with [`MAX_CONTENT`] at most 16 MB of memory.
pub const MAX_PAGE: usize = 1_000;

/// Most roots in an answer of [`Vault::pending`]: 32 KB. Settle them, then ask for more.
pub const MAX_PENDING: usize = 1_000;

/// The result of a batch write. `new + known` is the size of the batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Items that were not there before.
    pub new: u64,
    /// Items that were there already, with the same content. After a lost connection this may
    /// include what the first attempt of the same call wrote.
    pub known: u64,
}

/// A record as the vault has it.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The record, whose commitment was recomputed and compared.
    pub record: Record,
    /// The root of the batch that brought it first.
    pub batch: Root,
}

/// Consecutive records of one device.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// At most [`MAX_PAGE`] records by ascending time.
    pub records: Vec<Stored>,
    /// Where to go on: ask again with `next..t1`. `None` at the end.
    pub next: Option<u64>,
}

/// An off-chain store.
///
/// Every method that writes is durable when it returns, and idempotent: repeat it after an error
/// or a crash and the result is the same. A write is complete or absent, never in part. What was
/// stored is never replaced: another content under the same name is [`Error::Conflict`].
///
/// All methods fail with [`Error::Unavailable`] when a server cannot be reached, with
/// [`Error::Storage`] when disk or server refuse, and reads with [`Error::Corrupt`].
#[async_trait]
pub trait Vault: Send + Sync {
    /// Stores a batch of records, its list of commitments, and its root as pending.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] when a record is stored with other content or another `r`; then
    /// nothing of the batch is stored. A device that sends again after a crash of the edge meets
    /// this: read the stored record and, if the content is the same, leave the new one out.
    async fn put_batch(&self, batch: &Batch) -> Result<Written, Error>;

    /// Reads one record.
    async fn get(&self, key: &Key) -> Result<Option<Stored>, Error>;

    /// Reads a device's records of `times` (ms), end excluded, one page at a time.
    async fn range(&self, device: &DeviceId, times: Range<u64>) -> Result<Page, Error>;

    /// Reads which records a batch has, with their commitments.
    async fn manifest(&self, batch: &Root) -> Result<Option<Manifest>, Error>;

    /// Lists batches that are not settled, at most [`MAX_PENDING`], in the order of their roots.
    async fn pending(&self) -> Result<Vec<Root>, Error>;

    /// Takes a batch off the pending list, once its root is final on the chain. Does nothing
    /// when it is not on the list.
    async fn settle(&self, batch: &Root) -> Result<(), Error>;

    /// Stores evidence under its digest.
    ///
    /// # Errors
    ///
    /// [`Error::EvidenceSize`] above [`MAX_EVIDENCE`].
    async fn put_evidence(&self, bytes: &[u8]) -> Result<EvidenceId, Error>;

    /// Reads evidence.
    async fn evidence(&self, id: &EvidenceId) -> Result<Option<Vec<u8>>, Error>;

    /// Stores blocks of a file with their tags, before the version that uses them is committed.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] when a block is stored with other bytes or another tag (two tags
    /// under one name forge a third); then nothing is stored.
    async fn put_blocks(&self, file: &FileId, blocks: &Blocks) -> Result<Written, Error>;

    /// Reads one block.
    async fn block(&self, file: &FileId, name: &BlockName) -> Result<Option<Block>, Error>;

    /// Tells which of at most [`MAX_BLOCKS`] blocks are still to be uploaded, in the order asked.
    ///
    /// # Errors
    ///
    /// [`Error::TooManyNames`].
    async fn missing_blocks(
        &self,
        file: &FileId,
        names: &[BlockName],
    ) -> Result<Vec<BlockName>, Error>;

    /// Makes a new version of a file from the one before and its changes.
    ///
    /// # Errors
    ///
    /// [`Error::VersionOrder`] when the number is not that of the latest version plus one (the
    /// first is 1), [`Error::MissingBlock`] when a block was not uploaded, [`Error::Conflict`]
    /// when the version exists and is another one.
    async fn commit_version(&self, version: &FileVersion) -> Result<(), Error>;

    /// The number of a file's latest version.
    async fn latest_version(&self, file: &FileId) -> Result<Option<u64>, Error>;

    /// The record that a version was committed with.
    async fn version_record(&self, file: &FileId, number: u64) -> Result<Option<Vec<u8>>, Error>;

    /// Reads the index of a version by ascending block id, beginning at `from`. Empty when there
    /// is no such version.
    ///
    /// The index is not covered by a digest here: its Merkle root is part of the ledger's record.
    async fn index(&self, file: &FileId, number: u64, from: u64) -> Result<IndexPage, Error>;
}

/// Opens the store at `location`: a `postgres://` URL or a directory, created when absent.
///
/// # Errors
///
/// Those of [`Embedded::open`] and `Postgres::connect`; [`Error::Location`] for a URL of another
/// kind, and for any URL when the crate was built without the feature `postgres`.
pub async fn open(location: &str) -> Result<Arc<dyn Vault>, Error> {
    #[cfg(feature = "postgres")]
    if location.starts_with("postgres://") || location.starts_with("postgresql://") {
        return Ok(Arc::new(Postgres::connect(location).await?));
    }
    match location.split_once("://") {
        // Only the scheme is repeated: the rest of a URL may hold a password.
        Some((scheme, _)) => Err(Error::Location(format!("scheme {scheme:?}"))),
        None => Ok(Arc::new(Embedded::open(Path::new(location))?)),
    }
}
