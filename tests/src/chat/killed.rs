//! kill -9 in mid-chat, and what has to be there afterwards: every message that was acknowledged,
//! once; numbers without a gap; what is unread and when it was read; and the search finds it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::pen::{Pen, Sent, Stored, Way};
use super::{Dice, Talk, UNLIMITED, text_of};
use crate::client::Client;
use crate::is_long;
use crate::practice::{Practice, Visit};
use crate::server::ServerFolder;

/// What one writer has written and was told.
#[derive(Clone, Debug)]
struct Story {
    number: usize,
    talk: usize,
    side: usize,
    way: Way,
    written: Vec<Stored>,
    /// Whether the message after those had no answer.
    is_in_doubt: bool,
    /// Up to where he has read, by what he was told.
    read: u64,
    /// Up to where he has read if he was not told so.
    read_in_doubt: Option<u64>,
}

impl Story {
    /// The id of a message and its text, whose first word no other text has.
    fn message(&self, count: usize) -> (String, String) {
        let id = format!("{}-{count}", self.number);
        let text = format!("canary{}x{count} <from> a {:?}", self.number, self.way);
        (id, text)
    }

    fn word(&self, count: usize) -> String {
        format!("canary{}x{count}", self.number)
    }
}

/// Conversations, and everything that was acknowledged in them.
pub struct Chats {
    talks: Vec<Talk>,
    stories: Vec<Story>,
}

#[derive(Default)]
struct Counts {
    acknowledged: AtomicUsize,
    told: Notify,
}

/// A server that is killed in mid-chat and started again, several times. The database of the
/// folder is empty. Returns what the people know at the end, when no server runs any more.
///
/// # Panics
/// When something was lost or happened twice.
#[allow(clippy::print_stdout)] // When the kills came is what one needs to know of a failure.
pub async fn killed_in_mid_chat(folder: ServerFolder) -> (Chats, ServerFolder) {
    let rounds = if is_long() { 20 } else { 3 };
    let dice = Dice::default();
    let mut practice = Practice::open_in(folder, UNLIMITED, &[]).await;
    let mut chats = Chats::settle(&Visit::at(Arc::clone(&practice))).await;
    for round in 0..rounds {
        // From the first group commit to some hundred messages.
        let kill_after = 5 + dice.below(150) as usize;
        let counts = Arc::new(Counts::default());
        let mut writers = chats.flow(practice.server.address(), &counts);
        while counts.acknowledged.load(Ordering::SeqCst) < kill_after {
            tokio::select! {
                () = counts.told.notified() => {}
                Some(ended) = writers.join_next() => panic!("somebody ended early: {ended:?}"),
            }
        }
        let killed = Arc::into_inner(practice).expect("nobody else is here");
        let killed = killed.kill();
        for story in writers.join_all().await {
            let number = story.number;
            chats.stories[number] = story;
        }
        let in_doubt = chats.stories.iter().filter(|story| story.is_in_doubt);
        println!(
            "round {round}: killed after {kill_after} acknowledgements, {} messages in doubt",
            in_doubt.count()
        );
        let (code, said) = killed.folder.verify_audit();
        assert_eq!(code, Some(0), "{said}");
        practice = killed.reopen(UNLIMITED);
        chats.check(&practice).await;
    }
    let practice = Arc::into_inner(practice).expect("nobody else is here");
    practice.server.stop();
    let (code, said) = practice.folder.verify_audit();
    assert_eq!(code, Some(0), "{said}");
    (chats, practice.folder)
}

impl Chats {
    /// Two patients with a doctor each, and six who write in each conversation, three on each
    /// side.
    async fn settle(visit: &Visit) -> Self {
        let clinic = visit.clinic("UTC").await;
        let mut talks = Vec::new();
        for _ in 0..2 {
            let (patient, doctor) = (visit.patient().await, visit.doctor(clinic).await);
            talks.push(visit.talk(&patient, &doctor).await);
        }
        let ways = (0..2).flat_map(|talk| Way::ALL.map(|way| (talk, way)));
        let story = |(number, (talk, way)): (usize, (usize, Way))| Story {
            number,
            talk,
            side: number % 2,
            way,
            written: Vec::new(),
            is_in_doubt: false,
            read: 0,
            read_in_doubt: None,
        };
        Self {
            talks,
            stories: ways.enumerate().map(story).collect(),
        }
    }

    /// How many messages there are.
    #[must_use]
    pub fn written(&self) -> usize {
        self.stories.iter().map(|story| story.written.len()).sum()
    }

    fn flow(&self, address: &str, counts: &Arc<Counts>) -> JoinSet<Story> {
        let mut writers = JoinSet::new();
        for story in &self.stories {
            let pen = Pen::new(story.way, &self.talks[story.talk], story.side, address);
            writers.spawn(live(story.clone(), pen, Arc::clone(counts)));
        }
        writers
    }

    /// Holds a running server to everything that was acknowledged. What had no answer is sent
    /// again before.
    async fn check(&mut self, practice: &Arc<Practice>) {
        let visit = Visit::at(Arc::clone(practice));
        for story in &mut self.stories {
            let talk = &self.talks[story.talk];
            let mut pen = Pen::new(story.way, talk, story.side, practice.server.address());
            let count = story.written.len();
            // What was acknowledged long ago and lately is the same when it is sent again.
            for count in [0, count / 2, count.wrapping_sub(1)] {
                if let Some(stored) = story.written.get(count) {
                    assert_eq!(&write(story, &mut pen, count).await, stored);
                }
            }
            if std::mem::take(&mut story.is_in_doubt) {
                let stored = write(story, &mut pen, count).await;
                story.written.push(stored);
            }
            if let Some(up_to) = story.read_in_doubt.take() {
                let read = mark_read(&visit.of(&talk.pair[story.side]), &talk.id, up_to).await;
                assert!(read, "the server is not there");
                story.read = story.read.max(up_to);
            }
        }
        for (number, talk) in self.talks.iter().enumerate() {
            self.check_talk(&visit, number, talk).await;
        }
    }

    async fn check_talk(&self, visit: &Visit, number: usize, talk: &Talk) {
        let clients = [0, 1].map(|side| visit.of(&talk.pair[side]));
        let stories = || {
            self.stories
                .iter()
                .filter(move |story| story.talk == number)
        };
        let mut expected = BTreeMap::new();
        for story in stories() {
            for (count, stored) in story.written.iter().enumerate() {
                let told = (stored.id.clone(), story.message(count).1, story.side);
                let twice = expected.insert(stored.seq, told);
                assert!(twice.is_none(), "two messages in the place {}", stored.seq);
            }
        }
        let read = [0, 1].map(|side| {
            let own = stories().filter(move |story| story.side == side);
            own.map(|story| story.read).max().unwrap_or(0)
        });
        let messages = talk.messages(&clients[0]).await;
        assert_eq!(messages.len(), expected.len(), "nobody was told of some");
        let mut unread = [0, 0];
        for (message, (seq, (id, text, side))) in messages.iter().zip(&expected) {
            assert_eq!(message["seq"], *seq);
            assert_eq!(message["message_id"], id.as_str());
            assert_eq!(message["body"], text.as_str());
            assert_eq!(message["sender_id"], talk.pair[*side].id);
            let other = 1 - side;
            let is_read = *seq <= read[other];
            assert_eq!(message["read_at"].is_string(), is_read, "{message}");
            unread[other] += usize::from(!is_read);
        }
        for (client, unread) in clients.iter().zip(unread) {
            let listed = client.get("//api/messages/conversations").await.expect(200);
            let row = &listed["data"]["conversations"][0];
            assert_eq!(row["id"], talk.id.as_str());
            assert_eq!(row["unread_count"], unread, "{row}");
        }
        for story in stories() {
            let count = story.written.len();
            for count in [0, count / 2, count.wrapping_sub(1)] {
                if let Some(stored) = story.written.get(count) {
                    let path = format!("//api/messages/search?q={}", story.word(count));
                    let found = clients[1].get(&path).await.expect(200);
                    let found = found["data"]["messages"].as_array().expect("a list");
                    let ids: Vec<_> = found.iter().map(|one| text_of(&one["id"])).collect();
                    assert_eq!(
                        ids,
                        std::slice::from_ref(&stored.id),
                        "{}",
                        story.word(count)
                    );
                }
            }
        }
    }
}

/// Writes and reads until there is no answer.
async fn live(mut story: Story, mut pen: Pen, counts: Arc<Counts>) -> Story {
    loop {
        let (id, text) = story.message(story.written.len());
        match pen.write(&id, &text).await {
            Sent::Stored(stored) => story.written.push(stored),
            Sent::Nothing => {
                story.is_in_doubt = true;
                return story;
            }
            Sent::Later => panic!("asked to come back"),
        }
        counts.acknowledged.fetch_add(1, Ordering::SeqCst);
        counts.told.notify_one();
        let count = story.written.len();
        if let Some(last) = story.written.last().filter(|_| count.is_multiple_of(5)) {
            let up_to = last.seq;
            if !mark_read(pen.client(), &pen.talk().id, up_to).await {
                story.read_in_doubt = Some(up_to);
                return story;
            }
            story.read = story.read.max(up_to);
        }
    }
}

/// Writes a message at a server that is there.
async fn write(story: &Story, pen: &mut Pen, count: usize) -> Stored {
    let (id, text) = story.message(count);
    match pen.write(&id, &text).await {
        Sent::Stored(stored) => stored,
        other => panic!("{other:?}"),
    }
}

/// Whether the mark is acknowledged.
async fn mark_read(client: &Client, talk: &str, up_to: u64) -> bool {
    let path = format!("//api/messages/conversations/{talk}/read");
    let request = client.request(Method::POST, &path);
    match request.json(&json!({ "up_to": up_to })).try_send().await {
        Ok(answer) => {
            let _: Value = answer.expect(200);
            true
        }
        Err(_) => false,
    }
}
