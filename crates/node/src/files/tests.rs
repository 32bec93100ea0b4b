//! What a dishonest auditor can do, with the keys that it has.

use super::{Store, evidence::Evidence, open, parse_id};
use cairn_crypto::possession::FileId;
use cairn_ledger::contracts::files::Operation;

/// Uploads a small file to a new store, and lets an auditor loose on it.
fn with_auditor(work: impl AsyncFnOnce(&mut Store, FileId)) {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source");
    std::fs::write(&source, [7; 10_000]).unwrap();
    open(&dir.path().join("store"), true, async |store| {
        let report = store.put(&source, |_| {}).await?;
        work(store, parse_id(&report.file)?).await;
        Ok(())
    })
    .unwrap();
}

async fn say_intact(store: &mut Store, evidence: &Evidence) {
    let operation = Operation::Verdict {
        file: evidence.file,
        number: evidence.number,
        is_intact: true,
        evidence: store.keep(evidence).unwrap(),
    };
    let auditor = store.auditor.clone();
    let signed = store.sign(&auditor, &operation);
    store.ledger.execute(signed).await.unwrap();
}

async fn reason(store: &mut Store, file: &FileId) -> String {
    let report = store.verify(file).await.unwrap();
    assert!(!report.intact);
    report.reason.unwrap()
}

#[test]
fn an_auditor_who_asks_nothing_or_shows_an_old_round_is_named() {
    with_auditor(async |store, file| {
        let (opening, round) = store.open_audit(&file).await.unwrap();
        let lazy = Evidence {
            file: file.0,
            number: 1,
            opening,
            round,
            proof: None,
        };
        say_intact(store, &lazy).await;
        assert!(reason(store, &file).await.contains("its evidence does not"));

        // The second audit is answered with the round of the first, for which it has a proof ready.
        let (opening, round) = store.open_audit(&file).await.unwrap();
        let old_round = Evidence {
            number: 2,
            ..lazy.clone()
        };
        say_intact(store, &old_round).await;
        assert!(reason(store, &file).await.contains("block of the opening"));

        // The third, with its own opening and a round of its choice: one that it knew before.
        let (third, _) = store.open_audit(&file).await.unwrap();
        let known_round = Evidence {
            file: file.0,
            number: 3,
            opening: third,
            round: round.clone(),
            proof: None,
        };
        say_intact(store, &known_round).await;
        assert!(
            reason(store, &file)
                .await
                .contains("not the one after the opening")
        );

        // The fourth, with a certificate that is not the round's.
        let (fourth, mut forged) = store.open_audit(&file).await.unwrap();
        assert_ne!(forged.header.parent, opening.digest());
        forged.finalization = round.finalization;
        let forged = Evidence {
            file: file.0,
            number: 4,
            opening: fourth,
            round: forged,
            proof: None,
        };
        say_intact(store, &forged).await;
        assert!(reason(store, &file).await.contains("no valid certificate"));

        assert!(store.audit(&file).await.unwrap().intact);
        assert!(store.verify(&file).await.unwrap().intact);
    });
}
