//! Doctors, specialties, free times.

use super::*;

#[tokio::test]
async fn doctors_are_listed_in_pages() {
    let house = House::open().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(house.practice().await.doctor.id);
    }
    for path in ["/users/doctors", "/appointments/doctors"] {
        let answer = house.ask("GET", path, &[], None).await;
        let all = answer.data(200);
        assert_eq!(all["doctors"].as_array().unwrap().len(), 3);
        assert_eq!(answer.json()["meta"]["total"], 3);
        let page = house
            .ask("GET", &format!("{path}?page=2&per_page=2"), &[], None)
            .await;
        let doctors = page.data(200);
        assert_eq!(doctors["doctors"].as_array().unwrap().len(), 1);
        assert_eq!(
            page.json()["meta"],
            json!({"total": 3, "page": 2, "per_page": 2,
            "total_pages": 2, "pages": 2, "has_next": false, "has_prev": true})
        );
        let past = house.ask("GET", &format!("{path}?page=9"), &[], None).await;
        assert_eq!(past.data(200)["doctors"], json!([]));
        let large = house
            .ask("GET", &format!("{path}?per_page=101"), &[], None)
            .await;
        large.data(200);
        assert_eq!(large.json()["meta"]["per_page"], 100);
    }
    let found = house
        .ask("GET", "/users/doctors?specialty=cardiology", &[], None)
        .await;
    assert_eq!(found.data(200)["doctors"].as_array().unwrap().len(), 3);
    let none = house
        .ask("GET", "/users/doctors?specialty=x", &[], None)
        .await;
    assert_eq!(none.data(200)["doctors"], json!([]));
    let specialties = house
        .ask("GET", "/users/specialties", &[], None)
        .await
        .data(200);
    assert_eq!(specialties, json!({"specialties": ["Cardiology"]}));

    let one = house
        .ask("GET", &format!("/users/doctors/{}", ids[0]), &[], None)
        .await
        .data(200);
    let doctor = &one["doctor"];
    assert_eq!(one["full_name"], doctor["full_name"]);
    assert_eq!(doctor["user"]["full_name"], doctor["full_name"]);
    assert_eq!(doctor["rating"], Value::Null);
    assert_eq!(doctor["clinic"]["name"], "Clinic");
    house
        .command(&format!("/users/{}/deactivate", ids[0]), &house.admin)
        .await
        .expect(200);
    house
        .ask("GET", &format!("/users/doctors/{}", ids[0]), &[], None)
        .await
        .failed(404, "NOT_FOUND");
}

#[tokio::test]
async fn a_day_without_a_midnight_begins_after_it() {
    let house = House::open().await;
    let practice = house.practice_with("Africa/Cairo", 20).await;
    // In the night to the 26th of April the clocks of Cairo go from midnight to one.
    let last = house.slot(&practice, "2030-04-25T21:30:00Z", 1).await;
    let first = house.slot(&practice, "2030-04-25T22:00:00Z", 1).await;
    let path = format!("/appointments/doctors/{}/availability", practice.doctor.id);
    for (query, expected) in [
        ("date=2030-04-25", json!([[last, "23:30"]])),
        ("date=2030-04-26", json!([[first, "01:00"]])),
        (
            "from=2030-04-25&to=2030-04-26",
            json!([[last, "23:30"], [first, "01:00"]]),
        ),
    ] {
        let path = format!("{path}?{query}");
        let found = house.ask("GET", &path, &[], None).await.data(200);
        let slots = found["available_slots"].as_array().unwrap().iter();
        let told: Vec<_> = slots
            .map(|slot| json!([slot["slot_id"], slot["start"]]))
            .collect();
        assert_eq!(json!(told), expected, "{query}");
    }
}

#[tokio::test]
async fn free_times_are_shown_by_the_clinics_clocks() {
    let house = House::open().await;
    let practice = house.with_hours("Africa/Cairo").await;
    let patient = house.patient().await;
    house
        .visited(&patient, &practice, &format!("{DAY}T09:30"))
        .await;
    let path = format!("/appointments/doctors/{}/availability", practice.doctor.id);
    let day = house
        .ask("GET", &format!("{path}?date={DAY}"), &[], None)
        .await
        .data(200);
    assert_eq!(day["time_zone"], "Africa/Cairo");
    let slots = day["available_slots"].as_array().unwrap();
    assert_eq!(slots.len(), 6);
    assert_eq!(slots[0]["start"], "09:00");
    assert_eq!(slots[0]["end"], "09:30");
    assert_eq!(slots[0]["datetime"], format!("{DAY}T09:00:00+02:00"));
    assert_eq!(slots[0]["available"], true);
    assert_eq!(
        (&slots[1]["available"], &slots[1]["booked_count"]),
        (&json!(false), &json!(1))
    );
    let two = house
        .ask(
            "GET",
            &format!("{path}?from={DAY}&to=2030-01-10"),
            &[],
            None,
        )
        .await;
    assert_eq!(
        two.data(200)["available_slots"].as_array().unwrap().len(),
        12
    );
    for (query, field) in [
        ("date=x", "date"),
        ("from=2030-01-10&to=2030-01-09", "to"),
        ("from=2030-01-01&to=2031-01-01", "to"),
        ("to=2030-01-01", "from"),
    ] {
        let answer = house
            .ask("GET", &format!("{path}?{query}"), &[], None)
            .await;
        assert_eq!(
            answer.failed(400, "VALIDATION_ERROR")["field"],
            field,
            "{query}"
        );
    }
    let nobody = "/appointments/doctors/999/availability?date=2030-01-09";
    house
        .ask("GET", nobody, &[], None)
        .await
        .failed(404, "NOT_FOUND");
}
