//! Vehicles, RSUs and a ledger in one process, without sockets: the roles of `cairn-protocol` pass
//! each other bytes.

use cairn_contracts::{keys::MAX_OPERATIONS, tokens::Batch};
use cairn_crypto::{
    credential::{IssuerKey, Policy},
    schnorr::SecretKey,
    suite::Ristretto255,
};
use cairn_ledger::{Position, PrivateKey, Record, Rid, Uid, genesis::NetworkKey, light::Verified};
use cairn_protocol::{
    roadside::{self, Accepted, Received, Roadside, Site},
    trust::Road,
    vehicle::{Effect, Identity, Rotation, Vehicle, Wallet},
    wire::{Beacon, Message},
};
use commonware_math::algebra::{CryptoGroup as _, Random as _};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use crate::{
    issuers::{EPOCH, Issuers},
    ledger::{Ledger, START_MS},
};

/// Where every vehicle is: in reach of every RSU.
const HERE: Position = Position {
    x_cm: 10_000,
    y_cm: 0,
};

/// An RSU with its signing key.
pub struct Rsu {
    pub rid: Rid,
    pub role: Roadside,
    pub signer: PrivateKey,
    proof: Verified,
}

/// What an RSU made of a datagram that is no login to be finished, or the reason of its refusal.
pub type Answer<T> = Result<T, String>;

/// Everybody, and the clock.
pub struct Town {
    pub now_ms: u64,
    pub rng: StdRng,
    pub ledger: Ledger,
    pub rsus: Vec<Rsu>,
    issuers: Issuers<Ristretto255>,
}

impl Town {
    /// A town with this many registered RSUs, which all stand at the origin.
    pub fn new(rsus: u32, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let ledger = Ledger::new(&mut rng);
        let issuers = Issuers::new(&mut rng);
        let mut town = Self {
            now_ms: START_MS,
            rng,
            ledger,
            rsus: Vec::new(),
            issuers,
        };
        for number in 1..=rsus {
            let rsu = town.rsu(Rid(number));
            town.rsus.push(rsu);
        }
        town
    }

    fn rsu(&mut self, rid: Rid) -> Rsu {
        let signer = PrivateKey::random(&mut self.rng);
        let record = self.ledger.register_rsu(rid, &signer);
        let site = Site {
            chain: self.ledger.genesis().chain_id(),
            keys: self.ledger.keys(),
            tokens: self.ledger.tokens(),
            rid,
            signer: signer.clone(),
        };
        let mut role = Roadside::new(site, &mut self.rng);
        let mut issuers = roadside::Issuers::new(Policy::default(), self.now_ms);
        issuers.install(EPOCH, IssuerKey::new(self.issuers.key.element()).into());
        role.set_issuers(issuers);
        let key = cairn_contracts::keys::rsu_key(&self.ledger.keys(), rid);
        Rsu {
            rid,
            role,
            signer,
            // What a light client finds; checking certificates is not the subject here.
            proof: Verified {
                height: 1,
                time_ms: self.now_ms,
                entries: vec![(key, Some(Record::of(&record)))],
            },
        }
    }

    /// A vehicle with a registered key, and that key, which an attacker may have stolen.
    pub fn vehicle(&mut self) -> (Vehicle, Uid, SecretKey) {
        let uid = Uid(self.rng.random());
        let key = SecretKey::random(&mut self.rng);
        let same = SecretKey::from_bytes(&key.to_bytes()).expect("its own encoding");
        self.ledger
            .register_vehicles(&[uid], key.public().to_bytes());
        (Vehicle::new(Identity { uid, key }, self.road()), uid, same)
    }

    /// A vehicle with an anonymous credential that is valid now.
    pub fn anonymous_vehicle(&mut self) -> Vehicle {
        let credential = self.issuers.enrol(&mut self.rng);
        let wallet = Wallet::new(vec![credential], Rotation::default());
        Vehicle::new(wallet, self.road())
    }

    fn road(&self) -> Road {
        Road {
            chain: self.ledger.genesis().chain_id(),
            network_key: NetworkKey::generator(),
            keys: self.ledger.keys(),
            plausible_range_m: 600.0,
        }
    }

    /// Registers this many vehicles that never come by.
    pub fn register_crowd(&mut self, count: usize) {
        let key = SecretKey::random(&mut self.rng).public().to_bytes();
        let mut uids = (0..count).map(|_| Uid(self.rng.random()));
        loop {
            let some: Vec<_> = uids.by_ref().take(MAX_OPERATIONS).collect();
            if some.is_empty() {
                return;
            }
            self.ledger.register_vehicles(&some, key);
        }
    }

    /// RSU number `at` sends a beacon, and the vehicle believes it.
    pub fn meet(&mut self, vehicle: &mut Vehicle, at: usize) -> Beacon {
        self.meet_all([vehicle], at)
    }

    /// RSU number `at` sends a beacon, and all these vehicles believe it.
    pub fn meet_all<'a>(
        &mut self,
        vehicles: impl IntoIterator<Item = &'a mut Vehicle>,
        at: usize,
    ) -> Beacon {
        let rsu = &mut self.rsus[at];
        let beacon = rsu.role.beacon(self.now_ms, &mut self.rng);
        for vehicle in vehicles {
            let heard = vehicle.receive(&beacon, &HERE, self.now_ms, &mut self.rng);
            let heard = heard.expect("an honest beacon");
            if !heard.contains(&Effect::Believed(rsu.rid)) {
                let learned = vehicle.learn(&rsu.proof, &HERE, self.now_ms);
                assert_eq!(learned.expect("a proof"), [Effect::Believed(rsu.rid)]);
            }
        }
        match Message::decode(&beacon) {
            Ok(Message::Beacon(beacon)) => beacon,
            other => unreachable!("a beacon decodes as one, not as {other:?}"),
        }
    }

    /// The vehicle's `Hello` of a full login to an RSU that it has just met.
    pub fn hello(&mut self, vehicle: &mut Vehicle, at: usize) -> Vec<u8> {
        let rid = self.rsus[at].rid;
        let effects = vehicle.login(rid, self.now_ms, &mut self.rng);
        sent(&effects.expect("an RSU in reach"))
    }

    /// The vehicle's `Hello` of a handover.
    pub fn handover_hello(&mut self, vehicle: &mut Vehicle, at: usize) -> Vec<u8> {
        let rid = self.rsus[at].rid;
        let effects = vehicle.handover(rid, self.now_ms, &mut self.rng);
        sent(&effects.expect("an RSU in reach"))
    }

    /// What RSU number `at` does with a `Hello`.
    pub fn answer(&mut self, at: usize, datagram: &[u8]) -> Answer<Accepted> {
        let (rsu, now, rng) = (&mut self.rsus[at], self.now_ms, &mut self.rng);
        let received = rsu.role.receive(b"vehicle", datagram, now, rng);
        let Received::Login(opened) = received.map_err(|refusal| refusal.to_string())? else {
            return Err("the answer of before, and no second session".into());
        };
        let look_up = |key| (key, self.ledger.record(&key).cloned());
        let mut records: Vec<_> = opened.needs().into_iter().map(look_up).collect();
        let more = opened.needs_more(&records);
        records.extend(more.into_iter().map(look_up));
        let accepted = rsu.role.accept(*opened, &records, now, rng);
        accepted.map_err(|rejected| rejected.why.to_string())
    }

    /// What RSU number `at` does with many `Hello`s of anonymous vehicles at once.
    pub fn answer_many(&mut self, at: usize, datagrams: &[Vec<u8>]) -> Vec<Accepted> {
        let (rsu, now, rng) = (&mut self.rsus[at], self.now_ms, &mut self.rng);
        let opened = datagrams.iter().map(|datagram| {
            match rsu.role.receive(b"vehicle", datagram, now, rng) {
                Ok(Received::Login(opened)) => (*opened, Vec::new()),
                _ => unreachable!("an honest login opens"),
            }
        });
        let opened = opened.collect();
        let accepted = rsu.role.accept_many(opened, now, rng).into_iter();
        accepted.map(|one| one.expect("an honest login")).collect()
    }

    /// What RSU number `at` answers to the request for a new session key.
    pub fn rekey(&mut self, at: usize, datagram: &[u8]) -> Vec<u8> {
        let (rsu, now, rng) = (&mut self.rsus[at], self.now_ms, &mut self.rng);
        match rsu.role.receive(b"vehicle", datagram, now, rng) {
            Ok(Received::Rekeyed { reply, .. }) => reply,
            Ok(_) => unreachable!("a rekey is answered at once"),
            Err(refusal) => unreachable!("an honest rekey is not refused: {refusal}"),
        }
    }

    /// The vehicle takes the RSU's answer.
    pub fn take(&mut self, vehicle: &mut Vehicle, reply: &[u8]) -> Answer<Vec<Effect>> {
        let taken = vehicle.receive(reply, &HERE, self.now_ms, &mut self.rng);
        taken.map_err(|refusal| refusal.to_string())
    }

    /// Beacon, `Hello`, `Accept`, and the RSU's record of it on the ledger.
    pub fn log_in(&mut self, vehicle: &mut Vehicle, at: usize) -> Accepted {
        self.meet(vehicle, at);
        let hello = self.hello(vehicle, at);
        let accepted = self.answer(at, &hello).expect("an honest login");
        self.take(vehicle, &accepted.reply)
            .expect("an honest answer");
        self.record(at, &accepted);
        accepted
    }

    /// Puts what RSU number `at` has to say of a login on the ledger.
    pub fn record(&mut self, at: usize, accepted: &Accepted) {
        let batch = Batch {
            mints: accepted.mint.iter().copied().collect(),
            spends: accepted.spend.iter().copied().collect(),
            agreements: vec![accepted.agreement.0],
            ..Batch::default()
        };
        let rsu = &self.rsus[at];
        self.ledger.record_batch(rsu.rid, &rsu.signer, batch);
    }
}

fn sent(effects: &[Effect]) -> Vec<u8> {
    match effects {
        [Effect::Send { datagram, .. }] => datagram.clone(),
        other => unreachable!("a login begins with one datagram, not with {other:?}"),
    }
}
