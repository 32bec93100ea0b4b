//! Logins of vehicles that hear no RSU, through neighbours (PROTOCOLS.md section 7; paper 000,
//! two-way authentication, end).
//!
//! 1. V hears no RSU. It draws a route id and asks its neighbours: `Seek {route, 0}`.
//! 2. A neighbour that hears an RSU draws a one-time key `K1` and answers `Offer {route, beacon, (K1)}`. One that
//!    hears none asks its own neighbours, with one relay more, if that makes no more than
//!    [`MAX_HOPS`]; an offer that comes back it passes on with its own key appended.
//! 3. V judges the beacon as if it had heard it, from farther away ([`Seeker::new`]). If it does not know
//!    the RSU, it asks for the proof, through the relays.
//! 4. V sends `Up {route, (K1, …), Hello}` to the neighbour whose offer it takes; each relay passes it on, and
//!    the RSU takes the `Hello` out. The handshake's prologue is the beacon *and* `(K1, …)`
//!    ([`prologue_over`](crate::login::prologue_over)): a `Hello` does not open under other keys.
//! 5. The RSU's answer goes back as `Down {route, answer}`. Rekeys go the same way.
//! 6. With a login that succeeds, the RSU puts credits for `K1, …` into its next batch ([`grants`]): equal
//!    shares of one pot. Contract [`cairn_contracts::credits`] grants a key once and limits what an RSU grants.
//! 7. Later, a relay claims the credits of many keys for one account ([`Claim`]), and the redeemer
//!    pays out for many accounts at once.
//!
//! A relay cannot *read* (Noise, to the RSU's key), *alter* (messages or the list of relays: the
//! handshake fails, and the vehicle tries another way), *replay* (as for everybody: `V-HELLO-1`, `V-HELLO-2`)
//! or *claim twice*. It can drop: whoever passed something on to it in vain and has another
//! neighbour leaves it alone for a while ([`AVOIDED_MS`], [`ROUTE_MS`]), and the next search goes another way. It can pretend to be several relays: it then has several shares of the same pot.
//!
//! PROTOCOLS.md has each relay sign its hop record. Here the vehicle's handshake covers all of them,
//! and a relay proves possession of its keys when it claims. That saves 64 bytes a hop; and where
//! signatures would let the last relay leave out the others, the handshake does not.
//!
//! Loops and floods die out: a search passes each vehicle once and at most three, nobody keeps more than
//! [`MAX_ROUTES`] routes or [`MAX_ROUTES_EACH`] of one neighbour, a route carries [`MAX_MESSAGES`] messages each
//! way and lives [`ROUTE_MS`].
//!
//! Limits. A beacon heard through relays may be from `3` times the range of a vehicle's radio farther away:
//! so much wider is what a wormhole could pretend. Neighbours learn that somebody near logs in,
//! where to, and by which kind of credential; not who.
//!
//! Rules of a relay ([`Forwarder`]), of which a broken one gets no answer:
//! * `V-RELAY-1` a search is new, has passed fewer than three relays, and there is room;
//! * `V-RELAY-2` an offer is for a search that we passed on, the first one, not from where the search
//!   came, nor from a neighbour that was asked in vain for the same one, and has room for one relay more;
//! * `V-RELAY-3` a message up comes from where the search came, names the relays that we offered,
//!   and is one of the first [`MAX_MESSAGES`];
//! * `V-RELAY-4` a message down comes from where those up go, and is one of the first [`MAX_MESSAGES`].
//!
//! Rules of the vehicle ([`Seeker`]):
//! * `V-SEEK-1` an offer is for the search under way, from a neighbour that is not avoided, the first
//!   of that neighbour, at most [`MAX_OFFERS`] in all;
//! * `V-SEEK-2` its beacon keeps `V-BEACON-*`;
//! * `V-SEEK-3` a message down comes from a neighbour whose offer was taken.

mod claim;
mod forwarder;
mod seeker;

use cairn_contracts::credits::{CreditId, Grant, LOGIN_POT};
use cairn_ledger::Rid;

pub use claim::Claim;
pub use forwarder::{Forward, Forwarder, Refusal};
pub use seeker::{Heard, SeekRefusal, Seeker};

use crate::wire::{CreditKey, Down, MAX_HOPS, Message, Path, RouteId};

/// How long a route is remembered, in milliseconds: some beacons, and a rekey after the login.
pub const ROUTE_MS: u64 = 30_000;

/// The most routes that a relay remembers.
pub const MAX_ROUTES: usize = 256;

/// The most routes that a relay remembers for one neighbour: a search every few seconds.
pub const MAX_ROUTES_EACH: usize = 8;

/// The most messages each way on a route: proof, login with cookie and repetitions, some rekeys.
pub const MAX_MESSAGES: u8 = 32;

/// How long a vehicle leaves a neighbour alone that it asked in vain, in milliseconds.
pub const AVOIDED_MS: u64 = 30_000;

/// The most offers that a vehicle keeps for one search.
pub const MAX_OFFERS: usize = 8;

const _: () = assert!(MAX_HOPS == 3, "the pot is divisible by one, two and three");

/// A neighbour's address on the link, numbered by the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Neighbour(pub u64);

/// Who sent, or is to get, a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Another vehicle.
    Neighbour(Neighbour),
    /// An RSU that we hear.
    Rsu(Rid),
}

/// An RSU's datagram for a vehicle at the end of `route`, or (`None`) in its reach.
#[must_use]
pub fn returned(route: Option<RouteId>, datagram: Vec<u8>) -> Vec<u8> {
    match route {
        None => datagram,
        Some(route) => Message::Down(Down { route, datagram }).encode(),
    }
}

/// What the relays of a login earn: equal shares of [`LOGIN_POT`].
#[must_use]
pub fn grants(path: &Path) -> Vec<Grant> {
    let hops = u8::try_from(path.hops()).unwrap_or(u8::MAX);
    let grant = |key: CreditKey| Grant {
        id: CreditId::of(&key.0),
        amount: LOGIN_POT / hops,
    };
    path.keys().map(grant).collect()
}
