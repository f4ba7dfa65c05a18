//! Messages on the calls surface.

use telemed_tests::client::assert_utc;

use super::*;

async fn texts(client: &Client, path: &str) -> Vec<Value> {
    let page = ok(&get(client, path).await, 200);
    each(&page["messages"], "body")
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_here_marks_nothing_as_read() {
    let talk = Talk::open().await;
    let sent = talk.say(&talk.patient(), "hello").await;
    let doctor = talk.doctor();
    for _ in 0..2 {
        let page = ok(&get(&doctor, &talk.calls("/messages")).await, 200);
        let line = &page["messages"][0];
        assert_eq!(line["message_id"], sent["id"]);
        assert_eq!(
            (&line["sender_id"], &line["body"], &line["message_type"]),
            (&json!(talk.patient.id), &json!("hello"), &json!("text"))
        );
        assert_eq!(
            (&line["read_at"], &line["call_id"], &line["seq"]),
            (&Value::Null, &Value::Null, &json!(1))
        );
        assert_ne!(line["status"], "read");
        assert_utc(&line["created_at"]);
        assert_eq!(
            (&page["total"], &page["pages"], &page["current_page"]),
            (&json!(1), &json!(1), &json!(1))
        );
    }
    assert_eq!(talk.unread(&doctor).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_from_both_ends_and_from_any_message() {
    let talk = Talk::open().await;
    let (patient, doctor) = (talk.patient(), talk.doctor());
    let mut sent = Vec::new();
    for text in ["1", "2", "3", "4", "5"] {
        sent.push(talk.say(&patient, text).await);
    }
    let third = sent[2]["id"].as_str().unwrap();
    for (query, expected) in [
        ("", &["1", "2", "3", "4", "5"][..]),
        ("?per_page=2", &["4", "5"]),
        ("?per_page=2&page=2", &["2", "3"]),
        ("?per_page=2&page=4", &[]),
        ("?per_page=2&order=asc", &["1", "2"]),
        ("?per_page=2&page=3&order=asc", &["5"]),
        ("?per_page=2&before=3", &["1", "2"]),
        ("?per_page=1&before=THIRD", &["2"]),
        ("?per_page=2&after=3", &["4", "5"]),
        ("?per_page=1&after=THIRD", &["4"]),
        ("?after=5", &[]),
        ("?before=1", &[]),
    ] {
        let path = talk.calls(&format!("/messages{}", query.replace("THIRD", third)));
        assert_eq!(texts(&doctor, &path).await, expected, "{query}");
    }
    for (query, field) in [
        ("page=0", "page"),
        ("per_page=x", "per_page"),
        ("order=sideways", "order"),
        ("before=x", "before"),
        ("after=x", "after"),
    ] {
        let path = talk.calls(&format!("/messages?{query}"));
        names(&get(&doctor, &path).await, field);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recipient_marks_a_message_and_its_first_time_stays() {
    let talk = Talk::open().await;
    let (patient, doctor) = (talk.patient(), talk.doctor());
    let first = talk.say(&patient, "one").await;
    let second = talk.say(&patient, "two").await;
    let mark = async |client: &Client, message: &Value| {
        let path = format!("/messages/{}/mark-read", message["id"].as_str().unwrap());
        api(client, Method::POST, &path).send().await
    };
    refused(&mark(&patient, &first).await, 403, "FORBIDDEN");
    let marked = ok(&mark(&doctor, &first).await, 200);
    assert_eq!(
        (&marked["message_id"], &marked["status"]),
        (&first["id"], &json!("read"))
    );
    assert_utc(&marked["read_at"]);
    assert_eq!(talk.unread(&doctor).await, 1);
    let later = ok(&mark(&doctor, &second).await, 200);
    assert_ne!(later["read_at"], marked["read_at"]);
    // Again, and by the other ways.
    let again = ok(&mark(&doctor, &first).await, 200);
    assert_eq!(again["read_at"], marked["read_at"]);
    ok(&get(&doctor, &talk.chat("")).await, 200);
    let page = ok(&get(&patient, &talk.calls("/messages")).await, 200);
    assert_eq!(
        each(&page["messages"], "read_at"),
        [marked["read_at"].clone(), later["read_at"].clone()]
    );
    names(
        &post(&doctor, "/messages/7/mark-read", &json!({})).await,
        "message_id",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_sent_with_what_belongs_to_them() {
    let talk = Talk::open().await;
    let patient = talk.patient();
    let path = talk.calls("/send-message");
    let call = talk.call().await;
    let body = json!({
        "body": "L <R left hand ", "message_type": "text", "call_id": call, "attachment_ids": [],
    });
    let sent = ok(&post(&patient, &path, &body).await, 200);
    assert_eq!(
        (&sent["body"], &sent["status"], &sent["sender_id"]),
        (
            &json!("L <R left hand "),
            &json!("sent"),
            &json!(talk.patient.id)
        )
    );
    assert_eq!(
        (&sent["call_id"], &sent["message_type"]),
        (&json!(call), &json!("text"))
    );
    assert_utc(&sent["created_at"]);
    let long = json!({"body": "x".repeat(5000)});
    ok(&post(&patient, &path, &long).await, 200);
    for (body, field) in [
        (json!({"body": "x".repeat(5001)}), "body"),
        (json!({"body": "  "}), "body"),
        (json!({}), "body"),
        (
            json!({"body": "x", "attachment_ids": [NOBODYS]}),
            "attachment_ids",
        ),
        (json!({"body": "x", "call_id": "today"}), "call_id"),
        (json!({"body": "x", "call_id": NOBODYS}), "call_id"),
        (
            json!({"body": "x", "message_type": "system"}),
            "message_type",
        ),
        (
            json!({"body": "x", "message_type": "voice_note"}),
            "message_type",
        ),
    ] {
        names(&post(&patient, &path, &body).await, field);
    }
    names(
        &post(
            &patient,
            "/conversations",
            &json!({"participant_ids": [talk.doctor.id], "conversation_type": "group"}),
        )
        .await,
        "conversation_type",
    );
}
