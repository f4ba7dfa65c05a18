//! Appointments by date, and the same appointments through `/api/v1`.

use reqwest::Method;
use serde_json::json;
use telemed_tests::client::{assert_utc, id_of};
use telemed_tests::practice::{Visit, hour};
use tokio::task::JoinSet;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_booking_is_the_same_on_both_surfaces() {
    let visit = Visit::shared().await;
    let doctor = doctor_with_hours(&visit, "Africa/Cairo").await;
    let patient = visit.patient().await;
    let own = visit.of(&patient);
    let day = date(10);
    // 09:00 in Cairo is 07:00 in UTC in winter and 06:00 in summer: the hours say which.
    let path = format!(
        "/appointments/doctors/{}/availability?date={day}",
        doctor.id
    );
    let slots = ok(&get(&own, &path).await, 200)["available_slots"].clone();
    assert_eq!(slots.as_array().unwrap().len(), 6, "{slots}");
    let first = &slots[0];
    assert_eq!(first["start"], "09:00");
    for field in [
        "slot_id",
        "datetime",
        "end",
        "available",
        "capacity",
        "booked_count",
    ] {
        assert!(!first[field].is_null(), "no {field}: {first}");
    }
    let offset = &first["datetime"].as_str().unwrap()[19..];
    let utc = |row: &Value| instant(&row["datetime"]).to_string();
    for (row, written) in [
        (&slots[0], format!("{day}T09:00")),
        (&slots[1], format!("{day}T09:30:00")),
        (&slots[2], format!("{day}T10:00:00{offset}")),
        (&slots[3], utc(&slots[3])),
    ] {
        let data = ok(&book(&own, &doctor, &written).await, 201);
        let made = &data["appointment"];
        assert_eq!(
            instant(&made["appointment_date"]),
            instant(&row["datetime"]),
            "{written}"
        );
        assert_utc(&made["appointment_date"]);
        assert_utc(&made["end"]);
        assert_eq!(made["slot_id"], row["slot_id"]);
        assert_eq!(made["status"], "scheduled");
        for (field, value) in [
            ("patient_id", json!(patient.id)),
            ("doctor_id", json!(doctor.id)),
            ("appointment_type", json!("audio")),
            ("symptoms", json!("a cough")),
            ("reason_for_visit", json!("a check")),
            ("notes", json!("in the morning")),
            ("doctor_specialty", json!("Cardiology")),
            ("time_zone", json!("Africa/Cairo")),
        ] {
            assert_eq!(made[field], value, "{field}: {made}");
        }
        for field in [
            "id",
            "patient_name",
            "doctor_name",
            "clinic_id",
            "created_at",
            "updated_at",
        ] {
            assert!(!made[field].is_null(), "no {field}: {made}");
        }
        let there = own
            .get(&format!("/appointments/{}", id_of(made)))
            .await
            .expect(200);
        assert_eq!(
            (&there["id"], &there["status"]),
            (&made["id"], &json!("pending"))
        );
        let other = visit.patient().await;
        let again = refused(
            &book(&visit.of(&other), &doctor, &written).await,
            409,
            "CONFLICT",
        );
        assert!(
            again["message"]
                .as_str()
                .unwrap()
                .contains("already booked"),
            "{again}"
        );
        // Another person's appointment does not show.
        let foreign = get(&visit.of(&other), &format!("/appointments/{}", id_of(made))).await;
        let body = refused(&foreign, 404, "APPOINTMENT_NOT_FOUND");
        assert_eq!(body["details"]["appointment_id"], made["id"], "{body}");
    }
    // The other way round.
    let slot = slots[4]["slot_id"].as_i64().unwrap();
    let id = visit.booked(&patient, slot).await;
    let there = ok(&get(&own, &format!("/appointments/{id}")).await, 200)["appointment"].clone();
    assert_eq!(
        (&there["appointment_type"], &there["slot_id"]),
        (&json!("video"), &json!(slot))
    );
    assert!(visit.of(&doctor).step(id, "confirm").await.status < 300);
    // Status words.
    let listed = async |status: &str| {
        let data = ok(
            &get(&own, &format!("/appointments?status={status}")).await,
            200,
        );
        data["appointments"].as_array().unwrap().len()
    };
    assert_eq!(
        (
            listed("scheduled").await,
            listed("confirmed").await,
            listed("cancelled").await
        ),
        (4, 1, 0)
    );
    names(&get(&own, "/appointments?status=rubbish").await, "status");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_booked_says_why() {
    let visit = Visit::shared().await;
    let doctor = doctor_with_hours(&visit, "Africa/Cairo").await;
    let patient = visit.patient().await;
    let own = visit.of(&patient);
    for outside in ["T08:30", "T12:00", "T09:10", "T23:00"] {
        names(
            &book(&own, &doctor, &format!("{}{outside}", date(12))).await,
            "appointment_date",
        );
    }
    for wrong in ["2020-01-01T09:00", "rubbish", ""] {
        names(&book(&own, &doctor, wrong).await, "appointment_date");
    }
    let unknown = Person {
        id: 999_999_999,
        ..doctor.clone()
    };
    let answer = names(
        &book(&own, &unknown, &format!("{}T09:00", date(12))).await,
        "doctor_id",
    );
    assert_eq!(answer["message"], "Doctor not found");
    let answer = names(
        &book(&own, &patient, &format!("{}T09:00", date(12))).await,
        "doctor_id",
    );
    assert_eq!(answer["message"], "Doctor not found");
    // Numeric strings are ids too, as a form's select gives them.
    let body = json!({"doctor_id": doctor.id.to_string(), "appointment_date": format!("{}T09:00", date(12)), "appointment_type": "in_person"});
    ok(&post(&own, "/appointments/", &body).await, 201);
    let mut body = body;
    body["appointment_type"] = "telepathy".into();
    body["appointment_date"] = format!("{}T09:30", date(12)).into();
    names(
        &post(&own, "/appointments", &body).await,
        "appointment_type",
    );
    refused(
        &post(&visit.anonymous, "/appointments", &body).await,
        401,
        "UNAUTHORIZED",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_and_moving() {
    let visit = Visit::shared().await;
    let doctor = doctor_with_hours(&visit, "UTC").await;
    let patient = visit.patient().await;
    let (own, by_doctor) = (visit.of(&patient), visit.of(&doctor));
    let at = |hour: &str| format!("{}T{hour}:00Z", date(14));
    let made = ok(&book(&own, &doctor, &at("09:00")).await, 201)["appointment"].clone();
    let path = format!("/appointments/{}", id_of(&made));
    let confirmed = ok(
        &put(&by_doctor, &path, &json!({"status": "confirmed"})).await,
        200,
    );
    assert_eq!(confirmed["appointment"]["status"], "confirmed");
    // The doctor's own move keeps it, the patient's returns it.
    let moved = put(
        &by_doctor,
        &format!("{path}/reschedule"),
        &json!({"new_date_time": at("09:30")}),
    )
    .await;
    assert_eq!(ok(&moved, 200)["appointment"]["status"], "confirmed");
    let moved = put(
        &own,
        &format!("{path}/reschedule"),
        &json!({"new_appointment_date": at("10:00"), "reschedule_reason": "x"}),
    )
    .await;
    let moved = ok(&moved, 200)["appointment"].clone();
    assert_eq!(
        (&moved["status"], &moved["id"]),
        (&json!("scheduled"), &made["id"])
    );
    assert_eq!(moved["reschedule_reason"], "x");
    assert_eq!(
        instant(&moved["appointment_date"]),
        instant(&json!(at("10:00")))
    );
    let moved = ok(
        &put(&own, &path, &json!({"appointment_date": at("10:30")})).await,
        200,
    );
    assert_eq!(
        instant(&moved["appointment"]["appointment_date"]),
        instant(&json!(at("10:30")))
    );
    // A place that is left is free again.
    let other = visit.of(&visit.patient().await);
    let taken = ok(&book(&other, &doctor, &at("09:00")).await, 201)["appointment"].clone();
    refused(
        &put(&own, &path, &json!({"appointment_date": at("09:00")})).await,
        409,
        "CONFLICT",
    );
    refused(
        &put(
            &other,
            &format!("{path}/reschedule"),
            &json!({"appointment_date": at("11:00")}),
        )
        .await,
        404,
        "APPOINTMENT_NOT_FOUND",
    );
    names(
        &put(&own, &path, &json!({"appointment_date": at("20:00")})).await,
        "appointment_date",
    );
    let same = ok(&get(&own, &path).await, 200);
    assert_eq!(
        instant(&same["appointment"]["appointment_date"]),
        instant(&json!(at("10:30")))
    );
    let gone = api(&own, Method::DELETE, &path).send().await;
    assert_eq!(ok(&gone, 200)["appointment"]["status"], "cancelled");
    assert_eq!(
        ok(&get(&own, &path).await, 200)["appointment"]["status"],
        "cancelled"
    );
    let cancel = put(
        &other,
        &format!("/appointments/{}/cancel", id_of(&taken)),
        &json!({}),
    )
    .await;
    assert_eq!(ok(&cancel, 200)["appointment"]["status"], "cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_moves_to_one_slot_one_gains_it() {
    let visit = Visit::shared().await;
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let day = visit.new_day();
    let old = visit.slot(&doctor, clinic, hour(day, 9), 32).await;
    let new = visit.slot(&doctor, clinic, hour(day, 11), 1).await;
    let mut held = Vec::new();
    for person in visit.crowd().await.into_iter().take(32) {
        let id = visit.booked(&person, old).await;
        held.push((visit.of(&person), id));
    }
    let mut moves = JoinSet::new();
    for (client, id) in held.clone() {
        moves.spawn(async move {
            let body = json!({"slot_id": new});
            put(&client, &format!("/appointments/{id}/reschedule"), &body).await
        });
    }
    let answers = moves.join_all().await;
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        refused(answer, 409, "CONFLICT");
    }
    assert_eq!(
        answers.iter().filter(|answer| answer.status == 200).count(),
        1
    );
    let mut seats = [0, 0];
    for (client, id) in &held {
        let row =
            ok(&get(client, &format!("/appointments/{id}")).await, 200)["appointment"].clone();
        assert_eq!(row["status"], "scheduled");
        seats[usize::from(row["slot_id"] == new)] += 1;
    }
    assert_eq!(seats, [31, 1]);
    assert_eq!(visit.seats_taken(&doctor, old, 32).await, 31);
    assert_eq!(visit.seats_taken(&doctor, new, 1).await, 1);
}
