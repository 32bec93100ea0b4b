//! The list of attacks, for a gallery that runs them all.

use rand_core::CryptoRng;

use crate::{p000_login, p001_pdp, p002_exchange, p003_bpa, p004_danger};

/// What an attack run achieved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The attacker reached the goal named in the title.
    pub succeeded: bool,
    /// In the same run the scheme accepted the honest case, where it has a check, and refused
    /// plain tampering: the success does not come from a check that accepts or refuses everything.
    pub control: bool,
    /// What the attacker holds afterwards, in one sentence.
    pub achieved: String,
}

/// An attack on a published scheme, runnable from a seed.
#[derive(Clone, Copy, Debug)]
pub struct Attack {
    /// Identifier, letter of the scheme and number.
    pub id: &'static str,
    /// What the attacker does, in a few words.
    pub title: &'static str,
    /// Builds the scheme's parties, attacks them, and reports.
    pub run: fn(&mut dyn CryptoRng) -> Outcome,
}

/// Every attack of this crate that a program can run, in the order of the papers 001, 003, 000,
/// 002, 004. Left out: B8, B10 to B13, A4 to A7 and E4, which are matters of definition,
/// parameters or operation.
pub const ATTACKS: &[Attack] = &[
    Attack {
        id: "A0",
        title: "junk tagged under the store's own account passes the audit",
        run: p001_pdp::attack_a0,
    },
    Attack {
        id: "A1",
        title: "a proof without data, tags or keys passes the audit",
        run: p001_pdp::attack_a1,
    },
    Attack {
        id: "A2",
        title: "two tags give the uploader's keys and any further tag",
        run: p001_pdp::attack_a2,
    },
    Attack {
        id: "A3",
        title: "the auditor names the uploader of every challenged block",
        run: p001_pdp::attack_a3,
    },
    Attack {
        id: "B1",
        title: "a login request replays at another RSU inside the window",
        run: p003_bpa::attack_b1,
    },
    Attack {
        id: "B2",
        title: "an eavesdropper guesses the vehicle's identity and reads its issued key",
        run: p003_bpa::attack_b2,
    },
    Attack {
        id: "B3",
        title: "the previous RSU logs in as the vehicle",
        run: p003_bpa::attack_b3,
    },
    Attack {
        id: "B4",
        title: "two logins of one vehicle are linked, and so are its ledger records",
        run: p003_bpa::attack_b4,
    },
    Attack {
        id: "B5",
        title: "anybody forges a credential when the certificate hash omits X",
        run: p003_bpa::attack_b5,
    },
    Attack {
        id: "B6",
        title: "anybody answers as the RSU when the key rests on ephemerals alone",
        run: p003_bpa::attack_b6,
    },
    Attack {
        id: "B7",
        title: "the identity inside a registration is exchanged in transit",
        run: p003_bpa::attack_b7,
    },
    Attack {
        id: "B9",
        title: "one token serves at two RSUs before the ledger settles, and again after",
        run: p003_bpa::attack_b9,
    },
    Attack {
        id: "C1",
        title: "a recorded login replays for ever with a new time stamp",
        run: p000_login::attack_c1,
    },
    Attack {
        id: "C2",
        title: "the vehicle's random number is computed from identity and time",
        run: p000_login::attack_c2,
    },
    Attack {
        id: "C3",
        title: "an attacker answers as the RSU and shares the session key",
        run: p000_login::attack_c3,
    },
    Attack {
        id: "C4",
        title: "anybody opens a session in the name of a vehicle",
        run: p000_login::attack_c4,
    },
    Attack {
        id: "C5",
        title: "a vehicle key leaked later opens every recorded session",
        run: p000_login::attack_c5,
    },
    Attack {
        id: "E1",
        title: "the last authority chooses its key so that it alone owns the master key",
        run: p002_exchange::attack_e1,
    },
    Attack {
        id: "E2",
        title: "content is read off its public digest by guessing",
        run: p002_exchange::attack_e2,
    },
    Attack {
        id: "E3",
        title: "two different records share one digest",
        run: p002_exchange::attack_e3,
    },
    Attack {
        id: "E5",
        title: "a replaced public value locks the owner out; a second one reads in its name",
        run: p002_exchange::attack_e5,
    },
    Attack {
        id: "D1",
        title: "an attack on nine of ten nodes is evaluated as normal driving",
        run: p004_danger::attack_d1,
    },
];
