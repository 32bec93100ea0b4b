//! Bad links and crashes.

use cairn_ledger::Rid;
use cairn_protocol::{
    login::Way,
    roadside::{TokenWhy, Why},
    token::Holder,
    vehicle::Effect,
};

use crate::{
    at_a,
    common::{
        Link, START, UID,
        town::{A, B, Town, only_datagram},
    },
    shown, stolen,
};

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
    assert_eq!(
        rejected.why,
        Why::Token(Holder::Registered(UID), TokenWhy::Unknown)
    );
    let effects = town.hear(&rejected.reply).unwrap();
    let full = town.exchange(A, &only_datagram(&effects[1..]));
    assert_eq!(full.way, Way::Registered);

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
    assert_eq!(
        rejected.why,
        Why::Token(Holder::Registered(UID), TokenWhy::Spent)
    );
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
                Effect::LoggedIn {
                    way: Way::Registered,
                    ..
                } => full += 1,
                Effect::LoggedIn {
                    way: Way::Token, ..
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
