//! The quality of calls.

use std::time::Duration;

use super::*;

/// A call that both have answered.
async fn answered(house: &House) -> (Care, Value) {
    let care = house.care().await;
    let call = house.begun(&care.patient, &care.doctor).await;
    house
        .to_call(&care.doctor, &call, "accept", json!({}))
        .await
        .data(200);
    (care, call)
}

impl House {
    async fn measure(&self, by: &Person, call: &Value, body: Value) -> Answer {
        self.to_call(by, call, "quality-metrics", body).await
    }
}

#[tokio::test]
async fn a_sample_is_answered_and_listed() {
    let house = House::open().await;
    let (care, call) = answered(&house).await;
    let full = json!({"rtt": 45, "packet_loss": 0.2, "jitter": 8.0, "audio_bitrate": 128,
        "video_bitrate": "2500", "video_resolution": "1280x720", "video_framerate": 30,
        "cpu_usage": 25.5, "memory_usage": 512, "audio_quality": "good",
        "video_quality": "excellent"});
    let sample = house.measure(&care.patient, &call, full.clone()).await;
    // Whole figures stay whole, to the letter.
    let text = String::from_utf8(sample.body.clone()).unwrap();
    assert!(text.contains(r#""rtt":45,"packet_loss":0.2"#), "{text}");
    let sample = sample.data(200);
    assert_eq!(
        sample,
        json!({"metric_id": sample["metric_id"], "call_id": call["call_id"],
            "user_id": care.patient.id, "rtt": 45, "packet_loss": 0.2, "audio_quality": "good",
            "video_quality": "excellent", "timestamp": "2030-01-07T08:00:05Z"})
    );
    // What the client does not grade is graded by what it has measured.
    house.clock.advance(Duration::from_secs(1));
    let graded = house
        .measure(&care.doctor, &call, json!({"rtt": 300}))
        .await
        .data(200);
    assert_eq!(
        (
            &graded["audio_quality"],
            &graded["video_quality"],
            &graded["packet_loss"]
        ),
        (&json!("fair"), &json!("fair"), &Value::Null)
    );
    let path = format!(
        "/calls/{}/quality-metrics",
        call["call_id"].as_str().unwrap()
    );
    for token in [&care.patient.token, &care.doctor.token, &house.admin] {
        let listed = house.api("GET", &path, token, None).await.data(200);
        let mut first = full.clone();
        for (name, value) in [
            ("metric_id", sample["metric_id"].clone()),
            ("user_id", json!(care.patient.id)),
            ("user_name", json!("A patient")),
            ("jitter", json!(8)),
            ("video_bitrate", json!(2500)),
            ("timestamp", sample["timestamp"].clone()),
        ] {
            first[name] = value;
        }
        assert_eq!(listed[0], first);
        assert_eq!(listed[1]["user_name"], "A doctor");
        assert_eq!(listed.as_array().unwrap().len(), 2);
    }
    let path = format!("/call-history/{}", call["call_id"].as_str().unwrap());
    let detail = house
        .api("GET", &path, &care.doctor.token, None)
        .await
        .data(200);
    assert_eq!(
        detail["quality_metrics"],
        json!({
            care.patient.id.to_string(): {"rtt": 45, "packet_loss": 0.2, "audio_quality": "good"},
            care.doctor.id.to_string(): {"rtt": 300, "packet_loss": null, "audio_quality": "fair"},
        })
    );
    assert_eq!(detail["quality_assessment"], "fair");
}

#[tokio::test]
async fn figures_out_of_their_range_are_named() {
    let house = House::open().await;
    let (care, call) = answered(&house).await;
    for (body, field) in [
        (json!({}), "rtt"),
        (json!({"rtt": null, "audio_quality": ""}), "rtt"),
        (json!({"rtt": -1}), "rtt"),
        (json!({"rtt": 600_001}), "rtt"),
        (json!({"rtt": "NaN"}), "rtt"),
        (json!({"rtt": "fast"}), "rtt"),
        (json!({"rtt": [1]}), "rtt"),
        (json!({"rtt": true}), "rtt"),
        (json!({"packet_loss": 100.1}), "packet_loss"),
        (json!({"rtt": 1, "packet_loss": -0.1}), "packet_loss"),
        (json!({"jitter": -1}), "jitter"),
        (json!({"audio_bitrate": -1}), "audio_bitrate"),
        (json!({"video_bitrate": 1e300}), "video_bitrate"),
        (json!({"video_resolution": "big"}), "video_resolution"),
        (json!({"video_resolution": "0x0"}), "video_resolution"),
        (json!({"video_framerate": 1001}), "video_framerate"),
        (json!({"cpu_usage": 101}), "cpu_usage"),
        (json!({"memory_usage": -1}), "memory_usage"),
        (json!({"audio_quality": "superb"}), "audio_quality"),
        (json!({"video_quality": 1}), "video_quality"),
    ] {
        let answer = house.measure(&care.doctor, &call, body.clone()).await;
        assert_eq!(
            answer.failed(400, "VALIDATION_ERROR")["field"],
            field,
            "{body}"
        );
    }
    let nothing = house.measure(&care.doctor, &call, json!({})).await;
    assert_eq!(
        nothing.json()["message"],
        "rtt: or another figure is required"
    );
    // At the ends of the ranges; and a grade alone is something.
    for body in [
        json!({"rtt": 0, "packet_loss": 100, "cpu_usage": 100}),
        json!({"audio_quality": "poor"}),
        json!({"memory_usage": 1}),
    ] {
        house.clock.advance(Duration::from_secs(1));
        house.measure(&care.doctor, &call, body).await.data(200);
    }
}

#[tokio::test]
async fn each_party_measures_each_call_once_a_second() {
    let house = House::open().await;
    let (care, call) = answered(&house).await;
    let rtt = || json!({"rtt": 10});
    house.measure(&care.patient, &call, rtt()).await.data(200);
    // The other party is counted by itself.
    house.measure(&care.doctor, &call, rtt()).await.data(200);
    house.clock.advance(Duration::from_millis(999));
    for person in [&care.patient, &house.elsewhere(&care.patient).await] {
        let answer = house.measure(person, &call, rtt()).await;
        answer.failed(429, "RATE_LIMITED");
        assert_eq!(answer.header("retry-after"), "1");
    }
    house.clock.advance(Duration::from_millis(1));
    house.measure(&care.patient, &call, rtt()).await.data(200);
    // So is another call, and one that goes by two names is one.
    house
        .to_call(&care.patient, &call, "hangup", json!({}))
        .await
        .data(200);
    house.clock.advance(Duration::from_secs(5));
    let body = json!({"callee_id": care.doctor.id, "call_type": "voice", "client_call_id": "own"});
    let next = house.api("POST", "/calls/initiate", &care.patient.token, Some(body));
    let next = next.await.data(200);
    house
        .to_call(&care.doctor, &next, "accept", json!({}))
        .await
        .data(200);
    house.measure(&care.patient, &call, rtt()).await.data(200);
    house.measure(&care.patient, &next, rtt()).await.data(200);
    let answer = house.measure(&care.patient, &json!("own"), rtt()).await;
    answer.failed(429, "RATE_LIMITED");
    // Without a picture there is nothing to grade.
    house.clock.advance(Duration::from_secs(1));
    let sample = house.measure(&care.patient, &next, rtt()).await.data(200);
    assert_eq!(sample["video_quality"], Value::Null);
}

#[tokio::test]
async fn what_was_never_answered_has_no_quality() {
    let house = House::open().await;
    let care = house.care().await;
    let call = house.begun(&care.patient, &care.doctor).await;
    let refused = house.measure(&care.patient, &call, json!({"rtt": 1})).await;
    let details = json!({"call_id": call["call_id"], "status": "initiated"});
    assert_eq!(refused.failed(409, "CONFLICT")["details"], details);
    let path = format!(
        "/calls/{}/quality-metrics",
        call["call_id"].as_str().unwrap()
    );
    let listed = house.api("GET", &path, &care.patient.token, None).await;
    assert_eq!(listed.data(200), json!([]));
}
