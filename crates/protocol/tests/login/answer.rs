//! Answers that the vehicle refuses: V-ACCEPT.

use cairn_crypto::{noise, transcript::Domain};
use cairn_protocol::{
    beacon::Beacons,
    login::prologue,
    session::MAX_VALIDITY_MS,
    vehicle,
    wire::{Accept, Addressee, Beacon, Hello, Message},
};

use crate::common::{self, CHAIN, Pair, RID, decoded, rng};

#[test]
fn answer_to_nobody_or_to_an_older_login_is_refused() {
    let mut pair = Pair::new();
    pair.meet();
    let hello = pair.hello();
    let accept = pair.answer(&hello).unwrap().accepted().reply;
    pair.hello();
    assert!(matches!(
        pair.hear(&accept),
        Err(vehicle::Refusal::NotAsked)
    ));
    let mut pair = Pair::new();
    assert!(matches!(
        pair.hear(&accept),
        Err(vehicle::Refusal::NotAsked)
    ));
}

/// A vehicle's `Hello` under way to an RSU of our own making, with that RSU's secrets.
struct Taken {
    pair: Pair,
    beacon: Beacon,
    hello: Hello,
    secret: noise::Secret,
}

fn taken() -> Taken {
    let mut pair = Pair::new();
    let mut rng = rng(60);
    let mut beacons = Beacons::new(CHAIN, RID, common::rsu_signer(RID), &mut rng);
    let beacon = beacons.make(pair.now, &mut rng);
    pair.hear(&Message::Beacon(beacon.clone()).encode())
        .unwrap();
    let proof = common::verified(5, pair.now, &[(RID, Some(common::rsu_record(RID)))]);
    pair.vehicle.learn(&proof, &common::HERE, pair.now).unwrap();
    let Message::Hello(hello) = decoded(&pair.hello()) else {
        panic!("a hello")
    };
    let (_, secret) = beacons.answerable(beacon.id, pair.now).unwrap();
    let secret = secret.clone();
    Taken {
        pair,
        beacon,
        hello,
        secret,
    }
}

impl Taken {
    fn opened(&self) -> (Vec<u8>, noise::Responder) {
        let hello = self.hello.handshake.as_bytes();
        let opened = noise::Responder::hello(&self.secret, &prologue(&self.beacon), hello);
        let (payload, responder) = opened.unwrap();
        (payload.to_vec(), responder)
    }

    fn accept(&self, handshake: Vec<u8>) -> Vec<u8> {
        Message::Accept(Accept {
            to: Addressee::of(&self.hello.ephemeral()),
            handshake: handshake.try_into().unwrap(),
        })
        .encode()
    }
}

#[test]
fn endless_validity_is_refused() {
    for (validity_ms, good) in [
        (0, false),
        (1, true),
        (MAX_VALIDITY_MS, true),
        (u32::MAX, false),
    ] {
        let mut taken = taken();
        let (_, responder) = taken.opened();
        let (handshake, _) = responder
            .accept(&validity_ms.to_be_bytes(), &mut rng(61))
            .unwrap();
        let accept = taken.accept(handshake);
        match taken.pair.hear(&accept) {
            Ok(_) => assert!(good, "{validity_ms}"),
            Err(vehicle::Refusal::Validity(refused)) => {
                assert!(!good);
                assert_eq!(refused, validity_ms);
            }
            Err(other) => panic!("expected another refusal than {other}"),
        }
    }
}

#[test]
fn c3_an_answer_made_without_the_beacons_key_is_refused() {
    // The attacker knows beacon and Hello, and answers under a key of its own.
    let mut taken = taken();
    let own = noise::Secret::random(&mut rng(62));
    let prologue = prologue(&taken.beacon);
    let initiator = noise::Initiator::new(own.public(), &prologue, &mut rng(63));
    let (hello, _) = initiator.hello(b"").unwrap();
    let (_, responder) = noise::Responder::hello(&own, &prologue, &hello).unwrap();
    let validity = MAX_VALIDITY_MS.to_be_bytes();
    let (handshake, _) = responder.accept(&validity, &mut rng(64)).unwrap();
    let accept = taken.accept(handshake);
    assert!(matches!(
        taken.pair.hear(&accept),
        Err(vehicle::Refusal::Handshake(_))
    ));
    assert!(taken.pair.vehicle.session().is_none());
}

#[test]
fn c5_the_beacons_key_and_a_recording_do_not_give_the_session_key() {
    // Worse than C5: not a long-term key leaks (those only sign), but the beacon's own key.
    let mut taken = taken();
    let (_, responder) = taken.opened();
    let validity = MAX_VALIDITY_MS.to_be_bytes();
    let (handshake, established) = responder.accept(&validity, &mut rng(65)).unwrap();
    let accept = taken.accept(handshake);
    taken.pair.hear(&accept).unwrap();
    // Whoever recorded both messages opens the first, which says who logged in; without the RSU's
    // ephemeral the rest of the handshake is another one.
    let (_, thief) = taken.opened();
    let (_, guessed) = thief.accept(&validity, &mut rng(66)).unwrap();
    let (_, session) = taken.pair.vehicle.session().unwrap();
    let domain = Domain::new("cairn/1/session/key");
    assert_eq!(*established.export(domain), *session.key().as_bytes());
    assert_ne!(*guessed.export(domain), *session.key().as_bytes());
}

#[test]
fn accept_replayed_after_login_is_refused() {
    let mut pair = Pair::new();
    let accepted = pair.log_in();
    assert!(matches!(
        pair.hear(&accepted.reply),
        Err(vehicle::Refusal::NotAsked)
    ));
}
