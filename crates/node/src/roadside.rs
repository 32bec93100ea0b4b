//! The RSU as a task: its antenna, its clock, its view of the ledger around the role
//! [`cairn_protocol::roadside`].
//!
//! What logins leave for the ledger goes into an [`Outbox`] and out of it in batches, one signed
//! transaction per interval, a few of them on the way at a time. When a batch is final the RSU looks
//! who won the tokens that it spent, and drops the sessions that lost. When the ledger does not keep
//! up the RSU stops taking datagrams until it does.

use crate::{
    clock::TraceClock, counters::Counters, ledger::Ledger, outbox::Outbox, radio::Endpoint,
};
use cairn_chain::Runtime;
use cairn_ledger::{
    Address, ChainId, PrivateKey, Rid,
    contracts::{
        keys::rsu_key,
        tokens::{self, Batch, TokenRecord},
    },
};
use cairn_protocol::{
    beacon::proof_datagram,
    roadside::{Provisional, Received, Roadside, Site},
};
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use rand::rngs::StdRng;
use std::{net::SocketAddr, time::Duration};
use tokio::sync::mpsc;
use tracing::{debug, error};

/// After this much trace time an RSU fetches a new proof of its record, in milliseconds. Vehicles
/// accept certificates of 60 s, so a proof stays useful for most of a minute after it is sent.
const PROOF_REFRESH_MS: u64 = 10_000;

/// Logins in one second of trace time above which an RSU asks for cookies: twice what a busy
/// junction sees when everybody arrives at once.
const LOAD_LOGINS_PER_SECOND: u32 = 2_000;

/// Beacon orders that wait for an RSU that is behind.
const ORDERS: usize = 16;

/// Batches of one RSU that are on their way to finality at a time; within the ledger's window of
/// nonces, and enough to fill it at any interval above a quarter of its finality.
const MAX_IN_FLIGHT: usize = 4;

/// How long a batch may wait for a block, in milliseconds of block time.
const PATIENCE_MS: u64 = 60_000;

/// What the RSU is told: the antennas in its reach at this moment. It answers with a beacon to all.
pub struct Beacon {
    /// Who hears it. In the air a broadcast; on loopback sockets one datagram each.
    pub listeners: Vec<SocketAddr>,
}

/// A running RSU.
pub struct Rsu {
    /// Its name.
    pub rid: Rid,
    /// Its antenna's address.
    pub address: SocketAddr,
    /// Orders for beacons.
    pub orders: mpsc::Sender<Beacon>,
}

/// What all RSUs of a network have in common.
pub struct Surroundings<E: Runtime> {
    /// Access to the chain.
    pub ledger: Ledger<E>,
    /// The network's clock.
    pub clock: TraceClock,
    /// What RSUs count.
    pub counters: Counters,
    /// Real time between two batches of an RSU.
    pub batch_interval: Duration,
}

/// Starts an RSU.
pub fn start<E: Runtime, A: Endpoint>(
    context: &E,
    mut rng: StdRng,
    site: Site,
    antenna: A,
    surroundings: Surroundings<E>,
) -> Rsu {
    let (orders, received) = mpsc::channel(ORDERS);
    let rsu = Rsu {
        rid: site.rid,
        address: antenna.address(),
        orders,
    };
    // Later than any nonce of an earlier run.
    let nonce = surroundings.clock.now_ms().saturating_mul(1_000);
    let ledger_identity = Identity {
        chain: site.chain,
        keys: site.keys,
        tokens: site.tokens,
        signer: site.signer.clone(),
        nonce,
    };
    let role = Roadside::new(site, &mut rng);
    context.child("rsu").spawn(move |context| {
        let task = Task {
            context,
            identity: ledger_identity,
            role,
            antenna,
            surroundings,
            rng,
            proof: None,
            load: (0, 0),
            outbox: Outbox::default(),
            in_flight: FuturesUnordered::new(),
        };
        task.run(received)
    });
    rsu
}

/// What an RSU needs to write to the ledger.
struct Identity {
    chain: ChainId,
    keys: Address,
    tokens: Address,
    signer: PrivateKey,
    nonce: u64,
}

/// Spends of a batch that is final, each with whether it won.
type Settled = Vec<(Provisional, bool)>;

struct Task<E: Runtime, A> {
    context: E,
    identity: Identity,
    role: Roadside,
    antenna: A,
    surroundings: Surroundings<E>,
    rng: StdRng,
    /// The latest proof of this RSU's record as a datagram, and when it was made.
    proof: Option<(u64, Vec<u8>)>,
    /// Second of trace time, and logins in it.
    load: (u64, u32),
    outbox: Outbox,
    in_flight: FuturesUnordered<BoxFuture<'static, Settled>>,
}

impl<E: Runtime, A: Endpoint> Task<E, A> {
    async fn run(mut self, mut orders: mpsc::Receiver<Beacon>) {
        let interval = self.surroundings.batch_interval;
        let mut due = self.context.current() + interval;
        loop {
            let is_full = self.outbox.is_full();
            tokio::select! {
                biased;
                order = orders.recv() => match order {
                    Some(Beacon { listeners }) => self.beacon(&listeners).await,
                    None => return,
                },
                Some(settled) = self.in_flight.next() => self.settle(settled),
                () = self.context.sleep_until(due), if self.in_flight.len() < MAX_IN_FLIGHT => {
                    self.send_batch();
                    due = self.context.current() + interval;
                }
                (from, datagram) = self.antenna.receive(), if !is_full => {
                    self.datagram(from, &datagram).await;
                }
            }
        }
    }

    async fn beacon(&mut self, listeners: &[SocketAddr]) {
        let now_ms = self.surroundings.clock.now_ms();
        let started = self.context.current();
        self.role.tick(now_ms);
        let beacon = self.role.beacon(now_ms, &mut self.rng);
        self.count_work(started);
        for listener in listeners {
            self.send(*listener, &beacon).await;
        }
    }

    async fn datagram(&mut self, from: SocketAddr, datagram: &[u8]) {
        let now_ms = self.surroundings.clock.now_ms();
        let source = from.to_string();
        let started = self.context.current();
        let received = self
            .role
            .receive(source.as_bytes(), datagram, now_ms, &mut self.rng);
        self.count_work(started);
        match received {
            Ok(Received::Reply(reply)) => self.send(from, &reply).await,
            Ok(Received::Login(opened)) => self.login(from, *opened, now_ms).await,
            Ok(Received::ProofWanted) => self.send_proof(from, now_ms).await,
            Ok(Received::Rekeyed {
                reply, agreement, ..
            }) => {
                self.surroundings.counters.rekey_answer(reply.len());
                if let Some(agreement) = agreement {
                    self.outbox.agreement(agreement.0);
                }
                self.send(from, &reply).await;
            }
            Err(refusal) => debug!(rsu = %self.role.rid(), %from, %refusal, "datagram refused"),
        }
    }

    async fn login(
        &mut self,
        from: SocketAddr,
        opened: cairn_protocol::roadside::Opened,
        now_ms: u64,
    ) {
        self.count_load(now_ms);
        let ledger = &self.surroundings.ledger;
        let records = async {
            let mut records = ledger.get(&opened.needs()).await?;
            let more = opened.needs_more(&records);
            if !more.is_empty() {
                records.extend(ledger.get(&more).await?);
            }
            Ok::<_, cairn_chain::ReadError>(records)
        };
        let records = match records.await {
            Ok(records) => records,
            // Without an answer the vehicle tries again, here or elsewhere.
            Err(error) => return error!(rsu = %self.role.rid(), %error, "no ledger"),
        };
        let started = self.context.current();
        let result = self.role.accept(opened, &records, now_ms, &mut self.rng);
        self.count_work(started);
        let reply = match result {
            Ok(accepted) => {
                self.surroundings
                    .counters
                    .accept(accepted.way, accepted.reply.len());
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
        let identity = &mut self.identity;
        identity.nonce += 1;
        let rid = self.role.rid();
        let transaction = tokens::call(
            identity.nonce,
            now_ms + PATIENCE_MS,
            identity.tokens,
            identity.keys,
            rid,
            batch,
        );
        let signed = transaction.sign(&identity.chain, &[&identity.signer]);
        let contract = identity.tokens;
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

    fn settle(&mut self, settled: Settled) {
        for (pending, has_won) in settled {
            self.role.settle(pending.asc, has_won);
            if !has_won {
                self.surroundings.counters.lost_race();
            }
        }
    }

    async fn send_proof(&mut self, to: SocketAddr, now_ms: u64) {
        let rid = self.role.rid();
        let is_stale = |made_ms: u64| now_ms.saturating_sub(made_ms) >= PROOF_REFRESH_MS;
        if self
            .proof
            .as_ref()
            .is_none_or(|(made_ms, _)| is_stale(*made_ms))
        {
            let key = rsu_key(&self.identity.keys, rid);
            let proof = match self.surroundings.ledger.prove(&[key]).await {
                Ok(proof) => proof,
                Err(error) => return error!(%rid, %error, "no proof"),
            };
            let made_ms = proof.header.time_ms;
            match proof_datagram(proof) {
                Ok(datagram) => self.proof = Some((made_ms, datagram)),
                Err(error) => return error!(%rid, %error, "no proof"),
            }
        }
        if let Some((_, datagram)) = self.proof.clone() {
            self.send(to, &datagram).await;
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
        self.antenna.send(to, datagram).await;
    }
}
