//! The last step of the demonstration: a file loses a block, and the audit catches it.

use crate::{run::RunError, show::count};
use cairn_node::files::{FilesError, LossReport, show_loss};

/// Uploads a file to a store of its own, audits it, takes a block out of the vault, and audits again.
pub fn run() -> Result<(), RunError> {
    let directory = tempfile::Builder::new().prefix("cairn-").tempdir();
    let directory = directory.map_err(|source| FilesError::Path {
        action: "create",
        path: std::env::temp_dir(),
        source,
    })?;
    let report = show_loss(directory.path())?;
    show(&report);
    if report.caught {
        Ok(())
    } else {
        Err(RunError::NotCaught)
    }
}

fn show(report: &LossReport) {
    let LossReport {
        upload,
        before,
        after,
        member,
        ..
    } = report;
    println!(
        "\n  audit        {} bytes in {} blocks, uploaded by some member of a group of two ({:.1} MB/s)",
        count(upload.bytes),
        count(upload.blocks),
        upload.bytes as f64 / 1e6 / upload.send_seconds.max(1e-6),
    );
    println!(
        "               {}: {} blocks challenged, proof of {} bytes verified in {:.1} ms",
        verdict(before.intact),
        count(before.challenged),
        count(before.proof_bytes as u64),
        before.verify_ms
    );
    println!(
        "               the vault loses a block on purpose; {}: {}",
        verdict(after.intact),
        after.reason.as_deref().unwrap_or("nobody noticed"),
    );
    println!(
        "               who uploaded it? LEA's request on the ledger, manager and LEA together: {member}"
    );
}

fn verdict(intact: bool) -> &'static str {
    if intact { "intact" } else { "NOT intact" }
}
