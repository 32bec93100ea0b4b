//! What the ledger says of the issuers of an epoch.

use std::sync::Arc;

use cairn_contracts::credentials::{EpochRecord, IssuerRecord};
use cairn_crypto::{
    credential::{IssuerKey, Policy},
    suite::{self, Element},
};
use cairn_ledger::PublicKey;
use thiserror::Error;

use super::Suite;

/// Why records make no circle. The ledger's contract checks points, so nobody outside is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CircleError {
    /// Not confirmed by all issuers, or over.
    #[error("the key of epoch {0} does not count")]
    NotConfirmed(u16),
    /// A record is missing.
    #[error("expected {expected} issuers, got {got}")]
    Members {
        /// As the epoch's record says.
        expected: u8,
        /// As was found.
        got: usize,
    },
    /// A key does not decode.
    #[error(transparent)]
    Key(#[from] suite::Error),
}

/// An issuer as everybody knows it.
#[derive(Clone)]
pub struct Member {
    /// Signs what it says.
    pub signer: PublicKey,
    /// To which linkage parts are sealed.
    pub sealing: Element<Suite>,
}

/// The issuers of an epoch.
#[derive(Clone)]
pub struct Circle {
    /// Number of the epoch.
    pub epoch: u16,
    /// Slots of its credentials.
    pub policy: Policy,
    /// `A`.
    pub key: Arc<IssuerKey<Suite>>,
    /// The issuers, from 1.
    pub members: Vec<Member>,
}

impl Circle {
    /// Reads the records of an epoch.
    ///
    /// # Errors
    ///
    /// See [`CircleError`].
    pub fn new(
        epoch: u16,
        policy: Policy,
        record: &EpochRecord,
        members: &[IssuerRecord],
    ) -> Result<Self, CircleError> {
        if !record.counts() {
            return Err(CircleError::NotConfirmed(epoch));
        }
        if members.len() != usize::from(record.issuers) {
            return Err(CircleError::Members {
                expected: record.issuers,
                got: members.len(),
            });
        }
        let member = |record: &IssuerRecord| {
            Ok::<_, suite::Error>(Member {
                signer: record.signer.clone(),
                sealing: Element::from_bytes(&record.sealing)?,
            })
        };
        Ok(Self {
            epoch,
            policy,
            key: Arc::new(IssuerKey::from_bytes(&record.key)?),
            members: members.iter().map(member).collect::<Result<_, _>>()?,
        })
    }

    /// The issuer of this number, from 1.
    #[must_use]
    pub fn member(&self, issuer: u8) -> Option<&Member> {
        self.members.get(usize::from(issuer).checked_sub(1)?)
    }
}
