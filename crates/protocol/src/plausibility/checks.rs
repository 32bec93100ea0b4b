//! The registry of checks: names, what their finding rests on, how much it weighs.

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Honest vehicles do this now and then. Goes into the evidence; never leads to a vote.
    Hint,
    /// Beyond honest driving and honest errors; a fault of a sensor may explain it once.
    Implausible,
    /// Signed statements that cannot all be true, whatever the sensors say.
    Impossible,
}

/// What a finding rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// The signed claims of the subject alone: anybody can repeat the check on the evidence.
    Signed,
    /// Also on the RSU's word about what it heard, or when.
    Heard,
}

/// One thing wrong with a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suspicion {
    /// Which check found it.
    pub check: Check,
    /// How much it weighs; always the check's own.
    pub severity: Severity,
}

macro_rules! checks {
    ($($(#[$doc:meta])* $check:ident $name:literal $f2md:expr, $basis:ident, $severity:ident;)*) => {
        /// The checks.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Check {
            $($(#[$doc])* $check,)*
        }

        impl Check {
            /// All checks.
            pub const ALL: &[Self] = &[$(Self::$check,)*];

            /// The name in evidence, reports and logs.
            pub fn name(self) -> &'static str {
                match self { $(Self::$check => $name,)* }
            }

            /// The check of F2MD that looks for the same, if there is one.
            pub fn f2md(self) -> Option<&'static str> {
                match self { $(Self::$check => $f2md,)* }
            }

            /// What a finding rests on.
            pub fn basis(self) -> Basis {
                match self { $(Self::$check => Basis::$basis,)* }
            }

            /// How much a finding weighs.
            pub fn severity(self) -> Severity {
                match self { $(Self::$check => Severity::$severity,)* }
            }
        }
    };
}

checks! {
    /// The claim is out of range of the RSU that hears it.
    Range "range" Some("RangePlausibilityCheck"), Heard, Implausible;
    /// At least f_r + 1 other RSUs' hearing contradicts the claim.
    Overlap "overlap" None, Heard, Implausible;
    /// The key is first heard in the middle of the range.
    Appearance "appearance" Some("SuddenAppearenceCheck"), Heard, Hint;
    /// The time of the claim is in the future.
    Freshness "freshness" None, Heard, Implausible;
    /// A sequence number stands twice, or against the order of times.
    Sequence "sequence" None, Signed, Impossible;
    /// Messages follow each other too fast.
    Rate "rate" Some("BeaconFrequencyCheck"), Signed, Implausible;
    /// One key at two places.
    TwoPlaces "two_places" None, Signed, Impossible;
    /// Two keys at one place.
    SameSpace "same_space" Some("IntersectionCheck"), Signed, Hint;
    /// The claimed speed is higher than any vehicle's.
    MaxSpeed "max_speed" Some("SpeedPlausibilityCheck"), Signed, Implausible;
    /// The position moved faster than any vehicle.
    Speed "speed" Some("PositionConsistancyCheck"), Signed, Implausible;
    /// The speed changed faster than engine or brakes can.
    Acceleration "acceleration" Some("SpeedConsistancyCheck"), Signed, Implausible;
    /// Distance and speeds disagree.
    PositionSpeed "position_speed" Some("PositionSpeedMaxConsistancyCheck"), Signed, Implausible;
    /// Direction of movement and heading disagree.
    PositionHeading "position_heading" Some("PositionHeadingConsistancyCheck"), Signed, Implausible;
    /// A fast vehicle turned round.
    HeadingChange "heading_change" None, Signed, Implausible;
    /// Change of speed and acceleration disagree.
    SpeedAcceleration "speed_acceleration" None, Signed, Implausible;
    /// A driving vehicle repeats its position.
    Frozen "frozen" None, Signed, Implausible;
}

impl Check {
    /// The suspicion that this check raises.
    pub(super) fn suspicion(self) -> Suspicion {
        Suspicion {
            check: self,
            severity: self.severity(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique() {
        let names: HashSet<_> = Check::ALL.iter().map(|check| check.name()).collect();
        assert_eq!(names.len(), Check::ALL.len());
    }

    #[test]
    fn impossible_means_that_signed_statements_contradict_each_other() {
        for check in Check::ALL {
            if check.severity() == Severity::Impossible {
                assert_eq!(check.basis(), Basis::Signed, "{}", check.name());
            }
        }
    }
}
