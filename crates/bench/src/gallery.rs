//! The attack gallery: each attack on a published scheme, and the same attempt on Cairn.
//!
//! An attempt is made with Cairn's own code. It counts as failed only if that code refused it, and
//! only if, in the same run, the control held: the honest case passes the very check that refused
//! the attacker.

mod audit;
mod issuing;
mod login;
mod records;

use cairn_baselines::ATTACKS;
use rand::{SeedableRng as _, rngs::StdRng};

/// What became of an attempt on Cairn.
pub struct Attempt {
    /// The attacker did not reach the goal.
    failed: bool,
    /// The honest case passed in the same run.
    control: bool,
    /// What stood in the way, in one sentence.
    why: String,
}

impl Attempt {
    /// An attempt that is refused with a reason, or succeeds.
    fn refused<T>(result: Result<T, String>, control: bool) -> Self {
        Self {
            failed: result.is_err(),
            control,
            why: result.err().unwrap_or_else(|| "the attack works".into()),
        }
    }
}

type Try = fn(StdRng) -> Attempt;

/// The attempt on Cairn for the attack `id`.
fn attempt(id: &str) -> Option<Try> {
    Some(match id {
        "A0" => audit::a0_junk_under_another_key,
        "A1" => audit::a1_proof_without_data,
        "A2" => audit::a2_third_tag_from_two,
        "A3" => audit::a3_who_uploaded,
        "B1" => login::b1_replay_at_another_rsu,
        "B2" => issuing::b2_plate_guessed_from_registration,
        "B3" => login::b3_previous_rsu_shows_the_token,
        "B4" => login::b4_logins_linked,
        "B5" => issuing::b5_certificate_for_a_chosen_key,
        "B6" => login::b6_anybody_answers_as_the_rsu,
        "B7" => issuing::b7_identity_exchanged_in_transit,
        "B9" => login::b9_token_at_two_rsus,
        "C1" => login::c1_replay_for_ever,
        "C2" => login::c2_secret_computed_from_name_and_time,
        "C3" => login::c3_answer_forged,
        "C4" => login::c4_session_in_anothers_name,
        "C5" => login::c5_key_leaked_later,
        "E1" => issuing::e1_last_authority_chooses_its_key,
        "E2" => records::e2_content_guessed,
        "E3" => records::e3_two_records_one_commitment,
        "E5" => issuing::e5_public_value_replaced,
        "D1" => records::d1_altered_nodes,
        _ => return None,
    })
}

/// Runs and prints everything. Returns whether every row is as it should be.
pub fn show(seed: u64) -> bool {
    println!("{:4}{:77}{:12}here", "id", "attack", "published");
    let mut right = 0;
    for (number, attack) in (0..).zip(ATTACKS) {
        let rng = || StdRng::seed_from_u64(seed ^ (number << 32));
        let there = (attack.run)(&mut rng());
        let here = attempt(attack.id).map(|attempt| attempt(rng()));
        let published = match (there.succeeded, there.control) {
            (true, true) => "works",
            (true, false) => "NO CONTROL",
            (false, _) => "FAILS",
        };
        let (ours, why) = match &here {
            None => ("NOT TRIED", ""),
            Some(Attempt { failed: false, .. }) => ("WORKS", ""),
            Some(Attempt {
                control: false,
                why,
                ..
            }) => ("NO CONTROL", why.as_str()),
            Some(Attempt { why, .. }) => ("fails", why.as_str()),
        };
        println!("{:4}{:77}{published:12}{ours}", attack.id, attack.title);
        println!("    there: {}", there.achieved);
        println!("    here:  {why}");
        right += usize::from((published, ours) == ("works", "fails"));
    }
    let all = ATTACKS.len();
    println!("\n{right} of {all} attacks work on the published scheme and fail on Cairn.");
    right == all
}
