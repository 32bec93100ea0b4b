//! How cost grows with the number of vehicles, revocations, group members and stored records.

mod ledger;
mod vault;

use std::error::Error;

use cairn_baselines::p001_pdp;
use cairn_crypto::{
    linkage::{Authority, LinkageValue, Period, Revocation, Revoked, Seed},
    possession::{
        Audit, Block, Challenge, FileId, FileRecord, GroupSecret, Index, Prover, Sectors,
    },
};
use commonware_parallel::Sequential;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use crate::{
    Scope,
    figure::{Chart, Figure, Kind, Line, Table, Whole},
    measure::{Sample, alternate, exponent, repeated, timed},
    town::Town,
};

/// Table 8.
pub fn growth(scope: Scope) -> Result<Table, Box<dyn Error>> {
    let mut lines = vec![vehicles(scope), revoked(scope)];
    lines.extend(members(scope));
    lines.extend(vault::records(scope));
    lines.extend(ledger::keys(scope)?);
    let figures = lines.iter().flat_map(Growth::figures).collect();
    let timed = lines.into_iter().filter(|growth| growth.unit == "µs");
    let drawn = timed.map(|growth| Line {
        name: growth.name,
        points: growth.points,
    });
    Ok(Table {
        title: "How cost grows",
        text: "Each cost at growing sizes, and the exponent of the power law fitted to them: 0 means that it does not depend on the size, \
               1 that it is proportional to it. A tree's cost grows with the logarithm, which shows as a small exponent."
            .into(),
        figures,
        charts: vec![Chart {
            file: "growth",
            title: "Cost of one operation over size".into(),
            kind: Kind::Lines("number of vehicles, members, keys or records", "µs", drawn.collect()),
        }],
    })
}

/// A cost at growing sizes.
pub struct Growth {
    /// Of what, over what.
    pub name: String,
    /// Unit of the cost.
    pub unit: &'static str,
    /// Size, and cost.
    pub points: Vec<(f64, f64)>,
    /// What the exponent is to be at most.
    pub limit: Option<f64>,
}

impl Growth {
    fn figures(&self) -> Vec<Figure> {
        let (Some(first), Some(last)) = (self.points.first(), self.points.last()) else {
            return Vec::new();
        };
        let slope = Sample::exact(exponent(&self.points));
        let slope = Figure::new(format!("{}: exponent", self.name), "", slope);
        let slope = match self.limit {
            Some(limit) => slope.at_most(limit),
            None => slope,
        };
        let cost = Figure::new(
            format!("{}: at {}", self.name, Whole(last.0)),
            "µs",
            Sample::exact(last.1),
        );
        vec![
            cost.beside(format!("at {}", Whole(first.0)), first.1),
            slope,
        ]
    }
}

/// Sizes from `from` to `to` by factors of ten.
pub fn decades(from: usize, to: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(from), |size| size.checked_mul(10))
        .take_while(move |size| *size <= to)
}

/// A login at the RSU while ever more vehicles are registered.
fn vehicles(scope: Scope) -> Growth {
    let mut town = Town::new(1, 1);
    let mut guests: Vec<_> = (0..32).map(|_| town.vehicle().0).collect();
    let mut registered = guests.len();
    let to = if scope.quick { 100_000 } else { 1_000_000 };
    let points = decades(100, to).map(|size| {
        town.register_crowd(size - registered);
        registered = size;
        let rounds = (0..scope.rounds()).map(|_| {
            town.meet_all(&mut guests, 0);
            let hellos: Vec<_> = guests
                .iter_mut()
                .map(|guest| town.hello(guest, 0))
                .collect();
            timed(&hellos, |hello| {
                town.answer(0, hello).expect("an honest login")
            })
            .1
        });
        (size as f64, Sample::of(rounds.collect()).median * 1e6)
    });
    Growth {
        name: "RSU: login, over registered vehicles".into(),
        unit: "µs",
        points: points.collect(),
        limit: Some(0.05),
    }
}

/// The check of a linkage value against ever more revoked vehicles.
fn revoked(scope: Scope) -> Growth {
    const PERIOD: Period = Period(2_900);
    let mut rng = StdRng::seed_from_u64(1);
    let mut set = Revoked::new(20, PERIOD);
    let mut count = 0;
    let to = if scope.quick { 10_000 } else { 100_000 };
    let points = decades(1, to).map(|size| {
        while count < size {
            let mut seed = |authority| Seed::random(authority, PERIOD, &mut rng).to_bytes();
            let revocation = Revocation {
                period: PERIOD,
                registrar: seed(Authority::Registrar),
                reviewer: seed(Authority::Reviewer),
            };
            set.add(revocation).expect("the current period");
            count += 1;
        }
        let values: Vec<_> = (0..1_024).map(|_| LinkageValue(rng.random())).collect();
        let mut values = values.iter().cycle();
        let [[check]] = alternate(
            scope.rounds(),
            [repeated(|| {
                set.check(PERIOD, values.next().expect("a cycle"))
            })],
        );
        (size as f64, check.median * 1e6)
    });
    Growth {
        name: "RSU: check of one vehicle against the revoked".into(),
        unit: "µs",
        points: points.collect(),
        limit: None,
    }
}

/// Verification of an audit while ever more members have uploaded.
fn members(scope: Scope) -> Vec<Growth> {
    let to = if scope.quick { 100 } else { 1_000 };
    let sizes: Vec<_> = decades(1, to).collect();
    let rounds = if scope.quick { 3 } else { 7 };
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for size in sizes {
        let audit = CairnFile::new(size);
        let published = PublishedFile::new(size);
        let [[cairn], [paper]] = alternate(
            rounds,
            [repeated(|| audit.verify()), repeated(|| published.verify())],
        );
        ours.push((size as f64, cairn.median * 1e6));
        theirs.push((size as f64, paper.median * 1e6));
    }
    let growth = |name: &str, points, limit| Growth {
        name: name.into(),
        unit: "µs",
        points,
        limit,
    };
    vec![
        growth(
            "audit of 100 blocks, over uploading members",
            ours,
            Some(0.05),
        ),
        growth("paper 001: the same audit", theirs, None),
    ]
}

const BLOCKS: usize = 1_000;
const CHALLENGED: u32 = 100;

/// A file of a group whose members each tag their share of the blocks, with a challenge answered.
struct CairnFile {
    secret: GroupSecret,
    record: FileRecord,
    challenge: Challenge,
    proof: cairn_crypto::possession::Proof,
}

impl CairnFile {
    fn new(members: usize) -> Self {
        let mut rng = StdRng::seed_from_u64(2);
        let sectors = Sectors::new(1).expect("in range");
        let secret = GroupSecret::generate(sectors, &mut rng);
        // Every member unseals the epoch's tagging secret.
        let member = || GroupSecret::from_bytes(&secret.to_bytes()).expect("its own encoding");
        let group: Vec<_> = (0..members).map(|_| member()).collect();
        let (file, mut index) = (FileId([1; 32]), Index::new());
        let stored: Vec<_> = group
            .iter()
            .cycle()
            .take(BLOCKS)
            .map(|member| {
                let content: [u8; 16] = rng.random();
                let name = index.append(&mut rng).expect("a short file");
                let block = Block::new(sectors, &content).expect("fits");
                let tag = member.tag(&file, &name, &block).expect("sectors fit");
                (block, tag)
            })
            .collect();
        let record = FileRecord::new(file, 1, &index, secret.key());
        let challenge = Challenge::derive(&[7; 32], &record, 0, CHALLENGED).expect("blocks");
        let mut prover = Prover::new(secret.key(), &challenge);
        for rank in challenge.ranks() {
            let (block, tag) = &stored[*rank as usize];
            prover.absorb(block, tag).expect("in order");
        }
        let shown = index.prove(challenge.ranks()).expect("own ranks");
        let proof = prover.finish(shown, &mut rng).expect("complete");
        Self {
            record,
            challenge,
            proof,
            secret,
        }
    }

    fn verify(&self) {
        let audit = Audit {
            key: self.secret.key(),
            record: &self.record,
            challenge: &self.challenge,
            proof: &self.proof,
        };
        audit.verify(&Sequential).expect("intact");
    }
}

/// The same in paper 001's scheme.
struct PublishedFile {
    mpk: commonware_cryptography::bls12381::primitives::group::G2,
    file: p001_pdp::File,
    challenge: p001_pdp::Challenge,
    proof: p001_pdp::Proof,
}

impl PublishedFile {
    fn new(members: usize) -> Self {
        let mut rng = StdRng::seed_from_u64(3);
        let kgc = p001_pdp::Kgc::random(&mut rng);
        let mpk = kgc.public();
        let file = p001_pdp::File {
            fid: 1,
            blocks: BLOCKS as u64,
        };
        let group: Vec<_> = (0..members)
            .map(|number| {
                let id = format!("member {number}");
                let partial = kgc.partial_key(&id);
                p001_pdp::Member::enrol(&id, partial, &mpk, &mut rng).expect("its own key")
            })
            .collect();
        let base = file.base();
        let stored: Vec<_> = (0..BLOCKS)
            .map(|index| {
                let uploader = index % members;
                let block = rng.random();
                let tag = group[uploader].tag(&file, &base, index as u64, &block);
                p001_pdp::Stored {
                    block,
                    tag,
                    uploader,
                }
            })
            .collect();
        let uploaders: Vec<_> = group.iter().map(p001_pdp::Member::uploader).collect();
        let challenge = p001_pdp::Challenge::random(&file, CHALLENGED as usize, &mut rng);
        let proof = p001_pdp::prove(&uploaders, &stored, &challenge, &mut rng);
        Self {
            mpk,
            file,
            challenge,
            proof: proof.expect("all blocks are stored"),
        }
    }

    fn verify(&self) {
        let verdict = p001_pdp::verify(&self.mpk, &self.file, &self.challenge, &self.proof);
        verdict.expect("intact");
    }
}
