//! What goes over the wire and onto the chains is frozen: a changed fixture is a changed protocol, and
//! belongs in the changelog.

mod common;

use bytes::Bytes;
use cairn_contracts::{
    directory::{self, Entry, Issuers as IssuersRecord, Network},
    exchange::{self as relayed, ExchangeRecord, Statement},
    foreign::ForeignProof,
    policy::{self, Rule},
    records::{self, Anchored, Epoch},
};
use cairn_crypto::{
    message::MessageSuite,
    suite::{Ristretto255, Sm2},
};
use cairn_exchange::{
    delivery::Item,
    reading::{Query, Reading},
};
use cairn_ledger::PrivateKey;
use common::*;
use commonware_codec::{DecodeExt, Encode, Read};
use commonware_cryptography::{
    Signer as _,
    bls12381::primitives::{ops::keypair, variant::MinSig},
};
use rand::{SeedableRng as _, rngs::StdRng};
use std::fmt::Write as _;

/// Named encodings, one a line.
#[derive(Default)]
struct Encodings(String);

impl Encodings {
    fn bytes(&mut self, name: &str, bytes: &[u8]) {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(self.0, "{name} {hex}").unwrap();
    }

    fn text(&mut self, name: &str, text: &str) {
        writeln!(self.0, "{name} {text}").unwrap();
    }

    /// Adds a value that decodes to itself.
    fn value<T>(&mut self, name: &str, value: &T)
    where
        T: Encode + Read<Cfg = ()> + PartialEq + std::fmt::Debug,
    {
        let bytes = value.encode();
        assert_eq!(T::decode(bytes.clone()).unwrap(), *value, "{name}");
        self.bytes(name, &bytes);
    }
}

fn messages<S: MessageSuite>(all: &mut Encodings) {
    let name = |what: &str| format!("{}/{what}", S::NAME);
    let mut world = World::<S>::new();
    let device = world
        .road
        .kgcs
        .enrol(id(ROAD, 7), 1, slot(), &mut world.rng)
        .unwrap();
    let content = "{\"celsius\":70.5}".to_owned();
    let reading = Reading::sign(&device, NOW, 2, content, &mut world.rng).to_json();
    assert_eq!(
        Reading::<S>::from_json(reading.as_bytes())
            .unwrap()
            .to_json(),
        reading
    );
    all.text(&name("reading"), &reading);
    let query = Query::sign(&device, 1..NOW, NOW, &mut world.rng).to_json();
    assert_eq!(
        Query::<S>::from_json(query.as_bytes()).unwrap().to_json(),
        query
    );
    all.text(&name("query"), &query);

    let (signed, pending) = world.ask();
    all.bytes(&name("request"), &signed);
    let request = world.owner().check(&signed, NOW).unwrap();
    let (batch, paths) = batch(PRESS, 3);
    let item = Item::Record {
        record: batch.entries()[4].0.clone(),
        root: batch.root(),
        path: paths[4].clone(),
    };
    let item = item.to_bytes();
    all.bytes(&name("item"), &item);
    let (pieces, digest) = world.seal(&request, &[&item, b"last"]);
    for (piece, what) in pieces
        .iter()
        .zip(["envelope-header", "envelope-chunk", "envelope-last"])
    {
        all.bytes(&name(what), piece);
    }
    all.bytes(&name("envelope-digest"), &digest);
    let (chunks, opened) = world.open(pending, &pieces.concat()).unwrap();
    assert_eq!((chunks, opened), (vec![item, b"last".to_vec()], digest));
}

#[test]
fn messages_between_devices_edges_and_organisations_are_as_recorded() {
    let mut all = Encodings::default();
    messages::<Sm2>(&mut all);
    messages::<Ristretto255>(&mut all);
    assert_eq!(
        all.0,
        include_str!("fixtures/messages.txt"),
        "the protocol has changed"
    );
}

#[test]
fn records_and_calls_of_organisations_chains_are_as_recorded() {
    let mut all = Encodings::default();
    let device = PRESS.0;
    let certificate = Bytes::from(vec![0xce; 53]).try_into().unwrap();
    let (requester, owner) = (ROAD, FACTORY);
    all.value(
        "records/enrol",
        &records::Operation::Enrol {
            device,
            epoch: 1,
            certificate,
        },
    );
    all.value("records/advance", &records::Operation::Advance { epoch: 2 });
    let roots: records::Roots = vec![[1; 32], [2; 32]].try_into().unwrap();
    all.value("records/anchor", &records::Operation::Anchor { roots });
    all.value("records/anchored", &Anchored { at_ms: NOW });
    all.value("records/epoch", &Epoch { epoch: 2 });

    let rule = Rule {
        grade: 2,
        until_ms: NOW,
    };
    all.value("policy/rule", &rule);
    all.value(
        "policy/allow",
        &policy::Operation::Allow {
            requester,
            device,
            rule,
        },
    );
    all.value(
        "policy/withdraw",
        &policy::Operation::Withdraw { requester, device },
    );

    let operator = PrivateKey::from_seed(1);
    let entry = Entry {
        epoch: 1,
        operator: operator.public_key(),
        chain: RELAY,
        records: RECORDS,
        grades: 1 << 2,
    };
    let (_, key) = keypair::<_, MinSig>(&mut StdRng::seed_from_u64(1));
    let (network, issuers) = (
        Network { key },
        IssuersRecord {
            suite: 2,
            key: [3; 33],
        },
    );
    let proof: ForeignProof = Bytes::from_static(b"a proof").try_into().unwrap();
    all.value("directory/entry", &entry);
    all.value("directory/network", &network);
    all.value("directory/issuers", &issuers);
    let register = directory::Operation::Register {
        organisation: FACTORY,
        entry,
        network,
        issuers,
        proof: proof.clone(),
    };
    all.value("directory/register", &register);

    let (exchange, envelope) = ([8; 32], [9; 32]);
    let statement = |is_accepted| {
        let statement = Statement {
            exchange,
            envelope,
            is_accepted,
        };
        statement.sign(&RELAY, &operator)
    };
    let open = relayed::Operation::Open {
        exchange,
        requester,
        owner,
        deliver_by_ms: NOW,
    };
    let deliver = relayed::Operation::Deliver {
        exchange,
        requester,
        owner,
        envelope,
        receipt_by_ms: NOW,
        roots: vec![[1; 32]].try_into().unwrap(),
        proof,
        signature: statement(None),
    };
    let receipt = relayed::Operation::Receipt {
        exchange,
        requester,
        is_accepted: true,
        signature: statement(Some(true)),
    };
    all.value("exchange/open", &open);
    all.value("exchange/deliver", &deliver);
    all.value(
        "exchange/decline",
        &relayed::Operation::Decline {
            exchange,
            owner,
            reason: 6,
        },
    );
    all.value("exchange/receipt", &receipt);
    let record = ExchangeRecord {
        requester,
        owner,
        posted: 3,
        opened_ms: NOW,
        deliver_by_ms: NOW + 1,
        answered_ms: NOW + 2,
        receipt_by_ms: NOW + 3,
        receipt_ms: NOW + 4,
        envelope,
    };
    all.value("exchange/record", &record);
    assert_eq!(
        all.0,
        include_str!("fixtures/records.txt"),
        "the protocol has changed"
    );
}
