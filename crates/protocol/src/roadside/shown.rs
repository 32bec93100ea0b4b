//! Tokens shown at this RSU (`V-TOKEN-9`), and those whose spend is not settled yet.
//!
//! A token is remembered until it expires, also when its spend has long been settled: a login may
//! still be judged by records that were read before the spend was final.

use std::collections::{BTreeSet, HashMap};

use cairn_contracts::tokens::{TokenId, TokenRecord};

use super::{MAX_SHOWN, judge::ShownToken};
use crate::login::Asc;

/// A session served on a token whose spend is not final yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Provisional {
    /// Names the session.
    pub asc: Asc,
    /// The token.
    pub token: TokenId,
    /// Digest of the proof with which it was shown.
    pub proof: [u8; 32],
}

impl Provisional {
    /// Whether this session has the token, by the token's record in a final state that includes
    /// this RSU's spend. A spend that had no effect (expired, voided, cleaned up) has lost too.
    #[must_use]
    pub fn has_won(&self, record: Option<&TokenRecord>) -> bool {
        record.is_some_and(|record| record.spent == Some(self.proof))
    }
}

/// Bounded by [`MAX_SHOWN`].
#[derive(Default)]
pub(super) struct Shown {
    by_token: HashMap<TokenId, Asc>,
    open: HashMap<Asc, Provisional>,
    ends: BTreeSet<(u64, TokenId)>,
}

impl Shown {
    pub(super) fn contains(&self, token: &TokenId) -> bool {
        self.by_token.contains_key(token)
    }

    pub(super) fn is_full(&self) -> bool {
        self.by_token.len() >= MAX_SHOWN
    }

    pub(super) fn insert(&mut self, asc: Asc, shown: &ShownToken) {
        let token = shown.spend.id;
        let proof = shown.spend.proof;
        self.by_token.insert(token, asc);
        self.ends.insert((shown.expires_ms, token));
        self.open.insert(asc, Provisional { asc, token, proof });
    }

    pub(super) fn open(&self) -> impl Iterator<Item = &Provisional> {
        self.open.values()
    }

    /// Returns whether this session was provisional.
    pub(super) fn settle(&mut self, asc: Asc) -> bool {
        self.open.remove(&asc).is_some()
    }

    /// Forgets expired tokens. Returns the sessions whose spend was not settled: a later one has no
    /// effect, so they have lost.
    pub(super) fn expire(&mut self, now_ms: u64) -> Vec<Asc> {
        let mut lost = Vec::new();
        while let Some(&(expires_ms, token)) = self.ends.first() {
            if now_ms < expires_ms {
                break;
            }
            self.ends.pop_first();
            if let Some(asc) = self.by_token.remove(&token) {
                lost.extend(self.settle(asc).then_some(asc));
            }
        }
        lost
    }

    pub(super) fn next_wakeup(&self) -> Option<u64> {
        self.ends.first().map(|(expires_ms, _)| *expires_ms)
    }
}
