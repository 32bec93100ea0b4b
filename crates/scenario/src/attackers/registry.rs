//! All villains by name.

use super::{
    Attacker, Scene,
    acceleration_multiplication::AccelerationMultiplication,
    const_pos::ConstPos,
    const_pos_offset::ConstPosOffset,
    const_speed::ConstSpeed,
    const_speed_offset,
    data_replay::DataReplay,
    disruptive::Disruptive,
    dos::{Content, Copies, Dos},
    eventual_stop::EventualStop,
    feigned_braking::FeignedBraking,
    grid_sybil::GridSybil,
    lying_rsu,
    random_pos::RandomPos,
    random_pos_offset::RandomPosOffset,
    random_speed::RandomSpeed,
    random_speed_offset,
    reversed_heading::ReversedHeading,
    silent_rsu, spamming_rsu,
    stale_messages::StaleMessages,
    sudden_constant_speed::SuddenConstantSpeed,
    time_delay::TimeDelay,
    traffic_congestion_sybil::TrafficCongestionSybil,
    zero_speed::ZeroSpeed,
};
use rand::Rng;

/// Who defined an attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// F2MD, under this number.
    F2md(u8),
    /// VeReMi NextGen.
    NextGen,
}

/// A kind of attacker.
#[derive(Debug)]
pub struct AttackerKind {
    /// Its authors' name for it.
    pub name: &'static str,
    /// Its authors.
    pub source: Source,
    make: fn(&Scene, &mut dyn Rng) -> Box<dyn Attacker>,
}

impl AttackerKind {
    /// An attacker for one vehicle; draws what it draws only once.
    pub fn make(&self, scene: &Scene, rng: &mut dyn Rng) -> Box<dyn Attacker> {
        (self.make)(scene, rng)
    }
}

/// The attacker of this name.
pub fn attacker(name: &str) -> Option<&'static AttackerKind> {
    ATTACKERS.iter().find(|kind| kind.name == name)
}

/// What an RSU does with a vehicle it hears: from whether it honestly would vote against it, to
/// how many votes it casts.
pub type RsuVotes = fn(bool) -> u32;

/// All RSU villains by name.
pub const RSU_VILLAINS: &[(&str, RsuVotes)] = &[
    ("lying_rsu", lying_rsu::votes),
    ("silent_rsu", silent_rsu::votes),
    ("spamming_rsu", spamming_rsu::votes),
];

macro_rules! attackers {
    ($($name:literal $source:expr, $make:expr;)*) => {
        /// All kinds of attackers.
        pub const ATTACKERS: &[AttackerKind] = &[
            $(AttackerKind { name: $name, source: $source, make: $make },)*
        ];
    };
}

attackers! {
    "ConstPos" Source::F2md(1), |scene, rng| Box::new(ConstPos::new(scene, rng));
    "ConstPosOffset" Source::F2md(2), |_, rng| Box::new(ConstPosOffset::f2md(rng));
    "RandomPos" Source::F2md(3), |_, _| Box::new(RandomPos);
    "RandomPosOffset" Source::F2md(4), |_, _| Box::new(RandomPosOffset::f2md());
    "ConstSpeed" Source::F2md(5), |_, rng| Box::new(ConstSpeed::new(rng));
    "ConstSpeedOffset" Source::F2md(6),
        |_, rng| Box::new(const_speed_offset::ConstSpeedOffset::new(rng));
    "RandomSpeed" Source::F2md(7), |_, _| Box::new(RandomSpeed);
    "RandomSpeedOffset" Source::F2md(8), |_, _| Box::new(random_speed_offset::RandomSpeedOffset);
    "EventualStop" Source::F2md(9), |_, _| Box::new(EventualStop::f2md());
    "Disruptive" Source::F2md(10), |_, _| Box::new(Disruptive);
    "DataReplay" Source::F2md(11), |_, rng| Box::new(DataReplay::f2md(false, rng));
    "StaleMessages" Source::F2md(12), |_, _| Box::new(StaleMessages::default());
    "DoS" Source::F2md(13), |_, rng| Box::new(Dos::new(Content::True, false, rng));
    "DoSRandom" Source::F2md(14), |_, rng| Box::new(Dos::new(Content::Random, false, rng));
    "DoSDisruptive" Source::F2md(15), |_, rng| Box::new(Dos::new(Content::Disruptive, false, rng));
    "GridSybil" Source::F2md(16), |_, rng| Box::new(GridSybil::new(rng));
    "DataReplaySybil" Source::F2md(17), |_, rng| Box::new(DataReplay::f2md(true, rng));
    "DoSRandomSybil" Source::F2md(18), |_, rng| Box::new(Dos::new(Content::Random, true, rng));
    "DoSDisruptiveSybil" Source::F2md(19),
        |_, rng| Box::new(Dos::new(Content::Disruptive, true, rng));
    "constantPositionOffset" Source::NextGen, |_, rng| Box::new(ConstPosOffset::next_gen(rng));
    "randomPositionOffset" Source::NextGen, |_, _| Box::new(RandomPosOffset::next_gen());
    "constantSpeedOffset" Source::NextGen,
        |_, rng| Box::new(const_speed_offset::AlongHeading::new(rng));
    "randomSpeedOffset" Source::NextGen, |_, _| Box::new(random_speed_offset::AlongHeading);
    "zeroSpeedReport" Source::NextGen, |_, _| Box::new(ZeroSpeed::default());
    "suddenConstantSpeed" Source::NextGen, |_, _| Box::new(SuddenConstantSpeed::default());
    "feignedBraking" Source::NextGen, |_, _| Box::new(FeignedBraking);
    "accelerationMultiplication" Source::NextGen, |_, _| Box::new(AccelerationMultiplication);
    "reversedHeading" Source::NextGen, |_, _| Box::new(ReversedHeading::default());
    "timeDelayAttack" Source::NextGen, |_, rng| Box::new(TimeDelay::new(rng));
    "dosAttack" Source::NextGen, |_, _| Box::new(Copies);
    "trafficCongestionSybil" Source::NextGen, |_, rng| Box::new(TrafficCongestionSybil::new(rng));
    "suddenStop" Source::NextGen, |_, _| Box::new(EventualStop::next_gen());
    "dataReplay" Source::NextGen, |_, _| Box::new(DataReplay::next_gen());
}
