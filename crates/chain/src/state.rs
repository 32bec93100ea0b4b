//! The state as it lies in storage: a QMDB database whose root the block headers carry.

use crate::limits::{INIT_CACHE, REPLAY_BUFFER, STATE_SECTION, WRITE_BUFFER};
use cairn_ledger::{Record, StateKey, light::BITMAP_CHUNK_BYTES};
use commonware_cryptography::{Sha256, sha256};
use commonware_glue::stateful::db::Shared;
use commonware_parallel::Sequential;
use commonware_runtime::buffer::paged::CacheRef;
use commonware_storage::{
    journal::contiguous::fixed::Config as LogConfig,
    mmr,
    mmr::full::Config as TreeConfig,
    qmdb::{
        any::ordered::fixed,
        current::{self, FixedConfig},
        sync::Target,
    },
    translator::EightCap,
};

/// The state database. Keys are hashes, so that eight bytes of them index it without collisions
/// that anybody could aim for.
pub(crate) type Database<E> = current::ordered::fixed::Db<
    mmr::Family,
    E,
    StateKey,
    Record,
    Sha256,
    EightCap,
    BITMAP_CHUNK_BYTES,
    Sequential,
>;

/// The state database, shared between execution and readers.
pub(crate) type State<E> = Shared<Database<E>>;

/// One entry of the state's log.
pub(crate) type Operation = fixed::Operation<mmr::Family, StateKey, Record>;

/// What a peer needs to synchronise to a block's state.
pub(crate) type StateTarget = Target<mmr::Family, sha256::Digest>;

/// Where and how the state of the validator named `prefix` is stored.
pub(crate) fn config(prefix: &str, page_cache: CacheRef) -> FixedConfig<EightCap, Sequential> {
    FixedConfig {
        merkle_config: TreeConfig {
            journal_partition: format!("{prefix}-tree-nodes"),
            metadata_partition: format!("{prefix}-tree-pins"),
            items_per_blob: STATE_SECTION,
            write_buffer: WRITE_BUFFER,
            replay_buffer: REPLAY_BUFFER,
            strategy: Sequential,
            page_cache: page_cache.clone(),
        },
        journal_config: LogConfig {
            partition: format!("{prefix}-state-log"),
            items_per_blob: STATE_SECTION,
            page_cache,
            write_buffer: WRITE_BUFFER,
            replay_buffer: REPLAY_BUFFER,
        },
        grafted_metadata_partition: format!("{prefix}-state-bitmap"),
        translator: EightCap,
        init_cache: Some(INIT_CACHE),
        init_buffer: REPLAY_BUFFER,
        init_concurrency: (),
    }
}
