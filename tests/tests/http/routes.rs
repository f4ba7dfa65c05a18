//! Every route: with and without a slash at its end, HEAD, OPTIONS, other methods; and what is no
//! route.

use reqwest::Method;
use serde_json::json;
use telemed_tests::practice::{Practice, Visit};

/// Every path of the surface with its methods; `{…}` stand for ids.
pub const ROUTES: &[(&str, &[&str])] = &[
    ("/auth/register", &["POST"]),
    ("/auth/login", &["POST"]),
    ("/auth/profile", &["GET"]),
    ("/auth/logout", &["POST"]),
    ("/users", &["GET"]),
    ("/users/{id}/activate", &["POST"]),
    ("/users/{id}/deactivate", &["POST"]),
    ("/patients/me", &["GET"]),
    ("/patients/{id}", &["GET", "PUT"]),
    ("/patients/{id}/appointments", &["GET"]),
    ("/doctors", &["GET", "POST"]),
    ("/doctors/{id}", &["GET", "PUT"]),
    ("/doctors/{id}/verify", &["POST"]),
    ("/clinics", &["GET", "POST"]),
    ("/clinics/{id}", &["GET", "PUT"]),
    ("/clinics/{id}/doctors", &["GET"]),
    ("/slots", &["GET", "POST"]),
    ("/slots/{id}", &["DELETE"]),
    ("/appointments", &["GET"]),
    ("/appointments/book", &["POST"]),
    ("/appointments/{id}", &["GET"]),
    ("/appointments/{id}/cancel", &["POST"]),
    ("/appointments/{id}/confirm", &["POST"]),
    ("/appointments/{id}/reject", &["POST"]),
    ("/appointments/{id}/complete", &["POST"]),
    ("/appointments/{id}/no-show", &["POST"]),
];

fn allowed(header: &str) -> Vec<String> {
    header
        .split(',')
        .map(|word| word.trim().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slash_at_the_end_makes_no_difference() {
    // Of its own: the lists of a shared one change between two requests.
    let visit = Visit::at(Practice::open(&[], &[]).await);
    for (path, methods) in ROUTES {
        let path = path.replace("{id}", "999999999");
        for method in *methods {
            let ask = |path: String| {
                let method = Method::from_bytes(method.as_bytes()).unwrap();
                // As nobody, so that nothing is made or changed by it.
                visit
                    .anonymous
                    .request(method, &path)
                    .json(&json!({}))
                    .send()
            };
            let plain = ask(path.clone()).await;
            let slashed = ask(format!("{path}/")).await;
            assert!(
                ![301, 302, 307, 308, 405].contains(&plain.status),
                "{method} {path}"
            );
            assert_eq!(plain.status, slashed.status, "{method} {path}/");
            let mut bodies = [plain.json(), slashed.json()];
            for body in &mut bodies {
                if let Some(fields) = body.as_object_mut() {
                    fields.remove("timestamp");
                }
            }
            assert_eq!(bodies[0], bodies[1], "{method} {path}/");
            assert_eq!(plain.header("etag"), slashed.header("etag"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_methods_are_405_with_what_is_allowed() {
    let visit = Visit::shared().await;
    for (path, methods) in ROUTES {
        let path = path.replace("{id}", "999999999");
        for other in ["GET", "POST", "PUT", "DELETE", "PATCH", "TRACE", "PURGE"] {
            if methods.contains(&other) {
                continue;
            }
            for path in [path.clone(), format!("{path}/")] {
                let method = Method::from_bytes(other.as_bytes()).unwrap();
                let answer = visit.admin.request(method, &path).send().await;
                assert_eq!(answer.status, 405, "{other} {path}: {}", answer.text());
                answer.refused(405, "METHOD_NOT_ALLOWED");
                let allow = allowed(answer.header("allow").unwrap_or_default());
                for method in *methods {
                    assert!(
                        allow.contains(&(*method).to_owned()),
                        "{other} {path}: {allow:?}"
                    );
                }
                assert!(
                    !allow.contains(&other.to_owned()),
                    "{other} {path}: {allow:?}"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn head_answers_as_get_without_a_body() {
    let visit = Visit::shared().await;
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    for path in [
        format!("/clinics/{clinic}"),
        format!("/doctors/{}", doctor.id),
        format!("/clinics/{clinic}/doctors"),
        format!("/slots?doctor_id={}", doctor.id),
        "/auth/profile".to_owned(),
        "/clinics/999999999".to_owned(),
        "/slots?limit=0".to_owned(),
    ] {
        let get = visit.admin.get(&path).await;
        let head = visit.admin.request(Method::HEAD, &path).send().await;
        assert_eq!(head.status, get.status, "{path}");
        assert!(head.bytes.is_empty(), "{path}");
        for name in ["content-type", "etag", "x-total-count", "cache-control"] {
            assert_eq!(head.header(name), get.header(name), "{name} of {path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn options_names_the_methods() {
    let visit = Visit::shared().await;
    for (path, methods) in ROUTES {
        let path = path.replace("{id}", "999999999");
        for path in [path.clone(), format!("{path}/")] {
            let answer = visit.anonymous.request(Method::OPTIONS, &path).send().await;
            assert!(
                [200, 204].contains(&answer.status),
                "{path}: {}",
                answer.text()
            );
            let allow = allowed(answer.header("allow").unwrap_or_default());
            for method in *methods {
                assert!(allow.contains(&(*method).to_owned()), "{path}: {allow:?}");
            }
            assert_eq!(
                allow.contains(&"HEAD".to_owned()),
                methods.contains(&"GET"),
                "{path}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_routes_are_404_in_json() {
    let visit = Visit::shared().await;
    for path in [
        "/nowhere",
        "/users/1",
        "/slots/1/2/3",
        "/appointments/1/approve",
        "//api/v1",
        "//api/v1/",
        "//nowhere",
        "//%2e%2e/etc/passwd",
        "//api/v1/%ff",
        "//favicon.ico",
    ] {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            // There is a route for one method of some of these paths.
            let answer = visit.anonymous.request(method.clone(), path).send().await;
            assert_eq!(answer.status, 404, "{method} {path}: {}", answer.text());
            answer.refused(404, "RESOURCE_NOT_FOUND");
        }
    }
    for path in ["//api/v2/users", "//api", "//api/", "//api/nowhere"] {
        let answer = visit.anonymous.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.json()["error_code"], "NOT_FOUND", "{path}");
        assert_eq!(answer.json()["success"], false, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_json_and_guards_browsers() {
    let visit = Visit::shared().await;
    for (path, _) in ROUTES {
        let path = path.replace("{id}", "999999999");
        let answer = visit.anonymous.get(&path).await;
        let _ = answer.json();
        assert_eq!(
            answer.header("x-content-type-options"),
            Some("nosniff"),
            "{path}"
        );
        if answer.status == 401 {
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{path}");
        }
        assert!(answer.header("server").is_none(), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_tells_how_it_is() {
    let visit = Visit::shared().await;
    for path in ["//health", "//ready"] {
        let answer = visit.anonymous.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let _ = answer.json();
    }
    let patient = visit.patient().await;
    let _ = visit.of(&patient).get("/auth/profile").await.expect(200);
    let metrics = visit.anonymous.get("//metrics").await;
    assert_eq!(metrics.status, 200);
    let text = metrics.text();
    assert!(
        text.contains("# TYPE") && text.contains("/auth/profile"),
        "{text}"
    );
    assert!(!text.contains(&patient.email) && !text.contains(&format!("/patients/{}", patient.id)));
}
