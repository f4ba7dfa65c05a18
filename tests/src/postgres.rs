//! PostgreSQL for tests: a database of its own for each case, on the server that
//! `TELEMED_POSTGRES_URL` names.
//!
//! The role of the URL has to be allowed to make databases. They are copies of one that is migrated
//! once a process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, Row};
use telemed_core::journal::LocalBus;
use telemed_storage_postgres::{PostgresOptions, PostgresStore};
use tokio::sync::OnceCell;

use crate::{Fixture, StoreUnderTest};

/// What the names of all databases of tests begin with.
const PREFIX: &str = "telemed_tests_";

/// After this time the database of a test that was killed is dropped by another.
const ABANDONED: Duration = Duration::from_secs(6 * 3600);

/// The server on which tests make their databases.
pub struct PostgresServer {
    address: PgConnectOptions,
    url: String,
    template: OnceCell<String>,
}

/// PostgreSQL, in a database of its own.
pub struct PostgresUnderTest(pub Arc<PostgresServer>);

/// A database that is dropped when this is.
pub struct PostgresDatabase {
    server: Arc<PostgresServer>,
    name: String,
}

/// Whether tests on PostgreSQL have to be run: `TELEMED_REQUIRE_POSTGRES=1`.
#[must_use]
pub fn is_required() -> bool {
    std::env::var_os("TELEMED_REQUIRE_POSTGRES").is_some_and(|value| value == "1")
}

/// Why tests on PostgreSQL cannot be run when they cannot.
pub const MISSING: &str = "TELEMED_POSTGRES_URL names no server";

impl PostgresServer {
    /// The server of `TELEMED_POSTGRES_URL`, if it is set.
    ///
    /// # Panics
    /// When it is no URL of PostgreSQL.
    #[must_use]
    pub fn of_environment() -> Option<Arc<Self>> {
        let url = std::env::var("TELEMED_POSTGRES_URL").ok()?;
        (!url.is_empty()).then(|| Self::at(&url))
    }

    /// The server behind a URL of any of its databases.
    ///
    /// # Panics
    /// When it is no URL of PostgreSQL.
    #[must_use]
    pub fn at(url: &str) -> Arc<Self> {
        Arc::new(Self {
            address: url.parse().expect("a URL of PostgreSQL"),
            url: url.to_owned(),
            template: OnceCell::new(),
        })
    }

    /// Makes a database with the newest schema and nothing in it.
    ///
    /// # Panics
    /// When the server fails.
    pub async fn database(self: &Arc<Self>) -> PostgresDatabase {
        let template = self.template.get_or_init(|| self.make_template()).await;
        self.copy_of(template).await
    }

    /// Makes a copy of a database to which nobody is connected.
    ///
    /// # Panics
    /// When the server fails.
    pub async fn copy_of(self: &Arc<Self>, template: &str) -> PostgresDatabase {
        let name = fresh_name();
        let sql = format!("CREATE DATABASE {name} TEMPLATE {template}");
        self.run(&sql).await;
        PostgresDatabase {
            server: Arc::clone(self),
            name,
        }
    }

    /// A migrated database. It is never dropped by this process, which may run tests as long as it
    /// lives; the next one that is started some hours later does it.
    async fn make_template(&self) -> String {
        self.drop_abandoned().await;
        let name = fresh_name();
        self.run(&format!("CREATE DATABASE {name}")).await;
        let url = self.url_of(&name);
        let (options, bus) = (PostgresOptions::default(), Arc::new(LocalBus::default()));
        let store = PostgresStore::open_with_bus(&url, &options, bus).await;
        drop(store.expect("a store"));
        // A connection that was closed ends at the server a moment later, and nothing can be
        // copied before.
        let mut connection = self.connect().await;
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        loop {
            let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1";
            let counted = sqlx::query(sql).bind(&name).fetch_one(&mut connection);
            if counted.await.expect("a count").get::<i64, _>(0) == 0 {
                break;
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "the template is in use"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        name
    }

    /// Drops the databases that were left by tests that were killed.
    async fn drop_abandoned(&self) {
        let mut connection = self.connect().await;
        let sql = "SELECT datname::TEXT FROM pg_database WHERE datname LIKE $1";
        let names = sqlx::query(sql)
            .bind(format!("{PREFIX}%"))
            .fetch_all(&mut connection);
        for row in names.await.expect("the databases") {
            let name: String = row.get(0);
            let made_at = name.strip_prefix(PREFIX).and_then(|rest| {
                let (seconds, _) = rest.split_once('_')?;
                seconds.parse().ok().map(Duration::from_secs)
            });
            if made_at.is_some_and(|at| at + ABANDONED < now()) {
                // Another process may be at it too, or still use it.
                let sql = format!("DROP DATABASE IF EXISTS {name}");
                let _ = connection.execute(AssertSqlSafe(sql)).await;
            }
        }
    }

    /// The URL of a database.
    fn url_of(&self, database: &str) -> String {
        let (address, parameters) = match self.url.split_once('?') {
            Some((address, parameters)) => (address, format!("?{parameters}")),
            None => (self.url.as_str(), String::new()),
        };
        let host = address.split('/').nth(2).unwrap_or_default();
        format!("postgres://{host}/{database}{parameters}")
    }

    async fn connect(&self) -> PgConnection {
        let connection = self.address.clone().disable_statement_logging();
        connection.connect().await.expect("a connection")
    }

    async fn run(&self, sql: &str) {
        let mut connection = self.connect().await;
        let sql = AssertSqlSafe(sql.to_owned());
        connection.execute(sql).await.expect("a statement");
        let _ = connection.close().await;
    }
}

impl PostgresDatabase {
    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url_of(&self.name)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A connection to it.
    ///
    /// # Panics
    /// When the server fails.
    pub async fn connect(&self) -> PgConnection {
        let address = self.server.address.clone().database(&self.name);
        let connection = address.disable_statement_logging();
        connection.connect().await.expect("a connection")
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        let (server, name) = (Arc::clone(&self.server), self.name.clone());
        // The runtime of the test may be at its end, and nobody can wait in it here.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let mut connection = server.address.connect().await.ok();
                if let Some(connection) = &mut connection {
                    // Connections that the store has closed may not have ended yet.
                    let sql = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                    let _ = connection.execute(AssertSqlSafe(sql)).await;
                }
            });
            std::io::Result::Ok(())
        });
        let _ = dropping.join();
    }
}

/// A name that says when it was made, and is nobody else's.
fn fresh_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let (seconds, process) = (now().as_secs(), std::process::id());
    format!("{PREFIX}{seconds}_{process}_{number}")
}

#[allow(
    clippy::disallowed_methods,
    reason = "a name is to tell when it was made"
)]
fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

#[async_trait]
impl StoreUnderTest for PostgresUnderTest {
    fn name(&self) -> &'static str {
        "postgres"
    }

    async fn fresh(&self) -> Fixture {
        let database = self.0.database().await;
        // Nothing here tests the disk.
        let options = PostgresOptions {
            relaxed_durability: true,
            ..PostgresOptions::default()
        };
        let store = PostgresStore::open(&database.url(), &options)
            .await
            .unwrap();
        let bus = store.bus();
        Fixture::new(Arc::new(store), bus, database)
    }
}
