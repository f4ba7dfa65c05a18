//! A look into the database itself.

use std::sync::Arc;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Row};
use telemed_core::journal::LocalBus;
use telemed_storage_postgres::{PostgresOptions, PostgresStore};
use telemed_tests::dump::{Dump, dump};
use telemed_tests::server::SharedDatabase;

/// Runs a statement and returns the text of each row's only column.
pub async fn texts(database: &SharedDatabase, sql: &str) -> Vec<String> {
    let address: PgConnectOptions = database.url.parse().unwrap();
    let address = address.disable_statement_logging();
    let mut connection = address.connect().await.unwrap();
    let rows = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_all(&mut connection);
    let rows = rows.await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// The number that a statement counts.
pub async fn count(database: &SharedDatabase, sql: &str) -> usize {
    let sql = format!("SELECT ({sql})::TEXT");
    texts(database, &sql).await[0].parse().unwrap()
}

/// Everything that the database holds.
pub async fn whole(database: &SharedDatabase) -> Dump {
    let bus = Arc::new(LocalBus::default());
    let options = PostgresOptions::default();
    let store = PostgresStore::open_with_bus(&database.url, &options, bus).await;
    dump(&store.unwrap(), &[]).await
}
