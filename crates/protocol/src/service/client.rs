//! The vehicle that asks: rules `V-ASK-1` to `V-ASK-3`.

use std::collections::HashMap;

use cairn_contracts::providers::{ProviderId, ProviderRecord, provider_key};
use cairn_crypto::suite::{Element, Ristretto255};
use cairn_ledger::{
    Address, ChainId,
    light::{self, Entry, LedgerProof, LightError, Verified},
};
use commonware_codec::{Copying, DecodeExt as _};
use rand_core::CryptoRng;
use thiserror::Error;

use super::{
    Answer, Cell, Notice, PROVIDER_LIFE_MS, PSEUDONYM_LIFE_MS, Question, SPACING_MS,
    encoding::{self, Query},
    frames::{self, From, Wanted},
};
use crate::{
    THR_MS,
    session::VehicleSession,
    trust::{MAX_CERTIFICATE_AGE_MS, Road},
    wire::{Message, ServiceFrame, WireError},
};

/// How long a vehicle waits for an answer, in milliseconds.
const PATIENCE_MS: u64 = 5_000;

/// Why nothing is asked, or a notice is refused.
#[derive(Debug, Error)]
pub enum ClientError {
    /// `V-WIRE-*`.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// It does not open under this session's key, or does not decode.
    #[error("not a notice of this session")]
    NotANotice,
    /// A question is open, or the last one too fresh.
    #[error("no question before {0} ms")]
    TooSoon(u64),
    /// `V-ASK-1`.
    #[error("the proof shows no provider that was asked for")]
    Unrelated,
    /// `V-ASK-1`.
    #[error("the proof is of block time {0}, too old or in the future")]
    Age(u64),
    /// `V-ASK-1`.
    #[error(transparent)]
    Light(#[from] LightError),
    /// `V-ASK-2`.
    #[error("{0} is not registered, not valid now, or revoked")]
    NotValid(ProviderId),
    /// `V-ASK-3`.
    #[error("not the answer to the question under way")]
    NotAsked,
}

/// What a vehicle sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The provider is not known: this asks the RSU for the ledger's proof.
    Proof(Vec<u8>),
    /// The question.
    Question(Vec<u8>),
}

/// What came of a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Got {
    /// This provider can be asked now.
    Provider(ProviderId),
    /// An answer.
    Answer {
        /// Whose.
        provider: ProviderId,
        /// To what.
        question: Question,
        /// The answer.
        answer: Answer,
    },
    /// There will be none.
    Refused {
        /// The RSU does not believe the cell.
        for_cell: bool,
    },
}

/// What the ledger says of a provider.
struct Known {
    record: ProviderRecord,
    until_ms: u64,
}

/// A question under way.
struct Open {
    provider: ProviderId,
    asked_ms: u64,
    query: Query,
    digest: [u8; 32],
    question: Question,
}

/// A vehicle's part in location services.
pub struct Client {
    chain: ChainId,
    contract: Address,
    light: light::Client,
    known: HashMap<ProviderId, Known>,
    /// The provider whose proof was asked for.
    wanted: Option<ProviderId>,
    pseudonyms: HashMap<ProviderId, ([u8; 16], u64)>,
    open: Option<Open>,
    asked_ms: u64,
}

impl Client {
    /// A vehicle of this road; `contract` is the instance of contract `providers`.
    #[must_use]
    pub fn new(road: &Road, contract: Address) -> Self {
        Self {
            chain: road.chain,
            contract,
            light: light::Client::new(&road.chain, road.network_key),
            known: HashMap::new(),
            wanted: None,
            pseudonyms: HashMap::new(),
            open: None,
            asked_ms: 0,
        }
    }

    /// Asks, from `cell`, over the RSU that this session is with. Without a recent proof of the provider it asks for that
    /// first; then ask again.
    ///
    /// # Errors
    ///
    /// [`ClientError::TooSoon`]; [`ClientError::NotValid`].
    pub fn ask(
        &mut self,
        provider: ProviderId,
        question: Question,
        cell: Cell,
        session: &VehicleSession,
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<Asked, ClientError> {
        let open_until = self.open.as_ref().map(|open| open.asked_ms + PATIENCE_MS);
        let free_ms = open_until.unwrap_or(0).max(self.asked_ms + SPACING_MS);
        if now_ms < free_ms {
            return Err(ClientError::TooSoon(free_ms));
        }
        let known = self.known.get(&provider);
        let Some(known) = known.filter(|known| now_ms < known.until_ms) else {
            self.wanted = Some(provider);
            let sealed = Wanted::Proof(provider).to_bytes();
            return Ok(Asked::Proof(frame(session, &sealed, rng)));
        };
        let key = Element::<Ristretto255>::from_bytes(&known.record.key);
        let key = key.map_err(|_| ClientError::NotValid(provider))?;
        if !known.record.is_valid_at(now_ms) {
            return Err(ClientError::NotValid(provider));
        }
        let mut query = Query {
            pseudonym: self.pseudonym(provider, now_ms, rng),
            nonce: [0; 16],
            reply: [0; 32],
            question: question.to_bytes(),
        };
        rng.fill_bytes(&mut query.nonce);
        rng.fill_bytes(&mut query.reply);
        let sealed = query.seal(&self.chain, provider, &key, rng);
        let wanted = Wanted::Query {
            provider,
            time_ms: now_ms,
            commitment: query.commitment(),
            cell,
            query: sealed,
        };
        self.asked_ms = now_ms;
        self.open = Some(Open {
            provider,
            asked_ms: now_ms,
            digest: encoding::query_digest(&sealed),
            query,
            question,
        });
        Ok(Asked::Question(frame(session, &wanted.to_bytes(), rng)))
    }

    /// Takes a datagram of the RSU that this session is with.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub fn receive(
        &mut self,
        datagram: &[u8],
        session: &VehicleSession,
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<Got, ClientError> {
        let Message::ServiceNotice(ServiceFrame { asc, sealed }) = Message::decode(datagram)?
        else {
            return Err(ClientError::NotANotice);
        };
        if asc != session.asc() {
            return Err(ClientError::NotANotice);
        }
        let plain = frames::open_in(session.key(), asc, From::Rsu, &sealed);
        let plain = plain.ok_or(ClientError::NotANotice)?;
        match Notice::from_bytes(&plain).map_err(|_| ClientError::NotANotice)? {
            Notice::Proof(proof) => {
                let proof = LedgerProof::decode(Copying(&proof));
                let proof = proof.map_err(|_| ClientError::NotANotice)?;
                self.proof(&proof, now_ms, rng)
            }
            Notice::Answer { asked_ms, sealed } => {
                let open = self.open.as_ref().filter(|open| open.asked_ms == asked_ms);
                let open = open.ok_or(ClientError::NotAsked)?;
                let answer = encoding::open_answer(&open.query.reply, &open.digest, &sealed);
                let answer = answer.ok_or(ClientError::NotAsked)?;
                let open = self.open.take().ok_or(ClientError::NotAsked)?;
                Ok(Got::Answer {
                    provider: open.provider,
                    question: open.question,
                    answer,
                })
            }
            Notice::Refused { asked_ms, for_cell } => {
                let open = self.open.take_if(|open| open.asked_ms == asked_ms);
                open.ok_or(ClientError::NotAsked)?;
                Ok(Got::Refused { for_cell })
            }
        }
    }

    /// Takes what a light client has already verified, in place of the proof itself: `V-ASK-1`, `V-ASK-2`.
    ///
    /// # Errors
    ///
    /// [`ClientError::Unrelated`], [`ClientError::Age`], [`ClientError::NotValid`].
    pub fn learn(&mut self, verified: &Verified, now_ms: u64) -> Result<Got, ClientError> {
        let provider = self.wanted.ok_or(ClientError::Unrelated)?;
        let shown = verified.record(&provider_key(&self.contract, provider));
        let record = shown.ok_or(ClientError::Unrelated)?;
        check_age(verified.time_ms, now_ms)?;
        self.wanted = None;
        let record: Option<ProviderRecord> = record.and_then(|record| record.decode_as().ok());
        let record = record.filter(|record| record.is_valid_at(now_ms));
        let record = record.ok_or(ClientError::NotValid(provider))?;
        let until_ms = now_ms + PROVIDER_LIFE_MS;
        self.known.insert(provider, Known { record, until_ms });
        Ok(Got::Provider(provider))
    }

    fn proof(
        &mut self,
        proof: &LedgerProof,
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<Got, ClientError> {
        // The cheap rules first: a certificate costs two pairings.
        let provider = self.wanted.ok_or(ClientError::Unrelated)?;
        let key = provider_key(&self.contract, provider);
        let shows = |entry: &Entry| match entry {
            Entry::Present(shown, ..) | Entry::Absent(shown, _) => *shown == key,
        };
        if !proof.entries.iter().any(shows) {
            return Err(ClientError::Unrelated);
        }
        check_age(proof.header.time_ms, now_ms)?;
        let verified = self.light.verify(proof, rng)?;
        self.learn(&verified, now_ms)
    }

    fn pseudonym(
        &mut self,
        provider: ProviderId,
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> [u8; 16] {
        let (pseudonym, drawn_ms) = self.pseudonyms.entry(provider).or_insert(([0; 16], 0));
        if now_ms.saturating_sub(*drawn_ms) >= PSEUDONYM_LIFE_MS {
            rng.fill_bytes(pseudonym);
            *drawn_ms = now_ms;
        }
        *pseudonym
    }
}

fn check_age(block_ms: u64, now_ms: u64) -> Result<(), ClientError> {
    let is_recent = block_ms <= now_ms.saturating_add(THR_MS)
        && now_ms.saturating_sub(block_ms) <= MAX_CERTIFICATE_AGE_MS;
    is_recent.then_some(()).ok_or(ClientError::Age(block_ms))
}

fn frame(session: &VehicleSession, plain: &[u8], rng: &mut impl CryptoRng) -> Vec<u8> {
    let asc = session.asc();
    let sealed = frames::seal_in(session.key(), asc, From::Vehicle, plain, rng);
    Message::ServiceOrder(ServiceFrame { asc, sealed }).encode()
}
