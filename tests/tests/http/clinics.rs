//! Clinics.

use serde_json::{Value, json};
use telemed_tests::client::{assert_utc, id_of};
use telemed_tests::practice::{Visit, hour};

fn whole() -> Value {
    json!({
        "name": "City Health Center",
        "address": "123 Main St",
        "phone": "9876543210",
        "email": "info@cityhealthcenter.example",
        "city": "New York",
        "state": "NY",
        "zip_code": "10001",
        "time_zone": "America/New_York",
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clinic_is_made_read_and_changed() {
    let visit = Visit::shared().await;
    let made = visit.admin.post("/clinics", &whole()).await.expect(201);
    for (field, value) in whole().as_object().unwrap() {
        assert_eq!(&made[field], value, "{field}");
    }
    assert_eq!(made["is_active"], true);
    assert_utc(&made["created_at"]);
    assert_utc(&made["updated_at"]);
    let path = format!("/clinics/{}", id_of(&made));
    assert_eq!(visit.anonymous.get(&path).await.expect(200), made);
    let change = json!({"name": "Health Center", "time_zone": "Europe/Berlin"});
    let changed = visit.admin.put(&path, &change).await.expect(200);
    assert_eq!(changed["name"], "Health Center");
    assert_eq!(changed["time_zone"], "Europe/Berlin");
    assert_eq!(changed["city"], "New York");
    let read = visit.anonymous.get(&path).await.expect(200);
    assert_eq!(read, changed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clinic_needs_a_name_only_and_is_in_utc_by_default() {
    let visit = Visit::shared().await;
    let made = visit
        .admin
        .post("/clinics", &json!({"name": "x"}))
        .await
        .expect(201);
    assert_eq!(made["time_zone"], "UTC");
    for field in ["address", "phone", "email", "city", "state", "zip_code"] {
        assert_eq!(made.get(field), Some(&Value::Null), "{field}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_field_is_named() {
    let visit = Visit::shared().await;
    let made = visit.admin.post("/clinics", &whole()).await.expect(201);
    let path = format!("/clinics/{}", id_of(&made));
    for (field, value) in [
        ("name", json!("")),
        ("name", json!("x".repeat(256))),
        ("name", json!(["x"])),
        ("phone", json!("1".repeat(21))),
        ("email", json!("no address")),
        ("zip_code", json!("1".repeat(11))),
        ("zip_code", json!(10_001)),
        ("city", json!(1)),
        ("time_zone", json!(5)),
    ] {
        let mut body = whole();
        body[field] = value.clone();
        let answer = visit.admin.post("/clinics", &body).await;
        assert_eq!(answer.status, 422, "{field} {value}: {}", answer.text());
        answer.names(422, field);
        visit
            .admin
            .put(&path, &json!({field: value}))
            .await
            .names(422, field);
    }
    // A zone that does not exist is a wrong word.
    for zone in ["Europe/Atlantis", "../../etc/passwd", "EUROPE", "+02:00"] {
        let mut body = whole();
        body["time_zone"] = zone.into();
        let answer = visit.admin.post("/clinics", &body).await;
        assert!(
            [400, 422].contains(&answer.status),
            "{zone}: {}",
            answer.text()
        );
        answer.names(answer.status, "time_zone");
    }
    visit
        .admin
        .post("/clinics", &json!({"city": "x"}))
        .await
        .names(422, "name");
    assert_eq!(visit.anonymous.get(&path).await.expect(200), made);
    visit
        .anonymous
        .get("/clinics/999999999")
        .await
        .refused(404, "RESOURCE_NOT_FOUND");
    let unknown = visit
        .admin
        .put("/clinics/999999999", &json!({"name": "x"}))
        .await;
    unknown.refused(404, "RESOURCE_NOT_FOUND");
    let unknown = visit.anonymous.get("/clinics/999999999/doctors").await;
    unknown.refused(404, "RESOURCE_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn clinics_are_listed_by_city() {
    let visit = Visit::shared().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let clinic = json!({"name": "x", "city": "Port Said"});
        ids.push(id_of(
            &visit.admin.post("/clinics", &clinic).await.expect(201),
        ));
    }
    let (rows, total) = visit
        .anonymous
        .get("/clinics?city=Port%20Said")
        .await
        .list();
    let shown: Vec<_> = rows.iter().map(id_of).collect();
    assert_eq!((shown, total), (ids.clone(), 3));
    let (rows, total) = visit
        .anonymous
        .get("/clinics?city=Port+Said&skip=1&limit=1")
        .await
        .list();
    assert_eq!((id_of(&rows[0]), rows.len(), total), (ids[1], 1, 3));
    let (rows, total) = visit.anonymous.get("/clinics?city=Nowhere").await.list();
    assert!(rows.is_empty() && total == 0);
    let (_, total) = visit.anonymous.get("/clinics").await.list();
    assert!(total >= 3);
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("skip=-1", "skip"),
    ] {
        visit
            .anonymous
            .get(&format!("/clinics?{query}"))
            .await
            .names(422, field);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_zone_moves_the_days_of_the_slots_that_are_there() {
    let visit = Visit::shared().await;
    let clinic = visit.clinic("UTC").await;
    let doctor = visit.doctor_with_limit(clinic, 1).await;
    let day = visit.new_day();
    let _spare = visit.new_day();
    // One day in UTC; in Tokyo the second is past midnight.
    let morning = visit.slot(&doctor, clinic, hour(day, 14), 1).await;
    let evening = visit.slot(&doctor, clinic, hour(day, 16), 1).await;
    let patient = visit.patient().await;
    let _ = visit.booked(&patient, morning).await;
    let client = visit.of(&patient);
    client.book(evening).await.refused(409, "SLOT_UNAVAILABLE");
    let path = format!("/clinics/{clinic}");
    let _ = visit
        .admin
        .put(&path, &json!({"time_zone": "Asia/Tokyo"}))
        .await
        .expect(200);
    let _ = client.book(evening).await.expect(201);
}
