//! How often something may be changed: a server with limits of its own, spoken to over a socket.

use reqwest::Method;
use serde_json::{Value, json};
use telemed_tests::client::{Answer, Client};
use telemed_tests::practice::{PASSWORD, Practice, Visit};

use super::guessing::from_address;

/// Four changes at once, and the next one when the tests are long over.
const LIMIT: &str = "[rate_limits]\nwrites = \"4/0.01\"\n";

/// A practice with that limit.
async fn limited() -> (Visit, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("telemed.toml");
    std::fs::write(&file, LIMIT).unwrap();
    let options = ["--config", file.to_str().unwrap()];
    (Visit::at(Practice::open(&options, &[]).await), folder)
}

/// An hour and forty minutes are to be waited for one more, less what has passed since.
#[track_caller]
fn assert_wait(answer: &Answer) {
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((5_000..=6_000).contains(&wait), "{wait}");
}

/// A refusal in the shape of the platform.
#[track_caller]
fn platform_refused(answer: &Answer) {
    super::platform::refused(answer, 429, "RATE_LIMITED");
    assert_wait(answer);
}

/// A refusal in the shape of the booking surface.
#[track_caller]
fn booking_refused(answer: &Answer) {
    answer.refused(429, "RATE_LIMITED");
    assert_wait(answer);
}

async fn rename(client: &Client) -> Answer {
    let body = json!({"full_name": "A New Name"});
    let request = client.request(Method::PUT, "//api/users/profile");
    request.json(&body).send().await
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_beyond_the_limit_are_refused_on_both_surfaces() {
    let (visit, _folder) = limited().await;
    // Each from a network of his own: visitors are counted by theirs.
    let register = async |address: &str| {
        let email = visit.new_email();
        let account = json!({"name": "x", "email": email, "password": PASSWORD, "role": "patient"});
        let client = from_address(&visit, address);
        let signed = client.post("/auth/register", &account).await.expect(201);
        client.with_token(signed["access_token"].as_str().unwrap())
    };
    let (one, two) = (register("127.0.0.11").await, register("127.0.0.12").await);
    let path = "/patients/me";
    let id = one.get(path).await.expect(200)["id"].clone();
    let profile = format!("/patients/{id}");
    // The surfaces share one count.
    for _ in 0..2 {
        assert_eq!(rename(&one).await.status, 200);
        let _ = one
            .put(&profile, &json!({"allergies": "nuts"}))
            .await
            .expect(200);
    }
    platform_refused(&rename(&one).await);
    booking_refused(&one.put(&profile, &json!({"allergies": "dust"})).await);
    // Before the body is read, and whatever is asked for.
    let large = vec![b' '; 2 << 20];
    let request = one.request(Method::PUT, "//api/users/profile");
    let _ = request.body("application/json", large).try_send().await;
    let request = one.request(Method::PUT, &profile);
    booking_refused(&request.body("text/plain", "x").send().await);
    for (method, path) in [
        (Method::POST, "//api/appointments"),
        (Method::DELETE, "//api/appointments/1"),
    ] {
        platform_refused(&one.request(method, path).send().await);
    }
    // In Arabic the codes stay.
    let request = one.request(Method::DELETE, "//api/appointments/1");
    let answer = request.header("accept-language", "ar").send().await;
    platform_refused(&answer);
    // What only reads is served, and nothing was changed.
    assert_eq!(one.get(path).await.expect(200)["allergies"], "nuts");
    // Others are not touched.
    assert_eq!(rename(&two).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn visitors_are_counted_by_their_network() {
    let (visit, _folder) = limited().await;
    let (one, two) = (
        from_address(&visit, "127.0.0.13"),
        from_address(&visit, "127.0.0.14"),
    );
    let booking = async |client: &Client| client.post("/auth/login", &json!({})).await;
    let platform = async |client: &Client| {
        let request = client.request(Method::POST, "//api/auth/login");
        request.json(&json!({})).send().await
    };
    for _ in 0..2 {
        assert_eq!(booking(&one).await.status, 422);
        assert_eq!(platform(&one).await.status, 400);
    }
    booking_refused(&booking(&one).await);
    platform_refused(&platform(&one).await);
    assert_eq!(booking(&two).await.status, 422);
    let _ = one.get("/clinics").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn guessed_passwords_are_refused_in_the_shape_of_each_surface() {
    let visit = Visit::at(Practice::open(&[], &[]).await);
    let patient = visit.patient().await;
    let stranger = from_address(&visit, "127.0.0.15");
    let guess = async |password: &str| -> Answer {
        let body = json!({"login_identifier": patient.email, "password": password});
        let request = stranger.request(Method::POST, "//api/auth/login");
        request.json(&body).send().await
    };
    for _ in 0..10 {
        super::platform::refused(&guess("a wrong password").await, 401, "UNAUTHORIZED");
    }
    let answer = guess(PASSWORD).await;
    super::platform::refused(&answer, 429, "RATE_LIMITED");
    let wait = answer
        .header("retry-after")
        .unwrap()
        .parse::<u64>()
        .unwrap();
    assert!((1..=900).contains(&wait), "{wait}");
    // It is one limit for both.
    let body: Value = json!({"email": patient.email, "password": PASSWORD});
    let answer = stranger.post("/auth/login", &body).await;
    answer.refused(429, "RATE_LIMITED");
    assert!(answer.header("retry-after").is_some());
}
