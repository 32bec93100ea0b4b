//! `cairn provider` as an operator runs it, and an RSU of another process that sends it a vehicle's sealed question.

use cairn_contracts::providers::{ProviderId, ProviderRecord, Service, provider_key};
use cairn_crypto::{
    noise::{Initiator, Responder, Secret as Ephemeral},
    suite::{Ristretto255, Secret},
};
use cairn_ledger::{Address, Genesis, Position, PrivateKey, Record, Rid, Uid, light::Verified};
use cairn_protocol::{
    plausibility::Bounds,
    service::{
        Answer, Asked, Cell, Client, Desk, Got, Notice, Order, Question, Reach,
        SEALED_ANSWER_BYTES, reply,
    },
    session::{RoadsideSession, VehicleSession},
    token::Holder,
    trust::Road,
    wire::Message,
};
use commonware_codec::{Copying, DecodeExt as _};
use rand::{SeedableRng as _, rngs::StdRng};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpStream, UdpSocket},
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

const TRACE: &str = r#"<fcd-export>
<timestep time="0.00"><vehicle id="a" x="10" y="20"/></timestep>
<timestep time="1.00"><vehicle id="a" x="20" y="20"/></timestep>
</fcd-export>
"#;

const SITES: &str = "site_id,x_m,y_m\nwest,100,20\n";

const POINTS: &str = r#"{"type": "FeatureCollection", "features": [
{"type": "Feature", "geometry": {"type": "Point", "coordinates": [400, 100]},
 "properties": {"name": "Town hall", "kw": 22}},
{"type": "Feature", "geometry": {"type": "Point", "coordinates": [2000, 0]},
 "properties": {"name": "Motorway", "kw": 300}}]}
"#;

/// How long an answer may take: the provider fetches a proof of the RSU first.
const PATIENCE: Duration = Duration::from_secs(60);

const CHARGING: ProviderId = ProviderId(1);

fn cairn(dir: &Path, args: &[&str]) -> Output {
    let command = Command::new(env!("CARGO_BIN_EXE_cairn"))
        .args(args)
        .current_dir(dir)
        .output();
    command.expect("the binary can be started")
}

/// A running provider; ends with this.
struct Running {
    child: Child,
    /// Where RSUs and people reach it.
    requests: String,
    status: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    fn start(dir: &Path, points: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_cairn"))
            .args(["provider", points, "--data", "net"])
            .current_dir(dir)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut running = Self {
            child,
            requests: String::new(),
            status: String::new(),
        };
        for line in lines {
            let line = line.unwrap();
            let after = |words: &str| line.split_once(words).map(|(_, after)| after.to_owned());
            if line.starts_with("provider 1") {
                running.requests = after("udp ").unwrap();
            }
            if line.starts_with("status") {
                running.status = after("http://").unwrap().trim_end_matches('/').to_owned();
            }
            if line.starts_with("look up") {
                break;
            }
        }
        assert!(!running.status.is_empty(), "it has said where it is");
        running
    }

    fn get(&self, path: &str) -> Value {
        let mut stream = TcpStream::connect(&self.status).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n",
            self.status
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.0 200"), "{head}");
        serde_json::from_str(body).unwrap()
    }
}

/// A vehicle with a session at RSU 1 of the network in `net`.
struct Pair {
    rng: StdRng,
    client: Client,
    desk: Desk,
    vehicle: VehicleSession,
    rsu: RoadsideSession,
}

impl Pair {
    fn new(net: &Path, now_ms: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(1);
        let read = |name: &str| fs::read(net.join(name)).unwrap();
        let genesis = Genesis::decode(read("genesis")).unwrap();
        let chain = genesis.chain_id();
        let road = Road {
            chain,
            network_key: genesis.network_key(),
            keys: Address([0; 20]),
            plausible_range_m: 600.0,
        };
        // What the ledger would prove of the provider.
        let contract = Address([1; 20]);
        let sealing = read("keys/provider-1-sealing.key");
        let sealing = Secret::<Ristretto255>::from_bytes(sealing.as_slice().try_into().unwrap());
        let record = ProviderRecord {
            service: Service::Charging,
            operator: genesis.ta.clone(),
            key: sealing.unwrap().public().to_bytes(),
            valid_from_ms: 0,
            valid_until_ms: u64::MAX,
            is_revoked: false,
        };
        let shown = Verified {
            height: 1,
            time_ms: now_ms,
            entries: vec![(provider_key(&contract, CHARGING), Some(Record::of(&record)))],
        };
        let signer = PrivateKey::decode(Copying(&read("keys/rsu-1.key"))).unwrap();
        let here = Position {
            x_cm: 10_000,
            y_cm: 2_000,
        };
        let ours = Ephemeral::random(&mut rng);
        let (hello, waiting) = Initiator::new(ours.public(), b"", &mut rng)
            .hello(b"")
            .unwrap();
        let (_, responder) = Responder::hello(&ours, b"", &hello).unwrap();
        let (answer, at_rsu) = responder.accept(b"", &mut rng).unwrap();
        let (_, at_vehicle) = waiting.accept(&answer).unwrap();
        let mut pair = Self {
            client: Client::new(&road, contract),
            desk: Desk::new(chain, Rid(1), signer, Reach::new(here, &Bounds::default())),
            vehicle: VehicleSession::new(&at_vehicle, u64::MAX),
            rsu: RoadsideSession::new(&at_rsu, u64::MAX),
            rng,
        };
        assert!(matches!(pair.ask(now_ms), Asked::Proof(_)));
        pair.client.learn(&shown, now_ms).unwrap();
        pair
    }

    fn ask(&mut self, now_ms: u64) -> Asked {
        let cell = Cell { x: 0, y: 0 };
        let question = Question::Charging { least_kw: 0 };
        let asked = self.client.ask(
            CHARGING,
            question,
            cell,
            &self.vehicle,
            now_ms,
            &mut self.rng,
        );
        asked.unwrap()
    }

    /// A question under the RSU's statement, and its time.
    fn request(&mut self, now_ms: u64) -> (Vec<u8>, u64) {
        let Asked::Question(datagram) = self.ask(now_ms) else {
            panic!("the provider is known");
        };
        let Ok(Message::ServiceOrder(frame)) = Message::decode(&datagram) else {
            panic!("an order");
        };
        let holder = Holder::Registered(Uid([1; 8]));
        let order = self
            .desk
            .take(&frame, (holder, &self.rsu), now_ms, &mut self.rng);
        let Ok(Order::Query { request, asked_ms }) = order else {
            panic!("a good order");
        };
        (request.to_bytes(), asked_ms)
    }

    fn open(&mut self, asked_ms: u64, sealed: [u8; SEALED_ANSWER_BYTES], now_ms: u64) -> Answer {
        let notice = Notice::Answer { asked_ms, sealed };
        let datagram = reply(self.rsu.key(), self.rsu.asc(), &notice, &mut self.rng);
        let got = self
            .client
            .receive(&datagram, &self.vehicle, now_ms, &mut self.rng);
        match got.unwrap() {
            Got::Answer { answer, .. } => answer,
            other => panic!("expected an answer, got {other:?}"),
        }
    }
}

#[test]
fn serves_points_to_rsus_of_other_processes_and_shows_them_to_people() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    write("trace.xml", TRACE);
    write("sites.csv", SITES);
    write("points.geojson", POINTS);
    let made = cairn(
        dir.path(),
        &[
            "replay",
            "--trace",
            "trace.xml",
            "--sites",
            "sites.csv",
            "--validators",
            "1",
            "--realtime",
            "--data",
            "net",
        ],
    );
    assert!(made.status.success());

    let running = Running::start(dir.path(), "points.geojson");
    let nearest = running.get("/nearest?x=100&y=20");
    assert_eq!(nearest["name"], "Town hall");
    assert_eq!(nearest["kw"], 22);
    assert_eq!(running.get("/nearest?x=100&y=20&kw=50")["name"], "Motorway");
    assert_eq!(running.get("/nearest?x=100&y=20&kw=500"), Value::Null);
    let status = running.get("/");
    assert_eq!(status["providers"][0]["points"], 2);
    assert_eq!(status["providers"][0]["rsus"], 0, "none has asked yet");

    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let exchange = |number: [u8; 8], request: &[u8]| {
        let datagram = [number.as_slice(), request].concat();
        socket.send_to(&datagram, &running.requests).unwrap();
        let mut buffer = [0; 512];
        let length = socket.recv(&mut buffer).unwrap();
        assert_eq!(buffer[..8], number);
        buffer[8..length].to_vec()
    };
    let clock_ms = || running.get("/")["clock_ms"].as_u64().unwrap();
    let now_ms = clock_ms();
    let mut pair = Pair::new(&dir.path().join("net"), now_ms);
    // What is no request is refused by its number.
    assert_eq!(exchange([1; 8], b"nothing"), b"");
    let (request, asked_ms) = pair.request(now_ms);
    let sealed = exchange([2; 8], &request);
    let sealed = sealed.try_into().expect("a sealed answer");
    match pair.open(asked_ms, sealed, now_ms) {
        Answer::Charging { name, kw, .. } => assert_eq!((name.as_str(), kw), ("Town hall", 22)),
        other => panic!("expected a charging point, got {other:?}"),
    }
    // A statement serves once.
    assert_eq!(exchange([3; 8], &request), b"");
    let status = running.get("/");
    assert_eq!(status["services"]["served"], 1);
    assert_eq!(status["services"]["refused_by_providers"], 2);
    let provider = &status["providers"][0];
    assert_eq!(provider["rsus"], 1, "checked against the ledger");
    assert!(provider["staleness_ms"].as_u64().unwrap() <= 60_000);
    drop(running);

    // It is registered: a second start serves under the same number and key.
    let again = Running::start(dir.path(), "points.geojson");
    assert_eq!(again.get("/")["providers"][0]["number"], 1);
    assert_eq!(again.get("/nearest?x=2000&y=0")["name"], "Motorway");
}

#[test]
fn bad_points_and_directories_without_a_network_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |args: &[&str], expected: &str| {
        let output = cairn(dir.path(), args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(expected), "{expected:?} in {stderr:?}");
        assert!(!stderr.contains("panicked"), "{stderr}");
    };
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    write("good.geojson", POINTS);
    write("power.geojson", &POINTS.replace("300", "-3"));
    write("row.csv", "name,x_m,y_m,kw\na,1,2,11\nb,1,far,11\n");
    let provider = |points| ["provider", points, "--data", "net"];
    refused(&provider("none.csv"), "cannot read none.csv");
    refused(
        &provider("power.geojson"),
        "power.geojson, feature 2: expected kw",
    );
    refused(&provider("row.csv"), "row.csv, line 3: expected y_m");
    refused(&provider("good.geojson"), "net holds no network");
    write("trace.xml", TRACE);
    let replay = [
        "replay",
        "--trace",
        "trace.xml",
        "--points",
        "power.geojson",
    ];
    refused(&replay, "power.geojson, feature 2");
}
