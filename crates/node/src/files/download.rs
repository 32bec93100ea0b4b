//! Downloads, and the index of a version as the ledger has it.

use super::{
    FilesError, MAX_FILE_BLOCKS, Store,
    blocks::{name, unseal, vault_name},
    groups::Who,
    hex, vault_id,
};
use cairn_contracts::files::VersionRecord;
use cairn_crypto::possession::{FileId, Index, KeyId};
use cairn_vault::Vault as _;
use commonware_codec::{Decode as _, EncodeSize as _, RangeCfg, Write as _};
use commonware_cryptography::{Hasher as _, Sha256};
use serde::Serialize;
use std::{io::Write, path::Path};

/// The edition of each block id; `None` for those that are deleted.
pub(super) type Slots = Vec<Option<[u8; 16]>>;

/// Most slots that are read back: the blocks of a file, and as many deleted ones.
const MAX_SLOTS: u64 = 2 * MAX_FILE_BLOCKS;

/// What a download did.
#[derive(Clone, Debug, Serialize)]
pub struct GetReport {
    /// The file's id.
    pub file: String,
    /// Version that was read, the latest on the ledger.
    pub version: u64,
    /// Bytes of the file.
    pub bytes: u64,
}

/// The index of these slots.
pub(super) fn index_of(slots: &Slots) -> Index {
    let size = slots.len().encode_size() + 17 * slots.len();
    let mut bytes = Vec::with_capacity(size);
    slots.write(&mut bytes);
    Index::decode_cfg(bytes, &RangeCfg::from(..)).expect("slots are what an index is encoded as")
}

impl Store {
    /// Writes the latest version of a file to `out`, every block checked before it is written.
    ///
    /// # Errors
    ///
    /// [`FilesError::UnknownFile`]; [`FilesError::Damaged`] at the first block that is not what
    /// the ledger says, after the blocks before it were written; [`FilesError::Path`].
    pub async fn get(
        &mut self,
        file: &FileId,
        who: &Who,
        out: &mut impl Write,
        destination: &Path,
    ) -> Result<GetReport, FilesError> {
        let head = self.known(file).await?;
        let version = head.version;
        let (slots, record) = self.slots(file, version).await?;
        let key = self
            .content_key(who, head.group, &KeyId(record.kid))
            .await?;
        let vault = self.vault()?;
        let mut bytes = 0;
        for (id, edition) in (0..).zip(&slots) {
            let Some(edition) = edition else { continue };
            let name = name(id, *edition);
            let damaged = |what: &str| FilesError::Damaged {
                file: hex(&file.0),
                what: format!("block {id} {what}"),
            };
            let block = match vault.block(&vault_id(file), &vault_name(&name)).await {
                Ok(Some(block)) => block,
                Ok(None) => return Err(damaged("is missing")),
                Err(cairn_vault::Error::Corrupt(_)) => return Err(damaged("was changed")),
                Err(error) => return Err(error.into()),
            };
            let content = unseal(&key, file, &name, block.bytes());
            let content = content.map_err(|_| damaged("was changed"))?;
            out.write_all(&content)
                .map_err(FilesError::path("write", destination))?;
            bytes += content.len() as u64;
        }
        out.flush()
            .map_err(FilesError::path("write", destination))?;
        Ok(GetReport {
            file: hex(&file.0),
            version,
            bytes,
        })
    }

    /// The slots of a recorded version, which the ledger's record confirms, and that record.
    pub(super) async fn slots(
        &mut self,
        file: &FileId,
        version: u64,
    ) -> Result<(Slots, VersionRecord), FilesError> {
        let record = self.version(file, version).await?;
        let damaged = |what: &str| FilesError::Damaged {
            file: hex(&file.0),
            what: format!("{what} of version {version} is not the one on the ledger"),
        };
        let vault = self.vault()?;
        let bytes = vault.version_record(&vault_id(file), version).await?;
        let bytes = bytes.unwrap_or_default();
        if Sha256::hash(&[&bytes]).0 != record.digest {
            return Err(damaged("the record"));
        }
        let count = bytes.last_chunk().map(|count| u64::from_be_bytes(*count));
        let count = count.filter(|count| *count <= MAX_SLOTS);
        let count = count.ok_or_else(|| damaged("the record"))?;
        let mut slots = vec![None; usize::try_from(count).unwrap_or(0)];
        let mut from = Some(0);
        while let Some(start) = from {
            let page = vault.index(&vault_id(file), version, start).await?;
            for block in &page.blocks {
                let slot = usize::try_from(block.id).ok();
                let slot = slot.and_then(|slot| slots.get_mut(slot));
                *slot.ok_or_else(|| damaged("the index"))? = Some(block.edition);
            }
            from = page.next.filter(|next| *next > start);
        }
        let index = index_of(&slots);
        if index.root().0 != record.root || index.live() != record.live {
            return Err(damaged("the index"));
        }
        Ok((slots, record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use commonware_codec::Encode as _;
    use rand::{SeedableRng as _, rngs::StdRng};

    #[test]
    fn slots_give_the_index_that_appending_and_deleting_gives() {
        let mut rng = StdRng::seed_from_u64(5);
        let mut index = Index::new();
        let mut slots = Slots::new();
        for _ in 0..300 {
            slots.push(Some(index.append(&mut rng).unwrap().version.0));
        }
        for id in [7_usize, 298, 299] {
            index.delete(id as u64).unwrap();
            slots[id] = None;
        }
        assert_eq!(index_of(&slots), index);
        assert_eq!(index_of(&slots).encode(), index.encode());
    }

    #[test]
    fn no_slots_are_an_empty_index() {
        assert_eq!(index_of(&Slots::new()), Index::new());
    }
}
