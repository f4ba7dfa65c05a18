//! What ends a session at one server ends it at the other, and guesses are counted over both.

use std::net::IpAddr;

use reqwest::Method;
use serde_json::json;
use telemed_tests::client::Client;
use telemed_tests::practice::{PASSWORD, Person, Visit, token_of};
use telemed_tests::server::SharedDatabase;

use super::pair::{Pair, credentials, is_signed_in, platform};

/// A patient who is signed in at both servers, with the session of the registration and another.
async fn signed_in(pair: &Pair) -> (Person, [Client; 2], Client) {
    let person = pair.one.patient().await;
    let body = credentials(&person.email, PASSWORD);
    let signed = pair.two.anonymous.post("/auth/login", &body).await;
    let other = pair
        .two
        .anonymous
        .with_token(&token_of(&signed.expect(200)));
    let clients = pair.both().map(|visit| visit.of(&person));
    for client in clients.iter().chain([&other]) {
        assert!(is_signed_in(client).await);
    }
    (person, clients, other)
}

/// The next request meets it, not only a later one.
pub async fn what_ends_a_session_ends_it_everywhere(database: SharedDatabase) {
    let pair = Pair::open(database).await;

    let (_, [at_one, at_two], other) = signed_in(&pair).await;
    let left = at_one.post("/auth/logout", &json!({})).await;
    assert!(left.status < 300, "{}", left.text());
    assert!(!is_signed_in(&at_two).await, "after a logout");
    assert!(is_signed_in(&other).await, "the other session goes on");

    let (person, [at_one, at_two], other) = signed_in(&pair).await;
    let change = json!({"current_password": PASSWORD, "new_password": "another long password"});
    let path = "/auth/change-password";
    let changed = platform(&at_one, Method::POST, path, &change).await;
    assert!(changed.status < 300, "{}", changed.text());
    assert!(
        !is_signed_in(&other).await,
        "after a change of the password"
    );
    assert_eq!(
        is_signed_in(&at_one).await,
        is_signed_in(&at_two).await,
        "the session that changed it is at both what it is at one"
    );
    let old = credentials(&person.email, PASSWORD);
    let new = credentials(&person.email, "another long password");
    for visit in pair.both() {
        assert_eq!(visit.anonymous.post("/auth/login", &old).await.status, 401);
        assert_eq!(visit.anonymous.post("/auth/login", &new).await.status, 200);
    }

    let (person, clients, other) = signed_in(&pair).await;
    let path = format!("/users/{}/deactivate", person.id);
    let turned_away = pair.one.admin.post(&path, &json!({})).await;
    assert!(turned_away.status < 300, "{}", turned_away.text());
    for client in clients.iter().chain([&other]) {
        assert!(!is_signed_in(client).await, "after a deactivation");
    }
}

/// Visitors at the two servers from another address of the loopback network.
fn from_address(pair: &Pair, address: &str) -> [Client; 2] {
    let address: IpAddr = address.parse().unwrap();
    pair.both().map(|visit: &Visit| {
        let http = reqwest::Client::builder().local_address(address).no_proxy();
        Client::over(http.build().unwrap(), &visit.practice.server.base)
    })
}

/// Failures at one server count at the other, for the account and for the network.
pub async fn guesses_are_counted_over_both(database: SharedDatabase) {
    let pair = Pair::open(database).await;
    let patient = pair.one.patient().await;
    let strangers = from_address(&pair, "127.0.0.2");
    let wrong = credentials(&patient.email, "a wrong password");
    for attempt in 0..10 {
        let answer = strangers[attempt % 2].post("/auth/login", &wrong).await;
        assert_eq!(answer.status, 401, "attempt {attempt}: {}", answer.text());
    }
    let right = credentials(&patient.email, PASSWORD);
    for stranger in &strangers {
        let answer = stranger.post("/auth/login", &right).await;
        answer.refused(429, "RATE_LIMITED");
        assert!(answer.header("retry-after").is_some());
    }

    // Ten of a hundred were counted for this network; the others go to accounts of their own.
    for attempt in 10..100 {
        let wrong = credentials(&pair.one.new_email(), "a wrong password");
        let answer = strangers[attempt % 2].post("/auth/login", &wrong).await;
        assert_eq!(answer.status, 401, "attempt {attempt}: {}", answer.text());
    }
    let other = pair.two.patient().await;
    let right = credentials(&other.email, PASSWORD);
    for (stranger, neighbour) in strangers.iter().zip(from_address(&pair, "127.0.0.3")) {
        let refused = stranger.post("/auth/login", &right).await;
        refused.refused(429, "RATE_LIMITED");
        assert_eq!(neighbour.post("/auth/login", &right).await.status, 200);
    }
}

/// Changes at one server count at the other.
pub async fn rates_are_counted_over_both(database: SharedDatabase) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("telemed.toml");
    // Six at once, and the next when the test is long over.
    std::fs::write(&file, "[rate_limits]\nwrites = \"6/0.01\"\n").unwrap();
    let options = ["--config", file.to_str().unwrap()];
    let pair = Pair::with(database, &options).await;
    let register = json!({
        "name": "x", "email": pair.one.new_email(), "password": PASSWORD, "role": "patient",
    });
    let [at_one, _] = from_address(&pair, "127.0.0.4");
    let token = token_of(&at_one.post("/auth/register", &register).await.expect(201));
    let clients = pair.clients().map(|client| client.with_token(&token));
    let rename = json!({"full_name": "A New Name"});
    let change = async |number: usize| {
        let client = &clients[number % 2];
        platform(client, Method::PUT, "/users/profile", &rename).await
    };
    for number in 0..6 {
        let answer = change(number).await;
        assert_eq!(answer.status, 200, "change {number}: {}", answer.text());
    }
    for number in 0..2 {
        let answer = change(number).await;
        assert_eq!(answer.status, 429, "{}", answer.text());
        let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((5_000..=6_000).contains(&wait), "{wait}");
    }
}
