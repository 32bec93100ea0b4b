//! The data directory of an embedded network.
//!
//! ```text
//! DIR/lock             held by the running process
//! DIR/genesis          the chain's constitution, public
//! DIR/keys/…           one secret each: validators, TA, LEA, RSUs, the register
//! DIR/vehicles/…       each vehicle's secret and what the TA gave it
//! DIR/wallets/…        each vehicle's credentials and open requests
//! DIR/register         the TA's register, sealed entry by entry
//! DIR/vault/…          evidence against vehicles, public
//! DIR/ta/…             what TA keeps of credentials: linkage seeds, slots, answers to traces
//! DIR/lea/…            what LEA keeps of them
//! DIR/issuer-N/…       what one issuer keeps: its keys and its log
//! DIR/chain/…          what the validators store
//! ```
//!
//! Directories with secrets and the files in them are readable by their owner only. A file is
//! written beside its place and renamed, so that after a power cut it is there whole or not at all.

use cairn_ledger::Genesis;
use commonware_codec::{DecodeExt as _, Encode as _};
use commonware_cryptography::{Hasher as _, Sha256};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};
use thiserror::Error;
use zeroize::Zeroizing;

/// The largest file that is read back: a genesis with 128 validators has about 17 KiB.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// Why a data directory cannot be used. The operator is at fault, or the disk.
#[derive(Debug, Error)]
pub enum HomeError {
    /// A file or directory cannot be read or written.
    #[error("data directory: cannot {action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Another process uses it.
    #[error("data directory {0} is in use by another process; stop it or choose another directory")]
    InUse(PathBuf),
    /// A file does not hold what its name says.
    #[error(
        "data directory: {path} is not {expected}; restore it, or start with an empty directory"
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
    },
    /// The directory holds files, but none of a network.
    #[error("directory {0} is not empty and holds no network of Cairn; choose another directory")]
    Foreign(PathBuf),
}

impl HomeError {
    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}

/// An open data directory. The process holds it alone until this is dropped.
pub struct Home {
    path: PathBuf,
    _lock: Option<File>,
}

impl Home {
    /// Opens the directory at `path`, and creates it if need be.
    pub fn open(path: &Path) -> Result<Self, HomeError> {
        create_private_dir(path)?;
        let lock_path = path.join("lock");
        let is_new = !lock_path.exists();
        if is_new
            && fs::read_dir(path)
                .map_err(HomeError::io("list", path))?
                .next()
                .is_some()
        {
            return Err(HomeError::Foreign(path.to_owned()));
        }
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(HomeError::io("open", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(HomeError::InUse(path.to_owned())),
            Err(fs::TryLockError::Error(error)) => {
                return Err(HomeError::io("lock", &lock_path)(error));
            }
        }
        for private in ["keys", "vehicles", "wallets", "chain"] {
            create_private_dir(&path.join(private))?;
        }
        Ok(Self {
            path: path.to_owned(),
            _lock: Some(lock),
        })
    }

    /// A directory that holds keys and no chain, and that several processes of one operator read.
    pub fn shared(path: &Path) -> Result<Self, HomeError> {
        create_private_dir(path)?;
        create_private_dir(&path.join("keys"))?;
        Ok(Self {
            path: path.to_owned(),
            _lock: None,
        })
    }

    /// The directory of one service within this one, with keys of its own. Valid as long as this
    /// one is open.
    pub fn part(&self, name: &str) -> Result<Self, HomeError> {
        let path = self.path.join(name);
        create_private_dir(&path)?;
        create_private_dir(&path.join("keys"))?;
        Ok(Self { path, _lock: None })
    }

    /// A file of this directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Where the validators store what they store.
    pub fn chain_storage(&self) -> PathBuf {
        self.path.join("chain")
    }

    /// Where the TA's register lies.
    pub fn register(&self) -> PathBuf {
        self.path.join("register")
    }

    /// Where evidence is kept.
    pub fn vault(&self) -> PathBuf {
        self.path.join("vault")
    }

    /// The genesis, if the directory holds a network already.
    pub fn genesis(&self) -> Result<Option<Genesis>, HomeError> {
        let path = self.path.join("genesis");
        let Some(bytes) = read(&path)? else {
            return Ok(None);
        };
        let genesis = Genesis::decode(bytes.to_vec()).map_err(|_| HomeError::Corrupt {
            path,
            expected: "a genesis",
        })?;
        Ok(Some(genesis))
    }

    /// Stores the genesis. Written after the keys, so that a genesis is never without them.
    pub fn set_genesis(&self, genesis: &Genesis) -> Result<(), HomeError> {
        write(&self.path.join("genesis"), &genesis.encode())
    }

    /// The secret called `name`, if it was made already.
    pub fn secret(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, HomeError> {
        read(&self.secret_path(name))
    }

    /// Stores the secret called `name`.
    pub fn set_secret(&self, name: &str, secret: &[u8]) -> Result<(), HomeError> {
        write(&self.secret_path(name), secret)
    }

    /// The error for a secret called `name` that is not `expected`.
    pub fn corrupt_secret(&self, name: &str, expected: &'static str) -> HomeError {
        HomeError::Corrupt {
            path: self.secret_path(name),
            expected,
        }
    }

    fn secret_path(&self, name: &str) -> PathBuf {
        self.path.join("keys").join(format!("{name}.key"))
    }

    /// What the vehicle called `name` keeps, if it was here before.
    pub fn vehicle(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, HomeError> {
        read(&self.vehicle_path(name))
    }

    /// Stores what the vehicle called `name` keeps.
    pub fn set_vehicle(&self, name: &str, kept: &[u8]) -> Result<(), HomeError> {
        write(&self.vehicle_path(name), kept)
    }

    /// The error for the file of the vehicle called `name` when it holds no key.
    pub fn corrupt_vehicle(&self, name: &str) -> HomeError {
        HomeError::Corrupt {
            path: self.vehicle_path(name),
            expected: "a vehicle's key and request id",
        }
    }

    /// The credentials of the vehicle called `name`, if it has any.
    pub fn wallet(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, HomeError> {
        read(&self.wallet_path(name))
    }

    /// Stores the credentials of the vehicle called `name`.
    pub fn set_wallet(&self, name: &str, wallet: &[u8]) -> Result<(), HomeError> {
        write(&self.wallet_path(name), wallet)
    }

    /// The error for the file of the vehicle called `name` when it holds no credentials.
    pub fn corrupt_wallet(&self, name: &str) -> HomeError {
        HomeError::Corrupt {
            path: self.wallet_path(name),
            expected: "a vehicle's credentials",
        }
    }

    fn wallet_path(&self, name: &str) -> PathBuf {
        let file = Sha256::hash(&[name.as_bytes()]).to_string();
        self.path.join("wallets").join(file)
    }

    /// Vehicle names come from traces and may hold anything; their hash may not.
    fn vehicle_path(&self, name: &str) -> PathBuf {
        let file = Sha256::hash(&[name.as_bytes()]).to_string();
        self.path.join("vehicles").join(file)
    }

    /// Bytes on disk below the directory.
    pub fn disk_bytes(&self) -> u64 {
        disk_bytes(&self.path)
    }
}

/// Bytes of all files below `path`; files that vanish meanwhile count nothing.
fn disk_bytes(path: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(path) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => disk_bytes(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}

fn create_private_dir(path: &Path) -> Result<(), HomeError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(HomeError::io("create", path))
}

fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, HomeError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(HomeError::io("open", path)(error)),
    };
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(MAX_FILE_BYTES)
        .read_to_end(&mut bytes)
        .map_err(HomeError::io("read", path))?;
    Ok(Some(bytes))
}

/// Writes a file whole or not at all, readable by its owner only.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), HomeError> {
    let beside = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options
        .open(&beside)
        .map_err(HomeError::io("create", &beside))?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(HomeError::io("write", &beside))?;
    fs::rename(&beside, path).map_err(HomeError::io("rename", &beside))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_kept_and_are_their_owners_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("network");
        let home = Home::open(&path).unwrap();
        assert!(home.secret("ta").unwrap().is_none());
        home.set_secret("ta", &[1, 2, 3]).unwrap();
        assert_eq!(*home.secret("ta").unwrap().unwrap(), [1, 2, 3]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&path.join("keys/ta.key")), 0o600);
            assert_eq!(mode(&path.join("keys")), 0o700);
        }
    }

    #[test]
    fn a_directory_serves_one_process_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("network");
        let home = Home::open(&path).unwrap();
        assert!(matches!(Home::open(&path), Err(HomeError::InUse(_))));
        drop(home);
        Home::open(&path).unwrap();
    }

    #[test]
    fn a_directory_of_something_else_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("thesis.tex"), "chapter 1").unwrap();
        assert!(matches!(Home::open(dir.path()), Err(HomeError::Foreign(_))));
    }

    #[test]
    fn vehicles_with_strange_names_stay_inside() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::open(dir.path()).unwrap();
        home.set_vehicle("../../etc/passwd", b"kept").unwrap();
        let kept = home.vehicle("../../etc/passwd").unwrap().unwrap();
        assert_eq!(*kept, b"kept");
        assert_eq!(
            fs::read_dir(dir.path().join("vehicles")).unwrap().count(),
            1
        );
    }
}
