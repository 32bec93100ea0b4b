//! The validators' network without sockets: in the deterministic runtime the same seed gives the
//! same history, message for message.

use crate::links::{CHANNELS, Links, max_message_bytes};
use cairn_ledger::PublicKey;
use commonware_p2p::simulated::{
    Config, Control, Error, Link, Manager, Network, Oracle, Receiver, Sender,
};
use commonware_runtime::{Clock, Metrics, Network as RuntimeNetwork, Spawner};
use commonware_utils::NZUsize;
use rand_core::CryptoRng;
use std::num::NonZeroUsize;

/// The links of a validator in a simulation.
pub type SimulatedLinks<E> =
    Links<Sender<PublicKey, E>, Receiver<PublicKey>, Manager<PublicKey, E>, Control<PublicKey, E>>;

/// A simulated network of validators, fully connected.
pub struct SimulatedNetwork<E: Clock> {
    oracle: Oracle<PublicKey, E>,
    validators: Vec<PublicKey>,
}

impl<E> SimulatedNetwork<E>
where
    E: Spawner + Clock + CryptoRng + RuntimeNetwork + Metrics,
{
    /// Connects `validators` with each other by links like `link`.
    pub async fn start(
        context: E,
        validators: impl IntoIterator<Item = PublicKey>,
        link: Link,
    ) -> Result<Self, Error> {
        let validators: Vec<PublicKey> = validators.into_iter().collect();
        let count = u32::try_from(validators.len()).unwrap_or(u32::MAX);
        let config = Config {
            max_size: max_message_bytes(count),
            max_peers_per_set: NonZeroUsize::new(validators.len()).unwrap_or(NonZeroUsize::MIN),
            disconnect_on_block: true,
            tracked_peer_sets: NZUsize!(1),
        };
        let (network, oracle) =
            Network::new_with_peers(context.child("simulated"), config, validators.clone()).await;
        network.start();
        let network = Self { oracle, validators };
        for validator in &network.validators {
            network.link(validator, &link).await?;
        }
        Ok(network)
    }

    /// The links of `validator`, anew after each of its restarts.
    pub async fn links(&self, validator: &PublicKey) -> Result<SimulatedLinks<E>, Error> {
        let control = self.oracle.control(validator.clone());
        let mut channels = Vec::with_capacity(CHANNELS.len());
        for (channel, quota) in CHANNELS {
            channels.push(control.register(channel, quota).await?);
        }
        let channels = channels
            .try_into()
            .unwrap_or_else(|_| unreachable!("one pair was registered for each channel"));
        Ok(Links::new(channels, self.oracle.manager(), control))
    }

    /// Cuts `validator` off from all others.
    pub async fn cut(&self, validator: &PublicKey) -> Result<(), Error> {
        for other in self.others(validator) {
            self.oracle
                .remove_link(validator.clone(), other.clone())
                .await?;
            self.oracle
                .remove_link(other.clone(), validator.clone())
                .await?;
        }
        Ok(())
    }

    /// Connects `validator`, which was cut off, with all others again.
    pub async fn heal(&self, validator: &PublicKey, link: &Link) -> Result<(), Error> {
        self.link(validator, link).await?;
        for other in self.others(validator) {
            self.oracle
                .add_link(other.clone(), validator.clone(), link.clone())
                .await?;
        }
        Ok(())
    }

    /// Pairs (who cut off, who was cut off) after provable misbehaviour.
    pub async fn blocked(&self) -> Result<Vec<(PublicKey, PublicKey)>, Error> {
        self.oracle.blocked().await
    }

    async fn link(&self, from: &PublicKey, link: &Link) -> Result<(), Error> {
        for other in self.others(from) {
            self.oracle
                .add_link(from.clone(), other.clone(), link.clone())
                .await?;
        }
        Ok(())
    }

    fn others<'a>(&'a self, validator: &'a PublicKey) -> impl Iterator<Item = &'a PublicKey> {
        self.validators
            .iter()
            .filter(move |other| *other != validator)
    }
}
