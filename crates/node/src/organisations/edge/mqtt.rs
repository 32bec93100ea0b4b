//! The edge over MQTT 3.1.1: readings with quality of service 1, from any broker.
//!
//! 1. A device publishes one reading as JSON ([`cairn_exchange::reading`]) to the edge's topic.
//! 2. Messages that have come are taken together, up to [`MAX_READINGS`], checked and stored.
//! 3. The broker gets its acknowledgement when they are durable, and not before. While the vault is
//!    not available the same batch is tried again.
//!
//! When the connection breaks the edge connects and subscribes again; the broker repeats what was not
//! acknowledged. A reading that comes twice is stored once. Messages that a broker itself loses, because it
//! restarts and keeps none on disk, were not acknowledged to anybody but by that broker: configure persistence there.

use super::{Edge, MAX_READINGS};
use cairn_crypto::message::MessageSuite;
use cairn_exchange::reading::Reading;
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, Publish, QoS};
use std::{sync::Arc, time::Duration};
use thiserror::Error;
use tokio::{sync::mpsc, time::sleep};
use tracing::{info, warn};

/// The largest message.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// The port of brokers that say nothing else.
const DEFAULT_PORT: u16 = 1883;

/// Pause before the edge tries again what failed.
const AGAIN: Duration = Duration::from_millis(500);

/// Time between two signs of life to the broker.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Where readings come from.
#[derive(Clone, Debug)]
pub struct Broker {
    /// Its host.
    pub host: String,
    /// Its port, usually 1883.
    pub port: u16,
    /// The topic with the readings; may hold wildcards.
    pub topic: String,
    /// The edge's name there: one connection per name, and the broker keeps what it has missed.
    pub client: String,
}

/// Why there is no broker.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("broker {0}: expected mqtt://HOST, mqtt://HOST:PORT or mqtt://HOST:PORT/TOPIC")]
pub struct BrokerError(String);

impl Broker {
    /// Reads `mqtt://HOST[:PORT][/TOPIC]`, with port 1883 and topic `cairn/N/readings` by default, for the
    /// edge called `edge` of organisation N.
    ///
    /// # Errors
    ///
    /// [`BrokerError`].
    pub fn parse(url: &str, organisation: u16, edge: &str) -> Result<Self, BrokerError> {
        let failed = || BrokerError(url.to_owned());
        let rest = url.strip_prefix("mqtt://").ok_or_else(failed)?;
        let (address, topic) = match rest.split_once('/') {
            Some((address, topic)) if !topic.is_empty() => (address, topic.to_owned()),
            Some((address, _)) => (address, format!("cairn/{organisation}/readings")),
            None => (rest, format!("cairn/{organisation}/readings")),
        };
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| failed())?),
            None => (address, DEFAULT_PORT),
        };
        if host.is_empty() || topic.contains('\0') {
            return Err(failed());
        }
        Ok(Self {
            host: host.to_owned(),
            port,
            topic,
            // Brokers must take names of 23 characters, and may take longer ones.
            client: format!("cairn-{organisation}-{}", edge.get(..8).unwrap_or(edge)),
        })
    }
}

/// Takes readings from a broker, for as long as it is polled.
pub async fn serve<S: MessageSuite>(edge: Arc<Edge<S>>, broker: Broker) {
    let mut options = MqttOptions::new(&broker.client, &broker.host, broker.port);
    options
        .set_keep_alive(KEEP_ALIVE)
        .set_clean_session(false)
        .set_manual_acks(true)
        .set_max_packet_size(MAX_MESSAGE, MAX_MESSAGE);
    let (client, events) = AsyncClient::new(options, MAX_READINGS);
    let (publishes, coming) = mpsc::channel(MAX_READINGS);
    futures::join!(
        listen(&client, events, &broker.topic, publishes),
        store(&edge, &client, coming)
    );
}

/// Keeps the connection, and passes messages on.
async fn listen(
    client: &AsyncClient,
    mut events: EventLoop,
    topic: &str,
    publishes: mpsc::Sender<Publish>,
) {
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                info!(topic, "connected to the broker");
                // Again after every connection: a broker that restarted may have forgotten.
                if let Err(error) = client.try_subscribe(topic, QoS::AtLeastOnce) {
                    warn!(%error, "cannot subscribe");
                }
            }
            // No room: acknowledgements cannot go out either before this returns, so what does not
            // fit is dropped unacknowledged, and the broker repeats it after the next connection.
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                if publishes.try_send(publish).is_err() {
                    warn!("more messages than the vault takes");
                }
            }
            Ok(_) => {}
            Err(error) => {
                warn!(%error, "no connection to the broker");
                sleep(AGAIN).await;
            }
        }
        if publishes.is_closed() {
            return;
        }
    }
}

/// Stores what has come, then acknowledges it.
async fn store<S: MessageSuite>(
    edge: &Edge<S>,
    client: &AsyncClient,
    mut coming: mpsc::Receiver<Publish>,
) {
    let mut batch = Vec::new();
    while coming.recv_many(&mut batch, MAX_READINGS).await > 0 {
        let mut readings = Vec::with_capacity(batch.len());
        for publish in &batch {
            match Reading::from_json(&publish.payload) {
                Ok(reading) => readings.push(reading),
                Err(error) => edge.refuse(&error),
            }
        }
        while let Err(error) = edge.ingest(&readings).await {
            warn!(%error, "readings are not stored yet");
            sleep(AGAIN).await;
        }
        for publish in batch.drain(..) {
            // Without a connection the broker repeats the message, and it is known then.
            let _ = client.ack(&publish).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_are_named_by_host_port_and_topic() {
        let parse = |url| {
            let broker = Broker::parse(url, 7, "0123456789abcdef")?;
            Ok((broker.host, broker.port, broker.topic, broker.client))
        };
        let own = ("factory/+".to_owned(), "cairn-7-01234567".to_owned());
        let expected = ("127.0.0.1".to_owned(), 1884, own.0, own.1.clone());
        assert_eq!(parse("mqtt://127.0.0.1:1884/factory/+"), Ok(expected));
        let usual = (
            "broker".to_owned(),
            1883,
            "cairn/7/readings".to_owned(),
            own.1,
        );
        assert_eq!(parse("mqtt://broker"), Ok(usual.clone()));
        assert_eq!(parse("mqtt://broker/"), Ok(usual));
        for bad in [
            "http://broker",
            "mqtt://",
            "mqtt://:1883",
            "mqtt://broker:many",
        ] {
            assert_eq!(parse(bad), Err(BrokerError(bad.to_owned())), "{bad}");
        }
    }
}
