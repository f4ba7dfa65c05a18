//! From rows to conversations and messages. Each list of columns stands beside the function that
//! reads them, in the same order.

use telemed_core::actor::Role;
use telemed_core::crypto::Sealed;
use telemed_core::directory::Specialty;
use telemed_core::id::{AppointmentId, MessageId, UserId};
use telemed_core::identity::FullName;
use telemed_core::messaging::{
    ClientMessageId, Conversation, ConversationKind, ConversationRow, MessageKind, Participant,
    ServiceLabel, StoredMessage,
};
use telemed_core::store::StoreResult;
use uuid::Uuid;

use crate::rows::{instant, maybe_instant, number, word};
use crate::statement::Columns;

/// A conversation and one of its participants: it comes in as many rows as it has participants.
pub(super) const CONVERSATION: &str = "conversations.id, conversations.kind, \
     conversations.data_key, conversations.created_at, conversations.last_seq, \
     conversations.last_message_at, place.user_id, users.full_name, users.role, \
     doctors.specialty, place.delivered_up_to, place.read_up_to, place.unread, \
     place.is_archived";

/// What belongs to a participant's place, for [`CONVERSATION`].
pub(super) const CONVERSATION_JOINS: &str = "JOIN conversations ON conversations.id = place.conversation_id \
     JOIN users ON users.id = place.user_id \
     LEFT JOIN doctors ON doctors.id = place.user_id";

/// With the one participant of this row.
pub(super) fn conversation(columns: &mut Columns<'_>) -> StoreResult<Conversation> {
    Ok(Conversation {
        id: columns.uuid()?,
        kind: word(columns, ConversationKind::parse)?,
        key: columns.uuid()?,
        created_at: instant(columns)?,
        last_seq: number(columns)?,
        last_message_at: maybe_instant(columns)?,
        participants: vec![participant(columns)?],
    })
}

fn participant(columns: &mut Columns<'_>) -> StoreResult<Participant> {
    Ok(Participant {
        user: columns.make(UserId::from_row)?,
        name: columns.make(FullName::from_row)?,
        role: word(columns, Role::parse)?,
        specialty: columns.maybe(Specialty::from_row)?,
        delivered_up_to: number(columns)?,
        read_up_to: number(columns)?,
        unread: number(columns)?,
        is_archived: columns.next()?,
    })
}

/// Puts the rows of each conversation together, which follow one another.
pub(super) fn together<T>(
    rows: Vec<T>,
    conversation: impl Fn(&mut T) -> &mut Conversation,
) -> Vec<T> {
    let mut whole: Vec<T> = Vec::new();
    for mut row in rows {
        let part = conversation(&mut row);
        match whole.last_mut().map(&conversation) {
            Some(last) if last.id == part.id => last.participants.append(&mut part.participants),
            _ => whole.push(row),
        }
    }
    whole
}

/// A message with the name of its sender and with its dates: those of the first receipts of its
/// recipient that cover it.
pub(super) const MESSAGE: &str = "messages.id, messages.conversation_id, messages.seq, \
     messages.sender_id, sender.full_name, messages.recipient_id, messages.kind, messages.body, \
     messages.appointment_id, messages.service, messages.call_id, messages.client_id, \
     messages.created_at, \
     (SELECT at FROM receipts \
      WHERE receipts.conversation_id = messages.conversation_id \
          AND receipts.user_id = messages.recipient_id \
          AND receipts.kind = 'delivered' AND receipts.up_to >= messages.seq \
      ORDER BY receipts.up_to LIMIT 1), \
     (SELECT at FROM receipts \
      WHERE receipts.conversation_id = messages.conversation_id \
          AND receipts.user_id = messages.recipient_id \
          AND receipts.kind = 'read' AND receipts.up_to >= messages.seq \
      ORDER BY receipts.up_to LIMIT 1)";

/// Messages with their senders, for [`MESSAGE`].
pub(super) const MESSAGES: &str = "messages JOIN users AS sender ON sender.id = messages.sender_id";

pub(super) fn message(columns: &mut Columns<'_>) -> StoreResult<StoredMessage> {
    let id = columns.uuid()?;
    message_with(id, columns)
}

/// The columns of [`CONVERSATION`], then those of [`MESSAGE`]; they are NULL when there is no
/// message.
pub(super) fn conversation_row(columns: &mut Columns<'_>) -> StoreResult<ConversationRow> {
    Ok(ConversationRow {
        conversation: conversation(columns)?,
        last_message: match columns.maybe(|id: Uuid| id.into())? {
            Some(id) => Some(message_with(id, columns)?),
            None => None,
        },
    })
}

/// The columns of [`MESSAGE`] after the first.
fn message_with(id: MessageId, columns: &mut Columns<'_>) -> StoreResult<StoredMessage> {
    Ok(StoredMessage {
        id,
        conversation: columns.uuid()?,
        seq: number(columns)?,
        sender: columns.make(UserId::from_row)?,
        sender_name: columns.make(FullName::from_row)?,
        recipient: columns.maybe(UserId::from_row)?,
        kind: word(columns, MessageKind::parse)?,
        body: columns.make(Sealed::from_row)?,
        appointment: columns.maybe(AppointmentId::from_row)?,
        service: columns.maybe(ServiceLabel::from_row)?,
        call: columns.maybe(|id: Uuid| id.into())?,
        client_id: columns.maybe(ClientMessageId::from_row)?,
        created_at: instant(columns)?,
        delivered_at: maybe_instant(columns)?,
        read_at: maybe_instant(columns)?,
    })
}
