//! Attacks B1 to B7 and B9.

use curve25519_dalek::{RistrettoPoint, Scalar};
use rand_core::CryptoRng;

use super::{
    Applicant, Application, CertificateHash, Established, Issued, Ledger, MAX_DELAY_MS, Params,
    Reading, STANDING, SessionKey, Ta, Vehicle, Vid, embed,
    login::{Rsu, answer, fast_request, request},
    parse,
    registration::unmask,
};
use crate::{Outcome, Refusal};

const NOW: u64 = 1_000_000;
const VID: Vid = Vid(*b"CN-A0042");

struct World {
    ta: Ta,
    params: Params,
    vehicle: Vehicle,
    near: Rsu,
    next: Rsu,
    ledger: Ledger,
    /// What an eavesdropper saw of the registration.
    seen: (Application, Issued),
}

fn world(reading: Reading, rng: &mut dyn CryptoRng) -> Result<World, Refusal> {
    let (mut ta, params) = Ta::random(reading, rng);
    let (applicant, application) = Applicant::apply(&params, VID, NOW, rng)?;
    let issued = ta.register(&params, &application, NOW, rng)?;
    let vehicle = applicant.finish(&params, &issued)?;
    Ok(World {
        ta,
        params,
        vehicle,
        near: Rsu::random(rng),
        next: Rsu::random(rng),
        ledger: Ledger::default(),
        seen: (application, issued),
    })
}

impl World {
    /// An honest login at the near RSU; the vehicle's and the RSU's ends.
    fn login(&mut self, rng: &mut dyn CryptoRng) -> Result<(Established, Established), Refusal> {
        let (pending, request) = self.vehicle.request(NOW, rng);
        let (answer, at_rsu) =
            self.near
                .authenticate(&self.params, &mut self.ledger, &request, NOW, rng)?;
        let reading = self.params.reading;
        let at_vehicle = pending.finish(reading, &self.near.public(), &answer, NOW)?;
        Ok((at_vehicle, at_rsu))
    }
}

fn outcome(result: Result<(bool, bool), Refusal>, achieved: &str) -> Outcome {
    let (succeeded, control) = result.unwrap_or((false, false));
    Outcome {
        succeeded,
        control,
        achieved: achieved.to_owned(),
    }
}

/// B1: the request names no RSU.
pub fn attack_b1(rng: &mut dyn CryptoRng) -> Outcome {
    let mut run = || {
        let mut w = world(STANDING, rng)?;
        let (_, recorded) = w.vehicle.request(NOW, rng);
        w.near
            .authenticate(&w.params, &mut w.ledger, &recorded, NOW, rng)?;
        let later = NOW + MAX_DELAY_MS;
        let replay = w
            .next
            .authenticate(&w.params, &mut w.ledger, &recorded, later, rng);
        let mut tampered = recorded;
        tampered.sent = later.to_be_bytes();
        let refused = w.next.check(&w.params, &w.ledger, &tampered, later);
        let late = w.next.check(&w.params, &w.ledger, &recorded, later + 1);
        let control = refused == Err(Refusal::Proof) && late == Err(Refusal::Late);
        Ok((replay.is_ok(), control))
    };
    outcome(
        run(),
        "a second RSU logs the vehicle in and writes a ledger record for it",
    )
}

/// B2: (R, X, S) tests a guess of VID. A VID is a plate: here one of 10,000.
pub fn attack_b2(rng: &mut dyn CryptoRng) -> Outcome {
    let mut run = || {
        let w = world(STANDING, rng)?;
        let (application, issued) = &w.seen;
        let guess = |prefix: &[u8; 4]| {
            (0..10_000_u32).find_map(|number| {
                let mut vid = [0; 8];
                vid[..4].copy_from_slice(prefix);
                vid[4..].copy_from_slice(format!("{number:04}").as_bytes());
                let s = unmask(&w.params, Vid(vid), &application.x, issued).ok()?;
                Some((Vid(vid), s))
            })
        };
        let found = guess(b"CN-A").is_some_and(|(vid, s)| {
            let r = parse(&issued.r).map(|r| r + w.params.certified(&issued.r, &application.x));
            vid == VID && r == Ok(RistrettoPoint::mul_base(&s))
        });
        Ok((found, guess(b"CN-B").is_none()))
    };
    outcome(
        run(),
        "holds the vehicle's VID and the key s that TA issued to it",
    )
}

/// B3: the RSU chose n.
pub fn attack_b3(rng: &mut dyn CryptoRng) -> Outcome {
    let mut run = || {
        let mut w = world(STANDING, rng)?;
        let (_, at_rsu) = w.login(rng)?;
        let (_, forged) = fast_request(&at_rsu.next, NOW, rng);
        let passes = w
            .next
            .reauthenticate(&w.params, &mut w.ledger, &forged, NOW, rng)
            .is_ok();
        let (_, guessed) = fast_request(&Scalar::random(rng), NOW, rng);
        let refused = w
            .next
            .reauthenticate(&w.params, &mut w.ledger, &guessed, NOW, rng);
        Ok((passes, refused.err() == Some(Refusal::Token)))
    };
    outcome(
        run(),
        "the RSU visited before is logged in as the vehicle at the next one",
    )
}

/// B4: R and X never change, and R stands in every record.
pub fn attack_b4(rng: &mut dyn CryptoRng) -> Outcome {
    let mut run = || {
        let mut w = world(STANDING, rng)?;
        let (applicant, application) = Applicant::apply(&w.params, Vid(*b"CN-A0043"), NOW, rng)?;
        let issued = w.ta.register(&w.params, &application, NOW, rng)?;
        let other = applicant.finish(&w.params, &issued)?;
        let (_, first) = w.vehicle.request(NOW, rng);
        let (_, second) = w.vehicle.request(NOW + 86_400_000, rng);
        let (_, stranger) = other.request(NOW, rng);

        let (at_vehicle, _) = w.login(rng)?;
        let (_, again) = at_vehicle.fast_request(NOW, rng);
        w.next
            .reauthenticate(&w.params, &mut w.ledger, &again, NOW, rng)?;
        let mut owners = w.ledger.tokens.values().map(|record| record.r);
        let linked = w.ledger.tokens.len() == 2 && owners.all(|r| r == first.r);
        let succeeded = (first.r, first.x) == (second.r, second.x) && linked;
        Ok((succeeded, (stranger.r, stranger.x) != (first.r, first.x)))
    };
    outcome(
        run(),
        "every RSU and every reader of the ledger follows the vehicle through all runs",
    )
}

/// A credential from nothing: pick y and R, solve `X = yP − R − H(R)·PK_TA`.
fn forged_credential(
    reading: CertificateHash,
    rng: &mut dyn CryptoRng,
) -> Result<Result<RistrettoPoint, Refusal>, Refusal> {
    let w = world(
        Reading {
            certificate: reading,
            ..STANDING
        },
        rng,
    )?;
    let y = Scalar::random(rng);
    let r = RistrettoPoint::mul_base(&Scalar::random(rng));
    let r_bytes = r.compress().0;
    // With `OnlyR` the second argument is not used; with `CoversX` the attacker must guess it.
    let certified = w.params.certified(&r_bytes, &[0; 32]);
    let x = RistrettoPoint::mul_base(&y) - r - certified;
    let (_, forged) = request(&r_bytes, &x.compress().0, &y, NOW, rng);
    Ok(w.near.check(&w.params, &w.ledger, &forged, NOW))
}

/// B5: only against the reading `h = H(R)`.
pub fn attack_b5(rng: &mut dyn CryptoRng) -> Outcome {
    let mut run = || {
        let passes = forged_credential(CertificateHash::OnlyR, rng)?.is_ok();
        let refused = forged_credential(CertificateHash::CoversX, rng)?;
        Ok((passes, refused == Err(Refusal::Proof)))
    };
    outcome(
        run(),
        "a party that TA never saw logs in with a credential that cannot be traced",
    )
}

/// An attacker without `sk_j` answers a request.
fn forged_answer(
    reading: SessionKey,
    rng: &mut dyn CryptoRng,
) -> Result<Result<bool, Refusal>, Refusal> {
    let w = world(
        Reading {
            session: reading,
            ..STANDING
        },
        rng,
    )?;
    let (pending, request) = w.vehicle.request(NOW, rng);
    let (forged, mine) = answer(&parse(&request.m)?, None, NOW, rng);
    let end = pending.finish(w.params.reading, &w.near.public(), &forged, NOW);
    Ok(end.map(|established| established == mine))
}

/// B6: only against the reading `K = H(k·M)`.
pub fn attack_b6(rng: &mut dyn CryptoRng) -> Outcome {
    let mut run = || {
        let accepted = forged_answer(SessionKey::EphemeralOnly, rng)? == Ok(true);
        let refused = forged_answer(SessionKey::WithRsuKey, rng)?;
        Ok((accepted, refused == Err(Refusal::Proof)))
    };
    outcome(
        run(),
        "shares session key and next secret with a vehicle that believes it is an RSU",
    )
}

/// B7: ElGamal ciphertexts add up: `C2 + (M_B − M_A)` carries B where A was sent.
pub fn attack_b7(rng: &mut dyn CryptoRng) -> Outcome {
    let mut run = || {
        let mut w = world(STANDING, rng)?;
        let other = Vid(*b"CN-A0043");
        let (applicant, mut application) = Applicant::apply(&w.params, VID, NOW, rng)?;
        let shift = embed(other).ok_or(Refusal::Point)? - embed(VID).ok_or(Refusal::Point)?;
        application.vid = (parse(&application.vid)? + shift).compress().0;
        let issued = w.ta.register(&w.params, &application, NOW, rng)?;
        let succeeded = w.ta.trace(&issued.r) == Some(other);
        // The honest vehicle notices, as the mask does not fit; TA has the record all the same.
        let noticed = applicant.finish(&w.params, &issued).is_err();
        application.vid[0] ^= 2;
        let refused = w.ta.register(&w.params, &application, NOW, rng);
        Ok((succeeded, noticed && refused.err() == Some(Refusal::Point)))
    };
    outcome(
        run(),
        "TA issues a credential and traces it to a person who never applied",
    )
}

/// B9: nothing consumes a token, and two RSUs that have not yet seen each other's block cannot
/// know of each other.
pub fn attack_b9(rng: &mut dyn CryptoRng) -> Outcome {
    let mut run = || {
        let mut w = world(STANDING, rng)?;
        let (at_vehicle, _) = w.login(rng)?;
        let mut elsewhere = w.ledger.clone();
        let mut accepted = 0;
        for (rsu, ledger) in [(&w.near, &mut w.ledger), (&w.next, &mut elsewhere)] {
            for _ in 0..2 {
                let (_, again) = at_vehicle.fast_request(NOW, rng);
                let run = rsu.reauthenticate(&w.params, ledger, &again, NOW, rng);
                accepted += usize::from(run.is_ok());
            }
        }
        let (_, again) = at_vehicle.fast_request(NOW, rng);
        w.ledger.revoke(w.vehicle.r());
        let refused = w
            .near
            .reauthenticate(&w.params, &mut w.ledger, &again, NOW, rng);
        Ok((accepted == 4, refused.err() == Some(Refusal::Token)))
    };
    outcome(
        run(),
        "one token opens four sessions, two of them at another RSU at the same time",
    )
}
