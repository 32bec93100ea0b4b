//! Who attacks the danger network, one file each.

pub mod equivocator;
pub mod outdated;
pub mod tamperer;
pub mod thief;
pub mod withholder;
