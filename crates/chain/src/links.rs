//! What a validator needs of a network, real or simulated.

use crate::{
    limits::{
        BACKFILL_QUOTA, BROADCAST_QUOTA, CERTIFICATE_QUOTA, GOSSIP_QUOTA, MAX_GOSSIP_BYTES,
        PROBE_QUOTA, RESOLVER_QUOTA, SYNC_BATCH, SYNC_QUOTA, VOTE_QUOTA,
    },
    state::Operation,
};
use cairn_ledger::{Block, PublicKey, light::Scheme};
use commonware_codec::FixedSize as _;
use commonware_consensus::{marshal, marshal::standard::Standard, simplex};
use commonware_cryptography::sha256;
use commonware_glue::stateful::{db::p2p as state_sync, probe};
use commonware_p2p::{Blocker, Provider, Receiver, Sender, max_message_size};
use commonware_runtime::Quota;
use commonware_storage::mmr;

/// The channels of a validator, by number and quota. The order is part of the wire protocol.
pub const CHANNELS: [(u64, Quota); 8] = [
    (0, VOTE_QUOTA),
    (1, CERTIFICATE_QUOTA),
    (2, RESOLVER_QUOTA),
    (3, BACKFILL_QUOTA),
    (4, BROADCAST_QUOTA),
    (5, SYNC_QUOTA),
    (6, PROBE_QUOTA),
    (7, GOSSIP_QUOTA),
];

/// One channel: messages out and in.
pub type Link<S, R> = (S, R);

/// A validator's connection to the others.
pub struct Links<S, R, P, B>
where
    S: Sender<PublicKey = PublicKey>,
    R: Receiver<PublicKey = PublicKey>,
    P: Provider<PublicKey = PublicKey>,
    B: Blocker<PublicKey = PublicKey>,
{
    /// Votes.
    pub votes: Link<S, R>,
    /// Certificates.
    pub certificates: Link<S, R>,
    /// Questions for certificates.
    pub resolver: Link<S, R>,
    /// Questions for old blocks.
    pub backfill: Link<S, R>,
    /// New blocks.
    pub broadcast: Link<S, R>,
    /// State synchronisation.
    pub sync: Link<S, R>,
    /// Search for a recent finalised block.
    pub probe: Link<S, R>,
    /// Transactions on their way to the other validators.
    pub gossip: Link<S, R>,
    /// Who the peers are.
    pub peers: P,
    /// Cuts off peers that provably misbehave.
    pub blocker: B,
}

impl<S, R, P, B> Links<S, R, P, B>
where
    S: Sender<PublicKey = PublicKey>,
    R: Receiver<PublicKey = PublicKey>,
    P: Provider<PublicKey = PublicKey>,
    B: Blocker<PublicKey = PublicKey>,
{
    /// Links over `channels`, which are those of [`CHANNELS`] in that order.
    pub(crate) fn new(channels: [Link<S, R>; CHANNELS.len()], peers: P, blocker: B) -> Self {
        let [
            votes,
            certificates,
            resolver,
            backfill,
            broadcast,
            sync,
            probe,
            gossip,
        ] = channels;
        Self {
            votes,
            certificates,
            resolver,
            backfill,
            broadcast,
            sync,
            probe,
            gossip,
            peers,
            blocker,
        }
    }
}

/// The most bytes of one message among `validators` validators.
pub fn max_message_bytes(validators: u32) -> u32 {
    max_message_size(&[
        simplex::max_payload_size::<Scheme, sha256::Digest>(validators),
        marshal::max_payload_size::<Standard<Block>, Scheme>(validators, &()),
        probe::max_payload_size::<Standard<Block>, Scheme>(validators),
        state_sync::max_payload_size::<mmr::Family, sha256::Digest>(SYNC_BATCH, Operation::SIZE),
        MAX_GOSSIP_BYTES,
    ])
}
