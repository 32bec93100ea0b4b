//! The RSU that vouches for where a vehicle is: rules `V-DESK-1` to `V-DESK-7`.

use std::collections::{HashMap, VecDeque};

use cairn_contracts::providers::ProviderId;
use cairn_ledger::{ChainId, PrivateKey, Rid, Signature};
use commonware_codec::FixedSize as _;
use rand_core::CryptoRng;
use thiserror::Error;

use super::{
    Cell, Contradiction, ENDED_MS, EVIDENCE_SPAN_MS, FALSE_CELLS, MIN_INTERVAL_MS, Notice, Reach,
    Request,
    frames::{self, From, Wanted},
};
use crate::{
    THR_MS,
    login::Asc,
    session::{RoadsideSession, SessionKey},
    token::Holder,
    wire::{Message, ServiceFrame},
};

/// The most vehicles remembered, as many as there are sessions; then the first that came goes.
const MAX_REMEMBERED: usize = 16_384;

/// Why a request comes to nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DeskError {
    /// `V-DESK-1`.
    #[error("does not open under the session's key")]
    Sealed,
    /// `V-DESK-2`.
    #[error("does not decode")]
    Malformed,
    /// `V-DESK-3`.
    #[error("is of {0} ms, too old or in the future")]
    Time(u64),
    /// `V-DESK-4`.
    #[error("expected nothing of this vehicle before {0} ms")]
    TooSoon(u64),
    /// `V-DESK-5`.
    #[error("this vehicle's service has ended")]
    Ended {
        /// For the vehicle.
        reply: Vec<u8>,
    },
    /// `V-DESK-6`, `V-DESK-7`.
    #[error("the vehicle cannot be in {cell:?}")]
    FalseCell {
        /// The cell.
        cell: Cell,
        /// For the vehicle.
        reply: Vec<u8>,
        /// What a vote against it rests on, when that is due: [`FALSE_CELLS`] contradictions.
        due: Option<Vec<Contradiction>>,
    },
}

impl DeskError {
    /// What is to be sent to the vehicle.
    #[must_use]
    pub fn reply(&self) -> Option<&[u8]> {
        match self {
            Self::Ended { reply } | Self::FalseCell { reply, .. } => Some(reply),
            _ => None,
        }
    }
}

/// What a vehicle wants of its RSU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// The ledger's proof of a provider: answer with [`Notice::Proof`] in a [`reply`].
    Proof(ProviderId),
    /// Send this to its provider: answer with [`Notice::Answer`].
    Query {
        /// For the provider.
        request: Box<Request>,
        /// Time of the question, for the answer.
        asked_ms: u64,
    },
}

/// What is remembered of a vehicle.
#[derive(Default)]
struct Seen {
    last_ms: u64,
    /// Its last plausible claim.
    place: Option<(Cell, u64)>,
    contradictions: Vec<Contradiction>,
    ended_ms: u64,
}

/// An RSU's part in location services.
pub struct Desk {
    chain: ChainId,
    rid: Rid,
    signer: PrivateKey,
    reach: Reach,
    seen: HashMap<Holder, Seen>,
    order: VecDeque<Holder>,
}

impl Desk {
    /// The desk of the RSU `rid`, which signs with its registered key.
    #[must_use]
    pub fn new(chain: ChainId, rid: Rid, signer: PrivateKey, reach: Reach) -> Self {
        Self {
            chain,
            rid,
            signer,
            reach,
            seen: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    /// Takes a frame of a living session, and whose that is.
    ///
    /// # Errors
    ///
    /// See [`DeskError`].
    pub fn take(
        &mut self,
        frame: &ServiceFrame,
        (holder, session): (Holder, &RoadsideSession),
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<Order, DeskError> {
        let asc = session.asc();
        let open = |key: &SessionKey| frames::open_in(key, asc, From::Vehicle, &frame.sealed);
        // The vehicle may not have heard of the last rekey yet.
        let plain = open(session.key()).or_else(|| session.previous_key().and_then(open));
        let plain = plain.ok_or(DeskError::Sealed)?;
        let wanted = Wanted::from_bytes(&plain).map_err(|_| DeskError::Malformed)?;
        let (provider, time_ms, commitment, cell, query) = match wanted {
            Wanted::Proof(provider) => return Ok(Order::Proof(provider)),
            Wanted::Query {
                provider,
                time_ms,
                commitment,
                cell,
                query,
            } => (provider, time_ms, commitment, cell, query),
        };
        if now_ms.abs_diff(time_ms) > THR_MS {
            return Err(DeskError::Time(time_ms));
        }
        let reach = self.reach;
        let seen = self.seen(holder);
        let free_ms = seen.last_ms.saturating_add(MIN_INTERVAL_MS);
        if seen.last_ms > 0 && time_ms < free_ms {
            return Err(DeskError::TooSoon(free_ms));
        }
        seen.last_ms = time_ms;
        let refusal = Notice::Refused {
            asked_ms: time_ms,
            for_cell: true,
        };
        if now_ms < seen.ended_ms {
            let reply = reply(session.key(), asc, &refusal, rng);
            return Err(DeskError::Ended { reply });
        }
        let is_recent = |at_ms: u64| time_ms.saturating_sub(at_ms) <= EVIDENCE_SPAN_MS;
        let before = seen.place.filter(|(_, at_ms)| is_recent(*at_ms));
        if !reach.admits(before, cell, time_ms) {
            seen.contradictions.retain(|found| is_recent(found.time_ms));
            seen.contradictions.push(Contradiction {
                before,
                cell,
                time_ms,
            });
            let is_due = seen.contradictions.len() >= FALSE_CELLS;
            let due = is_due.then(|| std::mem::take(&mut seen.contradictions));
            if is_due {
                seen.ended_ms = now_ms + ENDED_MS;
            }
            let reply = reply(session.key(), asc, &refusal, rng);
            return Err(DeskError::FalseCell { cell, reply, due });
        }
        seen.place = Some((cell, time_ms));
        let request = Request {
            rid: self.rid,
            provider,
            commitment,
            cell,
            time_s: time_ms / 1_000,
            signature: unsigned(),
            query,
        };
        Ok(Order::Query {
            request: Box::new(request.signed(&self.chain, &self.signer)),
            asked_ms: time_ms,
        })
    }

    /// The vehicle's last plausible claims are forgotten with it.
    fn seen(&mut self, holder: Holder) -> &mut Seen {
        if !self.seen.contains_key(&holder) {
            if self.seen.len() >= MAX_REMEMBERED
                && let Some(oldest) = self.order.pop_front()
            {
                self.seen.remove(&oldest);
            }
            self.order.push_back(holder);
        }
        self.seen.entry(holder).or_default()
    }
}

/// The provider's answer, or a refusal, for the vehicle.
#[must_use]
pub fn reply(session: &SessionKey, asc: Asc, notice: &Notice, rng: &mut impl CryptoRng) -> Vec<u8> {
    let sealed = frames::seal_in(session, asc, From::Rsu, &notice.to_bytes(), rng);
    Message::ServiceNotice(ServiceFrame { asc, sealed }).encode()
}

/// Stands where a signature will.
fn unsigned() -> Signature {
    use commonware_codec::{Copying, DecodeExt as _};
    Signature::decode(Copying(&[0; Signature::SIZE])).expect("any 64 bytes are a signature's shape")
}
