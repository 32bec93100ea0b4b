//! The vault in a directory: fjall, a log-structured store.
//!
//! * A write is one fjall batch, synced to disk (`fdatasync`) before the call returns. Its log
//!   entry has a checksum; one that a crash cut short is dropped as a whole on opening.
//! * Other damage to the log makes opening fail ([`Error::DamagedLog`]), with one exception: where
//!   a row's framing is no longer readable, fjall takes that for the end of the log and drops
//!   what follows. Compare with the roots on the chain ([`check_batch`](crate::check_batch)) after
//!   a disk fault. A power cut that leaves the last, unacknowledged write with a hole, later
//!   pages written and earlier ones not, also shows as damage: keep a copy.
//! * One lock orders writers, so that "is it there already?" and the write are one step.
//! * A failed write (full disk) shuts the store for writing until it is opened again, because
//!   nobody knows what reached the disk; reads go on.
//! * fjall locks the directory: a second process gets [`Error::InUse`].
//!
//! | keyspace | key | value |
//! |---|---|---|
//! | `meta` | `layout` | u32 |
//! | `records` | device, time | grade (1), r (32), commitment (32), batch (32), content |
//! | `batches` | root | manifest |
//! | `pending` | root | nothing |
//! | `evidence` | digest | bytes |
//! | `blocks` | file, id, edition | tag (48), digest (32), bytes |
//! | `versions` | file, number | digest (32), record |
//! | `index` | file, id, number | edition; nothing when deleted |
//!
//! Numbers are u64, big endian, so that keys sort as numbers do.

mod files;
mod records;

use std::{
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use fjall::{
    Database, Keyspace, KeyspaceCreateOptions, KvSeparationOptions, OwnedWriteBatch, PersistMode,
};

use crate::{
    Batch, Block, BlockName, Blocks, DeviceId, Error, EvidenceId, FileId, FileVersion, IndexPage,
    Item, Key, Manifest, Page, Root, Stored, Vault, Written,
};

/// Version of the table above. One that differs is refused, not guessed at.
const LAYOUT: u32 = 1;

/// A vault in a directory. Cheap to clone; all clones share the open directory.
#[derive(Clone)]
pub struct Embedded(Arc<Store>);

struct Store {
    db: Database,
    records: Keyspace,
    batches: Keyspace,
    pending: Keyspace,
    evidence: Keyspace,
    blocks: Keyspace,
    versions: Keyspace,
    index: Keyspace,
    writer: Mutex<()>,
}

impl Embedded {
    /// Opens the vault in `directory`, which is created, for its owner only, when absent.
    ///
    /// # Errors
    ///
    /// [`Error::InUse`] when another process (or another `open` of this one) has it open,
    /// [`Error::Layout`] when it is of another version, [`Error::DamagedLog`], [`Error::Storage`].
    pub fn open(directory: &Path) -> Result<Self, Error> {
        create_private(directory).map_err(|error| Error::Storage(Box::new(error)))?;
        let db = Database::builder(directory)
            .open()
            .map_err(|error| match error {
                fjall::Error::Locked => Error::InUse(directory.to_owned()),
                fjall::Error::JournalRecovery(_) => Error::DamagedLog(directory.to_owned()),
                other => other.into(),
            })?;
        let small = |name| db.keyspace(name, KeyspaceCreateOptions::default);
        // Large values lie apart from their keys, so that merging key tables does not copy them.
        let large = |name| {
            db.keyspace(name, || {
                KeyspaceCreateOptions::default()
                    .with_kv_separation(Some(KvSeparationOptions::default()))
            })
        };
        let store = Store {
            records: small("records")?,
            batches: large("batches")?,
            pending: small("pending")?,
            evidence: large("evidence")?,
            blocks: large("blocks")?,
            versions: small("versions")?,
            index: small("index")?,
            writer: Mutex::new(()),
            db: db.clone(),
        };
        let meta = small("meta")?;
        match meta.get("layout")? {
            Some(found) if *found == LAYOUT.to_be_bytes() => {}
            Some(found) => {
                return Err(Error::Layout {
                    path: directory.to_owned(),
                    expected: LAYOUT,
                    found: format!("{:?}", &*found),
                });
            }
            None => {
                let mut write = store.batch();
                write.insert(&meta, "layout", LAYOUT.to_be_bytes());
                write.commit()?;
            }
        }
        Ok(Self(Arc::new(store)))
    }

    /// Runs blocking work: in tokio off the executor's threads, elsewhere (the deterministic
    /// runtime, which takes no answers from other threads) in place.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let store = Arc::clone(&self.0);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return work(&store);
        };
        match runtime.spawn_blocking(move || work(&store)).await {
            Ok(result) => result,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(shutdown) => Err(Error::Storage(Box::new(shutdown))),
        }
    }
}

impl Store {
    /// A batch that is on disk when its commit returns.
    fn batch(&self) -> OwnedWriteBatch {
        self.db.batch().durability(Some(PersistMode::SyncData))
    }

    /// Admits one writer at a time. The lock guards no data, so a writer that panicked leaves
    /// nothing half done behind it.
    fn write_lock(&self) -> MutexGuard<'_, ()> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put_evidence(&self, id: &EvidenceId, bytes: &[u8]) -> Result<(), Error> {
        let _writer = self.write_lock();
        if !self.evidence.contains_key(id.0)? {
            let mut write = self.batch();
            write.insert(&self.evidence, id.0, bytes);
            write.commit()?;
        }
        Ok(())
    }

    fn evidence(&self, id: &EvidenceId) -> Result<Option<Vec<u8>>, Error> {
        read(&self.evidence, id.0, Item::Evidence(*id))?
            .map(|bytes| id.check(bytes.to_vec()))
            .transpose()
    }
}

/// Reads a value; blocks that fail the disk checksum name what was asked for.
fn read(
    keyspace: &Keyspace,
    key: impl AsRef<[u8]>,
    item: Item,
) -> Result<Option<fjall::UserValue>, Error> {
    keyspace.get(key).map_err(|error| damaged(error, item))
}

fn damaged(error: fjall::Error, item: Item) -> Error {
    match error {
        fjall::Error::Storage(fjall::LsmError::ChecksumMismatch { .. }) => Error::Corrupt(item),
        other => other.into(),
    }
}

impl From<fjall::Error> for Error {
    fn from(error: fjall::Error) -> Self {
        Self::Storage(Box::new(error))
    }
}

fn create_private(directory: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// `name ‖ number …`, numbers big endian.
fn path<const N: usize>(name: &[u8; 32], numbers: [u64; N]) -> Vec<u8> {
    let mut key = name.to_vec();
    for number in numbers {
        key.extend_from_slice(&number.to_be_bytes());
    }
    key
}

#[async_trait]
impl Vault for Embedded {
    async fn put_batch(&self, batch: &Batch) -> Result<Written, Error> {
        let batch = batch.clone();
        self.run(move |store| store.put_batch(&batch)).await
    }

    async fn get(&self, key: &Key) -> Result<Option<Stored>, Error> {
        let key = *key;
        self.run(move |store| store.get(&key)).await
    }

    async fn range(&self, device: &DeviceId, times: std::ops::Range<u64>) -> Result<Page, Error> {
        let device = *device;
        self.run(move |store| store.range(&device, times)).await
    }

    async fn manifest(&self, batch: &Root) -> Result<Option<Manifest>, Error> {
        let root = *batch;
        self.run(move |store| store.manifest(&root)).await
    }

    async fn pending(&self) -> Result<Vec<Root>, Error> {
        self.run(Store::pending).await
    }

    async fn settle(&self, batch: &Root) -> Result<(), Error> {
        let root = *batch;
        self.run(move |store| store.settle(&root)).await
    }

    async fn put_evidence(&self, bytes: &[u8]) -> Result<EvidenceId, Error> {
        let id = EvidenceId::of(bytes)?;
        let bytes = bytes.to_vec();
        self.run(move |store| store.put_evidence(&id, &bytes))
            .await?;
        Ok(id)
    }

    async fn evidence(&self, id: &EvidenceId) -> Result<Option<Vec<u8>>, Error> {
        let id = *id;
        self.run(move |store| store.evidence(&id)).await
    }

    async fn put_blocks(&self, file: &FileId, blocks: &Blocks) -> Result<Written, Error> {
        let (file, blocks) = (*file, blocks.clone());
        self.run(move |store| store.put_blocks(&file, &blocks))
            .await
    }

    async fn block(&self, file: &FileId, name: &BlockName) -> Result<Option<Block>, Error> {
        let (file, name) = (*file, *name);
        self.run(move |store| store.block(&file, &name)).await
    }

    async fn missing_blocks(
        &self,
        file: &FileId,
        names: &[BlockName],
    ) -> Result<Vec<BlockName>, Error> {
        let (file, names) = (*file, names.to_vec());
        self.run(move |store| store.missing_blocks(&file, &names))
            .await
    }

    async fn commit_version(&self, version: &FileVersion) -> Result<(), Error> {
        let version = version.clone();
        self.run(move |store| store.commit_version(&version)).await
    }

    async fn latest_version(&self, file: &FileId) -> Result<Option<u64>, Error> {
        let file = *file;
        self.run(move |store| store.latest_version(&file)).await
    }

    async fn version_record(&self, file: &FileId, number: u64) -> Result<Option<Vec<u8>>, Error> {
        let file = *file;
        self.run(move |store| store.version_record(&file, number))
            .await
    }

    async fn index(&self, file: &FileId, number: u64, from: u64) -> Result<IndexPage, Error> {
        let file = *file;
        self.run(move |store| store.index(&file, number, from))
            .await
    }
}
