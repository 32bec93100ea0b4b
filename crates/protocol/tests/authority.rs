//! Registration, update and revocation, and what TA and LEA refuse.

mod common;

use cairn_contracts::keys::{self, Operation};
use cairn_crypto::{schnorr::SecretKey, seal::RegisterKey};
use cairn_ledger::{Action, Address, ChainId, Position, PrivateKey, Rid, Uid};
use cairn_protocol::authority::{
    Application, ApplicationError, Case, Identification, MAX_FIELD_BYTES, Proposal, Registrar,
    RegistrarError, ReviewError, Reviewer, RsuApplication, SealedEntry, UpdateRequest, VALIDITY_MS,
};
use common::{CHAIN, KEYS, START, rng, rsu_signer};
use commonware_codec::{Copying, DecodeExt as _, DecodeRangeExt as _, Encode as _};
use commonware_cryptography::Signer as _;
use commonware_math::algebra::Random as _;
use proptest::prelude::*;

const EXPIRES: u64 = START + 60_000;
const HOUR: u64 = 3_600_000;

fn ta() -> PrivateKey {
    PrivateKey::random(rng(21))
}

fn lea() -> PrivateKey {
    PrivateKey::random(rng(22))
}

fn registrar_with(entries: Vec<SealedEntry>) -> Registrar {
    Registrar::new(CHAIN, KEYS, ta(), RegisterKey::new(&[4; 32]), entries)
}

fn registrar() -> Registrar {
    registrar_with(Vec::new())
}

fn reviewer() -> Reviewer {
    Reviewer::new(CHAIN, KEYS, ta().public_key(), lea())
}

fn ada() -> Identification {
    Identification {
        name: "Ada Example".into(),
        document: "C01X0006H".into(),
        plate: "HH-AE 42".into(),
        vehicle: "passenger car".into(),
        licence: "B072RRE2I55".into(),
    }
}

fn changed(change: impl FnOnce(&mut Identification)) -> Identification {
    let mut ada = ada();
    change(&mut ada);
    ada
}

fn key(seed: u64) -> SecretKey {
    SecretKey::random(&mut rng(seed))
}

fn application() -> Application {
    Application::new(&CHAIN, [9; 16], ada(), &key(31), &mut rng(32))
}

fn registered() -> (Registrar, SealedEntry, Case) {
    let mut registrar = registrar();
    let (entry, case) = registrar
        .register(&application(), START, &mut rng(33))
        .unwrap();
    (registrar, entry, case)
}

fn review(proposal: &Proposal) -> Result<(), ReviewError> {
    let ledger = |_: &Uid| Some(key(31).public().to_bytes());
    reviewer()
        .review(proposal, ledger, START, &mut rng(35))
        .map(|_| ())
}

#[test]
fn registered_vehicle_reaches_the_contract_with_both_signatures() {
    let (registrar, entry, case) = registered();
    let proposal = registrar.propose(1, EXPIRES, vec![case], START).unwrap();
    let ledger = |_: &Uid| None;
    let signed = reviewer()
        .review(&proposal, ledger, START + 5, &mut rng(34))
        .unwrap();
    let signers: Vec<_> = signed.signers().cloned().collect();
    assert_eq!(signers, [ta().public_key(), lea().public_key()]);
    let Action::Call { contract, payload } = &signed.transaction().action else {
        panic!("a call")
    };
    assert_eq!(*contract, KEYS);
    let operations = Vec::<Operation>::decode_range(Copying(payload), 1..=1).unwrap();
    let [Operation::RegisterVehicle(uid, record)] = &operations[..] else {
        panic!("one vehicle")
    };
    assert_eq!((*uid, record.key), (entry.uid, key(31).public().to_bytes()));
    assert_eq!(
        (record.valid_from_ms, record.valid_until_ms),
        (START, START + VALIDITY_MS)
    );
}

#[test]
fn b2_register_on_disk_shows_nobody_and_opens_again() {
    let (_, entry, _) = registered();
    let disk = entry.encode();
    for (_, text) in [("name", "Ada"), ("plate", "HH-AE"), ("document", "C01X")] {
        assert!(
            !disk
                .windows(text.len())
                .any(|window| window == text.as_bytes())
        );
    }
    let again = SealedEntry::decode(disk).unwrap();
    let registrar = registrar_with(vec![again]);
    assert!(registrar.open(&entry.uid).unwrap() == ada());
    assert_eq!(registrar.find_plate("HH-AE 42"), Some(entry.uid));
    assert_eq!(registrar.find_plate("HH-AE 43"), None);
}

#[test]
fn entry_under_another_uid_or_key_does_not_open() {
    let (_, entry, _) = registered();
    let moved = SealedEntry {
        uid: Uid([1; 8]),
        ..entry.clone()
    };
    assert!(matches!(
        registrar_with(vec![moved]).open(&Uid([1; 8])),
        Err(RegistrarError::Seal(_))
    ));
    let other = Registrar::new(
        CHAIN,
        KEYS,
        ta(),
        RegisterKey::new(&[5; 32]),
        vec![entry.clone()],
    );
    assert!(matches!(
        other.open(&entry.uid),
        Err(RegistrarError::Seal(_))
    ));
}

// V-REG-1

#[test]
fn empty_long_and_control_character_fields_are_refused() {
    let bad = [
        String::new(),
        "x".repeat(MAX_FIELD_BYTES + 1),
        "A\u{0}da".into(),
        "A\nda".into(),
    ];
    for name in bad {
        let identification = changed(|ada| ada.name = name);
        let application = Application::new(&CHAIN, [9; 16], identification, &key(31), &mut rng(32));
        let refused = registrar().register(&application, START, &mut rng(33));
        let expected = RegistrarError::Application(ApplicationError::Field("name"));
        assert_eq!(refused.err(), Some(expected));
    }
}

// V-REG-2

#[test]
fn b7_application_without_the_secret_key_is_refused() {
    let changes: [fn(&mut Application); 4] = [
        |a| a.key = key(99).public().to_bytes(),
        |a| a.request[0] ^= 1,
        |a| a.identification = changed(|ada| ada.name = "Eve".into()),
        |a| a.possession[63] ^= 1,
    ];
    for change in changes {
        let mut application = application();
        change(&mut application);
        assert_eq!(application.check(&CHAIN), Err(ApplicationError::Possession));
    }
    assert_eq!(
        application().check(&ChainId([0; 32])),
        Err(ApplicationError::Possession)
    );
}

#[test]
fn identity_key_is_refused() {
    let application = Application {
        key: [0; 32],
        ..application()
    };
    assert!(matches!(
        application.check(&CHAIN),
        Err(ApplicationError::Key(_))
    ));
}

proptest! {
    #[test]
    fn applications_survive_encoding_and_changed_ones_are_refused(
        at in any::<prop::sample::Index>(),
        flip in 1..=u8::MAX,
    ) {
        let mut bytes = application().encode().to_vec();
        let same = Application::decode(Copying(&bytes)).unwrap();
        prop_assert_eq!(same.check(&CHAIN), Ok(()));
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        let changed = Application::decode(Copying(&bytes));
        prop_assert!(!changed.is_ok_and(|changed| changed.check(&CHAIN).is_ok()));
    }
}

// V-REG-3

#[test]
fn the_same_application_gets_the_same_answer() {
    let (mut registrar, entry, _) = registered();
    let (again, _) = registrar
        .register(&application(), START + 1, &mut rng(77))
        .unwrap();
    assert_eq!(again, entry);
}

#[test]
fn second_registration_of_document_plate_or_key_is_refused() {
    let other = |document: &str, plate: &str, seed| {
        let identification = changed(|ada| {
            ada.document = document.into();
            ada.plate = plate.into();
        });
        Application::new(&CHAIN, [9; 16], identification, &key(seed), &mut rng(40))
    };
    let cases = [
        (other("C01X0006H", "HH-ZZ 1", 41), "document"),
        (other("OTHER", "HH-AE 42", 41), "plate"),
        (other("OTHER", "HH-ZZ 1", 31), "key"),
    ];
    for (application, what) in cases {
        let (mut registrar, ..) = registered();
        let refused = registrar.register(&application, START, &mut rng(42));
        assert_eq!(refused.err(), Some(RegistrarError::AlreadyRegistered(what)));
    }
    let (mut registrar, ..) = registered();
    registrar
        .register(&other("OTHER", "HH-ZZ 1", 41), START, &mut rng(42))
        .unwrap();
}

#[test]
fn revoked_person_is_not_registered_again_by_a_repeated_application() {
    let (mut registrar, entry, _) = registered();
    registrar.revoke(&entry.uid, "stolen").unwrap();
    let refused = registrar.register(&application(), START, &mut rng(42));
    assert_eq!(
        refused.err(),
        Some(RegistrarError::AlreadyRegistered("document"))
    );
}

// V-REG-4

#[test]
fn update_replaces_the_key() {
    let (mut registrar, entry, _) = registered();
    let request = UpdateRequest::new(&CHAIN, entry.uid, &key(31), &key(51), &mut rng(52));
    let (entry, case) = registrar.update(&request, START + 9).unwrap();
    assert_eq!(entry.key, key(51).public().to_bytes());
    assert_eq!(entry.valid_until_ms, START + 9 + VALIDITY_MS);
    review(&registrar.propose(2, EXPIRES, vec![case], START).unwrap()).unwrap();
    // The next one must come from the new key; the old key is never registered again.
    let stale = UpdateRequest::new(&CHAIN, entry.uid, &key(31), &key(53), &mut rng(52));
    let refused = RegistrarError::Application(ApplicationError::OldKey);
    assert_eq!(registrar.update(&stale, START).err(), Some(refused));
    let back = UpdateRequest::new(&CHAIN, entry.uid, &key(51), &key(31), &mut rng(52));
    let refused = RegistrarError::AlreadyRegistered("key");
    assert_eq!(registrar.update(&back, START).err(), Some(refused));
}

#[test]
fn update_without_old_or_new_key_is_refused() {
    let (mut registrar, entry, _) = registered();
    let good = UpdateRequest::new(&CHAIN, entry.uid, &key(31), &key(51), &mut rng(52));
    let mut by_thief = UpdateRequest::new(&CHAIN, entry.uid, &key(99), &key(51), &mut rng(52));
    by_thief.by_new = good.by_new;
    let mut not_held = good.clone();
    not_held.by_new = good.by_old;
    for (request, error) in [
        (by_thief, ApplicationError::OldKey),
        (not_held, ApplicationError::Possession),
    ] {
        let refused = registrar.update(&request, START);
        assert_eq!(refused.err(), Some(RegistrarError::Application(error)));
    }
}

#[test]
fn unknown_and_revoked_vehicles_are_neither_updated_nor_revoked() {
    let (mut registrar, entry, _) = registered();
    let other = Uid([1; 8]);
    assert_eq!(
        registrar.revoke(&other, "x").err(),
        Some(RegistrarError::Unknown(other))
    );
    registrar.revoke(&entry.uid, "stolen").unwrap();
    let revoked = RegistrarError::Revoked(entry.uid);
    assert_eq!(registrar.revoke(&entry.uid, "x").err(), Some(revoked));
    let request = UpdateRequest::new(&CHAIN, entry.uid, &key(31), &key(51), &mut rng(52));
    assert_eq!(registrar.update(&request, START).err(), Some(revoked));
}

// V-REG-5, V-REG-6

#[test]
fn rsu_application_is_signed_by_its_key() {
    let position = Position { x_cm: 5, y_cm: 6 };
    let good = RsuApplication::new(&CHAIN, Rid(3), position, &rsu_signer(Rid(3)));
    assert_eq!(good.check(&CHAIN), Ok(()));
    let refused = Err(ApplicationError::Rsu(Rid(3)));
    assert_eq!(good.check(&ChainId([0; 32])), refused);
    let elsewhere = Position { x_cm: 7, y_cm: 6 };
    assert_eq!(
        RsuApplication {
            position: elsewhere,
            ..good.clone()
        }
        .check(&CHAIN),
        refused
    );
    let key = rsu_signer(Rid(4)).public_key();
    let moved = RsuApplication {
        key,
        ..good.clone()
    };
    assert_eq!(moved.check(&CHAIN), refused);
    let propose = |case| registrar().propose(1, EXPIRES, vec![case], START);
    let error = propose(Case::RegisterRsu(moved)).err();
    assert_eq!(
        error,
        Some(RegistrarError::Application(ApplicationError::Rsu(Rid(3))))
    );
    review(&propose(Case::RegisterRsu(good)).unwrap()).unwrap();
}

#[test]
fn revocation_without_a_reason_is_refused() {
    let (mut registrar, entry, _) = registered();
    for reason in [String::new(), "x".repeat(257)] {
        assert_eq!(
            registrar.revoke(&entry.uid, &reason).err(),
            Some(RegistrarError::Reason)
        );
    }
    let (_, case) = registrar.revoke(&entry.uid, "court order 12/26").unwrap();
    review(&registrar.propose(1, EXPIRES, vec![case], START).unwrap()).unwrap();
}

// V-REVIEW-1, V-REVIEW-2: the LEA does not trust the TA.

fn proposal() -> (Proposal, Uid) {
    let (registrar, entry, case) = registered();
    (
        registrar.propose(1, EXPIRES, vec![case], START).unwrap(),
        entry.uid,
    )
}

fn resigned(proposal: &Proposal, contract: Address, operations: &[Operation]) -> Proposal {
    let transaction = keys::call(1, EXPIRES, contract, operations).sign(&CHAIN, &[&ta()]);
    Proposal {
        transaction,
        ..proposal.clone()
    }
}

#[test]
fn call_that_does_something_else_than_its_cases_is_not_countersigned() {
    let (good, uid) = proposal();
    review(&good).unwrap();
    let operation = |error| Err(ReviewError::Operation(error));
    assert_eq!(
        review(&resigned(&good, KEYS, &[Operation::RevokeVehicle(uid)])),
        operation(0)
    );
    let none = Proposal {
        cases: Vec::new(),
        ..good.clone()
    };
    assert_eq!(review(&none), operation(0));
    let twice = Proposal {
        cases: [good.cases.clone(), good.cases.clone()].concat(),
        ..good
    };
    assert_eq!(review(&twice), operation(1));
}

#[test]
fn call_of_another_contract_is_not_countersigned() {
    let (good, uid) = proposal();
    let other = resigned(&good, Address([1; 20]), &[Operation::RevokeVehicle(uid)]);
    assert_eq!(review(&other), Err(ReviewError::Contract(KEYS)));
}

#[test]
fn call_that_the_ta_did_not_sign_is_not_countersigned() {
    let (good, uid) = proposal();
    let call = || keys::call(1, EXPIRES, KEYS, &[Operation::RevokeVehicle(uid)]);
    for (chain, signers) in [
        (CHAIN, vec![lea()]),
        (CHAIN, vec![ta(), lea()]),
        (ChainId([0; 32]), vec![ta()]),
    ] {
        let signers: Vec<&PrivateKey> = signers.iter().collect();
        let transaction = call().sign(&chain, &signers);
        let forged = Proposal {
            transaction,
            ..good.clone()
        };
        assert_eq!(review(&forged), Err(ReviewError::Signature));
    }
}

#[test]
fn validity_that_begins_another_time_is_not_countersigned() {
    let (good, _) = proposal();
    for from_ms in [START - HOUR - 1, START + 2_001] {
        let moved = Proposal {
            from_ms,
            ..good.clone()
        };
        assert_eq!(review(&moved), Err(ReviewError::Validity(from_ms)));
    }
}

#[test]
fn b13_ta_cannot_register_a_key_that_nobody_holds() {
    let (good, uid) = proposal();
    let mut forged = application();
    forged.key = key(99).public().to_bytes();
    let case = Case::Register {
        uid,
        application: Box::new(forged),
    };
    let record = cairn_contracts::keys::VehicleRecord {
        key: key(99).public().to_bytes(),
        valid_from_ms: START,
        valid_until_ms: START + VALIDITY_MS,
        revoked_ms: None,
    };
    let proposal = resigned(&good, KEYS, &[Operation::RegisterVehicle(uid, record)]);
    let proposal = Proposal {
        cases: vec![case],
        ..proposal
    };
    let error = RegistrarError::Application(ApplicationError::Possession);
    assert_eq!(review(&proposal), Err(ReviewError::Case(0, error)));
}

#[test]
fn ta_cannot_replace_a_key_with_an_invented_old_one() {
    let (mut registrar, entry, _) = registered();
    let request = UpdateRequest::new(&CHAIN, entry.uid, &key(31), &key(51), &mut rng(52));
    let (_, case) = registrar.update(&request, START).unwrap();
    let proposal = registrar.propose(2, EXPIRES, vec![case], START).unwrap();
    let ledger = |_: &Uid| Some(key(98).public().to_bytes());
    let refused = reviewer().review(&proposal, ledger, START, &mut rng(35));
    assert_eq!(refused.err(), Some(ReviewError::OldKey(0)));
}
