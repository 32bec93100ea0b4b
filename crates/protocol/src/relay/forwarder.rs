//! The neighbour that forwards: rules `V-RELAY-1` to `V-RELAY-4`.

use std::collections::{HashMap, VecDeque};

use cairn_crypto::schnorr::SecretKey;
use rand_core::CryptoRng;
use thiserror::Error;

use super::{MAX_MESSAGES, MAX_ROUTES, MAX_ROUTES_EACH, Neighbour, Peer, ROUTE_MS};
use crate::wire::{
    Beacon, CreditKey, Down, MAX_HOPS, Message, Offer, Path, RouteId, Seek, Up, WireError,
};

/// Why a relay does nothing with a datagram.
#[derive(Debug, Error)]
pub enum Refusal {
    /// `V-WIRE-*`.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// A message that is not for relays.
    #[error("expected a message of a relayed login")]
    NotForRelays,
    /// `V-RELAY-1`: it has been here before.
    #[error("the search was here already")]
    Known,
    /// `V-RELAY-1`.
    #[error("the search passed {0} relays already")]
    TooFar(u8),
    /// `V-RELAY-1`.
    #[error("no room for another route, or another one of this neighbour")]
    Full,
    /// `V-RELAY-2` to `V-RELAY-4`.
    #[error("no such route, or not from there")]
    NoRoute,
    /// `V-RELAY-2`: what went there before got no answer.
    #[error("that neighbour was asked in vain")]
    InVain,
    /// `V-RELAY-2`: an offer came before.
    #[error("the search has been answered")]
    Answered,
    /// `V-RELAY-2`, `V-RELAY-3`.
    #[error("the relays are not those that were offered")]
    Path,
    /// `V-RELAY-3`, `V-RELAY-4`.
    #[error("more than {MAX_MESSAGES} messages on one route")]
    Flood,
}

/// What a relay sends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forward {
    /// To all neighbours.
    Everybody(Vec<u8>),
    /// To one.
    To(Peer, Vec<u8>),
}

/// A way between the vehicle that searched and an RSU, as one relay knows it.
struct Route {
    since_ms: u64,
    /// Where the search came from.
    back: Neighbour,
    /// Our one-time key.
    key: SecretKey,
    /// Where messages up go, and the relays up to us; `None` until somebody offers.
    forth: Option<(Peer, Path)>,
    ups: u8,
    downs: u8,
    /// Whether a login over it seems to have succeeded.
    has_earned: bool,
}

/// A vehicle's part in the logins of others.
#[derive(Default)]
pub struct Forwarder {
    routes: HashMap<RouteId, Route>,
    order: VecDeque<RouteId>,
    earned: Vec<SecretKey>,
}

impl Forwarder {
    /// Takes a datagram of `from`. `hears` is the last beacon that the vehicle itself believes and could
    /// answer now, if there is one ([`Trust::answerable`](crate::trust::Trust::answerable)).
    ///
    /// # Errors
    ///
    /// See [`Refusal`]: nothing is to be sent.
    pub fn receive(
        &mut self,
        from: Peer,
        datagram: &[u8],
        hears: Option<&Beacon>,
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<Forward, Refusal> {
        self.forget(now_ms);
        match (Message::decode(datagram)?, from) {
            (Message::Seek(seek), Peer::Neighbour(from)) => {
                self.seek(from, seek, hears, now_ms, rng)
            }
            (Message::Offer(offer), Peer::Neighbour(from)) => self.offer(from, offer),
            (Message::Up(up), Peer::Neighbour(from)) => self.up(from, &up, datagram),
            (Message::Down(down), from) => self.down(from, &down, datagram),
            _ => Err(Refusal::NotForRelays),
        }
    }

    /// The keys of logins that seem to have succeeded, each once: what is credited, the ledger tells.
    pub fn take_earned(&mut self) -> Vec<SecretKey> {
        std::mem::take(&mut self.earned)
    }

    /// `V-RELAY-1`.
    fn seek(
        &mut self,
        from: Neighbour,
        seek: Seek,
        hears: Option<&Beacon>,
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<Forward, Refusal> {
        if self.routes.contains_key(&seek.route) {
            return Err(Refusal::Known);
        }
        if usize::from(seek.passed) >= MAX_HOPS {
            return Err(Refusal::TooFar(seek.passed));
        }
        let of_this = self.routes.values().filter(|route| route.back == from);
        if self.routes.len() >= MAX_ROUTES || of_this.count() >= MAX_ROUTES_EACH {
            return Err(Refusal::Full);
        }
        let passed = seek.passed + 1;
        let mut route = Route {
            since_ms: now_ms,
            back: from,
            key: SecretKey::random(rng),
            forth: None,
            ups: 0,
            downs: 0,
            has_earned: false,
        };
        let forward = match hears {
            Some(beacon) => {
                let path = Path::DIRECT.with(route.public()).expect("an empty path");
                route.forth = Some((Peer::Rsu(beacon.rid), path));
                Ok(route.offer(seek.route, beacon.clone(), path))
            }
            None if usize::from(passed) < MAX_HOPS => {
                let seek = Seek { passed, ..seek };
                Ok(Forward::Everybody(Message::Seek(seek).encode()))
            }
            None => Err(Refusal::TooFar(passed)),
        };
        self.routes.insert(seek.route, route);
        self.order.push_back(seek.route);
        forward
    }

    /// `V-RELAY-2`.
    fn offer(&mut self, from: Neighbour, offer: Offer) -> Result<Forward, Refusal> {
        let back = self.routes.get(&offer.route).map(|route| route.back);
        let back = back.filter(|back| *back != from).ok_or(Refusal::NoRoute)?;
        if self.routes.values().any(|route| route.in_vain(back, from)) {
            return Err(Refusal::InVain);
        }
        let route = self.routes.get_mut(&offer.route).ok_or(Refusal::NoRoute)?;
        if route.forth.is_some() {
            return Err(Refusal::Answered);
        }
        let path = offer.path.with(route.public()).ok_or(Refusal::Path)?;
        route.forth = Some((Peer::Neighbour(from), path));
        Ok(route.offer(offer.route, offer.beacon, path))
    }

    /// `V-RELAY-3`.
    fn up(&mut self, from: Neighbour, up: &Up, datagram: &[u8]) -> Result<Forward, Refusal> {
        let route = self.routes.get_mut(&up.route);
        let route = route
            .filter(|route| route.back == from)
            .ok_or(Refusal::NoRoute)?;
        let (to, path) = route.forth.ok_or(Refusal::NoRoute)?;
        if !up.path.begins_with(&path) {
            return Err(Refusal::Path);
        }
        count(&mut route.ups)?;
        Ok(Forward::To(to, datagram.to_vec()))
    }

    /// `V-RELAY-4`.
    fn down(&mut self, from: Peer, down: &Down, datagram: &[u8]) -> Result<Forward, Refusal> {
        let route = self.routes.get_mut(&down.route);
        let route = route
            .filter(|route| route.forth.is_some_and(|(forth, _)| forth == from))
            .ok_or(Refusal::NoRoute)?;
        count(&mut route.downs)?;
        let is_accept = || matches!(Message::decode(&down.datagram), Ok(Message::Accept(_)));
        if !route.has_earned && is_accept() {
            route.has_earned = true;
            self.earned.push(route.key.clone());
        }
        let back = Peer::Neighbour(route.back);
        Ok(Forward::To(back, datagram.to_vec()))
    }

    fn forget(&mut self, now_ms: u64) {
        while let Some(id) = self.order.front() {
            let since_ms = self.routes.get(id).map_or(0, |route| route.since_ms);
            if now_ms.saturating_sub(since_ms) < ROUTE_MS {
                break;
            }
            self.routes.remove(id);
            self.order.pop_front();
        }
    }
}

impl Route {
    fn public(&self) -> CreditKey {
        CreditKey(self.key.public().to_bytes())
    }

    /// Whether a message of `back` and its repetition went to `forth`, and nothing came down. Whoever
    /// sends what no RSU answers spoils its own routes only.
    fn in_vain(&self, back: Neighbour, forth: Neighbour) -> bool {
        let is_this = self.back == back
            && self
                .forth
                .is_some_and(|(to, _)| to == Peer::Neighbour(forth));
        is_this && self.ups >= 2 && self.downs == 0
    }

    /// The offer for where the search came from.
    fn offer(&self, route: RouteId, beacon: Beacon, path: Path) -> Forward {
        let offer = Message::Offer(Offer {
            route,
            beacon,
            path,
        });
        Forward::To(Peer::Neighbour(self.back), offer.encode())
    }
}

fn count(messages: &mut u8) -> Result<(), Refusal> {
    if *messages >= MAX_MESSAGES {
        return Err(Refusal::Flood);
    }
    *messages += 1;
    Ok(())
}
