//! Networks of several processes, as a user runs them.

#[path = "common/net.rs"]
mod net;

use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

fn cairn(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cairn"))
        .args(args)
        .current_dir(dir)
        .output()
        .expect("the binary can be started")
}

fn init(dir: &Path, orgs: &str) {
    let port = net::free_ports().to_string();
    let args = ["testnet", "init", "--validators", "4", "--orgs", orgs];
    let output = cairn(dir, &[&args[..], &["--port", &port, "net"]].concat());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
}

fn config(dir: &Path) -> Value {
    let path = dir.join("net/node-1/config.json");
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn four_processes_of_four_chains_go_on() {
    let dir = tempfile::tempdir().unwrap();
    init(dir.path(), "2");
    let output = cairn(dir.path(), &["testnet", "up", "net", "--for", "12s"]);
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stdout}{stderr}");
    for chain in config(dir.path())["chains"].as_array().unwrap() {
        let address = chain["listen"].as_str().unwrap();
        let line = stdout.lines().find(|line| line.contains(address)).unwrap();
        assert!(line.contains(chain["purpose"].as_str().unwrap()), "{line}");
    }
    for chain in ["road", "relay", "org-1", "org-2"] {
        assert!(stdout.contains(&format!("  {chain} ")), "{stdout}");
    }
    for contracts in [
        "road: credentials, keys, misbehaviour, providers, tokens",
        "relay: directory, exchange",
        "org-1: policy, records",
        "org-2: policy, records",
    ] {
        assert!(stdout.contains(contracts), "{contracts} in {stdout}");
    }
}

#[test]
fn chains_differ_and_keys_are_their_owners_only() {
    let dir = tempfile::tempdir().unwrap();
    init(dir.path(), "1");
    let config = config(dir.path());
    let ids: Vec<_> = config["chains"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| &c["chain"])
        .collect();
    assert_eq!(ids.len(), 3, "road, relay, one organisation");
    assert!(ids.windows(2).all(|pair| pair[0] != pair[1]));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        for key in [
            "node-1/keys/road.key",
            "authorities/keys/relay-ta.key",
            "org-1/keys/operator.key",
            "org-1/keys/edge.key",
            "org-1/keys/kgc-3.key",
        ] {
            let mode = fs::metadata(dir.path().join("net").join(key))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600, "{key}");
        }
    }
    let again = cairn(dir.path(), &["testnet", "init", "net"]);
    assert_eq!(
        again.status.code(),
        Some(2),
        "a directory in use is left alone"
    );
}

#[test]
fn a_node_whose_settings_differ_names_the_difference() {
    let dir = tempfile::tempdir().unwrap();
    init(dir.path(), "0");
    let good = config(dir.path());
    let refused = |change: &dyn Fn(&mut Value), expected: &[&str]| {
        let mut config = good.clone();
        change(&mut config);
        let path = dir.path().join("net/node-1/config.json");
        fs::write(&path, config.to_string()).unwrap();
        let output = cairn(dir.path(), &["node", "net/node-1/config.json"]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        for part in expected {
            assert!(stderr.contains(part), "{part} in {stderr}");
        }
    };
    refused(
        &|config| config["chains"][0]["consensus"]["max_block_transactions"] = "1000".into(),
        &["max_block_transactions", "1000", "2048", "road"],
    );
    refused(
        &|config| config["chains"][0]["consensus"]["gas_limit"] = "1".into(),
        &["gas_limit", "missing"],
    );
    refused(
        &|config| config["chains"][0]["chain"] = "00".into(),
        &["genesis", "configuration is for 00"],
    );
    refused(
        &|config| {
            let peers = config["chains"][0]["peers"].as_object_mut().unwrap();
            let first = peers.keys().next().unwrap().clone();
            peers.remove(&first);
        },
        &["peers", "validators of the genesis"],
    );
    refused(&|config| config["chain"] = 1.into(), &["unknown field"]);
    refused(
        &|config| {
            // The last digit is one of TA's signature.
            let deployment = config["chains"][0]["deployments"][0].as_str().unwrap();
            let (rest, last) = deployment.split_at(deployment.len() - 1);
            let other = if last == "0" { "1" } else { "0" };
            config["chains"][0]["deployments"][0] = format!("{rest}{other}").into();
        },
        &["deployment", "not signed by the chain's TA"],
    );
}
