//! Contract `policy`: to whom an organisation shows records of which of its devices, up to which
//! grade and until when (PROTOCOLS.md section 9). The owner's edge obeys it; the chain says what was in force when.
//!
//! | part | rule |
//! |---|---|
//! | call | L-1 signed by the operator |
//! | allow | L-2 ends in the future; replaces the rule that stood |
//! | withdraw | L-3 a rule stands |
//!
//! A rule for the device [`ANY`] holds for all that have none of their own.

use crate::{
    directory::OrgId,
    encoding::{operations, record},
};
use cairn_ledger::{
    Access, Action, Address, LocalKey, PublicKey, Record, Refusal, StateKey, Transaction,
    contract::{Call, Contract, deployment, parameters_key},
};
use commonware_codec::{Copying, DecodeExt as _, Encode as _};

/// The contract's name.
pub const NAME: &str = "policy";

/// The contract's version.
pub const VERSION: u16 = 1;

/// Stands for every device.
pub const ANY: [u8; 32] = [0; 32];

record!(
    /// What contract `policy` is deployed with.
    Parameters {
        /// Who makes the rules.
        operator: PublicKey,
    }
);

record!(
    /// What a requester may see.
    Rule {
        /// The highest grade.
        grade: u8,
        /// The first block time, in milliseconds, at which the rule holds no more.
        until_ms: u64,
    }
);

impl Rule {
    /// Whether the rule lets somebody see records of `grade` at `now_ms`.
    #[must_use]
    pub fn permits(&self, grade: u8, now_ms: u64) -> bool {
        grade <= self.grade && now_ms < self.until_ms
    }
}

operations!(
    /// What the contract is called with.
    Operation {
        /// Makes or replaces a rule.
        0 Allow {
            /// Who asks.
            requester: OrgId,
            /// The device, or [`ANY`].
            device: [u8; 32],
            /// The rule.
            rule: Rule,
        }
        /// Ends a rule.
        1 Withdraw {
            /// Who asks.
            requester: OrgId,
            /// The device, or [`ANY`].
            device: [u8; 32],
        }
    }
);

fn local(requester: OrgId, device: &[u8; 32]) -> LocalKey {
    let id = [requester.0.to_be_bytes().as_slice(), device].concat();
    LocalKey::new(b'l', &id).expect("35 bytes fit")
}

/// The state key of the [`Rule`] for a requester and a device, or [`ANY`].
pub fn rule_key(contract: &Address, requester: OrgId, device: &[u8; 32]) -> StateKey {
    StateKey::new(contract, local(requester, device).as_bytes())
}

/// A transaction that deploys `policy`.
pub fn deploy(
    nonce: u64,
    expires_ms: u64,
    deployer: &PublicKey,
    parameters: &Parameters,
) -> Transaction {
    let code = (NAME, VERSION);
    deployment(nonce, expires_ms, deployer, code, parameters.encode())
}

/// A transaction that calls the instance at `contract`, to be signed by the operator.
pub fn call(nonce: u64, expires_ms: u64, contract: Address, operation: &Operation) -> Transaction {
    let (Operation::Allow {
        requester, device, ..
    }
    | Operation::Withdraw { requester, device }) = operation;
    let keys = vec![parameters_key(), local(*requester, device)];
    Transaction {
        nonce,
        expires_ms,
        access: vec![Access { contract, keys }],
        action: Action::Call {
            contract,
            payload: operation.encode(),
        },
    }
}

/// The contract's code.
pub struct Policy;

impl Contract for Policy {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u16 {
        VERSION
    }

    fn interface(&self) -> &'static str {
        include_str!("policy.schema.json")
    }

    fn deploy(&self, call: &mut Call<'_>, parameters: &[u8]) -> Result<(), Refusal> {
        call.keep_parameters::<Parameters>(parameters)
    }

    fn call(&self, call: &mut Call<'_>, payload: &[u8]) -> Result<(), Refusal> {
        let operation = Operation::decode(Copying(payload));
        let operation = operation.map_err(|_| Refusal::MalformedPayload)?;
        let parameters: Parameters = call.parameters()?;
        // L-1.
        if !call.signers.contains(&&parameters.operator) {
            return Err(Refusal::MissingOperatorSignature);
        }
        match operation {
            Operation::Allow {
                requester,
                device,
                rule,
            } => {
                // L-2.
                if rule.until_ms <= call.time_ms {
                    return Err(Refusal::InvalidPeriod);
                }
                call.set(&local(requester, &device), Some(Record::of(&rule)))
            }
            Operation::Withdraw { requester, device } => {
                let key = local(requester, &device);
                // L-3.
                call.own::<Rule>(&key)?.ok_or(Refusal::NotRegistered)?;
                call.set(&key, None)
            }
        }
    }
}
