#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use telemed_core::journal::{Frame, FrameKind, Subscription, SubscriptionItem};

use super::*;
use crate::testing::*;

/// What was logged of these kinds since the subscription began, and nothing else.
async fn logged(subscription: &mut Subscription, kinds: &[EventKind]) -> Vec<Arc<LoggedEvent>> {
    let mut found = Vec::new();
    while found.len() < kinds.len() {
        let next = tokio::time::timeout(Duration::from_secs(60), subscription.next());
        match next.await.expect("it was logged").unwrap() {
            SubscriptionItem::Event(logged) if kinds.contains(&logged.event.kind) => {
                found.push(logged);
            }
            SubscriptionItem::Lagged => panic!("too much at once"),
            _ => {}
        }
    }
    let seen: Vec<_> = found.iter().map(|logged| logged.event.kind).collect();
    assert_eq!(seen, kinds);
    found
}

async fn told(house: &House, event: &LoggedEvent, words: Words) -> Vec<(&'static str, Value)> {
    let told = of_event(&house.engine, event, words).await.unwrap();
    told.into_iter()
        .map(|one| (one.name, Value::Object(one.data)))
        .collect()
}

#[tokio::test]
async fn a_message_has_one_name_in_each_family() {
    let house = House::open().await;
    let talk = house.talk().await;
    let mut subscription = house.engine.subscribe().await;
    let sent = house.say(&talk, &talk.patient, "<b>hello").await;
    let events = logged(&mut subscription, &[EventKind::MessageSent]).await;
    let chat = told(&house, &events[0], Words::Chat).await;
    assert_eq!(chat.len(), 1);
    let (name, data) = &chat[0];
    assert_eq!(*name, "new_message");
    assert_eq!(data["message"], sent);
    assert_eq!(data["conversation_id"], talk.id.as_str());
    assert_eq!(data["feed_seq"], events[0].seq);
    let calls = told(&house, &events[0], Words::Calls).await;
    assert_eq!(calls.len(), 1);
    let (name, line) = &calls[0];
    assert_eq!(*name, "chat:message");
    assert_eq!(line["message_id"], sent["id"]);
    assert_eq!(
        (&line["body"], &line["seq"], &line["status"]),
        (&json!("<b>hello"), &json!(1), &json!("sent"))
    );
    for field in [
        "conversation_id",
        "sender_id",
        "sender_name",
        "message_type",
        "created_at",
        "call_id",
        "client_msg_id",
    ] {
        assert!(line.get(field).is_some(), "no {field}: {line}");
    }
    assert_eq!(line["event_id"], data["event_id"]);
}

#[tokio::test]
async fn a_mark_of_several_is_told_message_by_message_in_calls_words() {
    let house = House::open().await;
    let talk = house.talk().await;
    let mut ids = Vec::new();
    for text in ["one", "two", "three"] {
        ids.push(house.say(&talk, &talk.patient, text).await["id"].clone());
    }
    house.say(&talk, &talk.doctor, "an own one").await;
    let mut subscription = house.engine.subscribe().await;
    let path = format!("/messages/conversations/{}", talk.id);
    house
        .api("GET", &path, &talk.doctor.token, None)
        .await
        .data(200);
    let events = logged(&mut subscription, &[EventKind::MessagesRead]).await;
    let event = &events[0];
    let chat = told(&house, event, Words::Chat).await;
    assert_eq!(chat.len(), 1);
    let (name, data) = &chat[0];
    assert_eq!(*name, "messages_read");
    assert_eq!(
        (&data["reader_id"], &data["message_ids"]),
        (&json!(talk.doctor.id), &json!(ids))
    );
    assert_eq!(data["conversation_id"], talk.id.as_str());
    assert_eq!(data["feed_seq"], event.seq);

    let calls = told(&house, event, Words::Calls).await;
    assert_eq!(calls.len(), 3);
    let mut numbers = std::collections::BTreeSet::new();
    for (at, (name, data)) in calls.iter().enumerate() {
        assert_eq!(*name, "chat:read");
        assert_eq!(data["message_id"], ids[at]);
        assert_eq!(
            (&data["status"], &data["user_id"], &data["read_at"]),
            (
                &json!("read"),
                &json!(talk.doctor.id),
                &json!(event.event.at.to_string())
            )
        );
        numbers.insert(data["event_id"].as_str().unwrap());
        // Nobody goes on from the middle.
        assert_eq!(data.get("feed_seq").is_some(), at == 2);
    }
    assert_eq!(numbers.len(), 3);
    assert_eq!(calls[2].1["event_id"], event.event.id.to_string());
}

#[tokio::test]
async fn a_delivery_is_told_in_calls_words_only() {
    let house = House::open().await;
    let talk = house.talk().await;
    let id = house.say(&talk, &talk.patient, "one").await["id"].clone();
    let mut subscription = house.engine.subscribe().await;
    let path = format!("/conversations/{}/messages", talk.id);
    house
        .api("GET", &path, &talk.doctor.token, None)
        .await
        .data(200);
    let events = logged(&mut subscription, &[EventKind::MessagesDelivered]).await;
    assert!(told(&house, &events[0], Words::Chat).await.is_empty());
    let calls = told(&house, &events[0], Words::Calls).await;
    let (name, data) = &calls[0];
    assert_eq!(
        (*name, &data["message_id"], &data["status"]),
        ("chat:delivered", &id, &json!("delivered"))
    );
    assert!(data["delivered_at"].is_string());
}

#[tokio::test]
async fn appointments_have_one_name_in_both() {
    let house = House::open().await;
    let practice = house.practice().await;
    let patient = house.patient().await;
    let slot = house.slot(&practice, "2030-01-08T09:00", 1).await;
    let mut subscription = house.engine.subscribe().await;
    let visit = house.booked(&patient, slot).await;
    let path = format!("/appointments/{visit}/confirm");
    let doctor = &practice.doctor;
    house.command(&path, &doctor.token).await.expect(200);
    let kinds = [EventKind::AppointmentBooked, EventKind::AppointmentUpdated];
    let events = logged(&mut subscription, &kinds).await;
    for words in [Words::Chat, Words::Calls] {
        let booked = told(&house, &events[0], words).await;
        assert_eq!(booked[0].0, "appointment:booked");
        assert_eq!(booked[0].1["appointment_id"], visit);
        let updated = told(&house, &events[1], words).await;
        assert_eq!(updated[0].0, "appointment:updated");
        assert_eq!(updated[0].1["status"], "confirmed");
        assert_eq!(updated[0].1["feed_seq"], events[1].seq);
    }
}

#[tokio::test]
async fn what_no_client_listens_to_is_told_to_nobody() {
    let house = House::open().await;
    let mut subscription = house.engine.subscribe().await;
    let patient = house.patient().await;
    house.login(&patient.email).await;
    let events = logged(&mut subscription, &[EventKind::SessionOpened]).await;
    for words in [Words::Chat, Words::Calls] {
        assert!(told(&house, &events[0], words).await.is_empty());
    }
}

#[test]
fn typing_has_one_name_in_each_family() {
    let frame = Frame {
        id: EventId::new(Default::default()),
        kind: FrameKind::Typing,
        audience: Vec::new(),
        data: object(
            &json!({"conversation_id": "c", "user_id": 7, "user_name": "A", "is_typing": true}),
        ),
        signal: None,
    };
    for (words, name) in [(Words::Chat, "user_typing"), (Words::Calls, "chat:typing")] {
        let told = of_frame(&frame, words).remove(0);
        assert_eq!(told.name, name);
        assert_eq!(told.data["user_id"], 7);
        assert_eq!(told.data["is_typing"], true);
        assert_eq!(told.data["event_id"], frame.id.to_string());
        assert!(!told.data.contains_key("feed_seq"));
    }
}

/// Who is told what of an event of a call, with the cursor's fields in their place.
async fn told_to(house: &House, event: &LoggedEvent) -> Vec<(To, Vec<&'static str>)> {
    let mut all: Vec<(To, Vec<&'static str>)> = Vec::new();
    let told = of_event(&house.engine, event, Words::Calls).await.unwrap();
    for chunk in told.chunk_by(|one, other| one.to == other.to) {
        let (last, others) = chunk.split_last().unwrap();
        assert_eq!(last.data["feed_seq"], event.seq);
        assert_eq!(last.data["event_id"], event.event.id.to_string());
        for other in others {
            assert!(!other.data.contains_key("feed_seq"));
            assert_ne!(other.data["event_id"], last.data["event_id"]);
        }
        let names = chunk.iter().flat_map(Told::names).collect();
        assert!(all.iter().all(|(to, _)| *to != chunk[0].to), "told twice");
        all.push((chunk[0].to.clone(), names));
    }
    all
}

#[tokio::test]
async fn a_call_that_is_answered_without_sockets_stops_ringing_elsewhere() {
    let house = House::open().await;
    let care = house.care().await;
    let mut subscription = house.engine.subscribe().await;
    let begun = house.begun(&care.patient, &care.doctor).await;
    let accept = json!({"device_id": "phone"});
    let accepted = house.to_call(&care.doctor, &begun, "accept", accept).await;
    accepted.expect(200);
    let kinds = [EventKind::CallInitiated, EventKind::CallConnected];
    let events = logged(&mut subscription, &kinds).await;
    let [patient, doctor] = [&care.patient, &care.doctor].map(|one| UserId::new(one.id).unwrap());
    // It rings no longer: the callee hears of no beginning.
    let told = told_to(&house, &events[0]).await;
    assert_eq!(told, [(To::User(patient), vec!["call_initiated"])]);
    let told = told_to(&house, &events[1]).await;
    let phone = DeviceId::new("phone").unwrap();
    let connected = vec!["call_connected", "call:connected"];
    assert_eq!(
        told,
        [
            (To::User(patient), connected.clone()),
            (To::Device(doctor, phone.clone()), connected),
            (
                To::OtherDevices(doctor, phone),
                vec!["call_ended", "call:ended"]
            ),
        ]
    );
}

#[tokio::test]
async fn a_callee_who_is_busy_has_missed_a_call() {
    let house = House::open().await;
    let care = house.care().await;
    let busy = json!({"status": "do_not_disturb"});
    let said = house.api("POST", "/presence/update", &care.doctor.token, Some(busy));
    said.await.expect(200);
    let mut subscription = house.engine.subscribe().await;
    let body = json!({"callee_id": care.doctor.id, "call_type": "video"});
    let refused = house.api("POST", "/calls/initiate", &care.patient.token, Some(body));
    refused.await.expect(409);
    let events = logged(&mut subscription, &[EventKind::CallBusy]).await;
    let [patient, doctor] = [&care.patient, &care.doctor].map(|one| UserId::new(one.id).unwrap());
    assert_eq!(
        told_to(&house, &events[0]).await,
        [
            (
                To::User(patient),
                vec!["call:busy", "call_ended", "call:ended"]
            ),
            (To::User(doctor), vec!["call:missed"]),
        ]
    );
}
