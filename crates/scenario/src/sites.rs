//! Roadside units' sites from CSV.
//!
//! ```csv
//! site_id,x_m,y_m,lon,lat,picked
//! cluster1,2769.01,2039.02,9.989128,53.558353,1
//! ```
//!
//! 1. The first line names the columns, in any order. `site_id` is required, and the coordinates
//!    of the trace's frame: `x_m` and `y_m`, or `lon` and `lat`. Other columns are passed over.
//! 2. If there is a column `picked`, it holds 0 or 1, and the sites are the rows with 1.
//! 3. Every row must be valid, picked or not; an id stands once.

use crate::{MAX_COORDINATE_M, MAX_LATITUDE_DEG, MAX_NAME_BYTES, Metres, Projection, rows::Rows};
use std::{
    collections::HashMap,
    fmt,
    fs::File,
    io::{self, Read},
    path::Path,
    str,
    sync::Arc,
};

/// Most sites: one for every signal junction of the largest cities.
pub const MAX_SITES: usize = 16_384;

/// Largest CSV file of sites, in bytes: [`MAX_SITES`] rows of 256 bytes.
pub const MAX_SITES_FILE_BYTES: usize = MAX_SITES * 256;

/// Where a roadside unit stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    /// The site's name, 1 to [`MAX_NAME_BYTES`] bytes, without control characters.
    pub id: Arc<str>,
    /// Its position in the trace's plane.
    pub position: Metres,
}

/// Why a file of sites was refused. Shown as one line: file, line, column, what was expected.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SitesError {
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
        fault: SitesFault,
    },
    /// A line is not what was expected.
    #[error("{file}, line {line}{}: {fault}", Column(*column))]
    Line {
        /// The file's name.
        file: String,
        /// The line on which the row begins, from 1.
        line: u64,
        /// The column, unless it is about the whole row.
        column: Option<&'static str>,
        /// What is wrong.
        #[source]
        fault: SitesFault,
    },
}

/// What is wrong with a file of sites.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SitesFault {
    /// The file is too large.
    #[error("expected at most {MAX_SITES_FILE_BYTES} bytes")]
    TooLarge,
    /// There is no row behind the column names.
    #[error("expected at least one site")]
    NoSites,
    /// There are rows, but none to use.
    #[error("expected at least one row with picked = 1")]
    NonePicked,
    /// A required column is not there.
    #[error("expected a column {0}")]
    MissingColumn(&'static str),
    /// A column's name stands twice.
    #[error("expected the column once, found it again")]
    RepeatedColumn,
    /// A row has more or fewer fields than there are column names.
    #[error("expected {expected} fields, found {found}")]
    FieldCount {
        /// Number of column names.
        expected: usize,
        /// Number of fields.
        found: usize,
    },
    /// A coordinate is no finite number, or too large.
    #[error("expected a number within ±{limit}")]
    BadCoordinate {
        /// Largest magnitude, in metres or degrees.
        limit: f64,
    },
    /// A site is too far from the trace to be projected with it.
    #[error("expected a site within {} km of the trace's first position", crate::MAX_EXTENT_M / 1000.0)]
    TooFar,
    /// An id that is empty, too long, not UTF-8, or has control characters.
    #[error("expected 1 to {MAX_NAME_BYTES} bytes of UTF-8 without control characters")]
    BadId,
    /// `picked` is neither 0 nor 1.
    #[error("expected 0 or 1")]
    BadPicked,
    /// Two sites have one id.
    #[error("expected each site once, found \"{id}\" again, first on line {first_line}")]
    DuplicateSite {
        /// The id.
        id: Arc<str>,
        /// Where it stood first.
        first_line: u64,
    },
    /// There are too many rows.
    #[error("expected at most {MAX_SITES} sites")]
    TooManySites,
}

/// Reads sites from a CSV file; see [`parse_sites`].
pub fn read_sites(
    path: impl AsRef<Path>,
    projection: Option<&Projection>,
) -> Result<Vec<Site>, SitesError> {
    let file = path.as_ref().display().to_string();
    let mut content = Vec::new();
    // One byte more than allowed shows that there is more.
    let limit = MAX_SITES_FILE_BYTES as u64 + 1;
    match File::open(path).and_then(|open| open.take(limit).read_to_end(&mut content)) {
        Ok(_) => parse_sites(&content, file, projection),
        Err(source) => Err(SitesError::Read {
            file,
            source: Arc::new(source),
        }),
    }
}

/// Reads sites from CSV, in the file's order; `file` is its name in errors.
///
/// For a trace in degrees, `projection` is the trace's, and `lon` and `lat` are read; for a trace
/// in metres it is `None`, and `x_m` and `y_m` are read.
pub fn parse_sites(
    content: &[u8],
    file: impl Into<String>,
    projection: Option<&Projection>,
) -> Result<Vec<Site>, SitesError> {
    let file = file.into();
    parse(content, projection).map_err(|fault| match fault {
        Fault::Read(source) => SitesError::Read {
            file,
            source: Arc::new(source),
        },
        Fault::File(fault) => SitesError::File { file, fault },
        Fault::Line(line, column, fault) => SitesError::Line {
            file,
            line,
            column,
            fault,
        },
    })
}

/// A fault and, if it has one, its line and column; the caller adds the file's name.
enum Fault {
    Read(io::Error),
    File(SitesFault),
    Line(u64, Option<&'static str>, SitesFault),
}

/// A column's name in an error.
struct Column(Option<&'static str>);

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |name| write!(f, ", column {name}"))
    }
}

fn parse(content: &[u8], projection: Option<&Projection>) -> Result<Vec<Site>, Fault> {
    if content.len() > MAX_SITES_FILE_BYTES {
        return Err(Fault::File(SitesFault::TooLarge));
    }
    let mut rows = Rows::new(content);
    if !rows.next().map_err(Fault::Read)? {
        return Err(Fault::File(SitesFault::NoSites));
    }
    let columns = Columns::find(&rows, projection)?;

    let mut sites = Vec::new();
    let mut lines = HashMap::new();
    while rows.next().map_err(Fault::Read)? {
        if lines.len() == MAX_SITES {
            return Err(Fault::Line(rows.line, None, SitesFault::TooManySites));
        }
        let (site, is_picked) = columns.site(&rows)?;
        if let Some(first_line) = lines.insert(site.id.clone(), rows.line) {
            let id = site.id;
            let fault = SitesFault::DuplicateSite { id, first_line };
            return Err(Fault::Line(rows.line, Some("site_id"), fault));
        }
        if is_picked {
            sites.push(site);
        }
    }
    if lines.is_empty() {
        return Err(Fault::File(SitesFault::NoSites));
    }
    if sites.is_empty() {
        return Err(Fault::File(SitesFault::NonePicked));
    }
    Ok(sites)
}

/// Attaches a fault to a column of the row.
fn fault(rows: &Rows<'_>, column: &'static str, fault: SitesFault) -> Fault {
    Fault::Line(rows.line, Some(column), fault)
}

/// Where the columns are in a row, and how its coordinates become metres.
struct Columns<'p> {
    count: usize,
    id: usize,
    x: (usize, &'static str),
    y: (usize, &'static str),
    picked: Option<usize>,
    projection: Option<&'p Projection>,
}

impl<'p> Columns<'p> {
    /// Finds the columns in the row of their names.
    fn find(names: &Rows<'_>, projection: Option<&'p Projection>) -> Result<Self, Fault> {
        let find = |name: &'static str| {
            let repeated = |_| fault(names, name, SitesFault::RepeatedColumn);
            names.find(name).map_err(repeated)
        };
        let require = |name| {
            let missing = || Fault::Line(names.line, None, SitesFault::MissingColumn(name));
            find(name)?.ok_or_else(missing)
        };
        let (x, y) = match projection {
            None => ("x_m", "y_m"),
            Some(_) => ("lon", "lat"),
        };
        Ok(Self {
            count: names.row.len(),
            id: require("site_id")?,
            x: (require(x)?, x),
            y: (require(y)?, y),
            picked: find("picked")?,
            projection,
        })
    }

    /// The site of a row, and whether it is picked.
    fn site(&self, rows: &Rows<'_>) -> Result<(Site, bool), Fault> {
        let row = &rows.row;
        if row.len() != self.count {
            let fault = SitesFault::FieldCount {
                expected: self.count,
                found: row.len(),
            };
            return Err(Fault::Line(rows.line, None, fault));
        }
        let id = str::from_utf8(&row[self.id])
            .ok()
            .filter(|id| (1..=MAX_NAME_BYTES).contains(&id.len()))
            .filter(|id| !id.chars().any(char::is_control))
            .ok_or_else(|| fault(rows, "site_id", SitesFault::BadId))?;
        let number = |(index, name): (usize, &'static str), limit: f64| {
            str::from_utf8(&row[index])
                .ok()
                .and_then(|text| text.parse::<f64>().ok())
                .filter(|number| number.abs() <= limit)
                .ok_or_else(|| fault(rows, name, SitesFault::BadCoordinate { limit }))
        };
        let position = match self.projection {
            None => Metres {
                x: number(self.x, MAX_COORDINATE_M)?,
                y: number(self.y, MAX_COORDINATE_M)?,
            },
            Some(projection) => projection
                .project(number(self.x, 180.0)?, number(self.y, MAX_LATITUDE_DEG)?)
                .ok_or(Fault::Line(rows.line, None, SitesFault::TooFar))?,
        };
        let is_picked = match self.picked.map(|index| &row[index]) {
            None | Some(b"1") => true,
            Some(b"0") => false,
            Some(_) => return Err(fault(rows, "picked", SitesFault::BadPicked)),
        };
        let id = Arc::from(id);
        Ok((Site { id, position }, is_picked))
    }
}

#[cfg(test)]
mod tests;
