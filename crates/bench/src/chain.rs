//! What one chain carries: four validators in this process, over TCP, on disk.

use std::{error::Error, num::NonZeroU16};

use cairn_ledger::transaction::verify_signatures;
use commonware_parallel::Sequential;
use commonware_utils::NZU16;
use rand::{SeedableRng as _, rngs::StdRng};

use crate::{
    Scope,
    figure::{Figure, Table},
    ledger::{START_MS, State},
    load::{self, Outcome, Plan},
    measure::{Sample, alternate, quantile, repeated, timed},
    network::{Cast, Network, Work, with_runtime},
};

/// Validators of a chain.
pub const VALIDATORS: u64 = 4;

/// Tokens in a transaction: what an RSU gathers in its interval.
pub const RECORDS: u64 = 100;

/// Each validator's memory for its state, in MiB: so that the tokens of ten seconds at that load fit.
pub const CACHE_MIB: NonZeroU16 = NZU16!(256);

/// The load that is wanted, in token records a second.
const WANTED: f64 = 50_000.0;

/// Table 5, first part.
pub fn chain(scope: Scope) -> Result<Table, Box<dyn Error>> {
    let seconds = if scope.quick { 8 } else { 60 };
    let plan = Plan {
        work: Work::Tokens,
        records: RECORDS,
        seconds,
        rate: None,
    };
    let [most, tenth, single] = with_runtime(async |context| {
        let run = async |name, plan| {
            let network = Network::start(&context, name, VALIDATORS, CACHE_MIB).await?;
            let outcome = load::run(&context, &network, plan).await;
            network.stop().await;
            outcome
        };
        Ok([
            run("most", plan).await?,
            run(
                "tenth",
                Plan {
                    rate: Some(WANTED / 10.0),
                    ..plan
                },
            )
            .await?,
            run("single", Plan { records: 1, ..plan }).await?,
        ])
    })?;
    let floor = floor(scope);
    let ms = |name: &str, sorted: &[f64], share| {
        let value = Sample {
            median: quantile(sorted, share),
            spread: quantile(sorted, 0.75) - quantile(sorted, 0.25),
        };
        Figure::new(name, "ms", value)
    };
    let rate = |name: &str, outcome: &Outcome| {
        Figure::new(name, "records/s", Sample::exact(outcome.records_per_s))
    };
    let figures = vec![
        rate("token records, batches of 100", &most)
            .beside("one record in a transaction", single.records_per_s)
            .floor(floor)
            .at_least(WANTED)
            .note("floor: checking the signature and executing the batch in memory, by four validators on the cores there are, and nothing else"),
        ms("finality at that load, p50", &most.finality_ms, 0.5)
            .at_most(50.0)
            .note("from a block's time until it is applied"),
        ms("finality at that load, p99", &most.finality_ms, 0.99),
        ms("from handing in to executed at that load, p50", &most.handed_in_ms, 0.5)
            .note("128 transactions are kept waiting, so that no block is short: most of this is their queue"),
        rate("a tenth of the wanted load, carried", &tenth).beside("submitted", WANTED / 10.0),
        ms("from handing in to executed at a tenth, p50", &tenth.handed_in_ms, 0.5).at_most(20.0),
        ms("from handing in to executed at a tenth, p99", &tenth.handed_in_ms, 0.99),
        rate("one record in a transaction", &single),
    ];
    Ok(Table {
        title: "One chain",
        text: format!(
            "{VALIDATORS} validators in one process over TCP on the loopback interface, each with its own state on disk and {CACHE_MIB} MiB of memory for it; {seconds} s of load each. \
             Consensus is of the PBFT family (Simplex). A record is a token that an RSU mints for a login."
        ),
        figures,
        charts: Vec::new(),
    })
}

/// Records a second, if validators did nothing but check signatures and execute, on all cores.
fn floor(scope: Scope) -> f64 {
    let (cast, _) = Cast::new("floor", VALIDATORS, START_MS);
    let chain = cast.genesis.chain_id();
    let transaction = cast.batch(1, RECORDS);
    let mut rng = StdRng::seed_from_u64(1);
    let [[check]] = alternate(
        scope.rounds(),
        [repeated(|| {
            assert!(verify_signatures(
                &chain,
                &[&transaction],
                &mut rng,
                &Sequential
            ));
        })],
    );
    let mut state = State::new(cast.genesis.clone());
    cast.preparation()
        .iter()
        .for_each(|transaction| state.run(transaction));
    let mut nonces = 1..;
    let execute = (0..scope.rounds()).map(|_| {
        let batches = nonces
            .by_ref()
            .take(16)
            .map(|nonce| cast.batch(nonce, RECORDS));
        timed(batches.collect::<Vec<_>>(), |batch| state.run(&batch)).1
    });
    let execute = Sample::of(execute.collect());
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as f64;
    RECORDS as f64 / (check.median + execute.median) * cores / VALIDATORS as f64
}
