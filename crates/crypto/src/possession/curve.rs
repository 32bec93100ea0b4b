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
//! Who has found `T(b)` tells counter and y ([`Hint`], 49 bytes); then checking costs one hash and
//! `y² = x³ + 4` instead of a square root for each counter, and gives the same point or none: x and
//! sign are still the hash's. A hint may name a later counter at which there is a point too; that is
//! the hash of another, never tagged name, see the sketch in the [module](super).
//!
//! This file alone touches `blst`, through its safe interface; G1 elsewhere is commonware's type.

use std::num::{NonZeroU128, NonZeroUsize};

use blst::{MultiPoint as _, blst_p1, blst_p1_affine, min_sig::AggregateSignature};
use blst::{min_sig::Signature, p1_affines};
use bytes::BufMut;
use commonware_codec::{
    Buf, Copying, DecodeExt as _, Error as CodecError, FixedSize, Read, ReadExt as _, Write,
};
use commonware_cryptography::bls12381::primitives::group::{G1, Scalar};
use commonware_math::algebra::Additive as _;
use commonware_parallel::Strategy;

use super::{BlockName, FileId, KeyId};
use crate::transcript::{Domain, Transcript};

const BLOCK: Domain = Domain::new("cairn/1/possession/block");

/// `1 − z` for the curve's parameter z = −0xd201000000010000.
const EFFECTIVE_COFACTOR: u64 = 0xd201_0000_0001_0001;

/// Two in five counters hit, so 256 misses in a row have probability below 2^-185.
const MAX_TRIES: u64 = 256;

/// Bytes of a coordinate.
const COORDINATE_BYTES: usize = 48;

/// In the first byte of a compressed point: that it is one, and that y is the larger of ±y.
const IS_COMPRESSED: u8 = 0x80;
const IS_LARGER: u8 = 0x20;
const FLAGS: u8 = 0xe0;

/// `(p − 1)/2`, big endian: y is the larger of ±y when it is above.
const HALF_P: [u8; COORDINATE_BYTES] = [
    0x0d, 0x00, 0x88, 0xf5, 0x1c, 0xbf, 0xf3, 0x4d, 0x25, 0x8d, 0xd3, 0xdb, 0x21, 0xa5, 0xd6, 0x6b,
    0xb2, 0x3b, 0xa5, 0xc2, 0x79, 0xc2, 0x89, 0x5f, 0xb3, 0x98, 0x69, 0x50, 0x7b, 0x58, 0x7b, 0x12,
    0x0f, 0x55, 0xff, 0xff, 0x58, 0xa9, 0xff, 0xff, 0xdc, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xd5, 0x55,
];

/// At which counter `T(b)` was found, and its y coordinate, big endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hint {
    pub(super) counter: u8,
    pub(super) y: [u8; COORDINATE_BYTES],
}

impl Write for Hint {
    fn write(&self, buf: &mut impl BufMut) {
        self.counter.write(buf);
        self.y.write(buf);
    }
}

impl Read for Hint {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, CodecError> {
        Ok(Self {
            counter: u8::read(buf)?,
            y: <[u8; COORDINATE_BYTES]>::read(buf)?,
        })
    }
}

impl FixedSize for Hint {
    const SIZE: usize = 1 + COORDINATE_BYTES;
}

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
        times_cofactor(&[self.uncleared(name).1][..])
    }

    /// `Σ w·H(b)`; both slices have the same length.
    pub(super) fn weighted_sum(
        &self,
        names: &[BlockName],
        weights: &[Weight],
        strategy: &impl Strategy,
    ) -> G1 {
        assert_eq!(names.len(), weights.len(), "one weight for each block");
        weighted_sum(weights, strategy, |at| Some(self.uncleared(&names[at]).1))
            .expect("every name has a point")
    }

    /// The same with hints, one for each name; `None` when some hint is false.
    pub(super) fn hinted_sum(
        &self,
        names: &[BlockName],
        hints: &[Hint],
        weights: &[Weight],
        strategy: &impl Strategy,
    ) -> Option<G1> {
        if names.len() != weights.len() || hints.len() != weights.len() {
            return None;
        }
        weighted_sum(weights, strategy, |at| self.hinted(&names[at], &hints[at]))
    }

    /// What spares others the search for `T(b)`.
    pub(super) fn hint(&self, name: &BlockName) -> Hint {
        let (counter, point) = self.uncleared(name);
        let coordinates = Signature::from(point).serialize();
        let (_, y) = coordinates.split_last_chunk().expect("x and y");
        Hint { counter, y: *y }
    }

    /// `T(b)` and the counter at which it was found.
    fn uncleared(&self, name: &BlockName) -> (u8, blst_p1_affine) {
        let prefix = self.prefix(name);
        (0..MAX_TRIES)
            .find_map(|counter| {
                let point = Signature::uncompress(&candidate(&prefix, counter)).ok()?;
                Some((u8::try_from(counter).ok()?, point.into()))
            })
            .expect("256 misses in a row do not happen")
    }

    /// The point that the hint shows, if it is one.
    fn hinted(&self, name: &BlockName, hint: &Hint) -> Option<blst_p1_affine> {
        let mut x = candidate(&self.prefix(name), u64::from(hint.counter));
        let is_larger = x[0] & IS_LARGER != 0;
        x[0] &= !FLAGS;
        if (hint.y > HALF_P) != is_larger {
            return None;
        }
        // Refuses what is not canonical or not on the curve.
        let point = Signature::deserialize(&[x, hint.y].concat()).ok()?;
        Some(point.into())
    }

    fn prefix(&self, name: &BlockName) -> Transcript {
        self.0.clone().number(name.id).bytes(&name.version.0)
    }
}

/// A compressed encoding, not the identity's: sign and x are the hash's.
fn candidate(prefix: &Transcript, counter: u64) -> [u8; COORDINATE_BYTES] {
    let digest = prefix.clone().number(counter).finish();
    let mut encoding: [u8; COORDINATE_BYTES] = digest.0[..48].try_into().expect("48 of 64 bytes");
    encoding[0] = IS_COMPRESSED | encoding[0] & 0x3f;
    encoding
}

/// `h·Σ w·P` over points of the curve, `None` when one of them is missing.
fn weighted_sum(
    weights: &[Weight],
    strategy: &impl Strategy,
    point: impl Fn(usize) -> Option<blst_p1_affine> + Send + Sync,
) -> Option<G1> {
    let sums = strategy.run_batches(weights.len(), MIN_POINTS_PER_BATCH, 1, |batches| {
        batches.map_collect_vec(
            |ranges| ranges,
            |range| {
                let points: Option<Vec<_>> = range.clone().map(&point).collect();
                Some(sum(&points?, &weights[range]))
            },
        )
    });
    let sums: Option<Vec<_>> = sums.into_iter().collect();
    let sums: Vec<_> = sums?.into_iter().filter(|sum| !is_identity(sum)).collect();
    if sums.is_empty() {
        return Some(G1::zero());
    }
    Some(times_cofactor(p1_affines::from(&sums).as_slice()))
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
impl BlockHash {
    /// A hint at the next counter after the first at which there is a point.
    pub(super) fn later_hint(&self, name: &BlockName) -> Hint {
        let (first, _) = self.uncleared(name);
        let prefix = self.prefix(name);
        let later = (u64::from(first) + 1..MAX_TRIES).find_map(|counter| {
            let point = Signature::uncompress(&candidate(&prefix, counter)).ok()?;
            let coordinates = point.serialize();
            let (_, y) = coordinates.split_last_chunk()?;
            let counter = u8::try_from(counter).ok()?;
            Some(Hint { counter, y: *y })
        });
        later.expect("another point")
    }
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
        let outside = |id| !Signature::from(hash().uncleared(&name(id)).1).subgroup_check();
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
        let sign = |id| Signature::from(hash().uncleared(&name(id)).1).compress()[0] & 0x20;
        let signs: HashSet<_> = (0..64).map(sign).collect();
        assert_eq!(signs.len(), 2);
    }

    #[test]
    fn hints_show_the_same_points_or_none() {
        let names: Vec<_> = (0..100).map(name).collect();
        let hints: Vec<_> = names.iter().map(|name| hash().hint(name)).collect();
        let weights: Vec<_> = (1..=100u128)
            .map(|i| Weight::draw(|| i << 70 | i))
            .collect();
        let hinted = |hints: &[Hint]| hash().hinted_sum(&names, hints, &weights, &Sequential);
        let searched = hash().weighted_sum(&names, &weights, &Sequential);
        assert_eq!(hinted(&hints), Some(searched));

        let minus = |y: &[u8; 48]| {
            // p − y, from p = 2·HALF_P + 1.
            let (mut out, mut borrow) = ([0; 48], 0);
            for at in (0..48).rev() {
                let next = if at == 47 { 0x80 } else { HALF_P[at + 1] };
                let p = i32::from(HALF_P[at] << 1 | next >> 7) | i32::from(at == 47);
                let digit = p - i32::from(y[at]) - borrow;
                borrow = i32::from(digit < 0);
                out[at] = digit.rem_euclid(256) as u8;
            }
            out
        };
        let change = |change: &dyn Fn(&mut Hint)| {
            let mut hints = hints.clone();
            change(&mut hints[7]);
            hinted(&hints)
        };
        assert_eq!(minus(&minus(&hints[7].y)), hints[7].y);
        assert_eq!(
            change(&|hint| hint.y = minus(&hint.y)),
            None,
            "the other sign"
        );
        assert_eq!(change(&|hint| hint.y[47] ^= 1), None, "off the curve");
        assert_eq!(change(&|hint| hint.y = [0xff; 48]), None, "not below p");
        assert_eq!(change(&|hint| hint.y = [0; 48]), None);
        assert_eq!(change(&|hint| *hint = hints[8]), None, "of another name");
        assert_eq!(hinted(&hints[1..]), None, "one too few");
    }

    /// A hint may name a later counter. What comes out is another point, for which nobody has a tag.
    #[test]
    fn a_later_counter_is_another_point() {
        let (first, point) = hash().uncleared(&name(3));
        let later = hash().later_hint(&name(3));
        assert!(later.counter > first);
        let shown = hash().hinted(&name(3), &later).unwrap();
        assert_ne!(Signature::from(shown), Signature::from(point));
    }
}
