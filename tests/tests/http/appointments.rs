//! Appointments: booked, read, listed, cancelled.

use serde_json::{Value, json};
use telemed_tests::client::{assert_utc, id_of};
use telemed_tests::practice::{Practice, Visit};

#[tokio::test(flavor = "multi_thread")]
async fn a_booking_answers_the_appointment() {
    let visit = Visit::shared().await;
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let patient = visit.patient().await;
    let slot = visit.any_slot(&doctor, clinic, 1).await;
    let request = json!({
        "patient_id": patient.id.to_string(),
        "doctor_id": doctor.id,
        "clinic_id": clinic,
        "slot_id": slot.to_string(),
        "reason_for_visit": "Regular checkup",
        "notes": "a client's notes are not ours",
    });
    let client = visit.of(&patient);
    let made = client
        .post("/appointments/book", &request)
        .await
        .expect(201);
    for (field, value) in [
        ("patient_id", json!(patient.id)),
        ("doctor_id", json!(doctor.id)),
        ("clinic_id", json!(clinic)),
        ("slot_id", json!(slot)),
        ("status", json!("pending")),
        ("reason_for_visit", json!("Regular checkup")),
        ("cancelled_at", Value::Null),
        ("cancelled_reason", Value::Null),
    ] {
        assert_eq!(made.get(field), Some(&value), "{field}");
    }
    assert!(made.get("notes").is_some());
    assert_utc(&made["created_at"]);
    assert_utc(&made["updated_at"]);
    let path = format!("/appointments/{}", id_of(&made));
    for client in [client, visit.of(&doctor), visit.admin.clone()] {
        assert_eq!(client.get(&path).await.expect(200), made);
    }
    assert!(
        visit.open_slots(&doctor).await.is_empty(),
        "its one seat is taken"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_is_enough_to_book() {
    let visit = Visit::shared().await;
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let patient = visit.patient().await;
    let slot = visit.any_slot(&doctor, clinic, 1).await;
    let made = visit.of(&patient).book(slot).await.expect(201);
    assert_eq!(made["patient_id"], patient.id);
    assert_eq!(made["doctor_id"], doctor.id);
    assert_eq!(made["clinic_id"], clinic);
    assert_eq!(made["reason_for_visit"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_books_for_a_patient() {
    let visit = Visit::shared().await;
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let patient = visit.patient().await;
    let slot = visit.any_slot(&doctor, clinic, 1).await;
    let request = json!({"slot_id": slot, "patient_id": patient.id});
    let made = visit
        .admin
        .post("/appointments/book", &request)
        .await
        .expect(201);
    assert_eq!(made["patient_id"], patient.id);
    assert_eq!(visit.appointments_of(&patient).await.len(), 1);
    // For whom, he has to say.
    let slot = visit.any_slot(&doctor, clinic, 1).await;
    let answer = visit.admin.book(slot).await;
    assert!([400, 422].contains(&answer.status), "{}", answer.text());
    answer.names(answer.status, "patient_id");
    // A user who is no patient, and one who is nobody.
    for id in [doctor.id, 999_999_999] {
        let request = json!({"slot_id": slot, "patient_id": id});
        let answer = visit.admin.post("/appointments/book", &request).await;
        answer.refused(404, "RESOURCE_NOT_FOUND");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_booking_of_a_wrong_shape_names_the_field() {
    let visit = Visit::shared().await;
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let patient = visit.patient().await;
    let client = visit.of(&patient);
    let slot = visit.any_slot(&doctor, clinic, 1).await;
    for (field, value) in [
        ("slot_id", json!("x")),
        ("slot_id", json!(0)),
        ("slot_id", json!(-1)),
        ("slot_id", json!(1.5)),
        ("slot_id", json!(null)),
        ("slot_id", json!([1])),
        ("slot_id", json!(1e300)),
        ("patient_id", json!("me")),
        ("doctor_id", json!(false)),
        ("clinic_id", json!({})),
        ("reason_for_visit", json!(5)),
        ("reason_for_visit", json!("x".repeat(501))),
        ("reason_for_visit", json!("a\u{0}b")),
    ] {
        let mut request = json!({"slot_id": slot});
        request[field] = value.clone();
        let answer = client.post("/appointments/book", &request).await;
        assert_eq!(answer.status, 422, "{field} {value}: {}", answer.text());
        answer.names(422, field);
    }
    client
        .post("/appointments/book", &json!({}))
        .await
        .names(422, "slot_id");
    assert!(visit.appointments_of(&patient).await.is_empty());
    assert_eq!(visit.seats_taken(&doctor, slot, 1).await, 0);
    let request = json!({"slot_id": slot, "reason_for_visit": "x".repeat(500)});
    let _ = client
        .post("/appointments/book", &request)
        .await
        .expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_seat_is_sold_again_to_the_same_patient_too() {
    let visit = Visit::shared().await;
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let patient = visit.patient().await;
    let other = visit.patient().await;
    let slot = visit.any_slot(&doctor, clinic, 1).await;
    let mut seen = Vec::new();
    for owner in [&patient, &patient, &other, &patient] {
        let appointment = visit.booked(owner, slot).await;
        assert!(!seen.contains(&appointment), "a new appointment each time");
        seen.push(appointment);
        let cancelled = visit.of(owner).cancel(appointment).await.expect(200);
        assert_eq!(cancelled["id"], appointment);
        assert_eq!(cancelled["status"], "cancelled");
        assert_eq!(cancelled["cancelled_reason"], "cannot come");
        assert_utc(&cancelled["cancelled_at"]);
        assert_eq!(visit.seats_taken(&doctor, slot, 1).await, 0);
    }
    // Cancelled ones are never revived.
    let path = format!("/appointments/{}", seen[0]);
    assert_eq!(
        visit.admin.get(&path).await.expect(200)["status"],
        "cancelled"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn patient_doctor_and_administrator_cancel_with_a_reason() {
    let visit = Visit::shared().await;
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let patient = visit.patient().await;
    let slot = visit.any_slot(&doctor, clinic, 1).await;
    for client in [visit.of(&patient), visit.of(&doctor), visit.admin.clone()] {
        let appointment = visit.booked(&patient, slot).await;
        let path = format!("/appointments/{appointment}/cancel");
        for (body, status) in [
            (json!({}), 422),
            (json!({"cancelled_reason": ""}), 422),
            (json!({"cancelled_reason": null}), 422),
            (json!({"cancelled_reason": 5}), 422),
            (json!({"cancelled_reason": "x".repeat(501)}), 422),
        ] {
            client
                .post(&path, &body)
                .await
                .names(status, "cancelled_reason");
        }
        let read = client.get(&format!("/appointments/{appointment}")).await;
        assert_eq!(read.expect(200)["status"], "pending");
        let reason = "x".repeat(500);
        let answer = client
            .post(&path, &json!({"cancelled_reason": reason}))
            .await;
        assert_eq!(answer.expect(200)["cancelled_reason"], reason);
        client.cancel(appointment).await.refused(409, "CONFLICT");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejection_needs_a_reason_and_frees_the_seat() {
    let visit = Visit::shared().await;
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let patient = visit.patient().await;
    let slot = visit.any_slot(&doctor, clinic, 1).await;
    for client in [visit.of(&doctor), visit.admin.clone()] {
        let appointment = visit.booked(&patient, slot).await;
        let path = format!("/appointments/{appointment}/reject");
        for body in [
            json!({}),
            json!({"reason": ""}),
            json!({"reason": 5}),
            json!({"reason": "x".repeat(501)}),
        ] {
            client.post(&path, &body).await.names(422, "reason");
        }
        let rejected = client.reject(appointment).await.expect(200);
        assert_eq!(rejected["status"], "rejected");
        assert_eq!(visit.seats_taken(&doctor, slot, 1).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_administrator_lists_appointments_by_status() {
    let visit = Visit::at(Practice::open(&[], &[]).await);
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        let patient = visit.patient().await;
        let slot = visit.any_slot(&doctor, clinic, 1).await;
        ids.push(visit.booked(&patient, slot).await);
    }
    let _ = visit.admin.cancel(ids[0]).await.expect(200);
    let _ = visit.admin.step(ids[1], "confirm").await.expect(200);
    let list = |query: &'static str| {
        let admin = visit.admin.clone();
        async move {
            let (rows, total) = admin.get(&format!("/appointments{query}")).await.list();
            let mut found: Vec<_> = rows.iter().map(id_of).collect();
            found.sort_unstable();
            (found, total)
        }
    };
    assert_eq!(list("").await, (ids.clone(), 5));
    assert_eq!(list("?status=cancelled").await, (vec![ids[0]], 1));
    assert_eq!(list("?status=confirmed").await, (vec![ids[1]], 1));
    assert_eq!(list("?status=pending").await, (ids[2..].to_vec(), 3));
    assert_eq!(list("?status=no_show").await, (vec![], 0));
    let (page, total) = list("?skip=4&limit=3").await;
    assert_eq!((page.len(), total), (1, 5));
    for (query, field) in [
        ("status=lost", "status"),
        ("skip=-1", "skip"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
    ] {
        visit
            .admin
            .get(&format!("/appointments?{query}"))
            .await
            .names(422, field);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_appointments_are_not_found() {
    let visit = Visit::shared().await;
    visit
        .admin
        .get("/appointments/999999999")
        .await
        .refused(404, "RESOURCE_NOT_FOUND");
    visit
        .admin
        .cancel(999_999_999)
        .await
        .refused(404, "RESOURCE_NOT_FOUND");
    visit
        .admin
        .reject(999_999_999)
        .await
        .refused(404, "RESOURCE_NOT_FOUND");
    for step in ["confirm", "complete", "no-show"] {
        visit
            .admin
            .step(999_999_999, step)
            .await
            .refused(404, "RESOURCE_NOT_FOUND");
    }
}
