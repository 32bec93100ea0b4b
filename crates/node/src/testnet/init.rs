//! Writes a new network of several processes.

use super::{
    ChainConfig, EdgeConfig, NodeConfig, RELAY, TestnetError, consensus, file, small_cache,
};
use crate::{
    deployments,
    embedded::{deal, keep_validator, signing_key},
    home::Home,
    organisations::home::{Founded, NewOrganisation},
};
use cairn_contracts::directory::OrgId;
use cairn_ledger::{Genesis, PrivateKey, PublicKey, Transaction};
use cairn_protocol::plausibility::Bounds;
use commonware_codec::Encode as _;
use commonware_cryptography::Signer as _;
use rand::{
    SeedableRng as _,
    rngs::{StdRng, SysRng},
};
use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

/// What to prepare.
pub struct Plan {
    /// Validators of each chain, and processes.
    pub validators: usize,
    /// Whether there is a road chain.
    pub has_road: bool,
    /// Organisations with chains of their own; with any, there is a relay chain too.
    pub organisations: Vec<NewOrganisation>,
    /// The first port on the loopback interface.
    pub port: u16,
    /// Block time of the genesis blocks, milliseconds since 1970.
    pub now_ms: u64,
}

/// A chain to be written.
struct NewChain {
    name: String,
    purpose: String,
    kind: Kind,
}

enum Kind {
    Road,
    Relay,
    Organisation(Box<Founded>),
}

impl Kind {
    /// What the chain has from its first blocks on. There is no expiry: a node that joins an old network
    /// still finds its way through the first blocks.
    fn deployments(&self, ta: &PublicKey) -> Vec<Transaction> {
        let expires_ms = u64::MAX;
        match self {
            Self::Road => deployments::road(ta, expires_ms, &Bounds::default()),
            Self::Relay => deployments::relay(ta, expires_ms),
            Self::Organisation(founded) => {
                deployments::organisation(ta, expires_ms, &founded.operator(), founded.grade())
            }
        }
    }
}

/// Writes a network into `directory`. Returns the paths of the configurations.
///
/// # Errors
///
/// [`TestnetError`].
pub fn init(directory: &Path, plan: &Plan) -> Result<Vec<PathBuf>, TestnetError> {
    let mut rng = StdRng::try_from_rng(&mut SysRng).map_err(TestnetError::Entropy)?;
    fs::create_dir_all(directory).map_err(file("create", directory))?;
    let mut entries = fs::read_dir(directory).map_err(file("list", directory))?;
    if entries.next().is_some() {
        return Err(TestnetError::NotEmpty(directory.to_owned()));
    }
    let members = plan.organisations.len();
    let chains = usize::from(plan.has_road) + usize::from(members > 0) + members;
    let needed = plan.validators * (chains + 1) + members;
    let mut ports = (plan.port..=u16::MAX).take(needed);
    if ports.len() < needed {
        return Err(TestnetError::Ports(needed, plan.port));
    }
    let mut address = || SocketAddr::from((Ipv4Addr::LOCALHOST, ports.next().unwrap_or(plan.port)));

    let name = |number: usize| format!("node-{number}");
    let paths = |number: usize| directory.join(name(number));
    let homes: Vec<Home> = (1..=plan.validators)
        .map(|number| Home::open(&paths(number)))
        .collect::<Result<_, _>>()?;
    let mut configs: Vec<NodeConfig> = (1..=plan.validators)
        .map(|number| NodeConfig {
            name: name(number),
            status: address(),
            chains: Vec::new(),
            edges: Vec::new(),
        })
        .collect();
    let organisations = organisations(directory, plan, &mut address, &mut configs, &mut rng)?;

    let authorities = Home::open(&directory.join("authorities"))?;
    let genesis_directory = directory.join("genesis");
    fs::create_dir(&genesis_directory).map_err(file("create", &genesis_directory))?;
    for chain in self::chains(plan, organisations) {
        let ta = signing_key(&authorities, &format!("{}-ta", chain.name), &mut rng)?;
        let lea = signing_key(&authorities, &format!("{}-lea", chain.name), &mut rng)?;
        let (genesis, keys) = deal(
            &chain.name,
            plan.validators,
            [&ta, &lea],
            plan.now_ms,
            &mut rng,
        );
        let path = genesis_directory.join(&chain.name);
        fs::write(&path, genesis.encode()).map_err(file("write", &path))?;
        let addresses: Vec<SocketAddr> = keys.iter().map(|_| address()).collect();
        let peers: BTreeMap<_, _> = keys
            .iter()
            .zip(&addresses)
            .map(|((identity, _), address)| (identity.public_key().to_string(), *address))
            .collect();
        let deployments = signed(&chain.kind, &genesis, &ta);
        if let Kind::Organisation(founded) = &chain.kind {
            let [records, policy] = deployments::organisation_contracts(&ta.public_key());
            founded.settle(&genesis.chain_id(), &records, &policy)?;
        }
        for (((keys, home), config), listen) in
            keys.iter().zip(&homes).zip(&mut configs).zip(addresses)
        {
            keep_validator(home, &chain.name, keys)?;
            config.chains.push(ChainConfig {
                name: chain.name.clone(),
                purpose: chain.purpose.clone(),
                chain: genesis.chain_id().to_string(),
                genesis: Path::new("..").join("genesis").join(&chain.name),
                peers: peers.clone(),
                listen,
                cache_mib: small_cache(),
                consensus: consensus(),
                deployments: deployments.clone(),
            });
        }
    }
    let mut written = Vec::with_capacity(configs.len());
    for (number, config) in (1..).zip(&configs) {
        let path = paths(number).join("config.json");
        let mut json = serde_json::to_vec_pretty(config)
            .map_err(|error| TestnetError::Config(path.clone(), error))?;
        json.push(b'\n');
        fs::write(&path, json).map_err(file("write", &path))?;
        written.push(path);
    }
    Ok(written)
}

/// The chain's deployments, signed by TA, in hexadecimal.
fn signed(kind: &Kind, genesis: &Genesis, ta: &PrivateKey) -> Vec<String> {
    let deployments = kind.deployments(&ta.public_key()).into_iter();
    let signed = deployments.map(|transaction| transaction.sign(&genesis.chain_id(), &[ta]));
    signed
        .map(|signed| crate::files::hex(&signed.encode()))
        .collect()
}

/// Makes the organisations' keys, and gives each organisation's edge to one of the processes.
fn organisations(
    directory: &Path,
    plan: &Plan,
    mut address: impl FnMut() -> SocketAddr,
    configs: &mut [NodeConfig],
    rng: &mut StdRng,
) -> Result<Vec<Founded>, TestnetError> {
    let mut all = Vec::new();
    let numbers = 1..=u16::try_from(plan.organisations.len()).unwrap_or(u16::MAX);
    for (number, new) in numbers.zip(&plan.organisations) {
        let (name, listen) = (organisation_name(number), address());
        let path = directory.join(&name);
        all.push(Founded::create(
            &path,
            OrgId(number),
            new,
            listen,
            plan.now_ms,
            rng,
        )?);
        let at = usize::from(number - 1) % configs.len();
        configs[at].edges.push(EdgeConfig {
            home: Path::new("..").join(&name),
            chain: name,
            authorities: Path::new("..").join("authorities"),
            listen,
            vault: None,
            mqtt: None,
        });
    }
    Ok(all)
}

/// The name of an organisation's chain and directory.
#[must_use]
pub fn organisation_name(number: u16) -> String {
    format!("org-{number}")
}

fn chains(plan: &Plan, organisations: Vec<Founded>) -> Vec<NewChain> {
    let chain = |name: &str, purpose: &str, kind| NewChain {
        name: name.to_owned(),
        purpose: purpose.to_owned(),
        kind,
    };
    let road = plan.has_road.then(|| {
        let purpose = "vehicles, RSUs and their authorities";
        chain("road", purpose, Kind::Road)
    });
    let relay = (!organisations.is_empty()).then(|| {
        let purpose = "directory of organisations, exchange records";
        chain(RELAY, purpose, Kind::Relay)
    });
    let members = (1..).zip(organisations).map(|(number, founded)| {
        let purpose = format!("records and policy of organisation {number}");
        let name = organisation_name(number);
        chain(&name, &purpose, Kind::Organisation(Box::new(founded)))
    });
    road.into_iter().chain(relay).chain(members).collect()
}
