//! What contract `files` writes and reads.

use crate::PublicKey;
use bytes::BufMut;
use commonware_codec::{Buf, EncodeSize, Error, FixedSize, Read, ReadExt as _, Write};

/// Declares a record: fields one after the other, numbers big endian.
macro_rules! record {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)+
        }

        impl Write for $name {
            fn write(&self, buf: &mut impl BufMut) {
                $(self.$field.write(buf);)+
            }
        }

        impl Read for $name {
            type Cfg = ();

            fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, Error> {
                Ok(Self {
                    $($field: <$type>::read(buf)?,)+
                })
            }
        }

        impl FixedSize for $name {
            const SIZE: usize = $(<$type>::SIZE +)+ 0;
        }
    };
}

record!(
    /// What contract `files` is deployed with.
    Parameters {
        /// The vault's operator, who records file versions.
        operator: PublicKey,
        /// The auditor, who opens audits and decides them.
        auditor: PublicKey,
        /// Longest time between two verdicts on a file, in milliseconds, before it is overdue.
        interval_ms: u64,
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

/// What the contract is called with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The operator accepted a version of a file.
    Record {
        /// The file.
        file: [u8; 32],
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
    },
    /// The auditor opens an audit of the latest version.
    Open {
        /// The file.
        file: [u8; 32],
        /// Blocks to challenge, 1 to 4,096.
        blocks: u32,
    },
    /// The auditor decides the open audit.
    Verdict {
        /// The file.
        file: [u8; 32],
        /// Number of the audit.
        number: u64,
        /// What it found.
        is_intact: bool,
        /// SHA-256 of the evidence.
        evidence: [u8; 32],
    },
}

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

impl Write for Operation {
    fn write(&self, buf: &mut impl BufMut) {
        match self {
            Self::Record {
                file,
                version,
                digest,
                root,
                live,
                kid,
                v,
            } => {
                0u8.write(buf);
                file.write(buf);
                version.write(buf);
                digest.write(buf);
                root.write(buf);
                live.write(buf);
                kid.write(buf);
                v.write(buf);
            }
            Self::Open { file, blocks } => {
                1u8.write(buf);
                file.write(buf);
                blocks.write(buf);
            }
            Self::Verdict {
                file,
                number,
                is_intact,
                evidence,
            } => {
                2u8.write(buf);
                file.write(buf);
                number.write(buf);
                is_intact.write(buf);
                evidence.write(buf);
            }
        }
    }
}

impl EncodeSize for Operation {
    fn encode_size(&self) -> usize {
        1 + match self {
            Self::Record { .. } => 4 * 32 + 2 * 8 + TagKey::SIZE,
            Self::Open { .. } => 32 + 4,
            Self::Verdict { .. } => 32 + 8 + 1 + 32,
        }
    }
}

impl Read for Operation {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, Error> {
        let tag = u8::read(buf)?;
        let file = <[u8; 32]>::read(buf)?;
        match tag {
            0 => Ok(Self::Record {
                file,
                version: u64::read(buf)?,
                digest: <[u8; 32]>::read(buf)?,
                root: <[u8; 32]>::read(buf)?,
                live: u64::read(buf)?,
                kid: <[u8; 32]>::read(buf)?,
                v: TagKey::read(buf)?,
            }),
            1 => Ok(Self::Open {
                file,
                blocks: u32::read(buf)?,
            }),
            2 => Ok(Self::Verdict {
                file,
                number: u64::read(buf)?,
                is_intact: bool::read(buf)?,
                evidence: <[u8; 32]>::read(buf)?,
            }),
            tag => Err(Error::InvalidEnum(tag)),
        }
    }
}
