//! Where these tests take place: a database, and stores on it.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, Row};
use telemed_core::journal::{EventBus, LocalBus, Subscription, SubscriptionItem};
use telemed_storage_postgres::{PostgresOptions, PostgresStore};
use telemed_tests::Fixture;
use telemed_tests::build::World;
use telemed_tests::postgres::{PostgresDatabase, PostgresServer};
use tokio::time::{Instant, timeout};

/// How long something that has to happen may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How long nothing is waited for where nothing is to happen.
pub const SILENCE: Duration = Duration::from_millis(400);

/// A migrated database.
pub struct Place {
    pub server: Arc<PostgresServer>,
    pub database: Arc<PostgresDatabase>,
}

/// What a store is opened with: nothing here tests the disk.
pub fn options(name: &str) -> PostgresOptions {
    PostgresOptions {
        relaxed_durability: true,
        application_name: name.to_owned(),
        ..PostgresOptions::default()
    }
}

impl Place {
    pub async fn new(server: &Arc<PostgresServer>) -> Self {
        Self {
            server: Arc::clone(server),
            database: Arc::new(server.database().await),
        }
    }

    /// A store with a bus between servers; its connections have this name.
    pub async fn store(&self, name: &str) -> PostgresStore {
        self.open(&options(name)).await
    }

    pub async fn open(&self, options: &PostgresOptions) -> PostgresStore {
        PostgresStore::open(&self.database.url(), options)
            .await
            .unwrap()
    }

    /// A store that tells no other server anything.
    pub async fn silent(&self, options: &PostgresOptions) -> PostgresStore {
        self.silent_at(&self.database.url(), options).await
    }

    pub async fn silent_at(&self, url: &str, options: &PostgresOptions) -> PostgresStore {
        let bus: Arc<dyn EventBus> = Arc::new(LocalBus::default());
        PostgresStore::open_with_bus(url, options, bus)
            .await
            .unwrap()
    }

    /// Connections beside the stores.
    pub async fn beside(&self) -> Beside {
        let mut beside = Beside {
            runs: self.database.connect().await,
            watches: self.database.connect().await,
        };
        // It is never the one that gives way.
        beside.run("SET deadlock_timeout = '60s'").await;
        beside
    }

    /// Lets nobody connect any more, or everybody again.
    pub async fn allow_connections(&self, allowed: bool) {
        let url: PgConnectOptions = self.database.url().parse().unwrap();
        // Not from within, and not where new databases are copied from.
        let mut elsewhere = url.database("postgres").connect().await.unwrap();
        let name = self.database.name();
        let sql = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {allowed}");
        elsewhere.execute(AssertSqlSafe(sql)).await.unwrap();
    }
}

/// A world on a store.
pub fn world(place: &Place, store: &PostgresStore) -> World {
    let database = Arc::clone(&place.database);
    World::new(Fixture::new(Arc::new(store.clone()), store.bus(), database))
}

/// The test's own connections, of a role that may do everything: one that does something and may
/// have a transaction open, and one that looks on, which sees others only outside of one.
pub struct Beside {
    runs: PgConnection,
    watches: PgConnection,
}

impl Beside {
    /// Runs SQL, which may be several statements.
    pub async fn run(&mut self, sql: &str) {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        self.runs.execute(sql).await.unwrap();
    }

    /// Runs a statement and returns the text in its only column.
    pub async fn text(&mut self, sql: &str) -> Option<String> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        let rows = self.runs.fetch_all(sql).await.unwrap();
        rows.first()?.try_get_unchecked(0).unwrap()
    }

    /// Looks on.
    pub async fn rows(&mut self, sql: &str) -> Vec<PgRow> {
        let query = sqlx::query(AssertSqlSafe(sql.to_owned()));
        self.watches.fetch_all(query).await.unwrap()
    }

    /// The number that a statement returns.
    pub async fn number(&mut self, sql: &str) -> i64 {
        self.rows(sql).await[0].get(0)
    }

    /// Waits until a statement returns this number.
    pub async fn until(&mut self, sql: &str, expected: i64) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let number = self.number(sql).await;
            if number == expected {
                return;
            }
            assert!(Instant::now() < deadline, "{sql}: {number}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until a connection with this name waits for a lock, and returns its process.
    pub async fn blocked(&mut self, name: &str) -> i64 {
        let waiting = format!(
            "FROM pg_stat_activity WHERE application_name = '{name}'
             AND datname = current_database() AND wait_event_type = 'Lock'"
        );
        self.until(&format!("SELECT count(*) {waiting}"), 1).await;
        self.number(&format!("SELECT pid::BIGINT {waiting}")).await
    }

    /// Ends a process of the server.
    pub async fn end_process(&mut self, process: i64) {
        let sql = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid = {process}"
        );
        self.number(&sql).await;
        let left = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {process}");
        self.until(&left, 0).await;
    }

    /// Ends the connections that have this name now.
    pub async fn end(&mut self, name: &str) {
        let theirs = format!(
            "SELECT pid::BIGINT FROM pg_stat_activity
             WHERE application_name = '{name}' AND datname = current_database()"
        );
        for row in self.rows(&theirs).await {
            self.end_process(row.get(0)).await;
        }
    }

    /// Waits until no connection with this name has a transaction open.
    pub async fn nothing_is_open(&mut self, name: &str) {
        let open = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = '{name}'
             AND datname = current_database() AND state <> 'idle'"
        );
        self.until(&open, 0).await;
    }
}

/// What somebody hears next.
pub async fn next(subscription: &mut Subscription) -> SubscriptionItem {
    let next = timeout(PATIENCE, subscription.next()).await;
    next.expect("nothing is heard").expect("the bus is there")
}

/// Sees to it that somebody hears nothing for a while.
pub async fn silent(subscription: &mut Subscription) {
    let next = timeout(SILENCE, subscription.next()).await;
    assert!(next.is_err(), "something is heard: {next:?}");
}

/// Polls a future so many times and drops it; its answer, if that was enough.
pub async fn polled<F: Future>(future: F, times: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = times;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
