//! Contracts: what a chain can compute.
//!
//! Code is compiled into the nodes under a name and a version. An authority's deploy transaction
//! creates an instance of it at an address of its own ([`Address::of_instance`]); calls name that
//! address. A contract sees bytes and records only, so that other engines can stand behind the
//! same trait.

pub mod files;
pub mod keys;
pub mod misbehaviour;
pub mod tokens;

use commonware_codec::Read;

use crate::{Address, Genesis, LocalKey, PublicKey, Record, Refusal, StateKey, execute::Overlay};

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

/// All code that is compiled into this node.
pub const CODE: &[&dyn Contract] = &[
    &keys::Keys,
    &tokens::Tokens,
    &files::Files,
    &misbehaviour::Misbehaviour,
];

/// The code of this name and version.
pub fn code(name: &[u8], version: u16) -> Option<&'static dyn Contract> {
    CODE.iter()
        .copied()
        .find(|code| code.name().as_bytes() == name && code.version() == version)
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
    pub(crate) overlay: &'a mut Overlay,
}

impl Call<'_> {
    /// Reads a record of the contract at `address`.
    pub fn get(&self, address: &Address, key: &LocalKey) -> Result<Option<&Record>, Refusal> {
        self.overlay.get(&StateKey::new(address, key.as_bytes()))
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

    /// Writes (or with `None` deletes) a record of the running contract.
    pub fn set(&mut self, key: &LocalKey, record: Option<Record>) -> Result<(), Refusal> {
        let key = StateKey::new(&self.address, key.as_bytes());
        self.overlay.set(key, record)
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
