//! Encodings, frozen: a change of any byte below is a change of the protocol.

mod common;

use cairn_ledger::Rid;
use cairn_protocol::{
    token::{self, Holder},
    wire::{MAX_PROOF_BYTES, Message, WireError},
};
use common::{
    Pair, RID, UID, decoded,
    issuing::Office,
    sent,
    town::{A, B, Town, only_datagram},
};
use proptest::prelude::*;

/// Every message of a login under load and a rekey, for the seed 1.
fn conversation() -> Vec<(&'static str, Vec<u8>)> {
    let mut pair = Pair::new();
    let beacon = pair.meet();
    pair.rsu.set_under_load(true);
    let hello = pair.hello();
    let cookie_reply = pair.answer(&hello).unwrap().reply().unwrap();
    let hello_with_cookie = sent(&pair.hear(&cookie_reply).unwrap());
    let accept = pair.answer(&hello_with_cookie).unwrap().accepted().reply;
    pair.hear(&accept).unwrap();
    let rekey_request = sent(&pair.vehicle.rekey(pair.now, &mut pair.rng).unwrap());
    let rekey_answer = pair.answer(&rekey_request).unwrap().reply().unwrap();
    pair.rsu.set_under_load(false);
    pair.records.clear();
    let refused_hello = pair.hello();
    let refused = pair.answer(&refused_hello).unwrap().rejected().reply;
    vec![
        ("beacon", beacon),
        ("hello", hello),
        ("cookie_reply", cookie_reply),
        ("hello_with_cookie", hello_with_cookie),
        ("accept", accept),
        ("rekey_request", rekey_request),
        ("rekey_answer", rekey_answer),
        ("refused", refused),
    ]
}

/// Every message of a handover under load, and of one that is refused, for the seed 1.
fn handover() -> Vec<(&'static str, Vec<u8>)> {
    let mut town = Town::new();
    town.log_in(A);
    town.record(A);
    town.rsus.get_mut(&B).unwrap().set_under_load(true);
    let hello = town.handover_hello(B);
    let cookie_reply = town.answer(B, &hello).unwrap().reply().unwrap();
    let hello_with_cookie = only_datagram(&town.hear(&cookie_reply).unwrap());
    let accept = town.exchange(B, &hello_with_cookie).reply;
    let refused_hello = town.handover_hello(A);
    let refused = town.answer(A, &refused_hello).unwrap().rejected().reply;
    vec![
        ("hello_token", hello),
        ("hello_token_with_cookie", hello_with_cookie),
        ("accept", accept),
        ("refused", refused),
    ]
}

/// What of that handover goes to the ledger.
fn records() -> Vec<(&'static str, Vec<u8>)> {
    let mut town = Town::new();
    town.log_in(A);
    town.record(A);
    let point = town.vehicle.next_token().unwrap().public();
    let commitment = token::commitment(&point, &Holder::Registered(UID));
    let spend = town.hand_over(B).spend.unwrap();
    vec![
        ("point", point.to_bytes().to_vec()),
        ("commitment", commitment.to_vec()),
        ("token_id", spend.id.0.to_vec()),
        ("proof_digest", spend.proof.to_vec()),
    ]
}

/// An anonymous login under load, for the seed 1.
fn anonymous() -> Vec<(&'static str, Vec<u8>)> {
    let mut office = Office::new(40);
    let mut pair = Pair::of(office.wallet_now(), 1);
    pair.rsu.set_issuers(office.issuers());
    pair.meet();
    pair.rsu.set_under_load(true);
    let hello = pair.hello();
    let cookie_reply = pair.answer(&hello).unwrap().reply().unwrap();
    let hello_with_cookie = sent(&pair.hear(&cookie_reply).unwrap());
    let accept = pair.answer(&hello_with_cookie).unwrap().accepted().reply;
    vec![
        ("issuer_key", office.key().element().to_bytes().to_vec()),
        ("hello_anonymous", hello),
        ("hello_anonymous_with_cookie", hello_with_cookie),
        ("accept", accept),
    ]
}

fn listed(parts: &[(&'static str, Vec<u8>)]) -> String {
    parts
        .iter()
        .map(|(name, bytes)| format!("{name} {}\n", hex(bytes)))
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn encodings_are_as_recorded() {
    assert_eq!(
        listed(&conversation()),
        include_str!("fixtures/conversation.txt"),
        "the protocol has changed"
    );
    assert_eq!(
        listed(&handover()) + &listed(&records()),
        include_str!("fixtures/handover.txt"),
        "the protocol has changed"
    );
}

#[test]
fn anonymous_login_is_as_recorded() {
    assert_eq!(
        listed(&anonymous()),
        include_str!("fixtures/anonymous.txt"),
        "the protocol has changed"
    );
    let sizes = anonymous().into_iter().map(|(_, bytes)| bytes.len());
    assert_eq!(sizes.collect::<Vec<_>>(), [32, 198, 214, 57]);
}

#[test]
fn every_message_has_the_documented_size() {
    let sizes = |parts: Vec<(&'static str, Vec<u8>)>| -> Vec<_> {
        let sizes = parts.iter().map(|(name, bytes)| (*name, bytes.len()));
        sizes.collect()
    };
    let expected = [
        ("beacon", 113),
        ("hello", 157),
        ("cookie_reply", 21),
        ("hello_with_cookie", 173),
        ("accept", 57),
        ("rekey_request", 45),
        ("rekey_answer", 45),
        ("refused", 22),
    ];
    assert_eq!(sizes(conversation()), expected);
    let expected = [
        ("hello_token", 175),
        ("hello_token_with_cookie", 191),
        ("accept", 57),
        ("refused", 22),
    ];
    assert_eq!(sizes(handover()), expected);
    assert_eq!(Message::ProofRequest(RID).encode().len(), MAX_PROOF_BYTES);
}

#[test]
fn messages_survive_decoding_and_no_other_length_is_taken() {
    for (name, bytes) in conversation().into_iter().chain(handover()) {
        assert_eq!(decoded(&bytes).encode(), bytes, "{name}");
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(
            matches!(Message::decode(&longer), Err(WireError::Length { .. })),
            "{name}"
        );
        let shorter = &bytes[..bytes.len() - 1];
        assert!(
            matches!(Message::decode(shorter), Err(WireError::Length { .. })),
            "{name}"
        );
    }
}

#[test]
fn empty_unknown_and_padded_messages_are_refused() {
    assert!(matches!(Message::decode(&[]), Err(WireError::Empty)));
    assert!(matches!(
        Message::decode(&[0x7f; 10]),
        Err(WireError::Kind(0x7f))
    ));
    let mut request = Message::ProofRequest(Rid(1)).encode();
    *request.last_mut().unwrap() = 1;
    assert!(matches!(
        Message::decode(&request),
        Err(WireError::Body { kind: 0x03, .. })
    ));
    let proof = vec![0x02; MAX_PROOF_BYTES + 1];
    assert!(matches!(
        Message::decode(&proof),
        Err(WireError::Length { .. })
    ));
    assert!(matches!(
        Message::decode(&[0x02; 600]),
        Err(WireError::Body { kind: 0x02, .. })
    ));
}

proptest! {
    #[test]
    fn whatever_decodes_encodes_to_the_same_bytes(
        kind in prop::sample::select(vec![0x01_u8, 0x02, 0x10, 0x11, 0x12, 0x13, 0x14, 0x20, 0x21, 0x30]),
        mut bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        bytes.insert(0, kind);
        if let Ok(message) = Message::decode(&bytes) {
            prop_assert_eq!(message.encode(), bytes);
        }
    }
}
