//! The storage trait of messaging.

use super::{
    ClientMessageId, Conversation, ConversationRow, MessageKind, ReceiptKind, SearchToken,
    ServiceLabel, StoredMessage,
};
use crate::crypto::{Fingerprint, Sealed, WrappedDataKey};
use crate::engine::data;
use crate::id::{AppointmentId, CallId, ConversationId, MessageId, UserId};
use crate::journal::Write;
use crate::page::{Page, PageRequest};
use crate::store::{Written, store_trait};

/// A direct conversation to be opened.
#[derive(Clone, Debug)]
pub struct NewConversation {
    /// Its id.
    pub id: ConversationId,
    /// The two, in any order. Both are there, and they are not the same.
    pub pair: [UserId; 2],
    /// The key that seals its messages.
    pub key: WrappedDataKey,
}

/// What became of opening a conversation.
#[derive(Clone, Debug, PartialEq)]
pub enum OpenConversationOutcome {
    /// The pair has one already; nothing was written.
    Existing(Conversation),
    /// It is there now.
    Opened(Conversation),
}

/// A message to be added to the end of a conversation.
#[derive(Clone, Debug)]
pub struct AppendMessage {
    /// Its id.
    pub id: MessageId,
    /// The conversation.
    pub conversation: ConversationId,
    /// Who sends it.
    pub sender: UserId,
    /// What it is.
    pub kind: MessageKind,
    /// The text, sealed with the conversation's key.
    pub body: Sealed,
    /// By what it is found.
    pub tokens: Vec<SearchToken>,
    /// The appointment that it is about.
    pub appointment: Option<AppointmentId>,
    /// The service that it is about.
    pub service: Option<ServiceLabel>,
    /// The call in which it is sent.
    pub call: Option<CallId>,
    /// Under what it is sent once.
    pub client: Option<ClientMessage>,
}

/// The id that a client gave a message, and what it stood for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientMessage {
    /// The id.
    pub id: ClientMessageId,
    /// The keyed fingerprint of what was sent under it.
    pub fingerprint: Fingerprint,
}

/// What became of a message, in the order of precedence.
#[derive(Clone, Debug, PartialEq)]
pub enum AppendMessageOutcome {
    /// There is no such conversation, or the sender takes no part in it.
    NotFound,
    /// The sender has sent something else in this conversation under the same client's id.
    ClientIdReused,
    /// The sender has sent the same under this client's id before: that message. Nothing was
    /// written.
    Repeated(StoredMessage),
    /// It is the newest message of its conversation.
    Appended(StoredMessage),
}

/// A participant has come up to a message.
#[derive(Clone, Debug)]
pub struct MarkMessages {
    /// What the write leaves behind, but for what follows from where the participant stood: see
    /// [`MarkMessages::write_for`].
    pub write: Write,
    /// The conversation.
    pub conversation: ConversationId,
    /// The participant.
    pub user: UserId,
    /// What is marked. Reading is a delivery too.
    pub kind: ReceiptKind,
    /// Up to and including this message; what is beyond the newest counts as the newest.
    pub up_to: u64,
}

impl MarkMessages {
    /// What the write leaves behind once it is known where the participant stood, and up to
    /// where he has come: both are told with the events.
    #[must_use]
    pub fn write_for(&self, after: u64, up_to: u64) -> Write {
        let mut write = self.write.clone();
        for event in &mut write.events {
            event
                .data
                .extend(data([("after", after.into()), ("up_to", up_to.into())]));
        }
        write
    }
}

/// What became of it, in the order of precedence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MarkMessagesOutcome {
    /// There is no such conversation, or the user takes no part in it.
    NotFound,
    /// No message of somebody else is newly covered; nothing was written.
    Unchanged,
    /// They are marked.
    Marked {
        /// Where the participant stood.
        after: u64,
        /// Where he stands now.
        up_to: u64,
        /// How many messages of others are newly covered.
        count: u64,
    },
}

/// What became of putting a conversation away, or of bringing it back, in the order of
/// precedence.
#[derive(Clone, Debug, PartialEq)]
pub enum ArchiveOutcome {
    /// There is no such conversation, or the user takes no part in it.
    NotFound,
    /// It was so already; nothing was written.
    Unchanged(Conversation),
    /// It is so now.
    Changed(Conversation),
}

/// What is looked for in one conversation: a message is a candidate when it has every token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchNeedle {
    /// The conversation.
    pub conversation: ConversationId,
    /// The tokens; at least one.
    pub tokens: Vec<SearchToken>,
}

store_trait! {
    /// Conversations, messages and receipts.
    pub trait MessagingStore in messaging_delegation {
        /// Opens the direct conversation of a pair, or finds it.
        ///
        /// # Behavior
        /// - `a_pair_has_one_conversation`: whoever opens it, and in parallel.
        /// - `opening_writes_only_once`: an existing conversation is answered, and nothing is
        ///   left behind.
        async fn open_conversation(&self, write: &Write, conversation: &NewConversation) -> Written<OpenConversationOutcome>;

        /// The conversation with this id, with its participants.
        ///
        /// # Behavior
        /// - `an_unknown_conversation_is_none`
        /// - `participants_come_with_their_names`: by id, with role and, for a doctor, specialty.
        async fn conversation_by_id(&self, conversation: ConversationId) -> Option<Conversation>;

        /// The direct conversation of a pair.
        ///
        /// # Behavior
        /// - `a_pair_has_one_conversation`
        async fn conversation_of_pair(&self, pair: [UserId; 2]) -> Option<Conversation>;

        /// A user's conversations, the most recently active first: by the newest message, or by
        /// when it was opened; among equals by id, downwards.
        ///
        /// # Behavior
        /// - `conversations_are_listed_by_activity`: with the newest message of each.
        /// - `archived_conversations_are_left_out`: unless they are asked for.
        async fn conversation_page(&self, user: UserId, with_archived: bool, page: PageRequest) -> Page<ConversationRow>;

        /// The wrapped keys of a user's most recently active conversations, at most `limit`.
        ///
        /// # Behavior
        /// - `the_most_recently_active_conversations_are_searched`
        async fn conversation_keys(&self, user: UserId, limit: u32) -> Vec<(ConversationId, WrappedDataKey)>;

        /// Adds a message to the end of its conversation.
        ///
        /// # Behavior
        /// - `messages_are_numbered_densely`: from 1, in parallel too; the conversation's newest
        ///   message is the one with the highest number.
        /// - `an_outsider_appends_nothing`
        /// - `a_clients_id_sends_once`: the same again is answered with the message that is
        ///   there; another content under it is refused; in parallel one is added. Other senders
        ///   and other conversations are not concerned.
        /// - `a_message_counts_as_unread`: with every other participant, not with its sender.
        /// - `a_message_brings_a_conversation_back`: for every participant who had put it away.
        /// - `a_message_replays_its_key`
        async fn append_message(&self, write: &Write, message: &AppendMessage) -> Written<AppendMessageOutcome>;

        /// Messages with these ids, in any order; unknown ones are left out.
        ///
        /// # Behavior
        /// - `messages_are_read_by_id`
        /// - `a_message_is_dated_by_the_first_receipt`: of its recipient, by kind; here and wherever a
        ///   message is read.
        async fn messages_by_ids(&self, ids: &[MessageId]) -> Vec<StoredMessage>;

        /// The messages from one place to another, both included, ascending.
        ///
        /// # Behavior
        /// - `a_window_is_read_by_place`
        async fn message_window(&self, conversation: ConversationId, from: u64, to: u64) -> Vec<StoredMessage>;

        /// Marks what a participant has, or has read, up to a message.
        ///
        /// # Behavior
        /// - `reading_clears_what_was_unread`: the count is of others' messages after the mark.
        /// - `marks_never_go_back`: a mark at or before the present one changes nothing, nor does
        ///   one that covers own messages only.
        /// - `reading_is_a_delivery`: the mark of delivery follows it, with a receipt of its own.
        /// - `a_message_is_dated_by_the_first_receipt`
        /// - `parallel_marks_count_once`: the counts of N equal marks add up to the messages.
        async fn mark_messages(&self, mark: &MarkMessages) -> Written<MarkMessagesOutcome>;

        /// Puts a conversation away for one participant, or brings it back.
        ///
        /// # Behavior
        /// - `a_conversation_is_archived_for_one`
        async fn archive_conversation(&self, write: &Write, conversation: ConversationId, user: UserId, archived: bool) -> Written<ArchiveOutcome>;

        /// Candidates for a search, newest first (by id, downwards), before `before` if given.
        ///
        /// # Behavior
        /// - `a_candidate_has_every_token`: of its own conversation's needle.
        /// - `candidates_come_newest_first`
        async fn search_messages(&self, needles: &[SearchNeedle], before: Option<MessageId>, limit: u32) -> Vec<StoredMessage>;
    }
}
