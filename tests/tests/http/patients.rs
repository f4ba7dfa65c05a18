//! Patients' profiles.

use serde_json::{Value, json};
use telemed_tests::client::assert_utc;
use telemed_tests::practice::Visit;

fn whole() -> Value {
    json!({
        "date_of_birth": "1990-01-15",
        "blood_group": "O+",
        "allergies": "Penicillin",
        "emergency_contact": "9876543210",
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_begins_empty_and_is_written_in_parts() {
    let visit = Visit::shared().await;
    let patient = visit.patient().await;
    let client = visit.of(&patient);
    let path = format!("/patients/{}", patient.id);
    let profile = client.get(&path).await.expect(200);
    assert_eq!(profile["id"], patient.id);
    assert_eq!(profile["user_id"], patient.id);
    assert_eq!(profile["is_active"], true);
    for field in [
        "date_of_birth",
        "blood_group",
        "allergies",
        "emergency_contact",
    ] {
        assert_eq!(
            profile.get(field),
            Some(&Value::Null),
            "{field} in {profile}"
        );
    }
    assert_utc(&profile["created_at"]);
    assert_utc(&profile["updated_at"]);

    let updated = client.put(&path, &whole()).await.expect(200);
    for (field, value) in whole().as_object().unwrap() {
        assert_eq!(&updated[field], value, "{field}");
    }
    // Absent keeps, null empties.
    let updated = client
        .put(&path, &json!({"allergies": null}))
        .await
        .expect(200);
    assert_eq!(updated["allergies"], Value::Null);
    assert_eq!(updated["blood_group"], "O+");
    let updated = client
        .put(&path, &json!({"blood_group": "AB-"}))
        .await
        .expect(200);
    assert_eq!(updated["date_of_birth"], "1990-01-15");
    assert_eq!(updated["emergency_contact"], "9876543210");
    let updated = client.put(&path, &json!({})).await.expect(200);
    assert_eq!(updated["blood_group"], "AB-");

    let me = client.get("/patients/me").await.expect(200);
    assert_eq!(me, client.get(&path).await.expect(200));
    assert_eq!(me, visit.admin.get(&path).await.expect(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_the_eight_blood_groups_is_one() {
    let visit = Visit::shared().await;
    let patient = visit.patient().await;
    let client = visit.of(&patient);
    let path = format!("/patients/{}", patient.id);
    for group in ["A+", "A-", "B+", "B-", "AB+", "AB-", "O+", "O-"] {
        let updated = client
            .put(&path, &json!({"blood_group": group}))
            .await
            .expect(200);
        assert_eq!(updated["blood_group"], group);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_field_is_named_and_nothing_changes() {
    let visit = Visit::shared().await;
    let patient = visit.patient().await;
    let client = visit.of(&patient);
    let path = format!("/patients/{}", patient.id);
    let before = client.put(&path, &whole()).await.expect(200);
    let today = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    for (field, value, status) in [
        ("blood_group", json!("C+"), 422),
        ("blood_group", json!("o+"), 422),
        ("blood_group", json!(1), 422),
        ("date_of_birth", json!("15.01.1990"), 422),
        ("date_of_birth", json!("1990-02-30"), 422),
        ("date_of_birth", json!("1990-1-5"), 422),
        ("date_of_birth", json!(19_900_115), 422),
        ("date_of_birth", json!("2999-01-01"), 400),
        ("date_of_birth", json!(today), 400),
        ("emergency_contact", json!("1".repeat(21)), 422),
        ("emergency_contact", json!(5), 422),
        ("allergies", json!(["Penicillin"]), 422),
        ("allergies", json!("a\u{0}b"), 422),
    ] {
        let mut body = json!({"blood_group": "B+"});
        body[field] = value.clone();
        let answer = client.put(&path, &body).await;
        assert_eq!(answer.status, status, "{field} {value}: {}", answer.text());
        answer.names(status, field);
    }
    assert_eq!(client.get(&path).await.expect(200), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_that_are_no_patient_are_not_found() {
    let visit = Visit::shared().await;
    let (_, doctor) = visit.clinic_and_doctor().await;
    for id in [999_999_999, doctor.id] {
        let path = format!("/patients/{id}");
        visit
            .admin
            .get(&path)
            .await
            .refused(404, "RESOURCE_NOT_FOUND");
        visit
            .admin
            .put(&path, &whole())
            .await
            .refused(404, "RESOURCE_NOT_FOUND");
        let path = format!("/patients/{id}/appointments");
        visit
            .admin
            .get(&path)
            .await
            .refused(404, "RESOURCE_NOT_FOUND");
    }
    // A doctor and an administrator have no patient's profile of their own.
    for client in [visit.of(&doctor), visit.admin.clone()] {
        let answer = client.get("/patients/me").await;
        assert!([403, 404].contains(&answer.status), "{}", answer.text());
    }
    visit
        .anonymous
        .get("/patients/me")
        .await
        .refused(401, "AUTHENTICATION_ERROR");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_doctor_reads_a_patient_while_there_is_a_care_relation() {
    let visit = Visit::shared().await;
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let patient = visit.patient().await;
    let path = format!("/patients/{}", patient.id);
    let reader = visit.of(&doctor);
    reader.get(&path).await.refused(404, "RESOURCE_NOT_FOUND");
    let slot = visit.any_slot(&doctor, clinic, 1).await;
    let appointment = visit.booked(&patient, slot).await;
    assert_eq!(reader.get(&path).await.expect(200)["id"], patient.id);
    // Reading is all he may.
    reader
        .put(&path, &whole())
        .await
        .refused(403, "AUTHORIZATION_ERROR");
    let list = reader.get(&format!("{path}/appointments")).await;
    list.refused(403, "AUTHORIZATION_ERROR");
    // An appointment that was cancelled or rejected is no relation.
    let _ = visit.of(&patient).cancel(appointment).await.expect(200);
    reader.get(&path).await.refused(404, "RESOURCE_NOT_FOUND");
    let appointment = visit.booked(&patient, slot).await;
    let _ = reader.reject(appointment).await.expect(200);
    reader.get(&path).await.refused(404, "RESOURCE_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn appointments_of_a_patient_come_newest_first_in_pages() {
    let visit = Visit::shared().await;
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let patient = visit.patient().await;
    let client = visit.of(&patient);
    let path = format!("/patients/{}/appointments", patient.id);
    let (rows, total) = client.get(&path).await.list();
    assert!(rows.is_empty() && total == 0);
    let mut ids = Vec::new();
    for _ in 0..5 {
        let slot = visit.any_slot(&doctor, clinic, 1).await;
        ids.push(visit.booked(&patient, slot).await);
    }
    ids.reverse();
    let shown = |rows: &[Value]| -> Vec<i64> {
        rows.iter().map(|row| row["id"].as_i64().unwrap()).collect()
    };
    let (rows, total) = client.get(&path).await.list();
    assert_eq!((shown(&rows), total), (ids.clone(), 5));
    let (rows, total) = client.get(&format!("{path}?skip=1&limit=2")).await.list();
    assert_eq!((shown(&rows), total), (ids[1..3].to_vec(), 5));
    for (query, field) in [
        ("skip=-1", "skip"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
    ] {
        client
            .get(&format!("{path}?{query}"))
            .await
            .names(422, field);
    }
}
