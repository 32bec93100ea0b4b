//! A road on which danger is evaluated and vehicles are told to slow down and stop (PROTOCOLS.md
//! section 11; paper 004, section 3.3).
//!
//! ```text
//! Simulation --reports due--> evaluation (contract `danger`, or the same model here)
//!      ^                                 |
//!      '---- advice <-- the way back ----'
//! ```
//!
//! | module | what it is |
//! |---|---|
//! | [`scenario`] | what happens on the road, and what is expected of it: files |
//! | [`vehicle`] | how cars, trucks and buses move and brake |
//! | [`driver`] | the person at the wheel, who reacts late and sees only so far |
//! | [`controller`] | the on-board controller: own sensors first, advice second |
//! | [`simulation`] | all of them on one road, in steps of 0.1 s |
//! | [`outcome`] | what came of it: collisions, time gaps, hard brakings, the course of danger |
//! | [`compare`] | the same road without any system, with own sensors only, and with advice |
//! | [`fit`] | R²: how well danger predicts the time to collision that follows |
//! | [`report`] | all of this as JSON |
//! | [`plot`] | danger and speed over time, as SVG |
//!
//! No I/O and no clock: a seed and a scenario give one result.

pub mod compare;
pub mod controller;
pub mod driver;
pub mod fit;
pub mod outcome;
pub mod plot;
pub mod report;
pub mod scenario;
pub mod simulation;
pub mod vehicle;

/// Standard gravity in m/s².
pub const GRAVITY: f64 = 9.81;

/// Length of a step, in seconds.
pub const STEP_S: f64 = 0.1;
