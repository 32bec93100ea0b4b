//! The vault in a PostgreSQL database.
//!
//! * A write is one transaction with `synchronous_commit = on`. Rows go in as arrays
//!   (`INSERT … SELECT FROM unnest(…) ON CONFLICT DO NOTHING`): one round trip a batch, and
//!   repeating it changes nothing.
//! * Every call repeats itself when the connection breaks or the server restarts, a few times,
//!   with growing pauses. A commit whose answer got lost is found to be there already.
//! * Batches are written in key order, so that two writers never wait for each other in a ring.
//! * The schema is made and migrated on connecting (`migrations/`); tables are called `vault_…`
//!   and lie in the connection's `search_path`.
//! * A server that is not on this machine is spoken to under TLS with its certificate verified,
//!   unless the URL says otherwise (`sslmode`).

mod files;
mod records;

use std::{borrow::Cow, future::Future, net::IpAddr, time::Duration};

use async_trait::async_trait;
use sqlx::{
    SqlSafeStr as _,
    migrate::{Migration, MigrationType, Migrator},
    postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgSslMode},
};

use crate::{
    Batch, Block, BlockName, Blocks, DeviceId, Error, EvidenceId, FileId, FileVersion, IndexPage,
    Key, Manifest, Page, Root, Stored, Vault, Written,
};

/// Most connections at once: a server takes 100 by default, and several edges share it.
const MAX_CONNECTIONS: u32 = 8;

/// How long one attempt waits for a connection.
const ACQUIRE: Duration = Duration::from_secs(5);

/// Attempts of a call whose connection breaks. With pauses of 0.1 s, doubled each time, and up
/// to 5 s each for connecting, a server may be away for some 6 to 40 s.
const ATTEMPTS: u32 = 7;

/// Pause before the second attempt.
const PAUSE: Duration = Duration::from_millis(100);

/// A vault in a PostgreSQL database. Cheap to clone; all clones share the connections.
///
/// Over TCP one writer waits some 40 ms a batch longer than over a Unix socket: sqlx 0.9.0 leaves
/// Nagle's algorithm on, and the end of a large message waits for a delayed acknowledgement. Write
/// several batches at once, or name a socket: `postgres://user@localhost/db?host=/run/postgresql`.
#[derive(Clone)]
pub struct Postgres(PgPool);

impl Postgres {
    /// Connects and brings the schema up to date.
    ///
    /// # Errors
    ///
    /// [`Error::Location`] for a malformed URL, [`Error::Unavailable`] when the server cannot be
    /// reached (tried once: on start a wrong address is likelier than a restart),
    /// [`Error::Storage`] when it refuses, or its schema is newer than this program.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        // The parser's message may repeat a part of the URL, and with it a password.
        let mut options: PgConnectOptions = url
            .parse()
            .map_err(|_| Error::Location("a malformed postgres:// URL".to_owned()))?;
        if !is_local(&options) && matches!(options.get_ssl_mode(), PgSslMode::Prefer) {
            options = options.ssl_mode(PgSslMode::VerifyFull);
        }
        let pool = PgPoolOptions::new()
            .max_connections(MAX_CONNECTIONS)
            .acquire_timeout(ACQUIRE)
            .connect_with(options.options([("synchronous_commit", "on")]))
            .await?;
        migrations()
            .run(&pool)
            .await
            .map_err(|error| Error::Storage(Box::new(error)))?;
        Ok(Self(pool))
    }

    /// Repeats an idempotent call while the server cannot be reached.
    async fn retry<T, F>(&self, mut call: impl FnMut() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let mut pause = PAUSE;
        for attempt in 1.. {
            match call().await {
                Err(Error::Unavailable { source, .. }) if attempt >= ATTEMPTS => {
                    return Err(Error::Unavailable {
                        attempts: attempt,
                        source,
                    });
                }
                Err(Error::Unavailable { source, .. }) => {
                    tracing::warn!(attempt, %source, "database not reachable, trying again");
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                result => return result,
            }
        }
        unreachable!("the last attempt returns")
    }

    async fn try_put_evidence(&self, id: &EvidenceId, bytes: &[u8]) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO vault_evidence (id, bytes) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        )
        .bind(&id.0[..])
        .bind(bytes)
        .execute(&self.0)
        .await?;
        Ok(())
    }

    async fn try_evidence(&self, id: &EvidenceId) -> Result<Option<Vec<u8>>, Error> {
        sqlx::query_scalar("SELECT bytes FROM vault_evidence WHERE id = $1")
            .bind(&id.0[..])
            .fetch_optional(&self.0)
            .await?
            .map(|bytes| id.check(bytes))
            .transpose()
    }
}

fn migrations() -> Migrator {
    let mut migrator = Migrator::with_migrations(vec![Migration::new(
        1,
        Cow::Borrowed("vault"),
        MigrationType::Simple,
        include_str!("../migrations/0001_vault.sql").into_sql_str(),
        false,
    )]);
    migrator.dangerous_set_table_name("vault_migrations");
    migrator
}

fn is_local(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    let is_loopback = |ip: IpAddr| ip.is_loopback();
    options.get_socket().is_some()
        || host.starts_with('/')
        || host == "localhost"
        || host.trim_matches(['[', ']']).parse().is_ok_and(is_loopback)
}

/// Tells a server that is away from one that refuses.
impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let is_away = match &error {
            sqlx::Error::Io(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::BeginFailed
            // A stream that ends in the middle of a message.
            | sqlx::Error::Protocol(_) => true,
            // Connection lost (08), rolled back by the server (40), shutting down or starting
            // up (57P), too many connections (53300).
            sqlx::Error::Database(refusal) => refusal.code().is_some_and(|code| {
                ["08", "40", "57P"].iter().any(|class| code.starts_with(class)) || code == "53300"
            }),
            _ => false,
        };
        if is_away {
            Self::Unavailable {
                attempts: 1,
                source: Box::new(error),
            }
        } else {
            Self::Storage(Box::new(error))
        }
    }
}

/// A number as the `bigint` of a row. `None` above [`MAX_NUMBER`](crate::MAX_NUMBER): there is no
/// such row.
fn bigint(number: u64) -> Option<i64> {
    i64::try_from(number).ok()
}

/// A number that was bounded when its type was made.
fn bounded(number: u64) -> i64 {
    bigint(number).expect("numbers of records, blocks and versions are at most MAX_NUMBER")
}

#[async_trait]
impl Vault for Postgres {
    async fn put_batch(&self, batch: &Batch) -> Result<Written, Error> {
        self.retry(|| self.try_put_batch(batch)).await
    }

    async fn get(&self, key: &Key) -> Result<Option<Stored>, Error> {
        self.retry(|| self.try_get(key)).await
    }

    async fn range(&self, device: &DeviceId, times: std::ops::Range<u64>) -> Result<Page, Error> {
        self.retry(|| self.try_range(device, &times)).await
    }

    async fn manifest(&self, batch: &Root) -> Result<Option<Manifest>, Error> {
        self.retry(|| self.try_manifest(batch)).await
    }

    async fn pending(&self) -> Result<Vec<Root>, Error> {
        self.retry(|| self.try_pending()).await
    }

    async fn settle(&self, batch: &Root) -> Result<(), Error> {
        self.retry(|| self.try_settle(batch)).await
    }

    async fn put_evidence(&self, bytes: &[u8]) -> Result<EvidenceId, Error> {
        let id = EvidenceId::of(bytes)?;
        self.retry(|| self.try_put_evidence(&id, bytes)).await?;
        Ok(id)
    }

    async fn evidence(&self, id: &EvidenceId) -> Result<Option<Vec<u8>>, Error> {
        self.retry(|| self.try_evidence(id)).await
    }

    async fn put_blocks(&self, file: &FileId, blocks: &Blocks) -> Result<Written, Error> {
        self.retry(|| self.try_put_blocks(file, blocks)).await
    }

    async fn block(&self, file: &FileId, name: &BlockName) -> Result<Option<Block>, Error> {
        self.retry(|| self.try_block(file, name)).await
    }

    async fn missing_blocks(
        &self,
        file: &FileId,
        names: &[BlockName],
    ) -> Result<Vec<BlockName>, Error> {
        self.retry(|| self.try_missing_blocks(file, names)).await
    }

    async fn commit_version(&self, version: &FileVersion) -> Result<(), Error> {
        self.retry(|| self.try_commit_version(version)).await
    }

    async fn latest_version(&self, file: &FileId) -> Result<Option<u64>, Error> {
        self.retry(|| self.try_latest_version(file)).await
    }

    async fn version_record(&self, file: &FileId, number: u64) -> Result<Option<Vec<u8>>, Error> {
        self.retry(|| self.try_version_record(file, number)).await
    }

    async fn index(&self, file: &FileId, number: u64, from: u64) -> Result<IndexPage, Error> {
        self.retry(|| self.try_index(file, number, from)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_elsewhere_are_not_local() {
        let local = |url: &str| is_local(&url.parse().unwrap());
        for url in [
            "postgres://u@127.0.0.1/d",
            "postgres://u@[::1]:5432/d",
            "postgres://u@localhost/d",
            "postgres:///d?host=/run/postgresql",
        ] {
            assert!(local(url), "{url}");
        }
        for url in [
            "postgres://u@10.0.0.1/d",
            "postgres://u@localhost.example.org/d",
            "postgres://u@[2001:db8::1]/d",
        ] {
            assert!(!local(url), "{url}");
        }
    }
}
