//! LEA: countersigns, and finds with the manager.

use cairn_crypto::linkage::{Authority, LinkagePart, Period, SEED_BYTES};
use cairn_ledger::{ChainId, PrivateKey};
use zeroize::Zeroizing;

use super::{Approval, Forwarded, GroupError, GroupId, PER_PERIOD, Shown, Warrant, manager::parts};

/// What LEA found: a number, and the part with which the manager can check it.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// The member's number.
    pub member: u32,
    /// Place among the member's credentials of the week.
    pub place: u8,
    /// LEA's linkage part.
    pub part: LinkagePart,
}

/// LEA. It keeps no register: members are numbers to it.
pub struct Reviewer {
    chain: ChainId,
    signer: PrivateKey,
    master: Zeroizing<[u8; SEED_BYTES]>,
}

impl Reviewer {
    /// LEA of a ledger with its signing key and the key of its linkage parts.
    #[must_use]
    pub fn new(chain: ChainId, signer: PrivateKey, master: Zeroizing<[u8; SEED_BYTES]>) -> Self {
        Self {
            chain,
            signer,
            master,
        }
    }

    /// Countersigns a request that the manager forwarded.
    ///
    /// # Errors
    ///
    /// `V-GROUP-5`.
    pub fn countersign(&self, forwarded: &Forwarded) -> Result<Approval, GroupError> {
        let Forwarded {
            member,
            place,
            terms,
            request,
        } = forwarded;
        request.check()?;
        if *place >= PER_PERIOD {
            return Err(GroupError::Place);
        }
        let part = self.parts(terms.group, *member, terms.period)[usize::from(*place)];
        Ok(Approval::new(
            &self.chain,
            *terms,
            *request,
            part,
            &self.signer,
        ))
    }

    /// Finds the number of the member whose credential is traced.
    ///
    /// # Errors
    ///
    /// [`GroupError::NotFound`].
    pub fn find(
        &self,
        warrant: &Warrant,
        period: Period,
        shown: &[Shown],
    ) -> Result<Found, GroupError> {
        for Shown { member, parts } in shown {
            let ours = self.parts(warrant.group, *member, period);
            for (place, (part, theirs)) in (0..).zip(ours.into_iter().zip(parts)) {
                if part.join(*theirs) == warrant.linkage {
                    let member = *member;
                    return Ok(Found {
                        member,
                        place,
                        part,
                    });
                }
            }
        }
        Err(GroupError::NotFound)
    }

    fn parts(&self, number: u16, member: u32, period: Period) -> Vec<LinkagePart> {
        let group = GroupId {
            chain: self.chain,
            number,
        };
        parts(&self.master, Authority::Reviewer, &group, member, period)
    }
}
