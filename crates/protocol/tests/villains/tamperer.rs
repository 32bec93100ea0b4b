//! Somebody who can write to the vault, and changes reports there.

use cairn_protocol::danger::report::SealedReport;

/// The report with one bit changed.
pub fn flip(report: &SealedReport, bit: usize) -> SealedReport {
    let mut changed = report.clone();
    let bit = bit % (8 * changed.sealed.len());
    changed.sealed[bit / 8] ^= 1 << (bit % 8);
    changed
}

/// One report in the place of another: its bytes under the other's name and commitment.
pub fn swap(kept: &SealedReport, put: &SealedReport) -> SealedReport {
    SealedReport {
        sealed: put.sealed.clone(),
        ..kept.clone()
    }
}
