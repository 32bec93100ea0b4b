//! Evidence against a vehicle: its own signed messages, as one RSU heard them (PROTOCOLS.md
//! section 6).
//!
//! 1. An RSU keeps what it heard of a vehicle in the last [`MAX_SPAN_MS`]. When its vote is due, these
//!    messages with their times of arrival are the evidence: at most [`MAX_MESSAGES`].
//! 2. Its digest goes into the vote on the ledger, the bytes into the vault.
//! 3. Anybody who knows the vehicle's key and the RSU's registered position re-verifies it: all
//!    signatures, then all checks of [`plausibility`](crate::plausibility) from the beginning, with
//!    nothing known before. It convinces only if the vote is due at its end.
//!
//! What it proves: the vehicle signed these statements. What rests on the RSU's word: that it heard
//! them, and when. So a lying RSU can call true statements out of its range; f_r + 1 different RSUs
//! must say so before anything happens. It can also leave messages out, which hides the clean ones
//! between an honest sensor's faults: that is why the evidence must lie within two minutes.
//!
//! Rules ([`Evidence::verify`]):
//! * `V-EVI-1` it decodes within its bounds, with at least one message;
//! * `V-EVI-2` all messages are of the subject, in the order of arrival, within [`MAX_SPAN_MS`];
//! * `V-EVI-3` all signatures fit the key;
//! * `V-EVI-4` none was stale or a repetition when it arrived;
//! * `V-EVI-5` the vote is due after the last one.

use bytes::BufMut;
use cairn_contracts::misbehaviour::{Kind, Vote};
use cairn_crypto::schnorr::{self, Batch, PublicKey};
use cairn_ledger::{ChainId, Position, Rid, Uid};
use commonware_codec::{
    Buf, Encode as _, EncodeSize, Error, FixedSize as _, RangeCfg, Read, ReadExt, Write,
};
use commonware_cryptography::{Hasher as _, Sha256};
use rand_core::CryptoRng;
use thiserror::Error as ThisError;

use crate::{
    plausibility::{Bounds, Severity, Unusable, Watch},
    position::Signed,
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
    #[error("message {0} is of another vehicle")]
    OtherVehicle(usize),
    /// `V-EVI-2`.
    #[error("expected messages in order of arrival, within {MAX_SPAN_MS} ms")]
    Order,
    /// `V-EVI-3`.
    #[error("the key is not valid: {0}")]
    Key(schnorr::Error),
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
    /// The message.
    pub message: Signed,
}

/// What an RSU's vote rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The vehicle.
    pub subject: Uid,
    /// The RSU that heard it.
    pub rsu: Rid,
    /// The vehicle's registered key when it was heard.
    pub key: [u8; schnorr::PUBLIC_KEY_BYTES],
    /// What it said, in order of arrival.
    pub messages: Vec<Heard>,
}

impl Evidence {
    /// Names the evidence: SHA-256 over domain and encoding, each with its length.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        digest(&self.encode())
    }

    /// Re-verifies the evidence of the RSU that is registered at `here`: rules `V-EVI-2` to
    /// `V-EVI-5`. Returns the vote that it leads to; the caller compares that, subject, RSU and key
    /// with the ledger.
    ///
    /// # Errors
    ///
    /// See [`EvidenceError`].
    pub fn verify(
        &self,
        chain: &ChainId,
        here: Position,
        bounds: Bounds,
        rng: &mut impl CryptoRng,
    ) -> Result<Vote, EvidenceError> {
        let is_other = |heard: &Heard| heard.message.statement.credential != self.subject;
        if let Some(other) = self.messages.iter().position(is_other) {
            return Err(EvidenceError::OtherVehicle(other));
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
        let key = PublicKey::from_bytes(&self.key).map_err(EvidenceError::Key)?;
        let mut batch = Batch::new();
        for Heard { message, .. } in &self.messages {
            batch.push(key, message.statement.digest(chain), message.signature);
        }
        batch
            .verify(rng)
            .map_err(|bad| EvidenceError::Signature(bad.first().copied().unwrap_or_default()))?;
        self.judge(&key, here, bounds)
    }

    /// `V-EVI-4` and `V-EVI-5`, for an RSU that has verified the signatures itself: the vote.
    pub(crate) fn judge(
        &self,
        key: &PublicKey,
        here: Position,
        bounds: Bounds,
    ) -> Result<Vote, EvidenceError> {
        let mut watch = Watch::new(here, bounds);
        let mut worst = None;
        let mut last = None;
        for (index, Heard { at_ms, message }) in self.messages.iter().enumerate() {
            let claim = message.statement.claim(key);
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
            subject: self.subject,
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
        self.subject.write(buf);
        self.rsu.write(buf);
        self.key.write(buf);
        self.messages.write(buf);
    }
}

impl EncodeSize for Evidence {
    fn encode_size(&self) -> usize {
        Uid::SIZE + Rid::SIZE + schnorr::PUBLIC_KEY_BYTES + self.messages.encode_size()
    }
}

impl Read for Evidence {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, Error> {
        Ok(Self {
            subject: ReadExt::read(buf)?,
            rsu: ReadExt::read(buf)?,
            key: ReadExt::read(buf)?,
            messages: Vec::read_cfg(buf, &(RangeCfg::from(1..=MAX_MESSAGES), ()))?,
        })
    }
}
