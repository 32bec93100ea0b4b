//! A small world: issuers, a device, one credential.

use std::collections::BTreeMap;
use std::convert::Infallible;

use cairn_crypto::credential::{
    Attributes, Certificate, Credential, Issued, IssuerKey, Kind, Pending, Policy, Request,
    request_batch,
};
use cairn_crypto::issuer::dkg::{Ceremony, Deal, Dealing, Deals, Opening};
use cairn_crypto::issuer::{
    Error, Issuer, IssuerIndex, KeyShare, Quorum, Round, Session, SignatureShare,
};
use cairn_crypto::linkage::{LinkageValue, Period};
use cairn_crypto::suite::{Proof, Suite};
use cairn_crypto::transcript::{Digest, Domain, Transcript};
use rand_core::{TryCryptoRng, TryRng};
use sha2::{Digest as _, Sha256};

/// SHA-256 in counter mode: repeats in every version of every crate, as frozen encodings need.
pub struct Counter(u64, u64);

impl Counter {
    pub fn new(seed: u64) -> Self {
        Self(seed, 0)
    }
}

impl TryRng for Counter {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(32) {
            let block = [self.0.to_be_bytes(), self.1.to_be_bytes()].concat();
            chunk.copy_from_slice(&Sha256::digest(block)[..chunk.len()]);
            self.1 += 1;
        }
        Ok(())
    }
}

impl TryCryptoRng for Counter {}

pub type Openings<S> = BTreeMap<IssuerIndex, Opening<S>>;

pub fn index(number: u8) -> IssuerIndex {
    Quorum::new(2, 16).unwrap().index(number).unwrap()
}

pub fn without<V: Clone>(
    map: &BTreeMap<IssuerIndex, V>,
    out: IssuerIndex,
) -> BTreeMap<IssuerIndex, V> {
    let mut map = map.clone();
    map.remove(&out);
    map
}

pub fn ceremony(id: u8, quorum: Quorum, number: u8) -> Ceremony {
    Ceremony {
        id: [id; 32],
        quorum,
        index: index(number),
    }
}

pub fn begin<S: Suite>(
    quorum: Quorum,
    rng: &mut Counter,
) -> (BTreeMap<IssuerIndex, Dealing<S>>, Openings<S>) {
    let mut dealings = BTreeMap::new();
    let mut openings = BTreeMap::new();
    for index in quorum.indices() {
        let (dealing, opening) = ceremony(0, quorum, index.get()).begin::<S>(rng).unwrap();
        dealings.insert(index, dealing);
        openings.insert(index, opening);
    }
    (dealings, openings)
}

/// Runs the ceremony with `tamper` standing between the issuers' deals.
pub fn generate_tampered<S: Suite>(
    quorum: Quorum,
    rng: &mut Counter,
    tamper: impl Fn(IssuerIndex, IssuerIndex, Deal<S>) -> Deal<S>,
) -> Vec<Result<KeyShare<S>, Error>> {
    let (dealings, openings) = begin::<S>(quorum, rng);
    let dealt: Vec<_> = dealings
        .into_iter()
        .map(|(index, dealing)| (index, dealing.deal(without(&openings, index)).unwrap()))
        .collect();
    let all: BTreeMap<_, Deals<S>> = dealt.iter().map(|(i, (_, d))| (*i, d.clone())).collect();
    let inbox = |to: IssuerIndex| -> Deals<S> {
        all.iter()
            .filter(|(from, _)| **from != to)
            .map(|(from, deals)| (*from, tamper(*from, to, deals[&to].clone())))
            .collect()
    };
    dealt
        .into_iter()
        .map(|(index, (collecting, _))| collecting.finish(&inbox(index)))
        .collect()
}

pub fn generate<S: Suite>(quorum: Quorum, rng: &mut Counter) -> Vec<Issuer<S>> {
    generate_tampered(quorum, rng, |_, _, deal| deal)
        .into_iter()
        .map(|share| Issuer::new(share.unwrap()))
        .collect()
}

pub fn attributes() -> Attributes {
    Attributes {
        kind: Kind::Vehicle,
        linkage: LinkageValue([7; 9]),
        slot: Policy::default().slot(Period(2_900), 3).unwrap(),
        group: 11,
        epoch: 1,
    }
}

/// Commitments of the issuers at these positions, and the coordinator's session over them.
pub fn start<S: Suite>(
    issuers: &mut [Issuer<S>],
    who: &[usize],
    request: Request<S>,
    attributes: Attributes,
    rng: &mut Counter,
) -> Session<S> {
    let commit = |i: &usize| (issuers[*i].key().index(), issuers[*i].commit(rng));
    let round = Round {
        request,
        attributes,
        commitments: who.iter().map(commit).collect(),
    };
    Session::new(issuers[0].key().set().clone(), round).unwrap()
}

pub fn shares<S: Suite>(
    issuers: &mut [Issuer<S>],
    who: &[usize],
    round: &Round<S>,
) -> BTreeMap<IssuerIndex, SignatureShare<S>> {
    let sign = |i: &usize| (issuers[*i].key().index(), issuers[*i].sign(round).unwrap());
    who.iter().map(sign).collect()
}

pub fn issue<S: Suite>(
    issuers: &mut [Issuer<S>],
    who: &[usize],
    request: Request<S>,
    attributes: Attributes,
    rng: &mut Counter,
) -> Issued<S> {
    let session = start(issuers, who, request, attributes, rng);
    let shares = shares(issuers, who, session.round());
    session.finish(&shares).unwrap()
}

pub struct World<S: Suite> {
    pub rng: Counter,
    pub issuers: Vec<Issuer<S>>,
    pub key: IssuerKey<S>,
    pub pending: Pending<S>,
    pub request: Request<S>,
    pub sealed: Vec<u8>,
    pub credential: Credential<S>,
}

pub fn world<S: Suite>(seed: u64) -> World<S> {
    let mut rng = Counter::new(seed);
    let mut issuers = generate::<S>(Quorum::default(), &mut rng);
    let key = issuers[0].key().set().issuer_key();
    let (pending, request) = request_batch::<S>(1, &mut rng).remove(0);
    let issued = issue(&mut issuers, &[0, 1], request, attributes(), &mut rng);
    let sealed = issued.seal(&mut rng);
    let credential = pending.open(&sealed, &key).unwrap();
    World {
        rng,
        issuers,
        key,
        pending,
        request,
        sealed,
        credential,
    }
}

impl<S: Suite> World<S> {
    /// A further credential of a further device.
    pub fn enrol(&mut self, attributes: Attributes) -> Credential<S> {
        let (pending, request) = request_batch::<S>(1, &mut self.rng).remove(0);
        let issued = issue(
            &mut self.issuers,
            &[0, 2],
            request,
            attributes,
            &mut self.rng,
        );
        pending
            .open(&issued.seal(&mut self.rng), &self.key)
            .unwrap()
    }

    pub fn shown(&mut self, text: &[u8]) -> (Certificate<S>, Digest, Proof<S>) {
        let proof = self.credential.prove(&statement(text), &mut self.rng);
        (self.credential.certificate(), statement(text), proof)
    }
}

pub fn statement(text: &[u8]) -> Digest {
    const STATEMENT: Domain = Domain::new("cairn/1/test/statement");
    Transcript::new(STATEMENT).bytes(text).finish()
}

/// `a + b` of encoded scalars.
pub fn add<S: Suite>(a: &[u8], b: u64) -> [u8; 32] {
    let a = S::decode_scalar(a.try_into().unwrap()).unwrap();
    S::encode_scalar(&(a + S::Scalar::from(b)))
}
