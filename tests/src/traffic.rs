//! Patients who book and cancel, each command with a key of its own, and what they were told: so
//! that servers can be killed under them and held to every acknowledgement afterwards.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::client::{Client, id_of};
use crate::practice::{PASSWORD, log_in, token_of};
use crate::server::{ADMIN_EMAIL, ADMIN_PASSWORD, ServerFolder};

const SLOTS_A_DAY: usize = 6;
/// Before a command without an answer is sent again.
const PAUSE: Duration = Duration::from_millis(20);
/// How often it is sent again before that counts as a failure: for a minute or more.
const TRIES: usize = 3_000;

/// One command of a patient, sent with a key of its own until it is acknowledged.
#[derive(Clone, Debug)]
enum Command {
    Book { step: usize },
    Cancel { step: usize, appointment: i64 },
}

/// What came of sending a command.
enum Sent {
    Done(i64),
    /// The server has asked to come back.
    Later,
    /// There was no answer.
    Nothing,
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

    fn acknowledge(&mut self, command: &Command, id: i64) {
        match command {
            Command::Book { step } => {
                assert_eq!(self.booked.len(), *step);
                self.booked.push(id);
            }
            Command::Cancel { appointment, .. } => {
                assert_eq!(id, *appointment);
                self.cancelled.push(id);
            }
        }
    }
}

/// What the patients of a practice do, and what they were told so far.
pub struct Traffic {
    tokens: Vec<String>,
    slots: Arc<Vec<i64>>,
    stories: Vec<Story>,
}

/// What a patient does when a command has no answer, or is asked to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otherwise {
    /// He goes home, and the command is in doubt. Nobody is to be asked to come back.
    End,
    /// He sends it again, with its key, to the next server.
    GoOn,
}

/// Traffic that flows.
pub struct Flow {
    patients: JoinSet<(usize, Story)>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    is_over: AtomicBool,
    acknowledged: AtomicUsize,
    told: Notify,
    /// How often there was no answer, and how often the answer was to come back.
    failed: Mutex<(usize, usize)>,
}

impl Traffic {
    /// A clinic, a doctor with so many slots, and so many patients, each of whom can book each
    /// slot once. The server has the administrator of [`crate::server`].
    ///
    /// # Panics
    /// When one of the requests is refused.
    pub async fn settle(anonymous: &Client, patients: usize, slots: usize) -> Self {
        let admin = anonymous.with_token(&log_in(anonymous, ADMIN_EMAIL, ADMIN_PASSWORD).await);
        let clinic = admin
            .post("/clinics", &json!({"name": "x"}))
            .await
            .expect(201);
        let account = |role: &str, email: String| json!({"name": "x", "email": email, "password": PASSWORD, "role": role});
        let doctor = account("doctor", "doctor@traffic.example".into());
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
        let mut made = Vec::with_capacity(slots);
        for number in 0..slots {
            let day = today + 10 + i64::try_from(number / SLOTS_A_DAY).unwrap();
            let second = day * 86_400 + i64::try_from(number % SLOTS_A_DAY).unwrap() * 3_600;
            let slot = json!({
                "doctor_id": doctor["user"]["id"],
                "clinic_id": clinic["id"],
                "slot_datetime": jiff::Timestamp::from_second(second).unwrap().to_string(),
                "capacity": patients,
            });
            made.push(id_of(&admin.post("/slots", &slot).await.expect(201)));
        }
        let mut tokens = Vec::new();
        for number in 0..patients {
            let patient = account("patient", format!("patient{number}@traffic.example"));
            let signed = anonymous.post("/auth/register", &patient).await.expect(201);
            tokens.push(token_of(&signed));
        }
        Self {
            stories: vec![Story::default(); patients],
            slots: Arc::new(made),
            tokens,
        }
    }

    /// Lets every patient send one command after the other, with a pause between, each to a server
    /// of these to begin with.
    #[must_use]
    pub fn flow(&self, servers: &[Client], pause: Duration, otherwise: Otherwise) -> Flow {
        let counts = Arc::new(Counts::default());
        let mut patients = JoinSet::new();
        for (patient, story) in self.stories.iter().enumerate() {
            let token = &self.tokens[patient];
            let mut clients: Vec<_> = servers.iter().map(|one| one.with_token(token)).collect();
            let first = patient % clients.len();
            clients.rotate_left(first);
            let living = Living {
                clients,
                patient,
                slots: Arc::clone(&self.slots),
                counts: Arc::clone(&counts),
                pause,
                otherwise,
            };
            patients.spawn(living.live(story.clone()));
        }
        Flow { patients, counts }
    }

    /// Holds running servers to everything that was acknowledged: every patient asks each of them.
    ///
    /// # Panics
    /// When something is missing, is there twice, or was never acknowledged.
    pub async fn check(&mut self, servers: &[Client]) {
        for (patient, story) in self.stories.iter_mut().enumerate() {
            let token = &self.tokens[patient];
            for server in servers {
                check(&server.with_token(token), patient, &self.slots, story).await;
            }
        }
    }

    /// The slot that the patients come to last.
    #[must_use]
    pub fn last_slot(&self) -> i64 {
        self.slots.last().copied().unwrap_or_default()
    }

    /// How many bookings were acknowledged.
    #[must_use]
    pub fn booked(&self) -> usize {
        self.stories.iter().map(|story| story.booked.len()).sum()
    }

    /// How many cancellations were acknowledged.
    #[must_use]
    pub fn cancelled(&self) -> usize {
        self.stories.iter().map(|story| story.cancelled.len()).sum()
    }

    /// How many commands wait for their answer.
    #[must_use]
    pub fn in_doubt(&self) -> usize {
        let waiting = |story: &&Story| story.in_doubt.is_some();
        self.stories.iter().filter(waiting).count()
    }
}

/// Servers of one folder, killed in mid-traffic and started again: what was acknowledged is there,
/// and nothing took effect twice. The database of the folder is empty. Returns what the patients
/// know at the end, when no server runs any more.
///
/// # Panics
/// When something was lost or happened twice.
#[allow(clippy::print_stdout)] // When the kills came is what one needs to know of a failure.
pub async fn killed_in_mid_traffic(folder: &ServerFolder) -> Traffic {
    const ROUNDS: usize = 6;
    const PATIENTS: usize = 16;
    // More than the rounds can use up.
    const SLOTS: usize = 400;
    folder.create_administrator();
    let random = RandomState::new();
    let mut traffic = None;
    for round in 0..ROUNDS {
        let server = folder.start(&[], &[]);
        let clients = [Client::new(&server.base)];
        let traffic: &mut Traffic = match &mut traffic {
            Some(traffic) => traffic,
            none => none.insert(Traffic::settle(&clients[0], PATIENTS, SLOTS).await),
        };
        traffic.check(&clients).await;

        // From the middle of the first group commit to some hundred bookings.
        let kill_after = 5 + usize::try_from(random.hash_one(round) % 150).unwrap();
        let mut flow = traffic.flow(&clients, Duration::ZERO, Otherwise::End);
        flow.until_acknowledged(kill_after).await;
        server.kill();
        flow.ended(traffic).await;
        let (code, said) = folder.verify_audit();
        assert_eq!(
            code,
            Some(0),
            "round {round}, killed after {kill_after}: {said}"
        );
        let in_doubt = traffic.in_doubt();
        println!("round {round}: killed after {kill_after} acknowledgements, {in_doubt} in doubt");
    }
    let server = folder.start(&[], &[]);
    let mut traffic = traffic.unwrap();
    traffic.check(&[Client::new(&server.base)]).await;
    server.stop();
    let (code, said) = folder.verify_audit();
    assert_eq!(code, Some(0), "{said}");
    traffic
}

impl Flow {
    /// Waits until so many commands were acknowledged.
    ///
    /// # Panics
    /// When a patient has gone home before.
    pub async fn until_acknowledged(&mut self, count: usize) {
        while self.acknowledged() < count {
            tokio::select! {
                () = self.counts.told.notified() => {}
                Some(ended) = self.patients.join_next() => panic!("traffic ended early: {ended:?}"),
            }
        }
    }

    /// How many commands were acknowledged so far.
    #[must_use]
    pub fn acknowledged(&self) -> usize {
        self.counts.acknowledged.load(Ordering::SeqCst)
    }

    /// How often there was no answer, and how often the answer was to come back.
    ///
    /// # Panics
    /// When a patient has panicked.
    #[must_use]
    pub fn failed(&self) -> (usize, usize) {
        *self.counts.failed.lock().unwrap()
    }

    /// Waits until every patient has gone home.
    ///
    /// # Panics
    /// When one has panicked.
    pub async fn ended(self, traffic: &mut Traffic) {
        for (patient, story) in self.patients.join_all().await {
            traffic.stories[patient] = story;
        }
    }

    /// Sends everybody home after the command that he is at.
    ///
    /// # Panics
    /// When one has panicked.
    pub async fn stop(self, traffic: &mut Traffic) {
        self.counts.is_over.store(true, Ordering::SeqCst);
        self.ended(traffic).await;
    }
}

/// A patient at his commands.
struct Living {
    /// The server that he speaks to, and those that he turns to.
    clients: Vec<Client>,
    patient: usize,
    slots: Arc<Vec<i64>>,
    counts: Arc<Counts>,
    pause: Duration,
    otherwise: Otherwise,
}

impl Living {
    async fn live(mut self, mut story: Story) -> (usize, Story) {
        while !self.counts.is_over.load(Ordering::SeqCst) {
            let command = story.next();
            let Some(id) = self.send(&command).await else {
                story.in_doubt = Some(command);
                break;
            };
            story.acknowledge(&command, id);
            self.counts.acknowledged.fetch_add(1, Ordering::SeqCst);
            self.counts.told.notify_one();
            tokio::time::sleep(self.pause).await;
        }
        (self.patient, story)
    }

    /// Sends a command until it is acknowledged.
    async fn send(&mut self, command: &Command) -> Option<i64> {
        for _ in 0..TRIES {
            let sent = send(&self.clients[0], self.patient, &self.slots, command).await;
            let is_answered = match sent {
                Sent::Done(id) => return Some(id),
                Sent::Later => true,
                Sent::Nothing => false,
            };
            if self.otherwise == Otherwise::End {
                assert!(!is_answered, "asked to come back");
                return None;
            }
            {
                let mut failed = self.counts.failed.lock().unwrap();
                if is_answered {
                    failed.1 += 1;
                } else {
                    failed.0 += 1;
                }
            }
            self.clients.rotate_left(1);
            tokio::time::sleep(PAUSE).await;
        }
        panic!("never acknowledged: {command:?}");
    }
}

/// Sends a command. Anything but success is a failure: the key makes a repetition succeed too.
async fn send(client: &Client, patient: usize, slots: &[i64], command: &Command) -> Sent {
    let (path, key, body, status) = match command {
        Command::Book { step } => (
            "/appointments/book".to_owned(),
            format!("book-{patient}-{step}"),
            json!({"slot_id": slots[*step], "reason_for_visit": format!("step {step}")}),
            201,
        ),
        Command::Cancel { step, appointment } => (
            format!("/appointments/{appointment}/cancel"),
            format!("cancel-{patient}-{step}"),
            json!({"cancelled_reason": format!("step {step}")}),
            200,
        ),
    };
    let request = client.request(Method::POST, &path).key(&key).json(&body);
    let Ok(answer) = request.try_send().await else {
        return Sent::Nothing;
    };
    if answer.status == 503 {
        answer.refused(503, "UNAVAILABLE");
        assert!(answer.header("retry-after").is_some(), "{answer:?}");
        return Sent::Later;
    }
    Sent::Done(id_of(&answer.expect(status)))
}

/// Holds a server that is there to what a patient was told.
async fn check(client: &Client, patient: usize, slots: &[i64], story: &mut Story) {
    let acknowledged = async |command: &Command| match send(client, patient, slots, command).await {
        Sent::Done(id) => id,
        Sent::Later | Sent::Nothing => panic!("the server is not there"),
    };
    if let Some(command) = story.in_doubt.take() {
        let id = acknowledged(&command).await;
        story.acknowledge(&command, id);
    }
    // What was acknowledged long ago and lately, sent again with its key, is the same.
    let newest = story.booked.len().saturating_sub(1);
    for step in [0, story.booked.len() / 2, newest] {
        if let Some(expected) = story.booked.get(step) {
            let again = acknowledged(&Command::Book { step }).await;
            assert_eq!(again, *expected, "patient {patient}, step {step}");
        }
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
            Some((slots[step].into(), status.into())),
            "patient {patient}, step {step}"
        );
    }
    assert!(shown.is_empty(), "nobody was told of {shown:?}");
}
