//! The handle to a running validator.

use crate::{
    book::{Book, Counters, Finalized},
    engine::Runtime,
    gossip::Batch,
    mempool::MAX_TRANSACTION_BYTES,
};
use cairn_ledger::{
    ChainId, Genesis, PublicKey, Receipt, Record, SignedTransaction, StateKey, TxId,
    light::LedgerProof, transaction::verify_signatures,
};
use commonware_codec::EncodeSize as _;
use commonware_parallel::Sequential;
use commonware_utils::channel::{mpsc, ring, watch};
use futures::future::BoxFuture;
use rand::{SeedableRng as _, rngs::StdRng};
use std::sync::{Arc, Mutex, PoisonError};
use thiserror::Error;

/// Reads the state of a validator that has recovered.
///
/// A trait object, so that the storage behind it is compiled in this crate only.
pub(crate) trait Reader: Send + Sync {
    /// See [`Chain::get`].
    fn get<'a>(
        &'a self,
        keys: &'a [StateKey],
    ) -> BoxFuture<'a, Result<Vec<Option<Record>>, ReadError>>;

    /// See [`Chain::prove`].
    fn prove<'a>(&'a self, keys: &'a [StateKey]) -> BoxFuture<'a, Result<LedgerProof, ReadError>>;
}

/// Why transactions were not taken. None of a batch is taken if one is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SubmitError {
    /// There is no room now; the sender should slow down and try again.
    #[error("busy: {waiting} transactions wait for a block; try again later")]
    Busy {
        /// How many transactions wait.
        waiting: usize,
    },
    /// A signature does not verify for this chain.
    #[error("transaction {0}: a signature is invalid for this chain")]
    Signature(TxId),
    /// The transaction expired before it was submitted.
    #[error("transaction {id}: expired at {expires_ms} ms, it is {now_ms} ms now")]
    Expired {
        /// The transaction.
        id: TxId,
        /// When it expired, milliseconds since 1970.
        expires_ms: u64,
        /// The validator's clock, milliseconds since 1970.
        now_ms: u64,
    },
    /// The transaction fits into no block.
    #[error("transaction {id}: {bytes} bytes, a block takes {MAX_TRANSACTION_BYTES}")]
    TooLarge {
        /// The transaction.
        id: TxId,
        /// Its size.
        bytes: usize,
    },
    /// The validator was stopped.
    #[error("the validator was stopped")]
    Stopped,
}

/// Why the chain could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    /// The validator was stopped.
    #[error("the validator was stopped")]
    Stopped,
    /// More keys than one proof shows.
    #[error("{0} keys asked for, a proof shows at most {max}", max = cairn_ledger::light::MAX_ENTRIES)]
    TooManyKeys(usize),
    /// No block with a certificate of its own was finalised while the proof waited.
    #[error("no certified block to prove under; the network is not finalising blocks")]
    NoCertificate,
    /// The state database failed.
    #[error("state database: {0}")]
    Storage(String),
}

/// Where a chain stands and how it does, for people and monitors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Height of the applied state.
    pub height: u64,
    /// Its block time, milliseconds since 1970.
    pub time_ms: u64,
    /// This validator's clock, milliseconds since 1970.
    pub now_ms: u64,
    /// The view that consensus works on.
    pub view: u64,
    /// For each validator, the last view in which a vote of it was seen. Who is far behind `view`
    /// is down, cut off, or slow.
    pub last_votes: Vec<(PublicKey, u64)>,
    /// Transactions that wait for a block.
    pub waiting: usize,
    /// Whether recovery or synchronisation is finished.
    pub ready: bool,
    /// Counters since the start.
    pub counters: Counters,
}

/// A handle to a running validator's chain. Cheap to clone.
pub struct Chain<E: Runtime> {
    shared: Arc<Shared<E>>,
}

struct Shared<E: Runtime> {
    runtime: Mutex<E>,
    genesis: Arc<Genesis>,
    chain_id: ChainId,
    book: Book,
    parts: watch::Receiver<Option<Arc<dyn Reader>>>,
    gossip: mpsc::Sender<Batch>,
}

impl<E: Runtime> Clone for Chain<E> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
        }
    }
}

impl<E: Runtime> Chain<E> {
    pub(crate) fn new(
        runtime: E,
        genesis: Arc<Genesis>,
        book: Book,
        parts: watch::Receiver<Option<Arc<dyn Reader>>>,
        gossip: mpsc::Sender<Batch>,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                runtime: Mutex::new(runtime),
                chain_id: genesis.chain_id(),
                genesis,
                book,
                parts,
                gossip,
            }),
        }
    }

    /// What the chain's validators agree on.
    pub fn genesis(&self) -> &Genesis {
        &self.shared.genesis
    }

    /// The chain's id.
    pub fn id(&self) -> ChainId {
        self.shared.chain_id
    }

    /// The clock of this validator, milliseconds since 1970.
    pub fn now_ms(&self) -> u64 {
        self.shared.book.now_ms()
    }

    /// Hands transactions to the chain, all or none. Those that wait already, or were finalised
    /// recently, are passed over. A receipt follows in the block that takes them, see
    /// [`Chain::finalized`] and [`Chain::receipt`]; transactions that no block takes before they
    /// expire vanish.
    pub fn submit(&self, mut transactions: Vec<SignedTransaction>) -> Result<(), SubmitError> {
        let now_ms = self.now_ms();
        for transaction in &transactions {
            let id = transaction.id();
            let expires_ms = transaction.transaction().expires_ms;
            if expires_ms < now_ms {
                return Err(SubmitError::Expired {
                    id,
                    expires_ms,
                    now_ms,
                });
            }
            let bytes = transaction.encode_size();
            if bytes > MAX_TRANSACTION_BYTES {
                return Err(SubmitError::TooLarge { id, bytes });
            }
        }
        let shared = &self.shared;
        shared.book.retain_unknown(&mut transactions);
        if transactions.is_empty() {
            return Ok(());
        }
        let busy = || SubmitError::Busy {
            waiting: shared.book.counters().1,
        };
        let gossip = shared.gossip.try_reserve().map_err(|error| match error {
            mpsc::error::TrySendError::Full(()) => busy(),
            mpsc::error::TrySendError::Closed(()) => SubmitError::Stopped,
        })?;
        self.verify(&transactions)?;
        let batch: Batch = transactions.into_iter().map(Arc::new).collect();
        shared.book.insert(&batch).map_err(|_| busy())?;
        gossip.send(batch);
        Ok(())
    }

    /// The records under `keys` in the latest applied state, which is final.
    pub async fn get(&self, keys: &[StateKey]) -> Result<Vec<Option<Record>>, ReadError> {
        self.reader().await?.get(keys).await
    }

    /// Proves to a light client what the latest certified state says of `keys`, at most
    /// [`cairn_ledger::light::MAX_ENTRIES`] of them.
    pub async fn prove(&self, keys: &[StateKey]) -> Result<LedgerProof, ReadError> {
        self.reader().await?.prove(keys).await
    }

    /// Every block that becomes final from now on, as it is applied here. A subscriber that lags
    /// behind by more than 1,024 blocks loses the oldest; heights tell.
    pub fn finalized(&self) -> ring::Receiver<Finalized> {
        self.shared.book.subscribe()
    }

    /// What became of a transaction, and the height of its block, if that was among the last
    /// 131,072 transactions since this validator was started.
    pub fn receipt(&self, id: &TxId) -> Option<(u64, Receipt)> {
        self.shared.book.receipt(id)
    }

    /// Where the chain stands.
    pub fn status(&self) -> Status {
        let shared = &self.shared;
        let tip = *shared.book.tip().borrow();
        let (view, last_votes) = shared.book.views();
        let (counters, waiting) = shared.book.counters();
        let ready = shared.parts.borrow().is_some();
        Status {
            height: tip.height,
            time_ms: tip.time_ms,
            now_ms: self.now_ms(),
            view,
            last_votes: shared
                .genesis
                .validators
                .iter()
                .cloned()
                .zip(last_votes)
                .collect(),
            waiting,
            ready,
            counters,
        }
    }

    /// Waits until recovery and synchronisation are finished.
    pub async fn ready(&self) -> Result<(), ReadError> {
        self.reader().await.map(drop)
    }

    async fn reader(&self) -> Result<Arc<dyn Reader>, ReadError> {
        let mut parts = self.shared.parts.clone();
        let ready = parts.wait_for(Option::is_some).await;
        ready
            .ok()
            .and_then(|parts| parts.clone())
            .ok_or(ReadError::Stopped)
    }

    fn verify(&self, transactions: &[SignedTransaction]) -> Result<(), SubmitError> {
        let chain_id = &self.shared.chain_id;
        // A generator of its own, so that submitters do not wait for each other.
        let mut rng = StdRng::from_rng(&mut *self.runtime());
        let all: Vec<_> = transactions.iter().collect();
        if verify_signatures(chain_id, &all, &mut rng, &Sequential) {
            return Ok(());
        }
        let bad = all
            .iter()
            .find(|one| !verify_signatures(chain_id, &[one], &mut rng, &Sequential));
        Err(SubmitError::Signature(bad.unwrap_or(&all[0]).id()))
    }

    fn runtime(&self) -> std::sync::MutexGuard<'_, E> {
        let runtime = &self.shared.runtime;
        runtime.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
