//! The TA's register on disk: sealed entries, one after the other, the last of a vehicle counts.
//!
//! Each entry is preceded by its length (4 bytes). What a power cut leaves of a last, unfinished
//! entry is cut off at the next start: it was never acknowledged to anybody.

use crate::home::HomeError;
use cairn_protocol::authority::SealedEntry;
use commonware_codec::{Copying, DecodeExt as _, Encode as _};
use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};
use tracing::warn;

/// The largest entry, in bytes: five fields of 128 bytes, sealed, with keyed hashes.
const MAX_ENTRY_BYTES: usize = 2_048;

/// Bytes of the length before an entry.
const PREFIX_BYTES: usize = 4;

/// An open register.
pub struct Register {
    path: PathBuf,
    file: File,
}

impl Register {
    /// Opens the register at `path`, or begins it; returns what it holds.
    pub fn open(path: &Path) -> Result<(Self, Vec<SealedEntry>), HomeError> {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(HomeError::io("open", path))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)
            .map_err(HomeError::io("read", path))?;
        let (entries, whole) = parse(&bytes).ok_or_else(|| HomeError::Corrupt {
            path: path.to_owned(),
            expected: "a register",
        })?;
        if whole < bytes.len() {
            warn!(
                bytes = bytes.len() - whole,
                "cut off an unfinished entry of the register"
            );
        }
        file.set_len(whole as u64)
            .and_then(|()| file.seek(SeekFrom::End(0)))
            .map_err(HomeError::io("trim", path))?;
        let path = path.to_owned();
        Ok((Self { path, file }, entries))
    }

    /// Adds entries. They are on disk when this returns.
    pub fn append(&mut self, entries: &[SealedEntry]) -> Result<(), HomeError> {
        let mut bytes = Vec::new();
        for entry in entries {
            let entry = entry.encode();
            let length = u32::try_from(entry.len()).expect("entries are small");
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(&entry);
        }
        let written: io::Result<()> = self
            .file
            .write_all(&bytes)
            .and_then(|()| self.file.sync_data());
        written.map_err(HomeError::io("write", &self.path))
    }
}

/// The entries, and how many bytes they take; `None` if the bytes are no register.
fn parse(bytes: &[u8]) -> Option<(Vec<SealedEntry>, usize)> {
    let mut entries = Vec::new();
    let mut rest = bytes;
    while let Some((length, after)) = rest.split_first_chunk::<PREFIX_BYTES>() {
        let length = u32::from_be_bytes(*length) as usize;
        if length > MAX_ENTRY_BYTES {
            return None;
        }
        let Some((entry, after)) = after.split_at_checked(length) else {
            break;
        };
        entries.push(SealedEntry::decode(Copying(entry)).ok()?);
        rest = after;
    }
    Some((entries, bytes.len() - rest.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_ledger::Uid;

    fn entry(number: u8) -> SealedEntry {
        SealedEntry {
            uid: Uid([number; 8]),
            request: [number; 16],
            key: [number; 32],
            valid_until_ms: 7,
            revoked: false,
            lookups: [[number; 32]; 3],
            sealed: vec![number; 100].into(),
        }
    }

    #[test]
    fn an_unfinished_last_entry_is_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("register");
        let (mut register, entries) = Register::open(&path).unwrap();
        assert!(entries.is_empty());
        register.append(&[entry(1), entry(2)]).unwrap();
        let whole = std::fs::metadata(&path).unwrap().len();
        drop(register);

        for torn in [1, 4, 100] {
            let mut bytes = std::fs::read(&path).unwrap();
            bytes.truncate(usize::try_from(whole).unwrap());
            let next = bytes[..torn].to_vec();
            bytes.extend_from_slice(&next);
            std::fs::write(&path, bytes).unwrap();
            let (_, entries) = Register::open(&path).unwrap();
            assert_eq!(
                entries,
                [entry(1), entry(2)],
                "{torn} bytes of a third entry"
            );
            assert_eq!(std::fs::metadata(&path).unwrap().len(), whole);
        }
    }

    #[test]
    fn bytes_that_are_no_register_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("register");
        std::fs::write(&path, b"name,plate\nAda,HH-AL 1815\n").unwrap();
        assert!(matches!(
            Register::open(&path),
            Err(HomeError::Corrupt { .. })
        ));
    }
}
