//! One chain against several on the same cores, with a relay chain between them (paper 002).

use std::{
    collections::HashMap,
    error::Error,
    num::NonZeroU16,
    time::{Duration, Instant},
};

use cairn_chain::{Chain, Finalized, limits::SMALL_CACHE_MIB};
use cairn_ledger::TxId;
use commonware_runtime::{Clock as _, tokio::Context};
use commonware_utils::channel::ring;
use futures::{FutureExt as _, StreamExt as _, future::try_join_all};

use crate::{
    Scope,
    chain::{CACHE_MIB, RECORDS, VALIDATORS},
    figure::{Chart, Figure, Kind, Line, Table},
    load::{self, Plan},
    measure::{Sample, quantile},
    network::{Cast, Network, Work, with_runtime},
    simulated,
};

/// Chains compared, the relay chain not counted.
const COUNTS: [usize; 4] = [1, 2, 3, 4];

/// Chains of paper 002's figure 9, the relay chain not counted: successes over time beside one chain.
const BESIDE_ONE: usize = 3;

/// Transactions that wait at most on each chain when successes are counted.
const BACKLOG: usize = 64;

/// Records a second of the comparison of delays, over all chains together: a load that one chain
/// carries with ease.
const EXCHANGE_RATE: f64 = 2_000.0;

/// Records in a transaction there.
const EXCHANGE_RECORDS: u64 = 20;

/// Every so many transactions is an exchange: it is done when the relay chain has recorded it too.
const EXCHANGE_EVERY: u64 = 10;

/// How often submissions are made and final blocks looked at.
const TICK: Duration = Duration::from_millis(1);

/// Table 5, second part.
pub fn chains(scope: Scope) -> Result<Table, Box<dyn Error>> {
    let (rounds, seconds, long) = if scope.quick { (1, 6, 15) } else { (3, 20, 60) };
    let mut carried: [Vec<f64>; COUNTS.len()] = Default::default();
    let mut delays: [Vec<f64>; COUNTS.len()] = Default::default();
    for round in 0..rounds {
        for (at, count) in COUNTS.into_iter().enumerate() {
            carried[at].push(throughput(count, round, seconds)?);
            let done = exchanges(
                count,
                &format!("exchange-{round}"),
                seconds,
                Some(EXCHANGE_RATE),
            )?;
            delays[at].extend(done.iter().map(|done| done.delay_ms));
        }
    }
    let nodes = simulated::nodes(scope);
    let simulated_delays = COUNTS.map(|count| simulated::exchanges(count, 50, EXCHANGE_EVERY));
    let alone = exchanges(1, "successes", long, None)?;
    let several = exchanges(BESIDE_ONE, "successes", long, None)?;

    let carried = carried.map(Sample::of);
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as f64;
    let mut figures = Vec::new();
    for (count, carried) in COUNTS.into_iter().zip(&carried) {
        let name = match count {
            1 => "token records, one chain".to_owned(),
            _ => format!("token records, {count} chains together"),
        };
        let figure = Figure::new(name, "records/s", *carried);
        figures.push(match count {
            1 => figure,
            _ => {
                let one = carried_by_one(&figures);
                figure.beside("one chain on the same cores", one).at_least(0.9 * one).note(
                    "target: 0.9 of one chain on the same cores. Each chain brings validators and blocks of its own, and so their fixed costs",
                )
            }
        });
    }
    for (count, carried) in COUNTS.into_iter().zip(&carried) {
        let plural = if count == 1 { "" } else { "s" };
        let name = format!("per core: token records, {count} chain{plural}");
        let per_core = Sample {
            median: carried.median / cores,
            spread: carried.spread / cores,
        };
        figures.push(Figure::new(name, "records/s", per_core));
    }
    // Paper 002 prints the means and, for several chains, the longest.
    let printed = [
        (Some(39.0), None),
        (Some(57.0), Some(102.0)),
        (None, None),
        (Some(47.0), Some(62.0)),
    ];
    for ((count, mut delays), (mean, longest)) in COUNTS.into_iter().zip(delays).zip(printed) {
        delays.sort_by(f64::total_cmp);
        let name = match count {
            1 => "one chain".to_owned(),
            _ => format!("{count} chains and a relay chain"),
        };
        let spread = quantile(&delays, 0.75) - quantile(&delays, 0.25);
        let ms = |what: &str, median, paper: Option<f64>| {
            let figure = Figure::new(
                format!("delay, {name}: {what}"),
                "ms",
                Sample { median, spread },
            );
            match paper {
                Some(paper) => figure.paper(paper),
                None => figure,
            }
        };
        let mean_delay = delays.iter().sum::<f64>() / delays.len() as f64;
        figures.push(ms("mean", mean_delay, mean));
        figures.push(ms("longest", quantile(&delays, 1.0), longest));
    }
    for (count, delays) in COUNTS.into_iter().zip(&simulated_delays) {
        let name = match count {
            1 => "one chain".to_owned(),
            _ => format!("{count} chains and a relay chain"),
        };
        let spread = quantile(delays, 0.75) - quantile(delays, 0.25);
        let mean = delays.iter().sum::<f64>() / delays.len() as f64;
        for (what, median) in [("mean", mean), ("longest", quantile(delays, 1.0))] {
            let name = format!("delay, {name}, simulated: {what}");
            figures.push(Figure::new(name, "ms", Sample { median, spread }));
        }
    }
    let per_s = |done: &[Done]| Sample::exact(done.len() as f64 / long as f64);
    let (one, more) = (per_s(&alone), per_s(&several));
    figures.push(Figure::new("successes, one chain", "transactions/s", one));
    figures.push(
        Figure::new(
            format!("successes, {BESIDE_ONE} chains and a relay chain"),
            "transactions/s",
            more,
        )
        .beside("one chain on the same cores", one.median)
        .note("paper 002, figure 9: two to three times the successes of one chain, on that many times the machines; a clear fall at 180 s"),
    );
    figures.extend(nodes.iter().map(|nodes| {
        let delays = Sample {
            median: quantile(&nodes.delays_ms, 0.5),
            spread: quantile(&nodes.delays_ms, 0.75) - quantile(&nodes.delays_ms, 0.25),
        };
        Figure::new(
            format!("{} validators, simulated: delay", nodes.validators),
            "ms",
            delays,
        )
        .floor(simulated::FLOOR_MS)
    }));
    let bars = |wanted: &str| {
        let wanted = figures
            .iter()
            .filter(|figure| figure.name.starts_with(wanted));
        let bars = wanted.map(|figure| (format!("Cairn, {}", figure.name), figure.ours));
        bars.collect::<Vec<_>>()
    };
    let carried = Chart {
        file: "chains",
        title: "Token records per second of all chains together, on the same cores".into(),
        kind: Kind::Bars("/s", bars("token records")),
    };
    let line = |name: &str, of: fn(&simulated::Nodes) -> f64| Line {
        name: name.into(),
        points: nodes
            .iter()
            .map(|nodes| (nodes.validators as f64, of(nodes)))
            .collect(),
    };
    let lines = vec![
        line("delay until final", |nodes| quantile(&nodes.delays_ms, 0.5)),
        line("work for a block, all together", |nodes| nodes.work_ms),
    ];
    Ok(Table {
        title: "Several chains",
        text: format!(
            "Every chain has {VALIDATORS} validators; all run in one process on the same cores, {seconds} s a round. Throughput: as much as the chains take, batches \
             of {RECORDS}. Delay: {EXCHANGE_RATE:.0} records/s over all chains together; every tenth transaction is an exchange and done when the relay chain has \
             recorded it too (with one chain: that chain, in a second transaction). Paper 002 compared n chains on n times the machines. Simulated: the \
             deterministic runtime, links of 10 ms ± 2 ms, time of the simulation; one validator hands in and waits. Floor there: three message delays \
             of consensus and one to the leader. Simulated delays of several chains: each has machines of its own, one transaction in 100 ms. Successes: \
             {EXCHANGE_RECORDS} records each, as many as the chains take for {long} s, an exchange counts when the relay chain has it."
        ),
        figures,
        charts: vec![
            carried,
            Chart {
                file: "validators",
                title: "Delay and work over the number of validators of one chain (simulated)"
                    .into(),
                kind: Kind::Lines("validators", "ms", lines),
            },
            Chart {
                file: "successes",
                title: "Successful transactions over time, on the same cores".into(),
                kind: Kind::Lines(
                    "s",
                    "transactions so far",
                    vec![
                        successes("one chain", &alone, long),
                        successes("3 chains and a relay chain", &several, long),
                    ],
                ),
            },
        ],
    })
}

fn carried_by_one(figures: &[Figure]) -> f64 {
    figures.first().map_or(f64::NAN, |figure| figure.ours)
}

/// Records a second of `count` chains together, each loaded as far as it goes.
fn throughput(count: usize, round: usize, seconds: u64) -> Result<f64, Box<dyn Error>> {
    let plan = Plan {
        work: Work::Tokens,
        records: RECORDS,
        seconds,
        rate: None,
    };
    with_runtime(async |context| {
        let networks = start(&context, count, &format!("most-{round}")).await?;
        let loads = networks
            .iter()
            .map(|network| load::run(&context, network, plan));
        let outcomes = try_join_all(loads).await;
        for network in networks {
            network.stop().await;
        }
        Ok(outcomes?.iter().map(|outcome| outcome.records_per_s).sum())
    })
}

async fn start(
    context: &Context,
    count: usize,
    name: &str,
) -> Result<Vec<Network>, Box<dyn Error>> {
    let mut networks = Vec::new();
    // All chains together have the memory that one alone would have.
    let share = u16::try_from(count).map(|count| CACHE_MIB.get() / count);
    let cache_mib = share
        .ok()
        .and_then(NonZeroU16::new)
        .unwrap_or(SMALL_CACHE_MIB);
    for number in 0..count {
        let name = format!("{name}-{count}-{number}");
        networks.push(Network::start(context, &name, VALIDATORS, cache_mib).await?);
    }
    Ok(networks)
}

/// A chain, what was submitted to it, and who waits since when.
struct Lane<'a> {
    chain: &'a Chain<Context>,
    cast: &'a Cast,
    blocks: ring::Receiver<Finalized>,
    nonce: u64,
    waiting: HashMap<TxId, (Instant, bool)>,
}

impl<'a> Lane<'a> {
    fn new(network: &'a Network) -> Self {
        Self {
            chain: network.chain(),
            cast: &network.cast,
            blocks: network.chain().finalized(),
            nonce: 0,
            waiting: HashMap::new(),
        }
    }

    /// Submits a transaction for something that began at `since`; `relayed` says that its record
    /// has to go on to the relay chain.
    fn submit(&mut self, since: Instant, relayed: bool) -> Result<(), Box<dyn Error>> {
        self.nonce += 1;
        let transaction = self.cast.batch(self.nonce, EXCHANGE_RECORDS);
        self.waiting.insert(transaction.id(), (since, relayed));
        Ok(self.chain.submit(vec![transaction])?)
    }

    /// What has become final since the last call.
    fn done(&mut self) -> Vec<(Instant, bool)> {
        let mut done = Vec::new();
        while let Some(Some(block)) = self.blocks.next().now_or_never() {
            let receipts = block.receipts.iter();
            done.extend(receipts.filter_map(|receipt| self.waiting.remove(&receipt.transaction)));
        }
        done
    }
}

/// How many there are after each second.
fn successes(name: &str, done: &[Done], seconds: u64) -> Line {
    let points = (1..=seconds).map(|second| {
        let until = done.iter().filter(|done| done.at_s <= second as f64);
        (second as f64, until.count() as f64)
    });
    Line {
        name: name.into(),
        points: points.collect(),
    }
}

/// A transaction or exchange that is done.
struct Done {
    /// When, in seconds since the first was handed in.
    at_s: f64,
    /// How long it took.
    delay_ms: f64,
}

/// Transactions and exchanges that are done within `seconds`; at `rate` records a second of all chains
/// together, or as many as they take. At a rate, those that were handed in in time are waited for.
fn exchanges(
    count: usize,
    name: &str,
    seconds: u64,
    rate: Option<f64>,
) -> Result<Vec<Done>, Box<dyn Error>> {
    with_runtime(async |context| {
        let with_relay = if count == 1 { 1 } else { count + 1 };
        let networks = start(&context, with_relay, name).await?;
        let mut lanes: Vec<_> = networks.iter().map(Lane::new).collect();
        let relay = lanes.len() - 1;
        let (mut all, mut submitted) = (Vec::new(), 0);
        let start = Instant::now();
        loop {
            let elapsed = start.elapsed();
            let over = elapsed >= Duration::from_secs(seconds);
            let is_waiting = lanes.iter().any(|lane| !lane.waiting.is_empty());
            if over && (rate.is_none() || !is_waiting) {
                break;
            }
            let due = |rate: f64| (elapsed.as_secs_f64() * rate / EXCHANGE_RECORDS as f64) as u64;
            while !over && rate.is_none_or(|rate| submitted < due(rate)) {
                let lane = submitted as usize % count;
                if rate.is_none() && lanes[lane].waiting.len() >= BACKLOG {
                    // The next round begins with the next chain, so that none waits for another.
                    submitted += 1;
                    if lanes[..count]
                        .iter()
                        .all(|lane| lane.waiting.len() >= BACKLOG)
                    {
                        break;
                    }
                    continue;
                }
                submitted += 1;
                let is_exchange = lanes[lane].nonce % EXCHANGE_EVERY == 0;
                lanes[lane].submit(Instant::now(), is_exchange)?;
            }
            let done: Vec<_> = lanes.iter_mut().flat_map(Lane::done).collect();
            let now = Instant::now();
            for (since, relayed) in done {
                if relayed {
                    lanes[relay].submit(since, false)?;
                } else {
                    all.push(Done {
                        at_s: now.duration_since(start).as_secs_f64(),
                        delay_ms: now.duration_since(since).as_secs_f64() * 1e3,
                    });
                }
            }
            context.sleep(TICK).await;
        }
        drop(lanes);
        for network in networks {
            network.stop().await;
        }
        Ok(all)
    })
}
