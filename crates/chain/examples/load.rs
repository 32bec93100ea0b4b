//! How much validators in one process carry: ordered, executed, on disk, over TCP on loopback.
//!
//! `cargo run --release -p cairn-chain --example load -- RECORDS SECONDS RATE [VALIDATORS]`
//!
//! RECORDS is the number of tokens that one signed transaction of an RSU mints (1 to 256), RATE the
//! number of tokens submitted per second; 0 submits as fast as the pool takes them. A line for each
//! tenth of the time tells how far the chain is and what it occupies on disk. VALIDATORS is 4, unless
//! it is given.

use bytes::Bytes;
use cairn_chain::{
    Config, InsecureDealing, SubmitError,
    network::{self, TcpConfig},
    runtime_clock,
};
use cairn_contracts::{
    keys::{self, Operation, RsuRecord},
    tokens::{self, Batch, Mint, TokenId},
};
use cairn_ledger::{Address, Genesis, Position, PrivateKey, Rid, SignedTransaction};
use commonware_cryptography::Signer as _;
use commonware_runtime::{Clock as _, Runner as _, Spawner as _, Supervisor as _, tokio};
use commonware_utils::{
    channel::mpsc,
    ordered::{Map, Set},
};
use futures::StreamExt as _;
use rand::{SeedableRng as _, rngs::StdRng};
use std::{
    collections::HashMap,
    error::Error,
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Validators, when the command line does not say how many.
const VALIDATORS: u64 = 4;

/// Transactions that wait at most when RATE is 0: enough for the blocks in flight and the next.
const SATURATION_BACKLOG: usize = 512;

/// Time between two submissions.
const TICK: Duration = Duration::from_millis(5);

/// How long a token lives, in milliseconds; nothing expires while the load runs.
const LIFE_MS: u64 = 3_600_000;

/// The RSU whose batches are the load.
const RSU: Rid = Rid(1);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<u64> = std::env::args()
        .skip(1)
        .map(|argument| argument.parse())
        .collect::<Result<_, _>>()?;
    let (records, seconds, rate, validators) = match arguments[..] {
        [records, seconds, rate] => (records, seconds, rate, VALIDATORS),
        [records, seconds, rate, validators] => (records, seconds, rate, validators),
        _ => return Err("usage: load RECORDS SECONDS RATE [VALIDATORS]".into()),
    };
    let directory = tempfile::tempdir()?;
    let path = directory.path().to_owned();
    let config = tokio::Config::new()
        .with_worker_threads(2)
        .with_storage_directory(&path);
    tokio::Runner::new(config).start(|context| async move {
        run(context, &path, records, seconds, rate, validators).await
    })
}

struct Load {
    genesis: Genesis,
    ta: PrivateKey,
    lea: PrivateKey,
    rsu: PrivateKey,
    expires_ms: u64,
}

impl Load {
    /// What stands before the load: the contracts, and the RSU's registration.
    fn preparation(&self) -> Vec<SignedTransaction> {
        let chain = self.genesis.chain_id();
        let ta = self.ta.public_key();
        let period = u64::MAX / 2;
        let parameters = tokens::Parameters {
            keys: self.contract(1),
            max_life_ms: 2 * LIFE_MS,
            max_hops: 10,
        };
        let record = RsuRecord {
            key: self.rsu.public_key(),
            position: Position { x_cm: 0, y_cm: 0 },
            valid_from_ms: 0,
            valid_until_ms: period,
            revoked_ms: None,
        };
        let register = [Operation::RegisterRsu(RSU, record)];
        let authorities = [&self.ta, &self.lea];
        vec![
            keys::deploy(1, self.expires_ms, &ta, period).sign(&chain, &authorities),
            tokens::deploy(2, self.expires_ms, &ta, &parameters).sign(&chain, &authorities),
            keys::call(3, self.expires_ms, self.contract(1), &register).sign(&chain, &authorities),
        ]
    }

    fn contract(&self, nonce: u64) -> Address {
        Address::of_instance(&self.ta.public_key(), nonce)
    }

    fn batch(&self, nonce: u64, records: u64) -> SignedTransaction {
        let mints = (nonce * records..(nonce + 1) * records).map(|number| {
            let mut point = [0; 32];
            point[..8].copy_from_slice(&number.to_be_bytes());
            Mint {
                id: TokenId::of(&point),
                commitment: point,
                expires_ms: self.expires_ms,
                hops: 0,
            }
        });
        let batch = Batch {
            mints: mints.collect(),
            ..Batch::default()
        };
        let (tokens, keys) = (self.contract(2), self.contract(1));
        tokens::call(nonce, self.expires_ms, tokens, keys, RSU, batch)
            .sign(&self.genesis.chain_id(), &[&self.rsu])
    }
}

async fn run(
    context: tokio::Context,
    directory: &Path,
    records: u64,
    seconds: u64,
    rate: u64,
    count: u64,
) -> Result<(), Box<dyn Error>> {
    let identities: Vec<_> = (0..count).map(PrivateKey::from_seed).collect();
    let keys = Set::from_iter_dedup(identities.iter().map(|identity| identity.public_key()));
    let dealing = InsecureDealing::deal(&keys, &mut StdRng::seed_from_u64(1));
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64;
    let (ta, lea) = (PrivateKey::from_seed(100), PrivateKey::from_seed(101));
    let load = Load {
        genesis: Genesis {
            name: Bytes::from_static(b"load"),
            validators: keys,
            sharing: dealing.sharing.clone(),
            ta: ta.public_key(),
            lea: lea.public_key(),
            time_ms: now_ms,
        },
        ta,
        lea,
        rsu: PrivateKey::from_seed(102),
        expires_ms: now_ms + LIFE_MS,
    };

    let listeners: Vec<_> = identities
        .iter()
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .collect::<Result<_, _>>()?;
    let addresses: Vec<SocketAddr> = listeners
        .iter()
        .map(TcpListener::local_addr)
        .collect::<Result<_, _>>()?;
    drop(listeners);
    let peers = identities.iter().map(|identity| identity.public_key());
    let peers: Vec<_> = peers.zip(addresses.iter().copied()).collect();
    let mut validators = Vec::new();
    for (index, identity) in identities.into_iter().enumerate() {
        let context = context.child("validator").with_attribute("index", index);
        let tcp = TcpConfig {
            identity: identity.clone(),
            chain: load.genesis.chain_id(),
            listen: addresses[index],
            validators: Map::try_from(peers.clone()).map_err(|_| "two validators with one key")?,
        };
        let share = dealing.shares.get_value(&identity.public_key());
        let config = Config {
            genesis: load.genesis.clone(),
            code: cairn_contracts::CODE,
            share: share.ok_or("no share")?.clone(),
            identity,
            partition: format!("validator-{index}"),
        };
        let clock = runtime_clock(context.child("clock"));
        validators.push(network::start(context, config, tcp, clock).await?);
    }
    let chain = validators[0].0.chain().clone();
    let mut blocks = chain.finalized();
    for transaction in load.preparation() {
        chain.submit(vec![transaction])?;
        let receipts = loop {
            let block = blocks.next().await.ok_or("stopped")?;
            if !block.receipts.is_empty() {
                break block.receipts;
            }
        };
        receipts[0].result?;
    }

    // Signing is the client's work; it happens ahead, on its own thread.
    let (signed, mut ready) = mpsc::channel(256);
    context
        .child("signer")
        .dedicated()
        .spawn(move |_| async move {
            for nonce in 1.. {
                if signed.send(load.batch(nonce, records)).await.is_err() {
                    return;
                }
            }
        });
    let sent: Arc<Mutex<HashMap<_, Instant>>> = Arc::default();
    let measured = sent.clone();
    let watcher = chain.clone();
    let measure = context.child("measure").spawn(move |_| async move {
        let mut blocks = watcher.finalized();
        let (mut latencies, mut finality, mut full) = (Vec::new(), Vec::new(), 0u64);
        while let Some(block) = blocks.next().await {
            let now = Instant::now();
            let mut sent = measured.lock().expect("no panic");
            for receipt in block.receipts.iter() {
                if let Some(at) = sent.remove(&receipt.transaction) {
                    latencies.push(now.duration_since(at).as_secs_f64() * 1e3);
                }
            }
            if !block.receipts.is_empty() {
                full += 1;
                finality.push(block.latency_ms as f64);
            }
            if sent.contains_key(&cairn_ledger::TxId([0; 32])) && block.receipts.is_empty() {
                break;
            }
        }
        (latencies, finality, full)
    });

    let before = chain.status().counters;
    let disk_before = bytes_in(directory)?;
    let start = Instant::now();
    let (mut submitted, mut busy) = (0u64, 0u64);
    let mut tenth = 1;
    while start.elapsed() < Duration::from_secs(seconds) {
        let due = (start.elapsed().as_secs_f64() * rate as f64 / records as f64) as u64;
        while if rate == 0 {
            chain.status().waiting < SATURATION_BACKLOG
        } else {
            submitted < due
        } {
            let transaction = ready.recv().await.ok_or("signer stopped")?;
            sent.lock()
                .expect("no panic")
                .insert(transaction.id(), Instant::now());
            match chain.submit(vec![transaction]) {
                Ok(()) => submitted += 1,
                Err(SubmitError::Busy { .. }) => {
                    busy += 1;
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
        if start.elapsed().as_secs() * 10 >= tenth * seconds {
            println!(
                "{:>8} s    height {}, {:.1} MiB",
                start.elapsed().as_secs(),
                chain.status().height,
                bytes_in(directory)? as f64 / 1048576.0
            );
            tenth += 1;
        }
        context.sleep(TICK).await;
    }
    let wall = start.elapsed().as_secs_f64();
    let counters = chain.status().counters;
    let disk = bytes_in(directory)?;
    sent.lock()
        .expect("no panic")
        .insert(cairn_ledger::TxId([0; 32]), Instant::now());
    let (mut latencies, mut finality, full) = measure.await?;
    let transactions = counters.transactions - before.transactions;
    let refused = counters.refused - before.refused;
    let done = ((transactions - refused) * records) as f64;
    println!(
        "records/s     {:.0} ({records} in a transaction)",
        done / wall
    );
    println!("transactions  {transactions} ({refused} refused, {busy} busy) in {wall:.1} s");
    println!(
        "blocks        {} ({full} with transactions)",
        counters.blocks - before.blocks
    );
    println!(
        "finality      p50 {:.0} ms, p99 {:.0} ms (block time to applied)",
        quantile(&mut finality, 0.5),
        quantile(&mut finality, 0.99)
    );
    println!(
        "submit-final  p50 {:.1} ms, p99 {:.1} ms",
        quantile(&mut latencies, 0.5),
        quantile(&mut latencies, 0.99)
    );
    println!(
        "disk          {:.1} MiB for {count} validators, {:.0} bytes per record and validator",
        disk as f64 / 1048576.0,
        (disk - disk_before) as f64 / done / count as f64
    );
    for line in fs::read_to_string("/proc/self/status")
        .unwrap_or_default()
        .lines()
    {
        if line.starts_with("VmHWM") || line.starts_with("VmRSS") {
            println!("{line}");
        }
    }
    for (validator, network) in validators {
        validator.stop().await;
        network.abort();
    }
    Ok(())
}

fn quantile(values: &mut [f64], q: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = ((values.len() as f64 - 1.0) * q).round().max(0.0) as usize;
    values.get(index).copied().unwrap_or(f64::NAN)
}

fn bytes_in(directory: &Path) -> Result<u64, std::io::Error> {
    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        // Files vanish while they are counted: pruning goes on.
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        bytes += if metadata.is_dir() {
            bytes_in(&entry.path())?
        } else {
            metadata.len()
        };
    }
    Ok(bytes)
}
