//! Records of devices.

use std::fmt;

use bytes::BufMut;
use commonware_codec::{
    Buf, EncodeSize, Error as CodecError, FixedSize, Read, ReadExt as _, Write,
};
use rand_core::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{Commitment, Error, Item, Root, Stored, hash::bytes32};

/// Largest content of a record, in bytes: sensor rows and danger reports take some hundreds. With
/// this bound a page of a range needs no byte count of its own.
pub const MAX_CONTENT: usize = 16 * 1024;

/// Largest time (ms since 1970), block id and version number: a PostgreSQL `bigint` with one
/// value left for the end of a range.
pub const MAX_NUMBER: u64 = i64::MAX as u64 - 1;

bytes32!(
    /// Names a device: 32 bytes, its public key or the hash of its name.
    DeviceId
);

/// Sensitivity of a record; a chain takes records of one grade (paper 002).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Grade(pub u8);

/// Where a record stands: each device has at most one record per millisecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Device that made the record.
    pub device: DeviceId,
    /// Time of the record, ms since 1970, at most [`MAX_NUMBER`].
    pub time_ms: u64,
}

/// `r`: 32 random bytes that keep a commitment from confirming guesses of the content (attack
/// E2). Erased on drop; has no `Debug`.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Blind([u8; 32]);

impl Blind {
    /// Draws a fresh one.
    #[must_use]
    pub fn random(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// The bytes, for whoever may see the record.
    #[must_use]
    pub const fn reveal(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A record with its `r`.
///
/// Canonical encoding (attack E3), which the commitment covers: `device (32) ‖ time (u64) ‖
/// grade (u8) ‖ length of content (u32) ‖ content`, big endian. On the wire `r` goes before it.
#[derive(Clone)]
pub struct Record {
    key: Key,
    grade: Grade,
    content: Vec<u8>,
    blind: Blind,
}

impl Record {
    /// Bytes of the encoding apart from the content.
    const OVERHEAD: usize = 32 + DeviceId::SIZE + u64::SIZE + u8::SIZE + u32::SIZE;

    /// Puts a record together.
    ///
    /// # Errors
    ///
    /// [`Error::ContentSize`] above [`MAX_CONTENT`], [`Error::Number`] for a time above
    /// [`MAX_NUMBER`].
    pub fn new(key: Key, grade: Grade, content: Vec<u8>, blind: Blind) -> Result<Self, Error> {
        if content.len() > MAX_CONTENT {
            return Err(Error::ContentSize(content.len()));
        }
        if key.time_ms > MAX_NUMBER {
            return Err(Error::Number(key.time_ms));
        }
        Ok(Self {
            key,
            grade,
            content,
            blind,
        })
    }

    /// Device and time.
    #[must_use]
    pub const fn key(&self) -> &Key {
        &self.key
    }

    /// Sensitivity.
    #[must_use]
    pub const fn grade(&self) -> Grade {
        self.grade
    }

    /// Content, at most [`MAX_CONTENT`] bytes.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        &self.content
    }

    /// The record's `r`.
    #[must_use]
    pub const fn blind(&self) -> &Blind {
        &self.blind
    }

    /// `H(r ‖ record)`.
    #[must_use]
    pub fn commitment(&self) -> Commitment {
        let mut body = Vec::with_capacity(self.encode_size());
        self.write_body(&mut body);
        Commitment::new(&self.blind, &body)
    }

    fn write_body(&self, buf: &mut impl BufMut) {
        self.key.device.write(buf);
        self.key.time_ms.write(buf);
        self.grade.0.write(buf);
        u32::try_from(self.content.len())
            .expect("content is bounded by MAX_CONTENT")
            .write(buf);
        buf.put_slice(&self.content);
    }
}

/// Shows where the record stands and how long it is; neither content nor `r`.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("key", &self.key)
            .field("grade", &self.grade)
            .field("bytes", &self.content.len())
            .finish_non_exhaustive()
    }
}

impl Write for Record {
    fn write(&self, buf: &mut impl BufMut) {
        self.blind.0.write(buf);
        self.write_body(buf);
    }
}

impl EncodeSize for Record {
    fn encode_size(&self) -> usize {
        Self::OVERHEAD + self.content.len()
    }
}

impl Read for Record {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, CodecError> {
        let blind = Blind(<[u8; 32]>::read(buf)?);
        let key = Key {
            device: DeviceId::read(buf)?,
            time_ms: u64::read(buf)?,
        };
        let grade = Grade(u8::read(buf)?);
        let length = u32::read(buf)? as usize;
        if length > MAX_CONTENT {
            return Err(CodecError::InvalidLength(length));
        }
        if buf.remaining() < length {
            return Err(CodecError::EndOfBuffer);
        }
        let mut content = vec![0; length];
        buf.copy_to_slice(&mut content);
        Self::new(key, grade, content, blind)
            .map_err(|_| CodecError::Invalid("Record", "expected a time of at most 2^63 - 2"))
    }
}

/// The columns of a stored record, as a store finds them: anything may be wrong with them.
pub(crate) struct Columns<'a> {
    pub grade: i16,
    pub content: Vec<u8>,
    pub blind: &'a [u8],
    pub commitment: &'a [u8],
    pub batch: &'a [u8],
}

impl Columns<'_> {
    /// The record under `key`; [`Error::Corrupt`] unless it has the stored commitment. The
    /// commitment covers the key, so that a row moved to another device or time is found out.
    pub(crate) fn check(self, key: Key) -> Result<Stored, Error> {
        self.parse(key).ok_or(Error::Corrupt(Item::Record(key)))
    }

    fn parse(self, key: Key) -> Option<Stored> {
        let grade = Grade(self.grade.try_into().ok()?);
        let blind = Blind(self.blind.try_into().ok()?);
        let batch = Root(self.batch.try_into().ok()?);
        let record = Record::new(key, grade, self.content, blind).ok()?;
        (record.commitment().0 == self.commitment).then_some(Stored { record, batch })
    }
}
