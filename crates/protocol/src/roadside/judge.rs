//! Whether an opened login is accepted: rules `V-HELLO-7` to `V-HELLO-10`, `V-ANON-1` to `V-ANON-4`,
//! and `V-TOKEN-1` to `V-TOKEN-8` ([`crate::token`]). Everything here is judged by a final state alone:
//! by its records, or by what [`Issuers`] has learned of them.

use cairn_contracts::{
    keys::{RsuRecord, VehicleRecord, rsu_key, vehicle_key},
    tokens::{Spend, TokenRecord, token_key},
};
use cairn_crypto::{noise, schnorr, transcript::Digest};
use cairn_ledger::{Address, ChainId, Record, StateKey};
use commonware_codec::Read;

use super::{
    AnonymousWhy, Issuers, TokenWhy, Why,
    issuers::{Valid, end_ms},
};
use crate::{
    login::{Anonymous, Context, Credential, Registered, Way},
    session::MAX_VALIDITY_MS,
    token::{self, Holder, MAX_HANDOVERS, SPEND_MARGIN_MS, Token},
    wire::{Beacon, Path, RouteId},
};

/// Records that were looked up; `None`: the state has none.
pub type Found = Vec<(StateKey, Option<Record>)>;

type Records = [(StateKey, Option<Record>)];

/// A login that passed the rules up to `V-HELLO-6`.
pub struct Opened {
    pub(super) keys: Address,
    pub(super) tokens: Address,
    pub(super) responder: noise::Responder,
    pub(super) beacon: Beacon,
    pub(super) credential: Credential,
    /// The way through relays, if it came through some.
    pub(super) over: Option<(RouteId, Path)>,
}

/// What a login is granted.
pub(super) struct Grant {
    /// Validity of the session, in milliseconds.
    pub(super) validity_ms: u32,
    /// Who may use the next token.
    pub(super) holder: Holder,
    /// Handovers since the last full login when the next token is shown.
    pub(super) next_hops: u8,
    /// The token that was shown.
    pub(super) shown: Option<ShownToken>,
}

/// A good token.
pub(super) struct ShownToken {
    pub(super) spend: Spend,
    pub(super) expires_ms: u64,
}

impl Opened {
    /// The records that [`Roadside::accept`](super::Roadside::accept) needs, from one finalised
    /// state.
    #[must_use]
    pub fn needs(&self) -> Vec<StateKey> {
        let mut needs = Vec::new();
        if let Holder::Registered(uid) = self.claimed() {
            needs.push(vehicle_key(&self.keys, &uid));
        }
        if let Credential::Token(token) = &self.credential {
            needs.push(self.token_key(token));
        }
        needs
    }

    /// The records that it needs beside those, now that they are known: of a token, that of the RSU
    /// that minted it. From the same or a later finalised state.
    #[must_use]
    pub fn needs_more(&self, records: &Records) -> Vec<StateKey> {
        let Credential::Token(token) = &self.credential else {
            return Vec::new();
        };
        match find::<TokenRecord>(records, self.token_key(token)) {
            Ok(Some(record)) => vec![rsu_key(&self.keys, record.minted_by)],
            Ok(None) | Err(_) => Vec::new(),
        }
    }

    /// Who the vehicle says it is. Not checked yet.
    #[must_use]
    pub const fn claimed(&self) -> Holder {
        self.credential.claimed()
    }

    /// Full login or handover.
    #[must_use]
    pub const fn way(&self) -> Way {
        self.credential.way()
    }

    fn token_key(&self, token: &Token) -> StateKey {
        token_key(&self.tokens, &token::id(&token.point))
    }

    /// What is to be checked of an anonymous login beside its proof, and the statement that the
    /// proof has to fit; `None` for other logins, and for those that fail without it.
    pub(super) fn unproven<'a>(
        &'a self,
        chain: &ChainId,
        issuers: Option<&Issuers>,
        now_ms: u64,
    ) -> Option<(Valid, Digest, &'a Anonymous)> {
        let Credential::Anonymous(shown) = &self.credential else {
            return None;
        };
        let valid = issuers?.judge(shown, now_ms).ok()?;
        let context = Context {
            chain,
            beacon: &self.beacon,
            ephemeral: &self.responder.ephemeral(),
        };
        Some((valid, context.anonymous(&shown.next_token), shown))
    }

    /// `proof` tells whether an anonymous proof fits, if it was checked already.
    pub(super) fn judge(
        &self,
        chain: &ChainId,
        issuers: Option<&Issuers>,
        records: &Records,
        proof: Option<bool>,
        now_ms: u64,
    ) -> Result<Grant, Why> {
        let context = Context {
            chain,
            beacon: &self.beacon,
            ephemeral: &self.responder.ephemeral(),
        };
        match &self.credential {
            Credential::Anonymous(shown) => anonymous(shown, &context, issuers, proof, now_ms)
                .map_err(|why| Why::Anonymous(shown.linkage, why)),
            Credential::Registered(registered) => {
                self.registered(registered, &context, records, now_ms)
            }
            Credential::Token(token) => self.token(token, &context, issuers, records, now_ms),
        }
    }

    fn registered(
        &self,
        credential: &Registered,
        context: &Context<'_>,
        records: &Records,
        now_ms: u64,
    ) -> Result<Grant, Why> {
        let Registered {
            uid,
            next_token,
            signature,
        } = credential;
        let key = vehicle_key(&self.keys, uid);
        let record: VehicleRecord = find(records, key)?.ok_or(Why::NotRegistered(*uid))?;
        let public = schnorr::PublicKey::from_bytes(&record.key);
        let public = public.map_err(|_| Why::RecordMalformed(key))?;
        public
            .verify(&context.registered(uid, next_token), signature)
            .map_err(|_| Why::Signature(*uid))?;
        if record.revoked_ms.is_some() {
            return Err(Why::Revoked(*uid));
        }
        if !record.is_valid_at(now_ms) {
            return Err(Why::NotValid(*uid));
        }
        Ok(Grant {
            validity_ms: validity_ms(record.valid_until_ms, now_ms),
            holder: Holder::Registered(*uid),
            next_hops: 0,
            shown: None,
        })
    }

    fn token(
        &self,
        shown: &Token,
        context: &Context<'_>,
        issuers: Option<&Issuers>,
        records: &Records,
        now_ms: u64,
    ) -> Result<Grant, Why> {
        let refused = |why| Why::Token(shown.holder, why);
        let token: TokenRecord =
            find(records, self.token_key(shown))?.ok_or(refused(TokenWhy::Unknown))?;
        if token.expires_ms < now_ms.saturating_add(SPEND_MARGIN_MS) {
            return Err(refused(TokenWhy::Expired(token.expires_ms)));
        }
        if token.spent.is_some() {
            return Err(refused(TokenWhy::Spent));
        }
        if token.commitment != token::commitment(&shown.point, &shown.holder) {
            return Err(refused(TokenWhy::Commitment));
        }
        if token.hops >= MAX_HANDOVERS {
            return Err(refused(TokenWhy::Hops(token.hops)));
        }
        let until_ms = match shown.holder {
            Holder::Registered(uid) => {
                find::<VehicleRecord>(records, vehicle_key(&self.keys, &uid))?
                    .filter(|holder| holder.is_valid_at(now_ms))
                    .map(|holder| holder.valid_until_ms)
            }
            Holder::Anonymous(value) => issuers
                .is_some_and(|issuers| issuers.admits(&value))
                .then_some(u64::MAX),
        };
        let until_ms = until_ms.ok_or(refused(TokenWhy::Holder))?;
        // As the contract sees it when the spend is executed.
        find::<RsuRecord>(records, rsu_key(&self.keys, token.minted_by))?
            .filter(|minter| minter.revoked_ms.is_none())
            .ok_or(refused(TokenWhy::Minter(token.minted_by)))?;
        let proof = shown.verify(context).ok_or(refused(TokenWhy::Proof))?;
        Ok(Grant {
            validity_ms: validity_ms(until_ms, now_ms),
            holder: shown.holder,
            next_hops: token.hops + 1,
            shown: Some(ShownToken {
                spend: Spend {
                    id: token::id(&shown.point),
                    proof,
                    minted_by: token.minted_by,
                },
                expires_ms: token.expires_ms,
            }),
        })
    }
}

/// `V-ANON-1` to `V-ANON-4`.
fn anonymous(
    shown: &Anonymous,
    context: &Context<'_>,
    issuers: Option<&Issuers>,
    proof: Option<bool>,
    now_ms: u64,
) -> Result<Grant, AnonymousWhy> {
    let issuers = issuers.ok_or(AnonymousWhy::Epoch(shown.epoch))?;
    let Valid { certificate, key } = issuers.judge(shown, now_ms)?;
    let fits = proof.unwrap_or_else(|| {
        let statement = context.anonymous(&shown.next_token);
        key.verify(&certificate, &statement, &shown.proof).is_ok()
    });
    if !fits {
        return Err(AnonymousWhy::Proof);
    }
    Ok(Grant {
        validity_ms: validity_ms(end_ms(&certificate), now_ms),
        holder: Holder::Anonymous(shown.linkage),
        next_hops: 0,
        shown: None,
    })
}

/// A session ends with the vehicle's key or credential, at the latest.
fn validity_ms(until_ms: u64, now_ms: u64) -> u32 {
    u32::try_from(until_ms.saturating_sub(now_ms))
        .unwrap_or(u32::MAX)
        .min(MAX_VALIDITY_MS)
}

fn find<T: Read<Cfg = ()>>(records: &Records, key: StateKey) -> Result<Option<T>, Why> {
    let found = records.iter().find(|(shown, _)| *shown == key);
    let (_, record) = found.ok_or(Why::RecordMissing(key))?;
    let record = record.as_ref().map(Record::decode_as).transpose();
    record.map_err(|_| Why::RecordMalformed(key))
}
