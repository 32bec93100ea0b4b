//! Audited files (PROTOCOLS.md section 10.3): blocks with tags, and which blocks make a version.
//!
//! 1. A member uploads blocks with [`Vault::put_blocks`](crate::Vault::put_blocks), in any order
//!    and as often as needed; `missing_blocks` tells where to resume. The caller has verified the
//!    tags: the vault knows no cryptography of audits.
//! 2. [`Vault::commit_version`](crate::Vault::commit_version) makes a version: the one before,
//!    with some blocks set and some deleted. A version stores its changes only.
//! 3. An audit reads the index of a version and the challenged blocks by name.
//!
//! Names are those of `cairn_crypto::possession`: a block id is never given to another block of
//! the file, an edition is 16 random bytes drawn anew whenever the content changes.

use std::{fmt, sync::Arc};

use crate::{
    Error, Item, MAX_NUMBER,
    hash::{bytes32, hash},
};

/// Largest block, in bytes: 256 sectors of 31 bytes, the most that a tag covers, are 7,936.
pub const MAX_BLOCK: usize = 8 * 1024;

/// Most blocks in one upload: 8 MiB of memory.
pub const MAX_BLOCKS: usize = 1_024;

/// Most changes in one version: at 24 bytes each, 24 MiB of memory and a first version of up to
/// 8 GiB. Larger files come in several versions.
pub const MAX_CHANGES: usize = 1 << 20;

/// Largest record of a version, in bytes: the ledger's file record has 212 and `auth`, at most
/// 1,024.
pub const MAX_VERSION_RECORD: usize = 2 * 1024;

/// Most entries in a page of an index: 240 KB of memory.
pub const MAX_INDEX_PAGE: usize = 10_000;

bytes32!(
    /// Names a file, 32 bytes.
    FileId
);

/// A block's tag: a compressed point of BLS12-381's G1, 48 bytes. Opaque here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag(pub [u8; 48]);

/// Names one edition of a block within its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockName {
    /// Place in the index, at most [`MAX_NUMBER`].
    pub id: u64,
    /// Edition of the content, random.
    pub edition: [u8; 16],
}

impl fmt::Display for BlockName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{:032x}", self.id, u128::from_be_bytes(self.edition))
    }
}

/// A block with its tag.
#[derive(Clone, PartialEq, Eq)]
pub struct Block {
    name: BlockName,
    tag: Tag,
    bytes: Vec<u8>,
}

impl Block {
    /// Puts a block together.
    ///
    /// # Errors
    ///
    /// [`Error::BlockSize`] above [`MAX_BLOCK`], [`Error::Number`] for an id above
    /// [`MAX_NUMBER`].
    pub fn new(name: BlockName, tag: Tag, bytes: Vec<u8>) -> Result<Self, Error> {
        if bytes.len() > MAX_BLOCK {
            return Err(Error::BlockSize(bytes.len()));
        }
        if name.id > MAX_NUMBER {
            return Err(Error::Number(name.id));
        }
        Ok(Self { name, tag, bytes })
    }

    /// Which edition of which block.
    #[must_use]
    pub const fn name(&self) -> BlockName {
        self.name
    }

    /// The tag.
    #[must_use]
    pub const fn tag(&self) -> Tag {
        self.tag
    }

    /// The content, at most [`MAX_BLOCK`] bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Digest over file, name, tag and content, by which a damaged or moved row is found out.
    pub(crate) fn digest(&self, file: &FileId) -> [u8; 32] {
        hash(
            "cairn/1/vault/block",
            &[
                &file.0,
                &self.name.id.to_be_bytes(),
                &self.name.edition,
                &self.tag.0,
                &self.bytes,
            ],
        )
    }

    /// A block read from a store; [`Error::Corrupt`] unless it has the stored digest.
    pub(crate) fn from_stored(
        file: &FileId,
        name: &BlockName,
        tag: &[u8],
        bytes: Vec<u8>,
        digest: &[u8],
    ) -> Result<Self, Error> {
        let corrupt = || Error::Corrupt(Item::Block(*file, *name));
        let tag = Tag(tag.try_into().map_err(|_| corrupt())?);
        let block = Self::new(*name, tag, bytes).map_err(|_| corrupt())?;
        if block.digest(file) != digest {
            return Err(corrupt());
        }
        Ok(block)
    }
}

/// Shows name and length, not the content.
impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Block({}, {} bytes)", self.name, self.bytes.len())
    }
}

/// 1 to [`MAX_BLOCKS`] blocks by ascending name, each once. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Blocks(Arc<[Block]>);

impl Blocks {
    /// Sorts blocks. A block given twice counts once.
    ///
    /// # Errors
    ///
    /// [`Error::BlockCount`] unless there are 1 to [`MAX_BLOCKS`]; [`Error::Conflict`] when two
    /// differ under one name.
    pub fn new(file: &FileId, mut blocks: Vec<Block>) -> Result<Self, Error> {
        if !(1..=MAX_BLOCKS).contains(&blocks.len()) {
            return Err(Error::BlockCount(blocks.len()));
        }
        blocks.sort_by_key(Block::name);
        blocks.dedup();
        match blocks.windows(2).find(|pair| pair[0].name == pair[1].name) {
            Some(pair) => Err(Error::Conflict(Item::Block(*file, pair[0].name))),
            None => Ok(Self(blocks.into())),
        }
    }

    /// The blocks, by ascending name.
    #[must_use]
    pub fn as_slice(&self) -> &[Block] {
        &self.0
    }
}

/// What a version does to one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The block is new or has a new edition.
    Set(BlockName),
    /// The block with this id is gone.
    Delete(u64),
}

impl Change {
    /// Id of the block.
    #[must_use]
    pub const fn id(&self) -> u64 {
        match self {
            Self::Set(name) => name.id,
            Self::Delete(id) => *id,
        }
    }

    /// The new edition; empty when the block is deleted.
    pub(crate) fn edition(&self) -> &[u8] {
        match self {
            Self::Set(name) => &name.edition,
            Self::Delete(_) => &[],
        }
    }
}

/// A version of a file, to be committed. Cheap to clone.
#[derive(Clone, Debug)]
pub struct FileVersion(Arc<Version>);

#[derive(Debug)]
struct Version {
    file: FileId,
    number: u64,
    record: Vec<u8>,
    changes: Vec<Change>,
}

impl FileVersion {
    /// Describes a version by the changes since the one before (from nothing, for version 1).
    /// `record` is what the ledger has of it, opaque here.
    ///
    /// # Errors
    ///
    /// [`Error::VersionRecordSize`], [`Error::ChangeCount`], [`Error::ChangedTwice`], and
    /// [`Error::Number`] for a version number or block id above [`MAX_NUMBER`].
    pub fn new(
        file: FileId,
        number: u64,
        record: Vec<u8>,
        mut changes: Vec<Change>,
    ) -> Result<Self, Error> {
        if record.len() > MAX_VERSION_RECORD {
            return Err(Error::VersionRecordSize(record.len()));
        }
        if changes.len() > MAX_CHANGES {
            return Err(Error::ChangeCount(changes.len()));
        }
        changes.sort_by_key(Change::id);
        if let Some(pair) = changes.windows(2).find(|pair| pair[0].id() == pair[1].id()) {
            return Err(Error::ChangedTwice(pair[0].id()));
        }
        let largest = changes.last().map_or(0, Change::id).max(number);
        if largest > MAX_NUMBER {
            return Err(Error::Number(largest));
        }
        Ok(Self(Arc::new(Version {
            file,
            number,
            record,
            changes,
        })))
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> &FileId {
        &self.0.file
    }

    /// The version's number; the first is 1.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.0.number
    }

    /// What the ledger has of it.
    #[must_use]
    pub fn record(&self) -> &[u8] {
        &self.0.record
    }

    /// The changes, by ascending block id.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.0.changes
    }

    /// Names of the blocks that the version sets.
    pub(crate) fn set(&self) -> Vec<BlockName> {
        self.changes()
            .iter()
            .filter_map(|change| match change {
                Change::Set(name) => Some(*name),
                Change::Delete(_) => None,
            })
            .collect()
    }

    /// Digest by which a repeated commit is told from another one.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let mut changes = Vec::with_capacity(self.changes().len() * 25);
        for change in self.changes() {
            changes.extend_from_slice(&change.id().to_be_bytes());
            changes.push(u8::from(matches!(change, Change::Set(_))));
            changes.extend_from_slice(change.edition());
        }
        hash(
            "cairn/1/vault/version",
            &[
                &self.0.file.0,
                &self.number().to_be_bytes(),
                self.record(),
                &changes,
            ],
        )
    }
}

/// Consecutive entries of a version's index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexPage {
    /// At most [`MAX_INDEX_PAGE`] live blocks by ascending id.
    pub blocks: Vec<BlockName>,
    /// Block id to go on from. `None` at the end.
    pub next: Option<u64>,
}
