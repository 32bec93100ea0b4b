//! Records and batches in PostgreSQL.

use std::ops::Range;

use super::{Postgres, bigint, bounded};
use crate::{
    Batch, DeviceId, Error, Item, Key, MAX_PAGE, MAX_PENDING, Manifest, Page, Root, Stored,
    Written, record::Columns,
};

/// grade, content, blind, commitment, batch.
type Row = (i16, Vec<u8>, Vec<u8>, Vec<u8>, Vec<u8>);

/// time_ms, and the columns of [`Row`].
type TimedRow = (i64, i16, Vec<u8>, Vec<u8>, Vec<u8>, Vec<u8>);

impl Postgres {
    pub(super) async fn try_put_batch(&self, batch: &Batch) -> Result<Written, Error> {
        let entries = batch.entries();
        let count = entries.len() as u64;
        let root = batch.root();
        let mut tx = self.0.begin().await?;
        let fresh = sqlx::query(
            "INSERT INTO vault_batches (root, manifest) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        )
        .bind(&root.0[..])
        .bind(batch.manifest().to_bytes())
        .execute(&mut *tx)
        .await?
        .rows_affected();
        if fresh == 0 {
            // The root covers every record with its r, and all came in one transaction.
            return Ok(Written {
                new: 0,
                known: count,
            });
        }

        let devices: Vec<&[u8]> = entries
            .iter()
            .map(|(r, _)| &r.key().device.0[..])
            .collect::<Vec<_>>();
        let times: Vec<i64> = entries
            .iter()
            .map(|(r, _)| bounded(r.key().time_ms))
            .collect();
        let grades: Vec<i16> = entries.iter().map(|(r, _)| r.grade().0.into()).collect();
        let contents: Vec<&[u8]> = entries.iter().map(|(r, _)| r.content()).collect();
        let blinds: Vec<&[u8]> = entries
            .iter()
            .map(|(r, _)| &r.blind().reveal()[..])
            .collect();
        let commitments: Vec<&[u8]> = entries.iter().map(|(_, c)| &c.0[..]).collect();
        let new = sqlx::query(
            "INSERT INTO vault_records \
                 (device, time_ms, grade, content, blind, commitment, batch) \
             SELECT *, $7 FROM unnest($1::bytea[], $2::bigint[], $3::smallint[], $4::bytea[], \
                 $5::bytea[], $6::bytea[]) \
             ON CONFLICT DO NOTHING",
        )
        .bind(&devices)
        .bind(&times)
        .bind(&grades)
        .bind(&contents)
        .bind(&blinds)
        .bind(&commitments)
        .bind(&root.0[..])
        .execute(&mut *tx)
        .await?
        .rows_affected();

        if new < count {
            let conflict: Option<(Vec<u8>, i64)> = sqlx::query_as(
                "SELECT device, time_ms \
                 FROM unnest($1::bytea[], $2::bigint[], $3::bytea[]) AS u (device, time_ms, ours) \
                 JOIN vault_records USING (device, time_ms) \
                 WHERE commitment <> ours ORDER BY device, time_ms LIMIT 1",
            )
            .bind(&devices)
            .bind(&times)
            .bind(&commitments)
            .fetch_optional(&mut *tx)
            .await?;
            if let Some((device, time)) = conflict {
                let is_same =
                    |key: &Key| key.device.0[..] == device && bounded(key.time_ms) == time;
                let key = entries.iter().map(|(r, _)| *r.key()).find(is_same);
                return Err(Error::Conflict(key.map_or(Item::Batch(root), Item::Record)));
            }
        }
        tx.commit().await?;
        Ok(Written {
            new,
            known: count - new,
        })
    }

    pub(super) async fn try_get(&self, key: &Key) -> Result<Option<Stored>, Error> {
        let Some(time) = bigint(key.time_ms) else {
            return Ok(None);
        };
        sqlx::query_as(
            "SELECT grade, content, blind, commitment, batch FROM vault_records \
             WHERE device = $1 AND time_ms = $2",
        )
        .bind(&key.device.0[..])
        .bind(time)
        .fetch_optional(&self.0)
        .await?
        .map(|row| check(*key, row))
        .transpose()
    }

    pub(super) async fn try_range(
        &self,
        device: &DeviceId,
        times: &Range<u64>,
    ) -> Result<Page, Error> {
        let Some(start) = bigint(times.start) else {
            return Ok(Page::default());
        };
        let rows: Vec<TimedRow> = sqlx::query_as(
            "SELECT time_ms, grade, content, blind, commitment, batch FROM vault_records \
             WHERE device = $1 AND time_ms >= $2 AND time_ms < $3 ORDER BY time_ms LIMIT $4",
        )
        .bind(&device.0[..])
        .bind(start)
        .bind(bigint(times.end).unwrap_or(i64::MAX))
        .bind(MAX_PAGE as i64 + 1)
        .fetch_all(&self.0)
        .await?;
        let mut page = Page::default();
        for (time, grade, content, blind, commitment, batch) in rows {
            let key = Key {
                device: *device,
                time_ms: time.unsigned_abs(),
            };
            if page.records.len() == MAX_PAGE {
                page.next = Some(key.time_ms);
                break;
            }
            page.records
                .push(check(key, (grade, content, blind, commitment, batch))?);
        }
        Ok(page)
    }

    pub(super) async fn try_manifest(&self, root: &Root) -> Result<Option<Manifest>, Error> {
        sqlx::query_scalar::<_, Vec<u8>>("SELECT manifest FROM vault_batches WHERE root = $1")
            .bind(&root.0[..])
            .fetch_optional(&self.0)
            .await?
            .map(|bytes| Manifest::from_stored(root, &bytes))
            .transpose()
    }

    pub(super) async fn try_pending(&self) -> Result<Vec<Root>, Error> {
        let roots: Vec<Vec<u8>> = sqlx::query_scalar(
            "SELECT root FROM vault_batches WHERE pending ORDER BY root LIMIT $1",
        )
        .bind(MAX_PENDING as i64)
        .fetch_all(&self.0)
        .await?;
        roots
            .into_iter()
            .map(|root| {
                let root = root
                    .try_into()
                    .map_err(|_| sqlx::Error::Decode("expected a root of 32 bytes".into()))?;
                Ok(Root(root))
            })
            .collect()
    }

    pub(super) async fn try_settle(&self, root: &Root) -> Result<(), Error> {
        sqlx::query("UPDATE vault_batches SET pending = false WHERE root = $1 AND pending")
            .bind(&root.0[..])
            .execute(&self.0)
            .await?;
        Ok(())
    }
}

fn check(key: Key, (grade, content, blind, commitment, batch): Row) -> Result<Stored, Error> {
    Columns {
        grade,
        content,
        blind: &blind,
        commitment: &commitment,
        batch: &batch,
    }
    .check(key)
}
