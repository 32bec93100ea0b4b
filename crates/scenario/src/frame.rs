//! Coordinates: metres on a local plane, and the way from longitude and latitude to them.

/// Largest magnitude of a coordinate, in metres. UTM northings end at 10,000 km; and any position
/// within the limit fits a 32-bit count of centimetres.
pub const MAX_COORDINATE_M: f64 = 20_000_000.0;

/// Largest magnitude of a latitude, in degrees. Beyond it a degree of longitude shrinks so fast
/// that the projection means nothing; no road network lies there.
pub const MAX_LATITUDE_DEG: f64 = 85.0;

/// Largest distance of a projected position from the projection's origin, in metres: at 55° the
/// scale error there is below 5 % (see [`Projection`]), so a 500 m range is wrong by 25 m at most.
pub const MAX_EXTENT_M: f64 = 200_000.0;

/// Semi-major axis of the WGS 84 ellipsoid, in metres.
const WGS84_A: f64 = 6_378_137.0;

/// First eccentricity squared of the WGS 84 ellipsoid.
const WGS84_E2: f64 = 0.006_694_379_990_14;

/// A position on the local plane, in metres: `x` to the east, `y` to the north.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metres {
    /// Metres to the east.
    pub x: f64,
    /// Metres to the north.
    pub y: f64,
}

impl Metres {
    /// Straight-line distance, in metres.
    pub fn distance(self, other: Self) -> f64 {
        (self.x - other.x).hypot(self.y - other.y)
    }
}

/// What `x` and `y` mean in a trace. The caller says so; a trace does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Metres on a plane, as SUMO writes by default.
    Metric,
    /// `x` is the longitude and `y` the latitude, WGS 84 degrees (`--fcd-output.geo`).
    /// Positions are projected around the trace's first sample.
    Geo,
}

/// A local plane touching the WGS 84 ellipsoid at an origin (equirectangular projection).
///
/// North–south distances are exact to 0.02 % within 200 km. An east–west distance is scaled with
/// the origin's latitude φ instead of its own; at `d` metres north of the origin it is wrong by
/// the share `d · tan φ / 6,370 km`: at 53.5°, 0.2 % at 10 km and 4.2 % at 200 km.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Projection {
    longitude: f64,
    latitude: f64,
    metres_per_degree_east: f64,
    metres_per_degree_north: f64,
}

impl Projection {
    /// The plane touching at this point, in degrees; `None` unless the point
    /// [is on the map](Self::on_map).
    pub fn around(longitude: f64, latitude: f64) -> Option<Self> {
        if !Self::on_map(longitude, latitude) {
            return None;
        }
        let (sin, cos) = latitude.to_radians().sin_cos();
        let w2 = 1.0 - WGS84_E2 * sin * sin;
        let transverse = WGS84_A / w2.sqrt();
        let meridional = transverse * (1.0 - WGS84_E2) / w2;
        Some(Self {
            longitude,
            latitude,
            metres_per_degree_east: (transverse * cos).to_radians(),
            metres_per_degree_north: meridional.to_radians(),
        })
    }

    /// Whether the longitude is within ±180° and the latitude within ±[`MAX_LATITUDE_DEG`].
    pub fn on_map(longitude: f64, latitude: f64) -> bool {
        longitude.abs() <= 180.0 && latitude.abs() <= MAX_LATITUDE_DEG
    }

    /// Where a point in degrees lies on the plane; `None` unless it is on the map and within
    /// [`MAX_EXTENT_M`] of the origin. The date line is crossed the short way.
    pub fn project(&self, longitude: f64, latitude: f64) -> Option<Metres> {
        if !Self::on_map(longitude, latitude) {
            return None;
        }
        let mut east = longitude - self.longitude;
        if east > 180.0 {
            east -= 360.0;
        } else if east < -180.0 {
            east += 360.0;
        }
        let position = Metres {
            x: east * self.metres_per_degree_east,
            y: (latitude - self.latitude) * self.metres_per_degree_north,
        };
        (position.x.hypot(position.y) <= MAX_EXTENT_M).then_some(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn degrees_have_their_known_lengths() {
        // Published lengths of a degree on WGS 84 at 0° and 45°.
        let equator = Projection::around(0.0, 0.0).unwrap();
        let east = equator.project(1.0, 0.0).unwrap();
        assert!((east.x - 111_319.5).abs() < 0.1 && east.y == 0.0);
        let north = equator.project(0.0, 1.0).unwrap();
        assert!((north.y - 110_574.3).abs() < 1.0);
        let middle = Projection::around(10.0, 45.0).unwrap();
        assert!((middle.project(11.0, 45.0).unwrap().x - 78_846.8).abs() < 1.0);
        assert!((middle.project(10.0, 46.0).unwrap().y - 111_131.8).abs() < 1.0);
    }

    #[test]
    fn the_date_line_is_crossed_the_short_way() {
        let fiji = Projection::around(179.9, -17.0).unwrap();
        let east = fiji.project(-179.9, -17.0).unwrap();
        assert!(east.x > 20_000.0 && east.x < 22_000.0);
        let back = Projection::around(-179.9, -17.0).unwrap();
        assert_eq!(back.project(179.9, -17.0).unwrap().x, -east.x);
    }

    #[test]
    fn what_is_off_the_map_or_too_far_is_refused() {
        assert!(Projection::around(181.0, 0.0).is_none());
        assert!(Projection::around(0.0, 86.0).is_none());
        assert!(Projection::around(f64::NAN, 0.0).is_none());
        let origin = Projection::around(10.0, 53.5).unwrap();
        assert!(origin.project(10.0, 54.5).is_some());
        assert!(origin.project(10.0, 56.0).is_none());
        assert!(origin.project(f64::INFINITY, 53.5).is_none());
    }
}
