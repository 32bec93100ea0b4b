//! Logins with a registered key: those that succeed, here, and in the modules every way in which one is
//! refused, by rule.

#[path = "../common/mod.rs"]
mod common;

mod answer;
mod forged;
mod refused;
mod replay;

use cairn_contracts::keys::VehicleRecord;
use cairn_protocol::{
    THR_MS,
    login::Way,
    session::MAX_VALIDITY_MS,
    token::{self, Holder},
    vehicle::{self, Effect, RETRY_MS},
};
use common::{Answer, DAY, Link, Pair, RID, START, UID, sent};

#[test]
fn both_sides_agree_on_keys_and_names() {
    let mut pair = Pair::new();
    let accepted = pair.log_in();
    assert_eq!(accepted.holder, Holder::Registered(UID));
    let (rid, session) = pair.vehicle.session().unwrap();
    let (holder, theirs) = pair.rsu.session(accepted.asc, pair.now).unwrap();
    assert_eq!((rid, holder), (RID, Holder::Registered(UID)));
    assert_eq!(session.asc(), accepted.asc);
    assert_eq!(session.key().as_bytes(), theirs.key().as_bytes());
    assert_eq!(session.agreement(), accepted.agreement);
    assert_eq!(session.until_ms(), START + u64::from(MAX_VALIDITY_MS));
    let mint = accepted.mint.unwrap();
    let next_token = pair.vehicle.next_token().unwrap().public();
    assert_eq!(mint.id, token::id(&next_token));
    assert_eq!((mint.expires_ms, mint.hops), (accepted.until_ms, 0));
    assert_eq!((accepted.way, accepted.spend), (Way::Registered, None));
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
    assert!(pair.rsu.drop_session_of(&Holder::Registered(UID)));
    assert!(!pair.rsu.drop_session_of(&Holder::Registered(UID)));
    assert!(pair.rsu.session(accepted.asc, pair.now).is_none());
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
