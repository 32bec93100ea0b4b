//! Audited files in the embedded store.

use super::{Store, path, read};
use crate::{
    Block, BlockName, Blocks, Error, FileId, FileVersion, IndexPage, Item, MAX_BLOCKS,
    MAX_INDEX_PAGE, Written,
};

impl Store {
    pub(super) fn put_blocks(&self, file: &FileId, blocks: &Blocks) -> Result<Written, Error> {
        let _writer = self.write_lock();
        let mut written = Written::default();
        let mut write = self.batch();
        for block in blocks.as_slice() {
            match self.block(file, &block.name())? {
                None => {
                    let mut value = block.tag().0.to_vec();
                    value.extend_from_slice(&block.digest(file));
                    value.extend_from_slice(block.bytes());
                    write.insert(&self.blocks, row(file, &block.name()), value);
                    written.new += 1;
                }
                Some(stored) if stored == *block => written.known += 1,
                Some(_) => return Err(Error::Conflict(Item::Block(*file, block.name()))),
            }
        }
        write.commit()?;
        Ok(written)
    }

    pub(super) fn block(&self, file: &FileId, name: &BlockName) -> Result<Option<Block>, Error> {
        let item = Item::Block(*file, *name);
        let Some(value) = read(&self.blocks, row(file, name), item)? else {
            return Ok(None);
        };
        let (tag, rest) = value
            .split_first_chunk::<48>()
            .ok_or(Error::Corrupt(item))?;
        let (digest, bytes) = rest.split_first_chunk::<32>().ok_or(Error::Corrupt(item))?;
        Block::from_stored(file, name, tag, bytes.to_vec(), digest).map(Some)
    }

    pub(super) fn missing_blocks(
        &self,
        file: &FileId,
        names: &[BlockName],
    ) -> Result<Vec<BlockName>, Error> {
        if names.len() > MAX_BLOCKS {
            return Err(Error::TooManyNames(names.len()));
        }
        let mut missing = Vec::new();
        for name in names {
            if !self.blocks.contains_key(row(file, name))? {
                missing.push(*name);
            }
        }
        Ok(missing)
    }

    pub(super) fn commit_version(&self, version: &FileVersion) -> Result<(), Error> {
        let _writer = self.write_lock();
        let (file, number) = (version.file(), version.number());
        let item = Item::Version(*file, number);
        let key = path(&file.0, [number]);
        if let Some(stored) = read(&self.versions, &key, item)? {
            return if stored.starts_with(&version.digest()) {
                Ok(())
            } else {
                Err(Error::Conflict(item))
            };
        }
        let expected = self.latest_version(file)?.unwrap_or(0) + 1;
        if number != expected {
            return Err(Error::VersionOrder {
                expected,
                got: number,
            });
        }
        for name in version.set() {
            if !self.blocks.contains_key(row(file, &name))? {
                return Err(Error::MissingBlock(*file, name));
            }
        }
        let mut write = self.batch();
        for change in version.changes() {
            let key = path(&file.0, [change.id(), number]);
            write.insert(&self.index, key, change.edition());
        }
        let mut value = version.digest().to_vec();
        value.extend_from_slice(version.record());
        write.insert(&self.versions, key, value);
        write.commit()?;
        Ok(())
    }

    pub(super) fn latest_version(&self, file: &FileId) -> Result<Option<u64>, Error> {
        let Some(guard) = self.versions.prefix(file.0).next_back() else {
            return Ok(None);
        };
        let key = guard.key()?;
        let number = key
            .last_chunk()
            .ok_or(Error::Corrupt(Item::Version(*file, 0)))?;
        Ok(Some(u64::from_be_bytes(*number)))
    }

    pub(super) fn version_record(
        &self,
        file: &FileId,
        number: u64,
    ) -> Result<Option<Vec<u8>>, Error> {
        let item = Item::Version(*file, number);
        read(&self.versions, path(&file.0, [number]), item)?
            .map(|value| {
                let (_, record) = value
                    .split_first_chunk::<32>()
                    .ok_or(Error::Corrupt(item))?;
                Ok(record.to_vec())
            })
            .transpose()
    }

    /// Rows come by block id and, within it, by version: the last row up to `number` counts.
    pub(super) fn index(&self, file: &FileId, number: u64, from: u64) -> Result<IndexPage, Error> {
        let mut page = IndexPage::default();
        if !self.versions.contains_key(path(&file.0, [number]))? {
            return Ok(page);
        }
        let rows = path(&file.0, [from, 0])..=path(&file.0, [u64::MAX, u64::MAX]);
        let mut latest: Option<(u64, fjall::UserValue)> = None;
        for guard in self.index.range(rows) {
            let (row, edition) = guard.into_inner()?;
            let (id, version) = parse(&row).ok_or(Error::Corrupt(Item::Version(*file, number)))?;
            if version > number {
                continue;
            }
            if let Some((before, edition)) = latest.take_if(|(before, _)| *before != id)
                && !push(&mut page, file, number, before, &edition)?
            {
                return Ok(page);
            }
            latest = Some((id, edition));
        }
        if let Some((id, edition)) = latest {
            push(&mut page, file, number, id, &edition)?;
        }
        Ok(page)
    }
}

fn row(file: &FileId, name: &BlockName) -> Vec<u8> {
    let mut key = path(&file.0, [name.id]);
    key.extend_from_slice(&name.edition);
    key
}

fn parse(row: &[u8]) -> Option<(u64, u64)> {
    let (_, numbers) = row.split_first_chunk::<32>()?;
    let (id, version) = numbers.split_first_chunk::<8>()?;
    Some((
        u64::from_be_bytes(*id),
        u64::from_be_bytes(version.try_into().ok()?),
    ))
}

/// Adds a block unless it is deleted; `false` when the page was full.
fn push(
    page: &mut IndexPage,
    file: &FileId,
    number: u64,
    id: u64,
    edition: &[u8],
) -> Result<bool, Error> {
    if edition.is_empty() {
        return Ok(true);
    }
    if page.blocks.len() == MAX_INDEX_PAGE {
        page.next = Some(id);
        return Ok(false);
    }
    let edition = edition
        .try_into()
        .map_err(|_| Error::Corrupt(Item::Version(*file, number)))?;
    page.blocks.push(BlockName { id, edition });
    Ok(true)
}
