//! Pages of a real browser, Chromium, with a camera that is none.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use super::{Program, program_named};

/// A browser without a window, over a profile of its own.
pub struct Browser {
    program: Program,
    asked: u64,
    // It is removed after the browser has ended.
    _profile: TempDir,
}

impl Browser {
    /// Why it cannot be had, if it cannot.
    #[must_use]
    pub fn missing() -> Option<&'static str> {
        if Self::program().is_none() {
            Some("Chromium is not installed (Debian: chromium)")
        } else if !Self::packages().join("made-from").is_file() {
            Some("playwright-core is not installed: run tests/clients/prepare")
        } else {
            None
        }
    }

    fn program() -> Option<PathBuf> {
        program_named("chromium")
    }

    fn packages() -> PathBuf {
        super::folder().join("browser")
    }

    /// Starts it.
    ///
    /// # Panics
    /// When it is missing or does not start.
    pub async fn start() -> Self {
        let profile = tempfile::tempdir().expect("a folder");
        let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/browser/browser.js");
        let mut command = Command::new("node");
        command
            .arg(driver)
            .arg(Self::packages())
            .arg(Self::program().expect("a browser"))
            .arg(profile.path());
        Self {
            program: Program::start(command).await,
            asked: 0,
            _profile: profile,
        }
    }

    /// Opens a page under a name, and its camera.
    pub async fn open(&mut self, page: &str) {
        self.ask(json!({"do": "open", "page": page})).await;
        self.run(page, "openCamera", json!([])).await;
    }

    /// Calls a function of a page, and answers what it gives.
    pub async fn run(&mut self, page: &str, call: &str, arguments: Value) -> Value {
        let run = json!({"do": "run", "page": page, "call": call, "args": arguments});
        self.ask(run).await
    }

    async fn ask(&mut self, mut command: Value) -> Value {
        self.asked += 1;
        command["id"] = self.asked.into();
        self.program.tell(&command).await;
        let id = self.asked;
        let is_done = |said: &Value| said["what"] == "done" && said["id"] == id;
        self.wait(&command.to_string(), is_done).await["value"].take()
    }

    /// The next time that a page tells this.
    pub async fn told(&mut self, page: &str, what: &str) -> Value {
        self.wait(&format!("{what} on {page}"), |said| {
            said["page"] == page && said["what"] == what
        })
        .await
    }

    /// How often pages have told this that nobody has asked for.
    #[must_use]
    pub fn left_over(&self, what: &str) -> usize {
        let said = self.program.said().iter();
        said.filter(|said| said["what"] == what).count()
    }

    async fn wait(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let said = self
            .program
            .wait(what, |said| fits(said) || said["what"] == "failed")
            .await;
        assert!(said["what"] != "failed", "no {what}, but {said}");
        said
    }

    /// Ends it.
    pub async fn close(self) {
        self.program.close().await;
    }
}
