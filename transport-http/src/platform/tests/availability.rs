//! Weekly hours and blocked times.

use super::*;

const SCHEDULE: &str = "/availability/schedule";

#[tokio::test]
async fn hours_are_set_and_shown_and_publish_slots() {
    let house = House::open().await;
    let practice = house.practice_with("Africa/Cairo", 20).await;
    let token = &practice.doctor.token;
    let empty = house.api("GET", SCHEDULE, token, None).await.data(200);
    assert_eq!(empty["is_set"], false);
    assert_eq!(
        empty["schedule"]["monday"],
        json!({"start": null, "end": null, "enabled": false})
    );
    let body = json!({
        "schedule": {
            "monday": {"start": "09:00", "end": "10:00", "enabled": true},
            "tuesday": {"start": null, "end": null, "enabled": false},
            "wednesday": [{"start": "09:00", "end": "10:00"}, {"start": "14:00", "end": "15:00"}],
        },
        "timezone": "Africa/Cairo", "slot_minutes": "20", "capacity": 2, "auto_confirm": true,
    });
    let set = house
        .api("PUT", SCHEDULE, token, Some(body.clone()))
        .await
        .data(200);
    assert_eq!(set["is_set"], true);
    assert_eq!(set["timezone"], "Africa/Cairo");
    assert_eq!(
        (&set["slot_minutes"], &set["capacity"]),
        (&json!(20), &json!(2))
    );
    assert_eq!(
        set["schedule"]["monday"],
        json!({"start": "09:00", "end": "10:00", "enabled": true})
    );
    assert_eq!(set["schedule"]["wednesday"][1]["start"], "14:00");
    assert_eq!(set["schedule"]["friday"]["enabled"], false);
    assert_eq!(house.api("GET", SCHEDULE, token, None).await.data(200), set);
    // What was shown can be sent back.
    let again = house
        .api("PUT", SCHEDULE, token, Some(set.clone()))
        .await
        .data(200);
    assert_eq!(again, set);

    let path = format!(
        "/appointments/doctors/{}/availability?date={DAY}",
        practice.doctor.id
    );
    let slots = house.ask("GET", &path, &[], None).await.data(200);
    assert_eq!(slots["available_slots"].as_array().unwrap().len(), 6);
    assert_eq!(slots["available_slots"][0]["capacity"], 2);
    let patient = house.patient().await;
    let visit = house
        .visited(&patient, &practice, &format!("{DAY}T09:20"))
        .await;
    assert_eq!(visit["status"], "confirmed");
    // What is not said stays as it is; booked slots stay too.
    let body = json!({"schedule": {"friday": {"start": "09:00", "end": "10:00"}}});
    let set = house
        .api("PUT", SCHEDULE, token, Some(body))
        .await
        .data(200);
    assert_eq!(
        (&set["slot_minutes"], &set["auto_confirm"]),
        (&json!(20), &json!(true))
    );
    assert_eq!(set["schedule"]["monday"]["enabled"], false);
    let slots = house.ask("GET", &path, &[], None).await.data(200);
    assert_eq!(slots["available_slots"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_wrong_with_hours_is_named() {
    let house = House::open().await;
    let practice = house.practice().await;
    for (body, field) in [
        (json!({}), "schedule"),
        (json!({"schedule": 5}), "schedule"),
        (json!({"schedule": {"monday": 5}}), "schedule.monday"),
        (
            json!({"schedule": {"monday": {"start": "09:00"}}}),
            "schedule.monday.end",
        ),
        (
            json!({"schedule": {"sunday": [{"start": "9h", "end": "10:00"}]}}),
            "schedule.sunday.start",
        ),
        (
            json!({"schedule": {"sunday": {"start": "10:00", "end": "09:00"}}}),
            "schedule.sunday",
        ),
        (
            json!({"schedule": {}, "timezone": "Africa/Cairo"}),
            "timezone",
        ),
        (json!({"schedule": {}, "timezone": "Mars/Base"}), "timezone"),
        (json!({"schedule": {}, "slot_minutes": 1}), "slot_minutes"),
        (json!({"schedule": {}, "capacity": 0}), "capacity"),
        (
            json!({"schedule": {}, "auto_confirm": "yes"}),
            "auto_confirm",
        ),
    ] {
        let answer = house
            .api("PUT", SCHEDULE, &practice.doctor.token, Some(body.clone()))
            .await;
        assert_eq!(
            answer.failed(400, "VALIDATION_ERROR")["field"],
            field,
            "{body}"
        );
    }
}

#[tokio::test]
async fn only_the_doctor_and_administrators_see_and_set_hours() {
    let house = House::open().await;
    let (practice, other) = (house.practice().await, house.practice().await);
    let patient = house.patient().await;
    let body = json!({"schedule": {}, "doctor_id": practice.doctor.id});
    for token in [&patient.token, &other.doctor.token] {
        house
            .api("PUT", SCHEDULE, token, Some(body.clone()))
            .await
            .failed(403, "FORBIDDEN");
    }
    house
        .api("GET", SCHEDULE, &patient.token, None)
        .await
        .failed(403, "FORBIDDEN");
    house
        .api("PUT", SCHEDULE, &house.admin, Some(body))
        .await
        .data(200);
    let path = format!("{SCHEDULE}?doctor_id={}", practice.doctor.id);
    house.api("GET", &path, &house.admin, None).await.data(200);
    let missing = house.api("GET", SCHEDULE, &house.admin, None).await;
    assert_eq!(
        missing.failed(400, "VALIDATION_ERROR")["field"],
        "doctor_id"
    );
}

#[tokio::test]
async fn a_blocked_time_is_free_of_bookings_or_refused_with_them() {
    let house = House::open().await;
    let practice = house.with_hours("Africa/Cairo").await;
    let token = &practice.doctor.token;
    let patient = house.patient().await;
    let visit = house
        .visited(&patient, &practice, &format!("{DAY}T09:00"))
        .await;
    let block = async |body: Value| {
        house
            .api("POST", "/availability/block-time", token, Some(body))
            .await
    };
    let body = json!({"date": DAY, "start_time": "09:00", "end_time": "10:00", "reason": "away"});
    let refused = block(body.clone()).await.failed(409, "CONFLICT");
    assert_eq!(refused["details"]["appointment_ids"], json!([visit["id"]]));
    let mut forced = body.clone();
    forced["cancel_bookings"] = json!(true);
    let blocked = block(forced).await.data(200)["blocked_time"].clone();
    assert_eq!(blocked["starts_at"], format!("{DAY}T07:00:00Z"));
    assert_eq!(
        (&blocked["start_time"], &blocked["reason"]),
        (&json!("09:00"), &json!("away"))
    );
    let path = format!("/appointments/{}", visit["id"]);
    let gone = house
        .api("GET", &path, &patient.token, None)
        .await
        .data(200);
    assert_eq!(gone["appointment"]["status"], "cancelled");
    assert_eq!(gone["appointment"]["cancellation_reason"], "away");
    let shown = house.api("GET", SCHEDULE, token, None).await.data(200);
    assert_eq!(shown["blocked_times"], json!([blocked]));

    let unblock = format!("/availability/unblock-time/{}", blocked["id"]);
    let other = house.practice().await;
    house
        .api("DELETE", &unblock, &other.doctor.token, None)
        .await
        .failed(404, "NOT_FOUND");
    house
        .api("DELETE", &unblock, &patient.token, None)
        .await
        .failed(403, "FORBIDDEN");
    house.api("DELETE", &unblock, token, None).await.data(200);
    house
        .api("DELETE", &unblock, token, None)
        .await
        .failed(404, "NOT_FOUND");
    house
        .visited(&patient, &practice, &format!("{DAY}T09:00"))
        .await;

    // A leave of a whole day.
    let leave = block(json!({"date": "2030-01-10"})).await.data(200);
    assert_eq!(leave["blocked_time"]["end_time"], "24:00");
    for (body, field) in [
        (json!({}), "date"),
        (json!({"date": DAY, "start_time": "x"}), "start_time"),
        (
            json!({"date": DAY, "start_time": "10:00", "end_time": "09:00"}),
            "end_time",
        ),
        (json!({"date": "2020-01-01"}), "date"),
    ] {
        let answer = block(body.clone()).await;
        assert_eq!(
            answer.failed(400, "VALIDATION_ERROR")["field"],
            field,
            "{body}"
        );
    }
}
