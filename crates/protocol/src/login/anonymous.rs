//! The anonymous credential of a login: a certificate of the issuers and a proof of its secret.
//!
//! On the wire it is 145 bytes: `W` 32, lv 9, begin of the slot 4, group 2, issuer epoch 2, `Q'` 32,
//! `M` 32, `z` 32. Of the certificate's attributes it leaves out what the RSU knows: the kind (a
//! vehicle's) and the length of the slot (the policy's). Both are in the issuers' challenge, so a
//! credential of another kind or length does not verify.

use cairn_crypto::{
    credential::{Attributes, Certificate, Credential, Kind, Policy},
    linkage::{LINKAGE_BYTES, LinkageValue, Period},
    schnorr,
    suite::{Element, Proof, Ristretto255, Suite as _},
};
use rand_core::CryptoRng;

use super::{Context, CredentialError};

/// Bytes of an [`Anonymous`] credential.
pub const ANONYMOUS_BYTES: usize = Ristretto255::ELEMENT_BYTES
    + LINKAGE_BYTES
    + 4
    + 2
    + 2
    + schnorr::PUBLIC_KEY_BYTES
    + Proof::<Ristretto255>::BYTES;

/// A login under an anonymous credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anonymous {
    /// `W`.
    pub w: Element<Ristretto255>,
    /// By which the credential can be revoked and traced.
    pub linkage: LinkageValue,
    /// Begin of its slot, in seconds since 1970.
    pub start_s: u32,
    /// Fleet; 0 for none.
    pub group: u16,
    /// Number of the issuer key.
    pub epoch: u16,
    /// `Q'`, public part of the next handover's token.
    pub next_token: schnorr::PublicKey,
    /// Proof of `d` over [`Context::anonymous`]; covers `(A, W, attrs)` as well.
    pub proof: Proof<Ristretto255>,
}

impl Anonymous {
    /// Shows a credential.
    #[must_use]
    pub fn show(
        context: &Context<'_>,
        credential: &Credential<Ristretto255>,
        next_token: schnorr::PublicKey,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let certificate = credential.certificate();
        let attributes = certificate.attributes();
        Self {
            w: certificate.w(),
            linkage: attributes.linkage,
            start_s: attributes.slot.start_s(),
            group: attributes.group,
            epoch: attributes.epoch,
            next_token,
            proof: credential.prove(&context.anonymous(&next_token), rng),
        }
    }

    /// The whole certificate, and the period that it is of; `None` when the policy has no such slot.
    #[must_use]
    pub fn certificate(&self, policy: &Policy) -> Option<(Period, Certificate<Ristretto255>)> {
        let (period, slot) = policy.slot_from(self.start_s)?;
        let attributes = Attributes {
            kind: Kind::Vehicle,
            linkage: self.linkage,
            slot,
            group: self.group,
            epoch: self.epoch,
        };
        Some((period, Certificate::new(self.w, attributes)))
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.w.to_bytes());
        out.extend_from_slice(&self.linkage.0);
        out.extend_from_slice(&self.start_s.to_be_bytes());
        out.extend_from_slice(&self.group.to_be_bytes());
        out.extend_from_slice(&self.epoch.to_be_bytes());
        out.extend_from_slice(&self.next_token.to_bytes());
        out.extend_from_slice(&self.proof.to_bytes());
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, CredentialError> {
        let length = CredentialError::Length(bytes.len());
        let (w, rest) = bytes
            .split_at_checked(Ristretto255::ELEMENT_BYTES)
            .ok_or(length)?;
        let (linkage, rest) = rest.split_first_chunk().ok_or(length)?;
        let (start_s, rest) = rest.split_first_chunk().ok_or(length)?;
        let (group, rest) = rest.split_first_chunk().ok_or(length)?;
        let (epoch, rest) = rest.split_first_chunk().ok_or(length)?;
        let (next_token, proof) = rest.split_first_chunk().ok_or(length)?;
        Ok(Self {
            w: Element::from_bytes(w).map_err(CredentialError::Certificate)?,
            linkage: LinkageValue(*linkage),
            start_s: u32::from_be_bytes(*start_s),
            group: u16::from_be_bytes(*group),
            epoch: u16::from_be_bytes(*epoch),
            next_token: schnorr::PublicKey::from_bytes(next_token)
                .map_err(CredentialError::NextToken)?,
            proof: Proof::from_bytes(proof).map_err(CredentialError::Certificate)?,
        })
    }
}
