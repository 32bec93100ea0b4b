//! What a vehicle hears of others' position messages: checked in one batch per step.
//!
//! Issuers, revoked credentials and registered keys stand on the ledger. In this process the vehicle reads
//! the finalised state itself; on the road its RSU would serve the records with proofs, as it serves its
//! own.

use crate::{
    findings::Findings,
    ledger::Ledger,
    records::Records,
    revocations::{self, News, Revocations},
};
use cairn_chain::Runtime;
use cairn_protocol::{
    issuing::Circle,
    position::{Receiver, Signed},
    trust::Road,
};
use rand::rngs::StdRng;
use tracing::debug;

/// Messages of others that wait for the next batch; further ones are passed over.
const MAX_WAITING: usize = 256;

/// The ear of one vehicle for others.
pub struct Neighbours<E: Runtime> {
    context: E,
    receiver: Receiver,
    revoked: News,
    records: Records<E>,
    findings: Findings,
    waiting: Vec<Signed>,
}

impl<E: Runtime> Neighbours<E> {
    /// An ear that has heard nothing yet.
    pub fn new(
        context: E,
        road: &Road,
        (circle, revocations): (&Circle, Revocations),
        ledger: Ledger<E>,
        findings: Findings,
        now_ms: u64,
    ) -> Self {
        let issuers = revocations::issuers(circle, now_ms);
        Self {
            context,
            receiver: Receiver::new(road.chain, road.keys, issuers),
            revoked: News::new(revocations),
            records: Records::new(ledger),
            findings,
            waiting: Vec::new(),
        }
    }

    /// Takes a message from the air.
    pub fn hear(&mut self, message: Signed, now_ms: u64) {
        let is_taken = message.check_age(now_ms).is_ok() && self.waiting.len() < MAX_WAITING;
        if is_taken {
            self.waiting.push(message);
        } else {
            self.findings.passed_over();
        }
    }

    /// Checks what was heard since the last time.
    pub async fn check(&mut self, now_ms: u64, rng: &mut StdRng) {
        if self.waiting.is_empty() {
            return;
        }
        for revocation in self.revoked.take() {
            self.receiver.revoke(revocation, now_ms);
        }
        let heard = std::mem::take(&mut self.waiting);
        let needs = self.receiver.needs(&heard);
        let records = match self.records.look_up(needs, now_ms).await {
            Ok(records) => records,
            Err(error) => return debug!(%error, "messages of neighbours not checked"),
        };
        let started = self.context.current();
        let results = self.receiver.verify(&heard, &records, now_ms, rng);
        let spent = self.context.current().duration_since(started);
        let findings = &self.findings;
        findings.checked_by_vehicle(heard.len(), spent.unwrap_or_default());
        for why in results.into_iter().filter_map(Result::err) {
            debug!(%why, "passed over");
            findings.passed_over();
        }
    }
}
