//! From a block's transactions to writes and receipts.
//!
//! Transactions execute one after the other on an overlay over the records that they declared; so
//! there are no read conflicts, and hot records cost no more than others. For each transaction:
//!
//! 1. E-1 block time is not past its expiry,
//! 2. E-2 its sender has not used its nonce (a sliding window of 64, as in RFC 6479: nonces may
//!    arrive out of order, each is accepted once, those far behind are refused),
//! 3. E-3 the contract exists at the address (or, for a deployment, the sender is TA or LEA and
//!    the code is known),
//! 4. E-4 the contract runs and touches only declared records.
//!
//! From step 3 on the nonce is used up, whatever follows. A refused transaction leaves no other
//! trace in the state.

use crate::{
    Action, Address, Genesis, LocalKey, PublicKey, Receipt, Record, Refusal, SignedTransaction,
    StateKey,
    contracts::{self, Call},
};
use commonware_codec::{Copying, DecodeExt as _, Encode, ReadExt};
use std::collections::{BTreeMap, HashMap, HashSet};

/// How far nonces of one sender may be out of order.
pub const NONCE_WINDOW: u64 = 64;

const TAG_NONCE: u8 = b'n';
const TAG_INSTANCE: u8 = b'c';

/// The records that a chain must fetch before it can execute `transactions`.
pub fn needed_keys(transactions: &[SignedTransaction]) -> Vec<StateKey> {
    let mut keys: Vec<StateKey> = transactions
        .iter()
        .flat_map(|signed| {
            [nonce_key(signed.sender()), instance_key(&target(signed))]
                .into_iter()
                .chain(signed.transaction().declared_keys())
        })
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// What a block does to the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// New values; `None` deletes the record.
    pub writes: BTreeMap<StateKey, Option<Record>>,
    /// One receipt for each transaction, in order.
    pub receipts: Vec<Receipt>,
}

/// Executes `transactions` at block time `time_ms` on the records `state`, which holds a value for
/// each of [`needed_keys`].
///
/// Signatures are not checked here; see
/// [`verify_signatures`](crate::transaction::verify_signatures).
pub fn execute(
    genesis: &Genesis,
    time_ms: u64,
    transactions: &[SignedTransaction],
    state: HashMap<StateKey, Option<Record>>,
) -> Outcome {
    let mut overlay = Overlay {
        state,
        written: BTreeMap::new(),
        declared: HashSet::new(),
        pending: HashMap::new(),
    };
    let receipts = transactions
        .iter()
        .map(|signed| Receipt {
            transaction: signed.id(),
            result: run(genesis, time_ms, signed, &mut overlay),
        })
        .collect();
    Outcome {
        writes: overlay.written,
        receipts,
    }
}

fn run(
    genesis: &Genesis,
    time_ms: u64,
    signed: &SignedTransaction,
    overlay: &mut Overlay,
) -> Result<(), Refusal> {
    let transaction = signed.transaction();
    if transaction.expires_ms < time_ms {
        return Err(Refusal::Expired);
    }
    let nonce_key = nonce_key(signed.sender());
    let nonces = Nonces::of(overlay.peek(&nonce_key)).accept(transaction.nonce)?;
    overlay.commit(nonce_key, Some(nonces.record()));

    let instance_key = instance_key(&target(signed));
    let instance = overlay.peek(&instance_key).map(Instance::of);
    overlay.begin(transaction.declared_keys());
    let mut call = Call {
        genesis,
        address: target(signed),
        time_ms,
        signers: signed.signers().collect(),
        overlay,
    };
    match &transaction.action {
        Action::Deploy {
            name,
            version,
            parameters,
        } => {
            if ![&genesis.ta, &genesis.lea].contains(&signed.sender()) {
                return Err(Refusal::NotAnAuthority);
            }
            if instance.is_some() {
                return Err(Refusal::AlreadyDeployed);
            }
            let code = contracts::code(name, *version).ok_or(Refusal::UnknownCode)?;
            code.deploy(&mut call, parameters)?;
            let record = Instance {
                version: *version,
                name: name.to_vec(),
            };
            overlay.commit(instance_key, Some(record.record()));
        }
        Action::Call { payload, .. } => {
            let instance = instance.ok_or(Refusal::WrongAddress)?;
            let code =
                contracts::code(&instance.name, instance.version).ok_or(Refusal::UnknownCode)?;
            code.call(&mut call, payload)?;
        }
    }
    overlay.commit_pending();
    Ok(())
}

/// The instance that a transaction creates or calls.
fn target(signed: &SignedTransaction) -> Address {
    match &signed.transaction().action {
        Action::Deploy { .. } => Address::of_instance(signed.sender(), signed.transaction().nonce),
        Action::Call { contract, .. } => *contract,
    }
}

fn system_key(tag: u8, id: &[u8]) -> StateKey {
    let local = LocalKey::new(tag, id).expect("ids of the ledger itself fit");
    StateKey::new(&Address::SYSTEM, local.as_bytes())
}

fn nonce_key(sender: &PublicKey) -> StateKey {
    system_key(TAG_NONCE, sender)
}

/// The state key under which the instance at `address` is recorded.
pub fn instance_key(address: &Address) -> StateKey {
    system_key(TAG_INSTANCE, address)
}

/// The records that a block works on.
///
/// `state` holds what earlier transactions of the block left; `pending` what the running one
/// wrote, which is dropped if it is refused.
pub struct Overlay {
    state: HashMap<StateKey, Option<Record>>,
    written: BTreeMap<StateKey, Option<Record>>,
    declared: HashSet<StateKey>,
    pending: HashMap<StateKey, Option<Record>>,
}

impl Overlay {
    pub(crate) fn get(&self, key: &StateKey) -> Result<Option<&Record>, Refusal> {
        if !self.declared.contains(key) {
            return Err(Refusal::UndeclaredKey);
        }
        Ok(match self.pending.get(key) {
            Some(record) => record.as_ref(),
            None => self.peek(key),
        })
    }

    pub(crate) fn set(&mut self, key: StateKey, record: Option<Record>) -> Result<(), Refusal> {
        if !self.declared.contains(&key) {
            return Err(Refusal::UndeclaredKey);
        }
        self.pending.insert(key, record);
        Ok(())
    }

    fn begin(&mut self, declared: impl Iterator<Item = StateKey>) {
        self.declared.clear();
        self.declared.extend(declared);
        self.pending.clear();
    }

    fn peek(&self, key: &StateKey) -> Option<&Record> {
        self.state
            .get(key)
            .expect("the chain fetched every key of needed_keys")
            .as_ref()
    }

    fn commit(&mut self, key: StateKey, record: Option<Record>) {
        self.state.insert(key, record.clone());
        self.written.insert(key, record);
    }

    fn commit_pending(&mut self) {
        for (key, record) in core::mem::take(&mut self.pending) {
            self.commit(key, record);
        }
    }
}

/// Which nonces a sender has used.
#[derive(Clone, Copy, Default)]
struct Nonces {
    highest: u64,
    /// Bit `i` says that `highest - i` was used.
    used: u64,
}

impl Nonces {
    fn of(record: Option<&Record>) -> Self {
        let Some(record) = record else {
            return Self::default();
        };
        let (highest, used) = <(u64, u64)>::decode(Copying(record.as_bytes()))
            .expect("the ledger wrote this record itself");
        Self { highest, used }
    }

    fn record(self) -> Record {
        Record::new(&(self.highest, self.used).encode()).expect("16 bytes fit")
    }

    fn accept(self, nonce: u64) -> Result<Self, Refusal> {
        if nonce > self.highest || self.used == 0 {
            let shift = nonce.saturating_sub(self.highest);
            let kept = if shift < NONCE_WINDOW {
                self.used << shift
            } else {
                0
            };
            return Ok(Self {
                highest: nonce,
                used: kept | 1,
            });
        }
        let behind = self.highest - nonce;
        if behind >= NONCE_WINDOW || self.used & (1 << behind) != 0 {
            return Err(Refusal::Replayed);
        }
        Ok(Self {
            used: self.used | (1 << behind),
            ..self
        })
    }
}

/// The code behind an address.
struct Instance {
    version: u16,
    name: Vec<u8>,
}

impl Instance {
    fn of(record: &Record) -> Self {
        let mut bytes = Copying(record.as_bytes());
        Self {
            version: u16::read(&mut bytes).expect("the ledger wrote this record itself"),
            name: bytes.0.to_vec(),
        }
    }

    fn record(&self) -> Record {
        let mut bytes = self.version.encode().to_vec();
        bytes.extend_from_slice(&self.name);
        Record::new(&bytes).expect("a name has at most 32 bytes")
    }
}
