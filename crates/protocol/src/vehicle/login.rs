//! A login under way, and the session that comes of it.

use cairn_crypto::{
    noise,
    schnorr::{PublicKey, SecretKey},
};
use cairn_ledger::Rid;
use rand_core::CryptoRng;

use super::{Effect, RETRY_MS, Refusal};
use crate::{
    THR_MS,
    login::{Context, Credential, Way, prologue_over},
    session::VehicleSession,
    token::{Holder, MAX_HANDOVERS, SPEND_MARGIN_MS},
    trust::Trust,
    wire::{Cookie, Hello, Message, Path, Sealed},
};

/// How an RSU is reached.
#[derive(Clone, Copy)]
pub struct Line<'a> {
    /// What is believed of the RSU.
    pub trust: &'a Trust,
    /// The relays in between.
    pub path: Path,
}

/// A login under way.
pub(super) struct Attempt {
    pub(super) rid: Rid,
    pub(super) way: Way,
    pub(super) is_relayed: bool,
    pub(super) holder: Holder,
    pub(super) hello: Hello,
    pub(super) waiting: noise::Waiting,
    pub(super) cookie: Option<Cookie>,
    pub(super) cookies: u32,
    pub(super) retry_ms: u64,
    pub(super) ends_ms: u64,
    next: NextToken,
}

/// The secret of the next handover's token.
pub(super) struct NextToken {
    /// `n'`.
    pub(super) secret: SecretKey,
    /// Handovers since the last full login when it is shown.
    pub(super) hops: u8,
}

impl Attempt {
    /// Answers the last believed beacon of `rid` with the credential that `credential` makes for
    /// this context and next token, which has `hops` handovers before it.
    pub(super) fn begin<R: CryptoRng>(
        line: Line<'_>,
        rid: Rid,
        hops: u8,
        now_ms: u64,
        rng: &mut R,
        credential: impl FnOnce(&Context<'_>, PublicKey, &mut R) -> Credential,
    ) -> Result<Self, Refusal> {
        let Line { trust, path } = line;
        let beacon = trust
            .answerable(rid, now_ms)
            .ok_or(Refusal::NotInReach(rid))?;
        let prologue = prologue_over(beacon, &path);
        let initiator = noise::Initiator::new(beacon.ephemeral, &prologue, rng);
        let secret = SecretKey::random(rng);
        let context = Context {
            chain: &trust.road().chain,
            beacon,
            ephemeral: &initiator.ephemeral(),
        };
        let credential = credential(&context, secret.public(), rng);
        let (handshake, waiting) = initiator.hello(&credential.encode())?;
        let handshake = Sealed::from_bytes(&handshake).expect("key, credential and a tag");
        Ok(Self {
            rid,
            way: credential.way(),
            is_relayed: path != Path::DIRECT,
            holder: credential.claimed(),
            hello: Hello {
                beacon: beacon.id,
                handshake,
            },
            waiting,
            cookie: None,
            cookies: 0,
            retry_ms: now_ms + RETRY_MS,
            ends_ms: beacon.time_ms + THR_MS,
            next: NextToken { secret, hops },
        })
    }

    pub(super) fn send(&self) -> Effect {
        let message = match self.cookie {
            None => Message::Hello(self.hello.clone()),
            Some(cookie) => Message::HelloWithCookie(cookie, self.hello.clone()),
        };
        Effect::Send {
            to: self.rid,
            datagram: message.encode(),
        }
    }

    /// What comes of it when it is accepted.
    pub(super) fn succeed(self, session: VehicleSession) -> Current {
        Current {
            rid: self.rid,
            holder: self.holder,
            session,
            next_token: Some(self.next),
            rekey: None,
        }
    }
}

/// A session and what belongs to it.
pub(super) struct Current {
    pub(super) rid: Rid,
    /// As whom the vehicle logged in.
    pub(super) holder: Holder,
    pub(super) session: VehicleSession,
    /// `None` once it has been shown.
    pub(super) next_token: Option<NextToken>,
    pub(super) rekey: Option<Repeat>,
}

/// An open rekey.
pub(super) struct Repeat {
    pub(super) at_ms: u64,
    pub(super) left: u32,
}

impl Current {
    /// The next token, if an RSU can have minted it and will still take it: it ends with the
    /// session.
    pub(super) fn usable_token(&self, now_ms: u64) -> Option<&NextToken> {
        let lasts = now_ms.saturating_add(SPEND_MARGIN_MS) < self.session.until_ms();
        let token = self.next_token.as_ref();
        token.filter(|token| lasts && token.hops < MAX_HANDOVERS)
    }

    pub(super) fn repeat_rekey(&mut self, now_ms: u64, rng: &mut impl CryptoRng) -> Option<Effect> {
        let repeat = self
            .rekey
            .as_mut()
            .filter(|repeat| now_ms >= repeat.at_ms)?;
        if repeat.left == 0 {
            self.rekey = None;
            return Some(Effect::RekeyUnanswered(self.rid));
        }
        repeat.left -= 1;
        repeat.at_ms = now_ms + RETRY_MS;
        // The session is alive here: `wake` has just ended those that are over.
        let request = self.session.request(now_ms, rng).ok()?;
        let datagram = Message::RekeyRequest(request).encode();
        Some(Effect::Send {
            to: self.rid,
            datagram,
        })
    }
}

/// The session at the RSU that the vehicle has just left, for a short while.
pub(super) struct Previous {
    pub(super) rid: Rid,
    pub(super) session: VehicleSession,
    pub(super) ends_ms: u64,
}

impl Previous {
    pub(super) fn of(old: Current, now_ms: u64) -> Self {
        Self {
            rid: old.rid,
            ends_ms: old.session.until_ms().min(now_ms + SPEND_MARGIN_MS),
            session: old.session,
        }
    }
}
