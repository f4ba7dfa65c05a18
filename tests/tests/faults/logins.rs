//! Many logins at once: hashing passwords keeps nobody else waiting.

use std::time::Duration;

use serde_json::json;
use telemed_tests::practice::{PASSWORD, Practice, Visit};
use tokio::task::JoinSet;
use tokio::time::Instant;

const LOGINS: usize = 200;

#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::print_stdout)] // The figure is what one reads this test for.
async fn two_hundred_logins_do_not_starve_the_rest() {
    let visit = Visit::at(Practice::open(&[], &[]).await);
    let patient = visit.patient().await;
    let started = Instant::now();
    let mut logins = JoinSet::new();
    for _ in 0..LOGINS {
        let client = visit.anonymous.clone();
        let body = json!({"email": patient.email, "password": PASSWORD});
        logins.spawn(async move { client.post("/auth/login", &body).await });
    }
    // As long as they last, others are asked for: one that hashes nothing, one that reads.
    let own = visit.of(&patient);
    let mut waits = Vec::new();
    let mut answers = Vec::new();
    while answers.len() < LOGINS {
        let asked = Instant::now();
        assert_eq!(visit.anonymous.get("//health").await.status, 200);
        let _ = own.get("/auth/profile").await.expect(200);
        waits.push(asked.elapsed());
        while let Some(done) = logins.try_join_next() {
            answers.push(done.unwrap());
        }
    }
    let took = started.elapsed();
    // Beyond what may wait for the hasher, a login is told to come back; nothing else is refused.
    let (signed, later): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    for answer in &later {
        answer.refused(503, "UNAVAILABLE");
        assert!(answer.header("retry-after").is_some());
    }
    assert!(
        signed.len() >= LOGINS / 4,
        "{} were signed in",
        signed.len()
    );
    waits.sort_unstable();
    let (median, longest) = (waits[waits.len() / 2], waits[waits.len() - 1]);
    println!(
        "{LOGINS} logins at once took {took:?} ({} told to come back); meanwhile /health and /auth/profile together were \
         answered {} times, median {median:?}, longest {longest:?}",
        later.len(),
        waits.len()
    );
    // Were they queued behind the logins, the first answer would come with the last login.
    assert!(
        waits.len() > 3 && longest < took.max(Duration::from_secs(5)),
        "{waits:?}"
    );
}
