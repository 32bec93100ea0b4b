//! Attacks on provable data possession. Names `a0`…`a6` are those of the weaknesses of paper
//! 001's scheme; the villain is the vault unless a test says otherwise.

mod possession_common;

use cairn_crypto::possession::*;
use commonware_codec::{Copying, Decode as _, DecodeExt as _, Encode as _, FixedSize as _};
use commonware_cryptography::bls12381::primitives::group::{G1, G2, Scalar};
use commonware_math::algebra::{Additive as _, CryptoGroup as _, Random as _};
use commonware_parallel::Sequential;
use possession_common::{SEED, Stored, rng};
use proptest::prelude::*;

const SECTORS: u16 = 3;
const BLOCKS: usize = 16;
const CHALLENGED: u32 = 8;

fn honest() -> (Stored, Challenge, Proof) {
    let file = Stored::new(SECTORS, BLOCKS);
    let challenge = Challenge::derive(&SEED, &file.record, 0, CHALLENGED).unwrap();
    let proof = file.prove(&challenge);
    (file, challenge, proof)
}

fn verify(file: &Stored, challenge: &Challenge, proof: &Proof) -> Result<(), Error> {
    file.audit(challenge, proof).verify(&Sequential)
}

/// Bytes of a proof: R, σ, μ'_1…μ'_s, hints and index.
struct Parts {
    r: G1,
    sigma: G1,
    mu: Vec<Scalar>,
    public: Vec<u8>,
}

impl Parts {
    /// What an adversary without data or tags starts from: hints and index follow from what is
    /// public.
    fn random(file: &Stored, challenge: &Challenge) -> Self {
        let honest = file.prove(challenge).encode();
        let mut rng = rng(77);
        Self {
            r: G1::generator() * &Scalar::random(&mut rng),
            sigma: G1::generator() * &Scalar::random(&mut rng),
            mu: (0..SECTORS).map(|_| Scalar::random(&mut rng)).collect(),
            public: honest[96 + 32 * usize::from(SECTORS)..].to_vec(),
        }
    }

    fn proof(&self) -> Proof {
        let mut bytes: Vec<u8> = [self.r.encode(), self.sigma.encode()].concat();
        self.mu.iter().for_each(|mu| bytes.extend(mu.encode()));
        bytes.extend(&self.public);
        decode(&bytes).unwrap()
    }
}

fn decode(bytes: &[u8]) -> Result<Proof, commonware_codec::Error> {
    let sectors = Sectors::new(SECTORS).unwrap();
    Proof::decode_cfg(Copying(bytes), &(sectors, CHALLENGED as usize))
}

fn point(tag: &Tag) -> G1 {
    G1::decode(tag.encode()).unwrap()
}

fn tag(point: G1) -> Tag {
    Tag::decode(point.encode()).unwrap()
}

fn check_tag(file: &Stored, id: FileId, name: BlockName, block: &Block, tag: Tag) -> bool {
    let batch = [Tagged { name, block, tag }];
    verify_tags(file.secret.key(), &id, &batch, &mut rng(8), &Sequential).is_ok()
}

/// Someone enrolled replaces the file by junk under a key of their own.
#[test]
fn a0_key_of_someone_else() {
    let (file, challenge, _) = honest();
    let mut junk = Stored::of_group(SECTORS, BLOCKS, 99, 0);
    let proof = junk.prove(&challenge);
    let mut audit = file.audit(&challenge, &proof);
    // The index is public: the villain has copied it.
    assert_eq!(audit.verify(&Sequential), Err(Error::Proof));
    audit.key = junk.secret.key();
    assert_eq!(audit.verify(&Sequential), Err(Error::WrongKey));
    // A record that names both: the group's kid and the villain's v.
    junk.record.kid = file.record.kid;
    let audit = Audit {
        key: junk.secret.key(),
        record: &junk.record,
        challenge: &challenge,
        proof: &proof,
    };
    assert_eq!(audit.verify(&Sequential), Err(Error::WrongKey));
}

/// σ, R and μ' made up without data or tags.
#[test]
fn a1_proof_without_data() {
    let (file, challenge, _) = honest();
    let mut parts = Parts::random(&file, &challenge);
    assert_eq!(verify(&file, &challenge, &parts.proof()), Err(Error::Proof));
    // With the responses zero, and the mask equal to the generator.
    parts.mu.fill(Scalar::zero());
    parts.r = G1::generator();
    assert_eq!(verify(&file, &challenge, &parts.proof()), Err(Error::Proof));
}

/// All tags kept, all data gone: the sum of tags is right, the responses are guesses.
#[test]
fn a1_proof_from_tags_alone() {
    let (mut file, challenge, _) = honest();
    file.contents.values_mut().for_each(|bytes| bytes.fill(0));
    let proof = file.prove(&challenge);
    assert_eq!(verify(&file, &challenge, &proof), Err(Error::Proof));
}

/// Paper 001's keys follow from two tags. Here no combination of two tags is a third.
#[test]
fn a2_combinations_of_tags() {
    let (file, ..) = honest();
    let [first, second, third] = [0, 1, 2].map(|id| file.index.name(id).unwrap());
    let [a, b] = [0, 1].map(|id| point(&file.tags[&id]));
    for forged in [a + &b, a - &b, a + &a, a + &a - &b, -a] {
        for name in [first, second, third] {
            for id in [0, 1, 2] {
                let block = file.block(id);
                assert!(!check_tag(&file, file.id, name, &block, tag(forged)));
            }
        }
    }
}

/// Why versions are nonces: two contents under one name do give a third tag. The index never
/// repeats a name.
#[test]
fn a2_reused_name_forges_and_the_index_prevents_it() {
    let (mut file, ..) = honest();
    let name = file.index.name(0).unwrap();
    let sectors = file.secret.key().sectors();
    let [low, high, forged] = [1, 2, 3].map(|byte| Block::new(sectors, &[byte; 60]).unwrap());
    let [low, high] =
        [low, high].map(|block| point(&file.secret.tag(&file.id, &name, &block).unwrap()));
    let forgery = tag(high + &high - &low);
    assert!(check_tag(&file, file.id, name, &forged, forgery));

    let again = file.index.update(0, &mut rng(5)).unwrap();
    assert_ne!(again, name);
    assert!(!check_tag(&file, file.id, again, &forged, forgery));
}

/// Two members' uploads look alike: tags are a function of the group's secret alone.
#[test]
fn a3_tags_do_not_tell_members_apart() {
    let (file, ..) = honest();
    let other_member = GroupSecret::from_bytes(&file.secret.to_bytes()).unwrap();
    for name in file.index.names() {
        let tag = other_member
            .tag(&file.id, &name, &file.block(name.id))
            .unwrap();
        assert_eq!(tag, file.tags[&name.id]);
    }
}

/// An auditor who would choose: a challenge of another seed, audit or count than the ledger's is
/// another challenge, and a proof for it is none for the ledger's.
#[test]
fn a4_auditor_chooses_or_proof_is_replayed() {
    let (file, challenge, proof) = honest();
    assert_eq!(verify(&file, &challenge, &proof), Ok(()));
    for (seed, audit, blocks) in [
        ([1; 32], 0, CHALLENGED),
        (SEED, 1, CHALLENGED),
        (SEED, 0, 9),
    ] {
        let other = Challenge::derive(&seed, &file.record, audit, blocks).unwrap();
        assert!(verify(&file, &other, &proof).is_err());
    }
    // All blocks challenged: the same ranks and index proof, other weights.
    let [first, second] =
        [0, 1].map(|audit| Challenge::derive(&SEED, &file.record, audit, 100).unwrap());
    let recorded = file.prove(&first);
    assert_eq!(verify(&file, &first, &recorded), Ok(()));
    assert_eq!(verify(&file, &second, &recorded), Err(Error::Proof));
}

/// An older version of the file, kept with its tags and index.
#[test]
fn a6_rollback_to_an_older_version() {
    let (mut file, ..) = honest();
    let old = Stored::new(SECTORS, BLOCKS);
    file.update(4, b"new content");
    file.publish(2);
    let challenge = Challenge::derive(&SEED, &file.record, 0, 100).unwrap();
    let proof = old.prove(&challenge);
    assert_eq!(verify(&file, &challenge, &proof), Err(Error::Index));
    let stale = Challenge::derive(&SEED, &old.record, 0, 100).unwrap();
    let proof = old.prove(&stale);
    assert_eq!(verify(&file, &stale, &proof), Err(Error::WrongChallenge));
    // The new index with the old block and tag.
    file.contents.insert(4, old.contents[&4].clone());
    file.tags.insert(4, old.tags[&4]);
    let proof = file.prove(&challenge);
    assert_eq!(verify(&file, &challenge, &proof), Err(Error::Proof));
}

/// A deleted block or file claimed present.
#[test]
fn deleted_claimed_present() {
    let (mut file, ..) = honest();
    let before = Stored::new(SECTORS, BLOCKS);
    file.delete(2);
    file.publish(2);
    let challenge = Challenge::derive(&SEED, &file.record, 0, 100).unwrap();
    assert_eq!(challenge.ranks().len(), BLOCKS - 1);
    assert_eq!(file.index.name(2), None);
    let proof = before.prove(&challenge);
    assert_eq!(verify(&file, &challenge, &proof), Err(Error::Index));

    (0..BLOCKS as u64)
        .filter(|id| *id != 2)
        .for_each(|id| file.delete(id));
    file.publish(3);
    let gone = Challenge::derive(&SEED, &file.record, 0, CHALLENGED);
    assert_eq!(gone, Err(Error::EmptyFile));
}

#[test]
fn tag_of_another_block_file_version_or_group() {
    let (mut file, ..) = honest();
    let name = file.index.name(0).unwrap();
    let (block, true_tag) = (file.block(0), file.tags[&0]);
    assert!(check_tag(&file, file.id, name, &block, true_tag));
    assert!(!check_tag(&file, file.id, name, &block, file.tags[&1]));
    assert!(!check_tag(&file, file.id, name, &file.block(1), true_tag));
    assert!(!check_tag(&file, FileId([9; 32]), name, &block, true_tag));
    let moved = BlockName { id: 1, ..name };
    assert!(!check_tag(&file, file.id, moved, &block, true_tag));
    let updated = file.index.update(0, &mut rng(1)).unwrap();
    assert!(!check_tag(&file, file.id, updated, &block, true_tag));
    let other = Stored::of_group(SECTORS, 1, 5, 0);
    let foreign = other.secret.tag(&file.id, &name, &block).unwrap();
    assert!(!check_tag(&file, file.id, name, &block, foreign));
}

/// A member who left holds the last epoch's secret.
#[test]
fn member_who_left_tags_nothing_of_the_next_epoch() {
    let last = Stored::new(SECTORS, 2);
    let next = Stored::of_group(SECTORS, 2, 1, 0);
    let name = next.index.name(0).unwrap();
    let block = next.block(0);
    let tag = last.secret.tag(&next.id, &name, &block).unwrap();
    assert!(!check_tag(&next, next.id, name, &block, tag));
    assert_ne!(last.secret.key().kid(), next.secret.key().kid());
}

/// Swapped tags cancel in a plain sum; the random weights tell them apart.
#[test]
fn swapped_tags_in_a_batch() {
    let (mut file, challenge, _) = honest();
    let blocks: Vec<_> = (0..BLOCKS as u64).map(|id| file.block(id)).collect();
    let check = |file: &Stored| {
        let batch: Vec<_> = file
            .index
            .names()
            .zip(&blocks)
            .map(|(name, block)| Tagged {
                name,
                block,
                tag: file.tags[&name.id],
            })
            .collect();
        verify_tags(
            file.secret.key(),
            &file.id,
            &batch,
            &mut rng(3),
            &Sequential,
        )
    };
    assert_eq!(check(&file), Ok(()));
    let [a, b] = [0, 1].map(|rank: usize| {
        let rank = challenge.ranks()[rank];
        file.index.at_rank(rank).unwrap().id
    });
    let (tag_a, tag_b) = (file.tags[&a], file.tags[&b]);
    file.tags.insert(a, tag_b);
    file.tags.insert(b, tag_a);
    assert_eq!(check(&file), Err(Error::Tags));
    let proof = file.prove(&challenge);
    assert_eq!(verify(&file, &challenge, &proof), Err(Error::Proof));
}

/// One tag too low by D and one too high by D: the sum is right, the batch is not.
#[test]
fn errors_that_cancel_in_a_plain_sum() {
    let (file, ..) = honest();
    let blocks = [file.block(0), file.block(1)];
    let shift = G1::generator() * &Scalar::from_u64(5);
    let tags = [
        tag(point(&file.tags[&0]) + &shift),
        tag(point(&file.tags[&1]) - &shift),
    ];
    let batch: Vec<_> = (0..2)
        .map(|i| Tagged {
            name: file.index.name(i as u64).unwrap(),
            block: &blocks[i],
            tag: tags[i],
        })
        .collect();
    let verdict = verify_tags(
        file.secret.key(),
        &file.id,
        &batch,
        &mut rng(4),
        &Sequential,
    );
    assert_eq!(verdict, Err(Error::Tags));
}

/// The prover leaves out challenged blocks, adds some, or brings blocks of other sectors.
#[test]
fn wrong_number_of_blocks() {
    let (file, challenge, _) = honest();
    let (block, tag) = (file.block(0), file.tags[&0]);
    let index = file.index.prove(challenge.ranks()).unwrap();
    let mut prover = Prover::new(file.secret.key(), &challenge);
    for _ in 0..CHALLENGED - 1 {
        prover.absorb(&block, &tag).unwrap();
    }
    let (expected, wide) = (
        CHALLENGED as usize,
        Block::new(Sectors::new(4).unwrap(), b"").unwrap(),
    );
    let sectors = Error::SectorCount {
        expected: 3,
        got: 4,
    };
    assert_eq!(prover.absorb(&wide, &tag), Err(sectors));
    assert_eq!(
        prover.finish(index, &mut rng(1)).unwrap_err(),
        Error::BlockCount {
            expected,
            got: expected - 1
        }
    );
    let mut prover = Prover::new(file.secret.key(), &challenge);
    (0..CHALLENGED).for_each(|_| prover.absorb(&block, &tag).unwrap());
    assert_eq!(
        prover.absorb(&block, &tag),
        Err(Error::BlockCount {
            expected,
            got: expected + 1
        })
    );
    assert_eq!(
        file.secret
            .tag(&file.id, &file.index.name(0).unwrap(), &wide),
        Err(sectors)
    );
}

/// Identity, points off the curve and outside the subgroup, numbers not below the order.
#[test]
fn malformed_points_and_numbers() {
    let (file, _, proof) = honest();
    let good = proof.encode();
    assert!(decode(&good).is_ok());
    let mut identity = [0; 48];
    identity[0] = 0xc0;
    // No point has x = 1, 2 or 3; those of x = 4 lie outside the subgroup.
    let mut outside = [0; 48];
    outside[0] = 0x80;
    outside[47] = 4;
    assert!(blst::min_sig::Signature::uncompress(&outside).is_ok_and(|p| !p.subgroup_check()));
    let mut off_curve = outside;
    off_curve[47] = 1;
    assert!(blst::min_sig::Signature::uncompress(&off_curve).is_err());
    let above_p = [0x9f; 48];
    for bad in [identity, outside, off_curve, above_p, [0; 48]] {
        for at in [0, 48] {
            let mut bytes = good.to_vec();
            bytes[at..at + 48].copy_from_slice(&bad);
            assert!(decode(&bytes).is_err());
        }
        assert!(Tag::decode(Copying(&bad)).is_err());
        let mut key = file.secret.key().encode().to_vec();
        let last = key.len() - 48;
        key[last..].copy_from_slice(&bad);
        assert!(GroupKey::decode(Copying(&key)).is_err());
    }
    // The order itself: the same number as zero, written otherwise.
    let order = (Scalar::zero() - &Scalar::from_u64(1)).encode();
    let mut order = order.to_vec();
    order[31] += 1;
    let mut bytes = good.to_vec();
    bytes[96..128].copy_from_slice(&order);
    assert!(decode(&bytes).is_err());
    // v the identity of G2, in key and record.
    let mut infinity = [0; G2::SIZE];
    infinity[0] = 0xc0;
    let mut key = file.secret.key().encode().to_vec();
    key[2..2 + G2::SIZE].copy_from_slice(&infinity);
    assert!(GroupKey::decode(Copying(&key)).is_err());
    let mut record = file.record.encode().to_vec();
    record[112..112 + G2::SIZE].copy_from_slice(&infinity);
    assert!(FileRecord::decode(Copying(&record)).is_err());
}

/// Any change of the record after the challenge: nothing of it can be exchanged.
#[test]
fn record_of_another_version_or_count() {
    let (file, challenge, proof) = honest();
    let changes: [fn(&mut FileRecord); 4] = [
        |record| record.version += 1,
        |record| record.live -= 1,
        |record| record.root.0[0] ^= 1,
        |record| record.file.0[0] ^= 1,
    ];
    for change in changes {
        let mut record = file.record.clone();
        change(&mut record);
        let audit = Audit {
            record: &record,
            ..file.audit(&challenge, &proof)
        };
        assert_eq!(audit.verify(&Sequential), Err(Error::WrongChallenge));
        let challenge = Challenge::derive(&SEED, &record, 0, CHALLENGED).unwrap();
        let audit = Audit {
            record: &record,
            ..file.audit(&challenge, &proof)
        };
        assert!(audit.verify(&Sequential).is_err());
    }
}

/// A vault that kept the answers of many audits and dropped the data: none answers a new one.
#[test]
fn a_cache_of_old_proofs() {
    let file = Stored::new(SECTORS, BLOCKS);
    // All blocks each time: ranks and index proof never change.
    let challenge = |audit| Challenge::derive(&SEED, &file.record, audit, BLOCKS as u32).unwrap();
    let cache: Vec<_> = (0..8).map(|audit| file.prove(&challenge(audit))).collect();
    for audit in 8..16 {
        let new = challenge(audit);
        for old in &cache {
            assert_eq!(verify(&file, &new, old), Err(Error::Proof));
        }
    }
}

/// Whoever guesses a content sees from its tag whether the guess is right: so content is sealed,
/// and then the guess is of no use. Responses hide their sums by themselves.
#[test]
fn guessed_content_against_tag_and_recorded_proof() {
    let mut file = Stored::new(SECTORS, 1);
    let sectors = file.secret.key().sectors();
    let guess = Block::new(sectors, b"salary: 4711").unwrap();
    file.update(0, b"salary: 4711");
    let name = file.index.name(0).unwrap();
    assert!(check_tag(&file, file.id, name, &guess, file.tags[&0]));

    let seal = |key: u8| {
        let key = cairn_crypto::seal::RegisterKey::new(&[key; 32]);
        key.seal(b"block", b"salary: 4711", &mut rng(9)).unwrap()
    };
    file.update(0, &seal(1));
    let name = file.index.name(0).unwrap();
    let by_another_key = Block::new(sectors, &seal(2)).unwrap();
    for guess in [guess, by_another_key] {
        assert!(!check_tag(&file, file.id, name, &guess, file.tags[&0]));
    }

    file.publish(2);
    let challenge = Challenge::derive(&SEED, &file.record, 0, 1).unwrap();
    let prove = |seed| {
        let mut prover = Prover::new(file.secret.key(), &challenge);
        prover.absorb(&file.block(0), &file.tags[&0]).unwrap();
        let index = file.index.prove(challenge.ranks()).unwrap();
        let proof = prover.finish(index, &mut rng(seed)).unwrap();
        assert_eq!(verify(&file, &challenge, &proof), Ok(()));
        proof.encode()[96..96 + 32 * usize::from(SECTORS)].to_vec()
    };
    let (one, other) = (prove(1), prove(2));
    let equal = one.chunks(32).zip(other.chunks(32)).filter(|(a, b)| a == b);
    assert_eq!(equal.count(), 0, "the same sums under other masks");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any single changed byte in any challenged block is caught; one in a block that was not
    /// challenged is not.
    #[test]
    fn any_changed_byte_of_a_challenged_block_is_caught(
        block in 0..BLOCKS as u64,
        at in any::<prop::sample::Index>(),
        flip in 1_u8..,
        audit in any::<u64>(),
    ) {
        let mut file = Stored::new(SECTORS, BLOCKS);
        let challenge = Challenge::derive(&SEED, &file.record, audit, CHALLENGED).unwrap();
        let content = file.contents.get_mut(&block).unwrap();
        let at = at.index(content.len());
        content[at] ^= flip;
        let proof = file.prove(&challenge);
        let verdict = verify(&file, &challenge, &proof);
        let hit = challenge.ranks().contains(&block);
        prop_assert_eq!(verdict, if hit { Err(Error::Proof) } else { Ok(()) });
    }

    /// Any changed bit of a proof is refused, by the decoder or by the verifier.
    #[test]
    fn any_changed_bit_of_a_proof_is_refused(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let (file, challenge, proof) = honest();
        let mut bytes = proof.encode().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(changed) = decode(&bytes) {
            prop_assert!(verify(&file, &challenge, &changed).is_err());
        }
    }
}
