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

/// Logins of all kinds.
fn logins(report: &Value) -> u64 {
    ["anonymous", "registered", "handover"]
        .iter()
        .filter_map(|kind| report["login"][kind].as_u64())
        .sum()
}

#[test]
fn with_relay_a_vehicle_out_of_range_is_served_through_another() {
    let dir = tempfile::tempdir().unwrap();
    let mut trace = String::from("<fcd-export>\n");
    for second in 0..20 {
        trace.push_str(&format!(
            "<timestep time=\"{second}.00\">\
             <vehicle id=\"near\" x=\"100\" y=\"400\"/>\
             <vehicle id=\"far\" x=\"100\" y=\"650\"/></timestep>\n"
        ));
    }
    fs::write(dir.path().join("trace.xml"), trace + "</fcd-export>\n").unwrap();
    fs::write(dir.path().join("sites.csv"), SITES).unwrap();
    let common = ["replay", "--trace", "trace.xml", "--sites", "sites.csv"];
    let run = |relay: &[&str]| {
        let args = [&common[..], &["--report", "report.json"], relay].concat();
        let output = cairn(dir.path(), &args);
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        (stdout, report(dir.path()))
    };
    let (stdout, with) = run(&["--relay"]);
    assert!(stdout.contains("relayed"), "{stdout}");
    assert_eq!(with["relay"]["hop_range_m"], 300.0);
    assert_eq!(with["relay"]["vehicles_only"], 1);
    assert_eq!(with["relay"]["served_share_direct"], 0.5);
    assert!(with["relay"]["served_share"].as_f64().unwrap() > 0.5);
    let (stdout, without) = run(&[]);
    assert!(!stdout.contains("relayed"), "{stdout}");
    assert_eq!(without["relay"], Value::Null);
    let (_, too_far) = run(&["--relay=200"]);
    assert_eq!(too_far["relay"]["vehicles_only"], 0);
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
    assert_eq!(
        first["login"]["anonymous_bytes"],
        serde_json::json!([198, 57]),
        "without options, logins are anonymous"
    );
    assert_eq!(first["login"]["rekey_bytes"], 90);
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

#[test]
fn vehicles_ask_for_charging_points_on_their_way() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("trace.xml"), trace()).unwrap();
    fs::write(dir.path().join("sites.csv"), SITES).unwrap();
    let points = "name,x_m,y_m,kw\nTown hall,600,50,150\n";
    fs::write(dir.path().join("points.csv"), points).unwrap();
    let args = [
        "replay",
        "--trace",
        "trace.xml",
        "--sites",
        "sites.csv",
        "--points",
        "points.csv",
        "--validators",
        "1",
        "--speed",
        "10",
        "--report",
        "report.json",
    ];
    let output = cairn(dir.path(), &args);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(
        stdout.contains("nearest charging point \"Town hall\""),
        "{stdout}"
    );
    let services = &report(dir.path())["services"];
    assert_eq!(services["points"], 1);
    let number = |name: &str| services[name].as_u64().unwrap();
    assert!(number("queries") > 2 * 4, "two vehicles, 48 s: {services}");
    assert!(number("answers") > 0 && number("answers") <= number("queries"));
    assert_eq!(number("false_cells"), 0);
    assert_eq!(services["last_nearest"]["kw"], 150);
}

/// A minute of four vehicles that drive past three sites, as beacons; one of them says every other
/// second that it is 60 m beside the road.
fn beacons() -> (String, String) {
    let (mut beacons, mut truth) = (String::new(), String::new());
    let mut message = 0;
    for second in 0..60 {
        for car in 0..4 {
            let is_false = car == 3 && second % 2 == 1;
            let (x, y) = (10 * second, 5 * car + if is_false { 60 } else { 0 });
            let attack = if car == 3 { "Beside" } else { "Genuine" };
            beacons.push_str(&format!(
                "{{\"sendTime\":{second}.0,\"messageID\":{message},\"sender\":\"car-{car}\",\
                 \"pos\":[{x}.0,{y}.0],\"spd\":[10.0,0.0],\"acl\":[0.0,0.0],\"hed\":90.0,\
                 \"heard_by\":[\"a\",\"b\",\"c\"]}}\n"
            ));
            truth.push_str(&format!(
                "{{\"messageID\":{message},\"sendTime\":{second}.0,\"vehicle\":\"car-{car}\",\
                 \"attackName\":\"{attack}\",\"attack\":{}}}\n",
                u8::from(is_false)
            ));
            message += 1;
        }
    }
    (beacons, truth)
}

#[test]
fn replays_beacons_and_scores_what_was_found() {
    let dir = tempfile::tempdir().unwrap();
    let (beacons, truth) = beacons();
    fs::write(dir.path().join("beacons.jsonl"), beacons).unwrap();
    fs::write(dir.path().join("truth.jsonl"), truth).unwrap();
    let sites = "site_id,x_m,y_m\na,200,50\nb,300,50\nc,400,50\n";
    fs::write(dir.path().join("sites.csv"), sites).unwrap();
    let args = [
        "replay",
        "--beacons",
        "beacons.jsonl",
        "--truth",
        "truth.jsonl",
        "--sites",
        "sites.csv",
        "--validators",
        "1",
        "--speed",
        "10",
        "--report",
        "report.json",
    ];
    cairn(dir.path(), &args);
    let report = report(dir.path());
    assert_eq!(report["positions"]["sent"], 240);
    let found = &report["misbehaviour"];
    assert_eq!(found["attackers"], 1);
    assert_eq!(found["revoked"], 1);
    assert_eq!(found["false_revocations"], 0);
    let attack = found["per_attack"]["Beside"].as_object().unwrap();
    let names = [
        "messages",
        "true_positive",
        "false_positive",
        "false_negative",
        "precision",
        "recall",
        "f1",
        "revoked",
        "seconds_to_revoke",
    ];
    let mut expected = names.to_vec();
    expected.sort_unstable();
    let mut found_names: Vec<&str> = attack.keys().map(String::as_str).collect();
    found_names.sort_unstable();
    assert_eq!(found_names, expected);
    assert_eq!(attack["messages"], 60);
    assert_eq!(attack["revoked"], 1);
    assert!(attack["seconds_to_revoke"].as_f64().unwrap() < 59.0);
    let honest = &found["per_attack"]["Genuine"];
    assert_eq!(
        (&honest["messages"], &honest["false_positive"]),
        (&180.into(), &0.into())
    );
}

#[test]
fn registered_vehicles_log_in_beside_anonymous_ones() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("trace.xml"), trace()).unwrap();
    fs::write(dir.path().join("sites.csv"), SITES).unwrap();
    let args = [
        "replay",
        "--trace",
        "trace.xml",
        "--sites",
        "sites.csv",
        "--validators",
        "1",
        "--registered-share",
        "1",
        "--report",
        "report.json",
    ];
    cairn(dir.path(), &args);
    let report = report(dir.path());
    assert_eq!(report["login"]["anonymous"], 0);
    assert_eq!(
        report["login"]["registered_bytes"],
        serde_json::json!([157, 57])
    );
}

#[test]
fn who_logged_in_is_told_under_a_request_that_the_ledger_keeps() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("trace.xml"), trace()).unwrap();
    fs::write(dir.path().join("sites.csv"), SITES).unwrap();
    fs::write(dir.path().join("warrant.txt"), "court order 12/26").unwrap();
    let replayed = cairn(
        dir.path(),
        &[
            "replay",
            "--trace",
            "trace.xml",
            "--sites",
            "sites.csv",
            "--validators",
            "1",
            "--data",
            "data",
            "--log",
            "cairn_node=debug",
        ],
    );
    let log = String::from_utf8_lossy(&replayed.stderr).into_owned();
    let (_, after) = log.split_once("linkage value ").expect("a login");
    let value = &after[..18];

    let json = |args: &[&str]| -> Value {
        let all = [args, &["--data", "data", "--json"]].concat();
        serde_json::from_slice(&cairn(dir.path(), &all).stdout).unwrap()
    };
    assert_eq!(json(&["trace", "--list"]), serde_json::json!([]));
    let traced = json(&["trace", value, "--reason", "warrant.txt"]);
    assert_eq!(traced["linkage_value"], value);
    assert!(traced["plate"].as_str().unwrap().starts_with("CRN "));
    let again = json(&["trace", value, "--reason", "warrant.txt"]);
    assert_eq!(again["vehicle"], traced["vehicle"]);

    let nobody = "00".repeat(9);
    let refused = Command::new(env!("CARGO_BIN_EXE_cairn"))
        .args([
            "trace",
            &nobody,
            "--reason",
            "warrant.txt",
            "--data",
            "data",
        ])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&refused.stderr);
    assert!(stderr.contains("linkage value"), "{stderr}");

    let list = json(&["trace", "--list"]);
    let list = list.as_array().unwrap();
    assert_eq!(
        list.len(),
        3,
        "requests that were refused are on the ledger too"
    );
    assert_eq!(list[0]["linkage_value"], value);
    assert_eq!(list[0]["issuers"], serde_json::json!([1]));
    assert!(list[0]["answered_ms"].is_u64());
    assert_eq!(list[2]["linkage_value"], nobody.as_str());
    assert!(list[2]["answered_ms"].is_null());
}
