//! Revocation as a service of TA and LEA, driven by the ledger.
//!
//! 1. An RSU whose vote is final looks whether revocation of that signer is requested now, and if so
//!    tells TA. That is a hint and nothing else: TA and LEA each go by their own look at the
//!    finalised state.
//! 2. TA reads request, votes and evidence and re-verifies all. LEA does the same again
//!    ([`cairn_protocol::authority::misbehaviour`]).
//! 3. Of a registered vehicle TA proposes the revocation of its key and LEA countersigns. When that is
//!    final, every RSU is told, looks itself, and drops the vehicle's session.
//! 4. Of an anonymous one LEA asks for a trace of its credential, an issuer and TA answer, and both
//!    authorities publish their seeds ([`crate::credentials`]). Every RSU sees them by itself
//!    ([`crate::revocations`]).
//!
//! A request that is not justified stays on the ledger until it expires. The next vote that joins it
//! brings it here again.

use crate::{
    authority::{Authorities, AuthorityError},
    clock::TraceClock,
    findings::{Findings, Revoked},
    ledger::{Ledger, LedgerError},
    revocations::News,
    roadside, witness,
};
use cairn_chain::{ReadError, Runtime};
use cairn_ledger::{Address, Uid};
use cairn_protocol::{
    authority::misbehaviour::{Justified, NotJustified, Request, RequestError},
    evidence::{Evidence, Grounds},
    plausibility::Bounds,
    position::Signer,
    roadside::Issuers,
    service::Testimony,
};
use cairn_vault::{Embedded, EvidenceId, Vault as _};
use commonware_codec::{Copying, DecodeExt as _};
use rand::rngs::StdRng;
use std::sync::Arc;
use thiserror::Error;
use tokio::sync::{Mutex, mpsc};
use tracing::{debug, error, info, warn};

/// Hints that wait; one too many is lost, and comes again with the next vote.
pub const MAX_HINTS: usize = 1_024;

/// Why nothing was revoked.
#[derive(Debug, Error)]
pub enum RevocationError {
    /// The ledger cannot be read.
    #[error("ledger: {0}")]
    Read(#[from] ReadError),
    /// `V-MIS-1`, or our own bug.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// `V-MIS-2` to `V-MIS-4`.
    #[error(transparent)]
    NotJustified(#[from] NotJustified),
    /// TA or LEA refuses.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The ledger refused.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Whom to tell of a revocation. The service keeps no RSU alive.
pub struct Listener {
    /// The RSU's task.
    pub roadside: mpsc::WeakSender<roadside::Order>,
    /// Its witness.
    pub witness: mpsc::WeakSender<witness::Order>,
}

/// TA's and LEA's part of revocation.
pub struct Service<E: Runtime> {
    /// Access to the chain.
    pub ledger: Ledger<E>,
    /// The network's clock.
    pub clock: TraceClock,
    /// Where evidence is kept.
    pub vault: Embedded,
    /// What is found.
    pub findings: Findings,
    /// TA and LEA.
    pub authorities: Arc<Mutex<Authorities<E>>>,
    /// The instance of contract `keys`.
    pub keys: Address,
    /// The instance of contract `misbehaviour`.
    pub misbehaviour: Address,
    /// Thresholds of the checks.
    pub bounds: Bounds,
    /// What TA and LEA read on the ledger of issuers and of revoked credentials.
    pub issuers: Issuers,
    /// The latter, as they become final.
    pub revoked: News,
    /// All RSUs.
    pub listeners: Vec<Listener>,
    /// Own randomness.
    pub rng: StdRng,
}

impl<E: Runtime> Service<E> {
    /// Starts the service. It ends when nobody can send hints any more.
    pub fn start(mut self, context: &E, mut hints: mpsc::Receiver<Signer>) {
        context.child("revocation").spawn(move |_| async move {
            while let Some(subject) = hints.recv().await {
                match self.revoke(subject).await {
                    Ok(()) => info!(%subject, "revoked"),
                    // Revoked already, by an earlier hint or for its other credential.
                    Err(RevocationError::Request(RequestError::NotValid(_))) => {}
                    Err(RevocationError::NotJustified(why)) => {
                        warn!(%subject, %why, faults = ?why.faults, "not revoked");
                    }
                    Err(error) => error!(%subject, %error, "not revoked"),
                }
            }
        });
    }

    async fn revoke(&mut self, subject: Signer) -> Result<(), RevocationError> {
        let now_ms = self.clock.now_ms();
        for revocation in self.revoked.take() {
            self.issuers.revoke(revocation, now_ms);
        }
        let by_ta = self.look(subject).await?;
        match by_ta.registered() {
            Some(uid) => self.revoke_registered(uid, by_ta).await,
            None => self.revoke_anonymous(subject, by_ta).await,
        }
    }

    async fn revoke_registered(
        &mut self,
        uid: Uid,
        by_ta: Justified,
    ) -> Result<(), RevocationError> {
        let proposal = self
            .authorities
            .lock()
            .await
            .propose_revocation(uid, &by_ta)?;
        let by_lea = self.look(by_ta.subject()).await?;
        let mut authorities = self.authorities.lock().await;
        let signed = authorities.review_revocation(&proposal, &by_lea)?;
        drop(authorities);
        let id = signed.id();
        self.ledger.execute(signed).await?;
        let block = self.ledger.chain().receipt(&id);
        let height = block.map_or(0, |(height, _)| height);
        self.note(uid, height, &by_ta);
        for Listener { roadside, witness } in &self.listeners {
            // RSUs end when the network does.
            if let Some(roadside) = roadside.upgrade() {
                let _ = roadside.send(roadside::Order::Revoked(uid, height)).await;
            }
            if let Some(witness) = witness.upgrade() {
                let _ = witness.send(witness::Order::Forget(uid)).await;
            }
        }
        let mut authorities = self.authorities.lock().await;
        authorities.revoke_credentials(&by_ta, &by_lea).await?;
        Ok(())
    }

    async fn revoke_anonymous(
        &mut self,
        subject: Signer,
        by_ta: Justified,
    ) -> Result<(), RevocationError> {
        let by_lea = self.look(subject).await?;
        let mut authorities = self.authorities.lock().await;
        let (uid, revocation) = authorities.revoke_anonymous(&by_ta, &by_lea).await?;
        drop(authorities);
        // The next hint may be about its other credential.
        self.issuers.revoke(revocation, self.clock.now_ms());
        self.note(uid, self.ledger.height(), &by_ta);
        Ok(())
    }

    fn note(&self, vehicle: Uid, height: u64, justified: &Justified) {
        self.findings.revoked(Revoked {
            vehicle,
            signer: justified.subject(),
            height,
            time_ms: self.clock.now_ms(),
            rsus: justified.rsus().to_vec(),
        });
    }

    /// One authority's look at ledger and vault.
    async fn look(&mut self, subject: Signer) -> Result<Justified, RevocationError> {
        let needs = Request::first_needs(&self.keys, &self.misbehaviour, &subject);
        let records = self.ledger.get(&needs).await?;
        let now_ms = self.clock.now_ms();
        let (keys, contract, issuers) = (self.keys, self.misbehaviour, &self.issuers);
        let request = Request::open(keys, contract, subject, &records, issuers, now_ms)?;
        let records = self.ledger.get(&request.needs()).await?;
        let (mut evidence, mut testimony) = (Vec::new(), Vec::new());
        for digest in request.digests(&records)? {
            // What is not there, damaged or malformed is no evidence; the RSU is at fault.
            match self.vault.evidence(&EvidenceId(digest)).await {
                Ok(Some(bytes)) => {
                    evidence.extend(Evidence::decode(Copying(&bytes)).ok());
                    testimony.extend(Testimony::decode(Copying(&bytes)).ok());
                }
                Ok(None) => debug!(%subject, "evidence is not in the vault"),
                Err(error) => error!(%subject, %error, "evidence cannot be read"),
            }
        }
        let grounds = Grounds {
            chain: &self.ledger.chain().id(),
            issuers: &self.issuers,
            bounds: self.bounds,
        };
        Ok(request.justify(&records, &evidence, &testimony, &grounds, &mut self.rng)??)
    }
}
