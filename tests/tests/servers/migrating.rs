//! Migrations that are killed, and databases that are newer than the program.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use telemed_tests::postgres::PostgresServer;
use telemed_tests::server::{ServerFolder, SharedDatabase, command};
use tokio::time::Instant;

use super::database::texts;

const ROUNDS: u32 = 16;

/// Tables, columns, constraints, indexes and functions, and what was migrated.
const SCHEMA: &str = "
    SELECT 'column ' || table_name || '.' || column_name || ' ' || data_type
    FROM information_schema.columns WHERE table_schema = current_schema()
    UNION ALL SELECT 'constraint ' || conrelid::regclass || ' ' || conname || ' '
        || pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = current_schema()::regnamespace
    UNION ALL SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = current_schema()
    UNION ALL SELECT 'function ' || oid::regprocedure || ' ' || md5(prosrc)
    FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
    ORDER BY 1";
const VERSIONS: &str = "SELECT version::TEXT FROM schema_migration ORDER BY version";
const TABLES: &str = "
    SELECT table_name::TEXT FROM information_schema.tables
    WHERE table_schema = current_schema() ORDER BY 1";

fn migrate(database: &SharedDatabase) -> Command {
    let mut migrate = command();
    migrate
        .args(["migrate", "--database", &database.url])
        .args(["--data-dir".as_ref(), database.keys().as_os_str()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    migrate
}

async fn empty(server: &Arc<PostgresServer>) -> SharedDatabase {
    let database = server.copy_of("template0").await;
    SharedDatabase::new(database.url(), database)
}

/// Killed at any time, it leaves the old schema or the new one of each step, and the next start
/// finishes it.
#[allow(clippy::print_stdout)] // When the kills came is what one needs to know of a failure.
pub async fn a_killed_migration_is_finished_by_the_next(server: Arc<PostgresServer>) {
    let reference = empty(&server).await;
    let begun = Instant::now();
    let done = migrate(&reference).output().unwrap();
    let took = begun.elapsed();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let (schema, versions) = (
        texts(&reference, SCHEMA).await,
        texts(&reference, VERSIONS).await,
    );
    assert!(schema.len() > 100, "{schema:?}");
    let mut left = Vec::new();
    for round in 0..ROUNDS {
        let database = empty(&server).await;
        let mut child = migrate(&database).spawn().unwrap();
        tokio::time::sleep(took * round / ROUNDS).await;
        child.kill().unwrap();
        child.wait().unwrap();
        // What the killed one had begun, the server undoes when it notices.
        until_alone(&database).await;
        let tables = texts(&database, TABLES).await;
        let applied = if tables.iter().any(|table| table == "schema_migration") {
            texts(&database, VERSIONS).await
        } else {
            assert!(tables.is_empty(), "half a schema: {tables:?}");
            Vec::new()
        };
        assert!(versions.starts_with(&applied), "{applied:?}");
        left.push(applied.len());
        let done = migrate(&database).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "round {round}: {said}");
        assert!(texts(&database, SCHEMA).await == schema, "round {round}");
        assert_eq!(texts(&database, VERSIONS).await, versions);
    }
    println!("a migration took {took:?}; killed ones had done so many steps: {left:?}");
    let folder = ServerFolder::of(&reference);
    folder.start(&[], &[]).stop();
}

/// Waits until nobody else is connected.
async fn until_alone(database: &SharedDatabase) {
    let others = "SELECT count(*)::TEXT FROM pg_stat_activity
                  WHERE datname = current_database() AND pid <> pg_backend_pid()";
    for _ in 0..3_000 {
        if texts(database, others).await == ["0"] {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the server does not notice that its client is gone");
}

/// A schema that a newer program has made is refused, and not touched.
pub async fn a_newer_schema_is_refused(server: Arc<PostgresServer>) {
    let database = empty(&server).await;
    assert!(migrate(&database).status().unwrap().success());
    let newer = "INSERT INTO schema_migration (version, name, checksum)
                 VALUES (9999, 'tomorrow', decode(repeat('00', 32), 'hex')) RETURNING 'x'";
    texts(&database, newer).await;
    let schema = texts(&database, SCHEMA).await;
    let folder = ServerFolder::of(&database);
    for words in [
        &["serve", "--listen", "127.0.0.1:0"][..],
        &["migrate"],
        &["audit", "verify"],
    ] {
        let ended = folder.run(words, "");
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(1), "{words:?}: {said}");
        let lines: Vec<_> = said.lines().collect();
        assert_eq!(lines.len(), 1, "{said}");
        assert!(
            lines[0].contains("9999") && lines[0].contains("newer"),
            "{said}"
        );
    }
    assert_eq!(texts(&database, SCHEMA).await, schema);
}
