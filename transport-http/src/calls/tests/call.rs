//! Calls: begun, accepted, declined, ended; and the servers for them.

use std::time::Duration;

use telemed_core::Settings;
use telemed_core::calls::IceSettings;
use telemed_core::env::Clock;
use telemed_core::journal::LocalBus;

use super::*;
use crate::router::RouterConfig;

impl House {
    async fn initiate(&self, by: &Person, body: Value) -> Answer {
        self.api("POST", "/calls/initiate", &by.token, Some(body))
            .await
    }

    async fn detail(&self, by: &Person, call: &Value) -> Value {
        let path = format!("/call-history/{}", call["call_id"].as_str().unwrap());
        self.api("GET", &path, &by.token, None).await.data(200)
    }

    /// How a call looks to its caller and to its callee.
    async fn looks(&self, care: &Care, call: &Value) -> [Value; 2] {
        let patient = self.detail(&care.patient, call).await["status"].clone();
        [
            patient,
            self.detail(&care.doctor, call).await["status"].clone(),
        ]
    }
}

#[tokio::test]
async fn a_call_goes_its_way_without_any_socket() {
    let house = House::open().await;
    let care = house.care().await;
    let body = json!({"callee_id": care.doctor.id.to_string(), "call_type": "audio",
        "appointment_id": care.appointment});
    let begun = house.initiate(&care.patient, body).await.data(200);
    assert_eq!(begun["status"], "initiated");
    assert_eq!(
        (&begun["glare"], &begun["ice_servers"]),
        (&json!(false), &json!([]))
    );
    let room = format!("room-{}", begun["call_id"].as_str().unwrap());
    assert_eq!(begun["room_id"], room);
    house.clock.advance(Duration::from_secs(3));
    let accepted = house
        .to_call(&care.doctor, &begun, "accept", json!({}))
        .await;
    let accepted = accepted.data(200);
    // It goes straight to connected, and is answered as accepted all the same.
    assert_eq!(accepted["status"], "accepted");
    assert_eq!(
        (
            &accepted["call_id"],
            &accepted["room_id"],
            &accepted["ice_servers"]
        ),
        (&begun["call_id"], &json!(room), &json!([]))
    );
    assert_eq!(house.looks(&care, &begun).await, ["connected", "connected"]);
    house.clock.advance(Duration::from_millis(45_900));
    let body = json!({"reason": "user_hangup", "duration": 300.7});
    let ended = house.to_call(&care.patient, &begun, "hangup", body).await;
    let summary = &ended.data(200)["call_summary"];
    assert_eq!(
        (
            &summary["status"],
            &summary["duration"],
            &summary["end_reason"]
        ),
        (&json!("completed"), &json!(45), &json!("user_hangup"))
    );
    assert_eq!(
        (&summary["call_id"], &summary["call_type"]),
        (&begun["call_id"], &json!("voice"))
    );
    let detail = house.detail(&care.doctor, &begun).await;
    for (field, expected) in [
        ("caller_id", json!(care.patient.id)),
        ("callee_id", json!(care.doctor.id)),
        ("call_type", json!("voice")),
        ("status", json!("completed")),
        ("direction", json!("incoming")),
        ("duration", json!(45)),
        ("appointment_id", json!(care.appointment)),
        ("initiated_at", json!("2030-01-07T08:00:00Z")),
        ("accepted_at", json!("2030-01-07T08:00:03Z")),
        ("connected_at", json!("2030-01-07T08:00:03Z")),
        ("ended_at", json!("2030-01-07T08:00:48.9Z")),
        ("end_reason", json!("user_hangup")),
        ("quality_metrics", json!({})),
        ("quality_assessment", Value::Null),
    ] {
        assert_eq!(detail[field], expected, "{field}");
    }
}

#[tokio::test]
async fn who_is_called_and_how_is_checked() {
    let house = House::open().await;
    let care = house.care().await;
    let stranger = house.patient().await;
    let other = house.care().await;
    let (doctor, patient) = (care.doctor.id, care.patient.id);
    for (body, field) in [
        (json!({}), "callee_id"),
        (json!({"call_type": "video"}), "callee_id"),
        (json!({"callee_id": doctor}), "call_type"),
        (
            json!({"callee_id": doctor, "call_type": "fax"}),
            "call_type",
        ),
        (json!({"callee_id": doctor, "call_type": 1}), "call_type"),
        (json!({"callee_id": "x", "call_type": "video"}), "callee_id"),
        (json!({"callee_id": 0, "call_type": "video"}), "callee_id"),
        (
            json!({"callee_id": doctor, "call_type": "video", "appointment_id": -1}),
            "appointment_id",
        ),
        (
            json!({"callee_id": doctor, "call_type": "video", "client_call_id": "x".repeat(129)}),
            "client_call_id",
        ),
        (
            json!({"callee_id": doctor, "call_type": "video", "device_id": "a\u{0}"}),
            "device_id",
        ),
    ] {
        // What has a wrong shape is not counted.
        let answer = house.initiate(&care.patient, body.clone()).await;
        assert_eq!(
            answer.failed(400, "VALIDATION_ERROR")["field"],
            field,
            "{body}"
        );
    }
    let video = |callee: i64| json!({"callee_id": callee, "call_type": "video"});
    for (body, status, code) in [
        (video(patient), 400, "VALIDATION_ERROR"),
        (
            json!({"callee_id": doctor, "call_type": "video", "appointment_id": other.appointment}),
            400,
            "VALIDATION_ERROR",
        ),
        (
            json!({"callee_id": doctor, "call_type": "video", "appointment_id": 9999}),
            400,
            "VALIDATION_ERROR",
        ),
        (video(other.doctor.id), 403, "FORBIDDEN"),
        (video(stranger.id), 403, "FORBIDDEN"),
        (video(99_999), 404, "NOT_FOUND"),
    ] {
        house.clock.advance(Duration::from_secs(5));
        house
            .initiate(&care.patient, body)
            .await
            .failed(status, code);
    }
    house.clock.advance(Duration::from_secs(5));
    let admin = Person {
        token: house.admin.clone(),
        ..stranger
    };
    house
        .initiate(&admin, video(doctor))
        .await
        .failed(403, "FORBIDDEN");
    assert_eq!(
        house
            .api("POST", "/calls/initiate", "no token", Some(video(doctor)))
            .await
            .status,
        401
    );
    // Nothing of it was begun.
    let listed = house
        .api("GET", "/call-history", &care.doctor.token, None)
        .await;
    assert_eq!(listed.data(200)["total"], 0);
}

#[tokio::test]
async fn a_user_begins_one_call_in_five_seconds() {
    let house = House::open().await;
    let care = house.care().await;
    let body = json!({"callee_id": care.doctor.id, "call_type": "video"});
    let begun = house.initiate(&care.patient, body.clone()).await.data(200);
    house
        .to_call(&care.patient, &begun, "hangup", json!({}))
        .await
        .data(200);
    house.clock.advance(Duration::from_millis(4900));
    let answer = house.initiate(&care.patient, body.clone()).await;
    answer.failed(429, "RATE_LIMITED");
    assert_eq!(answer.header("retry-after"), "1");
    // The other one is counted by himself.
    let back = json!({"callee_id": care.patient.id, "call_type": "video"});
    let back = house.initiate(&care.doctor, back).await.data(200);
    house
        .to_call(&care.doctor, &back, "hangup", json!({}))
        .await
        .data(200);
    house.clock.advance(Duration::from_millis(100));
    house.initiate(&care.patient, body).await.data(200);
}

#[tokio::test]
async fn who_is_busy_is_told_which_call_stands_in_the_way() {
    let house = House::open().await;
    let care = house.care().await;
    let practice = house.practice().await;
    let slot = house.slot(&practice, "2030-01-08T11:00", 2).await;
    let second = house.patient().await;
    house.booked(&second, slot).await;
    house.booked(&care.patient, slot).await;
    let call = house.begun(&care.patient, &care.doctor).await;

    house.clock.advance(Duration::from_secs(5));
    let to = |callee: &Person| json!({"callee_id": callee.id, "call_type": "video"});
    let refused = house.initiate(&care.patient, to(&practice.doctor)).await;
    let refused = refused.failed(409, "CONFLICT");
    assert_eq!(
        refused["details"],
        json!({"call_id": call["call_id"], "status": "initiated"})
    );
    assert_eq!(refused["message"], "You are in another call");

    let refused = house.initiate(&practice.doctor, to(&care.patient)).await;
    let refused = refused.failed(409, "CONFLICT");
    let busy = refused["details"].clone();
    assert_eq!(busy["status"], "busy");
    assert_ne!(
        busy["call_id"], call["call_id"],
        "of others' calls nothing shows"
    );
    assert_eq!(refused["message"], "The other party is busy");
    let care = Care {
        doctor: care.patient,
        patient: practice.doctor,
        ..care
    };
    assert_eq!(house.looks(&care, &busy).await, ["busy", "missed"]);

    // Who does not want to be disturbed is not called.
    let says = json!({"status": "do_not_disturb"});
    let token = &care.patient.token;
    house
        .api("POST", "/presence/update", token, Some(says))
        .await
        .data(200);
    let refused = house.initiate(&second, to(&care.patient)).await;
    assert_eq!(refused.failed(409, "CONFLICT")["details"]["status"], "busy");
}

#[tokio::test]
async fn one_device_of_the_callee_answers() {
    let house = House::open().await;
    let care = house.care().await;
    let call = house.begun(&care.patient, &care.doctor).await;
    let accept = async |by: &Person, body: Value| house.to_call(by, &call, "accept", body).await;
    accept(&care.patient, json!({}))
        .await
        .failed(403, "FORBIDDEN");
    let answer = accept(&care.doctor, json!({"device_id": "x".repeat(129)})).await;
    assert_eq!(answer.failed(400, "VALIDATION_ERROR")["field"], "device_id");
    let path = format!("/calls/{}/accept", call["call_id"].as_str().unwrap());
    let first = house
        .api("POST", &path, &care.doctor.token, None)
        .await
        .data(200);
    // The same device again is answered alike, another one is not.
    assert_eq!(accept(&care.doctor, json!({})).await.data(200), first);
    let other = house.elsewhere(&care.doctor).await;
    let refused = accept(&other, json!({})).await.failed(409, "CONFLICT");
    let details = json!({"call_id": call["call_id"], "status": "connected"});
    assert_eq!(refused["details"], details);
    accept(&care.doctor, json!({"device_id": "phone"}))
        .await
        .failed(409, "CONFLICT");
    house
        .to_call(&other, &call, "hangup", json!({}))
        .await
        .data(200);
    let refused = accept(&care.doctor, json!({}))
        .await
        .failed(409, "CONFLICT");
    assert_eq!(refused["details"]["status"], "ended");
    assert_eq!(refused["message"], "The call is ended");
    let bearer = format!("Bearer {}", care.doctor.token);
    let asked = [
        ("authorization", bearer.as_str()),
        ("accept-language", "ar"),
    ];
    let refused = house.ask("POST", &path, &asked, Some(&json!({}))).await;
    assert_eq!(refused.failed(409, "CONFLICT")["message"], "المكالمة انتهت");
}

#[tokio::test]
async fn a_call_of_others_is_not_there() {
    let house = House::open().await;
    let care = house.care().await;
    let outsider = house.patient().await;
    let admin = Person {
        token: house.admin.clone(),
        ..outsider.clone()
    };
    let call = house.begun(&care.patient, &care.doctor).await;
    let known = call["call_id"].as_str().unwrap();
    let unknown = "0193b3a4-7d3e-7c3a-8f00-0000000000ca";
    let rtt = json!({"rtt": 1});
    for (method, path, body) in [
        ("POST", "/calls/{id}/accept", Some(json!({}))),
        ("POST", "/calls/{id}/decline", Some(json!({}))),
        ("POST", "/calls/{id}/hangup", Some(json!({}))),
        ("POST", "/calls/{id}/quality-metrics", Some(rtt)),
        ("GET", "/calls/{id}/quality-metrics", None),
        ("GET", "/call-history/{id}", None),
    ] {
        let asked = async |id: &str, by: &Person| {
            let answer = house
                .api(method, &path.replace("{id}", id), &by.token, body.clone())
                .await;
            let mut said = answer.json();
            said["timestamp"] = Value::Null;
            (answer.status, said.to_string().replace(id, "ID"))
        };
        let foreign = asked(known, &outsider).await;
        assert_eq!(foreign.0, 404, "{path}");
        assert_eq!(foreign, asked(unknown, &outsider).await, "{path}");
        // Administrators see figures and times, and do nothing.
        let expected = if method == "GET" { 200 } else { 403 };
        assert_eq!(asked(known, &admin).await.0, expected, "{path}");
    }
    assert_eq!(house.looks(&care, &call).await, ["initiated", "initiated"]);
}

#[tokio::test]
async fn a_callee_declines_for_a_reason() {
    let house = House::open().await;
    let care = house.care().await;
    for (body, looks, reason) in [
        (json!({}), "declined", "user_declined"),
        (
            json!({"reason": "user_declined"}),
            "declined",
            "user_declined",
        ),
        (json!({"reason": "busy"}), "declined", "busy"),
        (json!({"reason": "rejected"}), "declined", "rejected"),
        (
            json!({"reason": "connection_failed"}),
            "declined",
            "connection_failed",
        ),
        (json!({"reason": "unanswered"}), "missed", "unanswered"),
    ] {
        let call = house.begun(&care.patient, &care.doctor).await;
        house
            .to_call(&care.patient, &call, "decline", body.clone())
            .await
            .failed(403, "FORBIDDEN");
        for wrong in [json!({"reason": "network_error"}), json!({"reason": 7})] {
            let answer = house.to_call(&care.doctor, &call, "decline", wrong).await;
            assert_eq!(answer.failed(400, "VALIDATION_ERROR")["field"], "reason");
        }
        let declined = house
            .to_call(&care.doctor, &call, "decline", body.clone())
            .await;
        assert_eq!(declined.data(200), json!({}));
        assert_eq!(house.looks(&care, &call).await, [looks, looks], "{body}");
        assert_eq!(
            house.detail(&care.patient, &call).await["end_reason"],
            reason
        );
        // Declined again, for whatever reason, it stays.
        let again = json!({"reason": "busy"});
        house
            .to_call(&care.doctor, &call, "decline", again)
            .await
            .data(200);
        assert_eq!(
            house.detail(&care.patient, &call).await["end_reason"],
            reason
        );
    }
    let call = house.begun(&care.patient, &care.doctor).await;
    house
        .to_call(&care.doctor, &call, "accept", json!({}))
        .await
        .data(200);
    let refused = house
        .to_call(&care.doctor, &call, "decline", json!({}))
        .await;
    let refused = refused.failed(409, "CONFLICT");
    assert_eq!(
        refused["details"],
        json!({"call_id": call["call_id"], "status": "connected"})
    );
}

#[tokio::test]
async fn either_party_hangs_up_at_any_time() {
    let house = House::open().await;
    let care = house.care().await;
    // Before it is answered: the caller cancels, the callee declines or has missed it.
    for (by_caller, body, looks) in [
        (true, json!({}), ["cancelled", "missed"]),
        (
            true,
            json!({"reason": "unanswered"}),
            ["cancelled", "missed"],
        ),
        (
            false,
            json!({"reason": "user_hangup", "duration": 0}),
            ["declined", "declined"],
        ),
        (false, json!({"reason": "unanswered"}), ["missed", "missed"]),
    ] {
        let call = house.begun(&care.patient, &care.doctor).await;
        let by = if by_caller {
            &care.patient
        } else {
            &care.doctor
        };
        let ended = house
            .to_call(by, &call, "hangup", body.clone())
            .await
            .data(200);
        let summary = ended["call_summary"].clone();
        let own = usize::from(!by_caller);
        assert_eq!(
            (&summary["status"], &summary["duration"]),
            (&json!(looks[own]), &json!(0))
        );
        assert_eq!(house.looks(&care, &call).await, looks, "{body}");
        // Both may do so again.
        house.clock.advance(Duration::from_secs(1));
        let again = house
            .to_call(by, &call, "hangup", json!({}))
            .await
            .data(200);
        assert_eq!(again["call_summary"], summary);
        let other = if by_caller {
            &care.doctor
        } else {
            &care.patient
        };
        let theirs = house
            .to_call(other, &call, "hangup", json!({}))
            .await
            .data(200);
        assert_eq!(theirs["call_summary"]["status"], looks[1 - own]);
    }
    let call = house.begun(&care.patient, &care.doctor).await;
    for wrong in [
        json!({"duration": -1}),
        json!({"duration": "long"}),
        json!({"duration": 1e12}),
    ] {
        let answer = house.to_call(&care.doctor, &call, "hangup", wrong).await;
        assert_eq!(answer.failed(400, "VALIDATION_ERROR")["field"], "duration");
    }
    assert_eq!(house.looks(&care, &call).await, ["initiated", "initiated"]);
}

#[tokio::test]
async fn a_clients_own_id_stands_for_its_call() {
    let house = House::open().await;
    let care = house.care().await;
    let own = "web call/7";
    let body = json!({"callee_id": care.doctor.id, "call_type": "video", "client_call_id": own});
    let begun = house.initiate(&care.patient, body.clone()).await.data(200);
    assert_eq!(begun["client_call_id"], own);
    house.clock.advance(Duration::from_secs(5));
    let again = house.initiate(&care.patient, body.clone()).await.data(200);
    assert_eq!(again, begun);
    house.clock.advance(Duration::from_secs(5));
    let other = json!({"callee_id": care.doctor.id, "call_type": "voice", "client_call_id": own});
    house
        .initiate(&care.patient, other)
        .await
        .failed(422, "IDEMPOTENCY_MISMATCH");

    let own = json!("web%20call%2F7");
    house
        .to_call(&care.doctor, &own, "accept", json!({}))
        .await
        .failed(404, "NOT_FOUND");
    house
        .to_call(&care.doctor, &begun, "accept", json!({}))
        .await
        .data(200);
    let sample = house
        .to_call(&care.patient, &own, "quality-metrics", json!({"rtt": 4}))
        .await;
    assert_eq!(sample.data(200)["call_id"], begun["call_id"]);
    let ended = house
        .to_call(&care.patient, &own, "hangup", json!({}))
        .await
        .data(200);
    assert_eq!(ended["call_summary"]["call_id"], begun["call_id"]);
    let path = "/call-history/web%20call%2F7";
    let detail = house
        .api("GET", path, &care.patient.token, None)
        .await
        .data(200);
    assert_eq!(detail["call_id"], begun["call_id"]);
    house
        .api("GET", path, &care.doctor.token, None)
        .await
        .failed(404, "NOT_FOUND");
}

#[tokio::test]
async fn a_key_takes_effect_once() {
    let house = House::open().await;
    let care = house.care().await;
    let keyed = async |by: &Person, path: &str, key: &str, body: Value| {
        house.clock.advance(Duration::from_secs(5));
        let bearer = format!("Bearer {}", by.token);
        let headers = [("authorization", bearer.as_str()), ("idempotency-key", key)];
        house.ask("POST", path, &headers, Some(&body)).await
    };
    let video = json!({"callee_id": care.doctor.id, "call_type": "video"});
    let begun = keyed(&care.patient, "/calls/initiate", "a", video.clone())
        .await
        .data(200);
    let again = keyed(&care.patient, "/calls/initiate", "a", video)
        .await
        .data(200);
    assert_eq!(again["call_id"], begun["call_id"]);
    let voice = json!({"callee_id": care.doctor.id, "call_type": "voice"});
    let other = keyed(&care.patient, "/calls/initiate", "a", voice).await;
    other.failed(422, "IDEMPOTENCY_MISMATCH");
    let path = |what: &str| format!("/calls/{}/{what}", begun["call_id"].as_str().unwrap());
    keyed(&care.doctor, &path("accept"), "b", json!({}))
        .await
        .data(200);
    let sample = keyed(
        &care.doctor,
        &path("quality-metrics"),
        "c",
        json!({"rtt": 40}),
    )
    .await;
    let same = keyed(
        &care.doctor,
        &path("quality-metrics"),
        "c",
        json!({"rtt": 40}),
    )
    .await;
    assert_eq!(same.data(200), sample.data(200));
    let other = keyed(
        &care.doctor,
        &path("quality-metrics"),
        "c",
        json!({"rtt": 41}),
    )
    .await;
    other.failed(422, "IDEMPOTENCY_MISMATCH");
    keyed(&care.doctor, &path("hangup"), "d", json!({}))
        .await
        .data(200);
    // The answer of before, whatever has become of the call.
    keyed(&care.doctor, &path("accept"), "b", json!({}))
        .await
        .data(200);
    let listed = house
        .api("GET", "/call-history", &care.doctor.token, None)
        .await;
    assert_eq!(listed.data(200)["total"], 1);
}

#[tokio::test]
async fn two_who_call_each_other_meet() {
    let house = House::open().await;
    let care = house.care().await;
    let call = house.begun(&care.patient, &care.doctor).await;
    let back = json!({"callee_id": care.patient.id, "call_type": "video"});
    let met = house.initiate(&care.doctor, back).await.data(200);
    assert_eq!(
        (&met["call_id"], &met["glare"], &met["status"]),
        (&call["call_id"], &json!(true), &json!("accepted"))
    );
    assert_eq!(house.looks(&care, &call).await, ["connected", "connected"]);
}

#[tokio::test]
async fn relays_are_given_to_the_parties_of_a_live_call() {
    let servers = ["stun:stun.example:3478", "turn:turn.example:3478"];
    let ice = IceSettings::new(
        servers.map(str::to_owned).to_vec(),
        Some(b"secret".to_vec()),
        Duration::from_secs(600),
    );
    let settings = Settings {
        ice: ice.unwrap(),
        ..Settings::default()
    };
    let house = House::settled(LocalBus::default(), RouterConfig::default(), settings).await;
    let care = house.care().await;
    let own = async |by: &Person| {
        let answer = house.api("GET", "/ice/", &by.token, None).await;
        assert_eq!(answer.header("cache-control"), "no-store");
        let body = answer.expect(200);
        assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
        body["iceServers"].clone()
    };
    let stun = json!({"urls": servers[0]});
    assert_eq!(own(&care.patient).await, json!([stun]));
    let call = house.begun(&care.patient, &care.doctor).await;
    let id = call["call_id"].as_str().unwrap();
    let relay = own(&care.patient).await[1].clone();
    let until = house.clock.now().plus(Duration::from_secs(600)).seconds();
    assert_eq!(relay["urls"], servers[1]);
    assert_eq!(relay["username"], format!("{until}:{id}"));
    // The base64 of twenty bytes.
    assert_eq!(relay["credential"].as_str().unwrap().len(), 28);
    assert_eq!(call["ice_servers"], json!([stun, relay]));
    assert_eq!(own(&care.doctor).await, call["ice_servers"]);
    let accepted = house
        .to_call(&care.doctor, &call, "accept", json!({}))
        .await;
    assert_eq!(accepted.data(200)["ice_servers"], call["ice_servers"]);
    assert_eq!(own(&house.patient().await).await, json!([stun]));
    house
        .to_call(&care.doctor, &call, "hangup", json!({}))
        .await
        .data(200);
    assert_eq!(own(&care.doctor).await, json!([stun]));
    assert_eq!(house.ask("GET", "/ice", &[], None).await.status, 401);
}
