//! kill -9 in mid-traffic: what was acknowledged is there, and nothing took effect twice.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::Method;
use rusqlite::{Connection, OpenFlags};
use serde_json::json;
use telemed_tests::client::{Client, id_of};
use telemed_tests::practice::{PASSWORD, log_in, token_of};
use telemed_tests::server::{ADMIN_EMAIL, ADMIN_PASSWORD, ServerFolder};
use tokio::sync::Notify;
use tokio::task::JoinSet;

const ROUNDS: usize = 6;
const PATIENTS: usize = 16;
/// More than the rounds can use up.
const SLOTS: usize = 400;
const SLOTS_A_DAY: usize = 6;

/// One command of a patient, sent with a key of its own until it is acknowledged.
#[derive(Clone, Debug)]
enum Command {
    Book { step: usize },
    Cancel { step: usize, appointment: i64 },
}

/// What a patient has been told, and what he has not been told yet.
#[derive(Clone, Debug, Default)]
struct Story {
    /// The appointment of each step.
    booked: Vec<i64>,
    cancelled: Vec<i64>,
    /// The command whose answer never came.
    in_doubt: Option<Command>,
}

impl Story {
    fn next(&self) -> Command {
        // Every third one is cancelled again.
        let last = self.booked.len().wrapping_sub(1);
        match self.booked.last() {
            Some(appointment)
                if last.is_multiple_of(3) && self.cancelled.last() != Some(appointment) =>
            {
                Command::Cancel {
                    step: last,
                    appointment: *appointment,
                }
            }
            _ => Command::Book {
                step: self.booked.len(),
            },
        }
    }
}

/// Sends a command; `None` when there is no answer. Anything but success is a failure: the key
/// makes a repetition succeed too.
async fn send(client: &Client, patient: usize, slots: &[i64], command: &Command) -> Option<i64> {
    let (path, key, body) = match command {
        Command::Book { step } => (
            "/appointments/book".to_owned(),
            format!("book-{patient}-{step}"),
            json!({"slot_id": slots[*step], "reason_for_visit": format!("step {step}")}),
        ),
        Command::Cancel { step, appointment } => (
            format!("/appointments/{appointment}/cancel"),
            format!("cancel-{patient}-{step}"),
            json!({"cancelled_reason": format!("step {step}")}),
        ),
    };
    let request = client.request(Method::POST, &path).key(&key).json(&body);
    let answer = request.try_send().await.ok()?;
    let status = match command {
        Command::Book { .. } => 201,
        Command::Cancel { .. } => 200,
    };
    Some(id_of(&answer.expect(status)))
}

fn acknowledged(story: &mut Story, command: &Command, id: i64) {
    match command {
        Command::Book { step } => {
            assert_eq!(story.booked.len(), *step);
            story.booked.push(id);
        }
        Command::Cancel { appointment, .. } => {
            assert_eq!(id, *appointment);
            story.cancelled.push(id);
        }
    }
}

/// A patient's traffic until the server is gone.
async fn live(
    client: Client,
    patient: usize,
    slots: Arc<Vec<i64>>,
    mut story: Story,
    acknowledgements: Arc<AtomicUsize>,
    told: Arc<Notify>,
) -> (usize, Story) {
    loop {
        let command = story.next();
        let Some(id) = send(&client, patient, &slots, &command).await else {
            story.in_doubt = Some(command);
            return (patient, story);
        };
        acknowledged(&mut story, &command, id);
        acknowledgements.fetch_add(1, Ordering::SeqCst);
        told.notify_one();
    }
}

struct People {
    tokens: Vec<String>,
    slots: Arc<Vec<i64>>,
}

/// A clinic, a doctor with many slots, and the patients.
async fn settle(anonymous: &Client) -> People {
    let admin = anonymous.with_token(&log_in(anonymous, ADMIN_EMAIL, ADMIN_PASSWORD).await);
    let clinic = admin
        .post("/clinics", &json!({"name": "x"}))
        .await
        .expect(201);
    let account = |role: &str, email: String| json!({"name": "x", "email": email, "password": PASSWORD, "role": role});
    let doctor = account("doctor", "doctor@mail.example".into());
    let doctor = admin.post("/auth/register", &doctor).await.expect(201);
    let profile = json!({
        "user_id": doctor["user"]["id"],
        "clinic_id": clinic["id"],
        "specialty": "x",
        "license_number": "x",
        "max_patients_per_day": 100,
    });
    let _ = admin.post("/doctors", &profile).await.expect(201);
    let today = jiff::Timestamp::now().as_second() / 86_400;
    let mut slots = Vec::with_capacity(SLOTS);
    for number in 0..SLOTS {
        let day = today + 10 + i64::try_from(number / SLOTS_A_DAY).unwrap();
        let second = day * 86_400 + i64::try_from(number % SLOTS_A_DAY).unwrap() * 3_600;
        let slot = json!({
            "doctor_id": doctor["user"]["id"],
            "clinic_id": clinic["id"],
            "slot_datetime": jiff::Timestamp::from_second(second).unwrap().to_string(),
            "capacity": PATIENTS,
        });
        slots.push(id_of(&admin.post("/slots", &slot).await.expect(201)));
    }
    let mut tokens = Vec::new();
    for number in 0..PATIENTS {
        let patient = account("patient", format!("patient{number}@mail.example"));
        let signed = anonymous.post("/auth/register", &patient).await.expect(201);
        tokens.push(token_of(&signed));
    }
    People {
        tokens,
        slots: Arc::new(slots),
    }
}

/// Holds a running server to everything that was acknowledged.
async fn check_stories(anonymous: &Client, people: &People, stories: &mut [Story]) {
    for (patient, story) in stories.iter_mut().enumerate() {
        let client = anonymous.with_token(&people.tokens[patient]);
        if let Some(command) = story.in_doubt.take() {
            let id = send(&client, patient, &people.slots, &command).await;
            acknowledged(story, &command, id.expect("the server is there"));
        }
        // What was acknowledged long ago and lately, sent again with its key, is the same.
        for step in [
            0,
            story.booked.len() / 2,
            story.booked.len().saturating_sub(1),
        ] {
            let Some(expected) = story.booked.get(step) else {
                continue;
            };
            let again = send(&client, patient, &people.slots, &Command::Book { step }).await;
            assert_eq!(again, Some(*expected), "patient {patient}, step {step}");
        }
        let mut shown = BTreeMap::new();
        let own = client.get("/auth/profile").await.expect(200);
        for skip in (0..).step_by(100) {
            let path = format!("/patients/{}/appointments?skip={skip}", own["id"]);
            let (rows, total) = client.get(&path).await.list();
            assert_eq!(total, story.booked.len() as u64, "patient {patient}");
            for row in &rows {
                shown.insert(id_of(row), (row["slot_id"].clone(), row["status"].clone()));
            }
            if rows.len() < 100 {
                break;
            }
        }
        for (step, id) in story.booked.iter().enumerate() {
            let status = if story.cancelled.contains(id) {
                "cancelled"
            } else {
                "pending"
            };
            assert_eq!(
                shown.remove(id),
                Some((people.slots[step].into(), status.into())),
                "patient {patient}, step {step}"
            );
        }
        assert!(shown.is_empty(), "nobody was told of {shown:?}");
    }
}

/// Holds the file to itself, and to how much was acknowledged.
fn check_database(folder: &ServerFolder, stories: &[Story]) {
    let path = folder.database();
    let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
    let text = |sql: &str| -> String { database.query_row(sql, [], |row| row.get(0)).unwrap() };
    let count = |sql: &str| -> usize {
        let count: i64 = database.query_row(sql, [], |row| row.get(0)).unwrap();
        usize::try_from(count).unwrap()
    };
    assert_eq!(text("PRAGMA integrity_check"), "ok");
    assert_eq!(count("SELECT count(*) FROM pragma_foreign_key_check"), 0);
    let booked: usize = stories.iter().map(|story| story.booked.len()).sum();
    let cancelled: usize = stories.iter().map(|story| story.cancelled.len()).sum();
    assert_eq!(count("SELECT count(*) FROM appointments"), booked);
    assert_eq!(
        count("SELECT count(*) FROM appointments WHERE status = 'cancelled'"),
        cancelled
    );
    // Each with its audit row, in the same transaction.
    for (action, expected) in [
        ("appointment.book", booked),
        ("appointment.cancel", cancelled),
    ] {
        let sql = format!("SELECT count(*) FROM audit_rows WHERE action = '{action}'");
        assert_eq!(count(&sql), expected, "{action}");
    }
    let wrong = "SELECT count(*) FROM slots WHERE booked_count <> (
        SELECT count(*) FROM appointments
        WHERE slot_id = slots.id AND status NOT IN ('rejected', 'cancelled'))";
    assert_eq!(count(wrong), 0, "seats that do not fit the appointments");
    let twice = "SELECT count(*) FROM (
        SELECT 1 FROM appointments GROUP BY patient_id, slot_id HAVING count(*) > 1)";
    assert_eq!(count(twice), 0, "booked twice");
}

#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::print_stdout)] // When the kills came is what one needs to know of a failure.
async fn nothing_acknowledged_is_lost_and_nothing_happens_twice() {
    let folder = ServerFolder::new();
    folder.create_administrator();
    let random = RandomState::new();
    let mut stories = vec![Story::default(); PATIENTS];
    let mut people = None;
    for round in 0..ROUNDS {
        let server = folder.start(&[], &[]);
        let anonymous = Client::new(&server.base);
        let people: &People = match &mut people {
            Some(people) => people,
            none => none.insert(settle(&anonymous).await),
        };
        check_stories(&anonymous, people, &mut stories).await;

        // From the middle of the first group commit to some hundred bookings.
        let kill_after = 5 + usize::try_from(random.hash_one(round) % 150).unwrap();
        let acknowledgements = Arc::new(AtomicUsize::new(0));
        let told = Arc::new(Notify::new());
        let mut patients = JoinSet::new();
        for (patient, story) in stories.iter().enumerate() {
            patients.spawn(live(
                anonymous.with_token(&people.tokens[patient]),
                patient,
                Arc::clone(&people.slots),
                story.clone(),
                Arc::clone(&acknowledgements),
                Arc::clone(&told),
            ));
        }
        while acknowledgements.load(Ordering::SeqCst) < kill_after {
            tokio::select! {
                () = told.notified() => {}
                Some(ended) = patients.join_next() => panic!("traffic ended early: {ended:?}"),
            }
        }
        server.kill();
        for (patient, story) in patients.join_all().await {
            stories[patient] = story;
        }
        let (code, said) = folder.verify_audit();
        assert_eq!(
            code,
            Some(0),
            "round {round}, killed after {kill_after}: {said}"
        );
        let in_doubt = stories
            .iter()
            .filter(|story| story.in_doubt.is_some())
            .count();
        println!("round {round}: killed after {kill_after} acknowledgements, {in_doubt} in doubt");
        let done: usize = stories
            .iter()
            .map(|story| story.booked.len())
            .max()
            .unwrap();
        assert!(done < SLOTS, "the slots are used up");
    }
    let server = folder.start(&[], &[]);
    let anonymous = Client::new(&server.base);
    check_stories(&anonymous, people.as_ref().unwrap(), &mut stories).await;
    server.stop();
    check_database(&folder, &stories);
    let (code, said) = folder.verify_audit();
    assert_eq!(code, Some(0), "{said}");
}
