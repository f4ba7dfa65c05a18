//! Conversations on SQLite when answers are lost and when the server is killed.

use rusqlite::{Connection, OpenFlags};
use telemed_tests::chat::killed::killed_in_mid_chat;
use telemed_tests::chat::lossy::written_over_a_lossy_wire;
use telemed_tests::server::ServerFolder;

/// Holds the file to itself, and to how many messages there are.
fn check_database(folder: &ServerFolder, messages: usize) {
    let path = folder.database();
    let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
    let text = |sql: &str| -> String { database.query_row(sql, [], |row| row.get(0)).unwrap() };
    let count = |sql: &str| -> usize {
        let count: i64 = database.query_row(sql, [], |row| row.get(0)).unwrap();
        usize::try_from(count).unwrap()
    };
    assert_eq!(text("PRAGMA integrity_check"), "ok");
    assert_eq!(count("SELECT count(*) FROM pragma_foreign_key_check"), 0);
    assert_eq!(count("SELECT count(*) FROM messages"), messages);
    // Each with its audit row and its event, in the same transaction.
    for sql in [
        "SELECT count(*) FROM audit_rows WHERE action = 'message.send'",
        "SELECT count(*) FROM events WHERE kind = 'message.sent'",
    ] {
        assert_eq!(count(sql), messages, "{sql}");
    }
    let wrong = "SELECT count(*) FROM conversations WHERE last_seq <> (
        SELECT count(*) FROM messages WHERE conversation_id = conversations.id)";
    assert_eq!(count(wrong), 0, "a gap in the numbers");
    let wrong = "SELECT count(*) FROM conversation_participants AS place WHERE unread <> (
        SELECT count(*) FROM messages
        WHERE conversation_id = place.conversation_id AND sender_id <> place.user_id
          AND seq > place.read_up_to)";
    assert_eq!(count(wrong), 0, "what is unread");
    let wrong = "SELECT count(*) FROM conversation_participants AS place WHERE read_up_to <> (
        SELECT coalesce(max(up_to), 0) FROM receipts
        WHERE conversation_id = place.conversation_id AND user_id = place.user_id
          AND kind = 'read')";
    assert_eq!(count(wrong), 0, "receipts");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_makes_no_second_message() {
    let (written, folder) = written_over_a_lossy_wire(ServerFolder::new()).await;
    check_database(&folder, written);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_survives_its_server() {
    let (chats, folder) = killed_in_mid_chat(ServerFolder::new()).await;
    check_database(&folder, chats.written());
}
