//! Anonymous credentials in an embedded network: TA's and LEA's books, the issuers, enrolment of
//! vehicles, traces and revocations. The roles are [`cairn_protocol::issuing`]; here they get their
//! files, their mailboxes and the ledger.

use crate::{
    append::AppendFile,
    authority::AuthorityError,
    clock::TraceClock,
    home::Home,
    issuer::{self, Announcement, EPOCH, IssuerError, MAX_TICKETS, Mailbox, Message},
    ledger::Ledger,
    revocations::get,
    wallet::Kept,
};
use cairn_chain::Runtime;
use cairn_contracts::credentials::{
    self, Counters, EpochRecord, IssuerRecord, Operation, Parameters, RequestRecord, counters_key,
    epoch_key, issuer_key, request_key,
};
use cairn_crypto::{
    credential::{Policy, request_batch},
    issuer::{IssuerIndex, Quorum, dkg::Ceremony},
    linkage::{Authority, LinkageValue, Period, Revocation, SEED_BYTES},
    schnorr::SecretKey,
    suite::Ristretto255,
};
use cairn_ledger::{Address, ChainId, PrivateKey, Uid, light};
use cairn_protocol::{
    authority::{Application, misbehaviour::Justified},
    issuing::{
        Book, BookError, Circle, Countersigner, Enroller, Entry, Order, SignedTicket, open_answer,
        trace::{HandleAnswer, TraceError, Warrant, answer_digest, reason_digest},
    },
    position::Signer,
    vehicle::{Rotation, Wallet},
};
use commonware_cryptography::Signer as _;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::oneshot;
use tracing::warn;

/// How long a transaction may wait for a block, in milliseconds of block time.
const PATIENCE_MS: u64 = 60_000;

/// Issuers of an embedded network, and how many are needed.
pub const QUORUM: (u8, u8) = (2, 3);

/// The policy of slots as the contract is deployed with it.
pub fn parameters() -> Parameters {
    let policy = Policy::default();
    let first = policy
        .slot(policy.period(0), 0)
        .expect("a policy has a first slot");
    let minutes = (first.end_s() - first.start_s()) / 60;
    Parameters {
        step_minutes: u16::try_from(minutes / 2).expect("a slot's length has 16 bits"),
        per_period: policy.per_period(),
    }
}

/// A vehicle that wants credentials: its name in TA's register, its key there, and what it applied with.
pub struct Applicant {
    /// The vehicle's name in the trace.
    pub name: Arc<str>,
    /// Its name in TA's register.
    pub uid: Uid,
    /// Its key there.
    pub key: SecretKey,
    /// What it applied with.
    pub application: Application,
    /// Whether it was revoked: then it gets nothing new.
    pub is_revoked: bool,
}

/// A traced vehicle.
pub struct Traced {
    /// Number of the request on the ledger.
    pub number: u32,
    /// The vehicle's name in TA's register.
    pub uid: Uid,
    warrant: Warrant,
    answer: HandleAnswer,
}

/// What the authorities need for credentials.
pub struct Setup<E: Runtime> {
    /// Access to the chain.
    pub ledger: Ledger<E>,
    /// The network's clock.
    pub clock: TraceClock,
    /// The data directory.
    pub home: Arc<Home>,
    /// The instance of contract `credentials`.
    pub contract: Address,
    /// TA's key.
    pub ta: PrivateKey,
    /// LEA's key.
    pub lea: PrivateKey,
    /// Their randomness.
    pub rng: StdRng,
}

/// TA, LEA and the issuers they work with.
pub struct Credentials<E: Runtime> {
    context: E,
    setup: Setup<E>,
    chain: ChainId,
    client: light::Client,
    circle: Circle,
    enroller: Enroller,
    countersigner: Countersigner,
    ta_book: AppendFile,
    lea_book: AppendFile,
    answers: AppendFile,
    issuers: BTreeMap<IssuerIndex, Mailbox>,
    nonce: u64,
}

impl<E: Runtime> Credentials<E> {
    /// Starts the issuers, has them generate a key unless an earlier run has, and opens the books.
    pub async fn open(context: &E, mut setup: Setup<E>) -> Result<Self, AuthorityError> {
        let (needed, count) = QUORUM;
        let quorum = Quorum::new(needed, count).map_err(IssuerError::from)?;
        let mut issuers = BTreeMap::new();
        for index in quorum.indices() {
            issuers.insert(index, start_issuer(context, &mut setup, index)?);
        }
        let chain = setup.ledger.chain().id();
        let mut nonce = setup.clock.now_ms().saturating_mul(1_000);
        let epoch = get::<E, EpochRecord>(&setup.ledger, epoch_key(&setup.contract, EPOCH));
        if epoch.await?.is_none() {
            let install = generate_key(&mut setup, quorum, &issuers).await?;
            execute(&setup, &chain, &mut nonce, &install).await?;
        }
        let circle = read_circle(&setup, &issuers).await?;

        let policy = circle.policy;
        let (ta_home, lea_home) = (setup.home.part("ta")?, setup.home.part("lea")?);
        let open_book = |home: &Home| {
            let path = home.file("credentials");
            AppendFile::open(&path, "a book of credentials", Entry::read_all)
        };
        let (ta_book, by_ta) = open_book(&ta_home)?;
        let (lea_book, by_lea) = open_book(&lea_home)?;
        let answers = AppendFile::open(&ta_home.file("answers"), "answers to traces", |bytes| {
            Some(((), bytes.len() - bytes.len() % ANSWER_BYTES))
        });
        let (answers, ()) = answers?;
        let book = |authority, entries: &[Entry]| Book::new(authority, policy, entries);
        Ok(Self {
            context: context.child("credentials"),
            client: light::Client::new(&chain, setup.ledger.chain().genesis().network_key()),
            enroller: Enroller::new(
                chain,
                setup.ta.clone(),
                setup.lea.public_key(),
                book(Authority::Registrar, &by_ta),
            ),
            countersigner: Countersigner::new(
                chain,
                setup.lea.clone(),
                book(Authority::Reviewer, &by_lea),
            ),
            setup,
            chain,
            circle,
            ta_book,
            lea_book,
            answers,
            issuers,
            nonce,
        })
    }

    /// The issuers, as the ledger has them.
    pub const fn circle(&self) -> &Circle {
        &self.circle
    }

    /// Stops an issuer, as a crash does.
    pub fn stop_issuer(&mut self, index: IssuerIndex) {
        self.issuers.remove(&index);
    }

    /// Starts a stopped issuer again, on what it had stored.
    pub fn restart_issuer(&mut self, index: IssuerIndex) -> Result<(), AuthorityError> {
        let issuer = start_issuer(&self.context, &mut self.setup, index)?;
        self.issuers.insert(index, issuer);
        Ok(())
    }

    /// Wallets of these vehicles, in their order: what they kept, and credentials for the slots that
    /// are missing.
    pub async fn enrol(
        &mut self,
        applicants: &[Applicant],
        rotation: Rotation,
    ) -> Result<Vec<Wallet>, AuthorityError> {
        let mut wallets = Vec::with_capacity(applicants.len());
        let mut tickets = Vec::new();
        for (number, applicant) in applicants.iter().enumerate() {
            let kept = self.order(applicant)?;
            tickets.extend(kept.1.into_iter().map(|(at, ticket)| (number, at, ticket)));
            wallets.push(kept.0);
        }
        // Who asked for what does not show in the order of the tickets.
        tickets.shuffle(&mut self.setup.rng);
        for chunk in tickets.chunks(MAX_TICKETS) {
            let asked = chunk.iter().map(|(_, _, ticket)| ticket.clone()).collect();
            for ((number, at, _), answer) in chunk.iter().zip(self.issue(asked).await?) {
                let (pending, slot) = &wallets[*number].pending[*at];
                let credential = open_answer(pending, *slot, &answer?, &self.circle)?;
                wallets[*number].credentials.push(credential);
            }
        }
        let mut opened = Vec::with_capacity(wallets.len());
        for (applicant, mut kept) in applicants.iter().zip(wallets) {
            if !kept.pending.is_empty() {
                kept.pending.clear();
                let home = &self.setup.home;
                home.set_wallet(&applicant.name, &kept.to_bytes())?;
            }
            opened.push(Wallet::new(kept.credentials, rotation));
        }
        Ok(opened)
    }

    /// What a vehicle keeps, and a ticket for each of its open requests.
    #[allow(clippy::type_complexity, reason = "used once, just above")]
    fn order(
        &mut self,
        applicant: &Applicant,
    ) -> Result<(Kept, Vec<(usize, Arc<SignedTicket>)>), AuthorityError> {
        let now_ms = self.setup.clock.now_ms();
        let now_s = u32::try_from(now_ms / 1_000).unwrap_or(u32::MAX);
        let home = self.setup.home.clone();
        let rng = &mut self.setup.rng;
        let mut kept = match home.wallet(&applicant.name)? {
            Some(bytes) => Kept::from_bytes(&bytes, &self.circle.key, now_s)
                .ok_or_else(|| home.corrupt_wallet(&applicant.name))?,
            None => Kept::default(),
        };
        let missing = match applicant.is_revoked {
            true => Vec::new(),
            false => kept.missing(&self.circle.policy, now_s),
        };
        let count = u8::try_from(missing.len()).unwrap_or(u8::MAX);
        let batch = request_batch::<Ristretto255>(count, rng);
        let new = batch.into_iter().map(|(pending, _)| pending).zip(missing);
        kept.pending.extend(new);
        if kept.pending.is_empty() || applicant.is_revoked {
            kept.pending.clear();
            return Ok((kept, Vec::new()));
        }
        home.set_wallet(&applicant.name, &kept.to_bytes())?;

        let wanted = kept
            .pending
            .iter()
            .map(|(pending, slot)| (pending.request(rng), *slot))
            .collect();
        let order = Order::new(
            &self.chain,
            applicant.uid,
            &applicant.key,
            EPOCH,
            wanted,
            rng,
        );
        let key = &applicant.application.key;
        let (tickets, entries) = self
            .enroller
            .tickets(&order, key, &self.circle, now_ms, rng)?;
        append(&mut self.ta_book, &entries)?;
        let (signed, entries) = self.countersigner.countersign(
            &order,
            &applicant.application,
            tickets,
            &self.circle,
            now_ms,
            rng,
        )?;
        append(&mut self.lea_book, &entries)?;
        let mut tickets = Vec::with_capacity(signed.len());
        for (at, (ticket, lea)) in signed.into_iter().enumerate() {
            tickets.push((at, Arc::new(self.enroller.sign(ticket, lea)?)));
        }
        Ok((kept, tickets))
    }

    /// Has one of the issuers issue these; another one, if that stops meanwhile.
    async fn issue(
        &self,
        tickets: Vec<Arc<SignedTicket>>,
    ) -> Result<Vec<issuer::Answer>, AuthorityError> {
        for (index, mailbox) in &self.issuers {
            let others = self.issuers.iter().filter(|(other, _)| *other != index);
            let (reply, answers) = oneshot::channel();
            let message = Message::Issue {
                tickets: tickets.clone(),
                peers: others.map(|(index, peer)| (*index, peer.clone())).collect(),
                reply,
            };
            if mailbox.send(message).await.is_ok()
                && let Ok(answers) = answers.await
            {
                return Ok(answers?);
            }
            warn!(issuer = %index, "stopped; asking another one");
        }
        Err(IssuerError::Stopped.into())
    }

    /// Traces a linkage value: LEA's request goes on the ledger, an issuer tells the handle, TA the
    /// name in its register; both leave a record.
    pub async fn trace(
        &mut self,
        linkage: LinkageValue,
        reason: &[u8],
    ) -> Result<Traced, AuthorityError> {
        let number = self.counters().await?.requests;
        let request = Operation::Request {
            number,
            linkage: linkage.0,
            reason: reason_digest(reason),
        };
        self.execute(&request).await?;
        let answer = self.handle(number).await?;

        // TA looks by itself that the request is final.
        let key = request_key(&self.setup.contract, number);
        let proof = self.setup.ledger.prove(&[key]).await?;
        let verified = self.client.verify(&proof, &mut self.setup.rng);
        let verified = verified.map_err(IssuerError::from)?;
        let warrant = Warrant::read(&verified, &self.setup.contract, number)?;
        let uid = self.enroller.identify(&warrant, &answer, &self.circle)?;
        let mut salt = [0; 32];
        self.setup.rng.fill_bytes(&mut salt);
        let bytes = number.to_be_bytes();
        let stored = [bytes.as_slice(), &linkage.0, &uid.0, &salt];
        self.answers.append(&stored.concat())?;
        let answered = Operation::Answered {
            number,
            answer: answer_digest(&warrant, &uid, &salt),
        };
        self.execute(&answered).await?;
        Ok(Traced {
            number,
            uid,
            warrant,
            answer,
        })
    }

    /// The first issuer's answer to a request; why there is none, if all refuse.
    async fn handle(&self, number: u32) -> Result<HandleAnswer, AuthorityError> {
        let mut refused = IssuerError::Stopped;
        for mailbox in self.issuers.values() {
            let (reply, answer) = oneshot::channel();
            if mailbox.send(Message::Handle(number, reply)).await.is_err() {
                continue;
            }
            match answer.await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => refused = error,
                Err(_) => {}
            }
        }
        Err(refused.into())
    }

    /// TA and LEA publish their seeds of a traced vehicle, from the current period on.
    pub async fn revoke(&mut self, traced: &Traced) -> Result<(), AuthorityError> {
        let period = self.period();
        let Traced {
            warrant, answer, ..
        } = traced;
        let circle = &self.circle;
        let registrar = self.enroller.publish(warrant, answer, circle, period)?;
        let reviewer = self
            .countersigner
            .publish(warrant, answer, circle, period)?;
        self.publish(period, registrar, reviewer).await?;
        Ok(())
    }

    /// TA and LEA trace and revoke whom evidence under a credential justifies to revoke. The request
    /// on the ledger has the digest of LEA's reason.
    pub async fn revoke_justified(
        &mut self,
        by_ta: &Justified,
        by_lea: &Justified,
    ) -> Result<(Uid, Revocation), AuthorityError> {
        let Signer::Anonymous(linkage) = by_lea.subject() else {
            return Err(TraceError::OtherSubject.into());
        };
        let reason = by_lea.reason();
        let traced = self.trace(LinkageValue(linkage), reason.as_bytes()).await?;
        let period = self.period();
        let Traced {
            uid,
            warrant,
            answer,
            ..
        } = &traced;
        let circle = &self.circle;
        let registrar = self
            .enroller
            .publish_justified(by_ta, warrant, answer, circle, period)?;
        let reviewer = self
            .countersigner
            .publish_justified(by_lea, warrant, answer, circle, period)?;
        let revocation = self.publish(period, registrar, reviewer).await?;
        Ok((*uid, revocation))
    }

    /// TA and LEA publish their seeds of a registered vehicle that evidence justifies to revoke. One that
    /// never had credentials has no seeds.
    pub async fn revoke_registered(
        &mut self,
        by_ta: &Justified,
        by_lea: &Justified,
    ) -> Result<(), AuthorityError> {
        let period = self.period();
        let registrar = self.enroller.publish_registered(by_ta, period);
        let reviewer = self.countersigner.publish_registered(by_lea, period);
        let (registrar, reviewer) = match (registrar, reviewer) {
            (Err(BookError::Unknown), Err(BookError::Unknown)) => return Ok(()),
            (registrar, reviewer) => (
                registrar.map_err(TraceError::from)?,
                reviewer.map_err(TraceError::from)?,
            ),
        };
        self.publish(period, registrar, reviewer).await?;
        Ok(())
    }

    async fn publish(
        &mut self,
        period: Period,
        registrar: [u8; SEED_BYTES],
        reviewer: [u8; SEED_BYTES],
    ) -> Result<Revocation, AuthorityError> {
        let revoke = Operation::Revoke {
            number: self.counters().await?.revocations,
            period: period.0,
            registrar,
            reviewer,
        };
        self.execute(&revoke).await?;
        Ok(Revocation {
            period,
            registrar,
            reviewer,
        })
    }

    /// The current period.
    fn period(&self) -> Period {
        let now_s = u32::try_from(self.setup.clock.now_ms() / 1_000).unwrap_or(u32::MAX);
        self.circle.policy.period(now_s)
    }

    /// All requests for traces on the ledger, in the order of their numbers.
    pub async fn requests(&self) -> Result<Vec<RequestRecord>, AuthorityError> {
        let mut requests = Vec::new();
        for number in 0..self.counters().await?.requests {
            let key = request_key(&self.setup.contract, number);
            requests.extend(get::<E, RequestRecord>(&self.setup.ledger, key).await?);
        }
        Ok(requests)
    }

    async fn counters(&self) -> Result<Counters, AuthorityError> {
        let key = counters_key(&self.setup.contract);
        let found = get(&self.setup.ledger, key).await?;
        Ok(found.unwrap_or_default())
    }

    async fn execute(&mut self, operation: &Operation) -> Result<(), AuthorityError> {
        execute(&self.setup, &self.chain, &mut self.nonce, operation).await
    }
}

/// Bytes of an answer in TA's file: number 4, linkage value 9, UID 8, salt 32.
const ANSWER_BYTES: usize = 4 + 9 + 8 + 32;

fn append(file: &mut AppendFile, entries: &[Entry]) -> Result<(), AuthorityError> {
    let bytes: Vec<u8> = entries
        .iter()
        .flat_map(|entry| entry.as_bytes().iter().copied())
        .collect();
    Ok(file.append(&zeroize::Zeroizing::new(bytes))?)
}

/// LEA hands the call in, signed by both. TA's own nonces serve other calls.
async fn execute<E: Runtime>(
    setup: &Setup<E>,
    chain: &ChainId,
    nonce: &mut u64,
    operation: &Operation,
) -> Result<(), AuthorityError> {
    *nonce += 1;
    let expires_ms = setup.clock.now_ms() + PATIENCE_MS;
    let call = credentials::call(*nonce, expires_ms, setup.contract, operation);
    let signed = call.sign(chain, &[&setup.lea, &setup.ta]);
    Ok(setup.ledger.execute(signed).await?)
}

fn start_issuer<E: Runtime>(
    context: &E,
    setup: &mut Setup<E>,
    index: IssuerIndex,
) -> Result<Mailbox, AuthorityError> {
    let issuer = issuer::Setup {
        index,
        home: setup.home.clone(),
        ledger: setup.ledger.clone(),
        contract: setup.contract,
        clock: setup.clock.clone(),
        ta: setup.ta.public_key(),
        lea: setup.lea.public_key(),
        policy: Policy::default(),
        rng: StdRng::from_rng(&mut setup.rng),
    };
    Ok(issuer::start(context, issuer)?)
}

/// Has the issuers generate a key, each for itself; what TA and LEA put on the ledger then.
async fn generate_key<E: Runtime>(
    setup: &mut Setup<E>,
    quorum: Quorum,
    issuers: &BTreeMap<IssuerIndex, Mailbox>,
) -> Result<Operation, AuthorityError> {
    let mut id = [0; 32];
    setup.rng.fill_bytes(&mut id);
    let mut waiting = Vec::new();
    for (index, mailbox) in issuers {
        let mut peers = issuers.clone();
        peers.remove(index);
        let (done, is_done) = oneshot::channel();
        let ceremony = Ceremony {
            id,
            quorum,
            index: *index,
        };
        let message = Message::Generate {
            ceremony,
            peers,
            done,
        };
        mailbox
            .send(message)
            .await
            .map_err(|_| IssuerError::Stopped)?;
        waiting.push(is_done);
    }
    for is_done in waiting {
        is_done.await.map_err(|_| IssuerError::Stopped)??;
    }
    let mut sets = Vec::new();
    let mut members = Vec::new();
    for (number, mailbox) in (1..).zip(issuers.values()) {
        let Announcement {
            set,
            signer,
            sealing,
        } = announce(mailbox).await?;
        let set = set.ok_or(IssuerError::Stopped)?;
        members.push(IssuerRecord {
            signer,
            share: set.share(number).ok_or(IssuerError::Stopped)?.to_bytes(),
            sealing: sealing.to_bytes(),
        });
        sets.push(set);
    }
    // An issuer that saw another key does not confirm it, and nobody takes its credentials.
    Ok(Operation::Install {
        epoch: EPOCH,
        key: sets[0].issuer_key().element().to_bytes(),
        needed: quorum.needed(),
        issuers: members,
    })
}

async fn announce(mailbox: &Mailbox) -> Result<Announcement, IssuerError> {
    let (reply, announcement) = oneshot::channel();
    let sent = mailbox.send(Message::Announce(reply)).await;
    sent.map_err(|_| IssuerError::Stopped)?;
    announcement.await.map_err(|_| IssuerError::Stopped)
}

/// The issuers as the ledger has them; asks for confirmations that are missing.
async fn read_circle<E: Runtime>(
    setup: &Setup<E>,
    issuers: &BTreeMap<IssuerIndex, Mailbox>,
) -> Result<Circle, AuthorityError> {
    let key = epoch_key(&setup.contract, EPOCH);
    let read = || get::<E, EpochRecord>(&setup.ledger, key);
    let missing = IssuerError::Stopped;
    let mut record = read().await?.ok_or(missing)?;
    if !record.counts() {
        for mailbox in issuers.values() {
            let (reply, confirmed) = oneshot::channel();
            let sent = mailbox.send(Message::Confirm(reply)).await;
            sent.map_err(|_| IssuerError::Stopped)?;
            confirmed.await.map_err(|_| IssuerError::Stopped)??;
        }
        record = read().await?.unwrap_or(record);
    }
    let mut members = Vec::new();
    for number in 1..=record.issuers {
        let key = issuer_key(&setup.contract, EPOCH, number);
        members.extend(get::<E, IssuerRecord>(&setup.ledger, key).await?);
    }
    Ok(Circle::new(EPOCH, Policy::default(), &record, &members)?)
}
