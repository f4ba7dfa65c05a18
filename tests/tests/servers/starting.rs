//! Starts: on a new database, with its keys and without, and without a database.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use telemed_tests::client::Client;
use telemed_tests::postgres::PostgresServer;
use telemed_tests::practice::{Practice, Visit};
use telemed_tests::server::{Server, ServerFolder, SharedDatabase, command};

use super::database::texts;
use super::pair::{Pair, is_signed_in};

/// Servers that start at the same time.
const AT_ONCE: usize = 3;

async fn empty(server: &Arc<PostgresServer>) -> SharedDatabase {
    let database = server.copy_of("template0").await;
    SharedDatabase::new(database.url(), database)
}

/// They make the schema once and one set of keys, and each knows the tokens of the others.
pub async fn servers_that_start_at_once_share_new_keys(server: Arc<PostgresServer>) {
    for round in 0..4 {
        let database = empty(&server).await;
        let folders: Vec<_> = (0..AT_ONCE).map(|_| ServerFolder::of(&database)).collect();
        let servers: Vec<Server> = std::thread::scope(|scope| {
            let starts: Vec<_> = folders
                .iter()
                .map(|folder| scope.spawn(|| folder.start(&[], &[])))
                .collect();
            starts.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let files = std::fs::read_dir(database.keys()).unwrap();
        let mut names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["master.key", "signing.key"], "round {round}");
        folders[0].create_administrator();
        let clients: Vec<_> = servers.iter().map(|one| Client::new(&one.base)).collect();
        for client in &clients {
            use telemed_tests::practice::log_in;
            use telemed_tests::server::{ADMIN_EMAIL, ADMIN_PASSWORD};
            let token = log_in(client, ADMIN_EMAIL, ADMIN_PASSWORD).await;
            for other in &clients {
                assert!(is_signed_in(&other.with_token(&token)).await);
            }
        }
        for server in servers {
            server.stop();
        }
    }
}

/// A command on a database with these folders; its exit code and what it says.
fn run(database: &str, data: &Path, keys: &Path, words: &[&str]) -> (Option<i32>, String) {
    let ended = command()
        .args(words)
        .args(["--database", database])
        .args(["--data-dir".as_ref(), data.as_os_str()])
        .args(["--key-dir".as_ref(), keys.as_os_str()])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = [ended.stdout, ended.stderr].concat();
    (
        ended.status.code(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

/// Whether it ended with exit code 1 and one line that has these words, and shows no secret.
#[track_caller]
fn assert_failed((code, said): &(Option<i32>, String), words: &[&str]) {
    assert_eq!(*code, Some(1), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    for word in words {
        assert!(said.contains(word), "no {word:?}: {said}");
    }
    assert!(!said.contains("secretword"), "{said}");
}

/// A database is not served without its own keys, and none are made for it.
pub async fn a_database_is_not_served_without_its_keys(server: Arc<PostgresServer>) {
    let database = empty(&server).await;
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    ServerFolder::of(&database).start(&[], &[]).stop();
    let elsewhere = tempfile::tempdir().unwrap();
    let (data, keys) = (elsewhere.path().join("data"), elsewhere.path().join("keys"));
    let ended = run(&database.url, &data, &keys, &serve);
    assert_failed(&ended, &["master.key is missing"]);
    assert!(!keys.exists());

    // The keys of another installation.
    let other = empty(&server).await;
    ServerFolder::of(&other).start(&[], &[]).stop();
    let ended = run(&database.url, &data, &other.keys(), &serve);
    assert_failed(&ended, &["not the keys", "key folder"]);

    // Another signing key beside the right master key.
    std::fs::create_dir(&keys).unwrap();
    std::fs::copy(database.keys().join("master.key"), keys.join("master.key")).unwrap();
    std::fs::copy(other.keys().join("signing.key"), keys.join("signing.key")).unwrap();
    let ended = run(&database.url, &data, &keys, &serve);
    assert_failed(&ended, &["signing.key"]);
    ServerFolder::of(&database).start(&[], &[]).stop();
}

/// What cannot be reached is said in one line without the password of the address.
pub async fn a_database_that_is_not_there_is_told(server: Arc<PostgresServer>) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let database = empty(&server).await;
    let absent = database
        .url
        .replacen("/telemed_tests_", "/no_telemed_tests_", 1);
    assert_ne!(absent, database.url);
    for url in [
        "postgres://user:secretword@127.0.0.1:1/telemed",
        "postgres://user:secretword@[::1/telemed",
        "postgresql://user:secretword@127.0.0.1:1/telemed?sslmode=secretword",
        &absent,
    ] {
        for words in [
            &["serve", "--listen", "127.0.0.1:0"][..],
            &["migrate"],
            &["audit", "verify"],
        ] {
            let ended = run(url, &data, &data, words);
            assert_failed(&ended, &["the PostgreSQL database cannot be opened"]);
        }
    }
    assert!(!data.exists(), "a start without a database makes nothing");
}

/// Each server keeps its checkpoints, every one of them can check the whole trail, and so can
/// somebody who has the keys alone.
pub async fn every_server_checks_the_whole_trail(database: SharedDatabase) {
    let pair = Pair::open(database).await;
    let database = pair.database.clone();
    let (clinic, doctor) = pair.one.clinic_and_doctor().await;
    let slot = pair.one.any_slot(&doctor, clinic, 64).await;
    for number in 0..20 {
        let visit = pair.of_turn(number);
        let patient = visit.patient().await;
        visit.booked(&patient, slot).await;
    }
    // Beside servers that go on sealing.
    let elsewhere = tempfile::tempdir().unwrap();
    let folders = [&pair.one, &pair.two].map(|visit| visit.practice.folder.data());
    let verify = |data: &Path| run(&database.url, data, &database.keys(), &["audit", "verify"]);
    for data in folders
        .iter()
        .map(|path| path.as_path())
        .chain([elsewhere.path()])
    {
        let (code, said) = verify(data);
        assert_eq!(code, Some(0), "{said}");
        assert!(data.join("audit-checkpoints.log").exists());
    }
    let [one, two] = folders.each_ref().map(|data| {
        let path = data.join("server.id");
        std::fs::read_to_string(path).unwrap()
    });
    assert_ne!(one, two);
    let kept = [&pair.one, &pair.two].map(|visit| std::sync::Arc::clone(&visit.practice));
    let Pair { one, two, .. } = pair;
    drop((one, two));
    let folders_kept = kept.map(|practice| {
        let Practice { folder, server, .. } = Arc::into_inner(practice).unwrap();
        server.stop();
        folder
    });

    // One server's file is gone: that server says so, the other does not mind.
    let gone = folders[1].join("audit-checkpoints.log");
    let saved = std::fs::read(&gone).unwrap();
    std::fs::remove_file(&gone).unwrap();
    assert_failed(&verify(&folders[1]), &["checkpoints"]);
    assert_eq!(verify(&folders[0]).0, Some(0));
    std::fs::write(&gone, saved).unwrap();

    // A row that was changed is found by all.
    let change = "UPDATE audit_rows SET action = 'appointment.bock'
                  WHERE action = 'appointment.book' RETURNING 'x'";
    assert_eq!(texts(&database, change).await.len(), 20);
    for data in folders
        .iter()
        .map(|path| path.as_path())
        .chain([elsewhere.path()])
    {
        assert_failed(&verify(data), &["was changed"]);
    }
    drop(folders_kept);
}

/// A check of a database that holds nothing of ours finds no trail whole, and makes no schema.
pub async fn nothing_is_not_found_whole(server: Arc<PostgresServer>) {
    let database = empty(&server).await;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    for words in [["audit", "verify"], ["audit", "accept"]] {
        let ended = run(&database.url, &data, &data, &words);
        assert_failed(&ended, &["holds nothing"]);
    }
    let tables = "SELECT relname::TEXT FROM pg_class
                  WHERE relnamespace = current_schema()::regnamespace";
    assert!(texts(&database, tables).await.is_empty());
    assert!(!data.exists());
}

/// The first administrator is made beside servers, which know him at once.
pub async fn commands_work_beside_servers(server: Arc<PostgresServer>) {
    let database = empty(&server).await;
    let folder = ServerFolder::of(&database);
    assert_eq!(folder.run(&["migrate"], "").status.code(), Some(0));
    let server = folder.start(&[], &[]);
    drop(server);
    let visit = Visit::at(Practice::open_in(ServerFolder::of(&database), &[], &[]).await);
    let _ = visit.patient().await;
    let (code, said) = visit.practice.folder.verify_audit();
    assert_eq!(code, Some(0), "{said}");
}
