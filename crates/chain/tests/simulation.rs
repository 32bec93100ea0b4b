//! The network in the deterministic runtime: faults, and what the chain promises despite them.

mod common;

use cairn_chain::{
    Config, StartError, SubmitError, Validator, limits, runtime_clock, simulated::SimulatedLinks,
};
use cairn_ledger::{
    Refusal, SignedTransaction,
    light::{Client, LightError},
};
use common::{Cast, Fleet, LATER_MS, good_link, history, link, next};
use commonware_cryptography::Signer as _;
use commonware_runtime::{Runner as _, Supervisor as _, deterministic};
use commonware_utils::probability;
use std::time::Duration;

/// Runs `test` on a fleet of four. Virtual time is bounded, so a test that hangs fails.
fn with_fleet<F, T>(seed: u64, link: commonware_p2p::simulated::Link, test: F) -> T
where
    F: AsyncFnOnce(Fleet) -> T,
{
    runner(seed).start(|context| async move {
        let cast = Cast::new(4, "test", 0);
        test(Fleet::start(context, cast, link).await).await
    })
}

fn runner(seed: u64) -> deterministic::Runner {
    let config = deterministic::Config::new()
        .with_seed(seed)
        .with_timeout(Some(Duration::from_secs(600)));
    deterministic::Runner::new(config)
}

async fn start(
    context: deterministic::Context,
    config: Config,
    links: SimulatedLinks<deterministic::Context>,
) -> Result<Validator<deterministic::Context>, StartError> {
    let clock = runtime_clock(context.child("clock"));
    cairn_simulation::start_validator(context, config, links, clock).await
}

fn registrations(cast: &Cast, nonces: core::ops::Range<u64>) -> Vec<SignedTransaction> {
    nonces
        .map(|nonce| cast.register(nonce, nonce as u32, LATER_MS))
        .collect()
}

#[test]
fn all_online() {
    with_fleet(1, good_link(), async |fleet| {
        assert_eq!(
            fleet.settle(0, vec![fleet.cast.deploy(LATER_MS)]).await,
            [Ok(())]
        );
        let results = fleet.settle(1, registrations(&fleet.cast, 2..12)).await;
        assert!(results.iter().all(Result::is_ok), "{results:?}");

        let height = fleet.height() + 2;
        fleet.reach(height).await;
        for index in 0..4 {
            let chain = fleet.chain(index);
            let keys: Vec<_> = (2..13).map(|rid| fleet.cast.rsu_key(rid)).collect();
            let records = chain.get(&keys).await.unwrap();
            assert!(records[..10].iter().all(Option::is_some));
            assert!(records[10].is_none());
            let status = chain.status();
            assert_eq!(status.counters.transactions, 11);
            assert_eq!((status.counters.refused, status.waiting), (0, 0));
            assert!(
                status
                    .last_votes
                    .iter()
                    .all(|(_, view)| view + 8 > status.view)
            );
        }
        assert!(fleet.network.blocked().await.unwrap().is_empty());
    });
}

#[test]
fn determinism() {
    let run = |seed| {
        with_fleet(seed, link(probability!(0.95)), async |fleet| {
            let mut blocks = fleet.chain(2).finalized();
            fleet
                .chain(0)
                .submit(vec![fleet.cast.deploy(LATER_MS)])
                .unwrap();
            fleet
                .chain(3)
                .submit(registrations(&fleet.cast, 2..30))
                .unwrap();
            let mut all = Vec::new();
            while all.len() < 12 {
                all.push(next(&mut blocks).await);
            }
            history(&all)
        })
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5), run(6), "another seed is another history");
}

#[test]
fn idle_chain_makes_a_block_a_second_and_wakes_at_once() {
    with_fleet(2, good_link(), async |fleet| {
        fleet.reach(2).await;
        let before = fleet.height();
        fleet.sleep(Duration::from_secs(20)).await;
        let made = fleet.height() - before;
        assert!((15..=21).contains(&made), "{made} blocks in 20 s");

        let mut blocks = fleet.chain(0).finalized();
        fleet.settle(0, vec![fleet.cast.deploy(LATER_MS)]).await;
        let block = loop {
            let block = next(&mut blocks).await;
            if !block.receipts.is_empty() {
                break block;
            }
        };
        assert!(
            block.latency_ms < 100,
            "final {} ms after its time",
            block.latency_ms
        );
        assert!(
            fleet.chain(0).now_ms() - block.time_ms < 200,
            "nobody waited"
        );
    });
}

#[test]
fn crash_and_restart() {
    with_fleet(3, good_link(), async |mut fleet| {
        fleet.settle(0, vec![fleet.cast.deploy(LATER_MS)]).await;
        fleet.down(3).await;
        let results = fleet.settle(1, registrations(&fleet.cast, 2..6)).await;
        assert!(results.iter().all(Result::is_ok), "three of four go on");
        fleet.sleep(Duration::from_secs(10)).await;
        fleet.up(3).await;
        let height = fleet.height();
        fleet.reach(height + 3).await;
        let record = fleet.chain(3).get(&[fleet.cast.rsu_key(5)]).await.unwrap();
        assert!(record[0].is_some(), "it has what it missed");
    });
}

#[test]
fn one_cut_off_then_heals() {
    with_fleet(4, good_link(), async |fleet| {
        fleet.settle(0, vec![fleet.cast.deploy(LATER_MS)]).await;
        let lonely = fleet.key(2);
        fleet.network.cut(&lonely).await.unwrap();
        fleet.sleep(Duration::from_secs(5)).await;
        let stuck = fleet.chain(2).status().height;
        fleet
            .chain(2)
            .submit(registrations(&fleet.cast, 2..3))
            .unwrap();
        fleet.settle(0, registrations(&fleet.cast, 3..4)).await;
        fleet.sleep(Duration::from_secs(10)).await;
        assert!(
            fleet.chain(2).status().height <= stuck + 1,
            "alone, nothing is final"
        );
        assert!(fleet.height() > stuck + 1, "three of four go on");

        fleet.network.heal(&lonely, &fleet.link).await.unwrap();
        fleet.reach(fleet.height() + 3).await;
        // What was submitted to the one that was cut off is ordered when it leads again.
        fleet.sleep(Duration::from_secs(10)).await;
        let keys = [fleet.cast.rsu_key(2), fleet.cast.rsu_key(3)];
        let records = fleet.chain(1).get(&keys).await.unwrap();
        assert!(records.iter().all(Option::is_some));
    });
}

#[test]
fn five_percent_loss() {
    with_fleet(5, link(probability!(0.95)), async |fleet| {
        fleet.settle(0, vec![fleet.cast.deploy(LATER_MS)]).await;
        for nonce in 2..12 {
            let index = (nonce % 4) as usize;
            let result = fleet
                .settle(index, registrations(&fleet.cast, nonce..nonce + 1))
                .await;
            assert_eq!(result, [Ok(())]);
        }
        fleet.reach(fleet.height()).await;
    });
}

/// All validators lose power at the same moment: what was not synced to disk is gone.
#[test]
fn restart_all() {
    let (before, checkpoint) = runner(6).start_and_recover(|context| async move {
        let fleet = Fleet::start(context, Cast::new(4, "test", 0), good_link()).await;
        fleet.settle(0, vec![fleet.cast.deploy(LATER_MS)]).await;
        fleet.settle(1, registrations(&fleet.cast, 2..9)).await;
        fleet.height()
    });
    deterministic::Runner::from(checkpoint).start(|context| async move {
        let fleet = Fleet::start(context, Cast::new(4, "test", 0), good_link()).await;
        fleet.reach(before + 3).await;
        for index in 0..4 {
            let record = fleet
                .chain(index)
                .get(&[fleet.cast.rsu_key(8)])
                .await
                .unwrap();
            assert!(record[0].is_some(), "what was final stays");
        }
        let replayed = vec![fleet.cast.register(4, 4, LATER_MS)];
        assert_eq!(fleet.settle(2, replayed).await, [Err(Refusal::Replayed)]);
    });
}

#[test]
fn wrong_genesis_refused() {
    runner(7).start(|context| async move {
        let mut fleet =
            Fleet::start(context.child("one"), Cast::new(4, "one", 0), good_link()).await;
        fleet.reach(1).await;
        let expected = Cast::new(4, "two", 0);
        let found = fleet.cast.genesis.chain_id();
        fleet.down(0).await;
        let links = fleet.network.links(&fleet.key(0)).await.unwrap();
        let config = expected.config(0, "validator-0".into());
        let refused = start(context.child("two"), config, links).await;
        match refused.err().expect("the directory is another chain's") {
            StartError::OtherChain {
                expected: e,
                found: f,
            } => {
                assert_eq!((e, f), (expected.genesis.chain_id(), found));
            }
            other => panic!("{other}"),
        }
    });
}

#[test]
fn share_and_identity_must_match() {
    runner(8).start(|context| async move {
        let fleet =
            Fleet::offline(context.child("net"), Cast::new(4, "test", 0), good_link()).await;
        let mut config = fleet.cast.config(0, "a".into());
        config.share = fleet.cast.config(1, "a".into()).share;
        let links = fleet.network.links(&fleet.key(0)).await.unwrap();
        let refused = Validator::start(context.child("a"), config, links)
            .await
            .err();
        assert!(matches!(refused, Some(StartError::WrongShare(_))));

        let mut config = fleet.cast.config(0, "b".into());
        config.identity = fleet.cast.ta.clone();
        let links = fleet.network.links(&fleet.key(0)).await.unwrap();
        let refused = Validator::start(context.child("b"), config, links)
            .await
            .err();
        assert!(matches!(refused, Some(StartError::NotAValidator(_))));
    });
}

#[test]
fn refusals_are_typed() {
    with_fleet(9, good_link(), async |fleet| {
        let cast = &fleet.cast;
        fleet.settle(0, vec![cast.deploy(LATER_MS)]).await;
        fleet.settle(0, registrations(cast, 2..3)).await;

        // Replayed: another transaction with a nonce that was used.
        let replayed = vec![cast.register(2, 77, LATER_MS)];
        assert_eq!(fleet.settle(1, replayed).await, [Err(Refusal::Replayed)]);
        // Unauthorised: LEA did not sign; then nobody of authority signed.
        let half = vec![cast.register_as(&[&cast.ta], 3, 78, LATER_MS)];
        assert_eq!(
            fleet.settle(1, half).await,
            [Err(Refusal::MissingLeaSignature)]
        );
        let stranger = commonware_cryptography::ed25519::PrivateKey::from_seed(99);
        let none = vec![cast.register_as(&[&stranger], 1, 79, LATER_MS)];
        assert_eq!(
            fleet.settle(1, none).await,
            [Err(Refusal::MissingTaSignature)]
        );
        // The same bytes again: passed over, the first receipt stands.
        let again = registrations(cast, 2..3);
        assert_eq!(fleet.settle(2, again).await, [Ok(())]);

        // Expired already: refused at the door.
        let now = fleet.chain(0).now_ms();
        let late = fleet.chain(0).submit(vec![cast.register(5, 80, now - 1)]);
        assert!(matches!(late, Err(SubmitError::Expired { .. })), "{late:?}");
        // Signed for another chain: refused at the door.
        let other = Cast::new(4, "other", 0);
        let foreign = vec![
            cast.register(5, 81, LATER_MS),
            other.register(6, 82, LATER_MS),
        ];
        let id = foreign[1].id();
        assert_eq!(
            fleet.chain(0).submit(foreign),
            Err(SubmitError::Signature(id))
        );
        assert_eq!(fleet.chain(0).status().waiting, 0, "all or nothing");
    });
}

#[test]
fn what_expires_in_the_pool_vanishes() {
    with_fleet(10, good_link(), async |mut fleet| {
        fleet.settle(0, vec![fleet.cast.deploy(LATER_MS)]).await;
        fleet.down(2).await;
        fleet.down(3).await;
        // Without a quorum the last leader has made its proposal, and no other one gets its turn.
        fleet.sleep(Duration::from_secs(10)).await;
        let soon = fleet.chain(0).now_ms() + 5_000;
        let late = fleet.cast.register(2, 2, soon);
        fleet.chain(0).submit(vec![late.clone()]).unwrap();
        fleet.sleep(Duration::from_secs(10)).await;
        assert_eq!(fleet.chain(0).status().waiting, 1);
        fleet.up(2).await;
        fleet.reach(fleet.height() + 6).await;
        let status = fleet.chain(0).status();
        assert_eq!((status.counters.expired, status.waiting), (1, 0));
        assert_eq!(fleet.chain(0).receipt(&late.id()), None);
    });
}

#[test]
fn light_client_believes_proofs_and_nothing_else() {
    with_fleet(11, good_link(), async |fleet| {
        fleet.settle(0, vec![fleet.cast.deploy(LATER_MS)]).await;
        fleet.settle(0, registrations(&fleet.cast, 2..8)).await;
        fleet.reach(fleet.height()).await;
        let genesis = &fleet.cast.genesis;
        let client = Client::new(&genesis.chain_id(), genesis.network_key());
        let mut rng = commonware_utils::test_rng();
        let there = fleet.cast.rsu_key(4);
        let not_there = fleet.cast.rsu_key(999);
        for index in 0..4 {
            let proof = fleet.chain(index).prove(&[there, not_there]).await.unwrap();
            let verified = client.verify(&proof, &mut rng).unwrap();
            assert!(verified.record(&there).unwrap().is_some());
            assert!(verified.record(&not_there).unwrap().is_none());

            let mut tampered = proof.clone();
            tampered.header.time_ms += 1;
            assert_eq!(
                client.verify(&tampered, &mut rng),
                Err(LightError::OtherBlock)
            );
            let mut tampered = proof.clone();
            tampered.finalization.proposal.payload = tampered.header.body;
            assert_eq!(
                client.verify(&tampered, &mut rng),
                Err(LightError::OtherBlock)
            );
            let mut tampered = proof.clone();
            let cairn_ledger::light::Entry::Present(key, ..) = &mut tampered.entries[0] else {
                panic!("the record is there");
            };
            *key = fleet.cast.rsu_key(5);
            assert!(matches!(
                client.verify(&tampered, &mut rng),
                Err(LightError::Entry(_))
            ));
        }
        let stranger = Client::new(
            &Cast::new(4, "other", 0).genesis.chain_id(),
            genesis.network_key(),
        );
        let proof = fleet.chain(0).prove(&[there]).await.unwrap();
        assert_eq!(
            stranger.verify(&proof, &mut rng),
            Err(LightError::Certificate)
        );
        let too_many = vec![there; cairn_ledger::light::MAX_ENTRIES + 1];
        assert!(fleet.chain(0).prove(&too_many).await.is_err());
    });
}

#[test]
fn mempool_pushes_back() {
    with_fleet(12, good_link(), async |mut fleet| {
        fleet.reach(1).await;
        // Without a quorum nothing leaves the pool.
        fleet.down(2).await;
        fleet.down(3).await;
        fleet.sleep(Duration::from_secs(1)).await;
        let cast = &fleet.cast;
        let one = |nonce| cast.register(nonce, 1, LATER_MS);
        let mut taken = 0;
        let busy = loop {
            let batch: Vec<_> = (0..4_096).map(|i| one(taken + i)).collect();
            match fleet.chain(0).submit(batch) {
                Ok(()) => taken += 4_096,
                Err(error) => break error,
            }
            fleet.sleep(Duration::from_secs(1)).await;
        };
        let waiting = limits::MAX_POOL_TRANSACTIONS;
        assert_eq!(busy, SubmitError::Busy { waiting });
        assert_eq!(fleet.chain(0).status().waiting, waiting);
    });
}

#[test]
fn restart_with_empty_store() {
    with_fleet(13, good_link(), async |mut fleet| {
        fleet.settle(0, vec![fleet.cast.deploy(LATER_MS)]).await;
        fleet.settle(0, registrations(&fleet.cast, 2..20)).await;
        fleet.down(1).await;
        fleet.sleep(Duration::from_secs(20)).await;
        // A new disk.
        fleet.up_on(1, "validator-1-new".into()).await;
        fleet.chain(1).ready().await.unwrap();
        let height = fleet.height();
        fleet.reach(height + 4).await;
        let record = fleet.chain(1).get(&[fleet.cast.rsu_key(19)]).await.unwrap();
        assert!(record[0].is_some());
        let blocks = fleet.chain(1).status().counters.blocks;
        assert!(blocks < height, "it took the state, not {blocks} blocks");
        // It is a full member again: with another one down, the network needs its vote.
        fleet.down(0).await;
        let height = fleet.height();
        fleet.reach(height + 4).await;
    });
}
