//! `/doctors` and `/clinics`.

use super::*;

#[tokio::test]
async fn a_clinic_is_made_changed_and_found() {
    let house = House::open().await;
    let body = json!({
        "name": "City Health Center", "address": "123 Main St", "phone": "9876543210",
        "email": "info@example.org", "city": "New York", "state": "NY", "zip_code": "10001",
        "time_zone": "America/New_York",
    });
    let clinic = house
        .post("/clinics", &house.admin, body.clone())
        .await
        .expect(201);
    for (name, value) in body.as_object().unwrap() {
        assert_eq!(&clinic[name], value, "{name}");
    }
    let id = clinic["id"].as_i64().unwrap();
    let defaults = house
        .post(
            "/clinics",
            &house.admin,
            json!({"name": "Plain", "phone": ""}),
        )
        .await;
    assert_eq!(defaults.expect(201)["time_zone"], "UTC");

    let change = json!({"zip_code": null, "time_zone": "america/chicago", "state": "IL"});
    let changed = house
        .put(&format!("/clinics/{id}"), &house.admin, change)
        .await
        .expect(200);
    assert_eq!(changed["zip_code"], Value::Null);
    assert_eq!(changed["time_zone"], "America/Chicago");
    assert_eq!(changed["name"], "City Health Center");

    let found = house.get("/clinics?city=new%20york", None).await;
    assert_eq!(found.expect(200).as_array().unwrap().len(), 1);
    assert_eq!(found.header("x-total-count"), "1");
    assert_eq!(
        house.get(&format!("/clinics/{id}"), None).await.expect(200),
        changed
    );
    house
        .get("/clinics/999", None)
        .await
        .refused(404, "RESOURCE_NOT_FOUND");
    house
        .get("/clinics/999/doctors", None)
        .await
        .refused(404, "RESOURCE_NOT_FOUND");
    house
        .put("/clinics/999", &house.admin, json!({}))
        .await
        .refused(404, "RESOURCE_NOT_FOUND");
}

#[tokio::test]
async fn wrong_clinics_are_named() {
    let house = House::open().await;
    let body = json!({
        "name": "x".repeat(256), "phone": "1".repeat(21), "email": "@", "zip_code": "1".repeat(11),
        "time_zone": "Mars/Olympus",
    });
    let answer = house.post("/clinics", &house.admin, body).await;
    let fields = answer.refused(422, "VALIDATION_ERROR");
    assert_eq!(fields, ["name", "phone", "email", "zip_code", "time_zone"]);
}

#[tokio::test]
async fn only_administrators_change_the_directory() {
    let house = House::open().await;
    let practice = house.practice().await;
    let patient = house.patient().await;
    let doctor = format!("/doctors/{}", practice.doctor.id);
    let clinic = format!("/clinics/{}", practice.clinic);
    for token in [&patient.token, &practice.doctor.token] {
        let name = json!({"name": "X"});
        let profile =
            json!({"user_id": 1, "clinic_id": 1, "specialty": "X", "license_number": "X"});
        house
            .post("/clinics", token, name.clone())
            .await
            .refused(403, "AUTHORIZATION_ERROR");
        house
            .put(&clinic, token, name)
            .await
            .refused(403, "AUTHORIZATION_ERROR");
        house
            .post("/doctors", token, profile)
            .await
            .refused(403, "AUTHORIZATION_ERROR");
        house
            .put(&doctor, token, json!({}))
            .await
            .refused(403, "AUTHORIZATION_ERROR");
        let verify = format!("{doctor}/verify");
        house
            .command(&verify, token)
            .await
            .refused(403, "AUTHORIZATION_ERROR");
    }
    let body = json!({"name": "X"});
    let answer = house.call("POST", "/clinics", None, &[], Some(&body)).await;
    answer.refused(401, "AUTHENTICATION_ERROR");
}

#[tokio::test]
async fn a_doctor_is_made_by_the_rules() {
    let house = House::open().await;
    let clinic = house.clinic("UTC").await;
    let user = house.person("doctor").await;
    let patient = house.patient().await;
    let with = |changes: Value| {
        let mut body = json!({
            "user_id": user.id, "clinic_id": clinic, "specialty": "Cardiology",
            "license_number": "LIC123456", "qualifications": "MD", "experience_years": 5,
        });
        for (name, value) in changes.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    };
    for (changes, status, code, field) in [
        (json!({"user_id": 999}), 404, "RESOURCE_NOT_FOUND", None),
        (json!({"clinic_id": 999}), 404, "RESOURCE_NOT_FOUND", None),
        (
            json!({"user_id": patient.id}),
            400,
            "VALIDATION_ERROR",
            Some("user_id"),
        ),
        (
            json!({"user_id": null}),
            422,
            "VALIDATION_ERROR",
            Some("user_id"),
        ),
        (
            json!({"specialty": ""}),
            422,
            "VALIDATION_ERROR",
            Some("specialty"),
        ),
        (
            json!({"license_number": "x".repeat(51)}),
            422,
            "VALIDATION_ERROR",
            Some("license_number"),
        ),
        (
            json!({"experience_years": 81}),
            422,
            "VALIDATION_ERROR",
            Some("experience_years"),
        ),
        (
            json!({"experience_years": -1}),
            422,
            "VALIDATION_ERROR",
            Some("experience_years"),
        ),
        (
            json!({"max_patients_per_day": 0}),
            422,
            "VALIDATION_ERROR",
            Some("max_patients_per_day"),
        ),
        (
            json!({"max_patients_per_day": 1.5}),
            422,
            "VALIDATION_ERROR",
            Some("max_patients_per_day"),
        ),
    ] {
        let answer = house
            .post("/doctors", &house.admin, with(changes.clone()))
            .await;
        let fields = answer.refused(status, code);
        assert_eq!(fields, Vec::from_iter(field), "{changes}");
    }
    let doctor = house
        .post("/doctors", &house.admin, with(json!({})))
        .await
        .expect(201);
    assert_eq!(doctor["id"], user.id);
    assert_eq!(doctor["user_id"], user.id);
    assert_eq!(doctor["max_patients_per_day"], 10);
    assert_eq!(doctor["is_verified"], true);
    let again = house.post("/doctors", &house.admin, with(json!({}))).await;
    again.refused(409, "CONFLICT");
    let second = house.person("doctor").await;
    let taken = with(json!({"user_id": second.id, "license_number": "lic123456"}));
    house
        .post("/doctors", &house.admin, taken)
        .await
        .refused(409, "CONFLICT");

    let path = format!("/doctors/{}", user.id);
    let change = json!({"specialty": "Neurology", "qualifications": null, "experience_years": 6});
    let changed = house.put(&path, &house.admin, change).await.expect(200);
    assert_eq!(changed["specialty"], "Neurology");
    assert_eq!(changed["qualifications"], Value::Null);
    assert_eq!(changed["license_number"], "LIC123456");
    let moved = house
        .put(&path, &house.admin, json!({"clinic_id": 999}))
        .await;
    moved.refused(404, "RESOURCE_NOT_FOUND");
}

#[tokio::test]
async fn doctors_are_found_by_specialty_and_clinic() {
    let house = House::open().await;
    let one = house.practice().await;
    let two = house.practice().await;
    let change = json!({"specialty": "Neurology"});
    house
        .put(&format!("/doctors/{}", two.doctor.id), &house.admin, change)
        .await
        .expect(200);

    let ids = async |path: &str| -> Vec<i64> {
        let list = house.get(path, None).await.expect(200);
        list.as_array()
            .unwrap()
            .iter()
            .map(|doctor| doctor["id"].as_i64().unwrap())
            .collect()
    };
    assert_eq!(ids("/doctors").await, [one.doctor.id, two.doctor.id]);
    assert_eq!(ids("/doctors?specialty=cardiology").await, [one.doctor.id]);
    assert_eq!(
        ids(&format!("/doctors?clinic_id={}", two.clinic)).await,
        [two.doctor.id]
    );
    assert_eq!(
        ids(&format!("/clinics/{}/doctors", one.clinic)).await,
        [one.doctor.id]
    );
    assert_eq!(ids("/doctors?skip=1&limit=5").await, [two.doctor.id]);
    assert_eq!(ids("/doctors?skip=99").await, Vec::<i64>::new());
    house
        .get("/doctors/999", None)
        .await
        .refused(404, "RESOURCE_NOT_FOUND");
    for query in ["limit=0", "limit=101", "skip=-1", "clinic_id=x"] {
        let answer = house.get(&format!("/doctors?{query}"), None).await;
        let field = query.split('=').next().unwrap();
        assert_eq!(answer.refused(422, "VALIDATION_ERROR"), [field]);
    }
}

#[tokio::test]
async fn directory_reads_can_be_kept_and_asked_again() {
    let house = House::open().await;
    let practice = house.practice().await;
    let paths = [
        "/doctors".to_owned(),
        format!("/doctors/{}", practice.doctor.id),
        "/clinics".to_owned(),
        format!("/clinics/{}", practice.clinic),
        format!("/clinics/{}/doctors", practice.clinic),
    ];
    for path in &paths {
        let first = house.get(path, None).await;
        first.expect(200);
        assert!(first.header("cache-control").contains("max-age"), "{path}");
        let tag = first.header("etag").to_owned();
        let known = [("if-none-match", tag.as_str())];
        let again = house.call("GET", path, None, &known, None).await;
        assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
        assert_eq!(again.header("etag"), tag);
        let list = format!("\"other\", {tag}");
        let known = [("if-none-match", list.as_str())];
        assert_eq!(
            house.call("GET", path, None, &known, None).await.status,
            304
        );
        let other = [("if-none-match", "W/\"other\"")];
        house
            .call("GET", path, None, &other, None)
            .await
            .expect(200);
        // Who may change it asks each time.
        let own = house.get(path, Some(&house.admin)).await;
        assert_eq!(own.header("cache-control"), "private, no-cache");
    }
    let tag = house.get("/doctors", None).await.header("etag").to_owned();
    let change = json!({"specialty": "Neurology"});
    house
        .put(
            &format!("/doctors/{}", practice.doctor.id),
            &house.admin,
            change,
        )
        .await
        .expect(200);
    let known = [("if-none-match", tag.as_str())];
    house
        .call("GET", "/doctors", None, &known, None)
        .await
        .expect(200);
}

#[tokio::test]
async fn what_an_administrator_sees_is_not_kept_for_strangers() {
    let house = House::open().await;
    let practice = house.practice().await;
    house
        .command(
            &format!("/users/{}/deactivate", practice.doctor.id),
            &house.admin,
        )
        .await
        .expect(200);
    let path = format!("/doctors/{}", practice.doctor.id);
    house
        .get(&path, None)
        .await
        .refused(404, "RESOURCE_NOT_FOUND");
    let seen = house.get(&path, Some(&house.admin)).await;
    assert_eq!(seen.expect(200)["is_active"], false);
    assert!(seen.header("cache-control").starts_with("private"));
}
