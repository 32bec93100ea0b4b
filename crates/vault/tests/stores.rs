//! What every store does, the same for all of them.

mod common;

use cairn_vault::{
    Batch, Block, BlockName, Blocks, Change, Error, EvidenceId, FileId, FileVersion, IndexPage,
    Item, MAX_BATCH_BYTES, MAX_BATCH_RECORDS, MAX_CONTENT, MAX_EVIDENCE, MAX_INDEX_PAGE,
    MAX_NUMBER, MAX_PAGE, Root, Tag, Vault, Written, check_batch, inclusion,
};
use common::{batch, key, record};

for_every_store! {
    a_record_comes_back_with_its_proof
    a_batch_twice_counts_once
    overlapping_batches_count_each_record_once
    other_content_under_a_key_is_a_conflict_and_stores_nothing
    ranges_page_within_one_device
    the_largest_batch_and_page_fit
    the_largest_time_is_kept_and_found
    roots_are_pending_until_settled
    two_writers_of_the_same_records_count_each_once
    evidence_lies_under_its_digest
    blocks_are_written_once
    versions_share_unchanged_blocks
    versions_come_one_after_the_other
    a_version_needs_its_blocks
    long_indexes_are_paged
}

async fn a_record_comes_back_with_its_proof(vault: &dyn Vault) {
    let batch = batch(1, 0..21);
    vault.put_batch(&batch).await.unwrap();

    for time in 0..21 {
        let (found, root, path) = inclusion(vault, &key(1, time)).await.unwrap().unwrap();
        assert_eq!(found.content(), format!("content {time}").as_bytes());
        assert_eq!(root, batch.root());
        assert!(path.verify(&found.commitment(), &batch.root()));
    }
    assert!(inclusion(vault, &key(1, 21)).await.unwrap().is_none());
    assert!(vault.get(&key(2, 0)).await.unwrap().is_none());
    assert_eq!(check_batch(vault, &batch.root()).await.unwrap(), Some(21));
    assert_eq!(check_batch(vault, &Root([0; 32])).await.unwrap(), None);
}

async fn a_batch_twice_counts_once(vault: &dyn Vault) {
    let batch = batch(1, 0..10);
    let first = vault.put_batch(&batch).await.unwrap();
    let second = vault.put_batch(&batch).await.unwrap();
    assert_eq!((first.new, first.known), (10, 0));
    assert_eq!((second.new, second.known), (0, 10));
    let page = vault.range(&key(1, 0).device, 0..100).await.unwrap();
    assert_eq!(page.records.len(), 10);
}

async fn overlapping_batches_count_each_record_once(vault: &dyn Vault) {
    let (first, second) = (batch(1, 0..10), batch(1, 5..15));
    vault.put_batch(&first).await.unwrap();
    let written = vault.put_batch(&second).await.unwrap();
    assert_eq!(written, Written { new: 5, known: 5 });
    assert_eq!(check_batch(vault, &first.root()).await.unwrap(), Some(10));
    assert_eq!(check_batch(vault, &second.root()).await.unwrap(), Some(10));
    let stored = vault.get(&key(1, 7)).await.unwrap().unwrap();
    assert_eq!(stored.batch, first.root());
}

async fn other_content_under_a_key_is_a_conflict_and_stores_nothing(vault: &dyn Vault) {
    vault.put_batch(&batch(1, [5])).await.unwrap();
    let other = Batch::new(vec![
        record(1, 4, b"new"),
        record(1, 5, b"changed"),
        record(1, 6, b"new"),
    ])
    .unwrap();
    let error = vault.put_batch(&other).await.unwrap_err();
    assert!(matches!(error, Error::Conflict(Item::Record(k)) if k == key(1, 5)));
    assert!(vault.get(&key(1, 4)).await.unwrap().is_none());
    assert!(vault.manifest(&other.root()).await.unwrap().is_none());
    let kept = vault.get(&key(1, 5)).await.unwrap().unwrap();
    assert_eq!(kept.record.content(), b"content 5");
    // What the refused batch had of new records can be stored without the conflict.
    let rest = batch(1, [4, 6]);
    assert_eq!(vault.put_batch(&rest).await.unwrap().new, 2);
}

async fn ranges_page_within_one_device(vault: &dyn Vault) {
    let page_size = MAX_PAGE as u64;
    vault.put_batch(&batch(1, 0..page_size + 7)).await.unwrap();
    vault.put_batch(&batch(2, 0..3)).await.unwrap();
    let device = key(1, 0).device;
    let times = |page: &cairn_vault::Page| -> Vec<u64> {
        page.records
            .iter()
            .map(|s| s.record.key().time_ms)
            .collect()
    };

    let page = vault.range(&device, 2..u64::MAX).await.unwrap();
    assert_eq!(times(&page), (2..page_size + 2).collect::<Vec<_>>());
    assert_eq!(page.next, Some(page_size + 2));
    let rest = vault.range(&device, page_size + 2..u64::MAX).await.unwrap();
    assert_eq!(
        times(&rest),
        (page_size + 2..page_size + 7).collect::<Vec<_>>()
    );
    assert_eq!(rest.next, None);

    let exact = vault.range(&device, 7..page_size + 7).await.unwrap();
    assert_eq!((exact.records.len(), exact.next), (MAX_PAGE, None));
    #[expect(clippy::reversed_empty_ranges, reason = "callers can write this")]
    for empty in [5..5, 9..3, 5_000..6_000, u64::MAX..u64::MAX] {
        let page = vault.range(&device, empty).await.unwrap();
        assert!(page.records.is_empty() && page.next.is_none());
    }
}

async fn the_largest_batch_and_page_fit(vault: &dyn Vault) {
    let content = vec![7; MAX_CONTENT];
    let largest = (MAX_BATCH_BYTES / MAX_CONTENT) as u64;
    let records = (0..largest).map(|time| record(1, time, &content)).collect();
    vault
        .put_batch(&Batch::new(records).unwrap())
        .await
        .unwrap();
    let many = batch(2, 0..MAX_BATCH_RECORDS as u64);
    assert_eq!(
        vault.put_batch(&many).await.unwrap().new,
        MAX_BATCH_RECORDS as u64
    );
    let page = vault.range(&key(1, 0).device, 0..u64::MAX).await.unwrap();
    assert_eq!(page.records.len() as u64, largest.min(MAX_PAGE as u64));
}

async fn the_largest_time_is_kept_and_found(vault: &dyn Vault) {
    vault.put_batch(&batch(1, [MAX_NUMBER])).await.unwrap();
    let device = key(1, 0).device;
    assert!(vault.get(&key(1, MAX_NUMBER)).await.unwrap().is_some());
    for end in [MAX_NUMBER + 1, u64::MAX] {
        let page = vault.range(&device, MAX_NUMBER..end).await.unwrap();
        assert_eq!(page.records.len(), 1);
    }
    assert!(vault.get(&key(1, u64::MAX)).await.unwrap().is_none());
}

async fn roots_are_pending_until_settled(vault: &dyn Vault) {
    let batches = [batch(1, [1]), batch(1, [2]), batch(1, [3])];
    for batch in &batches {
        vault.put_batch(batch).await.unwrap();
    }
    vault.settle(&batches[1].root()).await.unwrap();
    vault.settle(&batches[1].root()).await.unwrap();
    vault.settle(&Root([9; 32])).await.unwrap();
    // A repeated batch does not come back on the list.
    vault.put_batch(&batches[1]).await.unwrap();
    let mut expected = [batches[0].root(), batches[2].root()];
    expected.sort();
    assert_eq!(vault.pending().await.unwrap(), expected);
}

async fn two_writers_of_the_same_records_count_each_once(vault: &dyn Vault) {
    let (left, right) = (batch(1, 0..600), batch(1, 300..900));
    let (left, right) = tokio::join!(vault.put_batch(&left), vault.put_batch(&right));
    assert_eq!(left.unwrap().new + right.unwrap().new, 900);
}

async fn evidence_lies_under_its_digest(vault: &dyn Vault) {
    let id = vault.put_evidence(b"two messages").await.unwrap();
    assert_eq!(id, EvidenceId::of(b"two messages").unwrap());
    assert_eq!(vault.put_evidence(b"two messages").await.unwrap(), id);
    assert_eq!(vault.evidence(&id).await.unwrap().unwrap(), b"two messages");
    assert_eq!(vault.evidence(&EvidenceId([0; 32])).await.unwrap(), None);

    let largest = vec![1; MAX_EVIDENCE];
    let id = vault.put_evidence(&largest).await.unwrap();
    assert_eq!(vault.evidence(&id).await.unwrap(), Some(largest));
    let error = vault
        .put_evidence(&vec![1; MAX_EVIDENCE + 1])
        .await
        .unwrap_err();
    assert!(matches!(error, Error::EvidenceSize(n) if n == MAX_EVIDENCE + 1));
}

const FILE: FileId = FileId([5; 32]);

fn name(id: u64, edition: u8) -> BlockName {
    BlockName {
        id,
        edition: [edition; 16],
    }
}

fn block(name: BlockName, bytes: &[u8]) -> Block {
    Block::new(name, Tag([name.edition[0]; 48]), bytes.to_vec()).unwrap()
}

fn blocks(names: impl IntoIterator<Item = BlockName>) -> Blocks {
    let blocks = names.into_iter().map(|name| block(name, b"sectors"));
    Blocks::new(&FILE, blocks.collect()).unwrap()
}

fn version(number: u64, changes: &[Change]) -> FileVersion {
    FileVersion::new(FILE, number, b"record".to_vec(), changes.to_vec()).unwrap()
}

fn entries(names: &[BlockName]) -> IndexPage {
    IndexPage {
        blocks: names.to_vec(),
        next: None,
    }
}

async fn blocks_are_written_once(vault: &dyn Vault) {
    let two = blocks([name(0, 1), name(1, 1)]);
    assert_eq!(vault.put_blocks(&FILE, &two).await.unwrap().new, 2);
    assert_eq!(vault.put_blocks(&FILE, &two).await.unwrap().known, 2);
    let found = vault.block(&FILE, &name(1, 1)).await.unwrap();
    assert_eq!(found, Some(block(name(1, 1), b"sectors")));
    assert_eq!(vault.block(&FILE, &name(u64::MAX, 1)).await.unwrap(), None);

    let other_bytes = block(name(1, 1), b"other");
    let other_tag = Block::new(name(1, 1), Tag([9; 48]), b"sectors".to_vec()).unwrap();
    for other in [other_bytes, other_tag] {
        let both = Blocks::new(&FILE, vec![other, block(name(2, 1), b"new")]).unwrap();
        let error = vault.put_blocks(&FILE, &both).await.unwrap_err();
        assert!(matches!(error, Error::Conflict(Item::Block(_, n)) if n == name(1, 1)));
    }
    let wanted = [name(3, 1), name(1, 1), name(2, 1), name(u64::MAX, 1)];
    assert_eq!(
        vault.missing_blocks(&FILE, &wanted).await.unwrap(),
        [name(3, 1), name(2, 1), name(u64::MAX, 1)],
    );
    // The same names in another file are other blocks.
    let elsewhere = vault
        .missing_blocks(&FileId([6; 32]), &wanted)
        .await
        .unwrap();
    assert_eq!(elsewhere, wanted);
}

async fn versions_share_unchanged_blocks(vault: &dyn Vault) {
    let first = [name(0, 1), name(1, 1), name(2, 1)];
    vault.put_blocks(&FILE, &blocks(first)).await.unwrap();
    let changes = first.map(Change::Set);
    vault.commit_version(&version(1, &changes)).await.unwrap();
    vault
        .put_blocks(&FILE, &blocks([name(1, 2), name(3, 2)]))
        .await
        .unwrap();
    let changes = [
        Change::Set(name(1, 2)),
        Change::Set(name(3, 2)),
        Change::Delete(0),
    ];
    vault.commit_version(&version(2, &changes)).await.unwrap();
    vault
        .commit_version(&version(3, &[Change::Delete(3)]))
        .await
        .unwrap();

    let index = async |number, from| vault.index(&FILE, number, from).await.unwrap();
    assert_eq!(index(1, 0).await, entries(&first));
    assert_eq!(
        index(2, 0).await,
        entries(&[name(1, 2), name(2, 1), name(3, 2)])
    );
    assert_eq!(index(3, 0).await, entries(&[name(1, 2), name(2, 1)]));
    assert_eq!(index(3, 2).await, entries(&[name(2, 1)]));
    assert_eq!(index(4, 0).await, entries(&[]));
    assert_eq!(index(u64::MAX, 0).await, entries(&[]));
    assert_eq!(index(3, u64::MAX).await, entries(&[]));
    assert_eq!(vault.latest_version(&FILE).await.unwrap(), Some(3));
    assert_eq!(
        vault.version_record(&FILE, 2).await.unwrap().unwrap(),
        b"record"
    );
    assert_eq!(vault.version_record(&FILE, 9).await.unwrap(), None);
}

async fn versions_come_one_after_the_other(vault: &dyn Vault) {
    let order = |error| match error {
        Error::VersionOrder { expected, got } => (expected, got),
        other => panic!("{other}"),
    };
    assert_eq!(vault.latest_version(&FILE).await.unwrap(), None);
    for number in [0, 2, MAX_NUMBER] {
        let error = vault
            .commit_version(&version(number, &[]))
            .await
            .unwrap_err();
        assert_eq!(order(error), (1, number));
    }
    vault.commit_version(&version(1, &[])).await.unwrap();
    vault.commit_version(&version(1, &[])).await.unwrap();
    let other = version(1, &[Change::Delete(0)]);
    let error = vault.commit_version(&other).await.unwrap_err();
    assert!(matches!(error, Error::Conflict(Item::Version(FILE, 1))));
    let error = vault.commit_version(&version(3, &[])).await.unwrap_err();
    assert_eq!(order(error), (2, 3));
    assert_eq!(vault.latest_version(&FILE).await.unwrap(), Some(1));
}

async fn a_version_needs_its_blocks(vault: &dyn Vault) {
    vault
        .put_blocks(&FILE, &blocks([name(0, 1)]))
        .await
        .unwrap();
    let changes = [Change::Set(name(0, 1)), Change::Set(name(1, 1))];
    let error = vault
        .commit_version(&version(1, &changes))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::MissingBlock(FILE, n) if n == name(1, 1)));
    assert_eq!(vault.latest_version(&FILE).await.unwrap(), None);
    assert_eq!(vault.index(&FILE, 1, 0).await.unwrap(), entries(&[]));
    vault
        .put_blocks(&FILE, &blocks([name(1, 1)]))
        .await
        .unwrap();
    vault.commit_version(&version(1, &changes)).await.unwrap();
}

async fn long_indexes_are_paged(vault: &dyn Vault) {
    let names: Vec<_> = (0..MAX_INDEX_PAGE as u64 + 2)
        .map(|id| name(id, 1))
        .collect();
    for some in names.chunks(1_000) {
        let put = blocks(some.iter().copied());
        vault.put_blocks(&FILE, &put).await.unwrap();
    }
    let changes: Vec<_> = names.iter().copied().map(Change::Set).collect();
    vault.commit_version(&version(1, &changes)).await.unwrap();
    let gap = Change::Delete(MAX_INDEX_PAGE as u64);
    vault.commit_version(&version(2, &[gap])).await.unwrap();
    // A deleted block is not where a reader is sent.
    let page = vault.index(&FILE, 2, 0).await.unwrap();
    assert_eq!(page.blocks, names[..MAX_INDEX_PAGE]);
    assert_eq!(page.next, Some(MAX_INDEX_PAGE as u64 + 1));
    let rest = vault
        .index(&FILE, 2, MAX_INDEX_PAGE as u64 + 1)
        .await
        .unwrap();
    assert_eq!(rest, entries(&names[MAX_INDEX_PAGE + 1..]));
}
