//! The ledger's state transition in memory: contracts as every validator executes them, without
//! consensus, disk and network.

use std::collections::HashMap;

use cairn_chain::InsecureDealing;
use cairn_contracts::{
    keys::{self, Operation, RsuRecord, VehicleRecord},
    tokens::{self, Batch, Parameters},
};
use cairn_ledger::{
    Address, Genesis, Position, PrivateKey, Record, Rid, SignedTransaction, StateKey, Uid,
    execute::{Change, Layout, execute},
};
use cairn_protocol::token::{MAX_HANDOVERS, MAX_LIFE_MS};
use commonware_cryptography::Signer as _;
use commonware_math::algebra::Random as _;
use commonware_utils::ordered::Set;
use rand::rngs::StdRng;

/// Time of the first block, milliseconds since 1970.
pub const START_MS: u64 = 1_700_000_000_000;

const YEAR_MS: u64 = 365 * 24 * 3_600_000;

/// The records of a chain, and the rules by which transactions change them.
pub struct State {
    genesis: Genesis,
    records: HashMap<StateKey, Record>,
    time_ms: u64,
}

impl State {
    /// The state before the first block.
    pub fn new(genesis: Genesis) -> Self {
        Self {
            time_ms: genesis.time_ms + 1,
            records: HashMap::new(),
            genesis,
        }
    }

    /// Executes a block of one transaction, which has to succeed: everybody here is honest but
    /// those whose attempts are made elsewhere.
    pub fn run(&mut self, signed: &SignedTransaction) {
        let block = core::slice::from_ref(signed);
        let layout = Layout::of(block);
        let fetched = layout.keys().iter();
        let fetched = fetched.map(|key| self.records.get(key).cloned()).collect();
        let code = cairn_contracts::CODE;
        let outcome = execute(&self.genesis, code, self.time_ms, &layout, fetched);
        outcome.receipts[0].result.expect("an honest transaction");
        for (key, change) in layout.keys().iter().zip(outcome.changes) {
            match change {
                Change::Keep => None,
                Change::Put(record) => self.records.insert(*key, record),
                Change::Delete => self.records.remove(key),
            };
        }
    }
}

/// A ledger with contracts `keys` and `tokens`, and the keys of TA and LEA.
pub struct Ledger {
    state: State,
    ta: PrivateKey,
    lea: PrivateKey,
    nonce: u64,
}

impl Ledger {
    /// A ledger of four validators, whose certificates nobody needs here.
    pub fn new(rng: &mut StdRng) -> Self {
        let mut key = || PrivateKey::random(&mut *rng);
        let (ta, lea) = (key(), key());
        let validators = Set::from_iter_dedup((0..4).map(|_| key().public_key()));
        let genesis = Genesis {
            name: "benchmark".into(),
            sharing: InsecureDealing::deal(&validators, rng).sharing,
            validators,
            ta: ta.public_key(),
            lea: lea.public_key(),
            time_ms: START_MS - 1,
        };
        let mut ledger = Self {
            state: State::new(genesis),
            ta,
            lea,
            nonce: 2,
        };
        let deployer = ledger.ta.public_key();
        let parameters = Parameters {
            keys: ledger.keys(),
            max_life_ms: MAX_LIFE_MS,
            max_hops: MAX_HANDOVERS,
        };
        let expires = ledger.expires_ms();
        for deploy in [
            keys::deploy(1, expires, &deployer, YEAR_MS),
            tokens::deploy(2, expires, &deployer, &parameters),
        ] {
            let signed = deploy.sign(&ledger.genesis().chain_id(), &[&ledger.ta]);
            ledger.state.run(&signed);
        }
        ledger
    }

    /// The chain's genesis.
    pub const fn genesis(&self) -> &Genesis {
        &self.state.genesis
    }

    /// Contract `keys`.
    pub fn keys(&self) -> Address {
        Address::of_instance(&self.ta.public_key(), 1)
    }

    /// Contract `tokens`.
    pub fn tokens(&self) -> Address {
        Address::of_instance(&self.ta.public_key(), 2)
    }

    /// The record under `key`.
    pub fn record(&self, key: &StateKey) -> Option<&Record> {
        self.state.records.get(key)
    }

    /// Registers an RSU at the origin, with both authorities' signatures.
    pub fn register_rsu(&mut self, rid: Rid, signer: &PrivateKey) -> RsuRecord {
        let record = RsuRecord {
            key: signer.public_key(),
            position: Position { x_cm: 0, y_cm: 0 },
            valid_from_ms: self.state.time_ms,
            valid_until_ms: self.state.time_ms + YEAR_MS,
            revoked_ms: None,
        };
        self.authorities_call(&[Operation::RegisterRsu(rid, record.clone())]);
        record
    }

    /// Registers vehicles under one key, with both authorities' signatures; at most
    /// [`keys::MAX_OPERATIONS`] of them.
    pub fn register_vehicles(&mut self, uids: &[Uid], key: [u8; 32]) {
        let record = VehicleRecord {
            key,
            valid_from_ms: self.state.time_ms,
            valid_until_ms: self.state.time_ms + YEAR_MS,
            revoked_ms: None,
        };
        let register = |uid: &Uid| Operation::RegisterVehicle(*uid, record);
        let operations: Vec<_> = uids.iter().map(register).collect();
        self.authorities_call(&operations);
    }

    /// Executes what an RSU recorded of one interval.
    pub fn record_batch(&mut self, rid: Rid, signer: &PrivateKey, batch: Batch) {
        self.nonce += 1;
        let (tokens, keys) = (self.tokens(), self.keys());
        let call = tokens::call(self.nonce, self.expires_ms(), tokens, keys, rid, batch);
        let signed = call.sign(&self.genesis().chain_id(), &[signer]);
        self.state.run(&signed);
    }

    fn authorities_call(&mut self, operations: &[Operation]) {
        self.nonce += 1;
        let call = keys::call(self.nonce, self.expires_ms(), self.keys(), operations);
        let signed = call.sign(&self.genesis().chain_id(), &[&self.ta, &self.lea]);
        self.state.run(&signed);
    }

    const fn expires_ms(&self) -> u64 {
        self.state.time_ms + 60_000
    }
}
