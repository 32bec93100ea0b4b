//! A datagram from the air: it is refused or it is a message, and a message has one encoding. An
//! RSU that is sent it neither panics nor believes it.
#![no_main]

use cairn_ledger::{Address, ChainId, PrivateKey, Rid};
use cairn_protocol::{
    login::Credential,
    roadside::{Received, Roadside, Site},
    wire::Message,
};
use commonware_codec::{Copying, DecodeExt as _};
use libfuzzer_sys::fuzz_target;
use rand::{SeedableRng as _, rngs::StdRng};

const NOW_MS: u64 = 1_700_000_000_000;

fuzz_target!(|datagram: &[u8]| {
    match Message::decode(datagram) {
        Ok(message) => assert_eq!(message.encode(), datagram),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    if let Ok(credential) = Credential::decode(datagram) {
        assert_eq!(credential.encode(), datagram);
    }

    let mut rng = StdRng::seed_from_u64(1);
    let signer = PrivateKey::decode(Copying(&[1; 32])).expect("any 32 bytes are a key");
    let site = Site { chain: ChainId([7; 32]), keys: Address([8; 20]), tokens: Address([10; 20]), rid: Rid(3), signer };
    let mut rsu = Roadside::new(site, &mut rng);
    rsu.beacon(NOW_MS, &mut rng);
    match rsu.receive(b"source", datagram, NOW_MS, &mut rng) {
        Ok(Received::ProofWanted) => assert_eq!(datagram.len(), 2_048),
        Ok(_) => panic!("an RSU that was just started knows no login and no session"),
        Err(refusal) => assert!(!refusal.to_string().is_empty()),
    }
});
