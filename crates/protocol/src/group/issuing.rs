//! Step 2 between manager, LEA and issuers.

use cairn_crypto::{
    credential::{Attributes, Kind, Request},
    linkage::LinkagePart,
};
use cairn_ledger::{ChainId, PrivateKey, PublicKey};
use commonware_cryptography::{Signer as _, Verifier as _, ed25519};

use super::{GroupError, Suite, Terms};

/// What the manager tells LEA of a request: a number instead of a name.
#[derive(Clone, Copy, Debug)]
pub struct Forwarded {
    /// The member's number.
    pub member: u32,
    /// Place among the member's credentials of the week.
    pub place: u8,
    /// Group, epoch and week.
    pub terms: Terms,
    /// The member's request.
    pub request: Request<Suite>,
}

/// What the manager, or LEA, tells the issuers: it has checked the request, and its part of the
/// linkage value. For the issuers' eyes only.
#[derive(Clone, Debug)]
pub struct Approval {
    terms: Terms,
    request: Request<Suite>,
    part: LinkagePart,
    signature: ed25519::Signature,
}

impl Approval {
    pub(super) fn new(
        chain: &ChainId,
        terms: Terms,
        request: Request<Suite>,
        part: LinkagePart,
        signer: &PrivateKey,
    ) -> Self {
        let message = message(&terms, &request, &part);
        Self {
            signature: signer.sign(&namespace(chain), &message),
            terms,
            request,
            part,
        }
    }

    fn is_by(&self, chain: &ChainId, key: &PublicKey) -> bool {
        let message = message(&self.terms, &self.request, &self.part);
        key.verify(&namespace(chain), &message, &self.signature)
    }
}

/// `V-GROUP-6`, at every issuer: what to sign for which request. Whether the linkage value is new
/// is for the issuer to see.
///
/// # Errors
///
/// [`GroupError::Approval`].
pub fn attributes(
    chain: &ChainId,
    [manager, lea]: [&PublicKey; 2],
    [by_manager, by_lea]: [&Approval; 2],
) -> Result<(Request<Suite>, Attributes), GroupError> {
    let is_same = by_manager.terms == by_lea.terms && by_manager.request == by_lea.request;
    if !is_same || !by_manager.is_by(chain, manager) || !by_lea.is_by(chain, lea) {
        return Err(GroupError::Approval);
    }
    let terms = by_manager.terms;
    let attributes = Attributes {
        kind: Kind::Uploader,
        linkage: by_manager.part.join(by_lea.part),
        slot: terms.slot().ok_or(GroupError::Place)?,
        group: terms.group,
        epoch: terms.epoch,
    };
    Ok((by_manager.request, attributes))
}

fn message(terms: &Terms, request: &Request<Suite>, part: &LinkagePart) -> Vec<u8> {
    [
        &terms.group.to_be_bytes()[..],
        &terms.epoch.to_be_bytes(),
        &terms.period.0.to_be_bytes(),
        &request.to_bytes(),
        &part.0,
    ]
    .concat()
}

fn namespace(chain: &ChainId) -> Vec<u8> {
    [b"cairn/1/group/approval/".as_slice(), chain].concat()
}
