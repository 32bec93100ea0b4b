//! The auditor as a service: which files are due, one round of audits, and alarms.
//!
//! 1. The ledger's roll lists every file; nothing is asked of the vault, which might leave one out.
//! 2. A file is *due* when its latest version was never decided on, when an audit of it was left
//!    open, or when its last verdict is older than the schedule's period.
//! 3. A round audits all that are due, those first that wait longest.
//! 4. *Alarms*: a file found damaged; a file whose last verdict (or first version) is older than
//!    the contract allows when the round begins, so that somebody did not do its work; an audit
//!    that could not be carried out.
//!
//! The store is closed between two rounds, so that its owner can use it.

use super::{AuditReport, FilesError, Store, hex};
use cairn_contracts::files::{self, AuditState, FileHead, Parameters, RollEntry, Verdict};
use cairn_crypto::possession::FileId;
use serde::Serialize;
use std::fmt;

/// A file as the ledger shows it.
#[derive(Clone, Debug, Serialize)]
pub struct FileStatus {
    /// The file's id.
    pub file: String,
    /// Number of its group.
    pub group: u16,
    /// Latest version.
    pub version: u64,
    /// Version of the last verdict; none yet is `None`.
    pub audited_version: Option<u64>,
    /// What the last verdict said.
    pub intact: Option<bool>,
    /// Block time of the last verdict, milliseconds since 1970.
    pub decided_ms: Option<u64>,
    /// Whether the next audit is overdue.
    pub overdue: bool,
    /// Whether an audit is open.
    pub open: bool,
    /// Verdicts so far that said "not intact".
    pub failed_audits: u32,
    /// Audits that were opened and left without a verdict.
    pub abandoned_audits: u32,
    /// Since when it waits for a verdict: its last, or its first version. Milliseconds since 1970.
    #[serde(skip)]
    since_ms: u64,
}

impl FileStatus {
    /// When it is due under a schedule of one audit in `every_ms`, in milliseconds since 1970.
    fn due_ms(&self, every_ms: u64) -> u64 {
        if self.open || self.audited_version != Some(self.version) {
            0
        } else {
            self.since_ms.saturating_add(every_ms)
        }
    }
}

/// Something that somebody has to look after.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "alarm")]
pub enum Alarm {
    /// Blocks are missing or changed.
    Damaged {
        /// The file's id.
        file: String,
        /// Number of the audit.
        audit: u64,
        /// What is wrong.
        reason: String,
    },
    /// Nobody audited it in time.
    Overdue {
        /// The file's id.
        file: String,
        /// The last verdict or the first version, milliseconds since 1970.
        since_ms: u64,
    },
    /// The audit could not be carried out.
    NotAudited {
        /// The file's id.
        file: String,
        /// Why.
        reason: String,
    },
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged {
                file,
                audit,
                reason,
            } => write!(f, "{file} is damaged (audit {audit}): {reason}"),
            Self::Overdue { file, .. } => write!(f, "{file} was not audited in time"),
            Self::NotAudited { file, reason } => {
                write!(f, "{file} could not be audited: {reason}")
            }
        }
    }
}

/// What the auditor did in one round.
#[derive(Clone, Debug, Serialize)]
pub struct RoundReport {
    /// Files on the ledger.
    pub files: usize,
    /// Audits that came to a verdict.
    pub audits: Vec<AuditReport>,
    /// What somebody has to look after.
    pub alarms: Vec<Alarm>,
    /// When the next file is due, milliseconds since 1970; `None` without files.
    pub next_ms: Option<u64>,
}

impl Store {
    /// Every file on the ledger, in the order of their first versions.
    ///
    /// # Errors
    ///
    /// [`FilesError`].
    pub async fn list(&self) -> Result<Vec<FileStatus>, FilesError> {
        let key = files::parameters_state_key(&self.contract);
        let parameters: Option<Parameters> = self.record(key, "the parameters").await?;
        let parameters = parameters.ok_or(FilesError::Record("the parameters"))?;
        let mut found = Vec::new();
        for place in 0..self.count().await? {
            let key = files::roll_key(&self.contract, place);
            let entry: Option<RollEntry> = self.record(key, "the roll").await?;
            let file = FileId(entry.ok_or(FilesError::Record("the roll"))?.file);
            let head = self.known(&file).await?;
            let state = self.audits(&file).await?;
            let verdict = match &state.last {
                Some(last) => {
                    let key = files::verdict_key(&self.contract, &file.0, last.number);
                    self.record::<Verdict>(key, "a verdict").await?
                }
                None => None,
            };
            let overdue = state.is_overdue(&head, &parameters, self.now_ms());
            found.push(status(&file, &head, &state, verdict.as_ref(), overdue));
        }
        Ok(found)
    }

    /// Audits every file that is due under a schedule of one audit in `every_ms` milliseconds.
    ///
    /// # Errors
    ///
    /// [`FilesError`] when the ledger cannot be read; what concerns one file is an alarm.
    pub async fn round(&mut self, every_ms: u64) -> Result<RoundReport, FilesError> {
        let mut report = RoundReport {
            files: 0,
            audits: Vec::new(),
            alarms: Vec::new(),
            next_ms: None,
        };
        let now_ms = self.now_ms();
        let mut due = self.list().await?;
        report.files = due.len();
        for status in due.iter().filter(|status| status.overdue) {
            report.alarms.push(Alarm::Overdue {
                file: status.file.clone(),
                since_ms: status.since_ms,
            });
        }
        due.retain(|status| status.due_ms(every_ms) <= now_ms);
        due.sort_by_key(|status| status.since_ms);
        for FileStatus { file, .. } in due {
            let id = super::parse_id(&file)?;
            match self.audit(&id).await {
                Ok(audit) => {
                    if let Some(reason) = &audit.reason {
                        report.alarms.push(Alarm::Damaged {
                            file,
                            audit: audit.audit,
                            reason: reason.clone(),
                        });
                    }
                    report.audits.push(audit);
                }
                Err(error) => report.alarms.push(Alarm::NotAudited {
                    file,
                    reason: error.to_string(),
                }),
            }
        }
        let next = self.list().await?;
        let next = next.iter().map(|status| status.due_ms(every_ms));
        report.next_ms = next.min();
        for alarm in &report.alarms {
            tracing::error!(%alarm, "the auditor raises an alarm");
        }
        Ok(report)
    }
}

fn status(
    file: &FileId,
    head: &FileHead,
    state: &AuditState,
    verdict: Option<&Verdict>,
    overdue: bool,
) -> FileStatus {
    let decided_ms = state.last.as_ref().map(|last| last.decided_ms);
    FileStatus {
        file: hex(&file.0),
        group: head.group,
        version: head.version,
        audited_version: verdict.map(|verdict| verdict.version),
        intact: state.last.as_ref().map(|last| last.is_intact),
        decided_ms,
        overdue,
        open: state.open.is_some(),
        failed_audits: state.failed,
        abandoned_audits: state.abandoned,
        since_ms: decided_ms.unwrap_or(head.since_ms),
    }
}
