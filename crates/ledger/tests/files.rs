//! The rules of contract `files`, on a ledger without a chain.

mod common;

use cairn_ledger::{
    Address, PrivateKey, Record, Refusal,
    contracts::files::{
        self, AuditState, FileHead, MAX_CHALLENGED, Operation, Parameters, TagKey, Verdict,
        VersionRecord,
    },
};
use common::{HOUR, NOW, World, YEAR};
use commonware_codec::{DecodeExt as _, Encode as _};
use commonware_cryptography::Signer as _;

const FILE: [u8; 32] = [9; 32];

struct Store {
    world: World,
    contract: Address,
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
        let parameters = Parameters {
            operator: operator.public_key(),
            auditor: auditor.public_key(),
            interval_ms: HOUR,
        };
        let deploy = files::deploy(50, NOW, &ta, &parameters);
        let deploy = deploy.sign(&world.genesis.chain_id(), &[&world.ta]);
        assert_eq!(world.run(&deploy), Ok(()));
        Self {
            contract: Address::of_instance(&ta, 50),
            world,
            operator,
            auditor,
            nonce: 0,
            now: NOW,
        }
    }

    /// Runs in a block of its own, a millisecond after the one before.
    fn run(&mut self, signer: &PrivateKey, operation: &Operation) -> Result<(), Refusal> {
        self.now += 1;
        self.nonce += 1;
        let call = files::call(self.nonce, NOW + YEAR, self.contract, operation);
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

fn recording(version: u64) -> Operation {
    Operation::Record {
        file: FILE,
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
    let Operation::Record {
        file,
        digest,
        root,
        live,
        kid,
        ..
    } = recording(2)
    else {
        unreachable!("a recording");
    };
    let replaced = Operation::Record {
        file,
        version: 2,
        digest,
        root,
        live,
        kid,
        v: TagKey { v: [8; 96] },
    };
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
            files::call(nonce, NOW + YEAR, store.contract, operation)
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
