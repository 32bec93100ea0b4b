//! Stores and records for tests.
#![allow(dead_code)] // Each test crate uses its own part.

use std::sync::Arc;

use cairn_vault::{Batch, Blind, DeviceId, Embedded, Grade, Key, Record, Vault};
use rand::{SeedableRng, rngs::StdRng};

pub fn rng(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

pub fn key(device: u8, time_ms: u64) -> Key {
    Key {
        device: DeviceId([device; 32]),
        time_ms,
    }
}

/// The same arguments give the same record, `r` included.
pub fn record(device: u8, time_ms: u64, content: &[u8]) -> Record {
    let blind = Blind::random(&mut rng(time_ms << 8 | u64::from(device)));
    Record::new(key(device, time_ms), Grade(2), content.to_vec(), blind).unwrap()
}

pub fn batch(device: u8, times: impl IntoIterator<Item = u64>) -> Batch {
    let records = times
        .into_iter()
        .map(|time| record(device, time, format!("content {time}").as_bytes()));
    Batch::new(records.collect()).unwrap()
}

/// A store, and what must live as long as it.
pub struct Fixture {
    pub vault: Arc<dyn Vault>,
    _directory: Option<tempfile::TempDir>,
}

pub fn embedded() -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    Fixture {
        vault: Arc::new(Embedded::open(directory.path()).unwrap()),
        _directory: Some(directory),
    }
}

/// A store in a schema of its own. `None`, and says so, without `CAIRN_POSTGRES`.
#[cfg(feature = "postgres")]
pub async fn postgres(schema: &str) -> Option<Fixture> {
    let url = fresh_schema(schema).await?;
    Some(Fixture {
        vault: cairn_vault::open(&url).await.unwrap(),
        _directory: None,
    })
}

/// The server's URL with an empty schema as search path.
#[cfg(feature = "postgres")]
pub async fn fresh_schema(schema: &str) -> Option<String> {
    use sqlx::{AssertSqlSafe, Connection, PgConnection};
    let Ok(url) = std::env::var("CAIRN_POSTGRES") else {
        println!("skipped: CAIRN_POSTGRES not set");
        return None;
    };
    let schema = format!("cairn_test_{schema}");
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let renew = format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}");
    sqlx::raw_sql(AssertSqlSafe(renew))
        .execute(&mut connection)
        .await
        .unwrap();
    let separator = if url.contains('?') { '&' } else { '?' };
    Some(format!("{url}{separator}options=-csearch_path%3D{schema}"))
}

/// Runs one test body against every store.
#[macro_export]
macro_rules! for_every_store {
    ($($name:ident)*) => {
        mod embedded {
            $(#[tokio::test]
            async fn $name() {
                let fixture = super::common::embedded();
                super::$name(&*fixture.vault).await;
            })*
        }
        #[cfg(feature = "postgres")]
        mod postgres {
            $(#[tokio::test]
            async fn $name() {
                if let Some(fixture) = super::common::postgres(stringify!($name)).await {
                    super::$name(&*fixture.vault).await;
                }
            })*
        }
    };
}
