//! A member: its keys, its credentials, its uploads.

use cairn_crypto::{
    credential::{Credential, IssuerKey, Kind, Pending, Request, request_batch},
    linkage::Period,
    possession::{GroupSecret, KeyId, RecordDigest},
    schnorr::{PUBLIC_KEY_BYTES, PublicKey, SecretKey, Signature},
    suite::{Element, SCALAR_BYTES, Secret, Suite as _},
    transcript::{Digest, Domain, Transcript},
};
use cairn_ledger::Address;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::{
    Authorisation, GroupError, GroupId, Name, Suite, Terms, open_secret, period_at, period_of,
};
use crate::THR_MS;

const ADMISSION: Domain = Domain::new("cairn/1/group/admission");
const APPLICATION: Domain = Domain::new("cairn/1/group/application");

/// A request to become a member. The channel to the manager hides it.
#[derive(Clone, Debug)]
pub struct Admission {
    /// The name that the manager keeps.
    pub name: Name,
    /// Key that will sign requests.
    pub key: [u8; PUBLIC_KEY_BYTES],
    /// Key to which secrets are sealed.
    pub sealing: [u8; Suite::ELEMENT_BYTES],
    /// By the first key, over all of this.
    pub signature: Signature,
}

impl Admission {
    /// `V-GROUP-2`.
    pub(super) fn check(&self, group: &GroupId) -> Result<(), GroupError> {
        Element::<Suite>::from_bytes(&self.sealing).map_err(|_| GroupError::Signature)?;
        let statement = admission(group, &self.name, &self.key, &self.sealing);
        PublicKey::from_bytes(&self.key)?
            .verify(&statement, &self.signature)
            .map_err(|_| GroupError::Signature)
    }
}

/// A member's request for credentials.
#[derive(Clone, Debug)]
pub struct Application {
    /// The member's number.
    pub member: u32,
    /// Group, epoch and week.
    pub terms: Terms,
    /// One for each credential.
    pub requests: Vec<Request<Suite>>,
    /// By the member's key, over all of this.
    pub signature: Signature,
}

impl Application {
    /// `V-GROUP-3`.
    pub(super) fn check(&self, group: &GroupId, key: &PublicKey) -> Result<(), GroupError> {
        let statement = application(group, self.member, &self.terms, &self.requests);
        if self.terms.group != group.number {
            return Err(GroupError::NotAMember);
        }
        key.verify(&statement, &self.signature)
            .map_err(|_| GroupError::Signature)
    }
}

/// A member of one group. Has no `Debug`; secrets are erased on drop.
pub struct Member {
    group: GroupId,
    number: u32,
    signing: SecretKey,
    sealing: Secret<Suite>,
    credentials: Vec<Credential<Suite>>,
}

impl Member {
    /// Draws the keys of somebody who wants to join, and the request to the manager.
    #[must_use]
    pub fn apply_for_admission(
        group: &GroupId,
        name: Name,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> (Applicant, Admission) {
        let (signing, sealing) = (SecretKey::random(rng), Secret::<Suite>::random(rng));
        let (key, public) = (signing.public().to_bytes(), sealing.public().to_bytes());
        let admission = Admission {
            name,
            key,
            sealing: public,
            signature: signing.sign(&admission(group, &name, &key, &public), rng),
        };
        let applicant = Applicant {
            group: *group,
            signing,
            sealing,
        };
        (applicant, admission)
    }

    /// The member's number in the manager's register.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Asks for `count` credentials, at most [`PER_PERIOD`](super::PER_PERIOD). What is returned
    /// first stays with the member until the answers come.
    #[must_use]
    pub fn apply(
        &self,
        epoch: u16,
        period: Period,
        count: u8,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> (Vec<Pending<Suite>>, Application) {
        let terms = Terms {
            group: self.group.number,
            epoch,
            period,
        };
        let (pending, requests): (Vec<_>, Vec<_>) = request_batch(count, rng).into_iter().unzip();
        let statement = application(&self.group, self.number, &terms, &requests);
        let application = Application {
            member: self.number,
            terms,
            requests,
            signature: self.signing.sign(&statement, rng),
        };
        (pending, application)
    }

    /// Takes in the issuers' answer to one request.
    ///
    /// # Errors
    ///
    /// [`GroupError::Credential`] for an answer that is not the issuers' or not to this request,
    /// [`GroupError::OtherTerms`].
    pub fn take(
        &mut self,
        pending: &Pending<Suite>,
        sealed: &[u8],
        terms: &Terms,
        issuer: &IssuerKey<Suite>,
    ) -> Result<(), GroupError> {
        let credential = pending.open(sealed, issuer)?;
        let got = credential.certificate().attributes();
        let is_asked = got.kind == Kind::Uploader
            && got.group == terms.group
            && got.epoch == terms.epoch
            && Some(got.slot) == terms.slot();
        if !is_asked {
            return Err(GroupError::OtherTerms);
        }
        self.credentials.push(credential);
        Ok(())
    }

    /// Unused credentials of an epoch and of the week of a time (ms since 1970).
    #[must_use]
    pub fn unused(&self, epoch: u16, now_ms: u64) -> usize {
        let usable = self.credentials.iter().filter(|c| fits(c, epoch, now_ms));
        usable.count()
    }

    /// Takes out a credential, for one record. Store the member without it before it is used: it
    /// must not serve twice.
    ///
    /// # Errors
    ///
    /// [`GroupError::NoCredential`].
    pub fn spend(&mut self, epoch: u16, now_ms: u64) -> Result<Spent, GroupError> {
        let at = self.credentials.iter().position(|c| fits(c, epoch, now_ms));
        let credential = self.credentials.remove(at.ok_or(GroupError::NoCredential)?);
        Ok(Spent {
            group: self.group,
            credential,
        })
    }

    /// Opens the tagging secret of an epoch, which the manager sealed to this member. `kid` is the
    /// key that the ledger names for the epoch.
    ///
    /// # Errors
    ///
    /// [`GroupError::OtherSecret`].
    pub fn open_secret(
        &self,
        epoch: u16,
        sealed: &[u8],
        kid: &KeyId,
    ) -> Result<GroupSecret, GroupError> {
        open_secret(&self.group, epoch, &self.sealing, self.number, sealed, kid)
    }

    /// `number ‖ signing key ‖ sealing key ‖ credentials`, for an owner-only file.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let size = HEAD_BYTES + self.credentials.len() * Credential::<Suite>::BYTES;
        let mut bytes = Zeroizing::new(Vec::with_capacity(size));
        bytes.extend_from_slice(&self.number.to_be_bytes());
        bytes.extend_from_slice(&*self.signing.to_bytes());
        bytes.extend_from_slice(&*self.sealing.to_bytes());
        for credential in &self.credentials {
            bytes.extend_from_slice(&credential.to_bytes());
        }
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    ///
    /// [`GroupError::State`].
    pub fn from_bytes(
        group: &GroupId,
        bytes: &[u8],
        issuer: &IssuerKey<Suite>,
    ) -> Result<Self, GroupError> {
        let state = || GroupError::State;
        let (number, rest) = bytes.split_first_chunk().ok_or_else(state)?;
        let (signing, rest) = rest.split_first_chunk().ok_or_else(state)?;
        let (sealing, rest) = rest.split_first_chunk().ok_or_else(state)?;
        let credentials = rest.chunks_exact(Credential::<Suite>::BYTES);
        if !credentials.remainder().is_empty() {
            return Err(GroupError::State);
        }
        let credentials = credentials.map(|bytes| Credential::from_bytes(bytes, issuer));
        Ok(Self {
            group: *group,
            number: u32::from_be_bytes(*number),
            signing: SecretKey::from_bytes(signing).map_err(|_| GroupError::State)?,
            sealing: Secret::from_bytes(sealing).map_err(|_| GroupError::State)?,
            credentials: credentials
                .collect::<Result<_, _>>()
                .map_err(|_| GroupError::State)?,
        })
    }
}

/// Somebody who wants to join and has no number yet.
pub struct Applicant {
    group: GroupId,
    signing: SecretKey,
    sealing: Secret<Suite>,
}

impl Applicant {
    /// The manager admitted it under this number.
    #[must_use]
    pub fn admitted(self, number: u32) -> Member {
        Member {
            group: self.group,
            number,
            signing: self.signing,
            sealing: self.sealing,
            credentials: Vec::new(),
        }
    }
}

/// A credential on its way to its one use.
pub struct Spent {
    group: GroupId,
    credential: Credential<Suite>,
}

impl Spent {
    /// Authorises a record of contract `files` at `contract`.
    #[must_use]
    pub fn authorise(
        self,
        contract: &Address,
        record: &RecordDigest,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Authorisation {
        Authorisation::new(&self.credential, &self.group.chain, contract, record, rng)
    }
}

/// Bytes of a stored member before its credentials.
const HEAD_BYTES: usize = 4 + 2 * SCALAR_BYTES;

fn fits(credential: &Credential<Suite>, epoch: u16, now_ms: u64) -> bool {
    let attributes = credential.certificate().attributes();
    // The record is made somewhat later.
    attributes.epoch == epoch && period_of(attributes.slot) == period_at(now_ms + THR_MS)
}

fn admission(group: &GroupId, name: &Name, key: &[u8], sealing: &[u8]) -> Digest {
    Transcript::new(ADMISSION)
        .bytes(&group.chain)
        .number(u64::from(group.number))
        .bytes(&name.to_bytes())
        .bytes(key)
        .bytes(sealing)
        .finish()
}

fn application(group: &GroupId, member: u32, terms: &Terms, requests: &[Request<Suite>]) -> Digest {
    let start = Transcript::new(APPLICATION)
        .bytes(&group.chain)
        .number(u64::from(member))
        .number(u64::from(terms.group))
        .number(u64::from(terms.epoch))
        .number(u64::from(terms.period.0));
    let requests = requests.iter();
    requests
        .fold(start, |t, request| t.bytes(&request.to_bytes()))
        .finish()
}
