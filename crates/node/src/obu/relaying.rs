//! Relaying in the OBU ([`cairn_protocol::relay`]): logins through neighbours of a vehicle that hears no
//! RSU, and its part in the logins of others.
//!
//! 1. A vehicle that hears no RSU, but other vehicles, seeks, at most every [`SEEK_EVERY_MS`]. It takes the
//!    first offer of an RSU that it believes, and hands over, or logs in if it has no token.
//! 2. When nothing comes back within [`ANSWER_MS`], in which it repeats, it takes another offer, or seeks again.
//! 3. It looks every [`CHECK_EVERY_MS`] with a rekey whether the way still holds. When it does not, when the
//!    first relay is out of reach, or before the relays forget the way ([`RENEW_AFTER_MS`]), it seeks again.
//! 4. When it hears an RSU itself the way is over. Its session goes on directly if it is that RSU's;
//!    otherwise it hands over.
//! 5. For others it forwards. A beacon of its RSU it judges when somebody asks.
//! 6. The keys under which it forwarded it claims together, when their period is over or when it leaves.

mod state;

pub(super) use state::Relaying;
pub use state::Relays;

use super::{Audible, Task};
use crate::{counters::RelayedLogin, deployments::credit_period, radio::Endpoint};
use cairn_chain::Runtime;
use cairn_ledger::Rid;
use cairn_protocol::{
    login::Way,
    relay::{Forward, Heard, MAX_ROUTES_EACH, Neighbour, Peer, ROUTE_MS, SeekRefusal},
    trust::PROOF_RETRY_MS,
    vehicle::{Effect, RETRY_MS},
    wire::{Beacon, Message},
};
use state::{Stage, number};
use std::{net::SocketAddr, time::Duration};
use tracing::debug;

/// Trace time after the beginning of a step until a vehicle that hears no RSU seeks, in milliseconds: by
/// then its neighbours have heard the step's beacons.
const SEEK_DELAY_MS: u64 = 50;

/// Trace time between two searches, in milliseconds: as often as relays take them of one neighbour.
const SEEK_EVERY_MS: u64 = ROUTE_MS / MAX_ROUTES_EACH as u64 + 250;

/// Trace time until a search without offers is over, in milliseconds: many times three hops and back.
const SEARCH_MS: u64 = 300;

/// Trace time until a way is given up on which nothing came back, in milliseconds: a message and two
/// repetitions. After one, the relays before a silent one give it up too.
const ANSWER_MS: u64 = 2 * RETRY_MS + 100;

/// Trace time between two looks whether a way holds, in milliseconds: relays are on the move.
const CHECK_EVERY_MS: u64 = 5_000;

/// Trace time after which a way is replaced, in milliseconds.
const RENEW_AFTER_MS: u64 = ROUTE_MS - CHECK_EVERY_MS;

/// Real time that a step waits at most for relays.
const PATIENCE: Duration = Duration::from_secs(1);

impl<E: Runtime, A: Endpoint> Task<E, A> {
    /// Looks at what has changed with a step: who is in reach, and whether the way still holds.
    pub(super) async fn step_relaying(&mut self, near: Vec<SocketAddr>) {
        let now_ms = self.clock.now_ms();
        let is_out = self.audible.is_empty();
        let Some(relaying) = &mut self.relaying else {
            return;
        };
        relaying.near = near;
        relaying.is_out = is_out;
        relaying.patience = self.context.current() + PATIENCE;
        let is_over =
            self.role.session().is_none() || now_ms >= relaying.sought_ms + RENEW_AFTER_MS;
        match relaying.stage {
            _ if !is_out => {
                relaying.stage = Stage::Idle;
                relaying.seeker.stop();
            }
            Stage::Served(_) | Stage::Checking(_) if is_over || !relaying.is_first_near() => {
                relaying.stage = Stage::Idle;
            }
            Stage::Served(rid) if self.rekey_ms.is_some_and(|at_ms| at_ms <= now_ms) => {
                relaying.stage = Stage::Checking(rid);
                relaying.until_ms = now_ms + ANSWER_MS;
                self.rekey(now_ms).await;
            }
            _ => {}
        }
        if let Some(relaying) = &mut self.relaying
            && relaying.stage == Stage::Idle
        {
            relaying.next_seek_ms = relaying.next_seek_ms.max(now_ms + SEEK_DELAY_MS);
        }
        let this = credit_period(now_ms);
        // A batch of the period may become final in the next one.
        self.claim(|period| period + 1 < this).await;
        self.wake_relaying().await;
    }

    /// Hands in what the vehicle has earned in the periods that `is_due` picks.
    pub(super) async fn claim(&mut self, is_due: impl Fn(u32) -> bool) {
        let chain = self.role.trust().road().chain;
        let Some(relaying) = &mut self.relaying else {
            return;
        };
        let claims = relaying.claims(&chain, is_due, &mut self.rng);
        if !claims.is_empty() {
            // The redeemer ends with the network only.
            let _ = relaying.relays.claims.send(claims).await;
        }
    }

    /// Notes whether the vehicle is served at the end of a step.
    pub(super) fn count_position(&self) {
        if self.serving().is_some() {
            self.counters.position_served();
        } else if self.relaying.as_ref().is_some_and(Relaying::is_served) {
            self.counters.relayed().position_served();
        }
    }

    /// Seeks, or gives up what got no answer.
    pub(super) async fn wake_relaying(&mut self) {
        let now_ms = self.clock.now_ms();
        let Some(relaying) = &mut self.relaying else {
            return;
        };
        if relaying.may_seek(now_ms) {
            return self.seek(now_ms).await;
        }
        if !relaying.is_out || now_ms < relaying.until_ms {
            return;
        }
        match relaying.stage {
            Stage::Idle | Stage::Served(_) => {}
            Stage::Seeking(None) => relaying.stage = Stage::Idle,
            Stage::Seeking(Some(rid)) | Stage::LoggingIn(rid) | Stage::Checking(rid) => {
                self.counters.relayed().given_up();
                let heard = relaying.seeker.give_up(rid, now_ms);
                relaying.stage = Stage::Idle;
                if !heard.is_empty() && now_ms < relaying.next_seek_ms {
                    relaying.stage = Stage::Seeking(Some(rid));
                    relaying.until_ms = now_ms + PROOF_RETRY_MS;
                }
                if relaying.stage != Stage::Idle {
                    self.take(heard, now_ms).await;
                }
            }
        }
    }

    async fn seek(&mut self, now_ms: u64) {
        let Some(relaying) = &mut self.relaying else {
            return;
        };
        relaying.stage = Stage::Seeking(None);
        relaying.until_ms = now_ms + SEARCH_MS;
        relaying.sought_ms = now_ms;
        relaying.sought = self.context.current();
        relaying.next_seek_ms = now_ms + SEEK_EVERY_MS;
        let seek = relaying.seeker.seek(&mut self.rng);
        self.counters.relayed().searched();
        self.send_to_all(&seek).await;
    }

    /// Takes a message of a relayed login, for this vehicle or for another.
    pub(super) async fn relayed(&mut self, from: SocketAddr, datagram: &[u8]) {
        let now_ms = self.clock.now_ms();
        let Some(peer) = self.peer(&from) else {
            return;
        };
        let Some(relaying) = &mut self.relaying else {
            return;
        };
        let message = match Message::decode(datagram) {
            Ok(message) => message,
            Err(error) => return debug!(vehicle = self.number, %error, "datagram refused"),
        };
        if let Peer::Neighbour(from) = peer {
            let (here, rng) = (&self.position, &mut self.rng);
            match relaying.seeker.receive(from, datagram, here, now_ms, rng) {
                Ok(heard) => {
                    if let (Message::Offer(offer), Stage::Seeking(None)) = (message, relaying.stage)
                    {
                        relaying.stage = Stage::Seeking(Some(offer.beacon.rid));
                        relaying.until_ms = now_ms + PROOF_RETRY_MS;
                    }
                    return self.take(heard, now_ms).await;
                }
                // For somebody else, perhaps.
                Err(SeekRefusal::NotAsked | SeekRefusal::NotForSeekers) => {}
                Err(refusal) => return debug!(vehicle = self.number, %refusal, "datagram refused"),
            }
        }
        let hears = match message {
            Message::Seek(seek) if relaying.seeker.is_ours(&seek) => return,
            Message::Seek(_) => self.believed_beacon(now_ms).await,
            _ => None,
        };
        self.forward(peer, datagram, hears.as_ref(), now_ms).await;
    }

    async fn forward(&mut self, from: Peer, datagram: &[u8], hears: Option<&Beacon>, now_ms: u64) {
        let Some(relaying) = &mut self.relaying else {
            return;
        };
        let (forwarder, rng) = (&mut relaying.forwarder, &mut self.rng);
        let forward = forwarder.receive(from, datagram, hears, now_ms, rng);
        let earned = forwarder.take_earned().into_iter();
        let period = credit_period(now_ms);
        relaying.earned.extend(earned.map(|key| (period, key)));
        match forward {
            Ok(Forward::Everybody(datagram)) => self.send_to_all(&datagram).await,
            Ok(Forward::To(Peer::Neighbour(to), datagram)) => self.send_near(to, &datagram).await,
            Ok(Forward::To(Peer::Rsu(rid), datagram)) => {
                if let Some(Audible { address, .. }) = self.audible(rid) {
                    self.send_relayed(address, &datagram).await;
                }
            }
            Err(refusal) => debug!(vehicle = self.number, %refusal, "not forwarded"),
        }
    }

    /// A beacon that can be offered to who seeks: of the RSU that serves, judged now, or of the one that the vehicle
    /// is to log in to.
    async fn believed_beacon(&mut self, now_ms: u64) -> Option<Beacon> {
        let rid = match self.serving() {
            Some(serving) => serving.rid,
            None => self.audible.first()?.rid,
        };
        let kept = self.relaying.as_mut()?.beacon.take();
        if let Some(beacon) = kept.filter(|beacon| beacon.rid == rid) {
            let datagram = Message::Beacon(beacon).encode();
            let started = self.context.current();
            let (here, rng) = (&self.position, &mut self.rng);
            let judged = self.role.receive(&datagram, here, now_ms, rng);
            self.count_work(started);
            self.follow(judged.unwrap_or_default()).await;
        }
        self.role.trust().answerable(rid, now_ms).cloned()
    }

    async fn take(&mut self, heard: Vec<Heard>, now_ms: u64) {
        for heard in heard {
            match heard {
                Heard::Send(to, datagram) => self.send_near(to, &datagram).await,
                Heard::Ready(rid) => {
                    let stage = self.relaying.as_ref().map(|relaying| relaying.stage);
                    if matches!(stage, Some(Stage::Seeking(_))) && !self.has_refused(rid, now_ms) {
                        self.login_over(rid, now_ms).await;
                    }
                }
                Heard::Answer(datagram) => {
                    let started = self.context.current();
                    let (here, rng) = (&self.position, &mut self.rng);
                    let answer = self.role.receive(&datagram, here, now_ms, rng);
                    self.count_work(started);
                    match answer {
                        Ok(effects) => self.follow(effects).await,
                        Err(refusal) => {
                            debug!(vehicle = self.number, %refusal, "datagram refused");
                        }
                    }
                }
            }
        }
    }

    /// Logs in over relays, with a token if the vehicle has one.
    async fn login_over(&mut self, rid: Rid, now_ms: u64) {
        let Some(relaying) = &mut self.relaying else {
            return;
        };
        let Some(line) = relaying.seeker.line(rid) else {
            return;
        };
        relaying.hops = line.path.hops();
        let started = self.context.current();
        let begun = self.role.handover_over(line, rid, now_ms, &mut self.rng);
        relaying.attempts = begun.is_ok();
        relaying.stage = match begun {
            Ok(_) => Stage::LoggingIn(rid),
            Err(_) => Stage::Idle,
        };
        relaying.until_ms = now_ms + ANSWER_MS;
        self.count_work(started);
        match begun {
            Ok(effects) => {
                let way = self.role.login_way();
                for effect in effects {
                    if let Effect::Send { to, datagram } = effect {
                        if let Some(way) = way {
                            self.counters.hello(way, datagram.len());
                        }
                        self.send_over(to, datagram).await;
                    }
                }
            }
            Err(refusal) => self.not_sent(&refusal),
        }
    }

    /// A session has begun: counts it if it came over relays, and says after how long to renew its key.
    pub(super) fn logged_in_over(&mut self, rid: Rid, way: Way) -> Option<u64> {
        let relaying = self.relaying.as_mut()?;
        if relaying.stage != Stage::LoggingIn(rid) {
            return None;
        }
        relaying.stage = Stage::Served(rid);
        let took = self.context.current().duration_since(relaying.sought);
        let login = RelayedLogin {
            hops: relaying.hops,
            took: took.unwrap_or_default(),
        };
        self.counters.logged_in_over(self.number, way, login);
        Some(CHECK_EVERY_MS)
    }

    /// The session has a new key: the way holds, if it was over relays. Says after how long to renew
    /// the key again.
    pub(super) fn rekeyed_over(&mut self, rid: Rid) -> Option<u64> {
        let relaying = self.relaying.as_mut()?;
        let is_this = relaying.stage == Stage::Checking(rid);
        is_this.then(|| {
            relaying.stage = Stage::Served(rid);
            CHECK_EVERY_MS
        })
    }

    /// The RSU refused the login.
    pub(super) fn refused_over(&mut self, rid: Rid) {
        if let Some(relaying) = &mut self.relaying
            && relaying.stage == Stage::LoggingIn(rid)
        {
            relaying.stage = Stage::Idle;
        }
    }

    /// Logs in fully where the token was refused, if that was over relays.
    pub(super) async fn token_refused_over(&mut self, rid: Rid, now_ms: u64) {
        let relaying = self.relaying.as_ref();
        if relaying.is_some_and(|relaying| relaying.stage == Stage::LoggingIn(rid)) {
            self.login_over(rid, now_ms).await;
        }
    }

    /// Sends what the vehicle has for an RSU over the way that is used.
    pub(super) async fn send_over(&mut self, to: Rid, datagram: Vec<u8>) {
        let Some(relaying) = &mut self.relaying else {
            return;
        };
        if let Some((first, up)) = relaying.seeker.wrap(to, datagram) {
            relaying.first = Some(first);
            self.send_near(first, &up).await;
        }
    }

    async fn send_near(&self, to: Neighbour, datagram: &[u8]) {
        let address = self
            .relaying
            .as_ref()
            .and_then(|relaying| relaying.address(to));
        if let Some(address) = address {
            self.send_relayed(address, datagram).await;
        }
    }

    async fn send_relayed(&self, to: SocketAddr, datagram: &[u8]) {
        self.counters.relayed().datagram(datagram.len());
        self.counters.datagram(datagram.len());
        self.antenna.send(to, datagram).await;
    }

    /// In the air a broadcast; on loopback sockets one datagram each.
    async fn send_to_all(&self, datagram: &[u8]) {
        let Some(relaying) = &self.relaying else {
            return;
        };
        self.counters.relayed().datagram(datagram.len());
        for address in &relaying.near {
            self.counters.datagram(datagram.len());
            self.antenna.send(*address, datagram).await;
        }
    }

    /// Who sends from this address: an RSU or a vehicle in reach.
    fn peer(&self, from: &SocketAddr) -> Option<Peer> {
        if let Some(rsu) = self.audible.iter().find(|rsu| rsu.address == *from) {
            return Some(Peer::Rsu(rsu.rid));
        }
        let near = &self.relaying.as_ref()?.near;
        let neighbour = number(from).filter(|_| near.contains(from))?;
        Some(Peer::Neighbour(neighbour))
    }
}
