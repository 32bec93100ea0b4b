//! What a person sees.

use crate::{args::Common, input::Input, run::RunError};
use cairn_node::{
    replay::{Pace, Progress},
    report::{LoginReport, RelayReport, Report, ServicesReport},
};
use cairn_scenario::scoring::Misbehaviour;
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
    match (&input.liars.rsus, input.liars.vehicles.len()) {
        (Some((places, _)), _) => {
            let names = places.iter().map(|place| &*input.sites[*place].id);
            let names: Vec<&str> = names.collect();
            let attack = input.liars.attack.unwrap_or_default();
            println!(
                "  {} of the RSUs attack ({attack}): {}",
                names.len(),
                names.join(", ")
            );
        }
        (None, 0) => {}
        (None, count) => println!("  {count} of the vehicles lie about themselves"),
    }
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
            "{} vehicles, {} logins, {} handovers, {} failed, block {}{late}",
            progress.vehicles,
            progress.logins,
            progress.handovers,
            progress.failed,
            progress.height
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
    println!();
    if is_stopped {
        println!("Stopped early. What was done until then:\n");
    }
    for (name, text) in rows(report) {
        println!("  {name:<12} {text}");
    }
    if let Some(found) = &report.misbehaviour {
        println!();
        liars(found);
        if found.per_attack.len() > 2 {
            attacks(found);
        }
    }
    if let Some(warning) = too_fast(report) {
        println!("\n  {warning}");
    }
}

/// The most liars that are listed one by one.
const MAX_LISTED: usize = 10;

/// What became of those who lied.
pub fn liars(found: &Misbehaviour) {
    println!(
        "  {:<12} {} of {} revoked; {} honest vehicles revoked",
        "liars", found.revoked, found.attackers, found.false_revocations
    );
    if found.attackers <= MAX_LISTED {
        for (name, liar) in &found.per_attacker {
            let outcome = match liar.seconds_to_revoke {
                Some(seconds) => format!("revoked {seconds:.0} s after the first false message"),
                None => "not revoked".into(),
            };
            println!("  {:<12} {name} ({}): {outcome}", "", liar.attack);
        }
    }
}

/// A line for each attack, and one for the honest.
pub fn attacks(found: &Misbehaviour) {
    println!(
        "\n  {:<20} {:>8} {:>6} {:>6} {:>6} {:>6}  {:>7} {:>7}",
        "attack", "messages", "hit", "false", "missed", "F1", "revoked", "seconds"
    );
    for (name, attack) in &found.per_attack {
        let number = |value: Option<f64>, places: usize| {
            value.map_or_else(|| "-".into(), |value| format!("{value:.places$}"))
        };
        println!(
            "  {name:<20} {:>8} {:>6} {:>6} {:>6} {:>6}  {:>7} {:>7}",
            attack.messages,
            attack.true_positive,
            attack.false_positive,
            attack.false_negative,
            number(attack.f1, 2),
            attack.revoked,
            number(attack.seconds_to_revoke, 0),
        );
    }
}

/// Where the row of those who never logged in stands: after those who did.
const AFTER_LOGINS: usize = 2;

/// Where logins through relays stand: after all that is said of logins.
const AFTER_REKEYS: usize = 4;

/// Where the rows of location services stand: before those of the ledger.
const BEFORE_LEDGER: usize = 9;

fn rows(report: &Report) -> Vec<(&'static str, String)> {
    let Report {
        positions,
        trace,
        network,
        login,
        handover,
        cost,
        pace,
        ..
    } = report;
    let per_second = |number: u64| count((number as f64 / report.wall_s.max(0.001)).round() as u64);
    let full = login.anonymous + login.registered;
    let logins = full + login.handover;
    let mut rows = vec![
        (
            "traffic",
            format!(
                "{} vehicles, {} positions, {} of trace; {} of positions in range of an RSU",
                count(trace.vehicles),
                count(trace.rows),
                minutes(Duration::from_secs_f64(trace.duration_s)),
                percent(trace.rows_in_range, trace.rows),
            ),
        ),
        (
            "logins",
            format!(
                "{} anonymous, {} registered, {} handovers, by {} of the {} vehicles that came \
                 into range",
                count(login.anonymous),
                count(login.registered),
                count(login.handover),
                count(login.vehicles),
                count(trace.vehicles_in_range),
            ),
        ),
        (
            "",
            format!(
                "{} refused, {} without an answer, {} tokens not taken, {} races lost",
                count(login.refused),
                count(login.unanswered),
                count(handover.token_refused),
                count(handover.lost_races),
            ),
        ),
        ("", format!("{} session keys renewed", count(login.rekeyed))),
        ("on the wire", {
            let kinds = [
                (login.anonymous_bytes, "anonymous login"),
                (login.registered_bytes, "registered login"),
                (handover.bytes, "handover"),
                ([login.rekey_bytes, 0], "renewed key"),
            ];
            let seen: Vec<String> = kinds
                .into_iter()
                .filter_map(|(bytes, of)| Some(format!("{} per {of}", both(bytes)?)))
                .collect();
            format!("bytes: {}", seen.join(", "))
        }),
        (
            "",
            format!(
                "{} in all, beacons and proofs included",
                bytes(login.radio_bytes)
            ),
        ),
        (
            "round trip",
            format!(
                "login p50 {:.1} ms, p99 {:.1} ms; handover p50 {:.1} ms, p99 {:.1} ms",
                login.round_trip_ms.p50, login.round_trip_ms.p99, handover.p50_ms, handover.p99_ms,
            ),
        ),
        (
            "positions",
            format!(
                "{} signed messages of at most {} bytes; RSUs checked {} at {} a second and core",
                count(positions.sent),
                positions.bytes,
                count(positions.checked),
                count((positions.checked as f64 / positions.checking_s.max(1e-9)).round() as u64),
            ),
        ),
        (
            "",
            format!(
                "{} votes in {:.1} vehicle-hours, {} vehicles revoked, {} of their sessions dropped",
                count(positions.votes),
                positions.vehicle_hours,
                count(positions.revoked),
                count(positions.sessions_dropped),
            ),
        ),
        (
            "ledger",
            format!(
                "{} blocks, {} transactions with {} records, {} refused; height {}",
                count(network.blocks),
                count(network.transactions),
                count(network.records),
                count(network.transactions_refused),
                count(network.height),
            ),
        ),
        (
            "finality",
            format!(
                "p50 {:.1} ms, p99 {:.1} ms, from handing in to executed by {} validators \
                 (PBFT-family, Simplex)",
                network.finality_ms.p50, network.finality_ms.p99, network.validators,
            ),
        ),
        (
            "pace",
            format!(
                "{:.1} times real time; per second {} positions, {} logins, {} handovers, \
                 {} transactions, {} records",
                pace.reached,
                per_second(trace.rows),
                per_second(full),
                per_second(login.handover),
                per_second(network.transactions),
                per_second(network.records),
            ),
        ),
        (
            "cost",
            format!(
                "per login {:.0} µs at the vehicle, {:.0} µs at the RSU, beacons and rekeys included",
                1e6 * cost.vehicles_s / logins.max(1) as f64,
                1e6 * cost.rsus_s / logins.max(1) as f64,
            ),
        ),
        (
            "resources",
            format!(
                "{:.1} s, {:.0} MiB of memory at most, {} on disk",
                report.wall_s,
                report.peak_rss_mib,
                bytes(network.disk_bytes),
            ),
        ),
    ];
    if let Some(services) = &report.services {
        rows.splice(BEFORE_LEDGER..BEFORE_LEDGER, answers(services));
    }
    if let Some(relay) = &report.relay {
        rows.splice(AFTER_REKEYS..AFTER_REKEYS, relayed(relay));
    }
    if login.unserved_one_step + login.unserved_longer > 0 {
        rows.insert(AFTER_LOGINS, ("", unserved(login)));
    }
    rows
}

/// What came of location services.
fn answers(services: &ServicesReport) -> [(&'static str, String); 2] {
    let nearest = services.last_nearest.as_ref().map(|point| {
        format!(
            "nearest charging point \"{}\", {:.0} m, {} kW; ",
            point.name, point.distance_m, point.kw
        )
    });
    let way = services
        .last_way
        .map(|way| format!("next {} m in {} s; ", way.metres, way.seconds));
    [
        (
            "answers",
            format!(
                "{} to {} sealed questions; {} refused, {} of them for a false cell",
                count(services.answers),
                count(services.queries),
                count(services.refused),
                count(services.false_cells),
            ),
        ),
        (
            "",
            format!(
                "{}{}p50 {:.1} ms, p99 {:.1} ms",
                nearest.unwrap_or_default(),
                way.unwrap_or_default(),
                services.p50_ms,
                services.p99_ms,
            ),
        ),
    ]
}

/// Logins through neighbours.
fn relayed(relay: &RelayReport) -> [(&'static str, String); 3] {
    let [one, two, three] = relay.hops.map(count);
    let all = relay.logins + relay.handovers;
    [
        (
            "relayed",
            format!(
                "{} of the logins and {} of the handovers; {one} over one relay, {two} over two, \
                 {three} over three",
                count(relay.logins),
                count(relay.handovers),
            ),
        ),
        (
            "",
            format!(
                "{:.1} % of positions served, {:.1} % without relays; {} vehicles logged in by \
                 relays only",
                100.0 * relay.served_share,
                100.0 * relay.served_share_direct,
                count(relay.vehicles_only),
            ),
        ),
        (
            "",
            format!(
                "p50 {:.1} ms, p99 {:.1} ms more than without; {} bytes for each; {} of {} credits \
                 redeemed",
                relay.added_ms.p50,
                relay.added_ms.p99,
                count(relay.bytes / all.max(1)),
                count(relay.redeemed),
                count(relay.granted),
            ),
        ),
    ]
}

/// Vehicles in range that never logged in.
fn unserved(login: &LoginReport) -> String {
    format!(
        "never logged in: {} that were in range in one step only, {} that were longer",
        count(login.unserved_one_step),
        count(login.unserved_longer),
    )
}

/// What to say when the replay could not keep the pace that was asked for.
fn too_fast(report: &Report) -> Option<String> {
    let pace = &report.pace;
    let asked = pace.asked?;
    if pace.late_s <= 1.0 {
        return None;
    }
    let waits = [
        (
            pace.waited_for_radio_s,
            "logins, handovers and rekeys between vehicles and RSUs",
        ),
        (
            pace.waited_for_witnesses_s,
            "RSUs that check and judge position messages",
        ),
        (
            pace.waited_for_ledger_s,
            "the ledger: enrolments and fresh blocks",
        ),
        (pace.waited_for_trace_s, "reading the trace"),
    ];
    let (seconds, slowest) = waits.into_iter().max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    Some(format!(
        "Could not keep up with {asked} times real time: {:.1} s late at the end. \
         Nothing was dropped. Most time, {seconds:.1} s, went into {slowest}.",
        pace.late_s
    ))
}

/// "198 + 57", bytes of first message and answer, of what was sent at all.
fn both([there, back]: [u64; 2]) -> Option<String> {
    match (there, back) {
        (0, _) => None,
        (there, 0) => Some(there.to_string()),
        (there, back) => Some(format!("{there} + {back}")),
    }
}

/// 1234567 as "1,234,567".
pub fn count(number: u64) -> String {
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
