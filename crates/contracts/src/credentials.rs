//! Contract `credentials`: who issues anonymous credentials, which of them are revoked, and who asked
//! for traces (PROTOCOLS.md sections 1 and 2).
//!
//! | call | signed by | rule |
//! |---|---|---|
//! | install | TA and LEA | CR-1 the next epoch; 2 <= needed <= issuers <= 16; CR-2 all keys are canonical, non-identity points |
//! | confirm | the issuer | CR-3 an issuer of that epoch says that it generated this key with the others |
//! | end | TA and LEA | CR-4 an epoch that was installed |
//! | revoke | TA and LEA | CR-5 the next number; both linkage seeds of one vehicle, from a period on |
//! | request | LEA | CR-6 the next number; a linkage value and the digest of a reason |
//! | handled | the issuer | CR-7 an issuer says that it gave a handle out for a request |
//! | answered | TA | CR-8 after an issuer's, once: the digest of what TA answered |
//!
//! An epoch's key counts when all of its issuers have confirmed it: an issuer that finished the
//! ceremony cannot know of the others, and an issuer key that TA and LEA made up has nobody who
//! confirms it. Numbers are given in the call, so that every record is known before execution; who
//! loses a race for a number calls again.
//!
//! Records of requests and answers stay for ever. They tell that somebody was traced, when, and by
//! the digest for which reason; not who it was.

use crate::encoding::record;
use bytes::BufMut;
use cairn_ledger::{
    Access, Action, Address, LocalKey, PublicKey, Record, Refusal, StateKey, Transaction,
    contract::{Call, Contract, deployment, parameters_key},
};
use commonware_codec::{
    Buf, Copying, Decode as _, Encode, EncodeSize, Error, FixedSize, RangeCfg, Read, ReadExt, Write,
};
use curve25519_dalek::{ristretto::CompressedRistretto, traits::IsIdentity};

/// The contract's name.
pub const NAME: &str = "credentials";

/// The contract's version.
pub const VERSION: u16 = 1;

/// Most issuers of an epoch.
pub const MAX_ISSUERS: u8 = 16;

const TAG_COUNTERS: u8 = b'c';
const TAG_EPOCH: u8 = b'e';
const TAG_ISSUER: u8 = b'i';
const TAG_REVOCATION: u8 = b'r';
const TAG_REQUEST: u8 = b'q';

record! {
    /// What contract `credentials` is deployed with: the policy of slots.
    Parameters {
        /// Length of a step in minutes; a slot has two.
        step_minutes: u16,
        /// Credentials in a period, which has one step more.
        per_period: u8,
    }
}

record! {
    /// How many there are of each.
    #[derive(Default, Copy)]
    Counters {
        /// Epochs installed. They are numbered from 1.
        epochs: u16,
        /// Revocations, numbered from 0.
        revocations: u32,
        /// Requests for traces, numbered from 0.
        requests: u32,
    }
}

record! {
    /// An issuer key.
    #[derive(Copy)]
    EpochRecord {
        /// `A`, a compressed ristretto255 point.
        key: [u8; 32],
        /// Issuers that are needed.
        needed: u8,
        /// Issuers that there are.
        issuers: u8,
        /// Which of them have confirmed it; bit 0 is issuer 1.
        confirmed: u16,
        /// Whether it is over.
        ended: bool,
    }
}

record! {
    /// An issuer of an epoch.
    IssuerRecord {
        /// Ed25519 key that signs what the issuer says.
        signer: PublicKey,
        /// `a_i·P`, a compressed ristretto255 point.
        share: [u8; 32],
        /// Key to which linkage parts are sealed, a compressed ristretto255 point.
        sealing: [u8; 32],
    }
}

record! {
    /// The linkage seeds of a revoked vehicle.
    #[derive(Copy)]
    RevocationRecord {
        /// First period that they open.
        period: u32,
        /// TA's.
        registrar: [u8; 32],
        /// LEA's.
        reviewer: [u8; 32],
        /// Block time, in milliseconds.
        time_ms: u64,
    }
}

/// A request for a trace, and what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestRecord {
    /// The linkage value.
    pub linkage: [u8; 9],
    /// Digest of the reason.
    pub reason: [u8; 32],
    /// Block time of the request, in milliseconds.
    pub requested_ms: u64,
    /// Which issuers say that they gave a handle out; bit 0 is issuer 1.
    pub handled: u16,
    /// Block time of TA's answer and its digest.
    pub answer: Option<(u64, [u8; 32])>,
}

impl EpochRecord {
    /// Whether its key counts: all issuers have confirmed it, and it is not over.
    #[must_use]
    pub fn counts(&self) -> bool {
        !self.ended && u32::from(self.issuers) == self.confirmed.count_ones()
    }
}

/// The state key of the counters of the instance at `contract`.
#[must_use]
pub fn counters_key(contract: &Address) -> StateKey {
    state(contract, &counters_local_key())
}

/// The state key of an epoch.
#[must_use]
pub fn epoch_key(contract: &Address, epoch: u16) -> StateKey {
    state(contract, &epoch_local_key(epoch))
}

/// The state key of an issuer, by epoch and number from 1.
#[must_use]
pub fn issuer_key(contract: &Address, epoch: u16, issuer: u8) -> StateKey {
    state(contract, &issuer_local_key(epoch, issuer))
}

/// The state key of a revocation.
#[must_use]
pub fn revocation_key(contract: &Address, number: u32) -> StateKey {
    state(contract, &numbered(TAG_REVOCATION, number))
}

/// The state key of a request for a trace.
#[must_use]
pub fn request_key(contract: &Address, number: u32) -> StateKey {
    state(contract, &numbered(TAG_REQUEST, number))
}

fn state(contract: &Address, key: &LocalKey) -> StateKey {
    StateKey::new(contract, key.as_bytes())
}

fn counters_local_key() -> LocalKey {
    LocalKey::new(TAG_COUNTERS, &[]).expect("1 byte fits")
}

fn epoch_local_key(epoch: u16) -> LocalKey {
    LocalKey::new(TAG_EPOCH, &epoch.to_be_bytes()).expect("3 bytes fit")
}

fn issuer_local_key(epoch: u16, issuer: u8) -> LocalKey {
    LocalKey::new(TAG_ISSUER, &(epoch, issuer).encode()).expect("4 bytes fit")
}

fn numbered(tag: u8, number: u32) -> LocalKey {
    LocalKey::new(tag, &number.to_be_bytes()).expect("5 bytes fit")
}

/// What can be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// TA and LEA name the issuers of the next epoch and their key.
    Install {
        /// Number of the epoch.
        epoch: u16,
        /// `A`.
        key: [u8; 32],
        /// Issuers that are needed.
        needed: u8,
        /// The issuers, from 1.
        issuers: Vec<IssuerRecord>,
    },
    /// An issuer says that this is the key.
    Confirm {
        /// Number of the epoch.
        epoch: u16,
        /// Its own number.
        issuer: u8,
        /// `A`, as it knows it.
        key: [u8; 32],
    },
    /// TA and LEA end an epoch.
    End {
        /// Number of the epoch.
        epoch: u16,
    },
    /// TA and LEA publish both seeds of a vehicle.
    Revoke {
        /// Number of the revocation.
        number: u32,
        /// First period that they open.
        period: u32,
        /// TA's seed.
        registrar: [u8; 32],
        /// LEA's seed.
        reviewer: [u8; 32],
    },
    /// LEA asks for a trace.
    Request {
        /// Number of the request.
        number: u32,
        /// The linkage value.
        linkage: [u8; 9],
        /// Digest of the reason.
        reason: [u8; 32],
    },
    /// An issuer gave the handle out.
    Handled {
        /// Number of the request.
        number: u32,
        /// Epoch of the issuer.
        epoch: u16,
        /// Its number.
        issuer: u8,
    },
    /// TA answered.
    Answered {
        /// Number of the request.
        number: u32,
        /// Digest of the answer.
        answer: [u8; 32],
    },
}

impl Operation {
    fn keys(&self) -> Vec<LocalKey> {
        match self {
            Self::Install { epoch, issuers, .. } => [counters_local_key(), epoch_local_key(*epoch)]
                .into_iter()
                .chain(
                    (1..=MAX_ISSUERS)
                        .zip(issuers)
                        .map(|(number, _)| issuer_local_key(*epoch, number)),
                )
                .collect(),
            Self::Confirm { epoch, issuer, .. } => {
                vec![epoch_local_key(*epoch), issuer_local_key(*epoch, *issuer)]
            }
            Self::End { epoch } => vec![epoch_local_key(*epoch)],
            Self::Revoke { number, .. } => {
                vec![counters_local_key(), numbered(TAG_REVOCATION, *number)]
            }
            Self::Request { number, .. } => {
                vec![counters_local_key(), numbered(TAG_REQUEST, *number)]
            }
            Self::Handled {
                number,
                epoch,
                issuer,
            } => vec![
                numbered(TAG_REQUEST, *number),
                issuer_local_key(*epoch, *issuer),
            ],
            Self::Answered { number, .. } => vec![numbered(TAG_REQUEST, *number)],
        }
    }
}

/// A transaction that deploys `credentials`.
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

/// A transaction that calls the instance at `contract`.
#[must_use]
pub fn call(nonce: u64, expires_ms: u64, contract: Address, operation: &Operation) -> Transaction {
    Transaction {
        nonce,
        expires_ms,
        access: vec![Access {
            contract,
            keys: core::iter::once(parameters_key())
                .chain(operation.keys())
                .collect(),
        }],
        action: Action::Call {
            contract,
            payload: operation.encode(),
        },
    }
}

/// The contract's code.
pub struct Credentials;

impl Contract for Credentials {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u16 {
        VERSION
    }

    fn interface(&self) -> &'static str {
        include_str!("credentials.schema.json")
    }

    fn deploy(&self, call: &mut Call<'_>, parameters: &[u8]) -> Result<(), Refusal> {
        call.keep_parameters::<Parameters>(parameters)
    }

    fn call(&self, call: &mut Call<'_>, payload: &[u8]) -> Result<(), Refusal> {
        let operation =
            Operation::decode_cfg(Copying(payload), &()).map_err(|_| Refusal::MalformedPayload)?;
        // Only an instance has parameters.
        call.parameters::<Parameters>()?;
        match operation {
            Operation::Install {
                epoch,
                key,
                needed,
                issuers,
            } => install(call, epoch, key, needed, &issuers),
            Operation::Confirm { epoch, issuer, key } => confirm(call, epoch, issuer, &key),
            Operation::End { epoch } => {
                call.require_authorities()?;
                let mut record = epoch_record(call, epoch)?;
                record.ended = true;
                call.set(&epoch_local_key(epoch), Some(Record::of(&record)))
            }
            Operation::Revoke {
                number,
                period,
                registrar,
                reviewer,
            } => {
                call.require_authorities()?;
                let mut counters = counters(call)?;
                take_number(number, &mut counters.revocations)?;
                let record = RevocationRecord {
                    period,
                    registrar,
                    reviewer,
                    time_ms: call.time_ms,
                };
                call.set(&numbered(TAG_REVOCATION, number), Some(Record::of(&record)))?;
                call.set(&counters_local_key(), Some(Record::of(&counters)))
            }
            Operation::Request {
                number,
                linkage,
                reason,
            } => {
                require_lea(call)?;
                let mut counters = counters(call)?;
                take_number(number, &mut counters.requests)?;
                let record = RequestRecord {
                    linkage,
                    reason,
                    requested_ms: call.time_ms,
                    handled: 0,
                    answer: None,
                };
                call.set(&numbered(TAG_REQUEST, number), Some(Record::of(&record)))?;
                call.set(&counters_local_key(), Some(Record::of(&counters)))
            }
            Operation::Handled {
                number,
                epoch,
                issuer,
            } => {
                signing_issuer(call, epoch, issuer)?;
                let mut record = request_record(call, number)?;
                record.handled |= bit(issuer)?;
                call.set(&numbered(TAG_REQUEST, number), Some(Record::of(&record)))
            }
            Operation::Answered { number, answer } => {
                if !call.signers.contains(&&call.genesis.ta) {
                    return Err(Refusal::MissingTaSignature);
                }
                let mut record = request_record(call, number)?;
                if record.handled == 0 || record.answer.is_some() {
                    return Err(Refusal::WrongState);
                }
                record.answer = Some((call.time_ms, answer));
                call.set(&numbered(TAG_REQUEST, number), Some(Record::of(&record)))
            }
        }
    }
}

/// CR-1, CR-2.
fn install(
    call: &mut Call<'_>,
    epoch: u16,
    key: [u8; 32],
    needed: u8,
    issuers: &[IssuerRecord],
) -> Result<(), Refusal> {
    call.require_authorities()?;
    let count = u8::try_from(issuers.len()).map_err(|_| Refusal::OutOfBounds)?;
    if needed < 2 || count < needed || count > MAX_ISSUERS {
        return Err(Refusal::OutOfBounds);
    }
    let points = issuers.iter().flat_map(|i| [&i.share, &i.sealing]);
    if !core::iter::once(&key).chain(points).all(is_point) {
        return Err(Refusal::InvalidKey);
    }
    let mut counters = counters(call)?;
    if counters.epochs.checked_add(1) != Some(epoch) {
        return Err(Refusal::WrongState);
    }
    counters.epochs = epoch;
    for (number, issuer) in (1..=count).zip(issuers) {
        call.set(&issuer_local_key(epoch, number), Some(Record::of(issuer)))?;
    }
    let record = EpochRecord {
        key,
        needed,
        issuers: count,
        confirmed: 0,
        ended: false,
    };
    call.set(&epoch_local_key(epoch), Some(Record::of(&record)))?;
    call.set(&counters_local_key(), Some(Record::of(&counters)))
}

/// CR-3.
fn confirm(call: &mut Call<'_>, epoch: u16, issuer: u8, key: &[u8; 32]) -> Result<(), Refusal> {
    signing_issuer(call, epoch, issuer)?;
    let mut record = epoch_record(call, epoch)?;
    if record.key != *key {
        return Err(Refusal::InvalidKey);
    }
    record.confirmed |= bit(issuer)?;
    call.set(&epoch_local_key(epoch), Some(Record::of(&record)))
}

/// The next number, and only that one.
fn take_number(number: u32, counter: &mut u32) -> Result<(), Refusal> {
    if number != *counter {
        return Err(Refusal::WrongState);
    }
    *counter = counter.checked_add(1).ok_or(Refusal::LimitReached)?;
    Ok(())
}

fn counters(call: &Call<'_>) -> Result<Counters, Refusal> {
    Ok(call.own(&counters_local_key())?.unwrap_or_default())
}

fn epoch_record(call: &Call<'_>, epoch: u16) -> Result<EpochRecord, Refusal> {
    call.own(&epoch_local_key(epoch))?
        .ok_or(Refusal::NotRegistered)
}

fn request_record(call: &Call<'_>, number: u32) -> Result<RequestRecord, Refusal> {
    call.own(&numbered(TAG_REQUEST, number))?
        .ok_or(Refusal::NotRegistered)
}

/// The issuer, if it signed this call.
fn signing_issuer(call: &Call<'_>, epoch: u16, issuer: u8) -> Result<IssuerRecord, Refusal> {
    let record: IssuerRecord = call
        .own(&issuer_local_key(epoch, issuer))?
        .ok_or(Refusal::NotRegistered)?;
    if call.signers.contains(&&record.signer) {
        Ok(record)
    } else {
        Err(Refusal::MissingOrganisationSignature)
    }
}

fn require_lea(call: &Call<'_>) -> Result<(), Refusal> {
    if call.signers.contains(&&call.genesis.lea) {
        Ok(())
    } else {
        Err(Refusal::MissingLeaSignature)
    }
}

/// The bit of an issuer, which is registered, so that its number is 1 to 16.
fn bit(issuer: u8) -> Result<u16, Refusal> {
    let shift = u32::from(issuer).checked_sub(1);
    let bit = shift.and_then(|shift| 1u16.checked_shl(shift));
    bit.ok_or(Refusal::NotRegistered)
}

fn is_point(bytes: &[u8; 32]) -> bool {
    CompressedRistretto(*bytes)
        .decompress()
        .is_some_and(|point| !point.is_identity())
}

impl Write for RequestRecord {
    fn write(&self, buf: &mut impl BufMut) {
        self.linkage.write(buf);
        self.reason.write(buf);
        self.requested_ms.write(buf);
        self.handled.write(buf);
        let (time_ms, digest) = self.answer.unwrap_or_default();
        self.answer.is_some().write(buf);
        time_ms.write(buf);
        digest.write(buf);
    }
}

impl FixedSize for RequestRecord {
    const SIZE: usize = 9 + 32 + 8 + 2 + 1 + 8 + 32;
}

impl Read for RequestRecord {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, Error> {
        Ok(Self {
            linkage: ReadExt::read(buf)?,
            reason: ReadExt::read(buf)?,
            requested_ms: ReadExt::read(buf)?,
            handled: ReadExt::read(buf)?,
            answer: {
                let is_answered = bool::read(buf)?;
                let answer = (u64::read(buf)?, <[u8; 32]>::read(buf)?);
                is_answered.then_some(answer)
            },
        })
    }
}

impl Write for Operation {
    fn write(&self, buf: &mut impl BufMut) {
        match self {
            Self::Install {
                epoch,
                key,
                needed,
                issuers,
            } => {
                (0u8, *epoch, *key).write(buf);
                needed.write(buf);
                issuers.write(buf);
            }
            Self::Confirm { epoch, issuer, key } => {
                (1u8, *epoch, *issuer).write(buf);
                key.write(buf);
            }
            Self::End { epoch } => (2u8, *epoch).write(buf),
            Self::Revoke {
                number,
                period,
                registrar,
                reviewer,
            } => {
                (3u8, *number, *period).write(buf);
                (*registrar, *reviewer).write(buf);
            }
            Self::Request {
                number,
                linkage,
                reason,
            } => {
                (4u8, *number).write(buf);
                (*linkage, *reason).write(buf);
            }
            Self::Handled {
                number,
                epoch,
                issuer,
            } => {
                (5u8, *number).write(buf);
                (*epoch, *issuer).write(buf);
            }
            Self::Answered { number, answer } => (6u8, *number, *answer).write(buf),
        }
    }
}

impl EncodeSize for Operation {
    fn encode_size(&self) -> usize {
        1 + match self {
            Self::Install { issuers, .. } => 2 + 32 + 1 + issuers.encode_size(),
            Self::Confirm { .. } => 2 + 1 + 32,
            Self::End { .. } => 2,
            Self::Revoke { .. } => 4 + 4 + 64,
            Self::Request { .. } => 4 + 9 + 32,
            Self::Handled { .. } => 4 + 2 + 1,
            Self::Answered { .. } => 4 + 32,
        }
    }
}

impl Read for Operation {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, Error> {
        let limit = RangeCfg::from(1..=usize::from(MAX_ISSUERS));
        Ok(match u8::read(buf)? {
            0 => Self::Install {
                epoch: ReadExt::read(buf)?,
                key: ReadExt::read(buf)?,
                needed: ReadExt::read(buf)?,
                issuers: Vec::read_cfg(buf, &(limit, ()))?,
            },
            1 => Self::Confirm {
                epoch: ReadExt::read(buf)?,
                issuer: ReadExt::read(buf)?,
                key: ReadExt::read(buf)?,
            },
            2 => Self::End {
                epoch: ReadExt::read(buf)?,
            },
            3 => Self::Revoke {
                number: ReadExt::read(buf)?,
                period: ReadExt::read(buf)?,
                registrar: ReadExt::read(buf)?,
                reviewer: ReadExt::read(buf)?,
            },
            4 => Self::Request {
                number: ReadExt::read(buf)?,
                linkage: ReadExt::read(buf)?,
                reason: ReadExt::read(buf)?,
            },
            5 => Self::Handled {
                number: ReadExt::read(buf)?,
                epoch: ReadExt::read(buf)?,
                issuer: ReadExt::read(buf)?,
            },
            6 => Self::Answered {
                number: ReadExt::read(buf)?,
                answer: ReadExt::read(buf)?,
            },
            other => return Err(Error::InvalidEnum(other)),
        })
    }
}
