//! Step 3: a member's signature under a file record.

use cairn_crypto::{
    credential::{self, Certificate, Credential, IssuerKey, Kind},
    linkage::{LinkageValue, Period},
    possession::RecordDigest,
    suite::{self, Proof},
    transcript::{Digest, Domain, Transcript},
};
use cairn_ledger::{Address, ChainId};
use rand_core::CryptoRng;
use thiserror::Error;

use super::{Suite, period_of};
use crate::THR_MS;

const AUTHORISE: Domain = Domain::new("cairn/1/group/authorise");

/// Why an authorisation is refused. The uploader is at fault, or the operator who accepted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AuthorisationError {
    /// `V-AUTH-1`.
    #[error("expected {expected} bytes of a member's authorisation, got {got}", expected = Authorisation::BYTES)]
    Length {
        /// Bytes that came.
        got: usize,
    },
    /// `V-AUTH-1`.
    #[error("not a member's authorisation: {0}")]
    Malformed(credential::Error),
    /// `V-AUTH-2`.
    #[error("authorised by somebody who is no member of the group")]
    Group,
    /// `V-AUTH-3`.
    #[error("authorised under epoch {got}, expected epoch {expected}")]
    Epoch {
        /// The epoch of the record's key.
        expected: u16,
        /// The credential's.
        got: u16,
    },
    /// `V-AUTH-4`.
    #[error("authorised with a credential that was not valid then")]
    Slot,
    /// `V-AUTH-5`.
    #[error("the authorisation is not this record's, or its maker does not hold the credential")]
    Proof,
}

/// What an authorisation is checked against.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The ledger.
    pub chain: &'a ChainId,
    /// The instance of contract `files` that has the record.
    pub contract: &'a Address,
    /// The file's group.
    pub group: u16,
    /// The epoch to which the record's key belongs.
    pub epoch: u16,
    /// When the record was made, in milliseconds since 1970: block time.
    pub at_ms: u64,
    /// The record.
    pub record: &'a RecordDigest,
}

/// `W ‖ attrs ‖ M ‖ z`: some enrolled member made this record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authorisation {
    certificate: Certificate<Suite>,
    proof: Proof<Suite>,
}

impl Authorisation {
    /// Length of the encoding, in bytes: 116.
    pub const BYTES: usize = Certificate::<Suite>::BYTES + Proof::<Suite>::BYTES;

    /// Authorises a record. Use a credential once: two records under one credential are seen to be
    /// one member's.
    #[must_use]
    pub fn new(
        credential: &Credential<Suite>,
        chain: &ChainId,
        contract: &Address,
        record: &RecordDigest,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Self {
        Self {
            certificate: credential.certificate(),
            proof: credential.prove(&statement(chain, contract, record), rng),
        }
    }

    /// Reads 116 bytes.
    ///
    /// # Errors
    ///
    /// `V-AUTH-1`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, AuthorisationError> {
        let (certificate, proof) = bytes
            .split_at_checked(Certificate::<Suite>::BYTES)
            .filter(|_| bytes.len() == Self::BYTES)
            .ok_or(AuthorisationError::Length { got: bytes.len() })?;
        let certificate = Certificate::from_bytes(certificate);
        let encoding = |error: suite::Error| AuthorisationError::Malformed(error.into());
        Ok(Self {
            certificate: certificate.map_err(AuthorisationError::Malformed)?,
            proof: Proof::from_bytes(proof).map_err(encoding)?,
        })
    }

    /// The 116 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        [self.certificate.to_bytes(), self.proof.to_bytes()].concat()
    }

    /// By which manager and LEA together can find the member.
    #[must_use]
    pub fn linkage(&self) -> LinkageValue {
        self.certificate.attributes().linkage
    }

    /// The week of the credential.
    #[must_use]
    pub fn period(&self) -> Period {
        period_of(self.certificate.attributes().slot)
    }

    /// The group of the credential.
    #[must_use]
    pub fn group(&self) -> u16 {
        self.certificate.attributes().group
    }

    /// The epoch of the credential.
    #[must_use]
    pub fn epoch(&self) -> u16 {
        self.certificate.attributes().epoch
    }

    /// Checks that some member of the group made this record.
    ///
    /// # Errors
    ///
    /// `V-AUTH-2` to `V-AUTH-5`.
    pub fn check(
        &self,
        issuer: &IssuerKey<Suite>,
        expected: &Expected<'_>,
    ) -> Result<(), AuthorisationError> {
        let attributes = self.certificate.attributes();
        if attributes.kind != Kind::Uploader || attributes.group != expected.group {
            return Err(AuthorisationError::Group);
        }
        if attributes.epoch != expected.epoch {
            return Err(AuthorisationError::Epoch {
                expected: expected.epoch,
                got: attributes.epoch,
            });
        }
        if !attributes.slot.contains(expected.at_ms, THR_MS) {
            return Err(AuthorisationError::Slot);
        }
        let statement = statement(expected.chain, expected.contract, expected.record);
        issuer
            .verify(&self.certificate, &statement, &self.proof)
            .map_err(|_| AuthorisationError::Proof)
    }
}

fn statement(chain: &ChainId, contract: &Address, record: &RecordDigest) -> Digest {
    Transcript::new(AUTHORISE)
        .bytes(chain)
        .bytes(contract)
        .bytes(&record.0)
        .finish()
}
