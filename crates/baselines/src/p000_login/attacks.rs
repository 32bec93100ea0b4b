//! Attacks C1 to C5.

use rand_core::CryptoRng;

use super::{
    Ledger, Rid, Rsu, Uid, Vehicle,
    agreement::{first_message, open_second, second_message},
    answer_agreement, begin_agreement, vehicle_random,
};
use crate::{Outcome, Refusal};

const START: u32 = 100;
const YEAR: u32 = 365 * 24 * 3_600;
const RID: Rid = Rid(*b"RSU00001");

fn parties(rng: &mut dyn CryptoRng) -> (Ledger, Vehicle, Rsu) {
    let mut ledger = Ledger::default();
    let vehicle = ledger.register(Uid(*b"UID00001"), 2 * YEAR, rng);
    (ledger, vehicle, Rsu::random(RID, rng))
}

/// C1: `H1` and its signature cover neither time nor RSU, so a recorded request is good for as
/// long as the key is; only the clear time stamp is changed. Follows from the prose.
pub fn attack_c1(rng: &mut dyn CryptoRng) -> Outcome {
    let (mut ledger, vehicle, rsu) = parties(rng);
    let other = Rsu::random(Rid(*b"RSU00002"), rng);
    let recorded = vehicle.request(START);
    let honest = rsu.answer(&mut ledger, &recorded, START, rng).is_ok();

    let mut replay = recorded;
    replay.sent = (START + YEAR).to_be_bytes();
    let succeeded = other
        .answer(&mut ledger, &replay, START + YEAR, rng)
        .is_ok();

    let mut tampered = replay;
    tampered.uid = Uid(*b"UID00002");
    let refused = other
        .answer(&mut ledger, &tampered, START + YEAR, rng)
        .err();
    Outcome {
        succeeded,
        control: honest && refused == Some(Refusal::Digest),
        achieved: "logs in as the vehicle one year later at another RSU, without its key".into(),
    }
}

/// C2: the only secret of the vehicle in the answer is R1, and R1 is a function of public
/// values. The attacker knows the time to within [`super::THR`] and tries every second.
pub fn attack_c2(rng: &mut dyn CryptoRng) -> Outcome {
    let (ledger, vehicle, rsu) = parties(rng);
    let sent = START + 10;
    let run = begin_agreement(&vehicle, RID, &rsu.key(), sent, rng).and_then(|(wait, first)| {
        let (_, second) = answer_agreement(&rsu, &ledger, &first, sent, rng)?;
        let (_, r1) = open_second(&vehicle, &second, Some(sent))?;
        let honest = wait.finish(&vehicle, &second, sent).is_ok();
        let mut altered = first;
        altered[70] ^= 1;
        let refused = answer_agreement(&rsu, &ledger, &altered, sent, rng).err();
        Ok((r1, honest && refused == Some(Refusal::Ciphertext)))
    });
    let guesses = sent - super::THR..=sent + super::THR;
    let tried = guesses.clone().count();
    let hit = guesses
        .map(|time| vehicle_random(vehicle.uid, time))
        .any(|guess| run.is_ok_and(|(r1, _)| r1 == guess));
    Outcome {
        succeeded: hit,
        control: run.is_ok_and(|(_, control)| control),
        achieved: format!("computes R1 from UID and time in at most {tried} guesses"),
    }
}

/// C3: an attacker who knows R1 writes the RSU's answer: it carries no signature.
pub fn attack_c3(rng: &mut dyn CryptoRng) -> Outcome {
    let (_, vehicle, rsu) = parties(rng);
    let now = START + 10;
    let mut forge = |r1: [u8; 32]| -> Result<bool, Refusal> {
        let (wait, _unread) = begin_agreement(&vehicle, RID, &rsu.key(), now, rng)?;
        let mut ik = [0; 32];
        rng.fill_bytes(&mut ik);
        let (mine, second) = second_message(RID, vehicle.uid, &r1, &ik, &vehicle.key(), now, rng)?;
        Ok(wait.finish(&vehicle, &second, now)? == mine)
    };
    let succeeded = forge(vehicle_random(vehicle.uid, now)) == Ok(true);
    let control = forge(vehicle_random(vehicle.uid, now + 100)) == Err(Refusal::Proof);
    Outcome {
        succeeded,
        control,
        achieved: "shares the session key with a vehicle that believes it speaks to the RSU".into(),
    }
}

/// C4: the vehicle's first message is encrypted, not signed: UID is whatever the sender writes.
pub fn attack_c4(rng: &mut dyn CryptoRng) -> Outcome {
    let (ledger, vehicle, rsu) = parties(rng);
    let mut open = |uid: Uid| {
        let (mut r1, mut ik) = ([0; 32], [0; 32]);
        rng.fill_bytes(&mut r1);
        rng.fill_bytes(&mut ik);
        let first = first_message(RID, uid, &r1, &ik, &rsu.key(), START, rng)?;
        answer_agreement(&rsu, &ledger, &first, START, rng)
    };
    let session = open(vehicle.uid);
    let unknown = open(Uid(*b"UID00009"));
    Outcome {
        succeeded: session.is_ok_and(|(session, _)| session.uid() == vehicle.uid),
        control: unknown.err() == Some(Refusal::Key),
        achieved: "the RSU opens a session in the name of a vehicle that sent nothing".into(),
    }
}

/// C5: the RSU's answer carries R1, R2 and BK under the vehicle's long-term key.
pub fn attack_c5(rng: &mut dyn CryptoRng) -> Outcome {
    let (ledger, vehicle, rsu) = parties(rng);
    let run = begin_agreement(&vehicle, RID, &rsu.key(), START, rng).and_then(|(wait, first)| {
        let (_, recorded) = answer_agreement(&rsu, &ledger, &first, START, rng)?;
        Ok((wait.finish(&vehicle, &recorded, START)?, recorded))
    });
    let stranger = Vehicle {
        uid: vehicle.uid,
        keys: super::KeyPair::random(rng),
    };
    let opened_with = |leaked: &Vehicle| {
        run.as_ref().is_ok_and(|(session, recorded)| {
            open_second(leaked, recorded, None).is_ok_and(|(found, _)| found == *session)
        })
    };
    Outcome {
        succeeded: opened_with(&vehicle),
        control: !opened_with(&stranger),
        achieved: "reads the session key, and BK for all rekeys, out of a recording".into(),
    }
}
