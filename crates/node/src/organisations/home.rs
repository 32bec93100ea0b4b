//! What an organisation keeps on disk, outside of its vault.
//!
//! ```text
//! DIR/organisation.json    number, suite, grade, schema, issuer key, where its edge listens: public
//! DIR/keys/operator.key    signs for the organisation on its chain and on the relay chain
//! DIR/keys/edge.key        the edge's certificateless key
//! DIR/keys/kgc-N.key       one share of the issuer key each
//! DIR/vault/…              records, unless they are in PostgreSQL
//! ```
//!
//! Keys are readable by their owner only. KGCs of a real organisation are run by different people on
//! different machines; here their shares lie side by side, for tests and demonstrations.

use super::{MessageSuite, Ristretto255, Sm2};
use crate::{
    embedded::signing_key,
    files::hex,
    home::{Home, HomeError, write},
};
use cairn_contracts::directory::OrgId;
use cairn_crypto::{
    credential::{Credential, IssuerKey, Slot},
    issuer::{Issuer, KeyShare, Quorum},
};
use cairn_exchange::{
    keys::{Issuers, KgcError, Kgcs, Party, PartyId},
    reading::{ReadingError, Schema, parse_device, unhex},
};
use cairn_ledger::{Address, ChainId, PrivateKey, PublicKey};
use cairn_vault::DeviceId;
use commonware_codec::{Copying, DecodeExt as _};
use commonware_cryptography::Signer as _;
use rand::{Rng as _, rngs::StdRng};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};
use thiserror::Error;
use zeroize::{Zeroize as _, Zeroizing};

/// How long keys are valid, in minutes: 45 days, about the most that a key's attributes can say.
const LIFE_MINUTES: u16 = 45 * 24 * 60;

/// Keys begin so long before they are made, in milliseconds: clocks differ.
const BACK_MS: u64 = 60_000;

/// The epoch of an organisation's first keys.
const FIRST_EPOCH: u16 = 1;

/// The largest file that is read here; ours have less than 1 KB.
const MAX_FILE_BYTES: u64 = 16 * 1024;

/// Why an organisation's files cannot be used. The operator is at fault, or the disk.
#[derive(Debug, Error)]
pub enum OrganisationError {
    /// A key file.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// A file.
    #[error("cannot {0} {1}: {2}")]
    File(&'static str, PathBuf, io::Error),
    /// A file does not hold what its name says.
    #[error("{0}: expected {1}")]
    Corrupt(PathBuf, String),
    /// The KGCs.
    #[error("issuers: {0}")]
    Kgc(#[from] KgcError),
    /// The schema.
    #[error(transparent)]
    Schema(#[from] ReadingError),
    /// The clock.
    #[error("the system's clock is not between 1970 and 2106")]
    Clock,
}

/// What an organisation's keys, signatures and envelopes are made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum SuiteName {
    /// SM2, SM3, SM4.
    Sm2,
    /// Ristretto255, SHA-512, ChaCha20-Poly1305.
    Ristretto255,
}

/// What a new organisation is to be.
#[derive(Clone, Debug)]
pub struct NewOrganisation {
    /// Its suite.
    pub suite: SuiteName,
    /// The grade of its chain.
    pub grade: u8,
    /// What its readings look like ([`Schema`]).
    pub schema: String,
}

/// What everybody may know of an organisation.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its number.
    pub organisation: u16,
    /// Its suite.
    pub suite: SuiteName,
    /// The grade of its chain.
    pub grade: u8,
    /// What its readings look like ([`Schema`]).
    pub schema: String,
    /// The epoch of its keys.
    pub epoch: u16,
    /// The key of its issuers, in hexadecimal.
    pub issuer_key: String,
    /// The edge's own name, in hexadecimal.
    pub edge: String,
    /// Its chain's id, in hexadecimal.
    pub chain: String,
    /// Contract `records` on it, in hexadecimal.
    pub records: String,
    /// Contract `policy` on it, in hexadecimal.
    pub policy: String,
    /// Where the edge listens for HTTP.
    pub listen: SocketAddr,
}

/// An organisation's directory.
pub struct Organisation {
    path: PathBuf,
    home: Home,
    profile: Profile,
    operator: PrivateKey,
}

/// An organisation that has keys and no chain yet.
pub struct Founded {
    path: PathBuf,
    organisation: OrgId,
    new: NewOrganisation,
    operator: PrivateKey,
    issuer_key: Vec<u8>,
    edge: DeviceId,
    listen: SocketAddr,
}

impl Founded {
    /// Makes the keys of a new organisation.
    ///
    /// # Errors
    ///
    /// [`OrganisationError`].
    pub fn create(
        path: &Path,
        organisation: OrgId,
        new: &NewOrganisation,
        listen: SocketAddr,
        now_ms: u64,
        rng: &mut StdRng,
    ) -> Result<Self, OrganisationError> {
        Schema::parse(&new.schema)?;
        let home = Home::shared(path)?;
        let operator = signing_key(&home, "operator", rng)?;
        let (issuer_key, edge) = match new.suite {
            SuiteName::Sm2 => keys::<Sm2>(&home, organisation, now_ms, rng),
            SuiteName::Ristretto255 => keys::<Ristretto255>(&home, organisation, now_ms, rng),
        }?;
        Ok(Self {
            path: path.to_owned(),
            organisation,
            new: new.clone(),
            operator,
            issuer_key,
            edge,
            listen,
        })
    }

    /// Signs for the organisation.
    #[must_use]
    pub fn operator(&self) -> PublicKey {
        self.operator.public_key()
    }

    /// The grade of its chain.
    #[must_use]
    pub fn grade(&self) -> u8 {
        self.new.grade
    }

    /// Writes the profile, now that the chain is known.
    ///
    /// # Errors
    ///
    /// [`OrganisationError`].
    pub fn settle(
        &self,
        chain: &ChainId,
        records: &Address,
        policy: &Address,
    ) -> Result<(), OrganisationError> {
        let profile = Profile {
            organisation: self.organisation.0,
            suite: self.new.suite,
            grade: self.new.grade,
            schema: self.new.schema.clone(),
            epoch: FIRST_EPOCH,
            issuer_key: hex(&self.issuer_key),
            edge: self.edge.to_string(),
            chain: chain.to_string(),
            records: records.to_string(),
            policy: policy.to_string(),
            listen: self.listen,
        };
        let mut json = serde_json::to_vec_pretty(&profile).expect("strings and numbers");
        json.push(b'\n');
        Ok(write(&profile_path(&self.path), &json)?)
    }
}

impl Organisation {
    /// Opens an organisation's directory.
    ///
    /// # Errors
    ///
    /// [`OrganisationError`].
    pub fn open(path: &Path) -> Result<Self, OrganisationError> {
        let profile = Profile::read(path)?;
        let home = Home::shared(path)?;
        let operator = existing_key(&home, "operator")?;
        Ok(Self {
            path: path.to_owned(),
            home,
            profile,
            operator,
        })
    }

    /// What everybody may know.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Signs for the organisation.
    #[must_use]
    pub fn operator(&self) -> &PrivateKey {
        &self.operator
    }

    /// Where its records lie if nothing else is said.
    #[must_use]
    pub fn vault(&self) -> PathBuf {
        self.path.join("vault")
    }

    /// The edge with its key.
    ///
    /// # Errors
    ///
    /// [`OrganisationError`].
    pub fn edge<S: MessageSuite>(&self) -> Result<Party<S>, OrganisationError> {
        let corrupt = || {
            self.home
                .corrupt_secret("edge", "a certificateless key of this suite")
        };
        let secret = self.home.secret("edge")?.ok_or_else(corrupt)?;
        let id = PartyId {
            organisation: OrgId(self.profile.organisation),
            device: parse_device(&self.profile.edge).ok_or_else(corrupt)?,
        };
        let issuers = self.profile.issuers::<S>()?;
        let credential = Credential::from_bytes(&secret, &issuers.key).map_err(|_| corrupt())?;
        Ok(Party::new(id, credential))
    }

    /// Lets the KGCs issue a key to a device of this name.
    ///
    /// # Errors
    ///
    /// [`OrganisationError`].
    pub fn issue<S: MessageSuite>(
        &self,
        device: DeviceId,
        now_ms: u64,
        rng: &mut StdRng,
    ) -> Result<Party<S>, OrganisationError> {
        let mut issuers = Vec::new();
        for index in Quorum::default().indices() {
            let name = share_name(index.get());
            let corrupt = || self.home.corrupt_secret(&name, "a share of an issuer key");
            let secret = self.home.secret(&name)?.ok_or_else(corrupt)?;
            let share = KeyShare::<S>::from_bytes(&secret).map_err(|_| corrupt())?;
            issuers.push(Issuer::new(share));
        }
        let id = PartyId {
            organisation: OrgId(self.profile.organisation),
            device,
        };
        let slot = slot(now_ms)?;
        Ok(Kgcs::new(issuers).enrol(id, self.profile.epoch, slot, rng)?)
    }
}

impl Profile {
    /// Reads the profile of the organisation in `directory`.
    ///
    /// # Errors
    ///
    /// [`OrganisationError`].
    pub fn read(directory: &Path) -> Result<Self, OrganisationError> {
        let path = profile_path(directory);
        let json = read(&path)?;
        serde_json::from_slice(&json)
            .map_err(|error| OrganisationError::Corrupt(path, error.to_string()))
    }

    /// The key of the organisation's issuers.
    ///
    /// # Errors
    ///
    /// [`OrganisationError::Corrupt`].
    pub fn issuers<S: MessageSuite>(&self) -> Result<Issuers<S>, OrganisationError> {
        let key = unhex(&self.issuer_key).and_then(|bytes| IssuerKey::from_bytes(&bytes).ok());
        Ok(Issuers {
            key: key.ok_or_else(|| corrupt("a point of the suite as issuer_key"))?,
            epoch: self.epoch,
        })
    }

    /// Its chain.
    ///
    /// # Errors
    ///
    /// [`OrganisationError::Corrupt`].
    pub fn chain_id(&self) -> Result<ChainId, OrganisationError> {
        let bytes = unhex(&self.chain).and_then(|bytes| bytes.try_into().ok());
        bytes
            .map(ChainId)
            .ok_or_else(|| corrupt("64 hexadecimal digits as chain"))
    }

    /// Its contracts `records` and `policy`.
    ///
    /// # Errors
    ///
    /// [`OrganisationError::Corrupt`].
    pub fn contracts(&self) -> Result<[Address; 2], OrganisationError> {
        let address = |text: &str| {
            let bytes = unhex(text).and_then(|bytes| bytes.try_into().ok());
            let expected = "40 hexadecimal digits as records and policy";
            bytes.map(Address).ok_or_else(|| corrupt(expected))
        };
        Ok([address(&self.records)?, address(&self.policy)?])
    }
}

/// What a device keeps: its key, and whom it reports to. Its file is readable by its owner only.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceFile {
    /// Its name, in hexadecimal.
    pub device: String,
    /// Its organisation.
    pub profile: Profile,
    /// Its certificateless key, in hexadecimal; secret.
    key: String,
}

impl Drop for DeviceFile {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

impl DeviceFile {
    /// A file for a device that was issued a key.
    #[must_use]
    pub fn new<S: MessageSuite>(party: &Party<S>, profile: &Profile) -> Self {
        Self {
            device: party.id().device.to_string(),
            profile: profile.clone(),
            key: hex(&party.credential().to_bytes()),
        }
    }

    /// Reads a device's file.
    ///
    /// # Errors
    ///
    /// [`OrganisationError`].
    pub fn read(path: &Path) -> Result<Self, OrganisationError> {
        let json = read(path)?;
        serde_json::from_slice(&json)
            .map_err(|error| OrganisationError::Corrupt(path.to_owned(), error.to_string()))
    }

    /// Writes it.
    ///
    /// # Errors
    ///
    /// [`OrganisationError`].
    pub fn write(&self, path: &Path) -> Result<(), OrganisationError> {
        let json = serde_json::to_vec_pretty(self).expect("strings and numbers");
        Ok(write(path, &Zeroizing::new(json))?)
    }

    /// The device with its key.
    ///
    /// # Errors
    ///
    /// [`OrganisationError::Corrupt`].
    pub fn party<S: MessageSuite>(&self) -> Result<Party<S>, OrganisationError> {
        let corrupt = || {
            let expected = "a device's name and key of the organisation's suite";
            OrganisationError::Corrupt("the device's file".into(), expected.into())
        };
        let issuers = self.profile.issuers::<S>()?;
        let bytes = Zeroizing::new(unhex(&self.key).ok_or_else(corrupt)?);
        let id = PartyId {
            organisation: OrgId(self.profile.organisation),
            device: parse_device(&self.device).ok_or_else(corrupt)?,
        };
        let credential = Credential::from_bytes(&bytes, &issuers.key).map_err(|_| corrupt())?;
        Ok(Party::new(id, credential))
    }
}

fn corrupt(expected: &str) -> OrganisationError {
    OrganisationError::Corrupt("organisation.json".into(), expected.to_owned())
}

fn profile_path(directory: &Path) -> PathBuf {
    directory.join("organisation.json")
}

fn share_name(number: u8) -> String {
    format!("kgc-{number}")
}

fn slot(now_ms: u64) -> Result<Slot, OrganisationError> {
    let start = u32::try_from(now_ms.saturating_sub(BACK_MS) / 1_000).ok();
    start
        .and_then(|start| Slot::new(start, LIFE_MINUTES))
        .ok_or(OrganisationError::Clock)
}

/// The KGCs make the issuer key, and issue the edge's. Returns the issuer key and the edge's name.
fn keys<S: MessageSuite>(
    home: &Home,
    organisation: OrgId,
    now_ms: u64,
    rng: &mut StdRng,
) -> Result<(Vec<u8>, DeviceId), OrganisationError> {
    let mut kgcs = Kgcs::<S>::generate(Quorum::default(), rng)?;
    for share in kgcs.shares() {
        home.set_secret(&share_name(share.index().get()), &share.to_bytes())?;
    }
    let id = PartyId {
        organisation,
        device: random_device(rng),
    };
    let edge = kgcs.enrol(id, FIRST_EPOCH, slot(now_ms)?, rng)?;
    home.set_secret("edge", &edge.credential().to_bytes())?;
    let issuer_key = kgcs.issuer_key().element().to_bytes();
    Ok((issuer_key.as_ref().to_vec(), id.device))
}

/// A new device's name.
#[must_use]
pub fn random_device(rng: &mut StdRng) -> DeviceId {
    let mut device = [0; 32];
    rng.fill_bytes(&mut device);
    DeviceId(device)
}

/// The Ed25519 key called `name`, which must be there.
pub(crate) fn existing_key(home: &Home, name: &str) -> Result<PrivateKey, HomeError> {
    let corrupt = || home.corrupt_secret(name, "an Ed25519 key");
    let secret = home.secret(name)?.ok_or_else(corrupt)?;
    PrivateKey::decode(Copying(&secret)).map_err(|_| corrupt())
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, OrganisationError> {
    use io::Read as _;
    let mut bytes = Zeroizing::new(Vec::new());
    fs::File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES).read_to_end(&mut bytes))
        .map_err(|error| OrganisationError::File("read", path.to_owned(), error))?;
    Ok(bytes)
}
