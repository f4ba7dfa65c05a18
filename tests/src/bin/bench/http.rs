//! The servers of the HTTP figures, each in a process of its own.

use std::convert::Infallible;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use telemed_core::Engine;
use telemed_transport_http::server::{ServeOptions, serve};
use telemed_transport_http::{RouterConfig, standalone_router};
use tokio::net::{TcpListener, TcpStream};

use crate::load;
use crate::seed::{self, PASSWORD, Pair, REASON};

/// A server that this program has started of itself.
pub struct Child {
    process: std::process::Child,
    pub port: u16,
}

impl Child {
    /// The engine with its HTTP surfaces over a database.
    pub fn engine(database: &Path) -> Self {
        Self::start(&["serve-engine", database.to_str().expect("a path")])
    }

    /// The engine with passwords as a real server keeps them.
    pub fn doors(database: &Path) -> Self {
        Self::start(&["serve-doors", database.to_str().expect("a path")])
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The processor's time that the process has used so far.
    pub fn processor_time(&self) -> Duration {
        processor_time(self.process.id())
    }

    /// A bare relay of WebSockets, which keeps what it is sent if there is a file for it.
    pub fn relay(file: Option<&Path>) -> Self {
        let file = file.map(|file| file.to_str().expect("a path"));
        Self::start(&[&["serve-relay"], file.as_slice()].concat())
    }

    /// A bare hyper server that reads a request and answers with this many bytes.
    pub fn echo(bytes: usize) -> Self {
        Self::start(&["serve-echo", &bytes.to_string()])
    }

    /// This program in another part.
    pub fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(arguments);
        Self::of(command)
    }

    /// A program that says its port in its first line.
    pub fn of(mut command: Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().expect("a child");
        let mut line = String::new();
        let output = process.stdout.as_mut().expect("its output");
        BufReader::new(output).read_line(&mut line).expect("a line");
        let port = line.trim().parse().expect("a port");
        Self { process, port }
    }

    /// Books one pair, and returns how long the answer is.
    pub async fn warm_up(&self, pair: Pair, tokens: &[String]) -> usize {
        let address = ("127.0.0.1", self.port);
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let requests = bookings(&[pair], tokens);
        let (status, length) = load::ask(&mut stream, &requests[0]).await;
        assert_eq!(status, 201, "the server refused");
        length
    }

    /// Ends the process.
    pub fn stop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The requests that book the pairs.
pub fn bookings(pairs: &[Pair], tokens: &[String]) -> Vec<Vec<u8>> {
    pairs
        .iter()
        .map(|pair| {
            let body = format!(
                "{{\"slot_id\":{},\"reason_for_visit\":\"{REASON}\"}}",
                pair.slot.get()
            );
            format!(
                "POST /api/v1/appointments/book HTTP/1.1\r\nhost: bench\r\n\
                 authorization: Bearer {}\r\ncontent-type: application/json\r\n\
                 content-length: {}\r\n\r\n{body}",
                tokens[pair.token],
                body.len()
            )
            .into_bytes()
        })
        .collect()
}

/// The requests that book the pairs by their dates.
pub fn bookings_by_date(pairs: &[Pair], tokens: &[String]) -> Vec<Vec<u8>> {
    pairs
        .iter()
        .map(|pair| {
            let body = format!(
                "{{\"doctor_id\":{},\"appointment_date\":\"{}\",\"appointment_type\":\"video\",\
                 \"symptoms\":\"{REASON}\"}}",
                pair.doctor, pair.starts_at
            );
            post("/api/appointments", Some(&tokens[pair.token]), &body)
        })
        .collect()
}

/// Requests for the newest fifty appointments of one patient after the other.
pub fn lists(count: usize, tokens: &[String]) -> Vec<Vec<u8>> {
    (0..count)
        .map(|number| {
            let token = &tokens[number % tokens.len()];
            format!(
                "GET /api/appointments?page=1&per_page=50 HTTP/1.1\r\nhost: bench\r\n\
                 authorization: Bearer {token}\r\n\r\n"
            )
            .into_bytes()
        })
        .collect()
}

/// Logins of one person after the other.
pub fn logins(count: usize) -> Vec<Vec<u8>> {
    (0..count)
        .map(|number| login(&format!("person{}", number % 8), PASSWORD))
        .collect()
}

/// A login.
pub fn login(name: &str, password: &str) -> Vec<u8> {
    let body =
        format!("{{\"login_identifier\":\"{name}@mail.example\",\"password\":\"{password}\"}}");
    post("/api/auth/login", None, &body)
}

fn post(path: &str, token: Option<&String>, body: &str) -> Vec<u8> {
    let credential = token.map_or_else(String::new, |token| {
        format!("authorization: Bearer {token}\r\n")
    });
    format!(
        "POST {path} HTTP/1.1\r\nhost: bench\r\n{credential}content-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The time that a process has used so far: user and system, in clock ticks of 10 ms.
pub fn processor_time(process: u32) -> Duration {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("its figures");
    // The name in parentheses may hold spaces; the fields after it do not.
    let fields = text.rsplit(')').next().expect("fields");
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u64>().expect("a number"))
        .sum();
    Duration::from_millis(ticks * 10)
}

/// Serves an engine with real password hashes until the process is ended.
pub async fn serve_doors(database: &Path) {
    serve_until_ended(seed::guarded_engine(database).await).await;
}

/// Serves the engine until the process is ended.
pub async fn serve_engine(database: &Path) {
    serve_until_ended(seed::engine(database).await).await;
}

async fn serve_until_ended(engine: Engine) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    println!("{}", listener.local_addr().expect("an address").port());
    let router = standalone_router(&engine, RouterConfig::default());
    let _ = serve(
        listener,
        router,
        ServeOptions::default(),
        std::future::pending(),
    )
    .await;
}

/// Serves an answer of a fixed length until the process is ended.
pub async fn serve_echo(bytes: usize) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    println!("{}", listener.local_addr().expect("an address").port());
    let body = Bytes::from(vec![b'x'; bytes]);
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        let _ = stream.set_nodelay(true);
        let body = body.clone();
        tokio::spawn(async move {
            let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                let body = body.clone();
                async move {
                    let _ = request.into_body().collect().await;
                    let answer = Response::builder()
                        .status(201)
                        .header("content-type", "application/json")
                        .body(Full::new(body))
                        .expect("an answer");
                    Ok::<_, Infallible>(answer)
                }
            });
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}
