//! What a person sees.

use crate::{args::Common, input::Input, run::RunError};
use cairn_node::{
    replay::{Pace, Progress},
    report::Report,
};
use indicatif::{ProgressBar, ProgressStyle};
use std::{net::SocketAddr, time::Duration};
use tracing_subscriber::EnvFilter;

/// Starts structured logs on standard error, if asked for.
pub fn start_log(filter: Option<&str>) -> Result<(), RunError> {
    let Some(filter) = filter else {
        return Ok(());
    };
    let parsed = EnvFilter::builder().parse(filter);
    let parsed = parsed.map_err(|error| RunError::Log(filter.to_owned(), error))?;
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(parsed)
        .with_writer(std::io::stderr)
        .init();
    Ok(())
}

/// What is going to happen.
pub fn title(input: &Input, common: &Common) {
    println!("Cairn {}", input.title);
    println!(
        "  {} validators and {} RSUs of {:.0} m range in this process, {}",
        common.validators,
        input.sites.len(),
        input.range.metres(),
        match input.pace {
            Pace::Fastest => "as fast as they can".into(),
            Pace::Times(1.0) => "in real time".into(),
            Pace::Times(times) => format!("{times:.0} times as fast as real time"),
        }
    );
    if let Some(coverage) = input.placed_coverage {
        println!(
            "  RSU sites placed by traffic: {:.0} % of the rows are in range",
            100.0 * coverage
        );
    }
    match &common.data {
        Some(data) => println!("  kept in {}", data.display()),
        None => println!("  kept nowhere: gone when this ends (--data DIR keeps it)"),
    }
}

/// Where status and counters are.
pub fn address(address: SocketAddr) {
    println!("  status at http://{address}/, counters at http://{address}/metrics");
}

/// The network stays up.
pub fn holding() {
    println!("\nThe network stays up. Ctrl-C ends it.");
}

/// The progress bar; invisible where standard error is no terminal.
pub struct Bar {
    bar: Option<ProgressBar>,
}

impl Bar {
    pub fn new(visible: bool, duration_ms: Option<u64>) -> Self {
        let bar = visible.then(|| {
            let (bar, template) = match duration_ms {
                Some(duration_ms) => (
                    ProgressBar::new(duration_ms),
                    "  [{bar:30}] {prefix}  {msg}",
                ),
                None => (ProgressBar::no_length(), "  {spinner} {prefix}  {msg}"),
            };
            let style = ProgressStyle::with_template(template).expect("the template is valid");
            bar.set_style(style.progress_chars("=> "));
            bar
        });
        Self { bar }
    }

    pub fn update(&self, progress: &Progress) {
        let Some(bar) = &self.bar else { return };
        bar.set_position(u64::try_from(progress.trace.as_millis()).unwrap_or(u64::MAX));
        bar.set_prefix(minutes(progress.trace));
        let late = if progress.late > Duration::from_secs(1) {
            format!(", {:.0} s late", progress.late.as_secs_f64())
        } else {
            String::new()
        };
        bar.set_message(format!(
            "{} vehicles, {} logins, {} failed, block {}{late}",
            progress.vehicles, progress.logins, progress.failed, progress.height
        ));
    }

    pub fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

/// The report for people.
pub fn summary(report: &Report, is_stopped: bool) {
    let Report {
        trace,
        network,
        login,
        ..
    } = report;
    println!();
    if is_stopped {
        println!("Stopped early. What was done until then:\n");
    }
    row(
        "traffic",
        &format!(
            "{} vehicles, {} positions, {} of trace",
            count(trace.vehicles),
            count(trace.rows),
            minutes(Duration::from_secs_f64(trace.duration_s))
        ),
    );
    row(
        "in range",
        &format!(
            "{} vehicles, {} of positions",
            count(trace.vehicles_in_range),
            percent(trace.rows_in_range, trace.rows)
        ),
    );
    row(
        "logins",
        &format!(
            "{} by {} vehicles: both sides proved, a key agreed, in one round trip",
            count(login.full),
            count(login.vehicles)
        ),
    );
    row(
        "",
        &format!(
            "{} refused, {} without an answer",
            count(login.refused),
            count(login.unanswered)
        ),
    );
    row(
        "",
        &format!("{} session keys renewed", count(login.rekeyed)),
    );
    row(
        "on the wire",
        &format!(
            "{} + {} bytes per login, {} per renewed key",
            login.hello_bytes, login.accept_bytes, login.rekey_bytes
        ),
    );
    row(
        "",
        &format!(
            "{} in all, beacons and proofs included",
            bytes(login.radio_bytes)
        ),
    );
    row(
        "round trip",
        &format!(
            "p50 {:.1} ms, p99 {:.1} ms",
            login.round_trip_ms.p50, login.round_trip_ms.p99
        ),
    );
    row(
        "ledger",
        &format!(
            "{} blocks, {} transactions, {} refused; height {}",
            count(network.blocks),
            count(network.transactions),
            count(network.transactions_refused),
            count(network.height)
        ),
    );
    row(
        "finality",
        &format!(
            "p50 {:.1} ms, p99 {:.1} ms, from handing in to executed by {} validators (PBFT-family, Simplex)",
            network.finality_ms.p50, network.finality_ms.p99, network.validators
        ),
    );
    row(
        "resources",
        &format!(
            "{:.1} s, {:.0} MiB of memory at most, {} on disk",
            report.wall_s,
            report.peak_rss_mib,
            bytes(network.disk_bytes)
        ),
    );
}

fn row(name: &str, text: &str) {
    println!("  {name:<12} {text}");
}

/// 1234567 as "1,234,567".
fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn bytes(bytes: u64) -> String {
    let bytes = bytes as f64;
    match bytes {
        _ if bytes >= 1e9 => format!("{:.1} GB", bytes / 1e9),
        _ if bytes >= 1e6 => format!("{:.1} MB", bytes / 1e6),
        _ => format!("{:.1} kB", bytes / 1e3),
    }
}

fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "0 %".into();
    }
    format!("{:.0} %", 100.0 * part as f64 / whole as f64)
}

fn minutes(duration: Duration) -> String {
    let seconds = duration.as_secs();
    format!("{}:{:02} min", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_000), "1,000");
        assert_eq!(count(1_234_567), "1,234,567");
    }

    #[test]
    fn durations_are_minutes_and_seconds() {
        assert_eq!(minutes(Duration::from_secs(299)), "4:59 min");
    }
}
