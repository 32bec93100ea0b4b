//! Signatures: what verifies, what is refused, and that batches agree with single checks.

use cairn_crypto::schnorr::{Batch, Error, PublicKey, SecretKey, Signature};
use cairn_crypto::transcript::{Digest, Domain, Transcript};
use curve25519_dalek::{RistrettoPoint, Scalar, constants::RISTRETTO_BASEPOINT_POINT as BASE};
use proptest::prelude::*;
use rand::{SeedableRng, rngs::StdRng};

const STATEMENT: Domain = Domain::new("cairn/1/test/statement");

fn statement(text: &[u8]) -> Digest {
    Transcript::new(STATEMENT).bytes(text).finish()
}

fn rng(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

fn signed(seed: u64, text: &[u8]) -> (PublicKey, Digest, Signature) {
    let key = SecretKey::random(&mut rng(seed));
    let signature = key.sign(&statement(text), &mut rng(seed + 1));
    (key.public(), statement(text), signature)
}

/// Group order, little endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

#[test]
fn signature_of_another_key_or_statement_is_refused() {
    let (key, text, signature) = signed(1, b"a");
    assert_eq!(key.verify(&text, &signature), Ok(()));
    assert_eq!(
        key.verify(&statement(b"b"), &signature),
        Err(Error::Signature)
    );
    let (other, ..) = signed(5, b"a");
    assert_eq!(other.verify(&text, &signature), Err(Error::Signature));
}

/// The challenge as the module documentation states it.
fn challenge(key: &PublicKey, commitment: &[u8], text: &Digest) -> Scalar {
    let digest = Transcript::new(Domain::new("cairn/1/schnorr/challenge"))
        .bytes(b"Ristretto255")
        .bytes(&key.to_bytes())
        .bytes(commitment)
        .bytes(&text.0)
        .finish();
    Scalar::from_bytes_mod_order_wide(&digest.0)
}

fn with_response(commitment: &[u8], response: Scalar) -> Signature {
    let bytes = [commitment, response.as_bytes()].concat();
    Signature::from_bytes(&bytes.try_into().unwrap()).unwrap()
}

#[test]
fn related_key_signature_is_refused() {
    // Without the key in the challenge, (M, z) under Y would become (M, z + c·δ) under Y + δP.
    let key = SecretKey::random(&mut rng(1));
    let y = Scalar::from_canonical_bytes(*key.to_bytes()).unwrap();
    let shifted = PublicKey::from_point(RistrettoPoint::mul_base(&(y + Scalar::ONE))).unwrap();
    let text = statement(b"a");
    let bytes = key.sign(&text, &mut rng(2)).to_bytes();
    let z = Scalar::from_canonical_bytes(bytes[32..].try_into().unwrap()).unwrap();
    let moved = with_response(
        &bytes[..32],
        z + challenge(&key.public(), &bytes[..32], &text),
    );
    assert_eq!(shifted.verify(&text, &moved), Err(Error::Signature));
}

#[test]
fn identity_and_non_canonical_points_are_refused() {
    assert_eq!(PublicKey::from_bytes(&[0; 32]), Err(Error::Identity));
    assert_eq!(PublicKey::from_point(BASE - BASE), Err(Error::Identity));
    // RFC 9496, A.2: non-canonical field elements, negative ones, non-squares.
    let mut beyond = [0xff; 32];
    assert_eq!(PublicKey::from_bytes(&beyond), Err(Error::Point));
    beyond[31] = 0x7f;
    assert_eq!(PublicKey::from_bytes(&beyond), Err(Error::Point));
    let mut one = [0; 32];
    one[0] = 1;
    assert_eq!(PublicKey::from_bytes(&one), Err(Error::Point));
}

#[test]
fn identity_commitment_is_refused_alone_and_in_a_batch() {
    // Whoever knows x can make M = 0 with z = c·x: the equation holds and it is refused anyway.
    let key = SecretKey::random(&mut rng(1));
    let x = Scalar::from_canonical_bytes(*key.to_bytes()).unwrap();
    let text = statement(b"a");
    let bad = with_response(&[0; 32], challenge(&key.public(), &[0; 32], &text) * x);
    assert_eq!(key.public().verify(&text, &bad), Err(Error::Signature));
    let mut batch = Batch::new();
    batch.push(key.public(), text, key.sign(&text, &mut rng(2)));
    batch.push(key.public(), text, bad);
    assert_eq!(batch.verify(&mut rng(3)), Err(vec![1]));
}

#[test]
fn response_at_or_above_the_order_is_refused() {
    let (_, _, signature) = signed(1, b"a");
    let mut bytes = signature.to_bytes();
    bytes[32..].copy_from_slice(&ORDER);
    assert_eq!(Signature::from_bytes(&bytes), Err(Error::Scalar));
    bytes[32..].fill(0xff);
    assert_eq!(Signature::from_bytes(&bytes), Err(Error::Scalar));
}

#[test]
fn secret_keys_are_canonical_and_not_zero() {
    assert_eq!(SecretKey::from_bytes(&[0; 32]).err(), Some(Error::Scalar));
    assert_eq!(SecretKey::from_bytes(&ORDER).err(), Some(Error::Scalar));
    let key = SecretKey::random(&mut rng(1));
    assert_eq!(
        SecretKey::from_bytes(&key.to_bytes()).unwrap().public(),
        key.public()
    );
}

#[test]
fn a_repeated_random_stream_never_repeats_a_nonce_for_another_statement() {
    let key = SecretKey::random(&mut rng(1));
    let first = key.sign(&statement(b"a"), &mut rng(2)).to_bytes();
    let second = key.sign(&statement(b"b"), &mut rng(2)).to_bytes();
    assert_ne!(first[..32], second[..32]);
    assert_ne!(first, key.sign(&statement(b"a"), &mut rng(3)).to_bytes());
}

#[test]
fn empty_batch_passes() {
    assert!(Batch::new().is_empty());
    assert_eq!(Batch::new().verify(&mut rng(1)), Ok(()));
}

#[test]
fn errors_that_cancel_in_a_plain_sum_are_found() {
    let (key, text, a) = signed(1, b"a");
    let (other, text_b, b) = signed(8, b"b");
    let shift = |s: &Signature, by: Scalar| {
        let mut bytes = s.to_bytes();
        let z: [u8; 32] = bytes[32..].try_into().unwrap();
        let z = Scalar::from_canonical_bytes(z).unwrap() + by;
        bytes[32..].copy_from_slice(z.as_bytes());
        Signature::from_bytes(&bytes).unwrap()
    };
    let mut batch = Batch::new();
    batch.push(key, text, shift(&a, Scalar::ONE));
    batch.push(other, text_b, shift(&b, -Scalar::ONE));
    assert_eq!(batch.verify(&mut rng(3)), Err(vec![0, 1]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn batches_name_exactly_the_bad_ones(bad in prop::collection::vec(any::<bool>(), 0..12)) {
        let mut batch = Batch::new();
        for (index, bad) in bad.iter().enumerate() {
            let (key, text, signature) = signed(index as u64, b"a");
            let text = if *bad { statement(b"other") } else { text };
            prop_assert_eq!(batch.push(key, text, signature), index);
        }
        let expected: Vec<usize> =
            bad.iter().enumerate().filter(|(_, bad)| **bad).map(|(i, _)| i).collect();
        let expected = if expected.is_empty() { Ok(()) } else { Err(expected) };
        prop_assert_eq!(batch.verify(&mut rng(9)), expected);
    }

    #[test]
    fn any_changed_byte_is_refused(at in 0..64_usize, flip in 1..=u8::MAX) {
        let (key, text, signature) = signed(1, b"a");
        let mut bytes = signature.to_bytes();
        bytes[at] ^= flip;
        let refused = Signature::from_bytes(&bytes).and_then(|s| key.verify(&text, &s));
        prop_assert!(refused.is_err());
    }
}
