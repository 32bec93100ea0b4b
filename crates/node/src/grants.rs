//! What an RSU grants to the relays of logins that succeeded, in batches for contract `credits`.
//!
//! 1. The keys of a login's relays wait here ([`Grants::add`]), each once.
//! 2. With the RSU's next interval they go in one call ([`Grants::take`]), and with them old credits to be deleted.
//! 3. An RSU grants to half of its limit, so that a batch which becomes final in the next period fits
//!    there too. What is beyond is not granted: the contract would refuse the whole batch.

use crate::deployments::{MAX_GRANTED, credit_period};
use cairn_contracts::credits::{CreditId, Grant, KEPT_PERIODS, MAX_ENTRIES};
use std::collections::BTreeSet;

/// The most that an RSU hands in within a period.
const LIMIT: u32 = MAX_GRANTED / 2;

/// Credits that wait for the next batch, and those to be cleaned up when they are old.
#[derive(Default)]
pub struct Grants {
    waiting: Vec<Grant>,
    period: u32,
    /// Handed in within the period.
    granted: u32,
    recorded: BTreeSet<(u32, CreditId)>,
}

impl Grants {
    /// Adds what the relays of a login earn; nothing beyond the limit of the period.
    pub fn add(&mut self, grants: Vec<Grant>, now_ms: u64) {
        let period = credit_period(now_ms);
        if self.period != period {
            (self.period, self.granted) = (period, 0);
        }
        for grant in grants {
            let granted = self.granted + u32::from(grant.amount);
            let is_waiting = self.waiting.iter().any(|waiting| waiting.id == grant.id);
            if granted <= LIMIT && !is_waiting {
                self.granted = granted;
                self.waiting.push(grant);
            }
        }
    }

    /// The next batch: what is granted, and what is deleted. `None` when nothing waits; clean-up alone
    /// makes no batch.
    pub fn take(&mut self, now_ms: u64) -> Option<(Vec<Grant>, Vec<CreditId>)> {
        if self.waiting.is_empty() {
            return None;
        }
        let rest = self.waiting.split_off(self.waiting.len().min(MAX_ENTRIES));
        let grants = std::mem::replace(&mut self.waiting, rest);
        let period = credit_period(now_ms);
        let mut expired = Vec::new();
        // The batch may have been recorded in the period after.
        while expired.len() < MAX_ENTRIES
            && let Some((recorded, id)) = self.recorded.first().copied()
            && recorded + KEPT_PERIODS + 1 < period
        {
            self.recorded.pop_first();
            expired.push(id);
        }
        self.recorded
            .extend(grants.iter().map(|grant| (period, grant.id)));
        Some((grants, expired))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deployments::CREDIT_PERIOD_MS;
    use cairn_contracts::credits::LOGIN_POT;

    fn grant(number: u16) -> Grant {
        let mut key = [0; 32];
        key[..2].copy_from_slice(&number.to_be_bytes());
        Grant {
            id: CreditId::of(&key),
            amount: LOGIN_POT,
        }
    }

    #[test]
    fn a_key_waits_once_and_the_limit_of_a_period_holds() {
        let mut grants = Grants::default();
        grants.add(vec![grant(1), grant(1)], 0);
        assert_eq!(grants.take(0).unwrap().0, [grant(1)]);
        assert_eq!(grants.take(0), None);
        for number in 2..1_000 {
            grants.add(vec![grant(number)], 0);
        }
        let (all, _) = grants.take(0).unwrap();
        let handed_in = (1 + all.len() as u32) * u32::from(LOGIN_POT);
        assert_eq!(handed_in, MAX_GRANTED / 2);
        grants.add(vec![grant(1_000)], CREDIT_PERIOD_MS);
        assert_eq!(grants.take(CREDIT_PERIOD_MS).unwrap().0, [grant(1_000)]);
    }

    #[test]
    fn old_credits_are_deleted_with_a_later_batch() {
        let mut grants = Grants::default();
        grants.add(vec![grant(1)], 0);
        assert_eq!(grants.take(0), Some((vec![grant(1)], vec![])));
        let later_ms = CREDIT_PERIOD_MS * u64::from(KEPT_PERIODS + 2);
        assert_eq!(grants.take(later_ms), None, "clean-up can wait for company");
        grants.add(vec![grant(2)], later_ms);
        assert_eq!(
            grants.take(later_ms),
            Some((vec![grant(2)], vec![grant(1).id]))
        );
    }
}
