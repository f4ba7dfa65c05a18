//! Jobs of several servers and of other versions.

use std::collections::BTreeSet;
use std::sync::Arc;

use telemed_core::journal::{JobEnd, JobKind, JournalStore};
use telemed_tests::build::{NOW, at, whole};
use telemed_tests::together;

use super::place::{Place, options, world};

pub async fn a_job_that_cannot_be_read_stops_no_other(place: Place) {
    let store = place.silent(&options("one")).await;
    let world = world(&place, &store);
    let mut write = world.whole();
    for minute in 0..9 {
        let job = world.job(JobKind::AppointmentNotice, whole(), at(-60 + minute));
        write.jobs.push(job);
    }
    store.record(&write).await.unwrap();
    let mut beside = place.beside().await;
    // The first ones to come: of a kind, with data and with attempts that nobody knows.
    for change in ["kind = 'from_the_future'", "data = '[1'", "attempt = -7"] {
        beside
            .run(&format!(
                "UPDATE jobs SET {change}, due_at = -1
                 WHERE id = (SELECT id FROM jobs WHERE due_at >= 0 LIMIT 1)"
            ))
            .await;
    }
    // Even when what cannot be read would fill the batch.
    let lease = at(60);
    let mut seen = 0;
    loop {
        let claimed = store.claim_jobs(NOW, lease, 1).await.unwrap();
        let [claim] = claimed.as_slice() else { break };
        let ended = store.finish_job(claim.job.id, lease, JobEnd::Done);
        assert!(ended.await.unwrap());
        seen += 1;
    }
    assert_eq!(seen, 6);
    // They are kept for whoever can read them, and nothing waits for them.
    assert_eq!(
        beside
            .number("SELECT count(*) FROM jobs WHERE is_dead")
            .await,
        3
    );
    assert_eq!(store.next_job_due().await.unwrap(), None);
}

pub async fn several_servers_claim_each_job_once(place: Place) {
    let stores = Arc::new([
        place.silent(&options("one")).await,
        place.silent(&options("other")).await,
    ]);
    let world = world(&place, &stores[0]);
    let mut write = world.whole();
    for _ in 0..200 {
        write
            .jobs
            .push(world.job(JobKind::AppointmentNotice, whole(), NOW));
    }
    stores[0].record(&write).await.unwrap();
    let claimed = together(8, |caller| {
        let stores = Arc::clone(&stores);
        async move {
            let mut mine = Vec::new();
            loop {
                let claimed = stores[caller % 2].claim_jobs(NOW, at(5), 7).await.unwrap();
                if claimed.is_empty() {
                    return mine;
                }
                mine.extend(claimed.into_iter().map(|claim| claim.job.id));
            }
        }
    })
    .await;
    let all: Vec<_> = claimed.into_iter().flatten().collect();
    assert_eq!(all.len(), 200);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 200);
}
