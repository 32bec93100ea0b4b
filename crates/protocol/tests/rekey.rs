//! Rekeying, with losses in each direction and with attackers.

mod common;

use cairn_protocol::{
    login::Asc,
    roadside::Refusal,
    session::{MAX_VALIDITY_MS, RekeyError},
    vehicle::{self, Effect, MAX_REKEY_TRIES, RETRY_MS},
    wire::{Message, Rekey},
};
use common::{Answer, Pair, RID, decoded, sent};
use proptest::prelude::*;

fn logged_in() -> (Pair, Asc) {
    let mut pair = Pair::new();
    let asc = pair.log_in().asc;
    (pair, asc)
}

fn request(pair: &mut Pair) -> Vec<u8> {
    sent(&pair.vehicle.rekey(pair.now, &mut pair.rng).unwrap())
}

fn answer(pair: &mut Pair, request: &[u8]) -> Vec<u8> {
    match pair.answer(request).unwrap() {
        Answer::Rekeyed(reply) => reply,
        other => panic!("expected a rekey, got {other:?}"),
    }
}

fn assert_same_key(pair: &Pair, asc: Asc) {
    let (_, ours) = pair.vehicle.session().unwrap();
    let (_, theirs) = pair.rsu.session(asc, pair.now).unwrap();
    assert_eq!(ours.key().as_bytes(), theirs.key().as_bytes());
    assert_eq!(ours.agreement(), theirs.agreement());
}

fn rekey(pair: &mut Pair, asc: Asc) {
    let request = request(pair);
    let answer = answer(pair, &request);
    pair.hear(&answer).unwrap();
    assert_same_key(pair, asc);
}

#[test]
fn both_messages_take_90_bytes() {
    let (mut pair, _) = logged_in();
    let request = request(&mut pair);
    let answer = answer(&mut pair, &request);
    assert_eq!((request.len(), answer.len()), (45, 45));
    assert!(request.len() + answer.len() <= 96);
}

#[test]
fn every_rekey_gives_a_new_key_and_a_new_digest() {
    let (mut pair, asc) = logged_in();
    let mut seen = Vec::new();
    for _ in 0..5 {
        let session = pair.vehicle.session().unwrap().1;
        seen.push((*session.key().as_bytes(), session.agreement().0));
        rekey(&mut pair, asc);
    }
    for (index, (key, digest)) in seen.iter().enumerate() {
        assert!(seen[..index].iter().all(|(other, _)| other != key));
        assert!(seen[..index].iter().all(|(_, other)| other != digest));
    }
}

#[test]
fn lost_request_is_repeated() {
    let (mut pair, asc) = logged_in();
    let lost = request(&mut pair);
    pair.now = pair.vehicle.next_wakeup().unwrap();
    let again = sent(&pair.vehicle.wake(pair.now, &mut pair.rng));
    assert_eq!(again, lost);
    let answer = answer(&mut pair, &again);
    pair.hear(&answer).unwrap();
    assert_same_key(&pair, asc);
}

#[test]
fn lost_answer_is_repeated_and_meanwhile_the_old_key_is_known() {
    let (mut pair, asc) = logged_in();
    let old = *pair.vehicle.session().unwrap().1.key().as_bytes();
    let request = request(&mut pair);
    let lost = answer(&mut pair, &request);
    let theirs = pair.rsu.session(asc, pair.now).unwrap().1;
    assert_eq!(theirs.previous_key().unwrap().as_bytes(), &old);
    pair.now = pair.vehicle.next_wakeup().unwrap();
    let again = sent(&pair.vehicle.wake(pair.now, &mut pair.rng));
    assert_eq!(answer(&mut pair, &again), lost);
    pair.hear(&lost).unwrap();
    assert_same_key(&pair, asc);
    rekey(&mut pair, asc);
}

#[test]
fn unanswered_rekey_leaves_the_session_as_it_was_and_can_be_taken_up_again() {
    let (mut pair, asc) = logged_in();
    let first = request(&mut pair);
    for _ in 0..MAX_REKEY_TRIES {
        pair.now += RETRY_MS;
        assert_eq!(sent(&pair.vehicle.wake(pair.now, &mut pair.rng)), first);
    }
    pair.now += RETRY_MS;
    let effects = pair.vehicle.wake(pair.now, &mut pair.rng);
    assert_eq!(effects, [Effect::RekeyUnanswered(RID)]);
    assert_same_key(&pair, asc);
    assert_eq!(request(&mut pair), first);
    rekey(&mut pair, asc);
}

#[test]
fn replayed_request_moves_nothing() {
    let (mut pair, asc) = logged_in();
    let first = request(&mut pair);
    let reply = answer(&mut pair, &first);
    pair.hear(&reply).unwrap();
    // The last one is answered as before, and is no new agreement.
    assert_eq!(answer(&mut pair, &first), reply);
    assert_same_key(&pair, asc);
    rekey(&mut pair, asc);
    let refused = pair.answer(&first);
    let counter = RekeyError::Counter {
        expected: 3,
        got: 1,
    };
    assert!(matches!(refused, Err(Refusal::Rekey(error)) if error == counter));
    assert_same_key(&pair, asc);
}

#[test]
fn replayed_answer_moves_nothing() {
    let (mut pair, asc) = logged_in();
    let first = request(&mut pair);
    let reply = answer(&mut pair, &first);
    pair.hear(&reply).unwrap();
    let refused = pair.hear(&reply);
    assert!(matches!(
        refused,
        Err(vehicle::Refusal::Rekey(RekeyError::NotOpen))
    ));
    request(&mut pair);
    let counter = RekeyError::Counter {
        expected: 2,
        got: 1,
    };
    assert!(matches!(pair.hear(&reply), Err(vehicle::Refusal::Rekey(error)) if error == counter));
    assert_same_key(&pair, asc);
}

#[test]
fn a_second_request_under_one_counter_is_refused() {
    let (mut pair, _) = logged_in();
    let first = request(&mut pair);
    let Message::RekeyRequest(mut other) = decoded(&first) else {
        panic!("a request")
    };
    answer(&mut pair, &first);
    other.nonce[0] ^= 1;
    let refused = pair.answer(&Message::RekeyRequest(other).encode());
    assert!(matches!(
        refused,
        Err(Refusal::Rekey(RekeyError::Counter { .. }))
    ));
}

#[test]
fn request_and_answer_are_not_interchangeable() {
    let (mut pair, _) = logged_in();
    let first = request(&mut pair);
    let Message::RekeyRequest(rekey) = decoded(&first) else {
        panic!("a request")
    };
    let reflected = Message::RekeyAnswer(rekey).encode();
    let refused = pair.hear(&reflected);
    assert!(matches!(
        refused,
        Err(vehicle::Refusal::Rekey(RekeyError::Tag))
    ));
}

#[test]
fn message_of_another_session_is_refused() {
    let (mut pair, _) = logged_in();
    let first = request(&mut pair);
    let Message::RekeyRequest(mut other) = decoded(&first) else {
        panic!("a request")
    };
    other.asc = Asc([0; 8]);
    let refused = pair.answer(&Message::RekeyRequest(other.clone()).encode());
    assert!(matches!(refused, Err(Refusal::NoSession(Asc(asc))) if asc == [0; 8]));
    let refused = pair.hear(&Message::RekeyAnswer(other).encode());
    assert!(matches!(
        refused,
        Err(vehicle::Refusal::Rekey(RekeyError::OtherSession))
    ));
}

#[test]
fn nothing_is_rekeyed_after_the_validity() {
    let (mut pair, _) = logged_in();
    let open = request(&mut pair);
    let reply = answer(&mut pair, &open);
    pair.now += u64::from(MAX_VALIDITY_MS);
    assert!(matches!(
        pair.answer(&open),
        Err(Refusal::Rekey(RekeyError::Over))
    ));
    let refused = pair.hear(&reply);
    assert!(matches!(
        refused,
        Err(vehicle::Refusal::Rekey(RekeyError::Over))
    ));
    let refused = pair.vehicle.rekey(pair.now, &mut pair.rng);
    assert!(matches!(
        refused,
        Err(vehicle::Refusal::Rekey(RekeyError::Over))
    ));
}

#[test]
fn rekey_without_session_is_refused() {
    let mut pair = Pair::new();
    let refused = pair.vehicle.rekey(pair.now, &mut pair.rng);
    assert!(matches!(refused, Err(vehicle::Refusal::NoSession)));
    let tag = [0; 16];
    let stray = Rekey {
        asc: Asc([1; 8]),
        counter: 1,
        nonce: tag,
        tag,
    };
    let refused = pair.hear(&Message::RekeyAnswer(stray).encode());
    assert!(matches!(refused, Err(vehicle::Refusal::NoSession)));
}

proptest! {
    #[test]
    fn any_changed_byte_is_refused_and_the_true_message_still_taken(
        at in 0..45_usize,
        flip in 1..=u8::MAX,
    ) {
        let (mut pair, asc) = logged_in();
        let first = request(&mut pair);
        let mut changed = first.clone();
        changed[at] ^= flip;
        prop_assert!(pair.answer(&changed).is_err());
        let reply = answer(&mut pair, &first);
        let mut changed = reply.clone();
        changed[at] ^= flip;
        prop_assert!(pair.hear(&changed).is_err());
        pair.hear(&reply).unwrap();
        assert_same_key(&pair, asc);
    }

    #[test]
    fn any_pattern_of_losses_leaves_both_able_to_go_on(
        losses in prop::collection::vec((any::<bool>(), any::<bool>()), 0..20),
    ) {
        let (mut pair, asc) = logged_in();
        for (request_lost, answer_lost) in losses {
            let request = request(&mut pair);
            if request_lost {
                continue;
            }
            let answer = answer(&mut pair, &request);
            if !answer_lost {
                pair.hear(&answer).unwrap();
                assert_same_key(&pair, asc);
            }
        }
        rekey(&mut pair, asc);
    }
}
