//! Marking messages as delivered or read.

use rusqlite::Connection;
use telemed_core::id::ConversationId;
use telemed_core::messaging::{MarkMessages, MarkMessagesOutcome, ReceiptKind};
use telemed_core::store::{StoreResult, Written};
use telemed_core::time::Timestamp;

use crate::journal::{Decided, keyed};
use crate::rows::number;
use crate::statement::{change, one};
use crate::writer::{Verdict, WriteContext};

/// Where a participant stands.
struct Place {
    delivered_up_to: u64,
    read_up_to: u64,
    unread: u64,
    last_seq: u64,
}

pub(super) fn mark(
    context: &mut WriteContext<'_>,
    command: &MarkMessages,
) -> StoreResult<Verdict<Written<MarkMessagesOutcome>>> {
    let place = place(context.connection(), command)?;
    let (after, up_to) = place.as_ref().map_or((0, 0), |place| {
        let after = match command.kind {
            ReceiptKind::Delivered => place.delivered_up_to,
            ReceiptKind::Read => place.read_up_to,
        };
        (after, command.up_to.min(place.last_seq))
    });
    let write = command.write_for(after, up_to);
    keyed(context, write, |connection, write| match &place {
        None => Ok(Decided::Refused(MarkMessagesOutcome::NotFound)),
        Some(place) => decide(connection, write.at, command, place, after, up_to),
    })
}

fn decide(
    connection: &Connection,
    at: Timestamp,
    command: &MarkMessages,
    place: &Place,
    after: u64,
    up_to: u64,
) -> StoreResult<Decided<MarkMessagesOutcome>> {
    let is_read = command.kind == ReceiptKind::Read;
    let count = if is_read && up_to == place.last_seq {
        // All that he has not read: it is counted already.
        place.unread
    } else {
        of_others(connection, command, after, up_to)?
    };
    if count == 0 {
        return Ok(Decided::Refused(MarkMessagesOutcome::Unchanged));
    }
    add_receipt(connection, at, command, command.kind, up_to)?;
    if is_read && place.delivered_up_to < up_to {
        add_receipt(connection, at, command, ReceiptKind::Delivered, up_to)?;
    }
    let (read_up_to, unread) = if is_read {
        (up_to, place.unread.saturating_sub(count))
    } else {
        (place.read_up_to, place.unread)
    };
    change(
        connection,
        "moving a participant's place",
        "UPDATE conversation_participants
         SET delivered_up_to = ?3, read_up_to = ?4, unread = ?5
         WHERE conversation_id = ?1 AND user_id = ?2",
        (
            bytes(command.conversation),
            command.user.get(),
            row(place.delivered_up_to.max(up_to)),
            row(read_up_to),
            row(unread),
        ),
    )?;
    Ok(Decided::Changed(MarkMessagesOutcome::Marked {
        after,
        up_to,
        count,
    }))
}

fn bytes(conversation: ConversationId) -> [u8; 16] {
    conversation.get().into_bytes()
}

/// A place or a count as rows keep it.
fn row(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn place(connection: &Connection, command: &MarkMessages) -> StoreResult<Option<Place>> {
    one(
        connection,
        "reading a participant's place",
        "SELECT place.delivered_up_to, place.read_up_to, place.unread, conversations.last_seq
         FROM conversation_participants AS place
         CROSS JOIN conversations ON conversations.id = place.conversation_id
         WHERE place.conversation_id = ?1 AND place.user_id = ?2",
        (bytes(command.conversation), command.user.get()),
        |columns| {
            Ok(Place {
                delivered_up_to: number(columns)?,
                read_up_to: number(columns)?,
                unread: number(columns)?,
                last_seq: number(columns)?,
            })
        },
    )
}

/// How many messages of others lie after one place and up to another.
fn of_others(
    connection: &Connection,
    command: &MarkMessages,
    after: u64,
    up_to: u64,
) -> StoreResult<u64> {
    let count = one(
        connection,
        "counting the messages of others",
        "SELECT count(*) FROM messages
         WHERE conversation_id = ?1 AND seq > ?2 AND seq <= ?3 AND sender_id <> ?4",
        (
            bytes(command.conversation),
            row(after),
            row(up_to),
            command.user.get(),
        ),
        number,
    )?;
    Ok(count.unwrap_or(0))
}

fn add_receipt(
    connection: &Connection,
    at: Timestamp,
    command: &MarkMessages,
    kind: ReceiptKind,
    up_to: u64,
) -> StoreResult<()> {
    change(
        connection,
        "adding a receipt",
        "INSERT INTO receipts (conversation_id, user_id, kind, up_to, at)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        (
            bytes(command.conversation),
            command.user.get(),
            kind.as_str(),
            row(up_to),
            at.micros(),
        ),
    )?;
    Ok(())
}
