//! The device's request: independent keys, each with its own proof of possession.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::Error;
use crate::suite::{Element, Proof, Reader, SCALAR_BYTES, Secret, Suite, prove};
use crate::transcript::Domain;

/// Length of a handle, in bytes: random, and never the same twice.
pub const HANDLE_BYTES: usize = 16;

/// Most requests in a batch: several periods in advance.
pub const MAX_BATCH: u8 = 100;

const POSSESSION: Domain = Domain::new("cairn/1/credential/possession");

/// Names a request: to TA, who knows whose it is, and to the issuers, who do not. A trace goes
/// from linkage value to handle (issuers) to identity (TA).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(pub [u8; HANDLE_BYTES]);

/// What the device keeps until the answer comes. `u` is erased on drop; has no `Debug`.
pub struct Pending<S: Suite> {
    handle: Handle,
    pub(super) secret: Secret<S>,
}

impl<S: Suite> Pending<S> {
    /// Length of the stored form, in bytes.
    pub const BYTES: usize = HANDLE_BYTES + SCALAR_BYTES;

    /// Reads a pending request from the device's own store.
    ///
    /// # Errors
    ///
    /// [`Error::Encoding`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, Self::BYTES)?;
        Ok(Self {
            handle: Handle(reader.array()?),
            secret: Secret::from_bytes(&reader.array()?)?,
        })
    }

    /// `handle ‖ u`, for the device's own store.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let secret = self.secret.to_bytes();
        Zeroizing::new([self.handle.0.as_slice(), secret.as_slice()].concat())
    }

    /// Which request it is.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle
    }

    /// The request to be sent, for the first time or again.
    #[must_use]
    pub fn request(&self, rng: &mut (impl CryptoRng + ?Sized)) -> Request<S> {
        let (handle, key) = (self.handle, self.secret.public());
        let fields = [key.as_bytes(), &handle.0];
        let proof = prove(POSSESSION, &fields, &self.secret, rng);
        Request { handle, key, proof }
    }
}

/// A request as it came: nobody has checked it yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<S: Suite> {
    handle: Handle,
    key: Element<S>,
    proof: Proof<S>,
}

/// A request that proved possession of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Possessed<S: Suite> {
    pub(crate) handle: Handle,
    pub(crate) key: Element<S>,
}

impl<S: Suite> Possessed<S> {
    /// Which request it is.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle
    }

    /// `U`.
    #[must_use]
    pub fn key(&self) -> Element<S> {
        self.key
    }
}

impl<S: Suite> Request<S> {
    /// Length of the encoding, in bytes: 112 under `Ristretto255`, 114 under `Sm2`.
    pub const BYTES: usize = HANDLE_BYTES + S::ELEMENT_BYTES + Proof::<S>::BYTES;

    /// Reads [`Self::BYTES`] bytes, `handle ‖ U ‖ M ‖ z`.
    ///
    /// # Errors
    ///
    /// [`Error::Encoding`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, Self::BYTES)?;
        Ok(Self {
            handle: Handle(reader.array()?),
            key: reader.element()?,
            proof: Proof::from_bytes(reader.slice(Proof::<S>::BYTES)?)?,
        })
    }

    /// The bytes `handle ‖ U ‖ M ‖ z`.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let proof = self.proof.to_bytes();
        [&self.handle.0, self.key.as_bytes(), &proof].concat()
    }

    /// Which request it says it is.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle
    }

    /// `U`, whose possession is not checked yet.
    #[must_use]
    pub fn key(&self) -> Element<S> {
        self.key
    }

    /// Checks the proof of possession.
    ///
    /// # Errors
    ///
    /// [`Error::Possession`].
    pub fn check(&self) -> Result<Possessed<S>, Error> {
        let (handle, key) = (self.handle, self.key);
        let fits = self
            .proof
            .fits(POSSESSION, &[key.as_bytes(), &handle.0], &key);
        fits.then_some(Possessed { handle, key })
            .ok_or(Error::Possession)
    }
}

/// Draws keys and writes requests for `count` credentials, at most [`MAX_BATCH`].
#[must_use]
pub fn request_batch<S: Suite>(
    count: u8,
    rng: &mut (impl CryptoRng + ?Sized),
) -> Vec<(Pending<S>, Request<S>)> {
    let one = |_| {
        let mut handle = Handle([0; HANDLE_BYTES]);
        rng.fill_bytes(&mut handle.0);
        let secret = Secret::<S>::random(rng);
        let pending = Pending { handle, secret };
        let request = pending.request(rng);
        (pending, request)
    };
    (0..count.min(MAX_BATCH)).map(one).collect()
}
