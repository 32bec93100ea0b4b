//! What a run did, in numbers. The JSON form is for programs; the command line prints it for people.

use cairn_scenario::scoring::Misbehaviour;
use serde::Serialize;

/// The report of one run. Times are wall time unless they say otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// What came in.
    pub trace: TraceReport,
    /// The ledger and the RSUs.
    pub network: NetworkReport,
    /// Logins of vehicles at RSUs.
    pub login: LoginReport,
    /// Logins with a one-time token at the next RSU.
    pub handover: HandoverReport,
    /// Logins through neighbours, where vehicles relay.
    pub relay: Option<RelayReport>,
    /// Position messages.
    pub positions: PositionsReport,
    /// Location services, where there are providers.
    pub services: Option<ServicesReport>,
    /// How well misbehaviour was found, where the truth is known.
    pub misbehaviour: Option<Misbehaviour>,
    /// What the roles cost.
    pub cost: CostReport,
    /// How the replay kept its pace.
    pub pace: PaceReport,
    /// Duration of the replay, in seconds.
    pub wall_s: f64,
    /// The most memory that the process held at a time, in MiB.
    pub peak_rss_mib: f64,
}

/// The traffic trace.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TraceReport {
    /// Different vehicles.
    pub vehicles: u64,
    /// Positions, one per vehicle and step.
    pub rows: u64,
    /// From the first to the last step, in seconds of trace time.
    pub duration_s: f64,
    /// Vehicles that were in range of an RSU at least once.
    pub vehicles_in_range: u64,
    /// Rows within range of an RSU.
    pub rows_in_range: u64,
}

/// The ledger and the RSUs.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct NetworkReport {
    /// Validators of the road chain.
    pub validators: u64,
    /// RSUs along the road.
    pub rsus: u64,
    /// Height of the ledger at the end. More than `blocks` when the ledger was continued.
    pub height: u64,
    /// Blocks finalised during the run.
    pub blocks: u64,
    /// Transactions in them.
    pub transactions: u64,
    /// Of those, refused by the ledger.
    pub transactions_refused: u64,
    /// Tokens, spends and agreements that RSUs recorded in them.
    pub records: u64,
    /// From handing in a transaction until it was final and executed, in milliseconds.
    pub finality_ms: Quantiles,
    /// Bytes on disk at the end.
    pub disk_bytes: u64,
}

/// Logins of vehicles at RSUs.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LoginReport {
    /// Full logins, two-way authentication with key agreement, under an anonymous credential. Those of all
    /// kinds count whether or not they went through relays; times are of those that did not.
    pub anonymous: u64,
    /// Full logins under a registered key.
    pub registered: u64,
    /// Handovers, logins with a one-time token: the same, under the token instead of key or credential.
    pub handover: u64,
    /// Logins that an RSU or a vehicle refused.
    pub refused: u64,
    /// Logins that got no answer in time.
    pub unanswered: u64,
    /// Vehicles that logged in at least once at an RSU that they heard.
    pub vehicles: u64,
    /// Positions at which a vehicle had a session at an RSU in range, when the step of the trace ended.
    pub served_positions: u64,
    /// Vehicles that never logged in although they were in range of an RSU, in one step of the trace.
    pub unserved_one_step: u64,
    /// The same, in more than one step.
    pub unserved_longer: u64,
    /// Session keys renewed.
    pub rekeyed: u64,
    /// Bytes of first message and answer of an anonymous login, the largest sent.
    pub anonymous_bytes: [u64; 2],
    /// The same of a login under a registered key.
    pub registered_bytes: [u64; 2],
    /// Bytes of both messages of a rekey, the largest sent.
    pub rekey_bytes: u64,
    /// From first message to answer of a full login, in milliseconds.
    pub round_trip_ms: Quantiles,
    /// Bytes of all datagrams, both directions, beacons and proofs included.
    pub radio_bytes: u64,
}

/// Logins with a one-time token at the next RSU.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct HandoverReport {
    /// From first message to answer, median, in milliseconds.
    pub p50_ms: f64,
    /// The same, 99th percentile.
    pub p99_ms: f64,
    /// Sessions that were dropped because their token was spent elsewhere first.
    pub lost_races: u64,
    /// Tokens that an RSU did not take; a full login followed.
    pub token_refused: u64,
    /// Bytes of first message and answer, the largest sent.
    pub bytes: [u64; 2],
}

/// Logins through neighbours of vehicles that hear no RSU.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RelayReport {
    /// How far vehicles hear each other, in metres.
    pub hop_range_m: f64,
    /// Full logins.
    pub logins: u64,
    /// Handovers.
    pub handovers: u64,
    /// Of both, how many went over one, two and three relays.
    pub hops: [u64; 3],
    /// Searches, answered or not.
    pub searches: u64,
    /// Ways that were given up because nothing came back.
    pub given_up: u64,
    /// From the first message of a search to the session, less the median round trip of logins and handovers
    /// without relays, in milliseconds.
    pub added_ms: Quantiles,
    /// Bytes of searches, offers and messages up and down, on every link; a broadcast counts once.
    pub bytes: u64,
    /// Vehicles that logged in through relays.
    pub vehicles: u64,
    /// Of those, vehicles that never logged in without.
    pub vehicles_only: u64,
    /// Positions at which a vehicle that heard no RSU had a session through relays, as far as it knew, when
    /// the step ended.
    pub served_positions: u64,
    /// The share of all positions that were served without relays.
    pub served_share_direct: f64,
    /// The share of all positions that were served.
    pub served_share: f64,
    /// Credits that RSUs granted to relays: [`cairn_contracts::credits::LOGIN_POT`] for each login.
    pub granted: u64,
    /// Of those, paid out.
    pub redeemed: u64,
}

/// Time spent inside the roles on beacons, proofs, logins, handovers and rekeys, which is nearly all
/// cryptography; position messages are in [`PositionsReport`]. Wall time: on a machine that is
/// busy with other things it is more than the processor time.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CostReport {
    /// All vehicles together, in seconds.
    pub vehicles_s: f64,
    /// All RSUs together, in seconds.
    pub rsus_s: f64,
}

/// Position messages, and what came of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PositionsReport {
    /// Messages that vehicles signed and broadcast.
    pub sent: u64,
    /// Bytes of a message, the largest sent: with its credential, if the signer has one.
    pub bytes: u64,
    /// What signing them took, in seconds.
    pub signing_s: f64,
    /// Signatures that RSUs checked: a message counts for each RSU that heard it.
    pub checked: u64,
    /// What checking and judging took, all RSUs together, in seconds.
    pub checking_s: f64,
    /// Signatures that vehicles checked.
    pub checked_by_vehicles: u64,
    /// What that took, in seconds.
    pub checking_by_vehicles_s: f64,
    /// Messages that an RSU or vehicle passed over: stale, of a key that is unknown, over or revoked,
    /// wrongly signed, repeated.
    pub passed_over: u64,
    /// Messages that an RSU found implausible, or passed over as a revoked vehicle's; each once.
    pub flagged: u64,
    /// Votes of RSUs that became final.
    pub votes: u64,
    /// Vehicles that were revoked.
    pub revoked: u64,
    /// Sessions of theirs that RSUs dropped.
    pub sessions_dropped: u64,
    /// The most blocks that became final after a revocation's own before an RSU had dropped the
    /// session.
    pub drop_blocks: u64,
    /// Trace time of all vehicles together, in hours.
    pub vehicle_hours: f64,
}

/// Location services: two providers, of charging points and of travel times.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ServicesReport {
    /// Charging points that a provider knows.
    pub points: u64,
    /// Passages between neighbouring cells whose time a provider has learned well enough to tell it.
    pub passages: u64,
    /// Questions that vehicles sent.
    pub queries: u64,
    /// Answers that vehicles opened.
    pub answers: u64,
    /// Of those, that nothing is known.
    pub nothing_known: u64,
    /// Questions that were refused: the vehicle was told that there will be no answer.
    pub refused: u64,
    /// Questions that got neither in time.
    pub unanswered: u64,
    /// Questions whose cell the RSU did not believe.
    pub false_cells: u64,
    /// Vehicles whose service an RSU ended for that.
    pub ended: u64,
    /// Requests of RSUs that providers answered.
    pub served: u64,
    /// Requests of RSUs that providers refused.
    pub refused_by_providers: u64,
    /// From question to answer at the vehicle, median, in milliseconds.
    pub p50_ms: f64,
    /// The same, 99th percentile.
    pub p99_ms: f64,
    /// The provider's own part of it, in milliseconds.
    pub provider_ms: Quantiles,
    /// Bytes of a question's datagram, the largest sent.
    pub query_bytes: u64,
    /// Bytes of an answer's datagram, the largest sent.
    pub answer_bytes: u64,
    /// Ledger proofs of RSUs that providers took.
    pub proofs: u64,
    /// The oldest ledger state that a provider judged an RSU by, in seconds of trace time.
    pub staleness_s: f64,
    /// The charging point in the last answer that named one.
    pub last_nearest: Option<NearestReport>,
    /// The way in the last answer that told a travel time.
    pub last_way: Option<WayReport>,
}

/// A charging point that a vehicle was told of.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct NearestReport {
    /// Its name.
    pub name: String,
    /// Metres to it from the vehicle.
    pub distance_m: f64,
    /// Its power, in kW.
    pub kw: u16,
}

/// A travel time that a vehicle was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct WayReport {
    /// Length of the way, in metres: so many cells, each as long as its side.
    pub metres: u32,
    /// What it takes, in seconds.
    pub seconds: u16,
}

/// How the replay kept its pace.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PaceReport {
    /// Seconds of trace per second that were asked for; `None` for as fast as possible.
    pub asked: Option<f64>,
    /// Seconds of trace per second that were reached.
    pub reached: f64,
    /// How late the last step was, in seconds.
    pub late_s: f64,
    /// Time spent waiting for the trace to be read, in seconds.
    pub waited_for_trace_s: f64,
    /// Time spent waiting for vehicles to be enrolled and for fresh blocks, in seconds.
    pub waited_for_ledger_s: f64,
    /// Time spent waiting for logins, handovers and rekeys, in seconds.
    pub waited_for_radio_s: f64,
    /// Time spent waiting for RSUs to judge position messages, in seconds.
    pub waited_for_witnesses_s: f64,
}

/// Two quantiles of a distribution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Quantiles {
    /// The median.
    pub p50: f64,
    /// The 99th percentile.
    pub p99: f64,
}

impl Quantiles {
    /// The quantiles of `samples` (nearest rank); zeros if there are none.
    pub fn of(mut samples: Vec<f64>) -> Self {
        samples.sort_by(f64::total_cmp);
        let rank = |share: f64| {
            let index = (samples.len() as f64 * share).ceil() as usize;
            samples.get(index.saturating_sub(1)).copied().unwrap_or(0.0)
        };
        Self {
            p50: rank(0.5),
            p99: rank(0.99),
        }
    }
}

/// The most memory that this process has held, in MiB; 0 where the system does not tell.
pub fn peak_rss_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_nearest_ranks() {
        let samples = (1..=200).rev().map(f64::from).collect();
        assert_eq!(
            Quantiles::of(samples),
            Quantiles {
                p50: 100.0,
                p99: 198.0
            }
        );
        assert_eq!(Quantiles::of(vec![7.0]), Quantiles { p50: 7.0, p99: 7.0 });
        assert_eq!(Quantiles::of(Vec::new()), Quantiles::default());
    }
}
