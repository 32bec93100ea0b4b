//! Revocation as a service of TA and LEA, driven by the ledger.
//!
//! 1. An RSU whose vote is final looks whether revocation of that vehicle is requested now, and if so
//!    tells TA. That is a hint and nothing else: TA and LEA each go by their own look at the
//!    finalised state.
//! 2. TA reads request, votes and evidence, re-verifies all, and proposes. LEA does the same again
//!    and countersigns ([`cairn_protocol::authority::misbehaviour`]).
//! 3. When the revocation is final, every RSU is told, looks itself, and drops the vehicle's session.
//!
//! A request that is not justified stays on the ledger until it expires. The next vote that joins it
//! brings it here again.

use crate::{
    authority::{Authorities, AuthorityError},
    clock::TraceClock,
    findings::{Findings, Revoked},
    ledger::{Ledger, LedgerError},
    roadside, witness,
};
use cairn_chain::{ReadError, Runtime};
use cairn_ledger::{Address, Uid};
use cairn_protocol::{
    authority::misbehaviour::{Justified, NotJustified, Request, RequestError},
    evidence::Evidence,
    plausibility::Bounds,
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
    /// All RSUs.
    pub listeners: Vec<Listener>,
    /// Own randomness.
    pub rng: StdRng,
}

impl<E: Runtime> Service<E> {
    /// Starts the service. It ends when nobody can send hints any more.
    pub fn start(mut self, context: &E, mut hints: mpsc::Receiver<Uid>) {
        context.child("revocation").spawn(move |_| async move {
            while let Some(subject) = hints.recv().await {
                match self.revoke(subject).await {
                    Ok(()) => info!(%subject, "revoked"),
                    // Revoked already, by an earlier hint.
                    Err(RevocationError::Request(RequestError::NotRegistered(_))) => {}
                    Err(RevocationError::NotJustified(why)) => {
                        warn!(%subject, %why, faults = ?why.faults, "not revoked");
                    }
                    Err(error) => error!(%subject, %error, "not revoked"),
                }
            }
        });
    }

    async fn revoke(&mut self, subject: Uid) -> Result<(), RevocationError> {
        let by_ta = self.look(subject).await?;
        let proposal = self.authorities.lock().await.propose_revocation(&by_ta)?;
        let by_lea = self.look(subject).await?;
        let mut authorities = self.authorities.lock().await;
        let signed = authorities.review_revocation(&proposal, &by_lea)?;
        drop(authorities);
        let id = signed.id();
        self.ledger.execute(signed).await?;
        let block = self.ledger.chain().receipt(&id);
        self.findings.revoked(Revoked {
            subject,
            height: block.map_or(0, |(height, _)| height),
            time_ms: self.clock.now_ms(),
            rsus: by_ta.rsus().to_vec(),
        });
        for Listener { roadside, witness } in &self.listeners {
            // RSUs end when the network does.
            if let Some(roadside) = roadside.upgrade() {
                let _ = roadside.send(roadside::Order::Revoked(subject)).await;
            }
            if let Some(witness) = witness.upgrade() {
                let _ = witness.send(witness::Order::Forget(subject)).await;
            }
        }
        let mut authorities = self.authorities.lock().await;
        authorities.revoke_credentials(&by_ta, &by_lea).await?;
        drop(authorities);
        Ok(())
    }

    /// One authority's look at ledger and vault.
    async fn look(&mut self, subject: Uid) -> Result<Justified, RevocationError> {
        let needs = Request::first_needs(&self.keys, &self.misbehaviour, &subject);
        let records = self.ledger.get(&needs).await?;
        let now_ms = self.clock.now_ms();
        let request = Request::open(self.keys, self.misbehaviour, subject, &records, now_ms)?;
        let records = self.ledger.get(&request.needs()).await?;
        let mut evidence = Vec::new();
        for digest in request.digests(&records)? {
            // What is not there, damaged or malformed is no evidence; the RSU is at fault.
            match self.vault.evidence(&EvidenceId(digest)).await {
                Ok(Some(bytes)) => evidence.extend(Evidence::decode(Copying(&bytes)).ok()),
                Ok(None) => debug!(%subject, "evidence is not in the vault"),
                Err(error) => error!(%subject, %error, "evidence cannot be read"),
            }
        }
        let chain = self.ledger.chain().id();
        Ok(request.justify(&records, &evidence, &chain, self.bounds, &mut self.rng)??)
    }
}
