//! Chains in this process: validators that talk TCP on the loopback interface, one RSU that has
//! tokens to record.

use std::{
    error::Error,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    num::NonZeroU16,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use cairn_chain::{
    Chain, Config, InsecureDealing,
    network::{self, TcpConfig, TcpValidator},
    runtime_clock,
};
use cairn_contracts::{
    danger::{self, Class, Inputs, Model, Report, Trip, Weather},
    keys::{self, Operation, RsuRecord},
    tokens::{self, Batch, Mint, TokenId},
};
use cairn_ledger::{Address, Genesis, Position, PrivateKey, Rid, SignedTransaction, StateKey};
use commonware_cryptography::Signer as _;
use commonware_runtime::{
    Supervisor as _,
    tokio::{self, Context},
};
use commonware_utils::ordered::{Map, Set};
use futures::StreamExt as _;
use rand::{SeedableRng as _, rngs::StdRng};

/// How long a token lives, in milliseconds; nothing expires while something is measured.
const LIFE_MS: u64 = 3_600_000;

/// The RSU whose batches are the load.
const RSU: Rid = Rid(1);

/// What the RSU's transactions are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Tokens minted for logins.
    Tokens,
    /// Dangers evaluated, each for a trip of its own.
    Evaluations,
}

/// A car at 50 km/h, alone on a dry road on a clear day.
pub const CALM: Inputs = Inputs {
    class: Class::Car,
    condition: 100,
    speed_cm_s: 1_389,
    ahead: None,
    weather: Weather::Clear,
    road: danger::Road::Dry,
};

/// What everybody on a chain agrees on, and the keys of those who sign.
#[derive(Clone)]
pub struct Cast {
    pub genesis: Genesis,
    pub identities: Vec<PrivateKey>,
    ta: PrivateKey,
    lea: PrivateKey,
    rsu: PrivateKey,
    expires_ms: u64,
}

impl Cast {
    /// A chain of this name, and its validators' shares.
    pub fn new(name: &str, validators: u64, now_ms: u64) -> (Self, InsecureDealing) {
        let mut identities: Vec<_> = (0..validators).map(PrivateKey::from_seed).collect();
        identities.sort_by_key(|identity| identity.public_key());
        let keys = Set::from_iter_dedup(identities.iter().map(|identity| identity.public_key()));
        let dealing = InsecureDealing::deal(&keys, &mut StdRng::seed_from_u64(1));
        let (ta, lea) = (PrivateKey::from_seed(1_000), PrivateKey::from_seed(1_001));
        let genesis = Genesis {
            name: Bytes::copy_from_slice(name.as_bytes()),
            validators: keys,
            sharing: dealing.sharing.clone(),
            ta: ta.public_key(),
            lea: lea.public_key(),
            time_ms: now_ms,
        };
        let cast = Self {
            genesis,
            identities,
            ta,
            lea,
            rsu: PrivateKey::from_seed(1_002),
            expires_ms: now_ms + LIFE_MS,
        };
        (cast, dealing)
    }

    /// What validator number `index` is started with.
    pub fn config(
        &self,
        dealing: &InsecureDealing,
        index: usize,
        partition: String,
        cache_mib: NonZeroU16,
    ) -> Config {
        let identity = self.identities[index].clone();
        let share = dealing.shares.get_value(&identity.public_key());
        Config {
            genesis: self.genesis.clone(),
            code: cairn_contracts::CODE,
            share: share.expect("every validator was dealt a share").clone(),
            identity,
            partition,
            cache_mib,
        }
    }

    /// What stands before the load: the contracts, and the RSU's registration.
    pub fn preparation(&self) -> Vec<SignedTransaction> {
        let chain = self.genesis.chain_id();
        let ta = self.ta.public_key();
        let period = u64::MAX / 2;
        let parameters = tokens::Parameters {
            keys: self.contract(1),
            max_life_ms: 2 * LIFE_MS,
            max_hops: 10,
        };
        let record = RsuRecord {
            key: self.rsu.public_key(),
            position: Position { x_cm: 0, y_cm: 0 },
            valid_from_ms: 0,
            valid_until_ms: period,
            revoked_ms: None,
        };
        let evaluation = danger::Parameters {
            keys: self.contract(1),
            life_ms: 2_000,
            witnesses: 3,
            model: Model::default(),
        };
        let register = [Operation::RegisterRsu(RSU, record)];
        let authorities = [&self.ta, &self.lea];
        vec![
            keys::deploy(1, self.expires_ms, &ta, period).sign(&chain, &authorities),
            tokens::deploy(2, self.expires_ms, &ta, &parameters).sign(&chain, &authorities),
            danger::deploy(3, self.expires_ms, &ta, &evaluation).sign(&chain, &authorities),
            keys::call(4, self.expires_ms, self.contract(1), &register).sign(&chain, &authorities),
        ]
    }

    fn contract(&self, nonce: u64) -> Address {
        Address::of_instance(&self.ta.public_key(), nonce)
    }

    /// The RSU's transaction number `nonce`, from 1, with 1 to 256 records of this work, made now.
    pub fn transaction(&self, work: Work, nonce: u64, records: u64) -> SignedTransaction {
        match work {
            Work::Tokens => self.batch(nonce, records),
            Work::Evaluations => self.evaluations(nonce, records),
        }
    }

    fn evaluations(&self, nonce: u64, records: u64) -> SignedTransaction {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let time_ms = now.map_or(0, |now| now.as_millis() as u64);
        let danger = Model::default().danger(&CALM);
        let report = |number| Report {
            trip: trip(number),
            time_ms,
            commitment: point(number),
            inputs: CALM,
            danger,
        };
        let numbers = nonce * records..(nonce + 1) * records;
        let reports: Vec<_> = numbers.map(report).collect();
        let (contract, keys) = (self.contract(3), self.contract(1));
        danger::call(nonce, self.expires_ms, contract, keys, RSU, &reports)
            .sign(&self.genesis.chain_id(), &[&self.rsu])
    }

    /// The RSU's transaction number `nonce`, from 1, with this many tokens, 1 to 256.
    pub fn batch(&self, nonce: u64, records: u64) -> SignedTransaction {
        let mints = (nonce * records..(nonce + 1) * records).map(|number| Mint {
            id: TokenId::of(&point(number)),
            commitment: point(number),
            expires_ms: self.expires_ms,
            hops: 0,
        });
        let batch = Batch {
            mints: mints.collect(),
            ..Batch::default()
        };
        let (tokens, keys) = (self.contract(2), self.contract(1));
        tokens::call(nonce, self.expires_ms, tokens, keys, RSU, batch)
            .sign(&self.genesis.chain_id(), &[&self.rsu])
    }

    /// Where the record of token `number` stands: number `i` of [`Cast::batch`] `nonce` is
    /// `nonce * records + i`.
    pub fn token_key(&self, number: u64) -> StateKey {
        tokens::token_key(&self.contract(2), &TokenId::of(&point(number)))
    }
}

fn point(number: u64) -> [u8; 32] {
    let mut point = [0; 32];
    point[..8].copy_from_slice(&number.to_be_bytes());
    point
}

fn trip(number: u64) -> Trip {
    let mut trip = [0; 20];
    trip[..8].copy_from_slice(&number.to_be_bytes());
    Trip(trip)
}

/// A running chain, prepared for the load.
pub struct Network {
    pub cast: Cast,
    validators: Vec<TcpValidator>,
}

impl Network {
    /// Starts the validators and waits until the RSU is registered. `name` tells chains in one
    /// process apart; `cache_mib` is each validator's.
    pub async fn start(
        context: &Context,
        name: &str,
        validators: u64,
        cache_mib: NonZeroU16,
    ) -> Result<Self, Box<dyn Error>> {
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64;
        let (cast, dealing) = Cast::new(name, validators, now_ms);
        let peers = Map::try_from(addresses(&cast)?).map_err(|_| "two validators with one key")?;
        let mut running = Vec::new();
        for (index, identity) in cast.identities.iter().enumerate() {
            let context = context
                .child("chain")
                .with_attribute("name", name)
                .with_attribute("index", index);
            let tcp = TcpConfig {
                identity: identity.clone(),
                chain: cast.genesis.chain_id(),
                listen: *peers
                    .get_value(&identity.public_key())
                    .ok_or("no address")?,
                validators: peers.clone(),
            };
            let config = cast.config(&dealing, index, format!("{name}-{index}"), cache_mib);
            let clock = runtime_clock(context.child("clock"));
            running.push(network::start(context, config, tcp, clock).await?);
        }
        let network = Self {
            cast,
            validators: running,
        };
        let mut blocks = network.chain().finalized();
        for transaction in network.cast.preparation() {
            network.chain().submit(vec![transaction])?;
            let receipts = loop {
                let block = blocks.next().await.ok_or("the chain stopped")?;
                if !block.receipts.is_empty() {
                    break block.receipts;
                }
            };
            receipts[0].result?;
        }
        Ok(network)
    }

    /// The chain, as its first validator sees it.
    pub fn chain(&self) -> &Chain<Context> {
        self.validators[0].0.chain()
    }

    /// Stops the validators.
    pub async fn stop(self) {
        for (validator, network) in self.validators {
            validator.stop().await;
            network.abort();
        }
    }
}

/// Addresses that nobody listens at.
fn addresses(cast: &Cast) -> Result<Vec<(cairn_ledger::PublicKey, SocketAddr)>, std::io::Error> {
    let listeners: Vec<_> = cast
        .identities
        .iter()
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .collect::<Result<_, _>>()?;
    let peers = cast.identities.iter().zip(&listeners);
    peers
        .map(|(identity, listener)| Ok((identity.public_key(), listener.local_addr()?)))
        .collect()
}

/// Runs something on chains, in a directory of its own that is removed afterwards.
pub fn with_runtime<T>(
    work: impl AsyncFnOnce(Context) -> Result<T, Box<dyn Error>>,
) -> Result<T, Box<dyn Error>> {
    with_runtime_in(tempfile::tempdir()?.path(), work)
}

/// Runs something on chains that store in `directory`.
pub fn with_runtime_in<T>(
    directory: &Path,
    work: impl AsyncFnOnce(Context) -> Result<T, Box<dyn Error>>,
) -> Result<T, Box<dyn Error>> {
    use commonware_runtime::Runner as _;
    let config = tokio::Config::new()
        .with_worker_threads(2)
        .with_storage_directory(directory);
    tokio::Runner::new(config).start(|context| async move { work(context).await })
}
