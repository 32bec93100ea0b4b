//! From a request for revocation to a justified one (PROTOCOLS.md section 6).
//!
//! 1. Contract `misbehaviour` says that revocation of a signer is requested, and which RSUs voted.
//! 2. TA looks at a finalised state by itself ([`Request::open`], [`Request::needs`]) and fetches the
//!    evidence by the digests in the votes.
//! 3. It re-verifies each piece ([`Request::justify`]). Only what an RSU's vote names, and what
//!    convinces without that RSU, counts.
//! 4. LEA does steps 2 and 3 again with its own look at ledger and vault.
//! 5. Of a registered vehicle TA revokes the key and proposes as always, with the reason that
//!    [`Justified`] gives; LEA countersigns
//!    ([`Reviewer::review_misbehaviour`](super::Reviewer::review_misbehaviour)).
//! 6. Of an anonymous one neither knows who it is. LEA asks for a trace of the linkage value, on the
//!    ledger and for that reason ([`trace`](crate::issuing::trace)); an issuer tells the handle, TA finds
//!    the vehicle; TA and LEA each publish their seed of the current period, if the answer is to a request
//!    for the credential whose evidence they have seen ([`Justified::check_warrant`]). That ends all its
//!    credentials.
//!
//! Rules:
//! * `V-MIS-1` the request stands, the vehicle is registered and not revoked yet, or the credential's
//!   seeds are not published yet;
//! * `V-MIS-2` evidence counts for an RSU that voted, is registered and not revoked, if it has the
//!   digest in that RSU's vote, names subject, RSU and, of a registered vehicle, the registered key, and
//!   leads to that very vote;
//! * `V-MIS-3` it re-verifies ([`Evidence::verify`], [`Testimony::verify`]);
//! * `V-MIS-4` that is so for as many different RSUs as the contract demands;
//! * `V-MIS-5` the trace of an anonymous vehicle is of the credential that the evidence is about.

use cairn_contracts::{
    keys::{RsuRecord, VehicleRecord, rsu_key, vehicle_key},
    misbehaviour::{
        Parameters, Signer, SubjectRecord, VoteRecord, parameters_state_key, subject_key, vote_key,
    },
};
use cairn_crypto::linkage::LinkageValue;
use cairn_ledger::{Address, Record, Rid, StateKey, Uid};
use commonware_codec::{Error, Read};
use rand_core::CryptoRng;
use thiserror::Error as ThisError;

use crate::{
    evidence::{Evidence, EvidenceError, Grounds},
    issuing::trace::{TraceError, Warrant},
    position::Signatory,
    roadside::Issuers,
    service::{Testimony, TestimonyError},
};

/// Records of a finalised state.
type Records = [(StateKey, Option<Record>)];

/// Why a request is not opened.
#[derive(Debug, ThisError)]
pub enum RequestError {
    /// The caller did not look up what was named. Our own bug.
    #[error("record {0} was not looked up")]
    RecordMissing(StateKey),
    /// The ledger's record does not decode. Our own bug, or another contract's address.
    #[error("record {0} does not decode: {1}")]
    RecordMalformed(StateKey, Error),
    /// `V-MIS-1`.
    #[error("expected contract misbehaviour at {0}")]
    Contract(Address),
    /// `V-MIS-1`.
    #[error("no request against {0} stands")]
    NotRequested(Signer),
    /// `V-MIS-1`.
    #[error("{0} is not registered, or already revoked")]
    NotValid(Signer),
}

/// Why evidence does not count. The RSU is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
pub enum Fault {
    /// `V-MIS-2`.
    #[error("the RSU is not registered, or revoked")]
    NotRegistered,
    /// `V-MIS-2`.
    #[error("there is no evidence with the digest in the vote")]
    NoEvidence,
    /// `V-MIS-2`.
    #[error("the evidence names another signer, RSU or key")]
    OtherNames,
    /// `V-MIS-2`.
    #[error("the vote is not the one that the evidence leads to")]
    OtherVote,
    /// `V-MIS-3`.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// `V-MIS-3`.
    #[error(transparent)]
    Testimony(#[from] TestimonyError),
}

/// `V-MIS-4`: too few RSUs' votes are justified.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
#[error("expected justified votes of {expected} RSUs, got {found}")]
pub struct NotJustified {
    /// RSUs that the contract demands.
    pub expected: usize,
    /// RSUs whose votes are justified.
    pub found: usize,
    /// The other RSUs that voted, and why theirs do not count.
    pub faults: Vec<(Rid, Fault)>,
}

/// What an RSU's vote rests on.
#[derive(Clone, Copy)]
enum Exhibit<'a> {
    /// Messages that the subject signed.
    Messages(&'a Evidence),
    /// False cells that it claimed in a session.
    Cells(&'a Testimony),
}

/// A standing request against one signer, as a finalised state has it.
pub struct Request {
    keys: Address,
    contract: Address,
    subject: Signer,
    /// Of a registered vehicle.
    key: Option<[u8; 32]>,
    threshold: usize,
    requested_ms: u64,
    voters: Vec<Rid>,
}

/// A request that was found justified. Can only come from [`Request::justify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Justified {
    subject: Signer,
    requested_ms: u64,
    rsus: Vec<Rid>,
}

impl Justified {
    /// The signer whose vehicle is to be revoked.
    #[must_use]
    pub const fn subject(&self) -> Signer {
        self.subject
    }

    /// The vehicle that is to be revoked, if it is a registered one.
    #[must_use]
    pub const fn registered(&self) -> Option<Uid> {
        match self.subject {
            Signer::Registered(uid) => Some(uid),
            Signer::Anonymous(_) => None,
        }
    }

    /// `V-MIS-5`: that a trace is of the credential that the evidence is about.
    ///
    /// # Errors
    ///
    /// [`TraceError::OtherSubject`].
    pub fn check_warrant(&self, warrant: &Warrant) -> Result<(), TraceError> {
        let LinkageValue(traced) = warrant.linkage();
        if self.subject == Signer::Anonymous(traced) {
            Ok(())
        } else {
            Err(TraceError::OtherSubject)
        }
    }

    /// The RSUs whose votes are justified.
    #[must_use]
    pub fn rsus(&self) -> &[Rid] {
        &self.rsus
    }

    /// The reason for the register and for LEA.
    #[must_use]
    pub fn reason(&self) -> String {
        let rsus: Vec<String> = self.rsus.iter().map(ToString::to_string).collect();
        format!(
            "false position messages or cells: request of block time {}, evidence of {}",
            self.requested_ms,
            rsus.join(", ")
        )
    }
}

impl Request {
    /// The records that [`Request::open`] needs; `keys` and `contract` are the instances of
    /// `keys` and `misbehaviour`.
    #[must_use]
    pub fn first_needs(keys: &Address, contract: &Address, subject: &Signer) -> Vec<StateKey> {
        let mut needs = vec![
            parameters_state_key(contract),
            subject_key(contract, subject),
        ];
        if let Signer::Registered(uid) = subject {
            needs.push(vehicle_key(keys, uid));
        }
        needs
    }

    /// Opens the request against `subject` that stands at block time `now_ms`: `V-MIS-1`. `issuers` is
    /// what the authority knows of revoked credentials.
    ///
    /// # Errors
    ///
    /// See [`RequestError`].
    pub fn open(
        keys: Address,
        contract: Address,
        subject: Signer,
        records: &Records,
        issuers: &Issuers,
        now_ms: u64,
    ) -> Result<Self, RequestError> {
        let parameters: Parameters = read(records, parameters_state_key(&contract))?
            .ok_or(RequestError::Contract(contract))?;
        let votes: SubjectRecord = read(records, subject_key(&contract, &subject))?
            .ok_or(RequestError::NotRequested(subject))?;
        let requested_ms = votes
            .requested_ms
            .filter(|_| votes.is_requested(&parameters, now_ms))
            .ok_or(RequestError::NotRequested(subject))?;
        let key = match subject {
            Signer::Registered(uid) => {
                let vehicle: VehicleRecord = read(records, vehicle_key(&keys, &uid))?
                    .filter(|vehicle: &VehicleRecord| vehicle.revoked_ms.is_none())
                    .ok_or(RequestError::NotValid(subject))?;
                Some(vehicle.key)
            }
            Signer::Anonymous(value) if issuers.admits(&LinkageValue(value)) => None,
            Signer::Anonymous(_) => return Err(RequestError::NotValid(subject)),
        };
        Ok(Self {
            keys,
            contract,
            subject,
            key,
            threshold: usize::from(parameters.threshold),
            requested_ms,
            voters: votes.voters.iter().map(|voter| voter.rid).collect(),
        })
    }

    /// The records that [`Request::justify`] needs.
    #[must_use]
    pub fn needs(&self) -> Vec<StateKey> {
        let of_voter = |rid: &Rid| {
            [
                rsu_key(&self.keys, *rid),
                vote_key(&self.contract, &self.subject, *rid),
            ]
        };
        self.voters.iter().flat_map(of_voter).collect()
    }

    /// The digests of the evidence that the votes name, by the records of [`Request::needs`].
    ///
    /// # Errors
    ///
    /// [`RequestError::RecordMissing`], [`RequestError::RecordMalformed`].
    pub fn digests(&self, records: &Records) -> Result<Vec<[u8; 32]>, RequestError> {
        let mut digests = Vec::with_capacity(self.voters.len());
        for rid in &self.voters {
            let vote: Option<VoteRecord> =
                read(records, vote_key(&self.contract, &self.subject, *rid))?;
            digests.extend(vote.map(|vote| vote.evidence));
        }
        Ok(digests)
    }

    /// Re-verifies the evidence: `V-MIS-2` to `V-MIS-4`. `records` are those of
    /// [`Request::needs`], `evidence` and `testimony` what was found under [`Request::digests`], in any
    /// order.
    ///
    /// # Errors
    ///
    /// The outer result is about the ledger's records, the inner one about the votes.
    pub fn justify(
        &self,
        records: &Records,
        evidence: &[Evidence],
        testimony: &[Testimony],
        grounds: &Grounds<'_>,
        rng: &mut impl CryptoRng,
    ) -> Result<Result<Justified, NotJustified>, RequestError> {
        let messages = evidence
            .iter()
            .map(|one| (one.digest(), Exhibit::Messages(one)));
        let cells = testimony
            .iter()
            .map(|one| (one.digest(), Exhibit::Cells(one)));
        let exhibits: Vec<([u8; 32], Exhibit<'_>)> = messages.chain(cells).collect();
        let mut rsus = Vec::new();
        let mut faults = Vec::new();
        for &rid in &self.voters {
            let rsu: Option<RsuRecord> = read(records, rsu_key(&self.keys, rid))?;
            let vote: Option<VoteRecord> =
                read(records, vote_key(&self.contract, &self.subject, rid))?;
            let found = vote.and_then(|vote| {
                let named = |(digest, _): &&([u8; 32], _)| *digest == vote.evidence;
                let (_, exhibit) = exhibits.iter().find(named)?;
                Some((vote, *exhibit))
            });
            match self.check(rid, rsu, found, grounds, rng) {
                Ok(()) => rsus.push(rid),
                Err(fault) => faults.push((rid, fault)),
            }
        }
        if rsus.len() < self.threshold {
            return Ok(Err(NotJustified {
                expected: self.threshold,
                found: rsus.len(),
                faults,
            }));
        }
        Ok(Ok(Justified {
            subject: self.subject,
            requested_ms: self.requested_ms,
            rsus,
        }))
    }

    /// `V-MIS-2` and `V-MIS-3` for one RSU.
    fn check(
        &self,
        rid: Rid,
        rsu: Option<RsuRecord>,
        found: Option<(VoteRecord, Exhibit<'_>)>,
        grounds: &Grounds<'_>,
        rng: &mut impl CryptoRng,
    ) -> Result<(), Fault> {
        let rsu = rsu.filter(|rsu| rsu.revoked_ms.is_none());
        let rsu = rsu.ok_or(Fault::NotRegistered)?;
        let (vote, exhibit) = found.ok_or(Fault::NoEvidence)?;
        let expected = match exhibit {
            Exhibit::Messages(evidence) => {
                let key = match evidence.signatory {
                    Signatory::Registered { key, .. } => Some(key),
                    Signatory::Anonymous { .. } => None,
                };
                if (evidence.subject(), evidence.rsu, key) != (self.subject, rid, self.key) {
                    return Err(Fault::OtherNames);
                }
                evidence.verify(grounds, rsu.position, rng)?
            }
            Exhibit::Cells(testimony) => {
                if (testimony.subject, testimony.rsu) != (self.subject, rid) {
                    return Err(Fault::OtherNames);
                }
                testimony.verify(rsu.position, &grounds.bounds)?
            }
        };
        if (expected.kind, expected.position) != (vote.kind, vote.position) {
            return Err(Fault::OtherVote);
        }
        Ok(())
    }
}

fn read<T: Read<Cfg = ()>>(records: &Records, key: StateKey) -> Result<Option<T>, RequestError> {
    let found = records.iter().find(|(shown, _)| *shown == key);
    let (_, record) = found.ok_or(RequestError::RecordMissing(key))?;
    let decoded = record.as_ref().map(Record::decode_as).transpose();
    decoded.map_err(|error| RequestError::RecordMalformed(key, error))
}
