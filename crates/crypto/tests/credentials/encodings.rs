//! Encodings: exact lengths, canonical values, frozen bytes, and the known answer of GM/T 0130.

use std::collections::BTreeMap;

use cairn_crypto::credential::{Attributes, Certificate, Credential, Error, Pending, Request};
use cairn_crypto::issuer::dkg::{Deal, Opening};
use cairn_crypto::issuer::{Commitment, IssuerSet, KeyShare, Quorum, Round, SignatureShare};
use cairn_crypto::suite::{self, Element, Proof, Ristretto255, Secret, Sm2, Suite, gmt0130};
use proptest::prelude::*;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::both_suites;
use super::common::*;

both_suites!(
    truncated_and_extended_bytes_are_refused,
    zero_and_large_scalars_are_refused,
    seals_of_another_context_do_not_open,
);

/// Every encoding, by name, of a seeded run.
fn encodings<S: Suite>(world: &mut World<S>) -> Vec<(&'static str, Vec<u8>)> {
    let (mut dealings, openings) = begin::<S>(Quorum::default(), &mut world.rng);
    let dealing = dealings.remove(&index(1)).unwrap();
    let (_, deals) = dealing.deal(without(&openings, index(1))).unwrap();
    let rng = &mut world.rng;
    let session = start(
        &mut world.issuers,
        &[0, 1],
        world.request,
        attributes(),
        rng,
    );
    let shares = shares(&mut world.issuers, &[0, 1], session.round());
    let (certificate, _, proof) = world.shown(b"a");
    let key = world.issuers[0].key();
    vec![
        ("opening", openings[&index(1)].to_bytes().to_vec()),
        ("deal", deals[&index(2)].to_bytes().to_vec()),
        ("set", key.set().to_bytes()),
        ("key share", key.to_bytes().to_vec()),
        ("request", world.request.to_bytes()),
        ("pending", world.pending.to_bytes().to_vec()),
        (
            "commitment",
            session.round().commitments[&index(1)].to_bytes(),
        ),
        ("round", session.round().to_bytes()),
        ("signature share", shares[&index(1)].to_bytes()),
        ("answer", world.sealed.clone()),
        ("certificate", certificate.to_bytes()),
        ("credential", world.credential.to_bytes().to_vec()),
        ("proof", proof.to_bytes()),
    ]
}

fn reads<S: Suite>(world: &World<S>, name: &str, bytes: &[u8]) -> bool {
    match name {
        "opening" => Opening::<S>::from_bytes(Quorum::default(), bytes).is_ok(),
        "deal" => Deal::<S>::from_bytes(bytes).is_ok(),
        "set" => IssuerSet::<S>::from_bytes(bytes).is_ok(),
        "key share" => KeyShare::<S>::from_bytes(bytes).is_ok(),
        "request" => Request::<S>::from_bytes(bytes).is_ok(),
        "pending" => Pending::<S>::from_bytes(bytes).is_ok(),
        "commitment" => Commitment::<S>::from_bytes(bytes).is_ok(),
        "round" => Round::<S>::from_bytes(world.issuers[0].key().set(), bytes).is_ok(),
        "signature share" => SignatureShare::<S>::from_bytes(bytes).is_ok(),
        "answer" => world.pending.open(bytes, &world.key).is_ok(),
        "certificate" => Certificate::<S>::from_bytes(bytes).is_ok(),
        "credential" => Credential::<S>::from_bytes(bytes, &world.key).is_ok(),
        "proof" => Proof::<S>::from_bytes(bytes).is_ok(),
        other => panic!("no reader for {other}"),
    }
}

fn truncated_and_extended_bytes_are_refused<S: Suite>() {
    let mut world = world::<S>(60);
    for (name, bytes) in encodings(&mut world) {
        assert!(reads(&world, name, &bytes), "{name} as written");
        for length in 0..bytes.len() {
            let cut = reads(&world, name, &bytes[..length]);
            assert!(!cut, "{name} cut to {length}");
        }
        for extra in [0, 1, 0xff] {
            let extended = [bytes.as_slice(), &[extra]].concat();
            let extended = reads(&world, name, &extended);
            assert!(!extended, "{name} extended by {extra}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_read_is_written_the_same(bytes in prop::array::uniform20(any::<u8>())) {
        if let Ok(attributes) = Attributes::from_bytes(&bytes) {
            prop_assert_eq!(attributes.to_bytes(), bytes);
        }
        let mut known = bytes;
        known[0] = 1 + bytes[0] % 3;
        if known[14..16] == [0, 0] || known[10] == 0xff {
            return Ok(());
        }
        prop_assert_eq!(Attributes::from_bytes(&known).unwrap().to_bytes(), known);
    }

    #[test]
    fn any_bytes_are_read_or_refused_without_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let _ = Certificate::<Ristretto255>::from_bytes(&bytes);
        let _ = Certificate::<Sm2>::from_bytes(&bytes);
        let _ = Request::<Ristretto255>::from_bytes(&bytes);
        let _ = Request::<Sm2>::from_bytes(&bytes);
        let _ = KeyShare::<Ristretto255>::from_bytes(&bytes);
        let _ = KeyShare::<Sm2>::from_bytes(&bytes);
    }

    #[test]
    fn an_element_that_is_read_is_canonical(mut bytes in prop::array::uniform32(any::<u8>()), odd: bool) {
        let sm2 = [&[2 + u8::from(odd)], bytes.as_slice()].concat();
        if let Ok(element) = Element::<Sm2>::from_bytes(&sm2) {
            let point = Sm2::decode(&element.to_bytes()).unwrap();
            prop_assert_eq!(Sm2::encode(&point).to_vec(), sm2);
        }
        bytes[0] &= 0xfe;
        bytes[31] &= 0x7f;
        if let Ok(element) = Element::<Ristretto255>::from_bytes(&bytes) {
            let point = Ristretto255::decode(&element.to_bytes()).unwrap();
            prop_assert_eq!(Ristretto255::encode(&point), bytes);
        }
    }
}

#[test]
fn attributes_of_unknown_kind_or_without_time_are_refused() {
    let honest = attributes().to_bytes();
    for kind in [0, 4, 0xff] {
        let mut bytes = honest;
        bytes[0] = kind;
        assert_eq!(Attributes::from_bytes(&bytes), Err(Error::Attributes));
    }
    let mut bytes = honest;
    bytes[14..16].fill(0);
    assert_eq!(Attributes::from_bytes(&bytes), Err(Error::Attributes));
    let mut bytes = honest;
    bytes[10..14].fill(0xff);
    assert_eq!(Attributes::from_bytes(&bytes), Err(Error::Attributes));
}

#[test]
fn identity_and_non_canonical_elements_are_refused() {
    let refused = |bytes: &[u8]| assert!(Element::<Ristretto255>::from_bytes(bytes).is_err());
    refused(&[0; 32]); // the identity
    refused(&[0xff; 32]); // beyond the field
    let mut negative = [0; 32];
    negative[0] = 1;
    refused(&negative);
    let base = Secret::<Ristretto255>::random(&mut Counter::new(1))
        .public()
        .to_bytes();
    let mut high = base;
    high[31] |= 0x80;
    refused(&high);

    let refused = |bytes: &[u8]| assert!(Element::<Sm2>::from_bytes(bytes).is_err());
    refused(&[0; 33]); // what the curve crate takes for the identity
    refused(&[0]); // SEC 1's identity
    let base = Secret::<Sm2>::random(&mut Counter::new(1))
        .public()
        .to_bytes();
    for tag in [0, 1, 4, 5, 6, 7] {
        let mut bytes = base;
        bytes[0] = tag;
        refused(&bytes);
    }
    let mut beyond = [0xff; 33]; // x = p + something
    beyond[0] = 2;
    refused(&beyond);
}

fn zero_and_large_scalars_are_refused<S: Suite>() {
    let refused = Some(suite::Error::Scalar);
    assert_eq!(Secret::<S>::from_bytes(&[0; 32]).err(), refused);
    assert_eq!(Secret::<S>::from_bytes(&[0xff; 32]).err(), refused);
    assert!(S::decode_scalar(&[0xff; 32]).is_none());
    assert!(SignatureShare::<S>::from_bytes(&[0xff; 32]).is_err());
    // 512 uniform bits: the reduction agrees with arithmetic on halves.
    let wide = S::reduce(&[0xff; 64]) + S::Scalar::from(1);
    let mut half = [0; 64];
    match S::NAME {
        "Sm2" => half[31] = 1,
        _ => half[32] = 1,
    }
    let half = S::reduce(&half); // 2²⁵⁶
    assert!(wide == half * half);
}

fn seals_of_another_context_do_not_open<S: Suite>() {
    use cairn_crypto::credential::{open_sealed, seal_to};
    use cairn_crypto::transcript::Domain;
    const A: Domain = Domain::new("cairn/1/test/a");
    const B: Domain = Domain::new("cairn/1/test/b");
    let mut rng = Counter::new(61);
    let (ours, theirs) = (Secret::<S>::random(&mut rng), Secret::<S>::random(&mut rng));
    let sealed = seal_to(A, &ours.public(), b"part", b"linkage", &mut rng);
    assert_eq!(sealed.len(), S::ELEMENT_BYTES + 7 + 16);
    assert_eq!(
        *open_sealed(A, &ours, b"part", &sealed).unwrap(),
        b"linkage"
    );
    let refused = Some(Error::Sealed);
    assert_eq!(open_sealed(B, &ours, b"part", &sealed).err(), refused);
    assert_eq!(open_sealed(A, &theirs, b"part", &sealed).err(), refused);
    assert_eq!(open_sealed(A, &ours, b"other", &sealed).err(), refused);
    assert_eq!(open_sealed(A, &ours, b"part", &sealed[..20]).err(), refused);
}

#[derive(Deserialize)]
struct Gmt0130 {
    identity: String,
    ms: String,
    d_prime: String,
    w_secret: String,
    p_pub: String,
    u: String,
    w: String,
    t: String,
    d: String,
    p_a: String,
}

#[test]
fn gmt0130_known_answer() {
    let known: Gmt0130 = serde_json::from_str(include_str!("../vectors/gmt0130.json")).unwrap();
    let secret = |hex: &str| Secret::<Sm2>::from_bytes(&unhex(hex).try_into().unwrap()).unwrap();
    let scalar = |hex: &str| Sm2::decode_scalar(&unhex(hex).try_into().unwrap()).unwrap();
    let element = |hex: &str| Element::<Sm2>::from_bytes(&unhex(hex)).unwrap();
    assert_eq!(secret(&known.ms).public(), element(&known.p_pub));
    assert_eq!(secret(&known.d_prime).public(), element(&known.u));
    let point = |hex: &str| Sm2::decode(&element(hex).to_bytes()).unwrap();
    let one = scalar(&format!("{:064x}", 1));
    let w = Sm2::sum(&scalar(&known.w_secret), &[(one, point(&known.u))]);
    assert_eq!(Sm2::encode(&w), element(&known.w).to_bytes());

    let lambda = gmt0130(
        known.identity.as_bytes(),
        &element(&known.p_pub),
        &element(&known.w),
    );
    let t = scalar(&known.w_secret) + lambda * scalar(&known.ms);
    assert_eq!(Sm2::encode_scalar(&t).to_vec(), unhex(&known.t));
    let d = t + scalar(&known.d_prime);
    assert_eq!(Sm2::encode_scalar(&d).to_vec(), unhex(&known.d));
    let public = Sm2::sum(
        &scalar(&format!("{:064x}", 0)),
        &[(one, point(&known.w)), (lambda, point(&known.p_pub))],
    );
    assert_eq!(Sm2::encode(&public), element(&known.p_a).to_bytes());
    assert_eq!(
        Sm2::encode(&Sm2::mul_base(&d)),
        element(&known.p_a).to_bytes()
    );
}

/// SHA-256 of every encoding of a seeded run. A change here is a change of the wire format, and
/// needs a new protocol version.
#[test]
fn encodings_are_frozen() {
    let frozen: BTreeMap<String, BTreeMap<String, String>> =
        serde_json::from_str(include_str!("../vectors/credential.json")).unwrap();
    fn digests<S: Suite>() -> (String, BTreeMap<String, String>) {
        let digests = encodings(&mut world::<S>(60))
            .into_iter()
            .map(|(name, bytes)| (name.to_owned(), hex(&Sha256::digest(bytes))));
        (S::NAME.to_owned(), digests.collect())
    }
    let now = BTreeMap::from([digests::<Ristretto255>(), digests::<Sm2>()]);
    assert_eq!(
        now,
        frozen,
        "{}",
        serde_json::to_string_pretty(&now).unwrap()
    );
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(hex: &str) -> Vec<u8> {
    let digits = (0..hex.len()).step_by(2);
    digits
        .map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap())
        .collect()
}
