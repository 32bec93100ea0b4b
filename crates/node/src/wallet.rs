//! A vehicle's credentials and open requests in its file.
//!
//! ```text
//! 1 | begin 4 | minutes 2 | handle 16 | u 32     an open request
//! 2 | W 32 | attributes 20 | d 32                a credential
//! ```
//!
//! Open requests are stored before they are sent: after a crash the same requests go out again, and
//! get the same slots.

use cairn_crypto::{
    credential::{Credential, IssuerKey, Pending, Policy, Slot},
    suite::Ristretto255,
};
use zeroize::Zeroizing;

type Suite = Ristretto255;

const PENDING: u8 = 1;
const CREDENTIAL: u8 = 2;

/// Slots that a vehicle holds credentials for: the two that are on, and the one after. A day or so
/// in advance; more would only cost.
const SLOTS: usize = 3;

/// What a vehicle keeps.
#[derive(Default)]
pub struct Kept {
    /// Credentials whose slots are not over.
    pub credentials: Vec<Credential<Suite>>,
    /// Requests that have no answer yet.
    pub pending: Vec<(Pending<Suite>, Slot)>,
}

impl Kept {
    /// Reads a file, and leaves out what is over at `now_s`. `None` when it is no such file, or its
    /// credentials are of another issuer.
    pub fn from_bytes(bytes: &[u8], issuer: &IssuerKey<Suite>, now_s: u32) -> Option<Self> {
        let mut kept = Self::default();
        let mut rest = bytes;
        while let Some((kind, after)) = rest.split_first() {
            rest = match *kind {
                PENDING => {
                    let (start, after) = after.split_first_chunk()?;
                    let (minutes, after) = after.split_first_chunk()?;
                    let slot = Slot::new(u32::from_be_bytes(*start), u16::from_be_bytes(*minutes))?;
                    let (pending, after) = after.split_at_checked(Pending::<Suite>::BYTES)?;
                    kept.pending
                        .push((Pending::from_bytes(pending).ok()?, slot));
                    after
                }
                CREDENTIAL => {
                    let (credential, after) = after.split_at_checked(Credential::<Suite>::BYTES)?;
                    kept.credentials
                        .push(Credential::from_bytes(credential, issuer).ok()?);
                    after
                }
                _ => return None,
            };
        }
        kept.credentials
            .retain(|credential| slot_of(credential).end_s() > now_s);
        kept.pending.retain(|(_, slot)| slot.end_s() > now_s);
        Some(kept)
    }

    /// The file.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::new());
        for (pending, slot) in &self.pending {
            let minutes = (slot.end_s() - slot.start_s()) / 60;
            let minutes = u16::try_from(minutes).expect("a slot's length has 16 bits");
            bytes.push(PENDING);
            bytes.extend_from_slice(&slot.start_s().to_be_bytes());
            bytes.extend_from_slice(&minutes.to_be_bytes());
            bytes.extend_from_slice(&pending.to_bytes());
        }
        for credential in &self.credentials {
            bytes.push(CREDENTIAL);
            bytes.extend_from_slice(&credential.to_bytes());
        }
        bytes
    }

    /// The slots that the vehicle should hold at `now_s` and has neither credential nor request for.
    pub fn missing(&self, policy: &Policy, now_s: u32) -> Vec<Slot> {
        let has = |slot: &Slot| {
            let held = self.credentials.iter().map(slot_of);
            let asked = self.pending.iter().map(|(_, slot)| *slot);
            held.chain(asked).any(|held| held == *slot)
        };
        let this = policy.period(now_s);
        let next = cairn_crypto::linkage::Period(this.0.saturating_add(1));
        let all = [this, next].into_iter().flat_map(|period| {
            (0..policy.per_period()).filter_map(move |k| policy.slot(period, k))
        });
        all.filter(|slot| slot.end_s() > now_s)
            .take(SLOTS)
            .filter(|slot| !has(slot))
            .collect()
    }
}

fn slot_of(credential: &Credential<Suite>) -> Slot {
    credential.certificate().attributes().slot
}
