//! Location services in the network: who offers them, and what came of their use.
//!
//! 1. TA, LEA and the operator register each provider with its sealing key (contract `providers`).
//! 2. The provider is a task with a socket of its own ([`crate::provider`]).
//! 3. An RSU vouches for where a vehicle is, and carries questions and answers
//!    (`crate::roadside`, its desk).
//! 4. A vehicle asks on its way, each provider under another name (`crate::obu`, its asking).
//!
//! Two providers: of charging points, which a file names, and of travel times, which it learns from
//! those who ask it.

mod tally;

pub use tally::Tally;

use crate::{
    clock::TraceClock,
    embedded::signing_key,
    home::{Home, HomeError},
    ledger::{Ledger, LedgerError},
    network::NetworkError,
    provider::{self, Provider},
    radio::Radio,
};
use cairn_chain::Runtime;
use cairn_contracts::providers::{
    self as contract, Operation, ProviderId, ProviderRecord, Service, provider_key,
};
use cairn_crypto::suite::{Ristretto255, Secret};
use cairn_ledger::{Address, PrivateKey, Rid};
use cairn_protocol::{
    service::{Book, Name, Point, Points, Roads},
    trust::Road,
};
use cairn_scenario::PointOfInterest;
use commonware_cryptography::Signer as _;
use rand::{SeedableRng as _, rngs::StdRng};
use std::{collections::HashMap, net::SocketAddr};

/// The provider of charging points.
pub const CHARGING: ProviderId = ProviderId(1);

/// The provider of travel times.
pub const TRAVEL_TIME: ProviderId = ProviderId(2);

/// How long a registration is made for, in milliseconds: 90 days.
const VALIDITY_MS: u64 = 90 * DAY_MS;

/// What must be left of it at a start, in milliseconds; otherwise the provider renews it.
const LEFT_MS: u64 = 7 * DAY_MS;

const DAY_MS: u64 = 24 * 3_600_000;

/// How long a registration may wait for a block, in milliseconds of block time.
const PATIENCE_MS: u64 = 60_000;

/// The providers of a running network.
pub struct Services {
    /// Their tasks.
    pub providers: Vec<Provider>,
    /// What vehicles and RSUs know of them.
    pub directory: Directory,
}

/// Who offers what, for vehicles and RSUs. Clones count into the same tally.
#[derive(Clone)]
pub struct Directory {
    /// The instance of contract `providers`.
    pub contract: Address,
    /// What is offered.
    pub offers: Vec<(ProviderId, Service)>,
    /// What came of it.
    pub tally: Tally,
}

/// What providers start with.
pub struct Setup<'a, E: Runtime, R> {
    /// The runtime.
    pub context: &'a E,
    /// The medium between RSUs and providers.
    pub radio: &'a R,
    /// The network's clock.
    pub clock: &'a TraceClock,
    /// Where keys lie.
    pub home: &'a Home,
    /// Access to the chain.
    pub ledger: &'a Ledger<E>,
    /// The road.
    pub road: &'a Road,
    /// The instance of contract `providers`.
    pub contract: Address,
    /// TA and LEA, who register providers.
    pub authorities: [&'a PrivateKey; 2],
    /// How far an RSU hears, with the error of an honest position, in metres.
    pub reach_m: f64,
    /// The RSUs of the road.
    pub rsus: &'a [Rid],
}

impl Services {
    /// Registers both providers and starts them.
    pub async fn start<E: Runtime, R: Radio>(
        setup: &Setup<'_, E, R>,
        points: Points,
        rng: &mut StdRng,
    ) -> Result<Self, NetworkError> {
        let tally = Tally::new(points.len());
        let offers = vec![
            (CHARGING, Service::Charging),
            (TRAVEL_TIME, Service::TravelTime),
        ];
        let books = [Book::Charging(points), Book::TravelTime(Roads::default())];
        let mut providers = Vec::with_capacity(offers.len());
        for (&(id, service), book) in offers.iter().zip(books) {
            let secret = register(setup, id, service, rng).await?;
            let start = provider::Start {
                road: setup.road.clone(),
                id,
                secret,
                reach_m: setup.reach_m,
                book,
                rsus: setup.rsus.to_vec(),
                link: setup.radio.open().await.map_err(NetworkError::Radio)?,
                ledger: setup.ledger.clone(),
                clock: setup.clock.clone(),
                tally: tally.clone(),
                rng: StdRng::from_rng(rng),
            };
            providers.push(provider::start(setup.context, start));
        }
        Ok(Self {
            providers,
            directory: Directory {
                contract: setup.contract,
                offers,
                tally,
            },
        })
    }
}

/// The points of a file as a provider holds them. Names are cut to what an answer has room for.
///
/// # Panics
///
/// When there are more than the reader lets through.
pub fn charging_points(read: &[PointOfInterest]) -> Points {
    const { assert!(cairn_scenario::MAX_POINTS <= cairn_protocol::service::MAX_POINTS) };
    let point = |point: &PointOfInterest| Point {
        position: crate::to_position(point.position),
        kw: point.kw,
        name: Name::cut(&point.name),
    };
    Points::new(read.iter().map(point).collect()).expect("the reader has the smaller limit")
}

impl Services {
    /// Where each provider takes requests.
    pub fn addresses(&self) -> HashMap<ProviderId, SocketAddr> {
        let address = |provider: &Provider| (provider.id, provider.address);
        self.providers.iter().map(address).collect()
    }
}

/// Registers a provider unless it is, for long enough; returns what opens questions to it.
async fn register<E: Runtime, R>(
    setup: &Setup<'_, E, R>,
    id: ProviderId,
    service: Service,
    rng: &mut StdRng,
) -> Result<Secret<Ristretto255>, NetworkError> {
    let operator = signing_key(setup.home, &format!("provider-{}", id.0), rng)?;
    let secret = sealing_key(setup.home, id, rng)?;
    let now_ms = setup.clock.now_ms();
    let record = ProviderRecord {
        service,
        operator: operator.public_key(),
        key: secret.public().to_bytes(),
        valid_from_ms: now_ms,
        valid_until_ms: now_ms + VALIDITY_MS,
        is_revoked: false,
    };
    let key = provider_key(&setup.contract, id);
    let found = setup.ledger.get(&[key]).await?.into_iter().next();
    let found: Option<ProviderRecord> = found.and_then(|(_, found)| found?.decode_as().ok());
    let is_good = |found: &ProviderRecord| {
        let is_same = (found.service, &found.operator, found.key)
            == (record.service, &record.operator, record.key);
        is_same && found.is_valid_at(now_ms) && found.is_valid_at(now_ms + LEFT_MS)
    };
    if found.as_ref().is_some_and(is_good) {
        return Ok(secret);
    }
    let operation = Operation::Register {
        provider: id,
        record,
    };
    let nonce = now_ms.saturating_mul(1_000);
    let expires_ms = now_ms + PATIENCE_MS;
    let [ta, lea] = setup.authorities;
    let transaction = contract::call(nonce, expires_ms, setup.contract, &operation);
    let signed = transaction.sign(&setup.road.chain, &[&operator, ta, lea]);
    let executed: Result<(), LedgerError> = setup.ledger.execute(signed).await;
    executed?;
    Ok(secret)
}

/// What opens questions to a provider, made if it is not there yet.
pub fn sealing_key(
    home: &Home,
    id: ProviderId,
    rng: &mut StdRng,
) -> Result<Secret<Ristretto255>, HomeError> {
    let name = format!("provider-{}-sealing", id.0);
    let Some(bytes) = home.secret(&name)? else {
        let secret = Secret::random(rng);
        home.set_secret(&name, &*secret.to_bytes())?;
        return Ok(secret);
    };
    let bytes: Option<&[u8; 32]> = bytes.as_slice().try_into().ok();
    let secret = bytes.and_then(|bytes| Secret::from_bytes(bytes).ok());
    secret.ok_or_else(|| home.corrupt_secret(&name, "a scalar of 32 bytes"))
}
