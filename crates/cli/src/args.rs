//! What can be typed.

use clap::{Args as ClapArgs, Parser, Subcommand};
use std::{net::SocketAddr, path::PathBuf};

/// The most validators of an embedded network: every one of them executes every transaction, and
/// their messages grow with the square of their number.
const MAX_EMBEDDED_VALIDATORS: u64 = 32;

/// A trust network for connected vehicles and industrial devices.
#[derive(Debug, Parser)]
#[command(name = "cairn", version, max_term_width = 100)]
pub struct Args {
    /// Write structured logs (JSON lines) to standard error, for example "info" or
    /// "cairn_node=debug,warn"; takes the place of the progress bar
    #[arg(long, global = true, value_name = "FILTER")]
    pub log: Option<String>,

    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// See it work: a road network in this process, and five minutes of traffic in one
    Demo(Demo),
    /// The same on your own traffic
    Replay(Replay),
    /// Keep files and prove that they are all there
    #[command(subcommand)]
    File(File),
}

/// What both runs of an embedded network have in common.
#[derive(Debug, ClapArgs)]
pub struct Common {
    /// Validators of the road chain, 1 to 32; fewer than 4 tolerate no fault
    #[arg(long, value_name = "N", default_value_t = 4,
          value_parser = clap::value_parser!(u64).range(1..=MAX_EMBEDDED_VALIDATORS))]
    pub validators: u64,

    /// Radio range in metres
    #[arg(long, value_name = "METRES", default_value_t = 500.0)]
    pub range: f64,

    /// Milliseconds between two batches that an RSU puts on the ledger
    #[arg(long, value_name = "MS", default_value_t = 50,
          value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub batch: u64,

    /// Draw everything random, keys included, from this number instead of the system: for
    /// experiments that are to be repeated
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,

    /// Keep the network in this directory; a second start continues its ledger
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,

    /// Write the report as JSON
    #[arg(long, value_name = "FILE.json")]
    pub report: Option<PathBuf>,

    /// Serve status (/) and counters (/metrics) over HTTP while the network runs, for example at
    /// 127.0.0.1:9090
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,

    /// Keep the network up after the traffic, until Ctrl-C
    #[arg(long)]
    pub hold: bool,
}

#[derive(Debug, ClapArgs)]
pub struct Demo {
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, ClapArgs)]
pub struct Replay {
    /// Traffic: SUMO floating-car data (FCD) in XML, plain or .gz
    #[arg(long, value_name = "FILE")]
    pub trace: PathBuf,

    /// x and y of the trace are longitude and latitude (SUMO's --fcd-output.geo)
    #[arg(long)]
    pub geo: bool,

    /// RSU sites: CSV with the columns site_id, x_m, y_m (with --geo: lon, lat); with a column
    /// "picked", only rows that have 1 there. Without it, sites are placed where the traffic is
    #[arg(long, value_name = "FILE")]
    pub sites: Option<PathBuf>,

    /// Replay in real time instead of as fast as possible
    #[arg(long, conflicts_with = "speed")]
    pub realtime: bool,

    /// Replay this many times as fast as real time
    #[arg(long, value_name = "X", value_parser = speed)]
    pub speed: Option<f64>,

    #[command(flatten)]
    pub common: Common,
}

/// A positive number, small enough for the clock.
fn speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    if (0.01..=100_000.0).contains(&speed) {
        Ok(speed)
    } else {
        Err("expected 0.01 to 100000".to_owned())
    }
}

/// Audited files.
#[derive(Debug, Subcommand)]
pub enum File {
    /// Upload a file as a new one; an upload that was broken off goes on
    Put {
        /// The file
        path: PathBuf,
        #[command(flatten)]
        store: FileStore,
    },
    /// Write the latest version of a file to standard output or --output
    Get {
        /// The file's id, as `put` told it
        id: String,
        /// Write here instead; the file appears whole or not at all
        #[arg(long, short, value_name = "PATH")]
        output: Option<PathBuf>,
        #[command(flatten)]
        store: FileStore,
    },
    /// Make the content of PATH the next version of a file; sends only what changed
    Update {
        /// The file's id
        id: String,
        /// The new content
        path: PathBuf,
        #[command(flatten)]
        store: FileStore,
    },
    /// Is my file intact? Challenges the vault now; exit code 1 if it is not
    Audit {
        /// The file's id
        id: String,
        #[command(flatten)]
        store: FileStore,
    },
    /// Check the last audit again from the ledger and the kept evidence; exit code 1 if the file
    /// is not known to be intact
    Verify {
        /// The file's id
        id: String,
        #[command(flatten)]
        store: FileStore,
    },
}

/// Where files are kept, and how to answer.
#[derive(Debug, ClapArgs)]
pub struct FileStore {
    /// The store's directory: vault, ledger and keys
    #[arg(long = "store", value_name = "DIR")]
    pub directory: PathBuf,

    /// Answer with one JSON object on standard output
    #[arg(long)]
    pub json: bool,
}
