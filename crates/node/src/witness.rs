//! The RSU's ear for position messages, as a task beside [`crate::roadside`]: an antenna of its own,
//! as safety messages have a channel of their own, around the role [`cairn_protocol::witness`].
//!
//! 1. Between two orders it collects what it hears.
//! 2. At each order to judge, about once a second, it takes in which credentials were revoked, looks up
//!    the keys of registered vehicles in the finalised state, checks the signatures in batches and judges.
//!    Records are remembered for a while ([`Records`]), until the vehicle's revocation is final at most.
//! 3. Evidence of a vote goes into the vault; when it is there, the vote goes to the RSU's task,
//!    which signs it and puts it on the ledger.
//!
//! An RSU that a villain runs ([`crate::villains`]) does otherwise in step 3.

use crate::{
    clock::TraceClock,
    findings::Findings,
    ledger::Ledger,
    radio::Endpoint,
    records::Records,
    revocations::{self, News, Revocations},
    villains::Villain,
};
use cairn_chain::Runtime;
use cairn_contracts::{
    keys::{VehicleRecord, vehicle_key},
    misbehaviour::{MAX_VOTES, Vote},
};
use cairn_ledger::Uid;
use cairn_protocol::{
    evidence::{Evidence, Grounds, Heard},
    issuing::Circle,
    plausibility::{Bounds, Judgement, Severity},
    position::{PositionError, Signer},
    roadside::AnonymousWhy,
    wire::Message,
    witness::{Passed, Stand, Witness},
};
use cairn_vault::{Embedded, Vault as _};
use commonware_codec::Encode as _;
use commonware_runtime::reschedule;
use rand::rngs::StdRng;
use std::net::SocketAddr;
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, error, warn};

/// Messages that wait to be judged; further ones stay in the antenna's buffer. More than a busy
/// RSU hears in a second (3,500).
const MAX_WAITING: usize = 4_096;

/// Messages of one batch: more do not make it faster, and others want the processor too.
const BATCH: usize = 64;

/// Orders that wait for a witness that is behind.
const ORDERS: usize = 16;

/// What a witness is told.
pub enum Order {
    /// Judge what you have heard; tell when that is done.
    Judge(oneshot::Sender<()>),
    /// This registered vehicle is revoked.
    Forget(Uid),
}

/// A running witness.
pub struct Ear {
    /// Where position messages are heard.
    pub address: SocketAddr,
    /// Its orders. Closing this ends the task.
    pub orders: mpsc::Sender<Order>,
}

/// What a witness works with.
pub struct Surroundings<E: Runtime> {
    /// Access to the chain.
    pub ledger: Ledger<E>,
    /// The network's clock.
    pub clock: TraceClock,
    /// What is found.
    pub findings: Findings,
    /// Who issues credentials.
    pub circle: Circle,
    /// Which of them are revoked.
    pub revocations: Revocations,
    /// Where evidence is kept.
    pub vault: Embedded,
    /// The RSU's task, which puts votes on the ledger.
    pub votes: mpsc::Sender<Vec<Vote>>,
    /// Who runs this RSU, if not an honest operator.
    pub villain: Option<Villain>,
}

/// Starts a witness.
pub fn start<E: Runtime, A: Endpoint>(
    context: &E,
    rng: StdRng,
    stand: Stand,
    bounds: Bounds,
    antenna: A,
    surroundings: Surroundings<E>,
) -> Ear {
    let (orders, received) = mpsc::channel(ORDERS);
    let ear = Ear {
        address: antenna.address(),
        orders,
    };
    context.child("witness").spawn(move |context| {
        let issuers = revocations::issuers(&surroundings.circle, surroundings.clock.now_ms());
        let task = Task {
            context,
            rng,
            stand,
            bounds,
            role: Witness::new(stand, bounds, issuers),
            revoked: News::new(surroundings.revocations.clone()),
            antenna,
            records: Records::new(surroundings.ledger.clone()),
            surroundings,
            waiting: Vec::new(),
        };
        task.run(received)
    });
    ear
}

struct Task<E: Runtime, A> {
    context: E,
    rng: StdRng,
    stand: Stand,
    bounds: Bounds,
    role: Witness,
    revoked: News,
    antenna: A,
    surroundings: Surroundings<E>,
    waiting: Vec<Heard>,
    records: Records<E>,
}

impl<E: Runtime, A: Endpoint> Task<E, A> {
    async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        loop {
            let has_room = self.waiting.len() < MAX_WAITING;
            tokio::select! {
                // What has arrived is heard before it is judged.
                biased;
                (_, datagram) = self.antenna.receive(), if has_room => self.hear(&datagram),
                order = orders.recv() => match order {
                    Some(Order::Judge(done)) => {
                        self.judge().await;
                        // The replay may have been stopped meanwhile.
                        let _ = done.send(());
                    }
                    Some(Order::Forget(uid)) => {
                        self.role.forget(uid);
                        self.records.forget(&vehicle_key(&self.stand.keys, &uid));
                    }
                    None => return,
                },
            }
        }
    }

    fn hear(&mut self, datagram: &[u8]) {
        let at_ms = self.surroundings.clock.now_ms();
        let rid = self.stand.rid;
        match Message::decode(datagram) {
            Ok(Message::Position(message)) => match message.check_age(at_ms) {
                Ok(()) => self.waiting.push(Heard { at_ms, message }),
                Err(why) => {
                    debug!(%rid, %why, "passed over");
                    self.surroundings.findings.passed_over();
                }
            },
            Ok(_) => debug!(%rid, "expected a position message"),
            Err(why) => debug!(%rid, %why, "expected a position message"),
        }
    }

    /// Steps 2 and 3 of the [module documentation](self).
    async fn judge(&mut self) {
        let now_ms = self.surroundings.clock.now_ms();
        for revocation in self.revoked.take() {
            self.role.revoke(revocation, now_ms);
        }
        let heard = std::mem::take(&mut self.waiting);
        for batch in heard.chunks(BATCH) {
            let needs = self.role.needs(batch);
            let records = match self.records.look_up(needs, now_ms).await {
                Ok(records) => records,
                Err(error) => {
                    error!(rid = %self.stand.rid, %error, "no ledger: messages not judged");
                    continue;
                }
            };
            let started = self.context.current();
            let judged = self.role.hear(batch, &records, now_ms, &mut self.rng);
            let spent = self.context.current().duration_since(started);
            let findings = &self.surroundings.findings;
            findings.checked(batch.len(), spent.unwrap_or_default());
            for (heard, judged) in batch.iter().zip(judged) {
                self.note(heard, &judged);
            }
            reschedule().await;
        }
        let votes = self.role.votes(now_ms);
        let votes = match &mut self.surroundings.villain {
            None => votes,
            Some(villain) => {
                let role = &self.role;
                let signatory = |signer: &Signer| role.signatory(signer);
                let grounds = Grounds {
                    chain: &self.stand.chain,
                    issuers: role.issuers(),
                    bounds: self.bounds,
                };
                villain.votes(
                    votes,
                    &heard,
                    signatory,
                    &self.stand,
                    &grounds,
                    &mut self.rng,
                )
            }
        };
        self.vote(votes).await;
    }

    fn note(&self, heard: &Heard, judged: &Result<Judgement, Passed>) {
        let statement = &heard.message.statement;
        let findings = &self.surroundings.findings;
        let is_held_against = match judged {
            Ok(judgement) => judgement
                .suspicions
                .iter()
                .any(|found| found.severity >= Severity::Implausible),
            Err(Passed::Position(PositionError::NotValid(uid))) => self.is_revoked(uid),
            Err(Passed::Position(PositionError::Credential(_, why))) => {
                *why == AnonymousWhy::Revoked
            }
            Err(_) => false,
        };
        if is_held_against {
            findings.flagged(statement.signer, statement.sequence);
        }
        if let Err(why) = judged {
            debug!(rid = %self.stand.rid, %why, "passed over");
            findings.passed_over();
        }
    }

    fn is_revoked(&self, uid: &Uid) -> bool {
        let found = self.records.known(&vehicle_key(&self.stand.keys, uid));
        let record = found.and_then(|record| record.decode_as::<VehicleRecord>().ok());
        record.is_some_and(|record| record.revoked_ms.is_some())
    }

    async fn vote(&mut self, votes: Vec<(Vote, Evidence)>) {
        let mut kept = Vec::with_capacity(votes.len());
        for (vote, evidence) in votes {
            match self
                .surroundings
                .vault
                .put_evidence(&evidence.encode())
                .await
            {
                Ok(_) => kept.push(vote),
                // TA and LEA would not find it. The vote is lost until the vehicle is heard lying
                // after this one would have expired.
                Err(error) => error!(rid = %self.stand.rid, %error, "evidence not kept"),
            }
        }
        for votes in kept.chunks(MAX_VOTES) {
            let votes = votes.to_vec();
            let sent = match self.surroundings.villain {
                None => self.surroundings.votes.send(votes).await.is_ok(),
                // Nobody waits for a villain whose votes the ledger does not take as fast.
                Some(_) => self.surroundings.votes.try_send(votes).is_ok(),
            };
            if !sent {
                warn!(rid = %self.stand.rid, "votes not sent");
            }
        }
    }
}
