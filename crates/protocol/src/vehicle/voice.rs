//! What the vehicle says of its position: signed under the name that it goes by.

use cairn_crypto::{credential::MAX_AT_ONCE, linkage::LinkageValue};
use rand_core::CryptoRng;

use super::{Identity, Papers, Refusal, Vehicle};
use crate::position::{Motion, Signed, Signer, Speaker};

impl Vehicle {
    /// The next position message. An anonymous vehicle signs under its current credential, and
    /// changes it by its [`Rotation`](super::Rotation).
    ///
    /// # Errors
    ///
    /// [`Refusal::Exhausted`] and [`Refusal::Silent`] of anonymous vehicles.
    pub fn speak(
        &mut self,
        motion: Motion,
        time_ms: u64,
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<Signed, Refusal> {
        let chain = self.trust.road().chain;
        let voices = &mut self.voices;
        let voice = match &mut self.papers {
            Papers::Registered(Identity { uid, key }) => voices
                .under(Signer::Registered(*uid), || {
                    Speaker::registered(chain, *uid, key.clone(), now_ms)
                }),
            Papers::Anonymous(wallet) => {
                let credential = wallet.choose(now_ms, rng)?;
                let value = credential.certificate().attributes().linkage.0;
                voices.under(Signer::Anonymous(value), || {
                    Speaker::anonymous(chain, credential, now_ms)
                })
            }
        };
        Ok(voice.speak(motion, time_ms, rng))
    }

    /// As [`Vehicle::speak`], under a credential of choice. An honest vehicle never does; a liar that
    /// pretends to be several vehicles can, with those that it has.
    ///
    /// # Errors
    ///
    /// [`Refusal::Exhausted`] when it has no such credential.
    pub fn speak_under(
        &mut self,
        linkage: &LinkageValue,
        motion: Motion,
        time_ms: u64,
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<Signed, Refusal> {
        let chain = self.trust.road().chain;
        let Papers::Anonymous(wallet) = &self.papers else {
            return Err(Refusal::Exhausted);
        };
        let mut credentials = wallet.credentials().iter();
        let credential = credentials.find(|one| one.certificate().attributes().linkage == *linkage);
        let credential = credential.ok_or(Refusal::Exhausted)?;
        let voice = self.voices.under(Signer::Anonymous(linkage.0), || {
            Speaker::anonymous(chain, credential, now_ms)
        });
        Ok(voice.speak(motion, time_ms, rng))
    }
}

/// The vehicle's voices. Each name has a count of its own: one that went on would join them. It is kept
/// while the vehicle may come back to the name.
#[derive(Default)]
pub(super) struct Voices(Vec<Speaker>);

impl Voices {
    fn under(&mut self, signer: Signer, make: impl FnOnce() -> Speaker) -> &mut Speaker {
        let Self(speakers) = self;
        let known = speakers
            .iter()
            .position(|speaker| speaker.signer() == signer);
        let place = known.unwrap_or_else(|| {
            if speakers.len() == MAX_AT_ONCE {
                speakers.remove(0);
            }
            speakers.push(make());
            speakers.len() - 1
        });
        &mut speakers[place]
    }
}
