//! One connection: how it is set, what runs on it, and whether it can be used again.

use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, Row};
use telemed_core::journal::{LoggedEvent, Write};
use telemed_core::store::{StoreError, StoreErrorKind, StoreResult};
use uuid::Uuid;

use crate::failure::{Fault, lost, store_error};
use crate::options::PostgresOptions;

/// Statements that a connection keeps prepared; more than the store has.
const PREPARED: usize = 256;

/// How much longer than the server a caller waits for a statement, before the connection counts
/// as lost.
const GRACE: Duration = Duration::from_secs(5);

/// Work on a connection, in the words of a closure: `|connection, input| Box::pin(…)`.
///
/// It may be run more than once, each time on a connection or in a transaction of its own.
pub(crate) type Work<'c, T> = Pin<Box<dyn Future<Output = StoreResult<T>> + Send + 'c>>;

/// How the connections of a store are made.
///
/// # Errors
/// When the address is no PostgreSQL URL.
pub(crate) fn address(url: &str, options: &PostgresOptions) -> StoreResult<PgConnectOptions> {
    // The text of the error may quote the URL, and that holds a password.
    let address = PgConnectOptions::from_str(url).map_err(|_| {
        StoreError::new(
            StoreErrorKind::Internal,
            "the address of the database is no PostgreSQL URL",
        )
    })?;
    Ok(address
        .application_name(&options.application_name)
        .statement_cache_capacity(PREPARED)
        .options([
            ("default_transaction_isolation", "read committed".to_owned()),
            ("default_transaction_read_only", "off".to_owned()),
            ("statement_timeout", millis(options.statement_timeout)),
            ("lock_timeout", millis(options.lock_timeout)),
            // Nothing here waits for anybody while a transaction is open.
            (
                "idle_in_transaction_session_timeout",
                millis(options.statement_timeout),
            ),
            // Compiling a plan takes longer than running any of ours.
            ("jit", "off".to_owned()),
            // So does making one. Every statement here is found by an index whatever its values
            // are, and its plan is made once a connection, when a table may still be empty.
            ("plan_cache_mode", "force_generic_plan".to_owned()),
            ("enable_seqscan", "off".to_owned()),
            ("client_min_messages", "warning".to_owned()),
        ])
        .options(
            options
                .relaxed_durability
                .then_some(("synchronous_commit", "off")),
        )
        .disable_statement_logging())
}

fn millis(time: Duration) -> String {
    time.as_millis().to_string()
}

/// A process of PostgreSQL that serves one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backend {
    /// Its number, which another gets after it.
    pub(crate) process: i32,
    /// When it was started, in microseconds since 1970.
    pub(crate) started_at: i64,
}

/// A connection, and what is known about it.
pub(crate) struct Connection {
    inner: PgConnection,
    /// Whose connection it is: the server process, as its events name it.
    node: Uuid,
    /// Who is at the other end.
    backend: Backend,
    /// How long a statement may take, as this side measures it.
    patience: Duration,
    /// A statement was begun and has not ended: it timed out, or was dropped.
    is_busy: bool,
    is_in_transaction: bool,
    /// What the last error meant, since the last [`Connection::begin_attempt`].
    fault: Option<Fault>,
    /// Whether something may have been committed since then.
    may_have_committed: bool,
    /// What the open transaction leaves behind when it is kept, in order.
    left: Vec<Write>,
    /// What is announced once the work is done, in order.
    announced: Vec<LoggedEvent>,
    /// The events that are there if the work has taken effect.
    expected: Vec<Uuid>,
}

impl Connection {
    /// Connects.
    pub(crate) async fn open(
        address: &PgConnectOptions,
        options: &PostgresOptions,
        node: Uuid,
    ) -> Result<Self, sqlx::Error> {
        let mut inner = address.connect().await?;
        let backend = sqlx::query(
            "SELECT pid, (extract(epoch FROM backend_start) * 1000000)::BIGINT
             FROM pg_stat_activity WHERE pid = pg_backend_pid()",
        )
        .fetch_one(&mut inner)
        .await?;
        Ok(Self {
            inner,
            node,
            backend: Backend {
                process: backend.try_get(0)?,
                started_at: backend.try_get(1)?,
            },
            patience: options.statement_timeout + GRACE,
            is_busy: false,
            is_in_transaction: false,
            fault: None,
            may_have_committed: false,
            left: Vec::new(),
            announced: Vec::new(),
            expected: Vec::new(),
        })
    }

    /// Waits for statements as long as they take.
    pub(crate) fn wait_without_end(&mut self) {
        self.patience = Duration::MAX;
    }

    /// Whose connection it is.
    pub(crate) fn node(&self) -> Uuid {
        self.node
    }

    /// Whether it can be used for something else: nothing is open and nothing is on its way.
    pub(crate) fn is_whole(&self) -> bool {
        !self.is_busy && !self.is_in_transaction && self.fault != Some(Fault::Lost)
    }

    /// Forgets what was before.
    pub(crate) fn begin_attempt(&mut self) {
        self.fault = None;
        self.may_have_committed = false;
        self.left.clear();
        self.announced.clear();
        self.expected.clear();
    }

    /// What the last error of this attempt meant.
    pub(crate) fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// Whether this attempt may have changed something for good.
    pub(crate) fn may_have_committed(&self) -> bool {
        self.may_have_committed
    }

    /// Leaves behind what a write says, if the transaction is kept: before what the write of the
    /// operation itself leaves behind. Its subjects stand with their numbers.
    pub(crate) fn leave(&mut self, write: Write) {
        self.left.push(write);
    }

    /// What was read first does not hold any more, now that it is locked: the transaction is undone
    /// and decided anew.
    pub(crate) fn overtaken(&mut self) -> StoreError {
        self.fault = Some(Fault::Conflict);
        StoreError::unavailable("others came between again and again")
    }

    /// What was left, in order.
    pub(crate) fn take_left(&mut self) -> Vec<Write> {
        std::mem::take(&mut self.left)
    }

    /// Announces events once the work has succeeded and is committed.
    pub(crate) fn announce(&mut self, events: impl IntoIterator<Item = LoggedEvent>) {
        self.announced.extend(events);
    }

    /// Says which events will be there if the work takes effect, before it can: they are looked
    /// for when the connection is lost and nobody knows.
    pub(crate) fn expect(&mut self, events: impl IntoIterator<Item = Uuid>) {
        self.expected.extend(events);
    }

    /// Who was at the work, and which events are there if it has taken effect; `None` if it
    /// certainly has not, or there is none to tell it by.
    pub(crate) fn take_unknown(&mut self) -> Option<(Backend, Vec<Uuid>)> {
        let events = std::mem::take(&mut self.expected);
        (self.may_have_committed && !events.is_empty()).then_some((self.backend, events))
    }

    /// What is to be announced, in order.
    pub(crate) fn take_announced(&mut self) -> Vec<LoggedEvent> {
        std::mem::take(&mut self.announced)
    }

    /// Begins a transaction.
    pub(crate) async fn begin(&mut self) -> StoreResult<()> {
        self.is_in_transaction = true;
        self.command("beginning a transaction", "BEGIN").await
    }

    /// Commits. After an error nobody knows whether it was, if the connection was lost.
    pub(crate) async fn commit(&mut self) -> StoreResult<()> {
        if self.fault.is_some() {
            // The server would answer a COMMIT with a silent rollback.
            return Err(StoreError::new(
                StoreErrorKind::Internal,
                "a transaction went on after a failure",
            ));
        }
        self.may_have_committed = true;
        self.command("committing", "COMMIT").await?;
        self.is_in_transaction = false;
        Ok(())
    }

    /// Undoes the open transaction. A connection on which that fails is not whole.
    pub(crate) async fn roll_back(&mut self) {
        if self.is_in_transaction && !self.is_busy && self.fault != Some(Fault::Lost) {
            let before = self.fault;
            if self.command("rolling back", "ROLLBACK").await.is_ok() {
                self.is_in_transaction = false;
                self.fault = before;
            }
        }
    }

    /// Runs SQL without values, which may be several statements.
    pub(crate) async fn command(&mut self, action: &str, sql: &str) -> StoreResult<()> {
        self.is_busy = true;
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        let ended = tokio::time::timeout(self.patience, self.inner.execute(sql)).await;
        self.ended(action, ended).map(drop)
    }

    /// Runs a statement that changes rows, prepared once a connection.
    pub(crate) async fn execute(
        &mut self,
        action: &str,
        sql: &str,
        arguments: PgArguments,
    ) -> StoreResult<u64> {
        self.prepare_for(sql);
        let query = sqlx::query_with(AssertSqlSafe(sql.to_owned()), arguments);
        let ended = tokio::time::timeout(self.patience, self.inner.execute(query)).await;
        Ok(self.ended(action, ended)?.rows_affected())
    }

    /// Runs a statement that returns rows, prepared once a connection.
    pub(crate) async fn fetch(
        &mut self,
        action: &str,
        sql: &str,
        arguments: PgArguments,
    ) -> StoreResult<Vec<PgRow>> {
        self.prepare_for(sql);
        let query = sqlx::query_with(AssertSqlSafe(sql.to_owned()), arguments);
        let ended = tokio::time::timeout(self.patience, self.inner.fetch_all(query)).await;
        self.ended(action, ended)
    }

    fn prepare_for(&mut self, sql: &str) {
        // The text holds no values. Tests ask for the plan of each.
        tracing::trace!(target: "telemed_storage_postgres::statement", sql);
        self.is_busy = true;
        // Outside a transaction a statement commits by itself.
        self.may_have_committed |= !self.is_in_transaction;
    }

    /// Notes how a statement ended.
    fn ended<T>(
        &mut self,
        action: &str,
        ended: Result<sqlx::Result<T>, tokio::time::error::Elapsed>,
    ) -> StoreResult<T> {
        let (fault, error) = match ended {
            Ok(Ok(answer)) => {
                self.is_busy = false;
                return Ok(answer);
            }
            Ok(Err(error)) => {
                self.is_busy = false;
                store_error(action, &error)
            }
            Err(_) => lost(action, "the server does not answer"),
        };
        self.fault = Some(fault);
        Err(error)
    }
}
