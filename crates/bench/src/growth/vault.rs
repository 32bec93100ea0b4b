//! Records in the embedded vault.

use cairn_vault::{Batch, Blind, DeviceId, Embedded, Grade, Key, Record, Vault as _};
use futures::executor::block_on;
use rand::{Rng as _, RngExt as _, SeedableRng as _, rngs::StdRng};
use std::time::Instant;

use super::{Growth, decades};
use crate::{Scope, measure::Sample};

const BATCH: usize = 1_000;
const DEVICES: u64 = 100;
/// Bytes of a record's content: a sensor row.
const CONTENT: usize = 100;

/// Time to store and to read one record, by the wall clock: the disk counts.
pub fn records(scope: Scope) -> Vec<Growth> {
    let mut rng = StdRng::seed_from_u64(1);
    let directory = tempfile::tempdir().expect("a temporary directory");
    // The store's own threads have a runtime that it brings along; this thread only waits.
    let vault = Embedded::open(directory.path()).expect("an empty directory");
    let to = if scope.quick { 100_000 } else { 10_000_000 };
    let (mut writing, mut reading) = (Vec::new(), Vec::new());
    let mut stored = 0;
    for size in decades(10_000, to) {
        let mut rounds = Vec::new();
        while stored < size {
            let records = (stored..stored + BATCH).map(|number| record(number as u64, &mut rng));
            let records = records.collect();
            let start = Instant::now();
            let batch = Batch::new(records).expect("distinct records");
            block_on(vault.put_batch(&batch)).expect("room on the disk");
            rounds.push(start.elapsed().as_secs_f64() / BATCH as f64);
            stored += BATCH;
        }
        // Of the batches that led here the latest: they met a store of about this size.
        let latest = rounds.split_off(rounds.len() - rounds.len().min(50));
        writing.push((size as f64, Sample::of(latest).median * 1e6));
        let rounds = (0..scope.rounds()).map(|_| {
            let keys: Vec<_> = (0..256)
                .map(|_| key(rng.random_range(0..stored as u64)))
                .collect();
            let start = Instant::now();
            for key in &keys {
                let found = block_on(vault.get(key)).expect("a sound store");
                assert!(found.is_some(), "was stored");
            }
            start.elapsed().as_secs_f64() / keys.len() as f64
        });
        reading.push((size as f64, Sample::of(rounds.collect()).median * 1e6));
    }
    let growth = |name: &str, points| Growth {
        name: name.into(),
        unit: "µs",
        points,
        limit: None,
    };
    vec![
        growth("vault: store a record, in batches of 1,000", writing),
        growth("vault: read a record", reading),
    ]
}

fn key(number: u64) -> Key {
    let mut device = [0; 32];
    device[..8].copy_from_slice(&(number % DEVICES).to_be_bytes());
    Key {
        device: DeviceId(device),
        time_ms: 1_700_000_000_000 + number,
    }
}

fn record(number: u64, rng: &mut StdRng) -> Record {
    let mut content = vec![0; CONTENT];
    rng.fill_bytes(&mut content);
    let blind = Blind::random(rng);
    Record::new(key(number), Grade(1), content, blind).expect("a short record")
}
