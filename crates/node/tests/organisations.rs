//! Edges and exchanges on real chains, over real sockets; what happens when something fails in the
//! middle.

use cairn_contracts::{exchange::State, records};
use cairn_exchange::{
    keys::Party,
    reading::{Query, Reading},
    request::{RequestError, Wanted},
};
use cairn_ledger::{Address, PrivateKey};
use cairn_node::organisations::{
    Sm2,
    edge::{
        Counted, Ingested, http,
        mqtt::{self, Broker},
    },
    embedded::{self, GRADE, Options, OrganisationsError, World},
    exchange::{Asked, BACKLOG, ExchangeError},
    rows,
};
use commonware_codec::Encode as _;
use commonware_cryptography::Signer as _;
use rumqttc::{AsyncClient, MqttOptions, QoS};
use serde_json::Value;
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::mpsc,
    time::sleep,
};

const NOW: u64 = 1_700_000_000_000;

/// Between two looks at something that another task or process will do.
const LOOK: Duration = Duration::from_millis(20);

fn with_world<W>(work: W)
where
    W: AsyncFnOnce(&mut World<Sm2>) -> Result<(), OrganisationsError>,
{
    let options = Options {
        validators: 1,
        vault: None,
    };
    embedded::run(&options, work).unwrap();
}

fn reading(world: &mut World<Sm2>, machine: &Party<Sm2>, minute: u64) -> Reading<Sm2> {
    let content = format!("{{\"celsius\":{minute}}}");
    let time_ms = NOW + 60_000 * minute;
    Reading::sign(machine, time_ms, GRADE, content, &mut world.rng)
}

fn wanted(machine: &Party<Sm2>) -> Wanted {
    Wanted {
        owner: embedded::FACTORY,
        device: machine.id().device,
        from_ms: NOW,
        until_ms: NOW + 3_600_000,
        grade: GRADE,
    }
}

fn stored(stored: u64) -> Ingested {
    Ingested {
        stored,
        ..Ingested::default()
    }
}

#[test]
fn an_edge_stores_good_readings_once_and_says_why_it_refuses_others() {
    with_world(async |world| {
        let machine = world.machine().await?;
        let stranger = {
            let other = world.machine().await?;
            // Signs in its own name, shows the other one's.
            let mut reading = reading(world, &other, 9);
            reading.device = machine.id().device;
            reading
        };
        let edge = world.factory.edge.clone();
        let good = [reading(world, &machine, 0), reading(world, &machine, 1)];
        assert_eq!(edge.ingest(&good).await?, stored(2));

        let rng = &mut world.rng;
        let time_ms = NOW + 1_000;
        let text = |content: &str| content.to_owned();
        let mut changed = good[0].clone();
        changed.time_ms += 1;
        let bad = [
            changed,
            Reading::sign(&machine, time_ms, GRADE + 1, text("{\"celsius\":1}"), rng),
            Reading::sign(
                &machine,
                time_ms,
                GRADE,
                text("{\"celsius\":\"warm\"}"),
                rng,
            ),
            Reading::sign(
                &machine,
                time_ms,
                GRADE,
                text("{\"celsius\":1,\"x\":1}"),
                rng,
            ),
            Reading::sign(
                &machine,
                good[0].time_ms,
                GRADE,
                text("{\"celsius\":99}"),
                rng,
            ),
            stranger,
            good[0].clone(),
            Reading::sign(&machine, time_ms, GRADE, text("{\"celsius\":7}"), rng),
        ];
        let ingested = edge.ingest(&bad).await?;
        assert_eq!((ingested.stored, ingested.known), (1, 1));
        let expected = [
            "signature",
            "grade",
            "celsius:number",
            "celsius:number",
            "another reading",
            "not the one enrolled",
        ];
        assert_eq!(ingested.refused.len(), expected.len());
        for ((place, why), (number, part)) in
            ingested.refused.iter().zip(expected.iter().enumerate())
        {
            assert_eq!(*place, number);
            assert!(why.contains(part), "{why}");
        }
        let counted = Counted {
            stored: 3,
            known: 1,
            refused: 6,
        };
        assert_eq!(edge.counted(), counted);
        Ok(())
    });
}

#[test]
fn what_crashed_between_vault_and_chain_is_anchored_later_and_once() {
    with_world(async |world| {
        let machine = world.machine().await?;
        let edge = world.factory.edge.clone();
        // The edge crashes after the vault write: the device has no answer and sends again.
        let readings = [reading(world, &machine, 0)];
        edge.ingest(&readings).await?;
        let pending = edge.vault().pending().await?;
        assert_eq!(pending.len(), 1);
        let again = edge.ingest(&readings).await?;
        assert_eq!((again.stored, again.known), (0, 1), "not counted twice");
        // It crashes after the commit, before it has settled the root.
        edge.commit(&pending).await?;
        assert_eq!(edge.vault().pending().await?, pending);
        assert_eq!(edge.anchor().await?, 1);
        assert_eq!(edge.anchor().await?, 0);
        // All the same it is there, and can be asked for.
        world.allow(&machine.id().device).await?;
        let outcome = world.exchange(wanted(&machine), |_| {}).await?;
        assert_eq!(outcome.received.records, 1);
        Ok(())
    });
}

#[test]
fn records_that_are_not_anchored_yet_are_anchored_before_they_are_sent() {
    with_world(async |world| {
        let machine = world.machine().await?;
        world.allow(&machine.id().device).await?;
        let readings = [reading(world, &machine, 0), reading(world, &machine, 1)];
        world.factory.edge.ingest(&readings).await?;
        let outcome = world.exchange(wanted(&machine), |_| {}).await?;
        assert_eq!(outcome.received.records, 2);
        assert_eq!(outcome.sent.content, outcome.received.content);
        Ok(())
    });
}

/// Asks, and lets the factory answer.
async fn ask(
    world: &World<Sm2>,
    wanted: Wanted,
) -> Result<(ExchangeError, State), OrganisationsError> {
    let (asked, pending) = world.road.edge.ask(&world.relay, wanted).await?;
    let exchange = pending.exchange();
    let (sink, pieces) = mpsc::channel(BACKLOG);
    let (sent, received) = futures::join!(
        world.factory.edge.answer(&world.relay, &asked, sink),
        world.road.edge.receive(&world.relay, pending, pieces)
    );
    assert!(matches!(received, Err(ExchangeError::NotDelivered(_))));
    let record = world.relay.record(&exchange).await?.unwrap();
    Ok((sent.unwrap_err(), record.state(NOW)))
}

#[test]
fn requests_against_grade_or_policy_are_declined_on_the_relay_chain() {
    with_world(async |world| {
        let machine = world.machine().await?;
        let readings = [reading(world, &machine, 0)];
        world.factory.edge.ingest(&readings).await?;
        let (error, state) = ask(world, wanted(&machine)).await?;
        assert!(matches!(
            error,
            ExchangeError::Request(RequestError::Policy)
        ));
        assert_eq!(state, State::Declined(RequestError::Policy.reason()));

        world.allow(&machine.id().device).await?;
        let graded = Wanted {
            grade: GRADE + 1,
            ..wanted(&machine)
        };
        let (error, state) = ask(world, graded).await?;
        let grade = RequestError::Grade {
            asked: GRADE + 1,
            held: GRADE,
        };
        assert!(matches!(error, ExchangeError::Request(refused) if refused == grade));
        assert_eq!(state, State::Declined(grade.reason()));
        Ok(())
    });
}

#[test]
fn a_changed_envelope_ends_in_a_complaint() {
    with_world(async |world| {
        let machine = world.machine().await?;
        let readings = [reading(world, &machine, 0)];
        world.factory.edge.ingest(&readings).await?;
        world.allow(&machine.id().device).await?;
        let (asked, pending) = world.road.edge.ask(&world.relay, wanted(&machine)).await?;
        let exchange = pending.exchange();
        // Somebody on the way changes a bit of the last piece.
        let (sink, mut pieces) = mpsc::channel(BACKLOG);
        let (bad_sink, bad_pieces) = mpsc::channel(BACKLOG);
        let tamper = async {
            let mut all: Vec<Vec<u8>> = Vec::new();
            while let Some(piece) = pieces.recv().await {
                all.push(piece);
            }
            *all.last_mut().and_then(|piece| piece.last_mut()).unwrap() ^= 1;
            for piece in all {
                let _ = bad_sink.send(piece).await;
            }
            drop(bad_sink);
        };
        let (sent, (), received) = futures::join!(
            world.factory.edge.answer(&world.relay, &asked, sink),
            tamper,
            world.road.edge.receive(&world.relay, pending, bad_pieces)
        );
        sent?;
        assert!(matches!(received, Err(ExchangeError::Envelope(_))));
        let record = world.relay.record(&exchange).await?.unwrap();
        assert_eq!(record.state(NOW), State::Complained);
        Ok(())
    });
}

#[test]
fn a_request_that_is_not_open_on_the_relay_chain_is_not_answered() {
    with_world(async |world| {
        let machine = world.machine().await?;
        world.allow(&machine.id().device).await?;
        let (mut asked, _pending) = world.road.edge.ask(&world.relay, wanted(&machine)).await?;
        *asked.signed.last_mut().unwrap() ^= 1;
        let (sink, _pieces) = mpsc::channel(BACKLOG);
        let answer = world.factory.edge.answer(&world.relay, &asked, sink).await;
        assert!(matches!(answer, Err(ExchangeError::NotOpen)));
        let mut elsewhere = world.relay.clone();
        elsewhere.directory = Address([9; 20]);
        let unknown = elsewhere.look_up::<Sm2>(embedded::ROAD).await;
        assert!(matches!(unknown, Err(ExchangeError::Unknown(_))));
        Ok(())
    });
}

/// One HTTP exchange; status and body.
async fn http(address: SocketAddr, head: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let head = format!("{head} HTTP/1.0\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let status = std::str::from_utf8(&answer[9..12])
        .unwrap()
        .parse()
        .unwrap();
    (status, answer.split_off(end + 4))
}

#[test]
fn devices_and_other_organisations_are_served_over_http() {
    with_world(async |world| {
        let machine = world.machine().await?;
        world.allow(&machine.id().device).await?;
        let edge = world.factory.edge.clone();
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .unwrap();
        let address = listener.local_addr().unwrap();
        let routes = http::routes(edge.clone(), world.relay.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, routes).await });

        let readings: Vec<_> = (0..3)
            .map(|minute| reading(world, &machine, minute))
            .collect();
        let json: Vec<_> = readings.iter().map(Reading::to_json).collect();
        let body = format!("[{}]", json.join(","));
        let (status, answer) = http(address, "POST /readings", body.as_bytes()).await;
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!((status, &answer["stored"]), (200, &3.into()));
        let (status, _) = http(address, "POST /readings", b"[{}]").await;
        assert_eq!(status, 400);
        let large = vec![b' '; http::MAX_BODY + 1];
        let (status, _) = http(address, "POST /readings", &large).await;
        assert_eq!(status, 413);

        let now_ms = world.factory.chain.ledger.chain().now_ms();
        let query = |now_ms, rng: &mut _| Query::sign(&machine, 0..u64::MAX >> 1, now_ms, rng);
        let body = query(now_ms, &mut world.rng).to_json();
        let (status, answer) = http(address, "POST /records", body.as_bytes()).await;
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(status, 200, "{answer}");
        assert_eq!(answer["records"][2][1], "{\"celsius\":2}");
        let old = query(now_ms - 60_000, &mut world.rng).to_json();
        let (status, _) = http(address, "POST /records", old.as_bytes()).await;
        assert_eq!(status, 403, "an old query");

        let (asked, pending) = world.road.edge.ask(&world.relay, wanted(&machine)).await?;
        let body = asked.to_bytes();
        assert_eq!(Asked::from_bytes(&body).unwrap().signed, asked.signed);
        let (status, envelope) = http(address, "POST /exchange", &body).await;
        assert_eq!(status, 200);
        let (sink, pieces) = mpsc::channel(BACKLOG);
        sink.send(envelope).await.unwrap();
        drop(sink);
        let (received, _) = world
            .road
            .edge
            .receive(&world.relay, pending, pieces)
            .await?;
        assert_eq!(received.records, 3);
        // The same request a second time finds no open exchange.
        let (status, _) = http(address, "POST /exchange", &body).await;
        assert_eq!(status, 403);
        let (status, _) = http(address, "POST /exchange", b"????").await;
        assert_eq!(status, 400);

        let (stranger, chain) = (PrivateKey::from_seed(7), world.factory.chain.id());
        let advance = records::Operation::Advance { epoch: 2 };
        let contract = Address([9; 20]);
        let signed = records::call(1, u64::MAX, contract, &advance).sign(&chain, &[&stranger]);
        let (status, _) = http(address, "POST /transactions", &signed.encode()).await;
        assert_eq!(status, 403, "a stranger's transaction");

        let (status, answer) = http(address, "GET /", b"").await;
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!((status, &answer["stored"]), (200, &3.into()));
        serving.abort();
        Ok(())
    });
}

/// A broker of our own, which keeps on disk what is not acknowledged.
struct Mosquitto {
    directory: tempfile::TempDir,
    port: u16,
    process: Child,
}

impl Mosquitto {
    /// `None` when the program is not on this machine.
    fn start() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let path = directory.path().display();
        let config = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\n\
             persistence_location {path}/\nautosave_on_changes true\nautosave_interval 1\nuser root\n"
        );
        fs::write(directory.path().join("broker.conf"), config).unwrap();
        let process = Self::spawn(directory.path())?;
        Some(Self {
            directory,
            port,
            process,
        })
    }

    fn spawn(directory: &Path) -> Option<Child> {
        let programs = ["mosquitto", "/usr/sbin/mosquitto"];
        programs.iter().find_map(|program| {
            Command::new(program)
                .arg("-c")
                .arg(directory.join("broker.conf"))
                .spawn()
                .ok()
        })
    }

    async fn listens(&self) {
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            sleep(LOOK).await;
        }
    }

    async fn restart(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        self.process = Self::spawn(self.directory.path()).expect("it was there before");
        self.listens().await;
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn readings_over_mqtt_survive_a_restart_of_the_broker() {
    let Some(mut mosquitto) = Mosquitto::start() else {
        eprintln!("skipped: there is no mosquitto on this machine");
        return;
    };
    with_world(async |world| {
        mosquitto.listens().await;
        let machine = world.machine().await?;
        let edge = world.factory.edge.clone();
        let broker = Broker {
            host: "127.0.0.1".into(),
            port: mosquitto.port,
            topic: "factory/+".into(),
            client: "edge".into(),
        };
        let serving = tokio::spawn(mqtt::serve(edge.clone(), broker));

        let options = MqttOptions::new("press", "127.0.0.1", mosquitto.port);
        let (client, mut events) = AsyncClient::new(options, 100);
        // The device sends until it is told that each reading has come.
        let device = tokio::spawn(async move {
            loop {
                if events.poll().await.is_err() {
                    sleep(LOOK).await;
                }
            }
        });
        let count = 40;
        for minute in 0..count {
            let json = reading(world, &machine, minute).to_json();
            let published = client.publish("factory/press", QoS::AtLeastOnce, false, json);
            published.await.unwrap();
            if minute == count / 2 {
                mosquitto.restart().await;
            }
        }
        // The device's own client may lose what it had under way when the connection broke, so it sends
        // all once more, as a device does that was told nothing.
        loop {
            for minute in 0..count {
                let json = reading(world, &machine, minute).to_json();
                let published = client.publish("factory/press", QoS::AtLeastOnce, false, json);
                published.await.unwrap();
            }
            sleep(LOOK).await;
            if edge.counted().stored >= count {
                break;
            }
        }
        serving.abort();
        device.abort();
        let counted = edge.counted();
        assert_eq!((counted.stored, counted.refused), (count, 0), "{counted:?}");
        let kept = edge.vault().range(&machine.id().device, 0..NOW * 2).await?;
        assert_eq!(kept.records.len() as u64, count, "each once");
        Ok(())
    });
}

#[test]
fn recorded_rows_arrive() {
    let Some(data) = std::env::var_os("CAIRN_DATA") else {
        eprintln!("skipped: CAIRN_DATA names no recorded data");
        return;
    };
    let path = Path::new(&data).join("iot").join("machine_temperature.csv");
    let rows = rows::recorded(&path, 500).unwrap();
    assert_eq!(rows.len(), 500);
    with_world(async |world| {
        let machine = world.machine().await?;
        world.allow(&machine.id().device).await?;
        world.feed(&machine, &rows).await?;
        let wanted = world.wanted(&machine.id().device, &rows)?;
        let outcome = world.exchange(wanted, |_| {}).await?;
        let arrived = outcome.received.contents.iter().zip(&rows);
        for ((time_ms, content), row) in arrived {
            let sent = format!("{{\"celsius\":{}}}", row.value);
            assert_eq!(
                (*time_ms, content.as_slice()),
                (row.time_ms, sent.as_bytes())
            );
        }
        assert_eq!(outcome.received.contents.len(), rows.len());
        Ok(())
    });
}
