//! One of several chains in this process.

use crate::{
    clock::TraceClock,
    deployments,
    embedded::{EmbeddedError, constitution, signing_key, start_validators, stop_validators},
    home::Home,
    ledger::Ledger,
};
use cairn_chain::{ReadError, network::TcpValidator};
use cairn_ledger::{Address, ChainId, PrivateKey, PublicKey, SignedTransaction, Transaction};
use commonware_cryptography::Signer as _;
use commonware_runtime::{Supervisor as _, tokio::Context};
use rand::rngs::StdRng;
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// How long a transaction may wait for a block, in milliseconds.
const PATIENCE_MS: u64 = 60_000;

/// Somebody who sends transactions, with the next nonce. Clones share it.
#[derive(Clone)]
pub struct Sender {
    key: PrivateKey,
    clock: TraceClock,
    last: Arc<AtomicU64>,
}

impl Sender {
    /// Sends as `key`.
    #[must_use]
    pub fn new(key: PrivateKey, clock: TraceClock) -> Self {
        Self {
            key,
            clock,
            last: Arc::default(),
        }
    }

    /// The clock that it reads.
    #[must_use]
    pub fn clock(&self) -> TraceClock {
        self.clock.clone()
    }

    /// The sender's key.
    #[must_use]
    pub fn key(&self) -> &PrivateKey {
        &self.key
    }

    /// Its public part.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.key.public_key()
    }

    /// Signs what `build` makes of a fresh nonce and an expiry, together with `others`.
    pub fn sign(
        &self,
        chain: &ChainId,
        others: &[&PrivateKey],
        build: impl FnOnce(u64, u64) -> Transaction,
    ) -> SignedTransaction {
        let now_ms = self.clock.now_ms();
        // Later than any nonce of an earlier run.
        let first = now_ms.saturating_mul(1_000);
        let previous = self.last.fetch_max(first, Relaxed);
        let nonce = match previous < first {
            true => first,
            false => self.last.fetch_add(1, Relaxed) + 1,
        };
        let signers: Vec<_> = [&self.key]
            .into_iter()
            .chain(others.iter().copied())
            .collect();
        build(nonce, now_ms + PATIENCE_MS).sign(chain, &signers)
    }
}

/// A chain whose validators all run in this process.
pub struct LocalChain {
    /// Access to it, through the first validator.
    pub ledger: Ledger<Context>,
    /// Deploys contracts.
    pub ta: Sender,
    /// Countersigns.
    pub lea: PrivateKey,
    validators: Vec<TcpValidator>,
}

impl LocalChain {
    /// Brings up the chain called `name`, whose keys are in `directory`, with `count` validators.
    ///
    /// # Errors
    ///
    /// [`EmbeddedError`].
    pub async fn start(
        context: &Context,
        directory: &Path,
        name: &'static str,
        count: usize,
        clock: &TraceClock,
        rng: &mut StdRng,
    ) -> Result<Self, EmbeddedError> {
        let home = Home::open(directory)?;
        let ta = signing_key(&home, "ta", rng)?;
        let lea = signing_key(&home, "lea", rng)?;
        let (genesis, keys) = constitution(&home, name, count, [&ta, &lea], clock.now_ms(), rng)?;
        let context = context.child("chain").with_attribute("chain", name);
        let validators = start_validators(&context, name, &genesis, keys, clock).await?;
        Ok(Self {
            ledger: Ledger::observe(&context, validators[0].0.chain().clone()),
            ta: Sender::new(ta, clock.clone()),
            lea,
            validators,
        })
    }

    /// The chain's id.
    #[must_use]
    pub fn id(&self) -> ChainId {
        self.ledger.chain().id()
    }

    /// Number of validators.
    #[must_use]
    pub fn validators(&self) -> usize {
        self.validators.len()
    }

    /// Deploys contracts of [`crate::deployments`], which `build` makes for TA's key; returns their addresses.
    ///
    /// # Errors
    ///
    /// [`ReadError`], when the validator stops.
    pub async fn deploy(
        &self,
        build: impl FnOnce(&PublicKey, u64) -> Vec<Transaction>,
    ) -> Result<Vec<Address>, ReadError> {
        let expires_ms = self.ta.clock().now_ms() + PATIENCE_MS;
        let deployments: Vec<_> = build(&self.ta.public_key(), expires_ms)
            .into_iter()
            .map(|transaction| transaction.sign(&self.id(), &[self.ta.key()]))
            .collect();
        deployments::ensure(self.ledger.chain(), &deployments).await?;
        let all = deployments.iter().filter_map(deployments::deployed);
        Ok(all.map(|(_, address)| address).collect())
    }

    /// Stops all validators.
    pub async fn stop(self) {
        stop_validators(self.validators).await;
    }
}
