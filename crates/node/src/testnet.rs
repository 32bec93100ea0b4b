//! Networks of several processes on one machine: configuration, keys and genesis of each.
//!
//! ```text
//! DIR/genesis/NAME            a chain's constitution, public: road, relay, org-1, …
//! DIR/authorities/keys/…      TA's and LEA's keys of every chain, owner only
//! DIR/org-N/…                 an organisation: see [`crate::organisations::home`]
//! DIR/node-N/config.json      what process N runs: one validator of each chain
//! DIR/node-N/keys/NAME.key    the validator's identity and share, owner only
//! DIR/node-N/chain/…          what it stores
//! ```
//!
//! All chains run the same program and differ in their genesis; their ids, which are part of every
//! signature, are its hash. What is compiled into the program and decides about the state, limits and contracts, is
//! written into each configuration ([`Consensus`]): a program in which it is otherwise does not start on it,
//! and says what differs, instead of stalling the chain later.
//!
//! The configuration also carries the deployments of the chain's contracts ([`crate::deployments`]), signed by TA when
//! the network was made; every node hands in those that its chain does not have. An organisation's edge
//! runs in one of the processes ([`crate::organisations::station`]).
//!
//! The consensus keys are dealt here, in one process: for tests and demonstrations.

mod init;
mod status;

pub use init::{Plan, init, organisation_name};
pub use status::{ChainStatus, Status, Teller};

use crate::{
    deployments,
    embedded::validator_keys,
    home::{Home, HomeError},
    organisations::{
        home::OrganisationError,
        station::{Place, Site},
    },
};
use cairn_chain::{
    Chain, Config, StartError, limits,
    network::{self, TcpConfig, TcpValidator},
    runtime_clock,
};
use cairn_exchange::reading::unhex;
use cairn_ledger::{Genesis, PublicKey, SignedTransaction, block, execute, record, transaction};
use commonware_codec::{Copying, DecodeExt as _};
use commonware_parallel::Sequential;
use commonware_runtime::{Spawner as _, Supervisor as _, tokio::Context};
use commonware_utils::ordered::Map;
use rand::{
    SeedableRng as _,
    rngs::{StdRng, SysError},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs, io,
    net::SocketAddr,
    num::NonZeroU16,
    path::{Path, PathBuf},
};
use thiserror::Error;
use tracing::warn;

/// The largest configuration that is read: 128 validators of 16 chains.
const MAX_CONFIG_BYTES: u64 = 1024 * 1024;

/// The name of the relay chain.
const RELAY: &str = "relay";

/// Why a node does not start, or a network cannot be prepared. The operator is at fault.
#[derive(Debug, Error)]
pub enum TestnetError {
    /// A file.
    #[error("cannot {0} {1}: {2}")]
    File(&'static str, PathBuf, io::Error),
    /// The directory is in use.
    #[error("{0} is not empty; choose another directory")]
    NotEmpty(PathBuf),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Entropy(SysError),
    /// Keys and data of a node.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The configuration is no configuration.
    #[error("{0}: {1}")]
    Config(PathBuf, serde_json::Error),
    /// The genesis is another one than the configuration is for.
    #[error(
        "chain {name}: {path} is the genesis of chain {found}, the configuration is for {expected}"
    )]
    OtherGenesis {
        /// The chain's name.
        name: String,
        /// The genesis file.
        path: PathBuf,
        /// Its id.
        found: String,
        /// The id in the configuration.
        expected: String,
    },
    /// A consensus-relevant setting differs.
    #[error(
        "chain {chain}: setting {setting} is {network} on this network and {program} in this program; \
         run the program that the network was made with, or make a new network"
    )]
    Setting {
        /// The chain's name.
        chain: String,
        /// What differs.
        setting: String,
        /// In the configuration.
        network: String,
        /// In the program.
        program: String,
    },
    /// The peers are not the validators of the genesis.
    #[error("chain {0}: the peers in the configuration are not the validators of the genesis")]
    Peers(String),
    /// A deployment is not one that the chain's TA signed.
    #[error("chain {0}: a deployment in the configuration is not signed by the chain's TA")]
    Deployment(String),
    /// An edge needs its organisation's chain and the relay chain in the same process.
    #[error(
        "the edge of {0} needs a validator of {0} and of the relay chain in this configuration"
    )]
    EdgeWithoutChain(String),
    /// An organisation's files.
    #[error(transparent)]
    Organisation(#[from] OrganisationError),
    /// Too many addresses for one port range.
    #[error("no {0} ports from {1} on; choose a lower --port")]
    Ports(usize, u16),
    /// A validator did not start.
    #[error("chain {0}: {1}")]
    Validator(String, StartError),
}

fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> TestnetError {
    move |error| TestnetError::File(action, path.to_owned(), error)
}

/// What decides about blocks and state and must be the same at all validators of a chain, by name.
pub type Consensus = BTreeMap<String, String>;

/// What this program has compiled in.
#[must_use]
pub fn consensus() -> Consensus {
    let contracts: Vec<_> = cairn_contracts::CODE
        .iter()
        .map(|code| format!("{} {}", code.name(), code.version()))
        .collect();
    let milliseconds = |duration: std::time::Duration| duration.as_millis().to_string();
    let settings = [
        ("contracts", contracts.join(", ")),
        (
            "max_block_transactions",
            block::MAX_BLOCK_TRANSACTIONS.to_string(),
        ),
        ("max_body_bytes", block::MAX_BODY_BYTES.to_string()),
        (
            "max_payload_bytes",
            transaction::MAX_PAYLOAD_BYTES.to_string(),
        ),
        (
            "max_declared_keys",
            transaction::MAX_DECLARED_KEYS.to_string(),
        ),
        ("max_record_bytes", record::MAX_RECORD_BYTES.to_string()),
        ("nonce_window", execute::NONCE_WINDOW.to_string()),
        ("max_clock_skew_ms", milliseconds(limits::MAX_CLOCK_SKEW)),
        ("idle_interval_ms", milliseconds(limits::IDLE_INTERVAL)),
        ("leader_timeout_ms", milliseconds(limits::LEADER_TIMEOUT)),
        (
            "certification_timeout_ms",
            milliseconds(limits::CERTIFICATION_TIMEOUT),
        ),
    ];
    settings
        .map(|(name, value)| (name.to_owned(), value))
        .into()
}

/// What one process runs.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// Its name, for people.
    pub name: String,
    /// Where it tells its status over HTTP.
    pub status: SocketAddr,
    /// One validator of each of these chains.
    pub chains: Vec<ChainConfig>,
    /// Edges of organisations whose chains are among them.
    #[serde(default)]
    pub edges: Vec<EdgeConfig>,
}

/// An organisation's edge in a process. Paths are relative to the configuration's directory.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EdgeConfig {
    /// The organisation's chain.
    pub chain: String,
    /// The organisation's directory.
    pub home: PathBuf,
    /// The directory with the keys of the relay chain's authorities, who register the organisation.
    pub authorities: PathBuf,
    /// Where it listens for HTTP.
    pub listen: SocketAddr,
    /// Where its records are: a directory or a `postgres://` URL; without it, `vault` in the
    /// organisation's directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vault: Option<String>,
    /// A broker from which it takes readings, `mqtt://HOST:PORT/TOPIC`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mqtt: Option<String>,
}

/// One chain of a process.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ChainConfig {
    /// Its name in this network, in letters, digits and `-`.
    pub name: String,
    /// What it is for.
    pub purpose: String,
    /// Its id.
    pub chain: String,
    /// Its genesis, relative to the configuration's directory.
    pub genesis: PathBuf,
    /// Every validator's address, by identity.
    pub peers: BTreeMap<String, SocketAddr>,
    /// Where this one listens.
    pub listen: SocketAddr,
    /// MiB of memory for pages of its state: what does not fit is read from disk. More carries more
    /// records a second once there are more than some 10,000.
    #[serde(default = "small_cache")]
    pub cache_mib: NonZeroU16,
    /// What must be compiled into the program.
    pub consensus: Consensus,
    /// The deployments of its contracts, signed by TA, in hexadecimal.
    #[serde(default)]
    pub deployments: Vec<String>,
}

fn small_cache() -> NonZeroU16 {
    limits::SMALL_CACHE_MIB
}

/// Reads a configuration.
///
/// # Errors
///
/// [`TestnetError::File`] and [`TestnetError::Config`].
pub fn read(path: &Path) -> Result<NodeConfig, TestnetError> {
    use io::Read as _;
    let mut json = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(MAX_CONFIG_BYTES).read_to_end(&mut json))
        .map_err(file("read", path))?;
    serde_json::from_slice(&json).map_err(|error| TestnetError::Config(path.to_owned(), error))
}

/// A chain's genesis, once it is sure that this program can run it.
fn check(directory: &Path, config: &ChainConfig) -> Result<Genesis, TestnetError> {
    let program = consensus();
    let names = program.keys().chain(config.consensus.keys());
    for setting in names {
        let of = |settings: &Consensus| {
            let value = settings.get(setting);
            value.cloned().unwrap_or_else(|| "missing".to_owned())
        };
        if of(&program) != of(&config.consensus) {
            return Err(TestnetError::Setting {
                chain: config.name.clone(),
                setting: setting.clone(),
                network: of(&config.consensus),
                program: of(&program),
            });
        }
    }
    let path = directory.join(&config.genesis);
    let bytes = fs::read(&path).map_err(file("read", &path))?;
    let found = Genesis::decode(bytes).ok();
    let id = found.as_ref().map(|genesis| genesis.chain_id().to_string());
    match found {
        Some(genesis) if id.as_ref() == Some(&config.chain) => Ok(genesis),
        _ => Err(TestnetError::OtherGenesis {
            name: config.name.clone(),
            path,
            found: id.unwrap_or_else(|| "none".to_owned()),
            expected: config.chain.clone(),
        }),
    }
}

/// The chain's deployments, once it is sure that TA signed them.
fn check_deployments(
    config: &ChainConfig,
    genesis: &Genesis,
    rng: &mut StdRng,
) -> Result<Vec<SignedTransaction>, TestnetError> {
    let refused = || TestnetError::Deployment(config.name.clone());
    let mut deployments = Vec::with_capacity(config.deployments.len());
    for text in &config.deployments {
        let bytes = unhex(text).ok_or_else(refused)?;
        let signed = SignedTransaction::decode(Copying(&bytes)).map_err(|_| refused())?;
        let chain = genesis.chain_id();
        let is_signed = *signed.sender() == genesis.ta
            && deployments::deployed(&signed).is_some()
            && transaction::verify_signatures(&chain, &[&signed], rng, &Sequential);
        deployments.push(is_signed.then_some(signed).ok_or_else(refused)?);
    }
    Ok(deployments)
}

/// A running process: its validators, by the names of their chains.
pub struct Node {
    name: String,
    validators: Vec<(ChainConfig, TcpValidator)>,
    deployments: Vec<Vec<SignedTransaction>>,
    edges: Vec<EdgeConfig>,
    directory: PathBuf,
    _home: Home,
}

impl Node {
    /// Starts every validator of the configuration at `path`. The runtime's storage directory must
    /// be [`storage`] of it.
    ///
    /// # Errors
    ///
    /// [`TestnetError`].
    pub async fn start(
        context: &Context,
        path: &Path,
        config: NodeConfig,
    ) -> Result<Self, TestnetError> {
        let directory = path.parent().unwrap_or(Path::new("."));
        let home = Home::open(directory)?;
        // All are checked before the first one starts.
        let mut rng = StdRng::from_rng(&mut context.child("deployments"));
        let mut checked = Vec::new();
        let mut deployments = Vec::new();
        for edge in &config.edges {
            let mut names = config.chains.iter().map(|chain| &chain.name);
            if !names.any(|name| *name == edge.chain)
                || !config.chains.iter().any(|c| c.name == RELAY)
            {
                return Err(TestnetError::EdgeWithoutChain(edge.chain.clone()));
            }
        }
        for chain in config.chains {
            let genesis = check(directory, &chain)?;
            deployments.push(check_deployments(&chain, &genesis, &mut rng)?);
            let (identity, share) = validator_keys(&home, &chain.name)?;
            let peers = genesis
                .validators
                .iter()
                .map(|key: &PublicKey| Some((key.clone(), *chain.peers.get(&key.to_string())?)));
            let peers: Option<Vec<_>> = peers.collect();
            let peers = peers.filter(|peers| peers.len() == chain.peers.len());
            let peers = peers.and_then(|peers| Map::try_from(peers).ok());
            let peers = peers.ok_or_else(|| TestnetError::Peers(chain.name.clone()))?;
            checked.push((chain, genesis, identity, share, peers));
        }
        let mut validators = Vec::new();
        for (chain, genesis, identity, share, peers) in checked {
            let context = context.child("chain").with_attribute("chain", &chain.name);
            let tcp = TcpConfig {
                identity: identity.clone(),
                chain: genesis.chain_id(),
                listen: chain.listen,
                validators: peers,
            };
            let settings = Config {
                genesis,
                code: cairn_contracts::CODE,
                identity,
                share,
                partition: chain.name.clone(),
                cache_mib: chain.cache_mib,
            };
            let clock = runtime_clock(context.child("clock"));
            let started = network::start(context, settings, tcp, clock).await;
            let failed = |error| TestnetError::Validator(chain.name.clone(), error);
            let started = started.map_err(failed)?;
            validators.push((chain, started));
        }
        for ((config, (validator, _)), deployments) in validators.iter().zip(&deployments) {
            let (chain, deployments) = (validator.chain().clone(), deployments.clone());
            let name = config.name.clone();
            let context = context.child("contracts").with_attribute("chain", &name);
            context.spawn(move |_| async move {
                if let Err(error) = deployments::ensure(&chain, &deployments).await {
                    warn!(%error, name, "contracts are not deployed");
                }
            });
        }
        Ok(Self {
            name: config.name,
            validators,
            deployments,
            edges: config.edges,
            directory: directory.to_owned(),
            _home: home,
        })
    }

    /// The chains, with what they are for.
    pub fn chains(&self) -> impl Iterator<Item = (&ChainConfig, &Chain<Context>)> {
        self.validators
            .iter()
            .map(|(config, (validator, _))| (config, validator.chain()))
    }

    /// What the node tells of itself, now and later.
    #[must_use]
    pub fn teller(&self) -> Teller {
        let chains = self.chains().zip(&self.deployments);
        let chains = chains.map(|((config, chain), deployments)| {
            (config.name.clone(), chain.clone(), deployments.clone())
        });
        Teller::new(self.name.clone(), chains.collect())
    }

    /// What the edges in this process need.
    #[must_use]
    pub fn edges(&self) -> Vec<Site> {
        let place = |name: &str| {
            let mut chains = self.chains().zip(&self.deployments);
            chains
                .find(|((config, _), _)| config.name == name)
                .map(|((_, chain), deployments)| Place {
                    chain: chain.clone(),
                    deployments: deployments.clone(),
                })
        };
        let edges = self.edges.iter().filter_map(|config| {
            Some(Site {
                home: self.directory.join(&config.home),
                authorities: self.directory.join(&config.authorities),
                listen: config.listen,
                vault: config.vault.clone(),
                mqtt: config.mqtt.clone(),
                organisation: place(&config.chain)?,
                relay: place(RELAY)?,
            })
        });
        edges.collect()
    }

    /// Stops all validators.
    pub async fn stop(self) {
        let validators = self.validators.into_iter();
        let validators = validators.map(|(_, validator)| validator).collect();
        crate::embedded::stop_validators(validators).await;
    }
}

/// Where the node of the configuration at `path` stores its chains.
#[must_use]
pub fn storage(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new(".")).join("chain")
}
