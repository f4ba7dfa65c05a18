//! Conversations, messages, receipts and search.

mod append;
mod archive;
mod conversations;
mod mark;
mod messages;
mod open;
mod rows;
mod search;
mod tokens;

use std::collections::BTreeSet;

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

use crate::SqliteStore;

#[async_trait]
impl MessagingStore for SqliteStore {
    async fn open_conversation(
        &self,
        write: &Write,
        conversation: &NewConversation,
    ) -> StoreResult<Written<OpenConversationOutcome>> {
        let new = conversation.clone();
        self.keyed(write, move |connection, write| {
            open::open(connection, write.at, &new)
        })
        .await
    }

    async fn conversation_by_id(
        &self,
        conversation: ConversationId,
    ) -> StoreResult<Option<Conversation>> {
        self.read(move |connection| conversations::by_id(connection, conversation))
            .await
    }

    async fn conversation_of_pair(&self, pair: [UserId; 2]) -> StoreResult<Option<Conversation>> {
        let pair = conversations::sorted(pair);
        self.read(move |connection| conversations::of_pair(connection, pair))
            .await
    }

    async fn conversation_page(
        &self,
        user: UserId,
        with_archived: bool,
        page: PageRequest,
    ) -> StoreResult<Page<ConversationRow>> {
        self.read(move |connection| conversations::page(connection, user, with_archived, page))
            .await
    }

    async fn conversation_keys(
        &self,
        user: UserId,
        limit: u32,
    ) -> StoreResult<Vec<(ConversationId, WrappedDataKey)>> {
        self.read(move |connection| conversations::keys(connection, user, limit))
            .await
    }

    async fn append_message(
        &self,
        write: &Write,
        message: &AppendMessage,
    ) -> StoreResult<Written<AppendMessageOutcome>> {
        let message = message.clone();
        self.keyed(write, move |connection, write| {
            append::append(connection, write.at, &message)
        })
        .await
    }

    async fn messages_by_ids(&self, ids: &[MessageId]) -> StoreResult<Vec<StoredMessage>> {
        let ids: BTreeSet<MessageId> = ids.iter().copied().collect();
        self.read(move |connection| messages::by_ids(connection, ids))
            .await
    }

    async fn message_window(
        &self,
        conversation: ConversationId,
        from: u64,
        to: u64,
    ) -> StoreResult<Vec<StoredMessage>> {
        self.read(move |connection| messages::window(connection, conversation, from, to))
            .await
    }

    async fn mark_messages(
        &self,
        mark: &MarkMessages,
    ) -> StoreResult<Written<MarkMessagesOutcome>> {
        let mark = mark.clone();
        self.write(move |context| mark::mark(context, &mark)).await
    }

    async fn archive_conversation(
        &self,
        write: &Write,
        conversation: ConversationId,
        user: UserId,
        archived: bool,
    ) -> StoreResult<Written<ArchiveOutcome>> {
        self.keyed(write, move |connection, _| {
            archive::archive(connection, conversation, user, archived)
        })
        .await
    }

    async fn search_messages(
        &self,
        needles: &[SearchNeedle],
        before: Option<MessageId>,
        limit: u32,
    ) -> StoreResult<Vec<StoredMessage>> {
        let needles = needles.to_vec();
        self.read(move |connection| {
            let found = search::candidates(connection, &needles, before, limit)?;
            messages::by_ids(connection, found)
        })
        .await
    }
}
