//! Batches of records: what a store writes at once and a chain anchors with one root.

use std::sync::Arc;

use crate::{Commitment, Error, Inclusion, Item, Key, Record, Root, Vault, commitment};

/// Most records in a batch: one root a second at the ingest of a busy edge server, and an
/// inclusion proof of 12 siblings.
pub const MAX_BATCH_RECORDS: usize = 4_096;

/// Most bytes of content in a batch: what a store holds in memory, and its log in one write.
pub const MAX_BATCH_BYTES: usize = 16 * 1024 * 1024;

/// Records in ascending order of (device, time), each once, with their commitments and root.
/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Batch(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    entries: Vec<(Record, Commitment)>,
    root: Root,
}

impl Batch {
    /// Sorts records and commits to them. A record given twice counts once.
    ///
    /// # Errors
    ///
    /// [`Error::BatchRecords`] unless there are 1 to [`MAX_BATCH_RECORDS`],
    /// [`Error::BatchBytes`] above [`MAX_BATCH_BYTES`], [`Error::Conflict`] when two differ under
    /// one key.
    pub fn new(records: Vec<Record>) -> Result<Self, Error> {
        if !(1..=MAX_BATCH_RECORDS).contains(&records.len()) {
            return Err(Error::BatchRecords(records.len()));
        }
        let bytes = records.iter().map(|record| record.content().len()).sum();
        if bytes > MAX_BATCH_BYTES {
            return Err(Error::BatchBytes(bytes));
        }
        let mut entries: Vec<_> = records
            .into_iter()
            .map(|record| {
                let commitment = record.commitment();
                (record, commitment)
            })
            .collect();
        entries.sort_by_key(|(record, commitment)| (*record.key(), *commitment));
        entries.dedup_by_key(|(_, commitment)| *commitment);
        if let Some(pair) = entries
            .windows(2)
            .find(|pair| pair[0].0.key() == pair[1].0.key())
        {
            return Err(Error::Conflict(Item::Record(*pair[0].0.key())));
        }
        let commitments: Vec<_> = entries.iter().map(|(_, commitment)| *commitment).collect();
        let root = commitment::root(&commitments).ok_or(Error::BatchRecords(commitments.len()))?;
        Ok(Self(Arc::new(Inner { entries, root })))
    }

    /// What goes on the chain.
    #[must_use]
    pub fn root(&self) -> Root {
        self.0.root
    }

    /// The records with their commitments, in order.
    #[must_use]
    pub fn entries(&self) -> &[(Record, Commitment)] {
        &self.0.entries
    }

    pub(crate) fn manifest(&self) -> Manifest {
        Manifest(
            self.entries()
                .iter()
                .map(|(record, commitment)| (*record.key(), *commitment))
                .collect(),
        )
    }
}

/// Which records a batch has, with their commitments, in order. 72 bytes a record when stored:
/// `device (32) ‖ time (u64) ‖ commitment (32)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest(pub Vec<(Key, Commitment)>);

impl Manifest {
    const ENTRY: usize = 72;

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len() * Self::ENTRY);
        for (key, commitment) in &self.0 {
            bytes.extend_from_slice(&key.device.0);
            bytes.extend_from_slice(&key.time_ms.to_be_bytes());
            bytes.extend_from_slice(&commitment.0);
        }
        bytes
    }

    /// Parses stored bytes; [`Error::Corrupt`] unless they give `root`.
    pub(crate) fn from_stored(root: &Root, bytes: &[u8]) -> Result<Self, Error> {
        let corrupt = || Error::Corrupt(Item::Batch(*root));
        let (entries, rest) = bytes.as_chunks::<{ Self::ENTRY }>();
        if !rest.is_empty() {
            return Err(corrupt());
        }
        let manifest = Self(
            entries
                .iter()
                .map(parse)
                .collect::<Option<_>>()
                .ok_or_else(corrupt)?,
        );
        let commitments: Vec<_> = manifest.commitments().collect();
        if commitment::root(&commitments) != Some(*root) {
            return Err(corrupt());
        }
        Ok(manifest)
    }

    fn commitments(&self) -> impl Iterator<Item = Commitment> {
        self.0.iter().map(|(_, commitment)| *commitment)
    }
}

fn parse(entry: &[u8; Manifest::ENTRY]) -> Option<(Key, Commitment)> {
    let (device, rest) = entry.split_first_chunk::<32>()?;
    let (time, commitment) = rest.split_first_chunk::<8>()?;
    Some((
        Key {
            device: crate::DeviceId(*device),
            time_ms: u64::from_be_bytes(*time),
        },
        Commitment(commitment.try_into().ok()?),
    ))
}

/// Proves a stored record: the record, the root of its batch and the path between them. `None`
/// when there is no such record.
///
/// # Errors
///
/// Those of [`Vault::get`] and [`Vault::manifest`]; [`Error::Corrupt`] when record and batch do
/// not belong together.
pub async fn inclusion(
    vault: &dyn Vault,
    key: &Key,
) -> Result<Option<(Record, Root, Inclusion)>, Error> {
    let Some(stored) = vault.get(key).await? else {
        return Ok(None);
    };
    let corrupt = || Error::Corrupt(Item::Batch(stored.batch));
    let manifest = vault.manifest(&stored.batch).await?.ok_or_else(corrupt)?;
    let entry = (*key, stored.record.commitment());
    let index = manifest.0.binary_search(&entry).map_err(|_| corrupt())?;
    let commitments: Vec<_> = manifest.commitments().collect();
    let path = commitment::prove(&commitments, index).ok_or_else(corrupt)?;
    Ok(Some((stored.record, stored.batch, path)))
}

/// Checks that everything of a batch is stored as the root says. Returns the number of records;
/// `None` when the batch is unknown.
///
/// # Errors
///
/// [`Error::Corrupt`] with the first record that is absent or another one; those of
/// [`Vault::get`] and [`Vault::manifest`].
pub async fn check_batch(vault: &dyn Vault, root: &Root) -> Result<Option<usize>, Error> {
    let Some(manifest) = vault.manifest(root).await? else {
        return Ok(None);
    };
    for (key, commitment) in &manifest.0 {
        let stored = vault.get(key).await?;
        if stored.map(|stored| stored.record.commitment()) != Some(*commitment) {
            return Err(Error::Corrupt(Item::Record(*key)));
        }
    }
    Ok(Some(manifest.0.len()))
}
