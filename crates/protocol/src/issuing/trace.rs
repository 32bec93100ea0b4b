//! From a linkage value to a person, for a request that is final on the ledger.

use cairn_contracts::credentials::{RequestRecord, request_key};
use cairn_crypto::{
    credential::Handle,
    linkage::LinkageValue,
    transcript::{Domain, Transcript},
};
use cairn_ledger::{Address, ChainId, PrivateKey, Uid, light::Verified};
use commonware_cryptography::{Signer as _, Verifier as _, ed25519::Signature};
use thiserror::Error;

use super::{BookError, Circle};

const REASON: Domain = Domain::new("cairn/1/trace/reason");
const ANSWER: Domain = Domain::new("cairn/1/trace/answer");

/// Why nobody is traced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TraceError {
    /// `V-TRACE-1`.
    #[error("expected a proof that request {0} is final on the ledger")]
    NoRequest(u32),
    /// `V-TRACE-2`.
    #[error("expected a handle from an issuer of epoch {0}, signed for this request")]
    Handle(u16),
    /// `V-TRACE-3`.
    #[error("no credential of this issuer has this linkage value")]
    Unknown,
    /// `V-TRACE-3`.
    #[error(transparent)]
    Book(#[from] BookError),
    /// `V-MIS-5`.
    #[error("the trace is not of the credential that the evidence is about")]
    OtherSubject,
}

/// A request for a trace that is final on the ledger. Nobody answers without one, and nobody makes one
/// without a proof of the ledger: a finality certificate and an inclusion proof, which everybody
/// checks alone ([`cairn_ledger::light`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warrant {
    number: u32,
    linkage: LinkageValue,
}

impl Warrant {
    /// `V-TRACE-1`: reads request `number` of the instance at `contract` from what a proof has shown.
    ///
    /// # Errors
    ///
    /// [`TraceError::NoRequest`].
    pub fn read(verified: &Verified, contract: &Address, number: u32) -> Result<Self, TraceError> {
        let record = verified.record(&request_key(contract, number)).flatten();
        let request = record.and_then(|record| record.decode_as::<RequestRecord>().ok());
        let request = request.ok_or(TraceError::NoRequest(number))?;
        Ok(Self {
            number,
            linkage: LinkageValue(request.linkage),
        })
    }

    /// The request's number.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// Whom it is for.
    #[must_use]
    pub const fn linkage(&self) -> LinkageValue {
        self.linkage
    }
}

/// An issuer's answer to a warrant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandleAnswer {
    /// The request for the credential.
    pub handle: Handle,
    /// Epoch of the issuer.
    pub epoch: u16,
    /// Its number.
    pub issuer: u8,
    /// Its signature over request, linkage value and handle.
    pub signature: Signature,
}

impl HandleAnswer {
    pub(super) fn sign(
        chain: &ChainId,
        warrant: &Warrant,
        handle: Handle,
        epoch: u16,
        issuer: u8,
        signer: &PrivateKey,
    ) -> Self {
        let message = message(warrant, &handle, epoch, issuer);
        Self {
            handle,
            epoch,
            issuer,
            signature: signer.sign(&namespace(chain), &message),
        }
    }

    /// `V-TRACE-2`.
    pub(super) fn check(
        &self,
        chain: &ChainId,
        warrant: &Warrant,
        circle: &Circle,
    ) -> Result<(), TraceError> {
        let message = message(warrant, &self.handle, self.epoch, self.issuer);
        let member = circle
            .member(self.issuer)
            .filter(|_| self.epoch == circle.epoch);
        let is_signed = member.is_some_and(|member| {
            member
                .signer
                .verify(&namespace(chain), &message, &self.signature)
        });
        is_signed
            .then_some(())
            .ok_or(TraceError::Handle(circle.epoch))
    }
}

fn namespace(chain: &ChainId) -> Vec<u8> {
    [b"cairn/1/trace/handle/".as_slice(), chain].concat()
}

/// All fields have fixed lengths.
fn message(warrant: &Warrant, handle: &Handle, epoch: u16, issuer: u8) -> Vec<u8> {
    [
        warrant.number.to_be_bytes().as_slice(),
        &warrant.linkage.0,
        &handle.0,
        &epoch.to_be_bytes(),
        &[issuer],
    ]
    .concat()
}

/// What the ledger shows of a reason.
#[must_use]
pub fn reason_digest(reason: &[u8]) -> [u8; 32] {
    Transcript::new(REASON).bytes(reason).finish().short()
}

/// What the ledger shows of TA's answer: `salt`, drawn by TA and kept with the answer, keeps
/// others from trying names.
#[must_use]
pub fn answer_digest(warrant: &Warrant, uid: &Uid, salt: &[u8; 32]) -> [u8; 32] {
    Transcript::new(ANSWER)
        .number(u64::from(warrant.number))
        .bytes(&warrant.linkage.0)
        .bytes(uid)
        .bytes(salt)
        .finish()
        .short()
}
