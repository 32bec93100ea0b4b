//! Groups that share audited files: some member uploads, and only manager and LEA together find
//! out which.

mod common;

use common::{World, cairn, json, noise};
use serde_json::Value;
use std::{fs, path::Path};

/// A store with group `plant` of `owner` and `bob`, and a file that Bob uploaded.
fn plant(content: &[u8]) -> World {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    fs::write(path.join("a.bin"), content).unwrap();
    let group = json(&cairn(path, &["group", "create", "plant"]), 0);
    assert_eq!((&group["epoch"], &group["number"]), (&1.into(), &1.into()));
    let group = json(&cairn(path, &["group", "join", "plant", "bob"]), 0);
    assert_eq!(group["members"], Value::from(vec!["owner", "bob"]));
    let put = ["put", "a.bin", "--group", "plant", "--member", "bob"];
    let put = json(&cairn(path, &put), 0);
    let id = put["file"].as_str().unwrap().to_owned();
    World { dir, id }
}

impl World {
    fn trace(&self, version: &str) -> Value {
        let path = self.dir.path();
        fs::write(path.join("why.txt"), "court order 7").unwrap();
        let args = [
            "trace",
            &self.id,
            "--version",
            version,
            "--reason",
            "why.txt",
        ];
        json(&cairn(path, &args), 0)
    }

    fn refused(&self, args: &[&str], expected: &str) {
        let output = cairn(self.dir.path(), args);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {stderr}");
        assert!(stderr.contains(expected), "{args:?}: {stderr}");
        assert_eq!(stderr.trim_end().lines().count(), 1, "{args:?}: {stderr}");
    }
}

/// Whether a file below `path` holds these bytes.
fn is_anywhere(path: &Path, needle: &[u8]) -> bool {
    fs::read_dir(path).unwrap().flatten().any(|entry| {
        if entry.file_type().unwrap().is_dir() {
            return is_anywhere(&entry.path(), needle);
        }
        let bytes = fs::read(entry.path()).unwrap();
        bytes.windows(needle.len()).any(|window| window == needle)
    })
}

#[test]
fn members_share_a_file_and_are_found_by_manager_and_lea_together() {
    let mut content = noise(20_000, 1);
    let world = plant(&content);
    let path = world.dir.path();
    // Another member reads it and makes the next version.
    assert_eq!(world.get(), content);
    content[5] ^= 1;
    assert_eq!(world.update(&content)["version"], 2);
    let get = cairn(path, &["get", &world.id, "--member", "bob"]);
    assert_eq!(get.stdout, content);
    world.run("audit", 0);
    world.run("verify", 0);

    // What auditor, vault and evidence hold names nobody.
    for public in ["evidence", "vault", "groups"] {
        assert!(!is_anywhere(&world.store().join(public), b"bob"));
    }
    assert_eq!(world.trace("1")["member"], "bob");
    let second = world.trace("2");
    assert_eq!(second["member"], "owner");
    assert_eq!(second["group"], "plant");
    assert!(second["opening"].is_string());
    // The answer stays on the ledger; asking again leaves no second one.
    assert!(world.trace("2")["opening"].is_null());
    world.refused(
        &["trace", &world.id, "--version", "3", "--reason", "why.txt"],
        "no version 3",
    );
}

/// The next epoch begins when a member leaves.
#[test]
fn a_member_who_left_uploads_nothing_and_reads_nothing_new() {
    let mut content = noise(20_000, 2);
    let world = plant(&content);
    let path = world.dir.path();
    let kept_by_bob = fs::read(world.store().join("groups/1/1/1")).unwrap();
    let group = json(&cairn(path, &["group", "leave", "plant", "bob"]), 0);
    assert_eq!(group["members"], Value::from(vec!["owner"]));
    assert_eq!(group["epoch"], 2);
    assert_eq!(world.get(), content, "of the first epoch");

    let update = ["update", &world.id, "a.bin", "--member", "bob"];
    world.refused(&update, "has left the group");
    // The sealed secret of his epoch, under the name of the next: it is not the ledger's key.
    let stolen = world.store().join("groups/1/2/1");
    fs::write(&stolen, kept_by_bob).unwrap();
    let output = cairn(path, &update);
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(stderr.contains("secret of the epoch"), "{stderr}");
    fs::remove_file(&stolen).unwrap();

    // Every block is tagged and sealed anew under the next epoch's keys.
    content[5] ^= 1;
    let put = world.update(&content);
    assert_eq!(
        (&put["version"], &put["sent_blocks"]),
        (&2.into(), &put["blocks"])
    );
    world.run("audit", 0);
    world.run("verify", 0);
    let read = ["get", &world.id, "--member", "bob"];
    world.refused(&read, "has left the group");
    assert_eq!(world.get(), content);
    // Who joins later reads what is older, and what he uploaded before he left is still found.
    json(&cairn(path, &["group", "join", "plant", "eve"]), 0);
    let get = cairn(path, &["get", &world.id, "--member", "eve"]);
    assert_eq!(get.stdout, content);
    assert_eq!(world.trace("1")["member"], "bob");
}

#[test]
fn who_joins_later_reads_files_of_earlier_epochs() {
    let content = noise(20_000, 3);
    let world = plant(&content);
    let path = world.dir.path();
    json(&cairn(path, &["group", "join", "plant", "carl"]), 0);
    json(&cairn(path, &["group", "leave", "plant", "bob"]), 0);
    json(&cairn(path, &["group", "leave", "plant", "carl"]), 0);
    json(&cairn(path, &["group", "join", "plant", "eve"]), 0);
    let get = cairn(path, &["get", &world.id, "--member", "eve"]);
    assert_eq!(get.stdout, content);
    world.run("audit", 0);
}

#[test]
fn wrong_names_of_groups_and_members_are_one_line_and_exit_code_2() {
    let world = plant(b"a small file");
    let cases: &[(&[&str], &str)] = &[
        (&["group", "create", "plant"], "has a group plant already"),
        (&["group", "join", "nowhere", "eve"], "no group nowhere"),
        (&["group", "join", "plant", "bob"], "is taken"),
        (&["group", "leave", "plant", "eve"], "no such member"),
        (&["put", "a.bin", "--group", "nowhere"], "no group nowhere"),
        (
            &["put", "a.bin", "--group", "plant", "--member", "eve"],
            "eve is no member",
        ),
        (&["get", &world.id, "--member", "eve"], "eve is no member"),
    ];
    for (args, expected) in cases {
        world.refused(args, expected);
    }
    let output = cairn(world.dir.path(), &["group", "create", "Plant 2"]);
    assert_eq!(output.status.code(), Some(2));
}
