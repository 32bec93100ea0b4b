//! A one-time token shown at two RSUs: exactly one of them has it, in every history.
//!
//! Every test runs over many seeds of the deterministic runtime. The spends carry the digests of
//! two different proofs, so the token's record says who won; it must be whoever comes first in
//! ledger order, on every validator.

mod common;

use cairn_chain::Finalized;
use cairn_contracts::tokens::{self, Batch, Mint, Parameters, Spend, TokenId, TokenRecord};
use cairn_ledger::{Address, PrivateKey, Rid, SignedTransaction, TxId};
use common::{Cast, Fleet, LATER_MS, good_link, link};
use commonware_cryptography::Signer as _;
use commonware_p2p::simulated::Link;
use commonware_runtime::{Runner as _, deterministic};
use commonware_utils::{channel::ring, probability};
use futures::StreamExt as _;
use std::time::Duration;

/// Histories per test.
const SEEDS: u64 = 16;

/// Tokens that are spent twice in each history.
const TOKENS: u8 = 4;

/// The RSU that mints the tokens, and the two at which each is shown.
const MINTER: u32 = 1;
const SPENDERS: [u32; 2] = [2, 3];

/// Runs `test` on a fleet of four whose ledger has the tokens, once per seed. Virtual time is
/// bounded, so a test that hangs fails. Returns what the histories say, in the order of the seeds.
fn in_every_seed<F, T>(link: Link, test: F) -> Vec<T>
where
    F: AsyncFn(&mut Scene) -> T,
{
    (0..SEEDS)
        .map(|seed| {
            let config = deterministic::Config::new()
                .with_seed(seed)
                .with_timeout(Some(Duration::from_secs(600)));
            let link = link.clone();
            deterministic::Runner::new(config).start(async |context| {
                let cast = Cast::new(4, "double spend", 0);
                let fleet = Fleet::start(context, cast, link).await;
                let mut scene = Scene::prepare(fleet, seed).await;
                test(&mut scene).await
            })
        })
        .collect()
}

/// A fleet whose ledger has the tokens, and its blocks as one validator sees them.
struct Scene {
    seed: u64,
    fleet: Fleet,
    blocks: ring::Receiver<Finalized>,
}

fn token(number: u8) -> TokenId {
    TokenId::of(&[number; 32])
}

impl Scene {
    async fn prepare(fleet: Fleet, seed: u64) -> Self {
        let cast = &fleet.cast;
        let chain = cast.genesis.chain_id();
        let parameters = Parameters {
            keys: cast.contract(),
            max_life_ms: LATER_MS,
            max_hops: 1,
        };
        let deploy = tokens::deploy(2, LATER_MS, &cast.ta.public_key(), &parameters);
        let mut transactions = vec![
            cast.deploy(LATER_MS),
            deploy.sign(&chain, &[&cast.ta, &cast.lea]),
        ];
        let rsus = [MINTER, SPENDERS[0], SPENDERS[1]];
        let register = |rid: &u32| cast.register(2 + u64::from(*rid), *rid, LATER_MS);
        transactions.extend(rsus.iter().map(register));
        let mint = |number| Mint {
            id: token(number),
            commitment: [number; 32],
            expires_ms: LATER_MS / 2,
            hops: 0,
        };
        let minted = Batch {
            mints: (0..TOKENS).map(mint).collect(),
            ..Batch::default()
        };
        for transaction in transactions {
            assert_eq!(fleet.settle(0, vec![transaction]).await, [Ok(())]);
        }
        let blocks = fleet.chain(0).finalized();
        let scene = Self {
            seed,
            fleet,
            blocks,
        };
        let minted = scene.record(MINTER, 1, minted);
        assert_eq!(scene.fleet.settle(0, vec![minted]).await, [Ok(())]);
        scene
    }

    fn contract(&self) -> Address {
        Address::of_instance(&self.fleet.cast.ta.public_key(), 2)
    }

    fn record(&self, rid: u32, nonce: u64, batch: Batch) -> SignedTransaction {
        let cast = &self.fleet.cast;
        let keys = cast.contract();
        tokens::call(nonce, LATER_MS, self.contract(), keys, Rid(rid), batch).sign(
            &cast.genesis.chain_id(),
            &[&PrivateKey::from_seed(u64::from(rid))],
        )
    }

    /// The transaction with which the RSU `rid` spends a token, under a proof named after the RSU.
    fn spend(&self, rid: u32, number: u8) -> SignedTransaction {
        let spend = Spend {
            id: token(number),
            proof: [rid as u8; 32],
            minted_by: Rid(MINTER),
        };
        let batch = Batch {
            spends: vec![spend],
            ..Batch::default()
        };
        self.record(rid, 1 + u64::from(number), batch)
    }

    fn spends(&self, rid: u32) -> Vec<SignedTransaction> {
        let spend = |number| self.spend(rid, number);
        (0..TOKENS).map(spend).collect()
    }

    /// Waits until all spends are final, on all running validators, and checks that each token went
    /// to whoever came first. Returns the blocks of each token's two spends, winner first.
    async fn each_has_one_winner(&mut self) -> Vec<[u64; 2]> {
        let wanted: Vec<[(u32, TxId); 2]> = (0..TOKENS)
            .map(|number| SPENDERS.map(|rid| (rid, self.spend(rid, number).id())))
            .collect();
        // In ledger order: height and transaction.
        let mut order: Vec<(u64, TxId)> = Vec::new();
        let is_spend = |id: &TxId| wanted.iter().flatten().any(|(_, wanted)| wanted == id);
        let mut height = 0;
        while order.len() < wanted.len() * 2 {
            let block = self.blocks.next().await.expect("the validator runs");
            height = block.height;
            for receipt in block.receipts.iter() {
                let id = receipt.transaction;
                // What was handed in again is refused as a replay.
                if is_spend(&id) && order.iter().all(|(_, one)| *one != id) {
                    assert_eq!(receipt.result, Ok(()), "a lost race is no refusal");
                    order.push((height, id));
                }
            }
        }
        self.fleet.reach(height).await;

        let keys: Vec<_> = (0..TOKENS)
            .map(|number| tokens::token_key(&self.contract(), &token(number)))
            .collect();
        let mut heights = Vec::new();
        for (index, spenders) in wanted.iter().enumerate() {
            let place = |id: &TxId| order.iter().position(|(_, one)| one == id);
            let mut places = spenders.map(|(rid, id)| (place(&id).expect("both are final"), rid));
            places.sort_unstable();
            let [(first, winner), (second, _)] = places;
            heights.push([order[first].0, order[second].0]);
            for validator in self.fleet.validators.values() {
                let records = validator.chain().get(&keys).await.unwrap();
                let record: TokenRecord = records[index].as_ref().unwrap().decode_as().unwrap();
                assert_eq!(record.spent, Some([winner as u8; 32]), "token {index}");
            }
        }
        heights
    }
}

#[test]
fn b9_two_rsus_in_the_same_block() {
    let heights = in_every_seed(good_link(), async |scene| {
        let [first, second] = SPENDERS.map(|rid| scene.spends(rid));
        let both = first.into_iter().zip(second).flat_map(|(a, b)| [a, b]);
        scene.fleet.chain(0).submit(both.collect()).unwrap();
        scene.each_has_one_winner().await
    });
    assert!(
        heights
            .iter()
            .flatten()
            .all(|[first, second]| first == second)
    );
}

#[test]
fn b9_two_rsus_in_competing_blocks() {
    // A third of the messages is lost: leaders do not know each other's transactions, propose what
    // others do not get, and are overruled.
    let lossy = Link {
        jitter: Duration::from_millis(40),
        ..link(probability!(0.67))
    };
    let outcomes = in_every_seed(lossy, async |scene| {
        for number in 0..TOKENS {
            for (rid, validator) in SPENDERS.into_iter().zip([1, 3]) {
                let spend = scene.spend(rid, number);
                scene.fleet.chain(validator).submit(vec![spend]).unwrap();
            }
        }
        let heights = scene.each_has_one_winner().await;
        (heights, scene.fleet.chain(0).status().counters.nullified)
    });
    let nullified: u64 = outcomes.iter().map(|(_, nullified)| nullified).sum();
    assert!(nullified > SEEDS, "{nullified} views were overruled");
    let mut pairs = outcomes.iter().flat_map(|(heights, _)| heights);
    assert!(
        pairs.any(|[first, second]| first < second),
        "not all in one block"
    );
}

#[test]
fn b9_a_validator_crashes_and_restarts_between_the_spends() {
    let heights = in_every_seed(good_link(), async |scene| {
        // The first RSU's validator crashes before it has passed the spends on, while they are in a
        // block, or when they are final, as the seed has it.
        let first = scene.spends(SPENDERS[0]);
        scene.fleet.chain(1).submit(first.clone()).unwrap();
        let pause = Duration::from_millis(8 * scene.seed);
        scene.fleet.sleep(pause).await;
        scene.fleet.down(1).await;
        let second = scene.spends(SPENDERS[1]);
        scene.fleet.chain(2).submit(second).unwrap();
        scene.fleet.sleep(Duration::from_secs(3)).await;
        scene.fleet.up(1).await;
        // What it had not passed on is lost with it; its RSU hands it in again.
        scene.fleet.chain(1).ready().await.unwrap();
        scene.fleet.chain(1).submit(first).unwrap();
        scene.each_has_one_winner().await
    });
    assert!(
        heights
            .iter()
            .flatten()
            .any(|[first, second]| first < second)
    );
}
