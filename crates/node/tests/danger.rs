//! Danger on a real ledger over loopback sockets: from reports to commands with proof.

use cairn_contracts::danger::Model;
use cairn_danger::scenario::Scenario;
use cairn_node::danger::drive;

/// An obstacle far enough to matter, and one vehicle of each class, for eight seconds.
fn short(events: &str) -> Scenario {
    let text = format!(
        r#"{{ "title": "short", "duration_s": 8, "limit_m_s": 20, "column": 1, "sight_m": 80,
             "noticed_s": 0, "delay_s": 0.2, "events": [{events}], "expect": {{}} }}"#
    );
    Scenario::parse("short", &text).unwrap()
}

#[test]
fn every_report_becomes_a_proven_command_that_slows_down() {
    let scenario = short(r#"{ "kind": "obstacle", "at_s": 0, "position_m": 600 }"#);
    let (outcome, network) = drive(&scenario, &Model::default(), 1, 3).unwrap();
    assert_eq!(
        network.evaluations,
        16 * 3,
        "three vehicles, twice a second"
    );
    assert_eq!(network.commands, network.evaluations);
    assert_eq!((network.unbelieved, network.faulty_validators), (0, 0));
    for class in &outcome.classes {
        assert!(class.peak_danger >= 10.0);
        assert!(
            class.speed_at_end_m_s < 17.0 - 3.0,
            "slower than at the start"
        );
        assert_eq!((class.collisions, class.hard_brakings), (0, 0));
    }
}

#[test]
fn evaluations_of_a_robbed_rsu_pass_the_ledger_but_not_the_controllers() {
    let thief = r#"{ "kind": "stolen-key", "at_s": 0, "until_s": 8, "claimed_m": 15 }"#;
    let (outcome, network) = drive(&short(thief), &Model::default(), 1, 3).unwrap();
    assert_eq!(
        network.unbelieved, 0,
        "the ledger recomputes results, not inputs"
    );
    assert!(outcome.false_advice > 0);
    assert_eq!(outcome.false_advice_taken, 0);
    assert_eq!(outcome.hard_brakings(), 0);
}

#[test]
fn two_lying_validators_of_four_stop_traffic_gently_and_one_does_not() {
    let liars = |count| {
        short(&format!(
            r#"{{ "kind": "attack", "at_s": 1, "liars": {count} }}"#
        ))
    };
    let (outcome, network) = drive(&liars(2), &Model::default(), 4, 3).unwrap();
    assert_eq!(network.faulty_validators, 2);
    assert!(outcome.classes[0].standstill_s.is_some());
    assert_eq!(outcome.hard_brakings(), 0);
    let (outcome, network) = drive(&liars(1), &Model::default(), 4, 3).unwrap();
    assert_eq!(network.faulty_validators, 1);
    assert!(outcome.classes[0].standstill_s.is_none());
}
