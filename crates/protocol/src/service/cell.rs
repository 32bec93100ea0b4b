//! Where a vehicle says it is, coarsely, and whether that can be true.

use cairn_ledger::Position;

use super::EVIDENCE_SPAN_MS;
use crate::plausibility::Bounds;

/// Length of a cell's side, in metres: a street block or two, some seconds of driving.
pub const CELL_M: u32 = 250;

const SIDE_CM: i32 = CELL_M as i32 * 100;

/// A square of [`CELL_M`] metres in the network's metric frame, by its column and row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    /// Columns east of the origin.
    pub x: i32,
    /// Rows north of the origin.
    pub y: i32,
}

impl Cell {
    /// The cell of a place.
    #[must_use]
    pub const fn of(place: Position) -> Self {
        Self {
            x: place.x_cm.div_euclid(SIDE_CM),
            y: place.y_cm.div_euclid(SIDE_CM),
        }
    }

    /// Its middle, in metres.
    #[must_use]
    pub fn middle_m(self) -> [f64; 2] {
        [self.x, self.y].map(|index| (f64::from(index) + 0.5) * f64::from(CELL_M))
    }

    /// Metres from its nearest point to `place`.
    #[must_use]
    pub fn distance_m(self, place: Position) -> f64 {
        let half_m = f64::from(CELL_M) / 2.0;
        let [x, y] = self.middle_m();
        let beside =
            |middle: f64, at_cm: i32| ((f64::from(at_cm) / 100.0 - middle).abs() - half_m).max(0.0);
        beside(x, place.x_cm).hypot(beside(y, place.y_cm))
    }

    /// Metres between the nearest points of both.
    #[must_use]
    pub fn gap_m(self, other: Self) -> f64 {
        let between =
            |one: i32, two: i32| f64::from(one.abs_diff(two).saturating_sub(1)) * f64::from(CELL_M);
        between(self.x, other.x).hypot(between(self.y, other.y))
    }

    /// Whether both touch.
    #[must_use]
    pub const fn touches(self, other: Self) -> bool {
        self.x.abs_diff(other.x) <= 1 && self.y.abs_diff(other.y) <= 1
    }
}

/// What an RSU holds against a claimed cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reach {
    /// Where the RSU stands.
    pub here: Position,
    /// How far it hears, with the error of an honest position, in metres.
    pub reach_m: f64,
    /// What nobody drives faster than, in m/s.
    pub top_speed_m_s: f64,
    /// Error of two honest positions together, in metres.
    pub error_m: f64,
}

impl Reach {
    /// The reach of an RSU at `here` whose checks have these bounds.
    #[must_use]
    pub fn new(here: Position, bounds: &Bounds) -> Self {
        Self {
            here,
            reach_m: bounds.radio_range_m + bounds.position_error_m,
            top_speed_m_s: bounds.max_speed_m_s,
            error_m: 2.0 * bounds.position_error_m,
        }
    }

    /// `V-DESK-6` and `V-DESK-7`: whether somebody who claimed `before` can be in `cell` at `time_ms`.
    #[must_use]
    pub fn admits(&self, before: Option<(Cell, u64)>, cell: Cell, time_ms: u64) -> bool {
        let is_near = cell.distance_m(self.here) <= self.reach_m;
        let can_drive = before.is_none_or(|(before, at_ms)| {
            let seconds = time_ms.abs_diff(at_ms) as f64 / 1_000.0;
            before.gap_m(cell) <= self.top_speed_m_s * seconds + self.error_m
        });
        is_near && can_drive
    }
}

/// A cell that cannot be true, beside the last one that could.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// The last plausible claim in this RSU's reach, and its time in milliseconds since 1970.
    pub before: Option<(Cell, u64)>,
    /// The false cell.
    pub cell: Cell,
    /// When it was claimed, in milliseconds since 1970.
    pub time_ms: u64,
}

impl Contradiction {
    /// Whether it is one, and what came before is not too old to count.
    #[must_use]
    pub fn stands(&self, reach: &Reach) -> bool {
        let recent = self
            .before
            .filter(|(_, at_ms)| self.time_ms.abs_diff(*at_ms) <= EVIDENCE_SPAN_MS);
        !reach.admits(recent, self.cell, self.time_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_tile_the_plane() {
        let at = |x_cm, y_cm| Cell::of(Position { x_cm, y_cm });
        assert_eq!(at(0, 24_999), Cell { x: 0, y: 0 });
        assert_eq!(at(-1, 25_000), Cell { x: -1, y: 1 });
        assert_eq!(
            at(i32::MIN, i32::MAX),
            Cell {
                x: -85_900,
                y: 85_899
            }
        );
    }

    #[test]
    fn distances_are_between_nearest_points() {
        let cell = Cell { x: 0, y: 0 };
        let place = |x_cm, y_cm| Position { x_cm, y_cm };
        assert_eq!(cell.distance_m(place(100, 100)), 0.0);
        assert_eq!(cell.distance_m(place(28_000, 29_000)), 50.0);
        assert_eq!(cell.gap_m(Cell { x: 1, y: -1 }), 0.0);
        assert_eq!(cell.gap_m(Cell { x: 4, y: -5 }), 1_250.0);
        // Whatever comes from outside, nothing overflows.
        let corner = Cell {
            x: i32::MIN,
            y: i32::MAX,
        };
        assert!(corner.gap_m(cell) > 1e11 && corner.distance_m(place(0, 0)) > 1e11);
    }
}
