//! Published vectors and refusals of the handshake.

use cairn_crypto::noise::{Error, Initiator, OVERHEAD, Responder, Secret};
use cairn_crypto::transcript::Domain;
use chacha20poly1305::{AeadInOut, ChaCha20Poly1305, KeyInit};
use proptest::prelude::*;
use rand::{SeedableRng, rngs::StdRng};
use rand_core::{Infallible, TryCryptoRng, TryRng};
use serde::Deserialize;

const FIRST: Domain = Domain::new("cairn/1/test/first");
const SECOND: Domain = Domain::new("cairn/1/test/second");

/// Hands out a fixed key where the handshake draws its ephemeral.
struct Fixed([u8; 32]);

impl TryRng for Fixed {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!("keys are drawn as bytes")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unreachable!("keys are drawn as bytes")
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        out.copy_from_slice(&self.0);
        Ok(())
    }
}

impl TryCryptoRng for Fixed {}

#[derive(Deserialize)]
struct File {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    init_prologue: String,
    init_ephemeral: String,
    init_remote_static: String,
    resp_static: String,
    resp_ephemeral: String,
    handshake_hash: Option<String>,
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    payload: String,
    ciphertext: String,
}

fn hex(text: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}

fn fixed(text: &str) -> Fixed {
    Fixed(hex(text).try_into().unwrap())
}

#[test]
fn published_vectors() {
    let file = include_str!("vectors/noise_nk_25519_chachapoly_sha256.json");
    let file: File = serde_json::from_str(file).unwrap();
    assert_eq!(file.vectors.len(), 2);
    for vector in file.vectors {
        let prologue = hex(&vector.init_prologue);
        let ours = Secret::random(&mut fixed(&vector.resp_static));
        assert_eq!(ours.public().to_vec(), hex(&vector.init_remote_static));
        let [hello, accept, transport @ ..] = vector.messages.as_slice() else {
            panic!("a vector has both handshake messages");
        };

        let mut rng = fixed(&vector.init_ephemeral);
        let initiator = Initiator::new(ours.public(), &prologue, &mut rng);
        let (message, waiting) = initiator.hello(&hex(&hello.payload)).unwrap();
        assert_eq!(message, hex(&hello.ciphertext));
        let (payload, responder) = Responder::hello(&ours, &prologue, &message).unwrap();
        assert_eq!(*payload, hex(&hello.payload));

        let mut rng = fixed(&vector.resp_ephemeral);
        let (message, theirs) = responder.accept(&hex(&accept.payload), &mut rng).unwrap();
        assert_eq!(message, hex(&accept.ciphertext));
        let (payload, mine) = waiting.accept(&message).unwrap();
        assert_eq!(*payload, hex(&accept.payload));

        if let Some(hash) = vector.handshake_hash {
            assert_eq!(mine.hash.to_vec(), hex(&hash));
        }
        assert_eq!(mine.hash, theirs.hash);
        for (index, message) in transport.iter().enumerate() {
            let key = if index % 2 == 0 {
                mine.initiator_key
            } else {
                theirs.responder_key
            };
            let mut nonce = [0; 12];
            nonce[4..].copy_from_slice(&((index / 2) as u64).to_le_bytes());
            let mut text = hex(&message.payload);
            ChaCha20Poly1305::new(&key.into())
                .encrypt_in_place(&nonce.into(), &[], &mut text)
                .unwrap();
            assert_eq!(text, hex(&message.ciphertext));
        }
    }
}

struct Pair {
    ours: Secret,
    initiator: Initiator,
    rng: StdRng,
}

fn pair() -> Pair {
    let mut rng = StdRng::seed_from_u64(7);
    let ours = Secret::random(&mut rng);
    let initiator = Initiator::new(ours.public(), b"beacon", &mut rng);
    Pair {
        ours,
        initiator,
        rng,
    }
}

#[test]
fn both_sides_derive_the_same_keys_and_different_ones_for_each_purpose() {
    let Pair {
        ours,
        initiator,
        mut rng,
    } = pair();
    let (hello, waiting) = initiator.hello(b"hi").unwrap();
    let (_, responder) = Responder::hello(&ours, b"beacon", &hello).unwrap();
    let (accept, theirs) = responder.accept(b"", &mut rng).unwrap();
    let (_, mine) = waiting.accept(&accept).unwrap();
    assert_eq!(mine.initiator_key, theirs.initiator_key);
    assert_eq!(mine.responder_key, theirs.responder_key);
    assert_eq!(*mine.export::<32>(FIRST), *theirs.export::<32>(FIRST));
    assert_ne!(*mine.export::<32>(FIRST), *mine.export::<32>(SECOND));
    assert_ne!(mine.initiator_key, mine.responder_key);
}

#[test]
fn a_refusal_is_read_by_the_initiator_only_and_as_sent() {
    let Pair {
        ours,
        initiator,
        mut rng,
    } = pair();
    let (hello, waiting) = initiator.hello(b"hi").unwrap();
    let (_, responder) = Responder::hello(&ours, b"beacon", &hello).unwrap();
    let mut sealed = responder.refuse(b"no");
    assert_eq!(**waiting.refused(&sealed).unwrap(), *b"no");
    let other = Initiator::new(ours.public(), b"beacon", &mut rng);
    let (_, other) = other.hello(b"hi").unwrap();
    assert_eq!(other.refused(&sealed).err(), Some(Error::Tag));
    sealed[0] ^= 1;
    assert_eq!(waiting.refused(&sealed).err(), Some(Error::Tag));
    assert_eq!(waiting.refused(&[0; 15]).err(), Some(Error::Length(15)));
}

#[test]
fn hello_under_another_prologue_or_key_is_refused() {
    let Pair {
        ours,
        initiator,
        mut rng,
    } = pair();
    let (hello, _) = initiator.hello(b"hi").unwrap();
    assert_eq!(
        Responder::hello(&ours, b"other", &hello).err(),
        Some(Error::Tag)
    );
    let other = Secret::random(&mut rng);
    assert_eq!(
        Responder::hello(&other, b"beacon", &hello).err(),
        Some(Error::Tag)
    );
}

#[test]
fn small_order_keys_are_refused() {
    let mut order_eight = [0; 32];
    let point = hex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800");
    order_eight.copy_from_slice(&point);
    let mut one = [0; 32];
    one[0] = 1;
    for weak in [[0; 32], one, order_eight] {
        let Pair {
            ours,
            initiator,
            mut rng,
        } = pair();
        let bad = Initiator::new(weak, b"beacon", &mut rng);
        assert_eq!(bad.hello(b"hi").err(), Some(Error::SmallOrder));

        let (mut hello, waiting) = initiator.hello(b"hi").unwrap();
        hello[..32].copy_from_slice(&weak);
        assert_eq!(
            Responder::hello(&ours, b"beacon", &hello).err(),
            Some(Error::SmallOrder)
        );
        assert_eq!(waiting.accept(&hello).err(), Some(Error::SmallOrder));
    }
}

#[test]
fn short_and_oversized_messages_are_refused() {
    let Pair {
        ours, initiator, ..
    } = pair();
    for length in [0, 31, OVERHEAD - 1, OVERHEAD + 1025, 65_536] {
        let message = vec![9; length];
        assert_eq!(
            Responder::hello(&ours, b"", &message).err(),
            Some(Error::Length(length))
        );
    }
    assert_eq!(
        initiator.hello(&[0; 1025]).err(),
        Some(Error::Length(OVERHEAD + 1025))
    );
}

proptest! {
    #[test]
    fn any_changed_byte_is_refused_and_the_true_answer_still_taken(
        at in any::<prop::sample::Index>(),
        flip in 1..=u8::MAX,
    ) {
        let Pair { ours, initiator, mut rng } = pair();
        let (hello, waiting) = initiator.hello(b"hi").unwrap();
        let mut changed = hello.clone();
        changed[at.index(hello.len())] ^= flip;
        // The top bit of an X25519 key is ignored by the function but covered by the hash.
        prop_assert_eq!(Responder::hello(&ours, b"beacon", &changed).err(), Some(Error::Tag));

        let (_, responder) = Responder::hello(&ours, b"beacon", &hello).unwrap();
        let (accept, _) = responder.accept(b"there", &mut rng).unwrap();
        let mut changed = accept.clone();
        changed[at.index(accept.len())] ^= flip;
        prop_assert_eq!(waiting.accept(&changed).err(), Some(Error::Tag));
        prop_assert!(waiting.accept(&accept).is_ok());
    }
}
