//! The value that the state holds under a key.

use bytes::BufMut;
use commonware_codec::{Buf, Copying, Encode, Error, FixedSize, Read, ReadExt, Write};

/// The most bytes a [`Record`] carries. Larger things do not belong on the ledger: content goes to
/// the vault and its commitment here; a contract with more to say uses several keys.
pub const MAX_RECORD_BYTES: usize = 127;

/// Up to 127 bytes under one key of the state, 128 bytes in storage.
///
/// The size is fixed because peers synchronise the state operation by operation, and operations of
/// one size need no configuration to decode.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    length: u8,
    bytes: [u8; MAX_RECORD_BYTES],
}

impl Record {
    /// A record that carries `bytes`, or `None` when they are more than [`MAX_RECORD_BYTES`].
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let length = u8::try_from(bytes.len()).ok()?;
        let mut record = Self {
            length,
            bytes: [0; MAX_RECORD_BYTES],
        };
        record.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(record)
    }

    /// A record that carries the encoding of `value`, whose size is known to fit.
    pub fn of<T: FixedSize + Encode>(value: &T) -> Self {
        const { assert!(T::SIZE <= MAX_RECORD_BYTES, "type too large for a record") };
        Self::new(&value.encode()).expect("the size was checked at compile time")
    }

    /// The bytes that the record carries.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// Decodes the record as a `T`, which must use all of its bytes.
    pub fn decode_as<T: Read<Cfg = ()>>(&self) -> Result<T, Error> {
        <T as commonware_codec::DecodeExt<()>>::decode(Copying(self.as_bytes()))
    }
}

impl core::fmt::Debug for Record {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Record({} bytes)", self.length)
    }
}

impl Write for Record {
    fn write(&self, buf: &mut impl BufMut) {
        self.length.write(buf);
        self.bytes.write(buf);
    }
}

impl Read for Record {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, Error> {
        let length = u8::read(buf)?;
        let bytes = <[u8; MAX_RECORD_BYTES]>::read(buf)?;
        if usize::from(length) > MAX_RECORD_BYTES {
            return Err(Error::Invalid("Record", "length is more than 127"));
        }
        if bytes[usize::from(length)..].iter().any(|byte| *byte != 0) {
            return Err(Error::Invalid("Record", "padding is not zero"));
        }
        Ok(Self { length, bytes })
    }
}

impl FixedSize for Record {
    const SIZE: usize = 1 + MAX_RECORD_BYTES;
}

#[cfg(test)]
mod tests {
    use super::*;
    use commonware_codec::DecodeExt as _;

    #[test]
    fn carries_up_to_127_bytes_and_no_more() {
        let full = Record::new(&[7; MAX_RECORD_BYTES]).unwrap();
        assert_eq!(full.as_bytes(), &[7; MAX_RECORD_BYTES]);
        assert!(Record::new(&[7; MAX_RECORD_BYTES + 1]).is_none());
        assert_eq!(Record::decode(full.encode()).unwrap(), full);
    }

    #[test]
    fn one_content_has_one_encoding() {
        let mut bytes = Record::new(b"abc").unwrap().encode().to_vec();
        bytes[10] = 1;
        assert!(Record::decode(bytes).is_err(), "padding");
        let mut bytes = Record::new(b"abc").unwrap().encode().to_vec();
        bytes[0] = 128;
        assert!(Record::decode(bytes).is_err(), "length");
    }
}
