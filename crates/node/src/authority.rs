//! TA and LEA as services of an embedded network: they enrol vehicles and RSUs.
//!
//! The roles are [`cairn_protocol::authority`]; here they get their files and the ledger. A vehicle's
//! part of the enrolment is here too: it makes its key, keeps it in a file of its own, and applies.
//!
//! 1. The vehicle makes key and request id and stores both.
//! 2. TA checks the application and stores the sealed entry.
//! 3. Of a vehicle that is to be recognised TA proposes the key, LEA reviews, the ledger executes. The
//!    others' keys are on no ledger: they sign the orders of credentials ([`crate::credentials`]).
//!
//! After a crash between any two steps the next start applies again with the same key and request
//! id, gets the same entry, and proposes only what the ledger does not have yet.

use crate::{
    clock::TraceClock,
    credentials::{Applicant, Credentials},
    deployments::{
        self, CREDENTIALS_NONCE, CREDITS_NONCE, KEYS_NONCE, MISBEHAVIOUR_NONCE, PROVIDERS_NONCE,
        TOKENS_NONCE,
    },
    embedded::signing_key,
    home::{Home, HomeError},
    issuer::IssuerError,
    ledger::{Ledger, LedgerError},
    register::Register,
};
use cairn_chain::{ReadError, Runtime};
use cairn_contracts::keys::{self, RsuRecord, VehicleRecord};
use cairn_crypto::{linkage::Revocation, schnorr::SecretKey, seal::RegisterKey};
use cairn_ledger::{
    Address, PrivateKey, PublicKey, Rid, SignedTransaction, Transaction, Uid, execute::instance_key,
};
use cairn_protocol::{
    authority::{
        Application, Case, Identification, Proposal, Registrar, RegistrarError, ReviewError,
        Reviewer, RsuApplication, misbehaviour::Justified,
    },
    issuing::{CircleError, EnrolError, trace::TraceError},
    plausibility::Bounds,
    vehicle::{Identity, Papers, Rotation},
};
use cairn_scenario::Site;
use commonware_cryptography::{Hasher as _, Sha256, Signer as _};
use rand::{Rng as _, rngs::StdRng};
use std::{collections::HashMap, sync::Arc};
use thiserror::Error;
use zeroize::Zeroizing;

pub use crate::deployments::{VOTE_LIFE_MS, VOTERS};

/// How long a transaction of an authority may wait for a block, in milliseconds of block time.
const PATIENCE_MS: u64 = 60_000;

/// Why an authority did not do what it was asked for.
#[derive(Debug, Error)]
pub enum AuthorityError {
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The ledger cannot be read.
    #[error("ledger: {0}")]
    Read(#[from] ReadError),
    /// The data directory.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// TA refuses.
    #[error("TA refuses: {0}")]
    Registrar(#[from] RegistrarError),
    /// LEA refuses.
    #[error("LEA refuses: {0}")]
    Review(#[from] ReviewError),
    /// An issuer.
    #[error("issuer: {0}")]
    Issuer(#[from] IssuerError),
    /// An order of credentials is refused.
    #[error("order of credentials refused: {0}")]
    Enrol(#[from] EnrolError),
    /// What the issuers answered is no good.
    #[error("issuers' answer: {0}")]
    Answer(#[from] cairn_crypto::credential::Error),
    /// What the ledger has of the issuers is no good.
    #[error("issuers on the ledger: {0}")]
    Circle(#[from] CircleError),
    /// A trace is refused.
    #[error("trace refused: {0}")]
    Trace(#[from] TraceError),
    /// The site of an RSU that is registered elsewhere, or under another key.
    #[error(
        "{0} is registered with another key or position; \
         use the sites that the network was made with, or another directory"
    )]
    OtherRsu(Rid),
}

/// TA and LEA of one network.
pub struct Authorities<E: Runtime> {
    ledger: Ledger<E>,
    clock: TraceClock,
    home: Arc<Home>,
    keys: Address,
    ta: PrivateKey,
    registrar: Registrar,
    register: Register,
    reviewer: Reviewer,
    credentials: Option<Credentials<E>>,
    nonce: u64,
    rng: StdRng,
}

impl<E: Runtime> Authorities<E> {
    /// Opens the authorities' files.
    pub fn open(
        mut rng: StdRng,
        ledger: Ledger<E>,
        clock: TraceClock,
        home: Arc<Home>,
        ta: PrivateKey,
        lea: PrivateKey,
    ) -> Result<Self, AuthorityError> {
        let chain = ledger.chain().id();
        let keys = Address::of_instance(&ta.public_key(), KEYS_NONCE);
        let register_key = register_key(&home, &mut rng)?;
        let (register, entries) = Register::open(&home.register())?;
        Ok(Self {
            // Later than any nonce of an earlier run.
            nonce: clock.now_ms().saturating_mul(1_000),
            registrar: Registrar::new(chain, keys, ta.clone(), register_key, entries),
            register,
            reviewer: Reviewer::new(chain, keys, ta.public_key(), lea),
            credentials: None,
            ledger,
            clock,
            home,
            keys,
            ta,
            rng,
        })
    }

    /// The instance of contract `keys`, deployed by TA unless an earlier run has.
    pub async fn deploy_keys(&self) -> Result<Address, AuthorityError> {
        self.deploy(KEYS_NONCE, deployments::keys).await
    }

    /// The instance of contract `tokens`, likewise.
    pub async fn deploy_tokens(&self) -> Result<Address, AuthorityError> {
        self.deploy(TOKENS_NONCE, deployments::tokens).await
    }

    /// The instance of contract `misbehaviour`, likewise. `bounds` are those of the RSUs' checks.
    pub async fn deploy_misbehaviour(&self, bounds: &Bounds) -> Result<Address, AuthorityError> {
        self.deploy(MISBEHAVIOUR_NONCE, |ta, expires_ms| {
            deployments::misbehaviour(ta, expires_ms, bounds)
        })
        .await
    }

    /// The instance of contract `credentials`, likewise.
    pub async fn deploy_credentials(&self) -> Result<Address, AuthorityError> {
        self.deploy(CREDENTIALS_NONCE, deployments::credentials)
            .await
    }

    /// The instance of contract `providers`, likewise.
    pub async fn deploy_providers(&self) -> Result<Address, AuthorityError> {
        self.deploy(PROVIDERS_NONCE, deployments::providers).await
    }

    /// The instance of contract `credits`, likewise, with who redeems.
    pub async fn deploy_credits(&self, redeemer: PublicKey) -> Result<Address, AuthorityError> {
        self.deploy(CREDITS_NONCE, |ta, expires_ms| {
            deployments::credits(ta, expires_ms, redeemer)
        })
        .await
    }

    async fn deploy(
        &self,
        nonce: u64,
        make: impl FnOnce(&PublicKey, u64) -> Transaction,
    ) -> Result<Address, AuthorityError> {
        let deployer = self.ta.public_key();
        let address = Address::of_instance(&deployer, nonce);
        let found = self.ledger.get(&[instance_key(&address)]).await?;
        if found.iter().all(|(_, record)| record.is_none()) {
            let deployment = make(&deployer, self.clock.now_ms() + PATIENCE_MS);
            let signed = deployment.sign(&self.ledger.chain().id(), &[&self.ta]);
            self.ledger.execute(signed).await?;
        }
        Ok(address)
    }

    /// Registers an RSU for each site, named by its place in the list, unless an earlier run has.
    pub async fn register_rsus(
        &mut self,
        sites: &[Site],
    ) -> Result<Vec<(Rid, PrivateKey)>, AuthorityError> {
        let chain = self.ledger.chain().id();
        let mut rsus = Vec::with_capacity(sites.len());
        let mut cases = Vec::new();
        for (rid, site) in (1..).map(Rid).zip(sites) {
            let signer = signing_key(&self.home, &format!("rsu-{}", rid.0), &mut self.rng)?;
            let position = crate::to_position(site.position);
            let found = self.ledger.get(&[keys::rsu_key(&self.keys, rid)]).await?;
            let found = found.into_iter().find_map(|(_, record)| record);
            match found.map(|record| record.decode_as::<RsuRecord>()) {
                None => {
                    let application = RsuApplication::new(&chain, rid, position, &signer);
                    cases.push(Case::RegisterRsu(application));
                }
                Some(Ok(found))
                    if found.key == signer.public_key() && found.position == position => {}
                Some(_) => return Err(AuthorityError::OtherRsu(rid)),
            }
            rsus.push((rid, signer));
        }
        self.execute(cases).await?;
        Ok(rsus)
    }

    /// Brings the issuers and their books, once there are any.
    pub fn set_credentials(&mut self, credentials: Credentials<E>) {
        self.credentials = Some(credentials);
    }

    /// The issuers and their books.
    pub fn credentials(&mut self) -> Result<&mut Credentials<E>, AuthorityError> {
        let none = || IssuerError::Stopped.into();
        self.credentials.as_mut().ok_or_else(none)
    }

    /// The vehicles with these names, in their order: `registered_share` of them with a key on the ledger,
    /// the others with credentials. Both log in and sign their position messages with that.
    pub async fn enrol(
        &mut self,
        names: &[Arc<str>],
        enrolment: Enrolment,
    ) -> Result<Vec<Enrolled>, AuthorityError> {
        let identities = self.register(names, enrolment).await?;
        let mut applicants = Vec::new();
        for (name, identity) in names.iter().zip(&identities) {
            if !enrolment.registers(name) {
                applicants.push(self.applicant(name.clone(), identity)?);
            }
        }
        let wallets = self.credentials()?.enrol(&applicants, enrolment.rotation);
        let mut wallets = wallets.await?.into_iter();
        let enrolled = names.iter().zip(identities).map(|(name, identity)| {
            let wallet = (!enrolment.registers(name)).then(|| wallets.next());
            Enrolled {
                uid: identity.uid,
                papers: match wallet.flatten() {
                    Some(wallet) => Papers::Anonymous(wallet),
                    None => Papers::Registered(identity),
                },
            }
        });
        Ok(enrolled.collect())
    }

    /// Who a vehicle is, for a finalised request that was answered.
    pub fn identification(&self, uid: &Uid) -> Result<Identification, AuthorityError> {
        Ok(self.registrar.open(uid)?)
    }

    fn applicant(
        &mut self,
        name: Arc<str>,
        identity: &Identity,
    ) -> Result<Applicant, AuthorityError> {
        let chain = self.ledger.chain().id();
        let Kept { key, request } = self.kept(&name)?;
        let person = invented_person(&name);
        let application = Application::new(&chain, request, person, &key, &mut self.rng);
        let entry = self.registrar.entry(&identity.uid);
        Ok(Applicant {
            name,
            uid: identity.uid,
            key,
            application,
            is_revoked: entry.is_none_or(|entry| entry.revoked),
        })
    }

    /// The identities of the vehicles with these names, in TA's register unless they are already; the keys
    /// of those that are to be recognised come on the ledger.
    async fn register(
        &mut self,
        names: &[Arc<str>],
        enrolment: Enrolment,
    ) -> Result<Vec<Identity>, AuthorityError> {
        let chain = self.ledger.chain().id();
        let now_ms = self.clock.now_ms();
        let mut identities = Vec::with_capacity(names.len());
        let mut applied = Vec::with_capacity(names.len());
        let mut entries = Vec::new();
        for name in names {
            let Kept { key, request } = self.kept(name)?;
            let person = invented_person(name);
            let application = Application::new(&chain, request, person, &key, &mut self.rng);
            // Who was revoked in an earlier run drives on, and is refused on the road.
            if let Some(uid) = self.revoked_uid(&application) {
                identities.push(Identity { uid, key });
                continue;
            }
            let plate = &application.identification.plate;
            let is_new = self.registrar.find_plate(plate).is_none();
            let (entry, case) = self
                .registrar
                .register(&application, now_ms, &mut self.rng)?;
            identities.push(Identity {
                uid: entry.uid,
                key,
            });
            if enrolment.registers(name) {
                applied.push((keys::vehicle_key(&self.keys, &entry.uid), case));
            }
            if is_new {
                entries.push(entry);
            }
        }
        self.register.append(&entries)?;
        if !applied.is_empty() {
            let wanted: Vec<_> = applied.iter().map(|(key, _)| *key).collect();
            let found = self.ledger.get(&wanted).await?;
            let cases = applied.into_iter().zip(found);
            let cases = cases.filter(|(_, (_, record))| record.is_none());
            self.execute(cases.map(|((_, case), _)| case).collect())
                .await?;
        }
        Ok(identities)
    }

    /// TA: notes the revocation of a registered vehicle in its register and proposes it.
    pub fn propose_revocation(
        &mut self,
        uid: Uid,
        justified: &Justified,
    ) -> Result<Proposal, AuthorityError> {
        let case = self.note_revocation(uid, justified.reason())?;
        let now_ms = self.clock.now_ms();
        self.nonce += 1;
        let (nonce, expires_ms) = (self.nonce, now_ms + PATIENCE_MS);
        let proposal = self
            .registrar
            .propose(nonce, expires_ms, vec![case], now_ms)?;
        Ok(proposal)
    }

    /// TA: notes a revocation in its register, from which the vehicle gets nothing any more.
    fn note_revocation(&mut self, uid: Uid, reason: String) -> Result<Case, AuthorityError> {
        match self.registrar.revoke(&uid, &reason) {
            Ok((entry, case)) => {
                self.register.append(&[entry])?;
                Ok(case)
            }
            // Noted before, but it did not come to the ledger.
            Err(RegistrarError::Revoked(_)) => Ok(Case::Revoke { uid, reason }),
            Err(error) => Err(error.into()),
        }
    }

    /// TA and LEA, each by its own look: publish the linkage seeds of a registered vehicle, so that
    /// credentials that it had before end with its key.
    pub async fn revoke_credentials(
        &mut self,
        by_ta: &Justified,
        by_lea: &Justified,
    ) -> Result<(), AuthorityError> {
        self.credentials()?.revoke_registered(by_ta, by_lea).await
    }

    /// TA and LEA, each by its own look: trace the credential that false messages were signed under, and
    /// publish the seeds of its vehicle. Tells TA's name of it.
    pub async fn revoke_anonymous(
        &mut self,
        by_ta: &Justified,
        by_lea: &Justified,
    ) -> Result<(Uid, Revocation), AuthorityError> {
        let credentials = self.credentials()?;
        let (uid, revocation) = credentials.revoke_justified(by_ta, by_lea).await?;
        let case = self.note_revocation(uid, by_ta.reason())?;
        // It may have registered a key in an earlier run.
        let key = keys::vehicle_key(&self.keys, &uid);
        let found = self.ledger.get(&[key]).await?;
        let record = found.into_iter().find_map(|(_, record)| record);
        let record = record.and_then(|record| record.decode_as::<VehicleRecord>().ok());
        if record.is_some_and(|record| record.revoked_ms.is_none()) {
            self.execute(vec![case]).await?;
        }
        Ok((uid, revocation))
    }

    /// LEA: countersigns a revocation that its own look justifies, too.
    pub fn review_revocation(
        &mut self,
        proposal: &Proposal,
        justified: &Justified,
    ) -> Result<SignedTransaction, AuthorityError> {
        let now_ms = self.clock.now_ms();
        let reviewed =
            self.reviewer
                .review_misbehaviour(proposal, justified, now_ms, &mut self.rng);
        Ok(reviewed?)
    }

    /// The UID of a revoked vehicle that asks to be registered again under its revoked key.
    fn revoked_uid(&self, application: &Application) -> Option<Uid> {
        let plate = &application.identification.plate;
        let entry = self.registrar.entry(&self.registrar.find_plate(plate)?)?;
        (entry.revoked && entry.key == application.key).then_some(entry.uid)
    }

    /// TA proposes, LEA reviews, the ledger executes.
    async fn execute(&mut self, mut cases: Vec<Case>) -> Result<(), AuthorityError> {
        while !cases.is_empty() {
            let rest = cases.split_off(cases.len().min(keys::MAX_OPERATIONS));
            let now_ms = self.clock.now_ms();
            self.nonce += 1;
            let proposal =
                self.registrar
                    .propose(self.nonce, now_ms + PATIENCE_MS, cases, now_ms)?;
            let registered = self.registered_keys(&proposal.cases).await?;
            let registered = |uid: &Uid| registered.get(uid).copied();
            let signed = self
                .reviewer
                .review(&proposal, registered, now_ms, &mut self.rng)?;
            self.ledger.execute(signed).await?;
            cases = rest;
        }
        Ok(())
    }

    /// The keys on the ledger that updates among the cases replace: LEA's own look.
    async fn registered_keys(
        &self,
        cases: &[Case],
    ) -> Result<HashMap<Uid, [u8; 32]>, AuthorityError> {
        let mut registered = HashMap::new();
        for case in cases {
            if let Case::Update { request, .. } = case {
                let key = keys::vehicle_key(&self.keys, &request.uid);
                let found = self.ledger.get(&[key]).await?;
                let found = found.into_iter().find_map(|(_, record)| record);
                let found = found.and_then(|record| record.decode_as::<VehicleRecord>().ok());
                registered.extend(found.map(|record| (request.uid, record.key)));
            }
        }
        Ok(registered)
    }

    /// What a vehicle made at its first start and keeps.
    fn kept(&mut self, name: &str) -> Result<Kept, AuthorityError> {
        if let Some(bytes) = self.home.vehicle(name)? {
            let kept = Kept::from_bytes(&bytes);
            return kept.ok_or_else(|| self.home.corrupt_vehicle(name).into());
        }
        let mut request = [0; REQUEST_BYTES];
        self.rng.fill_bytes(&mut request);
        let key = SecretKey::random(&mut self.rng);
        let kept = Kept { key, request };
        self.home.set_vehicle(name, &kept.to_bytes())?;
        Ok(kept)
    }
}

/// An enrolled vehicle.
pub struct Enrolled {
    /// Its name in TA's register.
    pub uid: Uid,
    /// What it logs in with, and signs its position messages under.
    pub papers: Papers,
}

/// How vehicles are enrolled.
#[derive(Clone, Copy, Debug, Default)]
pub struct Enrolment {
    /// Share of vehicles that go by registered keys, 0 to 1. Which ones follows from their names.
    pub registered_share: f64,
    /// When the others change their credential.
    pub rotation: Rotation,
}

impl Enrolment {
    fn registers(&self, name: &str) -> bool {
        let digest = Sha256::hash(&[b"share of ", name.as_bytes()]);
        let [a, b, c, d, ..] = *digest.as_ref() else {
            return false;
        };
        let place = f64::from(u32::from_be_bytes([a, b, c, d])) / (f64::from(u32::MAX) + 1.0);
        place < self.registered_share
    }
}

const KEY_BYTES: usize = 32;
const REQUEST_BYTES: usize = 16;

/// A vehicle's key and the id of its request for registration.
struct Kept {
    key: SecretKey,
    request: [u8; REQUEST_BYTES],
}

impl Kept {
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (key, request) = bytes.split_first_chunk::<KEY_BYTES>()?;
        Some(Self {
            key: SecretKey::from_bytes(key).ok()?,
            request: request.try_into().ok()?,
        })
    }

    fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(KEY_BYTES + REQUEST_BYTES));
        bytes.extend_from_slice(&*self.key.to_bytes());
        bytes.extend_from_slice(&self.request);
        bytes
    }
}

fn register_key(home: &Home, rng: &mut StdRng) -> Result<RegisterKey, HomeError> {
    const NAME: &str = "register";
    let secret = match home.secret(NAME)? {
        Some(secret) => secret,
        None => {
            let mut secret = Zeroizing::new(vec![0; KEY_BYTES]);
            rng.fill_bytes(&mut secret);
            home.set_secret(NAME, &secret)?;
            secret
        }
    };
    let secret: Result<&[u8; KEY_BYTES], _> = secret.as_slice().try_into();
    let secret = secret.map_err(|_| home.corrupt_secret(NAME, "a key of 32 bytes"))?;
    Ok(RegisterKey::new(secret))
}

/// Traces name vehicles, not people: the person is invented, one for each vehicle.
pub fn invented_person(name: &str) -> Identification {
    let number = Sha256::hash(&[b"person of ", name.as_bytes()]).to_string();
    let number = &number[..16];
    Identification {
        name: format!("Owner {number}"),
        document: format!("ID {number}"),
        plate: format!("CRN {number}"),
        vehicle: "simulated".into(),
        licence: format!("B {number}"),
    }
}
