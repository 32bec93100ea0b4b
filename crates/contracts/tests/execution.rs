//! The rules of [`cairn_ledger::execute`] and of contract `keys`, on a ledger without a chain.

mod common;

use cairn_contracts::keys::{self, Operation, RsuRecord, VehicleRecord};
use cairn_ledger::{
    Access, Action, Address, Genesis, LocalKey, Position, PrivateKey, Refusal, Rid,
    SignedTransaction, Uid, transaction::verify_signatures,
};
use common::{HOUR, NOW, World, YEAR};
use commonware_codec::{Decode as _, DecodeExt as _, Encode as _};
use commonware_cryptography::Signer as _;
use commonware_parallel::Sequential;
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_POINT;
use proptest::prelude::*;
use rand::{SeedableRng, rngs::StdRng};

fn uid(n: u8) -> Uid {
    Uid([n; 8])
}

fn vehicle() -> VehicleRecord {
    VehicleRecord {
        key: RISTRETTO_BASEPOINT_POINT.compress().0,
        valid_from_ms: NOW,
        valid_until_ms: NOW + YEAR,
        revoked_ms: None,
    }
}

fn rsu(world: &World) -> RsuRecord {
    RsuRecord {
        key: world.stranger.public_key(),
        position: Position {
            x_cm: -12_345,
            y_cm: 67_890,
        },
        valid_from_ms: NOW,
        valid_until_ms: NOW + YEAR,
        revoked_ms: None,
    }
}

#[test]
fn registers_updates_and_revokes_a_vehicle() {
    let mut world = World::new();
    assert_eq!(
        world.apply(&[Operation::RegisterVehicle(uid(1), vehicle())]),
        Ok(())
    );
    assert!(world.vehicle(uid(1)).unwrap().is_valid_at(NOW));
    assert!(!world.vehicle(uid(1)).unwrap().is_valid_at(NOW + YEAR));

    let next = VehicleRecord {
        valid_until_ms: NOW + HOUR,
        ..vehicle()
    };
    assert_eq!(
        world.apply(&[Operation::UpdateVehicle(uid(1), next)]),
        Ok(())
    );
    assert_eq!(world.vehicle(uid(1)), Some(next));

    assert_eq!(world.apply(&[Operation::RevokeVehicle(uid(1))]), Ok(()));
    assert_eq!(world.vehicle(uid(1)).unwrap().revoked_ms, Some(NOW));
    assert!(!world.vehicle(uid(1)).unwrap().is_valid_at(NOW));
    let again = [
        Operation::RegisterVehicle(uid(1), vehicle()),
        Operation::UpdateVehicle(uid(1), vehicle()),
        Operation::RevokeVehicle(uid(1)),
    ];
    let expected = [
        Refusal::AlreadyRegistered,
        Refusal::AlreadyRevoked,
        Refusal::AlreadyRevoked,
    ];
    for (operation, refusal) in again.into_iter().zip(expected) {
        assert_eq!(
            world.apply(&[operation]),
            Err(refusal),
            "a revoked name never comes back"
        );
    }
}

#[test]
fn registers_and_revokes_an_rsu_with_its_position() {
    let mut world = World::new();
    let record = rsu(&world);
    assert_eq!(
        world.apply(&[Operation::RegisterRsu(Rid(7), record.clone())]),
        Ok(())
    );
    let stored = &world.state[&keys::rsu_key(&world.contract, Rid(7))];
    assert_eq!(stored.decode_as::<RsuRecord>().unwrap(), record);
    assert_eq!(world.apply(&[Operation::RevokeRsu(Rid(7))]), Ok(()));
    assert_eq!(
        world.apply(&[Operation::RevokeRsu(Rid(8))]),
        Err(Refusal::NotRegistered)
    );
}

#[test]
fn operations_of_one_call_succeed_together_or_not_at_all() {
    let mut world = World::new();
    let operations = [
        Operation::RegisterVehicle(uid(1), vehicle()),
        Operation::RevokeVehicle(uid(2)),
    ];
    assert_eq!(world.apply(&operations), Err(Refusal::NotRegistered));
    assert_eq!(world.vehicle(uid(1)), None);
}

#[test]
fn b10_both_authorities_must_sign() {
    let mut world = World::new();
    let chain = world.genesis.chain_id();
    for (missing_ta, refusal) in [
        (true, Refusal::MissingTaSignature),
        (false, Refusal::MissingLeaSignature),
    ] {
        let call = world.call(&[Operation::RegisterVehicle(uid(1), vehicle())]);
        let one = if missing_ta { &world.lea } else { &world.ta };
        let signed = call.sign(&chain, &[&world.stranger, one]);
        assert_eq!(world.run(&signed), Err(refusal));
    }
}

#[test]
fn a_wrong_address_is_refused() {
    let mut world = World::new();
    let right = world.contract;
    world.contract = Address([9; 20]);
    assert_eq!(
        world.apply(&[Operation::RevokeVehicle(uid(1))]),
        Err(Refusal::WrongAddress)
    );
    world.contract = right;
}

#[test]
fn an_undeclared_record_is_refused() {
    let mut world = World::new();
    let mut call = world.call(&[Operation::RegisterVehicle(uid(1), vehicle())]);
    call.access[0].keys.pop();
    let signed = world.sign(call);
    assert_eq!(world.run(&signed), Err(Refusal::UndeclaredKey));

    let mut call = world.call(&[Operation::RegisterVehicle(uid(1), vehicle())]);
    call.access.clear();
    let signed = world.sign(call);
    assert_eq!(world.run(&signed), Err(Refusal::UndeclaredKey));
}

#[test]
fn an_expired_transaction_is_refused() {
    let mut world = World::new();
    let call = world.call(&[Operation::RegisterVehicle(uid(1), vehicle())]);
    let signed = world.sign(call);
    assert_eq!(world.run_at(NOW + 1, &[signed]), [Err(Refusal::Expired)]);
}

#[test]
fn a_replayed_transaction_is_refused_in_the_same_and_in_a_later_block() {
    let mut world = World::new();
    let call = world.call(&[Operation::RegisterVehicle(uid(1), vehicle())]);
    let signed = world.sign(call);
    let results = world.run_at(NOW, &[signed.clone(), signed.clone()]);
    assert_eq!(results, [Ok(()), Err(Refusal::Replayed)]);
    assert_eq!(world.run(&signed), Err(Refusal::Replayed));
}

#[test]
fn a_refused_call_uses_up_its_nonce() {
    let mut world = World::new();
    let call = world.call(&[Operation::RevokeVehicle(uid(1))]);
    let signed = world.sign(call);
    assert_eq!(world.run(&signed), Err(Refusal::NotRegistered));
    assert_eq!(world.run(&signed), Err(Refusal::Replayed));
}

#[test]
fn only_authorities_deploy_known_code_once() {
    let mut world = World::new();
    let chain = world.genesis.chain_id();
    let deploy = |nonce, by: &PrivateKey| keys::deploy(nonce, NOW, &by.public_key(), YEAR);

    let stranger = deploy(1, &world.stranger).sign(&chain, &[&world.stranger]);
    assert_eq!(world.run(&stranger), Err(Refusal::NotAnAuthority));
    let countersigned = deploy(2, &world.stranger).sign(&chain, &[&world.stranger, &world.ta]);
    assert_eq!(world.run(&countersigned), Err(Refusal::NotAnAuthority));

    let mut unknown = deploy(2, &world.ta);
    unknown.action = Action::Deploy {
        name: "nothing".into(),
        version: 1,
        parameters: Default::default(),
    };
    let unknown = unknown.sign(&chain, &[&world.ta]);
    assert_eq!(world.run(&unknown), Err(Refusal::UnknownCode));

    let mut malformed = deploy(3, &world.ta);
    malformed.action = Action::Deploy {
        name: keys::NAME.into(),
        version: keys::VERSION,
        parameters: vec![1, 2, 3].into(),
    };
    let malformed = malformed.sign(&chain, &[&world.ta]);
    assert_eq!(world.run(&malformed), Err(Refusal::MalformedPayload));
}

#[test]
fn a_malformed_payload_is_refused() {
    let mut world = World::new();
    let mut call = world.call(&[Operation::RegisterVehicle(uid(1), vehicle())]);
    let Action::Call { contract, payload } = call.action else {
        unreachable!()
    };
    let longer: Vec<u8> = payload.iter().copied().chain([0]).collect();
    call.action = Action::Call {
        contract,
        payload: longer.into(),
    };
    let signed = world.sign(call);
    assert_eq!(world.run(&signed), Err(Refusal::MalformedPayload));
}

#[test]
fn bad_periods_and_keys_are_refused() {
    let mut world = World::new();
    let bad_periods = [
        VehicleRecord {
            valid_until_ms: NOW,
            ..vehicle()
        },
        VehicleRecord {
            valid_until_ms: NOW - 1,
            ..vehicle()
        },
        VehicleRecord {
            valid_until_ms: NOW + YEAR + 1,
            ..vehicle()
        },
        VehicleRecord {
            valid_from_ms: 1,
            valid_until_ms: 2,
            ..vehicle()
        },
        VehicleRecord {
            revoked_ms: Some(1),
            ..vehicle()
        },
    ];
    for record in bad_periods {
        let result = world.apply(&[Operation::RegisterVehicle(uid(1), record)]);
        assert_eq!(result, Err(Refusal::InvalidPeriod), "{record:?}");
    }
    // The identity; a negative field element; a number above the field's prime.
    for key in [[0; 32], [1; 32], [255; 32]] {
        let result = world.apply(&[Operation::RegisterVehicle(
            uid(1),
            VehicleRecord { key, ..vehicle() },
        )]);
        assert_eq!(result, Err(Refusal::InvalidKey));
    }
}

#[test]
fn signatures_hold_for_one_chain_and_one_content() {
    let mut world = World::new();
    let mut rng = StdRng::seed_from_u64(1);
    let call = world.call(&[Operation::RegisterVehicle(uid(1), vehicle())]);
    let first = world.sign(call.clone());
    let call = world.call(&[Operation::RevokeVehicle(uid(1))]);
    let second = call.sign(&world.genesis.chain_id(), &[&world.ta]);
    let second = second.countersign(&world.genesis.chain_id(), &world.lea);
    let chain = world.genesis.chain_id();
    assert!(verify_signatures(
        &chain,
        &[&first, &second],
        &mut rng,
        &Sequential
    ));
    let other = cairn_ledger::ChainId([1; 32]);
    assert!(!verify_signatures(
        &other,
        &[&first, &second],
        &mut rng,
        &Sequential
    ));
    assert!(!verify_signatures(&other, &[&first], &mut rng, &Sequential));

    let mut bytes = first.encode().to_vec();
    bytes[7] ^= 1; // the nonce
    let forged = SignedTransaction::decode(bytes).unwrap();
    assert!(!verify_signatures(
        &chain,
        &[&forged],
        &mut rng,
        &Sequential
    ));
    assert!(!verify_signatures(
        &chain,
        &[&second, &forged],
        &mut rng,
        &Sequential
    ));
}

#[test]
fn a_signer_cannot_sign_twice() {
    let mut world = World::new();
    let call = world.call(&[Operation::RevokeVehicle(uid(1))]);
    let twice = call.sign(&world.genesis.chain_id(), &[&world.ta, &world.ta]);
    assert!(SignedTransaction::decode(twice.encode()).is_err());
}

#[test]
fn genesis_survives_encoding_and_every_field_changes_the_chain_id() {
    let genesis = World::new().genesis;
    assert_eq!(Genesis::decode(genesis.encode()).unwrap(), genesis);
    let id = genesis.chain_id();
    let others = [
        Genesis {
            name: "other".into(),
            ..genesis.clone()
        },
        Genesis {
            ta: genesis.lea.clone(),
            ..genesis.clone()
        },
        Genesis {
            lea: genesis.ta.clone(),
            ..genesis.clone()
        },
        Genesis {
            time_ms: genesis.time_ms + 1,
            ..genesis.clone()
        },
    ];
    for other in others {
        assert_ne!(other.chain_id(), id);
    }
}

proptest! {
    /// However nonces arrive, none is accepted twice, and in order all are accepted.
    #[test]
    fn a_nonce_is_accepted_at_most_once(nonces in prop::collection::vec(1000u64..1200, 1..80)) {
        let mut world = World::new();
        let mut accepted = Vec::new();
        let mut highest = 0;
        for nonce in nonces {
            let call = keys::call(nonce, NOW, world.contract, &[Operation::RevokeVehicle(uid(1))]);
            // An unsigned operation: what counts is whether the nonce passes.
            let signed = call.sign(&world.genesis.chain_id(), &[&world.stranger]);
            let passed = world.run(&signed) != Err(Refusal::Replayed);
            let expected = !accepted.contains(&nonce) && nonce + 64 > highest;
            prop_assert_eq!(passed, expected, "nonce {} after {:?}", nonce, accepted);
            accepted.push(nonce);
            highest = highest.max(nonce);
        }
    }

    /// Whatever bytes arrive, decoding ends in a value or an error, and a value encodes to the
    /// bytes that it came from.
    #[test]
    fn any_bytes_decode_to_an_error_or_to_one_value(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        if let Ok(signed) = SignedTransaction::decode(bytes.clone()) {
            prop_assert_eq!(signed.encode().to_vec(), bytes.clone());
        }
        if let Ok(operation) = Operation::decode_cfg(bytes.clone(), &()) {
            prop_assert_eq!(operation.encode().to_vec(), bytes);
        }
    }

    /// Changing any byte of a signed transaction makes it undecodable or its signature wrong.
    #[test]
    fn any_changed_byte_is_noticed(position in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut world = World::new();
        let call = world.call(&[Operation::RegisterVehicle(uid(1), vehicle())]);
        let signed = world.sign(call);
        let mut bytes = signed.encode().to_vec();
        let index = position.index(bytes.len());
        bytes[index] ^= 1 << bit;
        let mut rng = StdRng::seed_from_u64(1);
        if let Ok(changed) = SignedTransaction::decode(bytes) {
            let chain = world.genesis.chain_id();
            prop_assert!(!verify_signatures(&chain, &[&changed], &mut rng, &Sequential));
        }
    }
}

#[test]
fn a_declared_foreign_record_can_be_read_but_not_written() {
    // Declaring the key of another contract does not give the right to write it: the contract's
    // own address is part of every key that it writes.
    let mut world = World::new();
    let mut call = world.call(&[Operation::RegisterVehicle(uid(1), vehicle())]);
    let foreign = Access {
        contract: Address([3; 20]),
        keys: vec![LocalKey::new(b'v', &uid(1)).unwrap()],
    };
    call.access.push(foreign);
    let signed = world.sign(call);
    assert_eq!(world.run(&signed), Ok(()));
    let foreign_key = keys::vehicle_key(&Address([3; 20]), &uid(1));
    assert!(!world.state.contains_key(&foreign_key));
}
