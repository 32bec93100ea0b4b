//! A road network in one process: validators, authorities, RSUs.
//!
//! Bringing one up:
//!
//! 1. every validator recovers what it has stored,
//! 2. TA deploys contracts `keys` and `tokens`, unless an earlier run has,
//! 3. TA and LEA register every RSU with its position, or bring its record up to date,
//! 4. RSUs open their antennas.
//!
//! From then on vehicles can be enrolled ([`Network::enrol`]) and traffic replayed
//! ([`crate::replay`]).

use crate::{
    authority::{Authorities, AuthorityError},
    clock::TraceClock,
    counters::Counters,
    home::{Home, HomeError},
    ledger::{Ledger, LedgerError},
    radio::Radio,
    roadside::{self, Rsu, Surroundings},
};
use cairn_chain::{ReadError, Runtime};
use cairn_ledger::{PrivateKey, Rid};
use cairn_protocol::{roadside::Site as RsuIdentity, trust::Road, vehicle::Identity};
use cairn_scenario::{Metres, RadioRange, Site};
use rand::{SeedableRng as _, rngs::StdRng};
use std::{io, sync::Arc, time::Duration};
use thiserror::Error;

/// What a vehicle may be off by its own position and by moving within the accepted age of a
/// beacon: 2 s at 60 m/s, and 30 m of position error.
const PLAUSIBILITY_MARGIN_M: f64 = 150.0;

/// Trace time that the ledger's last block may be old before the replay waits for the next, in
/// milliseconds. Half of what vehicles accept (60 s), because a proof is used for a while.
const STALE_LEDGER_MS: u64 = 25_000;

/// Real time between two looks at the ledger while waiting for a block.
const BLOCK_POLL: Duration = Duration::from_millis(10);

/// Why the network cannot be brought up, or failed.
#[derive(Debug, Error)]
pub enum NetworkError {
    /// The data directory.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The directory's network is another one than was asked for.
    #[error(
        "data directory holds a network of {found} validators, expected {expected}; \
             choose another directory or ask for {found}"
    )]
    OtherNetwork {
        /// What was asked for.
        expected: usize,
        /// What is there.
        found: usize,
    },
    /// A validator did not start.
    #[error("validator {number}: {source}")]
    Validator {
        /// Which one, from 1.
        number: usize,
        /// Why.
        source: cairn_chain::StartError,
    },
    /// The ledger refused something or failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The ledger cannot be read.
    #[error("ledger: {0}")]
    Read(#[from] ReadError),
    /// TA or LEA refused something.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// An antenna cannot be opened.
    #[error("cannot open a radio socket: {0}")]
    Radio(io::Error),
    /// An RSU's task ended. Our own bug.
    #[error("{0} stopped")]
    RsuStopped(Rid),
}

/// What is needed to bring a network up once its chain runs.
pub struct Setup<E: Runtime, R> {
    /// The runtime.
    pub context: E,
    /// Where everything random in this process comes from.
    pub rng: StdRng,
    /// The radio link.
    pub radio: R,
    /// The network's clock.
    pub clock: TraceClock,
    /// Where keys and registers lie.
    pub home: Arc<Home>,
    /// Access to the chain.
    pub ledger: Ledger<E>,
    /// TA's key.
    pub ta: PrivateKey,
    /// LEA's key.
    pub lea: PrivateKey,
    /// Where RSUs stand.
    pub sites: Vec<Site>,
    /// Radio range.
    pub range: RadioRange,
    /// Real time between two batches of an RSU.
    pub batch_interval: Duration,
}

/// A running network.
pub struct Network<E: Runtime, R: Radio> {
    /// The runtime.
    pub context: E,
    /// Where everything random in this process comes from.
    pub rng: StdRng,
    /// The radio link.
    pub radio: R,
    /// The network's clock.
    pub clock: TraceClock,
    /// Access to the chain.
    pub ledger: Ledger<E>,
    /// RSUs and where they stand.
    pub rsus: Vec<(Rsu, Metres)>,
    /// Radio range.
    pub range: RadioRange,
    /// What every vehicle is given at enrolment.
    pub road: Road,
    /// What vehicles and RSUs count.
    pub counters: Counters,
    authorities: Authorities<E>,
    home: Arc<Home>,
}

impl<E: Runtime, R: Radio> Network<E, R> {
    /// Steps 2 to 4 of the [module documentation](self).
    pub async fn start(mut setup: Setup<E, R>) -> Result<Self, NetworkError> {
        let mut authorities = Authorities::open(
            StdRng::from_rng(&mut setup.rng),
            setup.ledger.clone(),
            setup.clock.clone(),
            setup.home.clone(),
            setup.ta,
            setup.lea,
        )?;
        let keys = authorities.deploy_keys().await?;
        let tokens = authorities.deploy_tokens().await?;
        let signers = authorities.register_rsus(&setup.sites).await?;

        let chain = setup.ledger.chain().id();
        let counters = Counters::default();
        let mut rsus = Vec::with_capacity(setup.sites.len());
        for ((rid, signer), site) in signers.into_iter().zip(&setup.sites) {
            let identity = RsuIdentity {
                chain,
                keys,
                tokens,
                rid,
                signer,
            };
            let antenna = setup.radio.open().await.map_err(NetworkError::Radio)?;
            let rsu = roadside::start(
                &setup.context,
                StdRng::from_rng(&mut setup.rng),
                identity,
                antenna,
                Surroundings {
                    ledger: setup.ledger.clone(),
                    clock: setup.clock.clone(),
                    counters: counters.clone(),
                    batch_interval: setup.batch_interval,
                },
            );
            rsus.push((rsu, site.position));
        }
        Ok(Self {
            context: setup.context,
            rng: setup.rng,
            radio: setup.radio,
            clock: setup.clock,
            road: Road {
                chain,
                network_key: setup.ledger.chain().genesis().network_key(),
                keys,
                plausible_range_m: setup.range.metres() + PLAUSIBILITY_MARGIN_M,
            },
            ledger: setup.ledger,
            rsus,
            range: setup.range,
            counters,
            authorities,
            home: setup.home,
        })
    }

    /// The identities of the vehicles with these names: those that were here before bring theirs,
    /// the others make a key and are registered by TA and LEA.
    pub async fn enrol(&mut self, names: &[Arc<str>]) -> Result<Vec<Identity>, NetworkError> {
        Ok(self.authorities.enrol(names).await?)
    }

    /// Waits for a block when the last one is old in trace time: an idle ledger makes one per
    /// second of real time, which may be many seconds of a fast replay.
    pub async fn keep_certificates_fresh(&self) -> Result<(), NetworkError> {
        loop {
            let age_ms = self
                .clock
                .now_ms()
                .saturating_sub(self.ledger.chain().status().time_ms);
            if age_ms < STALE_LEDGER_MS {
                return Ok(());
            }
            self.context.sleep(BLOCK_POLL).await;
        }
    }

    /// Bytes that the network occupies on disk.
    pub fn disk_bytes(&self) -> u64 {
        self.home.disk_bytes()
    }
}
