//! The session cookie, and what pages of other sites may not do with it.

use reqwest::Method;
use serde_json::json;
use telemed_tests::practice::{PASSWORD, Visit};

use super::*;

/// `name=value` of the cookie that a login sets.
async fn session(visit: &Visit, person: &Person) -> String {
    let body = json!({"login_identifier": person.email, "password": PASSWORD});
    let answer = post(&visit.anonymous, "/auth/login", &body).await;
    let cookie = answer.header("set-cookie").expect("a cookie").to_owned();
    let words: Vec<_> = cookie
        .split(';')
        .map(|word| word.trim().to_ascii_lowercase())
        .collect();
    assert!(words.contains(&"httponly".to_owned()), "{cookie}");
    assert!(words.contains(&"samesite=lax".to_owned()), "{cookie}");
    assert!(!words.contains(&"secure".to_owned()), "{cookie}");
    assert!(words.contains(&"max-age=604800".to_owned()), "{cookie}");
    cookie.split(';').next().unwrap().to_owned()
}

const FORM: &str = "multipart/form-data; boundary=edge";

fn form(field: &str, value: &str) -> String {
    format!(
        "--edge\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n--edge--\r\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cookie_alone_needs_the_right_origin_or_the_token() {
    let visit = Visit::shared().await;
    let person = visit.patient().await;
    let cookie = session(&visit, &person).await;
    let own = visit.practice.server.base.clone();
    let with = |method, path: &str| api(&visit.anonymous, method, path).header("cookie", &cookie);
    ok(&with(Method::GET, "/auth/me").send().await, 200);
    let body = json!({"full_name": "By cookie"});
    let change = || with(Method::PUT, "/users/profile").json(&body);
    refused(&change().send().await, 403, "FORBIDDEN");
    ok(&change().header("origin", &own).send().await, 200);
    for foreign in [
        "https://evil.example",
        "null",
        "http://127.0.0.1:1",
        "http://127.0.0.1",
    ] {
        refused(
            &change().header("origin", foreign).send().await,
            403,
            "FORBIDDEN",
        );
    }
    refused(
        &change().header("x-csrftoken", "rubbish").send().await,
        403,
        "FORBIDDEN",
    );
    let csrf = ok(&with(Method::GET, "/auth/csrf").send().await, 200)["csrf_token"]
        .as_str()
        .expect("a token")
        .to_owned();
    for header in ["x-csrftoken", "x-csrf-token"] {
        ok(&change().header(header, &csrf).send().await, 200);
    }
    // Another person's token is not his.
    let other = visit.patient().await;
    let others = session(&visit, &other).await;
    let stolen = api(&visit.anonymous, Method::PUT, "/users/profile").header("cookie", &others);
    refused(
        &stolen.header("x-csrftoken", &csrf).json(&body).send().await,
        403,
        "FORBIDDEN",
    );
    // A bearer token is the only credential: a wrong one beside a good cookie is 401.
    let both = with(Method::GET, "/auth/me").header("authorization", "Bearer rubbish");
    refused(&both.send().await, 401, "UNAUTHORIZED");
    let good = api(&visit.of(&person), Method::PUT, "/users/profile").header("cookie", &cookie);
    ok(&good.json(&body).send().await, 200);
    // Booking's surface does not change the rule.
    let v1 = visit
        .anonymous
        .request(Method::POST, "/auth/logout")
        .header("cookie", &cookie);
    let v1 = v1.header("origin", "https://evil.example").send().await;
    assert!([401, 403].contains(&v1.status), "{}", v1.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_multipart_form_needs_no_token_from_the_right_origin() {
    let visit = Visit::shared().await;
    let person = visit.patient().await;
    let own = visit.practice.server.base.clone();
    let cookie = session(&visit, &person).await;
    let out = || api(&visit.anonymous, Method::POST, "/auth/logout").header("cookie", &cookie);
    let plain = form("note", "x");
    refused(
        &out().body(FORM, plain.clone()).send().await,
        403,
        "FORBIDDEN",
    );
    refused(
        &out()
            .header("origin", "https://evil.example")
            .body(FORM, plain.clone())
            .send()
            .await,
        403,
        "FORBIDDEN",
    );
    ok(
        &out().header("origin", &own).body(FORM, plain).send().await,
        200,
    );
    let ended = api(&visit.anonymous, Method::GET, "/auth/me").header("cookie", &cookie);
    refused(&ended.send().await, 401, "UNAUTHORIZED");

    // The token in the form does as well.
    let cookie = session(&visit, &person).await;
    let asked = api(&visit.anonymous, Method::GET, "/auth/csrf").header("cookie", &cookie);
    let csrf = ok(&asked.send().await, 200)["csrf_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let out = api(&visit.anonymous, Method::POST, "/auth/logout").header("cookie", &cookie);
    ok(&out.body(FORM, form("csrf_token", &csrf)).send().await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_origin_is_refused_on_every_unsafe_route() {
    let visit = Visit::shared().await;
    let person = visit.patient().await;
    let doctor = doctor_with_hours(&visit, "UTC").await;
    for who in [&person, &doctor] {
        let cookie = session(&visit, who).await;
        for (method, path) in [
            (Method::POST, "/auth/register"),
            (Method::POST, "/auth/login"),
            (Method::POST, "/auth/refresh"),
            (Method::POST, "/auth/logout"),
            (Method::POST, "/auth/change-password"),
            (Method::PUT, "/users/profile"),
            (Method::POST, "/appointments"),
            (Method::PUT, "/appointments/1"),
            (Method::DELETE, "/appointments/1"),
            (Method::PUT, "/appointments/1/cancel"),
            (Method::PUT, "/appointments/1/reschedule"),
            (Method::PUT, "/availability/schedule"),
            (Method::POST, "/availability/block-time"),
            (Method::DELETE, "/availability/unblock-time/1"),
        ] {
            for slash in ["", "/"] {
                let path = format!("{path}{slash}");
                let request =
                    api(&visit.anonymous, method.clone(), &path).header("cookie", &cookie);
                let body = json!({"login_identifier": who.email, "password": PASSWORD, "refresh_token": "x"});
                let answer = request
                    .header("origin", "https://evil.example")
                    .json(&body)
                    .send()
                    .await;
                assert_eq!(answer.status, 403, "{method} {path}: {}", answer.text());
                refused(&answer, 403, "FORBIDDEN");
                assert!(answer.header("set-cookie").is_none(), "{path}");
            }
        }
        let still = api(&visit.anonymous, Method::GET, "/auth/me").header("cookie", &cookie);
        ok(&still.send().await, 200);
    }
}
