//! Reports of vehicles (paper 004, algorithm 1).
//!
//! 1. For every trip the vehicle draws an address of 20 random bytes ([`Voyage`]).
//! 2. A report is `{class, condition, speed, ahead, weather, road, T}` and which commands were refused
//!    since the last one. The vehicle draws 32 random bytes `r`; the commitment is
//!    `H(r, address, T, report)`.
//! 3. `r ‖ report` is sealed under a fresh key, and that key to each reader of the access policy:
//!    operators of RSUs, and LEA, whom the vault gives it on request only. Address and T are
//!    authenticated, so that a sealed report cannot pass for another one.
//! 4. The sealed report lies in the vault under its data id `H(address ‖ T)`; data id and commitment go
//!    on the ledger. Erasing the sealed report leaves 32 bytes there that tell nothing.
//! 5. A reader opens it and checks the commitment ([`open`]).
//!
//! The paper uploads only while its security parameter λ is in a safe range; then an attack erases its
//! own evidence. Here reports are always taken.

use bytes::BufMut;
use cairn_contracts::danger::{Inputs, Trip};
use cairn_crypto::{
    credential::{open_sealed, seal_to},
    seal::{OVERHEAD, RegisterKey},
    suite::{Element, Ristretto255, Secret},
    transcript::{Domain, Transcript},
};
use commonware_codec::{
    Buf, Copying, Decode as _, Encode as _, EncodeSize, Error as CodecError, FixedSize as _,
    RangeCfg, Read, ReadExt, Write,
};
use rand_core::CryptoRng;
use thiserror::Error;
use zeroize::Zeroizing;

use super::command::Refused;

const COMMITMENT: Domain = Domain::new("cairn/1/danger/report");
const READER: Domain = Domain::new("cairn/1/danger/reader");

/// The most readers of a policy: five operators, LEA, and two to spare.
pub const MAX_READERS: usize = 8;

/// The most refused commands that one report names.
pub const MAX_REFUSED: usize = 16;

/// Bytes of a key sealed to one reader: element, key, tag.
const WRAPPED_BYTES: usize = 32 + 32 + 16;

/// The largest sealed report, in bytes.
pub const MAX_SEALED: usize = 1
    + MAX_READERS * WRAPPED_BYTES
    + OVERHEAD
    + 32
    + Inputs::SIZE
    + 8
    + 2
    + MAX_REFUSED * Refused::SIZE;

/// Why a report cannot be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ReportError {
    /// The policy names nobody, or too many.
    #[error("expected 1 to {MAX_READERS} readers, got {0}")]
    Readers(usize),
    /// Not a sealed report.
    #[error("expected a sealed report of at most {MAX_SEALED} bytes")]
    Malformed,
    /// The policy does not name this reader, or somebody changed the bytes, the address or the time.
    #[error("not sealed to this reader for this trip and time, or changed")]
    Closed,
    /// What was opened is not what the vehicle committed to.
    #[error("the report does not fit its commitment on the ledger")]
    Commitment,
}

/// Who may read reports.
#[derive(Clone, Debug)]
pub struct Access(Vec<Element<Ristretto255>>);

impl Access {
    /// A policy for these readers.
    ///
    /// # Errors
    ///
    /// [`ReportError::Readers`].
    pub fn new(readers: Vec<Element<Ristretto255>>) -> Result<Self, ReportError> {
        if !(1..=MAX_READERS).contains(&readers.len()) {
            return Err(ReportError::Readers(readers.len()));
        }
        Ok(Self(readers))
    }
}

/// What a vehicle says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// When, in milliseconds since 1970.
    pub time_ms: u64,
    /// What it knows of itself and the road.
    pub inputs: Inputs,
    /// Commands refused since the last report, at most [`MAX_REFUSED`].
    pub refused: Vec<Refused>,
}

/// A report on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedReport {
    /// The trip.
    pub trip: Trip,
    /// When, in milliseconds since 1970.
    pub time_ms: u64,
    /// For the ledger.
    pub commitment: [u8; 32],
    /// For the vault.
    pub sealed: Vec<u8>,
}

/// A trip, at the vehicle.
#[derive(Clone, Debug)]
pub struct Voyage {
    trip: Trip,
    access: Access,
}

impl Voyage {
    /// Begins a trip under a fresh address.
    #[must_use]
    pub fn begin(access: Access, rng: &mut impl CryptoRng) -> Self {
        let mut address = [0; 20];
        rng.fill_bytes(&mut address);
        Self {
            trip: Trip(address),
            access,
        }
    }

    /// The address.
    #[must_use]
    pub const fn trip(&self) -> Trip {
        self.trip
    }

    /// Steps 2 and 3.
    #[must_use]
    pub fn report(&self, report: &Report, rng: &mut impl CryptoRng) -> SealedReport {
        let mut r = Zeroizing::new([0; 32]);
        rng.fill_bytes(r.as_mut_slice());
        let content = report.encode();
        let context = context(&self.trip, report.time_ms);

        let mut key = Zeroizing::new([0; 32]);
        rng.fill_bytes(key.as_mut_slice());
        let readers = &self.access.0;
        let mut sealed = vec![u8::try_from(readers.len()).expect("at most 8 readers")];
        for reader in readers {
            let wrapped = seal_to(READER, reader, &context, key.as_slice(), rng);
            sealed.extend_from_slice(&wrapped);
        }
        let plain = Zeroizing::new([r.as_slice(), &content].concat());
        let body = RegisterKey::new(&key).seal(&context, &plain, rng);
        sealed.extend_from_slice(&body.expect("a report is smaller than a field"));
        SealedReport {
            trip: self.trip,
            time_ms: report.time_ms,
            commitment: commitment(&r, &context, &content),
            sealed,
        }
    }
}

/// Step 5: opens a report for a reader of its policy, and checks it against the `commitment` that the
/// ledger holds.
///
/// # Errors
///
/// [`ReportError`].
pub fn open(reader: &Secret<Ristretto255>, report: &SealedReport) -> Result<Report, ReportError> {
    let SealedReport {
        trip,
        time_ms,
        commitment: committed,
        sealed,
    } = report;
    if sealed.len() > MAX_SEALED {
        return Err(ReportError::Malformed);
    }
    let (count, rest) = sealed.split_first().ok_or(ReportError::Malformed)?;
    let count = usize::from(*count);
    if !(1..=MAX_READERS).contains(&count) {
        return Err(ReportError::Malformed);
    }
    let (wrapped, body) = rest
        .split_at_checked(count * WRAPPED_BYTES)
        .ok_or(ReportError::Malformed)?;
    let context = context(trip, *time_ms);
    let key = wrapped
        .chunks_exact(WRAPPED_BYTES)
        .find_map(|wrapped| open_sealed(READER, reader, &context, wrapped).ok())
        .ok_or(ReportError::Closed)?;
    let key: &[u8; 32] = key.as_slice().try_into().map_err(|_| ReportError::Closed)?;
    let plain = RegisterKey::new(key).open(&context, body);
    let plain = plain.map_err(|_| ReportError::Closed)?;
    let (r, content) = plain
        .split_first_chunk::<32>()
        .ok_or(ReportError::Malformed)?;
    if commitment(r, &context, content) != *committed {
        return Err(ReportError::Commitment);
    }
    let report = Report::decode_cfg(Copying(content), &());
    let report = report.map_err(|_| ReportError::Malformed)?;
    if report.time_ms != *time_ms {
        return Err(ReportError::Commitment);
    }
    Ok(report)
}

fn context(trip: &Trip, time_ms: u64) -> Vec<u8> {
    [trip.0.as_slice(), &time_ms.to_be_bytes()].concat()
}

fn commitment(r: &[u8; 32], context: &[u8], content: &[u8]) -> [u8; 32] {
    Transcript::new(COMMITMENT)
        .bytes(r)
        .bytes(context)
        .bytes(content)
        .finish()
        .short()
}

impl Write for Report {
    fn write(&self, buf: &mut impl BufMut) {
        self.time_ms.write(buf);
        self.inputs.write(buf);
        self.refused.write(buf);
    }
}

impl EncodeSize for Report {
    fn encode_size(&self) -> usize {
        8 + Inputs::SIZE + self.refused.encode_size()
    }
}

impl Read for Report {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, CodecError> {
        Ok(Self {
            time_ms: ReadExt::read(buf)?,
            inputs: ReadExt::read(buf)?,
            refused: Vec::read_cfg(buf, &(RangeCfg::from(0..=MAX_REFUSED), ()))?,
        })
    }
}
