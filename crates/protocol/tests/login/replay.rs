//! Old, repeated and relayed `Hello`s, and cookies: V-HELLO-1 to V-HELLO-3.

use cairn_crypto::noise;
use cairn_ledger::Rid;
use cairn_protocol::{
    THR_MS,
    roadside::{REPLAY_WINDOW_MS, Received, Refusal, Roadside},
    vehicle::{self, MAX_COOKIES},
    wire::{Beacon, Hello, Message},
};

use crate::common::{Answer, Pair, RID, decoded, rng, sent, site};

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
fn b1_hello_relayed_to_another_rsu_is_refused() {
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
fn c1_replayed_hello_outside_the_window_is_refused() {
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
