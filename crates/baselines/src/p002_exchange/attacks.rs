//! Attacks E1, E2, E3 and E5.

use rand_core::CryptoRng;
use sm2::{ProjectivePoint, Scalar};

use super::{
    Identity, Kgc, Point, PrivateKey, decode, decrypt, encode, encrypt, enrol, lambda,
    master_public, public_key, random, record_digest,
};
use crate::{Outcome, Refusal};

const OWNER: Identity<'_> = Identity {
    id: *b"organisation...B",
    state: b"trusted, epoch 7",
};
const DATA: &[u8] = b"temperature=21.5;pressure=3.2";

fn outcome(result: Result<(bool, bool), Refusal>, achieved: String) -> Outcome {
    let (succeeded, control) = result.unwrap_or((false, false));
    Outcome {
        succeeded,
        control,
        achieved,
    }
}

/// A key in the owner's name from a master secret: steps 3 to 6 without the owner.
fn second_key(master_secret: &Scalar, master: &Point, rng: &mut dyn CryptoRng) -> PrivateKey {
    let u = random(rng);
    let w = encode(&(ProjectivePoint::GENERATOR * u));
    PrivateKey {
        d: u + lambda(&w, &OWNER, master) * *master_secret,
        w,
    }
}

/// Whether `key` opens what a sender encrypts to the name [`OWNER`] with the value `w`.
fn reads(
    key: &PrivateKey,
    w: &Point,
    master: &Point,
    rng: &mut dyn CryptoRng,
) -> Result<bool, Refusal> {
    let envelope = encrypt(&public_key(w, &OWNER, master)?, DATA, rng)?;
    Ok(decrypt(key, &envelope).is_ok_and(|data| data == DATA))
}

/// E1: no authority proves that it knows its key. The last one publishes `P_j = aG − Σ P_others`;
/// then `P_pub = aG`. It cannot compute honest shares, and it needs none.
pub fn attack_e1(rng: &mut dyn CryptoRng) -> Outcome {
    let mut run = || {
        let honest = [Kgc::random(rng), Kgc::random(rng)];
        let a = random(rng);
        let mut rogue = ProjectivePoint::GENERATOR * a;
        for kgc in &honest {
            rogue -= decode(&kgc.public())?;
        }
        let master = master_public(&[honest[0].public(), honest[1].public(), encode(&rogue)])?;
        let forged = second_key(&a, &master, rng);
        let succeeded = reads(&forged, &forged.w, &master, rng)?;

        let fair = Kgc::random(rng);
        let master = master_public(&[honest[0].public(), honest[1].public(), fair.public()])?;
        let powerless = second_key(&fair.secret, &master, rng);
        let control = !reads(&powerless, &powerless.w, &master, rng)?;
        Ok((succeeded, control))
    };
    outcome(
        run(),
        "alone issues itself a working key for any name and state".into(),
    )
}

/// E2: the digest is over few possible contents. Here: a temperature with one decimal.
pub fn attack_e2(rng: &mut dyn CryptoRng) -> Outcome {
    let (did, time) = (b"D001", b"1700000000000");
    let tenths = rng.next_u32() % 1_000;
    let text = |tenths: u32| format!("temperature={}.{}", tenths / 10, tenths % 10);
    let on_chain = record_digest(did, time, text(tenths).as_bytes());
    let find = |digest: [u8; 32]| {
        (0..1_000).find(|guess| record_digest(did, time, text(*guess).as_bytes()) == digest)
    };
    let other = record_digest(b"D002", time, text(tenths).as_bytes());
    Outcome {
        succeeded: find(on_chain) == Some(tenths),
        control: find(other).is_none(),
        achieved: format!(
            "reads \"{}\" off the ledger in at most 1,000 hashes",
            text(tenths)
        ),
    }
}

/// E3: the fields have no lengths, so a byte moves from one to the next. The paper states no
/// lengths; with a fixed length for every field but the last there is no such collision.
pub fn attack_e3(_rng: &mut dyn CryptoRng) -> Outcome {
    let stored = record_digest(b"D1", b"23", b"valve=open");
    let moved = record_digest(b"D12", b"3", b"valve=open");
    let other = record_digest(b"D1", b"23", b"valve=shut");
    Outcome {
        succeeded: stored == moved,
        control: stored != other,
        achieved: "device D12 at time 3 and device D1 at time 23 share one digest".into(),
    }
}

/// E5: `W` is not authenticated. Whoever replaces it makes senders encrypt to a key that nobody
/// has; and the authorities together can put a second, working `W` in its place.
pub fn attack_e5(rng: &mut dyn CryptoRng) -> Outcome {
    let mut run = || {
        let kgcs = [Kgc::random(rng), Kgc::random(rng), Kgc::random(rng)];
        let master = master_public(&kgcs.each_ref().map(Kgc::public))?;
        let owner = enrol(&kgcs, &OWNER, rng)?;
        let control = reads(&owner, &owner.w, &master, rng)?;

        let replaced = encode(&(ProjectivePoint::GENERATOR * random(rng)));
        let locked_out = !reads(&owner, &replaced, &master, rng)?;

        let second = enrol(&kgcs, &OWNER, rng)?;
        let read_by_other = reads(&second, &second.w, &master, rng)?;
        Ok((locked_out && read_by_other, control))
    };
    let achieved = "anybody locks the owner out; the authorities read what is sent to it";
    outcome(run(), achieved.into())
}
