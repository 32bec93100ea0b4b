//! Bad input: one clear line, exit code 2, no report, no panic.

use std::{
    fs,
    io::Write as _,
    net::TcpListener,
    path::Path,
    process::{Command, Output},
};

/// A trace that is fine.
const TRACE: &str = r#"<fcd-export>
<timestep time="0.00"><vehicle id="a" x="10" y="20"/></timestep>
<timestep time="1.00"><vehicle id="a" x="11" y="20"/></timestep>
</fcd-export>
"#;

fn cairn(args: &[&str], dir: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cairn"))
        .args(args)
        .current_dir(dir)
        .output()
        .expect("the binary can be started")
}

/// Runs `cairn replay` on `trace` and expects a refusal that says `expected`.
fn refused(trace: &[u8], more: &[&str], expected: &str) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("trace.xml"), trace).unwrap();
    let args = ["replay", "--trace", "trace.xml", "--report", "report.json"];
    let args: Vec<&str> = args.iter().chain(more).copied().collect();
    is_refused(&cairn(&args, dir.path()), dir.path(), expected);
}

fn is_refused(output: &Output, dir: &Path, expected: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "exit code, stderr: {stderr}");
    assert!(
        stderr.contains(expected),
        "expected {expected:?} in: {stderr}"
    );
    assert!(!stderr.contains("panicked"), "{stderr}");
    assert!(!dir.join("report.json").exists(), "a report was written");
}

/// The same, and the error is a single line. (What clap says of flags has several.)
fn refused_in_one_line(trace: &[u8], more: &[&str], expected: &str) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("trace.xml"), trace).unwrap();
    let args = ["replay", "--trace", "trace.xml", "--report", "report.json"];
    let args: Vec<&str> = args.iter().chain(more).copied().collect();
    let output = cairn(&args, dir.path());
    is_refused(&output, dir.path(), expected);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(stderr.trim_end().lines().count(), 1, "{stderr}");
}

#[test]
fn a_missing_file() {
    let dir = tempfile::tempdir().unwrap();
    let output = cairn(&["replay", "--trace", "nowhere.xml"], dir.path());
    is_refused(&output, dir.path(), "nowhere.xml");
}

#[test]
fn an_empty_file() {
    refused_in_one_line(b"", &[], "trace.xml");
}

#[test]
fn malformed_xml() {
    let trace = TRACE.replace("</timestep>", "</timestap>");
    refused_in_one_line(trace.as_bytes(), &[], "trace.xml, line 2");
}

#[test]
fn a_truncated_archive() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(TRACE.as_bytes()).unwrap();
    let mut packed = packed.finish().unwrap();
    packed.truncate(packed.len() / 2);
    refused_in_one_line(&packed, &[], "trace.xml");
}

#[test]
fn coordinates_that_are_no_numbers_or_out_of_range() {
    refused_in_one_line(
        TRACE.replace("\"10\"", "\"NaN\"").as_bytes(),
        &[],
        "trace.xml, line 2",
    );
    refused_in_one_line(
        TRACE.replace("\"10\"", "\"1e300\"").as_bytes(),
        &[],
        "trace.xml, line 2",
    );
}

#[test]
fn a_vehicle_twice_in_a_step() {
    let twice = TRACE.replacen(
        "/></timestep>",
        "/><vehicle id=\"a\" x=\"1\" y=\"1\"/></timestep>",
        1,
    );
    refused_in_one_line(twice.as_bytes(), &[], "trace.xml, line 2");
}

#[test]
fn time_that_runs_backwards() {
    refused_in_one_line(
        TRACE.replace("\"0.00\"", "\"7.00\"").as_bytes(),
        &[],
        "trace.xml, line 3",
    );
}

#[test]
fn sites_without_the_columns() {
    let dir = tempfile::tempdir().unwrap();
    let sites = dir.path().join("sites.csv");
    fs::write(&sites, "name,where\na,b\n").unwrap();
    refused_in_one_line(
        TRACE.as_bytes(),
        &["--sites", sites.to_str().unwrap()],
        "sites.csv",
    );
}

#[test]
fn numbers_that_make_no_sense() {
    refused(TRACE.as_bytes(), &["--validators", "0"], "--validators");
    refused(TRACE.as_bytes(), &["--validators", "many"], "--validators");
    refused_in_one_line(TRACE.as_bytes(), &["--range", "0"], "range");
    refused_in_one_line(TRACE.as_bytes(), &["--range", "NaN"], "range");
}

#[test]
fn an_unknown_flag() {
    refused(TRACE.as_bytes(), &["--faster"], "--faster");
}

#[test]
fn a_log_filter_that_is_none() {
    refused_in_one_line(TRACE.as_bytes(), &["--log", "cairn=loud"], "--log");
}

#[test]
fn a_port_in_use() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    refused_in_one_line(TRACE.as_bytes(), &["--listen", &address], &address);
}

#[test]
fn a_report_that_cannot_be_written() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("trace.xml"), TRACE).unwrap();
    let args = [
        "replay",
        "--trace",
        "trace.xml",
        "--report",
        "no/such/dir/report.json",
    ];
    is_refused(
        &cairn(&args, dir.path()),
        dir.path(),
        "no/such/dir/report.json",
    );
}

#[test]
fn a_data_directory_that_cannot_be_made() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "no directory").unwrap();
    let below = file.join("data");
    refused_in_one_line(
        TRACE.as_bytes(),
        &["--data", below.to_str().unwrap()],
        "data directory",
    );
}

#[test]
fn a_directory_of_something_else() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("thesis.tex"), "chapter 1").unwrap();
    let path = dir.path().to_str().unwrap();
    refused_in_one_line(TRACE.as_bytes(), &["--data", path], "no network of Cairn");
}

#[test]
fn an_attack_that_is_none_or_beacons_without_sites() {
    let trace = TRACE.as_bytes();
    refused(trace, &["--attack", "Nonsense"], "expected one of ConstPos");
    refused(trace, &["--attackers", "2"], "--attack");
    refused(trace, &["--truth", "truth.jsonl"], "--beacons");
    let dir = tempfile::tempdir().unwrap();
    let output = cairn(&["replay", "--beacons", "beacons.jsonl"], dir.path());
    is_refused(&output, dir.path(), "--sites");
    fs::write(dir.path().join("sites.csv"), "site_id,x_m,y_m\na,0,0\n").unwrap();
    fs::write(dir.path().join("beacons.jsonl"), "{\"sendTime\":1}\n").unwrap();
    let args = [
        "replay",
        "--beacons",
        "beacons.jsonl",
        "--sites",
        "sites.csv",
    ];
    let output = cairn(&args, dir.path());
    is_refused(&output, dir.path(), "beacons.jsonl");
}
