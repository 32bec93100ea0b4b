//! The rules of contract `tokens`, on a ledger without a chain.

mod common;

use cairn_contracts::{
    keys::{Operation, RsuRecord},
    tokens::{self, Batch, Mint, Parameters, Spend, TokenId, TokenRecord, Trail},
};
use cairn_ledger::{Action, Address, Position, PrivateKey, Refusal, Rid};
use common::{NOW, World, YEAR};
use commonware_codec::Encode as _;
use commonware_cryptography::Signer as _;

const LIFE: u64 = 600_000;
const MAX_HOPS: u8 = 10;
const A: Rid = Rid(1);
const B: Rid = Rid(2);

/// Two registered RSUs and an instance of `tokens`.
struct Road {
    world: World,
    tokens: Address,
    rsus: [PrivateKey; 2],
    nonce: u64,
}

impl Road {
    fn new() -> Self {
        let mut world = World::new();
        let rsus = [PrivateKey::from_seed(101), PrivateKey::from_seed(102)];
        let register = |rid, signer: &PrivateKey| {
            let record = RsuRecord {
                key: signer.public_key(),
                position: Position { x_cm: 0, y_cm: 0 },
                valid_from_ms: NOW,
                valid_until_ms: NOW + YEAR,
                revoked_ms: None,
            };
            Operation::RegisterRsu(rid, record)
        };
        assert_eq!(
            world.apply(&[register(A, &rsus[0]), register(B, &rsus[1])]),
            Ok(())
        );
        let parameters = Parameters {
            keys: world.contract,
            max_life_ms: LIFE,
            max_hops: MAX_HOPS,
        };
        let ta = world.ta.public_key();
        let deploy = tokens::deploy(40, NOW, &ta, &parameters);
        let deploy = deploy.sign(&world.genesis.chain_id(), &[&world.ta]);
        assert_eq!(world.run(&deploy), Ok(()));
        Self {
            tokens: Address::of_instance(&ta, 40),
            world,
            rsus,
            nonce: 0,
        }
    }

    fn signer(&self, rid: Rid) -> &PrivateKey {
        &self.rsus[if rid == A { 0 } else { 1 }]
    }

    fn signed(&mut self, rid: Rid, batch: Batch) -> cairn_ledger::SignedTransaction {
        self.nonce += 1;
        let (keys, until) = (self.world.contract, NOW + YEAR);
        let call = tokens::call(self.nonce, until, self.tokens, keys, rid, batch);
        call.sign(&self.world.genesis.chain_id(), &[self.signer(rid)])
    }

    fn record_at(&mut self, time_ms: u64, rid: Rid, batch: Batch) -> Result<(), Refusal> {
        let signed = self.signed(rid, batch);
        self.world.run_at(time_ms, &[signed])[0]
    }

    fn record(&mut self, rid: Rid, batch: Batch) -> Result<(), Refusal> {
        self.record_at(NOW, rid, batch)
    }

    fn mint(&mut self, rid: Rid, number: u8) -> Result<(), Refusal> {
        self.record(rid, minting(number))
    }

    fn spend(&mut self, rid: Rid, number: u8, proof: u8) -> Result<(), Refusal> {
        self.record(rid, spending(number, proof))
    }

    fn token(&self, number: u8) -> Option<TokenRecord> {
        let record = self
            .world
            .state
            .get(&tokens::token_key(&self.tokens, &id(number)))?;
        Some(record.decode_as().unwrap())
    }

    fn winner(&self, number: u8) -> Option<[u8; 32]> {
        self.token(number).unwrap().spent
    }
}

fn id(number: u8) -> TokenId {
    TokenId::of(&[number; 32])
}

fn minted(number: u8) -> Mint {
    Mint {
        id: id(number),
        commitment: [number; 32],
        expires_ms: NOW + LIFE,
        hops: 0,
    }
}

fn minting(number: u8) -> Batch {
    Batch {
        mints: vec![minted(number)],
        ..Batch::default()
    }
}

fn spending(number: u8, proof: u8) -> Batch {
    Batch {
        spends: vec![Spend {
            id: id(number),
            proof: [proof; 32],
            minted_by: A,
        }],
        ..Batch::default()
    }
}

#[test]
fn a_token_is_spent_once_by_whoever_comes_first() {
    let mut road = Road::new();
    assert_eq!(road.mint(A, 7), Ok(()));
    assert_eq!(road.winner(7), None);
    assert_eq!(road.spend(B, 7, 1), Ok(()));
    assert_eq!(
        road.spend(A, 7, 2),
        Ok(()),
        "no refusal: others share the batch"
    );
    assert_eq!(road.winner(7), Some([1; 32]));
}

#[test]
fn b9_of_two_spends_in_one_block_the_first_wins() {
    let mut road = Road::new();
    assert_eq!(road.mint(A, 7), Ok(()));
    let first = road.signed(B, spending(7, 1));
    let second = road.signed(A, spending(7, 2));
    assert_eq!(road.world.run_at(NOW, &[second, first]), [Ok(()), Ok(())]);
    assert_eq!(road.winner(7), Some([2; 32]), "ledger order decides");
}

#[test]
fn a_token_minted_and_spent_in_one_block_works() {
    let mut road = Road::new();
    let mint = road.signed(A, minting(7));
    let spend = road.signed(B, spending(7, 1));
    assert_eq!(road.world.run_at(NOW, &[mint, spend]), [Ok(()), Ok(())]);
    assert_eq!(road.winner(7), Some([1; 32]));
}

#[test]
fn an_unknown_or_expired_token_buys_nothing() {
    let mut road = Road::new();
    assert_eq!(road.spend(B, 9, 1), Ok(()));
    assert_eq!(road.token(9), None);
    assert_eq!(road.mint(A, 7), Ok(()));
    assert_eq!(road.record_at(NOW + LIFE, B, spending(7, 1)), Ok(()));
    assert_eq!(road.winner(7), None);
}

#[test]
fn tokens_of_a_revoked_rsu_are_void() {
    let mut road = Road::new();
    assert_eq!(road.mint(A, 7), Ok(()));
    assert_eq!(road.world.apply(&[Operation::RevokeRsu(A)]), Ok(()));
    assert_eq!(road.spend(B, 7, 1), Ok(()));
    assert_eq!(road.winner(7), None);
    assert_eq!(road.mint(A, 8), Err(Refusal::AlreadyRevoked));
}

#[test]
fn only_the_rsu_itself_records_in_its_name() {
    let mut road = Road::new();
    let (keys, chain) = (road.world.contract, road.world.genesis.chain_id());
    let call = |nonce| tokens::call(nonce, NOW, road.tokens, keys, A, minting(7));
    let by_other = call(50).sign(&chain, &[&road.rsus[1]]);
    let by_authorities = call(51).sign(&chain, &[&road.world.ta, &road.world.lea]);
    assert_eq!(road.world.run(&by_other), Err(Refusal::MissingRsuSignature));
    assert_eq!(
        road.world.run(&by_authorities),
        Err(Refusal::MissingRsuSignature)
    );
    let unknown = tokens::call(52, NOW, road.tokens, keys, Rid(3), minting(7));
    let unknown = unknown.sign(&chain, &[&road.rsus[1]]);
    assert_eq!(road.world.run(&unknown), Err(Refusal::NotRegistered));
}

#[test]
fn a_name_that_is_taken_keeps_its_first_record() {
    let mut road = Road::new();
    assert_eq!(road.mint(A, 7), Ok(()));
    assert_eq!(
        road.mint(B, 7),
        Ok(()),
        "no refusal: others share the batch"
    );
    assert_eq!(road.token(7).unwrap().minted_by, A);
}

#[test]
fn lives_and_hops_have_limits() {
    let mut road = Road::new();
    let bad = [
        Mint {
            expires_ms: NOW,
            ..minted(7)
        },
        Mint {
            expires_ms: NOW + LIFE + 1,
            ..minted(7)
        },
        Mint {
            hops: MAX_HOPS + 1,
            ..minted(7)
        },
    ];
    for mint in bad {
        let batch = Batch {
            mints: vec![mint],
            ..Batch::default()
        };
        assert_eq!(
            road.record(A, batch),
            Err(Refusal::InvalidPeriod),
            "{mint:?}"
        );
    }
}

#[test]
fn expired_tokens_are_deleted_and_others_stay() {
    let mut road = Road::new();
    assert_eq!(road.mint(A, 7), Ok(()));
    let clean = || Batch {
        expired: vec![id(7), id(9)],
        ..Batch::default()
    };
    assert_eq!(road.record_at(NOW + LIFE - 1, B, clean()), Ok(()));
    assert!(road.token(7).is_some());
    assert_eq!(road.record_at(NOW + LIFE, B, clean()), Ok(()));
    assert_eq!(road.token(7), None);
}

#[test]
fn agreements_extend_the_trail_of_their_rsu() {
    let mut road = Road::new();
    let agreements = |digests: &[u8]| Batch {
        agreements: digests.iter().map(|digest| [*digest; 32]).collect(),
        ..Batch::default()
    };
    assert_eq!(road.record(A, agreements(&[1, 2])), Ok(()));
    assert_eq!(road.record(B, agreements(&[9])), Ok(()));
    assert_eq!(road.record(A, agreements(&[3])), Ok(()));
    let trail = road.world.state[&tokens::trail_key(&road.tokens, A)].decode_as::<Trail>();
    let expected = [1, 2, 3].iter().fold(Trail::default(), |trail, digest| {
        trail.extend(&[*digest; 32])
    });
    assert_eq!(trail.unwrap(), expected);
    assert_eq!(expected.count, 3);
}

#[test]
fn b4_lists_that_are_not_sorted_are_refused() {
    let mut road = Road::new();
    let batch = Batch {
        mints: vec![minted(1), minted(2)],
        ..Batch::default()
    };
    let mut call = road.signed(A, batch.clone()).transaction().clone();
    let mut backwards = batch;
    backwards
        .mints
        .sort_by_key(|mint| core::cmp::Reverse(mint.id));
    call.nonce += 1;
    call.action = Action::Call {
        contract: road.tokens,
        payload: (A, backwards).encode(),
    };
    let signed = call.sign(&road.world.genesis.chain_id(), &[&road.rsus[0]]);
    assert_eq!(road.world.run(&signed), Err(Refusal::MalformedPayload));
}

#[test]
fn one_batch_carries_mints_spends_and_agreements_of_many_vehicles() {
    let mut road = Road::new();
    let mints = (0..200).map(minted).collect();
    assert_eq!(
        road.record(
            A,
            Batch {
                mints,
                ..Batch::default()
            }
        ),
        Ok(())
    );
    let spends = (0..200)
        .flat_map(|number| spending(number, number).spends)
        .collect();
    let agreements = vec![[1; 32]; 200];
    assert_eq!(
        road.record(
            B,
            Batch {
                spends,
                agreements,
                ..Batch::default()
            }
        ),
        Ok(())
    );
    for number in 0..200 {
        assert_eq!(road.winner(number), Some([number; 32]));
    }
}
