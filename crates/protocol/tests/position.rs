//! Position messages under registered keys: encoding, signatures one by one and in batches, and what
//! they are evidence of. Those under credentials: `anonymous_position.rs`.

mod common;

use cairn_contracts::keys::{VehicleRecord, vehicle_key};
use cairn_crypto::schnorr::SecretKey;
use cairn_ledger::{ChainId, Position, Record, Rid, StateKey, Uid};
use cairn_protocol::{
    THR_MS,
    evidence::{Evidence, EvidenceError, Grounds, Heard, MAX_MESSAGES, MAX_SPAN_MS},
    plausibility::{Bounds, Class, Subject, Unusable},
    position::{MAX_BYTES, Motion, PositionError, Receiver, Signatory, Signed, Signer, Speaker},
    wire::{Message, WireError},
};
use common::{
    CHAIN, DAY, KEYS, RID, START, UID, issuing::Office, rng, vehicle_record, vehicle_secret,
};
use commonware_codec::{Copying, DecodeExt as _, Encode as _};
use proptest::prelude::*;

const HERE: Position = Position { x_cm: 0, y_cm: 0 };

fn speaker() -> Speaker {
    Speaker::registered(CHAIN, UID, vehicle_secret(), START)
}

/// Northwards with 10 m/s along a line 100 m east of the RSU.
fn driving(second: u64) -> Motion {
    Motion {
        position: Position {
            x_cm: 10_000,
            y_cm: -30_000 + 1_000 * i32::try_from(second).unwrap(),
        },
        speed_cm_s: 1_000,
        heading_cdeg: 0,
        acceleration_cm_s2: 0,
        class: Class::Car,
    }
}

fn honest() -> Signed {
    speaker().speak(driving(0), START, &mut rng(1))
}

fn receiver() -> Receiver {
    Receiver::new(CHAIN, KEYS, Office::new(1).issuers())
}

fn key_of(uid: &Uid) -> StateKey {
    vehicle_key(&KEYS, uid)
}

/// `count` vehicles' messages and their records.
fn many(count: u8) -> (Vec<Signed>, Vec<(StateKey, Option<Record>)>) {
    let mut rng = rng(2);
    let one = |number: u8| {
        let (uid, key) = (Uid([number; 8]), SecretKey::random(&mut rng));
        let record = VehicleRecord {
            key: key.public().to_bytes(),
            ..vehicle_record()
        };
        let mut speaker = Speaker::registered(CHAIN, uid, key, START);
        let signed = speaker.speak(driving(0), START, &mut rng);
        (signed, (key_of(&uid), Some(Record::of(&record))))
    };
    (0..count).map(one).unzip()
}

/// What an RSU heard of a vehicle that claims to be at random places, from START on.
fn liar(seconds: u64) -> Evidence {
    let (mut speaker, mut rng) = (speaker(), rng(3));
    let heard = |second| {
        let position = Position {
            x_cm: rng.random_range(-40_000..40_000),
            y_cm: rng.random_range(-40_000..40_000),
        };
        let motion = Motion {
            position,
            ..driving(0)
        };
        let at_ms = START + 1_000 * second;
        let message = speaker.speak(motion, at_ms, &mut rng);
        Heard {
            at_ms: at_ms + 40,
            message,
        }
    };
    evidence((0..seconds).map(heard).collect())
}

fn evidence(messages: Vec<Heard>) -> Evidence {
    Evidence {
        signatory: Signatory::Registered {
            uid: UID,
            key: vehicle_secret().public().to_bytes(),
        },
        rsu: RID,
        messages,
    }
}

fn verdict(evidence: &Evidence) -> Result<(), EvidenceError> {
    let grounds = Grounds {
        chain: &CHAIN,
        issuers: &Office::new(1).issuers(),
        bounds: Bounds::default(),
    };
    evidence.verify(&grounds, HERE, &mut rng(9)).map(|_| ())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_message_is_102_bytes_as_recorded() {
    let datagram = Message::Position(honest()).encode();
    assert_eq!(datagram.len(), 102);
    assert!(datagram.len() <= MAX_BYTES);
    assert_eq!(
        hex(&datagram),
        include_str!("fixtures/position.txt").trim(),
        "the protocol has changed"
    );
    assert_eq!(
        Message::decode(&datagram).unwrap(),
        Message::Position(honest())
    );
}

#[test]
fn other_lengths_and_other_encodings_are_refused() {
    let datagram = Message::Position(honest()).encode();
    for wrong in [&datagram[..101], &[datagram.as_slice(), &[0]].concat()] {
        assert!(matches!(
            Message::decode(wrong),
            Err(WireError::Length { .. })
        ));
    }
    let refused = |place: usize, bytes: &[u8]| {
        let mut datagram = datagram.clone();
        datagram[place..place + bytes.len()].copy_from_slice(bytes);
        matches!(Message::decode(&datagram), Err(WireError::Body { .. }))
    };
    assert!(refused(1, &[2]), "kind of signer");
    assert!(refused(2, &[1]), "kind of signer");
    assert!(refused(33, &36_000_u16.to_be_bytes()), "heading");
    assert!(!refused(33, &35_999_u16.to_be_bytes()));
    assert!(refused(37, &[3]), "class");
    assert!(refused(70, &[0xff; 32]), "z above the group order");

    let mut with_credential = [datagram.as_slice(), &[0; 40]].concat();
    with_credential[0] = 0x31;
    let refused = Message::decode(&with_credential);
    assert!(
        matches!(refused, Err(WireError::Body { .. })),
        "a registered vehicle has no credential"
    );
}

#[test]
fn every_field_the_chain_and_the_key_are_signed() {
    let key = vehicle_secret().public();
    let signed = honest();
    let claim = signed.statement.claim(Subject(key.to_bytes()));
    assert_eq!(signed.verify(&CHAIN, &key), Ok(claim));
    let bytes = signed.encode();
    for place in 0..signed.encode().len() - 64 {
        let mut changed = bytes.to_vec();
        changed[place] ^= 1;
        match Signed::decode(Copying(&changed)) {
            Ok(changed) => assert!(changed.verify(&CHAIN, &key).is_err(), "byte {place}"),
            Err(_) => assert!(place < 2, "byte {place}: no such signer"),
        }
    }
    assert!(signed.verify(&ChainId([1; 32]), &key).is_err());
    let other = SecretKey::random(&mut rng(4)).public();
    assert!(signed.verify(&CHAIN, &other).is_err());
}

#[test]
fn old_messages_are_passed_over() {
    let signed = honest();
    assert_eq!(signed.check_age(START + THR_MS), Ok(()));
    assert_eq!(signed.check_age(0), Ok(()), "the future is judged later");
    let stale = Err(PositionError::Stale(THR_MS + 1));
    assert_eq!(signed.check_age(START + THR_MS + 1), stale);
}

#[test]
fn one_bad_signature_is_named_and_spoils_no_other() {
    let (mut messages, records) = many(8);
    assert_eq!(receiver().needs(&messages).len(), 8);
    let check = |messages: &[Signed]| receiver().verify(messages, &records, START, &mut rng(5));
    assert!(check(&messages).iter().all(Result::is_ok));
    messages[5].statement.sequence += 1;
    for (place, result) in check(&messages).into_iter().enumerate() {
        let expected = match place {
            5 => Err(PositionError::Signature(Signer::Registered(Uid([5; 8])))),
            _ => Ok(messages[place].statement),
        };
        let found = result.map(|verified| {
            assert_eq!(
                verified.signatory.signer(),
                messages[place].statement.signer
            );
            let claim = messages[place].statement.claim(verified.claim.subject);
            assert_eq!(verified.claim, claim);
            messages[place].statement
        });
        assert_eq!(found, expected, "message {place}");
    }
}

#[test]
fn keys_that_are_unknown_over_or_revoked_are_refused() {
    let signed = honest();
    // A key that was good before is judged by its record again.
    let mut receiver = receiver();
    let mut check = |record: Option<VehicleRecord>, now_ms| {
        let record = record.map(|record| Record::of(&record));
        let records = [(key_of(&UID), record)];
        receiver.verify(&[signed], &records, now_ms, &mut rng(6))[0].map(|_| ())
    };
    let good = vehicle_record();
    assert_eq!(check(Some(good), START), Ok(()));
    assert_eq!(check(None, START), Err(PositionError::NotRegistered(UID)));
    let not_valid = Err(PositionError::NotValid(UID));
    assert_eq!(check(Some(good), START + DAY), not_valid);
    let revoked = VehicleRecord {
        revoked_ms: Some(START),
        ..good
    };
    assert_eq!(check(Some(revoked), START), not_valid);
    let missing = receiver.verify(&[signed], &[], START, &mut rng(6));
    assert_eq!(missing[0], Err(PositionError::RecordMissing(key_of(&UID))));
}

#[test]
fn counts_do_not_go_back_over_a_restart() {
    let now_ms = 1_800_000_000_000;
    let sequence = |speaker: &mut Speaker, at_ms| {
        let signed = speaker.speak(driving(0), at_ms, &mut rng(7));
        signed.statement.sequence
    };
    let mut first = Speaker::registered(CHAIN, UID, vehicle_secret(), now_ms);
    let last = (0..600).map(|tenth| sequence(&mut first, now_ms + 100 * tenth));
    let last = last.last().unwrap();
    let mut second = Speaker::registered(CHAIN, UID, vehicle_secret(), now_ms + 60_000);
    assert!(last < sequence(&mut second, now_ms + 60_000));
}

#[test]
fn evidence_convinces_whoever_has_key_and_position() {
    let evidence = liar(12);
    assert_eq!(verdict(&evidence), Ok(()));
    let bytes = evidence.encode();
    assert_eq!(Evidence::decode(Copying(&bytes)).unwrap(), evidence);
    assert_eq!(
        hex(&evidence.digest()),
        include_str!("fixtures/evidence.txt").trim(),
        "the encoding has changed"
    );
}

#[test]
fn evidence_that_proves_nothing_is_refused() {
    assert_eq!(verdict(&liar(3)), Err(EvidenceError::NotDue));
    assert_eq!(verdict(&liar(0)), Err(EvidenceError::NotDue));
    let (mut speaker, mut rng) = (speaker(), rng(3));
    let honest = (0..60).map(|second| {
        let at_ms = START + 1_000 * second;
        let message = speaker.speak(driving(second), at_ms, &mut rng);
        Heard { at_ms, message }
    });
    assert_eq!(
        verdict(&evidence(honest.collect())),
        Err(EvidenceError::NotDue)
    );
}

#[test]
fn evidence_that_was_tampered_with_is_refused() {
    let mut other = liar(12);
    other.messages[4].message.statement.signer = Signer::Registered(Uid([1; 8]));
    assert_eq!(verdict(&other), Err(EvidenceError::OtherSigner(4)));

    let mut forged = liar(12);
    forged.messages[7].message.statement.motion.speed_cm_s += 1;
    assert_eq!(verdict(&forged), Err(EvidenceError::Signature(7)));

    let mut unordered = liar(12);
    unordered.messages.swap(2, 3);
    assert_eq!(verdict(&unordered), Err(EvidenceError::Order));

    let mut long = liar(12);
    long.messages[11].at_ms = long.messages[0].at_ms + MAX_SPAN_MS + 1;
    assert_eq!(verdict(&long), Err(EvidenceError::Order));

    let mut repeated = liar(12);
    repeated.messages.insert(6, repeated.messages[5]);
    let replayed = EvidenceError::Unusable(6, Unusable::Replayed);
    assert_eq!(verdict(&repeated), Err(replayed));

    let mut delayed = liar(12);
    delayed.messages[11].at_ms += THR_MS;
    assert!(matches!(
        verdict(&delayed),
        Err(EvidenceError::Unusable(11, Unusable::Stale { .. }))
    ));
}

#[test]
fn faults_that_lie_far_apart_do_not_add_up() {
    // A vehicle of the worst honest kind, whose position jumps away and back twice an hour: an RSU
    // that leaves out all clean messages still cannot make two minutes of it convincing.
    let all = liar(12).messages;
    let sparse = all.into_iter().zip(0..).map(|(heard, index)| {
        let at_ms = heard.at_ms + index * MAX_SPAN_MS / 8;
        Heard { at_ms, ..heard }
    });
    assert_eq!(
        verdict(&evidence(sparse.collect())),
        Err(EvidenceError::Order)
    );
}

#[test]
fn evidence_is_bounded() {
    let full = Evidence {
        messages: vec![liar(1).messages[0]; MAX_MESSAGES],
        ..liar(1)
    };
    let bytes = full.encode();
    assert_eq!(bytes.len(), 10 + 32 + 4 + 2 + 109 * MAX_MESSAGES);
    assert!(Evidence::decode(Copying(&bytes)).is_ok());
    let over = Evidence {
        messages: vec![liar(1).messages[0]; MAX_MESSAGES + 1],
        ..liar(1)
    };
    assert!(Evidence::decode(Copying(&over.encode())).is_err());
    let empty = Evidence {
        messages: Vec::new(),
        rsu: Rid(1),
        ..liar(1)
    };
    assert!(Evidence::decode(Copying(&empty.encode())).is_err());
}

proptest! {
    #[test]
    fn whatever_decodes_encodes_to_the_same_bytes(mut bytes in prop::collection::vec(any::<u8>(), 141), has_credential: bool) {
        bytes.insert(0, 0x30 + u8::from(has_credential));
        bytes.truncate(if has_credential { 142 } else { 102 });
        bytes[1] %= 2;
        bytes[37] %= 4;
        bytes[101] &= 0x1f;
        if let Ok(message) = Message::decode(&bytes) {
            prop_assert_eq!(message.encode(), bytes);
        }
    }

    #[test]
    fn arbitrary_bytes_are_no_evidence_and_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        if let Ok(evidence) = Evidence::decode(Copying(&bytes)) {
            prop_assert!(verdict(&evidence).is_err());
        }
    }
}
