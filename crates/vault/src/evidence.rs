//! Evidence: bytes under their digest (PROTOCOLS.md section 6).

use crate::{Error, Item, hash::bytes32, hash::hash};

/// Largest piece of evidence, in bytes: two seconds of 131-byte messages from a hundred vehicles
/// at 10 Hz take 262,000.
pub const MAX_EVIDENCE: usize = 512 * 1024;

bytes32!(
    /// Names evidence: `H("cairn/1/vault/evidence", bytes)`, SHA-256 over length-prefixed fields.
    EvidenceId
);

impl EvidenceId {
    /// The name of `bytes`.
    ///
    /// # Errors
    ///
    /// [`Error::EvidenceSize`] above [`MAX_EVIDENCE`].
    pub fn of(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_EVIDENCE {
            return Err(Error::EvidenceSize(bytes.len()));
        }
        Ok(Self(hash("cairn/1/vault/evidence", &[bytes])))
    }

    /// Refuses stored bytes that are not what the name says.
    pub(crate) fn check(&self, bytes: Vec<u8>) -> Result<Vec<u8>, Error> {
        match Self::of(&bytes) {
            Ok(id) if id == *self => Ok(bytes),
            _ => Err(Error::Corrupt(Item::Evidence(*self))),
        }
    }
}
