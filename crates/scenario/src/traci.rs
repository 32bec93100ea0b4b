//! A small client of SUMO's Traffic Control Interface (TraCI) over any byte stream.
//!
//! A message is `length (u32, itself included) ‖ commands`, a command `length (u8; 0 means that a u32
//! follows) ‖ id ‖ content`, all big endian. SUMO answers each command with a status
//! `length ‖ id ‖ result ‖ text`, and a query with a result `length ‖ id + 0x10 ‖ variable ‖ object ‖ type
//! ‖ value` behind it. We send one command a message. Numbers are those of SUMO's documentation.
//!
//! What SUMO sends is bounded and parsed as if it were hostile.

use std::io::{self, Read, Write};
use thiserror::Error;

/// The largest answer: identifiers of 100,000 vehicles.
pub const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// The longest name that we send or accept.
pub const MAX_NAME_BYTES: usize = 1_024;

/// The most names in a list.
pub const MAX_NAMES: usize = 100_000;

const STEP: u8 = 0x02;
const CLOSE: u8 = 0x7f;
const GET_VEHICLE: u8 = 0xa4;
const SET_VEHICLE: u8 = 0xc4;
const GET_SIMULATION: u8 = 0xab;

const ID_LIST: u8 = 0x00;
const SLOW_DOWN: u8 = 0x14;
const SPEED: u8 = 0x40;
const DECELERATION: u8 = 0x47;
const CLASS: u8 = 0x49;
const LEADER: u8 = 0x68;
const ACCELERATION: u8 = 0x72;
const EMERGENCY_DECELERATION: u8 = 0x7b;
const COLLIDING: u8 = 0x81;

const DOUBLE: u8 = 0x0b;
const STRING: u8 = 0x0c;
const NAMES: u8 = 0x0e;
const COMPOUND: u8 = 0x0f;

/// Why SUMO could not be asked.
#[derive(Debug, Error)]
pub enum TraciError {
    /// The connection.
    #[error("SUMO's connection: {0}")]
    Io(#[from] io::Error),
    /// SUMO said no.
    #[error("SUMO refused command {command:#04x}: {text}")]
    Refused {
        /// Which command.
        command: u8,
        /// SUMO's words.
        text: String,
    },
    /// The answer is not what the protocol says.
    #[error("SUMO's answer is malformed: expected {0}")]
    Malformed(&'static str),
}

/// A connection to a running SUMO.
pub struct Traci<S> {
    stream: S,
}

/// How hard a vehicle can brake, in m/s².
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Braking {
    /// What its driver plans with.
    pub planned: f64,
    /// In an emergency.
    pub emergency: f64,
}

impl Braking {
    /// No harder than this, ever.
    pub const fn at_most(deceleration: f64) -> Self {
        Self {
            planned: deceleration,
            emergency: deceleration,
        }
    }
}

impl<S: Read + Write> Traci<S> {
    /// Talks over this stream.
    pub const fn new(stream: S) -> Self {
        Self { stream }
    }

    /// Computes one step.
    ///
    /// # Errors
    ///
    /// [`TraciError`], as for all that follow.
    pub fn step(&mut self) -> Result<(), TraciError> {
        self.command(STEP, &0_f64.to_be_bytes()).map(drop)
    }

    /// Ends the simulation.
    ///
    /// # Errors
    ///
    /// [`TraciError`].
    pub fn close(&mut self) -> Result<(), TraciError> {
        self.command(CLOSE, &[]).map(drop)
    }

    /// The vehicles on the road.
    ///
    /// # Errors
    ///
    /// [`TraciError`].
    pub fn vehicles(&mut self) -> Result<Vec<String>, TraciError> {
        self.query(GET_VEHICLE, ID_LIST, "", &[])?.names()
    }

    /// The vehicles that collided in the last step.
    ///
    /// # Errors
    ///
    /// [`TraciError`].
    pub fn colliding(&mut self) -> Result<Vec<String>, TraciError> {
        self.query(GET_SIMULATION, COLLIDING, "", &[])?.names()
    }

    /// A vehicle's speed in m/s.
    ///
    /// # Errors
    ///
    /// [`TraciError`].
    pub fn speed(&mut self, vehicle: &str) -> Result<f64, TraciError> {
        self.query(GET_VEHICLE, SPEED, vehicle, &[])?.double()
    }

    /// A vehicle's acceleration in m/s².
    ///
    /// # Errors
    ///
    /// [`TraciError`].
    pub fn acceleration(&mut self, vehicle: &str) -> Result<f64, TraciError> {
        self.query(GET_VEHICLE, ACCELERATION, vehicle, &[])?
            .double()
    }

    /// A vehicle's class, `passenger`, `truck`, `bus` and others.
    ///
    /// # Errors
    ///
    /// [`TraciError`].
    pub fn class(&mut self, vehicle: &str) -> Result<String, TraciError> {
        self.query(GET_VEHICLE, CLASS, vehicle, &[])?.string()
    }

    /// The vehicle ahead within `distance` metres, and the gap to it in metres, without the minimum
    /// gap that SUMO subtracts.
    ///
    /// # Errors
    ///
    /// [`TraciError`].
    pub fn leader(
        &mut self,
        vehicle: &str,
        distance: f64,
    ) -> Result<Option<(String, f64)>, TraciError> {
        let mut parameter = vec![DOUBLE];
        parameter.extend_from_slice(&distance.to_be_bytes());
        let mut answer = self.query(GET_VEHICLE, LEADER, vehicle, &parameter)?;
        answer.tag(COMPOUND, "a compound")?;
        if answer.integer()? != 2 {
            return Err(TraciError::Malformed("a name and a gap"));
        }
        let (name, gap) = (answer.string()?, answer.double()?);
        Ok((!name.is_empty()).then_some((name, gap)))
    }

    /// Brings a vehicle to this speed, in m/s, within so many seconds.
    ///
    /// # Errors
    ///
    /// [`TraciError`].
    pub fn slow_down(&mut self, vehicle: &str, speed: f64, seconds: f64) -> Result<(), TraciError> {
        let mut value = vec![COMPOUND];
        value.extend_from_slice(&2_i32.to_be_bytes());
        for number in [speed, seconds] {
            value.push(DOUBLE);
            value.extend_from_slice(&number.to_be_bytes());
        }
        self.set(vehicle, SLOW_DOWN, &value)
    }

    /// Holds a vehicle at this speed, in m/s; −1 lets it drive again.
    ///
    /// # Errors
    ///
    /// [`TraciError`].
    pub fn set_speed(&mut self, vehicle: &str, speed: f64) -> Result<(), TraciError> {
        self.set(vehicle, SPEED, &double(speed))
    }

    /// How hard a vehicle can brake.
    ///
    /// # Errors
    ///
    /// [`TraciError`].
    pub fn braking(&mut self, vehicle: &str) -> Result<Braking, TraciError> {
        let mut of = |variable| self.query(GET_VEHICLE, variable, vehicle, &[])?.double();
        Ok(Braking {
            planned: of(DECELERATION)?,
            emergency: of(EMERGENCY_DECELERATION)?,
        })
    }

    /// Bounds how hard a vehicle can brake.
    ///
    /// # Errors
    ///
    /// [`TraciError`].
    pub fn set_braking(&mut self, vehicle: &str, braking: Braking) -> Result<(), TraciError> {
        self.set(vehicle, DECELERATION, &double(braking.planned))?;
        self.set(vehicle, EMERGENCY_DECELERATION, &double(braking.emergency))
    }

    fn set(&mut self, vehicle: &str, variable: u8, value: &[u8]) -> Result<(), TraciError> {
        let content = about(variable, vehicle, value)?;
        self.command(SET_VEHICLE, &content).map(drop)
    }

    fn query(
        &mut self,
        domain: u8,
        variable: u8,
        object: &str,
        parameter: &[u8],
    ) -> Result<Answer, TraciError> {
        let content = about(variable, object, parameter)?;
        let mut answer = self.command(domain, &content)?;
        answer.length()?;
        answer.tag(domain + 0x10, "the result of the query")?;
        answer.tag(variable, "the variable asked for")?;
        if answer.text()? != object {
            return Err(TraciError::Malformed("the object asked for"));
        }
        Ok(answer)
    }

    /// Sends one command and reads its status; returns what follows.
    fn command(&mut self, id: u8, content: &[u8]) -> Result<Answer, TraciError> {
        // Always in the long form: a zero, then a length of 32 bits.
        let length = u32::try_from(content.len() + 6).map_err(|_| malformed_name())?;
        let mut message = (length + 4).to_be_bytes().to_vec();
        message.push(0);
        message.extend_from_slice(&length.to_be_bytes());
        message.push(id);
        message.extend_from_slice(content);
        self.stream.write_all(&message)?;
        self.stream.flush()?;

        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let length = (u32::from_be_bytes(length) as usize).saturating_sub(4);
        if length > MAX_ANSWER_BYTES {
            return Err(TraciError::Malformed("an answer of at most 4 MiB"));
        }
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes)?;
        let mut answer = Answer { bytes, at: 0 };
        answer.length()?;
        answer.tag(id, "the status of the command")?;
        let [result] = answer.take()?;
        let text = answer.text()?;
        if result != 0 {
            return Err(TraciError::Refused { command: id, text });
        }
        Ok(answer)
    }
}

fn malformed_name() -> TraciError {
    TraciError::Malformed("a name of at most 1,024 bytes")
}

/// `variable ‖ object ‖ value`.
fn about(variable: u8, object: &str, value: &[u8]) -> Result<Vec<u8>, TraciError> {
    if object.len() > MAX_NAME_BYTES {
        return Err(malformed_name());
    }
    let length = u32::try_from(object.len()).map_err(|_| malformed_name())?;
    let mut content = vec![variable];
    content.extend_from_slice(&length.to_be_bytes());
    content.extend_from_slice(object.as_bytes());
    content.extend_from_slice(value);
    Ok(content)
}

fn double(value: f64) -> Vec<u8> {
    let mut bytes = vec![DOUBLE];
    bytes.extend_from_slice(&value.to_be_bytes());
    bytes
}

/// What SUMO sent, read from the front.
struct Answer {
    bytes: Vec<u8>,
    at: usize,
}

impl Answer {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], TraciError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let (taken, _) = rest
            .split_first_chunk::<N>()
            .ok_or(TraciError::Malformed("more bytes"))?;
        self.at += N;
        Ok(*taken)
    }

    /// A command's length, short or long; the message's length bounds us already.
    fn length(&mut self) -> Result<(), TraciError> {
        if self.take()? == [0] {
            self.take::<4>()?;
        }
        Ok(())
    }

    fn tag(&mut self, expected: u8, what: &'static str) -> Result<(), TraciError> {
        if self.take()? == [expected] {
            Ok(())
        } else {
            Err(TraciError::Malformed(what))
        }
    }

    fn text(&mut self) -> Result<String, TraciError> {
        let length = u32::from_be_bytes(self.take()?) as usize;
        let end = self.at.saturating_add(length);
        let text = self.bytes.get(self.at..end);
        let text = text.ok_or(TraciError::Malformed("a string within the answer"))?;
        let text = String::from_utf8(text.to_vec());
        self.at = end;
        text.map_err(|_| TraciError::Malformed("UTF-8"))
    }

    fn string(&mut self) -> Result<String, TraciError> {
        self.tag(STRING, "a string")?;
        self.text()
    }

    fn double(&mut self) -> Result<f64, TraciError> {
        self.tag(DOUBLE, "a double")?;
        let value = f64::from_be_bytes(self.take()?);
        if value.is_finite() {
            Ok(value)
        } else {
            Err(TraciError::Malformed("a finite number"))
        }
    }

    /// The number of parts of a compound, which carries no type.
    fn integer(&mut self) -> Result<u32, TraciError> {
        Ok(u32::from_be_bytes(self.take()?))
    }

    fn names(&mut self) -> Result<Vec<String>, TraciError> {
        self.tag(NAMES, "a list of strings")?;
        let count = self.integer()? as usize;
        if count > MAX_NAMES {
            return Err(TraciError::Malformed("at most 100,000 names"));
        }
        (0..count).map(|_| self.text()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Cursor;

    /// A SUMO that has recorded its answers.
    struct Recorded {
        answers: Cursor<Vec<u8>>,
        sent: Vec<u8>,
    }

    impl Read for Recorded {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.answers.read(into)
        }
    }

    impl Write for Recorded {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.sent.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn recorded(answer: &[u8]) -> Traci<Recorded> {
        let length = u32::try_from(answer.len() + 4).unwrap();
        let answers = [&length.to_be_bytes(), answer].concat();
        Traci::new(Recorded {
            answers: Cursor::new(answers),
            sent: Vec::new(),
        })
    }

    fn status(id: u8, result: u8, text: &str) -> Vec<u8> {
        let length = u8::try_from(7 + text.len()).unwrap();
        let text_length = u32::try_from(text.len()).unwrap().to_be_bytes();
        [&[length, id, result], &text_length[..], text.as_bytes()].concat()
    }

    fn speed_of_bus(value: f64) -> Vec<u8> {
        let mut answer = status(GET_VEHICLE, 0, "");
        answer.extend_from_slice(&[19, GET_VEHICLE + 0x10, SPEED, 0, 0, 0, 3]);
        answer.extend_from_slice(b"bus");
        answer.push(DOUBLE);
        answer.extend_from_slice(&value.to_be_bytes());
        answer
    }

    #[test]
    fn a_query_is_sent_and_its_answer_read() {
        let mut traci = recorded(&speed_of_bus(13.5));
        assert_eq!(traci.speed("bus").unwrap(), 13.5);
        let expected = [
            &[0, 0, 0, 18, 0, 0, 0, 0, 14, GET_VEHICLE, SPEED, 0, 0, 0, 3][..],
            b"bus",
        ]
        .concat();
        assert_eq!(traci.stream.sent, expected);
    }

    #[test]
    fn refusals_and_answers_to_other_questions_are_errors() {
        let refused = status(GET_VEHICLE, 0xff, "Vehicle 'bus' is not known.");
        let error = recorded(&refused).speed("bus").unwrap_err().to_string();
        assert!(error.contains("not known"), "{error}");
        let answer = speed_of_bus(1.0);
        assert!(recorded(&answer).speed("car").is_err());
        assert!(recorded(&answer).acceleration("bus").is_err());
        assert!(recorded(&speed_of_bus(f64::NAN)).speed("bus").is_err());
        let long = "x".repeat(MAX_NAME_BYTES + 1);
        assert!(recorded(&answer).speed(&long).is_err());
    }

    #[test]
    fn an_answer_that_claims_to_be_huge_is_not_waited_for() {
        let mut traci = Traci::new(Recorded {
            answers: Cursor::new(vec![0xff; 64]),
            sent: Vec::new(),
        });
        assert!(matches!(traci.step(), Err(TraciError::Malformed(_))));
    }

    proptest! {
        #[test]
        fn no_answer_panics(bytes in prop::collection::vec(any::<u8>(), 0..96), cut in 0..40_usize) {
            let _ = recorded(&bytes).vehicles();
            let _ = recorded(&bytes).leader("bus", 100.0);
            let mut known = speed_of_bus(1.0);
            known.truncate(cut);
            known.extend_from_slice(&bytes);
            let _ = recorded(&known).speed("bus");
        }
    }
}
