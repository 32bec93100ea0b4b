//! The node's access to the road chain: submit and wait, read, prove, and measure.

use cairn_chain::{Chain, Finalized, ReadError, Runtime, SubmitError};
use cairn_ledger::{
    Receipt, Record, Refusal, SignedTransaction, StateKey, TxId, light::LedgerProof,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};
use thiserror::Error;
use tokio::sync::oneshot;
use tracing::{debug, warn};

/// Pause before a transaction that found the mempool full is handed in again.
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// Why a transaction did not come to a receipt that says "done".
#[derive(Debug, Error)]
pub enum LedgerError {
    /// It was not taken.
    #[error("ledger: {0}")]
    Submit(#[from] SubmitError),
    /// The ledger refused it.
    #[error("ledger refused transaction {0}: {1}")]
    Refused(TxId, Refusal),
    /// It cannot be read.
    #[error("ledger: {0}")]
    Read(#[from] ReadError),
    /// The validator stopped before there was a receipt.
    #[error("the ledger stopped before transaction {0} was final")]
    Stopped(TxId),
}

/// What was seen of the chain since the start.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Height of the last block.
    pub height: u64,
    /// Block time of the last block, milliseconds since 1970.
    pub time_ms: u64,
    /// Digest of the last block, which names the whole history up to it.
    pub history: String,
    /// Blocks.
    pub blocks: u64,
    /// Transactions in them.
    pub transactions: u64,
    /// Of those, refused.
    pub refused: u64,
    /// From handing in to final and executed, in milliseconds, for each own transaction.
    pub finality_ms: Vec<f64>,
}

/// A handle to the ledger. Clones share everything.
pub struct Ledger<E: Runtime> {
    shared: Arc<Shared<E>>,
}

struct Shared<E: Runtime> {
    context: Mutex<E>,
    chain: Chain<E>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: HashMap<TxId, Waiting>,
    observed: Observed,
}

struct Waiting {
    since: SystemTime,
    done: oneshot::Sender<Receipt>,
}

impl<E: Runtime> Clone for Ledger<E> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
        }
    }
}

impl<E: Runtime> Ledger<E> {
    /// A handle through `chain`, whose finalised blocks are observed from now on.
    pub fn observe(context: &E, chain: Chain<E>) -> Self {
        let mut finalized = chain.finalized();
        let ledger = Self {
            shared: Arc::new(Shared {
                context: Mutex::new(context.child("ledger")),
                chain,
                state: Mutex::default(),
            }),
        };
        let observer = ledger.clone();
        context.child("observer").spawn(move |context| async move {
            while let Some(block) = futures::StreamExt::next(&mut finalized).await {
                observer.take(&block, context.current());
            }
            // Dropping the senders tells who waits that there will be no receipt.
            observer.state().waiting.clear();
        });
        ledger
    }

    /// The chain behind this handle.
    pub fn chain(&self) -> &Chain<E> {
        &self.shared.chain
    }

    /// What was seen of the chain since the start.
    pub fn observed(&self) -> Observed {
        self.state().observed.clone()
    }

    /// Height of the last block seen.
    pub fn height(&self) -> u64 {
        self.state().observed.height
    }

    /// Block time of the last block seen, milliseconds since 1970.
    pub fn time_ms(&self) -> u64 {
        self.state().observed.time_ms
    }

    /// Hands in a transaction and waits until it is final and executed.
    pub async fn execute(&self, signed: SignedTransaction) -> Result<(), LedgerError> {
        let id = signed.id();
        let (done, receipt) = oneshot::channel();
        let since = self.context().current();
        self.state().waiting.insert(id, Waiting { since, done });
        loop {
            match self.shared.chain.submit(vec![signed.clone()]) {
                Ok(()) => break,
                Err(SubmitError::Busy { waiting }) => {
                    debug!(waiting, "mempool is full");
                    let pause = self.context().sleep(BUSY_PAUSE);
                    pause.await;
                }
                Err(error) => {
                    self.state().waiting.remove(&id);
                    return Err(error.into());
                }
            }
        }
        let receipt = receipt.await.map_err(|_| LedgerError::Stopped(id))?;
        receipt
            .result
            .map_err(|refusal| LedgerError::Refused(id, refusal))
    }

    /// The records under `keys` in the latest finalised state, in their order.
    pub async fn get(
        &self,
        keys: &[StateKey],
    ) -> Result<Vec<(StateKey, Option<Record>)>, ReadError> {
        let records = self.shared.chain.get(keys).await?;
        Ok(keys.iter().copied().zip(records).collect())
    }

    /// A proof of what the latest certified state says of `keys`.
    pub async fn prove(&self, keys: &[StateKey]) -> Result<LedgerProof, ReadError> {
        self.shared.chain.prove(keys).await
    }

    fn take(&self, block: &Finalized, now: SystemTime) {
        let mut state = self.state();
        let observed = &mut state.observed;
        if observed.height != 0 && block.height > observed.height + 1 {
            warn!(
                from = observed.height,
                to = block.height,
                "missed finalised blocks"
            );
        }
        observed.height = block.height;
        observed.time_ms = block.time_ms;
        observed.history = block.digest.to_string();
        observed.blocks += 1;
        observed.transactions += block.receipts.len() as u64;
        for receipt in block.receipts.iter() {
            state.observed.refused += u64::from(receipt.result.is_err());
            if let Some(waiting) = state.waiting.remove(&receipt.transaction) {
                let latency = now.duration_since(waiting.since).unwrap_or_default();
                state
                    .observed
                    .finality_ms
                    .push(latency.as_secs_f64() * 1000.0);
                // Who waited may have given up.
                let _ = waiting.done.send(*receipt);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn context(&self) -> MutexGuard<'_, E> {
        self.shared
            .context
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
