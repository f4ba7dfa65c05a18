//! `/appointments`.

use super::*;

#[tokio::test]
async fn a_booking_takes_a_seat() {
    let house = House::open().await;
    let practice = house.practice().await;
    let patient = house.patient().await;
    let slot = house.slot(&practice, "2030-01-08T10:00:00Z", 2).await;
    let body = json!({
        "patient_id": patient.id, "doctor_id": practice.doctor.id, "clinic_id": practice.clinic,
        "slot_id": slot, "reason_for_visit": "Regular checkup, L < R",
    });
    let view = house
        .post("/appointments/book", &patient.token, body)
        .await
        .expect(201);
    assert_eq!(view["status"], "pending");
    assert_eq!(view["patient_id"], patient.id);
    assert_eq!(view["doctor_id"], practice.doctor.id);
    assert_eq!(view["clinic_id"], practice.clinic);
    assert_eq!(view["slot_id"], slot);
    assert_eq!(view["appointment_type"], "video");
    assert_eq!(view["reason_for_visit"], "Regular checkup, L < R");
    assert_eq!(view["slot_datetime"], "2030-01-08T10:00:00Z");
    let slots = house.get("/slots", None).await.expect(200);
    assert_eq!(
        (&slots[0]["booked_count"], &slots[0]["available_slots"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(slots[0]["is_booked"], false);

    let path = format!("/appointments/{}", view["id"]);
    for token in [&patient.token, &practice.doctor.token, &house.admin] {
        assert_eq!(house.get(&path, Some(token)).await.expect(200), view);
    }
    let list = house
        .get(
            &format!("/patients/{}/appointments", patient.id),
            Some(&patient.token),
        )
        .await;
    assert_eq!(list.expect(200), json!([view]));
    assert_eq!(list.header("x-total-count"), "1");
}

#[tokio::test]
async fn every_refusal_of_a_booking_has_its_answer() {
    let house = House::open().await;
    let practice = house.practice_with("UTC", 2).await;
    let other = house.practice().await;
    let patient = house.patient().await;
    let second = house.patient().await;
    let third = house.patient().await;
    let slot = house.slot(&practice, "2030-01-08T10:00:00Z", 1).await;
    let book = async |token: &str, body: Value| house.post("/appointments/book", token, body).await;

    book(&patient.token, json!({"slot_id": 999}))
        .await
        .refused(404, "RESOURCE_NOT_FOUND");
    let mismatch = json!({"slot_id": slot, "doctor_id": other.doctor.id});
    book(&patient.token, mismatch)
        .await
        .refused(400, "APPOINTMENT_ERROR");
    let mismatch = json!({"slot_id": slot, "clinic_id": other.clinic});
    book(&patient.token, mismatch)
        .await
        .refused(400, "APPOINTMENT_ERROR");
    let foreign = json!({"slot_id": slot, "patient_id": second.id});
    book(&patient.token, foreign)
        .await
        .refused(403, "AUTHORIZATION_ERROR");
    book(&practice.doctor.token, json!({"slot_id": slot}))
        .await
        .refused(403, "AUTHORIZATION_ERROR");
    let unknown = json!({"slot_id": slot, "patient_id": 99_999});
    book(&house.admin, unknown)
        .await
        .refused(404, "RESOURCE_NOT_FOUND");

    house.booked(&patient, slot).await;
    house
        .book(&patient, slot)
        .await
        .refused(409, "DUPLICATE_BOOKING");
    house
        .book(&second, slot)
        .await
        .refused(409, "SLOT_UNAVAILABLE");
    let overlapping = house.slot(&other, "2030-01-08T10:15:00Z", 1).await;
    house
        .book(&patient, overlapping)
        .await
        .refused(409, "CONFLICT");

    // Two patients a day, and this is the third.
    let later = house.slot(&practice, "2030-01-08T12:00:00Z", 5).await;
    house.booked(&second, later).await;
    house
        .book(&third, later)
        .await
        .refused(409, "SLOT_UNAVAILABLE");

    let retired = house.slot(&practice, "2030-01-09T10:00:00Z", 1).await;
    house
        .call(
            "DELETE",
            &format!("/slots/{retired}"),
            Some(&house.admin),
            &[],
            None,
        )
        .await
        .expect(200);
    house
        .book(&third, retired)
        .await
        .refused(409, "SLOT_UNAVAILABLE");

    let inactive = house.patient().await;
    house
        .command(&format!("/users/{}/deactivate", inactive.id), &house.admin)
        .await
        .expect(200);
    let body = json!({"slot_id": overlapping, "patient_id": inactive.id});
    book(&house.admin, body)
        .await
        .refused(403, "AUTHORIZATION_ERROR");

    house.advance(48);
    house
        .book(&third, overlapping)
        .await
        .refused(409, "SLOT_UNAVAILABLE");
    let body = json!({"reason_for_visit": "x".repeat(501), "patient_id": "x"});
    let answer = book(&patient.token, body).await;
    assert_eq!(answer.refused(422, "VALIDATION_ERROR"), ["patient_id"]);
    let answer = book(&patient.token, json!({"reason_for_visit": "x".repeat(501)})).await;
    assert_eq!(
        answer.refused(422, "VALIDATION_ERROR"),
        ["slot_id", "reason_for_visit"]
    );
}

#[tokio::test]
async fn a_cancelled_seat_is_sold_again_to_the_same_patient_too() {
    let house = House::open().await;
    let practice = house.practice().await;
    let patient = house.patient().await;
    let slot = house.slot(&practice, "2030-01-08T10:00:00Z", 1).await;
    let appointment = house.booked(&patient, slot).await;
    let path = format!("/appointments/{appointment}/cancel");
    for body in [
        json!({}),
        json!({"cancelled_reason": ""}),
        json!({"cancelled_reason": "  "}),
        json!({"cancelled_reason": "x".repeat(501)}),
    ] {
        let answer = house.post(&path, &patient.token, body).await;
        assert_eq!(
            answer.refused(422, "VALIDATION_ERROR"),
            ["cancelled_reason"]
        );
    }
    let body = json!({"cancelled_reason": "Unable to attend"});
    let view = house
        .post(&path, &patient.token, body.clone())
        .await
        .expect(200);
    assert_eq!(view["status"], "cancelled");
    assert_eq!(view["cancelled_at"], NOW);
    assert_eq!(view["cancelled_reason"], "Unable to attend");
    assert_eq!(view["is_active"], false);
    house
        .post(&path, &patient.token, body)
        .await
        .refused(409, "CONFLICT");
    house.booked(&patient, slot).await;
}

#[tokio::test]
async fn the_doctor_moves_an_appointment_on() {
    let house = House::open().await;
    let practice = house.practice().await;
    let patient = house.patient().await;
    let slot = house.slot(&practice, "2030-01-08T10:00:00Z", 3).await;
    let doctor = &practice.doctor.token;
    let appointment = house.booked(&patient, slot).await;
    let path = |action: &str| format!("/appointments/{appointment}/{action}");

    for action in ["confirm", "complete", "no-show"] {
        house
            .command(&path(action), &patient.token)
            .await
            .refused(403, "AUTHORIZATION_ERROR");
    }
    house
        .command(&path("complete"), doctor)
        .await
        .refused(409, "CONFLICT");
    assert_eq!(
        house.command(&path("confirm"), doctor).await.expect(200)["status"],
        "confirmed"
    );
    house
        .command(&path("confirm"), doctor)
        .await
        .refused(409, "CONFLICT");
    house
        .command(&path("no-show"), doctor)
        .await
        .refused(409, "CONFLICT");
    house.advance(27);
    assert_eq!(
        house.command(&path("no-show"), doctor).await.expect(200)["status"],
        "no_show"
    );
    house
        .command(&path("complete"), doctor)
        .await
        .refused(409, "CONFLICT");
    assert_eq!(
        house
            .command(&path("complete"), &house.admin)
            .await
            .expect(200)["status"],
        "completed"
    );
}

#[tokio::test]
async fn a_rejection_says_why_and_frees_the_seat() {
    let house = House::open().await;
    let practice = house.practice().await;
    let patient = house.patient().await;
    let slot = house.slot(&practice, "2030-01-08T10:00:00Z", 1).await;
    let appointment = house.booked(&patient, slot).await;
    let path = format!("/appointments/{appointment}/reject");
    let doctor = &practice.doctor.token;
    let answer = house.post(&path, doctor, json!({})).await;
    assert_eq!(answer.refused(422, "VALIDATION_ERROR"), ["reason"]);
    let view = house
        .post(&path, doctor, json!({"reason": "Away"}))
        .await
        .expect(200);
    assert_eq!(
        (&view["status"], &view["cancelled_reason"]),
        (&json!("rejected"), &json!("Away"))
    );
    house.booked(&patient, slot).await;
}

#[tokio::test]
async fn an_appointment_is_for_its_parties() {
    let house = House::open().await;
    let practice = house.practice().await;
    let stranger_doctor = house.practice().await.doctor;
    let patient = house.patient().await;
    let stranger = house.patient().await;
    let slot = house.slot(&practice, "2030-01-08T10:00:00Z", 1).await;
    let appointment = house.booked(&patient, slot).await;
    for token in [&stranger.token, &stranger_doctor.token] {
        let there = house
            .get(&format!("/appointments/{appointment}"), Some(token))
            .await;
        there.refused(404, "RESOURCE_NOT_FOUND");
        let not = house.get("/appointments/99999", Some(token)).await;
        assert_eq!(there.body, not.body);
        let body = json!({"cancelled_reason": "x"});
        let cancel = house
            .post(&format!("/appointments/{appointment}/cancel"), token, body)
            .await;
        cancel.refused(404, "RESOURCE_NOT_FOUND");
    }
    let confirm = format!("/appointments/{appointment}/confirm");
    house
        .command(&confirm, &stranger_doctor.token)
        .await
        .refused(404, "RESOURCE_NOT_FOUND");
    house
        .get("/appointments", Some(&patient.token))
        .await
        .refused(403, "AUTHORIZATION_ERROR");
    let all = house
        .get("/appointments?status=pending&limit=1", Some(&house.admin))
        .await;
    assert_eq!(all.expect(200).as_array().unwrap().len(), 1);
    let none = house
        .get("/appointments?status=completed", Some(&house.admin))
        .await;
    assert_eq!(
        (none.expect(200), none.header("x-total-count")),
        (json!([]), "0")
    );
    let wrong = house
        .get("/appointments?status=lost", Some(&house.admin))
        .await;
    assert_eq!(wrong.refused(422, "VALIDATION_ERROR"), ["status"]);
}

#[tokio::test]
async fn a_repetition_with_its_key_takes_effect_once() {
    let house = House::open().await;
    let practice = house.practice().await;
    let patient = house.patient().await;
    let slot = house.slot(&practice, "2030-01-08T10:00:00Z", 5).await;
    let other = house.slot(&practice, "2030-01-08T11:00:00Z", 5).await;
    let keyed = async |key: &str, slot: i64| {
        let body = json!({"slot_id": slot});
        let headers = [("idempotency-key", key)];
        house
            .call(
                "POST",
                "/appointments/book",
                Some(&patient.token),
                &headers,
                Some(&body),
            )
            .await
    };
    let first = keyed("k-1", slot).await.expect(201);
    assert_eq!(keyed("k-1", slot).await.expect(201), first);
    keyed("k-2", slot).await.refused(409, "DUPLICATE_BOOKING");
    keyed("k-1", other)
        .await
        .refused(422, "IDEMPOTENCY_MISMATCH");
    let answer = keyed(&"x".repeat(256), slot).await;
    assert_eq!(answer.refused(422, "VALIDATION_ERROR"), ["Idempotency-Key"]);
    assert_eq!(answer.json()["errors"][0]["loc"][0], "header");

    // The same holds for registrations, whose repetition signs in again.
    let body = json!({"name": "K", "email": "keyed@example.org", "password": PASSWORD});
    let headers = [("idempotency-key", "r-1")];
    let one = house
        .call("POST", "/auth/register", None, &headers, Some(&body))
        .await
        .expect(201);
    let two = house
        .call("POST", "/auth/register", None, &headers, Some(&body))
        .await
        .expect(201);
    assert_eq!(one["user"]["id"], two["user"]["id"]);
    assert_ne!(one["access_token"], two["access_token"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seat_is_sold_once() {
    let house = Arc::new(House::open().await);
    let practice = house.practice_with("UTC", 100).await;
    let slot = house.slot(&practice, "2030-01-08T10:00:00Z", 3).await;
    let mut patients = Vec::new();
    for _ in 0..16 {
        patients.push(house.patient().await);
    }
    let mut tasks = tokio::task::JoinSet::new();
    for patient in patients {
        let house = Arc::clone(&house);
        tasks.spawn(async move { house.book(&patient, slot).await });
    }
    let answers = tasks.join_all().await;
    assert_eq!(
        answers.iter().filter(|answer| answer.status == 201).count(),
        3
    );
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.refused(409, "SLOT_UNAVAILABLE");
    }
}
