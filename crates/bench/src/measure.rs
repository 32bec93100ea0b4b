//! Measuring: processor time, in rounds that alternate between the things compared.
//!
//! Whatever else the machine does in the meantime meets all of them alike, and the processor time
//! of the measuring thread does not count what other programs use.

use std::{hint::black_box, time::Duration};

use cpu_time::ThreadTime;

/// Median of rounds, and how far they lie apart.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Median.
    pub median: f64,
    /// Distance between the quartiles.
    pub spread: f64,
}

impl Sample {
    /// Of these values, at least one.
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self {
            median: quantile(&values, 0.5),
            spread: quantile(&values, 0.75) - quantile(&values, 0.25),
        }
    }

    /// Something counted, not measured.
    pub const fn exact(value: f64) -> Self {
        Self {
            median: value,
            spread: 0.0,
        }
    }

    /// In another unit.
    pub fn scaled(self, factor: f64) -> Self {
        Self {
            median: self.median * factor,
            spread: self.spread * factor,
        }
    }

    /// How many of these fit in a second, when this is seconds for each.
    pub fn per_second(self) -> Self {
        Self {
            median: 1.0 / self.median,
            spread: self.spread / (self.median * self.median),
        }
    }
}

/// The value below which this share of the sorted values lies.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let index = ((sorted.len() as f64 - 1.0) * share).round().max(0.0) as usize;
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

/// One thing to measure: does a round, and returns for each of its `M` parts the seconds that one
/// operation takes.
pub type Round<'a, const M: usize = 1> = Box<dyn FnMut() -> [f64; M] + 'a>;

/// Runs the rounds of several things in turn.
pub fn alternate<const N: usize, const M: usize>(
    rounds: usize,
    mut things: [Round<'_, M>; N],
) -> [[Sample; M]; N] {
    let mut values: [[Vec<f64>; M]; N] =
        std::array::from_fn(|_| std::array::from_fn(|_| Vec::new()));
    for _ in 0..rounds {
        for (thing, values) in things.iter_mut().zip(&mut values) {
            for (value, values) in thing().into_iter().zip(values) {
                values.push(value);
            }
        }
    }
    values.map(|parts| parts.map(Sample::of))
}

/// A round that repeats an operation for some milliseconds. The clock is read before and after,
/// not in between: reading it takes longer than the shortest operations.
pub fn repeated<'a, T>(mut operation: impl FnMut() -> T + 'a) -> Round<'a> {
    const LONG: Duration = Duration::from_millis(4);
    let mut runs = 1_u32;
    Box::new(move || {
        loop {
            let start = ThreadTime::now();
            for _ in 0..runs {
                black_box(operation());
            }
            let spent = start.elapsed();
            if spent >= LONG {
                return [spent.as_secs_f64() / f64::from(runs)];
            }
            runs *= 2;
        }
    })
}

/// Applies an operation to each item, and returns the results and the seconds for one.
pub fn timed<I, T>(
    items: impl IntoIterator<Item = I>,
    operation: impl FnMut(I) -> T,
) -> (Vec<T>, f64) {
    let items: Vec<I> = items.into_iter().collect();
    let count = items.len() as f64;
    let mut results = Vec::with_capacity(items.len());
    let start = ThreadTime::now();
    results.extend(items.into_iter().map(operation));
    let spent = start.elapsed();
    (results, spent.as_secs_f64() / count)
}

/// The exponent of a power law through these points: least squares on logarithms. 0 means that
/// cost does not depend on size, 1 that it is proportional.
pub fn exponent(points: &[(f64, f64)]) -> f64 {
    let logs: Vec<_> = points.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
    let count = logs.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| logs.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let covariance: f64 = logs.iter().map(|(a, b)| (a - x) * (b - y)).sum();
    let variance: f64 = logs.iter().map(|(a, _)| (a - x) * (a - x)).sum();
    covariance / variance
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_power_law_is_found() {
        let points = [10.0, 100.0, 1_000.0].map(|x: f64| (x, 3.0 * x.powf(0.5)));
        assert!((exponent(&points) - 0.5).abs() < 1e-9);
        let flat = [10.0, 100.0].map(|x| (x, 7.0));
        assert!(exponent(&flat).abs() < 1e-9);
    }

    #[test]
    fn median_and_quartiles() {
        let sample = Sample::of(vec![5.0, 1.0, 3.0, 2.0, 4.0]);
        assert_eq!((sample.median, sample.spread), (3.0, 2.0));
    }
}
