//! Position messages (PROTOCOLS.md section 6): where a vehicle is, signed, to everybody.
//!
//! 1. Once a second a vehicle broadcasts a [`Signed`] statement: signer, count, time, position,
//!    speed, heading, acceleration, class, and a Schnorr signature `(M, z)` over all of that and the
//!    chain. 102 bytes with the kind byte; the limit is [`MAX_BYTES`].
//! 2. The signer is the name of a key ([`Signer`]). A registered vehicle's is its UID: the ledger has
//!    the key. An anonymous vehicle's is the linkage value of the credential that it goes by at the
//!    time: `W` and the other attributes ride along with its first message and then once a second, an
//!    [`Attachment`] of 40 bytes. With the issuers' key `A` everybody computes the credential's own
//!    key, `D = W + c·A`, and remembers it. Challenges cover the key and so `A`, `W` and all
//!    attributes; whether the attachment rides along changes no signed byte.
//! 3. Who hears messages collects them, fetches the records of registered signers ([`Receiver::needs`])
//!    from one finalised state and checks all in one batch ([`Receiver::verify`]). A batch that fails is
//!    checked one by one and names the bad ones.
//! 4. The signed bytes are kept as they are: they are the [`crate::evidence`].
//!
//! Rules of a message, the cheap ones first:
//! * `V-POS-1` it has one of two lengths and one encoding: a signer of a known kind, heading below 360°,
//!   a class that exists, `z` canonical, an attachment only of an anonymous signer
//!   ([`Message::decode`](crate::wire::Message::decode));
//! * `V-POS-2` it is at most THR old by the receiver's clock. One from the future passes: RSUs hold
//!   it against its signer ([`plausibility`](crate::plausibility));
//! * `V-POS-3` a registered key is registered, valid now and not revoked; a credential is of an epoch on
//!   the ledger, its slot is on, its linkage value not revoked (`V-ANON-1` to `V-ANON-3`);
//! * `V-POS-4` the signature fits key and statement;
//! * `V-POS-5` a credential rides along or was heard before, with a signature that fitted.
//!
//! A vehicle under a registered key can be followed by everybody who hears it: the price of being
//! recognised. An anonymous one can be followed until it changes its credential.

mod attachment;
mod receiver;
mod speaker;

use bytes::BufMut;
use cairn_crypto::{
    linkage::LinkageValue,
    schnorr::{self, PublicKey, Signature},
    transcript::{Digest, Domain, Transcript},
};
use cairn_ledger::{ChainId, Position, StateKey, Uid};
use commonware_codec::{Buf, Encode as _, Error, FixedSize, Read, ReadExt, Write};
use thiserror::Error as ThisError;

pub use attachment::{Attachment, Signatory};
pub use cairn_contracts::misbehaviour::Signer;
pub use receiver::{Receiver, Verified};
pub use speaker::{ATTACH_MS, Speaker};

use crate::{
    THR_MS,
    plausibility::{Claim, Class, Subject},
    roadside::AnonymousWhy,
};

const STATEMENT: Domain = Domain::new("cairn/1/position/statement");

/// The most bytes of a message on the wire with its signature, without an attachment: what paper 000
/// measured (section 5.1.3).
pub const MAX_BYTES: usize = 131;

/// A full circle in hundredths of a degree.
const CIRCLE_CDEG: u16 = 36_000;

/// Why a message is passed over. Nothing of it is held against anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
pub enum PositionError {
    /// `V-POS-2`.
    #[error("expected a message at most {THR_MS} ms old, got one of {0} ms")]
    Stale(u64),
    /// The caller did not look up what [`Receiver::needs`] names. Our own bug.
    #[error("record {0} was not looked up")]
    RecordMissing(StateKey),
    /// The ledger's record does not decode. Our own bug.
    #[error("record {0} is no vehicle's record")]
    RecordMalformed(StateKey),
    /// `V-POS-3`.
    #[error("vehicle {0} is not registered")]
    NotRegistered(Uid),
    /// `V-POS-3`.
    #[error("key of vehicle {0} is not valid now, or revoked")]
    NotValid(Uid),
    /// `V-POS-3`, `V-POS-5`.
    #[error("credential with linkage value {0}: {1}")]
    Credential(LinkageValue, AnonymousWhy),
    /// `V-POS-5`.
    #[error("credential with linkage value {0} was not heard yet")]
    NoCredential(LinkageValue),
    /// `V-POS-4`.
    #[error("signature does not fit the key of {0}")]
    Signature(Signer),
}

/// Where a vehicle is and how it moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Motion {
    /// Where it is.
    pub position: Position,
    /// Speed in cm/s.
    pub speed_cm_s: u16,
    /// Heading in hundredths of a degree, clockwise from north, below 36,000.
    pub heading_cdeg: u16,
    /// Acceleration along the heading in cm/s²; braking is negative.
    pub acceleration_cm_s2: i16,
    /// What kind of vehicle it is.
    pub class: Class,
}

/// What is signed, beside the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Names the key.
    pub signer: Signer,
    /// The signer's count of its messages.
    pub sequence: u32,
    /// When it was sent, in milliseconds since 1970.
    pub time_ms: u64,
    /// Where the vehicle is.
    pub motion: Motion,
}

/// A position message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed {
    /// What it says.
    pub statement: Statement,
    /// `(M, z)`.
    pub signature: Signature,
    /// The signer's credential, if it rides along.
    pub attachment: Option<Attachment>,
}

impl Statement {
    /// What the signature covers (step 1).
    #[must_use]
    pub fn digest(&self, chain: &ChainId) -> Digest {
        Transcript::new(STATEMENT)
            .bytes(b"vehicle")
            .bytes(schnorr::SUITE.as_bytes())
            .bytes(chain)
            .bytes(&self.encode())
            .finish()
    }

    /// The statement as a claim of the key that signed it.
    #[must_use]
    pub fn claim(&self, subject: Subject) -> Claim {
        let Motion {
            position,
            speed_cm_s,
            heading_cdeg,
            acceleration_cm_s2,
            class,
        } = self.motion;
        Claim {
            subject,
            sequence: self.sequence,
            time_ms: self.time_ms,
            position,
            speed_cm_s,
            heading_cdeg,
            acceleration_cm_s2,
            class,
        }
    }
}

impl Signed {
    /// `V-POS-2`.
    ///
    /// # Errors
    ///
    /// [`PositionError::Stale`].
    pub fn check_age(&self, now_ms: u64) -> Result<(), PositionError> {
        let age_ms = now_ms.saturating_sub(self.statement.time_ms);
        if age_ms > THR_MS {
            return Err(PositionError::Stale(age_ms));
        }
        Ok(())
    }

    /// `V-POS-4` for one message.
    ///
    /// # Errors
    ///
    /// [`PositionError::Signature`].
    pub fn verify(&self, chain: &ChainId, key: &PublicKey) -> Result<Claim, PositionError> {
        key.verify(&self.statement.digest(chain), &self.signature)
            .map_err(|_| PositionError::Signature(self.statement.signer))?;
        Ok(self.statement.claim(Subject(key.to_bytes())))
    }

    /// The message without its attachment, as evidence keeps it.
    #[must_use]
    pub const fn bare(self) -> Self {
        Self {
            attachment: None,
            ..self
        }
    }
}

impl Write for Statement {
    fn write(&self, buf: &mut impl BufMut) {
        let motion = &self.motion;
        self.signer.write(buf);
        self.sequence.write(buf);
        self.time_ms.write(buf);
        motion.position.write(buf);
        motion.speed_cm_s.write(buf);
        motion.heading_cdeg.write(buf);
        motion.acceleration_cm_s2.write(buf);
        let class: u8 = match motion.class {
            Class::Car => 0,
            Class::Truck => 1,
            Class::Bus => 2,
        };
        class.write(buf);
    }
}

impl FixedSize for Statement {
    const SIZE: usize = Signer::SIZE + 4 + 8 + Position::SIZE + 2 + 2 + 2 + 1;
}

impl Read for Statement {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, Error> {
        let (signer, sequence, time_ms) = (Signer::read(buf)?, u32::read(buf)?, u64::read(buf)?);
        let (position, speed_cm_s) = (Position::read(buf)?, u16::read(buf)?);
        let (heading_cdeg, acceleration_cm_s2) = (u16::read(buf)?, i16::read(buf)?);
        if heading_cdeg >= CIRCLE_CDEG {
            return Err(Error::Invalid("Statement", "heading is not below 360°"));
        }
        let class = match u8::read(buf)? {
            0 => Class::Car,
            1 => Class::Truck,
            2 => Class::Bus,
            other => return Err(Error::InvalidEnum(other)),
        };
        Ok(Self {
            signer,
            sequence,
            time_ms,
            motion: Motion {
                position,
                speed_cm_s,
                heading_cdeg,
                acceleration_cm_s2,
                class,
            },
        })
    }
}

/// Without the attachment: whether one follows, the kind of [`Message`](crate::wire::Message) says.
impl Write for Signed {
    fn write(&self, buf: &mut impl BufMut) {
        self.statement.write(buf);
        self.signature.to_bytes().write(buf);
    }
}

impl FixedSize for Signed {
    const SIZE: usize = Statement::SIZE + schnorr::SIGNATURE_BYTES;
}

impl Read for Signed {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, Error> {
        let statement = Statement::read(buf)?;
        let signature = Signature::from_bytes(&ReadExt::read(buf)?);
        Ok(Self {
            statement,
            signature: signature
                .map_err(|_| Error::Invalid("Signed", "signature is not canonical"))?,
            attachment: None,
        })
    }
}
