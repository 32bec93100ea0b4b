//! The RSU as a task: its antenna, its clock, its view of the ledger around the role
//! [`cairn_protocol::roadside`].

use crate::{clock::TraceClock, counters::Counters, ledger::Ledger, radio::Endpoint};
use cairn_chain::{ReadError, Runtime};
use cairn_ledger::{Address, Rid, contracts::keys::rsu_key};
use cairn_protocol::{
    beacon::proof_datagram,
    roadside::{Received, Roadside, Site},
};
use rand::rngs::StdRng;
use std::net::SocketAddr;
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

/// Starts an RSU.
pub fn start<E: Runtime, A: Endpoint>(
    context: &E,
    mut rng: StdRng,
    site: Site,
    antenna: A,
    ledger: Ledger<E>,
    clock: TraceClock,
    counters: Counters,
) -> Rsu {
    let (orders, received) = mpsc::channel(ORDERS);
    let rsu = Rsu {
        rid: site.rid,
        address: antenna.address(),
        orders,
    };
    let task = Task {
        keys: site.keys,
        role: Roadside::new(site, &mut rng),
        antenna,
        ledger,
        clock,
        counters,
        rng,
        proof: None,
        load: (0, 0),
    };
    context.child("rsu").spawn(|_| task.run(received));
    rsu
}

struct Task<E: Runtime, A> {
    keys: Address,
    role: Roadside,
    antenna: A,
    ledger: Ledger<E>,
    clock: TraceClock,
    counters: Counters,
    rng: StdRng,
    /// The latest proof of this RSU's record as a datagram, and when it was made.
    proof: Option<(u64, Vec<u8>)>,
    /// Second of trace time, and logins in it.
    load: (u64, u32),
}

impl<E: Runtime, A: Endpoint> Task<E, A> {
    async fn run(mut self, mut orders: mpsc::Receiver<Beacon>) {
        loop {
            tokio::select! {
                biased;
                order = orders.recv() => match order {
                    Some(Beacon { listeners }) => self.beacon(&listeners).await,
                    None => return,
                },
                (from, datagram) = self.antenna.receive() => self.datagram(from, &datagram).await,
            }
        }
    }

    async fn beacon(&mut self, listeners: &[SocketAddr]) {
        let now_ms = self.clock.now_ms();
        self.role.tick(now_ms);
        let beacon = self.role.beacon(now_ms, &mut self.rng);
        for listener in listeners {
            self.send(*listener, &beacon).await;
        }
    }

    async fn datagram(&mut self, from: SocketAddr, datagram: &[u8]) {
        let now_ms = self.clock.now_ms();
        let source = from.to_string();
        match self
            .role
            .receive(source.as_bytes(), datagram, now_ms, &mut self.rng)
        {
            Ok(Received::Reply(reply)) => self.send(from, &reply).await,
            Ok(Received::Login(opened)) => {
                self.count_load(now_ms);
                let records = match self.ledger.get(&opened.needs()).await {
                    Ok(records) => records,
                    // Without an answer the vehicle tries again, here or elsewhere.
                    Err(error) => return error!(rsu = %self.role.rid(), %error, "no ledger"),
                };
                let reply = match self.role.accept(*opened, &records, now_ms, &mut self.rng) {
                    Ok(accepted) => {
                        self.counters.accept(accepted.reply.len());
                        accepted.reply
                    }
                    Err(rejected) => {
                        debug!(rsu = %self.role.rid(), why = %rejected.why, "login refused");
                        rejected.reply
                    }
                };
                self.send(from, &reply).await;
            }
            Ok(Received::ProofWanted) => match self.proof(now_ms).await {
                Ok(proof) => self.send(from, &proof).await,
                Err(error) => error!(rsu = %self.role.rid(), %error, "no proof"),
            },
            Ok(Received::Rekeyed { reply, .. }) => {
                self.counters.rekey_answer(reply.len());
                self.send(from, &reply).await;
            }
            Err(refusal) => debug!(rsu = %self.role.rid(), %from, %refusal, "datagram refused"),
        }
    }

    async fn proof(&mut self, now_ms: u64) -> Result<Vec<u8>, ReadError> {
        if let Some((made_ms, proof)) = &self.proof
            && now_ms.saturating_sub(*made_ms) < PROOF_REFRESH_MS
        {
            return Ok(proof.clone());
        }
        let proof = self
            .ledger
            .prove(&[rsu_key(&self.keys, self.role.rid())])
            .await?;
        let made_ms = proof.header.time_ms;
        let datagram =
            proof_datagram(proof).map_err(|error| ReadError::Storage(error.to_string()))?;
        self.proof = Some((made_ms, datagram.clone()));
        Ok(datagram)
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

    async fn send(&self, to: SocketAddr, datagram: &[u8]) {
        self.counters.datagram(datagram.len());
        self.antenna.send(to, datagram).await;
    }
}
