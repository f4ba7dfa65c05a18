//! What becomes of appointments.

use super::*;

#[tokio::test]
async fn an_appointment_is_changed_by_one_put() {
    let house = House::open().await;
    let practice = house.with_hours("Africa/Cairo").await;
    let patient = house.patient().await;
    let visit = house
        .visited(&patient, &practice, &format!("{DAY}T09:00"))
        .await;
    let path = format!("/appointments/{}", visit["id"]);
    let put = async |token: &str, body: Value| house.api("PUT", &path, token, Some(body)).await;
    let shown = |answer: Answer| answer.data(200)["appointment"].clone();

    // The whole appointment sent back is no change.
    assert_eq!(
        shown(put(&patient.token, visit.clone()).await)["status"],
        "scheduled"
    );
    let moved = shown(
        put(
            &patient.token,
            json!({"appointment_date": format!("{DAY}T10:00"), "notes": "n"}),
        )
        .await,
    );
    assert_eq!(moved["appointment_date"], format!("{DAY}T08:00:00Z"));
    assert_eq!(moved["notes"], "n");
    assert_eq!(
        shown(put(&patient.token, json!({"notes": null})).await)["notes"],
        Value::Null
    );
    put(&patient.token, json!({"status": "confirmed"}))
        .await
        .failed(403, "FORBIDDEN");
    let confirmed = put(&practice.doctor.token, json!({"status": "confirmed"})).await;
    assert_eq!(shown(confirmed)["status"], "confirmed");
    put(&practice.doctor.token, json!({"status": "confirmed"}))
        .await
        .data(200);
    for status in [
        "scheduled",
        "pending",
        "in_progress",
        "completed",
        "rejected",
    ] {
        let answer = put(&practice.doctor.token, json!({"status": status})).await;
        assert_eq!(
            answer.failed(409, "CONFLICT")["details"]["status"],
            "confirmed",
            "{status}"
        );
    }
    let both = json!({"status": "cancelled", "appointment_date": format!("{DAY}T11:00")});
    assert_eq!(
        put(&patient.token, both)
            .await
            .failed(400, "VALIDATION_ERROR")["field"],
        "status"
    );
    put(&patient.token, json!({"status": "x"}))
        .await
        .failed(400, "VALIDATION_ERROR");
    // A patient who moves a confirmed visit has it confirmed again.
    let moved = shown(
        put(
            &patient.token,
            json!({"appointment_date": format!("{DAY}T11:00")}),
        )
        .await,
    );
    assert_eq!(moved["status"], "scheduled");
    let gone = shown(
        put(
            &practice.doctor.token,
            json!({"status": "rejected", "reason": "no"}),
        )
        .await,
    );
    assert_eq!(
        (&gone["status"], &gone["cancellation_reason"]),
        (&json!("rejected"), &json!("no"))
    );
}

#[tokio::test]
async fn what_took_place_is_said_by_status() {
    let house = House::open().await;
    let practice = house.with_hours("UTC").await;
    let patient = house.patient().await;
    let visit = house
        .visited(&patient, &practice, &format!("{DAY}T09:00"))
        .await;
    let path = format!("/appointments/{}", visit["id"]);
    let put = async |token: &str, status: &str| {
        let body = json!({"status": status});
        house.api("PUT", &path, token, Some(body)).await
    };
    put(&practice.doctor.token, "confirmed").await.data(200);
    house.advance(3 * 24);
    let done = put(&practice.doctor.token, "no_show").await.data(200);
    assert_eq!(done["appointment"]["status"], "no_show");
    put(&practice.doctor.token, "completed")
        .await
        .failed(409, "CONFLICT");
    let done = put(&house.admin, "completed").await.data(200);
    assert_eq!(done["appointment"]["status"], "completed");
}

#[tokio::test]
async fn cancelling_keeps_the_row_and_frees_the_seat() {
    let house = House::open().await;
    let practice = house.with_hours("UTC").await;
    let patient = house.patient().await;
    for (method, suffix, body, reason) in [
        ("DELETE", "", None, "No reason given"),
        ("DELETE", "", Some(json!({"reason": "ill"})), "ill"),
        ("PUT", "/cancel", None, "No reason given"),
        (
            "PUT",
            "/cancel",
            Some(json!({"cancellation_reason": "better"})),
            "better",
        ),
    ] {
        let visit = house
            .visited(&patient, &practice, &format!("{DAY}T09:00"))
            .await;
        let path = format!("/appointments/{}{suffix}", visit["id"]);
        let gone = house
            .api(method, &path, &patient.token, body)
            .await
            .data(200)["appointment"]
            .clone();
        assert_eq!(
            (&gone["status"], &gone["id"]),
            (&json!("cancelled"), &visit["id"])
        );
        assert_eq!(gone["cancellation_reason"], reason);
        house
            .api(method, &path, &patient.token, None)
            .await
            .failed(409, "CONFLICT");
    }
}

#[tokio::test]
async fn a_move_gains_the_new_seat_or_changes_nothing() {
    let house = House::open().await;
    let practice = house.with_hours("Africa/Cairo").await;
    let (one, two) = (house.patient().await, house.patient().await);
    let visit = house
        .visited(&one, &practice, &format!("{DAY}T09:00"))
        .await;
    house
        .visited(&two, &practice, &format!("{DAY}T09:30"))
        .await;
    let path = format!("/appointments/{}/reschedule", visit["id"]);
    let go = async |token: &str, body: Value| house.api("PUT", &path, token, Some(body)).await;
    let taken = go(
        &one.token,
        json!({"new_appointment_date": format!("{DAY}T09:30")}),
    )
    .await;
    assert!(
        taken.failed(409, "CONFLICT")["message"]
            .as_str()
            .unwrap()
            .contains("already booked")
    );
    for (field, time, utc) in [
        ("new_appointment_date", "10:00", "08:00"),
        ("new_date_time", "10:30", "08:30"),
        ("appointment_date", "11:00", "09:00"),
    ] {
        let mut body = json!({"reschedule_reason": "busy"});
        body[field] = json!(format!("{DAY}T{time}"));
        let moved = go(&one.token, body).await.data(200);
        assert_eq!(
            moved["appointment"]["appointment_date"],
            format!("{DAY}T{utc}:00Z")
        );
        assert_eq!(moved["appointment"]["id"], visit["id"]);
        assert_eq!(moved["appointment"]["reschedule_reason"], "busy");
    }
    let back = go(&practice.doctor.token, json!({"slot_id": visit["slot_id"]}))
        .await
        .data(200);
    assert_eq!(back["appointment"]["slot_id"], visit["slot_id"]);
    // The reason was that of another move.
    assert_eq!(back["appointment"]["reschedule_reason"], Value::Null);
    let long = json!({"slot_id": visit["slot_id"], "reschedule_reason": "x".repeat(501)});
    let long = go(&one.token, long).await.failed(400, "VALIDATION_ERROR");
    assert_eq!(long["field"], "reschedule_reason");
    let none = go(&one.token, json!({}))
        .await
        .failed(400, "VALIDATION_ERROR");
    assert_eq!(none["field"], "new_appointment_date");
    let outside = go(&one.token, json!({"new_date_time": format!("{DAY}T23:00")})).await;
    outside.failed(400, "VALIDATION_ERROR");
    let other = house.practice().await;
    let slot = house.slot(&other, "2030-01-08T09:00:00Z", 1).await;
    go(&one.token, json!({"slot_id": slot}))
        .await
        .failed(400, "VALIDATION_ERROR");
}
