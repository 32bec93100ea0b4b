//! Records per second into the vault, durable, in batches of 1,000, with commitments and roots.
//!
//! ```sh
//! cargo run --release -p cairn-vault --example ingest
//! CAIRN_POSTGRES=postgres://user@127.0.0.1/db cargo run --release -p cairn-vault --example ingest
//! ```
//!
//! Each run stores 200 batches of records with 100 bytes of content from 100 devices; a batch is
//! on disk before its writer begins the next. One writer, then four at once. Beside it, the part
//! that is hashing. The PostgreSQL run uses a schema of its own, `cairn_ingest`, and drops what was
//! in it. A Unix socket (`postgres://user@localhost/db?host=/var/run/postgresql`) shows what TCP
//! costs: see `Postgres`.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use cairn_vault::{Batch, Blind, DeviceId, Embedded, Grade, Key, Record, Vault};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use tokio::task::JoinSet;

const RUNS: u64 = 5;
const BATCHES: u64 = 200;
const RECORDS: u64 = 1_000;
const DEVICES: u64 = 100;
const CONTENT: usize = 100;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("machine: {}", machine());
    println!(
        "{RUNS} runs of {BATCHES} batches of {RECORDS} records, {CONTENT} bytes of content each"
    );
    let directory = tempfile::tempdir()?;
    println!("embedded in {}", directory.path().display());
    measure("embedded", Arc::new(Embedded::open(directory.path())?)).await?;
    #[cfg(feature = "postgres")]
    match std::env::var("CAIRN_POSTGRES") {
        Ok(url) => measure("postgres", Arc::new(postgres(&url).await?)).await?,
        Err(_) => println!("postgres skipped: CAIRN_POSTGRES not set"),
    }
    Ok(())
}

/// Stores every run's records and prints median, least and most records per second.
async fn measure(name: &str, vault: Arc<dyn Vault>) -> Result<(), Box<dyn std::error::Error>> {
    let mut rng = StdRng::seed_from_u64(1);
    let mut next = 0;
    for writers in [1, 4] {
        let (mut stored, mut hashed) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            let mut tasks = JoinSet::new();
            let work: Vec<_> = (0..writers)
                .map(|_| records(BATCHES / writers, &mut next, &mut rng))
                .collect();
            let start = Instant::now();
            for batches in work {
                tasks.spawn(write(Arc::clone(&vault), batches));
            }
            let mut hashing = Duration::ZERO;
            while let Some(done) = tasks.join_next().await {
                hashing += done??;
            }
            stored.push(rate(start.elapsed()));
            hashed.push(rate(hashing));
        }
        println!(
            "{name}, {writers} at once: {} records/s; commitments and roots alone: {}",
            spread(stored),
            spread(hashed)
        );
    }
    Ok(())
}

/// Stores one batch after the other; returns the time that hashing took.
async fn write(
    vault: Arc<dyn Vault>,
    batches: Vec<Vec<Record>>,
) -> Result<Duration, cairn_vault::Error> {
    let mut hashing = Duration::ZERO;
    for records in batches {
        let start = Instant::now();
        let batch = Batch::new(records)?;
        hashing += start.elapsed();
        vault.put_batch(&batch).await?;
    }
    Ok(hashing)
}

fn records(batches: u64, next: &mut u64, rng: &mut StdRng) -> Vec<Vec<Record>> {
    let mut batch = || {
        *next += RECORDS;
        (*next - RECORDS..*next).map(|n| record(n, rng)).collect()
    };
    (0..batches).map(|_| batch()).collect()
}

fn record(n: u64, rng: &mut StdRng) -> Record {
    let mut device = [0; 32];
    device[..8].copy_from_slice(&(n % DEVICES).to_be_bytes());
    let mut content = vec![0; CONTENT];
    rng.fill_bytes(&mut content);
    let key = Key {
        device: DeviceId(device),
        time_ms: 1_700_000_000_000 + n,
    };
    Record::new(key, Grade(1), content, Blind::random(rng)).expect("size and time are in bounds")
}

fn rate(time: Duration) -> f64 {
    (BATCHES * RECORDS) as f64 / time.as_secs_f64()
}

fn spread(mut rates: Vec<f64>) -> String {
    rates.sort_by(f64::total_cmp);
    let (least, median, most) = (rates[0], rates[rates.len() / 2], rates[rates.len() - 1]);
    format!("median {median:.0} ({least:.0} to {most:.0})")
}

#[cfg(feature = "postgres")]
async fn postgres(url: &str) -> Result<cairn_vault::Postgres, Box<dyn std::error::Error>> {
    use sqlx::Connection as _;
    let mut connection = sqlx::PgConnection::connect(url).await?;
    sqlx::raw_sql("DROP SCHEMA IF EXISTS cairn_ingest CASCADE; CREATE SCHEMA cairn_ingest")
        .execute(&mut connection)
        .await?;
    let separator = if url.contains('?') { '&' } else { '?' };
    let url = format!("{url}{separator}options=-csearch_path%3Dcairn_ingest");
    Ok(cairn_vault::Postgres::connect(&url).await?)
}

/// Processor and cores, as Linux tells them.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown processor", |rest| {
            rest.trim_start_matches([' ', '\t', ':'])
        });
    format!("{model}, {cores} cores, {}", std::env::consts::OS)
}
