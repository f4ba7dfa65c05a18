#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod socket;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::testing::*;

impl House {
    async fn raw_read(&self, by: Option<&Person>, reader: &str, body: Value) -> Answer {
        let mut request = Request::put(format!("/chat/read/{reader}"))
            .header("host", HOST)
            .header("content-type", "application/json");
        if let Some(by) = by {
            request = request.header("authorization", format!("Bearer {}", by.token));
        }
        let body = Body::from(body.to_string());
        self.send(request.body(body).unwrap()).await
    }
}

#[track_caller]
fn refused(answer: &Answer, status: u16) {
    let body = answer.expect(status);
    let fields: Vec<_> = body.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["detail"], "{body}");
    assert!(!body["detail"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn everything_of_a_sender_is_read() {
    let house = House::open().await;
    let talk = house.talk().await;
    for text in ["one", "two"] {
        house.say(&talk, &talk.patient, text).await;
    }
    house.say(&talk, &talk.doctor, "three").await;
    let reader = talk.doctor.id.to_string();
    let body = json!({"sender_id": talk.patient.id.to_string()});
    let answer = house
        .raw_read(Some(&talk.doctor), &reader, body.clone())
        .await;
    assert_eq!(
        answer.expect(200),
        json!({"message": "Messages marked as read successfully", "updated_count": 2})
    );
    let answer = house
        .raw_read(Some(&talk.doctor), &format!("{reader}/"), body)
        .await;
    assert_eq!(answer.expect(200)["updated_count"], 0);
    // Somebody who never wrote.
    let stranger = json!({"sender_id": house.patient().await.id});
    let answer = house.raw_read(Some(&talk.doctor), &reader, stranger).await;
    assert_eq!(answer.expect(200)["updated_count"], 0);
}

#[tokio::test]
async fn refusals_are_a_sentence() {
    let house = House::open().await;
    let talk = house.talk().await;
    let reader = talk.doctor.id.to_string();
    let sender = json!({"sender_id": talk.patient.id});
    for (by, reader, body, status) in [
        (None, reader.as_str(), sender.clone(), 401),
        (Some(&talk.patient), reader.as_str(), sender.clone(), 403),
        (Some(&talk.doctor), "999999", sender.clone(), 403),
        (Some(&talk.doctor), "x", sender, 400),
        (Some(&talk.doctor), reader.as_str(), json!({}), 400),
        (Some(&talk.doctor), reader.as_str(), json!([]), 400),
        (
            Some(&talk.doctor),
            reader.as_str(),
            json!({"sender_id": "doctor"}),
            400,
        ),
        (
            Some(&talk.doctor),
            reader.as_str(),
            json!({"sender_id": "999999"}),
            404,
        ),
    ] {
        refused(&house.raw_read(by, reader, body).await, status);
    }
    let request = Request::get(format!("/chat/read/{reader}")).header("host", HOST);
    let answer = house.send(request.body(Body::empty()).unwrap()).await;
    refused(&answer, 405);
}
