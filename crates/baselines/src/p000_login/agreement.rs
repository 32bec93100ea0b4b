//! Key agreement and rekey; steps in the documentation of the parent module.

use rand_core::CryptoRng;

use super::{Key, Ledger, Rid, Rsu, Uid, Vehicle, decrypt, ecies, encrypt, fresh, hash};
use crate::Refusal;

const NUMBER: usize = 32;
const FIRST_TEXT: usize = 8 + 8 + NUMBER + NUMBER + 32 + 4;
const SECOND_TEXT: usize = 8 + NUMBER + NUMBER + 32 + 32 + 4;

/// Bytes of the vehicle's ciphertext: RID 8, UID 8, R1 32, IK 32, digest 32, T3 4, and 97 of ECIES.
pub const FIRST_BYTES: usize = FIRST_TEXT + ecies::OVERHEAD;

/// Bytes of the RSU's ciphertext: RID 8, R1 32, R2 32, BK 32, HMAC 32, T4 4, and 97 of ECIES.
pub const SECOND_BYTES: usize = SECOND_TEXT + ecies::OVERHEAD;

/// Bytes of one rekey message: number 32, HMAC 32.
pub const REKEY_BYTES: usize = 64;

/// What the vehicle keeps between the two messages.
pub struct Handshake {
    rid: Rid,
    r1: [u8; NUMBER],
}

/// An agreed session, at either side.
#[derive(Clone, PartialEq, Eq)]
pub struct Session {
    rid: Rid,
    uid: Uid,
    bk: [u8; 32],
    sk: [u8; 32],
}

/// Who sends a rekey message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The vehicle.
    Vehicle,
    /// The RSU.
    Rsu,
}

/// R1: a generator seeded from identity and time.
#[must_use]
pub fn vehicle_random(uid: Uid, now: u32) -> [u8; NUMBER] {
    hash(&[b"PRNG", &uid.0, &now.to_be_bytes()])
}

/// Step 1 at the vehicle: its ciphertext of [`FIRST_BYTES`].
///
/// # Errors
///
/// [`Refusal::Point`] when the RSU's key is no point.
pub fn begin_agreement(
    vehicle: &Vehicle,
    rid: Rid,
    rsu: &Key,
    now: u32,
    rng: &mut (impl CryptoRng + ?Sized),
) -> Result<(Handshake, Vec<u8>), Refusal> {
    let r1 = vehicle_random(vehicle.uid, now);
    let mut ik = [0; NUMBER];
    rng.fill_bytes(&mut ik);
    let first = first_message(rid, vehicle.uid, &r1, &ik, rsu, now, rng)?;
    Ok((Handshake { rid, r1 }, first))
}

/// The first ciphertext from its fields. It needs no secret, which is attack C4.
pub(super) fn first_message(
    rid: Rid,
    uid: Uid,
    r1: &[u8; NUMBER],
    ik: &[u8; NUMBER],
    rsu: &Key,
    now: u32,
    rng: &mut (impl CryptoRng + ?Sized),
) -> Result<Vec<u8>, Refusal> {
    let m = [&rid.0[..], &uid.0, r1, ik].concat();
    encrypt(
        rsu,
        &[&m[..], &hash(&[&m]), &now.to_be_bytes()].concat(),
        rng,
    )
}

/// Step 2 at the RSU: session and its ciphertext of [`SECOND_BYTES`].
///
/// # Errors
///
/// [`Refusal::Ciphertext`], [`Refusal::Digest`], [`Refusal::Late`], [`Refusal::Key`].
pub fn answer_agreement(
    rsu: &Rsu,
    ledger: &Ledger,
    first: &[u8],
    now: u32,
    rng: &mut (impl CryptoRng + ?Sized),
) -> Result<(Session, Vec<u8>), Refusal> {
    let text = decrypt(&rsu.keys.scalar, first)?;
    let mut fields = Fields::new(&text, FIRST_TEXT)?;
    let (rid, uid) = (Rid(fields.take()?), Uid(fields.take()?));
    let (r1, ik) = (fields.take()?, fields.take()?);
    let digest: [u8; 32] = fields.take()?;
    fresh(fields.take()?, now)?;
    if rid != rsu.rid || hash(&[&rid.0, &uid.0, &r1, &ik]) != digest {
        return Err(Refusal::Digest);
    }
    let vehicle = ledger.valid(uid, now)?.key;
    second_message(rid, uid, &r1, &ik, &vehicle, now, rng)
}

/// The second ciphertext from its fields. It needs no secret of the RSU, which is attack C3.
pub(super) fn second_message(
    rid: Rid,
    uid: Uid,
    r1: &[u8; NUMBER],
    ik: &[u8; NUMBER],
    vehicle: &Key,
    now: u32,
    rng: &mut (impl CryptoRng + ?Sized),
) -> Result<(Session, Vec<u8>), Refusal> {
    let mut r2 = [0; NUMBER];
    rng.fill_bytes(&mut r2);
    let bk = hash(&[b"BK", r1, &r2, ik]);
    let session = Session::derive(rid, uid, bk, r1, &r2);
    let confirmation = session.confirmation(r1, &r2);
    let text = [&rid.0[..], r1, &r2, &bk, &confirmation, &now.to_be_bytes()].concat();
    Ok((session, encrypt(vehicle, &text, rng)?))
}

impl Handshake {
    /// Step 3 at the vehicle.
    ///
    /// # Errors
    ///
    /// [`Refusal::Ciphertext`], [`Refusal::Late`], [`Refusal::Proof`] for another R1 or HMAC.
    pub fn finish(self, vehicle: &Vehicle, second: &[u8], now: u32) -> Result<Session, Refusal> {
        let (session, r1) = open_second(vehicle, second, Some(now))?;
        if r1 != self.r1 || session.rid != self.rid {
            return Err(Refusal::Proof);
        }
        Ok(session)
    }
}

/// Opens a second ciphertext; without `now` the time is not looked at, as somebody does who
/// holds a leaked key and a recording.
pub(super) fn open_second(
    vehicle: &Vehicle,
    second: &[u8],
    now: Option<u32>,
) -> Result<(Session, [u8; NUMBER]), Refusal> {
    let text = decrypt(&vehicle.keys.scalar, second)?;
    let mut fields = Fields::new(&text, SECOND_TEXT)?;
    let rid = Rid(fields.take()?);
    let (r1, r2, bk) = (fields.take()?, fields.take()?, fields.take()?);
    let confirmation: [u8; 32] = fields.take()?;
    let sent = fields.take()?;
    if let Some(now) = now {
        fresh(sent, now)?;
    }
    let session = Session::derive(rid, vehicle.uid, bk, &r1, &r2);
    if session.confirmation(&r1, &r2) != confirmation {
        return Err(Refusal::Proof);
    }
    Ok((session, r1))
}

impl Session {
    fn derive(rid: Rid, uid: Uid, bk: [u8; 32], r1: &[u8; NUMBER], r2: &[u8; NUMBER]) -> Self {
        let sk = ecies::mac(&bk, &[b"SK", r1, r2, &rid.0, &uid.0]);
        Self { rid, uid, bk, sk }
    }

    fn confirmation(&self, r1: &[u8; NUMBER], r2: &[u8; NUMBER]) -> [u8; 32] {
        ecies::mac(&self.sk, &[&self.rid.0, &self.uid.0, r1, r2])
    }

    /// Whose session it is.
    #[must_use]
    pub fn uid(&self) -> Uid {
        self.uid
    }

    /// Rekey: a fresh number and the message that carries it. Each side sends once per key.
    #[must_use]
    pub fn offer(
        &self,
        from: Side,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> ([u8; NUMBER], [u8; REKEY_BYTES]) {
        let mut number = [0; NUMBER];
        rng.fill_bytes(&mut number);
        let mut message = [0; REKEY_BYTES];
        message[..NUMBER].copy_from_slice(&xor(&number, &self.pad(from)));
        let tag = ecies::mac(&self.sk, &[b"tag", &[from as u8], &message[..NUMBER]]);
        message[NUMBER..].copy_from_slice(&tag);
        (number, message)
    }

    /// Rekey: the number in the other side's message.
    ///
    /// # Errors
    ///
    /// [`Refusal::Ciphertext`] when the tag does not fit.
    pub fn open(&self, from: Side, message: &[u8; REKEY_BYTES]) -> Result<[u8; NUMBER], Refusal> {
        let (body, tag) = message
            .split_first_chunk::<NUMBER>()
            .ok_or(Refusal::Ciphertext)?;
        if ecies::mac(&self.sk, &[b"tag", &[from as u8], body])[..] != *tag {
            return Err(Refusal::Ciphertext);
        }
        Ok(xor(body, &self.pad(from)))
    }

    /// Rekey: the session after both numbers went over.
    #[must_use]
    pub fn rekey(&self, vehicle: &[u8; NUMBER], rsu: &[u8; NUMBER]) -> Self {
        Self::derive(self.rid, self.uid, self.bk, vehicle, rsu)
    }

    fn pad(&self, from: Side) -> [u8; NUMBER] {
        ecies::mac(&self.sk, &[b"pad", &[from as u8]])
    }
}

fn xor(a: &[u8; 32], b: &[u8; 32]) -> [u8; 32] {
    std::array::from_fn(|i| a[i] ^ b[i])
}

/// Reads fixed fields off a decrypted text.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn new(text: &'a [u8], length: usize) -> Result<Self, Refusal> {
        if text.len() == length {
            Ok(Self(text))
        } else {
            Err(Refusal::Ciphertext)
        }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Refusal> {
        let (field, rest) = self.0.split_first_chunk::<N>().ok_or(Refusal::Ciphertext)?;
        self.0 = rest;
        Ok(*field)
    }
}
