//! The sessions of an RSU: one per vehicle, each until its validity ends.

use std::collections::{BTreeSet, HashMap};

use super::MAX_SESSIONS;
use crate::{login::Asc, session::RoadsideSession, token::Holder};

/// Sessions by name, by owner and by end.
#[derive(Default)]
pub(super) struct Sessions {
    by_asc: HashMap<Asc, (Holder, RoadsideSession)>,
    by_holder: HashMap<Holder, Asc>,
    ends: BTreeSet<(u64, Asc)>,
}

impl Sessions {
    pub(super) fn len(&self) -> usize {
        self.by_asc.len()
    }

    /// Whether `holder` can have a session: there is room, or it takes the place of its old one.
    pub(super) fn has_room_for(&self, holder: &Holder) -> bool {
        self.by_asc.len() < MAX_SESSIONS || self.by_holder.contains_key(holder)
    }

    /// Begins a session and ends the vehicle's old one: otherwise one vehicle that logs in again
    /// and again would fill the memory.
    pub(super) fn insert(&mut self, holder: Holder, session: RoadsideSession) {
        self.remove_of(&holder);
        let asc = session.asc();
        self.ends.insert((session.until_ms(), asc));
        self.by_holder.insert(holder, asc);
        self.by_asc.insert(asc, (holder, session));
    }

    pub(super) fn get(&self, asc: Asc, now_ms: u64) -> Option<(Holder, &RoadsideSession)> {
        let (holder, session) = self.by_asc.get(&asc)?;
        (now_ms < session.until_ms()).then_some((*holder, session))
    }

    pub(super) fn get_mut(&mut self, asc: Asc) -> Option<(Holder, &mut RoadsideSession)> {
        self.by_asc
            .get_mut(&asc)
            .map(|(holder, session)| (*holder, session))
    }

    /// Ends the vehicle's session. Returns whether there was one.
    pub(super) fn remove_of(&mut self, holder: &Holder) -> bool {
        let Some(asc) = self.by_holder.remove(holder) else {
            return false;
        };
        if let Some((_, session)) = self.by_asc.remove(&asc) {
            self.ends.remove(&(session.until_ms(), asc));
        }
        true
    }

    /// Ends this session. Returns whether there was one.
    pub(super) fn remove(&mut self, asc: Asc) -> bool {
        let holder = self.by_asc.get(&asc).map(|(holder, _)| *holder);
        holder.is_some_and(|holder| self.remove_of(&holder))
    }

    /// Ends and erases sessions whose validity is over.
    pub(super) fn expire(&mut self, now_ms: u64) {
        while let Some(&(until_ms, asc)) = self.ends.first() {
            if now_ms < until_ms {
                break;
            }
            self.ends.pop_first();
            if let Some((holder, _)) = self.by_asc.remove(&asc) {
                self.by_holder.remove(&holder);
            }
        }
    }

    pub(super) fn next_wakeup(&self) -> Option<u64> {
        self.ends.first().map(|(until_ms, _)| *until_ms)
    }
}

#[cfg(test)]
mod tests {
    use cairn_crypto::noise::{Established, Initiator, Responder, Secret};
    use cairn_ledger::Uid;
    use rand::{SeedableRng as _, rngs::StdRng};

    use super::*;

    fn handshake(rng: &mut StdRng) -> Established {
        let ours = Secret::random(rng);
        let (hello, _) = Initiator::new(ours.public(), b"", rng).hello(b"").unwrap();
        let (_, responder) = Responder::hello(&ours, b"", &hello).unwrap();
        responder.accept(b"", rng).unwrap().1
    }

    fn uid(number: usize) -> Holder {
        Holder::Registered(Uid((number as u64).to_be_bytes()))
    }

    #[test]
    fn a_full_rsu_takes_a_known_vehicle_again_and_no_other() {
        let mut rng = StdRng::seed_from_u64(1);
        let mut sessions = Sessions::default();
        for number in 0..MAX_SESSIONS {
            assert!(sessions.has_room_for(&uid(number)));
            let until_ms = 1_000 + number as u64;
            sessions.insert(
                uid(number),
                RoadsideSession::new(&handshake(&mut rng), until_ms),
            );
        }
        assert!(!sessions.has_room_for(&uid(MAX_SESSIONS)));
        assert!(sessions.has_room_for(&uid(0)));
        sessions.insert(
            uid(0),
            RoadsideSession::new(&handshake(&mut rng), 9_000_000),
        );
        assert_eq!(sessions.len(), MAX_SESSIONS);

        // The session that was replaced does not end the one in its place.
        sessions.expire(1_001);
        assert_eq!(sessions.len(), MAX_SESSIONS - 1);
        assert!(sessions.has_room_for(&uid(MAX_SESSIONS)));
        sessions.expire(8_999_999);
        assert_eq!(
            (sessions.len(), sessions.next_wakeup()),
            (1, Some(9_000_000))
        );
        assert!(sessions.remove_of(&uid(0)));
        assert_eq!((sessions.len(), sessions.next_wakeup()), (0, None));
    }
}
