//! Location services: vehicle, RSU and provider (`protocol::service`), by rule and by what each of them sees.

mod common;

use cairn_contracts::{
    keys::RsuRecord,
    providers::{ProviderId, ProviderRecord, Service, provider_key},
};
use cairn_crypto::suite::{Ristretto255, Secret};
use cairn_ledger::{Address, Position, Record, Rid, light::Verified};
use cairn_protocol::{
    plausibility::Bounds,
    service::{
        Answer, Asked, Book, Cell, Client, ClientError, Contradiction, Desk, DeskError,
        FALSE_CELLS, Got, MAX_AGE_MS, MAX_STALENESS_MS, Name, Notice, Order, PROVIDER_LIFE_MS,
        PSEUDONYM_LIFE_MS, Point, Points, Provider, ProviderError, Question, Reach, Request, Roads,
        SPACING_MS, reply,
    },
    token::Holder,
    wire::{Message, ServiceFrame},
};
use common::{CHAIN, DAY, Pair, RID, START, UID, rng, road, rsu_record, rsu_signer, verified};
use commonware_codec::{Copying, DecodeExt as _};
use commonware_cryptography::Signer as _;
use rand::rngs::StdRng;

const PROVIDERS: Address = Address([11; 20]);
const CHARGING: ProviderId = ProviderId(1);
const ROADS: ProviderId = ProviderId(2);
/// Where the vehicle is: beside RSU 3, which stands at the origin.
const CELL: Cell = Cell { x: 0, y: 0 };
const FAR: Cell = Cell { x: 40, y: 0 };

fn secret(id: ProviderId) -> Secret<Ristretto255> {
    Secret::random(&mut rng(700 + u64::from(id.0)))
}

fn provider_record(id: ProviderId) -> ProviderRecord {
    ProviderRecord {
        service: if id == CHARGING {
            Service::Charging
        } else {
            Service::TravelTime
        },
        operator: rsu_signer(Rid(900)).public_key(),
        key: secret(id).public().to_bytes(),
        valid_from_ms: START - DAY,
        valid_until_ms: START + DAY,
        is_revoked: false,
    }
}

fn shown(id: ProviderId, record: Option<&ProviderRecord>, time_ms: u64) -> Verified {
    Verified {
        height: 9,
        time_ms,
        entries: vec![(provider_key(&PROVIDERS, id), record.map(Record::of))],
    }
}

fn points() -> Points {
    let point = |x_m: i32, kw, name| Point {
        position: Position {
            x_cm: 100 * x_m,
            y_cm: 0,
        },
        kw,
        name: Name::cut(name),
    };
    Points::new(vec![
        point(300, 11, "near"),
        point(4_000, 150, "far and fast"),
    ])
    .unwrap()
}

fn reach() -> Reach {
    Reach::new(rsu_record(RID).position, &Bounds::default())
}

/// A vehicle with a session at RSU 3, two providers behind that, and everything that each of them got to see.
struct Road {
    pair: Pair,
    rng: StdRng,
    client: Client,
    desk: Desk,
    providers: [Provider; 2],
    /// What came over the air, in both directions.
    air: Vec<Vec<u8>>,
    /// What each provider got.
    requests: Vec<Vec<u8>>,
    /// What each provider answered.
    answers: Vec<Vec<u8>>,
}

impl Road {
    fn new() -> Self {
        let mut pair = Pair::new();
        pair.log_in();
        let book = |id| {
            if id == CHARGING {
                Book::Charging(points())
            } else {
                Book::TravelTime(Roads::default())
            }
        };
        let provider = |id| {
            Provider::new(
                &road(),
                id,
                secret(id),
                Bounds::default().radio_range_m,
                book(id),
            )
        };
        let mut road = Self {
            pair,
            rng: rng(77),
            client: Client::new(&road(), PROVIDERS),
            desk: Desk::new(CHAIN, RID, rsu_signer(RID), reach()),
            providers: [provider(CHARGING), provider(ROADS)],
            air: Vec::new(),
            requests: Vec::new(),
            answers: Vec::new(),
        };
        road.refresh();
        road
    }

    fn now(&self) -> u64 {
        self.pair.now
    }

    fn provider(&mut self, id: ProviderId) -> &mut Provider {
        &mut self.providers[usize::from(id.0 - 1)]
    }

    /// The providers' caches get the RSU's record as of now.
    fn refresh(&mut self) {
        let now = self.now();
        let proof = verified(1 + now - START, now, &[(RID, Some(rsu_record(RID)))]);
        for provider in &mut self.providers {
            provider.learn(RID, &proof, now).unwrap();
        }
    }

    /// The vehicle's question on the air; before it, if need be, proof of the provider.
    fn ask(&mut self, id: ProviderId, question: Question, cell: Cell) -> Vec<u8> {
        let now = self.now();
        let (_, session) = self.pair.vehicle.session().unwrap();
        let asked = self
            .client
            .ask(id, question.clone(), cell, session, now, &mut self.rng);
        match asked.unwrap() {
            Asked::Question(datagram) => {
                self.air.push(datagram.clone());
                datagram
            }
            Asked::Proof(datagram) => {
                self.air.push(datagram.clone());
                assert_eq!(self.desk(&datagram), Ok(Order::Proof(id)));
                let proof = shown(id, Some(&provider_record(id)), now);
                assert_eq!(self.client.learn(&proof, now).unwrap(), Got::Provider(id));
                self.ask(id, question, cell)
            }
        }
    }

    fn desk(&mut self, datagram: &[u8]) -> Result<Order, DeskError> {
        let Ok(Message::ServiceOrder(frame)) = Message::decode(datagram) else {
            panic!("expected an order");
        };
        let now = self.now();
        let session = self.pair.rsu.session(frame.asc, now).unwrap();
        self.desk.take(&frame, session, now, &mut self.rng)
    }

    fn request(&mut self, id: ProviderId, question: Question, cell: Cell) -> Request {
        let datagram = self.ask(id, question, cell);
        match self.desk(&datagram) {
            Ok(Order::Query { request, .. }) => *request,
            other => panic!("expected a query, got {other:?}"),
        }
    }

    /// The whole way of a question.
    fn answer(&mut self, id: ProviderId, question: Question, cell: Cell) -> Answer {
        let now = self.now();
        let request = self.request(id, question.clone(), cell);
        let bytes = request.to_bytes();
        self.requests.push(bytes.clone());
        let mut random = rng(now);
        let sealed = self.provider(id).receive(&bytes, now, &mut random).unwrap();
        self.answers.push(sealed.clone());
        let notice = Notice::Answer {
            asked_ms: now,
            sealed: sealed.try_into().unwrap(),
        };
        match self.tell(&notice).unwrap() {
            Got::Answer {
                provider,
                question: asked,
                answer,
            } => {
                assert_eq!((provider, asked), (id, question));
                answer
            }
            other => panic!("expected an answer, got {other:?}"),
        }
    }

    /// The RSU tells the vehicle something.
    fn tell(&mut self, notice: &Notice) -> Result<Got, ClientError> {
        let now = self.now();
        let (_, session) = self.pair.vehicle.session().unwrap();
        let asc = session.asc();
        let (_, at_rsu) = self.pair.rsu.session(asc, now).unwrap();
        let datagram = reply(at_rsu.key(), asc, notice, &mut self.rng);
        self.air.push(datagram.clone());
        self.client.receive(&datagram, session, now, &mut self.rng)
    }

    fn wait(&mut self, ms: u64) {
        self.pair.now += ms;
    }
}

fn charging() -> Question {
    Question::Charging { least_kw: 0 }
}

fn ahead() -> Question {
    Question::TravelTime {
        ahead: vec![Cell { x: 1, y: 0 }],
    }
}

fn near() -> Answer {
    Answer::Charging {
        position: Position {
            x_cm: 30_000,
            y_cm: 0,
        },
        kw: 11,
        name: Name::cut("near"),
    }
}

#[test]
fn a_vehicle_is_told_the_nearest_charging_point() {
    let mut road = Road::new();
    assert_eq!(road.answer(CHARGING, charging(), CELL), near());
    road.wait(SPACING_MS);
    let fast = Question::Charging { least_kw: 100 };
    let Answer::Charging { kw, name, .. } = road.answer(CHARGING, fast, CELL) else {
        panic!("expected a charging point");
    };
    assert_eq!((kw, name.as_str()), (150, "far and fast"));
    road.wait(SPACING_MS);
    let nowhere = Question::Charging { least_kw: 500 };
    assert_eq!(road.answer(CHARGING, nowhere, CELL), Answer::Nothing);
}

#[test]
fn a_question_of_another_kind_is_answered_with_nothing() {
    let mut road = Road::new();
    assert_eq!(road.answer(CHARGING, ahead(), CELL), Answer::Nothing);
    road.wait(SPACING_MS);
    assert_eq!(road.answer(ROADS, charging(), CELL), Answer::Nothing);
}

#[test]
fn a_session_key_from_before_the_last_rekey_still_opens() {
    let mut road = Road::new();
    let datagram = road.ask(CHARGING, charging(), CELL);
    let request = road.pair.vehicle.rekey(road.now(), &mut road.rng).unwrap();
    road.pair.answer(&common::sent(&request)).unwrap();
    assert!(matches!(road.desk(&datagram), Ok(Order::Query { .. })));
}

// Vehicle.

#[test]
fn questions_are_asked_one_at_a_time_and_apart() {
    let mut road = Road::new();
    road.ask(CHARGING, charging(), CELL);
    let ask = |road: &mut Road, id| {
        let (_, session) = road.pair.vehicle.session().unwrap();
        let now = road.pair.now;
        road.client
            .ask(id, charging(), CELL, session, now, &mut road.rng)
    };
    for id in [CHARGING, ROADS] {
        assert!(matches!(ask(&mut road, id), Err(ClientError::TooSoon(_))));
    }
    road.wait(SPACING_MS);
    // Still waiting for the answer.
    assert!(matches!(
        ask(&mut road, ROADS),
        Err(ClientError::TooSoon(_))
    ));
    road.wait(2_000);
    assert!(ask(&mut road, ROADS).is_ok());
}

#[test]
fn v_ask_1_proofs_of_others_and_old_ones_are_refused() {
    let mut road = Road::new();
    let now = road.now();
    let record = provider_record(CHARGING);
    let proof = shown(CHARGING, Some(&record), now);
    assert!(matches!(
        road.client.learn(&proof, now),
        Err(ClientError::Unrelated)
    ));
    let (_, session) = road.pair.vehicle.session().unwrap();
    let asked = road
        .client
        .ask(CHARGING, charging(), CELL, session, now, &mut road.rng);
    assert!(matches!(asked, Ok(Asked::Proof(_))));
    let other = shown(ROADS, Some(&record), now);
    assert!(matches!(
        road.client.learn(&other, now),
        Err(ClientError::Unrelated)
    ));
    for time_ms in [now - 60_001, now + 2_001] {
        let old = shown(CHARGING, Some(&record), time_ms);
        assert!(matches!(
            road.client.learn(&old, now),
            Err(ClientError::Age(_))
        ));
    }
    assert!(road.client.learn(&proof, now).is_ok());
}

#[test]
fn v_ask_2_providers_that_are_not_valid_are_not_asked() {
    let now = START;
    let good = provider_record(CHARGING);
    let revoked = ProviderRecord {
        is_revoked: true,
        ..good.clone()
    };
    let over = ProviderRecord {
        valid_until_ms: now,
        ..good
    };
    for record in [None, Some(&revoked), Some(&over)] {
        let mut road = Road::new();
        let now = road.now();
        let (_, session) = road.pair.vehicle.session().unwrap();
        let asked = road
            .client
            .ask(CHARGING, charging(), CELL, session, now, &mut road.rng);
        assert!(matches!(asked, Ok(Asked::Proof(_))));
        let learned = road.client.learn(&shown(CHARGING, record, now), now);
        assert!(matches!(learned, Err(ClientError::NotValid(CHARGING))));
    }
}

#[test]
fn what_is_known_of_a_provider_ends() {
    let mut road = Road::new();
    road.answer(CHARGING, charging(), CELL);
    road.wait(PROVIDER_LIFE_MS);
    road.pair.vehicle.leave();
    road.pair.log_in();
    let (_, session) = road.pair.vehicle.session().unwrap();
    let now = road.pair.now;
    let asked = road
        .client
        .ask(CHARGING, charging(), CELL, session, now, &mut road.rng);
    assert!(matches!(asked, Ok(Asked::Proof(_))));
}

#[test]
fn v_ask_3_answers_of_others_are_refused() {
    let mut road = Road::new();
    let now = road.now();
    road.ask(CHARGING, charging(), CELL);
    let refused = Notice::Refused {
        asked_ms: now + 1,
        for_cell: false,
    };
    assert!(matches!(road.tell(&refused), Err(ClientError::NotAsked)));
    // The RSU cannot answer in the provider's place.
    let forged = Notice::Answer {
        asked_ms: now,
        sealed: [7; 88],
    };
    assert!(matches!(road.tell(&forged), Err(ClientError::NotAsked)));
    let (_, session) = road.pair.vehicle.session().unwrap();
    let (_, at_rsu) = road.pair.rsu.session(session.asc(), now).unwrap();
    let mut datagram = reply(at_rsu.key(), session.asc(), &refused, &mut road.rng);
    *datagram.last_mut().unwrap() ^= 1;
    let received = road.client.receive(&datagram, session, now, &mut road.rng);
    assert!(matches!(received, Err(ClientError::NotANotice)));
}

#[test]
fn an_order_does_not_come_back_as_a_notice() {
    let mut road = Road::new();
    let mut datagram = road.ask(CHARGING, charging(), CELL);
    datagram[0] = cairn_protocol::wire::SERVICE_NOTICE;
    let (_, session) = road.pair.vehicle.session().unwrap();
    let now = road.pair.now;
    let received = road.client.receive(&datagram, session, now, &mut road.rng);
    assert!(matches!(received, Err(ClientError::NotANotice)));
}

// RSU.

#[test]
fn v_desk_1_and_2_changed_orders_get_no_answer() {
    let mut road = Road::new();
    let datagram = road.ask(CHARGING, charging(), CELL);
    for at in [9, 40, datagram.len() - 1] {
        let mut changed = datagram.clone();
        changed[at] ^= 1;
        assert_eq!(road.desk(&changed), Err(DeskError::Sealed));
    }
    assert!(Message::decode(&datagram[..datagram.len() - 1]).is_err());
    // As it came, it is good.
    assert!(road.desk(&datagram).is_ok());
}

#[test]
fn v_desk_3_old_orders_get_no_answer() {
    let mut road = Road::new();
    let datagram = road.ask(CHARGING, charging(), CELL);
    let asked = road.now();
    road.wait(2_001);
    assert_eq!(road.desk(&datagram), Err(DeskError::Time(asked)));
}

#[test]
fn v_desk_4_a_replayed_order_gets_no_answer() {
    let mut road = Road::new();
    let datagram = road.ask(CHARGING, charging(), CELL);
    assert!(road.desk(&datagram).is_ok());
    let asked = road.now();
    assert_eq!(road.desk(&datagram), Err(DeskError::TooSoon(asked + 1_000)));
    road.wait(1_500);
    assert_eq!(road.desk(&datagram), Err(DeskError::TooSoon(asked + 1_000)));
}

/// Claims a false cell, and returns what is due.
fn lie(road: &mut Road, cell: Cell) -> Option<Vec<Contradiction>> {
    let datagram = road.ask(CHARGING, charging(), cell);
    let Err(DeskError::FalseCell { reply, due, .. }) = road.desk(&datagram) else {
        panic!("expected a false cell");
    };
    let (_, session) = road.pair.vehicle.session().unwrap();
    let now = road.pair.now;
    let got = road.client.receive(&reply, session, now, &mut road.rng);
    assert_eq!(got.unwrap(), Got::Refused { for_cell: true });
    road.wait(SPACING_MS);
    due
}

#[test]
fn v_desk_6_cells_out_of_reach_are_refused_and_end_the_service() {
    let mut road = Road::new();
    road.answer(CHARGING, charging(), CELL);
    road.wait(SPACING_MS);
    assert_eq!(lie(&mut road, FAR), None);
    let due = lie(&mut road, FAR).unwrap();
    assert_eq!(due.len(), FALSE_CELLS);
    assert!(due.iter().all(|found| found.stands(&reach())));
    // V-DESK-5: an honest cell does not help now, nor a new session.
    for _ in 0..2 {
        let datagram = road.ask(CHARGING, charging(), CELL);
        let refused = road.desk(&datagram).unwrap_err();
        assert!(matches!(refused, DeskError::Ended { .. }));
        let reply = refused.reply().unwrap().to_vec();
        let (_, session) = road.pair.vehicle.session().unwrap();
        let now = road.pair.now;
        let got = road.client.receive(&reply, session, now, &mut road.rng);
        assert_eq!(got.unwrap(), Got::Refused { for_cell: true });
        road.pair.vehicle.leave();
        road.wait(SPACING_MS);
        road.pair.log_in();
    }
}

#[test]
fn v_desk_7_cells_that_nobody_reaches_in_time_are_refused() {
    let mut road = Road::new();
    road.answer(CHARGING, charging(), CELL);
    road.wait(SPACING_MS);
    // Both are in reach; between them lie 500 m.
    let due = lie(&mut road, Cell { x: -3, y: 0 });
    assert_eq!(due, None);
    let due = lie(&mut road, Cell { x: -3, y: 0 }).unwrap();
    assert!(due.iter().all(|found| found.stands(&reach())));
}

#[test]
fn one_bad_fix_ends_nothing() {
    let mut road = Road::new();
    for _ in 0..3 {
        road.refresh();
        road.answer(CHARGING, charging(), CELL);
        road.wait(SPACING_MS);
        assert_eq!(lie(&mut road, FAR), None);
        road.wait(120_000);
    }
}

#[test]
fn what_drives_is_no_contradiction() {
    let reach = reach();
    let contradiction = Contradiction {
        before: Some((CELL, START)),
        cell: Cell { x: 1, y: 1 },
        time_ms: START + 3_000,
    };
    assert!(!contradiction.stands(&reach));
    // What is too long ago counts no more.
    let late = Contradiction {
        before: Some((Cell { x: -3, y: 0 }, START)),
        cell: Cell { x: 2, y: 0 },
        time_ms: START + 120_001,
    };
    assert!(!late.stands(&reach));
}

// Provider.

fn receive(road: &mut Road, request: &Request) -> Result<Vec<u8>, ProviderError> {
    let now = road.now();
    let mut random = rng(5);
    road.provider(CHARGING)
        .receive(&request.to_bytes(), now, &mut random)
}

#[test]
fn v_lbs_1_requests_have_one_length() {
    let mut road = Road::new();
    let bytes = road.request(CHARGING, charging(), CELL).to_bytes();
    let now = road.now();
    let mut random = rng(5);
    for bytes in [
        &bytes[1..],
        &bytes[..bytes.len() - 1],
        &[],
        &[bytes.as_slice(), &[0]].concat(),
    ] {
        let received = road.provider(CHARGING).receive(bytes, now, &mut random);
        assert!(matches!(received, Err(ProviderError::Malformed(_))));
    }
}

#[test]
fn v_lbs_2_requests_for_others_and_old_ones_are_refused() {
    let mut road = Road::new();
    let request = road.request(CHARGING, charging(), CELL);
    let now = road.now();
    let mut random = rng(5);
    let at_other = road
        .provider(ROADS)
        .receive(&request.to_bytes(), now, &mut random);
    assert!(matches!(
        at_other,
        Err(ProviderError::OtherProvider(CHARGING))
    ));
    road.wait(MAX_AGE_MS + 1_000);
    assert!(matches!(
        receive(&mut road, &request),
        Err(ProviderError::Age(_))
    ));
}

#[test]
fn v_lbs_3_rsus_are_judged_by_a_recent_state() {
    let mut road = Road::new();
    road.wait(MAX_STALENESS_MS + 1);
    let request = road.request(CHARGING, charging(), CELL);
    assert!(matches!(
        receive(&mut road, &request),
        Err(ProviderError::Stale(RID))
    ));
    let now = road.now();
    assert_eq!(road.provider(CHARGING).ageing(now, 0), [RID]);
    let revoked = RsuRecord {
        revoked_ms: Some(now),
        ..rsu_record(RID)
    };
    for record in [None, Some(revoked)] {
        let mut random = rng(5);
        let proof = verified(now, now, &[(RID, record)]);
        let provider = road.provider(CHARGING);
        provider.learn(RID, &proof, now).unwrap();
        let received = provider.receive(&request.to_bytes(), now, &mut random);
        assert!(matches!(received, Err(ProviderError::Rsu(RID))));
        // An older state does not bring it back.
        let old = verified(5, now, &[(RID, Some(rsu_record(RID)))]);
        provider.learn(RID, &old, now).unwrap();
        let received = provider.receive(&request.to_bytes(), now, &mut random);
        assert!(matches!(received, Err(ProviderError::Rsu(RID))));
    }
    let stale = verified(now + 1, now - MAX_STALENESS_MS - 1, &[(RID, None)]);
    let learned = road.provider(CHARGING).learn(RID, &stale, now);
    assert!(matches!(learned, Err(ProviderError::Stale(RID))));
}

#[test]
fn v_lbs_4_any_changed_field_breaks_the_signature() {
    let mut road = Road::new();
    let request = road.request(CHARGING, charging(), CELL);
    let with = |change: fn(&mut Request)| {
        let mut changed = request.clone();
        change(&mut changed);
        changed
    };
    let changed = [
        with(|request| request.commitment[0] ^= 1),
        with(|request| request.cell.x += 1),
        with(|request| request.time_s += 1),
        with(|request| request.query[100] ^= 1),
    ];
    for changed in changed {
        let received = receive(&mut road, &changed);
        assert!(matches!(received, Err(ProviderError::Signature(RID))));
    }
    assert!(receive(&mut road, &request).is_ok());
}

#[test]
fn v_lbs_5_an_rsu_vouches_for_its_own_reach_only() {
    let mut road = Road::new();
    // A lying RSU, which believes that it hears everybody.
    let everywhere = Reach {
        reach_m: 1e9,
        ..reach()
    };
    road.desk = Desk::new(CHAIN, RID, rsu_signer(RID), everywhere);
    let request = road.request(CHARGING, charging(), FAR);
    let received = receive(&mut road, &request);
    assert!(matches!(received, Err(ProviderError::OutOfReach(RID, FAR))));
}

#[test]
fn v_lbs_6_a_replayed_request_is_refused() {
    let mut road = Road::new();
    let request = road.request(CHARGING, charging(), CELL);
    assert!(receive(&mut road, &request).is_ok());
    assert!(matches!(
        receive(&mut road, &request),
        Err(ProviderError::Replayed)
    ));
    road.wait(MAX_AGE_MS);
    assert!(matches!(
        receive(&mut road, &request),
        Err(ProviderError::Replayed)
    ));
}

#[test]
fn v_lbs_7_a_query_under_another_statement_is_refused() {
    let mut road = Road::new();
    let first = road.request(CHARGING, charging(), CELL);
    road.wait(5_000);
    road.refresh();
    // A lying RSU signs a new statement around an old query.
    let datagram = road.ask(CHARGING, charging(), CELL);
    let Ok(Order::Query { request, .. }) = road.desk(&datagram) else {
        panic!("expected a query");
    };
    let swapped = Request {
        query: first.query,
        ..*request.clone()
    };
    let signed = swapped.clone().signed(&CHAIN, &rsu_signer(RID));
    assert!(matches!(
        receive(&mut road, &swapped),
        Err(ProviderError::Signature(RID))
    ));
    assert!(matches!(
        receive(&mut road, &signed),
        Err(ProviderError::Query)
    ));
    // Sealed for another provider, it does not open.
    let mut other = Provider::new(
        &common::road(),
        CHARGING,
        secret(ROADS),
        500.0,
        Book::Charging(points()),
    );
    let now = road.now();
    let proof = verified(1 + now - START, now, &[(RID, Some(rsu_record(RID)))]);
    other.learn(RID, &proof, now).unwrap();
    let received = other.receive(&request.to_bytes(), now, &mut road.rng);
    assert!(matches!(received, Err(ProviderError::Query)));
}

#[test]
fn any_bytes_are_refused_and_nothing_panics() {
    let mut road = Road::new();
    let request = road.request(CHARGING, charging(), CELL).to_bytes();
    let now = road.now();
    for at in 0..request.len() {
        let mut changed = request.clone();
        changed[at] ^= 0x80;
        let mut random = rng(5);
        assert!(
            road.provider(CHARGING)
                .receive(&changed, now, &mut random)
                .is_err()
        );
    }
    assert!(Request::decode(Copying(&request)).is_ok());
}

// Who sees what.

/// The identity and whatever links a vehicle: its UID, holder, session and every value that the login made.
fn secrets_of_identity(road: &Road) -> Vec<Vec<u8>> {
    let (_, session) = road.pair.vehicle.session().unwrap();
    let holder = Holder::Registered(UID).to_bytes().to_vec();
    let token = road.pair.vehicle.next_token().unwrap().public().to_bytes();
    vec![
        UID.0.to_vec(),
        holder,
        common::vehicle_secret().public().to_bytes().to_vec(),
        session.asc().0.to_vec(),
        session.agreement().0.to_vec(),
        token.to_vec(),
        road.pair.accepted[0].mint.unwrap().id.0.to_vec(),
    ]
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn a_provider_sees_no_identity_and_nothing_that_links_to_a_login() {
    let mut road = Road::new();
    for _ in 0..3 {
        road.answer(CHARGING, charging(), CELL);
        road.wait(SPACING_MS);
    }
    let secrets = secrets_of_identity(&road);
    for request in &road.requests {
        // What it opens, too.
        let request_of = Request::decode(Copying(request)).unwrap();
        let opened = opened(CHARGING, &request_of);
        for secret in &secrets {
            assert!(!contains(request, secret) && !contains(&opened, secret));
        }
    }
}

/// What the provider finds in a query.
fn opened(id: ProviderId, request: &Request) -> Vec<u8> {
    const QUERY: cairn_crypto::transcript::Domain =
        cairn_crypto::transcript::Domain::new("cairn/1/service/query");
    let context = [CHAIN.0.as_slice(), &id.0.to_be_bytes()].concat();
    cairn_crypto::credential::open_sealed(QUERY, &secret(id), &context, &request.query)
        .unwrap()
        .to_vec()
}

#[test]
fn an_rsu_sees_neither_pseudonym_nor_question_nor_answer() {
    let mut road = Road::new();
    road.answer(CHARGING, charging(), CELL);
    let request = Request::decode(Copying(&road.requests[0])).unwrap();
    let query = opened(CHARGING, &request);
    let (pseudonym, nonce, reply) = (&query[..16], &query[16..32], &query[32..64]);
    // Everything that the RSU has: what it passes on, and the answer.
    for seen in [&road.requests[0], &road.answers[0]] {
        for part in [pseudonym, nonce, reply, b"near"] {
            assert!(!contains(seen, part));
        }
    }
    // Lengths tell nothing either.
    road.wait(SPACING_MS);
    road.answer(ROADS, ahead(), CELL);
    road.wait(SPACING_MS);
    road.answer(CHARGING, Question::Charging { least_kw: 999 }, CELL);
    let lengths = |all: &[Vec<u8>]| all.iter().all(|one| one.len() == all[0].len());
    assert!(lengths(&road.requests) && lengths(&road.answers));
}

#[test]
fn who_listens_sees_neither_provider_nor_cell_and_one_length() {
    let mut road = Road::new();
    road.answer(CHARGING, charging(), CELL);
    road.wait(SPACING_MS);
    road.answer(ROADS, ahead(), CELL);
    let kinds: Vec<_> = road
        .air
        .iter()
        .map(|datagram| (datagram[0], datagram.len()))
        .collect();
    let order = (cairn_protocol::wire::SERVICE_ORDER, 252);
    let notice = (cairn_protocol::wire::SERVICE_NOTICE, 146);
    // Proof wanted, question, answer; twice.
    assert_eq!(kinds, [order, order, notice, order, order, notice]);
    let mut refused = Road::new();
    lie(&mut refused, FAR);
}

#[test]
fn two_providers_that_compare_notes_find_no_common_value() {
    let mut road = Road::new();
    for _ in 0..3 {
        road.answer(CHARGING, charging(), CELL);
        road.wait(SPACING_MS);
        road.answer(ROADS, ahead(), CELL);
        road.wait(SPACING_MS);
    }
    let notes = |id: ProviderId| -> Vec<Vec<u8>> {
        let requests = road
            .requests
            .iter()
            .map(|bytes| Request::decode(Copying(bytes)).unwrap());
        let own = requests.filter(|request| request.provider == id);
        own.flat_map(|request| {
            let query = opened(id, &request);
            vec![
                query[..16].to_vec(),
                query[16..32].to_vec(),
                query[32..64].to_vec(),
                request.commitment.to_vec(),
                request.query.to_vec(),
                request.time_s.to_be_bytes().to_vec(),
            ]
        })
        .collect()
    };
    let (one, two) = (notes(CHARGING), notes(ROADS));
    assert_eq!((one.len(), two.len()), (18, 18));
    // Runs of eight bytes anywhere in them: a value that is hidden in another is common, too. The second is
    // the last of them, and compared as a whole.
    for value in &one {
        assert!(!two.contains(value));
        for part in value.windows(8).filter(|_| value.len() > 8) {
            assert!(!two.iter().any(|other| contains(other, part)));
        }
    }
}

#[test]
fn one_provider_knows_a_vehicle_again_until_its_pseudonym_ends() {
    let mut road = Road::new();
    let mut pseudonym = |wait_ms: u64| {
        road.wait(wait_ms);
        road.refresh();
        road.pair.vehicle.leave();
        road.pair.log_in();
        let request = road.request(CHARGING, charging(), CELL);
        opened(CHARGING, &request)[..16].to_vec()
    };
    let first = pseudonym(0);
    assert_eq!(pseudonym(10_000), first);
    assert_ne!(pseudonym(PSEUDONYM_LIFE_MS), first);
}

#[test]
fn frames_have_a_fixed_encoding() {
    let frame = ServiceFrame {
        asc: cairn_protocol::login::Asc([3; 8]),
        sealed: vec![9; 243],
    };
    let message = Message::ServiceOrder(frame);
    let bytes = message.encode();
    assert_eq!((bytes[0], bytes.len()), (0x50, 252));
    assert_eq!(Message::decode(&bytes).unwrap(), message);
}
