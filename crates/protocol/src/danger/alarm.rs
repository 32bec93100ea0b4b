//! The network alarm: raised by everybody for himself, from what validators signed, without asking a
//! ledger that may no longer answer.
//!
//! 1. Every validator signs now and then what it holds for final: height, digest, time
//!    ([`Statement`]). (Certificates are threshold signatures and name nobody.)
//! 2. Whoever hears statements keeps the headers that certificates have shown final
//!    ([`Alarm::certified`]), and the last statements of each validator.
//! 3. A statement that contradicts is a fault of its signer ([`Fault`]):
//!    * *fork*: another digest at a height than the certificate's;
//!    * *equivocation*: two digests at one height, both signed by the same validator;
//!    * *stale*: it holds a height for the newest although a later one was certified more than
//!      [`MAX_LAG_MS`] before.
//! 4. Faults of `f_c + 1` different validators raise the alarm: then at least one honest validator would
//!    have had to contradict itself, so more lie than the chain tolerates. `f_c` liars cannot raise it.
//!    Two certificates that contradict each other raise it at once.
//! 5. **λ**, the security parameter of paper 004, is 100 while all is well and 0 when the alarm is
//!    raised. From [`CALM_MS`] after the last fault on it returns by one in [`RECOVERY_MS`], up
//!    to 100, and stays within 0 to 100. The alarm is over when λ is back. λ is not the satisfaction J
//!    of contract `danger`, and neither stops reports: evidence is always logged.
//!
//! Votes that are withheld are no contradiction: nothing is signed. They make commands expire, and the
//! vehicle drives on its own sensors.
//!
//! | id | rule of a statement |
//! |---|---|
//! | `V-ALARM-1` | its signer is a validator of this chain |
//! | `V-ALARM-2` | the signature fits |
//! | `V-ALARM-3` | it is not from the future |

use bytes::BufMut;
use cairn_ledger::{ChainId, Genesis, PrivateKey, PublicKey, Signature};
use commonware_codec::{Buf, Encode as _, Error as CodecError, FixedSize, Read, ReadExt, Write};
use commonware_cryptography::{Signer as _, Verifier as _};
use std::collections::BTreeMap;
use thiserror::Error;

use crate::THR_MS;

const STATEMENT: &[u8] = b"cairn/1/danger/statement/";

/// How long a validator may hold an old block for the newest, in milliseconds: idle chains make a block
/// a second, and a slow validator is no liar.
pub const MAX_LAG_MS: u64 = 10_000;

/// How long after the last fault λ stays at 0, in milliseconds; ours.
pub const CALM_MS: u64 = 60_000;

/// How long λ takes for each step back, in milliseconds; ours: 100 s in all.
pub const RECOVERY_MS: u64 = 1_000;

/// Certified heights that are remembered: a minute of a busy chain, longer than statements are of use.
const REMEMBERED: usize = 1_024;

/// Statements of one validator that are remembered.
const STATEMENTS: usize = 64;

/// What a validator holds for final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Height of its newest final block.
    pub height: u64,
    /// Digest of that block's header.
    pub digest: [u8; 32],
    /// When it says so, in milliseconds since 1970.
    pub time_ms: u64,
}

/// A statement with its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// Who.
    pub validator: PublicKey,
    /// What.
    pub statement: Statement,
    /// Ed25519 over chain and statement.
    pub signature: Signature,
}

impl Statement {
    /// Signs it as a validator of `chain`.
    #[must_use]
    pub fn sign(self, chain: &ChainId, validator: &PrivateKey) -> Signed {
        Signed {
            validator: validator.public_key(),
            statement: self,
            signature: validator.sign(&[STATEMENT, chain].concat(), &self.encode()),
        }
    }
}

/// How a validator contradicts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Another digest than the certificate's.
    Fork(Signed),
    /// Two digests at one height.
    Equivocation(Box<[Signed; 2]>),
    /// An old block held for the newest.
    Stale(Signed),
}

/// Why a statement says nothing. Nobody is at fault that could be named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum StatementError {
    /// `V-ALARM-1`.
    #[error("not signed by a validator of this chain")]
    Stranger,
    /// `V-ALARM-2`.
    #[error("the signature does not fit")]
    Signature,
    /// `V-ALARM-3`.
    #[error("is {0} ms ahead of the clock")]
    Future(u64),
}

/// What one listener knows of a chain's validators.
pub struct Alarm {
    namespace: Vec<u8>,
    validators: Vec<PublicKey>,
    /// Height to digest and block time.
    certified: BTreeMap<u64, ([u8; 32], u64)>,
    /// By validator and height.
    said: BTreeMap<(PublicKey, u64), Signed>,
    /// The first fault of each validator, kept as evidence.
    faults: BTreeMap<PublicKey, Fault>,
    raised: Option<u64>,
}

impl Alarm {
    /// A listener to the chain of this genesis, who has heard nothing yet.
    #[must_use]
    pub fn new(genesis: &Genesis) -> Self {
        Self {
            namespace: [STATEMENT, genesis.chain_id().as_ref()].concat(),
            validators: genesis.validators.iter().cloned().collect(),
            certified: BTreeMap::new(),
            said: BTreeMap::new(),
            faults: BTreeMap::new(),
            raised: None,
        }
    }

    /// Different faulty validators that raise the alarm: `f_c + 1`.
    #[must_use]
    pub fn threshold(&self) -> usize {
        self.validators.len().saturating_sub(1) / 3 + 1
    }

    /// Step 2: a block whose certificate was verified ([`cairn_ledger::light::Client::verify`]), by
    /// height, digest of the header, and block time. Another digest than before at one height means
    /// that two certificates contradict each other.
    pub fn certified(&mut self, height: u64, digest: [u8; 32], block_ms: u64, now_ms: u64) {
        let known = self.certified.entry(height).or_insert((digest, block_ms));
        if known.0 != digest {
            self.raised = Some(now_ms);
            return;
        }
        while self.certified.len() > REMEMBERED {
            self.certified.pop_first();
        }
        let earlier: Vec<Signed> = self
            .said
            .values()
            .filter(|signed| signed.statement.height == height)
            .cloned()
            .collect();
        for signed in earlier {
            if signed.statement.digest != digest {
                self.blame(Fault::Fork(signed), now_ms);
            }
        }
    }

    /// Step 3. Returns the fault, if the statement shows one.
    ///
    /// # Errors
    ///
    /// [`StatementError`].
    pub fn hear(&mut self, signed: &Signed, now_ms: u64) -> Result<Option<Fault>, StatementError> {
        let Signed {
            validator,
            statement,
            signature,
        } = signed;
        if !self.validators.contains(validator) {
            return Err(StatementError::Stranger);
        }
        if statement.time_ms > now_ms.saturating_add(THR_MS) {
            return Err(StatementError::Future(statement.time_ms - now_ms));
        }
        if !validator.verify(&self.namespace, &statement.encode(), signature) {
            return Err(StatementError::Signature);
        }
        let fault = self.fault(signed);
        self.remember(signed);
        if let Some(fault) = &fault {
            self.blame(fault.clone(), now_ms);
        }
        Ok(fault)
    }

    fn fault(&self, signed: &Signed) -> Option<Fault> {
        let statement = &signed.statement;
        let known = self.certified.get(&statement.height);
        if known.is_some_and(|(digest, _)| *digest != statement.digest) {
            return Some(Fault::Fork(signed.clone()));
        }
        let earlier = self.said.get(&(signed.validator.clone(), statement.height));
        if let Some(earlier) = earlier
            && earlier.statement.digest != statement.digest
        {
            let both = [earlier.clone(), signed.clone()];
            return Some(Fault::Equivocation(Box::new(both)));
        }
        let mut later = self.certified.range(statement.height + 1..);
        let is_stale = later
            .any(|(_, (_, block_ms))| statement.time_ms.saturating_sub(*block_ms) > MAX_LAG_MS);
        is_stale.then(|| Fault::Stale(signed.clone()))
    }

    fn remember(&mut self, signed: &Signed) {
        let (validator, height) = (&signed.validator, signed.statement.height);
        let own = (validator.clone(), 0)..=(validator.clone(), u64::MAX);
        if self.said.range(own.clone()).count() >= STATEMENTS
            && let Some((oldest, _)) = self.said.range(own).next()
        {
            let oldest = oldest.clone();
            self.said.remove(&oldest);
        }
        let first = self.said.entry((validator.clone(), height));
        first.or_insert_with(|| signed.clone());
    }

    fn blame(&mut self, fault: Fault, now_ms: u64) {
        let validator = match &fault {
            Fault::Fork(signed) | Fault::Stale(signed) => signed.validator.clone(),
            Fault::Equivocation(both) => both[0].validator.clone(),
        };
        self.faults.entry(validator).or_insert(fault);
        if self.faults.len() >= self.threshold() {
            self.raised = Some(now_ms);
        }
    }

    /// The first fault of each validator that has one.
    #[must_use]
    pub fn faults(&self) -> &BTreeMap<PublicKey, Fault> {
        &self.faults
    }

    /// Step 5: λ, 0 to 100.
    #[must_use]
    pub fn trust(&self, now_ms: u64) -> u8 {
        let Some(raised_ms) = self.raised else {
            return 100;
        };
        let calm_ms = now_ms.saturating_sub(raised_ms.saturating_add(CALM_MS));
        u8::try_from((calm_ms / RECOVERY_MS).min(100)).expect("at most 100")
    }

    /// Whether the alarm is raised.
    #[must_use]
    pub fn is_raised(&self, now_ms: u64) -> bool {
        self.trust(now_ms) < 100
    }
}

impl Write for Statement {
    fn write(&self, buf: &mut impl BufMut) {
        self.height.write(buf);
        self.digest.write(buf);
        self.time_ms.write(buf);
    }
}

impl FixedSize for Statement {
    const SIZE: usize = 8 + 32 + 8;
}

impl Read for Statement {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, CodecError> {
        Ok(Self {
            height: ReadExt::read(buf)?,
            digest: ReadExt::read(buf)?,
            time_ms: ReadExt::read(buf)?,
        })
    }
}

impl Write for Signed {
    fn write(&self, buf: &mut impl BufMut) {
        self.validator.write(buf);
        self.statement.write(buf);
        self.signature.write(buf);
    }
}

impl FixedSize for Signed {
    const SIZE: usize = PublicKey::SIZE + Statement::SIZE + Signature::SIZE;
}

impl Read for Signed {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, CodecError> {
        Ok(Self {
            validator: ReadExt::read(buf)?,
            statement: ReadExt::read(buf)?,
            signature: ReadExt::read(buf)?,
        })
    }
}
