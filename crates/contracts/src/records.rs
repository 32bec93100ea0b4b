//! Contract `records`: what an organisation's chain keeps of its devices and their records
//! (PROTOCOLS.md section 9).
//!
//! 1. The operator *enrols* a device: the certificate `W ‖ attrs` of its certificateless key. There is
//!    one per device and epoch, for ever, so nobody can show another `W` in its name (attack E5).
//! 2. When the membership changes, the operator *advances* the epoch; keys of earlier epochs are
//!    valid no more.
//! 3. The operator *anchors* roots of Merkle batches of blinded commitments. Content and blinds
//!    stay in the vault; a root tells nothing about them (attack E2).
//!
//! | part | rule |
//! |---|---|
//! | call | R-1 signed by the operator |
//! | enrol | R-2 in the current epoch; R-3 not enrolled in it yet; R-4 a certificate of 1 to 64 bytes |
//! | advance | R-5 to the next epoch |
//! | anchor | R-6 1 to 64 roots; one that is anchored keeps its time, so that anchoring can be repeated |

use crate::encoding::{Digests, Opaque, operations, record};
use cairn_ledger::{
    Access, Action, Address, LocalKey, PublicKey, Record, Refusal, StateKey, Transaction,
    contract::{Call, Contract, deployment, parameters_key},
    hash,
};
use commonware_codec::{Copying, DecodeExt as _, Encode as _};

/// The contract's name.
pub const NAME: &str = "records";

/// The contract's version.
pub const VERSION: u16 = 1;

/// The most roots of a call: a minute of batches.
pub const MAX_ROOTS: usize = 64;

/// The most bytes of a certificate: 53 under `Sm2`.
pub const MAX_CERTIFICATE_BYTES: usize = 64;

/// `W ‖ attrs` of a device's key.
pub type Certificate = Opaque<MAX_CERTIFICATE_BYTES>;

/// Roots of batches.
pub type Roots = Digests<MAX_ROOTS>;

record!(
    /// What contract `records` is deployed with.
    Parameters {
        /// Who enrols devices and anchors roots: the organisation's edge.
        operator: PublicKey,
        /// The privacy grade of all records of this chain: one grade per chain, as in paper 002.
        grade: u8,
    }
);

record!(
    /// When a root came on the chain.
    Anchored {
        /// Block time, in milliseconds.
        at_ms: u64,
    }
);

record!(
    /// The current epoch of keys, from 1.
    Epoch {
        /// Its number.
        epoch: u16,
    }
);

operations!(
    /// What the contract is called with.
    Operation {
        /// A device's key of the current epoch.
        0 Enrol {
            /// The device.
            device: [u8; 32],
            /// The epoch.
            epoch: u16,
            /// `W ‖ attrs`.
            certificate: Certificate,
        }
        /// Keys of earlier epochs end.
        1 Advance {
            /// The next epoch.
            epoch: u16,
        }
        /// Batches are in the vault.
        2 Anchor {
            /// Their roots.
            roots: Roots,
        }
    }
);

fn epoch_local() -> LocalKey {
    LocalKey::new(b'e', &[]).expect("1 byte fits")
}

fn device_local(device: &[u8; 32], epoch: u16) -> LocalKey {
    // Device and epoch together fit; hashed all the same, as the chain is public to its members.
    let digest = hash(b"cairn/1/records/device", &[device, &epoch.to_be_bytes()]);
    LocalKey::new(b'd', &digest).expect("33 bytes fit")
}

fn root_local(root: &[u8; 32]) -> LocalKey {
    LocalKey::new(b'r', root).expect("33 bytes fit")
}

/// The state key of the current [`Epoch`]; absent in the first.
pub fn epoch_key(contract: &Address) -> StateKey {
    StateKey::new(contract, epoch_local().as_bytes())
}

/// The state key of a device's certificate in an epoch.
pub fn device_key(contract: &Address, device: &[u8; 32], epoch: u16) -> StateKey {
    StateKey::new(contract, device_local(device, epoch).as_bytes())
}

/// The state key of a root's [`Anchored`].
pub fn root_key(contract: &Address, root: &[u8; 32]) -> StateKey {
    StateKey::new(contract, root_local(root).as_bytes())
}

/// A transaction that deploys `records`.
pub fn deploy(
    nonce: u64,
    expires_ms: u64,
    deployer: &PublicKey,
    parameters: &Parameters,
) -> Transaction {
    let code = (NAME, VERSION);
    deployment(nonce, expires_ms, deployer, code, parameters.encode())
}

/// A transaction that calls the instance at `contract`, to be signed by the operator.
pub fn call(nonce: u64, expires_ms: u64, contract: Address, operation: &Operation) -> Transaction {
    let mut keys = vec![parameters_key()];
    match operation {
        Operation::Enrol { device, epoch, .. } => {
            keys.extend([epoch_local(), device_local(device, *epoch)]);
        }
        Operation::Advance { .. } => keys.push(epoch_local()),
        Operation::Anchor { roots } => keys.extend(roots.as_slice().iter().map(root_local)),
    }
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
pub struct Records;

impl Contract for Records {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u16 {
        VERSION
    }

    fn interface(&self) -> &'static str {
        include_str!("records.schema.json")
    }

    fn deploy(&self, call: &mut Call<'_>, parameters: &[u8]) -> Result<(), Refusal> {
        call.keep_parameters::<Parameters>(parameters)
    }

    fn call(&self, call: &mut Call<'_>, payload: &[u8]) -> Result<(), Refusal> {
        let operation = Operation::decode(Copying(payload));
        let operation = operation.map_err(|_| Refusal::MalformedPayload)?;
        let parameters: Parameters = call.parameters()?;
        //
        if !call.signers.contains(&&parameters.operator) {
            return Err(Refusal::MissingOperatorSignature);
        }
        match operation {
            Operation::Enrol {
                device,
                epoch,
                certificate,
            } => enrol(call, &device, epoch, certificate.bytes()),
            Operation::Advance { epoch } => {
                //
                if current(call)?.checked_add(1) != Some(epoch) {
                    return Err(Refusal::VersionOrder);
                }
                call.set(&epoch_local(), Some(Record::of(&Epoch { epoch })))
            }
            Operation::Anchor { roots } => {
                let at_ms = call.time_ms;
                for root in roots.as_slice() {
                    let key = root_local(root);
                    //
                    if call.own::<Anchored>(&key)?.is_none() {
                        call.set(&key, Some(Record::of(&Anchored { at_ms })))?;
                    }
                }
                Ok(())
            }
        }
    }
}

fn current(call: &Call<'_>) -> Result<u16, Refusal> {
    let epoch = call.own::<Epoch>(&epoch_local())?;
    Ok(epoch.map_or(1, |epoch| epoch.epoch))
}

///
fn enrol(
    call: &mut Call<'_>,
    device: &[u8; 32],
    epoch: u16,
    certificate: &[u8],
) -> Result<(), Refusal> {
    if current(call)? != epoch {
        return Err(Refusal::VersionOrder);
    }
    let key = device_local(device, epoch);
    if call.get(&call.address, &key)?.is_some() {
        return Err(Refusal::AlreadyRegistered);
    }
    let record = Record::new(certificate).filter(|_| !certificate.is_empty());
    call.set(&key, Some(record.ok_or(Refusal::MalformedPayload)?))
}
