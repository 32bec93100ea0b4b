//! Floating-car data: the traffic trace that SUMO writes with `--fcd-output`.
//!
//! ```xml
//! <fcd-export>
//!     <timestep time="900.00">
//!         <vehicle id="bus.1" x="1747.12" y="1852.03" angle="288.41" type="bus" speed="0.00"/>
//!     </timestep>
//! </fcd-export>
//! ```
//!
//! 1. The root is `<fcd-export>`; it has at least one `<timestep>`, and each has a `time` in
//!    seconds, later than the one before.
//! 2. A `<vehicle>` stands in a timestep and needs `id`, `x` and `y`; a step has an id once.
//!    `speed`, `angle`, `acceleration`, `type` and `lane` are read if they are there, and must
//!    then be valid. Other attributes are passed over.
//! 3. Other elements (`person`, `container`, unknown ones) are passed over with all they hold.
//! 4. The text may be gzipped, in one piece or several; its first bytes tell.
//!
//! A trace of any length is read in bounded memory: one step, and the names of the one before.
//! The first fault ends the reading; steps before it have been handed out by then.

mod error;
mod input;
mod value;
mod xml;

pub use error::{Location, TraceError, TraceFault};

use crate::frame::{Frame, MAX_COORDINATE_M, MAX_LATITUDE_DEG, Metres, Projection};
use error::Fault;
use input::Input;
use std::{fs::File, io::Read, path::Path, sync::Arc};
use value::Names;
use xml::{Tag, Token, Xml};

/// Most vehicles in one step: far more than SUMO moves at a useful pace. A step of that many takes
/// some 25 MB with ordinary names, and below 250 MB with names as long and as different as allowed.
pub const MAX_VEHICLES_PER_STEP: usize = 100_000;

/// Longest name of a vehicle, type or lane, in bytes. SUMO joins junction ids into lane names,
/// which makes some 100 bytes.
pub const MAX_NAME_BYTES: usize = 256;

/// Most attributes in a tag. SUMO knows about thirty for a vehicle.
pub const MAX_ATTRIBUTES: usize = 64;

/// Longest attribute value in a timestep or vehicle, in undecoded bytes: a name of
/// [`MAX_NAME_BYTES`] in which every byte is written as an entity.
pub const MAX_ATTRIBUTE_BYTES: usize = 8 * MAX_NAME_BYTES;

/// Longest tag, comment or text, in bytes. SUMO writes its whole configuration as a comment into
/// the head of a trace, which makes a few thousand.
pub const MAX_MARKUP_BYTES: usize = 256 * 1024;

/// Deepest nesting of elements. SUMO's is three.
pub const MAX_DEPTH: usize = 16;

/// Latest time, in milliseconds: 10¹¹ s holds any calendar time counted from 1970.
pub const MAX_TIME_MS: u64 = 100_000_000_000_000;

/// Largest magnitude of a speed (m/s) and an acceleration (m/s²): none on a road comes near.
pub const MAX_RATE: f64 = 1_000.0;

/// Largest magnitude of an angle, in degrees; both usual ranges, from 0 and around 0, lie within.
const MAX_ANGLE_DEG: f64 = 360.0;

/// All vehicles on the road at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The file's own time, in milliseconds.
    pub time_ms: u64,
    /// Time since the file's first step, in milliseconds.
    pub offset_ms: u64,
    /// The vehicles, in the file's order; each id once.
    pub vehicles: Vec<Sample>,
}

/// One vehicle at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The vehicle's name, 1 to [`MAX_NAME_BYTES`] bytes, without control characters.
    pub id: Arc<str>,
    /// Where it is; its coordinates are finite and within ±[`MAX_COORDINATE_M`].
    pub position: Metres,
    /// Speed along the heading, in m/s.
    pub speed: Option<f64>,
    /// Heading in degrees clockwise from north, from 0 up to but not including 360.
    pub angle: Option<f64>,
    /// Acceleration along the heading, in m/s².
    pub acceleration: Option<f64>,
    /// SUMO's vehicle type.
    pub kind: Option<Arc<str>>,
    /// SUMO's lane; names beginning with `:` lie inside junctions.
    pub lane: Option<Arc<str>>,
}

/// Reads a trace step by step. After an error or the end it yields `None`.
pub struct FcdReader {
    xml: Xml,
    file: String,
    frame: Frame,
    projection: Option<Projection>,
    ids: Names,
    kinds: Names,
    lanes: Names,
    first_ms: Option<u64>,
    previous_ms: Option<u64>,
    /// How many vehicles the step before had: a good guess for the next one.
    expected: usize,
    is_done: bool,
}

impl FcdReader {
    /// Opens a trace and reads up to its root element.
    pub fn open(path: impl AsRef<Path>, frame: Frame) -> Result<Self, TraceError> {
        let file = path.as_ref().display().to_string();
        match File::open(path) {
            Ok(input) => Self::from_reader(input, file, frame),
            Err(source) => Err(TraceError::Open {
                file,
                source: Arc::new(source),
            }),
        }
    }

    /// Reads a trace from any input up to its root element; `file` is its name in errors.
    pub fn from_reader(
        input: impl Read + Send + 'static,
        file: impl Into<String>,
        frame: Frame,
    ) -> Result<Self, TraceError> {
        let file = file.into();
        let xml = Input::new(input)
            .map_err(|error| Location::START.fault(TraceFault::Read(Arc::new(error))))
            .and_then(|input| {
                let mut xml = Xml::new(input);
                root(&mut xml).map(|()| xml)
            });
        match xml {
            Ok(xml) => Ok(Self {
                xml,
                file,
                frame,
                projection: None,
                ids: Names::default(),
                kinds: Names::default(),
                lanes: Names::default(),
                first_ms: None,
                previous_ms: None,
                expected: 0,
                is_done: false,
            }),
            Err(Fault { at, fault }) => Err(TraceError::Content { file, at, fault }),
        }
    }

    /// How this trace's degrees become metres: `None` until its first vehicle has been read, and
    /// always in [`Frame::Metric`].
    pub fn projection(&self) -> Option<&Projection> {
        self.projection.as_ref()
    }

    /// The next step, or `None` after the root element's end and nothing behind it.
    fn step(&mut self, buffer: &mut Vec<u8>) -> Result<Option<Step>, Fault> {
        const ROOT: &str = "fcd-export";
        loop {
            let (at, token) = self.xml.next(buffer)?;
            match token {
                Token::Filler => {}
                Token::Tag(tag) if tag.name() == b"timestep" => {
                    let time_ms = self.time(&tag)?;
                    let mut vehicles = Vec::with_capacity(self.expected);
                    if !tag.is_leaf {
                        self.vehicles(buffer, &mut vehicles)?;
                    }
                    self.expected = vehicles.len();
                    let first_ms = *self.first_ms.get_or_insert(time_ms);
                    return Ok(Some(Step {
                        time_ms,
                        offset_ms: time_ms - first_ms,
                        vehicles,
                    }));
                }
                Token::Tag(tag) if tag.name() == b"vehicle" => {
                    return Err(misplaced(&tag, "<timestep>"));
                }
                Token::Tag(tag) if tag.is_leaf => {}
                Token::Tag(_) => self.xml.skip(buffer, ROOT)?,
                Token::Close if self.first_ms.is_none() => {
                    return Err(at.fault(TraceFault::NoTimesteps));
                }
                Token::Close => return end(&mut self.xml, buffer).map(|()| None),
                Token::Text(found) => return Err(at.fault(TraceFault::Text { found })),
                Token::End => return Err(at.fault(TraceFault::UnexpectedEnd { open: ROOT })),
            }
        }
    }

    fn time(&mut self, tag: &Tag<'_>) -> Result<u64, Fault> {
        let mut time = None;
        for field in tag.fields() {
            let field = field?;
            if field.key != b"time" {
                continue;
            }
            let found_ms = value::time_ms(field.value).map_err(|fault| tag.fault(&field, fault))?;
            if let Some(previous_ms) = self.previous_ms.filter(|&previous| found_ms <= previous) {
                let fault = TraceFault::TimeNotIncreasing {
                    previous_ms,
                    found_ms,
                };
                return Err(tag.fault(&field, fault));
            }
            time = Some(found_ms);
        }
        self.previous_ms = time;
        time.ok_or_else(|| missing(tag, "timestep", "time"))
    }

    /// Everything up to the end of a timestep.
    fn vehicles(&mut self, buffer: &mut Vec<u8>, vehicles: &mut Vec<Sample>) -> Result<(), Fault> {
        const STEP: &str = "timestep";
        self.ids.step();
        self.kinds.step();
        self.lanes.step();
        loop {
            let (at, token) = self.xml.next(buffer)?;
            match token {
                Token::Filler => {}
                Token::Tag(tag) if tag.name() == b"vehicle" => {
                    if vehicles.len() == MAX_VEHICLES_PER_STEP {
                        return Err(at.fault(TraceFault::TooManyVehicles));
                    }
                    vehicles.push(self.vehicle(&tag)?);
                    if !tag.is_leaf {
                        self.xml.skip(buffer, STEP)?;
                    }
                }
                Token::Tag(tag) if tag.name() == b"timestep" => {
                    return Err(misplaced(&tag, "<vehicle> or </timestep>"));
                }
                Token::Tag(tag) if tag.is_leaf => {}
                Token::Tag(_) => self.xml.skip(buffer, STEP)?,
                Token::Close => return Ok(()),
                Token::Text(found) => return Err(at.fault(TraceFault::Text { found })),
                Token::End => return Err(at.fault(TraceFault::UnexpectedEnd { open: STEP })),
            }
        }
    }

    fn vehicle(&mut self, tag: &Tag<'_>) -> Result<Sample, Fault> {
        let (limit_x, limit_y) = match self.frame {
            Frame::Metric => (MAX_COORDINATE_M, MAX_COORDINATE_M),
            Frame::Geo => (180.0, MAX_LATITUDE_DEG),
        };
        let (mut id, mut x, mut y) = (None, None, None);
        let (mut speed, mut angle, mut acceleration) = (None, None, None);
        let (mut kind, mut lane) = (None, None);
        for field in tag.fields() {
            let field = field?;
            let number = |attribute, limit| {
                value::number(field.value, attribute, limit)
                    .map(Some)
                    .map_err(|fault| tag.fault(&field, fault))
            };
            let name = |attribute| {
                value::name(field.value, attribute).map_err(|fault| tag.fault(&field, fault))
            };
            match field.key {
                b"id" => {
                    let name = name("id")?;
                    let is_again = self.ids.contains(&name);
                    let shared = self.ids.share(&name);
                    if is_again {
                        let fault = TraceFault::DuplicateVehicle { id: shared };
                        return Err(tag.fault(&field, fault));
                    }
                    id = Some(shared);
                }
                b"x" => x = number("x", limit_x)?,
                b"y" => y = number("y", limit_y)?,
                b"speed" => speed = number("speed", MAX_RATE)?,
                b"angle" => angle = number("angle", MAX_ANGLE_DEG)?.map(compass),
                b"acceleration" => acceleration = number("acceleration", MAX_RATE)?,
                b"type" => kind = Some(self.kinds.share(&name("type")?)),
                b"lane" => lane = Some(self.lanes.share(&name("lane")?)),
                _ => {}
            }
        }
        let id = id.ok_or_else(|| missing(tag, "vehicle", "id"))?;
        let x = x.ok_or_else(|| missing(tag, "vehicle", "x"))?;
        let y = y.ok_or_else(|| missing(tag, "vehicle", "y"))?;
        let position = self
            .place(x, y)
            .ok_or_else(|| tag.at.fault(TraceFault::TooFar))?;
        Ok(Sample {
            id,
            position,
            speed,
            angle,
            acceleration,
            kind,
            lane,
        })
    }

    fn place(&mut self, x: f64, y: f64) -> Option<Metres> {
        if self.frame == Frame::Metric {
            return Some(Metres { x, y });
        }
        if self.projection.is_none() {
            self.projection = Projection::around(x, y);
        }
        self.projection.as_ref()?.project(x, y)
    }
}

impl Iterator for FcdReader {
    type Item = Result<Step, TraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done {
            return None;
        }
        let mut buffer = Vec::new();
        let step = self.step(&mut buffer).transpose();
        self.is_done = !matches!(step, Some(Ok(_)));
        step.map(|step| {
            step.map_err(|Fault { at, fault }| TraceError::Content {
                file: self.file.clone(),
                at,
                fault,
            })
        })
    }
}

/// Reads up to and including the root's opening tag.
fn root(xml: &mut Xml) -> Result<(), Fault> {
    let mut buffer = Vec::new();
    loop {
        let (at, token) = xml.next(&mut buffer)?;
        match token {
            Token::Filler => {}
            Token::Tag(tag) if tag.name() != b"fcd-export" => {
                let found = tag.excerpt();
                return Err(at.fault(TraceFault::WrongRoot { found }));
            }
            Token::Tag(tag) if tag.is_leaf => return Err(at.fault(TraceFault::NoTimesteps)),
            Token::Tag(_) => return Ok(()),
            Token::Text(found) => return Err(at.fault(TraceFault::Text { found })),
            // The parser refuses an end tag without a beginning.
            Token::Close | Token::End => return Err(at.fault(TraceFault::NoRoot)),
        }
    }
}

/// Reads what is behind the root, which must be nothing: concatenated traces are not one trace.
fn end(xml: &mut Xml, buffer: &mut Vec<u8>) -> Result<(), Fault> {
    loop {
        let (at, token) = xml.next(buffer)?;
        match token {
            Token::Filler => {}
            Token::Tag(tag) => return Err(misplaced(&tag, "nothing after </fcd-export>")),
            Token::Text(found) => return Err(at.fault(TraceFault::Text { found })),
            Token::Close | Token::End => return Ok(()),
        }
    }
}

fn missing(tag: &Tag<'_>, element: &'static str, attribute: &'static str) -> Fault {
    tag.at.fault(TraceFault::Missing { element, attribute })
}

fn misplaced(tag: &Tag<'_>, expected: &'static str) -> Fault {
    let found = tag.excerpt();
    tag.at.fault(TraceFault::Misplaced { expected, found })
}

/// An angle of any sign as a compass heading, 0 ≤ heading < 360.
fn compass(angle: f64) -> f64 {
    let heading = angle.rem_euclid(360.0);
    // A tiny negative angle is rounded up to the full circle.
    if heading < 360.0 { heading } else { 0.0 }
}
