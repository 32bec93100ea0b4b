//! A store: opened, with its ledger running.

use super::{FilesError, issuers::Issuers};
use crate::{
    clock::TraceClock,
    embedded::{self, Keys, constitution, signing_key, start_validators, stop_validators},
    home::Home,
    ledger::Ledger,
    network::NetworkError,
};
use cairn_contracts::{
    files::{self, AuditState, FileHead, Operation, Parameters, VersionRecord},
    groups,
};
use cairn_crypto::possession::{FileId, GroupKey, KeyId};
use cairn_ledger::{Address, Genesis, PrivateKey, StateKey, execute::instance_key};
use cairn_vault::Embedded;
use commonware_codec::{Encode as _, Read};
use commonware_cryptography::Signer as _;
use commonware_parallel::Rayon;
use commonware_runtime::{
    Clock as _, Runner as _, Supervisor as _,
    tokio::{Config as RuntimeConfig, Context, Runner},
};
use rand::{SeedableRng as _, rngs::StdRng};
use std::{
    fs,
    io::{self, Read as _},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
    time::UNIX_EPOCH,
};

/// The nonces of TA's first transactions, which deploy.
const GROUPS_NONCE: u64 = 1;
const FILES_NONCE: u64 = 2;

/// How long a transaction may wait for a block, in milliseconds.
const PATIENCE_MS: u64 = 60_000;

/// Longest time between two verdicts on a file before it is overdue: a week.
const AUDIT_INTERVAL_MS: u64 = 7 * 24 * 3_600_000;

/// Largest public key that is read back: 256 sectors take 12,386 bytes.
const MAX_KEY_BYTES: u64 = 16 * 1024;

/// An open store. Its ledger runs as long as the work given to [`open`] does.
pub struct Store {
    pub(super) path: PathBuf,
    pub(super) genesis: Genesis,
    pub(super) ledger: Ledger<Context>,
    pub(super) contract: Address,
    pub(super) operator: PrivateKey,
    pub(super) auditor: PrivateKey,
    pub(super) ta: PrivateKey,
    pub(super) lea: PrivateKey,
    pub(super) groups: Address,
    pub(super) issuers: Issuers,
    pub(super) home: Arc<Home>,
    /// Opened at first use: an audit of a store whose vault does not even open has a verdict too.
    vault: Option<Embedded>,
    pub(super) strategy: Rayon,
    pub(super) rng: StdRng,
    pub(super) clock: TraceClock,
    nonce: u64,
}

/// Opens the store in `path`, hands it to `work`, and stops it. With `create`, a store is made
/// when there is none.
///
/// # Errors
///
/// [`FilesError::NoStore`], [`FilesError::Foreign`], and those of `work`.
pub fn open<T, W>(path: &Path, create: bool, work: W) -> Result<T, FilesError>
where
    W: AsyncFnOnce(&mut Store) -> Result<T, FilesError>,
{
    let network = path.join("network");
    if !network.is_dir() {
        if !create {
            return Err(FilesError::NoStore(path.to_owned()));
        }
        prepare(path)?;
    }
    let home = Arc::new(Home::open(&network)?);
    let config = RuntimeConfig::default().with_storage_directory(home.chain_storage());
    Runner::new(config).start(|context| async move {
        let mut rng = StdRng::from_rng(&mut context.child("seed"));
        let since_1970 = context.current().duration_since(UNIX_EPOCH);
        let now_ms = u64::try_from(since_1970.unwrap_or_default().as_millis()).unwrap_or(u64::MAX);
        let clock = TraceClock::new(context.child("clock"), now_ms, u64::MAX);
        let ta = signing_key(&home, "ta", &mut rng)?;
        let lea = signing_key(&home, "lea", &mut rng)?;
        let (genesis, keys): (Genesis, Keys) =
            constitution(&home, embedded::NAME, 1, [&ta, &lea], now_ms, &mut rng)
                .map_err(|error: NetworkError| FilesError::Embedded(error.into()))?;
        let validators =
            start_validators(&context, embedded::PARTITION, &genesis, keys, &clock).await?;
        let ledger = Ledger::observe(&context, validators[0].0.chain().clone());
        // The system's clock may have been set back since the last block.
        let mut blocks = ledger.chain().finalized();
        let first = futures::StreamExt::next(&mut blocks).await;
        clock.advance(first.map_or(0, |block| block.time_ms), u64::MAX);
        let result = async {
            let mut store = Store {
                contract: Address::of_instance(&ta.public_key(), FILES_NONCE),
                groups: Address::of_instance(&ta.public_key(), GROUPS_NONCE),
                operator: signing_key(&home, "operator", &mut rng)?,
                auditor: signing_key(&home, "auditor", &mut rng)?,
                issuers: Issuers::open(&home, &network.join("issued"), &mut rng)?,
                ta,
                lea,
                home: home.clone(),
                vault: None,
                strategy: threads()?,
                nonce: 0,
                path: path.to_owned(),
                genesis,
                ledger,
                rng,
                clock,
            };
            store.deploy().await?;
            work(&mut store).await
        }
        .await;
        stop_validators(validators).await;
        result
    })
}

/// Makes the directory, for its owner only.
fn prepare(path: &Path) -> Result<(), FilesError> {
    match fs::read_dir(path) {
        Ok(mut entries) => {
            return match entries.next() {
                Some(_) => Err(FilesError::Foreign(path.to_owned())),
                None => Ok(()),
            };
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(FilesError::path("read", path)(error)),
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(path)
        .map_err(FilesError::path("create", path))
}

/// One thread for each core.
fn threads() -> Result<Rayon, FilesError> {
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    Rayon::new(cores)
        .map_err(|error| FilesError::path("start threads for", "tags")(io::Error::other(error)))
}

impl Store {
    /// The vault, opened.
    pub(super) fn vault(&mut self) -> Result<Embedded, FilesError> {
        if let Some(vault) = &self.vault {
            return Ok(vault.clone());
        }
        let vault = Embedded::open(&self.path.join("vault"))?;
        self.vault = Some(vault.clone());
        Ok(vault)
    }

    /// Deploys the contracts, unless an earlier run has.
    async fn deploy(&mut self) -> Result<(), FilesError> {
        let deployer = self.ta.public_key();
        let expires_ms = self.clock.now_ms() + PATIENCE_MS;
        let issuer = self.issuers.key().element().to_bytes();
        let of_groups = groups::Parameters { issuer };
        let of_files = Parameters {
            operator: self.operator.public_key(),
            auditor: self.auditor.public_key(),
            interval_ms: AUDIT_INTERVAL_MS,
            groups: self.groups,
        };
        for (contract, deployment) in [
            (
                self.groups,
                groups::deploy(GROUPS_NONCE, expires_ms, &deployer, &of_groups),
            ),
            (
                self.contract,
                files::deploy(FILES_NONCE, expires_ms, &deployer, &of_files),
            ),
        ] {
            let found = self.ledger.get(&[instance_key(&contract)]).await?;
            if found.iter().all(|(_, record)| record.is_none()) {
                let signed = deployment.sign(&self.genesis.chain_id(), &[&self.ta]);
                self.ledger.execute(signed).await?;
            }
        }
        Ok(())
    }

    /// Milliseconds since 1970 on the store's clock.
    pub(super) fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    /// A signed call of the contract.
    pub(super) fn sign(
        &mut self,
        signer: &PrivateKey,
        operation: &Operation,
    ) -> cairn_ledger::SignedTransaction {
        let (nonce, expires_ms) = self.next_nonce();
        files::call(nonce, expires_ms, self.contract, self.groups, operation)
            .sign(&self.genesis.chain_id(), &[signer])
    }

    /// A nonce that was never used, and the end of its transaction's life in milliseconds.
    pub(super) fn next_nonce(&mut self) -> (u64, u64) {
        let now_ms = self.clock.now_ms();
        // Later than any nonce of an earlier run.
        self.nonce = (self.nonce + 1).max(now_ms.saturating_mul(1_000));
        (self.nonce, now_ms + PATIENCE_MS)
    }

    /// A record of the contract.
    pub(super) async fn record<T: Read<Cfg = ()>>(
        &self,
        key: StateKey,
        what: &'static str,
    ) -> Result<Option<T>, FilesError> {
        let found = self.ledger.get(&[key]).await?;
        let found = found.into_iter().find_map(|(_, record)| record);
        found
            .map(|record| record.decode_as())
            .transpose()
            .map_err(|_| FilesError::Record(what))
    }

    /// Where a file stands; `None` before its first version.
    pub(super) async fn head(&self, file: &FileId) -> Result<Option<FileHead>, FilesError> {
        self.record(files::head_key(&self.contract, &file.0), "a file")
            .await
    }

    /// The latest version of a file that must exist.
    pub(super) async fn latest(&self, file: &FileId) -> Result<u64, FilesError> {
        Ok(self.known(file).await?.version)
    }

    /// Where a file stands that must exist.
    pub(super) async fn known(&self, file: &FileId) -> Result<FileHead, FilesError> {
        let head = self.head(file).await?;
        head.ok_or_else(|| FilesError::UnknownFile(super::hex(&file.0)))
    }

    /// How many files there are.
    pub(super) async fn count(&self) -> Result<u64, FilesError> {
        let count = self.record(files::count_key(&self.contract), "the roll");
        Ok(count.await?.unwrap_or(0))
    }

    pub(super) async fn version(
        &self,
        file: &FileId,
        version: u64,
    ) -> Result<VersionRecord, FilesError> {
        self.record(
            files::version_key(&self.contract, &file.0, version),
            "a version",
        )
        .await?
        .ok_or(FilesError::Record("a version"))
    }

    pub(super) async fn audits(&self, file: &FileId) -> Result<AuditState, FilesError> {
        let state = self
            .record(files::audit_key(&self.contract, &file.0), "audits")
            .await?;
        Ok(state.unwrap_or_default())
    }

    /// Writes the public key beside the others, so that audits of old epochs stay verifiable.
    pub(super) fn publish_key(&self, key: &GroupKey) -> Result<(), FilesError> {
        let directory = self.path.join("keys");
        let path = directory.join(super::hex(&key.kid().0));
        if path.exists() {
            return Ok(());
        }
        fs::create_dir_all(&directory).map_err(FilesError::path("create", &directory))?;
        let beside = path.with_extension("new");
        fs::write(&beside, key.encode()).map_err(FilesError::path("write", &beside))?;
        fs::rename(&beside, &path).map_err(FilesError::path("rename", &beside))
    }

    /// The public key of this name, of any epoch.
    pub(super) fn group_key(&self, kid: &KeyId) -> Result<GroupKey, FilesError> {
        let name = super::hex(&kid.0);
        let path = self.path.join("keys").join(&name);
        let mut bytes = Vec::new();
        fs::File::open(&path)
            .and_then(|file| file.take(MAX_KEY_BYTES).read_to_end(&mut bytes))
            .map_err(|_| FilesError::Key(name.clone()))?;
        GroupKey::decode_as(kid, &bytes).map_err(|_| FilesError::Key(name))
    }
}
