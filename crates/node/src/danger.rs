//! Danger in a closed loop: a simulated road, and a real ledger that evaluates and commands.
//!
//! Bringing it up: validators over loopback sockets; TA deploys contracts `keys` and `danger`, TA and
//! LEA register the RSUs; every vehicle begins a trip ([`Voyage`](cairn_protocol::danger::report::Voyage)) and agrees a session key with the
//! RSU (Noise NK, as in a login).
//!
//! Every half second of the road ([`drive`]):
//!
//! 1. each vehicle seals its report; the sealed report goes to the vault,
//! 2. the RSU's operator opens it, checks the commitment, evaluates it together with what the network
//!    knows of the road, and hands the batch to the ledger as one transaction,
//! 3. when that is final the RSU proves each trip's record and seals it as a command,
//! 4. the vehicle checks command and proof ([`Receiver`](cairn_protocol::danger::command::Receiver)); its on-board controller decides.
//!
//! Steps 1 to 4 take real time, which is measured; the road stands still meanwhile, and the command
//! arrives after the scenario's `delay_s`. So a run depends on its seed, not on this machine's load.
//!
//! Validators' statements are heard all the time; scenarios make some of them lie, and the listener's
//! [`Alarm`](cairn_protocol::danger::alarm::Alarm) decides, without the ledger.

mod setup;
mod sumo;
mod traffic;
mod vault;

pub use setup::DangerError;
pub use sumo::{SumoError, SumoReport, drive_sumo};
pub use traffic::{Latencies, NetworkReport, drive};
pub use vault::{Reports, open_reports};
