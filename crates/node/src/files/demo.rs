//! A demonstration: a file is uploaded, loses a block on purpose, and the audit catches it.

use super::{
    AuditReport, BLOCK_CONTENT, FilesError, Name, Store, UploadReport, Who, open, parse_id,
    sabotage::{Damage, damage_block},
};
use serde::Serialize;
use std::{fs, path::Path};

/// Blocks of the demonstration's file: fewer than an audit challenges, so that one lost block is
/// found for certain.
const BLOCKS: usize = 256;

/// What the demonstration showed.
#[derive(Clone, Debug, Serialize)]
pub struct LossReport {
    /// The upload.
    pub upload: UploadReport,
    /// The audit before the loss.
    pub before: AuditReport,
    /// The audit after it.
    pub after: AuditReport,
    /// Whether the loss was found, and nothing before it.
    pub caught: bool,
    /// The member who uploaded it, as manager and LEA found out.
    pub member: String,
}

/// Why LEA wants to know who uploaded it.
const REASON: &[u8] = b"demonstration";

/// Makes a store in `directory`, which is empty or absent, and shows a loss. Takes some seconds,
/// for an audit waits for a round that follows. Not to be called inside a runtime: the store
/// brings its own.
///
/// # Errors
///
/// [`FilesError`].
pub fn show_loss(directory: &Path) -> Result<LossReport, FilesError> {
    let store = directory.join("store");
    let source = directory.join("measurements.csv");
    fs::create_dir_all(directory).map_err(FilesError::path("create", directory))?;
    fs::write(&source, content()).map_err(FilesError::path("write", &source))?;
    let (upload, before) = open(&store, true, async |files: &mut Store| {
        let [group, ada, bob] = [name("plant")?, name("ada")?, name("bob")?];
        files.found(group, ada).await?;
        files.join(&group, bob).await?;
        let who = Who {
            group: Some(group),
            member: Some(bob),
        };
        let upload = files.put(&source, &who, |_| {}).await?;
        let before = files.audit(&parse_id(&upload.file)?).await?;
        Ok((upload, before))
    })?;
    let file = parse_id(&upload.file)?;
    damage_block(&store, &file, Damage::Lose)?;
    let (after, trace) = open(&store, false, async |files: &mut Store| {
        let after = files.audit(&file).await?;
        Ok((after, files.trace(&file, None, REASON).await?))
    })?;
    Ok(LossReport {
        caught: before.intact && !after.intact,
        upload,
        before,
        after,
        member: trace.member,
    })
}

fn name(text: &str) -> Result<Name, FilesError> {
    Ok(Name::new(text)?)
}

/// Lines of a made-up measurement.
fn content() -> Vec<u8> {
    let mut lines = b"second,level\n".to_vec();
    for second in 0_u64.. {
        if lines.len() >= BLOCKS * BLOCK_CONTENT {
            break;
        }
        lines.extend_from_slice(format!("{second},{}\n", second * 7_919 % 1_000).as_bytes());
    }
    lines.truncate(BLOCKS * BLOCK_CONTENT);
    lines
}
