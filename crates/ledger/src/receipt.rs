//! What became of a transaction.

use crate::{TxId, id::hash};
use commonware_cryptography::sha256;
use thiserror::Error;

/// The result of one transaction in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The transaction.
    pub transaction: TxId,
    /// Done, or why not. A refused transaction changes nothing but its sender's nonce.
    pub result: Result<(), Refusal>,
}

/// Declares [`Refusal`] with a frozen code for each variant.
macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)+) => {
        /// Why the ledger refused a transaction.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
        #[repr(u16)]
        pub enum Refusal {
            $($(#[$doc])* #[error($text)] $name = $code,)+
        }

        impl Refusal {
            /// Every refusal, in the order of their codes.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];
        }
    };
}

refusals! {
    /// The block time is past the transaction's expiry.
    Expired = 1, "expired: block time is past the transaction's expiry; send it again with a later one";
    /// The sender used this nonce before, or one so much higher that this one is forgotten.
    Replayed = 2, "replayed: the sender used this nonce or one more than 64 above it";
    /// No contract instance has this address.
    WrongAddress = 3, "no contract instance has this address";
    /// The nodes have no code of this name and version.
    UnknownCode = 4, "no code of this name and version is compiled into the nodes";
    /// The call needs TA's signature.
    MissingTaSignature = 5, "the trusted authority's signature is missing";
    /// The call needs LEA's signature.
    MissingLeaSignature = 6, "the law-enforcement agency's signature is missing";
    /// The call needs the signature of the RSU that it names.
    MissingRsuSignature = 7, "the signature of the RSU that the call names is missing";
    /// Only TA or LEA may deploy.
    NotAnAuthority = 8, "only TA or LEA may deploy a contract";
    /// The contract touched a record that the transaction does not declare.
    UndeclaredKey = 9, "the contract touched a record that the transaction does not declare";
    /// The payload or the parameters do not decode.
    MalformedPayload = 10, "the payload is not one of the contract's calls";
    /// An instance exists at the address already.
    AlreadyDeployed = 11, "the deployer used this nonce for an instance already";
    /// A record of this name exists.
    AlreadyRegistered = 12, "a record of this name exists; update it or choose another name";
    /// No record of this name exists.
    NotRegistered = 13, "no record of this name exists";
    /// The record was revoked.
    AlreadyRevoked = 14, "the record is revoked";
    /// A validity period is empty, too long, or over.
    InvalidPeriod = 15, "validity period is empty, over, or longer than the contract allows";
    /// A public key is not a valid point.
    InvalidKey = 16, "public key is not a valid, non-identity point";
    /// The RSU stands too far away from where the vehicle says it is.
    OutOfReach = 17, "the RSU stands too far away to have heard that claim";
    /// Only the vault's operator records file versions.
    MissingOperatorSignature = 18, "the signature of the vault's operator is missing";
    /// Only the auditor opens and decides audits.
    MissingAuditorSignature = 19, "the signature of the auditor is missing";
    /// A file version that is not the next one.
    VersionOrder = 20, "not the file's next version; somebody else may have changed the file";
    /// A verdict on an audit that is not open, or in the block of its opening.
    NoOpenAudit = 21, "no audit of this number was opened in an earlier block";
    /// The call needs the signature of an organisation that it names.
    MissingOrganisationSignature = 22, "the signature of the organisation that the call names is missing";
    /// The record is in another state than the call needs.
    WrongState = 23, "the record is in another state than this call needs";
    /// A deadline has passed, or has not come yet.
    Deadline = 24, "the deadline has passed, or the call comes before it";
    /// A certificate or an inclusion proof does not verify.
    InvalidProof = 25, "the certificate, inclusion proof or signature does not verify";
    /// A number is outside what the contract was deployed with.
    OutOfBounds = 26, "a value is outside the bounds that the contract was deployed with";
    /// Nobody may do this any more in this period.
    LimitReached = 27, "the limit of this period is reached";
}

impl Refusal {
    /// The number that stands for the refusal in receipts, in the ledger's hash and in the docs.
    pub const fn code(self) -> u16 {
        self as u16
    }
}

/// The hash of a block's receipts.
pub fn receipts_digest(receipts: &[Receipt]) -> sha256::Digest {
    let codes: Vec<u8> = receipts
        .iter()
        .flat_map(|receipt| receipt.result.err().map_or(0, Refusal::code).to_be_bytes())
        .collect();
    sha256::Digest(hash(b"cairn/1/ledger/receipts", &[&codes]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_never_zero() {
        let mut codes: Vec<u16> = Refusal::ALL.iter().map(|refusal| refusal.code()).collect();
        assert!(codes.iter().all(|code| *code != 0), "zero means done");
        let count = codes.len();
        codes.dedup();
        assert_eq!(codes.len(), count);
    }
}
