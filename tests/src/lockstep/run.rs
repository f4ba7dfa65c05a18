//! Runs a sequence of steps on two stores at once.

use std::collections::BTreeSet;

use telemed_core::calls::QualitySample;
use telemed_core::crypto::Fingerprint;
use telemed_core::id::{CallId, ConversationId, MessageId, SessionId};
use telemed_core::identity::{GuessingLimits, LoginKeys, NewSession};
use telemed_core::journal::{ClaimedJob, IdempotencyKey, JobKind, Subject, Write};
use telemed_core::presence::Lease;
use telemed_core::time::Timestamp;

use super::operation::{KeyUse, Operation, Step};
use crate::build::{World, at, fingerprint, minutes, user_id, with_key};
use crate::dump::{dump, open_jobs};
use crate::{Fixture, invariants};

const LIMITS: GuessingLimits = GuessingLimits {
    window: minutes(60),
    per_account: 2,
    per_network: 4,
};

/// Two stores, and what the steps so far have come to.
struct Pair {
    /// Builds what both are given, over the first store.
    world: World,
    other: Fixture,
    now: i64,
    sessions: Vec<SessionId>,
    tokens: Vec<Fingerprint>,
    claimed: Vec<ClaimedJob>,
    conversations: Vec<ConversationId>,
    messages: Vec<MessageId>,
    calls: Vec<CallId>,
    samples: Vec<QualitySample>,
    leases: Vec<Lease>,
    seen: BTreeSet<String>,
}

/// Calls both stores with the same arguments; their answers must be the same.
macro_rules! both {
    ($pair:expr, $method:ident($($argument:expr),* $(,)?)) => {{
        let one = $pair.world.storage.$method($($argument),*).await;
        let other = $pair.other.storage.$method($($argument),*).await;
        let one = one.map_err(|error| error.kind);
        assert_eq!(one, other.map_err(|error| error.kind), "the stores answer differently");
        $pair.note(stringify!($method), &one);
        one.unwrap()
    }};
}

mod availability;
mod calls;
mod directory;
mod identity;
mod journal;
mod lists;
mod messaging;
mod presence;
mod scheduling;

/// Runs the steps on both stores and compares every answer, and all content at the end. Returns
/// every word of the answers behind the name of its method, such as `cancel::Illegal`: by this a
/// test can see that its steps come to something.
///
/// # Panics
/// When the stores differ, or one breaks an invariant.
pub async fn run(one: Fixture, other: Fixture, steps: &[Step]) -> BTreeSet<String> {
    let world = World::new(one);
    let mut pair = Pair {
        world,
        other,
        now: 0,
        sessions: vec![],
        tokens: vec![],
        claimed: vec![],
        conversations: vec![],
        messages: vec![],
        calls: vec![],
        samples: vec![],
        leases: vec![],
        seen: BTreeSet::new(),
    };
    for step in steps {
        pair.now += step.advance;
        pair.step(step).await;
    }
    pair.compare(steps).await;
    pair.seen
}

impl Pair {
    fn note(&mut self, method: &str, answer: &dyn std::fmt::Debug) {
        let text = format!("{answer:?}");
        let words = text.split(|c: char| !c.is_ascii_alphanumeric());
        self.seen
            .extend(words.map(|word| format!("{method}::{word}")));
    }

    fn at(&self) -> Timestamp {
        at(self.now)
    }

    /// A write that tells two users, leaves a reminder and a notice behind, and carries the key.
    fn write(&self, scope: &str, subject: Subject, key: Option<KeyUse>) -> Write {
        let mut write = self.world.write_at(self.at(), subject);
        let mut event = self.world.event(&[user_id(1), user_id(3)], subject);
        event.at = self.at();
        write.events.push(event);
        for (kind, after) in [
            (JobKind::AppointmentReminder, 20),
            (JobKind::AppointmentNotice, 0),
        ] {
            write
                .jobs
                .push(self.world.job(kind, subject, at(self.now + after)));
        }
        match key {
            Some(KeyUse { key, request }) => {
                let mut write = with_key(write, &format!("{scope} {key}"), request);
                write.audit.data.insert("keyed".into(), true.into());
                write
            }
            None => write,
        }
    }

    fn session(&mut self, place: Option<u8>) -> NewSession {
        let session = NewSession {
            refresh: Some(self.token()),
            ..self.world.new_session(place)
        };
        self.sessions.push(session.id);
        session
    }

    /// A refresh token, to be given out.
    fn token(&mut self) -> Fingerprint {
        let token = self.world.token();
        self.tokens.push(token);
        token
    }

    /// A session that was opened, or one that never was.
    fn session_at(&self, place: usize) -> SessionId {
        let unknown = SessionId::new(uuid::Uuid::max());
        self.sessions.get(place).copied().unwrap_or(unknown)
    }

    async fn step(&mut self, step: &Step) {
        use Operation as Do;
        match &step.operation {
            Do::Register { .. }
            | Do::ConcludeLogin { .. }
            | Do::LoginStanding { .. }
            | Do::Refresh { .. }
            | Do::EditUser { .. }
            | Do::EndSession { .. }
            | Do::ChangePassword { .. }
            | Do::SetActive { .. } => self.identity(step).await,
            Do::CreateClinic { .. }
            | Do::UpdateClinic { .. }
            | Do::CompleteDoctor { .. }
            | Do::VerifyDoctor { .. }
            | Do::UpdateDoctor { .. }
            | Do::UpdatePatient { .. } => self.directory(step).await,
            Do::CreateSlot { .. }
            | Do::RetireSlot { .. }
            | Do::Book { .. }
            | Do::Cancel { .. }
            | Do::ChangeStatus { .. } => self.scheduling(step).await,
            Do::Notes { .. }
            | Do::SetHours { .. }
            | Do::Publish { .. }
            | Do::Block { .. }
            | Do::Unblock { .. }
            | Do::Move { .. } => self.availability(step).await,
            Do::OpenConversation { .. }
            | Do::Send { .. }
            | Do::Mark { .. }
            | Do::Archive { .. }
            | Do::Search { .. }
            | Do::ReadMessages { .. }
            | Do::ListConversations { .. } => self.messaging(step).await,
            Do::StartCall { .. }
            | Do::AdvanceCall { .. }
            | Do::AddSample { .. }
            | Do::ReadCalls { .. } => self.calls(step).await,
            Do::PutLease { .. }
            | Do::RenewLeases { .. }
            | Do::EndLease { .. }
            | Do::NoteLapses { .. }
            | Do::DropLeases { .. }
            | Do::NoteTold { .. }
            | Do::ReadPresence { .. } => self.presence(step).await,
            Do::ClaimJobs { .. }
            | Do::FinishJob { .. }
            | Do::Record { .. }
            | Do::ClaimValue { .. }
            | Do::Purge { .. }
            | Do::Seal
            | Do::KeepCheckpoint { .. } => self.journal(step).await,
            _ => self.lists(step).await,
        }
    }

    /// Compares all that the stores contain.
    async fn compare(&mut self, steps: &[Step]) {
        both!(self, seal_audit(1_000_000));
        both!(self, unsealed_audit_rows());
        both!(self, audit_head());
        let one = dump(&*self.world.storage, &self.sessions).await;
        let other = dump(&*self.other.storage, &self.sessions).await;
        assert_eq!(one.audit, other.audit, "the audit trails differ");
        assert_eq!(one, other, "the stores differ after {} steps", steps.len());
        invariants::check(&one);
        for scope in KEYED {
            for key in 0..2 {
                let key = IdempotencyKey::new(format!("{scope} {key}")).unwrap();
                both!(self, key_record("test", &key));
            }
        }
        for user in 1..10 {
            for network in [None, Some(0), Some(1), Some(2)] {
                for own in [None, Some(0), Some(1)] {
                    let (keys, now) = (login_keys(user, network, own), self.at());
                    let account = Some(user_id(user));
                    both!(self, login_standing(&keys, account, &LIMITS, now));
                }
            }
        }
        for token in self.tokens.clone() {
            both!(self, session_of_refresh_token(token));
        }
        let jobs = open_jobs(&*self.world.storage).await;
        assert_eq!(
            jobs,
            open_jobs(&*self.other.storage).await,
            "the jobs differ"
        );
    }
}

/// What takes a key.
const KEYED: [&str; 26] = [
    "register",
    "end session",
    "activate",
    "edit user",
    "clinic",
    "update clinic",
    "doctor",
    "verify",
    "update doctor",
    "update patient",
    "slot",
    "retire",
    "book",
    "cancel",
    "status",
    "notes",
    "hours",
    "block",
    "unblock",
    "move",
    "open",
    "send",
    "mark",
    "archive",
    "call",
    "advance",
];

const ZONES: [&str; 3] = ["UTC", "Africa/Cairo", "America/New_York"];
const CITIES: [&str; 3] = ["Cairo", "CAIRO", "Aswan"];

fn login_keys(user: i64, network: Option<u8>, own: Option<u8>) -> LoginKeys {
    let account = fingerprint(u8::try_from(user).unwrap());
    LoginKeys {
        account,
        network: network.map(|place| fingerprint(100 + place)),
        session: own.map(|session| fingerprint(200 + session)),
    }
}
