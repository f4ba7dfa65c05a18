//! Cases of the audit trail.

use std::sync::Arc;

use telemed_core::crypto::TenantKeyId;
use telemed_core::journal::{AuditHead, Checkpoint, Resource, Subject, Write};

use crate::build::{World, at};
use crate::dump::audit_trail;
use crate::suite::case_list;
use crate::together;

case_list! { "journal":
    sealing_gives_dense_numbers_and_a_chain,
    sealing_twice_changes_nothing,
    sealing_leaves_nothing_unsealed,
    sealed_rows_come_in_order,
    checkpoints_are_kept_in_order,
}

async fn record_rows(world: &World, count: usize) -> Vec<Write> {
    let mut writes = Vec::with_capacity(count);
    for number in 0..count {
        let minute = i64::try_from(count - number).unwrap();
        let write = world.write_at(at(minute), Subject::number(Resource::Clinic, minute));
        world.storage.record(&write).await.unwrap();
        writes.push(write);
    }
    writes
}

async fn sealing_gives_dense_numbers_and_a_chain(world: Arc<World>) {
    let store = &world.storage;
    assert_eq!(store.audit_head().await.unwrap(), AuditHead::EMPTY);
    assert_eq!(store.seal_audit(10).await.unwrap(), AuditHead::EMPTY);
    let writes = record_rows(&world, 5).await;
    // However many are asked for, they are sealed in the order of their commit.
    let mut head = store.seal_audit(2).await.unwrap();
    assert!(head.count >= 2);
    while store.unsealed_audit_rows().await.unwrap() > 0 {
        let next = store.seal_audit(2).await.unwrap();
        assert!(next.count > head.count);
        head = next;
    }
    let rows = store.sealed_audit_rows(0, 100).await.unwrap();
    assert_eq!(rows.len(), 5);
    let mut expected = AuditHead::EMPTY;
    for (row, write) in rows.iter().zip(&writes) {
        expected = expected.after(&write.audit);
        assert_eq!((row.head, &row.row), (expected, &write.audit));
    }
    assert_eq!(head, expected);
    assert_eq!(store.audit_head().await.unwrap(), expected);
    // Sealers and writers in parallel: one chain without gaps.
    together(16, |caller| {
        let world = Arc::clone(&world);
        async move {
            if caller % 4 == 0 {
                world.storage.seal_audit(3).await.unwrap();
            } else {
                record_rows(&world, 4).await;
            }
        }
    })
    .await;
    let rows = audit_trail(&**store).await;
    assert_eq!(rows.len(), 5 + 12 * 4);
    let mut head = AuditHead::EMPTY;
    for row in &rows {
        head = head.after(&row.row);
        assert_eq!(row.head, head);
    }
    assert_eq!(store.audit_head().await.unwrap(), head);
}

async fn sealing_twice_changes_nothing(world: Arc<World>) {
    record_rows(&world, 3).await;
    let rows = audit_trail(&*world.storage).await;
    let head = world.storage.audit_head().await.unwrap();
    for limit in [0, 1, 1000] {
        let again = world
            .unchanged(world.storage.seal_audit(limit))
            .await
            .unwrap();
        assert_eq!(again, head);
    }
    assert_eq!(audit_trail(&*world.storage).await, rows);
}

async fn sealing_leaves_nothing_unsealed(world: Arc<World>) {
    assert_eq!(world.storage.unsealed_audit_rows().await.unwrap(), 0);
    record_rows(&world, 3).await;
    // A store may seal as it commits; none has more open than was written.
    let open = world.storage.unsealed_audit_rows().await.unwrap();
    let sealed = world.storage.audit_head().await.unwrap().count;
    assert_eq!(open + sealed, 3);
    let head = world.storage.seal_audit(1000).await.unwrap();
    assert_eq!(head.count, 3);
    assert_eq!(world.storage.unsealed_audit_rows().await.unwrap(), 0);
}

async fn sealed_rows_come_in_order(world: Arc<World>) {
    record_rows(&world, 7).await;
    let all = audit_trail(&*world.storage).await;
    let numbers: Vec<_> = all.iter().map(|row| row.head.count).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7]);
    for (after, limit, expected) in [
        (0, 100, 0..7),
        (0, 3, 0..3),
        (3, 3, 3..6),
        (6, 3, 6..7),
        (7, 3, 7..7),
        (99, 3, 7..7),
    ] {
        let rows = world.storage.sealed_audit_rows(after, limit).await.unwrap();
        assert_eq!(rows, all[expected]);
    }
    let rows = world.storage.sealed_audit_rows(u64::MAX, 3).await.unwrap();
    assert_eq!(rows, []);
}

async fn checkpoints_are_kept_in_order(world: Arc<World>) {
    let store = &world.storage;
    let checkpoint = |count: u64, minute: i64| Checkpoint {
        head: AuditHead {
            count,
            hash: [u8::try_from(count).unwrap(); 32],
        },
        at: at(minute),
        key: TenantKeyId(i64::MIN),
        signature: [7; 32],
    };
    assert_eq!(store.newest_checkpoint(None).await.unwrap(), None);
    for (count, minute) in [(3, 1), (8, 2), (5, 9)] {
        store
            .keep_checkpoint(&checkpoint(count, minute))
            .await
            .unwrap();
    }
    assert_eq!(
        store.newest_checkpoint(None).await.unwrap(),
        Some(checkpoint(8, 2))
    );
    for (at_most, expected) in [
        (0, None),
        (2, None),
        (3, Some(checkpoint(3, 1))),
        (4, Some(checkpoint(3, 1))),
        (7, Some(checkpoint(5, 9))),
        (8, Some(checkpoint(8, 2))),
        (u64::MAX, Some(checkpoint(8, 2))),
    ] {
        assert_eq!(
            store.newest_checkpoint(Some(at_most)).await.unwrap(),
            expected
        );
    }
    // The same head again: the first statement stands.
    store.keep_checkpoint(&checkpoint(8, 30)).await.unwrap();
    assert_eq!(
        store.newest_checkpoint(None).await.unwrap(),
        Some(checkpoint(8, 2))
    );
}
