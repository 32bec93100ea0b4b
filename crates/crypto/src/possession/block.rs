//! Names and contents of blocks.

use bytes::BufMut;
use commonware_codec::{
    Buf, EncodeSize, Error as CodecError, FixedSize, Read, ReadExt as _, Write, varint::UInt,
};
use commonware_cryptography::bls12381::primitives::group::Scalar;

use super::Error;

/// Bytes of a sector: 248 bits, always below the 255-bit group order.
pub const SECTOR_BYTES: usize = 31;

/// Bytes at the end of a block that state the length of its content.
pub const LENGTH_BYTES: usize = 2;

/// Most sectors of a block. Tags cost 48 bytes a block, proofs 32 bytes a sector: at 256 the
/// tags take 0.6 % of the content and a further doubling saves less than the proof grows.
pub const MAX_SECTORS: u16 = 256;

/// Sectors of every block under one key, 1 to [`MAX_SECTORS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sectors(u16);

impl Sectors {
    /// # Errors
    ///
    /// [`Error::Sectors`] outside `1..=MAX_SECTORS`.
    pub fn new(count: u16) -> Result<Self, Error> {
        if (1..=MAX_SECTORS).contains(&count) {
            Ok(Self(count))
        } else {
            Err(Error::Sectors(count))
        }
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> usize {
        usize::from(self.0)
    }

    /// Most bytes of content in a block.
    #[must_use]
    pub fn capacity(self) -> usize {
        self.get() * SECTOR_BYTES - LENGTH_BYTES
    }
}

impl Write for Sectors {
    fn write(&self, buf: &mut impl BufMut) {
        self.0.write(buf);
    }
}

impl Read for Sectors {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, CodecError> {
        Self::new(u16::read(buf)?)
            .map_err(|_| CodecError::Invalid("Sectors", "expected 1 to 256 sectors"))
    }
}

impl FixedSize for Sectors {
    const SIZE: usize = u16::SIZE;
}

/// A file's name, unique within its group; the caller's choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileId(pub [u8; 32]);

/// One edition of a block: 128 random bits, drawn anew by [`Index`](super::Index) whenever the
/// content changes.
///
/// A nonce, not a counter: two tags under one name forge a third, and a counter would meet again
/// when two members edit at once or one of them repeats an upload after a crash. The order of
/// editions is the order of file versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BlockVersion(pub [u8; 16]);

/// What a tag is bound to, besides key and file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BlockName {
    /// Place in the index, never given to another block of the file.
    pub id: u64,
    /// Edition of the content.
    pub version: BlockVersion,
}

impl Write for BlockName {
    fn write(&self, buf: &mut impl BufMut) {
        UInt(self.id).write(buf);
        self.version.0.write(buf);
    }
}

impl Read for BlockName {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, CodecError> {
        Ok(Self {
            id: UInt::read(buf)?.into(),
            version: BlockVersion(<[u8; 16]>::read(buf)?),
        })
    }
}

impl EncodeSize for BlockName {
    fn encode_size(&self) -> usize {
        UInt(self.id).encode_size() + self.version.0.encode_size()
    }
}

/// The content of a block as s scalars: `content ‖ zeros ‖ length (u16, big endian)`, cut in
/// sectors of [`SECTOR_BYTES`], each read as a little-endian number. Different contents give
/// different blocks.
pub struct Block(pub(super) Vec<Scalar>);

impl Block {
    /// Parses the content of one block.
    ///
    /// # Errors
    ///
    /// [`Error::BlockLength`] above [`Sectors::capacity`].
    pub fn new(sectors: Sectors, content: &[u8]) -> Result<Self, Error> {
        if content.len() > sectors.capacity() {
            return Err(Error::BlockLength {
                capacity: sectors.capacity(),
                got: content.len(),
            });
        }
        let length = u16::try_from(content.len()).expect("the capacity is below 2^16");
        let mut padded = vec![0; sectors.get() * SECTOR_BYTES];
        padded[..content.len()].copy_from_slice(content);
        padded[sectors.capacity()..].copy_from_slice(&length.to_be_bytes());
        Ok(Self(
            padded.chunks_exact(SECTOR_BYTES).map(scalar).collect(),
        ))
    }
}

fn scalar(sector: &[u8]) -> Scalar {
    let mut limbs = [0; 4];
    for (limb, bytes) in limbs.iter_mut().zip(sector.chunks(8)) {
        let mut word = [0; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        *limb = u64::from_le_bytes(word);
    }
    Scalar::from_limbs(limbs)
}
