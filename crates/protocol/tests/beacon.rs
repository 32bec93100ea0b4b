//! Which beacons a vehicle believes, and how long an RSU keeps their secrets.

mod common;

use cairn_contracts::keys::RsuRecord;
use cairn_ledger::{ChainId, Position, Record, Rid};
use cairn_protocol::{
    THR_MS,
    beacon::{Beacons, ROTATION_MS},
    trust::{BeaconError, MAX_CERTIFICATE_AGE_MS, MAX_REQUESTS, MAX_RSUS, ProofError, Road, Trust},
    vehicle::{Effect, Refusal},
    wire::{Beacon, MAX_PROOF_BYTES, Message},
};
use common::{
    Answer, CHAIN, HERE, Pair, RID, START, decoded, rng, road, rsu_record, rsu_signer, sent,
    verified,
};
use proptest::prelude::*;

fn beacons(chain: ChainId, rid: Rid) -> Beacons {
    Beacons::new(chain, rid, rsu_signer(rid), &mut rng(1))
}

fn beacon() -> Beacon {
    beacons(CHAIN, RID).make(START, &mut rng(2))
}

/// A vehicle that has asked for and received a proof with this record of the RSU.
fn told(record: Option<RsuRecord>) -> Trust {
    let mut trust = Trust::new(road());
    let first = trust.beacon(&beacon(), &HERE, START);
    assert_eq!(first, Err(BeaconError::Unknown(RID)));
    trust
        .learn(&verified(5, START, &[(RID, record)]), START)
        .unwrap();
    trust
}

fn judge(record: Option<RsuRecord>) -> Result<(), BeaconError> {
    told(record).beacon(&beacon(), &HERE, START)
}

#[test]
fn beacon_of_a_proved_rsu_is_believed() {
    let mut trust = told(Some(rsu_record(RID)));
    assert_eq!(trust.beacon(&beacon(), &HERE, START), Ok(()));
    assert_eq!(
        trust.in_reach(&HERE, START),
        [(RID, Position { x_cm: 0, y_cm: 0 })]
    );
}

#[test]
fn rsus_in_reach_are_told_nearest_first() {
    let mut trust = Trust::new(road());
    let at = |rid, x_cm| {
        (
            rid,
            Some(RsuRecord {
                position: Position { x_cm, y_cm: 0 },
                ..rsu_record(rid)
            }),
        )
    };
    let rsus = [at(Rid(1), 50_000), at(Rid(2), 9_000), at(Rid(3), 30_000)];
    for (rid, _) in &rsus {
        let beacon = beacons(CHAIN, *rid).make(START, &mut rng(2));
        trust.beacon(&beacon, &HERE, START).unwrap_err();
    }
    for (_, waiting) in trust.learn(&verified(5, START, &rsus), START).unwrap() {
        trust.beacon(&waiting.unwrap(), &HERE, START).unwrap();
    }
    let order: Vec<Rid> = trust
        .in_reach(&HERE, START)
        .into_iter()
        .map(|(rid, _)| rid)
        .collect();
    assert_eq!(order, [Rid(2), Rid(3), Rid(1)]);
}

// V-BEACON-1

#[test]
fn stale_and_future_beacons_are_refused() {
    let mut trust = told(Some(rsu_record(RID)));
    for now in [START + THR_MS + 1, START - THR_MS - 1] {
        let refused = trust.beacon(&beacon(), &HERE, now);
        assert_eq!(
            refused,
            Err(BeaconError::Time {
                now_ms: now,
                time_ms: START
            })
        );
    }
    assert_eq!(trust.beacon(&beacon(), &HERE, START + THR_MS), Ok(()));
}

// V-BEACON-2

#[test]
fn without_a_recent_certificate_nothing_is_believed() {
    let mut trust = told(Some(rsu_record(RID)));
    let mut rsu = beacons(CHAIN, RID);
    let last = START + MAX_CERTIFICATE_AGE_MS;
    let beacon = rsu.make(last, &mut rng(2));
    assert_eq!(trust.beacon(&beacon, &HERE, last), Ok(()));
    let beacon = rsu.make(last + 1, &mut rng(2));
    assert_eq!(
        trust.beacon(&beacon, &HERE, last + 1),
        Err(BeaconError::Unknown(RID))
    );
    assert!(trust.answerable(RID, last + 1).is_none());
    let newer = verified(6, last, &[(RID, Some(rsu_record(RID)))]);
    let news = trust.learn(&newer, last + 1).unwrap();
    assert_eq!(news, [(RID, Some(beacon))]);
}

// V-BEACON-3

#[test]
fn revoked_expired_future_and_unknown_rsus_are_refused() {
    let record = rsu_record(RID);
    let not_valid = Err(BeaconError::NotValid(RID));
    assert_eq!(
        judge(Some(RsuRecord {
            revoked_ms: Some(1),
            ..record.clone()
        })),
        not_valid
    );
    assert_eq!(
        judge(Some(RsuRecord {
            valid_until_ms: START,
            ..record.clone()
        })),
        not_valid
    );
    assert_eq!(
        judge(Some(RsuRecord {
            valid_from_ms: START + 1,
            ..record
        })),
        not_valid
    );
    assert_eq!(judge(None), Err(BeaconError::NotRegistered(RID)));
}

#[test]
fn rsu_revoked_after_its_beacon_was_believed_is_not_logged_in_to() {
    let mut pair = Pair::new();
    pair.meet();
    let revoked = RsuRecord {
        revoked_ms: Some(START),
        ..rsu_record(RID)
    };
    let proof = verified(6, START, &[(RID, Some(revoked))]);
    pair.vehicle.learn(&proof, &HERE, START).unwrap();
    let refused = pair.vehicle.login(RID, START, &mut pair.rng);
    assert!(matches!(refused, Err(Refusal::NotInReach(RID))));
}

// V-BEACON-4

#[test]
fn wormhole_is_refused() {
    let mut trust = told(Some(rsu_record(RID)));
    let far = Position {
        x_cm: 60_001,
        y_cm: 0,
    };
    let refused = trust.beacon(&beacon(), &far, START);
    assert_eq!(
        refused,
        Err(BeaconError::Position {
            rid: RID,
            distance_m: 600
        })
    );
    assert!(trust.answerable(RID, START).is_none());
}

#[test]
fn extreme_positions_are_refused_and_do_not_overflow() {
    let mut trust = told(Some(RsuRecord {
        position: Position {
            x_cm: i32::MIN,
            y_cm: i32::MIN,
        },
        ..rsu_record(RID)
    }));
    let far = Position {
        x_cm: i32::MAX,
        y_cm: i32::MAX,
    };
    let refused = trust.beacon(&beacon(), &far, START);
    assert!(matches!(refused, Err(BeaconError::Position { .. })));
}

// V-BEACON-5

#[test]
fn b6_beacon_of_another_key_or_chain_is_refused() {
    let mut trust = told(Some(rsu_record(RID)));
    let signature = Err(BeaconError::Signature(RID));
    let impostor = Beacons::new(CHAIN, RID, rsu_signer(Rid(4)), &mut rng(1));
    let mut impostor = impostor;
    assert_eq!(
        trust.beacon(&impostor.make(START, &mut rng(2)), &HERE, START),
        signature
    );
    let foreign = beacons(ChainId([1; 32]), RID).make(START, &mut rng(2));
    assert_eq!(trust.beacon(&foreign, &HERE, START), signature);
}

proptest! {
    #[test]
    fn any_changed_byte_of_a_beacon_is_refused(at in 0..113_usize, flip in 1..=u8::MAX) {
        let mut pair = Pair::new();
        pair.meet();
        let mut beacon = pair.rsu.beacon(pair.now, &mut pair.rng);
        beacon[at] ^= flip;
        // A changed RID is a beacon of an unknown RSU: the vehicle asks, and believes nothing.
        match pair.hear(&beacon) {
            Ok(effects) => prop_assert!(!effects.iter().any(|e| matches!(e, Effect::Believed(_)))),
            Err(Refusal::Beacon(_) | Refusal::Wire(_)) => {}
            Err(other) => prop_assert!(false, "{}", other),
        }
    }
}

// V-BEACON-6

#[test]
fn beacon_older_than_the_last_one_is_refused() {
    let mut trust = told(Some(rsu_record(RID)));
    let mut rsu = beacons(CHAIN, RID);
    let older = rsu.make(START, &mut rng(2));
    let newer = rsu.make(START + 1_000, &mut rng(2));
    assert_eq!(trust.beacon(&newer, &HERE, START + 1_000), Ok(()));
    let refused = trust.beacon(&older, &HERE, START + 1_000);
    assert_eq!(refused, Err(BeaconError::Replayed(RID)));
    assert_eq!(trust.answerable(RID, START + 1_000), Some(&newer));
}

// V-PROOF

#[test]
fn proof_about_rsus_out_of_hearing_is_not_checked() {
    let mut trust = Trust::new(road());
    let refused = trust.learn(&verified(5, START, &[(RID, Some(rsu_record(RID)))]), START);
    assert_eq!(refused, Err(ProofError::Unrelated));
}

#[test]
fn old_and_future_blocks_are_refused() {
    let mut trust = told(Some(rsu_record(RID)));
    for time in [START - MAX_CERTIFICATE_AGE_MS - 1, START + THR_MS + 1] {
        let refused = trust.learn(&verified(6, time, &[(RID, Some(rsu_record(RID)))]), START);
        assert_eq!(refused, Err(ProofError::Age(time)));
    }
}

#[test]
fn older_block_does_not_bring_back_a_revoked_rsu() {
    let mut trust = told(None);
    for height in [4, 5] {
        let refused = trust.learn(
            &verified(height, START, &[(RID, Some(rsu_record(RID)))]),
            START,
        );
        assert_eq!(refused, Err(ProofError::NotNewer(height)));
    }
    assert!(trust.in_reach(&HERE, START).is_empty());
}

#[test]
fn record_of_another_kind_is_refused() {
    let mut trust = Trust::new(road());
    trust.beacon(&beacon(), &HERE, START).unwrap_err();
    let mut proof = verified(5, START, &[(RID, None)]);
    proof.entries[0].1 = Record::new(b"other");
    assert_eq!(trust.learn(&proof, START), Err(ProofError::Record(RID)));
}

#[test]
fn vehicle_asks_for_a_proof_with_a_request_as_long_as_any_answer() {
    let mut pair = Pair::new();
    let beacon = pair.rsu.beacon(pair.now, &mut pair.rng);
    let request = sent(&pair.hear(&beacon).unwrap());
    assert_eq!(request.len(), MAX_PROOF_BYTES);
    assert!(matches!(pair.answer(&request), Ok(Answer::ProofWanted)));
    // Again after a second, not before.
    assert_eq!(pair.hear(&beacon).unwrap(), []);
    pair.now += 1_000;
    assert_eq!(sent(&pair.hear(&beacon).unwrap()), request);
}

#[test]
fn request_for_another_rsu_is_refused() {
    let mut pair = Pair::new();
    let request = Message::ProofRequest(Rid(4)).encode();
    let refused = pair.answer(&request);
    assert!(matches!(
        refused,
        Err(cairn_protocol::roadside::Refusal::OtherRsu(Rid(4)))
    ));
}

#[test]
fn invented_rsus_draw_few_requests_and_push_out_no_real_one() {
    let mut trust = told(Some(rsu_record(RID)));
    let mut asked = 0;
    for rid in 100..100 + 3 * MAX_RSUS as u32 {
        let invented = Beacon {
            rid: Rid(rid),
            ..beacon()
        };
        let refused = trust.beacon(&invented, &HERE, START);
        assert_eq!(refused, Err(BeaconError::Unknown(Rid(rid))));
        asked += usize::from(trust.should_ask(Rid(rid), START));
    }
    assert_eq!(asked, MAX_REQUESTS);
    assert_eq!(trust.beacon(&beacon(), &HERE, START), Ok(()));
}

// The RSU's keys

#[test]
fn keys_rotate_and_are_erased_thr_after_their_last_beacon() {
    let mut rsu = beacons(CHAIN, RID);
    let mut rng = rng(2);
    let sent: Vec<Beacon> = (0..=10)
        .map(|second| rsu.make(START + 1_000 * second, &mut rng))
        .collect();
    assert!(
        sent[..10]
            .iter()
            .all(|beacon| beacon.ephemeral == sent[0].ephemeral)
    );
    assert_ne!(sent[10].ephemeral, sent[0].ephemeral);
    assert_eq!(sent[10].time_ms - sent[0].time_ms, ROTATION_MS);

    let last = &sent[9];
    assert!(rsu.answerable(last.id, last.time_ms + THR_MS).is_some());
    assert!(rsu.answerable(last.id, last.time_ms + THR_MS + 1).is_none());
    let erased_at = last.time_ms + THR_MS + 1;
    rsu.forget(erased_at);
    assert!(
        rsu.answerable(last.id, last.time_ms).is_none(),
        "gone, not only refused"
    );
}

#[test]
fn a_silent_rsu_is_woken_to_erase_its_key() {
    let mut rsu = beacons(CHAIN, RID);
    rsu.make(START, &mut rng(2));
    assert_eq!(rsu.next_wakeup(), Some(START + THR_MS + 1));
    rsu.forget(START + THR_MS + 1);
    assert_eq!(rsu.next_wakeup(), Some(START + ROTATION_MS));
    rsu.forget(START + ROTATION_MS);
    assert_eq!(rsu.next_wakeup(), None);
}

#[test]
fn beacon_from_the_future_of_a_clock_set_back_is_not_answered() {
    let mut rsu = beacons(CHAIN, RID);
    let beacon = rsu.make(START, &mut rng(2));
    assert!(rsu.answerable(beacon.id, START - 1).is_none());
}

#[test]
fn a_narrower_range_is_respected() {
    let mut trust = Trust::new(Road {
        plausible_range_m: 99.0,
        ..road()
    });
    trust.beacon(&beacon(), &HERE, START).unwrap_err();
    trust
        .learn(&verified(5, START, &[(RID, Some(rsu_record(RID)))]), START)
        .unwrap();
    let refused = trust.beacon(&beacon(), &HERE, START);
    assert_eq!(
        refused,
        Err(BeaconError::Position {
            rid: RID,
            distance_m: 100
        })
    );
    assert_eq!(
        decoded(&Message::Beacon(beacon()).encode()),
        Message::Beacon(beacon())
    );
}
