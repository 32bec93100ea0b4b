//! What TA and LEA tell the issuers: a request without a name.

use cairn_crypto::{
    credential::{self, Request, Slot, open_sealed, seal_to},
    linkage::{Authority, LINKAGE_BYTES, LinkagePart},
    suite::{Element, Secret, Suite as _, TAG_BYTES},
    transcript::Domain,
};
use cairn_ledger::{ChainId, PrivateKey, PublicKey};
use commonware_cryptography::{Signer as _, Verifier as _, ed25519::Signature};
use rand_core::CryptoRng;

use super::Suite;

const PART: Domain = Domain::new("cairn/1/enrolment/part");

/// Bytes of a sealed linkage part: `E` 32, part 9, tag 16.
pub(super) const SEALED_PART_BYTES: usize = Suite::ELEMENT_BYTES + LINKAGE_BYTES + TAG_BYTES;

type SealedPart = [u8; SEALED_PART_BYTES];

/// A request for one credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The vehicle's request.
    pub request: Request<Suite>,
    /// The slot.
    pub slot: Slot,
    /// Fleet; 0 for none.
    pub group: u16,
    /// Whose credential.
    pub epoch: u16,
    /// TA's linkage part, sealed to each issuer.
    pub by_registrar: Vec<SealedPart>,
    /// LEA's linkage part, sealed to each issuer; empty until LEA has seen the ticket.
    pub by_reviewer: Vec<SealedPart>,
}

/// A ticket that both have signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedTicket {
    /// The ticket.
    pub ticket: Ticket,
    /// TA's signature.
    pub ta: Signature,
    /// LEA's signature.
    pub lea: Signature,
}

impl Ticket {
    pub(super) fn sign(&self, chain: &ChainId, signer: &PrivateKey) -> Signature {
        signer.sign(&namespace(chain), &self.bytes())
    }

    pub(super) fn is_signed(&self, chain: &ChainId, by: &PublicKey, signature: &Signature) -> bool {
        by.verify(&namespace(chain), &self.bytes(), signature)
    }

    /// Everything, in one encoding: the numbers of parts come first.
    fn bytes(&self) -> Vec<u8> {
        let counts = [self.by_registrar.len(), self.by_reviewer.len()];
        let mut bytes: Vec<u8> = counts
            .iter()
            .flat_map(|count| (*count as u64).to_be_bytes())
            .collect();
        bytes.extend_from_slice(&self.request.to_bytes());
        bytes.extend_from_slice(&self.slot.start_s().to_be_bytes());
        bytes.extend_from_slice(&self.slot.end_s().to_be_bytes());
        bytes.extend_from_slice(&self.group.to_be_bytes());
        bytes.extend_from_slice(&self.epoch.to_be_bytes());
        let parts = self.by_registrar.iter().chain(&self.by_reviewer);
        parts.for_each(|part| bytes.extend_from_slice(part));
        bytes
    }
}

impl SignedTicket {
    /// Whether TA and LEA have signed it.
    pub(super) fn is_signed(&self, chain: &ChainId, ta: &PublicKey, lea: &PublicKey) -> bool {
        self.ticket.is_signed(chain, ta, &self.ta) && self.ticket.is_signed(chain, lea, &self.lea)
    }
}

fn namespace(chain: &ChainId) -> Vec<u8> {
    [b"cairn/1/enrolment/ticket/".as_slice(), chain].concat()
}

/// Seals a part to every issuer. The context keeps it from being moved to another request, issuer
/// or authority.
pub(super) fn seal_part<'a>(
    authority: Authority,
    request: &Request<Suite>,
    part: LinkagePart,
    issuers: impl Iterator<Item = &'a Element<Suite>>,
    rng: &mut impl CryptoRng,
) -> Vec<SealedPart> {
    let context = context(authority, request);
    issuers
        .map(|to| {
            let sealed = seal_to(PART, to, &context, &part.0, rng);
            sealed.try_into().expect("key, part and tag")
        })
        .collect()
}

/// Opens the part that was sealed to one issuer.
pub(super) fn open_part(
    authority: Authority,
    request: &Request<Suite>,
    sealed: &SealedPart,
    secret: &Secret<Suite>,
) -> Result<LinkagePart, credential::Error> {
    let context = context(authority, request);
    let opened = open_sealed(PART, secret, &context, sealed)?;
    let part = opened.as_slice().try_into();
    Ok(LinkagePart(part.map_err(|_| credential::Error::Sealed)?))
}

fn context(authority: Authority, request: &Request<Suite>) -> Vec<u8> {
    let authority: &[u8] = match authority {
        Authority::Registrar => b"registrar",
        Authority::Reviewer => b"reviewer",
    };
    [authority, &request.to_bytes()].concat()
}
