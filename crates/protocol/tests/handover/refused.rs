//! Tokens that the ledger speaks against: V-TOKEN-1 to V-TOKEN-7. The vehicle logs in fully at once and learns
//! nothing.

use cairn_contracts::{
    keys::{RsuRecord, VehicleRecord, rsu_key, vehicle_key},
    tokens::TokenId,
};
use cairn_protocol::{
    login::{Code, Way},
    roadside::{TokenWhy, Why},
    token::{Holder, MAX_HANDOVERS, SPEND_MARGIN_MS},
    vehicle::Effect,
};

use crate::{
    at_a,
    common::{
        KEYS, START, UID, rsu_record,
        town::{A, B, Town, only_datagram},
        vehicle_record,
    },
};

/// A handover to B after a change of the ledger.
fn refused(change: impl FnOnce(&mut Town, TokenId)) -> TokenWhy {
    let (mut town, id) = at_a();
    change(&mut town, id);
    let hello = town.handover_hello(B);
    assert_eq!(hello.len(), 175);
    let rejected = town.answer(B, &hello).unwrap().rejected();
    assert_eq!(rejected.why.code(), Code::LogInFully);
    assert_eq!(town.rsus[&B].session_count(), 0);
    match &town.hear(&rejected.reply).unwrap()[..] {
        [Effect::TokenRefused(B), Effect::Send { to: B, datagram }] => {
            assert_eq!(datagram.len(), 157);
        }
        other => panic!("expected a full login, got {other:?}"),
    }
    match rejected.why {
        Why::Token(Holder::Registered(UID), why) => why,
        other => panic!("expected a refused token, got {other:?}"),
    }
}

#[test]
fn unknown_token_is_refused() {
    let why = refused(|town, _| {
        let mut early = Town::new();
        early.log_in(A);
        *town = early;
    });
    assert_eq!(why, TokenWhy::Unknown);
}

#[test]
fn refused_vehicle_is_logged_in_with_one_round_trip_more() {
    let mut town = Town::new();
    town.log_in(A);
    let hello = town.handover_hello(B);
    let rejected = town.answer(B, &hello).unwrap().rejected();
    let effects = town.hear(&rejected.reply).unwrap();
    let accepted = town.exchange(B, &only_datagram(&effects[1..]));
    assert_eq!(accepted.way, Way::Registered);
    assert_eq!(town.vehicle.session().unwrap().0, B);
}

#[test]
fn refused_when_the_beacon_has_become_too_old_the_vehicle_tries_again_later() {
    let mut town = Town::new();
    town.log_in(A);
    let hello = town.handover_hello(B);
    let rejected = town.answer(B, &hello).unwrap().rejected();
    town.now += cairn_protocol::THR_MS + 1;
    let effects = town.hear(&rejected.reply).unwrap();
    assert_eq!(
        effects,
        [Effect::TokenRefused(B), Effect::LoginUnanswered(B)]
    );
    assert_eq!(town.hand_over(B).way, Way::Registered);
}

#[test]
fn token_that_expires_before_its_spend_can_be_final_is_refused() {
    let at = START + SPEND_MARGIN_MS - 1;
    let why = refused(|town, id| town.alter(&id, |token| token.expires_ms = at));
    assert_eq!(why, TokenWhy::Expired(at));
    let (mut town, id) = at_a();
    town.alter(&id, |token| token.expires_ms = at + 1);
    assert_eq!(town.hand_over(B).way, Way::Token);
}

#[test]
fn spent_token_is_refused() {
    let why = refused(|town, id| town.alter(&id, |token| token.spent = Some([1; 32])));
    assert_eq!(why, TokenWhy::Spent);
}

#[test]
fn token_with_another_commitment_is_refused() {
    let why = refused(|town, id| town.alter(&id, |token| token.commitment[31] ^= 1));
    assert_eq!(why, TokenWhy::Commitment);
}

#[test]
fn token_with_too_many_hops_is_refused() {
    let why = refused(|town, id| town.alter(&id, |token| token.hops = MAX_HANDOVERS));
    assert_eq!(why, TokenWhy::Hops(MAX_HANDOVERS));
}

#[test]
fn token_of_a_revoked_expired_or_unregistered_holder_is_refused() {
    let revoked = VehicleRecord {
        revoked_ms: Some(START),
        ..vehicle_record()
    };
    let expired = VehicleRecord {
        valid_until_ms: START,
        ..vehicle_record()
    };
    for record in [revoked, expired] {
        let why = refused(|town, _| town.set(vehicle_key(&KEYS, &UID), &record));
        assert_eq!(why, TokenWhy::Holder);
    }
    let why = refused(|town, _| {
        town.state.remove(&vehicle_key(&KEYS, &UID));
    });
    assert_eq!(why, TokenWhy::Holder);
}

#[test]
fn token_minted_by_a_revoked_or_unregistered_rsu_is_refused() {
    let revoked = RsuRecord {
        revoked_ms: Some(START),
        ..rsu_record(A)
    };
    let why = refused(|town, _| town.set(rsu_key(&KEYS, A), &revoked));
    assert_eq!(why, TokenWhy::Minter(A));
    let why = refused(|town, _| {
        town.state.remove(&rsu_key(&KEYS, A));
    });
    assert_eq!(why, TokenWhy::Minter(A));
}
