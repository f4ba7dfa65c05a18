//! Lists by days and times: a doctor's times, and the own appointments.

use serde_json::json;
use telemed_tests::practice::Visit;

use super::*;

/// The times of a doctor that a query finds.
async fn times(client: &Client, doctor: i64, query: &str) -> Vec<Value> {
    let path = format!("/appointments/doctors/{doctor}/availability?{query}");
    let data = ok(&get(client, &path).await, 200);
    data["available_slots"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn times_from_a_day_to_another() {
    let visit = Visit::shared().await;
    let doctor = doctor_with_hours(&visit, "Africa/Cairo").await;
    let nobody = &visit.anonymous;
    let [first, second, third] = [date(20), date(21), date(22)];
    let found = times(nobody, doctor.id, &format!("from={first}&to={third}")).await;
    assert_eq!(found.len(), 18, "both days are in it");
    let instants: Vec<_> = found.iter().map(|row| instant(&row["datetime"])).collect();
    assert!(instants.is_sorted(), "{instants:?}");
    let days: Vec<_> = found
        .iter()
        .map(|row| row["datetime"].as_str().unwrap()[..10].to_owned())
        .collect();
    let of = |day: &String| days.iter().filter(|one| *one == day).count();
    assert_eq!([of(&first), of(&second), of(&third)], [6, 6, 6]);
    let one_day = times(nobody, doctor.id, &format!("from={second}&to={second}")).await;
    assert_eq!(one_day, found[6..12]);
    let by_date = times(nobody, doctor.id, &format!("date={second}")).await;
    assert_eq!(by_date, one_day);
    // A date is more than a span.
    let both = format!("date={second}&from={first}&to={third}");
    assert_eq!(times(nobody, doctor.id, &both).await, one_day);
    // What is booked shows, and stays.
    let patient = visit.of(&visit.patient().await);
    let at = format!("{second}T10:00");
    ok(&book(&patient, &doctor, &at).await, 201);
    let now = times(nobody, doctor.id, &format!("from={first}&to={third}")).await;
    for (place, (before, after)) in found.iter().zip(&now).enumerate() {
        let mut expected = before.clone();
        if place == 8 {
            expected["available"] = false.into();
            expected["booked_count"] = 1.into();
        }
        assert_eq!(*after, expected);
    }
    // Beyond what is published there is nothing.
    let [from, to] = [date(300), date(310)];
    let far = times(nobody, doctor.id, &format!("from={from}&to={to}")).await;
    assert_eq!(far, Vec::<Value>::new());
    let path = format!("/appointments/doctors/{}/availability", doctor.id);
    let longest = format!("from={}&to={}", date(0), date(61));
    ok(&get(nobody, &format!("{path}?{longest}")).await, 200);
    for (query, field) in [
        (String::new(), "date"),
        (format!("from={first}"), "to"),
        (format!("to={first}"), "from"),
        (format!("from={second}&to={first}"), "to"),
        (format!("from={}&to={}", date(0), date(62)), "to"),
        (format!("from=rubbish&to={first}"), "from"),
        (format!("from={first}&to=2030-13-01"), "to"),
    ] {
        names(&get(nobody, &format!("{path}?{query}")).await, field);
    }
    for nowhere in [visit.patient().await.id, 999_999_999] {
        let query = format!("from={first}&to={third}");
        let path = format!("/appointments/doctors/{nowhere}/availability?{query}");
        refused(&get(nobody, &path).await, 404, "NOT_FOUND");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn own_appointments_by_time_patient_and_state() {
    let visit = Visit::shared().await;
    let doctor = doctor_with_hours(&visit, "Africa/Cairo").await;
    let [one, two] = [visit.patient().await, visit.patient().await];
    let (by_doctor, by_one) = (visit.of(&doctor), visit.of(&one));
    let [first, second] = [date(24), date(25)];
    let mut ids = Vec::new();
    let mut starts = Vec::new();
    for (patient, at) in [
        (&one, format!("{first}T09:00")),
        (&two, format!("{first}T09:30")),
        (&one, format!("{first}T11:30")),
        (&one, format!("{second}T09:00")),
    ] {
        let made = ok(&book(&visit.of(patient), &doctor, &at).await, 201)["appointment"].clone();
        ids.push(made["id"].as_i64().unwrap());
        starts.push(made["appointment_date"].as_str().unwrap().to_owned());
    }
    let confirmed = json!({"status": "confirmed"});
    ok(
        &put(&by_doctor, &format!("/appointments/{}", ids[2]), &confirmed).await,
        200,
    );
    let found = async |client: &Client, query: &str| {
        let answer = get(client, &format!("/appointments?{query}")).await;
        let rows = ok(&answer, 200)["appointments"].as_array().unwrap().clone();
        let of = |row: &Value| ids.iter().position(|id| row["id"] == *id).unwrap();
        let places: Vec<_> = rows.iter().map(of).collect();
        assert_eq!(answer.json()["meta"]["total"], places.len(), "{query}");
        places
    };
    let (patient, other) = (one.id, two.id);
    for (query, places) in [
        // Days are the doctor's clinic's, times without a zone too.
        (format!("from={first}&to={first}"), vec![2, 1, 0]),
        (format!("from={second}"), vec![3]),
        (format!("to={first}"), vec![2, 1, 0]),
        (format!("from={first}T09:30"), vec![3, 2, 1]),
        (format!("from={first}T09:31&to={second}T08:59"), vec![2]),
        (format!("to={first}T09:30:00"), vec![1, 0]),
        // Both ends are in it, with a zone to the instant.
        (format!("from={}&to={}", starts[1], starts[2]), vec![2, 1]),
        (format!("from={second}&to={first}"), vec![]),
        (format!("patient_id={patient}"), vec![3, 2, 0]),
        (format!("patient_id={other}"), vec![1]),
        (format!("patient_id={patient}&status=scheduled"), vec![3, 0]),
        (format!("status=confirmed&from={first}"), vec![2]),
        (
            format!("status=pending&to={first}&patient_id={other}"),
            vec![1],
        ),
        ("status=cancelled".to_owned(), vec![]),
        ("patient_id=999999999".to_owned(), vec![]),
        ("from=&to=&status=&page=1".to_owned(), vec![3, 2, 1, 0]),
    ] {
        assert_eq!(found(&by_doctor, &query).await, places, "{query}");
    }
    let span = format!("from={}&to={}", starts[0], starts[2]);
    assert_eq!(found(&by_one, &span).await, [2, 0]);
    // A patient sees his own, whomever he names; an administrator sees whom he names.
    assert_eq!(
        found(&by_one, &format!("patient_id={other}")).await,
        [3, 2, 0]
    );
    assert_eq!(
        found(&visit.admin, &format!("patient_id={patient}")).await,
        [3, 2, 0]
    );
    let narrow = format!("patient_id={patient}&status=confirmed&{span}");
    assert_eq!(found(&visit.admin, &narrow).await, [2]);
    for (query, field) in [
        ("from=rubbish", "from"),
        ("to=2030-02-30", "to"),
        ("patient_id=x", "patient_id"),
        ("patient_id=0", "patient_id"),
        ("status=done", "status"),
    ] {
        names(
            &get(&by_doctor, &format!("/appointments?{query}")).await,
            field,
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn own_appointments_in_pages() {
    let visit = Visit::shared().await;
    let doctor = doctor_with_hours(&visit, "UTC").await;
    let patient = visit.patient().await;
    let own = visit.of(&patient);
    let mut ids = Vec::new();
    for ahead in [27, 28] {
        for time in ["09:00", "09:30", "10:00", "10:30", "11:00", "11:30"] {
            let at = format!("{}T{time}", date(ahead));
            let made = ok(&book(&own, &doctor, &at).await, 201);
            ids.push(made["appointment"]["id"].clone());
        }
    }
    ids.reverse();
    let page = async |query: &str| {
        let answer = get(&own, &format!("/appointments?{query}")).await;
        let rows = ok(&answer, 200)["appointments"].as_array().unwrap().clone();
        let found: Vec<_> = rows.iter().map(|row| row["id"].clone()).collect();
        (found, answer.json()["meta"].clone())
    };
    let meta = |page: i64, per_page: i64, pages: i64| {
        json!({
            "total": 12, "page": page, "per_page": per_page, "total_pages": pages,
            "pages": pages, "has_next": page < pages, "has_prev": page > 1,
        })
    };
    for (query, expected, told) in [
        ("", &ids[..], meta(1, 500, 1)),
        ("page=1", &ids[..10], meta(1, 10, 2)),
        ("page=2", &ids[10..], meta(2, 10, 2)),
        ("per_page=5", &ids[..5], meta(1, 5, 3)),
        ("page=2&per_page=5", &ids[5..10], meta(2, 5, 3)),
        ("page=3&per_page=5", &ids[10..], meta(3, 5, 3)),
        ("page=4&per_page=5", &[], meta(4, 5, 3)),
        ("page=1&per_page=1000", &ids[..], meta(1, 100, 1)),
    ] {
        assert_eq!(page(query).await, (expected.to_vec(), told), "{query}");
    }
    // A page of what is filtered.
    let day = date(28);
    let (found, told) = page(&format!("from={day}&page=2&per_page=4&status=scheduled")).await;
    assert_eq!(found, ids[4..6]);
    assert_eq!((&told["total"], &told["pages"]), (&json!(6), &json!(2)));
}
