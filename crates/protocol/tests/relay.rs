//! Logins through neighbours, and what a neighbour can and cannot do.

mod common;

use std::collections::{BTreeSet, VecDeque};

use cairn_contracts::credits::{Account, CreditId, LOGIN_POT};
use cairn_crypto::schnorr::SecretKey;
use cairn_ledger::Position;
use cairn_protocol::{
    login::Way,
    relay::{
        Claim, Forward, Forwarder, Heard, MAX_MESSAGES, MAX_ROUTES_EACH, Neighbour, Peer, ROUTE_MS,
        Refusal, SeekRefusal, Seeker,
    },
    roadside,
    trust::PROOF_RETRY_MS,
    vehicle::Effect,
    wire::{Beacon, CreditKey, Down, MAX_HOPS, Message, Offer, Path, RouteId, Seek, Up},
};
use common::{
    Answer, CHAIN, TOKENS, UID, decoded, rng, road, rsu_record,
    town::{A, B, Town, only_datagram},
    verified,
};
use proptest::prelude::*;

/// Out of the RSU's plausible range, within that of three relays.
const FAR: Position = Position {
    x_cm: 120_000,
    y_cm: 0,
};
const SEEKER: usize = 0;

/// The vehicle that seeks (number 0), vehicles that forward (from 1), and the RSUs of a town.
struct Net {
    town: Town,
    seeker: Seeker,
    forwarders: Vec<Forwarder>,
    links: Vec<(usize, usize)>,
    /// Who hears RSU A.
    hearing: BTreeSet<usize>,
    /// Who forwards searches and offers, and drops the rest.
    droppers: BTreeSet<usize>,
    beacon: Option<Beacon>,
    /// Everything that was sent, by whom.
    air: Vec<(usize, Vec<u8>)>,
    queue: VecDeque<(Peer, usize, Vec<u8>)>,
    effects: Vec<Effect>,
}

impl Net {
    /// `relays` vehicles beside the one that seeks; the links go both ways.
    fn new(relays: usize, links: &[(usize, usize)], hearing: &[usize]) -> Self {
        Self {
            town: Town::new(),
            seeker: Seeker::new(&road(), 300.0),
            forwarders: (0..=relays).map(|_| Forwarder::default()).collect(),
            links: links.to_vec(),
            hearing: hearing.iter().copied().collect(),
            droppers: BTreeSet::new(),
            beacon: None,
            air: Vec::new(),
            queue: VecDeque::new(),
            effects: Vec::new(),
        }
    }

    /// A row of vehicles, the last of which hears the RSU.
    fn row(relays: usize) -> Self {
        let links: Vec<_> = (0..relays).map(|k| (k, k + 1)).collect();
        Self::new(relays, &links, &[relays])
    }

    fn neighbours(&self, of: usize) -> Vec<usize> {
        let links = self.links.iter();
        links
            .filter_map(|&(a, b)| match (a == of, b == of) {
                (true, _) => Some(b),
                (_, true) => Some(a),
                _ => None,
            })
            .collect()
    }

    /// A beacon of A, a search, and all that follows of it.
    fn seek(&mut self) {
        let rsu = self.town.rsus.get_mut(&A).unwrap();
        let Message::Beacon(beacon) = decoded(&rsu.beacon(self.town.now, &mut self.town.rng))
        else {
            panic!("a beacon")
        };
        self.beacon = Some(beacon);
        let seek = self.seeker.seek(&mut self.town.rng);
        self.broadcast(SEEKER, &seek);
        self.run();
        // The proof comes through the relays; here it is known already.
        let proof = verified(self.town.now, self.town.now, &[(A, Some(rsu_record(A)))]);
        let _ = self.seeker.learn(&proof, &FAR, self.town.now);
    }

    fn broadcast(&mut self, from: usize, datagram: &[u8]) {
        for to in self.neighbours(from) {
            self.send(from, to, datagram.to_vec());
        }
    }

    fn send(&mut self, from: usize, to: usize, datagram: Vec<u8>) {
        self.air.push((from, datagram.clone()));
        let from = Peer::Neighbour(Neighbour(from as u64));
        self.queue.push_back((from, to, datagram));
    }

    fn run(&mut self) {
        while let Some((from, to, datagram)) = self.queue.pop_front() {
            if to == SEEKER {
                self.seeker_hears(from, &datagram);
            } else {
                let carries = matches!(decoded(&datagram), Message::Up(_) | Message::Down(_));
                if !(self.droppers.contains(&to) && carries) {
                    self.relay(from, to, &datagram);
                }
            }
        }
    }

    fn relay(&mut self, from: Peer, at: usize, datagram: &[u8]) {
        let hears = self.beacon.as_ref().filter(|_| self.hearing.contains(&at));
        let (now, rng) = (self.town.now, &mut self.town.rng);
        match self.forwarders[at].receive(from, datagram, hears, now, rng) {
            Ok(Forward::Everybody(datagram)) => self.broadcast(at, &datagram),
            Ok(Forward::To(Peer::Neighbour(Neighbour(to)), datagram)) => {
                self.send(at, to as usize, datagram);
            }
            Ok(Forward::To(Peer::Rsu(rid), datagram)) => {
                self.air.push((at, datagram.clone()));
                let reply = self.town.answer(rid, &datagram).ok();
                if let Some(reply) = reply.and_then(Answer::reply) {
                    self.queue.push_back((Peer::Rsu(rid), at, reply));
                }
            }
            // Searches that were here already, and the like: that is how they die out.
            Err(_) => {}
        }
    }

    fn seeker_hears(&mut self, from: Peer, datagram: &[u8]) {
        let Peer::Neighbour(from) = from else {
            panic!("the seeker hears no RSU")
        };
        let (now, rng) = (self.town.now, &mut self.town.rng);
        let heard = self.seeker.receive(from, datagram, &FAR, now, rng);
        self.follow(heard.unwrap_or_default());
    }

    fn follow(&mut self, heard: Vec<Heard>) {
        for heard in heard {
            match heard {
                Heard::Send(Neighbour(to), datagram) => self.send(SEEKER, to as usize, datagram),
                Heard::Ready(_) => {}
                Heard::Answer(answer) => {
                    let (now, rng) = (self.town.now, &mut self.town.rng);
                    let effects = self.town.vehicle.receive(&answer, &FAR, now, rng);
                    self.effects.extend(effects.unwrap());
                }
            }
        }
    }

    /// What the vehicle sends to A, in the first relay's hands.
    fn wrapped(&self, effects: &[Effect]) -> (Neighbour, Vec<u8>) {
        self.seeker.wrap(A, only_datagram(effects)).unwrap()
    }

    /// Sends what the vehicle has for A over the relays.
    fn carry(&mut self, effects: &[Effect]) {
        let (Neighbour(first), up) = self.wrapped(effects);
        self.send(SEEKER, first as usize, up);
        self.run();
    }

    fn hello(&mut self) -> Vec<Effect> {
        let line = self.seeker.line(A).expect("a way to A");
        let (now, rng) = (self.town.now, &mut self.town.rng);
        self.town.vehicle.login_over(line, A, now, rng).unwrap()
    }

    fn log_in(&mut self) {
        self.seek();
        let hello = self.hello();
        self.carry(&hello);
    }

    fn is_logged_in(&self) -> bool {
        let Some((rid, session)) = self.town.vehicle.session() else {
            return false;
        };
        let theirs = self.town.rsus[&rid].session(session.asc(), self.town.now);
        theirs.is_some_and(|(_, theirs)| theirs.key().as_bytes() == session.key().as_bytes())
    }
}

fn key(number: u8) -> CreditKey {
    CreditKey([number; 32])
}

#[test]
fn a_vehicle_out_of_range_logs_in_over_one_two_and_three_relays() {
    for relays in 1..=MAX_HOPS {
        let mut net = Net::row(relays);
        net.log_in();
        assert!(net.is_logged_in(), "{relays}");
        let (rid, accepted) = &net.town.accepted[0];
        assert_eq!((*rid, accepted.way), (A, Way::Registered));
        // Each relay is credited under a key that it alone holds, with an equal share.
        let granted: Vec<_> = accepted.credits.iter().map(|grant| grant.id).collect();
        let earned = net.forwarders.iter_mut().rev();
        let earned: Vec<_> = earned
            .flat_map(Forwarder::take_earned)
            .map(|key| CreditId::of(&key.public().to_bytes()))
            .collect();
        assert_eq!(granted, earned);
        let share = LOGIN_POT / relays as u8;
        assert!(accepted.credits.iter().all(|grant| grant.amount == share));
        // Bytes on each link: the login's 157 + 57, route and keys around them.
        let ups = net.air.iter().map(|(_, datagram)| datagram);
        let ups: Vec<_> = ups
            .filter(|d| matches!(decoded(d), Message::Up(_)))
            .collect();
        assert_eq!(ups.last().unwrap().len(), 157 + 10 + 32 * relays);
    }
}

#[test]
fn four_relays_are_too_many() {
    let mut net = Net::row(MAX_HOPS + 1);
    net.seek();
    assert!(net.seeker.line(A).is_none());
    assert!(net.air.iter().all(|(from, _)| *from <= MAX_HOPS));
}

#[test]
fn who_hears_an_rsu_directly_credits_nobody() {
    let mut town = Town::new();
    assert_eq!(town.log_in(A).credits, []);
}

#[test]
fn handover_and_rekey_go_over_relays_too() {
    let mut net = Net::row(2);
    net.town.log_in(B);
    net.town.record(B);
    net.seek();
    let line = net.seeker.line(A).unwrap();
    let (now, rng) = (net.town.now, &mut net.town.rng);
    let hello = net.town.vehicle.handover_over(line, A, now, rng).unwrap();
    net.carry(&hello);
    assert!(net.is_logged_in());
    assert_eq!(net.town.accepted[1].1.way, Way::Token);
    assert_eq!(net.town.accepted[1].1.credits.len(), 2);
    let request = net.town.vehicle.rekey(now, &mut net.town.rng).unwrap();
    net.carry(&request);
    assert!(matches!(
        net.effects.last(),
        Some(Effect::Rekeyed { rid: A, .. })
    ));
    assert!(net.is_logged_in());
}

#[test]
fn a_token_that_is_refused_over_relays_is_followed_by_a_full_login_over_them() {
    let mut net = Net::row(2);
    // Its token is not on the ledger yet.
    net.town.log_in(B);
    net.seek();
    for way in [Way::Token, Way::Registered] {
        let line = net.seeker.line(A).unwrap();
        let (now, rng) = (net.town.now, &mut net.town.rng);
        let hello = net.town.vehicle.handover_over(line, A, now, rng).unwrap();
        assert_eq!(net.town.vehicle.login_way(), Some(way));
        net.carry(&hello);
    }
    assert!(matches!(
        net.effects[..],
        [
            Effect::TokenRefused(A),
            Effect::LoggedIn {
                way: Way::Registered,
                ..
            }
        ]
    ));
    assert!(net.is_logged_in());
}

#[test]
fn a_shorter_way_that_is_offered_later_does_not_break_a_login_under_way() {
    let mut net = Net::new(3, &[(0, 1), (1, 2)], &[2]);
    net.seek();
    let hello = net.hello();
    let Message::Seek(seek) = decoded(&net.air[0].1) else {
        panic!("a search")
    };
    let offer = Message::Offer(Offer {
        route: seek.route,
        beacon: net.beacon.clone().unwrap(),
        path: Path::DIRECT.with(key(3)).unwrap(),
    });
    net.send(3, SEEKER, offer.encode());
    net.run();
    assert_eq!(net.wrapped(&hello).0, Neighbour(1));
    net.carry(&hello);
    assert!(net.is_logged_in());
    // Given up, it is replaced.
    assert_eq!(net.seeker.give_up(A, net.town.now), [Heard::Ready(A)]);
    assert_eq!(net.wrapped(&hello).0, Neighbour(3));
}

#[test]
fn under_load_the_cookie_goes_over_relays_too() {
    let mut net = Net::row(2);
    net.town.rsus.get_mut(&A).unwrap().set_under_load(true);
    net.log_in();
    let again = std::mem::take(&mut net.effects);
    net.carry(&again);
    assert!(net.is_logged_in());
}

#[test]
fn a_refusal_comes_back_over_relays_and_credits_nobody() {
    let mut net = Net::row(2);
    net.town.state.clear();
    net.log_in();
    assert!(matches!(
        net.effects[..],
        [Effect::LoginRefused { rid: A, .. }]
    ));
    assert!(net.town.accepted.is_empty());
    assert!(net.forwarders[1].take_earned().is_empty());
}

#[test]
fn an_rsu_farther_than_its_relays_can_bridge_is_a_wormhole() {
    let mut net = Net::row(1);
    net.seeker = Seeker::new(&road(), 100.0);
    net.seek();
    let line = net.seeker.line(A).unwrap();
    let (now, rng) = (net.town.now, &mut net.town.rng);
    let refused = net.town.vehicle.login_over(line, A, now, rng);
    assert!(refused.is_err());
}

// What a relay cannot do.

#[test]
fn a_relay_reads_neither_identity_nor_token() {
    let mut net = Net::row(3);
    net.log_in();
    let token = net.town.vehicle.next_token().unwrap().public().to_bytes();
    let contains = |datagram: &[u8], secret: &[u8]| {
        datagram
            .windows(secret.len())
            .any(|window| window == secret)
    };
    assert!(net.air.len() > 8);
    for (_, datagram) in &net.air {
        assert!(!contains(datagram, &UID.0) && !contains(datagram, &token));
    }
}

/// A login over two relays, stopped at the RSU's door.
fn at_the_door() -> (Net, Up) {
    let mut net = Net::row(2);
    net.seek();
    let hello = net.hello();
    let (_, up) = net.wrapped(&hello);
    let Message::Up(up) = decoded(&up) else {
        panic!("a message up")
    };
    (net, up)
}

#[test]
fn a_relay_cannot_leave_out_add_or_replace_a_relay() {
    let (mut net, up) = at_the_door();
    let keys: Vec<_> = up.path.keys().collect();
    let path = |keys: &[CreditKey]| {
        let path = keys
            .iter()
            .try_fold(Path::DIRECT, |path, key| path.with(*key));
        path.unwrap()
    };
    for other in [
        path(&keys[..1]),
        path(&keys[1..]),
        path(&[keys[1], keys[0]]),
        path(&[keys[0], key(9)]),
        path(&[keys[0], keys[1], key(9)]),
    ] {
        let changed = Message::Up(Up {
            path: other,
            ..up.clone()
        });
        let refused = net.town.answer(A, &changed.encode());
        assert!(matches!(refused, Err(roadside::Refusal::Handshake(_))));
    }
    // Nor deliver it as if it had come directly.
    let refused = net.town.answer(A, &up.datagram);
    assert!(matches!(refused, Err(roadside::Refusal::Handshake(_))));
    let accepted = net.town.answer(A, &Message::Up(up).encode()).unwrap();
    assert_eq!(accepted.accepted().credits.len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_relay_cannot_alter_a_login(at in 9..231_usize, flip in 1..=u8::MAX) {
        let (mut net, up) = at_the_door();
        let honest = Message::Up(up).encode();
        let mut changed = honest.clone();
        prop_assert_eq!(changed.len(), 231);
        changed[at] ^= flip;
        prop_assert!(net.town.answer(A, &changed).is_err());
        prop_assert!(net.town.answer(A, &honest).is_ok());
    }
}

#[test]
fn a_relay_gains_nothing_by_replay() {
    let (mut net, up) = at_the_door();
    let datagram = Message::Up(up).encode();
    let first = net.town.answer(A, &datagram).unwrap().accepted();
    let Answer::Repeated(again) = net.town.answer(A, &datagram).unwrap() else {
        panic!("repeated")
    };
    assert_eq!(again, first.reply);
    assert_eq!(net.town.accepted.len(), 1, "credited once");
    net.town.meet(B);
    assert!(net.town.answer(B, &datagram).is_err());
    net.town.now += roadside::REPLAY_WINDOW_MS + 1;
    assert!(net.town.answer(A, &datagram).is_err());
}

#[test]
fn an_answer_that_comes_again_is_no_second_key_to_claim() {
    let mut net = Net::row(1);
    net.log_in();
    let answer = net.town.accepted[0].1.reply.clone();
    let (now, rng) = (net.town.now, &mut net.town.rng);
    let again = net.forwarders[1].receive(Peer::Rsu(A), &answer, None, now, rng);
    assert!(matches!(again, Ok(Forward::To(..))));
    assert_eq!(net.forwarders[1].take_earned().len(), 1);
}

#[test]
fn a_credit_is_claimed_by_who_holds_the_key_for_one_account_at_one_contract() {
    let mut rng = rng(3);
    let (ours, theirs) = (SecretKey::random(&mut rng), SecretKey::random(&mut rng));
    let account = Account([1; 32]);
    let claim = Claim::sign(&CHAIN, &TOKENS, &ours, account, &mut rng);
    let id = CreditId::of(&ours.public().to_bytes());
    assert_eq!(claim.verify(&CHAIN, &TOKENS), Ok(id));
    let elsewhere = cairn_ledger::Address([1; 20]);
    assert!(claim.verify(&CHAIN, &elsewhere).is_err());
    let other_account = Claim {
        account: Account([2; 32]),
        ..claim.clone()
    };
    assert!(other_account.verify(&CHAIN, &TOKENS).is_err());
    let other_key = Claim {
        key: theirs.public(),
        ..claim
    };
    assert!(other_key.verify(&CHAIN, &TOKENS).is_err());
}

// Relays that drop.

#[test]
fn a_relay_that_drops_is_routed_around() {
    let mut net = Net::new(2, &[(0, 1), (0, 2)], &[1, 2]);
    net.droppers.insert(1);
    net.log_in();
    assert!(!net.is_logged_in());
    // There is another way, and none after it.
    let other = net.seeker.give_up(A, net.town.now);
    assert_eq!(other, [Heard::Ready(A)]);
    let hello = net.hello();
    assert_eq!(net.wrapped(&hello).0, Neighbour(2));
    net.carry(&hello);
    assert!(net.is_logged_in());
    assert_eq!(net.seeker.give_up(A, net.town.now), []);
}

#[test]
fn a_relay_that_drops_the_request_for_the_proof_is_routed_around() {
    let mut net = Net::new(2, &[(0, 1), (0, 2)], &[1, 2]);
    net.droppers.insert(1);
    let rsu = net.town.rsus.get_mut(&A).unwrap();
    let beacon = rsu.beacon(net.town.now, &mut net.town.rng);
    let Message::Beacon(beacon) = decoded(&beacon) else {
        panic!("a beacon")
    };
    net.beacon = Some(beacon);
    let seek = net.seeker.seek(&mut net.town.rng);
    net.broadcast(SEEKER, &seek);
    net.run();
    net.town.now += PROOF_RETRY_MS;
    let other = net.seeker.give_up(A, net.town.now);
    let [Heard::Send(Neighbour(2), request)] = &other[..] else {
        panic!("expected a request over the other relay, got {other:?}")
    };
    let hears = net.beacon.as_ref();
    let (now, rng) = (net.town.now, &mut net.town.rng);
    let forward = net.forwarders[2].receive(neighbour(0), request, hears, now, rng);
    let Ok(Forward::To(Peer::Rsu(A), request)) = forward else {
        panic!("expected it to go to the RSU, got {forward:?}")
    };
    assert!(matches!(
        net.town.answer(A, &request),
        Ok(Answer::ProofWanted)
    ));
}

#[test]
fn a_relay_that_drops_behind_another_is_routed_around() {
    // 0 – 1, then 2 or 3 to the RSU; 2 answers first and drops.
    let mut net = Net::new(3, &[(0, 1), (1, 2), (1, 3)], &[2, 3]);
    net.droppers.insert(2);
    net.log_in();
    let again = net.hello();
    net.carry(&again);
    assert!(!net.is_logged_in());
    net.seek();
    let hello = net.hello();
    net.carry(&hello);
    assert!(net.is_logged_in());
}

#[test]
fn a_relay_behind_the_only_neighbour_that_drops_the_request_for_the_proof_is_routed_around() {
    // 0 – 1, then 2 or 3 to the RSU; 2 answers first and drops.
    let mut net = Net::new(3, &[(0, 1), (1, 2), (1, 3)], &[2, 3]);
    net.droppers.insert(2);
    let rsu = net.town.rsus.get_mut(&A).unwrap();
    let Message::Beacon(beacon) = decoded(&rsu.beacon(net.town.now, &mut net.town.rng)) else {
        panic!("a beacon")
    };
    net.beacon = Some(beacon);
    let seek = net.seeker.seek(&mut net.town.rng);
    net.broadcast(SEEKER, &seek);
    net.run();
    // The only neighbour is not left alone: it is asked again, and notices.
    net.town.now += PROOF_RETRY_MS;
    let again = net.seeker.give_up(A, net.town.now);
    assert!(matches!(again[..], [Heard::Send(Neighbour(1), _)]));
    net.follow(again);
    net.run();
    net.log_in();
    assert!(net.is_logged_in());
}

// Loops and floods.

#[test]
fn a_search_dies_out_in_a_crowd_where_everybody_hears_everybody() {
    let crowd = 12;
    let links: Vec<_> = (0..=crowd)
        .flat_map(|a| (a + 1..=crowd).map(move |b| (a, b)))
        .collect();
    let mut net = Net::new(crowd, &links, &[]);
    net.seek();
    // Everybody passes it on once, to everybody.
    assert_eq!(net.air.len(), crowd * (crowd + 1));
    assert!(net.seeker.line(A).is_none());
}

fn seek(number: u16, passed: u8) -> Vec<u8> {
    let mut route = RouteId([0; 8]);
    route.0[..2].copy_from_slice(&number.to_be_bytes());
    Message::Seek(Seek { route, passed }).encode()
}

fn neighbour(number: u64) -> Peer {
    Peer::Neighbour(Neighbour(number))
}

#[test]
fn a_flood_of_searches_fills_its_senders_share_and_no_more() {
    let mut forwarder = Forwarder::default();
    let mut rng = rng(4);
    let mut passed = 0;
    for number in 0..1_000 {
        let from = neighbour(u64::from(number % 2));
        match forwarder.receive(from, &seek(number, 0), None, 0, &mut rng) {
            Ok(Forward::Everybody(_)) => passed += 1,
            Err(Refusal::Full) => {}
            other => panic!("expected it to be passed on or refused, got {other:?}"),
        }
    }
    assert_eq!(passed, 2 * MAX_ROUTES_EACH);
    let another = forwarder.receive(neighbour(7), &seek(2_000, 0), None, 0, &mut rng);
    assert!(another.is_ok(), "others are not shut out");
    let later = forwarder.receive(neighbour(0), &seek(3_000, 0), None, ROUTE_MS, &mut rng);
    assert!(later.is_ok());
}

#[test]
fn a_route_carries_so_many_messages_and_only_between_its_ends() {
    let mut net = Net::row(1);
    net.seek();
    let hello = net.hello();
    let (_, up) = net.wrapped(&hello);
    let Message::Up(parts) = decoded(&up) else {
        panic!("a message up")
    };
    let mut rng = rng(5);
    let mut receive = |from, datagram: &[u8]| {
        let forwarder = &mut net.forwarders[1];
        forwarder.receive(from, datagram, None, net.town.now, &mut rng)
    };
    assert!(matches!(receive(neighbour(9), &up), Err(Refusal::NoRoute)));
    let other = Message::Up(Up {
        path: Path::DIRECT.with(key(1)).unwrap(),
        ..parts.clone()
    });
    assert!(matches!(
        receive(neighbour(0), &other.encode()),
        Err(Refusal::Path)
    ));
    let down = Message::Down(Down {
        route: parts.route,
        datagram: vec![0],
    })
    .encode();
    for from in [neighbour(0), neighbour(9), Peer::Rsu(B)] {
        assert!(matches!(receive(from, &down), Err(Refusal::NoRoute)));
    }
    // The search for the proof took one.
    for _ in 1..MAX_MESSAGES {
        assert!(receive(neighbour(0), &up).is_ok());
    }
    assert!(matches!(receive(neighbour(0), &up), Err(Refusal::Flood)));
    for _ in 0..MAX_MESSAGES {
        assert!(receive(Peer::Rsu(A), &down).is_ok());
    }
    assert!(matches!(receive(Peer::Rsu(A), &down), Err(Refusal::Flood)));
}

#[test]
fn offers_that_were_not_asked_for_are_refused() {
    let mut net = Net::row(2);
    net.seek();
    let beacon = net.beacon.clone().unwrap();
    let offer = |route, path| {
        Message::Offer(Offer {
            route,
            beacon: beacon.clone(),
            path,
        })
        .encode()
    };
    let path = Path::DIRECT.with(key(1)).unwrap();
    let unasked = offer(RouteId([1; 8]), path);
    let mut rng = rng(6);
    let refused = net
        .seeker
        .receive(Neighbour(5), &unasked, &FAR, net.town.now, &mut rng);
    assert!(matches!(refused, Err(SeekRefusal::NotAsked)));
    let refused = net.forwarders[1].receive(neighbour(5), &unasked, None, net.town.now, &mut rng);
    assert!(matches!(refused, Err(Refusal::NoRoute)));
    // A second one for the same search changes nothing.
    let Message::Seek(seek) = decoded(&net.air[0].1) else {
        panic!("a search")
    };
    let second = offer(seek.route, path);
    let refused = net.forwarders[1].receive(neighbour(5), &second, None, net.town.now, &mut rng);
    assert!(matches!(refused, Err(Refusal::Answered)));
    // Nor does the same neighbour's second one to the vehicle.
    let refused = net
        .seeker
        .receive(Neighbour(1), &second, &FAR, net.town.now, &mut rng);
    assert!(matches!(refused, Err(SeekRefusal::NotAsked)));
}

#[test]
fn a_message_down_from_elsewhere_is_refused() {
    let mut net = Net::row(1);
    net.seek();
    let Message::Seek(seek) = decoded(&net.air[0].1) else {
        panic!("a search")
    };
    let down = |route| {
        let datagram = vec![0x14; 22];
        Message::Down(Down { route, datagram }).encode()
    };
    let mut rng = rng(7);
    for (from, route) in [(5, seek.route), (1, RouteId([1; 8]))] {
        let refused =
            net.seeker
                .receive(Neighbour(from), &down(route), &FAR, net.town.now, &mut rng);
        assert!(matches!(refused, Err(SeekRefusal::NotAsked)));
    }
    let heard = net.seeker.receive(
        Neighbour(1),
        &down(seek.route),
        &FAR,
        net.town.now,
        &mut rng,
    );
    assert!(matches!(heard.unwrap()[..], [Heard::Answer(_)]));
}

// Encodings.

#[test]
fn paths_name_one_to_three_different_relays() {
    let up = |keys: &[u8]| {
        let mut bytes = vec![0x42];
        bytes.extend([7; 8]);
        bytes.push(keys.len() as u8);
        keys.iter().for_each(|key| bytes.extend([*key; 32]));
        bytes.push(0x10);
        bytes
    };
    for keys in [&[1][..], &[1, 2], &[1, 2, 3]] {
        let bytes = up(keys);
        assert_eq!(Message::decode(&bytes).unwrap().encode(), bytes);
    }
    for keys in [&[][..], &[1, 1], &[1, 2, 1], &[1, 2, 3, 4]] {
        assert!(Message::decode(&up(keys)).is_err());
    }
    let down = [&[0x43][..], &[7; 8], &[0x11]].concat();
    assert_eq!(Message::decode(&down).unwrap().encode(), down);
    assert_eq!(seek(0x0102, 2), [0x40, 1, 2, 0, 0, 0, 0, 0, 0, 2]);
    let empty = &up(&[1])[..42];
    assert!(Message::decode(empty).is_err(), "nothing carried");
}

#[test]
fn messages_have_the_documented_lengths() {
    let mut net = Net::row(3);
    net.log_in();
    let lengths: BTreeSet<_> = net
        .air
        .iter()
        .filter(|(_, datagram)| matches!(decoded(datagram), Message::Seek(_) | Message::Offer(_)))
        .map(|(_, datagram)| datagram.len())
        .collect();
    assert_eq!(lengths, BTreeSet::from([10, 154, 186, 218]));
    for length in [9, 11, 153, 155, 219] {
        let mut bytes = net.air[0].1.clone();
        bytes.resize(length, 0);
        assert!(Message::decode(&bytes).is_err());
        bytes[0] = 0x41;
        assert!(Message::decode(&bytes).is_err());
    }
}
