//! Paper 004: the listing as printed and repaired.

use cairn_baselines::p004_danger::*;
use proptest::prelude::*;

const CLEAR: Features = Features {
    weather: 2.0,
    road: 2.0,
    speed: 5.0,
    vehicle: 1.0,
};

#[test]
fn weights_add_up_to_one() {
    assert_eq!(WEIGHTS.iter().sum::<f64>(), 1.0);
}

#[test]
fn repaired_listing_sees_the_attack_and_accepts_a_signed_fork() {
    let attacked = evaluate_repaired(0.9, false, &CLEAR);
    assert!(attacked.attack);
    assert_eq!(
        (attacked.danger, attacked.action()),
        (D_MAX, Action::EmergencyBrake)
    );
    for calm in [
        evaluate_repaired(0.9, true, &CLEAR),
        evaluate_repaired(0.5, false, &CLEAR),
    ] {
        assert!(!calm.attack);
        assert_eq!(
            (calm.danger, calm.action()),
            (CLEAR.weighted(), Action::Keep)
        );
    }
}

#[test]
fn bands_of_the_actions() {
    let with = |danger| {
        Evaluation {
            danger,
            surroundings: danger,
            attack: false,
        }
        .action()
    };
    assert_eq!(with(9.99), Action::Keep);
    assert_eq!(with(STEADY_FROM), Action::SlowDown);
    assert_eq!(with(49.99), Action::SlowDown);
    assert_eq!(with(DANGEROUS_FROM), Action::EmergencyBrake);
}

#[test]
fn rate_counts_nodes_whose_digest_changed() {
    let before = [[0; 32], [1; 32], [2; 32], [3; 32]];
    let mut now = before;
    assert_eq!(changed_rate(&before, &now), 0.0);
    now[3] = [9; 32];
    assert_eq!(changed_rate(&before, &now), 0.25);
    assert_eq!(changed_rate(&before, &now[..2]), 0.5);
    assert_eq!(changed_rate(&[], &[]), 0.0);
}

proptest! {
    #[test]
    fn printed_flag_is_always_zero(rate in 0.0..=1.0, fork: bool) {
        let evaluation = evaluate_printed(rate, fork, &CLEAR);
        prop_assert!(!evaluation.attack);
        prop_assert_eq!(evaluation.danger, CLEAR.weighted());
    }
}
