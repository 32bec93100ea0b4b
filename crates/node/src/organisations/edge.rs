//! An organisation's edge server: checks readings, stores them, and commits to them.
//!
//! 1. A batch of readings comes, over HTTP ([`http`]) or MQTT ([`mqtt`]). Each is checked
//!    ([`cairn_exchange::reading`]); one that is refused does not hold up the others.
//! 2. The vault takes the good ones in one batch with fresh blinds, durably, with its root as pending.
//!    Then, and not before, they are acknowledged.
//! 3. Pending roots go on the organisation's chain, up to 64 in a transaction, and are settled in
//!    the vault once that is final ([`Edge::anchor`]). So ingest is not bound by the chain.
//!
//! Whatever crashes between two of these steps: what was acknowledged is in the vault; a root that
//! is pending is anchored at the next occasion, and anchoring twice changes nothing; a device that
//! got no answer sends again, and a reading that is there already, with the same content, counts as
//! known.

pub mod http;
pub mod mqtt;

use super::{chain::Sender, exchange::Relay};
use crate::ledger::{Ledger, LedgerError};
use cairn_chain::ReadError;
use cairn_contracts::{
    directory::{self, Entry, Issuers as IssuersRecord, Network, OrgId},
    foreign::ForeignProof,
    records::{self, MAX_ROOTS, Operation},
};
use cairn_crypto::{credential::Certificate, message::MessageSuite, suite::Element};
use cairn_exchange::{
    keys::{Issuers, Party, PartyId, Shown},
    reading::{Query, Reading, ReadingError, Schema},
};
use cairn_ledger::{Address, PrivateKey};
use cairn_vault::{Batch, Blind, DeviceId, Grade, Key, Record, Root, Vault};
use commonware_runtime::tokio::Context;
use rand::{SeedableRng as _, rngs::StdRng};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use thiserror::Error;
use tracing::warn;

/// The most readings that an edge takes at once.
pub const MAX_READINGS: usize = 1_000;

/// Why an edge failed, as opposed to refusing a reading.
#[derive(Debug, Error)]
pub enum EdgeError {
    /// The vault.
    #[error("vault: {0}")]
    Vault(#[from] cairn_vault::Error),
    /// The organisation's chain, or the relay chain.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A chain cannot be read.
    #[error("ledger: {0}")]
    Read(#[from] ReadError),
}

/// What became of a batch of readings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Ingested {
    /// Readings that were stored now.
    pub stored: u64,
    /// Readings that were there already, with the same content.
    pub known: u64,
    /// Readings that were refused: place in the batch, from 0, and why.
    pub refused: Vec<(usize, String)>,
}

/// What an edge has done since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// Readings that were stored.
    pub stored: u64,
    /// Readings that came again.
    pub known: u64,
    /// Readings that were refused.
    pub refused: u64,
}

/// A page of a device's own records.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct OwnRecords {
    /// Time in milliseconds since 1970 and content, by ascending time.
    pub records: Vec<(u64, String)>,
    /// Ask again from here for more; `None` at the end.
    pub next_ms: Option<u64>,
}

/// What an edge is made of.
pub struct Parts<S: MessageSuite> {
    /// Its own key.
    pub party: Party<S>,
    /// The keys of its own organisation.
    pub issuers: Issuers<S>,
    /// The grade of its chain.
    pub grade: u8,
    /// What content looks like.
    pub schema: Schema,
    /// Where content lies.
    pub vault: Arc<dyn Vault>,
    /// The organisation's chain.
    pub ledger: Ledger<Context>,
    /// Signs for the organisation there and on the relay chain.
    pub operator: Sender,
    /// Contract `records` on it.
    pub records: Address,
    /// Contract `policy` on it.
    pub policy: Address,
}

/// Certificates that were seen on the chain, with their keys.
type Enrolled<S> = HashMap<DeviceId, (Shown<S>, Element<S>)>;

/// An organisation's edge server.
pub struct Edge<S: MessageSuite> {
    pub(super) parts: Parts<S>,
    /// Keys of devices whose enrolment was seen on the chain.
    keys: Mutex<Enrolled<S>>,
    rng: Mutex<StdRng>,
    counted: Mutex<Counted>,
    anchoring: tokio::sync::Mutex<()>,
    /// When the operator's last order to ask was signed.
    pub(super) ordered_ms: Mutex<u64>,
}

impl<S: MessageSuite> Edge<S> {
    /// Puts an edge together.
    pub fn new(parts: Parts<S>, rng: &mut StdRng) -> Self {
        Self {
            parts,
            keys: Mutex::default(),
            rng: Mutex::new(StdRng::from_rng(rng)),
            counted: Mutex::default(),
            anchoring: tokio::sync::Mutex::default(),
            ordered_ms: Mutex::default(),
        }
    }

    /// The edge's organisation.
    #[must_use]
    pub fn organisation(&self) -> OrgId {
        self.parts.party.id().organisation
    }

    /// A generator for one task.
    pub(super) fn rng(&self) -> StdRng {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        StdRng::from_rng(&mut *rng)
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.parts.ledger.chain().now_ms()
    }

    /// Steps 1 and 2 of the [module documentation](self). When it returns, what was stored is
    /// durable.
    ///
    /// # Errors
    ///
    /// [`EdgeError`]: then nothing is acknowledged, and the readings are to be sent again.
    pub async fn ingest(&self, readings: &[Reading<S>]) -> Result<Ingested, EdgeError> {
        let mut ingested = Ingested::default();
        let mut fresh: HashMap<Key, &Reading<S>> = HashMap::new();
        for (place, reading) in readings.iter().enumerate() {
            let key = Key {
                device: reading.device,
                time_ms: reading.time_ms,
            };
            let is_same = |content: &[u8]| content == reading.content.as_bytes();
            let is_known = match (fresh.get(&key), self.parts.vault.get(&key).await?) {
                (Some(earlier), _) => Some(is_same(earlier.content.as_bytes())),
                (None, Some(stored)) => Some(is_same(stored.record.content())),
                (None, None) => None,
            };
            match (self.check(reading).await?, is_known) {
                (Err(refusal), _) => ingested.refused.push((place, refusal.to_string())),
                (Ok(()), Some(true)) => ingested.known += 1,
                (Ok(()), Some(false)) => {
                    let other = "another reading of this device and time is stored";
                    ingested.refused.push((place, other.to_owned()));
                }
                (Ok(()), None) => {
                    fresh.insert(key, reading);
                }
            }
        }
        ingested.stored = fresh.len() as u64;
        if !fresh.is_empty() {
            let records = self.records(fresh.into_values())?;
            self.parts.vault.put_batch(&Batch::new(records)?).await?;
        }
        let mut counted = self.counters();
        counted.stored += ingested.stored;
        counted.known += ingested.known;
        counted.refused += ingested.refused.len() as u64;
        Ok(ingested)
    }

    /// The readings as records, each with a blind of its own.
    fn records<'a>(
        &self,
        readings: impl Iterator<Item = &'a Reading<S>>,
    ) -> Result<Vec<Record>, cairn_vault::Error> {
        let mut rng = self.rng();
        let record = |reading: &Reading<S>| {
            let key = Key {
                device: reading.device,
                time_ms: reading.time_ms,
            };
            let content = reading.content.clone().into_bytes();
            Record::new(key, Grade(reading.grade), content, Blind::random(&mut rng))
        };
        readings.map(record).collect()
    }

    /// What the edge has done since its start.
    #[must_use]
    pub fn counted(&self) -> Counted {
        *self.counters()
    }

    /// Counts a message that is no reading.
    pub(super) fn refuse(&self, why: &ReadingError) {
        warn!(%why, "a message is refused");
        self.counters().refused += 1;
    }

    fn counters(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers a device that asks for its own records (V-READ-2 to V-READ-4, V-READ-7).
    ///
    /// # Errors
    ///
    /// [`EdgeError`]; inside, why the query is refused.
    pub async fn own_records(
        &self,
        query: &Query<S>,
    ) -> Result<Result<OwnRecords, ReadingError>, EdgeError> {
        let shown = self.shown(query.device, query.certificate);
        let key = match self.valid_key(&shown).await? {
            Ok(key) => key,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if let Err(refusal) = query.check(self.organisation(), &key, self.now_ms()) {
            return Ok(Err(refusal));
        }
        let times = query.from_ms..query.until_ms;
        let page = self.parts.vault.range(&query.device, times).await?;
        let records = page.records.into_iter().map(|stored| {
            let content = String::from_utf8_lossy(stored.record.content());
            (stored.record.key().time_ms, content.into_owned())
        });
        Ok(Ok(OwnRecords {
            records: records.collect(),
            next_ms: page.next,
        }))
    }

    /// V-READ-2 to V-READ-6.
    async fn check(&self, reading: &Reading<S>) -> Result<Result<(), ReadingError>, EdgeError> {
        let shown = self.shown(reading.device, reading.certificate);
        let key = match self.valid_key(&shown).await? {
            Ok(key) => key,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let (grade, schema) = (self.parts.grade, &self.parts.schema);
        Ok(reading.check(self.organisation(), &key, grade, schema))
    }

    /// What a device of this organisation shows.
    fn shown(&self, device: DeviceId, certificate: Certificate<S>) -> Shown<S> {
        let organisation = self.organisation();
        let id = PartyId {
            organisation,
            device,
        };
        Shown { id, certificate }
    }

    /// V-READ-2 and V-READ-3.
    async fn valid_key(
        &self,
        shown: &Shown<S>,
    ) -> Result<Result<Element<S>, ReadingError>, EdgeError> {
        let Some(key) = self.enrolled(shown).await? else {
            return Ok(Err(ReadingError::NotEnrolled));
        };
        let valid = shown.key(&self.parts.issuers, self.now_ms());
        Ok(valid.map(|_| key).map_err(ReadingError::Key))
    }

    /// The key of a device whose certificate the chain has.
    async fn enrolled(&self, shown: &Shown<S>) -> Result<Option<Element<S>>, EdgeError> {
        let device = shown.id.device;
        let known = self.keys().get(&device).cloned();
        if let Some((known, key)) = known
            && known == *shown
        {
            return Ok(Some(key));
        }
        let at = shown.enrolment_key(&self.parts.records);
        let record = self.parts.ledger.get(&[at]).await?.remove(0).1;
        let is_enrolled = record.is_some_and(|r| r.as_bytes() == shown.certificate.to_bytes());
        let key = shown.certificate.public_key(&self.parts.issuers.key);
        let Some(key) = key.ok().filter(|_| is_enrolled) else {
            return Ok(None);
        };
        self.keys().insert(device, (*shown, key));
        Ok(Some(key))
    }

    fn keys(&self) -> MutexGuard<'_, Enrolled<S>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a device's certificate on the chain.
    ///
    /// # Errors
    ///
    /// [`EdgeError::Ledger`].
    pub async fn enrol(&self, device: &Shown<S>) -> Result<(), EdgeError> {
        let bytes = bytes::Bytes::from(device.certificate.to_bytes());
        let enrol = Operation::Enrol {
            device: device.id.device.0,
            epoch: self.parts.issuers.epoch,
            certificate: bytes
                .try_into()
                .expect("certificates have 53 bytes at most"),
        };
        self.call(&enrol).await
    }

    /// Puts the edge's own certificate on the chain, unless it is there.
    ///
    /// # Errors
    ///
    /// [`EdgeError`].
    pub async fn enrol_once(&self) -> Result<(), EdgeError> {
        let shown = self.parts.party.shown();
        match self.enrolled(&shown).await? {
            Some(_) => Ok(()),
            None => self.enrol(&shown).await,
        }
    }

    /// Puts the organisation into the relay chain's directory, with the agreement of that chain's
    /// authorities.
    ///
    /// # Errors
    ///
    /// [`EdgeError`].
    pub async fn register(
        &self,
        relay: &Relay,
        ta: &Sender,
        lea: &PrivateKey,
    ) -> Result<(), EdgeError> {
        let parts = &self.parts;
        let proof = parts.ledger.prove(&[]).await?;
        let mut key = [0; 33];
        let element = parts.issuers.key.element().to_bytes();
        key[..S::ELEMENT_BYTES].copy_from_slice(element.as_ref());
        let chain = parts.ledger.chain();
        let register = directory::Operation::Register {
            organisation: self.organisation(),
            entry: Entry {
                epoch: u32::from(parts.issuers.epoch),
                operator: parts.operator.public_key(),
                chain: chain.id(),
                records: parts.records,
                grades: 1 << parts.grade,
            },
            network: Network {
                key: chain.genesis().network_key(),
            },
            issuers: IssuersRecord {
                suite: S::CODE,
                key,
            },
            proof: ForeignProof::of(&proof),
        };
        let others = [lea, parts.operator.key()];
        let signed = ta.sign(&relay.id(), &others, |nonce, expires_ms| {
            directory::call(nonce, expires_ms, relay.directory, &register)
        });
        Ok(relay.ledger.execute(signed).await?)
    }

    /// Step 3: anchors every pending root, and settles it. Returns how many there were.
    ///
    /// # Errors
    ///
    /// [`EdgeError`]; whatever was not settled stays pending.
    pub async fn anchor(&self) -> Result<usize, EdgeError> {
        // One at a time, or a nonce that is drawn first may arrive second and be refused.
        let _one_at_a_time = self.anchoring.lock().await;
        let mut anchored = 0;
        loop {
            let pending = self.parts.vault.pending().await?;
            if pending.is_empty() {
                return Ok(anchored);
            }
            for roots in pending.chunks(MAX_ROOTS) {
                self.commit(roots).await?;
                for root in roots {
                    self.parts.vault.settle(root).await?;
                }
                anchored += roots.len();
            }
        }
    }

    /// Puts 1 to 64 roots on the chain, and does not settle them. Does nothing for those that are there.
    ///
    /// # Errors
    ///
    /// [`EdgeError::Ledger`].
    ///
    /// # Panics
    ///
    /// When there are no roots, or more.
    pub async fn commit(&self, roots: &[Root]) -> Result<(), EdgeError> {
        let roots: Vec<_> = roots.iter().map(|root| root.0).collect();
        let roots = roots.try_into().expect("1 to 64 roots");
        self.call(&Operation::Anchor { roots }).await
    }

    /// The vault behind the edge.
    #[must_use]
    pub fn vault(&self) -> &dyn Vault {
        &*self.parts.vault
    }

    async fn call(&self, operation: &Operation) -> Result<(), EdgeError> {
        let (ledger, records) = (&self.parts.ledger, self.parts.records);
        let signed = self
            .parts
            .operator
            .sign(&ledger.chain().id(), &[], |nonce, expires_ms| {
                records::call(nonce, expires_ms, records, operation)
            });
        Ok(ledger.execute(signed).await?)
    }
}
