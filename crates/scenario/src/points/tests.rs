use super::*;

fn parse(content: &str) -> Result<Vec<PointOfInterest>, PointsError> {
    parse_points(content.as_bytes(), "points", None)
}

/// The line that says why this content is refused.
fn refused(content: &str) -> String {
    parse(content).unwrap_err().to_string()
}

const POINT: &str = r#"{"type": "Feature", "geometry": {"type": "Point", "coordinates": [620, -5.5]},
    "properties": {"name": "Town hall", "kw": 150, "operator": "nobody"}}"#;

fn collection(features: &[&str]) -> String {
    format!(
        r#"{{"type": "FeatureCollection", "features": [{}]}}"#,
        features.join(",\n")
    )
}

fn town_hall() -> PointOfInterest {
    PointOfInterest {
        name: Arc::from("Town hall"),
        position: Metres { x: 620.0, y: -5.5 },
        kw: 150,
    }
}

#[test]
fn geojson_and_csv_say_the_same() {
    let of_json = parse(&collection(&[POINT])).unwrap();
    let of_csv = parse("kw,note,y_m,x_m,name\n150,-,-5.5,620,Town hall\n").unwrap();
    assert_eq!(of_json, [town_hall()]);
    assert_eq!(of_csv, of_json);
}

#[test]
fn degrees_are_projected_with_the_trace() {
    let projection = Projection::around(10.0, 53.5).unwrap();
    let expected = projection.project(10.001, 53.501).unwrap();
    let feature = POINT.replace("620, -5.5", "10.001, 53.501, 7");
    let csv = "name,lon,lat,kw\nTown hall,10.001,53.501,150\n";
    for content in [collection(&[&feature]), csv.to_owned()] {
        let points = parse_points(content.as_bytes(), "points", Some(&projection)).unwrap();
        assert_eq!(points[0].position, expected);
        assert_eq!(points[0].name, town_hall().name);
    }
    let far = "name,lon,lat,kw\na,10,60,1\n";
    let error = parse_points(far.as_bytes(), "points", Some(&projection)).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("points, line 2: expected a point within 200 km")
    );
}

#[test]
fn faults_of_geojson_are_named_with_the_feature_or_the_line() {
    let second = |from: &str, to: &str| collection(&[POINT, &POINT.replace(from, to)]);
    for (content, expected) in [
        (
            second("150", "0"),
            "points, feature 2: expected kw, a number from 1 to 10000",
        ),
        (
            second("\"kw\": 150", "\"kW\": 150"),
            "feature 2: expected kw",
        ),
        (
            second("Town hall", ""),
            "feature 2: expected a name of 1 to",
        ),
        (
            second("Town hall", "a\\u0007"),
            "feature 2: expected a name",
        ),
        (
            second("620", "1e9"),
            "feature 2: expected x_m, a number within ±20000000",
        ),
        (
            second("620, -5.5", "620"),
            "feature 2: expected two coordinates",
        ),
        (second("620, -5.5", "\"a\", 1"), "feature 2: expected x_m"),
        (
            second("Point", "Polygon"),
            "feature 2: expected a Feature with a geometry of type Point",
        ),
        (second("Feature", "Thing"), "feature 2: expected a Feature"),
        (
            second("150", "\"much\""),
            "invalid type: string \"much\", expected f64 at line 4",
        ),
        (
            collection(&[]),
            "points: expected at least one charging point",
        ),
        ("{}".into(), "missing field `type` at line 1"),
        (
            r#"{"type": "Feature"}"#.into(),
            "expected \"type\": \"FeatureCollection\"",
        ),
        (collection(&[POINT]) + "]", "trailing characters at line 2"),
    ] {
        let said = refused(&content);
        assert!(said.contains(expected), "{expected:?} in {said:?}");
        assert_eq!(said.lines().count(), 1);
    }
}

#[test]
fn faults_of_csv_are_named_with_the_line() {
    for (content, expected) in [
        ("", "points: expected at least one charging point"),
        (
            "name,x_m,y_m,kw\n",
            "points: expected at least one charging point",
        ),
        (
            "name,x_m,y_m\na,1,2\n",
            "points, line 1: expected a column kw",
        ),
        ("name,x_m,x_m,kw\n", "line 1: expected column x_m once"),
        (
            "name,x_m,y_m,kw\n\na,1,2\n",
            "line 3: expected 4 fields, found 3",
        ),
        (
            "name,x_m,y_m,kw\na,1,2,11\nb,1,north,11\n",
            "line 3: expected y_m, a number",
        ),
        (
            "name,x_m,y_m,kw\na,nan,2,11\n",
            "line 2: expected x_m, a number",
        ),
        (
            "name,x_m,y_m,kw\na,1,2,20000\n",
            "line 2: expected kw, a number from 1 to 10000",
        ),
        ("name,x_m,y_m,kw\n,1,2,11\n", "line 2: expected a name"),
    ] {
        let said = refused(content);
        assert!(said.contains(expected), "{expected:?} in {said:?}");
    }
    let name = "n".repeat(MAX_NAME_BYTES + 1);
    let long = format!("name,x_m,y_m,kw\n{name},1,2,11\n");
    assert!(refused(&long).contains("expected a name"));
    let bytes = b"name,x_m,y_m,kw\n\xff,1,2,11\n";
    assert!(parse_points(bytes, "points", None).is_err());
}

#[test]
fn deep_nesting_is_refused_and_overflows_nothing() {
    let deep = format!(
        r#"{{"type": "FeatureCollection", "features": [{{"type": "Feature", "geometry": {{"type": "Point", "coordinates": {}"#,
        "[".repeat(100_000)
    );
    assert!(refused(&deep).contains("recursion limit"));
}

proptest::proptest! {
    #[test]
    fn any_content_is_read_or_refused(content in "[\\PC\n]{0,200}") {
        let _ = parse(&content);
        let _ = parse(&format!("name,x_m,y_m,kw\n{content}"));
        let _ = parse(&format!("{{{content}"));
    }
}
