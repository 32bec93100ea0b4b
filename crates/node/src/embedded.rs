//! A whole network in this process, over real sockets on the loopback interface.

use crate::{
    authority::Enrolment,
    clock::TraceClock,
    home::{Home, HomeError},
    ledger::Ledger,
    network::{Network, NetworkError, Setup},
    radio::udp::Udp,
    villains::Villain,
};
use cairn_chain::{
    Config, InsecureDealing, StartError,
    limits::SMALL_CACHE_MIB,
    network::{TcpConfig, TcpValidator, start as start_validator},
};
use cairn_ledger::{Genesis, PrivateKey};
use cairn_protocol::service::Points;
use cairn_scenario::{RadioRange, Site};
use commonware_codec::{Copying, DecodeExt as _, Encode as _, FixedSize as _};
use commonware_cryptography::{Signer as _, bls12381::primitives::group::Share};
use commonware_math::algebra::Random as _;
use commonware_runtime::{
    Clock as _, Runner as _, Supervisor as _,
    tokio::{Config as RuntimeConfig, Context, Runner},
};
use commonware_utils::ordered::{Map, Set};
use rand::{SeedableRng as _, rngs::StdRng};
use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};
use thiserror::Error;
use zeroize::Zeroizing;

/// The name that the genesis of an embedded network carries.
pub const NAME: &str = "embedded road";

/// What the names of the storage of its validators begin with.
pub(crate) const PARTITION: &str = "validator";

/// What an embedded network is made of.
pub struct Options {
    /// Validators of the road chain, at least one.
    pub validators: usize,
    /// Where RSUs stand.
    pub sites: Vec<Site>,
    /// Radio range.
    pub range: RadioRange,
    /// What nobody drives faster than, in m/s: RSUs hold it against a vehicle.
    pub top_speed_m_s: f64,
    /// Real time between two batches of an RSU.
    pub batch_interval: Duration,
    /// Draws everything random, keys included, from this number instead of the system: for
    /// experiments that are to be repeated.
    pub seed: Option<u64>,
    /// Where the network is kept; without it, it is gone at the end.
    pub data: Option<PathBuf>,
    /// RSUs that villains run, by their place in the list of sites.
    pub villains: HashMap<usize, Villain>,
    /// How vehicles are enrolled.
    pub enrolment: Enrolment,
    /// Charging points; with them there are location services.
    pub points: Option<Points>,
    /// How far vehicles hear each other, if they relay.
    pub hop_range: Option<RadioRange>,
}

/// Why an embedded network did not come up.
#[derive(Debug, Error)]
pub enum EmbeddedError {
    /// There is no temporary directory.
    #[error("cannot create a temporary directory: {0}")]
    Temporary(io::Error),
    /// The network.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// No port is free on the loopback interface.
    #[error("cannot find a free port on 127.0.0.1: {0}")]
    Port(io::Error),
}

impl From<HomeError> for EmbeddedError {
    fn from(error: HomeError) -> Self {
        Self::Network(error.into())
    }
}

/// The running network over loopback sockets.
pub type Running = Network<Context, Udp>;

/// Brings a network up, hands it to `work`, and stops it.
pub fn run<T, W>(options: Options, work: W) -> Result<T, EmbeddedError>
where
    W: AsyncFnOnce(&mut Running) -> T,
{
    let temporary;
    let path: &Path = match &options.data {
        Some(path) => path,
        None => {
            temporary = tempfile::Builder::new()
                .prefix("cairn-")
                .tempdir()
                .map_err(EmbeddedError::Temporary)?;
            &temporary.path().join("network")
        }
    };
    let home = Arc::new(Home::open(path)?);
    let config = RuntimeConfig::default().with_storage_directory(home.chain_storage());
    Runner::new(config).start(|context| async move {
        let (mut network, validators) = start(context, options, home).await?;
        let result = work(&mut network).await;
        drop(network);
        stop_validators(validators).await;
        Ok(result)
    })
}

/// The number of validators of the network in a directory; `None` when it holds none.
pub fn validators_in(path: &Path) -> Result<Option<usize>, EmbeddedError> {
    if !path.join("genesis").exists() {
        return Ok(None);
    }
    let genesis = Home::open(path)?.genesis()?;
    Ok(genesis.map(|genesis| genesis.validators.len()))
}

/// Each validator's identity, and its share of the network's key.
pub type Keys = Vec<(PrivateKey, Share)>;

async fn start(
    context: Context,
    options: Options,
    home: Arc<Home>,
) -> Result<(Running, Vec<TcpValidator>), EmbeddedError> {
    let mut rng = match options.seed {
        Some(seed) => StdRng::seed_from_u64(seed),
        None => StdRng::from_rng(&mut context.child("seed")),
    };
    let since_1970 = context
        .current()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let now_ms = u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX);
    let clock = TraceClock::new(context.child("clock"), now_ms, u64::MAX);

    let ta = signing_key(&home, "ta", &mut rng)?;
    let lea = signing_key(&home, "lea", &mut rng)?;
    let (genesis, keys) = constitution(
        &home,
        NAME,
        options.validators,
        [&ta, &lea],
        now_ms,
        &mut rng,
    )?;

    let validators = start_validators(&context, PARTITION, &genesis, keys, &clock).await?;
    let (first, _) = &validators[0];
    let ledger = Ledger::observe(&context, first.chain().clone());
    // A ledger that was replayed faster than time went by is ahead of the system's clock. Its time
    // is known from the first block after the start, which an idle chain makes within a second.
    let mut first_block = ledger.chain().finalized();
    let tip_ms = futures::StreamExt::next(&mut first_block)
        .await
        .map_or(0, |block| block.time_ms);
    clock.advance(tip_ms, u64::MAX);

    let setup = Setup {
        context: context.child("network"),
        rng,
        radio: Udp::start().map_err(NetworkError::Radio)?,
        clock,
        home,
        ledger,
        ta,
        lea,
        sites: options.sites,
        range: options.range,
        top_speed_m_s: options.top_speed_m_s,
        batch_interval: options.batch_interval,
        villains: options.villains,
        enrolment: options.enrolment,
        points: options.points,
        hop_range: options.hop_range,
    };
    Ok((Network::start(setup).await?, validators))
}

/// Brings up validators with these keys, connected over the loopback interface. What they store is
/// named after `prefix`: chains that share a storage directory need different ones.
pub(crate) async fn start_validators(
    context: &Context,
    prefix: &str,
    genesis: &Genesis,
    keys: Keys,
    clock: &TraceClock,
) -> Result<Vec<TcpValidator>, EmbeddedError> {
    let addresses = free_addresses(keys.len()).map_err(EmbeddedError::Port)?;
    let by_key: Map<_, _> = keys
        .iter()
        .zip(&addresses)
        .map(|((identity, _), address)| (identity.public_key(), *address))
        .collect::<Vec<_>>()
        .try_into()
        .expect("validators have different keys");
    let mut validators = Vec::with_capacity(keys.len());
    for (index, ((identity, share), listen)) in keys.into_iter().zip(addresses).enumerate() {
        let number = index + 1;
        let failed = |source: StartError| NetworkError::Validator { number, source };
        let tcp = TcpConfig {
            identity: identity.clone(),
            chain: genesis.chain_id(),
            listen,
            validators: by_key.clone(),
        };
        let context = context.child("validator").with_attribute("number", number);
        let config = Config {
            code: cairn_contracts::CODE,
            genesis: genesis.clone(),
            identity,
            share,
            partition: format!("{prefix}-{number}"),
            cache_mib: SMALL_CACHE_MIB,
        };
        let started = start_validator(context, config, tcp, clock.reader());
        validators.push(started.await.map_err(failed)?);
    }
    for (validator, _) in &validators {
        validator
            .chain()
            .ready()
            .await
            .map_err(NetworkError::from)?;
    }
    Ok(validators)
}

/// Stops them.
pub(crate) async fn stop_validators(validators: Vec<TcpValidator>) {
    for (validator, links) in validators {
        validator.stop().await;
        links.abort();
    }
}

/// The genesis and the validators' keys: those of the directory, or new ones for a chain that is
/// called `name`.
pub fn constitution(
    home: &Home,
    name: &'static str,
    count: usize,
    [ta, lea]: [&PrivateKey; 2],
    now_ms: u64,
    rng: &mut StdRng,
) -> Result<(Genesis, Keys), NetworkError> {
    if let Some(genesis) = home.genesis()? {
        let found = genesis.validators.len();
        if found != count {
            return Err(NetworkError::OtherNetwork {
                expected: count,
                found,
            });
        }
        let keys = (1..=found)
            .map(|number| validator_keys(home, &validator_name(number)))
            .collect::<Result<_, _>>()?;
        return Ok((genesis, keys));
    }
    let (genesis, keys) = deal(name, count, [ta, lea], now_ms, rng);
    for (number, keys) in (1..).zip(&keys) {
        keep_validator(home, &validator_name(number), keys)?;
    }
    home.set_genesis(&genesis)?;
    Ok((genesis, keys))
}

/// A new chain with `count` validators. Whoever deals knows all shares.
///
/// # Panics
///
/// When there are no validators.
pub(crate) fn deal(
    name: &str,
    count: usize,
    [ta, lea]: [&PrivateKey; 2],
    now_ms: u64,
    rng: &mut StdRng,
) -> (Genesis, Keys) {
    let identities: Vec<PrivateKey> = (0..count).map(|_| PrivateKey::random(&mut *rng)).collect();
    let validators = identities.iter().map(|identity| identity.public_key());
    let validators = Set::try_from(validators.collect::<Vec<_>>());
    let validators = validators.expect("random keys are different");
    let dealing = InsecureDealing::deal(&validators, rng);
    let with_share = |identity: PrivateKey| {
        let share = dealing.shares.get_value(&identity.public_key());
        let share = share.expect("every validator was dealt a share").clone();
        (identity, share)
    };
    let keys = identities.into_iter().map(with_share).collect();
    let genesis = Genesis {
        name: name.to_owned().into(),
        validators,
        sharing: dealing.sharing,
        ta: ta.public_key(),
        lea: lea.public_key(),
        time_ms: now_ms,
    };
    (genesis, keys)
}

fn validator_name(number: usize) -> String {
    format!("validator-{number}")
}

/// Stores a validator's identity and its share of the network's key under `name`.
pub(crate) fn keep_validator(
    home: &Home,
    name: &str,
    (identity, share): &(PrivateKey, Share),
) -> Result<(), HomeError> {
    let mut secret = Zeroizing::new(identity.encode().to_vec());
    secret.extend_from_slice(&share.encode());
    home.set_secret(name, &secret)
}

/// Reads what [`keep_validator`] stored.
pub(crate) fn validator_keys(home: &Home, name: &str) -> Result<(PrivateKey, Share), HomeError> {
    let corrupt = || home.corrupt_secret(name, "a validator's identity and share");
    let secret = home.secret(name)?.ok_or_else(corrupt)?;
    let (identity, share) = secret
        .split_at_checked(PrivateKey::SIZE)
        .ok_or_else(corrupt)?;
    match (
        PrivateKey::decode(Copying(identity)),
        Share::decode(Copying(share)),
    ) {
        (Ok(identity), Ok(share)) => Ok((identity, share)),
        _ => Err(corrupt()),
    }
}

/// The Ed25519 key called `name`, made if it is not there yet.
pub fn signing_key(home: &Home, name: &str, rng: &mut StdRng) -> Result<PrivateKey, HomeError> {
    if let Some(secret) = home.secret(name)? {
        return PrivateKey::decode(Copying(&secret))
            .map_err(|_| home.corrupt_secret(name, "an Ed25519 key"));
    }
    let key = PrivateKey::random(rng);
    home.set_secret(name, &Zeroizing::new(key.encode().to_vec()))?;
    Ok(key)
}

/// Addresses on the loopback interface that nobody listens on now.
fn free_addresses(count: usize) -> io::Result<Vec<SocketAddr>> {
    // All are held until the last is found, so that they are different.
    let held: Vec<TcpListener> = (0..count)
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .collect::<io::Result<_>>()?;
    held.iter().map(TcpListener::local_addr).collect()
}
