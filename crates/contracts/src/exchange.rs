//! Contract `exchange`: who asked whom, and what became of it, on the relay chain (PROTOCOLS.md
//! section 9). Nothing of the data.
//!
//! 1. The requester *opens* an exchange, named by the digest of its signed request, with a time
//!    by which it expects delivery.
//! 2. The owner *delivers*: digest of the envelope, its signature over it, and a proof of its own
//!    chain that the roots under which the records lie are final there. Or it *declines*, and says why.
//! 3. The requester opens the envelope, checks everything, and posts a *receipt*: its signature over
//!    the same digest, and whether all was in order.
//!
//! | part | rule |
//! |---|---|
//! | open | X-1 signed by the requester's operator; X-2 both are registered, and are different; X-3 the deadline is in the future and not farther than deployed; X-4 the name is new |
//! | deliver, decline | X-5 signed by the owner's operator; X-6 the exchange is open; X-7 not after the deadline |
//! | deliver | X-8 the owner's statement verifies; X-9 the proof shows every root as anchored, under the owner's registered chain id and network key |
//! | receipt | X-10 signed by the requester's operator; X-11 delivered; X-12 not after the deadline; X-13 the requester's statement verifies |
//!
//! Both statements stay in the state ([`signatures_keys`]), so that they can be shown to whoever
//! trusts neither chain nor party. A receipt is evidence and no fair exchange: a requester can keep
//! the data and post none. That shows as [`State::ReceiptMissing`], as a missing delivery shows as
//! [`State::DeliveryMissing`]; nobody needs to post anything for it.
//!
//! The records say who traded with whom, and when. Organisations that mind use one number per
//! partner.

use crate::{
    directory::{self, OrgId},
    encoding::{Digests, operations, record},
    foreign::{self, ForeignProof},
    records,
};
use cairn_ledger::{
    Access, Action, Address, ChainId, LocalKey, PrivateKey, PublicKey, Record, Refusal, Signature,
    StateKey, Transaction,
    contract::{Call, Contract, deployment, parameters_key},
    light,
};
use commonware_codec::{Copying, DecodeExt as _, Encode as _};
use commonware_cryptography::{Signer as _, Verifier as _};

/// The contract's name.
pub const NAME: &str = "exchange";

/// The contract's version.
pub const VERSION: u16 = 1;

/// The most roots of a delivery: as many as one proof shows.
pub const MAX_ROOTS: usize = light::MAX_ENTRIES;

/// Roots of a delivery.
pub type Roots = Digests<MAX_ROOTS>;

record!(
    /// What contract `exchange` is deployed with.
    Parameters {
        /// The contract `directory` of the same chain.
        directory: Address,
        /// The farthest a deadline may lie in the future, in milliseconds.
        max_wait_ms: u64,
    }
);

record!(
    /// Where an exchange stands.
    ExchangeRecord {
        /// Who asked.
        requester: OrgId,
        /// Who was asked.
        owner: OrgId,
        /// What was posted last: 0 request, 1 delivery, 2 refusal, 3 receipt, 4 complaint.
        posted: u8,
        /// Block time of the request, in milliseconds.
        opened_ms: u64,
        /// Until when the owner may answer.
        deliver_by_ms: u64,
        /// Block time of the answer; 0 before.
        answered_ms: u64,
        /// Until when the requester may post its receipt; 0 before delivery.
        receipt_by_ms: u64,
        /// Block time of the receipt; 0 before.
        receipt_ms: u64,
        /// Digest of the envelope; zeros before delivery. After a refusal, the reason's number first.
        envelope: [u8; 32],
    }
);

const REQUESTED: u8 = 0;
const DELIVERED: u8 = 1;
const DECLINED: u8 = 2;
const RECEIVED: u8 = 3;
const COMPLAINED: u8 = 4;

/// What the record of an exchange means at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The owner has time to answer.
    Requested,
    /// The owner did not answer in time.
    DeliveryMissing,
    /// The requester has time to check.
    Delivered,
    /// The requester did not post a receipt in time.
    ReceiptMissing,
    /// The owner declined, for the reason of this number.
    Declined(u8),
    /// The requester has got what it asked for.
    Received,
    /// The requester says that what it got is not what it should be.
    Complained,
}

impl ExchangeRecord {
    /// What the record means at `now_ms`.
    #[must_use]
    pub fn state(&self, now_ms: u64) -> State {
        match self.posted {
            REQUESTED if now_ms > self.deliver_by_ms => State::DeliveryMissing,
            REQUESTED => State::Requested,
            DELIVERED if now_ms > self.receipt_by_ms => State::ReceiptMissing,
            DELIVERED => State::Delivered,
            DECLINED => State::Declined(self.envelope[0]),
            RECEIVED => State::Received,
            _ => State::Complained,
        }
    }
}

operations!(
    /// What the contract is called with.
    Operation {
        /// The requester asks.
        0 Open {
            /// Digest of the signed request.
            exchange: [u8; 32],
            /// Who asks.
            requester: OrgId,
            /// Who is asked.
            owner: OrgId,
            /// Until when it waits, block time in milliseconds.
            deliver_by_ms: u64,
        }
        /// The owner answers with an envelope.
        1 Deliver {
            /// The exchange.
            exchange: [u8; 32],
            /// Who asked.
            requester: OrgId,
            /// Who answers.
            owner: OrgId,
            /// SHA-256 of the envelope.
            envelope: [u8; 32],
            /// Until when it expects a receipt, block time in milliseconds.
            receipt_by_ms: u64,
            /// Roots of the batches in which the records lie.
            roots: Roots,
            /// That they are final on the owner's chain.
            proof: ForeignProof,
            /// The owner's statement.
            signature: Signature,
        }
        /// The owner answers without one.
        2 Decline {
            /// The exchange.
            exchange: [u8; 32],
            /// Who answers.
            owner: OrgId,
            /// Number of the reason.
            reason: u8,
        }
        /// The requester has opened and checked the envelope.
        3 Receipt {
            /// The exchange.
            exchange: [u8; 32],
            /// Who asked.
            requester: OrgId,
            /// Whether everything was in order.
            is_accepted: bool,
            /// The requester's statement.
            signature: Signature,
        }
    }
);

const STATEMENT: &[u8] = b"cairn/1/exchange/statement/";

/// What owner and requester sign: that this envelope answers this exchange (and for the
/// requester, whether it was in order).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The exchange.
    pub exchange: [u8; 32],
    /// SHA-256 of the envelope.
    pub envelope: [u8; 32],
    /// `None` from the owner; what the requester found.
    pub is_accepted: Option<bool>,
}

impl Statement {
    fn message(&self) -> Vec<u8> {
        let side = match self.is_accepted {
            None => 0,
            Some(true) => 1,
            Some(false) => 2,
        };
        [self.exchange.as_slice(), &self.envelope, &[side]].concat()
    }

    /// Signs for the relay chain `chain`.
    #[must_use]
    pub fn sign(&self, chain: &ChainId, operator: &PrivateKey) -> Signature {
        operator.sign(&[STATEMENT, chain].concat(), &self.message())
    }

    /// Whether the statement is `operator`'s on the relay chain `chain`.
    #[must_use]
    pub fn is_signed(&self, chain: &ChainId, operator: &PublicKey, signature: &Signature) -> bool {
        operator.verify(&[STATEMENT, chain].concat(), &self.message(), signature)
    }
}

fn local(tag: u8, exchange: &[u8; 32]) -> LocalKey {
    LocalKey::new(tag, exchange).expect("33 bytes fit")
}

/// The state key of an [`ExchangeRecord`].
pub fn exchange_key(contract: &Address, exchange: &[u8; 32]) -> StateKey {
    StateKey::new(contract, local(b'x', exchange).as_bytes())
}

/// The state keys of the owner's and the requester's [`Signature`].
pub fn signatures_keys(contract: &Address, exchange: &[u8; 32]) -> [StateKey; 2] {
    [b'o', b'r'].map(|tag| StateKey::new(contract, local(tag, exchange).as_bytes()))
}

/// A transaction that deploys `exchange`.
pub fn deploy(
    nonce: u64,
    expires_ms: u64,
    deployer: &PublicKey,
    parameters: &Parameters,
) -> Transaction {
    let code = (NAME, VERSION);
    deployment(nonce, expires_ms, deployer, code, parameters.encode())
}

/// A transaction that calls the instance at `contract`, whose directory is at `directory`; to be
/// signed by the operator of the organisation that acts.
pub fn call(
    nonce: u64,
    expires_ms: u64,
    contract: Address,
    directory: Address,
    operation: &Operation,
) -> Transaction {
    let mut keys = vec![parameters_key()];
    let mut entries = Vec::new();
    match operation {
        Operation::Open {
            exchange,
            requester,
            owner,
            ..
        } => {
            keys.push(local(b'x', exchange));
            entries.extend(directory::locals(*requester));
            entries.extend(directory::locals(*owner));
        }
        Operation::Deliver {
            exchange, owner, ..
        } => {
            keys.extend([local(b'x', exchange), local(b'o', exchange)]);
            entries.extend(directory::locals(*owner));
        }
        Operation::Decline {
            exchange, owner, ..
        } => {
            keys.push(local(b'x', exchange));
            entries.extend(directory::locals(*owner));
        }
        Operation::Receipt {
            exchange,
            requester,
            ..
        } => {
            keys.extend([local(b'x', exchange), local(b'r', exchange)]);
            entries.extend(directory::locals(*requester));
        }
    }
    Transaction {
        nonce,
        expires_ms,
        access: vec![
            Access { contract, keys },
            Access {
                contract: directory,
                keys: entries,
            },
        ],
        action: Action::Call {
            contract,
            payload: operation.encode(),
        },
    }
}

/// The contract's code.
pub struct Exchange;

impl Contract for Exchange {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u16 {
        VERSION
    }

    fn interface(&self) -> &'static str {
        include_str!("exchange.schema.json")
    }

    fn deploy(&self, call: &mut Call<'_>, parameters: &[u8]) -> Result<(), Refusal> {
        call.keep_parameters::<Parameters>(parameters)
    }

    fn call(&self, call: &mut Call<'_>, payload: &[u8]) -> Result<(), Refusal> {
        let operation = Operation::decode(Copying(payload));
        let operation = operation.map_err(|_| Refusal::MalformedPayload)?;
        let parameters: Parameters = call.parameters()?;
        match operation {
            Operation::Open {
                exchange,
                requester,
                owner,
                deliver_by_ms,
            } => open(
                call,
                &parameters,
                &exchange,
                [requester, owner],
                deliver_by_ms,
            ),
            Operation::Deliver {
                exchange,
                requester,
                owner,
                envelope,
                receipt_by_ms,
                roots,
                proof,
                signature,
            } => {
                let statement = Statement {
                    exchange,
                    envelope,
                    is_accepted: None,
                };
                let delivery = Delivery {
                    parties: [requester, owner],
                    statement,
                    receipt_by_ms,
                    roots: roots.as_slice(),
                    proof: &proof,
                    signature,
                };
                deliver(call, &parameters, delivery)
            }
            Operation::Decline {
                exchange,
                owner,
                reason,
            } => {
                let mut record = answerable(call, &parameters, &exchange, owner)?;
                record.posted = DECLINED;
                record.answered_ms = call.time_ms;
                record.envelope[0] = reason;
                call.set(&local(b'x', &exchange), Some(Record::of(&record)))
            }
            Operation::Receipt {
                exchange,
                requester,
                is_accepted,
                signature,
            } => receipt(
                call,
                &parameters,
                &exchange,
                requester,
                (is_accepted, signature),
            ),
        }
    }
}

/// the entry of the organisation whose operator signed.
fn acting(
    call: &Call<'_>,
    parameters: &Parameters,
    organisation: OrgId,
) -> Result<directory::Entry, Refusal> {
    let entry = directory::entry(call, &parameters.directory, organisation)?;
    if !call.signers.contains(&&entry.operator) {
        return Err(Refusal::MissingOrganisationSignature);
    }
    Ok(entry)
}

///
fn check_deadline(
    call: &Call<'_>,
    parameters: &Parameters,
    deadline_ms: u64,
) -> Result<(), Refusal> {
    let latest = call.time_ms.saturating_add(parameters.max_wait_ms);
    if deadline_ms <= call.time_ms || deadline_ms > latest {
        return Err(Refusal::Deadline);
    }
    Ok(())
}

///
fn open(
    call: &mut Call<'_>,
    parameters: &Parameters,
    exchange: &[u8; 32],
    [requester, owner]: [OrgId; 2],
    deliver_by_ms: u64,
) -> Result<(), Refusal> {
    acting(call, parameters, requester)?;
    directory::entry(call, &parameters.directory, owner)?;
    if requester == owner {
        return Err(Refusal::OutOfBounds);
    }
    check_deadline(call, parameters, deliver_by_ms)?;
    let key = local(b'x', exchange);
    if call.own::<ExchangeRecord>(&key)?.is_some() {
        return Err(Refusal::AlreadyRegistered);
    }
    let record = ExchangeRecord {
        requester,
        owner,
        posted: REQUESTED,
        opened_ms: call.time_ms,
        deliver_by_ms,
        answered_ms: 0,
        receipt_by_ms: 0,
        receipt_ms: 0,
        envelope: [0; 32],
    };
    call.set(&key, Some(Record::of(&record)))
}

///
fn answerable(
    call: &Call<'_>,
    parameters: &Parameters,
    exchange: &[u8; 32],
    owner: OrgId,
) -> Result<ExchangeRecord, Refusal> {
    acting(call, parameters, owner)?;
    let record: ExchangeRecord = call
        .own(&local(b'x', exchange))?
        .ok_or(Refusal::NotRegistered)?;
    if record.owner != owner || record.posted != REQUESTED {
        return Err(Refusal::WrongState);
    }
    if call.time_ms > record.deliver_by_ms {
        return Err(Refusal::Deadline);
    }
    Ok(record)
}

struct Delivery<'a> {
    parties: [OrgId; 2],
    statement: Statement,
    receipt_by_ms: u64,
    roots: &'a [[u8; 32]],
    proof: &'a ForeignProof,
    signature: Signature,
}

///
fn deliver(
    call: &mut Call<'_>,
    parameters: &Parameters,
    delivery: Delivery<'_>,
) -> Result<(), Refusal> {
    let [requester, owner] = delivery.parties;
    let statement = delivery.statement;
    let mut record = answerable(call, parameters, &statement.exchange, owner)?;
    if record.requester != requester {
        return Err(Refusal::WrongState);
    }
    check_deadline(call, parameters, delivery.receipt_by_ms)?;
    let entry = directory::entry(call, &parameters.directory, owner)?;
    let relay = call.genesis.chain_id();
    if !statement.is_signed(&relay, &entry.operator, &delivery.signature) {
        return Err(Refusal::InvalidProof);
    }
    let network_key = directory::network(call, &parameters.directory, owner)?;
    let shown = foreign::verify(&entry.chain, network_key, delivery.proof)?;
    let is_anchored = |root: &[u8; 32]| {
        let key = records::root_key(&entry.records, root);
        matches!(shown.record(&key), Some(Some(_)))
    };
    if !delivery.roots.iter().all(is_anchored) {
        return Err(Refusal::InvalidProof);
    }
    record.posted = DELIVERED;
    record.answered_ms = call.time_ms;
    record.receipt_by_ms = delivery.receipt_by_ms;
    record.envelope = statement.envelope;
    let exchange = &statement.exchange;
    call.set(&local(b'x', exchange), Some(Record::of(&record)))?;
    let signature = Record::of(&delivery.signature);
    call.set(&local(b'o', exchange), Some(signature))
}

///
fn receipt(
    call: &mut Call<'_>,
    parameters: &Parameters,
    exchange: &[u8; 32],
    requester: OrgId,
    (is_accepted, signature): (bool, Signature),
) -> Result<(), Refusal> {
    let entry = acting(call, parameters, requester)?;
    let key = local(b'x', exchange);
    let mut record: ExchangeRecord = call.own(&key)?.ok_or(Refusal::NotRegistered)?;
    if record.requester != requester || record.posted != DELIVERED {
        return Err(Refusal::WrongState);
    }
    if call.time_ms > record.receipt_by_ms {
        return Err(Refusal::Deadline);
    }
    let statement = Statement {
        exchange: *exchange,
        envelope: record.envelope,
        is_accepted: Some(is_accepted),
    };
    if !statement.is_signed(&call.genesis.chain_id(), &entry.operator, &signature) {
        return Err(Refusal::InvalidProof);
    }
    record.posted = if is_accepted { RECEIVED } else { COMPLAINED };
    record.receipt_ms = call.time_ms;
    call.set(&key, Some(Record::of(&record)))?;
    call.set(&local(b'r', exchange), Some(Record::of(&signature)))
}
