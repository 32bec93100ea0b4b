//! Uploads: a new file or a new version of one.

use super::{
    BLOCK_CONTENT, FilesError, MAX_FILE_BLOCKS, Store,
    blocks::{BATCH, Fresh, name, unseal, vault_name},
    download::{Slots, index_of},
    evidence::authorisation,
    groups::{Uploader, Who},
    hex,
    journal::Journal,
    vault_id,
};
use cairn_contracts::files::{Operation, TagKey};
use cairn_crypto::{
    possession::{FileId, FileRecord, KeyId},
    seal::RegisterKey,
};
use cairn_protocol::group::Expected;
use cairn_vault::{Change, FileVersion, Vault as _};
use commonware_codec::{Encode as _, Write as _};
use commonware_cryptography::{Hasher as _, Sha256, Signer as _};
use rand::Rng as _;
use serde::Serialize;
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    time::Instant,
};

/// Namespace of the vault operator's signature under an acceptance.
const ACCEPTANCE: &[u8] = b"cairn/1/files/acceptance";

/// What an upload did.
#[derive(Clone, Debug, Serialize)]
pub struct UploadReport {
    /// The file's id.
    pub file: String,
    /// Version that the ledger has now.
    pub version: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Blocks of the file.
    pub blocks: u64,
    /// Of those, tagged and sent now; the others were there already.
    pub sent_blocks: u64,
    /// SHA-256 of the version's record, on the ledger.
    pub record: String,
    /// The operator's signature: the vault has verified the tags and keeps this version.
    pub acceptance: String,
    /// Time from start to the record on the ledger, in seconds.
    pub seconds: f64,
    /// Sealing, tagging, verifying tags and storing, in seconds.
    pub send_seconds: f64,
}

impl Store {
    /// Uploads a file as a new one; one whose upload was broken off goes on.
    ///
    /// `progress` hears how many bytes are done.
    ///
    /// # Errors
    ///
    /// [`FilesError`]; nothing is recorded then, and the same call goes on where it was.
    pub async fn put(
        &mut self,
        path: &Path,
        who: &Who,
        progress: impl FnMut(u64),
    ) -> Result<UploadReport, FilesError> {
        let uploader = self.uploader(who, None).await?;
        self.upload(path, None, uploader, progress).await
    }

    /// Makes the content of `path` the next version of a file. Only blocks that changed are sent.
    ///
    /// # Errors
    ///
    /// As [`Store::put`], and [`FilesError::UnknownFile`].
    pub async fn update(
        &mut self,
        file: FileId,
        path: &Path,
        who: &Who,
        progress: impl FnMut(u64),
    ) -> Result<UploadReport, FilesError> {
        let head = self.known(&file).await?;
        let uploader = self.uploader(who, Some(head.group)).await?;
        self.upload(path, Some(file), uploader, progress).await
    }

    async fn upload(
        &mut self,
        path: &Path,
        target: Option<FileId>,
        mut uploader: Uploader,
        mut progress: impl FnMut(u64),
    ) -> Result<UploadReport, FilesError> {
        let started = Instant::now();
        let mut source = open_source(path)?;
        let mut fresh_id = [0; 32];
        self.rng.fill_bytes(&mut fresh_id);
        let uploads = self.path.join("uploads");
        let kid = uploader.secret.key().kid();
        let journal = Journal::open(&uploads, path, &kid, target, FileId(fresh_id))?;
        let file = journal.file;
        let base_version = self.settle(&file).await?;
        let (base, base_kid) = match base_version {
            0 => (Slots::new(), kid),
            version => {
                let (slots, record) = self.slots(&file, version).await?;
                (slots, KeyId(record.kid))
            }
        };
        let live: Vec<usize> = (0..base.len())
            .filter(|slot| base[*slot].is_some())
            .collect();
        let mut slots = base.clone();
        let (mut blocks, mut bytes, mut sent_blocks) = (0_u64, 0_u64, 0_u64);
        let mut waiting: Vec<Fresh> = Vec::with_capacity(BATCH);
        let sending = Instant::now();
        loop {
            let mut content = Vec::with_capacity(BLOCK_CONTENT);
            (&mut source)
                .take(BLOCK_CONTENT as u64)
                .read_to_end(&mut content)
                .map_err(FilesError::path("read", path))?;
            if !content.is_empty() {
                if blocks == MAX_FILE_BLOCKS {
                    let path = path.to_owned();
                    return Err(FilesError::TooLarge { path });
                }
                let place = usize::try_from(blocks).unwrap_or(usize::MAX);
                let slot = live.get(place).copied().unwrap_or(slots.len());
                if slot == slots.len() {
                    slots.push(None);
                }
                let id = slot as u64;
                // Blocks of an older epoch are tagged and sealed again, under its own key.
                let of_base = slots[slot].filter(|_| base_kid == kid);
                let known = [of_base, journal.edition(id)];
                let key = &uploader.content;
                slots[slot] = match self.present(key, &file, id, known, &content).await? {
                    Some(edition) => Some(edition),
                    None => {
                        let mut edition = [0; 16];
                        self.rng.fill_bytes(&mut edition);
                        waiting.push(self.seal(key, &file, name(id, edition), &content)?);
                        Some(edition)
                    }
                };
                blocks += 1;
                bytes += content.len() as u64;
            }
            let is_last = content.len() < BLOCK_CONTENT;
            if waiting.len() == BATCH || (is_last && !waiting.is_empty()) {
                self.send(&uploader.secret, &file, &waiting).await?;
                journal.append(waiting.iter().map(|b| (b.name.id, b.name.version.0)))?;
                sent_blocks += waiting.len() as u64;
                waiting.clear();
            }
            progress(bytes);
            if is_last {
                break;
            }
        }
        let send_seconds = sending.elapsed().as_secs_f64();
        if blocks == 0 {
            journal.remove()?;
            return Err(FilesError::Empty(path.to_owned()));
        }
        let kept = usize::try_from(blocks).unwrap_or(usize::MAX);
        for slot in live.iter().skip(kept) {
            slots[*slot] = None;
        }
        self.commit(&mut uploader, &file, base_version, &base, &slots)
            .await?;
        let version = self.settle(&file).await?;
        journal.remove()?;
        let digest = self.version(&file, version).await?.digest;
        Ok(UploadReport {
            file: hex(&file.0),
            version,
            bytes,
            blocks,
            sent_blocks,
            record: hex(&digest),
            acceptance: hex(&self.acceptance(&file, version, &digest)),
            seconds: started.elapsed().as_secs_f64(),
            send_seconds,
        })
    }

    /// The edition among `known` in which the vault has exactly this content.
    async fn present(
        &mut self,
        key: &RegisterKey,
        file: &FileId,
        id: u64,
        known: [Option<[u8; 16]>; 2],
        content: &[u8],
    ) -> Result<Option<[u8; 16]>, FilesError> {
        for edition in known.into_iter().flatten() {
            let name = name(id, edition);
            let vault = self.vault()?;
            // A block that the vault lost or damaged is sent again, under a new name.
            let found = match vault.block(&vault_id(file), &vault_name(&name)).await {
                Ok(found) => found,
                Err(cairn_vault::Error::Corrupt(_)) => None,
                Err(error) => return Err(error.into()),
            };
            let opened = found.map(|block| unseal(key, file, &name, block.bytes()));
            if matches!(opened, Some(Ok(opened)) if *opened == content) {
                return Ok(Some(edition));
            }
        }
        Ok(None)
    }

    /// Commits the next version to the vault, authorised by a credential that serves once, unless
    /// nothing changed.
    async fn commit(
        &mut self,
        uploader: &mut Uploader,
        file: &FileId,
        base_version: u64,
        base: &Slots,
        slots: &Slots,
    ) -> Result<(), FilesError> {
        let mut changes = Vec::new();
        for (slot, edition) in slots.iter().enumerate() {
            let id = slot as u64;
            if base.get(slot).copied().flatten() != *edition {
                changes.push(edition.map_or(Change::Delete(id), |edition| {
                    Change::Set(cairn_vault::BlockName { id, edition })
                }));
            }
        }
        if changes.is_empty() {
            return Ok(());
        }
        let number = base_version + 1;
        let index = index_of(slots);
        let mut record = FileRecord::new(*file, number, &index, uploader.secret.key());
        let spent = self.spend(uploader)?;
        let digest = record.to_authorise();
        record.auth = spent
            .authorise(&self.contract, &digest, &mut self.rng)
            .to_bytes();
        let mut bytes = record.encode().to_vec();
        (slots.len() as u64).write(&mut bytes);
        let version = FileVersion::new(vault_id(file), number, bytes, changes)?;
        self.vault()?.commit_version(&version).await?;
        Ok(())
    }

    /// Records what is left of unfinished uploads, so that nothing of this epoch waits when the next
    /// one begins.
    pub(super) async fn settle_all(&mut self) -> Result<(), FilesError> {
        for file in Journal::unfinished(&self.path.join("uploads"))? {
            self.settle(&file).await?;
        }
        Ok(())
    }

    /// Records on the ledger what the vault has committed, if a crash came between, and returns
    /// the version that both have.
    pub(super) async fn settle(&mut self, file: &FileId) -> Result<u64, FilesError> {
        let head = self.head(file).await?;
        let recorded = head.as_ref().map_or(0, |head| head.version);
        let vault = self.vault()?;
        let committed = vault.latest_version(&vault_id(file)).await?.unwrap_or(0);
        if committed <= recorded {
            return Ok(recorded);
        }
        let version = recorded + 1;
        let damaged = || FilesError::Damaged {
            file: hex(&file.0),
            what: format!("the vault's record of version {version} is gone or malformed"),
        };
        let bytes = vault.version_record(&vault_id(file), version).await?;
        let bytes = bytes.ok_or_else(damaged)?;
        let unauthorised = |source| FilesError::Unauthorised { version, source };
        let (record, authorisation) = authorisation(&bytes).ok_or_else(damaged)?;
        let authorisation = authorisation.map_err(unauthorised)?;
        // The operator accepts what some member of the file's group made, in the current epoch.
        let group = head.as_ref().map_or(authorisation.group(), |h| h.group);
        let epoch = self.group_record(group).await?.map_or(0, |g| g.epoch);
        let expected = Expected {
            chain: &self.genesis.chain_id(),
            contract: &self.contract,
            group,
            epoch,
            at_ms: self.now_ms(),
            record: &record.to_authorise(),
        };
        authorisation
            .check(&self.issuers.key(), &expected)
            .map_err(unauthorised)?;
        let place = match head {
            Some(head) => head.place,
            None => self.count().await?,
        };
        let v = record.v.encode();
        let operation = Operation::Record {
            file: file.0,
            group,
            place,
            version,
            digest: Sha256::hash(&[&bytes]).0,
            root: record.root.0,
            live: record.live,
            kid: record.kid.0,
            v: TagKey {
                v: v[..].try_into().expect("a point of G2 has 96 bytes"),
            },
        };
        let operator = self.operator.clone();
        let signed = self.sign(&operator, &operation);
        self.ledger.execute(signed).await?;
        Ok(version)
    }

    /// Step 3 (paper 001, equation 3): the vault signs that it has accepted a version.
    fn acceptance(&self, file: &FileId, version: u64, digest: &[u8; 32]) -> Vec<u8> {
        let chain = self.genesis.chain_id();
        let message = [&chain[..], &file.0, &version.to_be_bytes(), digest].concat();
        self.operator.sign(ACCEPTANCE, &message).encode().to_vec()
    }
}

fn open_source(path: &Path) -> Result<impl Read, FilesError> {
    let failed = FilesError::path("read", path);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) => return Err(failed(error)),
    };
    match file.metadata() {
        Ok(metadata) if metadata.is_file() => Ok(io::BufReader::with_capacity(1 << 20, file)),
        Ok(_) => Err(failed(io::Error::other("expected a regular file"))),
        Err(error) => Err(failed(error)),
    }
}
