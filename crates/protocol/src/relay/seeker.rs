//! The vehicle that hears no RSU: rules `V-SEEK-1` to `V-SEEK-3`.

use std::collections::HashMap;

use cairn_ledger::{Position, Rid, light::Verified};
use rand_core::CryptoRng;
use thiserror::Error;

use super::{AVOIDED_MS, MAX_HOPS, MAX_OFFERS, Neighbour};
use crate::{
    trust::{BeaconError, ProofError, Road, Trust},
    vehicle::Line,
    wire::{Beacon, Down, Message, Offer, Path, RouteId, Seek, Up, WireError},
};

/// Why a datagram is refused.
#[derive(Debug, Error)]
pub enum SeekRefusal {
    /// `V-WIRE-*`.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// A message that is not for who seeks.
    #[error("expected an offer, or an answer that came over relays")]
    NotForSeekers,
    /// `V-SEEK-1`, `V-SEEK-3`.
    #[error("not of a search under way, or not from there")]
    NotAsked,
    /// `V-SEEK-2`.
    #[error(transparent)]
    Beacon(#[from] BeaconError),
    /// `V-PROOF-*`.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

/// What came of a datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Send this to the neighbour.
    Send(Neighbour, Vec<u8>),
    /// This RSU can be logged in to over [`Seeker::line`].
    Ready(Rid),
    /// For [`Vehicle::receive`](crate::vehicle::Vehicle::receive).
    Answer(Vec<u8>),
}

/// A neighbour's offer.
struct Way {
    first: Neighbour,
    rid: Rid,
    path: Path,
}

/// A search under way.
struct Search {
    route: RouteId,
    ways: Vec<Way>,
    /// Whose offer was taken: a handshake holds for the relays that it began with, so a later and
    /// shorter offer does not replace it.
    taken: Option<Neighbour>,
}

/// A vehicle's search for RSUs out of its reach.
pub struct Seeker {
    trust: Trust,
    search: Option<Search>,
    avoided: HashMap<Neighbour, u64>,
}

impl Seeker {
    /// A vehicle enrolled on `road`, whose neighbours are heard from at most `hop_range_m` metres
    /// away: with each relay an RSU may be so much farther.
    #[must_use]
    pub fn new(road: &Road, hop_range_m: f64) -> Self {
        let farther_m = hop_range_m * MAX_HOPS as f64;
        let road = Road {
            plausible_range_m: road.plausible_range_m + farther_m,
            ..road.clone()
        };
        Self {
            trust: Trust::new(road),
            search: None,
            avoided: HashMap::new(),
        }
    }

    /// Begins a search in place of one under way: send this to all neighbours.
    pub fn seek(&mut self, rng: &mut impl CryptoRng) -> Vec<u8> {
        let mut route = RouteId([0; 8]);
        rng.fill_bytes(&mut route.0);
        self.search = Some(Search {
            route,
            ways: Vec::new(),
            taken: None,
        });
        Message::Seek(Seek { route, passed: 0 }).encode()
    }

    /// Whether a search is ours, come back from a neighbour.
    #[must_use]
    pub fn is_ours(&self, seek: &Seek) -> bool {
        let search = self.search.as_ref();
        search.is_some_and(|search| search.route == seek.route)
    }

    /// Ends the search: the vehicle hears an RSU itself.
    pub fn stop(&mut self) {
        self.search = None;
    }

    /// Takes a datagram of a neighbour, heard at `here`.
    ///
    /// # Errors
    ///
    /// See [`SeekRefusal`].
    pub fn receive(
        &mut self,
        from: Neighbour,
        datagram: &[u8],
        here: &Position,
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<Heard>, SeekRefusal> {
        match Message::decode(datagram)? {
            Message::Offer(offer) => self.offer(from, offer, here, now_ms),
            Message::Down(down) => self.down(from, down, here, now_ms, rng),
            _ => Err(SeekRefusal::NotForSeekers),
        }
    }

    /// Takes what a light client has already verified, in place of the proof itself.
    ///
    /// # Errors
    ///
    /// [`SeekRefusal::Proof`].
    pub fn learn(
        &mut self,
        verified: &Verified,
        here: &Position,
        now_ms: u64,
    ) -> Result<Vec<Heard>, SeekRefusal> {
        let news = self.trust.learn(verified, now_ms)?;
        Ok(self.take_up(news, here, now_ms))
    }

    /// How `rid` is reached: over the fewest relays that were offered. From now on messages go this way,
    /// until it is [given up](Self::give_up).
    #[must_use]
    pub fn line(&mut self, rid: Rid) -> Option<Line<'_>> {
        let Way { first, path, .. } = *self.way(rid)?;
        self.search.as_mut()?.taken = Some(first);
        let trust = &self.trust;
        Some(Line { trust, path })
    }

    /// Wraps a datagram that a [`Vehicle`](crate::vehicle::Vehicle) sends to `rid`, for the first relay.
    #[must_use]
    pub fn wrap(&self, rid: Rid, datagram: Vec<u8>) -> Option<(Neighbour, Vec<u8>)> {
        let Way { first, path, .. } = *self.way(rid)?;
        let route = self.search.as_ref()?.route;
        let up = Up {
            route,
            path,
            datagram,
        };
        Some((first, Message::Up(up).encode()))
    }

    /// Nothing came back over [`Seeker::line`]: leaves its first relay alone for a while, if another neighbour has
    /// offered, and says how to go on. Without another the request for a proof is repeated, so that the relays
    /// notice that it was in vain. Nothing: seek again.
    pub fn give_up(&mut self, rid: Rid, now_ms: u64) -> Vec<Heard> {
        let first = self.way(rid).map(|way| way.first);
        let (Some(first), Some(search)) = (first, &mut self.search) else {
            return Vec::new();
        };
        if search.ways.iter().any(|way| way.first != first) {
            self.avoided.insert(first, now_ms + AVOIDED_MS);
            search.ways.retain(|way| way.first != first);
            if self.way(rid).is_some() && self.trust.answerable(rid, now_ms).is_some() {
                return vec![Heard::Ready(rid)];
            }
        }
        if self.trust.knows(rid, now_ms) {
            return Vec::new();
        }
        self.ask(rid, now_ms)
    }

    /// Asks for the proof of `rid`, unless it was asked for just now.
    fn ask(&mut self, rid: Rid, now_ms: u64) -> Vec<Heard> {
        if self.way(rid).is_none() || !self.trust.should_ask(rid, now_ms) {
            return Vec::new();
        }
        let wrapped = self.wrap(rid, Message::ProofRequest(rid).encode());
        let wrapped = wrapped.map(|(to, up)| Heard::Send(to, up));
        wrapped.into_iter().collect()
    }

    /// `V-SEEK-1`, `V-SEEK-2`.
    fn offer(
        &mut self,
        from: Neighbour,
        offer: Offer,
        here: &Position,
        now_ms: u64,
    ) -> Result<Vec<Heard>, SeekRefusal> {
        self.avoided.retain(|_, until_ms| now_ms < *until_ms);
        let search = self.search.as_mut().ok_or(SeekRefusal::NotAsked)?;
        let is_known = search.ways.iter().any(|way| way.first == from);
        let is_asked = search.route == offer.route && search.ways.len() < MAX_OFFERS;
        if !is_asked || is_known || self.avoided.contains_key(&from) {
            return Err(SeekRefusal::NotAsked);
        }
        let rid = offer.beacon.rid;
        let way = Way {
            first: from,
            rid,
            path: offer.path,
        };
        match self.trust.beacon(&offer.beacon, here, now_ms) {
            Ok(()) => {
                search.ways.push(way);
                Ok(vec![Heard::Ready(rid)])
            }
            Err(BeaconError::Unknown(_)) => {
                search.ways.push(way);
                Ok(self.ask(rid, now_ms))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// `V-SEEK-3`.
    fn down(
        &mut self,
        from: Neighbour,
        down: Down,
        here: &Position,
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<Heard>, SeekRefusal> {
        let search = self.search.as_ref().ok_or(SeekRefusal::NotAsked)?;
        let is_known = search.ways.iter().any(|way| way.first == from);
        if search.route != down.route || !is_known {
            return Err(SeekRefusal::NotAsked);
        }
        match Message::decode(&down.datagram)? {
            Message::Proof(proof) => {
                let news = self.trust.proof(&proof, now_ms, rng)?;
                Ok(self.take_up(news, here, now_ms))
            }
            _ => Ok(vec![Heard::Answer(down.datagram)]),
        }
    }

    fn take_up(
        &mut self,
        news: Vec<(Rid, Option<Beacon>)>,
        here: &Position,
        now_ms: u64,
    ) -> Vec<Heard> {
        let waited = news.into_iter().filter_map(|(_, beacon)| beacon);
        waited
            .filter(|beacon| self.trust.beacon(beacon, here, now_ms).is_ok())
            .map(|beacon| Heard::Ready(beacon.rid))
            .collect()
    }

    fn way(&self, rid: Rid) -> Option<&Way> {
        let search = self.search.as_ref()?;
        let ways = search.ways.iter().filter(|way| way.rid == rid);
        ways.min_by_key(|way| (search.taken != Some(way.first), way.path.hops()))
    }
}
