//! `cairn-bench load`: token records offered to one chain for as long as wanted, with what they leave on disk and
//! in memory. Its lines show whether disk and memory stop growing.

use std::{error::Error, fs, io, num::NonZeroU16, path::Path, time::Duration};

use clap::Args;
use commonware_runtime::{Clock as _, Spawner as _, Supervisor as _, tokio::Context};

use crate::{
    chain::CACHE_MIB,
    load::{self, Plan},
    measure::quantile,
    network::{Network, Work, with_runtime_in},
    report,
};

/// Lines while the load runs.
const LINES: u32 = 10;

const MIB: f64 = 1_048_576.0;

/// What is offered.
#[derive(Args)]
pub struct Options {
    /// Tokens in one signed transaction of an RSU.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=256))]
    records: u64,
    /// How long.
    #[arg(long, value_name = "S", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Tokens a second; without it, as many as the chain takes.
    #[arg(long, value_name = "N")]
    rate: Option<u32>,
    /// Each validator's memory for its state, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = CACHE_MIB)]
    cache: NonZeroU16,
    /// Validators, in this process.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=32))]
    validators: u64,
}

/// Runs the load and prints what became of it.
pub fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    println!("{}\n", report::place());
    let directory = tempfile::tempdir()?;
    let path = directory.path();
    let plan = Plan {
        work: Work::Tokens,
        records: options.records,
        seconds: options.seconds,
        rate: options.rate.map(f64::from),
    };
    let before = bytes_in(path)?;
    let outcome = with_runtime_in(path, async |context| {
        let network = Network::start(&context, "load", options.validators, options.cache).await?;
        let lines = lines(&context, &network, path, options);
        let outcome = load::run(&context, &network, plan).await;
        lines.abort();
        network.stop().await;
        outcome
    })?;
    let disk = bytes_in(path)?;
    let all = outcome.records_per_s * options.seconds as f64 * options.validators as f64;
    println!("\nrecords/s       {:.0}", outcome.records_per_s);
    for (name, sorted) in [
        ("finality", &outcome.finality_ms),
        ("handed in", &outcome.handed_in_ms),
    ] {
        println!(
            "{name:<15} p50 {:.1} ms, p99 {:.1} ms until executed",
            quantile(sorted, 0.5),
            quantile(sorted, 0.99)
        );
    }
    println!(
        "disk            {:.1} MiB, {:.0} bytes for each record and validator",
        disk as f64 / MIB,
        (disk - before) as f64 / all
    );
    println!("memory          {} at most", memory("VmHWM"));
    Ok(())
}

/// Prints records a second, height, disk and memory now and then.
fn lines(
    context: &Context,
    network: &Network,
    path: &Path,
    options: &Options,
) -> commonware_runtime::Handle<()> {
    let (chain, path) = (network.chain().clone(), path.to_owned());
    let pause = Duration::from_secs(options.seconds) / LINES;
    let each = options.records as f64 / pause.as_secs_f64();
    context.child("lines").spawn(move |context| async move {
        let mut before = chain.status().counters.transactions;
        for line in 1..=LINES {
            context.sleep(pause).await;
            let transactions = chain.status().counters.transactions;
            let records_per_s = (transactions - before) as f64 * each;
            before = transactions;
            println!(
                "{:>6.0} s  {records_per_s:>7.0} records/s  height {:>7}  disk {:>8.1} MiB  memory {}",
                (pause * line).as_secs_f64(),
                chain.status().height,
                bytes_in(&path).unwrap_or_default() as f64 / MIB,
                memory("VmRSS"),
            );
        }
    })
}

/// A line of what Linux says of this process; other systems say nothing.
fn memory(name: &str) -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut lines = status.lines().filter_map(|line| line.strip_prefix(name));
    let found = lines.next().and_then(|rest| rest.strip_prefix(':'));
    found.map_or_else(|| "unknown".into(), |text| text.trim().to_owned())
}

/// Files vanish while they are counted: pruning goes on.
fn bytes_in(directory: &Path) -> io::Result<u64> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    let mut bytes = 0;
    for entry in entries {
        let entry = entry?;
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
