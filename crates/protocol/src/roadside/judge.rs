//! Whether an opened login is accepted: rules `V-HELLO-7` to `V-HELLO-10`, and `V-TOKEN-1` to
//! `V-TOKEN-8` ([`crate::token`]). Everything here is judged by the records of a final state alone.

use cairn_crypto::{noise, schnorr};
use cairn_ledger::{
    Address, ChainId, Record, StateKey, Uid,
    contracts::{
        keys::{RsuRecord, VehicleRecord, rsu_key, vehicle_key},
        tokens::{Spend, TokenRecord, token_key},
    },
};
use commonware_codec::Read;

use super::{TokenWhy, Why};
use crate::{
    login::{Context, Credential, Registered, Way},
    session::MAX_VALIDITY_MS,
    token::{self, Holder, MAX_HANDOVERS, SPEND_MARGIN_MS, Token},
    wire::Beacon,
};

/// Records that were looked up; `None`: the state has none.
type Records = [(StateKey, Option<Record>)];

/// A login that passed the rules up to `V-HELLO-6`.
pub struct Opened {
    pub(super) keys: Address,
    pub(super) tokens: Address,
    pub(super) responder: noise::Responder,
    pub(super) beacon: Beacon,
    pub(super) credential: Credential,
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
        let mut needs = vec![vehicle_key(&self.keys, &self.claimed())];
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
    pub const fn claimed(&self) -> Uid {
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

    pub(super) fn judge(
        &self,
        chain: &ChainId,
        records: &Records,
        now_ms: u64,
    ) -> Result<Grant, Why> {
        let context = Context {
            chain,
            beacon: &self.beacon,
            ephemeral: &self.responder.ephemeral(),
        };
        match &self.credential {
            Credential::Registered(registered) => {
                self.registered(registered, &context, records, now_ms)
            }
            Credential::Token(token) => self.token(token, &context, records, now_ms),
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
            validity_ms: validity_ms(&record, now_ms),
            holder: Holder::Registered(*uid),
            next_hops: 0,
            shown: None,
        })
    }

    fn token(
        &self,
        shown: &Token,
        context: &Context<'_>,
        records: &Records,
        now_ms: u64,
    ) -> Result<Grant, Why> {
        let Holder::Registered(uid) = shown.holder;
        let refused = |why| Why::Token(uid, why);
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
        let holder = find::<VehicleRecord>(records, vehicle_key(&self.keys, &uid))?
            .filter(|holder| holder.is_valid_at(now_ms))
            .ok_or(refused(TokenWhy::Holder))?;
        // As the contract sees it when the spend is executed.
        find::<RsuRecord>(records, rsu_key(&self.keys, token.minted_by))?
            .filter(|minter| minter.revoked_ms.is_none())
            .ok_or(refused(TokenWhy::Minter(token.minted_by)))?;
        let proof = shown.verify(context).ok_or(refused(TokenWhy::Proof))?;
        Ok(Grant {
            validity_ms: validity_ms(&holder, now_ms),
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

/// A session ends with the vehicle's key, at the latest.
fn validity_ms(record: &VehicleRecord, now_ms: u64) -> u32 {
    u32::try_from(record.valid_until_ms.saturating_sub(now_ms))
        .unwrap_or(u32::MAX)
        .min(MAX_VALIDITY_MS)
}

fn find<T: Read<Cfg = ()>>(records: &Records, key: StateKey) -> Result<Option<T>, Why> {
    let found = records.iter().find(|(shown, _)| *shown == key);
    let (_, record) = found.ok_or(Why::RecordMissing(key))?;
    let record = record.as_ref().map(Record::decode_as).transpose();
    record.map_err(|_| Why::RecordMalformed(key))
}
