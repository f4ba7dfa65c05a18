//! Doctors: made and changed by administrators, listed for everybody.

use reqwest::Method;
use serde_json::{Value, json};
use telemed_tests::client::{assert_utc, id_of};
use telemed_tests::practice::{Visit, hour};

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_verifies_and_lists_a_doctor() {
    let visit = Visit::shared().await;
    let clinic = visit.clinic("UTC").await;
    let doctor = visit.unverified_doctor().await;
    let path = format!("/doctors/{}", doctor.id);
    visit
        .anonymous
        .get(&path)
        .await
        .refused(404, "RESOURCE_NOT_FOUND");
    let profile = visit.profile(&doctor, clinic);
    let made = visit.admin.post("/doctors", &profile).await.expect(201);
    for (field, value) in profile.as_object().unwrap() {
        assert_eq!(&made[field], value, "{field}");
    }
    assert_eq!(id_of(&made), doctor.id, "a doctor's id is the user's");
    assert_eq!(made["is_active"], true);
    assert_utc(&made["created_at"]);
    assert_utc(&made["updated_at"]);
    assert_eq!(visit.anonymous.get(&path).await.expect(200), made);
    let user = visit.of(&doctor).get("/auth/profile").await.expect(200);
    assert_eq!(user["is_verified"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_out_has_its_default() {
    let visit = Visit::shared().await;
    let clinic = visit.clinic("UTC").await;
    let doctor = visit.unverified_doctor().await;
    let mut profile = visit.profile(&doctor, clinic);
    for field in ["qualifications", "experience_years", "max_patients_per_day"] {
        profile.as_object_mut().unwrap().remove(field);
    }
    // Ids may be written as numeric strings.
    profile["user_id"] = doctor.id.to_string().into();
    profile["clinic_id"] = clinic.to_string().into();
    let made = visit.admin.post("/doctors", &profile).await.expect(201);
    assert_eq!(made["max_patients_per_day"], 10);
    assert_eq!(made["user_id"], doctor.id, "written back as a number");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_is_refused_for_its_reason() {
    let visit = Visit::shared().await;
    let clinic = visit.clinic("UTC").await;
    let doctor = visit.unverified_doctor().await;
    let patient = visit.patient().await;
    let refuse = |field: &str, value: Value| {
        let mut profile = visit.profile(&doctor, clinic);
        profile[field] = value;
        let admin = visit.admin.clone();
        async move { admin.post("/doctors", &profile).await }
    };
    refuse("user_id", 999_999_999.into())
        .await
        .refused(404, "RESOURCE_NOT_FOUND");
    refuse("clinic_id", 999_999_999.into())
        .await
        .refused(404, "RESOURCE_NOT_FOUND");
    refuse("user_id", patient.id.into())
        .await
        .names(400, "user_id");
    for (field, value) in [
        ("user_id", json!(0)),
        ("user_id", json!(-1)),
        ("user_id", json!("x")),
        ("user_id", json!(1.5)),
        ("user_id", json!(true)),
        ("clinic_id", json!(null)),
        ("clinic_id", json!("99999999999999999999999")),
        ("specialty", json!("")),
        ("specialty", json!("x".repeat(101))),
        ("license_number", json!("")),
        ("license_number", json!("x".repeat(51))),
        ("license_number", json!(5)),
        ("qualifications", json!(5)),
        ("experience_years", json!(-1)),
        ("experience_years", json!(81)),
        ("experience_years", json!("many")),
        ("max_patients_per_day", json!(0)),
        ("max_patients_per_day", json!(101)),
        ("max_patients_per_day", json!(9_223_372_036_854_775_807_i64)),
        ("max_patients_per_day", json!(1e300)),
    ] {
        let answer = refuse(field, value.clone()).await;
        assert_eq!(answer.status, 422, "{field} {value}: {}", answer.text());
        answer.names(422, field);
    }
    // None of them made a profile.
    let path = format!("/doctors/{}", doctor.id);
    visit
        .anonymous
        .get(&path)
        .await
        .refused(404, "RESOURCE_NOT_FOUND");
    // The bounds are inside.
    let mut profile = visit.profile(&doctor, clinic);
    profile["experience_years"] = 80.into();
    profile["max_patients_per_day"] = 1.into();
    profile["specialty"] = "x".repeat(100).into();
    let _ = visit.admin.post("/doctors", &profile).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_has_one_profile_and_a_licence_one_doctor() {
    let visit = Visit::shared().await;
    let clinic = visit.clinic("UTC").await;
    let [one, two] = [
        visit.unverified_doctor().await,
        visit.unverified_doctor().await,
    ];
    let first = visit.profile(&one, clinic);
    let _ = visit.admin.post("/doctors", &first).await.expect(201);
    let again = visit.profile(&one, clinic);
    visit
        .admin
        .post("/doctors", &again)
        .await
        .refused(409, "CONFLICT");
    let mut second = visit.profile(&two, clinic);
    second["license_number"] = first["license_number"].clone();
    visit
        .admin
        .post("/doctors", &second)
        .await
        .refused(409, "CONFLICT");
    let second = visit.profile(&two, clinic);
    let _ = visit.admin.post("/doctors", &second).await.expect(201);
    let taken = json!({"license_number": first["license_number"]});
    let path = format!("/doctors/{}", two.id);
    visit
        .admin
        .put(&path, &taken)
        .await
        .refused(409, "CONFLICT");
    let own = json!({"license_number": second["license_number"]});
    let _ = visit.admin.put(&path, &own).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_changes_what_it_names() {
    let visit = Visit::shared().await;
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let path = format!("/doctors/{}", doctor.id);
    let before = visit.anonymous.get(&path).await.expect(200);
    let change =
        json!({"specialty": "Neurology", "experience_years": 6, "max_patients_per_day": 15});
    let after = visit.admin.put(&path, &change).await.expect(200);
    for (field, value) in change.as_object().unwrap() {
        assert_eq!(&after[field], value, "{field}");
    }
    assert_eq!(after["license_number"], before["license_number"]);
    assert_eq!(after["clinic_id"], clinic);
    let other = visit.clinic("Africa/Cairo").await;
    let moved = visit
        .admin
        .put(&path, &json!({"clinic_id": other}))
        .await
        .expect(200);
    assert_eq!(moved["clinic_id"], other);
    for (field, value, status) in [
        ("experience_years", json!(81), 422),
        ("max_patients_per_day", json!(0), 422),
        ("specialty", json!(""), 422),
        ("license_number", json!("x".repeat(51)), 422),
    ] {
        visit
            .admin
            .put(&path, &json!({field: value}))
            .await
            .names(status, field);
    }
    let unknown = visit
        .admin
        .put(&path, &json!({"clinic_id": 999_999_999}))
        .await;
    unknown.refused(404, "RESOURCE_NOT_FOUND");
    let unknown = visit.admin.put("/doctors/999999999", &change).await;
    unknown.refused(404, "RESOURCE_NOT_FOUND");
    assert_eq!(visit.anonymous.get(&path).await.expect(200), moved);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_shows_listed_doctors_only_and_filters() {
    let visit = Visit::shared().await;
    let clinic = visit.clinic("UTC").await;
    let waiting = visit.unverified_doctor().await;
    let mut doctors = Vec::new();
    for specialty in ["Dermatology", "Dermatology", "Surgery & Care"] {
        let doctor = visit.unverified_doctor().await;
        let mut profile = visit.profile(&doctor, clinic);
        profile["specialty"] = specialty.into();
        let _ = visit.admin.post("/doctors", &profile).await.expect(201);
        doctors.push(doctor.id);
    }
    let ids = |rows: Vec<Value>| -> Vec<i64> { rows.iter().map(id_of).collect() };
    let here = format!("/doctors?clinic_id={clinic}");
    let (rows, total) = visit.anonymous.get(&here).await.list();
    assert_eq!((ids(rows), total), (doctors.clone(), 3));
    let (rows, _) = visit
        .anonymous
        .get(&format!("/clinics/{clinic}/doctors"))
        .await
        .list();
    assert_eq!(ids(rows), doctors);
    let (rows, total) = visit
        .anonymous
        .get(&format!("{here}&specialty=Dermatology"))
        .await
        .list();
    assert_eq!((ids(rows), total), (doctors[..2].to_vec(), 2));
    let (rows, _) = visit
        .anonymous
        .get(&format!("{here}&specialty=Surgery%20%26%20Care"))
        .await
        .list();
    assert_eq!(ids(rows), doctors[2..]);
    let (rows, _) = visit
        .anonymous
        .get(&format!("{here}&specialty=Alchemy"))
        .await
        .list();
    assert!(rows.is_empty());
    let (rows, total) = visit
        .anonymous
        .get(&format!("{here}&skip=1&limit=1"))
        .await
        .list();
    assert_eq!((ids(rows), total), (doctors[1..2].to_vec(), 3));
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("skip=-1", "skip"),
        ("clinic_id=x", "clinic_id"),
    ] {
        visit
            .anonymous
            .get(&format!("/doctors?{query}"))
            .await
            .names(422, field);
    }
    let path = format!("/doctors/{}", waiting.id);
    visit
        .anonymous
        .get(&path)
        .await
        .refused(404, "RESOURCE_NOT_FOUND");

    // A doctor who is deactivated is not listed, and his slots are not offered.
    let gone = telemed_tests::practice::Person {
        id: doctors[0],
        email: String::new(),
        token: String::new(),
    };
    let slot = visit.slot(&gone, clinic, hour(visit.new_day(), 9), 1).await;
    assert_eq!(visit.open_slots(&gone).await.len(), 1);
    let path = format!("/users/{}/deactivate", gone.id);
    let _ = visit
        .admin
        .request(Method::POST, &path)
        .send()
        .await
        .expect(200);
    let (rows, _) = visit.anonymous.get(&here).await.list();
    assert_eq!(ids(rows), doctors[1..]);
    let path = format!("/doctors/{}", gone.id);
    visit
        .anonymous
        .get(&path)
        .await
        .refused(404, "RESOURCE_NOT_FOUND");
    assert!(visit.open_slots(&gone).await.is_empty(), "slot {slot}");
}

#[tokio::test(flavor = "multi_thread")]
async fn verifying_a_verified_doctor_changes_nothing() {
    let visit = Visit::shared().await;
    let (_, doctor) = visit.clinic_and_doctor().await;
    let path = format!("/doctors/{}/verify", doctor.id);
    let answer = visit
        .admin
        .request(Method::POST, &path)
        .send()
        .await
        .expect(200);
    assert_eq!(id_of(&answer), doctor.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn directory_reads_are_tagged_and_not_sent_twice() {
    let visit = Visit::shared().await;
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    for (path, edited, change) in [
        (
            format!("/doctors/{}", doctor.id),
            format!("/doctors/{}", doctor.id),
            json!({"experience_years": 9}),
        ),
        (
            format!("/doctors?clinic_id={clinic}"),
            format!("/doctors/{}", doctor.id),
            json!({"experience_years": 10}),
        ),
        (
            format!("/clinics/{clinic}/doctors"),
            format!("/doctors/{}", doctor.id),
            json!({"experience_years": 11}),
        ),
        (
            format!("/clinics/{clinic}"),
            format!("/clinics/{clinic}"),
            json!({"phone": "1"}),
        ),
        (
            "/clinics?city=Tagtown".to_owned(),
            format!("/clinics/{clinic}"),
            json!({"city": "Tagtown"}),
        ),
    ] {
        let first = visit.anonymous.get(&path).await;
        assert_eq!(first.status, 200, "{path}");
        let tag = first
            .header("etag")
            .unwrap_or_else(|| panic!("no ETag: {path}"))
            .to_owned();
        assert!(
            first
                .header("cache-control")
                .is_some_and(|policy| !policy.contains("no-store")),
            "{path}"
        );
        let ask = |tag: String| {
            let request = visit.anonymous.request(Method::GET, &path);
            async move { request.header("if-none-match", &tag).send().await }
        };
        for tags in [
            tag.clone(),
            format!("\"other\", {tag}"),
            format!("W/{}", tag.trim_start_matches("W/")),
            "*".to_owned(),
        ] {
            let again = ask(tags.clone()).await;
            assert_eq!(again.status, 304, "{path} with {tags}");
            assert!(again.bytes.is_empty());
            assert_eq!(again.header("etag"), Some(tag.as_str()));
        }
        assert_eq!(ask("\"other\"".to_owned()).await.status, 200);
        let _ = visit.admin.put(&edited, &change).await.expect(200);
        let changed = ask(tag.clone()).await;
        assert_eq!(changed.status, 200, "{path} after a change");
        assert_ne!(changed.header("etag"), Some(tag.as_str()));
    }
}
