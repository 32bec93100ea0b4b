//! `cairn testnet`: a network of several processes on this machine.

use crate::{
    args::{Testnet as Command, TestnetInit, TestnetUp},
    edge::new_organisation,
    http::Request,
};
use cairn_node::testnet::{self, ChainConfig, NodeConfig, Plan, Status, TestnetError};
use std::{
    collections::BTreeMap,
    env, fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command as Process, ExitCode, Stdio},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use thiserror::Error;

/// Exit code when a process ended early, or a chain stood still.
const NETWORK_FAILED: u8 = 1;

/// Time between two looks at the heights.
const LOOK: Duration = Duration::from_secs(5);

/// How long a node may take to tell its status.
const STATUS_PATIENCE: Duration = Duration::from_secs(2);

/// The largest status that is read.
const MAX_STATUS_BYTES: u64 = 64 * 1024;

/// Why there is no network.
#[derive(Debug, Error)]
pub enum TestnetCommandError {
    #[error(transparent)]
    Testnet(#[from] TestnetError),
    #[error("cannot list {0}: {1}")]
    List(PathBuf, io::Error),
    #[error("{0} holds no network; make one with `cairn testnet init {0}`")]
    NoNetwork(PathBuf),
    #[error("cannot start {0}: {1}")]
    Start(String, io::Error),
}

/// Runs one command.
pub fn run(command: &Command) -> Result<ExitCode, TestnetCommandError> {
    match command {
        Command::Init(init) => self::init(init).map(|()| ExitCode::SUCCESS),
        Command::Up(up) => self::up(up),
    }
}

/// The system's clock, milliseconds since 1970.
pub fn now_ms() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since_1970.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

fn init(init: &TestnetInit) -> Result<(), TestnetCommandError> {
    let organisations = (0..init.orgs).map(|_| new_organisation());
    let plan = Plan {
        validators: usize::try_from(init.validators).unwrap_or(usize::MAX),
        has_road: true,
        organisations: organisations.collect(),
        port: init.port,
        now_ms: now_ms(),
    };
    for path in testnet::init(&init.directory, &plan)? {
        println!("{}", path.display());
    }
    println!(
        "start all of them: cairn testnet up {}",
        init.directory.display()
    );
    println!("or each by itself: cairn node FILE");
    Ok(())
}

/// The configurations below a directory, in order.
fn configs(directory: &Path) -> Result<Vec<(PathBuf, NodeConfig)>, TestnetCommandError> {
    let failed = |error| TestnetCommandError::List(directory.to_owned(), error);
    let mut paths: Vec<PathBuf> = fs::read_dir(directory)
        .map_err(failed)?
        .filter_map(|entry| Some(entry.ok()?.path().join("config.json")))
        .filter(|path| path.is_file())
        .collect();
    paths.sort();
    if paths.is_empty() {
        return Err(TestnetCommandError::NoNetwork(directory.to_owned()));
    }
    let read = |path: PathBuf| testnet::read(&path).map(|config| (path, config));
    Ok(paths.into_iter().map(read).collect::<Result<_, _>>()?)
}

/// Processes that end when this is dropped.
struct Children(Vec<(String, Child)>);

impl Drop for Children {
    fn drop(&mut self) {
        for (_, child) in &mut self.0 {
            // Its standard input closes with ours; whoever does not end by itself is ended.
            drop(child.stdin.take());
        }
        for (_, child) in &mut self.0 {
            let _ = child.wait();
        }
    }
}

fn up(up: &TestnetUp) -> Result<ExitCode, TestnetCommandError> {
    let configs = configs(&up.directory)?;
    show_addresses(&configs);
    let program = env::current_exe();
    let mut children = Children(Vec::new());
    for (path, config) in &configs {
        let started = program
            .as_ref()
            .map_err(|error| io::Error::new(error.kind(), error.to_string()));
        let started = started.and_then(|program| {
            Process::new(program)
                .args(["node", "--while-stdin-open"])
                .arg(path)
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .spawn()
        });
        let failed = |error| TestnetCommandError::Start(config.name.clone(), error);
        children
            .0
            .push((config.name.clone(), started.map_err(failed)?));
    }
    let began = Instant::now();
    let mut heights = Vec::new();
    let mut missing;
    loop {
        let left = up.duration.map(|all| all.saturating_sub(began.elapsed()));
        thread::sleep(left.map_or(LOOK, |left| left.min(LOOK)));
        for (name, child) in &mut children.0 {
            if let Ok(Some(status)) = child.try_wait() {
                eprintln!("{name} ended: {status}");
                return Ok(ExitCode::from(NETWORK_FAILED));
            }
        }
        let (now, contracts) = show_heights(began.elapsed(), &configs);
        heights.push(now);
        missing = missing_contracts(&configs, &contracts);
        if up.duration.is_some_and(|all| began.elapsed() >= all) {
            break;
        }
    }
    let advanced = all_advanced(&configs, &heights);
    println!(
        "{}",
        if advanced {
            "every chain went on at every node"
        } else {
            "NOT every chain went on at every node"
        }
    );
    for chain in &missing {
        println!("NOT every contract is deployed on chain {chain}");
    }
    Ok(if advanced && missing.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NETWORK_FAILED)
    })
}

/// Heights by chain, one for each node that told them.
type Heights = BTreeMap<String, Vec<Option<u64>>>;

/// Names of the deployed contracts by chain.
type Contracts = BTreeMap<String, Vec<String>>;

/// Chains that do not have all their contracts.
fn missing_contracts(configs: &[(PathBuf, NodeConfig)], contracts: &Contracts) -> Vec<String> {
    let chains = configs.first().map(|(_, config)| &config.chains);
    let is_missing = |chain: &&ChainConfig| {
        contracts.get(&chain.name).map_or(0, Vec::len) < chain.deployments.len()
    };
    let chains = chains.into_iter().flatten().filter(is_missing);
    chains.map(|chain| chain.name.clone()).collect()
}

/// Whether every node saw every chain, and the last look saw more than the first.
fn all_advanced(configs: &[(PathBuf, NodeConfig)], looks: &[Heights]) -> bool {
    let chains = configs.iter().flat_map(|(_, config)| &config.chains);
    let (Some(first), Some(last)) = (looks.first(), looks.last()) else {
        return false;
    };
    chains.into_iter().all(|chain| {
        let (Some(first), Some(last)) = (first.get(&chain.name), last.get(&chain.name)) else {
            return false;
        };
        let pairs = first.iter().zip(last);
        looks.len() == 1 && last.iter().all(|height| *height > Some(0))
            || pairs
                .into_iter()
                .all(|(first, last)| last.is_some() && last > first)
    })
}

fn show_addresses(configs: &[(PathBuf, NodeConfig)]) {
    for (_, config) in configs {
        println!("{:<8} http://{}/  status", config.name, config.status);
        for chain in &config.chains {
            println!(
                "         {:<21}  chain {}: {}",
                chain.listen, chain.name, chain.purpose
            );
        }
        for edge in &config.edges {
            println!("         http://{}/  edge of {}", edge.listen, edge.chain);
        }
    }
}

fn show_heights(after: Duration, configs: &[(PathBuf, NodeConfig)]) -> (Heights, Contracts) {
    let statuses: Vec<Option<Status>> = configs
        .iter()
        .map(|(_, config)| status(config.status))
        .collect();
    let names = configs.iter().flat_map(|(_, config)| &config.chains);
    let mut heights = Heights::new();
    for chain in names {
        let height = |status: &Option<Status>| {
            let chains = &status.as_ref()?.chains;
            let found = chains.iter().find(|one| one.name == chain.name)?;
            Some(found.height)
        };
        heights
            .entry(chain.name.clone())
            .or_insert_with(|| statuses.iter().map(height).collect());
    }
    print!("{:>4} s  heights", after.as_secs());
    for (chain, heights) in &heights {
        print!("  {chain}");
        for height in heights {
            match height {
                Some(height) => print!(" {height}"),
                None => print!(" -"),
            }
        }
    }
    println!();
    let mut contracts = Contracts::new();
    for chain in statuses.iter().flatten().flat_map(|status| &status.chains) {
        let names: Vec<_> = chain.contracts.keys().cloned().collect();
        let known = contracts.entry(chain.name.clone()).or_default();
        if known.len() < names.len() {
            *known = names;
        }
    }
    print!("        contracts");
    for (chain, names) in &contracts {
        print!("  {chain}: {}", names.join(", "));
    }
    println!();
    (heights, contracts)
}

/// Asks a node for its status.
fn status(address: SocketAddr) -> Option<Status> {
    let request = Request {
        line: "GET /",
        body: b"",
        patience: STATUS_PATIENCE,
        most_bytes: MAX_STATUS_BYTES,
    };
    serde_json::from_slice(&request.send(address).ok()?).ok()
}
