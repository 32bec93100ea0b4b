//! Tokens of those who have not drawn them, changed and malformed ones: V-TOKEN-4, V-TOKEN-7, V-TOKEN-8.

use cairn_contracts::keys::{rsu_key, vehicle_key};
use cairn_crypto::schnorr::SecretKey;
use cairn_ledger::Uid;
use cairn_protocol::{
    login::CredentialError,
    roadside::{Received, Refusal, TokenWhy, Why},
    token::{Holder, TOKEN_BYTES},
    wire::Beacon,
};
use proptest::prelude::*;

use crate::{
    at_a,
    common::{
        Answer, KEYS, UID, rng,
        town::{A, B},
        vehicle_record,
    },
    shown, stolen,
};

#[test]
fn b3_the_minting_rsu_cannot_use_the_token() {
    // B3: it knows Q', the holder, and everything that it received; not n'.
    let (mut town, _) = at_a();
    let point = town.vehicle.next_token().unwrap().public();
    let beacon = town.meet(B);
    let guess = SecretKey::random(&mut rng(73));
    let hello = town.forged(
        &beacon,
        |beacon, ephemeral| {
            let mut bytes = shown(&guess, UID)(beacon, ephemeral);
            bytes[..32].copy_from_slice(&point.to_bytes());
            bytes
        },
        74,
    );
    let rejected = town.answer(B, &hello).unwrap().rejected();
    assert_eq!(
        rejected.why,
        Why::Token(Holder::Registered(UID), TokenWhy::Proof)
    );
}

#[test]
fn token_of_another_holder_is_refused() {
    let (mut town, _) = at_a();
    let other = Uid([11; 8]);
    town.set(vehicle_key(&KEYS, &other), &vehicle_record());
    let secret = stolen(&town);
    let beacon = town.meet(B);
    let hello = town.forged(&beacon, shown(&secret, other), 75);
    let rejected = town.answer(B, &hello).unwrap().rejected();
    assert_eq!(
        rejected.why,
        Why::Token(Holder::Registered(other), TokenWhy::Commitment)
    );
}

#[test]
fn token_rewrapped_under_another_ephemeral_or_beacon_is_refused() {
    let (mut town, _) = at_a();
    let secret = stolen(&town);
    let beacon = town.meet(B);
    let changes: [fn(&mut Beacon, &mut [u8; 32]); 4] = [
        |_, ephemeral| ephemeral[0] ^= 1,
        |beacon, _| beacon.rid = A,
        |beacon, _| beacon.time_ms -= 1,
        |beacon, _| beacon.signature[0] ^= 1,
    ];
    for (seed, change) in (80..).zip(changes) {
        let hello = town.forged(
            &beacon,
            |beacon, mut ephemeral| {
                let mut beacon = beacon.clone();
                change(&mut beacon, &mut ephemeral);
                shown(&secret, UID)(&beacon, ephemeral)
            },
            seed,
        );
        let rejected = town.answer(B, &hello).unwrap().rejected();
        assert_eq!(
            rejected.why,
            Why::Token(Holder::Registered(UID), TokenWhy::Proof)
        );
    }
    // The same payload as it should be.
    let hello = town.forged(&beacon, shown(&secret, UID), 90);
    town.answer(B, &hello).unwrap().accepted();
}

#[test]
fn malformed_tokens_get_no_answer() {
    let (mut town, _) = at_a();
    let secret = stolen(&town);
    let cases: [(usize, &[u8]); 7] = [
        (0, &[0; 32]),
        (0, &[0xff; 32]),
        (32, &[2]),
        (33, &[1]),
        (42, &[0; 32]),
        (42, &[0xff; 32]),
        (90, &[0xff; 32]),
    ];
    for (seed, (at, bytes)) in (100..).zip(cases) {
        let beacon = town.meet(B);
        let hello = town.forged(
            &beacon,
            |beacon, ephemeral| {
                let mut payload = shown(&secret, UID)(beacon, ephemeral);
                payload[at..at + bytes.len()].copy_from_slice(bytes);
                payload
            },
            seed,
        );
        let Err(Refusal::Credential(error)) = town.answer(B, &hello) else {
            panic!("no credential")
        };
        let expected = matches!(
            (at, error),
            (0, CredentialError::Token(_))
                | (32 | 33, CredentialError::Holder(_))
                | (42, CredentialError::NextToken(_))
                | (90, CredentialError::Signature(_))
        );
        assert!(expected, "{at}: {error}");
    }
}

#[test]
fn the_minting_rsus_record_is_looked_up_in_a_second_round() {
    let (mut town, _) = at_a();
    let hello = town.handover_hello(B);
    let (now, rng) = (town.now, &mut town.rng);
    let rsu = town.rsus.get_mut(&B).unwrap();
    let Ok(Received::Login(opened)) = rsu.receive(b"", &hello, now, rng) else {
        panic!("a login")
    };
    let records = town.look_up(&opened.needs());
    let key = rsu_key(&KEYS, A);
    assert_eq!(opened.needs_more(&records), [key]);
    assert_eq!(opened.needs_more(&[]), []);
    // Without it nobody is served.
    let rsu = town.rsus.get_mut(&B).unwrap();
    let rejected = rsu
        .accept(*opened, &records, now, &mut town.rng)
        .unwrap_err();
    assert_eq!(rejected.why, Why::RecordMissing(key));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_changed_byte_of_a_token_hello_is_refused(at in 0..175_usize, flip in 1..=u8::MAX) {
        let (mut town, _) = at_a();
        let mut hello = town.handover_hello(B);
        hello[at] ^= flip;
        prop_assert!(town.answer(B, &hello).is_err());
    }

    /// By whoever can open and seal: every field is covered by the proof.
    #[test]
    fn any_changed_byte_of_a_token_is_refused(at in 0..TOKEN_BYTES, flip in 1..=u8::MAX) {
        let (mut town, _) = at_a();
        let secret = stolen(&town);
        let beacon = town.meet(B);
        let hello = town.forged(&beacon, |beacon, ephemeral| {
            let mut payload = shown(&secret, UID)(beacon, ephemeral);
            payload[at] ^= flip;
            payload
        }, 76);
        match town.answer(B, &hello) {
            Err(Refusal::Credential(_)) | Ok(Answer::Rejected(_)) => {}
            other => prop_assert!(false, "{at}: {other:?}"),
        }
        prop_assert_eq!(town.rsus[&B].session_count(), 0);
    }
}
