//! Groups of a store: who may upload, under which keys (see [`cairn_protocol::group`]).
//!
//! ```text
//! DIR/groups/N/E/KEY   tagging secret of epoch E of group N, sealed to member KEY (a number)
//! DIR/groups/N/E/link  content key of the epoch before, sealed under that of epoch E
//! DIR/groups/N/members the manager's register, sealed entry by entry
//! ```
//!
//! Member, manager, LEA and issuers live in one process here, each with key files of its own. A
//! member's file holds its keys and the credentials that it has not used.

use super::{FilesError, Store, hex};
use crate::{
    embedded::signing_key,
    home::{self, Home},
};
use cairn_contracts::groups::{self, EpochRecord, GroupRecord, Operation, TraceRecord};
use cairn_crypto::{
    linkage::LinkageValue,
    possession::{FileId, GroupSecret, KeyId, Sectors},
    seal::{OVERHEAD, RegisterKey},
};
use cairn_ledger::{PrivateKey, SignedTransaction};
use cairn_protocol::group::{
    Entry, GroupError, GroupId, Manager, Member, Name, Reviewer, Terms, Warrant, attributes,
    content_key, period_at, seal_secret,
};
use commonware_codec::{Copying, DecodeExt as _, Encode as _, FixedSize as _};
use commonware_cryptography::{Hasher as _, Sha256, Signer as _};
use rand::{Rng as _, rngs::StdRng};
use serde::Serialize;
use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// The group and the member of whoever names none.
pub const DEFAULT_GROUP: &str = "private";
/// See [`DEFAULT_GROUP`].
pub const DEFAULT_MEMBER: &str = "owner";

/// Credentials that a member fetches at once, so that the time of fetching tells little about
/// the time of an upload.
const BATCH: u8 = 16;

/// Most groups of a store that are looked through for a free number.
const MAX_GROUPS: u16 = 1_000;

/// Largest register or sealed secret that is read back: 50,000 members.
const MAX_FILE_BYTES: u64 = 8 << 20;

/// Who uploads, or reads.
#[derive(Clone, Debug, Default)]
pub struct Who {
    /// The group; without it, that of the file, or [`DEFAULT_GROUP`] for a new one.
    pub group: Option<Name>,
    /// The member; without it, [`DEFAULT_MEMBER`].
    pub member: Option<Name>,
}

impl Who {
    /// The member.
    pub fn member(&self) -> Name {
        let default = || Name::new(DEFAULT_MEMBER).expect("a good name");
        self.member.unwrap_or_else(default)
    }
}

/// A group as its manager sees it.
#[derive(Clone, Debug, Serialize)]
pub struct GroupReport {
    /// Its name.
    pub group: String,
    /// Its number on the ledger.
    pub number: u16,
    /// Its key epoch.
    pub epoch: u16,
    /// Name of the epoch's tagging key.
    pub key: String,
    /// Members that have not left.
    pub members: Vec<String>,
}

/// Who uploaded a version, found by manager and LEA together.
#[derive(Clone, Debug, Serialize)]
pub struct TraceReport {
    /// The file's id.
    pub file: String,
    /// The version.
    pub version: u64,
    /// Its group.
    pub group: String,
    /// Linkage value of the credential that authorised it.
    pub linkage: String,
    /// Digest of LEA's reason, on the ledger.
    pub reason: String,
    /// The member.
    pub member: String,
    /// Opening of the commitment that the manager left on the ledger; `None` when an earlier
    /// trace of the same credential left it.
    pub opening: Option<String>,
}

/// A member at work in one key epoch of its group.
pub(super) struct Uploader {
    pub(super) group: u16,
    pub(super) epoch: u16,
    pub(super) secret: GroupSecret,
    pub(super) content: RegisterKey,
    pub(super) member: Member,
    name: Name,
}

/// The contracts' view of a group.
pub(super) struct Found {
    pub(super) number: u16,
    pub(super) record: GroupRecord,
}

impl Store {
    /// Founds a group with its first member.
    ///
    /// # Errors
    ///
    /// [`FilesError`].
    pub async fn found(&mut self, name: Name, first: Name) -> Result<GroupReport, FilesError> {
        if self.find_group(&name).await?.is_some() {
            return Err(FilesError::GroupTaken(name));
        }
        let number = self.free_number().await?;
        let mut manager = self.manager_with(number, Vec::new())?;
        let secret = GroupSecret::generate(Sectors::new(super::SECTORS)?, &mut self.rng);
        self.publish_key(secret.key())?;
        // Of an earlier attempt that never reached the ledger.
        let directory = self.group_directory(number);
        if directory.exists() {
            fs::remove_dir_all(&directory).map_err(FilesError::path("remove", &directory))?;
        }
        self.admit(number, &mut manager, first)?;
        self.seal_epoch(number, 1, &manager, &secret)?;
        let signer = self.manager_key(number)?;
        let operation = Operation::Found {
            group: number,
            name: name.to_bytes(),
            manager: signer.public_key(),
            kid: secret.key().kid().0,
        };
        let signers = [signer, self.ta.clone(), self.lea.clone()];
        let signed = self.sign_group(&signers.each_ref(), &operation);
        self.ledger.execute(signed).await?;
        self.group(&name).await
    }

    /// Enrols a member.
    ///
    /// # Errors
    ///
    /// [`FilesError`].
    pub async fn join(&mut self, group: &Name, member: Name) -> Result<GroupReport, FilesError> {
        let Found { number, record } = self.known_group(group).await?;
        let mut manager = self.manager(number)?;
        let secret = self.managers_secret(number, &record)?;
        self.admit(number, &mut manager, member)?;
        self.seal_epoch(number, record.epoch, &manager, &secret)?;
        self.group(group).await
    }

    /// Strikes a member out and starts the group's next key epoch.
    ///
    /// # Errors
    ///
    /// [`FilesError`].
    pub async fn leave(&mut self, group: &Name, member: Name) -> Result<GroupReport, FilesError> {
        let Found { number, record } = self.known_group(group).await?;
        // What the vault has accepted in this epoch is recorded in this epoch.
        self.settle_all().await?;
        let mut manager = self.manager(number)?;
        let old = self.managers_secret(number, &record)?;
        match manager.strike(&member) {
            // Struck out, but the next epoch never began: go on from there.
            Err(GroupError::Left) if self.is_sealed_to(number, record.epoch, &manager, &member) => {
            }
            result => {
                result?;
            }
        }
        self.keep_register(number, &manager)?;
        let epoch = record.epoch + 1;
        let secret = GroupSecret::generate(Sectors::new(super::SECTORS)?, &mut self.rng);
        self.publish_key(secret.key())?;
        self.seal_epoch(number, epoch, &manager, &secret)?;
        let link = RegisterKey::new(&content_key(&secret)).seal(
            &link_context(number, epoch),
            &content_key(&old)[..],
            &mut self.rng,
        )?;
        let path = self.epoch_directory(number, epoch).join("link");
        home::write(&path, &link)?;
        let operation = Operation::Epoch {
            group: number,
            epoch,
            kid: secret.key().kid().0,
        };
        let signer = self.manager_key(number)?;
        let signed = self.sign_group(&[&signer], &operation);
        self.ledger.execute(signed).await?;
        self.group(group).await
    }

    /// A group as its manager sees it.
    ///
    /// # Errors
    ///
    /// [`FilesError`].
    pub async fn group(&mut self, name: &Name) -> Result<GroupReport, FilesError> {
        let Found { number, record } = self.known_group(name).await?;
        let manager = self.manager(number)?;
        Ok(GroupReport {
            group: name.to_string(),
            number,
            epoch: record.epoch,
            key: hex(&record.kid),
            members: manager
                .members()
                .map(|(_, entry)| entry.name.to_string())
                .collect(),
        })
    }

    /// Finds the member who uploaded a version: LEA asks on the ledger, and each of LEA and manager
    /// does its part against the finalised request.
    ///
    /// # Errors
    ///
    /// [`FilesError`].
    pub async fn trace(
        &mut self,
        file: &FileId,
        version: Option<u64>,
        reason: &[u8],
    ) -> Result<TraceReport, FilesError> {
        let latest = self.latest(file).await?;
        let version = version.unwrap_or(latest);
        if !(1..=latest).contains(&version) {
            return Err(FilesError::UnknownVersion { version, latest });
        }
        let authorisation = self.authorisation(file, version).await?;
        let (linkage, period) = (authorisation.linkage(), authorisation.period());
        let number = authorisation.group();
        let digest = Sha256::hash(&[reason]).0;
        if self.request(number, linkage).await?.is_none() {
            let operation = Operation::Trace {
                group: number,
                linkage: linkage.0,
                reason: digest,
            };
            let lea = self.lea.clone();
            let signed = self.sign_group(&[&lea], &operation);
            self.ledger.execute(signed).await?;
        }
        let request = self.request(number, linkage).await?;
        let warrant = Warrant::new(number, linkage, request.as_ref())?;
        let request = request.ok_or(GroupError::NoWarrant)?;
        let manager = self.manager(number)?;
        let shown = manager.shown(&warrant, period)?;
        let found = self.reviewer()?.find(&warrant, period, &shown)?;
        let identified = manager.identify(&warrant, period, &found, &mut self.rng)?;
        let opening = match request.answer {
            Some(_) => None,
            None => {
                let operation = Operation::Answer {
                    group: number,
                    linkage: linkage.0,
                    answer: identified.commitment,
                };
                let signer = self.manager_key(number)?;
                let signed = self.sign_group(&[&signer], &operation);
                self.ledger.execute(signed).await?;
                Some(hex(&identified.nonce))
            }
        };
        let record = self.group_record(number).await?;
        let record = record.ok_or(FilesError::Record("a group"))?;
        let name = Name::from_bytes(&record.name);
        Ok(TraceReport {
            file: hex(&file.0),
            version,
            group: name.map_err(|_| FilesError::Record("a group"))?.to_string(),
            linkage: hex(&linkage.0),
            reason: hex(&request.reason),
            member: identified.name.to_string(),
            opening,
        })
    }

    /// The member who uploads, with the keys of its group's current epoch and an unused credential.
    pub(super) async fn uploader(
        &mut self,
        who: &Who,
        file_group: Option<u16>,
    ) -> Result<Uploader, FilesError> {
        let number = match (who.group, file_group) {
            (Some(group), file_group) => {
                let found = self.known_group(&group).await?.number;
                if file_group.is_some_and(|number| number != found) {
                    return Err(FilesError::OtherGroup(group));
                }
                found
            }
            (None, Some(number)) => number,
            (None, None) => {
                let name = Name::new(DEFAULT_GROUP)?;
                match self.find_group(&name).await? {
                    Some(found) => found.number,
                    None => self.found(name, Name::new(DEFAULT_MEMBER)?).await?.number,
                }
            }
        };
        let name = who.member();
        let record = self.group_record(number).await?;
        let record = record.ok_or(FilesError::Record("a group"))?;
        let member = self.member(number, &name)?;
        let (epoch, kid) = (record.epoch, KeyId(record.kid));
        let sealed = self.sealed_secret(number, epoch, member.number())?;
        let sealed = sealed.ok_or(FilesError::NoLongerMember(name))?;
        let secret = member.open_secret(epoch, &sealed, &kid)?;
        let mut uploader = Uploader {
            group: number,
            epoch,
            content: RegisterKey::new(&content_key(&secret)),
            secret,
            member,
            name,
        };
        if uploader.member.unused(epoch, self.now_ms()) == 0 {
            self.issue(&mut uploader)?;
        }
        Ok(uploader)
    }

    /// Takes a credential out for one record. It is gone from the disk when this returns.
    pub(super) fn spend(
        &mut self,
        uploader: &mut Uploader,
    ) -> Result<cairn_protocol::group::Spent, FilesError> {
        let spent = uploader.member.spend(uploader.epoch, self.now_ms())?;
        let key = member_key(uploader.group, &uploader.name);
        self.home.set_secret(&key, &uploader.member.to_bytes())?;
        Ok(spent)
    }

    /// A new batch of credentials: member, manager, LEA and issuers, one after the other.
    fn issue(&mut self, uploader: &mut Uploader) -> Result<(), FilesError> {
        let number = uploader.group;
        let terms = Terms {
            group: number,
            epoch: uploader.epoch,
            period: period_at(self.now_ms()),
        };
        let member = &mut uploader.member;
        let (pending, application) = member.apply(terms.epoch, terms.period, BATCH, &mut self.rng);
        let mut manager = self.manager(number)?;
        let approved = manager.approve(&application)?;
        // Counted before they are handed out, so that none is approved twice.
        self.keep_register(number, &manager)?;
        let reviewer = self.reviewer()?;
        let keys = [
            &self.manager_key(number)?.public_key(),
            &self.lea.public_key(),
        ];
        let chain = self.genesis.chain_id();
        let issuer = self.issuers.key();
        for (pending, (forwarded, by_manager)) in pending.iter().zip(&approved) {
            let by_lea = reviewer.countersign(forwarded)?;
            let (request, attributes) = attributes(&chain, keys, [by_manager, &by_lea])?;
            let sealed = self.issuers.issue(request, attributes, &mut self.rng)?;
            member.take(pending, &sealed, &terms, &issuer)?;
        }
        let key = member_key(number, &uploader.name);
        self.home.set_secret(&key, &uploader.member.to_bytes())?;
        Ok(())
    }

    /// The key of a file's content under the tagging key `kid`, for a member of its group.
    pub(super) async fn content_key(
        &mut self,
        who: &Who,
        number: u16,
        kid: &KeyId,
    ) -> Result<RegisterKey, FilesError> {
        let name = who.member();
        let member = self.member(number, &name)?;
        let record = self.group_record(number).await?;
        let mut epoch = record.ok_or(FilesError::Record("a group"))?.epoch;
        let mut link: Option<Zeroizing<[u8; 32]>> = None;
        while epoch > 0 {
            let Some(EpochRecord { kid: current, .. }) = self.epoch_record(number, epoch).await?
            else {
                break;
            };
            // From the member's own secret of this epoch, or from that of the epoch after.
            let key = match self.sealed_secret(number, epoch, member.number())? {
                Some(sealed) => {
                    let secret = member.open_secret(epoch, &sealed, &KeyId(current))?;
                    Some(content_key(&secret))
                }
                None => link.take(),
            };
            if KeyId(current) == *kid {
                let key = key.ok_or(FilesError::NoLongerMember(name))?;
                return Ok(RegisterKey::new(&key));
            }
            if let Some(key) = key {
                let path = self.epoch_directory(number, epoch).join("link");
                if let Some(sealed) = read(&path)? {
                    let key = RegisterKey::new(&key);
                    let before = key.open(&link_context(number, epoch), &sealed)?;
                    let before: Result<[u8; 32], _> = before.as_slice().try_into();
                    let damaged = |_| FilesError::Group(GroupError::State);
                    link = Some(Zeroizing::new(before.map_err(damaged)?));
                }
            }
            epoch -= 1;
        }
        Err(FilesError::Key(hex(&kid.0)))
    }

    /// A group that must exist.
    pub(super) async fn known_group(&self, name: &Name) -> Result<Found, FilesError> {
        let found = self.find_group(name).await?;
        found.ok_or(FilesError::UnknownGroup(*name))
    }

    async fn find_group(&self, name: &Name) -> Result<Option<Found>, FilesError> {
        let key = groups::name_key(&self.groups, &name.to_bytes());
        let Some(number) = self.record::<u16>(key, "a group's name").await? else {
            return Ok(None);
        };
        let record = self.group_record(number).await?;
        let record = record.ok_or(FilesError::Record("a group"))?;
        Ok(Some(Found { number, record }))
    }

    pub(super) async fn group_record(
        &self,
        number: u16,
    ) -> Result<Option<GroupRecord>, FilesError> {
        self.record(groups::group_key(&self.groups, number), "a group")
            .await
    }

    pub(super) async fn epoch_record(
        &self,
        number: u16,
        epoch: u16,
    ) -> Result<Option<EpochRecord>, FilesError> {
        let key = groups::epoch_key(&self.groups, number, epoch);
        self.record(key, "an epoch").await
    }

    async fn request(
        &self,
        number: u16,
        linkage: LinkageValue,
    ) -> Result<Option<TraceRecord>, FilesError> {
        let key = groups::trace_key(&self.groups, number, &linkage.0);
        self.record(key, "a trace").await
    }

    async fn free_number(&self) -> Result<u16, FilesError> {
        for number in 1..=MAX_GROUPS {
            if self.group_record(number).await?.is_none() {
                return Ok(number);
            }
        }
        Err(FilesError::TooManyGroups(MAX_GROUPS))
    }

    /// The member's and the manager's part of joining.
    fn admit(&mut self, number: u16, manager: &mut Manager, name: Name) -> Result<(), FilesError> {
        let group = self.group_id(number);
        let (applicant, admission) = Member::apply_for_admission(&group, name, &mut self.rng);
        let member = applicant.admitted(manager.admit(&admission)?);
        let key = member_key(number, &name);
        self.home.set_secret(&key, &member.to_bytes())?;
        self.keep_register(number, manager)
    }

    /// Seals an epoch's secret to every member that has not left.
    fn seal_epoch(
        &mut self,
        number: u16,
        epoch: u16,
        manager: &Manager,
        secret: &GroupSecret,
    ) -> Result<(), FilesError> {
        let directory = self.epoch_directory(number, epoch);
        fs::create_dir_all(&directory).map_err(FilesError::path("create", &directory))?;
        let group = self.group_id(number);
        for (member, entry) in manager.members() {
            let to = entry.sealing()?;
            let sealed = seal_secret(&group, epoch, &to, member, secret, &mut self.rng);
            home::write(&directory.join(member.to_string()), &sealed)?;
        }
        let key = epoch_key(number, epoch);
        self.home.set_secret(&key, &secret.to_bytes())?;
        Ok(())
    }

    /// The manager's own copy of an epoch's secret.
    fn managers_secret(
        &self,
        number: u16,
        record: &GroupRecord,
    ) -> Result<GroupSecret, FilesError> {
        let name = epoch_key(number, record.epoch);
        let damaged = || FilesError::Key(name.clone());
        let bytes = self.home.secret(&name)?.ok_or_else(damaged)?;
        let secret = GroupSecret::from_bytes(&bytes).map_err(|_| damaged())?;
        if secret.key().kid().0 == record.kid {
            Ok(secret)
        } else {
            Err(damaged())
        }
    }

    fn is_sealed_to(&self, number: u16, epoch: u16, manager: &Manager, name: &Name) -> bool {
        let directory = self.epoch_directory(number, epoch);
        let member = manager.find(name);
        member.is_some_and(|(member, _)| directory.join(member.to_string()).exists())
    }

    fn sealed_secret(
        &self,
        number: u16,
        epoch: u16,
        member: u32,
    ) -> Result<Option<Vec<u8>>, FilesError> {
        let directory = self.epoch_directory(number, epoch);
        read(&directory.join(member.to_string()))
    }

    fn member(&self, number: u16, name: &Name) -> Result<Member, FilesError> {
        let bytes = self.home.secret(&member_key(number, name))?;
        let bytes = bytes.ok_or(FilesError::UnknownMember(*name))?;
        let group = self.group_id(number);
        Ok(Member::from_bytes(&group, &bytes, &self.issuers.key())?)
    }

    fn manager(&mut self, number: u16) -> Result<Manager, FilesError> {
        let path = self.group_directory(number).join("members");
        let bytes = read(&path)?.ok_or(FilesError::Group(GroupError::State))?;
        let sealed = bytes.chunks_exact(Entry::SIZE + OVERHEAD);
        if !sealed.remainder().is_empty() {
            return Err(FilesError::Group(GroupError::State));
        }
        let key = self.register_key(number)?;
        let entries = (0_u32..).zip(sealed).map(|(place, sealed)| {
            let entry = key.open(&entry_context(number, place), sealed)?;
            Entry::decode(Copying(&entry)).map_err(|_| FilesError::Group(GroupError::State))
        });
        let entries = entries.collect::<Result<_, FilesError>>()?;
        self.manager_with(number, entries)
    }

    fn manager_with(&mut self, number: u16, entries: Vec<Entry>) -> Result<Manager, FilesError> {
        let master = self.random_key(&format!("linkage-{number}"))?;
        let signer = self.manager_key(number)?;
        Ok(Manager::new(self.group_id(number), signer, master, entries))
    }

    fn keep_register(&mut self, number: u16, manager: &Manager) -> Result<(), FilesError> {
        let key = self.register_key(number)?;
        let mut bytes = Vec::new();
        for (place, entry) in (0_u32..).zip(manager.entries()) {
            let context = entry_context(number, place);
            bytes.extend(key.seal(&context, &entry.encode(), &mut self.rng)?);
        }
        let directory = self.group_directory(number);
        fs::create_dir_all(&directory).map_err(FilesError::path("create", &directory))?;
        Ok(home::write(&directory.join("members"), &bytes)?)
    }

    fn reviewer(&mut self) -> Result<Reviewer, FilesError> {
        let master = self.random_key("linkage-lea")?;
        let chain = self.genesis.chain_id();
        Ok(Reviewer::new(chain, self.lea.clone(), master))
    }

    fn manager_key(&mut self, number: u16) -> Result<PrivateKey, FilesError> {
        let name = format!("manager-{number}");
        Ok(signing_key(&self.home, &name, &mut self.rng)?)
    }

    fn register_key(&mut self, number: u16) -> Result<RegisterKey, FilesError> {
        let key = self.random_key(&format!("members-{number}"))?;
        Ok(RegisterKey::new(&key))
    }

    fn random_key(&mut self, name: &str) -> Result<Zeroizing<[u8; 32]>, FilesError> {
        random_key(&self.home, name, &mut self.rng)
    }

    fn group_id(&self, number: u16) -> GroupId {
        let chain = self.genesis.chain_id();
        GroupId { chain, number }
    }

    fn group_directory(&self, number: u16) -> PathBuf {
        self.path.join("groups").join(number.to_string())
    }

    fn epoch_directory(&self, number: u16, epoch: u16) -> PathBuf {
        self.group_directory(number).join(epoch.to_string())
    }

    fn sign_group(&mut self, signers: &[&PrivateKey], operation: &Operation) -> SignedTransaction {
        let (nonce, expires_ms) = self.next_nonce();
        groups::call(nonce, expires_ms, self.groups, operation)
            .sign(&self.genesis.chain_id(), signers)
    }
}

/// The 32 random bytes called `name`, drawn if they are not there yet.
fn random_key(
    home: &Home,
    name: &str,
    rng: &mut StdRng,
) -> Result<Zeroizing<[u8; 32]>, FilesError> {
    if let Some(bytes) = home.secret(name)? {
        let bytes: Result<[u8; 32], _> = bytes.as_slice().try_into();
        let bytes = bytes.map_err(|_| FilesError::Key(name.into()))?;
        return Ok(Zeroizing::new(bytes));
    }
    let mut bytes = Zeroizing::new([0; 32]);
    rng.fill_bytes(&mut bytes[..]);
    home.set_secret(name, &bytes[..])?;
    Ok(bytes)
}

/// Names hold letters, digits and hyphens only.
fn member_key(number: u16, name: &Name) -> String {
    format!("member-{number}-{name}")
}

fn epoch_key(number: u16, epoch: u16) -> String {
    format!("epoch-{number}-{epoch}")
}

fn entry_context(number: u16, place: u32) -> Vec<u8> {
    [&number.to_be_bytes()[..], &place.to_be_bytes()].concat()
}

fn link_context(number: u16, epoch: u16) -> Vec<u8> {
    [&b"link"[..], &number.to_be_bytes(), &epoch.to_be_bytes()].concat()
}

/// The bytes of a file, if there is one.
fn read(path: &Path) -> Result<Option<Vec<u8>>, FilesError> {
    let failed = FilesError::path("read", path);
    match fs::File::open(path) {
        Ok(file) => {
            let mut bytes = Vec::new();
            match file.take(MAX_FILE_BYTES).read_to_end(&mut bytes) {
                Ok(_) => Ok(Some(bytes)),
                Err(error) => Err(failed(error)),
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error)),
    }
}
