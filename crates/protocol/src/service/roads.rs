//! How long roads take, learned from the cells and times of those who ask.
//!
//! 1. A pseudonym that asked from cell A and later from a neighbouring cell B took from its first question in A to its
//!    first in B. In its first cell of all a vehicle begins somewhere in the middle: that one does not count.
//! 2. The mean over the last passages, some sixteen, is what A→B takes. Fewer than [`MIN_SAMPLES`] passages tell too much of
//!    one vehicle, and are not told.
//! 3. The way ahead takes the sum, as far as it is known.

use std::collections::{HashMap, VecDeque};

use super::{Answer, Cell, MAX_AHEAD, PSEUDONYM_LIFE_MS};

/// Passages from which on a time is told.
pub const MIN_SAMPLES: u32 = 3;

/// Weight of the last passage in the mean, once there are many: 1 in 16.
const MEMORY: u32 = 16;

/// A passage that takes longer was a stop, in seconds.
const MAX_PASSAGE_S: u64 = 300;

/// The most passages between cells: a large city's, 24 MB.
const MAX_PASSAGES: usize = 400_000;

/// The most pseudonyms remembered.
const MAX_PSEUDONYMS: usize = 100_000;

/// Bytes of a passage in [`Roads::to_bytes`].
const PASSAGE_BYTES: usize = 4 * 4 + 4 + 4;

#[derive(Clone, Copy, Debug, PartialEq)]
struct Passage {
    mean_s: f32,
    count: u32,
}

/// Where a pseudonym was last.
struct Trip {
    cell: Cell,
    /// When it was first there, unless its trip began there.
    since_s: Option<u64>,
    last_s: u64,
}

/// Times between neighbouring cells.
#[derive(Default)]
pub struct Roads {
    passages: HashMap<(Cell, Cell), Passage>,
    trips: HashMap<[u8; 16], Trip>,
    order: VecDeque<([u8; 16], u64)>,
}

impl Roads {
    /// How many passages are known well enough to be told.
    #[must_use]
    pub fn known(&self) -> usize {
        let told = |passage: &&Passage| passage.count >= MIN_SAMPLES;
        self.passages.values().filter(told).count()
    }

    /// Notes that this pseudonym is in this cell now.
    pub(super) fn report(&mut self, pseudonym: [u8; 16], cell: Cell, time_s: u64) {
        self.forget(time_s);
        let Some(trip) = self.trips.get_mut(&pseudonym) else {
            if self.trips.len() < MAX_PSEUDONYMS {
                let trip = Trip {
                    cell,
                    since_s: None,
                    last_s: time_s,
                };
                self.trips.insert(pseudonym, trip);
                self.order.push_back((pseudonym, time_s));
            }
            return;
        };
        // Statements may come late.
        if time_s < trip.last_s {
            return;
        }
        trip.last_s = time_s;
        if cell == trip.cell {
            return;
        }
        let passage_s = trip.since_s.map(|since_s| time_s - since_s);
        let before = std::mem::replace(&mut trip.cell, cell);
        trip.since_s = Some(time_s);
        if let Some(passage_s) = passage_s
            && before.touches(cell)
            && (1..=MAX_PASSAGE_S).contains(&passage_s)
        {
            self.sample((before, cell), passage_s as f32);
        }
    }

    fn sample(&mut self, way: (Cell, Cell), seconds: f32) {
        if self.passages.len() >= MAX_PASSAGES && !self.passages.contains_key(&way) {
            return;
        }
        let passage = self.passages.entry(way).or_insert(Passage {
            mean_s: 0.0,
            count: 0,
        });
        passage.count = passage.count.saturating_add(1);
        let weight = 1.0 / passage.count.min(MEMORY) as f32;
        passage.mean_s += weight * (seconds - passage.mean_s);
    }

    pub(super) fn answer(&self, from: Cell, ahead: &[Cell]) -> Answer {
        let mut total_s = 0.0;
        let mut known = 0;
        let mut here = from;
        for next in ahead.iter().take(MAX_AHEAD) {
            let passage = self.passages.get(&(here, *next));
            let Some(passage) = passage.filter(|passage| passage.count >= MIN_SAMPLES) else {
                break;
            };
            total_s += passage.mean_s;
            known += 1;
            here = *next;
        }
        if known == 0 {
            return Answer::Nothing;
        }
        Answer::TravelTime {
            seconds: total_s.round() as u16,
            known,
        }
    }

    /// Trips that began too long ago: their pseudonyms have ended.
    fn forget(&mut self, now_s: u64) {
        let life_s = PSEUDONYM_LIFE_MS / 1_000 + 60;
        while let Some((pseudonym, since_s)) = self.order.front() {
            if now_s.saturating_sub(*since_s) < life_s {
                break;
            }
            self.trips.remove(pseudonym);
            self.order.pop_front();
        }
    }

    /// What is kept: times between cells, of nobody in particular.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut passages: Vec<_> = self.passages.iter().collect();
        passages.sort_by_key(|(way, _)| **way);
        let mut bytes = Vec::with_capacity(passages.len() * PASSAGE_BYTES);
        for ((from, to), passage) in passages {
            for number in [from.x, from.y, to.x, to.y] {
                bytes.extend_from_slice(&number.to_be_bytes());
            }
            bytes.extend_from_slice(&passage.mean_s.to_be_bytes());
            bytes.extend_from_slice(&passage.count.to_be_bytes());
        }
        bytes
    }

    /// Reads what [`Roads::to_bytes`] wrote; `None` when it is something else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (chunks, rest) = bytes.as_chunks::<PASSAGE_BYTES>();
        if !rest.is_empty() || chunks.len() > MAX_PASSAGES {
            return None;
        }
        let mut roads = Self::default();
        for chunk in chunks {
            let (words, _) = chunk.as_chunks::<4>();
            let [a, b, c, d, mean, count] = *words else {
                return None;
            };
            let cell = |x, y| Cell {
                x: i32::from_be_bytes(x),
                y: i32::from_be_bytes(y),
            };
            let mean_s = f32::from_be_bytes(mean);
            if !(0.0..=MAX_PASSAGE_S as f32).contains(&mean_s) {
                return None;
            }
            let count = u32::from_be_bytes(count);
            let passage = Passage { mean_s, count };
            roads.passages.insert((cell(a, b), cell(c, d)), passage);
        }
        Some(roads)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAY: [Cell; 4] = [
        Cell { x: 0, y: 0 },
        Cell { x: 1, y: 0 },
        Cell { x: 2, y: 0 },
        Cell { x: 3, y: 1 },
    ];

    /// A vehicle that asks every 10 s and takes 20 s through each cell.
    fn drive(roads: &mut Roads, name: u8, start_s: u64) {
        for (number, cell) in WAY.iter().enumerate() {
            for half in 0..2 {
                roads.report([name; 16], *cell, start_s + 20 * number as u64 + 10 * half);
            }
        }
    }

    #[test]
    fn times_are_told_when_three_vehicles_took_them() {
        let mut roads = Roads::default();
        for name in 1..=3 {
            assert_eq!(roads.answer(WAY[1], &WAY[2..]), Answer::Nothing);
            drive(&mut roads, name, 1_000 * u64::from(name));
        }
        let told = |seconds, known| Answer::TravelTime { seconds, known };
        assert_eq!(roads.answer(WAY[1], &WAY[2..]), told(40, 2));
        assert_eq!(
            roads.answer(WAY[2], &[WAY[3], Cell { x: 4, y: 1 }]),
            told(20, 1)
        );
        // The first cell of a trip tells nothing, nor does the way back.
        assert_eq!(roads.answer(WAY[0], &WAY[1..]), Answer::Nothing);
        assert_eq!(roads.answer(WAY[3], &[WAY[2]]), Answer::Nothing);
        assert_eq!(roads.known(), 2);
    }

    #[test]
    fn jumps_stops_and_late_reports_teach_nothing() {
        let mut roads = Roads::default();
        for name in 1..=5 {
            for (cell, time_s) in [
                (WAY[0], 0),
                (WAY[1], 10),
                (WAY[3], 20),
                (WAY[2], 900),
                (WAY[1], 30),
            ] {
                roads.report([name; 16], cell, 10_000 * u64::from(name) + time_s);
            }
        }
        assert_eq!(roads.passages.len(), 0);
    }

    #[test]
    fn what_was_learned_is_kept_and_trips_are_not() {
        let mut roads = Roads::default();
        (1..=3).for_each(|name| drive(&mut roads, name, 100));
        let bytes = roads.to_bytes();
        let again = Roads::from_bytes(&bytes).unwrap();
        assert_eq!(again.passages, roads.passages);
        assert!(again.trips.is_empty());
        assert!(Roads::from_bytes(&bytes[1..]).is_none());
        let mut nan = bytes;
        nan[16..20].copy_from_slice(&f32::NAN.to_be_bytes());
        assert!(Roads::from_bytes(&nan).is_none());
    }

    #[test]
    fn ended_pseudonyms_are_forgotten() {
        let mut roads = Roads::default();
        roads.report([1; 16], WAY[0], 0);
        roads.report([2; 16], WAY[0], 5_000);
        assert_eq!(roads.trips.len(), 1);
    }
}
