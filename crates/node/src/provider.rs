//! A provider of location services as a task, around the role [`cairn_protocol::service::Provider`].
//!
//! It has a socket of its own, keys of its own, and proofs that it checks itself; of RSUs and vehicles it
//! knows what their requests say and what the ledger proves.
//!
//! ```text
//! RSU -> provider   number 8, request 270      the number is the RSU's, for the answer
//! provider -> RSU   number 8, sealed answer 88
//!                 | number 8                   refused; why is the provider's affair
//! ```
//!
//! 1. At its start it fetches proofs of the road's RSUs, so that nobody waits for them.
//! 2. It answers requests by what it has of the RSU that signed them. What will be too old in
//!    `REFRESH_AHEAD_MS` it fetches again.
//! 3. A request of an RSU that it knows nothing recent of waits until the proof is there. Anybody can
//!    name an RSU, so there are `MAX_FETCHES` at a time; who comes in vain is refused.

use crate::{clock::TraceClock, ledger::Ledger, radio::Endpoint, services::Tally};
use cairn_chain::{ReadError, Runtime};
use cairn_contracts::providers::ProviderId;
use cairn_crypto::suite::{Ristretto255, Secret};
use cairn_ledger::{Rid, light::LedgerProof};
use cairn_protocol::{
    service::{Book, Cell, Provider as Role, ProviderError},
    trust::Road,
};
use cairn_scenario::Metres;
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use rand::rngs::StdRng;
use serde::Serialize;
use std::{
    collections::{BTreeSet, VecDeque},
    net::SocketAddr,
    time::Duration,
};
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, error};

/// How long before it is too old a record is fetched again, in milliseconds of trace time.
const REFRESH_AHEAD_MS: u64 = 30_000;

/// Real time between two looks at what is ageing: in a replay a hundred times as fast as real time ten seconds of the
/// trace.
const LOOK: Duration = Duration::from_millis(100);

/// The most proofs that are being fetched; more wait for the next look.
const MAX_FETCHES: usize = 16;

/// The most requests that wait for proofs.
const MAX_WAITING: usize = 256;

/// Orders that wait.
const ORDERS: usize = 4;

/// Names a request between an RSU and a provider.
pub const NUMBER_BYTES: usize = 8;

/// What a provider is told.
pub enum Order {
    /// Tell how you are.
    Look(oneshot::Sender<Look>),
    /// Tell what a vehicle at this place would be told of charging points of at least this power, in kW.
    Nearest(Metres, u16, oneshot::Sender<Option<Nearest>>),
}

/// How a provider is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Look {
    /// Charging points that it knows.
    pub points: usize,
    /// Passages between cells that it has learned well enough to tell.
    pub passages: usize,
    /// RSUs whose requests it can judge now.
    pub rsus: usize,
    /// The age of the oldest state that it judges by, in milliseconds of block time.
    pub staleness_ms: u64,
}

/// A charging point.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Nearest {
    /// Its name.
    pub name: String,
    /// Where it is, in metres of the network's plane.
    pub x_m: f64,
    /// The same, to the north.
    pub y_m: f64,
    /// Its power, in kW.
    pub kw: u16,
    /// Metres to it from the middle of the cell that was asked for.
    pub from_cell_m: f64,
}

/// A running provider.
pub struct Provider {
    /// Its number.
    pub id: ProviderId,
    /// Where it takes requests.
    pub address: SocketAddr,
    /// Its orders. Closing this ends the task.
    pub orders: mpsc::Sender<Order>,
}

/// What a provider starts with.
pub struct Start<E: Runtime, A> {
    /// The road: chain, network key and contract `keys` are all that it believes.
    pub road: Road,
    /// Its number.
    pub id: ProviderId,
    /// Opens questions.
    pub secret: Secret<Ristretto255>,
    /// How far an RSU hears, with the error of an honest position, in metres.
    pub reach_m: f64,
    /// What it knows.
    pub book: Book,
    /// RSUs whose proofs it fetches at once.
    pub rsus: Vec<Rid>,
    /// Its socket.
    pub link: A,
    /// Where it gets proofs from.
    pub ledger: Ledger<E>,
    /// The clock.
    pub clock: TraceClock,
    /// What it counts.
    pub tally: Tally,
    /// Its own randomness.
    pub rng: StdRng,
}

/// Starts a provider.
pub fn start<E: Runtime, A: Endpoint>(context: &E, start: Start<E, A>) -> Provider {
    let (orders, received) = mpsc::channel(ORDERS);
    let provider = Provider {
        id: start.id,
        address: start.link.address(),
        orders,
    };
    context.child("provider").spawn(move |context| {
        let role = Role::new(
            &start.road,
            start.id,
            start.secret,
            start.reach_m,
            start.book,
        );
        let task = Task {
            context,
            role,
            link: start.link,
            ledger: start.ledger,
            clock: start.clock,
            tally: start.tally,
            rng: start.rng,
            wanted: start.rsus.into(),
            under_way: BTreeSet::new(),
            fetches: FuturesUnordered::new(),
            waiting: Vec::new(),
        };
        task.run(received)
    });
    provider
}

/// A proof that was fetched.
type Fetched = (Rid, Result<LedgerProof, ReadError>);

/// A request that waits for the proof of its RSU.
struct Waiting {
    rid: Rid,
    from: SocketAddr,
    number: [u8; NUMBER_BYTES],
    request: Vec<u8>,
}

struct Task<E: Runtime, A> {
    context: E,
    role: Role,
    link: A,
    ledger: Ledger<E>,
    clock: TraceClock,
    tally: Tally,
    rng: StdRng,
    /// RSUs whose proofs are to be fetched.
    wanted: VecDeque<Rid>,
    /// RSUs whose proofs are being fetched.
    under_way: BTreeSet<Rid>,
    fetches: FuturesUnordered<BoxFuture<'static, Fetched>>,
    waiting: Vec<Waiting>,
}

impl<E: Runtime, A: Endpoint> Task<E, A> {
    async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        let mut due = self.context.current();
        loop {
            self.fetch();
            tokio::select! {
                biased;
                order = orders.recv() => match order {
                    Some(Order::Look(tell)) => {
                        // Who asked may have gone.
                        let _ = tell.send(self.look());
                    }
                    Some(Order::Nearest(cell, least_kw, tell)) => {
                        let _ = tell.send(self.nearest(cell, least_kw));
                    }
                    None => return,
                },
                Some(fetched) = self.fetches.next() => self.fetched(fetched).await,
                () = self.context.sleep_until(due) => {
                    self.refresh();
                    due = self.context.current() + LOOK;
                }
                (from, datagram) = self.link.receive() => {
                    let Some((number, request)) = datagram.split_first_chunk() else {
                        debug!(%from, "expected a number and a request");
                        continue;
                    };
                    self.answer(from, *number, request).await;
                }
            }
        }
    }

    fn look(&self) -> Look {
        let (points, passages) = match self.role.book() {
            Book::Charging(points) => (points.len(), 0),
            Book::TravelTime(roads) => (0, roads.known()),
        };
        let (rsus, staleness_ms) = self.role.freshness(self.clock.now_ms());
        Look {
            points,
            passages,
            rsus,
            staleness_ms,
        }
    }

    fn nearest(&self, place: Metres, least_kw: u16) -> Option<Nearest> {
        let Book::Charging(points) = self.role.book() else {
            return None;
        };
        let cell = Cell::of(crate::to_position(place));
        let (point, distance_m) = points.nearest(cell, least_kw)?;
        Some(Nearest {
            name: point.name.as_str().to_owned(),
            x_m: f64::from(point.position.x_cm) / 100.0,
            y_m: f64::from(point.position.y_cm) / 100.0,
            kw: point.kw,
            from_cell_m: distance_m,
        })
    }

    /// What is ageing is fetched again.
    fn refresh(&mut self) {
        let now_ms = self.clock.now_ms();
        for rid in self.role.ageing(now_ms, REFRESH_AHEAD_MS) {
            self.want(rid);
        }
        let look = self.look();
        self.tally.judged_by(look.staleness_ms);
        if let Book::TravelTime(_) = self.role.book() {
            self.tally.passages(look.passages);
        }
    }

    fn want(&mut self, rid: Rid) {
        if !self.under_way.contains(&rid) && !self.wanted.contains(&rid) {
            self.wanted.push_back(rid);
        }
    }

    /// Begins to fetch what is wanted, a few proofs at a time.
    fn fetch(&mut self) {
        while self.under_way.len() < MAX_FETCHES
            && let Some(rid) = self.wanted.pop_front()
        {
            self.under_way.insert(rid);
            let (ledger, key) = (self.ledger.clone(), self.role.needs(rid));
            let fetch = async move { (rid, ledger.prove(&[key]).await) };
            self.fetches.push(fetch.boxed());
        }
    }

    async fn fetched(&mut self, (rid, proof): Fetched) {
        self.under_way.remove(&rid);
        let now_ms = self.clock.now_ms();
        match proof {
            Ok(proof) => match self.role.proof(rid, &proof, now_ms, &mut self.rng) {
                Ok(()) => self.tally.proof(),
                Err(error) => debug!(%rid, %error, "proof is of no use"),
            },
            // The next request or look tries again.
            Err(error) => error!(%rid, %error, "no proof"),
        }
        let (ready, waiting) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition::<Vec<_>, _>(|waiting| waiting.rid == rid);
        self.waiting = waiting;
        for waiting in ready {
            let Waiting {
                from,
                number,
                request,
                ..
            } = waiting;
            match self.judge(&request) {
                Ok(sealed) => self.send(from, number, &sealed).await,
                Err(why) => self.refuse(from, number, &why).await,
            }
        }
    }

    async fn answer(&mut self, from: SocketAddr, number: [u8; NUMBER_BYTES], request: &[u8]) {
        match self.judge(request) {
            Ok(sealed) => self.send(from, number, &sealed).await,
            Err(ProviderError::Stale(rid)) if self.has_room_for(rid) => {
                self.want(rid);
                self.waiting.push(Waiting {
                    rid,
                    from,
                    number,
                    request: request.to_vec(),
                });
            }
            Err(why) => self.refuse(from, number, &why).await,
        }
    }

    /// Whether a request of this RSU may wait for a proof.
    fn has_room_for(&self, rid: Rid) -> bool {
        let is_coming = self.under_way.contains(&rid) || self.wanted.contains(&rid);
        let fetches = self.under_way.len() + self.wanted.len();
        self.waiting.len() < MAX_WAITING && (is_coming || fetches < MAX_FETCHES)
    }

    fn judge(&mut self, request: &[u8]) -> Result<Vec<u8>, ProviderError> {
        let started = self.context.current();
        let now_ms = self.clock.now_ms();
        let answer = self.role.receive(request, now_ms, &mut self.rng)?;
        let spent = self.context.current().duration_since(started);
        self.tally.served(spent.unwrap_or_default());
        Ok(answer)
    }

    async fn refuse(&mut self, from: SocketAddr, number: [u8; NUMBER_BYTES], why: &ProviderError) {
        debug!(provider = %self.role.id(), %from, %why, "refused");
        self.tally.not_served();
        self.send(from, number, &[]).await;
    }

    async fn send(&mut self, to: SocketAddr, number: [u8; NUMBER_BYTES], sealed: &[u8]) {
        self.link.send(to, &[&number, sealed].concat()).await;
    }
}
