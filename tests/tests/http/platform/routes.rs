//! Every route, as the server's own document names them.

use reqwest::Method;
use serde_json::json;
use telemed_tests::practice::Visit;

use super::*;

/// The paths under `/api` with an id that nobody has, and their methods.
async fn routes(visit: &Visit) -> Vec<(String, Vec<Method>)> {
    let document = visit.anonymous.get("//openapi.json").await.expect(200);
    let mut routes = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        let Some(path) = path
            .strip_prefix("/api")
            .filter(|path| !path.starts_with("/v1"))
        else {
            continue;
        };
        let words = path.split('/').map(|word| match word.starts_with('{') {
            true => "999999999",
            false => word,
        });
        let methods = operations.as_object().unwrap().keys();
        let methods = methods.filter_map(|name| name.to_ascii_uppercase().parse().ok());
        routes.push((words.collect::<Vec<_>>().join("/"), methods.collect()));
    }
    assert!(routes.len() >= 20, "{routes:?}");
    routes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slash_at_the_end_makes_no_difference() {
    // Of its own: the lists of a shared one change between two requests.
    let visit = Visit::at(telemed_tests::practice::Practice::open(&[], &[]).await);
    let (_, doctor) = visit.clinic_and_doctor().await;
    let people = [
        visit.anonymous.clone(),
        visit.of(&visit.patient().await),
        visit.of(&doctor),
        visit.admin.clone(),
    ];
    for (path, methods) in routes(&visit).await {
        for method in methods {
            // Only nobody tries to change something.
            let who = if method == Method::GET {
                &people[..]
            } else {
                &people[..1]
            };
            for client in who {
                let ask = async |path: &str| {
                    let request = api(client, method.clone(), path);
                    if method == Method::GET {
                        request.send().await
                    } else {
                        request.json(&json!({})).send().await
                    }
                };
                let plain = ask(&path).await;
                let slashed = ask(&format!("{path}/")).await;
                let what = format!("{method} {path}");
                assert!(![301, 302, 307, 308, 405].contains(&plain.status), "{what}");
                assert_eq!(plain.status, slashed.status, "{what}/");
                let [mut one, mut two] = [plain.json(), slashed.json()];
                for body in [&mut one, &mut two] {
                    body.as_object_mut().unwrap().remove("timestamp");
                    // A token is made anew each time.
                    if path == "/auth/csrf" {
                        body["data"]["csrf_token"].take();
                    }
                }
                assert_eq!(one, two, "{what}/");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_methods_are_405_with_what_is_allowed() {
    let visit = Visit::shared().await;
    for (path, methods) in routes(&visit).await {
        for other in ["GET", "POST", "PUT", "DELETE", "PATCH", "PURGE"] {
            let other: Method = other.parse().unwrap();
            if methods.contains(&other) {
                continue;
            }
            for path in [path.clone(), format!("{path}/")] {
                let answer = api(&visit.anonymous, other.clone(), &path).send().await;
                refused(&answer, 405, "METHOD_NOT_ALLOWED");
                let allow = answer.header("allow").unwrap_or_default();
                let allowed: Vec<_> = allow.split(',').map(str::trim).collect();
                for method in &methods {
                    assert!(
                        allowed.contains(&method.as_str()),
                        "{other} {path}: {allow}"
                    );
                }
                assert!(
                    !allowed.contains(&other.as_str()),
                    "{other} {path}: {allow}"
                );
            }
        }
    }
}
