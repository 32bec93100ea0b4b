//! What `cairn file` tells people.

use crate::args::FileStore;
use cairn_node::files::{
    AuditReport, FileStatus, GroupReport, RoundReport, TraceReport, UploadReport, VerifyReport,
};
use serde::Serialize;
use std::io::{self, Write as _};

/// JSON if asked for, words otherwise.
pub fn show<T: Serialize>(store: &FileStore, report: &T, words: impl FnOnce(&T)) {
    if store.json {
        let json = serde_json::to_string(report).expect("reports hold only what JSON can say");
        println!("{json}");
    } else {
        words(report);
    }
    // A closed pipe is the reader's choice.
    let _ = io::stdout().flush();
}

pub fn uploaded(report: &UploadReport) {
    println!("file {}", report.file);
    println!(
        "  version {}: {} bytes in {} blocks, {} of them sent now ({:.1} MB/s with tags made and verified)",
        report.version,
        report.bytes,
        report.blocks,
        report.sent_blocks,
        report.bytes as f64 / 1e6 / report.send_seconds.max(1e-6),
    );
    println!(
        "  the vault verified every tag and signed its acceptance; the record is on the ledger"
    );
}

pub fn audited(report: &AuditReport) {
    match &report.reason {
        None => println!("Yes: your file is intact."),
        Some(reason) => println!("NO: your file is damaged. {reason}."),
    }
    println!(
        "  audit {}: {} of {} blocks challenged; a loss of one block in a hundred is found with {:.1} %",
        report.audit,
        report.challenged,
        report.blocks,
        100.0 * report.detection_probability,
    );
    println!(
        "  proof of {} bytes, verified in {:.1} ms; challenge from block {}, which nobody knew before",
        report.proof_bytes, report.verify_ms, report.round_height
    );
}

pub fn verified(report: &VerifyReport) {
    match (&report.reason, report.audit) {
        (None, Some(audit)) => {
            println!("Yes: audit {audit} found your file intact, and its evidence says so.")
        }
        (Some(reason), _) => println!("Not known to be intact: {reason}."),
        (None, None) => {}
    }
    println!(
        "  version {}; {} failed and {} abandoned audits; the next audit is {}overdue",
        report.version,
        report.failed_audits,
        report.abandoned_audits,
        if report.overdue { "" } else { "not " },
    );
}

pub fn listed(file: &FileStatus) {
    let audit = match (file.audited_version, file.intact) {
        (Some(version), Some(true)) => format!("version {version} intact at its last audit"),
        (Some(version), Some(false)) => format!("version {version} DAMAGED at its last audit"),
        _ => "never audited".to_owned(),
    };
    let overdue = if file.overdue { ", OVERDUE" } else { "" };
    println!("{}  version {}, {audit}{overdue}", file.file, file.version);
}

pub fn round(report: &RoundReport) {
    let intact = report.audits.iter().filter(|audit| audit.intact).count();
    println!(
        "{} files, {} audited, {intact} of them intact, {} alarms",
        report.files,
        report.audits.len(),
        report.alarms.len()
    );
    for alarm in &report.alarms {
        println!("  ALARM: {alarm}");
    }
}

pub fn grouped(report: &GroupReport) {
    println!(
        "group {}, number {} on the ledger",
        report.group, report.number
    );
    println!("  members: {}", report.members.join(", "));
    println!(
        "  key epoch {}, tagging key {}",
        report.epoch,
        &report.key[..16]
    );
}

pub fn traced(report: &TraceReport) {
    println!(
        "version {} was uploaded by {} of group {}",
        report.version, report.member, report.group
    );
    println!(
        "  credential {}; request and answer are on the ledger for everybody to see",
        report.linkage
    );
}
