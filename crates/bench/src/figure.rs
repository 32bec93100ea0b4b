//! What is measured: figures in tables, with what they are to be compared with.

use std::fmt;

use serde::Serialize;

use crate::measure::Sample;

/// One figure of Cairn, and what stands beside it. All values are in `unit`.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// What is measured.
    pub name: String,
    /// Unit of `ours`, `spread`, `reference`, `paper`, `floor` and `target`.
    pub unit: &'static str,
    /// Cairn's median.
    pub ours: f64,
    /// Distance between the quartiles of Cairn's rounds.
    pub spread: f64,
    /// Median of what Cairn is compared with, measured in the same run.
    pub reference: Option<f64>,
    /// What that is.
    pub reference_name: Option<String>,
    /// What the paper prints.
    pub paper: Option<f64>,
    /// `ours / reference`.
    pub ratio: Option<f64>,
    /// What the primitives alone cost in the same run: no protocol of this shape is cheaper.
    pub floor: Option<f64>,
    /// The most (of a cost) or the least (of a rate) that `ours` is to be.
    pub target: Option<f64>,
    /// Whether it is.
    pub target_met: Option<bool>,
    /// How the target comes about, or why it is missed.
    #[serde(skip)]
    pub note: Option<String>,
}

impl Figure {
    /// A figure without comparison.
    pub fn new(name: impl Into<String>, unit: &'static str, ours: Sample) -> Self {
        Self {
            name: name.into(),
            unit,
            ours: ours.median,
            spread: ours.spread,
            reference: None,
            reference_name: None,
            paper: None,
            ratio: None,
            floor: None,
            target: None,
            target_met: None,
            note: None,
        }
    }

    /// A counted number of bytes.
    pub fn bytes(name: impl Into<String>, count: usize) -> Self {
        Self::new(name, "bytes", Sample::exact(count as f64))
    }

    /// Beside this, measured in the same run.
    pub fn beside(mut self, name: impl Into<String>, reference: f64) -> Self {
        self.reference = Some(reference);
        self.reference_name = Some(name.into());
        self.ratio = Some(self.ours / reference);
        self
    }

    /// With the figure that the paper prints.
    pub const fn paper(mut self, printed: f64) -> Self {
        self.paper = Some(printed);
        self
    }

    /// With the cost of the primitives.
    pub const fn floor(mut self, floor: f64) -> Self {
        self.floor = Some(floor);
        self
    }

    /// A cost that is to be at most this.
    pub fn at_most(mut self, target: f64) -> Self {
        self.target = Some(target);
        self.target_met = Some(self.ours <= target);
        self
    }

    /// A rate that is to be at least this.
    pub fn at_least(mut self, target: f64) -> Self {
        self.target = Some(target);
        self.target_met = Some(self.ours >= target);
        self
    }

    /// With a remark.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }
}

/// A number with three significant digits, thousands separated.
pub struct Short(pub f64);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.0;
        if value == 0.0 {
            return f.write_str("0");
        }
        if !value.is_finite() {
            return f.write_str("–");
        }
        let digits = 2 - value.abs().log10().floor() as i32;
        if digits > 0 {
            return write!(f, "{value:.*}", digits.min(6) as usize);
        }
        // Counted figures are shown whole: nothing is rounded away.
        Whole(value).fmt(f)
    }
}

/// A number without its fraction, thousands separated.
pub struct Whole(pub f64);

impl fmt::Display for Whole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:.0}", self.0.abs());
        let sign = if self.0 < 0.0 { "−" } else { "" };
        let groups = digits.as_bytes().rchunks(3).rev();
        let groups: Vec<_> = groups.map(String::from_utf8_lossy).collect();
        write!(f, "{sign}{}", groups.join(","))
    }
}

/// A line of a chart.
#[derive(Clone, Debug)]
pub struct Line {
    /// What it shows.
    pub name: String,
    /// (x, y), x ascending.
    pub points: Vec<(f64, f64)>,
}

/// A chart.
#[derive(Clone, Debug)]
pub struct Chart {
    /// File name without ending.
    pub file: &'static str,
    /// Title, which says what is to be seen.
    pub title: String,
    /// What is drawn.
    pub kind: Kind,
}

/// What a chart draws.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Named values, with their unit, one bar each.
    Bars(&'static str, Vec<(String, f64)>),
    /// Lines over a logarithmic axis each way, with the axes' names.
    Lines(&'static str, &'static str, Vec<Line>),
}

/// Figures that belong together.
#[derive(Clone, Debug)]
pub struct Table {
    /// Heading.
    pub title: &'static str,
    /// What was measured, and how.
    pub text: String,
    /// The figures.
    pub figures: Vec<Figure>,
    /// Drawings of them.
    pub charts: Vec<Chart>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let shown = [0.0, 0.012_34, 1.0, 12.345, 214.0, 1_234_567.0, -4_000.0];
        let shown = shown.map(|value| Short(value).to_string());
        let expected = ["0", "0.0123", "1.00", "12.3", "214", "1,234,567", "−4,000"];
        assert_eq!(shown, expected);
    }

    #[test]
    fn targets_bound_costs_above_and_rates_below() {
        let figure = || Figure::bytes("a", 10);
        assert_eq!(figure().at_most(10.0).target_met, Some(true));
        assert_eq!(figure().at_most(9.0).target_met, Some(false));
        assert_eq!(figure().at_least(10.0).target_met, Some(true));
        assert_eq!(figure().at_least(11.0).target_met, Some(false));
    }
}
