//! Issuing one credential with t of n issuers (steps of the [module](super)).

use std::collections::{BTreeMap, VecDeque};

use frost_core::{
    CheaterDetection, Error as FrostError, SigningPackage, aggregate_custom,
    round1::{self, NonceCommitment, SigningCommitments, SigningNonces},
    round2,
};
use rand_core::CryptoRng;

use super::frost::{Elem, Frost, Rng};
use super::{Error, IssuerIndex, IssuerSet, KeyShare, MAX_ISSUERS, Message};
use crate::credential::{ATTRIBUTE_BYTES, Attributes, Issued, Possessed, Request};
use crate::suite::{self, Element, Reader, SCALAR_BYTES, Secret, Suite};

/// Most nonces that an issuer keeps waiting for their round, a few hundred bytes each. Beyond,
/// the oldest is forgotten: whoever asks for commitments and never comes back must not stop others.
pub const MAX_OPEN: usize = 1_024;

/// Commitments to a pair of nonces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commitment<S: Suite> {
    hiding: Element<S>,
    binding: Element<S>,
}

impl<S: Suite> Commitment<S> {
    /// Length of the encoding, in bytes.
    pub const BYTES: usize = 2 * S::ELEMENT_BYTES;

    /// Reads [`Self::BYTES`] bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Encoding`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, Self::BYTES)?;
        Ok(Self {
            hiding: reader.element()?,
            binding: reader.element()?,
        })
    }

    /// The bytes `hiding ‖ binding`.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        [self.hiding.as_bytes(), self.binding.as_bytes()].concat()
    }

    fn from_frost(commitments: &SigningCommitments<Frost<S>>) -> Option<Self> {
        let element = |c: &NonceCommitment<Frost<S>>| Element::from_point(c.value().point).ok();
        Some(Self {
            hiding: element(commitments.hiding())?,
            binding: element(commitments.binding())?,
        })
    }

    fn to_frost(self) -> SigningCommitments<Frost<S>> {
        SigningCommitments::new(
            NonceCommitment::new(Elem::new(self.hiding.point())),
            NonceCommitment::new(Elem::new(self.binding.point())),
        )
    }
}

/// One issuer's share of `t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureShare<S: Suite>(round2::SignatureShare<Frost<S>>);

impl<S: Suite> SignatureShare<S> {
    /// Reads [`SCALAR_BYTES`] bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Encoding`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, SCALAR_BYTES)?;
        let bytes = reader.array::<SCALAR_BYTES>()?;
        let share = round2::SignatureShare::deserialize(&bytes);
        share
            .map(Self)
            .map_err(|_| Error::Encoding(suite::Error::Scalar))
    }

    /// The canonical scalar.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.serialize()
    }
}

/// What the coordinator sends to every issuer of a run: the request as the device wrote it, the
/// attributes, and who contributes which nonces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round<S: Suite> {
    /// The device's request.
    pub request: Request<S>,
    /// What will be signed.
    pub attributes: Attributes,
    /// Commitments of exactly as many issuers as are needed.
    pub commitments: BTreeMap<IssuerIndex, Commitment<S>>,
}

impl<S: Suite> Round<S> {
    /// `request ‖ attributes ‖ (index ‖ commitment)…`, ascending.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.request.to_bytes();
        bytes.extend_from_slice(&self.attributes.to_bytes());
        for (index, commitment) in &self.commitments {
            bytes.push(index.get());
            bytes.extend_from_slice(&commitment.to_bytes());
        }
        bytes
    }

    /// Reads a round for a set of issuers.
    ///
    /// # Errors
    ///
    /// [`Error::Encoding`], [`Error::Credential`], [`Error::Index`]; [`Error::Senders`] when
    /// issuers are not ascending.
    pub fn from_bytes(set: &IssuerSet<S>, bytes: &[u8]) -> Result<Self, Error> {
        const { assert!(MAX_ISSUERS < u8::MAX) };
        let needed = set.quorum().needed();
        let entry = 1 + Commitment::<S>::BYTES;
        let fixed = Request::<S>::BYTES + ATTRIBUTE_BYTES;
        let mut reader = Reader::new(bytes, fixed + usize::from(needed) * entry)?;
        let request = Request::from_bytes(reader.slice(Request::<S>::BYTES)?)?;
        let attributes = Attributes::from_bytes(&reader.array()?)?;
        let mut commitments = BTreeMap::new();
        for _ in 0..needed {
            let [number] = reader.array()?;
            let index = set.quorum().index(number)?;
            if commitments.keys().next_back() >= Some(&index) {
                return Err(Error::Senders);
            }
            let commitment = Commitment::from_bytes(reader.slice(Commitment::<S>::BYTES)?)?;
            commitments.insert(index, commitment);
        }
        Ok(Self {
            request,
            attributes,
            commitments,
        })
    }

    /// Checks possession and the set of issuers.
    fn check(&self, set: &IssuerSet<S>) -> Result<(Possessed<S>, SigningPackage<Frost<S>>), Error> {
        if self.commitments.len() != usize::from(set.quorum().needed()) {
            return Err(Error::Senders);
        }
        for index in self.commitments.keys() {
            set.quorum().index(index.get())?;
        }
        let request = self.request.check()?;
        let message = Message {
            handle: request.handle,
            attributes: self.attributes,
            key: request.key,
        };
        let commitments = self.commitments.iter();
        let commitments = commitments.map(|(index, c)| (index.identifier(), c.to_frost()));
        let package = SigningPackage::new(commitments.collect(), &message.to_bytes());
        Ok((request, package))
    }
}

/// An issuer at work: its share of the key, and nonces that wait for their round. Nonces are not
/// written anywhere; after a restart there are none. Has no `Debug`.
pub struct Issuer<S: Suite> {
    key: KeyShare<S>,
    open: VecDeque<(Commitment<S>, SigningNonces<Frost<S>>)>,
}

impl<S: Suite> Issuer<S> {
    /// Starts with a share and no nonces.
    #[must_use]
    pub fn new(key: KeyShare<S>) -> Self {
        let open = VecDeque::new();
        Self { key, open }
    }

    /// The share of the key.
    #[must_use]
    pub fn key(&self) -> &KeyShare<S> {
        &self.key
    }

    /// Draws a pair of nonces for one round.
    #[must_use]
    pub fn commit(&mut self, rng: &mut (impl CryptoRng + ?Sized)) -> Commitment<S> {
        let share = self.key.package.signing_share();
        let (commitment, nonces) = loop {
            let (nonces, commitments) = round1::commit(share, &mut Rng(&mut *rng));
            // A nonce of zero: as likely as guessing the key.
            if let Some(commitment) = Commitment::from_frost(&commitments) {
                break (commitment, nonces);
            }
        };
        if self.open.len() == MAX_OPEN {
            self.open.pop_front();
        }
        self.open.push_back((commitment, nonces));
        commitment
    }

    /// Computes our share for a round. The caller has checked, against ledger and own records,
    /// the signatures of TA and LEA and that handle, `U` and linkage value are new.
    ///
    /// Our nonces are used up as soon as the round names them, whatever comes of it.
    ///
    /// # Errors
    ///
    /// [`Error::Nonce`], [`Error::Senders`], [`Error::Index`], [`Error::Credential`].
    pub fn sign(&mut self, round: &Round<S>) -> Result<SignatureShare<S>, Error> {
        let ours = round.commitments.get(&self.key.index);
        let ours = ours.ok_or(Error::Nonce)?;
        let at = self.open.iter().position(|(c, _)| c == ours);
        let (_, nonces) = at.and_then(|at| self.open.remove(at)).ok_or(Error::Nonce)?;
        let (_, package) = round.check(&self.key.set)?;
        let share = round2::sign(&package, &nonces, &self.key.package);
        share.map(SignatureShare).map_err(|error| match error {
            FrostError::IncorrectCommitment => Error::Nonce,
            _ => Error::Degenerate,
        })
    }
}

/// A run as the coordinator sees it.
pub struct Session<S: Suite> {
    set: IssuerSet<S>,
    round: Round<S>,
    request: Possessed<S>,
    package: SigningPackage<Frost<S>>,
}

impl<S: Suite> Session<S> {
    /// Checks what will be asked of the issuers.
    ///
    /// # Errors
    ///
    /// [`Error::Senders`] unless as many issuers committed as are needed; [`Error::Index`];
    /// [`Error::Credential`] when the request does not prove possession.
    pub fn new(set: IssuerSet<S>, round: Round<S>) -> Result<Self, Error> {
        let (request, package) = round.check(&set)?;
        Ok(Self {
            set,
            round,
            request,
            package,
        })
    }

    /// What to send to the issuers that committed.
    #[must_use]
    pub fn round(&self) -> &Round<S> {
        &self.round
    }

    /// Adds the shares up and checks the sum; if it does not fit, every share.
    ///
    /// # Errors
    ///
    /// [`Error::Senders`] unless exactly one share came from each issuer of the round;
    /// [`Error::Shares`] names all who sent a bad one.
    pub fn finish(
        &self,
        shares: &BTreeMap<IssuerIndex, SignatureShare<S>>,
    ) -> Result<Issued<S>, Error> {
        if !shares.keys().eq(self.round.commitments.keys()) {
            return Err(Error::Senders);
        }
        let shares = shares
            .iter()
            .map(|(index, share)| (index.identifier(), share.0));
        let signature = aggregate_custom(
            &self.package,
            &shares.collect(),
            &self.set.package,
            CheaterDetection::AllCheaters,
        )
        .map_err(|error| match error {
            FrostError::InvalidSignatureShare { culprits } => {
                Error::Shares(self.set.quorum().culprits(&culprits))
            }
            _ => Error::Degenerate,
        })?;
        let w = Element::from_point(self.request.key.point() + signature.R().point)?;
        let t = Secret::from_scalar(*signature.z())?;
        Ok(Issued::new(self.request, w, self.round.attributes, t))
    }
}
