//! The calls of the past: listed, looked at, counted.

use std::time::Duration;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use telemed_core::calls::{CallFilter, CallReference, CallSide, CallStatistics};
use telemed_core::error::Error;
use telemed_core::time::{TimeZone, Timestamp};
use telemed_core::value::{Checks, ValueError};
use utoipa::{IntoParams, ToSchema};

use super::cards::{CallDetail, CallLine};
use super::words::{call_kind, call_status};
use crate::auth::Caller;
use crate::envelope::{Place, Refusal};
use crate::extract::{Count, PathId, Query, unless_blank};
use crate::platform::Platform;
use crate::platform::envelope::Success;
use crate::platform::paging::Paging;
use crate::platform::reply::{Answer, Done, Refusals, Reply};
use crate::times::{Bound, End};

/// Rows of a page if it is not said.
const USUAL: i64 = 20;
/// Days that are counted if it is not said.
const USUAL_DAYS: u32 = 30;
/// The most days that can be asked for; `all` has no end.
const MOST_DAYS: u32 = 36_500;

/// A page of calls.
#[derive(Serialize, ToSchema)]
pub(super) struct CallsPage {
    /// The calls, the newest first.
    calls: Vec<CallLine>,
    /// How many there are.
    total: u64,
    /// How many pages there are.
    pages: u64,
    /// The page, from 1.
    current_page: u64,
}

/// Which calls to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct HistoryQuery {
    /// The page, from 1.
    #[param(value_type = Option<i64>, minimum = 1, default = 1)]
    page: Option<Count>,
    /// Rows of a page.
    #[param(value_type = Option<i64>, minimum = 1, default = 20)]
    per_page: Option<Count>,
    /// `video` or `voice`; `audio` is `voice`.
    #[param(pattern = "^(video|voice|audio)$")]
    call_type: Option<String>,
    /// The status, as the caller of this sees it: `completed` (`ended` is the same), `missed`,
    /// `declined`, `failed`, `busy`, `cancelled`, or a state while the call lasts.
    status: Option<String>,
    /// The first day, in UTC.
    #[param(example = "2026-01-01")]
    date_from: Option<String>,
    /// The last day, in UTC, which is listed too.
    #[param(example = "2026-12-31")]
    date_to: Option<String>,
    /// `incoming` or `outgoing`.
    #[param(pattern = "^(incoming|outgoing)$")]
    direction: Option<String>,
}

impl HistoryQuery {
    fn filter(self) -> Result<CallFilter, Error> {
        let mut checks = Checks::new();
        let kind = checks.optional("call_type", unless_blank(self.call_type), call_kind);
        let status = checks.optional("status", unless_blank(self.status), call_status);
        let side = unless_blank(self.direction);
        let side = checks.optional("direction", side, CallSide::parse);
        let mut bound = |field, text: Option<String>, end| {
            let bound = unless_blank(text).map(|text| Bound::new(&text, end));
            let at = bound.map(|bound| bound.instant(&mut checks, field, &TimeZone::utc()));
            at.transpose().map(Option::flatten)
        };
        let from = bound("date_from", self.date_from, End::Start)?;
        let last = bound("date_to", self.date_to, End::Close)?;
        if from.zip(last).is_some_and(|(from, last)| last < from) {
            checks.note("date_to", "must not be before date_from");
        }
        checks.finish(Some(CallFilter {
            kind,
            status,
            side,
            from,
            before: last.map(|last| last.plus(Duration::from_micros(1))),
        }))
    }
}

/// The own calls, the newest first.
#[utoipa::path(get, path = "/api/call-history", tag = "calls",
    operation_id = "list_calls",
    params(HistoryQuery),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "Calls", body = Success<CallsPage>), Refusals))]
pub(super) async fn list(
    State(state): State<Platform>,
    Caller(actor): Caller,
    reply: Reply,
    Query(query): Query<HistoryQuery>,
) -> Answer {
    let paging = Paging::of(query.page, query.per_page, USUAL)?;
    let filter = query.filter().map_err(in_query)?;
    let calls = state.engine.calls();
    let found = calls.history(&actor, filter, paging.request).await?;
    let user = actor.user_id();
    let data = CallsPage {
        calls: found
            .items
            .iter()
            .map(|row| CallLine::of(row, user))
            .collect(),
        total: found.total,
        pages: paging.pages(found.total),
        current_page: paging.page,
    };
    Ok(reply.ok(Done::Calls, data))
}

fn in_query(error: Error) -> Refusal {
    Refusal::new(Place::Query, error)
}

/// A call: for its parties and for administrators.
#[utoipa::path(get, path = "/api/call-history/{call_id}", tag = "calls",
    operation_id = "get_call",
    params(("call_id" = String, Path, description = "The call, or the id that the own client gave it")),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "The call", body = Success<CallDetail>), Refusals))]
pub(super) async fn one(
    State(state): State<Platform>,
    Caller(actor): Caller,
    reply: Reply,
    PathId(call): PathId<CallReference>,
) -> Answer {
    let row = state.engine.calls().detail(&actor, &call).await?;
    Ok(reply.ok(Done::Call, CallDetail::of(&row, actor.user_id())))
}

/// How many calls there were, and how they went.
#[derive(Serialize, ToSchema)]
pub(super) struct StatisticsLine {
    /// All of them.
    total_calls: u64,
    /// Where the two heard each other.
    completed_calls: u64,
    /// That the caller of this has missed: a busy attempt to reach him too.
    missed_calls: u64,
    /// That the callee did not want.
    declined_calls: u64,
    /// Whose devices did not find to each other.
    failed_calls: u64,
    /// That the caller of this has begun with somebody who was busy.
    busy_calls: u64,
    /// That the caller of this has begun, and that were given up.
    cancelled_calls: u64,
    /// With a picture.
    video_calls: u64,
    /// With sound alone.
    voice_calls: u64,
    /// How many seconds a completed one took on average.
    average_duration: u64,
}

impl From<CallStatistics> for StatisticsLine {
    fn from(all: CallStatistics) -> Self {
        Self {
            total_calls: all.total,
            completed_calls: all.completed,
            missed_calls: all.missed,
            declined_calls: all.declined,
            failed_calls: all.failed,
            busy_calls: all.busy,
            cancelled_calls: all.cancelled,
            video_calls: all.video,
            voice_calls: all.voice,
            average_duration: all.average_duration,
        }
    }
}

/// Which calls to count.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct StatisticsQuery {
    /// The last days: `7d`, `30d`, `90d` or any number of them, or `all`.
    #[param(pattern = "^(all|[0-9]+d)$", default = "30d")]
    period: Option<String>,
}

/// How the own calls of a period went.
#[utoipa::path(get, path = "/api/call-statistics", tag = "calls",
    operation_id = "get_call_statistics",
    params(StatisticsQuery),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "Figures", body = Success<StatisticsLine>), Refusals))]
pub(super) async fn statistics(
    State(state): State<Platform>,
    Caller(actor): Caller,
    reply: Reply,
    Query(query): Query<StatisticsQuery>,
) -> Answer {
    let mut checks = Checks::new();
    let period = checks.optional("period", unless_blank(query.period), Period::parse);
    checks.finish(Some(())).map_err(in_query)?;
    let from = period.unwrap_or_default().begin(state.engine.now());
    let all = state.engine.calls().statistics(&actor, from).await?;
    Ok(reply.ok(Done::CallStatistics, StatisticsLine::from(all)))
}

/// A span of time until now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Period {
    All,
    Days(u32),
}

impl Default for Period {
    fn default() -> Self {
        Self::Days(USUAL_DAYS)
    }
}

impl Period {
    fn parse(text: impl AsRef<str>) -> Result<Self, ValueError> {
        let text = text.as_ref().trim();
        if text == "all" {
            return Ok(Self::All);
        }
        let days = text.strip_suffix('d').filter(|days| {
            // A sign is none of ours.
            days.bytes().all(|byte| byte.is_ascii_digit())
        });
        days.and_then(|days| days.parse().ok())
            .filter(|days| (1..=MOST_DAYS).contains(days))
            .map(Self::Days)
            .ok_or_else(|| "must be all, or a number of days such as 30d".into())
    }

    /// When it begins; none without an end.
    fn begin(self, now: Timestamp) -> Option<Timestamp> {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        match self {
            Self::All => None,
            Self::Days(days) => Some(now.minus(DAY * days)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_a_number_of_days_or_all() {
        for (text, expected) in [
            ("7d", Some(Period::Days(7))),
            (" 30d ", Some(Period::Days(30))),
            ("365d", Some(Period::Days(365))),
            ("all", Some(Period::All)),
            ("0d", None),
            ("d", None),
            ("7", None),
            ("+7d", None),
            ("-7d", None),
            ("7.5d", None),
            ("7D", None),
            ("99999999999d", None),
            ("week", None),
        ] {
            assert_eq!(Period::parse(text).ok(), expected, "{text}");
        }
        let now = Timestamp::from_micros(90_000_000_000);
        let begun = Period::Days(1).begin(now);
        assert_eq!(begun, Some(Timestamp::from_micros(3_600_000_000)));
        assert_eq!(Period::All.begin(now), None);
    }
}
