//! What is asked of the TA, and its proofs.

use bytes::{BufMut, Bytes};
use cairn_crypto::{
    schnorr::{self, PublicKey, SecretKey, Signature},
    transcript::{Digest, Domain, Transcript},
};
use cairn_ledger::{ChainId, Position, PrivateKey, Rid, Uid};
use commonware_codec::{Buf, Encode as _, EncodeSize, Error, RangeCfg, Read, ReadExt, Write};
use commonware_cryptography::{Signer as _, Verifier as _, ed25519};
use rand_core::CryptoRng;
use thiserror::Error as ThisError;
use zeroize::{Zeroize, ZeroizeOnDrop};

const POSSESSION: Domain = Domain::new("cairn/1/registration/possession");
const UPDATE_OLD: Domain = Domain::new("cairn/1/registration/update-old");
const UPDATE_NEW: Domain = Domain::new("cairn/1/registration/update-new");

/// The most bytes of one identity field: the longest names and document numbers fit.
pub const MAX_FIELD_BYTES: usize = 128;

/// Why an application is refused. The applicant is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
pub enum ApplicationError {
    /// `V-REG-1`.
    #[error("{0}: expected 1 to {MAX_FIELD_BYTES} bytes without control characters")]
    Field(&'static str),
    /// `V-REG-2`, `V-REG-4`: the key is not canonical or the identity.
    #[error("key: {0}")]
    Key(schnorr::Error),
    /// `V-REG-2`, `V-REG-4`: by the key that is to be registered.
    #[error("proof of possession does not fit")]
    Possession,
    /// `V-REG-4`.
    #[error("update is not signed by the registered key")]
    OldKey,
    /// `V-REG-5`.
    #[error("application of {0} is not signed by its key")]
    Rsu(Rid),
}

/// Identity documents of a vehicle and its owner (paper 000, section 3.2.1). Erased on drop; has
/// no `Debug`.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Identification {
    /// The owner's name.
    pub name: String,
    /// Number of the owner's identity document.
    pub document: String,
    /// Number plate.
    pub plate: String,
    /// Kind of vehicle.
    pub vehicle: String,
    /// Number of the driving licence.
    pub licence: String,
}

impl Identification {
    pub(super) fn fields(&self) -> [(&'static str, &str); 5] {
        [
            ("name", &self.name),
            ("document", &self.document),
            ("plate", &self.plate),
            ("vehicle", &self.vehicle),
            ("licence", &self.licence),
        ]
    }

    /// `V-REG-1`.
    fn check(&self) -> Result<(), ApplicationError> {
        let good = |text: &str| {
            (1..=MAX_FIELD_BYTES).contains(&text.len()) && !text.chars().any(char::is_control)
        };
        match self.fields().into_iter().find(|(_, text)| !good(text)) {
            Some((name, _)) => Err(ApplicationError::Field(name)),
            None => Ok(()),
        }
    }
}

/// A vehicle's application for registration.
#[derive(Clone)]
pub struct Application {
    /// Drawn by the vehicle; a repeated application is known by it.
    pub request: [u8; 16],
    /// Who applies.
    pub identification: Identification,
    /// The key to be registered.
    pub key: [u8; 32],
    /// Proof that the applicant holds it.
    pub possession: [u8; 64],
}

impl Application {
    /// Applies for `key`. `request` is drawn once by the vehicle and kept, so that the application
    /// can be repeated after a crash.
    #[must_use]
    pub fn new(
        chain: &ChainId,
        request: [u8; 16],
        identification: Identification,
        key: &SecretKey,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let mut application = Self {
            request,
            identification,
            key: key.public().to_bytes(),
            possession: [0; 64],
        };
        application.possession = key.sign(&application.statement(chain), rng).to_bytes();
        application
    }

    /// `V-REG-1` and `V-REG-2`.
    ///
    /// # Errors
    ///
    /// See [`ApplicationError`].
    pub fn check(&self, chain: &ChainId) -> Result<(), ApplicationError> {
        self.identification.check()?;
        let key = PublicKey::from_bytes(&self.key).map_err(ApplicationError::Key)?;
        verify(&key, &self.statement(chain), &self.possession).ok_or(ApplicationError::Possession)
    }

    fn statement(&self, chain: &ChainId) -> Digest {
        let start = Transcript::new(POSSESSION)
            .bytes(chain)
            .bytes(&self.request)
            .bytes(&self.key);
        let fields = self.identification.fields();
        fields
            .iter()
            .fold(start, |t, (_, text)| t.bytes(text.as_bytes()))
            .finish()
    }
}

/// A vehicle's request to replace its registered key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateRequest {
    /// The vehicle.
    pub uid: Uid,
    /// The new key.
    pub key: [u8; 32],
    /// By the registered key.
    pub by_old: [u8; 64],
    /// By the new key.
    pub by_new: [u8; 64],
}

impl UpdateRequest {
    /// Asks to replace `old` by `new`.
    #[must_use]
    pub fn new(
        chain: &ChainId,
        uid: Uid,
        old: &SecretKey,
        new: &SecretKey,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let key = new.public().to_bytes();
        let old_key = old.public().to_bytes();
        let by_old = old.sign(
            &Self::statement(UPDATE_OLD, chain, &uid, &old_key, &key),
            rng,
        );
        let by_new = new.sign(
            &Self::statement(UPDATE_NEW, chain, &uid, &old_key, &key),
            rng,
        );
        Self {
            uid,
            key,
            by_old: by_old.to_bytes(),
            by_new: by_new.to_bytes(),
        }
    }

    /// `V-REG-4`, against the key that is registered now.
    ///
    /// # Errors
    ///
    /// See [`ApplicationError`].
    pub fn check(&self, chain: &ChainId, old: &[u8; 32]) -> Result<(), ApplicationError> {
        let old_key = PublicKey::from_bytes(old).map_err(|_| ApplicationError::OldKey)?;
        let new_key = PublicKey::from_bytes(&self.key).map_err(ApplicationError::Key)?;
        let statement = |domain| Self::statement(domain, chain, &self.uid, old, &self.key);
        verify(&old_key, &statement(UPDATE_OLD), &self.by_old).ok_or(ApplicationError::OldKey)?;
        verify(&new_key, &statement(UPDATE_NEW), &self.by_new).ok_or(ApplicationError::Possession)
    }

    fn statement(
        domain: Domain,
        chain: &ChainId,
        uid: &Uid,
        old: &[u8; 32],
        new: &[u8; 32],
    ) -> Digest {
        Transcript::new(domain)
            .bytes(chain)
            .bytes(uid)
            .bytes(old)
            .bytes(new)
            .finish()
    }
}

/// An operator's application for an RSU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RsuApplication {
    /// Its name on this chain.
    pub rid: Rid,
    /// Its key.
    pub key: ed25519::PublicKey,
    /// Where its antenna stands.
    pub position: Position,
    /// By the key.
    pub signature: ed25519::Signature,
}

impl RsuApplication {
    /// Applies for the RSU whose key is `signer`.
    #[must_use]
    pub fn new(chain: &ChainId, rid: Rid, position: Position, signer: &PrivateKey) -> Self {
        let signature = signer.sign(&namespace(chain), &(rid, position).encode());
        Self {
            rid,
            key: signer.public_key(),
            position,
            signature,
        }
    }

    /// `V-REG-5`.
    ///
    /// # Errors
    ///
    /// [`ApplicationError::Rsu`].
    pub fn check(&self, chain: &ChainId) -> Result<(), ApplicationError> {
        let message = (self.rid, self.position).encode();
        if self
            .key
            .verify(&namespace(chain), &message, &self.signature)
        {
            Ok(())
        } else {
            Err(ApplicationError::Rsu(self.rid))
        }
    }
}

fn namespace(chain: &ChainId) -> Vec<u8> {
    [b"cairn/1/registration/rsu/".as_slice(), chain].concat()
}

fn verify(key: &PublicKey, statement: &Digest, signature: &[u8; 64]) -> Option<()> {
    key.verify(statement, &Signature::from_bytes(signature).ok()?)
        .ok()
}

impl Write for Identification {
    fn write(&self, buf: &mut impl BufMut) {
        for (_, text) in self.fields() {
            text.as_bytes().write(buf);
        }
    }
}

impl EncodeSize for Identification {
    fn encode_size(&self) -> usize {
        self.fields()
            .iter()
            .map(|(_, text)| text.as_bytes().encode_size())
            .sum()
    }
}

impl Read for Identification {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, Error> {
        Ok(Self {
            name: read_text(buf)?,
            document: read_text(buf)?,
            plate: read_text(buf)?,
            vehicle: read_text(buf)?,
            licence: read_text(buf)?,
        })
    }
}

fn read_text(buf: &mut impl Buf) -> Result<String, Error> {
    let bytes = Bytes::read_cfg(buf, &RangeCfg::from(1..=MAX_FIELD_BYTES))?;
    String::from_utf8(bytes.to_vec())
        .map_err(|_| Error::Invalid("Identification", "expected UTF-8"))
}

impl Write for Application {
    fn write(&self, buf: &mut impl BufMut) {
        self.request.write(buf);
        self.identification.write(buf);
        self.key.write(buf);
        self.possession.write(buf);
    }
}

impl EncodeSize for Application {
    fn encode_size(&self) -> usize {
        16 + self.identification.encode_size() + 32 + 64
    }
}

impl Read for Application {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, Error> {
        Ok(Self {
            request: ReadExt::read(buf)?,
            identification: ReadExt::read(buf)?,
            key: ReadExt::read(buf)?,
            possession: ReadExt::read(buf)?,
        })
    }
}
