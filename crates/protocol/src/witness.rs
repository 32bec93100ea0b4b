//! The RSU as a witness (PROTOCOLS.md section 6): hears position messages, judges them, votes.
//!
//! 1. Messages come from the air at any time; the RSU passes over those that are stale
//!    ([`Signed::check_age`]) and collects the rest.
//! 2. About once a second it checks what it has collected in one batch
//!    ([`Receiver::verify`]) and judges each message ([`Watch`]).
//! 3. It keeps what it heard of every signer: the last [`CONTEXT`] messages, and of one with an
//!    implausible message all of the last two minutes, because these may become evidence.
//! 4. When a vote is due it makes the [`Evidence`] and judges that as everybody else will, with
//!    nothing known before. Only if it convinces does the RSU vote; else it waits for more.
//! 5. It votes again only when its last vote has expired.
//!
//! All of that is by signer. A vehicle that changes its credential is somebody new: it begins without
//! suspicions, and with at most a hint ([`Check::Appearance`](crate::plausibility::Check::Appearance)),
//! which leads to no vote.

use std::collections::{HashMap, VecDeque};

use cairn_contracts::misbehaviour::Vote;
use cairn_crypto::linkage::Revocation;
use cairn_ledger::{Address, ChainId, Position, Record, Rid, StateKey, Uid};
use rand_core::CryptoRng;
use thiserror::Error;

use crate::{
    evidence::{Evidence, Heard, MAX_MESSAGES, MAX_SPAN_MS},
    plausibility::{
        Bounds, FORGET_MS, Judgement, MAX_SUBJECTS, Severity, Subject, Unusable, Watch,
    },
    position::{PositionError, Receiver, Signatory, Signed, Signer, Verified},
    roadside::Issuers,
};

/// Messages kept of a signer that nothing is held against: those before its first lie, with which
/// that is compared. As many as fit into the memory of [`Watch`] at one a second.
pub const CONTEXT: usize = 8;

/// The most signers of which two minutes are kept: 42 MB. Of further ones the context must do.
pub const MAX_SUSPECTS: usize = 512;

/// Why a message was passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Passed {
    /// `V-POS-*`.
    #[error(transparent)]
    Position(#[from] PositionError),
    /// It cannot be judged.
    #[error(transparent)]
    Unusable(#[from] Unusable),
}

/// Where a witness stands and for whom.
#[derive(Clone, Copy, Debug)]
pub struct Stand {
    /// The road chain.
    pub chain: ChainId,
    /// The instance of contract `keys`.
    pub keys: Address,
    /// The RSU's name.
    pub rid: Rid,
    /// Its registered position.
    pub here: Position,
    /// How long a vote stands, in milliseconds: the life that contract `misbehaviour` is deployed
    /// with.
    pub vote_life_ms: u64,
}

/// What one RSU has heard and thinks of it.
pub struct Witness {
    stand: Stand,
    bounds: Bounds,
    watch: Watch,
    receiver: Receiver,
    logs: HashMap<Signer, Log>,
    suspects: usize,
}

/// What was heard of one signer.
struct Log {
    subject: Subject,
    signatory: Signatory,
    messages: VecDeque<Heard>,
    /// When the last implausible message was heard, if that is among `messages`.
    suspected_ms: Option<u64>,
    is_vote_due: bool,
    voted_ms: Option<u64>,
    heard_ms: u64,
}

impl Witness {
    /// A witness that has heard nothing yet.
    #[must_use]
    pub fn new(stand: Stand, bounds: Bounds, issuers: Issuers) -> Self {
        Self {
            stand,
            bounds,
            watch: Watch::new(stand.here, bounds),
            receiver: Receiver::new(stand.chain, stand.keys, issuers),
            logs: HashMap::new(),
            suspects: 0,
        }
    }

    /// The records that [`Witness::hear`] needs, from one finalised state.
    #[must_use]
    pub fn needs(&self, heard: &[Heard]) -> Vec<StateKey> {
        self.receiver.needs(&messages(heard))
    }

    /// Steps 2 and 3. One result for each message, in order.
    pub fn hear(
        &mut self,
        heard: &[Heard],
        records: &[(StateKey, Option<Record>)],
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Vec<Result<Judgement, Passed>> {
        let messages = messages(heard);
        let verified = self.receiver.verify(&messages, records, now_ms, rng);
        let results = heard.iter().zip(verified).map(|(heard, verified)| {
            let Verified { claim, signatory } = verified?;
            let judgement = self.watch.hear(&claim, &[], heard.at_ms)?;
            self.remember(claim.subject, signatory, heard, &judgement);
            Ok(judgement)
        });
        results.collect()
    }

    /// Steps 4 and 5: the votes that are due, each with its evidence, in the order of subjects.
    pub fn votes(&mut self, now_ms: u64) -> Vec<(Vote, Evidence)> {
        let Stand {
            rid,
            here,
            vote_life_ms,
            ..
        } = self.stand;
        let mut votes = Vec::new();
        for log in self.logs.values_mut() {
            let stands = |voted_ms: u64| now_ms.saturating_sub(voted_ms) < vote_life_ms;
            if !log.is_vote_due || log.voted_ms.is_some_and(stands) {
                continue;
            }
            // Said once for each message that makes it due, convincing or not.
            log.is_vote_due = false;
            let evidence = Evidence {
                signatory: log.signatory,
                rsu: rid,
                messages: log.messages.iter().copied().collect(),
            };
            if let Ok(vote) = evidence.judge(log.subject, here, self.bounds) {
                log.voted_ms = Some(now_ms);
                votes.push((vote, evidence));
            }
        }
        votes.sort_unstable_by_key(|(vote, _)| vote.subject);
        votes
    }

    /// What is known of the issuers and of revoked credentials.
    #[must_use]
    pub const fn issuers(&self) -> &Issuers {
        self.receiver.issuers()
    }

    /// What is known of a signer of whom something was heard.
    #[must_use]
    pub fn signatory(&self, signer: &Signer) -> Option<Signatory> {
        self.logs.get(signer).map(|log| log.signatory)
    }

    /// Forgets a registered vehicle, as soon as its revocation is final.
    pub fn forget(&mut self, uid: Uid) {
        self.forget_signer(&Signer::Registered(uid));
    }

    /// Passes over the messages of a vehicle under any of its credentials, as soon as its seeds are
    /// published in a final state.
    pub fn revoke(&mut self, revocation: Revocation, now_ms: u64) {
        for value in self.receiver.revoke(revocation, now_ms) {
            self.forget_signer(&Signer::Anonymous(value.0));
        }
    }

    fn forget_signer(&mut self, signer: &Signer) {
        if let Some(log) = self.logs.remove(signer) {
            self.suspects -= usize::from(log.suspected_ms.is_some());
        }
    }

    /// Step 3.
    fn remember(
        &mut self,
        subject: Subject,
        signatory: Signatory,
        heard: &Heard,
        judgement: &Judgement,
    ) {
        let signer = signatory.signer();
        if !self.logs.contains_key(&signer) && self.logs.len() >= MAX_SUBJECTS {
            // The watch forgets silent keys, and takes no more than this.
            let before_ms = heard.at_ms.saturating_sub(FORGET_MS);
            self.logs.retain(|_, log| log.heard_ms > before_ms);
            let suspects = self.logs.values().filter(|log| log.suspected_ms.is_some());
            self.suspects = suspects.count();
            if self.logs.len() >= MAX_SUBJECTS {
                return;
            }
        }
        let log = self.logs.entry(signer);
        let log = log.or_insert_with(|| Log::new(subject, signatory));
        // A new key under the old name has a past of its own.
        if log.subject != subject {
            self.suspects -= usize::from(log.suspected_ms.is_some());
            *log = Log {
                voted_ms: log.voted_ms,
                ..Log::new(subject, signatory)
            };
        }
        let worst = judgement.suspicions.iter().map(|found| found.severity);
        let was_suspect = log.suspected_ms.is_some();
        if worst.max() >= Some(Severity::Implausible)
            && (was_suspect || self.suspects < MAX_SUSPECTS)
        {
            log.suspected_ms = Some(heard.at_ms);
        }
        log.push(heard);
        log.is_vote_due = judgement.is_vote_due;
        self.suspects += usize::from(log.suspected_ms.is_some());
        self.suspects -= usize::from(was_suspect);
    }
}

impl Log {
    fn new(subject: Subject, signatory: Signatory) -> Self {
        Self {
            subject,
            signatory,
            messages: VecDeque::new(),
            suspected_ms: None,
            is_vote_due: false,
            voted_ms: None,
            heard_ms: 0,
        }
    }

    fn push(&mut self, heard: &Heard) {
        self.heard_ms = heard.at_ms;
        self.messages.push_back(Heard {
            message: heard.message.bare(),
            ..*heard
        });
        let begin_ms = heard.at_ms.saturating_sub(MAX_SPAN_MS);
        self.suspected_ms.take_if(|at_ms| *at_ms < begin_ms);
        let most = match self.suspected_ms {
            Some(_) => MAX_MESSAGES,
            None => CONTEXT,
        };
        let is_past = |first: &Heard| first.at_ms < begin_ms;
        while self.messages.len() > most || self.messages.front().is_some_and(is_past) {
            self.messages.pop_front();
        }
    }
}

fn messages(heard: &[Heard]) -> Vec<Signed> {
    heard.iter().map(|heard| heard.message).collect()
}
