//! The rules of contract `providers`, on a ledger without a chain.

mod common;

use cairn_contracts::providers::{
    self, Operation, Parameters, ProviderId, ProviderRecord, Service, provider_key,
};
use cairn_ledger::{Address, PrivateKey, Refusal};
use common::{HOUR, NOW, World, YEAR};
use commonware_cryptography::Signer as _;
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_COMPRESSED;

const PROVIDER: ProviderId = ProviderId(7);

struct Road {
    world: World,
    contract: Address,
    operator: PrivateKey,
    nonce: u64,
}

impl Road {
    fn new() -> Self {
        let mut world = World::new();
        let ta = world.ta.public_key();
        let parameters = Parameters {
            max_validity_ms: YEAR,
        };
        let deploy = providers::deploy(40, NOW, &ta, &parameters);
        let deploy = deploy.sign(&world.genesis.chain_id(), &[&world.ta]);
        assert_eq!(world.run(&deploy), Ok(()));
        Self {
            contract: Address::of_instance(&ta, 40),
            world,
            operator: PrivateKey::from_seed(100),
            nonce: 40,
        }
    }

    fn record(&self) -> ProviderRecord {
        ProviderRecord {
            service: Service::Charging,
            operator: self.operator.public_key(),
            key: RISTRETTO_BASEPOINT_COMPRESSED.to_bytes(),
            valid_from_ms: NOW,
            valid_until_ms: NOW + HOUR,
            is_revoked: false,
        }
    }

    /// A call signed by TA, LEA and the operator, but for one of them.
    fn call_without(&mut self, left_out: usize, operation: &Operation) -> Result<(), Refusal> {
        self.nonce += 1;
        let call = providers::call(self.nonce, NOW, self.contract, operation);
        let mut signers = vec![&self.world.ta, &self.world.lea, &self.operator];
        if left_out < signers.len() {
            signers.remove(left_out);
        }
        let signed = call.sign(&self.world.genesis.chain_id(), &signers);
        self.world.run(&signed)
    }

    fn register(&mut self, record: ProviderRecord) -> Result<(), Refusal> {
        let provider = PROVIDER;
        self.call_without(3, &Operation::Register { provider, record })
    }

    fn revoke(&mut self) -> Result<(), Refusal> {
        let provider = PROVIDER;
        self.call_without(3, &Operation::Revoke { provider })
    }

    fn found(&self) -> Option<ProviderRecord> {
        let record = self
            .world
            .state
            .get(&provider_key(&self.contract, PROVIDER))?;
        Some(record.decode_as().unwrap())
    }
}

#[test]
fn a_provider_is_registered_by_ta_lea_and_its_operator() {
    let mut road = Road::new();
    let record = road.record();
    let register = Operation::Register {
        provider: PROVIDER,
        record: record.clone(),
    };
    for (left_out, refusal) in [
        (0, Refusal::MissingTaSignature),
        (1, Refusal::MissingLeaSignature),
        (2, Refusal::MissingOrganisationSignature),
    ] {
        assert_eq!(road.call_without(left_out, &register), Err(refusal));
    }
    assert_eq!(road.found(), None);
    assert_eq!(road.register(record.clone()), Ok(()));
    assert_eq!(road.found(), Some(record));
}

#[test]
fn a_number_belongs_to_its_operator_who_renews_it() {
    let mut road = Road::new();
    assert_eq!(road.register(road.record()), Ok(()));
    let renewed = ProviderRecord {
        valid_until_ms: NOW + 2 * HOUR,
        ..road.record()
    };
    assert_eq!(road.register(renewed.clone()), Ok(()));
    assert_eq!(road.found(), Some(renewed));
    road.operator = PrivateKey::from_seed(101);
    assert_eq!(
        road.register(road.record()),
        Err(Refusal::AlreadyRegistered)
    );
}

#[test]
fn periods_and_keys_have_bounds() {
    let mut road = Road::new();
    let record = road.record();
    for (from_ms, until_ms) in [
        (NOW, NOW),
        (NOW, NOW - 1),
        (NOW - HOUR, NOW),
        (NOW, NOW + YEAR + 1),
    ] {
        let period = ProviderRecord {
            valid_from_ms: from_ms,
            valid_until_ms: until_ms,
            ..record.clone()
        };
        assert_eq!(road.register(period), Err(Refusal::InvalidPeriod));
    }
    let revoked = ProviderRecord {
        is_revoked: true,
        ..record.clone()
    };
    assert_eq!(road.register(revoked), Err(Refusal::InvalidPeriod));
    // The identity, and what is no point.
    for key in [[0; 32], [0xff; 32]] {
        let key = ProviderRecord {
            key,
            ..record.clone()
        };
        assert_eq!(road.register(key), Err(Refusal::InvalidKey));
    }
}

#[test]
fn a_revoked_provider_never_comes_back() {
    let mut road = Road::new();
    assert_eq!(road.revoke(), Err(Refusal::NotRegistered));
    assert_eq!(road.register(road.record()), Ok(()));
    assert_eq!(road.revoke(), Ok(()));
    assert!(!road.found().unwrap().is_valid_at(NOW));
    assert_eq!(road.revoke(), Err(Refusal::AlreadyRevoked));
    assert_eq!(road.register(road.record()), Err(Refusal::AlreadyRevoked));
}
