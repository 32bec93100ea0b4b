//! From suspicions to a vote: one account per key.
//!
//! 1. A message with an implausible finding adds [`IMPLAUSIBLE`], with an impossible one
//!    [`IMPOSSIBLE`]; several findings about one message count once, because one wrong number
//!    often trips several checks.
//! 2. A message without any finding takes [`FORGIVEN`] away. One with nothing but hints does
//!    neither.
//! 3. At [`VOTE_SCORE`] a vote is due: eight implausible messages in close succession, or half as
//!    many impossible ones.
//!
//! Why eight: every RSU in range hears the same messages, so that what makes one of them err makes
//! all of them err, and the number of votes that it takes is no help. An honest sensor must
//! therefore be allowed a fault of some seconds: a fix lost between houses, a position that jumps
//! away and back (two messages), a map that is wrong. Who lies in fewer than one message of nine is
//! forgiven as fast as accused.

use super::checks::Severity;

/// What an implausible message adds.
pub const IMPLAUSIBLE: u32 = 8;

/// What an impossible message adds.
pub const IMPOSSIBLE: u32 = 16;

/// What a message without finding takes away.
pub const FORGIVEN: u32 = 1;

/// The score at which a vote is due.
pub const VOTE_SCORE: u32 = 8 * IMPLAUSIBLE;

/// The highest score, so that no past is beyond forgiving.
const MAX_SCORE: u32 = 2 * VOTE_SCORE;

/// How much is held against a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    score: u32,
}

impl Account {
    /// Books one message by the worst finding about it.
    pub(super) fn book(&mut self, worst: Option<Severity>) {
        self.score = match worst {
            None => self.score.saturating_sub(FORGIVEN),
            Some(Severity::Hint) => self.score,
            Some(Severity::Implausible) => self.score + IMPLAUSIBLE,
            Some(Severity::Impossible) => self.score + IMPOSSIBLE,
        }
        .min(MAX_SCORE);
    }

    /// Whether a vote against the key is due.
    pub(super) fn is_vote_due(&self) -> bool {
        self.score >= VOTE_SCORE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn booked(messages: impl IntoIterator<Item = Option<Severity>>) -> Account {
        let mut account = Account::default();
        messages.into_iter().for_each(|worst| account.book(worst));
        account
    }

    #[test]
    fn eight_implausible_or_four_impossible_messages_make_a_vote() {
        assert!(!booked([Some(Severity::Implausible); 7]).is_vote_due());
        assert!(booked([Some(Severity::Implausible); 8]).is_vote_due());
        assert!(!booked([Some(Severity::Impossible); 3]).is_vote_due());
        assert!(booked([Some(Severity::Impossible); 4]).is_vote_due());
    }

    #[test]
    fn five_bad_seconds_a_minute_never_make_a_vote() {
        let hour = (0..3_600).map(|i| (i % 60 < 5).then_some(Severity::Implausible));
        let mut account = Account::default();
        for worst in hour {
            account.book(worst);
            assert!(!account.is_vote_due());
        }
    }

    #[test]
    fn a_vote_ends_after_a_minute_of_honesty() {
        let mut account = booked([Some(Severity::Impossible); 1_000]);
        (0..=VOTE_SCORE / FORGIVEN).for_each(|_| account.book(None));
        assert!(!account.is_vote_due());
    }

    proptest! {
        #[test]
        fn hints_alone_never_make_a_vote(hints in proptest::collection::vec(any::<bool>(), 0..500)) {
            let messages = hints.into_iter().map(|hint| hint.then_some(Severity::Hint));
            prop_assert!(!booked(messages).is_vote_due());
        }
    }
}
