//! Certificateless keys of devices and edges (PROTOCOLS.md sections 2 and 9; GM/T 0130 under `Sm2`).
//!
//! 1. Several KGCs make the issuer key together, t of n; none of them ever holds it
//!    ([`cairn_crypto::issuer`]). Its public part stands in the relay chain's directory.
//! 2. A device draws its own part `u` and asks; t KGCs answer for the attributes: kind, group = its
//!    organisation, epoch, slot, and in the place of a vehicle's linkage value the first 9 bytes of
//!    the hash of its [`PartyId`]. The private key is `d = u + t`; no KGC knows it.
//! 3. `W ‖ attrs` is enrolled on the organisation's chain, one per device and epoch (E5): a KGC quorum
//!    that issues a second one cannot have it believed.
//! 4. Anyone computes the public key from `W ‖ attrs` and the issuer key ([`Shown::key`]), which checks:
//!
//! | rule | |
//! |---|---|
//! | V-KEY-1 | the key is one of an organisation |
//! | V-KEY-2 | of this organisation |
//! | V-KEY-3 | of this device |
//! | V-KEY-4 | of the current epoch |
//! | V-KEY-5 | its slot is on |
//! | V-KEY-6 | the certificate is the one that the organisation's chain has for device and epoch ([`Shown::check_enrolled`]) |

use std::collections::BTreeMap;

use cairn_contracts::{directory::OrgId, records};
use cairn_crypto::{
    credential::{self, Attributes, Certificate, Credential, IssuerKey, Kind, Slot, request_batch},
    issuer::{
        Issuer, KeyShare, Quorum, Round, Session,
        dkg::{Ceremony, Deals},
    },
    linkage::{LINKAGE_BYTES, LinkageValue},
    message::{MessageSuite, SIGNATURE_BYTES},
    suite::{Element, Suite},
};
use cairn_ledger::{Address, StateKey, hash, light::Verified};
use cairn_vault::DeviceId;
use rand_core::CryptoRng;
use thiserror::Error;

use crate::wire::{Malformed, Reader};

/// How far clocks of organisations may differ, in milliseconds (`THR`).
pub const TOLERANCE_MS: u64 = 2_000;

/// Why a key is refused. Whoever shows it is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// V-KEY-1.
    #[error("expected a key of an organisation's device, got another kind")]
    Kind,
    /// V-KEY-2.
    #[error("the key belongs to another organisation")]
    Organisation,
    /// V-KEY-3.
    #[error("the key belongs to another device")]
    Device,
    /// V-KEY-4.
    #[error("the key is of epoch {got}, the organisation is in epoch {expected}; enrol again")]
    Epoch {
        /// The organisation's epoch.
        expected: u16,
        /// The key's.
        got: u16,
    },
    /// V-KEY-5.
    #[error("the key is not valid at this time")]
    Slot,
    /// V-KEY-6.
    #[error("the certificate is not the one enrolled on its organisation's chain")]
    NotEnrolled,
    /// The public key is degenerate.
    #[error("the certificate gives no key")]
    Degenerate,
}

/// A device or edge, by its organisation and its own name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartyId {
    /// Its organisation.
    pub organisation: OrgId,
    /// Its name there.
    pub device: DeviceId,
}

impl PartyId {
    /// Length of the encoding, in bytes.
    pub const BYTES: usize = 2 + 32;

    /// `organisation ‖ device`: the name under which it signs.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..2].copy_from_slice(&self.organisation.0.to_be_bytes());
        bytes[2..].copy_from_slice(&self.device.0);
        bytes
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            organisation: OrgId(reader.u16()?),
            device: DeviceId(reader.array()?),
        })
    }

    /// What the issuers sign for this party.
    #[must_use]
    pub fn attributes(&self, epoch: u16, slot: Slot) -> Attributes {
        let name = hash(b"cairn/1/exchange/name", &[&self.to_bytes()]);
        let mut linkage = [0; LINKAGE_BYTES];
        linkage.copy_from_slice(&name[..LINKAGE_BYTES]);
        Attributes {
            kind: Kind::Organisation,
            linkage: LinkageValue(linkage),
            slot,
            group: self.organisation.0,
            epoch,
        }
    }
}

/// A party with its private key.
pub struct Party<S: Suite> {
    id: PartyId,
    credential: Credential<S>,
}

impl<S: MessageSuite> Party<S> {
    /// A party with a key that its issuers issued to it.
    #[must_use]
    pub fn new(id: PartyId, credential: Credential<S>) -> Self {
        Self { id, credential }
    }

    /// Who it is.
    #[must_use]
    pub fn id(&self) -> PartyId {
        self.id
    }

    /// What others need to check it.
    #[must_use]
    pub fn shown(&self) -> Shown<S> {
        Shown {
            id: self.id,
            certificate: self.credential.certificate(),
        }
    }

    /// The credential, for the party's own store.
    #[must_use]
    pub fn credential(&self) -> &Credential<S> {
        &self.credential
    }

    /// Signs `message`, whose first field is a domain, in the party's name.
    #[must_use]
    pub fn sign(
        &self,
        message: &[u8],
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> [u8; SIGNATURE_BYTES] {
        S::sign(self.credential.secret(), &self.id.to_bytes(), message, rng)
    }
}

/// What a party shows of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown<S: Suite> {
    /// Who it says it is.
    pub id: PartyId,
    /// `W ‖ attrs`.
    pub certificate: Certificate<S>,
}

impl<S: MessageSuite> Shown<S> {
    /// Length of the encoding, in bytes.
    pub const BYTES: usize = PartyId::BYTES + Certificate::<S>::BYTES;

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.id.to_bytes());
        out.extend_from_slice(&self.certificate.to_bytes());
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            id: PartyId::read(reader)?,
            certificate: reader.certificate()?,
        })
    }

    /// The public key, if it is one of this party now (V-KEY-1 to V-KEY-5).
    ///
    /// # Errors
    ///
    /// [`KeyError`].
    pub fn key(&self, issuers: &Issuers<S>, now_ms: u64) -> Result<Element<S>, KeyError> {
        let shown = self.certificate.attributes();
        let expected = self.id.attributes(issuers.epoch, shown.slot);
        if shown.kind != expected.kind {
            return Err(KeyError::Kind);
        }
        if shown.group != expected.group {
            return Err(KeyError::Organisation);
        }
        if shown.linkage != expected.linkage {
            return Err(KeyError::Device);
        }
        if shown.epoch != expected.epoch {
            return Err(KeyError::Epoch {
                expected: expected.epoch,
                got: shown.epoch,
            });
        }
        if !shown.slot.contains(now_ms, TOLERANCE_MS) {
            return Err(KeyError::Slot);
        }
        let key = self.certificate.public_key(&issuers.key);
        key.map_err(|_| KeyError::Degenerate)
    }
}

impl<S: MessageSuite> Shown<S> {
    /// The state key under which the organisation's chain has this party's certificate.
    #[must_use]
    pub fn enrolment_key(&self, records: &Address) -> StateKey {
        let epoch = self.certificate.attributes().epoch;
        records::device_key(records, &self.id.device.0, epoch)
    }

    /// V-KEY-6, by what a light client found on the organisation's chain.
    ///
    /// # Errors
    ///
    /// [`KeyError::NotEnrolled`].
    pub fn check_enrolled(&self, records: &Address, verified: &Verified) -> Result<(), KeyError> {
        match verified.record(&self.enrolment_key(records)) {
            Some(Some(record)) if record.as_bytes() == self.certificate.to_bytes() => Ok(()),
            _ => Err(KeyError::NotEnrolled),
        }
    }
}

/// What is known of an organisation's issuers: their key, from the relay chain's directory, and the
/// organisation's epoch.
pub struct Issuers<S: Suite> {
    /// The issuer key.
    pub key: IssuerKey<S>,
    /// The epoch of keys that are valid now.
    pub epoch: u16,
}

/// Several KGCs in one process, t of n, for embedded networks and tests: every message between
/// them is a function call. KGCs of different operators exchange the same messages over a network.
pub struct Kgcs<S: Suite>(Vec<Issuer<S>>);

/// Why the KGCs failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KgcError {
    /// They refuse each other, or a request.
    #[error(transparent)]
    Issuer(#[from] cairn_crypto::issuer::Error),
    /// The device refuses the answer.
    #[error(transparent)]
    Credential(#[from] credential::Error),
}

impl<S: MessageSuite> Kgcs<S> {
    /// Makes the issuer key: everybody deals, everybody checks, everybody has a share.
    ///
    /// # Errors
    ///
    /// [`KgcError::Issuer`].
    pub fn generate(quorum: Quorum, rng: &mut impl CryptoRng) -> Result<Self, KgcError> {
        let mut id = [0; 32];
        rng.fill_bytes(&mut id);
        let mut dealings = BTreeMap::new();
        let mut openings = BTreeMap::new();
        for index in quorum.indices() {
            let ceremony = Ceremony { id, quorum, index };
            let (dealing, opening) = ceremony.begin::<S>(rng)?;
            dealings.insert(index, dealing);
            openings.insert(index, opening);
        }
        let mut dealt = Vec::new();
        let mut sent: BTreeMap<_, Deals<S>> = BTreeMap::new();
        for (index, dealing) in dealings {
            let mut others = openings.clone();
            others.remove(&index);
            let (collecting, deals) = dealing.deal(others)?;
            dealt.push((index, collecting));
            sent.insert(index, deals);
        }
        let finished = dealt.into_iter().map(|(to, collecting)| {
            let inbox: Deals<S> = sent
                .iter()
                .filter(|(from, _)| **from != to)
                .filter_map(|(from, deals)| Some((*from, deals.get(&to)?.clone())))
                .collect();
            Ok(Issuer::new(collecting.finish(&inbox)?))
        });
        finished.collect::<Result<_, _>>().map(Self)
    }

    /// KGCs whose shares were made earlier, in the order of their numbers.
    ///
    /// # Panics
    ///
    /// When there are none.
    #[must_use]
    pub fn new(kgcs: Vec<Issuer<S>>) -> Self {
        assert!(!kgcs.is_empty(), "at least one KGC");
        Self(kgcs)
    }

    /// Each one's share of the issuer key, to be kept by itself.
    pub fn shares(&self) -> impl Iterator<Item = &KeyShare<S>> {
        self.0.iter().map(Issuer::key)
    }

    /// The issuer key.
    #[must_use]
    pub fn issuer_key(&self) -> IssuerKey<S> {
        self.0[0].key().set().issuer_key()
    }

    /// Issues a key to a party, by the first t KGCs.
    ///
    /// # Errors
    ///
    /// [`KgcError`].
    pub fn enrol(
        &mut self,
        id: PartyId,
        epoch: u16,
        slot: Slot,
        rng: &mut impl CryptoRng,
    ) -> Result<Party<S>, KgcError> {
        let set = self.0[0].key().set().clone();
        let needed = usize::from(set.quorum().needed());
        let (pending, request) = request_batch::<S>(1, rng).remove(0);
        let commitments = self.0[..needed]
            .iter_mut()
            .map(|issuer| (issuer.key().index(), issuer.commit(rng)));
        let round = Round {
            request,
            attributes: id.attributes(epoch, slot),
            commitments: commitments.collect(),
        };
        let session = Session::new(set, round)?;
        let mut shares = BTreeMap::new();
        for issuer in &mut self.0[..needed] {
            shares.insert(issuer.key().index(), issuer.sign(session.round())?);
        }
        let sealed = session.finish(&shares)?.seal(rng);
        let credential = pending.open(&sealed, &self.issuer_key())?;
        Ok(Party::new(id, credential))
    }
}
