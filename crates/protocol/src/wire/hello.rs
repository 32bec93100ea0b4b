//! The first message of a login. Its length tells the kind of its credential.

use bytes::BufMut;
use cairn_crypto::noise;
use commonware_codec::{Buf, EncodeSize, Error, Read, ReadExt, Write};

use super::BeaconId;
use crate::{
    login::{ANONYMOUS_BYTES, REGISTERED_BYTES},
    token::TOKEN_BYTES,
};

const SEALED_REGISTERED: usize = noise::OVERHEAD + REGISTERED_BYTES;
const SEALED_ANONYMOUS: usize = noise::OVERHEAD + ANONYMOUS_BYTES;
const SEALED_TOKEN: usize = noise::OVERHEAD + TOKEN_BYTES;

/// The first message of a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The beacon that it answers.
    pub beacon: BeaconId,
    /// `e_v` and the sealed credential, the first message of [`noise`].
    pub handshake: Sealed,
}

/// `e_v` and a sealed credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sealed {
    /// A [`crate::login::Registered`] credential, in 152 bytes.
    Registered([u8; SEALED_REGISTERED]),
    /// A [`crate::login::Anonymous`] credential, in 193 bytes.
    Anonymous([u8; SEALED_ANONYMOUS]),
    /// A [`crate::token::Token`], in 170 bytes.
    Token([u8; SEALED_TOKEN]),
}

impl Hello {
    /// Bytes with a registered credential, without the kind byte.
    pub(super) const REGISTERED_BYTES: usize = 4 + SEALED_REGISTERED;
    /// Bytes with an anonymous credential, without the kind byte.
    pub(super) const ANONYMOUS_BYTES: usize = 4 + SEALED_ANONYMOUS;
    /// Bytes with a token, without the kind byte.
    pub(super) const TOKEN_BYTES: usize = 4 + SEALED_TOKEN;

    /// `e_v`.
    #[must_use]
    pub fn ephemeral(&self) -> [u8; noise::KEY_BYTES] {
        let mut ephemeral = [0; noise::KEY_BYTES];
        ephemeral.copy_from_slice(&self.handshake.as_bytes()[..noise::KEY_BYTES]);
        ephemeral
    }
}

impl Sealed {
    /// Takes the bytes of a handshake; `None` when no kind of credential has this length.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let registered = bytes.try_into().map(Self::Registered);
        registered
            .or_else(|_| bytes.try_into().map(Self::Anonymous))
            .or_else(|_| bytes.try_into().map(Self::Token))
            .ok()
    }

    /// The bytes of the handshake.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Registered(bytes) => bytes,
            Self::Anonymous(bytes) => bytes,
            Self::Token(bytes) => bytes,
        }
    }
}

impl Write for Hello {
    fn write(&self, buf: &mut impl BufMut) {
        self.beacon.0.write(buf);
        buf.put_slice(self.handshake.as_bytes());
    }
}

impl EncodeSize for Hello {
    fn encode_size(&self) -> usize {
        4 + self.handshake.as_bytes().len()
    }
}

/// Reads to the end: a `Hello` is the last part of its datagram.
impl Read for Hello {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, Error> {
        let beacon = BeaconId(ReadExt::read(buf)?);
        let handshake = match buf.remaining() {
            SEALED_REGISTERED => Sealed::Registered(ReadExt::read(buf)?),
            SEALED_ANONYMOUS => Sealed::Anonymous(ReadExt::read(buf)?),
            SEALED_TOKEN => Sealed::Token(ReadExt::read(buf)?),
            other => return Err(Error::InvalidLength(other)),
        };
        Ok(Self { beacon, handshake })
    }
}
