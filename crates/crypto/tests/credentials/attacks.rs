//! Attacks on credentials and proofs, by id of the analysis of paper 003 where they have one.

use cairn_crypto::credential::{
    Batch, Certificate, Credential, Error, Issued, IssuerKey, Request, request_batch, seal_to,
};
use cairn_crypto::linkage::LinkageValue;
use cairn_crypto::suite::{Element, Proof, Secret, Suite};
use cairn_crypto::transcript::Domain;

use super::both_suites;
use super::common::*;

/// As in the module documentation of `credential`.
const SHOW: Domain = Domain::new("cairn/1/credential/show");
const ANSWER: Domain = Domain::new("cairn/1/credential/answer");

both_suites!(
    b1_c1_a_recorded_proof_serves_for_its_own_statement_only,
    b2_an_eavesdropper_cannot_test_guesses_on_the_answer,
    b3_a_shown_credential_cannot_be_shown_by_the_verifier,
    b4_credentials_of_one_vehicle_share_no_field,
    b5_a_certificate_for_a_key_of_choice_is_refused,
    b7_a_key_exchanged_in_transit_is_refused,
    b8_every_field_is_in_the_challenge,
    b13_issuers_cannot_sign_for_the_device,
    c2_a_broken_generator_does_not_leak_the_key,
    c4_nobody_shows_another_ones_certificate,
    e5_a_replaced_w_is_refused,
    a_credential_moved_to_another_issuer_key_is_refused,
    a_related_key_proof_is_refused,
    a_forged_linkage_value_is_refused,
    a_lying_answer_is_refused,
    an_identity_commitment_is_refused,
);

fn b1_c1_a_recorded_proof_serves_for_its_own_statement_only<S: Suite>() {
    let mut world = world::<S>(30);
    let (certificate, text, proof) = world.shown(b"rsu 1, beacon 1, e_v 1");
    assert_eq!(world.key.verify(&certificate, &text, &proof), Ok(()));
    for elsewhere in [
        b"rsu 2, beacon 1, e_v 1",
        b"rsu 1, beacon 2, e_v 1",
        b"rsu 1, beacon 1, e_v 2",
    ] {
        let refused = world
            .key
            .verify(&certificate, &statement(elsewhere), &proof);
        assert_eq!(refused, Err(Error::Proof));
    }
}

fn b2_an_eavesdropper_cannot_test_guesses_on_the_answer<S: Suite>() {
    // In the paper (R, X, S) tells whether a guessed identity is right. Here the answer opens
    // under the device's key only, and two answers with the same content have nothing in common.
    let mut world = world::<S>(31);
    let issued = {
        let rng = &mut world.rng;
        issue(
            &mut world.issuers,
            &[0, 1],
            world.request,
            attributes(),
            rng,
        )
    };
    let (first, second) = (issued.seal(&mut world.rng), issued.seal(&mut world.rng));
    assert_eq!(first.len(), Issued::<S>::SEALED_BYTES);
    assert!(first.iter().zip(&second).filter(|(a, b)| a == b).count() < 16);
    let (stranger, _) = request_batch::<S>(1, &mut world.rng).remove(0);
    assert_eq!(stranger.open(&first, &world.key).err(), Some(Error::Sealed));
    let last = first.len() - 1;
    for at in [S::ELEMENT_BYTES, 80, last] {
        let mut changed = first.clone();
        changed[at] ^= 1;
        assert_eq!(
            world.pending.open(&changed, &world.key).err(),
            Some(Error::Sealed)
        );
    }
    assert!(world.pending.open(&first, &world.key).is_ok());
}

fn b3_a_shown_credential_cannot_be_shown_by_the_verifier<S: Suite>() {
    // All that a verifier learns: certificates and proofs. Combining them gives no third proof.
    let mut world = world::<S>(32);
    let (certificate, _, first) = world.shown(b"a");
    let (_, _, second) = world.shown(b"b");
    let (first, second) = (first.to_bytes(), second.to_bytes());
    let point = |bytes: &[u8]| Element::<S>::from_bytes(&bytes[..S::ELEMENT_BYTES]).unwrap();
    let one = S::Scalar::from(1);
    let decode = |e: Element<S>| S::decode(&e.to_bytes()).unwrap();
    let sum = S::sum(
        &S::Scalar::from(0),
        &[(one, decode(point(&first))), (one, decode(point(&second)))],
    );
    let scalar =
        |bytes: &[u8]| S::decode_scalar(bytes[S::ELEMENT_BYTES..].try_into().unwrap()).unwrap();
    let z = S::encode_scalar(&(scalar(&first) + scalar(&second)));
    let forged = Proof::from_bytes(&[S::encode(&sum).as_ref(), &z].concat()).unwrap();
    for text in [b"a", b"b", b"c"] {
        let refused = world.key.verify(&certificate, &statement(text), &forged);
        assert_eq!(refused, Err(Error::Proof));
    }
}

fn b4_credentials_of_one_vehicle_share_no_field<S: Suite>() {
    let mut world = world::<S>(33);
    let batch = request_batch::<S>(2, &mut world.rng);
    let bytes: Vec<_> = batch
        .iter()
        .map(|(_, request)| request.to_bytes())
        .collect();
    assert!(
        bytes[0]
            .chunks(16)
            .zip(bytes[1].chunks(16))
            .all(|(a, b)| a != b)
    );
    let attributes = attributes();
    let shown: Vec<_> = batch
        .into_iter()
        .map(|(pending, request)| {
            let rng = &mut world.rng;
            let issued = issue(&mut world.issuers, &[0, 1], request, attributes, rng);
            let credential = pending.open(&issued.seal(rng), &world.key).unwrap();
            let proof = credential.prove(&statement(b"a"), rng);
            (credential.certificate().to_bytes(), proof.to_bytes())
        })
        .collect();
    assert_ne!(
        shown[0].0[..S::ELEMENT_BYTES],
        shown[1].0[..S::ELEMENT_BYTES]
    );
    assert_ne!(
        shown[0].1[..S::ELEMENT_BYTES],
        shown[1].1[..S::ELEMENT_BYTES]
    );
    assert_ne!(
        shown[0].1[S::ELEMENT_BYTES..],
        shown[1].1[S::ELEMENT_BYTES..]
    );
}

fn b5_a_certificate_for_a_key_of_choice_is_refused<S: Suite>() {
    // W = yP − c·A for a guessed c: the hash over W gives another c, so y is not the key.
    let world = world::<S>(34);
    let y = S::Scalar::from(4_711);
    let guess = S::hash_to_scalar(SHOW, &[b"guess"]);
    let a = S::decode(&world.key.element().to_bytes()).unwrap();
    let w = S::encode(&S::sum(&y, &[(-guess, a)]));
    let forged = [w.as_ref(), &attributes().to_bytes(), &S::encode_scalar(&y)].concat();
    assert_eq!(
        Credential::from_bytes(&forged, &world.key).err(),
        Some(Error::Answer)
    );
}

fn b7_a_key_exchanged_in_transit_is_refused<S: Suite>() {
    let mut world = world::<S>(35);
    let (_, other) = request_batch::<S>(1, &mut world.rng).remove(0);
    let (ours, theirs) = (world.request.to_bytes(), other.to_bytes());
    let (handle, key) = (16, 16 + S::ELEMENT_BYTES);
    for exchanged in [
        [&ours[..handle], &theirs[handle..key], &ours[key..]].concat(), // U alone
        [&theirs[..handle], &ours[handle..]].concat(),                  // handle alone
        [&ours[..key], &theirs[key..]].concat(),                        // proof alone
        [&ours[..handle], &theirs[handle..]].concat(),                  // U with its own proof
    ] {
        let request = Request::<S>::from_bytes(&exchanged).unwrap();
        assert_eq!(request.check().err(), Some(Error::Possession));
    }
    assert!(world.request.check().is_ok());
}

fn b8_every_field_is_in_the_challenge<S: Suite>() {
    // Any byte of certificate or proof changed: unreadable or refused, alone and in a batch.
    let mut world = world::<S>(36);
    let (certificate, text, proof) = world.shown(b"a");
    let honest = [certificate.to_bytes(), proof.to_bytes()].concat();
    let split = Certificate::<S>::BYTES;
    for at in 0..honest.len() {
        let mut changed = honest.clone();
        changed[at] ^= 1;
        let certificate = Certificate::<S>::from_bytes(&changed[..split]);
        let proof = Proof::<S>::from_bytes(&changed[split..]);
        let (Ok(certificate), Ok(proof)) = (certificate, proof) else {
            continue;
        };
        let refused = world.key.verify(&certificate, &text, &proof);
        assert_eq!(refused, Err(Error::Proof), "byte {at}");
        let mut batch = Batch::new(&world.key);
        batch.push(certificate, text, proof);
        assert_eq!(batch.verify(&mut world.rng), Err(vec![0]), "byte {at}");
    }
}

fn b13_issuers_cannot_sign_for_the_device<S: Suite>() {
    // All issuers together know t, W and attrs; the key is u + t. t itself is not accepted as the
    // key, and the answer that carries it is all they contribute.
    let mut world = world::<S>(37);
    let stored = world.credential.to_bytes();
    let u = world.pending.to_bytes();
    let scalar = |bytes: &[u8]| S::decode_scalar(bytes.try_into().unwrap()).unwrap();
    let t = scalar(&stored[Certificate::<S>::BYTES..]) - scalar(&u[16..]);
    let theirs = [&stored[..Certificate::<S>::BYTES], &S::encode_scalar(&t)].concat();
    assert_eq!(
        Credential::from_bytes(&theirs, &world.key).err(),
        Some(Error::Answer)
    );
    let (certificate, text, _) = world.shown(b"a");
    let k = Secret::<S>::random(&mut world.rng);
    let commitment = k.public().to_bytes();
    let fields = [
        world.key.element().to_bytes().as_ref().to_vec(),
        certificate.to_bytes(),
    ];
    let h = S::hash_to_scalar(
        SHOW,
        &[&fields[0], &fields[1], &text.0, commitment.as_ref()],
    );
    let z = S::encode_scalar(&(scalar(k.to_bytes().as_slice()) + h * t));
    let forged = Proof::from_bytes(&[commitment.as_ref(), &z].concat()).unwrap();
    assert_eq!(
        world.key.verify(&certificate, &text, &forged),
        Err(Error::Proof)
    );
}

fn c2_a_broken_generator_does_not_leak_the_key<S: Suite>() {
    // Two statements under the same randomness: were the nonces equal, (z − z')/(h − h') is the key.
    let world = world::<S>(38);
    let prove = |text: &[u8]| {
        world
            .credential
            .prove(&statement(text), &mut Counter::new(99))
    };
    let (first, second) = (prove(b"a").to_bytes(), prove(b"b").to_bytes());
    assert_ne!(first[..S::ELEMENT_BYTES], second[..S::ELEMENT_BYTES]);
    assert_eq!(first, prove(b"a").to_bytes());
}

fn c4_nobody_shows_another_ones_certificate<S: Suite>() {
    let mut world = world::<S>(39);
    let other = world.enrol(attributes());
    let proof = other.prove(&statement(b"a"), &mut world.rng);
    let refused = world
        .key
        .verify(&world.credential.certificate(), &statement(b"a"), &proof);
    assert_eq!(refused, Err(Error::Proof));
}

fn e5_a_replaced_w_is_refused<S: Suite>() {
    let mut world = world::<S>(40);
    let other = world.enrol(attributes());
    let (certificate, text, proof) = world.shown(b"a");
    let mut replaced = certificate.to_bytes();
    let w = S::ELEMENT_BYTES;
    replaced[..w].copy_from_slice(&other.certificate().to_bytes()[..w]);
    let replaced = Certificate::<S>::from_bytes(&replaced).unwrap();
    assert_eq!(
        world.key.verify(&replaced, &text, &proof),
        Err(Error::Proof)
    );
    let mut stored = world.credential.to_bytes();
    stored[..w].copy_from_slice(&replaced.to_bytes()[..w]);
    assert_eq!(
        Credential::from_bytes(&stored, &world.key).err(),
        Some(Error::Answer)
    );
}

fn a_credential_moved_to_another_issuer_key_is_refused<S: Suite>() {
    // d' = d + c·δ is the key of (W, attrs) under A' = A + δP, if c does not cover A.
    let world = world::<S>(41);
    let (one, delta) = (S::Scalar::from(1), S::Scalar::from(5));
    let a = S::decode(&world.key.element().to_bytes()).unwrap();
    let moved = S::encode(&S::sum(&delta, &[(one, a)]));
    let moved = IssuerKey::<S>::from_bytes(moved.as_ref()).unwrap();
    let stored = world.credential.to_bytes();
    let (certificate, d) = stored.split_at(Certificate::<S>::BYTES);
    let w = Element::<S>::from_bytes(&certificate[..S::ELEMENT_BYTES]).unwrap();
    let c = S::credential_challenge(&world.key.element(), &w, &attributes().to_bytes());
    let d = S::decode_scalar(d.try_into().unwrap()).unwrap() + c * delta;

    let (w, moved_a) = (
        S::decode(&w.to_bytes()),
        S::decode(&moved.element().to_bytes()),
    );
    let would_be = S::sum(
        &S::Scalar::from(0),
        &[(one, w.unwrap()), (c, moved_a.unwrap())],
    );
    assert_eq!(
        S::mul_base(&d),
        would_be,
        "the attack on a challenge without A"
    );
    let stored = [certificate, &S::encode_scalar(&d)].concat();
    assert_eq!(
        Credential::from_bytes(&stored, &moved).err(),
        Some(Error::Answer)
    );
    assert_eq!(
        world.pending.open(&world.sealed, &moved).err(),
        Some(Error::Answer)
    );
}

fn a_related_key_proof_is_refused<S: Suite>() {
    // (M, z) for W, turned into (M, z + h·δ) for W + δP, fits if h covers neither W nor D.
    let mut world = world::<S>(42);
    let (certificate, text, proof) = world.shown(b"a");
    let shown = certificate.to_bytes();
    let proof = proof.to_bytes();
    let (commitment, z) = proof.split_at(S::ELEMENT_BYTES);
    let issuer = world.key.element().to_bytes();
    let h = S::hash_to_scalar(SHOW, &[issuer.as_ref(), &shown, &text.0, commitment]);
    let delta = S::Scalar::from(5);
    let w = S::Encoding::try_from(&shown[..S::ELEMENT_BYTES])
        .ok()
        .unwrap();
    let w = S::sum(&delta, &[(S::Scalar::from(1), S::decode(&w).unwrap())]);
    let shifted = [S::encode(&w).as_ref(), &shown[S::ELEMENT_BYTES..]].concat();
    let shifted = Certificate::<S>::from_bytes(&shifted).unwrap();
    let z = S::decode_scalar(z.try_into().unwrap()).unwrap() + h * delta;
    let moved = Proof::from_bytes(&[commitment, &S::encode_scalar(&z)].concat()).unwrap();
    assert_eq!(world.key.verify(&shifted, &text, &moved), Err(Error::Proof));
}

fn a_forged_linkage_value_is_refused<S: Suite>() {
    let mut world = world::<S>(43);
    let (certificate, text, proof) = world.shown(b"a");
    let mut forged = certificate.attributes();
    forged.linkage = LinkageValue([8; 9]);
    let w = &certificate.to_bytes()[..S::ELEMENT_BYTES];
    let forged = Certificate::<S>::from_bytes(&[w, &forged.to_bytes()].concat()).unwrap();
    assert_eq!(world.key.verify(&forged, &text, &proof), Err(Error::Proof));
    // With the device's own key, too.
    let d = &world.credential.to_bytes()[Certificate::<S>::BYTES..];
    let stored = [forged.to_bytes().as_slice(), d].concat();
    assert_eq!(
        Credential::from_bytes(&stored, &world.key).err(),
        Some(Error::Answer)
    );
}

fn a_lying_answer_is_refused<S: Suite>() {
    // A coordinator that seals another t, or other attributes, to the device.
    let mut world = world::<S>(44);
    let stored = world.credential.to_bytes();
    let certificate = &stored[..Certificate::<S>::BYTES];
    let u = world.pending.to_bytes();
    let scalar = |bytes: &[u8]| S::decode_scalar(bytes.try_into().unwrap()).unwrap();
    let t = scalar(&stored[Certificate::<S>::BYTES..]) - scalar(&u[16..]);
    let handle = world.pending.handle();
    let key = world.request.check().unwrap().key();
    let mut answer = |certificate: &[u8], t: S::Scalar| {
        let text = [certificate, &S::encode_scalar(&t)].concat();
        let sealed = seal_to(ANSWER, &key, &handle.0, &text, &mut world.rng);
        world.pending.open(&sealed, &world.key).err()
    };
    assert_eq!(answer(certificate, t), None);
    assert_eq!(
        answer(certificate, t + S::Scalar::from(1)),
        Some(Error::Answer)
    );
    let mut other = certificate.to_vec();
    *other.last_mut().unwrap() ^= 1;
    assert_eq!(answer(&other, t), Some(Error::Answer));
    // The key would be zero, which everybody knows.
    assert_eq!(answer(certificate, -scalar(&u[16..])), Some(Error::Answer));
}

fn an_identity_commitment_is_refused<S: Suite>() {
    // A proof with k = 0 satisfies the equation; it would also give the key away.
    let mut world = world::<S>(45);
    let (certificate, text, _) = world.shown(b"a");
    let identity = S::encode(&S::sum(&S::Scalar::from(0), &[]));
    let issuer = world.key.element().to_bytes();
    let fields = [
        issuer.as_ref(),
        &certificate.to_bytes(),
        &text.0,
        identity.as_ref(),
    ];
    let h = S::hash_to_scalar(SHOW, &fields);
    let stored = world.credential.to_bytes();
    let d = S::decode_scalar(stored[Certificate::<S>::BYTES..].try_into().unwrap()).unwrap();
    let proof = [identity.as_ref(), &S::encode_scalar(&(h * d))].concat();
    let proof = Proof::from_bytes(&proof).unwrap();
    assert_eq!(
        world.key.verify(&certificate, &text, &proof),
        Err(Error::Proof)
    );
    let mut batch = Batch::new(&world.key);
    batch.push(certificate, text, proof);
    assert_eq!(batch.verify(&mut world.rng), Err(vec![0]));
}
