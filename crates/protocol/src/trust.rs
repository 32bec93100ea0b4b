//! What a vehicle believes of RSUs (PROTOCOLS.md section 3, the vehicle's side).
//!
//! A vehicle knows the road chain's network key and nothing else. One proof (finality certificate
//! and inclusion proof) tells it an RSU's key, position and validity; then each beacon costs one
//! signature check.
//!
//! Rules for a proof ([`Trust::proof`]):
//! * `V-PROOF-1` it speaks of an RSU that the vehicle hears (others are not worth checking);
//! * `V-PROOF-2` its block is at most 60 s old and not from the future;
//! * `V-PROOF-3` its block is newer than what the vehicle already knows of one of them;
//! * `V-PROOF-4` certificate and entries verify ([`cairn_ledger::light`]);
//! * `V-PROOF-5` the record decodes.
//!
//! Rules for a beacon ([`Trust::beacon`]):
//! * `V-BEACON-1` T0 is within THR of the vehicle's clock;
//! * `V-BEACON-2` the RSU is known, by a certificate at most 60 s old;
//! * `V-BEACON-3` the RSU is registered, its key valid and not revoked;
//! * `V-BEACON-4` its registered position is plausible from here (else: wormhole);
//! * `V-BEACON-5` the signature is that of the registered key, for this chain;
//! * `V-BEACON-6` it is not older than the last accepted one.
//!
//! Limits of this: a forged proof about an RSU that is really near costs the vehicle one pairing
//! check (1.3 to 1.7 ms); a relay faster than THR whose two ends both lie within plausible range is
//! not noticed.

use std::collections::HashMap;

use cairn_contracts::keys::{RsuRecord, rsu_key};
use cairn_ledger::{
    Address, ChainId, Position, Record, Rid, StateKey,
    genesis::NetworkKey,
    light::{self, Entry, LedgerProof, LightError, Verified},
};
use rand_core::CryptoRng;
use thiserror::Error;

use crate::{THR_MS, beacon, wire::Beacon};

/// The greatest age of a finality certificate, in milliseconds (PROTOCOLS.md section 3). It bounds
/// how long a revoked RSU is still believed.
pub const MAX_CERTIFICATE_AGE_MS: u64 = 60_000;

/// The most RSUs that a vehicle keeps in mind: far more than are ever in reach at once.
pub const MAX_RSUS: usize = 64;

/// Time between requests for the proof of one RSU, in milliseconds.
pub const PROOF_RETRY_MS: u64 = 1_000;

/// The most requests for proofs within [`PROOF_RETRY_MS`], whatever is heard: otherwise invented
/// beacons of 113 bytes would each draw a request of 2,048 bytes.
pub const MAX_REQUESTS: usize = 4;

/// What a vehicle is given when it is enrolled on a road chain.
#[derive(Clone)]
pub struct Road {
    /// The chain.
    pub chain: ChainId,
    /// The key of its finality certificates.
    pub network_key: NetworkKey,
    /// The instance of contract `keys`.
    pub keys: Address,
    /// The greatest plausible distance to an RSU that is heard, in metres: radio range plus what a
    /// vehicle moves and mislocates itself within THR.
    pub plausible_range_m: f64,
}

/// Why a proof is refused. Who sent it is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProofError {
    /// `V-PROOF-1`.
    #[error("proof speaks of no RSU in hearing")]
    Unrelated,
    /// `V-PROOF-2`.
    #[error("expected a block of the last {MAX_CERTIFICATE_AGE_MS} ms, got block time {0}")]
    Age(u64),
    /// `V-PROOF-3`.
    #[error("a proof of height {0} or above is already known")]
    NotNewer(u64),
    /// `V-PROOF-4`.
    #[error(transparent)]
    Light(#[from] LightError),
    /// `V-PROOF-5`.
    #[error("record of {0} does not decode")]
    Record(Rid),
}

/// Why a beacon is not believed. Its sender is at fault, except for [`BeaconError::Unknown`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BeaconError {
    /// `V-BEACON-1`.
    #[error("expected a beacon within {THR_MS} ms of {now_ms}, got T0 {time_ms}")]
    Time {
        /// The vehicle's clock.
        now_ms: u64,
        /// T0.
        time_ms: u64,
    },
    /// `V-BEACON-2`: no proof yet, or only an old one. Not an offence; ask for the proof.
    #[error("{0} is not known by a recent proof")]
    Unknown(Rid),
    /// `V-BEACON-3`.
    #[error("{0} is not registered")]
    NotRegistered(Rid),
    /// `V-BEACON-3`.
    #[error("key of {0} is revoked, or its validity has not begun or is over")]
    NotValid(Rid),
    /// `V-BEACON-4`.
    #[error("{rid} is registered {distance_m} m from here, too far to be heard")]
    Position {
        /// The RSU.
        rid: Rid,
        /// Metres between its registered position and the vehicle.
        distance_m: u64,
    },
    /// `V-BEACON-5`.
    #[error("beacon is not signed by the registered key of {0}")]
    Signature(Rid),
    /// `V-BEACON-6`.
    #[error("a newer beacon of {0} was already heard")]
    Replayed(Rid),
}

/// What is known of one RSU.
struct Rsu {
    key: StateKey,
    known: Option<Known>,
    heard: Option<Beacon>,
    /// The last beacon that came before the proof; taken up when the proof arrives.
    waiting: Option<Beacon>,
    touched_ms: u64,
}

struct Known {
    height: u64,
    time_ms: u64,
    /// `None`: shown not to be registered.
    record: Option<RsuRecord>,
}

/// A vehicle's knowledge of the RSUs around it.
pub struct Trust {
    road: Road,
    client: light::Client,
    rsus: HashMap<Rid, Rsu>,
    asked: Vec<(Rid, u64)>,
}

impl Trust {
    /// Knows nothing yet but the road.
    #[must_use]
    pub fn new(road: Road) -> Self {
        let client = light::Client::new(&road.chain, road.network_key);
        Self {
            road,
            client,
            rsus: HashMap::new(),
            asked: Vec::new(),
        }
    }

    /// The road that this vehicle is enrolled on.
    #[must_use]
    pub const fn road(&self) -> &Road {
        &self.road
    }

    /// Whether a beacon of `rid` can be judged now: its record, or that it has none, is known by a recent
    /// certificate (`V-BEACON-2`).
    #[must_use]
    pub fn knows(&self, rid: Rid, now_ms: u64) -> bool {
        let known = self.rsus.get(&rid).and_then(|rsu| rsu.known.as_ref());
        known.is_some_and(|known| known.is_recent(now_ms))
    }

    /// Judges a beacon heard at `here`.
    ///
    /// # Errors
    ///
    /// See [`BeaconError`] and the module documentation.
    pub fn beacon(
        &mut self,
        beacon: &Beacon,
        here: &Position,
        now_ms: u64,
    ) -> Result<(), BeaconError> {
        let rid = beacon.rid;
        if now_ms.abs_diff(beacon.time_ms) > THR_MS {
            return Err(BeaconError::Time {
                now_ms,
                time_ms: beacon.time_ms,
            });
        }
        let chain = self.road.chain;
        let range_m = self.road.plausible_range_m;
        let rsu = self.rsu(rid, now_ms);
        let Some(known) = rsu.known.as_ref().filter(|known| known.is_recent(now_ms)) else {
            rsu.waiting = Some(beacon.clone());
            return Err(BeaconError::Unknown(rid));
        };
        let record = known
            .record
            .as_ref()
            .ok_or(BeaconError::NotRegistered(rid))?;
        if !record.is_valid_at(now_ms) {
            return Err(BeaconError::NotValid(rid));
        }
        let distance_m = record.position.distance_m(here);
        if distance_m > range_m {
            return Err(BeaconError::Position {
                rid,
                distance_m: distance_m.round() as u64,
            });
        }
        if !beacon::is_signed_by(beacon, &record.key, &chain) {
            return Err(BeaconError::Signature(rid));
        }
        if rsu
            .heard
            .as_ref()
            .is_some_and(|heard| heard.time_ms > beacon.time_ms)
        {
            return Err(BeaconError::Replayed(rid));
        }
        rsu.heard = Some(beacon.clone());
        Ok(())
    }

    /// Takes a proof and returns the RSUs that are now known better, with the beacon that waited
    /// for it.
    ///
    /// # Errors
    ///
    /// See [`ProofError`] and the module documentation.
    pub fn proof(
        &mut self,
        proof: &LedgerProof,
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<(Rid, Option<Beacon>)>, ProofError> {
        // The cheap rules first: a certificate costs two pairings.
        let shown: Vec<StateKey> = proof.entries.iter().map(entry_key).collect();
        self.worth_checking(
            &shown,
            proof.header.height.get(),
            proof.header.time_ms,
            now_ms,
        )?;
        let verified = self.client.verify(proof, rng)?;
        self.learn(&verified, now_ms)
    }

    /// Takes what a light client has already verified, in place of the proof itself.
    ///
    /// # Errors
    ///
    /// See [`ProofError`]; never [`ProofError::Light`].
    pub fn learn(
        &mut self,
        verified: &Verified,
        now_ms: u64,
    ) -> Result<Vec<(Rid, Option<Beacon>)>, ProofError> {
        let shown: Vec<StateKey> = verified.entries.iter().map(|(key, _)| *key).collect();
        self.worth_checking(&shown, verified.height, verified.time_ms, now_ms)?;
        let mut news = Vec::new();
        for (rid, rsu) in &mut self.rsus {
            let Some(record) = verified.record(&rsu.key) else {
                continue;
            };
            if rsu
                .known
                .as_ref()
                .is_some_and(|known| known.height >= verified.height)
            {
                continue;
            }
            let record = record.map(Record::decode_as).transpose();
            let record = record.map_err(|_| ProofError::Record(*rid))?;
            rsu.known = Some(Known {
                height: verified.height,
                time_ms: verified.time_ms,
                record,
            });
            news.push((*rid, rsu.waiting.take()));
        }
        news.sort_by_key(|(rid, _)| *rid);
        Ok(news)
    }

    /// Whether to ask for the proof of `rid` now; asking counts against [`PROOF_RETRY_MS`] and
    /// [`MAX_REQUESTS`].
    pub fn should_ask(&mut self, rid: Rid, now_ms: u64) -> bool {
        self.asked
            .retain(|(_, asked_ms)| now_ms.abs_diff(*asked_ms) < PROOF_RETRY_MS);
        if self.asked.len() >= MAX_REQUESTS || self.asked.iter().any(|(asked, _)| *asked == rid) {
            return false;
        }
        self.asked.push((rid, now_ms));
        true
    }

    /// The last accepted beacon of `rid` that may be answered now.
    #[must_use]
    pub fn answerable(&self, rid: Rid, now_ms: u64) -> Option<&Beacon> {
        let rsu = self.rsus.get(&rid)?;
        rsu.usable(now_ms)?;
        let heard = rsu.heard.as_ref()?;
        (now_ms.abs_diff(heard.time_ms) <= THR_MS).then_some(heard)
    }

    /// Believed RSUs that can be answered now, with their positions, nearest to `here` first.
    #[must_use]
    pub fn in_reach(&self, here: &Position, now_ms: u64) -> Vec<(Rid, Position)> {
        let mut found: Vec<(Rid, Position)> = self
            .rsus
            .iter()
            .filter(|(rid, _)| self.answerable(**rid, now_ms).is_some())
            .filter_map(|(rid, rsu)| Some((*rid, rsu.usable(now_ms)?.position)))
            .collect();
        found.sort_by(|(rid, a), (other, b)| {
            a.distance_m(here)
                .total_cmp(&b.distance_m(here))
                .then(rid.cmp(other))
        });
        found
    }

    fn worth_checking(
        &self,
        shown: &[StateKey],
        height: u64,
        time_ms: u64,
        now_ms: u64,
    ) -> Result<(), ProofError> {
        let concerned: Vec<&Rsu> = self
            .rsus
            .values()
            .filter(|rsu| shown.contains(&rsu.key))
            .collect();
        if concerned.is_empty() {
            return Err(ProofError::Unrelated);
        }
        if !is_recent(time_ms, now_ms) {
            return Err(ProofError::Age(time_ms));
        }
        let news = |rsu: &&Rsu| rsu.known.as_ref().is_none_or(|known| known.height < height);
        if !concerned.iter().any(news) {
            return Err(ProofError::NotNewer(height));
        }
        Ok(())
    }

    /// The entry of `rid`. When there is no room the one not heard of for longest goes, those
    /// never proved before the others: invented RSUs cannot push out real ones.
    fn rsu(&mut self, rid: Rid, now_ms: u64) -> &mut Rsu {
        if !self.rsus.contains_key(&rid) && self.rsus.len() >= MAX_RSUS {
            let first_to_go = self
                .rsus
                .iter()
                .min_by_key(|(rid, rsu)| (rsu.known.is_some(), rsu.touched_ms, **rid))
                .map(|(rid, _)| *rid);
            if let Some(first_to_go) = first_to_go {
                self.rsus.remove(&first_to_go);
            }
        }
        let rsu = self.rsus.entry(rid).or_insert_with(|| Rsu {
            key: rsu_key(&self.road.keys, rid),
            known: None,
            heard: None,
            waiting: None,
            touched_ms: now_ms,
        });
        rsu.touched_ms = now_ms;
        rsu
    }
}

impl Rsu {
    /// The record, if it is recently known and valid.
    fn usable(&self, now_ms: u64) -> Option<&RsuRecord> {
        let known = self
            .known
            .as_ref()
            .filter(|known| known.is_recent(now_ms))?;
        known
            .record
            .as_ref()
            .filter(|record| record.is_valid_at(now_ms))
    }
}

impl Known {
    fn is_recent(&self, now_ms: u64) -> bool {
        is_recent(self.time_ms, now_ms)
    }
}

fn is_recent(block_ms: u64, now_ms: u64) -> bool {
    block_ms <= now_ms.saturating_add(THR_MS)
        && now_ms.saturating_sub(block_ms) <= MAX_CERTIFICATE_AGE_MS
}

fn entry_key(entry: &Entry) -> StateKey {
    match entry {
        Entry::Present(key, ..) | Entry::Absent(key, _) => *key,
    }
}
