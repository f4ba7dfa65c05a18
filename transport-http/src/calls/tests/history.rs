//! The calls of the past.

use std::time::Duration;

use super::*;

impl House {
    async fn calls(&self, by: &Person, query: &str) -> Value {
        let path = format!("/call-history{query}");
        self.api("GET", &path, &by.token, None).await.data(200)
    }

    async fn statuses(&self, by: &Person, query: &str) -> Vec<String> {
        let page = self.calls(by, query).await;
        let rows = page["calls"].as_array().unwrap().clone();
        rows.iter()
            .map(|row| row["status"].as_str().unwrap().to_owned())
            .collect()
    }

    async fn figures(&self, by: &Person, query: &str) -> Value {
        let path = format!("/call-statistics{query}");
        self.api("GET", &path, &by.token, None).await.data(200)
    }

    /// One call of each kind, of which the patient has begun all but the newest: completed,
    /// cancelled, declined, missed, and one that lasts.
    async fn lived(&self) -> Care {
        let care = self.care().await;
        let (patient, doctor) = (&care.patient, &care.doctor);
        let call = self.begun(patient, doctor).await;
        self.to_call(doctor, &call, "accept", json!({}))
            .await
            .data(200);
        let sample = json!({"rtt": 250, "packet_loss": 0.5});
        self.to_call(doctor, &call, "quality-metrics", sample)
            .await
            .data(200);
        let sample = json!({"rtt": 20, "packet_loss": 0});
        self.to_call(patient, &call, "quality-metrics", sample)
            .await
            .data(200);
        self.clock.advance(Duration::from_secs(61));
        self.to_call(patient, &call, "hangup", json!({}))
            .await
            .data(200);
        let call = self.begun(patient, doctor).await;
        self.to_call(patient, &call, "hangup", json!({}))
            .await
            .data(200);
        let call = self.begun(patient, doctor).await;
        self.to_call(doctor, &call, "decline", json!({}))
            .await
            .data(200);
        let body = json!({"callee_id": doctor.id, "call_type": "voice"});
        self.clock.advance(Duration::from_secs(5));
        let call = self.api("POST", "/calls/initiate", &patient.token, Some(body));
        let unanswered = json!({"reason": "unanswered"});
        let call = call.await.data(200);
        self.to_call(doctor, &call, "decline", unanswered)
            .await
            .data(200);
        self.begun(doctor, patient).await;
        care
    }
}

#[tokio::test]
async fn each_party_sees_the_calls_with_his_own_eyes() {
    let house = House::open().await;
    let care = house.lived().await;
    let newest_first = ["initiated", "missed", "declined", "cancelled", "completed"];
    assert_eq!(house.statuses(&care.patient, "").await, newest_first);
    let theirs = ["initiated", "missed", "declined", "missed", "completed"];
    assert_eq!(house.statuses(&care.doctor, "").await, theirs);
    let page = house.calls(&care.patient, "?per_page=2&page=3").await;
    assert_eq!(
        (&page["total"], &page["pages"], &page["current_page"]),
        (&json!(5), &json!(3), &json!(3))
    );
    let call = &page["calls"][0];
    for (field, expected) in [
        ("caller_id", json!(care.patient.id)),
        ("caller_name", json!("A patient")),
        ("callee_id", json!(care.doctor.id)),
        ("callee_name", json!("A doctor")),
        ("call_type", json!("video")),
        ("direction", json!("outgoing")),
        ("duration", json!(61)),
        ("initiated_at", json!("2030-01-07T08:00:05Z")),
        ("status", json!("completed")),
        // Of the two, the worse.
        ("quality_assessment", json!("fair")),
    ] {
        assert_eq!(call[field], expected, "{field}");
    }
    assert!(call["call_id"].is_string());
    let outsider = house.patient().await;
    assert_eq!(house.calls(&outsider, "").await["total"], 0);
}

#[tokio::test]
async fn calls_are_found_by_what_they_are() {
    let house = House::open().await;
    let care = house.lived().await;
    for (query, own, theirs) in [
        ("?call_type=video", 4, 4),
        ("?call_type=voice", 1, 1),
        ("?call_type=audio", 1, 1),
        ("?call_type=", 5, 5),
        ("?status=completed", 1, 1),
        ("?status=ended", 1, 1),
        ("?status=cancelled", 1, 0),
        ("?status=missed", 1, 2),
        ("?status=busy", 0, 0),
        ("?status=initiated", 1, 1),
        ("?direction=outgoing", 4, 1),
        ("?direction=incoming", 1, 4),
        ("?date_from=2030-01-07", 5, 5),
        ("?date_to=2030-01-07", 5, 5),
        ("?date_from=2030-01-07&date_to=2030-01-07", 5, 5),
        ("?date_from=2030-01-08", 0, 0),
        ("?date_to=2030-01-06", 0, 0),
        (
            "?date_from=2030-01-07T08:00:05Z&date_to=2030-01-07T08:00:05Z",
            1,
            1,
        ),
        ("?date_from=2030-01-07T08:00:06Z", 4, 4),
        ("?status=missed&direction=incoming&call_type=voice", 0, 1),
        ("?page=2", 5, 5),
    ] {
        let found = house.calls(&care.patient, query).await;
        assert_eq!(found["total"], own, "{query}");
        let found = house.calls(&care.doctor, query).await;
        assert_eq!(found["total"], theirs, "{query}");
    }
    for (query, field) in [
        ("?page=0", "page"),
        ("?per_page=0", "per_page"),
        ("?call_type=fax", "call_type"),
        ("?status=over", "status"),
        ("?direction=up", "direction"),
        ("?date_from=yesterday", "date_from"),
        ("?date_to=2030-13-01", "date_to"),
        ("?date_from=2030-01-08&date_to=2030-01-07", "date_to"),
    ] {
        let path = format!("/call-history{query}");
        let answer = house.api("GET", &path, &care.patient.token, None).await;
        assert_eq!(
            answer.failed(400, "VALIDATION_ERROR")["field"],
            field,
            "{query}"
        );
    }
}

#[tokio::test]
async fn a_day_is_a_whole_day_in_utc() {
    let house = House::open().await;
    let care = house.care().await;
    // The last instant of a day.
    let last = Duration::from_secs(16 * 3600 - 5) - Duration::from_micros(1);
    house.clock.advance(last);
    let call = house.begun(&care.patient, &care.doctor).await;
    house
        .to_call(&care.patient, &call, "hangup", json!({}))
        .await
        .data(200);
    for (query, found) in [
        ("?date_to=2030-01-07", 1),
        ("?date_from=2030-01-07", 1),
        ("?date_from=2030-01-08", 0),
        ("?date_to=2030-01-06", 0),
    ] {
        assert_eq!(
            house.calls(&care.doctor, query).await["total"],
            found,
            "{query}"
        );
    }
}

#[tokio::test]
async fn administrators_look_at_a_call_and_list_none_of_others() {
    let house = House::open().await;
    let care = house.lived().await;
    let admin = Person {
        token: house.admin.clone(),
        ..care.patient.clone()
    };
    let page = house.calls(&care.patient, "?status=cancelled").await;
    let path = format!(
        "/call-history/{}",
        page["calls"][0]["call_id"].as_str().unwrap()
    );
    let detail = house.api("GET", &path, &admin.token, None).await.data(200);
    assert_eq!(
        (&detail["status"], &detail["direction"]),
        (&json!("cancelled"), &Value::Null)
    );
    assert_eq!(house.calls(&admin, "").await["total"], 0);
    assert_eq!(house.figures(&admin, "").await["total_calls"], 0);
}

#[tokio::test]
async fn figures_count_what_concerns_each_side() {
    let house = House::open().await;
    let care = house.lived().await;
    let expected = |missed: u32, cancelled: u32| {
        json!({"total_calls": 5, "completed_calls": 1, "missed_calls": missed, "declined_calls": 1,
            "failed_calls": 0, "busy_calls": 0, "cancelled_calls": cancelled, "video_calls": 4,
            "voice_calls": 1, "average_duration": 61})
    };
    for query in [
        "",
        "?period=7d",
        "?period=30d",
        "?period=90d",
        "?period=all",
        "?period=1d",
    ] {
        assert_eq!(
            house.figures(&care.patient, query).await,
            expected(0, 1),
            "{query}"
        );
    }
    // What the caller has cancelled, the callee has missed.
    assert_eq!(house.figures(&care.doctor, "").await, expected(2, 0));
    house.advance(2 * 24);
    assert_eq!(
        house.figures(&care.patient, "?period=1d").await["total_calls"],
        0
    );
    assert_eq!(
        house.figures(&care.patient, "?period=3d").await["total_calls"],
        5
    );
    for query in [
        "?period=0d",
        "?period=week",
        "?period=-1d",
        "?period=99999999999d",
    ] {
        let path = format!("/call-statistics{query}");
        let answer = house.api("GET", &path, &care.patient.token, None).await;
        assert_eq!(
            answer.failed(400, "VALIDATION_ERROR")["field"],
            "period",
            "{query}"
        );
    }
}
