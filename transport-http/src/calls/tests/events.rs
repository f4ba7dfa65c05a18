//! The feed of events.

use std::time::Duration;

use axum::Router;
use tower::ServiceExt as _;

use super::*;

impl House {
    async fn events(&self, by: &Person, query: &str) -> Answer {
        let path = format!("/events{query}");
        self.api("GET", &path, &by.token, None).await
    }

    /// Everything after a cursor, in pages of this size, and the cursor then.
    async fn feed(&self, by: &Person, mut after: u64, limit: u32) -> (Vec<Value>, u64) {
        let mut all = Vec::new();
        for _ in 0..1000 {
            let query = format!("?after={after}&limit={limit}");
            let page = self.events(by, &query).await.data(200);
            let events = page["events"].as_array().unwrap();
            after = page["next"].as_u64().unwrap();
            // An empty answer is the end, whatever else was logged that nobody is told of.
            if events.is_empty() {
                return (all, after);
            }
            all.extend(events.clone());
        }
        panic!("the feed has no end");
    }
}

#[tokio::test]
async fn everything_is_told_once_and_in_order() {
    let house = House::open().await;
    let talk = house.talk().await;
    let start = house.events(&talk.doctor, "").await.data(200);
    assert_eq!(start["events"], json!([]));
    let start = start["next"].as_u64().unwrap();
    let mut sent = Vec::new();
    for text in ["one", "two", "three"] {
        sent.push(house.say(&talk, &talk.patient, text).await["id"].clone());
        // Logged for him, and nothing that clients hear of.
        house.login(&talk.doctor.email).await;
    }
    let other = house.talk().await;
    house.say(&other, &other.patient, "to another").await;
    house.lines(&talk, &talk.doctor, "").await;
    house.mark_read(&talk.doctor, &sent[1]).await.data(200);
    for limit in [1, 2, 100] {
        let (events, next) = house.feed(&talk.doctor, start, limit).await;
        let kinds: Vec<_> = events
            .iter()
            .map(|one| one["kind"].as_str().unwrap())
            .collect();
        assert_eq!(
            kinds,
            [
                "chat:message",
                "chat:message",
                "chat:message",
                "chat:delivered",
                "chat:read"
            ]
        );
        let seqs: Vec<_> = events
            .iter()
            .map(|one| one["seq"].as_u64().unwrap())
            .collect();
        assert!(
            seqs.is_sorted_by(|one, next| one < next) && seqs[0] > start,
            "{seqs:?}"
        );
        assert!(next >= *seqs.last().unwrap());
        for one in &events {
            assert_eq!(one["data"]["conversation_id"], talk.id.as_str());
            assert_eq!(one["data"]["feed_seq"], one["seq"]);
            assert!(one["data"]["event_id"].is_string() && one["at"].is_string());
        }
        assert_eq!(events[0]["data"]["body"], "one");
        assert_eq!(events[0]["data"]["message_id"], sent[0]);
        assert_eq!(events[3]["data"]["message_id"], sent[2]);
        assert_eq!(events[3]["data"]["message_ids"], json!(sent));
        assert_eq!(events[4]["data"]["message_ids"], json!(sent[..2]));
        assert_eq!(
            (&events[4]["data"]["status"], &events[4]["data"]["user_id"]),
            (&json!("read"), &json!(talk.doctor.id))
        );
        assert!(house.feed(&talk.doctor, next, limit).await.0.is_empty());
    }
}

#[tokio::test]
async fn appointments_are_told_to_both() {
    let house = House::open().await;
    let practice = house.practice().await;
    let patient = house.patient().await;
    let slot = house.slot(&practice, "2030-01-08T09:00", 1).await;
    let visit = house.booked(&patient, slot).await;
    let path = format!("/appointments/{visit}/cancel");
    let body = json!({"cancelled_reason": "a private reason"});
    house.post(&path, &patient.token, body).await.expect(200);
    for person in [&patient, &practice.doctor] {
        let (events, _) = house.feed(person, 0, 100).await;
        let kinds: Vec<_> = events
            .iter()
            .map(|one| one["kind"].as_str().unwrap())
            .collect();
        assert_eq!(kinds, ["appointment:booked", "appointment:cancelled"]);
        for one in &events {
            assert_eq!(one["data"]["appointment_id"], visit);
            assert_eq!(one["data"]["patient_id"], patient.id);
            assert_eq!(one["data"]["doctor_id"], practice.doctor.id);
            assert!(!one.to_string().contains("private"));
        }
        assert_eq!(events[1]["data"]["status"], "cancelled");
    }
}

#[tokio::test]
async fn a_cursor_from_before_what_is_kept_is_gone() {
    let house = House::open().await;
    let talk = house.talk().await;
    let start = house.events(&talk.doctor, "").await.data(200)["next"]
        .as_u64()
        .unwrap();
    house.say(&talk, &talk.patient, "old").await;
    house.advance(31 * 24);
    let doctor = Person {
        token: house.login(&talk.doctor.email).await,
        ..talk.doctor.clone()
    };
    let patient = Person {
        token: house.login(&talk.patient.email).await,
        ..talk.patient.clone()
    };
    house.say(&talk, &patient, "new").await;
    let (events, next) = house.feed(&doctor, start, 10).await;
    assert_eq!(events.len(), 2);
    house.engine.purge().await.unwrap();
    let gone = house
        .events(&doctor, &format!("?after={start}&wait=30"))
        .await;
    let newest = gone.failed(410, "GONE")["details"]["newest"].clone();
    assert_eq!(newest, next);
    house.say(&talk, &patient, "newer").await;
    let (events, _) = house.feed(&doctor, next, 10).await;
    assert_eq!(events.len(), 1);
    for (query, field) in [
        ("?after=-1", "after"),
        ("?after=x", "after"),
        ("?after=0&limit=0", "limit"),
        ("?after=0&wait=-1", "wait"),
    ] {
        let answer = house.events(&doctor, query).await;
        assert_eq!(
            answer.failed(400, "VALIDATION_ERROR")["field"],
            field,
            "{query}"
        );
    }
}

/// A request that waits, on its own.
fn waiting(house: &House, by: &Person, query: &str) -> tokio::task::JoinHandle<(u16, Value)> {
    let router: Router = house.router.clone();
    let request = axum::http::Request::get(format!("/api/events{query}"))
        .header("authorization", format!("Bearer {}", by.token))
        .body(axum::body::Body::empty())
        .unwrap();
    tokio::spawn(async move {
        let response = router.oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = http_body_util::BodyExt::collect(response.into_body())
            .await
            .unwrap()
            .to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    })
}

/// Lets what was spawned run until it waits.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_with_what_is_told_and_not_before() {
    let house = House::open().await;
    let talk = house.talk().await;
    let other = house.talk().await;
    // Without a cursor it waits for what comes.
    let waits = waiting(&house, &talk.doctor, "?wait=30");
    settle().await;
    house.say(&other, &other.patient, "not for him").await;
    // Told to him, but nothing that clients hear of.
    house.login(&talk.doctor.email).await;
    settle().await;
    assert!(!waits.is_finished());
    house.say(&talk, &talk.patient, "for him").await;
    let (status, body) = waits.await.unwrap();
    assert_eq!(status, 200);
    assert_eq!(body["data"]["events"][0]["data"]["body"], "for him");
    let next = body["data"]["next"].as_u64().unwrap();

    // Nothing happens: the clock of the runtime runs ahead by itself.
    let begun = tokio::time::Instant::now();
    let (status, body) = waiting(&house, &talk.doctor, &format!("?after={next}&wait=999"))
        .await
        .unwrap();
    assert_eq!((status, &body["data"]["events"]), (200, &json!([])));
    let took = begun.elapsed();
    assert!(
        (Duration::from_secs(30)..Duration::from_secs(31)).contains(&took),
        "{took:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_wait_tells_nothing_to_a_session_that_has_ended() {
    let house = House::open().await;
    let talk = house.talk().await;
    let waits = waiting(&house, &talk.doctor, "?wait=30");
    settle().await;
    tokio::time::advance(Duration::from_secs(1)).await;
    house
        .api("POST", "/auth/logout", &talk.doctor.token, None)
        .await
        .data(200);
    house.say(&talk, &talk.patient, "too late").await;
    let (status, body) = waits.await.unwrap();
    assert_eq!(status, 401, "{body}");
}
