//! An RSU's proof of its own record, which unknown vehicles ask for: fetched ahead, so that none of them
//! waits for the ledger.
//!
//! 1. With each beacon the RSU looks whether its proof is old (`REFRESH_MS`) and the ledger has a newer
//!    block; then it fetches the next one. That may take until the next certified block, about a second of
//!    real time on an idle chain.
//! 2. Meanwhile the old proof serves, as long as vehicles can use it (`USEFUL_MS`).
//! 3. Whoever asks when there is none gets it when it comes.

use crate::ledger::Ledger;
use cairn_chain::{ReadError, Runtime};
use cairn_ledger::{Rid, StateKey};
use cairn_protocol::{
    beacon::{ProofTooLong, proof_datagram},
    trust::MAX_CERTIFICATE_AGE_MS,
    wire::RouteId,
};
use futures::{FutureExt as _, future::BoxFuture};
use std::{future::pending, net::SocketAddr};
use thiserror::Error;
use tracing::error;

/// After this much trace time an RSU fetches a new proof of its record, in milliseconds.
const REFRESH_MS: u64 = 10_000;

/// How long a proof is handed out, in milliseconds of trace time: vehicles use it for the rest of
/// [`MAX_CERTIFICATE_AGE_MS`] and then ask again.
const USEFUL_MS: u64 = MAX_CERTIFICATE_AGE_MS - 15_000;

/// The most requests that wait for a proof; further ones are dropped, and their vehicles ask again after
/// a second. As many vehicles as are ever in range of an RSU.
const MAX_ASKED: usize = 1_024;

/// Who asked: the address, and the route if it was through relays.
pub type Asker = (SocketAddr, Option<RouteId>);

/// A proof as a datagram, with the time of its block.
type Proof = (u64, Vec<u8>);

/// Why there is no proof.
#[derive(Debug, Error)]
enum ProofError {
    #[error("ledger: {0}")]
    Read(#[from] ReadError),
    #[error(transparent)]
    TooLong(#[from] ProofTooLong),
}

/// The proofs of one RSU's record.
pub struct Proofs<E: Runtime> {
    ledger: Ledger<E>,
    rid: Rid,
    key: StateKey,
    kept: Option<Proof>,
    next: Option<BoxFuture<'static, Result<Proof, ProofError>>>,
    asked: Vec<Asker>,
}

impl<E: Runtime> Proofs<E> {
    /// Proofs of the record `key` of the RSU `rid`; none has been fetched yet.
    pub fn new(ledger: Ledger<E>, rid: Rid, key: StateKey) -> Self {
        Self {
            ledger,
            rid,
            key,
            kept: None,
            next: None,
            asked: Vec::new(),
        }
    }

    /// Begins to fetch the next proof, if it is time.
    pub fn renew(&mut self, now_ms: u64) {
        let is_due = self.kept.as_ref().is_none_or(|(made_ms, _)| {
            now_ms.saturating_sub(*made_ms) >= REFRESH_MS && self.ledger.time_ms() > *made_ms
        });
        if is_due && self.next.is_none() {
            let (ledger, key) = (self.ledger.clone(), self.key);
            let fetch = async move {
                let proof = ledger.prove(&[key]).await?;
                Ok((proof.header.time_ms, proof_datagram(proof)?))
            };
            self.next = Some(fetch.boxed());
        }
    }

    /// The proof for `asker`; `None`: [`Proofs::fetched`] will bring it.
    pub fn ask(&mut self, asker: Asker, now_ms: u64) -> Option<&[u8]> {
        self.renew(now_ms);
        let useful = |(made_ms, _): &&Proof| now_ms.saturating_sub(*made_ms) < USEFUL_MS;
        if self.kept.as_ref().filter(useful).is_none() && self.asked.len() < MAX_ASKED {
            self.asked.push(asker);
        }
        let kept = self.kept.as_ref().filter(useful)?;
        Some(&kept.1)
    }

    /// Waits for the proof that is being fetched; returns it, with those who wait for it. Without end
    /// while none is. May be dropped and called again.
    pub async fn fetched(&mut self) -> (Vec<u8>, Vec<Asker>) {
        loop {
            let Some(next) = &mut self.next else {
                return pending().await;
            };
            let fetched = next.await;
            self.next = None;
            match fetched {
                Ok((made_ms, datagram)) => {
                    self.kept = Some((made_ms, datagram.clone()));
                    return (datagram, std::mem::take(&mut self.asked));
                }
                // The next beacon tries again.
                Err(error) => error!(rid = %self.rid, %error, "no proof"),
            }
        }
    }
}
