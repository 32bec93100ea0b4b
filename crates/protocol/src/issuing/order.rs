//! What a vehicle orders.

use cairn_crypto::{
    credential::{MAX_BATCH, Request, Slot},
    schnorr::{PublicKey, SecretKey, Signature},
    transcript::{Digest, Domain, Transcript},
};
use cairn_ledger::{ChainId, Uid};
use rand_core::CryptoRng;

use super::{EnrolError, Suite};

const ORDER: Domain = Domain::new("cairn/1/enrolment/order");

/// An order of credentials.
#[derive(Clone)]
pub struct Order {
    /// The vehicle's name in TA's register.
    pub uid: Uid,
    /// Whose credentials.
    pub epoch: u16,
    /// Keys with proofs of possession, and the slot that is wanted for each.
    pub wanted: Vec<(Request<Suite>, Slot)>,
    /// By the key in TA's register.
    pub signature: Signature,
}

impl Order {
    /// Signs an order with the key that the vehicle is known by to TA.
    #[must_use]
    pub fn new(
        chain: &ChainId,
        uid: Uid,
        key: &SecretKey,
        epoch: u16,
        wanted: Vec<(Request<Suite>, Slot)>,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let signature = key.sign(&statement(chain, &uid, epoch, &wanted), rng);
        Self {
            uid,
            epoch,
            wanted,
            signature,
        }
    }

    /// `V-ENROL-1` and `V-ENROL-2`.
    pub(super) fn check(
        &self,
        chain: &ChainId,
        key: &[u8; 32],
        epoch: u16,
    ) -> Result<(), EnrolError> {
        if self.epoch != epoch {
            return Err(EnrolError::Epoch(self.epoch));
        }
        if !(1..=usize::from(MAX_BATCH)).contains(&self.wanted.len()) {
            return Err(EnrolError::Count(self.wanted.len()));
        }
        let key = PublicKey::from_bytes(key).map_err(|_| EnrolError::Signature)?;
        let statement = statement(chain, &self.uid, self.epoch, &self.wanted);
        key.verify(&statement, &self.signature)
            .map_err(|_| EnrolError::Signature)?;
        for (request, _) in &self.wanted {
            request.check().map_err(|_| EnrolError::Possession)?;
        }
        Ok(())
    }
}

fn statement(chain: &ChainId, uid: &Uid, epoch: u16, wanted: &[(Request<Suite>, Slot)]) -> Digest {
    let start = Transcript::new(ORDER)
        .bytes(chain)
        .bytes(uid)
        .number(u64::from(epoch));
    wanted
        .iter()
        .fold(start, |transcript, (request, slot)| {
            transcript
                .bytes(&request.to_bytes())
                .number(u64::from(slot.start_s()))
                .number(u64::from(slot.end_s()))
        })
        .finish()
}
