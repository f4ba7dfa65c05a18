//! Who can be reached.

use std::time::Duration;

use super::*;

impl House {
    async fn say_presence(&self, by: &Person, body: Value) -> Answer {
        self.api("POST", "/presence/update", &by.token, Some(body))
            .await
    }

    async fn look(&self, by: &Person, at: &Person) -> Value {
        let path = format!("/presence/{}", at.id);
        self.api("GET", &path, &by.token, None).await.data(200)
    }

    async fn online(&self, by: &Person, query: &str) -> Vec<Value> {
        let path = format!("/presence/online-users{query}");
        let listed = self.api("GET", &path, &by.token, None).await.data(200);
        // A bare list.
        listed.as_array().unwrap().clone()
    }
}

fn ids(listed: &[Value]) -> Vec<i64> {
    listed
        .iter()
        .map(|one| one["user_id"].as_i64().unwrap())
        .collect()
}

#[tokio::test]
async fn what_is_said_over_http_is_believed_for_ninety_seconds() {
    let house = House::open().await;
    let care = house.care().await;
    let never = house.look(&care.patient, &care.doctor).await;
    let nothing = json!({"user_id": care.doctor.id, "status": "offline", "last_seen": null,
        "current_call_id": null, "current_appointment_id": null, "device_type": null});
    assert_eq!(never, nothing);
    let said = house
        .say_presence(&care.doctor, json!({"status": "away"}))
        .await
        .data(200);
    let heard = "2030-01-07T08:00:00Z";
    assert_eq!(
        said,
        json!({"user_id": care.doctor.id, "status": "away", "last_heartbeat": heard})
    );
    house.clock.advance(Duration::from_millis(89_999));
    let seen = house.look(&care.patient, &care.doctor).await;
    assert_eq!(
        (&seen["status"], &seen["last_seen"], &seen["device_type"]),
        (&json!("away"), &json!(heard), &json!("web"))
    );
    house.clock.advance(Duration::from_millis(1));
    let seen = house.look(&care.patient, &care.doctor).await;
    assert_eq!(
        (&seen["status"], &seen["last_seen"]),
        (&json!("offline"), &json!(heard))
    );
    // Said again it goes on, and offline is offline at once.
    house
        .say_presence(&care.doctor, json!({"status": "online"}))
        .await
        .data(200);
    assert_eq!(
        house.look(&care.patient, &care.doctor).await["status"],
        "online"
    );
    house
        .say_presence(&care.doctor, json!({"status": "offline"}))
        .await
        .data(200);
    assert_eq!(
        house.look(&care.patient, &care.doctor).await["status"],
        "offline"
    );
}

#[tokio::test]
async fn of_several_devices_the_strongest_counts() {
    let house = House::open().await;
    let care = house.care().await;
    let phone = house.elsewhere(&care.doctor).await;
    let body = json!({"status": "idle", "device_type": "phone", "device_id": "p"});
    house.say_presence(&phone, body).await.data(200);
    let seen = house.look(&care.patient, &care.doctor).await;
    assert_eq!(
        (&seen["status"], &seen["device_type"]),
        (&json!("idle"), &json!("phone"))
    );
    for (status, counts) in [
        ("away", "idle"),
        ("online", "online"),
        ("busy", "busy"),
        ("do_not_disturb", "do_not_disturb"),
        ("offline", "idle"),
    ] {
        let said = house
            .say_presence(&care.doctor, json!({"status": status}))
            .await;
        assert_eq!(said.data(200)["status"], counts, "{status}");
        assert_eq!(
            house.look(&care.patient, &care.doctor).await["status"],
            counts
        );
    }
}

#[tokio::test]
async fn contacts_look_and_the_call_shows_to_its_parties() {
    let house = House::open().await;
    let care = house.care().await;
    let outsider = house.patient().await;
    let path = format!("/presence/{}", care.doctor.id);
    let foreign = house.api("GET", &path, &outsider.token, None).await;
    let unknown = house
        .api("GET", "/presence/99999", &outsider.token, None)
        .await;
    assert_eq!(
        foreign.failed(404, "NOT_FOUND")["message"],
        unknown.failed(404, "NOT_FOUND")["message"]
    );
    // Another contact of the doctor, who takes no part in the call.
    let body = json!({"participant_id": care.doctor.id});
    house
        .api(
            "POST",
            "/messages/conversations",
            &outsider.token,
            Some(body),
        )
        .await
        .data(200);
    let call = house.begun(&care.patient, &care.doctor).await;
    let appointment = care.appointment;
    let body = json!({"status": "online", "current_call_id": call["call_id"],
        "current_appointment_id": appointment.to_string()});
    let said = house.say_presence(&care.doctor, body).await.data(200);
    assert_eq!(said["status"], "busy", "a live call");
    for (person, call, appointment) in [
        (&care.patient, call["call_id"].clone(), json!(appointment)),
        (&care.doctor, call["call_id"].clone(), json!(appointment)),
        (&outsider, Value::Null, Value::Null),
    ] {
        let seen = house.look(person, &care.doctor).await;
        assert_eq!(seen["status"], "busy");
        assert_eq!(
            (&seen["current_call_id"], &seen["current_appointment_id"]),
            (&call, &appointment)
        );
    }
    let admin = Person {
        token: house.admin.clone(),
        ..outsider
    };
    let seen = house.look(&admin, &care.doctor).await;
    assert_eq!(
        (&seen["status"], &seen["current_call_id"]),
        (&json!("busy"), &Value::Null)
    );
    house
        .to_call(&care.doctor, &call, "hangup", json!({}))
        .await
        .data(200);
    assert_eq!(
        house.look(&care.patient, &care.doctor).await["status"],
        "online"
    );
}

#[tokio::test]
async fn contacts_are_listed_and_doctors_with_their_status_only() {
    let house = House::open().await;
    let care = house.care().await;
    let other = house.care().await;
    for person in [&care.doctor, &care.patient, &other.doctor, &other.patient] {
        house
            .say_presence(person, json!({"status": "online"}))
            .await
            .data(200);
    }
    assert_eq!(
        ids(&house.online(&care.patient, "").await),
        [care.doctor.id]
    );
    assert_eq!(
        ids(&house.online(&care.doctor, "/?role=patient").await),
        [care.patient.id]
    );
    assert!(
        house
            .online(&care.patient, "?role=patient")
            .await
            .is_empty()
    );
    let doctors = house.online(&care.patient, "?role=doctor").await;
    assert_eq!(ids(&doctors), [care.doctor.id, other.doctor.id]);
    assert_eq!(
        doctors[0],
        json!({"user_id": care.doctor.id, "name": "A doctor", "role": "doctor",
            "status": "online", "last_seen": "2030-01-07T08:00:00Z", "device_type": "web"})
    );
    assert_eq!(
        doctors[1],
        json!({"user_id": other.doctor.id, "name": "A doctor", "role": "doctor",
            "status": "online", "last_seen": null, "device_type": null})
    );
    house
        .say_presence(&care.doctor, json!({"status": "offline"}))
        .await
        .data(200);
    assert!(house.online(&care.patient, "").await.is_empty());
    let answer = house.api(
        "GET",
        "/presence/online-users?role=nurse",
        &care.patient.token,
        None,
    );
    assert_eq!(
        answer.await.failed(400, "VALIDATION_ERROR")["field"],
        "role"
    );
}

#[tokio::test]
async fn what_is_said_is_checked() {
    let house = House::open().await;
    let care = house.care().await;
    let other = house.care().await;
    let foreign = house.begun(&other.patient, &other.doctor).await["call_id"].clone();
    for (body, field) in [
        (json!({}), "status"),
        (json!({"status": "here"}), "status"),
        (json!({"status": 1}), "status"),
        (
            json!({"status": "online", "current_call_id": foreign}),
            "current_call_id",
        ),
        (
            json!({"status": "online", "current_call_id": "nothing"}),
            "current_call_id",
        ),
        (
            json!({"status": "online", "current_appointment_id": other.appointment}),
            "current_appointment_id",
        ),
        (
            json!({"status": "online", "current_appointment_id": 99999}),
            "current_appointment_id",
        ),
        (
            json!({"status": "online", "current_appointment_id": "x"}),
            "current_appointment_id",
        ),
        (
            json!({"status": "online", "device_type": "x".repeat(33)}),
            "device_type",
        ),
        (
            json!({"status": "online", "device_id": "\u{7}"}),
            "device_id",
        ),
    ] {
        let answer = house.say_presence(&care.patient, body.clone()).await;
        assert_eq!(
            answer.failed(400, "VALIDATION_ERROR")["field"],
            field,
            "{body}"
        );
    }
    assert_eq!(
        house.look(&care.patient, &care.patient).await["status"],
        "offline"
    );
    let answer = house
        .api("GET", "/presence/x", &care.patient.token, None)
        .await;
    assert_eq!(answer.failed(400, "VALIDATION_ERROR")["field"], "user_id");
    // An administrator is in no call.
    let admin = Person {
        token: house.admin.clone(),
        ..care.patient.clone()
    };
    let body = json!({"status": "online", "current_call_id": foreign});
    let answer = house.say_presence(&admin, body).await;
    assert_eq!(
        answer.failed(400, "VALIDATION_ERROR")["field"],
        "current_call_id"
    );
    house
        .say_presence(&admin, json!({"status": "online"}))
        .await
        .data(200);
}
