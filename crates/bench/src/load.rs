//! Records submitted to a chain, at a rate or as fast as it takes them.

use std::{
    collections::HashMap,
    error::Error,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use cairn_chain::SubmitError;
use cairn_ledger::{SignedTransaction, TxId};
use commonware_runtime::{Clock as _, Handle, Spawner as _, Supervisor as _, tokio::Context};
use commonware_utils::channel::mpsc;
use futures::StreamExt as _;

use crate::network::{Network, Work};

/// Transactions that wait at most when there is no rate: a few blocks' worth.
const SATURATION_BACKLOG: usize = 128;

/// Time between two submissions.
const TICK: Duration = Duration::from_millis(5);

/// Transactions signed ahead.
const SIGNED_AHEAD: usize = 256;

/// What is submitted.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// What the records are.
    pub work: Work,
    /// Records in one signed transaction of the RSU, 1 to 256.
    pub records: u64,
    /// How long.
    pub seconds: u64,
    /// Records a second; `None` is as many as the chain takes.
    pub rate: Option<f64>,
}

/// What became of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Records executed a second.
    pub records_per_s: f64,
    /// From handing a transaction in until it was executed, milliseconds, sorted.
    pub handed_in_ms: Vec<f64>,
    /// From a block's time until it was applied, milliseconds, sorted.
    pub finality_ms: Vec<f64>,
}

/// Who waits for what since when.
type Waiting = Arc<Mutex<HashMap<TxId, Instant>>>;

/// Submits to a chain until the plan's time is over.
pub async fn run(
    context: &Context,
    network: &Network,
    plan: Plan,
) -> Result<Outcome, Box<dyn Error>> {
    let chain = network.chain();
    let mut ready = signer(context, network, plan);
    let (waiting, over) = (Waiting::default(), Arc::new(AtomicBool::new(false)));
    let watcher = watch(context, network, waiting.clone(), over.clone());

    let before = chain.status().counters;
    let start = Instant::now();
    let mut submitted = 0;
    while start.elapsed() < Duration::from_secs(plan.seconds) {
        let elapsed = start.elapsed().as_secs_f64();
        let due = |rate: f64| submitted < (elapsed * rate / plan.records as f64) as u64;
        let wanted = match plan.rate {
            Some(rate) => due(rate),
            None => chain.status().waiting < SATURATION_BACKLOG,
        };
        if !wanted {
            context.sleep(TICK).await;
            continue;
        }
        let transaction = ready.recv().await.ok_or("the signer stopped")?;
        let id = transaction.id();
        lock(&waiting).insert(id, Instant::now());
        match chain.submit(vec![transaction]) {
            Ok(()) => submitted += 1,
            Err(SubmitError::Busy { .. }) => {
                lock(&waiting).remove(&id);
                context.sleep(TICK).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    let wall = start.elapsed().as_secs_f64();
    let after = chain.status().counters;
    over.store(true, Ordering::Relaxed);
    let (mut handed_in_ms, mut finality_ms) = watcher.await?;
    handed_in_ms.sort_by(f64::total_cmp);
    finality_ms.sort_by(f64::total_cmp);
    let executed = after.transactions - before.transactions - (after.refused - before.refused);
    Ok(Outcome {
        records_per_s: (executed * plan.records) as f64 / wall,
        handed_in_ms,
        finality_ms,
    })
}

/// Signing is the client's work; it happens ahead, on its own thread.
fn signer(context: &Context, network: &Network, plan: Plan) -> mpsc::Receiver<SignedTransaction> {
    let (signed, ready) = mpsc::channel(SIGNED_AHEAD);
    let cast = network.cast.clone();
    context
        .child("signer")
        .dedicated()
        .spawn(move |_| async move {
            for nonce in 1.. {
                if signed
                    .send(cast.transaction(plan.work, nonce, plan.records))
                    .await
                    .is_err()
                {
                    return;
                }
            }
        });
    ready
}

/// Listens to final blocks until the load is over: milliseconds for each transaction, and for each
/// block that has some. A chain makes a block a second at least, so the end is noticed.
fn watch(
    context: &Context,
    network: &Network,
    waiting: Waiting,
    over: Arc<AtomicBool>,
) -> Handle<(Vec<f64>, Vec<f64>)> {
    let chain = network.chain().clone();
    context.child("watch").spawn(move |_| async move {
        let (mut handed_in, mut finality) = (Vec::new(), Vec::new());
        let mut blocks = chain.finalized();
        while let Some(block) = blocks.next().await {
            if over.load(Ordering::Relaxed) {
                break;
            }
            let now = Instant::now();
            let mut waiting = lock(&waiting);
            for receipt in block.receipts.iter() {
                if let Some(since) = waiting.remove(&receipt.transaction) {
                    handed_in.push(now.duration_since(since).as_secs_f64() * 1e3);
                }
            }
            if !block.receipts.is_empty() {
                finality.push(block.latency_ms as f64);
            }
        }
        (handed_in, finality)
    })
}

fn lock(waiting: &Waiting) -> std::sync::MutexGuard<'_, HashMap<TxId, Instant>> {
    waiting.lock().expect("nobody panics with the lock")
}
