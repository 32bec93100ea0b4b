//! One vehicle, two RSUs in its reach, and what the ledger holds of tokens: mints and spends by the
//! rules T-3 and T-6 of contract `tokens`.

use std::collections::{BTreeMap, HashMap};

use cairn_contracts::tokens::{Mint, Spend, TokenId, TokenRecord, token_key};
use cairn_crypto::noise;
use cairn_protocol::{
    login::prologue,
    wire::{Beacon, Hello, Sealed},
};

use commonware_codec::{Encode, FixedSize};

use super::*;

pub const A: Rid = RID;
pub const B: Rid = Rid(4);

/// What an RSU has to put into its next batch.
#[derive(Default)]
pub struct Queue {
    pub mints: Vec<Mint>,
    pub spends: Vec<Spend>,
}

pub struct Town {
    pub now: u64,
    pub rng: StdRng,
    pub vehicle: Vehicle,
    pub rsus: BTreeMap<Rid, Roadside>,
    pub queues: BTreeMap<Rid, Queue>,
    pub state: HashMap<StateKey, Record>,
    pub effects: Vec<Effect>,
    pub accepted: Vec<(Rid, Accepted)>,
    /// Sessions that were dropped because their spend lost.
    pub lost_races: u32,
    height: u64,
}

impl Town {
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
        let rsus = [A, B].map(|rid| (rid, Roadside::new(site(rid), &mut rng)));
        let mut town = Self {
            now: START,
            rng,
            vehicle: Vehicle::new(papers, road()),
            rsus: rsus.into(),
            queues: BTreeMap::new(),
            state: HashMap::new(),
            effects: Vec::new(),
            accepted: Vec::new(),
            lost_races: 0,
            height: 0,
        };
        town.set(vehicle_key(&KEYS, &UID), &vehicle_record());
        for rid in [A, B] {
            town.set(rsu_key(&KEYS, rid), &rsu_record(rid));
        }
        town
    }

    pub fn set<T: FixedSize + Encode>(&mut self, key: StateKey, record: &T) {
        self.state.insert(key, Record::of(record));
    }

    pub fn token(&self, id: &TokenId) -> Option<TokenRecord> {
        let record = self.state.get(&token_key(&TOKENS, id))?;
        Some(record.decode_as().unwrap())
    }

    /// Changes the record of a token.
    pub fn alter(&mut self, id: &TokenId, change: impl FnOnce(&mut TokenRecord)) {
        let mut token = self.token(id).unwrap();
        change(&mut token);
        self.set(token_key(&TOKENS, id), &token);
    }

    /// The RSU sends a beacon, the vehicle believes it.
    pub fn meet(&mut self, rid: Rid) -> Vec<u8> {
        let beacon = self.rsu(rid).1;
        let effects = self.hear(&beacon).unwrap();
        if !effects.contains(&Effect::Believed(rid)) {
            self.learn();
        }
        beacon
    }

    fn rsu(&mut self, rid: Rid) -> (Rid, Vec<u8>) {
        let rsu = self.rsus.get_mut(&rid).unwrap();
        (rid, rsu.beacon(self.now, &mut self.rng))
    }

    fn learn(&mut self) {
        self.height += 1;
        let both = [A, B].map(|rid| (rid, Some(rsu_record(rid))));
        let proof = verified(self.height, self.now, &both);
        // Nothing heard of one of them yet: no matter.
        let _ = self.vehicle.learn(&proof, &HERE, self.now);
    }

    pub fn hear(&mut self, datagram: &[u8]) -> Result<Vec<Effect>, vehicle::Refusal> {
        let effects = self
            .vehicle
            .receive(datagram, &HERE, self.now, &mut self.rng)?;
        self.effects.extend(effects.iter().cloned());
        Ok(effects)
    }

    pub fn login_hello(&mut self, rid: Rid) -> Vec<u8> {
        self.meet(rid);
        only_datagram(&self.vehicle.login(rid, self.now, &mut self.rng).unwrap())
    }

    pub fn handover_hello(&mut self, rid: Rid) -> Vec<u8> {
        self.meet(rid);
        only_datagram(&self.vehicle.handover(rid, self.now, &mut self.rng).unwrap())
    }

    pub fn look_up(&self, keys: &[StateKey]) -> Vec<(StateKey, Option<Record>)> {
        let look_up = |key: &StateKey| (*key, self.state.get(key).cloned());
        keys.iter().map(look_up).collect()
    }

    /// The RSU's answer to a datagram; what it has to record waits for [`Town::record`].
    pub fn answer(&mut self, rid: Rid, datagram: &[u8]) -> Result<Answer, Refusal> {
        let rsu = self.rsus.get_mut(&rid).unwrap();
        let opened = match rsu.receive(b"vehicle", datagram, self.now, &mut self.rng)? {
            Received::Reply(reply) => return Ok(Answer::Repeated(reply)),
            Received::Rekeyed { reply, .. } => return Ok(Answer::Rekeyed(reply)),
            Received::ProofWanted(_) => return Ok(Answer::ProofWanted),
            Received::Login(opened) => opened,
        };
        let mut records = self.look_up(&opened.needs());
        let more = opened.needs_more(&records);
        records.extend(self.look_up(&more));
        let rsu = self.rsus.get_mut(&rid).unwrap();
        match rsu.accept(*opened, &records, self.now, &mut self.rng) {
            Ok(accepted) => {
                let queue = self.queues.entry(rid).or_default();
                queue.mints.extend(accepted.mint);
                queue.spends.extend(accepted.spend);
                self.accepted.push((rid, accepted.clone()));
                Ok(Answer::Accepted(accepted))
            }
            Err(rejected) => Ok(Answer::Rejected(rejected)),
        }
    }

    /// `Hello` and its answer.
    pub fn exchange(&mut self, rid: Rid, hello: &[u8]) -> Accepted {
        let accepted = self.answer(rid, hello).unwrap().accepted();
        self.hear(&accepted.reply).unwrap();
        accepted
    }

    pub fn log_in(&mut self, rid: Rid) -> Accepted {
        let hello = self.login_hello(rid);
        self.exchange(rid, &hello)
    }

    pub fn hand_over(&mut self, rid: Rid) -> Accepted {
        let hello = self.handover_hello(rid);
        self.exchange(rid, &hello)
    }

    /// The RSU's batch becomes final, and the RSU settles what was provisional.
    pub fn record(&mut self, rid: Rid) {
        let queue = self.queues.remove(&rid).unwrap_or_default();
        for mint in queue.mints {
            if self.token(&mint.id).is_none() {
                let record = TokenRecord {
                    expires_ms: mint.expires_ms,
                    commitment: mint.commitment,
                    minted_by: rid,
                    hops: mint.hops,
                    spent: None,
                };
                self.set(token_key(&TOKENS, &mint.id), &record);
            }
        }
        for spend in queue.spends {
            let now = self.now;
            let is_good = |token: &TokenRecord| token.spent.is_none() && now < token.expires_ms;
            if self.token(&spend.id).as_ref().is_some_and(is_good) {
                self.alter(&spend.id, |token| token.spent = Some(spend.proof));
            }
        }
        let pending: Vec<_> = self.rsus[&rid].pending_spends().copied().collect();
        for spend in pending {
            let won = spend.has_won(self.token(&spend.token).as_ref());
            let dropped = self.rsus.get_mut(&rid).unwrap().settle(spend.asc, won);
            self.lost_races += u32::from(dropped);
        }
    }

    /// The RSU loses its memory and what it had not recorded.
    pub fn crash(&mut self, rid: Rid) {
        self.queues.remove(&rid);
        self.rsus
            .insert(rid, Roadside::new(site(rid), &mut self.rng));
    }

    /// Seals a payload for the RSU under a fresh ephemeral.
    pub fn forged(
        &self,
        beacon: &[u8],
        payload: impl FnOnce(&Beacon, [u8; 32]) -> Vec<u8>,
        seed: u64,
    ) -> Vec<u8> {
        let Message::Beacon(beacon) = decoded(beacon) else {
            panic!("a beacon")
        };
        let initiator = noise::Initiator::new(beacon.ephemeral, &prologue(&beacon), &mut rng(seed));
        let payload = payload(&beacon, initiator.ephemeral());
        let (handshake, _) = initiator.hello(&payload).unwrap();
        Message::Hello(Hello {
            beacon: beacon.id,
            handshake: Sealed::from_bytes(&handshake).unwrap(),
        })
        .encode()
    }

    /// Runs for a while over bad links: beacons each second, batches each half second, and from the
    /// first login on a handover to the other RSU every three seconds. `each` sees every moment.
    pub fn drive(&mut self, mut links: [Link; 2], until: u64, mut each: impl FnMut(&Self)) {
        let mut next_handover = self.now + 3_000;
        while self.now < until {
            let now = self.now;
            if (now - START).is_multiple_of(1_000) {
                for (rid, link) in [A, B].into_iter().zip(&mut links) {
                    let (_, beacon) = self.rsu(rid);
                    link.send(Side::Vehicle, beacon, now, &mut self.rng);
                }
                self.learn();
            }
            if (now - START).is_multiple_of(500) {
                [A, B].into_iter().for_each(|rid| self.record(rid));
            }
            self.rsus.values_mut().for_each(|rsu| rsu.tick(now));
            let mut effects = self.vehicle.wake(now, &mut self.rng);
            self.effects.extend(effects.iter().cloned());
            if self.vehicle.logging_in_to().is_none() {
                let at = self.vehicle.session().map(|(rid, _)| rid);
                let to = if at == Some(A) { B } else { A };
                let is_due = at.is_none() || now >= next_handover;
                if is_due && self.vehicle.trust().answerable(to, now).is_some() {
                    next_handover = now + 3_000;
                    effects.extend(self.vehicle.handover(to, now, &mut self.rng).unwrap());
                }
            }
            for (rid, link) in [A, B].into_iter().zip(&mut links) {
                for (side, datagram) in link.arrived(now) {
                    match side {
                        // Late and repeated messages are refused; that is the point.
                        Side::Vehicle => effects.extend(self.hear(&datagram).unwrap_or_default()),
                        Side::Rsu => {
                            if let Some(reply) =
                                self.answer(rid, &datagram).ok().and_then(Answer::reply)
                            {
                                link.send(Side::Vehicle, reply, now, &mut self.rng);
                            }
                        }
                    }
                }
            }
            for effect in effects {
                if let Effect::Send { to, datagram } = effect {
                    links[usize::from(to == B)].send(Side::Rsu, datagram, now, &mut self.rng);
                }
            }
            each(self);
            self.now += 10;
        }
    }
}

/// The datagram of the only effect.
pub fn only_datagram(effects: &[Effect]) -> Vec<u8> {
    match effects {
        [Effect::Send { datagram, .. }] => datagram.clone(),
        other => panic!("expected one datagram, got {other:?}"),
    }
}
