//! Messages: sent, read, marked, found, limited.

use std::time::Duration;

use telemed_core::limits::{Limit, LimitName, LimitProfile, RateLimits};

use super::*;
use crate::limits::LimitConfig;
use crate::router::RouterConfig;

#[tokio::test]
async fn a_message_has_every_field() {
    let house = House::open().await;
    let talk = house.talk().await;
    let sent = house.say(&talk, &talk.patient, "one").await;
    let fields = [
        "id",
        "conversation_id",
        "sender_id",
        "sender_name",
        "recipient_id",
        "message",
        "content",
        "message_type",
        "file_path",
        "file_url",
        "is_read",
        "read_at",
        "delivered_at",
        "status",
        "call_id",
        "client_msg_id",
        "seq",
        "created_at",
    ];
    for name in fields {
        assert!(sent.get(name).is_some(), "no {name}: {sent}");
    }
    assert_eq!(
        (
            &sent["sender_id"],
            &sent["recipient_id"],
            &sent["seq"],
            &sent["status"]
        ),
        (
            &json!(talk.patient.id),
            &json!(talk.doctor.id),
            &json!(1),
            &json!("sent")
        )
    );
    let path = format!("/messages/conversations/{}/messages", talk.id);
    let body = json!({"content": "two", "message_type": "report"});
    let sent = house
        .api("POST", &path, &talk.doctor.token, Some(body))
        .await
        .data(200);
    assert_eq!((&sent["content"], &sent["seq"]), (&json!("two"), &json!(2)));
    assert_eq!(sent["message"]["message"], "two");
    assert_eq!(sent["message"]["id"], sent["id"]);
    assert_eq!(sent["message"]["message_type"], "report");
}

#[tokio::test]
async fn reading_here_marks_as_read_unless_it_shall_not() {
    let house = House::open().await;
    let talk = house.talk().await;
    for text in ["one", "two", "three"] {
        house.say(&talk, &talk.patient, text).await;
    }
    let path = format!("/messages/conversations/{}", talk.id);
    let read = async |query: &str| {
        let path = format!("{path}{query}");
        house
            .api("GET", &path, &talk.doctor.token, None)
            .await
            .data(200)
    };
    let data = read("?mark_read=false").await;
    assert_eq!(data["messages"][0]["is_read"], false);
    assert_eq!(data["messages"][0]["status"], "delivered");
    let head = house.api("HEAD", &path, &talk.doctor.token, None).await;
    assert_eq!(head.status, 200);
    assert_eq!(house.unread(&talk.doctor).await, 3);
    // The sender reads nothing of others.
    house.api("GET", &path, &talk.patient.token, None).await;
    assert_eq!(house.unread(&talk.doctor).await, 3);
    // The older page: what is newer stays unread.
    let data = read("?page=2&per_page=2").await;
    let texts: Vec<_> = data["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["message"].clone())
        .collect();
    assert_eq!(texts, ["one"]);
    assert_eq!(house.unread(&talk.doctor).await, 2);
    let data = read("").await;
    assert_eq!(
        data["pagination"],
        json!({"total": 3, "page": 1, "per_page": 50, "total_pages": 1, "pages": 1,
            "has_next": false, "has_prev": false})
    );
    assert!(
        data["messages"]
            .as_array()
            .unwrap()
            .iter()
            .all(|one| one["is_read"] == true && one["read_at"].is_string())
    );
    assert_eq!(house.unread(&talk.doctor).await, 0);
    let past = read("?page=9").await;
    assert_eq!(past["messages"], json!([]));
    assert_eq!(past["pagination"]["total"], 3);
}

#[tokio::test]
async fn marking_up_to_a_message_counts_what_is_new() {
    let house = House::open().await;
    let talk = house.talk().await;
    let mut sent = Vec::new();
    for text in ["one", "two", "three", "four"] {
        sent.push(house.say(&talk, &talk.patient, text).await);
    }
    let path = format!("/messages/conversations/{}/read", talk.id);
    let mark = async |key: &str, body: Option<Value>| {
        let bearer = format!("Bearer {}", talk.doctor.token);
        let headers = [("authorization", bearer.as_str()), ("idempotency-key", key)];
        house.ask("POST", &path, &headers, body.as_ref()).await
    };
    let first = json!({"up_to": sent[0]["id"]});
    assert_eq!(
        mark("a", Some(first)).await.data(200),
        json!({"updated_count": 1})
    );
    let body = Some(json!({"up_to": "2"}));
    assert_eq!(
        mark("b", body.clone()).await.data(200),
        json!({"updated_count": 1})
    );
    // The same request again marks nothing; another under its key is refused.
    assert_eq!(mark("b", body).await.data(200), json!({"updated_count": 0}));
    mark("b", Some(json!({"up_to": 3})))
        .await
        .failed(422, "IDEMPOTENCY_MISMATCH");
    assert_eq!(house.unread(&talk.doctor).await, 2);
    assert_eq!(mark("c", None).await.data(200), json!({"updated_count": 2}));
    for (up_to, status, code) in [
        (json!("x"), 400, "VALIDATION_ERROR"),
        (json!(-1), 400, "VALIDATION_ERROR"),
        (json!(NOBODYS), 404, "NOT_FOUND"),
    ] {
        mark("d", Some(json!({ "up_to": up_to })))
            .await
            .failed(status, code);
    }
}

#[tokio::test]
async fn texts_are_kept_byte_for_byte() {
    let house = House::open().await;
    let talk = house.talk().await;
    for text in [
        "L <R left hand",
        "<script>alert(1)</script> & \"quotes\"",
        "  leading and trailing \n",
        "مُستشفى 👩🏽‍⚕️",
        "\u{0}",
        &"م".repeat(2000),
    ] {
        let sent = house.say(&talk, &talk.patient, text).await;
        assert_eq!(
            (&sent["message"], &sent["content"]),
            (&json!(text), &json!(text))
        );
    }
    for (body, field) in [
        (json!({"message": "م".repeat(2001)}), "message"),
        (json!({"message": " \n"}), "message"),
        (json!({"message": ""}), "message"),
        (json!({}), "message"),
        (json!({"message": 7}), "message"),
        (json!({"content": "\t"}), "content"),
        (
            json!({"message": "x", "message_type": "system"}),
            "message_type",
        ),
        (
            json!({"message": "x", "message_type": "image"}),
            "message_type",
        ),
        (
            json!({"message": "x", "message_type": "file"}),
            "message_type",
        ),
        (
            json!({"message": "x", "message_type": "voice_note"}),
            "message_type",
        ),
        (
            json!({"message": "x", "message_type": "tune"}),
            "message_type",
        ),
        (
            json!({"message": "x", "client_msg_id": "x".repeat(129)}),
            "client_msg_id",
        ),
    ] {
        let mut with_id = body.clone();
        with_id["conversation_id"] = json!(talk.id);
        let answer = house.send_text(&talk.patient, with_id).await;
        assert_eq!(
            answer.failed(400, "VALIDATION_ERROR")["field"],
            field,
            "{body}"
        );
    }
}

#[tokio::test]
async fn what_is_sent_again_is_sent_once() {
    let house = House::open().await;
    let talk = house.talk().await;
    let body = json!({"conversation_id": talk.id, "message": "once", "client_msg_id": "c-1"});
    let first = house.send_text(&talk.patient, body.clone()).await.data(200);
    let again = house.send_text(&talk.patient, body.clone()).await.data(200);
    assert_eq!(first, again);
    assert_eq!(first["message"]["client_msg_id"], "c-1");
    let mut other = body;
    other["message"] = json!("twice");
    house
        .send_text(&talk.patient, other)
        .await
        .failed(422, "IDEMPOTENCY_MISMATCH");
    let bearer = format!("Bearer {}", talk.patient.token);
    let keyed = async |text: &str| {
        let headers = [
            ("authorization", bearer.as_str()),
            ("idempotency-key", "k-1"),
        ];
        let body = json!({"conversation_id": talk.id, "message": text});
        house.ask("POST", "/messages", &headers, Some(&body)).await
    };
    assert_eq!(keyed("two").await.data(200), keyed("two").await.data(200));
    keyed("three").await.failed(422, "IDEMPOTENCY_MISMATCH");
    assert_eq!(house.unread(&talk.doctor).await, 2);
}

#[tokio::test]
async fn words_and_their_beginnings_are_found() {
    let house = House::open().await;
    let talk = house.talk().await;
    let other = house.talk().await;
    for text in [
        "Paracetamol twice a day",
        "no fever",
        "زيارة مُستشفى الخرطوم",
    ] {
        house.say(&talk, &talk.patient, text).await;
    }
    house.say(&other, &other.patient, "paracetamol").await;
    for (query, found) in [
        ("paracetamol", vec!["Paracetamol twice a day"]),
        ("para DAY", vec!["Paracetamol twice a day"]),
        ("acetamol", vec![]),
        ("no", vec!["no fever"]),
        ("fe", vec![]),
        ("مستشفي", vec!["زيارة مُستشفى الخرطوم"]),
    ] {
        for person in [&talk.patient, &talk.doctor] {
            let query = format!("q={}", quoted(query));
            assert_eq!(house.found(person, &query).await, found, "{query}");
            let within = format!("{query}&conversation_id={}", talk.id);
            assert_eq!(house.found(person, &within).await, found, "{within}");
        }
    }
    for query in ["", "?q=", "?q=%20", "?q=%21%3F"] {
        let path = format!("/messages/search{query}");
        let answer = house.api("GET", &path, &talk.patient.token, None).await;
        assert_eq!(
            answer.failed(400, "VALIDATION_ERROR")["field"],
            "q",
            "{path}"
        );
    }
}

#[tokio::test]
async fn messages_are_limited_on_both_surfaces_together() {
    let limits =
        RateLimits::of(LimitProfile::Off).with(LimitName::Messages, Limit::per_minute(2, 10));
    let house = House::with(RouterConfig {
        limits: LimitConfig::local(limits),
        ..RouterConfig::default()
    })
    .await;
    let talk = house.talk().await;
    let line = format!("/conversations/{}/send-message", talk.id);
    let by_calls = json!({"body": "two"});
    house.say(&talk, &talk.patient, "one").await;
    house
        .api("POST", &line, &talk.patient.token, Some(by_calls.clone()))
        .await
        .data(200);
    let body = json!({"conversation_id": talk.id, "message": "three"});
    let answer = house.send_text(&talk.patient, body.clone()).await;
    answer.failed(429, "RATE_LIMITED");
    assert_eq!(answer.header("retry-after"), "6");
    let answer = house
        .api("POST", &line, &talk.patient.token, Some(by_calls))
        .await;
    answer.failed(429, "RATE_LIMITED");
    assert_eq!(answer.header("retry-after"), "6");
    house
        .say(&talk, &talk.doctor, "others are not limited")
        .await;
    house.clock.advance(Duration::from_secs(6));
    house.send_text(&talk.patient, body).await.data(200);
}

#[tokio::test]
async fn texts_are_in_the_language_that_is_asked_for() {
    let house = House::open().await;
    let talk = house.talk().await;
    let bearer = format!("Bearer {}", talk.patient.token);
    let headers = [
        ("authorization", bearer.as_str()),
        ("accept-language", "ar"),
    ];
    let body = json!({"conversation_id": talk.id, "message": "مرحبا"});
    let sent = house.ask("POST", "/messages", &headers, Some(&body)).await;
    sent.data(200);
    assert_eq!(sent.json()["message"], "تم إرسال الرسالة بنجاح");
    let path = format!("/messages/conversations/{NOBODYS}");
    let missing = house.ask("GET", &path, &headers, None).await;
    assert_eq!(
        missing.failed(404, "NOT_FOUND")["message"],
        "المحادثة غير موجودة"
    );
}
