//! Checks of one key's movement: each compares a claim with the one before it.
//!
//! `true` means that no vehicle moves like that, whatever its honest errors. `before` is earlier
//! than `now` by at least the shortest and at most the longest gap of the bounds.

use super::{
    bounds::Bounds,
    claim::{Claim, angle},
};

/// The position moved faster than any vehicle drives.
pub(super) fn speed(before: &Claim, now: &Claim, bounds: &Bounds) -> bool {
    now.metres(before) > bounds.max_speed_m_s * now.seconds(before) + bounds.position_jitter_m
}

/// The speed rose or fell faster than engine or brakes can.
pub(super) fn acceleration(before: &Claim, now: &Claim, bounds: &Bounds) -> bool {
    let seconds = now.seconds(before);
    let gained = now.speed() - before.speed();
    let braking = bounds.max_braking_m_s2(now.class);
    // Both speeds may be off.
    let error = 2.0 * bounds.speed_error_m_s;
    gained > bounds.max_acceleration_m_s2 * seconds + error || -gained > braking * seconds + error
}

/// The position moved farther or less far than the speeds at both ends allow.
///
/// In between the vehicle may have accelerated and braked: with strongest acceleration `a` and
/// braking `b`, that adds or takes `½·ab/(a+b)·t²` at most. On a bend the straight distance is
/// shorter than the way by the factor `sin(φ/2)/(φ/2)`, φ being the change of heading.
pub(super) fn position_speed(before: &Claim, now: &Claim, bounds: &Bounds) -> bool {
    let seconds = now.seconds(before);
    let moved = now.metres(before);
    let (a, b) = (
        bounds.max_acceleration_m_s2,
        bounds.max_braking_m_s2(now.class),
    );
    let error = bounds.position_jitter_m
        + bounds.speed_error_m_s * seconds
        + 0.5 * a * b / (a + b) * seconds * seconds;
    let bend = (angle(before.heading(), now.heading()) / 2.0).to_radians();
    let chord = if bend > 0.0 { bend.sin() / bend } else { 1.0 };
    let slower = before.speed().min(now.speed());
    let faster = before.speed().max(now.speed());
    moved < slower * seconds * chord - error || moved > faster * seconds + error
}

/// The position moved to where the vehicle did not point, at either end.
pub(super) fn position_heading(before: &Claim, now: &Claim, bounds: &Bounds) -> bool {
    let moved = now.metres(before) - bounds.position_jitter_m;
    let direction = now.direction_from(before);
    moved > bounds.min_heading_speed_m_s * now.seconds(before)
        && angle(direction, before.heading()) > bounds.max_heading_change_deg
        && angle(direction, now.heading()) > bounds.max_heading_change_deg
}

/// The vehicle turned round at a speed at which it would have slid.
pub(super) fn heading_change(before: &Claim, now: &Claim, bounds: &Bounds) -> bool {
    // At 5 m/s the sharpest turn, 0.8 g sideways, is 90° a second.
    before.speed().min(now.speed()) > bounds.min_heading_speed_m_s
        && angle(before.heading(), now.heading())
            > bounds.max_heading_change_deg * now.seconds(before).max(1.0)
}

/// The speed changed otherwise than the accelerations at both ends say.
pub(super) fn speed_acceleration(before: &Claim, now: &Claim, bounds: &Bounds) -> bool {
    let seconds = now.seconds(before);
    let gained = now.speed() - before.speed();
    let error = 2.0 * bounds.speed_error_m_s + bounds.acceleration_error_m_s2 * seconds;
    let weaker = before.acceleration().min(now.acceleration());
    let stronger = before.acceleration().max(now.acceleration());
    gained < weaker * seconds - error || gained > stronger * seconds + error
}

/// The vehicle says that it drives, from the very same spot.
pub(super) fn frozen(before: &Claim, now: &Claim, bounds: &Bounds) -> bool {
    now.position == before.position
        && before.speed().min(now.speed()) >= bounds.min_moving_speed_m_s
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Motion, claim};
    use super::*;

    /// Two claims a second apart: (x, y in metres, speed, heading, acceleration).
    fn pair(before: Motion, now: Motion) -> (Claim, Claim) {
        (claim(0, before), claim(1_000, now))
    }

    fn still() -> Motion {
        Motion::default()
    }

    fn north(y: f64, speed: f64) -> Motion {
        Motion {
            y,
            speed,
            ..still()
        }
    }

    type Pair = fn(&Claim, &Claim, &Bounds) -> bool;

    const ALL: [Pair; 7] = [
        speed,
        acceleration,
        position_speed,
        position_heading,
        heading_change,
        speed_acceleration,
        frozen,
    ];

    fn caught_by(before: Motion, now: Motion) -> Vec<usize> {
        let (before, now) = pair(before, now);
        let bounds = Bounds::default();
        (0..ALL.len())
            .filter(|&i| ALL[i](&before, &now, &bounds))
            .collect()
    }

    #[test]
    fn ordinary_driving_is_plausible() {
        let accelerate = |y, speed, acceleration| Motion {
            acceleration,
            ..north(y, speed)
        };
        let turned = Motion {
            x: 7.0,
            y: 7.0,
            speed: 11.0,
            heading: 80.0,
            ..still()
        };
        for (before, now) in [
            (still(), still()),
            (north(0.0, 14.0), north(14.0, 14.0)),
            // Pulls away; brakes as hard as a car can; turns a corner; its fix wanders.
            (accelerate(0.0, 0.0, 2.0), accelerate(1.0, 2.0, 2.0)),
            (accelerate(0.0, 20.0, -9.0), accelerate(15.5, 11.0, -9.0)),
            (north(0.0, 11.0), turned),
            (still(), north(1.2, 0.0)),
        ] {
            assert_eq!(caught_by(before, now), [0; 0], "{before:?} {now:?}");
        }
    }

    #[test]
    fn nothing_drives_faster_than_the_limit() {
        assert!(caught_by(north(0.0, 39.0), north(42.0, 39.0)).contains(&0));
        assert!(!caught_by(north(0.0, 39.0), north(41.0, 39.0)).contains(&0));
    }

    #[test]
    fn speed_cannot_change_at_once() {
        // An eventual stop: from 14 m/s to nothing.
        assert!(caught_by(north(0.0, 14.0), still()).contains(&1));
        assert!(caught_by(still(), north(5.0, 7.0)).contains(&1));
        // 8.5 m/s less in a second: a car can, a bus cannot.
        let (before, mut now) = pair(north(0.0, 14.0), north(9.0, 5.5));
        assert!(!acceleration(&before, &now, &Bounds::default()));
        now.class = super::super::Class::Bus;
        assert!(acceleration(&before, &now, &Bounds::default()));
    }

    #[test]
    fn position_and_speed_must_agree() {
        // A constant position offset that begins, a constant speed, a random speed offset.
        assert_eq!(caught_by(north(0.0, 14.0), north(50.0, 14.0)), [0, 2]);
        assert_eq!(caught_by(north(0.0, 30.0), north(14.0, 30.0)), [2]);
        assert_eq!(caught_by(north(0.0, 6.0), north(0.5, 6.0)), [2]);
    }

    #[test]
    fn a_bend_is_shorter_than_its_way() {
        let around = |heading| Motion {
            x: 1.0,
            y: 3.0,
            speed: 9.0,
            heading,
            ..still()
        };
        assert!(caught_by(north(0.0, 9.0), around(0.0)).contains(&2));
        assert!(!caught_by(north(0.0, 9.0), around(179.0)).contains(&2));
    }

    #[test]
    fn vehicles_move_where_they_point() {
        let reversed = |y| Motion {
            heading: 180.0,
            ..north(y, 14.0)
        };
        assert_eq!(caught_by(reversed(0.0), reversed(14.0)), [3]);
        // Reversing out of a drive is no lie.
        let back = |y| Motion {
            y,
            speed: 3.0,
            ..still()
        };
        assert_eq!(caught_by(back(0.0), back(-3.0)), [0; 0]);
    }

    #[test]
    fn fast_vehicles_do_not_turn_round() {
        let back = Motion {
            heading: 180.0,
            ..north(14.0, 14.0)
        };
        assert_eq!(caught_by(north(0.0, 14.0), back), [4]);
    }

    #[test]
    fn acceleration_and_speed_must_agree() {
        // A feigned braking: says −6 m/s², gains 1 m/s.
        let feigned = |y, speed| Motion {
            acceleration: -6.0,
            ..north(y, speed)
        };
        assert_eq!(caught_by(feigned(0.0, 10.0), feigned(10.5, 11.0)), [5]);
    }

    #[test]
    fn a_frozen_position_does_not_drive() {
        assert_eq!(caught_by(north(0.0, 1.5), north(0.0, 1.5)), [6]);
        assert_eq!(caught_by(north(0.0, 0.5), north(0.0, 0.5)), [0; 0]);
    }
}
