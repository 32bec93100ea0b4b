//! Login, handover and registration: bytes, processor time, storage.

mod bytes;
mod storage;
mod time;

pub use bytes::bytes;
pub use storage::storage;
pub use time::time;
