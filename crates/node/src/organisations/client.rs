//! What an organisation's operator and its devices send to their edge. Bytes only: how they get there is
//! the caller's matter.

use super::{
    MessageSuite, Ristretto255, Sm2,
    home::{DeviceFile, Organisation, OrganisationError, SuiteName, random_device},
    order::Order,
    rows::Row,
};
use cairn_contracts::{
    directory::OrgId,
    policy::{self, Rule},
    records,
};
use cairn_exchange::{
    keys::Shown,
    reading::{Query, Reading},
    request::Wanted,
};
use cairn_ledger::Transaction;
use cairn_vault::DeviceId;
use commonware_codec::Encode as _;
use rand::rngs::StdRng;
use std::ops::Range;

/// How long a transaction may wait for a block, in milliseconds.
const PATIENCE_MS: u64 = 60_000;

/// Whose records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// Those of all devices that have no rule of their own.
    Any,
    /// One device's.
    One(DeviceId),
}

impl Organisation {
    /// Issues a key to a new device. Returns its file, and the transaction that enrols it.
    ///
    /// # Errors
    ///
    /// [`OrganisationError`].
    pub fn enrol(
        &self,
        now_ms: u64,
        rng: &mut StdRng,
    ) -> Result<(DeviceFile, Enrolment), OrganisationError> {
        match self.profile().suite {
            SuiteName::Sm2 => self.enrol_under::<Sm2>(now_ms, rng),
            SuiteName::Ristretto255 => self.enrol_under::<Ristretto255>(now_ms, rng),
        }
    }

    fn enrol_under<S: MessageSuite>(
        &self,
        now_ms: u64,
        rng: &mut StdRng,
    ) -> Result<(DeviceFile, Enrolment), OrganisationError> {
        let party = self.issue::<S>(random_device(rng), now_ms, rng)?;
        let Shown { id, certificate } = party.shown();
        let enrolment = Enrolment {
            device: id.device,
            certificate: certificate.to_bytes(),
        };
        Ok((DeviceFile::new(&party, self.profile()), enrolment))
    }

    /// The transaction that enrols a device, for `POST /transactions`.
    ///
    /// # Errors
    ///
    /// [`OrganisationError`].
    pub fn enrolment(
        &self,
        enrolment: &Enrolment,
        now_ms: u64,
    ) -> Result<Vec<u8>, OrganisationError> {
        let [records, _] = self.profile().contracts()?;
        let certificate = bytes::Bytes::from(enrolment.certificate.clone());
        let enrol = records::Operation::Enrol {
            device: enrolment.device.0,
            epoch: self.profile().epoch,
            certificate: certificate
                .try_into()
                .expect("certificates have 53 bytes at most"),
        };
        self.transaction(now_ms, |nonce, expires_ms| {
            records::call(nonce, expires_ms, records, &enrol)
        })
    }

    /// The transaction that lets another organisation see records up to `grade` until `until_ms`.
    ///
    /// # Errors
    ///
    /// [`OrganisationError`].
    pub fn permission(
        &self,
        requester: OrgId,
        device: Device,
        rule: &Rule,
        now_ms: u64,
    ) -> Result<Vec<u8>, OrganisationError> {
        let [_, policy] = self.profile().contracts()?;
        let allow = policy::Operation::Allow {
            requester,
            device: match device {
                Device::Any => policy::ANY,
                Device::One(device) => device.0,
            },
            rule: rule.clone(),
        };
        self.transaction(now_ms, |nonce, expires_ms| {
            policy::call(nonce, expires_ms, policy, &allow)
        })
    }

    /// Nonces of an operator are its clock in microseconds, as those of its edge: later ones are higher.
    fn transaction(
        &self,
        now_ms: u64,
        build: impl FnOnce(u64, u64) -> Transaction,
    ) -> Result<Vec<u8>, OrganisationError> {
        let chain = self.profile().chain_id()?;
        let transaction = build(now_ms.saturating_mul(1_000), now_ms + PATIENCE_MS);
        let signed = transaction.sign(&chain, &[self.operator()]);
        Ok(signed.encode().to_vec())
    }

    /// An order to ask the organisation whose edge listens at `at`, for `POST /orders`.
    ///
    /// # Errors
    ///
    /// [`OrganisationError`].
    pub fn order(
        &self,
        wanted: Wanted,
        at: String,
        now_ms: u64,
    ) -> Result<String, OrganisationError> {
        let chain = self.profile().chain_id()?;
        Ok(Order::sign(self.operator(), &chain, wanted, at, now_ms).to_json())
    }
}

/// A certificate that is to be enrolled.
pub struct Enrolment {
    device: DeviceId,
    certificate: Vec<u8>,
}

impl DeviceFile {
    /// Rows as signed readings `{"field": value}`, each one JSON object.
    ///
    /// # Errors
    ///
    /// [`OrganisationError`].
    pub fn readings(
        &self,
        rows: &[Row],
        field: &str,
        rng: &mut StdRng,
    ) -> Result<Vec<String>, OrganisationError> {
        match self.profile.suite {
            SuiteName::Sm2 => self.readings_under::<Sm2>(rows, field, rng),
            SuiteName::Ristretto255 => self.readings_under::<Ristretto255>(rows, field, rng),
        }
    }

    fn readings_under<S: MessageSuite>(
        &self,
        rows: &[Row],
        field: &str,
        rng: &mut StdRng,
    ) -> Result<Vec<String>, OrganisationError> {
        let party = self.party::<S>()?;
        let grade = self.profile.grade;
        let field = serde_json::Value::from(field).to_string();
        let sign = |row: &Row| {
            let content = format!("{{{field}:{}}}", row.value);
            Reading::sign(&party, row.time_ms, grade, content, rng).to_json()
        };
        Ok(rows.iter().map(sign).collect())
    }

    /// A query about the device's own records, as JSON.
    ///
    /// # Errors
    ///
    /// [`OrganisationError`].
    pub fn query(
        &self,
        times: Range<u64>,
        now_ms: u64,
        rng: &mut StdRng,
    ) -> Result<String, OrganisationError> {
        Ok(match self.profile.suite {
            SuiteName::Sm2 => Query::sign(&self.party::<Sm2>()?, times, now_ms, rng).to_json(),
            SuiteName::Ristretto255 => {
                Query::sign(&self.party::<Ristretto255>()?, times, now_ms, rng).to_json()
            }
        })
    }
}
