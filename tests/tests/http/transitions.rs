//! The states of an appointment: what leads where, and whose hand may do it.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use telemed_tests::client::{Answer, Client};
use telemed_tests::practice::{Person, Visit, hour, until};

async fn act(client: &Client, appointment: i64, action: &str) -> Answer {
    match action {
        "cancel" => client.cancel(appointment).await,
        "reject" => client.reject(appointment).await,
        step => client.step(appointment, step).await,
    }
}

#[track_caller]
fn assert_illegal(answer: &Answer, what: &str) {
    assert_eq!(answer.status, 409, "{what}: {}", answer.text());
    answer.refused(409, "CONFLICT");
}

async fn status(visit: &Visit, appointment: i64) -> String {
    let path = format!("/appointments/{appointment}");
    let body = visit.admin.get(&path).await.expect(200);
    body["status"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn before_its_start() {
    let visit = Visit::shared().await;
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let patient = visit.patient().await;
    let doctors = visit.of(&doctor);
    let slot = visit.any_slot(&doctor, clinic, 1).await;
    // (the way there, what is tried, what it leads to)
    let cases: &[(&[&str], &str, Option<&str>)] = &[
        (&[], "confirm", Some("confirmed")),
        (&[], "reject", Some("rejected")),
        (&[], "cancel", Some("cancelled")),
        (&[], "complete", None),
        (&[], "no-show", None),
        (&["confirm"], "confirm", None),
        (&["confirm"], "reject", None),
        (&["confirm"], "cancel", Some("cancelled")),
        (&["confirm"], "complete", None),
        (&["confirm"], "no-show", None),
        (&["reject"], "confirm", None),
        (&["reject"], "reject", None),
        (&["reject"], "cancel", None),
        (&["reject"], "complete", None),
        (&["reject"], "no-show", None),
        (&["cancel"], "confirm", None),
        (&["cancel"], "reject", None),
        (&["cancel"], "cancel", None),
        (&["cancel"], "complete", None),
        (&["cancel"], "no-show", None),
        (&["confirm", "cancel"], "confirm", None),
        (&["confirm", "cancel"], "cancel", None),
    ];
    for client in [&doctors, &visit.admin] {
        for (way, action, leads_to) in cases {
            let what = format!("{way:?} {action}");
            let appointment = visit.booked(&patient, slot).await;
            for step in *way {
                let _ = act(client, appointment, step).await.expect(200);
            }
            let before = status(&visit, appointment).await;
            let answer = act(client, appointment, action).await;
            match leads_to {
                Some(to) => {
                    assert_eq!(answer.expect(200)["status"], *to, "{what}");
                    assert_eq!(status(&visit, appointment).await, *to, "{what}");
                }
                None => {
                    assert_illegal(&answer, &what);
                    assert_eq!(status(&visit, appointment).await, before, "{what}");
                }
            }
            // A seat is taken by what is pending or confirmed.
            let is_live =
                ["pending", "confirmed"].contains(&status(&visit, appointment).await.as_str());
            let taken = visit.seats_taken(&doctor, slot, 1).await;
            assert_eq!(taken, i64::from(is_live), "{what}");
            if is_live {
                let _ = visit.admin.cancel(appointment).await.expect(200);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_its_start() {
    let visit = Visit::shared().await;
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let doctors = visit.of(&doctor);
    let people: Vec<Person> = visit.crowd().await.into_iter().take(6).collect();
    let soon = Timestamp::now() + SignedDuration::from_secs(5);
    let slot = visit.slot(&doctor, clinic, soon, 10).await;
    let mut appointments = Vec::new();
    for person in &people {
        appointments.push(visit.booked(person, slot).await);
    }
    let [pending, completed, missed, by_admin, other, cancelled] = appointments[..] else {
        unreachable!("six were booked")
    };
    for appointment in [completed, missed, by_admin, other] {
        let _ = doctors.step(appointment, "confirm").await.expect(200);
        if Timestamp::now() < soon {
            // Not yet. (Unless the machine was too slow to get here in time.)
            let answer = doctors.step(appointment, "complete").await;
            if answer.status == 200 {
                assert!(Timestamp::now() >= soon, "completed before its start");
            } else {
                assert_illegal(&answer, "complete before the start");
            }
        }
    }
    let _ = doctors.cancel(cancelled).await.expect(200);
    until("the visit has begun", || async {
        doctors.step(completed, "complete").await.status == 200
            || status(&visit, completed).await == "completed"
    })
    .await;
    assert!(Timestamp::now() >= soon);

    assert_eq!(
        doctors.step(missed, "no-show").await.expect(200)["status"],
        "no_show"
    );
    let _ = visit.admin.step(by_admin, "complete").await.expect(200);
    for (appointment, action) in [
        (pending, "complete"),
        (pending, "no-show"),
        (completed, "complete"),
        (completed, "confirm"),
        (completed, "cancel"),
        (completed, "reject"),
        (missed, "no-show"),
        (missed, "confirm"),
        (missed, "cancel"),
        (cancelled, "complete"),
        (cancelled, "no-show"),
    ] {
        for client in [&doctors, &visit.admin] {
            let before = status(&visit, appointment).await;
            let answer = act(client, appointment, action).await;
            assert_illegal(&answer, &format!("{before} {action}"));
            assert_eq!(status(&visit, appointment).await, before);
        }
    }
    // The correction is the administrator's.
    for (appointment, action, to) in [
        (completed, "no-show", "no_show"),
        (missed, "complete", "completed"),
    ] {
        let before = status(&visit, appointment).await;
        let answer = doctors.step(appointment, action).await;
        assert!([403, 409].contains(&answer.status), "{}", answer.text());
        assert_eq!(status(&visit, appointment).await, before);
        assert_eq!(
            visit.admin.step(appointment, action).await.expect(200)["status"],
            to
        );
    }
    // A completed visit keeps the care relation.
    let path = format!("/patients/{}", people[1].id);
    let _ = doctors.get(&path).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visit_that_took_place_counts_for_the_doctors_day() {
    let visit = Visit::shared().await;
    // A zone in which it is about noon, so that the day does not end during the test.
    let hours = Timestamp::now().to_zoned(TimeZone::UTC).hour();
    let offset = 12 - hours;
    let zone = match offset {
        0 => "Etc/GMT".to_owned(),
        // The names of these zones count westwards.
        east if east > 0 => format!("Etc/GMT-{east}"),
        west => format!("Etc/GMT+{}", -west),
    };
    let clinic = visit.clinic(&zone).await;
    let doctor = visit.doctor_with_limit(clinic, 1).await;
    let patient = visit.patient().await;
    let soon = Timestamp::now() + SignedDuration::from_secs(4);
    let first = visit.slot(&doctor, clinic, soon, 1).await;
    let second = visit.slot(&doctor, clinic, hour(soon, 2), 1).await;
    let appointment = visit.booked(&patient, first).await;
    let client = visit.of(&patient);
    client.book(second).await.refused(409, "SLOT_UNAVAILABLE");
    let doctors = visit.of(&doctor);
    let _ = doctors.step(appointment, "confirm").await.expect(200);
    until("the visit has begun", || async {
        doctors.step(appointment, "complete").await.status == 200
            || status(&visit, appointment).await == "completed"
    })
    .await;
    client.book(second).await.refused(409, "SLOT_UNAVAILABLE");
    let _ = visit.admin.step(appointment, "no-show").await.expect(200);
    client.book(second).await.refused(409, "SLOT_UNAVAILABLE");
}
