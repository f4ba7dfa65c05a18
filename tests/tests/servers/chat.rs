//! Conversations over two servers.

use std::collections::BTreeMap;
use std::sync::Arc;

use telemed_tests::chat::killed::killed_in_mid_chat;
use telemed_tests::chat::lossy::written_over_a_lossy_wire;
use telemed_tests::chat::pen::{Pen, Way};
use telemed_tests::chat::reader::{Reader, Reading};
use telemed_tests::chat::{Dice, Talk, UNLIMITED};
use telemed_tests::practice::Person;
use telemed_tests::server::{ServerFolder, SharedDatabase};
use telemed_tests::{invariants, is_long};
use tokio::task::JoinSet;

use super::database::{count, whole};
use super::pair::Pair;

/// Who writes in a conversation, as which of the two and in which way. Nobody reads the raw chat
/// beside the first doctor, who reads it by what was delivered to him.
const WRITERS: [[(usize, Way); 4]; 4] = [
    [
        (0, Way::Chat),
        (0, Way::Raw),
        (1, Way::Events),
        (1, Way::Calls),
    ],
    [
        (0, Way::Polled),
        (0, Way::Events),
        (1, Way::Keyed),
        (1, Way::Polled),
    ],
    [
        (0, Way::Calls),
        (0, Way::Events),
        (1, Way::Raw),
        (1, Way::Chat),
    ],
    [
        (0, Way::Raw),
        (0, Way::Polled),
        (1, Way::Events),
        (1, Way::Keyed),
    ],
];

/// 16 writers and 8 readers whose connections break off at any time, over both servers: everybody
/// reads each conversation in one order, and nothing is missing or comes twice.
#[allow(clippy::print_stdout)] // How often they came back is what one needs to know of a failure.
pub async fn everybody_reads_the_same(database: SharedDatabase) {
    let messages = if is_long() { 800 } else { 25 };
    let pair = Pair::with(database, UNLIMITED).await;
    let (clinic, first) = pair.one.clinic_and_doctor().await;
    let doctors = [first, pair.one.doctor(clinic).await];
    let patients = [pair.one.patient().await, pair.one.patient().await];
    let mut talks = Vec::new();
    for doctor in &doctors {
        for patient in &patients {
            talks.push(pair.one.talk(patient, doctor).await);
        }
    }
    let servers = pair
        .both()
        .map(|visit| visit.practice.server.address().to_owned());
    let dice = Arc::new(Dice::default());
    let mut readers = JoinSet::new();
    for (person, ways) in [
        (&doctors[0], [Reading::ChatWords, Reading::RawByMark]),
        (&doctors[1], [Reading::Polled, Reading::Http]),
        (&patients[0], [Reading::CallsWords, Reading::Raw]),
        (&patients[1], [Reading::ChatWords, Reading::Http]),
    ] {
        let present = pair.one.of(person).get("//api/events").await.expect(200);
        for way in ways {
            let reader = Reader {
                way,
                person: person.clone(),
                expected: BTreeMap::new(),
                servers: servers.to_vec(),
                cursor: present["data"]["next"].as_u64().expect("a cursor"),
                dice: Arc::clone(&dice),
                seen: BTreeMap::new(),
                connections: 0,
            };
            readers.spawn(expecting(reader, &talks, messages).read());
        }
    }
    let mut writers = JoinSet::new();
    for (talk, ways) in talks.iter().zip(WRITERS) {
        for (number, (side, way)) in ways.into_iter().enumerate() {
            let mut pen = Pen::new(way, talk, side, &servers[number % 2]);
            let (servers, dice) = (servers.clone(), Arc::clone(&dice));
            writers.spawn(async move {
                for count in 0..messages {
                    if dice.below(8) == 0 {
                        pen.turn_to(&servers[dice.below(2) as usize]);
                    }
                    let id = format!("{number}-{count}");
                    pen.insist(&servers, &id, &id).await;
                }
            });
        }
    }
    writers.join_all().await;
    let readers = readers.join_all().await;

    let mut truth = BTreeMap::new();
    for talk in &talks {
        let rows = talk.messages(&pair.two.of(&talk.pair[0])).await;
        assert_eq!(rows.len(), 4 * messages);
        truth.insert(talk.id.clone(), rows);
    }
    for reader in &readers {
        println!(
            "{:?} has connected {} times",
            reader.way, reader.connections
        );
        for (conversation, _) in reader.expected.values() {
            let rows = truth[conversation].iter();
            let expected: Vec<_> = rows
                .filter(|row| !reader.is_raw() || row["sender_id"] != reader.person.id)
                .map(|row| {
                    let id = row["message_id"].as_str().unwrap().to_owned();
                    (id, row["seq"].as_u64().unwrap())
                })
                .collect();
            assert_eq!(reader.seen[conversation], expected, "{:?}", reader.way);
        }
    }
    let connections: usize = readers.iter().map(|reader| reader.connections).sum();
    assert!(connections > 3 * readers.len(), "nobody has broken off");
}

/// A reader who waits for everything in which its person takes part.
fn expecting(mut reader: Reader, talks: &[Talk], messages: usize) -> Reader {
    let own = |one: &Person| one.id == reader.person.id;
    for talk in talks {
        let Some(side) = talk.pair.iter().position(own) else {
            continue;
        };
        let with = talk.pair[1 - side].id;
        // The raw chat tells what the other has written: two writers of four.
        let count = if reader.is_raw() { 2 } else { 4 } * messages;
        reader.expected.insert(with, (talk.id.clone(), count));
    }
    reader
}

/// What is written over a wire that loses answers is there once.
pub async fn a_lost_answer_makes_no_second_message(database: SharedDatabase) {
    let (written, _) = written_over_a_lossy_wire(ServerFolder::of(&database)).await;
    assert_eq!(
        count(&database, "SELECT count(*) FROM messages").await,
        written
    );
    invariants::check(&whole(&database).await);
}

/// A server that is killed in mid-chat loses nothing that it has acknowledged.
pub async fn a_chat_survives_its_server(database: SharedDatabase) {
    let (chats, _) = killed_in_mid_chat(ServerFolder::of(&database)).await;
    let messages = count(&database, "SELECT count(*) FROM messages").await;
    assert_eq!(messages, chats.written());
    invariants::check(&whole(&database).await);
}
