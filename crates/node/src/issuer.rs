//! An issuer of credentials as a service of its own: its task, its mailbox, its directory.
//!
//! ```text
//! DIR/issuer-N/keys/signer.key  signs what the issuer says
//! DIR/issuer-N/keys/opener.key  opens linkage parts
//! DIR/issuer-N/keys/share.key   its share of the issuer key; the whole key is nowhere
//! DIR/issuer-N/log              a line for each credential, written before the share goes out
//! ```
//!
//! Issuers generate their key together over their mailboxes, which stand for confidential and
//! authenticated channels ([`cairn_crypto::issuer::dkg`]). To issue, the authorities hand tickets to
//! any issuer; it finds as many others as are needed, replaces those that are down, silent or send
//! bad shares, and answers. Nonces live in memory only.

use crate::{
    append::AppendFile,
    clock::TraceClock,
    embedded::signing_key,
    home::{Home, HomeError},
    ledger::{Ledger, LedgerError},
};
use cairn_chain::{ReadError, Runtime};
use cairn_contracts::credentials::{self, Operation};
use cairn_crypto::{
    credential::Policy,
    issuer::{
        self, Commitment, IssuerIndex, IssuerSet, KeyShare, Session, SignatureShare,
        dkg::{Ceremony, Collecting, Deal, Dealing, Deals, Opening},
    },
    suite::{Element, Ristretto255, Secret},
};
use cairn_ledger::{Address, ChainId, PrivateKey, PublicKey, light};
use cairn_protocol::issuing::{
    Issuance, IssueError, IssuerDesk, SignedTicket, Start as DeskStart,
    trace::{HandleAnswer, TraceError, Warrant},
};
use commonware_cryptography::Signer as _;
use rand::rngs::StdRng;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, warn};

type Suite = Ristretto255;
type Commitments = BTreeMap<IssuerIndex, Commitment<Suite>>;

/// The issuers' epoch of an embedded network: it has one.
pub const EPOCH: u16 = 1;

/// The most tickets in one message: an issuer keeps nonces for several such.
pub const MAX_TICKETS: usize = 64;

/// Messages that wait for an issuer.
const MAILBOX: usize = 64;

/// Real time after which an issuer that does not answer another is taken for lost.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a transaction of an issuer may wait for a block, in milliseconds of block time.
const LEDGER_PATIENCE_MS: u64 = 60_000;

/// Why an issuer did not do what it was asked for.
#[derive(Debug, Error)]
pub enum IssuerError {
    /// Its directory.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The ledger refused or failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The ledger cannot be read.
    #[error("ledger: {0}")]
    Read(#[from] ReadError),
    /// What the ledger shows does not verify.
    #[error("ledger: {0}")]
    Light(#[from] light::LightError),
    /// The arithmetic of issuing or of key generation.
    #[error(transparent)]
    Crypto(#[from] issuer::Error),
    /// The ticket is refused.
    #[error(transparent)]
    Ticket(#[from] IssueError),
    /// The trace is refused.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// There is no key yet.
    #[error("issuer {0} has no share of a key")]
    NoKey(IssuerIndex),
    /// Too many are down, silent or bad.
    #[error("expected {needed} issuers that answer, found {found}")]
    TooFew {
        /// As many as are needed.
        needed: u8,
        /// As many as there are.
        found: usize,
    },
    /// It stopped before it answered.
    #[error("the issuer stopped")]
    Stopped,
}

/// Where an issuer takes messages.
pub type Mailbox = mpsc::Sender<Message>;

/// What an issuer answers to a ticket: the sealed credential.
pub type Answer = Result<Vec<u8>, IssuerError>;

/// What an issuer says of itself.
#[derive(Clone)]
pub struct Announcement {
    /// What is public about the key; `None` before it was generated.
    pub set: Option<IssuerSet<Suite>>,
    /// Verifies what it says.
    pub signer: PublicKey,
    /// To which linkage parts are sealed.
    pub sealing: Element<Suite>,
}

/// A message to an issuer.
pub enum Message {
    /// Who are you?
    Announce(oneshot::Sender<Announcement>),
    /// Generate a key with these others.
    Generate {
        /// Which run.
        ceremony: Ceremony,
        /// The others.
        peers: BTreeMap<IssuerIndex, Mailbox>,
        /// Told when the share is stored.
        done: oneshot::Sender<Result<(), IssuerError>>,
    },
    /// Of another issuer, in a ceremony.
    Opening(IssuerIndex, Opening<Suite>),
    /// Of another issuer, in a ceremony; secret.
    Deal(IssuerIndex, Deal<Suite>),
    /// Confirm the key on the ledger.
    Confirm(oneshot::Sender<Result<(), IssuerError>>),
    /// Commit to nonces for as many rounds.
    Commit(usize, oneshot::Sender<Vec<Commitment<Suite>>>),
    /// Give shares for these tickets, in their order.
    Sign(
        Vec<(Arc<SignedTicket>, Commitments)>,
        oneshot::Sender<Result<Vec<SignatureShare<Suite>>, IssuerError>>,
    ),
    /// Issue these, with the help of the others.
    Issue {
        /// At most [`MAX_TICKETS`].
        tickets: Vec<Arc<SignedTicket>>,
        /// The others.
        peers: Vec<(IssuerIndex, Mailbox)>,
        /// An answer for each, in their order.
        reply: oneshot::Sender<Result<Vec<Answer>, IssuerError>>,
    },
    /// Tell the handle for this request on the ledger.
    Handle(u32, oneshot::Sender<Result<HandleAnswer, IssuerError>>),
}

/// What an issuer starts with.
pub struct Setup<E: Runtime> {
    /// Its number.
    pub index: IssuerIndex,
    /// Where its directory lies.
    pub home: Arc<Home>,
    /// Access to the chain.
    pub ledger: Ledger<E>,
    /// The instance of contract `credentials`.
    pub contract: Address,
    /// The network's clock.
    pub clock: TraceClock,
    /// TA's key.
    pub ta: PublicKey,
    /// LEA's key.
    pub lea: PublicKey,
    /// Slots of its credentials.
    pub policy: Policy,
    /// Its own randomness.
    pub rng: StdRng,
}

/// Starts an issuer on what its directory holds. Closing the mailbox ends it.
pub fn start<E: Runtime>(context: &E, setup: Setup<E>) -> Result<Mailbox, HomeError> {
    let (mailbox, messages) = mpsc::channel(MAILBOX);
    let mut setup = setup;
    let name = format!("issuer-{}", setup.index);
    let part = setup.home.part(&name)?;
    let signer = signing_key(&part, "signer", &mut setup.rng)?;
    let opener = opener(&part, &mut setup.rng)?;
    let (log, lines) = AppendFile::open(&part.file("log"), "an issuer's log", parse_log)?;
    let share = match part.secret("share")? {
        Some(bytes) => Some(
            KeyShare::from_bytes(&bytes)
                .map_err(|_| part.corrupt_secret("share", "a share of an issuer key"))?,
        ),
        None => None,
    };
    context.child("issuer").spawn(move |context| async move {
        let nonce = setup.clock.now_ms().saturating_mul(1_000);
        let chain = setup.ledger.chain().id();
        let mut task = Task {
            context,
            chain,
            client: light::Client::new(&chain, setup.ledger.chain().genesis().network_key()),
            setup,
            part,
            signer,
            opener,
            log,
            desk: None,
            generation: None,
            openings: BTreeMap::new(),
            deals: BTreeMap::new(),
            nonce,
        };
        if let Some(share) = share {
            task.open_desk(share, lines);
        }
        task.run(messages).await;
    });
    Ok(mailbox)
}

fn opener(part: &Home, rng: &mut StdRng) -> Result<Secret<Suite>, HomeError> {
    const NAME: &str = "opener";
    let corrupt = || part.corrupt_secret(NAME, "a scalar of 32 bytes");
    if let Some(bytes) = part.secret(NAME)? {
        let bytes = bytes.as_slice().try_into().map_err(|_| corrupt())?;
        return Secret::from_bytes(bytes).map_err(|_| corrupt());
    }
    let secret = Secret::random(rng);
    part.set_secret(NAME, secret.to_bytes().as_slice())?;
    Ok(secret)
}

fn parse_log(bytes: &[u8]) -> Option<(Vec<Issuance>, usize)> {
    let (lines, rest) = bytes.as_chunks();
    let parsed: Option<Vec<_>> = lines.iter().map(Issuance::from_bytes).collect();
    Some((parsed?, bytes.len() - rest.len()))
}

/// A ceremony under way.
struct Generation {
    index: IssuerIndex,
    peers: BTreeMap<IssuerIndex, Mailbox>,
    dealing: Option<Dealing<Suite>>,
    collecting: Option<Collecting<Suite>>,
    done: oneshot::Sender<Result<(), IssuerError>>,
}

struct Task<E: Runtime> {
    context: E,
    chain: ChainId,
    client: light::Client,
    setup: Setup<E>,
    part: Home,
    signer: PrivateKey,
    opener: Secret<Suite>,
    log: AppendFile,
    desk: Option<IssuerDesk>,
    generation: Option<Generation>,
    openings: BTreeMap<IssuerIndex, Opening<Suite>>,
    deals: Deals<Suite>,
    nonce: u64,
}

impl<E: Runtime> Task<E> {
    async fn run(mut self, mut messages: mpsc::Receiver<Message>) {
        while let Some(message) = messages.recv().await {
            // Whoever asked may have given up: then nobody takes the answer.
            match message {
                Message::Announce(reply) => {
                    let _ = reply.send(self.announcement());
                }
                Message::Generate {
                    ceremony,
                    peers,
                    done,
                } => self.begin(ceremony, peers, done).await,
                Message::Opening(from, opening) => {
                    self.openings.insert(from, opening);
                    self.go_on().await;
                }
                Message::Deal(from, deal) => {
                    self.deals.insert(from, deal);
                    self.go_on().await;
                }
                Message::Confirm(reply) => {
                    let _ = reply.send(self.confirm().await);
                }
                Message::Commit(count, reply) => {
                    let _ = reply.send(self.commit(count));
                }
                Message::Sign(rounds, reply) => {
                    let _ = reply.send(self.sign(rounds));
                }
                Message::Issue {
                    tickets,
                    peers,
                    reply,
                } => {
                    let _ = reply.send(self.issue(tickets, peers).await);
                }
                Message::Handle(number, reply) => {
                    let _ = reply.send(self.handle(number).await);
                }
            }
        }
    }

    fn announcement(&self) -> Announcement {
        Announcement {
            set: self.desk.as_ref().map(|desk| desk.set().clone()),
            signer: self.signer.public_key(),
            sealing: self.opener.public(),
        }
    }

    fn open_desk(&mut self, share: KeyShare<Suite>, log: Vec<Issuance>) {
        let opener = Secret::from_bytes(&self.opener.to_bytes());
        let start = DeskStart {
            chain: self.chain,
            ta: self.setup.ta.clone(),
            lea: self.setup.lea.clone(),
            epoch: EPOCH,
            policy: self.setup.policy,
            signer: self.signer.clone(),
            opener: opener.expect("a secret's own bytes"),
            share,
        };
        self.desk = Some(IssuerDesk::new(start, log));
    }

    fn desk(&mut self) -> Result<&mut IssuerDesk, IssuerError> {
        let none = IssuerError::NoKey(self.setup.index);
        self.desk.as_mut().ok_or(none)
    }

    // Key generation.

    async fn begin(
        &mut self,
        ceremony: Ceremony,
        peers: BTreeMap<IssuerIndex, Mailbox>,
        done: oneshot::Sender<Result<(), IssuerError>>,
    ) {
        let (dealing, opening) = match ceremony.begin(&mut self.setup.rng) {
            Ok(begun) => begun,
            Err(error) => {
                let _ = done.send(Err(error.into()));
                return;
            }
        };
        for peer in peers.values() {
            let _ = peer
                .send(Message::Opening(ceremony.index, opening.clone()))
                .await;
        }
        self.generation = Some(Generation {
            index: ceremony.index,
            peers,
            dealing: Some(dealing),
            collecting: None,
            done,
        });
        self.go_on().await;
    }

    /// Takes the next step of a ceremony when all messages for it are there.
    async fn go_on(&mut self) {
        let Some(mut generation) = self.generation.take() else {
            return;
        };
        match self.next_step(&mut generation).await {
            Ok(true) => {
                let _ = generation.done.send(Ok(()));
            }
            Ok(false) => self.generation = Some(generation),
            Err(error) => {
                let _ = generation.done.send(Err(error));
            }
        }
    }

    /// Whether the ceremony is finished.
    async fn next_step(&mut self, generation: &mut Generation) -> Result<bool, IssuerError> {
        let others = generation.peers.len();
        if self.openings.len() == others
            && let Some(dealing) = generation.dealing.take()
        {
            let (collecting, deals) = dealing.deal(std::mem::take(&mut self.openings))?;
            generation.collecting = Some(collecting);
            for (to, deal) in deals {
                if let Some(peer) = generation.peers.get(&to) {
                    let _ = peer.send(Message::Deal(generation.index, deal)).await;
                }
            }
        }
        if self.deals.len() == others
            && let Some(collecting) = generation.collecting.take()
        {
            let share = collecting.finish(&std::mem::take(&mut self.deals))?;
            self.part.set_secret("share", &share.to_bytes())?;
            self.open_desk(share, Vec::new());
            return Ok(true);
        }
        Ok(false)
    }

    async fn confirm(&mut self) -> Result<(), IssuerError> {
        let key = self.desk()?.set().issuer_key().element().to_bytes();
        let operation = Operation::Confirm {
            epoch: EPOCH,
            issuer: self.setup.index.get(),
            key,
        };
        self.execute(&operation).await
    }

    async fn execute(&mut self, operation: &Operation) -> Result<(), IssuerError> {
        self.nonce += 1;
        let expires_ms = self.setup.clock.now_ms() + LEDGER_PATIENCE_MS;
        let call = credentials::call(self.nonce, expires_ms, self.setup.contract, operation);
        let signed = call.sign(&self.chain, &[&self.signer]);
        Ok(self.setup.ledger.execute(signed).await?)
    }

    // Issuing.

    fn commit(&mut self, count: usize) -> Vec<Commitment<Suite>> {
        let Some(desk) = &mut self.desk else {
            return Vec::new();
        };
        let count = count.min(MAX_TICKETS);
        (0..count)
            .map(|_| desk.commit(&mut self.setup.rng))
            .collect()
    }

    fn sign(
        &mut self,
        rounds: Vec<(Arc<SignedTicket>, Commitments)>,
    ) -> Result<Vec<SignatureShare<Suite>>, IssuerError> {
        let desk = self.desk()?;
        let (mut shares, mut lines) = (Vec::with_capacity(rounds.len()), Vec::new());
        let mut failed = None;
        for (ticket, commitments) in rounds {
            match desk.sign(&ticket, commitments) {
                Ok((share, line)) => {
                    shares.push(share);
                    lines.extend(line.iter().flat_map(Issuance::to_bytes));
                }
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        self.log.append(&lines)?;
        match failed {
            Some(error) => Err(error.into()),
            None => Ok(shares),
        }
    }

    /// Coordinates: with as many others as are needed, and again without those that fail.
    async fn issue(
        &mut self,
        tickets: Vec<Arc<SignedTicket>>,
        mut peers: Vec<(IssuerIndex, Mailbox)>,
    ) -> Result<Vec<Answer>, IssuerError> {
        let needed = self.desk()?.set().quorum().needed();
        let own = self.setup.index;
        // A ticket that this issuer refuses is not taken to the others.
        let mut answers: Vec<Option<Answer>> = Vec::with_capacity(tickets.len());
        for ticket in &tickets {
            let judged = self.desk()?.round(ticket, BTreeMap::new());
            answers.push(judged.err().map(|error| Err(error.into())));
        }
        let open: Vec<usize> = (0..tickets.len())
            .filter(|at| answers[*at].is_none())
            .collect();
        while !open.is_empty() {
            let mut committed = vec![(own, self.commit(open.len()))];
            let mut at = 0;
            while committed.len() < usize::from(needed) {
                let Some((index, mailbox)) = peers.get(at).cloned() else {
                    let found = committed.len();
                    return Err(IssuerError::TooFew { needed, found });
                };
                let (reply, commitments) = oneshot::channel();
                let asked = self
                    .ask(&mailbox, Message::Commit(open.len(), reply), commitments)
                    .await;
                match asked {
                    Some(commitments) if commitments.len() == open.len() => {
                        committed.push((index, commitments));
                        at += 1;
                    }
                    _ => {
                        warn!(issuer = %index, "does not answer; going on without it");
                        peers.remove(at);
                    }
                }
            }
            match self.run_round(&tickets, &open, &committed, &peers).await? {
                Ok(sealed) => {
                    for (at, sealed) in open.iter().zip(sealed) {
                        answers[*at] = Some(Ok(sealed));
                    }
                    break;
                }
                Err(culprits) => {
                    warn!(?culprits, "failed in a round; going on without them");
                    peers.retain(|(index, _)| !culprits.contains(index));
                }
            }
        }
        Ok(answers.into_iter().flatten().collect())
    }

    /// One round for all open tickets: the sealed answers, or who failed.
    async fn run_round(
        &mut self,
        tickets: &[Arc<SignedTicket>],
        open: &[usize],
        committed: &[(IssuerIndex, Vec<Commitment<Suite>>)],
        peers: &[(IssuerIndex, Mailbox)],
    ) -> Result<Result<Vec<Vec<u8>>, Vec<IssuerIndex>>, IssuerError> {
        let own = self.setup.index;
        let rounds: Vec<(Arc<SignedTicket>, Commitments)> = open
            .iter()
            .enumerate()
            .map(|(at, ticket)| {
                let of_ticket = committed.iter().map(|(index, all)| (*index, all[at]));
                (tickets[*ticket].clone(), of_ticket.collect())
            })
            .collect();
        let mut shares = BTreeMap::from([(own, self.sign(rounds.clone())?)]);
        for (index, mailbox) in peers {
            if !committed.iter().any(|(chosen, _)| chosen == index) {
                continue;
            }
            let (reply, answer) = oneshot::channel();
            let asked = self
                .ask(mailbox, Message::Sign(rounds.clone(), reply), answer)
                .await;
            match asked {
                Some(Ok(theirs)) if theirs.len() == open.len() => {
                    shares.insert(*index, theirs);
                }
                Some(Err(error)) => {
                    debug!(issuer = %index, %error, "refuses");
                    return Ok(Err(vec![*index]));
                }
                _ => return Ok(Err(vec![*index])),
            }
        }
        let mut sealed = Vec::with_capacity(open.len());
        for (at, (ticket, commitments)) in rounds.into_iter().enumerate() {
            let desk = self.desk()?;
            let session = Session::new(desk.set().clone(), desk.round(&ticket, commitments)?)?;
            let of_ticket = shares.iter().map(|(index, all)| (*index, all[at]));
            match session.finish(&of_ticket.collect()) {
                Ok(issued) => sealed.push(issued.seal(&mut self.setup.rng)),
                Err(issuer::Error::Shares(culprits)) => return Ok(Err(culprits)),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Ok(sealed))
    }

    /// Asks another issuer and waits, but not for ever.
    async fn ask<T>(
        &self,
        mailbox: &Mailbox,
        message: Message,
        answer: oneshot::Receiver<T>,
    ) -> Option<T> {
        mailbox.send(message).await.ok()?;
        tokio::select! {
            biased;
            answer = answer => answer.ok(),
            () = self.context.sleep(PATIENCE) => None,
        }
    }

    // Traces.

    /// Looks by itself that the request is final, leaves a record, and tells the handle.
    async fn handle(&mut self, number: u32) -> Result<HandleAnswer, IssuerError> {
        let key = credentials::request_key(&self.setup.contract, number);
        let proof = self.setup.ledger.prove(&[key]).await?;
        let verified = self.client.verify(&proof, &mut self.setup.rng)?;
        let warrant = Warrant::read(&verified, &self.setup.contract, number)?;
        let answer = self.desk()?.handle_of(&warrant)?;
        let operation = Operation::Handled {
            number,
            epoch: EPOCH,
            issuer: self.setup.index.get(),
        };
        self.execute(&operation).await?;
        Ok(answer)
    }
}
