//! Handovers that succeed, every way in which a token is refused, and what becomes of the vehicle.

mod common;

use cairn_crypto::schnorr::SecretKey;
use cairn_ledger::{
    Rid, Uid,
    contracts::{
        keys::{RsuRecord, VehicleRecord, rsu_key, vehicle_key},
        tokens::TokenId,
    },
};
use cairn_protocol::{
    login::{Code, Context, Credential, CredentialError, Way},
    roadside::{Received, Refusal, TokenWhy, Why},
    token::{self, Holder, MAX_HANDOVERS, SPEND_MARGIN_MS, TOKEN_BYTES, Token},
    vehicle::Effect,
    wire::Beacon,
};
use common::{
    Answer, CHAIN, KEYS, Link, START, UID, rng, rsu_record,
    town::{A, B, Town, only_datagram},
    vehicle_record,
};
use proptest::prelude::*;

/// Logged in at A, whose batch is final; the token's name.
fn at_a() -> (Town, TokenId) {
    let mut town = Town::new();
    let accepted = town.log_in(A);
    town.record(A);
    (town, accepted.mint.unwrap().id)
}

/// The vehicle's own n', as only a dishonest vehicle takes it out.
fn stolen(town: &Town) -> SecretKey {
    town.vehicle.next_token().unwrap().clone()
}

/// A token shown as a dishonest vehicle likes it.
fn shown(secret: &SecretKey, uid: Uid) -> impl FnOnce(&Beacon, [u8; 32]) -> Vec<u8> {
    move |beacon, ephemeral| {
        let context = Context {
            chain: &CHAIN,
            beacon,
            ephemeral: &ephemeral,
        };
        let next = SecretKey::random(&mut rng(71)).public();
        let holder = Holder::Registered(uid);
        Credential::Token(Token::show(&context, secret, holder, next, &mut rng(72))).encode()
    }
}

// What a handover is.

#[test]
fn both_sides_agree_and_the_old_session_goes_on() {
    let (mut town, id) = at_a();
    let (_, session) = town.vehicle.session().unwrap();
    let (old_asc, old_key) = (session.asc(), *session.key().as_bytes());

    let hello = town.handover_hello(B);
    assert_eq!(
        town.vehicle.session().unwrap().0,
        A,
        "served until accepted"
    );
    let accepted = town.exchange(B, &hello);
    assert_eq!((accepted.uid, accepted.way), (UID, Way::Handover));

    let (rid, session) = town.vehicle.session().unwrap();
    let (_, theirs) = town.rsus[&B].session(accepted.asc, town.now).unwrap();
    assert_eq!((rid, session.asc()), (B, accepted.asc));
    assert_eq!(session.key().as_bytes(), theirs.key().as_bytes());
    assert_eq!(session.agreement(), accepted.agreement);

    let (rid, previous) = town.vehicle.previous_session().unwrap();
    let (_, theirs) = town.rsus[&A].session(old_asc, town.now).unwrap();
    assert_eq!((rid, previous.asc()), (A, old_asc));
    assert_eq!(*theirs.key().as_bytes(), old_key);

    let spend = accepted.spend.unwrap();
    assert_eq!((spend.id, spend.minted_by), (id, A));
    let mint = accepted.mint.unwrap();
    assert_eq!((mint.hops, mint.expires_ms), (1, accepted.until_ms));
    let next = town.vehicle.next_token().unwrap().public();
    assert_eq!(mint.id, token::id(&next));
    let holder = Holder::Registered(UID);
    assert_eq!(mint.commitment, token::commitment(&next, &holder));

    town.now += SPEND_MARGIN_MS;
    assert_eq!(town.vehicle.next_wakeup(), Some(town.now));
    assert_eq!(town.vehicle.wake(town.now, &mut town.rng), []);
    assert!(town.vehicle.previous_session().is_none());
    assert!(town.vehicle.session().is_some());
}

#[test]
fn hello_and_accept_take_231_bytes() {
    let (mut town, _) = at_a();
    let hello = town.handover_hello(B);
    let accept = town.answer(B, &hello).unwrap().accepted().reply;
    assert_eq!((hello.len(), accept.len()), (174, 57));
    assert!(hello.len() + accept.len() <= 240, "the goal");
}

#[test]
fn under_load_a_handover_takes_a_cookie_too() {
    let (mut town, _) = at_a();
    town.rsus.get_mut(&B).unwrap().set_under_load(true);
    let hello = town.handover_hello(B);
    let demand = town.answer(B, &hello).unwrap().reply().unwrap();
    let with_cookie = only_datagram(&town.hear(&demand).unwrap());
    assert_eq!(with_cookie.len(), 190);
    assert_eq!(town.exchange(B, &with_cookie).way, Way::Handover);
}

#[test]
fn a_session_is_provisional_until_its_spend_is_settled() {
    let (mut town, id) = at_a();
    let accepted = town.hand_over(B);
    let pending: Vec<_> = town.rsus[&B].pending_spends().copied().collect();
    let [provisional] = pending[..] else {
        panic!("expected one, got {pending:?}")
    };
    assert_eq!((provisional.asc, provisional.token), (accepted.asc, id));
    assert_eq!(provisional.proof, accepted.spend.unwrap().proof);
    assert!(!provisional.has_won(town.token(&id).as_ref()));
    town.record(B);
    assert!(provisional.has_won(town.token(&id).as_ref()));
    assert!(!provisional.has_won(None), "cleaned up");
    assert_eq!(town.rsus[&B].pending_spends().count(), 0);
    assert!(town.rsus[&B].session(accepted.asc, town.now).is_some());
    assert_eq!(town.lost_races, 0);
}

#[test]
fn after_ten_handovers_a_full_login_is_due() {
    let (mut town, _) = at_a();
    for hop in 1..=MAX_HANDOVERS {
        let to = if hop % 2 == 1 { B } else { A };
        let accepted = town.hand_over(to);
        town.record(to);
        assert_eq!(accepted.way, Way::Handover);
        let hops = accepted.mint.map(|mint| mint.hops);
        assert_eq!(hops, (hop < MAX_HANDOVERS).then_some(hop));
    }
    // The vehicle counts too, and does not even try.
    let accepted = town.hand_over(B);
    assert_eq!((accepted.way, accepted.mint.unwrap().hops), (Way::Full, 0));
}

#[test]
fn a_token_is_shown_once_by_an_honest_vehicle() {
    let (mut town, _) = at_a();
    let hello = town.handover_hello(B);
    assert!(town.vehicle.next_token().is_none(), "n' is erased");
    // Unanswered: the same Hello again at the same RSU, a full login everywhere else.
    town.now = town.vehicle.next_wakeup().unwrap();
    let again = town.vehicle.wake(town.now, &mut town.rng);
    assert_eq!(only_datagram(&again), hello);
    assert_eq!(town.handover_hello(A).len(), 157);
    assert_eq!(town.handover_hello(B).len(), 157);
}

#[test]
fn an_order_that_cannot_be_followed_does_not_use_up_the_token() {
    let (mut town, _) = at_a();
    assert!(town.vehicle.handover(B, town.now, &mut town.rng).is_err());
    assert_eq!(town.hand_over(B).way, Way::Handover);
}

#[test]
fn without_a_usable_token_a_handover_is_a_full_login() {
    let mut town = Town::new();
    assert_eq!(town.hand_over(A).way, Way::Full);
    town.record(A);
    let until_ms = town.vehicle.session().unwrap().1.until_ms();
    town.now = until_ms - SPEND_MARGIN_MS;
    assert_eq!(town.hand_over(B).way, Way::Full);
}

#[test]
fn a_key_that_ends_soon_mints_no_token() {
    for (left_ms, minted) in [(SPEND_MARGIN_MS, false), (SPEND_MARGIN_MS + 1, true)] {
        let mut town = Town::new();
        let record = VehicleRecord {
            valid_until_ms: START + left_ms,
            ..vehicle_record()
        };
        town.set(vehicle_key(&KEYS, &UID), &record);
        assert_eq!(town.log_in(A).mint.is_some(), minted);
    }
}

// V-TOKEN: what an RSU refuses, and that the vehicle logs in fully at once and learns nothing.

/// A handover to B after a change of the ledger.
fn refused(change: impl FnOnce(&mut Town, TokenId)) -> TokenWhy {
    let (mut town, id) = at_a();
    change(&mut town, id);
    let hello = town.handover_hello(B);
    assert_eq!(hello.len(), 174);
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
        Why::Token(UID, why) => why,
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
    assert_eq!(accepted.way, Way::Full);
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
    assert_eq!(town.hand_over(B).way, Way::Full);
}

#[test]
fn token_that_expires_before_its_spend_can_be_final_is_refused() {
    let at = START + SPEND_MARGIN_MS - 1;
    let why = refused(|town, id| town.alter(&id, |token| token.expires_ms = at));
    assert_eq!(why, TokenWhy::Expired(at));
    let (mut town, id) = at_a();
    town.alter(&id, |token| token.expires_ms = at + 1);
    assert_eq!(town.hand_over(B).way, Way::Handover);
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

#[test]
fn the_minting_rsu_cannot_use_the_token() {
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
    assert_eq!(rejected.why, Why::Token(UID, TokenWhy::Proof));
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
    assert_eq!(rejected.why, Why::Token(other, TokenWhy::Commitment));
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
        assert_eq!(rejected.why, Why::Token(UID, TokenWhy::Proof));
    }
    // The same payload as it should be.
    let hello = town.forged(&beacon, shown(&secret, UID), 90);
    town.answer(B, &hello).unwrap().accepted();
}

#[test]
fn malformed_tokens_get_no_answer() {
    let (mut town, _) = at_a();
    let secret = stolen(&town);
    let cases: [(usize, &[u8]); 6] = [
        (0, &[0; 32]),
        (0, &[0xff; 32]),
        (32, &[1]),
        (41, &[0; 32]),
        (41, &[0xff; 32]),
        (89, &[0xff; 32]),
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
                | (32, CredentialError::Holder(1))
                | (41, CredentialError::NextToken(_))
                | (89, CredentialError::Signature(_))
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
    fn any_changed_byte_of_a_token_hello_is_refused(at in 0..174_usize, flip in 1..=u8::MAX) {
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

// Shown twice.

#[test]
fn replayed_token_hello_gets_the_same_answer_and_no_second_session() {
    let (mut town, _) = at_a();
    let hello = town.handover_hello(B);
    let accepted = town.exchange(B, &hello);
    let Answer::Repeated(reply) = town.answer(B, &hello).unwrap() else {
        panic!("repeated")
    };
    assert_eq!(reply, accepted.reply);
    assert_eq!(town.accepted.len(), 2);
    assert_eq!(town.queues[&B].spends.len(), 1);
    // At another RSU it does not even open.
    town.meet(A);
    assert!(town.answer(A, &hello).is_err());
    // Nor after its beacon.
    town.now += cairn_protocol::roadside::REPLAY_WINDOW_MS + 1;
    assert!(town.answer(B, &hello).is_err());
}

#[test]
fn token_shown_twice_at_one_rsu_is_served_once() {
    let (mut town, _) = at_a();
    let secret = stolen(&town);
    let beacon = town.meet(B);
    let first = town.forged(&beacon, shown(&secret, UID), 110);
    let second = town.forged(&beacon, shown(&secret, UID), 111);
    // Both read the ledger before either is answered.
    let mut opened = Vec::new();
    for hello in [&first, &second] {
        let rsu = town.rsus.get_mut(&B).unwrap();
        let Ok(Received::Login(login)) = rsu.receive(b"", hello, town.now, &mut town.rng) else {
            panic!("a login")
        };
        let mut records = town.look_up(&login.needs());
        records.extend(town.look_up(&login.needs_more(&records)));
        opened.push((login, records));
    }
    let (now, rng) = (town.now, &mut town.rng);
    let rsu = town.rsus.get_mut(&B).unwrap();
    let (second, stale) = opened.pop().unwrap();
    let (first, records) = opened.pop().unwrap();
    let accepted = rsu.accept(*first, &records, now, rng).unwrap();
    // Also when the first has been settled meanwhile.
    assert!(!rsu.settle(accepted.asc, true));
    let rejected = rsu.accept(*second, &stale, now, rng).unwrap_err();
    assert_eq!(rejected.why, Why::Token(UID, TokenWhy::Shown));
    assert_eq!(rejected.why.code(), Code::LogInFully);
    assert_eq!(rsu.session_count(), 1);
    assert!(rsu.session(accepted.asc, now).is_some());
}

#[test]
fn token_shown_at_two_rsus_is_kept_by_the_first_in_ledger_order() {
    for first in [A, B] {
        let (mut town, id) = at_a();
        let second = if first == A { B } else { A };
        let secret = stolen(&town);
        let mut sessions = Vec::new();
        for (seed, rid) in [(120, A), (121, B)] {
            let beacon = town.meet(rid);
            let hello = town.forged(&beacon, shown(&secret, UID), seed);
            sessions.push((rid, town.answer(rid, &hello).unwrap().accepted()));
        }
        let proofs: Vec<_> = sessions
            .iter()
            .map(|(_, s)| s.spend.unwrap().proof)
            .collect();
        assert_ne!(proofs[0], proofs[1], "the ledger can tell who won");
        town.record(first);
        town.record(second);
        assert_eq!(town.lost_races, 1);
        for (rid, session) in sessions {
            let is_served = town.rsus[&rid].session(session.asc, town.now).is_some();
            assert_eq!(is_served, rid == first);
            let won = town.token(&id).unwrap().spent == Some(session.spend.unwrap().proof);
            assert_eq!(won, rid == first);
        }
    }
}

#[test]
fn losing_a_race_does_not_drop_a_later_full_login() {
    let (mut town, id) = at_a();
    let lost = town.hand_over(B);
    let full = town.log_in(B);
    town.alter(&id, |token| token.spent = Some([1; 32]));
    town.record(B);
    assert_eq!(town.lost_races, 0);
    assert!(town.rsus[&B].session(lost.asc, town.now).is_none());
    assert!(town.rsus[&B].session(full.asc, town.now).is_some());
}

#[test]
fn a_spend_not_settled_when_the_token_expires_has_lost() {
    let (mut town, id) = at_a();
    let expires_ms = START + 60_000;
    town.alter(&id, |token| token.expires_ms = expires_ms);
    let accepted = town.hand_over(B);
    town.now = expires_ms - 1;
    let rsu = town.rsus.get_mut(&B).unwrap();
    rsu.tick(town.now);
    assert!(rsu.session(accepted.asc, town.now).is_some());
    assert_eq!(rsu.next_wakeup(), Some(expires_ms));
    rsu.tick(expires_ms);
    assert!(rsu.session(accepted.asc, town.now).is_none());
    assert_eq!(rsu.pending_spends().count(), 0);
    assert!(!rsu.settle(accepted.asc, true));
}

#[test]
fn revocation_drops_a_provisional_session_and_its_spend_is_still_recorded() {
    let (mut town, id) = at_a();
    town.hand_over(B);
    assert!(town.rsus.get_mut(&B).unwrap().drop_session_of(&UID));
    assert_eq!(town.rsus[&B].pending_spends().count(), 1);
    town.record(B);
    assert!(town.token(&id).unwrap().spent.is_some());
    assert_eq!((town.lost_races, town.rsus[&B].session_count()), (0, 0));
}

// Bad links and crashes.

#[test]
fn crash_between_serving_and_recording_costs_one_full_login_and_serves_nobody_twice() {
    let (mut town, id) = at_a();
    let secret = stolen(&town);
    let served = town.hand_over(B);
    town.crash(B);
    assert_eq!(town.rsus[&B].session_count(), 0);
    assert_eq!(town.token(&id).unwrap().spent, None);

    // The vehicle goes on: its next token is on no ledger.
    let hello = town.handover_hello(A);
    let rejected = town.answer(A, &hello).unwrap().rejected();
    assert_eq!(rejected.why, Why::Token(UID, TokenWhy::Unknown));
    let effects = town.hear(&rejected.reply).unwrap();
    let full = town.exchange(A, &only_datagram(&effects[1..]));
    assert_eq!(full.way, Way::Full);

    // A dishonest one shows the old token again: the first session is gone, so it is one service.
    let beacon = town.meet(B);
    let again = town.forged(&beacon, shown(&secret, UID), 130);
    let again = town.answer(B, &again).unwrap().accepted();
    assert!(town.rsus[&B].session(served.asc, town.now).is_none());
    assert_eq!(town.rsus[&B].session_count(), 1);
    town.record(B);
    assert_eq!(
        town.token(&id).unwrap().spent,
        Some(again.spend.unwrap().proof)
    );
    let beacon = town.meet(A);
    let third = town.forged(&beacon, shown(&secret, UID), 131);
    let rejected = town.answer(A, &third).unwrap().rejected();
    assert_eq!(rejected.why, Why::Token(UID, TokenWhy::Spent));
}

#[test]
fn loss_repetition_and_reordering_do_not_interrupt_service() {
    let (mut handovers, mut full) = (0, 0);
    for seed in 0..20 {
        let mut town = Town::seeded(seed);
        let links = [(); 2].map(|()| Link::new(5, 10, 120));
        let mut served = false;
        town.drive(links, START + 60_000, |town| {
            let has_session = town.vehicle.session().is_some();
            assert!(has_session || !served, "service was interrupted");
            served = has_session;
        });
        [A, B].into_iter().for_each(|rid: Rid| town.record(rid));
        assert_eq!(town.lost_races, 0);
        let (rid, session) = town.vehicle.session().expect("served");
        let (_, theirs) = town.rsus[&rid]
            .session(session.asc(), town.now)
            .expect("known");
        assert_eq!(session.key().as_bytes(), theirs.key().as_bytes());
        let mut spends: Vec<_> = town.accepted.iter().filter_map(|(_, a)| a.spend).collect();
        let shown = spends.len();
        spends.sort_by_key(|spend| spend.id);
        spends.dedup_by_key(|spend| spend.id);
        assert_eq!(spends.len(), shown, "every token was served once");
        for effect in &town.effects {
            match effect {
                Effect::LoggedIn { way: Way::Full, .. } => full += 1,
                Effect::LoggedIn {
                    way: Way::Handover, ..
                } => handovers += 1,
                _ => {}
            }
        }
    }
    // 20 runs of a minute, a move every three seconds, a full login at first and every eleventh.
    assert!(
        handovers > 250 && full < handovers / 4,
        "{handovers} and {full}"
    );
}
