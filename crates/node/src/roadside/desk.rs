//! The RSU's desk for location services: vouches for cells, and carries questions and answers.
//!
//! 1. A vehicle that has a session here sends an order in it. The role
//!    ([`cairn_protocol::service::Desk`]) judges it.
//! 2. Asked for the ledger's proof of a provider, the RSU fetches one, unless it has one that a vehicle can
//!    use for a while yet, and passes it on.
//! 3. A question goes to its provider with the RSU's signed statement, under a random number; the answer
//!    with that number, from that provider, goes to the vehicle in its session.
//! 4. Who claims a cell that cannot be is refused; who does it again is served no more. Then the RSU votes against
//!    it, with the claims as testimony in the vault.
//!
//! Questions are asked at an RSU in range, not over relays.

use super::Task;
use crate::{
    ledger::Ledger,
    provider::NUMBER_BYTES,
    radio::Endpoint,
    services::{Directory, Tally},
};
use bytes::Bytes;
use cairn_chain::{ReadError, Runtime};
use cairn_contracts::{
    misbehaviour::{MAX_VOTES, Vote},
    providers::{ProviderId, provider_key},
};
use cairn_ledger::{Address, Position, Rid};
use cairn_protocol::{
    login::Asc,
    plausibility::Bounds,
    roadside::Site,
    service::{self, Contradiction, DeskError, Notice, Reach, Testimony, reply},
    session::RoadsideSession,
    token::Holder,
    trust::MAX_CERTIFICATE_AGE_MS,
    wire::{MAX_PROOF_BYTES, ServiceFrame},
};
use cairn_vault::{Embedded, Vault as _};
use commonware_codec::Encode as _;
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use rand::{Rng as _, rngs::StdRng};
use std::{
    collections::{HashMap, VecDeque},
    future::pending,
    net::SocketAddr,
};
use thiserror::Error;
use tracing::{debug, error};

/// How long a proof of a provider is handed out, in milliseconds of trace time: half of the time for which vehicles
/// take it.
const USEFUL_MS: u64 = MAX_CERTIFICATE_AGE_MS / 2;

/// Questions that are under way at a time; then the first that came is given up. More than vehicles in
/// range ask in the time that they wait.
const MAX_UNDER_WAY: usize = 4_096;

/// Vehicles that wait for the proof of a provider; further ones ask again.
const MAX_ASKED: usize = 1_024;

/// What an RSU needs for location services.
pub struct Setup<A> {
    /// Who offers what.
    pub directory: Directory,
    /// Where providers take requests.
    pub addresses: HashMap<ProviderId, SocketAddr>,
    /// Where the RSU stands.
    pub here: Position,
    /// Thresholds of the checks of claimed cells.
    pub bounds: Bounds,
    /// The RSU's socket towards the providers.
    pub link: A,
    /// Where testimony is kept.
    pub vault: Embedded,
}

/// Why there is no proof.
#[derive(Debug, Error)]
pub(super) enum ProofError {
    #[error("ledger: {0}")]
    Read(#[from] ReadError),
    #[error("expected a proof of at most {MAX_PROOF_BYTES} bytes, got {0}")]
    TooLong(usize),
}

/// A proof, with the time of its block.
type Proof = (u64, Vec<u8>);

/// What came for the desk.
pub(super) enum Arrival {
    /// From the side of the providers.
    Datagram(SocketAddr, Bytes),
    /// From the ledger.
    Proof(ProviderId, Result<Proof, ProofError>),
}

/// A question under way.
struct UnderWay {
    provider: SocketAddr,
    to: SocketAddr,
    asc: Asc,
    asked_ms: u64,
}

/// Proofs of one provider.
#[derive(Default)]
struct Shelf {
    kept: Option<Proof>,
    asked: Vec<(SocketAddr, Asc)>,
}

/// What goes to a vehicle.
type Outgoing = (SocketAddr, Vec<u8>);

pub(super) struct Desk<E: Runtime, A> {
    role: service::Desk,
    ledger: Ledger<E>,
    contract: Address,
    addresses: HashMap<ProviderId, SocketAddr>,
    link: A,
    tally: Tally,
    rid: Rid,
    here: Position,
    bounds: Bounds,
    vault: Embedded,
    under_way: HashMap<[u8; NUMBER_BYTES], UnderWay>,
    order: VecDeque<[u8; NUMBER_BYTES]>,
    shelves: HashMap<ProviderId, Shelf>,
    fetches: FuturesUnordered<BoxFuture<'static, Arrival>>,
}

impl<E: Runtime, A: Endpoint> Desk<E, A> {
    pub(super) fn new(site: &Site, ledger: Ledger<E>, setup: Setup<A>) -> Self {
        Self {
            role: role(site, setup.here, &setup.bounds),
            ledger,
            contract: setup.directory.contract,
            addresses: setup.addresses,
            link: setup.link,
            tally: setup.directory.tally,
            rid: site.rid,
            here: setup.here,
            bounds: setup.bounds,
            vault: setup.vault,
            under_way: HashMap::new(),
            order: VecDeque::new(),
            shelves: HashMap::new(),
            fetches: FuturesUnordered::new(),
        }
    }

    /// Forgets everything, as in a crash.
    pub(super) fn forget(&mut self, site: &Site) {
        self.role = role(site, self.here, &self.bounds);
        self.under_way.clear();
        self.order.clear();
        self.shelves.clear();
        self.fetches.clear();
    }

    /// Waits for what comes from providers and ledger. May be dropped and called again.
    async fn arrival(&mut self) -> Arrival {
        tokio::select! {
            biased;
            Some(fetched) = self.fetches.next() => fetched,
            (from, datagram) = self.link.receive() => Arrival::Datagram(from, datagram),
        }
    }

    /// Judges an order and sends it on its way; returns what is to be told at once, and the RSU's vote if one is due.
    async fn order(
        &mut self,
        frame: &ServiceFrame,
        from: SocketAddr,
        (holder, session): (Holder, &RoadsideSession),
        now_ms: u64,
        rng: &mut StdRng,
    ) -> (Option<Outgoing>, Option<Vote>) {
        let asc = session.asc();
        let notice = match self.role.take(frame, (holder, session), now_ms, rng) {
            Ok(service::Order::Proof(provider)) => {
                match self.proof(provider, (from, asc), now_ms) {
                    Some(proof) => Notice::Proof(proof),
                    None => return (None, None),
                }
            }
            Ok(service::Order::Query { request, asked_ms }) => {
                let Some(&provider) = self.addresses.get(&request.provider) else {
                    debug!(provider = %request.provider, "not known here");
                    let refused = Notice::Refused {
                        asked_ms,
                        for_cell: false,
                    };
                    return (Some((from, reply(session.key(), asc, &refused, rng))), None);
                };
                let under_way = UnderWay {
                    provider,
                    to: from,
                    asc,
                    asked_ms,
                };
                let number = self.number(under_way, rng);
                let datagram = [number.as_slice(), &request.to_bytes()].concat();
                self.link.send(provider, &datagram).await;
                return (None, None);
            }
            Err(why) => {
                debug!(%holder, %why, "order refused");
                let told = why.reply().map(|reply| (from, reply.to_vec()));
                let mut vote = None;
                if let DeskError::FalseCell { due, .. } = why {
                    self.tally.false_cell();
                    if let Some(claims) = due {
                        vote = self.vote(holder, claims).await;
                    }
                }
                return (told, vote);
            }
        };
        let told = reply(session.key(), asc, &notice, rng);
        (Some((from, told)), None)
    }

    /// The vote against somebody whose service has ended, once its testimony is in the vault.
    async fn vote(&mut self, holder: Holder, claims: Vec<Contradiction>) -> Option<Vote> {
        self.tally.ended();
        let testimony = Testimony {
            subject: holder.into(),
            rsu: self.rid,
            claims,
        };
        let vote = match testimony.verify(self.here, &self.bounds) {
            Ok(vote) => vote,
            Err(why) => {
                debug!(%holder, %why, "no vote");
                return None;
            }
        };
        match self.vault.put_evidence(&testimony.encode()).await {
            Ok(_) => Some(vote),
            // TA and LEA would not find it.
            Err(error) => {
                error!(rid = %self.rid, %error, "testimony not kept");
                None
            }
        }
    }

    /// A number for a question that sets out.
    fn number(&mut self, under_way: UnderWay, rng: &mut StdRng) -> [u8; NUMBER_BYTES] {
        if self.order.len() >= MAX_UNDER_WAY
            && let Some(first) = self.order.pop_front()
        {
            self.under_way.remove(&first);
        }
        let mut number = [0; NUMBER_BYTES];
        rng.fill_bytes(&mut number);
        self.under_way.insert(number, under_way);
        self.order.push_back(number);
        number
    }

    /// A proof of a provider for a vehicle; `None`: it will be sent when it is there, if there is such a
    /// provider.
    fn proof(
        &mut self,
        provider: ProviderId,
        asker: (SocketAddr, Asc),
        now_ms: u64,
    ) -> Option<Vec<u8>> {
        if !self.addresses.contains_key(&provider) {
            debug!(%provider, "not known here");
            return None;
        }
        let shelf = self.shelves.entry(provider).or_default();
        let is_useful = |(made_ms, _): &&Proof| now_ms.saturating_sub(*made_ms) < USEFUL_MS;
        if let Some((_, proof)) = shelf.kept.as_ref().filter(is_useful) {
            return Some(proof.clone());
        }
        let is_first = shelf.asked.is_empty();
        if shelf.asked.len() < MAX_ASKED {
            shelf.asked.push(asker);
        }
        if is_first {
            let (ledger, key) = (self.ledger.clone(), provider_key(&self.contract, provider));
            let proof = async move { Arrival::Proof(provider, fetch(&ledger, key).await) };
            self.fetches.push(proof.boxed());
        }
        None
    }

    /// The notices that an arrival makes, each with its session.
    fn take(&mut self, arrival: Arrival) -> Vec<(SocketAddr, Asc, Notice)> {
        match arrival {
            Arrival::Datagram(from, datagram) => {
                self.answered(from, &datagram).into_iter().collect()
            }
            Arrival::Proof(provider, proof) => {
                let Some(shelf) = self.shelves.get_mut(&provider) else {
                    return Vec::new();
                };
                let asked = std::mem::take(&mut shelf.asked).into_iter();
                match proof {
                    Ok(proof) => {
                        shelf.kept = Some(proof.clone());
                        let notice = Notice::Proof(proof.1);
                        asked.map(|(to, asc)| (to, asc, notice.clone())).collect()
                    }
                    // Who asked asks again.
                    Err(error) => {
                        error!(%provider, %error, "no proof");
                        Vec::new()
                    }
                }
            }
        }
    }

    fn answered(&mut self, from: SocketAddr, datagram: &[u8]) -> Option<(SocketAddr, Asc, Notice)> {
        let (number, sealed) = datagram.split_first_chunk::<NUMBER_BYTES>()?;
        let under_way = self.under_way.get(number);
        if under_way.is_none_or(|under_way| under_way.provider != from) {
            debug!(%from, "no question of this number is under way there");
            return None;
        }
        let UnderWay {
            to, asc, asked_ms, ..
        } = self.under_way.remove(number)?;
        self.order.retain(|other| other != number);
        let notice = match sealed.try_into() {
            Ok(sealed) => Notice::Answer { asked_ms, sealed },
            Err(_) => Notice::Refused {
                asked_ms,
                for_cell: false,
            },
        };
        Some((to, asc, notice))
    }
}

async fn fetch<E: Runtime>(
    ledger: &Ledger<E>,
    key: cairn_ledger::StateKey,
) -> Result<Proof, ProofError> {
    let proof = ledger.prove(&[key]).await?;
    let bytes = proof.encode();
    if bytes.len() > MAX_PROOF_BYTES {
        return Err(ProofError::TooLong(bytes.len()));
    }
    Ok((proof.header.time_ms, bytes.to_vec()))
}

fn role(site: &Site, here: Position, bounds: &Bounds) -> service::Desk {
    let reach = Reach::new(here, bounds);
    service::Desk::new(site.chain, site.rid, site.signer.clone(), reach)
}

/// What comes for the desk; nothing, for ever, where there are no providers.
pub(super) async fn arrival<E: Runtime, A: Endpoint>(desk: &mut Option<Desk<E, A>>) -> Arrival {
    match desk {
        Some(desk) => desk.arrival().await,
        None => pending().await,
    }
}

impl<E: Runtime, A: Endpoint> Task<E, A> {
    /// Takes a vehicle's order.
    pub(super) async fn order(&mut self, from: SocketAddr, frame: &ServiceFrame) {
        let now_ms = self.surroundings.clock.now_ms();
        let (Some(desk), Some(session)) = (&mut self.desk, self.role.session(frame.asc, now_ms))
        else {
            return debug!(rsu = %self.role.rid(), %from, "order without a session");
        };
        let started = self.context.current();
        let (told, vote) = desk
            .order(frame, from, session, now_ms, &mut self.rng)
            .await;
        self.count_work(started);
        // What finds no room is lost: this RSU sends more votes than the ledger takes.
        let room = MAX_VOTES.saturating_sub(self.votes.len());
        self.votes.extend(vote.into_iter().take(room));
        if let Some((to, datagram)) = told {
            self.send(to, &datagram).await;
        }
    }

    /// Tells vehicles what came from providers and ledger.
    pub(super) async fn arrived(&mut self, arrival: Arrival) {
        let now_ms = self.surroundings.clock.now_ms();
        let notices = self.desk.as_mut().map(|desk| desk.take(arrival));
        for (to, asc, notice) in notices.into_iter().flatten() {
            // The vehicle may have handed over meanwhile.
            if let Some((_, session)) = self.role.session(asc, now_ms) {
                let datagram = reply(session.key(), asc, &notice, &mut self.rng);
                self.send(to, &datagram).await;
            }
        }
    }
}
