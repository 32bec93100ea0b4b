//! Paper 001: honest runs, refusals, encodings.

use cairn_baselines::{Refusal, p001_pdp::*};
use commonware_codec::{Decode, Encode};
use commonware_cryptography::bls12381::primitives::group::{G1, G2};
use proptest::prelude::*;
use rand::{Rng, SeedableRng, rngs::StdRng};

const FILE: File = File { fid: 1, blocks: 9 };

struct World {
    rng: StdRng,
    mpk: G2,
    members: Vec<Member>,
    stored: Vec<Stored>,
}

fn world(seed: u64) -> World {
    let mut rng = StdRng::seed_from_u64(seed);
    let kgc = Kgc::random(&mut rng);
    let mpk = kgc.public();
    let members: Vec<_> = ["alice", "bob"]
        .iter()
        .map(|id| Member::enrol(id, kgc.partial_key(id), &mpk, &mut rng).unwrap())
        .collect();
    let base = FILE.base();
    let stored = (0..FILE.blocks)
        .map(|index| {
            let uploader = index as usize % 2;
            let mut block = [0; BLOCK_BYTES];
            rng.fill_bytes(&mut block);
            let tag = members[uploader].tag(&FILE, &base, index, &block);
            Stored {
                block,
                tag,
                uploader,
            }
        })
        .collect();
    World {
        rng,
        mpk,
        members,
        stored,
    }
}

impl World {
    fn audit(&mut self, challenge: &Challenge) -> Result<Proof, Refusal> {
        let uploaders: Vec<_> = self.members.iter().map(Member::uploader).collect();
        let proof = prove(&uploaders, &self.stored, challenge, &mut self.rng)?;
        verify(&self.mpk, &FILE, challenge, &proof).map(|()| proof)
    }
}

#[test]
fn every_tag_fits_its_block_and_no_other() {
    let w = world(0);
    for (index, entry) in (0..).zip(&w.stored) {
        let owner = w.members[entry.uploader].uploader();
        let other = w.members[1 - entry.uploader].uploader();
        let Stored { block, tag, .. } = entry;
        let moved = (index + 1) % FILE.blocks;
        let mut changed = *block;
        changed[30] ^= 1;
        assert_eq!(owner.check_tag(&FILE, &w.mpk, index, block, tag), Ok(()));
        for refused in [
            owner.check_tag(&FILE, &w.mpk, index, &changed, tag),
            owner.check_tag(&FILE, &w.mpk, moved, block, tag),
            other.check_tag(&FILE, &w.mpk, index, block, tag),
            owner.check_tag(&File { fid: 2, ..FILE }, &w.mpk, index, block, tag),
            owner.check_tag(&File { blocks: 10, ..FILE }, &w.mpk, index, block, tag),
        ] {
            assert_eq!(refused, Err(Refusal::Proof));
        }
    }
}

#[test]
fn partial_key_of_another_identity_is_refused() {
    let mut rng = StdRng::seed_from_u64(0);
    let kgc = Kgc::random(&mut rng);
    let refused = Member::enrol("alice", kgc.partial_key("bob"), &kgc.public(), &mut rng);
    assert_eq!(refused.err(), Some(Refusal::Proof));
}

#[test]
fn proof_is_refused_for_another_challenge_shape_or_tag() {
    let mut w = world(1);
    let challenge = Challenge::random(&FILE, 5, &mut w.rng);
    let proof = w.audit(&challenge).unwrap();
    let other = Challenge::random(&FILE, 5, &mut w.rng);
    assert_eq!(verify(&w.mpk, &FILE, &other, &proof), Err(Refusal::Proof));
    let shorter = Challenge(challenge.0[1..].to_vec());
    assert_eq!(verify(&w.mpk, &FILE, &shorter, &proof), Err(Refusal::Shape));

    let outside = Challenge(vec![(FILE.blocks, challenge.0[0].1.clone())]);
    assert_eq!(w.audit(&outside).err(), Some(Refusal::Shape));
    w.stored[challenge.0[0].0 as usize].tag = proof.sigma;
    assert_eq!(w.audit(&challenge).err(), Some(Refusal::Proof));
}

#[test]
fn challenge_has_distinct_indexes_within_the_file() {
    let mut rng = StdRng::seed_from_u64(2);
    for count in [0, 1, 5, 9, 50] {
        let challenge = Challenge::random(&FILE, count, &mut rng);
        assert_eq!(challenge.0.len(), count.min(9));
        assert!(challenge.0.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(challenge.0.iter().all(|(index, _)| *index < FILE.blocks));
    }
}

#[test]
fn proof_encoding_is_bounded_and_checked() {
    let mut w = world(3);
    let challenge = Challenge::random(&FILE, 4, &mut w.rng);
    let proof = w.audit(&challenge).unwrap();
    let bytes = proof.encode();
    assert_eq!(
        (bytes.len(), proof_bytes(4), proof_bytes(500)),
        (336, 336, 24_144)
    );
    assert_eq!(Proof::decode_cfg(bytes.clone(), &4).unwrap(), proof);
    assert!(Proof::decode_cfg(bytes.clone(), &3).is_err());
    assert!(Proof::decode_cfg(bytes.clone(), &(MAX_CHALLENGE + 1)).is_err());
    let mut infinity = bytes.to_vec();
    infinity[..48].fill(0);
    infinity[0] = 0xc0;
    assert!(Proof::decode_cfg(bytes::Bytes::from(infinity), &4).is_err());
}

#[test]
fn product_of_pairings() {
    use commonware_math::algebra::{Additive, CryptoGroup};
    let (p, q) = (G1::generator(), G2::generator());
    assert!(product_is_one(&[]));
    assert!(product_is_one(&[(G1::zero(), q), (p, G2::zero())]));
    assert!(!product_is_one(&[(p, q)]));
    assert!(product_is_one(&[(p, q), (-p, q)]));
    assert!(product_is_one(&[
        (p + &p, q),
        (-p, q + &q),
        (G1::zero(), q)
    ]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_changed_bit_of_a_challenged_block_is_caught(
        seed: u64, at in 0..BLOCK_BYTES, bit in 0_u8..8,
    ) {
        let mut w = world(seed);
        let challenge = Challenge::random(&FILE, 3, &mut w.rng);
        prop_assert!(w.audit(&challenge).is_ok());
        w.stored[challenge.0[1].0 as usize].block[at] ^= 1_u8 << bit;
        prop_assert_eq!(w.audit(&challenge).err(), Some(Refusal::Proof));
    }
}
