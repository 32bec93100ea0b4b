//! The rules of contract `danger`, on a ledger without a chain, and the evaluation behind it.

mod common;

use cairn_contracts::{
    danger::{
        self, Action, Ahead, Class, DISSATISFACTION, Danger, DataRecord, Inputs, MAX_AGE_MS,
        MAX_DANGER, MAX_SATISFACTION, MAX_SPEED_CM_S, MIN_SATISFACTION, Model, Parameters,
        RECOVERY, Report, Road, State, Trip, TripRecord, Weather, weigh,
    },
    keys::{Operation, RsuRecord},
};
use cairn_ledger::{Address, Position, PrivateKey, Refusal, Rid};
use common::{NOW, World, YEAR};
use commonware_codec::{DecodeExt as _, Encode as _, FixedSize as _};
use commonware_cryptography::Signer as _;
use proptest::prelude::*;

const LIFE: u32 = 2_000;
const TRIP: Trip = Trip([7; 20]);
const RID: Rid = Rid(1);

/// A car at 50 km/h, alone on a dry road on a clear day.
const CALM: Inputs = Inputs {
    class: Class::Car,
    condition: 100,
    speed_cm_s: 1_389,
    ahead: None,
    weather: Weather::Clear,
    road: Road::Dry,
};

/// The same with something standing in its way.
fn blocked(gap_dm: u16) -> Inputs {
    Inputs {
        ahead: Some(Ahead {
            gap_dm,
            closing_cm_s: 1_389,
        }),
        ..CALM
    }
}

struct Town {
    world: World,
    contract: Address,
    nonce: u64,
}

fn operator() -> PrivateKey {
    PrivateKey::from_seed(101)
}

fn parameters(keys: Address) -> Parameters {
    Parameters {
        keys,
        life_ms: LIFE,
        witnesses: 3,
        model: Model::default(),
    }
}

fn report(time_ms: u64, inputs: Inputs) -> Report {
    Report {
        trip: TRIP,
        time_ms,
        commitment: [3; 32],
        inputs,
        danger: Model::default().danger(&inputs),
    }
}

impl Town {
    fn new() -> Self {
        let mut world = World::new();
        let record = RsuRecord {
            key: operator().public_key(),
            position: Position { x_cm: 0, y_cm: 0 },
            valid_from_ms: NOW,
            valid_until_ms: NOW + YEAR,
            revoked_ms: None,
        };
        assert_eq!(world.apply(&[Operation::RegisterRsu(RID, record)]), Ok(()));
        let mut town = Self {
            contract: Address::of_instance(&world.ta.public_key(), 40),
            world,
            nonce: 0,
        };
        let keys = town.world.contract;
        assert_eq!(town.deploy(&parameters(keys)), Ok(()));
        town
    }

    fn deploy(&mut self, parameters: &Parameters) -> Result<(), Refusal> {
        let ta = self.world.ta.public_key();
        let deploy = danger::deploy(40 + self.nonce, NOW, &ta, parameters);
        self.nonce += 1;
        let deploy = deploy.sign(&self.world.genesis.chain_id(), &[&self.world.ta]);
        self.world.run(&deploy)
    }

    fn call(
        &mut self,
        time_ms: u64,
        signer: &PrivateKey,
        reports: &[Report],
    ) -> Result<(), Refusal> {
        self.nonce += 1;
        let (keys, contract) = (self.world.contract, self.contract);
        let call = danger::call(self.nonce, NOW + YEAR, contract, keys, RID, reports);
        let signed = call.sign(&self.world.genesis.chain_id(), &[signer]);
        self.world.run_at(time_ms, &[signed])[0]
    }

    fn record(&mut self, time_ms: u64, inputs: Inputs) -> Result<(), Refusal> {
        self.call(time_ms, &operator(), &[report(time_ms, inputs)])
    }

    fn trip(&self) -> TripRecord {
        let key = danger::trip_key(&self.contract, &TRIP);
        self.world.state[&key].decode_as().unwrap()
    }
}

#[test]
fn a_report_leaves_its_commitment_and_the_trips_record() {
    let mut town = Town::new();
    assert_eq!(town.record(NOW, blocked(400)), Ok(()));
    let data = danger::data_key(&town.contract, &TRIP.data_id(NOW));
    let data: DataRecord = town.world.state[&data].decode_as().unwrap();
    assert_eq!(
        (data.commitment, data.rid, data.time_ms),
        ([3; 32], RID, NOW)
    );
    let trip = town.trip();
    assert_eq!(
        (trip.reported_ms, trip.inputs, trip.rid),
        (NOW, blocked(400), RID)
    );
    assert_eq!(trip.evaluation, Model::default().evaluate(&blocked(400)));
    assert_eq!(trip.satisfaction, MAX_SATISFACTION);
}

#[test]
fn d1_only_the_named_rsu_records() {
    let mut town = Town::new();
    let stranger = town.world.stranger.clone();
    let refused = town.call(NOW, &stranger, &[report(NOW, CALM)]);
    assert_eq!(refused, Err(Refusal::MissingRsuSignature));
    assert_eq!(town.world.apply(&[Operation::RevokeRsu(RID)]), Ok(()));
    assert_eq!(town.record(NOW, CALM), Err(Refusal::AlreadyRevoked));
}

#[test]
fn d2_old_and_future_reports_are_refused() {
    let mut town = Town::new();
    for reported in [NOW - MAX_AGE_MS - 1, NOW + MAX_AGE_MS + 1] {
        let refused = town.call(NOW, &operator(), &[report(reported, CALM)]);
        assert_eq!(refused, Err(Refusal::Deadline));
    }
    let oldest = report(NOW - MAX_AGE_MS, CALM);
    assert_eq!(town.call(NOW, &operator(), &[oldest]), Ok(()));
}

#[test]
fn d3_a_repeated_or_older_report_is_refused() {
    let mut town = Town::new();
    assert_eq!(town.record(NOW, CALM), Ok(()));
    for reported in [NOW, NOW - 1] {
        let refused = town.call(NOW + 1, &operator(), &[report(reported, CALM)]);
        assert_eq!(refused, Err(Refusal::AlreadyRegistered));
    }
}

#[test]
fn d4_one_wrong_result_refuses_the_whole_batch() {
    let mut town = Town::new();
    let mut wrong = report(NOW, blocked(300));
    wrong.danger = Danger(wrong.danger.0 - 1);
    wrong.trip = Trip([8; 20]);
    let batch = [report(NOW, CALM), wrong];
    assert_eq!(
        town.call(NOW, &operator(), &batch),
        Err(Refusal::InvalidProof)
    );
    let key = danger::trip_key(&town.contract, &TRIP);
    assert!(
        !town.world.state.contains_key(&key),
        "nothing of it is kept"
    );
}

#[test]
fn d5_unsound_parameters_are_refused() {
    let mut town = Town::new();
    let sound = parameters(town.world.contract);
    let model = sound.model;
    let unsound = [
        Model {
            weights: [25, 35, 25, 16],
            ..model
        },
        Model {
            steady_from: Danger(0),
            ..model
        },
        Model {
            dangerous_from: model.steady_from,
            ..model
        },
        Model {
            gentle_cm_s2: [700, 250, 150],
            ..model
        },
        Model {
            friction: [65, 50, 20, 0],
            ..model
        },
        Model {
            visibility_m: [1_000, 400, 0, 150],
            ..model
        },
        Model {
            time_gap_ms: [500, 2_000, 2_000],
            ..model
        },
    ];
    for model in unsound {
        assert!(!model.is_sound());
        let refused = town.deploy(&Parameters { model, ..sound });
        assert_eq!(refused, Err(Refusal::MalformedPayload), "{model:?}");
    }
    let refused = town.deploy(&Parameters {
        life_ms: 0,
        ..sound
    });
    assert_eq!(refused, Err(Refusal::MalformedPayload));
}

#[test]
fn satisfaction_falls_rises_and_stays_in_its_bounds() {
    let mut town = Town::new();
    let mut time_ms = NOW;
    let mut next = |inputs, town: &mut Town| {
        assert_eq!(town.record(time_ms, inputs), Ok(()));
        time_ms += 500;
        town.trip().satisfaction
    };
    assert_eq!(next(blocked(300), &mut town), MAX_SATISFACTION);
    // Nearer and nearer, as if commands did nothing.
    assert_eq!(
        next(blocked(250), &mut town),
        MAX_SATISFACTION - DISSATISFACTION
    );
    let raw = Model::default().danger(&blocked(250));
    assert_eq!(
        town.trip().evaluation.danger,
        weigh(raw, MAX_SATISFACTION - DISSATISFACTION)
    );
    for gap_dm in [200, 150, 120, 100, 90, 80] {
        next(blocked(gap_dm), &mut town);
    }
    assert!(town.trip().satisfaction >= MIN_SATISFACTION);
    // Out of danger it recovers step by step.
    let low = town.trip().satisfaction;
    assert_eq!(next(CALM, &mut town), low + RECOVERY);
    for _ in 0..20 {
        next(CALM, &mut town);
    }
    assert_eq!(town.trip().satisfaction, MAX_SATISFACTION);
}

#[test]
fn satisfaction_forgets_when_a_trip_is_silent_and_never_makes_careless() {
    let mut town = Town::new();
    assert_eq!(town.record(NOW, blocked(300)), Ok(()));
    assert_eq!(town.record(NOW + 500, blocked(250)), Ok(()));
    assert!(town.trip().satisfaction < MAX_SATISFACTION);
    assert_eq!(
        town.record(NOW + 500 + u64::from(LIFE), blocked(200)),
        Ok(())
    );
    assert_eq!(town.trip().satisfaction, MAX_SATISFACTION);
    assert_eq!(weigh(Danger(4_000), MAX_SATISFACTION), Danger(4_000));
    assert_eq!(weigh(Danger(4_000), MIN_SATISFACTION), Danger(6_000));
    assert_eq!(weigh(MAX_DANGER, MIN_SATISFACTION), MAX_DANGER);
}

#[test]
fn ordinary_driving_is_safe_and_dangers_are_seen() {
    let model = Model::default();
    let state = |inputs: Inputs| model.evaluate(&inputs).state;
    for class in Class::ALL {
        let at_80 = Inputs {
            class: *class,
            speed_cm_s: 2_222,
            ..CALM
        };
        assert_eq!(state(at_80), State::Safe, "{class:?}");
        for changed in [
            Inputs {
                road: Road::Icy,
                ..at_80
            },
            Inputs {
                weather: Weather::Fog,
                ..at_80
            },
        ] {
            assert_ne!(state(changed), State::Safe, "{changed:?}");
        }
    }
    assert_eq!(state(blocked(2_000)), State::Safe);
    assert_eq!(state(blocked(700)), State::Steady);
    assert_eq!(state(blocked(300)), State::Dangerous);
}

/// `S = v·t + v²/(2a)` by hand: 50 km/h, 2.5 s, dry asphalt carries 0.65 g = 6.37 m/s².
#[test]
fn stopping_distance_of_a_car_at_50_km_h() {
    let by_hand = 13.89 * 2.5 + 13.89 * 13.89 / (2.0 * 6.37);
    let cm = Model::default().stopping_cm(&CALM);
    assert!(
        (cm as f64 / 100.0 - by_hand).abs() < 0.05,
        "{cm} cm, by hand {by_hand} m"
    );
}

#[test]
fn weights_are_those_of_the_factors() {
    let model = Model::default();
    let inputs = Inputs {
        road: Road::Icy,
        weather: Weather::Fog,
        condition: 60,
        ..blocked(300)
    };
    let f = model.factors(&inputs);
    let by_hand = 25 * u16::from(f.weather)
        + 35 * u16::from(f.road)
        + 25 * u16::from(f.speed)
        + 15 * u16::from(f.vehicle);
    assert_eq!(model.danger(&inputs), Danger(by_hand));
    assert!(by_hand <= MAX_DANGER.0);
}

fn any_inputs() -> impl Strategy<Value = Inputs> {
    let ahead = prop::option::of((0..=Ahead::MAX_GAP_DM, any::<i16>()));
    (
        0..3usize,
        1..=100u8,
        0..=MAX_SPEED_CM_S,
        ahead,
        0..4usize,
        0..4usize,
    )
        .prop_map(
            |(class, condition, speed_cm_s, ahead, weather, road)| Inputs {
                class: Class::ALL[class],
                condition,
                speed_cm_s,
                ahead: ahead.map(|(gap_dm, closing_cm_s)| Ahead {
                    gap_dm,
                    closing_cm_s,
                }),
                weather: Weather::ALL[weather],
                road: Road::ALL[road],
            },
        )
}

proptest! {
    #[test]
    fn every_input_has_an_evaluation_and_one_encoding(inputs in any_inputs()) {
        let evaluation = Model::default().evaluate(&inputs);
        prop_assert!(evaluation.danger <= MAX_DANGER);
        prop_assert_eq!(Inputs::decode(inputs.encode()).unwrap(), inputs);
    }

    #[test]
    fn faster_is_never_safer(inputs in any_inputs(), slower in 0..=MAX_SPEED_CM_S) {
        let slower = inputs.at_speed(slower.min(inputs.speed_cm_s));
        let model = Model::default();
        prop_assert!(model.danger(&slower) <= model.danger(&inputs));
    }

    #[test]
    fn the_commanded_speed_is_the_greatest_safe_one(inputs in any_inputs()) {
        let model = Model::default();
        if let Action::SlowDown(target) = model.evaluate(&inputs).action {
            let is_steady = model.evaluate(&inputs).state == State::Steady;
            prop_assert!(!is_steady || target < inputs.speed_cm_s || target == 0);
            let faster = inputs.at_speed(target + 1);
            prop_assert!(model.danger(&faster) >= model.steady_from);
            if target > 0 {
                prop_assert!(model.danger(&inputs.at_speed(target)) < model.steady_from);
            }
        }
    }

    #[test]
    fn whatever_decodes_encodes_to_the_same_bytes(bytes: [u8; Inputs::SIZE]) {
        if let Ok(inputs) = Inputs::decode(bytes.to_vec()) {
            prop_assert_eq!(inputs.encode().to_vec(), bytes.to_vec());
        }
    }
}

/// Wire and storage encodings: a changed fixture is a changed protocol.
#[test]
fn encodings_are_frozen() {
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let report = report(0x0102, blocked(300));
    assert_eq!(hex(&report.inputs.encode()), "0064056d012c056d0000",);
    assert_eq!(Report::SIZE, 72);
    assert_eq!(TripRecord::SIZE, 69);
    assert_eq!(Parameters::SIZE, 65);
    assert_eq!(
        hex(&Model::default().encode()),
        "1923190f03e81388028301f401f4015400fa009605dc07d007d003e80190003c00964132140a09c4"
    );
    assert_eq!(
        hex(&TRIP.data_id(1).0),
        "cf68f52308a28b271ec40ffb5d3c2a0c56bfebf64a772fc08bc12f46d1e5f1af",
    );
}
