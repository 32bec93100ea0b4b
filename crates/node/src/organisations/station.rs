//! An edge in a process that runs validators of its organisation's chain and of the relay chain.
//!
//! 1. It waits until the contracts of both chains are there, and opens the vault.
//! 2. It enrols its own key on its chain, and the organisation in the relay chain's directory, unless
//!    an earlier run has. On a network of ours the keys of the relay chain's authorities, who must
//!    agree to that, lie beside it.
//! 3. It serves HTTP and MQTT, and anchors pending roots with every block of its chain.

use super::{
    MessageSuite, Ristretto255, Sm2,
    chain::Sender,
    edge::{Edge, EdgeError, Parts, http, mqtt},
    exchange::Relay,
    home::{Organisation, OrganisationError, SuiteName, existing_key},
};
use crate::{
    clock::TraceClock,
    deployments,
    home::{Home, HomeError},
    ledger::{Ledger, LedgerError},
};
use axum::Router;
use cairn_chain::{Chain, ReadError};
use cairn_contracts::directory::OrgId;
use cairn_exchange::reading::Schema;
use cairn_ledger::{PrivateKey, SignedTransaction};
use commonware_runtime::{Clock as _, Supervisor as _, tokio::Context};
use futures::{
    StreamExt as _,
    future::{BoxFuture, FutureExt as _},
};
use rand::{SeedableRng as _, rngs::StdRng};
use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::UNIX_EPOCH};
use thiserror::Error;
use tracing::warn;

/// A chain with the deployments of its contracts.
pub struct Place {
    /// Access to it.
    pub chain: Chain<Context>,
    /// Its contracts.
    pub deployments: Vec<SignedTransaction>,
}

/// What an edge is to be.
pub struct Site {
    /// The organisation's directory.
    pub home: PathBuf,
    /// The directory with the keys of the relay chain's authorities.
    pub authorities: PathBuf,
    /// Where it is to listen for HTTP.
    pub listen: SocketAddr,
    /// Where its records are, if not in the organisation's directory.
    pub vault: Option<String>,
    /// A broker from which it takes readings.
    pub mqtt: Option<String>,
    /// The organisation's chain.
    pub organisation: Place,
    /// The relay chain.
    pub relay: Place,
}

/// Why an edge does not start.
#[derive(Debug, Error)]
pub enum StationError {
    /// The organisation's files.
    #[error(transparent)]
    Organisation(#[from] OrganisationError),
    /// Keys.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The organisation's directory belongs to another chain.
    #[error("{0} is the directory of an organisation on another chain")]
    OtherChain(PathBuf),
    /// The chains, or the vault.
    #[error(transparent)]
    Edge(#[from] EdgeError),
    /// The broker's address.
    #[error(transparent)]
    Broker(#[from] mqtt::BrokerError),
}

impl From<ReadError> for StationError {
    fn from(error: ReadError) -> Self {
        Self::Edge(error.into())
    }
}

/// An edge that is ready to serve.
pub struct Station {
    /// Its organisation.
    pub organisation: OrgId,
    /// Where it is to listen.
    pub listen: SocketAddr,
    /// What it serves there.
    pub routes: Router,
    /// Takes readings from the broker, and anchors roots: to be polled while the edge is up.
    pub background: BoxFuture<'static, ()>,
}

impl Station {
    /// Steps 1 and 2 of the [module documentation](self).
    ///
    /// # Errors
    ///
    /// [`StationError`].
    pub async fn open(context: &Context, site: Site) -> Result<Self, StationError> {
        let organisation = Organisation::open(&site.home)?;
        match organisation.profile().suite {
            SuiteName::Sm2 => open::<Sm2>(context, site, organisation).await,
            SuiteName::Ristretto255 => open::<Ristretto255>(context, site, organisation).await,
        }
    }
}

async fn open<S: MessageSuite>(
    context: &Context,
    site: Site,
    organisation: Organisation,
) -> Result<Station, StationError> {
    let profile = organisation.profile();
    if profile.chain_id()? != site.organisation.chain.id() {
        return Err(StationError::OtherChain(site.home));
    }
    let [records, policy] = profile.contracts()?;
    let broker = match &site.mqtt {
        Some(url) => Some(mqtt::Broker::parse(
            url,
            profile.organisation,
            &profile.edge,
        )?),
        None => None,
    };
    for place in [&site.organisation, &site.relay] {
        deployments::ensure(&place.chain, &place.deployments).await?;
    }
    let mut rng = StdRng::from_rng(&mut context.child("seed"));
    let since_1970 = context.current().duration_since(UNIX_EPOCH);
    let now_ms = u64::try_from(since_1970.unwrap_or_default().as_millis()).unwrap_or(u64::MAX);
    let clock = TraceClock::new(context.child("clock"), now_ms, u64::MAX);

    let embedded = organisation.vault().display().to_string();
    let vault = site.vault.as_deref().unwrap_or(&embedded);
    let parts = Parts {
        party: organisation.edge::<S>()?,
        issuers: profile.issuers()?,
        grade: profile.grade,
        schema: Schema::parse(&profile.schema).map_err(OrganisationError::Schema)?,
        vault: cairn_vault::open(vault).await.map_err(EdgeError::Vault)?,
        ledger: Ledger::observe(&context.child("own"), site.organisation.chain),
        operator: Sender::new(organisation.operator().clone(), clock.clone()),
        records,
        policy,
    };
    let edge = Arc::new(Edge::new(parts, &mut rng));
    edge.enrol_once().await?;

    let [directory, exchange] = deployments::relay_contracts(&site.relay.chain.genesis().ta);
    let relay = Relay {
        ledger: Ledger::observe(&context.child("relay"), site.relay.chain),
        directory,
        exchange,
    };
    let authorities = Home::shared(&site.authorities)?;
    let ta = Sender::new(existing_key(&authorities, "relay-ta")?, clock);
    let lea = existing_key(&authorities, "relay-lea")?;
    register(&edge, &relay, &ta, &lea).await?;

    let anchoring = anchor(edge.clone());
    let taking = broker.map(|broker| mqtt::serve(edge.clone(), broker));
    let background = async move {
        match taking {
            Some(taking) => drop(futures::join!(anchoring, taking)),
            None => anchoring.await,
        }
    };
    Ok(Station {
        organisation: edge.organisation(),
        listen: site.listen,
        routes: http::routes(edge, relay),
        background: background.boxed(),
    })
}

/// Registers the organisation unless it is there. Organisations that register at the same moment use
/// nonces of one authority; whoever comes second tries again.
async fn register<S: MessageSuite>(
    edge: &Edge<S>,
    relay: &Relay,
    ta: &Sender,
    lea: &PrivateKey,
) -> Result<(), EdgeError> {
    use cairn_ledger::Refusal;
    loop {
        if relay.knows(edge.organisation()).await? {
            return Ok(());
        }
        match edge.register(relay, ta, lea).await {
            Err(EdgeError::Ledger(LedgerError::Refused(_, Refusal::Replayed))) => {}
            done => return done,
        }
    }
}

/// Anchors what is pending with every block, for as long as the chain goes on.
async fn anchor<S: MessageSuite>(edge: Arc<Edge<S>>) {
    let mut blocks = edge.parts.ledger.chain().finalized();
    while blocks.next().await.is_some() {
        if let Err(error) = edge.anchor().await {
            warn!(%error, "roots are not anchored yet");
        }
    }
}
