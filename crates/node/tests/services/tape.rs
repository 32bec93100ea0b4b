//! Everything that is sent in a run, by who gets to see it.

use crate::simulated::{Simulation, air::Air};
use cairn_contracts::providers::ProviderId;
use cairn_crypto::{credential::open_sealed, transcript::Domain};
use cairn_node::{network::Network, services::sealing_key};
use cairn_protocol::service::{Request, SEALED_ANSWER_BYTES};
use commonware_codec::{Copying, DecodeExt as _};
use commonware_runtime::deterministic::Context;
use rand::{SeedableRng as _, rngs::StdRng};
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

/// Domain of sealed questions.
const QUERY: Domain = Domain::new("cairn/1/service/query");

/// Bytes of the number before a request or an answer.
const NUMBER: usize = 8;

/// A datagram with both its ends.
type Sent = (SocketAddr, SocketAddr, Vec<u8>);

/// A recording.
#[derive(Default)]
pub struct Tape {
    shared: Arc<Mutex<Vec<Sent>>>,
    /// What went between vehicles and RSUs, and between vehicles.
    pub air: Vec<Vec<u8>>,
    /// What went between RSUs and providers, without its number.
    pub links: Vec<Vec<u8>>,
}

/// A request that a provider got, and what it found in it.
pub struct Notes {
    pub request: Vec<u8>,
    pub opened: Vec<u8>,
    decoded: Request,
}

impl Notes {
    pub fn pseudonym(&self) -> &[u8] {
        &self.opened[..16]
    }

    pub fn nonce(&self) -> &[u8] {
        &self.opened[16..32]
    }

    pub fn reply_key(&self) -> &[u8] {
        &self.opened[32..64]
    }

    /// Pseudonym, nonce, reply key.
    pub fn random(&self) -> &[u8] {
        &self.opened[..64]
    }

    pub fn commitment(&self) -> &[u8] {
        &self.decoded.commitment
    }

    pub fn sealed(&self) -> &[u8] {
        &self.decoded.query
    }

    pub fn second(&self) -> u64 {
        self.decoded.time_s
    }
}

impl Tape {
    /// Records what is sent from now on.
    pub fn watch(air: &Air) -> Self {
        let tape = Self::default();
        let shared = tape.shared.clone();
        air.watch(move |from, to, datagram| {
            shared.lock().unwrap().push((from, to, datagram.to_vec()));
        });
        tape
    }

    /// The requests so far: the RSU's end, the number, and the request.
    pub fn requests(
        &self,
        network: &Network<Context, Air>,
    ) -> Vec<(SocketAddr, [u8; NUMBER], Vec<u8>)> {
        let addresses = network.services.as_ref().unwrap().addresses();
        let sent = self.shared.lock().unwrap();
        let to_providers = sent
            .iter()
            .filter(|(_, to, _)| addresses.values().any(|address| address == to));
        let parts = to_providers.map(|(from, _, datagram)| {
            let (number, request) = datagram.split_first_chunk().unwrap();
            (*from, *number, request.to_vec())
        });
        parts.collect()
    }

    /// What each provider notes, opened with its key; sorts the recording by who sees it. With it the keys that
    /// the providers are registered with.
    pub fn notes(
        &mut self,
        simulation: &Simulation,
    ) -> (HashMap<ProviderId, Vec<Notes>>, Vec<Vec<u8>>) {
        let services = simulation.network.services.as_ref().unwrap();
        let chain = simulation.network.ledger.chain().id();
        let addresses = services.addresses();
        let mut notes: HashMap<ProviderId, Vec<Notes>> = HashMap::new();
        let mut keys = Vec::new();
        // The keys are there: nothing is drawn.
        let mut rng = StdRng::seed_from_u64(0);
        let secrets: HashMap<ProviderId, _> = addresses
            .keys()
            .map(|id| (*id, sealing_key(&simulation.home, *id, &mut rng).unwrap()))
            .collect();
        keys.extend(
            secrets
                .values()
                .map(|secret| secret.public().to_bytes().to_vec()),
        );
        for (from, to, datagram) in std::mem::take(&mut *self.shared.lock().unwrap()) {
            let is_provider = |end: &SocketAddr| addresses.iter().find(|(_, at)| *at == end);
            if let Some((id, _)) = is_provider(&to) {
                let request = datagram[NUMBER..].to_vec();
                let decoded = Request::decode(Copying(&request)).unwrap();
                let context = [chain.0.as_slice(), &id.0.to_be_bytes()].concat();
                let opened = open_sealed(QUERY, &secrets[id], &context, &decoded.query).unwrap();
                notes.entry(*id).or_default().push(Notes {
                    request: request.clone(),
                    opened: opened.to_vec(),
                    decoded,
                });
                self.links.push(request);
            } else if is_provider(&from).is_some() {
                assert_eq!(datagram.len(), NUMBER + SEALED_ANSWER_BYTES);
                self.links.push(datagram[NUMBER..].to_vec());
            } else {
                self.air.push(datagram);
            }
        }
        (notes, keys)
    }
}

/// Whether `part` is somewhere in `bytes`.
pub fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Whether half of `part` or more is somewhere in `stored`, which may have page ends in it.
pub fn occurs_in(part: &[u8], stored: &[u8]) -> bool {
    let (first, second) = part.split_at(part.len() / 2);
    contains(stored, first) || contains(stored, second)
}
