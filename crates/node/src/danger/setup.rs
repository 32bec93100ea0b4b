//! The network behind [`super::drive`], brought up and stopped.

use crate::{
    clock::TraceClock,
    embedded::{self, EmbeddedError, constitution, signing_key, start_validators, stop_validators},
    home::{Home, HomeError},
    ledger::{Ledger, LedgerError},
    network::NetworkError,
};
use cairn_chain::ReadError;
use cairn_contracts::{
    danger::{self, Parameters},
    keys::{self, Operation, RsuRecord},
};
use cairn_ledger::{
    Address, Genesis, Position, PrivateKey, Rid, SignedTransaction, Transaction, light::Client,
};
use cairn_protocol::danger::{command::Terms, report::ReportError};
use commonware_cryptography::Signer as _;
use commonware_runtime::{
    Clock as _, Runner as _, Supervisor as _,
    tokio::{Config as RuntimeConfig, Context, Runner},
};
use rand::{SeedableRng as _, rngs::StdRng};
use std::time::UNIX_EPOCH;
use thiserror::Error;

/// The name that the genesis carries.
const NAME: &str = "dangerous road";

/// TA's deployments.
const KEYS_NONCE: u64 = 1;
const DANGER_NONCE: u64 = 2;

/// How long a transaction may wait for a block, in milliseconds.
const PATIENCE_MS: u64 = 60_000;

/// RSUs of the road: f_r + 1 and one that is robbed.
pub(super) const RSUS: u32 = 4;

/// How long keys of RSUs are valid, in milliseconds: a day.
const VALIDITY_MS: u64 = 86_400_000;

/// Why a road with a ledger did not come up, or stopped.
#[derive(Debug, Error)]
pub enum DangerError {
    /// The network did not come up.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    /// The ledger refused something or failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The ledger cannot be read.
    #[error("ledger: {0}")]
    Read(#[from] ReadError),
    /// The vault.
    #[error("vault: {0}")]
    Vault(#[from] cairn_vault::Error),
    /// A report.
    #[error("report: {0}")]
    Report(#[from] ReportError),
    /// The handshake of a session. Our own bug.
    #[error("session: {0}")]
    Session(#[from] cairn_crypto::noise::Error),
}

impl From<HomeError> for DangerError {
    fn from(error: HomeError) -> Self {
        Self::Embedded(error.into())
    }
}

impl From<NetworkError> for DangerError {
    fn from(error: NetworkError) -> Self {
        Self::Embedded(error.into())
    }
}

/// A running network with contract `danger`.
pub(super) struct Town {
    pub(super) genesis: Genesis,
    pub(super) ledger: Ledger<Context>,
    pub(super) clock: TraceClock,
    pub(super) client: Client,
    pub(super) terms: Terms,
    /// Validators' identities, for scenarios in which they lie.
    pub(super) validators: Vec<PrivateKey>,
    /// RSUs' keys.
    pub(super) rsus: Vec<(Rid, PrivateKey)>,
    pub(super) rng: StdRng,
    /// The last nonce of each RSU.
    nonces: Vec<u64>,
}

impl Town {
    /// A transaction in which an RSU records reports.
    pub(super) fn sign(&mut self, rsu: usize, reports: &[danger::Report]) -> SignedTransaction {
        self.nonces[rsu] += 1;
        let (rid, key) = &self.rsus[rsu];
        let Terms {
            contract,
            parameters,
            chain,
        } = &self.terms;
        let expires_ms = self.clock.now_ms() + PATIENCE_MS;
        danger::call(
            self.nonces[rsu],
            expires_ms,
            *contract,
            parameters.keys,
            *rid,
            reports,
        )
        .sign(chain, &[key])
    }
}

/// Brings a network up, hands it to `work`, and stops it. Not to be called inside a runtime.
pub(super) fn run<T, W>(
    validators: usize,
    parameters: Parameters,
    seed: u64,
    work: W,
) -> Result<T, DangerError>
where
    W: AsyncFnOnce(&mut Town) -> Result<T, DangerError>,
{
    let temporary = tempfile::Builder::new().prefix("cairn-").tempdir();
    let temporary = temporary.map_err(EmbeddedError::Temporary)?;
    let home = Home::open(&temporary.path().join("network"))?;
    let config = RuntimeConfig::default().with_storage_directory(home.chain_storage());
    Runner::new(config).start(|context| async move {
        let mut rng = StdRng::seed_from_u64(seed);
        let since_1970 = context.current().duration_since(UNIX_EPOCH);
        let now_ms = u64::try_from(since_1970.unwrap_or_default().as_millis()).unwrap_or(u64::MAX);
        let clock = TraceClock::new(context.child("clock"), now_ms, u64::MAX);
        let ta = signing_key(&home, "ta", &mut rng)?;
        let lea = signing_key(&home, "lea", &mut rng)?;
        let (genesis, keys) = constitution(&home, NAME, validators, [&ta, &lea], now_ms, &mut rng)?;
        let identities = keys.iter().map(|(identity, _)| identity.clone()).collect();
        let running =
            start_validators(&context, embedded::PARTITION, &genesis, keys, &clock).await?;
        let ledger = Ledger::observe(&context, running[0].0.chain().clone());
        let result = async {
            let rsus: Vec<(Rid, PrivateKey)> = (1..=RSUS)
                .map(|number| {
                    Ok((
                        Rid(number),
                        signing_key(&home, &format!("rsu-{number}"), &mut rng)?,
                    ))
                })
                .collect::<Result<_, HomeError>>()?;
            let terms = deploy(&genesis, &ledger, &clock, [&ta, &lea], &rsus, parameters).await?;
            let mut town = Town {
                client: Client::new(&genesis.chain_id(), genesis.network_key()),
                nonces: vec![0; rsus.len()],
                validators: identities,
                genesis,
                ledger,
                clock,
                terms,
                rsus,
                rng,
            };
            work(&mut town).await
        }
        .await;
        stop_validators(running).await;
        result
    })
}

/// Contracts and RSUs.
async fn deploy(
    genesis: &Genesis,
    ledger: &Ledger<Context>,
    clock: &TraceClock,
    [ta, lea]: [&PrivateKey; 2],
    rsus: &[(Rid, PrivateKey)],
    parameters: Parameters,
) -> Result<Terms, LedgerError> {
    let chain = genesis.chain_id();
    let now_ms = clock.now_ms();
    let expires_ms = now_ms + PATIENCE_MS;
    let author = ta.public_key();
    let keys_address = Address::of_instance(&author, KEYS_NONCE);
    let parameters = Parameters {
        keys: keys_address,
        ..parameters
    };
    let register = |(rid, key): &(Rid, PrivateKey)| {
        let record = RsuRecord {
            key: key.public_key(),
            position: Position { x_cm: 0, y_cm: 0 },
            valid_from_ms: 0,
            valid_until_ms: now_ms + VALIDITY_MS,
            revoked_ms: None,
        };
        Operation::RegisterRsu(*rid, record)
    };
    let operations: Vec<_> = rsus.iter().map(register).collect();
    let steps: [(Transaction, &[&PrivateKey]); 3] = [
        (
            keys::deploy(KEYS_NONCE, expires_ms, &author, u64::MAX),
            &[ta],
        ),
        (
            danger::deploy(DANGER_NONCE, expires_ms, &author, &parameters),
            &[ta],
        ),
        (
            keys::call(3, expires_ms, keys_address, &operations),
            &[ta, lea],
        ),
    ];
    for (transaction, signers) in steps {
        ledger.execute(transaction.sign(&chain, signers)).await?;
    }
    Ok(Terms {
        chain,
        contract: Address::of_instance(&author, DANGER_NONCE),
        parameters,
    })
}
