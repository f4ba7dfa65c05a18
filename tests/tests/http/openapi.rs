//! The document that describes the surface, and that it tells the truth.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::Value;
use telemed_tests::practice::Visit;

use super::routes::ROUTES;

async fn document(visit: &Visit) -> Value {
    let document = visit.anonymous.get("//openapi.json").await.expect(200);
    assert!(
        document["openapi"]
            .as_str()
            .is_some_and(|version| version.starts_with("3.1"))
    );
    document
}

/// A path with every id called the same.
fn plain(path: &str) -> String {
    let path = path.strip_prefix("/api/v1").unwrap_or(path);
    let words = path
        .split('/')
        .map(|word| if word.starts_with('{') { "{id}" } else { word });
    words.collect::<Vec<_>>().join("/")
}

#[tokio::test(flavor = "multi_thread")]
async fn it_names_every_route_and_no_other() {
    let visit = Visit::shared().await;
    let document = document(&visit).await;
    let mut described = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        if !path.starts_with("/api/v1/") {
            continue;
        }
        for method in operations.as_object().unwrap().keys() {
            if ["get", "post", "put", "delete", "patch"].contains(&method.as_str()) {
                described.insert((plain(path), method.to_ascii_uppercase()));
            }
        }
    }
    let routes: BTreeSet<_> = ROUTES
        .iter()
        .flat_map(|(path, methods)| {
            methods
                .iter()
                .map(|method| ((*path).to_owned(), (*method).to_owned()))
        })
        .collect();
    assert_eq!(described, routes);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_names_is_there() {
    let visit = Visit::shared().await;
    let document = document(&visit).await;
    for (path, operations) in document["paths"].as_object().unwrap() {
        let words = path.split('/').map(|word| {
            if word.starts_with('{') {
                "999999999"
            } else {
                word
            }
        });
        let asked = format!("/{}", words.collect::<Vec<_>>().join("/"));
        for method in operations.as_object().unwrap().keys() {
            let Ok(verb) = Method::from_bytes(method.to_ascii_uppercase().as_bytes()) else {
                continue;
            };
            let answer = visit.anonymous.request(verb, &asked).send().await;
            assert_ne!(answer.status, 405, "{method} {path}");
            assert!(answer.status < 500, "{method} {path}: {}", answer.text());
            let responses = operations[method]["responses"].as_object().unwrap();
            assert!(
                responses.contains_key(&answer.status.to_string())
                    || responses.contains_key("default"),
                "{method} {path} answered {}, which is not among {:?}",
                answer.status,
                responses.keys().collect::<Vec<_>>()
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn its_references_lead_somewhere_and_its_operations_have_names() {
    let visit = Visit::shared().await;
    let document = document(&visit).await;
    let text = document.to_string();
    for rest in text.split("\"$ref\":\"#").skip(1) {
        let pointer = rest.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
    let mut names = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            if let Some(name) = operation["operationId"].as_str() {
                assert!(names.insert(name.to_owned()), "{name} twice");
            } else {
                panic!("{method} {path} has no operationId");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_a_page_to_read() {
    let visit = Visit::shared().await;
    let page = visit.anonymous.get("//docs").await;
    assert_eq!(page.status, 200);
    assert!(
        page.header("content-type")
            .is_some_and(|kind| kind.starts_with("text/html"))
    );
    assert!(page.text().contains("openapi.json") || page.text().contains("<script"));
    // It loads nothing from elsewhere.
    assert!(!page.text().contains("https://cdn") && !page.text().contains("unpkg.com"));
}
