//! Another chain, of which only the last block is real: its header, certificate and state proofs.

use cairn_ledger::{
    Block, Genesis, PrivateKey, Record, StateKey,
    light::{BITMAP_CHUNK_BYTES, Entry, Finalization, LedgerProof, Scheme},
};
use commonware_consensus::{
    simplex::types::{Finalize, Proposal},
    types::{Epoch, Round, View},
};
use commonware_cryptography::{
    Sha256, Signer as _,
    bls12381::{
        dkg::feldman_desmedt::deal,
        primitives::{group::Share, sharing::Mode, variant::MinSig},
    },
};
use commonware_parallel::Sequential;
use commonware_runtime::{Runner as _, Supervisor as _, buffer::paged::CacheRef, deterministic};
use commonware_storage::{
    journal::contiguous::fixed::Config as LogConfig,
    mmr::{self, full::Config as TreeConfig},
    qmdb::{
        current::{FixedConfig, ordered::fixed::Db},
        floor::Proportional,
    },
    translator::EightCap,
};
use commonware_utils::{
    N3f1, NZU16, NZU64, NZUsize, non_empty, non_empty_range,
    ordered::{Map, Set},
};
use rand::{SeedableRng as _, rngs::StdRng};

use super::common::NOW;

type State = Db<
    mmr::Family,
    deterministic::Context,
    StateKey,
    Record,
    Sha256,
    EightCap,
    BITMAP_CHUNK_BYTES,
    Sequential,
>;

/// Four validators with their shares.
pub struct Foreign {
    pub genesis: Genesis,
    shares: Map<cairn_ledger::PublicKey, Share>,
}

impl Foreign {
    pub fn new(seed: u64) -> Self {
        let key = |n| PrivateKey::from_seed(100 * seed + n).public_key();
        let validators = Set::from_iter_dedup((0..4).map(key));
        let mut rng = StdRng::seed_from_u64(seed);
        let (output, shares) =
            deal::<MinSig, _, N3f1>(&mut rng, Mode::NonZeroCounter, validators.clone()).unwrap();
        let genesis = Genesis {
            name: "organisation".into(),
            validators,
            sharing: output.public().clone(),
            ta: key(10),
            lea: key(11),
            time_ms: NOW,
        };
        Self { genesis, shares }
    }

    /// A proof of these records.
    pub fn prove(&self, records: &[(StateKey, Record)]) -> LedgerProof {
        let genesis = &self.genesis;
        deterministic::Runner::seeded(1).start(|context| async move {
            let page_cache = CacheRef::new(NZU16!(4_096), NZUsize!(64));
            let config = config(page_cache);
            let state = State::init(context.child("state"), config, None)
                .await
                .unwrap();
            let mut batch = state.new_batch();
            for (key, record) in records {
                batch = batch.write(*key, Some(record.clone()));
            }
            let batch = batch
                .merkleize(&state, None, &mut Proportional)
                .await
                .unwrap();
            let ops_root = batch.ops_root();
            let state = state.apply_batch(batch).await.unwrap();
            let operations = non_empty_range!(mmr::Location::new(0), mmr::Location::new(1));
            let block = Block::genesis(genesis, state.root(), ops_root, operations);
            let mut entries = Vec::new();
            for (key, record) in records {
                let proof = state.key_value_proof(*key).await.unwrap();
                entries.push(Entry::Present(*key, record.clone(), proof));
            }
            LedgerProof {
                header: block.header().clone(),
                finalization: self.certify(&block),
                entries,
            }
        })
    }

    fn certify(&self, block: &Block) -> Finalization {
        let round = Round::new(Epoch::zero(), View::new(1));
        let proposal = Proposal::new(round, View::zero(), block.header().digest());
        let scheme = |share: &Share| {
            let (validators, sharing) = (&self.genesis.validators, &self.genesis.sharing);
            let namespace = self.genesis.consensus_namespace();
            Scheme::signer(
                &namespace,
                validators.clone(),
                sharing.clone(),
                share.clone(),
            )
            .unwrap()
        };
        let schemes: Vec<Scheme> = self.shares.values().iter().map(scheme).collect();
        let votes: Vec<_> = schemes
            .iter()
            .map(|scheme| Finalize::sign(scheme, proposal.clone()).unwrap())
            .collect();
        Finalization::from_owned_finalizes(&schemes[0], non_empty![@votes], &Sequential).unwrap()
    }
}

fn config(page_cache: CacheRef) -> FixedConfig<EightCap, Sequential> {
    FixedConfig {
        merkle_config: TreeConfig {
            journal_partition: "tree-nodes".into(),
            metadata_partition: "tree-pins".into(),
            items_per_blob: NZU64!(1_024),
            write_buffer: NZUsize!(4_096),
            replay_buffer: NZUsize!(4_096),
            strategy: Sequential,
            page_cache: page_cache.clone(),
        },
        journal_config: LogConfig {
            partition: "state-log".into(),
            items_per_blob: NZU64!(1_024),
            page_cache,
            write_buffer: NZUsize!(4_096),
            replay_buffer: NZUsize!(4_096),
        },
        grafted_metadata_partition: "state-bitmap".into(),
        translator: EightCap,
        init_cache: None,
        init_buffer: NZUsize!(4_096),
        init_concurrency: (),
    }
}
