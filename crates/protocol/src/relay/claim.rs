//! What a relay shows the redeemer.

use cairn_contracts::credits::{Account, CreditId};
use cairn_crypto::{
    schnorr::{Error, PublicKey, SecretKey, Signature},
    transcript::{Digest, Domain, Transcript},
};
use cairn_ledger::{Address, ChainId};
use rand_core::CryptoRng;

const CLAIM: Domain = Domain::new("cairn/1/credits/claim");

/// "The credit of this key is for this account", signed with the key. Not for the ledger: it would tell
/// everybody who helped where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The one-time key.
    pub key: PublicKey,
    /// Who is to be paid.
    pub account: Account,
    /// By the one-time key.
    pub signature: Signature,
}

impl Claim {
    /// Claims the credit of `key` at the instance of contract `credits` at `contract`.
    #[must_use]
    pub fn sign(
        chain: &ChainId,
        contract: &Address,
        key: &SecretKey,
        account: Account,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let statement = statement(chain, contract, &key.public(), &account);
        Self {
            key: key.public(),
            account,
            signature: key.sign(&statement, rng),
        }
    }

    /// The credit, if whoever claims holds its key.
    ///
    /// # Errors
    ///
    /// [`Error`] of the signature.
    pub fn verify(&self, chain: &ChainId, contract: &Address) -> Result<CreditId, Error> {
        let statement = statement(chain, contract, &self.key, &self.account);
        self.key.verify(&statement, &self.signature)?;
        Ok(CreditId::of(&self.key.to_bytes()))
    }
}

fn statement(chain: &ChainId, contract: &Address, key: &PublicKey, account: &Account) -> Digest {
    Transcript::new(CLAIM)
        .bytes(&chain.0)
        .bytes(&contract.0)
        .bytes(&key.to_bytes())
        .bytes(&account.0)
        .finish()
}
