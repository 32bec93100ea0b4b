//! A vehicle's voice: signs and counts its messages.

use cairn_contracts::misbehaviour::Signer;
use cairn_crypto::{credential::Credential, schnorr::SecretKey, suite::Ristretto255};
use cairn_ledger::{ChainId, Uid};
use rand_core::CryptoRng;

use super::{Attachment, Motion, Signed, Statement};

/// The first moment that counts start from: 2026-01-01, in milliseconds since 1970.
const COUNT_EPOCH_MS: u64 = 1_767_225_600_000;

/// The shortest time between two honest messages, in milliseconds, on average over a start: ten a
/// second, the highest rate of CAMs.
const COUNT_UNIT_MS: u64 = 100;

/// Time after which the credential rides along again, in milliseconds: a second, and less by what
/// a vehicle that speaks once a second may be early.
pub const ATTACH_MS: u64 = 900;

/// A voice under one key. A vehicle that changes its credential takes another.
pub struct Speaker {
    chain: ChainId,
    signer: Signer,
    key: SecretKey,
    attachment: Option<Attachment>,
    /// Time of the last message with the attachment.
    attached_ms: Option<u64>,
    next: u32,
}

impl Speaker {
    /// The voice of the vehicle `uid` under its registered key, from `now_ms` on.
    ///
    /// The count starts at tenths of seconds since 2026, so that a vehicle that forgets its count
    /// over a restart, or comes back to a credential, does not count back, if it has sent at most ten
    /// messages a second; and so that counts do not tell which credential came before.
    #[must_use]
    pub fn registered(chain: ChainId, uid: Uid, key: SecretKey, now_ms: u64) -> Self {
        Self::new(chain, Signer::Registered(uid), key, None, now_ms)
    }

    /// The voice of a vehicle under an anonymous credential, from `now_ms` on.
    #[must_use]
    pub fn anonymous(chain: ChainId, credential: &Credential<Ristretto255>, now_ms: u64) -> Self {
        let certificate = credential.certificate();
        let signer = Signer::Anonymous(certificate.attributes().linkage.0);
        let key = SecretKey::from_bytes(&credential.secret().to_bytes())
            .expect("a credential's secret is canonical and not zero");
        let attachment = Some(Attachment::of(&certificate));
        Self::new(chain, signer, key, attachment, now_ms)
    }

    fn new(
        chain: ChainId,
        signer: Signer,
        key: SecretKey,
        attachment: Option<Attachment>,
        now_ms: u64,
    ) -> Self {
        let tenths = now_ms.saturating_sub(COUNT_EPOCH_MS) / COUNT_UNIT_MS;
        Self {
            chain,
            signer,
            key,
            attachment,
            attached_ms: None,
            // Lasts until 2039; afterwards vehicles that restart need their memory.
            next: u32::try_from(tenths).unwrap_or(u32::MAX / 2),
        }
    }

    /// Under which name it speaks.
    #[must_use]
    pub const fn signer(&self) -> Signer {
        self.signer
    }

    /// The next message. The credential rides along with the first, and then once a second.
    pub fn speak(&mut self, motion: Motion, time_ms: u64, rng: &mut impl CryptoRng) -> Signed {
        let statement = Statement {
            signer: self.signer,
            sequence: self.next,
            time_ms,
            motion,
        };
        self.next = self.next.wrapping_add(1);
        let is_due = self
            .attached_ms
            .is_none_or(|at_ms| time_ms.abs_diff(at_ms) >= ATTACH_MS);
        let attachment = self.attachment.filter(|_| is_due);
        if attachment.is_some() {
            self.attached_ms = Some(time_ms);
        }
        Signed {
            statement,
            signature: self.key.sign(&statement.digest(&self.chain), rng),
            attachment,
        }
    }
}
