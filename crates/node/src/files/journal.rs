//! What is known of an unfinished upload: the file's id, then a row `block id ‖ edition` of 24
//! bytes for each block that the vault has acknowledged.
//!
//! A hint only: whoever resumes compares each block with what the vault has. Rows that were lost
//! in a crash cost an upload of these blocks, no more.

use super::FilesError;
use cairn_crypto::possession::{FileId, KeyId};
use commonware_cryptography::{Hasher as _, Sha256};
use std::{
    collections::HashMap,
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

const ROW_BYTES: usize = 24;

pub(super) struct Journal {
    pub(super) file: FileId,
    editions: HashMap<u64, [u8; 16]>,
    path: PathBuf,
}

impl Journal {
    /// The journal of uploading `source` under the tagging key `kid` to a file (`None`: to a new one,
    /// which is `fresh`).
    pub(super) fn open(
        directory: &Path,
        source: &Path,
        kid: &KeyId,
        target: Option<FileId>,
        fresh: FileId,
    ) -> Result<Self, FilesError> {
        fs::create_dir_all(directory).map_err(FilesError::path("create", directory))?;
        let source = fs::canonicalize(source).map_err(FilesError::path("read", source))?;
        let to = target.map_or([0; 32], |file| file.0);
        let name = Sha256::hash(&[&to, &kid.0, source.as_os_str().as_encoded_bytes()]);
        let path = directory.join(name.to_string());
        let found = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(FilesError::path("read", &path)(error)),
        };
        let Some((file, rows)) = found.split_first_chunk::<32>() else {
            let file = target.unwrap_or(fresh);
            fs::write(&path, file.0).map_err(FilesError::path("write", &path))?;
            return Ok(Self {
                file,
                editions: HashMap::new(),
                path,
            });
        };
        let (rows, _) = rows.as_chunks::<ROW_BYTES>();
        let editions = rows.iter().map(|row| {
            let (id, edition) = row.split_at(8);
            let id = u64::from_be_bytes(id.try_into().expect("8 bytes"));
            (id, edition.try_into().expect("16 bytes"))
        });
        Ok(Self {
            file: target.unwrap_or(FileId(*file)),
            editions: editions.collect(),
            path,
        })
    }

    /// The files of all unfinished uploads.
    pub(super) fn unfinished(directory: &Path) -> Result<Vec<FileId>, FilesError> {
        let failed = |error| FilesError::path("read", directory)(error);
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut files = Vec::new();
        for entry in entries {
            let bytes = fs::read(entry.map_err(failed)?.path()).map_err(failed)?;
            files.extend(bytes.first_chunk().copied().map(FileId));
        }
        Ok(files)
    }

    /// The edition of a block that was acknowledged before.
    pub(super) fn edition(&self, id: u64) -> Option<[u8; 16]> {
        self.editions.get(&id).copied()
    }

    /// Notes acknowledged blocks.
    pub(super) fn append(
        &self,
        blocks: impl Iterator<Item = (u64, [u8; 16])>,
    ) -> Result<(), FilesError> {
        let mut rows = Vec::new();
        for (id, edition) in blocks {
            rows.extend_from_slice(&id.to_be_bytes());
            rows.extend_from_slice(&edition);
        }
        let file = OpenOptions::new().append(true).open(&self.path);
        file.and_then(|mut file| file.write_all(&rows))
            .map_err(FilesError::path("write", &self.path))
    }

    /// The upload is finished.
    pub(super) fn remove(self) -> Result<(), FilesError> {
        fs::remove_file(&self.path).map_err(FilesError::path("remove", &self.path))
    }
}
