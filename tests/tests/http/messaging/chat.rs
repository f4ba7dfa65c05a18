//! Messages on the chat surface, and the read mark of the raw chat.

use telemed_tests::client::assert_utc;
use telemed_tests::practice::Practice;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn reading_here_marks_as_read() {
    let talk = Talk::open().await;
    let (patient, doctor) = (talk.patient(), talk.doctor());
    for text in ["one", "two", "three"] {
        talk.say(&patient, text).await;
    }
    assert_eq!(talk.unread(&doctor).await, 3);
    let page = ok(&get(&doctor, &talk.chat("?mark_read=false")).await, 200);
    assert_eq!(each(&page["messages"], "is_read"), [false; 3]);
    assert_eq!(talk.unread(&doctor).await, 3);
    // An older page leaves what is newer.
    ok(&get(&doctor, &talk.chat("?page=2&per_page=2")).await, 200);
    assert_eq!(talk.unread(&doctor).await, 2);
    let page = ok(&get(&doctor, &talk.chat("?page=1&per_page=50")).await, 200);
    assert_eq!(each(&page["messages"], "message"), ["one", "two", "three"]);
    assert_eq!(each(&page["messages"], "seq"), [1, 2, 3]);
    assert_eq!(talk.unread(&doctor).await, 0);
    let page = ok(&get(&patient, &talk.chat("")).await, 200);
    for message in page["messages"].as_array().unwrap() {
        assert_eq!(
            (&message["is_read"], &message["status"]),
            (&json!(true), &json!("read"))
        );
        assert_utc(&message["read_at"]);
        assert_utc(&message["delivered_at"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_begin_with_the_newest() {
    let talk = Talk::open().await;
    let (patient, doctor) = (talk.patient(), talk.doctor());
    for text in ["1", "2", "3", "4", "5"] {
        talk.say(&patient, text).await;
    }
    for (query, texts, meta) in [
        (
            "?per_page=2",
            &["4", "5"][..],
            json!({"total": 5, "page": 1, "per_page": 2, "total_pages": 3, "pages": 3, "has_next": true, "has_prev": false}),
        ),
        (
            "?per_page=2&page=3",
            &["1"],
            json!({"total": 5, "page": 3, "per_page": 2, "total_pages": 3, "pages": 3, "has_next": false, "has_prev": true}),
        ),
        (
            "?per_page=2&page=4",
            &[],
            json!({"total": 5, "page": 4, "per_page": 2, "total_pages": 3, "pages": 3, "has_next": false, "has_prev": true}),
        ),
        (
            "?per_page=1000",
            &["1", "2", "3", "4", "5"],
            json!({"total": 5, "page": 1, "per_page": 100, "total_pages": 1, "pages": 1, "has_next": false, "has_prev": false}),
        ),
    ] {
        let page = ok(&get(&doctor, &talk.chat(query)).await, 200);
        assert_eq!(each(&page["messages"], "message"), texts, "{query}");
        assert_eq!(page["pagination"], meta, "{query}");
    }
    for (query, field) in [
        ("?page=0", "page"),
        ("?per_page=0", "per_page"),
        ("?page=x", "page"),
        ("?mark_read=perhaps", "mark_read"),
    ] {
        names(&get(&doctor, &talk.chat(query)).await, field);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_come_back_byte_for_byte() {
    let talk = Talk::open().await;
    let patient = talk.patient();
    for text in [
        "L <R left hand",
        "<script>alert('x')</script>",
        " not trimmed \n",
        "مُستشفى",
        "a\u{0}b & \"c\" \u{202e}",
        &"x".repeat(2000),
    ] {
        let sent = talk.say(&patient, text).await;
        assert_eq!(
            (&sent["message"], &sent["content"]),
            (&json!(text), &json!(text))
        );
        let page = ok(&get(&talk.doctor(), &talk.chat("?per_page=1")).await, 200);
        assert_eq!(page["messages"][0]["message"], text);
    }
    let path = talk.chat("/messages");
    for (body, field) in [
        (json!({"content": "x".repeat(2001)}), "content"),
        (json!({"content": " \n\t"}), "content"),
        (json!({"content": ""}), "content"),
        (json!({}), "content"),
        (json!({"content": 7}), "content"),
        (
            json!({"content": "x", "message_type": "system"}),
            "message_type",
        ),
        (
            json!({"content": "x", "message_type": "image"}),
            "message_type",
        ),
        (
            json!({"content": "x", "message_type": "file"}),
            "message_type",
        ),
        (
            json!({"content": "x", "message_type": "voice_note"}),
            "message_type",
        ),
        (
            json!({"content": "x", "message_type": "poem"}),
            "message_type",
        ),
    ] {
        names(&post(&patient, &path, &body).await, field);
    }
    for kind in ["text", "prescription", "report"] {
        let body = json!({"content": "x", "message_type": kind});
        let sent = ok(&post(&patient, &path, &body).await, 200);
        assert_eq!(
            (&sent["message_type"], &sent["message"]["message_type"]),
            (&json!(kind), &json!(kind))
        );
    }
    names(
        &post(&patient, "/messages", &json!({"message": "x"})).await,
        "conversation_id",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_sent_again_is_sent_once() {
    let talk = Talk::open().await;
    let patient = talk.patient();
    let body = json!({"conversation_id": talk.id, "message": "once", "client_msg_id": "mine-1"});
    let first = ok(&post(&patient, "/messages", &body).await, 200);
    assert_eq!(first["message"]["client_msg_id"], "mine-1");
    // Whatever way it comes.
    let again = json!({"content": "once", "client_msg_id": "mine-1"});
    let again = ok(&post(&patient, &talk.chat("/messages"), &again).await, 200);
    assert_eq!(again["message"], first["message"]);
    let by_calls = json!({"body": "once", "client_msg_id": "mine-1"});
    let again = ok(
        &post(&patient, &talk.calls("/send-message"), &by_calls).await,
        200,
    );
    assert_eq!(again["message_id"], first["message"]["id"]);
    let mut other = body.clone();
    other["message"] = json!("something else");
    let answer = post(&patient, "/messages", &other).await;
    refused(&answer, 422, "IDEMPOTENCY_MISMATCH");
    // In parallel.
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let client = talk.patient();
        let body =
            json!({"conversation_id": talk.id, "message": "twice", "client_msg_id": "mine-2"});
        running.spawn(async move {
            let sent = ok(&post(&client, "/messages", &body).await, 200);
            sent["message"]["seq"].clone()
        });
    }
    let seqs = running.join_all().await;
    assert!(seqs.iter().all(|seq| *seq == 2), "{seqs:?}");
    // And with a key of the request.
    let body = json!({"conversation_id": talk.id, "message": "thrice"});
    let send = |text: &str| {
        let mut body = body.clone();
        body["message"] = json!(text);
        let client = talk.patient();
        async move { keyed(&client, Method::POST, "/messages", "key-1", &body).await }
    };
    assert_eq!(
        ok(&send("thrice").await, 200),
        ok(&send("thrice").await, 200)
    );
    refused(&send("other").await, 422, "IDEMPOTENCY_MISMATCH");
    assert_eq!(talk.unread(&talk.doctor()).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn marking_counts_what_is_new_and_the_raw_chat_marks_everything() {
    let talk = Talk::open().await;
    let (patient, doctor) = (talk.patient(), talk.doctor());
    let mut sent = Vec::new();
    for text in ["1", "2", "3", "4"] {
        sent.push(talk.say(&patient, text).await);
    }
    let path = talk.chat("/read");
    for (body, count) in [
        (json!({"up_to": sent[0]["id"]}), 1),
        (json!({"up_to": 2}), 1),
        (json!({"up_to": "2"}), 0),
        (json!({"up_to": 1}), 0),
    ] {
        let marked = ok(&post(&doctor, &path, &body).await, 200);
        assert_eq!(marked, json!({"updated_count": count}), "{body}");
    }
    names(
        &post(&doctor, &path, &json!({"up_to": "last"})).await,
        "up_to",
    );
    let read = |client: &Client, reader: &str, body: &Value| {
        let path = format!("//chat/read/{reader}");
        client.request(Method::PUT, &path).json(body).send()
    };
    let reader = talk.doctor.id.to_string();
    let body = json!({"sender_id": talk.patient.id.to_string()});
    let answer = read(&doctor, &reader, &body).await.expect(200);
    assert_eq!(answer["updated_count"], 2);
    assert!(answer["message"].is_string());
    assert_eq!(answer.as_object().unwrap().len(), 2, "{answer}");
    assert_eq!(talk.unread(&doctor).await, 0);
    for (client, reader, body, status) in [
        (&doctor, reader.as_str(), json!({}), 400),
        (&doctor, reader.as_str(), json!({"sender_id": "x"}), 400),
        (&talk.visit.anonymous, reader.as_str(), body.clone(), 401),
        (&patient, reader.as_str(), body, 403),
        (
            &doctor,
            reader.as_str(),
            json!({"sender_id": "999999999"}),
            404,
        ),
    ] {
        let answer = read(client, reader, &body).await.expect(status);
        let detail = answer["detail"].as_str().unwrap_or_default();
        assert!(
            !detail.is_empty() && answer.as_object().unwrap().len() == 1,
            "{answer}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_messages_are_told_when_to_come_back() {
    let practice = Practice::open(&["--rate-limits", "strict"], &[]).await;
    let talk = Talk::at(Visit::at(practice)).await;
    let patient = talk.patient();
    for at in 0..10 {
        // Both surfaces count together.
        if at % 2 == 0 {
            talk.say(&patient, "again").await;
        } else {
            let body = json!({"body": "again"});
            ok(
                &post(&patient, &talk.calls("/send-message"), &body).await,
                200,
            );
        }
    }
    let body = json!({"conversation_id": talk.id, "message": "once more"});
    // One comes back every six seconds, and a busy machine may have taken that long.
    let mut answer = post(&patient, "/messages", &body).await;
    for _ in 0..20 {
        if answer.status == 429 {
            break;
        }
        answer = post(&patient, "/messages", &body).await;
    }
    refused(&answer, 429, "RATE_LIMITED");
    let wait = answer.header("retry-after").unwrap().parse::<u64>();
    assert!((1..=6).contains(&wait.unwrap()));
    talk.say(&talk.doctor(), "others may").await;
}
