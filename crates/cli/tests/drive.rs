//! `cairn drive`, as a user runs it.

use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

fn drive(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cairn"))
        .arg("drive")
        .args(args)
        .current_dir(dir)
        .output()
        .expect("the binary can be started")
}

#[test]
fn a_scenario_leaves_a_report_and_a_plot() {
    let dir = tempfile::tempdir().unwrap();
    let args = [
        "--scenario",
        "network-attack",
        "--report",
        "r.json",
        "--plot",
        "p.svg",
    ];
    let output = drive(dir.path(), &args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "stderr: {stderr}");
    let report: Value =
        serde_json::from_slice(&fs::read(dir.path().join("r.json")).unwrap()).unwrap();
    for class in ["car", "truck", "bus"] {
        assert_eq!(report["classes"][class]["vehicles"], 4);
        assert_eq!(report["classes"][class]["peak_danger"], 100.0);
    }
    assert_eq!(report["collisions"]["with"], 0);
    assert_eq!(report["collisions"]["without"], 0);
    assert_eq!(report["network"]["validators"], 4);
    assert!(
        report["network"]["report_to_command"]["p99_ms"]
            .as_f64()
            .unwrap()
            > 0.0
    );
    let plot = fs::read_to_string(dir.path().join("p.svg")).unwrap();
    assert!(plot.starts_with("<svg"));
}

#[test]
fn a_run_that_ends_otherwise_than_expected_has_exit_code_1() {
    let dir = tempfile::tempdir().unwrap();
    let scenario = r#"{ "title": "nothing happens", "duration_s": 1, "limit_m_s": 20, "column": 1,
        "sight_m": 300, "noticed_s": 0, "delay_s": 0.2, "events": [],
        "expect": { "course": ["safe", "dangerous"] } }"#;
    fs::write(dir.path().join("calm.json"), scenario).unwrap();
    let output = drive(
        dir.path(),
        &["--scenario", "calm.json", "--validators", "1"],
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("NOT AS EXPECTED"));
}

#[test]
fn wrong_input_has_exit_code_2_and_says_what_is_expected() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("broken.json"), "{").unwrap();
    for (name, expected) in [
        ("flood", "network-attack"),
        ("broken.json", "scenario broken"),
    ] {
        let output = drive(dir.path(), &["--scenario", name]);
        assert_eq!(output.status.code(), Some(2), "{name}");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains(expected), "{stderr}");
    }
}

/// Needs the program `sumo` in PATH: `pip install eclipse-sumo`.
#[test]
fn sumo_traffic_takes_commands_and_nobody_collides_for_them() {
    if Command::new("sumo").arg("--version").output().is_err() {
        println!("skipped: sumo is not in PATH (pip install eclipse-sumo)");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let config = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../scenarios/crossroads/crossroads.sumocfg"
    );
    let args = [
        "--scenario",
        "obstacle",
        "--sumo",
        config,
        "--report",
        "r.json",
    ];
    let output = drive(dir.path(), &args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "stderr: {stderr}");
    let report: Value =
        serde_json::from_slice(&fs::read(dir.path().join("r.json")).unwrap()).unwrap();
    assert!(report["commands"].as_u64().unwrap() > 0);
    for class in ["car", "truck", "bus"] {
        assert!(report["classes"][class]["vehicles"].as_u64().unwrap() > 0);
    }
    assert_eq!(report["collisions"]["with"], 0);
}
