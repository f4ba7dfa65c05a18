//! Adding a message to the end of its conversation.

use rusqlite::Connection;
use telemed_core::crypto::Fingerprint;
use telemed_core::id::{AppointmentId, UserId};
use telemed_core::messaging::{AppendMessage, AppendMessageOutcome, ClientMessage, ServiceLabel};
use telemed_core::store::StoreResult;
use telemed_core::time::Timestamp;

use super::{messages, tokens};
use crate::journal::Decided;
use crate::rows::{number, there};
use crate::statement::{change, one};

pub(super) fn append(
    connection: &Connection,
    at: Timestamp,
    new: &AppendMessage,
) -> StoreResult<Decided<AppendMessageOutcome>> {
    let id = new.conversation.get();
    let end = one(
        connection,
        "looking for the end of a conversation",
        "SELECT conversations.last_seq,
             CASE place.user_id WHEN low_user THEN high_user ELSE low_user END
         FROM conversation_participants AS place
         CROSS JOIN conversations ON conversations.id = place.conversation_id
         WHERE place.conversation_id = ?1 AND place.user_id = ?2",
        (id.as_bytes(), new.sender.get()),
        |columns| Ok((number(columns)?, columns.make(UserId::from_row)?)),
    )?;
    let Some((last, recipient)) = end else {
        return Ok(Decided::Refused(AppendMessageOutcome::NotFound));
    };
    if let Some(client) = &new.client
        && let Some(before) = sent_before(connection, new, client)?
    {
        return Ok(Decided::Refused(before));
    }
    let seq = last + 1;
    insert(connection, at, new, seq, recipient)?;
    change(
        connection,
        "moving the end of a conversation",
        "UPDATE conversations SET last_seq = ?2, last_message_at = ?3 WHERE id = ?1",
        (id.as_bytes(), place(seq), at.micros()),
    )?;
    change(
        connection,
        "telling the participants of a message",
        "UPDATE conversation_participants
         SET active_at = ?2, is_archived = 0, unread = unread + (user_id <> ?3)
         WHERE conversation_id = ?1",
        (id.as_bytes(), at.micros(), new.sender.get()),
    )?;
    tokens::keep(connection, new)?;
    let message = there(messages::at_place(connection, new.conversation, seq)?)?;
    Ok(Decided::Changed(AppendMessageOutcome::Appended(message)))
}

/// A place as rows keep it.
fn place(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

/// What was sent under the client's id before.
fn sent_before(
    connection: &Connection,
    new: &AppendMessage,
    client: &ClientMessage,
) -> StoreResult<Option<AppendMessageOutcome>> {
    let found = one(
        connection,
        "looking for a client's id",
        "SELECT seq, client_fingerprint FROM messages
         WHERE conversation_id = ?1 AND sender_id = ?2 AND client_id = ?3",
        (
            new.conversation.get().as_bytes(),
            new.sender.get(),
            client.id.as_str(),
        ),
        |columns| Ok((number(columns)?, columns.make(Fingerprint)?)),
    )?;
    let Some((seq, fingerprint)) = found else {
        return Ok(None);
    };
    if fingerprint != client.fingerprint {
        return Ok(Some(AppendMessageOutcome::ClientIdReused));
    }
    let message = there(messages::at_place(connection, new.conversation, seq)?)?;
    Ok(Some(AppendMessageOutcome::Repeated(message)))
}

fn insert(
    connection: &Connection,
    at: Timestamp,
    new: &AppendMessage,
    seq: u64,
    recipient: UserId,
) -> StoreResult<()> {
    change(
        connection,
        "adding a message",
        "INSERT INTO messages (conversation_id, seq, id, sender_id, recipient_id, kind, body,
                               appointment_id, service, call_id, client_id, client_fingerprint,
                               created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        (
            new.conversation.get().as_bytes(),
            place(seq),
            new.id.get().as_bytes(),
            new.sender.get(),
            recipient.get(),
            new.kind.as_str(),
            new.body.as_bytes(),
            new.appointment.map(AppointmentId::get),
            new.service.as_ref().map(ServiceLabel::as_str),
            new.call.map(|call| call.get().into_bytes()),
            new.client.as_ref().map(|client| client.id.as_str()),
            new.client.as_ref().map(|client| client.fingerprint.0),
            at.micros(),
        ),
    )?;
    Ok(())
}
