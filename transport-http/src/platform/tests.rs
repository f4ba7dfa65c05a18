#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod accounts;
mod appointments;
mod availability;
mod changes;
mod cookies;
mod doctors;
mod shape;

use serde_json::{Value, json};

use crate::auth::cookie::CookieConfig;
use crate::cors::Cors;
use crate::router::RouterConfig;
use crate::testing::*;

/// A day with hours, far enough ahead: a Wednesday.
const DAY: &str = "2030-01-09";

impl House {
    /// Signs in on the platform.
    async fn sign_in(&self, identifier: &str) -> Answer {
        let body = json!({"login_identifier": identifier, "password": PASSWORD});
        self.ask("POST", "/auth/login", &[], Some(&body)).await
    }

    /// A doctor with hours from 09:00 to 12:00 on every day.
    async fn with_hours(&self, time_zone: &str) -> Practice {
        let practice = self.practice_with(time_zone, 20).await;
        self.set_hours(&practice, "09:00", "12:00").await;
        practice
    }

    async fn set_hours(&self, practice: &Practice, start: &str, end: &str) {
        let day = json!({"start": start, "end": end, "enabled": true});
        let days = [
            "monday",
            "tuesday",
            "wednesday",
            "thursday",
            "friday",
            "saturday",
            "sunday",
        ];
        let week: serde_json::Map<_, _> = days
            .iter()
            .map(|name| ((*name).to_owned(), day.clone()))
            .collect();
        let body = json!({"schedule": week});
        self.api(
            "PUT",
            "/availability/schedule",
            &practice.doctor.token,
            Some(body),
        )
        .await
        .data(200);
    }

    /// Books by date.
    async fn visit(&self, patient: &Person, practice: &Practice, date: &str) -> Answer {
        let body = json!({"doctor_id": practice.doctor.id.to_string(), "appointment_date": date,
            "appointment_type": "audio", "symptoms": "a cough"});
        self.api("POST", "/appointments", &patient.token, Some(body))
            .await
    }

    async fn visited(&self, patient: &Person, practice: &Practice, date: &str) -> Value {
        self.visit(patient, practice, date).await.data(201)["appointment"].clone()
    }
}

/// The session cookie that an answer sets, as a request sends it, and its attributes.
fn cookie_of(answer: &Answer) -> (String, String) {
    let set = answer.header("set-cookie");
    let (pair, attributes) = set.split_once("; ").unwrap_or((set, ""));
    (pair.to_owned(), attributes.to_owned())
}
