//! What may happen to a vault in a directory: killed processes, cut-off writes, full disks,
//! second processes, rows changed behind its back.

mod common;

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use cairn_vault::{
    Batch, Block, BlockName, Blocks, Embedded, Error, FileId, Item, MAX_CONTENT, Tag, Vault,
    check_batch, inclusion, open,
};
use common::{batch, key, record, rng};
use fjall::{Database, KeyspaceCreateOptions};
use rand::Rng as _;

/// Where the process that [`writer`] starts keeps its vault.
const CHILD: &str = "CAIRN_VAULT_TEST_CHILD";

/// Batch `n` of the writer: 256 records whose content does not compress.
fn heavy(n: u64) -> Batch {
    let records = (0..256).map(|i| {
        let mut content = vec![0; MAX_CONTENT];
        rng(n * 1_000 + i).fill_bytes(&mut content);
        record(1, n * 1_000 + i, &content)
    });
    Batch::new(records.collect()).unwrap()
}

/// Not a test of its own: the process that others kill. Writes batches and says so after each.
#[tokio::test]
async fn child() {
    let Ok(directory) = std::env::var(CHILD) else {
        return;
    };
    let vault = Embedded::open(Path::new(&directory)).unwrap();
    for n in 0.. {
        match vault.put_batch(&heavy(n)).await {
            Ok(_) => println!("stored {n}"),
            Err(error) => {
                println!("failed {error:?}");
                let again = vault.put_batch(&heavy(n)).await;
                println!("failed {:?}", again.err());
                let first = vault.get(&key(1, 0)).await;
                println!("read {}", first.is_ok_and(|found| found.is_some()));
                return;
            }
        }
    }
}

/// Starts a writer, under `limit` (shell commands).
fn writer(directory: &Path, limit: &str) -> Child {
    Command::new("sh")
        .args([
            "-c",
            &format!("{limit} exec \"$0\" --exact child --nocapture"),
        ])
        .arg(std::env::current_exe().unwrap())
        .env(CHILD, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn lines(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
}

/// Batches `0..acknowledged` are complete; the one after is complete or absent.
async fn assert_kept(directory: &Path, acknowledged: u64) {
    let vault = Embedded::open(directory).unwrap();
    for n in 0..acknowledged {
        let root = heavy(n).root();
        assert_eq!(check_batch(&vault, &root).await.unwrap(), Some(256));
    }
    let next = heavy(acknowledged);
    let known = match check_batch(&vault, &next.root()).await.unwrap() {
        Some(256) => 256,
        None => 0,
        Some(part) => panic!("{part} records of a batch of 256"),
    };
    // It goes on where the process was: nothing is lost, nothing counts twice.
    let written = vault.put_batch(&next).await.unwrap();
    assert_eq!((written.new, written.known), (256 - known, known));
    assert_eq!(
        vault.pending().await.unwrap().len() as u64,
        acknowledged + 1
    );
}

#[tokio::test]
async fn a_killed_process_loses_nothing_it_acknowledged() {
    for kill_after in [1, 4, 9] {
        let directory = tempfile::tempdir().unwrap();
        let mut child = writer(directory.path(), "");
        let mut said = lines(&mut child);
        let is_stored = |line: &String| line.starts_with("stored");
        assert_eq!(
            said.by_ref().filter(is_stored).take(kill_after).count(),
            kill_after
        );
        child.kill().unwrap();
        child.wait().unwrap();
        // What it said between the last line read and its end counts too.
        let acknowledged = kill_after + said.filter(is_stored).count();
        assert_kept(directory.path(), acknowledged as u64).await;
    }
}

/// A file-size limit stands in for a full disk: the write fails half done.
#[cfg(unix)]
#[tokio::test]
async fn a_full_disk_is_an_error_and_loses_nothing_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    // 131,072 blocks of 512 bytes: the 64 MiB that the log reserves at its start. The signal
    // would end the process; ignored, the write fails.
    let mut child = writer(directory.path(), "trap '' XFSZ; ulimit -f 131072;");
    let said: Vec<_> = lines(&mut child).collect();
    child.wait().unwrap();
    let count = |what| said.iter().filter(|line| line.starts_with(what)).count();
    assert_eq!(count("failed Storage"), 1, "{said:?}");
    assert_eq!(count("failed Some(Storage"), 1, "{said:?}");
    assert_eq!(count("read true"), 1, "{said:?}");
    assert!(count("stored") > 0);
    assert_kept(directory.path(), count("stored") as u64).await;
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The log, and where its content ends (the rest is reserved space).
fn log(directory: &Path) -> (PathBuf, usize) {
    let mut logs = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "jnl"));
    let path = logs.next().unwrap();
    assert_eq!(logs.next(), None);
    let bytes = fs::read(&path).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    (path, end)
}

/// Two batches, and the bytes of the log that the second one takes.
async fn two_batches(directory: &Path) -> (Batch, Batch, std::ops::Range<usize>) {
    let (first, second) = (batch(1, 0..20), batch(1, 20..40));
    let vault = Embedded::open(directory).unwrap();
    vault.put_batch(&first).await.unwrap();
    let start = log(directory).1;
    vault.put_batch(&second).await.unwrap();
    drop(vault);
    let end = log(directory).1;
    (first, second, start..end)
}

#[tokio::test]
async fn a_write_cut_off_anywhere_is_dropped_as_a_whole() {
    let directory = tempfile::tempdir().unwrap();
    let (first, second, written) = two_batches(directory.path()).await;
    let cuts = written
        .clone()
        .step_by(written.len() / 12)
        .chain([written.end - 1]);
    for (cut, zeros) in cuts.flat_map(|cut| [(cut, false), (cut, true)]) {
        let torn = tempfile::tempdir().unwrap();
        copy(directory.path(), torn.path());
        let (path, _) = log(torn.path());
        let file = fs::OpenOptions::new().write(true).open(path).unwrap();
        let reserved = file.metadata().unwrap().len();
        file.set_len(cut as u64).unwrap();
        // Cut off, or followed by the zeros of space that was reserved and not written.
        if zeros {
            file.set_len(reserved).unwrap();
        }
        let vault = Embedded::open(torn.path()).unwrap();
        assert_eq!(check_batch(&vault, &first.root()).await.unwrap(), Some(20));
        assert_eq!(check_batch(&vault, &second.root()).await.unwrap(), None);
        assert!(vault.get(&key(1, 20)).await.unwrap().is_none());
        assert_eq!(vault.put_batch(&second).await.unwrap().new, 20);
    }
}

#[tokio::test]
async fn a_damaged_log_never_gives_part_of_a_batch() {
    let directory = tempfile::tempdir().unwrap();
    let (first, second, written) = two_batches(directory.path()).await;
    for at in written.clone().step_by(written.len() / 12) {
        let damaged = tempfile::tempdir().unwrap();
        copy(directory.path(), damaged.path());
        let (path, _) = log(damaged.path());
        let mut bytes = fs::read(&path).unwrap();
        bytes[at] ^= 0x55;
        fs::write(&path, bytes).unwrap();
        let vault = match Embedded::open(damaged.path()) {
            Ok(vault) => vault,
            Err(Error::DamagedLog(path)) if path == damaged.path() => continue,
            Err(other) => panic!("byte {at}: {other:?}"),
        };
        assert_eq!(check_batch(&vault, &first.root()).await.unwrap(), Some(20));
        assert_eq!(
            check_batch(&vault, &second.root()).await.unwrap(),
            None,
            "byte {at}"
        );
    }
}

#[tokio::test]
async fn everything_is_there_after_opening_again() {
    let directory = tempfile::tempdir().unwrap();
    let batch = batch(1, 0..100);
    let file = FileId([1; 32]);
    let name = BlockName {
        id: 3,
        edition: [4; 16],
    };
    let block = Block::new(name, Tag([5; 48]), vec![6; 7_936]).unwrap();
    let evidence = {
        let vault = open(directory.path().to_str().unwrap()).await.unwrap();
        vault.put_batch(&batch).await.unwrap();
        vault.settle(&batch.root()).await.unwrap();
        let blocks = Blocks::new(&file, vec![block.clone()]).unwrap();
        vault.put_blocks(&file, &blocks).await.unwrap();
        vault.put_evidence(b"seen").await.unwrap()
    };
    let vault = Embedded::open(directory.path()).unwrap();
    assert_eq!(check_batch(&vault, &batch.root()).await.unwrap(), Some(100));
    assert!(vault.pending().await.unwrap().is_empty());
    assert_eq!(vault.block(&file, &name).await.unwrap(), Some(block));
    assert_eq!(vault.evidence(&evidence).await.unwrap().unwrap(), b"seen");
}

#[tokio::test]
async fn a_directory_serves_one_process_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = writer(directory.path(), "");
    let mut said = lines(&mut child);
    assert!(said.any(|line| line.starts_with("stored")));
    let error = Embedded::open(directory.path()).err();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(matches!(error, Some(Error::InUse(path)) if path == directory.path()));
    Embedded::open(directory.path()).unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_directory_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let inner = directory.path().join("a/vault");
    let _vault = Embedded::open(&inner).unwrap();
    assert_eq!(
        fs::metadata(&inner).unwrap().permissions().mode() & 0o777,
        0o700
    );
}

/// Changes the rows of a closed vault behind its back.
fn tamper(directory: &Path, keyspace: &str, change: impl FnOnce(&fjall::Keyspace)) {
    let db = Database::builder(directory).open().unwrap();
    let keyspace = db
        .keyspace(keyspace, KeyspaceCreateOptions::default)
        .unwrap();
    change(&keyspace);
    db.persist(fjall::PersistMode::SyncAll).unwrap();
}

fn row(device: u8, time: u64) -> Vec<u8> {
    [&[device; 32][..], &time.to_be_bytes()].concat()
}

async fn with_two_devices(directory: &Path) -> Batch {
    let vault = Embedded::open(directory).unwrap();
    let records = vec![
        record(1, 5, b"one"),
        record(2, 5, b"two"),
        record(1, 6, b"six"),
    ];
    let batch = Batch::new(records).unwrap();
    vault.put_batch(&batch).await.unwrap();
    batch
}

/// Stored bytes of a record with three bytes of content.
const LENGTH: usize = 97 + 3;

#[tokio::test]
async fn any_changed_byte_of_a_record_is_found_out() {
    let directory = tempfile::tempdir().unwrap();
    let batch = with_two_devices(directory.path()).await;
    for at in 0..LENGTH {
        tamper(directory.path(), "records", |records| {
            let mut value = records.get(row(1, 5)).unwrap().unwrap().to_vec();
            assert_eq!(value.len(), LENGTH);
            value[at] ^= 1;
            records.insert(row(1, 5), value).unwrap();
        });
        let vault = Embedded::open(directory.path()).unwrap();
        // The root of the batch (65..97) is not part of the record: the manifest tells.
        let error = inclusion(&vault, &key(1, 5)).await.unwrap_err();
        match at {
            65..97 => assert!(matches!(error, Error::Corrupt(Item::Batch(_))), "byte {at}"),
            _ => {
                assert!(matches!(error, Error::Corrupt(Item::Record(k)) if k == key(1, 5)));
                let range = vault.range(&key(1, 0).device, 0..10).await;
                assert!(matches!(range, Err(Error::Corrupt(_))), "byte {at}");
                assert!(check_batch(&vault, &batch.root()).await.is_err());
            }
        }
        drop(vault);
        tamper(directory.path(), "records", |records| {
            let mut value = records.get(row(1, 5)).unwrap().unwrap().to_vec();
            value[at] ^= 1;
            records.insert(row(1, 5), value).unwrap();
        });
    }
}

#[tokio::test]
async fn rows_swapped_between_devices_or_deleted_are_found_out() {
    let directory = tempfile::tempdir().unwrap();
    let batch = with_two_devices(directory.path()).await;
    tamper(directory.path(), "records", |records| {
        let one = records.get(row(1, 5)).unwrap().unwrap();
        let two = records.get(row(2, 5)).unwrap().unwrap();
        records.insert(row(1, 5), two).unwrap();
        records.insert(row(2, 5), one).unwrap();
        records.remove(row(1, 6)).unwrap();
    });
    let vault = Embedded::open(directory.path()).unwrap();
    for device in [1, 2] {
        let error = vault.get(&key(device, 5)).await.unwrap_err();
        assert!(matches!(error, Error::Corrupt(Item::Record(k)) if k == key(device, 5)));
    }
    drop(vault);

    let directory = tempfile::tempdir().unwrap();
    with_two_devices(directory.path()).await;
    tamper(directory.path(), "records", |records| {
        records.remove(row(1, 6)).unwrap()
    });
    let vault = Embedded::open(directory.path()).unwrap();
    assert!(vault.get(&key(1, 6)).await.unwrap().is_none());
    let error = check_batch(&vault, &batch.root()).await.unwrap_err();
    assert!(matches!(error, Error::Corrupt(Item::Record(k)) if k == key(1, 6)));
}

#[tokio::test]
async fn another_layout_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    drop(Embedded::open(directory.path()).unwrap());
    tamper(directory.path(), "meta", |meta| {
        meta.insert("layout", 2_u32.to_be_bytes()).unwrap();
    });
    let error = Embedded::open(directory.path()).err().unwrap();
    assert!(matches!(error, Error::Layout { expected: 1, .. }));
}

#[tokio::test]
async fn a_url_of_another_kind_is_not_taken_for_a_directory() {
    let error = open("mysql://user:secret@host/db").await.err().unwrap();
    assert!(matches!(error, Error::Location(_)));
    assert!(!error.to_string().contains("secret"));
}

/// Outside tokio (the deterministic runtime) the store works in place.
#[test]
fn no_tokio_is_needed() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Embedded::open(directory.path()).unwrap();
    let batch = batch(1, 0..5);
    let mut put = std::pin::pin!(vault.put_batch(&batch));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(written) = put.as_mut().poll(&mut context) else {
        panic!("the work is done when the first poll returns");
    };
    assert_eq!(written.unwrap().new, 5);
}
