//! Contract `directory`: which organisations there are, on the relay chain (PROTOCOLS.md section 9).
//!
//! An organisation is known by its operator's key, its chain with the network key under which that
//! chain's certificates verify, where its contract `records` is, the grades it offers, and the key of
//! its issuers (KGCs), under which the certificateless keys of its edges and devices are checked.
//!
//! | part | rule |
//! |---|---|
//! | register | O-1 signed by TA and LEA of the relay chain |
//! | register | O-2 signed by the organisation's operator |
//! | register | O-3 the first epoch is 1, each later one the next; an old epoch's keys verify no more |
//! | register | O-4 the chain shows a certificate of a final block under this id and network key |

use crate::{
    encoding::{newtype, operations, record},
    foreign::{self, ForeignProof},
};
use cairn_ledger::{
    Access, Action, Address, ChainId, LocalKey, PublicKey, Record, Refusal, StateKey, Transaction,
    contract::{Call, Contract, deployment, parameters_key},
    genesis::NetworkKey,
};
use commonware_codec::{Copying, DecodeExt as _, Encode as _, Read};

/// The contract's name.
pub const NAME: &str = "directory";

/// The contract's version.
pub const VERSION: u16 = 1;

/// Names an organisation, 2 bytes; unique on the relay chain. The `group` of its keys' attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrgId(pub u16);

newtype!(OrgId(u16));

impl core::fmt::Display for OrgId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "organisation {}", self.0)
    }
}

record!(
    /// What contract `directory` is deployed with.
    Parameters {
        /// Organisations have numbers below this.
        limit: u16,
    }
);

record!(
    /// An organisation, without the two long keys.
    Entry {
        /// Number of this entry, from 1.
        epoch: u32,
        /// Signs for the organisation on the relay chain.
        operator: PublicKey,
        /// Its chain.
        chain: ChainId,
        /// Its contract `records` on that chain.
        records: Address,
        /// Grades that it offers: bit g for grade g.
        grades: u8,
    }
);

record!(
    /// The network key of its chain.
    Network {
        /// BLS12-381, 96 bytes.
        key: NetworkKey,
    }
);

record!(
    /// The key of its issuers.
    Issuers {
        /// Number of the suite.
        suite: u8,
        /// The encoded element, zeros behind it when the suite's is shorter.
        key: [u8; 33],
    }
);

operations!(
    /// What the contract is called with.
    Operation {
        /// Registers an organisation, or takes it to its next epoch.
        0 Register {
            /// Its number.
            organisation: OrgId,
            /// What it is.
            entry: Entry,
            /// Its chain's key.
            network: Network,
            /// Its issuers' key.
            issuers: Issuers,
            /// A certificate of its chain; entries may be empty.
            proof: ForeignProof,
        }
    }
);

/// The directory's own names of an organisation's records: entry, network key, issuers.
pub(crate) fn locals(organisation: OrgId) -> [LocalKey; 3] {
    let id = organisation.0.to_be_bytes();
    [b'e', b'n', b'i'].map(|tag| LocalKey::new(tag, &id).expect("3 bytes fit"))
}

/// The state keys of an organisation's [`Entry`], [`Network`] and [`Issuers`].
pub fn keys(contract: &Address, organisation: OrgId) -> [StateKey; 3] {
    locals(organisation).map(|local| StateKey::new(contract, local.as_bytes()))
}

/// An organisation's entry, read by another contract of the same chain.
pub(crate) fn entry(
    call: &Call<'_>,
    directory: &Address,
    organisation: OrgId,
) -> Result<Entry, Refusal> {
    read(call, directory, &locals(organisation)[0])
}

/// An organisation's network key, read by another contract of the same chain.
pub(crate) fn network(
    call: &Call<'_>,
    directory: &Address,
    organisation: OrgId,
) -> Result<NetworkKey, Refusal> {
    let network: Network = read(call, directory, &locals(organisation)[1])?;
    Ok(network.key)
}

fn read<T: Read<Cfg = ()>>(
    call: &Call<'_>,
    directory: &Address,
    key: &LocalKey,
) -> Result<T, Refusal> {
    let record = call.get(directory, key)?.ok_or(Refusal::NotRegistered)?;
    record.decode_as().map_err(|_| Refusal::WrongAddress)
}

/// A transaction that deploys `directory`.
pub fn deploy(
    nonce: u64,
    expires_ms: u64,
    deployer: &PublicKey,
    parameters: &Parameters,
) -> Transaction {
    let code = (NAME, VERSION);
    deployment(nonce, expires_ms, deployer, code, parameters.encode())
}

/// A transaction that calls the instance at `contract`, to be signed by TA, LEA and the operator.
pub fn call(nonce: u64, expires_ms: u64, contract: Address, operation: &Operation) -> Transaction {
    let Operation::Register { organisation, .. } = operation;
    let mut keys = vec![parameters_key()];
    keys.extend(locals(*organisation));
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
pub struct Directory;

impl Contract for Directory {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u16 {
        VERSION
    }

    fn interface(&self) -> &'static str {
        include_str!("directory.schema.json")
    }

    fn deploy(&self, call: &mut Call<'_>, parameters: &[u8]) -> Result<(), Refusal> {
        call.keep_parameters::<Parameters>(parameters)
    }

    fn call(&self, call: &mut Call<'_>, payload: &[u8]) -> Result<(), Refusal> {
        let operation = Operation::decode(Copying(payload));
        let operation = operation.map_err(|_| Refusal::MalformedPayload)?;
        let parameters: Parameters = call.parameters()?;
        // O-1.
        call.require_authorities()?;
        let Operation::Register {
            organisation,
            entry,
            network,
            issuers,
            proof,
        } = operation;
        if organisation.0 >= parameters.limit {
            return Err(Refusal::OutOfBounds);
        }
        // O-2.
        if !call.signers.contains(&&entry.operator) {
            return Err(Refusal::MissingOrganisationSignature);
        }
        let keys = locals(organisation);
        // O-3.
        let before = call.own::<Entry>(&keys[0])?.map_or(0, |entry| entry.epoch);
        if before.checked_add(1) != Some(entry.epoch) {
            return Err(Refusal::VersionOrder);
        }
        // O-4.
        foreign::verify(&entry.chain, network.key, &proof)?;
        call.set(&keys[0], Some(Record::of(&entry)))?;
        call.set(&keys[1], Some(Record::of(&network)))?;
        call.set(&keys[2], Some(Record::of(&issuers)))
    }
}
