//! B1, B3, B4, B6, B9 and C1 to C5: login and handover (papers 000 and 003).

use std::collections::HashSet;

use cairn_baselines::p000_login;
use cairn_contracts::tokens::{TokenRecord, token_key};
use cairn_crypto::{noise, schnorr::SecretKey, suite::Ristretto255};
use cairn_protocol::{
    login::{Context, Credential, Registered, prologue},
    roadside::REPLAY_WINDOW_MS,
    token::{Holder, Proof, Token},
    wire::{Accept, Beacon, Hello, Message, Sealed},
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use super::Attempt;
use crate::{issuers::Issuers, town::Town};

/// A town of two RSUs.
fn town(mut rng: StdRng) -> Town {
    Town::new(2, rng.random())
}

/// A `Hello` whose sealed part is what the attacker likes.
fn forged(
    town: &mut Town,
    beacon: &Beacon,
    credential: impl FnOnce(&Context<'_>, &mut StdRng) -> Credential,
) -> Vec<u8> {
    let initiator = noise::Initiator::new(beacon.ephemeral, &prologue(beacon), &mut town.rng);
    let context = Context {
        chain: &town.ledger.genesis().chain_id(),
        beacon,
        ephemeral: &initiator.ephemeral(),
    };
    let credential = credential(&context, &mut town.rng).encode();
    let (handshake, _) = initiator
        .hello(&credential)
        .expect("a beacon's key is good");
    let handshake = Sealed::from_bytes(&handshake).expect("key, credential and a tag");
    let beacon = beacon.id;
    Message::Hello(Hello { beacon, handshake }).encode()
}

fn hello(datagram: &[u8]) -> Hello {
    match Message::decode(datagram) {
        Ok(Message::Hello(hello)) => hello,
        other => unreachable!("a login begins with a hello, not with {other:?}"),
    }
}

/// A `Hello` recorded at one RSU, sent to another whose beacon happens to have the same id.
pub fn b1_replay_at_another_rsu(rng: StdRng) -> Attempt {
    let mut town = town(rng);
    let (mut vehicle, ..) = town.vehicle();
    town.meet(&mut vehicle, 0);
    let recorded = town.hello(&mut vehicle, 0);
    let control = town.answer(0, &recorded).is_ok();
    let (mut other, ..) = town.vehicle();
    let beacon = town.meet(&mut other, 1).id;
    let handshake = hello(&recorded).handshake;
    let relayed = Message::Hello(Hello { beacon, handshake }).encode();
    Attempt::refused(town.answer(1, &relayed), control)
}

/// The RSU that minted a token shows it at the next one. It knows Q and the holder; not n.
pub fn b3_previous_rsu_shows_the_token(rng: StdRng) -> Attempt {
    let mut town = town(rng);
    let (mut vehicle, uid, _) = town.vehicle();
    town.log_in(&mut vehicle, 0);
    let point = vehicle.next_token().expect("a fresh session").public();
    let beacon = town.meet(&mut vehicle, 1);
    let stolen = forged(&mut town, &beacon, |context, rng| {
        let own = SecretKey::random(rng);
        let holder = Holder::Registered(uid);
        let next_token = SecretKey::random(rng).public();
        let statement = context.token(&point, &holder, &next_token);
        Credential::Token(Token {
            point,
            holder,
            next_token,
            proof: Proof::new(&own, &statement, rng),
        })
    });
    let refused = town.answer(1, &stolen);
    let honest = town.handover_hello(&mut vehicle, 1);
    let control = town.answer(1, &honest).is_ok();
    Attempt::refused(refused, control)
}

/// Every stretch of eight bytes.
fn stretches(bytes: &[u8]) -> HashSet<[u8; 8]> {
    bytes.array_windows().copied().collect()
}

/// An eavesdropper, and a reader of the ledger, look for anything that two logins of one vehicle
/// have in common: bytes on the air, records of tokens, and what an anonymous credential shows.
pub fn b4_logins_linked(rng: StdRng) -> Attempt {
    let mut town = town(rng);
    let (mut vehicle, uid, _) = town.vehicle();
    let mut seen = Vec::new();
    for at in [0, 1] {
        town.meet(&mut vehicle, at);
        let hello = town.hello(&mut vehicle, at);
        let accepted = town.answer(at, &hello).expect("an honest login");
        town.record(at, &accepted);
        let mint = accepted.mint.expect("a usable token");
        let key = token_key(&town.ledger.tokens(), &mint.id);
        let token: TokenRecord = town
            .ledger
            .record(&key)
            .expect("just minted")
            .decode_as()
            .expect("a token's record");
        seen.push([&hello[..], &accepted.reply, &mint.id.0, &token.commitment].concat());
    }
    let mut issuers = Issuers::<Ristretto255>::new(&mut town.rng);
    for shown in &mut seen {
        let credential = issuers.enrol(&mut town.rng);
        // All credentials of a slot have the slot, the group and the epoch in common.
        let certificate = credential.certificate().to_bytes();
        shown.extend_from_slice(&certificate[..32]);
        shown.extend_from_slice(&credential.certificate().attributes().linkage.0);
    }
    let common = |a: &[u8], b: &[u8]| stretches(a).intersection(&stretches(b)).count();
    let linked = common(&seen[0], &seen[1]);
    // Were the name in the clear, this search would find it.
    let named: Vec<_> = seen
        .iter()
        .map(|shown| [shown, &uid.0[..]].concat())
        .collect();
    Attempt {
        failed: linked == 0,
        control: common(&named[0], &named[1]) == 1,
        why: format!(
            "of {} bytes seen in each of two logins none repeat",
            seen[0].len()
        ),
    }
}

/// Whether the vehicle takes an answer made by somebody who lacks the beacon's secret key: the
/// attacker knows everything else, and answers for a key of its own.
fn answer_without_the_key(town: &mut Town, pretend: bool) -> (Result<(), String>, bool) {
    let (mut vehicle, ..) = town.vehicle();
    let beacon = town.meet(&mut vehicle, 0);
    let sent = town.hello(&mut vehicle, 0);
    let handshake = hello(&sent).handshake;
    let honest = town.answer(0, &sent).expect("an honest login").reply;
    let Ok(Message::Accept(true_answer)) = Message::decode(&honest) else {
        unreachable!("a login is answered by an accept")
    };
    let own = noise::Secret::random(&mut town.rng);
    let opened = noise::Responder::hello(&own, &prologue(&beacon), handshake.as_bytes());
    let result = match (opened, pretend) {
        (Err(error), false) => Err(format!("the attacker cannot open the hello: {error}")),
        (Ok((_, responder)), _) => {
            let accept = responder.accept(&600_000_u32.to_be_bytes(), &mut town.rng);
            let accept = accept.expect("a good key").0.try_into().expect("an accept");
            let to = true_answer.to;
            let forged = Message::Accept(Accept {
                to,
                handshake: accept,
            });
            town.take(&mut vehicle, &forged.encode()).map(drop)
        }
        (Err(_), true) => {
            // An answer that the attacker got in a session of its own, sent to this vehicle.
            let (mut villain, ..) = town.vehicle();
            town.meet(&mut villain, 0);
            let own = town.hello(&mut villain, 0);
            let own = town
                .answer(0, &own)
                .expect("the attacker's own login")
                .reply;
            let Ok(Message::Accept(own)) = Message::decode(&own) else {
                unreachable!("a login is answered by an accept")
            };
            let forged = Message::Accept(Accept {
                to: true_answer.to,
                handshake: own.handshake,
            });
            town.take(&mut vehicle, &forged.encode()).map(drop)
        }
    };
    let control = town.take(&mut vehicle, &honest).is_ok();
    (result, control)
}

/// Somebody without the RSU's key opens a `Hello`, to answer it.
pub fn b6_anybody_answers_as_the_rsu(rng: StdRng) -> Attempt {
    let (result, control) = answer_without_the_key(&mut town(rng), false);
    Attempt::refused(result, control)
}

/// Somebody without the RSU's key sends the vehicle an answer of another session.
pub fn c3_answer_forged(rng: StdRng) -> Attempt {
    let (result, control) = answer_without_the_key(&mut town(rng), true);
    Attempt::refused(result, control)
}

/// Two RSUs serve one token before the ledger says anything. Then both spends are recorded.
pub fn b9_token_at_two_rsus(mut rng: StdRng) -> Attempt {
    let mut town = Town::new(3, rng.random());
    let (mut vehicle, uid, _) = town.vehicle();
    town.log_in(&mut vehicle, 0);
    let secret = vehicle.next_token().expect("a fresh session").to_bytes();
    let mut served = Vec::new();
    for at in [1, 2] {
        let beacon = town.meet(&mut vehicle, at);
        let shown = forged(&mut town, &beacon, |context, rng| {
            let secret = SecretKey::from_bytes(&secret).expect("a token's secret");
            let next = SecretKey::random(rng).public();
            Credential::Token(Token::show(
                context,
                &secret,
                Holder::Registered(uid),
                next,
                rng,
            ))
        });
        match town.answer(at, &shown) {
            Ok(accepted) => served.push((at, accepted)),
            Err(why) => return Attempt::refused::<()>(Err(why), false),
        }
    }
    for (at, accepted) in &served {
        town.record(*at, accepted);
    }
    let mut kept = Vec::new();
    for (at, accepted) in &served {
        let spend = accepted.spend.expect("a handover spends");
        let key = token_key(&town.ledger.tokens(), &spend.id);
        let record = town.ledger.record(&key).map(|record| record.decode_as());
        let record: Option<TokenRecord> = record.and_then(Result::ok);
        let role = &mut town.rsus[*at].role;
        let pending: Vec<_> = role.pending_spends().copied().collect();
        for provisional in pending {
            role.settle(provisional.asc, provisional.has_won(record.as_ref()));
        }
        kept.push(role.session(accepted.asc, town.now_ms).is_some());
    }
    Attempt {
        failed: kept.iter().filter(|kept| **kept).count() < 2,
        control: kept == [true, false],
        why: "the ledger lets the first spend win; the other RSU drops its session".into(),
    }
}

/// A `Hello` recorded and sent again: at once, when it may be a repetition, and a year later.
pub fn c1_replay_for_ever(rng: StdRng) -> Attempt {
    let mut town = town(rng);
    let (mut vehicle, ..) = town.vehicle();
    town.meet(&mut vehicle, 0);
    let recorded = town.hello(&mut vehicle, 0);
    let control = town.answer(0, &recorded).is_ok();
    let mut last = Err(String::new());
    for wait in [0, REPLAY_WINDOW_MS, REPLAY_WINDOW_MS + 1, 365 * 86_400_000] {
        town.now_ms += wait;
        let role = &mut town.rsus[0].role;
        role.tick(town.now_ms);
        role.beacon(town.now_ms, &mut town.rng);
        last = town.answer(0, &recorded);
        if last.is_ok() {
            break;
        }
    }
    let one_session = town.rsus[0].role.session_count() <= 1;
    Attempt::refused(last, control && one_session)
}

/// The attacker computes a random number from the vehicle's name and the time, as paper 000 has it
/// done, for every second of the window, and looks whether it is the secret of the vehicle's
/// ephemeral key.
pub fn c2_secret_computed_from_name_and_time(rng: StdRng) -> Attempt {
    /// Yields one number for ever.
    struct Guess([u8; 32]);
    impl rand_core::TryRng for Guess {
        type Error = core::convert::Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            Ok(u32::from_le_bytes([
                self.0[0], self.0[1], self.0[2], self.0[3],
            ]))
        }
        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            self.try_next_u32().map(u64::from)
        }
        fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
            for (out, guess) in out.iter_mut().zip(self.0.iter().cycle()) {
                *out = *guess;
            }
            Ok(())
        }
    }
    impl rand_core::TryCryptoRng for Guess {}

    let mut town = town(rng);
    let (mut vehicle, uid, _) = town.vehicle();
    town.meet(&mut vehicle, 0);
    let sent = town.hello(&mut vehicle, 0);
    let second = (town.now_ms / 1_000) as u32;
    let window = second - p000_login::THR..=second + p000_login::THR;
    let public = |secret: [u8; 32]| noise::Secret::random(&mut Guess(secret)).public();
    let guess = |time| public(p000_login::vehicle_random(p000_login::Uid(uid.0), time));
    let hit = window
        .clone()
        .any(|time| guess(time) == hello(&sent).ephemeral());
    // Were the number used as paper 000 says, the search would find it.
    let theirs = guess(second);
    Attempt {
        failed: !hit,
        control: window.clone().any(|time| guess(time) == theirs) && town.answer(0, &sent).is_ok(),
        why: format!(
            "none of {} guesses is the secret of the vehicle's ephemeral key",
            window.count()
        ),
    }
}

/// Somebody who knows a UID signs with a key of its own.
pub fn c4_session_in_anothers_name(rng: StdRng) -> Attempt {
    let mut town = town(rng);
    let (mut vehicle, uid, key) = town.vehicle();
    let beacon = town.meet(&mut vehicle, 0);
    let mut try_with = |key: &SecretKey| {
        let signed = forged(&mut town, &beacon, |context, rng| {
            let next = SecretKey::random(rng).public();
            Credential::Registered(Registered::sign(context, uid, key, next, rng))
        });
        town.answer(0, &signed).map(drop)
    };
    let refused = try_with(&SecretKey::random(&mut StdRng::seed_from_u64(9)));
    Attempt::refused(refused, try_with(&key).is_ok())
}

/// The vehicle's long-term key is leaked after a login was recorded. It is used as every secret of
/// the handshake that opens the recording.
pub fn c5_key_leaked_later(rng: StdRng) -> Attempt {
    let mut town = town(rng);
    let rng = &mut town.rng;
    let long_term = SecretKey::random(rng);
    let ephemeral = noise::Secret::random(rng);
    let prologue = b"a beacon";
    let initiator = noise::Initiator::new(ephemeral.public(), prologue, rng);
    let (recorded, _) = initiator.hello(b"credential").expect("a good key");
    let open = |secret: &noise::Secret| {
        noise::Responder::hello(secret, prologue, &recorded).map(|(text, _)| text.to_vec())
    };
    let mut leaked = StdRng::from_seed(*long_term.to_bytes());
    let leaked = noise::Secret::random(&mut leaked);
    let control = open(&ephemeral) == Ok(b"credential".to_vec());
    let refused = open(&leaked).map_err(|error| {
        format!("only e_v and E_r open it, which both sides have erased: {error}")
    });
    Attempt::refused(refused, control)
}
