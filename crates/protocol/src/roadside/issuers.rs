//! What an RSU knows of the issuers and of revoked credentials: rules `V-ANON-1` to `V-ANON-4`.
//!
//! Everything here comes from contract `credentials`. Published seeds are expanded when they are
//! published and when a period begins; a login looks its linkage value up in one hash set,
//! whatever the number of revoked vehicles. Position messages are judged by the same rules
//! ([`crate::position`]), so whoever hears them keeps this, too.

use std::{collections::BTreeMap, sync::Arc};

use cairn_crypto::{
    credential::{Attributes, Batch, Certificate, IssuerKey, Policy},
    linkage::{LinkageValue, Period, Revocation, Revoked},
    suite::Ristretto255,
    transcript::Digest,
};
use rand_core::CryptoRng;

use super::reasons::AnonymousWhy;
use crate::{THR_MS, login::Anonymous};

/// Issuer keys by epoch, and everything revoked.
pub struct Issuers {
    policy: Policy,
    keys: BTreeMap<u16, Arc<IssuerKey<Ristretto255>>>,
    revoked: Revoked,
}

/// An anonymous credential that is valid now; its proof is not checked yet.
pub(super) struct Valid {
    pub(super) certificate: Certificate<Ristretto255>,
    pub(super) key: Arc<IssuerKey<Ristretto255>>,
}

impl Issuers {
    /// No issuer yet, nothing revoked.
    #[must_use]
    pub fn new(policy: Policy, now_ms: u64) -> Self {
        let period = latest_period(&policy, now_ms);
        Self {
            revoked: Revoked::new(policy.per_period(), period),
            keys: BTreeMap::new(),
            policy,
        }
    }

    /// Takes credentials of an epoch from now on.
    pub fn install(&mut self, epoch: u16, key: Arc<IssuerKey<Ristretto255>>) {
        self.keys.insert(epoch, key);
    }

    /// Takes credentials of an epoch no more.
    pub fn end(&mut self, epoch: u16) {
        self.keys.remove(&epoch);
    }

    /// Whether there is a key of this epoch.
    #[must_use]
    pub fn has(&self, epoch: u16) -> bool {
        self.keys.contains_key(&epoch)
    }

    /// The policy of slots.
    pub(crate) const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Refuses the credentials of a vehicle from now on, and returns those of the last two periods.
    /// A revocation too far in the past is of no credential that could still be valid.
    pub fn revoke(&mut self, revocation: Revocation, now_ms: u64) -> Vec<LinkageValue> {
        self.advance(now_ms);
        let current = latest_period(&self.policy, now_ms);
        let before = Period(current.0.saturating_sub(1));
        let values = [before, current]
            .into_iter()
            .filter_map(|period| revocation.expand(period, self.policy.per_period()).ok())
            .flatten()
            .collect();
        // `expand` above has already refused what `add` refuses.
        let _ = self.revoked.add(revocation);
        values
    }

    /// Expands all seeds when a period begins.
    pub(crate) fn advance(&mut self, now_ms: u64) {
        // A step of more than 20 years changes nothing; then no credential is valid.
        let _ = self.revoked.advance(latest_period(&self.policy, now_ms));
    }

    /// `V-ANON-1` to `V-ANON-3`.
    pub(super) fn judge(&self, shown: &Anonymous, now_ms: u64) -> Result<Valid, AnonymousWhy> {
        let key = self.key(shown.epoch)?;
        let (period, certificate) = shown
            .certificate(&self.policy)
            .ok_or(AnonymousWhy::Grid(shown.start_s))?;
        self.check(period, &certificate.attributes(), now_ms)?;
        Ok(Valid {
            certificate,
            key: key.clone(),
        })
    }

    /// `V-ANON-1`.
    pub(crate) fn key(&self, epoch: u16) -> Result<&Arc<IssuerKey<Ristretto255>>, AnonymousWhy> {
        self.keys.get(&epoch).ok_or(AnonymousWhy::Epoch(epoch))
    }

    /// `V-ANON-2` and `V-ANON-3` of a credential whose slot is one of the policy's.
    pub(crate) fn check(
        &self,
        period: Period,
        attributes: &Attributes,
        now_ms: u64,
    ) -> Result<(), AnonymousWhy> {
        let slot = attributes.slot;
        if !slot.contains(now_ms, THR_MS) || u64::from(slot.end_s()) * 1_000 <= now_ms {
            return Err(AnonymousWhy::Slot(slot.start_s()));
        }
        self.revoked
            .check(period, &attributes.linkage)
            .map_err(|_| AnonymousWhy::Revoked)
    }

    /// Whether the linkage value of a token's holder, or of an accused, is not revoked.
    pub(crate) fn admits(&self, value: &LinkageValue) -> bool {
        self.revoked.check_recent(value).is_ok()
    }
}

/// End of a credential's slot, in milliseconds since 1970.
pub(super) fn end_ms(certificate: &Certificate<Ristretto255>) -> u64 {
    u64::from(certificate.attributes().slot.end_s()) * 1_000
}

/// The latest period of which a credential can be shown: a vehicle's clock may be ahead.
fn latest_period(policy: &Policy, now_ms: u64) -> Period {
    let latest_s = now_ms.saturating_add(THR_MS) / 1_000;
    policy.period(u32::try_from(latest_s).unwrap_or(u32::MAX))
}

/// `V-ANON-4` for many at once: whether each proof fits, in their order. One multi-scalar
/// multiplication for each issuer key; single checks name the bad ones of a batch that fails.
pub(super) fn check_proofs(
    shown: &[Option<(Valid, Digest, &Anonymous)>],
    rng: &mut impl CryptoRng,
) -> Vec<Option<bool>> {
    let mut verdicts: Vec<Option<bool>> = shown.iter().map(|s| s.as_ref().map(|_| true)).collect();
    let mut by_epoch: BTreeMap<u16, Vec<usize>> = BTreeMap::new();
    for (index, entry) in shown.iter().enumerate() {
        if let Some((_, _, anonymous)) = entry {
            by_epoch.entry(anonymous.epoch).or_default().push(index);
        }
    }
    for indices in by_epoch.into_values() {
        let of_epoch = || indices.iter().filter_map(|index| shown[*index].as_ref());
        let Some((first, ..)) = of_epoch().next() else {
            continue;
        };
        let mut batch = Batch::new(&first.key);
        for (valid, statement, anonymous) in of_epoch() {
            batch.push(valid.certificate, *statement, anonymous.proof);
        }
        for bad in batch.verify(rng).err().unwrap_or_default() {
            verdicts[indices[bad]] = Some(false);
        }
    }
    verdicts
}
