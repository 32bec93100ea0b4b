//! Audited files, as a user keeps them.

mod common;

use cairn_node::files::sabotage::Damage;
use common::{World, cairn, command, copy, json, noise};
use serde_json::Value;
use std::{
    fs,
    process::{Command, Stdio},
};

#[test]
fn what_was_put_comes_back_and_audits_say_so() {
    let content = noise(2_000_000, 1);
    let world = World::with(&content);
    assert_eq!(world.get(), content);
    assert_eq!(world.run("verify", 1)["reason"], "it was never audited");

    let audit = world.run("audit", 0);
    assert_eq!(audit["intact"], true);
    assert_eq!(audit["challenged"], 460);
    assert!(audit["detection_probability"].as_f64().unwrap() > 0.99);
    assert!(audit["proof_bytes"].as_u64().unwrap() > 4_000);
    assert!(audit["verify_ms"].as_f64().unwrap() > 0.0);
    let verify = world.run("verify", 0);
    assert_eq!(
        (&verify["intact"], &verify["audit"]),
        (&true.into(), &1.into())
    );
    assert_eq!(verify["overdue"], false);
}

#[test]
fn an_update_sends_what_changed_and_is_not_intact_before_its_audit() {
    let mut content = noise(1_000_000, 2);
    let world = World::with(&content);
    world.run("audit", 0);
    content[500_000] ^= 1;
    let update = world.update(&content);
    assert_eq!(
        (&update["version"], &update["sent_blocks"]),
        (&2.into(), &1.into())
    );
    assert_eq!(world.get(), content);
    world.run("verify", 1);
    assert_eq!(world.run("audit", 0)["version"], 2);
    world.run("verify", 0);

    // Shorter, then longer: the freed places are not used again.
    for length in [300_000, 1_500_000] {
        let content = noise(length, 3);
        world.update(&content);
        assert_eq!(world.get(), content);
        world.run("audit", 0);
    }
    let same = world.update(&noise(1_500_000, 3));
    assert_eq!(
        (&same["version"], &same["sent_blocks"]),
        (&4.into(), &0.into())
    );
}

#[test]
fn a_lost_block_is_caught_and_an_update_repairs_it() {
    let content = noise(1_000_000, 4);
    let world = World::with(&content);
    world.run("audit", 0);
    world.damage(Damage::Lose);
    assert_eq!(world.is_damaged(), "block 0 is missing");
    let get = cairn(world.dir.path(), &["get", &world.id]);
    assert_eq!(get.status.code(), Some(1));
    assert!(get.stdout.is_empty(), "nothing before the first block");

    assert_eq!(world.update(&content)["sent_blocks"], 1);
    world.run("audit", 0);
    assert_eq!(world.run("verify", 0)["failed_audits"], 1);
}

#[test]
fn a_changed_bit_is_caught() {
    let world = World::with(&noise(1_000_000, 5));
    world.damage(Damage::Flip);
    assert_eq!(world.is_damaged(), "block 0 was changed");
}

#[test]
fn an_emptied_or_rolled_back_vault_is_caught() {
    let mut content = noise(200_000, 6);
    let world = World::with(&content);
    let (vault, old) = (world.store().join("vault"), world.dir.path().join("old"));
    copy(&vault, &old);
    content[0] ^= 1;
    world.update(&content);
    world.run("audit", 0);
    fs::remove_dir_all(&vault).unwrap();
    copy(&old, &vault);
    assert!(world.is_damaged().contains("version 2"), "rolled back");
    fs::remove_dir_all(&vault).unwrap();
    assert!(world.is_damaged().contains("version 2"), "emptied");
}

#[test]
fn changed_or_exchanged_evidence_is_caught() {
    let world = World::with(&noise(200_000, 7));
    let name = |audit: &Value| audit["evidence"].as_str().unwrap().to_owned();
    let (first, second) = (world.run("audit", 0), world.run("audit", 0));
    assert_ne!(first["round_height"], second["round_height"]);
    let path = |name: String| world.store().join("evidence").join(name);
    let (first, second) = (path(name(&first)), path(name(&second)));
    let kept = fs::read(&second).unwrap();
    let mut changed = kept.clone();
    *changed.last_mut().unwrap() ^= 1;
    for false_evidence in [changed, fs::read(&first).unwrap(), Vec::new()] {
        fs::write(&second, false_evidence).unwrap();
        let verify = world.run("verify", 1);
        assert!(verify["reason"].as_str().unwrap().contains("evidence"));
    }
    fs::write(&second, kept).unwrap();
    world.run("verify", 0);
}

#[test]
fn an_upload_that_was_killed_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let content = noise(40_000_000, 8);
    fs::write(dir.path().join("a.bin"), &content).unwrap();
    let mut child = command(dir.path(), &["put", "a.bin"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Until the first of twenty batches was acknowledged.
    let uploads = dir.path().join("store/uploads");
    let acknowledged = || {
        let mut journals = fs::read_dir(&uploads).ok()?.flatten();
        let length = journals.next()?.metadata().ok()?.len();
        (length > 32).then_some(())
    };
    while acknowledged().is_none() {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();

    let put = json(&cairn(dir.path(), &["put", "a.bin"]), 0);
    assert_eq!(put["version"], 1);
    let (blocks, sent) = (put["blocks"].as_u64().unwrap(), put["sent_blocks"].as_u64());
    assert!(sent.unwrap() < blocks, "what had arrived was sent again");
    let id = put["file"].as_str().unwrap().to_owned();
    let world = World { dir, id };
    assert_eq!(world.get(), content);
    world.run("audit", 0);
}

#[test]
fn bad_input_is_one_line_and_exit_code_2() {
    let world = World::with(b"a small file");
    let dir = world.dir.path();
    fs::write(dir.join("empty"), "").unwrap();
    fs::create_dir(dir.join("other")).unwrap();
    fs::write(dir.join("other/thesis.tex"), "chapter 1").unwrap();
    let unknown = "0".repeat(64);
    let cases: &[(&[&str], &str, &str)] = &[
        (&["audit", "xyz"], "store", "64 hexadecimal digits"),
        (
            &["audit", &"é".repeat(32)],
            "store",
            "64 hexadecimal digits",
        ),
        (&["audit", &unknown], "store", "no file"),
        (&["verify", &unknown], "store", "no file"),
        (&["get", &unknown], "store", "no file"),
        (&["update", &unknown, "a.bin"], "store", "no file"),
        (&["put", "nowhere"], "store", "nowhere"),
        (&["put", "other"], "store", "other"),
        (&["put", "empty"], "store", "empty"),
        (&["put", "a.bin"], "other", "choose another directory"),
        (&["audit", &world.id], "none", "holds no store"),
    ];
    for (args, store, expected) in cases {
        let output = Command::new(env!("CARGO_BIN_EXE_cairn"))
            .arg("file")
            .args(*args)
            .args(["--store", store])
            .current_dir(dir)
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {stderr}");
        assert!(stderr.contains(expected), "{args:?}: {stderr}");
        assert_eq!(stderr.trim_end().lines().count(), 1, "{args:?}: {stderr}");
    }
    assert!(!dir.join("none").exists(), "a look made a store");
    assert!(world.run("audit", 0)["intact"].as_bool().unwrap());
}

#[test]
fn the_demonstration_catches_its_loss() {
    let dir = tempfile::tempdir().unwrap();
    let shown = cairn_node::files::show_loss(&dir.path().join("demo")).unwrap();
    assert!(shown.caught, "{shown:?}");
    assert_eq!(shown.member, "bob");
}

#[test]
fn the_auditor_audits_what_is_due_and_raises_alarms() {
    let world = World::with(&noise(200_000, 9));
    let dir = world.dir.path();
    fs::write(dir.join("b.bin"), noise(10_000, 10)).unwrap();
    let second = json(&cairn(dir, &["put", "b.bin"]), 0);
    let watch = |code| json(&cairn(dir, &["watch", "--once", "--every", "1h"]), code);
    let round = watch(0);
    assert_eq!((&round["files"], audits(&round)), (&2.into(), 2));
    let list = json(&cairn(dir, &["list"]), 0);
    for (place, id) in [
        (0, world.id.as_str()),
        (1, second["file"].as_str().unwrap()),
    ] {
        assert_eq!(list[place]["file"], id);
        assert_eq!(list[place]["intact"], true);
        assert_eq!(list[place]["overdue"], false);
    }
    assert_eq!(audits(&watch(0)), 0, "nothing is due");

    // A new version is due at once; the lost block is in it.
    let mut content = noise(200_000, 9);
    content[150_000] ^= 1;
    world.update(&content);
    world.damage(Damage::Lose);
    let round = watch(1);
    assert_eq!(audits(&round), 1);
    assert_eq!(round["alarms"][0]["alarm"], "damaged");
    assert_eq!(round["alarms"][0]["file"], world.id);
    let list = json(&cairn(dir, &["list"]), 0);
    assert_eq!(
        (&list[0]["intact"], &list[0]["failed_audits"]),
        (&false.into(), &1.into())
    );
}

fn audits(round: &Value) -> usize {
    round["audits"].as_array().unwrap().len()
}
