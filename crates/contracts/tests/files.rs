//! The rules of contract `files`, on a ledger without a chain.

mod common;

use cairn_contracts::{
    files::{
        self, AuditState, FileHead, MAX_CHALLENGED, Operation, Parameters, RollEntry, TagKey,
        Verdict, VersionRecord,
    },
    groups,
};
use cairn_ledger::{Address, PrivateKey, Record, Refusal};
use common::{HOUR, NOW, World, YEAR};
use commonware_codec::{DecodeExt as _, Encode as _};
use commonware_cryptography::Signer as _;

const FILE: [u8; 32] = [9; 32];
const GROUP: u16 = 2;

struct Store {
    world: World,
    contract: Address,
    groups: Address,
    manager: PrivateKey,
    operator: PrivateKey,
    auditor: PrivateKey,
    nonce: u64,
    now: u64,
}

impl Store {
    fn new() -> Self {
        let mut world = World::new();
        let (operator, auditor) = (PrivateKey::from_seed(1), PrivateKey::from_seed(2));
        let ta = world.ta.public_key();
        let groups = Address::of_instance(&ta, 49);
        let parameters = Parameters {
            groups,
            operator: operator.public_key(),
            auditor: auditor.public_key(),
            interval_ms: HOUR,
        };
        let deploy = files::deploy(50, NOW, &ta, &parameters);
        let deploy = deploy.sign(&world.genesis.chain_id(), &[&world.ta]);
        assert_eq!(world.run(&deploy), Ok(()));
        let deploy = groups::deploy(49, NOW, &ta, &groups::Parameters { issuer: [1; 32] });
        let deploy = deploy.sign(&world.genesis.chain_id(), &[&world.ta]);
        assert_eq!(world.run(&deploy), Ok(()));
        let mut store = Self {
            contract: Address::of_instance(&ta, 50),
            groups,
            manager: PrivateKey::from_seed(3),
            world,
            operator,
            auditor,
            nonce: 0,
            now: NOW,
        };
        for (group, kid) in [(GROUP, [4; 32]), (3, [14; 32])] {
            let founding = groups::Operation::Found {
                group,
                name: [u8::try_from(group).unwrap(); 32],
                manager: store.manager.public_key(),
                kid,
            };
            assert_eq!(store.manage(&founding), Ok(()));
        }
        store
    }

    /// A call of contract `groups`, signed by everybody.
    fn manage(&mut self, operation: &groups::Operation) -> Result<(), Refusal> {
        self.now += 1;
        self.nonce += 1;
        let call = groups::call(self.nonce, NOW + YEAR, self.groups, operation);
        let World { ta, lea, .. } = &self.world;
        let signed = call.sign(&self.world.genesis.chain_id(), &[&self.manager, ta, lea]);
        self.world.run_at(self.now, &[signed])[0]
    }

    /// Runs in a block of its own, a millisecond after the one before.
    fn run(&mut self, signer: &PrivateKey, operation: &Operation) -> Result<(), Refusal> {
        self.now += 1;
        self.nonce += 1;
        let call = files::call(
            self.nonce,
            NOW + YEAR,
            self.contract,
            self.groups,
            operation,
        );
        let signed = call.sign(&self.world.genesis.chain_id(), &[signer]);
        self.world.run_at(self.now, &[signed])[0]
    }

    fn record(&mut self, version: u64) -> Result<(), Refusal> {
        let operator = self.operator.clone();
        self.run(&operator, &recording(version))
    }

    fn audit(&mut self, operation: &Operation) -> Result<(), Refusal> {
        let auditor = self.auditor.clone();
        self.run(&auditor, operation)
    }

    fn read(&self, key: cairn_ledger::StateKey) -> Option<&Record> {
        self.world.state.get(&key)
    }

    fn head(&self) -> FileHead {
        let key = files::head_key(&self.contract, &FILE);
        self.read(key).unwrap().decode_as().unwrap()
    }

    fn state(&self) -> AuditState {
        let key = files::audit_key(&self.contract, &FILE);
        self.read(key).unwrap().decode_as().unwrap()
    }
}

/// What can be changed in a recording.
struct Recording {
    file: [u8; 32],
    group: u16,
    place: u64,
    kid: [u8; 32],
    v: TagKey,
}

fn change(operation: Operation, with: impl FnOnce(&mut Recording)) -> Operation {
    let Operation::Record {
        file,
        group,
        place,
        version,
        digest,
        root,
        live,
        kid,
        v,
    } = operation
    else {
        unreachable!("a recording");
    };
    let mut changed = Recording {
        file,
        group,
        place,
        kid,
        v,
    };
    with(&mut changed);
    let Recording {
        file,
        group,
        place,
        kid,
        v,
    } = changed;
    Operation::Record {
        file,
        group,
        place,
        version,
        digest,
        root,
        live,
        kid,
        v,
    }
}

fn recording(version: u64) -> Operation {
    Operation::Record {
        file: FILE,
        group: GROUP,
        place: 0,
        version,
        digest: [u8::try_from(version).unwrap(); 32],
        root: [3; 32],
        live: 7,
        kid: [4; 32],
        v: TagKey { v: [5; 96] },
    }
}

fn opening(blocks: u32) -> Operation {
    Operation::Open { file: FILE, blocks }
}

fn verdict(number: u64, is_intact: bool) -> Operation {
    Operation::Verdict {
        file: FILE,
        number,
        is_intact,
        evidence: [6; 32],
    }
}

#[test]
fn versions_count_up_and_are_never_replaced() {
    let mut store = Store::new();
    assert_eq!(store.record(2), Err(Refusal::VersionOrder), "no first one");
    assert_eq!(store.record(0), Err(Refusal::VersionOrder));
    assert_eq!(store.record(1), Ok(()));
    assert_eq!(store.record(1), Err(Refusal::VersionOrder), "rollback");
    assert_eq!(store.record(3), Err(Refusal::VersionOrder), "gap");
    assert_eq!(store.record(2), Ok(()));
    assert_eq!(store.head().version, 2);
    for version in [1, 2] {
        let key = files::version_key(&store.contract, &FILE, version);
        let record: VersionRecord = store.read(key).unwrap().decode_as().unwrap();
        assert_eq!(record.digest, [u8::try_from(version).unwrap(); 32]);
        assert_eq!((record.live, record.root), (7, [3; 32]));
    }
    let key = files::tag_key(&store.contract, &[4; 32]);
    let key: TagKey = store.read(key).unwrap().decode_as().unwrap();
    assert_eq!(key.v, [5; 96]);
}

#[test]
fn a_key_id_keeps_its_key() {
    let mut store = Store::new();
    assert_eq!(store.record(1), Ok(()));
    let replaced = change(recording(2), |record| record.v = TagKey { v: [8; 96] });
    let operator = store.operator.clone();
    assert_eq!(
        store.run(&operator, &replaced),
        Err(Refusal::AlreadyRegistered)
    );
}

#[test]
fn operator_and_auditor_each_sign_their_own() {
    let mut store = Store::new();
    let (operator, auditor) = (store.operator.clone(), store.auditor.clone());
    let ta = store.world.ta.clone();
    for stranger in [&auditor, &ta] {
        let refused = store.run(stranger, &recording(1));
        assert_eq!(refused, Err(Refusal::MissingOperatorSignature));
    }
    assert_eq!(store.record(1), Ok(()));
    for operation in [opening(460), verdict(1, true)] {
        let refused = store.run(&operator, &operation);
        assert_eq!(refused, Err(Refusal::MissingAuditorSignature));
    }
}

#[test]
fn a_verdict_needs_an_audit_opened_in_an_earlier_block() {
    let mut store = Store::new();
    assert_eq!(store.audit(&opening(460)), Err(Refusal::NotRegistered));
    assert_eq!(store.record(1), Ok(()));
    assert_eq!(store.audit(&verdict(1, true)), Err(Refusal::NotRegistered));
    for blocks in [0, MAX_CHALLENGED + 1] {
        let refused = store.audit(&opening(blocks));
        assert_eq!(refused, Err(Refusal::MalformedPayload));
    }
    // In one block: the seed of a later round cannot be known.
    let chain = store.world.genesis.chain_id();
    let both: Vec<_> = [opening(460), verdict(1, true)]
        .iter()
        .zip([900, 901])
        .map(|(operation, nonce)| {
            files::call(nonce, NOW + YEAR, store.contract, store.groups, operation)
                .sign(&chain, &[&store.auditor])
        })
        .collect();
    store.now += 1;
    let receipts = store.world.run_at(store.now, &both);
    assert_eq!(receipts, [Ok(()), Err(Refusal::NoOpenAudit)]);

    store.nonce = 901;
    assert_eq!(store.audit(&verdict(2, true)), Err(Refusal::NoOpenAudit));
    assert_eq!(store.audit(&verdict(1, true)), Ok(()));
    assert_eq!(store.audit(&verdict(1, false)), Err(Refusal::NoOpenAudit));
    let key = files::verdict_key(&store.contract, &FILE, 1);
    let kept: Verdict = store.read(key).unwrap().decode_as().unwrap();
    assert!(kept.is_intact && kept.opened_ms < kept.decided_ms);
    assert_eq!((kept.version, kept.blocks), (1, 460));
}

#[test]
fn the_version_is_that_of_the_opening_and_abandoned_audits_are_counted() {
    let mut store = Store::new();
    assert_eq!(store.record(1), Ok(()));
    assert_eq!(store.audit(&opening(10)), Ok(()));
    assert_eq!(store.record(2), Ok(()));
    assert_eq!(store.state().open.unwrap().version, 1);
    assert_eq!(store.audit(&opening(10)), Ok(()));
    let state = store.state();
    assert_eq!((state.opened, state.abandoned), (2, 1));
    assert_eq!(state.open.unwrap().version, 2);
    assert_eq!(store.audit(&verdict(1, true)), Err(Refusal::NoOpenAudit));
    assert_eq!(store.audit(&verdict(2, false)), Ok(()));
    let state = store.state();
    assert_eq!((state.failed, state.open), (1, None));
    assert!(!state.last.unwrap().is_intact);
}

#[test]
fn overdue_is_counted_from_the_last_verdict_or_the_first_version() {
    let mut store = Store::new();
    assert_eq!(store.record(1), Ok(()));
    let recorded = store.now;
    let key = files::parameters_state_key(&store.contract);
    let parameters: Parameters = store.read(key).unwrap().decode_as().unwrap();
    let never = AuditState::default();
    assert!(!never.is_overdue(&store.head(), &parameters, recorded + HOUR));
    assert!(never.is_overdue(&store.head(), &parameters, recorded + HOUR + 1));
    store.now += HOUR;
    assert_eq!(store.audit(&opening(10)), Ok(()));
    assert_eq!(store.audit(&verdict(1, true)), Ok(()));
    let decided = store.now;
    assert!(
        !store
            .state()
            .is_overdue(&store.head(), &parameters, decided + HOUR)
    );
    assert!(
        store
            .state()
            .is_overdue(&store.head(), &parameters, decided + HOUR + 1)
    );
}

#[test]
fn bytes_that_are_no_operation_are_refused() {
    for operation in [recording(1), opening(1), verdict(1, true)] {
        let bytes = operation.encode();
        assert_eq!(Operation::decode(bytes.clone()).unwrap(), operation);
        for length in 0..bytes.len() {
            assert!(Operation::decode(bytes.slice(..length)).is_err());
        }
    }
    let mut unknown = opening(1).encode().to_vec();
    unknown[0] = 3;
    assert!(Operation::decode(unknown).is_err());
}

/// F-9: tags of an epoch that is over, of another group, or of nobody's key.
#[test]
fn a_version_is_under_the_current_key_of_its_group() {
    let mut store = Store::new();
    let operator = store.operator.clone();
    type Change = fn(&mut Recording);
    let refused: [(&str, Change, Refusal); 3] = [
        ("no group", |r| r.group = 9, Refusal::NotRegistered),
        ("another's key", |r| r.group = 3, Refusal::WrongState),
        ("nobody's key", |r| r.kid = [5; 32], Refusal::WrongState),
    ];
    for (what, with, refusal) in refused {
        let operation = change(recording(1), with);
        assert_eq!(store.run(&operator, &operation), Err(refusal), "{what}");
    }
    assert_eq!(store.record(1), Ok(()));
    // Another group's member takes the file over, with that group's key.
    let taken = change(recording(2), |r| {
        (r.group, r.kid, r.v) = (3, [14; 32], TagKey { v: [6; 96] });
    });
    assert_eq!(store.run(&operator, &taken), Err(Refusal::WrongState));

    let epoch = groups::Operation::Epoch {
        group: GROUP,
        epoch: 2,
        kid: [24; 32],
    };
    assert_eq!(store.manage(&epoch), Ok(()));
    assert_eq!(store.record(2), Err(Refusal::WrongState), "epoch 1 is over");
    let next = change(recording(2), |r| {
        (r.kid, r.v) = ([24; 32], TagKey { v: [6; 96] });
    });
    assert_eq!(store.run(&operator, &next), Ok(()));
    assert_eq!(store.head().version, 2);
}

/// F-10: whoever has the ledger finds every file.
#[test]
fn every_file_has_its_place_in_the_roll() {
    let mut store = Store::new();
    let operator = store.operator.clone();
    let second = |place| {
        change(recording(1), |r| {
            (r.file, r.place) = ([10; 32], place);
        })
    };
    assert_eq!(store.run(&operator, &second(1)), Err(Refusal::WrongState));
    assert_eq!(store.record(1), Ok(()));
    assert_eq!(store.run(&operator, &second(0)), Err(Refusal::WrongState));
    assert_eq!(store.run(&operator, &second(1)), Ok(()));
    let moved = change(recording(2), |r| r.place = 1);
    assert_eq!(store.run(&operator, &moved), Err(Refusal::WrongState));
    assert_eq!(store.record(2), Ok(()));
    let count = store.read(files::count_key(&store.contract)).unwrap();
    assert_eq!(count.decode_as::<u64>().unwrap(), 2);
    for (place, file) in [(0, FILE), (1, [10; 32])] {
        let entry = store.read(files::roll_key(&store.contract, place));
        let entry: RollEntry = entry.unwrap().decode_as().unwrap();
        assert_eq!(entry.file, file);
    }
}
