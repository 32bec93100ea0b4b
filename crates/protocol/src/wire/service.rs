//! What goes between a vehicle and its RSU about location services: sealed in their session.

use bytes::BufMut;
use commonware_codec::{Buf, Error, Read, ReadExt, Write};

use crate::{
    login::Asc,
    service::{MAX_SEALED_NOTICE, SEALED_ORDER_BYTES},
};

/// An order or a notice ([`crate::service`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceFrame {
    /// Names the session at its RSU.
    pub asc: Asc,
    /// For the other end of the session.
    pub sealed: Vec<u8>,
}

impl ServiceFrame {
    /// The length of an order's datagram.
    pub(super) const ORDER_BYTES: usize = 1 + 8 + SEALED_ORDER_BYTES;

    /// The greatest length of a notice's datagram.
    pub(super) const MAX_NOTICE: usize = 1 + 8 + MAX_SEALED_NOTICE;
}

impl Write for ServiceFrame {
    fn write(&self, buf: &mut impl BufMut) {
        self.asc.0.write(buf);
        buf.put_slice(&self.sealed);
    }
}

impl Read for ServiceFrame {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, Error> {
        let asc = Asc(ReadExt::read(buf)?);
        let mut sealed = vec![0; buf.remaining()];
        buf.copy_to_slice(&mut sealed);
        Ok(Self { asc, sealed })
    }
}
