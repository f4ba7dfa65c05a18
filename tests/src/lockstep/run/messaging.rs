//! Steps of messaging.

use telemed_core::id::{ConversationId, MessageId};
use telemed_core::journal::{Resource, Subject};
use telemed_core::messaging::{
    AppendMessage, AppendMessageOutcome, OpenConversationOutcome, SearchToken,
};
use telemed_core::store::Written;

use super::Pair;
use crate::build::{client_message, needle, page, user_id};
use crate::lockstep::operation::{Operation, Step};

impl Pair {
    /// A conversation that was opened, or one that never was.
    fn conversation_at(&self, place: usize) -> ConversationId {
        let unknown = ConversationId::new(uuid::Uuid::max());
        self.conversations.get(place).copied().unwrap_or(unknown)
    }

    /// A message that was sent, counted from the newest, or one that never was.
    fn message_at(&self, back: usize) -> MessageId {
        let unknown = MessageId::new(uuid::Uuid::from_u128(7));
        self.messages
            .iter()
            .rev()
            .nth(back)
            .copied()
            .unwrap_or(unknown)
    }

    pub(super) async fn messaging(&mut self, step: &Step) {
        match &step.operation {
            Operation::OpenConversation { one, other } => {
                let pair = [user_id(*one), user_id(*other)];
                let new = self.world.new_conversation(pair);
                let subject = Subject::uuid(Resource::Conversation, new.id.get());
                let write = self.write("open", subject, step.key);
                let opened = both!(self, open_conversation(&write, &new));
                if let Written::Applied(OpenConversationOutcome::Opened(opened)) = opened {
                    self.conversations.push(opened.id);
                }
                both!(self, conversation_of_pair(pair));
            }
            Operation::Send {
                conversation,
                sender,
                client,
                tokens,
            } => {
                let id = self.conversation_at(*conversation);
                let new = AppendMessage {
                    tokens: tokens
                        .iter()
                        .map(|one| SearchToken(i64::from(*one)))
                        .collect(),
                    client: client.map(|(id, content)| client_message(&format!("m{id}"), content)),
                    ..self.world.new_message(id, user_id(*sender))
                };
                let subject = Subject::uuid(Resource::Message, new.id.get());
                let write = self.write("send", subject, step.key);
                let sent = both!(self, append_message(&write, &new));
                if let Written::Applied(AppendMessageOutcome::Appended(message)) = sent {
                    self.messages.push(message.id);
                }
            }
            Operation::Mark {
                conversation,
                user,
                kind,
                up_to,
            } => {
                let (id, user) = (self.conversation_at(*conversation), user_id(*user));
                let mut mark = self.world.marking(self.at(), id, user, *kind, *up_to);
                let subject = Subject::uuid(Resource::Conversation, id.get());
                mark.write = self.write("mark", subject, step.key);
                both!(self, mark_messages(&mark));
            }
            Operation::Archive {
                conversation,
                user,
                archived,
            } => {
                let (id, user) = (self.conversation_at(*conversation), user_id(*user));
                let subject = Subject::uuid(Resource::Conversation, id.get());
                let write = self.write("archive", subject, step.key);
                both!(self, archive_conversation(&write, id, user, *archived));
            }
            Operation::Search {
                needles,
                before,
                limit,
            } => {
                let needles: Vec<_> = needles
                    .iter()
                    .map(|(place, tokens)| {
                        let tokens: Vec<i64> = tokens.iter().copied().map(i64::from).collect();
                        needle(self.conversation_at(*place), &tokens)
                    })
                    .collect();
                let before = before.map(|back| self.message_at(back));
                both!(self, search_messages(&needles, before, *limit));
            }
            Operation::ReadMessages {
                conversation,
                from,
                length,
                messages,
            } => {
                let id = self.conversation_at(*conversation);
                both!(self, conversation_by_id(id));
                both!(self, message_window(id, *from, from + length));
                let ids: Vec<_> = messages.iter().map(|back| self.message_at(*back)).collect();
                self.messages_by_ids(&ids).await;
            }
            Operation::ListConversations {
                user,
                with_archived,
                skip,
                limit,
            } => {
                let user = user_id(*user);
                let part = page(*skip, *limit);
                both!(self, conversation_page(user, *with_archived, part));
                let most = u32::try_from(*limit).unwrap_or(0);
                both!(self, conversation_keys(user, most));
            }
            _ => {}
        }
    }

    /// They come in any order.
    async fn messages_by_ids(&self, ids: &[MessageId]) {
        let mut one = self.world.storage.messages_by_ids(ids).await.unwrap();
        let mut other = self.other.storage.messages_by_ids(ids).await.unwrap();
        one.sort_unstable_by_key(|message| message.id);
        other.sort_unstable_by_key(|message| message.id);
        assert_eq!(one, other, "the stores read other messages");
    }
}
