//! Transactions that wait for a block.
//!
//! Everything in here has valid signatures and is not finalised. Transactions leave in the order in
//! which they came; they are dropped when they are finalised or when they expire. Blocks that are
//! proposed but not yet final keep their transactions in the pool (they may lose), so a proposer
//! names those to leave out.

use crate::limits::{MAX_POOL_BYTES, MAX_POOL_TRANSACTIONS};
use cairn_ledger::{
    SignedTransaction, TxId,
    block::{MAX_BLOCK_TRANSACTIONS, MAX_BODY_BYTES},
};
use commonware_codec::EncodeSize as _;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

/// Bytes that the number of transactions takes in front of a block's body, at most.
const BODY_PREFIX_BYTES: usize = 5;

/// The most bytes of one transaction: what fits into a block of its own.
pub(crate) const MAX_TRANSACTION_BYTES: usize = MAX_BODY_BYTES - BODY_PREFIX_BYTES;

#[derive(Default)]
pub(crate) struct Mempool {
    /// In order of arrival.
    queue: BTreeMap<u64, Waiting>,
    arrival: HashMap<TxId, u64>,
    expiry: BTreeSet<(u64, u64)>,
    next: u64,
    bytes: usize,
}

struct Waiting {
    transaction: Arc<SignedTransaction>,
    bytes: usize,
}

/// The pool has no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Mempool {
    /// Takes all of `transactions` that are not in the pool yet, or none if there is no room.
    pub(crate) fn insert(&mut self, transactions: &[Arc<SignedTransaction>]) -> Result<(), Full> {
        let bytes: usize = transactions
            .iter()
            .map(|transaction| transaction.encode_size())
            .sum();
        if self.queue.len() + transactions.len() > MAX_POOL_TRANSACTIONS
            || self.bytes + bytes > MAX_POOL_BYTES
        {
            return Err(Full);
        }
        for transaction in transactions {
            if self.contains(&transaction.id()) {
                continue;
            }
            let bytes = transaction.encode_size();
            let expires_ms = transaction.transaction().expires_ms;
            self.arrival.insert(transaction.id(), self.next);
            self.expiry.insert((expires_ms, self.next));
            self.queue.insert(
                self.next,
                Waiting {
                    transaction: transaction.clone(),
                    bytes,
                },
            );
            self.bytes += bytes;
            self.next += 1;
        }
        Ok(())
    }

    /// Whether the transaction waits here, so that its signatures are known to be valid.
    pub(crate) fn contains(&self, id: &TxId) -> bool {
        self.arrival.contains_key(id)
    }

    /// The number of transactions that wait.
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether a block could carry something that is not in `in_flight`.
    pub(crate) fn has_work(&self, in_flight: &HashSet<TxId>) -> bool {
        self.queue
            .values()
            .any(|waiting| !in_flight.contains(&waiting.transaction.id()))
    }

    /// The transactions of a block at `time_ms`: the oldest first, as many as fit.
    pub(crate) fn select(
        &self,
        in_flight: &HashSet<TxId>,
        time_ms: u64,
    ) -> Vec<Arc<SignedTransaction>> {
        let mut bytes = BODY_PREFIX_BYTES;
        self.queue
            .values()
            .filter(|waiting| {
                waiting.transaction.transaction().expires_ms >= time_ms
                    && !in_flight.contains(&waiting.transaction.id())
            })
            .take(MAX_BLOCK_TRANSACTIONS)
            .take_while(|waiting| {
                bytes += waiting.bytes;
                bytes <= MAX_BODY_BYTES
            })
            .map(|waiting| waiting.transaction.clone())
            .collect()
    }

    /// Drops what was finalised at block time `time_ms`, and what that time has expired. Returns
    /// the number of expired ones.
    pub(crate) fn finalize(&mut self, ids: impl Iterator<Item = TxId>, time_ms: u64) -> usize {
        for id in ids {
            if let Some(arrival) = self.arrival.get(&id).copied() {
                self.remove(arrival);
            }
        }
        let mut expired = 0;
        while let Some((_, arrival)) = self.expiry.first().filter(|(at, _)| *at < time_ms) {
            self.remove(*arrival);
            expired += 1;
        }
        expired
    }

    fn remove(&mut self, arrival: u64) {
        let Some(waiting) = self.queue.remove(&arrival) else {
            return;
        };
        self.arrival.remove(&waiting.transaction.id());
        let expires_ms = waiting.transaction.transaction().expires_ms;
        self.expiry.remove(&(expires_ms, arrival));
        self.bytes -= waiting.bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use cairn_ledger::{Action, Address, ChainId, PrivateKey, Transaction};
    use commonware_cryptography::Signer as _;

    fn transaction(nonce: u64, expires_ms: u64, payload: usize) -> Arc<SignedTransaction> {
        let transaction = Transaction {
            nonce,
            expires_ms,
            access: Vec::new(),
            action: Action::Call {
                contract: Address::SYSTEM,
                payload: Bytes::from(vec![7; payload]),
            },
        };
        Arc::new(transaction.sign(&ChainId([1; 32]), &[&PrivateKey::from_seed(1)]))
    }

    #[test]
    fn gives_the_oldest_first_and_leaves_out_what_is_in_flight() {
        let mut pool = Mempool::default();
        let waiting: Vec<_> = (0..4).map(|nonce| transaction(nonce, 100, 8)).collect();
        pool.insert(&waiting).unwrap();
        pool.insert(&waiting[..2]).unwrap();
        assert_eq!(pool.len(), 4, "a transaction waits once");
        let in_flight = HashSet::from([waiting[0].id(), waiting[2].id()]);
        assert_eq!(
            pool.select(&in_flight, 0),
            [waiting[1].clone(), waiting[3].clone()]
        );
        let all = waiting.iter().map(|transaction| transaction.id());
        assert!(!pool.has_work(&all.collect()));
    }

    #[test]
    fn drops_what_is_final_and_what_is_expired() {
        let mut pool = Mempool::default();
        let waiting: Vec<_> = (0..3)
            .map(|nonce| transaction(nonce, 100 + nonce, 8))
            .collect();
        pool.insert(&waiting).unwrap();
        assert!(pool.select(&HashSet::new(), 102).len() == 1, "two expired");
        assert_eq!(pool.finalize([waiting[2].id()].into_iter(), 101), 1);
        assert_eq!(pool.select(&HashSet::new(), 101), [waiting[1].clone()]);
        assert_eq!(pool.finalize([waiting[1].id()].into_iter(), 101), 0);
        assert_eq!((pool.len(), pool.bytes), (0, 0));
        assert!(pool.arrival.is_empty() && pool.expiry.is_empty());
    }

    #[test]
    fn is_bounded_and_takes_all_or_nothing() {
        let mut pool = Mempool::default();
        let payload = 64 * 1024;
        let mut nonce = 0;
        loop {
            let two = [
                transaction(nonce, 1, payload),
                transaction(nonce + 1, 1, payload),
            ];
            let before = pool.len();
            if pool.insert(&two) == Err(Full) {
                assert_eq!(pool.len(), before);
                break;
            }
            nonce += 2;
        }
        assert!(pool.bytes <= MAX_POOL_BYTES);
        assert!(pool.bytes + 2 * (payload + 256) > MAX_POOL_BYTES);
    }

    #[test]
    fn a_selection_fits_into_a_block() {
        let mut pool = Mempool::default();
        for nonce in 0..40 {
            pool.insert(&[transaction(nonce, 1, 60 * 1024)]).unwrap();
        }
        let selected = pool.select(&HashSet::new(), 0);
        let bytes: usize = selected
            .iter()
            .map(|transaction| transaction.encode_size())
            .sum();
        assert!(bytes + BODY_PREFIX_BYTES <= MAX_BODY_BYTES);
        assert!(bytes + 61 * 1024 > MAX_BODY_BYTES, "and fills it");
    }
}
