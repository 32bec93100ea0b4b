//! Contract `keys`: the public keys of registered vehicles and of RSUs, with validity periods, and
//! the registered positions of RSUs (paper 000, sections 3.2.1 and 3.2.2; PROTOCOLS.md section 1).
//!
//! Every call carries TA's and LEA's signature. One call holds up to 256 operations; they succeed
//! together or not at all.
//!
//! | operation | rule |
//! |---|---|
//! | register | K-1 the name is free; K-2 the period is not empty, not over, at most the deployed limit; K-3 a vehicle's key is a canonical, non-identity point |
//! | update | K-4 the name is registered and not revoked; K-2, K-3 for the new record |
//! | revoke | K-5 the name is registered and not revoked |
//!
//! A revoked name never comes back: the record stays, marked with the block time of revocation.

use bytes::BufMut;
use cairn_ledger::{
    Access, Action, Address, LocalKey, Position, PublicKey, Record, Refusal, Rid, StateKey,
    Transaction, Uid,
    contract::{Call, Contract, deployment, parameters_key},
};
use commonware_codec::{
    Buf, Copying, Decode as _, Encode, EncodeSize, Error, FixedSize, RangeCfg, Read, ReadExt, Write,
};
use curve25519_dalek::{ristretto::CompressedRistretto, traits::IsIdentity};

/// The most operations in one call.
pub const MAX_OPERATIONS: usize = 256;

/// The contract's name.
pub const NAME: &str = "keys";

/// The contract's version.
pub const VERSION: u16 = 1;

const TAG_VEHICLE: u8 = b'v';
const TAG_RSU: u8 = b'r';

/// The registered key of a vehicle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VehicleRecord {
    /// Compressed ristretto255 point.
    pub key: [u8; 32],
    /// Start of validity, block time in milliseconds.
    pub valid_from_ms: u64,
    /// End of validity (exclusive), block time in milliseconds.
    pub valid_until_ms: u64,
    /// Block time of revocation.
    pub revoked_ms: Option<u64>,
}

/// The registered key and position of an RSU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RsuRecord {
    /// Ed25519 key that signs beacons and transactions.
    pub key: PublicKey,
    /// Where the antenna stands.
    pub position: Position,
    /// Start of validity, block time in milliseconds.
    pub valid_from_ms: u64,
    /// End of validity (exclusive), block time in milliseconds.
    pub valid_until_ms: u64,
    /// Block time of revocation.
    pub revoked_ms: Option<u64>,
}

impl VehicleRecord {
    /// Whether the key may be used at block time `time_ms`.
    pub fn is_valid_at(&self, time_ms: u64) -> bool {
        valid_at(
            self.valid_from_ms,
            self.valid_until_ms,
            self.revoked_ms,
            time_ms,
        )
    }
}

impl RsuRecord {
    /// Whether the key may be used at block time `time_ms`.
    pub fn is_valid_at(&self, time_ms: u64) -> bool {
        valid_at(
            self.valid_from_ms,
            self.valid_until_ms,
            self.revoked_ms,
            time_ms,
        )
    }
}

fn valid_at(from_ms: u64, until_ms: u64, revoked_ms: Option<u64>, time_ms: u64) -> bool {
    from_ms <= time_ms && time_ms < until_ms && revoked_ms.is_none()
}

/// The contract's own name for a vehicle's record.
pub fn vehicle_local_key(uid: &Uid) -> LocalKey {
    LocalKey::new(TAG_VEHICLE, uid).expect("9 bytes fit")
}

/// The contract's own name for an RSU's record.
pub fn rsu_local_key(rid: Rid) -> LocalKey {
    LocalKey::new(TAG_RSU, &rid.0.to_be_bytes()).expect("5 bytes fit")
}

/// The state key of a vehicle's record in the instance at `contract`.
pub fn vehicle_key(contract: &Address, uid: &Uid) -> StateKey {
    StateKey::new(contract, vehicle_local_key(uid).as_bytes())
}

/// The state key of an RSU's record in the instance at `contract`.
pub fn rsu_key(contract: &Address, rid: Rid) -> StateKey {
    StateKey::new(contract, rsu_local_key(rid).as_bytes())
}

/// The record of an RSU, for another contract that trusts the instance at `contract`.
pub(super) fn rsu(
    call: &Call<'_>,
    contract: &Address,
    rid: Rid,
) -> Result<Option<RsuRecord>, Refusal> {
    let record = call.get(contract, &rsu_local_key(rid))?;
    // An authority may have named an address at which other code wrote something else.
    let record = record.map(|record| record.decode_as().map_err(|_| Refusal::WrongAddress));
    record.transpose()
}

/// The record of the RSU `rid`, if its key is valid now and signed this call: what contracts ask of
/// who records something in an RSU's name.
pub(super) fn signing_rsu(
    call: &Call<'_>,
    contract: &Address,
    rid: Rid,
) -> Result<RsuRecord, Refusal> {
    let rsu = rsu(call, contract, rid)?.ok_or(Refusal::NotRegistered)?;
    if !call.signers.contains(&&rsu.key) {
        return Err(Refusal::MissingRsuSignature);
    }
    if rsu.revoked_ms.is_some() {
        return Err(Refusal::AlreadyRevoked);
    }
    if !rsu.is_valid_at(call.time_ms) {
        return Err(Refusal::InvalidPeriod);
    }
    Ok(rsu)
}

/// One operation of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Registers a vehicle's key; `revoked_ms` must be empty.
    RegisterVehicle(Uid, VehicleRecord),
    /// Replaces a vehicle's key and validity.
    UpdateVehicle(Uid, VehicleRecord),
    /// Revokes a vehicle's key.
    RevokeVehicle(Uid),
    /// Registers an RSU's key and position.
    RegisterRsu(Rid, RsuRecord),
    /// Replaces an RSU's key, position and validity.
    UpdateRsu(Rid, RsuRecord),
    /// Revokes an RSU's key.
    RevokeRsu(Rid),
}

impl Operation {
    fn local_key(&self) -> LocalKey {
        match self {
            Self::RegisterVehicle(uid, _)
            | Self::UpdateVehicle(uid, _)
            | Self::RevokeVehicle(uid) => vehicle_local_key(uid),
            Self::RegisterRsu(rid, _) | Self::UpdateRsu(rid, _) | Self::RevokeRsu(rid) => {
                rsu_local_key(*rid)
            }
        }
    }
}

/// A transaction that deploys `keys` with validity periods of at most `max_validity_ms`.
///
/// The instance's address is [`Address::of_instance`] of the sender and `nonce`.
pub fn deploy(
    nonce: u64,
    expires_ms: u64,
    deployer: &PublicKey,
    max_validity_ms: u64,
) -> Transaction {
    let code = (NAME, VERSION);
    deployment(nonce, expires_ms, deployer, code, max_validity_ms.encode())
}

/// A transaction that calls the instance at `contract` with `operations`.
pub fn call(
    nonce: u64,
    expires_ms: u64,
    contract: Address,
    operations: &[Operation],
) -> Transaction {
    let keys = core::iter::once(parameters_key())
        .chain(operations.iter().map(Operation::local_key))
        .collect();
    Transaction {
        nonce,
        expires_ms,
        access: vec![Access { contract, keys }],
        action: Action::Call {
            contract,
            payload: operations.encode(),
        },
    }
}

/// The contract's code.
pub struct Keys;

impl Contract for Keys {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u16 {
        VERSION
    }

    fn interface(&self) -> &'static str {
        include_str!("keys.schema.json")
    }

    fn deploy(&self, call: &mut Call<'_>, parameters: &[u8]) -> Result<(), Refusal> {
        call.keep_parameters::<u64>(parameters)
    }

    fn call(&self, call: &mut Call<'_>, payload: &[u8]) -> Result<(), Refusal> {
        call.require_authorities()?;
        let limits = (RangeCfg::from(1..=MAX_OPERATIONS), ());
        let operations = Vec::<Operation>::decode_cfg(Copying(payload), &limits)
            .map_err(|_| Refusal::MalformedPayload)?;
        let max_validity_ms = call.parameters::<u64>()?;
        for operation in &operations {
            apply(call, operation, max_validity_ms)?;
        }
        Ok(())
    }
}

fn apply(call: &mut Call<'_>, operation: &Operation, max_validity_ms: u64) -> Result<(), Refusal> {
    let key = operation.local_key();
    let record = match operation {
        Operation::RegisterVehicle(_, record) => {
            require_free(call, &key)?;
            Record::of(checked_vehicle(call, record, max_validity_ms)?)
        }
        Operation::UpdateVehicle(..) | Operation::RevokeVehicle(_) => {
            let old = call
                .own::<VehicleRecord>(&key)?
                .ok_or(Refusal::NotRegistered)?;
            if old.revoked_ms.is_some() {
                return Err(Refusal::AlreadyRevoked);
            }
            match operation {
                Operation::UpdateVehicle(_, record) => {
                    Record::of(checked_vehicle(call, record, max_validity_ms)?)
                }
                _ => Record::of(&VehicleRecord {
                    revoked_ms: Some(call.time_ms),
                    ..old
                }),
            }
        }
        Operation::RegisterRsu(_, record) => {
            require_free(call, &key)?;
            Record::of(checked_rsu(call, record, max_validity_ms)?)
        }
        Operation::UpdateRsu(..) | Operation::RevokeRsu(_) => {
            let old = call.own::<RsuRecord>(&key)?.ok_or(Refusal::NotRegistered)?;
            if old.revoked_ms.is_some() {
                return Err(Refusal::AlreadyRevoked);
            }
            match operation {
                Operation::UpdateRsu(_, record) => {
                    Record::of(checked_rsu(call, record, max_validity_ms)?)
                }
                _ => Record::of(&RsuRecord {
                    revoked_ms: Some(call.time_ms),
                    ..old
                }),
            }
        }
    };
    call.set(&key, Some(record))
}

/// K-1.
fn require_free(call: &Call<'_>, key: &LocalKey) -> Result<(), Refusal> {
    match call.get(&call.address, key)? {
        None => Ok(()),
        Some(_) => Err(Refusal::AlreadyRegistered),
    }
}

/// K-2 and K-3.
fn checked_vehicle<'a>(
    call: &Call<'_>,
    record: &'a VehicleRecord,
    max_validity_ms: u64,
) -> Result<&'a VehicleRecord, Refusal> {
    let point = CompressedRistretto(record.key).decompress();
    if point.is_none_or(|point| point.is_identity()) {
        return Err(Refusal::InvalidKey);
    }
    let period = (record.valid_from_ms, record.valid_until_ms);
    check_period(call, period, record.revoked_ms, max_validity_ms)?;
    Ok(record)
}

/// K-2. The RSU's Ed25519 key was checked when it was decoded.
fn checked_rsu<'a>(
    call: &Call<'_>,
    record: &'a RsuRecord,
    max_validity_ms: u64,
) -> Result<&'a RsuRecord, Refusal> {
    let period = (record.valid_from_ms, record.valid_until_ms);
    check_period(call, period, record.revoked_ms, max_validity_ms)?;
    Ok(record)
}

fn check_period(
    call: &Call<'_>,
    (from_ms, until_ms): (u64, u64),
    revoked_ms: Option<u64>,
    max_validity_ms: u64,
) -> Result<(), Refusal> {
    let length = until_ms.checked_sub(from_ms);
    let allowed = length.is_some_and(|length| 0 < length && length <= max_validity_ms);
    if !allowed || until_ms <= call.time_ms || revoked_ms.is_some() {
        return Err(Refusal::InvalidPeriod);
    }
    Ok(())
}

fn write_revoked(revoked_ms: Option<u64>, buf: &mut impl BufMut) {
    revoked_ms.unwrap_or(0).write(buf);
}

/// Block time 0 lies before every genesis, so it can stand for "not revoked" at a fixed size.
fn read_revoked(buf: &mut impl Buf) -> Result<Option<u64>, Error> {
    Ok(Some(u64::read(buf)?).filter(|time_ms| *time_ms != 0))
}

impl Write for VehicleRecord {
    fn write(&self, buf: &mut impl BufMut) {
        self.key.write(buf);
        self.valid_from_ms.write(buf);
        self.valid_until_ms.write(buf);
        write_revoked(self.revoked_ms, buf);
    }
}

impl FixedSize for VehicleRecord {
    const SIZE: usize = 32 + 3 * u64::SIZE;
}

impl Read for VehicleRecord {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, Error> {
        Ok(Self {
            key: ReadExt::read(buf)?,
            valid_from_ms: ReadExt::read(buf)?,
            valid_until_ms: ReadExt::read(buf)?,
            revoked_ms: read_revoked(buf)?,
        })
    }
}

impl Write for RsuRecord {
    fn write(&self, buf: &mut impl BufMut) {
        self.key.write(buf);
        self.position.write(buf);
        self.valid_from_ms.write(buf);
        self.valid_until_ms.write(buf);
        write_revoked(self.revoked_ms, buf);
    }
}

impl FixedSize for RsuRecord {
    const SIZE: usize = PublicKey::SIZE + Position::SIZE + 3 * u64::SIZE;
}

impl Read for RsuRecord {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, Error> {
        Ok(Self {
            key: ReadExt::read(buf)?,
            position: ReadExt::read(buf)?,
            valid_from_ms: ReadExt::read(buf)?,
            valid_until_ms: ReadExt::read(buf)?,
            revoked_ms: read_revoked(buf)?,
        })
    }
}

impl Write for Operation {
    fn write(&self, buf: &mut impl BufMut) {
        match self {
            Self::RegisterVehicle(uid, record) => (0u8, *uid, *record).write(buf),
            Self::UpdateVehicle(uid, record) => (1u8, *uid, *record).write(buf),
            Self::RevokeVehicle(uid) => (2u8, *uid).write(buf),
            Self::RegisterRsu(rid, record) => (3u8, *rid, record.clone()).write(buf),
            Self::UpdateRsu(rid, record) => (4u8, *rid, record.clone()).write(buf),
            Self::RevokeRsu(rid) => (5u8, *rid).write(buf),
        }
    }
}

impl EncodeSize for Operation {
    fn encode_size(&self) -> usize {
        u8::SIZE
            + match self {
                Self::RegisterVehicle(..) | Self::UpdateVehicle(..) => {
                    Uid::SIZE + VehicleRecord::SIZE
                }
                Self::RevokeVehicle(_) => Uid::SIZE,
                Self::RegisterRsu(..) | Self::UpdateRsu(..) => Rid::SIZE + RsuRecord::SIZE,
                Self::RevokeRsu(_) => Rid::SIZE,
            }
    }
}

impl Read for Operation {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, Error> {
        match u8::read(buf)? {
            0 => Ok(Self::RegisterVehicle(
                ReadExt::read(buf)?,
                ReadExt::read(buf)?,
            )),
            1 => Ok(Self::UpdateVehicle(
                ReadExt::read(buf)?,
                ReadExt::read(buf)?,
            )),
            2 => Ok(Self::RevokeVehicle(ReadExt::read(buf)?)),
            3 => Ok(Self::RegisterRsu(ReadExt::read(buf)?, ReadExt::read(buf)?)),
            4 => Ok(Self::UpdateRsu(ReadExt::read(buf)?, ReadExt::read(buf)?)),
            5 => Ok(Self::RevokeRsu(ReadExt::read(buf)?)),
            tag => Err(Error::InvalidEnum(tag)),
        }
    }
}
