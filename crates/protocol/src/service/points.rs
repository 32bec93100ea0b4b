//! Charging points and which is nearest.

use std::collections::HashMap;

use cairn_ledger::Position;
use thiserror::Error;

use super::{Answer, Cell, Name};

/// The most points that a provider holds: those of a continent.
pub const MAX_POINTS: usize = 1_000_000;

/// Farther away nothing is looked for, in metres.
pub const MAX_DISTANCE_M: f64 = 50_000.0;

/// Side of the squares by which points are found, in centimetres: one kilometre.
const SQUARE_CM: i32 = 100_000;

/// Squares to each side of the vehicle's that [`MAX_DISTANCE_M`] reaches.
const MAX_RING: i32 = 50;

/// More points than fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("expected at most {MAX_POINTS} points, got {0}")]
pub struct TooMany(pub usize);

/// A charging point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// Where it is.
    pub position: Position,
    /// Its power, in kW.
    pub kw: u16,
    /// Its name.
    pub name: Name,
}

/// Charging points by where they are.
#[derive(Debug, Default)]
pub struct Points {
    squares: HashMap<(i32, i32), Vec<Point>>,
    count: usize,
}

impl Points {
    /// Points in a grid.
    ///
    /// # Errors
    ///
    /// [`TooMany`].
    pub fn new(points: Vec<Point>) -> Result<Self, TooMany> {
        if points.len() > MAX_POINTS {
            return Err(TooMany(points.len()));
        }
        let count = points.len();
        let mut squares: HashMap<_, Vec<Point>> = HashMap::new();
        for point in points {
            let Position { x_cm, y_cm } = point.position;
            let square = (x_cm.div_euclid(SQUARE_CM), y_cm.div_euclid(SQUARE_CM));
            squares.entry(square).or_default().push(point);
        }
        Ok(Self { squares, count })
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The point of at least this power that is nearest to the middle of the cell, and its distance from there in metres.
    #[must_use]
    pub fn nearest(&self, cell: Cell, least_kw: u16) -> Option<(&Point, f64)> {
        let [x_m, y_m] = cell.middle_m();
        let square_m = f64::from(SQUARE_CM) / 100.0;
        // Beyond what a position can be; such cells are in no RSU's reach.
        let [x, y] = [x_m, y_m].map(|at| (at / square_m).floor());
        let limit = f64::from(i32::MAX / 2);
        if x.abs() > limit || y.abs() > limit {
            return None;
        }
        let (x, y) = (x as i32, y as i32);
        let mut best: Option<(&Point, f64)> = None;
        for ring in 0..=MAX_RING {
            // What lies in this ring is at least this far.
            let least_m = f64::from((ring - 1).max(0)) * square_m;
            if best.is_some_and(|(_, best_m)| best_m <= least_m) {
                break;
            }
            for point in ring_of(x, y, ring)
                .filter_map(|square| self.squares.get(&square))
                .flatten()
                .filter(|point| point.kw >= least_kw)
            {
                let dx = f64::from(point.position.x_cm) / 100.0 - x_m;
                let dy = f64::from(point.position.y_cm) / 100.0 - y_m;
                let distance_m = dx.hypot(dy);
                let is_better = best.is_none_or(|(_, best_m)| distance_m < best_m);
                if is_better && distance_m <= MAX_DISTANCE_M {
                    best = Some((point, distance_m));
                }
            }
        }
        best
    }

    pub(super) fn answer(&self, cell: Cell, least_kw: u16) -> Answer {
        match self.nearest(cell, least_kw) {
            Some((point, _)) => Answer::Charging {
                position: point.position,
                kw: point.kw,
                name: point.name.clone(),
            },
            None => Answer::Nothing,
        }
    }
}

/// The squares whose greater distance from (x, y), in columns or rows, is `ring`.
fn ring_of(x: i32, y: i32, ring: i32) -> impl Iterator<Item = (i32, i32)> {
    let side = -ring..=ring;
    side.flat_map(move |dx| {
        let is_edge = dx.abs() == ring;
        let step = if is_edge { 1 } else { (2 * ring).max(1) };
        (-ring..=ring)
            .step_by(step as usize)
            .map(move |dy| (x + dx, y + dy))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn point(x_cm: i32, y_cm: i32, kw: u16) -> Point {
        Point {
            position: Position { x_cm, y_cm },
            kw,
            name: Name::default(),
        }
    }

    #[test]
    fn rings_tile_the_plane() {
        let mut all: Vec<_> = (0..=4).flat_map(|ring| ring_of(7, -3, ring)).collect();
        assert_eq!(all.len(), 81);
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 81);
    }

    proptest! {
        #[test]
        fn the_grid_finds_what_looking_at_all_finds(
            places in prop::collection::vec((-3_000_000..3_000_000, -3_000_000..3_000_000, 0..3_u16), 0..40),
            x in -120..120, y in -120..120, least_kw in 0..3_u16,
        ) {
            let points: Vec<_> = places.iter().map(|(x, y, kw)| point(*x, *y, *kw)).collect();
            let cell = Cell { x, y };
            let [x_m, y_m] = cell.middle_m();
            let distance_m = |point: &Point| {
                let dx = f64::from(point.position.x_cm) / 100.0 - x_m;
                dx.hypot(f64::from(point.position.y_cm) / 100.0 - y_m)
            };
            let expected = points.iter().filter(|point| point.kw >= least_kw).map(distance_m)
                .filter(|far| *far <= MAX_DISTANCE_M).min_by(f64::total_cmp);
            let found = Points::new(points.clone()).unwrap();
            prop_assert_eq!(found.nearest(cell, least_kw).map(|(_, far)| far), expected);
        }
    }

    #[test]
    fn cells_beyond_every_position_have_no_neighbours() {
        let points = Points::new(vec![point(0, 0, 1)]).unwrap();
        for x in [i32::MIN, i32::MAX] {
            assert_eq!(points.nearest(Cell { x, y: x }, 0), None);
        }
    }
}
