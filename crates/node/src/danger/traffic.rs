//! The road on the ledger.

use super::{
    DangerError,
    setup::{self, RSUS, Town},
    vault,
};
use cairn_contracts::danger::{Class, Inputs, Model, Parameters, Report as Entry, trip_key};
use cairn_crypto::{
    noise::{self, Initiator, Responder},
    suite::{Ristretto255, Secret},
};
use cairn_danger::{
    compare::LIFE_S,
    controller::Advice,
    outcome::{Outcome, Watch},
    scenario::Scenario,
    simulation::{Arm, Due, Simulation},
};
use cairn_ledger::Rid;
use cairn_protocol::{
    danger::{
        alarm::{Alarm, Statement},
        command::{self, Command, Receiver, Terms},
        report::{Access, Report, SealedReport, Voyage, open},
    },
    session::{MAX_VALIDITY_MS, RoadsideSession, VehicleSession},
};
use cairn_vault::Embedded;
use commonware_cryptography::Signer as _;
use rand::{SeedableRng as _, rngs::StdRng};
use serde::Serialize;
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Whose evaluator works: the first RSU's.
const HONEST: usize = 0;

/// Whose key is stolen: the last RSU's.
const ROBBED: usize = RSUS as usize - 1;

/// Trace time between two steps, in milliseconds.
const STEP_MS: u64 = 100;

/// How long the operator waits for the ledger before the batch is given up: vehicles drive on own
/// sensors meanwhile, and the next reports come anyway.
const PATIENCE: Duration = Duration::from_secs(10);

/// Times in milliseconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Latencies {
    /// Half are at most this.
    pub p50_ms: f64,
    /// 99 of 100 are at most this.
    pub p99_ms: f64,
}

impl Latencies {
    fn of(mut durations: Vec<Duration>) -> Self {
        durations.sort_unstable();
        let at = |share: f64| {
            let place = (share * durations.len() as f64) as usize;
            let duration = durations.get(place.min(durations.len().saturating_sub(1)));
            duration.map_or(0.0, |duration| 1_000.0 * duration.as_secs_f64())
        };
        Self {
            p50_ms: at(0.50),
            p99_ms: at(0.99),
        }
    }
}

/// What the network did.
#[derive(Clone, Debug, Serialize)]
pub struct NetworkReport {
    /// Validators.
    pub validators: usize,
    /// Reports that were sealed, kept, opened, evaluated and recorded.
    pub evaluations: usize,
    /// Commands that vehicles believed.
    pub commands: usize,
    /// Commands that failed a check (`V-CMD-1` to `V-CMD-8`).
    pub unbelieved: usize,
    /// Batches that the ledger did not take or prove in time.
    pub unanswered: usize,
    /// Bytes of a sealed command with its proof, on average.
    pub command_bytes: usize,
    /// From the first report of a batch to a vehicle's controller, over all commands.
    pub report_to_command: Latencies,
    /// Of that, from handing the batch to the ledger until it was final and executed.
    pub consensus: Latencies,
    /// Validators that contradicted a certificate or themselves.
    pub faulty_validators: usize,
}

/// A vehicle's part in the network.
struct Member {
    voyage: Voyage,
    receiver: Receiver,
    ours: VehicleSession,
    theirs: RoadsideSession,
}

impl Member {
    /// Begins a trip and agrees a session key with the RSU.
    fn new(
        access: Access,
        terms: &Terms,
        class: Class,
        now_ms: u64,
        rng: &mut StdRng,
    ) -> Result<Self, noise::Error> {
        let voyage = Voyage::begin(access, rng);
        let roadside = noise::Secret::random(rng);
        let initiator = Initiator::new(roadside.public(), &[], rng);
        let (hello, waiting) = initiator.hello(&[])?;
        let (_, responder) = Responder::hello(&roadside, &[], &hello)?;
        let (answer, theirs) = responder.accept(&[], rng)?;
        let (_, ours) = waiting.accept(&answer)?;
        let until_ms = now_ms + u64::from(MAX_VALIDITY_MS);
        Ok(Self {
            receiver: Receiver::new(terms.clone(), voyage.trip(), class),
            voyage,
            ours: VehicleSession::new(&ours, until_ms),
            theirs: RoadsideSession::new(&theirs, until_ms),
        })
    }

    /// Seals a report, and remembers it for the command that will rest on it.
    fn report(&mut self, inputs: &Inputs, now_ms: u64, rng: &mut StdRng) -> SealedReport {
        let report = Report {
            time_ms: now_ms,
            inputs: *inputs,
            refused: self.receiver.take_refused(),
        };
        let sealed = self.voyage.report(&report, rng);
        self.receiver.reported(sealed.time_ms, sealed.commitment);
        sealed
    }
}

/// A command on its way to a controller.
struct Told {
    vehicle: usize,
    advice: Advice,
    sealed: Vec<u8>,
    is_forged: bool,
}

/// What is measured on the way.
#[derive(Default)]
struct Measured {
    evaluations: usize,
    commands: usize,
    unbelieved: usize,
    unanswered: usize,
    bytes: usize,
    whole: Vec<Duration>,
    consensus: Vec<Duration>,
}

/// Runs a scenario with a ledger of `validators` behind it. Not to be called inside a runtime.
///
/// # Errors
///
/// [`DangerError`].
pub fn drive(
    scenario: &Scenario,
    model: &Model,
    validators: usize,
    seed: u64,
) -> Result<(Outcome, NetworkReport), DangerError> {
    let parameters = Parameters {
        // Set when contract `keys` has its address.
        keys: cairn_ledger::Address::SYSTEM,
        life_ms: (LIFE_S * 1_000.0) as u32,
        witnesses: 3,
        model: *model,
    };
    setup::run(validators, parameters, seed, async |town: &mut Town| {
        Traffic::new(town, scenario, model, seed)?.run().await
    })
}

struct Traffic<'a> {
    town: &'a mut Town,
    scenario: &'a Scenario,
    simulation: Simulation,
    watch: Watch,
    members: Vec<Member>,
    operator: Secret<Ristretto255>,
    vault: Embedded,
    /// Keeps the vault's directory until the end.
    _directory: tempfile::TempDir,
    alarm: Alarm,
    /// Height and digest of the newest block that a proof has shown.
    newest: (u64, [u8; 32]),
    start_ms: u64,
    rng: StdRng,
    measured: Measured,
}

impl<'a> Traffic<'a> {
    fn new(
        town: &'a mut Town,
        scenario: &'a Scenario,
        model: &Model,
        seed: u64,
    ) -> Result<Self, DangerError> {
        let mut rng = StdRng::from_rng(&mut town.rng);
        let directory = tempfile::tempdir().map_err(crate::embedded::EmbeddedError::Temporary)?;
        let simulation = Simulation::new(scenario, model, Arm::Network, seed);
        let operator = Secret::random(&mut rng);
        let lea: Secret<Ristretto255> = Secret::random(&mut rng);
        let access = Access::new(vec![operator.public(), lea.public()])?;
        let start_ms = town.clock.now_ms();
        let participants = simulation.participants().iter();
        let members = participants
            .map(|one| {
                Member::new(
                    access.clone(),
                    &town.terms,
                    one.body.class,
                    start_ms,
                    &mut rng,
                )
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            watch: Watch::new(&simulation),
            vault: Embedded::open(directory.path())?,
            _directory: directory,
            alarm: Alarm::new(&town.genesis),
            newest: (0, [0; 32]),
            town,
            scenario,
            simulation,
            members,
            operator,
            start_ms,
            rng,
            measured: Measured::default(),
        })
    }

    async fn run(mut self) -> Result<(Outcome, NetworkReport), DangerError> {
        let mut way: VecDeque<(f64, Told)> = VecDeque::new();
        self.watch.look(&self.simulation);
        while !self.simulation.is_over() {
            let now_s = self.simulation.now_s();
            let now_ms = self.start_ms + (now_s * 1_000.0).round() as u64;
            self.town.clock.advance(now_ms, STEP_MS);
            self.hear_validators(now_ms);
            if !self.simulation.is_alarmed() {
                let dues = self.simulation.reports();
                if !dues.is_empty() {
                    let answer = tokio::time::timeout(PATIENCE, self.evaluate(&dues, now_ms));
                    let told = match answer.await {
                        Ok(told) => told?,
                        Err(_) => {
                            self.measured.unanswered += 1;
                            Vec::new()
                        }
                    };
                    let arrival_s = now_s + self.scenario.delay_s;
                    way.extend(told.into_iter().map(|told| (arrival_s, told)));
                }
            }
            while way
                .front()
                .is_some_and(|(arrival_s, _)| *arrival_s <= now_s)
            {
                let (_, told) = way.pop_front().expect("just seen");
                self.obey(&told);
            }
            self.simulation.advance();
            self.watch.look(&self.simulation);
        }
        let measured = self.measured;
        let report = NetworkReport {
            validators: self.town.validators.len(),
            evaluations: measured.evaluations,
            commands: measured.commands,
            unbelieved: measured.unbelieved,
            unanswered: measured.unanswered,
            command_bytes: measured.bytes / measured.commands.max(1),
            report_to_command: Latencies::of(measured.whole),
            consensus: Latencies::of(measured.consensus),
            faulty_validators: self.alarm.faults().len(),
        };
        Ok((self.watch.finish(&self.simulation), report))
    }

    /// What validators say of the newest block: the truth, or, from liars, two digests at its height.
    fn hear_validators(&mut self, now_ms: u64) {
        let heard_s = self.simulation.now_s() - self.scenario.delay_s;
        let liars = self.scenario.liars_at(heard_s);
        let (height, digest) = self.newest;
        let chain = self.town.terms.chain;
        for (number, validator) in self.town.validators.iter().enumerate() {
            let lies = [[1; 32], [2; 32]];
            let said: &[[u8; 32]] = if number < liars { &lies } else { &[digest] };
            for digest in said {
                let statement = Statement {
                    height,
                    digest: *digest,
                    time_ms: now_ms,
                };
                let signed = statement.sign(&chain, validator);
                let heard = self.alarm.hear(&signed, now_ms);
                heard.expect("a validator's own signature, of now");
            }
        }
        let is_raised = self.alarm.is_raised(now_ms);
        if is_raised != self.simulation.is_alarmed() {
            self.simulation.set_alarm(is_raised);
        }
    }

    /// Steps 1 to 4 of the [module documentation](super), for one half second.
    async fn evaluate(&mut self, dues: &[Due], now_ms: u64) -> Result<Vec<Told>, DangerError> {
        let begun = Instant::now();
        let mut sealed = Vec::with_capacity(dues.len());
        for due in dues {
            let member = &mut self.members[due.vehicle];
            sealed.push(member.report(&due.own, now_ms, &mut self.rng));
        }
        vault::keep(&self.vault, &sealed, &mut self.rng).await?;

        let model = self.town.terms.parameters.model;
        let mut entries = Vec::with_capacity(dues.len());
        for (due, sealed) in dues.iter().zip(&sealed) {
            let own = open(&self.operator, sealed)?.inputs;
            // Of itself the vehicle knows best; of the road ahead, whoever evaluates says.
            let road = due.forged.unwrap_or(due.inputs);
            let inputs = Inputs {
                class: own.class,
                condition: own.condition,
                speed_cm_s: own.speed_cm_s,
                ..road
            };
            entries.push(Entry {
                trip: sealed.trip,
                time_ms: sealed.time_ms,
                commitment: sealed.commitment,
                danger: model.danger(&inputs),
                inputs,
            });
        }
        let is_forged = dues.iter().any(|due| due.forged.is_some());
        let rsu = if is_forged { ROBBED } else { HONEST };
        let signed = self.town.sign(rsu, &entries);
        let submitted = Instant::now();
        self.town.ledger.execute(signed).await?;
        self.measured.consensus.push(submitted.elapsed());
        self.measured.evaluations += entries.len();

        let mut told = Vec::with_capacity(dues.len());
        for due in dues {
            let trip = self.members[due.vehicle].voyage.trip();
            let key = trip_key(&self.town.terms.contract, &trip);
            let proof = self.town.ledger.prove(&[key]).await?;
            let header = &proof.header;
            let (height, digest) = (header.height.get(), header.digest().0);
            let block_ms = header.time_ms;
            let member = &mut self.members[due.vehicle];
            let command = Command::Proven(Box::new(proof));
            let (key, asc) = (member.theirs.key(), member.theirs.asc());
            let sealed = command::seal(key, asc, &trip, &command, &mut self.rng);
            self.measured.bytes += sealed.len();
            if let Some(advice) = self.believe(due.vehicle, &sealed) {
                // A certificate that a vehicle has checked.
                self.alarm.certified(height, digest, block_ms, now_ms);
                self.newest = (height, digest);
                told.push(Told {
                    vehicle: due.vehicle,
                    advice,
                    sealed,
                    is_forged: due.forged.is_some(),
                });
            }
            self.measured.whole.push(begun.elapsed());
        }
        Ok(told)
    }

    /// A vehicle's checks of a command.
    fn believe(&mut self, vehicle: usize, sealed: &[u8]) -> Option<Advice> {
        let (client, rng) = (&self.town.client, &mut self.rng);
        let member = &mut self.members[vehicle];
        let session = (member.ours.key(), member.ours.asc());
        let rsus = &self.town.rsus;
        let rsu = |rid: Rid| {
            let known = rsus.iter().find(|(known, _)| *known == rid);
            known.map(|(_, key)| key.public_key())
        };
        let now_ms = self.town.clock.now_ms();
        let verify = |proof: &_| client.verify(proof, rng);
        match member
            .receiver
            .receive(session, sealed, now_ms, verify, rsu)
        {
            Ok(record) => {
                self.measured.commands += 1;
                let until_s = self.simulation.now_s() + self.scenario.delay_s + LIFE_S;
                Some(Advice {
                    inputs: record.inputs,
                    evaluation: record.evaluation,
                    until_s,
                })
            }
            Err(error) => {
                tracing::warn!(vehicle, %error, "a command was not believed");
                self.measured.unbelieved += 1;
                None
            }
        }
    }

    /// A command arrives at the controller.
    fn obey(&mut self, told: &Told) {
        let taken = self.simulation.deliver(told.vehicle, told.advice);
        if !taken {
            self.members[told.vehicle]
                .receiver
                .contradicted(&told.sealed);
        }
        self.watch.advised(taken, told.is_forged);
    }
}
