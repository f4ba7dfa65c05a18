//! A server to try things on.

use std::fs;

use super::place::Place;

/// E-mail addresses and passwords of a line that shows a login.
fn logins(stderr: &str) -> Vec<(String, String)> {
    let words = stderr
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut logins = Vec::new();
    for words in words {
        if let Some(at) = words.iter().position(|word| word.contains('@')) {
            let clean = |word: &str| word.trim_matches([',', '`', '"', '(', ')']).to_owned();
            for password in words.iter().skip(at + 1) {
                logins.push((clean(words[at]), clean(password)));
            }
        }
    }
    logins
}

#[test]
fn the_demo_fills_an_empty_database_and_shows_its_logins() {
    let place = Place::new();
    let words = ["--demo", "--listen", "127.0.0.1:0"];
    let mut seen = Vec::new();
    for _ in 0..2 {
        // Again on each start.
        let server = place.serve(&words);
        let (_, doctors) = server.ask("GET", "/api/v1/doctors", "", "");
        assert!(doctors.as_array().unwrap().len() >= 2, "{doctors}");
        let (_, slots) = server.ask("GET", "/api/v1/slots", "", "");
        assert!(!slots.as_array().unwrap().is_empty());
        let (_, clinics) = server.ask("GET", "/api/v1/clinics", "", "");
        seen.push(clinics.as_array().unwrap().len());
        server.stop();
    }
    assert_eq!(seen, [1, 1], "it is not filled twice");
    let server = place.serve(&words);
    let address = server.address().to_owned();
    let shown = logins(&server.stop());
    assert!(!shown.is_empty());
    let server = place.serve(&["--listen", &address]);
    let mut roles: Vec<String> = Vec::new();
    for (email, password) in &shown {
        if let (200, signed) = server.log_in(email, password) {
            roles.push(signed["user"]["role"].as_str().unwrap().to_owned());
        }
    }
    roles.sort();
    roles.dedup();
    assert_eq!(roles, ["admin", "doctor", "patient"], "{shown:?}");
    server.stop();
}

#[test]
fn the_demo_refuses_a_database_that_is_not_its_own() {
    let place = Place::new();
    place.create_administrator().succeeded();
    let before = fs::read(place.data().join("telemed.db")).unwrap();
    place
        .run(&["--demo", "--listen", "127.0.0.1:0"])
        .failed_with(1, "demo");
    assert_eq!(fs::read(place.data().join("telemed.db")).unwrap(), before);
}

#[test]
fn nothing_is_kept_in_memory_only() {
    let place = Place::new();
    let server = place.serve(&["--database", "memory:", "--demo", "--listen", "127.0.0.1:0"]);
    let (status, doctors) = server.ask("GET", "/api/v1/doctors", "", "");
    assert_eq!(status, 200);
    assert!(!doctors.as_array().unwrap().is_empty());
    server.stop();
    assert!(!place.data().join("telemed.db").exists());
}
