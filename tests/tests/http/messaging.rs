//! Conversations and messages over the wire, on the chat surface, the calls surface and the raw
//! chat.

mod calls;
mod chat;
mod conversations;
mod events;
mod search;

use reqwest::Method;
use serde_json::{Value, json};
use telemed_tests::client::{Answer, Client};
use telemed_tests::practice::{Person, Visit};

use super::platform::{api, get, names, ok, post, put, refused};

/// An id that nothing has.
const NOBODYS: &str = "0193b3a4-7d3e-7c3a-8f00-000000000000";

/// A patient and a doctor with a conversation, and somebody else.
struct Talk {
    visit: Visit,
    patient: Person,
    doctor: Person,
    id: String,
}

impl Talk {
    async fn open() -> Self {
        Self::at(Visit::shared().await).await
    }

    async fn at(visit: Visit) -> Self {
        let (_, doctor) = visit.clinic_and_doctor().await;
        let patient = visit.patient().await;
        let body = json!({"participant_id": doctor.id});
        let answer = post(&visit.of(&patient), "/messages/conversations", &body).await;
        let opened = ok(&answer, 200);
        Self {
            id: opened["conversation"]["id"].as_str().unwrap().to_owned(),
            visit,
            patient,
            doctor,
        }
    }

    fn patient(&self) -> Client {
        self.visit.of(&self.patient)
    }

    fn doctor(&self) -> Client {
        self.visit.of(&self.doctor)
    }

    async fn outsider(&self) -> Client {
        self.visit.of(&self.visit.patient().await)
    }

    /// The conversation on the chat surface.
    fn chat(&self, rest: &str) -> String {
        format!("/messages/conversations/{}{rest}", self.id)
    }

    /// The conversation on the calls surface.
    fn calls(&self, rest: &str) -> String {
        format!("/conversations/{}{rest}", self.id)
    }

    /// Sends a text on the chat surface and returns the message.
    async fn say(&self, by: &Client, text: &str) -> Value {
        let body = json!({"conversation_id": self.id, "message": text});
        let sent = ok(&post(by, "/messages", &body).await, 200);
        sent["message"].clone()
    }

    /// The id of a call of the two, for which they have an appointment.
    async fn call(&self) -> String {
        let visit = &self.visit;
        let clinic = visit
            .anonymous
            .get(&format!("/doctors/{}", self.doctor.id))
            .await;
        let clinic = clinic.expect(200)["clinic_id"].as_i64().unwrap();
        let slot = visit.any_slot(&self.doctor, clinic, 1).await;
        visit.booked(&self.patient, slot).await;
        let body = json!({"callee_id": self.doctor.id, "call_type": "voice"});
        let begun = post(&self.patient(), "/calls/initiate", &body).await;
        ok(&begun, 200)["call_id"].as_str().unwrap().to_owned()
    }

    /// The caller's entry of this conversation on the chat surface.
    async fn listed(&self, by: &Client) -> Option<Value> {
        let listed = ok(&get(by, "/messages/conversations").await, 200);
        let all = listed["conversations"].as_array().unwrap().clone();
        all.into_iter().find(|one| one["id"] == self.id.as_str())
    }

    async fn unread(&self, by: &Client) -> Value {
        self.listed(by).await.expect("it is listed")["unread_count"].clone()
    }
}

/// A request with an idempotency key.
async fn keyed(client: &Client, method: Method, path: &str, key: &str, body: &Value) -> Answer {
    api(client, method, path).key(key).json(body).send().await
}

/// One field of each row.
fn each(rows: &Value, field: &str) -> Vec<Value> {
    let rows = rows.as_array().expect("a list").iter();
    rows.map(|row| row[field].clone()).collect()
}
