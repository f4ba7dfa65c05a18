//! What a booking costs on SQLite.

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use telemed_core::Engine;

use crate::Options;
use crate::by_hand;
use crate::http::{self, Child};
use crate::load;
use crate::report::{Figures, difference, goal, median_of, ratio};
use crate::seed::{self, Pair, SIDE};

/// Bookings of one caller in a round.
const LONE: usize = 320;
/// Bookings of 64 callers in a round.
const CROWD: usize = 4096;

/// Runs and prints the whole comparison.
pub async fn run(options: &Options) {
    let made = tempfile::tempdir().expect("a folder");
    let folder = options.folder.as_deref().unwrap_or(made.path());
    let folder = &folder.join(format!("bench-{}", std::process::id()));
    std::fs::create_dir_all(folder).expect("a folder");
    let rounds = options.rounds;
    println!(
        "{rounds} rounds of {LONE} bookings by one caller and {CROWD} by {SIDE}, in {} \
         (median, least to most)",
        folder.display()
    );
    // Each round books other slots; the crowd books again over HTTP.
    let a_round = LONE + CROWD;
    let bookings = rounds * (a_round + CROWD) + 1;
    let practice = seed::practice(&folder.join("seed.db"), bookings).await;
    for name in ["engine.db", "hand.db", "http.db"] {
        std::fs::copy(folder.join("seed.db"), folder.join(name)).expect("a copy");
    }
    let (rounds_of_pairs, over_http) = practice.pairs.split_at(rounds * a_round);

    let engine = seed::engine(&folder.join("engine.db")).await;
    let hand = by_hand::open(&folder.join("hand.db"));
    let bare = by_hand::bare(&folder.join("bare.db"));
    let mut server = Child::engine(&folder.join("http.db"));
    let (over_http, first) = over_http.split_at(rounds * CROWD);
    let answer = server.warm_up(first[0], &practice.tokens).await;
    let mut echo = Child::echo(answer);

    let now = engine.now().micros();
    let mut fsync = Figures::new();
    let mut lone = Lone::default();
    let (mut crowd, mut batched) = (Figures::new(), Figures::new());
    let (mut served, mut echoed) = (Figures::new(), Figures::new());
    for round in 0..rounds {
        let (few, many) = rounds_of_pairs[round * a_round..(round + 1) * a_round].split_at(LONE);
        fsync.add(fsync_time(folder));
        lone.round(&engine, &bare, &hand, few, now).await;
        crowd.add(rate(CROWD, async { book_in_parallel(&engine, many).await }).await);
        batched.add(
            rate(CROWD, async {
                for batch in many.chunks(SIDE) {
                    by_hand::book(&hand, batch, now);
                }
            })
            .await,
        );
        let pairs = &over_http[round * CROWD..(round + 1) * CROWD];
        let requests = http::bookings(pairs, &practice.tokens);
        served.add(load::rate(server.port, &requests, 201).await);
        echoed.add(load::rate(echo.port, &requests, 201).await);
    }
    server.stop();
    echo.stop();

    println!("\none fsync of 4 KiB          {}", fsync.shown("us"));
    println!("a bare commit               {}", lone.bare.shown("us"));
    println!("the statements by hand, 1   {}", lone.by_hand.shown("us"));
    println!("the engine, 1 caller        {}", lone.engine.shown("us"));
    println!("the engine, {SIDE} callers      {}", crowd.shown("/s"));
    println!("by hand, {SIDE} a transaction   {}", batched.shown("/s"));
    println!("over HTTP, {SIDE} connections   {}", served.shown("/s"));
    println!("a bare hyper echo           {}", echoed.shown("/s"));
    let one_a_commit = 1e6 / lone.by_hand.median();
    println!("\nSQLite, synchronous=FULL, against the goals (medians over the rounds):");
    goal(
        "one caller over a bare commit",
        difference(&lone.engine, &lone.bare).median(),
        40.0,
        true,
        " us",
    );
    goal(
        "64 callers to batched by hand",
        ratio(&crowd, &batched).median(),
        0.7,
        false,
        "",
    );
    let lesser = if crowd.median() < echoed.median() {
        &crowd
    } else {
        &echoed
    };
    goal(
        "HTTP to the lesser of engine and echo",
        ratio(&served, lesser).median(),
        0.6,
        false,
        "",
    );
    println!(
        "  beside it: 64 callers are {:.1} x one booking a commit by hand; one caller takes \
         {:.0} us more than the same statements by hand",
        crowd.median() / one_a_commit,
        difference(&lone.engine, &lone.by_hand).median()
    );
    drop(engine);
    let _ = std::fs::remove_dir_all(folder);
}

/// Times of single calls.
struct Lone {
    bare: Figures,
    by_hand: Figures,
    engine: Figures,
}

impl Default for Lone {
    fn default() -> Self {
        Self {
            bare: Figures::new(),
            by_hand: Figures::new(),
            engine: Figures::new(),
        }
    }
}

impl Lone {
    /// One call of each kind in turn, so that a slow moment of the disk is shared by all.
    async fn round(
        &mut self,
        engine: &Engine,
        bare: &rusqlite::Connection,
        hand: &rusqlite::Connection,
        pairs: &[Pair],
        now: i64,
    ) {
        let (mut bares, mut hands, mut engines) = (Vec::new(), Vec::new(), Vec::new());
        for pair in pairs {
            let start = Instant::now();
            by_hand::bare_commit(bare);
            bares.push(micros(start));

            let start = Instant::now();
            by_hand::book(hand, std::slice::from_ref(pair), now);
            hands.push(micros(start));

            let actor = seed::as_patient(pair.patient);
            let start = Instant::now();
            engine
                .scheduling()
                .book(&actor, seed::booking(*pair))
                .await
                .expect("a booking");
            engines.push(micros(start));
        }
        self.bare.add(median_of(bares));
        self.by_hand.add(median_of(hands));
        self.engine.add(median_of(engines));
    }
}

async fn book_in_parallel(engine: &Engine, pairs: &[Pair]) {
    let mut tasks = Vec::with_capacity(SIDE);
    for caller in 0..SIDE {
        let engine = engine.clone();
        let own: Vec<Pair> = pairs.iter().skip(caller).step_by(SIDE).copied().collect();
        tasks.push(tokio::spawn(async move {
            for pair in own {
                let actor = seed::as_patient(pair.patient);
                let booked = engine.scheduling().book(&actor, seed::booking(pair)).await;
                booked.expect("a booking");
            }
        }));
    }
    for task in tasks {
        task.await.expect("a caller");
    }
}

async fn rate(count: usize, work: impl Future<Output = ()>) -> f64 {
    let start = Instant::now();
    work.await;
    count as f64 / start.elapsed().as_secs_f64()
}

fn micros(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e6
}

fn fsync_time(folder: &Path) -> f64 {
    let mut file = std::fs::File::create(folder.join("fsync")).expect("a file");
    let mut times = Vec::new();
    for _ in 0..100 {
        file.write_all(&[1; 4096]).expect("a write");
        let start = Instant::now();
        file.sync_data().expect("an fsync");
        times.push(micros(start));
    }
    median_of(times)
}
