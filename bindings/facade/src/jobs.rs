//! Drives what core has no timers for: jobs that are due, sealing, purging.

use std::time::Duration;

use telemed_core::journal::{FrameKind, RunReport, Subscription, SubscriptionItem};
use telemed_core::time::Timestamp;
use telemed_core::{Engine, Error};
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{sleep, timeout};

/// The longest rest between two looks for jobs: another process may have added one, and clocks
/// are set.
const LONGEST_REST: Duration = Duration::from_secs(30);
/// The longest rest while there are leases of presence: a socket that closes ends its lease early,
/// and no event tells of that.
const REST_WITH_LEASES: Duration = Duration::from_secs(2);
/// The rest when jobs are due that cannot be claimed yet.
const SHORTEST_REST: Duration = Duration::from_millis(100);
/// After something happened, what else happens in this time is taken along.
const GATHER: Duration = Duration::from_millis(50);
/// The longest time in which the audit trail is not sealed.
const SEAL_AT_LEAST: Duration = Duration::from_secs(1);
/// The shortest time between two seals: each waits for the disk.
const SEAL_AT_MOST: Duration = Duration::from_millis(250);
/// Between two purges, and from the start to the first.
const PURGE_EVERY: Duration = Duration::from_secs(3600);
const FIRST_PURGE: Duration = Duration::from_secs(60);
/// How long a delivery that is under way is waited for at the end. Its job is claimed again when
/// its lease is over.
const PATIENCE: Duration = Duration::from_secs(10);

/// The background tasks of one engine. They end when this is stopped or dropped.
pub(crate) struct Driver {
    stop: watch::Sender<()>,
    tasks: JoinSet<()>,
}

impl Driver {
    /// Starts the tasks on the current runtime.
    pub(crate) fn start(engine: &Engine) -> Self {
        let (stop, stopped) = watch::channel(());
        let mut tasks = JoinSet::new();
        tasks.spawn(run_jobs(engine.clone(), Stopped(stopped.clone())));
        tasks.spawn(seal(engine.clone(), Stopped(stopped.clone())));
        tasks.spawn(purge(engine.clone(), Stopped(stopped)));
        Self { stop, tasks }
    }

    /// Lets each task end what it is doing.
    pub(crate) async fn stop(mut self) {
        drop(self.stop);
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(PATIENCE, ended).await.is_err() {
            tracing::warn!("a delivery does not end; it is left and will be tried again");
        }
    }
}

/// Seals the audit trail in a thread that may wait for the disk, as the checkpoint's file does.
pub(crate) async fn seal_once(engine: &Engine) -> Result<(), Error> {
    let (engine, runtime) = (engine.clone(), tokio::runtime::Handle::current());
    match spawn_blocking(move || runtime.block_on(engine.seal_audit())).await {
        Ok(sealed) => sealed.map(|_| ()),
        Err(error) => Err(Error::new(telemed_core::Code::Internal).caused_by(error)),
    }
}

/// Tells when to stop.
struct Stopped(watch::Receiver<()>);

impl Stopped {
    /// Waits until `rest` is over; `false` if it is time to stop.
    async fn after(&mut self, rest: impl Future<Output = ()>) -> bool {
        tokio::select! {
            biased;
            // Nothing is ever sent: this answers when the sender is gone.
            _ = self.0.changed() => false,
            () = rest => true,
        }
    }
}

async fn run_jobs(engine: Engine, mut stopped: Stopped) {
    let mut failures = Failures::new("running jobs");
    loop {
        // What is committed after this comes as an event, what was before is found by the run.
        let events = engine.subscribe().await;
        let goes_on = match engine.run_due().await {
            Ok(report) => {
                failures.over();
                let rest = rest_after(&report, engine.now());
                stopped.after(until_event(events, rest)).await
            }
            Err(error) => stopped.after(sleep(failures.rest(&error))).await,
        };
        if !goes_on {
            return;
        }
    }
}

/// How long to rest until the next job is due or the next lease lapses.
fn rest_after(report: &RunReport, now: Timestamp) -> Duration {
    let has_worked = report.done + report.retried + report.dead > 0;
    let longest = match report.has_leases {
        true => REST_WITH_LEASES,
        false => LONGEST_REST,
    };
    match report.next_due {
        None => longest,
        Some(due) if due > now => due.since(now).clamp(SHORTEST_REST, longest),
        // A full batch: there is more.
        Some(_) if has_worked => Duration::ZERO,
        Some(_) => SHORTEST_REST,
    }
}

/// Rests, but not longer than until something happens. Of what passes only a change of presence
/// counts, with which the first lease of a user comes: signals and samples of a call come many a
/// second, and leave no work behind.
async fn until_event(mut events: Subscription, rest: Duration) {
    let counts = |item: &SubscriptionItem| match item {
        SubscriptionItem::Frame(frame) => frame.kind == FrameKind::PresenceChanged,
        SubscriptionItem::Event(_) | SubscriptionItem::Lagged => true,
    };
    let happens = async { while events.next().await.is_some_and(|item| !counts(&item)) {} };
    if timeout(rest, happens).await.is_ok() {
        sleep(GATHER).await;
    }
}

async fn seal(engine: Engine, mut stopped: Stopped) {
    let mut failures = Failures::new("sealing the audit trail");
    loop {
        let events = engine.subscribe().await;
        let goes_on = match seal_once(&engine).await {
            Ok(()) => {
                failures.over();
                let rest = async {
                    sleep(SEAL_AT_MOST).await;
                    until_event(events, SEAL_AT_LEAST - SEAL_AT_MOST - GATHER).await;
                };
                stopped.after(rest).await
            }
            Err(error) => stopped.after(sleep(failures.rest(&error))).await,
        };
        if !goes_on {
            return;
        }
    }
}

async fn purge(engine: Engine, mut stopped: Stopped) {
    let mut failures = Failures::new("purging old rows");
    let mut rest = FIRST_PURGE;
    while stopped.after(sleep(rest)).await {
        rest = match engine.purge().await {
            Ok(rows) => {
                failures.over();
                tracing::debug!(rows, "purged old rows");
                PURGE_EVERY
            }
            Err(error) => failures.rest(&error),
        };
    }
}

/// Failures in a row of one task: each is logged, and the rest after it doubles.
struct Failures {
    what: &'static str,
    rest: Duration,
}

impl Failures {
    const FIRST: Duration = Duration::from_millis(500);
    const MOST: Duration = Duration::from_secs(60);

    fn new(what: &'static str) -> Self {
        Self {
            what,
            rest: Self::FIRST,
        }
    }

    fn over(&mut self) {
        self.rest = Self::FIRST;
    }

    fn rest(&mut self, error: &Error) -> Duration {
        let cause = error.source.as_deref().map(tracing::field::display);
        tracing::warn!(%error, cause, "{} failed, trying again", self.what);
        let rest = self.rest;
        self.rest = (rest * 2).min(Self::MOST);
        rest
    }
}

#[cfg(test)]
mod tests;
