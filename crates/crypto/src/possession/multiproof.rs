//! Proof that certain blocks are the live blocks of certain ranks.
//!
//! The tree is walked from the root, left before right. A subtree with none of the asked leaves
//! is given as its node; one leaf of a walk is given as its name. The verifier walks the same
//! way: ids say where the leaves are, counts of the nodes passed say each leaf's rank. It
//! recomputes the root, so that every name, count and place is the owner's.

use bytes::BufMut;
use commonware_codec::{Buf, EncodeSize, Error as CodecError, RangeCfg, Read, ReadExt as _, Write};

use super::index::{MAX_DEPTH, Node};
use super::{BlockName, Error, Index, Root};

/// Names of the challenged blocks and the nodes beside their paths, O(c·log n) bytes: at most 33
/// to 38 bytes a node and 17 to 22 a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexProof {
    depth: u8,
    leaves: Vec<BlockName>,
    siblings: Vec<Node>,
}

impl Index {
    /// Proves the names of the live blocks of these ranks, as they come from
    /// [`Challenge::ranks`](super::Challenge::ranks): at least one, ascending, distinct.
    ///
    /// # Errors
    ///
    /// [`Error::Ranks`] when they are not, or not below [`live`](Index::live).
    pub fn prove(&self, ranks: &[u64]) -> Result<IndexProof, Error> {
        let last = *ranks.last().ok_or(Error::Ranks)?;
        if !ranks.is_sorted_by(|a, b| a < b) || last >= self.live() {
            return Err(Error::Ranks);
        }
        let mut proof = IndexProof {
            depth: u8::try_from(self.depth()).expect("at most MAX_DEPTH"),
            leaves: Vec::with_capacity(ranks.len()),
            siblings: Vec::new(),
        };
        self.walk(self.depth(), 0, 0, ranks, &mut proof);
        Ok(proof)
    }

    /// `before` live blocks precede the subtree, in which all of `ranks` lie.
    fn walk(&self, level: usize, place: usize, before: u64, ranks: &[u64], proof: &mut IndexProof) {
        if ranks.is_empty() {
            return proof.siblings.push(self.node(level, place));
        }
        if level == 0 {
            let name = self.name(place as u64).expect("a live leaf has a name");
            return proof.leaves.push(name);
        }
        let middle = before + self.node(level - 1, 2 * place).live;
        let (left, right) = ranks.split_at(ranks.partition_point(|rank| *rank < middle));
        self.walk(level - 1, 2 * place, before, left, proof);
        self.walk(level - 1, 2 * place + 1, middle, right, proof);
    }
}

impl IndexProof {
    /// The names that it shows, by ascending rank; unchecked.
    pub(super) fn names(&self) -> &[BlockName] {
        &self.leaves
    }

    /// Checks the proof against root and number of live blocks of a file record, and returns the
    /// names of the blocks of these ranks, in the same order.
    ///
    /// # Errors
    ///
    /// [`Error::Index`] when the proof does not lead to this root, count and ranks.
    pub fn verify(&self, root: &Root, live: u64, ranks: &[u64]) -> Result<&[BlockName], Error> {
        let end = 1_u64 << self.depth;
        let ordered = self.leaves.is_sorted_by(|a, b| a.id < b.id);
        if !ordered || self.leaves.last().is_some_and(|leaf| leaf.id >= end) {
            return Err(Error::Index);
        }
        let mut walk = Walk {
            siblings: self.siblings.iter(),
            ranks: ranks.iter(),
            passed: 0,
        };
        let top = walk.node(self.depth, 0, &self.leaves)?;
        let exhausted = walk.siblings.len() == 0 && walk.ranks.len() == 0;
        if exhausted && top.hash == root.0 && top.live == live {
            Ok(&self.leaves)
        } else {
            Err(Error::Index)
        }
    }
}

/// A verifier's walk: what is still to come, and how many live blocks lie behind.
struct Walk<'a> {
    siblings: std::slice::Iter<'a, Node>,
    ranks: std::slice::Iter<'a, u64>,
    passed: u64,
}

impl Walk<'_> {
    /// The node of the subtree whose first slot is `first`, in which all of `leaves` lie.
    fn node(&mut self, level: u8, first: u64, leaves: &[BlockName]) -> Result<Node, Error> {
        let Some(leaf) = leaves.first() else {
            let node = self.siblings.next().ok_or(Error::Index)?;
            // Also keeps the sums of counts far from overflow.
            if node.live > 1 << level {
                return Err(Error::Index);
            }
            self.passed += node.live;
            return Ok(*node);
        };
        if level == 0 {
            if self.ranks.next() != Some(&self.passed) {
                return Err(Error::Index);
            }
            self.passed += 1;
            return Ok(Node::leaf(leaf));
        }
        let middle = first + (1 << (level - 1));
        let (left, right) = leaves.split_at(leaves.partition_point(|leaf| leaf.id < middle));
        let left = self.node(level - 1, first, left)?;
        let right = self.node(level - 1, middle, right)?;
        Ok(Node::parent(&left, &right))
    }
}

impl Write for IndexProof {
    fn write(&self, buf: &mut impl BufMut) {
        self.depth.write(buf);
        self.leaves.write(buf);
        self.siblings.write(buf);
    }
}

impl Read for IndexProof {
    /// Number of leaves expected.
    type Cfg = usize;

    fn read_cfg(buf: &mut impl Buf, leaves: &usize) -> Result<Self, CodecError> {
        let depth = u8::read(buf)?;
        if depth > MAX_DEPTH {
            return Err(CodecError::Invalid("IndexProof", "expected depth up to 40"));
        }
        let siblings = RangeCfg::new(0..=leaves.saturating_mul(usize::from(depth)));
        Ok(Self {
            depth,
            leaves: Vec::read_cfg(buf, &(RangeCfg::exact(*leaves), ()))?,
            siblings: Vec::read_cfg(buf, &(siblings, ()))?,
        })
    }
}

impl EncodeSize for IndexProof {
    fn encode_size(&self) -> usize {
        self.depth.encode_size() + self.leaves.encode_size() + self.siblings.encode_size()
    }
}
