//! Starting and stopping one validator of a chain.

use crate::{
    Chain,
    book::Book,
    clock::{BlockClock, runtime_clock},
    datadir,
    engine::{self, Runtime},
    gossip,
    limits::GOSSIP_QUEUE,
    links::Links,
};
use cairn_ledger::{ChainId, Genesis, PrivateKey, PublicKey, contract::Code, light::Scheme};
use commonware_cryptography::{Signer as _, bls12381::primitives::group::Share};
use commonware_p2p::{Blocker, Provider, Receiver, Sender};
use commonware_runtime::Handle;
use commonware_utils::channel::{mpsc, watch};
use std::{num::NonZeroU16, sync::Arc};
use thiserror::Error;

/// What one validator is.
pub struct Config {
    /// What all validators of the chain agree on. Its time must not be ahead of the runtime's
    /// clock, or no block is accepted before that time.
    pub genesis: Genesis,
    /// The contracts that the chain can run: the same at all its validators.
    pub code: Code,
    /// This validator's identity.
    pub identity: PrivateKey,
    /// Its share of the chain's signing key.
    pub share: Share,
    /// Prefix of the names of its storage partitions, in letters, digits and `-`. Validators that
    /// share one storage directory need different ones.
    pub partition: String,
    /// MiB of memory for pages of its storage, taken at the start. What does not fit is read from disk, past
    /// the system's own cache.
    pub cache_mib: NonZeroU16,
}

/// Why a validator could not be started. Configuration is at fault, or the disk.
#[derive(Debug, Error)]
pub enum StartError {
    /// The identity is not one of the genesis' validators.
    #[error(
        "identity {0} is not a validator of this chain; use the identity that the genesis names"
    )]
    NotAValidator(Box<PublicKey>),
    /// The share does not belong to this identity and this chain.
    #[error("the threshold share is not that of validator {0} in the genesis")]
    WrongShare(Box<PublicKey>),
    /// The directory holds another chain.
    #[error(
        "the data directory belongs to chain {found}, not to chain {expected}; \
         choose another directory, or remove it to start anew"
    )]
    OtherChain {
        /// The chain that was to be started.
        expected: ChainId,
        /// The chain whose data were found.
        found: ChainId,
    },
    /// The mark of the directory cannot be read or written.
    #[error("cannot read or write the data directory: {0}")]
    Storage(String),
    /// The network could not be brought up.
    #[error("cannot join the network: {0}")]
    Network(String),
}

/// A running validator.
pub struct Validator<E: Runtime> {
    chain: Chain<E>,
    task: Handle<()>,
}

impl<E: Runtime> Validator<E> {
    /// Starts a validator whose block time is the runtime's clock; see [`Validator::start_at`].
    pub async fn start<S, R, P, B>(
        context: E,
        config: Config,
        links: Links<S, R, P, B>,
    ) -> Result<Self, StartError>
    where
        S: Sender<PublicKey = PublicKey>,
        R: Receiver<PublicKey = PublicKey>,
        P: Provider<PublicKey = PublicKey>,
        B: Blocker<PublicKey = PublicKey>,
    {
        let clock = runtime_clock(context.child("clock"));
        Self::start_at(context, config, links, clock).await
    }

    /// Starts a validator on `context`, connected by `links`, with block time from `clock`. Returns
    /// once its storage is known to belong to the chain; recovery and synchronisation go on behind
    /// the returned handle.
    pub async fn start_at<S, R, P, B>(
        context: E,
        config: Config,
        links: Links<S, R, P, B>,
        clock: BlockClock,
    ) -> Result<Self, StartError>
    where
        S: Sender<PublicKey = PublicKey>,
        R: Receiver<PublicKey = PublicKey>,
        P: Provider<PublicKey = PublicKey>,
        B: Blocker<PublicKey = PublicKey>,
    {
        let genesis = Arc::new(config.genesis);
        let chain_id = genesis.chain_id();
        let scheme = scheme(&genesis, &config.identity.public_key(), config.share)?;
        datadir::claim(context.child("storage"), &config.partition, chain_id).await?;

        let book = Book::new(genesis.validators.len(), clock);
        let (ready, parts) = watch::channel(None);
        let (submit, submitted) = mpsc::channel(GOSSIP_QUEUE);
        let chain = Chain::new(
            context.child("chain"),
            genesis.clone(),
            book.clone(),
            parts,
            submit,
        );
        let Links {
            votes,
            certificates,
            resolver,
            backfill,
            broadcast,
            sync,
            probe,
            gossip: (gossip_out, gossip_in),
            peers,
            blocker,
        } = links;
        let engine = engine::Engine {
            genesis,
            code: config.code,
            identity: config.identity.public_key(),
            scheme,
            partition: config.partition,
            cache_mib: config.cache_mib,
            book: book.clone(),
            ready,
            votes,
            certificates,
            resolver,
            backfill,
            broadcast,
            sync,
            probe,
            peers,
            blocker: blocker.clone(),
        };
        // One task above all others: ending it ends them.
        let task = context.child("validator").spawn(move |context| async move {
            context
                .child("gossip_send")
                .spawn(|context| gossip::send(context, submitted, gossip_out));
            context
                .child("gossip_receive")
                .spawn(move |context| gossip::receive(context, chain_id, book, gossip_in, blocker));
            engine.run(context).await;
        });
        Ok(Self { chain, task })
    }

    /// The handle to the chain that this validator replicates.
    pub const fn chain(&self) -> &Chain<E> {
        &self.chain
    }

    /// Stops the validator at once. What was finalised is on disk; a crash has the same effect.
    pub async fn stop(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

fn scheme(genesis: &Genesis, identity: &PublicKey, share: Share) -> Result<Scheme, StartError> {
    let position = genesis.validators.position(identity);
    let position = position.ok_or_else(|| StartError::NotAValidator(Box::new(identity.clone())))?;
    if usize::from(share.index) != position {
        return Err(StartError::WrongShare(Box::new(identity.clone())));
    }
    Scheme::signer(
        &genesis.consensus_namespace(),
        genesis.validators.clone(),
        genesis.sharing.clone(),
        share,
    )
    .ok_or_else(|| StartError::WrongShare(Box::new(identity.clone())))
}
