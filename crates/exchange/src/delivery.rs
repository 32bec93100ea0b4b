//! What is in an envelope, and how the requester checks it.
//!
//! The first chunks hold the proof that the roots are final on the owner's chain
//! ([`Item::Anchors`]); each further one a record with its blind, its root and its path to it
//! ([`Item::Record`]).
//!
//! | rule | the requester refuses unless |
//! |---|---|
//! | V-DEL-1 | the item decodes, nothing follows |
//! | V-DEL-2 | the record is of the device that was asked for, and of its times |
//! | V-DEL-3 | of the grade that was asked for |
//! | V-DEL-4 | later than the record before it: each comes once |
//! | V-DEL-5 | its commitment lies under its root |
//! | V-DEL-6 | the root is anchored on the owner's chain, by a proof that a [light client](cairn_ledger::light) checked |

use std::collections::BTreeSet;

use bytes::BufMut as _;
use cairn_contracts::records;
use cairn_ledger::{
    Address, StateKey,
    light::{LedgerProof, Verified},
};
use cairn_vault::{Inclusion, Record, Root};
use commonware_codec::{Copying, DecodeExt as _, Encode as _, ReadExt as _};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::request::Wanted;

const ANCHORS: u8 = 1;
const RECORD: u8 = 2;

/// Why a delivery is refused. The owner is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DeliveryError {
    /// V-DEL-1.
    #[error("an item of the delivery does not decode")]
    Malformed,
    /// V-DEL-2.
    #[error("a record of another device or time than was asked for")]
    NotAsked,
    /// V-DEL-3.
    #[error("a record of another grade than was asked for")]
    Grade,
    /// V-DEL-4.
    #[error("a record comes twice, or out of order")]
    Order,
    /// V-DEL-5.
    #[error("a record's commitment does not lie under its root")]
    Commitment,
    /// V-DEL-6.
    #[error("a root is not anchored on the owner's chain")]
    Root,
}

/// One chunk's content.
#[derive(Clone, Debug)]
pub enum Item {
    /// That roots are final on the owner's chain.
    Anchors(Box<LedgerProof>),
    /// A record.
    Record {
        /// With its blind.
        record: Record,
        /// The root of its batch.
        root: Root,
        /// The path.
        path: Inclusion,
    },
}

impl Item {
    /// Encodes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Anchors(proof) => {
                out.put_u8(ANCHORS);
                out.extend_from_slice(&proof.encode());
            }
            Self::Record { record, root, path } => {
                out.put_u8(RECORD);
                out.extend_from_slice(&root.0);
                out.extend_from_slice(&path.encode());
                out.extend_from_slice(&record.encode());
            }
        }
        out
    }

    /// Decodes.
    ///
    /// # Errors
    ///
    /// [`DeliveryError::Malformed`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DeliveryError> {
        let malformed = |_| DeliveryError::Malformed;
        match bytes.split_first() {
            Some((&ANCHORS, proof)) => {
                let proof = LedgerProof::decode(Copying(proof)).map_err(malformed)?;
                Ok(Self::Anchors(Box::new(proof)))
            }
            Some((&RECORD, rest)) => {
                let mut rest = Copying(rest);
                let root = Root::read(&mut rest).map_err(malformed)?;
                let path = Inclusion::read(&mut rest).map_err(malformed)?;
                let record = Record::decode(rest).map_err(malformed)?;
                Ok(Self::Record { record, root, path })
            }
            _ => Err(DeliveryError::Malformed),
        }
    }
}

/// The digest of records in their order: what both sides compare, `H(commitment ‖ …)`.
#[derive(Clone, Default)]
pub struct ContentDigest(Sha256);

impl ContentDigest {
    /// Adds a record.
    pub fn add(&mut self, record: &Record) {
        self.0.update(record.commitment().0);
    }

    /// The SHA-256.
    #[must_use]
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

/// Checks the items of one delivery as they come.
pub struct Check {
    wanted: Wanted,
    records: Address,
    anchored: BTreeSet<StateKey>,
    last_ms: Option<u64>,
    count: u64,
    digest: ContentDigest,
}

impl Check {
    /// For what was asked, from an owner whose contract `records` is at `records` of its chain.
    #[must_use]
    pub fn new(wanted: Wanted, records: Address) -> Self {
        Self {
            wanted,
            records,
            anchored: BTreeSet::new(),
            last_ms: None,
            count: 0,
            digest: ContentDigest::default(),
        }
    }

    /// Takes note of what a light client of the owner's chain found there.
    pub fn learn(&mut self, verified: &Verified) {
        let present = verified
            .entries
            .iter()
            .filter(|(_, record)| record.is_some());
        self.anchored.extend(present.map(|(key, _)| *key));
    }

    /// Checks a record (V-DEL-2 to V-DEL-6).
    ///
    /// # Errors
    ///
    /// [`DeliveryError`].
    pub fn record(
        &mut self,
        record: &Record,
        root: &Root,
        path: &Inclusion,
    ) -> Result<(), DeliveryError> {
        let key = record.key();
        let times = self.wanted.from_ms..self.wanted.until_ms;
        if key.device != self.wanted.device || !times.contains(&key.time_ms) {
            return Err(DeliveryError::NotAsked);
        }
        if record.grade().0 != self.wanted.grade {
            return Err(DeliveryError::Grade);
        }
        if self.last_ms.is_some_and(|last_ms| key.time_ms <= last_ms) {
            return Err(DeliveryError::Order);
        }
        if !path.verify(&record.commitment(), root) {
            return Err(DeliveryError::Commitment);
        }
        if !self
            .anchored
            .contains(&records::root_key(&self.records, &root.0))
        {
            return Err(DeliveryError::Root);
        }
        self.last_ms = Some(key.time_ms);
        self.count += 1;
        self.digest.add(record);
        Ok(())
    }

    /// How many records were in order, and their digest.
    #[must_use]
    pub fn finish(self) -> (u64, [u8; 32]) {
        (self.count, self.digest.finish())
    }
}
