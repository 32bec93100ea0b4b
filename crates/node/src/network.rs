//! A road network in one process: validators, authorities, RSUs.
//!
//! Bringing one up:
//!
//! 1. every validator recovers what it has stored,
//! 2. TA deploys contracts `keys`, `tokens`, `misbehaviour`, `credentials`, `providers` and `credits`, unless an
//!    earlier run has,
//! 3. TA and LEA register every RSU with its position, or bring its record up to date,
//! 4. the issuers generate their key, unless they have one,
//! 5. with charging points, providers of location services are registered and started,
//! 6. RSUs open their antennas, and TA and LEA their ears for requests to revoke.
//!
//! From then on vehicles can be enrolled ([`Network::enrol`]) and traffic replayed
//! ([`crate::replay`]).

use crate::{
    authority::{Authorities, AuthorityError, Enrolled, Enrolment, VOTE_LIFE_MS},
    clock::TraceClock,
    counters::Counters,
    credentials::{self, Credentials, Traced},
    embedded::signing_key,
    findings::Findings,
    home::{Home, HomeError},
    ledger::{Ledger, LedgerError},
    obu::Relays,
    radio::Radio,
    redeemer, revocation,
    revocations::{self, News, Revocations},
    roadside::{self, Jury, Rsu, Surroundings, desk},
    services::{self, Services},
    villains::Villain,
    witness::{self, Ear},
};
use cairn_chain::{ReadError, Runtime};
use cairn_contracts::credentials::RequestRecord;
use cairn_crypto::{issuer::IssuerIndex, linkage::LinkageValue};
use cairn_ledger::{Address, PrivateKey, Rid};
use cairn_protocol::{
    authority::Identification, issuing::Circle, plausibility::Bounds,
    roadside::Site as RsuIdentity, service::Points, trust::Road, witness::Stand,
};
use cairn_scenario::{Metres, RadioRange, Site};
use cairn_vault::Embedded;
use commonware_cryptography::Signer as _;
use rand::{SeedableRng as _, rngs::StdRng};
use std::{collections::HashMap, io, sync::Arc, time::Duration};
use thiserror::Error;
use tokio::sync::{Mutex, mpsc, oneshot};

/// What a vehicle may be off by its own position and by moving within the accepted age of a
/// beacon: 2 s at 60 m/s, and 30 m of position error.
const PLAUSIBILITY_MARGIN_M: f64 = 150.0;

/// Trace time that the ledger's last block may be old before the replay waits for the next, in
/// milliseconds. Half of what vehicles accept (60 s), because a proof is used for a while.
const STALE_LEDGER_MS: u64 = 25_000;

/// Real time between two looks at the ledger while waiting for a block.
const BLOCK_POLL: Duration = Duration::from_millis(10);

/// Votes of an RSU's witness that wait for its task: one message each, and what a busy ledger leaves.
const VOTES: usize = 4;

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
    /// The vault of evidence.
    #[error("vault of evidence: {0}")]
    Vault(#[from] cairn_vault::Error),
    /// The task that enrols vehicles ended. Our own bug.
    #[error("enrolment stopped")]
    EnrolmentStopped,
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
    /// What nobody drives faster than, in m/s: RSUs hold it against a vehicle.
    pub top_speed_m_s: f64,
    /// Real time between two batches of an RSU.
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

/// An enrolment under way.
pub type Enrolling = oneshot::Receiver<Result<Vec<Enrolled>, NetworkError>>;

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
    /// Their ears for position messages, in the same order.
    pub ears: Vec<Ear>,
    /// The place of each site in that order.
    pub sites: HashMap<Arc<str>, usize>,
    /// Radio range.
    pub range: RadioRange,
    /// What every vehicle is given at enrolment.
    pub road: Road,
    /// What vehicles and RSUs count.
    pub counters: Counters,
    /// What RSUs find of position messages.
    pub findings: Findings,
    /// The instance of contract `misbehaviour`.
    pub misbehaviour: Address,
    /// Location services, if there are any.
    pub services: Option<Services>,
    /// What relaying takes, if vehicles relay.
    pub relays: Option<Relays>,
    /// Who issues credentials.
    pub circle: Circle,
    /// Which of them are revoked.
    pub revocations: Revocations,
    authorities: Arc<Mutex<Authorities<E>>>,
    enrolment: Enrolment,
    home: Arc<Home>,
}

impl<E: Runtime, R: Radio> Network<E, R> {
    /// Steps 2 to 6 of the [module documentation](self).
    pub async fn start(mut setup: Setup<E, R>) -> Result<Self, NetworkError> {
        let mut authorities = Authorities::open(
            StdRng::from_rng(&mut setup.rng),
            setup.ledger.clone(),
            setup.clock.clone(),
            setup.home.clone(),
            setup.ta.clone(),
            setup.lea.clone(),
        )?;
        let keys = authorities.deploy_keys().await?;
        let tokens = authorities.deploy_tokens().await?;
        let bounds = Bounds {
            radio_range_m: setup.range.metres(),
            max_speed_m_s: setup.top_speed_m_s,
            ..Bounds::default()
        };
        let misbehaviour = authorities.deploy_misbehaviour(&bounds).await?;
        let vault = Embedded::open(&setup.home.vault())?;
        let findings = Findings::default();
        let (hints, hinted) = mpsc::channel(revocation::MAX_HINTS);
        let contract = authorities.deploy_credentials().await?;
        let providers = authorities.deploy_providers().await?;
        let redeemer = signing_key(&setup.home, "redeemer", &mut setup.rng)?;
        let credits = authorities.deploy_credits(redeemer.public_key()).await?;
        let signers = authorities.register_rsus(&setup.sites).await?;
        let chain = setup.ledger.chain().id();
        let road = Road {
            chain,
            network_key: setup.ledger.chain().genesis().network_key(),
            keys,
            plausible_range_m: setup.range.metres() + PLAUSIBILITY_MARGIN_M,
        };
        let services = match setup.points.take() {
            Some(points) => {
                let rsus: Vec<Rid> = signers.iter().map(|(rid, _)| *rid).collect();
                let services = services::Setup {
                    context: &setup.context,
                    radio: &setup.radio,
                    clock: &setup.clock,
                    home: &setup.home,
                    ledger: &setup.ledger,
                    road: &road,
                    contract: providers,
                    authorities: [&setup.ta, &setup.lea],
                    reach_m: bounds.radio_range_m + bounds.position_error_m,
                    rsus: &rsus,
                };
                Some(Services::start(&services, points, &mut setup.rng).await?)
            }
            None => None,
        };
        let counters = Counters::default();
        let relays = setup.hop_range.map(|hop_range| {
            let redeemer = redeemer::Setup {
                ledger: setup.ledger.clone(),
                clock: setup.clock.clone(),
                counters: counters.clone(),
                contract: credits,
                keys,
                signer: redeemer,
            };
            Relays {
                hop_range,
                credits,
                claims: redeemer::start(&setup.context, redeemer),
            }
        });
        let credentials = credentials::Setup {
            ledger: setup.ledger.clone(),
            clock: setup.clock.clone(),
            home: setup.home.clone(),
            contract,
            ta: setup.ta,
            lea: setup.lea,
            rng: StdRng::from_rng(&mut setup.rng),
        };
        let credentials = Credentials::open(&setup.context, credentials).await?;
        let circle = credentials.circle().clone();
        authorities.set_credentials(credentials);
        let revocations =
            revocations::follow(&setup.context, setup.ledger.clone(), contract).await?;

        let mut rsus = Vec::with_capacity(setup.sites.len());
        let mut ears = Vec::with_capacity(setup.sites.len());
        for (place, ((rid, signer), site)) in signers.into_iter().zip(&setup.sites).enumerate() {
            let (cast, votes) = mpsc::channel(VOTES);
            let stand = Stand {
                chain,
                keys,
                rid,
                here: crate::to_position(site.position),
                vote_life_ms: VOTE_LIFE_MS,
            };
            let ear = witness::start(
                &setup.context,
                StdRng::from_rng(&mut setup.rng),
                stand,
                bounds,
                setup.radio.open().await.map_err(NetworkError::Radio)?,
                witness::Surroundings {
                    ledger: setup.ledger.clone(),
                    clock: setup.clock.clone(),
                    findings: findings.clone(),
                    circle: circle.clone(),
                    revocations: revocations.clone(),
                    vault: vault.clone(),
                    votes: cast,
                    villain: setup.villains.remove(&place),
                },
            );
            ears.push(ear);
            let identity = RsuIdentity {
                chain,
                keys,
                tokens,
                rid,
                signer,
            };
            let antenna = setup.radio.open().await.map_err(NetworkError::Radio)?;
            let desk = match &services {
                Some(services) => Some(desk::Setup {
                    directory: services.directory.clone(),
                    addresses: services.addresses(),
                    here: stand.here,
                    bounds,
                    link: setup.radio.open().await.map_err(NetworkError::Radio)?,
                    vault: vault.clone(),
                }),
                None => None,
            };
            let rsu = roadside::start(
                &setup.context,
                StdRng::from_rng(&mut setup.rng),
                identity,
                antenna,
                Jury {
                    contract: misbehaviour,
                    votes,
                    hints: hints.clone(),
                },
                desk,
                Surroundings {
                    ledger: setup.ledger.clone(),
                    clock: setup.clock.clone(),
                    counters: counters.clone(),
                    findings: findings.clone(),
                    batch_interval: setup.batch_interval,
                    circle: circle.clone(),
                    revocations: revocations.clone(),
                    credits: relays.as_ref().map(|relays| relays.credits),
                },
            );
            rsus.push((rsu, site.position));
        }
        let authorities = Arc::new(Mutex::new(authorities));
        let listener = |((rsu, _), ear): (&(Rsu, Metres), &Ear)| revocation::Listener {
            roadside: rsu.orders.downgrade(),
            witness: ear.orders.downgrade(),
        };
        let service = revocation::Service {
            ledger: setup.ledger.clone(),
            clock: setup.clock.clone(),
            vault,
            findings: findings.clone(),
            authorities: authorities.clone(),
            keys,
            misbehaviour,
            bounds,
            issuers: revocations::issuers(&circle, setup.clock.now_ms()),
            revoked: News::new(revocations.clone()),
            listeners: rsus.iter().zip(&ears).map(listener).collect(),
            rng: StdRng::from_rng(&mut setup.rng),
        };
        service.start(&setup.context, hinted);
        let names = setup.sites.iter().map(|site| site.id.clone());
        Ok(Self {
            context: setup.context,
            rng: setup.rng,
            radio: setup.radio,
            clock: setup.clock,
            road,
            ledger: setup.ledger,
            rsus,
            ears,
            sites: names.zip(0..).collect(),
            range: setup.range,
            counters,
            findings,
            misbehaviour,
            services,
            relays,
            circle,
            revocations,
            authorities,
            enrolment: setup.enrolment,
            home: setup.home,
        })
    }

    /// The vehicles with these names: those that were here before bring what they have, the others
    /// make a key and are registered by TA and LEA, or given credentials by the issuers.
    pub async fn enrol(&self, names: &[Arc<str>]) -> Result<Vec<Enrolled>, NetworkError> {
        let mut authorities = self.authorities.lock().await;
        Ok(authorities.enrol(names, self.enrolment).await?)
    }

    /// As [`Network::enrol`], in a task of its own.
    pub fn begin_enrolment(&self, names: Vec<Arc<str>>) -> Enrolling {
        let (authorities, enrolment) = (self.authorities.clone(), self.enrolment);
        let (done, enrolled) = oneshot::channel();
        self.context.child("enrolment").spawn(move |_| async move {
            let result = authorities.lock().await.enrol(&names, enrolment).await;
            // The replay may have been stopped meanwhile.
            let _ = done.send(result.map_err(NetworkError::from));
        });
        enrolled
    }

    /// Traces a linkage value: who it is, by TA's register.
    pub async fn trace(
        &mut self,
        linkage: LinkageValue,
        reason: &[u8],
    ) -> Result<(Traced, Identification), NetworkError> {
        let mut authorities = self.authorities.lock().await;
        let traced = authorities.credentials()?.trace(linkage, reason).await?;
        let identification = authorities.identification(&traced.uid)?;
        Ok((traced, identification))
    }

    /// Revokes a traced vehicle's credentials from the current period on.
    pub async fn revoke(&mut self, traced: &Traced) -> Result<(), NetworkError> {
        let mut authorities = self.authorities.lock().await;
        Ok(authorities.credentials()?.revoke(traced).await?)
    }

    /// All requests for traces on the ledger.
    pub async fn trace_requests(&self) -> Result<Vec<RequestRecord>, NetworkError> {
        let mut authorities = self.authorities.lock().await;
        Ok(authorities.credentials()?.requests().await?)
    }

    /// Stops an issuer, as a crash does.
    pub async fn stop_issuer(&mut self, index: IssuerIndex) -> Result<(), NetworkError> {
        let mut authorities = self.authorities.lock().await;
        authorities.credentials()?.stop_issuer(index);
        Ok(())
    }

    /// Starts a stopped issuer again.
    pub async fn restart_issuer(&mut self, index: IssuerIndex) -> Result<(), NetworkError> {
        let mut authorities = self.authorities.lock().await;
        Ok(authorities.credentials()?.restart_issuer(index)?)
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
