//! Two organisations and a relay chain in one process, over loopback sockets.
//!
//! A factory feeds sensor rows through its edge into its vault and chain; a road organisation asks
//! for them. Everything is gone at the end.

use super::{
    chain::LocalChain,
    edge::{Edge, EdgeError, Parts},
    exchange::{BACKLOG, ExchangeError, Received, Relay, Sent},
    rows::Row,
};
use crate::{
    clock::TraceClock, deployments, embedded::EmbeddedError, files::hex, ledger::LedgerError,
};
use cairn_contracts::{
    directory::OrgId,
    exchange as relayed,
    policy::{self, Rule},
};
use cairn_crypto::{credential::Slot, issuer::Quorum, message::MessageSuite};
use cairn_exchange::{
    keys::{Issuers, KgcError, Kgcs, Party, PartyId},
    reading::{Reading, ReadingError, Schema},
    request::Wanted,
};
use cairn_vault::DeviceId;
use commonware_codec::Encode as _;
use commonware_math::algebra::Random as _;
use commonware_runtime::{
    Clock as _, Runner as _, Supervisor as _,
    tokio::{Config as RuntimeConfig, Context, Runner},
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde::Serialize;
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};
use thiserror::Error;
use tokio::sync::mpsc;

/// The road organisation.
pub const ROAD: OrgId = OrgId(1);

/// The factory.
pub const FACTORY: OrgId = OrgId(2);

/// The grade of the factory's chain.
pub const GRADE: u8 = 2;

/// Readings in one batch of the demonstration.
const BATCH: usize = 96;

/// How long keys and rules last here, in minutes.
const LIFE_MINUTES: u16 = 24 * 60;

/// What the factory's readings look like.
const SCHEMA: &str = "celsius:number";

/// What is brought up.
pub struct Options {
    /// Validators of each of the three chains, at least one.
    pub validators: usize,
    /// Where the factory's vault is: a `postgres://` URL; without it, a directory.
    pub vault: Option<String>,
}

/// Why the organisations did not come up, or failed.
#[derive(Debug, Error)]
pub enum OrganisationsError {
    /// A chain.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    /// A transaction.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// An edge.
    #[error(transparent)]
    Edge(#[from] EdgeError),
    /// A chain cannot be read.
    #[error("ledger: {0}")]
    Read(#[from] cairn_chain::ReadError),
    /// The KGCs.
    #[error("issuers: {0}")]
    Kgc(#[from] KgcError),
    /// The schema.
    #[error(transparent)]
    Reading(#[from] ReadingError),
    /// A reading was refused.
    #[error("the edge refused a reading: {0}")]
    Refused(String),
    /// An exchange.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// There is nothing to exchange.
    #[error("there are no sensor rows to exchange")]
    NoRows,
}

impl From<cairn_vault::Error> for OrganisationsError {
    fn from(error: cairn_vault::Error) -> Self {
        Self::Edge(error.into())
    }
}

/// An organisation with its chain, its issuers and its edge.
pub struct Member<S: MessageSuite> {
    /// Its chain.
    pub chain: LocalChain,
    /// Its edge.
    pub edge: Arc<Edge<S>>,
    kgcs: Kgcs<S>,
    slot: Slot,
}

/// Two organisations and the relay chain.
pub struct World<S: MessageSuite> {
    /// The relay chain's contracts.
    pub relay: Relay,
    /// The relay chain.
    pub relay_chain: LocalChain,
    /// Asks.
    pub road: Member<S>,
    /// Is asked.
    pub factory: Member<S>,
    /// Where everything random comes from.
    pub rng: StdRng,
    clock: TraceClock,
}

/// Brings everything up, hands it to `work`, and stops it.
///
/// # Errors
///
/// [`OrganisationsError`], and those of `work`.
pub fn run<S, T, W>(options: &Options, work: W) -> Result<T, OrganisationsError>
where
    S: MessageSuite,
    W: AsyncFnOnce(&mut World<S>) -> Result<T, OrganisationsError>,
{
    let temporary = tempfile::Builder::new().prefix("cairn-").tempdir();
    let temporary = temporary.map_err(EmbeddedError::Temporary)?;
    let config = RuntimeConfig::default().with_storage_directory(temporary.path().join("chains"));
    Runner::new(config).start(|context| async move {
        let mut world = World::<S>::start(&context, temporary.path(), options).await?;
        let result = work(&mut world).await;
        let World {
            relay_chain,
            road,
            factory,
            ..
        } = world;
        for chain in [relay_chain, road.chain, factory.chain] {
            chain.stop().await;
        }
        result
    })
}

impl<S: MessageSuite> World<S> {
    async fn start(
        context: &Context,
        directory: &Path,
        options: &Options,
    ) -> Result<Self, OrganisationsError> {
        let mut rng = StdRng::from_rng(&mut context.child("seed"));
        let since_1970 = context.current().duration_since(UNIX_EPOCH);
        let now_ms = u64::try_from(since_1970.unwrap_or_default().as_millis()).unwrap_or(u64::MAX);
        let clock = TraceClock::new(context.child("clock"), now_ms, u64::MAX);
        // Side by side: most of a start is waiting for a first block.
        let start = |name: &'static str, mut rng: StdRng| {
            let (home, count, clock) = (directory.join(name), options.validators, &clock);
            async move { LocalChain::start(context, &home, name, count, clock, &mut rng).await }
        };
        let (relay_chain, road_chain, factory_chain) = futures::try_join!(
            start("relay", StdRng::from_rng(&mut rng)),
            start("road", StdRng::from_rng(&mut rng)),
            start("factory", StdRng::from_rng(&mut rng)),
        )?;

        let contracts = relay_chain.deploy(deployments::relay).await?;
        let relay = Relay {
            ledger: relay_chain.ledger.clone(),
            directory: contracts[0],
            exchange: contracts[1],
        };
        let embedded_vault = |name: &str| directory.join(name).display().to_string();
        let vault = embedded_vault("road-vault");
        let road = Member::start(ROAD, road_chain, &vault, &mut rng).await?;
        let vault = options.vault.clone();
        let vault = vault.unwrap_or_else(|| embedded_vault("factory-vault"));
        let factory = Member::start(FACTORY, factory_chain, &vault, &mut rng).await?;
        for member in [&road, &factory] {
            let edge = &member.edge;
            edge.register(&relay, &relay_chain.ta, &relay_chain.lea)
                .await?;
        }
        Ok(Self {
            relay,
            relay_chain,
            road,
            factory,
            rng,
            clock,
        })
    }

    /// Enrols a machine of the factory, with a key of its own.
    ///
    /// # Errors
    ///
    /// [`OrganisationsError`].
    pub async fn machine(&mut self) -> Result<Party<S>, OrganisationsError> {
        let rng = &mut self.rng;
        let mut device = [0; 32];
        rng.fill_bytes(&mut device);
        let (factory, device) = (&mut self.factory, DeviceId(device));
        let id = PartyId {
            organisation: FACTORY,
            device,
        };
        let party = factory.kgcs.enrol(id, 1, factory.slot, rng)?;
        factory.edge.enrol(&party.shown()).await?;
        Ok(party)
    }

    /// Feeds rows of one machine through the factory's edge. Returns how many batches were anchored.
    ///
    /// # Errors
    ///
    /// [`OrganisationsError`].
    pub async fn feed(
        &mut self,
        machine: &Party<S>,
        rows: &[Row],
    ) -> Result<usize, OrganisationsError> {
        for rows in rows.chunks(BATCH) {
            let readings: Vec<_> = rows
                .iter()
                .map(|row| {
                    let content = format!("{{\"celsius\":{}}}", row.value);
                    Reading::sign(machine, row.time_ms, GRADE, content, &mut self.rng)
                })
                .collect();
            let ingested = self.factory.edge.ingest(&readings).await?;
            if let Some((_, why)) = ingested.refused.into_iter().next() {
                return Err(OrganisationsError::Refused(why));
            }
        }
        Ok(self.factory.edge.anchor().await?)
    }

    /// Lets the road organisation see a machine's records.
    ///
    /// # Errors
    ///
    /// [`OrganisationsError`].
    pub async fn allow(&self, device: &DeviceId) -> Result<(), OrganisationsError> {
        let (factory, parts) = (&self.factory, &self.factory.edge.parts);
        let allow = policy::Operation::Allow {
            requester: ROAD,
            device: device.0,
            rule: Rule {
                grade: GRADE,
                until_ms: self.clock.now_ms() + 60_000 * u64::from(LIFE_MINUTES),
            },
        };
        let signed = parts
            .operator
            .sign(&factory.chain.id(), &[], |nonce, expires_ms| {
                policy::call(nonce, expires_ms, parts.policy, &allow)
            });
        Ok(factory.chain.ledger.execute(signed).await?)
    }

    /// A request for all of these rows of a machine.
    ///
    /// # Errors
    ///
    /// [`OrganisationsError::NoRows`].
    pub fn wanted(&self, device: &DeviceId, rows: &[Row]) -> Result<Wanted, OrganisationsError> {
        let (first, last) = rows
            .first()
            .zip(rows.last())
            .ok_or(OrganisationsError::NoRows)?;
        Ok(Wanted {
            owner: FACTORY,
            device: *device,
            from_ms: first.time_ms,
            until_ms: last.time_ms + 1,
            grade: GRADE,
        })
    }

    /// One exchange, from request to receipt.
    ///
    /// # Errors
    ///
    /// [`OrganisationsError`].
    pub async fn exchange(
        &mut self,
        wanted: Wanted,
        mut tell: impl FnMut(Step),
    ) -> Result<Outcome, OrganisationsError> {
        let began = self.clock.now_ms();
        let (asked, pending) = self.road.edge.ask(&self.relay, wanted).await?;
        tell(Step::Asked {
            bytes: asked.to_bytes().len(),
            exchange: pending.exchange(),
        });
        let (sink, pieces) = mpsc::channel(BACKLOG);
        let relay = &self.relay;
        let (sent, received) = futures::join!(
            self.factory.edge.answer(relay, &asked, sink),
            self.road.edge.receive(relay, pending, pieces)
        );
        let sent = sent?;
        tell(Step::Answered(sent));
        let (received, transaction) = received?;
        let receipt = relay.ledger.chain().receipt(&transaction);
        let receipt_height = receipt.map_or(0, |(height, _)| height);
        tell(Step::Received {
            records: received.records,
            receipt_height,
        });
        Ok(Outcome {
            sent,
            received,
            receipt_height,
            took: Duration::from_millis(self.clock.now_ms() - began),
        })
    }

    /// What the relay chain has of an exchange, for a report.
    ///
    /// # Errors
    ///
    /// [`OrganisationsError`].
    pub async fn relay_record(
        &self,
        exchange: &[u8; 32],
    ) -> Result<RelayRecord, OrganisationsError> {
        let record = self.relay.record(exchange).await?;
        let record = record.ok_or(ExchangeError::NotOpen)?;
        let [owner, requester] = self.relay.signatures(exchange).await?;
        let chain = self.relay.id();
        let is_signed = |signature: &Option<_>, edge: &Edge<S>, is_accepted| {
            let statement = relayed::Statement {
                exchange: *exchange,
                envelope: record.envelope,
                is_accepted,
            };
            let operator = edge.parts.operator.public_key();
            signature
                .as_ref()
                .is_some_and(|signature| statement.is_signed(&chain, &operator, signature))
        };
        let both_signatures = is_signed(&owner, &self.factory.edge, None)
            && is_signed(&requester, &self.road.edge, Some(true));
        let hex_of =
            |signature: Option<_>| signature.map(|s: cairn_ledger::Signature| hex(&s.encode()));
        Ok(RelayRecord {
            exchange: hex(exchange),
            requester: record.requester.0,
            owner: record.owner.0,
            state: format!("{:?}", record.state(self.clock.now_ms())),
            envelope: hex(&record.envelope),
            requested_ms: record.opened_ms,
            delivered_ms: record.answered_ms,
            receipt_ms: record.receipt_ms,
            owner_signature: hex_of(owner),
            requester_signature: hex_of(requester),
            both_signatures,
        })
    }
}

impl<S: MessageSuite> Member<S> {
    async fn start(
        id: OrgId,
        chain: LocalChain,
        vault: &str,
        rng: &mut StdRng,
    ) -> Result<Self, OrganisationsError> {
        let operator = super::chain::Sender::new(
            cairn_ledger::PrivateKey::random(&mut *rng),
            chain.ta.clock(),
        );
        let key = operator.public_key();
        let contracts = chain
            .deploy(|ta, expires_ms| deployments::organisation(ta, expires_ms, &key, GRADE))
            .await?;
        let mut kgcs = Kgcs::generate(Quorum::default(), rng)?;
        let now_s = u32::try_from(chain.ledger.chain().now_ms() / 1_000).unwrap_or(u32::MAX);
        let slot = Slot::new(now_s.saturating_sub(60), LIFE_MINUTES);
        let slot = slot.expect("a day before 2106");
        let mut device = [0; 32];
        rng.fill_bytes(&mut device);
        let party_id = PartyId {
            organisation: id,
            device: DeviceId(device),
        };
        let party = kgcs.enrol(party_id, 1, slot, rng)?;
        let shown = party.shown();
        let parts = Parts {
            party,
            issuers: Issuers {
                key: kgcs.issuer_key(),
                epoch: 1,
            },
            grade: GRADE,
            schema: Schema::parse(SCHEMA)?,
            vault: cairn_vault::open(vault).await?,
            ledger: chain.ledger.clone(),
            operator,
            records: contracts[0],
            policy: contracts[1],
        };
        let edge = Arc::new(Edge::new(parts, rng));
        edge.enrol(&shown).await?;
        Ok(Self {
            chain,
            edge,
            kgcs,
            slot,
        })
    }
}

/// What happened, for whoever watches.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// The request is signed and stands on the relay chain.
    Asked {
        /// Bytes of the request with its proof.
        bytes: usize,
        /// Its digest.
        exchange: [u8; 32],
    },
    /// The envelope is sealed and its digest posted.
    Answered(Sent),
    /// The envelope is opened and checked, the receipt final.
    Received {
        /// Records in order.
        records: u64,
        /// Height of the receipt's block on the relay chain.
        receipt_height: u64,
    },
}

/// One exchange, done.
pub struct Outcome {
    /// By the owner.
    pub sent: Sent,
    /// By the requester.
    pub received: Received,
    /// Height of the receipt's block on the relay chain.
    pub receipt_height: u64,
    /// From request to final receipt.
    pub took: Duration,
}

/// The relay chain's record of an exchange.
#[derive(Clone, Debug, Serialize)]
pub struct RelayRecord {
    /// Digest of the request.
    pub exchange: String,
    /// Who asked.
    pub requester: u16,
    /// Who answered.
    pub owner: u16,
    /// Where it stands.
    pub state: String,
    /// SHA-256 of the envelope.
    pub envelope: String,
    /// Block time of the request, in milliseconds.
    pub requested_ms: u64,
    /// Block time of the delivery.
    pub delivered_ms: u64,
    /// Block time of the receipt.
    pub receipt_ms: u64,
    /// The owner's statement, Ed25519.
    pub owner_signature: Option<String>,
    /// The requester's.
    pub requester_signature: Option<String>,
    /// Whether both are there and verify.
    pub both_signatures: bool,
}
