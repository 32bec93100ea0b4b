//! What a vehicle hears of others' position messages: checked in one batch per step.
//!
//! A registered key stands on the ledger. In this process the vehicle reads the finalised state itself;
//! on the road its RSU would serve the record with a proof, as it serves its own.

use crate::{findings::Findings, ledger::Ledger, records::Records};
use cairn_chain::Runtime;
use cairn_ledger::{Address, ChainId};
use cairn_protocol::position::{self, KnownKeys, Signed};
use rand::rngs::StdRng;
use tracing::debug;

/// Messages of others that wait for the next batch; further ones are passed over.
const MAX_WAITING: usize = 256;

/// The ear of one vehicle for others.
pub struct Neighbours<E: Runtime> {
    context: E,
    chain: ChainId,
    keys: Address,
    records: Records<E>,
    known: KnownKeys,
    findings: Findings,
    waiting: Vec<Signed>,
}

impl<E: Runtime> Neighbours<E> {
    /// An ear that has heard nothing yet; `keys` is the instance of contract `keys`.
    pub fn new(
        context: E,
        chain: ChainId,
        keys: Address,
        ledger: Ledger<E>,
        findings: Findings,
    ) -> Self {
        Self {
            context,
            chain,
            keys,
            records: Records::new(ledger),
            known: KnownKeys::default(),
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
        let heard = std::mem::take(&mut self.waiting);
        let needs = position::needs(&self.keys, &heard);
        let records = match self.records.look_up(needs, now_ms).await {
            Ok(records) => records,
            Err(error) => return debug!(%error, "messages of neighbours not checked"),
        };
        let started = self.context.current();
        let (chain, keys, known) = (&self.chain, &self.keys, &mut self.known);
        let results = position::verify(chain, keys, &heard, &records, now_ms, known, rng);
        let spent = self.context.current().duration_since(started);
        let findings = &self.findings;
        findings.checked_by_vehicle(heard.len(), spent.unwrap_or_default());
        for why in results.into_iter().filter_map(Result::err) {
            debug!(%why, "passed over");
            findings.passed_over();
        }
    }
}
