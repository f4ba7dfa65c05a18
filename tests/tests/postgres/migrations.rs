//! Bringing the schema up to date.

use std::collections::BTreeSet;
use std::sync::Arc;

use sqlx::Row;
use telemed_core::actor::Role;
use telemed_core::identity::IdentityStore;
use telemed_core::journal::{EventBus, JournalStore, LocalBus};
use telemed_storage_postgres::{OpenError, PostgresStore};
use telemed_tests::build::World;
use telemed_tests::{Fixture, together};

use super::place::{Beside, Place, next, options, silent, world};

/// A place without a schema.
async fn empty(place: &Place) -> Place {
    Place {
        server: Arc::clone(&place.server),
        database: Arc::new(place.server.copy_of("template0").await),
    }
}

async fn open(place: &Place) -> Result<PostgresStore, OpenError> {
    let bus: Arc<dyn EventBus> = Arc::new(LocalBus::default());
    PostgresStore::open_with_bus(&place.database.url(), &options("one"), bus).await
}

const TABLES: &str = "SELECT relname::TEXT FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY relname";

async fn tables(beside: &mut Beside) -> BTreeSet<String> {
    let rows = beside.rows(TABLES).await;
    rows.iter().map(|row| row.get(0)).collect()
}

/// The migrations that were applied.
async fn versions(beside: &mut Beside) -> Vec<i32> {
    if !tables(beside).await.contains("schema_migration") {
        return Vec::new();
    }
    let sql = "SELECT version FROM schema_migration ORDER BY version";
    beside
        .rows(sql)
        .await
        .iter()
        .map(|row| row.get(0))
        .collect()
}

pub async fn processes_that_open_at_once_migrate_once(place: Place) {
    let newest = versions(&mut place.beside().await).await;
    assert!(newest.len() > 1, "{newest:?}");
    let place = Arc::new(empty(&place).await);
    let stores = together(6, |_| {
        let place = Arc::clone(&place);
        async move { open(&place).await.unwrap() }
    })
    .await;
    assert_eq!(versions(&mut place.beside().await).await, newest);
    world(&place, &stores[0]).patient().await;
    for store in &stores {
        store.ready().await.unwrap();
    }
}

pub async fn a_failing_migration_leaves_the_old_schema(place: Place) {
    let place = empty(&place).await;
    let mut beside = place.beside().await;
    // What a migration is to make has a name that is taken: one of the first, then one of each that
    // follows.
    for (taken, applied) in [
        ("audit_head", vec![]),
        ("appointments", vec![1]),
        ("receipts", vec![1, 2]),
        ("presence", vec![1, 2, 3]),
    ] {
        beside
            .run(&format!("CREATE TYPE {taken} AS ENUM ('taken')"))
            .await;
        let refused = open(&place).await.err();
        assert!(matches!(refused, Some(OpenError::Store(_))), "{refused:?}");
        assert_eq!(versions(&mut beside).await, applied);
        assert_eq!(tables(&mut beside).await.is_empty(), applied.is_empty());
        assert!(!tables(&mut beside).await.contains(taken));
        beside.run(&format!("DROP TYPE {taken}")).await;
    }
    let store = open(&place).await.unwrap();
    world(&place, &store).patient().await;
}

pub async fn a_killed_migration_leaves_the_old_schema_or_the_new(place: Place) {
    let whole = {
        let mut beside = place.beside().await;
        (versions(&mut beside).await, tables(&mut beside).await)
    };
    let place = empty(&place).await;
    let mut beside = place.beside().await;
    // The backend ends itself at one of the commands that make something.
    beside
        .run(
            "CREATE SEQUENCE commands;
             CREATE FUNCTION count_commands() RETURNS event_trigger LANGUAGE plpgsql AS $$
             BEGIN
                 -- What an extension makes comes and goes with it.
                 IF current_setting('application_name') = 'one' AND EXISTS
                     (SELECT FROM pg_event_trigger_ddl_commands() WHERE NOT in_extension)
                 THEN
                     IF nextval('public.commands') = 0
                     THEN PERFORM pg_terminate_backend(pg_backend_pid());
                     END IF;
                 END IF;
             END $$;
             ALTER SEQUENCE commands MINVALUE -1000;
             CREATE EVENT TRIGGER count_commands ON ddl_command_end
                 EXECUTE FUNCTION count_commands()",
        )
        .await;
    let mut states = BTreeSet::new();
    // At each of the first ones, then at some.
    let mut commands = 0;
    loop {
        commands += 1 + commands / 4;
        assert!(commands < 1000, "it is never done");
        beside
            .run(&format!("SELECT setval('commands', -{commands})"))
            .await;
        let opened = open(&place).await;
        let state = (versions(&mut beside).await, tables(&mut beside).await);
        if opened.is_ok() {
            assert_eq!(state, whole);
            break;
        }
        // What is committed is not made again: it is counted from there on.
        if !states.contains(&state) {
            commands = 0;
        }
        states.insert(state);
    }
    // Nothing, then each version with the whole of what it makes.
    let versions: Vec<_> = states
        .iter()
        .map(|(versions, _)| versions.clone())
        .collect();
    let mut expected: Vec<Vec<i32>> = Vec::new();
    for count in 0..whole.0.len() {
        expected.push(whole.0[..count].to_vec());
    }
    assert_eq!(versions, expected);
    for pair in states.iter().collect::<Vec<_>>().windows(2) {
        assert!(pair[0].1.is_subset(&pair[1].1));
    }
    let store = open(&place).await.unwrap();
    world(&place, &store).patient().await;
}

pub async fn a_newer_database_is_refused(place: Place) {
    let mut beside = place.beside().await;
    beside
        .run(
            "INSERT INTO schema_migration (version, name, checksum)
             VALUES (99, 'later', decode(repeat('00', 32), 'hex'))",
        )
        .await;
    let refused = open(&place).await.err().unwrap();
    let OpenError::Newer { found, known } = refused else {
        panic!("{refused}");
    };
    assert_eq!((found, known > 1), (99, true));
}

pub async fn a_changed_migration_is_refused(place: Place) {
    let mut beside = place.beside().await;
    beside
        .run(
            "UPDATE schema_migration SET checksum = decode(repeat('00', 32), 'hex')
             WHERE version = 2",
        )
        .await;
    let refused = open(&place).await.err();
    let is_changed = matches!(refused, Some(OpenError::Changed { version: 2 }));
    assert!(is_changed, "{refused:?}");
}

pub async fn the_database_of_another_program_is_refused(place: Place) {
    let place = empty(&place).await;
    let mut beside = place.beside().await;
    beside.run("CREATE TABLE theirs (n INTEGER)").await;
    let refused = open(&place).await.err();
    assert!(matches!(refused, Some(OpenError::Foreign)), "{refused:?}");
    assert_eq!(tables(&mut beside).await.len(), 1);
    // What an extension has brought is nobody's.
    beside
        .run("DROP TABLE theirs; CREATE EXTENSION pg_stat_statements")
        .await;
    let store = open(&place).await.unwrap();
    world(&place, &store).patient().await;
}

/// Several installations can live in one database, each in a schema of its own.
pub async fn schemas_are_apart(place: Place) {
    let place = empty(&place).await;
    let mut beside = place.beside().await;
    beside.run("CREATE SCHEMA one; CREATE SCHEMA other").await;
    let mut stores = Vec::new();
    for schema in ["one", "other"] {
        let url = place.database.url();
        let sign = if url.contains('?') { '&' } else { '?' };
        let url = format!("{url}{sign}options[search_path]={schema}");
        let store = PostgresStore::open(&url, &options(schema)).await.unwrap();
        let database = Arc::clone(&place.database);
        let fixture = Fixture::new(Arc::new(store.clone()), store.bus(), database);
        stores.push((store, World::new(fixture)));
    }
    let mut at_other = stores[1].0.bus().subscribe().await;
    for (store, world) in &stores {
        let user = world.user(Role::Patient).await;
        assert_eq!(user.id.get(), 1, "each counts for itself");
        assert!(store.user_by_id(user.id).await.unwrap().is_some());
    }
    assert!(tables(&mut beside).await.is_empty());
    let (_, world) = &stores[0];
    let frame = |number| telemed_core::journal::Frame {
        signal: None,
        id: telemed_core::id::EventId::new(uuid::Uuid::from_u128(number)),
        kind: telemed_core::journal::FrameKind::Typing,
        audience: Vec::new(),
        data: serde_json::Map::new(),
    };
    world.bus().pass(frame(1));
    silent(&mut at_other).await;
    stores[1].1.bus().pass(frame(2));
    next(&mut at_other).await;
}
