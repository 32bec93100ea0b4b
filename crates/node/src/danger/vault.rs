//! Sealed reports in the vault.

use super::DangerError;
use cairn_contracts::danger::Trip;
use cairn_crypto::suite::{Ristretto255, Secret};
use cairn_ledger::hash;
use cairn_protocol::danger::report::{Report, ReportError, SealedReport, open};
use cairn_vault::{Batch, Blind, DeviceId, Grade, Key, Record, Vault};
use rand_core::CryptoRng;
use std::ops::Range;

/// Danger reports are of the most sensitive grade: they tell who drove how.
const GRADE: Grade = Grade(1);

/// What a reader finds of a trip.
#[derive(Debug, Default)]
pub struct Reports {
    /// Reports that opened and fit their commitment.
    pub opened: Vec<Report>,
    /// Time of each report that did not, in milliseconds since 1970, and why: the vault changed it, or
    /// the policy does not name this reader.
    pub refused: Vec<(u64, ReportError)>,
}

/// The vault's name for a trip.
fn device(trip: &Trip) -> DeviceId {
    DeviceId(hash(b"cairn/1/danger/vault", &[&trip.0]))
}

/// Stores reports.
///
/// # Errors
///
/// [`DangerError::Vault`].
pub(super) async fn keep(
    vault: &dyn Vault,
    reports: &[SealedReport],
    rng: &mut impl CryptoRng,
) -> Result<(), DangerError> {
    let mut records = Vec::with_capacity(reports.len());
    for report in reports {
        let key = Key {
            device: device(&report.trip),
            time_ms: report.time_ms,
        };
        let mut content = report.commitment.to_vec();
        content.extend_from_slice(&report.sealed);
        records.push(Record::new(key, GRADE, content, Blind::random(rng))?);
    }
    vault.put_batch(&Batch::new(records)?).await?;
    Ok(())
}

/// The query: a trip's reports of `times` (milliseconds since 1970, end excluded), as far as the policy
/// lets `reader` open them, at most a page. `committed` tells what the ledger holds of a report, by time.
///
/// # Errors
///
/// [`DangerError::Vault`].
pub async fn open_reports(
    vault: &dyn Vault,
    reader: &Secret<Ristretto255>,
    trip: &Trip,
    times: Range<u64>,
    committed: impl Fn(u64) -> Option<[u8; 32]>,
) -> Result<Reports, DangerError> {
    let mut reports = Reports::default();
    for stored in vault.range(&device(trip), times).await?.records {
        let time_ms = stored.record.key().time_ms;
        let sealed = stored.record.content().split_first_chunk::<32>();
        let result = match (sealed, committed(time_ms)) {
            (Some((_, sealed)), Some(commitment)) => open(
                reader,
                &SealedReport {
                    trip: *trip,
                    time_ms,
                    commitment,
                    sealed: sealed.to_vec(),
                },
            ),
            (None, _) => Err(ReportError::Malformed),
            (_, None) => Err(ReportError::Commitment),
        };
        match result {
            Ok(report) => reports.opened.push(report),
            Err(error) => reports.refused.push((time_ms, error)),
        }
    }
    Ok(reports)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_contracts::danger::{Class, Inputs, Road, Weather};
    use cairn_protocol::danger::report::{Access, Voyage};
    use cairn_vault::Embedded;
    use rand::{SeedableRng as _, rngs::StdRng};

    const INPUTS: Inputs = Inputs {
        class: Class::Car,
        condition: 100,
        speed_cm_s: 1_000,
        ahead: None,
        weather: Weather::Clear,
        road: Road::Dry,
    };

    #[tokio::test]
    async fn a_query_opens_what_the_policy_allows_and_names_what_was_changed() {
        let mut rng = StdRng::seed_from_u64(1);
        let directory = tempfile::tempdir().unwrap();
        let vault = Embedded::open(directory.path()).unwrap();
        let (operator, stranger) = (Secret::random(&mut rng), Secret::random(&mut rng));
        let access = Access::new(vec![operator.public()]).unwrap();
        let voyage = Voyage::begin(access, &mut rng);
        let reports: Vec<Report> = [1_000, 1_500, 2_000]
            .map(|time_ms| Report {
                time_ms,
                inputs: INPUTS,
                refused: Vec::new(),
            })
            .to_vec();
        let mut sealed: Vec<SealedReport> = reports
            .iter()
            .map(|report| voyage.report(report, &mut rng))
            .collect();
        let commitments: Vec<_> = sealed
            .iter()
            .map(|one| (one.time_ms, one.commitment))
            .collect();
        let committed = |time_ms| {
            let found = commitments.iter().find(|(time, _)| *time == time_ms);
            found.map(|(_, commitment)| *commitment)
        };
        // Whoever runs the vault changes the last one before it is stored.
        sealed[2].sealed.reverse();
        keep(&vault, &sealed, &mut rng).await.unwrap();

        let trip = voyage.trip();
        let found = open_reports(&vault, &operator, &trip, 0..3_000, committed)
            .await
            .unwrap();
        assert_eq!(found.opened, reports[..2]);
        assert_eq!(found.refused.len(), 1);
        assert_eq!(found.refused[0].0, 2_000);

        let found = open_reports(&vault, &stranger, &trip, 0..3_000, committed)
            .await
            .unwrap();
        assert!(found.opened.is_empty());
        let some = open_reports(&vault, &operator, &trip, 0..1_500, committed)
            .await
            .unwrap();
        assert_eq!(some.opened.len(), 1);
    }
}
