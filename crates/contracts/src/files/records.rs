//! What contract `files` writes and reads.

use crate::encoding::{operations, record};
use bytes::BufMut;
use cairn_ledger::{Address, PublicKey};
use commonware_codec::{Buf, Error, FixedSize, Read, ReadExt as _, Write};

record!(
    /// What contract `files` is deployed with.
    Parameters {
        /// The vault's operator, who records file versions.
        operator: PublicKey,
        /// The auditor, who opens audits and decides them.
        auditor: PublicKey,
        /// Longest time between two verdicts on a file, in milliseconds, before it is overdue.
        interval_ms: u64,
        /// The instance of contract `groups` that knows the groups.
        groups: Address,
    }
);

record!(
    /// `v` of a group's tagging key, a compressed point of G2. Opaque here.
    TagKey {
        /// The 96 bytes.
        v: [u8; 96],
    }
);

record!(
    /// Where a file stands.
    FileHead {
        /// Its latest version.
        version: u64,
        /// Block time of its first version, in milliseconds.
        since_ms: u64,
        /// The group it belongs to.
        group: u16,
        /// Its place in the roll of all files, from 0.
        place: u64,
    }
);

record!(
    /// A place in the roll of all files.
    RollEntry {
        /// The file.
        file: [u8; 32],
    }
);

record!(
    /// What verification of one file version needs; with [`TagKey`], all of it.
    VersionRecord {
        /// SHA-256 of the whole record as the vault has it, member's authorisation included.
        digest: [u8; 32],
        /// Root of the index.
        root: [u8; 32],
        /// Number of live blocks.
        live: u64,
        /// Name of the key of the tags.
        kid: [u8; 32],
        /// Block time at which it was recorded, in milliseconds.
        recorded_ms: u64,
    }
);

record!(
    /// The verdict of one audit.
    Verdict {
        /// Version of the file that was audited.
        version: u64,
        /// Block time of the opening, in milliseconds. Block times rise, so it names the block.
        opened_ms: u64,
        /// Block time of the verdict, in milliseconds.
        decided_ms: u64,
        /// Blocks asked for; all of the file when it has fewer.
        blocks: u32,
        /// What the auditor found.
        is_intact: bool,
        /// SHA-256 of the evidence that is kept in public.
        evidence: [u8; 32],
    }
);

record!(
    /// An audit without a verdict yet.
    Open {
        /// Version of the file that is audited.
        version: u64,
        /// Block time of the opening, in milliseconds.
        opened_ms: u64,
        /// Blocks asked for.
        blocks: u32,
    }
);

record!(
    /// The last verdict on a file.
    Last {
        /// Number of the audit.
        number: u64,
        /// Block time of the verdict, in milliseconds.
        decided_ms: u64,
        /// What the auditor found.
        is_intact: bool,
    }
);

/// Where the audits of a file stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditState {
    /// Audits opened; the number of the last one.
    pub opened: u64,
    /// The open audit, if there is one.
    pub open: Option<Open>,
    /// The last verdict.
    pub last: Option<Last>,
    /// Verdicts that said "not intact".
    pub failed: u32,
    /// Audits that were left without a verdict and opened anew.
    pub abandoned: u32,
}

impl AuditState {
    /// Whether the last verdict, or the file's first version, is longer ago than the contract's
    /// interval.
    pub fn is_overdue(&self, head: &FileHead, parameters: &Parameters, now_ms: u64) -> bool {
        let last = self.last.as_ref().map_or(head.since_ms, |l| l.decided_ms);
        now_ms > last.saturating_add(parameters.interval_ms)
    }
}

operations!(
    /// What the contract is called with.
    Operation {
        /// The operator accepted a version of a file.
        0 Record {
            /// The file.
            file: [u8; 32],
            /// The group it belongs to.
            group: u16,
            /// Its place in the roll of all files.
            place: u64,
            /// The version, from 1.
            version: u64,
            /// SHA-256 of the whole record.
            digest: [u8; 32],
            /// Root of the index.
            root: [u8; 32],
            /// Number of live blocks.
            live: u64,
            /// Name of the key of the tags.
            kid: [u8; 32],
            /// `v` of that key.
            v: TagKey,
        }
        /// The auditor opens an audit of the latest version.
        1 Open {
            /// The file.
            file: [u8; 32],
            /// Blocks to challenge, 1 to 4,096.
            blocks: u32,
        }
        /// The auditor decides the open audit.
        2 Verdict {
            /// The file.
            file: [u8; 32],
            /// Number of the audit.
            number: u64,
            /// What it found.
            is_intact: bool,
            /// SHA-256 of the evidence.
            evidence: [u8; 32],
        }
    }
);

impl Write for AuditState {
    fn write(&self, buf: &mut impl BufMut) {
        self.opened.write(buf);
        write_option(self.open.as_ref(), buf);
        write_option(self.last.as_ref(), buf);
        self.failed.write(buf);
        self.abandoned.write(buf);
    }
}

impl Read for AuditState {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, Error> {
        Ok(Self {
            opened: u64::read(buf)?,
            open: read_option(buf)?,
            last: read_option(buf)?,
            failed: u32::read(buf)?,
            abandoned: u32::read(buf)?,
        })
    }
}

impl FixedSize for AuditState {
    const SIZE: usize = 8 + 1 + Open::SIZE + 1 + Last::SIZE + 4 + 4;
}

/// A record has one size, so what is absent is written as zeros.
fn write_option<T: Write + FixedSize>(value: Option<&T>, buf: &mut impl BufMut) {
    value.is_some().write(buf);
    match value {
        Some(value) => value.write(buf),
        None => buf.put_bytes(0, T::SIZE),
    }
}

fn read_option<T: Read<Cfg = ()>>(buf: &mut impl Buf) -> Result<Option<T>, Error> {
    let is_some = bool::read(buf)?;
    let value = T::read(buf)?;
    Ok(is_some.then_some(value))
}
