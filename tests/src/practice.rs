//! A practice over the wire: a server with an administrator, and the people, clinics and slots
//! that a test asks for. Nothing here looks into the database.

use std::future::Future;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::{Mutex, OnceCell};

use crate::client::{Answer, Client, id_of};
use crate::server::{ADMIN_EMAIL, ADMIN_PASSWORD, Server, ServerFolder};

/// The password of everybody but the administrator.
pub const PASSWORD: &str = "a long enough password";

/// How many people [`Visit::crowd`] has.
pub const CROWD: usize = 64;

/// Somebody with an account.
#[derive(Clone, Debug)]
pub struct Person {
    /// The id.
    pub id: i64,
    /// The e-mail address.
    pub email: String,
    /// An access token.
    pub token: String,
}

/// A server with an administrator.
pub struct Practice {
    /// Its data and log.
    pub folder: ServerFolder,
    /// The process.
    pub server: Server,
    admin_token: String,
    crowd: OnceCell<Vec<Person>>,
}

static SHARED: Mutex<Weak<Practice>> = Mutex::const_new(Weak::new());

/// Makes names, addresses and days that no other test has.
fn unique() -> i64 {
    static NEXT: AtomicI64 = AtomicI64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Practice {
    /// A practice of this test's own.
    pub async fn open(options: &[&str], environment: &[(&str, &str)]) -> Arc<Self> {
        Self::open_in(ServerFolder::new(), options, environment).await
    }

    /// A practice in this folder, whose database is empty.
    pub async fn open_in(
        folder: ServerFolder,
        options: &[&str],
        environment: &[(&str, &str)],
    ) -> Arc<Self> {
        folder.create_administrator();
        let server = folder.start(options, environment);
        let client = Client::new(&server.base);
        let admin_token = log_in(&client, ADMIN_EMAIL, ADMIN_PASSWORD).await;
        Arc::new(Self {
            folder,
            server,
            admin_token,
            crowd: OnceCell::new(),
        })
    }

    /// The same practice at another server, which shares the database.
    #[must_use]
    pub fn beside(&self, folder: ServerFolder, options: &[&str]) -> Arc<Self> {
        let server = folder.start(options, &[]);
        Arc::new(Self {
            folder,
            server,
            admin_token: self.admin_token.clone(),
            crowd: OnceCell::new(),
        })
    }

    /// Kills the server as `kill -9` does.
    #[must_use]
    pub fn kill(self) -> Killed {
        self.server.kill();
        Killed {
            folder: self.folder,
            admin_token: self.admin_token,
        }
    }

    /// The practice that the tests of this program share, which lives as long as one of them.
    pub async fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock().await;
        if let Some(practice) = shared.upgrade() {
            return practice;
        }
        let practice = Self::open(&[], &[]).await;
        *shared = Arc::downgrade(&practice);
        practice
    }
}

/// A practice whose server was killed.
pub struct Killed {
    /// Its data and log.
    pub folder: ServerFolder,
    admin_token: String,
}

impl Killed {
    /// Starts the server again, on another port.
    #[must_use]
    pub fn reopen(self, options: &[&str]) -> Arc<Practice> {
        let server = self.folder.start(options, &[]);
        Arc::new(Practice {
            folder: self.folder,
            server,
            admin_token: self.admin_token,
            crowd: OnceCell::new(),
        })
    }
}

/// Signs somebody in.
///
/// # Panics
/// When it is refused.
pub async fn log_in(client: &Client, email: &str, password: &str) -> String {
    let credentials = json!({"email": email, "password": password});
    let signed = client.post("/auth/login", &credentials).await.expect(200);
    token_of(&signed)
}

/// The access token of an answer.
///
/// # Panics
/// When there is none.
#[track_caller]
#[must_use]
pub fn token_of(signed: &Value) -> String {
    let token = signed["access_token"].as_str();
    token
        .unwrap_or_else(|| panic!("no token: {signed}"))
        .to_owned()
}

/// One test's stay at a practice. Connections belong to the test's own runtime.
pub struct Visit {
    /// The practice.
    pub practice: Arc<Practice>,
    /// A visitor who is not signed in.
    pub anonymous: Client,
    /// The administrator.
    pub admin: Client,
}

impl Visit {
    /// A stay at the shared practice.
    pub async fn shared() -> Self {
        Self::at(Practice::shared().await)
    }

    /// A stay at this practice.
    #[must_use]
    pub fn at(practice: Arc<Practice>) -> Self {
        let anonymous = Client::new(&practice.server.base);
        let admin = anonymous.with_token(&practice.admin_token);
        Self {
            practice,
            anonymous,
            admin,
        }
    }

    /// The client of somebody.
    #[must_use]
    pub fn of(&self, person: &Person) -> Client {
        self.anonymous.with_token(&person.token)
    }

    /// An e-mail address that nobody has yet.
    #[must_use]
    pub fn new_email(&self) -> String {
        format!("person{}@mail.example", unique())
    }

    /// The start of a day, ten days from now or later, that no other test uses.
    #[must_use]
    pub fn new_day(&self) -> Timestamp {
        let today = Timestamp::now().as_second() / 86_400;
        let day = (today + 10 + unique()) * 86_400;
        Timestamp::from_second(day).expect("a day of the calendar")
    }

    /// Registers a patient.
    pub async fn patient(&self) -> Person {
        let email = self.new_email();
        self.register(&self.anonymous, "patient", &email).await
    }

    /// A doctor's account without a profile: signed in and not verified.
    pub async fn unverified_doctor(&self) -> Person {
        let email = self.new_email();
        self.register(&self.admin, "doctor", &email).await
    }

    async fn register(&self, by: &Client, role: &str, email: &str) -> Person {
        let account = json!({
            "name": format!("Person {}", unique()),
            "email": email,
            "password": PASSWORD,
            "role": role,
        });
        let signed = by.post("/auth/register", &account).await.expect(201);
        Person {
            id: id_of(&signed["user"]),
            email: email.to_owned(),
            token: token_of(&signed),
        }
    }

    /// Patients that the tests of the practice share, [`CROWD`] of them. A test books them on
    /// days of its own.
    pub async fn crowd(&self) -> Vec<Person> {
        let people = self.practice.crowd.get_or_init(|| async {
            let mut people = Vec::with_capacity(CROWD);
            for _ in 0..CROWD {
                people.push(self.patient().await);
            }
            people
        });
        people.await.clone()
    }

    /// A clinic in a zone.
    pub async fn clinic(&self, zone: &str) -> i64 {
        let clinic = json!({"name": format!("Clinic {}", unique()), "time_zone": zone});
        id_of(&self.admin.post("/clinics", &clinic).await.expect(201))
    }

    /// What `POST /doctors` takes for somebody.
    #[must_use]
    pub fn profile(&self, doctor: &Person, clinic: i64) -> Value {
        json!({
            "user_id": doctor.id,
            "clinic_id": clinic,
            "specialty": "Cardiology",
            "license_number": format!("LIC-{}", unique()),
            "qualifications": "MD",
            "experience_years": 5,
            "max_patients_per_day": 100,
        })
    }

    /// A verified doctor at a clinic who sees 100 patients a day.
    pub async fn doctor(&self, clinic: i64) -> Person {
        self.doctor_with_limit(clinic, 100).await
    }

    /// A verified doctor at a clinic who sees this many patients a day.
    pub async fn doctor_with_limit(&self, clinic: i64, patients_a_day: i64) -> Person {
        let doctor = self.unverified_doctor().await;
        let mut profile = self.profile(&doctor, clinic);
        profile["max_patients_per_day"] = patients_a_day.into();
        let _ = self.admin.post("/doctors", &profile).await.expect(201);
        doctor
    }

    /// A clinic in UTC and a doctor there.
    pub async fn clinic_and_doctor(&self) -> (i64, Person) {
        let clinic = self.clinic("UTC").await;
        let doctor = self.doctor(clinic).await;
        (clinic, doctor)
    }

    /// A slot of 30 minutes.
    pub async fn slot(&self, doctor: &Person, clinic: i64, at: Timestamp, capacity: i64) -> i64 {
        let slot = json!({
            "doctor_id": doctor.id,
            "clinic_id": clinic,
            "slot_datetime": at.to_string(),
            "duration_minutes": 30,
            "capacity": capacity,
        });
        id_of(&self.admin.post("/slots", &slot).await.expect(201))
    }

    /// A slot on a day of its own.
    pub async fn any_slot(&self, doctor: &Person, clinic: i64, capacity: i64) -> i64 {
        self.slot(doctor, clinic, hour(self.new_day(), 12), capacity)
            .await
    }

    /// A booking by the patient.
    pub async fn booked(&self, patient: &Person, slot: i64) -> i64 {
        id_of(&self.of(patient).book(slot).await.expect(201))
    }

    /// The appointments of a patient as the administrator sees them.
    pub async fn appointments_of(&self, patient: &Person) -> Vec<Value> {
        let path = format!("/patients/{}/appointments", patient.id);
        self.admin.get(&path).await.list().0
    }

    /// A doctor's slots that are offered.
    pub async fn open_slots(&self, doctor: &Person) -> Vec<Value> {
        let path = format!("/slots?doctor_id={}", doctor.id);
        self.anonymous.get(&path).await.list().0
    }

    /// How many seats of a slot are taken: what the search says, or its capacity when the search
    /// does not offer it any more.
    pub async fn seats_taken(&self, doctor: &Person, slot: i64, capacity: i64) -> i64 {
        let open = self.open_slots(doctor).await;
        let found = open.iter().find(|row| row["id"] == slot);
        found.map_or(capacity, |row| {
            row["booked_count"].as_i64().expect("a count")
        })
    }
}

impl Client {
    /// Books a slot for the patient whose client this is.
    pub async fn book(&self, slot: i64) -> Answer {
        self.post("/appointments/book", &json!({"slot_id": slot}))
            .await
    }

    /// Cancels an appointment.
    pub async fn cancel(&self, appointment: i64) -> Answer {
        let path = format!("/appointments/{appointment}/cancel");
        self.post(&path, &json!({"cancelled_reason": "cannot come"}))
            .await
    }

    /// A step of an appointment without a body: `confirm`, `complete` or `no-show`.
    pub async fn step(&self, appointment: i64, step: &str) -> Answer {
        let path = format!("/appointments/{appointment}/{step}");
        self.request(Method::POST, &path).send().await
    }

    /// Rejects an appointment.
    pub async fn reject(&self, appointment: i64) -> Answer {
        let path = format!("/appointments/{appointment}/reject");
        self.post(&path, &json!({"reason": "not my field"})).await
    }
}

/// This hour of a day that starts at `day`.
///
/// # Panics
/// At the end of the calendar.
#[must_use]
pub fn hour(day: Timestamp, hour: i64) -> Timestamp {
    day.checked_add(SignedDuration::from_hours(hour))
        .expect("an hour of the calendar")
}

/// Asks until the answer is yes.
///
/// # Panics
/// When it stays no for a minute.
pub async fn until<F: Future<Output = bool>>(what: &str, mut asked: impl FnMut() -> F) {
    for _ in 0..3_000 {
        if asked().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never came true: {what}");
}
