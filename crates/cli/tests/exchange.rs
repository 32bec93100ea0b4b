//! `cairn exchange`, as a user runs it.

use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

fn exchange(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cairn"))
        .arg("exchange")
        .args(args)
        .env_remove("CAIRN_DATA")
        .current_dir(dir)
        .output()
        .expect("the binary can be started")
}

fn report(dir: &Path, args: &[&str]) -> Value {
    let all = [&["--validators", "1", "--report", "report.json"], args].concat();
    let output = exchange(dir, &all);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    serde_json::from_slice(&fs::read(dir.join("report.json")).unwrap()).unwrap()
}

fn check(report: &Value, records: u64) {
    assert_eq!(report["records"], records);
    assert_eq!(report["sent"], report["received"]);
    assert_eq!(report["sent"].as_str().unwrap().len(), 64);
    let height = report["receipt_height"].as_u64().unwrap();
    assert!((1..=report["chains"][0]["height"].as_u64().unwrap()).contains(&height));
    let record = &report["relay_record"];
    assert_eq!(record["both_signatures"], true);
    assert_eq!(record["state"], "Received");
    let times = ["requested_ms", "delivered_ms", "receipt_ms"].map(|t| record[t].as_u64().unwrap());
    assert!(times.is_sorted(), "{times:?}");
    assert_ne!(record["owner_signature"], record["requester_signature"]);
}

#[test]
fn rows_of_a_file_arrive_under_sm2() {
    let dir = tempfile::tempdir().unwrap();
    let rows: String = (0..200)
        .map(|n| format!("2013-12-02 {:02}:{:02}:00,{}.5\n", n / 60, n % 60, 70 + n))
        .collect();
    fs::write(
        dir.path().join("rows.csv"),
        format!("timestamp,value\n{rows}"),
    )
    .unwrap();
    let report = report(dir.path(), &["--rows", "rows.csv"]);
    check(&report, 200);
    assert_eq!(report["suite"], "Sm2");
    assert_eq!(report["batches"], 3, "of at most 96 readings");
}

#[test]
fn made_rows_arrive_without_national_standards() {
    let dir = tempfile::tempdir().unwrap();
    let report = report(
        dir.path(),
        &["--suite", "ristretto255", "--most", "5", "--count", "3"],
    );
    check(&report, 5);
    assert_eq!(report["suite"], "Ristretto255");
    assert_eq!(report["exchanges"], 3);
    assert!(report["exchange_ms"]["p99"].as_f64() >= report["exchange_ms"]["p50"].as_f64());
}

#[test]
fn bad_rows_are_named_and_no_report_is_written() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(
        dir.path().join("rows.csv"),
        "timestamp,value\nyesterday,1\n",
    )
    .unwrap();
    let output = exchange(
        dir.path(),
        &["--rows", "rows.csv", "--report", "report.json"],
    );
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("rows.csv, line 2"), "{stderr}");
    assert!(!dir.path().join("report.json").exists());
}
