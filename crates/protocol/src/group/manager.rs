//! The manager: who is a member.

use bytes::BufMut;
use cairn_contracts::groups::NAME_BYTES;
use cairn_crypto::{
    linkage::{Authority, LinkagePart, Period, SEED_BYTES, Seed},
    schnorr::PublicKey,
    suite::{Element, Suite as _},
    transcript::{Domain, Transcript},
};
use cairn_ledger::PrivateKey;
use commonware_codec::{Buf, Error as CodecError, FixedSize, Read, ReadExt as _, Write};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::{
    Admission, Application, Approval, Forwarded, Found, GroupError, GroupId, Name, PER_PERIOD,
    Suite, Warrant, seed,
};

const ANSWER: Domain = Domain::new("cairn/1/group/answer");

/// A member in the manager's register. Its number is its place there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: Name,
    /// Key that signs its requests.
    pub key: [u8; 32],
    /// Key to which secrets are sealed.
    pub sealing: [u8; 32],
    /// The last week in which it got credentials.
    pub period: u32,
    /// How many it got in that week.
    pub issued: u8,
    /// Whether it has left.
    pub left: bool,
}

impl Entry {
    /// The key to which secrets are sealed.
    ///
    /// # Errors
    ///
    /// [`GroupError::State`]: it was checked when the member was admitted.
    pub fn sealing(&self) -> Result<Element<Suite>, GroupError> {
        Element::from_bytes(&self.sealing).map_err(|_| GroupError::State)
    }
}

/// What the manager shows LEA of one member in a trace.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The member's number.
    pub member: u32,
    /// The manager's linkage parts of the week, by place.
    pub parts: Vec<LinkagePart>,
}

/// Who stands behind a credential, and the opening of the commitment on the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identified {
    /// The member.
    pub name: Name,
    /// Random bytes of the commitment.
    pub nonce: [u8; 32],
    /// The commitment: `H(group, linkage value, name, nonce)`.
    pub commitment: [u8; 32],
}

/// The manager of one group.
pub struct Manager {
    group: GroupId,
    signer: PrivateKey,
    master: Zeroizing<[u8; SEED_BYTES]>,
    entries: Vec<Entry>,
}

impl Manager {
    /// The manager with its signing key, the key of its linkage parts, and its register.
    #[must_use]
    pub fn new(
        group: GroupId,
        signer: PrivateKey,
        master: Zeroizing<[u8; SEED_BYTES]>,
        entries: Vec<Entry>,
    ) -> Self {
        Self {
            group,
            signer,
            master,
            entries,
        }
    }

    /// The register; a member's number is its place.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Members that have not left, with their numbers.
    pub fn members(&self) -> impl Iterator<Item = (u32, &Entry)> {
        (0..).zip(&self.entries).filter(|(_, entry)| !entry.left)
    }

    /// Enters a member, and returns its number.
    ///
    /// # Errors
    ///
    /// `V-GROUP-1` and `V-GROUP-2`.
    pub fn admit(&mut self, admission: &Admission) -> Result<u32, GroupError> {
        admission.check(&self.group)?;
        // A name that somebody had stays that person's: traces may name it.
        if self.entries.iter().any(|e| e.name == admission.name) {
            return Err(GroupError::Taken(admission.name));
        }
        let number = u32::try_from(self.entries.len()).map_err(|_| GroupError::Quota)?;
        self.entries.push(Entry {
            name: admission.name,
            key: admission.key,
            sealing: admission.sealing,
            period: 0,
            issued: 0,
            left: false,
        });
        Ok(number)
    }

    /// The number of whoever has or had this name, and whether it has left.
    #[must_use]
    pub fn find(&self, name: &Name) -> Option<(u32, bool)> {
        let mut entries = (0..).zip(&self.entries);
        let (number, entry) = entries.find(|(_, entry)| entry.name == *name)?;
        Some((number, entry.left))
    }

    /// Strikes a member out; the next epoch is due. Returns its number.
    ///
    /// # Errors
    ///
    /// `V-GROUP-3`; [`GroupError::LastMember`].
    pub fn strike(&mut self, name: &Name) -> Result<u32, GroupError> {
        let (number, left) = self.find(name).ok_or(GroupError::NotAMember)?;
        if left {
            return Err(GroupError::Left);
        }
        if self.members().count() == 1 {
            return Err(GroupError::LastMember);
        }
        self.entries[number as usize].left = true;
        Ok(number)
    }

    /// Approves a member's requests: what LEA hears of each, and what the issuers hear.
    ///
    /// # Errors
    ///
    /// `V-GROUP-3` and `V-GROUP-4`; nothing is approved then.
    pub fn approve(
        &mut self,
        application: &Application,
    ) -> Result<Vec<(Forwarded, Approval)>, GroupError> {
        let (group, member, terms) = (self.group, application.member, application.terms);
        let place = usize::try_from(member).map_err(|_| GroupError::NotAMember)?;
        let entry = self.entries.get_mut(place);
        let entry = entry.ok_or(GroupError::NotAMember)?;
        if entry.left {
            return Err(GroupError::Left);
        }
        let key = PublicKey::from_bytes(&entry.key).map_err(|_| GroupError::State)?;
        application.check(&group, &key)?;
        let first = match terms.period.0 == entry.period {
            true => entry.issued,
            false => 0,
        };
        let count = u8::try_from(application.requests.len()).map_err(|_| GroupError::Quota)?;
        let next = first.checked_add(count).filter(|next| *next <= PER_PERIOD);
        (entry.period, entry.issued) = (terms.period.0, next.ok_or(GroupError::Quota)?);
        let parts = self.parts(member, terms.period);
        let approved = (first..)
            .zip(&application.requests)
            .map(|(place, request)| {
                let forwarded = Forwarded {
                    member,
                    place,
                    terms,
                    request: *request,
                };
                let part = parts[usize::from(place)];
                let approval = Approval::new(&group.chain, terms, *request, part, &self.signer);
                (forwarded, approval)
            });
        Ok(approved.collect())
    }

    /// The manager's part of a trace: its linkage parts of a week, of every member there ever was.
    ///
    /// # Errors
    ///
    /// [`GroupError::NoWarrant`] for another group's warrant.
    pub fn shown(&self, warrant: &Warrant, period: Period) -> Result<Vec<Shown>, GroupError> {
        if warrant.group != self.group.number {
            return Err(GroupError::NoWarrant);
        }
        let shown = (0..).zip(&self.entries).map(|(member, _)| Shown {
            member,
            parts: self.parts(member, period),
        });
        Ok(shown.collect())
    }

    /// Opens the name behind what LEA found, after checking that it is the traced one.
    ///
    /// # Errors
    ///
    /// [`GroupError::NotFound`] when the parts do not add up to the traced value.
    pub fn identify(
        &self,
        warrant: &Warrant,
        period: Period,
        found: &Found,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<Identified, GroupError> {
        let place = usize::try_from(found.member).map_err(|_| GroupError::NotFound)?;
        let entry = self.entries.get(place).ok_or(GroupError::NotFound)?;
        let parts = self.parts(found.member, period);
        let part = parts.get(usize::from(found.place));
        let value = part.ok_or(GroupError::NotFound)?.join(found.part);
        if warrant.group != self.group.number || value != warrant.linkage {
            return Err(GroupError::NotFound);
        }
        let mut nonce = [0; 32];
        rng.fill_bytes(&mut nonce);
        let commitment = Transcript::new(ANSWER)
            .bytes(&self.group.chain)
            .number(u64::from(self.group.number))
            .bytes(&warrant.linkage.0)
            .bytes(&entry.name.to_bytes())
            .bytes(&nonce);
        Ok(Identified {
            name: entry.name,
            nonce,
            commitment: commitment.finish().short(),
        })
    }

    fn parts(&self, member: u32, period: Period) -> Vec<LinkagePart> {
        let authority = Authority::Registrar;
        parts(&self.master, authority, &self.group, member, period)
    }
}

/// An authority's linkage parts of one member and week, by place.
pub(super) fn parts(
    master: &[u8; SEED_BYTES],
    authority: Authority,
    group: &GroupId,
    member: u32,
    period: Period,
) -> Vec<LinkagePart> {
    let bytes = seed(master, group, member, period);
    let seed = Seed::from_bytes(authority, period, *bytes);
    (0..PER_PERIOD).map(|place| seed.part(place)).collect()
}

impl Write for Entry {
    fn write(&self, buf: &mut impl BufMut) {
        self.name.to_bytes().write(buf);
        self.key.write(buf);
        self.sealing.write(buf);
        self.period.write(buf);
        self.issued.write(buf);
        self.left.write(buf);
    }
}

impl Read for Entry {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, CodecError> {
        let name = Name::from_bytes(&<[u8; NAME_BYTES]>::read(buf)?);
        Ok(Self {
            name: name.map_err(|_| CodecError::Invalid("Entry", "expected a name"))?,
            key: <[u8; 32]>::read(buf)?,
            sealing: <[u8; 32]>::read(buf)?,
            period: u32::read(buf)?,
            issued: u8::read(buf)?,
            left: bool::read(buf)?,
        })
    }
}

impl FixedSize for Entry {
    const SIZE: usize = NAME_BYTES + 32 + Suite::ELEMENT_BYTES + 4 + 1 + 1;
}
