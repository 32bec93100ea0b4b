//! E2 and E3: commitments to records (paper 002). D1: altered nodes (paper 004).

use cairn_chain::InsecureDealing;
use cairn_ledger::{
    Block, Genesis, PrivateKey,
    light::{Client, Finalization, LedgerProof, Scheme},
};
use cairn_vault::{Blind, DeviceId, Grade, Key, Record};
use commonware_consensus::{
    simplex::types::{Finalize, Proposal},
    types::{Epoch, Round, View},
};
use commonware_cryptography::{Signer as _, sha256};
use commonware_math::algebra::Random as _;
use commonware_parallel::Sequential;
use commonware_storage::mmr::Location;
use commonware_utils::{non_empty, non_empty_range, ordered::Set};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use super::Attempt;

fn record(device: [u8; 32], time_ms: u64, content: &str, blind: &mut StdRng) -> Record {
    let device = DeviceId(device);
    let key = Key { device, time_ms };
    let blind = Blind::random(blind);
    Record::new(key, Grade(1), content.into(), blind).expect("a short record")
}

/// A reader of the ledger tries all thousand temperatures with one decimal against a commitment.
pub fn e2_content_guessed(mut rng: StdRng) -> Attempt {
    const TIME_MS: u64 = 1_700_000_000_000;
    let tenths = rng.random_range(0..1_000);
    let text = |tenths: u32| format!("temperature={}.{}", tenths / 10, tenths % 10);
    let secret: u64 = rng.random();
    let with = |tenths, seed| {
        let mut blind = StdRng::seed_from_u64(seed);
        record([1; 32], TIME_MS, &text(tenths), &mut blind).commitment()
    };
    let on_chain = with(tenths, secret);
    let found = |seed| (0..1_000).find(|guess| with(*guess, seed) == on_chain);
    Attempt {
        failed: found(secret ^ 1).is_none(),
        control: found(secret) == Some(tenths),
        why: "1,000 guesses, and none fits: the commitment covers 32 random bytes".into(),
    }
}

/// A byte moves from one field to the next, under one and the same r.
pub fn e3_two_records_one_commitment(mut rng: StdRng) -> Attempt {
    let seed = rng.random();
    let with = |device: [u8; 32], time_ms, content: &str| {
        let mut blind = StdRng::seed_from_u64(seed);
        record(device, time_ms, content, &mut blind).commitment()
    };
    let mut device = [0; 32];
    device[..2].copy_from_slice(b"D1");
    let mut moved = device;
    moved[2] = b'2';
    let stored = with(device, 23, "valve=open");
    let tries = [
        with(moved, 3, "valve=open"),
        with(device, 2, "3valve=open"),
        with(device, 23, "valve=open\0"),
    ];
    Attempt {
        failed: !tries.contains(&stored),
        control: with(device, 23, "valve=open") == stored,
        why: "fields have fixed places or a length, and all are in the commitment".into(),
    }
}

/// Nine of ten nodes have altered a block that was final, and show it with its old certificate.
/// The published contract, asked whether that is an attack, says no; a reader here asks one node.
pub fn d1_altered_nodes(mut rng: StdRng) -> Attempt {
    let identities: Vec<_> = (0..10).map(|_| PrivateKey::random(&mut rng)).collect();
    let validators = Set::from_iter_dedup(identities.iter().map(|key| key.public_key()));
    let dealing = InsecureDealing::deal(&validators, &mut rng);
    let genesis = Genesis {
        name: "gallery".into(),
        validators: validators.clone(),
        sharing: dealing.sharing,
        ta: identities[0].public_key(),
        lea: identities[1].public_key(),
        time_ms: 1_700_000_000_000,
    };
    let root = |rng: &mut StdRng| sha256::Digest(rng.random());
    let operations = non_empty_range!(Location::new(0), Location::new(1));
    let block = Block::genesis(&genesis, root(&mut rng), root(&mut rng), operations);
    let header = block.header().clone();

    let round = Round::new(Epoch::zero(), View::new(1));
    let proposal = Proposal::new(round, View::zero(), header.digest());
    let namespace = genesis.consensus_namespace();
    let sharing = &genesis.sharing;
    let schemes: Vec<Scheme> = dealing
        .shares
        .values()
        .iter()
        .map(|share| {
            let (validators, sharing) = (validators.clone(), sharing.clone());
            Scheme::signer(&namespace, validators, sharing, share.clone()).expect("its own share")
        })
        .collect();
    let votes = schemes
        .iter()
        .map(|scheme| Finalize::sign(scheme, proposal.clone()).expect("a validator's vote"));
    let votes: Vec<_> = votes.collect();
    let finalization =
        Finalization::from_owned_finalizes(&schemes[0], non_empty![@votes], &Sequential);
    let finalization = finalization.expect("ten votes of ten");

    let reader = Client::new(&genesis.chain_id(), genesis.network_key());
    let mut shown = LedgerProof {
        header,
        finalization,
        entries: Vec::new(),
    };
    let control = reader.verify(&shown, &mut rng).is_ok();
    shown.header.state_root = root(&mut rng);
    let altered = reader
        .verify(&shown, &mut rng)
        .map_err(|error| error.to_string());
    Attempt::refused(altered, control)
}
