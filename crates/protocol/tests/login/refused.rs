//! Keys that are unknown, over or revoked, and what the vehicle learns: V-HELLO-7 to V-HELLO-11.

use cairn_contracts::keys::VehicleRecord;
use cairn_crypto::schnorr::SecretKey;
use cairn_ledger::Record;
use cairn_protocol::{
    login::Code,
    roadside::{Received, Why},
    vehicle::{self, Effect},
};

use crate::common::{self, Answer, Pair, RID, START, UID, rng};

// V-HELLO-7 to V-HELLO-11, and what the vehicle learns.

/// Logs in and is refused; returns the RSU's and the vehicle's view.
fn refused(change: impl FnOnce(&mut Pair)) -> (Why, Code) {
    let mut pair = Pair::new();
    pair.meet();
    let hello = pair.hello();
    change(&mut pair);
    let rejected = pair.answer(&hello).unwrap().rejected();
    let Answer::Repeated(again) = pair.answer(&hello).unwrap() else {
        panic!("repeated")
    };
    assert_eq!(again, rejected.reply);
    let mut tampered = rejected.reply.clone();
    tampered[5] ^= 1;
    assert!(matches!(
        pair.hear(&tampered),
        Err(vehicle::Refusal::Handshake(_))
    ));
    match pair.hear(&rejected.reply).unwrap()[..] {
        [Effect::LoginRefused { rid: RID, code }] => (rejected.why, code),
        ref other => panic!("expected a refusal, got {other:?}"),
    }
}

#[test]
fn unknown_vehicle_is_refused() {
    let seen = refused(|pair| pair.records.clear());
    assert_eq!(seen, (Why::NotRegistered(UID), Code::NotRecognised));
}

#[test]
fn revoked_key_is_refused() {
    let revoked = VehicleRecord {
        revoked_ms: Some(START),
        ..common::vehicle_record()
    };
    assert_eq!(
        refused(|pair| pair.register(&revoked)),
        (Why::Revoked(UID), Code::Revoked)
    );
}

#[test]
fn expired_and_future_keys_are_refused() {
    let expired = VehicleRecord {
        valid_until_ms: START,
        ..common::vehicle_record()
    };
    assert_eq!(
        refused(|pair| pair.register(&expired)),
        (Why::NotValid(UID), Code::NotValid)
    );
    let future = VehicleRecord {
        valid_from_ms: START + 1,
        ..common::vehicle_record()
    };
    assert_eq!(
        refused(|pair| pair.register(&future)),
        (Why::NotValid(UID), Code::NotValid)
    );
}

#[test]
fn replaced_key_is_refused_like_an_unknown_one() {
    let key = SecretKey::random(&mut rng(57)).public().to_bytes();
    let replaced = VehicleRecord {
        key,
        ..common::vehicle_record()
    };
    let seen = refused(|pair| pair.register(&replaced));
    assert_eq!(seen, (Why::Signature(UID), Code::NotRecognised));
}

#[test]
fn a_stranger_does_not_learn_that_a_key_is_revoked() {
    let key = SecretKey::random(&mut rng(57)).public().to_bytes();
    let revoked = VehicleRecord {
        key,
        revoked_ms: Some(START),
        ..common::vehicle_record()
    };
    assert_eq!(
        refused(|pair| pair.register(&revoked)).1,
        Code::NotRecognised
    );
}

#[test]
fn a_record_that_was_not_looked_up_is_our_bug_and_no_access() {
    let mut pair = Pair::new();
    pair.meet();
    let hello = pair.hello();
    let received = pair
        .rsu
        .receive(b"", &hello, pair.now, &mut pair.rng)
        .unwrap();
    let Received::Login(opened) = received else {
        panic!("a login")
    };
    let key = opened.needs()[0];
    let rejected = pair
        .rsu
        .accept(*opened, &[], pair.now, &mut pair.rng)
        .unwrap_err();
    assert_eq!(rejected.why, Why::RecordMissing(key));
    assert_eq!(rejected.why.code(), Code::Busy);
}

#[test]
fn a_record_of_another_kind_is_no_access() {
    let mut pair = Pair::new();
    pair.meet();
    let hello = pair.hello();
    pair.records
        .values_mut()
        .for_each(|record| *record = Record::new(b"other").unwrap());
    let rejected = pair.answer(&hello).unwrap().rejected();
    assert!(matches!(rejected.why, Why::RecordMalformed(_)));
}
