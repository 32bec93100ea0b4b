//! Audited files (PROTOCOLS.md section 10): a store whose content is provably all there.
//!
//! A store is a directory with a vault, a ledger of its own and keys:
//!
//! ```text
//! DIR/network/     the ledger's validator and every key, owner only (see `home`)
//! DIR/vault/       blocks, tags, index and versions
//! DIR/uploads/     which blocks of an unfinished upload have arrived
//! DIR/keys/        public tagging keys
//! DIR/groups/      members and sealed secrets of groups (see `groups`)
//! DIR/evidence/    what the auditor's verdicts rest on, public
//! ```
//!
//! 1. **Upload** ([`Store::put`], [`Store::update`]): the file is cut in blocks of 3,926 bytes, each
//!    sealed under the group's content key (a tag confirms guesses of what it covers) and tagged
//!    under the group's secret, on all cores. The vault verifies tags in batches before it
//!    acknowledges them (10.3). An upload that was broken off goes on where it was. The version is
//!    authorised under a credential of the group that serves once (10.2).
//! 2. The vault's operator checks that, records the version on the ledger and signs its acceptance.
//! 3. **Audit** ([`Store::audit`]): the auditor opens an audit by a transaction; the challenge
//!    follows from the seed of the round that finalises the *next* block (10.4). The vault
//!    answers, the auditor verifies (10.5), and its verdict goes on the ledger; the evidence is
//!    kept (10.6).
//!    As a service ([`Store::round`]), the auditor audits what is due, and raises alarms.
//! 4. **Verification** ([`Store::verify`]): anybody with the ledger's genesis redoes the last audit
//!    from its evidence. An auditor who lied is named.
//! 5. **Download** ([`Store::get`]): index and every block are checked against the ledger.
//!
//! The store's ledger has one validator in the same process. It orders, dates and keeps what was
//! said; against an operator who rewrites ledger and vault together it does not help, and it
//! could compute its own seeds ahead. A store that several organisations rely on belongs on a
//! network of several validators.

mod audit;
mod auditor;
mod blocks;
mod demo;
mod download;
mod error;
mod evidence;
mod groups;
mod issuers;
mod journal;
pub mod sabotage;
mod store;
#[cfg(test)]
mod tests;
mod upload;

pub use audit::{AuditReport, CHALLENGED, VerifyReport};
pub use auditor::{Alarm, FileStatus, RoundReport};
pub use demo::{LossReport, show_loss};
pub use download::GetReport;
pub use error::FilesError;
pub use groups::{DEFAULT_GROUP, DEFAULT_MEMBER, GroupReport, TraceReport, Who};
pub use store::{Store, open};
pub use upload::UploadReport;

pub use cairn_protocol::group::Name;

use cairn_crypto::possession::{FileId, LENGTH_BYTES, SECTOR_BYTES};

/// Sectors of every block: a tag of 48 bytes for 3,968, and proofs of 4 KB beside the index.
const SECTORS: u16 = 128;

/// Bytes of a file in one block: the capacity, less what sealing adds.
pub const BLOCK_CONTENT: usize =
    SECTORS as usize * SECTOR_BYTES - LENGTH_BYTES - cairn_crypto::seal::OVERHEAD;

/// Most blocks of a file: the changes that the vault takes in one version. 4.1 GB.
pub const MAX_FILE_BLOCKS: u64 = cairn_vault::MAX_CHANGES as u64;

/// Reads a file's id from 64 hexadecimal digits.
///
/// # Errors
///
/// [`FilesError::Id`].
pub fn parse_id(text: &str) -> Result<FileId, FilesError> {
    let wrong = || FilesError::Id(text.chars().take(80).collect());
    let digits = text.as_bytes();
    if digits.len() != 64 || !text.is_ascii() {
        return Err(wrong());
    }
    let mut id = [0; 32];
    for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |d: u8| char::from(d).to_digit(16);
        let (high, low) = digit(pair[0]).zip(digit(pair[1])).ok_or_else(wrong)?;
        *byte = u8::try_from(16 * high + low).map_err(|_| wrong())?;
    }
    Ok(FileId(id))
}

/// A file's id, or another digest, as 64 hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn vault_id(file: &FileId) -> cairn_vault::FileId {
    cairn_vault::FileId(file.0)
}
