//! Refusals that are given before the request's body was read leave the connection to its pool.

use reqwest::Method;
use serde_json::json;
use telemed_tests::client::Client;
use telemed_tests::practice::Visit;

/// How often each of them is sent.
const ROUNDS: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_meets_no_closed_connection_after_an_early_refusal() {
    let visit = Visit::shared().await;
    let person = visit.patient().await;
    let pool = reqwest::Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(1)
        .build()
        .unwrap();
    let anonymous = Client::over(pool, &visit.practice.server.base);
    let patient = anonymous.with_token(&person.token);
    let large = vec![b' '; (1 << 20) + 1];
    let middling = vec![b'x'; 200_000];
    for _ in 0..ROUNDS {
        for (client, path, kind, body, status) in [
            (
                &patient,
                "//api/appointments",
                "application/json",
                &large,
                413,
            ),
            (&patient, "/appointments/book", "text/plain", &middling, 415),
            (
                &anonymous,
                "/appointments/book",
                "application/json",
                &middling,
                401,
            ),
            (&patient, "/nowhere", "application/json", &middling, 404),
            (
                &patient,
                "/appointments/book",
                "application/json",
                &large,
                413,
            ),
        ] {
            let request = client.request(Method::POST, path).body(kind, body.clone());
            let answer = request.send().await;
            assert_eq!(answer.status, status, "{path}: {}", answer.text());
            assert_eq!(answer.header("connection"), None, "{path}");
            let good = patient.get("/auth/profile").await;
            assert_eq!(good.status, 200, "{}", good.text());
        }
        let refused = anonymous.post("/auth/login", &json!({})).await;
        assert_eq!(refused.status, 422, "{}", refused.text());
    }
}
