//! A network of validators for tests, in the deterministic runtime or on tokio.
#![allow(dead_code, reason = "each test file uses its part of this module")]

use bytes::Bytes;
use cairn_chain::{
    Chain, Config, Finalized, InsecureDealing, Runtime, Validator, limits::SMALL_CACHE_MIB,
    runtime_clock, simulated::SimulatedNetwork,
};
use cairn_contracts::keys::{self, Operation, RsuRecord};
use cairn_ledger::{
    Address, Genesis, Position, PrivateKey, PublicKey, Receipt, Refusal, Rid, SignedTransaction,
    StateKey,
};
use commonware_cryptography::{Hasher as _, Sha256, Signer as _, sha256::Digest};
use commonware_p2p::simulated::Link;
use commonware_runtime::{Clock as _, Supervisor as _, deterministic::Context};
use commonware_utils::{Probability, channel::ring, ordered::Set, probability};
use futures::StreamExt as _;
use rand::{SeedableRng as _, rngs::StdRng};
use std::{collections::BTreeMap, time::Duration};

/// Far away for tests that start in 1970.
pub const LATER_MS: u64 = 3_600_000;

/// Keys of everybody in the test.
pub struct Cast {
    pub identities: Vec<PrivateKey>,
    pub ta: PrivateKey,
    pub lea: PrivateKey,
    pub genesis: Genesis,
    dealing: InsecureDealing,
}

impl Cast {
    pub fn new(validators: u64, name: &'static str, time_ms: u64) -> Self {
        let mut identities: Vec<_> = (0..validators).map(PrivateKey::from_seed).collect();
        identities.sort_by_key(|identity| identity.public_key());
        let keys: Vec<_> = identities
            .iter()
            .map(|identity| identity.public_key())
            .collect();
        let keys = Set::from_iter_dedup(keys);
        let dealing = InsecureDealing::deal(&keys, &mut StdRng::seed_from_u64(7));
        let ta = PrivateKey::from_seed(1_000);
        let lea = PrivateKey::from_seed(1_001);
        let genesis = Genesis {
            name: Bytes::from_static(name.as_bytes()),
            validators: keys,
            sharing: dealing.sharing.clone(),
            ta: ta.public_key(),
            lea: lea.public_key(),
            time_ms,
        };
        Self {
            identities,
            ta,
            lea,
            genesis,
            dealing,
        }
    }

    pub fn config(&self, index: usize, partition: String) -> Config {
        let identity = self.identities[index].clone();
        let share = self.dealing.shares.get_value(&identity.public_key());
        Config {
            genesis: self.genesis.clone(),
            code: cairn_contracts::CODE,
            share: share.expect("every validator has a share").clone(),
            identity,
            partition,
            cache_mib: SMALL_CACHE_MIB,
        }
    }

    /// Where the contract lives that [`Cast::deploy`] creates.
    pub fn contract(&self) -> Address {
        Address::of_instance(&self.ta.public_key(), 1)
    }

    pub fn deploy(&self, expires_ms: u64) -> SignedTransaction {
        let ta = self.ta.public_key();
        keys::deploy(1, expires_ms, &ta, 10 * expires_ms)
            .sign(&self.genesis.chain_id(), &[&self.ta, &self.lea])
    }

    /// Registers one RSU; `nonce` starts at 2.
    pub fn register(&self, nonce: u64, rid: u32, expires_ms: u64) -> SignedTransaction {
        self.register_as(&[&self.ta, &self.lea], nonce, rid, expires_ms)
    }

    pub fn register_as(
        &self,
        signers: &[&PrivateKey],
        nonce: u64,
        rid: u32,
        expires_ms: u64,
    ) -> SignedTransaction {
        let record = RsuRecord {
            key: PrivateKey::from_seed(u64::from(rid)).public_key(),
            position: Position { x_cm: 1, y_cm: 2 },
            valid_from_ms: 0,
            valid_until_ms: expires_ms + LATER_MS,
            revoked_ms: None,
        };
        let operations = [Operation::RegisterRsu(Rid(rid), record)];
        keys::call(nonce, expires_ms, self.contract(), &operations)
            .sign(&self.genesis.chain_id(), signers)
    }

    pub fn rsu_key(&self, rid: u32) -> StateKey {
        keys::rsu_key(&self.contract(), Rid(rid))
    }
}

/// Validators in a simulation.
pub struct Fleet {
    pub cast: Cast,
    pub network: SimulatedNetwork<Context>,
    pub link: Link,
    pub validators: BTreeMap<usize, Validator<Context>>,
    context: Context,
    starts: usize,
}

pub fn good_link() -> Link {
    link(probability!(1.0))
}

pub fn link(success_rate: Probability) -> Link {
    Link {
        latency: Duration::from_millis(10),
        jitter: Duration::from_millis(2),
        success_rate,
    }
}

impl Fleet {
    pub async fn start(context: Context, cast: Cast, link: Link) -> Self {
        let mut fleet = Self::offline(context, cast, link).await;
        for index in 0..fleet.cast.identities.len() {
            fleet.up(index).await;
        }
        fleet
    }

    /// The network without its validators.
    pub async fn offline(context: Context, cast: Cast, link: Link) -> Self {
        let keys = cast.genesis.validators.clone();
        let network = SimulatedNetwork::start(context.child("network"), keys, link.clone())
            .await
            .unwrap();
        Self {
            cast,
            network,
            link,
            validators: BTreeMap::new(),
            context,
            starts: 0,
        }
    }

    pub async fn up(&mut self, index: usize) {
        self.up_on(index, format!("validator-{index}")).await;
    }

    pub async fn up_on(&mut self, index: usize, partition: String) {
        let links = self.network.links(&self.key(index)).await.unwrap();
        let context = self
            .context
            .child("validator")
            .with_attribute("index", index)
            .with_attribute("start", self.starts);
        self.starts += 1;
        let config = self.cast.config(index, partition);
        let clock = runtime_clock(self.context.child("clock"));
        let validator = cairn_simulation::start_validator(context, config, links, clock)
            .await
            .unwrap();
        self.validators.insert(index, validator);
    }

    pub async fn down(&mut self, index: usize) {
        self.validators.remove(&index).unwrap().stop().await;
    }

    pub fn key(&self, index: usize) -> PublicKey {
        self.cast.identities[index].public_key()
    }

    pub fn chain(&self, index: usize) -> &Chain<Context> {
        self.validators[&index].chain()
    }

    /// Submits to validator `index` and waits until it has the receipt of the last transaction.
    pub async fn settle(
        &self,
        index: usize,
        transactions: Vec<SignedTransaction>,
    ) -> Vec<Result<(), Refusal>> {
        let ids: Vec<_> = transactions.iter().map(SignedTransaction::id).collect();
        let chain = self.chain(index);
        let mut blocks = chain.finalized();
        chain.submit(transactions).unwrap();
        loop {
            let receipts: Option<Vec<(u64, Receipt)>> =
                ids.iter().map(|id| chain.receipt(id)).collect();
            if let Some(receipts) = receipts {
                return receipts.iter().map(|(_, receipt)| receipt.result).collect();
            }
            blocks.next().await.expect("the validator runs");
        }
    }

    /// Waits until every running validator has applied `height`.
    pub async fn reach(&self, height: u64) {
        for validator in self.validators.values() {
            reach(validator.chain(), height).await;
        }
    }

    /// The highest block that any validator has applied.
    pub fn height(&self) -> u64 {
        let heights = self.validators.values();
        heights
            .map(|one| one.chain().status().height)
            .max()
            .unwrap()
    }

    pub async fn sleep(&self, duration: Duration) {
        self.context.sleep(duration).await;
    }
}

/// Waits until `chain` has applied `height`.
pub async fn reach<E: Runtime>(chain: &Chain<E>, height: u64) {
    let mut blocks = chain.finalized();
    while chain.status().height < height {
        blocks.next().await.expect("the validator runs");
    }
}

/// The next block, which a healthy chain always has.
pub async fn next(blocks: &mut ring::Receiver<Finalized>) -> Finalized {
    blocks.next().await.expect("the validator runs")
}

/// A hash over digests and receipts of blocks.
pub fn history(blocks: &[Finalized]) -> Digest {
    let mut hasher = Sha256::default();
    for block in blocks {
        hasher.update(&block.digest);
        hasher.update(format!("{:?}", block.receipts).as_bytes());
    }
    hasher.finalize().1
}
