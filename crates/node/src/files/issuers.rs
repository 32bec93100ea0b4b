//! The issuers of members' credentials: three, of whom two sign (PROTOCOLS.md section 2).
//!
//! Here they live in one process; each has a key file with its own share, made in a ceremony in
//! which no one ever held the key. They remember every linkage value that they signed: a value
//! serves for one credential.

use super::FilesError;
use crate::home::Home;
use cairn_crypto::{
    credential::{Attributes, IssuerKey, Request},
    issuer::{
        Error, Issuer, IssuerIndex, KeyShare, Quorum, Round, Session,
        dkg::{Ceremony, Deals},
    },
    linkage::{LINKAGE_BYTES, LinkageValue},
};
use cairn_protocol::group::Suite;
use rand::{Rng as _, rngs::StdRng};
use std::{
    collections::{BTreeMap, HashSet},
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// All issuers of a store.
pub(super) struct Issuers {
    issuers: Vec<Issuer<Suite>>,
    signed: HashSet<LinkageValue>,
    journal: PathBuf,
}

impl Issuers {
    /// Opens their key files, or lets them make a key. `journal` is the list of what they signed.
    pub(super) fn open(home: &Home, journal: &Path, rng: &mut StdRng) -> Result<Self, FilesError> {
        let quorum = Quorum::default();
        let mut shares = Vec::new();
        for index in quorum.indices() {
            let damaged = |_| FilesError::Key(name(index));
            if let Some(bytes) = home.secret(&name(index))? {
                shares.push(KeyShare::from_bytes(&bytes).map_err(damaged)?);
            }
        }
        if shares.len() != usize::from(quorum.issuers()) {
            // Shares of a ceremony that was broken off fit no others.
            shares = ceremony(quorum, rng)?;
            for share in &shares {
                home.set_secret(&name(share.index()), &share.to_bytes())?;
            }
        }
        let signed = match fs::read(journal) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(FilesError::path("read", journal)(error)),
        };
        let (signed, _) = signed.as_chunks::<LINKAGE_BYTES>();
        Ok(Self {
            issuers: shares.into_iter().map(Issuer::new).collect(),
            signed: signed.iter().copied().map(LinkageValue).collect(),
            journal: journal.to_owned(),
        })
    }

    /// `A`.
    pub(super) fn key(&self) -> IssuerKey<Suite> {
        self.issuers[0].key().set().issuer_key()
    }

    /// Issues one credential; the answer is sealed to whoever made the request.
    pub(super) fn issue(
        &mut self,
        request: Request<Suite>,
        attributes: Attributes,
        rng: &mut StdRng,
    ) -> Result<Vec<u8>, FilesError> {
        if !self.signed.insert(attributes.linkage) {
            return Err(FilesError::Reissued);
        }
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.journal)
            .and_then(|mut file| file.write_all(&attributes.linkage.0))
            .map_err(FilesError::path("write", &self.journal))?;
        let needed = usize::from(Quorum::default().needed());
        let signers = &mut self.issuers[..needed];
        let commitments = signers
            .iter_mut()
            .map(|issuer| (issuer.key().index(), issuer.commit(rng)))
            .collect();
        let round = Round {
            request,
            attributes,
            commitments,
        };
        let session = Session::new(signers[0].key().set().clone(), round)?;
        let shares: Result<BTreeMap<_, _>, Error> = signers
            .iter_mut()
            .map(|issuer| Ok((issuer.key().index(), issuer.sign(session.round())?)))
            .collect();
        Ok(session.finish(&shares?)?.seal(rng))
    }
}

fn name(index: IssuerIndex) -> String {
    format!("issuer-{index}")
}

/// The ceremony of key generation, with everybody in one process.
fn ceremony(quorum: Quorum, rng: &mut StdRng) -> Result<Vec<KeyShare<Suite>>, Error> {
    let mut id = [0; 32];
    rng.fill_bytes(&mut id);
    let mut dealings = Vec::new();
    let mut openings = BTreeMap::new();
    for index in quorum.indices() {
        let (dealing, opening) = Ceremony { id, quorum, index }.begin::<Suite>(rng)?;
        dealings.push((index, dealing));
        openings.insert(index, opening);
    }
    let mut collecting = Vec::new();
    let mut deals: BTreeMap<IssuerIndex, Deals<Suite>> = BTreeMap::new();
    for (index, dealing) in dealings {
        let mut others = openings.clone();
        others.remove(&index);
        let (waiting, dealt) = dealing.deal(others)?;
        collecting.push((index, waiting));
        deals.insert(index, dealt);
    }
    let inbox = |to: IssuerIndex| -> Deals<Suite> {
        let others = deals.iter().filter(|(from, _)| **from != to);
        let ours = others.filter_map(|(from, dealt)| Some((*from, dealt.get(&to)?.clone())));
        ours.collect()
    };
    collecting
        .into_iter()
        .map(|(index, waiting)| waiting.finish(&inbox(index)))
        .collect()
}
