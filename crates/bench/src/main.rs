//! Cairn beside the published schemes that it replaces.
//!
//! ```text
//! cargo run --release -p cairn-bench -- attack
//! cargo run --release -p cairn-bench -- all --markdown docs/benchmarks.md
//! ```
//!
//! `attack` runs every attack of [`cairn_baselines::ATTACKS`] against the scheme that it was found
//! in, and then the same attempt against Cairn's own code. The other commands measure: each is a
//! module of its name, and makes one or more tables of [`figure`]s.

mod audit;
mod chain;
mod chains;
mod chart;
mod crypto;
mod danger;
mod figure;
mod gallery;
mod growth;
mod issuers;
mod ledger;
mod load;
mod login;
mod measure;
mod network;
mod report;
mod simulated;
mod sustained;
mod town;

use std::{error::Error, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use figure::Table;
use report::Report;

#[derive(Parser)]
#[command(version, about = "Cairn beside the published schemes that it replaces")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Attack each published scheme, then Cairn in the same way. Exit code 0 if and only if every
    /// attack works there and fails here.
    Attack {
        /// Seed of all random numbers.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Bytes, processor time and storage of registration, login and handover.
    Login(Options),
    /// Records a second and finality of one chain.
    Chain(Options),
    /// Token records on one chain for as long as wanted, with disk and memory.
    Load(sustained::Options),
    /// One chain against several with a relay chain, and chains of many validators.
    Chains(Options),
    /// Tags, proofs and verification of stored files.
    Audit(Options),
    /// Danger evaluations with 2, 4 and 8 voters.
    Danger(Options),
    /// SM2, SM3 and SM4 beside OpenSSL.
    Crypto(Options),
    /// How cost grows with the number of vehicles, members and records.
    Growth(Options),
    /// Everything that is measured.
    All(Options),
}

/// How to measure, and where to write.
#[derive(Args)]
struct Options {
    /// Fewer rounds and smaller sizes: everything within ten minutes.
    #[arg(long)]
    quick: bool,
    /// Write the figures as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write a page with tables and charts.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

/// How much to measure.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    /// Within ten minutes.
    pub quick: bool,
}

impl Scope {
    /// Rounds of a measurement of processor time.
    pub const fn rounds(self) -> usize {
        if self.quick { 9 } else { 25 }
    }
}

/// A module's measurement.
type Measure = fn(Scope) -> Result<Table, Box<dyn Error>>;

const LOGIN: &[Measure] = &[
    |_| Ok(login::bytes()),
    |scope| Ok(login::time(scope)),
    |_| Ok(login::storage()),
];
const CHAIN: &[Measure] = &[chain::chain];
const CHAINS: &[Measure] = &[chains::chains];
const AUDIT: &[Measure] = &[|scope| Ok(audit::audit(scope))];
const DANGER: &[Measure] = &[danger::danger];
const CRYPTO: &[Measure] = &[|scope| Ok(crypto::crypto(scope))];
const GROWTH: &[Measure] = &[growth::growth];

fn main() -> ExitCode {
    let (measures, options) = match Arguments::parse().command {
        Command::Attack { seed } if gallery::show(seed) => return ExitCode::SUCCESS,
        Command::Attack { .. } => return ExitCode::FAILURE,
        Command::Load(options) => return code(sustained::run(&options)),
        Command::Login(options) => (LOGIN.to_vec(), options),
        Command::Chain(options) => (CHAIN.to_vec(), options),
        Command::Chains(options) => (CHAINS.to_vec(), options),
        Command::Audit(options) => (AUDIT.to_vec(), options),
        Command::Danger(options) => (DANGER.to_vec(), options),
        Command::Crypto(options) => (CRYPTO.to_vec(), options),
        Command::Growth(options) => (GROWTH.to_vec(), options),
        Command::All(options) => (
            [LOGIN, AUDIT, CHAIN, CHAINS, DANGER, CRYPTO, GROWTH].concat(),
            options,
        ),
    };
    code(measure(&measures, &options))
}

fn code(result: Result<(), Box<dyn Error>>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(measures: &[Measure], options: &Options) -> Result<(), Box<dyn Error>> {
    let quick = options.quick;
    let mut report = Report::begin(quick);
    for measure in measures {
        report.add(measure(Scope { quick })?);
    }
    println!("\n{}", report.summary());
    if let Some(path) = &options.json {
        report.json(path)?;
    }
    if let Some(path) = &options.markdown {
        report.markdown(path)?;
    }
    Ok(())
}
