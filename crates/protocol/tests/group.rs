//! Groups: joining, credentials, uploads, leaving, tracing; and who cannot do what.

use std::collections::BTreeMap;

use cairn_contracts::groups::TraceRecord;
use cairn_crypto::{
    credential::{self, Credential, IssuerKey, Kind},
    issuer::{
        Issuer, Quorum, Round, Session,
        dkg::{Ceremony, Deals},
    },
    linkage::Period,
    possession::{FileId, FileRecord, GroupSecret, Index, KeyId, RecordDigest, Sectors},
};
use cairn_ledger::{Address, ChainId, PrivateKey};
use cairn_protocol::group::{
    Admission, Application, Authorisation, AuthorisationError, Expected, Found, GroupError,
    GroupId, Manager, Member, Name, PER_PERIOD, Reviewer, Suite, Terms, Warrant, attributes,
    content_key, period_at, seal_secret,
};
use commonware_cryptography::Signer as _;
use rand::{SeedableRng as _, rngs::StdRng};
use zeroize::Zeroizing;

const NOW: u64 = 1_800_000_000_000;
const WEEK_MS: u64 = 7 * 24 * 3_600_000;
const CHAIN: ChainId = ChainId([1; 32]);
const CONTRACT: Address = Address([2; 20]);
const GROUP: GroupId = GroupId {
    chain: CHAIN,
    number: 5,
};
const EPOCH: u16 = 1;

/// Everybody, with three issuers of whom two are needed.
struct World {
    rng: StdRng,
    issuers: Vec<Issuer<Suite>>,
    key: IssuerKey<Suite>,
    manager: Manager,
    manager_key: PrivateKey,
    reviewer: Reviewer,
    lea_key: PrivateKey,
}

impl World {
    fn new() -> Self {
        let mut rng = StdRng::seed_from_u64(1);
        let issuers = generate(&mut rng);
        let [manager_key, lea_key] = [1, 2].map(PrivateKey::from_seed);
        let master = |byte| Zeroizing::new([byte; 32]);
        Self {
            key: issuers[0].key().set().issuer_key(),
            issuers,
            manager: Manager::new(GROUP, manager_key.clone(), master(3), Vec::new()),
            reviewer: Reviewer::new(CHAIN, lea_key.clone(), master(4)),
            manager_key,
            lea_key,
            rng,
        }
    }

    fn join(&mut self, name: &str) -> Member {
        let name = Name::new(name).unwrap();
        let (applicant, admission) = Member::apply_for_admission(&GROUP, name, &mut self.rng);
        let number = self.manager.admit(&admission).unwrap();
        applicant.admitted(number)
    }

    /// Manager, LEA and two issuers serve a request.
    fn serve(
        &mut self,
        member: &mut Member,
        pending: &[credential::Pending<Suite>],
        application: &Application,
    ) -> Result<(), GroupError> {
        let keys = [self.manager_key.public_key(), self.lea_key.public_key()];
        for ((forwarded, by_manager), pending) in
            self.manager.approve(application)?.iter().zip(pending)
        {
            let by_lea = self.reviewer.countersign(forwarded)?;
            let (request, attributes) =
                attributes(&CHAIN, [&keys[0], &keys[1]], [by_manager, &by_lea])?;
            let quorum = &mut self.issuers[..2];
            let commitments = quorum
                .iter_mut()
                .map(|issuer| (issuer.key().index(), issuer.commit(&mut self.rng)));
            let round = Round {
                request,
                attributes,
                commitments: commitments.collect(),
            };
            let session = Session::new(quorum[0].key().set().clone(), round.clone()).unwrap();
            let shares: BTreeMap<_, _> = quorum
                .iter_mut()
                .map(|issuer| (issuer.key().index(), issuer.sign(&round).unwrap()))
                .collect();
            let sealed = session.finish(&shares).unwrap().seal(&mut self.rng);
            member.take(pending, &sealed, &application.terms, &self.key)?;
        }
        Ok(())
    }

    fn issue(&mut self, member: &mut Member, epoch: u16, at: u64, count: u8) {
        let (pending, application) = member.apply(epoch, period_at(at), count, &mut self.rng);
        self.serve(member, &pending, &application).unwrap();
    }

    fn authorise(&mut self, member: &mut Member, record: &RecordDigest) -> Authorisation {
        let spent = member.spend(EPOCH, NOW).unwrap();
        spent.authorise(&CONTRACT, record, &mut self.rng)
    }

    fn check(
        &self,
        authorisation: &Authorisation,
        record: &RecordDigest,
    ) -> Result<(), AuthorisationError> {
        authorisation.check(&self.key, &expected(record))
    }
}

fn generate(rng: &mut StdRng) -> Vec<Issuer<Suite>> {
    let quorum = Quorum::default();
    let begun: Vec<_> = quorum
        .indices()
        .map(|index| {
            let id = [0; 32];
            let ceremony = Ceremony { id, quorum, index };
            (index, ceremony.begin::<Suite>(rng).unwrap())
        })
        .collect();
    let openings: BTreeMap<_, _> = begun.iter().map(|(i, (_, o))| (*i, o.clone())).collect();
    let dealt: Vec<_> = begun
        .into_iter()
        .map(|(index, (dealing, _))| {
            let mut others = openings.clone();
            others.remove(&index);
            (index, dealing.deal(others).unwrap())
        })
        .collect();
    let deals: BTreeMap<_, Deals<Suite>> =
        dealt.iter().map(|(i, (_, d))| (*i, d.clone())).collect();
    dealt
        .into_iter()
        .map(|(to, (collecting, _))| {
            let inbox = deals.iter().filter(|(from, _)| **from != to);
            let inbox = inbox.map(|(from, deals)| (*from, deals[&to].clone()));
            Issuer::new(collecting.finish(&inbox.collect()).unwrap())
        })
        .collect()
}

fn expected(record: &RecordDigest) -> Expected<'_> {
    Expected {
        chain: &CHAIN,
        contract: &CONTRACT,
        group: GROUP.number,
        epoch: EPOCH,
        at_ms: NOW,
        record,
    }
}

fn secret(seed: u64) -> GroupSecret {
    GroupSecret::generate(Sectors::new(2).unwrap(), &mut StdRng::seed_from_u64(seed))
}

fn record(version: u64) -> FileRecord {
    FileRecord::new(FileId([9; 32]), version, &Index::new(), secret(1).key())
}

fn digest() -> RecordDigest {
    record(1).to_authorise()
}

/// LEA's request on the ledger.
const REQUESTED: TraceRecord = TraceRecord {
    reason: [1; 32],
    requested_ms: NOW,
    answer: None,
};

#[test]
fn some_member_uploads_and_nobody_sees_which() {
    let mut world = World::new();
    let (mut ada, mut bob) = (world.join("ada"), world.join("bob"));
    world.issue(&mut ada, EPOCH, NOW, 2);
    world.issue(&mut bob, EPOCH, NOW, 1);
    let shown = [
        world.authorise(&mut ada, &digest()),
        world.authorise(&mut ada, &digest()),
        world.authorise(&mut bob, &digest()),
    ];
    for authorisation in &shown {
        assert_eq!(world.check(authorisation, &digest()), Ok(()));
        let bytes = authorisation.to_bytes();
        assert_eq!(bytes.len(), 116);
        assert_eq!(Authorisation::from_bytes(&bytes), Ok(*authorisation));
    }
    // Kind, week, group and epoch are the same for all; nothing else is for any two.
    let fields: Vec<[Vec<u8>; 4]> = shown
        .iter()
        .map(|shown| {
            let bytes = shown.to_bytes();
            let common = [&bytes[32..33], &bytes[42..52]].concat();
            let (w, lv) = (bytes[..32].to_vec(), bytes[33..42].to_vec());
            [common, w, lv, bytes[52..].to_vec()]
        })
        .collect();
    for (i, j) in [(0, 1), (0, 2), (1, 2)] {
        assert_eq!(fields[i][0], fields[j][0]);
        assert!((1..4).all(|field| fields[i][field] != fields[j][field]));
    }
}

#[test]
fn manager_and_lea_find_the_member_under_a_warrant() {
    let mut world = World::new();
    let mut members = ["ada", "bob", "eve"].map(|name| world.join(name));
    for member in &mut members {
        world.issue(member, EPOCH, NOW, 3);
    }
    members[1].spend(EPOCH, NOW).unwrap();
    let authorisation = world.authorise(&mut members[1], &digest());
    let (linkage, period) = (authorisation.linkage(), authorisation.period());
    let warrant = Warrant::new(GROUP.number, linkage, Some(&REQUESTED)).unwrap();
    let shown = world.manager.shown(&warrant, period).unwrap();
    let found = world.reviewer.find(&warrant, period, &shown).unwrap();
    let identified = world
        .manager
        .identify(&warrant, period, &found, &mut world.rng)
        .unwrap();
    assert_eq!(identified.name.to_string(), "bob");
    assert_eq!((found.member, found.place), (1, 1));

    // LEA cannot make the manager open another name.
    let framed = Found { member: 0, ..found };
    let refused = world
        .manager
        .identify(&warrant, period, &framed, &mut world.rng);
    assert_eq!(refused, Err(GroupError::NotFound));
}

/// `V-GROUP-7`, and what each authority sees alone.
#[test]
fn nobody_is_found_without_a_warrant_or_by_one_authority_alone() {
    let mut world = World::new();
    let mut ada = world.join("ada");
    world.issue(&mut ada, EPOCH, NOW, 1);
    let authorisation = world.authorise(&mut ada, &digest());
    let (linkage, period) = (authorisation.linkage(), authorisation.period());
    assert_eq!(
        Warrant::new(GROUP.number, linkage, None),
        Err(GroupError::NoWarrant)
    );
    let other = Warrant::new(6, linkage, Some(&REQUESTED)).unwrap();
    let refused = world.manager.shown(&other, period).err();
    assert_eq!(refused, Some(GroupError::NoWarrant));

    // Neither authority's parts contain the value: each alone would look for it in vain.
    let warrant = Warrant::new(GROUP.number, linkage, Some(&REQUESTED)).unwrap();
    let mut shown = world.manager.shown(&warrant, period).unwrap();
    assert!(shown[0].parts.iter().all(|part| part.0 != linkage.0));
    for part in &mut shown[0].parts {
        part.0 = [0; 9];
    }
    let alone = world.reviewer.find(&warrant, period, &shown).err();
    assert_eq!(alone, Some(GroupError::NotFound));
    // The week before: other parts.
    let before = Period(period.0 - 1);
    let shown = world.manager.shown(&warrant, before).unwrap();
    let missed = world.reviewer.find(&warrant, before, &shown).err();
    assert_eq!(missed, Some(GroupError::NotFound));
}

#[test]
fn names_are_checked_and_never_given_twice() {
    for bad in ["", "Ada", "a b", "../x", "ä", &"a".repeat(33)] {
        assert_eq!(Name::new(bad), Err(GroupError::Name), "{bad:?}");
    }
    let name = Name::new("ada-2").unwrap();
    assert_eq!(Name::from_bytes(&name.to_bytes()), Ok(name));
    let mut inner_zero = name.to_bytes();
    inner_zero[1] = 0;
    assert_eq!(Name::from_bytes(&inner_zero), Err(GroupError::Name));
    assert_eq!(Name::from_bytes(&[0; 32]), Err(GroupError::Name));

    let mut world = World::new();
    world.join("ada-2");
    assert_eq!(world.manager.strike(&name), Err(GroupError::LastMember));
    world.join("bob");
    world.manager.strike(&name).unwrap();
    assert_eq!(world.manager.strike(&name), Err(GroupError::Left));
    let (_, admission) = Member::apply_for_admission(&GROUP, name, &mut world.rng);
    assert_eq!(
        world.manager.admit(&admission),
        Err(GroupError::Taken(name))
    );
    let nobody = Name::new("nobody").unwrap();
    assert_eq!(world.manager.strike(&nobody), Err(GroupError::NotAMember));
}

/// `V-GROUP-2`.
#[test]
fn an_admission_for_another_key_name_or_group_is_refused() {
    let mut world = World::new();
    let name = Name::new("ada").unwrap();
    let (_, admission) = Member::apply_for_admission(&GROUP, name, &mut world.rng);
    let (_, other) = Member::apply_for_admission(&GROUP, name, &mut world.rng);
    let elsewhere = GroupId { number: 6, ..GROUP };
    let (_, elsewhere) = Member::apply_for_admission(&elsewhere, name, &mut world.rng);
    let changed = [
        Admission {
            name: Name::new("bob").unwrap(),
            ..admission.clone()
        },
        Admission {
            key: other.key,
            ..admission.clone()
        },
        Admission {
            sealing: other.sealing,
            ..admission.clone()
        },
        Admission {
            sealing: [0; 32],
            ..admission.clone()
        },
        elsewhere,
    ];
    for changed in changed {
        let refused = world.manager.admit(&changed);
        assert_eq!(refused, Err(GroupError::Signature));
    }
    assert_eq!(world.manager.admit(&admission), Ok(0));
}

/// `V-GROUP-3`: outsiders, members in another's name, and members who left.
#[test]
fn credentials_are_for_members_who_have_not_left() {
    let mut world = World::new();
    let (ada, bob) = (world.join("ada"), world.join("bob"));
    let period = period_at(NOW);
    let (_, by_bob) = bob.apply(EPOCH, period, 1, &mut world.rng);
    let mut as_ada = by_bob.clone();
    as_ada.member = ada.number();
    let mut as_nobody = by_bob.clone();
    as_nobody.member = 7;
    let mut other_terms = by_bob.clone();
    other_terms.terms.epoch = 2;
    let mut other_keys = by_bob.clone();
    other_keys.requests = bob.apply(EPOCH, period, 1, &mut world.rng).1.requests;
    for (application, refusal) in [
        (as_ada, GroupError::Signature),
        (as_nobody, GroupError::NotAMember),
        (other_terms, GroupError::Signature),
        (other_keys, GroupError::Signature),
    ] {
        assert_eq!(world.manager.approve(&application).err(), Some(refusal));
    }
    assert!(world.manager.approve(&by_bob).is_ok());
    world.manager.strike(&Name::new("bob").unwrap()).unwrap();
    let refused = world.manager.approve(&by_bob).err();
    assert_eq!(refused, Some(GroupError::Left));
}

/// `V-GROUP-4`.
#[test]
fn a_week_has_its_number_of_credentials() {
    let mut world = World::new();
    let ada = world.join("ada");
    let (period, next) = (period_at(NOW), period_at(NOW + WEEK_MS));
    for _ in 0..PER_PERIOD / 100 {
        let (_, application) = ada.apply(EPOCH, period, 100, &mut world.rng);
        assert_eq!(world.manager.approve(&application).unwrap().len(), 100);
    }
    let (_, application) = ada.apply(EPOCH, period, 1, &mut world.rng);
    assert_eq!(
        world.manager.approve(&application).err(),
        Some(GroupError::Quota)
    );
    let (_, application) = ada.apply(EPOCH, next, 1, &mut world.rng);
    assert!(world.manager.approve(&application).is_ok());
}

/// `V-GROUP-5` and `V-GROUP-6`: issuers sign what both approved, and nothing else.
#[test]
fn issuers_want_both_approvals_of_one_request() {
    let mut world = World::new();
    let ada = world.join("ada");
    let (_, application) = ada.apply(EPOCH, period_at(NOW), 2, &mut world.rng);
    let approved = world.manager.approve(&application).unwrap();
    let [(first, by_manager), (second, _)] = &approved[..] else {
        unreachable!("two requests")
    };
    let by_lea = world.reviewer.countersign(first).unwrap();
    let for_second = world.reviewer.countersign(second).unwrap();
    let (m, l) = (world.manager_key.public_key(), world.lea_key.public_key());
    assert!(attributes(&CHAIN, [&m, &l], [by_manager, &by_lea]).is_ok());
    let other_chain = ChainId([7; 32]);
    for (chain, keys, approvals) in [
        (CHAIN, [&m, &l], [by_manager, &for_second]),
        (CHAIN, [&m, &l], [by_manager, by_manager]),
        (CHAIN, [&m, &l], [&by_lea, &by_lea]),
        (CHAIN, [&l, &m], [by_manager, &by_lea]),
        (other_chain, [&m, &l], [by_manager, &by_lea]),
    ] {
        let refused = attributes(&chain, keys, approvals).err();
        assert_eq!(refused, Some(GroupError::Approval));
    }
    let mut beyond = *first;
    beyond.place = PER_PERIOD;
    let refused = world.reviewer.countersign(&beyond).err();
    assert_eq!(refused, Some(GroupError::Place));
}

/// A0, and the outsider of paper 001 who replaces keys: enrolled elsewhere, or not at all.
#[test]
fn a0_outsider_replaces_keys() {
    let mut world = World::new();
    let mut ada = world.join("ada");
    world.issue(&mut ada, EPOCH, NOW, 1);
    let good = world.authorise(&mut ada, &digest());

    // Issuers of its own: a certificate under another key.
    let mut elsewhere = World::new();
    elsewhere.issuers = generate(&mut StdRng::seed_from_u64(99));
    elsewhere.key = elsewhere.issuers[0].key().set().issuer_key();
    let mut eve = elsewhere.join("eve");
    elsewhere.issue(&mut eve, EPOCH, NOW, 1);
    let foreign = elsewhere.authorise(&mut eve, &digest());
    assert_eq!(elsewhere.check(&foreign, &digest()), Ok(()));
    assert_eq!(
        world.check(&foreign, &digest()),
        Err(AuthorisationError::Proof)
    );

    // Ada's certificate with a proof by a key of its own, and W replaced under Ada's attributes.
    let (good, foreign) = (good.to_bytes(), foreign.to_bytes());
    let mixtures = [
        [&good[..52], &foreign[52..]].concat(),
        [&foreign[..32], &good[32..]].concat(),
        [&foreign[..32], &good[32..52], &foreign[52..]].concat(),
    ];
    for bytes in mixtures {
        let mixed = Authorisation::from_bytes(&bytes).unwrap();
        assert_eq!(
            world.check(&mixed, &digest()),
            Err(AuthorisationError::Proof)
        );
    }
}

/// The insider of paper 001, who knows the issuer key: all issuers together. They can invent a
/// member, whom a trace does not find; they cannot speak for one that exists.
#[test]
fn a0_insider_with_the_issuer_key_speaks_for_no_member() {
    let mut world = World::new();
    let ada = world.join("ada");
    let (_, application) = ada.apply(EPOCH, period_at(NOW), 1, &mut world.rng);
    // Issuers run Ada's request, and keep everything that they ever see of it: (W, attrs, t).
    let (forwarded, by_manager) = world.manager.approve(&application).unwrap().remove(0);
    let by_lea = world.reviewer.countersign(&forwarded).unwrap();
    let keys = [world.manager_key.public_key(), world.lea_key.public_key()];
    let (request, terms) =
        attributes(&CHAIN, [&keys[0], &keys[1]], [&by_manager, &by_lea]).unwrap();
    let quorum = &mut world.issuers[..2];
    let round = Round {
        request,
        attributes: terms,
        commitments: quorum
            .iter_mut()
            .map(|issuer| (issuer.key().index(), issuer.commit(&mut world.rng)))
            .collect(),
    };
    let session = Session::new(quorum[0].key().set().clone(), round.clone()).unwrap();
    let shares: BTreeMap<_, _> = quorum
        .iter_mut()
        .map(|issuer| (issuer.key().index(), issuer.sign(&round).unwrap()))
        .collect();
    let issued = session.finish(&shares).unwrap();
    // t is the sum of the shares; u, the device's half of d = u + t, is missing. Without it, t
    // alone is no key of the certificate.
    let t = shares.values().fold([0; 32], |sum, share| {
        let share: [u8; 32] = share.to_bytes().try_into().unwrap();
        add(&sum, &share)
    });
    let stored = [issued.certificate().to_bytes().as_slice(), &t[..]].concat();
    assert!(Credential::<Suite>::from_bytes(&stored, &world.key).is_err());

    // A ghost that they enrol by themselves passes: a group trusts 2 of 3 issuers. But LEA and
    // manager know no such member, and so it is the issuers who are exposed.
    let mut ghosts = World::new();
    ghosts.reviewer = Reviewer::new(CHAIN, ghosts.lea_key.clone(), Zeroizing::new([40; 32]));
    let mut ghost = ghosts.join("ghost");
    ghosts.issue(&mut ghost, EPOCH, NOW, 1);
    let shown = ghosts.authorise(&mut ghost, &digest());
    assert_eq!(world.check(&shown, &digest()), Ok(()), "the same issuers");
    let warrant = Warrant::new(GROUP.number, shown.linkage(), Some(&REQUESTED)).unwrap();
    let parts = world.manager.shown(&warrant, shown.period()).unwrap();
    let found = world.reviewer.find(&warrant, shown.period(), &parts).err();
    assert_eq!(found, Some(GroupError::NotFound));
}

/// Sum of two little-endian scalars modulo the group order.
fn add(a: &[u8; 32], b: &[u8; 32]) -> [u8; 32] {
    use curve25519_dalek::Scalar;
    (Scalar::from_bytes_mod_order(*a) + Scalar::from_bytes_mod_order(*b)).to_bytes()
}

/// `V-AUTH-2` to `V-AUTH-4`: each attribute counts.
#[test]
fn authorisations_of_another_group_epoch_week_or_kind_are_refused() {
    let mut world = World::new();
    let mut ada = world.join("ada");
    world.issue(&mut ada, EPOCH, NOW, 1);
    let good = world.authorise(&mut ada, &digest());
    let digest = digest();
    let base = expected(&digest);
    let got = EPOCH;
    for (expected, refusal) in [
        (Expected { group: 6, ..base }, AuthorisationError::Group),
        (
            Expected { epoch: 2, ..base },
            AuthorisationError::Epoch { expected: 2, got },
        ),
        (
            Expected {
                at_ms: NOW + 6 * WEEK_MS,
                ..base
            },
            AuthorisationError::Slot,
        ),
        (
            Expected {
                at_ms: NOW - WEEK_MS,
                ..base
            },
            AuthorisationError::Slot,
        ),
    ] {
        assert_eq!(good.check(&world.key, &expected), Err(refusal));
    }
    // A vehicle's credential is none; and attributes cannot be changed to look like a member's.
    let mut vehicle = good.to_bytes();
    assert_eq!(vehicle[32], Kind::Uploader as u8);
    vehicle[32] = Kind::Vehicle as u8;
    let vehicle = Authorisation::from_bytes(&vehicle).unwrap();
    assert_eq!(
        vehicle.check(&world.key, &base),
        Err(AuthorisationError::Group)
    );
}

/// `V-AUTH-1` and `V-AUTH-5`.
#[test]
fn any_changed_byte_of_authorisation_or_record_is_refused() {
    let mut world = World::new();
    let mut ada = world.join("ada");
    world.issue(&mut ada, EPOCH, NOW, 1);
    let good = world.authorise(&mut ada, &digest());
    let bytes = good.to_bytes();
    for length in 0..bytes.len() {
        assert!(Authorisation::from_bytes(&bytes[..length]).is_err());
    }
    assert!(Authorisation::from_bytes(&[&bytes[..], &[0]].concat()).is_err());
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let refused = Authorisation::from_bytes(&changed)
            .and_then(|changed| world.check(&changed, &digest()));
        assert!(refused.is_err(), "byte {at}");
    }
    let later = record(2).to_authorise();
    assert_eq!(world.check(&good, &later), Err(AuthorisationError::Proof));
    let base = digest();
    let elsewhere = Expected {
        contract: &Address([8; 20]),
        ..expected(&base)
    };
    let other_chain = Expected {
        chain: &ChainId([8; 32]),
        ..expected(&base)
    };
    for expected in [elsewhere, other_chain] {
        let refused = good.check(&world.key, &expected);
        assert_eq!(refused, Err(AuthorisationError::Proof));
    }
}

#[test]
fn a_credential_serves_once_and_in_its_epoch() {
    let mut world = World::new();
    let mut ada = world.join("ada");
    world.issue(&mut ada, EPOCH, NOW, 1);
    assert_eq!(ada.unused(EPOCH, NOW), 1);
    assert_eq!(ada.unused(EPOCH + 1, NOW), 0, "the next epoch");
    assert_eq!(ada.unused(EPOCH, NOW + WEEK_MS), 0, "the next week");
    let kept = ada.to_bytes();
    let mut ada = Member::from_bytes(&GROUP, &kept, &world.key).unwrap();
    assert!(ada.spend(EPOCH, NOW).is_ok());
    assert_eq!(ada.spend(EPOCH, NOW).err(), Some(GroupError::NoCredential));
    for length in (0..kept.len()).filter(|length| *length != 68) {
        assert!(Member::from_bytes(&GROUP, &kept[..length], &world.key).is_err());
    }
}

#[test]
fn an_answer_for_other_terms_or_another_member_is_refused() {
    let mut world = World::new();
    let (mut ada, mut bob) = (world.join("ada"), world.join("bob"));
    let (pending, mut application) = ada.apply(EPOCH, period_at(NOW), 1, &mut world.rng);
    // Ada thinks that she asked for the next epoch.
    let signed = application.clone();
    application.terms.epoch = 2;
    let refused = world.serve(&mut ada, &pending, &application);
    assert_eq!(refused, Err(GroupError::Signature));
    let (bobs, _) = bob.apply(EPOCH, period_at(NOW), 1, &mut world.rng);
    let sealed = world.serve(&mut bob, &bobs, &signed);
    assert!(
        matches!(sealed, Err(GroupError::Credential(_))),
        "not Bob's"
    );
    let terms = Terms {
        epoch: 2,
        ..signed.terms
    };
    let issuer = &world.key;
    assert!(ada.take(&pending[0], &[0; 132], &terms, issuer).is_err());
}

/// Leaving: the next epoch's secret is not sealed to the one who left, and the last one's opens
/// nothing of it.
#[test]
fn a_member_who_left_gets_nothing_of_the_next_epoch() {
    let mut world = World::new();
    let (ada, bob) = (world.join("ada"), world.join("bob"));
    let (first, second) = (secret(1), secret(2));
    let seal = |world: &mut World, epoch: u16, secret: &GroupSecret| {
        let members: Vec<_> = world
            .manager
            .members()
            .map(|(number, entry)| (number, entry.sealing().unwrap()))
            .collect();
        members
            .iter()
            .map(|(number, key)| {
                let sealed = seal_secret(&GROUP, epoch, key, *number, secret, &mut world.rng);
                (*number, sealed)
            })
            .collect::<BTreeMap<_, _>>()
    };
    let sealed = seal(&mut world, 1, &first);
    let kid = first.key().kid();
    for member in [&ada, &bob] {
        let opened = member.open_secret(1, &sealed[&member.number()], &kid);
        assert_eq!(opened.unwrap().to_bytes(), first.to_bytes());
    }
    world.manager.strike(&Name::new("bob").unwrap()).unwrap();
    let next = seal(&mut world, 2, &second);
    assert_eq!(next.keys().copied().collect::<Vec<_>>(), [ada.number()]);
    let kid = second.key().kid();
    assert!(ada.open_secret(2, &next[&0], &kid).is_ok());
    let refused = |opened: Result<GroupSecret, GroupError>| {
        assert_eq!(opened.err(), Some(GroupError::OtherSecret));
    };
    refused(bob.open_secret(2, &next[&0], &kid));
    // The last epoch's, under the name of the next; and a key that the ledger does not name.
    refused(ada.open_secret(2, &sealed[&0], &kid));
    refused(ada.open_secret(2, &next[&0], &KeyId([0; 32])));
    assert_ne!(*content_key(&first), *content_key(&second));
}

/// An authorisation of an earlier build still convinces: statement, certificate and proof are frozen.
#[test]
fn authorisations_are_frozen() {
    let frozen = include_str!("fixtures/group.txt");
    let mut fields = frozen.lines().map(|line| {
        let (_, hex) = line.split_once(' ').unwrap();
        let digits = hex.as_bytes().chunks(2);
        let byte = |pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.map(byte).collect::<Vec<u8>>()
    });
    let (issuer, authorisation) = (fields.next().unwrap(), fields.next().unwrap());
    let issuer = IssuerKey::<Suite>::from_bytes(&issuer).unwrap();
    let authorisation = Authorisation::from_bytes(&authorisation).unwrap();
    let record = RecordDigest([7; 32]);
    assert_eq!(authorisation.check(&issuer, &expected(&record)), Ok(()));
    assert_eq!((authorisation.group(), authorisation.epoch()), (5, 1));
}
