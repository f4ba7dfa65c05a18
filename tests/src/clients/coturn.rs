//! A server that relays media between devices that cannot reach each other (TURN): coturn, on this
//! machine alone.

use std::fs::File;
use std::io::Write;
use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::program_named;

/// How long it may take to listen.
const PATIENCE: Duration = Duration::from_secs(30);

/// A question that every such server answers (STUN's Binding).
const BINDING: [u8; 20] = *b"\x00\x01\x00\x00\x21\x12\xa4\x42of a telemed";

/// A coturn of a test's own. Dropped, it is killed.
pub struct Coturn {
    _child: Child,
    folder: TempDir,
    port: u16,
}

impl Coturn {
    /// Why it cannot be had, if it cannot.
    #[must_use]
    pub fn missing() -> Option<&'static str> {
        match program_named("turnserver") {
            Some(_) => None,
            None => Some("coturn is not installed (Debian: coturn)"),
        }
    }

    /// Starts one that shares this secret with whoever gives out credentials.
    ///
    /// # Panics
    /// When it does not come to listen.
    pub async fn start(secret: &str) -> Self {
        // Another program may take the port before it does.
        for _ in 0..5 {
            if let Some(started) = Self::try_start(secret).await {
                return started;
            }
        }
        panic!("coturn does not listen");
    }

    async fn try_start(secret: &str) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let free = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        // On the command line everybody would see the secret.
        let settings = format!(
            "listening-ip=127.0.0.1\nrelay-ip=127.0.0.1\nlistening-port={port}\n\
             realm=telemed.example\nuse-auth-secret\nstatic-auth-secret={secret}\n\
             allow-loopback-peers\nno-cli\nno-tls\nno-dtls\nno-rfc5780\nno-stdout-log\n\
             userdb={folder}/users\npidfile={folder}/pid\nlog-file={folder}/log\nsimple-log\n",
            folder = folder.path().display()
        );
        std::fs::write(folder.path().join("settings"), settings).expect("a file");
        let output = File::create(folder.path().join("output")).expect("a file");
        let mut child = Command::new(program_named("turnserver").expect("coturn"))
            .arg("-c")
            .arg(folder.path().join("settings"))
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a file"))
            .stderr(output)
            .kill_on_drop(true)
            .spawn()
            .expect("coturn starts");
        let asker = tokio::net::UdpSocket::bind("127.0.0.1:0").await;
        let asker = asker.expect("a port");
        let answered = async {
            let mut answer = [0; 512];
            loop {
                // Nobody may listen yet, and the system may say so.
                let _ = asker.send_to(&BINDING, ("127.0.0.1", port)).await;
                let step = Duration::from_millis(50);
                let received = tokio::time::timeout(step, asker.recv(&mut answer)).await;
                match received {
                    Ok(Ok(length)) if length >= 20 && answer[8..20] == BINDING[8..] => return,
                    Ok(Err(_)) => tokio::time::sleep(step).await,
                    _ => {}
                }
            }
        };
        tokio::select! {
            _ = child.wait() => None,
            () = answered => Some(Self { _child: child, folder, port }),
            () = tokio::time::sleep(PATIENCE) => None,
        }
    }

    /// Its address, as `RTCPeerConnection` takes it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("turn:127.0.0.1:{}?transport=udp", self.port)
    }

    /// A file that holds a text, beside its own, which nobody else may read.
    ///
    /// # Panics
    /// When it cannot be written.
    #[must_use]
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        let mut options = File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&path).expect("a file");
        file.write_all(text.as_bytes()).expect("a file");
        path
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        let read = |name: &str| std::fs::read(self.folder.path().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&[read("log"), read("output")].concat()).into_owned()
    }
}
