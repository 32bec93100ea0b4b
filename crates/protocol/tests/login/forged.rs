//! `Hello`s that were changed, and a cheater that seals what it likes: V-HELLO-4 to V-HELLO-8.

use cairn_crypto::{noise, schnorr::SecretKey};
use cairn_ledger::{Rid, Uid};
use cairn_protocol::{
    login::{Context, Credential, CredentialError, Registered, prologue},
    roadside::{Refusal, Why},
    wire::{Beacon, BeaconId, Hello, Message, Sealed},
};
use proptest::prelude::*;

use crate::common::{self, CHAIN, Pair, UID, decoded, rng};

// V-HELLO-4

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_changed_byte_of_hello_is_refused(at in 0..157_usize, flip in 1..=u8::MAX) {
        let mut pair = Pair::new();
        pair.meet();
        let mut hello = pair.hello();
        hello[at] ^= flip;
        prop_assert!(pair.answer(&hello).is_err());
    }

    #[test]
    fn any_changed_byte_of_accept_is_refused_and_the_true_one_still_taken(
        at in 0..57_usize,
        flip in 1..=u8::MAX,
    ) {
        let mut pair = Pair::new();
        pair.meet();
        let hello = pair.hello();
        let accept = pair.answer(&hello).unwrap().accepted().reply;
        let mut changed = accept.clone();
        changed[at] ^= flip;
        prop_assert!(pair.hear(&changed).is_err());
        prop_assert!(pair.hear(&accept).is_ok());
    }

    #[test]
    fn truncated_and_extended_messages_are_refused(length in 0..400_usize) {
        let mut pair = Pair::new();
        pair.meet();
        let mut hello = pair.hello();
        prop_assume!(length != hello.len());
        hello.resize(length, 0);
        prop_assert!(pair.answer(&hello).is_err());
        prop_assert!(pair.hear(&hello).is_err());
    }

    #[test]
    fn noise_from_the_air_changes_nothing(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut pair = Pair::new();
        pair.meet();
        prop_assert!(pair.answer(&bytes).is_err());
        prop_assert!(pair.hear(&bytes).is_err());
        pair.log_in();
    }
}

// V-HELLO-5 to V-HELLO-8: a cheater that seals what it likes.

/// Seals a payload for the RSU under a fresh ephemeral.
fn forged(beacon: &[u8], payload: impl FnOnce(&Beacon, [u8; 32]) -> Vec<u8>) -> Vec<u8> {
    let Message::Beacon(beacon) = decoded(beacon) else {
        panic!("a beacon")
    };
    let mut rng = rng(99);
    let initiator = noise::Initiator::new(beacon.ephemeral, &prologue(&beacon), &mut rng);
    let payload = payload(&beacon, initiator.ephemeral());
    let (handshake, _) = initiator.hello(&payload).unwrap();
    let handshake = Sealed::from_bytes(&handshake).unwrap();
    Message::Hello(Hello {
        beacon: beacon.id,
        handshake,
    })
    .encode()
}

/// The payload of an honest vehicle under this ephemeral.
fn honest(beacon: &Beacon, ephemeral: [u8; 32], uid: Uid, key: &SecretKey) -> Registered {
    let context = Context {
        chain: &CHAIN,
        beacon,
        ephemeral: &ephemeral,
    };
    let token = SecretKey::random(&mut rng(5)).public();
    Registered::sign(&context, uid, key, token, &mut rng(6))
}

#[test]
fn credential_rewrapped_under_another_ephemeral_is_refused() {
    let mut pair = Pair::new();
    let beacon = pair.meet();
    // Whoever holds E_r opens the credential and seals it again under an ephemeral of its own.
    let hello = forged(&beacon, |beacon, _| {
        let stolen = honest(beacon, [1; 32], UID, &common::vehicle_secret());
        Credential::Registered(stolen).encode()
    });
    let rejected = pair.answer(&hello).unwrap().rejected();
    assert_eq!(rejected.why, Why::Signature(UID));
}

#[test]
fn credential_for_another_beacon_is_refused() {
    let mut pair = Pair::new();
    let beacon = pair.meet();
    let hello = forged(&beacon, |beacon, ephemeral| {
        for change in [0, 1] {
            let mut other = beacon.clone();
            match change {
                0 => other.rid = Rid(4),
                _ => other.id = BeaconId(other.id.0 ^ 1),
            }
            let stolen = honest(&other, ephemeral, UID, &common::vehicle_secret());
            let context = Context {
                chain: &CHAIN,
                beacon,
                ephemeral: &ephemeral,
            };
            let statement = context.registered(&UID, &stolen.next_token);
            let key = common::vehicle_secret().public();
            assert!(key.verify(&statement, &stolen.signature).is_err());
        }
        let mut older = beacon.clone();
        older.time_ms -= 1_000;
        let stolen = honest(&older, ephemeral, UID, &common::vehicle_secret());
        Credential::Registered(stolen).encode()
    });
    assert_eq!(
        pair.answer(&hello).unwrap().rejected().why,
        Why::Signature(UID)
    );
}

#[test]
fn b8_changed_next_token_is_refused() {
    let mut pair = Pair::new();
    let beacon = pair.meet();
    let hello = forged(&beacon, |beacon, ephemeral| {
        let mut credential = honest(beacon, ephemeral, UID, &common::vehicle_secret());
        credential.next_token = SecretKey::random(&mut rng(55)).public();
        Credential::Registered(credential).encode()
    });
    assert_eq!(
        pair.answer(&hello).unwrap().rejected().why,
        Why::Signature(UID)
    );
}

#[test]
fn c4_signature_of_another_key_is_refused() {
    let mut pair = Pair::new();
    let beacon = pair.meet();
    let hello = forged(&beacon, |beacon, ephemeral| {
        let other = SecretKey::random(&mut rng(56));
        Credential::Registered(honest(beacon, ephemeral, UID, &other)).encode()
    });
    assert_eq!(
        pair.answer(&hello).unwrap().rejected().why,
        Why::Signature(UID)
    );
}

#[test]
fn identity_and_non_canonical_next_tokens_are_refused() {
    for token in [[0; 32], [0xff; 32]] {
        let mut pair = Pair::new();
        let beacon = pair.meet();
        let hello = forged(&beacon, |beacon, ephemeral| {
            let honest = honest(beacon, ephemeral, UID, &common::vehicle_secret());
            let mut bytes = Credential::Registered(honest).encode();
            bytes[8..40].copy_from_slice(&token);
            bytes
        });
        let refused = pair.answer(&hello);
        assert!(matches!(
            refused,
            Err(Refusal::Credential(CredentialError::NextToken(_)))
        ));
    }
}

#[test]
fn non_canonical_signature_is_refused() {
    let mut pair = Pair::new();
    let beacon = pair.meet();
    let hello = forged(&beacon, |beacon, ephemeral| {
        let honest = honest(beacon, ephemeral, UID, &common::vehicle_secret());
        let mut bytes = Credential::Registered(honest).encode();
        bytes[72..].fill(0xff);
        bytes
    });
    let refused = pair.answer(&hello);
    assert!(matches!(
        refused,
        Err(Refusal::Credential(CredentialError::Signature(_)))
    ));
}

#[test]
fn small_order_ephemeral_is_refused() {
    let mut pair = Pair::new();
    pair.meet();
    let mut hello = pair.hello();
    hello[5..37].fill(0);
    let refused = pair.answer(&hello);
    assert!(matches!(
        refused,
        Err(Refusal::Handshake(noise::Error::SmallOrder))
    ));
}

#[test]
fn credential_of_another_length_is_refused() {
    for length in [0, 103, 105, 121, 123, 144, 146] {
        let bytes = vec![1; length];
        assert_eq!(
            Credential::decode(&bytes),
            Err(CredentialError::Length(length))
        );
    }
}
