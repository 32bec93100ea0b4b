//! The index: which blocks a file has, in which edition.
//!
//! A Merkle tree over slots. Slot `i` holds block id `i` in its present edition, or nothing once
//! the block is deleted; slots are never used again. Every node also counts the live blocks
//! below it, so that "the r-th live block" is provable and an audit meets live blocks only.
//!
//! ```text
//! leaf  = SHA-256(pad("cairn/1/possession/leaf") ‖ id ‖ version), count 1
//! inner = SHA-256(pad("cairn/1/possession/node") ‖ left ‖ left count ‖ right ‖ right count)
//! empty = zeros, count 0; also the inner node of two empty ones
//! ```
//!
//! `pad` fills one hash block of 64 bytes with zeros; numbers are u64, big endian. Fields have
//! fixed lengths, so no two lists of fields give the same bytes. The root is that of the smallest
//! tree that has room for all slots; a file record states it together with the number of live
//! blocks.

use std::sync::LazyLock;

use bytes::BufMut;
use commonware_codec::{
    Buf, EncodeSize, Error as CodecError, RangeCfg, Read, ReadExt as _, Write, varint::UInt,
};
use rand_core::CryptoRng;
use sha2::{Digest as _, Sha256};

use super::{BlockName, BlockVersion, Error};
use crate::transcript::Domain;

const LEAF: Domain = Domain::new("cairn/1/possession/leaf");
const NODE: Domain = Domain::new("cairn/1/possession/node");

/// Most levels above the leaves: 2^40 blocks, at 128 sectors four petabytes.
pub(super) const MAX_DEPTH: u8 = 40;

const MAX_SLOTS: u64 = 1 << MAX_DEPTH;

/// Root of an index, 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Root(pub [u8; 32]);

/// A node: hash and number of live blocks below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) hash: [u8; 32],
    pub(super) live: u64,
}

impl Node {
    pub(super) const EMPTY: Self = Self {
        hash: [0; 32],
        live: 0,
    };

    pub(super) fn leaf(name: &BlockName) -> Self {
        static START: LazyLock<Sha256> = LazyLock::new(|| start(LEAF));
        let hash = START
            .clone()
            .chain_update(name.id.to_be_bytes())
            .chain_update(name.version.0);
        Self {
            hash: hash.finalize().into(),
            live: 1,
        }
    }

    /// The parent. Counts are at most 2^[`MAX_DEPTH`] each.
    pub(super) fn parent(left: &Self, right: &Self) -> Self {
        static START: LazyLock<Sha256> = LazyLock::new(|| start(NODE));
        if left.live + right.live == 0 {
            return Self::EMPTY;
        }
        let hash = [left, right].iter().fold(START.clone(), |hash, node| {
            hash.chain_update(node.hash)
                .chain_update(node.live.to_be_bytes())
        });
        Self {
            hash: hash.finalize().into(),
            live: left.live + right.live,
        }
    }
}

impl Write for Node {
    fn write(&self, buf: &mut impl BufMut) {
        UInt(self.live).write(buf);
        if self.live > 0 {
            self.hash.write(buf);
        }
    }
}

impl Read for Node {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, CodecError> {
        let live = UInt::read(buf)?.into();
        match live {
            0 => Ok(Self::EMPTY),
            1..=MAX_SLOTS => Ok(Self {
                hash: <[u8; 32]>::read(buf)?,
                live,
            }),
            _ => Err(CodecError::Invalid("Node", "more live blocks than slots")),
        }
    }
}

impl EncodeSize for Node {
    fn encode_size(&self) -> usize {
        let hash = if self.live > 0 { 32 } else { 0 };
        UInt(self.live).encode_size() + hash
    }
}

fn start(domain: Domain) -> Sha256 {
    let mut block = [0; 64];
    block[..domain.name().len()].copy_from_slice(domain.name().as_bytes());
    Sha256::new_with_prefix(block)
}

/// The index of one file. About 100 bytes of memory a slot.
///
/// Encoded as its slots, each one byte and, unless deleted, the 16 bytes of the edition; reading
/// takes the most slots one is ready to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    slots: Vec<Option<BlockVersion>>,
    /// From the leaves up to the root; every level but the last has more than one node. Nodes to
    /// the right of a level's end are empty.
    levels: Vec<Vec<Node>>,
}

impl Index {
    /// The index of an empty file.
    #[must_use]
    pub fn new() -> Self {
        Self {
            slots: Vec::new(),
            levels: vec![Vec::new()],
        }
    }

    /// Adds a block behind all others and names it.
    ///
    /// # Errors
    ///
    /// [`Error::Full`] at 2^40 slots.
    pub fn append(&mut self, rng: &mut (impl CryptoRng + ?Sized)) -> Result<BlockName, Error> {
        let id = self.slots.len() as u64;
        if id == MAX_SLOTS {
            return Err(Error::Full);
        }
        let version = fresh(rng);
        self.push(Some(version));
        Ok(BlockName { id, version })
    }

    /// Gives a block whose content changes its new name.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownBlock`] when there is no live block of this id.
    pub fn update(
        &mut self,
        id: u64,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<BlockName, Error> {
        let slot = self.live_slot(id)?;
        let version = fresh(rng);
        self.set(slot, Some(version));
        Ok(BlockName { id, version })
    }

    /// Removes a block; its id is not given out again.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownBlock`] when there is no live block of this id.
    pub fn delete(&mut self, id: u64) -> Result<(), Error> {
        let slot = self.live_slot(id)?;
        self.set(slot, None);
        Ok(())
    }

    /// The present name of a live block.
    #[must_use]
    pub fn name(&self, id: u64) -> Option<BlockName> {
        let version = (*self.slots.get(usize::try_from(id).ok()?)?)?;
        Some(BlockName { id, version })
    }

    /// The live blocks in order.
    pub fn names(&self) -> impl Iterator<Item = BlockName> {
        (0..)
            .zip(&self.slots)
            .filter_map(|(id, version)| version.map(|version| BlockName { id, version }))
    }

    /// The live block that `rank` live blocks precede.
    #[must_use]
    pub fn at_rank(&self, mut rank: u64) -> Option<BlockName> {
        if rank >= self.live() {
            return None;
        }
        let mut place = 0;
        for level in (0..self.depth()).rev() {
            let left = self.node(level, 2 * place).live;
            place *= 2;
            if rank >= left {
                rank -= left;
                place += 1;
            }
        }
        self.name(place as u64)
    }

    /// Number of live blocks.
    #[must_use]
    pub fn live(&self) -> u64 {
        self.node(self.depth(), 0).live
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> Root {
        Root(self.node(self.depth(), 0).hash)
    }

    /// Levels above the leaves.
    pub(super) fn depth(&self) -> usize {
        self.levels.len() - 1
    }

    /// The node at `place` of a level, counted from the leaves.
    pub(super) fn node(&self, level: usize, place: usize) -> Node {
        *self.levels[level].get(place).unwrap_or(&Node::EMPTY)
    }

    fn live_slot(&self, id: u64) -> Result<usize, Error> {
        let slot = usize::try_from(id).map_err(|_| Error::UnknownBlock(id))?;
        match self.slots.get(slot) {
            Some(Some(_)) => Ok(slot),
            _ => Err(Error::UnknownBlock(id)),
        }
    }

    fn push(&mut self, version: Option<BlockVersion>) {
        self.slots.push(None);
        self.set(self.slots.len() - 1, version);
    }

    /// Changes one leaf and the path above it.
    fn set(&mut self, slot: usize, version: Option<BlockVersion>) {
        self.slots[slot] = version;
        let id = slot as u64;
        let mut node = version.map_or(Node::EMPTY, |version| {
            Node::leaf(&BlockName { id, version })
        });
        let mut place = slot;
        for level in 0.. {
            if level == self.levels.len() {
                self.levels.push(Vec::new());
            }
            match self.levels[level].get_mut(place) {
                Some(old) => *old = node,
                None => self.levels[level].push(node),
            }
            if self.levels[level].len() == 1 {
                return;
            }
            place /= 2;
            node = Node::parent(
                &self.node(level, 2 * place),
                &self.node(level, 2 * place + 1),
            );
        }
    }
}

impl Default for Index {
    fn default() -> Self {
        Self::new()
    }
}

impl Write for Index {
    fn write(&self, buf: &mut impl BufMut) {
        self.slots.len().write(buf);
        for slot in &self.slots {
            slot.map(|version| version.0).write(buf);
        }
    }
}

impl Read for Index {
    type Cfg = RangeCfg<usize>;

    fn read_cfg(buf: &mut impl Buf, range: &Self::Cfg) -> Result<Self, CodecError> {
        let mut index = Self::new();
        for _ in 0..usize::read_cfg(buf, range)? {
            index.push(Option::<[u8; 16]>::read(buf)?.map(BlockVersion));
        }
        Ok(index)
    }
}

impl EncodeSize for Index {
    fn encode_size(&self) -> usize {
        let slots = self.slots.iter().map(|slot| slot.map_or(1, |_| 17));
        self.slots.len().encode_size() + slots.sum::<usize>()
    }
}

fn fresh(rng: &mut (impl CryptoRng + ?Sized)) -> BlockVersion {
    let mut version = [0; 16];
    rng.fill_bytes(&mut version);
    BlockVersion(version)
}
