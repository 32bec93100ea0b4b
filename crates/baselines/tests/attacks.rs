//! Every attack succeeds against its scheme, and its control holds.

use cairn_baselines::ATTACKS;
use rand::{SeedableRng, rngs::StdRng};

fn run(id: &str) {
    let attack = ATTACKS
        .iter()
        .find(|attack| attack.id == id)
        .expect("listed");
    for seed in 0..3 {
        let outcome = (attack.run)(&mut StdRng::seed_from_u64(seed));
        assert!(
            outcome.succeeded,
            "{id} fails with seed {seed}: {outcome:?}"
        );
        assert!(
            outcome.control,
            "{id} has no control with seed {seed}: {outcome:?}"
        );
    }
}

macro_rules! attacks {
    ($($name:ident $id:literal)*) => {
        $(#[test] fn $name() { run($id); })*

        #[test]
        fn the_list_holds_these_attacks_and_no_others() {
            let listed: Vec<_> = ATTACKS.iter().map(|attack| attack.id).collect();
            assert_eq!(listed, [$($id),*]);
        }
    };
}

attacks! {
    a0_junk_under_another_identity "A0"
    a1_proof_without_data "A1"
    a2_two_tags_give_the_keys "A2"
    a3_auditor_names_uploaders "A3"
    b1_replay_at_another_rsu "B1"
    b2_identity_guessed_off_line "B2"
    b3_previous_rsu_impersonates "B3"
    b4_logins_linked "B4"
    b5_credential_forged "B5"
    b6_rsu_impersonated "B6"
    b7_registration_malleable "B7"
    b9_token_spent_twice "B9"
    c1_login_replays_for_ever "C1"
    c2_random_number_predicted "C2"
    c3_answer_forged "C3"
    c4_session_in_anothers_name "C4"
    c5_no_forward_secrecy "C5"
    e1_rogue_authority "E1"
    e2_content_guessed "E2"
    e3_digests_collide "E3"
    e5_public_value_replaced "E5"
    d1_attack_flag_always_zero "D1"
}
