//! The vehicle's on-board unit (OBU) as a task: its antenna and its decisions around the role
//! [`cairn_protocol::vehicle`].
//!
//! Once per step of the trace the OBU learns where it is and which RSUs are within radio range.
//! Without a session it logs in at the nearest, as soon as it has heard and believed its beacon. Beacons
//! that it has no use for it does not check.
//! When another RSU is nearer by `HYSTERESIS_M`, or its own is out of range, it hands over; until
//! the new RSU has answered, the old session goes on. It renews its session key from time to time; an RSU
//! that does not answer that has lost the session, in a crash for example, and the vehicle logs in again.
//! What it has to say of its position it signs and broadcasts at the beginning of the step; what it heard
//! of others since the last step it checks then.
//! Where there are location services it asks on its way (module `asking`).
//! When it has done what it can in this step it says so.
//!
//! Where vehicles relay, one that hears no RSU logs in through its neighbours, see `relaying.rs`.

mod relaying;

pub use relaying::Relays;

mod asking;

use crate::{
    clock::TraceClock, counters::Counters, findings::Findings, ledger::Ledger,
    neighbours::Neighbours, radio::Endpoint, revocations::Revocations, services::Directory,
    voice::Saying,
};
use asking::Asking;
use cairn_chain::Runtime;
use cairn_ledger::{Position, Rid};
use cairn_protocol::{
    issuing::Circle,
    trust::Road,
    vehicle::{Effect, Papers, Refusal, Vehicle},
    wire::{BEACON, Message, POSITION, POSITION_WITH_CREDENTIAL, SERVICE_NOTICE, is_relayed},
};
use rand::rngs::StdRng;
use relaying::Relaying;
use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    time::{Duration, SystemTime},
};
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, warn};

/// How much nearer another RSU has to be before a vehicle that is served hands over, in metres: a
/// fifth of the usual range, so that a vehicle between two RSUs does not go back and forth.
const HYSTERESIS_M: f64 = 100.0;

/// Trace time after a login or rekey until the session key is renewed, in milliseconds.
const REKEY_AFTER_MS: u64 = 20_000;

/// Trace time until a vehicle tries again where it was refused, in milliseconds.
const RETRY_REFUSED_MS: u64 = 30_000;

/// Real time after which a vehicle that is still waiting for an answer lets the step end. Its login
/// goes on in the next one.
const STEP_PATIENCE: Duration = Duration::from_secs(5);

/// Real time after which a step no longer waits for the answer to a rekey: the session is gone at the
/// RSU, of a revoked vehicle for example, or the answer comes in the next step.
const REKEY_PATIENCE: Duration = Duration::from_millis(200);

/// Trace time stands still at the end of a step; what is due in the next one is not waited for
/// more often than this.
const SHORTEST_WAIT: Duration = Duration::from_millis(20);

/// Steps that wait for an OBU.
const STEPS: usize = 2;

/// What the OBU is told once per step.
pub struct Step {
    /// Where the vehicle is.
    pub position: Position,
    /// The RSUs within radio range, nearest first.
    pub audible: Vec<Audible>,
    /// What it is to say of its position.
    pub says: Vec<Saying>,
    /// Who hears that. In the air a broadcast; on loopback sockets one datagram each.
    pub ears: Vec<SocketAddr>,
    /// The vehicles within reach, where vehicles relay.
    pub near: Vec<SocketAddr>,
    /// Tells that the OBU has done what it can in this step.
    pub done: oneshot::Sender<()>,
}

/// An RSU within radio range.
#[derive(Clone, Copy, Debug)]
pub struct Audible {
    /// The RSU.
    pub rid: Rid,
    /// Its antenna's address.
    pub address: SocketAddr,
    /// Metres to its antenna.
    pub distance_m: f64,
}

/// A running OBU.
pub struct Obu {
    /// Its antenna's address.
    pub address: SocketAddr,
    /// Its steps. Closing this ends the task.
    pub steps: mpsc::Sender<Step>,
}

/// What an OBU starts with.
pub struct Start<E: Runtime, A> {
    /// The vehicle's number in the trace.
    pub number: u32,
    /// What it logs in with, and signs its position messages under.
    pub papers: Papers,
    /// The road that it is enrolled on.
    pub road: Road,
    /// Its antenna.
    pub antenna: A,
    /// The network's clock.
    pub clock: TraceClock,
    /// What vehicles count.
    pub counters: Counters,
    /// What was said.
    pub findings: Findings,
    /// Access to the chain, for others' keys.
    pub ledger: Ledger<E>,
    /// Location services, if there are any.
    pub services: Option<Directory>,
    /// What relaying takes, where vehicles relay.
    pub relays: Option<Relays>,
    /// Who issues credentials.
    pub circle: Circle,
    /// Which of them are revoked.
    pub revocations: Revocations,
    /// Its own randomness.
    pub rng: StdRng,
}

/// Starts an OBU.
pub fn start<E: Runtime, A: Endpoint>(context: &E, mut start: Start<E, A>) -> Obu {
    let (steps, received) = mpsc::channel(STEPS);
    let obu = Obu {
        address: start.antenna.address(),
        steps,
    };
    context.child("obu").spawn(move |context| {
        let now_ms = start.clock.now_ms();
        let neighbours = Neighbours::new(
            context.child("neighbours"),
            &start.road,
            (&start.circle, start.revocations),
            start.ledger,
            start.findings.clone(),
            now_ms,
        );
        let asking = |directory| Asking::new(&start.road, directory, start.number, now_ms);
        let asking = start.services.map(asking);
        let relays = start.relays.take();
        let relaying = relays.map(|relays| Relaying::new(relays, &start.road, &mut start.rng));
        let task = Task {
            context,
            neighbours,
            asking,
            relaying,
            number: start.number,
            role: Vehicle::new(start.papers, start.road),
            antenna: start.antenna,
            clock: start.clock,
            counters: start.counters,
            findings: start.findings,
            rng: start.rng,
            position: Position { x_cm: 0, y_cm: 0 },
            audible: Vec::new(),
            hello_sent: None,
            refused: HashMap::new(),
            rekey_ms: None,
            rekeying: false,
            rekey_until: SystemTime::UNIX_EPOCH,
            silent: None,
            unjudged: HashSet::new(),
        };
        task.run(received)
    });
    obu
}

struct Task<E: Runtime, A> {
    context: E,
    neighbours: Neighbours<E>,
    asking: Option<Asking>,
    relaying: Option<Relaying>,
    number: u32,
    role: Vehicle,
    antenna: A,
    clock: TraceClock,
    counters: Counters,
    findings: Findings,
    rng: StdRng,
    position: Position,
    audible: Vec<Audible>,
    /// When the first `Hello` of the login under way was sent.
    hello_sent: Option<SystemTime>,
    /// Until when not to try again at RSUs that refused.
    refused: HashMap<Rid, u64>,
    /// When to renew the session key.
    rekey_ms: Option<u64>,
    rekeying: bool,
    /// Until when the step waits for the answer to a rekey.
    rekey_until: SystemTime,
    /// The RSU that did not answer the last rekey: it has lost the session.
    silent: Option<Rid>,
    /// RSUs whose beacon of this step was not judged: a login there begins with their next one.
    unjudged: HashSet<Rid>,
}

/// A step that is not finished yet.
struct Open {
    done: oneshot::Sender<()>,
    until: SystemTime,
}

impl<E: Runtime, A: Endpoint> Task<E, A> {
    async fn run(mut self, mut steps: mpsc::Receiver<Step>) {
        let mut open: Option<Open> = None;
        loop {
            if open.is_some() && self.is_settled() {
                self.finish(&mut open);
            }
            let wake = self.wake_at(open.as_ref());
            let sleep = async {
                match wake {
                    Some(at) => self.context.sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                step = steps.recv() => match step {
                    Some(step) => {
                        self.finish(&mut open);
                        open = Some(self.step(step).await);
                    }
                    None => return self.claim(|_| true).await,
                },
                (from, datagram) = self.antenna.receive() => self.datagram(from, &datagram).await,
                () = sleep => {
                    let effects = self.wake();
                    self.follow(effects).await;
                    self.wake_relaying().await;
                    let now = self.context.current();
                    if open.as_ref().is_some_and(|open| open.until <= now) {
                        debug!(vehicle = self.number, "step ends before its login");
                        self.finish(&mut open);
                    }
                }
            }
        }
    }

    fn finish(&self, open: &mut Option<Open>) {
        if let Some(open) = open.take() {
            self.count_position();
            // The replay may have been stopped meanwhile.
            let _ = open.done.send(());
        }
    }

    async fn step(&mut self, step: Step) -> Open {
        self.position = step.position;
        self.role.moved(&step.position);
        self.audible = step.audible;
        self.unjudged.clear();
        self.speak(&step.says, &step.ears).await;
        let now_ms = self.clock.now_ms();
        self.neighbours.check(now_ms, &mut self.rng).await;
        let effects = self.wake();
        self.follow(effects).await;
        if self.serving().is_some() && self.rekey_ms.is_some_and(|at_ms| at_ms <= now_ms) {
            self.rekey(now_ms).await;
        }
        if let Some(asking) = &mut self.asking {
            let said = step.says.last().map(|saying| saying.motion.position);
            asking.moved(said.unwrap_or(step.position));
            self.ask(now_ms).await;
        }
        self.step_relaying(step.near).await;
        Open {
            done: step.done,
            until: self.context.current() + STEP_PATIENCE,
        }
    }

    fn wake(&mut self) -> Vec<Effect> {
        let started = self.context.current();
        let effects = self.role.wake(self.clock.now_ms(), &mut self.rng);
        self.count_work(started);
        effects
    }

    async fn speak(&mut self, says: &[Saying], ears: &[SocketAddr]) {
        for saying in says {
            let started = self.context.current();
            let now_ms = self.clock.now_ms();
            let signed = match saying.sign(&mut self.role, now_ms, &mut self.rng) {
                Ok(signed) => signed,
                Err(refusal) => {
                    self.not_sent(&refusal);
                    continue;
                }
            };
            let datagram = Message::Position(signed).encode();
            let spent = self.context.current().duration_since(started);
            self.findings
                .signed(datagram.len(), spent.unwrap_or_default());
            let said = signed.statement;
            self.findings
                .said(said.signer, said.sequence, saying.number);
            for ear in ears {
                self.counters.datagram(datagram.len());
                self.antenna.send(*ear, &datagram).await;
            }
        }
    }

    /// The RSU in range at which the vehicle has a session, as far as it knows.
    fn serving(&self) -> Option<Audible> {
        let (rid, _) = self.role.session()?;
        self.audible(rid).filter(|_| self.silent != Some(rid))
    }

    /// Where to log in next: at the nearest RSU that has not refused lately, unless the one that
    /// serves is about as near.
    fn target(&self) -> Option<Rid> {
        let now_ms = self.clock.now_ms();
        let best = self
            .audible
            .iter()
            .find(|audible| !self.has_refused(audible.rid, now_ms))?;
        let is_good_enough = |serving: Audible| {
            serving.rid == best.rid || serving.distance_m < best.distance_m + HYSTERESIS_M
        };
        (!self.serving().is_some_and(is_good_enough)).then_some(best.rid)
    }

    fn has_refused(&self, rid: Rid, now_ms: u64) -> bool {
        let until_ms = self.refused.get(&rid);
        until_ms.is_some_and(|until_ms| now_ms < *until_ms)
    }

    /// Whether to judge a beacon of this RSU: the vehicle is to log in there, or may be soon, and does not
    /// know it yet. A signature, and a proof each minute, of every RSU in range would cost more than
    /// all the rest that a vehicle does. Who relays knows its own RSU, to offer it to others.
    fn has_use_for(&self, rid: Rid, now_ms: u64) -> bool {
        if self.target() == Some(rid) {
            return true;
        }
        let (Some(heard), Some(serving)) = (self.audible(rid), self.serving()) else {
            return false;
        };
        let is_near = heard.distance_m < serving.distance_m + HYSTERESIS_M;
        let is_needed = rid != serving.rid || self.relaying.is_some();
        is_near && is_needed && !self.role.trust().knows(rid, now_ms)
    }

    /// Whether nothing is left to be done in this step.
    fn is_settled(&self) -> bool {
        let awaits_rekey = self.awaits_rekey().is_some();
        let target = self.target();
        target.is_none_or(|rid| self.unjudged.contains(&rid))
            && !awaits_rekey
            && self.awaits_answer().is_none()
            && self.awaits_relays().is_none()
    }

    /// Until when the step waits for the answer to a question, if it does.
    fn awaits_answer(&self) -> Option<SystemTime> {
        let until = self.asking.as_ref()?.waits_until()?;
        let is_open = self.serving().is_some() && self.context.current() < until;
        is_open.then_some(until)
    }

    /// Until when the step waits for the answer to a rekey, if it does.
    fn awaits_rekey(&self) -> Option<SystemTime> {
        let is_open = self.rekeying && self.serving().is_some();
        (is_open && self.context.current() < self.rekey_until).then_some(self.rekey_until)
    }

    fn awaits_relays(&self) -> Option<SystemTime> {
        let relaying = self.relaying.as_ref()?;
        relaying.awaits(self.clock.now_ms(), self.context.current())
    }

    /// Whether a login is under way at an RSU that can still answer.
    fn is_logging_in(&self) -> bool {
        let to = self.role.logging_in_to();
        to.is_some_and(|rid| self.audible(rid).is_some()) && !self.is_logging_in_over()
    }

    /// Whether the login under way goes over relays.
    fn is_logging_in_over(&self) -> bool {
        let relaying = self.relaying.as_ref();
        relaying.is_some_and(Relaying::is_logging_in)
    }

    fn audible(&self, rid: Rid) -> Option<Audible> {
        let found = self.audible.iter().find(|audible| audible.rid == rid);
        found.copied()
    }

    /// The role counts in trace time, the runtime in real time; inside a step both run alike.
    fn wake_at(&self, open: Option<&Open>) -> Option<SystemTime> {
        let now_ms = self.clock.now_ms();
        let relaying = self.relaying.as_ref().and_then(Relaying::next_wakeup);
        let next = [self.role.next_wakeup(), relaying].into_iter().flatten();
        let role = next.min().map(|at_ms| {
            let wait = Duration::from_millis(at_ms.saturating_sub(now_ms));
            self.context.current() + wait.max(SHORTEST_WAIT)
        });
        let open = open.map(|open| open.until);
        let waits = [
            self.awaits_rekey(),
            self.awaits_answer(),
            self.awaits_relays(),
        ];
        [role, open].into_iter().chain(waits).flatten().min()
    }

    async fn datagram(&mut self, from: SocketAddr, datagram: &[u8]) {
        if is_relayed(datagram) {
            return self.relayed(from, datagram).await;
        }
        let now_ms = self.clock.now_ms();
        match datagram.first() {
            Some(&(POSITION | POSITION_WITH_CREDENTIAL)) => {
                if let Ok(Message::Position(message)) = Message::decode(datagram) {
                    return self.neighbours.hear(message, now_ms);
                }
            }
            Some(&SERVICE_NOTICE) => return self.notice(datagram).await,
            Some(&BEACON) => {
                if let Ok(Message::Beacon(beacon)) = Message::decode(datagram)
                    && !self.has_use_for(beacon.rid, now_ms)
                {
                    self.unjudged.insert(beacon.rid);
                    let serving = self.serving().map(|serving| serving.rid);
                    if let Some(relaying) = &mut self.relaying {
                        relaying.keep(beacon, serving);
                    }
                    return;
                }
            }
            _ => {}
        }
        let started = self.context.current();
        let received = self
            .role
            .receive(datagram, &self.position, now_ms, &mut self.rng);
        self.count_work(started);
        match received {
            Ok(effects) => self.follow(effects).await,
            Err(refusal) => debug!(vehicle = self.number, %refusal, "datagram refused"),
        }
    }

    async fn follow(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            let now_ms = self.clock.now_ms();
            match effect {
                Effect::Send { to, datagram } => self.send(to, datagram).await,
                Effect::Believed(rid) => {
                    if !self.is_logging_in() && self.target() == Some(rid) {
                        self.login(rid, now_ms).await;
                    }
                }
                Effect::LoggedIn { rid, way, .. } => {
                    let sent = self
                        .hello_sent
                        .take()
                        .unwrap_or_else(|| self.context.current());
                    let round_trip = self.context.current().duration_since(sent);
                    let round_trip = round_trip.unwrap_or_default();
                    let rekey_after_ms = self.logged_in_over(rid, way).unwrap_or_else(|| {
                        self.counters.logged_in(self.number, way, round_trip);
                        REKEY_AFTER_MS
                    });
                    self.rekey_ms = Some(now_ms + rekey_after_ms);
                    self.rekeying = false;
                    self.silent = None;
                }
                Effect::LoginRefused { rid, code } => {
                    warn!(vehicle = self.number, %rid, ?code, "login refused");
                    self.counters.login_refused();
                    self.refused.insert(rid, now_ms + RETRY_REFUSED_MS);
                    self.refused_over(rid);
                }
                Effect::TokenRefused(rid) => {
                    debug!(vehicle = self.number, %rid, "token refused");
                    self.counters.token_refused();
                    self.token_refused_over(rid, now_ms).await;
                }
                Effect::LoginUnanswered(rid) => {
                    debug!(vehicle = self.number, %rid, "login unanswered");
                    // Of those over relays, ways that were given up are counted.
                    if !self.is_logging_in_over() {
                        self.counters.login_unanswered();
                    }
                }
                Effect::Rekeyed { rid, .. } => {
                    self.counters.rekeyed();
                    let rekey_after_ms = self.rekeyed_over(rid).unwrap_or(REKEY_AFTER_MS);
                    self.rekey_ms = Some(now_ms + rekey_after_ms);
                    self.rekeying = false;
                }
                Effect::RekeyUnanswered(rid) => {
                    debug!(vehicle = self.number, %rid, "rekey unanswered");
                    self.rekeying = false;
                    if self.relaying.is_some() && self.audible(rid).is_none() {
                        // It may be the relays who are silent: the RSU is asked when it is in range again.
                        self.rekey_ms = Some(now_ms);
                    } else {
                        self.silent = Some(rid);
                    }
                }
                Effect::SessionOver(_) => {
                    self.rekey_ms = None;
                    self.rekeying = false;
                }
            }
        }
    }

    /// Logs in, with a token if the vehicle has one.
    async fn login(&mut self, rid: Rid, now_ms: u64) {
        let started = self.context.current();
        let result = self.role.handover(rid, now_ms, &mut self.rng);
        self.count_work(started);
        if let Some(relaying) = &mut self.relaying {
            relaying.logs_in_directly();
        }
        match result {
            Ok(effects) => {
                self.hello_sent = Some(started);
                let way = self.role.login_way();
                for effect in effects {
                    if let Effect::Send { to, datagram } = effect {
                        if let Some(way) = way {
                            self.counters.hello(way, datagram.len());
                        }
                        self.send(to, datagram).await;
                    }
                }
            }
            Err(refusal) => self.not_sent(&refusal),
        }
    }

    fn count_work(&self, started: SystemTime) {
        let spent = self.context.current().duration_since(started);
        self.counters.vehicle_work(spent.unwrap_or_default());
    }

    async fn rekey(&mut self, now_ms: u64) {
        let started = self.context.current();
        let result = self.role.rekey(now_ms, &mut self.rng);
        self.count_work(started);
        match result {
            Ok(effects) => {
                self.rekeying = true;
                self.rekey_until = self.context.current() + REKEY_PATIENCE;
                self.rekey_ms = None;
                for effect in effects {
                    if let Effect::Send { to, datagram } = effect {
                        self.counters.rekey_request(datagram.len());
                        self.send(to, datagram).await;
                    }
                }
            }
            Err(refusal) => self.not_sent(&refusal),
        }
    }

    fn not_sent(&self, refusal: &Refusal) {
        debug!(vehicle = self.number, %refusal, "nothing to send");
    }

    async fn send(&mut self, to: Rid, datagram: Vec<u8>) {
        match self.audible(to) {
            Some(Audible { address, .. }) => {
                self.counters.datagram(datagram.len());
                self.antenna.send(address, &datagram).await;
            }
            None => self.send_over(to, datagram).await,
        }
    }
}
