//! The records that a block works on.
//!
//! Contracts name records by contract and [`LocalKey`], the state by [`StateKey`], a hash of both.
//! A block's [`Layout`] hashes every name once and gives each record a slot; from then on a record
//! is found by its slot.

use crate::{
    Address, LocalKey, Record, Refusal, SignedTransaction, StateKey,
    execute::{instance_key, nonce_key, target},
};
use std::collections::HashMap;

/// Which records a block may touch, and where each of its transactions finds its own.
pub struct Layout<'a> {
    keys: Vec<StateKey>,
    scopes: Vec<Scope<'a>>,
}

/// Where one transaction finds its records.
pub(crate) struct Scope<'a> {
    pub(crate) signed: &'a SignedTransaction,
    /// The slot of its sender's nonces.
    pub(crate) nonce: usize,
    /// The slot of the instance that it creates or calls.
    pub(crate) instance: usize,
    declared: HashMap<(&'a Address, &'a LocalKey), usize>,
}

impl<'a> Layout<'a> {
    /// The layout of a block of `transactions`.
    pub fn of(transactions: &'a [SignedTransaction]) -> Self {
        // Every record in the order in which transactions name it, with its place in that order.
        let mut named: Vec<(StateKey, usize)> = Vec::new();
        for signed in transactions {
            let own = [nonce_key(signed.sender()), instance_key(&target(signed))];
            let declared = signed.transaction().declared();
            let declared = declared.map(|(owner, key)| StateKey::new(owner, key.as_bytes()));
            for key in own.into_iter().chain(declared) {
                named.push((key, named.len()));
            }
        }
        named.sort_unstable();
        let mut keys = Vec::with_capacity(named.len());
        let mut slots = vec![0; named.len()];
        for (key, place) in named {
            if keys.last() != Some(&key) {
                keys.push(key);
            }
            slots[place] = keys.len() - 1;
        }
        let mut slots = slots.into_iter();
        let mut next = || slots.next().expect("as many slots as names");
        let scopes = transactions
            .iter()
            .map(|signed| Scope {
                signed,
                nonce: next(),
                instance: next(),
                declared: signed
                    .transaction()
                    .declared()
                    .map(|name| (name, next()))
                    .collect(),
            })
            .collect();
        Self { keys, scopes }
    }

    /// The records that a chain must fetch before it can execute the block: sorted, each once.
    pub fn keys(&self) -> &[StateKey] {
        &self.keys
    }

    pub(crate) fn scopes(&self) -> impl Iterator<Item = &Scope<'a>> {
        self.scopes.iter()
    }
}

impl Scope<'_> {
    /// The slot of a record that the transaction declares.
    pub(crate) fn slot(&self, owner: &Address, key: &LocalKey) -> Result<usize, Refusal> {
        let slot = self.declared.get(&(owner, key));
        slot.copied().ok_or(Refusal::UndeclaredKey)
    }
}

/// What a block makes of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It stays as it is.
    Keep,
    /// It is written.
    Put(Record),
    /// It is deleted.
    Delete,
}

/// The records of a block while it executes.
pub(crate) struct Overlay {
    records: Vec<Option<Record>>,
    is_written: Vec<bool>,
    /// What the running transaction replaced, to be put back if it is refused.
    replaced: Vec<(usize, Option<Record>, bool)>,
}

impl Overlay {
    pub(crate) fn new(records: Vec<Option<Record>>) -> Self {
        Self {
            is_written: vec![false; records.len()],
            records,
            replaced: Vec::new(),
        }
    }

    pub(crate) fn get(&self, slot: usize) -> Option<&Record> {
        self.records[slot].as_ref()
    }

    pub(crate) fn set(&mut self, slot: usize, record: Option<Record>) {
        let record = core::mem::replace(&mut self.records[slot], record);
        let is_written = core::mem::replace(&mut self.is_written[slot], true);
        self.replaced.push((slot, record, is_written));
    }

    /// Keeps what was written since the last decision.
    pub(crate) fn keep(&mut self) {
        self.replaced.clear();
    }

    /// Takes back what was written since the last decision.
    pub(crate) fn undo(&mut self) {
        while let Some((slot, record, is_written)) = self.replaced.pop() {
            self.records[slot] = record;
            self.is_written[slot] = is_written;
        }
    }

    pub(crate) fn into_changes(self) -> Vec<Change> {
        self.records
            .into_iter()
            .zip(self.is_written)
            .map(|(record, is_written)| match record {
                _ if !is_written => Change::Keep,
                Some(record) => Change::Put(record),
                None => Change::Delete,
            })
            .collect()
    }
}
