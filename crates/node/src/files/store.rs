//! A store: opened, with its ledger running.

use super::FilesError;
use crate::{
    clock::TraceClock,
    embedded::{Keys, constitution, signing_key, start_validators, stop_validators},
    home::Home,
    ledger::Ledger,
    network::NetworkError,
};
use cairn_crypto::{
    possession::{FileId, GroupKey, GroupSecret, KeyId, Sectors},
    seal::RegisterKey,
};
use cairn_ledger::{
    Address, Genesis, PrivateKey, StateKey,
    contracts::files::{self, AuditState, FileHead, Operation, Parameters, VersionRecord},
    execute::instance_key,
};
use cairn_vault::Embedded;
use commonware_codec::{Encode as _, Read};
use commonware_cryptography::Signer as _;
use commonware_parallel::Rayon;
use commonware_runtime::{
    Clock as _, Runner as _, Supervisor as _,
    tokio::{Config as RuntimeConfig, Context, Runner},
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use std::{
    fs,
    io::{self, Read as _},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};
use zeroize::Zeroizing;

/// TA's first transaction deploys the contract.
const DEPLOYMENT_NONCE: u64 = 1;

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
    pub(super) secret: GroupSecret,
    pub(super) content: RegisterKey,
    /// Opened at first use: an audit of a store whose vault does not even open has a verdict too.
    vault: Option<Embedded>,
    pub(super) strategy: Rayon,
    pub(super) rng: StdRng,
    clock: TraceClock,
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
    let home = Home::open(&network)?;
    let config = RuntimeConfig::default().with_storage_directory(home.chain_storage());
    Runner::new(config).start(|context| async move {
        let mut rng = StdRng::from_rng(&mut context.child("seed"));
        let since_1970 = context.current().duration_since(UNIX_EPOCH);
        let now_ms = u64::try_from(since_1970.unwrap_or_default().as_millis()).unwrap_or(u64::MAX);
        let clock = TraceClock::new(context.child("clock"), now_ms, u64::MAX);
        let ta = signing_key(&home, "ta", &mut rng)?;
        let lea = signing_key(&home, "lea", &mut rng)?;
        let (genesis, keys): (Genesis, Keys) =
            constitution(&home, 1, [&ta, &lea], now_ms, &mut rng)
                .map_err(|error: NetworkError| FilesError::Embedded(error.into()))?;
        let validators = start_validators(&context, &genesis, keys, &clock).await?;
        let ledger = Ledger::observe(&context, validators[0].0.chain().clone());
        // The system's clock may have been set back since the last block.
        let mut blocks = ledger.chain().finalized();
        let first = futures::StreamExt::next(&mut blocks).await;
        clock.advance(first.map_or(0, |block| block.time_ms), u64::MAX);
        let result = async {
            let mut store = Store {
                contract: Address::of_instance(&ta.public_key(), DEPLOYMENT_NONCE),
                operator: signing_key(&home, "operator", &mut rng)?,
                auditor: signing_key(&home, "auditor", &mut rng)?,
                secret: tagging_secret(&home, &mut rng)?,
                content: content_key(&home, &mut rng)?,
                vault: None,
                strategy: threads()?,
                nonce: 0,
                path: path.to_owned(),
                genesis,
                ledger,
                rng,
                clock,
            };
            store.publish_key()?;
            store.deploy(&ta).await?;
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

fn tagging_secret(home: &Home, rng: &mut StdRng) -> Result<GroupSecret, FilesError> {
    const NAME: &str = "tagging";
    if let Some(bytes) = home.secret(NAME)? {
        return GroupSecret::from_bytes(&bytes).map_err(|_| FilesError::Key(NAME.into()));
    }
    let secret = GroupSecret::generate(Sectors::new(super::SECTORS)?, rng);
    home.set_secret(NAME, &secret.to_bytes())?;
    Ok(secret)
}

fn content_key(home: &Home, rng: &mut StdRng) -> Result<RegisterKey, FilesError> {
    const NAME: &str = "content";
    let bytes = match home.secret(NAME)? {
        Some(bytes) => bytes,
        None => {
            let mut bytes = Zeroizing::new(vec![0; 32]);
            rng.fill_bytes(&mut bytes);
            home.set_secret(NAME, &bytes)?;
            bytes
        }
    };
    let key: Result<&[u8; 32], _> = bytes.as_slice().try_into();
    let key = key.map_err(|_| FilesError::Key(NAME.into()))?;
    Ok(RegisterKey::new(key))
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

    async fn deploy(&mut self, ta: &PrivateKey) -> Result<(), FilesError> {
        if self.ledger.get(&[instance_key(&self.contract)]).await?[0]
            .1
            .is_some()
        {
            return Ok(());
        }
        let parameters = Parameters {
            operator: self.operator.public_key(),
            auditor: self.auditor.public_key(),
            interval_ms: AUDIT_INTERVAL_MS,
        };
        let expires_ms = self.clock.now_ms() + PATIENCE_MS;
        let deployment = files::deploy(DEPLOYMENT_NONCE, expires_ms, &ta.public_key(), &parameters);
        let signed = deployment.sign(&self.genesis.chain_id(), &[ta]);
        Ok(self.ledger.execute(signed).await?)
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
        let now_ms = self.clock.now_ms();
        // Later than any nonce of an earlier run.
        self.nonce = (self.nonce + 1).max(now_ms.saturating_mul(1_000));
        files::call(self.nonce, now_ms + PATIENCE_MS, self.contract, operation)
            .sign(&self.genesis.chain_id(), &[signer])
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
        let head = self.head(file).await?;
        head.map(|head| head.version)
            .ok_or_else(|| FilesError::UnknownFile(super::hex(&file.0)))
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
    fn publish_key(&self) -> Result<(), FilesError> {
        let key = self.secret.key();
        let directory = self.path.join("groups");
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
        let path = self.path.join("groups").join(&name);
        let mut bytes = Vec::new();
        fs::File::open(&path)
            .and_then(|file| file.take(MAX_KEY_BYTES).read_to_end(&mut bytes))
            .map_err(|_| FilesError::Key(name.clone()))?;
        GroupKey::decode_as(kid, &bytes).map_err(|_| FilesError::Key(name))
    }
}
