//! Logins that succeed, and every way in which one is refused.

mod common;

use cairn_crypto::{noise, schnorr::SecretKey};
use cairn_ledger::{Record, Rid, Uid, contracts::keys::VehicleRecord};
use cairn_protocol::{
    THR_MS,
    beacon::Beacons,
    login::{Code, Context, Credential, CredentialError, Registered, Way, prologue},
    roadside::{REPLAY_WINDOW_MS, Received, Refusal, Roadside, Why},
    session::MAX_VALIDITY_MS,
    token,
    vehicle::{self, Effect, MAX_COOKIES, RETRY_MS},
    wire::{Accept, Addressee, Beacon, BeaconId, Hello, Message, Sealed},
};
use common::{Answer, CHAIN, DAY, Link, Pair, RID, START, UID, decoded, rng, sent, site};
use proptest::prelude::*;

#[test]
fn both_sides_agree_on_keys_and_names() {
    let mut pair = Pair::new();
    let accepted = pair.log_in();
    assert_eq!(accepted.uid, UID);
    let (rid, session) = pair.vehicle.session().unwrap();
    let (uid, theirs) = pair.rsu.session(accepted.asc, pair.now).unwrap();
    assert_eq!((rid, uid), (RID, UID));
    assert_eq!(session.asc(), accepted.asc);
    assert_eq!(session.key().as_bytes(), theirs.key().as_bytes());
    assert_eq!(session.agreement(), accepted.agreement);
    assert_eq!(session.until_ms(), START + u64::from(MAX_VALIDITY_MS));
    let mint = accepted.mint.unwrap();
    let next_token = pair.vehicle.next_token().unwrap().public();
    assert_eq!(mint.id, token::id(&next_token));
    assert_eq!((mint.expires_ms, mint.hops), (accepted.until_ms, 0));
    assert_eq!((accepted.way, accepted.spend), (Way::Full, None));
}

#[test]
fn hello_and_accept_take_214_bytes() {
    let mut pair = Pair::new();
    pair.meet();
    let hello = pair.hello();
    let accept = pair.answer(&hello).unwrap().accepted().reply;
    assert_eq!((hello.len(), accept.len()), (157, 57));
    assert!(
        hello.len() + accept.len() <= 237,
        "paper 000's login without key agreement"
    );
}

#[test]
fn every_login_has_its_own_keys() {
    let mut pair = Pair::new();
    let first = pair.log_in();
    let second = pair.log_in();
    assert_ne!(first.asc, second.asc);
    assert_ne!(first.agreement, second.agreement);
    assert_ne!(first.mint, second.mint);
    // One session per vehicle: the second took the first one's place.
    assert_eq!(pair.rsu.session_count(), 1);
    assert!(pair.rsu.session(first.asc, pair.now).is_none());
}

#[test]
fn session_ends_with_its_validity_and_with_the_keys_validity() {
    let mut pair = Pair::new();
    pair.register(&VehicleRecord {
        valid_until_ms: START + 5_000,
        ..common::vehicle_record()
    });
    let accepted = pair.log_in();
    assert_eq!(accepted.until_ms, START + 5_000);
    pair.now = START + 5_000;
    assert!(pair.rsu.session(accepted.asc, pair.now).is_none());
    pair.rsu.tick(pair.now);
    assert_eq!(pair.rsu.session_count(), 0);
    let effects = pair.vehicle.wake(pair.now, &mut pair.rng);
    assert_eq!(effects, [Effect::SessionOver(RID)]);
    assert!(pair.vehicle.session().is_none());
}

#[test]
fn revocation_drops_the_session() {
    let mut pair = Pair::new();
    let accepted = pair.log_in();
    assert!(pair.rsu.drop_session_of(&UID));
    assert!(!pair.rsu.drop_session_of(&UID));
    assert!(pair.rsu.session(accepted.asc, pair.now).is_none());
}

// V-HELLO-1

#[test]
fn hello_to_a_beacon_older_than_thr_is_refused() {
    let mut pair = Pair::new();
    pair.meet();
    let hello = pair.hello();
    pair.now += THR_MS + 1;
    assert!(matches!(pair.answer(&hello), Err(Refusal::Beacon(_))));
}

#[test]
fn hello_to_a_beacon_just_within_thr_is_accepted() {
    let mut pair = Pair::new();
    pair.meet();
    let hello = pair.hello();
    pair.now += THR_MS;
    pair.answer(&hello).unwrap().accepted();
}

#[test]
fn hello_relayed_to_another_rsu_is_refused() {
    let mut pair = Pair::new();
    pair.meet();
    let hello = pair.hello();
    // The other RSU happens to have a beacon of the same id.
    let mut other = Roadside::new(site(Rid(4)), &mut rng(1));
    let beacon = other.beacon(pair.now, &mut rng(2));
    let Message::Beacon(Beacon { id, .. }) = decoded(&beacon) else {
        panic!("a beacon")
    };
    let Message::Hello(hello) = decoded(&hello) else {
        panic!("a hello")
    };
    let relayed = Message::Hello(Hello {
        beacon: id,
        ..hello
    })
    .encode();
    let refused = other.receive(b"", &relayed, pair.now, &mut rng(3));
    assert!(matches!(
        refused,
        Err(Refusal::Handshake(noise::Error::Tag))
    ));
}

#[test]
fn hello_from_before_a_restart_is_refused() {
    let mut pair = Pair::new();
    pair.meet();
    let hello = pair.hello();
    pair.rsu = Roadside::new(site(RID), &mut rng(77));
    pair.rsu.beacon(pair.now, &mut rng(78));
    assert!(matches!(pair.answer(&hello), Err(Refusal::Beacon(_))));
}

// V-HELLO-2

#[test]
fn repeated_hello_gets_the_same_answer_and_no_second_session() {
    let mut pair = Pair::new();
    pair.meet();
    let hello = pair.hello();
    let accepted = pair.answer(&hello).unwrap().accepted();
    for wait in [0, THR_MS, REPLAY_WINDOW_MS - THR_MS] {
        pair.now += wait;
        let Answer::Repeated(reply) = pair.answer(&hello).unwrap() else {
            panic!("repeated")
        };
        assert_eq!(reply, accepted.reply);
    }
    assert_eq!(pair.accepted.len(), 1);
}

#[test]
fn replayed_hello_outside_the_window_is_refused() {
    let mut pair = Pair::new();
    pair.meet();
    let hello = pair.hello();
    pair.answer(&hello).unwrap().accepted();
    pair.now += REPLAY_WINDOW_MS + 1;
    pair.rsu.tick(pair.now);
    assert!(matches!(pair.answer(&hello), Err(Refusal::Beacon(_))));
}

#[test]
fn repeated_hello_waits_while_the_first_is_worked_on() {
    let mut pair = Pair::new();
    pair.meet();
    let hello = pair.hello();
    let received = pair.rsu.receive(b"", &hello, pair.now, &mut pair.rng);
    assert!(matches!(received, Ok(Received::Login(_))));
    assert!(matches!(pair.answer(&hello), Err(Refusal::InProgress)));
}

#[test]
fn another_hello_with_a_used_ephemeral_is_refused() {
    let mut pair = Pair::new();
    pair.meet();
    let hello = pair.hello();
    pair.answer(&hello).unwrap().accepted();
    let mut other = hello.clone();
    *other.last_mut().unwrap() ^= 1;
    assert!(matches!(pair.answer(&other), Err(Refusal::EphemeralReused)));
}

// V-HELLO-3

#[test]
fn under_load_a_hello_without_cookie_costs_no_key_agreement() {
    let mut pair = Pair::new();
    pair.meet();
    pair.rsu.set_under_load(true);
    let hello = pair.hello();
    let Answer::Repeated(demand) = pair.answer(&hello).unwrap() else {
        panic!("a demand")
    };
    assert!(demand.len() < hello.len(), "a demand amplifies nothing");
    let with_cookie = sent(&pair.hear(&demand).unwrap());
    let accepted = pair.answer(&with_cookie).unwrap().accepted();
    pair.hear(&accepted.reply).unwrap();
    assert!(pair.vehicle.session().is_some());
}

#[test]
fn cookie_of_another_address_hello_or_time_is_refused() {
    let mut pair = Pair::new();
    pair.meet();
    pair.rsu.set_under_load(true);
    let hello = pair.hello();
    let Answer::Repeated(demand) = pair.answer(&hello).unwrap() else {
        panic!("a demand")
    };
    let with_cookie = sent(&pair.hear(&demand).unwrap());

    let received = pair
        .rsu
        .receive(b"elsewhere", &with_cookie, pair.now, &mut pair.rng);
    assert!(matches!(received, Ok(Received::Reply(reply)) if reply.len() == 21));

    let mut wrong = with_cookie.clone();
    wrong[1] ^= 1;
    assert!(matches!(pair.answer(&wrong), Ok(Answer::Repeated(_))));

    let Message::HelloWithCookie(cookie, _) = decoded(&with_cookie) else {
        panic!("a cookie")
    };
    let Message::Hello(other) = decoded(&pair.hello()) else {
        panic!("a hello")
    };
    let other = Message::HelloWithCookie(cookie, other).encode();
    assert!(matches!(pair.answer(&other), Ok(Answer::Repeated(_))));
    assert!(pair.accepted.is_empty());
}

#[test]
fn forged_demands_for_cookies_are_followed_a_few_times_only() {
    let mut pair = Pair::new();
    pair.meet();
    pair.rsu.set_under_load(true);
    let hello = pair.hello();
    let Answer::Repeated(demand) = pair.answer(&hello).unwrap() else {
        panic!("a demand")
    };
    for _ in 0..MAX_COOKIES {
        pair.hear(&demand).unwrap();
    }
    assert!(matches!(pair.hear(&demand), Err(vehicle::Refusal::Cookies)));
}

// V-HELLO-4

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_changed_byte_of_hello_is_refused(at in 0..157_usize, flip in 1..=u8::MAX) {
        let mut pair = Pair::new();
        pair.meet();
        let mut hello = pair.hello();
        hello[at] ^= flip;
        prop_assert!(pair.answer(&hello).is_err());
    }

    #[test]
    fn any_changed_byte_of_accept_is_refused_and_the_true_one_still_taken(
        at in 0..57_usize,
        flip in 1..=u8::MAX,
    ) {
        let mut pair = Pair::new();
        pair.meet();
        let hello = pair.hello();
        let accept = pair.answer(&hello).unwrap().accepted().reply;
        let mut changed = accept.clone();
        changed[at] ^= flip;
        prop_assert!(pair.hear(&changed).is_err());
        prop_assert!(pair.hear(&accept).is_ok());
    }

    #[test]
    fn truncated_and_extended_messages_are_refused(length in 0..400_usize) {
        let mut pair = Pair::new();
        pair.meet();
        let mut hello = pair.hello();
        prop_assume!(length != hello.len());
        hello.resize(length, 0);
        prop_assert!(pair.answer(&hello).is_err());
        prop_assert!(pair.hear(&hello).is_err());
    }

    #[test]
    fn noise_from_the_air_changes_nothing(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut pair = Pair::new();
        pair.meet();
        prop_assert!(pair.answer(&bytes).is_err());
        prop_assert!(pair.hear(&bytes).is_err());
        pair.log_in();
    }
}

// V-HELLO-5 to V-HELLO-8: a cheater that seals what it likes.

/// Seals a payload for the RSU under a fresh ephemeral.
fn forged(beacon: &[u8], payload: impl FnOnce(&Beacon, [u8; 32]) -> Vec<u8>) -> Vec<u8> {
    let Message::Beacon(beacon) = decoded(beacon) else {
        panic!("a beacon")
    };
    let mut rng = rng(99);
    let initiator = noise::Initiator::new(beacon.ephemeral, &prologue(&beacon), &mut rng);
    let payload = payload(&beacon, initiator.ephemeral());
    let (handshake, _) = initiator.hello(&payload).unwrap();
    let handshake = Sealed::from_bytes(&handshake).unwrap();
    Message::Hello(Hello {
        beacon: beacon.id,
        handshake,
    })
    .encode()
}

/// The payload of an honest vehicle under this ephemeral.
fn honest(beacon: &Beacon, ephemeral: [u8; 32], uid: Uid, key: &SecretKey) -> Registered {
    let context = Context {
        chain: &CHAIN,
        beacon,
        ephemeral: &ephemeral,
    };
    let token = SecretKey::random(&mut rng(5)).public();
    Registered::sign(&context, uid, key, token, &mut rng(6))
}

#[test]
fn credential_rewrapped_under_another_ephemeral_is_refused() {
    let mut pair = Pair::new();
    let beacon = pair.meet();
    // Whoever holds E_r opens the credential and seals it again under an ephemeral of its own.
    let hello = forged(&beacon, |beacon, _| {
        let stolen = honest(beacon, [1; 32], UID, &common::vehicle_secret());
        Credential::Registered(stolen).encode()
    });
    let rejected = pair.answer(&hello).unwrap().rejected();
    assert_eq!(rejected.why, Why::Signature(UID));
}

#[test]
fn credential_for_another_beacon_is_refused() {
    let mut pair = Pair::new();
    let beacon = pair.meet();
    let hello = forged(&beacon, |beacon, ephemeral| {
        for change in [0, 1] {
            let mut other = beacon.clone();
            match change {
                0 => other.rid = Rid(4),
                _ => other.id = BeaconId(other.id.0 ^ 1),
            }
            let stolen = honest(&other, ephemeral, UID, &common::vehicle_secret());
            let context = Context {
                chain: &CHAIN,
                beacon,
                ephemeral: &ephemeral,
            };
            let statement = context.registered(&UID, &stolen.next_token);
            let key = common::vehicle_secret().public();
            assert!(key.verify(&statement, &stolen.signature).is_err());
        }
        let mut older = beacon.clone();
        older.time_ms -= 1_000;
        let stolen = honest(&older, ephemeral, UID, &common::vehicle_secret());
        Credential::Registered(stolen).encode()
    });
    assert_eq!(
        pair.answer(&hello).unwrap().rejected().why,
        Why::Signature(UID)
    );
}

#[test]
fn changed_next_token_is_refused() {
    let mut pair = Pair::new();
    let beacon = pair.meet();
    let hello = forged(&beacon, |beacon, ephemeral| {
        let mut credential = honest(beacon, ephemeral, UID, &common::vehicle_secret());
        credential.next_token = SecretKey::random(&mut rng(55)).public();
        Credential::Registered(credential).encode()
    });
    assert_eq!(
        pair.answer(&hello).unwrap().rejected().why,
        Why::Signature(UID)
    );
}

#[test]
fn signature_of_another_key_is_refused() {
    let mut pair = Pair::new();
    let beacon = pair.meet();
    let hello = forged(&beacon, |beacon, ephemeral| {
        let other = SecretKey::random(&mut rng(56));
        Credential::Registered(honest(beacon, ephemeral, UID, &other)).encode()
    });
    assert_eq!(
        pair.answer(&hello).unwrap().rejected().why,
        Why::Signature(UID)
    );
}

#[test]
fn identity_and_non_canonical_next_tokens_are_refused() {
    for token in [[0; 32], [0xff; 32]] {
        let mut pair = Pair::new();
        let beacon = pair.meet();
        let hello = forged(&beacon, |beacon, ephemeral| {
            let honest = honest(beacon, ephemeral, UID, &common::vehicle_secret());
            let mut bytes = Credential::Registered(honest).encode();
            bytes[8..40].copy_from_slice(&token);
            bytes
        });
        let refused = pair.answer(&hello);
        assert!(matches!(
            refused,
            Err(Refusal::Credential(CredentialError::NextToken(_)))
        ));
    }
}

#[test]
fn non_canonical_signature_is_refused() {
    let mut pair = Pair::new();
    let beacon = pair.meet();
    let hello = forged(&beacon, |beacon, ephemeral| {
        let honest = honest(beacon, ephemeral, UID, &common::vehicle_secret());
        let mut bytes = Credential::Registered(honest).encode();
        bytes[72..].fill(0xff);
        bytes
    });
    let refused = pair.answer(&hello);
    assert!(matches!(
        refused,
        Err(Refusal::Credential(CredentialError::Signature(_)))
    ));
}

#[test]
fn small_order_ephemeral_is_refused() {
    let mut pair = Pair::new();
    pair.meet();
    let mut hello = pair.hello();
    hello[5..37].fill(0);
    let refused = pair.answer(&hello);
    assert!(matches!(
        refused,
        Err(Refusal::Handshake(noise::Error::SmallOrder))
    ));
}

#[test]
fn credential_of_another_length_is_refused() {
    for length in [0, 103, 105, 120, 122] {
        let bytes = vec![1; length];
        assert_eq!(
            Credential::decode(&bytes),
            Err(CredentialError::Length(length))
        );
    }
}

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

// V-ACCEPT

#[test]
fn answer_to_nobody_or_to_an_older_login_is_refused() {
    let mut pair = Pair::new();
    pair.meet();
    let hello = pair.hello();
    let accept = pair.answer(&hello).unwrap().accepted().reply;
    pair.hello();
    assert!(matches!(
        pair.hear(&accept),
        Err(vehicle::Refusal::NotAsked)
    ));
    let mut pair = Pair::new();
    assert!(matches!(
        pair.hear(&accept),
        Err(vehicle::Refusal::NotAsked)
    ));
}

#[test]
fn endless_validity_is_refused() {
    for (validity_ms, good) in [
        (0, false),
        (1, true),
        (MAX_VALIDITY_MS, true),
        (u32::MAX, false),
    ] {
        let mut pair = Pair::new();
        // An RSU of our own making, which grants what it likes.
        let mut rng = rng(60);
        let mut beacons = Beacons::new(CHAIN, RID, common::rsu_signer(RID), &mut rng);
        let beacon = beacons.make(pair.now, &mut rng);
        pair.hear(&Message::Beacon(beacon.clone()).encode())
            .unwrap();
        let proof = common::verified(5, pair.now, &[(RID, Some(common::rsu_record(RID)))]);
        pair.vehicle.learn(&proof, &common::HERE, pair.now).unwrap();
        let Message::Hello(hello) = decoded(&pair.hello()) else {
            panic!("a hello")
        };
        let (_, secret) = beacons.answerable(beacon.id, pair.now).unwrap();
        let opened =
            noise::Responder::hello(secret, &prologue(&beacon), hello.handshake.as_bytes());
        let (_, responder) = opened.unwrap();
        let (handshake, _) = responder
            .accept(&validity_ms.to_be_bytes(), &mut rng)
            .unwrap();
        let to = Addressee::of(&hello.ephemeral());
        let accept = Message::Accept(Accept {
            to,
            handshake: handshake.try_into().unwrap(),
        });
        match pair.hear(&accept.encode()) {
            Ok(_) => assert!(good, "{validity_ms}"),
            Err(vehicle::Refusal::Validity(refused)) => {
                assert!(!good);
                assert_eq!(refused, validity_ms);
            }
            Err(other) => panic!("expected another refusal than {other}"),
        }
    }
}

#[test]
fn accept_replayed_after_login_is_refused() {
    let mut pair = Pair::new();
    let accepted = pair.log_in();
    assert!(matches!(
        pair.hear(&accepted.reply),
        Err(vehicle::Refusal::NotAsked)
    ));
}

// Repetition

#[test]
fn unanswered_hello_is_repeated_until_its_beacon_is_too_old() {
    let mut pair = Pair::new();
    pair.meet();
    let hello = pair.hello();
    let mut repeated = 0;
    loop {
        pair.now = pair.vehicle.next_wakeup().unwrap();
        let effects = pair.vehicle.wake(pair.now, &mut pair.rng);
        if effects == [Effect::LoginUnanswered(RID)] {
            break;
        }
        assert_eq!(sent(&effects), hello);
        repeated += 1;
    }
    assert_eq!(repeated, THR_MS / RETRY_MS);
    assert_eq!(pair.vehicle.next_wakeup(), None);
    let late = pair.vehicle.login(RID, pair.now, &mut pair.rng);
    assert!(matches!(late, Err(vehicle::Refusal::NotInReach(RID))));
}

#[test]
fn lost_accept_is_repaired_by_repeating_hello() {
    let mut pair = Pair::new();
    pair.meet();
    let hello = pair.hello();
    let lost = pair.answer(&hello).unwrap().accepted();
    pair.now = pair.vehicle.next_wakeup().unwrap();
    let again = sent(&pair.vehicle.wake(pair.now, &mut pair.rng));
    let Answer::Repeated(reply) = pair.answer(&again).unwrap() else {
        panic!("repeated")
    };
    assert_eq!(reply, lost.reply);
    pair.hear(&reply).unwrap();
    assert_eq!(pair.vehicle.session().unwrap().1.asc(), lost.asc);
}

#[test]
fn a_bad_link_delays_logins_and_does_not_break_them() {
    for seed in 0..20 {
        let mut pair = Pair::seeded(seed);
        let mut link = Link::new(30, 20, 200);
        let end = START + 20_000;
        pair.drive(&mut link, end);
        let (_, session) = pair
            .vehicle
            .session()
            .expect("logged in within twenty seconds");
        let (_, theirs) = pair
            .rsu
            .session(session.asc(), pair.now)
            .expect("the RSU knows it");
        assert_eq!(session.key().as_bytes(), theirs.key().as_bytes());
        assert!(pair.now < START + DAY);
    }
}
