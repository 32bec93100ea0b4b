//! The network on tokio: real sockets on loopback, real files.

mod common;

use cairn_chain::{
    Chain, Validator,
    network::{self, TcpConfig},
    runtime_clock,
};
use common::{Cast, reach};
use commonware_cryptography::Signer as _;
use commonware_runtime::{Handle, Runner as _, Supervisor as _, tokio};
use commonware_utils::ordered::Map;
use futures::StreamExt as _;
use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

type Context = tokio::Context;

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_millis() as u64
}

/// Ports that were free a moment ago.
fn free_addresses(count: usize) -> Vec<SocketAddr> {
    let listeners: Vec<_> = (0..count)
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap())
        .collect();
    listeners
        .iter()
        .map(|listener| listener.local_addr().unwrap())
        .collect()
}

async fn start(context: &Context, cast: &Cast) -> Vec<(Validator<Context>, Handle<()>)> {
    let keys = cast.identities.iter().map(|identity| identity.public_key());
    let addresses = free_addresses(cast.identities.len());
    let peers: Vec<_> = keys.zip(addresses.iter().copied()).collect();
    let mut validators = Vec::new();
    for (index, listen) in addresses.into_iter().enumerate() {
        let context = context.child("validator").with_attribute("index", index);
        let tcp = TcpConfig {
            identity: cast.identities[index].clone(),
            chain: cast.genesis.chain_id(),
            listen,
            validators: Map::try_from(peers.clone()).unwrap(),
        };
        let config = cast.config(index, format!("validator-{index}"));
        let clock = runtime_clock(context.child("clock"));
        validators.push(network::start(context, config, tcp, clock).await.unwrap());
    }
    validators
}

fn run<T>(
    directory: &Path,
    test: impl AsyncFnOnce(Vec<Chain<Context>>, &Cast) -> T,
    time_ms: u64,
) -> T {
    let config = tokio::Config::new()
        .with_worker_threads(2)
        .with_storage_directory(directory);
    tokio::Runner::new(config).start(|context| async move {
        let cast = Cast::new(4, "tcp", time_ms);
        let validators = start(&context, &cast).await;
        let chains = validators
            .iter()
            .map(|(one, _)| one.chain().clone())
            .collect();
        let result = test(chains, &cast).await;
        for (validator, network) in validators {
            validator.stop().await;
            network.abort();
        }
        result
    })
}

#[test]
fn four_validators_over_loopback_finalise_and_restart_from_disk() {
    let directory = tempfile::tempdir().unwrap();
    let genesis_ms = now_ms();
    let expires_ms = genesis_ms + 600_000;
    let height = run(
        directory.path(),
        async |chains, cast| {
            let mut blocks = chains[1].finalized();
            let mut batch = vec![cast.deploy(expires_ms)];
            batch.extend((2..40).map(|nonce| cast.register(nonce, nonce as u32, expires_ms)));
            let last = batch[batch.len() - 1].id();
            chains[0].submit(batch).unwrap();
            while chains[1].receipt(&last).is_none() {
                blocks.next().await.expect("the validator runs");
            }
            assert_eq!(chains[1].status().counters.refused, 0);
            chains[1].status().height
        },
        genesis_ms,
    );
    run(
        directory.path(),
        async |chains, cast| {
            for chain in &chains {
                reach(chain, height + 1).await;
                let records = chain.get(&[cast.rsu_key(39)]).await.unwrap();
                assert!(records[0].is_some());
            }
        },
        genesis_ms,
    );
}
