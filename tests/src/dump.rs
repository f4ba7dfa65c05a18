//! The whole content of a store, to be compared.

use telemed_core::calls::{CallFilter, CallRow, CallTally, NamedSample};
use telemed_core::crypto::WrappedDataKey;
use telemed_core::directory::{Clinic, Doctor, StoredPatient};
use telemed_core::id::{
    AppointmentId, BlockId, CallId, ClinicId, ConversationId, SessionId, SlotId, UserId,
};
use telemed_core::identity::{PasswordHash, SessionWithUser, StoredUser};
use telemed_core::journal::{Audience, Checkpoint, ClaimedJob, Event, LoggedEvent, SealedAuditRow};
use telemed_core::messaging::{Conversation, ConversationRow, StoredMessage};
use telemed_core::page::{PageLimit, PageRequest, PageSkip};
use telemed_core::presence::{Lease, PresenceRow};
use telemed_core::scheduling::{BlockedTime, Schedule, Slot, StoredAppointment};
use telemed_core::store::Storage;
use telemed_core::time::Timestamp;

/// Everything that can be read of a store, but for idempotency keys, refresh tokens, failed logins
/// and the tokens of messages, which can only be asked for, and what was told of somebody's presence,
/// which is asked for by noting something else.
#[derive(Clone, Debug, PartialEq)]
pub struct Dump {
    /// Every user with the password's hash and the data key.
    pub users: Vec<(StoredUser, PasswordHash, Option<WrappedDataKey>)>,
    /// The sessions that were asked for.
    pub sessions: Vec<SessionWithUser>,
    /// Every clinic.
    pub clinics: Vec<Clinic>,
    /// Every doctor's profile.
    pub doctors: Vec<Doctor>,
    /// Every patient's profile.
    pub patients: Vec<StoredPatient>,
    /// Every doctor's weekly hours.
    pub schedules: Vec<Schedule>,
    /// Every blocked time.
    pub blocks: Vec<BlockedTime>,
    /// Every slot.
    pub slots: Vec<Slot>,
    /// Every appointment.
    pub appointments: Vec<StoredAppointment>,
    /// Every conversation with its key and its messages.
    pub conversations: Vec<(Conversation, Option<WrappedDataKey>, Vec<StoredMessage>)>,
    /// Everybody's list of conversations, and what of it is not put away.
    pub lists: Vec<(UserId, Vec<ConversationRow>, Vec<ConversationId>)>,
    /// Every call with its samples, the newest first.
    pub calls: Vec<(CallRow, Vec<NamedSample>)>,
    /// Everybody's calls, the newest first; what they come to; and the live ones.
    pub histories: Vec<History>,
    /// Everybody's leases, those that have lapsed too.
    pub leases: Vec<Lease>,
    /// What says of everybody whether he can be reached, by user, as if no lease had lapsed.
    pub presence: Vec<PresenceRow>,
    /// When the next lease lapses that was not noted.
    pub next_lease_lapse: Option<Timestamp>,
    /// Every event that somebody is told, in the order of their cursors.
    pub events: Vec<Event>,
    /// The audit trail; reading it seals it.
    pub audit: Vec<SealedAuditRow>,
    /// The newest checkpoint.
    pub checkpoint: Option<Checkpoint>,
    /// When the next job is due.
    pub next_job_due: Option<Timestamp>,
}

/// How many numbers in a row may be missing from a sequence: PostgreSQL leaves out up to 32 of them
/// when it is killed.
const GAP: i64 = 40;

/// Reads rows by number, from 1 on.
macro_rules! by_number {
    ($storage:expr, $read:ident, $id:ty) => {{
        let (mut rows, mut number, mut last) = (Vec::new(), 1, 0);
        while number <= last + GAP {
            if let Some(row) = $storage.$read(<$id>::from_row(number)).await.unwrap() {
                rows.push(row);
                last = number;
            }
            number += 1;
        }
        rows
    }};
}

/// Reads the whole store.
///
/// # Panics
/// When the store fails.
pub async fn dump(storage: &dyn Storage, sessions: &[SessionId]) -> Dump {
    let users = all_users(storage).await;
    let (mut doctors, mut patients, mut accounts) = (Vec::new(), Vec::new(), Vec::new());
    let mut schedules = Vec::new();
    for user in &users {
        doctors.extend(storage.doctor_by_id(user.id).await.unwrap());
        schedules.extend(storage.schedule_of_doctor(user.id).await.unwrap());
        patients.extend(storage.patient_by_id(user.id).await.unwrap());
        let account = storage.account_by_user(user.id).await.unwrap().unwrap();
        let key = storage.data_key_of_user(user.id).await.unwrap();
        accounts.push((account.user, account.password, key));
    }
    let mut known = Vec::new();
    for session in sessions {
        known.extend(storage.session_with_user(*session).await.unwrap());
    }
    let lists = lists(storage, &users).await;
    let (calls, histories) = calls(storage, &users).await;
    let (leases, presence) = presence(storage, &users).await;
    Dump {
        calls,
        histories,
        leases,
        presence,
        next_lease_lapse: storage.next_lease_lapse().await.unwrap(),
        sessions: known,
        clinics: by_number!(storage, clinic_by_id, ClinicId),
        doctors,
        patients,
        schedules,
        blocks: by_number!(storage, block_by_id, BlockId),
        slots: by_number!(storage, slot_by_id, SlotId),
        appointments: by_number!(storage, appointment_by_id, AppointmentId),
        conversations: conversations(storage, &lists).await,
        lists,
        events: events_in_span(storage, users.iter().map(|user| user.id)).await,
        audit: audit_trail(storage).await,
        checkpoint: storage.newest_checkpoint(None).await.unwrap(),
        next_job_due: storage.next_job_due().await.unwrap(),
        users: accounts,
    }
}

/// Everybody's list of conversations, and what of it is not put away.
async fn lists(
    storage: &dyn Storage,
    users: &[StoredUser],
) -> Vec<(UserId, Vec<ConversationRow>, Vec<ConversationId>)> {
    let mut lists = Vec::new();
    for user in users.iter().map(|user| user.id) {
        let page = PageRequest::newest();
        let all = storage.conversation_page(user, true, page).await.unwrap();
        let open = storage.conversation_page(user, false, page).await.unwrap();
        let open = open.items.iter().map(|row| row.conversation.id);
        lists.push((user, all.items, open.collect()));
    }
    lists
}

/// Every conversation that is in somebody's list, by id.
async fn conversations(
    storage: &dyn Storage,
    lists: &[(UserId, Vec<ConversationRow>, Vec<ConversationId>)],
) -> Vec<(Conversation, Option<WrappedDataKey>, Vec<StoredMessage>)> {
    let listed = lists.iter().flat_map(|(_, rows, _)| rows);
    let mut ids: Vec<_> = listed.map(|row| row.conversation.id).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut all = Vec::with_capacity(ids.len());
    for id in ids {
        let conversation = storage.conversation_by_id(id).await.unwrap().unwrap();
        let key = storage.data_keys(&[conversation.key]).await.unwrap().pop();
        let messages = storage.message_window(id, 1, 100_000).await.unwrap();
        all.push((conversation, key, messages));
    }
    all
}

/// A user's calls, what they come to, and which are live.
pub type History = (UserId, Vec<CallId>, Vec<CallTally>, Vec<CallId>);

/// Every call with its samples, and everybody's history.
async fn calls(
    storage: &dyn Storage,
    users: &[StoredUser],
) -> (Vec<(CallRow, Vec<NamedSample>)>, Vec<History>) {
    let mut histories = Vec::new();
    let mut all: Vec<CallRow> = Vec::new();
    for user in users.iter().map(|user| user.id) {
        let rows = call_rows(storage, user).await;
        let ids = rows.iter().map(|row| row.call.id).collect();
        let mut tallies = storage.call_tallies(user, None).await.unwrap();
        tallies.sort_by_key(|one| (one.side.as_str(), one.status.as_str(), one.kind.as_str()));
        let live = storage.live_calls_of(user).await.unwrap();
        let live = live.iter().map(|call| call.id).collect();
        histories.push((user, ids, tallies, live));
        all.extend(rows.into_iter().filter(|row| row.call.caller.user == user));
    }
    all.sort_by_key(|row| std::cmp::Reverse((row.call.initiated_at, row.call.id)));
    let mut calls = Vec::with_capacity(all.len());
    for row in all {
        let samples = storage.quality_samples(row.call.id, 100_000).await.unwrap();
        calls.push((row, samples));
    }
    (calls, histories)
}

/// All calls of a user, the newest first.
async fn call_rows(storage: &dyn Storage, user: UserId) -> Vec<CallRow> {
    let mut rows = Vec::new();
    loop {
        let skip = PageSkip::new(i64::try_from(rows.len()).unwrap()).unwrap();
        let page = PageRequest::new(skip, PageLimit::new(100).unwrap());
        let part = storage.call_page(user, &CallFilter::default(), page).await;
        let part = part.unwrap().items;
        if part.is_empty() {
            return rows;
        }
        rows.extend(part);
    }
}

/// Everybody's leases, and what says whether he can be reached, as if no lease had lapsed.
async fn presence(storage: &dyn Storage, users: &[StoredUser]) -> (Vec<Lease>, Vec<PresenceRow>) {
    let mut leases = Vec::new();
    for user in users {
        leases.extend(storage.leases_of(user.id).await.unwrap());
    }
    let users: Vec<_> = users.iter().map(|user| user.id).collect();
    let beginning = Timestamp::from_micros(i64::MIN);
    let mut rows = storage.presence_rows(&users, beginning).await.unwrap();
    rows.sort_by_key(|row| row.user);
    (leases, rows)
}

/// Every user by id.
///
/// # Panics
/// When the store fails.
pub async fn all_users(storage: &dyn Storage) -> Vec<StoredUser> {
    let mut users = Vec::new();
    loop {
        let skip = PageSkip::new(i64::try_from(users.len()).unwrap()).unwrap();
        let request = PageRequest::new(skip, PageLimit::default());
        let page = storage.user_page(None, request).await.unwrap();
        if page.items.is_empty() {
            return users;
        }
        users.extend(page.items);
    }
}

/// The events by themselves: the cursors of two stores need not be the same, but they rise.
///
/// # Panics
/// When they do not.
#[must_use]
pub fn without_cursors(logged: Vec<LoggedEvent>) -> Vec<Event> {
    let do_rise = logged.is_sorted_by(|one, next| one.seq < next.seq);
    assert!(do_rise, "the cursor does not rise");
    logged.into_iter().map(|one| one.event).collect()
}

/// Every event that one of these users is told, without cursors; the log reaches that far.
async fn events_in_span(
    storage: &dyn Storage,
    users: impl IntoIterator<Item = UserId>,
) -> Vec<Event> {
    let logged = events_of(storage, users).await;
    let span = storage.event_span().await.unwrap();
    let last = logged.last().map_or(0, |event| event.seq);
    assert!(
        last.max(span.dropped_up_to) <= span.newest,
        "a cursor beyond the newest"
    );
    without_cursors(logged)
}

/// Every event that one of these users is told.
///
/// # Panics
/// When the store fails.
pub async fn events_of(
    storage: &dyn Storage,
    users: impl IntoIterator<Item = UserId>,
) -> Vec<LoggedEvent> {
    let audiences: Vec<Audience> = users.into_iter().map(Audience::User).collect();
    storage.events_after(&audiences, 0, 100_000).await.unwrap()
}

/// Seals what is open and reads the audit trail.
///
/// # Panics
/// When the store fails.
pub async fn audit_trail(storage: &dyn Storage) -> Vec<SealedAuditRow> {
    while storage.unsealed_audit_rows().await.unwrap() > 0 {
        storage.seal_audit(1000).await.unwrap();
    }
    storage.sealed_audit_rows(0, 100_000).await.unwrap()
}

/// Claims every job that is open, for good: the store is of no use for jobs after it.
///
/// # Panics
/// When the store fails.
pub async fn open_jobs(storage: &dyn Storage) -> Vec<ClaimedJob> {
    let end_of_time = Timestamp::from_micros(i64::MAX);
    storage
        .claim_jobs(end_of_time, end_of_time, 100_000)
        .await
        .unwrap()
}
