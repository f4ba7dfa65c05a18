//! What conversations cost as they grow, and what a word costs that is looked for in all of them.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use telemed_core::Engine;
use telemed_core::actor::Actor;
use telemed_core::env::ManualClock;
use telemed_core::id::{ConversationId, UserId};
use telemed_core::messaging::{
    MessageBody, MessageContext, MessageKind, MessageRange, OpenConversation, PageFrom,
    ReceiptKind, SendMessage,
};
use telemed_core::page::{PageLimit, PageRequest, PageSkip};

use crate::Options;
use crate::http::processor_time;
use crate::report::{Figures, at_rank, goal, median_of, ratio};
use crate::seed;

/// The conversations of the doctor who reads and searches.
const CONVERSATIONS: usize = 1_000;
/// The small database: a hundred messages in the first conversation and one in every other.
const FEW: usize = 100 + CONVERSATIONS - 1;
/// Calls of each kind in a round.
const CALLS: usize = 200;
/// Conversations that are filled at one time.
const WRITERS: usize = 64;
/// The words of which most texts are made.
const VOCABULARY: u64 = 5_000;
/// A word that is not among them is in one of so many messages.
const SELECTIVE_EVERY: usize = 20_000;
/// How many such words there are.
const SELECTIVE: usize = 200;

/// Runs and prints the whole comparison.
pub async fn run(options: &Options, is_full: bool) {
    let many = if is_full { 1_000_000 } else { 100_000 };
    let made = tempfile::tempdir().expect("a folder");
    let folder = options.folder.as_deref().unwrap_or(made.path());
    let folder = &folder.join(format!("bench-{}", std::process::id()));
    std::fs::create_dir_all(folder).expect("a folder");
    let start = Instant::now();
    let few = Chat::seed(&folder.join("few.db"), FEW).await;
    let small = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let grown = Chat::seed(&folder.join("many.db"), many).await;
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{CONVERSATIONS} conversations with {FEW} messages and with {many}, in {}: sent in {small:.1} \
         and {seconds:.0} s; {} rounds of {CALLS} calls (median, least to most)\n",
        folder.display(),
        options.rounds
    );

    let mut looks: Vec<(Look, Figures, Figures)> = Look::ALL
        .iter()
        .map(|look| (*look, Figures::new(), Figures::new()))
        .collect();
    // What is read is marked, and keys are opened, before anything is measured.
    for look in Look::ALL {
        for chat in [&few, &grown] {
            chat.time(*look).await;
        }
    }
    for _ in 0..options.rounds {
        for (look, of_few, of_many) in &mut looks {
            let (mut one, mut other) = (Vec::new(), Vec::new());
            // In turn, so that a slow moment of the machine is shared.
            for _ in 0..CALLS {
                one.push(few.time(*look).await);
                other.push(grown.time(*look).await);
            }
            of_few.add(median_of(one));
            of_many.add(median_of(other));
        }
    }
    for (look, of_few, of_many) in &looks {
        println!("{:<22} {FEW:>8} {}", look.name(), of_few.shown("us"));
        println!("{:<22} {many:>8} {}", "", of_many.shown("us"));
    }
    println!("\nSQLite, against the goals (ratios of the medians, round by round):");
    for (look, of_few, of_many) in &looks {
        let growth = ratio(of_many, of_few).median();
        goal(look.name(), growth, 1.3, true, "");
    }
    println!("\nA search over {CONVERSATIONS} conversations with {many} messages:");
    for (what, words) in [
        ("a selective word", 1),
        ("it and a common one", 2),
        ("a common word", 0),
        ("two common words", 3),
    ] {
        grown.searches(what, words).await;
    }
    drop((few, grown));
    let _ = std::fs::remove_dir_all(folder);
}

/// What is read.
#[derive(Clone, Copy)]
enum Look {
    NewestPage,
    DeepPage,
    Unread,
    List,
}

impl Look {
    const ALL: &[Self] = &[Self::NewestPage, Self::DeepPage, Self::Unread, Self::List];

    fn name(self) -> &'static str {
        match self {
            Self::NewestPage => "message page",
            Self::DeepPage => "deep message page",
            Self::Unread => "unread count",
            Self::List => "conversation list",
        }
    }
}

/// How many of all messages are in the first conversation: a tenth, and at least two pages.
fn long_share(messages: usize) -> usize {
    (messages / 1_000 * 100).max(100)
}

/// A doctor with his conversations; the first is a long one.
struct Chat {
    engine: Engine,
    doctor: Actor,
    long: ConversationId,
    messages: usize,
}

impl Chat {
    /// Sends the messages of all conversations through the store, many conversations at a time.
    async fn seed(path: &Path, messages: usize) -> Self {
        let clock = seed::clock();
        let engine = seed::engine_to_fill(path, clock.clone()).await;
        let (doctor, patients) = seed::doctor_with_patients(&engine, CONVERSATIONS).await;
        let long_share = long_share(messages);
        let share = (messages - long_share) / (CONVERSATIONS - 1);
        let places = Arc::new(tokio::sync::Semaphore::new(WRITERS));
        let mut tasks = Vec::with_capacity(CONVERSATIONS);
        for (number, patient) in patients.into_iter().enumerate() {
            let count = if number == 0 { long_share } else { share };
            let first = if number == 0 {
                0
            } else {
                long_share + (number - 1) * share
            };
            let (engine, doctor, places) = (engine.clone(), doctor.clone(), places.clone());
            let clock = clock.clone();
            tasks.push(tokio::spawn(async move {
                let _place = places.acquire().await.expect("a place");
                fill(&engine, &clock, &doctor, patient, first..first + count).await
            }));
        }
        let mut conversations = Vec::with_capacity(CONVERSATIONS);
        for task in tasks {
            conversations.push(task.await.expect("a conversation"));
        }
        drop(engine);
        Self {
            engine: seed::engine_at(path, clock).await,
            doctor,
            long: conversations[0],
            messages,
        }
    }

    /// How long a look takes, in microseconds.
    async fn time(&self, look: Look) -> f64 {
        let messaging = self.engine.messaging();
        let limit = 50;
        let start = Instant::now();
        match look {
            Look::NewestPage | Look::DeepPage => {
                let last = (long_share(self.messages) / limit) as u64;
                let page = if matches!(look, Look::NewestPage) {
                    1
                } else {
                    last
                };
                let range = MessageRange {
                    from: PageFrom::Newest(page),
                    limit: 50,
                };
                let read =
                    messaging.read_messages(&self.doctor, self.long, range, ReceiptKind::Delivered);
                assert_eq!(read.await.expect("a page").messages.len(), limit);
            }
            Look::Unread => {
                let read = messaging.conversation(&self.doctor, self.long).await;
                assert_eq!(read.expect("a conversation").participants.len(), 2);
            }
            Look::List => {
                let part = PageRequest::new(PageSkip::default(), PageLimit::new(50).expect("50"));
                let read = messaging.conversations(&self.doctor, false, part).await;
                assert_eq!(read.expect("a list").items.len(), limit);
            }
        }
        start.elapsed().as_secs_f64() * 1e6
    }

    /// Searches for each selective word, for it beside a common one, or for common ones.
    async fn searches(&self, what: &str, words: usize) {
        let messaging = self.engine.messaging();
        let mut times = Vec::new();
        let mut found = 0;
        let used = processor_time(std::process::id());
        for number in 0..SELECTIVE {
            let (rare, common) = (selective(number), word(number as u64 % 20));
            let query = match words {
                0 => common,
                1 => rare,
                2 => format!("{common} {rare}"),
                _ => format!("{common} {}", word(20 + number as u64 % 7)),
            };
            let start = Instant::now();
            let answer = messaging.search(&self.doctor, &query, None).await;
            found += answer.expect("a search").len();
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        let (p50, p99) = (at_rank(&times, 0.5), at_rank(&times, 0.99));
        let used = processor_time(std::process::id()) - used;
        let processor = used.as_secs_f64() * 1e3 / SELECTIVE as f64;
        let each = found as f64 / SELECTIVE as f64;
        println!(
            "  {what}: p50 {p50:.1} ms, p99 {p99:.1} ms, {processor:.1} ms of the processor, \
             {each:.1} found on average"
        );
        if words == 1 {
            goal("its p99", p99, 25.0, true, " ms");
        }
    }
}

/// Opens a conversation and sends messages in turn, two of the patient's and one of the doctor's.
async fn fill(
    engine: &Engine,
    clock: &ManualClock,
    doctor: &Actor,
    patient: UserId,
    numbers: std::ops::Range<usize>,
) -> ConversationId {
    let patient = seed::as_patient(patient);
    let messaging = engine.messaging();
    let request = OpenConversation {
        with: doctor.user_id().expect("a doctor"),
        with_administrators: false,
    };
    let opened = messaging.open_conversation(&patient, request).await;
    let conversation = opened.expect("a conversation").id;
    for number in numbers {
        let sender = if number % 3 == 2 { doctor } else { &patient };
        let request = SendMessage {
            conversation,
            kind: MessageKind::Text,
            body: MessageBody::new(text(number), 2000).expect("a text"),
            context: MessageContext::default(),
            client_id: None,
        };
        clock.advance(Duration::from_millis(1));
        messaging.send(sender, request).await.expect("a message");
    }
    conversation
}

/// A text of eight words, the first of the vocabulary more often than the last, and now and then
/// of a selective one.
fn text(number: usize) -> String {
    let mut state = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut words: Vec<String> = (0..8)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let part = (state >> 11) as f64 / (1_u64 << 53) as f64;
            word((part * part * part * VOCABULARY as f64) as u64)
        })
        .collect();
    if number % SELECTIVE_EVERY % (SELECTIVE_EVERY / SELECTIVE) == 7 {
        words.push(selective(
            number % SELECTIVE_EVERY / (SELECTIVE_EVERY / SELECTIVE),
        ));
    }
    words.join(" ")
}

/// A word of the vocabulary: three syllables.
fn word(number: u64) -> String {
    let spread = number.wrapping_mul(7919) % 1_000_000;
    let syllable = |part: u64| {
        let consonants = b"bcdfghjklmnpqrstvwyz";
        let vowels = b"aeiou";
        let consonant = consonants[(part / 5 % 20) as usize];
        [consonant, vowels[(part % 5) as usize]]
    };
    let parts = [spread % 100, spread / 100 % 100, spread / 10_000];
    let letters = parts.into_iter().flat_map(syllable).map(char::from);
    letters.collect()
}

/// A word that is in few messages.
fn selective(number: usize) -> String {
    format!("x{}", word(number as u64 + 100_000))
}
