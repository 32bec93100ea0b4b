//! Points from names: the hash `H` into G1, and 128-bit sums of such points.
//!
//! `H(b) = h·T(b)`. `T(b)` is the first point of the curve E(Fp) that a counter finds ("try and
//! increment", Boneh–Lynn–Shacham 2001, section 3.2): 381 bits of SHA-512 as x coordinate, one
//! as sign, next counter when no point has that x. It is uniform over E(Fp) without the
//! identity. `h = 1 − z` (RFC 9380, section 8.8.1) carries E(Fp) into G1, so `H` is uniform
//! there. Names are public, so its running time may depend on them.
//!
//! Why not the hash of RFC 9380: `h` commutes with sums, `Σ w·H(b) = h·(Σ w·T(b))`, so a
//! verifier multiplies by `h` once for all blocks, not once for each (`blst` offers RFC 9380's
//! hash only with its cofactor cleared), and there is no isogeny. An audit of 460 blocks costs
//! two fifths less, again and again; a tag, which clears its own cofactor and passes through an
//! encoding, costs a third more, once (207 against 155 µs on the machine of the first measurement).
//!
//! This file alone touches `blst`, through its safe interface; G1 elsewhere is commonware's type.

use std::num::{NonZeroU128, NonZeroUsize};

use blst::{MultiPoint as _, blst_p1, blst_p1_affine, min_sig::AggregateSignature};
use blst::{min_sig::Signature, p1_affines};
use commonware_codec::{Copying, DecodeExt as _};
use commonware_cryptography::bls12381::primitives::group::{G1, Scalar};
use commonware_math::algebra::Additive as _;
use commonware_parallel::Strategy;

use super::{BlockName, FileId, KeyId};
use crate::transcript::{Domain, Transcript};

const BLOCK: Domain = Domain::new("cairn/1/possession/block");

/// `1 − z` for the curve's parameter z = −0xd201000000010000.
const EFFECTIVE_COFACTOR: u64 = 0xd201_0000_0001_0001;

/// Two in five counters hit, so 512 misses in a row have probability below 2^-380.
const MAX_TRIES: u64 = 512;

/// Below this many points a thread costs more than it saves (a point takes about 20 µs).
const MIN_POINTS_PER_BATCH: NonZeroUsize = NonZeroUsize::new(64).unwrap();

/// A weight of a random linear combination: 128 bits, never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Weight(pub(super) NonZeroU128);

impl Weight {
    /// Draws a weight from `source`, again if it is zero.
    pub(super) fn draw(mut source: impl FnMut() -> u128) -> Self {
        loop {
            if let Some(weight) = NonZeroU128::new(source()) {
                return Self(weight);
            }
        }
    }

    pub(super) fn random(rng: &mut (impl rand_core::CryptoRng + ?Sized)) -> Self {
        Self::draw(|| {
            let mut bytes = [0; 16];
            rng.fill_bytes(&mut bytes);
            u128::from_le_bytes(bytes)
        })
    }

    pub(super) fn scalar(self) -> Scalar {
        let value = self.0.get();
        Scalar::from_limbs([value as u64, (value >> 64) as u64, 0, 0])
    }
}

/// The hash of one file's blocks under one key.
#[derive(Clone)]
pub(super) struct BlockHash(Transcript);

impl BlockHash {
    pub(super) fn new(kid: &KeyId, file: &FileId) -> Self {
        Self(Transcript::new(BLOCK).bytes(&kid.0).bytes(&file.0))
    }

    /// `H(b)`.
    pub(super) fn point(&self, name: &BlockName) -> G1 {
        times_cofactor(&[self.uncleared(name)][..])
    }

    /// `Σ w·H(b)`; both slices have the same length.
    pub(super) fn weighted_sum(
        &self,
        names: &[BlockName],
        weights: &[Weight],
        strategy: &impl Strategy,
    ) -> G1 {
        assert_eq!(names.len(), weights.len(), "one weight for each block");
        let sums = strategy.run_batches(names.len(), MIN_POINTS_PER_BATCH, 1, |batches| {
            batches.map_collect_vec(
                |ranges| ranges,
                |range| {
                    let points: Vec<_> = names[range.clone()]
                        .iter()
                        .map(|name| self.uncleared(name))
                        .collect();
                    sum(&points, &weights[range])
                },
            )
        });
        let sums: Vec<_> = sums
            .iter()
            .filter(|sum| !is_identity(sum))
            .copied()
            .collect();
        if sums.is_empty() {
            return G1::zero();
        }
        times_cofactor(p1_affines::from(&sums).as_slice())
    }

    /// `T(b)`.
    fn uncleared(&self, name: &BlockName) -> blst_p1_affine {
        let prefix = self.0.clone().number(name.id).bytes(&name.version.0);
        (0..MAX_TRIES)
            .find_map(|counter| {
                let digest = prefix.clone().number(counter).finish();
                let mut encoding: [u8; 48] = digest.0[..48].try_into().expect("48 of 64 bytes");
                // Compressed, not the identity; the other six bits are sign and x.
                encoding[0] = 0x80 | encoding[0] & 0x3f;
                Signature::uncompress(&encoding).ok()
            })
            .expect("512 misses in a row do not happen")
            .into()
    }
}

/// `Σ w·P` over points of G1, none of them the identity.
pub(super) fn weighted_points(points: &[G1], weights: &[Weight]) -> G1 {
    assert_eq!(points.len(), weights.len(), "one weight for each point");
    in_g1(&sum(&G1::batch_to_affine(points), weights))
}

/// `Σ w·P`, the identity for no points.
fn sum(points: &[blst_p1_affine], weights: &[Weight]) -> blst_p1 {
    if points.is_empty() {
        return blst_p1::default();
    }
    let bytes: Vec<u8> = weights
        .iter()
        .flat_map(|w| w.0.get().to_le_bytes())
        .collect();
    points.mult(&bytes, 128)
}

/// `h·Σ P`.
fn times_cofactor(points: &[blst_p1_affine]) -> G1 {
    let factors = EFFECTIVE_COFACTOR.to_le_bytes().repeat(points.len());
    in_g1(&points.mult(&factors, 64))
}

fn is_identity(point: &blst_p1) -> bool {
    *point == blst_p1::default()
}

/// Hands a point of G1 over to commonware's type, which has no other door than the encoding.
fn in_g1(point: &blst_p1) -> G1 {
    if is_identity(point) {
        return G1::zero();
    }
    let encoding = AggregateSignature::from(*point).to_signature().compress();
    G1::decode(Copying(&encoding)).expect("a multiple of the cofactor lies in G1")
}

#[cfg(test)]
mod tests {
    use super::super::BlockVersion;
    use super::*;
    use commonware_parallel::{Rayon, Sequential};
    use std::collections::HashSet;

    fn name(id: u64) -> BlockName {
        BlockName {
            id,
            version: BlockVersion([7; 16]),
        }
    }

    fn hash() -> BlockHash {
        BlockHash::new(&KeyId([1; 32]), &FileId([2; 32]))
    }

    #[test]
    fn cofactor_cleared_once_is_cofactor_cleared_each_time() {
        let names: Vec<_> = (0..150).map(name).collect();
        let weights: Vec<_> = (1..=150u128)
            .map(|i| Weight::draw(|| i.pow(9) << 60 | i))
            .collect();
        let one_by_one = names.iter().zip(&weights).fold(G1::zero(), |acc, (n, w)| {
            acc + &(hash().point(n) * &w.scalar())
        });
        let threads = Rayon::new(NonZeroUsize::new(2).unwrap()).unwrap();
        assert_eq!(
            one_by_one,
            hash().weighted_sum(&names, &weights, &Sequential)
        );
        assert_eq!(one_by_one, hash().weighted_sum(&names, &weights, &threads));
        assert_eq!(G1::zero(), hash().weighted_sum(&[], &[], &Sequential));
    }

    #[test]
    fn uncleared_points_lie_outside_the_subgroup() {
        let outside = |id| !Signature::from(hash().uncleared(&name(id))).subgroup_check();
        assert!((0..32).all(outside), "else the cofactor was cleared twice");
    }

    #[test]
    fn every_part_of_a_name_moves_the_point() {
        let (kid, file, id, version) = (KeyId([1; 32]), FileId([2; 32]), 5, [7; 16]);
        let point = |kid, file, id, version| {
            let version = BlockVersion(version);
            BlockHash::new(&kid, &file).point(&BlockName { id, version })
        };
        let points = HashSet::from([
            point(kid, file, id, version),
            point(KeyId([3; 32]), file, id, version),
            point(kid, FileId([1; 32]), id, version),
            point(kid, file, 6, version),
            point(kid, file, id, [8; 16]),
        ]);
        assert_eq!(points.len(), 5);
    }

    #[test]
    fn both_signs_occur() {
        let sign = |id| Signature::from(hash().uncleared(&name(id))).compress()[0] & 0x20;
        let signs: HashSet<_> = (0..64).map(sign).collect();
        assert_eq!(signs.len(), 2);
    }
}
