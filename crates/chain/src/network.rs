//! The validators' network over TCP: encrypted, authenticated, addresses known.

#[cfg(not(test))]
use crate::{BlockClock, Config, Validator};
use crate::{
    links::{CHANNELS, Links, max_message_bytes},
    validator::StartError,
};
use cairn_ledger::{ChainId, PrivateKey, PublicKey};
use commonware_cryptography::ChaCha20Poly1305;
use commonware_p2p::{
    Address, AddressableManager as _,
    authenticated::lookup::{self, Network, Oracle, Receiver, Sender},
};
use commonware_runtime::{
    Clock, Handle, Metrics, Network as RuntimeNetwork, Quota, Resolver, Spawner,
};
#[cfg(not(test))]
use commonware_runtime::{Supervisor as _, tokio};
use commonware_stream::{
    cups::{self, Cups},
    sake::{self, Sake},
};
use commonware_utils::{NZU32, NZUsize, ordered::Map};
#[cfg(not(test))]
use futures::{FutureExt as _, future::BoxFuture};
use rand_core::CryptoRng;
use std::{net::SocketAddr, num::NonZeroUsize, time::Duration};

/// How far a peer's clock may be ahead at the handshake.
const HANDSHAKE_SKEW: Duration = Duration::from_secs(5);

/// How old a handshake may be.
const HANDSHAKE_AGE: Duration = Duration::from_secs(10);

/// Messages between the parts of the network.
const MAILBOX: NonZeroUsize = NZUsize!(256);

/// Pause before a peer that went away is called again.
const RECONNECT: Duration = Duration::from_millis(500);

/// Several validators may live behind one address (always so in a demonstration), so the limit per
/// address is that of a whole network that reconnects at once.
const HANDSHAKES: Quota = Quota::per_second(NZU32!(512));

/// What connects one validator to the others.
pub struct TcpConfig {
    /// This validator's identity.
    pub identity: PrivateKey,
    /// The chain: peers of another chain are not understood.
    pub chain: ChainId,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Every validator's address, this one's included.
    pub validators: Map<PublicKey, SocketAddr>,
}

/// The links of a validator over TCP.
pub type TcpLinks<E> =
    Links<Sender<PublicKey, E>, Receiver<PublicKey>, Oracle<PublicKey>, Oracle<PublicKey>>;

/// Opens the network of one validator. The returned task is the network; ending it closes all
/// connections.
pub fn connect<E>(context: E, config: TcpConfig) -> Result<(TcpLinks<E>, Handle<()>), StartError>
where
    E: Spawner + Clock + CryptoRng + RuntimeNetwork + Resolver + Metrics,
{
    let count = config.validators.len();
    let validators =
        u32::try_from(count).map_err(|error| StartError::Network(error.to_string()))?;
    let peers_per_set = NonZeroUsize::new(count)
        .ok_or_else(|| StartError::Network("there are no validators".into()))?;
    let handshake = Cups::<_, ChaCha20Poly1305>::new(
        Sake {
            signer: config.identity,
            synchrony_bound: HANDSHAKE_SKEW,
            max_handshake_age: HANDSHAKE_AGE,
            version: sake::Version::V1,
        },
        cups::Version::V1,
    );
    let namespace = [b"cairn/1/chain/p2p/".as_slice(), &config.chain].concat();
    let mut settings = lookup::Config::local(
        handshake,
        &namespace,
        config.listen,
        peers_per_set,
        max_message_bytes(validators),
        MAILBOX,
    );
    // One set of peers for ever; more would only multiply the room kept for messages.
    settings.tracked_peer_sets = NZUsize!(1);
    settings.peer_connection_cooldown = RECONNECT;
    settings.dial_frequency = RECONNECT / 2;
    settings.allowed_handshake_rate_per_ip = HANDSHAKES;
    settings.allowed_handshake_rate_per_subnet = HANDSHAKES;
    settings.allow_dns = false;
    let (mut network, mut oracle) = Network::new(context.child("network"), settings);
    let peers: Vec<(PublicKey, Address)> = config
        .validators
        .into_iter()
        .map(|(validator, address)| (validator, address.into()))
        .collect();
    let peers = Map::try_from(peers).expect("the keys come from a map");
    let _ = oracle.track(0, peers);
    let channels = CHANNELS.map(|(channel, quota)| network.register(channel, quota));
    let task = network.start();
    Ok((Links::new(channels, oracle.clone(), oracle), task))
}

/// A validator on tokio, and the task that is its network.
#[cfg(not(test))]
pub type TcpValidator = (Validator<tokio::Context>, Handle<()>);

/// Opens the network of one validator and starts the validator on it, see [`connect`] and
/// [`Validator::start_at`].
///
/// Nothing here is generic, so that a validator on tokio is compiled once, in this crate, and not
/// again in every crate, test and example that starts one. That is minutes of compilation.
#[cfg(not(test))]
pub fn start(
    context: tokio::Context,
    config: Config,
    tcp: TcpConfig,
    clock: BlockClock,
) -> BoxFuture<'static, Result<TcpValidator, StartError>> {
    async move {
        let (links, network) = connect(context.child("tcp"), tcp)?;
        let validator = Validator::start_at(context, config, links, clock).await?;
        Ok((validator, network))
    }
    .boxed()
}
