//! What a verdict rests on, for everybody to check.
//!
//! 1. The opening's block is the one whose time the ledger gives for the opening: block times
//!    rise, so there is one.
//! 2. The round's block is its child, and has a certificate under the network key.
//! 3. The seed is the certificate's, a threshold signature over the round: it did not exist when
//!    the opening was final, and is the same whoever computes it.
//! 4. Challenge and verification follow from seed, ledger record and audit number.
//! 5. The file record hashes to the digest on the ledger, says what the ledger says, and carries
//!    the authorisation of a member of the file's group in the epoch of its key.
//!
//! A leader who sees the seed of its round coming can let the round fail and so have another
//! one: one bit of choice for each faulty leader in a row.

use bytes::BufMut;
use cairn_contracts::{
    files::{Verdict, VersionRecord},
    groups::EpochRecord,
};
use cairn_crypto::{
    credential::IssuerKey,
    possession::{self, Audit, Challenge, FileId, FileRecord, GroupKey, Proof, Root},
};
use cairn_ledger::{
    Address, ChainId, Genesis, Header,
    light::{Client, LedgerProof},
};
use cairn_protocol::group::{Authorisation, AuthorisationError, Expected, Suite};
use cairn_vault::MAX_VERSION_RECORD;
use commonware_codec::{
    Buf, Copying, Decode as _, DecodeExt as _, Encode as _, EncodeSize, Error as CodecError,
    RangeCfg, Read, ReadExt as _, Write,
};
use commonware_consensus::simplex::scheme::bls12381_threshold::vrf::Seedable;
use commonware_cryptography::{Hasher as _, Sha256, bls12381::primitives::variant::MinSig};
use commonware_parallel::Strategy;
use rand_core::CryptoRng;
use thiserror::Error;

/// Largest proof that is kept: 460 blocks of 2^20 take 0.2 MB of index.
const MAX_PROOF_BYTES: usize = 1 << 20;

/// Why evidence does not carry a verdict. The auditor is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum EvidenceError {
    #[error("its block of the opening is not the one in which the audit was opened")]
    Opening,
    #[error("its round is not the one after the opening, or has no valid certificate")]
    Round,
    #[error("its file, audit or group key is another one than the verdict's")]
    Other,
    #[error("its file record is not the one on the ledger")]
    Record,
    #[error("the version was not authorised by a member of its group: {0}")]
    Unauthorised(#[from] AuthorisationError),
}

/// What a verdict rests on. Encoded, its SHA-256 stands in the verdict.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Evidence {
    pub(super) file: [u8; 32],
    pub(super) number: u64,
    /// Header of the block in which the audit was opened.
    pub(super) opening: Header,
    /// Header of the next one with its certificate; shows no records.
    pub(super) round: LedgerProof,
    /// The file record with the member's authorisation, as the vault has it.
    pub(super) record: Vec<u8>,
    /// The vault's proof; `None` when it gave none.
    pub(super) proof: Option<Vec<u8>>,
}

/// The file record in a vault's version record, and the authorisation that it carries; `None` for
/// bytes that are no record.
pub(super) fn authorisation(
    bytes: &[u8],
) -> Option<(FileRecord, Result<Authorisation, AuthorisationError>)> {
    // The number of slots follows.
    let (record, _) = bytes.split_last_chunk::<8>()?;
    let record = FileRecord::decode(Copying(record)).ok()?;
    let authorisation = Authorisation::from_bytes(&record.auth);
    Some((record, authorisation))
}

/// What the ledger says that evidence is checked against.
pub(super) struct Recorded<'a> {
    pub(super) file: FileId,
    pub(super) number: u64,
    pub(super) opened_ms: u64,
    pub(super) version: u64,
    pub(super) blocks: u32,
    pub(super) record: &'a VersionRecord,
    pub(super) key: &'a GroupKey,
}

/// Who may authorise a file's versions, as the ledger says.
pub(super) struct Members<'a> {
    pub(super) chain: &'a ChainId,
    pub(super) contract: &'a Address,
    pub(super) group: u16,
    pub(super) issuer: &'a IssuerKey<Suite>,
}

impl<'a> Recorded<'a> {
    /// Of a verdict.
    pub(super) fn of(
        file: FileId,
        number: u64,
        verdict: &Verdict,
        record: &'a VersionRecord,
        key: &'a GroupKey,
    ) -> Self {
        Self {
            file,
            number,
            opened_ms: verdict.opened_ms,
            version: verdict.version,
            blocks: verdict.blocks,
            record,
            key,
        }
    }

    /// The file record that was on the ledger in parts. Without the member's authorisation, which
    /// challenges and proofs do not cover.
    pub(super) fn file_record(&self) -> FileRecord {
        FileRecord {
            file: self.file,
            version: self.version,
            root: Root(self.record.root),
            live: self.record.live,
            kid: self.key.kid(),
            v: *self.key.v(),
            auth: Vec::new(),
        }
    }
}

impl Evidence {
    /// Steps 1 to 3: the challenge that nobody chose.
    pub(super) fn challenge(
        &self,
        genesis: &Genesis,
        recorded: &Recorded<'_>,
        rng: &mut impl CryptoRng,
    ) -> Result<Challenge, EvidenceError> {
        let is_same = self.file == recorded.file.0 && self.number == recorded.number;
        if !is_same || recorded.record.kid != recorded.key.kid().0 {
            return Err(EvidenceError::Other);
        }
        if self.opening.time_ms != recorded.opened_ms {
            return Err(EvidenceError::Opening);
        }
        if self.round.header.parent != self.opening.digest() {
            return Err(EvidenceError::Round);
        }
        let chain = genesis.chain_id();
        Client::new(&chain, genesis.network_key())
            .verify(&self.round, rng)
            .map_err(|_| EvidenceError::Round)?;
        let seed = seed(&chain, &self.round);
        let record = recorded.file_record();
        Challenge::derive(&seed, &record, self.number, recorded.blocks)
            .map_err(|_| EvidenceError::Other)
    }

    /// Step 5: the member's authorisation, whose credential's epoch still has to be looked up.
    pub(super) fn authorised(
        &self,
        recorded: &Recorded<'_>,
    ) -> Result<Authorisation, EvidenceError> {
        let is_recorded = Sha256::hash(&[&self.record]).0 == recorded.record.digest;
        let found = authorisation(&self.record).filter(|_| is_recorded);
        let (record, authorisation) = found.ok_or(EvidenceError::Record)?;
        if record.to_authorise() != recorded.file_record().to_authorise() {
            return Err(EvidenceError::Record);
        }
        Ok(authorisation?)
    }

    /// Step 5, with the key of the credential's epoch as the ledger has it.
    pub(super) fn is_authorised(
        &self,
        recorded: &Recorded<'_>,
        authorisation: &Authorisation,
        epoch: Option<&EpochRecord>,
        members: &Members<'_>,
    ) -> Result<(), EvidenceError> {
        if epoch.is_none_or(|epoch| epoch.kid != recorded.record.kid) {
            return Err(EvidenceError::Record);
        }
        let expected = Expected {
            chain: members.chain,
            contract: members.contract,
            group: members.group,
            epoch: authorisation.epoch(),
            at_ms: recorded.record.recorded_ms,
            record: &recorded.file_record().to_authorise(),
        };
        Ok(authorisation.check(members.issuer, &expected)?)
    }

    /// Step 4: whether the proof answers the challenge.
    pub(super) fn is_intact(
        &self,
        recorded: &Recorded<'_>,
        challenge: &Challenge,
        strategy: &impl Strategy,
    ) -> Result<(), possession::Error> {
        let sectors = recorded.key.sectors();
        let proof = self.proof.as_deref().ok_or(possession::Error::Proof)?;
        let proof = Proof::decode_cfg(Copying(proof), &(sectors, challenge.ranks().len()))
            .map_err(|_| possession::Error::Proof)?;
        let audit = Audit {
            key: recorded.key,
            record: &recorded.file_record(),
            challenge,
            proof: &proof,
        };
        audit.verify(strategy)
    }
}

/// `H(chain ‖ round ‖ threshold signature over the round)`.
fn seed(chain: &ChainId, round: &LedgerProof) -> [u8; 32] {
    let seed = Seedable::<MinSig>::seed(&round.finalization);
    let (number, signature) = (seed.round.encode(), seed.signature.encode());
    Sha256::hash(&[b"cairn/1/files/seed", chain, &number, &signature]).0
}

impl Write for Evidence {
    fn write(&self, buf: &mut impl BufMut) {
        self.file.write(buf);
        self.number.write(buf);
        self.opening.write(buf);
        self.round.write(buf);
        self.record.write(buf);
        self.proof.write(buf);
    }
}

impl EncodeSize for Evidence {
    fn encode_size(&self) -> usize {
        let headers = self.opening.encode_size() + self.round.encode_size();
        32 + 8 + headers + self.record.encode_size() + self.proof.encode_size()
    }
}

impl Read for Evidence {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, CodecError> {
        Ok(Self {
            file: <[u8; 32]>::read(buf)?,
            number: u64::read(buf)?,
            opening: Header::read(buf)?,
            round: LedgerProof::read(buf)?,
            record: Vec::read_cfg(buf, &(RangeCfg::from(0..=MAX_VERSION_RECORD), ()))?,
            proof: Option::read_cfg(buf, &(RangeCfg::from(0..=MAX_PROOF_BYTES), ()))?,
        })
    }
}
