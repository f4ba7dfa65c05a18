#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod conversations;
mod messages;

use serde_json::{Value, json};

use crate::testing::*;

/// An id that nothing has.
const NOBODYS: &str = "0193b3a4-7d3e-7c3a-8f00-000000000000";

impl House {
    async fn open_with(&self, by: &Person, body: Value) -> Answer {
        let path = "/messages/conversations";
        self.api("POST", path, &by.token, Some(body)).await
    }

    async fn send_text(&self, by: &Person, body: Value) -> Answer {
        self.api("POST", "/messages", &by.token, Some(body)).await
    }

    /// The caller's list of conversations.
    async fn listed(&self, by: &Person) -> Vec<Value> {
        let path = "/messages/conversations";
        let data = self.api("GET", path, &by.token, None).await.data(200);
        data["conversations"].as_array().unwrap().clone()
    }

    async fn unread(&self, by: &Person) -> Value {
        self.listed(by).await[0]["unread_count"].clone()
    }

    async fn found(&self, by: &Person, query: &str) -> Vec<String> {
        let path = format!("/messages/search?{query}");
        let data = self.api("GET", &path, &by.token, None).await.data(200);
        let all = data["messages"].as_array().unwrap().iter();
        all.map(|one| one["message"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// A text as a query has it.
fn quoted(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
