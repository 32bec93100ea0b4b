//! Encoding of a proof: σ 48, B 96, then the masks of 48 bytes each. The number of masks is
//! known from the challenge and is not sent.

use bytes::BufMut;
use commonware_codec::{Buf, EncodeSize, Error, FixedSize, Read, ReadExt, Write};
use commonware_cryptography::bls12381::primitives::group::{G1, G2};

use super::Proof;

/// Most challenged blocks of a proof that is decoded: the paper's largest c is 500.
pub const MAX_CHALLENGE: usize = 4_096;

/// Bytes of a proof over `challenged` blocks.
#[must_use]
pub fn proof_bytes(challenged: usize) -> usize {
    G1::SIZE + G2::SIZE + challenged * G1::SIZE
}

impl EncodeSize for Proof {
    fn encode_size(&self) -> usize {
        proof_bytes(self.masks.len())
    }
}

impl Write for Proof {
    fn write(&self, buf: &mut impl BufMut) {
        self.sigma.write(buf);
        self.b.write(buf);
        for mask in &self.masks {
            mask.write(buf);
        }
    }
}

impl Read for Proof {
    /// Number of challenged blocks.
    type Cfg = usize;

    fn read_cfg(buf: &mut impl Buf, challenged: &usize) -> Result<Self, Error> {
        if *challenged > MAX_CHALLENGE {
            return Err(Error::InvalidLength(*challenged));
        }
        let sigma = G1::read(buf)?;
        let b = G2::read(buf)?;
        let masks = (0..*challenged)
            .map(|_| G1::read(buf))
            .collect::<Result<_, _>>()?;
        Ok(Self { sigma, masks, b })
    }
}
