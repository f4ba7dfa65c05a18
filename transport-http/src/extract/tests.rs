#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts};
use axum::http::{Request, header};
use serde::Deserialize;
use telemed_core::error::Code;

use super::*;
use crate::envelope::{Place, Refusal};

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
struct Visit {
    slot_id: Option<Id>,
    reason: Option<String>,
    seats: Option<u8>,
    urgent: Option<bool>,
    fee: Option<f64>,
    #[serde(default, deserialize_with = "present")]
    notes: Option<Option<String>>,
    windows: Vec<Window>,
    kind: Option<Kind>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Window {
    start: String,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Video,
    Audio,
}

#[derive(Debug, Deserialize)]
struct Strict {
    #[allow(dead_code)]
    name: String,
}

#[derive(Debug, Deserialize, PartialEq)]
struct List {
    specialty: Option<String>,
    clinic_id: Option<Id>,
    #[serde(default)]
    skip: Skip,
    #[serde(default)]
    limit: Limit,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Login {
    #[serde(alias = "username")]
    email: String,
    password: String,
}

fn post(kind: Option<&str>, body: impl Into<Body>) -> Request<Body> {
    let mut request = Request::post("/");
    if let Some(kind) = kind {
        request = request.header(header::CONTENT_TYPE, kind);
    }
    request.body(body.into()).unwrap()
}

async fn read(body: impl Into<Body>) -> Result<Visit, Refusal> {
    Json::from_request(post(Some("application/json"), body), &())
        .await
        .map(|Json(visit)| visit)
}

/// The field and the message of the one issue.
async fn issue(body: &str) -> (String, String) {
    let refusal = read(body.to_owned()).await.unwrap_err();
    assert_eq!(
        (refusal.error.code, refusal.place),
        (Code::WrongShape, Place::Body),
        "{body}"
    );
    let [issue] = refusal.error.issues.as_slice() else {
        panic!("{refusal:?}")
    };
    (issue.field.to_string(), issue.message.to_string())
}

fn pair(field: &str, message: &str) -> (String, String) {
    (field.to_owned(), message.to_owned())
}

#[tokio::test]
async fn ids_come_as_numbers_or_digits() {
    assert_eq!(
        read(r#"{"slot_id": 7}"#).await.unwrap(),
        read(r#"{"slot_id":"7"}"#).await.unwrap()
    );
    let most = read(format!(r#"{{"slot_id": {}}}"#, i64::MAX))
        .await
        .unwrap();
    assert_eq!(most.slot_id.unwrap().get(), i64::MAX);
    for id in [
        "0",
        "-1",
        "1.0",
        "1e3",
        "9223372036854775808",
        r#""""#,
        r#""x""#,
        r#""+1""#,
        r#"" 1""#,
        "true",
        "[]",
        "{}",
    ] {
        let expected = pair("slot_id", "must be a positive whole number");
        assert_eq!(
            issue(&format!(r#"{{"slot_id": {id}}}"#)).await,
            expected,
            "{id}"
        );
    }
    assert_eq!(
        issue(r#"{"slot_id": 1e999}"#).await,
        pair("slot_id", "is out of range")
    );
}

#[tokio::test]
async fn absent_null_and_a_value_are_three_things() {
    assert_eq!(read("{}").await.unwrap().notes, None);
    assert_eq!(read(r#"{"notes": null}"#).await.unwrap().notes, Some(None));
    let some = read(r#"{"notes": "x"}"#).await.unwrap().notes;
    assert_eq!(some, Some(Some("x".to_owned())));
    assert_eq!(
        issue(r#"{"notes": 1}"#).await,
        pair("notes", "must be a string")
    );
}

#[tokio::test]
async fn wrong_types_are_named_without_the_input() {
    for (body, field, message) in [
        (r#"{"reason": 5}"#, "reason", "must be a string"),
        (r#"{"reason": ["Aspirin"]}"#, "reason", "must be a string"),
        (
            r#"{"seats": "Aspirin"}"#,
            "seats",
            "must be a whole number in its range",
        ),
        (
            r#"{"seats": "x, expected Aspirin"}"#,
            "seats",
            "must be a whole number in its range",
        ),
        (
            r#"{"seats": 300}"#,
            "seats",
            "must be a whole number in its range",
        ),
        (
            r#"{"seats": -3}"#,
            "seats",
            "must be a whole number in its range",
        ),
        (r#"{"urgent": "yes"}"#, "urgent", "must be true or false"),
        (r#"{"fee": "Aspirin"}"#, "fee", "must be a number"),
        (r#"{"windows": 5}"#, "windows", "must be a list"),
        (
            r#"{"windows": [{"start": "a"}, {"start": 5}]}"#,
            "windows[1].start",
            "must be a string",
        ),
        (r#"{"windows": [{}]}"#, "windows[0].start", "is required"),
        (
            r#"{"windows": ["Aspirin"]}"#,
            "windows[0]",
            "must be an object",
        ),
        (r#"{"kind": "Aspirin"}"#, "kind", "must be video or audio"),
        (
            r#"{"reason": "a", "reason": "b"}"#,
            "reason",
            "is there twice",
        ),
        (r#"["Aspirin"]"#, "body", "must be an object"),
        (r#""Aspirin""#, "body", "must be an object"),
        ("null", "body", "must be an object"),
    ] {
        let named = issue(body).await;
        assert!(!named.1.contains("Aspirin"), "{named:?}");
        // A list's element of the wrong type has no variant of its own in the path.
        assert_eq!(named, pair(field, message), "{body}");
    }
}

#[tokio::test]
async fn missing_fields_are_named() {
    let request = post(Some("application/json"), "{}");
    let refusal = Json::<Strict>::from_request(request, &())
        .await
        .unwrap_err();
    assert_eq!(refusal.error.issues[0].to_string(), "name: is required");
    assert_eq!(refusal.error.message, "name: is required");
}

#[tokio::test]
async fn what_is_no_json_is_told_by_its_place() {
    for body in [
        "{",
        "{\"Aspirin\"}",
        "Aspirin",
        "{\"reason\": \"Asp",
        "{} Aspirin",
        "{}{}",
        "\u{feff}{}",
        "{\"Aspirin\": {\"x\": bad}}",
        "{\"reason\": \"\\ud800\"}",
    ] {
        let (field, message) = issue(body).await;
        assert_eq!(field, "body", "{body}");
        assert!(
            message.starts_with("is not JSON") && !message.contains("Asp"),
            "{message}"
        );
    }
    let invalid: &[u8] = b"{\"reason\": \"\xff\"}";
    assert!(read(invalid.to_vec()).await.is_err());
}

#[tokio::test]
async fn depth_is_limited() {
    for deep in [
        "{\"windows\":".repeat(90_000),
        format!("{{\"reason\": {}", "[".repeat(500_000)),
    ] {
        assert_eq!(read(deep).await.unwrap_err().error.code, Code::WrongShape);
    }
}

#[tokio::test]
async fn unknown_fields_are_ignored_and_texts_are_kept() {
    let visit = read(r#"{"extra": {"deep": [1]}, "reason": " مريم 👩🏽‍⚕️ L < R "}"#)
        .await
        .unwrap();
    assert_eq!(visit.reason.as_deref(), Some(" مريم 👩🏽‍⚕️ L < R "));
}

#[tokio::test]
async fn bodies_end_at_a_mebibyte() {
    let body = |size: usize| format!(r#"{{"reason": "{}"}}"#, "a".repeat(size - 14));
    assert!(read(body(JSON_LIMIT)).await.is_ok());
    let refusal = read(body(JSON_LIMIT + 1)).await.unwrap_err();
    assert_eq!(refusal.error.code, Code::PayloadTooLarge);
    // Declared: it is refused before it is read.
    let request = Request::post("/")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONTENT_LENGTH, "10000000")
        .body(Body::empty())
        .unwrap();
    let refusal = Json::<Visit>::from_request(request, &()).await.unwrap_err();
    assert_eq!(refusal.error.code, Code::PayloadTooLarge);
}

#[tokio::test]
async fn only_json_is_read_as_json() {
    for kind in [
        "application/json",
        "APPLICATION/JSON; charset=UTF-8",
        "application/problem+json",
    ] {
        let read = Json::<Visit>::from_request(post(Some(kind), "{}"), &()).await;
        assert!(read.is_ok(), "{kind}");
    }
    for kind in [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("application/jsonx"),
        Some("text/x+json"),
        Some("application/json; charset=latin1"),
    ] {
        let refusal = Json::<Visit>::from_request(post(kind, "{}"), &())
            .await
            .unwrap_err();
        assert_eq!(refusal.error.code, Code::UnsupportedMediaType, "{kind:?}");
    }
    let mut zipped = post(Some("application/json"), "{}");
    zipped
        .headers_mut()
        .insert(header::CONTENT_ENCODING, "gzip".parse().unwrap());
    let refusal = Json::<Visit>::from_request(zipped, &()).await.unwrap_err();
    assert_eq!(refusal.error.code, Code::UnsupportedMediaType);
}

#[tokio::test]
async fn an_empty_body_is_fine_where_it_is_optional_only() {
    for kind in [None, Some("application/json")] {
        let OptionalJson(none) = OptionalJson::<Visit>::from_request(post(kind, ""), &())
            .await
            .unwrap();
        assert!(none.is_none());
        let refusal = Json::<Visit>::from_request(post(kind, ""), &())
            .await
            .unwrap_err();
        assert_eq!(refusal.error.issues[0].to_string(), "body: is required");
    }
    let request = post(Some("application/json"), r#"{"slot_id": 1}"#);
    assert!(
        OptionalJson::<Visit>::from_request(request, &())
            .await
            .unwrap()
            .0
            .is_some()
    );
}

#[tokio::test]
async fn a_login_may_be_a_form() {
    let expected = Login {
        email: "a+b@example.org".into(),
        password: "p & q".into(),
    };
    let form = post(
        Some("application/x-www-form-urlencoded"),
        "username=a%2Bb%40example.org&password=p+%26+q&grant_type=password",
    );
    assert_eq!(
        JsonOrForm::<Login>::from_request(form, &())
            .await
            .unwrap()
            .0,
        expected
    );
    let json = post(
        Some("application/json"),
        r#"{"email": "a+b@example.org", "password": "p & q"}"#,
    );
    assert_eq!(
        JsonOrForm::<Login>::from_request(json, &())
            .await
            .unwrap()
            .0,
        expected
    );
    let form = post(Some("application/x-www-form-urlencoded"), "username=a");
    let refusal = JsonOrForm::<Login>::from_request(form, &())
        .await
        .unwrap_err();
    assert_eq!(refusal.error.issues[0].to_string(), "password: is required");
}

async fn query(text: &str) -> Result<List, Refusal> {
    let request = Request::get(format!("/?{text}")).body(()).unwrap();
    let (mut parts, ()) = request.into_parts();
    Query::from_request_parts(&mut parts, &())
        .await
        .map(|Query(list)| list)
}

#[tokio::test]
async fn queries_are_values() {
    let list = query("specialty=%D9%82%D9%84%D8%A8&clinic_id=4&skip=10&limit=20&x=y")
        .await
        .unwrap();
    assert_eq!(list.specialty.as_deref(), Some("قلب"));
    assert_eq!(list.clinic_id.unwrap().get(), 4);
    assert_eq!((list.skip.get(), list.limit.get()), (10, 20));
    let list = query("").await.unwrap();
    assert_eq!((list.skip.get(), list.limit.get()), (0, 100));
}

#[tokio::test]
async fn wrong_queries_are_named() {
    for (text, field, message) in [
        ("skip=-1", "skip", "must be a whole number of 0 or more"),
        (
            "skip=99999999999999999999",
            "skip",
            "must be a whole number of 0 or more",
        ),
        ("limit=0", "limit", "must be a whole number from 1 to 100"),
        ("limit=101", "limit", "must be a whole number from 1 to 100"),
        (
            "limit=Aspirin",
            "limit",
            "must be a whole number from 1 to 100",
        ),
        ("limit=", "limit", "must be a whole number from 1 to 100"),
        (
            "clinic_id=x",
            "clinic_id",
            "must be a positive whole number",
        ),
        ("skip=1&skip=2", "skip", "is there twice"),
    ] {
        let refusal = query(text).await.unwrap_err();
        assert_eq!(
            (refusal.error.code, refusal.place),
            (Code::WrongShape, Place::Query)
        );
        assert_eq!(
            refusal.error.issues[0].to_string(),
            format!("{field}: {message}"),
            "{text}"
        );
    }
}
