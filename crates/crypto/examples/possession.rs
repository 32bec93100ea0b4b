//! What provable data possession costs on this machine, beside the floor that its primitives set.
//!
//! ```text
//! cargo run --release -p cairn-crypto --example possession
//! ```
//!
//! Figures are means of processor time on one core, which other work on the machine hardly
//! disturbs; those of two cores are the fastest of some runs by the wall clock, which it does. The
//! floor of a verification is c hashes to the curve, one multi-scalar multiplication of c weights
//! of 128 bits and one of s + 1 numbers of 255 bits, and a product of two pairings, measured
//! here, once with the hash of RFC 9380 and once with the uncleared points that we use.

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use blst::{MultiPoint as _, blst_p1_affine, min_sig::Signature};
use cairn_crypto::possession::*;
use commonware_codec::{EncodeSize as _, FixedSize as _};
use commonware_cryptography::bls12381::primitives::{
    group::{G1, G2, Scalar},
    variant::{MinSig, Variant as _},
};
use commonware_math::algebra::{CryptoGroup as _, HashToGroup as _, Random as _, Space};
use commonware_parallel::{Rayon, Sequential};
use rand::{SeedableRng as _, rngs::StdRng};
use rand_core::Rng as _;
use sha2::{Digest as _, Sha512};

/// Blocks of the file; enough that a challenge of 500 leaves most of them out.
const BLOCKS: usize = 5_000;

fn main() {
    let threads = Rayon::new(NonZeroUsize::new(2).expect("not zero")).expect("threads start");
    println!("file of {BLOCKS} blocks; processor time; times in ms unless stated");
    for s in [1, 32, 128] {
        let sectors = Sectors::new(s).expect("in range");
        let file = upload(sectors);
        for c in [460, 500] {
            let floor = Floor::measure(c);
            let challenge =
                Challenge::derive(&[7; 32], &file.record, 0, c).expect("blocks to audit");
            let proof = prove(&file, &challenge);
            let prove_time = cost(|| {
                black_box(prove(&file, &challenge));
            });
            let audit = Audit {
                key: file.secret.key(),
                record: &file.record,
                challenge: &challenge,
                proof: &proof,
            };
            let one = cost(|| audit.verify(&Sequential).expect("intact"));
            let two = fastest(11, || audit.verify(&threads).expect("intact"));
            let responses = response_sum(sectors.get());
            let rest = floor.weighted_sum + floor.pairings + responses;
            println!(
                "s = {s:3}, c = {c}: prove {}, verify {} (2 cores {}), floor {}, × {:.2}; \
                 floor with RFC 9380 {}; proof {} bytes, of which index {}",
                ms(prove_time),
                ms(one),
                ms(two),
                ms(floor.hashes + rest),
                one.as_secs_f64() / (floor.hashes + rest).as_secs_f64(),
                ms(floor.rfc_hashes + rest),
                proof.encode_size(),
                proof.encode_size() - 96 - 32 * sectors.get(),
            );
            println!(
                "    primitives: {c} hashes {}, by RFC 9380 {}; sum of {c} {}; sum of s + 1 {}; \
                 two pairings {}",
                ms(floor.hashes),
                ms(floor.rfc_hashes),
                ms(floor.weighted_sum),
                ms(responses),
                ms(floor.pairings)
            );
        }
    }
    println!(
        "detection: 460 of {BLOCKS} blocks find a loss of 1 % with {:.4}",
        detection_probability(BLOCKS as u64, BLOCKS as u64 / 100, 460)
    );
}

struct File {
    secret: GroupSecret,
    index: Index,
    record: FileRecord,
    contents: Vec<Vec<u8>>,
    tags: Vec<Tag>,
}

/// Tags a file of random bytes and verifies the tags, as group and vault do.
fn upload(sectors: Sectors) -> File {
    let mut rng = rng();
    let secret = GroupSecret::generate(sectors, &mut rng);
    let (id, mut index) = (FileId([1; 32]), Index::new());
    let contents: Vec<_> = (0..BLOCKS)
        .map(|_| {
            let mut content = vec![0; sectors.capacity()];
            rng.fill_bytes(&mut content);
            content
        })
        .collect();
    let mut tags = Vec::new();
    let start = processor_time();
    for content in &contents {
        let name = index.append(&mut rng).expect("not full");
        let block = Block::new(sectors, content).expect("fits");
        tags.push(secret.tag(&id, &name, &block).expect("sectors fit"));
    }
    let tag_time = (processor_time() - start) / BLOCKS as u32;
    let record = FileRecord::new(id, 1, &index, secret.key());

    const BATCH: usize = 256;
    let blocks: Vec<_> = contents[..BATCH]
        .iter()
        .map(|content| Block::new(sectors, content).expect("fits"))
        .collect();
    let batch: Vec<_> = index
        .names()
        .zip(&blocks)
        .zip(&tags)
        .map(|((name, block), tag)| Tagged {
            name,
            block,
            tag: *tag,
        })
        .collect();
    let verify_time = cost(|| {
        verify_tags(secret.key(), &id, &batch, &mut rng, &Sequential).expect("true tags");
    });
    println!(
        "s = {:3}: tag {:.0} µs, {:.2} MB/s; verified in batches of {BATCH}, {:.0} µs a tag; \
         tag {} bytes on {} bytes of content",
        sectors.get(),
        tag_time.as_secs_f64() * 1e6,
        sectors.capacity() as f64 / tag_time.as_secs_f64() / 1e6,
        verify_time.as_secs_f64() * 1e6 / BATCH as f64,
        Tag::SIZE,
        sectors.capacity(),
    );
    File {
        secret,
        index,
        record,
        contents,
        tags,
    }
}

fn prove(file: &File, challenge: &Challenge) -> Proof {
    let key = file.secret.key();
    let mut prover = Prover::new(key, challenge);
    for rank in challenge.ranks() {
        let name = file.index.at_rank(*rank).expect("challenged blocks exist");
        let place = usize::try_from(name.id).expect("a place in memory");
        let block = Block::new(key.sectors(), &file.contents[place]).expect("fits");
        prover.absorb(&block, &file.tags[place]).expect("in order");
    }
    let index = file.index.prove(challenge.ranks()).expect("own ranks");
    prover.finish(index, &mut rng()).expect("complete")
}

struct Floor {
    rfc_hashes: Duration,
    hashes: Duration,
    weighted_sum: Duration,
    pairings: Duration,
}

impl Floor {
    fn measure(c: u32) -> Self {
        let scalar = Scalar::random(rng());
        let (point, key) = (G1::generator() * &scalar, G2::generator() * &scalar);
        let points: Vec<_> = (0..c).map(uncleared).collect();
        let weights: Vec<_> = (0..c)
            .flat_map(|i| Sha512::digest(i.to_be_bytes())[..16].to_vec())
            .collect();
        Self {
            rfc_hashes: cost(|| {
                for i in 0..c {
                    black_box(G1::hash_to_group(b"example", &i.to_be_bytes()));
                }
            }),
            hashes: cost(|| {
                for i in 0..c {
                    black_box(uncleared(i));
                }
            }),
            weighted_sum: cost(|| {
                black_box(points.mult(&weights, 128));
            }),
            pairings: cost(|| {
                MinSig::verify(&key, &G1::generator(), &point).expect("equal");
            }),
        }
    }
}

/// One point of the curve from a hash, as the module finds them.
fn uncleared(i: u32) -> blst_p1_affine {
    (0_u32..)
        .find_map(|counter| {
            let digest = Sha512::new()
                .chain_update(i.to_be_bytes())
                .chain_update(counter.to_be_bytes())
                .finalize();
            let mut encoding: [u8; 48] = digest[..48].try_into().expect("48 of 64 bytes");
            encoding[0] = 0x80 | encoding[0] & 0x3f;
            Signature::uncompress(&encoding).ok()
        })
        .expect("two in five counters hit")
        .into()
}

/// The sum over μ' and R.
fn response_sum(sectors: usize) -> Duration {
    let scalars: Vec<_> = (0..=sectors).map(|_| Scalar::random(rng())).collect();
    let points: Vec<_> = scalars.iter().map(|k| G1::generator() * k).collect();
    cost(|| {
        black_box(<G1 as Space<Scalar>>::msm(&points, &scalars, &Sequential));
    })
}

/// The figures do not depend on the random numbers; these are the same in every run.
fn rng() -> StdRng {
    StdRng::seed_from_u64(1)
}

/// Mean processor time of a run.
fn cost(mut run: impl FnMut()) -> Duration {
    // The kernel counts in ticks of up to 10 ms: 3 % of this.
    const LONG: Duration = Duration::from_millis(300);
    let (start, mut runs) = (processor_time(), 0);
    loop {
        run();
        runs += 1;
        let spent = processor_time() - start;
        if spent >= LONG {
            return spent / runs;
        }
    }
}

/// Time that this thread has run: the first number of its scheduler statistics (Linux).
fn processor_time() -> Duration {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat")
        .expect("this example measures on Linux");
    let nanoseconds = statistics.split(' ').next().expect("split yields an item");
    Duration::from_nanos(nanoseconds.parse().expect("a number"))
}

fn fastest(runs: usize, mut run: impl FnMut()) -> Duration {
    let timed = |_| {
        let start = Instant::now();
        run();
        start.elapsed()
    };
    (0..runs).map(timed).min().expect("at least one run")
}

fn ms(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1e3)
}
