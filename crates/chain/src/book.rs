//! What one validator knows besides the state: waiting transactions, blocks that are executed but
//! not final, receipts, and who wants to hear of finalised blocks.

use crate::{
    clock::BlockClock,
    limits::{MAX_APPLIED_HEADERS, MAX_CERTIFICATES, MAX_RECEIPTS, SUBSCRIBER_BACKLOG},
    mempool::{Full, Mempool},
};
use cairn_ledger::{Block, Header, Receipt, SignedTransaction, TxId, light::Finalization};
use commonware_consensus::Heightable as _;
use commonware_cryptography::{Digestible as _, sha256::Digest};
use commonware_utils::channel::{ring, watch};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A block that no honest validator will ever replace, applied to this validator's state.
#[derive(Clone, Debug)]
pub struct Finalized {
    /// Number of blocks before this one.
    pub height: u64,
    /// View of consensus in which it was proposed.
    pub view: u64,
    /// Its digest.
    pub digest: Digest,
    /// Its header, whose hash is the digest.
    pub header: Header,
    /// Its block time, milliseconds since 1970.
    pub time_ms: u64,
    /// From its block time until it was applied here, in milliseconds of this validator's clock.
    pub latency_ms: u64,
    /// What became of its transactions, in their order.
    pub receipts: Arc<Vec<Receipt>>,
    /// The certificate over exactly this block; `None` if it is final because a later one is.
    pub certificate: Option<Finalization>,
}

/// Counters since the validator was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Blocks finalised.
    pub blocks: u64,
    /// Transactions in them.
    pub transactions: u64,
    /// Of those, refused.
    pub refused: u64,
    /// Waiting transactions that expired before a block took them.
    pub expired: u64,
    /// Views that ended without a block.
    pub nullified: u64,
    /// Transactions of peers for which there was no room.
    pub dropped: u64,
    /// Messages of peers that were refused, and their senders cut off.
    pub rejected: u64,
}

/// Where a chain stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tip {
    pub(crate) height: u64,
    pub(crate) time_ms: u64,
}

/// A block that was executed and may become final.
struct Executed {
    height: u64,
    parent: Digest,
    transactions: Vec<TxId>,
    receipts: Arc<Vec<Receipt>>,
}

#[derive(Default)]
struct Inner {
    pool: Mempool,
    executed: HashMap<Digest, Executed>,
    receipts: HashMap<TxId, (u64, Receipt)>,
    receipt_order: VecDeque<TxId>,
    certificates: VecDeque<Finalization>,
    applied: VecDeque<Header>,
    subscribers: Vec<ring::Sender<Finalized>>,
    counters: Counters,
    view: u64,
    last_votes: Vec<u64>,
}

/// See the [module documentation](self). Cheap to clone; all clones are the same book.
#[derive(Clone)]
pub(crate) struct Book {
    clock: BlockClock,
    inner: Arc<Mutex<Inner>>,
    arrivals: watch::Sender<u64>,
    tip: watch::Sender<Tip>,
}

impl Book {
    pub(crate) fn new(validators: usize, clock: BlockClock) -> Self {
        Self {
            clock,
            inner: Arc::new(Mutex::new(Inner {
                last_votes: vec![0; validators],
                ..Inner::default()
            })),
            arrivals: watch::Sender::new(0),
            tip: watch::Sender::new(Tip::default()),
        }
    }

    /// Nothing that holds the lock panics half-way through a change, so a poisoned lock still
    /// guards a consistent book.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Block time now, milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> u64 {
        (self.clock)()
    }

    // Transactions

    /// Adds transactions with valid signatures and wakes a waiting proposer.
    pub(crate) fn insert(&self, transactions: &[Arc<SignedTransaction>]) -> Result<(), Full> {
        self.lock().pool.insert(transactions)?;
        self.arrivals.send_modify(|arrivals| *arrivals += 1);
        Ok(())
    }

    /// Keeps the transactions that neither wait nor were finalised recently.
    pub(crate) fn retain_unknown(&self, transactions: &mut Vec<SignedTransaction>) {
        let inner = self.lock();
        transactions.retain(|transaction| {
            let id = transaction.id();
            !inner.pool.contains(&id) && !inner.receipts.contains_key(&id)
        });
    }

    /// The transactions whose signatures this validator has not checked.
    pub(crate) fn unverified<'a>(&self, block: &'a Block) -> Vec<&'a SignedTransaction> {
        let inner = self.lock();
        block
            .transactions()
            .iter()
            .filter(|transaction| !inner.pool.contains(&transaction.id()))
            .collect()
    }

    /// Sees a new value whenever transactions arrive.
    pub(crate) fn arrivals(&self) -> watch::Receiver<u64> {
        self.arrivals.subscribe()
    }

    /// Whether a block on `parent` would carry a transaction.
    pub(crate) fn has_work(&self, parent: &Block) -> bool {
        let inner = self.lock();
        inner.pool.has_work(&inner.in_flight(parent))
    }

    /// The transactions of a block on `parent` at `time_ms`.
    pub(crate) fn select(&self, parent: &Block, time_ms: u64) -> Vec<SignedTransaction> {
        let selected = {
            let inner = self.lock();
            inner.pool.select(&inner.in_flight(parent), time_ms)
        };
        selected
            .into_iter()
            .map(|transaction| SignedTransaction::clone(&transaction))
            .collect()
    }

    // Blocks

    /// Remembers the receipts of a block until it is final or lost.
    pub(crate) fn executed(&self, block: &Block, receipts: Vec<Receipt>) {
        let executed = Executed {
            height: block.height().get(),
            parent: block.header().parent,
            transactions: block.transactions().iter().map(|tx| tx.id()).collect(),
            receipts: Arc::new(receipts),
        };
        self.lock().executed.insert(block.digest(), executed);
    }

    /// Notes that the state is about to become that of `block`.
    pub(crate) fn applying(&self, block: &Block) {
        let mut inner = self.lock();
        inner.applied.push_back(block.header().clone());
        if inner.applied.len() > MAX_APPLIED_HEADERS {
            inner.applied.pop_front();
        }
    }

    /// The header of the applied block with this state root.
    pub(crate) fn applied(&self, state_root: &Digest) -> Option<Header> {
        self.lock()
            .applied
            .iter()
            .rfind(|header| header.state_root == *state_root)
            .cloned()
    }

    /// Settles a finalised block: its transactions leave the pool, its receipts become public.
    pub(crate) fn finalized(&self, block: &Block) {
        let header = block.header();
        let height = header.height.get();
        let mut inner = self.lock();
        let receipts = inner
            .executed
            .remove(&block.digest())
            .map(|executed| executed.receipts)
            .unwrap_or_default();
        inner
            .executed
            .retain(|_, executed| executed.height > height);
        let ids = block
            .transactions()
            .iter()
            .map(|transaction| transaction.id());
        let expired = inner.pool.finalize(ids, header.time_ms);
        inner.remember(height, &receipts);
        let refused = receipts.iter().filter(|receipt| receipt.result.is_err());
        inner.counters.refused += refused.count() as u64;
        inner.counters.expired += expired as u64;
        inner.counters.blocks += 1;
        inner.counters.transactions += receipts.len() as u64;

        let event = Finalized {
            height,
            view: header.context.round.view().get(),
            digest: block.digest(),
            header: header.clone(),
            time_ms: header.time_ms,
            latency_ms: self.now_ms().saturating_sub(header.time_ms),
            receipts,
            certificate: inner.certificate(&block.digest()),
        };
        inner
            .subscribers
            .retain(|subscriber| subscriber.send_lossy(event.clone()));
        drop(inner);
        self.tip.send_replace(Tip {
            height,
            time_ms: header.time_ms,
        });
    }

    /// The receipt of a transaction and the height of its block, if it is among the last
    /// [`MAX_RECEIPTS`].
    pub(crate) fn receipt(&self, id: &TxId) -> Option<(u64, Receipt)> {
        self.lock().receipts.get(id).copied()
    }

    /// Hears of every block that becomes final from now on.
    pub(crate) fn subscribe(&self) -> ring::Receiver<Finalized> {
        let (sender, receiver) = ring::channel(SUBSCRIBER_BACKLOG);
        self.lock().subscribers.push(sender);
        receiver
    }

    /// Follows the height of the applied state.
    pub(crate) fn tip(&self) -> watch::Receiver<Tip> {
        self.tip.subscribe()
    }

    // Consensus

    /// Keeps a certificate for the event and for proofs.
    pub(crate) fn certified(&self, finalization: Finalization) {
        let mut inner = self.lock();
        inner.certificates.push_back(finalization);
        if inner.certificates.len() > MAX_CERTIFICATES {
            inner.certificates.pop_front();
        }
    }

    /// The certificate over exactly this block, if it is recent.
    pub(crate) fn certificate(&self, digest: &Digest) -> Option<Finalization> {
        self.lock().certificate(digest)
    }

    /// Notes a vote of the validator with this index.
    pub(crate) fn voted(&self, validator: usize, view: u64) {
        let mut inner = self.lock();
        inner.view = inner.view.max(view);
        if let Some(last) = inner.last_votes.get_mut(validator) {
            *last = view.max(*last);
        }
    }

    /// The view of consensus, and the last one in which each validator voted.
    pub(crate) fn views(&self) -> (u64, Vec<u64>) {
        let inner = self.lock();
        (inner.view, inner.last_votes.clone())
    }

    /// The counters, and the number of waiting transactions.
    pub(crate) fn counters(&self) -> (Counters, usize) {
        let inner = self.lock();
        (inner.counters, inner.pool.len())
    }

    /// Changes the counters.
    pub(crate) fn count(&self, change: impl FnOnce(&mut Counters)) {
        change(&mut self.lock().counters);
    }
}

impl Inner {
    /// Transactions of `parent` and of its ancestors that are not final.
    fn in_flight(&self, parent: &Block) -> HashSet<TxId> {
        let mut ids: HashSet<TxId> = parent.transactions().iter().map(|tx| tx.id()).collect();
        let mut digest = parent.header().parent;
        while let Some(executed) = self.executed.get(&digest) {
            ids.extend(&executed.transactions);
            digest = executed.parent;
        }
        ids
    }

    /// Keeps receipts; the first receipt of a transaction stands, because a repetition of it in a
    /// later block is refused without effect.
    fn remember(&mut self, height: u64, receipts: &[Receipt]) {
        for receipt in receipts {
            if self.receipts.contains_key(&receipt.transaction) {
                continue;
            }
            self.receipts
                .insert(receipt.transaction, (height, *receipt));
            self.receipt_order.push_back(receipt.transaction);
        }
        while self.receipt_order.len() > MAX_RECEIPTS {
            if let Some(oldest) = self.receipt_order.pop_front() {
                self.receipts.remove(&oldest);
            }
        }
    }

    fn certificate(&self, digest: &Digest) -> Option<Finalization> {
        self.certificates
            .iter()
            .rfind(|finalization| finalization.proposal.payload == *digest)
            .cloned()
    }
}
