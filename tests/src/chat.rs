//! People who talk over every surface at once, and what they were told: so that servers can be
//! held to the order of messages, and to each that they have acknowledged.

pub mod killed;
pub mod lossy;
pub mod pen;
pub mod reader;
pub mod sockets;

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::client::Client;
use crate::practice::{Person, Visit};

/// Without limits on rates: people talk faster here than anybody can.
pub const UNLIMITED: &[&str] = &["--rate-limits", "off"];

/// The conversation of a patient and a doctor.
#[derive(Clone, Debug)]
pub struct Talk {
    /// The id.
    pub id: String,
    /// Who takes part: the patient and the doctor.
    pub pair: [Person; 2],
}

impl Visit {
    /// The conversation of these two, which the patient opens.
    pub async fn talk(&self, patient: &Person, doctor: &Person) -> Talk {
        let body = json!({"participant_id": doctor.id});
        let client = self.of(patient);
        let opened = client.post("//api/messages/conversations", &body).await;
        let opened = opened.expect(200);
        Talk {
            id: text_of(&opened["data"]["conversation"]["id"]),
            pair: [patient.clone(), doctor.clone()],
        }
    }
}

impl Talk {
    /// Every message, oldest first, as one of the two reads it over HTTP. It is read by nobody by
    /// that, and delivered to who asks.
    ///
    /// # Panics
    /// When the numbers are not dense, or the pages do not fit together.
    pub async fn messages(&self, client: &Client) -> Vec<Value> {
        let mut all = Vec::new();
        loop {
            let page = all.len() / 100 + 1;
            let path = format!(
                "//api/conversations/{}/messages?order=asc&per_page=100&page={page}",
                self.id
            );
            let data = client.get(&path).await.expect(200)["data"].take();
            let rows = data["messages"].as_array().expect("a list");
            all.extend(rows.iter().cloned());
            if rows.len() < 100 {
                assert_eq!(data["total"], all.len(), "{data}");
                break;
            }
        }
        for (place, message) in (1_u64..).zip(&all) {
            assert_eq!(message["seq"], place, "a gap in the numbers");
        }
        all
    }
}

/// A text.
///
/// # Panics
/// When it is none.
#[track_caller]
#[must_use]
pub fn text_of(value: &Value) -> String {
    let text = value.as_str();
    text.unwrap_or_else(|| panic!("no text: {value}"))
        .to_owned()
}

/// Chance.
#[derive(Debug, Default)]
pub struct Dice {
    random: RandomState,
    thrown: AtomicU64,
}

impl Dice {
    /// A number below this one.
    pub fn below(&self, most: u64) -> u64 {
        let throw = self.thrown.fetch_add(1, Ordering::Relaxed);
        self.random.hash_one(throw) % most
    }
}
