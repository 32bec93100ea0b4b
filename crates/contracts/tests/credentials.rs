//! The rules of contract `credentials`, on a ledger without a chain.

mod common;

use cairn_contracts::credentials::{
    self, Counters, EpochRecord, IssuerRecord, Operation, Parameters, RequestRecord,
    RevocationRecord,
};
use cairn_ledger::{Action, Address, PrivateKey, Refusal, StateKey};
use common::{NOW, World};
use commonware_codec::{DecodeExt as _, Encode as _, Read};
use commonware_cryptography::Signer as _;
use curve25519_dalek::{RistrettoPoint, Scalar};

const POLICY: Parameters = Parameters {
    step_minutes: 480,
    per_period: 20,
};
const REASON: [u8; 32] = [5; 32];
const VALUE: [u8; 9] = [6; 9];

struct Office {
    world: World,
    contract: Address,
    nonce: u64,
}

fn point(number: u8) -> [u8; 32] {
    RistrettoPoint::mul_base(&Scalar::from(number))
        .compress()
        .to_bytes()
}

fn signer(issuer: u8) -> PrivateKey {
    PrivateKey::from_seed(200 + u64::from(issuer))
}

fn issuer(number: u8) -> IssuerRecord {
    IssuerRecord {
        signer: signer(number).public_key(),
        share: point(10 + number),
        sealing: point(20 + number),
    }
}

fn install(epoch: u16) -> Operation {
    Operation::Install {
        epoch,
        key: point(1),
        needed: 2,
        issuers: (1..=3).map(issuer).collect(),
    }
}

fn confirm(number: u8) -> Operation {
    Operation::Confirm {
        epoch: 1,
        issuer: number,
        key: point(1),
    }
}

const REQUEST: Operation = Operation::Request {
    number: 0,
    linkage: VALUE,
    reason: REASON,
};

fn handled(issuer: u8) -> Operation {
    Operation::Handled {
        number: 0,
        epoch: 1,
        issuer,
    }
}

const ANSWERED: Operation = Operation::Answered {
    number: 0,
    answer: [8; 32],
};

fn revoke(number: u32) -> Operation {
    Operation::Revoke {
        number,
        period: 7,
        registrar: [1; 32],
        reviewer: [2; 32],
    }
}

impl Office {
    fn new() -> Self {
        let mut world = World::new();
        let deploy = credentials::deploy(2, NOW, &world.ta.public_key(), &POLICY);
        let deploy = deploy.sign(&world.genesis.chain_id(), &[&world.ta]);
        assert_eq!(world.run(&deploy), Ok(()));
        Self {
            contract: Address::of_instance(&world.ta.public_key(), 2),
            world,
            nonce: 100,
        }
    }

    /// With an epoch that counts.
    fn open() -> Self {
        let mut office = Self::new();
        assert_eq!(office.by_both(&install(1)), Ok(()));
        for number in 1..=3 {
            assert_eq!(office.by(&[&signer(number)], &confirm(number)), Ok(()));
        }
        office
    }

    fn by(&mut self, signers: &[&PrivateKey], operation: &Operation) -> Result<(), Refusal> {
        self.nonce += 1;
        let call = credentials::call(self.nonce, NOW, self.contract, operation);
        let signed = call.sign(&self.world.genesis.chain_id(), signers);
        self.world.run(&signed)
    }

    fn by_both(&mut self, operation: &Operation) -> Result<(), Refusal> {
        let (ta, lea) = (self.world.ta.clone(), self.world.lea.clone());
        self.by(&[&ta, &lea], operation)
    }

    fn by_ta(&mut self, operation: &Operation) -> Result<(), Refusal> {
        let ta = self.world.ta.clone();
        self.by(&[&ta], operation)
    }

    fn by_lea(&mut self, operation: &Operation) -> Result<(), Refusal> {
        let lea = self.world.lea.clone();
        self.by(&[&lea], operation)
    }

    fn get<T: Read<Cfg = ()>>(&self, key: &StateKey) -> Option<T> {
        let record = self.world.state.get(key)?;
        Some(record.decode_as().unwrap())
    }

    fn epoch(&self) -> EpochRecord {
        self.get(&credentials::epoch_key(&self.contract, 1))
            .unwrap()
    }

    fn request(&self) -> RequestRecord {
        let key = credentials::request_key(&self.contract, 0);
        self.get(&key).unwrap()
    }
}

#[test]
fn an_epoch_counts_when_all_issuers_have_confirmed_its_key() {
    let mut office = Office::new();
    assert_eq!(office.by_both(&install(1)), Ok(()));
    for number in 1..=3 {
        assert!(!office.epoch().counts());
        assert_eq!(office.by(&[&signer(number)], &confirm(number)), Ok(()));
    }
    assert!(office.epoch().counts());
    assert_eq!(office.by(&[&signer(1)], &confirm(1)), Ok(()), "again");
    assert!(office.epoch().counts());
    assert_eq!(office.by_both(&Operation::End { epoch: 1 }), Ok(()));
    assert!(!office.epoch().counts());
}

#[test]
fn epochs_come_in_order_and_are_never_replaced() {
    let mut office = Office::open();
    assert_eq!(office.by_both(&install(1)), Err(Refusal::WrongState));
    assert_eq!(office.by_both(&install(3)), Err(Refusal::WrongState));
    assert_eq!(office.by_both(&install(2)), Ok(()));
    assert!(office.epoch().counts(), "the first goes on");
}

#[test]
fn bad_quorums_and_keys_are_refused() {
    let mut office = Office::new();
    let changed = |needed: u8, count: u8, key: [u8; 32], share: [u8; 32]| {
        let mut issuers: Vec<_> = (1..=count).map(issuer).collect();
        issuers[0].share = share;
        Operation::Install {
            epoch: 1,
            key,
            needed,
            issuers,
        }
    };
    let good = point(9);
    for (needed, count) in [(1, 3), (4, 3), (0, 1)] {
        let operation = changed(needed, count, good, good);
        assert_eq!(office.by_both(&operation), Err(Refusal::OutOfBounds));
    }
    for bad in [[0; 32], [0xff; 32]] {
        for operation in [changed(2, 3, bad, good), changed(2, 3, good, bad)] {
            assert_eq!(office.by_both(&operation), Err(Refusal::InvalidKey));
        }
    }
}

#[test]
fn each_call_needs_its_signers() {
    let mut office = Office::open();
    for operation in [install(2), revoke(0), Operation::End { epoch: 1 }] {
        assert_eq!(office.by_ta(&operation), Err(Refusal::MissingLeaSignature));
        assert_eq!(office.by_lea(&operation), Err(Refusal::MissingTaSignature));
    }
    assert_eq!(office.by_ta(&REQUEST), Err(Refusal::MissingLeaSignature));
    assert_eq!(office.by_lea(&REQUEST), Ok(()));
    let missing = Err(Refusal::MissingOrganisationSignature);
    assert_eq!(office.by_both(&handled(1)), missing);
    assert_eq!(office.by(&[&signer(2)], &handled(1)), missing);
    assert_eq!(office.by(&[&signer(2)], &confirm(1)), missing);
    assert_eq!(office.by(&[&signer(1)], &handled(1)), Ok(()));
    assert_eq!(office.by_lea(&ANSWERED), Err(Refusal::MissingTaSignature));
    assert_eq!(office.by_ta(&ANSWERED), Ok(()));
}

#[test]
fn an_issuer_confirms_no_other_key() {
    let mut office = Office::new();
    office.by_both(&install(1)).unwrap();
    let other = Operation::Confirm {
        epoch: 1,
        issuer: 1,
        key: point(2),
    };
    let result = office.by(&[&signer(1)], &other);
    assert_eq!(result, Err(Refusal::InvalidKey));
    let stranger = signer(9);
    assert_eq!(
        office.by(&[&stranger], &confirm(4)),
        Err(Refusal::NotRegistered)
    );
}

#[test]
fn revocations_are_numbered_without_gaps() {
    let mut office = Office::open();
    assert_eq!(office.by_both(&revoke(1)), Err(Refusal::WrongState));
    assert_eq!(office.by_both(&revoke(0)), Ok(()));
    assert_eq!(office.by_both(&revoke(0)), Err(Refusal::WrongState));
    assert_eq!(office.by_both(&revoke(1)), Ok(()));
    let counters: Counters = office
        .get(&credentials::counters_key(&office.contract))
        .unwrap();
    assert_eq!((counters.revocations, counters.requests), (2, 0));
    let record: RevocationRecord = office
        .get(&credentials::revocation_key(&office.contract, 1))
        .unwrap();
    assert_eq!((record.period, record.time_ms), (7, NOW));
}

#[test]
fn a_trace_is_requested_handled_and_answered_in_this_order() {
    let mut office = Office::open();
    let missing = Err(Refusal::NotRegistered);
    assert_eq!(office.by(&[&signer(1)], &handled(1)), missing);
    assert_eq!(office.by_ta(&ANSWERED), missing);
    assert_eq!(office.by_lea(&REQUEST), Ok(()));
    assert_eq!(office.by_lea(&REQUEST), Err(Refusal::WrongState));
    assert_eq!(office.by_ta(&ANSWERED), Err(Refusal::WrongState));
    assert_eq!(office.by(&[&signer(3)], &handled(3)), Ok(()));
    assert_eq!(office.by_ta(&ANSWERED), Ok(()));
    assert_eq!(office.by_ta(&ANSWERED), Err(Refusal::WrongState), "once");
    let record = office.request();
    assert_eq!((record.linkage, record.reason), (VALUE, REASON));
    assert_eq!((record.requested_ms, record.handled), (NOW, 0b100));
    assert_eq!(record.answer, Some((NOW, [8; 32])));
}

#[test]
fn operations_have_one_encoding() {
    let all = [
        install(1),
        confirm(2),
        Operation::End { epoch: 3 },
        revoke(4),
        REQUEST,
        handled(5),
        ANSWERED,
    ];
    for operation in all {
        let bytes = operation.encode();
        assert_eq!(Operation::decode(bytes.clone()).unwrap(), operation);
        assert!(Operation::decode(bytes.slice(..bytes.len() - 1)).is_err());
        let longer = [bytes.as_ref(), &[0]].concat();
        assert!(Operation::decode(longer).is_err());
    }
}

#[test]
fn a_payload_of_something_else_is_refused() {
    let mut office = Office::open();
    office.nonce += 1;
    let mut call = credentials::call(office.nonce, NOW, office.contract, &REQUEST);
    if let Action::Call { payload, .. } = &mut call.action {
        *payload = vec![7].into();
    }
    let signed = call.sign(&office.world.genesis.chain_id(), &[&office.world.lea]);
    assert_eq!(office.world.run(&signed), Err(Refusal::MalformedPayload));
}
