//! Reads what has happened to somebody since a cursor.

use crate::actor::Actor;
use crate::engine::Engine;
use crate::error::{Code, Error};
use crate::journal::{Audience, LoggedEvent};
use crate::policy::{Action, Relation, require};

/// The most events of one answer.
const MOST: u32 = 500;

/// What has happened since a cursor.
#[derive(Clone, Debug, PartialEq)]
pub struct EventPage {
    /// The events, oldest first.
    pub events: Vec<LoggedEvent>,
    /// The cursor to go on from.
    pub next: u64,
}

impl Engine {
    /// The highest cursor that a reader can have reached by now. Whoever listens and is told of
    /// something beyond it has missed nothing up to it.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn event_cursor(&self) -> Result<u64, Error> {
        Ok(self.inner.storage().event_span().await?.newest)
    }

    /// What has happened to the actor after a cursor, oldest first. Without a cursor the answer is
    /// empty and its cursor is the present one: for a client that has just read everything else.
    ///
    /// # Errors
    /// [`Code::Gone`] for a cursor before events that are no longer kept, with the newest cursor
    /// (`newest`): read everything anew and go on from there.
    pub async fn events(
        &self,
        actor: &Actor,
        after: Option<u64>,
        limit: u32,
    ) -> Result<EventPage, Error> {
        require(actor, Action::ReadEvents, Relation::Own, || {
            Error::new(Code::Forbidden)
        })?;
        let user = actor
            .user_id()
            .ok_or_else(|| Error::new(Code::Unauthenticated))?;
        let store = self.inner.storage();
        let span = store.event_span().await?;
        let Some(after) = after else {
            return Ok(EventPage {
                events: Vec::new(),
                next: span.newest,
            });
        };
        if after < span.dropped_up_to {
            let newest = i64::try_from(span.newest).unwrap_or(i64::MAX);
            return Err(Error::new(Code::Gone).detail("newest", newest));
        }
        let audience = [Audience::User(user)];
        let limit = limit.clamp(1, MOST);
        let events = store.events_after(&audience, after, limit).await?;
        // A reader who has come to the end need not look at what concerns others again.
        let is_end = events.len() < limit as usize;
        let reached = events.last().map_or(after, |event| event.seq);
        Ok(EventPage {
            next: if is_end {
                reached.max(span.newest)
            } else {
                reached
            },
            events,
        })
    }
}
