//! Checking shown credentials, one by one or many at once.

use elliptic_curve::{
    ff::{Field, PrimeField},
    group::Group,
};
use rand_core::CryptoRng;

use super::{Certificate, Error, SHOW};
use crate::suite::{self, Element, Proof, Suite, challenge};
use crate::transcript::Digest;

/// An issuer key `A`, prepared for many checks.
pub struct IssuerKey<S: Suite> {
    element: Element<S>,
    prepared: S::Prepared,
}

impl<S: Suite> IssuerKey<S> {
    /// Prepares a key: computes a table (about 20 KiB under `Ristretto255`), so keep it.
    #[must_use]
    pub fn new(element: Element<S>) -> Self {
        Self {
            element,
            prepared: S::prepare(&element.point()),
        }
    }

    /// Reads the encoding of `A`, as the ledger has it.
    ///
    /// # Errors
    ///
    /// [`suite::Error`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, suite::Error> {
        Element::from_bytes(bytes).map(Self::new)
    }

    /// `A`.
    #[must_use]
    pub fn element(&self) -> Element<S> {
        self.element
    }

    /// Checks that whoever made the proof holds the credential: `zP − h·W − h·c·A = M`. Slot, kind,
    /// revocation and freshness are the caller's to check.
    ///
    /// # Errors
    ///
    /// [`Error::Proof`].
    pub fn verify(
        &self,
        certificate: &Certificate<S>,
        statement: &Digest,
        proof: &Proof<S>,
    ) -> Result<(), Error> {
        let (h, hc) = self.challenges(certificate, statement, proof);
        let commitment = S::sum_prepared(
            &self.prepared,
            &proof.response,
            &-hc,
            (-h, certificate.w.point()),
        );
        // D itself is not computed. That it is the identity needs W = −H(A, W, attrs)·A, which is as
        // hard to find as W for any other D of a forger's choice. Comparing encodings refuses a
        // commitment that is not canonical, or the identity.
        match Element::<S>::from_point(commitment) {
            Ok(m) if m.to_bytes() == proof.commitment => Ok(()),
            _ => Err(Error::Proof),
        }
    }

    /// `h` and `h·c`.
    fn challenges(
        &self,
        certificate: &Certificate<S>,
        statement: &Digest,
        proof: &Proof<S>,
    ) -> (S::Scalar, S::Scalar) {
        let shown = certificate.to_bytes();
        let fields = [self.element.as_bytes(), &shown, &statement.0];
        let h = challenge::<S>(SHOW, &fields, &proof.commitment);
        (h, h * certificate.challenge(self))
    }
}

/// Proofs under one issuer key that wait for a common check.
pub struct Batch<'a, S: Suite> {
    issuer: &'a IssuerKey<S>,
    waiting: Vec<(Certificate<S>, Digest, Proof<S>)>,
}

impl<'a, S: Suite> Batch<'a, S> {
    /// An empty batch.
    #[must_use]
    pub fn new(issuer: &'a IssuerKey<S>) -> Self {
        let waiting = Vec::new();
        Self { issuer, waiting }
    }

    /// Adds a proof and returns its index.
    pub fn push(
        &mut self,
        certificate: Certificate<S>,
        statement: Digest,
        proof: Proof<S>,
    ) -> usize {
        self.waiting.push((certificate, statement, proof));
        self.waiting.len() - 1
    }

    /// Number of proofs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Checks all with one multi-scalar multiplication:
    /// `Σ w_i·M_i + Σ w_i·h_i·W_i + (Σ w_i·h_i·c_i)·A − (Σ w_i·z_i)·P = 0`, with 128-bit weights drawn after
    /// all proofs are fixed. A batch with a bad proof passes with probability 2⁻¹²⁸. If the
    /// sum is not zero, single checks name the bad ones.
    ///
    /// # Errors
    ///
    /// The indices of the proofs that do not fit, ascending.
    pub fn verify(self, rng: &mut (impl CryptoRng + ?Sized)) -> Result<(), Vec<usize>> {
        if self.passes(rng) {
            return Ok(());
        }
        let bad = self.waiting.iter().enumerate();
        let bad = bad.filter(|(_, (c, s, p))| self.issuer.verify(c, s, p).is_err());
        Err(bad.map(|(index, _)| index).collect())
    }

    fn passes(&self, rng: &mut (impl CryptoRng + ?Sized)) -> bool {
        let mut terms = Vec::with_capacity(2 * self.waiting.len() + 1);
        let (mut base, mut issuer) = (S::Scalar::ZERO, S::Scalar::ZERO);
        for (certificate, statement, proof) in &self.waiting {
            let Some(commitment) = S::decode(&proof.commitment) else {
                return false;
            };
            let weight = weight::<S>(rng);
            let (h, hc) = self.issuer.challenges(certificate, statement, proof);
            base -= weight * proof.response;
            issuer += weight * hc;
            terms.push((weight, commitment));
            terms.push((weight * h, certificate.w.point()));
        }
        terms.push((issuer, self.issuer.element.point()));
        S::sum(&base, &terms).is_identity().into()
    }
}

/// 128 random bits. A short weight keeps half of the sum's scalars short.
fn weight<S: Suite>(rng: &mut (impl CryptoRng + ?Sized)) -> S::Scalar {
    let mut bytes = [0; 16];
    rng.fill_bytes(&mut bytes);
    S::Scalar::from_u128(u128::from_le_bytes(bytes))
}
