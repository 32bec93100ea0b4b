//! Provable data possession: what honest parties see. Attacks are in `possession_attacks.rs`.

mod possession_common;

use std::collections::{BTreeMap, HashSet};
use std::num::NonZeroUsize;

use cairn_crypto::possession::*;
use commonware_codec::{Copying, Decode, DecodeExt as _, Encode};
use commonware_parallel::{Rayon, Sequential};
use possession_common::{SEED, Stored, rng};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

#[test]
fn an_intact_file_passes() {
    for sectors in [1, 2, 32, 128] {
        let file = Stored::new(sectors, 23);
        let challenge = Challenge::derive(&SEED, &file.record, 0, 10).unwrap();
        assert_eq!(challenge.ranks().len(), 10);
        let proof = file.prove(&challenge);
        file.audit(&challenge, &proof).verify(&Sequential).unwrap();
        let threads = Rayon::new(NonZeroUsize::new(2).unwrap()).unwrap();
        file.audit(&challenge, &proof).verify(&threads).unwrap();
    }
}

#[test]
fn blocks_are_appended_updated_and_deleted_without_tagging_the_rest() {
    let mut file = Stored::new(3, 9);
    let untouched: Vec<_> = [0, 1, 2, 4, 6, 7, 8].map(|id| file.tags[&id]).into();
    file.update(5, b"changed");
    file.delete(3);
    file.append(b"added");
    file.publish(2);
    assert_eq!(file.record.live, 9);
    assert_eq!(
        [0, 1, 2, 4, 6, 7, 8].map(|id| file.tags[&id]).to_vec(),
        untouched
    );
    let challenge = Challenge::derive(&SEED, &file.record, 7, 100).unwrap();
    assert_eq!(challenge.ranks(), (0..9).collect::<Vec<_>>());
    let proof = file.prove(&challenge);
    file.audit(&challenge, &proof).verify(&Sequential).unwrap();
    assert_eq!(file.index.delete(3), Err(Error::UnknownBlock(3)));
    assert_eq!(
        file.index.update(3, &mut rng(0)),
        Err(Error::UnknownBlock(3))
    );
}

#[test]
fn many_files_and_groups_verify_together_and_one_false_proof_spoils_it() {
    let mut files: Vec<_> = (0..3).map(|i| Stored::of_group(2, 12, 1, i)).collect();
    files.push(Stored::of_group(5, 12, 2, 9));
    let challenges: Vec<_> = files
        .iter()
        .map(|file| Challenge::derive(&SEED, &file.record, 1, 6).unwrap())
        .collect();
    let mut proofs: Vec<_> = files
        .iter()
        .zip(&challenges)
        .map(|(file, challenge)| file.prove(challenge))
        .collect();
    let verify = |proofs: &[Proof]| {
        let audits: Vec<_> = files
            .iter()
            .zip(&challenges)
            .zip(proofs)
            .map(|((file, challenge), proof)| file.audit(challenge, proof))
            .collect();
        verify_many(&audits, &mut rng(5), &Sequential)
    };
    assert_eq!(verify(&proofs), Ok(()));
    assert_eq!(verify_many(&[], &mut rng(5), &Sequential), Ok(()));

    let mut damaged = Stored::of_group(2, 12, 1, 1);
    (0..12).for_each(|id| damaged.contents.get_mut(&id).unwrap()[0] ^= 1);
    proofs[1] = damaged.prove(&challenges[1]);
    assert_eq!(verify(&proofs), Err(Error::Proof));
}

#[test]
fn challenges_are_distinct_uniform_and_bound_to_everything() {
    let file = Stored::new(1, 40);
    let derive = |seed: &[u8; 32], record: &FileRecord, audit, blocks| {
        Challenge::derive(seed, record, audit, blocks).unwrap()
    };
    let base = derive(&SEED, &file.record, 0, 20);
    assert_eq!(base, derive(&SEED, &file.record, 0, 20));
    assert!(base.ranks().is_sorted_by(|a, b| a < b));
    let mut newer = file.record.clone();
    newer.version += 1;
    for other in [
        derive(&[9; 32], &file.record, 0, 20),
        derive(&SEED, &file.record, 1, 20),
        derive(&SEED, &newer, 0, 20),
        derive(&SEED, &file.record, 0, 21),
    ] {
        assert_ne!(base, other);
    }
    let mut hits = [0_u32; 40];
    for audit in 0..2_000 {
        for rank in derive(&SEED, &file.record, audit, 10).ranks() {
            hits[usize::try_from(*rank).unwrap()] += 1;
        }
    }
    // Mean 500, standard deviation 19: six of them.
    assert!(hits.iter().all(|n| (386..614).contains(n)), "{hits:?}");
    for (blocks, error) in [(0, Error::Challenged(0)), (4097, Error::Challenged(4097))] {
        assert_eq!(
            Challenge::derive(&SEED, &file.record, 0, blocks),
            Err(error)
        );
    }
    newer.live = 0;
    assert_eq!(
        Challenge::derive(&SEED, &newer, 0, 1),
        Err(Error::EmptyFile)
    );
}

#[test]
fn detection_probability_is_the_known_one() {
    assert!((detection_probability(1_000_000, 10_000, 460) - 0.990).abs() < 0.001);
    assert!((detection_probability(10, 1, 5) - 0.5).abs() < 1e-12);
    assert_eq!(detection_probability(10, 0, 10), 0.0);
    assert_eq!(detection_probability(10, 1, 10), 1.0);
    assert_eq!(detection_probability(10, 10, 1), 1.0);
    assert_eq!(detection_probability(10, 11, 100), 1.0);
}

#[test]
fn contents_have_bounds_and_lengths() {
    let sectors = Sectors::new(2).unwrap();
    assert_eq!(sectors.capacity(), 60);
    assert!(Block::new(sectors, &[0xff; 60]).is_ok());
    let refused = Block::new(sectors, &[0; 61]).err();
    assert_eq!(
        refused,
        Some(Error::BlockLength {
            capacity: 60,
            got: 61
        })
    );
    for count in [0, 257] {
        assert_eq!(Sectors::new(count), Err(Error::Sectors(count)));
    }
    // Trailing zeros count: else a vault could shorten or lengthen a file.
    let file = Stored::new(2, 1);
    let name = file.index.name(0).unwrap();
    let tags: HashSet<_> = [&b""[..], b"\0", b"\0\0", &[0; 60]]
        .iter()
        .map(|content| {
            let block = Block::new(sectors, content).unwrap();
            file.secret.tag(&file.id, &name, &block).unwrap().encode()
        })
        .collect();
    assert_eq!(tags.len(), 4);
}

#[test]
fn a_sealed_secret_comes_back() {
    let file = Stored::new(4, 1);
    let bytes = file.secret.to_bytes();
    assert_eq!(bytes.len(), 5 * 32);
    let restored = GroupSecret::from_bytes(&bytes).unwrap();
    assert_eq!(restored.key(), file.secret.key());
    let mut zero = bytes.to_vec();
    zero[32..64].fill(0);
    let too_long = [7; 32 * 258];
    for bad in [
        &bytes[..32],
        &bytes[..33],
        &[],
        &zero,
        &[0xff; 64],
        &too_long,
    ] {
        assert_eq!(GroupSecret::from_bytes(bad).err(), Some(Error::Secret));
    }
}

#[test]
fn encodings_come_back_and_are_bounded() {
    let file = Stored::new(3, 20);
    let challenge = Challenge::derive(&SEED, &file.record, 0, 6).unwrap();
    let proof = file.prove(&challenge);
    let sectors = Sectors::new(3).unwrap();
    let key = file.secret.key();

    assert_eq!(GroupKey::decode(key.encode()).unwrap(), *key);
    assert_eq!(
        GroupKey::decode_as(&key.kid(), &key.encode()).unwrap(),
        *key
    );
    assert_eq!(
        GroupKey::decode_as(&KeyId([0; 32]), &key.encode()),
        Err(Error::WrongKey)
    );
    assert_eq!(
        FileRecord::decode(file.record.encode()).unwrap(),
        file.record
    );
    let index = Index::decode_cfg(file.index.encode(), &(..=20).into()).unwrap();
    assert_eq!(index, file.index);
    assert!(Index::decode_cfg(file.index.encode(), &(..=19).into()).is_err());
    assert_eq!(
        Proof::decode_cfg(proof.encode(), &(sectors, 6)).unwrap(),
        proof
    );
    assert!(Proof::decode_cfg(proof.encode(), &(sectors, 5)).is_err());
    assert!(Proof::decode_cfg(proof.encode(), &(Sectors::new(2).unwrap(), 6)).is_err());
    let bytes = proof.encode();
    for end in 0..bytes.len() {
        assert!(Proof::decode_cfg(Copying(&bytes[..end]), &(sectors, 6)).is_err());
    }
    let mut oversized = file.record.clone();
    oversized.auth = vec![0; MAX_AUTH + 1];
    assert!(FileRecord::decode(oversized.encode()).is_err());
}

/// Changes here change what is on ledgers and disks.
#[test]
fn encodings_are_frozen() {
    let mut file = Stored::new(2, 11);
    file.update(4, b"changed");
    file.delete(7);
    file.publish(3);
    file.record.auth = b"credential".to_vec();
    let challenge = Challenge::derive(&SEED, &file.record, 12, 5).unwrap();
    let proof = file.prove(&challenge);
    let found = [
        ("secret", Sha256::digest(&*file.secret.to_bytes())),
        ("key", Sha256::digest(file.secret.key().encode())),
        ("tag", Sha256::digest(file.tags[&0].encode())),
        ("index", Sha256::digest(file.index.encode())),
        ("record", Sha256::digest(file.record.encode())),
        ("digest", Sha256::digest(file.record.to_authorise().0)),
        ("ranks", Sha256::digest(format!("{:?}", challenge.ranks()))),
        ("proof", Sha256::digest(proof.encode())),
    ]
    .map(|(name, digest)| format!("{name} {}", hex(&digest)));
    let frozen = include_str!("vectors/possession.txt");
    assert_eq!(found.join("\n"), frozen.trim_end());
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A step in the life of an index; numbers are reduced to ids that exist.
#[derive(Clone, Debug)]
enum Step {
    Append,
    Update(u64),
    Delete(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Append),
        1 => any::<u64>().prop_map(Step::Update),
        2 => any::<u64>().prop_map(Step::Delete),
    ];
    prop::collection::vec(step, 1..80)
}

proptest! {
    /// An index against a map, and its proofs against what they must prove.
    #[test]
    fn index_agrees_with_a_map(steps in steps(), picks in any::<[u64; 5]>()) {
        let mut rng = rng(1);
        let (mut index, mut map, mut next) = (Index::new(), BTreeMap::new(), 0_u64);
        for step in steps {
            match step {
                Step::Append => {
                    let name = index.append(&mut rng).unwrap();
                    prop_assert_eq!(name.id, next);
                    map.insert(next, name.version);
                    next += 1;
                }
                Step::Update(id) => {
                    let id = id % (next + 1);
                    let updated = index.update(id, &mut rng);
                    prop_assert_eq!(updated.is_ok(), map.contains_key(&id));
                    if let Ok(name) = updated {
                        prop_assert_ne!(map.insert(id, name.version), Some(name.version));
                    }
                }
                Step::Delete(id) => {
                    let id = id % (next + 1);
                    prop_assert_eq!(index.delete(id).is_ok(), map.remove(&id).is_some());
                }
            }
        }
        let names: Vec<_> = map.iter().map(|(&id, &version)| BlockName { id, version }).collect();
        prop_assert_eq!(index.names().collect::<Vec<_>>(), names.clone());
        prop_assert_eq!(index.live(), names.len() as u64);
        for rank in 0..=names.len() {
            prop_assert_eq!(index.at_rank(rank as u64), names.get(rank).copied());
        }
        let stored = Index::decode_cfg(index.encode(), &(..=80).into()).unwrap();
        prop_assert_eq!(&stored, &index);

        let mut ranks: Vec<_> = picks.iter().filter_map(|p| p.checked_rem(index.live())).collect();
        ranks.sort_unstable();
        ranks.dedup();
        prop_assert!(index.prove(&[index.live()]).is_err());
        if ranks.is_empty() {
            prop_assert_eq!(index.prove(&ranks), Err(Error::Ranks));
            return Ok(());
        }
        let proof = index.prove(&ranks).unwrap();
        let proof = IndexProof::decode_cfg(proof.encode(), &ranks.len()).unwrap();
        let proved = proof.verify(&index.root(), index.live(), &ranks).unwrap();
        let expected: Vec<_> = ranks.iter().map(|r| names[usize::try_from(*r).unwrap()]).collect();
        prop_assert_eq!(proved, &expected[..]);

        prop_assert!(proof.verify(&index.root(), index.live() + 1, &ranks).is_err());
        prop_assert!(proof.verify(&Root([1; 32]), index.live(), &ranks).is_err());
        ranks[0] += 1;
        prop_assert!(proof.verify(&index.root(), index.live(), &ranks).is_err());
        prop_assert!(index.prove(&[0, 0]).is_err());
    }

    /// Decoders refuse or accept, and what they accept they write back.
    #[test]
    fn decoders_survive_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300), c in 0_usize..4) {
        let buf = || Copying(&bytes);
        if let Ok(proof) = IndexProof::decode_cfg(buf(), &c) {
            prop_assert_eq!(proof.encode(), &bytes[..]);
            prop_assert!(proof.verify(&Root([0; 32]), 1, &[0, 1, 2][..c.min(3)]).is_err());
        }
        if let Ok(index) = Index::decode_cfg(buf(), &(..=300).into()) {
            prop_assert_eq!(index.encode(), &bytes[..]);
        }
        prop_assert!(Tag::decode(buf()).is_err());
        prop_assert!(GroupKey::decode(buf()).is_err());
        prop_assert!(FileRecord::decode(buf()).is_err());
        prop_assert!(Proof::decode_cfg(buf(), &(Sectors::new(1).unwrap(), c)).is_err());
    }
}
