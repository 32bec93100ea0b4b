//! Listens to consensus for certificates and for who votes.

use crate::book::Book;
use cairn_ledger::light::Scheme;
use commonware_actor::Feedback;
use commonware_consensus::{
    Reporter, Viewable as _,
    simplex::types::{Activity, Attributable as _},
};
use commonware_cryptography::sha256::Digest;

/// See the [module documentation](self).
#[derive(Clone)]
pub(crate) struct Observer(pub(crate) Book);

impl Reporter for Observer {
    type Activity = Activity<Scheme, Digest>;

    fn report(&mut self, activity: Self::Activity) -> Feedback {
        let view = activity.view().get();
        let voter = match &activity {
            Activity::Notarize(vote) => Some(vote.signer()),
            Activity::Nullify(vote) => Some(vote.signer()),
            Activity::Finalize(vote) => Some(vote.signer()),
            _ => None,
        };
        if let Some(voter) = voter {
            self.0.voted(usize::from(voter), view);
        }
        match activity {
            Activity::Finalization(finalization) => self.0.certified(finalization),
            Activity::Nullification(_) => self.0.count(|counters| counters.nullified += 1),
            _ => {}
        }
        Feedback::Ok
    }
}
