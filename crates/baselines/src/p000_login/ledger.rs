//! The contract's view of vehicles.

use std::collections::HashMap;

use rand_core::CryptoRng;

use super::{Key, KeyPair, Uid, Vehicle};
use crate::Refusal;

/// What the ledger keeps under a UID.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// The vehicle's public key.
    pub key: Key,
    /// End of validity, seconds.
    pub valid_until: u32,
    /// Revoked by the contract.
    pub revoked: bool,
    /// Authentication code and its end, after the first authentication.
    pub code: Option<([u8; 8], u32)>,
}

/// The contract's state.
#[derive(Default)]
pub struct Ledger(HashMap<Uid, Record>);

impl Ledger {
    /// Registration: TA makes the keys, the contract stores them.
    pub fn register(
        &mut self,
        uid: Uid,
        valid_until: u32,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Vehicle {
        let keys = KeyPair::random(rng);
        let record = Record {
            key: keys.public(),
            valid_until,
            revoked: false,
            code: None,
        };
        self.0.insert(uid, record);
        Vehicle { uid, keys }
    }

    /// Marks a vehicle's key as revoked.
    ///
    /// # Errors
    ///
    /// [`Refusal::Key`] when the UID is unknown.
    pub fn revoke(&mut self, uid: Uid) -> Result<(), Refusal> {
        self.0.get_mut(&uid).ok_or(Refusal::Key)?.revoked = true;
        Ok(())
    }

    /// The record of a vehicle whose key is valid now.
    ///
    /// # Errors
    ///
    /// [`Refusal::Key`] when it is unknown, revoked or expired.
    pub fn valid(&self, uid: Uid, now: u32) -> Result<Record, Refusal> {
        let record = self.0.get(&uid).ok_or(Refusal::Key)?;
        if record.revoked || now > record.valid_until {
            Err(Refusal::Key)
        } else {
            Ok(*record)
        }
    }

    pub(super) fn write(&mut self, uid: Uid, record: Record) {
        self.0.insert(uid, record);
    }
}
