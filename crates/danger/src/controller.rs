//! The on-board controller. It can only take away from what the driver wants, never add.
//!
//! 1. **Own sensors first.** They see what is ahead as far as weather and bends allow, at most
//!    [`SENSOR_RANGE_M`]. When stopping before it takes [`EMERGENCY_SHARE`] of what brakes and road
//!    give, the controller brakes as hard as it can. Nothing else brakes hard.
//! 2. **Advice second.** *Slow down* and *stop* are obeyed with the gentle deceleration of the class,
//!    while the advice lives. A stop that is truly urgent is one that step 1 sees too, or will.
//! 3. **Contradiction.** Advice that speaks of something within the sensors' sight that they do not
//!    see, or see going on its way, is ignored and reported ([`Contradicted`]). What would be hidden
//!    by the vehicle ahead cannot be contradicted.
//! 4. **Network alarm.** Advice counts no more; the vehicle comes to a gentle stop (a minimal-risk
//!    manoeuvre: UN R157 5.5 allows at most 4.0 m/s², ours are below). Paper 004 wants emergency
//!    braking here; then whoever can raise an alarm can stop traffic dead.
//!
//! So a false alarm of any kind costs time, and never brakes hard.

use crate::vehicle::Gap;
use cairn_contracts::danger::{Action, Evaluation, Inputs, Model};
use thiserror::Error;

/// How far own sensors see on a clear day, in metres: camera and lidar, as in paper 004 (section
/// 3.2); ours.
pub const SENSOR_RANGE_M: f64 = 120.0;

/// Share of the possible deceleration from which own sensors brake; ours.
pub const EMERGENCY_SHARE: f64 = 0.6;

/// What stays free before what own sensors brake for, in metres; ours.
const SPARE_M: f64 = 0.5;

/// By how much a claimed gap may differ from what sensors see, in metres: 22 m/s for the way of a
/// command and a half second of report; ours.
const TOLERANCE_M: f64 = 15.0;

/// By how much a claimed closing speed may be above what sensors see, in m/s: hard braking of the
/// vehicle ahead for half a second and the way; ours.
const TOLERANCE_CLOSING: f64 = 5.0;

/// What is claimed this much beyond the vehicle ahead is hidden by it, in metres; ours.
const HIDDEN_M: f64 = 5.0;

/// In how many seconds the controller brings the speed to the commanded one, braking permitting.
const SETTLE_S: f64 = 1.0;

/// What own sensors know.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// The next thing ahead within range.
    pub gap: Option<Gap>,
    /// How far they see now, in metres.
    pub range_m: f64,
    /// Own speed in m/s.
    pub speed: f64,
    /// What brakes and road give now, in m/s².
    pub braking: f64,
}

/// What the network says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Advice {
    /// What was evaluated.
    pub inputs: Inputs,
    /// What came of it.
    pub evaluation: Evaluation,
    /// When it stops to count, in seconds of the simulation.
    pub until_s: f64,
}

/// Advice that own sensors contradict.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[error(
    "told of something {claimed_m:.0} m ahead; own sensors see {range_m:.0} m and nothing there"
)]
pub struct Contradicted {
    /// Where it should be, in metres.
    pub claimed_m: f64,
    /// How far sensors see, in metres.
    pub range_m: f64,
}

/// What limits the vehicle now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Own sensors: emergency.
    Sensors,
    /// Advice.
    Advice,
    /// Network alarm.
    Alarm,
}

/// The controller of one vehicle.
#[derive(Clone, Debug)]
pub struct Controller {
    gentle: f64,
    advice: Option<Advice>,
    alarm: bool,
}

impl Controller {
    /// A controller that was told nothing yet. `gentle` is the class's gentle deceleration, m/s².
    #[must_use]
    pub fn new(gentle: f64) -> Self {
        Self {
            gentle,
            advice: None,
            alarm: false,
        }
    }

    /// For a vehicle of this class.
    #[must_use]
    pub fn of(model: &Model, inputs_class: cairn_contracts::danger::Class) -> Self {
        Self::new(f64::from(model.gentle_cm_s2[inputs_class.index()]) / 100.0)
    }

    /// Takes advice.
    ///
    /// # Errors
    ///
    /// [`Contradicted`] (step 3); what was known before stays.
    pub fn advise(&mut self, advice: Advice, view: &View) -> Result<(), Contradicted> {
        if let Some(ahead) = advice.inputs.ahead {
            let claimed_m = f64::from(ahead.gap_dm) / 10.0;
            let claimed_closing = f64::from(ahead.closing_cm_s) / 100.0;
            let is_there = view.gap.is_some_and(|seen| {
                let is_hidden = seen.gap_m + HIDDEN_M < claimed_m;
                let is_near = seen.gap_m <= claimed_m + TOLERANCE_M;
                is_hidden || is_near && claimed_closing <= seen.closing + TOLERANCE_CLOSING
            });
            if claimed_m + TOLERANCE_M < view.range_m && !is_there {
                return Err(Contradicted {
                    claimed_m,
                    range_m: view.range_m,
                });
            }
        }
        self.advice = Some(advice);
        Ok(())
    }

    /// The network alarm is raised, or over.
    pub fn set_alarm(&mut self, raised: bool) {
        self.alarm = raised;
    }

    /// The greatest acceleration that the vehicle may have now, in m/s², and why; `None` when the
    /// driver is free.
    #[must_use]
    pub fn ceiling(&self, view: &View, now_s: f64) -> Option<(f64, Limit)> {
        let demanded = view.gap.map_or(0.0, |gap| gap.demanded(SPARE_M));
        if demanded >= EMERGENCY_SHARE * view.braking {
            return Some((-view.braking, Limit::Sensors));
        }
        if self.alarm {
            return Some((-self.gentle, Limit::Alarm));
        }
        let advice = self.advice.filter(|advice| now_s < advice.until_s)?;
        match advice.evaluation.action {
            Action::Keep => None,
            Action::SlowDown(target) => {
                let change = (f64::from(target) / 100.0 - view.speed) / SETTLE_S;
                Some((change.max(-self.gentle), Limit::Advice))
            }
            Action::Stop => Some((-self.gentle, Limit::Advice)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_contracts::danger::{Ahead, Class, Road, Weather};

    const FREE: View = View {
        gap: None,
        range_m: SENSOR_RANGE_M,
        speed: 13.9,
        braking: 6.4,
    };

    fn advice(ahead: Option<Ahead>, speed_cm_s: u16) -> Advice {
        let inputs = Inputs {
            class: Class::Car,
            condition: 100,
            speed_cm_s,
            ahead,
            weather: Weather::Clear,
            road: Road::Dry,
        };
        Advice {
            inputs,
            evaluation: Model::default().evaluate(&inputs),
            until_s: 2.0,
        }
    }

    fn controller() -> Controller {
        Controller::of(&Model::default(), Class::Car)
    }

    #[test]
    fn an_invented_obstacle_in_sight_is_ignored() {
        let mut controller = controller();
        let claimed = Ahead {
            gap_dm: 200,
            closing_cm_s: 1_390,
        };
        let refused = controller.advise(advice(Some(claimed), 1_390), &FREE);
        assert!(refused.is_err());
        assert_eq!(controller.ceiling(&FREE, 0.0), None);
    }

    #[test]
    fn an_obstacle_out_of_sight_is_believed_and_obeyed_gently() {
        let mut controller = controller();
        let claimed = Ahead {
            gap_dm: 400,
            closing_cm_s: 1_390,
        };
        let fog = View {
            range_m: 30.0,
            ..FREE
        };
        controller
            .advise(advice(Some(claimed), 1_390), &fog)
            .unwrap();
        let (ceiling, limit) = controller.ceiling(&fog, 0.0).unwrap();
        assert_eq!(limit, Limit::Advice);
        assert_eq!(ceiling, -3.4, "gentle, whatever the danger");
        assert_eq!(controller.ceiling(&fog, 2.0), None, "advice expires");
    }

    #[test]
    fn only_own_sensors_brake_hard() {
        let mut controller = controller();
        controller.set_alarm(true);
        assert_eq!(controller.ceiling(&FREE, 0.0), Some((-3.4, Limit::Alarm)));
        let near = View {
            gap: Some(Gap {
                gap_m: 20.0,
                closing: 13.9,
            }),
            ..FREE
        };
        assert_eq!(controller.ceiling(&near, 0.0), Some((-6.4, Limit::Sensors)));
    }
}
