//! What TA and LEA each keep of every vehicle that has credentials: a linkage seed, the slots given out,
//! and the handles of the requests.

use std::collections::HashMap;

use cairn_crypto::{
    credential::{HANDLE_BYTES, Handle, Policy, PolicyError, Slot},
    linkage::{self, Authority, LinkagePart, Period, SEED_BYTES, Seed},
};
use cairn_ledger::Uid;
use rand_core::CryptoRng;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop};

const SEED: u8 = 1;
const GRANT: u8 = 2;
const SEED_ENTRY_BYTES: usize = 1 + 8 + 4 + SEED_BYTES;
const GRANT_ENTRY_BYTES: usize = 1 + 8 + HANDLE_BYTES + 4 + 2;
const S_PER_MINUTE: u32 = 60;

/// Why nothing is given out, or found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BookError {
    /// `V-ENROL-3`.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// `V-ENROL-3`: a period before the vehicle's first, or far beyond it.
    #[error(transparent)]
    Linkage(#[from] linkage::Error),
    /// `V-ENROL-4`.
    #[error("this request was made before, by another vehicle or for another slot")]
    Handle,
    /// `V-TRACE-3`.
    #[error("nobody was given credentials under this name")]
    Unknown,
}

/// A line of the book, to be stored before anything follows from it. A seed is secret: the file is
/// its owner's only. Erased on drop; has no `Debug`.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Entry(Vec<u8>);

impl Entry {
    fn seed(uid: &Uid, seed: &Seed) -> Self {
        let mut bytes = seed.to_bytes();
        let period = seed.period().0.to_be_bytes();
        let entry = [&[SEED], uid.0.as_slice(), &period, &bytes].concat();
        bytes.zeroize();
        Self(entry)
    }

    fn grant(uid: &Uid, handle: &Handle, slot: Slot) -> Self {
        let minutes = (slot.end_s() - slot.start_s()) / S_PER_MINUTE;
        let minutes = u16::try_from(minutes).expect("a slot's length has 16 bits");
        let start = slot.start_s().to_be_bytes();
        let minutes = minutes.to_be_bytes();
        Self([&[GRANT], uid.0.as_slice(), &handle.0, &start, &minutes].concat())
    }

    /// The bytes to be stored.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Splits stored bytes into entries. Returns how many bytes were whole entries: what a power
    /// cut left of a last one is to be cut off. `None` when the bytes are no book.
    #[must_use]
    pub fn read_all(mut bytes: &[u8]) -> Option<(Vec<Self>, usize)> {
        let length = bytes.len();
        let mut entries = Vec::new();
        while let Some(kind) = bytes.first() {
            let size = match *kind {
                SEED => SEED_ENTRY_BYTES,
                GRANT => GRANT_ENTRY_BYTES,
                _ => return None,
            };
            let Some((entry, rest)) = bytes.split_at_checked(size) else {
                break;
            };
            entries.push(Self(entry.to_vec()));
            bytes = rest;
        }
        Some((entries, length - bytes.len()))
    }
}

/// The book of one authority. Has no `Debug`; seeds are erased on drop.
pub struct Book {
    authority: Authority,
    policy: Policy,
    seeds: HashMap<Uid, Seed>,
    held: HashMap<Uid, Vec<Slot>>,
    handles: HashMap<Handle, (Uid, Slot)>,
}

impl Book {
    /// The book with what is stored of it.
    #[must_use]
    pub fn new(authority: Authority, policy: Policy, entries: &[Entry]) -> Self {
        let mut book = Self {
            authority,
            policy,
            seeds: HashMap::new(),
            held: HashMap::new(),
            handles: HashMap::new(),
        };
        for entry in entries {
            book.take(entry);
        }
        book
    }

    /// The policy of slots.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Gives a slot to a vehicle: this authority's linkage part, and what is to be stored first.
    ///
    /// # Errors
    ///
    /// `V-ENROL-3`, `V-ENROL-4`.
    pub(super) fn grant(
        &mut self,
        uid: &Uid,
        handle: &Handle,
        slot: Slot,
        rng: &mut impl CryptoRng,
    ) -> Result<(LinkagePart, Vec<Entry>), BookError> {
        let (period, k) = self.policy.locate(slot)?;
        let mut entries = Vec::new();
        match self.handles.get(handle) {
            Some(earlier) if *earlier == (*uid, slot) => {}
            Some(_) => return Err(BookError::Handle),
            None => {
                let held = self.held.get(uid).map_or(&[][..], Vec::as_slice);
                self.policy.admit(held, slot)?;
                entries.push(Entry::grant(uid, handle, slot));
            }
        }
        let seed = match self.seeds.get(uid) {
            Some(seed) => seed.at(period)?,
            None => {
                let seed = Seed::random(self.authority, period, rng);
                entries.insert(0, Entry::seed(uid, &seed));
                seed
            }
        };
        for entry in &entries {
            self.take(entry);
        }
        Ok((seed.part(k), entries))
    }

    /// Whose request it was.
    pub(super) fn holder(&self, handle: &Handle) -> Result<Uid, BookError> {
        let found = self.handles.get(handle);
        found.map(|(uid, _)| *uid).ok_or(BookError::Unknown)
    }

    /// The seed of a vehicle in a period, to be published.
    pub(super) fn seed(&self, uid: &Uid, period: Period) -> Result<[u8; SEED_BYTES], BookError> {
        let seed = self.seeds.get(uid).ok_or(BookError::Unknown)?;
        Ok(seed.at(period)?.to_bytes())
    }

    fn take(&mut self, Entry(bytes): &Entry) {
        // `Entry`s are made here or split by `read_all`, so their lengths are right.
        let (head, rest) = bytes.split_at(1 + 8);
        let uid = Uid(head[1..].try_into().expect("8 bytes"));
        let number = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().expect("4 bytes"));
        if head[0] == SEED {
            let seed = rest[4..].try_into().expect("a seed");
            let seed = Seed::from_bytes(self.authority, Period(number(&rest[..4])), seed);
            self.seeds.insert(uid, seed);
            return;
        }
        let (handle, rest) = rest.split_at(HANDLE_BYTES);
        let handle = Handle(handle.try_into().expect("a handle"));
        let minutes = u16::from_be_bytes(rest[4..].try_into().expect("2 bytes"));
        if let Some(slot) = Slot::new(number(&rest[..4]), minutes) {
            self.held.entry(uid).or_default().push(slot);
            self.handles.insert(handle, (uid, slot));
        }
    }
}
