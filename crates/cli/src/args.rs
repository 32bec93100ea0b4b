//! What can be typed.

mod organisations;
mod provider;

pub use organisations::{
    Device, DeviceRows, Edge, Exchange, Node, Organisation, Testnet, TestnetInit, TestnetUp,
};
pub use provider::Provider;

use cairn_node::files::Name;
use cairn_scenario::attackers::{self, ATTACKERS, AttackerKind, RSU_VILLAINS, RsuVotes};
use clap::{Args as ClapArgs, Parser, Subcommand};
use std::{net::SocketAddr, path::PathBuf, time::Duration};

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
    /// Researchers' logs of position messages: which of them can be true, and how well that finds the liars
    Judge(Judge),
    /// Vehicles on a dangerous road: from reports to slow and stop; exit code 1 when a run ends
    /// otherwise than its scenario expects
    Drive(Drive),
    /// Networks of several processes on this machine
    #[command(subcommand)]
    Testnet(Testnet),
    /// Run one process of such a network, until Ctrl-C
    Node(Node),
    /// Run an organisation's edge server, with a chain of its own and a relay chain in the same process;
    /// the first start makes them in DIR
    Edge(Edge),
    /// What a device says to its organisation's edge
    #[command(subcommand)]
    Device(Device),
    /// What an organisation's operator says to its edge
    #[command(subcommand)]
    Organisation(Organisation),
    /// Two organisations exchange sensor records over a relay chain, step by step
    Exchange(Exchange),
    /// Serve charging points to vehicles of a network, until Ctrl-C
    Provider(Provider),
    /// Who was it? Asks who holds an anonymous credential, under a request that the ledger keeps
    Trace(Trace),
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

    /// What nobody drives faster than, in metres per second: RSUs vote against vehicles that say they do
    #[arg(long, value_name = "M/S", default_value_t = 40.0, value_parser = top_speed)]
    pub top_speed: f64,

    /// Milliseconds between two batches that an RSU puts on the ledger
    #[arg(long, value_name = "MS", default_value_t = 50,
          value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub batch: u64,

    /// Share of vehicles that log in with a registered key, by which they can be recognised; the
    /// others are anonymous
    #[arg(long, value_name = "0..1", default_value_t = 0.0, value_parser = share)]
    pub registered_share: f64,

    /// When anonymous vehicles change their credential
    #[arg(long, value_enum, default_value_t = Rotation::Period)]
    pub rotation: Rotation,

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
    #[command(flatten)]
    pub source: Source,

    /// x and y of the trace are longitude and latitude (SUMO's --fcd-output.geo)
    #[arg(long, conflicts_with = "beacons")]
    pub geo: bool,

    /// With --beacons: which of them are false, JSON lines, plain or .gz. Read after the run, to score
    /// what was found
    #[arg(long, value_name = "FILE", requires = "beacons")]
    pub truth: Option<PathBuf>,

    /// Let some of the vehicles, or of the RSUs, attack: the name of an attack, for example
    /// RandomPosOffset, or lying_rsu, silent_rsu, spamming_rsu
    #[arg(long, value_name = "NAME", conflicts_with = "beacons", value_parser = attack)]
    pub attack: Option<Attack>,

    /// How many attack; who they are is drawn
    #[arg(long, value_name = "N", requires = "attack", default_value_t = 3,
          value_parser = clap::value_parser!(u16).range(1..))]
    pub attackers: u16,

    /// RSU sites: CSV with the columns site_id, x_m, y_m (with --geo: lon, lat); with a column
    /// "picked", only rows that have 1 there. Without it, sites are placed where the traffic is
    #[arg(long, value_name = "FILE")]
    pub sites: Option<PathBuf>,

    /// Charging points that a provider tells vehicles of on their way: GeoJSON with the properties
    /// name and kw, or CSV with the columns name, x_m, y_m (with --geo: lon, lat) and kw
    #[arg(long, value_name = "FILE")]
    pub points: Option<PathBuf>,

    /// Vehicles that hear no RSU log in through up to three others, each within METRES of the next. Off
    /// by default: relays learn that somebody near logs in, and carry messages of others
    #[arg(long, value_name = "METRES", num_args = 0..=1, default_missing_value = "300")]
    pub relay: Option<f64>,

    /// Replay in real time instead of as fast as possible
    #[arg(long, conflicts_with = "speed")]
    pub realtime: bool,

    /// Replay this many times as fast as real time
    #[arg(long, value_name = "X", value_parser = speed)]
    pub speed: Option<f64>,

    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, ClapArgs)]
pub struct Judge {
    /// Logs, each one receiver's, or folders of them; plain or .gz: VeReMi (2018), VeReMi Extension,
    /// VeReMi NextGen, or BSMs as the ODE writes them
    #[arg(required = true, value_name = "LOG")]
    pub logs: Vec<PathBuf>,

    /// Radio range in metres
    #[arg(long, value_name = "METRES", default_value_t = 500.0)]
    pub range: f64,

    /// What nobody drives faster than, in metres per second
    #[arg(long, value_name = "M/S", default_value_t = 40.0, value_parser = top_speed)]
    pub top_speed: f64,

    /// Shortest time between two messages of one sender, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 900,
          value_parser = clap::value_parser!(u64).range(..=60_000))]
    pub interval: u64,

    /// Write the report as JSON
    #[arg(long, value_name = "FILE.json")]
    pub report: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub struct Drive {
    /// network-attack, obstacle, ice, fog, combined, or a scenario file (JSON)
    #[arg(long, value_name = "NAME|FILE")]
    pub scenario: String,

    /// In SUMO's traffic instead: a configuration for the program `sumo`, which must be in PATH
    #[arg(long, value_name = "FILE.sumocfg", conflicts_with = "plot")]
    pub sumo: Option<PathBuf>,

    /// Draws drivers and brakes
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// Validators of the road chain, 1 to 32; fewer than 4 tolerate no fault
    #[arg(long, value_name = "N", default_value_t = 4,
          value_parser = clap::value_parser!(u64).range(1..=MAX_EMBEDDED_VALIDATORS))]
    pub validators: u64,

    /// Write the report as JSON
    #[arg(long, value_name = "FILE.json")]
    pub report: Option<PathBuf>,

    /// Draw danger and speed over time
    #[arg(long, value_name = "FILE.svg")]
    pub plot: Option<PathBuf>,
}

/// What is replayed.
#[derive(Debug, ClapArgs)]
#[group(required = true, multiple = false)]
pub struct Source {
    /// Traffic: SUMO floating-car data (FCD) in XML, plain or .gz
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,

    /// What vehicles say: position beacons as JSON lines, plain or .gz, false ones among them. Needs
    /// --sites, whose names the beacons' "heard_by" may use
    #[arg(long, value_name = "FILE", requires = "sites")]
    pub beacons: Option<PathBuf>,
}

/// Who attacks, and how.
#[derive(Clone, Copy, Debug)]
pub enum Attack {
    /// Vehicles.
    Vehicles(&'static AttackerKind),
    /// RSUs, with the villain's name.
    Rsus(&'static str, RsuVotes),
}

fn attack(name: &str) -> Result<Attack, String> {
    let vehicles = attackers::attacker(name).map(Attack::Vehicles);
    let mut villains = RSU_VILLAINS.iter();
    let rsus = villains.find(|(villain, _)| *villain == name);
    let rsus = rsus.map(|(name, votes)| Attack::Rsus(name, *votes));
    vehicles.or(rsus).ok_or_else(|| {
        let vehicles = ATTACKERS.iter().map(|kind| kind.name);
        let rsus = RSU_VILLAINS.iter().map(|(name, _)| *name);
        let names: Vec<&str> = vehicles.chain(rsus).collect();
        format!("expected one of {}", names.join(", "))
    })
}

/// From a fast bicycle to what no road vehicle reaches.
fn top_speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    if (10.0..=200.0).contains(&speed) {
        Ok(speed)
    } else {
        Err("expected 10 to 200".to_owned())
    }
}

/// When a vehicle changes its credential.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Rotation {
    /// When the next slot begins
    Period,
    /// Also after each kilometre
    Distance,
    /// When the next slot begins, and says nothing for 3 to 13 s
    RandomSilence,
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    if (0.0..=1.0).contains(&share) {
        Ok(share)
    } else {
        Err("expected 0 to 1".to_owned())
    }
}

/// Traces.
#[derive(Debug, ClapArgs)]
pub struct Trace {
    /// The linkage value of the credential, 18 hexadecimal digits
    #[arg(
        value_name = "LV",
        required_unless_present = "list",
        conflicts_with = "list"
    )]
    pub linkage: Option<String>,

    /// Why: the file's digest goes on the ledger with the request
    #[arg(
        long,
        value_name = "FILE",
        requires = "linkage",
        required_unless_present = "list"
    )]
    pub reason: Option<PathBuf>,

    /// Also revoke the vehicle's credentials from now on
    #[arg(long, requires = "linkage")]
    pub revoke: bool,

    /// Show all requests and answers on the ledger
    #[arg(long)]
    pub list: bool,

    /// The network's directory
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,

    /// Answer with JSON on standard output
    #[arg(long)]
    pub json: bool,
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
        /// The group that it will belong to; without it, a group of your own
        #[arg(long, value_name = "NAME", value_parser = name)]
        group: Option<Name>,
        #[command(flatten)]
        member: Member,
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
        member: Member,
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
        member: Member,
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
    /// Every file on the store's ledger, with its last audit
    List {
        #[command(flatten)]
        store: FileStore,
    },
    /// The auditor as a service: audits what is due until Ctrl-C, and raises alarms
    Watch {
        /// Time between two audits of a file, a number with s, m, h or d
        #[arg(long, value_name = "TIME", default_value = "1d", value_parser = period)]
        every: Duration,
        /// One round only; exit code 1 if it raised an alarm
        #[arg(long)]
        once: bool,
        #[command(flatten)]
        store: FileStore,
    },
    /// Groups whose members share files without saying who of them uploads
    #[command(subcommand)]
    Group(Group),
    /// Who uploaded it? The reviewing authority asks on the ledger, and finds the member together
    /// with the group's manager
    Trace {
        /// The file's id
        id: String,
        /// The version; without it, the latest
        #[arg(long, value_name = "N")]
        version: Option<u64>,
        /// Why; its digest goes on the ledger
        #[arg(long, value_name = "FILE")]
        reason: PathBuf,
        #[command(flatten)]
        store: FileStore,
    },
}

/// Groups of a store.
#[derive(Debug, Subcommand)]
pub enum Group {
    /// Found a group
    Create {
        /// Its name
        #[arg(value_parser = name)]
        group: Name,
        #[command(flatten)]
        member: Member,
        #[command(flatten)]
        store: FileStore,
    },
    /// Enrol a member
    Join {
        /// The group
        #[arg(value_parser = name)]
        group: Name,
        /// The member's name, which only the manager keeps
        #[arg(value_parser = name)]
        name: Name,
        #[command(flatten)]
        store: FileStore,
    },
    /// Strike a member out; keys and credentials of the others are renewed
    Leave {
        /// The group
        #[arg(value_parser = name)]
        group: Name,
        /// The member's name
        #[arg(value_parser = name)]
        name: Name,
        #[command(flatten)]
        store: FileStore,
    },
    /// Show a group as its manager sees it
    Show {
        /// The group
        #[arg(value_parser = name)]
        group: Name,
        #[command(flatten)]
        store: FileStore,
    },
}

/// A number with s, m, h or d.
fn period(text: &str) -> Result<Duration, String> {
    let expected = || format!("expected a number with s, m, h or d, got {text:?}");
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3_600,
        Some('d') => 24 * 3_600,
        _ => return Err(expected()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| expected())?;
    let seconds = number.checked_mul(unit).ok_or_else(expected)?;
    Ok(Duration::from_secs(seconds))
}

fn name(text: &str) -> Result<Name, String> {
    Name::new(text).map_err(|error| error.to_string())
}

/// Who acts.
#[derive(Debug, ClapArgs)]
pub struct Member {
    /// The member who acts; without it, "owner", the first member of every group
    #[arg(long = "member", value_name = "NAME", value_parser = name)]
    pub name: Option<Name>,
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
