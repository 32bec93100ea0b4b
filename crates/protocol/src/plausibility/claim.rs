//! What a position message says, after its signature has been verified.

use cairn_ledger::Position;

/// The public key that signed a claim, as 32 bytes. Evidence counts against a key; which vehicle
/// holds it is not known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subject(pub [u8; 32]);

/// What kind of vehicle a claim says it is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Passenger car or motorcycle.
    Car,
    /// Goods vehicle.
    Truck,
    /// Bus or coach.
    Bus,
}

/// One signed statement of where a vehicle is and how it moves.
///
/// Integers in the units of the wire: two claims are equal only if they say the same to the last
/// digit, and no value can be infinite or undefined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Whose key verified the signature.
    pub subject: Subject,
    /// The signer's own count of its messages.
    pub sequence: u32,
    /// When the signer says it was sent, in milliseconds since 1970.
    pub time_ms: u64,
    /// Where it says it is.
    pub position: Position,
    /// Speed in cm/s.
    pub speed_cm_s: u16,
    /// Heading in hundredths of a degree, clockwise from north; taken modulo 360°.
    pub heading_cdeg: u16,
    /// Acceleration along the heading in cm/s²; braking is negative.
    pub acceleration_cm_s2: i16,
    /// What kind of vehicle it says it is.
    pub class: Class,
}

impl Claim {
    /// Speed in m/s.
    pub(super) fn speed(&self) -> f64 {
        f64::from(self.speed_cm_s) / 100.0
    }

    /// Acceleration in m/s².
    pub(super) fn acceleration(&self) -> f64 {
        f64::from(self.acceleration_cm_s2) / 100.0
    }

    /// Heading in degrees.
    pub(super) fn heading(&self) -> f64 {
        f64::from(self.heading_cdeg) / 100.0
    }

    /// Seconds between two claims, never negative.
    pub(super) fn seconds(&self, other: &Self) -> f64 {
        self.time_ms.abs_diff(other.time_ms) as f64 / 1_000.0
    }

    /// Metres between two claims.
    pub(super) fn metres(&self, other: &Self) -> f64 {
        self.position.distance_m(&other.position)
    }

    /// Compass direction from an earlier claim's position to this one, in degrees.
    pub(super) fn direction_from(&self, earlier: &Self) -> f64 {
        let east = f64::from(self.position.x_cm) - f64::from(earlier.position.x_cm);
        let north = f64::from(self.position.y_cm) - f64::from(earlier.position.y_cm);
        east.atan2(north).to_degrees()
    }
}

/// The angle between two directions in degrees, 0 to 180.
pub(super) fn angle(a: f64, b: f64) -> f64 {
    let turn = (a - b).rem_euclid(360.0);
    turn.min(360.0 - turn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn angles_go_the_short_way_round() {
        for (a, b, expected) in [
            (10.0, 350.0, 20.0),
            (350.0, 10.0, 20.0),
            (0.0, 180.0, 180.0),
            (-90.0, 270.0, 0.0),
            (359.5, 0.0, 0.5),
        ] {
            assert!((angle(a, b) - expected).abs() < 1e-9, "{a} {b}");
        }
    }
}
