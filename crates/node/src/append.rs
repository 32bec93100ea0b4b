//! Files that only grow: what a service writes down before it acts on it.

use crate::home::HomeError;
use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};
use tracing::warn;
use zeroize::Zeroizing;

/// An open file, readable by its owner only.
pub struct AppendFile {
    path: PathBuf,
    file: File,
}

impl AppendFile {
    /// Opens the file at `path`, or begins it. `parse` reads what it holds and tells how many bytes
    /// were whole entries: what a power cut left of a last one is cut off, for nothing followed from
    /// it. `None`: the bytes are something else, not `expected`.
    pub fn open<T>(
        path: &Path,
        expected: &'static str,
        parse: impl FnOnce(&[u8]) -> Option<(T, usize)>,
    ) -> Result<(Self, T), HomeError> {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(HomeError::io("open", path))?;
        let mut bytes = Zeroizing::new(Vec::new());
        file.read_to_end(&mut bytes)
            .map_err(HomeError::io("read", path))?;
        let (entries, whole) = parse(&bytes).ok_or_else(|| HomeError::Corrupt {
            path: path.to_owned(),
            expected,
        })?;
        if whole < bytes.len() {
            let bytes = bytes.len() - whole;
            warn!(bytes, path = %path.display(), "cut off an unfinished entry");
        }
        file.set_len(whole as u64)
            .and_then(|()| file.seek(SeekFrom::End(0)))
            .map_err(HomeError::io("trim", path))?;
        let path = path.to_owned();
        Ok((Self { path, file }, entries))
    }

    /// Adds bytes. They are on disk when this returns.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), HomeError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let written = self.file.write_all(bytes);
        written
            .and_then(|()| self.file.sync_data())
            .map_err(HomeError::io("write", &self.path))
    }
}
