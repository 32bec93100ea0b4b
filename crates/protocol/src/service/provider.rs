//! The provider: rules `V-LBS-1` to `V-LBS-7`.

use std::collections::{HashMap, HashSet, VecDeque};

use cairn_contracts::{
    keys::{RsuRecord, rsu_key},
    providers::ProviderId,
};
use cairn_crypto::suite::{Ristretto255, Secret};
use cairn_ledger::{
    Address, ChainId, Record, Rid, StateKey,
    light::{self, LedgerProof, LightError, Verified},
};
use commonware_codec::Error as CodecError;
use rand_core::CryptoRng;
use thiserror::Error;

use super::{
    Answer, Cell, MAX_AGE_MS, MAX_STALENESS_MS, Points, Question, Request, Roads,
    encoding::{self, Query},
};
use crate::{THR_MS, trust::Road};

/// The most RSUs in the cache: a country's, 2 MB.
const MAX_RSUS: usize = 10_000;

/// The most statements remembered, each for twice [`MAX_AGE_MS`]: 10,000 questions a second.
const MAX_REMEMBERED: usize = 100_000;

/// Why a request is not answered.
#[derive(Debug, Error)]
pub enum ProviderError {
    /// `V-LBS-1`.
    #[error("not a request: {0}")]
    Malformed(#[from] CodecError),
    /// `V-LBS-2`.
    #[error("is for {0}")]
    OtherProvider(ProviderId),
    /// `V-LBS-2`.
    #[error("is of second {0}, too old or in the future")]
    Age(u64),
    /// `V-LBS-3`: fetch a proof of it, and try again.
    #[error("what is known of {0} is too old")]
    Stale(Rid),
    /// `V-LBS-3`.
    #[error("{0} is not registered, not valid now, or revoked")]
    Rsu(Rid),
    /// `V-LBS-4`.
    #[error("the statement is not signed by {0}")]
    Signature(Rid),
    /// `V-LBS-5`.
    #[error("{0} does not reach {1:?}")]
    OutOfReach(Rid, Cell),
    /// `V-LBS-6`.
    #[error("the statement was used before")]
    Replayed,
    /// `V-LBS-6`.
    #[error("no room to remember another statement")]
    Full,
    /// `V-LBS-7`.
    #[error("the query does not open, or is another one than the statement speaks of")]
    Query,
    /// A proof that was fetched.
    #[error(transparent)]
    Light(#[from] LightError),
}

/// What a provider knows.
pub enum Book {
    /// Charging points.
    Charging(Points),
    /// How long roads take.
    TravelTime(Roads),
}

/// What the ledger says of an RSU, as of a block.
struct Cached {
    record: Option<RsuRecord>,
    height: u64,
    time_ms: u64,
}

/// A provider of location services.
pub struct Provider {
    chain: ChainId,
    keys: Address,
    light: light::Client,
    id: ProviderId,
    secret: Secret<Ristretto255>,
    /// How far an RSU hears, with the error of an honest position, in metres.
    reach_m: f64,
    book: Book,
    rsus: HashMap<Rid, Cached>,
    used: HashSet<[u8; 32]>,
    order: VecDeque<([u8; 32], u64)>,
}

impl Provider {
    /// The provider `id` on this road, whose registered key is that of `secret`.
    #[must_use]
    pub fn new(
        road: &Road,
        id: ProviderId,
        secret: Secret<Ristretto255>,
        reach_m: f64,
        book: Book,
    ) -> Self {
        Self {
            chain: road.chain,
            keys: road.keys,
            light: light::Client::new(&road.chain, road.network_key),
            id,
            secret,
            reach_m,
            book,
            rsus: HashMap::new(),
            used: HashSet::new(),
            order: VecDeque::new(),
        }
    }

    /// Its number.
    #[must_use]
    pub const fn id(&self) -> ProviderId {
        self.id
    }

    /// What it knows.
    #[must_use]
    pub const fn book(&self) -> &Book {
        &self.book
    }

    /// The ledger's key of an RSU's record, for a proof.
    #[must_use]
    pub fn needs(&self, rid: Rid) -> StateKey {
        rsu_key(&self.keys, rid)
    }

    /// Takes a ledger proof of `rid` into the cache.
    ///
    /// # Errors
    ///
    /// [`ProviderError::Light`]; [`ProviderError::Stale`] when it does not show that RSU, or is too old.
    pub fn proof(
        &mut self,
        rid: Rid,
        proof: &LedgerProof,
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<(), ProviderError> {
        let verified = self.light.verify(proof, rng)?;
        self.learn(rid, &verified, now_ms)
    }

    /// Takes what a light client has already verified, in place of the proof itself.
    ///
    /// # Errors
    ///
    /// [`ProviderError::Stale`].
    pub fn learn(
        &mut self,
        rid: Rid,
        verified: &Verified,
        now_ms: u64,
    ) -> Result<(), ProviderError> {
        let stale = ProviderError::Stale(rid);
        let Some(record) = verified.record(&self.needs(rid)) else {
            return Err(stale);
        };
        if !is_fresh(verified.time_ms, now_ms) {
            return Err(stale);
        }
        if self.rsus.len() >= MAX_RSUS {
            self.rsus.retain(|_, rsu| is_fresh(rsu.time_ms, now_ms));
            if self.rsus.len() >= MAX_RSUS {
                self.rsus.clear();
            }
        }
        let is_news = |rsu: &Cached| rsu.height < verified.height;
        if self.rsus.get(&rid).is_none_or(is_news) {
            let record: Option<RsuRecord> =
                record.and_then(|record: &Record| record.decode_as().ok());
            let cached = Cached {
                record,
                height: verified.height,
                time_ms: verified.time_ms,
            };
            self.rsus.insert(rid, cached);
        }
        Ok(())
    }

    /// The RSUs whose records will be too old in `ahead_ms`: to be refreshed before anybody waits.
    #[must_use]
    pub fn ageing(&self, now_ms: u64, ahead_ms: u64) -> Vec<Rid> {
        let soon_ms = now_ms + ahead_ms;
        let old = self
            .rsus
            .iter()
            .filter(|(_, rsu)| !is_fresh(rsu.time_ms, soon_ms));
        let mut rids: Vec<Rid> = old.map(|(rid, _)| *rid).collect();
        rids.sort_unstable();
        rids
    }

    /// How many RSUs can be judged at `now_ms`, and the age of the oldest state that one of them would be judged by,
    /// in milliseconds of block time: at most [`MAX_STALENESS_MS`].
    #[must_use]
    pub fn freshness(&self, now_ms: u64) -> (usize, u64) {
        let fresh = self.rsus.values().map(|rsu| rsu.time_ms);
        let ages: Vec<u64> = fresh
            .filter(|time_ms| is_fresh(*time_ms, now_ms))
            .map(|time_ms| now_ms.saturating_sub(time_ms))
            .collect();
        (ages.len(), ages.into_iter().max().unwrap_or(0))
    }

    /// Answers an RSU's request: the sealed answer.
    ///
    /// # Errors
    ///
    /// See [`ProviderError`]. After [`ProviderError::Stale`] and a proof, try again.
    pub fn receive(
        &mut self,
        bytes: &[u8],
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, ProviderError> {
        let request = encoding::request(bytes)?;
        if request.provider != self.id {
            return Err(ProviderError::OtherProvider(request.provider));
        }
        self.check(&request, now_ms)?;
        let opened = Query::open(&self.chain, self.id, &self.secret, &request.query);
        let (query, question) = opened.ok_or(ProviderError::Query)?;
        if query.commitment() != request.commitment {
            return Err(ProviderError::Query);
        }
        self.used.insert(request.commitment);
        self.order.push_back((request.commitment, now_ms));
        let answer = self.answer(&query, &question, &request);
        let digest = encoding::query_digest(&request.query);
        Ok(encoding::seal_answer(&query.reply, &digest, &answer, rng).to_vec())
    }

    /// `V-LBS-2` to `V-LBS-6`.
    fn check(&mut self, request: &Request, now_ms: u64) -> Result<(), ProviderError> {
        let said_ms = request.time_s.saturating_mul(1_000);
        if said_ms > now_ms.saturating_add(THR_MS) || now_ms.saturating_sub(said_ms) > MAX_AGE_MS {
            return Err(ProviderError::Age(request.time_s));
        }
        let rid = request.rid;
        let cached = self.rsus.get(&rid);
        let cached = cached.filter(|rsu| is_fresh(rsu.time_ms, now_ms));
        let record = &cached.ok_or(ProviderError::Stale(rid))?.record;
        let record = record.as_ref().filter(|record| record.is_valid_at(now_ms));
        let record = record.ok_or(ProviderError::Rsu(rid))?;
        if self.used.contains(&request.commitment) {
            return Err(ProviderError::Replayed);
        }
        if request.cell.distance_m(record.position) > self.reach_m {
            return Err(ProviderError::OutOfReach(rid, request.cell));
        }
        if !request.is_signed_by(&self.chain, &record.key) {
            return Err(ProviderError::Signature(rid));
        }
        while let Some((used, at_ms)) = self.order.front() {
            if now_ms.saturating_sub(*at_ms) <= 2 * MAX_AGE_MS {
                break;
            }
            self.used.remove(used);
            self.order.pop_front();
        }
        if self.used.len() >= MAX_REMEMBERED {
            return Err(ProviderError::Full);
        }
        Ok(())
    }

    fn answer(&mut self, query: &Query, question: &Question, request: &Request) -> Answer {
        match (&mut self.book, question) {
            (Book::Charging(points), Question::Charging { least_kw }) => {
                points.answer(request.cell, *least_kw)
            }
            (Book::TravelTime(roads), Question::TravelTime { ahead }) => {
                roads.report(query.pseudonym, request.cell, request.time_s);
                roads.answer(request.cell, ahead)
            }
            _ => Answer::Nothing,
        }
    }
}

fn is_fresh(block_ms: u64, now_ms: u64) -> bool {
    block_ms <= now_ms.saturating_add(THR_MS) && now_ms.saturating_sub(block_ms) <= MAX_STALENESS_MS
}
