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
    contract::{Call, Code, find},
    overlay::{Overlay, Scope},
};
use commonware_codec::{Copying, DecodeExt as _, Encode, ReadExt};

pub use crate::overlay::{Change, Layout};

/// How far nonces of one sender may be out of order.
pub const NONCE_WINDOW: u64 = 64;

const TAG_NONCE: u8 = b'n';
const TAG_INSTANCE: u8 = b'c';

/// What a block does to the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What becomes of each record of the block's layout, in its order.
    pub changes: Vec<Change>,
    /// One receipt for each transaction, in order.
    pub receipts: Vec<Receipt>,
}

/// Executes the transactions of `layout` at block time `time_ms` on `records`, which holds what the
/// state has under each of [`Layout::keys`].
///
/// Signatures are not checked here; see
/// [`verify_signatures`](crate::transaction::verify_signatures).
///
/// # Panics
///
/// Panics if `records` has not as many entries as the layout has keys.
pub fn execute(
    genesis: &Genesis,
    code: Code,
    time_ms: u64,
    layout: &Layout<'_>,
    records: Vec<Option<Record>>,
) -> Outcome {
    assert_eq!(records.len(), layout.keys().len(), "one entry for each key");
    let mut overlay = Overlay::new(records);
    let receipts = layout
        .scopes()
        .map(|scope| {
            let result = run(genesis, code, time_ms, scope, &mut overlay);
            match result {
                Ok(()) => overlay.keep(),
                Err(_) => overlay.undo(),
            }
            Receipt {
                transaction: scope.signed.id(),
                result,
            }
        })
        .collect();
    Outcome {
        changes: overlay.into_changes(),
        receipts,
    }
}

fn run(
    genesis: &Genesis,
    code: Code,
    time_ms: u64,
    scope: &Scope<'_>,
    overlay: &mut Overlay,
) -> Result<(), Refusal> {
    let signed = scope.signed;
    let transaction = signed.transaction();
    if transaction.expires_ms < time_ms {
        return Err(Refusal::Expired);
    }
    let nonces = Nonces::of(overlay.get(scope.nonce)).accept(transaction.nonce)?;
    overlay.set(scope.nonce, Some(nonces.record()));
    overlay.keep();

    let instance = overlay.get(scope.instance).map(Instance::of);
    let mut call = Call {
        genesis,
        address: target(signed),
        time_ms,
        signers: signed.signers().collect(),
        scope,
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
            let code = find(code, name, *version).ok_or(Refusal::UnknownCode)?;
            code.deploy(&mut call, parameters)?;
            let record = Instance {
                version: *version,
                name: name.to_vec(),
            };
            overlay.set(scope.instance, Some(record.record()));
        }
        Action::Call { payload, .. } => {
            let instance = instance.ok_or(Refusal::WrongAddress)?;
            let code = find(code, &instance.name, instance.version).ok_or(Refusal::UnknownCode)?;
            code.call(&mut call, payload)?;
        }
    }
    Ok(())
}

/// The instance that a transaction creates or calls.
pub(crate) fn target(signed: &SignedTransaction) -> Address {
    match &signed.transaction().action {
        Action::Deploy { .. } => Address::of_instance(signed.sender(), signed.transaction().nonce),
        Action::Call { contract, .. } => *contract,
    }
}

fn system_key(tag: u8, id: &[u8]) -> StateKey {
    let local = LocalKey::new(tag, id).expect("ids of the ledger itself fit");
    StateKey::new(&Address::SYSTEM, local.as_bytes())
}

pub(crate) fn nonce_key(sender: &PublicKey) -> StateKey {
    system_key(TAG_NONCE, sender)
}

/// The state key under which the instance at `address` is recorded.
pub fn instance_key(address: &Address) -> StateKey {
    system_key(TAG_INSTANCE, address)
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
