//! The rules of contract `credits`, on a ledger without a chain.

mod common;

use cairn_contracts::{
    credits::{
        self, Account, CreditId, CreditRecord, Grant, KEPT_PERIODS, LOGIN_POT, Operation,
        Parameters, Payout,
    },
    keys::{self, RsuRecord},
};
use cairn_ledger::{Action, Address, Position, PrivateKey, Refusal, Rid};
use common::{HOUR, NOW, World, YEAR};
use commonware_codec::{DecodeExt as _, Encode as _};
use commonware_cryptography::Signer as _;
use proptest::prelude::*;

const A: Rid = Rid(1);
const MAX_GRANTED: u32 = 20;

/// A registered RSU, a redeemer, and an instance of `credits` with periods of an hour.
struct Road {
    world: World,
    credits: Address,
    rsu: PrivateKey,
    redeemer: PrivateKey,
    nonce: u64,
}

impl Road {
    fn new() -> Self {
        let mut world = World::new();
        let rsu = PrivateKey::from_seed(101);
        let redeemer = PrivateKey::from_seed(102);
        let record = RsuRecord {
            key: rsu.public_key(),
            position: Position { x_cm: 0, y_cm: 0 },
            valid_from_ms: NOW,
            valid_until_ms: NOW + YEAR,
            revoked_ms: None,
        };
        let register = keys::Operation::RegisterRsu(A, record);
        assert_eq!(world.apply(&[register]), Ok(()));
        let parameters = Parameters {
            keys: world.contract,
            redeemer: redeemer.public_key(),
            period_ms: HOUR,
            max_granted: MAX_GRANTED,
            min_accounts: 2,
        };
        let ta = world.ta.public_key();
        let deploy = credits::deploy(40, NOW, &ta, &parameters);
        let deploy = deploy.sign(&world.genesis.chain_id(), &[&world.ta]);
        assert_eq!(world.run(&deploy), Ok(()));
        Self {
            credits: Address::of_instance(&ta, 40),
            world,
            rsu,
            redeemer,
            nonce: 0,
        }
    }

    fn call_at(
        &mut self,
        time_ms: u64,
        signer: &PrivateKey,
        operation: Operation,
    ) -> Result<(), Refusal> {
        self.nonce += 1;
        let (keys, until) = (self.world.contract, NOW + YEAR);
        let call = credits::call(self.nonce, until, self.credits, keys, operation);
        let signed = call.sign(&self.world.genesis.chain_id(), &[signer]);
        self.world.run_at(time_ms, &[signed])[0]
    }

    fn grant_at(&mut self, time_ms: u64, grants: &[(u8, u8)]) -> Result<(), Refusal> {
        let signer = self.rsu.clone();
        self.call_at(time_ms, &signer, granting(grants))
    }

    fn redeem(&mut self, credits: &[u8], payouts: &[(u8, u32)]) -> Result<(), Refusal> {
        let signer = self.redeemer.clone();
        self.call_at(NOW + HOUR, &signer, redeeming(credits, payouts))
    }

    fn credit(&self, number: u8) -> Option<CreditRecord> {
        let key = credits::credit_key(&self.credits, &id(number));
        let record = self.world.state.get(&key)?;
        Some(record.decode_as().unwrap())
    }

    fn account(&self, number: u8) -> u64 {
        let key = credits::account_key(&self.credits, &Account([number; 32]));
        let record = self.world.state.get(&key);
        record.map_or(0, |record| record.decode_as().unwrap())
    }
}

fn id(number: u8) -> CreditId {
    CreditId::of(&[number; 32])
}

fn granting(grants: &[(u8, u8)]) -> Operation {
    let grant = |&(number, amount)| Grant {
        id: id(number),
        amount,
    };
    Operation::Grant {
        rid: A,
        grants: grants.iter().map(grant).collect(),
        expired: Vec::new(),
    }
}

fn redeeming(credits: &[u8], payouts: &[(u8, u32)]) -> Operation {
    let payout = |&(number, amount)| Payout {
        account: Account([number; 32]),
        amount,
    };
    Operation::Redeem {
        credits: credits.iter().copied().map(id).collect(),
        payouts: payouts.iter().map(payout).collect(),
    }
}

#[test]
fn credits_are_granted_and_paid_out_for_many_accounts_at_once() {
    let mut road = Road::new();
    let share = LOGIN_POT / 3;
    assert_eq!(
        road.grant_at(NOW, &[(1, LOGIN_POT), (2, share), (3, share), (4, share)]),
        Ok(())
    );
    assert_eq!(road.redeem(&[1, 2, 3], &[(8, 8), (9, 2)]), Ok(()));
    assert_eq!((road.account(8), road.account(9)), (8, 2));
    assert!(road.credit(1).unwrap().is_redeemed);
    assert!(!road.credit(4).unwrap().is_redeemed);
}

#[test]
fn a_key_earns_once() {
    let mut road = Road::new();
    assert_eq!(road.grant_at(NOW, &[(1, 2)]), Ok(()));
    assert_eq!(road.grant_at(NOW, &[(1, 6), (2, 3)]), Ok(()));
    assert_eq!(road.credit(1).unwrap().amount, 2);
    assert_eq!(road.credit(2).unwrap().amount, 3);
}

#[test]
fn a_credit_is_redeemed_once() {
    let mut road = Road::new();
    assert_eq!(road.grant_at(NOW, &[(1, 6), (2, 6)]), Ok(()));
    let twice = road.redeem(&[1, 1], &[(8, 6), (9, 6)]);
    assert_eq!(twice, Err(Refusal::MalformedPayload));
    assert_eq!(road.redeem(&[1], &[(8, 3), (9, 3)]), Ok(()));
    let again = road.redeem(&[1, 2], &[(8, 6), (9, 6)]);
    assert_eq!(again, Err(Refusal::WrongState));
    assert_eq!((road.account(8), road.account(9)), (3, 3));
    assert!(!road.credit(2).unwrap().is_redeemed);
}

#[test]
fn nothing_is_paid_from_nothing_and_nothing_is_lost() {
    let mut road = Road::new();
    assert_eq!(road.grant_at(NOW, &[(1, 6)]), Ok(()));
    let unknown = road.redeem(&[1, 2], &[(8, 6), (9, 6)]);
    assert_eq!(unknown, Err(Refusal::NotRegistered));
    for payouts in [[(8, 6), (9, 1)], [(8, 4), (9, 1)], [(8, u32::MAX), (9, 7)]] {
        assert_eq!(road.redeem(&[1], &payouts), Err(Refusal::OutOfBounds));
    }
    assert_eq!(road.account(8), 0);
}

#[test]
fn a_redemption_mixes_accounts_and_waits_for_the_end_of_the_period() {
    let mut road = Road::new();
    assert_eq!(road.grant_at(NOW, &[(1, 6)]), Ok(()));
    let alone = road.redeem(&[1], &[(8, 6)]);
    assert_eq!(alone, Err(Refusal::OutOfBounds));
    let (signer, early) = (road.redeemer.clone(), redeeming(&[1], &[(8, 5), (9, 1)]));
    let early = road.call_at(NOW, &signer, early);
    assert_eq!(early, Err(Refusal::WrongState));
}

#[test]
fn an_rsu_grants_within_its_limit_of_the_period() {
    let mut road = Road::new();
    assert_eq!(road.grant_at(NOW, &[(1, 6), (2, 6), (3, 6)]), Ok(()));
    let over = road.grant_at(NOW, &[(4, 3)]);
    assert_eq!(over, Err(Refusal::LimitReached));
    assert_eq!(road.credit(4), None);
    // What has no effect does not count.
    assert_eq!(road.grant_at(NOW, &[(1, 6), (2, 6), (5, 2)]), Ok(()));
    assert_eq!(road.grant_at(NOW + HOUR, &[(4, 6), (6, 6), (7, 6)]), Ok(()));
}

#[test]
fn shares_have_bounds() {
    for amount in [0, LOGIN_POT + 1, u8::MAX] {
        let mut road = Road::new();
        let refused = road.grant_at(NOW, &[(1, amount)]);
        assert_eq!(refused, Err(Refusal::OutOfBounds));
    }
}

#[test]
fn only_the_rsu_grants_and_only_the_redeemer_redeems() {
    let mut road = Road::new();
    let (stranger, redeemer) = (road.world.stranger.clone(), road.redeemer.clone());
    for signer in [&stranger, &redeemer] {
        let refused = road.call_at(NOW, signer, granting(&[(1, 6)]));
        assert_eq!(refused, Err(Refusal::MissingRsuSignature));
    }
    assert_eq!(road.grant_at(NOW, &[(1, 6)]), Ok(()));
    let rsu = road.rsu.clone();
    for signer in [&stranger, &rsu] {
        let refused = road.call_at(NOW + HOUR, signer, redeeming(&[1], &[(8, 3), (9, 3)]));
        assert_eq!(refused, Err(Refusal::MissingOrganisationSignature));
    }
    let revoke = keys::Operation::RevokeRsu(A);
    assert_eq!(road.world.apply(&[revoke]), Ok(()));
    let revoked = road.grant_at(NOW, &[(2, 6)]);
    assert_eq!(revoked, Err(Refusal::AlreadyRevoked));
}

#[test]
fn b4_lists_that_are_not_sorted_are_refused() {
    let mut road = Road::new();
    let Operation::Grant { mut grants, .. } = granting(&[(1, 1), (2, 1)]) else {
        panic!("grants")
    };
    grants.sort_by_key(|grant| core::cmp::Reverse(grant.id));
    road.nonce += 1;
    let (keys, until) = (road.world.contract, NOW + YEAR);
    let sorted = granting(&[(1, 1), (2, 1)]);
    let mut call = credits::call(road.nonce, until, road.credits, keys, sorted);
    let Action::Call { payload, .. } = &mut call.action else {
        panic!("a call")
    };
    *payload = Operation::Grant {
        rid: A,
        grants,
        expired: Vec::new(),
    }
    .encode();
    let signed = call.sign(&road.world.genesis.chain_id(), &[&road.rsu]);
    let refused = road.world.run_at(NOW, &[signed])[0];
    assert_eq!(refused, Err(Refusal::MalformedPayload));
}

#[test]
fn old_credits_are_deleted_and_others_stay() {
    let mut road = Road::new();
    assert_eq!(road.grant_at(NOW, &[(1, 1)]), Ok(()));
    let clean_up = |road: &mut Road, periods: u32| {
        let operation = Operation::Grant {
            rid: A,
            grants: Vec::new(),
            expired: vec![id(1), id(2)],
        };
        let signer = road.rsu.clone();
        let at = NOW + u64::from(periods) * HOUR;
        assert_eq!(road.call_at(at, &signer, operation), Ok(()));
    };
    clean_up(&mut road, KEPT_PERIODS);
    assert!(road.credit(1).is_some());
    clean_up(&mut road, KEPT_PERIODS + 1);
    assert!(road.credit(1).is_none());
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_one_operation_or_none(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(operation) = Operation::decode(commonware_codec::Copying(&bytes[..])) {
            prop_assert_eq!(operation.encode().to_vec(), bytes);
        }
    }
}
