//! Groups that share audited files: some enrolled member uploads, and nobody sees which
//! (PROTOCOLS.md sections 2 and 10; the roles of paper 001).
//!
//! Roles: *member*, *manager* (enrols members), *LEA* (reviews), *issuers* (t of n hold the issuer
//! key `A`), *vault's operator* and *auditor*, who learn the group and no more.
//!
//! 1. **Join.** The member makes a signing and a sealing key and shows the manager that it holds the
//!    first ([`Admission`]). The manager enters it in its register ([`Manager::admit`]) and seals the
//!    tagging secret of the current key epoch to it ([`seal_secret`]).
//! 2. **Credentials.** The member asks for a batch of one-time credentials ([`Member::apply`]), by a
//!    request signed with its own key. The manager checks that it is a member and has not used up
//!    the week's [`PER_PERIOD`]; LEA countersigns without learning a name. Each adds its part of the
//!    linkage value, drawn from a key of its own, and hands it to the issuers ([`Approval`]): neither
//!    knows the other's part, so neither recognises the credential. Issuers check both signatures
//!    and sign ([`attributes`], [`cairn_crypto::issuer`]); the answer is sealed to the member.
//! 3. **Upload.** The member signs a file record with a credential that it never used before
//!    ([`Authorisation`], 116 bytes): `(W, attrs, M, z)` over ledger, contract and every field of the
//!    record. Whoever knows `A` checks it: some member of this group in this epoch.
//! 4. **Leave.** The manager strikes the member out, draws the next epoch's tagging secret, seals it
//!    to those who stay, and announces epoch and key on the ledger. Credentials carry their epoch
//!    and the ledger takes new versions under the current key only, so the old ones end at once.
//! 5. **Trace.** LEA puts a request on the ledger. Against the finalised record ([`Warrant`]) the
//!    manager gives, for numbers instead of names, its linkage parts of that week
//!    ([`Manager::shown`]); LEA adds its own and finds the number ([`Reviewer::find`]); the manager
//!    checks the sum, opens the name and leaves a commitment on the ledger ([`Manager::identify`]).
//!
//! A week is a period. A member uses a credential in its own week; its position among the week's
//! [`PER_PERIOD`] is hidden in the linkage value, so that a certificate says group, epoch and week.
//!
//! Limits. An issuer that publishes what it signed, together with the manager, can tie a credential
//! to a member without LEA. Members hold the same tagging secret: one who colludes with the vault
//! can answer audits without data (PROTOCOLS.md section 10, step 1).
//!
//! Rules:
//! * `V-GROUP-1` a name is 1 to 32 of `a`–`z`, `0`–`9` and `-`, and free;
//! * `V-GROUP-2` an admission is signed by the key that it names;
//! * `V-GROUP-3` credentials are asked for by a member that has not left, signed by its key;
//! * `V-GROUP-4` at most [`PER_PERIOD`] a week for each member;
//! * `V-GROUP-5` (LEA) the request proves possession, and its place is one of the week's;
//! * `V-GROUP-6` (issuers) both approvals are signed and for the same request and terms;
//! * `V-GROUP-7` (manager, LEA) a trace was requested on the ledger for this very value;
//! * `V-AUTH-1` an authorisation has 116 bytes and is canonical;
//! * `V-AUTH-2` it is a group member's, of the record's group;
//! * `V-AUTH-3` it is of the epoch to which the record's key belongs;
//! * `V-AUTH-4` it was valid when the record was made;
//! * `V-AUTH-5` whoever made it holds the credential, and made it for this record.

mod authorisation;
mod issuing;
mod manager;
mod member;
mod reviewer;

use std::fmt;

use cairn_contracts::groups::{NAME_BYTES, TraceRecord};
use cairn_crypto::{
    credential::{self, Slot, open_sealed, seal_to},
    linkage::{LinkageValue, Period, SEED_BYTES},
    possession::{GroupSecret, KeyId},
    schnorr, seal,
    suite::{Element, Ristretto255, Secret},
    transcript::{Domain, derive},
};
use cairn_ledger::ChainId;
use rand_core::CryptoRng;
use thiserror::Error;
use zeroize::Zeroizing;

pub use authorisation::{Authorisation, AuthorisationError, Expected};
pub use issuing::{Approval, Forwarded, attributes};
pub use manager::{Entry, Identified, Manager, Shown};
pub use member::{Admission, Applicant, Application, Member, Spent};
pub use reviewer::{Found, Reviewer};

/// The suite of uploads.
pub type Suite = Ristretto255;

/// Credentials of one member in a week: an upload every hour, and some.
pub const PER_PERIOD: u8 = 200;

const PERIOD_S: u32 = 7 * 24 * 3_600;

/// Six weeks, in minutes: an upload that was broken off in a credential's week can be finished
/// with the record as it is.
const VALIDITY_MINUTES: u16 = 6 * 7 * 24 * 60;

const SECRET: Domain = Domain::new("cairn/1/group/secret");
const CONTENT: Domain = Domain::new("cairn/1/group/content");
const SEED: Domain = Domain::new("cairn/1/group/seed");

/// Why something about a group is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum GroupError {
    /// `V-GROUP-1`: not a name.
    #[error("expected a name of 1 to 32 characters from a-z, 0-9 and -")]
    Name,
    /// `V-GROUP-1`: somebody has it.
    #[error("the name {0} is taken in this group, or was")]
    Taken(Name),
    /// `V-GROUP-2`, `V-GROUP-3`: the signature does not fit.
    #[error("not signed by the member's own key")]
    Signature,
    /// `V-GROUP-3`: nobody of this name or number.
    #[error("the group has no such member")]
    NotAMember,
    /// `V-GROUP-3`: the member has left.
    #[error("the member has left the group")]
    Left,
    /// `V-GROUP-3`: nobody would be left to share files with.
    #[error("the last member cannot leave")]
    LastMember,
    /// `V-GROUP-4`.
    #[error("expected at most {PER_PERIOD} credentials a week, this would be more")]
    Quota,
    /// `V-GROUP-5`.
    #[error("expected a place below {PER_PERIOD} in a week after the member joined")]
    Place,
    /// `V-GROUP-6`: signed by somebody else, or for something else.
    #[error("the approvals of manager and LEA are not signed, or not for the same request")]
    Approval,
    /// `V-GROUP-7`.
    #[error("no trace of this credential was requested on the ledger")]
    NoWarrant,
    /// The parts of manager and LEA do not add up to the traced value.
    #[error("no member's linkage value is the traced one")]
    NotFound,
    /// The member has no unused credential of this epoch and week.
    #[error("no unused credential of this epoch and week; ask for new ones")]
    NoCredential,
    /// The issuers' answer is for other terms than were asked for.
    #[error("expected a credential of the group, epoch and week that were asked for")]
    OtherTerms,
    /// Stored bytes that are not what they should be.
    #[error("stored state of a group role is damaged")]
    State,
    /// The sealed tagging secret is another one than the ledger names.
    #[error("expected the tagging secret of the epoch on the ledger, sealed to this member")]
    OtherSecret,
    /// Credential arithmetic.
    #[error(transparent)]
    Credential(#[from] credential::Error),
    /// Keys of members.
    #[error("key: {0}")]
    Key(#[from] schnorr::Error),
    /// Sealed content keys.
    #[error(transparent)]
    Seal(#[from] seal::Error),
}

/// The name of a group or of a member: 1 to 32 of `a`–`z`, `0`–`9` and `-`, filled up with zeros.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name([u8; NAME_BYTES]);

impl Name {
    /// Reads a name.
    ///
    /// # Errors
    ///
    /// [`GroupError::Name`].
    pub fn new(text: &str) -> Result<Self, GroupError> {
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if !(1..=NAME_BYTES).contains(&text.len()) || !text.bytes().all(good) {
            return Err(GroupError::Name);
        }
        let mut bytes = [0; NAME_BYTES];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Ok(Self(bytes))
    }

    /// Reads a name from the ledger or a register.
    ///
    /// # Errors
    ///
    /// [`GroupError::Name`].
    pub fn from_bytes(bytes: &[u8; NAME_BYTES]) -> Result<Self, GroupError> {
        let end = bytes.iter().position(|b| *b == 0).unwrap_or(NAME_BYTES);
        let text = str::from_utf8(&bytes[..end]).map_err(|_| GroupError::Name)?;
        let name = Self::new(text)?;
        if name.0 == *bytes {
            Ok(name)
        } else {
            Err(GroupError::Name)
        }
    }

    /// The 32 bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; NAME_BYTES] {
        self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.split(|b| *b == 0).next().unwrap_or_default();
        f.write_str(str::from_utf8(text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A group on a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupId {
    /// The ledger.
    pub chain: ChainId,
    /// The group's number in contract `groups`.
    pub number: u16,
}

/// What all credentials of one request have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The group's number.
    pub group: u16,
    /// Its key epoch.
    pub epoch: u16,
    /// The week in which they are valid.
    pub period: Period,
}

impl Terms {
    /// When the credentials are valid: from the week's beginning, six weeks. `None` after 2106.
    #[must_use]
    pub fn slot(&self) -> Option<Slot> {
        Slot::new(self.period.0.checked_mul(PERIOD_S)?, VALIDITY_MINUTES)
    }
}

/// The week of a time in milliseconds since 1970.
#[must_use]
pub fn period_at(now_ms: u64) -> Period {
    let period = now_ms / 1_000 / u64::from(PERIOD_S);
    Period(u32::try_from(period).unwrap_or(u32::MAX))
}

/// The week of a credential.
#[must_use]
pub fn period_of(slot: Slot) -> Period {
    Period(slot.start_s() / PERIOD_S)
}

/// The right to trace one credential: a request that LEA put on the ledger. The caller takes the
/// record from a *finalised* state that it looked up itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warrant {
    group: u16,
    linkage: LinkageValue,
}

impl Warrant {
    /// `V-GROUP-7`.
    ///
    /// # Errors
    ///
    /// [`GroupError::NoWarrant`] without a record.
    pub fn new(
        group: u16,
        linkage: LinkageValue,
        record: Option<&TraceRecord>,
    ) -> Result<Self, GroupError> {
        match record {
            Some(_) => Ok(Self { group, linkage }),
            None => Err(GroupError::NoWarrant),
        }
    }
}

/// Seals an epoch's tagging secret to the member with this number: `32·(s + 1) + 48` bytes.
#[must_use]
pub fn seal_secret(
    group: &GroupId,
    epoch: u16,
    to: &Element<Suite>,
    member: u32,
    secret: &GroupSecret,
    rng: &mut (impl CryptoRng + ?Sized),
) -> Vec<u8> {
    let context = sealing_context(group, epoch, member);
    seal_to(SECRET, to, &context, &secret.to_bytes(), rng)
}

/// Opens what [`seal_secret`] sealed. `kid` is the key that the ledger names for the epoch: the
/// sender is not authenticated, the key is.
fn open_secret(
    group: &GroupId,
    epoch: u16,
    with: &Secret<Suite>,
    member: u32,
    sealed: &[u8],
    kid: &KeyId,
) -> Result<GroupSecret, GroupError> {
    let context = sealing_context(group, epoch, member);
    let bytes = open_sealed(SECRET, with, &context, sealed).map_err(|_| GroupError::OtherSecret)?;
    GroupSecret::from_bytes(&bytes)
        .ok()
        .filter(|secret: &GroupSecret| secret.key().kid() == *kid)
        .ok_or(GroupError::OtherSecret)
}

fn sealing_context(group: &GroupId, epoch: u16, member: u32) -> Vec<u8> {
    [
        &group.chain[..],
        &group.number.to_be_bytes(),
        &epoch.to_be_bytes(),
        &member.to_be_bytes(),
    ]
    .concat()
}

/// The key under which members seal blocks in an epoch. It follows from the tagging secret, so
/// that who has the one has the other, and the ledger's key id vouches for both.
#[must_use]
pub fn content_key(secret: &GroupSecret) -> Zeroizing<[u8; 32]> {
    derive(CONTENT, &secret.to_bytes(), &[])
}

/// The linkage seed of one member and week, from an authority's own key. No seed is ever published
/// here, so that weeks need no chain: leaving a group ends its epoch.
fn seed(
    master: &[u8; SEED_BYTES],
    group: &GroupId,
    member: u32,
    period: Period,
) -> Zeroizing<[u8; SEED_BYTES]> {
    let (number, member) = (group.number.to_be_bytes(), member.to_be_bytes());
    let period = period.0.to_be_bytes();
    derive(SEED, master, &[&group.chain[..], &number, &member, &period])
}
