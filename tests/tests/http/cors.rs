//! What browsers on other origins are told.

use reqwest::Method;
use telemed_tests::client::{Answer, Client};
use telemed_tests::practice::{Practice, Visit};

async fn preflight(client: &Client, origin: &str, path: &str, method: &str) -> Answer {
    let request = client.request(Method::OPTIONS, path);
    let request = request
        .header("origin", origin)
        .header("access-control-request-method", method)
        .header(
            "access-control-request-headers",
            "authorization, idempotency-key",
        );
    request.send().await
}

fn words(answer: &Answer, header: &str) -> Vec<String> {
    let values = answer.headers.get_all(header).iter();
    let texts = values.map(|value| value.to_str().unwrap().to_ascii_lowercase());
    texts
        .flat_map(|text| {
            text.split(',')
                .map(|word| word.trim().to_owned())
                .collect::<Vec<_>>()
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn listed_origins_may_call_and_others_may_not() {
    let options = [
        "--allow-origin",
        "https://app.example",
        "--allow-origin",
        "http://localhost:*",
    ];
    let visit = Visit::at(Practice::open(&options, &[]).await);
    let client = &visit.anonymous;
    for origin in [
        "https://app.example",
        "http://localhost:3000",
        "http://localhost:8080",
    ] {
        for (path, method) in [
            ("/auth/login", "POST"),
            ("/appointments/book", "POST"),
            ("/patients/1", "PUT"),
            ("/slots/1", "DELETE"),
            ("/slots/", "POST"),
            ("//api/auth/login", "POST"),
            ("//api/appointments", "POST"),
            ("//api/appointments/1", "DELETE"),
            ("//api/appointments/1/reschedule/", "PUT"),
            ("//api/availability/schedule", "PUT"),
        ] {
            let answer = preflight(client, origin, path, method).await;
            assert!(
                [200, 204].contains(&answer.status),
                "{path}: {}",
                answer.text()
            );
            assert_eq!(
                answer.header("access-control-allow-origin"),
                Some(origin),
                "{path}"
            );
            assert_eq!(
                answer.header("access-control-allow-credentials"),
                Some("true")
            );
            let methods = words(&answer, "access-control-allow-methods");
            assert!(
                methods.contains(&method.to_ascii_lowercase()),
                "{path}: {methods:?}"
            );
            let headers = words(&answer, "access-control-allow-headers");
            for name in [
                "content-type",
                "authorization",
                "accept-language",
                "x-timestamp",
                "x-requested-with",
                "x-csrftoken",
                "x-csrf-token",
                "idempotency-key",
            ] {
                assert!(headers.contains(&name.to_owned()), "{name} in {headers:?}");
            }
            assert!(words(&answer, "vary").contains(&"origin".to_owned()));
        }
        // Answers and refusals alike can be read.
        for path in [
            "/clinics",
            "/auth/profile",
            "/nowhere",
            "//api/users/doctors",
            "//api/auth/me",
            "//api/nowhere",
        ] {
            let answer = client
                .request(Method::GET, path)
                .header("origin", origin)
                .send()
                .await;
            assert_eq!(
                answer.header("access-control-allow-origin"),
                Some(origin),
                "{path}"
            );
            assert_eq!(
                answer.header("access-control-allow-credentials"),
                Some("true")
            );
            let exposed = words(&answer, "access-control-expose-headers");
            for name in [
                "x-total-count",
                "retry-after",
                "etag",
                "content-disposition",
            ] {
                assert!(exposed.contains(&name.to_owned()), "{name} in {exposed:?}");
            }
            assert!(
                words(&answer, "vary").contains(&"origin".to_owned()),
                "{path}"
            );
        }
    }
    for origin in [
        "http://app.example",
        "https://app.example:8443",
        "https://app.example.evil.example",
        "https://evil.example",
        "http://localhost.evil.example:3000",
        "http://localhost:3000.evil.example",
        "https://localhost:3000",
        "null",
        "*",
    ] {
        for path in ["/auth/login", "//api/auth/login"] {
            let answer = preflight(client, origin, path, "POST").await;
            let allowed = answer.header("access-control-allow-origin");
            assert_eq!(allowed, None, "{path} {origin}");
        }
        for path in ["/clinics", "//api/users/doctors"] {
            let request = client.request(Method::GET, path);
            let answer = request.header("origin", origin).send().await;
            for header in [
                "access-control-allow-origin",
                "access-control-allow-credentials",
            ] {
                assert_eq!(answer.header(header), None, "{path} {origin}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_list_no_origin_may_call() {
    let visit = Visit::shared().await;
    let own = &visit.practice.server.base;
    for origin in ["https://app.example", "http://localhost:3000", "null", own] {
        for (post, read) in [
            ("/auth/login", "/clinics"),
            ("//api/auth/login", "//api/users/doctors"),
        ] {
            let answer = preflight(&visit.anonymous, origin, post, "POST").await;
            assert_eq!(answer.header("access-control-allow-origin"), None);
            let request = visit.anonymous.request(Method::GET, read);
            let answer = request.header("origin", origin).send().await;
            assert_eq!(
                answer.status, 200,
                "a request that is no browser's is served"
            );
            assert_eq!(answer.header("access-control-allow-origin"), None);
        }
    }
}
