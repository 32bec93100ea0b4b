//! One vehicle, one RSU (or more), a ledger of records, a clock and a radio link between them, all
//! in memory: the whole login without sockets.
#![allow(dead_code, reason = "every test file uses its part")]

pub mod issuing;
pub mod town;

use std::collections::HashMap;

use cairn_contracts::keys::{RsuRecord, VehicleRecord, rsu_key, vehicle_key};
use cairn_crypto::schnorr::SecretKey;
use cairn_ledger::{
    Address, ChainId, Position, PrivateKey, Record, Rid, StateKey, Uid, genesis::NetworkKey,
    light::Verified,
};
use cairn_protocol::{
    roadside::{Accepted, Received, Refusal, Rejected, Roadside, Site},
    trust::Road,
    vehicle::{self, Effect, Identity, Papers, Vehicle},
    wire::Message,
};
use commonware_cryptography::Signer as _;
use commonware_math::algebra::{CryptoGroup as _, Random as _};
use rand::{RngExt as _, SeedableRng, rngs::StdRng};

pub const CHAIN: ChainId = ChainId([7; 32]);
pub const KEYS: Address = Address([8; 20]);
pub const TOKENS: Address = Address([10; 20]);
pub const UID: Uid = Uid([9; 8]);
pub const RID: Rid = Rid(3);
pub const HERE: Position = Position {
    x_cm: 10_000,
    y_cm: 0,
};
/// The first moment of every test.
pub const START: u64 = 1_700_000_000_000;
pub const DAY: u64 = 86_400_000;

pub fn rng(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

pub fn road() -> Road {
    Road {
        chain: CHAIN,
        network_key: NetworkKey::generator(),
        keys: KEYS,
        plausible_range_m: 600.0,
    }
}

pub fn rsu_signer(rid: Rid) -> PrivateKey {
    PrivateKey::random(rng(1_000 + u64::from(rid.0)))
}

pub fn vehicle_secret() -> SecretKey {
    SecretKey::random(&mut rng(500))
}

pub fn rsu_record(rid: Rid) -> RsuRecord {
    RsuRecord {
        key: rsu_signer(rid).public_key(),
        position: Position { x_cm: 0, y_cm: 0 },
        valid_from_ms: START - DAY,
        valid_until_ms: START + DAY,
        revoked_ms: None,
    }
}

pub fn vehicle_record() -> VehicleRecord {
    VehicleRecord {
        key: vehicle_secret().public().to_bytes(),
        valid_from_ms: START - DAY,
        valid_until_ms: START + DAY,
        revoked_ms: None,
    }
}

pub fn site(rid: Rid) -> Site {
    Site {
        chain: CHAIN,
        keys: KEYS,
        tokens: TOKENS,
        rid,
        signer: rsu_signer(rid),
    }
}

/// What a light client would have found about these RSUs.
pub fn verified(height: u64, time_ms: u64, rsus: &[(Rid, Option<RsuRecord>)]) -> Verified {
    let entry = |(rid, record): &(Rid, Option<RsuRecord>)| {
        (rsu_key(&KEYS, *rid), record.as_ref().map(Record::of))
    };
    Verified {
        height,
        time_ms,
        entries: rsus.iter().map(entry).collect(),
    }
}

/// A vehicle and an RSU in reach of each other.
pub struct Pair {
    pub now: u64,
    pub rng: StdRng,
    pub vehicle: Vehicle,
    pub rsu: Roadside,
    /// The ledger's records of vehicles.
    pub records: HashMap<StateKey, Record>,
    /// Everything that happened to the vehicle, in order.
    pub effects: Vec<Effect>,
    /// Everything that the RSU accepted.
    pub accepted: Vec<Accepted>,
}

impl Pair {
    pub fn new() -> Self {
        Self::seeded(1)
    }

    pub fn seeded(seed: u64) -> Self {
        let identity = Identity {
            uid: UID,
            key: vehicle_secret(),
        };
        Self::of(identity, seed)
    }

    /// A vehicle that logs in with these papers.
    pub fn of(papers: impl Into<Papers>, seed: u64) -> Self {
        let mut rng = rng(seed);
        let rsu = Roadside::new(site(RID), &mut rng);
        let mut pair = Self {
            now: START,
            rng,
            vehicle: Vehicle::new(papers, road()),
            rsu,
            records: HashMap::new(),
            effects: Vec::new(),
            accepted: Vec::new(),
        };
        pair.register(&vehicle_record());
        pair
    }

    pub fn register(&mut self, record: &VehicleRecord) {
        self.records
            .insert(vehicle_key(&KEYS, &UID), Record::of(record));
    }

    /// The vehicle hears a beacon, and the proof if it needs one.
    pub fn meet(&mut self) -> Vec<u8> {
        let beacon = self.rsu.beacon(self.now, &mut self.rng);
        let effects = self.hear(&beacon).unwrap();
        if !effects.contains(&Effect::Believed(RID)) {
            let height = 5 + (self.now - START) / 1_000;
            let proof = verified(height, self.now, &[(RID, Some(rsu_record(RID)))]);
            let effects = self.vehicle.learn(&proof, &HERE, self.now).unwrap();
            assert_eq!(effects, [Effect::Believed(RID)]);
        }
        beacon
    }

    pub fn hear(&mut self, datagram: &[u8]) -> Result<Vec<Effect>, vehicle::Refusal> {
        let effects = self
            .vehicle
            .receive(datagram, &HERE, self.now, &mut self.rng)?;
        self.effects.extend(effects.iter().cloned());
        Ok(effects)
    }

    /// The `Hello` of a login to the RSU just met.
    pub fn hello(&mut self) -> Vec<u8> {
        sent(&self.vehicle.login(RID, self.now, &mut self.rng).unwrap())
    }

    /// The RSU's answer to a datagram, whatever it is.
    pub fn answer(&mut self, datagram: &[u8]) -> Result<Answer, Refusal> {
        match self
            .rsu
            .receive(b"vehicle", datagram, self.now, &mut self.rng)?
        {
            Received::Reply(reply) => Ok(Answer::Repeated(reply)),
            Received::Rekeyed { reply, .. } => Ok(Answer::Rekeyed(reply)),
            Received::ProofWanted(_) => Ok(Answer::ProofWanted),
            Received::Login(opened) => {
                let look_up = |key: StateKey| (key, self.records.get(&key).cloned());
                let records: Vec<_> = opened.needs().into_iter().map(look_up).collect();
                match self.rsu.accept(*opened, &records, self.now, &mut self.rng) {
                    Ok(accepted) => {
                        self.accepted.push(accepted.clone());
                        Ok(Answer::Accepted(accepted))
                    }
                    Err(rejected) => Ok(Answer::Rejected(rejected)),
                }
            }
        }
    }

    /// Beacon, `Hello`, `Accept`.
    pub fn log_in(&mut self) -> Accepted {
        self.meet();
        let hello = self.hello();
        let accepted = self.answer(&hello).unwrap().accepted();
        self.hear(&accepted.reply).unwrap();
        accepted
    }

    /// Runs both sides over a bad link until `until`, with a beacon each second and a login
    /// whenever there is no session.
    pub fn drive(&mut self, link: &mut Link, until: u64) {
        let mut next_beacon = self.now;
        while self.now < until {
            if self.now >= next_beacon {
                next_beacon += 1_000;
                let beacon = self.rsu.beacon(self.now, &mut self.rng);
                link.send(Side::Vehicle, beacon, self.now, &mut self.rng);
                let height = self.now;
                let proof = verified(height, self.now, &[(RID, Some(rsu_record(RID)))]);
                // Nothing heard yet, or nothing new: no matter.
                let _ = self.vehicle.learn(&proof, &HERE, self.now);
            }
            let (now, rng) = (self.now, &mut self.rng);
            for effect in self.vehicle.wake(now, rng) {
                self.carry_out(effect, link);
            }
            self.rsu.tick(now);
            let idle = self.vehicle.session().is_none() && self.vehicle.logging_in_to().is_none();
            if idle && self.vehicle.trust().answerable(RID, now).is_some() {
                for effect in self.vehicle.login(RID, now, &mut self.rng).unwrap() {
                    self.carry_out(effect, link);
                }
            }
            for (side, datagram) in link.arrived(now) {
                match side {
                    // Late and repeated messages are refused; that is the point.
                    Side::Vehicle => {
                        for effect in self.hear(&datagram).unwrap_or_default() {
                            self.carry_out(effect, link);
                        }
                    }
                    Side::Rsu => {
                        if let Some(reply) = self.answer(&datagram).ok().and_then(Answer::reply) {
                            link.send(Side::Vehicle, reply, now, &mut self.rng);
                        }
                    }
                }
            }
            self.now += 10;
        }
    }

    fn carry_out(&mut self, effect: Effect, link: &mut Link) {
        if let Effect::Send { datagram, .. } = effect {
            link.send(Side::Rsu, datagram, self.now, &mut self.rng);
        }
    }
}

#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "one at a time")]
pub enum Answer {
    Repeated(Vec<u8>),
    Accepted(Accepted),
    Rejected(Rejected),
    Rekeyed(Vec<u8>),
    ProofWanted,
}

impl Answer {
    pub fn accepted(self) -> Accepted {
        match self {
            Self::Accepted(accepted) => accepted,
            other => panic!("expected an accepted login, got {other:?}"),
        }
    }

    pub fn rejected(self) -> Rejected {
        match self {
            Self::Rejected(rejected) => rejected,
            other => panic!("expected a rejected login, got {other:?}"),
        }
    }

    pub fn reply(self) -> Option<Vec<u8>> {
        match self {
            Self::Repeated(reply) | Self::Rekeyed(reply) => Some(reply),
            Self::Accepted(accepted) => Some(accepted.reply),
            Self::Rejected(rejected) => Some(rejected.reply),
            Self::ProofWanted => None,
        }
    }
}

/// The one datagram that is to be sent.
pub fn sent(effects: &[Effect]) -> Vec<u8> {
    match effects {
        [Effect::Send { to: RID, datagram }] => datagram.clone(),
        other => panic!("expected one datagram, got {other:?}"),
    }
}

pub fn decoded(datagram: &[u8]) -> Message {
    Message::decode(datagram).unwrap()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Vehicle,
    Rsu,
}

/// A radio link that loses, repeats and reorders.
pub struct Link {
    /// Lost datagrams in a hundred.
    pub loss: u32,
    /// Repeated datagrams in a hundred.
    pub repeat: u32,
    /// Largest delay in milliseconds; unequal delays reorder.
    pub delay: u64,
    flying: Vec<(u64, Side, Vec<u8>)>,
}

impl Link {
    pub fn new(loss: u32, repeat: u32, delay: u64) -> Self {
        Self {
            loss,
            repeat,
            delay,
            flying: Vec::new(),
        }
    }

    fn send(&mut self, to: Side, datagram: Vec<u8>, now: u64, rng: &mut StdRng) {
        let copies = 1 + u32::from(rng.random_range(0..100) < self.repeat);
        for _ in 0..copies {
            if rng.random_range(0..100) >= self.loss {
                let at = now + rng.random_range(0..=self.delay);
                self.flying.push((at, to, datagram.clone()));
            }
        }
    }

    fn arrived(&mut self, now: u64) -> Vec<(Side, Vec<u8>)> {
        let flying = std::mem::take(&mut self.flying).into_iter();
        let (mut due, flying): (Vec<_>, Vec<_>) = flying.partition(|(at, ..)| *at <= now);
        self.flying = flying;
        due.sort_by_key(|(at, ..)| *at);
        due.into_iter()
            .map(|(_, side, datagram)| (side, datagram))
            .collect()
    }
}
