//! A store of audited files, as a user keeps it. Every command is a process of its own, so that each
//! one finds what the one before it left on the disk.
#![allow(dead_code, reason = "each test file uses its part of this module")]

use cairn_node::files::{
    parse_id,
    sabotage::{Damage, damage_block},
};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};
use tempfile::TempDir;

/// Bytes that do not repeat: xorshift64.
pub fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut out = Vec::with_capacity(bytes + 8);
    while out.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&state.to_le_bytes());
    }
    out.truncate(bytes);
    out
}

pub struct World {
    pub dir: TempDir,
    pub id: String,
}

impl World {
    /// A store with one file of this content.
    pub fn with(content: &[u8]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.bin"), content).unwrap();
        let put = json(&cairn(dir.path(), &["put", "a.bin"]), 0);
        let id = put["file"].as_str().unwrap().to_owned();
        assert_eq!(put["version"], 1);
        assert_eq!(put["bytes"], content.len());
        Self { dir, id }
    }

    pub fn store(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    pub fn run(&self, command: &str, code: i32) -> Value {
        json(&cairn(self.dir.path(), &[command, &self.id]), code)
    }

    pub fn update(&self, content: &[u8]) -> Value {
        fs::write(self.dir.path().join("next.bin"), content).unwrap();
        json(
            &cairn(self.dir.path(), &["update", &self.id, "next.bin"]),
            0,
        )
    }

    pub fn get(&self) -> Vec<u8> {
        let output = cairn(self.dir.path(), &["get", &self.id]);
        assert_eq!(output.status.code(), Some(0));
        output.stdout
    }

    pub fn damage(&self, damage: Damage) {
        damage_block(&self.store(), &parse_id(&self.id).unwrap(), damage).unwrap();
    }

    pub fn is_damaged(&self) -> String {
        let audit = self.run("audit", 1);
        assert_eq!(audit["intact"], false);
        let verify = self.run("verify", 1);
        assert_eq!(verify["intact"], false);
        audit["reason"].as_str().unwrap().to_owned()
    }
}

pub fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cairn"));
    command
        .arg("file")
        .args(args)
        .args(["--store", "store", "--json"])
        .current_dir(dir);
    command
}

pub fn cairn(dir: &Path, args: &[&str]) -> Output {
    command(dir, args)
        .output()
        .expect("the binary can be started")
}

pub fn json(output: &Output, code: i32) -> Value {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "stderr: {stderr}");
    serde_json::from_slice(&output.stdout).unwrap()
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
