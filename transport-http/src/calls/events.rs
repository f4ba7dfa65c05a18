//! `/events`: what has happened since a cursor, for a client without a socket or after one.

use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use telemed_core::actor::Actor;
use telemed_core::error::Error;
use telemed_core::journal::{Audience, Subscription, SubscriptionItem};
use tokio::time::{Instant, sleep_until};
use utoipa::{IntoParams, ToSchema};

use crate::auth::{Caller, Credential};
use crate::extract::{Count, Query, Skip};
use crate::platform::Platform;
use crate::platform::envelope::Success;
use crate::platform::reply::{Answer, Done, Refusals, Reply};
use crate::server::Draining;
use crate::told;

/// Events of an answer if it is not said.
const USUAL: u32 = 100;
/// The most events of an answer; who asks for more gets this many.
const MOST: u32 = 500;
/// How long an answer waits at most; who asks for longer waits this long.
const LONGEST: Duration = Duration::from_secs(30);

/// Something that has happened.
#[derive(Serialize, ToSchema)]
pub(super) struct EventLine {
    /// The cursor: it rises, but has gaps. It is `feed_seq` of what a socket says.
    seq: u64,
    /// What happened, in the words of the sockets, such as `chat:message`.
    #[schema(value_type = String, example = "chat:message")]
    kind: &'static str,
    /// When.
    #[schema(format = DateTime)]
    at: String,
    /// What a socket is told.
    #[schema(value_type = Object)]
    data: Map<String, Value>,
}

/// What has happened since a cursor.
#[derive(Serialize, ToSchema)]
pub(super) struct EventsPage {
    /// The events, oldest first.
    events: Vec<EventLine>,
    /// The cursor to go on from.
    next: u64,
}

/// From where on.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct EventsQuery {
    /// The cursor. Without one only the present cursor is answered.
    #[param(value_type = Option<i64>, minimum = 0)]
    after: Option<Skip>,
    /// The most events; not more than 500 are sent at once.
    #[param(value_type = Option<i64>, minimum = 1, default = 100)]
    limit: Option<Count>,
    /// For how many seconds to wait for an event if there is none; not longer than 30.
    #[param(value_type = Option<i64>, minimum = 0, default = 0)]
    wait: Option<Skip>,
}

/// What has happened to the caller since a cursor, oldest first: messages, receipts, appointments.
#[utoipa::path(get, path = "/api/events", tag = "events",
    operation_id = "list_events",
    params(EventsQuery),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "Events", body = Success<EventsPage>),
        (status = 410, description = "Events after this cursor are no longer kept: read everything anew, and go on from `details.newest`: GONE", body = crate::platform::envelope::Failure),
        Refusals))]
pub(super) async fn list(
    State(state): State<Platform>,
    Caller(actor): Caller,
    reply: Reply,
    credential: Option<Extension<Credential>>,
    draining: Option<Extension<Draining>>,
    Query(query): Query<EventsQuery>,
) -> Answer {
    let limit = query
        .limit
        .and_then(|limit| u32::try_from(limit.get()).ok());
    let limit = match (query.limit, limit) {
        (None, _) => USUAL,
        (Some(_), limit) => limit.unwrap_or(MOST).min(MOST),
    };
    let wait = query.wait.map_or(0, |wait| wait.get().unsigned_abs());
    let until = Instant::now() + Duration::from_secs(wait).min(LONGEST);
    let after = query.after.map(|after| after.get().unsigned_abs());
    // Before the first look, so that nothing happens in between.
    let mut subscription = match wait {
        0 => None,
        _ => Some(state.engine.subscribe().await),
    };
    let stop = async {
        match draining {
            Some(Extension(draining)) => draining.begun().await,
            None => std::future::pending().await,
        }
    };
    let mut stop = std::pin::pin!(async {
        tokio::select! {
            () = sleep_until(until) => {}
            () = stop => {}
        }
    });
    let mut page = look(&state, &actor, after, limit).await?;
    while let (true, Some(subscription)) = (page.events.is_empty(), subscription.as_mut()) {
        tokio::select! {
            biased;
            heard = concerns(subscription, &actor) => if !heard { break },
            () = &mut stop => break,
        }
        page = look(&state, &actor, Some(page.next), limit).await?;
    }
    if let Some(Extension(credential)) = credential {
        // The session may have ended while this waited.
        credential.still_good().await?;
    }
    Ok(reply.ok(Done::Events, page))
}

/// What there is now after a cursor. What nobody is told of is passed over.
async fn look(
    state: &Platform,
    actor: &Actor,
    mut after: Option<u64>,
    limit: u32,
) -> Result<EventsPage, Error> {
    loop {
        let page = state.engine.events(actor, after, limit).await?;
        let told = told::in_feed(&state.engine, actor.user_id(), &page.events).await?;
        if told.is_empty() && page.events.len() == limit as usize {
            after = Some(page.next);
            continue;
        }
        let line = |(logged, told): (&telemed_core::journal::LoggedEvent, told::Told)| EventLine {
            seq: logged.seq,
            kind: told.name,
            at: logged.event.at.to_string(),
            data: told.data,
        };
        return Ok(EventsPage {
            events: told.into_iter().map(line).collect(),
            next: page.next,
        });
    }
}

/// Waits for something that is logged for the actor; `false` when nothing will come any more.
async fn concerns(subscription: &mut Subscription, actor: &Actor) -> bool {
    loop {
        match subscription.next().await {
            None => return false,
            Some(SubscriptionItem::Lagged) => return true,
            Some(SubscriptionItem::Frame(_)) => {}
            Some(SubscriptionItem::Event(logged)) => {
                let own = actor.user_id().map(Audience::User);
                if logged.event.audience.iter().any(|one| Some(*one) == own) {
                    return true;
                }
            }
        }
    }
}
