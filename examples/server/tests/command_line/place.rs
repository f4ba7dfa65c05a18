//! A folder to run the server in, and what became of a run.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// How long a server may take for anything: generous, for a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);
pub const EMAIL: &str = "admin@clinic.example";
pub const PASSWORD: &str = "correct horse battery";

/// A temporary folder to run the server in.
pub struct Place(TempDir);

pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Place {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// A command whose working folder is this place and which hears of no settings of ours.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_telemed-server"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("TELEMED_") {
                command.env_remove(name);
            }
        }
        command
            .args(words)
            .current_dir(self.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs a command that ends by itself.
    pub fn run(&self, words: &[&str]) -> Ended {
        end(self.command(words), "")
    }

    pub fn create_administrator(&self) -> Ended {
        let words = [
            "admin",
            "create",
            "--email",
            EMAIL,
            "--name",
            "Admin",
            "--password-stdin",
        ];
        end(self.command(&words), &format!("{PASSWORD}\n"))
    }

    pub fn serve(&self, words: &[&str]) -> Server {
        Server::start(self.command(words)).unwrap()
    }

    /// Serves and stops at once, so that there is an installation.
    pub fn install(&self) {
        self.serve(&["--listen", "127.0.0.1:0"]).stop();
    }

    /// The key files of the installation.
    pub fn keys(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.data())
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let keys: Vec<_> = files
            .filter(|path| path.extension().is_some_and(|end| end == "key"))
            .collect();
        assert!(!keys.is_empty(), "there are key files");
        keys
    }
}

/// Gives a command its input and waits for its end; one that serves instead is a failure.
pub fn end(mut command: Command, input: &str) -> Ended {
    let mut child = Guard(command.spawn().unwrap());
    let mut stdin = child.0.stdin.take().unwrap();
    // A command that refuses its options may end before it has read its input.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let mut stdout = child.0.stdout.take().unwrap();
    let mut stderr = child.0.stderr.take().unwrap();
    let errors = thread::spawn(move || {
        let mut text = String::new();
        stderr.read_to_string(&mut text).map(|_| text).unwrap()
    });
    let (done, output) = mpsc::channel();
    thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).unwrap();
        let _ = done.send(text);
    });
    let stdout = output
        .recv_timeout(PATIENCE)
        .expect("the command ends by itself");
    let code = child.0.wait().unwrap().code();
    Ended {
        code,
        stdout,
        stderr: errors.join().unwrap(),
    }
}

impl Ended {
    /// Whether it failed with this code and says why.
    #[track_caller]
    pub fn failed(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{} {}", self.stdout, self.stderr);
        assert!(
            self.stdout.is_empty(),
            "an error belongs on stderr: {}",
            self.stdout
        );
        assert!(!self.stderr.trim().is_empty(), "it says nothing");
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }

    /// Whether it failed with this code and one line that has this word.
    #[track_caller]
    pub fn failed_with(&self, code: i32, word: &str) {
        self.failed(code);
        let said: Vec<_> = self
            .stderr
            .lines()
            .filter(|line| line.starts_with("telemed-server: "))
            .collect();
        assert_eq!(said.len(), 1, "one line: {}", self.stderr);
        assert!(said[0].contains(word), "{word}: {}", self.stderr);
    }

    #[track_caller]
    pub fn succeeded(&self) -> &Self {
        assert_eq!(self.code, Some(0), "{} {}", self.stdout, self.stderr);
        self
    }
}

/// Kills what a failing test leaves behind.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

pub struct Server {
    child: Guard,
    /// What it said on stdout.
    line: String,
    stderr: Option<thread::JoinHandle<String>>,
}

impl Server {
    pub fn start(mut command: Command) -> Result<Self, String> {
        let mut child = Guard(command.spawn().unwrap());
        let stdout = child.0.stdout.take().unwrap();
        let mut stderr = child.0.stderr.take().unwrap();
        let stderr = thread::spawn(move || {
            let mut text = String::new();
            stderr
                .read_to_string(&mut text)
                .map(|_| text)
                .unwrap_or_default()
        });
        let (said, first_line) = mpsc::channel();
        thread::spawn(move || {
            let mut reader = BufReader::new(stdout);
            let mut line = String::new();
            let _ = reader.read_line(&mut line);
            let _ = said.send(line);
            let _ = reader.read_to_end(&mut Vec::new());
        });
        let line = first_line.recv_timeout(PATIENCE).unwrap_or_default();
        if line.starts_with("listening on http://") {
            let line = line.trim_end().to_owned();
            let stderr = Some(stderr);
            return Ok(Self {
                child,
                line,
                stderr,
            });
        }
        drop(child);
        Err(format!("{line} {}", stderr.join().unwrap()))
    }

    pub fn address(&self) -> &str {
        self.line.strip_prefix("listening on http://").unwrap()
    }

    /// Sends a request on a connection of its own; the status and the JSON answer.
    pub fn ask(&self, method: &str, path: &str, token: &str, body: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let authorization = if token.is_empty() {
            String::new()
        } else {
            format!("Authorization: Bearer {token}\r\n")
        };
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{authorization}Connection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        read_answer(&mut stream)
    }

    pub fn log_in(&self, email: &str, password: &str) -> (u16, Value) {
        let body = format!(r#"{{"email":"{email}","password":"{password}"}}"#);
        self.ask("POST", "/api/v1/auth/login", "", &body)
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.0.id().to_string();
        let sent = Command::new("sh")
            .args(["-c", "kill -\"$1\" \"$2\"", "sh", name, &pid])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    pub fn wait(&mut self) -> Option<i32> {
        let step = Duration::from_millis(20);
        for _ in 0..PATIENCE.as_millis() / step.as_millis() {
            if let Some(status) = self.child.0.try_wait().unwrap() {
                return status.code();
            }
            thread::sleep(step);
        }
        panic!("it does not end");
    }

    /// Stops it well; what it said on stderr.
    pub fn stop(mut self) -> String {
        self.signal("TERM");
        let code = self.wait();
        let stderr = self.stderr.take().unwrap().join().unwrap();
        assert_eq!(code, Some(0), "{stderr}");
        stderr
    }
}

fn read_answer(stream: &mut TcpStream) -> (u16, Value) {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").expect("an answer");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or_default())
}
