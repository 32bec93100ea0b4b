//! What the ledger keeps of a file version.

use bytes::BufMut;
use commonware_codec::{
    Buf, Encode as _, EncodeSize, Error as CodecError, RangeCfg, Read, ReadExt as _, Write,
};
use commonware_cryptography::bls12381::primitives::group::G2;

use super::{Error, FileId, GroupKey, Index, KeyId, Root};
use crate::transcript::{Domain, Transcript};

const RECORD: Domain = Domain::new("cairn/1/possession/record");

/// Most bytes of `auth`: a presentation of a group credential takes some hundreds.
pub const MAX_AUTH: usize = 1024;

/// Digest of a record's fields, 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RecordDigest(pub [u8; 32]);

/// An immutable record of one version of a file. `212 + |auth|` bytes and a length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRecord {
    /// The file.
    pub file: FileId,
    /// Version of the file; the ledger sees to it that it grows by one.
    pub version: u64,
    /// Root of the index.
    pub root: Root,
    /// Number of live blocks.
    pub live: u64,
    /// Key of the tags.
    pub kid: KeyId,
    /// `v` of that key.
    pub v: G2,
    /// Proof of some enrolled member over [`to_authorise`](Self::to_authorise). Opaque here.
    pub auth: Vec<u8>,
}

impl FileRecord {
    /// Describes the present state of an index, with `auth` still empty.
    #[must_use]
    pub fn new(file: FileId, version: u64, index: &Index, key: &GroupKey) -> Self {
        Self {
            file,
            version,
            root: index.root(),
            live: index.live(),
            kid: key.kid(),
            v: *key.v(),
            auth: Vec::new(),
        }
    }

    /// Digest of every field but `auth`, which a member authorises.
    #[must_use]
    pub fn to_authorise(&self) -> RecordDigest {
        let fields = Transcript::new(RECORD)
            .bytes(&self.file.0)
            .number(self.version)
            .bytes(&self.root.0)
            .number(self.live)
            .bytes(&self.kid.0)
            .bytes(&self.v.encode());
        RecordDigest(fields.finish().short())
    }

    /// Whether `key` is the one that the record names.
    pub(super) fn check_key(&self, key: &GroupKey) -> Result<(), Error> {
        if self.kid == key.kid() && self.v == key.v {
            Ok(())
        } else {
            Err(Error::WrongKey)
        }
    }
}

impl Write for FileRecord {
    fn write(&self, buf: &mut impl BufMut) {
        self.file.0.write(buf);
        self.version.write(buf);
        self.root.0.write(buf);
        self.live.write(buf);
        self.kid.0.write(buf);
        self.v.write(buf);
        self.auth.write(buf);
    }
}

impl Read for FileRecord {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, CodecError> {
        Ok(Self {
            file: FileId(<[u8; 32]>::read(buf)?),
            version: u64::read(buf)?,
            root: Root(<[u8; 32]>::read(buf)?),
            live: u64::read(buf)?,
            kid: KeyId(<[u8; 32]>::read(buf)?),
            v: G2::read(buf)?,
            auth: Vec::read_cfg(buf, &(RangeCfg::new(0..=MAX_AUTH), ()))?,
        })
    }
}

impl EncodeSize for FileRecord {
    fn encode_size(&self) -> usize {
        32 + 8 + 32 + 8 + 32 + self.v.encode_size() + self.auth.encode_size()
    }
}
