#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod call;
mod events;
mod history;
mod hostile;
mod presence;
mod quality;

use serde_json::{Value, json};

use crate::testing::sockets::{Served, line};
use crate::testing::*;

impl House {
    /// A page of a conversation on this surface.
    async fn lines(&self, talk: &Talk, by: &Person, query: &str) -> Value {
        let path = format!("/conversations/{}/messages{query}", talk.id);
        self.api("GET", &path, &by.token, None).await.data(200)
    }

    async fn line(&self, talk: &Talk, by: &Person, body: Value) -> Answer {
        let path = format!("/conversations/{}/send-message", talk.id);
        self.api("POST", &path, &by.token, Some(body)).await
    }

    /// A call of the two, which the patient's client calls `own`.
    async fn call_of(&self, talk: &Talk) -> Value {
        let at = json!({"doctor_id": talk.doctor.id, "appointment_date": "2030-01-08T09:00:00Z",
            "appointment_type": "video"});
        let day = json!({"start": "08:00", "end": "17:00", "enabled": true});
        let schedule = json!({"schedule": {"tuesday": day}});
        let token = &talk.doctor.token;
        let path = "/availability/schedule";
        self.api("PUT", path, token, Some(schedule)).await.data(200);
        let token = &talk.patient.token;
        self.api("POST", "/appointments", token, Some(at))
            .await
            .data(201);
        let body =
            json!({"callee_id": talk.doctor.id, "call_type": "voice", "client_call_id": "own"});
        let begun = self.api("POST", "/calls/initiate", token, Some(body));
        begun.await.data(200)["call_id"].clone()
    }

    async fn mark_read(&self, by: &Person, message: &Value) -> Answer {
        let path = format!("/messages/{}/mark-read", message.as_str().unwrap());
        self.api("POST", &path, &by.token, None).await
    }
}

fn texts(page: &Value) -> Vec<String> {
    let all = page["messages"].as_array().unwrap().iter();
    all.map(|one| one["body"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn both_surfaces_have_the_same_conversations() {
    let house = House::open().await;
    let talk = house.talk().await;
    house.say(&talk, &talk.patient, "hello").await;
    let token = &talk.doctor.token;
    let page = house.api("GET", "/conversations", token, None).await;
    let page = page.data(200);
    assert_eq!(
        (&page["total"], &page["pages"], &page["current_page"]),
        (&json!(1), &json!(1), &json!(1))
    );
    let one = &page["conversations"][0];
    assert_eq!(one["conversation_id"], talk.id.as_str());
    let mut people = vec![talk.doctor.id, talk.patient.id];
    people.sort_unstable();
    assert_eq!(one["participant_ids"], json!(people));
    assert_eq!(
        (&one["conversation_type"], &one["unread_count"]),
        (&json!("direct"), &json!(1))
    );
    assert!(one["last_message_at"].is_string());
    let ids = [
        json!([talk.patient.id]),
        json!([talk.doctor.id, talk.patient.id.to_string()]),
    ];
    for ids in ids {
        let body = json!({"participant_ids": ids, "conversation_type": "direct"});
        let opened = house
            .api("POST", "/conversations", token, Some(body))
            .await
            .data(200);
        assert_eq!(opened["conversation_id"], talk.id.as_str());
        assert_eq!(opened["conversation"]["conversation_id"], talk.id.as_str());
    }
    for (body, field) in [
        (json!({}), "participant_ids"),
        (json!({"participant_ids": []}), "participant_ids"),
        (
            json!({"participant_ids": [talk.doctor.id]}),
            "participant_ids",
        ),
        (json!({"participant_ids": [1, 2, 3]}), "participant_ids"),
        (
            json!({"participant_ids": [talk.patient.id], "conversation_type": "group"}),
            "conversation_type",
        ),
    ] {
        let answer = house
            .api("POST", "/conversations", token, Some(body.clone()))
            .await;
        assert_eq!(
            answer.failed(400, "VALIDATION_ERROR")["field"],
            field,
            "{body}"
        );
    }
}

#[tokio::test]
async fn pages_go_from_both_ends_and_from_any_message() {
    let house = House::open().await;
    let talk = house.talk().await;
    let mut sent = Vec::new();
    for text in ["1", "2", "3", "4", "5"] {
        sent.push(house.say(&talk, &talk.patient, text).await);
    }
    let id = |at: usize| sent[at]["id"].as_str().unwrap();
    for (query, expected) in [
        (String::new(), &["1", "2", "3", "4", "5"][..]),
        ("?per_page=2".to_owned(), &["4", "5"]),
        ("?per_page=2&page=3".to_owned(), &["1"]),
        ("?per_page=2&page=4".to_owned(), &[]),
        ("?per_page=2&order=asc".to_owned(), &["1", "2"]),
        ("?per_page=2&order=asc&page=3".to_owned(), &["5"]),
        ("?per_page=2&order=desc".to_owned(), &["4", "5"]),
        ("?per_page=2&before=3".to_owned(), &["1", "2"]),
        ("?per_page=2&after=3".to_owned(), &["4", "5"]),
        ("?per_page=2&after=0".to_owned(), &["1", "2"]),
        (format!("?per_page=1&before={}", id(2)), &["2"]),
        (format!("?per_page=1&after={}", id(2)), &["4"]),
        ("?before=1".to_owned(), &[]),
        ("?after=5".to_owned(), &[]),
        (format!("?after={}", u64::from(u32::MAX)), &[]),
    ] {
        let page = house.lines(&talk, &talk.doctor, &query).await;
        assert_eq!(texts(&page), expected, "{query}");
        assert_eq!(page["total"], 5);
    }
    let page = house.lines(&talk, &talk.doctor, "?per_page=2&page=2").await;
    assert_eq!(
        (&page["pages"], &page["current_page"]),
        (&json!(3), &json!(2))
    );
    for (query, field) in [
        ("?page=0", "page"),
        ("?per_page=0", "per_page"),
        ("?order=up", "order"),
        ("?before=x", "before"),
        ("?after=-1", "after"),
        ("?before=1&after=2", "after"),
    ] {
        let path = format!("/conversations/{}/messages{query}", talk.id);
        let answer = house.api("GET", &path, &talk.doctor.token, None).await;
        assert_eq!(
            answer.failed(400, "VALIDATION_ERROR")["field"],
            field,
            "{query}"
        );
    }
}

#[tokio::test]
async fn reading_here_marks_nothing_as_read() {
    let house = House::open().await;
    let talk = house.talk().await;
    house.say(&talk, &talk.patient, "hello").await;
    let page = house.lines(&talk, &talk.doctor, "").await;
    let line = &page["messages"][0];
    assert_eq!(
        (&line["status"], &line["read_at"]),
        (&json!("delivered"), &Value::Null)
    );
    assert!(line["delivered_at"].is_string());
    let page = house
        .api("GET", "/conversations", &talk.doctor.token, None)
        .await;
    assert_eq!(page.data(200)["conversations"][0]["unread_count"], 1);
}

#[tokio::test]
async fn only_the_recipient_marks_and_the_first_time_stays() {
    let house = House::open().await;
    let talk = house.talk().await;
    let outsider = house.patient().await;
    let first = house.say(&talk, &talk.patient, "one").await;
    let second = house.say(&talk, &talk.patient, "two").await;
    house
        .mark_read(&talk.patient, &first["id"])
        .await
        .failed(403, "FORBIDDEN");
    for id in [&first["id"], &json!(talk.id)] {
        let answer = house.mark_read(&outsider, id).await;
        answer.failed(404, "NOT_FOUND");
    }
    let answer = house.mark_read(&outsider, &json!("7")).await;
    assert_eq!(
        answer.failed(400, "VALIDATION_ERROR")["field"],
        "message_id"
    );
    house.clock.advance(std::time::Duration::from_secs(5));
    let marked = house.mark_read(&talk.doctor, &first["id"]).await.data(200);
    assert_eq!(
        (&marked["message_id"], &marked["status"]),
        (&first["id"], &json!("read"))
    );
    assert_eq!(marked["read_at"], "2030-01-07T08:00:05Z");
    house.clock.advance(std::time::Duration::from_secs(5));
    let later = house.mark_read(&talk.doctor, &second["id"]).await.data(200);
    assert_eq!(later["read_at"], "2030-01-07T08:00:10Z");
    let again = house.mark_read(&talk.doctor, &first["id"]).await.data(200);
    assert_eq!(again["read_at"], marked["read_at"]);
    // Reading once more downgrades nothing.
    let page = house.lines(&talk, &talk.doctor, "").await;
    assert_eq!(page["messages"][0]["read_at"], marked["read_at"]);
    assert_eq!(page["messages"][1]["status"], "read");
}

#[tokio::test]
async fn messages_are_sent_with_their_context() {
    let house = House::open().await;
    let talk = house.talk().await;
    let call = house.call_of(&talk).await;
    let body = json!({"body": " L <R\n", "message_type": "text", "call_id": call,
        "attachment_ids": [], "client_msg_id": "m-1"});
    let sent = house
        .line(&talk, &talk.patient, body.clone())
        .await
        .data(200);
    assert_eq!(
        (&sent["body"], &sent["status"], &sent["call_id"]),
        (&json!(" L <R\n"), &json!("sent"), &call)
    );
    assert_eq!(
        (&sent["sender_id"], &sent["message_type"]),
        (&json!(talk.patient.id), &json!("text"))
    );
    let again = house.line(&talk, &talk.patient, body).await.data(200);
    assert_eq!(again, sent);
    house
        .line(&talk, &talk.patient, json!({"body": "x".repeat(5000)}))
        .await
        .data(200);
    for (body, field) in [
        (json!({"body": "x".repeat(5001)}), "body"),
        (json!({"body": ""}), "body"),
        (json!({}), "body"),
        (
            json!({"body": "x", "attachment_ids": ["a"]}),
            "attachment_ids",
        ),
        (
            json!({"body": "x", "attachment_ids": "a"}),
            "attachment_ids",
        ),
        (json!({"body": "x", "call_id": "7"}), "call_id"),
        (json!({"body": "x", "call_id": 7}), "call_id"),
        (json!({"body": "x", "call_id": "x".repeat(129)}), "call_id"),
        (
            json!({"body": "x", "call_id": "0193b3a4-7d3e-7c3a-8f00-0000000000ca"}),
            "call_id",
        ),
        (
            json!({"body": "x", "message_type": "system"}),
            "message_type",
        ),
        (
            json!({"body": "x", "message_type": "image"}),
            "message_type",
        ),
    ] {
        let answer = house.line(&talk, &talk.patient, body.clone()).await;
        assert_eq!(
            answer.failed(400, "VALIDATION_ERROR")["field"],
            field,
            "{field}"
        );
    }
}

#[tokio::test]
async fn a_conversation_of_others_is_not_there() {
    let house = House::open().await;
    let talk = house.talk().await;
    let outsider = house.patient().await;
    house
        .line(&talk, &outsider, json!({"body": "hello"}))
        .await
        .failed(404, "NOT_FOUND");
    let path = format!("/conversations/{}/messages", talk.id);
    let answer = house.api("GET", &path, &outsider.token, None).await;
    answer.failed(404, "NOT_FOUND");
}

#[tokio::test]
async fn a_message_belongs_to_a_call_of_its_participants() {
    let house = House::open().await;
    let talk = house.talk().await;
    let call = house.call_of(&talk).await;
    // The caller's own id stands for it, in what the caller sends.
    let body = json!({"body": "x", "call_id": "own", "client_msg_id": "m"});
    let line = house.line(&talk, &talk.patient, body.clone()).await;
    assert_eq!(line.data(200)["call_id"], call);
    let again = house.line(&talk, &talk.patient, body.clone()).await;
    assert_eq!(again.data(200)["call_id"], call);
    let answer = house.line(&talk, &talk.doctor, body).await;
    assert_eq!(answer.failed(400, "VALIDATION_ERROR")["field"], "call_id");
    let upper = call.as_str().unwrap().to_uppercase();
    let body = json!({"body": "x", "call_id": upper});
    let line = house.line(&talk, &talk.doctor, body).await;
    assert_eq!(line.data(200)["call_id"], call);

    // A call of one of the two with somebody else is none of theirs.
    let other = house.talk().await;
    let foreign = house.call_of(&other).await;
    let mixed = json!({"participant_id": other.doctor.id});
    let path = "/messages/conversations";
    let token = &talk.patient.token;
    let mixed = house.api("POST", path, token, Some(mixed)).await.data(200);
    let mixed = Talk {
        id: mixed["id"].as_str().unwrap().to_owned(),
        doctor: other.doctor.clone(),
        patient: talk.patient.clone(),
    };
    for (talk, call) in [(&talk, &foreign), (&mixed, &foreign), (&mixed, &call)] {
        let body = json!({"body": "x", "call_id": call});
        let answer = house.line(talk, &talk.patient, body).await;
        assert_eq!(answer.failed(400, "VALIDATION_ERROR")["field"], "call_id");
    }
}

#[tokio::test]
async fn a_message_over_a_socket_belongs_to_a_call_too() {
    let served = Served::open().await;
    let talk = served.house.talk().await;
    let call = served.house.call_of(&talk).await;
    let mut patient = served.connected(&talk.patient, json!({})).await;
    for reference in [&json!("own"), &call] {
        let mut body = line(&talk, "in the call");
        body["call_id"] = reference.clone();
        let answer = patient.ask("chat:message", &body).await;
        assert_eq!(answer["data"]["call_id"], call, "{answer}");
    }
    for wrong in ["another", "0193b3a4-7d3e-7c3a-8f00-0000000000ca"] {
        let mut body = line(&talk, "in no call");
        body["call_id"] = wrong.into();
        let answer = patient.ask("chat:message", &body).await;
        assert_eq!(answer["error_code"], "VALIDATION_ERROR", "{answer}");
    }
}
