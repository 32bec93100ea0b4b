//! Contract `providers`: who may offer location services, and the key that questions are sealed to
//! (PROTOCOLS.md section 8).
//!
//! | part | rule |
//! |---|---|
//! | call | P-1 signed by TA and LEA |
//! | register | P-2 signed by the operator that the record names |
//! | register | P-3 the number is free; or it is the same operator's, who renews it, and not revoked |
//! | register | P-4 the period is not empty, not over, at most the deployed limit |
//! | register | P-5 the sealing key is a canonical, non-identity point |
//! | revoke | P-6 the number is registered and not revoked |
//!
//! A revoked number never comes back.

use crate::encoding::{newtype, operations, record};
use bytes::BufMut;
use cairn_ledger::{
    Access, Action, Address, LocalKey, PublicKey, Record, Refusal, StateKey, Transaction,
    contract::{Call, Contract, deployment, parameters_key},
};
use commonware_codec::{Buf, Copying, DecodeExt as _, Encode as _, Error, FixedSize, Read, Write};
use curve25519_dalek::{ristretto::CompressedRistretto, traits::IsIdentity};

/// The contract's name.
pub const NAME: &str = "providers";

/// The contract's version.
pub const VERSION: u16 = 1;

const TAG_PROVIDER: u8 = b'v';

/// Names a provider on the road chain, 2 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProviderId(pub u16);

newtype!(ProviderId(u16));

impl core::fmt::Display for ProviderId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "provider {}", self.0)
    }
}

/// What a provider offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Service {
    /// The nearest charging point.
    Charging = 1,
    /// The travel time on the road ahead.
    TravelTime = 2,
}

impl Write for Service {
    fn write(&self, buf: &mut impl BufMut) {
        (*self as u8).write(buf);
    }
}

impl Read for Service {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, Error> {
        match u8::read_cfg(buf, &())? {
            1 => Ok(Self::Charging),
            2 => Ok(Self::TravelTime),
            other => Err(Error::InvalidEnum(other)),
        }
    }
}

impl FixedSize for Service {
    const SIZE: usize = 1;
}

record! {
    /// What the ledger holds of a provider.
    ProviderRecord {
        /// What it offers.
        service: Service,
        /// Who runs it.
        operator: PublicKey,
        /// What questions are sealed to: a compressed ristretto255 point.
        key: [u8; 32],
        /// Start of validity, block time in milliseconds.
        valid_from_ms: u64,
        /// End of validity (exclusive), block time in milliseconds.
        valid_until_ms: u64,
        /// Whether it was revoked. A registration says no.
        is_revoked: bool,
    }
}

impl ProviderRecord {
    /// Whether questions may be sealed to the key at block time `time_ms`.
    #[must_use]
    pub const fn is_valid_at(&self, time_ms: u64) -> bool {
        self.valid_from_ms <= time_ms && time_ms < self.valid_until_ms && !self.is_revoked
    }
}

record! {
    /// What contract `providers` is deployed with.
    Parameters {
        /// The longest validity, in milliseconds.
        max_validity_ms: u64,
    }
}

operations! {
    /// What the contract is called with.
    #[allow(clippy::large_enum_variant, reason = "one at a time")]
    Operation {
        /// Registers a provider, or renews it.
        0 Register {
            /// Its number.
            provider: ProviderId,
            /// What it is.
            record: ProviderRecord,
        }
        /// Revokes a provider.
        1 Revoke {
            /// Its number.
            provider: ProviderId,
        }
    }
}

fn local(provider: ProviderId) -> LocalKey {
    LocalKey::new(TAG_PROVIDER, &provider.0.to_be_bytes()).expect("3 bytes fit")
}

/// The state key of a [`ProviderRecord`] in the instance at `contract`.
#[must_use]
pub fn provider_key(contract: &Address, provider: ProviderId) -> StateKey {
    StateKey::new(contract, local(provider).as_bytes())
}

/// A transaction that deploys `providers`.
#[must_use]
pub fn deploy(
    nonce: u64,
    expires_ms: u64,
    deployer: &PublicKey,
    parameters: &Parameters,
) -> Transaction {
    let code = (NAME, VERSION);
    deployment(nonce, expires_ms, deployer, code, parameters.encode())
}

/// A transaction that calls the instance at `contract`, to be signed by TA and LEA, and by the
/// operator if it registers.
#[must_use]
pub fn call(nonce: u64, expires_ms: u64, contract: Address, operation: &Operation) -> Transaction {
    let (Operation::Register { provider, .. } | Operation::Revoke { provider }) = operation;
    let keys = vec![parameters_key(), local(*provider)];
    Transaction {
        nonce,
        expires_ms,
        access: vec![Access { contract, keys }],
        action: Action::Call {
            contract,
            payload: operation.encode(),
        },
    }
}

/// The contract's code.
pub struct Providers;

impl Contract for Providers {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u16 {
        VERSION
    }

    fn interface(&self) -> &'static str {
        include_str!("providers.schema.json")
    }

    fn deploy(&self, call: &mut Call<'_>, parameters: &[u8]) -> Result<(), Refusal> {
        call.keep_parameters::<Parameters>(parameters)
    }

    fn call(&self, call: &mut Call<'_>, payload: &[u8]) -> Result<(), Refusal> {
        let operation = Operation::decode(Copying(payload));
        let operation = operation.map_err(|_| Refusal::MalformedPayload)?;
        let parameters: Parameters = call.parameters()?;
        // P-1.
        call.require_authorities()?;
        match operation {
            Operation::Register { provider, record } => {
                check(call, &parameters, &record)?;
                let key = local(provider);
                // P-3.
                match call.own::<ProviderRecord>(&key)? {
                    Some(old) if old.is_revoked => return Err(Refusal::AlreadyRevoked),
                    Some(old) if old.operator != record.operator => {
                        return Err(Refusal::AlreadyRegistered);
                    }
                    Some(_) | None => {}
                }
                call.set(&key, Some(Record::of(&record)))
            }
            Operation::Revoke { provider } => {
                let key = local(provider);
                // P-6.
                let old: ProviderRecord = call.own(&key)?.ok_or(Refusal::NotRegistered)?;
                if old.is_revoked {
                    return Err(Refusal::AlreadyRevoked);
                }
                let revoked = ProviderRecord {
                    is_revoked: true,
                    ..old
                };
                call.set(&key, Some(Record::of(&revoked)))
            }
        }
    }
}

/// P-2, P-4 and P-5.
fn check(call: &Call<'_>, parameters: &Parameters, record: &ProviderRecord) -> Result<(), Refusal> {
    if !call.signers.contains(&&record.operator) {
        return Err(Refusal::MissingOrganisationSignature);
    }
    let length_ms = record.valid_until_ms.checked_sub(record.valid_from_ms);
    let is_sound = length_ms.is_some_and(|ms| (1..=parameters.max_validity_ms).contains(&ms))
        && record.valid_until_ms > call.time_ms
        && !record.is_revoked;
    if !is_sound {
        return Err(Refusal::InvalidPeriod);
    }
    let point = CompressedRistretto(record.key).decompress();
    if point.is_none_or(|point| point.is_identity()) {
        return Err(Refusal::InvalidKey);
    }
    Ok(())
}
