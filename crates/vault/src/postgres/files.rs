//! Audited files in PostgreSQL.

use super::{Postgres, bigint, bounded};
use crate::{
    Block, BlockName, Blocks, Error, FileId, FileVersion, IndexPage, Item, MAX_BLOCKS,
    MAX_INDEX_PAGE, Written,
};

impl Postgres {
    pub(super) async fn try_put_blocks(
        &self,
        file: &FileId,
        blocks: &Blocks,
    ) -> Result<Written, Error> {
        let blocks = blocks.as_slice();
        let count = blocks.len() as u64;
        let names: Vec<_> = blocks.iter().map(Block::name).collect();
        let (ids, editions) = columns(&names);
        let tags: Vec<_> = blocks.iter().map(Block::tag).collect();
        let tags: Vec<&[u8]> = tags.iter().map(|tag| &tag.0[..]).collect();
        let digests: Vec<_> = blocks.iter().map(|block| block.digest(file)).collect();
        let digests: Vec<&[u8]> = digests.iter().map(|digest| &digest[..]).collect();
        let contents: Vec<&[u8]> = blocks.iter().map(Block::bytes).collect();
        let mut tx = self.0.begin().await?;
        let new = sqlx::query(
            "INSERT INTO vault_blocks (file, id, edition, tag, digest, bytes) \
             SELECT $1, * FROM unnest($2::bigint[], $3::bytea[], $4::bytea[], $5::bytea[], \
                 $6::bytea[]) \
             ON CONFLICT DO NOTHING",
        )
        .bind(&file.0[..])
        .bind(&ids)
        .bind(&editions)
        .bind(&tags)
        .bind(&digests)
        .bind(&contents)
        .execute(&mut *tx)
        .await?
        .rows_affected();
        if new < count {
            let conflict: Option<i64> = sqlx::query_scalar(
                "SELECT n FROM unnest($2::bigint[], $3::bytea[], $4::bytea[]) \
                     WITH ORDINALITY AS u (id, edition, ours, n) \
                 JOIN vault_blocks b USING (id, edition) \
                 WHERE b.file = $1 AND b.digest <> ours ORDER BY n LIMIT 1",
            )
            .bind(&file.0[..])
            .bind(&ids)
            .bind(&editions)
            .bind(&digests)
            .fetch_optional(&mut *tx)
            .await?;
            if let Some(name) = conflict.and_then(|n| at(&names, n)) {
                return Err(Error::Conflict(Item::Block(*file, name)));
            }
        }
        tx.commit().await?;
        Ok(Written {
            new,
            known: count - new,
        })
    }

    pub(super) async fn try_block(
        &self,
        file: &FileId,
        name: &BlockName,
    ) -> Result<Option<Block>, Error> {
        let Some(id) = bigint(name.id) else {
            return Ok(None);
        };
        let row: Option<(Vec<u8>, Vec<u8>, Vec<u8>)> = sqlx::query_as(
            "SELECT tag, bytes, digest FROM vault_blocks \
             WHERE file = $1 AND id = $2 AND edition = $3",
        )
        .bind(&file.0[..])
        .bind(id)
        .bind(&name.edition[..])
        .fetch_optional(&self.0)
        .await?;
        row.map(|(tag, bytes, digest)| Block::from_stored(file, name, &tag, bytes, &digest))
            .transpose()
    }

    pub(super) async fn try_missing_blocks(
        &self,
        file: &FileId,
        names: &[BlockName],
    ) -> Result<Vec<BlockName>, Error> {
        if names.len() > MAX_BLOCKS {
            return Err(Error::TooManyNames(names.len()));
        }
        let missing: Vec<i64> = sqlx::query_scalar(MISSING)
            .bind(&file.0[..])
            .bind(names.iter().map(|name| bigint(name.id)).collect::<Vec<_>>())
            .bind(editions(names))
            .bind(MAX_BLOCKS as i64)
            .fetch_all(&self.0)
            .await?;
        Ok(missing.iter().filter_map(|n| at(names, *n)).collect())
    }

    pub(super) async fn try_commit_version(&self, version: &FileVersion) -> Result<(), Error> {
        let (file, number) = (version.file(), version.number());
        let mut tx = self.0.begin().await?;
        // Of two writers of one number the second waits here for the first.
        let fresh = if number == 0 {
            1 // Refused below: the first version is 1.
        } else {
            sqlx::query(
                "INSERT INTO vault_versions (file, number, digest, record) \
                 VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
            )
            .bind(&file.0[..])
            .bind(bounded(number))
            .bind(&version.digest()[..])
            .bind(version.record())
            .execute(&mut *tx)
            .await?
            .rows_affected()
        };
        if fresh == 0 {
            let digest: Vec<u8> = sqlx::query_scalar(
                "SELECT digest FROM vault_versions WHERE file = $1 AND number = $2",
            )
            .bind(&file.0[..])
            .bind(bounded(number))
            .fetch_one(&mut *tx)
            .await?;
            return if digest == version.digest() {
                Ok(())
            } else {
                Err(Error::Conflict(Item::Version(*file, number)))
            };
        }
        let before: Option<i64> = sqlx::query_scalar(
            "SELECT max(number) FROM vault_versions WHERE file = $1 AND number <> $2",
        )
        .bind(&file.0[..])
        .bind(bounded(number))
        .fetch_one(&mut *tx)
        .await?;
        let expected = before.map_or(0, i64::unsigned_abs) + 1;
        if number != expected {
            return Err(Error::VersionOrder {
                expected,
                got: number,
            });
        }
        let set = version.set();
        let (ids, set_editions) = columns(&set);
        let missing: Option<i64> = sqlx::query_scalar(MISSING)
            .bind(&file.0[..])
            .bind(&ids)
            .bind(&set_editions)
            .bind(1_i64)
            .fetch_optional(&mut *tx)
            .await?;
        if let Some(name) = missing.and_then(|n| at(&set, n)) {
            return Err(Error::MissingBlock(*file, name));
        }
        let changes = version.changes();
        sqlx::query(
            "INSERT INTO vault_index (file, version, id, edition) \
             SELECT $1, $2, * FROM unnest($3::bigint[], $4::bytea[])",
        )
        .bind(&file.0[..])
        .bind(bounded(number))
        .bind(changes.iter().map(|c| bounded(c.id())).collect::<Vec<_>>())
        .bind(changes.iter().map(|c| c.edition()).collect::<Vec<_>>())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    pub(super) async fn try_latest_version(&self, file: &FileId) -> Result<Option<u64>, Error> {
        let number: Option<i64> =
            sqlx::query_scalar("SELECT max(number) FROM vault_versions WHERE file = $1")
                .bind(&file.0[..])
                .fetch_one(&self.0)
                .await?;
        Ok(number.map(i64::unsigned_abs))
    }

    pub(super) async fn try_version_record(
        &self,
        file: &FileId,
        number: u64,
    ) -> Result<Option<Vec<u8>>, Error> {
        let record =
            sqlx::query_scalar("SELECT record FROM vault_versions WHERE file = $1 AND number = $2")
                .bind(&file.0[..])
                .bind(bigint(number))
                .fetch_optional(&self.0)
                .await?;
        Ok(record)
    }

    /// The latest row of each block up to `number` counts.
    pub(super) async fn try_index(
        &self,
        file: &FileId,
        number: u64,
        from: u64,
    ) -> Result<IndexPage, Error> {
        let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as(
            "SELECT id, edition FROM ( \
                 SELECT DISTINCT ON (id) id, edition FROM vault_index \
                 WHERE file = $1 AND id >= $2 AND version <= $3 \
                     AND EXISTS (SELECT FROM vault_versions WHERE file = $1 AND number = $3) \
                 ORDER BY id, version DESC \
             ) AS latest WHERE edition <> '' ORDER BY id LIMIT $4",
        )
        .bind(&file.0[..])
        .bind(bigint(from))
        .bind(bigint(number))
        .bind(MAX_INDEX_PAGE as i64 + 1)
        .fetch_all(&self.0)
        .await?;
        let mut page = IndexPage::default();
        for (id, edition) in rows {
            let id = id.unsigned_abs();
            if page.blocks.len() == MAX_INDEX_PAGE {
                page.next = Some(id);
                break;
            }
            let edition = edition
                .try_into()
                .map_err(|_| Error::Corrupt(Item::Version(*file, number)))?;
            page.blocks.push(BlockName { id, edition });
        }
        Ok(page)
    }
}

/// Places (from 1) of names that are not stored, in order. A name whose id no row can have
/// (`NULL`) is missing.
const MISSING: &str = "SELECT n FROM unnest($2::bigint[], $3::bytea[]) \
         WITH ORDINALITY AS u (id, edition, n) \
     WHERE NOT EXISTS (SELECT FROM vault_blocks b \
         WHERE b.file = $1 AND b.id = u.id AND b.edition = u.edition) \
     ORDER BY n LIMIT $4";

fn columns(names: &[BlockName]) -> (Vec<i64>, Vec<&[u8]>) {
    let ids = names.iter().map(|name| bounded(name.id)).collect();
    (ids, editions(names))
}

fn editions(names: &[BlockName]) -> Vec<&[u8]> {
    names.iter().map(|name| &name.edition[..]).collect()
}

/// The name at an SQL ordinality, which counts from 1.
fn at(names: &[BlockName], n: i64) -> Option<BlockName> {
    names.get(usize::try_from(n).ok()?.checked_sub(1)?).copied()
}
