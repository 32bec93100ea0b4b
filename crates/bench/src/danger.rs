//! Danger evaluations with 2, 4 and 8 voters (paper 004, figure 4).

use std::error::Error;

use cairn_baselines::p004_danger::{self, Features};
use cairn_chain::limits::SMALL_CACHE_MIB;
use cairn_contracts::danger::Model;

use crate::{
    Scope,
    figure::{Chart, Figure, Kind, Table},
    load::{self, Plan},
    measure::{Sample, alternate, quantile, repeated},
    network::{CALM, Network, Work, with_runtime},
};

/// Validators that vote, as in the paper.
const VOTERS: [u64; 3] = [2, 4, 8];

/// Table 7.
pub fn danger(scope: Scope) -> Result<Table, Box<dyn Error>> {
    let plan = Plan {
        work: Work::Evaluations,
        records: 1,
        seconds: if scope.quick { 6 } else { 20 },
        rate: None,
    };
    let gathered = Plan {
        records: 100,
        ..plan
    };
    let mut figures = Vec::new();
    let mut bars = Vec::new();
    for voters in VOTERS {
        let [single, batched] = with_runtime(async |context| {
            let single = Network::start(
                &context,
                &format!("single-{voters}"),
                voters,
                SMALL_CACHE_MIB,
            )
            .await?;
            let one_by_one = load::run(&context, &single, plan).await;
            single.stop().await;
            let batched = Network::start(
                &context,
                &format!("batched-{voters}"),
                voters,
                SMALL_CACHE_MIB,
            )
            .await?;
            let in_batches = load::run(&context, &batched, gathered).await;
            batched.stop().await;
            Ok([one_by_one?, in_batches?])
        })?;
        let name = format!("{voters} voters");
        let rate = |name: String, rate| Figure::new(name, "evaluations/s", Sample::exact(rate));
        bars.push((
            format!("Cairn, {name}, one in a transaction"),
            single.records_per_s,
        ));
        bars.push((
            format!("Cairn, {name}, 100 in a transaction"),
            batched.records_per_s,
        ));
        figures.push(rate(
            format!("{name}, one in a transaction"),
            single.records_per_s,
        ));
        let delays = Sample {
            median: quantile(&single.handed_in_ms, 0.5),
            spread: quantile(&single.handed_in_ms, 0.75) - quantile(&single.handed_in_ms, 0.25),
        };
        figures.push(
            Figure::new(
                format!("{name}, from handing in to executed, p50"),
                "ms",
                delays,
            )
            .note("at the most that the chain takes, with 128 transactions waiting"),
        );
        figures.push(
            rate(
                format!("{name}, 100 in a transaction"),
                batched.records_per_s,
            )
            .beside("one in a transaction", single.records_per_s),
        );
    }

    let model = Model::default();
    let features = Features {
        weather: 10.0,
        road: 10.0,
        speed: 50.0,
        vehicle: 10.0,
    };
    let [[ours], [theirs]] = alternate(
        scope.rounds(),
        [
            repeated(|| model.evaluate(std::hint::black_box(&CALM))),
            repeated(|| {
                p004_danger::evaluate_repaired(0.0, false, std::hint::black_box(&features))
            }),
        ],
    );
    figures.push(
        Figure::new("one evaluation alone, without a ledger", "ns", ours.scaled(1e9))
            .beside("paper 004's weighted sum, repaired", theirs.median * 1e9)
            .note("ours computes a stopping distance in integers, so that every validator gets the same; paper 004 gives no formula for its features"),
    );
    Ok(Table {
        title: "Danger evaluations",
        text: format!(
            "Contract `danger`; every voter recomputes every evaluation. All voters run in this process on the same cores, {} s each. Of 2 voters none may be faulty, of \
             4 one, of 8 two. Paper 004's figure 4 is lost but for its text: more voters, fewer evaluations a second. Its figure 5, the course of danger and \
             speed, is drawn by `cairn drive`.",
            plan.seconds
        ),
        figures,
        charts: vec![Chart {
            file: "danger",
            title: "Danger evaluations per second, by number of voters".into(),
            kind: Kind::Bars("/s", bars),
        }],
    })
}
