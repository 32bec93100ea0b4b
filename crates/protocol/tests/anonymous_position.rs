//! Position messages under anonymous credentials: who can sign them, who cannot, and what they are
//! evidence of.

mod common;

use cairn_crypto::{
    credential::Attributes,
    linkage::LinkageValue,
    schnorr::PublicKey,
    suite::{Element, Ristretto255},
};
use cairn_ledger::{ChainId, Position, Rid};
use cairn_protocol::{
    evidence::{Evidence, EvidenceError, Grounds, Heard},
    plausibility::{Bounds, Check, Class, Severity},
    position::{
        ATTACH_MS, Attachment, MAX_BYTES, Motion, PositionError, Receiver, Signatory, Signed,
        Signer, Speaker,
    },
    roadside::AnonymousWhy,
    vehicle::{Identity, Papers, Refusal, Rotation, Vehicle},
    wire::{Message, WireError},
    witness::{Passed, Stand, Witness},
};
use common::{
    CHAIN, DAY, KEYS, RID, START, UID,
    issuing::{EPOCH, Office, seconds},
    rng, road, vehicle_secret,
};
use commonware_codec::{Copying, DecodeExt as _, Encode as _};
use curve25519_dalek::{Scalar, ristretto::CompressedRistretto};
use rand::rngs::StdRng;

const HERE: Position = Position { x_cm: 0, y_cm: 0 };
const SECOND: u64 = 1_000;

/// Northwards with 10 m/s along a line 100 m east of the RSU.
fn driving(second: u64) -> Motion {
    Motion {
        position: Position {
            x_cm: 10_000,
            y_cm: -30_000 + 1_000 * i32::try_from(second).unwrap(),
        },
        speed_cm_s: 1_000,
        heading_cdeg: 0,
        acceleration_cm_s2: 0,
        class: Class::Car,
    }
}

/// Somewhere else every second.
fn jumping(second: u64) -> Motion {
    let x_cm = if second.is_multiple_of(2) {
        30_000
    } else {
        -30_000
    };
    Motion {
        position: Position { x_cm, y_cm: 0 },
        ..driving(0)
    }
}

/// The speakers of a vehicle's two credentials, the older one first.
fn speakers(office: &mut Office) -> [Speaker; 2] {
    let attributes: Vec<_> = office
        .slots(START)
        .iter()
        .map(|slot| office.attributes(*slot))
        .collect();
    let [older, newer] = attributes[..] else {
        panic!("two slots are on at any time")
    };
    [older, newer].map(|attributes| speaker(office, attributes))
}

fn speaker(office: &mut Office, attributes: Attributes) -> Speaker {
    Speaker::anonymous(CHAIN, &office.issue(attributes), START)
}

fn receiver(office: &Office) -> Receiver {
    Receiver::new(CHAIN, KEYS, office.issuers())
}

fn says(speaker: &mut Speaker) -> Signed {
    speaker.speak(driving(0), START, &mut rng(3))
}

fn heard_by(receiver: &mut Receiver, message: Signed) -> Result<(), PositionError> {
    let results = receiver.verify(&[message], &[], START, &mut rng(4));
    results[0].map(|verified| assert_eq!(verified.signatory.signer(), message.statement.signer))
}

fn linkage(message: &Signed) -> LinkageValue {
    match message.statement.signer {
        Signer::Anonymous(value) => LinkageValue(value),
        Signer::Registered(_) => panic!("an anonymous message"),
    }
}

fn refused(message: &Signed, why: AnonymousWhy) -> Result<(), PositionError> {
    Err(PositionError::Credential(linkage(message), why))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn lengths_and_bytes_are_as_recorded() {
    let [mut speaker, _] = speakers(&mut Office::new(40));
    let message = says(&mut speaker);
    let with_credential = Message::Position(message).encode();
    let without = Message::Position(message.bare()).encode();
    assert_eq!((without.len(), with_credential.len()), (102, 142));
    assert!(without.len() <= MAX_BYTES);
    assert_eq!(
        hex(&with_credential),
        include_str!("fixtures/anonymous_position.txt").trim(),
        "the protocol has changed"
    );
    assert_eq!(
        with_credential[1..102],
        without[1..],
        "the same signed bytes"
    );
    for datagram in [with_credential, without] {
        let decoded = Message::decode(&datagram).unwrap();
        assert_eq!(decoded.encode(), datagram);
        let short = Message::decode(&datagram[..datagram.len() - 1]);
        assert!(matches!(short, Err(WireError::Length { .. })));
    }
}

#[test]
fn the_credential_rides_along_at_first_and_then_once_a_second() {
    let [mut speaker, _] = speakers(&mut Office::new(1));
    let mut attached = |at_ms| {
        let message = speaker.speak(driving(0), START + at_ms, &mut rng(3));
        message.attachment.is_some()
    };
    let four_a_second: Vec<bool> = (0..8).map(|quarter| attached(250 * quarter)).collect();
    let once = [true, false, false, false];
    assert_eq!(four_a_second, [once, once].concat());
    assert!(attached(1_000 + ATTACH_MS));
    assert!(attached(1_000 + 2 * ATTACH_MS));
}

#[test]
fn a_credential_that_was_not_heard_yet_is_passed_over_until_it_rides_along() {
    let mut office = Office::new(1);
    let [mut speaker, _] = speakers(&mut office);
    let mut receiver = receiver(&office);
    let message = says(&mut speaker);
    let unheard = Err(PositionError::NoCredential(linkage(&message)));
    assert_eq!(heard_by(&mut receiver, message.bare()), unheard);
    assert_eq!(heard_by(&mut receiver, message), Ok(()));
    assert_eq!(heard_by(&mut receiver, message.bare()), Ok(()));
}

#[test]
fn many_vehicles_are_checked_in_one_batch_and_a_bad_one_is_named() {
    let mut messages = Vec::new();
    let mut issuers = Office::new(1);
    for number in 0..8 {
        let mut attributes = issuers.attributes(issuers.slots(START)[1]);
        attributes.linkage = LinkageValue([number; 9]);
        messages.push(says(&mut speaker(&mut issuers, attributes)));
    }
    messages[5].statement.sequence += 1;
    let results = receiver(&issuers).verify(&messages, &[], START, &mut rng(4));
    for (place, (result, message)) in results.iter().zip(&messages).enumerate() {
        let bad = PositionError::Signature(message.statement.signer);
        assert_eq!(result.err(), (place == 5).then_some(bad), "message {place}");
    }
}

#[test]
fn every_field_is_signed_and_so_is_the_chain() {
    let mut office = Office::new(1);
    let [mut speaker, _] = speakers(&mut office);
    let message = says(&mut speaker);
    let datagram = Message::Position(message).encode();
    for place in 1..datagram.len() {
        let mut changed = datagram.clone();
        changed[place] ^= 1;
        let Ok(Message::Position(message)) = Message::decode(&changed) else {
            continue;
        };
        let result = heard_by(&mut receiver(&office), message);
        assert!(result.is_err(), "byte {place}");
    }
    let mut elsewhere = Receiver::new(ChainId([1; 32]), KEYS, office.issuers());
    let signature = Err(PositionError::Signature(message.statement.signer));
    assert_eq!(heard_by(&mut elsewhere, message), signature);
}

/// The message with a credential that says that its slot begins then.
fn moved_to(mut message: Signed, start_s: u32) -> Signed {
    message.attachment.as_mut().unwrap().start_s = start_s;
    message
}

#[test]
fn a_message_under_a_credential_of_another_slot_is_refused() {
    let mut office = Office::new(1);
    let on = office.slots(START);
    for at_ms in [START - DAY, START + DAY] {
        let slot = office.slots(at_ms)[0];
        assert!(!on.contains(&slot));
        let attributes = office.attributes(slot);
        let message = says(&mut speaker(&mut office, attributes));
        let why = AnonymousWhy::Slot(slot.start_s());
        assert_eq!(
            heard_by(&mut receiver(&office), message),
            refused(&message, why)
        );
        // Said to be of the slot that is on, it is signed by another key; of one that is none, by none.
        let signature = Err(PositionError::Signature(message.statement.signer));
        let moved = moved_to(message, on[1].start_s());
        assert_eq!(heard_by(&mut receiver(&office), moved), signature);
        let off_grid = on[1].start_s() + 1;
        let why = AnonymousWhy::Grid(off_grid);
        let moved = heard_by(&mut receiver(&office), moved_to(message, off_grid));
        assert_eq!(moved, refused(&message, why));
    }
}

#[test]
fn a_credential_ends_while_it_is_known() {
    let mut office = Office::new(1);
    let [mut older, _] = speakers(&mut office);
    let mut receiver = receiver(&office);
    let message = says(&mut older);
    assert_eq!(heard_by(&mut receiver, message), Ok(()));
    let slot = office.slots(START)[0];
    let end_ms = u64::from(slot.end_s()) * 1_000;
    let mut at = |now_ms| {
        let results = receiver.verify(&[message.bare()], &[], now_ms, &mut rng(4));
        results[0].map(|_| ())
    };
    assert_eq!(at(end_ms - 1), Ok(()));
    let over = refused(&message, AnonymousWhy::Slot(slot.start_s()));
    assert_eq!(at(end_ms), over);
}

#[test]
fn a_forged_linkage_value_is_refused() {
    let mut office = Office::new(1);
    let [mut mine, mut theirs] = speakers(&mut office);
    let (mine, theirs) = (says(&mut mine), says(&mut theirs));
    for forged in [theirs.statement.signer, Signer::Anonymous([7; 9])] {
        let mut message = mine;
        message.statement.signer = forged;
        let signature = Err(PositionError::Signature(forged));
        assert_eq!(heard_by(&mut receiver(&office), message), signature);
    }
}

#[test]
fn an_attachment_of_another_credential_is_refused_and_spoils_nothing() {
    let mut office = Office::new(1);
    let [mut mine, mut theirs] = speakers(&mut office);
    let (mine, theirs) = (says(&mut mine), says(&mut theirs));
    let swapped = Signed {
        attachment: mine.attachment,
        ..theirs
    };
    let signature = Err(PositionError::Signature(theirs.statement.signer));
    let mut receiver = receiver(&office);
    // Before the true one was heard, and after.
    assert_eq!(heard_by(&mut receiver, swapped), signature);
    let unheard = Err(PositionError::NoCredential(linkage(&theirs)));
    assert_eq!(heard_by(&mut receiver, theirs.bare()), unheard);
    assert_eq!(heard_by(&mut receiver, theirs), Ok(()));
    assert_eq!(heard_by(&mut receiver, swapped), signature);
    assert_eq!(heard_by(&mut receiver, theirs.bare()), Ok(()));
}

#[test]
fn nobody_signs_without_the_issuers() {
    let office = Office::new(1);
    let issuer = office.key().element().to_bytes();
    let issuer = CompressedRistretto(issuer).decompress().unwrap();
    let attributes = office.attributes(office.slots(START)[1]);
    let signer = Signer::Anonymous(attributes.linkage.0);
    let statement = cairn_protocol::position::Statement {
        signer,
        sequence: 1,
        time_ms: START,
        motion: driving(0),
    };
    let secret = vehicle_secret();
    let public = CompressedRistretto(secret.public().to_bytes())
        .decompress()
        .unwrap();
    // W of a known secret; W that differs from the key by the issuers' part under a guessed challenge; the
    // issuers' own key.
    let guessed = public - issuer * Scalar::from(5u64);
    for w in [public, guessed, issuer] {
        let message = Signed {
            statement,
            signature: secret.sign(&statement.digest(&CHAIN), &mut rng(5)),
            attachment: Some(Attachment {
                w: w.compress().to_bytes(),
                start_s: attributes.slot.start_s(),
                group: 0,
                epoch: EPOCH,
            }),
        };
        let result = heard_by(&mut receiver(&office), message);
        assert_eq!(result, Err(PositionError::Signature(signer)));
    }
}

#[test]
fn a_credential_of_other_issuers_or_of_no_epoch_is_refused() {
    let mut office = Office::new(1);
    let [_, mut speaker] = speakers(&mut office);
    let message = says(&mut speaker);
    let signature = Err(PositionError::Signature(message.statement.signer));
    let other = Office::new(2);
    assert_eq!(heard_by(&mut receiver(&other), message), signature);
    let check = |change: fn(&mut Attachment)| {
        let mut message = message;
        message.attachment.as_mut().map(change);
        heard_by(&mut receiver(&office), message)
    };
    let epoch = check(|attachment| attachment.epoch = 2);
    assert_eq!(epoch, refused(&message, AnonymousWhy::Epoch(2)));
    assert_eq!(check(|attachment| attachment.group = 1), signature);
    for w in [[0; 32], [0xff; 32]] {
        let mut message = message;
        message.attachment.as_mut().unwrap().w = w;
        let key = refused(&message, AnonymousWhy::Key);
        let result = heard_by(&mut receiver(&office), message);
        assert_eq!(result, key, "the identity, and no element");
    }
}

#[test]
fn a_revoked_vehicle_is_passed_over_under_both_credentials_and_nobody_else() {
    let mut office = Office::new(1);
    let messages = speakers(&mut office).map(|mut speaker| says(&mut speaker));
    let mut attributes = office.attributes(office.slots(START)[1]);
    attributes.linkage = LinkageValue([7; 9]);
    let bystander = says(&mut speaker(&mut office, attributes));
    let mut receiver = receiver(&office);
    assert_eq!(heard_by(&mut receiver, messages[0]), Ok(()));
    let period = office.policy.period(seconds(START));
    receiver.revoke(office.revocation(period), START);
    for message in messages {
        let revoked = refused(&message, AnonymousWhy::Revoked);
        assert_eq!(heard_by(&mut receiver, message), revoked);
        assert_eq!(
            heard_by(&mut receiver, message.bare()),
            revoked,
            "without it, too"
        );
    }
    assert_eq!(heard_by(&mut receiver, bystander), Ok(()));
}

#[test]
fn b4_messages_under_two_credentials_have_no_field_in_common() {
    let mut office = Office::new(1);
    let [mut one, mut other] = speakers(&mut office);
    for _ in 0..5 {
        says(&mut one);
    }
    let (one, other) = (says(&mut one), says(&mut other));
    assert_ne!(one.statement.signer, other.statement.signer);
    assert_ne!(one.statement.sequence + 1, other.statement.sequence);
    assert_ne!(other.statement.sequence + 1, one.statement.sequence);
    let first = other.attachment.unwrap();
    let [mut again, _] = speakers(&mut office);
    assert_ne!(says(&mut again).attachment.unwrap().w, first.w);
}

fn vehicle(papers: impl Into<Papers>) -> Vehicle {
    Vehicle::new(papers, road())
}

#[test]
fn a_vehicle_signs_under_the_name_that_it_goes_by() {
    let mut rng = rng(5);
    let identity = Identity {
        uid: UID,
        key: vehicle_secret(),
    };
    let message = vehicle(identity).speak(driving(0), START, START, &mut rng);
    assert_eq!(message.unwrap().statement.signer, Signer::Registered(UID));

    let mut office = Office::new(1);
    let mut slots = [office.slots(START), office.slots(START + DAY / 3)].concat();
    slots.dedup();
    let mut anonymous = vehicle(office.wallet(&slots, Rotation::Period));
    let mut at = |at_ms| match anonymous.speak(driving(0), at_ms, at_ms, &mut rng) {
        Ok(message) => Some(message.statement.signer),
        Err(Refusal::Exhausted) => None,
        Err(other) => panic!("{other}"),
    };
    let signer = |slot| Signer::Anonymous(office.attributes(slot).linkage.0);
    let begin_ms = |number: usize| u64::from(slots[number].start_s()) * 1_000;
    assert_eq!(at(START), Some(signer(slots[1])), "the newer one");
    assert_eq!(at(begin_ms(2) - 1), Some(signer(slots[1])));
    assert_eq!(at(begin_ms(2)), Some(signer(slots[2])), "a slot begins");
    let over_ms = u64::from(slots[2].end_s()) * 1_000;
    assert_eq!(at(over_ms), None, "nothing is left to sign with");
}

#[test]
fn a_vehicle_that_changes_with_a_silence_says_nothing_meanwhile() {
    let mut rng = rng(5);
    let mut office = Office::new(1);
    let mut slots = [office.slots(START), office.slots(START + DAY / 3)].concat();
    slots.dedup();
    let mut anonymous = vehicle(office.wallet(&slots, Rotation::RandomSilence));
    let begin_ms = u64::from(slots[2].start_s()) * 1_000;
    let mut at = |at_ms| anonymous.speak(driving(0), at_ms, at_ms, &mut rng);
    assert!(at(begin_ms - 1).is_ok());
    let Err(Refusal::Silent(until_ms)) = at(begin_ms) else {
        panic!("silence")
    };
    assert!(at(until_ms - 1).is_err());
    assert!(at(until_ms).is_ok());
}

/// Two minutes of a vehicle that drives past an RSU, heard by it: the worst finding of each message,
/// and how many votes came of it.
fn drive(
    office: &Office,
    mut voice: impl FnMut(u64, &mut StdRng) -> Signed,
) -> (Vec<Option<Severity>>, Vec<Signer>) {
    let stand = Stand {
        chain: CHAIN,
        keys: KEYS,
        rid: RID,
        here: HERE,
        vote_life_ms: 900_000,
    };
    let mut witness = Witness::new(stand, Bounds::default(), office.issuers());
    let mut rng = rng(6);
    let (mut worst, mut votes) = (Vec::new(), Vec::new());
    for second in 0..60 {
        let message = voice(second, &mut rng);
        let at_ms = START + SECOND * second + 20;
        let judged = witness.hear(&[Heard { at_ms, message }], &[], at_ms, &mut rng);
        let judged = judged[0].as_ref().unwrap().suspicions.iter();
        worst.push(judged.map(|found| found.severity).max());
        votes.extend(
            witness
                .votes(at_ms)
                .into_iter()
                .map(|(vote, _)| vote.subject),
        );
    }
    (worst, votes)
}

#[test]
fn a_vehicle_that_changes_its_credential_is_not_voted_against() {
    let mut office = Office::new(1);
    // To and fro between its two credentials, every five seconds.
    let slots = office.slots(START);
    let mut car = vehicle(office.wallet(&slots, Rotation::Distance(50.0)));
    let mut signers = Vec::new();
    let (worst, votes) = drive(&office, |second, rng| {
        car.moved(&driving(second).position);
        let at_ms = START + SECOND * second;
        let message = car.speak(driving(second), at_ms, at_ms, rng).unwrap();
        signers.push(message.statement.signer);
        message
    });
    let changes = signers.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(changes >= 10, "{changes}");
    assert_eq!(votes, []);
    // It appears in the middle of the range twice: a hint, which leads to nothing.
    assert_eq!(Check::Appearance.severity(), Severity::Hint);
    let hints = worst.iter().filter(|worst| worst.is_some());
    assert_eq!(hints.clone().count(), 2);
    assert!(hints.clone().all(|worst| *worst == Some(Severity::Hint)));
}

#[test]
fn a_liar_that_changes_its_credential_with_every_message_is_voted_against_under_both() {
    let mut office = Office::new(1);
    let mut voices = speakers(&mut office);
    let (_, votes) = drive(&office, |second, rng| {
        let voice = &mut voices[usize::from(second.is_multiple_of(2))];
        // Each credential jumps on its own.
        voice.speak(jumping(second / 2), START + SECOND * second, rng)
    });
    let mut signers = voices.map(|voice| voice.signer()).to_vec();
    let mut votes = votes;
    signers.sort();
    votes.sort();
    assert_eq!(votes, signers);
}

#[test]
fn a_witness_passes_over_a_revoked_vehicle_and_forgets_it() {
    let mut office = Office::new(1);
    let [mut voice, _] = speakers(&mut office);
    let stand = Stand {
        chain: CHAIN,
        keys: KEYS,
        rid: RID,
        here: HERE,
        vote_life_ms: 900_000,
    };
    let mut witness = Witness::new(stand, Bounds::default(), office.issuers());
    let mut says = |second| {
        let at_ms = START + SECOND * second;
        let message = voice.speak(jumping(second), at_ms, &mut rng(3));
        Heard { at_ms, message }
    };
    for second in 0..10 {
        let heard = says(second);
        assert!(witness.hear(&[heard], &[], heard.at_ms, &mut rng(4))[0].is_ok());
    }
    let signer = says(10).message.statement.signer;
    assert!(witness.signatory(&signer).is_some());
    let period = office.policy.period(seconds(START));
    witness.revoke(office.revocation(period), START + 11 * SECOND);
    assert_eq!(
        witness.votes(START + 11 * SECOND),
        [],
        "nothing is left to vote with"
    );
    let heard = says(12);
    let results = witness.hear(&[heard], &[], heard.at_ms, &mut rng(4));
    let why = PositionError::Credential(linkage(&heard.message), AnonymousWhy::Revoked);
    assert_eq!(results, [Err(Passed::Position(why))]);
}

/// What an RSU heard of a liar under this credential, from START on.
fn evidence(voice: &mut Speaker) -> Evidence {
    let mut attachment = None;
    let messages = (0..12).map(|second| {
        let at_ms = START + SECOND * second;
        let message = voice.speak(jumping(second), at_ms, &mut rng(3));
        attachment = message.attachment.or(attachment);
        Heard {
            at_ms: at_ms + 40,
            message: message.bare(),
        }
    });
    let messages: Vec<Heard> = messages.collect();
    let Signer::Anonymous(value) = voice.signer() else {
        panic!("a credential")
    };
    Evidence {
        signatory: Signatory::Anonymous {
            linkage: LinkageValue(value),
            attachment: attachment.unwrap(),
        },
        rsu: Rid(3),
        messages,
    }
}

fn verdict(evidence: &Evidence, office: &Office) -> Result<(), EvidenceError> {
    let grounds = Grounds {
        chain: &CHAIN,
        issuers: &office.issuers(),
        bounds: Bounds::default(),
    };
    evidence.verify(&grounds, HERE, &mut rng(9)).map(|_| ())
}

#[test]
fn evidence_under_a_credential_convinces_whoever_has_the_issuers_key() {
    let mut office = Office::new(40);
    let evidence = evidence(&mut speakers(&mut office)[0]);
    assert_eq!(verdict(&evidence, &office), Ok(()));
    let bytes = evidence.encode();
    assert_eq!(bytes.len(), 10 + 40 + 4 + 1 + 12 * 109);
    assert_eq!(Evidence::decode(Copying(&bytes)).unwrap(), evidence);
    // It stands when the vehicle has been revoked meanwhile: it is about the past.
    let mut issuers = office.issuers();
    let period = office.policy.period(seconds(START));
    issuers.revoke(office.revocation(period), START);
    let grounds = Grounds {
        chain: &CHAIN,
        issuers: &issuers,
        bounds: Bounds::default(),
    };
    assert!(evidence.verify(&grounds, HERE, &mut rng(9)).is_ok());
}

#[test]
fn evidence_with_a_swapped_credential_is_refused() {
    let mut office = Office::new(1);
    let [mut one, mut other] = speakers(&mut office);
    let (one, other) = (evidence(&mut one), evidence(&mut other));
    let parts = |evidence: &Evidence| match evidence.signatory {
        Signatory::Anonymous {
            linkage,
            attachment,
        } => (linkage, attachment),
        Signatory::Registered { .. } => panic!("a credential"),
    };
    let with = |linkage, attachment| Evidence {
        signatory: Signatory::Anonymous {
            linkage,
            attachment,
        },
        ..one.clone()
    };
    let ((value, attachment), (other_value, other_attachment)) = (parts(&one), parts(&other));
    let check = |evidence: &Evidence| verdict(evidence, &office);
    assert_eq!(
        check(&with(value, other_attachment)),
        Err(EvidenceError::Signature(0))
    );
    assert_eq!(
        check(&with(other_value, attachment)),
        Err(EvidenceError::OtherSigner(0))
    );
    assert_eq!(
        check(&with(other_value, other_attachment)),
        Err(EvidenceError::OtherSigner(0))
    );
    // Nor can somebody put the other's name over the messages.
    let mut renamed = with(other_value, other_attachment);
    for heard in &mut renamed.messages {
        heard.message.statement.signer = Signer::Anonymous(other_value.0);
    }
    assert_eq!(check(&renamed), Err(EvidenceError::Signature(0)));
    assert_eq!(
        verdict(&one, &Office::new(2)),
        Err(EvidenceError::Signature(0)),
        "other issuers"
    );
    let registered = Evidence {
        signatory: Signatory::Registered {
            uid: UID,
            key: vehicle_secret().public().to_bytes(),
        },
        ..one.clone()
    };
    assert_eq!(check(&registered), Err(EvidenceError::OtherSigner(0)));
}

#[test]
fn evidence_from_outside_the_credentials_slot_is_refused() {
    let mut office = Office::new(1);
    let slot = office.slots(START + DAY)[0];
    let attributes = office.attributes(slot);
    let early = evidence(&mut speaker(&mut office, attributes));
    let why = AnonymousWhy::Slot(slot.start_s());
    assert_eq!(
        verdict(&early, &office),
        Err(EvidenceError::Credential(why))
    );

    let mut epoch = evidence(&mut speakers(&mut office)[0]);
    let Signatory::Anonymous { attachment, .. } = &mut epoch.signatory else {
        panic!("a credential")
    };
    attachment.epoch = 9;
    let why = AnonymousWhy::Epoch(9);
    assert_eq!(
        verdict(&epoch, &office),
        Err(EvidenceError::Credential(why))
    );
}

#[test]
fn a_key_that_differs_by_a_known_part_does_not_sign_for_another() {
    // Keys of credentials are additively related through A: a signature under one, shifted, is none
    // under another.
    let mut office = Office::new(1);
    let credentials: Vec<_> = office
        .slots(START)
        .into_iter()
        .map(|slot| {
            let attributes = office.attributes(slot);
            office.issue(attributes)
        })
        .collect();
    let [mine, theirs] = &credentials[..] else {
        panic!("two credentials")
    };
    let key = |credential: &cairn_crypto::credential::Credential<Ristretto255>| {
        let element: Element<Ristretto255> =
            credential.certificate().public_key(&office.key()).unwrap();
        PublicKey::from_bytes(&element.to_bytes()).unwrap()
    };
    let mut speaker = Speaker::anonymous(CHAIN, mine, START);
    let message = says(&mut speaker);
    assert!(message.verify(&CHAIN, &key(mine)).is_ok());
    assert!(message.verify(&CHAIN, &key(theirs)).is_err());
    let secret = |bytes: &[u8; 32]| Scalar::from_canonical_bytes(*bytes).unwrap();
    let difference = secret(&theirs.secret().to_bytes()) - secret(&mine.secret().to_bytes());
    let bytes = message.signature.to_bytes();
    let z = secret(bytes[32..].try_into().unwrap()) + difference;
    let mut shifted = bytes;
    shifted[32..].copy_from_slice(z.as_bytes());
    let shifted = Signed {
        signature: cairn_crypto::schnorr::Signature::from_bytes(&shifted).unwrap(),
        ..message
    };
    assert!(shifted.verify(&CHAIN, &key(theirs)).is_err());
}
