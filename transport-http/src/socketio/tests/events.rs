//! What clients ask for, and what they are told.

use std::time::Duration;

use serde_json::{Value, json};
use telemed_core::journal::LocalBus;
use telemed_core::limits::{LimitProfile, RateLimits};

use crate::limits::LimitConfig;
use crate::router::RouterConfig;
use crate::testing::sockets::{Served, Ws, line};
use crate::testing::{House, Talk};

async fn talking() -> (Served, Talk) {
    let served = Served::open().await;
    let talk = served.house.talk().await;
    (served, talk)
}

fn of(talk: &Talk) -> Value {
    json!({"conversation_id": talk.id})
}

/// The ids of the messages that wait for a socket.
async fn heard(socket: &mut Ws, name: &str) -> Vec<Value> {
    let texts = socket.hears_nothing().await;
    let events = texts.iter().map(|text| text.strip_prefix("42").unwrap());
    let events = events.map(|event| serde_json::from_str::<Value>(event).unwrap());
    events
        .filter(|event| event[0] == name)
        .map(|event| event[1].clone())
        .collect()
}

#[tokio::test]
async fn a_message_reaches_both_in_their_words_and_nobody_else() {
    let (served, talk) = talking().await;
    let mut sender = served
        .connected(&talk.patient, json!({"words": "calls"}))
        .await;
    let mut sender_too = served
        .connected(&talk.patient, json!({"words": "chat"}))
        .await;
    let mut chat = served.connected(&talk.doctor, json!({})).await;
    let mut calls = served
        .connected(&talk.doctor, json!({"words": "calls"}))
        .await;
    let third = served.house.patient().await;
    let mut third = served.connected(&third, json!({})).await;

    let mut body = line(&talk, "L < R");
    body["client_msg_id"] = "c-1".into();
    let answer = sender.ask("chat:message", &body).await;
    assert_eq!(answer["success"], true, "{answer}");
    let sent = &answer["data"];
    assert_eq!(sent["body"], "L < R");
    assert_eq!(sent["client_msg_id"], "c-1");

    for socket in [&mut chat, &mut sender_too] {
        let told = socket.event_named("new_message").await;
        assert_eq!(told["conversation_id"], talk.id.as_str());
        assert_eq!(told["message"]["id"], sent["message_id"]);
        assert_eq!(told["message"]["message"], "L < R");
        assert!(told["event_id"].is_string() && told["feed_seq"].is_u64());
        assert!(socket.hears_nothing().await.is_empty());
    }
    let told = calls.event_named("chat:message").await;
    assert_eq!(told["message_id"], sent["message_id"]);
    assert!(calls.hears_nothing().await.is_empty());
    assert!(third.hears_nothing().await.is_empty());

    // Sent again it is the same, and nobody is told twice.
    let again = sender.ask("chat:message", &body).await;
    assert_eq!(again["data"]["message_id"], sent["message_id"]);
    assert!(calls.hears_nothing().await.is_empty());
}

#[tokio::test]
async fn what_is_sent_over_http_reaches_sockets() {
    let (served, talk) = talking().await;
    let mut doctor = served.connected(&talk.doctor, json!({})).await;
    let mut patient = served
        .connected(&talk.patient, json!({"words": "calls"}))
        .await;
    served.house.say(&talk, &talk.patient, "over http").await;
    let told = doctor.event_named("new_message").await;
    assert_eq!(told["message"]["message"], "over http");
    assert_eq!(
        patient.event_named("chat:message").await["body"],
        "over http"
    );
}

#[tokio::test]
async fn words_follow_what_is_sent_unless_they_are_given() {
    let (served, talk) = talking().await;
    let mut follows = served.connected(&talk.doctor, json!({})).await;
    let mut given = served
        .connected(&talk.doctor, json!({"words": "chat"}))
        .await;
    for socket in [&mut follows, &mut given] {
        let mut typing = of(&talk);
        typing["is_typing"] = false.into();
        socket.ask("chat:typing", &typing).await;
    }
    served.house.say(&talk, &talk.patient, "one").await;
    follows.event_named("chat:message").await;
    given.event_named("new_message").await;
    assert!(follows.hears_nothing().await.is_empty());
    assert!(given.hears_nothing().await.is_empty());
    follows.ask("join_conversation", &of(&talk)).await;
    served.house.say(&talk, &talk.patient, "two").await;
    follows.event_named("new_message").await;
    assert!(follows.hears_nothing().await.is_empty());
}

#[tokio::test]
async fn conversations_are_joined_by_participants() {
    let (served, talk) = talking().await;
    let mut doctor = served.connected(&talk.doctor, json!({})).await;
    doctor.emit("join_conversation", &of(&talk)).await;
    let expected = json!({"conversation_id": talk.id, "status": "success"});
    let joined = doctor.event().await;
    assert_eq!(joined, ("conversation_joined".to_owned(), expected.clone()));
    doctor.emit("leave_conversation", &of(&talk)).await;
    let left = doctor.event().await;
    assert_eq!(left, ("conversation_left".to_owned(), expected));

    let third = served.house.patient().await;
    let mut third = served.connected(&third, json!({})).await;
    let nowhere = json!({"conversation_id": "0193b3a4-7d3e-7c3a-8f00-000000000000"});
    for body in [of(&talk), nowhere] {
        third.emit("join_conversation", &body).await;
        let (name, error) = third.event().await;
        assert_eq!(name, "error");
        assert_eq!(error["error_code"], "FORBIDDEN");
        assert_eq!(error["event"], "join_conversation");
        assert!(!error["message"].as_str().unwrap().is_empty());
        let answer = third.ask("join_conversation", &body).await;
        assert_eq!(answer["error_code"], "FORBIDDEN");
    }
    for (event, body) in [
        ("chat:message", line(&talk, "x")),
        ("typing", of(&talk)),
        ("chat:typing", of(&talk)),
    ] {
        let answer = third.ask(event, &body).await;
        assert_eq!(answer["error_code"], "NOT_FOUND", "{event}");
    }
    assert!(doctor.hears_nothing().await.is_empty());
}

#[tokio::test]
async fn typing_reaches_the_others_and_stops_by_itself() {
    let (served, talk) = talking().await;
    let mut patient = served.connected(&talk.patient, json!({})).await;
    let mut own = served.connected(&talk.patient, json!({})).await;
    let mut doctor = served.connected(&talk.doctor, json!({})).await;
    let mut calls = served
        .connected(&talk.doctor, json!({"words": "calls"}))
        .await;
    let mut typing = of(&talk);
    typing["is_typing"] = true.into();
    patient.emit("typing", &typing).await;
    let told = doctor.event_named("user_typing").await;
    assert_eq!(told["is_typing"], true);
    assert_eq!(told["user_id"], talk.patient.id);
    assert!(told["user_name"].is_string());
    assert_eq!(told["conversation_id"], talk.id.as_str());
    assert_eq!(calls.event_named("chat:typing").await["is_typing"], true);
    // Nobody says more: after a while it is over.
    assert_eq!(doctor.event_named("user_typing").await["is_typing"], false);
    assert_eq!(calls.event_named("chat:typing").await["is_typing"], false);

    patient.emit("typing_start", &of(&talk)).await;
    assert_eq!(doctor.event_named("user_typing").await["is_typing"], true);
    patient.emit("typing_stop", &of(&talk)).await;
    assert_eq!(doctor.event_named("user_typing").await["is_typing"], false);
    // Who leaves writes no longer.
    patient.emit("typing_start", &of(&talk)).await;
    assert_eq!(doctor.event_named("user_typing").await["is_typing"], true);
    drop(patient);
    assert_eq!(doctor.event_named("user_typing").await["is_typing"], false);
    assert!(own.hears_nothing().await.is_empty());
}

#[tokio::test]
async fn receipts_reach_the_sender() {
    let (served, talk) = talking().await;
    let mut patient = served
        .connected(&talk.patient, json!({"words": "calls"}))
        .await;
    let mut chat = served
        .connected(&talk.patient, json!({"words": "chat"}))
        .await;
    let mut doctor = served.connected(&talk.doctor, json!({})).await;
    let sent = patient.ask("chat:message", &line(&talk, "one")).await;
    let id = json!({"message_id": sent["data"]["message_id"]});
    chat.event_named("new_message").await;

    let answer = doctor.ask("chat:delivered", &id).await;
    assert_eq!(answer["data"]["status"], "delivered", "{answer}");
    let told = patient.event_named("chat:delivered").await;
    assert_eq!(told["message_id"], id["message_id"]);
    assert_eq!(told["user_id"], talk.doctor.id);
    assert!(told["delivered_at"].is_string());
    let answer = doctor.ask("chat:read", &id).await;
    assert_eq!(answer["data"]["status"], "read");
    let told = patient.event_named("chat:read").await;
    assert_eq!(told["status"], "read");
    let told = chat.event_named("messages_read").await;
    assert_eq!(told["reader_id"], talk.doctor.id);
    assert_eq!(told["message_ids"], json!([id["message_id"]]));

    // It stays read, and is not for its sender to mark.
    let answer = doctor.ask("chat:delivered", &id).await;
    assert_eq!(answer["data"]["status"], "read");
    let answer = patient.ask("chat:read", &id).await;
    assert_eq!(answer["error_code"], "FORBIDDEN");
    assert!(patient.hears_nothing().await.is_empty());
}

#[tokio::test]
async fn a_user_registers_as_himself() {
    let (served, talk) = talking().await;
    let mut socket = served.connected(&talk.patient, json!({})).await;
    let own = json!({"user_id": talk.patient.id});
    socket.emit("register_user", &own).await;
    let (name, told) = socket.event().await;
    assert_eq!(
        (name.as_str(), &told["status"]),
        ("registered", &json!("success"))
    );
    let other = json!({"user_id": talk.doctor.id});
    let answer = socket.ask("register_user", &other).await;
    assert_eq!(answer["error_code"], "FORBIDDEN");
}

#[tokio::test]
async fn what_is_asked_wrongly_is_refused_and_the_socket_lives() {
    let (served, talk) = talking().await;
    let mut socket = served.connected(&talk.patient, json!({})).await;
    for (event, body, field) in [
        ("no:such", json!({}), "event"),
        ("call:dance", json!({}), "event"),
        ("call:initiate", json!({}), "callee_id"),
        ("typing", json!({}), "conversation_id"),
        ("typing", json!({"conversation_id": "x"}), "conversation_id"),
        ("typing", json!(7), "body"),
        ("chat:message", of(&talk), "body"),
        ("chat:message", line(&talk, " "), "body"),
        ("chat:read", json!({"message_id": 7}), "message_id"),
    ] {
        let answer = socket.ask(event, &body).await;
        assert_eq!(answer["success"], false, "{event} {body}: {answer}");
        assert_eq!(answer["error_code"], "VALIDATION_ERROR", "{event} {body}");
        assert_eq!(answer["field"], field, "{event} {body}: {answer}");
        socket.emit(event, &body).await;
        let error = socket.event_named("error").await;
        assert_eq!(error["error_code"], "VALIDATION_ERROR");
    }
    assert!(socket.hears_nothing().await.is_empty());
}

#[tokio::test]
async fn limits_are_shared_with_http() {
    let served = Served::configured(RouterConfig {
        limits: LimitConfig::local(RateLimits::of(LimitProfile::Strict)),
        ..RouterConfig::default()
    })
    .await;
    let talk = served.house.talk().await;
    let mut socket = served.connected(&talk.patient, json!({})).await;
    for _ in 0..5 {
        served.house.say(&talk, &talk.patient, "http").await;
        let answer = socket.ask("chat:message", &line(&talk, "socket")).await;
        assert_eq!(answer["success"], true);
    }
    let answer = socket.ask("chat:message", &line(&talk, "x")).await;
    assert_eq!(answer["error_code"], "RATE_LIMITED");
    assert!(answer["retry_after"].as_f64().unwrap() > 0.0);
}

#[tokio::test]
async fn who_was_away_goes_on_from_his_cursor() {
    let (served, talk) = talking().await;
    let mut doctor = served.connected(&talk.doctor, json!({})).await;
    served.house.say(&talk, &talk.patient, "0").await;
    let cursor = doctor.event_named("new_message").await["feed_seq"].clone();
    drop(doctor);
    for number in 1..=120 {
        served.house.clock.advance(Duration::from_secs(2));
        served
            .house
            .say(&talk, &talk.patient, &number.to_string())
            .await;
    }
    let mut doctor = served
        .connected(&talk.doctor, json!({"after": cursor}))
        .await;
    for number in 1..=120 {
        let told = doctor.event_named("new_message").await;
        assert_eq!(told["message"]["message"], number.to_string());
    }
    assert!(heard(&mut doctor, "new_message").await.is_empty());
}

#[tokio::test]
async fn what_the_bus_lost_is_read_from_the_log() {
    // It keeps two things for who listens.
    let house = House::over(LocalBus::new(2), RouterConfig::default()).await;
    let served = Served::of(house).await;
    let talk = served.house.talk().await;
    let mut socket = served.connected(&talk.doctor, json!({})).await;
    let mut raw = served.raw(&talk.doctor).await;
    const COUNT: i32 = 20;
    for number in 0..COUNT {
        // The task that listens is not let in between.
        let text = number.to_string();
        tokio::task::unconstrained(served.house.say(&talk, &talk.patient, &text)).await;
    }
    for number in 0..COUNT {
        let told = socket.event_named("new_message").await;
        assert_eq!(told["message"]["message"], number.to_string());
        assert_eq!(raw.json().await["message_text"], number.to_string());
    }
    // And nothing comes twice.
    assert!(heard(&mut socket, "new_message").await.is_empty());
}

#[tokio::test]
async fn appointments_reach_their_parties() {
    let served = Served::open().await;
    let practice = served.house.practice().await;
    let patient = served.house.patient().await;
    let slot = served
        .house
        .slot(&practice, "2030-01-08T10:00:00Z", 1)
        .await;
    let mut sockets = [
        served.connected(&patient, json!({})).await,
        served
            .connected(&practice.doctor, json!({"words": "calls"}))
            .await,
    ];
    let third = served.house.patient().await;
    let mut third = served.connected(&third, json!({})).await;
    let booked = served.house.booked(&patient, slot).await;
    for socket in &mut sockets {
        let told = socket.event_named("appointment:booked").await;
        assert_eq!(told["appointment_id"], booked);
    }
    let path = format!("/appointments/{booked}/cancel");
    let reason = json!({"cancelled_reason": "ill"});
    served
        .house
        .post(&path, &patient.token, reason)
        .await
        .expect(200);
    for socket in &mut sockets {
        let told = socket.event_named("appointment:cancelled").await;
        assert_eq!(told["appointment_id"], booked);
        assert!(!told.to_string().contains("ill\""));
        assert!(socket.hears_nothing().await.is_empty());
    }
    assert!(third.hears_nothing().await.is_empty());
}
