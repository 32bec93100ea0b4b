//! What devices and other organisations send to an edge, and what is put on organisations' chains: it
//! is refused or it has one encoding. The first byte says which of them it is.
#![no_main]

use std::sync::LazyLock;

use cairn_contracts::{directory, exchange, policy, records};
use cairn_crypto::{
    credential::Slot,
    issuer::Quorum,
    message::MessageSuite,
    suite::{Ristretto255, Sm2},
};
use cairn_exchange::{
    delivery::Item,
    envelope::Opener,
    keys::{Issuers, Kgcs, Party, PartyId},
    reading::{Query, Reading},
    request::{Owner, Request, Wanted},
};
use cairn_ledger::ChainId;
use cairn_vault::DeviceId;
use commonware_codec::{Copying, DecodeExt, Encode, Read};
use libfuzzer_sys::fuzz_target;
use rand::{SeedableRng as _, rngs::StdRng};

const NOW_MS: u64 = 1_800_000_000_000;
const RELAY: ChainId = ChainId([5; 32]);
const OWNER: directory::OrgId = directory::OrgId(2);

/// An organisation that asks and is asked.
struct World<S: MessageSuite> {
    edge: Party<S>,
    issuers: Issuers<S>,
}

impl<S: MessageSuite> World<S> {
    fn new() -> Self {
        let mut rng = StdRng::seed_from_u64(1);
        let mut kgcs = Kgcs::generate(Quorum::default(), &mut rng).expect("KGCs agree");
        let slot = Slot::new((NOW_MS / 1_000) as u32 - 60, 60).expect("a slot of an hour");
        let id = PartyId { organisation: OWNER, device: DeviceId([1; 32]) };
        let edge = kgcs.enrol(id, 1, slot, &mut rng).expect("KGCs issue");
        Self { edge, issuers: Issuers { key: kgcs.issuer_key(), epoch: 1 } }
    }
}

static SM2: LazyLock<World<Sm2>> = LazyLock::new(World::new);
static RISTRETTO255: LazyLock<World<Ristretto255>> = LazyLock::new(World::new);

fn canonical<T: Encode + Read<Cfg = ()>>(bytes: &[u8]) {
    if let Ok(value) = T::decode(Copying(bytes)) {
        assert_eq!(value.encode(), bytes);
    }
}

/// Messages of a suite. Nobody but the fuzzer's own edge has a key here, so nothing may be believed.
fn messages<S: MessageSuite>(world: &World<S>, kind: u8, bytes: &[u8]) {
    match kind {
        0 => match Reading::<S>::from_json(bytes) {
            Ok(reading) => {
                let again = Reading::<S>::from_json(reading.to_json().as_bytes());
                assert_eq!(again, Ok(reading));
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        },
        1 => match Query::<S>::from_json(bytes) {
            Ok(query) => {
                let again = Query::<S>::from_json(query.to_json().as_bytes());
                assert_eq!(again, Ok(query));
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        },
        2 => {
            let owner = Owner { relay: RELAY, organisation: OWNER, grade: 2, issuers: &world.issuers, rule: None };
            assert!(owner.check(bytes, NOW_MS).is_err(), "there is no rule for anybody");
        }
        _ => {
            let mut rng = StdRng::seed_from_u64(2);
            let wanted = Wanted {
                owner: OWNER,
                device: DeviceId([7; 32]),
                from_ms: 0,
                until_ms: NOW_MS,
                grade: 2,
            };
            let (_, pending) = Request::sign(RELAY, &world.edge, wanted, NOW_MS, &mut rng);
            let mut opener = Opener::new(pending);
            for piece in bytes.chunks(97) {
                match opener.feed(piece, &world.issuers, NOW_MS) {
                    Ok(chunks) => assert!(chunks.is_empty(), "an envelope that nobody sealed"),
                    Err(error) => {
                        assert!(!error.to_string().is_empty());
                        return;
                    }
                }
            }
            assert!(opener.finish().is_err(), "an envelope that nobody sealed");
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((kind, bytes)) = data.split_first() else {
        return;
    };
    match kind {
        0..=3 => messages(&*SM2, *kind, bytes),
        4..=7 => messages(&*RISTRETTO255, *kind - 4, bytes),
        8 => {
            if let Ok(item) = Item::from_bytes(bytes) {
                assert_eq!(item.to_bytes(), bytes);
            }
        }
        9 => canonical::<records::Operation>(bytes),
        10 => canonical::<policy::Operation>(bytes),
        11 => canonical::<directory::Operation>(bytes),
        12 => canonical::<exchange::Operation>(bytes),
        13 => canonical::<exchange::ExchangeRecord>(bytes),
        _ => canonical::<directory::Entry>(bytes),
    }
});
