//! The operator orders its organisation's edge to ask another organisation for records.
//!
//! ```text
//! signed by the operator (Ed25519) under "cairn/1/edge/order":
//!   own chain 32 | owner 2 | device 32 | from 8 | until 8 | grade 1 | signed at 8 | address of the owner's edge
//! ```
//!
//! As JSON: `{"owner": N, "device": HEX, "from_ms": N, "until_ms": N, "grade": N, "at": "HOST:PORT", "signed_ms": N,
//! "signature": HEX}`.
//!
//! | rule | the edge refuses unless |
//! |---|---|
//! | V-ORDER-1 | the JSON has these fields and no others, each of its size |
//! | V-ORDER-2 | the operator of its organisation signed it, for its chain |
//! | V-ORDER-3 | it was signed at most 2 s ago, and later than any order before it |

use super::{
    MessageSuite,
    edge::Edge,
    exchange::{BACKLOG, ExchangeError, Received, Relay},
    fetch::{self, FetchError},
};
use crate::files::hex;
use cairn_contracts::directory::OrgId;
use cairn_exchange::{
    keys::TOLERANCE_MS,
    reading::{parse_device, unhex},
    request::Wanted,
};
use cairn_ledger::{ChainId, PrivateKey, PublicKey, Signature};
use commonware_codec::{Copying, DecodeExt as _, Encode as _};
use commonware_cryptography::{Signer as _, Verifier as _};
use serde::{Deserialize, Serialize};
use std::sync::PoisonError;
use thiserror::Error;
use tokio::sync::mpsc;

const NAMESPACE: &[u8] = b"cairn/1/edge/order";

/// The longest address of an edge, in bytes: a host name and a port.
const MAX_AT: usize = 262;

/// Why an order is not carried out.
#[derive(Debug, Error)]
pub enum OrderError {
    /// V-ORDER-1.
    #[error("order: {0}")]
    Malformed(String),
    /// V-ORDER-2.
    #[error("the order is not signed by the operator of this edge's organisation, for its chain")]
    Signature,
    /// V-ORDER-3.
    #[error(
        "the order was signed more than 2 s before or after the edge's time, or not after the last one"
    )]
    Age,
    /// The owner's edge.
    #[error("the owner's edge: {0}")]
    Fetch(#[from] FetchError),
    /// The exchange failed.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
}

/// An order as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    wanted: Wanted,
    at: String,
    signed_ms: u64,
    signature: Signature,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Json {
    owner: u16,
    device: String,
    from_ms: u64,
    until_ms: u64,
    grade: u8,
    at: String,
    signed_ms: u64,
    signature: String,
}

/// What came of an order.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Fetched {
    /// The exchange's name on the relay chain.
    pub exchange: String,
    /// Height of the receipt's block there.
    pub receipt_height: u64,
    /// Time in milliseconds since 1970 and content, by ascending time.
    pub records: Vec<(u64, String)>,
}

impl Order {
    /// Signs an order to the edge of the organisation with this chain. `at` is where the owner's edge listens.
    #[must_use]
    pub fn sign(
        operator: &PrivateKey,
        chain: &ChainId,
        wanted: Wanted,
        at: String,
        now_ms: u64,
    ) -> Self {
        let message = message(chain, &wanted, &at, now_ms);
        Self {
            wanted,
            at,
            signed_ms: now_ms,
            signature: operator.sign(NAMESPACE, &message),
        }
    }

    /// The JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let json = Json {
            owner: self.wanted.owner.0,
            device: self.wanted.device.to_string(),
            from_ms: self.wanted.from_ms,
            until_ms: self.wanted.until_ms,
            grade: self.wanted.grade,
            at: self.at.clone(),
            signed_ms: self.signed_ms,
            signature: hex(&self.signature.encode()),
        };
        serde_json::to_string(&json).expect("strings and numbers")
    }

    /// Reads the JSON (V-ORDER-1).
    ///
    /// # Errors
    ///
    /// [`OrderError::Malformed`].
    pub fn from_json(json: &[u8]) -> Result<Self, OrderError> {
        let malformed = |what: &str| OrderError::Malformed(format!("expected {what}"));
        let json: Json = serde_json::from_slice(json)
            .map_err(|error| OrderError::Malformed(error.to_string()))?;
        if json.at.len() > MAX_AT {
            return Err(malformed("HOST:PORT as at"));
        }
        let device = parse_device(&json.device);
        let signature = unhex(&json.signature).and_then(|b| Signature::decode(Copying(&b)).ok());
        Ok(Self {
            wanted: Wanted {
                owner: OrgId(json.owner),
                device: device.ok_or_else(|| malformed("64 hexadecimal digits as device"))?,
                from_ms: json.from_ms,
                until_ms: json.until_ms,
                grade: json.grade,
            },
            at: json.at,
            signed_ms: json.signed_ms,
            signature: signature.ok_or_else(|| malformed("an Ed25519 signature"))?,
        })
    }

    /// V-ORDER-2.
    fn is_signed(&self, chain: &ChainId, operator: &PublicKey) -> bool {
        let message = message(chain, &self.wanted, &self.at, self.signed_ms);
        operator.verify(NAMESPACE, &message, &self.signature)
    }
}

fn message(chain: &ChainId, wanted: &Wanted, at: &str, now_ms: u64) -> Vec<u8> {
    [
        chain.as_ref(),
        &wanted.owner.0.to_be_bytes(),
        &wanted.device.0,
        &wanted.from_ms.to_be_bytes(),
        &wanted.until_ms.to_be_bytes(),
        &[wanted.grade],
        &now_ms.to_be_bytes(),
        at.as_bytes(),
    ]
    .concat()
}

impl<S: MessageSuite> Edge<S> {
    /// Carries out an order: one exchange, over HTTP with the owner's edge.
    ///
    /// # Errors
    ///
    /// [`OrderError`].
    pub async fn carry_out(&self, relay: &Relay, order: Order) -> Result<Fetched, OrderError> {
        let parts = &self.parts;
        if !order.is_signed(&parts.ledger.chain().id(), &parts.operator.public_key()) {
            return Err(OrderError::Signature);
        }
        {
            let mut last_ms = self
                .ordered_ms
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let is_fresh = self.now_ms().abs_diff(order.signed_ms) <= TOLERANCE_MS;
            if !is_fresh || order.signed_ms <= *last_ms {
                return Err(OrderError::Age);
            }
            *last_ms = order.signed_ms;
        }
        let (asked, pending) = self.ask(relay, order.wanted).await?;
        let exchange = pending.exchange();
        // A refusal ends it; an envelope that breaks off is for the relay chain, as a complaint.
        let coming = fetch::post(&order.at, "/exchange", &asked.to_bytes()).await?;
        let (sink, pieces) = mpsc::channel(BACKLOG);
        let ((), received) = futures::join!(
            coming.into_pieces(sink),
            self.receive(relay, pending, pieces)
        );
        let (Received { contents, .. }, transaction) = received?;
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let receipt = relay.ledger.chain().receipt(&transaction);
        Ok(Fetched {
            exchange: hex(&exchange),
            receipt_height: receipt.map_or(0, |(height, _)| height),
            records: contents
                .iter()
                .map(|(time_ms, content)| (*time_ms, text(content)))
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_vault::DeviceId;

    fn wanted() -> Wanted {
        Wanted {
            owner: OrgId(2),
            device: DeviceId([7; 32]),
            from_ms: 1,
            until_ms: 2,
            grade: 3,
        }
    }

    #[test]
    fn orders_survive_json_and_every_field_is_signed() {
        let operator = PrivateKey::from_seed(1);
        let chain = ChainId([1; 32]);
        let order = Order::sign(&operator, &chain, wanted(), "127.0.0.1:1".into(), 5);
        assert_eq!(Order::from_json(order.to_json().as_bytes()).unwrap(), order);
        let key = operator.public_key();
        assert!(order.is_signed(&chain, &key));
        assert!(!order.is_signed(&ChainId([2; 32]), &key), "another chain");
        let stranger = PrivateKey::from_seed(2).public_key();
        assert!(!order.is_signed(&chain, &stranger));
        let changes: [fn(&mut Order); 7] = [
            |order| order.wanted.owner.0 += 1,
            |order| order.wanted.device.0[0] ^= 1,
            |order| order.wanted.from_ms += 1,
            |order| order.wanted.until_ms += 1,
            |order| order.wanted.grade += 1,
            |order| order.signed_ms += 1,
            |order| order.at.push('1'),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut changed = order.clone();
            change(&mut changed);
            assert!(!changed.is_signed(&chain, &key), "{number}");
        }
    }

    #[test]
    fn other_json_is_refused() {
        let operator = PrivateKey::from_seed(1);
        let order = Order::sign(&operator, &ChainId([1; 32]), wanted(), "a:1".into(), 5);
        let json = order.to_json();
        for bad in [
            json.replace("\"owner\":2", "\"owner\":70000"),
            json.replace("0707", "07"),
            json.replace("\"grade\":3", "\"grade\":3,\"more\":1"),
            json.replace("a:1", &"a".repeat(MAX_AT + 1)),
            json.replace("\"signature\":\"", "\"signature\":\"00"),
            String::new(),
        ] {
            let refused = Order::from_json(bad.as_bytes());
            assert!(matches!(refused, Err(OrderError::Malformed(_))), "{bad}");
        }
    }
    #[test]
    fn orders_of_strangers_old_ones_and_repeated_ones_are_refused() {
        use crate::organisations::embedded::{self, Options};
        let options = Options {
            validators: 1,
            vault: None,
        };
        embedded::run::<cairn_crypto::suite::Ristretto255, _, _>(&options, async |world| {
            let (edge, relay) = (&world.road.edge, &world.relay);
            let (operator, chain) = (edge.parts.operator.key(), edge.parts.ledger.chain().id());
            // Nobody listens at this port.
            let sign =
                |key, now_ms| Order::sign(key, &chain, wanted(), "127.0.0.1:1".into(), now_ms);
            let (stranger, now_ms) = (PrivateKey::from_seed(1), edge.now_ms());
            let refused = edge.carry_out(relay, sign(&stranger, now_ms)).await;
            assert!(matches!(refused, Err(OrderError::Signature)));
            let refused = edge.carry_out(relay, sign(operator, now_ms - 60_000)).await;
            assert!(matches!(refused, Err(OrderError::Age)));
            let order = sign(operator, edge.now_ms());
            let taken = edge.carry_out(relay, order.clone()).await;
            assert!(
                matches!(taken, Err(OrderError::Fetch(FetchError::Io(..)))),
                "{taken:?}"
            );
            let refused = edge.carry_out(relay, order).await;
            assert!(matches!(refused, Err(OrderError::Age)));
            Ok(())
        })
        .unwrap();
    }
}
