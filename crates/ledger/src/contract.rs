//! Contracts: what a chain can compute.
//!
//! Code is compiled into the nodes under a name and a version. An authority's deploy transaction
//! creates an instance of it at an address of its own ([`Address::of_instance`]); calls name that
//! address. A contract sees bytes and records only, so that other engines can stand behind the
//! same trait.

use crate::{
    Access, Action, Address, Genesis, LocalKey, PublicKey, Record, Refusal, Transaction,
    overlay::{Overlay, Scope},
};
use bytes::Bytes;
use commonware_codec::{Copying, Decode as _, Encode, FixedSize, Read};

/// The code of a contract.
pub trait Contract: Sync {
    /// The name under which it is deployed.
    fn name(&self) -> &'static str;

    /// Its version.
    fn version(&self) -> u16;

    /// What it can be called with: a JSON schema, for tools and people.
    fn interface(&self) -> &'static str;

    /// Checks `parameters` and sets up a new instance.
    fn deploy(&self, call: &mut Call<'_>, parameters: &[u8]) -> Result<(), Refusal>;

    /// Executes one call of an instance.
    fn call(&self, call: &mut Call<'_>, payload: &[u8]) -> Result<(), Refusal>;
}

/// The code that a node can run. All validators of a chain need the same, or they end at different
/// states and refuse each other's blocks.
pub type Code = &'static [&'static dyn Contract];

/// The code of this name and version.
pub(crate) fn find(code: Code, name: &[u8], version: u16) -> Option<&'static dyn Contract> {
    code.iter()
        .copied()
        .find(|code| code.name().as_bytes() == name && code.version() == version)
}

/// Where every contract keeps what its instance was deployed with.
const TAG_PARAMETERS: u8 = b'p';

/// The record that holds what an instance was deployed with.
pub fn parameters_key() -> LocalKey {
    LocalKey::new(TAG_PARAMETERS, &[]).expect("1 byte fits")
}

/// A transaction that deploys the code of this name and version. The instance's address is
/// [`Address::of_instance`] of the deployer and `nonce`.
pub fn deployment(
    nonce: u64,
    expires_ms: u64,
    deployer: &PublicKey,
    (name, version): (&'static str, u16),
    parameters: Bytes,
) -> Transaction {
    Transaction {
        nonce,
        expires_ms,
        access: vec![Access {
            contract: Address::of_instance(deployer, nonce),
            keys: vec![parameters_key()],
        }],
        action: Action::Deploy {
            name: Bytes::from_static(name.as_bytes()),
            version,
            parameters,
        },
    }
}

/// What a contract knows while it runs.
pub struct Call<'a> {
    /// The chain's constitution.
    pub genesis: &'a Genesis,
    /// The instance that runs.
    pub address: Address,
    /// Block time, milliseconds since 1970.
    pub time_ms: u64,
    /// Everybody who signed the transaction, the sender first.
    pub signers: Vec<&'a PublicKey>,
    pub(crate) scope: &'a Scope<'a>,
    pub(crate) overlay: &'a mut Overlay,
}

impl Call<'_> {
    /// Reads a record of the contract at `address`.
    pub fn get(&self, address: &Address, key: &LocalKey) -> Result<Option<&Record>, Refusal> {
        Ok(self.overlay.get(self.scope.slot(address, key)?))
    }

    /// Reads a record that only the running contract writes.
    ///
    /// # Panics
    ///
    /// Panics if the record is no `T`: then the contract's own code wrote something else before.
    pub fn own<T: Read<Cfg = ()>>(&self, key: &LocalKey) -> Result<Option<T>, Refusal> {
        let record = self.get(&self.address, key)?;
        Ok(record.map(|record| {
            record
                .decode_as()
                .expect("the contract wrote this record itself")
        }))
    }

    /// What the running instance was deployed with.
    pub fn parameters<T: Read<Cfg = ()>>(&self) -> Result<T, Refusal> {
        self.own(&parameters_key())?.ok_or(Refusal::WrongAddress)
    }

    /// Keeps what the instance is deployed with, if it is a `T`.
    pub fn keep_parameters<T>(&mut self, parameters: &[u8]) -> Result<(), Refusal>
    where
        T: FixedSize + Encode + Read<Cfg = ()>,
    {
        let parameters = T::decode_cfg(Copying(parameters), &());
        let parameters = parameters.map_err(|_| Refusal::MalformedPayload)?;
        self.set(&parameters_key(), Some(Record::of(&parameters)))
    }

    /// Writes (or with `None` deletes) a record of the running contract.
    pub fn set(&mut self, key: &LocalKey, record: Option<Record>) -> Result<(), Refusal> {
        let slot = self.scope.slot(&self.address, key)?;
        self.overlay.set(slot, record);
        Ok(())
    }

    /// Refuses the call unless TA and LEA both signed.
    pub fn require_authorities(&self) -> Result<(), Refusal> {
        if !self.signers.contains(&&self.genesis.ta) {
            return Err(Refusal::MissingTaSignature);
        }
        if !self.signers.contains(&&self.genesis.lea) {
            return Err(Refusal::MissingLeaSignature);
        }
        Ok(())
    }
}
