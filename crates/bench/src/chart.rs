//! Charts as SVG, without a library: bars, and lines over logarithmic axes.

use std::fmt::Write as _;

use crate::figure::{Chart, Kind, Line, Short, Whole};

const WIDTH: f64 = 760.0;
const FONT: &str = "font-family=\"Helvetica,Arial,sans-serif\"";
/// Colours that people with colour-blindness tell apart (Okabe and Ito).
const COLOURS: [&str; 7] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#444444",
];
/// Dashes of the lines that have to use a colour again.
const DASHES: [&str; 2] = ["", " stroke-dasharray=\"6 4\""];

/// The chart as an SVG document.
pub fn svg(chart: &Chart) -> String {
    let (height, body) = match &chart.kind {
        Kind::Bars(unit, bars) => bars_of(unit, bars),
        Kind::Lines(x, y, lines) => lines_of(x, y, lines),
    };
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n\
         <title>{title}</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"16\" y=\"28\" {FONT} font-size=\"16\" font-weight=\"bold\" fill=\"#222222\">{title}</text>\n\
         {body}</svg>\n",
        title = escaped(&chart.title),
    )
}

/// Bars from the left, the longest as wide as there is room. Names that begin with "Cairn" stand
/// out.
fn bars_of(unit: &str, bars: &[(String, f64)]) -> (f64, String) {
    const LEFT: f64 = 300.0;
    const ROW: f64 = 28.0;
    let largest = bars
        .iter()
        .map(|(_, value)| *value)
        .fold(f64::MIN_POSITIVE, f64::max);
    let mut body = String::new();
    for (row, (name, value)) in (0..).zip(bars) {
        let top = 48.0 + ROW * f64::from(row);
        let length = (WIDTH - LEFT - 130.0) * value / largest;
        let colour = if name.starts_with("Cairn") {
            COLOURS[0]
        } else {
            "#999999"
        };
        let _ = writeln!(
            body,
            "<text x=\"{x}\" y=\"{y}\" {FONT} font-size=\"13\" text-anchor=\"end\" fill=\"#222222\">{name}</text>\n\
             <rect x=\"{LEFT}\" y=\"{top}\" width=\"{length:.1}\" height=\"18\" fill=\"{colour}\"/>\n\
             <text x=\"{after:.1}\" y=\"{y}\" {FONT} font-size=\"13\" fill=\"#222222\">{value} {unit}</text>",
            x = LEFT - 8.0,
            y = top + 14.0,
            name = escaped(name),
            after = LEFT + length + 6.0,
            value = Short(*value),
            unit = escaped(unit),
        );
    }
    (60.0 + ROW * bars.len() as f64, body)
}

/// A logarithmic axis between round numbers.
struct Axis {
    ticks: Vec<f64>,
    from: f64,
    to: f64,
}

impl Axis {
    /// An axis for these positive values, drawn from one place to another.
    fn new(values: impl Iterator<Item = f64> + Clone, from: f64, to: f64) -> Self {
        let smallest = values.clone().fold(f64::INFINITY, f64::min);
        let largest = values.fold(f64::MIN_POSITIVE, f64::max);
        // Over many powers of ten there is room for those alone.
        let steps: &[f64] = if largest / smallest > 300.0 {
            &[1.0]
        } else {
            &[1.0, 2.0, 5.0]
        };
        let powers = smallest.log10().floor() as i32..=largest.log10().ceil() as i32 + 1;
        let round =
            powers.flat_map(|power| steps.iter().map(move |step| step * 10_f64.powi(power)));
        let mut ticks: Vec<_> = round.collect();
        let first = ticks
            .iter()
            .rposition(|tick| *tick <= smallest * ROUNDING)
            .unwrap_or(0);
        ticks.drain(..first);
        let last = ticks.iter().position(|tick| *tick >= largest / ROUNDING);
        ticks.truncate(last.map_or(ticks.len(), |last| last.max(1) + 1));
        Self { ticks, from, to }
    }

    fn at(&self, value: f64) -> f64 {
        let ends = (self.ticks.first().copied(), self.ticks.last().copied());
        let (Some(low), Some(high)) = ends else {
            return self.from;
        };
        let share = (value / low).ln() / (high / low).ln();
        self.from + share * (self.to - self.from)
    }

    /// Place and name of each line of the grid.
    fn ticks(&self) -> impl Iterator<Item = (f64, String)> {
        self.ticks.iter().map(|tick| {
            let name = if *tick >= 1.0 {
                Whole(*tick).to_string()
            } else {
                // Round numbers have few digits; those of the binary number are not shown.
                format!("{tick:.9}").trim_end_matches('0').to_owned()
            };
            (self.at(*tick), name)
        })
    }
}

/// Round numbers are computed: what differs in the last place counts as equal.
const ROUNDING: f64 = 1.000_001;

fn lines_of(x_name: &str, y_name: &str, lines: &[Line]) -> (f64, String) {
    const LEFT: f64 = 72.0;
    const RIGHT: f64 = WIDTH - 40.0;
    const TOP: f64 = 56.0;
    const BOTTOM: f64 = 340.0;
    let all = || lines.iter().flat_map(|line| line.points.iter().copied());
    let x = Axis::new(all().map(|point| point.0), LEFT, RIGHT);
    let y = Axis::new(all().map(|point| point.1), BOTTOM, TOP);
    let mut body = String::new();
    for (at, name) in x.ticks() {
        let _ = writeln!(
            body,
            "<line x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{BOTTOM}\" stroke=\"#dddddd\"/>\n\
             <text x=\"{at:.1}\" y=\"{}\" {FONT} font-size=\"12\" text-anchor=\"middle\" fill=\"#222222\">{name}</text>",
            BOTTOM + 18.0
        );
    }
    for (at, name) in y.ticks() {
        let _ = writeln!(
            body,
            "<line x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{RIGHT}\" y2=\"{at:.1}\" stroke=\"#dddddd\"/>\n\
             <text x=\"{}\" y=\"{:.1}\" {FONT} font-size=\"12\" text-anchor=\"end\" fill=\"#222222\">{name}</text>",
            LEFT - 8.0,
            at + 4.0
        );
    }
    let _ = writeln!(
        body,
        "<text x=\"{}\" y=\"{}\" {FONT} font-size=\"13\" text-anchor=\"middle\" fill=\"#222222\">{}</text>\n\
         <text x=\"16\" y=\"46\" {FONT} font-size=\"13\" fill=\"#222222\">{}</text>",
        f64::midpoint(LEFT, RIGHT),
        BOTTOM + 40.0,
        escaped(x_name),
        escaped(y_name),
    );
    for (number, line) in lines.iter().enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        let dash = DASHES[number / COLOURS.len() % DASHES.len()];
        let place = |(a, b): &(f64, f64)| (x.at(*a), y.at(*b));
        let points: Vec<_> = line.points.iter().map(place).collect();
        let path: Vec<_> = points
            .iter()
            .map(|(a, b)| format!("{a:.1},{b:.1}"))
            .collect();
        let stroke = format!("stroke=\"{colour}\" stroke-width=\"2\"{dash}");
        let _ = writeln!(
            body,
            "<polyline points=\"{}\" fill=\"none\" {stroke}/>",
            path.join(" ")
        );
        for (a, b) in &points {
            let _ = writeln!(
                body,
                "<circle cx=\"{a:.1}\" cy=\"{b:.1}\" r=\"3.5\" fill=\"{colour}\"/>"
            );
        }
        // The key stands below, in two columns, as the lines are counted.
        let left = LEFT + (RIGHT - LEFT) / 2.0 * (number % 2) as f64;
        let top = BOTTOM + 64.0 + 22.0 * (number / 2) as f64;
        let _ = writeln!(
            body,
            "<line x1=\"{left}\" y1=\"{middle}\" x2=\"{end}\" y2=\"{middle}\" {stroke}/>\n\
             <text x=\"{text}\" y=\"{top}\" {FONT} font-size=\"12\" fill=\"#222222\">{name}</text>",
            middle = top - 4.0,
            end = left + 24.0,
            text = left + 30.0,
            name = escaped(&line.name)
        );
    }
    (BOTTOM + 64.0 + 22.0 * lines.len().div_ceil(2) as f64, body)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_round_numbers() {
        let axis = |values: [f64; 2]| Axis::new(values.into_iter(), 0.0, 100.0);
        let named = |axis: &Axis| axis.ticks().map(|(_, name)| name).collect::<Vec<_>>();
        assert_eq!(named(&axis([100.0, 460.0])), ["100", "200", "500"]);
        assert_eq!(
            named(&axis([0.4, 900.0])),
            ["0.1", "1", "10", "100", "1,000"]
        );
        assert_eq!(named(&axis([7.0, 7.0])), ["5", "10"]);
        assert!((axis([1.0, 100.0]).at(10.0) - 50.0).abs() < 1e-9);
    }

    #[test]
    fn names_cannot_break_the_document() {
        let bars = vec![("a < b & c".to_owned(), 1.0)];
        let chart = Chart {
            file: "a",
            title: "<t>".into(),
            kind: Kind::Bars("µs", bars),
        };
        let drawn = svg(&chart);
        assert!(drawn.contains("a &lt; b &amp; c") && drawn.contains("<title>&lt;t&gt;</title>"));
    }
}
