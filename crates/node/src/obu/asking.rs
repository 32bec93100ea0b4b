//! What a vehicle asks on its way: the nearest charging point, and how long the next kilometre takes.
//!
//! 1. With a session at an RSU in range it asks a question every `ASK_MS`; one in `CHARGING_TURN` is for charging
//!    points, the others are for travel times, which the provider learns from them.
//! 2. It claims to be where it last said it was. Who lies there lies here.
//! 3. The way ahead is straight on, for want of a map.
//! 4. A step of the replay waits a little for the answer. What has none when the next question is due has
//!    gone unanswered.

use super::Task;
use crate::{
    radio::Endpoint,
    report::{NearestReport, WayReport},
    services::Directory,
};
use cairn_chain::Runtime;
use cairn_contracts::providers::{ProviderId, Service};
use cairn_ledger::Position;
use cairn_protocol::{
    service::{Answer, Asked, CELL_M, Cell, Client, ClientError, Got, MAX_AHEAD, Question},
    session::VehicleSession,
    trust::Road,
    wire::Message,
};
use std::time::{Duration, SystemTime};
use tracing::debug;

/// Trace time between two questions, in milliseconds: several in a cell, so that times between cells are right
/// within some seconds.
const ASK_MS: u64 = 5_000;

/// One question in so many is for charging points.
const CHARGING_TURN: u32 = 6;

/// Powers that vehicles ask for by turns, in kW: whatever there is, and fast.
const POWERS_KW: [u16; 2] = [0, 50];

/// Trace time until a provider that is not valid is asked for again, in milliseconds.
const RETRY_MS: u64 = 60_000;

/// Real time for which a step waits for an answer.
const ANSWER_PATIENCE: Duration = Duration::from_millis(200);

/// Steps in which the way ahead is looked along, in metres: no cell on it is left out, but for its corners.
const LOOK_M: f64 = 50.0;

/// How far it is looked for the cells of a question, in metres.
const FAR_M: f64 = (CELL_M * (MAX_AHEAD as u32 + 2)) as f64;

/// The asking part of a vehicle.
pub(super) struct Asking {
    client: Client,
    directory: Directory,
    next_ms: u64,
    turn: u32,
    /// Where the vehicle said it was, now and before.
    here: Position,
    before: Option<Position>,
    /// When the question under way was sent.
    sent: Option<SystemTime>,
    /// Until when a step waits for an answer.
    until: Option<SystemTime>,
}

impl Asking {
    /// The vehicle with this number, which begins within [`ASK_MS`].
    pub(super) fn new(road: &Road, directory: Directory, number: u32, now_ms: u64) -> Self {
        let lag_ms = u64::from(number).wrapping_mul(1_237) % ASK_MS;
        Self {
            client: Client::new(road, directory.contract),
            directory,
            next_ms: now_ms + lag_ms,
            turn: number % CHARGING_TURN,
            here: Position { x_cm: 0, y_cm: 0 },
            before: None,
            sent: None,
            until: None,
        }
    }

    /// Notes where the vehicle says it is.
    pub(super) fn moved(&mut self, here: Position) {
        if here != self.here {
            self.before = Some(std::mem::replace(&mut self.here, here));
        }
    }

    /// Until when a step waits for an answer.
    pub(super) const fn waits_until(&self) -> Option<SystemTime> {
        self.until
    }

    /// What to ask next, and whom.
    fn question(&self) -> Option<(ProviderId, Question)> {
        let wanted = if self.turn.is_multiple_of(CHARGING_TURN) {
            Service::Charging
        } else {
            Service::TravelTime
        };
        let mut offers = self.directory.offers.iter();
        let (provider, _) = offers.find(|(_, service)| *service == wanted)?;
        let question = match wanted {
            Service::Charging => {
                let turn = (self.turn / CHARGING_TURN) as usize;
                Question::Charging {
                    least_kw: POWERS_KW[turn % POWERS_KW.len()],
                }
            }
            Service::TravelTime => Question::TravelTime {
                ahead: ahead(self.before?, self.here),
            },
        };
        Some((*provider, question))
    }
}

/// The cells straight ahead of somebody who came from `before`.
fn ahead(before: Position, here: Position) -> Vec<Cell> {
    let metres = |cm: i32| f64::from(cm) / 100.0;
    let (x, y) = (metres(here.x_cm), metres(here.y_cm));
    let (dx, dy) = (x - metres(before.x_cm), y - metres(before.y_cm));
    let length = dx.hypot(dy).max(f64::MIN_POSITIVE);
    let mut cells = vec![Cell::of(here)];
    let mut along = LOOK_M;
    while along <= FAR_M && cells.len() <= MAX_AHEAD {
        // Conversions from floating point saturate.
        let place = Position {
            x_cm: (100.0 * (x + along * dx / length)) as i32,
            y_cm: (100.0 * (y + along * dy / length)) as i32,
        };
        let cell = Cell::of(place);
        if cells.last() != Some(&cell) {
            cells.push(cell);
        }
        along += LOOK_M;
    }
    cells.split_off(1)
}

impl<E: Runtime, A: Endpoint> Task<E, A> {
    /// Asks, if it is time and there is a session for it.
    pub(super) async fn ask(&mut self, now_ms: u64) {
        let serving = self.serving();
        let Some(asking) = &mut self.asking else {
            return;
        };
        asking.until = None;
        let Some(serving) = serving.filter(|_| asking.next_ms <= now_ms) else {
            return;
        };
        let Some((_, session)) = self.role.session() else {
            return;
        };
        let Some((provider, question)) = asking.question() else {
            // It has not moved yet: the next question is another one.
            asking.turn = asking.turn.wrapping_add(1);
            return;
        };
        if asking.sent.take().is_some() {
            asking.directory.tally.unanswered();
        }
        let cell = Cell::of(asking.here);
        let asked = asking
            .client
            .ask(provider, question, cell, session, now_ms, &mut self.rng);
        let datagram = match asked {
            Ok(Asked::Question(datagram)) => {
                asking.turn = asking.turn.wrapping_add(1);
                asking.next_ms = now_ms + ASK_MS;
                asking.sent = Some(self.context.current());
                asking.directory.tally.asked(datagram.len());
                datagram
            }
            Ok(Asked::Proof(datagram)) => datagram,
            Err(ClientError::TooSoon(at_ms)) => {
                asking.next_ms = at_ms;
                return;
            }
            Err(why) => {
                debug!(vehicle = self.number, %why, "not asked");
                asking.next_ms = now_ms + RETRY_MS;
                return;
            }
        };
        asking.until = Some(self.context.current() + ANSWER_PATIENCE);
        self.send(serving.rid, datagram).await;
    }

    /// Takes what an RSU says of a question.
    pub(super) async fn notice(&mut self, datagram: &[u8]) {
        let now_ms = self.clock.now_ms();
        let Some(asking) = &mut self.asking else {
            return;
        };
        let Ok(Message::ServiceNotice(frame)) = Message::decode(datagram) else {
            return;
        };
        // It may be of the RSU that the vehicle has just left.
        let is_of = |session: &&VehicleSession| session.asc() == frame.asc;
        let current = self.role.session().map(|(_, session)| session);
        let left = self.role.previous_session().map(|(_, session)| session);
        let Some(session) = current.filter(is_of).or(left.filter(is_of)) else {
            return;
        };
        let got = asking
            .client
            .receive(datagram, session, now_ms, &mut self.rng);
        let tally = &asking.directory.tally;
        match got {
            Ok(Got::Provider(_)) => return self.ask(now_ms).await,
            Ok(Got::Answer {
                question, answer, ..
            }) => {
                let sent = asking.sent.take();
                let now = self.context.current();
                let round_trip = sent.and_then(|sent| now.duration_since(sent).ok());
                tally.answered(datagram.len(), round_trip.unwrap_or_default());
                asking.until = None;
                asking.told(&question, &answer);
            }
            Ok(Got::Refused { .. }) => {
                asking.sent = None;
                asking.until = None;
                tally.refused();
            }
            Err(why) => {
                debug!(vehicle = self.number, %why, "notice refused");
                if let ClientError::NotValid(_) = why {
                    asking.next_ms = now_ms + RETRY_MS;
                    asking.until = None;
                }
            }
        }
    }
}

impl Asking {
    /// Notes an answer for the report.
    fn told(&self, question: &Question, answer: &Answer) {
        let tally = &self.directory.tally;
        match answer {
            Answer::Nothing => tally.nothing_known(),
            Answer::Charging { position, kw, name } => tally.nearest(NearestReport {
                name: name.as_str().to_owned(),
                distance_m: self.here.distance_m(position),
                kw: *kw,
            }),
            Answer::TravelTime { seconds, known } => {
                // No more than was asked for.
                let asked = match question {
                    Question::TravelTime { ahead } => ahead.len(),
                    Question::Charging { .. } => 0,
                };
                let cells = usize::from(*known).min(asked) as u32;
                tally.way(WayReport {
                    metres: CELL_M * cells,
                    seconds: *seconds,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(x_m: i32, y_m: i32) -> Position {
        Position {
            x_cm: 100 * x_m,
            y_cm: 100 * y_m,
        }
    }

    #[test]
    fn the_way_ahead_is_a_kilometre_of_cells_each_next_to_the_one_before() {
        let east = ahead(place(90, 10), place(100, 10));
        assert_eq!(east, [1, 2, 3, 4].map(|x| Cell { x, y: 0 }));
        for (x, y) in [(7, 5), (-7, 5), (3, -9), (-1, -1), (0, 1)] {
            let cells = ahead(place(130 - x, 180 - y), place(130, 180));
            assert_eq!(cells.len(), MAX_AHEAD);
            let mut before = Cell::of(place(130, 180));
            for cell in cells {
                assert!(before.touches(cell) && before != cell);
                before = cell;
            }
        }
    }

    #[test]
    fn a_way_out_of_this_world_is_no_panic() {
        let far = Position {
            x_cm: i32::MAX,
            y_cm: i32::MIN,
        };
        assert!(ahead(place(0, 0), far).len() <= MAX_AHEAD);
    }
}
