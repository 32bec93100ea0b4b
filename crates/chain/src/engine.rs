//! Wiring of one validator: storage, marshal, state, consensus.
//!
//! ```text
//!            votes, certificates              blocks               state operations
//!                    |                           |                        |
//!   gate <------- simplex -- finalizations --> marshal -- blocks --> stateful --> QMDB state
//!     |              ^                           ^                        |
//!     +--> stateful  +--------- deferred --------+                    application
//! ```

use crate::{
    application::{Application, genesis_block},
    book::Book,
    chain::Reader,
    gate::Gate,
    limits::{
        ARCHIVE_SECTION, BROADCAST_DEQUE, CERTIFICATION_TIMEOUT, FETCH_RETRY, FETCH_TIMEOUT,
        JOIN_PROBE, LEADER_TIMEOUT, MAILBOX, MAX_REPAIR, PAGE_SIZE, PAGES_PER_MIB, PENDING_ACKS,
        PROBE_RETRY, PRUNE_INTERVAL, REPLAY_BUFFER, RETAINED_BLOCKS, RETAINED_STATE_BLOCKS,
        SKIP_TIMEOUT, SYNC_APPLY, SYNC_BATCH, SYNC_REQUESTS, TIMEOUT_RETRY, VIEW_RETENTION,
        WRITE_BUFFER,
    },
    links::Link,
    observer::Observer,
    prover::Parts,
    state::{self, Database},
};
use cairn_ledger::{Block, Genesis, PublicKey, contract::Code, light::Scheme};
use commonware_broadcast::buffered;
use commonware_consensus::{
    Reporters,
    marshal::{
        self,
        core::Actor as MarshalActor,
        resolver::p2p as marshal_resolver,
        standard::{Deferred, Standard},
    },
    simplex::{
        self,
        config::{Floor, ForwardPolicy, SkipPolicy},
        elector::RoundRobin,
    },
    types::{Epoch, FixedEpocher, ViewDelta},
};
use commonware_cryptography::{Digested, Digestible as _, Sha256, certificate::ConstantProvider};
use commonware_glue::stateful::{
    self, PruneConfig, Stateful, SyncPlan,
    db::{SyncEngineConfig, p2p as state_sync},
    probe::{self, Probe},
};
use commonware_p2p::{Blocker, Provider, Receiver, Sender};
use commonware_parallel::Sequential;
use commonware_runtime::{Clock, Metrics, Spawner, Storage, buffer::paged::CacheRef};
use commonware_storage::{archive::prunable, mmr, translator::EightCap};
use commonware_utils::{NZU64, NonZeroDuration, channel::watch};
use rand_core::CryptoRng;
use std::{
    num::{NonZeroU16, NonZeroU64},
    sync::Arc,
    time::Duration,
};
use tracing::info;

/// What a validator needs of its surroundings: tasks, time, randomness, storage, metrics.
pub trait Runtime: Spawner + Clock + Metrics + Storage + CryptoRng {}

impl<E: Spawner + Clock + Metrics + Storage + CryptoRng> Runtime for E {}

/// One epoch for ever: the set of validators is fixed by the genesis.
const EPOCH_BLOCKS: NonZeroU64 = NZU64!(u64::MAX);

/// Everything that [`Engine::run`] connects.
pub(crate) struct Engine<S, R, P, B> {
    pub(crate) genesis: Arc<Genesis>,
    pub(crate) code: Code,
    pub(crate) identity: PublicKey,
    pub(crate) scheme: Scheme,
    pub(crate) partition: String,
    pub(crate) cache_mib: NonZeroU16,
    pub(crate) book: Book,
    pub(crate) ready: watch::Sender<Option<Arc<dyn Reader>>>,
    pub(crate) votes: Link<S, R>,
    pub(crate) certificates: Link<S, R>,
    pub(crate) resolver: Link<S, R>,
    pub(crate) backfill: Link<S, R>,
    pub(crate) broadcast: Link<S, R>,
    pub(crate) sync: Link<S, R>,
    pub(crate) probe: Link<S, R>,
    pub(crate) peers: P,
    pub(crate) blocker: B,
}

impl<S, R, P, B> Engine<S, R, P, B>
where
    S: Sender<PublicKey = PublicKey>,
    R: Receiver<PublicKey = PublicKey>,
    P: Provider<PublicKey = PublicKey>,
    B: Blocker<PublicKey = PublicKey>,
{
    /// Runs the validator until consensus ends, which it does not by itself.
    pub(crate) async fn run<E: Runtime>(self, context: E) {
        let page_cache = CacheRef::new(
            PAGE_SIZE,
            PAGES_PER_MIB.saturating_mul(self.cache_mib.into()),
        );
        let provider = ConstantProvider::new(self.scheme.clone());
        let first = genesis_block::<E>(&self.genesis);

        let marshal_resolver = marshal_resolver::init(
            context.child("backfill"),
            marshal_resolver::Config {
                public_key: self.identity.clone(),
                peer_provider: self.peers.clone(),
                blocker: self.blocker.clone(),
                mailbox_size: MAILBOX,
                fetch_timeout: nonzero(FETCH_TIMEOUT),
                fetch_retry_delay: FETCH_RETRY,
                priority_requests: false,
                priority_responses: false,
            },
            self.backfill,
        );
        let (broadcast, buffer) = buffered::Engine::new(
            context.child("broadcast"),
            buffered::Config {
                public_key: self.identity.clone(),
                mailbox_size: MAILBOX,
                deque_size: BROADCAST_DEQUE,
                priority: true,
                codec_config: (),
                peer_provider: self.peers.clone(),
                strategy: Sequential,
            },
        );
        broadcast.start(self.broadcast);

        // Where to begin: at the last own block, or, until the state has been complete here once, at
        // a recent one of the others'. A network that begins has none; hence the time limit.
        let mut plan = SyncPlan::init(context.child("plan"), &self.partition).await;
        let (probe, probe_mailbox) = Probe::new(probe::Config {
            context: context.child("probe"),
            provider: provider.clone(),
            strategy: Sequential,
            mailbox_size: MAILBOX,
            blocker: self.blocker.clone(),
            minimum_epoch: Epoch::zero(),
            retry_timeout: nonzero(PROBE_RETRY),
        });
        probe.start(self.probe);
        if plan.may_sync() {
            let floor = probe_mailbox.subscribe();
            if let Ok(Ok(floor)) = context.timeout(JOIN_PROBE, floor).await {
                info!(view = %floor.proposal.round.view(), "others are ahead: synchronising the state");
                plan = plan.set_floor(floor).await;
            }
        }

        let archive = |name| archive(&self.partition, name, page_cache.clone());
        const STORAGE: &str = "the archive can be opened";
        let finalizations =
            prunable::Archive::init(context.child("finalizations"), archive("finalizations"))
                .await
                .expect(STORAGE);
        let blocks = prunable::Archive::init(context.child("blocks"), archive("blocks"))
            .await
            .expect(STORAGE);
        let (marshal, marshal_mailbox, floor) =
            MarshalActor::<_, Standard<Block>, _, _, _, _, _>::init(
                context.child("marshal"),
                finalizations,
                blocks,
                marshal::Config {
                    provider,
                    epocher: FixedEpocher::new(EPOCH_BLOCKS),
                    start: plan.marshal_start(Digested::precomputed(first.clone(), first.digest())),
                    partition_prefix: self.partition.clone(),
                    mailbox_size: MAILBOX,
                    view_retention: ViewDelta::new(VIEW_RETENTION),
                    prunable_items_per_section: ARCHIVE_SECTION,
                    page_cache: page_cache.clone(),
                    replay_buffer: REPLAY_BUFFER,
                    key_write_buffer: WRITE_BUFFER,
                    value_write_buffer: WRITE_BUFFER,
                    block_codec_config: (),
                    max_repair: MAX_REPAIR,
                    max_pending_acks: PENDING_ACKS,
                    strategy: Sequential,
                },
            )
            .await;

        let (state_resolver, state_source) =
            state_sync::Actor::<_, PublicKey, _, _, mmr::Family, Database<E>>::new(
                context.child("state_sync"),
                state_sync::Config {
                    peer_provider: self.peers,
                    blocker: self.blocker.clone(),
                    database: None,
                    mailbox_size: MAILBOX,
                    me: Some(self.identity),
                    fetch_timeout: nonzero(FETCH_TIMEOUT),
                    fetch_retry_delay: FETCH_RETRY,
                    max_serve_ops: SYNC_BATCH,
                    priority_requests: false,
                    priority_responses: false,
                },
            );
        state_resolver.start(self.sync);
        let (stateful, stateful_mailbox) = Stateful::new(
            context.child("stateful"),
            stateful::Config {
                application: Application {
                    genesis: self.genesis,
                    code: self.code,
                    first: first.clone(),
                    book: self.book.clone(),
                },
                db_config: state::config(&self.partition, page_cache.clone()),
                provider: (),
                marshal: (marshal_mailbox.clone(), floor),
                mailbox_size: MAILBOX,
                plan,
                resolvers: state_source,
                sync_config: SyncEngineConfig {
                    fetch_batch_size: SYNC_BATCH,
                    apply_batch_size: SYNC_APPLY,
                    max_outstanding_requests: SYNC_REQUESTS,
                },
                prune_config: Some(PruneConfig {
                    maintenance_interval: PRUNE_INTERVAL,
                    retained_marshal_blocks: RETAINED_BLOCKS,
                    retained_qmdb_blocks: RETAINED_STATE_BLOCKS,
                }),
                strategy: Sequential,
            },
        );
        let gate = Gate {
            application: stateful_mailbox.clone(),
            book: self.book.clone(),
        };
        let deferred = Deferred::new(
            context.child("deferred"),
            gate,
            marshal_mailbox.clone(),
            FixedEpocher::new(EPOCH_BLOCKS),
        );
        marshal.start(stateful_mailbox.clone(), buffer, marshal_resolver);
        probe_mailbox.attach(marshal_mailbox.clone());
        stateful.start();

        let consensus = simplex::Engine::new(
            context.child("consensus"),
            simplex::Config {
                scheme: self.scheme,
                // Every validator leads in turn, so what was submitted to it gets its turn too.
                elector: RoundRobin::<Sha256>::default(),
                blocker: self.blocker,
                automaton: deferred.clone(),
                relay: deferred.clone(),
                reporter: Reporters::from((Observer(self.book.clone()), deferred)),
                strategy: Sequential,
                partition: format!("{}-consensus", self.partition),
                mailbox_size: MAILBOX,
                epoch: Epoch::zero(),
                floor: Floor::Genesis(first.digest()),
                replay_buffer: REPLAY_BUFFER,
                write_buffer: WRITE_BUFFER,
                page_cache,
                leader_timeout: LEADER_TIMEOUT,
                certification_timeout: CERTIFICATION_TIMEOUT,
                timeout_retry: TIMEOUT_RETRY,
                view_retention: ViewDelta::new(VIEW_RETENTION),
                skip: SkipPolicy::Enabled {
                    timeout: SKIP_TIMEOUT,
                    budget: simplex::SkipBudget::Participants,
                },
                fetch_timeout: nonzero(FETCH_TIMEOUT),
                fetch_retry_delay: FETCH_RETRY,
                forward: ForwardPolicy::SilentVoters,
                track_historical_votes: false,
            },
        )
        .start(self.votes, self.certificates, self.resolver);

        let state = stateful_mailbox.subscribe_databases().await;
        self.ready.send_replace(Some(Arc::new(Parts {
            state,
            marshal: marshal_mailbox,
            book: self.book,
        })));
        let _ = consensus.await;
    }
}

fn archive(prefix: &str, name: &str, page_cache: CacheRef) -> prunable::Config<EightCap, ()> {
    prunable::Config {
        translator: EightCap,
        metadata_partition: format!("{prefix}-{name}-metadata"),
        key_partition: format!("{prefix}-{name}-key"),
        key_page_cache: page_cache,
        value_partition: format!("{prefix}-{name}-value"),
        compression: None,
        codec_config: (),
        items_per_section: ARCHIVE_SECTION,
        key_write_buffer: WRITE_BUFFER,
        value_write_buffer: WRITE_BUFFER,
        replay_buffer: REPLAY_BUFFER,
    }
}

fn nonzero(duration: Duration) -> NonZeroDuration {
    NonZeroDuration::new(duration).expect("the limits are not zero")
}
