//! RSU sites chosen from the traffic: greedy maximum coverage on a grid.
//!
//! 1. The rows of a trace are counted in square cells, [`CELLS_PER_RANGE`] to the range. The trace
//!    is streamed; only the counts are kept.
//! 2. The centre of every occupied cell is a candidate: somebody drove there, so there is a road.
//! 3. A candidate covers a cell if the whole cell lies within range. So every row that is counted
//!    as covered is within range of a site, and the reported share is a lower bound: it takes the
//!    range for up to 9 % shorter than it is.
//! 4. The candidate that covers most rows not yet covered becomes a site, again and again, until
//!    everything is covered or there are enough sites. No polynomial algorithm guarantees more
//!    than greedy, 1 − 1/e of the best coverage, unless P = NP (Feige, 1998).
//!
//! The result depends on the positions alone: ties go to the western, then southern candidate.

use crate::{Metres, RadioRange, Site, Step, TraceError};
use std::{
    collections::{BinaryHeap, HashMap},
    sync::Arc,
};

/// Cells along one range: a finer grid wastes less of the range, a coarser one needs less memory.
const CELLS_PER_RANGE: i64 = 16;

/// Most occupied cells: at 500 m range, 64 km² of nothing but road, or some 2,000 km of streets.
pub const MAX_CELLS: usize = 1 << 16;

/// Sites that the program has chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Placement {
    /// The sites, the one that covers most first; never none.
    pub sites: Vec<Site>,
    /// Rows in the trace.
    pub rows: u64,
    /// Rows that are surely within range of a site.
    pub covered: u64,
}

impl Placement {
    /// The share of rows that are surely within range of a site, above 0 and up to 1.
    pub fn coverage(&self) -> f64 {
        self.covered as f64 / self.rows as f64
    }
}

/// Why no sites could be placed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PlaceError {
    /// The trace cannot be read.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// There is no traffic to cover.
    #[error("expected a trace with at least one vehicle to place RSU sites by")]
    NoVehicles,
    /// No site was asked for.
    #[error("expected at least one RSU site to place")]
    NoSites,
    /// The traffic is spread too widely.
    #[error(
        "expected traffic on at most {MAX_CELLS} cells of {cell_m} m to place RSU sites by; \
         give the sites in a file"
    )]
    TooSpread {
        /// Width of a cell, in metres.
        cell_m: f64,
    },
}

/// Places at most `max_sites` sites of this range so that most rows of the trace are covered.
pub fn place_sites(
    trace: impl IntoIterator<Item = Result<Step, TraceError>>,
    range: RadioRange,
    max_sites: usize,
) -> Result<Placement, PlaceError> {
    if max_sites == 0 {
        return Err(PlaceError::NoSites);
    }
    let cell_m = range.metres() / CELLS_PER_RANGE as f64;
    let mut rows = 0;
    let mut counts: HashMap<Cell, u64> = HashMap::new();
    for step in trace {
        for sample in step?.vehicles {
            rows += 1;
            *counts.entry(Cell::of(sample.position, cell_m)).or_default() += 1;
            if counts.len() > MAX_CELLS {
                return Err(PlaceError::TooSpread { cell_m });
            }
        }
    }
    if rows == 0 {
        return Err(PlaceError::NoVehicles);
    }

    let chosen = choose(counts, max_sites);
    Ok(Placement {
        rows,
        covered: chosen.iter().map(|&(_, gain)| gain).sum(),
        sites: chosen
            .iter()
            .enumerate()
            .map(|(index, (cell, _))| Site {
                id: Arc::from(format!("placed-{}", index + 1)),
                position: cell.centre(cell_m),
            })
            .collect(),
    })
}

/// A square of the grid; cells are ordered from west to east, then from south to north.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Cell {
    column: i64,
    row: i64,
}

impl Cell {
    fn of(position: Metres, cell_m: f64) -> Self {
        let index = |metres: f64| (metres / cell_m).floor() as i64;
        Self {
            column: index(position.x),
            row: index(position.y),
        }
    }

    fn centre(self, cell_m: f64) -> Metres {
        let metres = |index: i64| (index as f64 + 0.5) * cell_m;
        Metres {
            x: metres(self.column),
            y: metres(self.row),
        }
    }

    fn offset(self, (columns, rows): (i64, i64)) -> Self {
        Self {
            column: self.column.saturating_add(columns),
            row: self.row.saturating_add(rows),
        }
    }
}

/// The chosen cells, each with the rows that it adds. `counts` is what is not yet covered.
fn choose(mut counts: HashMap<Cell, u64>, max_sites: usize) -> Vec<(Cell, u64)> {
    let disc = disc();
    let gain = |counts: &HashMap<Cell, u64>, cell: Cell| -> u64 {
        disc.iter()
            .filter_map(|&offset| counts.get(&cell.offset(offset)))
            .sum()
    };
    // A candidate's gain only shrinks while others are chosen. So the largest stale gain, brought
    // up to date and still on top, is the largest of all.
    let mut heap: BinaryHeap<(u64, std::cmp::Reverse<Cell>)> = counts
        .keys()
        .map(|&cell| (gain(&counts, cell), std::cmp::Reverse(cell)))
        .collect();
    let mut chosen = Vec::new();
    while chosen.len() < max_sites
        && !counts.is_empty()
        && let Some((stale, cell)) = heap.pop()
    {
        let fresh = gain(&counts, cell.0);
        if fresh < stale {
            heap.push((fresh, cell));
            continue;
        }
        for &offset in &disc {
            counts.remove(&cell.0.offset(offset));
        }
        chosen.push((cell.0, fresh));
    }
    chosen
}

/// Offsets of the cells of which every point is within range of the centre of the cell at (0, 0).
fn disc() -> Vec<(i64, i64)> {
    let all = -CELLS_PER_RANGE..=CELLS_PER_RANGE;
    // In half cells, the farthest corner is 2·|offset| + 1 away along each axis.
    let far = |offset: i64| 2 * offset.abs() + 1;
    all.clone()
        .flat_map(|columns| all.clone().map(move |rows| (columns, rows)))
        .filter(|&(columns, rows)| {
            far(columns).pow(2) + far(rows).pow(2) <= (2 * CELLS_PER_RANGE).pow(2)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RadioMap, Sample};
    use proptest::prelude::*;

    fn trace(positions: &[(f64, f64)]) -> Vec<Result<Step, TraceError>> {
        let sample = |(index, &(x, y)): (usize, &(f64, f64))| Sample {
            id: Arc::from(index.to_string()),
            position: Metres { x, y },
            speed: None,
            angle: None,
            acceleration: None,
            kind: None,
            lane: None,
        };
        vec![Ok(Step {
            time_ms: 0,
            offset_ms: 0,
            vehicles: positions.iter().enumerate().map(sample).collect(),
        })]
    }

    #[test]
    fn the_busiest_place_comes_first() {
        let positions = [(0.0, 0.0), (5_000.0, 0.0), (5_100.0, 0.0), (9_000.0, 0.0)];
        let placed = place_sites(trace(&positions), RadioRange::default(), 2).unwrap();
        assert_eq!((placed.rows, placed.covered), (4, 3));
        assert_eq!(placed.coverage(), 0.75);
        assert!((placed.sites[0].position.x - 5_050.0).abs() < 100.0);
        // The tie between 0 and 9,000 goes west.
        assert!(placed.sites[1].position.x < 100.0);
        assert_eq!(&*placed.sites[1].id, "placed-2");
    }

    #[test]
    fn no_site_is_wasted_when_everything_is_covered() {
        let positions = [(0.0, 0.0), (100.0, 100.0)];
        let placed = place_sites(trace(&positions), RadioRange::default(), 9).unwrap();
        assert_eq!((placed.sites.len(), placed.coverage()), (1, 1.0));
    }

    #[test]
    fn nothing_to_place_is_an_error() {
        let nothing = place_sites(trace(&[]), RadioRange::default(), 1);
        assert!(matches!(nothing, Err(PlaceError::NoVehicles)));
        let none = place_sites(trace(&[(0.0, 0.0)]), RadioRange::default(), 0);
        assert!(matches!(none, Err(PlaceError::NoSites)));
        let spread: Vec<_> = (0..=MAX_CELLS)
            .map(|cell| {
                (
                    cell as f64 * 1_000.0 % 10_000_000.0,
                    (cell / 10_000) as f64 * 1e3,
                )
            })
            .collect();
        let spread = place_sites(trace(&spread), RadioRange::default(), 1);
        assert!(matches!(spread, Err(PlaceError::TooSpread { .. })));
    }

    proptest! {
        #[test]
        fn what_is_counted_as_covered_is_heard(
            positions in proptest::collection::vec((-2e3..2e3, -2e3..2e3), 1..80),
            range in 50.0..800.0,
            max_sites in 1usize..6,
        ) {
            let range = RadioRange::new(range).unwrap();
            let placed = place_sites(trace(&positions), range, max_sites).unwrap();
            prop_assert!(placed.sites.len() <= max_sites && !placed.sites.is_empty());
            let map = RadioMap::new(placed.sites.iter().map(|site| site.position), range);
            let heard = positions
                .iter()
                .filter(|&&(x, y)| map.in_range(Metres { x, y }).next().is_some())
                .count() as u64;
            prop_assert!(placed.covered <= heard);
            let again = place_sites(trace(&positions), range, max_sites).unwrap();
            prop_assert_eq!(placed, again);
        }
    }
}
