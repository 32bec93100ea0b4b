//! Which slots a period has, and how many credentials a vehicle may hold at once.
//!
//! A period of `n` credentials is cut into `n + 1` equal steps; credential `k` is valid for steps
//! `k` and `k + 1`. So two are valid at any time (one in the first and in the last step), a vehicle can
//! change from one to the next when it likes, and none outlives its period: seeds published for
//! period `i` cover everything that is still valid.

use thiserror::Error;

use super::Slot;
use crate::linkage::Period;

/// Credentials of one vehicle that may be valid at the same time: each is a voice of its own, and
/// 20 at once would be 20 vehicles.
pub const MAX_AT_ONCE: usize = 2;

const WEEK_MINUTES: u16 = 7 * 24 * 60;
const PER_WEEK: u8 = 20;
const S_PER_MINUTE: u32 = 60;

/// Why a slot is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PolicyError {
    /// The parameters do not cut a period into whole minutes.
    #[error("expected a period of whole minutes for each of (credentials + 1) steps")]
    Parameters,
    /// The slot is none of a period's.
    #[error("expected a slot of the policy's grid")]
    Grid,
    /// This vehicle has this slot already, or would have a third credential at some time.
    #[error("expected at most {MAX_AT_ONCE} credentials valid at once")]
    TooMany,
}

/// Length of a period and number of credentials in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    step_minutes: u16,
    per_period: u8,
}

impl Default for Policy {
    /// A week with 20 credentials: a step is 8 hours, a slot 16.
    fn default() -> Self {
        Self {
            step_minutes: WEEK_MINUTES / (u16::from(PER_WEEK) + 1),
            per_period: PER_WEEK,
        }
    }
}

impl Policy {
    /// A policy with periods of `minutes` and `per_period` credentials in each.
    ///
    /// # Errors
    ///
    /// [`PolicyError::Parameters`] when `minutes` is not a positive multiple of
    /// `per_period + 1`, or there are no credentials.
    pub fn new(minutes: u16, per_period: u8) -> Result<Self, PolicyError> {
        let steps = u16::from(per_period) + 1;
        let step_minutes = minutes / steps;
        let whole = minutes.is_multiple_of(steps) && step_minutes > 0 && per_period > 0;
        whole
            .then_some(Self {
                step_minutes,
                per_period,
            })
            .ok_or(PolicyError::Parameters)
    }

    /// Credentials in a period.
    #[must_use]
    pub fn per_period(&self) -> u8 {
        self.per_period
    }

    /// The period at a time, in seconds since the Unix epoch.
    #[must_use]
    pub fn period(&self, at_s: u32) -> Period {
        Period(at_s / self.period_s())
    }

    /// Slot `k` of a period; `None` beyond the last one, or after 2106.
    #[must_use]
    pub fn slot(&self, period: Period, k: u8) -> Option<Slot> {
        if k >= self.per_period {
            return None;
        }
        let step = u32::from(self.step_minutes) * S_PER_MINUTE;
        let start = period.0.checked_mul(self.period_s())?;
        let start = start.checked_add(u32::from(k) * step)?;
        Slot::new(start, self.step_minutes.checked_mul(2)?)
    }

    /// The slot that begins at `start_s` (seconds since the Unix epoch), and its period; `None`
    /// when no slot does.
    #[must_use]
    pub fn slot_from(&self, start_s: u32) -> Option<(Period, Slot)> {
        let period = self.period(start_s);
        let into_period = start_s - period.0 * self.period_s();
        let step = u32::from(self.step_minutes) * S_PER_MINUTE;
        let k = u8::try_from(into_period / step).ok()?;
        let slot = self.slot(period, k)?;
        (slot.start_s() == start_s).then_some((period, slot))
    }

    /// Period and number of a slot.
    ///
    /// # Errors
    ///
    /// [`PolicyError::Grid`] when no period has this slot.
    pub fn locate(&self, slot: Slot) -> Result<(Period, u8), PolicyError> {
        let period = self.period(slot.start_s());
        (0..self.per_period)
            .find(|k| self.slot(period, *k) == Some(slot))
            .map(|k| (period, k))
            .ok_or(PolicyError::Grid)
    }

    /// Whether a vehicle that got `held` may get `new`.
    ///
    /// # Errors
    ///
    /// [`PolicyError::Grid`]; [`PolicyError::TooMany`] when `new` was given already or a third
    /// credential would be valid at some time.
    pub fn admit(&self, held: &[Slot], new: Slot) -> Result<(), PolicyError> {
        self.locate(new)?;
        // The number of slots that are on changes upwards only where one begins.
        let begins = held.iter().chain([&new]).map(Slot::start_s);
        let on = |s: u32| {
            let on = held.iter().filter(|h| h.start_s() <= s && s < h.end_s());
            on.count() + 1
        };
        let mut during_new = begins.filter(|s| new.start_s() <= *s && *s < new.end_s());
        if held.contains(&new) || during_new.any(|s| on(s) > MAX_AT_ONCE) {
            return Err(PolicyError::TooMany);
        }
        Ok(())
    }

    fn period_s(&self) -> u32 {
        let steps = u32::from(self.per_period) + 1;
        u32::from(self.step_minutes) * steps * S_PER_MINUTE
    }
}
