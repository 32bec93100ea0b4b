//! Chains of many validators in the deterministic runtime: more than two cores carry in real time.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use cairn_chain::{
    Finalized, Validator, limits::SMALL_CACHE_MIB, runtime_clock, simulated::SimulatedNetwork,
};
use cairn_ledger::TxId;
use commonware_p2p::simulated::Link;
use commonware_runtime::{
    Clock as _, Runner as _, Supervisor as _,
    deterministic::{self, Context},
};
use commonware_utils::{channel::ring, probability};
use cpu_time::ThreadTime;
use futures::{FutureExt as _, StreamExt as _};

use crate::{Scope, network::Cast};

/// Delay of a link, milliseconds.
const LATENCY_MS: u64 = 10;

/// To the leader, then proposal, notarization and finalization.
pub const FLOOR_MS: f64 = 4.0 * LATENCY_MS as f64;

/// Records in a transaction.
const RECORDS: u64 = 100;

/// Time between two transactions.
const PAUSE: Duration = Duration::from_millis(100);

/// Where one look at the simulation follows the other.
const TICK: Duration = Duration::from_millis(1);

/// A chain of this size.
#[derive(Clone, Debug)]
pub struct Nodes {
    /// Its validators.
    pub validators: u64,
    /// From handing in until final, milliseconds of the simulation, sorted.
    pub delays_ms: Vec<f64>,
    /// Processor time of all validators together for one block, milliseconds.
    pub work_ms: f64,
}

/// Chains of growing size.
pub fn nodes(scope: Scope) -> Vec<Nodes> {
    let sizes: &[u64] = if scope.quick {
        &[4, 7, 10, 16]
    } else {
        &[4, 7, 10, 16, 31, 52, 100]
    };
    let transactions = if scope.quick { 10 } else { 20 };
    sizes
        .iter()
        .map(|size| simulate(*size, transactions))
        .collect()
}

/// A chain in the simulation, with what waits on it since when.
struct Simulated {
    cast: Cast,
    validators: Vec<Validator<Context>>,
    blocks: ring::Receiver<Finalized>,
    nonce: u64,
    waiting: HashMap<TxId, (SystemTime, bool)>,
}

impl Simulated {
    /// Brings a chain up on links and machines of its own.
    async fn start(context: &Context, name: &'static str, count: u64) -> Self {
        let (cast, dealing) = Cast::new(name, count, 0);
        let link = Link {
            latency: Duration::from_millis(LATENCY_MS),
            jitter: Duration::from_millis(2),
            success_rate: probability!(1.0),
        };
        let context = context.child("chain").with_attribute("name", name);
        let keys = cast.genesis.validators.clone();
        let network = SimulatedNetwork::start(context.child("network"), keys.clone(), link).await;
        let network = network.expect("a network of distinct validators");
        let mut validators = Vec::new();
        for (index, identity) in cast.identities.iter().enumerate() {
            let links = network
                .links(&commonware_cryptography::Signer::public_key(identity))
                .await;
            let config = cast.config(&dealing, index, format!("{name}-{index}"), SMALL_CACHE_MIB);
            let context = context.child("validator").with_attribute("index", index);
            let clock = runtime_clock(context.child("clock"));
            let links = links.expect("a validator of the network");
            let started = cairn_simulation::start_validator(context, config, links, clock).await;
            validators.push(started.expect("an empty directory"));
        }
        let chain = validators[0].chain();
        let mut blocks = chain.finalized();
        for transaction in cast.preparation() {
            chain.submit(vec![transaction]).expect("room in the pool");
            while blocks
                .next()
                .await
                .expect("the chain runs")
                .receipts
                .is_empty()
            {}
        }
        Self {
            cast,
            validators,
            blocks,
            nonce: 0,
            waiting: HashMap::new(),
        }
    }

    /// Blocks made so far.
    fn made(&self) -> u64 {
        self.validators[0].chain().status().counters.blocks
    }

    /// Hands in a transaction for something that began at `since`; `relayed` says that its record has
    /// to go on to the relay chain.
    fn submit(&mut self, since: SystemTime, relayed: bool) {
        self.nonce += 1;
        let transaction = self.cast.batch(self.nonce, RECORDS);
        self.waiting.insert(transaction.id(), (since, relayed));
        let chain = self.validators[0].chain();
        chain.submit(vec![transaction]).expect("room in the pool");
    }

    /// What has become final since the last call.
    fn done(&mut self) -> Vec<(SystemTime, bool)> {
        let mut done = Vec::new();
        while let Some(Some(block)) = self.blocks.next().now_or_never() {
            let receipts = block.receipts.iter();
            done.extend(receipts.filter_map(|receipt| self.waiting.remove(&receipt.transaction)));
        }
        done
    }
}

fn runner() -> deterministic::Runner {
    let config = deterministic::Config::new()
        .with_seed(1)
        .with_timeout(Some(Duration::from_secs(600)));
    deterministic::Runner::new(config)
}

fn ms_since(since: SystemTime, now: SystemTime) -> f64 {
    now.duration_since(since).unwrap_or_default().as_secs_f64() * 1e3
}

fn simulate(validators: u64, transactions: u64) -> Nodes {
    runner().start(|context| async move {
        let mut chain = Simulated::start(&context, "simulated", validators).await;
        let (start, first) = (ThreadTime::now(), chain.made());
        let mut delays_ms = Vec::new();
        let mut next = context.current();
        while chain.nonce < transactions || !chain.waiting.is_empty() {
            let now = context.current();
            if chain.nonce < transactions && now >= next {
                next += PAUSE;
                chain.submit(now, false);
            }
            let done = chain.done().into_iter();
            delays_ms.extend(done.map(|(since, _)| ms_since(since, now)));
            context.sleep(TICK).await;
        }
        let made = chain.made() - first;
        let work_ms = start.elapsed().as_secs_f64() * 1e3 / made as f64;
        delays_ms.sort_by(f64::total_cmp);
        Nodes {
            validators,
            delays_ms,
            work_ms,
        }
    })
}

/// Delays of paper 002's figure 8 where each chain has its own machines: from handing in until final,
/// milliseconds of the simulation, sorted. Every chain takes `transactions`, of which every `every`th is an exchange:
/// done when the relay chain, or the only chain, has recorded it too.
pub fn exchanges(count: usize, transactions: u64, every: u64) -> Vec<f64> {
    const NAMES: [&str; 5] = ["relay", "one", "two", "three", "four"];
    runner().start(|context| async move {
        let names = if count == 1 {
            &NAMES[..1]
        } else {
            &NAMES[..=count]
        };
        let mut chains = Vec::new();
        for name in names {
            chains.push(Simulated::start(&context, name, 4).await);
        }
        // The relay chain comes first; with one chain it is that chain.
        let members = if count == 1 { 0..1 } else { 1..chains.len() };
        let mut delays_ms = Vec::new();
        let mut next = context.current();
        let mut submitted = 0;
        while submitted < transactions || chains.iter().any(|chain| !chain.waiting.is_empty()) {
            let now = context.current();
            if submitted < transactions && now >= next {
                next += PAUSE;
                submitted += 1;
                for chain in &mut chains[members.clone()] {
                    chain.submit(now, submitted % every == 0);
                }
            }
            let done: Vec<_> = chains.iter_mut().flat_map(Simulated::done).collect();
            for (since, relayed) in done {
                match relayed {
                    true => chains[0].submit(since, false),
                    false => delays_ms.push(ms_since(since, now)),
                }
            }
            context.sleep(TICK).await;
        }
        delays_ms.sort_by(f64::total_cmp);
        delays_ms
    })
}
