//! What may happen to a vault in PostgreSQL: connections cut anywhere, a server that crashes and
//! comes back, rows changed behind its back, two processes that start at once.

mod common;

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use cairn_vault::{Batch, Error, Item, Postgres, Vault, check_batch, inclusion};
use common::{batch, fresh_schema, key, record};
use sqlx::{Connection, PgConnection, SqlSafeStr};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

async fn execute(url: &str, sql: impl SqlSafeStr) -> u64 {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let done = sqlx::query(sql).execute(&mut connection).await.unwrap();
    done.rows_affected()
}

async fn count(url: &str) -> i64 {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::query_scalar("SELECT count(*) FROM vault_records")
        .fetch_one(&mut connection)
        .await
        .unwrap()
}

/// Bytes that a proxy passes on, per direction, before it cuts every connection once.
#[derive(Clone, Default)]
struct Budget {
    up: Arc<AtomicI64>,
    down: Arc<AtomicI64>,
}

const UNLIMITED: i64 = i64::MAX;

/// Passes bytes on until the budget is used up; then it is unlimited again and `false` is
/// returned.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, budget: Arc<AtomicI64>) {
    let mut buffer = [0; 4_096];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let left = budget.load(Ordering::SeqCst);
        let allowed = usize::try_from(left).unwrap_or(0).min(length);
        if to.write_all(&buffer[..allowed]).await.is_err() {
            return;
        }
        if allowed < length {
            budget.store(UNLIMITED, Ordering::SeqCst);
            return;
        }
        if left != UNLIMITED {
            budget.fetch_sub(length as i64, Ordering::SeqCst);
        }
    }
}

/// A proxy in front of the server; when one direction ends, both do. Returns its port.
async fn proxy(server: String, budget: Budget) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&server).await.unwrap();
            let (client_read, client_write) = client.into_split();
            let (server_read, server_write) = server.into_split();
            let budget = budget.clone();
            tokio::spawn(async move {
                tokio::select! {
                    () = pass(client_read, server_write, budget.up) => {}
                    () = pass(server_read, client_write, budget.down) => {}
                }
            });
        }
    });
    port
}

/// `url` with another host and port, and the host and port it had.
fn redirect(url: &str, port: u16) -> (String, String) {
    let at = url
        .find('@')
        .map_or_else(|| url.find("://").unwrap() + 3, |at| at + 1);
    let end = at + url[at..].find(['/', '?']).unwrap();
    let redirected = format!("{}127.0.0.1:{port}{}", &url[..at], &url[end..]);
    (redirected, url[at..end].to_owned())
}

/// The connection is cut after every so many bytes, up and down: also between the commit and its
/// acknowledgement.
#[tokio::test]
async fn a_connection_cut_anywhere_loses_nothing_and_counts_nothing_twice() {
    let Some(url) = fresh_schema("cut").await else {
        return;
    };
    let budget = Budget::default();
    budget.up.store(UNLIMITED, Ordering::SeqCst);
    budget.down.store(UNLIMITED, Ordering::SeqCst);
    let (_, server) = redirect(&url, 0);
    let port = proxy(server, budget.clone()).await;
    let vault = Postgres::connect(&redirect(&url, port).0).await.unwrap();

    let up = [0, 1, 100, 1_000, 5_000, 20_000, 30_000, 36_000, 37_000].map(|n| (&budget.up, n));
    let down = (0..60).step_by(6).map(|n| (&budget.down, n));
    let mut stored = 0;
    let mut cuts = 0;
    for (direction, bytes) in up.into_iter().chain(down) {
        let batch = batch(1, stored..stored + 200);
        direction.store(bytes, Ordering::SeqCst);
        let written = vault.put_batch(&batch).await.unwrap();
        if direction.swap(UNLIMITED, Ordering::SeqCst) == UNLIMITED {
            cuts += 1;
        }
        stored += 200;
        assert_eq!(written.new + written.known, 200);
        assert_eq!(count(&url).await as u64, stored);
        assert_eq!(check_batch(&vault, &batch.root()).await.unwrap(), Some(200));
    }
    assert!(cuts >= 12, "only {cuts} connections were cut");
}

/// A server of our own, as it must be crashed.
struct Server {
    directory: tempfile::TempDir,
    binaries: PathBuf,
    port: u16,
}

impl Server {
    /// `None`, and says so, where PostgreSQL's programs are not installed.
    fn start() -> Option<Self> {
        let binaries = std::fs::read_dir("/usr/lib/postgresql")
            .ok()
            .and_then(|versions| versions.flatten().map(|v| v.path().join("bin")).max());
        let Some(binaries) = binaries.filter(|path| path.join("initdb").exists()) else {
            println!("skipped: no initdb under /usr/lib/postgresql");
            return None;
        };
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            directory: tempfile::tempdir().unwrap(),
            binaries,
            port: free.local_addr().unwrap().port(),
        };
        drop(free);
        let path = server.directory.path();
        if is_root() {
            assert!(
                Command::new("chown")
                    .arg("postgres")
                    .arg(path)
                    .status()
                    .unwrap()
                    .success()
            );
        }
        server.run("initdb", &["--auth=trust", "--username=vault"]);
        server.control("start", "fast");
        Some(server)
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn url(&self) -> String {
        format!("postgres://vault@127.0.0.1:{}/postgres", self.port)
    }

    fn control(&self, action: &str, mode: &str) {
        let path = self.directory.path().display();
        let options = format!("-c listen_addresses=127.0.0.1 -p {} -k {path}", self.port);
        let log = format!("{path}/log");
        let mut arguments = vec![action, "--wait", "--log", &log];
        if action != "stop" {
            arguments.extend(["-o", &options]);
        }
        if action != "start" {
            arguments.extend(["-m", mode]);
        }
        self.run("pg_ctl", &arguments);
    }

    /// Runs one of PostgreSQL's programs, which refuse to run as root.
    fn run(&self, program: &str, arguments: &[&str]) {
        let program = self.binaries.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        let status = command
            .args(arguments)
            .arg("-D")
            .arg(self.data())
            .current_dir(self.directory.path())
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "{command:?}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.control("stop", "immediate");
    }
}

fn is_root() -> bool {
    let owner = |path: &Path| std::os::unix::fs::MetadataExt::uid(&path.metadata().unwrap());
    owner(Path::new("/proc/self")) == 0
}

/// The server is stopped as a crash would and started again, several times, while two writers
/// store batches.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_crashes_and_comes_back_loses_nothing_acknowledged() {
    if std::env::var("CAIRN_POSTGRES").is_err() {
        println!("skipped: CAIRN_POSTGRES not set");
        return;
    }
    let Some(server) = Server::start() else {
        return;
    };
    let server = Arc::new(server);
    let vault = Postgres::connect(&server.url()).await.unwrap();
    let write = |device: u8| {
        let (vault, server) = (vault.clone(), Arc::clone(&server));
        async move {
            for n in 0..60 {
                // From batch to batch the crash of device 1 meets device 2 somewhere else.
                if device == 1 && n % 20 == 10 {
                    let server = Arc::clone(&server);
                    let crash = move || server.control("restart", "immediate");
                    tokio::task::spawn_blocking(crash).await.unwrap();
                }
                let batch = batch(device, n * 500..(n + 1) * 500);
                let written = vault.put_batch(&batch).await.unwrap();
                assert_eq!(written.new + written.known, 500);
            }
        }
    };
    let writers = [tokio::spawn(write(1)), tokio::spawn(write(2))];
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(count(&server.url()).await, 2 * 60 * 500);
    let pending = vault.pending().await.unwrap();
    assert_eq!(pending.len(), 2 * 60);
    for root in pending {
        assert_eq!(check_batch(&vault, &root).await.unwrap(), Some(500));
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_to_be_away() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let url = format!("postgres://vault:secret@127.0.0.1:{port}/none");
    let error = Postgres::connect(&url).await.err().unwrap();
    assert!(matches!(error, Error::Unavailable { attempts: 1, .. }));
    let error = Postgres::connect("postgres://u:secret@h:port/d")
        .await
        .err()
        .unwrap();
    assert!(matches!(error, Error::Location(_)));
    assert!(!format!("{error:?}").contains("secret"));
}

#[tokio::test]
async fn changed_swapped_and_deleted_rows_are_found_out() {
    let Some(url) = fresh_schema("tamper").await else {
        return;
    };
    let vault = Postgres::connect(&url).await.unwrap();
    let records = vec![
        record(1, 5, b"one"),
        record(2, 5, b"two"),
        record(1, 6, b"six"),
    ];
    let batch = Batch::new(records).unwrap();
    vault.put_batch(&batch).await.unwrap();

    let changes = [
        "UPDATE vault_records SET content = 'One' WHERE content = 'one'",
        "UPDATE vault_records SET content = 'one', grade = 9 WHERE content = 'One'",
        "UPDATE vault_records SET grade = 2, blind = sha256('') WHERE content = 'one'",
    ];
    for change in changes {
        assert_eq!(execute(&url, change).await, 1);
        let error = vault.get(&key(1, 5)).await.unwrap_err();
        assert!(matches!(error, Error::Corrupt(Item::Record(k)) if k == key(1, 5)));
        assert!(vault.range(&key(1, 0).device, 0..10).await.is_err());
    }
    let moved = "UPDATE vault_records SET device = decode(repeat('02', 32), 'hex') \
        WHERE content = 'six'";
    assert_eq!(execute(&url, moved).await, 1);
    let error = vault.get(&key(2, 6)).await.unwrap_err();
    assert!(matches!(error, Error::Corrupt(Item::Record(k)) if k == key(2, 6)));
    assert_eq!(
        execute(&url, "DELETE FROM vault_records WHERE content <> 'six'").await,
        2
    );
    let error = check_batch(&vault, &batch.root()).await.unwrap_err();
    assert!(matches!(error, Error::Corrupt(Item::Record(k)) if k == key(1, 5)));

    let shortened = "UPDATE vault_batches SET manifest = substr(manifest, 73)";
    assert_eq!(execute(&url, shortened).await, 1);
    let error = vault.manifest(&batch.root()).await.unwrap_err();
    assert!(matches!(error, Error::Corrupt(Item::Batch(root)) if root == batch.root()));
}

#[tokio::test]
async fn changed_evidence_and_blocks_are_found_out() {
    use cairn_vault::{Block, BlockName, Blocks, FileId, Tag};
    let Some(url) = fresh_schema("tamper_files").await else {
        return;
    };
    let vault = Postgres::connect(&url).await.unwrap();
    let id = vault.put_evidence(b"seen").await.unwrap();
    let (file, edition) = (FileId([1; 32]), [4; 16]);
    let names = [3, 4].map(|id| BlockName { id, edition });
    let block = |name| Block::new(name, Tag([5; 48]), b"sectors".to_vec()).unwrap();
    let blocks = Blocks::new(&file, names.map(block).to_vec()).unwrap();
    vault.put_blocks(&file, &blocks).await.unwrap();

    execute(&url, "UPDATE vault_evidence SET bytes = 'unseen'").await;
    let error = vault.evidence(&id).await.unwrap_err();
    assert!(matches!(error, Error::Corrupt(Item::Evidence(found)) if found == id));
    // Block 3 gets another tag, block 4 goes to id 5.
    let changes = "UPDATE vault_blocks SET id = CASE id WHEN 4 THEN 5 ELSE id END, \
        tag = CASE id WHEN 3 THEN substr(tag, 2) || 'x' ELSE tag END";
    assert_eq!(execute(&url, changes).await, 2);
    for id in [3, 5] {
        let name = BlockName { id, edition };
        let error = vault.block(&file, &name).await.unwrap_err();
        assert!(matches!(error, Error::Corrupt(Item::Block(_, n)) if n == name));
    }
}

#[tokio::test]
async fn several_processes_may_start_and_write_at_once() {
    let Some(url) = fresh_schema("several").await else {
        return;
    };
    let start = async || Postgres::connect(&url).await.unwrap();
    let (a, b, c) = tokio::join!(start(), start(), start());
    let batch = batch(1, 0..1_000);
    let put = async |vault: &Postgres| vault.put_batch(&batch).await.unwrap().new;
    let (x, y, z) = tokio::join!(put(&a), put(&b), put(&c));
    assert_eq!(x + y + z, 1_000);
    assert!(inclusion(&c, &key(1, 999)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_schema_of_a_newer_program_is_refused() {
    let Some(url) = fresh_schema("newer").await else {
        return;
    };
    drop(Postgres::connect(&url).await.unwrap());
    let newer = "INSERT INTO vault_migrations SELECT 99, 'newer', now(), true, '', 0";
    assert_eq!(execute(&url, newer).await, 1);
    let error = Postgres::connect(&url).await.err().unwrap();
    assert!(matches!(error, Error::Storage(_)));
}
