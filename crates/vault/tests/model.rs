//! Every store behaves like a `BTreeMap`, whatever is asked of it in whatever order.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use cairn_vault::{Batch, Commitment, Error, Item, Key, Root, Vault};
use common::{key, record};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    /// (device, time, content) of each record: few values, so that they meet often.
    Put(Vec<(u8, u64, u8)>),
    Get(u8, u64),
    Range(u8, u64, u64),
    Settle(prop::sample::Index),
    Pending,
}

fn step() -> impl Strategy<Value = Step> {
    let device = 0_u8..3;
    let time = 0_u64..12;
    // One content in eight differs: mostly repetitions, now and then a conflict.
    let content = prop_oneof![7 => Just(0_u8), 1 => Just(1)];
    prop_oneof![
        4 => prop::collection::vec((device.clone(), time.clone(), content), 1..6)
            .prop_map(Step::Put),
        1 => (device.clone(), time.clone()).prop_map(|(d, t)| Step::Get(d, t)),
        2 => (device, time.clone(), time).prop_map(|(d, a, b)| Step::Range(d, a, b)),
        1 => any::<prop::sample::Index>().prop_map(Step::Settle),
        1 => Just(Step::Pending),
    ]
}

#[derive(Default)]
struct Model {
    records: BTreeMap<Key, (Commitment, Root)>,
    batches: Vec<Root>,
    pending: BTreeSet<Root>,
}

impl Model {
    /// Does a step with both and compares.
    async fn step(&mut self, vault: &dyn Vault, step: Step) {
        match step {
            Step::Put(records) => self.put(vault, &records).await,
            Step::Get(device, time) => {
                let key = key(device, time);
                let found = vault.get(&key).await.unwrap();
                let found = found.map(|s| (s.record.commitment(), s.batch));
                assert_eq!(found, self.records.get(&key).copied());
            }
            Step::Range(device, start, end) => {
                let page = vault
                    .range(&key(device, 0).device, start..end)
                    .await
                    .unwrap();
                let found: Vec<_> = page
                    .records
                    .iter()
                    .map(|s| (*s.record.key(), (s.record.commitment(), s.batch)))
                    .collect();
                let expected: Vec<_> = (start..end)
                    .filter_map(|time| self.records.get_key_value(&key(device, time)))
                    .map(|(key, value)| (*key, *value))
                    .collect();
                assert_eq!((found, page.next), (expected, None));
            }
            Step::Settle(index) if !self.batches.is_empty() => {
                let root = index.get(&self.batches);
                vault.settle(root).await.unwrap();
                self.pending.remove(root);
            }
            Step::Settle(_) => {}
            Step::Pending => {
                let pending: Vec<_> = self.pending.iter().copied().collect();
                assert_eq!(vault.pending().await.unwrap(), pending);
            }
        }
    }

    async fn put(&mut self, vault: &dyn Vault, records: &[(u8, u64, u8)]) {
        let records = records.iter().map(|(d, t, c)| record(*d, *t, &[*c]));
        let Ok(batch) = Batch::new(records.collect()) else {
            return; // Two contents under one key: no batch to store.
        };
        let stored = |key: &Key| self.records.get(key).map(|(commitment, _)| *commitment);
        let conflict = batch
            .entries()
            .iter()
            .find(|(r, c)| stored(r.key()).is_some_and(|other| other != *c));
        match (vault.put_batch(&batch).await, conflict) {
            (Err(Error::Conflict(Item::Record(found))), Some((record, _))) => {
                assert_eq!(found, *record.key());
            }
            (Ok(written), None) => {
                let before = self.records.len();
                for (record, commitment) in batch.entries() {
                    let value = (*commitment, batch.root());
                    self.records.entry(*record.key()).or_insert(value);
                }
                let new = (self.records.len() - before) as u64;
                assert_eq!(written.new, new);
                assert_eq!(written.known, batch.entries().len() as u64 - new);
                if !self.batches.contains(&batch.root()) {
                    self.batches.push(batch.root());
                    self.pending.insert(batch.root());
                }
            }
            (result, conflict) => panic!("{result:?}, expected conflict: {conflict:?}"),
        }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_embedded_store_is_a_map(steps in prop::collection::vec(step(), 1..40)) {
        let fixture = common::embedded();
        runtime().block_on(async {
            let mut model = Model::default();
            for step in steps {
                model.step(&*fixture.vault, step).await;
            }
        });
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn postgres_is_a_map(steps in prop::collection::vec(step(), 1..40)) {
        runtime().block_on(async {
            if let Some(fixture) = common::postgres("model").await {
                let mut model = Model::default();
                for step in steps {
                    model.step(&*fixture.vault, step).await;
                }
            }
        });
    }
}
