//! Whoever hears position messages and checks them: RSUs and other vehicles.

use std::collections::HashMap;

use cairn_contracts::{
    keys::{VehicleRecord, vehicle_key},
    misbehaviour::Signer,
};
use cairn_crypto::{
    linkage::{LinkageValue, Revocation},
    schnorr::{Batch, PUBLIC_KEY_BYTES, PublicKey},
};
use cairn_ledger::{Address, ChainId, Record, StateKey, Uid};
use rand_core::CryptoRng;

use super::{Attachment, PositionError, Signatory, Signed, attachment::Attributed};
use crate::{
    plausibility::{Claim, Subject},
    roadside::{AnonymousWhy, Issuers},
};

/// The most keys remembered of each kind, some 2 MB. When they are more, all are forgotten: those of
/// registered vehicles are decompressed again, credentials come again within a second.
const MAX_KNOWN: usize = 8_192;

/// Records that were looked up; `None`: the state has none.
type Records<'a> = HashMap<&'a StateKey, Option<&'a Record>>;

/// A message whose signature fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// What it says.
    pub claim: Claim,
    /// Who signed it, for evidence.
    pub signatory: Signatory,
}

/// Checks messages, and remembers keys: whoever is heard is heard again a second later.
pub struct Receiver {
    chain: ChainId,
    keys: Address,
    issuers: Issuers,
    /// Registered keys that were decompressed before. They are never trusted instead of a record.
    registered: HashMap<[u8; PUBLIC_KEY_BYTES], PublicKey>,
    credentials: HashMap<LinkageValue, Known>,
}

/// A credential of which a signature has fitted: the issuers know it, and it is the only one with its
/// linkage value.
#[derive(Clone, Copy)]
struct Known {
    attachment: Attachment,
    attributed: Attributed,
    key: PublicKey,
}

impl Receiver {
    /// A receiver that has heard nothing yet; `keys` is the instance of contract `keys`.
    #[must_use]
    pub fn new(chain: ChainId, keys: Address, issuers: Issuers) -> Self {
        Self {
            chain,
            keys,
            issuers,
            registered: HashMap::new(),
            credentials: HashMap::new(),
        }
    }

    /// What is known of the issuers and of revoked credentials.
    #[must_use]
    pub const fn issuers(&self) -> &Issuers {
        &self.issuers
    }

    /// Refuses the credentials of a vehicle from now on, as soon as its seeds are published in a final
    /// state. Returns those of the last two periods.
    pub fn revoke(&mut self, revocation: Revocation, now_ms: u64) -> Vec<LinkageValue> {
        self.issuers.revoke(revocation, now_ms)
    }

    /// The records that [`Receiver::verify`] needs, from one finalised state; each once. Anonymous
    /// messages need none.
    #[must_use]
    pub fn needs(&self, messages: &[Signed]) -> Vec<StateKey> {
        let named = messages.iter().map(|signed| signed.statement.signer);
        let mut needed: Vec<StateKey> = named
            .filter_map(|signer| match signer {
                Signer::Registered(uid) => Some(vehicle_key(&self.keys, &uid)),
                Signer::Anonymous(_) => None,
            })
            .collect();
        needed.sort_unstable();
        needed.dedup();
        needed
    }

    /// Rules `V-POS-3` to `V-POS-5` for many messages at once; one result for each, in order.
    ///
    /// `records` are what a finalised state says of [`Receiver::needs`]. The caller has checked ages
    /// when the messages came ([`Signed::check_age`]).
    pub fn verify(
        &mut self,
        messages: &[Signed],
        records: &[(StateKey, Option<Record>)],
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Vec<Result<Verified, PositionError>> {
        self.issuers.advance(now_ms);
        let records: Records<'_> = records
            .iter()
            .map(|(key, record)| (key, record.as_ref()))
            .collect();
        let mut batch = Batch::new();
        let mut places = Vec::with_capacity(messages.len());
        let mut new = Vec::new();
        let mut results = Vec::with_capacity(messages.len());
        for (place, signed) in messages.iter().enumerate() {
            let found = match signed.statement.signer {
                Signer::Registered(uid) => self.registered(&records, uid, now_ms),
                Signer::Anonymous(value) => {
                    let linkage = LinkageValue(value);
                    let known = self.anonymous(linkage, signed.attachment, now_ms);
                    known.map(|known| {
                        new.push((place, linkage, known));
                        let attachment = known.attachment;
                        let signatory = Signatory::Anonymous {
                            linkage,
                            attachment,
                        };
                        (known.key, signatory)
                    })
                }
            };
            results.push(found.map(|(key, signatory)| {
                batch.push(key, signed.statement.digest(&self.chain), signed.signature);
                places.push(place);
                let claim = signed.statement.claim(Subject(key.to_bytes()));
                Verified { claim, signatory }
            }));
        }
        for bad in batch.verify(rng).err().unwrap_or_default() {
            let place = places[bad];
            let signer = messages[place].statement.signer;
            results[place] = Err(PositionError::Signature(signer));
        }
        for (place, linkage, known) in new {
            if results[place].is_ok() {
                self.remember(linkage, known);
            }
        }
        results
    }

    /// `V-POS-3` of a registered key.
    fn registered(
        &mut self,
        records: &Records<'_>,
        uid: Uid,
        now_ms: u64,
    ) -> Result<(PublicKey, Signatory), PositionError> {
        let name = vehicle_key(&self.keys, &uid);
        let record = records
            .get(&name)
            .ok_or(PositionError::RecordMissing(name))?;
        let record = record.ok_or(PositionError::NotRegistered(uid))?;
        let record: VehicleRecord = record
            .decode_as()
            .map_err(|_| PositionError::RecordMalformed(name))?;
        if !record.is_valid_at(now_ms) {
            return Err(PositionError::NotValid(uid));
        }
        let key = self
            .key(&record.key)
            .ok_or(PositionError::RecordMalformed(name))?;
        let signatory = Signatory::Registered {
            uid,
            key: record.key,
        };
        Ok((key, signatory))
    }

    /// The registered key with this encoding; `None` if there is none.
    fn key(&mut self, bytes: &[u8; PUBLIC_KEY_BYTES]) -> Option<PublicKey> {
        if let Some(known) = self.registered.get(bytes) {
            return Some(*known);
        }
        let key = PublicKey::from_bytes(bytes).ok()?;
        if self.registered.len() >= MAX_KNOWN {
            self.registered.clear();
        }
        self.registered.insert(*bytes, key);
        Some(key)
    }

    /// `V-POS-3` and `V-POS-5` of a credential. An attachment that is not the known one is tried, and
    /// remembered only if the signature fits: so nobody spoils what is known of another's credential.
    fn anonymous(
        &self,
        linkage: LinkageValue,
        attachment: Option<Attachment>,
        now_ms: u64,
    ) -> Result<Known, PositionError> {
        let refused = |why| PositionError::Credential(linkage, why);
        // Also of one that was never heard with its credential.
        if !self.issuers.admits(&linkage) {
            return Err(refused(AnonymousWhy::Revoked));
        }
        let known = self.credentials.get(&linkage).copied();
        let is_same = |known: &Known| attachment.is_none_or(|other| other == known.attachment);
        if let Some(known) = known.filter(is_same) {
            let Attributed { period, attributes } = known.attributed;
            self.issuers
                .check(period, &attributes, now_ms)
                .map_err(refused)?;
            return Ok(known);
        }
        let attachment = attachment.ok_or(PositionError::NoCredential(linkage))?;
        let attributed = attachment
            .attributed(linkage, self.issuers.policy())
            .map_err(refused)?;
        self.issuers
            .check(attributed.period, &attributed.attributes, now_ms)
            .map_err(refused)?;
        let key = attachment
            .key(&attributed, &self.issuers)
            .map_err(refused)?;
        Ok(Known {
            attachment,
            attributed,
            key,
        })
    }

    fn remember(&mut self, linkage: LinkageValue, known: Known) {
        if self.credentials.len() >= MAX_KNOWN && !self.credentials.contains_key(&linkage) {
            self.credentials.clear();
        }
        self.credentials.insert(linkage, known);
    }
}
