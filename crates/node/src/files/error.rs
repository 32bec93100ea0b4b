//! Why something with audited files did not work.

use crate::{embedded::EmbeddedError, home::HomeError, ledger::LedgerError, network::NetworkError};
use cairn_chain::ReadError;
use cairn_crypto::{issuer, possession, seal};
use cairn_protocol::group::{AuthorisationError, GroupError, Name};
use std::{io, path::PathBuf};
use thiserror::Error;

/// Why something with audited files did not work.
#[derive(Debug, Error)]
pub enum FilesError {
    /// The caller's: not a file id.
    #[error("expected a file id of 64 hexadecimal digits, got {0:?}")]
    Id(String),
    /// The caller's: no store there.
    #[error("{0} holds no store of files; `cairn file put` makes one")]
    NoStore(PathBuf),
    /// The caller's: something else is there.
    #[error("{0} is not empty and holds no store of files; choose another directory")]
    Foreign(PathBuf),
    /// The caller's: the ledger knows no such file.
    #[error("the store has no file {0}")]
    UnknownFile(String),
    /// The caller's: the file to upload cannot be read, or where to put one cannot be written.
    #[error("cannot {action} {path}: {source}")]
    Path {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The caller's: larger than one version may be.
    #[error("{path} has more than {max} bytes, the most that one file takes", max = super::MAX_FILE_BLOCKS * super::BLOCK_CONTENT as u64)]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The caller's: an empty file has nothing to audit.
    #[error("{0} is empty: there is nothing to keep or to audit")]
    Empty(PathBuf),
    /// The caller's: the ledger knows no such version.
    #[error("the file has no version {version}; the latest is {latest}")]
    UnknownVersion {
        /// The version asked for.
        version: u64,
        /// The latest one.
        latest: u64,
    },
    /// The caller's: no group of this name.
    #[error("the store has no group {0}; `cairn file group create` makes one")]
    UnknownGroup(Name),
    /// The caller's: the name is taken.
    #[error("the store has a group {0} already")]
    GroupTaken(Name),
    /// The caller's: a file stays with its group.
    #[error("the file does not belong to group {0}")]
    OtherGroup(Name),
    /// The caller's: nobody of this name here.
    #[error("{0} is no member of the group; `cairn file group join` enrols one")]
    UnknownMember(Name),
    /// The caller's: the keys of this epoch were not given to this member.
    #[error("{0} has left the group, and has no key of this epoch")]
    NoLongerMember(Name),
    /// The caller's: as many groups as the store takes.
    #[error("the store has {0} groups, the most that it takes")]
    TooManyGroups(u16),
    /// The caller's, or a role's: a rule of groups.
    #[error(transparent)]
    Group(#[from] GroupError),
    /// The issuers refuse.
    #[error("issuers: {0}")]
    Issuers(#[from] issuer::Error),
    /// The issuers signed this linkage value before: manager and LEA are at fault.
    #[error("issuers: a credential with this linkage value was issued before")]
    Reissued,
    /// The uploader is at fault, or the vault that accepted the version.
    #[error("version {version} was not authorised by a member of its group: {source}")]
    Unauthorised {
        /// The version.
        version: u64,
        /// Why.
        source: AuthorisationError,
    },
    /// The vault lost or changed what the ledger has a record of.
    #[error("file {file} is damaged: {what}")]
    Damaged {
        /// The file.
        file: String,
        /// What is wrong.
        what: String,
    },
    /// The round after the opening got no certificate of its own, several times.
    #[error("no round with a certificate followed the opening of the audit; try again")]
    NoRound,
    /// Records of the ledger that do not decode: another contract, or our own bug.
    #[error("the ledger's record of {0} is malformed")]
    Record(&'static str),
    /// Keys of the store that are not there or not keys.
    #[error("key {0} of the store is missing or damaged; restore it from a copy")]
    Key(String),
    /// A cryptographic check.
    #[error(transparent)]
    Possession(#[from] possession::Error),
    /// Sealing of a block.
    #[error(transparent)]
    Seal(#[from] seal::Error),
    /// The vault.
    #[error("vault: {0}")]
    Vault(#[from] cairn_vault::Error),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The ledger cannot be read.
    #[error("ledger: {0}")]
    Read(#[from] ReadError),
    /// The ledger did not come up.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
}

impl From<HomeError> for FilesError {
    fn from(error: HomeError) -> Self {
        Self::Embedded(error.into())
    }
}

impl FilesError {
    pub(crate) fn path(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Path {
            action,
            path,
            source,
        }
    }

    /// Whether the command line or the input is at fault, not the store.
    pub fn is_input(&self) -> bool {
        match self {
            Self::Id(_)
            | Self::NoStore(_)
            | Self::Foreign(_)
            | Self::UnknownFile(_)
            | Self::UnknownVersion { .. }
            | Self::UnknownGroup(_)
            | Self::GroupTaken(_)
            | Self::OtherGroup(_)
            | Self::UnknownMember(_)
            | Self::NoLongerMember(_)
            | Self::TooManyGroups(_)
            | Self::Group(
                GroupError::Name
                | GroupError::Taken(_)
                | GroupError::NotAMember
                | GroupError::Left
                | GroupError::LastMember
                | GroupError::Quota,
            )
            | Self::Path { .. }
            | Self::TooLarge { .. }
            | Self::Empty(_)
            | Self::Vault(cairn_vault::Error::InUse(_)) => true,
            Self::Embedded(EmbeddedError::Network(NetworkError::Home(error))) => {
                !matches!(error, HomeError::Corrupt { .. })
            }
            _ => false,
        }
    }
}
