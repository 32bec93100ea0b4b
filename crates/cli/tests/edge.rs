//! Edges, devices and operators, as users run them.

#[path = "common/net.rs"]
mod net;

use serde_json::Value;
use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::Path,
    process::{Child, ChildStdout, Command, Output, Stdio},
    sync::Mutex,
};

/// Chains are started one test after the other: ports that were free must still be so.
static ONE_NETWORK: Mutex<()> = Mutex::new(());

fn cairn(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cairn"))
        .args(args)
        .current_dir(dir)
        .output()
        .expect("the binary can be started")
}

/// Standard output of a command that succeeds.
fn run(dir: &Path, args: &[&str]) -> String {
    let output = cairn(dir, args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

/// Standard error of a command that fails with this code.
fn fails(dir: &Path, code: i32, args: &[&str]) -> String {
    let output = cairn(dir, args);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {stderr}");
    stderr
}

/// A process that serves until this is dropped.
struct Server {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Server {
    fn start(dir: &Path, args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_cairn"))
            .args(args)
            .arg("--while-stdin-open")
            .current_dir(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout }
    }

    /// Reads on until it has said this; returns the line.
    fn says(&mut self, expected: &str) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            assert_ne!(self.stdout.read_line(&mut line).unwrap(), 0, "{expected}");
            if line.contains(expected) {
                return line;
            }
        }
    }

    fn edge(dir: &Path, args: &[&str]) -> Self {
        let mut server = Self::start(dir, &[&["edge", "factory"], args].concat());
        server.says("edge of organisation 1 at");
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn write_rows(dir: &Path, name: &str, count: u32) {
    let rows: String = (0..count)
        .map(|n| format!("2013-12-02 {:02}:{:02}:00,{}.5\n", n / 60, n % 60, 70 + n))
        .collect();
    fs::write(dir.join(name), format!("timestamp,value\n{rows}")).unwrap();
}

/// One HTTP exchange with the edge that a device's file names; status and body.
fn http(dir: &Path, device: &str, line: &str, body: &str) -> (u16, Value) {
    let file: Value = serde_json::from_slice(&fs::read(dir.join(device)).unwrap()).unwrap();
    let mut stream = TcpStream::connect(file["profile"]["listen"].as_str().unwrap()).unwrap();
    let length = body.len();
    write!(
        stream,
        "{line} HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap())
}

#[test]
fn a_device_sends_readings_and_reads_them_back() {
    let _one = ONE_NETWORK
        .lock()
        .unwrap_or_else(|error| error.into_inner());
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path();
    write_rows(dir, "rows.csv", 200);
    let port = net::free_ports().to_string();
    let edge = Server::edge(dir, &["--port", &port]);
    let device = run(
        dir,
        &["organisation", "enrol", "factory/org-1", "press.json"],
    );
    assert_eq!(device.trim().len(), 64, "{device}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(dir.join("press.json"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    let send = ["device", "send", "press.json", "--rows", "rows.csv"];
    assert_eq!(run(dir, &send), "stored 200, known already 0, refused 0\n");
    assert_eq!(run(dir, &send), "stored 0, known already 200, refused 0\n");
    let refused = fails(
        dir,
        1,
        &[&send[..], &["--field", "bar", "--most", "1"]].concat(),
    );
    assert!(
        refused.contains("row 1 is refused") && refused.contains("celsius:number"),
        "{refused}"
    );

    // What `sign` prints is what goes over HTTP.
    let sign = [
        "device",
        "sign",
        "press.json",
        "--rows",
        "rows.csv",
        "--most",
        "2",
    ];
    let readings = run(dir, &sign);
    let readings: Vec<_> = readings.lines().collect();
    let body = format!("[{}]", readings.join(","));
    let (status, ingested) = http(dir, "press.json", "POST /readings", &body);
    assert_eq!((status, &ingested["known"]), (200, &2.into()));
    let forged = body.replacen("70.5", "71.5", 1);
    let (status, ingested) = http(dir, "press.json", "POST /readings", &forged);
    assert_eq!(
        (status, ingested["refused"].as_array().unwrap().len()),
        (200, 1),
        "{ingested}"
    );

    let (status, about) = http(dir, "press.json", "GET /", "");
    assert_eq!((status, &about["organisation"]), (200, &1.into()));
    assert_eq!(
        (&about["grade"], &about["stored"]),
        (&2.into(), &200.into())
    );
    let (status, _) = http(dir, "press.json", "POST /transactions", "no transaction");
    assert_eq!(status, 400);

    // Everything is there again after the process was killed.
    drop(edge);
    let other = fails(dir, 2, &["edge", "factory", "--grade", "3"]);
    assert!(other.contains("grade 2"), "{other}");
    let _edge = Server::edge(dir, &[]);
    let records = run(dir, &["device", "records", "press.json"]);
    let records: Vec<Value> = records
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(records.len(), 200);
    assert_eq!(records[0]["time_ms"], 1_385_942_400_000_u64);
    assert_eq!(records[199]["content"], "{\"celsius\":269.5}");
    let some = ["--from-ms", "1385942400000", "--until-ms", "1385942460001"];
    let some = run(
        dir,
        &[&["device", "records", "press.json"], &some[..]].concat(),
    );
    assert_eq!(some.lines().count(), 2);
}

#[test]
fn organisations_exchange_records_between_processes() {
    let _one = ONE_NETWORK
        .lock()
        .unwrap_or_else(|error| error.into_inner());
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path();
    write_rows(dir, "rows.csv", 30);
    let port = net::free_ports().to_string();
    let init = [
        "testnet",
        "init",
        "--validators",
        "2",
        "--orgs",
        "2",
        "--port",
        &port,
        "net",
    ];
    run(dir, &init);
    let mut nodes = ["net/node-1/config.json", "net/node-2/config.json"]
        .map(|config| Server::start(dir, &["node", config]));
    nodes[0].says("edge of organisation 1 at");
    nodes[1].says("edge of organisation 2 at");

    let device = run(dir, &["organisation", "enrol", "net/org-2", "press.json"]);
    run(dir, &["device", "send", "press.json", "--rows", "rows.csv"]);
    let ask = [
        "organisation",
        "ask",
        "net/org-1",
        "--owner",
        "2",
        "--device",
        device.trim(),
    ];
    let refused = fails(dir, 2, &ask);
    assert!(refused.contains("request refused"), "{refused}");
    run(
        dir,
        &[
            "organisation",
            "allow",
            "net/org-2",
            "--requester",
            "1",
            "--device",
            device.trim(),
        ],
    );
    let records = run(dir, &ask);
    let records: Vec<Value> = records
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(records.len(), 30);
    assert_eq!(records[29]["content"], "{\"celsius\":99.5}");

    // Nobody but the operator gives orders, and none twice.
    let (status, refused) = http(dir, "press.json", "POST /orders", "{}");
    assert_eq!(status, 400, "{refused}");
}

/// The parts of MQTT 3.1.1 that a device needs which publishes one message with quality of service 1.
fn publish(port: u16, topic: &str, message: &str) {
    let text = |text: &str| {
        [
            &u16::try_from(text.len()).unwrap().to_be_bytes()[..],
            text.as_bytes(),
        ]
        .concat()
    };
    let packet = |kind: u8, body: Vec<u8>| {
        let mut packet = vec![kind];
        let mut length = body.len();
        while length > 127 {
            packet.push(u8::try_from(length % 128).unwrap() | 128);
            length /= 128;
        }
        packet.push(u8::try_from(length).unwrap());
        [packet, body].concat()
    };
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    let connect = [text("MQTT"), vec![4, 2, 0, 60], text("press")].concat();
    stream.write_all(&packet(0x10, connect)).unwrap();
    let mut accepted = [0; 4];
    stream.read_exact(&mut accepted).unwrap();
    assert_eq!(accepted, [0x20, 2, 0, 0], "CONNACK");
    let body = [text(topic), vec![0, 1], message.as_bytes().to_vec()].concat();
    stream.write_all(&packet(0x32, body)).unwrap();
    let mut acknowledged = [0; 4];
    stream.read_exact(&mut acknowledged).unwrap();
    assert_eq!(acknowledged, [0x40, 2, 0, 1], "PUBACK");
}

/// A broker that ends with the test; `None` when the program is not on this machine.
struct Broker(Child);

impl Broker {
    fn start(dir: &Path, port: u16) -> Option<Self> {
        let path = dir.display();
        let config = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\n\
             persistence_location {path}/\nuser root\n"
        );
        fs::write(dir.join("broker.conf"), config).unwrap();
        let programs = ["mosquitto", "/usr/sbin/mosquitto"];
        let child = programs.iter().find_map(|program| {
            let mut command = Command::new(program);
            command.arg("-c").arg(dir.join("broker.conf")).spawn().ok()
        })?;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            std::thread::yield_now();
        }
        Some(Self(child))
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn readings_come_over_mqtt_too() {
    let _one = ONE_NETWORK
        .lock()
        .unwrap_or_else(|error| error.into_inner());
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path();
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let Some(_broker) = Broker::start(dir, port) else {
        eprintln!("skipped: there is no mosquitto on this machine");
        return;
    };
    write_rows(dir, "rows.csv", 3);
    let (url, first) = (
        format!("mqtt://127.0.0.1:{port}/press/+"),
        net::free_ports().to_string(),
    );
    let args = ["--suite", "ristretto255", "--port", &first, "--mqtt", &url];
    let _edge = Server::edge(dir, &args);
    run(
        dir,
        &["organisation", "enrol", "factory/org-1", "press.json"],
    );
    let readings = run(dir, &["device", "sign", "press.json", "--rows", "rows.csv"]);
    // A broker drops what nobody has subscribed to yet, so the device sends until the edge has all.
    loop {
        for reading in readings.lines() {
            publish(port, "press/7", reading);
        }
        let (status, about) = http(dir, "press.json", "GET /", "");
        assert_eq!(status, 200);
        if about["stored"] == 3 {
            break;
        }
    }
    let records = run(dir, &["device", "records", "press.json"]);
    assert_eq!(records.lines().count(), 3);
}
