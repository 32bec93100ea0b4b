//! Charging points from GeoJSON or CSV.
//!
//! ```json
//! {"type": "FeatureCollection", "features": [
//!   {"type": "Feature", "geometry": {"type": "Point", "coordinates": [9.989128, 53.558353]},
//!    "properties": {"name": "Town hall", "kw": 150}}]}
//! ```
//! ```csv
//! name,x_m,y_m,lon,lat,kw
//! Town hall,2769.01,2039.02,9.989128,53.558353,150
//! ```
//!
//! 1. A file that begins with `{` is GeoJSON, any other CSV.
//! 2. GeoJSON is one collection of features, all of them points, with the properties `name` and `kw`; others
//!    are passed over. Coordinates are degrees, longitude first, for a trace in degrees. For a trace in
//!    metres they are metres of its plane, which RFC 7946 leaves to those who agree on it.
//! 3. CSV has columns by name, in any order: `name`, `kw`, and the coordinates of the trace's frame, `x_m` and
//!    `y_m`, or `lon` and `lat`. Other columns are passed over.
//! 4. Every point must be valid. Names may repeat.

use crate::{MAX_COORDINATE_M, MAX_LATITUDE_DEG, MAX_NAME_BYTES, Metres, Projection, rows::Rows};
use serde::Deserialize;
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    str,
    sync::Arc,
};

/// Most charging points: those of a continent.
pub const MAX_POINTS: usize = 1_000_000;

/// Largest file of points, in bytes: [`MAX_POINTS`] of 256 bytes.
pub const MAX_POINTS_FILE_BYTES: usize = MAX_POINTS * 256;

/// Greatest power of a charging point, in kW: ships charge with less.
pub const MAX_KW: u16 = 10_000;

/// A charging point.
#[derive(Clone, Debug, PartialEq)]
pub struct PointOfInterest {
    /// Its name, 1 to [`MAX_NAME_BYTES`] bytes, without control characters.
    pub name: Arc<str>,
    /// Its position in the trace's plane.
    pub position: Metres,
    /// Its power in kW, 1 to [`MAX_KW`].
    pub kw: u16,
}

/// Why a file of points was refused. Shown as one line: file, line or feature, what was expected.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PointsError {
    /// The file cannot be opened or read.
    #[error("cannot read {file}: {source}")]
    Read {
        /// The file's name.
        file: String,
        /// The system's reason.
        source: Arc<io::Error>,
    },
    /// The file as a whole is not what was expected.
    #[error("{file}: {fault}")]
    File {
        /// The file's name.
        file: String,
        /// What is wrong.
        #[source]
        fault: PointsFault,
    },
    /// A line of CSV is not what was expected.
    #[error("{file}, line {line}: {fault}")]
    Line {
        /// The file's name.
        file: String,
        /// The line on which the row begins, from 1.
        line: u64,
        /// What is wrong.
        #[source]
        fault: PointsFault,
    },
    /// It is not JSON, or not of the form of GeoJSON.
    #[error("{file}: {source}")]
    Json {
        /// The file's name.
        file: String,
        /// What is wrong, with line and column.
        source: Arc<serde_json::Error>,
    },
    /// A feature is not what was expected.
    #[error("{file}, feature {feature}: {fault}")]
    Feature {
        /// The file's name.
        file: String,
        /// Which one, from 1.
        feature: usize,
        /// What is wrong.
        #[source]
        fault: PointsFault,
    },
}

/// What is wrong with a file of points.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PointsFault {
    /// The file is too large.
    #[error("expected at most {MAX_POINTS_FILE_BYTES} bytes")]
    TooLarge,
    /// There is no point.
    #[error("expected at least one charging point")]
    NoPoints,
    /// There are too many points.
    #[error("expected at most {MAX_POINTS} charging points")]
    TooManyPoints,
    /// A required column is not there.
    #[error("expected a column {0}")]
    MissingColumn(&'static str),
    /// A column's name stands twice.
    #[error("expected column {0} once, found it again")]
    RepeatedColumn(&'static str),
    /// A row has more or fewer fields than there are column names.
    #[error("expected {expected} fields, found {found}")]
    FieldCount {
        /// Number of column names.
        expected: usize,
        /// Number of fields.
        found: usize,
    },
    /// The outermost object is something else.
    #[error("expected \"type\": \"FeatureCollection\"")]
    NoCollection,
    /// A feature is something else.
    #[error("expected a Feature with a geometry of type Point")]
    NoPoint,
    /// A point does not have two coordinates (a third is passed over).
    #[error("expected two coordinates that are numbers")]
    NoCoordinates,
    /// A coordinate is no finite number, or too large.
    #[error("expected {what}, a number within ±{limit}")]
    BadCoordinate {
        /// Which one.
        what: &'static str,
        /// Largest magnitude, in metres or degrees.
        limit: f64,
    },
    /// A point is too far from the trace to be projected with it.
    #[error("expected a point within {} km of the trace's first position", crate::MAX_EXTENT_M / 1000.0)]
    TooFar,
    /// A name that is empty, too long, not UTF-8, or has control characters.
    #[error("expected a name of 1 to {MAX_NAME_BYTES} bytes of UTF-8 without control characters")]
    BadName,
    /// A power that is no number, or out of bounds.
    #[error("expected kw, a number from 1 to {MAX_KW}")]
    BadPower,
}

/// Reads charging points from a file; see [`parse_points`].
pub fn read_points(
    path: impl AsRef<Path>,
    projection: Option<&Projection>,
) -> Result<Vec<PointOfInterest>, PointsError> {
    let file = path.as_ref().display().to_string();
    let mut content = Vec::new();
    // One byte more than allowed shows that there is more.
    let limit = MAX_POINTS_FILE_BYTES as u64 + 1;
    match File::open(path).and_then(|open| open.take(limit).read_to_end(&mut content)) {
        Ok(_) => parse_points(&content, file, projection),
        Err(source) => Err(PointsError::Read {
            file,
            source: Arc::new(source),
        }),
    }
}

/// Reads charging points from GeoJSON or CSV, in the file's order; `file` is its name in errors. `projection` is the
/// trace's, if that is in degrees.
pub fn parse_points(
    content: &[u8],
    file: impl Into<String>,
    projection: Option<&Projection>,
) -> Result<Vec<PointOfInterest>, PointsError> {
    let file = file.into();
    let plane = Plane(projection);
    let parsed = if content.len() > MAX_POINTS_FILE_BYTES {
        Err(Fault::File(PointsFault::TooLarge))
    } else if content.trim_ascii_start().starts_with(b"{") {
        geojson(content, plane)
    } else {
        csv(content, plane)
    };
    parsed.map_err(|fault| match fault {
        Fault::Read(source) => PointsError::Read {
            file,
            source: Arc::new(source),
        },
        Fault::File(fault) => PointsError::File { file, fault },
        Fault::Line(line, fault) => PointsError::Line { file, line, fault },
        Fault::Json(source) => PointsError::Json {
            file,
            source: Arc::new(source),
        },
        Fault::Feature(feature, fault) => PointsError::Feature {
            file,
            feature,
            fault,
        },
    })
}

/// A fault and its place; the caller adds the file's name.
enum Fault {
    Read(io::Error),
    File(PointsFault),
    Line(u64, PointsFault),
    Json(serde_json::Error),
    Feature(usize, PointsFault),
}

/// How coordinates become metres.
#[derive(Clone, Copy)]
struct Plane<'p>(Option<&'p Projection>);

impl Plane<'_> {
    /// Names and largest magnitudes of the coordinates.
    const fn coordinates(self) -> [(&'static str, f64); 2] {
        match self.0 {
            None => [("x_m", MAX_COORDINATE_M), ("y_m", MAX_COORDINATE_M)],
            Some(_) => [("lon", 180.0), ("lat", MAX_LATITUDE_DEG)],
        }
    }

    fn place(self, numbers: [Option<f64>; 2]) -> Result<Metres, PointsFault> {
        let mut checked = [0.0; 2];
        for ((number, (what, limit)), checked) in numbers
            .into_iter()
            .zip(self.coordinates())
            .zip(&mut checked)
        {
            let number = number.filter(|number| number.abs() <= limit);
            *checked = number.ok_or(PointsFault::BadCoordinate { what, limit })?;
        }
        let [x, y] = checked;
        match self.0 {
            None => Ok(Metres { x, y }),
            Some(projection) => projection.project(x, y).ok_or(PointsFault::TooFar),
        }
    }
}

/// A point whose parts are checked.
fn point(name: &str, position: Metres, kw: Option<f64>) -> Result<PointOfInterest, PointsFault> {
    let is_name = (1..=MAX_NAME_BYTES).contains(&name.len()) && !name.chars().any(char::is_control);
    if !is_name {
        return Err(PointsFault::BadName);
    }
    let kw = kw.filter(|kw| (1.0..=f64::from(MAX_KW)).contains(kw));
    Ok(PointOfInterest {
        name: Arc::from(name),
        position,
        kw: kw.ok_or(PointsFault::BadPower)?.round() as u16,
    })
}

#[derive(Deserialize)]
struct Collection {
    r#type: String,
    #[serde(default)]
    features: Vec<Feature>,
}

#[derive(Deserialize)]
struct Feature {
    r#type: String,
    geometry: Option<Geometry>,
    properties: Option<Properties>,
}

#[derive(Deserialize)]
struct Geometry {
    r#type: String,
    #[serde(default)]
    coordinates: serde_json::Value,
}

#[derive(Deserialize)]
struct Properties {
    name: Option<String>,
    kw: Option<f64>,
}

fn geojson(content: &[u8], plane: Plane<'_>) -> Result<Vec<PointOfInterest>, Fault> {
    let collection: Collection = serde_json::from_slice(content).map_err(Fault::Json)?;
    if collection.r#type != "FeatureCollection" {
        return Err(Fault::File(PointsFault::NoCollection));
    }
    if collection.features.is_empty() {
        return Err(Fault::File(PointsFault::NoPoints));
    }
    if collection.features.len() > MAX_POINTS {
        return Err(Fault::File(PointsFault::TooManyPoints));
    }
    let features = (1..).zip(&collection.features);
    features
        .map(|(number, read)| feature(read, plane).map_err(|fault| Fault::Feature(number, fault)))
        .collect()
}

fn feature(feature: &Feature, plane: Plane<'_>) -> Result<PointOfInterest, PointsFault> {
    let geometry = feature.geometry.as_ref();
    let geometry = geometry.filter(|geometry| geometry.r#type == "Point");
    let geometry = geometry.filter(|_| feature.r#type == "Feature");
    let geometry = geometry.ok_or(PointsFault::NoPoint)?;
    let coordinates = geometry.coordinates.as_array().map(Vec::as_slice);
    let Some([x, y] | [x, y, _]) = coordinates else {
        return Err(PointsFault::NoCoordinates);
    };
    let position = plane.place([x.as_f64(), y.as_f64()])?;
    let properties = feature.properties.as_ref();
    let name = properties.and_then(|all| all.name.as_deref());
    point(
        name.unwrap_or_default(),
        position,
        properties.and_then(|all| all.kw),
    )
}

fn csv(content: &[u8], plane: Plane<'_>) -> Result<Vec<PointOfInterest>, Fault> {
    let mut rows = Rows::new(content);
    if !rows.next().map_err(Fault::Read)? {
        return Err(Fault::File(PointsFault::NoPoints));
    }
    let count = rows.row.len();
    let find = |name: &'static str| {
        let found = rows
            .find(name)
            .map_err(|_| PointsFault::RepeatedColumn(name));
        found.and_then(|found| found.ok_or(PointsFault::MissingColumn(name)))
    };
    let [(x, _), (y, _)] = plane.coordinates();
    let columns = [find("name"), find("kw"), find(x), find(y)];
    let mut places = [0; 4];
    for (column, place) in columns.into_iter().zip(&mut places) {
        *place = column.map_err(|fault| Fault::Line(rows.line, fault))?;
    }
    let mut points = Vec::new();
    while rows.next().map_err(Fault::Read)? {
        if points.len() == MAX_POINTS {
            return Err(Fault::Line(rows.line, PointsFault::TooManyPoints));
        }
        let read = row(&rows, count, places, plane);
        points.push(read.map_err(|fault| Fault::Line(rows.line, fault))?);
    }
    if points.is_empty() {
        return Err(Fault::File(PointsFault::NoPoints));
    }
    Ok(points)
}

fn row(
    rows: &Rows<'_>,
    count: usize,
    [name, kw, x, y]: [usize; 4],
    plane: Plane<'_>,
) -> Result<PointOfInterest, PointsFault> {
    let found = rows.row.len();
    if found != count {
        let expected = count;
        return Err(PointsFault::FieldCount { expected, found });
    }
    let text = |at: usize| str::from_utf8(&rows.row[at]).ok();
    let number = |at| text(at).and_then(|text| text.trim().parse::<f64>().ok());
    let position = plane.place([number(x), number(y)])?;
    point(text(name).unwrap_or_default(), position, number(kw))
}

#[cfg(test)]
mod tests;
