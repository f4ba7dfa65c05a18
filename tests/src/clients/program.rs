//! A program of others that is told line by line what to do, and says line by line what happens.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// Nothing may take longer than this.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program that runs. Dropped, it is killed.
pub struct Program {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    /// What nobody has asked for yet.
    said: Vec<Value>,
}

impl Program {
    /// Starts it and waits until it is ready.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut program = Self {
            child,
            input,
            output,
            said: Vec::new(),
        };
        program.wait("ready", |said| said["what"] == "ready").await;
        program
    }

    /// Tells it something.
    ///
    /// # Panics
    /// When it has ended.
    pub async fn tell(&mut self, command: &Value) {
        let line = format!("{command}\n");
        self.input.write_all(line.as_bytes()).await.unwrap();
        self.input.flush().await.unwrap();
    }

    /// The first thing it says that fits; the others are kept.
    ///
    /// # Panics
    /// When it says nothing of the kind for a minute, with what it has said.
    pub async fn wait(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.said.iter().position(&fits) {
            return self.said.remove(at);
        }
        loop {
            let line = timeout(PATIENCE, self.output.next_line()).await;
            let Ok(Ok(Some(line))) = line else {
                panic!("no {what}; it said {:#?}", self.said);
            };
            let said: Value = serde_json::from_str(&line).expect("JSON");
            if fits(&said) {
                return said;
            }
            self.said.push(said);
        }
    }

    /// What it said that nobody has asked for yet.
    #[must_use]
    pub fn said(&self) -> &[Value] {
        &self.said
    }

    /// Closes its input, and waits until it has ended with everything that it started.
    ///
    /// # Panics
    /// When it does not end well.
    pub async fn close(self) {
        let Self {
            mut child, input, ..
        } = self;
        drop(input);
        let status = timeout(PATIENCE, child.wait()).await;
        let status = status.expect("it ends").unwrap();
        assert!(status.success(), "it ended with {status}");
    }
}
