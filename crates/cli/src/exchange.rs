//! `cairn exchange`: a factory's sensor rows on their way to a road organisation.

use crate::{args::Exchange, output};
use cairn_node::{
    files::hex,
    organisations::{
        embedded::{self, GRADE, Options, OrganisationsError, RelayRecord, Step, World},
        rows::{self, Row},
    },
    report::Quantiles,
};
use clap::ValueEnum;
use serde::Serialize;
use std::{
    env, io,
    path::{Path, PathBuf},
    time::Instant,
};
use thiserror::Error;

/// Rows of the demo: a day.
const DEMO_ROWS: usize = 288;

/// Why there is no exchange.
#[derive(Debug, Error)]
pub enum ExchangeError {
    #[error(transparent)]
    Organisations(#[from] OrganisationsError),
    #[error("cannot read sensor rows: {0}")]
    Rows(io::Error),
    #[error("cannot write the report to {0}: {1}")]
    Report(PathBuf, io::Error),
}

impl ExchangeError {
    /// Whether the command line is at fault.
    pub fn is_input(&self) -> bool {
        !matches!(self, Self::Organisations(_))
    }
}

/// Under which suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Suite {
    /// SM2, SM3, SM4: where national standards are required
    Sm2,
    /// Ristretto255, SHA-512, ChaCha20-Poly1305
    Ristretto255,
}

/// What one run found.
#[derive(Serialize)]
struct Report {
    suite: String,
    rows_from: String,
    vault: &'static str,
    validators_per_chain: usize,
    chains: Vec<Chain>,
    rows: usize,
    batches: usize,
    ingest_rows_per_s: f64,
    records: u64,
    sent: String,
    received: String,
    request_bytes: usize,
    envelope_bytes: u64,
    receipt_height: u64,
    relay_record: RelayRecord,
    exchanges: usize,
    exchange_ms: Quantiles,
}

#[derive(Serialize)]
struct Chain {
    name: &'static str,
    id: String,
    height: u64,
}

/// `cairn exchange`.
pub fn run(command: &Exchange) -> Result<(), ExchangeError> {
    let (rows, rows_from) = match &command.rows {
        Some(path) => (recorded(path, command.most)?, path.display().to_string()),
        None => known_rows(command.most)?,
    };
    let options = Options {
        validators: usize::try_from(command.validators).unwrap_or(usize::MAX),
        vault: command.vault.clone(),
    };
    println!(
        "Three chains (relay, road organisation, factory), validators of each: {}",
        options.validators
    );
    let work = Work {
        rows: &rows,
        rows_from,
        exchanges: usize::try_from(command.count).unwrap_or(usize::MAX),
        options: &options,
    };
    let report = match command.suite {
        Suite::Sm2 => embedded::run(&options, async |world| {
            work.run::<cairn_node::organisations::Sm2>(world).await
        }),
        Suite::Ristretto255 => embedded::run(&options, async |world| {
            work.run::<cairn_node::organisations::Ristretto255>(world)
                .await
        }),
    }?;
    if let Some(path) = &command.report {
        let failed = |error| ExchangeError::Report(path.clone(), error);
        output::write_json(path, &report).map_err(failed)?;
    }
    Ok(())
}

/// The short form at the end of the demo.
pub fn demo() -> Result<(), ExchangeError> {
    println!();
    run(&Exchange {
        rows: None,
        most: DEMO_ROWS,
        validators: 1,
        suite: Suite::Sm2,
        vault: None,
        count: 1,
        report: None,
    })
}

fn recorded(path: &Path, most: usize) -> Result<Vec<Row>, ExchangeError> {
    rows::recorded(path, most).map_err(ExchangeError::Rows)
}

/// Rows of a real machine where `CAIRN_DATA` has them, made ones otherwise.
fn known_rows(most: usize) -> Result<(Vec<Row>, String), ExchangeError> {
    let path = env::var_os("CAIRN_DATA").map(PathBuf::from);
    let path = path.map(|data| data.join("iot").join("machine_temperature.csv"));
    match path.filter(|path| path.is_file()) {
        Some(path) => Ok((recorded(&path, most)?, "a recorded machine".to_owned())),
        None => Ok((
            rows::made(most),
            "made up (CAIRN_DATA names no recorded ones)".to_owned(),
        )),
    }
}

struct Work<'a> {
    rows: &'a [Row],
    rows_from: String,
    exchanges: usize,
    options: &'a Options,
}

impl Work<'_> {
    async fn run<S: cairn_node::organisations::MessageSuite>(
        &self,
        world: &mut World<S>,
    ) -> Result<Report, OrganisationsError> {
        let machine = world.machine().await?;
        let device = machine.id().device;
        println!("  machine      key by 2 of 3 KGCs, enrolled on the factory's chain");
        let began = Instant::now();
        let batches = world.feed(&machine, self.rows).await?;
        let ingest_rows_per_s = self.rows.len() as f64 / began.elapsed().as_secs_f64();
        println!(
            "  readings     {} rows ({}), signed, checked, in the vault; {batches} roots on the chain",
            self.rows.len(),
            self.rows_from,
        );
        world.allow(&device).await?;
        println!("  policy       the road organisation may see them, up to grade {GRADE}");
        let wanted = world.wanted(&device, self.rows)?;
        let mut took = Vec::with_capacity(self.exchanges);
        let mut request_bytes = 0;
        let mut last = None;
        for number in 0..self.exchanges.max(1) {
            let outcome = world.exchange(wanted, |step| {
                if let Step::Asked { bytes, .. } = step {
                    request_bytes = bytes;
                }
                if number == 0 {
                    tell(step);
                }
            });
            let outcome = outcome.await?;
            took.push(outcome.took.as_secs_f64() * 1_000.0);
            last = Some(outcome);
        }
        let outcome = last.expect("there is at least one");
        let relay_record = world.relay_record(&outcome.sent.exchange).await?;
        let exchange_ms = Quantiles::of(took);
        println!(
            "  relay chain  {}; {}; both signatures {}",
            relay_record.state.to_lowercase(),
            if outcome.sent.content == outcome.received.content {
                "what arrived is what was sent"
            } else {
                "what arrived is NOT what was sent"
            },
            if relay_record.both_signatures {
                "verify"
            } else {
                "DO NOT verify"
            },
        );
        let took = match self.exchanges {
            0 | 1 => format!("{:.0} ms", exchange_ms.p50),
            many => format!(
                "p50 {:.0} ms, p99 {:.0} ms in {many} exchanges",
                exchange_ms.p50, exchange_ms.p99
            ),
        };
        println!("  took         {took}, from request to final receipt");
        let chains = [
            ("relay", &world.relay_chain),
            ("road", &world.road.chain),
            ("factory", &world.factory.chain),
        ];
        Ok(Report {
            suite: S::NAME.to_owned(),
            rows_from: self.rows_from.clone(),
            vault: match self.options.vault {
                Some(_) => "PostgreSQL",
                None => "embedded",
            },
            validators_per_chain: self.options.validators,
            chains: chains
                .map(|(name, chain)| Chain {
                    name,
                    id: chain.id().to_string(),
                    height: chain.ledger.chain().status().height,
                })
                .into(),
            rows: self.rows.len(),
            batches,
            ingest_rows_per_s,
            records: outcome.received.records,
            sent: hex(&outcome.sent.content),
            received: hex(&outcome.received.content),
            request_bytes,
            envelope_bytes: outcome.sent.bytes,
            receipt_height: outcome.receipt_height,
            relay_record,
            exchanges: self.exchanges.max(1),
            exchange_ms,
        })
    }
}

fn tell(step: Step) {
    match step {
        Step::Asked { bytes, exchange } => println!(
            "  request      {bytes} bytes with the proof of the asking key; exchange {}… is open",
            &hex(&exchange)[..16]
        ),
        Step::Answered(sent) => println!(
            "  envelope     {} records in {} bytes, sealed to the request's fresh key; its digest is posted",
            sent.records, sent.bytes
        ),
        Step::Received {
            records,
            receipt_height,
        } => println!(
            "  received     {records} records, each checked against its root, each root against the factory's chain;\n               receipt in block {receipt_height} of the relay chain"
        ),
    }
}
