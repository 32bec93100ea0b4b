//! What an RSU's vote against a vehicle with false cells rests on.
//!
//! 1. When a vehicle's service ends for false cells, the RSU votes against the name under which the vehicle is logged in,
//!    with the contradictions as testimony: its digest goes into the vote on the ledger, the bytes into the vault.
//! 2. TA and LEA each re-verify it ([`Testimony::verify`]), as they do signed messages
//!    ([`Evidence`](crate::evidence::Evidence)), and count RSUs.
//!
//! A vehicle's orders are authenticated to its RSU and not signed: nobody else could check that. So what it proves is that
//! the claims contradict the RSU's place or each other; that the vehicle made them rests on the RSU's word, as it does
//! when an RSU says that it heard a true message out of its range. f_r + 1 different RSUs must say so before anything
//! happens.
//!
//! Rules ([`Testimony::verify`]):
//! * `V-CELL-1` it decodes, with [`FALSE_CELLS`] to [`MAX_CLAIMS`] claims;
//! * `V-CELL-2` they are in the order of their times, within [`EVIDENCE_SPAN_MS`];
//! * `V-CELL-3` each is one ([`Contradiction::stands`]) at the registered position of the RSU.

use bytes::BufMut;
use cairn_contracts::misbehaviour::{Kind, Signer, Vote};
use cairn_ledger::{Position, Rid};
use commonware_codec::{
    Buf, Encode as _, EncodeSize, Error, FixedSize, RangeCfg, Read, ReadExt, Write,
};
use thiserror::Error as ThisError;

use super::{Cell, Contradiction, EVIDENCE_SPAN_MS, FALSE_CELLS, Reach};
use crate::{evidence, plausibility::Bounds};

/// The most claims: more prove no more.
pub const MAX_CLAIMS: usize = 8;

/// Begins the bytes, so that they are no other kind of evidence.
const MAGIC: [u8; 8] = *b"cells/1\0";

/// Why testimony does not convince. The RSU that voted with it is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
pub enum TestimonyError {
    /// `V-CELL-2`.
    #[error("expected claims in the order of their times, within {EVIDENCE_SPAN_MS} ms")]
    Order,
    /// `V-CELL-3`.
    #[error("claim {0} can be true")]
    Plausible(usize),
}

/// False cells that a vehicle claimed at one RSU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Testimony {
    /// Whom it is against.
    pub subject: Signer,
    /// The RSU that says so.
    pub rsu: Rid,
    /// What cannot be true, in the order of the claims.
    pub claims: Vec<Contradiction>,
}

impl Testimony {
    /// Names the testimony, as [`Evidence::digest`](crate::evidence::Evidence::digest) does.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        evidence::digest(&self.encode())
    }

    /// Re-verifies the testimony of the RSU that is registered at `here`: `V-CELL-2`, `V-CELL-3`. Returns the vote that it
    /// leads to.
    ///
    /// # Errors
    ///
    /// See [`TestimonyError`].
    pub fn verify(&self, here: Position, bounds: &Bounds) -> Result<Vote, TestimonyError> {
        let times = || self.claims.iter().map(|claim| claim.time_ms);
        let span_ms = times().max().unwrap_or(0) - times().min().unwrap_or(0);
        if !times().is_sorted_by(|one, next| one < next) || span_ms > EVIDENCE_SPAN_MS {
            return Err(TestimonyError::Order);
        }
        let reach = Reach::new(here, bounds);
        let mut claims = self.claims.iter();
        if let Some(plausible) = claims.position(|claim| !claim.stands(&reach)) {
            return Err(TestimonyError::Plausible(plausible));
        }
        let last = self.claims.last().ok_or(TestimonyError::Order)?;
        Ok(self.vote(last.cell))
    }

    /// Conversions from floating point saturate: a cell may be out of this world.
    fn vote(&self, cell: Cell) -> Vote {
        let [x_cm, y_cm] = cell.middle_m().map(|metres| (100.0 * metres) as i32);
        Vote {
            subject: self.subject,
            kind: Kind::Elsewhere,
            position: Position { x_cm, y_cm },
            evidence: self.digest(),
        }
    }
}

impl Write for Contradiction {
    fn write(&self, buf: &mut impl BufMut) {
        self.before.write(buf);
        self.cell.write(buf);
        self.time_ms.write(buf);
    }
}

impl EncodeSize for Contradiction {
    fn encode_size(&self) -> usize {
        self.before.encode_size() + Cell::SIZE + u64::SIZE
    }
}

impl Read for Contradiction {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, Error> {
        Ok(Self {
            before: Option::read_cfg(buf, &((), ()))?,
            cell: ReadExt::read(buf)?,
            time_ms: ReadExt::read(buf)?,
        })
    }
}

impl Write for Testimony {
    fn write(&self, buf: &mut impl BufMut) {
        MAGIC.write(buf);
        self.subject.write(buf);
        self.rsu.write(buf);
        self.claims.write(buf);
    }
}

impl EncodeSize for Testimony {
    fn encode_size(&self) -> usize {
        MAGIC.len() + Signer::SIZE + Rid::SIZE + self.claims.encode_size()
    }
}

impl Read for Testimony {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, Error> {
        if <[u8; 8]>::read(buf)? != MAGIC {
            return Err(Error::Invalid("Testimony", "begins otherwise"));
        }
        Ok(Self {
            subject: ReadExt::read(buf)?,
            rsu: ReadExt::read(buf)?,
            claims: Vec::read_cfg(buf, &(RangeCfg::from(FALSE_CELLS..=MAX_CLAIMS), ()))?,
        })
    }
}
