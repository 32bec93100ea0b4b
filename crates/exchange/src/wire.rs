//! Reading fields of fixed size from bytes of somebody else.

use cairn_crypto::{
    credential::Certificate,
    suite::{Element, Suite},
};

/// The bytes ended early, or a value is not canonical.
#[derive(Debug)]
pub(crate) struct Malformed;

pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn slice(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (head, tail) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = tail;
        Ok(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let mut array = [0; N];
        array.copy_from_slice(self.slice(N)?);
        Ok(array)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Malformed> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_be_bytes)
    }

    pub(crate) fn element<S: Suite>(&mut self) -> Result<Element<S>, Malformed> {
        Element::from_bytes(self.slice(S::ELEMENT_BYTES)?).map_err(|_| Malformed)
    }

    pub(crate) fn certificate<S: Suite>(&mut self) -> Result<Certificate<S>, Malformed> {
        Certificate::from_bytes(self.slice(Certificate::<S>::BYTES)?).map_err(|_| Malformed)
    }

    pub(crate) fn finish(self) -> Result<(), Malformed> {
        self.0.is_empty().then_some(()).ok_or(Malformed)
    }
}
