//! Enrolment with three issuers, traces and revocations, from the vehicle's order to the RSU's refusal.

mod common;

use std::collections::BTreeMap;

use cairn_contracts::credentials::{EpochRecord, IssuerRecord, RequestRecord, request_key};
use cairn_crypto::{
    credential::{self, Credential, Pending, Policy, PolicyError, Request, Slot, request_batch},
    issuer::{self, KeyShare, Session},
    linkage::{Authority, LinkageValue, Period, Revocation},
    schnorr::SecretKey,
    seal::RegisterKey,
    suite::{Ristretto255, Secret},
};
use cairn_ledger::{Address, PrivateKey, Record, Uid, light::Verified};
use cairn_protocol::{
    authority::{Application, Identification, Registrar},
    issuing::{
        Book, BookError, Circle, CircleError, Countersigner, EnrolError, Enroller, Entry, Issuance,
        IssueError, IssuerDesk, Order, SignedTicket, Start, Ticket, open_answer,
        trace::{HandleAnswer, TraceError, Warrant, answer_digest, reason_digest},
    },
    login::Way,
    roadside::{AnonymousWhy, Issuers, Why},
    vehicle::{Rotation, Wallet},
};
use common::{
    CHAIN, DAY, KEYS, Pair, START,
    issuing::{key_shares, seconds},
    rng,
};
use commonware_cryptography::Signer as _;
use rand::rngs::StdRng;

type S = Ristretto255;

const EPOCH: u16 = 1;
const CREDENTIALS: Address = Address([11; 20]);

fn signer(number: u64) -> PrivateKey {
    PrivateKey::from_seed(7_000 + number)
}

/// TA, LEA, three issuers.
struct Office {
    registrar: Registrar,
    enroller: Enroller,
    countersigner: Countersigner,
    desks: Vec<IssuerDesk>,
    circle: Circle,
    rng: StdRng,
    stored_by_ta: Vec<Entry>,
    stored_by_lea: Vec<Entry>,
    logs: Vec<Vec<Issuance>>,
}

/// A vehicle as TA knows it, and what it has ordered.
struct Car {
    uid: Uid,
    key: SecretKey,
    application: Application,
    pending: Vec<(Pending<S>, Slot)>,
}

fn person(name: &str) -> Identification {
    Identification {
        name: name.into(),
        document: format!("ID {name}"),
        plate: format!("HH {name}"),
        vehicle: "car".into(),
        licence: "B".into(),
    }
}

fn start(number: u8, share: KeyShare<S>) -> Start {
    Start {
        chain: CHAIN,
        ta: signer(1).public_key(),
        lea: signer(2).public_key(),
        epoch: EPOCH,
        policy: Policy::default(),
        signer: signer(10 + u64::from(number)),
        opener: Secret::random(&mut rng(900 + u64::from(number))),
        share,
    }
}

fn book(authority: Authority, entries: &[Entry]) -> Book {
    Book::new(authority, Policy::default(), entries)
}

fn record(number: u8, share: &KeyShare<S>) -> IssuerRecord {
    let set = share.set().to_bytes();
    let at = 2 + 32 * usize::from(number);
    IssuerRecord {
        signer: signer(10 + u64::from(number)).public_key(),
        share: set[at..at + 32].try_into().unwrap(),
        sealing: Secret::<S>::random(&mut rng(900 + u64::from(number)))
            .public()
            .to_bytes(),
    }
}

fn epoch_record(share: &KeyShare<S>) -> EpochRecord {
    EpochRecord {
        key: share.set().issuer_key().element().to_bytes(),
        needed: 2,
        issuers: 3,
        confirmed: 0b111,
        ended: false,
    }
}

impl Office {
    fn new() -> Self {
        let mut rng = rng(60);
        let shares = key_shares(&mut rng);
        let members: Vec<_> = (1..)
            .zip(&shares)
            .map(|(n, share)| record(n, share))
            .collect();
        let circle = Circle::new(
            EPOCH,
            Policy::default(),
            &epoch_record(&shares[0]),
            &members,
        );
        let desks = (1..)
            .zip(shares)
            .map(|(number, share)| IssuerDesk::new(start(number, share), Vec::new()));
        Self {
            registrar: Registrar::new(
                CHAIN,
                KEYS,
                signer(1),
                RegisterKey::new(&[3; 32]),
                Vec::new(),
            ),
            enroller: Enroller::new(
                CHAIN,
                signer(1),
                signer(2).public_key(),
                book(Authority::Registrar, &[]),
            ),
            countersigner: Countersigner::new(CHAIN, signer(2), book(Authority::Reviewer, &[])),
            desks: desks.collect(),
            circle: circle.unwrap(),
            rng,
            stored_by_ta: Vec::new(),
            stored_by_lea: Vec::new(),
            logs: vec![Vec::new(); 3],
        }
    }

    fn register(&mut self, name: &str) -> Car {
        let key = SecretKey::random(&mut self.rng);
        let application = Application::new(&CHAIN, [1; 16], person(name), &key, &mut self.rng);
        let registered = self.registrar.register(&application, START, &mut self.rng);
        let (entry, _) = registered.unwrap();
        Car {
            uid: entry.uid,
            key,
            application,
            pending: Vec::new(),
        }
    }

    /// What the vehicle asks for.
    fn order(&mut self, car: &mut Car, slots: &[Slot]) -> Order {
        let count = u8::try_from(slots.len()).unwrap();
        let batch: Vec<(Pending<S>, Request<S>)> = request_batch(count, &mut self.rng);
        let mut wanted = Vec::new();
        for ((pending, request), slot) in batch.into_iter().zip(slots) {
            car.pending.push((pending, *slot));
            wanted.push((request, *slot));
        }
        Order::new(&CHAIN, car.uid, &car.key, EPOCH, wanted, &mut self.rng)
    }

    fn tickets(&mut self, car: &Car, order: &Order) -> Result<Vec<Ticket>, EnrolError> {
        let (circle, rng) = (&self.circle, &mut self.rng);
        let key = &car.application.key;
        let (tickets, entries) = self.enroller.tickets(order, key, circle, START, rng)?;
        self.stored_by_ta.extend(entries);
        Ok(tickets)
    }

    fn signed(&mut self, car: &Car, order: &Order) -> Result<Vec<SignedTicket>, EnrolError> {
        let tickets = self.tickets(car, order)?;
        let (circle, rng) = (&self.circle, &mut self.rng);
        let application = &car.application;
        let (signed, entries) =
            self.countersigner
                .countersign(order, application, tickets, circle, START, rng)?;
        self.stored_by_lea.extend(entries);
        let signed = signed.into_iter();
        signed
            .map(|(ticket, lea)| self.enroller.sign(ticket, lea))
            .collect()
    }

    /// The sealed answer, with these two of the three issuers.
    fn issue(&mut self, ticket: &SignedTicket, by: [usize; 2]) -> Result<Vec<u8>, IssueError> {
        let mut commitments = BTreeMap::new();
        for at in by {
            let desk = &mut self.desks[at];
            commitments.insert(desk.index(), desk.commit(&mut self.rng));
        }
        let coordinator = &self.desks[by[0]];
        let round = coordinator.round(ticket, commitments.clone())?;
        let session = Session::new(coordinator.set().clone(), round)?;
        let mut shares = BTreeMap::new();
        for at in by {
            let desk = &mut self.desks[at];
            let (share, line) = desk.sign(ticket, commitments.clone())?;
            self.logs[at].extend(line);
            shares.insert(desk.index(), share);
        }
        Ok(session.finish(&shares)?.seal(&mut self.rng))
    }

    /// A registered vehicle with credentials of these slots.
    fn enrol(&mut self, name: &str, slots: &[Slot]) -> (Car, Vec<Credential<S>>) {
        let mut car = self.register(name);
        let order = self.order(&mut car, slots);
        let tickets = self.signed(&car, &order).unwrap();
        let mut credentials = Vec::new();
        for ((pending, slot), ticket) in car.pending.iter().zip(&tickets) {
            let answer = self.issue(ticket, [0, 1]).unwrap();
            credentials.push(open_answer(pending, *slot, &answer, &self.circle).unwrap());
        }
        (car, credentials)
    }

    fn issuers(&self) -> Issuers {
        let mut issuers = Issuers::new(self.circle.policy, START);
        issuers.install(EPOCH, self.circle.key.clone());
        issuers
    }
}

fn slots() -> Vec<Slot> {
    let policy = Policy::default();
    let period = policy.period(seconds(START));
    let all = (0..policy.per_period()).filter_map(|k| policy.slot(period, k));
    all.filter(|slot| u64::from(slot.end_s()) * 1_000 > START)
        .take(3)
        .collect()
}

fn linkage(credential: &Credential<S>) -> LinkageValue {
    credential.certificate().attributes().linkage
}

/// What a proof of the ledger shows of request 0.
fn shown(value: LinkageValue) -> Verified {
    let record = RequestRecord {
        linkage: value.0,
        reason: reason_digest(b"court order 12/26"),
        requested_ms: START,
        handled: 0,
        answer: None,
    };
    Verified {
        height: 9,
        time_ms: START,
        entries: vec![(request_key(&CREDENTIALS, 0), Some(Record::of(&record)))],
    }
}

fn warrant(value: LinkageValue) -> Warrant {
    Warrant::read(&shown(value), &CREDENTIALS, 0).unwrap()
}

#[test]
fn a_vehicle_orders_credentials_and_logs_in_with_them() {
    let mut office = Office::new();
    let (_, credentials) = office.enrol("Ada", &slots());
    assert_eq!(credentials.len(), 3);
    let mut values: Vec<_> = credentials.iter().map(linkage).collect();
    values.sort_unstable();
    values.dedup();
    assert_eq!(
        values.len(),
        3,
        "every credential has its own linkage value"
    );
    let mut pair = Pair::of(Wallet::new(credentials, Rotation::default()), 1);
    pair.rsu.set_issuers(office.issuers());
    assert_eq!(pair.log_in().way, Way::Anonymous);
}

#[test]
fn b13_any_two_of_three_issue_and_the_loss_of_one_does_not_matter() {
    let mut office = Office::new();
    let mut car = office.register("Ada");
    let order = office.order(&mut car, &slots()[..1]);
    let ticket = office.signed(&car, &order).unwrap().remove(0);
    let (pending, slot) = &car.pending[0];
    let mut values = Vec::new();
    for by in [[0, 1], [1, 2], [2, 0]] {
        let answer = office.issue(&ticket, by).unwrap();
        let credential = open_answer(pending, *slot, &answer, &office.circle).unwrap();
        values.push(linkage(&credential));
    }
    assert!(values.iter().all(|value| *value == values[0]));
    let lines: Vec<_> = office.logs.iter().map(Vec::len).collect();
    assert_eq!(lines, [1, 1, 1], "written once");
}

// V-ENROL.

#[test]
fn an_order_of_another_key_epoch_or_length_is_refused() {
    let mut office = Office::new();
    let mut car = office.register("Ada");
    let order = office.order(&mut car, &slots());
    let mut by_thief = Order::new(
        &CHAIN,
        car.uid,
        &SecretKey::random(&mut rng(70)),
        EPOCH,
        order.wanted.clone(),
        &mut rng(71),
    );
    let refused = office.tickets(&car, &by_thief);
    assert_eq!(refused.err(), Some(EnrolError::Signature));
    by_thief.epoch = 2;
    let refused = office.tickets(&car, &by_thief);
    assert_eq!(refused.err(), Some(EnrolError::Epoch(2)));
    let mut cut = order.clone();
    cut.wanted.pop();
    let refused = office.tickets(&car, &cut);
    assert_eq!(refused.err(), Some(EnrolError::Signature));
    cut.wanted.clear();
    let refused = office.tickets(&car, &cut);
    assert_eq!(refused.err(), Some(EnrolError::Count(0)));
}

#[test]
fn b3_keys_that_the_vehicle_does_not_hold_are_refused() {
    let mut office = Office::new();
    let mut car = office.register("Ada");
    let wanted = office.order(&mut car, &slots()[..2]).wanted;
    // The proof of one request under the handle of the other.
    let mut bytes = wanted[0].0.to_bytes();
    bytes[..16].copy_from_slice(&wanted[1].0.to_bytes()[..16]);
    let forged = vec![(Request::from_bytes(&bytes).unwrap(), wanted[0].1)];
    let order = Order::new(&CHAIN, car.uid, &car.key, EPOCH, forged, &mut rng(72));
    let refused = office.tickets(&car, &order);
    assert_eq!(refused.err(), Some(EnrolError::Possession));
}

#[test]
fn a_third_credential_at_a_time_is_refused_by_ta_and_by_lea() {
    let mut office = Office::new();
    let (mut car, _) = office.enrol("Ada", &slots());
    car.pending.clear();
    let order = office.order(&mut car, &slots()[..1]);
    let too_many = EnrolError::Book(BookError::Policy(PolicyError::TooMany));
    assert_eq!(office.tickets(&car, &order).err(), Some(too_many));
    // TA with an empty book would give it; LEA would not sign.
    let empty = book(Authority::Registrar, &[]);
    office.enroller = Enroller::new(CHAIN, signer(1), signer(2).public_key(), empty);
    let tickets = office.tickets(&car, &order).unwrap();
    let refused = office.countersigner.countersign(
        &order,
        &car.application,
        tickets,
        &office.circle,
        START,
        &mut office.rng,
    );
    assert_eq!(refused.err(), Some(too_many));
}

#[test]
fn slots_that_are_over_far_ahead_or_none_of_the_policys_are_refused() {
    let mut office = Office::new();
    let mut car = office.register("Ada");
    let policy = Policy::default();
    let this = policy.period(seconds(START));
    let over = policy.slot(this, 0).unwrap();
    assert!(u64::from(over.end_s()) * 1_000 <= START);
    let far = policy.slot(Period(this.0 + 2), 0).unwrap();
    for slot in [over, far] {
        let order = office.order(&mut car, &[slot]);
        let refused = office.tickets(&car, &order);
        assert_eq!(refused.err(), Some(EnrolError::Slot(slot.start_s())));
    }
    let odd = Slot::new(slots()[0].start_s() + 60, 960).unwrap();
    let order = office.order(&mut car, &[odd]);
    let grid = EnrolError::Book(BookError::Policy(PolicyError::Grid));
    assert_eq!(office.tickets(&car, &order).err(), Some(grid));
}

#[test]
fn the_same_request_again_gets_the_same_and_no_other_vehicle_gets_it() {
    let mut office = Office::new();
    let (mut car, credentials) = office.enrol("Ada", &slots()[..1]);
    let stored = office.stored_by_ta.len();
    let request = {
        let order = office.order(&mut car, &slots()[1..2]);
        office.signed(&car, &order).unwrap();
        let again = office.signed(&car, &order).unwrap().remove(0);
        let answer = office.issue(&again, [0, 2]).unwrap();
        let (pending, slot) = &car.pending[1];
        let credential = open_answer(pending, *slot, &answer, &office.circle).unwrap();
        assert_ne!(linkage(&credential), linkage(&credentials[0]));
        order.wanted
    };
    assert_eq!(office.stored_by_ta.len(), stored + 1, "written once");
    let thief = office.register("Eve");
    let order = Order::new(&CHAIN, thief.uid, &thief.key, EPOCH, request, &mut rng(73));
    let refused = office.tickets(&thief, &order);
    assert_eq!(refused.err(), Some(EnrolError::Book(BookError::Handle)));
}

#[test]
fn lea_signs_nothing_that_was_not_ordered() {
    let mut office = Office::new();
    let mut car = office.register("Ada");
    let order = office.order(&mut car, &slots()[..2]);
    let tickets = office.tickets(&car, &order).unwrap();
    let mut countersign = |order: &Order, application: &Application, tickets: Vec<Ticket>| {
        let (circle, rng) = (&office.circle, &mut office.rng);
        let lea = &mut office.countersigner;
        let result = lea.countersign(order, application, tickets, circle, START, rng);
        result.err()
    };
    let one_less = tickets[..1].to_vec();
    let refused = countersign(&order, &car.application, one_less);
    assert_eq!(refused, Some(EnrolError::Ticket(1)));
    let changes: [fn(&mut Ticket); 4] = [
        |ticket| ticket.group = 1,
        |ticket| ticket.epoch = 2,
        |ticket| ticket.slot = slots()[1],
        |ticket| ticket.by_registrar.truncate(2),
    ];
    for change in changes {
        let mut changed = tickets.clone();
        change(&mut changed[0]);
        let refused = countersign(&order, &car.application, changed);
        assert_eq!(refused, Some(EnrolError::Ticket(0)));
    }
    // An application of somebody else, or one that was made up.
    let other = Application::new(
        &CHAIN,
        [2; 16],
        person("Eve"),
        &SecretKey::random(&mut rng(74)),
        &mut rng(75),
    );
    let refused = countersign(&order, &other, tickets.clone());
    assert_eq!(refused, Some(EnrolError::Signature));
    let mut invented = car.application.clone();
    invented.identification = person("Eve");
    let refused = countersign(&order, &invented, tickets);
    assert!(matches!(refused, Some(EnrolError::Application(_))));
}

#[test]
fn ta_takes_no_ticket_that_lea_did_not_sign() {
    let mut office = Office::new();
    let mut car = office.register("Ada");
    let order = office.order(&mut car, &slots()[..1]);
    let ticket = office.signed(&car, &order).unwrap().remove(0);
    let mut changed = ticket.ticket.clone();
    changed.group = 1;
    let refused = office.enroller.sign(changed, ticket.lea);
    assert_eq!(refused.err(), Some(EnrolError::Countersignature));
}

// V-ISSUE.

#[test]
fn issuers_sign_nothing_without_both_signatures() {
    let mut office = Office::new();
    let mut car = office.register("Ada");
    let order = office.order(&mut car, &slots()[..1]);
    let good = office.signed(&car, &order).unwrap().remove(0);
    let changes: [fn(&mut SignedTicket); 4] = [
        |signed| signed.ta = signed.lea.clone(),
        |signed| signed.lea = signed.ta.clone(),
        |signed| signed.ticket.group = 1,
        |signed| signed.ticket.by_registrar.swap(0, 1),
    ];
    for change in changes {
        let mut changed = good.clone();
        change(&mut changed);
        let refused = office.issue(&changed, [0, 1]);
        assert_eq!(refused, Err(IssueError::Signature));
    }
    let mut old = good.clone();
    old.ticket.epoch = 0;
    let (expected, got) = (EPOCH, 0);
    let refused = office.issue(&old, [0, 1]);
    assert_eq!(refused, Err(IssueError::Epoch { expected, got }));
}

#[test]
fn a_part_that_was_sealed_for_another_request_is_refused() {
    let mut office = Office::new();
    let mut car = office.register("Ada");
    let order = office.order(&mut car, &slots()[..2]);
    let mut tickets = office.tickets(&car, &order).unwrap();
    // TA gives two credentials one part; LEA cannot see it, the issuers do.
    tickets[1].by_registrar = tickets[0].by_registrar.clone();
    let (circle, rng) = (&office.circle, &mut office.rng);
    let lea = &mut office.countersigner;
    let signed = lea.countersign(&order, &car.application, tickets, circle, START, rng);
    let (ticket, lea) = signed.unwrap().0.remove(1);
    let ticket = office.enroller.sign(ticket, lea).unwrap();
    let refused = office.issue(&ticket, [0, 1]);
    assert_eq!(refused, Err(IssueError::Part(Authority::Registrar)));
}

#[test]
fn handle_key_and_linkage_value_serve_once_also_after_a_restart() {
    let mut office = Office::new();
    let mut car = office.register("Ada");
    let order = office.order(&mut car, &slots()[..1]);
    let ticket = office.signed(&car, &order).unwrap().remove(0);
    office.issue(&ticket, [0, 1]).unwrap();
    // TA and LEA together let the same request through for another slot.
    let mut again = ticket.ticket.clone();
    again.slot = slots()[1];
    let other = resign(&office, again);
    assert_eq!(office.issue(&other, [0, 1]), Err(IssueError::Used));

    let log = office.logs[0].clone();
    let stored: Vec<Issuance> = log
        .iter()
        .map(|line| Issuance::from_bytes(&line.to_bytes().try_into().unwrap()).unwrap())
        .collect();
    assert_eq!(stored, log);
    let share = key_shares(&mut rng(60)).remove(0);
    office.desks[0] = IssuerDesk::new(start(1, share), stored);
    assert_eq!(office.issue(&other, [0, 2]), Err(IssueError::Used));
    office.issue(&ticket, [0, 2]).unwrap();
}

/// A ticket that TA and LEA both sign, whatever it says.
fn resign(office: &Office, ticket: Ticket) -> SignedTicket {
    // Both keys are the test's; the roles would not do it.
    let mut namespace = b"cairn/1/enrolment/ticket/".to_vec();
    namespace.extend_from_slice(&CHAIN.0);
    let mut bytes = Vec::new();
    for parts in [&ticket.by_registrar, &ticket.by_reviewer] {
        bytes.extend_from_slice(&(parts.len() as u64).to_be_bytes());
    }
    bytes.extend_from_slice(&ticket.request.to_bytes());
    bytes.extend_from_slice(&ticket.slot.start_s().to_be_bytes());
    bytes.extend_from_slice(&ticket.slot.end_s().to_be_bytes());
    bytes.extend_from_slice(&ticket.group.to_be_bytes());
    bytes.extend_from_slice(&ticket.epoch.to_be_bytes());
    for part in ticket.by_registrar.iter().chain(&ticket.by_reviewer) {
        bytes.extend_from_slice(part);
    }
    let sign = |number| signer(number).sign(&namespace, &bytes);
    let signed = SignedTicket {
        ta: sign(1),
        lea: sign(2),
        ticket,
    };
    assert!(
        office
            .enroller
            .sign(signed.ticket.clone(), signed.lea.clone())
            .is_ok(),
        "the encoding above is that of the roles"
    );
    signed
}

#[test]
fn a_round_with_used_or_foreign_nonces_is_refused() {
    let mut office = Office::new();
    let mut car = office.register("Ada");
    let order = office.order(&mut car, &slots()[..1]);
    let ticket = office.signed(&car, &order).unwrap().remove(0);
    let mut commitments = BTreeMap::new();
    for desk in &mut office.desks[..2] {
        commitments.insert(desk.index(), desk.commit(&mut office.rng));
    }
    office.desks[0].sign(&ticket, commitments.clone()).unwrap();
    let refused = office.desks[0].sign(&ticket, commitments.clone());
    let nonce = IssueError::Issuer(issuer::Error::Nonce);
    assert_eq!(refused.err(), Some(nonce.clone()));
    let refused = office.desks[2].sign(&ticket, commitments);
    assert_eq!(refused.err(), Some(nonce));
}

#[test]
fn an_answer_for_another_slot_is_refused_by_the_vehicle() {
    let mut office = Office::new();
    let mut car = office.register("Ada");
    let order = office.order(&mut car, &slots()[..1]);
    let ticket = office.signed(&car, &order).unwrap().remove(0);
    let answer = office.issue(&ticket, [0, 1]).unwrap();
    let (pending, _) = &car.pending[0];
    let refused = open_answer(pending, slots()[1], &answer, &office.circle);
    assert_eq!(refused.err(), Some(credential::Error::Answer));
}

#[test]
fn a_key_that_not_all_issuers_confirmed_makes_no_circle() {
    let shares = key_shares(&mut rng(60));
    let members: Vec<_> = (1..)
        .zip(&shares)
        .map(|(n, share)| record(n, share))
        .collect();
    let good = epoch_record(&shares[0]);
    let policy = Policy::default();
    for (confirmed, ended) in [(0b011, false), (0b111, true)] {
        let bad = EpochRecord {
            confirmed,
            ended,
            ..good
        };
        let refused = Circle::new(EPOCH, policy, &bad, &members);
        assert_eq!(refused.err(), Some(CircleError::NotConfirmed(EPOCH)));
    }
    let (expected, got) = (3, 2);
    let refused = Circle::new(EPOCH, policy, &good, &members[..2]);
    assert_eq!(refused.err(), Some(CircleError::Members { expected, got }));
}

// V-TRACE and revocation.

#[test]
fn a_traced_attackers_identity_is_the_true_one() {
    let mut office = Office::new();
    let (_, honest) = office.enrol("Ada", &slots());
    let (attacker, credentials) = office.enrol("Mallory", &slots());
    let warrant = warrant(linkage(&credentials[1]));
    for desk in &office.desks[..2] {
        let answer = desk.handle_of(&warrant).unwrap();
        let uid = office
            .enroller
            .identify(&warrant, &answer, &office.circle)
            .unwrap();
        assert_eq!(uid, attacker.uid);
        assert!(office.registrar.open(&uid).unwrap() == person("Mallory"));
        assert_ne!(
            answer_digest(&warrant, &uid, &[1; 32]),
            answer_digest(&warrant, &uid, &[2; 32])
        );
    }
    assert_ne!(linkage(&honest[1]), linkage(&credentials[1]));
}

#[test]
fn without_a_final_request_there_is_no_warrant() {
    let value = LinkageValue([1; 9]);
    let good = shown(value);
    let refused = TraceError::NoRequest;
    let nothing = Verified {
        entries: Vec::new(),
        ..good.clone()
    };
    let absent = Verified {
        entries: vec![(request_key(&CREDENTIALS, 0), None)],
        ..good.clone()
    };
    for shown in [nothing, absent] {
        let warrant = Warrant::read(&shown, &CREDENTIALS, 0);
        assert_eq!(warrant, Err(refused(0)));
    }
    assert_eq!(Warrant::read(&good, &CREDENTIALS, 1), Err(refused(1)));
    let elsewhere = Address([12; 20]);
    assert_eq!(Warrant::read(&good, &elsewhere, 0), Err(refused(0)));
    assert_eq!(warrant(value).linkage(), value);
}

#[test]
fn a_warrant_for_one_linkage_value_opens_no_other() {
    let mut office = Office::new();
    let (_, ada) = office.enrol("Ada", &slots());
    let (_, eve) = office.enrol("Eve", &slots());
    let (for_ada, for_eve) = (warrant(linkage(&ada[0])), warrant(linkage(&eve[0])));
    let answer = office.desks[0].handle_of(&for_eve).unwrap();
    let refused = Err(TraceError::Handle(EPOCH));
    let identify = |warrant: &Warrant, answer: &HandleAnswer| {
        office.enroller.identify(warrant, answer, &office.circle)
    };
    assert_eq!(identify(&for_ada, &answer), refused);
    let mut forged = office.desks[0].handle_of(&for_ada).unwrap();
    forged.handle = answer.handle;
    assert_eq!(identify(&for_ada, &forged), refused);
    for issuer in [0, 2, 4] {
        let mut forged = answer.clone();
        forged.issuer = issuer;
        assert_eq!(identify(&for_eve, &forged), refused);
    }
    let nobody = warrant(LinkageValue([9; 9]));
    assert_eq!(office.desks[0].handle_of(&nobody), Err(TraceError::Unknown));
}

#[test]
fn published_seeds_revoke_from_their_period_on_and_open_none_before() {
    let mut office = Office::new();
    let (_, credentials) = office.enrol("Mallory", &slots());
    let policy = office.circle.policy;
    let period = policy.period(seconds(START));
    let warrant = warrant(linkage(&credentials[1]));
    let answer = office.desks[0].handle_of(&warrant).unwrap();
    let circle = &office.circle;
    let publish = |period| {
        let registrar = office.enroller.publish(&warrant, &answer, circle, period);
        let reviewer = office
            .countersigner
            .publish(&warrant, &answer, circle, period);
        (registrar, reviewer)
    };
    let (registrar, reviewer) = publish(period);
    let revocation = Revocation {
        period,
        registrar: registrar.unwrap(),
        reviewer: reviewer.unwrap(),
    };
    let opened: Vec<_> = revocation
        .expand(period, policy.per_period())
        .unwrap()
        .collect();
    for credential in &credentials {
        assert!(opened.contains(&linkage(credential)));
    }
    assert!(revocation.expand(Period(period.0 - 1), 20).is_err());
    assert!(publish(Period(period.0 - 1)).0.is_err());

    let mut pair = Pair::of(Wallet::new(credentials, Rotation::default()), 1);
    pair.rsu.set_issuers(office.issuers());
    pair.rsu.revoke(revocation, START);
    pair.meet();
    let hello = pair.hello();
    let why = pair.answer(&hello).unwrap().rejected().why;
    assert!(matches!(why, Why::Anonymous(_, AnonymousWhy::Revoked)));
}

// What is stored.

#[test]
fn books_go_on_after_a_restart_and_a_torn_entry_is_cut_off() {
    let mut office = Office::new();
    let (mut car, credentials) = office.enrol("Ada", &slots()[..1]);
    let mut bytes: Vec<u8> = Vec::new();
    for entry in &office.stored_by_ta {
        bytes.extend_from_slice(entry.as_bytes());
    }
    let whole = bytes.len();
    bytes.extend_from_slice(&office.stored_by_ta[0].as_bytes()[..7]);
    let (entries, read) = Entry::read_all(&bytes).unwrap();
    assert_eq!((entries.len(), read), (2, whole));
    assert!(Entry::read_all(b"name,plate\n").is_none());

    let ta = book(Authority::Registrar, &entries);
    office.enroller = Enroller::new(CHAIN, signer(1), signer(2).public_key(), ta);
    let lea = book(Authority::Reviewer, &office.stored_by_lea);
    office.countersigner = Countersigner::new(CHAIN, signer(2), lea);
    let warrant = warrant(linkage(&credentials[0]));
    let answer = office.desks[1].handle_of(&warrant).unwrap();
    let uid = office.enroller.identify(&warrant, &answer, &office.circle);
    assert_eq!(uid, Ok(car.uid));
    car.pending.clear();
    let order = office.order(&mut car, &slots()[1..2]);
    let ticket = office.signed(&car, &order).unwrap().remove(0);
    let answer = office.issue(&ticket, [1, 2]).unwrap();
    let (pending, slot) = &car.pending[0];
    let credential = open_answer(pending, *slot, &answer, &office.circle).unwrap();
    assert_ne!(linkage(&credential), linkage(&credentials[0]));
    // The seed is the same, so that one revocation covers both.
    let period = office.circle.policy.period(seconds(START));
    let answer = office.desks[1].handle_of(&warrant).unwrap();
    let (circle, lea) = (&office.circle, &office.countersigner);
    let revocation = Revocation {
        period,
        registrar: office
            .enroller
            .publish(&warrant, &answer, circle, period)
            .unwrap(),
        reviewer: lea.publish(&warrant, &answer, circle, period).unwrap(),
    };
    let mut opened = revocation.expand(period, 20).unwrap();
    assert!(opened.any(|value| value == linkage(&credential)));
}

#[test]
fn a_day_later_the_next_slots_can_be_ordered() {
    let policy = Policy::default();
    let later = policy.period(seconds(START + DAY));
    let mut office = Office::new();
    let mut car = office.register("Ada");
    let all: Vec<Slot> = (0..policy.per_period())
        .filter_map(|k| policy.slot(later, k))
        .filter(|slot| u64::from(slot.end_s()) * 1_000 > START)
        .collect();
    let order = office.order(&mut car, &all);
    assert_eq!(office.signed(&car, &order).unwrap().len(), all.len());
}
