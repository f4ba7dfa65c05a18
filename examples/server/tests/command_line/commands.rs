//! The commands beside `serve`.

use std::fs;

use serde_json::Value;

use super::place::{EMAIL, PASSWORD, Place, end};

#[test]
fn a_database_of_a_newer_version_or_of_something_else_is_refused() {
    let place = Place::new();
    place.install();
    let path = place.data().join("telemed.db");
    let database = rusqlite::Connection::open(&path).unwrap();
    database
        .execute_batch(
            "INSERT INTO schema_migration (version, name, checksum)
             SELECT version + 1, 'later', checksum FROM schema_migration
             ORDER BY version DESC LIMIT 1",
        )
        .unwrap();
    drop(database);
    for words in [
        &["--listen", "127.0.0.1:0"][..],
        &["migrate"],
        &["audit", "verify"],
    ] {
        place.run(words).failed_with(1, "newer");
    }

    let foreign = Place::new();
    let path = foreign.path().join("foreign.db");
    let database = rusqlite::Connection::open(&path).unwrap();
    database
        .execute_batch("CREATE TABLE songs (title TEXT)")
        .unwrap();
    drop(database);
    foreign
        .run(&["--listen", "127.0.0.1:0", "--database", "sqlite:foreign.db"])
        .failed_with(1, "");
    foreign.write("text.db", &"this is no database at all ".repeat(100));
    foreign
        .run(&["--listen", "127.0.0.1:0", "--database", "sqlite:text.db"])
        .failed_with(1, "");
    let database = rusqlite::Connection::open(&path).unwrap();
    let tables: i64 = database
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .unwrap();
    assert_eq!(tables, 1, "a foreign database is left as it is");
}

#[test]
fn the_first_administrator_comes_from_the_command_line() {
    let place = Place::new();
    let ended = place.create_administrator();
    assert!(!ended.succeeded().stdout.trim().is_empty());
    let server = place.serve(&["--listen", "127.0.0.1:0"]);
    let (status, signed) = server.log_in(EMAIL, PASSWORD);
    assert_eq!(status, 200, "{signed}");
    assert_eq!(signed["user"]["role"], "admin");
    let token = signed["access_token"].as_str().unwrap();
    let (status, users) = server.ask("GET", "/api/v1/users", token, "");
    assert_eq!((status, users.as_array().unwrap().len()), (200, 1));

    // Beside a running server, and seen by it at once.
    let words = [
        "admin",
        "create",
        "--email",
        "second@clinic.example",
        "--name",
        "م",
        "--password-stdin",
    ];
    end(place.command(&words), "another password").succeeded();
    let (status, _) = server.log_in("second@clinic.example", "another password");
    assert_eq!(status, 200);

    // The same address again, in any case.
    for email in [EMAIL, "ADMIN@CLINIC.EXAMPLE"] {
        let words = [
            "admin",
            "create",
            "--email",
            email,
            "--name",
            "x",
            "--password-stdin",
        ];
        end(place.command(&words), PASSWORD).failed_with(1, "e-mail");
    }
    for (email, name, password, word) in [
        ("no address", "x", PASSWORD, "e-mail"),
        ("x@y.example", "", PASSWORD, "name"),
        ("x@y.example", "x", "short", "password"),
        ("x@y.example", "x", "", "password"),
    ] {
        let words = [
            "admin",
            "create",
            "--email",
            email,
            "--name",
            name,
            "--password-stdin",
        ];
        let ended = end(place.command(&words), password);
        assert!(matches!(ended.code, Some(1 | 2)), "{:?}", ended.code);
        ended.failed_with(ended.code.unwrap(), word);
        assert!(password.is_empty() || !ended.stderr.contains(password));
    }
    server.stop();
}

#[test]
fn the_audit_trail_is_verified_from_the_command_line() {
    let place = Place::new();
    // Of what is not there, nothing can be said.
    place.run(&["audit", "verify"]).failed(1);
    assert!(
        !place.data().join("telemed.db").exists(),
        "to look makes nothing"
    );
    place.create_administrator().succeeded();
    let ended = place.run(&["audit", "verify"]);
    assert!(!ended.succeeded().stdout.trim().is_empty());
    let database = rusqlite::Connection::open(place.data().join("telemed.db")).unwrap();
    database
        .execute(
            "UPDATE audit_rows SET action = action || 'x' WHERE number = 1",
            [],
        )
        .unwrap();
    drop(database);
    place.run(&["audit", "verify"]).failed_with(1, "audit");
}

#[test]
fn migrate_makes_and_keeps_a_database() {
    let place = Place::new();
    place.run(&["migrate"]).succeeded();
    assert!(place.data().join("telemed.db").is_file());
    place.create_administrator().succeeded();
    place.run(&["migrate"]).succeeded();
    let server = place.serve(&["--listen", "127.0.0.1:0"]);
    assert_eq!(server.log_in(EMAIL, PASSWORD).0, 200);
    server.stop();
}

#[test]
fn openapi_prints_the_document() {
    let place = Place::new();
    let ended = place.run(&["openapi"]);
    let document: Value = serde_json::from_str(&ended.succeeded().stdout).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    assert!(document["paths"]["/api/v1/appointments/book"]["post"].is_object());
    let left: Vec<_> = fs::read_dir(place.path()).unwrap().collect();
    assert!(left.is_empty(), "to print makes nothing: {left:?}");
    let server = place.serve(&["--listen", "127.0.0.1:0"]);
    let (_, served) = server.ask("GET", "/openapi.json", "", "");
    assert_eq!(served, document);
    server.stop();
}
