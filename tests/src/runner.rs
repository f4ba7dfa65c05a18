//! Runs cases: a runtime and a fresh database for each.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Trial;
use tokio::sync::Barrier;

use crate::StoreUnderTest;
use crate::build::World;
use crate::postgres::{self, PostgresServer, PostgresUnderTest};
use crate::suite::Case;

/// How long a case may take before it counts as hanging.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs a future on several threads, so that races are races.
///
/// # Panics
/// When it panics or hangs.
pub fn in_runtime<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        tokio::time::timeout(PATIENCE, work)
            .await
            .expect("it hangs")
    })
}

/// Whether the long version of the tests is asked for: `TELEMED_LONG=1`.
#[must_use]
pub fn is_long() -> bool {
    std::env::var_os("TELEMED_LONG").is_some_and(|value| value == "1")
}

/// One test for each case on this store.
#[must_use]
pub fn trials(store: &Arc<impl StoreUnderTest>, cases: &[Case]) -> Vec<Trial> {
    let trial = |case: &Case| {
        let (store, case) = (Arc::clone(store), *case);
        Trial::test(
            format!("{}::{}::{}", store.name(), case.slice, case.name),
            move || {
                in_runtime(async {
                    let world = Arc::new(World::new(store.fresh().await));
                    (case.run)(world).await;
                });
                Ok(())
            },
        )
    };
    cases.iter().map(trial).collect()
}

/// The tests of a PostgreSQL. Without a server they show as ignored, with the reason, or they fail
/// where it is required.
#[must_use]
pub fn on_postgres(tests: impl FnOnce(PostgresUnderTest) -> Vec<Trial>) -> Vec<Trial> {
    let server = PostgresServer::of_environment();
    let is_there = server.is_some();
    // They are listed without a server, too; that they are not run is seen to below.
    let server = server.unwrap_or_else(|| PostgresServer::at("postgres://localhost"));
    let tests = tests(PostgresUnderTest(server));
    if is_there {
        return tests;
    }
    let is_required = postgres::is_required();
    let missing = |test: Trial| {
        let name = format!("{} ({})", test.name(), postgres::MISSING);
        Trial::test(name, || Err(postgres::MISSING.into())).with_ignored_flag(!is_required)
    };
    tests.into_iter().map(missing).collect()
}

/// Calls from so many tasks at once, and their answers in the order of the callers.
///
/// # Panics
/// When one of them panics.
pub async fn together<T, F>(callers: usize, call: impl Fn(usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let gate = Arc::new(Barrier::new(callers));
    let start = |caller| {
        let (gate, call) = (Arc::clone(&gate), call(caller));
        tokio::spawn(async move {
            gate.wait().await;
            call.await
        })
    };
    let tasks: Vec<_> = (0..callers).map(start).collect();
    let mut answers = Vec::with_capacity(callers);
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}
