//! The OpenAPI document against the routes.

use std::collections::BTreeSet;

use super::*;

fn document() -> Value {
    serde_json::to_value(crate::openapi()).unwrap()
}

/// Every operation of the document: path, method, and what it says.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, item)| {
        let item = item.as_object().unwrap();
        item.iter().map(move |(method, operation)| {
            (path.clone(), method.to_uppercase(), operation.clone())
        })
    });
    all.collect()
}

#[tokio::test]
async fn the_document_lists_exactly_the_routes() {
    let house = House::open().await;
    let served: BTreeSet<_> = house
        .routes
        .iter()
        .filter(|route| !route.path.starts_with("/docs"))
        .map(|route| (route.path.clone(), route.method.clone()))
        .collect();
    let described: BTreeSet<_> = operations(&document())
        .into_iter()
        .map(|(path, method, _)| (path, method))
        .collect();
    assert_eq!(served, described);
}

#[test]
fn it_is_openapi_3_1_and_its_references_lead_somewhere() {
    let document = document();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    fn check(document: &Value, node: &Value) {
        if let Some(reference) = node.get("$ref").and_then(Value::as_str) {
            assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
        }
        match node {
            Value::Object(map) => map.values().for_each(|child| check(document, child)),
            Value::Array(list) => list.iter().for_each(|child| check(document, child)),
            _ => {}
        }
    }
    check(&document, &document);
}

#[test]
fn every_operation_says_what_it_does_and_what_it_answers() {
    for (path, method, operation) in operations(&document()) {
        let name = format!("{method} {path}");
        assert!(
            operation["summary"]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{name}"
        );
        assert!(operation["operationId"].is_string(), "{name}");
        assert!(
            operation["responses"]
                .as_object()
                .is_some_and(|all| !all.is_empty()),
            "{name}"
        );
        for parameter in path.split('/').filter_map(|part| part.strip_prefix('{')) {
            let parameter = parameter.trim_end_matches('}');
            let named = operation["parameters"].as_array().into_iter().flatten();
            assert!(
                named
                    .into_iter()
                    .any(|p| p["name"] == parameter && p["in"] == "path"),
                "{name}"
            );
        }
        let error = match path.strip_prefix("/api") {
            Some(path) if path.starts_with("/v1/") => "ErrorBody",
            Some(_) => "Failure",
            None => continue,
        };
        assert_eq!(
            operation["responses"]["422"]["content"]["application/json"]["schema"]["$ref"],
            format!("#/components/schemas/{error}"),
            "{name}"
        );
    }
}

#[test]
fn operation_ids_are_unique() {
    let operations = operations(&document());
    let ids: BTreeSet<_> = operations
        .iter()
        .map(|(.., operation)| operation["operationId"].to_string())
        .collect();
    assert_eq!(ids.len(), operations.len());
}

/// What needs a credential says so, and answers 401 without one.
#[tokio::test]
async fn security_is_as_described() {
    let house = House::open().await;
    for (path, method, operation) in operations(&document()) {
        let Some(route) = path.strip_prefix("/api/v1") else {
            continue;
        };
        let needs_credential = operation["security"]
            .as_array()
            .is_some_and(|all| all.iter().all(|one| one.get("bearer").is_some()));
        let filled = route
            .split('/')
            .map(|part| if part.starts_with('{') { "1" } else { part });
        let filled = filled.collect::<Vec<_>>().join("/");
        let answer = house
            .call(&method, &filled, None, &[], Some(&json!({})))
            .await;
        assert_eq!(
            answer.status == 401,
            needs_credential,
            "{method} {path}: {}",
            answer.status
        );
    }
}
