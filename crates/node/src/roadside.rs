//! The RSU as a task: its antenna, its clock, its view of the ledger around the role
//! [`cairn_protocol::roadside`].
//!
//! What logins leave for the ledger goes into an [`Outbox`] and out of it in batches, one signed
//! transaction per interval, a few of them on the way at a time. When a batch is final the RSU looks
//! who won the tokens that it spent, and drops the sessions that lost. When the ledger does not keep
//! up the RSU stops taking datagrams until it does.
//!
//! What relays of logins have earned goes in the same intervals too, where there is a contract for it.
//!
//! Votes of its witness ([`crate::witness`]) go to the ledger in the same intervals, in transactions of
//! their own: the contract of tokens knows nothing of them. When one is final the RSU looks whether
//! revocation is requested, and tells TA. When it is told that a registered vehicle is revoked it looks at
//! its record and drops the session; when seeds of an anonymous one are published, it drops all sessions
//! under the credentials that they open.
//!
//! Where there are providers of location services, the RSU vouches for cells and carries questions and
//! answers ([`desk`]).

pub mod desk;

use crate::{
    clock::TraceClock,
    counters::Counters,
    findings::Findings,
    grants::Grants,
    ledger::Ledger,
    outbox::Outbox,
    proofs::Proofs,
    radio::Endpoint,
    revocations::{self, Revocations},
};
use bytes::Bytes;
use cairn_chain::Runtime;
use cairn_contracts::{
    credits,
    keys::{VehicleRecord, rsu_key, vehicle_key},
    misbehaviour::{self, Signer, SubjectRecord, Vote},
    tokens::{self, Batch, TokenRecord},
};
use cairn_ledger::{Address, Rid, Uid};
use cairn_protocol::{
    issuing::Circle,
    relay,
    roadside::{Found, Opened, Provisional, Received, Roadside, Site},
    token::Holder,
    wire::{Message, RouteId, SERVICE_ORDER, is_relayed},
};
use desk::Desk;
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use rand::rngs::StdRng;
use std::{collections::BTreeSet, net::SocketAddr, time::Duration};
use tokio::sync::mpsc;
use tracing::{debug, error};

/// Logins in one second of trace time above which an RSU asks for cookies: twice what a busy
/// junction sees when everybody arrives at once.
const LOAD_LOGINS_PER_SECOND: u32 = 2_000;

/// Beacon orders that wait for an RSU that is behind.
const ORDERS: usize = 16;

/// Batches of one RSU that are on their way to finality at a time; within the ledger's window of
/// nonces, and enough to fill it at any interval above a quarter of its finality.
const MAX_IN_FLIGHT: usize = 4;

/// The most logins that are judged together: more would keep the first one waiting.
const MAX_TOGETHER: usize = 64;

/// How long a batch may wait for a block, in milliseconds of block time.
const PATIENCE_MS: u64 = 60_000;

/// What the RSU is told.
pub enum Order {
    /// The antennas in its reach at this moment: it answers with a beacon to all. In the air a
    /// broadcast; on loopback sockets one datagram each.
    Beacon(Vec<SocketAddr>),
    /// The revocation of a registered vehicle is final, in the block of this height.
    Revoked(Uid, u64),
    /// The power fails and comes back: what is not on the ledger is lost, as in a crash.
    PowerCut,
}

/// An RSU's part in revocation.
pub struct Jury {
    /// The instance of contract `misbehaviour`.
    pub contract: Address,
    /// Votes of the RSU's witness, at most [`misbehaviour::MAX_VOTES`] at a time.
    pub votes: mpsc::Receiver<Vec<Vote>>,
    /// Where to tell TA that revocation of a signer is requested.
    pub hints: mpsc::Sender<Signer>,
}

/// A running RSU.
pub struct Rsu {
    /// Its name.
    pub rid: Rid,
    /// Its antenna's address.
    pub address: SocketAddr,
    /// Its orders. Closing this ends the task.
    pub orders: mpsc::Sender<Order>,
}

/// What all RSUs of a network have in common.
pub struct Surroundings<E: Runtime> {
    /// Access to the chain.
    pub ledger: Ledger<E>,
    /// The network's clock.
    pub clock: TraceClock,
    /// What RSUs count.
    pub counters: Counters,
    /// What they find of position messages.
    pub findings: Findings,
    /// Real time between two batches of an RSU.
    pub batch_interval: Duration,
    /// Who issues credentials.
    pub circle: Circle,
    /// Which of them are revoked.
    pub revocations: Revocations,
    /// The instance of contract `credits`, where vehicles relay.
    pub credits: Option<Address>,
}

/// Starts an RSU; with a desk, if there are providers.
pub fn start<E: Runtime, A: Endpoint>(
    context: &E,
    mut rng: StdRng,
    site: Site,
    antenna: A,
    jury: Jury,
    desk: Option<desk::Setup<A>>,
    surroundings: Surroundings<E>,
) -> Rsu {
    let (orders, received) = mpsc::channel(ORDERS);
    let rsu = Rsu {
        rid: site.rid,
        address: antenna.address(),
        orders,
    };
    context.child("rsu").spawn(move |context| {
        let mut task = Task {
            context,
            role: role(&site, &surroundings, &mut rng),
            nonce: first_nonce(&surroundings.clock),
            proofs: proofs(&site, &surroundings),
            desk: desk.map(|desk| Desk::new(&site, surroundings.ledger.clone(), desk)),
            site,
            antenna,
            jury,
            votes: Vec::new(),
            surroundings,
            rng,
            load: (0, 0),
            outbox: Outbox::default(),
            grants: Grants::default(),
            in_flight: FuturesUnordered::new(),
            revoked: 0,
        };
        task.revoke();
        task.run(received)
    });
    rsu
}

/// The role of an RSU that has just started.
fn role<E: Runtime>(site: &Site, surroundings: &Surroundings<E>, rng: &mut StdRng) -> Roadside {
    let issuers = revocations::issuers(&surroundings.circle, surroundings.clock.now_ms());
    let mut role = Roadside::new(site.clone(), rng);
    role.set_issuers(issuers);
    role
}

/// Proofs of its record, the first one on its way.
fn proofs<E: Runtime>(site: &Site, surroundings: &Surroundings<E>) -> Proofs<E> {
    let record = rsu_key(&site.keys, site.rid);
    let mut proofs = Proofs::new(surroundings.ledger.clone(), site.rid, record);
    proofs.renew(surroundings.clock.now_ms());
    proofs
}

/// Later than any nonce before the start.
fn first_nonce(clock: &TraceClock) -> u64 {
    clock.now_ms().saturating_mul(1_000)
}

/// Spends of a batch that is final, each with whether it won.
type Settled = Vec<(Provisional, bool)>;

struct Task<E: Runtime, A> {
    context: E,
    site: Site,
    /// Of the last transaction.
    nonce: u64,
    role: Roadside,
    antenna: A,
    jury: Jury,
    /// Votes that wait for the next interval.
    votes: Vec<Vote>,
    surroundings: Surroundings<E>,
    rng: StdRng,
    proofs: Proofs<E>,
    desk: Option<Desk<E, A>>,
    /// Second of trace time, and logins in it.
    load: (u64, u32),
    outbox: Outbox,
    grants: Grants,
    in_flight: FuturesUnordered<BoxFuture<'static, Settled>>,
    /// Revocations taken in so far.
    revoked: usize,
}

impl<E: Runtime, A: Endpoint> Task<E, A> {
    async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        let interval = self.surroundings.batch_interval;
        let mut due = self.context.current() + interval;
        loop {
            let is_full = self.outbox.is_full();
            tokio::select! {
                biased;
                order = orders.recv() => match order {
                    Some(Order::Beacon(listeners)) => self.beacon(&listeners).await,
                    Some(Order::Revoked(uid, height)) => self.drop_revoked(uid, height).await,
                    Some(Order::PowerCut) => self.forget_everything(),
                    None => return,
                },
                Some(votes) = self.jury.votes.recv(), if self.votes.is_empty() => {
                    self.votes = votes;
                }
                Some(settled) = self.in_flight.next() => self.settle(settled),
                () = self.context.sleep_until(due), if self.in_flight.len() < MAX_IN_FLIGHT => {
                    self.send_batch();
                    self.send_votes();
                    self.send_grants();
                    due = self.context.current() + interval;
                }
                Ok(()) = self.surroundings.revocations.changed() => self.revoke(),
                (proof, askers) = self.proofs.fetched() => {
                    for (to, over) in askers {
                        self.send(to, &relay::returned(over, proof.clone())).await;
                    }
                }
                arrival = desk::arrival(&mut self.desk) => self.arrived(arrival).await,
                first = self.antenna.receive(), if !is_full => self.datagrams(first).await,
            }
        }
    }

    fn forget_everything(&mut self) {
        let surroundings = &self.surroundings;
        self.role = role(&self.site, surroundings, &mut self.rng);
        self.nonce = first_nonce(&surroundings.clock);
        self.proofs = proofs(&self.site, surroundings);
        if let Some(desk) = &mut self.desk {
            desk.forget(&self.site);
        }
        self.votes.clear();
        self.load = (0, 0);
        self.outbox = Outbox::default();
        self.grants = Grants::default();
        self.in_flight.clear();
        self.revoked = 0;
        self.revoke();
    }

    async fn beacon(&mut self, listeners: &[SocketAddr]) {
        let now_ms = self.surroundings.clock.now_ms();
        let started = self.context.current();
        self.role.tick(now_ms);
        let beacon = self.role.beacon(now_ms, &mut self.rng);
        self.count_work(started);
        self.proofs.renew(now_ms);
        for listener in listeners {
            self.send(*listener, &beacon).await;
        }
    }

    /// Takes in what was revoked since.
    fn revoke(&mut self) {
        let now_ms = self.surroundings.clock.now_ms();
        let height = self.surroundings.ledger.height();
        let published = self.surroundings.revocations.borrow_and_update();
        for new in &published[self.revoked..] {
            let dropped = self.role.revoke(new.revocation, now_ms);
            let blocks = height.saturating_sub(new.height);
            self.surroundings.findings.dropped(dropped, blocks);
        }
        self.revoked = published.len();
    }

    /// Takes a datagram and those that wait behind it. Their logins are judged together.
    async fn datagrams(&mut self, first: (SocketAddr, Bytes)) {
        let mut logins = Vec::new();
        let mut next = Some(first);
        while let Some((from, datagram)) = next {
            logins.extend(self.datagram(from, &datagram).await);
            if logins.len() == MAX_TOGETHER {
                break;
            }
            next = self.antenna.receive().now_or_never();
        }
        if !logins.is_empty() {
            self.logins(logins).await;
        }
    }

    /// Takes a datagram; returns the login that it begins, if it does.
    async fn datagram(
        &mut self,
        from: SocketAddr,
        datagram: &[u8],
    ) -> Option<(SocketAddr, Opened)> {
        if let Some(&SERVICE_ORDER) = datagram.first()
            && let Ok(Message::ServiceOrder(frame)) = Message::decode(datagram)
        {
            self.order(from, &frame).await;
            return None;
        }
        let now_ms = self.surroundings.clock.now_ms();
        let source = from.to_string();
        let started = self.context.current();
        let received = self
            .role
            .receive(source.as_bytes(), datagram, now_ms, &mut self.rng);
        self.count_work(started);
        match received {
            Ok(Received::Reply(reply)) => self.send(from, &reply).await,
            Ok(Received::Login(opened)) => return Some((from, *opened)),
            Ok(Received::ProofWanted(route)) => self.send_proof(from, route, now_ms).await,
            Ok(Received::Rekeyed {
                reply, agreement, ..
            }) => {
                if !is_relayed(&reply) {
                    self.surroundings.counters.rekey_answer(reply.len());
                }
                if let Some(agreement) = agreement {
                    self.outbox.agreement(agreement.0);
                }
                self.send(from, &reply).await;
            }
            Err(refusal) => debug!(rsu = %self.role.rid(), %from, %refusal, "datagram refused"),
        }
        None
    }

    /// Finishes logins with one look at the ledger each, and all anonymous proofs at once.
    async fn logins(&mut self, opened: Vec<(SocketAddr, Opened)>) {
        let now_ms = self.surroundings.clock.now_ms();
        let (mut from, mut logins) = (Vec::new(), Vec::new());
        for (source, opened) in opened {
            self.count_load(now_ms);
            match records(&self.surroundings.ledger, &opened).await {
                Ok(records) => {
                    from.push(source);
                    logins.push((opened, records));
                }
                // Without an answer the vehicle tries again, here or elsewhere.
                Err(error) => error!(rsu = %self.role.rid(), %error, "no ledger"),
            }
        }
        let started = self.context.current();
        let results = self.role.accept_many(logins, now_ms, &mut self.rng);
        self.count_work(started);
        for (from, result) in from.into_iter().zip(results) {
            let reply = match result {
                Ok(accepted) => {
                    debug!(rsu = %self.role.rid(), holder = %accepted.holder, "login accepted");
                    if !is_relayed(&accepted.reply) {
                        let counters = &self.surroundings.counters;
                        counters.accept(accepted.way, accepted.reply.len());
                    }
                    if self.surroundings.credits.is_some() {
                        self.grants.add(accepted.credits, now_ms);
                    }
                    self.outbox.agreement(accepted.agreement.0);
                    if let Some(mint) = accepted.mint {
                        self.outbox.mint(mint);
                    }
                    if let Some(spend) = accepted.spend {
                        self.outbox.spend(spend);
                    }
                    accepted.reply
                }
                Err(rejected) => {
                    debug!(rsu = %self.role.rid(), why = %rejected.why, "login refused");
                    rejected.reply
                }
            };
            self.send(from, &reply).await;
        }
    }

    /// Signs the next batch, if anything waits, and sends it on its way.
    fn send_batch(&mut self) {
        let now_ms = self.surroundings.clock.now_ms();
        let Some(batch) = self.outbox.take(now_ms) else {
            return;
        };
        let Batch {
            mints,
            spends,
            agreements,
            ..
        } = &batch;
        let records = mints.len() + spends.len() + agreements.len();
        let spent: Vec<Provisional> = self
            .role
            .pending_spends()
            .filter(|pending| spends.iter().any(|spend| spend.id == pending.token))
            .copied()
            .collect();
        self.nonce += 1;
        let site = &self.site;
        let (rid, contract) = (site.rid, site.tokens);
        let expires_ms = now_ms + PATIENCE_MS;
        let transaction = tokens::call(self.nonce, expires_ms, contract, site.keys, rid, batch);
        let signed = transaction.sign(&site.chain, &[&site.signer]);
        let ledger = self.surroundings.ledger.clone();
        let counters = self.surroundings.counters.clone();
        let on_the_way = async move {
            match ledger.execute(signed).await {
                Ok(()) => counters.recorded(records),
                Err(error) => error!(%rid, %error, records, "batch not recorded"),
            }
            if spent.is_empty() {
                return Vec::new();
            }
            let keys: Vec<_> = spent
                .iter()
                .map(|pending| tokens::token_key(&contract, &pending.token))
                .collect();
            // What cannot be read has not won.
            let found = ledger.get(&keys).await.unwrap_or_default();
            let found = found
                .into_iter()
                .map(|(_, record)| record)
                .chain(core::iter::repeat(None));
            let won = |pending: &Provisional, record: Option<cairn_ledger::Record>| {
                let record: Option<TokenRecord> = record.and_then(|record| record.decode_as().ok());
                pending.has_won(record.as_ref())
            };
            spent
                .into_iter()
                .zip(found)
                .map(|(pending, record)| (pending, won(&pending, record)))
                .collect()
        };
        self.in_flight.push(on_the_way.boxed());
    }

    /// Signs the votes that wait, and sends them on their way.
    fn send_votes(&mut self) {
        if self.votes.is_empty() {
            return;
        }
        let votes = std::mem::take(&mut self.votes);
        let now_ms = self.surroundings.clock.now_ms();
        self.nonce += 1;
        let site = &self.site;
        let (rid, contract) = (site.rid, self.jury.contract);
        let expires_ms = now_ms + PATIENCE_MS;
        let transaction =
            misbehaviour::call(self.nonce, expires_ms, contract, site.keys, rid, &votes);
        let signed = transaction.sign(&site.chain, &[&site.signer]);
        let ledger = self.surroundings.ledger.clone();
        let findings = self.surroundings.findings.clone();
        let hints = self.jury.hints.clone();
        let on_the_way = async move {
            match ledger.execute(signed).await {
                Ok(()) => findings.voted(votes.len()),
                Err(error) => error!(%rid, %error, votes = votes.len(), "votes not recorded"),
            }
            let subjects: BTreeSet<Signer> = votes.iter().map(|vote| vote.subject).collect();
            for subject in subjects {
                let found = ledger
                    .get(&[misbehaviour::subject_key(&contract, &subject)])
                    .await;
                let record = found.ok().and_then(|found| found.into_iter().next()?.1);
                let record: Option<SubjectRecord> =
                    record.and_then(|record| record.decode_as().ok());
                if record.is_some_and(|record| record.requested_ms.is_some()) {
                    // TA has more hints than it can work off: the next vote brings it again.
                    let _ = hints.try_send(subject);
                }
            }
            Vec::new()
        };
        self.in_flight.push(on_the_way.boxed());
    }

    /// Signs what relays have earned, and sends it on its way.
    fn send_grants(&mut self) {
        let now_ms = self.surroundings.clock.now_ms();
        let Some(contract) = self.surroundings.credits else {
            return;
        };
        let Some((grants, expired)) = self.grants.take(now_ms) else {
            return;
        };
        let amount = grants.iter().map(|grant| u64::from(grant.amount)).sum();
        self.nonce += 1;
        let site = &self.site;
        let rid = site.rid;
        let operation = credits::Operation::Grant {
            rid,
            grants,
            expired,
        };
        let expires_ms = now_ms + PATIENCE_MS;
        let transaction = credits::call(self.nonce, expires_ms, contract, site.keys, operation);
        let signed = transaction.sign(&site.chain, &[&site.signer]);
        let ledger = self.surroundings.ledger.clone();
        let counters = self.surroundings.counters.clone();
        let on_the_way = async move {
            match ledger.execute(signed).await {
                Ok(()) => counters.relayed().granted(amount),
                Err(error) => error!(%rid, %error, amount, "credits not granted"),
            }
            Vec::new()
        };
        self.in_flight.push(on_the_way.boxed());
    }

    /// Drops the session of a registered vehicle that is revoked in the finalised state.
    async fn drop_revoked(&mut self, uid: Uid, height: u64) {
        let key = vehicle_key(&self.site.keys, &uid);
        let found = self.surroundings.ledger.get(&[key]).await;
        let record = found.ok().and_then(|found| found.into_iter().next()?.1);
        let record: Option<VehicleRecord> = record.and_then(|record| record.decode_as().ok());
        if record.is_some_and(|record| record.revoked_ms.is_some())
            && self.role.drop_session_of(&Holder::Registered(uid))
        {
            let blocks = self.surroundings.ledger.height().saturating_sub(height);
            self.surroundings.findings.dropped(1, blocks);
            debug!(rsu = %self.role.rid(), %uid, "session of a revoked vehicle dropped");
        }
    }

    fn settle(&mut self, settled: Settled) {
        for (pending, has_won) in settled {
            self.role.settle(pending.asc, has_won);
            if !has_won {
                self.surroundings.counters.lost_race();
            }
        }
    }

    async fn send_proof(&mut self, to: SocketAddr, over: Option<RouteId>, now_ms: u64) {
        if let Some(proof) = self.proofs.ask((to, over), now_ms) {
            let proof = proof.to_vec();
            self.send(to, &relay::returned(over, proof)).await;
        }
    }

    fn count_load(&mut self, now_ms: u64) {
        let second = now_ms / 1_000;
        if self.load.0 != second {
            self.role
                .set_under_load(self.load.1 > LOAD_LOGINS_PER_SECOND);
            self.load = (second, 0);
        }
        self.load.1 += 1;
    }

    fn count_work(&self, started: std::time::SystemTime) {
        let spent = self.context.current().duration_since(started);
        self.surroundings
            .counters
            .rsu_work(spent.unwrap_or_default());
    }

    async fn send(&mut self, to: SocketAddr, datagram: &[u8]) {
        self.surroundings.counters.datagram(datagram.len());
        if is_relayed(datagram) {
            self.surroundings
                .counters
                .relayed()
                .datagram(datagram.len());
        }
        self.antenna.send(to, datagram).await;
    }
}

/// The records that judging a login takes: none for an anonymous one.
async fn records<E: Runtime>(
    ledger: &Ledger<E>,
    opened: &Opened,
) -> Result<Found, cairn_chain::ReadError> {
    let needs = opened.needs();
    if needs.is_empty() {
        return Ok(Vec::new());
    }
    let mut records = ledger.get(&needs).await?;
    let more = opened.needs_more(&records);
    if !more.is_empty() {
        records.extend(ledger.get(&more).await?);
    }
    Ok(records)
}
