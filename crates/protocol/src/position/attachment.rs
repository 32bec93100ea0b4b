//! The credential of an anonymous message, as it rides along.

use bytes::BufMut;
use cairn_contracts::misbehaviour::Signer;
use cairn_crypto::{
    credential::{Attributes, Certificate, Kind, Policy},
    linkage::{LinkageValue, Period},
    schnorr::{PUBLIC_KEY_BYTES, PublicKey},
    suite::{Element, Ristretto255},
};
use cairn_ledger::Uid;
use commonware_codec::{Buf, EncodeSize, Error, FixedSize, Read, ReadExt, Write};

use crate::roadside::{AnonymousWhy, Issuers};

/// `W` and what a receiver does not know of the attributes: 40 bytes. The linkage value is the
/// message's signer, the kind is a vehicle's, the length of the slot is the policy's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// `W`, not decoded: a receiver that knows the credential has no use for it.
    pub w: [u8; PUBLIC_KEY_BYTES],
    /// Begin of the slot, in seconds since 1970.
    pub start_s: u32,
    /// Fleet; 0 for none.
    pub group: u16,
    /// Number of the issuer key.
    pub epoch: u16,
}

/// What the attributes of a credential come to. Says nothing about who holds it, nor whether the
/// issuers know it: that shows a signature that fits the key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attributed {
    pub(crate) period: Period,
    pub(crate) attributes: Attributes,
}

impl Attachment {
    /// Of a vehicle's certificate.
    #[must_use]
    pub fn of(certificate: &Certificate<Ristretto255>) -> Self {
        let attributes = certificate.attributes();
        Self {
            w: certificate.w().to_bytes(),
            start_s: attributes.slot.start_s(),
            group: attributes.group,
            epoch: attributes.epoch,
        }
    }

    /// All attributes, by the policy of slots.
    pub(crate) fn attributed(
        &self,
        linkage: LinkageValue,
        policy: &Policy,
    ) -> Result<Attributed, AnonymousWhy> {
        let slot = policy.slot_from(self.start_s);
        let (period, slot) = slot.ok_or(AnonymousWhy::Grid(self.start_s))?;
        let attributes = Attributes {
            kind: Kind::Vehicle,
            linkage,
            slot,
            group: self.group,
            epoch: self.epoch,
        };
        Ok(Attributed { period, attributes })
    }

    /// `D = W + c·A`: the key that the credential signs with. Only who got it from the issuers of
    /// its epoch can sign with it.
    pub(crate) fn key(
        &self,
        attributed: &Attributed,
        issuers: &Issuers,
    ) -> Result<PublicKey, AnonymousWhy> {
        let issuer = issuers.key(self.epoch)?;
        let w = Element::from_bytes(&self.w).map_err(|_| AnonymousWhy::Key)?;
        let key = Certificate::new(w, attributed.attributes).public_key(issuer);
        let key = key.map_err(|_| AnonymousWhy::Key)?.to_bytes();
        PublicKey::from_bytes(&key).map_err(|_| AnonymousWhy::Key)
    }
}

/// A signer, with all that somebody who knows only the ledger needs to check its signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signatory {
    /// A registered vehicle.
    Registered {
        /// Its name.
        uid: Uid,
        /// Its registered key when it was heard.
        key: [u8; PUBLIC_KEY_BYTES],
    },
    /// An anonymous credential.
    Anonymous {
        /// Its linkage value.
        linkage: LinkageValue,
        /// The rest of it.
        attachment: Attachment,
    },
}

impl Signatory {
    /// Its name in messages and votes.
    #[must_use]
    pub const fn signer(&self) -> Signer {
        match self {
            Self::Registered { uid, .. } => Signer::Registered(*uid),
            Self::Anonymous { linkage, .. } => Signer::Anonymous(linkage.0),
        }
    }
}

impl Write for Attachment {
    fn write(&self, buf: &mut impl BufMut) {
        self.w.write(buf);
        self.start_s.write(buf);
        self.group.write(buf);
        self.epoch.write(buf);
    }
}

impl FixedSize for Attachment {
    const SIZE: usize = PUBLIC_KEY_BYTES + 4 + 2 + 2;
}

impl Read for Attachment {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, Error> {
        Ok(Self {
            w: ReadExt::read(buf)?,
            start_s: ReadExt::read(buf)?,
            group: ReadExt::read(buf)?,
            epoch: ReadExt::read(buf)?,
        })
    }
}

impl Write for Signatory {
    fn write(&self, buf: &mut impl BufMut) {
        self.signer().write(buf);
        match self {
            Self::Registered { key, .. } => key.write(buf),
            Self::Anonymous { attachment, .. } => attachment.write(buf),
        }
    }
}

impl EncodeSize for Signatory {
    fn encode_size(&self) -> usize {
        let rest = match self {
            Self::Registered { .. } => PUBLIC_KEY_BYTES,
            Self::Anonymous { .. } => Attachment::SIZE,
        };
        Signer::SIZE + rest
    }
}

impl Read for Signatory {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, Error> {
        Ok(match Signer::read(buf)? {
            Signer::Registered(uid) => Self::Registered {
                uid,
                key: ReadExt::read(buf)?,
            },
            Signer::Anonymous(value) => Self::Anonymous {
                linkage: LinkageValue(value),
                attachment: ReadExt::read(buf)?,
            },
        })
    }
}
