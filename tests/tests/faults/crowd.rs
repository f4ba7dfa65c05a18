//! Thousands who do not say who they are and thousands whose requests never end hurt nobody who
//! talks, comes, or signs in meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use telemed_tests::chat::Talk;
use telemed_tests::chat::pen::{Pen, Way};
use telemed_tests::chat::sockets::{EventSocket, Heard, RawSocket};
use telemed_tests::client::Client;
use telemed_tests::is_long;
use telemed_tests::practice::{PASSWORD, Practice, Visit, log_in, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

/// Within this everybody is served, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// How many there may be: the server and its clients each have as many files open.
fn crowd() -> usize {
    let wanted = if is_long() { 5_000 } else { 1_000 };
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let files = limits.lines().find_map(|line| {
        let files = line.strip_prefix("Max open files")?;
        files.split_ascii_whitespace().next()?.parse::<usize>().ok()
    });
    // Some are left for those who are to be served.
    wanted.min(files.unwrap_or(1024).saturating_sub(500))
}

/// Strangers come from so many networks.
const NETWORKS: usize = 16;

/// How long somebody who was sent away stays away: thousands who come again at once would keep the
/// clients of this test busy more than the server.
const AWAY: Duration = Duration::from_secs(4);

/// Comes again whenever it is sent away.
async fn stranger(address: String, number: usize, came: Arc<AtomicUsize>) {
    let network = format!("203.0.113.{}", number % NETWORKS);
    loop {
        match number % 5 {
            0 | 1 => {
                if let Ok(mut socket) = RawSocket::of_nobody(&address, &network).await {
                    came.fetch_add(1, Ordering::Relaxed);
                    socket.closed().await;
                }
            }
            2 | 3 => {
                if let Ok(mut socket) = EventSocket::of_nobody(&address, &network).await {
                    came.fetch_add(1, Ordering::Relaxed);
                    while socket.hear().await.is_ok() {}
                }
            }
            _ => {
                if let Ok(mut stream) = TcpStream::connect(&address).await {
                    let half = b"GET /ws/1 HTTP/1.1\r\nHost: a\r\nUpgrade: webs";
                    if stream.write_all(half).await.is_ok() {
                        came.fetch_add(1, Ordering::Relaxed);
                        let _ = stream.read_to_end(&mut Vec::new()).await;
                    }
                }
            }
        }
        sleep(AWAY).await;
    }
}

/// Somebody who is there all the while.
struct Open {
    raw: RawSocket,
    events: EventSocket,
}

impl Open {
    async fn by(address: &str, talk: &Talk) -> Self {
        let doctor = &talk.pair[1];
        let auth = json!({"token": doctor.token, "words": "calls"});
        Self {
            raw: RawSocket::open(address, doctor).await,
            events: EventSocket::connect(address, &auth)
                .await
                .expect("connected"),
        }
    }

    /// Both hear this, after what they may not have heard yet.
    async fn hears(&mut self, text: &str) {
        while self.raw.hear().await.expect("it stays open")["message_text"] != text {}
        loop {
            match self.events.hear().await.expect("it stays open") {
                Heard::Event(name, data) if name == "chat:message" && data["body"] == text => {
                    return;
                }
                _ => {}
            }
        }
    }
}

/// The patient says something on each way, and whoever was there and whoever comes hears it;
/// somebody signs in. How long all of that took.
async fn everything_is_served(
    address: &str,
    talk: &Talk,
    open: &mut Open,
    round: &str,
) -> Duration {
    let begun = Instant::now();
    let serving = async {
        let patient = &talk.pair[0];
        let anonymous = Client::new(&format!("http://{address}"));
        log_in(&anonymous, &patient.email, PASSWORD).await;
        let mut comes = Open::by(address, talk).await;
        for way in Way::ALL {
            let text = format!("{round} {way:?}");
            let mut pen = Pen::new(way, talk, 0, address);
            pen.insist(&[address.to_owned()], &text, &text).await;
            open.hears(&text).await;
            comes.hears(&text).await;
        }
    };
    timeout(PATIENCE, serving)
        .await
        .expect("everybody is served");
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::print_stdout)] // How long it took is what one needs to know of a failure.
async fn strangers_hurt_nobody() {
    let options = ["--rate-limits", "off", "--behind-proxy"];
    let visit = Visit::at(Practice::open(&options, &[]).await);
    let (_, doctor) = visit.clinic_and_doctor().await;
    let patient = visit.patient().await;
    let talk = visit.talk(&patient, &doctor).await;
    let address = visit.practice.server.address().to_owned();
    let mut open = Open::by(&address, &talk).await;
    let before = everything_is_served(&address, &talk, &mut open, "before").await;

    let (count, came) = (crowd(), Arc::new(AtomicUsize::new(0)));
    let mut strangers = JoinSet::new();
    for number in 0..count {
        strangers.spawn(stranger(address.clone(), number, Arc::clone(&came)));
    }
    until("everybody has come", || async {
        came.load(Ordering::Relaxed) >= count
    })
    .await;
    let mut during = Vec::new();
    for round in 0..if is_long() { 30 } else { 5 } {
        let round = format!("during {round}");
        during.push(everything_is_served(&address, &talk, &mut open, &round).await);
    }
    let came = came.load(Ordering::Relaxed);
    println!("{count} strangers came {came} times; before {before:?}, during {during:?}");
    strangers.shutdown().await;
    everything_is_served(&address, &talk, &mut open, "after").await;
}
