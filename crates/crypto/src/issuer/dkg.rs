//! The ceremony in which issuers generate their key together (steps of the
//! [module](super)): [`Ceremony::begin`] → [`Dealing::deal`] → [`Collecting::finish`].
//!
//! The caller brings an authenticated broadcast for [`Opening`]s and confidential,
//! authenticated channels for [`Deal`]s, and repeats a failed ceremony without the issuer that the
//! error names. Values that a ceremony drew are erased when it fails. The key counts when all
//! issuers have published the same [`IssuerSet`]: one that finished cannot know of the others.
//!
//! Whoever speaks last can try several polynomials and so choose a few bits of `A`. That is known
//! of this family and harmless for Schnorr signatures; nobody learns anything about `a`.

use std::collections::BTreeMap;

use frost_core::{
    Error as FrostError, Signature,
    keys::{
        CoefficientCommitment, SigningShare, VerifiableSecretSharingCommitment,
        dkg::{self, round1, round2},
    },
};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::frost::{Elem, Frost, Rng};
use super::{Error, IssuerIndex, IssuerSet, KeyShare, Quorum};
use crate::suite::{Reader, SCALAR_BYTES, Suite};
use crate::transcript::Domain;

const SEEN: Domain = Domain::new("cairn/1/issuer/ceremony");
const SEEN_BYTES: usize = 32;

/// One run of key generation.
#[derive(Clone, Copy, Debug)]
pub struct Ceremony {
    /// Names the run; never the same twice among the same issuers.
    pub id: [u8; 32],
    /// Who takes part and how many will be needed.
    pub quorum: Quorum,
    /// Who we are.
    pub index: IssuerIndex,
}

/// What an issuer broadcasts first: commitments to its polynomial, and a proof.
#[derive(Clone)]
pub struct Opening<S: Suite> {
    package: round1::Package<Frost<S>>,
    bytes: Vec<u8>,
}

impl<S: Suite> Opening<S> {
    fn new(package: round1::Package<Frost<S>>) -> Self {
        let mut bytes = Vec::new();
        for coefficient in package.commitment().coefficients() {
            bytes.extend_from_slice(S::encode(&coefficient.value().point).as_ref());
        }
        let proof = package.proof_of_knowledge();
        bytes.extend_from_slice(S::encode(&proof.R().point).as_ref());
        bytes.extend_from_slice(&S::encode_scalar(proof.z()));
        Self { package, bytes }
    }

    /// `C_0 ‖ … ‖ C_{t−1} ‖ R ‖ z`.
    #[must_use]
    pub fn to_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Reads an opening in a ceremony with this quorum.
    ///
    /// # Errors
    ///
    /// [`Error::Encoding`].
    pub fn from_bytes(quorum: Quorum, bytes: &[u8]) -> Result<Self, Error> {
        let needed = usize::from(quorum.needed());
        let expected = (needed + 1) * S::ELEMENT_BYTES + SCALAR_BYTES;
        let mut reader = Reader::new(bytes, expected)?;
        let mut element = || reader.element::<S>().map(|e| Elem::new(e.point()));
        let coefficients: Result<Vec<_>, _> = (0..needed).map(|_| element()).collect();
        let coefficients = coefficients?.into_iter().map(CoefficientCommitment::new);
        let commitment = VerifiableSecretSharingCommitment::new(coefficients.collect());
        let proof = Signature::new(element()?, reader.scalar::<S>()?);
        Ok(Self::new(round1::Package::new(commitment, proof)))
    }
}

/// What one issuer sends another in confidence. Erased on drop; has no `Debug`.
#[derive(Clone)]
pub struct Deal<S: Suite> {
    seen: [u8; SEEN_BYTES],
    package: round2::Package<Frost<S>>,
}

impl<S: Suite> Deal<S> {
    /// Length of the encoding, in bytes.
    pub const BYTES: usize = SEEN_BYTES + SCALAR_BYTES;

    /// Digest of the openings, then the value of the polynomial.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let value = Zeroizing::new(S::encode_scalar(&self.package.signing_share().to_scalar()));
        Zeroizing::new([self.seen.as_slice(), value.as_slice()].concat())
    }

    /// Reads [`Self::BYTES`] bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Encoding`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, Self::BYTES)?;
        Ok(Self {
            seen: reader.array()?,
            package: round2::Package::new(SigningShare::new(reader.scalar::<S>()?)),
        })
    }
}

/// Deals by issuer: by receiver as they are made, by sender as they come in.
pub type Deals<S> = BTreeMap<IssuerIndex, Deal<S>>;

/// After the own opening, before those of the others. Erased on drop; has no `Debug`.
pub struct Dealing<S: Suite> {
    ceremony: Ceremony,
    secret: round1::SecretPackage<Frost<S>>,
    own: Opening<S>,
}

/// After the own deals, before those of the others. Erased on drop; has no `Debug`.
pub struct Collecting<S: Suite> {
    ceremony: Ceremony,
    secret: round2::SecretPackage<Frost<S>>,
    openings: BTreeMap<IssuerIndex, Opening<S>>,
    seen: [u8; SEEN_BYTES],
}

impl Ceremony {
    /// Draws a polynomial. The opening is for everybody.
    ///
    /// # Errors
    ///
    /// [`Error::Index`] when we take no part.
    pub fn begin<S: Suite>(
        self,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<(Dealing<S>, Opening<S>), Error> {
        let index = self.quorum.index(self.index.get())?;
        let (issuers, needed) = (self.quorum.issuers(), self.quorum.needed());
        let (secret, package) =
            dkg::part1(index.identifier(), issuers.into(), needed.into(), Rng(rng))
                .map_err(|_| Error::Quorum)?;
        let own = Opening::new(package);
        let dealing = Dealing {
            ceremony: self,
            secret,
            own: own.clone(),
        };
        Ok((dealing, own))
    }

    fn others(&self) -> impl Iterator<Item = IssuerIndex> + use<> {
        let own = self.index;
        self.quorum.indices().filter(move |index| *index != own)
    }
}

impl<S: Suite> Dealing<S> {
    /// Takes the others' openings and makes one deal for each.
    ///
    /// # Errors
    ///
    /// [`Error::Senders`] unless exactly one opening came from each other issuer;
    /// [`Error::Possession`].
    pub fn deal(
        self,
        openings: BTreeMap<IssuerIndex, Opening<S>>,
    ) -> Result<(Collecting<S>, Deals<S>), Error> {
        let ceremony = self.ceremony;
        if !ceremony.others().eq(openings.keys().copied()) {
            return Err(Error::Senders);
        }
        let packages = openings
            .iter()
            .map(|(index, opening)| (index.identifier(), opening.package.clone()))
            .collect();
        let (secret, deals) = dkg::part2(self.secret, &packages).map_err(|error| match error {
            FrostError::InvalidProofOfKnowledge { culprit } => {
                named(ceremony.quorum, culprit, Error::Possession)
            }
            _ => Error::Senders,
        })?;
        let mut openings = openings;
        openings.insert(ceremony.index, self.own);
        let seen = seen(&ceremony, &openings);
        let deals = ceremony
            .others()
            .filter_map(|index| {
                let package = deals.get(&index.identifier())?.clone();
                Some((index, Deal { seen, package }))
            })
            .collect();
        let collecting = Collecting {
            ceremony,
            secret,
            openings,
            seen,
        };
        Ok((collecting, deals))
    }
}

impl<S: Suite> Collecting<S> {
    /// Takes the others' deals and computes the share of the key.
    ///
    /// # Errors
    ///
    /// [`Error::Senders`], [`Error::Ceremony`], [`Error::Deal`], [`Error::Degenerate`].
    pub fn finish(self, deals: &Deals<S>) -> Result<KeyShare<S>, Error> {
        let ceremony = self.ceremony;
        if !ceremony.others().eq(deals.keys().copied()) {
            return Err(Error::Senders);
        }
        if let Some((index, _)) = deals.iter().find(|(_, deal)| deal.seen != self.seen) {
            return Err(Error::Ceremony(*index));
        }
        let openings = ceremony
            .others()
            .filter_map(|index| {
                let opening = self.openings.get(&index)?;
                Some((index.identifier(), opening.package.clone()))
            })
            .collect();
        let deals = deals
            .iter()
            .map(|(index, deal)| (index.identifier(), deal.package.clone()))
            .collect();
        let (package, public) =
            dkg::part3(&self.secret, &openings, &deals).map_err(|error| match error {
                FrostError::InvalidSecretShare {
                    culprit: Some(culprit),
                } => named(ceremony.quorum, culprit, Error::Deal),
                _ => Error::Senders,
            })?;
        Ok(KeyShare {
            index: ceremony.index,
            set: IssuerSet::new(ceremony.quorum, public)?,
            package,
        })
    }
}

fn named<S: Suite>(
    quorum: Quorum,
    culprit: frost_core::Identifier<Frost<S>>,
    error: fn(IssuerIndex) -> Error,
) -> Error {
    let culprits = quorum.culprits(&[culprit]);
    culprits
        .first()
        .map_or(Error::Senders, |index| error(*index))
}

/// Digest of the ceremony and of every opening in it, in the order of issuers.
fn seen<S: Suite>(
    ceremony: &Ceremony,
    openings: &BTreeMap<IssuerIndex, Opening<S>>,
) -> [u8; SEEN_BYTES] {
    let quorum = [ceremony.quorum.needed(), ceremony.quorum.issuers()];
    let mut fields: Vec<&[u8]> = vec![&ceremony.id, &quorum];
    fields.extend(openings.values().map(Opening::to_bytes));
    S::hash(SEEN, &fields)
}
