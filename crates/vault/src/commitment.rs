//! Commitments to records, and Merkle batches of them (PROTOCOLS.md section 9). Pure functions.
//!
//! ```text
//! commitment = H("cairn/1/vault/record", r, record)      record: canonical encoding
//! leaf       = H("cairn/1/vault/leaf", commitment)
//! node       = H("cairn/1/vault/node", left, right)
//! root       = H("cairn/1/vault/root", count (u32), top node)
//! ```
//!
//! `H` is SHA-256 over length-prefixed fields, domain first. Leaves are in ascending order of
//! (device, time). A level of odd width passes its last node up unchanged; leaf, node and root
//! have their own domains and the root covers the count, so neither a node nor a shorter batch
//! can pass for something else.
//!
//! Commitments hide (each has its own `r`), so the root and the path of one record tell nothing
//! about the others beyond their number.

use bytes::BufMut;
use commonware_codec::{Buf, EncodeSize, Error as CodecError, Read, ReadExt as _, Write};

use crate::{
    Blind, MAX_BATCH_RECORDS,
    hash::{bytes32, hash},
};

bytes32!(
    /// Commitment to one record: `H(r ‖ record)`, 32 bytes.
    Commitment
);

bytes32!(
    /// Root of a batch of commitments, 32 bytes. This is what goes on the chain.
    Root
);

impl Commitment {
    pub(crate) fn new(blind: &Blind, record: &[u8]) -> Self {
        Self(hash("cairn/1/vault/record", &[blind.reveal(), record]))
    }

    fn leaf(&self) -> [u8; 32] {
        hash("cairn/1/vault/leaf", &[&self.0])
    }
}

impl Root {
    fn new(count: u32, top: &[u8; 32]) -> Self {
        Self(hash("cairn/1/vault/root", &[&count.to_be_bytes(), top]))
    }
}

/// The root of `commitments`; `None` when there are none or more than [`MAX_BATCH_RECORDS`].
#[must_use]
pub fn root(commitments: &[Commitment]) -> Option<Root> {
    let count = bounded(commitments.len())?;
    let mut level: Vec<_> = commitments.iter().map(Commitment::leaf).collect();
    while level.len() > 1 {
        level = parents(&level);
    }
    Some(Root::new(count, &level[0]))
}

/// The proof that `commitments[index]` lies under their root; `None` when there is no such entry
/// or more than [`MAX_BATCH_RECORDS`].
#[must_use]
pub fn prove(commitments: &[Commitment], index: usize) -> Option<Inclusion> {
    let count = bounded(commitments.len())?;
    commitments.get(index)?;
    let mut level: Vec<_> = commitments.iter().map(Commitment::leaf).collect();
    let mut siblings = Vec::new();
    let mut at = index;
    while level.len() > 1 {
        siblings.extend(level.get(at ^ 1));
        level = parents(&level);
        at /= 2;
    }
    Some(Inclusion {
        index: bounded(index + 1)? - 1,
        count,
        siblings,
    })
}

/// That one commitment lies under a root: at most 393 bytes, for a batch of 4,096.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inclusion {
    index: u32,
    count: u32,
    siblings: Vec<[u8; 32]>,
}

impl Inclusion {
    /// Most siblings: the depth of the largest batch.
    const MAX_SIBLINGS: usize = MAX_BATCH_RECORDS.ilog2() as usize;

    /// Whether `commitment` lies under `root`.
    #[must_use]
    pub fn verify(&self, commitment: &Commitment, root: &Root) -> bool {
        if self.index >= self.count {
            return false;
        }
        let mut siblings = self.siblings.iter();
        let mut node = commitment.leaf();
        let (mut at, mut width) = (self.index, self.count);
        while width > 1 {
            if at ^ 1 < width {
                let Some(sibling) = siblings.next() else {
                    return false;
                };
                node = if at % 2 == 0 {
                    parent(&node, sibling)
                } else {
                    parent(sibling, &node)
                };
            }
            at /= 2;
            width = width.div_ceil(2);
        }
        siblings.next().is_none() && Root::new(self.count, &node) == *root
    }
}

impl Write for Inclusion {
    fn write(&self, buf: &mut impl BufMut) {
        self.index.write(buf);
        self.count.write(buf);
        u8::try_from(self.siblings.len())
            .expect("a proof has at most MAX_SIBLINGS")
            .write(buf);
        for sibling in &self.siblings {
            sibling.write(buf);
        }
    }
}

impl EncodeSize for Inclusion {
    fn encode_size(&self) -> usize {
        4 + 4 + 1 + 32 * self.siblings.len()
    }
}

impl Read for Inclusion {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, CodecError> {
        let index = u32::read(buf)?;
        let count = u32::read(buf)?;
        let length = usize::from(u8::read(buf)?);
        if length > Self::MAX_SIBLINGS {
            return Err(CodecError::InvalidLength(length));
        }
        let siblings = (0..length)
            .map(|_| <[u8; 32]>::read(buf))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            index,
            count,
            siblings,
        })
    }
}

fn bounded(count: usize) -> Option<u32> {
    (1..=MAX_BATCH_RECORDS)
        .contains(&count)
        .then_some(count)
        .and_then(|count| u32::try_from(count).ok())
}

fn parents(level: &[[u8; 32]]) -> Vec<[u8; 32]> {
    level
        .chunks(2)
        .map(|pair| match pair {
            [left, right] => parent(left, right),
            lone => lone[0],
        })
        .collect()
}

fn parent(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    hash("cairn/1/vault/node", &[left, right])
}
