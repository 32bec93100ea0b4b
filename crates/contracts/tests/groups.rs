//! The rules of contract `groups`, on a ledger without a chain.

mod common;

use cairn_contracts::groups::{self, EpochRecord, GroupRecord, Operation, Parameters, TraceRecord};
use cairn_ledger::{Address, PrivateKey, Refusal, StateKey};
use common::{NOW, World, YEAR};
use commonware_codec::{DecodeExt as _, Encode as _, Read};
use commonware_cryptography::Signer as _;

const GROUP: u16 = 2;
const LINKAGE: [u8; 9] = [7; 9];

struct Register {
    world: World,
    contract: Address,
    manager: PrivateKey,
    nonce: u64,
}

impl Register {
    fn new() -> Self {
        let mut world = World::new();
        let ta = world.ta.public_key();
        let deploy = groups::deploy(60, NOW, &ta, &Parameters { issuer: [1; 32] });
        let deploy = deploy.sign(&world.genesis.chain_id(), &[&world.ta]);
        assert_eq!(world.run(&deploy), Ok(()));
        Self {
            contract: Address::of_instance(&ta, 60),
            world,
            manager: PrivateKey::from_seed(3),
            nonce: 0,
        }
    }

    fn run(&mut self, signers: &[&PrivateKey], operation: &Operation) -> Result<(), Refusal> {
        self.nonce += 1;
        let call = groups::call(self.nonce, NOW + YEAR, self.contract, operation);
        let signed = call.sign(&self.world.genesis.chain_id(), signers);
        self.world.run(&signed)
    }

    /// Signed by everybody who may have to.
    fn by_all(&mut self, operation: &Operation) -> Result<(), Refusal> {
        let [manager, ta, lea] =
            [&self.manager, &self.world.ta, &self.world.lea].map(PrivateKey::clone);
        self.run(&[&manager, &ta, &lea], operation)
    }

    fn read<T: Read<Cfg = ()>>(&self, key: StateKey) -> Option<T> {
        let record = self.world.state.get(&key)?;
        Some(record.decode_as().unwrap())
    }

    fn founding(&self) -> Operation {
        Operation::Found {
            group: GROUP,
            name: [b'a'; 32],
            manager: self.manager.public_key(),
            kid: [4; 32],
        }
    }
}

fn epoch(epoch: u16, kid: u8) -> Operation {
    Operation::Epoch {
        group: GROUP,
        epoch,
        kid: [kid; 32],
    }
}

fn trace(group: u16) -> Operation {
    Operation::Trace {
        group,
        linkage: LINKAGE,
        reason: [5; 32],
    }
}

fn answer() -> Operation {
    Operation::Answer {
        group: GROUP,
        linkage: LINKAGE,
        answer: [6; 32],
    }
}

#[test]
fn a_founding_needs_authorities_and_manager_and_a_free_name() {
    let mut register = Register::new();
    let founding = register.founding();
    let [manager, ta, lea] =
        [&register.manager, &register.world.ta, &register.world.lea].map(PrivateKey::clone);
    for (signers, missing) in [
        (vec![&manager, &lea], Refusal::MissingTaSignature),
        (vec![&manager, &ta], Refusal::MissingLeaSignature),
        (vec![&ta, &lea], Refusal::MissingOrganisationSignature),
    ] {
        assert_eq!(register.run(&signers, &founding), Err(missing));
    }
    assert_eq!(register.by_all(&founding), Ok(()));
    for (group, name, refusal) in [
        (GROUP, [b'b'; 32], Refusal::AlreadyRegistered),
        (3, [b'a'; 32], Refusal::AlreadyRegistered),
        (0, [b'c'; 32], Refusal::MalformedPayload),
    ] {
        let again = Operation::Found {
            group,
            name,
            manager: manager.public_key(),
            kid: [4; 32],
        };
        assert_eq!(register.by_all(&again), Err(refusal));
    }
    let by_name = groups::name_key(&register.contract, &[b'a'; 32]);
    assert_eq!(register.read::<u16>(by_name), Some(GROUP));
}

#[test]
fn epochs_follow_each_other_with_other_keys() {
    let mut register = Register::new();
    assert_eq!(register.by_all(&epoch(2, 8)), Err(Refusal::NotRegistered));
    let founding = register.founding();
    assert_eq!(register.by_all(&founding), Ok(()));
    let stranger = register.world.stranger.clone();
    let refused = register.run(&[&stranger], &epoch(2, 8));
    assert_eq!(refused, Err(Refusal::MissingOrganisationSignature));
    for wrong in [epoch(1, 8), epoch(3, 8), epoch(2, 4)] {
        assert_eq!(register.by_all(&wrong), Err(Refusal::WrongState));
    }
    let manager = register.manager.clone();
    assert_eq!(register.run(&[&manager], &epoch(2, 8)), Ok(()));
    let group: GroupRecord = register
        .read(groups::group_key(&register.contract, GROUP))
        .unwrap();
    assert_eq!((group.epoch, group.kid), (2, [8; 32]));
    let kids = [1, 2].map(|epoch| {
        let key = groups::epoch_key(&register.contract, GROUP, epoch);
        register.read::<EpochRecord>(key).unwrap().kid
    });
    assert_eq!(kids, [[4; 32], [8; 32]], "old epochs stay readable");
}

#[test]
fn a_trace_is_asked_for_by_lea_and_answered_once_by_the_manager() {
    let mut register = Register::new();
    let founding = register.founding();
    assert_eq!(register.by_all(&founding), Ok(()));
    let (manager, lea) = (register.manager.clone(), register.world.lea.clone());
    let ta = register.world.ta.clone();
    assert_eq!(
        register.run(&[&manager, &ta], &trace(GROUP)),
        Err(Refusal::MissingLeaSignature)
    );
    assert_eq!(register.by_all(&answer()), Err(Refusal::NotRegistered));
    assert_eq!(
        register.run(&[&lea], &trace(9)),
        Err(Refusal::NotRegistered)
    );
    assert_eq!(register.run(&[&lea], &trace(GROUP)), Ok(()));
    assert_eq!(
        register.run(&[&lea], &trace(GROUP)),
        Err(Refusal::AlreadyRegistered)
    );
    assert_eq!(
        register.run(&[&lea], &answer()),
        Err(Refusal::MissingOrganisationSignature)
    );
    assert_eq!(register.run(&[&manager], &answer()), Ok(()));
    assert_eq!(
        register.run(&[&manager], &answer()),
        Err(Refusal::WrongState)
    );
    let key = groups::trace_key(&register.contract, GROUP, &LINKAGE);
    let record: TraceRecord = register.read(key).unwrap();
    assert_eq!((record.reason, record.answer), ([5; 32], Some([6; 32])));
}

#[test]
fn bytes_that_are_no_operation_are_refused() {
    let register = Register::new();
    for operation in [register.founding(), epoch(2, 8), trace(GROUP), answer()] {
        let bytes = operation.encode();
        assert_eq!(Operation::decode(bytes.clone()).unwrap(), operation);
        for length in 0..bytes.len() {
            assert!(Operation::decode(bytes.slice(..length)).is_err());
        }
    }
    let mut unknown = answer().encode().to_vec();
    unknown[0] = 4;
    assert!(Operation::decode(unknown).is_err());
}

/// Changes here change what is on ledgers.
#[test]
fn encodings_are_frozen() {
    let linkage = "07".repeat(9);
    for (operation, expected) in [
        (epoch(3, 8), format!("0100020003{}", "08".repeat(32))),
        (trace(GROUP), format!("020002{linkage}{}", "05".repeat(32))),
        (answer(), format!("030002{linkage}{}", "06".repeat(32))),
    ] {
        assert_eq!(hex(&operation.encode()), expected);
    }
    let founding = hex(&Register::new().founding().encode());
    assert!(founding.starts_with(&format!("000002{}", "61".repeat(32))));
    assert!(founding.ends_with(&"04".repeat(32)));
    assert_eq!(founding.len(), 2 * (1 + 2 + 32 + 32 + 32));
    let record = TraceRecord {
        reason: [5; 32],
        requested_ms: 258,
        answer: None,
    };
    let (reason, absent) = ("05".repeat(32), "00".repeat(33));
    assert_eq!(
        hex(&record.encode()),
        format!("{reason}0000000000000102{absent}")
    );
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
