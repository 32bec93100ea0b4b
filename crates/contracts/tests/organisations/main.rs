//! The rules of the contracts `records`, `policy`, `directory` and `exchange`, on a ledger without a
//! chain; proofs of other chains are real.

#[path = "../common/mod.rs"]
mod common;
mod exchanges;
mod foreign;

use bytes::Bytes;
use cairn_contracts::{
    directory::OrgId,
    policy::{self, Rule},
    records::{self, Anchored},
};
use cairn_ledger::{Address, PrivateKey, Refusal, SignedTransaction, Transaction};
use common::{HOUR, NOW, World};
use commonware_cryptography::Signer as _;

const PRESS: [u8; 32] = [7; 32];

/// Deploys the next contract, signed by TA.
fn deployed(
    world: &mut World,
    deploy: impl FnOnce(u64, u64, &cairn_ledger::PublicKey) -> Transaction,
) -> Address {
    world.nonce += 1;
    let ta = world.ta.public_key();
    let transaction = deploy(world.nonce, NOW, &ta);
    let address = Address::of_instance(&ta, world.nonce);
    let signed = transaction.sign(&world.genesis.chain_id(), &[&world.ta]);
    assert_eq!(world.run(&signed), Ok(()));
    address
}

/// Runs a call at a time, signed by these.
fn run_at(
    world: &mut World,
    now_ms: u64,
    signers: &[&PrivateKey],
    call: impl FnOnce(u64, u64) -> Transaction,
) -> Result<(), Refusal> {
    world.nonce += 1;
    let transaction = call(world.nonce, now_ms + HOUR);
    let signed: SignedTransaction = transaction.sign(&world.genesis.chain_id(), signers);
    world.run_at(now_ms, &[signed])[0]
}

struct Factory {
    world: World,
    operator: PrivateKey,
    records: Address,
    policy: Address,
}

impl Factory {
    fn new() -> Self {
        let mut world = World::new();
        let operator = PrivateKey::from_seed(1);
        let parameters = records::Parameters {
            operator: operator.public_key(),
            grade: 2,
        };
        let records = deployed(&mut world, |nonce, expires, ta| {
            records::deploy(nonce, expires, ta, &parameters)
        });
        let parameters = policy::Parameters {
            operator: operator.public_key(),
        };
        let policy = deployed(&mut world, |nonce, expires, ta| {
            policy::deploy(nonce, expires, ta, &parameters)
        });
        Self {
            world,
            operator,
            records,
            policy,
        }
    }

    fn records(&mut self, now_ms: u64, operation: &records::Operation) -> Result<(), Refusal> {
        let (contract, operator) = (self.records, self.operator.clone());
        run_at(&mut self.world, now_ms, &[&operator], |nonce, expires| {
            records::call(nonce, expires, contract, operation)
        })
    }

    fn policy(&mut self, now_ms: u64, operation: &policy::Operation) -> Result<(), Refusal> {
        let (contract, operator) = (self.policy, self.operator.clone());
        run_at(&mut self.world, now_ms, &[&operator], |nonce, expires| {
            policy::call(nonce, expires, contract, operation)
        })
    }

    fn enrol(&mut self, epoch: u16, certificate: &[u8]) -> Result<(), Refusal> {
        let certificate = Bytes::copy_from_slice(certificate).try_into().unwrap();
        let enrol = records::Operation::Enrol {
            device: PRESS,
            epoch,
            certificate,
        };
        self.records(NOW, &enrol)
    }

    fn anchor(&mut self, now_ms: u64, roots: &[[u8; 32]]) -> Result<(), Refusal> {
        let roots = roots.to_vec().try_into().unwrap();
        self.records(now_ms, &records::Operation::Anchor { roots })
    }

    fn anchored_ms(&self, root: &[u8; 32]) -> Option<u64> {
        let record = self
            .world
            .state
            .get(&records::root_key(&self.records, root))?;
        let anchored: Anchored = record.decode_as().unwrap();
        Some(anchored.at_ms)
    }
}

#[test]
fn only_the_operator_keeps_records_and_makes_rules() {
    let mut factory = Factory::new();
    let (records, policy) = (factory.records, factory.policy);
    let stranger = factory.world.stranger.clone();
    let roots = vec![[1; 32]].try_into().unwrap();
    let anchor = records::Operation::Anchor { roots };
    let refused = run_at(&mut factory.world, NOW, &[&stranger], |nonce, expires| {
        records::call(nonce, expires, records, &anchor)
    });
    assert_eq!(refused, Err(Refusal::MissingOperatorSignature));
    let withdraw = policy::Operation::Withdraw {
        requester: OrgId(1),
        device: PRESS,
    };
    let refused = run_at(&mut factory.world, NOW, &[&stranger], |nonce, expires| {
        policy::call(nonce, expires, policy, &withdraw)
    });
    assert_eq!(refused, Err(Refusal::MissingOperatorSignature));
}

#[test]
fn e5_one_certificate_for_a_device_and_epoch() {
    let mut factory = Factory::new();
    assert_eq!(factory.enrol(2, &[1; 53]), Err(Refusal::VersionOrder));
    assert_eq!(factory.enrol(1, &[]), Err(Refusal::MalformedPayload));
    assert_eq!(factory.enrol(1, &[1; 53]), Ok(()));
    // A quorum of KGCs that issues a second W cannot have it enrolled, nor the first replaced.
    let second = factory.enrol(1, &[2; 53]);
    assert_eq!(second, Err(Refusal::AlreadyRegistered));
    let key = records::device_key(&factory.records, &PRESS, 1);
    assert_eq!(factory.world.state[&key].as_bytes(), [1; 53]);
}

#[test]
fn epochs_go_forward_one_by_one() {
    let mut factory = Factory::new();
    for wrong in [0, 1, 3] {
        let advance = records::Operation::Advance { epoch: wrong };
        let refused = factory.records(NOW, &advance);
        assert_eq!(refused, Err(Refusal::VersionOrder), "{wrong}");
    }
    let advance = records::Operation::Advance { epoch: 2 };
    assert_eq!(factory.records(NOW, &advance), Ok(()));
    assert_eq!(factory.enrol(1, &[1; 53]), Err(Refusal::VersionOrder));
    assert_eq!(factory.enrol(2, &[1; 53]), Ok(()));
}

#[test]
fn a_root_keeps_the_time_at_which_it_was_anchored_first() {
    let mut factory = Factory::new();
    assert_eq!(factory.anchor(NOW, &[[1; 32]]), Ok(()));
    assert_eq!(factory.anchor(NOW + 5, &[[1; 32], [2; 32]]), Ok(()));
    assert_eq!(factory.anchored_ms(&[1; 32]), Some(NOW));
    assert_eq!(factory.anchored_ms(&[2; 32]), Some(NOW + 5));
    let many: Vec<_> = (0..64).map(|n| [n; 32]).collect();
    assert_eq!(factory.anchor(NOW, &many), Ok(()));
    for wrong in [vec![], vec![[1; 32]; 65]] {
        assert!(cairn_contracts::records::Roots::try_from(wrong).is_err());
    }
}

#[test]
fn rules_end_and_are_withdrawn() {
    let mut factory = Factory::new();
    let rule = |until_ms| Rule { grade: 2, until_ms };
    let allow = |until_ms| policy::Operation::Allow {
        requester: OrgId(1),
        device: PRESS,
        rule: rule(until_ms),
    };
    let over = factory.policy(NOW, &allow(NOW));
    assert_eq!(over, Err(Refusal::InvalidPeriod));
    assert_eq!(factory.policy(NOW, &allow(NOW + 1)), Ok(()));
    assert_eq!(factory.policy(NOW, &allow(NOW + HOUR)), Ok(()), "replaced");
    let key = policy::rule_key(&factory.policy, OrgId(1), &PRESS);
    let kept: Rule = factory.world.state[&key].decode_as().unwrap();
    assert_eq!(kept, rule(NOW + HOUR));
    assert!(kept.permits(2, NOW) && kept.permits(0, NOW));
    assert!(!kept.permits(3, NOW) && !kept.permits(2, NOW + HOUR));
    let withdraw = policy::Operation::Withdraw {
        requester: OrgId(1),
        device: PRESS,
    };
    assert_eq!(factory.policy(NOW, &withdraw), Ok(()));
    let again = factory.policy(NOW, &withdraw);
    assert_eq!(again, Err(Refusal::NotRegistered));
}
