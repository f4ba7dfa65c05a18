//! Hands what happens to the sockets that it concerns: one task for all of them.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde_json::Value;
use telemed_core::Engine;
use telemed_core::error::Error;
use telemed_core::id::EventId;
use telemed_core::journal::{EventKind, LoggedEvent, Subscription, SubscriptionItem};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::hub::Hub;
use super::member::Member;
use super::news::{News, Voice, ring, users};
use super::observer::Observed;

/// How often it is seen whether credentials have ended.
const ROUND: Duration = Duration::from_millis(500);
/// In so many rounds the credential of every socket is looked at again, whatever was announced.
const ROUNDS_TO_RECHECK: u64 = 6;
/// How many events are remembered, by which one that comes twice is told once.
const REMEMBERED: usize = 1024;
/// How long to wait before the bus is asked again, once it is gone.
const REST: Duration = Duration::from_secs(1);

/// Listens until the hub is dropped.
pub(super) async fn run(
    hub: Weak<Hub>,
    engine: Engine,
    observed: Observed,
    mut subscription: Subscription,
    mut alive: watch::Receiver<()>,
) {
    let mut fanout = Fanout::new(engine);
    // Before anything can be missed.
    fanout.look().await;
    let mut rounds = interval(ROUND);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let item = tokio::select! {
            biased;
            // Nothing is ever sent: it ends with the hub.
            _ = alive.changed() => return,
            _ = rounds.tick() => None,
            item = subscription.next() => Some(item),
        };
        let Some(hub) = hub.upgrade() else { return };
        match item {
            None => fanout.round(&hub).await,
            Some(Some(item)) => {
                observed.hand(&item);
                fanout.tell(&hub, item).await;
            }
            Some(None) => {
                drop(hub);
                sleep(REST).await;
                subscription = fanout.engine.subscribe().await;
                observed.hand(&SubscriptionItem::Lagged);
                fanout.lagged = true;
            }
        }
    }
}

struct Fanout {
    engine: Engine,
    /// In the order in which they were told, and to be looked up.
    told: (VecDeque<EventId>, HashSet<EventId>),
    watermark: Watermark,
    lagged: bool,
    round: u64,
}

impl Fanout {
    fn new(engine: Engine) -> Self {
        Self {
            engine,
            told: Default::default(),
            watermark: Watermark::default(),
            lagged: false,
            round: 0,
        }
    }

    async fn tell(&mut self, hub: &Arc<Hub>, item: SubscriptionItem) {
        match item {
            SubscriptionItem::Event(logged) => {
                self.watermark.told(logged.seq);
                if self.is_first(logged.event.id) {
                    self.tell_event(hub, &logged).await;
                }
            }
            SubscriptionItem::Frame(frame) => {
                if !self.is_first(frame.id) {
                    return;
                }
                let audience = Audience::of(hub.members_of(users(&frame.audience)));
                if !audience.members.is_empty() {
                    audience.tell(&News::of_frame(&frame, &audience.voices));
                }
            }
            SubscriptionItem::Lagged => {
                tracing::debug!("the bus was faster than the sockets are told");
                self.lagged = true;
            }
        }
        if std::mem::take(&mut self.lagged) {
            for member in hub.members() {
                self.reread(&member);
            }
        }
    }

    fn is_first(&mut self, id: EventId) -> bool {
        let (order, known) = &mut self.told;
        if !known.insert(id) {
            return false;
        }
        order.push_back(id);
        if order.len() > REMEMBERED
            && let Some(oldest) = order.pop_front()
        {
            known.remove(&oldest);
        }
        true
    }

    async fn tell_event(&mut self, hub: &Arc<Hub>, logged: &LoggedEvent) {
        let audience = Audience::of(hub.members_of(users(&logged.event.audience)));
        if audience.members.is_empty() {
            return;
        }
        if concerns_credentials(logged.event.kind) {
            for (member, _) in &audience.members {
                member.outbox().recheck();
            }
        }
        match News::of_event(&self.engine, logged, &audience.voices).await {
            Ok(news) => {
                audience.tell(&news);
                self.note_ringing(&audience, logged, &news);
            }
            Err(error) => {
                report(&error);
                for (member, _) in &audience.members {
                    self.reread(member);
                }
            }
        }
    }

    /// A call rings once one device of the callee was told so, whichever.
    fn note_ringing(&self, audience: &Audience, logged: &LoggedEvent, news: &News) {
        let caller = logged.event.data.get("caller_id").and_then(Value::as_i64);
        let mut members = audience.members.iter().map(|(member, _)| member);
        let told = members.find_map(|member| {
            let call = news.rings_for(member)?;
            (caller != Some(member.user().get())).then_some((member, call))
        });
        if let Some((member, call)) = told {
            let (engine, actor) = (self.engine.clone(), member.actor().clone());
            tokio::spawn(async move { ring(&engine, &actor, call).await });
        }
    }

    fn reread(&self, member: &Member) {
        // What is told from here on comes after what was missed.
        member.hold();
        member
            .outbox()
            .reread(self.watermark.safe.max(member.since()));
    }

    async fn round(&mut self, hub: &Arc<Hub>) {
        self.round = (self.round + 1) % ROUNDS_TO_RECHECK;
        let now = self.engine.now();
        for member in hub.members() {
            let is_due = member.number % ROUNDS_TO_RECHECK == self.round;
            if is_due || member.expires_at() <= now {
                member.outbox().recheck();
            }
        }
        if self.watermark.wants_look() {
            self.look().await;
        }
    }

    async fn look(&mut self) {
        match self.engine.event_cursor().await {
            Ok(newest) => self.watermark.looked(newest),
            Err(error) => report(&error),
        }
    }
}

/// Who is told, and in which voices.
struct Audience {
    members: Vec<(Arc<Member>, Voice)>,
    voices: Vec<Voice>,
}

impl Audience {
    fn of(members: Vec<Arc<Member>>) -> Self {
        let with_voice = |member: Arc<Member>| {
            let voice = member.voice();
            (member, voice)
        };
        let members: Vec<_> = members.into_iter().map(with_voice).collect();
        let mut voices = Vec::new();
        for (_, voice) in &members {
            if !voices.contains(voice) {
                voices.push(*voice);
            }
        }
        Self { members, voices }
    }

    fn tell(&self, news: &News) {
        for (member, voice) in &self.members {
            member.tell(news, *voice);
        }
    }
}

/// Up to which cursor everything was told: from there the log is read when something was missed.
///
/// Events may be told in another order than that of their cursors, so the highest that was told
/// proves nothing. But whatever the log showed at one look has been told once something beyond it
/// is told at a later one.
#[derive(Debug, Default)]
struct Watermark {
    safe: u64,
    looked: Option<u64>,
    told: u64,
    told_at_look: u64,
}

impl Watermark {
    fn told(&mut self, cursor: u64) {
        self.told = self.told.max(cursor);
    }

    fn wants_look(&self) -> bool {
        self.looked.is_none() || self.told != self.told_at_look
    }

    fn looked(&mut self, newest: u64) {
        match self.looked {
            // The first look: nobody was there to be told before.
            None => self.safe = newest,
            Some(before) if self.told >= before => self.safe = self.safe.max(before),
            Some(_) => return,
        }
        self.looked = Some(newest);
        self.told_at_look = self.told;
    }
}

/// Whether a session of the audience may have ended by it, or what its user may do has changed.
fn concerns_credentials(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::SessionEnded
            | EventKind::PasswordChanged
            | EventKind::UserDeactivated
            | EventKind::RefreshReused
            | EventKind::UserUpdated
            | EventKind::DoctorVerified
    )
}

fn report(error: &Error) {
    tracing::warn!(code = error.code.as_str(), "sockets are told later");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_safe_once_something_beyond_the_last_look_is_told() {
        let mut watermark = Watermark::default();
        assert!(watermark.wants_look());
        watermark.looked(10);
        assert_eq!(watermark.safe, 10);
        // 12 is told before 11, which may be on its way still.
        watermark.told(12);
        assert!(watermark.wants_look());
        watermark.looked(12);
        assert_eq!(watermark.safe, 10);
        assert!(!watermark.wants_look());
        watermark.told(11);
        watermark.told(13);
        watermark.looked(13);
        assert_eq!(watermark.safe, 12);
        // What was not told yet does not count as told.
        watermark.told(13);
        watermark.looked(20);
        assert_eq!(watermark.safe, 13);
        watermark.told(14);
        watermark.looked(21);
        assert_eq!(watermark.safe, 13);
    }
}
