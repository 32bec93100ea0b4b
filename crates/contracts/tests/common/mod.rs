//! A ledger in memory for tests of contracts.
#![allow(dead_code, reason = "each test file uses its part of this module")]

use cairn_contracts::keys::{self, Operation, VehicleRecord};
use cairn_ledger::{
    Address, Genesis, PrivateKey, Record, Refusal, SignedTransaction, StateKey, Transaction, Uid,
    execute::{Change, Layout, execute},
};
use commonware_cryptography::{
    Signer as _,
    bls12381::{
        dkg,
        primitives::{sharing::Mode, variant::MinSig},
    },
};
use commonware_math::algebra::Random as _;
use commonware_utils::{N3f1, NZU32, ordered::Set};
use rand::{SeedableRng, rngs::StdRng};
use std::collections::HashMap;

pub const NOW: u64 = 1_800_000_000_000;
pub const HOUR: u64 = 3_600_000;
pub const YEAR: u64 = 365 * 24 * HOUR;

/// A ledger in memory, with the keys of everybody who signs.
pub struct World {
    pub genesis: Genesis,
    pub ta: PrivateKey,
    pub lea: PrivateKey,
    pub stranger: PrivateKey,
    pub state: HashMap<StateKey, Record>,
    pub contract: Address,
    pub nonce: u64,
}

impl World {
    /// A ledger on which TA has deployed `keys`.
    pub fn new() -> Self {
        let mut rng = StdRng::seed_from_u64(7);
        let mut key = || PrivateKey::random(&mut rng);
        let (ta, lea, stranger) = (key(), key(), key());
        let validators: Vec<_> = (0..4).map(|_| key().public_key()).collect();
        let (sharing, _) = dkg::feldman_desmedt::deal_anonymous::<MinSig, N3f1>(
            &mut rng,
            Mode::NonZeroCounter,
            NZU32!(4),
        );
        let genesis = Genesis {
            name: "test road".into(),
            validators: Set::try_from(validators).unwrap(),
            sharing,
            ta: ta.public_key(),
            lea: lea.public_key(),
            time_ms: NOW - HOUR,
        };
        let mut world = Self {
            contract: Address::of_instance(&ta.public_key(), 1),
            genesis,
            ta,
            lea,
            stranger,
            state: HashMap::new(),
            nonce: 1,
        };
        let deploy = keys::deploy(1, NOW, &world.ta.public_key(), YEAR);
        let deploy = deploy.sign(&world.genesis.chain_id(), &[&world.ta]);
        assert_eq!(world.run(&deploy), Ok(()));
        world
    }

    pub fn run(&mut self, signed: &SignedTransaction) -> Result<(), Refusal> {
        self.run_at(NOW, core::slice::from_ref(signed))[0]
    }

    pub fn run_at(
        &mut self,
        time_ms: u64,
        block: &[SignedTransaction],
    ) -> Vec<Result<(), Refusal>> {
        let layout = Layout::of(block);
        let records = layout.keys().iter().map(|key| self.state.get(key).cloned());
        let outcome = execute(
            &self.genesis,
            cairn_contracts::CODE,
            time_ms,
            &layout,
            records.collect(),
        );
        for (key, change) in layout.keys().iter().zip(outcome.changes) {
            match change {
                Change::Keep => None,
                Change::Put(record) => self.state.insert(*key, record),
                Change::Delete => self.state.remove(key),
            };
        }
        outcome
            .receipts
            .iter()
            .map(|receipt| receipt.result)
            .collect()
    }

    pub fn call(&mut self, operations: &[Operation]) -> Transaction {
        self.nonce += 1;
        keys::call(self.nonce, NOW, self.contract, operations)
    }

    pub fn sign(&self, transaction: Transaction) -> SignedTransaction {
        transaction.sign(&self.genesis.chain_id(), &[&self.ta, &self.lea])
    }

    pub fn apply(&mut self, operations: &[Operation]) -> Result<(), Refusal> {
        let call = self.call(operations);
        let signed = self.sign(call);
        self.run(&signed)
    }

    pub fn vehicle(&self, uid: Uid) -> Option<VehicleRecord> {
        let record = self.state.get(&keys::vehicle_key(&self.contract, &uid))?;
        Some(record.decode_as().unwrap())
    }
}
