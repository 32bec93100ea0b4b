//! The vehicle's anonymous credentials, and when it changes from one to the next.
//!
//! Two credentials are valid at any time; which one a vehicle shows is its own affair. A change
//! takes effect with the next login: the token of a session under the old credential is not
//! shown again.

use cairn_crypto::{credential::Credential, linkage::LinkageValue, suite::Ristretto255};
use cairn_ledger::Position;
use rand_core::CryptoRng;

use super::Refusal;

/// The shortest silence at a change, in milliseconds: until a vehicle is where several could be.
pub const MIN_SILENCE_MS: u64 = 3_000;

/// The longest, in milliseconds: longer, and the silence costs more safety than it gives privacy.
pub const MAX_SILENCE_MS: u64 = 13_000;

/// When a vehicle changes its credential.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Rotation {
    /// When the next slot begins. The default: more is not to be had from two credentials, because
    /// who goes to and fro between them tells whoever hears both that they are one vehicle's.
    #[default]
    Period,
    /// Also after this many metres, to the other of the two. For vehicles that are seen by many
    /// receivers that do not pool what they see.
    Distance(f64),
    /// When the next slot begins, with a silence of random length
    /// ([`MIN_SILENCE_MS`] to [`MAX_SILENCE_MS`]): whoever heard both names cannot join them by place and
    /// time alone. Not the default, because a silent vehicle is not seen by others either.
    RandomSilence,
}

/// Credentials that the issuers gave to this vehicle.
pub struct Wallet {
    credentials: Vec<Credential<Ristretto255>>,
    rotation: Rotation,
    current: Option<LinkageValue>,
    driven_m: f64,
    here: Option<Position>,
    silent_until_ms: u64,
}

impl Wallet {
    /// A wallet.
    #[must_use]
    pub const fn new(credentials: Vec<Credential<Ristretto255>>, rotation: Rotation) -> Self {
        Self {
            credentials,
            rotation,
            current: None,
            driven_m: 0.0,
            here: None,
            silent_until_ms: 0,
        }
    }

    /// Adds credentials of a later request, and drops those whose slots are over.
    pub fn add(&mut self, credentials: Vec<Credential<Ristretto255>>, now_ms: u64) {
        self.credentials.extend(credentials);
        self.credentials
            .retain(|credential| end_ms(credential) > now_ms);
    }

    /// When the last slot ends, in milliseconds since 1970: new credentials are due before.
    #[must_use]
    pub fn exhausted_ms(&self) -> u64 {
        self.credentials.iter().map(end_ms).max().unwrap_or(0)
    }

    /// All credentials, those that are over included.
    #[must_use]
    pub fn credentials(&self) -> &[Credential<Ristretto255>] {
        &self.credentials
    }

    /// The credential that the vehicle goes by.
    #[must_use]
    pub fn current(&self) -> Option<&Credential<Ristretto255>> {
        self.find(self.current?)
    }

    /// Notes where the vehicle is.
    pub(super) fn moved(&mut self, here: &Position) {
        if let Some(before) = self.here.replace(*here) {
            self.driven_m += before.distance_m(here);
        }
    }

    /// Chooses the credential for a login now.
    pub(super) fn choose(
        &mut self,
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<&Credential<Ristretto255>, Refusal> {
        let mut valid: Vec<(u32, LinkageValue)> = self
            .credentials
            .iter()
            .map(|credential| credential.certificate().attributes())
            .filter(|attributes| attributes.slot.contains(now_ms, 0))
            .map(|attributes| (attributes.slot.start_s(), attributes.linkage))
            .collect();
        valid.sort_unstable();
        let (newest_s, newest) = *valid.last().ok_or(Refusal::Exhausted)?;
        let held = valid.iter().find(|(_, value)| Some(*value) == self.current);
        let next = match (held, self.rotation) {
            (None, _) => newest,
            (Some((start_s, _)), _) if *start_s < newest_s && !self.goes_back() => newest,
            (Some((_, value)), Rotation::Distance(metres)) if self.driven_m >= metres => {
                let other = valid.iter().rev().find(|(_, other)| other != value);
                other.map_or(*value, |(_, other)| *other)
            }
            (Some((_, value)), _) => *value,
        };
        if self.current != Some(next) {
            if self.current.is_some() && self.rotation == Rotation::RandomSilence {
                let span_ms = MAX_SILENCE_MS - MIN_SILENCE_MS + 1;
                let mut random = [0; 8];
                rng.fill_bytes(&mut random);
                let length_ms = MIN_SILENCE_MS + u64::from_be_bytes(random) % span_ms;
                self.silent_until_ms = now_ms + length_ms;
            }
            self.current = Some(next);
            self.driven_m = 0.0;
        }
        if now_ms < self.silent_until_ms {
            return Err(Refusal::Silent(self.silent_until_ms));
        }
        self.find(next).ok_or(Refusal::Exhausted)
    }

    /// Whether the vehicle may go by the older of its two credentials although it has a newer one.
    const fn goes_back(&self) -> bool {
        matches!(self.rotation, Rotation::Distance(_))
    }

    fn find(&self, value: LinkageValue) -> Option<&Credential<Ristretto255>> {
        self.credentials
            .iter()
            .find(|credential| credential.certificate().attributes().linkage == value)
    }
}

fn end_ms(credential: &Credential<Ristretto255>) -> u64 {
    u64::from(credential.certificate().attributes().slot.end_s()) * 1_000
}
