//! TA: the register and its proposals.

use std::collections::HashMap;

use bytes::{BufMut, Bytes};
use cairn_contracts::keys::{self, Operation, RsuRecord, VehicleRecord};
use cairn_crypto::seal::{self, RegisterKey};
use cairn_ledger::{Address, ChainId, PrivateKey, SignedTransaction, Uid};
use commonware_codec::{
    Buf, Copying, DecodeExt as _, Encode as _, EncodeSize, Error, FixedSize as _, RangeCfg, Read,
    ReadExt, Write,
};
use rand_core::CryptoRng;
use thiserror::Error as ThisError;
use zeroize::Zeroizing;

use super::{
    Application, ApplicationError, Identification, MAX_FIELD_BYTES, RsuApplication, UpdateRequest,
    VALIDITY_MS,
};

/// The most bytes of a sealed identification: five fields with their lengths.
const MAX_SEALED_BYTES: usize = 5 * (MAX_FIELD_BYTES + 2) + seal::OVERHEAD;

/// The most bytes of a reason for revocation: a sentence and a file number.
pub const MAX_REASON_BYTES: usize = 256;

/// Names under which look-up values are derived.
const DOCUMENT: &str = "document";
const PLATE: &str = "plate";
const KEY: &str = "key";

/// Why the TA refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
pub enum RegistrarError {
    /// The applicant is at fault.
    #[error(transparent)]
    Application(#[from] ApplicationError),
    /// `V-REG-3`.
    #[error("{0} is already registered")]
    AlreadyRegistered(&'static str),
    /// `V-REG-4`, and for revocations.
    #[error("vehicle {0} is not registered")]
    Unknown(Uid),
    /// `V-REG-4`, and for revocations.
    #[error("vehicle {0} is already revoked")]
    Revoked(Uid),
    /// `V-REG-6`.
    #[error("expected a reason of 1 to {MAX_REASON_BYTES} bytes")]
    Reason,
    /// The register's file or its key is at fault.
    #[error("register: {0}")]
    Seal(#[from] seal::Error),
    /// The register's file or its key is at fault.
    #[error("sealed identification of vehicle {0} does not decode")]
    Entry(Uid),
}

/// One vehicle in the register, as it lies on disk. Tells nobody who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedEntry {
    /// The vehicle's name.
    pub uid: Uid,
    /// The request that it was registered by.
    pub request: [u8; 16],
    /// The registered key (public: it is on the ledger under the UID).
    pub key: [u8; 32],
    /// End of validity (exclusive), milliseconds since 1970.
    pub valid_until_ms: u64,
    /// Whether it was revoked.
    pub revoked: bool,
    /// Keyed hashes of document, plate and key.
    pub lookups: [[u8; 32]; 3],
    /// The sealed [`Identification`].
    pub sealed: Bytes,
}

/// One operation, with what justifies it: what LEA sees.
#[derive(Clone)]
#[allow(missing_docs, reason = "the types say what they are")]
pub enum Case {
    Register {
        uid: Uid,
        application: Box<Application>,
    },
    Update {
        old_key: [u8; 32],
        request: UpdateRequest,
    },
    Revoke {
        uid: Uid,
        reason: String,
    },
    RegisterRsu(RsuApplication),
    RevokeRsu {
        rid: cairn_ledger::Rid,
        reason: String,
    },
}

impl Case {
    /// The operation that the case justifies, with validity from `from_ms`.
    pub(super) fn operation(&self, from_ms: u64) -> Operation {
        let vehicle = |key| VehicleRecord {
            key,
            valid_from_ms: from_ms,
            valid_until_ms: from_ms + VALIDITY_MS,
            revoked_ms: None,
        };
        match self {
            Self::Register { uid, application } => {
                Operation::RegisterVehicle(*uid, vehicle(application.key))
            }
            Self::Update { request, .. } => {
                Operation::UpdateVehicle(request.uid, vehicle(request.key))
            }
            Self::Revoke { uid, .. } => Operation::RevokeVehicle(*uid),
            Self::RegisterRsu(application) => Operation::RegisterRsu(
                application.rid,
                RsuRecord {
                    key: application.key.clone(),
                    position: application.position,
                    valid_from_ms: from_ms,
                    valid_until_ms: from_ms + VALIDITY_MS,
                    revoked_ms: None,
                },
            ),
            Self::RevokeRsu { rid, .. } => Operation::RevokeRsu(*rid),
        }
    }

    /// What the case itself must fulfil, whoever looks at it.
    pub(super) fn check(&self, chain: &ChainId) -> Result<(), RegistrarError> {
        match self {
            Self::Register { application, .. } => Ok(application.check(chain)?),
            Self::Update { old_key, request } => Ok(request.check(chain, old_key)?),
            Self::RegisterRsu(application) => Ok(application.check(chain)?),
            Self::Revoke { reason, .. } | Self::RevokeRsu { reason, .. } => {
                if (1..=MAX_REASON_BYTES).contains(&reason.len()) {
                    Ok(())
                } else {
                    Err(RegistrarError::Reason)
                }
            }
        }
    }
}

/// A call signed by TA, with its cases.
#[derive(Clone)]
pub struct Proposal {
    /// The call of contract `keys`.
    pub transaction: SignedTransaction,
    /// One case for each operation, in order.
    pub cases: Vec<Case>,
    /// Begin of validity of what is registered or updated, milliseconds since 1970.
    pub from_ms: u64,
}

/// The TA.
pub struct Registrar {
    chain: ChainId,
    contract: Address,
    signer: PrivateKey,
    key: RegisterKey,
    entries: HashMap<Uid, SealedEntry>,
    lookups: HashMap<[u8; 32], Uid>,
}

impl Registrar {
    /// The TA with what its register holds on disk.
    #[must_use]
    pub fn new(
        chain: ChainId,
        contract: Address,
        signer: PrivateKey,
        key: RegisterKey,
        entries: Vec<SealedEntry>,
    ) -> Self {
        let (lookups, empty) = (HashMap::new(), HashMap::new());
        let mut registrar = Self {
            chain,
            contract,
            signer,
            key,
            entries: empty,
            lookups,
        };
        entries.into_iter().for_each(|entry| registrar.put(entry));
        registrar
    }

    /// Registers a vehicle: checks the application, draws the UID, seals the identity.
    ///
    /// The entry is to be stored before the case is proposed. The same application again gives the
    /// same entry.
    ///
    /// # Errors
    ///
    /// `V-REG-1` to `V-REG-3`.
    pub fn register(
        &mut self,
        application: &Application,
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<(SealedEntry, Case), RegistrarError> {
        application.check(&self.chain)?;
        let identification = &application.identification;
        let lookups = [
            self.key
                .lookup(DOCUMENT, identification.document.as_bytes()),
            self.key.lookup(PLATE, identification.plate.as_bytes()),
            self.key.lookup(KEY, &application.key),
        ];
        let case = |uid| Case::Register {
            uid,
            application: Box::new(application.clone()),
        };
        for (what, lookup) in [DOCUMENT, PLATE, KEY].into_iter().zip(&lookups) {
            let Some(entry) = self
                .lookups
                .get(lookup)
                .and_then(|uid| self.entries.get(uid))
            else {
                continue;
            };
            // The whole application must be the same, and nothing may have happened since.
            let again = entry.request == application.request
                && entry.lookups == lookups
                && !entry.revoked
                && self.open(&entry.uid)? == *identification;
            if again {
                return Ok((entry.clone(), case(entry.uid)));
            }
            return Err(RegistrarError::AlreadyRegistered(what));
        }
        let uid = self.draw_uid(rng);
        let text = Zeroizing::new(identification.encode().to_vec());
        let sealed = self.key.seal(&uid, &text, rng)?;
        let entry = SealedEntry {
            uid,
            request: application.request,
            key: application.key,
            valid_until_ms: now_ms + VALIDITY_MS,
            revoked: false,
            lookups,
            sealed: sealed.into(),
        };
        self.put(entry.clone());
        Ok((entry, case(uid)))
    }

    /// Replaces a vehicle's key.
    ///
    /// # Errors
    ///
    /// `V-REG-3`, `V-REG-4`.
    pub fn update(
        &mut self,
        request: &UpdateRequest,
        now_ms: u64,
    ) -> Result<(SealedEntry, Case), RegistrarError> {
        let mut entry = self.living(&request.uid)?.clone();
        request.check(&self.chain, &entry.key)?;
        let lookup = self.key.lookup(KEY, &request.key);
        if self.lookups.contains_key(&lookup) {
            return Err(RegistrarError::AlreadyRegistered(KEY));
        }
        let old_key = std::mem::replace(&mut entry.key, request.key);
        entry.lookups[2] = lookup;
        entry.valid_until_ms = now_ms + VALIDITY_MS;
        self.put(entry.clone());
        Ok((
            entry,
            Case::Update {
                old_key,
                request: request.clone(),
            },
        ))
    }

    /// Revokes a vehicle's key.
    ///
    /// # Errors
    ///
    /// [`RegistrarError::Unknown`], [`RegistrarError::Revoked`], `V-REG-6`.
    pub fn revoke(
        &mut self,
        uid: &Uid,
        reason: &str,
    ) -> Result<(SealedEntry, Case), RegistrarError> {
        let mut entry = self.living(uid)?.clone();
        let case = Case::Revoke {
            uid: *uid,
            reason: reason.to_owned(),
        };
        case.check(&self.chain)?;
        entry.revoked = true;
        self.put(entry.clone());
        Ok((entry, case))
    }

    /// Signs a call for these cases, whose validities begin at `now_ms`; at most
    /// [`keys::MAX_OPERATIONS`] at a time.
    ///
    /// # Errors
    ///
    /// `V-REG-5` and `V-REG-6` for the cases that need no register.
    pub fn propose(
        &self,
        nonce: u64,
        expires_ms: u64,
        cases: Vec<Case>,
        now_ms: u64,
    ) -> Result<Proposal, RegistrarError> {
        cases.iter().try_for_each(|case| case.check(&self.chain))?;
        let operations: Vec<Operation> = cases.iter().map(|case| case.operation(now_ms)).collect();
        let call = keys::call(nonce, expires_ms, self.contract, &operations);
        let transaction = call.sign(&self.chain, &[&self.signer]);
        Ok(Proposal {
            transaction,
            cases,
            from_ms: now_ms,
        })
    }

    /// Who a vehicle is. For a finalised and countersigned request only; the caller checks that.
    ///
    /// # Errors
    ///
    /// [`RegistrarError::Unknown`]; [`RegistrarError::Seal`] and [`RegistrarError::Entry`] when the
    /// register or its key is damaged.
    pub fn open(&self, uid: &Uid) -> Result<Identification, RegistrarError> {
        let entry = self.entries.get(uid).ok_or(RegistrarError::Unknown(*uid))?;
        let text = self.key.open(uid, &entry.sealed)?;
        Identification::decode(Copying(&text)).map_err(|_| RegistrarError::Entry(*uid))
    }

    /// The vehicle with this plate, found without opening anything.
    #[must_use]
    pub fn find_plate(&self, plate: &str) -> Option<Uid> {
        self.lookups
            .get(&self.key.lookup(PLATE, plate.as_bytes()))
            .copied()
    }

    /// The entry of a vehicle.
    #[must_use]
    pub fn entry(&self, uid: &Uid) -> Option<&SealedEntry> {
        self.entries.get(uid)
    }

    fn living(&self, uid: &Uid) -> Result<&SealedEntry, RegistrarError> {
        let entry = self.entries.get(uid).ok_or(RegistrarError::Unknown(*uid))?;
        if entry.revoked {
            Err(RegistrarError::Revoked(*uid))
        } else {
            Ok(entry)
        }
    }

    fn draw_uid(&self, rng: &mut impl CryptoRng) -> Uid {
        loop {
            let mut uid = [0; Uid::SIZE];
            rng.fill_bytes(&mut uid);
            if !self.entries.contains_key(&Uid(uid)) {
                return Uid(uid);
            }
        }
    }

    /// Old look-ups stay: a key that was ever registered is not registered again.
    fn put(&mut self, entry: SealedEntry) {
        self.lookups
            .extend(entry.lookups.iter().map(|lookup| (*lookup, entry.uid)));
        self.entries.insert(entry.uid, entry);
    }
}

impl Write for SealedEntry {
    fn write(&self, buf: &mut impl BufMut) {
        self.uid.write(buf);
        self.request.write(buf);
        self.key.write(buf);
        self.valid_until_ms.write(buf);
        self.revoked.write(buf);
        self.lookups.iter().for_each(|lookup| lookup.write(buf));
        self.sealed.write(buf);
    }
}

impl EncodeSize for SealedEntry {
    fn encode_size(&self) -> usize {
        Uid::SIZE + 16 + 32 + 8 + 1 + 3 * 32 + self.sealed.encode_size()
    }
}

impl Read for SealedEntry {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, Error> {
        Ok(Self {
            uid: ReadExt::read(buf)?,
            request: ReadExt::read(buf)?,
            key: ReadExt::read(buf)?,
            valid_until_ms: ReadExt::read(buf)?,
            revoked: ReadExt::read(buf)?,
            lookups: [
                ReadExt::read(buf)?,
                ReadExt::read(buf)?,
                ReadExt::read(buf)?,
            ],
            sealed: Bytes::read_cfg(buf, &RangeCfg::from(seal::OVERHEAD..=MAX_SEALED_BYTES))?,
        })
    }
}
