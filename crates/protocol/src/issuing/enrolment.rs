//! TA's and LEA's part of an enrolment.

use cairn_crypto::{
    credential::Slot,
    linkage::{Authority, Period, SEED_BYTES},
};
use cairn_ledger::{ChainId, PrivateKey, PublicKey, Uid};
use commonware_cryptography::ed25519::Signature;
use rand_core::CryptoRng;
use thiserror::Error;

use super::{
    Book, BookError, Circle, Entry, Order, SignedTicket, Ticket,
    ticket::seal_part,
    trace::{HandleAnswer, TraceError, Warrant},
};
use crate::authority::{Application, ApplicationError, misbehaviour::Justified};

/// Why an order is not followed. The vehicle is at fault, or, of `V-ENROL-5` and `V-ENROL-6`, the other
/// authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EnrolError {
    /// `V-ENROL-1`.
    #[error("expected an order for the current epoch, got {0}")]
    Epoch(u16),
    /// `V-ENROL-1`.
    #[error("expected 1 to 100 requests, got {0}")]
    Count(usize),
    /// `V-ENROL-1`.
    #[error("order is not signed by the vehicle's key")]
    Signature,
    /// `V-ENROL-2`.
    #[error("possession of a key is not proved")]
    Possession,
    /// `V-ENROL-3`.
    #[error("expected a slot that is not over and begins within a period, got one from {0} s")]
    Slot(u32),
    /// `V-ENROL-3`, `V-ENROL-4`.
    #[error(transparent)]
    Book(#[from] BookError),
    /// `V-ENROL-5`.
    #[error("application: {0}")]
    Application(#[from] ApplicationError),
    /// `V-ENROL-5`.
    #[error("ticket {0} is not what was ordered")]
    Ticket(usize),
    /// `V-ENROL-6`.
    #[error("expected tickets signed by LEA")]
    Countersignature,
}

/// A ticket with LEA's signature.
pub type Countersigned = (Ticket, Signature);

/// TA, as it enrols vehicles.
pub struct Enroller {
    chain: ChainId,
    signer: PrivateKey,
    lea: PublicKey,
    book: Book,
}

/// LEA, as it countersigns.
pub struct Countersigner {
    chain: ChainId,
    signer: PrivateKey,
    book: Book,
}

impl Enroller {
    /// TA with its book.
    #[must_use]
    pub const fn new(chain: ChainId, signer: PrivateKey, lea: PublicKey, book: Book) -> Self {
        Self {
            chain,
            signer,
            lea,
            book,
        }
    }

    /// Writes the tickets of an order by the vehicle whose key in the register is `key`. The entries
    /// are to be stored before the tickets go out.
    ///
    /// # Errors
    ///
    /// `V-ENROL-1` to `V-ENROL-4`.
    pub fn tickets(
        &mut self,
        order: &Order,
        key: &[u8; 32],
        circle: &Circle,
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<(Vec<Ticket>, Vec<Entry>), EnrolError> {
        order.check(&self.chain, key, circle.epoch)?;
        let mut entries = Vec::new();
        let mut tickets = Vec::with_capacity(order.wanted.len());
        for (request, slot) in &order.wanted {
            check_time(circle, *slot, now_ms)?;
            let handle = request.handle();
            let (part, new) = self.book.grant(&order.uid, &handle, *slot, rng)?;
            entries.extend(new);
            let issuers = circle.members.iter().map(|member| &member.sealing);
            tickets.push(Ticket {
                request: *request,
                slot: *slot,
                group: 0,
                epoch: circle.epoch,
                by_registrar: seal_part(Authority::Registrar, request, part, issuers, rng),
                by_reviewer: Vec::new(),
            });
        }
        Ok((tickets, entries))
    }

    /// Signs what LEA has signed.
    ///
    /// # Errors
    ///
    /// `V-ENROL-6`.
    pub fn sign(&self, ticket: Ticket, lea: Signature) -> Result<SignedTicket, EnrolError> {
        if !ticket.is_signed(&self.chain, &self.lea, &lea) {
            return Err(EnrolError::Countersignature);
        }
        let ta = ticket.sign(&self.chain, &self.signer);
        Ok(SignedTicket { ticket, ta, lea })
    }

    /// Whose credential it is.
    ///
    /// # Errors
    ///
    /// `V-TRACE-2`, `V-TRACE-3`.
    pub fn identify(
        &self,
        warrant: &Warrant,
        answer: &HandleAnswer,
        circle: &Circle,
    ) -> Result<Uid, TraceError> {
        answer.check(&self.chain, warrant, circle)?;
        Ok(self.book.holder(&answer.handle)?)
    }

    /// The seed of a registered vehicle whose false position messages TA has re-verified, from a
    /// period on, to be published. Of an anonymous one, see [`Enroller::publish_justified`].
    ///
    /// # Errors
    ///
    /// `V-TRACE-3`.
    pub fn publish_registered(
        &self,
        justified: &Justified,
        period: Period,
    ) -> Result<[u8; SEED_BYTES], BookError> {
        let uid = justified.registered().ok_or(BookError::Unknown)?;
        self.book.seed(&uid, period)
    }

    /// As [`Enroller::publish`], for an anonymous vehicle whose false position messages TA has
    /// re-verified.
    ///
    /// # Errors
    ///
    /// `V-MIS-5`, `V-TRACE-2`, `V-TRACE-3`.
    pub fn publish_justified(
        &self,
        justified: &Justified,
        warrant: &Warrant,
        answer: &HandleAnswer,
        circle: &Circle,
        period: Period,
    ) -> Result<[u8; SEED_BYTES], TraceError> {
        justified.check_warrant(warrant)?;
        self.publish(warrant, answer, circle, period)
    }

    /// The seed of a traced vehicle from a period on, to be published.
    ///
    /// # Errors
    ///
    /// `V-TRACE-2`, `V-TRACE-3`.
    pub fn publish(
        &self,
        warrant: &Warrant,
        answer: &HandleAnswer,
        circle: &Circle,
        period: Period,
    ) -> Result<[u8; SEED_BYTES], TraceError> {
        let uid = self.identify(warrant, answer, circle)?;
        Ok(self.book.seed(&uid, period)?)
    }
}

impl Countersigner {
    /// LEA with its book.
    #[must_use]
    pub const fn new(chain: ChainId, signer: PrivateKey, book: Book) -> Self {
        Self {
            chain,
            signer,
            book,
        }
    }

    /// Looks at everything again, adds LEA's parts and signs. The entries are to be stored before the
    /// signatures go out.
    ///
    /// # Errors
    ///
    /// `V-ENROL-1` to `V-ENROL-5`.
    pub fn countersign(
        &mut self,
        order: &Order,
        application: &Application,
        tickets: Vec<Ticket>,
        circle: &Circle,
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<(Vec<Countersigned>, Vec<Entry>), EnrolError> {
        application.check(&self.chain)?;
        order.check(&self.chain, &application.key, circle.epoch)?;
        if tickets.len() != order.wanted.len() {
            return Err(EnrolError::Ticket(tickets.len().min(order.wanted.len())));
        }
        let mut entries = Vec::new();
        let mut signed = Vec::with_capacity(tickets.len());
        for (index, (mut ticket, (request, slot))) in
            tickets.into_iter().zip(&order.wanted).enumerate()
        {
            let is_ordered = ticket.request == *request
                && ticket.slot == *slot
                && ticket.epoch == circle.epoch
                && ticket.group == 0
                && ticket.by_registrar.len() == circle.members.len()
                && ticket.by_reviewer.is_empty();
            if !is_ordered {
                return Err(EnrolError::Ticket(index));
            }
            check_time(circle, *slot, now_ms)?;
            let handle = request.handle();
            let (part, new) = self.book.grant(&order.uid, &handle, *slot, rng)?;
            entries.extend(new);
            let issuers = circle.members.iter().map(|member| &member.sealing);
            ticket.by_reviewer = seal_part(Authority::Reviewer, request, part, issuers, rng);
            let signature = ticket.sign(&self.chain, &self.signer);
            signed.push((ticket, signature));
        }
        Ok((signed, entries))
    }

    /// As [`Enroller::publish_registered`], by LEA's own look.
    ///
    /// # Errors
    ///
    /// `V-TRACE-3`.
    pub fn publish_registered(
        &self,
        justified: &Justified,
        period: Period,
    ) -> Result<[u8; SEED_BYTES], BookError> {
        let uid = justified.registered().ok_or(BookError::Unknown)?;
        self.book.seed(&uid, period)
    }

    /// As [`Enroller::publish_justified`], by LEA's own look.
    ///
    /// # Errors
    ///
    /// `V-MIS-5`, `V-TRACE-2`, `V-TRACE-3`.
    pub fn publish_justified(
        &self,
        justified: &Justified,
        warrant: &Warrant,
        answer: &HandleAnswer,
        circle: &Circle,
        period: Period,
    ) -> Result<[u8; SEED_BYTES], TraceError> {
        justified.check_warrant(warrant)?;
        self.publish(warrant, answer, circle, period)
    }

    /// LEA's seed of a traced vehicle from a period on, to be published.
    ///
    /// # Errors
    ///
    /// `V-TRACE-2`, `V-TRACE-3`.
    pub fn publish(
        &self,
        warrant: &Warrant,
        answer: &HandleAnswer,
        circle: &Circle,
        period: Period,
    ) -> Result<[u8; SEED_BYTES], TraceError> {
        answer.check(&self.chain, warrant, circle)?;
        let uid = self.book.holder(&answer.handle)?;
        Ok(self.book.seed(&uid, period)?)
    }
}

/// `V-ENROL-3`, as far as the time is concerned.
fn check_time(circle: &Circle, slot: Slot, now_ms: u64) -> Result<(), EnrolError> {
    let refused = EnrolError::Slot(slot.start_s());
    let now_s = u32::try_from(now_ms / 1_000).map_err(|_| refused)?;
    let last = Period(circle.policy.period(now_s).0.saturating_add(1));
    let (period, _) = circle
        .policy
        .locate(slot)
        .map_err(|error| EnrolError::Book(error.into()))?;
    if slot.end_s() <= now_s || period > last {
        return Err(refused);
    }
    Ok(())
}
