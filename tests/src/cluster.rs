//! PostgreSQL clusters of a test's own, for what cannot be done to one that others use: to restart
//! it, or to stop it in the middle of its work.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A cluster in a directory of its own. It listens on a socket there and on no port; dropped, it is
/// stopped by its directory, and both are gone.
pub struct Cluster {
    programs: PathBuf,
    directory: TempDir,
}

impl Cluster {
    /// Makes and starts a cluster.
    ///
    /// # Errors
    /// Why it cannot be had: PostgreSQL's server programs are not installed, or they fail.
    pub fn start() -> Result<Self, String> {
        let programs = programs().ok_or("PostgreSQL's server programs are not installed")?;
        let directory = tempfile::Builder::new()
            .prefix("telemed-cluster-")
            .tempdir()
            .map_err(|error| error.to_string())?;
        if let Some(owner) = owner() {
            run(Command::new("chown").arg(owner).arg(directory.path()))?;
        }
        let cluster = Self {
            programs,
            directory,
        };
        let data = cluster.data();
        let initdb = ["-U", "telemed", "-A", "trust", "-E", "UTF8", "--locale=C"];
        run(cluster.program("initdb").arg("-D").arg(&data).args(initdb))?;
        cluster.run_server(&["start"])?;
        Ok(cluster)
    }

    /// The URL of a database on it, which `postgres` is from the start.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let directory = self.directory.path().display();
        format!("postgres://telemed@localhost/{database}?host={directory}")
    }

    /// Kills the server and starts it again, which recovers from its log.
    ///
    /// # Panics
    /// When it does not come back.
    pub fn restart_immediate(&self) {
        self.stop_immediate();
        self.start_again();
    }

    /// Kills the server.
    ///
    /// # Panics
    /// When it does not end.
    pub fn stop_immediate(&self) {
        self.run_server(&["stop", "-m", "immediate"]).unwrap();
    }

    /// Starts the server that was stopped.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&self) {
        self.run_server(&["start"]).unwrap();
    }

    /// Runs `pg_ctl` on its directory, and waits until it is done.
    fn run_server(&self, arguments: &[&str]) -> Result<(), String> {
        let directory = self.directory.path();
        let settings = format!(
            "-c listen_addresses= -c unix_socket_directories={} -c max_connections=200",
            directory.display()
        );
        let mut command = self.program("pg_ctl");
        command.args(arguments).args(["-w", "-s", "-t", "60", "-D"]);
        command.arg(self.data());
        if arguments.first() == Some(&"start") {
            command.args(["-o", &settings, "-l"]);
            command.arg(directory.join("log"));
        }
        run(&mut command)
    }

    /// One of PostgreSQL's programs, as a user who may run it: the server refuses to run as root.
    fn program(&self, name: &str) -> Command {
        let path = self.programs.join(name);
        let mut command = match owner() {
            Some(owner) => {
                let mut command = Command::new("runuser");
                command.args(["-u", owner, "--"]).arg(path);
                command
            }
            None => Command::new(path),
        };
        command.current_dir(self.directory.path());
        command
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.data().join("postmaster.pid").exists() {
            // There is nothing better to do when it fails.
            let _ = self.run_server(&["stop", "-m", "immediate"]);
        }
    }
}

/// Where PostgreSQL's server programs are: the first of `PATH`, or else Debian's newest.
fn programs() -> Option<PathBuf> {
    let has_server =
        |folder: &Path| folder.join("initdb").exists() && folder.join("pg_ctl").exists();
    let path = std::env::var_os("PATH").unwrap_or_default();
    if let Some(found) = std::env::split_paths(&path).find(|folder| has_server(folder)) {
        return Some(found);
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    versions
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version: u32 = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, folder)| has_server(folder))
        .max()
        .map(|(_, folder)| folder)
}

/// As whom the server runs, if not as this user: root hands it to the user whom Debian's package
/// makes, or else to nobody.
fn owner() -> Option<&'static str> {
    let is_root = id(&["-u"]).is_some_and(|id| id.trim() == "0");
    let name = if id(&["postgres"]).is_some() {
        "postgres"
    } else {
        "nobody"
    };
    is_root.then_some(name)
}

fn id(arguments: &[&str]) -> Option<String> {
    let output = Command::new("id").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then_some(text)
}

fn run(command: &mut Command) -> Result<(), String> {
    let Output { status, stderr, .. } = command.output().map_err(|error| error.to_string())?;
    if status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&stderr).into_owned())
    }
}
