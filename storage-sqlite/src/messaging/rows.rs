//! From rows to conversations and messages. Each list of columns stands beside the function that
//! reads them, in the same order.

use telemed_core::actor::Role;
use telemed_core::crypto::Sealed;
use telemed_core::directory::Specialty;
use telemed_core::id::{AppointmentId, ConversationId, MessageId, UserId};
use telemed_core::identity::FullName;
use telemed_core::messaging::{
    ClientMessageId, Conversation, ConversationKind, ConversationRow, MessageKind, Participant,
    ServiceLabel, StoredMessage,
};
use telemed_core::store::StoreResult;
use uuid::Uuid;

use crate::rows::{instant, maybe_instant, number, word};
use crate::statement::Columns;

pub(super) const CONVERSATION: &str = "conversations.id, conversations.kind, \
     conversations.data_key, conversations.created_at, conversations.last_seq, \
     conversations.last_message_at";

/// Without its participants: they are rows of their own.
pub(super) fn conversation(columns: &mut Columns<'_>) -> StoreResult<Conversation> {
    Ok(Conversation {
        id: columns.uuid()?,
        kind: word(columns, ConversationKind::parse)?,
        key: columns.uuid()?,
        created_at: instant(columns)?,
        last_seq: number(columns)?,
        last_message_at: maybe_instant(columns)?,
        participants: Vec::new(),
    })
}

pub(super) const PARTICIPANT: &str = "place.conversation_id, place.user_id, users.full_name, \
     users.role, doctors.specialty, place.delivered_up_to, place.read_up_to, place.unread, \
     place.is_archived";

/// What belongs to a participant, for [`PARTICIPANT`].
pub(super) const PARTICIPANT_JOINS: &str = "CROSS JOIN users ON users.id = place.user_id \
     LEFT JOIN doctors ON doctors.id = place.user_id";

pub(super) fn participant(columns: &mut Columns<'_>) -> StoreResult<(ConversationId, Participant)> {
    let conversation = columns.uuid()?;
    let participant = Participant {
        user: columns.make(UserId::from_row)?,
        name: columns.make(FullName::from_row)?,
        role: word(columns, Role::parse)?,
        specialty: columns.maybe(Specialty::from_row)?,
        delivered_up_to: number(columns)?,
        read_up_to: number(columns)?,
        unread: number(columns)?,
        is_archived: columns.next()?,
    };
    Ok((conversation, participant))
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
pub(super) const MESSAGES: &str =
    "messages CROSS JOIN users AS sender ON sender.id = messages.sender_id";

pub(super) fn message(columns: &mut Columns<'_>) -> StoreResult<StoredMessage> {
    let id = columns.uuid()?;
    message_with(id, columns)
}

/// The columns of [`CONVERSATION`], then those of [`MESSAGE`]; they are NULL when there is no
/// message.
pub(super) fn conversation_row(columns: &mut Columns<'_>) -> StoreResult<ConversationRow> {
    Ok(ConversationRow {
        conversation: conversation(columns)?,
        last_message: match columns.maybe(Uuid::from_bytes)? {
            Some(id) => Some(message_with(id.into(), columns)?),
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
        call: columns.maybe(|id| Uuid::from_bytes(id).into())?,
        client_id: columns.maybe(ClientMessageId::from_row)?,
        created_at: instant(columns)?,
        delivered_at: maybe_instant(columns)?,
        read_at: maybe_instant(columns)?,
    })
}
