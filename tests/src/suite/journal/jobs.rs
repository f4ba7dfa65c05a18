//! Cases of jobs.

use std::sync::Arc;

use telemed_core::id::JobId;
use telemed_core::journal::{ClaimedJob, JobEnd, JobKind, Resource, Retention, Subject};
use telemed_core::time::Timestamp;

use crate::build::{World, at, whole};
use crate::dump::open_jobs;
use crate::suite::case_list;
use crate::suite::journal::purging::nothing;
use crate::together;

case_list! { "journal":
    due_jobs_are_claimed_once,
    a_lease_that_ended_is_claimed_again,
    jobs_before_their_time_stay,
    an_ended_claim_changes_nothing,
    done_removes_the_job,
    retry_is_due_again_at_its_time,
    dead_is_never_claimed_again,
    the_next_due_time_is_the_earliest,
}

/// Records a job that is due at a minute.
pub(super) async fn schedule(world: &World, due: i64) -> JobId {
    let mut write = world.write(whole());
    write
        .jobs
        .push(world.job(JobKind::AppointmentReminder, whole(), at(due)));
    world.storage.record(&write).await.unwrap();
    write.jobs[0].id
}

pub(super) async fn claim(world: &World, now: i64, lease: i64, limit: u32) -> Vec<(JobId, u32)> {
    let claimed = world
        .storage
        .claim_jobs(at(now), at(lease), limit)
        .await
        .unwrap();
    for one in &claimed {
        assert_eq!(one.lease_until, at(lease));
    }
    claimed
        .iter()
        .map(|one| (one.job.id, one.attempt))
        .collect()
}

async fn due_jobs_are_claimed_once(world: Arc<World>) {
    let mut write = world.write(whole());
    let subject = Subject::number(Resource::Appointment, 7);
    write
        .jobs
        .push(world.job(JobKind::AppointmentNotice, subject, at(3)));
    let job = write.jobs[0].clone();
    world.storage.record(&write).await.unwrap();
    let claimed = world.storage.claim_jobs(at(3), at(9), 10).await.unwrap();
    assert_eq!(
        claimed,
        [ClaimedJob {
            job: job.clone(),
            attempt: 1,
            lease_until: at(9)
        }]
    );
    assert_eq!(claim(&world, 8, 20, 10).await, []);
    assert!(
        world
            .storage
            .finish_job(job.id, at(9), JobEnd::Done)
            .await
            .unwrap()
    );
    // Earliest first, and no more than asked for.
    let jobs = [
        schedule(&world, 5).await,
        schedule(&world, 2).await,
        schedule(&world, 4).await,
    ];
    assert_eq!(claim(&world, 10, 20, 2).await, [(jobs[1], 1), (jobs[2], 1)]);
    assert_eq!(claim(&world, 10, 20, 2).await, [(jobs[0], 1)]);
    assert_eq!(claim(&world, 10, 20, 2).await, []);
    // Runners in parallel share the work.
    let mut scheduled = Vec::new();
    for _ in 0..40 {
        scheduled.push(schedule(&world, 1).await);
    }
    let answers = together(16, |caller| {
        let world = Arc::clone(&world);
        async move {
            let lease = 21 + i64::try_from(caller).unwrap();
            let mut claimed = Vec::new();
            loop {
                let part = claim(&world, 10, lease, 3).await;
                if part.is_empty() {
                    return claimed;
                }
                claimed.extend(part);
            }
        }
    })
    .await;
    let mut claimed: Vec<_> = answers.concat().into_iter().map(|(id, _)| id).collect();
    claimed.sort_unstable();
    assert_eq!(claimed, scheduled);
}

async fn a_lease_that_ended_is_claimed_again(world: Arc<World>) {
    let job = schedule(&world, 1).await;
    for (now, lease, attempt) in [(1, 5, 1), (5, 9, 2), (9, 35, 3)] {
        assert_eq!(
            claim(&world, now - 1, 99, 1).await,
            [],
            "before its lease ends"
        );
        assert_eq!(claim(&world, now, lease, 1).await, [(job, attempt)]);
    }
    // A lease that ended earlier comes before a job that was due later.
    let later = schedule(&world, 36).await;
    let earlier = schedule(&world, 34).await;
    assert_eq!(
        claim(&world, 40, 50, 9).await,
        [(earlier, 1), (job, 4), (later, 1)]
    );
    // The job itself is as it was.
    let jobs = open_jobs(&*world.storage).await;
    let again = jobs.iter().find(|one| one.job.id == job).unwrap();
    assert_eq!(again.job.due_at, at(1));
}

async fn jobs_before_their_time_stay(world: Arc<World>) {
    let job = schedule(&world, 10).await;
    let early = Timestamp::from_micros(at(10).micros() - 1);
    assert!(
        world
            .storage
            .claim_jobs(early, at(20), 10)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(claim(&world, 10, 20, 10).await, [(job, 1)]);
    assert_eq!(claim(&world, 10, 20, 0).await, []);
}

async fn an_ended_claim_changes_nothing(world: Arc<World>) {
    let job = schedule(&world, 1).await;
    let finish = |lease: i64, end: JobEnd| {
        let world = Arc::clone(&world);
        async move { world.storage.finish_job(job, at(lease), end).await.unwrap() }
    };
    assert!(!finish(5, JobEnd::Done).await, "nobody has claimed it");
    claim(&world, 1, 5, 1).await;
    claim(&world, 6, 9, 1).await;
    for end in [JobEnd::Done, JobEnd::Retry(at(7)), JobEnd::Dead] {
        assert!(!world.unchanged(finish(5, end)).await);
    }
    // The later claim is still good, although its time is over: nobody else has claimed it.
    assert!(finish(9, JobEnd::Retry(at(40))).await);
    assert!(!world.unchanged(finish(9, JobEnd::Done)).await);
    assert_eq!(claim(&world, 40, 50, 1).await, [(job, 3)]);
    let unknown = JobId::new(world.uuid());
    assert!(
        !world
            .storage
            .finish_job(unknown, at(50), JobEnd::Done)
            .await
            .unwrap()
    );
}

async fn done_removes_the_job(world: Arc<World>) {
    let job = schedule(&world, 1).await;
    let other = schedule(&world, 2).await;
    claim(&world, 5, 9, 9).await;
    assert!(
        world
            .storage
            .finish_job(job, at(9), JobEnd::Done)
            .await
            .unwrap()
    );
    assert!(
        !world
            .storage
            .finish_job(job, at(9), JobEnd::Done)
            .await
            .unwrap()
    );
    assert_eq!(claim(&world, 1000, 2000, 9).await, [(other, 2)]);
}

async fn retry_is_due_again_at_its_time(world: Arc<World>) {
    let job = schedule(&world, 1).await;
    claim(&world, 1, 50, 9).await;
    assert!(
        world
            .storage
            .finish_job(job, at(50), JobEnd::Retry(at(20)))
            .await
            .unwrap()
    );
    assert_eq!(world.storage.next_job_due().await.unwrap(), Some(at(20)));
    assert_eq!(claim(&world, 19, 60, 9).await, []);
    let claimed = world.storage.claim_jobs(at(20), at(60), 9).await.unwrap();
    let [again] = &claimed[..] else {
        panic!("{claimed:?}")
    };
    assert_eq!(
        (again.job.id, again.job.due_at, again.attempt),
        (job, at(20), 2)
    );
}

async fn dead_is_never_claimed_again(world: Arc<World>) {
    let job = schedule(&world, 1).await;
    claim(&world, 1, 5, 9).await;
    assert!(
        world
            .storage
            .finish_job(job, at(5), JobEnd::Dead)
            .await
            .unwrap()
    );
    assert_eq!(claim(&world, 1_000_000, 2_000_000, 9).await, []);
    assert_eq!(world.storage.next_job_due().await.unwrap(), None);
    assert!(
        !world
            .storage
            .finish_job(job, at(5), JobEnd::Done)
            .await
            .unwrap()
    );
    // The row stays until it is purged.
    let dead = Retention {
        dead_jobs_before: at(2),
        ..nothing()
    };
    assert_eq!(world.storage.purge(&dead).await.unwrap(), 1);
}

async fn the_next_due_time_is_the_earliest(world: Arc<World>) {
    let next = || async { world.storage.next_job_due().await.unwrap() };
    assert_eq!(next().await, None);
    let late = schedule(&world, 30).await;
    assert_eq!(next().await, Some(at(30)));
    let early = schedule(&world, 10).await;
    assert_eq!(next().await, Some(at(10)));
    claim(&world, 10, 20, 1).await;
    assert_eq!(next().await, Some(at(20)), "the end of the lease");
    claim(&world, 20, 40, 1).await;
    assert_eq!(next().await, Some(at(30)));
    assert!(
        world
            .storage
            .finish_job(early, at(40), JobEnd::Done)
            .await
            .unwrap()
    );
    claim(&world, 30, 35, 1).await;
    assert!(
        world
            .storage
            .finish_job(late, at(35), JobEnd::Done)
            .await
            .unwrap()
    );
    assert_eq!(next().await, None);
}
