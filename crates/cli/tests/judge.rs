//! `cairn judge` on logs in researchers' formats: made here with a liar in them, and our fixtures of every format.

use serde_json::{Value, json};
use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../scenario/tests/beacons");

/// Seconds that each log lasts.
const SECONDS: u32 = 60;

fn judge(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cairn"))
        .arg("judge")
        .args(args)
        .output()
        .expect("the binary can be started")
}

fn report(args: &[&str], dir: &Path) -> Value {
    let path = dir.join("report.json");
    let output = judge(&[args, &["--report", path.to_str().unwrap()]].concat());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// The log of a standing receiver of VeReMi Extension that hears vehicle 1, which drives north with 10 m/s,
/// and vehicle 2, which says that it is somewhere else in every second.
fn extension(receiver: u32) -> String {
    let mut log = String::new();
    for second in 0..SECONDS {
        let time = f64::from(25_200 + second);
        let own = json!({"type":2,"rcvTime":time,"pos":[f64::from(receiver),0.0,0.0],"spd":[0.0,0.0,0.0]});
        let mut line = |vehicle: u32, place: [f64; 3]| {
            let beacon = json!({
                "type":3,"rcvTime":time + 0.3,"sendTime":time + 0.2,"sender":vehicle,
                "senderPseudo":10_000 + vehicle,"messageID":u64::from(second * 10 + vehicle),"pos":place,
                "spd":[0.0,10.0,0.0],"acl":[0.0,0.0,0.0],"hed":[0.0,1.0,0.0],
            });
            writeln!(log, "{beacon}").unwrap();
        };
        let north = f64::from(second) * 10.0 - 300.0;
        line(1, [20.0, north, 0.0]);
        // A stride that has no common factor with the number of places: never twice nearby in a row.
        line(2, [-20.0, f64::from(second * 37 % 60) * 10.0 - 300.0, 0.0]);
        log = format!("{log}{own}\n");
    }
    log
}

#[test]
fn a_liar_of_the_extension_is_found_and_scored() {
    let dir = tempfile::tempdir().unwrap();
    for (receiver, log) in [
        "traceJSON-7-70-A0-25200-7.json",
        "traceJSON-8-80-A0-25200-7.json",
    ]
    .into_iter()
    .enumerate()
    {
        let receiver = u32::try_from(receiver).unwrap();
        fs::write(dir.path().join(log), extension(receiver)).unwrap();
    }
    // The vehicles' own logs carry their labels; the liar hears the honest one, and itself.
    let own = r#"{"type":2,"rcvTime":25200.0,"pos":[20.0,0.0,0.0],"spd":[0.0,10.0,0.0]}"#;
    fs::write(dir.path().join("traceJSON-1-10-A0-25200-7.json"), own).unwrap();
    let liars_own = dir.path().join("traceJSON-2-20-A3-25200-7.json");
    fs::write(liars_own, extension(2)).unwrap();
    let found = report(&[dir.path().to_str().unwrap()], dir.path());
    assert_eq!(found["receivers"], 3);
    assert_eq!(found["receptions"], SECONDS * 2 * 3);
    let score = &found["misbehaviour"];
    assert_eq!(score["attackers"], 1, "{score}");
    assert_eq!(score["revoked"], 1, "{score}");
    assert_eq!(score["false_revocations"], 0, "{score}");
    let liar = &score["per_attack"]["RandomPos"];
    assert!(liar["f1"].as_f64().unwrap() > 0.9, "{liar}");
    assert_eq!(
        score["per_attack"]["Genuine"]["false_positive"], 0,
        "{score}"
    );
}

#[test]
fn labels_in_the_records_and_no_labels() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = |name: &str| PathBuf::from(FIXTURES).join(name).display().to_string();
    for (name, attackers) in [("nextgen-seconds.json", 1), ("nextgen-nanoseconds.json", 0)] {
        let found = report(&[&fixture(name)], dir.path());
        assert_eq!(
            found["misbehaviour"]["attackers"], attackers,
            "{name}: {found}"
        );
    }
    let found = report(&[&fixture("bsm.json"), "--interval", "90"], dir.path());
    assert_eq!(found["misbehaviour"], Value::Null);
    assert_eq!(found["receivers"], 1, "{found}");
    let found = report(&[&fixture("JSONlog-0-7-A0.json")], dir.path());
    assert_eq!(
        found["misbehaviour"]["per_attack"]["Genuine"]["messages"],
        1
    );
}

#[test]
fn bad_logs_are_refused_with_file_and_line() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("traceJSON-1-10-A0-25200-7.json");
    let refused = |text: &str, expected: &str| {
        fs::write(&log, text).unwrap();
        let output = judge(&[log.to_str().unwrap()]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(
            stderr.contains(expected),
            "expected {expected:?} in: {stderr}"
        );
    };
    refused(
        r#"{"speed":3}"#,
        "line 1: expected the first record to be one with type (VeReMi)",
    );
    refused(
        &extension(1).replacen("\"sendTime\"", "\"sent\"", 1),
        "line 1: expected sendTime to be there in a line of this type",
    );
    refused("no log", "line 1: expected a JSON object");
    let empty = tempfile::tempdir().unwrap();
    let output = judge(&[empty.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
}
