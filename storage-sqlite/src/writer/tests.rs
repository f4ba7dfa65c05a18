//! The promises of the writer, one test each, with real faults where SQLite can be made to have
//! them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod faults;
mod groups;
mod model;

use std::pin::Pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Waker};

use rusqlite::{CachedStatement, Connection};
use telemed_core::actor::ActorReference;
use telemed_core::journal::{AuditRow, Event, EventKind, LoggedEvent, Resource, Subject};
use telemed_core::store::{StoreError, StoreErrorKind, StoreResult};
use telemed_core::time::Timestamp;

use super::{GroupEnd, Verdict, WriteContext, Writer};
use crate::connection::open_writer;
use crate::failure::During;
use crate::options::SqliteOptions;

fn subject(number: i64) -> Subject {
    Subject::number(Resource::Slot, number)
}

fn audit(number: i64) -> AuditRow {
    AuditRow {
        id: uuid::Uuid::nil().into(),
        at: Timestamp::from_micros(number),
        actor: ActorReference::Operator,
        session: None,
        action: "test".to_owned(),
        subject: subject(number),
        data: serde_json::Map::new(),
    }
}

fn event(number: i64) -> LoggedEvent {
    let event = Event {
        id: uuid::Uuid::nil().into(),
        kind: EventKind::SlotCreated,
        audience: Vec::new(),
        subject: subject(number),
        at: Timestamp::from_micros(number),
        actor: ActorReference::Operator,
        data: serde_json::Map::new(),
    };
    LoggedEvent { seq: 1, event }
}

/// A number for which storing the audit rows fails.
const NO_AUDIT: i64 = 13_000;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS parent (id INTEGER PRIMARY KEY) STRICT;
    CREATE TABLE IF NOT EXISTS item (
        id INTEGER PRIMARY KEY,
        parent INTEGER REFERENCES parent (id),
        content BLOB
    ) STRICT;
    CREATE TABLE IF NOT EXISTS log (number INTEGER PRIMARY KEY AUTOINCREMENT, of INTEGER) STRICT;
";

/// Stores audit rows as `log`, and checks that what is announced can be seen by others.
struct Recorder {
    elsewhere: Connection,
    announced: Arc<Mutex<Vec<i64>>>,
}

impl GroupEnd for Recorder {
    fn before_commit(&mut self, connection: &Connection, audit: &[AuditRow]) -> StoreResult<()> {
        for row in audit {
            let number = row.subject.as_number().unwrap();
            if number == NO_AUDIT {
                return Err(StoreError::new(
                    StoreErrorKind::Internal,
                    "no audit for this one",
                ));
            }
            connection
                .execute("INSERT INTO log (of) VALUES (?1)", [number])
                .during("logging")?;
        }
        Ok(())
    }

    fn after_commit(&mut self, events: &[LoggedEvent]) {
        for event in events {
            let number = event.event.subject.as_number().unwrap();
            let seen: bool = self
                .elsewhere
                .query_row(
                    "SELECT count(*) = 1 FROM item WHERE id = ?1",
                    [number],
                    |row| row.get(0),
                )
                .unwrap();
            assert!(seen, "{number} was announced before it was committed");
            self.announced.lock().unwrap().push(number);
        }
    }
}

impl<'c> WriteContext<'c> {
    fn statement(&self, sql: &str) -> StoreResult<CachedStatement<'c>> {
        self.connection()
            .prepare_cached(sql)
            .during("preparing a statement")
    }
}

struct Workshop {
    writer: Writer,
    announced: Arc<Mutex<Vec<i64>>>,
    elsewhere: Connection,
    _folder: tempfile::TempDir,
}

impl Workshop {
    fn new() -> Self {
        Self::with_queue(256)
    }

    fn with_queue(queue: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        // What is tested here does not depend on the fsync, and without it the test is quick.
        let options = SqliteOptions {
            relaxed_durability: true,
            ..SqliteOptions::default()
        };
        let open = {
            let path = path.clone();
            Box::new(move || {
                let connection = open_writer(&path, &options)?;
                connection
                    .execute_batch(SCHEMA)
                    .during("making the tables")?;
                Ok(connection)
            })
        };
        let connection = open().unwrap();
        let announced = Arc::new(Mutex::new(Vec::new()));
        let recorder = Recorder {
            elsewhere: Connection::open(&path).unwrap(),
            announced: Arc::clone(&announced),
        };
        let writer = Writer::start(queue, connection, open, Box::new(recorder)).unwrap();
        Self {
            writer,
            announced,
            elsewhere: Connection::open(&path).unwrap(),
            _folder: folder,
        }
    }

    /// What another connection sees.
    fn items(&self) -> Vec<i64> {
        numbers(&self.elsewhere, "SELECT id FROM item ORDER BY id")
    }

    fn log(&self) -> Vec<i64> {
        numbers(&self.elsewhere, "SELECT of FROM log ORDER BY number")
    }

    fn announced(&self) -> Vec<i64> {
        self.announced.lock().unwrap().clone()
    }

    /// Keeps the writer busy, so that what is asked for meanwhile becomes one group with it.
    fn hold(&self) -> (Asked<'_, ()>, mpsc::Sender<()>) {
        let (open, gate) = mpsc::channel::<()>();
        let held = ask(self.writer.write(move |_| {
            // Only the first run waits: afterwards the sender is gone.
            let _ = gate.recv();
            Ok(Verdict::Undo(()))
        }));
        (held, open)
    }

    /// Runs these as one group, in this order, and answers in the same order.
    async fn group<T>(
        &self,
        commands: impl IntoIterator<Item = Asked<'_, T>>,
    ) -> Vec<StoreResult<T>> {
        let (held, open) = self.hold();
        // The iterator is lazy: each command gets its place in the queue here.
        let asked: Vec<_> = commands.into_iter().collect();
        drop(open);
        // The one that held the writer is of the group, and shares its fate.
        let _ = held.await;
        let mut answers = Vec::new();
        for one in asked {
            answers.push(one.await);
        }
        answers
    }

    fn add(&self, id: i64) -> Asked<'_, i64> {
        ask(self.writer.write(add(id)))
    }
}

fn numbers(connection: &Connection, sql: &str) -> Vec<i64> {
    let mut select = connection.prepare(sql).unwrap();
    select
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap()
}

type Asked<'w, T> = Pin<Box<dyn Future<Output = StoreResult<T>> + Send + 'w>>;

/// Polls once, which puts the command in the queue.
fn ask<'w, T>(write: impl Future<Output = StoreResult<T>> + Send + 'w) -> Asked<'w, T> {
    let mut asked: Asked<'w, T> = Box::pin(tokio::task::unconstrained(write));
    let polled = asked.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending(), "nobody holds the writer");
    asked
}

fn insert(context: &WriteContext<'_>, id: i64) -> StoreResult<()> {
    context
        .statement("INSERT INTO item (id) VALUES (?1)")?
        .execute([id])
        .map(drop)
        .during("adding an item")
}

/// A good command: an item, an audit row, an event.
fn add(id: i64) -> impl FnMut(&mut WriteContext<'_>) -> StoreResult<Verdict<i64>> + Send + 'static {
    move |context| {
        insert(context, id)?;
        context.audit(audit(id));
        context.announce(event(id));
        Ok(Verdict::Keep(id))
    }
}

fn kind<T: std::fmt::Debug>(answer: &StoreResult<T>) -> StoreErrorKind {
    answer.as_ref().unwrap_err().kind
}
