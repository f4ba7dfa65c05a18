//! The leases by which everybody knows that the sockets of this node are open. One task keeps
//! them; no socket waits for it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use telemed_core::Engine;
use telemed_core::error::Error;
use telemed_core::id::LeaseId;
use telemed_core::presence::AFTER_CLOSE;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::hub::Hub;
use super::member::Member;
use super::news::{News, Voice, ring};

/// How many sockets are seen to at once.
const AT_ONCE: usize = 8;
/// When what failed is tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// How much later than the end of a lease it is looked at: by then it has ended on every clock.
const MARGIN: Duration = Duration::from_millis(200);

/// What is to be done for a socket.
pub(super) enum Errand {
    /// It has come: it hears of the calls that ring for it, and takes a lease.
    Arrived(Weak<Member>),
    /// It goes by another device: it takes another lease.
    Renamed(Weak<Member>),
    /// It has gone.
    Gone(LeaseId),
}

/// What has been done.
enum Done {
    Opened,
    Closed,
    Renewed { all: bool },
    Swept,
}

/// Keeps the leases until the hub is gone.
pub(super) async fn keep(
    hub: Weak<Hub>,
    engine: Engine,
    mut errands: UnboundedReceiver<Errand>,
    every: Duration,
) {
    let mut work: JoinSet<Done> = JoinSet::new();
    let mut renew_at = Instant::now() + every;
    let mut is_renewing = false;
    let mut lapses = Lapses::default();
    loop {
        // A lease that ended while it is renewed would live on: nothing else is done meanwhile.
        let may_begin = !is_renewing && work.len() < AT_ONCE;
        let sweep_at = lapses.next.unwrap_or(renew_at);
        tokio::select! {
            Some(done) = work.join_next(), if !work.is_empty() => match done {
                Ok(Done::Opened | Done::Swept) => {}
                Ok(Done::Closed) => lapses.expect(Instant::now() + AFTER_CLOSE + MARGIN),
                Ok(Done::Renewed { all }) => {
                    is_renewing = false;
                    renew_at = Instant::now() + if all { every } else { AGAIN };
                }
                Err(_) => {
                    is_renewing = false;
                    renew_at = Instant::now() + AGAIN;
                }
            },
            errand = errands.recv(), if may_begin => match errand {
                None => break,
                Some(errand) => begin(&mut work, &hub, &engine, errand),
            },
            () = sleep_until(renew_at), if !is_renewing => {
                renew_at = Instant::now() + every;
                if let Some(hub) = hub.upgrade() {
                    is_renewing = true;
                    work.spawn(renew(hub, engine.clone()));
                }
            }
            () = sleep_until(sweep_at), if lapses.next.is_some() => {
                lapses.swept(Instant::now());
                work.spawn(sweep(engine.clone()));
            }
        }
    }
    // The last ones that have gone.
    while work.join_next().await.is_some() {}
}

fn begin(work: &mut JoinSet<Done>, hub: &Weak<Hub>, engine: &Engine, errand: Errand) {
    let (hub, engine) = (hub.clone(), engine.clone());
    match errand {
        Errand::Arrived(member) => work.spawn(async move {
            match member.upgrade() {
                None => Done::Opened,
                Some(member) => {
                    tell_ringing(&engine, &member).await;
                    open(&hub, &engine, &member).await
                }
            }
        }),
        Errand::Renamed(member) => work.spawn(async move {
            match member.upgrade() {
                None => Done::Opened,
                Some(member) => open(&hub, &engine, &member).await,
            }
        }),
        Errand::Gone(lease) => work.spawn(async move {
            close(&engine, lease).await;
            Done::Closed
        }),
    };
}

/// Takes a lease for a socket, and another one if it goes by another device meanwhile.
async fn open(hub: &Weak<Hub>, engine: &Engine, member: &Member) -> Done {
    let mut done = Done::Opened;
    while let Some((device, kind)) = member.opens() {
        let presence = engine.presence();
        match presence
            .open_socket(member.actor(), device, kind.clone())
            .await
        {
            Ok(lease) => {
                if let Some(stale) = member.opened(lease) {
                    close(engine, stale).await;
                    done = Done::Closed;
                }
            }
            Err(error) => {
                report(&error, "a socket takes its lease later");
                member.wants(kind);
                break;
            }
        }
    }
    if let Some(hub) = hub.upgrade() {
        hub.settled().notify_waiters();
    }
    done
}

async fn close(engine: &Engine, lease: LeaseId) {
    if let Err(error) = engine.presence().close_socket(lease).await {
        // It lapses by itself.
        report(&error, "a socket that is closed counts as open for a while");
    }
}

/// Renews what is open, and takes what could not be taken before.
async fn renew(hub: Arc<Hub>, engine: Engine) -> Done {
    let members = hub.members();
    let leases: Vec<_> = members.iter().filter_map(|member| member.lease()).collect();
    let mut all = true;
    if !leases.is_empty()
        && let Err(error) = engine.presence().renew_sockets(&leases).await
    {
        report(&error, "the leases of sockets are renewed later");
        all = false;
    }
    let hub = Arc::downgrade(&hub);
    for member in members.iter().filter(|member| member.is_without_lease()) {
        open(&hub, &engine, member).await;
    }
    Done::Renewed { all }
}

/// Sees to the leases that have ended, without waiting for the next turn of the job driver.
async fn sweep(engine: Engine) -> Done {
    if let Err(error) = engine.presence().sweep().await {
        // The job driver does the same.
        report(&error, "who has gone is told later");
    }
    Done::Swept
}

/// Tells a socket of the calls that ring for its user.
async fn tell_ringing(engine: &Engine, member: &Member) {
    let voice = member.voice();
    if voice == Voice::Raw {
        return;
    }
    let live = match engine.calls().live(member.actor()).await {
        Ok(live) => live,
        Err(error) => {
            report(&error, "a socket was not told what rings");
            return;
        }
    };
    for call in live {
        if call.callee.user != member.user() {
            continue;
        }
        if let Some(news) = News::of_ringing(engine, &call) {
            member.tell(&news, voice);
            ring(engine, member.actor(), call.id).await;
        }
    }
}

fn report(error: &Error, what: &'static str) {
    tracing::warn!(code = error.code.as_str(), "{what}");
}

/// When leases that were given up end.
#[derive(Debug, Default)]
struct Lapses {
    /// When the next one is looked at.
    next: Option<Instant>,
    last: Option<Instant>,
}

impl Lapses {
    fn expect(&mut self, at: Instant) {
        self.next.get_or_insert(at);
        self.last = Some(at);
    }

    fn swept(&mut self, now: Instant) {
        self.next = self.last.filter(|last| *last > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_up_later_is_looked_at_later() {
        let now = Instant::now();
        let [first, second] = [1, 3].map(|seconds| now + Duration::from_secs(seconds));
        let mut lapses = Lapses::default();
        lapses.expect(first);
        lapses.expect(second);
        assert_eq!(lapses.next, Some(first));
        lapses.swept(first);
        assert_eq!(lapses.next, Some(second));
        lapses.swept(second);
        assert_eq!(lapses.next, None);
    }
}
