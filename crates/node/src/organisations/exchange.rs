//! The two edges' parts in an exchange, with the relay chain between them; the protocol is that of
//! [`cairn_exchange`].

use super::edge::{Edge, EdgeError};
use crate::ledger::Ledger;
use cairn_contracts::{
    directory::{self, Entry, OrgId},
    exchange::{self as relayed, ExchangeRecord, Operation, State, Statement},
    foreign::ForeignProof,
    policy::{self, Rule},
    records,
};
use cairn_crypto::{credential::IssuerKey, message::MessageSuite, suite::Element};
use cairn_exchange::{
    delivery::{Check, ContentDigest, DeliveryError, Item},
    envelope::{EnvelopeError, Opener, Sealer},
    keys::{Issuers, KeyError},
    request::{Checked, Owner, Pending, Request, RequestError, Wanted},
};
use cairn_ledger::{
    Address, ChainId, Record, Signature, TxId,
    light::{self, LedgerProof, LightError, MAX_ENTRIES, Verified},
};
use cairn_vault::{DeviceId, Manifest, Root, commitment};
use commonware_codec::{Copying, DecodeExt as _, Encode as _};
use commonware_runtime::tokio::Context;
use futures::StreamExt as _;
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;
use tokio::sync::mpsc;

/// How long a requester waits for delivery, and an owner for a receipt, in milliseconds.
pub const WAIT_MS: u64 = 60_000;

/// Pieces of an envelope that wait for a slow reader.
pub const BACKLOG: usize = 16;

/// The most batches that one delivery draws from: a proof shows these and the edge's own key.
pub const MAX_BATCHES: usize = MAX_ENTRIES - 1;

/// Why an exchange failed.
#[derive(Debug, Error)]
pub enum ExchangeError {
    /// Vault or chains.
    #[error(transparent)]
    Edge(#[from] EdgeError),
    /// The other organisation is not in the relay chain's directory, or under another suite.
    #[error("{0} is not in the relay chain's directory under this suite")]
    Unknown(OrgId),
    /// The owner refuses the request.
    #[error("request refused: {0}")]
    Request(#[from] RequestError),
    /// The exchange is not open on the relay chain between these two.
    #[error("the exchange is not open on the relay chain between requester and owner")]
    NotOpen,
    /// The requester refuses the envelope.
    #[error("envelope refused: {0}")]
    Envelope(#[from] EnvelopeError),
    /// The requester refuses what was in it.
    #[error("delivery refused: {0}")]
    Delivery(#[from] DeliveryError),
    /// A proof of the other's chain.
    #[error("proof of the other organisation's chain refused: {0}")]
    Light(#[from] LightError),
    /// The envelope is not the one whose digest the owner posted.
    #[error("the owner posted the digest of another envelope")]
    OtherEnvelope,
    /// The answer would need too many batches.
    #[error(
        "the records lie in {0} batches, an exchange draws from {MAX_BATCHES}: ask for less time"
    )]
    TooManyBatches(usize),
    /// The owner did not post a delivery before the deadline, or declined.
    #[error("the owner posted no delivery on the relay chain: {0:?}")]
    NotDelivered(State),
    /// A record in the vault is not in its batch.
    #[error("the vault does not have the batch of a record; check it")]
    Vault,
}

impl From<KeyError> for ExchangeError {
    fn from(error: KeyError) -> Self {
        Self::Envelope(error.into())
    }
}

macro_rules! through_edge {
    ($($error:ty),+) => {$(
        impl From<$error> for ExchangeError {
            fn from(error: $error) -> Self {
                Self::Edge(error.into())
            }
        }
    )+};
}
through_edge!(
    cairn_vault::Error,
    cairn_chain::ReadError,
    crate::ledger::LedgerError
);

/// The relay chain, with its two contracts.
#[derive(Clone)]
pub struct Relay {
    /// Access to it.
    pub ledger: Ledger<Context>,
    /// Contract `directory`.
    pub directory: Address,
    /// Contract `exchange`.
    pub exchange: Address,
}

/// Another organisation, as the relay chain's directory has it.
pub struct Foreign<S: MessageSuite> {
    /// Its entry.
    pub entry: Entry,
    /// Its issuers.
    pub issuers: Issuers<S>,
    client: light::Client,
}

impl<S: MessageSuite> Foreign<S> {
    /// What a proof says of its chain.
    fn verify(
        &self,
        proof: &LedgerProof,
        rng: &mut rand::rngs::StdRng,
    ) -> Result<Verified, LightError> {
        self.client.verify(proof, rng)
    }
}

impl Relay {
    /// The relay chain's id.
    #[must_use]
    pub fn id(&self) -> ChainId {
        self.ledger.chain().id()
    }

    /// Looks an organisation up.
    ///
    /// # Errors
    ///
    /// [`ExchangeError::Unknown`].
    pub async fn look_up<S: MessageSuite>(
        &self,
        organisation: OrgId,
    ) -> Result<Foreign<S>, ExchangeError> {
        let unknown = || ExchangeError::Unknown(organisation);
        let keys = directory::keys(&self.directory, organisation);
        let mut found = self.ledger.get(&keys).await?.into_iter();
        let mut next = || {
            found
                .next()
                .and_then(|(_, record)| record)
                .ok_or_else(unknown)
        };
        let entry: Entry = decode(&next()?).ok_or_else(unknown)?;
        let network: directory::Network = decode(&next()?).ok_or_else(unknown)?;
        let issuers: directory::Issuers = decode(&next()?).ok_or_else(unknown)?;
        let key = Element::from_bytes(&issuers.key[..S::ELEMENT_BYTES]);
        if issuers.suite != S::CODE {
            return Err(unknown());
        }
        let epoch = u16::try_from(entry.epoch).map_err(|_| unknown())?;
        Ok(Foreign {
            issuers: Issuers {
                key: IssuerKey::new(key.map_err(|_| unknown())?),
                epoch,
            },
            client: light::Client::new(&entry.chain, network.key),
            entry,
        })
    }

    /// Whether the directory has an organisation.
    ///
    /// # Errors
    ///
    /// [`EdgeError::Read`].
    pub async fn knows(&self, organisation: OrgId) -> Result<bool, EdgeError> {
        let keys = directory::keys(&self.directory, organisation);
        let found = self.ledger.get(&keys).await?;
        Ok(found.iter().all(|(_, record)| record.is_some()))
    }

    /// What the chain has of an exchange.
    ///
    /// # Errors
    ///
    /// [`EdgeError::Read`].
    pub async fn record(&self, exchange: &[u8; 32]) -> Result<Option<ExchangeRecord>, EdgeError> {
        let key = relayed::exchange_key(&self.exchange, exchange);
        let found = self.ledger.get(&[key]).await?.remove(0).1;
        Ok(found.as_ref().and_then(decode))
    }

    /// The record of an exchange, once the owner has answered or the time for it is over.
    async fn answered(&self, exchange: &[u8; 32]) -> Result<ExchangeRecord, ExchangeError> {
        let mut blocks = self.ledger.chain().finalized();
        loop {
            let record = self.record(exchange).await?;
            let record = record.ok_or(ExchangeError::NotOpen)?;
            let now_ms = self.ledger.chain().status().time_ms;
            if record.state(now_ms) != State::Requested {
                return Ok(record);
            }
            if blocks.next().await.is_none() {
                return Err(cairn_chain::ReadError::Stopped.into());
            }
        }
    }

    /// The owner's and the requester's signatures, as far as they are there.
    ///
    /// # Errors
    ///
    /// [`EdgeError::Read`].
    pub async fn signatures(
        &self,
        exchange: &[u8; 32],
    ) -> Result<[Option<Signature>; 2], EdgeError> {
        let keys = relayed::signatures_keys(&self.exchange, exchange);
        let found = self.ledger.get(&keys).await?;
        let signature = |index: usize| found[index].1.as_ref().and_then(decode);
        Ok([signature(0), signature(1)])
    }

    async fn call<S: MessageSuite>(
        &self,
        edge: &Edge<S>,
        operation: &Operation,
    ) -> Result<TxId, ExchangeError> {
        let signed = edge
            .parts
            .operator
            .sign(&self.id(), &[], |nonce, expires_ms| {
                relayed::call(nonce, expires_ms, self.exchange, self.directory, operation)
            });
        let id = signed.id();
        self.ledger.execute(signed).await?;
        Ok(id)
    }
}

fn decode<T: commonware_codec::Read<Cfg = ()>>(record: &Record) -> Option<T> {
    record.decode_as().ok()
}

/// A request on its way to the owner.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The signed request.
    pub signed: Vec<u8>,
    /// That the requester's key is enrolled on its organisation's chain.
    pub enrolment: LedgerProof,
}

impl Asked {
    /// `length of the request (u32) ‖ request ‖ proof`.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.signed.len()).expect("a request has 288 bytes");
        let mut bytes = length.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.signed);
        bytes.extend_from_slice(&self.enrolment.encode());
        bytes
    }

    /// Reads what [`Asked::to_bytes`] wrote; `None` for anything else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (signed, proof) = rest.split_at_checked(length)?;
        Some(Self {
            signed: signed.to_vec(),
            enrolment: LedgerProof::decode(Copying(proof)).ok()?,
        })
    }
}

/// What the owner sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The exchange.
    pub exchange: [u8; 32],
    /// How many records.
    pub records: u64,
    /// Digest of their commitments.
    pub content: [u8; 32],
    /// SHA-256 of the envelope.
    pub envelope: [u8; 32],
    /// Its size.
    pub bytes: u64,
}

/// What the requester got.
#[derive(Clone, Debug)]
pub struct Received {
    /// How many records were in order.
    pub records: u64,
    /// Digest of their commitments.
    pub content: [u8; 32],
    /// SHA-256 of the envelope.
    pub envelope: [u8; 32],
    /// The contents, in order of time.
    pub contents: Vec<(u64, Vec<u8>)>,
}

impl<S: MessageSuite> Edge<S> {
    /// A opens an exchange and signs a request (step 1).
    ///
    /// # Errors
    ///
    /// [`ExchangeError`].
    pub async fn ask(
        &self,
        relay: &Relay,
        wanted: Wanted,
    ) -> Result<(Asked, Pending<S>), ExchangeError> {
        let expires_ms = self.now_ms() + WAIT_MS;
        let party = &self.parts.party;
        let (signed, pending) =
            Request::sign(relay.id(), party, wanted, expires_ms, &mut self.rng());
        let open = Operation::Open {
            exchange: pending.exchange(),
            requester: self.organisation(),
            owner: wanted.owner,
            deliver_by_ms: expires_ms,
        };
        relay.call(self, &open).await?;
        let key = party.shown().enrolment_key(&self.parts.records);
        let enrolment = self.parts.ledger.prove(&[key]).await?;
        Ok((Asked { signed, enrolment }, pending))
    }

    /// B answers a request (steps 2 to 4): writes the envelope into `sink` and posts its digest.
    /// A request that is refused is declined on the relay chain. When the reader of `sink` has gone the
    /// delivery is posted all the same: the receipt will be missing.
    ///
    /// # Errors
    ///
    /// [`ExchangeError`].
    pub async fn answer(
        &self,
        relay: &Relay,
        asked: &Asked,
        sink: mpsc::Sender<Vec<u8>>,
    ) -> Result<Sent, ExchangeError> {
        let request = match self.judge(relay, asked).await {
            Ok(request) => request,
            Err(ExchangeError::Request(error)) => {
                let decline = Operation::Decline {
                    exchange: cairn_exchange::request::exchange_id(&asked.signed),
                    owner: self.organisation(),
                    reason: error.reason(),
                };
                relay.call(self, &decline).await?;
                return Err(error.into());
            }
            Err(error) => return Err(error),
        };
        // What is acknowledged can be asked for: roots that are pending are anchored first.
        self.anchor().await?;
        let batches = self.batches(request.wanted()).await?;
        let shown = self.parts.party.shown();
        let mut keys = vec![shown.enrolment_key(&self.parts.records)];
        keys.extend(
            batches
                .keys()
                .map(|root| records::root_key(&self.parts.records, &root.0)),
        );
        let proof = self.parts.ledger.prove(&keys).await?;

        let (mut sealer, header) =
            Sealer::new(&self.parts.party, &request, self.now_ms(), &mut self.rng());
        let mut bytes = header.len() as u64;
        let _ = sink.send(header).await;
        let mut content = ContentDigest::default();
        let mut count = 0;
        let mut item = Item::Anchors(Box::new(proof.clone()));
        let mut from_ms = request.wanted().from_ms;
        loop {
            let times = from_ms..request.wanted().until_ms;
            let page = self
                .parts
                .vault
                .range(&request.wanted().device, times)
                .await?;
            for stored in page.records {
                let chunk = sealer.chunk(&item.to_bytes(), false);
                bytes += chunk.len() as u64;
                let _ = sink.send(chunk).await;
                content.add(&stored.record);
                count += 1;
                let commitments = &batches.get(&stored.batch).ok_or(ExchangeError::Vault)?;
                let leaf = stored.record.commitment();
                let index = commitments.iter().position(|c| *c == leaf);
                let path = index.and_then(|index| commitment::prove(commitments, index));
                item = Item::Record {
                    record: stored.record,
                    root: stored.batch,
                    path: path.ok_or(ExchangeError::Vault)?,
                };
            }
            match page.next {
                Some(next) => from_ms = next,
                None => break,
            }
        }
        let last = sealer.chunk(&item.to_bytes(), true);
        bytes += last.len() as u64;
        let _ = sink.send(last).await;
        drop(sink);
        let sent = Sent {
            exchange: request.exchange(),
            records: count,
            content: content.finish(),
            envelope: sealer.finish(),
            bytes,
        };
        let statement = Statement {
            exchange: sent.exchange,
            envelope: sent.envelope,
            is_accepted: None,
        };
        let roots: Vec<_> = batches.keys().map(|root| root.0).collect();
        let deliver = Operation::Deliver {
            exchange: sent.exchange,
            requester: request.requester().organisation,
            owner: self.organisation(),
            envelope: sent.envelope,
            receipt_by_ms: self.now_ms() + WAIT_MS,
            roots: roots
                .try_into()
                .map_err(|_| ExchangeError::TooManyBatches(batches.len()))?,
            proof: ForeignProof::of(&proof),
            signature: statement.sign(&relay.id(), self.parts.operator.key()),
        };
        relay.call(self, &deliver).await?;
        Ok(sent)
    }

    /// Step 2.
    async fn judge(&self, relay: &Relay, asked: &Asked) -> Result<Checked<S>, ExchangeError> {
        let (request, _) = Request::<S>::read(&asked.signed)?;
        let requester = request.requester;
        let organisation = requester.id.organisation;
        let id = cairn_exchange::request::exchange_id(&asked.signed);
        let record = relay.record(&id).await?.ok_or(ExchangeError::NotOpen)?;
        let is_ours = record.requester == organisation && record.owner == self.organisation();
        // An answered request is not answered again, whoever sends it.
        if !is_ours || record.state(self.now_ms()) != State::Requested {
            return Err(ExchangeError::NotOpen);
        }
        let foreign = relay.look_up::<S>(organisation).await?;
        let verified = foreign.verify(&asked.enrolment, &mut self.rng())?;
        requester
            .check_enrolled(&foreign.entry.records, &verified)
            .map_err(RequestError::Key)?;
        let rule = self.rule(organisation, &request.wanted.device).await?;
        let owner = Owner {
            relay: relay.id(),
            organisation: self.organisation(),
            grade: self.parts.grade,
            issuers: &foreign.issuers,
            rule,
        };
        Ok(owner.check(&asked.signed, self.now_ms())?)
    }

    /// The rule in force on the own chain: for the device, or for all.
    async fn rule(
        &self,
        requester: OrgId,
        device: &DeviceId,
    ) -> Result<Option<Rule>, ExchangeError> {
        let keys = [device.0, policy::ANY]
            .map(|device| policy::rule_key(&self.parts.policy, requester, &device));
        let found = self.parts.ledger.get(&keys).await?;
        Ok(found
            .iter()
            .find_map(|(_, record)| decode(record.as_ref()?)))
    }

    /// The batches in which the records lie, with their commitments in order.
    async fn batches(
        &self,
        wanted: &Wanted,
    ) -> Result<BTreeMap<Root, Vec<cairn_vault::Commitment>>, ExchangeError> {
        let vault = &self.parts.vault;
        let mut roots = BTreeSet::new();
        let mut from_ms = wanted.from_ms;
        loop {
            let page = vault
                .range(&wanted.device, from_ms..wanted.until_ms)
                .await?;
            roots.extend(page.records.iter().map(|stored| stored.batch));
            match page.next {
                Some(next) => from_ms = next,
                None => break,
            }
        }
        if roots.len() > MAX_BATCHES {
            return Err(ExchangeError::TooManyBatches(roots.len()));
        }
        let mut batches = BTreeMap::new();
        for root in roots {
            let Manifest(entries) = vault.manifest(&root).await?.ok_or(ExchangeError::Vault)?;
            batches.insert(root, entries.into_iter().map(|(_, c)| c).collect());
        }
        Ok(batches)
    }

    /// A opens the envelope and checks everything in it (step 5); `pieces` are its bytes as they come. Posts a receipt, or a complaint when something is not in order. Returns what came
    /// and the receipt's transaction.
    ///
    /// # Errors
    ///
    /// [`ExchangeError`].
    pub async fn receive(
        &self,
        relay: &Relay,
        pending: Pending<S>,
        pieces: mpsc::Receiver<Vec<u8>>,
    ) -> Result<(Received, TxId), ExchangeError> {
        let exchange = pending.exchange();
        let owner = relay.look_up::<S>(pending.wanted().owner).await?;
        let opened = self.open(&owner, pending, pieces).await;
        let record = relay.answered(&exchange).await?;
        let state = record.state(relay.ledger.chain().now_ms());
        if state != State::Delivered {
            return Err(ExchangeError::NotDelivered(state));
        }
        let opened = opened.and_then(|received| {
            let is_posted = received.envelope == record.envelope;
            is_posted
                .then_some(received)
                .ok_or(ExchangeError::OtherEnvelope)
        });
        let statement = Statement {
            exchange,
            envelope: record.envelope,
            is_accepted: Some(opened.is_ok()),
        };
        let receipt = Operation::Receipt {
            exchange,
            requester: self.organisation(),
            is_accepted: opened.is_ok(),
            signature: statement.sign(&relay.id(), self.parts.operator.key()),
        };
        let transaction = relay.call(self, &receipt).await;
        let received = opened?;
        Ok((received, transaction?))
    }

    async fn open(
        &self,
        owner: &Foreign<S>,
        pending: Pending<S>,
        mut pieces: mpsc::Receiver<Vec<u8>>,
    ) -> Result<Received, ExchangeError> {
        let mut rng = self.rng();
        let mut check = Check::new(*pending.wanted(), owner.entry.records);
        let mut opener = Opener::new(pending);
        let mut contents = Vec::new();
        while let Some(piece) = pieces.recv().await {
            for chunk in opener.feed(&piece, &owner.issuers, self.now_ms())? {
                match Item::from_bytes(&chunk)? {
                    Item::Anchors(proof) => {
                        let verified = owner.verify(&proof, &mut rng)?;
                        let sender = opener.owner().ok_or(DeliveryError::Malformed)?;
                        sender.check_enrolled(&owner.entry.records, &verified)?;
                        check.learn(&verified);
                    }
                    Item::Record { record, root, path } => {
                        check.record(&record, &root, &path)?;
                        contents.push((record.key().time_ms, record.content().to_vec()));
                    }
                }
            }
        }
        let envelope = opener.finish()?;
        let (records, content) = check.finish();
        Ok(Received {
            records,
            content,
            envelope,
            contents,
        })
    }
}
