//! Danger and speed over time, as SVG: paper 004's figure 5.
//!
//! Two panels over one time axis. Above, the danger of each class's first vehicle, 0 to 100, over the
//! bands of the states; below, its speed in km/h. Vertical lines say what happened when.

use crate::{
    outcome::{Moment, Outcome},
    scenario::Scenario,
};
use cairn_contracts::danger::Model;
use std::fmt::Write as _;

const WIDTH: f64 = 1_200.0;
const HEIGHT: f64 = 760.0;
const LEFT: f64 = 90.0;
const RIGHT: f64 = 1_160.0;

/// Class name and colour: readable for the colour-blind (Okabe and Ito 2008).
const LINES: [(&str, &str, &str); 3] = [
    ("car", "#0072b2", ""),
    ("truck", "#d55e00", "9 5"),
    ("bus", "#009e73", "3 4"),
];

/// A panel's place and scale.
struct Panel {
    top: f64,
    bottom: f64,
    most: f64,
    tick: f64,
    label: &'static str,
}

impl Panel {
    fn y(&self, value: f64) -> f64 {
        self.bottom - (self.bottom - self.top) * (value / self.most).clamp(0.0, 1.0)
    }
}

/// Draws a run.
#[must_use]
pub fn svg(scenario: &Scenario, model: &Model, outcome: &Outcome) -> String {
    let top_speed = (scenario.limit_m_s * 3.6 * 1.1 / 20.0).ceil() * 20.0;
    let danger = Panel {
        top: 140.0,
        bottom: 430.0,
        most: 100.0,
        tick: 20.0,
        label: "danger",
    };
    let speed = Panel {
        top: 470.0,
        bottom: 690.0,
        most: top_speed,
        tick: 20.0,
        label: "speed in km/h",
    };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
         viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"Helvetica, Arial, sans-serif\" \
         font-size=\"17\" fill=\"#222222\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n"
    );
    text(&mut svg, LEFT, 40.0, "start", 25.0, &scenario.title);
    legend(&mut svg);

    let steady = model.steady_from.value();
    let dangerous = model.dangerous_from.value();
    let bands = [
        (0.0, steady, "#e8f5ec", "safe"),
        (steady, dangerous, "#fff6dc", "steady"),
        (dangerous, 100.0, "#fde7e4", "dangerous"),
    ];
    for (from, to, colour, name) in bands {
        let (top, bottom) = (danger.y(to), danger.y(from));
        let (width, height) = (RIGHT - LEFT, bottom - top);
        let _ = writeln!(
            svg,
            "<rect x=\"{LEFT}\" y=\"{top:.1}\" width=\"{width}\" height=\"{height:.1}\" fill=\"{colour}\"/>"
        );
        text(&mut svg, RIGHT - 8.0, top + 20.0, "end", 15.0, name);
    }
    for panel in [&danger, &speed] {
        axes(&mut svg, panel, scenario.duration_s);
    }
    marks(&mut svg, scenario, &danger, &speed);
    for ((_, colour, dash), class) in LINES.iter().zip(&outcome.classes) {
        line(
            &mut svg,
            &class.trace,
            scenario,
            &danger,
            (colour, dash),
            |m| m.danger,
        );
        line(
            &mut svg,
            &class.trace,
            scenario,
            &speed,
            (colour, dash),
            |m| 3.6 * m.speed_m_s,
        );
    }
    let middle = f64::midpoint(LEFT, RIGHT);
    text(&mut svg, middle, HEIGHT - 18.0, "middle", 17.0, "time in s");
    svg.push_str("</svg>\n");
    svg
}

fn x(time_s: f64, scenario: &Scenario) -> f64 {
    LEFT + (RIGHT - LEFT) * time_s / scenario.duration_s
}

fn legend(svg: &mut String) {
    for (place, (name, colour, dash)) in LINES.iter().enumerate() {
        let from = LEFT + 130.0 * place as f64;
        let (to, beside) = (from + 44.0, from + 54.0);
        let _ = writeln!(
            svg,
            "<line x1=\"{from}\" y1=\"66\" x2=\"{to}\" y2=\"66\" stroke=\"{colour}\" \
             stroke-width=\"3.5\" stroke-dasharray=\"{dash}\"/>"
        );
        text(svg, beside, 72.0, "start", 17.0, name);
    }
}

fn axes(svg: &mut String, panel: &Panel, duration_s: f64) {
    let (top, bottom) = (panel.top, panel.bottom);
    let mut value = 0.0;
    while value <= panel.most {
        let y = panel.y(value);
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{RIGHT}\" y2=\"{y:.1}\" stroke=\"#d8d8d8\"/>"
        );
        text(
            svg,
            LEFT - 10.0,
            y + 6.0,
            "end",
            15.0,
            &format!("{value:.0}"),
        );
        value += panel.tick;
    }
    let seconds = if duration_s > 120.0 { 30.0 } else { 10.0 };
    let mut at_s = 0.0;
    while at_s <= duration_s {
        let x = LEFT + (RIGHT - LEFT) * at_s / duration_s;
        let below = bottom + 6.0;
        let _ = writeln!(
            svg,
            "<line x1=\"{x:.1}\" y1=\"{bottom}\" x2=\"{x:.1}\" y2=\"{below}\" stroke=\"#222222\"/>"
        );
        text(svg, x, bottom + 24.0, "middle", 15.0, &format!("{at_s:.0}"));
        at_s += seconds;
    }
    let _ = writeln!(
        svg,
        "<path d=\"M{LEFT} {top}V{bottom}H{RIGHT}\" fill=\"none\" stroke=\"#222222\"/>"
    );
    let middle = f64::midpoint(top, bottom);
    let _ = writeln!(
        svg,
        "<text x=\"34\" y=\"{middle}\" text-anchor=\"middle\" transform=\"rotate(-90 34 {middle})\">{}</text>",
        panel.label
    );
}

fn marks(svg: &mut String, scenario: &Scenario, danger: &Panel, speed: &Panel) {
    // Labels that would touch are written in rows above each other.
    let mut rows = [f64::NEG_INFINITY; 3];
    for (at_s, name) in scenario.marks() {
        let x = x(at_s, scenario);
        let half = 4.5 * name.len() as f64;
        let free = rows.iter().position(|end| x - half > *end);
        let row = free.unwrap_or(rows.len() - 1);
        rows[row] = x + half;
        let (top, bottom) = (danger.top, speed.bottom);
        let label = top - 6.0 - 19.0 * row as f64;
        let _ = writeln!(
            svg,
            "<line x1=\"{x:.1}\" y1=\"{top}\" x2=\"{x:.1}\" y2=\"{bottom}\" stroke=\"#666666\" \
             stroke-dasharray=\"2 4\"/>"
        );
        text(svg, x, label, "middle", 15.0, name);
    }
}

fn line(
    svg: &mut String,
    trace: &[Moment],
    scenario: &Scenario,
    panel: &Panel,
    (colour, dash): (&str, &str),
    value: impl Fn(&Moment) -> f64,
) {
    let mut points = String::new();
    for moment in trace {
        let (x, y) = (x(moment.time_s, scenario), panel.y(value(moment)));
        let _ = write!(points, "{x:.1},{y:.1} ");
    }
    let _ = writeln!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"3\" \
         stroke-linejoin=\"round\" stroke-dasharray=\"{dash}\"/>",
        points.trim_end()
    );
}

/// Text, with what XML would take for markup written out.
fn text(svg: &mut String, x: f64, y: f64, anchor: &str, size: f64, content: &str) {
    let content = content
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-size=\"{size}\">{content}</text>"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{compare::run, simulation::Arm};

    #[test]
    fn a_plot_has_two_lines_for_each_class_and_hostile_titles_stay_text() {
        let mut scenario = Scenario::built_in("obstacle").unwrap();
        scenario.title = "<script>&".into();
        let model = Model::default();
        let svg = svg(&scenario, &model, &run(&scenario, &model, Arm::Network, 1));
        assert_eq!(svg.matches("<polyline").count(), 6);
        assert!(svg.contains("&lt;script&gt;&amp;"));
        assert!(!svg.contains("NaN"));
    }
}
