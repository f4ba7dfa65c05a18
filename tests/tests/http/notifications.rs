//! What patients and doctors are told, as the server's own channel writes it into the log.

use jiff::{SignedDuration, Timestamp};
use telemed_tests::practice::{Person, Practice, Visit, until};

/// The lines of the log that speak of a notification about this appointment.
fn notices(visit: &Visit, appointment: i64) -> Vec<String> {
    let log = String::from_utf8_lossy(&visit.practice.folder.log()).into_owned();
    let about = format!("appointment={appointment}");
    let lines = log
        .lines()
        .filter(|line| line.split(' ').any(|word| word == about));
    lines.map(str::to_owned).collect()
}

fn is_to(line: &str, person: &Person) -> bool {
    let user = format!("user={}", person.id);
    line.split(' ').any(|word| word == user)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_side_is_told() {
    let visit = Visit::shared().await;
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let patient = visit.patient().await;
    let slot = visit.any_slot(&doctor, clinic, 1).await;
    let appointment = visit.booked(&patient, slot).await;
    until("the booking is notified", || async {
        !notices(&visit, appointment).is_empty()
    })
    .await;
    let told = |person: &Person| {
        let lines = notices(&visit, appointment);
        lines.iter().filter(|line| is_to(line, person)).count()
    };
    let before = told(&patient);
    let _ = visit
        .of(&doctor)
        .step(appointment, "confirm")
        .await
        .expect(200);
    until("the patient is told", || async { told(&patient) > before }).await;
    let before = told(&doctor);
    let _ = visit.of(&patient).cancel(appointment).await.expect(200);
    until("the doctor is told", || async { told(&doctor) > before }).await;
    // Nobody is named.
    for line in notices(&visit, appointment) {
        assert!(
            !line.contains(&patient.email) && !line.contains("Person"),
            "{line}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn patients_are_reminded_unless_they_have_cancelled() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("telemed.toml");
    std::fs::write(&file, "[reminders]\nhours = [1]\n").unwrap();
    let options = ["--config", file.to_str().unwrap()];
    let visit = Visit::at(Practice::open(&options, &[]).await);
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let other = visit.doctor(clinic).await;
    let [one, two] = [visit.patient().await, visit.patient().await];
    // An hour before the first visit is in six seconds, before the second in seven.
    let in_an_hour = Timestamp::now() + SignedDuration::from_secs(3_606);
    let first = visit.slot(&doctor, clinic, in_an_hour, 1).await;
    let in_an_hour = in_an_hour + SignedDuration::from_secs(1);
    let second = visit.slot(&other, clinic, in_an_hour, 1).await;
    let cancelled = visit.booked(&one, first).await;
    let kept = visit.booked(&two, second).await;
    let _ = visit.of(&one).cancel(cancelled).await.expect(200);
    let reminded = |appointment: i64| {
        let lines = notices(&visit, appointment);
        lines
            .iter()
            .any(|line| line.contains("kind=appointment_reminder"))
    };
    until("the reminder", || async { reminded(kept) }).await;
    assert!(
        Timestamp::now() >= in_an_hour - SignedDuration::from_hours(1),
        "too early"
    );
    assert!(!reminded(cancelled), "it was due before the other");
}
