//! Records on the ledger: what a vehicle is shown of one, while ever more of them are there.

use std::error::Error;

use cairn_chain::limits::SMALL_CACHE_MIB;
use cairn_ledger::light::Client;
use commonware_codec::EncodeSize as _;
use commonware_runtime::Clock as _;
use rand::{SeedableRng as _, rngs::StdRng};
use std::time::{Duration, Instant};

use super::{Growth, decades};
use crate::{
    Scope,
    measure::{Sample, alternate, repeated},
    network::{Network, with_runtime},
};

/// Tokens in a transaction, so that decades come out even.
const RECORDS: u64 = 250;

/// Transactions that wait at most.
const BACKLOG: usize = 32;

/// Proofs asked for at each size.
const PROOFS: u64 = 5;

/// Time to make a proof of one record, and to verify it; its bytes in the last place. One validator,
/// since all of them have the same state.
pub fn keys(scope: Scope) -> Result<Vec<Growth>, Box<dyn Error>> {
    let to = if scope.quick { 10_000 } else { 1_000_000 };
    with_runtime(async |context| {
        let network = Network::start(&context, "keys", 1, SMALL_CACHE_MIB).await?;
        let (chain, cast) = (network.chain(), &network.cast);
        let client = Client::new(&cast.genesis.chain_id(), cast.genesis.network_key());
        let mut rng = StdRng::seed_from_u64(1);
        let (mut making, mut verifying, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
        let mut nonce = 0;
        for size in decades(1_000, to) {
            while nonce * RECORDS < size as u64 {
                if chain.status().waiting >= BACKLOG {
                    context.sleep(Duration::from_millis(1)).await;
                    continue;
                }
                nonce += 1;
                chain.submit(vec![cast.batch(nonce, RECORDS)])?;
            }
            while chain.status().waiting > 0 {
                context.sleep(Duration::from_millis(10)).await;
            }
            let (mut times, mut proof) = (Vec::new(), None);
            for number in 0..PROOFS {
                let key = cast.token_key(RECORDS + number * size as u64 / PROOFS);
                let start = Instant::now();
                let made = chain.prove(&[key]).await?;
                times.push(start.elapsed().as_secs_f64() * 1e6);
                let shown = client.verify(&made, &mut rng)?;
                assert!(shown.record(&key).flatten().is_some(), "was recorded");
                proof = Some(made);
            }
            let proof = proof.ok_or("no proof was asked for")?;
            let [[verify]] = alternate(
                scope.rounds(),
                [repeated(|| {
                    client.verify(&proof, &mut rng).expect("an honest proof")
                })],
            );
            making.push((size as f64, Sample::of(times).median));
            verifying.push((size as f64, verify.median * 1e6));
            bytes.push((size as f64, proof.encode_size() as f64));
        }
        network.stop().await;
        let growth = |name: &str, unit, points, limit| Growth {
            name: name.into(),
            unit,
            points,
            limit,
        };
        Ok(vec![
            growth("ledger: make a proof of a record", "µs", making, None),
            growth(
                "ledger: verify a proof of a record",
                "µs",
                verifying,
                Some(0.05),
            ),
            growth(
                "ledger: proof of a record with certificate",
                "bytes",
                bytes,
                None,
            ),
        ])
    })
}
