//! Paper 003: honest runs, refusals, sizes.

use cairn_baselines::{Refusal, p003_bpa::*};
use proptest::prelude::*;
use rand::{SeedableRng, rngs::StdRng};

const NOW: u64 = 1_700_000_000_000;
const VID: Vid = Vid(*b"CN-A0001");

struct World {
    rng: StdRng,
    ta: Ta,
    params: Params,
    vehicle: Vehicle,
    rsu: Rsu,
    ledger: Ledger,
}

fn world(seed: u64) -> World {
    let mut rng = StdRng::seed_from_u64(seed);
    let (mut ta, params) = Ta::random(STANDING, &mut rng);
    let (applicant, application) = Applicant::apply(&params, VID, NOW, &mut rng).unwrap();
    let issued = ta.register(&params, &application, NOW, &mut rng).unwrap();
    let vehicle = applicant.finish(&params, &issued).unwrap();
    let rsu = Rsu::random(&mut rng);
    World {
        rng,
        ta,
        params,
        vehicle,
        rsu,
        ledger: Ledger::default(),
    }
}

impl World {
    fn login(&mut self) -> (Established, Established, Answer) {
        let (pending, request) = self.vehicle.request(NOW, &mut self.rng);
        let (answer, at_rsu) = self
            .rsu
            .authenticate(
                &self.params,
                &mut self.ledger,
                &request,
                NOW + 9,
                &mut self.rng,
            )
            .unwrap();
        let at_vehicle = pending
            .finish(STANDING, &self.rsu.public(), &answer, NOW + 19)
            .unwrap();
        (at_vehicle, at_rsu, answer)
    }
}

#[test]
fn login_then_handover_then_handover() {
    let mut w = world(0);
    let (mut at_vehicle, at_rsu, _) = w.login();
    assert!(at_vehicle == at_rsu);
    for _ in 0..2 {
        let next = Rsu::random(&mut w.rng);
        let (pending, request) = at_vehicle.fast_request(NOW, &mut w.rng);
        let (answer, at_next) = next
            .reauthenticate(&w.params, &mut w.ledger, &request, NOW, &mut w.rng)
            .unwrap();
        at_vehicle = pending
            .finish(STANDING, &next.public(), &answer, NOW)
            .unwrap();
        assert!(at_vehicle == at_next);
    }
    assert_eq!(w.ledger.tokens.len(), 3);
}

#[test]
fn trace_and_revocation() {
    let mut w = world(1);
    let (at_vehicle, ..) = w.login();
    assert_eq!(w.ta.trace(&w.vehicle.r()), Some(VID));
    assert_eq!(w.ta.trace(&[0; 32]), None);
    w.ledger.revoke(w.vehicle.r());
    let (_, request) = w.vehicle.request(NOW, &mut w.rng);
    let refused = w.rsu.check(&w.params, &w.ledger, &request, NOW);
    assert_eq!(refused, Err(Refusal::Token));
    let (_, again) = at_vehicle.fast_request(NOW, &mut w.rng);
    let refused = w
        .rsu
        .reauthenticate(&w.params, &mut w.ledger, &again, NOW, &mut w.rng);
    assert_eq!(refused.err(), Some(Refusal::Token));
}

#[test]
fn late_messages_are_refused() {
    let mut w = world(2);
    let late = NOW + MAX_DELAY_MS + 1;
    let (pending, request) = w.vehicle.request(NOW, &mut w.rng);
    assert_eq!(
        w.rsu.check(&w.params, &w.ledger, &request, late),
        Err(Refusal::Late)
    );
    let (answer, _) = w
        .rsu
        .authenticate(&w.params, &mut w.ledger, &request, NOW, &mut w.rng)
        .unwrap();
    let refused = pending.finish(STANDING, &w.rsu.public(), &answer, late);
    assert_eq!(refused.err(), Some(Refusal::Late));
}

#[test]
fn answer_of_another_rsu_is_refused() {
    let mut w = world(3);
    let other = Rsu::random(&mut w.rng);
    let (pending, request) = w.vehicle.request(NOW, &mut w.rng);
    let (answer, _) = other
        .authenticate(&w.params, &mut w.ledger, &request, NOW, &mut w.rng)
        .unwrap();
    let refused = pending.finish(STANDING, &w.rsu.public(), &answer, NOW);
    assert_eq!(refused.err(), Some(Refusal::Proof));
}

#[test]
fn sizes_with_wide_points_are_the_printed_ones() {
    let figures = sizes().map(|size| (size.reconstruction, size.paper));
    let narrow = [(136, 232), (240, 368), (176, 240)];
    let wide = [(232, 232), (368, 368), (240, 240)];
    assert_eq!(figures[..3], narrow);
    assert_eq!(figures[3..], wide);
}

proptest! {
    #[test]
    fn vid_survives_its_point(vid: [u8; 8]) {
        let point = embed(Vid(vid)).unwrap();
        prop_assert_eq!(extract(&point), Some(Vid(vid)));
    }

    #[test]
    fn any_changed_bit_of_a_request_is_refused(seed: u64, at in 0_usize..136, bit in 0_u8..8) {
        let mut w = world(seed);
        let (_, mut request) = w.vehicle.request(NOW, &mut w.rng);
        let fields: [&mut [u8]; 5] = [
            &mut request.r, &mut request.x, &mut request.m, &mut request.z, &mut request.sent,
        ];
        *fields.into_iter().flatten().nth(at).unwrap() ^= 1_u8 << bit;
        prop_assert!(w.rsu.check(&w.params, &w.ledger, &request, NOW).is_err());
    }

    #[test]
    fn any_changed_bit_of_an_answer_is_refused(seed: u64, at in 0_usize..104, bit in 0_u8..8) {
        let mut w = world(seed);
        let (pending, request) = w.vehicle.request(NOW, &mut w.rng);
        let (mut answer, _) = w
            .rsu
            .authenticate(&w.params, &mut w.ledger, &request, NOW, &mut w.rng)
            .unwrap();
        let fields: [&mut [u8]; 4] =
            [&mut answer.n, &mut answer.hidden, &mut answer.check, &mut answer.sent];
        *fields.into_iter().flatten().nth(at).unwrap() ^= 1_u8 << bit;
        prop_assert!(pending.finish(STANDING, &w.rsu.public(), &answer, NOW).is_err());
    }

    #[test]
    fn any_changed_bit_of_a_fast_request_is_refused(seed: u64, at in 0_usize..72, bit in 0_u8..8) {
        let mut w = world(seed);
        let (at_vehicle, ..) = w.login();
        let (_, mut again) = at_vehicle.fast_request(NOW, &mut w.rng);
        let fields: [&mut [u8]; 3] = [&mut again.a, &mut again.z, &mut again.sent];
        *fields.into_iter().flatten().nth(at).unwrap() ^= 1_u8 << bit;
        let run = w.rsu.reauthenticate(&w.params, &mut w.ledger, &again, NOW, &mut w.rng);
        prop_assert!(run.is_err());
    }
}
