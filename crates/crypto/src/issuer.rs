//! Threshold issuers: n services hold shares of the issuer key `a`, any t of them issue, no
//! machine ever holds `a` (PROTOCOLS.md sections 1 and 2).
//!
//! Key ([`dkg`]; FROST's key generation, Komlo and Goldberg, SAC 2020, figure 1):
//!
//! 1. Every issuer draws a polynomial of degree t−1 and broadcasts commitments to its coefficients
//!    with a proof that it knows the constant one (without, the last to speak chooses the key alone: E1).
//! 2. It sends every other its value of the polynomial, over a confidential and authenticated
//!    channel, with the digest of all commitments that it saw (an issuer that told different
//!    peers different things stops the ceremony).
//! 3. Every value is checked against the commitments; a bad one names its sender. The sum is the share.
//!
//! Issuing one credential ([`signing`]; FROST, RFC 9591, with the challenge replaced):
//!
//! 1. t issuers each send a [`Commitment`] to a pair of fresh nonces. Nonces live in memory only
//!    and are taken out before they are used: they serve once and do not survive a crash.
//! 2. The coordinator (one of the issuers) sends request, attributes and all commitments: [`Round`].
//! 3. Every issuer checks possession itself, then answers with a [`SignatureShare`]. The signed
//!    message is `(handle, attrs, U)`, so the binding factors cover `U`; `W = U + R`,
//!    `c = H(domain, suite, A, W, attrs)`, `t = Σ shares = r + c·a`.
//! 4. The coordinator checks the sum, and when it does not fit, the shares one by one: bad ones
//!    name their senders, and the others go on with another set of t.
//!
//! Arithmetic and checks are `frost-core` 3.0.0 over ciphersuites of ours; its own Ristretto suite
//! would bring a second `curve25519-dalek`. Feature `internals` gives access to
//! `Challenge::from_scalar`. `rand_core` 0.6, which it takes, is adapted.
//!
//! A share of an issuer that restarts is read from its key file ([`KeyShare::to_bytes`]).

use std::collections::BTreeMap;

use frost_core::{
    Identifier,
    keys::{KeyPackage, PublicKeyPackage, SigningShare, VerifyingShare},
};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::credential::{self, ATTRIBUTE_BYTES, Attributes, HANDLE_BYTES, Handle, IssuerKey};
use crate::suite::{self, Element, Reader, SCALAR_BYTES, Suite};

pub mod dkg;
mod frost;
pub mod signing;

use frost::{Elem, Frost};
pub use signing::{Commitment, Issuer, MAX_OPEN, Round, Session, SignatureShare};

/// Most issuers of one key: each is a service of its own operator, and messages grow with them.
pub const MAX_ISSUERS: u8 = 16;

/// Why issuers refuse each other.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// Bytes that are no value of the suite.
    #[error(transparent)]
    Encoding(#[from] suite::Error),
    /// Request or attributes are refused.
    #[error(transparent)]
    Credential(#[from] credential::Error),
    /// Fewer than two needed, or more than there are.
    #[error("expected 2 <= needed <= issuers <= {MAX_ISSUERS}")]
    Quorum,
    /// No issuer has this number.
    #[error("expected an issuer from 1 to {issuers}, got {got}")]
    Index {
        /// Number of issuers.
        issuers: u8,
        /// Number that came.
        got: u8,
    },
    /// Messages of the wrong set of issuers.
    #[error("expected one message from each of the right issuers")]
    Senders,
    /// An issuer does not know the secret behind its commitment.
    #[error("issuer {0} does not prove that it knows its secret")]
    Possession(IssuerIndex),
    /// An issuer's deal does not fit its commitments.
    #[error("issuer {0} dealt a value that does not fit its commitments")]
    Deal(IssuerIndex),
    /// An issuer saw other commitments: somebody told two stories, or is in another ceremony.
    #[error("issuer {0} saw other commitments or is in another ceremony")]
    Ceremony(IssuerIndex),
    /// The commitments add up to a degenerate key.
    #[error("commitments add up to the identity")]
    Degenerate,
    /// The round has no nonce of this issuer, or one that was used or never made.
    #[error("expected a nonce of this issuer that was not used before")]
    Nonce,
    /// Shares that do not fit, by sender.
    #[error("issuers {0:?} sent shares that do not fit")]
    Shares(Vec<IssuerIndex>),
}

/// Number of an issuer, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IssuerIndex(u8);

impl IssuerIndex {
    /// The number.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }

    fn identifier<S: Suite>(self) -> Identifier<Frost<S>> {
        Identifier::new(S::Scalar::from(u64::from(self.0)))
            .expect("an index is neither zero nor as large as the group order")
    }
}

impl std::fmt::Display for IssuerIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// How many issuers there are and how many are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quorum {
    needed: u8,
    issuers: u8,
}

impl Default for Quorum {
    /// 2 of 3: survives the loss of one issuer, and one cannot issue.
    fn default() -> Self {
        let (needed, issuers) = (2, 3);
        Self { needed, issuers }
    }
}

impl Quorum {
    /// `needed` of `issuers`.
    ///
    /// # Errors
    ///
    /// [`Error::Quorum`] unless `2 <= needed <= issuers <=` [`MAX_ISSUERS`].
    pub fn new(needed: u8, issuers: u8) -> Result<Self, Error> {
        let fits = 2 <= needed && needed <= issuers && issuers <= MAX_ISSUERS;
        fits.then_some(Self { needed, issuers })
            .ok_or(Error::Quorum)
    }

    /// How many are needed.
    #[must_use]
    pub fn needed(self) -> u8 {
        self.needed
    }

    /// How many there are.
    #[must_use]
    pub fn issuers(self) -> u8 {
        self.issuers
    }

    /// The issuer with a number.
    ///
    /// # Errors
    ///
    /// [`Error::Index`].
    pub fn index(self, number: u8) -> Result<IssuerIndex, Error> {
        let issuers = self.issuers;
        (1..=issuers)
            .contains(&number)
            .then_some(IssuerIndex(number))
            .ok_or(Error::Index {
                issuers,
                got: number,
            })
    }

    /// All issuers, ascending.
    pub fn indices(self) -> impl Iterator<Item = IssuerIndex> {
        (1..=self.issuers).map(IssuerIndex)
    }

    fn culprits<S: Suite>(self, culprits: &[Identifier<Frost<S>>]) -> Vec<IssuerIndex> {
        self.indices()
            .filter(|index| culprits.contains(&index.identifier()))
            .collect()
    }
}

/// What is public about a set of issuers: quorum, `A`, and every issuer's `a_i·P`.
#[derive(Clone)]
pub struct IssuerSet<S: Suite> {
    quorum: Quorum,
    key: Element<S>,
    package: PublicKeyPackage<Frost<S>>,
}

impl<S: Suite> IssuerSet<S> {
    fn new(quorum: Quorum, package: PublicKeyPackage<Frost<S>>) -> Result<Self, Error> {
        let key = package.verifying_key().to_element().point;
        let key = Element::from_point(key).map_err(|_| Error::Degenerate)?;
        Ok(Self {
            quorum,
            key,
            package,
        })
    }

    /// The quorum.
    #[must_use]
    pub fn quorum(&self) -> Quorum {
        self.quorum
    }

    /// `A`, prepared for checking credentials.
    #[must_use]
    pub fn issuer_key(&self) -> IssuerKey<S> {
        IssuerKey::new(self.key)
    }

    /// `a_i·P` of the issuer with a number; `None` when there is none.
    #[must_use]
    pub fn share(&self, number: u8) -> Option<Element<S>> {
        let index = self.quorum.index(number).ok()?;
        let share = self.package.verifying_shares().get(&index.identifier())?;
        Element::from_point(share.to_element().point).ok()
    }

    /// `needed ‖ issuers ‖ A ‖ a_1·P ‖ … ‖ a_n·P`.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![self.quorum.needed, self.quorum.issuers];
        bytes.extend_from_slice(self.key.as_bytes());
        for index in self.quorum.indices() {
            let share = &self.package.verifying_shares()[&index.identifier()];
            bytes.extend_from_slice(S::encode(&share.to_element().point).as_ref());
        }
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote. That `A` belongs to the shares is not checked here: a
    /// set comes from the own ceremony or from the ledger.
    ///
    /// # Errors
    ///
    /// [`Error::Quorum`] and [`Error::Encoding`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let (needed, issuers) = match bytes {
            [needed, issuers, ..] => (*needed, *issuers),
            _ => return Err(Error::Quorum),
        };
        let quorum = Quorum::new(needed, issuers)?;
        let expected = 2 + S::ELEMENT_BYTES * (usize::from(issuers) + 1);
        let mut reader = Reader::new(bytes, expected)?;
        reader.slice(2)?;
        let key = reader.element::<S>()?;
        let mut shares = BTreeMap::new();
        for index in quorum.indices() {
            let share = VerifyingShare::new(Elem::new(reader.element::<S>()?.point()));
            shares.insert(index.identifier(), share);
        }
        let verifying = frost_core::VerifyingKey::new(Elem::new(key.point()));
        let package = PublicKeyPackage::new(shares, verifying, Some(needed.into()));
        Self::new(quorum, package)
    }
}

/// One issuer's share of `a`. Erased on drop; has no `Debug`.
pub struct KeyShare<S: Suite> {
    index: IssuerIndex,
    set: IssuerSet<S>,
    package: KeyPackage<Frost<S>>,
}

impl<S: Suite> KeyShare<S> {
    /// Whose share it is.
    #[must_use]
    pub fn index(&self) -> IssuerIndex {
        self.index
    }

    /// The public part.
    #[must_use]
    pub fn set(&self) -> &IssuerSet<S> {
        &self.set
    }

    /// `index ‖ a_i ‖ set`, for an owner-only key file.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let set = self.set.to_bytes();
        let mut bytes = Zeroizing::new(Vec::with_capacity(1 + SCALAR_BYTES + set.len()));
        bytes.push(self.index.0);
        let share = Zeroizing::new(S::encode_scalar(&self.package.signing_share().to_scalar()));
        bytes.extend_from_slice(share.as_slice());
        bytes.extend_from_slice(&set);
        bytes
    }

    /// Reads a key file.
    ///
    /// # Errors
    ///
    /// [`Error::Encoding`], [`Error::Quorum`], [`Error::Index`]; [`Error::Deal`] when the share
    /// is not the one whose public part stands in the set.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let (head, set) = bytes
            .split_at_checked(1 + SCALAR_BYTES)
            .ok_or(suite::Error::Length {
                expected: 1 + SCALAR_BYTES,
                got: bytes.len(),
            })?;
        let set = IssuerSet::from_bytes(set)?;
        let mut reader = Reader::new(head, 1 + SCALAR_BYTES)?;
        let [number] = reader.array()?;
        let index = set.quorum.index(number)?;
        let share = SigningShare::new(reader.scalar::<S>()?);
        let public = VerifyingShare::from(share);
        if set.package.verifying_shares().get(&index.identifier()) != Some(&public) {
            return Err(Error::Deal(index));
        }
        let package = KeyPackage::new(
            index.identifier(),
            share,
            public,
            *set.package.verifying_key(),
            set.quorum.needed.into(),
        );
        Ok(Self {
            index,
            set,
            package,
        })
    }
}

/// The message of a signing run: `handle ‖ attributes ‖ U`.
struct Message<S: Suite> {
    handle: Handle,
    attributes: Attributes,
    key: Element<S>,
}

impl<S: Suite> Message<S> {
    fn from_bytes(bytes: &[u8]) -> Result<Self, credential::Error> {
        let expected = HANDLE_BYTES + ATTRIBUTE_BYTES + S::ELEMENT_BYTES;
        let mut reader = Reader::new(bytes, expected)?;
        Ok(Self {
            handle: Handle(reader.array()?),
            attributes: Attributes::from_bytes(&reader.array()?)?,
            key: reader.element()?,
        })
    }

    fn to_bytes(&self) -> Vec<u8> {
        let attributes = self.attributes.to_bytes();
        [&self.handle.0, attributes.as_slice(), self.key.as_bytes()].concat()
    }
}
