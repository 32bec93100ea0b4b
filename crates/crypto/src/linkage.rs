//! Linkage values: how a credential can be revoked without a list that grows in the hot path,
//! and how two authorities must agree before anybody can link (PROTOCOLS.md section 2).
//!
//! 1. For every enrolled vehicle, TA and LEA each draw a [`Seed`] of their own and keep it.
//! 2. Seeds run forward, one step per period: `ls_{i+1} = H(ls_i)`. Nobody runs them backward.
//! 3. In period `i`, credential `k` of the vehicle carries `lv = part_TA(i, k) ⊕ part_LEA(i, k)`,
//!    where `part = PRF(ls_i, authority, k)`, 9 bytes. Either part alone is a one-time pad.
//! 4. To revoke from period `i` on, both publish `ls_i`: [`Revocation`]. Earlier periods stay
//!    private, later ones are open to everybody.
//! 5. Whoever checks credentials keeps a [`Revoked`]: once a period, or when a revocation lands, it
//!    expands all published seeds into a hash set of linkage values. A check is one look-up in the
//!    set of the credential's own period: its cost does not depend on how many are revoked. What
//!    grows with them is the expansion, two HMACs per credential, vehicle and period.
//!
//! 72 bits: with 2²⁵ live credentials two of them share a value with probability 2⁻²³, and a revoked
//! set of 2²⁰ values hits an honest credential with probability 2⁻⁵².

use std::collections::HashSet;

use rand_core::CryptoRng;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::transcript::{Domain, derive, mac};

/// Length of a linkage value and of its parts, in bytes.
pub const LINKAGE_BYTES: usize = 9;

/// Length of a seed, in bytes.
pub const SEED_BYTES: usize = 32;

/// Farthest that a seed is run forward in one call: 20 years of weeks. Without a bound a hostile
/// period number would keep the CPU busy for ever.
pub const MAX_STEPS: u32 = 1_040;

const ADVANCE: Domain = Domain::new("cairn/1/linkage/advance");
const PART: Domain = Domain::new("cairn/1/linkage/part");

/// Why linkage values are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// A period before the seed's own, or beyond [`MAX_STEPS`].
    #[error("expected a period from {from} to {from} + {MAX_STEPS}, got {got}")]
    Period {
        /// Period of the seed.
        from: u32,
        /// Period asked for.
        got: u32,
    },
    /// The set is not expanded for the credential's period.
    #[error("expected a credential of period {current} or the one before, got {got}")]
    NotExpanded {
        /// Period for which the set was expanded last.
        current: u32,
        /// Period of the credential.
        got: u32,
    },
    /// Both seeds of its period were published.
    #[error("credential is revoked")]
    Revoked,
}

/// Number of a period since the Unix epoch; its length is a parameter of the
/// [`Policy`](crate::credential::Policy).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(pub u32);

/// Who holds a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// TA, who knows identities.
    Registrar,
    /// LEA, who reviews what TA does.
    Reviewer,
}

/// `PRF(ls_i, authority, k)`. Reveals nothing without the other authority's part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkagePart(pub [u8; LINKAGE_BYTES]);

impl LinkagePart {
    /// Joins the two parts.
    #[must_use]
    pub fn join(self, other: Self) -> LinkageValue {
        let mut value = self.0;
        for (byte, theirs) in value.iter_mut().zip(other.0) {
            *byte ^= theirs;
        }
        LinkageValue(value)
    }
}

/// The linkage value in a credential's attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkageValue(pub [u8; LINKAGE_BYTES]);

impl std::fmt::Display for LinkageValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// An authority's seed for one vehicle and period. Erased on drop; has no `Debug`.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Seed {
    bytes: [u8; SEED_BYTES],
    #[zeroize(skip)]
    authority: Authority,
    #[zeroize(skip)]
    period: Period,
}

impl Seed {
    /// Draws a seed for a vehicle that enrols in `period`.
    #[must_use]
    pub fn random(
        authority: Authority,
        period: Period,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Self {
        let mut bytes = [0; SEED_BYTES];
        rng.fill_bytes(&mut bytes);
        Self::from_bytes(authority, period, bytes)
    }

    /// Takes a seed from the register, or from a revocation.
    #[must_use]
    pub fn from_bytes(authority: Authority, period: Period, bytes: [u8; SEED_BYTES]) -> Self {
        Self {
            bytes,
            authority,
            period,
        }
    }

    /// The seed itself: for the authority's sealed register, or to publish it.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; SEED_BYTES] {
        self.bytes
    }

    /// The period in which this seed makes parts.
    #[must_use]
    pub fn period(&self) -> Period {
        self.period
    }

    /// Runs the seed forward to a period.
    ///
    /// # Errors
    ///
    /// [`Error::Period`] for an earlier period or one beyond [`MAX_STEPS`].
    pub fn at(&self, period: Period) -> Result<Self, Error> {
        let steps = period.0.checked_sub(self.period.0);
        let steps = steps.filter(|steps| *steps <= MAX_STEPS);
        let steps = steps.ok_or(Error::Period {
            from: self.period.0,
            got: period.0,
        })?;
        let mut seed = self.clone();
        for _ in 0..steps {
            seed.bytes = *derive(ADVANCE, &seed.bytes, &[]);
        }
        seed.period = period;
        Ok(seed)
    }

    /// The part for credential `k` of this period.
    #[must_use]
    pub fn part(&self, k: u8) -> LinkagePart {
        let authority: &[u8] = match self.authority {
            Authority::Registrar => b"registrar",
            Authority::Reviewer => b"reviewer",
        };
        let whole = mac(PART, &self.bytes, &[authority, &[k]]);
        let mut part = [0; LINKAGE_BYTES];
        part.copy_from_slice(&whole[..LINKAGE_BYTES]);
        LinkagePart(part)
    }
}

/// Both seeds of one vehicle, published: they open `period` and everything after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// First period that is open.
    pub period: Period,
    /// TA's seed of that period.
    pub registrar: [u8; SEED_BYTES],
    /// LEA's seed of that period.
    pub reviewer: [u8; SEED_BYTES],
}

impl Revocation {
    /// The vehicle's linkage values in a period, `per_period` of them.
    ///
    /// # Errors
    ///
    /// [`Error::Period`] for a period before the revocation's or beyond [`MAX_STEPS`].
    pub fn expand(
        &self,
        period: Period,
        per_period: u8,
    ) -> Result<impl Iterator<Item = LinkageValue> + use<>, Error> {
        let seed = |authority, bytes| Seed::from_bytes(authority, self.period, bytes).at(period);
        let registrar = seed(Authority::Registrar, self.registrar)?;
        let reviewer = seed(Authority::Reviewer, self.reviewer)?;
        Ok((0..per_period).map(move |k| registrar.part(k).join(reviewer.part(k))))
    }
}

/// Everything revoked, expanded for the current period and the one before it (a credential may be
/// shown within the clock tolerance after its period's end).
pub struct Revoked {
    per_period: u8,
    current: Period,
    published: Vec<Revocation>,
    now: HashSet<LinkageValue>,
    before: HashSet<LinkageValue>,
}

impl Revoked {
    /// Starts empty. `per_period` is the number of credentials that a vehicle gets in a period.
    #[must_use]
    pub fn new(per_period: u8, current: Period) -> Self {
        Self {
            per_period,
            current,
            published: Vec::new(),
            now: HashSet::new(),
            before: HashSet::new(),
        }
    }

    /// Takes in a revocation from the ledger, and from then on refuses. One of a later period
    /// waits for it.
    ///
    /// # Errors
    ///
    /// [`Error::Period`] when it lies more than [`MAX_STEPS`] in the past.
    pub fn add(&mut self, revocation: Revocation) -> Result<(), Error> {
        let (current, before) = (self.current, Period(self.current.0.saturating_sub(1)));
        if revocation.period <= current {
            self.now
                .extend(revocation.expand(current, self.per_period)?);
        }
        if revocation.period <= before {
            self.before
                .extend(revocation.expand(before, self.per_period)?);
        }
        self.published.push(revocation);
        Ok(())
    }

    /// Goes on to a later period and expands all seeds for it; an earlier one changes nothing.
    /// The published seeds themselves run forward, so that the next step is short.
    ///
    /// # Errors
    ///
    /// [`Error::Period`] when the step exceeds [`MAX_STEPS`]; nothing is changed then.
    pub fn advance(&mut self, period: Period) -> Result<(), Error> {
        if period <= self.current {
            return Ok(());
        }
        if period.0 - self.current.0 > MAX_STEPS {
            return Err(Error::Period {
                from: self.current.0,
                got: period.0,
            });
        }
        let mut next = Self::new(self.per_period, period);
        let oldest = Period(period.0 - 1);
        for revocation in &self.published {
            let mut revocation = *revocation;
            if revocation.period < oldest {
                let seed = |authority, bytes| {
                    Seed::from_bytes(authority, revocation.period, bytes).at(oldest)
                };
                revocation = Revocation {
                    period: oldest,
                    registrar: seed(Authority::Registrar, revocation.registrar)?.to_bytes(),
                    reviewer: seed(Authority::Reviewer, revocation.reviewer)?.to_bytes(),
                };
            }
            next.add(revocation)?;
        }
        *self = next;
        Ok(())
    }

    /// Checks a credential's linkage value: one look-up, whatever the number of revoked vehicles.
    ///
    /// # Errors
    ///
    /// [`Error::Revoked`]; [`Error::NotExpanded`] for a period that is neither the current one
    /// nor the one before, so that a stale set refuses instead of letting pass.
    pub fn check(&self, period: Period, value: &LinkageValue) -> Result<(), Error> {
        let set = if period == self.current {
            &self.now
        } else if period.0.checked_add(1) == Some(self.current.0) {
            &self.before
        } else {
            return Err(Error::NotExpanded {
                current: self.current.0,
                got: period.0,
            });
        };
        if set.contains(value) {
            Err(Error::Revoked)
        } else {
            Ok(())
        }
    }
    /// Checks a linkage value whose period is not told, as with a token: it is that of the current
    /// period or of the one before. Two look-ups.
    ///
    /// # Errors
    ///
    /// [`Error::Revoked`].
    pub fn check_recent(&self, value: &LinkageValue) -> Result<(), Error> {
        if self.now.contains(value) || self.before.contains(value) {
            Err(Error::Revoked)
        } else {
            Ok(())
        }
    }
}
