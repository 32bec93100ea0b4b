//! Which sites hear a position: an ideal disc of one radius around every site.
//!
//! Real radio is shadowed by buildings and fades with distance; here whoever is within range is
//! heard and whoever is not is silent. Distances are exact, so the result does not depend on the
//! grid that finds it.

use crate::Metres;
use std::{cmp::Ordering, collections::HashMap};

/// A radio range in metres, within [`RadioRange::MIN_M`] and [`RadioRange::MAX_M`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RadioRange(f64);

impl RadioRange {
    /// Smallest range, in metres: below it a vehicle passes between two samples unheard.
    pub const MIN_M: f64 = 10.0;

    /// Largest range, in metres: several times what vehicle radio reaches in the open.
    pub const MAX_M: f64 = 10_000.0;

    /// Checks a range in metres.
    pub fn new(metres: f64) -> Result<Self, RangeError> {
        if (Self::MIN_M..=Self::MAX_M).contains(&metres) {
            Ok(Self(metres))
        } else {
            Err(RangeError { found: metres })
        }
    }

    /// The range in metres.
    pub fn metres(self) -> f64 {
        self.0
    }
}

/// 500 m, what is usually assumed for vehicle radio in a city.
impl Default for RadioRange {
    fn default() -> Self {
        Self(500.0)
    }
}

/// A radio range that is none.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error(
    "expected a radio range of {} to {} metres, found {found}",
    RadioRange::MIN_M,
    RadioRange::MAX_M
)]
pub struct RangeError {
    /// What was given, in metres.
    pub found: f64,
}

/// Sites on a uniform grid whose cells are as wide as the range, so that nine cells hold all the
/// sites that can hear a position.
#[derive(Clone, Debug)]
pub struct RadioMap {
    range: RadioRange,
    sites: Vec<Metres>,
    cells: HashMap<(i64, i64), Vec<usize>>,
}

impl RadioMap {
    /// A map of sites; their order gives the indices of [`in_range`](Self::in_range).
    pub fn new(sites: impl IntoIterator<Item = Metres>, range: RadioRange) -> Self {
        let sites: Vec<Metres> = sites.into_iter().collect();
        let mut cells: HashMap<_, Vec<usize>> = HashMap::new();
        for (index, &site) in sites.iter().enumerate() {
            cells.entry(cell(site, range)).or_default().push(index);
        }
        Self {
            range,
            sites,
            cells,
        }
    }

    /// The sites that hear this position, as (index, distance in metres), nearest first and the
    /// lower index first at equal distance. A site exactly at the range hears.
    pub fn in_range(&self, position: Metres) -> impl Iterator<Item = (usize, f64)> + use<> {
        let (column, row) = cell(position, self.range);
        let mut heard: Vec<(usize, f64)> = (-1..=1)
            .flat_map(|dx| (-1..=1).map(move |dy| (dx, dy)))
            .filter_map(|(dx, dy)| {
                let key = (column.saturating_add(dx), row.saturating_add(dy));
                self.cells.get(&key)
            })
            .flatten()
            .map(|&index| (index, self.sites[index].distance(position)))
            .filter(|&(_, distance)| distance <= self.range.metres())
            .collect();
        heard.sort_by(|a, b| {
            let by_distance = a.1.partial_cmp(&b.1).unwrap_or(Ordering::Equal);
            by_distance.then(a.0.cmp(&b.0))
        });
        heard.into_iter()
    }
}

/// The cell of a position. The conversion saturates, so no position is out of bounds.
fn cell(position: Metres, range: RadioRange) -> (i64, i64) {
    let index = |metres: f64| (metres / range.metres()).floor() as i64;
    (index(position.x), index(position.y))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn metres() -> impl Strategy<Value = Metres> {
        (-3_000.0..3_000.0, -3_000.0..3_000.0).prop_map(|(x, y)| Metres { x, y })
    }

    proptest! {
        #[test]
        fn the_grid_finds_what_a_full_search_finds(
            sites in proptest::collection::vec(metres(), 0..60),
            position in metres(),
            range in 10.0..2_000.0,
        ) {
            let map = RadioMap::new(sites.clone(), RadioRange::new(range).unwrap());
            let mut expected: Vec<_> = sites
                .iter()
                .map(|site| site.distance(position))
                .enumerate()
                .filter(|&(_, distance)| distance <= range)
                .collect();
            expected.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
            prop_assert_eq!(map.in_range(position).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn the_edge_of_the_disc_hears_and_ties_keep_the_order() {
        let sites = [500.0, -500.0, 500.01].map(|x| Metres { x, y: 0.0 });
        let map = RadioMap::new(sites, RadioRange::default());
        let heard: Vec<_> = map.in_range(Metres { x: 0.0, y: 0.0 }).collect();
        assert_eq!(heard, [(0, 500.0), (1, 500.0)]);
    }

    #[test]
    fn no_position_is_out_of_bounds() {
        let sites = [f64::INFINITY, f64::NAN, 1e300].map(|x| Metres { x, y: 0.0 });
        let map = RadioMap::new(sites, RadioRange::default());
        for x in [f64::NAN, f64::NEG_INFINITY, f64::MAX] {
            assert_eq!(map.in_range(Metres { x, y: x }).count(), 0);
        }
    }

    #[test]
    fn ranges_outside_the_limits_are_refused() {
        for metres in [0.0, -1.0, 9.9, 10_001.0, f64::NAN, f64::INFINITY] {
            assert!(RadioRange::new(metres).is_err(), "{metres}");
        }
        assert_eq!(RadioRange::default(), RadioRange::new(500.0).unwrap());
    }
}
