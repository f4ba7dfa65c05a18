//! Node's own Socket.IO server.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, json};

use super::house::House;
use crate::http::Child;

/// Why it cannot be had, if it cannot.
pub fn missing() -> Option<&'static str> {
    let is_there = installed().join("made-from").is_file();
    (!is_there).then_some("Node's server is not installed: run `tests/clients/prepare server`")
}

fn installed() -> PathBuf {
    telemed_tests::clients::folder().join("server")
}

/// Starts it with the conversations of a house, over a database of its own.
pub fn serve(house: &House, folder: &Path) -> Child {
    let mut participants = Map::new();
    for talk in &house.talks {
        let users = json!([talk.patient.id.get(), talk.doctor.id.get()]);
        participants.insert(talk.conversation.to_string(), users);
    }
    let file = folder.join("participants.json");
    std::fs::write(&file, json!(participants).to_string()).expect("a file");
    let database = folder.join(format!("node-{}.db", uuid::Uuid::now_v7()));
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients");
    let mut command = Command::new("node");
    command
        .arg(sources.join("server/server.js"))
        .args([&installed(), &database, &file]);
    Child::of(command)
}
