//! Checks of a key's messages as such: their times, counts and order.
//!
//! All are made on what was signed, never on when it arrived: whoever records, delays and repeats
//! radio could otherwise make an honest key look guilty.

use super::{bounds::Bounds, claim::Claim};

/// The claim is from the future. (One from the past may have been delayed by anybody.)
pub(super) fn freshness(claim: &Claim, now_ms: u64, bounds: &Bounds) -> bool {
    claim.time_ms > now_ms.saturating_add(bounds.max_age_ms)
}

/// Two claims of one key have one sequence number, or their numbers contradict their times.
pub(super) fn sequence(one: &Claim, other: &Claim) -> bool {
    let by_number = one.sequence.cmp(&other.sequence);
    one != other && (by_number.is_eq() || by_number != one.time_ms.cmp(&other.time_ms))
}

/// Two claims of one key are sent in faster succession than allowed.
pub(super) fn rate(one: &Claim, other: &Claim, bounds: &Bounds) -> bool {
    one.time_ms.abs_diff(other.time_ms) < bounds.min_interval_ms
}

/// Two claims of one key are at places between which no vehicle gets in that time, both positions
/// being off as far as an honest one can be: one key speaks for more than one vehicle.
pub(super) fn two_places(one: &Claim, other: &Claim, bounds: &Bounds) -> bool {
    one.metres(other) > bounds.max_speed_m_s * one.seconds(other) + 2.0 * bounds.position_error_m
}

/// Two keys are at one place at nearly one time. Which of them lies, if one does, it does not say.
pub(super) fn same_space(one: &Claim, other: &Claim, bounds: &Bounds) -> bool {
    // What the slower of them may have moved in between is not known to half a second.
    one.time_ms.abs_diff(other.time_ms) < bounds.min_interval_ms / 2
        && one.metres(other) < bounds.same_space_m
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Motion, claim};
    use super::*;

    fn at(time_ms: u64, x: f64) -> Claim {
        let motion = Motion {
            x,
            ..Motion::default()
        };
        claim(time_ms, motion)
    }

    #[test]
    fn only_the_future_is_held_against_the_signer() {
        let bounds = Bounds::default();
        assert!(freshness(&at(12_001, 0.0), 10_000, &bounds));
        assert!(!freshness(&at(12_000, 0.0), 10_000, &bounds));
        assert!(!freshness(&at(0, 0.0), 10_000, &bounds));
    }

    #[test]
    fn sequence_numbers_serve_once_and_in_order() {
        let numbered = |sequence, time_ms, x| Claim {
            sequence,
            ..at(time_ms, x)
        };
        let first = numbered(7, 1_000, 0.0);
        assert!(!sequence(&first, &first));
        assert!(!sequence(&first, &numbered(8, 2_000, 0.0)));
        assert!(!sequence(&numbered(8, 2_000, 0.0), &first));
        assert!(sequence(&first, &numbered(7, 1_000, 1.0)));
        assert!(sequence(&first, &numbered(7, 2_000, 0.0)));
        assert!(sequence(&first, &numbered(8, 500, 0.0)));
        assert!(sequence(&first, &numbered(8, 1_000, 0.0)));
    }

    #[test]
    fn one_message_a_second_is_the_rate() {
        let bounds = Bounds::default();
        assert!(rate(&at(0, 0.0), &at(250, 0.0), &bounds));
        assert!(!rate(&at(0, 0.0), &at(900, 0.0), &bounds));
    }

    #[test]
    fn one_key_is_at_one_place() {
        let bounds = Bounds::default();
        // A ghost beside its maker may be an error; one 50 m ahead is not.
        assert!(!two_places(&at(0, 0.0), &at(1, 12.0), &bounds));
        assert!(two_places(&at(0, 0.0), &at(1, 50.0), &bounds));
        assert!(!two_places(&at(0, 0.0), &at(1_000, 50.0), &bounds));
    }

    #[test]
    fn two_keys_are_not_at_one_place() {
        let bounds = Bounds::default();
        assert!(same_space(&at(0, 0.0), &at(100, 0.5), &bounds));
        assert!(!same_space(&at(0, 0.0), &at(100, 1.5), &bounds));
        assert!(!same_space(&at(0, 0.0), &at(900, 0.5), &bounds));
    }
}
