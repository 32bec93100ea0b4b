//! What a dishonest auditor can do, with the keys that it has.

use super::{Alarm, FilesError, Store, Who, evidence::Evidence, open, parse_id, vault_id};
use cairn_contracts::files::{Operation, TagKey};
use cairn_crypto::possession::{FileId, FileRecord};
use cairn_vault::{FileVersion, Vault as _};
use commonware_codec::{Copying, DecodeExt as _, Encode as _};
use commonware_cryptography::{Hasher as _, Sha256};

/// Uploads a small file to a new store, and lets an auditor loose on it.
fn with_auditor(work: impl AsyncFnOnce(&mut Store, FileId)) {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source");
    std::fs::write(&source, [7; 10_000]).unwrap();
    open(&dir.path().join("store"), true, async |store| {
        let report = store.put(&source, &Who::default(), |_| {}).await?;
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
            record: store.vaults_record(&file, 1).await.unwrap(),
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
            record: store.vaults_record(&file, 1).await.unwrap(),
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
            record: store.vaults_record(&file, 1).await.unwrap(),
            proof: None,
        };
        say_intact(store, &forged).await;
        assert!(reason(store, &file).await.contains("no valid certificate"));

        assert!(store.audit(&file).await.unwrap().intact);
        assert!(store.verify(&file).await.unwrap().intact);
    });
}

/// The operator makes versions of its own: the same blocks, under the authorisation of the version
/// before, or under none.
#[test]
fn a_version_that_no_member_authorised_is_found() {
    with_auditor(async |store, file| {
        let vault = store.vault().unwrap();
        let first = store.vaults_record(&file, 1).await.unwrap();
        let (first, count) = first.split_last_chunk::<8>().unwrap();
        let first = FileRecord::decode(Copying(first)).unwrap();
        for (version, auth) in [(2, first.auth.clone()), (3, Vec::new())] {
            let record = FileRecord {
                version,
                auth,
                ..first.clone()
            };
            let bytes = [&record.encode()[..], count].concat();
            let digest = Sha256::hash(&[&bytes]).0;
            let made = FileVersion::new(vault_id(&file), version, bytes, Vec::new()).unwrap();
            vault.commit_version(&made).await.unwrap();
            // An honest operator refuses.
            let refused = store.settle(&file).await.err();
            assert!(matches!(refused, Some(FilesError::Unauthorised { .. })));
            let operation = Operation::Record {
                file: file.0,
                group: 1,
                place: 0,
                version,
                digest,
                root: record.root.0,
                live: record.live,
                kid: record.kid.0,
                v: TagKey {
                    v: record.v.encode()[..].try_into().unwrap(),
                },
            };
            let operator = store.operator.clone();
            let signed = store.sign(&operator, &operation);
            store.ledger.execute(signed).await.unwrap();

            let audit = store.audit(&file).await.unwrap();
            assert!(audit.reason.unwrap().contains("not authorised"));
            assert!(!store.verify(&file).await.unwrap().intact);
        }
        // An auditor that helps the operator is named by whoever verifies.
        let (opening, round) = store.open_audit(&file).await.unwrap();
        let number = store.audits(&file).await.unwrap().opened;
        let blind = Evidence {
            file: file.0,
            number,
            opening,
            round,
            record: store.vaults_record(&file, 3).await.unwrap(),
            proof: None,
        };
        say_intact(store, &blind).await;
        let reason = reason(store, &file).await;
        assert!(reason.contains("evidence is false"), "{reason}");
        assert!(reason.contains("not authorised"), "{reason}");
    });
}

/// The contract's interval is a week: an auditor who sleeps is seen to.
#[test]
fn an_overdue_audit_is_an_alarm_until_it_is_made_up_for() {
    with_auditor(async |store, file| {
        const DAY_MS: u64 = 24 * 3_600_000;
        assert_eq!(store.round(DAY_MS).await.unwrap().alarms.len(), 0);
        let later = store.now_ms() + 7 * DAY_MS + 60_000;
        store.clock.advance(later, u64::MAX);
        let round = store.round(DAY_MS).await.unwrap();
        let [Alarm::Overdue { file: overdue, .. }] = &round.alarms[..] else {
            panic!(
                "expected an alarm for one overdue file, got {:?}",
                round.alarms
            );
        };
        assert_eq!(*overdue, super::hex(&file.0));
        assert_eq!(round.audits.len(), 1);
        let next = store.round(DAY_MS).await.unwrap();
        assert!(next.alarms.is_empty() && next.audits.is_empty());

        // An audit that was opened and left is made up for, and counted.
        store.open_audit(&file).await.unwrap();
        assert!(store.list().await.unwrap()[0].open);
        assert_eq!(store.round(DAY_MS).await.unwrap().audits.len(), 1);
        let status = store.list().await.unwrap().remove(0);
        assert_eq!((status.open, status.abandoned_audits), (false, 1));
    });
}
