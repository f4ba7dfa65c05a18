//! Jobs that this version did not write.

use telemed_core::journal::{JobEnd, JournalStore};

use super::*;

#[tokio::test]
async fn a_job_that_cannot_be_read_stops_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("telemed.db");
    let store = open(&path, &quick());
    let practice = practice(&store).await;
    for at in 0..3 {
        slot(&store, &practice, at, 1).await;
    }
    let theirs = rusqlite::Connection::open(&path).unwrap();
    let count = |sql: &str| {
        theirs
            .query_row(sql, [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    let before = count("SELECT count(*) FROM jobs");
    assert!(before > 2, "{before}");
    // The first ones to come: of a kind, with data and with attempts that nobody knows.
    for change in [
        "kind = 'from_the_future'",
        "data = '[1'",
        "attempt = 9223372036854775807",
    ] {
        let sql = format!(
            "UPDATE jobs SET {change}, due_at = -1
             WHERE id = (SELECT id FROM jobs WHERE due_at >= 0 LIMIT 1)"
        );
        assert_eq!(theirs.execute(&sql, []).unwrap(), 1, "{change}");
    }
    theirs
        .execute("UPDATE jobs SET due_at = 0 WHERE due_at > 0", [])
        .unwrap();

    let lease = NOW.plus(hours(1));
    // Even when what cannot be read would fill the batch.
    let mut seen = 0;
    loop {
        let claimed = store.claim_jobs(NOW, lease, 1).await.unwrap();
        let [claim] = claimed.as_slice() else { break };
        assert!(
            store
                .finish_job(claim.job.id, lease, JobEnd::Done)
                .await
                .unwrap()
        );
        seen += 1;
    }
    assert_eq!(seen, before - 3);
    // They are kept for whoever can read them, and nothing waits for them.
    assert_eq!(count("SELECT count(*) FROM jobs WHERE is_dead = 1"), 3);
    assert_eq!(store.next_job_due().await.unwrap(), None);
}

#[tokio::test]
async fn nothing_but_unreadable_jobs_is_given_up_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("telemed.db");
    let store = open(&path, &quick());
    practice(&store).await;
    let theirs = rusqlite::Connection::open(&path).unwrap();
    theirs
        .execute("UPDATE jobs SET kind = 'unknown', due_at = 0", [])
        .unwrap();
    assert!(
        store
            .claim_jobs(NOW, NOW.plus(hours(1)), 10)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(store.next_job_due().await.unwrap(), None);
}
