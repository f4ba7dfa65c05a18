//! Calls and presence over the wire, by HTTP alone.

mod life;
mod permissions;
mod races;

use serde_json::{Value, json};
use telemed_tests::client::{Answer, Client};
use telemed_tests::practice::{Person, Practice, Visit, hour};

use super::platform::{api, get, names, ok, post, refused};

/// A patient and a doctor with a care relation.
struct Care {
    visit: Visit,
    doctor: Person,
    patient: Person,
    appointment: i64,
}

impl Care {
    async fn open() -> Self {
        Self::at(Visit::shared().await).await
    }

    /// At a server of its own whose file of settings has these lines.
    async fn with(settings: &str) -> (Self, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("telemed.toml");
        std::fs::write(&file, settings).unwrap();
        let options = ["--config", file.to_str().unwrap()];
        let practice = Practice::open(&options, &[]).await;
        (Self::at(Visit::at(practice)).await, folder)
    }

    async fn at(visit: Visit) -> Self {
        let (clinic, doctor) = visit.clinic_and_doctor().await;
        let patient = visit.patient().await;
        let slot = visit
            .slot(&doctor, clinic, hour(visit.new_day(), 9), 1)
            .await;
        Self {
            appointment: visit.booked(&patient, slot).await,
            visit,
            doctor,
            patient,
        }
    }

    fn patient(&self) -> Client {
        self.visit.of(&self.patient)
    }

    fn doctor(&self) -> Client {
        self.visit.of(&self.doctor)
    }

    /// The patient calls the doctor.
    async fn begun(&self) -> String {
        begun(&self.patient(), &self.doctor).await
    }
}

/// The id of a call that somebody begins.
async fn begun(by: &Client, callee: &Person) -> String {
    let begun = ok(&initiate(by, callee).await, 200);
    begun["call_id"].as_str().unwrap().to_owned()
}

async fn initiate(by: &Client, callee: &Person) -> Answer {
    let body = json!({"callee_id": callee.id, "call_type": "video"});
    post(by, "/calls/initiate", &body).await
}

/// Does something to a call.
async fn to(by: &Client, call: &str, what: &str, body: Value) -> Answer {
    post(by, &format!("/calls/{call}/{what}"), &body).await
}

async fn detail(by: &Client, call: &str) -> Value {
    ok(&get(by, &format!("/call-history/{call}")).await, 200)
}

/// Begins as often as it likes.
const OFTEN: &str = "[rate_limits]\ncalls = \"1000/60000\"\n";
