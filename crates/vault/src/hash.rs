//! Length-prefixed SHA-256 under a domain string (PROTOCOLS.md section 0), and newtypes over its
//! output.

use sha2::{Digest as _, Sha256};

/// `SHA-256(len ‖ domain ‖ len ‖ field …)`, lengths as u32, big endian.
pub(crate) fn hash(domain: &str, fields: &[&[u8]]) -> [u8; 32] {
    let mut sha = Sha256::new();
    for field in std::iter::once(&domain.as_bytes()).chain(fields) {
        let length = u32::try_from(field.len()).expect("fields are bounded far below 4 GiB");
        sha.update(length.to_be_bytes());
        sha.update(field);
    }
    sha.finalize().into()
}

/// Declares a newtype over 32 bytes with order, hexadecimal display and fixed-size codec.
macro_rules! bytes32 {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 32]);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{self}")
            }
        }

        impl commonware_codec::Write for $name {
            fn write(&self, buf: &mut impl bytes::BufMut) {
                self.0.write(buf);
            }
        }

        impl commonware_codec::Read for $name {
            type Cfg = ();

            fn read_cfg(
                buf: &mut impl commonware_codec::Buf,
                (): &(),
            ) -> Result<Self, commonware_codec::Error> {
                use commonware_codec::ReadExt as _;
                Ok(Self(<[u8; 32]>::read(buf)?))
            }
        }

        impl commonware_codec::FixedSize for $name {
            const SIZE: usize = 32;
        }
    };
}

pub(crate) use bytes32;
