//! A whole road network in the deterministic runtime: simulated links, radio inside the process,
//! virtual time. Validators can be crashed, restarted and cut off while traffic flows.
#![allow(dead_code, reason = "each test file uses its part of this module")]

pub mod air;

use air::{Air, Faults};
use cairn_chain::{
    Config, StartError, Validator, limits::SMALL_CACHE_MIB, simulated::SimulatedNetwork,
};
use cairn_ledger::{Genesis, PublicKey};
use cairn_node::{
    authority::Enrolment,
    clock::TraceClock,
    embedded::{Keys, constitution, signing_key},
    home::Home,
    ledger::Ledger,
    network::{Network, NetworkError, Setup},
    villains::Villain,
};
use cairn_protocol::service::Points;
use cairn_scenario::{RadioRange, Site};
use cairn_simulation::start_validator as start_on_links;
use commonware_cryptography::Signer as _;
use commonware_p2p::simulated::{Error as LinkError, Link};
use commonware_runtime::{
    Blob as _, BlobVersion, ReadOptions, Runner as _, Storage as _, Supervisor as _,
    deterministic::{Config as RuntimeConfig, Context, Runner},
};
use rand::{SeedableRng as _, rngs::StdRng};
use std::{collections::HashMap, io, sync::Arc, time::Duration};
use thiserror::Error;

/// Block time at the start of a simulation, milliseconds since 1970: 2027-01-15. Any would do.
const START_MS: u64 = 1_800_000_000_000;

/// Time between two batches of an RSU, if a test has no other wish.
pub const BATCH_INTERVAL: Duration = Duration::from_millis(50);

/// What nobody drives faster than, in m/s.
const TOP_SPEED_M_S: f64 = 40.0;

/// What to simulate.
pub struct Options {
    /// Draws everything.
    pub seed: u64,
    /// Validators of the road chain, at least one.
    pub validators: usize,
    /// Where RSUs stand.
    pub sites: Vec<Site>,
    /// Radio range.
    pub range: RadioRange,
    /// The links between validators.
    pub link: Link,
    /// What happens to datagrams between vehicles and RSUs.
    pub faults: Faults,
    /// Time between two batches of an RSU.
    pub batch_interval: Duration,
    /// RSUs that villains run, by their place in the list of sites.
    pub villains: HashMap<usize, Villain>,
    /// How vehicles are enrolled.
    pub enrolment: Enrolment,
    /// Charging points; with them there are location services.
    pub points: Option<Points>,
    /// How far vehicles hear each other, if they relay.
    pub hop_range: Option<RadioRange>,
}

/// Why a simulation ended early.
#[derive(Debug, Error)]
pub enum SimulationError {
    /// The network.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The simulated links.
    #[error("simulated link: {0}")]
    Link(#[from] LinkError),
    /// There is no temporary directory for keys and registers.
    #[error("cannot create a temporary directory: {0}")]
    Temporary(#[from] io::Error),
}

/// A running simulation.
pub struct Simulation {
    /// The network.
    pub network: Network<Context, Air>,
    /// Its directory: keys and registers.
    pub home: Arc<Home>,
    context: Context,
    genesis: Genesis,
    clock: TraceClock,
    links: SimulatedNetwork<Context>,
    link: Link,
    keys: Keys,
    validators: Vec<Option<Validator<Context>>>,
    starts: u64,
}

/// Brings a simulated network up and hands it to `work`.
pub fn run<T, W>(options: Options, work: W) -> Result<T, SimulationError>
where
    W: AsyncFnOnce(&mut Simulation) -> T,
{
    let directory = tempfile::tempdir()?;
    let home = Arc::new(Home::open(directory.path()).map_err(NetworkError::from)?);
    let config = RuntimeConfig::default().with_seed(options.seed);
    Runner::new(config).start(|context| async move {
        let mut simulation = Simulation::start(context, options, home).await?;
        Ok(work(&mut simulation).await)
    })
}

impl Simulation {
    async fn start(
        context: Context,
        options: Options,
        home: Arc<Home>,
    ) -> Result<Self, SimulationError> {
        let mut rng = StdRng::seed_from_u64(options.seed);
        let clock = TraceClock::new(context.child("clock"), START_MS, u64::MAX);
        let ta = signing_key(&home, "ta", &mut rng).map_err(NetworkError::from)?;
        let lea = signing_key(&home, "lea", &mut rng).map_err(NetworkError::from)?;
        let authorities = [&ta, &lea];
        let (genesis, keys) = constitution(
            &home,
            "simulated road",
            options.validators,
            authorities,
            START_MS,
            &mut rng,
        )?;
        let members: Vec<PublicKey> = keys.iter().map(|(key, _)| key.public_key()).collect();
        let links =
            SimulatedNetwork::start(context.child("links"), members, options.link.clone()).await?;
        let mut validators = Vec::with_capacity(keys.len());
        for index in 0..keys.len() {
            validators.push(Some(
                start_validator(&context, &genesis, &keys, &clock, &links, index, 0).await?,
            ));
        }
        let first = validators.iter().flatten().next();
        let chain = first
            .expect("there is at least one validator")
            .chain()
            .clone();
        let setup = Setup {
            context: context.child("network"),
            rng,
            radio: Air::new(context.child("air"), options.faults, options.seed),
            clock: clock.clone(),
            home: home.clone(),
            ledger: Ledger::observe(&context, chain),
            ta,
            lea,
            sites: options.sites,
            range: options.range,
            top_speed_m_s: TOP_SPEED_M_S,
            batch_interval: options.batch_interval,
            villains: options.villains,
            enrolment: options.enrolment,
            points: options.points,
            hop_range: options.hop_range,
        };
        Ok(Self {
            network: Network::start(setup).await?,
            home,
            context,
            genesis,
            clock,
            links,
            link: options.link,
            keys,
            validators,
            starts: 0,
        })
    }

    /// Kills the validator of this index, as a power cut does. The first one serves the RSUs.
    pub async fn crash(&mut self, index: usize) {
        if let Some(validator) = self.validators[index].take() {
            validator.stop().await;
        }
    }

    /// Starts a crashed validator again, on what it had stored.
    pub async fn restart(&mut self, index: usize) -> Result<(), SimulationError> {
        self.starts += 1;
        let validator = start_validator(
            &self.context,
            &self.genesis,
            &self.keys,
            &self.clock,
            &self.links,
            index,
            self.starts,
        );
        self.validators[index] = Some(validator.await?);
        Ok(())
    }

    /// Cuts a validator off from the others.
    pub async fn cut(&self, index: usize) -> Result<(), SimulationError> {
        Ok(self.links.cut(&self.member(index)).await?)
    }

    /// Connects a validator with the others again.
    pub async fn heal(&self, index: usize) -> Result<(), SimulationError> {
        Ok(self.links.heal(&self.member(index), &self.link).await?)
    }

    /// The chain as the validator of this index sees it, unless it has crashed.
    pub fn chain(&self, index: usize) -> Option<&cairn_chain::Chain<Context>> {
        self.validators[index].as_ref().map(Validator::chain)
    }

    /// What is stored in a partition, blob after blob. Whoever wrote it must have been stopped.
    pub async fn stored(&self, partition: &str) -> Vec<u8> {
        // What was stopped lets go of its files when it is next scheduled.
        commonware_runtime::Clock::sleep(&self.context, Duration::from_secs(1)).await;
        let any = BlobVersion::new(0)..=BlobVersion::new(u16::MAX);
        let mut bytes = Vec::new();
        for name in self.context.scan(partition).await.unwrap() {
            let opened = self.context.open_versioned(partition, &name, any.clone());
            let (blob, length, _) = opened.await.unwrap();
            let read = blob.read_at(0, length as usize, ReadOptions::default());
            let read = read.await.unwrap();
            bytes.extend_from_slice(read.coalesce().as_ref());
        }
        bytes
    }

    fn member(&self, index: usize) -> PublicKey {
        self.keys[index].0.public_key()
    }
}

async fn start_validator(
    context: &Context,
    genesis: &Genesis,
    keys: &Keys,
    clock: &TraceClock,
    links: &SimulatedNetwork<Context>,
    index: usize,
    start: u64,
) -> Result<Validator<Context>, SimulationError> {
    let (identity, share) = &keys[index];
    let config = Config {
        genesis: genesis.clone(),
        code: cairn_contracts::CODE,
        identity: identity.clone(),
        share: share.clone(),
        partition: format!("validator-{}", index + 1),
        cache_mib: SMALL_CACHE_MIB,
    };
    let context = context
        .child("validator")
        .with_attribute("number", index + 1)
        .with_attribute("start", start);
    let links = links.links(&identity.public_key()).await?;
    let failed = |source: StartError| NetworkError::Validator {
        number: index + 1,
        source,
    };
    let started = start_on_links(context, config, links, clock.reader());
    Ok(started.await.map_err(failed)?)
}
