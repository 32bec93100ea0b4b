//! The requester's signed request, and the owner's look at it.
//!
//! ```text
//! version 1 | suite 1 | relay 32 | requester (id 34, W ‖ attrs) | owner 2 | device 32 | t0 8 | t1 8 | grade 1
//!   | fresh key | expires 8 | nonce 16 | signature 64                       big endian, milliseconds
//! ```
//!
//! 288 bytes under `Sm2`. Its SHA-256 names the exchange on the relay chain.
//!
//! | rule | the owner refuses unless |
//! |---|---|
//! | V-REQ-1 | version and suite are ours, every field is canonical, nothing follows |
//! | V-REQ-2 | it is for this relay chain and this organisation |
//! | V-REQ-3 | the requester's key is valid (V-KEY-1 to V-KEY-5) |
//! | V-REQ-4 | its signature fits |
//! | V-REQ-5 | it has not expired, and is not valid for longer than a day |
//! | V-REQ-6 | the grade is that of this chain |
//! | V-REQ-7 | the policy on the owner's chain permits it now |
//! | V-REQ-8 | the times are not empty |

use cairn_contracts::{directory::OrgId, policy::Rule};
use cairn_crypto::{
    message::{MessageSuite, SIGNATURE_BYTES},
    suite::{Element, Secret},
};
use cairn_ledger::ChainId;
use cairn_vault::DeviceId;
use rand_core::CryptoRng;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::{
    keys::{Issuers, KeyError, Party, PartyId, Shown},
    wire::{Malformed, Reader},
};

/// Version of request and envelope.
pub const VERSION: u8 = 1;

/// The longest that a request may be valid, in milliseconds: a day.
pub const MAX_LIFE_MS: u64 = 24 * 3_600_000;

const DOMAIN: &[u8] = b"cairn/1/exchange/request";

/// Why an owner refuses a request. The requester is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RequestError {
    /// V-REQ-1.
    #[error("expected a request of version {VERSION} under this suite, every field canonical")]
    Malformed,
    /// V-REQ-2.
    #[error("the request is for another relay chain or another organisation")]
    Address,
    /// V-REQ-3.
    #[error("the requester's key: {0}")]
    Key(#[from] KeyError),
    /// V-REQ-4.
    #[error("the request's signature does not fit the requester's key")]
    Signature,
    /// V-REQ-5.
    #[error("the request has expired, or asks for more than a day's patience")]
    Expired,
    /// V-REQ-6.
    #[error("grade {asked} was asked for, this chain holds grade {held}")]
    Grade {
        /// What was asked for.
        asked: u8,
        /// What the chain holds.
        held: u8,
    },
    /// V-REQ-7.
    #[error("the owner's policy does not permit it")]
    Policy,
    /// V-REQ-8.
    #[error("the times asked for are empty")]
    Empty,
}

impl RequestError {
    /// What the requester may learn, as the number that goes on the relay chain.
    #[must_use]
    pub const fn reason(&self) -> u8 {
        match self {
            Self::Malformed | Self::Empty => 1,
            Self::Address => 2,
            Self::Key(_) | Self::Signature => 3,
            Self::Expired => 4,
            Self::Grade { .. } => 5,
            Self::Policy => 6,
        }
    }
}

impl From<Malformed> for RequestError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Who is asked.
    pub owner: OrgId,
    /// Whose records.
    pub device: DeviceId,
    /// From this time on, in milliseconds.
    pub from_ms: u64,
    /// Up to this time, excluded.
    pub until_ms: u64,
    /// Of this grade.
    pub grade: u8,
}

/// A request with its sender's name and key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<S: MessageSuite> {
    /// The relay chain.
    pub relay: ChainId,
    /// Who asks.
    pub requester: Shown<S>,
    /// For what.
    pub wanted: Wanted,
    /// Where the answer is to be sealed to.
    pub fresh: Element<S>,
    /// Until when the requester waits, milliseconds since 1970.
    pub expires_ms: u64,
    nonce: [u8; 16],
}

/// What the requester keeps until the answer comes. The fresh secret is erased on drop; has no
/// `Debug`.
pub struct Pending<S: MessageSuite> {
    pub(crate) request: Request<S>,
    pub(crate) digest: [u8; 32],
    pub(crate) fresh: Secret<S>,
}

impl<S: MessageSuite> Pending<S> {
    /// The name of the exchange.
    #[must_use]
    pub fn exchange(&self) -> [u8; 32] {
        self.digest
    }

    /// What was asked for.
    #[must_use]
    pub fn wanted(&self) -> &Wanted {
        &self.request.wanted
    }
}

/// SHA-256 of a signed request: the name of the exchange.
#[must_use]
pub fn exchange_id(signed: &[u8]) -> [u8; 32] {
    Sha256::digest(signed).into()
}

impl<S: MessageSuite> Request<S> {
    /// Length of a signed request, in bytes.
    pub const BYTES: usize = 1
        + 1
        + 32
        + Shown::<S>::BYTES
        + 2
        + 32
        + 8
        + 8
        + 1
        + S::ELEMENT_BYTES
        + 8
        + 16
        + SIGNATURE_BYTES;

    /// Signs a request. Returns its bytes, and what is needed to open the answer.
    #[must_use]
    pub fn sign(
        relay: ChainId,
        requester: &Party<S>,
        wanted: Wanted,
        expires_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> (Vec<u8>, Pending<S>) {
        let fresh = Secret::random(rng);
        let mut nonce = [0; 16];
        rng.fill_bytes(&mut nonce);
        let request = Self {
            relay,
            requester: requester.shown(),
            wanted,
            fresh: fresh.public(),
            expires_ms,
            nonce,
        };
        let mut signed = request.body();
        let signature = requester.sign(&[DOMAIN, &signed].concat(), rng);
        signed.extend_from_slice(&signature);
        let pending = Pending {
            request,
            digest: exchange_id(&signed),
            fresh,
        };
        (signed, pending)
    }

    fn body(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(Self::BYTES);
        body.extend_from_slice(&[VERSION, S::CODE]);
        body.extend_from_slice(&self.relay);
        self.requester.write(&mut body);
        body.extend_from_slice(&self.wanted.owner.0.to_be_bytes());
        body.extend_from_slice(&self.wanted.device.0);
        body.extend_from_slice(&self.wanted.from_ms.to_be_bytes());
        body.extend_from_slice(&self.wanted.until_ms.to_be_bytes());
        body.push(self.wanted.grade);
        body.extend_from_slice(self.fresh.to_bytes().as_ref());
        body.extend_from_slice(&self.expires_ms.to_be_bytes());
        body.extend_from_slice(&self.nonce);
        body
    }

    /// Reads a request; nothing is checked but its form (V-REQ-1).
    ///
    /// # Errors
    ///
    /// [`RequestError::Malformed`].
    pub fn read(signed: &[u8]) -> Result<(Self, [u8; SIGNATURE_BYTES]), RequestError> {
        let mut reader = Reader(signed);
        if reader.u8()? != VERSION || reader.u8()? != S::CODE {
            return Err(RequestError::Malformed);
        }
        let request = Self {
            relay: ChainId(reader.array()?),
            requester: Shown::read(&mut reader)?,
            wanted: Wanted {
                owner: OrgId(reader.u16()?),
                device: DeviceId(reader.array()?),
                from_ms: reader.u64()?,
                until_ms: reader.u64()?,
                grade: reader.u8()?,
            },
            fresh: reader.element()?,
            expires_ms: reader.u64()?,
            nonce: reader.array()?,
        };
        let signature = reader.array()?;
        reader.finish()?;
        Ok((request, signature))
    }
}

/// What the owner knows when a request comes.
pub struct Owner<'a, S: MessageSuite> {
    /// The relay chain.
    pub relay: ChainId,
    /// The owner's organisation.
    pub organisation: OrgId,
    /// The grade of its chain.
    pub grade: u8,
    /// The requester's issuers, from the directory and the requester's chain.
    pub issuers: &'a Issuers<S>,
    /// The rule for requester and device on the owner's chain, if there is one.
    pub rule: Option<Rule>,
}

/// A request that the owner is going to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked<S: MessageSuite> {
    pub(crate) request: Request<S>,
    pub(crate) digest: [u8; 32],
}

impl<S: MessageSuite> Checked<S> {
    /// The name of the exchange.
    #[must_use]
    pub fn exchange(&self) -> [u8; 32] {
        self.digest
    }

    /// Who asks.
    #[must_use]
    pub fn requester(&self) -> PartyId {
        self.request.requester.id
    }

    /// For what.
    #[must_use]
    pub fn wanted(&self) -> &Wanted {
        &self.request.wanted
    }
}

impl<S: MessageSuite> Owner<'_, S> {
    /// Checks a request (V-REQ-1 to V-REQ-8).
    ///
    /// # Errors
    ///
    /// [`RequestError`].
    pub fn check(&self, signed: &[u8], now_ms: u64) -> Result<Checked<S>, RequestError> {
        let (request, signature) = Request::<S>::read(signed)?;
        let wanted = &request.wanted;
        if request.relay != self.relay || wanted.owner != self.organisation {
            return Err(RequestError::Address);
        }
        let key = request.requester.key(self.issuers, now_ms)?;
        let id = request.requester.id.to_bytes();
        let body = &signed[..signed.len() - SIGNATURE_BYTES];
        S::verify(&key, &id, &[DOMAIN, body].concat(), &signature)
            .map_err(|_| RequestError::Signature)?;
        let latest = now_ms.saturating_add(MAX_LIFE_MS);
        if request.expires_ms < now_ms || request.expires_ms > latest {
            return Err(RequestError::Expired);
        }
        if wanted.from_ms >= wanted.until_ms {
            return Err(RequestError::Empty);
        }
        if wanted.grade != self.grade {
            return Err(RequestError::Grade {
                asked: wanted.grade,
                held: self.grade,
            });
        }
        let is_permitted = self.rule.as_ref();
        if !is_permitted.is_some_and(|rule| rule.permits(wanted.grade, now_ms)) {
            return Err(RequestError::Policy);
        }
        Ok(Checked {
            request,
            digest: exchange_id(signed),
        })
    }
}
