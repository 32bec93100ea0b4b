//! The relay chain: who is known, and what became of exchanges.

use super::{common::World, deployed, foreign::Foreign, run_at};
use crate::common::{HOUR, NOW};
use cairn_contracts::{
    directory::{self, Entry, Issuers, Network, OrgId},
    exchange::{self, ExchangeRecord, Operation, State, Statement},
    foreign::ForeignProof,
    records::{self, Anchored},
};
use cairn_ledger::{Address, PrivateKey, Record, Refusal, Signature, light::LedgerProof};
use commonware_codec::Encode as _;
use commonware_cryptography::Signer as _;

const ROAD: OrgId = OrgId(1);
const FACTORY: OrgId = OrgId(2);
const EXCHANGE: [u8; 32] = [3; 32];
const ENVELOPE: [u8; 32] = [4; 32];
const ROOT: [u8; 32] = [5; 32];
const RECORDS: Address = Address([6; 20]);

struct Relay {
    world: World,
    directory: Address,
    exchange: Address,
    road: PrivateKey,
    factory: PrivateKey,
    factory_chain: Foreign,
}

fn anchored(root: [u8; 32], contract: Address) -> (cairn_ledger::StateKey, Record) {
    let record = Record::of(&Anchored { at_ms: NOW });
    (records::root_key(&contract, &root), record)
}

impl Relay {
    fn new() -> Self {
        let mut world = World::new();
        let directory = deployed(&mut world, |nonce, expires, ta| {
            let parameters = directory::Parameters { limit: 100 };
            directory::deploy(nonce, expires, ta, &parameters)
        });
        let exchange = deployed(&mut world, |nonce, expires, ta| {
            let parameters = exchange::Parameters {
                directory,
                max_wait_ms: HOUR,
            };
            exchange::deploy(nonce, expires, ta, &parameters)
        });
        let mut relay = Self {
            world,
            directory,
            exchange,
            road: PrivateKey::from_seed(1),
            factory: PrivateKey::from_seed(2),
            factory_chain: Foreign::new(2),
        };
        let road = relay.road.clone();
        let chain = Foreign::new(1);
        let proof = chain.prove(&[anchored(ROOT, RECORDS)]);
        assert_eq!(relay.register(ROAD, &road, 1, &chain, &proof), Ok(()));
        let factory = relay.factory.clone();
        let chain = Foreign::new(2);
        let proof = chain.prove(&[anchored(ROOT, RECORDS)]);
        assert_eq!(relay.register(FACTORY, &factory, 1, &chain, &proof), Ok(()));
        relay
    }

    fn registration(
        &self,
        organisation: OrgId,
        operator: &PrivateKey,
        epoch: u32,
        chain: &Foreign,
        proof: &LedgerProof,
    ) -> directory::Operation {
        directory::Operation::Register {
            organisation,
            entry: Entry {
                epoch,
                operator: operator.public_key(),
                chain: chain.genesis.chain_id(),
                records: RECORDS,
                grades: 0b100,
            },
            network: Network {
                key: chain.genesis.network_key(),
            },
            issuers: Issuers {
                suite: 2,
                key: [2; 33],
            },
            proof: ForeignProof::of(proof),
        }
    }

    fn register(
        &mut self,
        organisation: OrgId,
        operator: &PrivateKey,
        epoch: u32,
        chain: &Foreign,
        proof: &LedgerProof,
    ) -> Result<(), Refusal> {
        let operation = self.registration(organisation, operator, epoch, chain, proof);
        let (ta, lea) = (self.world.ta.clone(), self.world.lea.clone());
        self.direct(&[&ta, &lea, operator], &operation)
    }

    fn direct(
        &mut self,
        signers: &[&PrivateKey],
        operation: &directory::Operation,
    ) -> Result<(), Refusal> {
        let contract = self.directory;
        run_at(&mut self.world, NOW, signers, |nonce, expires| {
            directory::call(nonce, expires, contract, operation)
        })
    }

    fn run(&mut self, now: u64, signer: &PrivateKey, operation: &Operation) -> Result<(), Refusal> {
        let (contract, directory) = (self.exchange, self.directory);
        run_at(&mut self.world, now, &[signer], |nonce, expires| {
            exchange::call(nonce, expires, contract, directory, operation)
        })
    }

    fn open(&mut self) -> Result<(), Refusal> {
        let road = self.road.clone();
        self.run(NOW, &road, &opening())
    }

    fn sign(&self, signer: &PrivateKey, is_accepted: Option<bool>) -> Signature {
        let statement = Statement {
            exchange: EXCHANGE,
            envelope: ENVELOPE,
            is_accepted,
        };
        statement.sign(&self.world.genesis.chain_id(), signer)
    }

    fn delivery(&self, proof: &LedgerProof) -> Operation {
        Operation::Deliver {
            exchange: EXCHANGE,
            requester: ROAD,
            owner: FACTORY,
            envelope: ENVELOPE,
            receipt_by_ms: NOW + HOUR / 2,
            roots: vec![ROOT].try_into().unwrap(),
            proof: ForeignProof::of(proof),
            signature: self.sign(&self.factory, None),
        }
    }

    fn proof(&self) -> LedgerProof {
        self.factory_chain.prove(&[anchored(ROOT, RECORDS)])
    }

    fn deliver(&mut self, now: u64, proof: &LedgerProof) -> Result<(), Refusal> {
        let (delivery, factory) = (self.delivery(proof), self.factory.clone());
        self.run(now, &factory, &delivery)
    }

    fn receipt(&mut self, now: u64, is_accepted: bool) -> Result<(), Refusal> {
        let road = self.road.clone();
        let receipt = Operation::Receipt {
            exchange: EXCHANGE,
            requester: ROAD,
            is_accepted,
            signature: self.sign(&road, Some(is_accepted)),
        };
        self.run(now, &road, &receipt)
    }

    fn record(&self) -> ExchangeRecord {
        let key = exchange::exchange_key(&self.exchange, &EXCHANGE);
        self.world.state[&key].decode_as().unwrap()
    }
}

fn opening() -> Operation {
    Operation::Open {
        exchange: EXCHANGE,
        requester: ROAD,
        owner: FACTORY,
        deliver_by_ms: NOW + HOUR / 2,
    }
}

#[test]
fn both_statements_stand_on_the_chain() {
    let mut relay = Relay::new();
    assert_eq!(relay.open(), Ok(()));
    assert_eq!(relay.record().state(NOW), State::Requested);
    let proof = relay.proof();
    assert_eq!(relay.deliver(NOW + 1, &proof), Ok(()));
    assert_eq!(relay.record().state(NOW + 1), State::Delivered);
    assert_eq!(relay.receipt(NOW + 2, true), Ok(()));
    let record = relay.record();
    assert_eq!(record.state(NOW + HOUR), State::Received);
    assert_eq!((record.opened_ms, record.answered_ms), (NOW, NOW + 1));
    assert_eq!((record.receipt_ms, record.envelope), (NOW + 2, ENVELOPE));
    // Whoever reads the state can check both statements without trusting the relay chain.
    let chain = relay.world.genesis.chain_id();
    let keys = exchange::signatures_keys(&relay.exchange, &EXCHANGE);
    let signers = [&relay.factory, &relay.road];
    for ((key, signer), is_accepted) in keys.iter().zip(signers).zip([None, Some(true)]) {
        let signature: Signature = relay.world.state[key].decode_as().unwrap();
        let statement = Statement {
            exchange: EXCHANGE,
            envelope: ENVELOPE,
            is_accepted,
        };
        assert!(statement.is_signed(&chain, &signer.public_key(), &signature));
    }
}

#[test]
fn delivery_without_receipt_and_receipt_without_delivery() {
    let mut relay = Relay::new();
    assert_eq!(relay.receipt(NOW, true), Err(Refusal::NotRegistered));
    assert_eq!(relay.open(), Ok(()));
    assert_eq!(relay.receipt(NOW, true), Err(Refusal::WrongState));
    let late = NOW + HOUR / 2 + 1;
    assert_eq!(relay.record().state(late), State::DeliveryMissing);
    let proof = relay.proof();
    assert_eq!(relay.deliver(late, &proof), Err(Refusal::Deadline));
    assert_eq!(relay.deliver(NOW, &proof), Ok(()));
    assert_eq!(relay.record().state(late), State::ReceiptMissing);
    assert_eq!(relay.receipt(late, true), Err(Refusal::Deadline));
    assert_eq!(relay.receipt(late - 1, false), Ok(()));
    assert_eq!(relay.record().state(late), State::Complained);
    let again = relay.receipt(late - 1, true);
    assert_eq!(again, Err(Refusal::WrongState), "no second thoughts");
    assert_eq!(relay.deliver(NOW, &proof), Err(Refusal::WrongState));
}

#[test]
fn an_owner_that_will_not_says_why() {
    let mut relay = Relay::new();
    assert_eq!(relay.open(), Ok(()));
    let decline = |reason| Operation::Decline {
        exchange: EXCHANGE,
        owner: FACTORY,
        reason,
    };
    let (road, factory) = (relay.road.clone(), relay.factory.clone());
    let theirs = relay.run(NOW, &road, &decline(6));
    assert_eq!(theirs, Err(Refusal::MissingOrganisationSignature));
    assert_eq!(relay.run(NOW, &factory, &decline(6)), Ok(()));
    assert_eq!(relay.record().state(NOW + HOUR), State::Declined(6));
    let proof = relay.proof();
    assert_eq!(relay.deliver(NOW, &proof), Err(Refusal::WrongState));
}

#[test]
fn nobody_acts_for_another_organisation() {
    let mut relay = Relay::new();
    let (road, factory) = (relay.road.clone(), relay.factory.clone());
    let missing = Err(Refusal::MissingOrganisationSignature);
    assert_eq!(relay.run(NOW, &factory, &opening()), missing);
    assert_eq!(relay.open(), Ok(()));
    assert_eq!(relay.open(), Err(Refusal::AlreadyRegistered));
    let proof = relay.proof();
    let delivery = relay.delivery(&proof);
    assert_eq!(relay.run(NOW, &road, &delivery), missing);
    // The statement is somebody else's, or of something else.
    for signature in [relay.sign(&road, None), relay.sign(&factory, Some(true))] {
        let mut delivery = relay.delivery(&proof);
        if let Operation::Deliver { signature: s, .. } = &mut delivery {
            *s = signature;
        }
        let refused = relay.run(NOW, &factory, &delivery);
        assert_eq!(refused, Err(Refusal::InvalidProof));
    }
    assert_eq!(relay.deliver(NOW, &proof), Ok(()));
    let receipt = Operation::Receipt {
        exchange: EXCHANGE,
        requester: ROAD,
        is_accepted: true,
        signature: relay.sign(&road, Some(false)),
    };
    assert_eq!(relay.run(NOW, &factory, &receipt), missing);
    assert_eq!(relay.run(NOW, &road, &receipt), Err(Refusal::InvalidProof));
}

#[test]
fn parties_are_known_and_different_and_deadlines_near() {
    let mut relay = Relay::new();
    let road = relay.road.clone();
    for (owner, deadline, refusal) in [
        (OrgId(9), NOW + 1, Refusal::NotRegistered),
        (ROAD, NOW + 1, Refusal::OutOfBounds),
        (FACTORY, NOW, Refusal::Deadline),
        (FACTORY, NOW + HOUR + 1, Refusal::Deadline),
    ] {
        let operation = Operation::Open {
            exchange: EXCHANGE,
            requester: ROAD,
            owner,
            deliver_by_ms: deadline,
        };
        assert_eq!(relay.run(NOW, &road, &operation), Err(refusal));
    }
}

#[test]
fn foreign_proofs_of_wrong_key_chain_root_or_contract_are_refused() {
    let mut relay = Relay::new();
    assert_eq!(relay.open(), Ok(()));
    let invalid = Err(Refusal::InvalidProof);
    let wrong = [
        // The requester's own chain: other network key and chain id.
        Foreign::new(1).prove(&[anchored(ROOT, RECORDS)]),
        // Another root, another contract, nothing at all.
        relay.factory_chain.prove(&[anchored([9; 32], RECORDS)]),
        relay
            .factory_chain
            .prove(&[anchored(ROOT, Address([9; 20]))]),
        LedgerProof {
            entries: Vec::new(),
            ..relay.proof()
        },
    ];
    for proof in &wrong {
        assert_eq!(relay.deliver(NOW, proof), invalid);
    }
    // The same validators and key under another chain id.
    let mut renamed = Foreign::new(2);
    renamed.genesis.name = "renamed".into();
    let proof = renamed.prove(&[anchored(ROOT, RECORDS)]);
    assert_eq!(relay.deliver(NOW, &proof), invalid);
    // Cut off, or a bit changed.
    let good = relay.proof();
    let bytes = good.encode();
    let (delivery, factory) = (relay.delivery(&good), relay.factory.clone());
    for at in (0..bytes.len()).step_by(97) {
        for damaged in [bytes.slice(..at), {
            let mut bytes = bytes.to_vec();
            bytes[at] ^= 1;
            bytes.into()
        }] {
            let mut delivery = delivery.clone();
            if let Operation::Deliver { proof, .. } = &mut delivery {
                *proof = ForeignProof::try_from(damaged).unwrap();
            }
            assert_eq!(relay.run(NOW, &factory, &delivery), invalid, "byte {at}");
        }
    }
    assert_eq!(relay.deliver(NOW, &good), Ok(()));
}

#[test]
fn certificates_of_an_old_epoch_are_refused() {
    let mut relay = Relay::new();
    assert_eq!(relay.open(), Ok(()));
    let old = relay.proof();
    let factory = relay.factory.clone();
    let next = Foreign::new(3);
    let proof = next.prove(&[anchored(ROOT, RECORDS)]);
    for wrong in [0, 1, 3] {
        let refused = relay.register(FACTORY, &factory, wrong, &next, &proof);
        assert_eq!(refused, Err(Refusal::VersionOrder), "epoch {wrong}");
    }
    assert_eq!(relay.register(FACTORY, &factory, 2, &next, &proof), Ok(()));
    assert_eq!(relay.deliver(NOW, &old), Err(Refusal::InvalidProof));
    assert_eq!(relay.deliver(NOW, &proof), Ok(()));
}

#[test]
fn organisations_are_registered_by_everybody_concerned_with_a_chain_that_lives() {
    let mut relay = Relay::new();
    let (chain, operator) = (Foreign::new(4), PrivateKey::from_seed(4));
    let (ta, lea) = (relay.world.ta.clone(), relay.world.lea.clone());
    let proof = chain.prove(&[anchored(ROOT, RECORDS)]);
    let good = relay.registration(OrgId(4), &operator, 1, &chain, &proof);
    let cases: [(&[&PrivateKey], Refusal); 3] = [
        (&[&lea, &operator], Refusal::MissingTaSignature),
        (&[&ta, &operator], Refusal::MissingLeaSignature),
        (&[&ta, &lea], Refusal::MissingOrganisationSignature),
    ];
    for (signers, refusal) in cases {
        assert_eq!(relay.direct(signers, &good), Err(refusal));
    }
    let all = [&ta, &lea, &operator];
    let beyond = relay.registration(OrgId(100), &operator, 1, &chain, &proof);
    assert_eq!(relay.direct(&all, &beyond), Err(Refusal::OutOfBounds));
    let other = relay.proof();
    let dead = relay.registration(OrgId(4), &operator, 1, &chain, &other);
    assert_eq!(relay.direct(&all, &dead), Err(Refusal::InvalidProof));
    assert_eq!(relay.direct(&all, &good), Ok(()));
}
