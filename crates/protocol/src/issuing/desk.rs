//! One issuer: what it checks before it gives its share, and what it writes down.

use std::collections::{BTreeMap, HashMap, HashSet};

use cairn_crypto::{
    credential::{
        self, ATTRIBUTE_BYTES, Attributes, Credential, HANDLE_BYTES, Handle, Kind, Policy,
    },
    issuer::{self, Commitment, Issuer, IssuerIndex, IssuerSet, KeyShare, Round, SignatureShare},
    linkage::{Authority, LinkageValue},
    suite::{Secret, Suite as _},
};
use cairn_ledger::{ChainId, PrivateKey, PublicKey};
use rand_core::CryptoRng;
use thiserror::Error;

use super::{
    SignedTicket, Suite,
    ticket::open_part,
    trace::{HandleAnswer, TraceError, Warrant},
};

#[cfg(doc)]
use cairn_crypto::credential::Request;

const KEY_BYTES: usize = Suite::ELEMENT_BYTES;

/// Why an issuer gives no share. TA, LEA or the coordinating issuer is at fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IssueError {
    /// `V-ISSUE-1`.
    #[error("expected a ticket of epoch {expected}, got {got}")]
    Epoch {
        /// This issuer's.
        expected: u16,
        /// The ticket's.
        got: u16,
    },
    /// `V-ISSUE-1`.
    #[error("ticket is not signed by TA and LEA")]
    Signature,
    /// `V-ISSUE-2`.
    #[error("slot is none of the policy's")]
    Slot,
    /// `V-ISSUE-2`.
    #[error("linkage part of {0:?} is missing or was not sealed to this issuer and request")]
    Part(Authority),
    /// `V-ISSUE-3`.
    #[error("handle, key or linkage value was used before")]
    Used,
    /// `V-ISSUE-4`.
    #[error(transparent)]
    Issuer(#[from] issuer::Error),
}

/// A line of an issuer's log, to be stored before its share goes out: `handle ‖ U ‖ attributes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Issuance {
    /// The request.
    pub handle: Handle,
    /// `U`.
    pub key: [u8; KEY_BYTES],
    /// What was signed.
    pub attributes: Attributes,
}

impl Issuance {
    /// Length of the stored form, in bytes.
    pub const BYTES: usize = HANDLE_BYTES + KEY_BYTES + ATTRIBUTE_BYTES;

    /// The stored form.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        [
            self.handle.0.as_slice(),
            &self.key,
            &self.attributes.to_bytes(),
        ]
        .concat()
    }

    /// Reads a stored line; `None` when it is none.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Option<Self> {
        let (handle, rest) = bytes.split_first_chunk()?;
        let (key, attributes) = rest.split_first_chunk()?;
        Some(Self {
            handle: Handle(*handle),
            key: *key,
            attributes: Attributes::from_bytes(attributes.try_into().ok()?).ok()?,
        })
    }
}

/// An issuer at its desk. Has no `Debug`; its secrets are erased on drop.
pub struct IssuerDesk {
    chain: ChainId,
    ta: PublicKey,
    lea: PublicKey,
    epoch: u16,
    policy: Policy,
    signer: PrivateKey,
    opener: Secret<Suite>,
    issuer: Issuer<Suite>,
    by_handle: HashMap<Handle, Issuance>,
    by_linkage: HashMap<LinkageValue, Handle>,
    keys: HashSet<[u8; KEY_BYTES]>,
}

/// What an issuer starts with.
pub struct Start {
    /// The road chain.
    pub chain: ChainId,
    /// TA's key.
    pub ta: PublicKey,
    /// LEA's key.
    pub lea: PublicKey,
    /// Its epoch.
    pub epoch: u16,
    /// Slots of its credentials.
    pub policy: Policy,
    /// Signs what it says.
    pub signer: PrivateKey,
    /// Opens linkage parts.
    pub opener: Secret<Suite>,
    /// Its share of the issuer key.
    pub share: KeyShare<Suite>,
}

impl IssuerDesk {
    /// An issuer with its log.
    #[must_use]
    pub fn new(start: Start, log: Vec<Issuance>) -> Self {
        let mut desk = Self {
            chain: start.chain,
            ta: start.ta,
            lea: start.lea,
            epoch: start.epoch,
            policy: start.policy,
            signer: start.signer,
            opener: start.opener,
            issuer: Issuer::new(start.share),
            by_handle: HashMap::new(),
            by_linkage: HashMap::new(),
            keys: HashSet::new(),
        };
        log.into_iter().for_each(|line| desk.take(line));
        desk
    }

    /// Its number.
    #[must_use]
    pub fn index(&self) -> IssuerIndex {
        self.issuer.key().index()
    }

    /// What is public about its epoch's key.
    #[must_use]
    pub fn set(&self) -> &IssuerSet<Suite> {
        self.issuer.key().set()
    }

    /// Commits to nonces for one round.
    #[must_use]
    pub fn commit(&mut self, rng: &mut impl CryptoRng) -> Commitment<Suite> {
        self.issuer.commit(rng)
    }

    /// The round of a ticket with these commitments, for the issuer that coordinates.
    ///
    /// # Errors
    ///
    /// `V-ISSUE-1` to `V-ISSUE-3`.
    pub fn round(
        &self,
        ticket: &SignedTicket,
        commitments: BTreeMap<IssuerIndex, Commitment<Suite>>,
    ) -> Result<Round<Suite>, IssueError> {
        Ok(Round {
            request: ticket.ticket.request,
            attributes: self.judge(ticket)?.attributes,
            commitments,
        })
    }

    /// This issuer's share for a ticket. What is signed follows from the ticket alone; the
    /// coordinator chooses only who takes part. The line is to be stored before the share goes out;
    /// `None` when it is there already: the same ticket may come again when another issuer failed.
    ///
    /// # Errors
    ///
    /// `V-ISSUE-1` to `V-ISSUE-4`.
    pub fn sign(
        &mut self,
        ticket: &SignedTicket,
        commitments: BTreeMap<IssuerIndex, Commitment<Suite>>,
    ) -> Result<(SignatureShare<Suite>, Option<Issuance>), IssueError> {
        let line = self.judge(ticket)?;
        let round = Round {
            request: ticket.ticket.request,
            attributes: line.attributes,
            commitments,
        };
        let share = self.issuer.sign(&round)?;
        let is_new = !self.by_handle.contains_key(&line.handle);
        if is_new {
            self.take(line);
        }
        Ok((share, is_new.then_some(line)))
    }

    /// The handle of a traced linkage value, signed.
    ///
    /// # Errors
    ///
    /// `V-TRACE-3`. `V-TRACE-1` was checked when the warrant was made.
    pub fn handle_of(&self, warrant: &Warrant) -> Result<HandleAnswer, TraceError> {
        let handle = self.by_linkage.get(&warrant.linkage());
        let handle = *handle.ok_or(TraceError::Unknown)?;
        Ok(HandleAnswer::sign(
            &self.chain,
            warrant,
            handle,
            self.epoch,
            self.index().get(),
            &self.signer,
        ))
    }

    /// `V-ISSUE-1` to `V-ISSUE-3`.
    fn judge(&self, signed: &SignedTicket) -> Result<Issuance, IssueError> {
        let ticket = &signed.ticket;
        if ticket.epoch != self.epoch {
            return Err(IssueError::Epoch {
                expected: self.epoch,
                got: ticket.epoch,
            });
        }
        if !signed.is_signed(&self.chain, &self.ta, &self.lea) {
            return Err(IssueError::Signature);
        }
        self.policy
            .locate(ticket.slot)
            .map_err(|_| IssueError::Slot)?;
        let part = |authority, parts: &[_]| {
            let at = usize::from(self.index().get()) - 1;
            let sealed = parts.get(at).ok_or(IssueError::Part(authority))?;
            open_part(authority, &ticket.request, sealed, &self.opener)
                .map_err(|_| IssueError::Part(authority))
        };
        let registrar = part(Authority::Registrar, &ticket.by_registrar)?;
        let reviewer = part(Authority::Reviewer, &ticket.by_reviewer)?;
        let line = Issuance {
            handle: ticket.request.handle(),
            key: ticket.request.key().to_bytes(),
            attributes: Attributes {
                kind: Kind::Vehicle,
                linkage: registrar.join(reviewer),
                slot: ticket.slot,
                group: ticket.group,
                epoch: ticket.epoch,
            },
        };
        match self.by_handle.get(&line.handle) {
            Some(earlier) if *earlier == line => Ok(line),
            Some(_) => Err(IssueError::Used),
            None if self.keys.contains(&line.key)
                || self.by_linkage.contains_key(&line.attributes.linkage) =>
            {
                Err(IssueError::Used)
            }
            None => Ok(line),
        }
    }

    fn take(&mut self, line: Issuance) {
        self.keys.insert(line.key);
        self.by_linkage.insert(line.attributes.linkage, line.handle);
        self.by_handle.insert(line.handle, line);
    }
}

/// Opens the issuers' answer at the vehicle and looks that it is what was ordered.
///
/// # Errors
///
/// [`credential::Error`].
pub fn open_answer(
    pending: &credential::Pending<Suite>,
    slot: credential::Slot,
    sealed: &[u8],
    circle: &super::Circle,
) -> Result<Credential<Suite>, credential::Error> {
    let credential = pending.open(sealed, &circle.key)?;
    let attributes = credential.certificate().attributes();
    let is_ordered = attributes.kind == Kind::Vehicle
        && attributes.slot == slot
        && attributes.epoch == circle.epoch;
    is_ordered
        .then_some(credential)
        .ok_or(credential::Error::Answer)
}
