//! Tokens shown twice: V-TOKEN-9, and the ledger.

use cairn_protocol::{
    login::Code,
    roadside::{Received, TokenWhy, Why},
    token::Holder,
};

use crate::{
    at_a,
    common::{
        Answer, START, UID,
        town::{A, B},
    },
    shown, stolen,
};

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
    assert_eq!(
        rejected.why,
        Why::Token(Holder::Registered(UID), TokenWhy::Shown)
    );
    assert_eq!(rejected.why.code(), Code::LogInFully);
    assert_eq!(rsu.session_count(), 1);
    assert!(rsu.session(accepted.asc, now).is_some());
}

#[test]
fn b9_token_shown_at_two_rsus_is_kept_by_the_first_in_ledger_order() {
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
    assert!(
        town.rsus
            .get_mut(&B)
            .unwrap()
            .drop_session_of(&Holder::Registered(UID))
    );
    assert_eq!(town.rsus[&B].pending_spends().count(), 1);
    town.record(B);
    assert!(town.token(&id).unwrap().spent.is_some());
    assert_eq!((town.lost_races, town.rsus[&B].session_count()), (0, 0));
}
