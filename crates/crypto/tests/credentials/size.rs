//! An anonymous login fits 256 bytes both ways (PROTOCOLS.md section 4), counted on a real
//! handshake: beacon id 8, `e_v` 32, AEAD {W 32, attributes 20, Q' 32, M 32, z 32}, tag 16; then `e_r'`
//! 32, AEAD {AVP 4}, tag 16.

use cairn_crypto::credential::Certificate;
use cairn_crypto::noise::{Initiator, Responder, Secret as Ephemeral};
use cairn_crypto::suite::{Proof, Ristretto255, Secret, Sm2};

use super::common::*;

const BEACON_ID_BYTES: usize = 8;
/// Seconds of validity, or the like: what is left of 256 bytes with the longest beacon id.
const AVP_BYTES: usize = 4;

#[test]
fn an_anonymous_login_fits_256_bytes_both_ways() {
    let mut world = world::<Ristretto255>(50);
    let ours = Ephemeral::random(&mut world.rng);
    let prologue = b"beacon";
    let initiator = Initiator::new(ours.public(), prologue, &mut world.rng);
    let (certificate, _, proof) = world.shown(&initiator.ephemeral());
    let token = Secret::<Ristretto255>::random(&mut world.rng)
        .public()
        .to_bytes();
    let payload = [certificate.to_bytes(), token.to_vec(), proof.to_bytes()].concat();
    assert_eq!(payload.len(), 148);
    let (hello, waiting) = initiator.hello(&payload).unwrap();

    let (payload, responder) = Responder::hello(&ours, prologue, &hello).unwrap();
    let (certificate, rest) = payload.split_at(Certificate::<Ristretto255>::BYTES);
    let certificate = Certificate::from_bytes(certificate).unwrap();
    let proof = Proof::from_bytes(&rest[32..]).unwrap();
    let statement = statement(&responder.ephemeral());
    assert_eq!(world.key.verify(&certificate, &statement, &proof), Ok(()));
    let (accept, _) = responder.accept(&[0; AVP_BYTES], &mut world.rng).unwrap();
    assert!(waiting.accept(&accept).is_ok());

    assert_eq!((BEACON_ID_BYTES + hello.len(), accept.len()), (204, 52));
    assert_eq!(BEACON_ID_BYTES + hello.len() + accept.len(), 256);
}

#[test]
fn sizes_under_both_suites() {
    assert_eq!(Certificate::<Ristretto255>::BYTES, 52);
    assert_eq!(Certificate::<Sm2>::BYTES, 53);
    assert_eq!(Proof::<Ristretto255>::BYTES, 64);
    assert_eq!(Proof::<Sm2>::BYTES, 65);
}
