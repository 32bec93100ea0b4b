//! Contract `misbehaviour`: RSUs vote against signers whose messages cannot be true (paper 000,
//! section 3.2.3; PROTOCOLS.md section 6).
//!
//! An RSU whose checks say so sends its votes in batches. When enough different RSUs have voted
//! against a signer, its record says that revocation is requested, and who voted. TA and LEA then
//! look at the evidence themselves; nothing here revokes anybody.
//!
//! A signer is a registered vehicle or one anonymous credential ([`Signer`]). Votes against two credentials
//! of a vehicle do not add up: that they are one vehicle's is what nobody may know.
//!
//! | part | rule |
//! |---|---|
//! | call | M-1 signed by the RSU that it names, whose registered key is valid now |
//! | vote | M-2 the RSU could have heard the claim: it lies within the deployed reach of the RSU's registered position; or the vote is of kind [`Kind::Elsewhere`], which says that it does not |
//! | vote | M-3 one per RSU and signer: without effect while an earlier one stands |
//! | votes, requests | M-4 stand for the deployed life, then count no more |
//! | request | M-5 made when f_r + 1 votes stand, the new one included, of RSUs that could all have heard the sender of the new one (below) |
//!
//! **Who could have heard the sender** (M-5): two RSUs hear one vehicle only if their reaches overlap, or
//! if it could drive from one reach to the other between their votes. So the registered positions of
//! the RSUs may be at most `2·reach + top speed·time between the votes` apart. RSUs elsewhere in
//! the city cannot be made to vote against a vehicle that never came near them.
//!
//! `f_r` liars are never enough, whatever they send: M-3 and M-5 count different registered RSUs. Nor
//! can they keep the others' votes from counting: votes that do not fit the new one are passed over;
//! there is room for 2·f_r + 1 of them, after which the oldest goes; and while a request stands,
//! further votes join it until that many have, so that one with bad evidence does not spoil it.
//!
//! Vote records stay after their life, as the record of who voted with which evidence; a new vote of
//! the same RSU against the same signer takes the place of the old one.

mod signer;

pub use signer::{SIGNER_BYTES, Signer};

use crate::{encoding::record, keys};
use bytes::BufMut;
use cairn_ledger::{
    Access, Action, Address, LocalKey, Position, PublicKey, Record, Refusal, Rid, StateKey,
    Transaction,
    contract::{Call, Contract, deployment, parameters_key},
};
use commonware_codec::{
    Buf, Copying, Decode as _, Encode, EncodeSize, Error, FixedSize, RangeCfg, Read, ReadExt, Write,
};

/// The contract's name.
pub const NAME: &str = "misbehaviour";

/// The contract's version.
pub const VERSION: u16 = 1;

/// The most votes of a call: 13 KB. An RSU that finds more liars at once sends the rest later.
pub const MAX_VOTES: usize = 256;

/// The most votes that stand against one signer: as many as fit into a record. Enough for f_r = 2
/// liars beside f_r + 1 honest RSUs.
pub const MAX_VOTERS: usize = 5;

const TAG_SUBJECT: u8 = b's';
const TAG_VOTE: u8 = b'v';

/// What is wrong, by what the evidence rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// The vehicle is not where it says: rests on the RSU's word that it heard it.
    Elsewhere = 1,
    /// Signed statements that no vehicle and no honest sensor brings about.
    Implausible = 2,
    /// Signed statements that contradict each other.
    Impossible = 3,
}

record! {
    /// One RSU's vote against one signer.
    #[derive(Copy)]
    Vote {
        /// Who signed.
        subject: Signer,
        /// What is wrong.
        kind: Kind,
        /// Where the vehicle says it is, in the last message of the evidence.
        position: Position,
        /// Digest of the evidence, which lies in the vault.
        evidence: [u8; 32],
    }
}

record! {
    /// What the ledger holds of a vote.
    #[derive(Copy)]
    VoteRecord {
        /// What is wrong.
        kind: Kind,
        /// Where the vehicle said it was.
        position: Position,
        /// Digest of the evidence.
        evidence: [u8; 32],
        /// Block time of the vote, in milliseconds.
        time_ms: u64,
    }
}

record! {
    /// A vote that stands.
    #[derive(Copy)]
    Voter {
        /// Who voted.
        rid: Rid,
        /// Where that RSU is registered.
        position: Position,
        /// Block time of the vote, in milliseconds.
        time_ms: u64,
    }
}

/// What the ledger holds of a signer that was voted against.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubjectRecord {
    /// Block time at which revocation was requested.
    pub requested_ms: Option<u64>,
    /// Who voted: once revocation is requested, those whose votes brought it about and those who
    /// joined. In the order of their votes, each RSU once, at most [`MAX_VOTERS`].
    pub voters: Vec<Voter>,
}

impl SubjectRecord {
    /// Whether a request for revocation stands at block time `time_ms`.
    #[must_use]
    pub fn is_requested(&self, parameters: &Parameters, time_ms: u64) -> bool {
        self.requested_ms
            .is_some_and(|requested_ms| parameters.stands(requested_ms, time_ms))
    }
}

/// What contract `misbehaviour` is deployed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// The instance of contract `keys` that knows the RSUs.
    pub keys: Address,
    /// Different RSUs that make a request: f_r + 1, 1 to [`MAX_VOTERS`].
    pub threshold: u8,
    /// How far an RSU hears, with the error of an honest position, in centimetres.
    pub reach_cm: u32,
    /// The top speed of vehicles, in cm/s.
    pub max_speed_cm_s: u32,
    /// How long a vote and a request stand, in milliseconds.
    pub life_ms: u64,
}

impl Parameters {
    /// M-4.
    fn stands(&self, since_ms: u64, time_ms: u64) -> bool {
        time_ms.saturating_sub(since_ms) < self.life_ms
    }

    /// M-5: whether one vehicle can have been heard by both.
    fn fit(&self, one: &Voter, other: &Voter) -> bool {
        let seconds = one.time_ms.abs_diff(other.time_ms) as f64 / 1_000.0;
        let driven_m = f64::from(self.max_speed_cm_s) / 100.0 * seconds;
        let reach_m = f64::from(self.reach_cm) / 100.0;
        one.position.distance_m(&other.position) <= 2.0 * reach_m + driven_m
    }
}

/// The state key of what the instance at `contract` holds of a signer.
#[must_use]
pub fn subject_key(contract: &Address, subject: &Signer) -> StateKey {
    StateKey::new(contract, subject_local_key(subject).as_bytes())
}

/// The state key of an RSU's vote against a signer in the instance at `contract`.
#[must_use]
pub fn vote_key(contract: &Address, subject: &Signer, rid: Rid) -> StateKey {
    StateKey::new(contract, vote_local_key(subject, rid).as_bytes())
}

/// The state key of the parameters of the instance at `contract`.
#[must_use]
pub fn parameters_state_key(contract: &Address) -> StateKey {
    StateKey::new(contract, parameters_key().as_bytes())
}

fn subject_local_key(subject: &Signer) -> LocalKey {
    LocalKey::new(TAG_SUBJECT, &subject.to_bytes()).expect("11 bytes fit")
}

fn vote_local_key(subject: &Signer, rid: Rid) -> LocalKey {
    LocalKey::new(TAG_VOTE, &(*subject, rid).encode()).expect("15 bytes fit")
}

/// A transaction that deploys `misbehaviour`.
#[must_use]
pub fn deploy(
    nonce: u64,
    expires_ms: u64,
    deployer: &PublicKey,
    parameters: &Parameters,
) -> Transaction {
    let code = (NAME, VERSION);
    deployment(nonce, expires_ms, deployer, code, parameters.encode())
}

/// A transaction in which the RSU `rid` casts `votes` with the instance at `contract`, which knows
/// RSUs by the instance of `keys` at `keys`.
#[must_use]
pub fn call(
    nonce: u64,
    expires_ms: u64,
    contract: Address,
    keys: Address,
    rid: Rid,
    votes: &[Vote],
) -> Transaction {
    let touched = votes.iter().flat_map(|vote| {
        [
            subject_local_key(&vote.subject),
            vote_local_key(&vote.subject, rid),
        ]
    });
    Transaction {
        nonce,
        expires_ms,
        access: vec![
            Access {
                contract,
                keys: core::iter::once(parameters_key()).chain(touched).collect(),
            },
            Access {
                contract: keys,
                keys: vec![keys::rsu_local_key(rid)],
            },
        ],
        action: Action::Call {
            contract,
            payload: (rid, votes.to_vec()).encode(),
        },
    }
}

/// The contract's code.
pub struct Misbehaviour;

impl Contract for Misbehaviour {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u16 {
        VERSION
    }

    fn interface(&self) -> &'static str {
        include_str!("misbehaviour.schema.json")
    }

    fn deploy(&self, call: &mut Call<'_>, parameters: &[u8]) -> Result<(), Refusal> {
        call.keep_parameters::<Parameters>(parameters)
    }

    fn call(&self, call: &mut Call<'_>, payload: &[u8]) -> Result<(), Refusal> {
        let limits = ((), (RangeCfg::from(1..=MAX_VOTES), ()));
        let (rid, votes) = <(Rid, Vec<Vote>)>::decode_cfg(Copying(payload), &limits)
            .map_err(|_| Refusal::MalformedPayload)?;
        let parameters: Parameters = call.parameters()?;
        let rsu = keys::signing_rsu(call, &parameters.keys, rid)?;
        let voter = Voter {
            rid,
            position: rsu.position,
            time_ms: call.time_ms,
        };
        for vote in &votes {
            let reach_m = f64::from(parameters.reach_cm) / 100.0;
            let is_near = vote.position.distance_m(&rsu.position) <= reach_m;
            if !is_near && vote.kind != Kind::Elsewhere {
                return Err(Refusal::OutOfReach);
            }
            cast(call, &parameters, voter, vote)?;
        }
        Ok(())
    }
}

/// M-3 to M-5.
fn cast(
    call: &mut Call<'_>,
    parameters: &Parameters,
    voter: Voter,
    vote: &Vote,
) -> Result<(), Refusal> {
    let key = subject_local_key(&vote.subject);
    let mut subject: SubjectRecord = call.own(&key)?.unwrap_or_default();
    let now_ms = call.time_ms;
    let is_requested = subject.is_requested(parameters, now_ms);
    if !is_requested {
        subject.requested_ms = None;
        subject
            .voters
            .retain(|voter| parameters.stands(voter.time_ms, now_ms));
    }
    let has_voted = |earlier: &Voter| earlier.rid == voter.rid;
    if subject.voters.iter().any(has_voted) {
        return Ok(());
    }
    if subject.voters.len() == MAX_VOTERS {
        if is_requested {
            return Ok(());
        }
        subject.voters.remove(0);
    }
    subject.voters.push(voter);
    if !is_requested {
        let fits = |earlier: &&Voter| parameters.fit(earlier, &voter);
        let fitting: Vec<Voter> = subject.voters.iter().filter(fits).copied().collect();
        if fitting.len() >= usize::from(parameters.threshold) {
            subject = SubjectRecord {
                requested_ms: Some(now_ms),
                voters: fitting,
            };
        }
    }
    let record = VoteRecord {
        kind: vote.kind,
        position: vote.position,
        evidence: vote.evidence,
        time_ms: now_ms,
    };
    call.set(
        &vote_local_key(&vote.subject, voter.rid),
        Some(Record::of(&record)),
    )?;
    let subject = Record::new(&subject.encode()).expect("five voters take 110 bytes");
    call.set(&key, Some(subject))
}

impl Write for Kind {
    fn write(&self, buf: &mut impl BufMut) {
        (*self as u8).write(buf);
    }
}

impl FixedSize for Kind {
    const SIZE: usize = 1;
}

impl Read for Kind {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, Error> {
        match u8::read(buf)? {
            1 => Ok(Self::Elsewhere),
            2 => Ok(Self::Implausible),
            3 => Ok(Self::Impossible),
            other => Err(Error::InvalidEnum(other)),
        }
    }
}

impl Write for SubjectRecord {
    fn write(&self, buf: &mut impl BufMut) {
        self.requested_ms.write(buf);
        self.voters.write(buf);
    }
}

impl EncodeSize for SubjectRecord {
    fn encode_size(&self) -> usize {
        self.requested_ms.encode_size() + self.voters.encode_size()
    }
}

impl Read for SubjectRecord {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, Error> {
        Ok(Self {
            requested_ms: ReadExt::read(buf)?,
            voters: Vec::read_cfg(buf, &(RangeCfg::from(1..=MAX_VOTERS), ()))?,
        })
    }
}

impl Write for Parameters {
    fn write(&self, buf: &mut impl BufMut) {
        self.keys.write(buf);
        self.threshold.write(buf);
        self.reach_cm.write(buf);
        self.max_speed_cm_s.write(buf);
        self.life_ms.write(buf);
    }
}

impl FixedSize for Parameters {
    const SIZE: usize = Address::SIZE + 1 + 4 + 4 + 8;
}

impl Read for Parameters {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, Error> {
        let (keys, threshold) = (Address::read(buf)?, u8::read(buf)?);
        if !(1..=MAX_VOTERS).contains(&usize::from(threshold)) {
            return Err(Error::Invalid("Parameters", "threshold is not 1 to 5"));
        }
        Ok(Self {
            keys,
            threshold,
            reach_cm: ReadExt::read(buf)?,
            max_speed_cm_s: ReadExt::read(buf)?,
            life_ms: ReadExt::read(buf)?,
        })
    }
}
