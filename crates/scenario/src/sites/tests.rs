use super::*;

/// The line, column and fault with which this content is refused.
fn refused(content: &str) -> (u64, Option<&'static str>, SitesFault) {
    match parse_sites(content.as_bytes(), "sites.csv", None).unwrap_err() {
        SitesError::Line {
            line,
            column,
            fault,
            ..
        } => (line, column, fault),
        SitesError::File { fault, .. } => (0, None, fault),
        other => panic!("{other}"),
    }
}

#[test]
fn columns_are_found_by_name_and_picked_rows_kept() {
    let content = "\u{feff}note,y_m,picked,x_m,site_id\r\n\
                   n,2.5,1,-1,\"a, b\"\r\nn,0,0,0,c\r\n\r\nn,4,1,3,d";
    let sites = parse_sites(content.as_bytes(), "sites.csv", None).unwrap();
    let found: Vec<_> = sites
        .iter()
        .map(|site| (&*site.id, site.position.x, site.position.y))
        .collect();
    assert_eq!(found, [("a, b", -1.0, 2.5), ("d", 3.0, 4.0)]);

    let all = parse_sites(b"site_id,x_m,y_m\na,1,2\nb,3,4\n", "sites.csv", None).unwrap();
    assert_eq!(all.len(), 2);
}

#[test]
fn degrees_are_projected_with_the_trace() {
    let projection = Projection::around(10.0, 53.5).unwrap();
    let parse = |row: &str| {
        let content = format!("site_id,lon,lat\n{row}\n");
        parse_sites(content.as_bytes(), "sites.csv", Some(&projection))
    };
    let site = parse("a,10.001,53.501").unwrap().remove(0);
    assert_eq!(Some(site.position), projection.project(10.001, 53.501));
    let fault = |row: &str| match parse(row).unwrap_err() {
        SitesError::Line { column, fault, .. } => (column, fault),
        other => panic!("{other}"),
    };
    assert_eq!(fault("a,10,60"), (None, SitesFault::TooFar));
    let limit = MAX_LATITUDE_DEG;
    assert_eq!(
        fault("a,10,90"),
        (Some("lat"), SitesFault::BadCoordinate { limit })
    );
}

#[test]
fn faults_are_named_with_line_and_column() {
    use SitesFault::*;
    let limit = MAX_COORDINATE_M;
    let id = Arc::from("a");
    let long = "a".repeat(MAX_NAME_BYTES + 1);
    for (content, expected) in [
        ("", (0, None, NoSites)),
        ("\n\n", (0, None, NoSites)),
        ("site_id,x_m,y_m\n", (0, None, NoSites)),
        ("site_id,x_m,y_m,picked\na,1,2,0\n", (0, None, NonePicked)),
        ("\nsite_id,x_m\na,1\n", (2, None, MissingColumn("y_m"))),
        ("a,1,2\n", (1, None, MissingColumn("site_id"))),
        (
            "site_id,x_m,y_m,x_m\na,1,2,3\n",
            (1, Some("x_m"), RepeatedColumn),
        ),
        (
            "site_id,x_m,y_m\r\na,1,2\r\nb,1\r\n",
            (
                3,
                None,
                FieldCount {
                    expected: 3,
                    found: 2,
                },
            ),
        ),
        (
            "site_id,x_m,y_m\na,1,2\n\n\nb,nan,3\n",
            (5, Some("x_m"), BadCoordinate { limit }),
        ),
        (
            "site_id,x_m,y_m\na,1,-inf\n",
            (2, Some("y_m"), BadCoordinate { limit }),
        ),
        (
            "site_id,x_m,y_m\na,1,30000000\n",
            (2, Some("y_m"), BadCoordinate { limit }),
        ),
        (
            "site_id,x_m,y_m\na,,1\n",
            (2, Some("x_m"), BadCoordinate { limit }),
        ),
        ("site_id,x_m,y_m\n,1,1\n", (2, Some("site_id"), BadId)),
        (
            "site_id,x_m,y_m\n\"a\nb\",1,1\n",
            (2, Some("site_id"), BadId),
        ),
        (
            &format!("site_id,x_m,y_m\n{long},1,1\n"),
            (2, Some("site_id"), BadId),
        ),
        (
            "site_id,x_m,y_m,picked\na,1,1,yes\n",
            (2, Some("picked"), BadPicked),
        ),
        (
            "site_id,x_m,y_m\na,1,1\nb,1,1\na,2,2\n",
            (4, Some("site_id"), DuplicateSite { id, first_line: 2 }),
        ),
    ] {
        assert_eq!(refused(content), expected, "{content:?}");
    }
}

#[test]
fn size_and_count_are_limited() {
    let large = vec![b'\n'; MAX_SITES_FILE_BYTES + 1];
    assert!(matches!(
        parse_sites(&large, "sites.csv", None),
        Err(SitesError::File {
            fault: SitesFault::TooLarge,
            ..
        })
    ));
    let mut many = String::from("site_id,x_m,y_m\n");
    for site in 0..=MAX_SITES {
        many.push_str(&format!("{site},1,1\n"));
    }
    let line = MAX_SITES as u64 + 2;
    assert_eq!(refused(&many), (line, None, SitesFault::TooManySites));
}

#[test]
fn an_error_is_one_line() {
    let error = parse_sites(b"site_id,x_m,y_m\na,1,x\n", "sites.csv", None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "sites.csv, line 2, column y_m: expected a number within ±20000000"
    );
    let missing = read_sites("no/such/file.csv", None).unwrap_err();
    assert!(
        missing
            .to_string()
            .starts_with("cannot read no/such/file.csv: ")
    );
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_parsed_or_refused(
        content in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400),
        rows in "(site_id,x_m,y_m\\r?\\n)?([a-c\",0-9.\\r\\n]{0,60})",
    ) {
        let _ = parse_sites(&content, "sites.csv", None);
        if let Ok(sites) = parse_sites(rows.as_bytes(), "sites.csv", None) {
            proptest::prop_assert!(!sites.is_empty());
        }
    }
}
