//! What can happen to a vault, on purpose: for demonstrations and tests.
//!
//! Works on the closed vault's database, under the vault's feet, as a thief or a broken disk.

use super::{FilesError, vault_id};
use cairn_crypto::possession::FileId;
use fjall::{Database, KeyspaceCreateOptions, PersistMode};
use std::{io, path::Path};

/// What to do with a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// It is gone.
    Lose,
    /// One bit of its content is changed.
    Flip,
}

/// Damages the first block of a file in the store at `path`, which nobody has open.
///
/// # Errors
///
/// [`FilesError::UnknownFile`] when the vault has no block of this file, [`FilesError::Path`].
pub fn damage_block(path: &Path, file: &FileId, damage: Damage) -> Result<(), FilesError> {
    let directory = path.join("vault");
    let failed =
        |error: fjall::Error| FilesError::path("damage", &directory)(io::Error::other(error));
    let db = Database::builder(&directory).open().map_err(failed)?;
    let blocks = db
        .keyspace("blocks", KeyspaceCreateOptions::default)
        .map_err(failed)?;
    let first = blocks.prefix(vault_id(file).0).next();
    let first = first.ok_or_else(|| FilesError::UnknownFile(super::hex(&file.0)))?;
    let (key, value) = first.into_inner().map_err(failed)?;
    match damage {
        Damage::Lose => blocks.remove(key).map_err(failed)?,
        Damage::Flip => {
            let mut value = value.to_vec();
            if let Some(last) = value.last_mut() {
                *last ^= 1;
            }
            blocks.insert(key, value).map_err(failed)?;
        }
    }
    db.persist(PersistMode::SyncAll).map_err(failed)
}
