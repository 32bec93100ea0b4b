//! Handovers that succeed, here; in the modules every way in which a token is refused, and what becomes of
//! the vehicle.

#[path = "../common/mod.rs"]
mod common;

mod forged;
mod links;
mod refused;
mod twice;

use cairn_contracts::{
    keys::{VehicleRecord, vehicle_key},
    tokens::TokenId,
};
use cairn_crypto::schnorr::SecretKey;
use cairn_ledger::Uid;
use cairn_protocol::{
    login::{Context, Credential, Way},
    token::{self, Holder, MAX_HANDOVERS, SPEND_MARGIN_MS, Token},
    wire::Beacon,
};
use common::{
    CHAIN, KEYS, START, UID, rng,
    town::{A, B, Town, only_datagram},
    vehicle_record,
};

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
    assert_eq!(
        (accepted.holder, accepted.way),
        (Holder::Registered(UID), Way::Token)
    );

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
fn hello_and_accept_take_232_bytes() {
    let (mut town, _) = at_a();
    let hello = town.handover_hello(B);
    let accept = town.answer(B, &hello).unwrap().accepted().reply;
    assert_eq!((hello.len(), accept.len()), (175, 57));
    assert!(hello.len() + accept.len() <= 240, "the goal");
}

#[test]
fn under_load_a_handover_takes_a_cookie_too() {
    let (mut town, _) = at_a();
    town.rsus.get_mut(&B).unwrap().set_under_load(true);
    let hello = town.handover_hello(B);
    let demand = town.answer(B, &hello).unwrap().reply().unwrap();
    let with_cookie = only_datagram(&town.hear(&demand).unwrap());
    assert_eq!(with_cookie.len(), 191);
    assert_eq!(town.exchange(B, &with_cookie).way, Way::Token);
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
        assert_eq!(accepted.way, Way::Token);
        let hops = accepted.mint.map(|mint| mint.hops);
        assert_eq!(hops, (hop < MAX_HANDOVERS).then_some(hop));
    }
    // The vehicle counts too, and does not even try.
    let accepted = town.hand_over(B);
    assert_eq!(
        (accepted.way, accepted.mint.unwrap().hops),
        (Way::Registered, 0)
    );
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
    assert_eq!(town.hand_over(B).way, Way::Token);
}

#[test]
fn without_a_usable_token_a_handover_is_a_full_login() {
    let mut town = Town::new();
    assert_eq!(town.hand_over(A).way, Way::Registered);
    town.record(A);
    let until_ms = town.vehicle.session().unwrap().1.until_ms();
    town.now = until_ms - SPEND_MARGIN_MS;
    assert_eq!(town.hand_over(B).way, Way::Registered);
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
