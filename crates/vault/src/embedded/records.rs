//! Records and batches in the embedded store.

use std::ops::Range;

use super::{Store, damaged, path, read};
use crate::{
    Batch, Commitment, DeviceId, Error, Item, Key, MAX_PAGE, MAX_PENDING, Manifest, Page, Record,
    Root, Stored, Written, record::Columns,
};

impl Store {
    pub(super) fn put_batch(&self, batch: &Batch) -> Result<Written, Error> {
        let _writer = self.write_lock();
        let root = batch.root();
        let mut written = Written::default();
        if self.batches.contains_key(root.0)? {
            // The root covers every record with its r, and all came in one write.
            written.known = batch.entries().len() as u64;
            return Ok(written);
        }
        let mut write = self.batch();
        for (record, commitment) in batch.entries() {
            let key = record.key();
            match self.get(key)? {
                None => {
                    let value = encode(record, commitment, &root);
                    write.insert(&self.records, row(key), value);
                    written.new += 1;
                }
                Some(stored) if stored.record.commitment() == *commitment => written.known += 1,
                Some(_) => return Err(Error::Conflict(Item::Record(*key))),
            }
        }
        write.insert(&self.batches, root.0, batch.manifest().to_bytes());
        write.insert(&self.pending, root.0, []);
        write.commit()?;
        Ok(written)
    }

    pub(super) fn get(&self, key: &Key) -> Result<Option<Stored>, Error> {
        read(&self.records, row(key), Item::Record(*key))?
            .map(|value| decode(*key, &value))
            .transpose()
    }

    pub(super) fn range(&self, device: &DeviceId, times: Range<u64>) -> Result<Page, Error> {
        let mut page = Page::default();
        if times.is_empty() {
            return Ok(page);
        }
        let rows = path(&device.0, [times.start])..path(&device.0, [times.end]);
        let mut at = times.start;
        for guard in self.records.range(rows) {
            // A damaged block does not tell which record it held: name the first in doubt.
            let doubt = Item::Record(Key {
                device: *device,
                time_ms: at,
            });
            let (row, value) = guard.into_inner().map_err(|error| damaged(error, doubt))?;
            let time = row.last_chunk().ok_or(Error::Corrupt(doubt))?;
            at = u64::from_be_bytes(*time);
            if page.records.len() == MAX_PAGE {
                page.next = Some(at);
                break;
            }
            let key = Key {
                device: *device,
                time_ms: at,
            };
            page.records.push(decode(key, &value)?);
        }
        Ok(page)
    }

    pub(super) fn manifest(&self, root: &Root) -> Result<Option<Manifest>, Error> {
        read(&self.batches, root.0, Item::Batch(*root))?
            .map(|bytes| Manifest::from_stored(root, &bytes))
            .transpose()
    }

    pub(super) fn pending(&self) -> Result<Vec<Root>, Error> {
        self.pending
            .iter()
            .take(MAX_PENDING)
            .map(|guard| {
                let key = guard.key()?;
                let root = (*key).try_into().map_err(|_| fjall::Error::Unrecoverable)?;
                Ok(Root(root))
            })
            .collect()
    }

    pub(super) fn settle(&self, root: &Root) -> Result<(), Error> {
        let _writer = self.write_lock();
        if self.pending.contains_key(root.0)? {
            let mut write = self.batch();
            write.remove(&self.pending, root.0);
            write.commit()?;
        }
        Ok(())
    }
}

fn row(key: &Key) -> Vec<u8> {
    path(&key.device.0, [key.time_ms])
}

fn encode(record: &Record, commitment: &Commitment, root: &Root) -> Vec<u8> {
    let mut value = Vec::with_capacity(97 + record.content().len());
    value.push(record.grade().0);
    value.extend_from_slice(record.blind().reveal());
    value.extend_from_slice(&commitment.0);
    value.extend_from_slice(&root.0);
    value.extend_from_slice(record.content());
    value
}

fn decode(key: Key, value: &[u8]) -> Result<Stored, Error> {
    let (head, content) = value
        .split_first_chunk::<97>()
        .ok_or(Error::Corrupt(Item::Record(key)))?;
    Columns {
        grade: head[0].into(),
        content: content.to_vec(),
        blind: &head[1..33],
        commitment: &head[33..65],
        batch: &head[65..],
    }
    .check(key)
}
