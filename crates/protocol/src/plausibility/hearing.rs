//! Checks of where a claim was heard against where it says it is.
//!
//! They rest on RSUs' word and not on signed bytes alone. Somebody who relays radio across the
//! city in real time can make an honest claim look out of range; that takes a relay for each RSU
//! that is to be misled.

use super::{bounds::Bounds, claim::Claim};
use cairn_ledger::Position;
use std::collections::BTreeSet;

/// What another RSU says about one claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// The RSU's registered position.
    pub rsu: Position,
    /// Whether it heard the claim while it was listening.
    pub has_heard: bool,
}

/// The RSU that hears the claim stands farther from it than its radio reaches.
pub(super) fn range(claim: &Claim, here: Position, bounds: &Bounds) -> bool {
    is_far(claim, here, bounds)
}

/// Other RSUs heard the claim although it is out of their range, or did not although it is near.
///
/// One liar must not be able to accuse anybody: at least [`Bounds::min_witnesses`] RSUs must
/// contradict the claim, and RSUs at one place count once.
pub(super) fn overlap(claim: &Claim, reports: &[Report], bounds: &Bounds) -> bool {
    let contradicts = |report: &&Report| match report.has_heard {
        true => is_far(claim, report.rsu, bounds),
        // Half the range, because buildings shade radio long before its range ends.
        false => claim.position.distance_m(&report.rsu) < bounds.radio_range_m / 2.0,
    };
    let contradicting = reports.iter().filter(contradicts);
    let places: BTreeSet<Position> = contradicting.map(|report| report.rsu).collect();
    places.len() >= bounds.min_witnesses
}

/// The first claim of a key is nearer than where vehicles come into range. Engines are started
/// and keys are changed there too, so this alone says little.
pub(super) fn appearance(first: &Claim, here: Position, bounds: &Bounds) -> bool {
    first.position.distance_m(&here) < bounds.appearance_range_m
}

fn is_far(claim: &Claim, rsu: Position, bounds: &Bounds) -> bool {
    claim.position.distance_m(&rsu) > bounds.radio_range_m + bounds.position_error_m
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Motion, claim, metres};
    use super::*;

    fn at(x: f64) -> Claim {
        let motion = Motion {
            x,
            ..Motion::default()
        };
        claim(0, motion)
    }

    #[test]
    fn range_allows_for_the_error_of_positions() {
        let bounds = Bounds::default();
        assert!(!range(&at(509.9), metres(0.0, 0.0), &bounds));
        assert!(range(&at(510.1), metres(0.0, 0.0), &bounds));
    }

    #[test]
    fn overlap_needs_three_witnesses() {
        let bounds = Bounds::default();
        let far = |y| Report {
            rsu: metres(-600.0, y),
            has_heard: true,
        };
        let near_but_deaf = Report {
            rsu: metres(100.0, 0.0),
            has_heard: false,
        };
        let shaded = Report {
            rsu: metres(300.0, 0.0),
            has_heard: false,
        };
        let agreeing = Report {
            rsu: metres(100.0, 5.0),
            has_heard: true,
        };
        let overlap = |reports: &[Report]| overlap(&at(0.0), reports, &bounds);
        assert!(overlap(&[far(0.0), far(1.0), near_but_deaf]));
        assert!(!overlap(&[far(0.0), far(1.0), shaded, agreeing]));
        assert!(!overlap(&[far(0.0), far(0.0), far(0.0), far(0.0)]));
        assert!(!overlap(&[]));
    }

    #[test]
    fn appearing_in_the_middle_is_noticed() {
        let bounds = Bounds::default();
        assert!(appearance(&at(400.0), metres(0.0, 0.0), &bounds));
        assert!(!appearance(&at(480.0), metres(0.0, 0.0), &bounds));
    }
}
