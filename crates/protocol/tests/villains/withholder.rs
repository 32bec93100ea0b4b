//! Validators that withhold their votes, so that nothing becomes final: they sign nothing.

use cairn_protocol::danger::alarm::Signed;

/// What they say.
pub const fn withhold() -> [Signed; 0] {
    []
}
