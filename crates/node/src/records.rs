//! Records of the finalised state, remembered for a short while: whoever checks signatures needs the same
//! vehicles' records every second.

use crate::ledger::Ledger;
use cairn_chain::{ReadError, Runtime};
use cairn_ledger::{Record, StateKey};
use std::collections::HashMap;

/// How long a record is used before it is looked up again, in milliseconds. RSUs are told of a
/// revocation at once; the end of a key's validity stands in the record.
pub const LIFE_MS: u64 = 10_000;

/// The most records remembered, some 3 MB. When they are more, all are looked up again.
const MAX_RECORDS: usize = 16_384;

/// Records that were looked up, each with when.
pub struct Records<E: Runtime> {
    ledger: Ledger<E>,
    known: HashMap<StateKey, (u64, Record)>,
}

impl<E: Runtime> Records<E> {
    /// Nothing is known yet.
    pub fn new(ledger: Ledger<E>) -> Self {
        Self {
            ledger,
            known: HashMap::new(),
        }
    }

    /// What the state says of `keys`: remembered, or looked up now. What it does not have is looked up
    /// every time.
    pub async fn look_up(
        &mut self,
        keys: Vec<StateKey>,
        now_ms: u64,
    ) -> Result<Vec<(StateKey, Option<Record>)>, ReadError> {
        if self.known.len() >= MAX_RECORDS {
            self.known.clear();
        }
        let is_fresh = |(at_ms, _): &(u64, Record)| now_ms.saturating_sub(*at_ms) < LIFE_MS;
        let wanted: Vec<StateKey> = keys
            .iter()
            .filter(|key| !self.known.get(key).is_some_and(is_fresh))
            .copied()
            .collect();
        if !wanted.is_empty() {
            for (key, record) in self.ledger.get(&wanted).await? {
                match record {
                    Some(record) => self.known.insert(key, (now_ms, record)),
                    None => self.known.remove(&key),
                };
            }
        }
        let found = |key| (key, self.known(&key).cloned());
        Ok(keys.into_iter().map(found).collect())
    }

    /// What is remembered.
    pub fn known(&self, key: &StateKey) -> Option<&Record> {
        self.known.get(key).map(|(_, record)| record)
    }

    /// Has a record looked up again.
    pub fn forget(&mut self, key: &StateKey) {
        self.known.remove(key);
    }
}
