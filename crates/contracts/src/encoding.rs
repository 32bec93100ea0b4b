//! Encodings of what contracts keep and are called with: fields one after the other, numbers big
//! endian.

use bytes::{BufMut, Bytes};
use commonware_codec::{Buf, EncodeSize, Error, RangeCfg, Read, Write};

/// Declares a record of one size.
macro_rules! record {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)+
        }

        impl commonware_codec::Write for $name {
            fn write(&self, buf: &mut impl bytes::BufMut) {
                $(commonware_codec::Write::write(&self.$field, buf);)+
            }
        }

        impl commonware_codec::Read for $name {
            type Cfg = ();

            fn read_cfg(
                buf: &mut impl commonware_codec::Buf,
                (): &(),
            ) -> Result<Self, commonware_codec::Error> {
                Ok(Self {
                    $($field: commonware_codec::ReadExt::read(buf)?,)+
                })
            }
        }

        impl commonware_codec::FixedSize for $name {
            const SIZE: usize = $(<$type as commonware_codec::FixedSize>::SIZE +)+ 0;
        }
    };
}

/// Encodes a struct of one field like that field.
macro_rules! newtype {
    ($name:ident($type:ty)) => {
        impl commonware_codec::Write for $name {
            fn write(&self, buf: &mut impl bytes::BufMut) {
                commonware_codec::Write::write(&self.0, buf);
            }
        }

        impl commonware_codec::Read for $name {
            type Cfg = ();

            fn read_cfg(
                buf: &mut impl commonware_codec::Buf,
                (): &(),
            ) -> Result<Self, commonware_codec::Error> {
                commonware_codec::ReadExt::read(buf).map(Self)
            }
        }

        impl commonware_codec::FixedSize for $name {
            const SIZE: usize = <$type as commonware_codec::FixedSize>::SIZE;
        }
    };
}

/// Declares what a contract is called with: a tag, then the fields.
macro_rules! operations {
    ($(#[$doc:meta])* $name:ident {
        $($(#[$variant_doc:meta])* $tag:literal $variant:ident {
            $($(#[$field_doc:meta])* $field:ident: $type:ty,)+
        })+
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$variant_doc])* $variant { $($(#[$field_doc])* $field: $type,)+ },)+
        }

        impl commonware_codec::Write for $name {
            fn write(&self, buf: &mut impl bytes::BufMut) {
                match self {
                    $(Self::$variant { $($field,)+ } => {
                        commonware_codec::Write::write(&($tag as u8), buf);
                        $(commonware_codec::Write::write($field, buf);)+
                    })+
                }
            }
        }

        impl commonware_codec::EncodeSize for $name {
            fn encode_size(&self) -> usize {
                1 + match self {
                    $(Self::$variant { $($field,)+ } => {
                        $(commonware_codec::EncodeSize::encode_size($field) +)+ 0
                    })+
                }
            }
        }

        impl commonware_codec::Read for $name {
            type Cfg = ();

            fn read_cfg(
                buf: &mut impl commonware_codec::Buf,
                (): &(),
            ) -> Result<Self, commonware_codec::Error> {
                match <u8 as commonware_codec::ReadExt>::read(buf)? {
                    $($tag => Ok(Self::$variant {
                        $($field: commonware_codec::ReadExt::read(buf)?,)+
                    }),)+
                    tag => Err(commonware_codec::Error::InvalidEnum(tag)),
                }
            }
        }
    };
}

pub(crate) use {newtype, operations, record};

/// None, or more than fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 1 to {max}, got {got}")]
pub struct TooMany {
    /// How many fit.
    pub max: usize,
    /// How many there are.
    pub got: usize,
}

/// Bytes that are opaque to the contract's encoding, at most `MAX`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opaque<const MAX: usize>(Bytes);

impl<const MAX: usize> Opaque<MAX> {
    /// The bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }
}

impl<const MAX: usize> TryFrom<Bytes> for Opaque<MAX> {
    type Error = TooMany;

    fn try_from(bytes: Bytes) -> Result<Self, TooMany> {
        let got = bytes.len();
        (got <= MAX)
            .then_some(Self(bytes))
            .ok_or(TooMany { max: MAX, got })
    }
}

impl<const MAX: usize> Write for Opaque<MAX> {
    fn write(&self, buf: &mut impl BufMut) {
        self.0.write(buf);
    }
}

impl<const MAX: usize> EncodeSize for Opaque<MAX> {
    fn encode_size(&self) -> usize {
        self.0.encode_size()
    }
}

impl<const MAX: usize> Read for Opaque<MAX> {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, Error> {
        Bytes::read_cfg(buf, &RangeCfg::from(0..=MAX)).map(Self)
    }
}

/// 1 to `MAX` digests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digests<const MAX: usize>(Vec<[u8; 32]>);

impl<const MAX: usize> Digests<MAX> {
    /// The digests.
    pub fn as_slice(&self) -> &[[u8; 32]] {
        &self.0
    }
}

impl<const MAX: usize> TryFrom<Vec<[u8; 32]>> for Digests<MAX> {
    type Error = TooMany;

    fn try_from(digests: Vec<[u8; 32]>) -> Result<Self, TooMany> {
        let got = digests.len();
        let fits = (1..=MAX).contains(&got);
        fits.then_some(Self(digests))
            .ok_or(TooMany { max: MAX, got })
    }
}

impl<const MAX: usize> Write for Digests<MAX> {
    fn write(&self, buf: &mut impl BufMut) {
        self.0.write(buf);
    }
}

impl<const MAX: usize> EncodeSize for Digests<MAX> {
    fn encode_size(&self) -> usize {
        self.0.encode_size()
    }
}

impl<const MAX: usize> Read for Digests<MAX> {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, Error> {
        Vec::read_cfg(buf, &(RangeCfg::from(1..=MAX), ())).map(Self)
    }
}
