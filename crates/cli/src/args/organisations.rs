//! What can be typed about organisations and networks of several processes.

use super::MAX_EMBEDDED_VALIDATORS;
use crate::exchange::Suite;
use clap::{Args as ClapArgs, Subcommand};
use std::{path::PathBuf, time::Duration};

/// Networks of several processes.
#[derive(Debug, Subcommand)]
pub enum Testnet {
    /// Write configurations, owner-only key files and genesis of a new network
    Init(TestnetInit),
    /// Run every process of a network; prints every address and what it is for, and reports
    /// heights; exit code 1 when a process ends or a chain stands still
    Up(TestnetUp),
}

#[derive(Debug, ClapArgs)]
pub struct TestnetInit {
    /// Where to; must be empty or absent
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,

    /// Processes, with one validator of each chain in each, 1 to 32
    #[arg(long, value_name = "N", default_value_t = 4,
          value_parser = clap::value_parser!(u64).range(1..=MAX_EMBEDDED_VALIDATORS))]
    pub validators: u64,

    /// Organisations, each with a chain of its own; with any, there is a relay chain too
    #[arg(long, value_name = "N", default_value_t = 0,
          value_parser = clap::value_parser!(u64).range(0..=8))]
    pub orgs: u64,

    /// The first of the ports on the loopback interface
    #[arg(long, value_name = "PORT", default_value_t = 27_000)]
    pub port: u16,
}

#[derive(Debug, ClapArgs)]
pub struct TestnetUp {
    /// The network's directory
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,

    /// Stop after this long, for example 40s or 5m; otherwise at Ctrl-C
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub duration: Option<Duration>,
}

#[derive(Debug, ClapArgs)]
pub struct Node {
    /// The process's configuration, DIR/node-N/config.json
    #[arg(value_name = "CONFIG")]
    pub config: PathBuf,

    /// End when standard input ends: for a parent process that may be killed
    #[arg(long, hide = true)]
    pub while_stdin_open: bool,
}

/// A number of seconds (`s`, or nothing) or minutes (`m`).
fn duration(text: &str) -> Result<Duration, String> {
    let (digits, unit) = match text.strip_suffix('m') {
        Some(digits) => (digits, 60),
        None => (text.strip_suffix('s').unwrap_or(text), 1),
    };
    let number: u64 = digits
        .parse()
        .map_err(|_| "expected for example 40s or 5m".to_owned())?;
    match number
        .checked_mul(unit)
        .filter(|s| (1..=86_400).contains(s))
    {
        Some(seconds) => Ok(Duration::from_secs(seconds)),
        None => Err("expected 1s to a day".to_owned()),
    }
}

#[derive(Debug, ClapArgs)]
pub struct Exchange {
    /// Sensor rows: CSV with the columns timestamp (2013-12-02 21:15:00) and value; without it, rows of
    /// a recorded machine where CAIRN_DATA has them, made ones otherwise
    #[arg(long, value_name = "FILE.csv")]
    pub rows: Option<PathBuf>,

    /// The most rows to feed
    #[arg(long, value_name = "N", default_value_t = 288)]
    pub most: usize,

    /// Validators of each of the three chains, 1 to 8
    #[arg(long, value_name = "N", default_value_t = 4,
          value_parser = clap::value_parser!(u64).range(1..=8))]
    pub validators: u64,

    /// Keys, signatures and envelope
    #[arg(long, value_enum, default_value_t = Suite::Sm2)]
    pub suite: Suite,

    /// Keep the factory's records in this PostgreSQL database instead of a directory
    #[arg(long, value_name = "postgres://…")]
    pub vault: Option<String>,

    /// Repeat the exchange this many times and tell how long it takes
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub count: u64,

    /// Write the report as JSON
    #[arg(long, value_name = "FILE.json")]
    pub report: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub struct Edge {
    /// The edge's directory; its organisation is DIR/org-1
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,

    /// Keep records in this directory or PostgreSQL database instead of DIR/org-1/vault
    #[arg(long, value_name = "DIR|postgres://…")]
    pub vault: Option<String>,

    /// Take readings from this broker too; the topic is cairn/1/readings unless the URL names one
    #[arg(long, value_name = "mqtt://HOST:PORT/TOPIC")]
    pub mqtt: Option<String>,

    /// The privacy grade of a new organisation's chain, 2 by default
    #[arg(long, value_name = "0..7", value_parser = clap::value_parser!(u8).range(0..=7))]
    pub grade: Option<u8>,

    /// What readings of a new organisation have: name:number, name:text or name:boolean, with commas;
    /// celsius:number by default
    #[arg(long, value_name = "FIELDS")]
    pub schema: Option<String>,

    /// Keys and signatures of a new organisation, sm2 by default
    #[arg(long, value_enum)]
    pub suite: Option<Suite>,

    /// The first of four ports of a new edge on the loopback interface; status comes first, then the edge
    #[arg(long, value_name = "PORT", default_value_t = 27_900)]
    pub port: u16,

    /// End when standard input ends: for a parent process that may be killed
    #[arg(long, hide = true)]
    pub while_stdin_open: bool,
}

/// Devices.
#[derive(Debug, Subcommand)]
pub enum Device {
    /// Sign sensor rows and send them; exit code 1 when the edge refuses one
    Send {
        /// The device's file, as `cairn organisation enrol` wrote it
        file: PathBuf,
        #[command(flatten)]
        rows: DeviceRows,
    },
    /// Sign sensor rows and print them, one reading a line, for mosquitto_pub -l
    Sign {
        /// The device's file
        file: PathBuf,
        #[command(flatten)]
        rows: DeviceRows,
    },
    /// Read the device's own records, one JSON object a line
    Records {
        /// The device's file
        file: PathBuf,
        /// From this time on, milliseconds since 1970
        #[arg(long, value_name = "MS", default_value_t = 0)]
        from_ms: u64,
        /// Up to this time, excluded
        #[arg(long, value_name = "MS", default_value_t = MAX_TIME_MS)]
        until_ms: u64,
    },
}

/// Sensor rows of a device.
#[derive(Debug, ClapArgs)]
pub struct DeviceRows {
    /// CSV with the columns timestamp (2013-12-02 21:15:00) and value
    #[arg(long, value_name = "FILE.csv")]
    pub rows: PathBuf,

    /// The field of the schema that takes the value
    #[arg(long, value_name = "NAME", default_value = "celsius")]
    pub field: String,

    /// The most rows
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub most: usize,
}

/// Organisations.
#[derive(Debug, Subcommand)]
pub enum Organisation {
    /// Enrol a new device: two of the three KGCs issue its key, the chain has its certificate. Prints the
    /// device's name
    Enrol {
        /// The organisation's directory, DIR/org-N
        home: PathBuf,
        /// Where the device's key is written, for its owner only
        file: PathBuf,
    },
    /// Let another organisation see records
    Allow {
        /// The organisation's directory
        home: PathBuf,
        /// The other organisation's number
        #[arg(long, value_name = "N")]
        requester: u16,
        /// One device only
        #[arg(long, value_name = "HEX")]
        device: Option<String>,
        /// For so many days
        #[arg(long, value_name = "N", default_value_t = 30)]
        days: u16,
    },
    /// Ask another organisation for records of one of its devices; prints one JSON object a line
    Ask {
        /// The directory of the organisation that asks
        home: PathBuf,
        /// The number of the one that is asked
        #[arg(long, value_name = "N")]
        owner: u16,
        /// Its device
        #[arg(long, value_name = "HEX")]
        device: String,
        /// From this time on, milliseconds since 1970
        #[arg(long, value_name = "MS", default_value_t = 0)]
        from_ms: u64,
        /// Up to this time, excluded
        #[arg(long, value_name = "MS", default_value_t = MAX_TIME_MS)]
        until_ms: u64,
        /// Where its edge listens; without it, as its directory beside this one says
        #[arg(long, value_name = "HOST:PORT")]
        at: Option<String>,
    },
}

/// The end of the year 9999: any later time is none.
const MAX_TIME_MS: u64 = 253_402_300_800_000;
