//! Tags and their verification in batches.

use bytes::BufMut;
use commonware_codec::{Buf, Error as CodecError, FixedSize, Read, ReadExt as _, Write};
use commonware_cryptography::bls12381::primitives::{
    group::{G1, Scalar},
    variant::{MinSig, Variant as _},
};
use commonware_math::algebra::{Additive as _, CryptoGroup as _, Space};
use commonware_parallel::Strategy;
use rand_core::CryptoRng;

use super::curve::{BlockHash, Weight, weighted_points};
use super::{Block, BlockName, Error, FileId, GroupKey, GroupSecret};

/// A tag: a point of G1, not the identity, 48 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag(pub(super) G1);

impl Write for Tag {
    fn write(&self, buf: &mut impl BufMut) {
        self.0.write(buf);
    }
}

impl Read for Tag {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, CodecError> {
        G1::read(buf).map(Self)
    }
}

impl FixedSize for Tag {
    const SIZE: usize = G1::SIZE;
}

impl GroupSecret {
    /// Step 1: `σ_b = x·(H(kid, fid, id, version) + (Σ α_j m_bj)·G1)`.
    ///
    /// Depends on no other block: tag a stream block by block, on as many threads as you like.
    /// Tag a name once only; [`Index`](super::Index) hands out a new one for every change.
    ///
    /// # Errors
    ///
    /// [`Error::SectorCount`] for a block of another key's sectors.
    pub fn tag(&self, file: &FileId, name: &BlockName, block: &Block) -> Result<Tag, Error> {
        check_sectors(self.key(), block)?;
        let exponent = self
            .alphas
            .iter()
            .zip(&block.0)
            .fold(Scalar::zero(), |sum, (alpha, m)| sum + &(m.clone() * alpha));
        let hash = BlockHash::new(&self.key().kid(), file).point(name);
        Ok(Tag((hash + &(G1::generator() * &exponent)) * &self.x))
    }
}

/// A block as the vault receives it.
pub struct Tagged<'a> {
    /// Its name.
    pub name: BlockName,
    /// Its content.
    pub block: &'a Block,
    /// Its tag.
    pub tag: Tag,
}

/// Step 3: verifies the tags of many blocks of one file at once, with one product of two
/// pairings. A false tag passes with probability 2^-128 over `rng`.
///
/// # Errors
///
/// [`Error::Tags`] when some tag is false (it does not say which),
/// [`Error::SectorCount`] for a block of another key's sectors.
pub fn verify_tags(
    key: &GroupKey,
    file: &FileId,
    batch: &[Tagged<'_>],
    rng: &mut (impl CryptoRng + ?Sized),
    strategy: &impl Strategy,
) -> Result<(), Error> {
    if batch.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = batch.iter().map(|item| item.name).collect();
    let tags: Vec<_> = batch.iter().map(|item| item.tag.0).collect();
    let weights: Vec<_> = batch.iter().map(|_| Weight::random(rng)).collect();
    let mut sums = vec![Scalar::zero(); key.sectors().get()];
    for (item, weight) in batch.iter().zip(&weights) {
        check_sectors(key, item.block)?;
        accumulate(&mut sums, item.block, *weight);
    }
    let hashes = BlockHash::new(&key.kid(), file).weighted_sum(&names, &weights, strategy);
    let content = <G1 as Space<Scalar>>::msm(&key.u, &sums, strategy);
    MinSig::verify(
        &key.v,
        &(hashes + &content),
        &weighted_points(&tags, &weights),
    )
    .map_err(|_| Error::Tags)
}

/// `sums_j += w·m_j`.
pub(super) fn accumulate(sums: &mut [Scalar], block: &Block, weight: Weight) {
    let weight = weight.scalar();
    for (sum, m) in sums.iter_mut().zip(&block.0) {
        *sum += &(m.clone() * &weight);
    }
}

pub(super) fn check_sectors(key: &GroupKey, block: &Block) -> Result<(), Error> {
    let (expected, got) = (key.sectors().get(), block.0.len());
    if expected == got {
        Ok(())
    } else {
        Err(Error::SectorCount { expected, got })
    }
}
