//! The name under which a vehicle speaks.

use bytes::BufMut;
use cairn_ledger::Uid;
use commonware_codec::{Buf, Error, FixedSize, Read, ReadExt, Write};
use core::fmt;

/// Bytes of a [`Signer`]: kind and name.
pub const SIGNER_BYTES: usize = 10;

const REGISTERED: [u8; 2] = [0x00, 0x00];
const ANONYMOUS: u8 = 0x01;

/// Who signs a message, by the name in it. Both kinds have one length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Signer {
    /// A vehicle with a registered key: `00 00 ‖ UID`.
    Registered(Uid),
    /// A vehicle under an anonymous credential: `01 ‖ linkage value`. Each of its credentials is a
    /// signer of its own; which vehicle's it is, nobody here knows.
    Anonymous([u8; 9]),
}

impl Signer {
    /// The ten bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; SIGNER_BYTES] {
        let mut bytes = [0; SIGNER_BYTES];
        match self {
            Self::Registered(Uid(uid)) => {
                bytes[..2].copy_from_slice(&REGISTERED);
                bytes[2..].copy_from_slice(&uid);
            }
            Self::Anonymous(value) => {
                bytes[0] = ANONYMOUS;
                bytes[1..].copy_from_slice(&value);
            }
        }
        bytes
    }

    /// Reads ten bytes; `None` when they do not begin as a known kind does.
    #[must_use]
    pub const fn from_bytes(bytes: &[u8; SIGNER_BYTES]) -> Option<Self> {
        match *bytes {
            [0x00, 0x00, ref uid @ ..] => Some(Self::Registered(Uid(*uid))),
            [ANONYMOUS, ref value @ ..] => Some(Self::Anonymous(*value)),
            _ => None,
        }
    }
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registered(uid) => write!(f, "vehicle {uid}"),
            Self::Anonymous(value) => {
                f.write_str("linkage value ")?;
                value.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}

impl Write for Signer {
    fn write(&self, buf: &mut impl BufMut) {
        self.to_bytes().write(buf);
    }
}

impl FixedSize for Signer {
    const SIZE: usize = SIGNER_BYTES;
}

impl Read for Signer {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, Error> {
        let bytes = ReadExt::read(buf)?;
        Self::from_bytes(&bytes).ok_or(Error::Invalid("Signer", "of no known kind"))
    }
}
