//! The real server as a child process: started on a free port with a data folder of its own,
//! spoken to over its wire, stopped by its own process id.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use crate::postgres::{MISSING, PostgresServer};

/// How long a server may take to say that it listens, and to end: generous, for a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The server's binary, which cargo builds beside the test programs.
///
/// # Panics
/// When it is not there, with the command that builds it.
#[must_use]
pub fn binary() -> PathBuf {
    let program = std::env::current_exe().expect("a test knows its own path");
    let folder = program
        .parent()
        .and_then(Path::parent)
        .expect("test programs are in a folder of the target folder");
    let binary = folder.join(format!("telemed-server{}", std::env::consts::EXE_SUFFIX));
    assert!(
        binary.is_file(),
        "the server's binary is not at {}: build it with `cargo build -p telemed-server`, or run \
         `cargo test --workspace`, which builds it",
        binary.display()
    );
    binary
}

/// A command of the server's binary without the environment's own `TELEMED_` settings.
#[must_use]
pub fn command() -> Command {
    let mut command = Command::new(binary());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TELEMED_") {
            command.env_remove(name);
        }
    }
    command
}

/// The administrator that [`ServerFolder::create_administrator`] makes.
pub const ADMIN_EMAIL: &str = "admin@practice.example";
/// The password of [`ADMIN_EMAIL`].
pub const ADMIN_PASSWORD: &str = "correct horse battery";

/// A database that several servers share, and their keys. Clones are the same one.
#[derive(Clone)]
pub struct SharedDatabase {
    /// The URL.
    pub url: String,
    keys: Arc<tempfile::TempDir>,
    _guard: Arc<dyn std::any::Any + Send + Sync>,
}

impl SharedDatabase {
    /// The database at this URL, and what has to live as long as it is used.
    ///
    /// # Panics
    /// When there is no place for temporary files.
    pub fn new(url: impl Into<String>, guard: impl std::any::Any + Send + Sync) -> Self {
        Self {
            url: url.into(),
            keys: Arc::new(tempfile::tempdir().expect("a temporary folder")),
            _guard: Arc::new(guard),
        }
    }

    /// The folder of the keys.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.keys.path().join("keys")
    }
}

/// Whether tests of the server are run on PostgreSQL: `TELEMED_TEST_STORE=postgres`.
///
/// # Panics
/// When the variable is neither that nor `sqlite`.
#[must_use]
pub fn is_on_postgres() -> bool {
    match std::env::var("TELEMED_TEST_STORE").as_deref() {
        Ok("postgres") => true,
        Ok("" | "sqlite") | Err(_) => false,
        Ok(other) => panic!("TELEMED_TEST_STORE is {other:?}, not `sqlite` or `postgres`"),
    }
}

/// An empty database, made in a runtime of its own: the caller may be in another.
fn fresh_database() -> SharedDatabase {
    static SERVER: OnceLock<Arc<PostgresServer>> = OnceLock::new();
    let server = SERVER.get_or_init(|| PostgresServer::of_environment().expect(MISSING));
    let making = thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().expect("a runtime");
        runtime.block_on(server.database())
    });
    let database = making.join().expect("a database");
    SharedDatabase::new(database.url(), database)
}

/// A data folder and a log, which outlive the servers that use them.
pub struct ServerFolder {
    folder: tempfile::TempDir,
    shared: Option<SharedDatabase>,
}

impl ServerFolder {
    /// An empty one, with a SQLite database in it, or with a PostgreSQL database of its own when
    /// `TELEMED_TEST_STORE=postgres` says that tests of the server are to be run on that.
    ///
    /// # Panics
    /// When there is no place for temporary files, or no PostgreSQL where one is asked for.
    #[must_use]
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self {
            folder,
            shared: is_on_postgres().then(fresh_database),
        }
    }

    /// An empty one of a server that shares its database.
    ///
    /// # Panics
    /// As [`Self::new`].
    #[must_use]
    pub fn of(shared: &SharedDatabase) -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            shared: Some(shared.clone()),
        }
    }

    /// A command on this folder.
    fn command(&self) -> Command {
        let mut command = command();
        command.env("TELEMED_DATA_DIR", self.data());
        if let Some(shared) = &self.shared {
            command.env("TELEMED_DATABASE", &shared.url);
            command.env("TELEMED_KEY_DIR", shared.keys());
        }
        command
    }

    /// Where the database and the keys are.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The file of a SQLite database.
    ///
    /// # Panics
    /// When the database is no file.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        assert!(self.shared.is_none(), "the database is no file");
        self.data().join("telemed.db")
    }

    /// What the servers of this folder have logged so far.
    ///
    /// # Panics
    /// When the log cannot be read.
    #[must_use]
    pub fn log(&self) -> Vec<u8> {
        std::fs::read(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }

    /// Runs a subcommand on this folder to its end.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn run(&self, words: &[&str], input: &str) -> Output {
        let mut child = self
            .command()
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server's binary starts");
        let mut stdin = child.stdin.take().expect("the input is a pipe");
        // A command that refuses its options may end before it has read its input.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        child.wait_with_output().expect("the command ends")
    }

    /// Makes the first administrator, as an operator does.
    ///
    /// # Panics
    /// When the command fails.
    pub fn create_administrator(&self) {
        let words = ["admin", "create", "--email", ADMIN_EMAIL, "--name", "Admin"];
        let output = self.run(
            &[&words[..], &["--password-stdin"]].concat(),
            ADMIN_PASSWORD,
        );
        assert!(
            output.status.success(),
            "`admin create` failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// The exit code and the error text of `audit verify`.
    #[must_use]
    pub fn verify_audit(&self) -> (Option<i32>, String) {
        let output = self.run(&["audit", "verify"], "");
        let said = [output.stdout, output.stderr].concat();
        (
            output.status.code(),
            String::from_utf8_lossy(&said).into_owned(),
        )
    }

    /// Starts a server on this folder.
    ///
    /// # Panics
    /// When it does not come to listen.
    #[must_use]
    pub fn start(&self, options: &[&str], environment: &[(&str, &str)]) -> Server {
        self.try_start(options, environment)
            .unwrap_or_else(|said| panic!("the server did not start: {said}"))
    }

    /// Starts a server on this folder.
    ///
    /// # Errors
    /// What it said instead of listening, and the log.
    ///
    /// # Panics
    /// When the log cannot be opened.
    pub fn try_start(
        &self,
        options: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<Server, String> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_path())
            .expect("the log opens");
        let mut command = self.command();
        command
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(options)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        Server::spawn(command)
            .map_err(|said| format!("{said}\n{}", String::from_utf8_lossy(&self.log())))
    }
}

impl Default for ServerFolder {
    fn default() -> Self {
        Self::new()
    }
}

/// A running server. Dropped, it is killed.
pub struct Server {
    child: Child,
    /// `http://127.0.0.1:PORT`.
    pub base: String,
}

impl Server {
    /// Starts a command and waits for its line `listening on http://…`.
    ///
    /// # Errors
    /// What it said instead.
    ///
    /// # Panics
    /// When the binary cannot be started or its output is not piped.
    pub fn spawn(mut command: Command) -> Result<Self, String> {
        let mut child = command.spawn().expect("the server's binary starts");
        let stdout = child.stdout.take().expect("the output is a pipe");
        let (line, first_line) = mpsc::channel();
        thread::spawn(move || {
            let mut reader = BufReader::new(stdout);
            let mut text = String::new();
            let _ = reader.read_line(&mut text);
            let _ = line.send(text);
            // Read on, so that a server that says more never finds the pipe full or closed.
            let _ = reader.read_to_end(&mut Vec::new());
        });
        let text = first_line.recv_timeout(PATIENCE).unwrap_or_default();
        match text.trim_end().strip_prefix("listening on ") {
            Some(base) => Ok(Self {
                base: base.to_owned(),
                child,
            }),
            None => {
                let _ = child.kill();
                let status = child.wait();
                Err(format!("{text:?}, {status:?}"))
            }
        }
    }

    /// Host and port.
    ///
    /// # Panics
    /// When the server named no plain HTTP address.
    #[must_use]
    pub fn address(&self) -> &str {
        self.base
            .strip_prefix("http://")
            .expect("the server speaks plain HTTP")
    }

    /// Asks the server to end.
    ///
    /// # Panics
    /// When the signal cannot be sent.
    pub fn terminate(&self) {
        let pid = self.child.id().to_string();
        let sent = Command::new("sh")
            .args(["-c", "kill -TERM \"$1\"", "sh", &pid])
            .status()
            .expect("a shell to send the signal with");
        assert!(sent.success(), "SIGTERM could not be sent");
    }

    /// Kills the server as `kill -9` does.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub fn kill(mut self) {
        self.child.kill().expect("the server can be killed");
        self.child.wait().expect("the server ends");
    }

    /// Waits for the server to end by itself; `None` when it does not.
    ///
    /// # Panics
    /// When its state cannot be asked for.
    pub fn wait(&mut self) -> Option<ExitStatus> {
        let step = Duration::from_millis(20);
        for _ in 0..PATIENCE.as_millis() / step.as_millis() {
            if let Some(status) = self.child.try_wait().expect("the server's state") {
                return Some(status);
            }
            thread::sleep(step);
        }
        None
    }

    /// Ends the server with SIGTERM.
    ///
    /// # Panics
    /// When it does not end with success.
    pub fn stop(mut self) {
        self.terminate();
        let status = self.wait();
        assert!(
            status.is_some_and(|status| status.success()),
            "the server did not stop well: {status:?}"
        );
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
