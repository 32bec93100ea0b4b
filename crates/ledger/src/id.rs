//! Names of things on the ledger.

use bytes::BufMut;
use commonware_codec::{Buf, Error, FixedArray, FixedSize, Read, ReadExt, Write};
use commonware_cryptography::{Hasher, Sha256};
use commonware_utils::{Array, Span};
use core::{fmt, ops::Deref};

/// Writes `bytes` in lower-case hexadecimal.
fn hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

/// Declares a newtype over a fixed number of bytes, with codec, order and hexadecimal display.
macro_rules! bytes_id {
    ($(#[$doc:meta])* $name:ident, $size:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, FixedArray)]
        #[fixed_array(infallible)]
        pub struct $name(pub [u8; $size]);

        impl Write for $name {
            fn write(&self, buf: &mut impl BufMut) {
                self.0.write(buf);
            }
        }

        impl Read for $name {
            type Cfg = ();

            fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, Error> {
                Ok(Self(<[u8; $size]>::read(buf)?))
            }
        }

        impl FixedSize for $name {
            const SIZE: usize = $size;
        }

        impl Span for $name {}
        impl Array for $name {}

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl Deref for $name {
            type Target = [u8];

            fn deref(&self) -> &[u8] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                hex(f, &self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                hex(f, &self.0)
            }
        }
    };
}

bytes_id!(
    /// Names a chain: the hash of its genesis, 32 bytes. Part of every signature's namespace, so
    /// nothing signed for one chain is valid on another.
    ChainId,
    32
);

bytes_id!(
    /// Names a contract instance: 20 bytes, `H(deployer ‖ nonce of the deploy transaction)`.
    Address,
    20
);

bytes_id!(
    /// Names a registered vehicle: 8 random bytes given by the TA (paper 000, section 3.2.1).
    Uid,
    8
);

bytes_id!(
    /// Names one record of the state: 32 bytes, `H(contract address ‖ contract's own key)`.
    ///
    /// Hashed, so that the state tree stays balanced whatever keys a contract chooses.
    StateKey,
    32
);

bytes_id!(
    /// Names a signed transaction: the hash of its encoding, 32 bytes.
    TxId,
    32
);

impl Address {
    /// The address that owns what belongs to the ledger itself: nonces and contract instances.
    pub const SYSTEM: Self = Self([0; 20]);

    /// The address of the instance that `deployer` creates with the transaction of `nonce`.
    pub fn of_instance(deployer: &crate::PublicKey, nonce: u64) -> Self {
        let digest = hash(b"cairn/1/ledger/address", &[deployer, &nonce.to_be_bytes()]);
        let mut address = [0; Self::SIZE];
        address.copy_from_slice(&digest[..Self::SIZE]);
        Self(address)
    }
}

impl StateKey {
    /// The key of the record that the contract at `address` calls `local`.
    pub fn new(address: &Address, local: &[u8]) -> Self {
        Self(hash(b"cairn/1/ledger/state-key", &[address, local]))
    }
}

/// Names a road-side unit, 4 bytes. Given by its operator, unique on the road chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rid(pub u32);

impl fmt::Display for Rid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RSU {}", self.0)
    }
}

impl Write for Rid {
    fn write(&self, buf: &mut impl BufMut) {
        self.0.write(buf);
    }
}

impl Read for Rid {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, Error> {
        Ok(Self(u32::read(buf)?))
    }
}

impl FixedSize for Rid {
    const SIZE: usize = u32::SIZE;
}

/// A place in the network's own metric frame, in centimetres: 8 bytes, ±21,474 km per axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// East, in centimetres.
    pub x_cm: i32,
    /// North, in centimetres.
    pub y_cm: i32,
}

impl Position {
    /// The distance to `other` in metres.
    pub fn distance_m(&self, other: &Self) -> f64 {
        let dx = f64::from(self.x_cm) - f64::from(other.x_cm);
        let dy = f64::from(self.y_cm) - f64::from(other.y_cm);
        dx.hypot(dy) / 100.0
    }
}

impl Write for Position {
    fn write(&self, buf: &mut impl BufMut) {
        self.x_cm.write(buf);
        self.y_cm.write(buf);
    }
}

impl Read for Position {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, Error> {
        Ok(Self {
            x_cm: i32::read(buf)?,
            y_cm: i32::read(buf)?,
        })
    }
}

impl FixedSize for Position {
    const SIZE: usize = 2 * i32::SIZE;
}

/// SHA-256 over a domain string and length-prefixed parts.
pub fn hash(domain: &'static [u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::default();
    for part in core::iter::once(&domain).chain(parts) {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().1.0
}
