//! Two servers of one database.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};
use telemed_tests::client::{Answer, Client};
use telemed_tests::practice::{Practice, Visit};
use telemed_tests::server::{ServerFolder, SharedDatabase};

/// A practice with two servers, and a visit at each.
pub struct Pair {
    pub database: SharedDatabase,
    pub one: Visit,
    pub two: Visit,
}

impl Pair {
    pub async fn open(database: SharedDatabase) -> Self {
        Self::with(database, &[]).await
    }

    /// Both with these options.
    pub async fn with(database: SharedDatabase, options: &[&str]) -> Self {
        let folder = ServerFolder::of(&database);
        let one = Practice::open_in(folder, options, &[]).await;
        let two = one.beside(ServerFolder::of(&database), options);
        Self {
            database,
            one: Visit::at(one),
            two: Visit::at(two),
        }
    }

    pub fn both(&self) -> [&Visit; 2] {
        [&self.one, &self.two]
    }

    /// A visitor at each server.
    pub fn clients(&self) -> [Client; 2] {
        self.both().map(|visit| visit.anonymous.clone())
    }

    /// One of the two in turn.
    pub fn of_turn(&self, number: usize) -> &Visit {
        self.both()[number % 2]
    }

    /// Ends both with SIGTERM and returns their logs.
    pub fn stop(self) -> [String; 2] {
        [self.one, self.two].map(|visit| {
            let Visit { practice, .. } = visit;
            let practice = Arc::into_inner(practice).expect("nobody else is here");
            practice.server.stop();
            String::from_utf8_lossy(&practice.folder.log()).into_owned()
        })
    }
}

/// A request of the platform surface.
pub async fn platform(client: &Client, method: Method, path: &str, body: &Value) -> Answer {
    let request = client.request(method, &format!("//api{path}"));
    request.json(body).send().await
}

/// Whether this client is signed in at a server.
pub async fn is_signed_in(client: &Client) -> bool {
    let answer = client.get("/auth/profile").await;
    match answer.status {
        200 => true,
        401 => {
            answer.refused(401, "AUTHENTICATION_ERROR");
            false
        }
        _ => panic!("{}", answer.text()),
    }
}

/// What `POST /auth/login` takes.
pub fn credentials(email: &str, password: &str) -> Value {
    json!({"email": email, "password": password})
}
