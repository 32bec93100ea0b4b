//! Every limit of the replicated ledger, with its reason.

use commonware_runtime::{BLOB_PAGE_SIZE, Quota, buffer::paged::page_size};
use commonware_utils::{NZU16, NZU32, NZU64, NZUsize};
use std::{
    num::{NonZeroU16, NonZeroU64, NonZeroUsize},
    time::Duration,
};

/// Time between two blocks while there is nothing to order. Block time is the clock of contracts,
/// so it has to advance even then; once per second costs 1.3 KiB of disk.
pub const IDLE_INTERVAL: Duration = Duration::from_secs(1);

/// The least time between two blocks while there is nothing to order, when block time runs faster
/// than real time.
pub const MIN_IDLE_WAIT: Duration = Duration::from_millis(250);

/// How long the others wait for a leader's block. Longer than [`IDLE_INTERVAL`], or an idle chain
/// would change leaders all the time.
pub const LEADER_TIMEOUT: Duration = Duration::from_millis(2_500);

/// How long a view may take until its block is certified.
pub const CERTIFICATION_TIMEOUT: Duration = Duration::from_secs(4);

/// Time between two broadcasts of the wish to leave a view that is stuck.
pub const TIMEOUT_RETRY: Duration = Duration::from_secs(1);

/// A leader that was silent for this long is skipped at once. Must exceed both timeouts above.
pub const SKIP_TIMEOUT: Duration = Duration::from_secs(5);

/// How far a block's time may be ahead of this validator's clock; it does not vote before. Clocks
/// set by NTP or GNSS agree to milliseconds; more would let a leader age tokens and keys.
pub const MAX_CLOCK_SKEW: Duration = Duration::from_millis(500);

/// How long a validator with an empty directory asks the others for a finalised block before it
/// starts from genesis.
pub const JOIN_PROBE: Duration = Duration::from_secs(2);

/// Time between two rounds of asking.
pub const PROBE_RETRY: Duration = Duration::from_millis(500);

/// How long an answer of a peer is awaited before another one is asked.
pub const FETCH_TIMEOUT: Duration = Duration::from_secs(2);

/// Pause before an unanswered question is asked again.
pub const FETCH_RETRY: Duration = Duration::from_millis(100);

/// The most transactions that wait for a block: 16 full blocks of single-record transactions.
pub const MAX_POOL_TRANSACTIONS: usize = 32_768;

/// The most bytes of transactions that wait for a block: 32 full blocks, about a second of work.
pub const MAX_POOL_BYTES: usize = 32 * 1024 * 1024;

/// The most bytes of transactions in one message between validators.
pub const MAX_GOSSIP_BYTES: usize = 512 * 1024;

/// The most transactions in one message between validators.
pub const MAX_GOSSIP_TRANSACTIONS: usize = 2_048;

/// Batches that wait to be sent to the other validators. More than this and `submit` says `Busy`.
pub const GOSSIP_QUEUE: usize = 256;

/// Receipts that are kept for look-up, the oldest forgotten first. About 10 MiB.
pub const MAX_RECEIPTS: usize = 131_072;

/// Finalised blocks that a slow subscriber may lag behind before it loses the oldest.
pub const SUBSCRIBER_BACKLOG: NonZeroUsize = NZUsize!(1_024);

/// Certificates that are kept for blocks whose execution is not finished yet.
pub const MAX_CERTIFICATES: usize = 64;

/// Headers of applied blocks that are kept for proofs.
pub const MAX_APPLIED_HEADERS: usize = 16;

/// How many finalised blocks a proof waits for one that has a certificate of its own.
pub const MAX_PROOF_ATTEMPTS: usize = 8;

/// Finalised blocks that are kept for validators that were down: at 30 blocks per second four and a
/// half minutes, when idle more than two hours. Who was down for longer needs an empty directory,
/// and then synchronises the state instead.
pub const RETAINED_BLOCKS: usize = 8_192;

/// Blocks whose state operations are kept for peers that synchronise the state.
pub const RETAINED_STATE_BLOCKS: usize = 256;

/// Finalised blocks between two prunings.
pub const PRUNE_INTERVAL: NonZeroUsize = NZUsize!(64);

/// Items in one file of the archives. Pruning drops whole files.
pub const ARCHIVE_SECTION: NonZeroU64 = NZU64!(256);

/// State operations in one file of the log (about 200 bytes each). Pruning drops whole files.
pub const STATE_SECTION: NonZeroU64 = NZU64!(65_536);

/// Views for which votes are kept behind the finalised tip.
pub const VIEW_RETENTION: u64 = 16;

/// State operations in one answer to a peer that synchronises: about 100 KiB.
pub const SYNC_BATCH: NonZeroU64 = NZU64!(512);

/// State operations that a synchronising node applies at once.
pub const SYNC_APPLY: NonZeroU64 = NZU64!(4_096);

/// Questions that a synchronising node has open at the same time.
pub const SYNC_REQUESTS: NonZeroUsize = NZUsize!(4);

/// Finalised blocks that marshal hands over before the first is acknowledged.
pub const PENDING_ACKS: NonZeroUsize = NZUsize!(4);

/// Missing blocks fetched at the same time.
pub const MAX_REPAIR: NonZeroUsize = NZUsize!(16);

/// Messages between the parts of one validator.
pub const MAILBOX: NonZeroUsize = NZUsize!(256);

/// Blocks kept for each peer before they are asked for.
pub const BROADCAST_DEQUE: usize = 8;

/// Bytes of a page of storage.
pub const PAGE_SIZE: NonZeroU16 = page_size(BLOB_PAGE_SIZE);

/// Pages of storage in a MiB.
pub const PAGES_PER_MIB: NonZeroUsize = NZUsize!(1_048_576 / PAGE_SIZE.get() as usize);

/// MiB of pages that a validator keeps in memory where many validators share a process or a machine, and states are
/// small: enough for the 10,000 live tokens of a city.
pub const SMALL_CACHE_MIB: NonZeroU16 = NZU16!(8);

/// Bytes of each write buffer.
pub const WRITE_BUFFER: NonZeroUsize = NZUsize!(256 * 1024);

/// Bytes of each buffer for reading a journal back at start.
pub const REPLAY_BUFFER: NonZeroUsize = NZUsize!(1024 * 1024);

/// Keys remembered while the state's index is rebuilt at start; above the number of keys that one
/// network of this size has, because a miss reads the disk.
pub const INIT_CACHE: NonZeroUsize = NZUsize!(262_144);

/// What one channel of the network may carry: messages per second and peer. The network keeps room
/// for one second's worth of every peer, so these are also a bound on memory.
pub(crate) const VOTE_QUOTA: Quota = Quota::per_second(NZU32!(1_024));
pub(crate) const CERTIFICATE_QUOTA: Quota = Quota::per_second(NZU32!(1_024));
pub(crate) const RESOLVER_QUOTA: Quota = Quota::per_second(NZU32!(128));
pub(crate) const BACKFILL_QUOTA: Quota = Quota::per_second(NZU32!(128));
pub(crate) const BROADCAST_QUOTA: Quota = Quota::per_second(NZU32!(256));
pub(crate) const SYNC_QUOTA: Quota = Quota::per_second(NZU32!(64));
pub(crate) const PROBE_QUOTA: Quota = Quota::per_second(NZU32!(8));
pub(crate) const GOSSIP_QUOTA: Quota = Quota::per_second(NZU32!(256));
