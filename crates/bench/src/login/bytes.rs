//! Bytes on the air.

use cairn_baselines::{p000_login, p003_bpa};
use cairn_protocol::{position, vehicle::Effect};
use commonware_codec::{EncodeSize as _, FixedSize as _};

use crate::{
    figure::{Chart, Figure, Kind, Table},
    town::Town,
};

/// The payload of a message in paper 000.
const PAYLOAD: usize = 67;

/// Table 1: what the messages of this run measured, beside the reconstructions and the papers.
pub fn bytes() -> Table {
    let mut town = Town::new(2, 1);
    let (mut vehicle, ..) = town.vehicle();
    let beacon = town.meet(&mut vehicle, 0);
    let hello = town.hello(&mut vehicle, 0);
    let accepted = town.answer(0, &hello).expect("an honest login");
    town.take(&mut vehicle, &accepted.reply)
        .expect("an honest answer");
    town.record(0, &accepted);
    let login = hello.len() + accepted.reply.len();

    let mut nobody = town.anonymous_vehicle();
    town.meet(&mut nobody, 0);
    let hello = town.hello(&mut nobody, 0);
    let accepted = town.answer(0, &hello).expect("an honest login");
    let anonymous = hello.len() + accepted.reply.len();

    let effects = vehicle
        .rekey(town.now_ms, &mut town.rng)
        .expect("a session");
    let [Effect::Send { datagram, .. }] = &effects[..] else {
        unreachable!("a rekey begins with one datagram")
    };
    let rekey = datagram.len() + town.rekey(0, datagram).len();

    town.meet(&mut vehicle, 1);
    let hello = town.handover_hello(&mut vehicle, 1);
    let accepted = town.answer(1, &hello).expect("an honest handover");
    let handover = hello.len() + accepted.reply.len();

    let p000 = p000_login::sizes().map(|size| size.reconstruction as f64);
    let [authentication, again, _, agreement, their_rekey, message] = p000;
    let p003 = p003_bpa::sizes().map(|size| size.reconstruction as f64);
    let [.., wide_login, wide_again] = p003;
    const P000: &str = "paper 000, reconstructed";
    const P003: &str = "paper 003, reconstructed, 64-byte points";
    let position = 1 + position::Signed::SIZE;

    let figures = vec![
        Figure::bytes("login with key agreement", login)
            .beside(P000, authentication + agreement)
            .paper(237.0 + 560.0)
            .at_most(0.3 * (237.0 + 560.0))
            .note("target: 0.3 of the 237 + 560 bytes that paper 000 prints in section 5.1"),
        Figure::bytes("login, beside authentication alone", login)
            .beside(P000, authentication)
            .paper(237.0)
            .note("paper 000's 237 bytes agree no key"),
        Figure::bytes("anonymous login with key agreement", anonymous)
            .beside(P003, wide_login)
            .paper(386.0)
            .note("the printed 386 cannot be a sum of the paper's fields; 368 can"),
        Figure::bytes("handover with key agreement", handover)
            .beside(P003, wide_again)
            .paper(240.0),
        Figure::bytes("handover, beside paper 000's", handover)
            .beside(P000, again + agreement)
            .paper(79.0)
            .note("the printed 79 bytes are the vehicle's message alone; its answer and a key are not counted"),
        Figure::bytes("rekey, both messages", rekey)
            .beside(P000, their_rekey)
            .paper(128.0),
        Figure::bytes("signed position message", position)
            .beside(P000, message)
            .paper(131.0)
            .note(format!(
                "paper 000 counts a signature and {PAYLOAD} bytes of payload"
            )),
        Figure::bytes("credential of an anonymous signer, once a second", position::Attachment::SIZE),
        Figure::bytes("beacon, once a second for everybody", 1 + beacon.encode_size()),
    ];
    let bar = |name: &str, bytes| (name.to_owned(), bytes);
    let chart = Chart {
        file: "bytes",
        title: "Bytes on the air until both sides share a key".into(),
        kind: Kind::Bars(
            "bytes",
            vec![
                bar("Cairn, login", login as f64),
                bar("Cairn, anonymous login", anonymous as f64),
                bar("paper 000, login (printed)", 237.0 + 560.0),
                bar("paper 003, login (printed as 386)", 368.0),
                bar("Cairn, handover", handover as f64),
                bar("paper 003, re-authentication (printed)", 240.0),
                bar("Cairn, new session key", rekey as f64),
                bar("paper 000, new session key (printed)", 128.0),
            ],
        ),
    };
    Table {
        title: "Bytes",
        text: "Lengths of the datagrams of a login, a rekey and a handover made in this run. Where nothing is said, the vehicle has a registered key."
            .into(),
        figures,
        charts: vec![chart],
    }
}
