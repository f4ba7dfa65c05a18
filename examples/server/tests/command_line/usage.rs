//! What cannot work is told with exit code 2, and makes nothing.

use std::fs;

use super::place::{EMAIL, Place};

#[test]
fn what_it_does_not_know_is_a_usage_error() {
    let place = Place::new();
    for words in [
        &["--unknown"][..],
        &["unknown"],
        &["serve", "--unknown"],
        &["--listen"],
        &["--listen", "nonsense"],
        &["--listen", "127.0.0.1:99999"],
        &["admin"],
        &["admin", "create"],
        &["admin", "create", "--email", EMAIL, "--name", "x"],
        &["admin", "delete"],
        &["audit"],
        &["audit", "forge"],
        &["migrate", "--unknown"],
        &["openapi", "surplus"],
        &["--tls-cert", "only.pem", "--listen", "127.0.0.1:0"],
        &["--config", "is-not-there.toml"],
        &["--allow-origin", "no origin", "--listen", "127.0.0.1:0"],
        &[
            "--ice-server",
            "http://localhost",
            "--listen",
            "127.0.0.1:0",
        ],
        &["--ice-server", "turn:localhost", "--listen", "127.0.0.1:0"],
        &[
            "--turn-secret-file",
            "is-not-there",
            "--listen",
            "127.0.0.1:0",
        ],
        // What comes later.
        &["backup", "x"],
        &["restore", "x"],
        &["doctor"],
        &["move"],
        &["--database", "mysql://localhost", "--listen", "127.0.0.1:0"],
        &["--database", "nonsense", "--listen", "127.0.0.1:0"],
        &["migrate", "--database", "postgres:telemed"],
    ] {
        let ended = place.run(words);
        assert_eq!(
            ended.code,
            Some(2),
            "{words:?}: {} {}",
            ended.stdout,
            ended.stderr
        );
        ended.failed(2);
    }
    let left: Vec<_> = fs::read_dir(place.path()).unwrap().collect();
    assert!(left.is_empty(), "a usage error makes nothing: {left:?}");
}

#[test]
fn a_password_in_a_database_url_is_not_repeated() {
    let place = Place::new();
    for (url, code) in [
        ("mysql://user:secretword@127.0.0.1:1/telemed", 2),
        // Nobody listens there.
        ("postgres://user:secretword@127.0.0.1:1/telemed", 1),
        ("postgres://user:secretword@127.0.0.1:x/telemed", 1),
    ] {
        let ended = place.run(&["--database", url, "--listen", "127.0.0.1:0"]);
        assert!(
            !ended.failed(code).stderr.contains("secretword"),
            "{}",
            ended.stderr
        );
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    }
    let left: Vec<_> = fs::read_dir(place.path()).unwrap().collect();
    assert!(
        left.is_empty(),
        "without a database nothing is made: {left:?}"
    );
}

#[test]
fn help_and_version_succeed() {
    let place = Place::new();
    for words in [
        &["--help"][..],
        &["--version"],
        &["serve", "--help"],
        &["admin", "create", "--help"],
    ] {
        let ended = place.run(words);
        assert!(!ended.succeeded().stdout.is_empty(), "{words:?}");
    }
    let help = place.run(&["--help"]).stdout;
    for option in [
        "--listen",
        "--database",
        "--data-dir",
        "--key-dir",
        "--config",
        "--demo",
    ] {
        assert!(help.contains(option), "{option}");
    }
}

#[test]
fn a_public_address_needs_tls_or_a_proxy() {
    let place = Place::new();
    for listen in ["0.0.0.0:0", "[::]:0"] {
        let ended = place.run(&["--listen", listen]);
        assert!(
            matches!(ended.code, Some(1 | 2)),
            "{listen}: {:?}",
            ended.code
        );
        ended.failed_with(ended.code.unwrap(), "--behind-proxy");
    }
    let server = place.serve(&["--listen", "0.0.0.0:0", "--behind-proxy"]);
    server.stop();
    // Even with it, no demo.
    let other = Place::new();
    let ended = other.run(&["--listen", "0.0.0.0:0", "--behind-proxy", "--demo"]);
    assert!(matches!(ended.code, Some(1 | 2)), "{:?}", ended.code);
    ended.failed_with(ended.code.unwrap(), "demo");
}

#[test]
fn an_address_that_is_taken_is_told() {
    let place = Place::new();
    let server = place.serve(&["--listen", "127.0.0.1:0"]);
    let other = Place::new();
    let ended = other.run(&["--listen", server.address()]);
    ended.failed_with(1, "--listen");
    server.stop();
}
