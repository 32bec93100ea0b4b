//! What a vehicle and the ledger keep of one vehicle.

use cairn_contracts::{keys::VehicleRecord, tokens::TokenRecord};
use cairn_crypto::{
    credential::{Credential, Policy},
    suite::Ristretto255,
};
use cairn_ledger::{Address, ChainId, Record, StateKey, Uid, genesis::NetworkKey};
use commonware_codec::FixedSize as _;

use crate::figure::{Figure, Table};

/// Of paper 000: UID 8, public key 33, secret key 32, validity 4, code 8 and its validity 4.
const P000_VEHICLE: usize = 8 + 33 + 32 + 4 + 8 + 4;
/// UID 8, public key 33, validity 4, mark of revocation 1, code 8 and its validity 4.
const P000_LEDGER: usize = 8 + 33 + 4 + 1 + 8 + 4;
/// Of paper 003: R 64, X 64, key 32, next secret 32.
const P003_VEHICLE: usize = 64 + 64 + 32 + 32;
/// Q 64, R 64, state 1: one for each login, for ever.
const P003_LEDGER: usize = 64 + 64 + 1;

/// Table 3.
pub fn storage() -> Table {
    let road = NetworkKey::SIZE + size_of::<ChainId>() + size_of::<Address>();
    let registered = size_of::<Uid>() + 32;
    let week = usize::from(Policy::default().per_period()) * Credential::<Ristretto255>::BYTES;
    let stored = StateKey::SIZE + Record::SIZE;
    let per_login = |bytes: usize| bytes as f64;
    Table {
        title: "Storage for one vehicle",
        text: "Lengths of encodings. The ledger stores records of one size, so that peers can synchronise it without \
               knowing contracts; what a record carries is shown beside. Neither paper's own table survives."
            .into(),
        figures: vec![
            Figure::bytes("vehicle: registered key", registered)
                .beside("paper 000, reconstructed", per_login(P000_VEHICLE)),
            Figure::bytes("vehicle: anonymous credentials of a week", week)
                .beside("paper 003, reconstructed: one credential", per_login(P003_VEHICLE))
                .note("20 credentials that nobody can link, instead of one that everybody can"),
            Figure::bytes("vehicle: what it knows of the ledger", road)
                .note("the network key, the chain and a contract's address, whatever the number of validators"),
            Figure::bytes("ledger: registered key, as stored", stored)
                .beside("paper 000, reconstructed", per_login(P000_LEDGER)),
            Figure::bytes("ledger: registered key, its content", VehicleRecord::SIZE),
            Figure::bytes("ledger: token of a login, as stored", stored)
                .beside("paper 003, reconstructed", per_login(P003_LEDGER))
                .note("deleted when the token has expired; paper 003 keeps one for each login, for ever"),
            Figure::bytes("ledger: token of a login, its content", TokenRecord::SIZE),
        ],
        charts: Vec::new(),
    }
}
