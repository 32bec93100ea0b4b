//! What an RSU still has to put on the ledger: tokens, spends and agreements of many vehicles, in
//! one signed transaction per short interval.
//!
//! Nothing is dropped: when the ledger does not keep up, [`Outbox::is_full`] says so, and the RSU
//! takes no more logins until it has caught up.

use cairn_contracts::tokens::{Batch, MAX_ENTRIES, Mint, Spend, TokenId};
use std::collections::BTreeSet;

/// Entries of one kind that may wait: two full batches beside those in flight.
const MAX_WAITING: usize = 2 * MAX_ENTRIES;

/// Records that wait for the next batch, and tokens to be cleaned up when they expire.
#[derive(Default)]
pub struct Outbox {
    mints: Vec<Mint>,
    spends: Vec<Spend>,
    agreements: Vec<[u8; 32]>,
    minted: BTreeSet<(u64, TokenId)>,
}

impl Outbox {
    /// Adds a token.
    pub fn mint(&mut self, mint: Mint) {
        self.mints.push(mint);
    }

    /// Adds a spend.
    pub fn spend(&mut self, spend: Spend) {
        self.spends.push(spend);
    }

    /// Adds the digest of a key agreement.
    pub fn agreement(&mut self, digest: [u8; 32]) {
        self.agreements.push(digest);
    }

    /// Whether no more logins should be taken before a batch has gone.
    pub fn is_full(&self) -> bool {
        let waiting = [self.mints.len(), self.spends.len(), self.agreements.len()];
        waiting.into_iter().any(|waiting| waiting >= MAX_WAITING)
    }

    /// The next batch, or `None` when nothing waits. Clean-up alone makes no batch.
    pub fn take(&mut self, now_ms: u64) -> Option<Batch> {
        // A token that has expired while it waited is worth nothing, and would be refused.
        self.mints.retain(|mint| now_ms < mint.expires_ms);
        if self.mints.is_empty() && self.spends.is_empty() && self.agreements.is_empty() {
            return None;
        }
        let mut batch = Batch {
            mints: take_front(&mut self.mints),
            spends: take_front(&mut self.spends),
            agreements: take_front(&mut self.agreements),
            expired: Vec::new(),
        };
        // One record per token and batch: what two vehicles (or one, twice) sent alike counts once.
        batch.mints.sort_unstable_by_key(|mint| mint.id);
        batch.mints.dedup_by_key(|mint| mint.id);
        while batch.expired.len() < MAX_ENTRIES
            && self
                .minted
                .first()
                .is_some_and(|(expires_ms, _)| *expires_ms < now_ms)
        {
            batch
                .expired
                .extend(self.minted.pop_first().map(|(_, id)| id));
        }
        self.minted
            .extend(batch.mints.iter().map(|mint| (mint.expires_ms, mint.id)));
        Some(batch)
    }
}

fn take_front<T>(waiting: &mut Vec<T>) -> Vec<T> {
    let rest = waiting.split_off(waiting.len().min(MAX_ENTRIES));
    core::mem::replace(waiting, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mint(number: u16, expires_ms: u64) -> Mint {
        let mut point = [0; 32];
        point[..2].copy_from_slice(&number.to_be_bytes());
        Mint {
            id: TokenId::of(&point),
            commitment: [0; 32],
            expires_ms,
            hops: 0,
        }
    }

    #[test]
    fn everything_goes_in_batches_that_the_contract_takes() {
        let mut outbox = Outbox::default();
        for number in 0..600 {
            outbox.mint(mint(number, 1_000));
        }
        assert!(outbox.is_full());
        let sizes: Vec<usize> = core::iter::from_fn(|| outbox.take(0))
            .map(|batch| batch.mints.len())
            .collect();
        assert_eq!(sizes, [256, 256, 88]);
        assert!(!outbox.is_full());
    }

    #[test]
    fn a_token_that_expired_while_it_waited_is_left_out() {
        let mut outbox = Outbox::default();
        outbox.mint(mint(1, 1_000));
        assert_eq!(outbox.take(1_000), None);
    }

    #[test]
    fn tokens_are_cleaned_up_with_a_later_batch() {
        let mut outbox = Outbox::default();
        outbox.mint(mint(1, 1_000));
        assert_eq!(outbox.take(0).unwrap().expired, []);
        assert_eq!(outbox.take(2_000), None, "clean-up can wait for company");
        outbox.agreement([7; 32]);
        assert_eq!(outbox.take(2_000).unwrap().expired, [mint(1, 1_000).id]);
    }

    #[test]
    fn the_same_token_twice_is_recorded_once() {
        let mut outbox = Outbox::default();
        outbox.mint(mint(1, 1_000));
        outbox.mint(mint(1, 1_000));
        assert_eq!(outbox.take(0).unwrap().mints.len(), 1);
    }
}
