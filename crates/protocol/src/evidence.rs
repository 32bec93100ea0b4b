//! Evidence against a signer: its own signed messages, as one RSU heard them (PROTOCOLS.md
//! section 6).
//!
//! 1. An RSU keeps what it heard of a signer in the last [`MAX_SPAN_MS`]. When its vote is due, these
//!    messages with their times of arrival are the evidence, at most [`MAX_MESSAGES`], and with them the
//!    registered key or the anonymous credential ([`Signatory`]).
//! 2. Its digest goes into the vote on the ledger, the bytes into the vault.
//! 3. Anybody who knows the ledger re-verifies it: it has the RSU's position, registered keys, and the
//!    issuers' key, which gives the key of a credential. All signatures, then all checks of
//!    [`plausibility`](crate::plausibility) from the beginning, with nothing known before. It convinces
//!    only if the vote is due at its end.
//!
//! What it proves: the holder of that key signed these statements. What rests on the RSU's word: that it heard
//! them, and when. So a lying RSU can call true statements out of its range; f_r + 1 different RSUs
//! must say so before anything happens. It can also leave messages out, which hides the clean ones
//! between an honest sensor's faults: that is why the evidence must lie within two minutes.
//!
//! Rules ([`Evidence::verify`]):
//! * `V-EVI-1` it decodes within its bounds, with at least one message;
//! * `V-EVI-2` all messages are of the subject, in the order of arrival, within [`MAX_SPAN_MS`];
//! * `V-EVI-3` all signatures fit the key; that of a credential is of an epoch on the ledger;
//! * `V-EVI-4` none was stale or a repetition when it arrived;
//! * `V-EVI-5` the vote is due after the last one;
//! * `V-EVI-6` the credential's slot was on when they arrived.

use bytes::BufMut;
use cairn_contracts::misbehaviour::{Kind, Vote};
use cairn_crypto::schnorr::{self, Batch, PublicKey};
use cairn_ledger::{ChainId, Position, Rid};
use commonware_codec::{
    Buf, Encode as _, EncodeSize, Error, FixedSize as _, RangeCfg, Read, ReadExt, Write,
};
use commonware_cryptography::{Hasher as _, Sha256};
use rand_core::CryptoRng;
use thiserror::Error as ThisError;

use crate::{
    THR_MS,
    plausibility::{Bounds, Severity, Subject, Unusable, Watch},
    position::{Signatory, Signed, Signer},
    roadside::{AnonymousWhy, Issuers},
};

/// The longest time from the first to the last message, in milliseconds. Who lies in one message of
/// five is due within 80 s; honest faults that far apart do not add up.
pub const MAX_SPAN_MS: u64 = 120_000;

/// The most messages: four a second. Of a faster sender the latest count.
pub const MAX_MESSAGES: usize = 512;

/// The domain of digests, the same as the vault's, so that the vault finds evidence by its digest.
const DIGEST: &[u8] = b"cairn/1/vault/evidence";

/// Why evidence does not convince. The RSU that voted with it is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
pub enum EvidenceError {
    /// `V-EVI-2`.
    #[error("message {0} is of another signer")]
    OtherSigner(usize),
    /// `V-EVI-2`.
    #[error("expected messages in order of arrival, within {MAX_SPAN_MS} ms")]
    Order,
    /// `V-EVI-3`.
    #[error("the key is not valid: {0}")]
    Key(schnorr::Error),
    /// `V-EVI-3`, `V-EVI-6`.
    #[error("credential: {0}")]
    Credential(AnonymousWhy),
    /// `V-EVI-3`.
    #[error("signature of message {0} does not fit the key")]
    Signature(usize),
    /// `V-EVI-4`.
    #[error("message {0} should have been passed over: {1}")]
    Unusable(usize, Unusable),
    /// `V-EVI-5`.
    #[error("expected implausible messages enough for a vote")]
    NotDue,
}

/// A message and when an RSU heard it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Time of arrival by the RSU's clock, in milliseconds since 1970.
    pub at_ms: u64,
    /// The message; in evidence without its attachment.
    pub message: Signed,
}

/// What evidence is re-verified by, beside the registered position of the RSU.
#[derive(Clone, Copy)]
pub struct Grounds<'a> {
    /// The road chain.
    pub chain: &'a ChainId,
    /// The issuers on the ledger.
    pub issuers: &'a Issuers,
    /// Thresholds of the checks.
    pub bounds: Bounds,
}

/// What an RSU's vote rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Who signed, with what its signatures are checked by.
    pub signatory: Signatory,
    /// The RSU that heard it.
    pub rsu: Rid,
    /// What it said, in order of arrival.
    pub messages: Vec<Heard>,
}

impl Evidence {
    /// Whom it is against.
    #[must_use]
    pub const fn subject(&self) -> Signer {
        self.signatory.signer()
    }

    /// Names the evidence: SHA-256 over domain and encoding, each with its length.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        digest(&self.encode())
    }

    /// Re-verifies the evidence of the RSU that is registered at `here`: rules `V-EVI-2` to
    /// `V-EVI-6`. Returns the vote that it leads to; the caller compares that, subject, RSU and a
    /// registered key with the ledger.
    ///
    /// # Errors
    ///
    /// See [`EvidenceError`].
    pub fn verify(
        &self,
        grounds: &Grounds<'_>,
        here: Position,
        rng: &mut impl CryptoRng,
    ) -> Result<Vote, EvidenceError> {
        let subject = self.subject();
        let is_other = |heard: &Heard| heard.message.statement.signer != subject;
        if let Some(other) = self.messages.iter().position(is_other) {
            return Err(EvidenceError::OtherSigner(other));
        }
        let (first, last) = match self.messages.as_slice() {
            [] => return Err(EvidenceError::NotDue),
            [first, .., last] => (first, last),
            [only] => (only, only),
        };
        let is_ordered = self.messages.is_sorted_by_key(|heard| heard.at_ms);
        if !is_ordered || last.at_ms - first.at_ms > MAX_SPAN_MS {
            return Err(EvidenceError::Order);
        }
        let key = self.key(grounds.issuers, [first.at_ms, last.at_ms])?;
        let mut batch = Batch::new();
        for Heard { message, .. } in &self.messages {
            let digest = message.statement.digest(grounds.chain);
            batch.push(key, digest, message.signature);
        }
        batch
            .verify(rng)
            .map_err(|bad| EvidenceError::Signature(bad.first().copied().unwrap_or_default()))?;
        self.judge(Subject(key.to_bytes()), here, grounds.bounds)
    }

    /// The signatory's key, and `V-EVI-6`: a slot that is on at the first and at the last arrival is on
    /// at all of them.
    fn key(&self, issuers: &Issuers, arrivals_ms: [u64; 2]) -> Result<PublicKey, EvidenceError> {
        match &self.signatory {
            Signatory::Registered { key, .. } => {
                PublicKey::from_bytes(key).map_err(EvidenceError::Key)
            }
            Signatory::Anonymous {
                linkage,
                attachment,
            } => {
                let attributed = attachment
                    .attributed(*linkage, issuers.policy())
                    .map_err(EvidenceError::Credential)?;
                let slot = attributed.attributes.slot;
                if !arrivals_ms
                    .iter()
                    .all(|at_ms| slot.contains(*at_ms, THR_MS))
                {
                    let why = AnonymousWhy::Slot(slot.start_s());
                    return Err(EvidenceError::Credential(why));
                }
                attachment
                    .key(&attributed, issuers)
                    .map_err(EvidenceError::Credential)
            }
        }
    }

    /// `V-EVI-4` and `V-EVI-5`, for an RSU that has verified the signatures itself: the vote.
    pub(crate) fn judge(
        &self,
        subject: Subject,
        here: Position,
        bounds: Bounds,
    ) -> Result<Vote, EvidenceError> {
        let mut watch = Watch::new(here, bounds);
        let mut worst = None;
        let mut last = None;
        for (index, Heard { at_ms, message }) in self.messages.iter().enumerate() {
            let claim = message.statement.claim(subject);
            let judgement = watch.hear(&claim, &[], *at_ms);
            let judgement = judgement.map_err(|error| EvidenceError::Unusable(index, error))?;
            worst = worst.max(
                judgement
                    .suspicions
                    .iter()
                    .map(|found| found.severity)
                    .max(),
            );
            last = judgement.is_vote_due.then_some(claim.position);
        }
        let position = last.ok_or(EvidenceError::NotDue)?;
        let reach_m = bounds.radio_range_m + bounds.position_error_m;
        let kind = match worst {
            _ if position.distance_m(&here) > reach_m => Kind::Elsewhere,
            Some(Severity::Impossible) => Kind::Impossible,
            _ => Kind::Implausible,
        };
        Ok(Vote {
            subject: self.subject(),
            kind,
            position,
            evidence: self.digest(),
        })
    }
}

/// The digest of encoded evidence.
#[must_use]
pub fn digest(bytes: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::default();
    for part in [DIGEST, bytes] {
        let length = u32::try_from(part.len()).expect("evidence is bounded far below 4 GiB");
        hasher.update(&length.to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().1.0
}

impl Write for Heard {
    fn write(&self, buf: &mut impl BufMut) {
        self.at_ms.write(buf);
        self.message.write(buf);
    }
}

impl commonware_codec::FixedSize for Heard {
    const SIZE: usize = 8 + Signed::SIZE;
}

impl Read for Heard {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, Error> {
        Ok(Self {
            at_ms: ReadExt::read(buf)?,
            message: ReadExt::read(buf)?,
        })
    }
}

impl Write for Evidence {
    fn write(&self, buf: &mut impl BufMut) {
        self.signatory.write(buf);
        self.rsu.write(buf);
        self.messages.write(buf);
    }
}

impl EncodeSize for Evidence {
    fn encode_size(&self) -> usize {
        self.signatory.encode_size() + Rid::SIZE + self.messages.encode_size()
    }
}

impl Read for Evidence {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, Error> {
        Ok(Self {
            signatory: ReadExt::read(buf)?,
            rsu: ReadExt::read(buf)?,
            messages: Vec::read_cfg(buf, &(RangeCfg::from(1..=MAX_MESSAGES), ()))?,
        })
    }
}
