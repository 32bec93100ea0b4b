//! Blocks on their way between file and vault: sealed, tagged, verified.

use super::{FilesError, Store, vault_id};
use cairn_crypto::{
    possession::{
        Block, BlockName, BlockVersion, FileId, GroupKey, GroupSecret, Tag, Tagged, verify_tags,
    },
    seal::{self, RegisterKey},
};
use cairn_vault::{Blocks, Vault as _};
use commonware_codec::{Copying, DecodeExt as _, Encode as _};
use zeroize::Zeroizing;

/// Blocks in one batch of tagging and upload: 2 MB.
pub(super) const BATCH: usize = 512;

/// A block before it has a tag.
pub(super) struct Fresh {
    pub(super) name: BlockName,
    pub(super) sealed: Vec<u8>,
}

pub(super) fn name(id: u64, edition: [u8; 16]) -> BlockName {
    BlockName {
        id,
        version: BlockVersion(edition),
    }
}

pub(super) fn vault_name(name: &BlockName) -> cairn_vault::BlockName {
    cairn_vault::BlockName {
        id: name.id,
        edition: name.version.0,
    }
}

/// What a sealed block is bound to.
fn context(file: &FileId, name: &BlockName) -> Vec<u8> {
    [&file.0[..], &name.id.to_be_bytes(), &name.version.0].concat()
}

/// Opens a block that the vault returned.
pub(super) fn unseal(
    key: &RegisterKey,
    file: &FileId,
    name: &BlockName,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, seal::Error> {
    key.open(&context(file, name), sealed)
}

impl Store {
    /// Seals the content of one block.
    pub(super) fn seal(
        &mut self,
        key: &RegisterKey,
        file: &FileId,
        name: BlockName,
        content: &[u8],
    ) -> Result<Fresh, FilesError> {
        let sealed = key.seal(&context(file, &name), content, &mut self.rng)?;
        Ok(Fresh { name, sealed })
    }

    /// The member tags, the vault verifies and stores. When this returns, the blocks are on disk.
    pub(super) async fn send(
        &mut self,
        secret: &GroupSecret,
        file: &FileId,
        fresh: &[Fresh],
    ) -> Result<(), FilesError> {
        let tags = tag_all(secret, file, fresh)?;
        self.accept(secret.key(), file, fresh, &tags).await
    }

    /// The vault's part of an upload (10.3): refuses blocks whose tags are false.
    async fn accept(
        &mut self,
        key: &GroupKey,
        file: &FileId,
        fresh: &[Fresh],
        tags: &[Tag],
    ) -> Result<(), FilesError> {
        let vault = self.vault()?;
        let parsed = fresh
            .iter()
            .map(|block| Block::new(key.sectors(), &block.sealed))
            .collect::<Result<Vec<_>, _>>()?;
        let tagged: Vec<_> = fresh
            .iter()
            .zip(&parsed)
            .zip(tags)
            .map(|((fresh, block), tag)| Tagged {
                name: fresh.name,
                block,
                tag: *tag,
            })
            .collect();
        verify_tags(key, file, &tagged, &mut self.rng, &self.strategy)?;
        let id = vault_id(file);
        let blocks = fresh.iter().zip(tags).map(|(fresh, tag)| {
            let tag = tag.encode();
            let tag: [u8; 48] = tag[..].try_into().expect("a tag has 48 bytes");
            let tag = cairn_vault::Tag(tag);
            cairn_vault::Block::new(vault_name(&fresh.name), tag, fresh.sealed.clone())
        });
        let blocks = Blocks::new(&id, blocks.collect::<Result<_, _>>()?)?;
        vault.put_blocks(&id, &blocks).await?;
        Ok(())
    }
}

/// Tags blocks on all cores.
fn tag_all(secret: &GroupSecret, file: &FileId, fresh: &[Fresh]) -> Result<Vec<Tag>, FilesError> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = fresh.len().div_ceil(cores).max(1);
    let parts: Vec<Result<Vec<Tag>, FilesError>> = std::thread::scope(|scope| {
        let threads: Vec<_> = fresh
            .chunks(share)
            .map(|part| {
                scope.spawn(move || {
                    let tag = |block: &Fresh| {
                        let content = Block::new(secret.key().sectors(), &block.sealed)?;
                        Ok(secret.tag(file, &block.name, &content)?)
                    };
                    part.iter().map(tag).collect()
                })
            })
            .collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().map(join).collect()
    });
    let mut tags = Vec::with_capacity(fresh.len());
    for part in parts {
        tags.extend(part?);
    }
    Ok(tags)
}

/// A tag as the vault has it.
pub(super) fn read_tag(tag: &cairn_vault::Tag) -> Option<Tag> {
    Tag::decode(Copying(&tag.0[..])).ok()
}
