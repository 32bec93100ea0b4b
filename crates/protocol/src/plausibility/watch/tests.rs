use super::*;
use crate::plausibility::Severity;
use crate::plausibility::testing::{Motion, claim, metres};
use proptest::prelude::*;

/// An hour after 1970, so that a time can lie before another.
const START_MS: u64 = 3_600_000;

fn watch() -> Watch {
    Watch::new(metres(0.0, 0.0), Bounds::default())
}

/// A vehicle that drives north past the RSU at 10 m/s, `at_ms` after the start.
fn passing(at_ms: u64) -> Claim {
    let motion = Motion {
        x: 20.0,
        y: -450.0 + at_ms as f64 / 100.0,
        speed: 10.0,
        ..Motion::default()
    };
    claim(START_MS + at_ms, motion)
}

fn elsewhere(claim: Claim, metres_east: i32) -> Claim {
    let mut moved = claim;
    moved.position.x_cm += metres_east * 100;
    moved
}

fn hear(watch: &mut Watch, claim: Claim) -> Judgement {
    watch.hear(&claim, &[], claim.time_ms + 20).unwrap()
}

fn checks(judgement: &Judgement) -> Vec<Check> {
    let found = judgement.suspicions.iter();
    found.map(|suspicion| suspicion.check).collect()
}

#[test]
fn an_honest_vehicle_passes_unremarked() {
    let mut watch = watch();
    for second in 0..90 {
        let judged = hear(&mut watch, passing(second * 1_000));
        assert_eq!(checks(&judged), [], "second {second}");
        assert!(!judged.is_vote_due);
    }
}

#[test]
fn repeated_and_delayed_messages_accuse_nobody() {
    let mut watch = watch();
    let first = passing(0);
    hear(&mut watch, first);
    for _ in 0..100 {
        let again = watch.hear(&first, &[], first.time_ms + 1_000);
        assert_eq!(again, Err(Unusable::Replayed));
    }
    let late = watch.hear(&passing(1_000), &[], START_MS + 3_001);
    let (age_ms, max_age_ms) = (2_001, 2_000);
    assert_eq!(late, Err(Unusable::Stale { age_ms, max_age_ms }));
    // Also not a message that was too fast, or the rate's first offender could be convicted by
    // whoever repeats it.
    let fast = passing(500);
    assert_eq!(checks(&hear(&mut watch, fast)), [Check::Rate]);
    for _ in 0..100 {
        let again = watch.hear(&fast, &[], fast.time_ms);
        assert_eq!(again, Err(Unusable::Replayed));
    }
    assert!(!hear(&mut watch, passing(1_000)).is_vote_due);
}

#[test]
fn messages_may_overtake_each_other() {
    let mut watch = watch();
    let now_ms = START_MS + 3_900;
    for second in [2, 4, 3, 5] {
        let judged = watch.hear(&passing(second * 1_000), &[], now_ms).unwrap();
        assert_eq!(checks(&judged), [], "second {second}");
    }
}

#[test]
fn a_flood_is_told_from_the_messages_it_surrounds() {
    let mut watch = watch();
    for quarter in 0..8 {
        let judged = hear(&mut watch, passing(quarter * 250));
        let expected: &[Check] = if quarter % 4 == 0 {
            &[]
        } else {
            &[Check::Rate]
        };
        assert_eq!(checks(&judged), expected, "quarter {quarter}");
    }
}

#[test]
fn ghosts_under_one_key_are_one_key_at_two_places() {
    let mut watch = watch();
    hear(&mut watch, passing(0));
    let near = hear(&mut watch, elsewhere(passing(1), 6));
    assert_eq!(checks(&near), [Check::Rate]);
    let far = hear(&mut watch, elsewhere(passing(2), 60));
    assert_eq!(checks(&far), [Check::Rate, Check::TwoPlaces]);
}

#[test]
fn one_sequence_number_for_two_claims_is_a_contradiction() {
    let mut watch = watch();
    hear(&mut watch, passing(0));
    let again = Claim {
        sequence: passing(0).sequence,
        ..passing(1_000)
    };
    let judged = hear(&mut watch, again);
    assert_eq!(checks(&judged), [Check::Sequence]);
    assert_eq!(judged.suspicions[0].severity, Severity::Impossible);
}

#[test]
fn a_claim_from_the_future_is_not_compared_with() {
    let mut watch = watch();
    hear(&mut watch, passing(0));
    let future = watch.hear(&passing(5_000), &[], START_MS + 500).unwrap();
    assert_eq!(checks(&future), [Check::Freshness]);
    assert_eq!(checks(&hear(&mut watch, passing(1_000))), []);
}

#[test]
fn one_jump_is_no_vote_and_steady_jumping_is() {
    let mut watch = watch();
    let mut votes = 0;
    for second in 0..60 {
        let jump = if second == 5 { 80 } else { 0 };
        let judged = hear(&mut watch, elsewhere(passing(second * 1_000), jump));
        votes += u32::from(judged.is_vote_due);
    }
    assert_eq!(votes, 0);

    let mut voted_after = None;
    for second in 60..70 {
        let jump = 80 * (second as i32 % 2);
        let judged = hear(&mut watch, elsewhere(passing(second * 1_000), jump));
        if judged.is_vote_due {
            voted_after.get_or_insert(second - 60);
        }
    }
    assert_eq!(voted_after, Some(8));
}

#[test]
fn two_keys_at_one_place_are_a_hint_against_both_and_no_more() {
    let mut watch = watch();
    for second in 0..80 {
        let one = passing(second * 1_000);
        let other = Claim {
            subject: Subject([2; 32]),
            ..passing(second * 1_000 + 10)
        };
        hear(&mut watch, one);
        let judged = hear(&mut watch, other);
        assert!(checks(&judged).contains(&Check::SameSpace));
        assert!(!judged.is_vote_due);
    }
}

#[test]
fn memory_is_bounded_in_claims_and_keys() {
    let mut watch = watch();
    for ms in 0..1_000 {
        hear(&mut watch, passing(ms));
    }
    assert_eq!(watch.tracks[&Subject([1; 32])].claims.len(), MAX_CLAIMS);

    let numbered = |number: u32, at_ms| {
        let mut subject = [0; 32];
        subject[..4].copy_from_slice(&number.to_be_bytes());
        // A kilometre apart, so that nobody is beside another.
        let away = elsewhere(passing(at_ms), 1_000 * number as i32);
        Claim {
            subject: Subject(subject),
            ..away
        }
    };
    for number in 1..MAX_SUBJECTS as u32 {
        hear(&mut watch, numbered(number, 0));
    }
    let one_more = numbered(MAX_SUBJECTS as u32, 0);
    let refused = watch.hear(&one_more, &[], one_more.time_ms);
    assert_eq!(refused, Err(Unusable::Full));
    // After five silent minutes there is room again.
    let later = numbered(MAX_SUBJECTS as u32, FORGET_MS + 2_000);
    hear(&mut watch, later);
    assert_eq!(watch.tracks.len(), 1);
}

proptest! {
    #[test]
    fn no_claim_is_out_of_bounds(
        claims in proptest::collection::vec(
            (any::<u32>(), any::<u64>(), any::<[i32; 2]>(), any::<[u16; 2]>(), any::<i16>()),
            1..40,
        ),
        now_ms: u64,
    ) {
        let mut watch = watch();
        for (sequence, time_ms, [x_cm, y_cm], [speed_cm_s, heading_cdeg], acceleration_cm_s2) in claims {
            let claim = Claim {
                sequence,
                time_ms,
                position: Position { x_cm, y_cm },
                speed_cm_s,
                heading_cdeg,
                acceleration_cm_s2,
                ..passing(0)
            };
            let _ = watch.hear(&claim, &[], now_ms);
        }
    }
}
