//! The auditor: challenge, verification, verdict; and the check of verdicts by others.

use super::{
    FilesError, Store,
    blocks::{name, read_tag, vault_name},
    download::index_of,
    evidence::{Evidence, EvidenceError, Members, Recorded, authorisation},
    hex, vault_id,
};
use cairn_contracts::{
    files::{self, AuditState, FileHead, Operation, Parameters, Verdict, VersionRecord},
    groups::{self, EpochRecord},
};
use cairn_crypto::{
    credential::IssuerKey,
    possession::{Block, Challenge, FileId, GroupKey, KeyId, Prover, detection_probability},
};
use cairn_ledger::{
    Header,
    light::{Client, LedgerProof},
};
use cairn_protocol::group::{Authorisation, Suite};
use cairn_vault::Vault as _;
use commonware_codec::{DecodeExt as _, Encode as _, Read};
use commonware_cryptography::{Hasher as _, Sha256};
use futures::StreamExt as _;
use serde::Serialize;
use std::{fs, io::Read as _, time::Instant};

/// Blocks of a challenge: they find a loss of one block in a hundred with 99 %.
pub const CHALLENGED: u32 = 460;

/// Openings before an audit is given up: a round without a certificate of its own is rare.
const MAX_OPENINGS: u32 = 3;

/// Largest evidence that is read back: a proof and two headers.
const MAX_EVIDENCE_BYTES: u64 = 2 << 20;

/// What an audit did.
#[derive(Clone, Debug, Serialize)]
pub struct AuditReport {
    /// The file's id.
    pub file: String,
    /// Version that was audited.
    pub version: u64,
    /// Number of the audit.
    pub audit: u64,
    /// Whether every challenged block is there, unchanged.
    pub intact: bool,
    /// Why not, if not.
    pub reason: Option<String>,
    /// Blocks that were challenged.
    pub challenged: u64,
    /// Blocks of the file.
    pub blocks: u64,
    /// Probability that the audit finds a loss of one block in a hundred (at least one block).
    pub detection_probability: f64,
    /// Making the proof, in milliseconds.
    pub prove_ms: f64,
    /// Verifying it, in milliseconds.
    pub verify_ms: f64,
    /// Bytes of the proof; 0 when there is none.
    pub proof_bytes: usize,
    /// Height of the block whose round gave the seed.
    pub round_height: u64,
    /// SHA-256 of the evidence, in the verdict on the ledger.
    pub evidence: String,
}

/// What the ledger and the kept evidence say of a file.
#[derive(Clone, Debug, Serialize)]
pub struct VerifyReport {
    /// The file's id.
    pub file: String,
    /// Latest version.
    pub version: u64,
    /// Whether the last audit was of the latest version, found it intact, and its evidence says
    /// so too.
    pub intact: bool,
    /// Why not, if not.
    pub reason: Option<String>,
    /// Number of the last decided audit; none yet is `None`.
    pub audit: Option<u64>,
    /// Block time of its verdict, milliseconds since 1970.
    pub decided_ms: Option<u64>,
    /// Whether the next audit is overdue.
    pub overdue: bool,
    /// Verdicts so far that said "not intact".
    pub failed_audits: u32,
    /// Audits that were opened and left without a verdict.
    pub abandoned_audits: u32,
    /// Checking certificate, records, challenge and proof, in milliseconds.
    pub verify_ms: f64,
}

/// What the network's certificate covers of a file's last audit.
struct Certified {
    number: u64,
    verdict: Verdict,
    version: VersionRecord,
    /// The epoch that the version's authorisation names.
    epoch: Option<EpochRecord>,
    issuer: IssuerKey<Suite>,
    head: FileHead,
}

impl Store {
    /// Audits the latest version of a file (10.4 to 10.6).
    ///
    /// # Errors
    ///
    /// [`FilesError`]; a vault that does not answer is no error but a verdict.
    pub async fn audit(&mut self, file: &FileId) -> Result<AuditReport, FilesError> {
        let head = self.known(file).await?;
        let version = head.version;
        let (opening, round) = self.open_audit(file).await?;
        let state = self.audits(file).await?;
        let open = state.open.ok_or(FilesError::Record("an open audit"))?;
        let record = self.version(file, open.version).await?;
        let key = self.group_key(&KeyId(record.kid))?;
        let recorded = Recorded {
            file: *file,
            number: state.opened,
            opened_ms: open.opened_ms,
            version: open.version,
            blocks: open.blocks,
            record: &record,
            key: &key,
        };
        let mut evidence = Evidence {
            file: file.0,
            number: state.opened,
            opening,
            round,
            record: self.vaults_record(file, open.version).await?,
            proof: None,
        };
        let challenge = evidence.challenge(&self.genesis, &recorded, &mut self.rng);
        let challenge = challenge.map_err(|_| FilesError::NoRound)?;

        let proving = Instant::now();
        let answer = self.answer(file, version, &key, &challenge).await?;
        let prove_ms = milliseconds(proving);
        let mut reason = answer.as_ref().err().cloned();
        evidence.proof = answer.ok();
        let verifying = Instant::now();
        if let Err(error) = evidence.is_intact(&recorded, &challenge, &self.strategy) {
            reason.get_or_insert_with(|| error.to_string());
        }
        if let Err(error) = self.authorised(&evidence, &recorded, head.group).await? {
            reason.get_or_insert_with(|| error.to_string());
        }
        let verify_ms = milliseconds(verifying);

        let evidence_id = self.keep(&evidence)?;
        let operation = Operation::Verdict {
            file: file.0,
            number: state.opened,
            is_intact: reason.is_none(),
            evidence: evidence_id,
        };
        let auditor = self.auditor.clone();
        let signed = self.sign(&auditor, &operation);
        self.ledger.execute(signed).await?;
        if let Some(reason) = &reason {
            tracing::error!(
                file = hex(&file.0),
                audit = state.opened,
                reason,
                "audit failed"
            );
        }
        Ok(AuditReport {
            file: hex(&file.0),
            version: open.version,
            audit: state.opened,
            intact: reason.is_none(),
            reason,
            challenged: challenge.ranks().len() as u64,
            blocks: record.live,
            detection_probability: detection_probability(
                record.live,
                record.live.div_ceil(100),
                open.blocks,
            ),
            prove_ms,
            verify_ms,
            proof_bytes: evidence.proof.as_ref().map_or(0, Vec::len),
            round_height: evidence.round.header.height.get(),
            evidence: hex(&evidence_id),
        })
    }

    /// Whether a member of the group authorised the audited version.
    async fn authorised(
        &self,
        evidence: &Evidence,
        recorded: &Recorded<'_>,
        group: u16,
    ) -> Result<Result<(), EvidenceError>, FilesError> {
        let authorisation = match evidence.authorised(recorded) {
            Ok(authorisation) => authorisation,
            Err(error) => return Ok(Err(error)),
        };
        let epoch = self.epoch_record(group, authorisation.epoch()).await?;
        let members = Members {
            chain: &self.genesis.chain_id(),
            contract: &self.contract,
            group,
            issuer: &self.issuers.key(),
        };
        Ok(evidence.is_authorised(recorded, &authorisation, epoch.as_ref(), &members))
    }

    /// The vault's record of a version with its authorisation; empty when it has none.
    pub(super) async fn vaults_record(
        &mut self,
        file: &FileId,
        version: u64,
    ) -> Result<Vec<u8>, FilesError> {
        let Ok(vault) = self.vault() else {
            return Ok(Vec::new());
        };
        let bytes = vault.version_record(&vault_id(file), version).await;
        Ok(bytes.ok().flatten().unwrap_or_default())
    }

    /// The authorisation of a recorded version.
    pub(super) async fn authorisation(
        &mut self,
        file: &FileId,
        version: u64,
    ) -> Result<Authorisation, FilesError> {
        let record = self.version(file, version).await?;
        let bytes = self.vaults_record(file, version).await?;
        let is_recorded = Sha256::hash(&[&bytes]).0 == record.digest;
        let found = authorisation(&bytes).filter(|_| is_recorded);
        let (_, authorisation) = found.ok_or_else(|| FilesError::Damaged {
            file: hex(&file.0),
            what: format!("the vault's record of version {version} is gone or changed"),
        })?;
        authorisation.map_err(|source| FilesError::Unauthorised { version, source })
    }

    /// Opens an audit and waits for the round that was fixed by that.
    pub(super) async fn open_audit(
        &mut self,
        file: &FileId,
    ) -> Result<(Header, LedgerProof), FilesError> {
        for _ in 0..MAX_OPENINGS {
            let mut blocks = self.ledger.chain().finalized();
            let operation = Operation::Open {
                file: file.0,
                blocks: CHALLENGED,
            };
            let auditor = self.auditor.clone();
            let signed = self.sign(&auditor, &operation);
            let id = signed.id();
            self.ledger.execute(signed).await?;
            let mut opening: Option<Header> = None;
            while let Some(block) = blocks.next().await {
                match opening {
                    None if block.receipts.iter().any(|r| r.transaction == id) => {
                        opening = Some(block.header);
                    }
                    None => {}
                    Some(opening) => match block.certificate {
                        Some(finalization) if block.header.parent == opening.digest() => {
                            let round = LedgerProof {
                                header: block.header,
                                finalization,
                                entries: Vec::new(),
                            };
                            return Ok((opening, round));
                        }
                        // This round is lost; another one needs another opening.
                        _ => break,
                    },
                }
            }
        }
        Err(FilesError::NoRound)
    }

    /// The vault's part: reads the challenged blocks and proves that it has them. Why it cannot is
    /// an answer too; trouble that is not the vault's is an error.
    async fn answer(
        &mut self,
        file: &FileId,
        version: u64,
        key: &GroupKey,
        challenge: &Challenge,
    ) -> Result<Result<Vec<u8>, String>, FilesError> {
        match self.prove(file, version, key, challenge).await {
            Ok(proof) => Ok(Ok(proof)),
            Err(error) if error.is_input() => Err(error),
            Err(FilesError::Damaged { what, .. }) => Ok(Err(what)),
            Err(FilesError::Vault(error)) => Ok(Err(format!("the vault does not answer: {error}"))),
            Err(error) => Err(error),
        }
    }

    async fn prove(
        &mut self,
        file: &FileId,
        version: u64,
        key: &GroupKey,
        challenge: &Challenge,
    ) -> Result<Vec<u8>, FilesError> {
        let (slots, _) = self.slots(file, version).await?;
        let vault = self.vault()?;
        let index = index_of(&slots);
        let mut prover = Prover::new(key, challenge);
        for rank in challenge.ranks() {
            let damaged = |what: String| FilesError::Damaged {
                file: hex(&file.0),
                what,
            };
            let block = index.at_rank(*rank);
            let block = block.ok_or_else(|| damaged("the index has too few blocks".into()))?;
            let id = block.id;
            let named = vault_name(&name(id, block.version.0));
            let stored = match vault.block(&vault_id(file), &named).await {
                Ok(Some(stored)) => stored,
                Ok(None) => return Err(damaged(format!("block {id} is missing"))),
                Err(cairn_vault::Error::Corrupt(_)) => {
                    return Err(damaged(format!("block {id} was changed")));
                }
                Err(error) => return Err(error.into()),
            };
            let tag = read_tag(&stored.tag());
            let tag = tag.ok_or_else(|| damaged(format!("the tag of block {id} was changed")))?;
            let content = Block::new(key.sectors(), stored.bytes());
            let content = content.map_err(|error| damaged(format!("block {id}: {error}")))?;
            prover.absorb(&content, &tag)?;
        }
        let proof = prover.finish(index.prove(challenge.ranks())?, &mut self.rng)?;
        Ok(proof.encode().to_vec())
    }

    /// Redoes the last audit from the ledger, under its network key, and the kept evidence.
    /// Reads nothing of the vault.
    ///
    /// # Errors
    ///
    /// [`FilesError`]; bad news is no error but a report.
    pub async fn verify(&mut self, file: &FileId) -> Result<VerifyReport, FilesError> {
        let group = self.known(file).await?.group;
        let state = self.audits(file).await?;
        let number = state.last.as_ref().map(|last| last.number);
        let audited = match number {
            Some(number) => {
                let key = files::verdict_key(&self.contract, &file.0, number);
                self.record::<Verdict>(key, "a verdict").await?
            }
            None => None,
        };
        let evidence = match &audited {
            Some(verdict) => self.kept(&verdict.evidence)?,
            None => None,
        };
        let started = Instant::now();
        let mut keys = vec![
            files::parameters_state_key(&self.contract),
            files::head_key(&self.contract, &file.0),
            files::audit_key(&self.contract, &file.0),
            groups::parameters_state_key(&self.groups),
        ];
        if let Some((number, verdict)) = number.zip(audited.as_ref()) {
            keys.push(files::verdict_key(&self.contract, &file.0, number));
            keys.push(files::version_key(&self.contract, &file.0, verdict.version));
            let record = evidence.as_ref().and_then(|e| authorisation(&e.record));
            if let Some((_, Ok(shown))) = record {
                keys.push(groups::epoch_key(&self.groups, group, shown.epoch()));
            }
        }
        // From here on nothing is believed that the network's certificate does not cover.
        let proof = self.ledger.prove(&keys).await?;
        let client = Client::new(&self.genesis.chain_id(), self.genesis.network_key());
        let shown = client.verify(&proof, &mut self.rng);
        let shown = shown.map_err(|_| FilesError::Record("the certified state"))?;
        let at = |place: usize| keys.get(place).and_then(|key| shown.record(key)).flatten();
        let parameters: Parameters = decode(at(0), "the parameters")?;
        let head: FileHead = decode(at(1), "a file")?;
        let state: AuditState = match at(2) {
            Some(record) => decode(Some(record), "audits")?,
            None => AuditState::default(),
        };
        let reason = match number {
            None => Some("it was never audited".to_owned()),
            Some(number) => {
                let of_groups: groups::Parameters = decode(at(3), "the issuers")?;
                let issuer = IssuerKey::from_bytes(&of_groups.issuer);
                let certified = Certified {
                    number,
                    verdict: decode(at(4), "a verdict")?,
                    version: decode(at(5), "a version")?,
                    epoch: match at(6) {
                        Some(record) => Some(decode(Some(record), "an epoch")?),
                        None => None,
                    },
                    issuer: issuer.map_err(|_| FilesError::Record("the issuers"))?,
                    head: head.clone(),
                };
                self.recheck(file, &certified, evidence.as_ref())?
            }
        };
        Ok(VerifyReport {
            file: hex(&file.0),
            version: head.version,
            intact: reason.is_none(),
            reason,
            audit: number,
            decided_ms: state.last.as_ref().map(|last| last.decided_ms),
            overdue: state.is_overdue(&head, &parameters, self.now_ms()),
            failed_audits: state.failed,
            abandoned_audits: state.abandoned,
            verify_ms: milliseconds(started),
        })
    }

    /// Why the file is not known to be intact, from the evidence of its last audit.
    fn recheck(
        &mut self,
        file: &FileId,
        certified: &Certified,
        evidence: Option<&Evidence>,
    ) -> Result<Option<String>, FilesError> {
        let Certified {
            number,
            verdict,
            version,
            head,
            ..
        } = certified;
        let key = self.group_key(&KeyId(version.kid))?;
        let recorded = Recorded::of(*file, *number, verdict, version, &key);
        let Some(evidence) = evidence else {
            return Ok(Some(
                "the evidence of the last audit is missing or changed".into(),
            ));
        };
        let is_false = |error| Ok(Some(format!("the auditor's evidence is false: {error}")));
        let challenge = match evidence.challenge(&self.genesis, &recorded, &mut self.rng) {
            Ok(challenge) => challenge,
            Err(error) => return is_false(error),
        };
        if !verdict.is_intact {
            return Ok(Some("the last audit found it damaged".into()));
        }
        let members = Members {
            chain: &self.genesis.chain_id(),
            contract: &self.contract,
            group: head.group,
            issuer: &certified.issuer,
        };
        let authorised = evidence.authorised(&recorded).and_then(|authorisation| {
            let epoch = certified.epoch.as_ref();
            evidence.is_authorised(&recorded, &authorisation, epoch, &members)
        });
        if let Err(error) = authorised {
            return is_false(error);
        }
        let proved = evidence.is_intact(&recorded, &challenge, &self.strategy);
        Ok(match proved {
            Ok(()) if verdict.version == head.version => None,
            Ok(()) => Some(format!(
                "version {} was found intact, version {} was not audited yet",
                verdict.version, head.version
            )),
            Err(error) => Some(format!(
                "the auditor said \"intact\", but its evidence does not: {error}"
            )),
        })
    }

    /// Keeps evidence in public under its digest.
    pub(super) fn keep(&self, evidence: &Evidence) -> Result<[u8; 32], FilesError> {
        let bytes = evidence.encode();
        let id = Sha256::hash(&[&bytes]).0;
        let directory = self.path.join("evidence");
        fs::create_dir_all(&directory).map_err(FilesError::path("create", &directory))?;
        let path = directory.join(hex(&id));
        let beside = path.with_extension("new");
        fs::write(&beside, &bytes).map_err(FilesError::path("write", &beside))?;
        fs::rename(&beside, &path).map_err(FilesError::path("rename", &beside))?;
        Ok(id)
    }

    /// Evidence with this digest, if it is still there.
    fn kept(&self, id: &[u8; 32]) -> Result<Option<Evidence>, FilesError> {
        let path = self.path.join("evidence").join(hex(id));
        let Ok(file) = fs::File::open(&path) else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        std::io::Read::take(file, MAX_EVIDENCE_BYTES)
            .read_to_end(&mut bytes)
            .map_err(FilesError::path("read", &path))?;
        if Sha256::hash(&[&bytes]).0 != *id {
            return Ok(None);
        }
        Ok(Evidence::decode(bytes).ok())
    }
}

fn decode<T: Read<Cfg = ()>>(
    record: Option<&cairn_ledger::Record>,
    what: &'static str,
) -> Result<T, FilesError> {
    record
        .and_then(|record| record.decode_as().ok())
        .ok_or(FilesError::Record(what))
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}
