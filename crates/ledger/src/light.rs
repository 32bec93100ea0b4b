//! Checking the ledger without storing it, as a vehicle does.
//!
//! ```text
//! network key --verifies--> finality certificate --signs--> header digest
//!     header --commits to--> state root --proves--> record is there / is not there
//! ```
//!
//! 1. The certificate verifies under the network key in the chain's namespace.
//! 2. It certifies the digest of the header that is shown.
//! 3. Each entry's proof verifies under the header's state root: an inclusion proof shows the
//!    current value of a key, an exclusion proof that the key has none (and, unavoidably, which
//!    two hashed keys are its neighbours).
//!
//! Whatever the number of validators: one certificate of 96 bytes (two BLS12-381 signatures, the
//! second being the round's seed) under one key of 96 bytes.

use crate::{
    ChainId, Header, PublicKey, Record, StateKey,
    genesis::{NetworkKey, consensus_namespace},
};
use bytes::BufMut;
use commonware_codec::{Buf, EncodeSize, Error, RangeCfg, Read, ReadExt, Write};
use commonware_consensus::simplex::{scheme::bls12381_threshold::vrf, types};
use commonware_cryptography::{Sha256, bls12381::primitives::variant::MinSig, sha256};
use commonware_parallel::Sequential;
use commonware_storage::{
    mmr,
    qmdb::{any::value::FixedEncoding, current::ordered::proof::constant},
};
use rand_core::CryptoRng;
use thiserror::Error as ThisError;

/// The signature scheme of consensus: BLS12-381 threshold signatures with a VRF.
pub type Scheme = vrf::Scheme<PublicKey, MinSig>;

/// A finality certificate: 2f+1 validators agree that this block is final.
pub type Finalization = types::Finalization<Scheme, sha256::Digest>;

/// Bytes of one chunk of the state's activity bitmap, which proofs carry.
pub const BITMAP_CHUNK_BYTES: usize = 32;

/// Proof that a key has a value.
pub type InclusionProof =
    constant::KeyValueProof<mmr::Family, StateKey, sha256::Digest, BITMAP_CHUNK_BYTES>;

/// Proof that a key has no value.
pub type ExclusionProof = constant::ExclusionProof<
    mmr::Family,
    StateKey,
    FixedEncoding<Record>,
    sha256::Digest,
    BITMAP_CHUNK_BYTES,
>;

/// The most entries that one proof shows.
pub const MAX_ENTRIES: usize = 16;

/// The most digests in one entry's proof: the depth of a tree of 2^60 operations, and its peaks.
pub const MAX_PROOF_DIGESTS: usize = 128;

/// What is shown of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// The key has this value.
    Present(StateKey, Record, InclusionProof),
    /// The key has no value.
    Absent(StateKey, ExclusionProof),
}

/// A certified header and records under its state root.
#[derive(Clone, Debug, PartialEq)]
pub struct LedgerProof {
    /// The header of a final block.
    pub header: Header,
    /// The certificate that it is final.
    pub finalization: Finalization,
    /// What the state after that block says of some keys.
    pub entries: Vec<Entry>,
}

/// What a [`LedgerProof`] has been found to prove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Height of the block.
    pub height: u64,
    /// Block time, milliseconds since 1970.
    pub time_ms: u64,
    /// The keys that were shown, with their values.
    pub entries: Vec<(StateKey, Option<Record>)>,
}

impl Verified {
    /// The record under `key`; `None` if the proof does not speak of it.
    pub fn record(&self, key: &StateKey) -> Option<Option<&Record>> {
        self.entries
            .iter()
            .find(|(shown, _)| shown == key)
            .map(|(_, record)| record.as_ref())
    }
}

/// Why a proof was refused. The prover is at fault in every case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
pub enum LightError {
    /// The certificate is for another block than the header.
    #[error("certificate is for another block than the header shown")]
    OtherBlock,
    /// The certificate does not verify under the network key for this chain.
    #[error("certificate does not verify under this chain's network key")]
    Certificate,
    /// An entry's proof does not verify under the header's state root.
    #[error("proof of state key {0} does not verify under the header's state root")]
    Entry(StateKey),
}

/// Checks proofs of one chain.
#[derive(Clone, Debug)]
pub struct Client {
    scheme: Scheme,
}

impl Client {
    /// A client for the chain `chain`, whose certificates verify under `network_key`.
    pub fn new(chain: &ChainId, network_key: NetworkKey) -> Self {
        let namespace = consensus_namespace(chain);
        Self {
            scheme: Scheme::certificate_verifier(&namespace, network_key),
        }
    }

    /// Checks a proof. `rng` weighs the two signatures of the certificate in one batch.
    pub fn verify(
        &self,
        proof: &LedgerProof,
        rng: &mut impl CryptoRng,
    ) -> Result<Verified, LightError> {
        if proof.finalization.proposal.payload != proof.header.digest() {
            return Err(LightError::OtherBlock);
        }
        if !proof.finalization.verify(rng, &self.scheme, &Sequential) {
            return Err(LightError::Certificate);
        }
        let root = &proof.header.state_root;
        let entries = proof
            .entries
            .iter()
            .map(|entry| entry.verify(root))
            .collect::<Result<_, _>>()?;
        Ok(Verified {
            height: proof.header.height.get(),
            time_ms: proof.header.time_ms,
            entries,
        })
    }
}

impl Entry {
    fn verify(&self, root: &sha256::Digest) -> Result<(StateKey, Option<Record>), LightError> {
        match self {
            Self::Present(key, record, proof) => proof
                .verify::<Sha256, FixedEncoding<Record>>(*key, record.clone(), root)
                .then(|| (*key, Some(record.clone())))
                .ok_or(LightError::Entry(*key)),
            Self::Absent(key, proof) => proof
                .verify::<Sha256>(key, root)
                .then_some((*key, None))
                .ok_or(LightError::Entry(*key)),
        }
    }
}

impl Write for Entry {
    fn write(&self, buf: &mut impl BufMut) {
        match self {
            Self::Present(key, record, proof) => {
                1u8.write(buf);
                key.write(buf);
                record.write(buf);
                proof.write(buf);
            }
            Self::Absent(key, proof) => {
                0u8.write(buf);
                key.write(buf);
                proof.write(buf);
            }
        }
    }
}

impl EncodeSize for Entry {
    fn encode_size(&self) -> usize {
        match self {
            Self::Present(key, record, proof) => {
                1 + key.encode_size() + record.encode_size() + proof.encode_size()
            }
            Self::Absent(key, proof) => 1 + key.encode_size() + proof.encode_size(),
        }
    }
}

impl Read for Entry {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, Error> {
        match u8::read(buf)? {
            0 => Ok(Self::Absent(
                ReadExt::read(buf)?,
                ExclusionProof::read_cfg(buf, &(MAX_PROOF_DIGESTS, (), ()))?,
            )),
            1 => Ok(Self::Present(
                ReadExt::read(buf)?,
                ReadExt::read(buf)?,
                InclusionProof::read_cfg(buf, &(MAX_PROOF_DIGESTS, ()))?,
            )),
            tag => Err(Error::InvalidEnum(tag)),
        }
    }
}

impl Write for LedgerProof {
    fn write(&self, buf: &mut impl BufMut) {
        self.header.write(buf);
        self.finalization.write(buf);
        self.entries.write(buf);
    }
}

impl EncodeSize for LedgerProof {
    fn encode_size(&self) -> usize {
        self.header.encode_size() + self.finalization.encode_size() + self.entries.encode_size()
    }
}

impl Read for LedgerProof {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, Error> {
        Ok(Self {
            header: ReadExt::read(buf)?,
            finalization: Finalization::read_cfg(buf, &())?,
            entries: Vec::read_cfg(buf, &(RangeCfg::from(0..=MAX_ENTRIES), ()))?,
        })
    }
}
