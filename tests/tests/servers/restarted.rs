//! PostgreSQL is killed and comes back under load.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use telemed_tests::client::{Answer, Client};
use telemed_tests::cluster::Cluster;
use telemed_tests::invariants;
use telemed_tests::practice::{PASSWORD, token_of, until};
use telemed_tests::server::{ServerFolder, SharedDatabase};
use telemed_tests::traffic::{Otherwise, Traffic};
use tokio::task::JoinSet;

use super::database::{count, whole};

/// Whether the database comes back at once, or only when every patient was told to come back.
const ROUNDS: [Outage; 3] = [Outage::Short, Outage::Long, Outage::Short];
const PATIENTS: usize = 16;
/// More than the rounds can use up at one command each [`PAUSE`].
const SLOTS: usize = 400;
const PAUSE: Duration = Duration::from_millis(20);
/// Service is to be back two seconds after the database; the rest is for a busy machine.
const BACK_WITHIN: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outage {
    Short,
    Long,
}

/// Clients see success, a refusal of the domain, or that they are to come back; what was
/// acknowledged is there once; and service is back with the database.
#[allow(clippy::print_stdout)] // The figures are what one reads this test for.
pub async fn service_is_back_with_the_database() {
    let cluster = Arc::new(Cluster::start().unwrap());
    let url = cluster.url("postgres");
    let database = SharedDatabase::new(&url, Arc::clone(&cluster));
    let folders = [(); 2].map(|()| ServerFolder::of(&database));
    folders[0].create_administrator();
    let servers = folders.each_ref().map(|folder| folder.start(&[], &[]));
    let clients = servers.each_ref().map(|server| Client::new(&server.base));
    let mut traffic = Traffic::settle(&clients[0], PATIENTS, SLOTS).await;
    let mut longest = Duration::ZERO;
    for outage in ROUNDS {
        let mut flow = traffic.flow(&clients, PAUSE, Otherwise::GoOn);
        let others = Others::start(&clients, traffic.last_slot()).await;
        flow.until_acknowledged(100).await;
        let stopping = Arc::clone(&cluster);
        let stopped = tokio::task::spawn_blocking(move || stopping.stop_immediate());
        stopped.await.unwrap();
        if outage == Outage::Long {
            until("everybody is told to come back", || async {
                flow.failed().1 >= PATIENTS
            })
            .await;
        }
        let starting = Arc::clone(&cluster);
        let started = tokio::task::spawn_blocking(move || starting.start_again());
        let back_at = answers_again(&url).await;
        let mut waits = JoinSet::new();
        for (client, token) in clients.iter().zip(&others.tokens) {
            waits.spawn(serves_again(client.with_token(token), back_at));
        }
        let waits = waits.join_all().await;
        longest = waits.iter().copied().fold(longest, Duration::max);
        let by_then = flow.acknowledged();
        flow.until_acknowledged(by_then + 100).await;
        let (unanswered, later) = flow.failed();
        flow.stop(&mut traffic).await;
        let seen = others.stop().await;
        println!(
            "{outage:?} outage: the servers were back {waits:?} after the database; commands told \
             to come back: {later}; answers to the others: {seen:?}"
        );
        started.await.unwrap();
        assert_eq!(
            unanswered, 0,
            "the servers themselves were there all the time"
        );
        traffic.check(&clients).await;
    }
    for server in servers {
        server.stop();
    }
    for folder in &folders {
        let (code, said) = folder.verify_audit();
        assert_eq!(code, Some(0), "{said}");
    }
    let all = "SELECT count(*) FROM appointments WHERE status IN ('pending', 'cancelled')";
    // Each of the others books the last slot once at most.
    let (kept, booked) = (count(&database, all).await, traffic.booked());
    let others = clients.len() * ROUNDS.len();
    assert!(
        (booked..=booked + others).contains(&kept),
        "{kept} for {booked}"
    );
    invariants::check(&whole(&database).await);
    println!("service was back {longest:?} after the database at the latest");
    assert!(longest < BACK_WITHIN, "{longest:?}");
}

/// Asks the database itself until it answers; when that was.
#[allow(clippy::disallowed_methods)]
async fn answers_again(url: &str) -> Instant {
    let address: PgConnectOptions = url.parse().unwrap();
    let address = address.disable_statement_logging();
    while address.connect().await.is_err() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Instant::now()
}

/// Writes until it is done; how long after the database that was.
async fn serves_again(client: Client, back_at: Instant) -> Duration {
    let rename = json!({"full_name": "Back Again"});
    loop {
        let request = client.request(Method::PUT, "//api/users/profile");
        let answer = request.json(&rename).send().await;
        if answer.status == 200 {
            return back_at.elapsed();
        }
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert!(back_at.elapsed() < Duration::from_secs(60), "never back");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Clients without keys, who look at everything and change what they may.
struct Others {
    /// Of a patient at each server.
    tokens: Vec<String>,
    running: JoinSet<()>,
    is_over: Arc<AtomicBool>,
    seen: Arc<Mutex<BTreeMap<u16, usize>>>,
}

impl Others {
    async fn start(clients: &[Client], slot: i64) -> Self {
        let (mut running, mut tokens) = (JoinSet::new(), Vec::new());
        let is_over = Arc::new(AtomicBool::new(false));
        let seen = Arc::new(Mutex::new(BTreeMap::new()));
        for client in clients {
            let account = registration();
            let signed = client.post("/auth/register", &account).await.expect(201);
            let token = token_of(&signed);
            let signed_in = client.with_token(&token);
            let email = account["email"].as_str().unwrap().to_owned();
            let (is_over, seen) = (Arc::clone(&is_over), Arc::clone(&seen));
            tokens.push(token);
            running.spawn(async move {
                for number in 0_usize.. {
                    if is_over.load(Ordering::SeqCst) {
                        return;
                    }
                    let answer = ask(&signed_in, number, slot, &email).await;
                    check(&answer);
                    *seen.lock().unwrap().entry(answer.status).or_default() += 1;
                    tokio::time::sleep(PAUSE).await;
                }
            });
        }
        Self {
            tokens,
            running,
            is_over,
            seen,
        }
    }

    async fn stop(self) -> BTreeMap<u16, usize> {
        self.is_over.store(true, Ordering::SeqCst);
        self.running.join_all().await;
        Arc::into_inner(self.seen).unwrap().into_inner().unwrap()
    }
}

fn registration() -> serde_json::Value {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let email = format!("{number}@others.example");
    json!({"name": "x", "email": email, "password": PASSWORD, "role": "patient"})
}

/// One request after the other, over both surfaces.
async fn ask(client: &Client, number: usize, slot: i64, email: &str) -> Answer {
    match number % 9 {
        0 => client.get("/slots?limit=5").await,
        1 => client.get("/auth/profile").await,
        2 => client.book(slot).await,
        3 => client.get("/doctors").await,
        4 => client.get("//api/appointments?page=1").await,
        5 => {
            let rename = json!({"full_name": "Another Name"});
            let request = client.request(Method::PUT, "//api/users/profile");
            request.json(&rename).send().await
        }
        6 => {
            let body = json!({"login_identifier": email, "password": PASSWORD});
            let request = client.request(Method::POST, "//api/auth/login");
            request.json(&body).send().await
        }
        7 => client.get("//ready").await,
        _ => client.post("/auth/register", &registration()).await,
    }
}

#[track_caller]
fn check(answer: &Answer) {
    match answer.status {
        503 => assert!(answer.header("retry-after").is_some(), "{answer:?}"),
        200 | 201 | 409 | 422 => {}
        _ => panic!("{}: {}", answer.status, answer.text()),
    }
}
