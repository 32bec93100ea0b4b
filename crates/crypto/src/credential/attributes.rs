//! What the issuers sign: kind, linkage value, slot, group, issuer epoch.

use super::Error;
use crate::linkage::{LINKAGE_BYTES, LinkageValue};
use crate::suite::Reader;

/// Length of the encoding, in bytes: an anonymous login has no room for more.
pub const ATTRIBUTE_BYTES: usize = 20;

const MS_PER_S: u64 = 1_000;
const S_PER_MINUTE: u32 = 60;

/// Whose credential it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A vehicle's on-board unit.
    Vehicle = 1,
    /// An organisation's device or server.
    Organisation = 2,
    /// A member of a group that uploads files.
    Uploader = 3,
}

/// A half-open time of validity, `[t0, t1)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    start_s: u32,
    minutes: u16,
}

impl Slot {
    /// A slot from `start_s` (seconds since the Unix epoch), `minutes` long; `None` when it is
    /// empty or ends beyond the 32-bit second count (2106).
    #[must_use]
    pub fn new(start_s: u32, minutes: u16) -> Option<Self> {
        let length = u32::from(minutes) * S_PER_MINUTE;
        (minutes > 0 && start_s.checked_add(length).is_some()).then_some(Self { start_s, minutes })
    }

    /// `t0`, in seconds since the Unix epoch.
    #[must_use]
    pub fn start_s(&self) -> u32 {
        self.start_s
    }

    /// `t1`, the first second outside, since the Unix epoch.
    #[must_use]
    pub fn end_s(&self) -> u32 {
        self.start_s + u32::from(self.minutes) * S_PER_MINUTE
    }

    /// Whether the slot is on at `now_ms` (since the Unix epoch), within a tolerated clock offset
    /// in milliseconds.
    #[must_use]
    pub fn contains(&self, now_ms: u64, tolerance_ms: u64) -> bool {
        let start = u64::from(self.start_s) * MS_PER_S;
        let end = u64::from(self.end_s()) * MS_PER_S;
        now_ms.saturating_add(tolerance_ms) >= start && now_ms < end.saturating_add(tolerance_ms)
    }
}

/// Attributes of a credential.
///
/// ```text
/// kind 1 | lv 9 | t0 4 (s since 1970) | length 2 (minutes) | group 2 | issuer epoch 2     big endian
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// Whose credential it is.
    pub kind: Kind,
    /// By which it can be revoked and traced.
    pub linkage: LinkageValue,
    /// When it is valid.
    pub slot: Slot,
    /// Fleet, organisation or uploading group; 0 for none.
    pub group: u16,
    /// Number of the issuer key. Advances when issuers or an organisation's members change, so
    /// that old credentials end by themselves.
    pub epoch: u16,
}

impl Attributes {
    /// Reads the 20 bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Attributes`] for an unknown kind or a slot that [`Slot::new`] refuses.
    pub fn from_bytes(bytes: &[u8; ATTRIBUTE_BYTES]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, ATTRIBUTE_BYTES)?;
        let kind = match reader.array()? {
            [1] => Kind::Vehicle,
            [2] => Kind::Organisation,
            [3] => Kind::Uploader,
            [_] => return Err(Error::Attributes),
        };
        let linkage = LinkageValue(reader.array::<LINKAGE_BYTES>()?);
        let start_s = u32::from_be_bytes(reader.array()?);
        let minutes = u16::from_be_bytes(reader.array()?);
        Ok(Self {
            kind,
            linkage,
            slot: Slot::new(start_s, minutes).ok_or(Error::Attributes)?,
            group: u16::from_be_bytes(reader.array()?),
            epoch: u16::from_be_bytes(reader.array()?),
        })
    }

    /// The 20 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; ATTRIBUTE_BYTES] {
        let mut bytes = [0; ATTRIBUTE_BYTES];
        bytes[0] = self.kind as u8;
        bytes[1..10].copy_from_slice(&self.linkage.0);
        bytes[10..14].copy_from_slice(&self.slot.start_s.to_be_bytes());
        bytes[14..16].copy_from_slice(&self.slot.minutes.to_be_bytes());
        bytes[16..18].copy_from_slice(&self.group.to_be_bytes());
        bytes[18..20].copy_from_slice(&self.epoch.to_be_bytes());
        bytes
    }
}
