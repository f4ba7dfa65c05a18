//! The limit on guessing passwords. Each test has a server of its own: the limits hold for
//! networks too, and all tests come from the same one.

use std::net::IpAddr;

use reqwest::Method;
use serde_json::json;
use telemed_tests::client::{Answer, Client};
use telemed_tests::practice::{PASSWORD, Practice, Visit};

use super::auth::without_time;

async fn guess(client: &Client, email: &str, password: &str) -> Answer {
    let body = json!({"email": email, "password": password});
    client.post("/auth/login", &body).await
}

/// A visitor from another address of the loopback network.
pub fn from_address(visit: &Visit, address: &str) -> Client {
    let address: IpAddr = address.parse().unwrap();
    let http = reqwest::Client::builder().local_address(address).no_proxy();
    Client::over(http.build().unwrap(), &visit.practice.server.base)
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_failures_close_an_account_for_a_while() {
    let visit = Visit::at(Practice::open(&[], &[]).await);
    let patient = visit.patient().await;
    let other = visit.patient().await;
    let stranger = from_address(&visit, "127.0.0.2");
    let nobody = visit.new_email();
    for email in [&patient.email, &nobody] {
        for attempt in 1..=10 {
            let answer = guess(&stranger, email, "a wrong password").await;
            assert_eq!(answer.status, 401, "attempt {attempt}: {}", answer.text());
        }
    }
    let known = guess(&stranger, &patient.email, PASSWORD).await;
    let unknown = guess(&stranger, &nobody, PASSWORD).await;
    for answer in [&known, &unknown] {
        answer.refused(429, "RATE_LIMITED");
        let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=900).contains(&wait), "{wait}");
    }
    // Whether the account exists does not show by this either.
    let mut bodies = [without_time(&known), without_time(&unknown)];
    for body in &mut bodies {
        let detail = body["detail"].as_str().unwrap();
        // The time to wait may be told in the sentence.
        body["detail"] = detail.replace(|c: char| c.is_ascii_digit(), "").into();
    }
    assert_eq!(bodies[0], bodies[1]);

    // Others sign in from there, and the owner, whose network is known, is not locked out.
    assert_eq!(guess(&stranger, &other.email, PASSWORD).await.status, 200);
    assert_eq!(
        guess(&visit.anonymous, &patient.email, PASSWORD)
            .await
            .status,
        200
    );
    // A session that is open is not touched.
    let _ = visit.of(&patient).get("/auth/profile").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_guesses_do_not_get_past_the_limit() {
    let visit = Visit::at(Practice::open(&[], &[]).await);
    let patient = visit.patient().await;
    let stranger = from_address(&visit, "127.0.0.3");
    let mut guesses = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let (stranger, email) = (stranger.clone(), patient.email.clone());
        guesses.spawn(async move { guess(&stranger, &email, "a wrong password").await.status });
    }
    let answers = guesses.join_all().await;
    let looked_at = answers.iter().filter(|status| **status == 401).count();
    let refused = answers.iter().filter(|status| **status == 429).count();
    assert_eq!((looked_at, refused), (10, 30), "{answers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_failures_close_a_network_for_a_while() {
    let visit = Visit::at(Practice::open(&[], &[]).await);
    let patient = visit.patient().await;
    let stranger = from_address(&visit, "127.0.0.4");
    // No more at once than may wait for one core to hash.
    for _ in 0..4 {
        let mut guesses = tokio::task::JoinSet::new();
        for _ in 0..25 {
            // Another account each time: no account's own limit is near.
            let (stranger, email) = (stranger.clone(), visit.new_email());
            guesses.spawn(async move { guess(&stranger, &email, "a wrong password").await.status });
        }
        let answers = guesses.join_all().await;
        assert!(answers.iter().all(|status| *status == 401), "{answers:?}");
    }
    let answer = guess(&stranger, &patient.email, PASSWORD).await;
    answer.refused(429, "RATE_LIMITED");
    assert!(answer.header("retry-after").is_some());
    let elsewhere = from_address(&visit, "127.0.0.5");
    assert_eq!(
        guess(&elsewhere, &patient.email, PASSWORD).await.status,
        200
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_proxy_the_network_is_the_one_that_the_proxy_names() {
    let forwarded = async |visit: &Visit, hops: &str, email: &str, password: &str| {
        let request = visit.anonymous.request(Method::POST, "/auth/login");
        let body = json!({"email": email, "password": password});
        let request = request.header("x-forwarded-for", hops).json(&body);
        request.send().await
    };
    let visit = Visit::at(Practice::open(&["--behind-proxy"], &[]).await);
    let patient = visit.patient().await;
    let (owner, guesser) = ("203.0.113.1", "203.0.113.2");
    let signed = forwarded(&visit, owner, &patient.email, PASSWORD).await;
    assert_eq!(signed.status, 200);
    for _ in 0..10 {
        // What a client puts before the proxy's own hop is the client's word.
        let hops = format!("{owner}, {guesser}");
        let answer = forwarded(&visit, &hops, &patient.email, "a wrong password").await;
        assert_eq!(answer.status, 401);
    }
    for (hops, status) in [
        (guesser, 429),
        ("203.0.113.1, 203.0.113.2", 429),
        (owner, 200),
        ("203.0.113.2, 203.0.113.1", 200),
    ] {
        let answer = forwarded(&visit, hops, &patient.email, PASSWORD).await;
        assert_eq!(answer.status, status, "{hops}");
    }

    // Without the option nobody's word is taken for it.
    let visit = Visit::at(Practice::open(&[], &[]).await);
    let patient = visit.patient().await;
    for number in 0..10 {
        let hops = format!("203.0.113.{number}");
        let answer = forwarded(&visit, &hops, &patient.email, "a wrong password").await;
        assert_eq!(answer.status, 401);
    }
    let answer = forwarded(&visit, "203.0.113.99", &patient.email, PASSWORD).await;
    answer.refused(429, "RATE_LIMITED");
}
