//! Commitments and Merkle batches: pure functions.

mod common;

use bytes::Bytes;
use cairn_vault::{
    Batch, Blind, Commitment, Error, Grade, Inclusion, Item, MAX_BATCH_BYTES, MAX_BATCH_RECORDS,
    MAX_CONTENT, MAX_NUMBER, Record, commitment,
};
use common::{batch, key, record, rng};
use commonware_codec::{DecodeExt as _, Encode as _};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

/// Some distinct commitments.
fn leaves(count: usize) -> Vec<Commitment> {
    (0..count)
        .map(|i| Commitment(Sha256::digest(i.to_be_bytes()).into()))
        .collect()
}

proptest! {
    // Failing seeds are printed; files of them have no place beside integration tests.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_entry_is_proved_and_no_other(
        count in 1_usize..70,
        index in any::<prop::sample::Index>(),
        other in any::<prop::sample::Index>(),
    ) {
        let leaves = leaves(count);
        let root = commitment::root(&leaves).unwrap();
        let (index, other) = (index.index(count), other.index(count));
        let path = commitment::prove(&leaves, index).unwrap();
        prop_assert!(path.verify(&leaves[index], &root));
        prop_assert_eq!(path.verify(&leaves[other], &root), index == other);
        prop_assert!(!path.verify(&leaves[index], &commitment::root(&leaves[1..]).unwrap_or(root_of_one())));
        prop_assert_eq!(Inclusion::decode(path.encode()).unwrap(), path);
    }

    #[test]
    fn a_proof_with_a_changed_byte_is_refused(
        count in 2_usize..70,
        index in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        flip in 1..=u8::MAX,
    ) {
        let leaves = leaves(count);
        let root = commitment::root(&leaves).unwrap();
        let index = index.index(count);
        let mut bytes = commitment::prove(&leaves, index).unwrap().encode().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        let is_accepted = Inclusion::decode(Bytes::copy_from_slice(&bytes))
            .is_ok_and(|path| path.verify(&leaves[index], &root));
        prop_assert!(!is_accepted);
    }

    #[test]
    fn a_root_is_of_one_list_only(left in 1_usize..40, right in 1_usize..40) {
        let (left, right) = (leaves(left), leaves(right));
        prop_assert_eq!(commitment::root(&left) == commitment::root(&right), left == right);
    }

    #[test]
    fn any_bytes_decode_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(path) = Inclusion::decode(Bytes::copy_from_slice(&bytes)) {
            prop_assert_eq!(&path.encode()[..], &bytes[..]);
            prop_assert!(!path.verify(&leaves(1)[0], &root_of_one()));
        }
        if let Ok(record) = Record::decode(Bytes::copy_from_slice(&bytes)) {
            prop_assert_eq!(&record.encode()[..], &bytes[..]);
        }
    }

    #[test]
    fn records_survive_the_wire_and_every_byte_is_committed(
        content in prop::collection::vec(any::<u8>(), 0..64),
        at in any::<prop::sample::Index>(),
        flip in 1..=u8::MAX,
    ) {
        let record = record(1, 77, &content);
        let mut bytes = record.encode().to_vec();
        let back = Record::decode(Bytes::copy_from_slice(&bytes)).unwrap();
        prop_assert_eq!(back.commitment(), record.commitment());
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        let is_same = Record::decode(Bytes::copy_from_slice(&bytes))
            .is_ok_and(|other| other.commitment() == record.commitment());
        prop_assert!(!is_same);
    }

    #[test]
    fn the_order_of_arrival_does_not_matter(
        times in Just((0..20).collect::<Vec<u64>>()).prop_shuffle()
    ) {
        prop_assert_eq!(batch(1, times).root(), batch(1, 0..20).root());
    }
}

fn root_of_one() -> commitment::Root {
    commitment::root(&[Commitment([0; 32])]).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Length-prefixed SHA-256, written a second time from the specification.
fn by_hand(fields: &[&[u8]]) -> [u8; 32] {
    let mut bytes = Vec::new();
    for field in fields {
        bytes.extend_from_slice(&(field.len() as u32).to_be_bytes());
        bytes.extend_from_slice(field);
    }
    Sha256::digest(&bytes).into()
}

/// Three records, so that one node is passed up unchanged.
#[test]
fn the_root_is_what_the_documentation_says() {
    let batch = batch(1, [1, 2, 3]);
    let mut tops = Vec::new();
    for (record, commitment) in batch.entries() {
        let mut body = record.key().device.0.to_vec();
        body.extend_from_slice(&record.key().time_ms.to_be_bytes());
        body.push(record.grade().0);
        body.extend_from_slice(&(record.content().len() as u32).to_be_bytes());
        body.extend_from_slice(record.content());
        let r = record.blind().reveal();
        assert_eq!(commitment.0, by_hand(&[b"cairn/1/vault/record", r, &body]));
        tops.push(by_hand(&[b"cairn/1/vault/leaf", &commitment.0]));
    }
    let pair = by_hand(&[b"cairn/1/vault/node", &tops[0], &tops[1]]);
    let top = by_hand(&[b"cairn/1/vault/node", &pair, &tops[2]]);
    let root = by_hand(&[b"cairn/1/vault/root", &3_u32.to_be_bytes(), &top]);
    assert_eq!(batch.root().0, root);
}

/// Frozen bytes: a change here breaks every commitment that is on a chain.
#[test]
fn encodings_are_frozen() {
    let leaves = leaves(3);
    let path = commitment::prove(&leaves, 2).unwrap();
    let record = Record::new(key(1, 2), Grade(3), vec![0xab], Blind::random(&mut rng(0))).unwrap();
    let digest = |bytes: &[u8]| hex(&Sha256::digest(bytes));
    let body = hex(&record.encode()[32..]);
    let expected = format!(
        "{}0000000000000002{}{}{}",
        "01".repeat(32),
        "03",
        "00000001",
        "ab"
    );
    assert_eq!(body, expected);
    assert_eq!(commitment::root(&leaves).unwrap().to_string(), FROZEN_ROOT);
    assert_eq!(digest(&path.encode()), FROZEN_PATH);
}

const FROZEN_ROOT: &str = "d01e32664fc62dbeb160293b51747795ff7989a2bcce639202cc8519c4c630ce";
const FROZEN_PATH: &str = "e764e0b6fdce6ed4608d73fcb2424d49dadf06c0405c7318008e7660d0a0044d";

#[test]
fn a_path_of_the_largest_batch_has_the_stated_size() {
    let leaves = leaves(MAX_BATCH_RECORDS);
    let path = commitment::prove(&leaves, 5).unwrap();
    assert_eq!(path.encode().len(), 393);
    assert!(path.verify(&leaves[5], &commitment::root(&leaves).unwrap()));
    assert!(commitment::prove(&leaves, MAX_BATCH_RECORDS).is_none());
}

#[test]
fn a_node_cannot_pass_for_a_commitment() {
    let leaves = leaves(4);
    let root = commitment::root(&leaves).unwrap();
    let node = |left: &Commitment, right: &Commitment| {
        let leaf = |c: &Commitment| by_hand(&[b"cairn/1/vault/leaf", &c.0]);
        Commitment(by_hand(&[b"cairn/1/vault/node", &leaf(left), &leaf(right)]))
    };
    let inner = [node(&leaves[0], &leaves[1]), node(&leaves[2], &leaves[3])];
    assert_ne!(commitment::root(&inner).unwrap(), root);
    let path = commitment::prove(&inner, 0).unwrap();
    assert!(!path.verify(&inner[0], &root));
}

#[test]
fn what_is_too_large_is_refused_and_told_where_it_belongs() {
    let blind = || Blind::random(&mut rng(1));
    let content = vec![0; MAX_CONTENT + 1];
    let error = Record::new(key(1, 1), Grade(0), content, blind()).unwrap_err();
    assert!(matches!(error, Error::ContentSize(n) if n == MAX_CONTENT + 1));
    assert!(error.to_string().contains("keep larger things as files"));
    let error = Record::new(key(1, MAX_NUMBER + 1), Grade(0), vec![], blind()).unwrap_err();
    assert!(matches!(error, Error::Number(_)));

    assert!(matches!(Batch::new(vec![]), Err(Error::BatchRecords(0))));
    let many = (0..=MAX_BATCH_RECORDS as u64)
        .map(|t| record(1, t, b""))
        .collect();
    assert!(matches!(Batch::new(many), Err(Error::BatchRecords(n)) if n == MAX_BATCH_RECORDS + 1));
    let fitting = MAX_BATCH_BYTES / MAX_CONTENT;
    let heavy = (0..=fitting as u64)
        .map(|t| record(1, t, &[0; MAX_CONTENT]))
        .collect();
    assert!(matches!(Batch::new(heavy), Err(Error::BatchBytes(_))));
}

#[test]
fn one_batch_holds_one_record_per_key() {
    let twice = Batch::new(vec![record(1, 1, b"a"), record(1, 1, b"a")]).unwrap();
    assert_eq!(twice.entries().len(), 1);
    let error = Batch::new(vec![record(1, 1, b"a"), record(1, 1, b"b")]).unwrap_err();
    assert!(matches!(error, Error::Conflict(Item::Record(k)) if k == key(1, 1)));
}

/// Attack E2: equal contents must not give equal commitments.
#[test]
fn e2_equal_contents_have_different_commitments() {
    let mut rng = rng(1);
    let mut commit = || {
        let blind = Blind::random(&mut rng);
        let record = Record::new(key(1, 1), Grade(0), b"21.5".to_vec(), blind);
        record.unwrap().commitment()
    };
    assert_ne!(commit(), commit());
}

/// Attack E3: fields that run into each other must not give equal commitments.
#[test]
fn e3_shifted_fields_have_different_commitments() {
    let commit = |time, content: &[u8]| {
        let blind = Blind::random(&mut rng(1));
        let record = Record::new(key(1, time), Grade(0), content.to_vec(), blind);
        record.unwrap().commitment()
    };
    assert_ne!(commit(1, b"2"), commit(12, b""));
    assert_ne!(commit(1, b"\0"), commit(1, b""));
}

#[test]
fn nothing_secret_is_shown() {
    let shown = format!("{:?}", batch(1, [5]));
    assert!(
        shown.contains("bytes: 9") && !shown.contains("content 5"),
        "{shown}"
    );
    assert!(!shown.to_lowercase().contains("blind"), "{shown}");
}
