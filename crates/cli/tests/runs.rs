//! The commands on small traffic, as a user runs them.

use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

/// Two vehicles on a road of 1.2 km for 48 s. One vehicle is out of range of everything.
fn trace() -> String {
    let mut trace = String::from("<fcd-export>\n");
    for second in 0..48 {
        let x = 25 * second;
        trace.push_str(&format!(
            "<timestep time=\"{second}.00\">\
             <vehicle id=\"car\" x=\"{x}\" y=\"0\"/>\
             <vehicle id=\"bus\" x=\"{}\" y=\"5\"/>\
             <vehicle id=\"tractor\" x=\"50000\" y=\"50000\"/></timestep>\n",
            1_200 - x
        ));
    }
    trace + "</fcd-export>\n"
}

const SITES: &str = "site_id,x_m,y_m,picked\nwest,100,20,1\neast,1100,20,1\nspare,600,20,0\n";

fn cairn(dir: &Path, args: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_cairn"))
        .args(args)
        .current_dir(dir)
        .output()
        .expect("the binary can be started");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "stderr: {stderr}");
    output
}

fn report(dir: &Path) -> Value {
    serde_json::from_slice(&fs::read(dir.join("report.json")).unwrap()).unwrap()
}

/// Logins of both kinds.
fn logins(report: &Value) -> u64 {
    ["full", "handover"]
        .iter()
        .filter_map(|kind| report["login"][kind].as_u64())
        .sum()
}

#[test]
fn replays_logs_in_and_continues_its_ledger() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("trace.xml"), trace()).unwrap();
    fs::write(dir.path().join("sites.csv"), SITES).unwrap();
    let args = [
        "replay",
        "--trace",
        "trace.xml",
        "--sites",
        "sites.csv",
        "--data",
        "data",
        "--report",
        "report.json",
    ];
    let output = cairn(dir.path(), &args);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.contains("logins"), "{stdout}");

    let first = report(dir.path());
    assert_eq!(first["trace"]["vehicles"], 3);
    assert_eq!(first["trace"]["rows"], 144);
    assert_eq!(first["trace"]["duration_s"], 47.0);
    assert_eq!(first["trace"]["vehicles_in_range"], 2);
    assert_eq!(first["network"]["validators"], 4);
    assert_eq!(
        first["network"]["rsus"], 2,
        "sites that are not picked stay empty"
    );
    // How many of the four are handovers depends on how soon a token is final.
    assert_eq!(logins(&first), 4, "two vehicles, two RSUs each");
    assert_eq!(first["login"]["vehicles"], 2);
    assert_eq!(first["login"]["refused"], 0);
    assert_eq!(first["login"]["unanswered"], 0);
    let bytes = |name: &str| first["login"][name].as_u64().unwrap();
    assert!(bytes("hello_bytes") > 0 && bytes("accept_bytes") > 0 && bytes("rekey_bytes") > 0);
    assert!(bytes("hello_bytes") + bytes("accept_bytes") <= 237);
    assert!(bytes("rekey_bytes") <= 96);
    assert!(first["network"]["finality_ms"]["p50"].as_f64().unwrap() > 0.0);
    assert_eq!(first["network"]["transactions_refused"], 0);
    assert_eq!(first["handover"]["lost_races"], 0);

    cairn(dir.path(), &args);
    let second = report(dir.path());
    let height = |report: &Value| report["network"]["height"].as_u64().unwrap();
    assert!(height(&second) > height(&first), "the ledger goes on");
    assert_eq!(
        second["network"]["transactions_refused"], 0,
        "nobody is registered twice"
    );
    assert_eq!(logins(&second), 4);

    let five = [
        "replay",
        "--trace",
        "trace.xml",
        "--data",
        "data",
        "--validators",
        "5",
    ];
    let other = Command::new(env!("CARGO_BIN_EXE_cairn"))
        .args(five)
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert_eq!(
        other.status.code(),
        Some(2),
        "a network of another shape is left alone"
    );
    let stderr = String::from_utf8_lossy(&other.stderr);
    assert!(stderr.contains("network of 4 validators"), "{stderr}");
}

#[test]
fn places_sites_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let near = trace().replace("50000", "600");
    fs::write(dir.path().join("trace.xml"), near).unwrap();
    let args = [
        "replay",
        "--trace",
        "trace.xml",
        "--validators",
        "1",
        "--report",
        "report.json",
    ];
    cairn(dir.path(), &args);
    let report = report(dir.path());
    assert_eq!(report["login"]["vehicles"], 3);
    assert_eq!(report["trace"]["rows_in_range"], 144);
}
