//! Contract `files`: what is kept of shared files, and who found them intact (PROTOCOLS.md
//! section 10).
//!
//! 1. The vault's operator *records* a file version: digest of its record, root and number of
//!    blocks of its index, the key of its tags. Versions count up from 1 and never change. A file
//!    belongs to one group of contract [`groups`], and has a place in the roll of all
//!    files, so that whoever has the ledger can list them.
//! 2. The auditor *opens* an audit of the latest version. The opening is in block B; the seed of
//!    the challenge is that of the round that finalises the block after B, which nobody knows yet.
//! 3. The auditor records the *verdict* on the open audit, with the digest of its evidence: both
//!    headers, the certificate, the proof.
//! 4. Anyone computes from the records which files are *overdue* ([`AuditState::is_overdue`]).
//!
//! | part | rule |
//! |---|---|
//! | record | F-1 signed by the operator; F-2 the next version of the file; F-3 `v` is the one that was first recorded with this key id; F-9 the key is that of the group's current epoch, the group that of the file's first version; F-10 the place is the next free one for a first version, later the same |
//! | open | F-4 signed by the auditor; F-5 the file exists; F-6 1 to 4,096 blocks |
//! | verdict | F-7 signed by the auditor; F-8 of the open audit, in a later block than its opening |
//!
//! What the ledger does not check: the group credential in the record (the operator has, before
//! it signs; the record is public, so anyone can again), and the proof behind a verdict (its
//! evidence is kept in public, so an auditor who lies or was lazy is caught by whoever looks).
//! An auditor who dislikes a challenge can open the audit anew, for another round; each audit
//! that was left without a verdict is counted ([`AuditState::abandoned`]).

mod records;

use cairn_ledger::{
    Access, Action, Address, LocalKey, PublicKey, Record, Refusal, StateKey, Transaction,
    contract::{Call, Contract, deployment, parameters_key},
    hash,
};
use commonware_codec::{Copying, DecodeExt as _, Encode as _};

pub use records::{
    AuditState, FileHead, Last, Open, Operation, Parameters, RollEntry, TagKey, Verdict,
    VersionRecord,
};

use crate::groups;

/// The contract's name.
pub const NAME: &str = "files";

/// The contract's version.
pub const VERSION: u16 = 1;

/// Most blocks of a challenge, as in `cairn_crypto::possession`.
pub const MAX_CHALLENGED: u32 = 4096;

/// The state key of the parameters of the instance at `contract`.
pub fn parameters_state_key(contract: &Address) -> StateKey {
    StateKey::new(contract, parameters_key().as_bytes())
}

/// The state key of a file's [`FileHead`].
pub fn head_key(contract: &Address, file: &[u8; 32]) -> StateKey {
    StateKey::new(contract, local(b'h', file).as_bytes())
}

/// The state key of a file version's [`VersionRecord`].
pub fn version_key(contract: &Address, file: &[u8; 32], version: u64) -> StateKey {
    StateKey::new(contract, version_local(file, version).as_bytes())
}

/// The state key of the [`TagKey`] with this key id.
pub fn tag_key(contract: &Address, kid: &[u8; 32]) -> StateKey {
    StateKey::new(contract, local(b'k', kid).as_bytes())
}

/// The state key of a file's [`AuditState`].
pub fn audit_key(contract: &Address, file: &[u8; 32]) -> StateKey {
    StateKey::new(contract, local(b'a', file).as_bytes())
}

/// The state key of the number (a `u64`) of files, whose places are those below it.
pub fn count_key(contract: &Address) -> StateKey {
    StateKey::new(contract, count_local().as_bytes())
}

/// The state key of the [`RollEntry`] at a place.
pub fn roll_key(contract: &Address, place: u64) -> StateKey {
    StateKey::new(contract, roll_local(place).as_bytes())
}

fn count_local() -> LocalKey {
    local(b'c', &[])
}

fn roll_local(place: u64) -> LocalKey {
    local(b'r', &place.to_be_bytes())
}

/// The state key of the [`Verdict`] on audit `number` of a file.
pub fn verdict_key(contract: &Address, file: &[u8; 32], number: u64) -> StateKey {
    StateKey::new(contract, verdict_local(file, number).as_bytes())
}

fn version_local(file: &[u8; 32], version: u64) -> LocalKey {
    numbered(b'v', file, version)
}

fn verdict_local(file: &[u8; 32], number: u64) -> LocalKey {
    numbered(b'd', file, number)
}

/// File and number together are longer than a key may be; their hash is not.
fn numbered(tag: u8, file: &[u8; 32], number: u64) -> LocalKey {
    let digest = hash(b"cairn/1/files/key", &[file, &number.to_be_bytes()]);
    local(tag, &digest)
}

fn local(tag: u8, id: &[u8]) -> LocalKey {
    LocalKey::new(tag, id).expect("at most 33 bytes")
}

/// A transaction that deploys `files`.
pub fn deploy(
    nonce: u64,
    expires_ms: u64,
    deployer: &PublicKey,
    parameters: &Parameters,
) -> Transaction {
    let code = (NAME, VERSION);
    deployment(nonce, expires_ms, deployer, code, parameters.encode())
}

/// A transaction that calls the instance at `contract`, to be signed by the operator (a record)
/// or the auditor (the others). `groups` is the instance of contract `groups` that it was deployed
/// with.
pub fn call(
    nonce: u64,
    expires_ms: u64,
    contract: Address,
    groups: Address,
    operation: &Operation,
) -> Transaction {
    let mut keys = vec![parameters_key()];
    let mut others = Vec::new();
    match operation {
        Operation::Record {
            file,
            group,
            place,
            version,
            kid,
            ..
        } => {
            keys.extend([
                local(b'h', file),
                version_local(file, *version),
                local(b'k', kid),
                count_local(),
                roll_local(*place),
            ]);
            others.push(Access {
                contract: groups,
                keys: vec![groups::group_local(*group)],
            });
        }
        Operation::Open { file, .. } => {
            keys.extend([local(b'h', file), local(b'a', file)]);
        }
        Operation::Verdict { file, number, .. } => {
            keys.extend([local(b'a', file), verdict_local(file, *number)]);
        }
    }
    Transaction {
        nonce,
        expires_ms,
        access: [vec![Access { contract, keys }], others].concat(),
        action: Action::Call {
            contract,
            payload: operation.encode(),
        },
    }
}

/// The contract's code.
pub struct Files;

impl Contract for Files {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u16 {
        VERSION
    }

    fn interface(&self) -> &'static str {
        include_str!("files.schema.json")
    }

    fn deploy(&self, call: &mut Call<'_>, parameters: &[u8]) -> Result<(), Refusal> {
        call.keep_parameters::<Parameters>(parameters)
    }

    fn call(&self, call: &mut Call<'_>, payload: &[u8]) -> Result<(), Refusal> {
        let operation = Operation::decode(Copying(payload));
        let operation = operation.map_err(|_| Refusal::MalformedPayload)?;
        let parameters: Parameters = call.parameters()?;
        // F-1, F-4, F-7.
        let is_record = matches!(operation, Operation::Record { .. });
        if is_record && !call.signers.contains(&&parameters.operator) {
            return Err(Refusal::MissingOperatorSignature);
        }
        if !is_record && !call.signers.contains(&&parameters.auditor) {
            return Err(Refusal::MissingAuditorSignature);
        }
        match operation {
            Operation::Record {
                file,
                group,
                place,
                version,
                digest,
                root,
                live,
                kid,
                v,
            } => {
                // F-9.
                if groups::current_kid(call, &parameters.groups, group)? != kid {
                    return Err(Refusal::WrongState);
                }
                let record = VersionRecord {
                    digest,
                    root,
                    live,
                    kid,
                    recorded_ms: call.time_ms,
                };
                let head = FileHead {
                    version,
                    since_ms: call.time_ms,
                    group,
                    place,
                };
                record_version(call, &file, head, &record, v)
            }
            Operation::Open { file, blocks } => open(call, &file, blocks),
            Operation::Verdict {
                file,
                number,
                is_intact,
                evidence,
            } => decide(call, &file, number, is_intact, evidence),
        }
    }
}

/// F-2, F-3, F-9 and F-10. `head` is what the first version would begin.
fn record_version(
    call: &mut Call<'_>,
    file: &[u8; 32],
    head: FileHead,
    record: &VersionRecord,
    v: TagKey,
) -> Result<(), Refusal> {
    let head_key = local(b'h', file);
    let version = head.version;
    let known: Option<FileHead> = call.own(&head_key)?;
    let latest = known.as_ref().map_or(0, |head| head.version);
    if version == 0 || latest != version - 1 {
        return Err(Refusal::VersionOrder);
    }
    let head = match known {
        None => {
            enter(call, file, &head)?;
            head
        }
        Some(known) if (known.group, known.place) == (head.group, head.place) => {
            FileHead { version, ..known }
        }
        Some(_) => return Err(Refusal::WrongState),
    };
    let key = local(b'k', &record.kid);
    match call.own::<TagKey>(&key)? {
        None => call.set(&key, Some(Record::of(&v)))?,
        Some(known) if known == v => {}
        Some(_) => return Err(Refusal::AlreadyRegistered),
    }
    call.set(&head_key, Some(Record::of(&head)))?;
    call.set(&version_local(file, version), Some(Record::of(record)))
}

/// F-10 for a first version.
fn enter(call: &mut Call<'_>, file: &[u8; 32], head: &FileHead) -> Result<(), Refusal> {
    let count = call.own::<u64>(&count_local())?.unwrap_or(0);
    if head.place != count {
        return Err(Refusal::WrongState);
    }
    let entry = RollEntry { file: *file };
    call.set(&roll_local(count), Some(Record::of(&entry)))?;
    call.set(&count_local(), Some(Record::of(&(count + 1))))
}

/// F-5 and F-6.
fn open(call: &mut Call<'_>, file: &[u8; 32], blocks: u32) -> Result<(), Refusal> {
    if !(1..=MAX_CHALLENGED).contains(&blocks) {
        return Err(Refusal::MalformedPayload);
    }
    let head: FileHead = call
        .own(&local(b'h', file))?
        .ok_or(Refusal::NotRegistered)?;
    let key = local(b'a', file);
    let state = call.own::<AuditState>(&key)?.unwrap_or_default();
    let state = AuditState {
        opened: state.opened.saturating_add(1),
        abandoned: state
            .abandoned
            .saturating_add(u32::from(state.open.is_some())),
        open: Some(Open {
            version: head.version,
            opened_ms: call.time_ms,
            blocks,
        }),
        ..state
    };
    call.set(&key, Some(Record::of(&state)))
}

/// F-8.
fn decide(
    call: &mut Call<'_>,
    file: &[u8; 32],
    number: u64,
    is_intact: bool,
    evidence: [u8; 32],
) -> Result<(), Refusal> {
    let key = local(b'a', file);
    let state: AuditState = call.own(&key)?.ok_or(Refusal::NotRegistered)?;
    let open = state.open.filter(|_| state.opened == number);
    let open = open.ok_or(Refusal::NoOpenAudit)?;
    if call.time_ms <= open.opened_ms {
        return Err(Refusal::NoOpenAudit);
    }
    let verdict = Verdict {
        version: open.version,
        opened_ms: open.opened_ms,
        decided_ms: call.time_ms,
        blocks: open.blocks,
        is_intact,
        evidence,
    };
    let state = AuditState {
        open: None,
        failed: state.failed.saturating_add(u32::from(!is_intact)),
        last: Some(Last {
            number,
            decided_ms: call.time_ms,
            is_intact,
        }),
        ..state
    };
    call.set(&key, Some(Record::of(&state)))?;
    call.set(&verdict_local(file, number), Some(Record::of(&verdict)))
}
