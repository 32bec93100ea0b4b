//! Challenges: which blocks, with which weights.

use std::collections::BTreeSet;

use super::curve::Weight;
use super::{Error, FileId, FileRecord, RecordDigest};
use crate::transcript::{Domain, Transcript};

const CHALLENGE: Domain = Domain::new("cairn/1/possession/challenge");
const DRAW: Domain = Domain::new("cairn/1/possession/draw");

/// Most blocks of a challenge. 4,096 find a loss of one block in a thousand with 98 %; a proof
/// of them stays within some megabytes of index and 0.2 s of verification.
pub const MAX_CHALLENGED: u32 = 4096;

/// A challenge, a function of a round's seed, a file record and an audit's number. It is never
/// sent: prover and verifier each derive it, so nobody chooses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    pub(super) record: RecordDigest,
    pub(super) file: FileId,
    pub(super) digest: [u8; 32],
    pub(super) weights: Vec<Weight>,
    ranks: Vec<u64>,
}

impl Challenge {
    /// Step 4: draws `min(blocks, live)` distinct live blocks and their 128-bit weights.
    ///
    /// `seed` comes from a consensus round whose number was fixed before the seed existed.
    ///
    /// # Errors
    ///
    /// [`Error::Challenged`] for no or more than [`MAX_CHALLENGED`] blocks, [`Error::EmptyFile`]
    /// when there is nothing to audit.
    pub fn derive(
        seed: &[u8; 32],
        record: &FileRecord,
        audit: u64,
        blocks: u32,
    ) -> Result<Self, Error> {
        if !(1..=MAX_CHALLENGED).contains(&blocks) {
            return Err(Error::Challenged(blocks));
        }
        if record.live == 0 {
            return Err(Error::EmptyFile);
        }
        let digest = Transcript::new(CHALLENGE)
            .bytes(seed)
            .bytes(&record.to_authorise().0)
            .number(audit)
            .number(u64::from(blocks))
            .finish()
            .short();
        let count = record.live.min(u64::from(blocks));
        let mut stream = Stream::new(&digest);
        let ranks: Vec<u64> = if count == record.live {
            (0..count).collect()
        } else {
            let mut ranks = BTreeSet::new();
            while (ranks.len() as u64) < count {
                ranks.insert(stream.below(record.live));
            }
            ranks.into_iter().collect()
        };
        let weights = ranks
            .iter()
            .map(|_| Weight::draw(|| stream.next()))
            .collect();
        Ok(Self {
            record: record.to_authorise(),
            file: record.file,
            digest,
            weights,
            ranks,
        })
    }

    /// Ranks of the challenged blocks among the live ones, ascending.
    #[must_use]
    pub fn ranks(&self) -> &[u64] {
        &self.ranks
    }
}

/// Numbers of 128 bits, one from each hash of a counter.
struct Stream {
    prefix: Transcript,
    counter: u64,
}

impl Stream {
    fn new(digest: &[u8; 32]) -> Self {
        Self {
            prefix: Transcript::new(DRAW).bytes(digest),
            counter: 0,
        }
    }

    fn next(&mut self) -> u128 {
        let digest = self.prefix.clone().number(self.counter).finish();
        self.counter += 1;
        u128::from_le_bytes(digest.0[..16].try_into().expect("16 of 64 bytes"))
    }

    /// Uniform below `end`, but for a bias of at most 2^-64.
    fn below(&mut self, end: u64) -> u64 {
        u64::try_from(self.next() % u128::from(end)).expect("below a u64")
    }
}

/// Probability that an audit of `challenged` distinct blocks of `live` meets one of `lost`
/// missing or changed ones: `1 − Π (live − lost − i) / (live − i)`.
#[must_use]
pub fn detection_probability(live: u64, lost: u64, challenged: u32) -> f64 {
    let intact = live.saturating_sub(lost);
    let missed: f64 = (0..u64::from(challenged).min(live))
        .map(|i| intact.saturating_sub(i) as f64 / (live - i) as f64)
        .product();
    1.0 - missed
}
