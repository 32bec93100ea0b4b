//! `cairn device` and `cairn organisation`: what devices and operators say to their edge.

use crate::{
    args::{Device, DeviceRows, Organisation as Command},
    http::{HttpError, Request},
    testnet::now_ms,
};
use cairn_node::organisations::{
    DeviceId, OrgId, Rule, Wanted, client,
    edge::{Ingested, OwnRecords},
    home::{DeviceFile, Organisation, OrganisationError, Profile},
    order::Fetched,
    parse_device,
    rows::{self, Row},
};
use rand::{
    SeedableRng as _,
    rngs::{StdRng, SysError, SysRng},
};
use serde::de::DeserializeOwned;
use serde_json::json;
use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
    time::Duration,
};
use thiserror::Error;

/// Exit code when the edge refused a reading.
const REFUSED: u8 = 1;

/// Readings that are sent at once.
const BATCH: usize = 500;

/// How long an edge may take for an answer.
const PATIENCE: Duration = Duration::from_secs(90);

/// The largest answer that is read: 1,000 records of 16 KB, as JSON.
const MAX_ANSWER: u64 = 64 * 1024 * 1024;

/// How often a transaction is signed again whose nonce was overtaken.
const TRIES: usize = 5;

/// Milliseconds of a day.
const DAY_MS: u64 = 24 * 3_600_000;

/// Why nothing was sent, or the answer was none.
#[derive(Debug, Error)]
pub enum DeviceError {
    #[error(transparent)]
    Organisation(#[from] OrganisationError),
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("cannot read sensor rows: {0}")]
    Rows(io::Error),
    #[error("{0} has no rows")]
    NoRows(PathBuf),
    #[error("{0} is there already; choose another file")]
    Exists(PathBuf),
    #[error("{0} answers with something else than expected: {1}")]
    Answer(SocketAddr, serde_json::Error),
    #[error("the system gives no randomness: {0}")]
    Randomness(#[from] SysError),
    #[error(
        "{0:?} is no device: expected 64 hexadecimal digits, as `cairn organisation enrol` told"
    )]
    Device(String),
    #[error("no directory of organisation {0} beside {1}; say with --at where its edge listens")]
    NoOwner(u16, PathBuf),
}

fn rng() -> Result<StdRng, DeviceError> {
    Ok(StdRng::try_from_rng(&mut SysRng)?)
}

fn post(at: SocketAddr, line: &str, body: &[u8]) -> Result<Vec<u8>, HttpError> {
    let request = Request {
        line,
        body,
        patience: PATIENCE,
        most_bytes: MAX_ANSWER,
    };
    request.send(at)
}

fn answer<T: DeserializeOwned>(at: SocketAddr, line: &str, body: &[u8]) -> Result<T, DeviceError> {
    let json = post(at, line, body)?;
    serde_json::from_slice(&json).map_err(|error| DeviceError::Answer(at, error))
}

/// `cairn device`.
pub fn run(command: &Device) -> Result<ExitCode, DeviceError> {
    match command {
        Device::Send { file, rows } => send(&DeviceFile::read(file)?, rows),
        Device::Sign { file, rows } => {
            let readings = DeviceFile::read(file)?;
            for reading in readings.readings(&read(rows)?, &rows.field, &mut rng()?)? {
                println!("{reading}");
            }
            Ok(ExitCode::SUCCESS)
        }
        Device::Records {
            file,
            from_ms,
            until_ms,
        } => records(&DeviceFile::read(file)?, *from_ms, *until_ms),
    }
}

fn read(rows: &DeviceRows) -> Result<Vec<Row>, DeviceError> {
    let read = rows::recorded(&rows.rows, rows.most).map_err(DeviceError::Rows)?;
    if read.is_empty() {
        return Err(DeviceError::NoRows(rows.rows.clone()));
    }
    Ok(read)
}

/// Sends rows, and tells what the edge says has become of them: stored means on its disk.
fn send(device: &DeviceFile, rows: &DeviceRows) -> Result<ExitCode, DeviceError> {
    let (at, mut rng) = (device.profile.listen, rng()?);
    let mut all = Ingested::default();
    for (number, batch) in read(rows)?.chunks(BATCH).enumerate() {
        let readings = device.readings(batch, &rows.field, &mut rng)?;
        let body = format!("[{}]", readings.join(","));
        let ingested: Ingested = answer(at, "POST /readings", body.as_bytes())?;
        all.stored += ingested.stored;
        all.known += ingested.known;
        for (place, why) in ingested.refused {
            let row = 1 + number * BATCH + place;
            eprintln!("row {row} is refused: {why}");
            all.refused.push((row, why));
        }
    }
    println!(
        "stored {}, known already {}, refused {}",
        all.stored,
        all.known,
        all.refused.len()
    );
    Ok(match all.refused.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(REFUSED),
    })
}

/// Shows a device its own records, one JSON object a line.
fn records(device: &DeviceFile, from_ms: u64, until_ms: u64) -> Result<ExitCode, DeviceError> {
    let (at, mut rng) = (device.profile.listen, rng()?);
    let mut from_ms = Some(from_ms);
    while let Some(from) = from_ms {
        let query = device.query(from..until_ms, now_ms(), &mut rng)?;
        let page: OwnRecords = answer(at, "POST /records", query.as_bytes())?;
        show(&page.records);
        // An edge that repeats itself ends it.
        from_ms = page.next_ms.filter(|next| *next > from);
    }
    Ok(ExitCode::SUCCESS)
}

fn show(records: &[(u64, String)]) {
    for (time_ms, content) in records {
        println!("{}", json!({ "time_ms": time_ms, "content": content }));
    }
}

/// `cairn organisation`.
pub fn organisation(command: &Command) -> Result<(), DeviceError> {
    match command {
        Command::Enrol { home, file } => enrol(&Organisation::open(home)?, file),
        Command::Allow {
            home,
            requester,
            device,
            days,
        } => {
            let organisation = Organisation::open(home)?;
            let device = match device {
                Some(device) => client::Device::One(self::device(device)?),
                None => client::Device::Any,
            };
            let rule = Rule {
                grade: organisation.profile().grade,
                until_ms: now_ms().saturating_add(u64::from(*days) * DAY_MS),
            };
            transact(&organisation, |now_ms| {
                organisation.permission(OrgId(*requester), device, &rule, now_ms)
            })?;
            println!(
                "organisation {requester} may see records up to grade {}",
                rule.grade
            );
            Ok(())
        }
        Command::Ask {
            home,
            owner,
            device,
            from_ms,
            until_ms,
            at,
        } => {
            let organisation = Organisation::open(home)?;
            let beside = owner_beside(home, *owner);
            let wanted = Wanted {
                owner: OrgId(*owner),
                device: self::device(device)?,
                from_ms: *from_ms,
                until_ms: *until_ms,
                grade: beside
                    .as_ref()
                    .map_or(organisation.profile().grade, |owner| owner.grade),
            };
            let at = match (at, beside) {
                (Some(at), _) => at.clone(),
                (None, Some(owner)) => owner.listen.to_string(),
                (None, None) => return Err(DeviceError::NoOwner(*owner, home.clone())),
            };
            let order = organisation.order(wanted, at, now_ms())?;
            let own = organisation.profile().listen;
            let fetched: Fetched = answer(own, "POST /orders", order.as_bytes())?;
            show(&fetched.records);
            eprintln!(
                "exchange {}: {} records, receipt in block {} of the relay chain",
                fetched.exchange,
                fetched.records.len(),
                fetched.receipt_height
            );
            Ok(())
        }
    }
}

fn device(text: &str) -> Result<DeviceId, DeviceError> {
    parse_device(text).ok_or_else(|| DeviceError::Device(text.to_owned()))
}

/// The profile of another organisation of the same test network.
fn owner_beside(home: &Path, owner: u16) -> Option<Profile> {
    let name = cairn_node::testnet::organisation_name(owner);
    Profile::read(&home.join("..").join(name)).ok()
}

fn enrol(organisation: &Organisation, file: &Path) -> Result<(), DeviceError> {
    if file.exists() {
        return Err(DeviceError::Exists(file.to_owned()));
    }
    let (device, enrolment) = organisation.enrol(now_ms(), &mut rng()?)?;
    transact(organisation, |now_ms| {
        organisation.enrolment(&enrolment, now_ms)
    })?;
    device.write(file)?;
    println!("{}", device.device);
    Ok(())
}

/// Has a transaction executed on the organisation's chain. Its edge signs with the same key, so a nonce may
/// be overtaken: then it is signed again.
fn transact(
    organisation: &Organisation,
    sign: impl Fn(u64) -> Result<Vec<u8>, OrganisationError>,
) -> Result<(), DeviceError> {
    let at = organisation.profile().listen;
    for _ in 1..TRIES {
        match post(at, "POST /transactions", &sign(now_ms())?) {
            Err(HttpError::Refused(_, 409, _)) => thread::sleep(Duration::from_millis(1)),
            done => return Ok(done.map(drop)?),
        }
    }
    Ok(post(at, "POST /transactions", &sign(now_ms())?).map(drop)?)
}
