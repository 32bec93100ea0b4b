//! Contract `groups`: groups whose members share files without saying who of them uploads
//! (PROTOCOLS.md sections 2 and 10).
//!
//! 1. A group is *founded* under a number, which its members' credentials carry, and a name. Its
//!    manager enrols members; who they are stays off the ledger.
//! 2. Each key epoch has a tagging key. When a member leaves, the manager starts the *next epoch*:
//!    credentials and the tagging key of the one before end with it (contract
//!    [`files`](crate::files) takes new versions under the current key only).
//! 3. The reviewing authority (LEA) *requests a trace* of a linkage value, with the digest of its
//!    reason. Manager and LEA each take part in a trace only against such a record, and the manager
//!    *answers* with a commitment to whom they found, so that no trace stays unseen.
//!
//! | part | rule |
//! |---|---|
//! | found | G-1 signed by TA, LEA and the manager; G-2 number and name are free, the number is not 0 |
//! | epoch | G-3 signed by the manager; G-4 the next number, and another key than the current one |
//! | trace | G-5 signed by LEA; G-6 the group exists, the value was not asked for before |
//! | answer | G-7 signed by the manager; G-8 the trace was requested and has no answer |

use crate::encoding::{operations, record};
use bytes::BufMut;
use cairn_ledger::{
    Access, Action, Address, LocalKey, PublicKey, Record, Refusal, StateKey, Transaction,
    contract::{Call, Contract, deployment, parameters_key},
};
use commonware_codec::{
    Buf, Copying, DecodeExt as _, Encode as _, Error, FixedSize, Read, ReadExt as _, Write,
};

/// The contract's name.
pub const NAME: &str = "groups";

/// The contract's version.
pub const VERSION: u16 = 1;

/// Bytes of a group's name, filled up with zeros.
pub const NAME_BYTES: usize = 32;

/// Bytes of a linkage value, as in `cairn_crypto::linkage`.
pub const LINKAGE_BYTES: usize = 9;

record!(
    /// What contract `groups` is deployed with.
    Parameters {
        /// The issuers' key `A`, under which members' credentials are checked: a compressed
        /// ristretto255 point. Opaque here.
        issuer: [u8; 32],
    }
);

record!(
    /// A group.
    GroupRecord {
        /// Its name, filled up with zeros.
        name: [u8; NAME_BYTES],
        /// Who enrols its members.
        manager: PublicKey,
        /// Its current key epoch.
        epoch: u16,
        /// Name of the tagging key of that epoch.
        kid: [u8; 32],
    }
);

record!(
    /// One key epoch of a group.
    EpochRecord {
        /// Name of its tagging key.
        kid: [u8; 32],
        /// Block time at which it began, in milliseconds.
        from_ms: u64,
    }
);

/// A requested trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceRecord {
    /// Digest of LEA's reason.
    pub reason: [u8; 32],
    /// Block time of the request, in milliseconds.
    pub requested_ms: u64,
    /// The manager's commitment to whom they found.
    pub answer: Option<[u8; 32]>,
}

impl Write for TraceRecord {
    fn write(&self, buf: &mut impl BufMut) {
        self.reason.write(buf);
        self.requested_ms.write(buf);
        self.answer.is_some().write(buf);
        // A record has one size, so what is absent is written as zeros.
        self.answer.unwrap_or_default().write(buf);
    }
}

impl Read for TraceRecord {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, Error> {
        let (reason, requested_ms) = (<[u8; 32]>::read(buf)?, u64::read(buf)?);
        let (is_answered, answer) = (bool::read(buf)?, <[u8; 32]>::read(buf)?);
        Ok(Self {
            reason,
            requested_ms,
            answer: is_answered.then_some(answer),
        })
    }
}

impl FixedSize for TraceRecord {
    const SIZE: usize = 32 + 8 + 1 + 32;
}

operations!(
    /// What the contract is called with.
    #[expect(
        clippy::large_enum_variant,
        reason = "a prepared key is large; an operation is decoded and at once taken apart"
    )]
    Operation {
        /// A new group, in its epoch 1.
        0 Found {
            /// Its number, not 0.
            group: u16,
            /// Its name, filled up with zeros.
            name: [u8; NAME_BYTES],
            /// Who enrols its members.
            manager: PublicKey,
            /// Name of the first tagging key.
            kid: [u8; 32],
        }
        /// The next key epoch.
        1 Epoch {
            /// The group.
            group: u16,
            /// The epoch's number.
            epoch: u16,
            /// Name of its tagging key.
            kid: [u8; 32],
        }
        /// LEA wants to know who stands behind a credential.
        2 Trace {
            /// The group.
            group: u16,
            /// Linkage value of the credential.
            linkage: [u8; LINKAGE_BYTES],
            /// Digest of the reason.
            reason: [u8; 32],
        }
        /// Manager and LEA have found the member.
        3 Answer {
            /// The group.
            group: u16,
            /// Linkage value of the credential.
            linkage: [u8; LINKAGE_BYTES],
            /// Commitment to the member.
            answer: [u8; 32],
        }
    }
);

/// The state key of the parameters of the instance at `contract`.
pub fn parameters_state_key(contract: &Address) -> StateKey {
    StateKey::new(contract, parameters_key().as_bytes())
}

/// The state key of a [`GroupRecord`].
pub fn group_key(contract: &Address, group: u16) -> StateKey {
    StateKey::new(contract, group_local(group).as_bytes())
}

/// The state key of the number (a `u16`) of the group with this name.
pub fn name_key(contract: &Address, name: &[u8; NAME_BYTES]) -> StateKey {
    StateKey::new(contract, name_local(name).as_bytes())
}

/// The state key of an [`EpochRecord`].
pub fn epoch_key(contract: &Address, group: u16, epoch: u16) -> StateKey {
    StateKey::new(contract, epoch_local(group, epoch).as_bytes())
}

/// The state key of a [`TraceRecord`].
pub fn trace_key(contract: &Address, group: u16, linkage: &[u8; LINKAGE_BYTES]) -> StateKey {
    StateKey::new(contract, trace_local(group, linkage).as_bytes())
}

pub(super) fn group_local(group: u16) -> LocalKey {
    local(b'g', &group.to_be_bytes())
}

fn name_local(name: &[u8; NAME_BYTES]) -> LocalKey {
    local(b'n', name)
}

fn epoch_local(group: u16, epoch: u16) -> LocalKey {
    local(b'e', &[group.to_be_bytes(), epoch.to_be_bytes()].concat())
}

fn trace_local(group: u16, linkage: &[u8; LINKAGE_BYTES]) -> LocalKey {
    local(b't', &[&group.to_be_bytes(), &linkage[..]].concat())
}

fn local(tag: u8, id: &[u8]) -> LocalKey {
    LocalKey::new(tag, id).expect("at most 33 bytes")
}

/// A transaction that deploys `groups`.
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
pub fn call(nonce: u64, expires_ms: u64, contract: Address, operation: &Operation) -> Transaction {
    let keys = match operation {
        Operation::Found { group, name, .. } => {
            vec![
                group_local(*group),
                name_local(name),
                epoch_local(*group, 1),
            ]
        }
        Operation::Epoch { group, epoch, .. } => {
            vec![group_local(*group), epoch_local(*group, *epoch)]
        }
        Operation::Trace { group, linkage, .. } | Operation::Answer { group, linkage, .. } => {
            vec![group_local(*group), trace_local(*group, linkage)]
        }
    };
    Transaction {
        nonce,
        expires_ms,
        access: vec![Access { contract, keys }],
        action: Action::Call {
            contract,
            payload: operation.encode(),
        },
    }
}

/// The contract's code.
pub struct Groups;

impl Contract for Groups {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u16 {
        VERSION
    }

    fn interface(&self) -> &'static str {
        include_str!("groups.schema.json")
    }

    fn deploy(&self, call: &mut Call<'_>, parameters: &[u8]) -> Result<(), Refusal> {
        call.keep_parameters::<Parameters>(parameters)
    }

    fn call(&self, call: &mut Call<'_>, payload: &[u8]) -> Result<(), Refusal> {
        let operation = Operation::decode(Copying(payload));
        match operation.map_err(|_| Refusal::MalformedPayload)? {
            Operation::Found {
                group,
                name,
                manager,
                kid,
            } => found(call, group, name, manager, kid),
            Operation::Epoch { group, epoch, kid } => next_epoch(call, group, epoch, kid),
            Operation::Trace {
                group,
                linkage,
                reason,
            } => trace(call, group, &linkage, reason),
            Operation::Answer {
                group,
                linkage,
                answer,
            } => answered(call, group, &linkage, answer),
        }
    }
}

/// G-1 and G-2.
fn found(
    call: &mut Call<'_>,
    group: u16,
    name: [u8; NAME_BYTES],
    manager: PublicKey,
    kid: [u8; 32],
) -> Result<(), Refusal> {
    call.require_authorities()?;
    signed_by_manager(call, &manager)?;
    if group == 0 {
        return Err(Refusal::MalformedPayload);
    }
    let (key, by_name) = (group_local(group), name_local(&name));
    let is_taken = call.own::<GroupRecord>(&key)?.is_some() || call.own::<u16>(&by_name)?.is_some();
    if is_taken {
        return Err(Refusal::AlreadyRegistered);
    }
    let record = GroupRecord {
        name,
        manager,
        epoch: 1,
        kid,
    };
    call.set(&by_name, Some(Record::of(&group)))?;
    keep_epoch(call, group, &record)
}

/// G-3 and G-4.
fn next_epoch(call: &mut Call<'_>, group: u16, epoch: u16, kid: [u8; 32]) -> Result<(), Refusal> {
    let record = managed(call, group)?;
    if record.epoch.checked_add(1) != Some(epoch) || record.kid == kid {
        return Err(Refusal::WrongState);
    }
    let record = GroupRecord {
        epoch,
        kid,
        ..record
    };
    keep_epoch(call, group, &record)
}

fn keep_epoch(call: &mut Call<'_>, group: u16, record: &GroupRecord) -> Result<(), Refusal> {
    let epoch = EpochRecord {
        kid: record.kid,
        from_ms: call.time_ms,
    };
    call.set(&group_local(group), Some(Record::of(record)))?;
    call.set(&epoch_local(group, record.epoch), Some(Record::of(&epoch)))
}

/// G-5 and G-6.
fn trace(
    call: &mut Call<'_>,
    group: u16,
    linkage: &[u8; LINKAGE_BYTES],
    reason: [u8; 32],
) -> Result<(), Refusal> {
    if !call.signers.contains(&&call.genesis.lea) {
        return Err(Refusal::MissingLeaSignature);
    }
    call.own::<GroupRecord>(&group_local(group))?
        .ok_or(Refusal::NotRegistered)?;
    let key = trace_local(group, linkage);
    if call.own::<TraceRecord>(&key)?.is_some() {
        return Err(Refusal::AlreadyRegistered);
    }
    let record = TraceRecord {
        reason,
        requested_ms: call.time_ms,
        answer: None,
    };
    call.set(&key, Some(Record::of(&record)))
}

/// G-7 and G-8.
fn answered(
    call: &mut Call<'_>,
    group: u16,
    linkage: &[u8; LINKAGE_BYTES],
    answer: [u8; 32],
) -> Result<(), Refusal> {
    managed(call, group)?;
    let key = trace_local(group, linkage);
    let record: TraceRecord = call.own(&key)?.ok_or(Refusal::NotRegistered)?;
    if record.answer.is_some() {
        return Err(Refusal::WrongState);
    }
    let record = TraceRecord {
        answer: Some(answer),
        ..record
    };
    call.set(&key, Some(Record::of(&record)))
}

/// A group whose manager signed the call.
fn managed(call: &Call<'_>, group: u16) -> Result<GroupRecord, Refusal> {
    let record: GroupRecord = call
        .own(&group_local(group))?
        .ok_or(Refusal::NotRegistered)?;
    signed_by_manager(call, &record.manager)?;
    Ok(record)
}

fn signed_by_manager(call: &Call<'_>, manager: &PublicKey) -> Result<(), Refusal> {
    if call.signers.contains(&manager) {
        Ok(())
    } else {
        Err(Refusal::MissingOrganisationSignature)
    }
}

/// The current epoch of a group in the instance at `contract`, for another contract.
pub(super) fn current_kid(
    call: &Call<'_>,
    contract: &Address,
    group: u16,
) -> Result<[u8; 32], Refusal> {
    let record = call.get(contract, &group_local(group))?;
    let record = record.ok_or(Refusal::NotRegistered)?;
    let record: GroupRecord = record.decode_as().map_err(|_| Refusal::WrongAddress)?;
    Ok(record.kid)
}
