//! Credentials: certificateless, implicit, traceable by two authorities together (PROTOCOLS.md
//! section 2; the repaired form of paper 003, and over the suite `Sm2` the key of GM/T 0130).
//!
//! 1. Device: a batch of independent `U_k = u_k·P`, each with a random [`Handle`] and a proof of
//!    possession of `u_k` over (`U_k`, handle): [`Pending`] stays, [`Request`] goes to TA.
//!    Independent, because with keys expanded from one secret a single leaked `d_k` gives all.
//!    PROTOCOLS.md speaks of one request id; here each key has its own, since an id shared by a
//!    batch would tell the issuers which credentials belong to one vehicle.
//! 2. TA checks the person, chooses a slot ([`Policy::admit`]), has LEA countersign, shuffles and
//!    passes on each request without identity; both linkage parts go [sealed](seal_to) to the issuers.
//! 3. t of n issuers, see [`issuer`](crate::issuer): `W = U + R`, `c = H(domain, suite, A, W, attrs)`,
//!    `t = r + c·a`. Without `A` in the hash a credential could be moved to `A + δP`.
//! 4. The answer `(W, attrs, t)` is encrypted to the device under `U` ([`Issued::seal`]): TA carries
//!    it and cannot read it.
//! 5. Device: `d = u + t`; checks `d·P = W + c·A =: D`, not the identity ([`Pending::open`]).
//! 6. To show a credential: the [`Certificate`] `(W, attrs)` and a [`Proof`] `(M, z)`:
//!    `h = H(domain, suite, A, W, attrs, statement, M)`, `z = k + h·d`. `(A, W, attrs)` determines `D`, so
//!    the challenge is key-prefixed without computing `D` first. The statement is the caller's
//!    finished transcript: roles, kinds, both parties, freshness and every field of the payload.
//! 7. Check: `zP − h·W − h·c·A = M`, one multi-scalar multiplication with a table for `A`
//!    ([`IssuerKey::verify`]), or many at once ([`Batch`]).
//!
//! The scheme is that of identity-based Schnorr signatures (Galindo and Garcia, AFRICACRYPT
//! 2009) with the device's own secret added to the issuer's answer, so that issuers cannot sign
//! in a device's name.
//!
//! Limits. Every issuer that signs sees `(handle, U, lv, attrs)`, so one that publishes its log lets
//! anybody tie a credential to its handle, and with TA's help to a person: the warrant for a trace
//! is kept by the roles, not by this arithmetic. Newness of `U`, handle and `lv`, and the
//! signatures of TA and LEA, need state and ledger: the issuer's role checks them
//! before it lets [`Issuer::sign`](crate::issuer::Issuer::sign) run.

use rand_core::CryptoRng;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::suite::{self, Element, Proof, Reader, SCALAR_BYTES, Secret, Suite, prove};
use crate::transcript::{Digest, Domain};

mod attributes;
mod envelope;
mod policy;
mod request;
mod verify;

pub use attributes::{ATTRIBUTE_BYTES, Attributes, Kind, Slot};
pub use envelope::{open_sealed, seal_to};
pub use policy::{MAX_AT_ONCE, Policy, PolicyError};
pub use request::{HANDLE_BYTES, Handle, MAX_BATCH, Pending, Possessed, Request, request_batch};
pub use verify::{Batch, IssuerKey};

const SHOW: Domain = Domain::new("cairn/1/credential/show");
const ANSWER: Domain = Domain::new("cairn/1/credential/answer");

/// Why a credential, request or answer is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// Bytes that are no value of the suite.
    #[error(transparent)]
    Encoding(#[from] suite::Error),
    /// Attributes with an unknown kind, an empty slot, or one that ends after 2106.
    #[error("expected attributes of a known kind with a slot that ends before 2106")]
    Attributes,
    /// The request does not prove that its sender holds `u`.
    #[error("request does not prove possession of its key")]
    Possession,
    /// The answer was not sealed to this request, or was changed.
    #[error("answer does not authenticate under this request's key")]
    Sealed,
    /// `d·P` is not `W + c·A`: the issuers' answer is wrong, or for another issuer key.
    #[error("issuers' answer does not fit request and issuer key")]
    Answer,
    /// The proof does not fit certificate, issuer key and statement.
    #[error("proof does not fit certificate, issuer key and statement")]
    Proof,
}

/// What a verifier needs to know of a credential besides the issuer key: `(W, attrs)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Certificate<S: Suite> {
    w: Element<S>,
    attributes: Attributes,
}

impl<S: Suite> Certificate<S> {
    /// Length of the encoding, in bytes: 52 under `Ristretto255`, 53 under `Sm2`.
    pub const BYTES: usize = S::ELEMENT_BYTES + ATTRIBUTE_BYTES;

    /// Puts a certificate together of parts that came separately.
    #[must_use]
    pub fn new(w: Element<S>, attributes: Attributes) -> Self {
        Self { w, attributes }
    }

    /// `W`.
    #[must_use]
    pub fn w(&self) -> Element<S> {
        self.w
    }

    /// Reads [`Self::BYTES`] bytes, `W ‖ attrs`. Says nothing about who issued it: any `W` is the
    /// certificate of some key, and only a proof shows that somebody holds that key.
    ///
    /// # Errors
    ///
    /// [`Error::Encoding`] and [`Error::Attributes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, Self::BYTES)?;
        Ok(Self {
            w: reader.element()?,
            attributes: Attributes::from_bytes(&reader.array()?)?,
        })
    }

    /// The bytes `W ‖ attrs`.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        [self.w.as_bytes(), &self.attributes.to_bytes()].concat()
    }

    /// The attributes, which the issuers signed.
    #[must_use]
    pub fn attributes(&self) -> Attributes {
        self.attributes
    }

    /// `D = W + c·A`, the public key.
    ///
    /// # Errors
    ///
    /// [`Error::Proof`] when it is the identity, of which everybody knows the secret key.
    pub fn public_key(&self, issuer: &IssuerKey<S>) -> Result<Element<S>, Error> {
        let c = self.challenge(issuer);
        let point = self.w.point() + issuer.element().point() * c;
        Element::from_point(point).map_err(|_| Error::Proof)
    }

    fn challenge(&self, issuer: &IssuerKey<S>) -> S::Scalar {
        S::credential_challenge(&issuer.element(), &self.w, &self.attributes.to_bytes())
    }
}

/// What the issuers computed for one request. Erased on drop; has no `Debug`.
pub struct Issued<S: Suite> {
    certificate: Certificate<S>,
    t: Secret<S>,
    request: Possessed<S>,
}

impl<S: Suite> Issued<S> {
    /// Length of a sealed answer, in bytes: 132 under `Ristretto255`, 134 under `Sm2`.
    pub const SEALED_BYTES: usize =
        S::ELEMENT_BYTES + Certificate::<S>::BYTES + SCALAR_BYTES + suite::TAG_BYTES;

    pub(crate) fn new(
        request: Possessed<S>,
        w: Element<S>,
        attributes: Attributes,
        t: Secret<S>,
    ) -> Self {
        Self {
            certificate: Certificate { w, attributes },
            t,
            request,
        }
    }

    /// The certificate. Publishing it is harmless.
    #[must_use]
    pub fn certificate(&self) -> Certificate<S> {
        self.certificate
    }

    /// Encrypts the answer to the device: [`Self::SEALED_BYTES`] bytes.
    #[must_use]
    pub fn seal(&self, rng: &mut (impl CryptoRng + ?Sized)) -> Vec<u8> {
        let text = Zeroizing::new(
            [
                self.certificate.to_bytes().as_slice(),
                self.t.to_bytes().as_slice(),
            ]
            .concat(),
        );
        seal_to(
            ANSWER,
            &self.request.key,
            &self.request.handle.0,
            &text,
            rng,
        )
    }
}

impl<S: Suite> Pending<S> {
    /// Opens the issuers' answer and checks it (step 5). The request is kept: a forged answer
    /// must not cost the device its key.
    ///
    /// # Errors
    ///
    /// [`Error::Sealed`] for an answer to another request, [`Error::Answer`] when the issuers
    /// computed something else, [`Error::Encoding`] and [`Error::Attributes`] when they
    /// encoded badly. Whether the attributes are what was asked for is for the caller to see.
    pub fn open(&self, sealed: &[u8], issuer: &IssuerKey<S>) -> Result<Credential<S>, Error> {
        let expected = Issued::<S>::SEALED_BYTES;
        Reader::new(sealed, expected)?;
        let text = open_sealed(ANSWER, &self.secret, &self.handle().0, sealed)?;
        let mut reader = Reader::new(&text, Certificate::<S>::BYTES + SCALAR_BYTES)?;
        let certificate = Certificate::from_bytes(reader.slice(Certificate::<S>::BYTES)?)?;
        let t = Zeroizing::new(reader.scalar::<S>()?);
        Credential::new(self.secret.scalar() + *t, certificate, issuer)
    }
}

/// A credential with its secret key `d`. Has no `Debug`; `d` is erased on drop.
pub struct Credential<S: Suite> {
    certificate: Certificate<S>,
    d: Secret<S>,
    issuer: Element<S>,
}

impl<S: Suite> Credential<S> {
    /// Length of the stored form, in bytes.
    pub const BYTES: usize = Certificate::<S>::BYTES + SCALAR_BYTES;

    fn new(
        d: S::Scalar,
        certificate: Certificate<S>,
        issuer: &IssuerKey<S>,
    ) -> Result<Self, Error> {
        let d = Secret::from_scalar(d).map_err(|_| Error::Answer)?;
        if certificate.public_key(issuer) != Ok(d.public()) {
            return Err(Error::Answer);
        }
        Ok(Self {
            certificate,
            d,
            issuer: issuer.element(),
        })
    }

    /// Reads a credential from the device's own store and checks it again.
    ///
    /// # Errors
    ///
    /// [`Error::Encoding`], [`Error::Attributes`]; [`Error::Answer`] for another issuer key.
    pub fn from_bytes(bytes: &[u8], issuer: &IssuerKey<S>) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, Self::BYTES)?;
        let certificate = Certificate::from_bytes(reader.slice(Certificate::<S>::BYTES)?)?;
        Self::new(reader.scalar::<S>()?, certificate, issuer)
    }

    /// `W ‖ attrs ‖ d`, for the device's own store.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let certificate = self.certificate.to_bytes();
        Zeroizing::new([certificate.as_slice(), self.d.to_bytes().as_slice()].concat())
    }

    /// What to show.
    #[must_use]
    pub fn certificate(&self) -> Certificate<S> {
        self.certificate
    }

    /// `d`, for signatures and for opening what was sealed to `D` ([`crate::message`]).
    #[must_use]
    pub fn secret(&self) -> &Secret<S> {
        &self.d
    }

    /// Proves possession of the credential for a statement (step 6).
    #[must_use]
    pub fn prove(&self, statement: &Digest, rng: &mut (impl CryptoRng + ?Sized)) -> Proof<S> {
        let certificate = self.certificate.to_bytes();
        let fields = [self.issuer.as_bytes(), &certificate, &statement.0];
        prove(SHOW, &fields, &self.d, rng)
    }
}
