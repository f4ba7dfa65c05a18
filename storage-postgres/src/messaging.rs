//! Conversations, messages, receipts and search.

mod append;
mod archive;
mod conversations;
mod mark;
mod messages;
mod open;
mod rows;
mod search;

use async_trait::async_trait;
use telemed_core::crypto::WrappedDataKey;
use telemed_core::id::{ConversationId, MessageId, UserId};
use telemed_core::journal::Write;
use telemed_core::messaging::{
    AppendMessage, AppendMessageOutcome, ArchiveOutcome, Conversation, ConversationRow,
    MarkMessages, MarkMessagesOutcome, MessagingStore, NewConversation, OpenConversationOutcome,
    SearchNeedle, StoredMessage,
};
use telemed_core::page::{Page, PageRequest};
use telemed_core::store::{StoreResult, Written};

use crate::PostgresStore;
use crate::store::Repeat;

/// A place in a conversation, or a count, as rows keep it.
fn row(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[async_trait]
impl MessagingStore for PostgresStore {
    async fn open_conversation(
        &self,
        write: &Write,
        conversation: &NewConversation,
    ) -> StoreResult<Written<OpenConversationOutcome>> {
        self.keyed(write, conversation.clone(), |connection, write, new| {
            Box::pin(open::open(connection, write.at, new))
        })
        .await
    }

    async fn conversation_by_id(
        &self,
        conversation: ConversationId,
    ) -> StoreResult<Option<Conversation>> {
        self.read(conversation, |connection, conversation| {
            Box::pin(conversations::by_id(connection, *conversation))
        })
        .await
    }

    async fn conversation_of_pair(&self, pair: [UserId; 2]) -> StoreResult<Option<Conversation>> {
        self.read(pair, |connection, pair| {
            Box::pin(conversations::of_pair(connection, *pair))
        })
        .await
    }

    async fn conversation_page(
        &self,
        user: UserId,
        with_archived: bool,
        page: PageRequest,
    ) -> StoreResult<Page<ConversationRow>> {
        let list = (user, with_archived, page);
        self.read(list, |connection, list| {
            let (user, with_archived, page) = *list;
            Box::pin(conversations::page(connection, user, with_archived, page))
        })
        .await
    }

    async fn conversation_keys(
        &self,
        user: UserId,
        limit: u32,
    ) -> StoreResult<Vec<(ConversationId, WrappedDataKey)>> {
        self.read((user, limit), |connection, (user, limit)| {
            Box::pin(conversations::keys(connection, *user, *limit))
        })
        .await
    }

    async fn append_message(
        &self,
        write: &Write,
        message: &AppendMessage,
    ) -> StoreResult<Written<AppendMessageOutcome>> {
        // By its client's id a repetition is known too.
        let repeat = match message.client {
            Some(_) => Repeat::Always,
            None => Repeat::of(write),
        };
        let input = (write.clone(), message.clone());
        self.call(repeat, input, |connection, (write, message)| {
            Box::pin(append::append(connection, write, message))
        })
        .await
    }

    async fn messages_by_ids(&self, ids: &[MessageId]) -> StoreResult<Vec<StoredMessage>> {
        self.read(ids.to_vec(), |connection, ids| {
            Box::pin(messages::by_ids(connection, ids))
        })
        .await
    }

    async fn message_window(
        &self,
        conversation: ConversationId,
        from: u64,
        to: u64,
    ) -> StoreResult<Vec<StoredMessage>> {
        let window = (conversation, from, to);
        self.read(window, |connection, (conversation, from, to)| {
            Box::pin(messages::window(connection, *conversation, *from, *to))
        })
        .await
    }

    async fn mark_messages(
        &self,
        mark: &MarkMessages,
    ) -> StoreResult<Written<MarkMessagesOutcome>> {
        self.write(Repeat::of(&mark.write), mark.clone(), |connection, mark| {
            Box::pin(mark::mark(connection, mark))
        })
        .await
    }

    async fn archive_conversation(
        &self,
        write: &Write,
        conversation: ConversationId,
        user: UserId,
        archived: bool,
    ) -> StoreResult<Written<ArchiveOutcome>> {
        let input = (conversation, user, archived);
        self.keyed(write, input, |connection, _, input| {
            let (conversation, user, archived) = *input;
            Box::pin(archive::archive(connection, conversation, user, archived))
        })
        .await
    }

    async fn search_messages(
        &self,
        needles: &[SearchNeedle],
        before: Option<MessageId>,
        limit: u32,
    ) -> StoreResult<Vec<StoredMessage>> {
        let question = (needles.to_vec(), before, limit);
        self.read(question, |connection, (needles, before, limit)| {
            Box::pin(search::candidates(connection, needles, *before, *limit))
        })
        .await
    }
}
