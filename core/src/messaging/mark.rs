//! Marks messages as delivered or read.

use crate::actor::Actor;
use crate::engine::{RequestParts, Settled, settle};
use crate::error::{Code, Error, What};
use crate::id::{ConversationId, MessageId, UserId};
use crate::journal::{Event, EventKind, Resource, Subject};
use crate::messaging::service::{missing, user_of};
use crate::messaging::{
    Conversation, MarkMessages, MarkMessagesOutcome, Message, Messaging, ReceiptKind,
};
use crate::policy::{Action, Relation, require};

/// How many ids of marked messages are told at most: the newest.
const MOST_TOLD: u64 = 500;

/// What a mark has newly covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marked {
    /// The place after which it begins.
    pub after: u64,
    /// The place up to which it goes.
    pub up_to: u64,
    /// How many messages of others it covers.
    pub count: u64,
}

impl Messaging<'_> {
    /// Marks a conversation up to a message, or up to the newest; `None` when nothing is new.
    ///
    /// # Errors
    /// [`Code::NotFound`] for anybody but participants, and for a message that is not of this
    /// conversation.
    pub async fn mark(
        &self,
        actor: &Actor,
        id: ConversationId,
        kind: ReceiptKind,
        up_to: Option<MessageId>,
    ) -> Result<Option<Marked>, Error> {
        let (conversation, _) = self.own(actor, id, Action::MarkMessages).await?;
        let asked = up_to.map(|message| message.to_string());
        let up_to = match up_to {
            Some(message) => self.seq_of(id, message).await?,
            None => conversation.last_seq,
        };
        // What was asked for, not what it comes to now: asked again after another message it is
        // still the same request.
        let parts = RequestParts::default().text(asked.as_deref());
        self.mark_in(actor, &conversation, kind, up_to, parts).await
    }

    /// Marks a conversation up to a place, or up to the newest message if that is beyond it;
    /// `None` when nothing is new.
    ///
    /// # Errors
    /// [`Code::NotFound`] for anybody but participants.
    pub async fn mark_place(
        &self,
        actor: &Actor,
        id: ConversationId,
        kind: ReceiptKind,
        up_to: u64,
    ) -> Result<Option<Marked>, Error> {
        let (conversation, _) = self.own(actor, id, Action::MarkMessages).await?;
        let parts = RequestParts::default().text(Some(&up_to.to_string()));
        self.mark_in(actor, &conversation, kind, up_to, parts).await
    }

    /// Marks everything that somebody has sent the actor; `None` when nothing is new, or when the
    /// two have no conversation.
    ///
    /// # Errors
    /// [`Code::NotFound`] for an unknown user.
    pub async fn mark_from(
        &self,
        actor: &Actor,
        sender: UserId,
        kind: ReceiptKind,
    ) -> Result<Option<Marked>, Error> {
        require(actor, Action::MarkMessages, Relation::Own, || {
            Error::new(Code::Forbidden)
        })?;
        let storage = self.inner().storage();
        if storage.user_by_id(sender).await?.is_none() {
            return Err(Error::not_found(What::User, sender.get()));
        }
        let pair = [user_of(actor)?, sender];
        match storage.conversation_of_pair(pair).await? {
            Some(found) => self.mark(actor, found.id, kind, None).await,
            None => Ok(None),
        }
    }

    /// Marks one message, and with it those before it; the times that stand already stay.
    ///
    /// # Errors
    /// [`Code::NotFound`] for anybody but participants; [`Code::Forbidden`] for its sender.
    pub async fn mark_message(
        &self,
        actor: &Actor,
        id: MessageId,
        kind: ReceiptKind,
    ) -> Result<Message, Error> {
        let hidden = || Error::not_found(What::Message, id.to_string().as_str());
        let found = self.inner().storage().messages_by_ids(&[id]).await?.pop();
        let conversation = found.as_ref().map(|message| message.conversation);
        let Some(conversation) = conversation else {
            require(actor, Action::MarkMessages, Relation::None, hidden)?;
            return Err(hidden());
        };
        let (conversation, place) = self
            .own(actor, conversation, Action::MarkMessages)
            .await
            .map_err(|error| match error.code {
                Code::NotFound => hidden(),
                _ => error,
            })?;
        let message = found.ok_or_else(hidden)?;
        if message.sender == place.user {
            return Err(
                Error::new(Code::Forbidden).message("Only the recipient can mark a message")
            );
        }
        let parts = RequestParts::default().text(Some(&id.to_string()));
        self.mark_in(actor, &conversation, kind, message.seq, parts)
            .await?;
        let marked = self.inner().storage().messages_by_ids(&[id]).await?.pop();
        self.open_one(marked.ok_or_else(hidden)?).await
    }

    /// Marks a conversation that the actor takes part in; `asked` is what was asked for beside it.
    pub(super) async fn mark_in(
        &self,
        actor: &Actor,
        conversation: &Conversation,
        kind: ReceiptKind,
        up_to: u64,
        asked: RequestParts,
    ) -> Result<Option<Marked>, Error> {
        let inner = self.inner();
        let user = user_of(actor)?;
        let parts = asked
            .text(Some(&conversation.id.to_string()))
            .text(Some(kind.as_str()));
        let keyed = self.command(actor, Action::MarkMessages, parts);
        if keyed.replay(inner).await?.is_some() {
            return Ok(None);
        }
        let up_to = up_to.min(conversation.last_seq);
        let stands_there = conversation
            .participant(user)
            .is_some_and(|place| place.up_to(kind) >= up_to);
        if stands_there {
            return Ok(None);
        }
        let subject = Subject::uuid(Resource::Conversation, conversation.id.get());
        let mut write = inner.write(actor, self.engine.now(), Action::MarkMessages, subject);
        write
            .audit
            .data
            .insert("receipt".into(), kind.as_str().into());
        let event = match kind {
            ReceiptKind::Delivered => EventKind::MessagesDelivered,
            ReceiptKind::Read => EventKind::MessagesRead,
        };
        inner.announce(
            &mut write,
            event,
            &conversation.users(),
            crate::engine::data([("user_id", user.get().into())]),
        );
        write.idempotency = keyed.claim();
        let command = MarkMessages {
            write,
            conversation: conversation.id,
            user,
            kind,
            up_to,
        };
        match settle(inner.storage().mark_messages(&command).await?)? {
            Settled::Now(MarkMessagesOutcome::Marked {
                after,
                up_to,
                count,
            }) => Ok(Some(Marked {
                after,
                up_to,
                count,
            })),
            Settled::Now(MarkMessagesOutcome::Unchanged) | Settled::Before(_) => Ok(None),
            Settled::Now(MarkMessagesOutcome::NotFound) => Err(missing(conversation.id)),
        }
    }

    /// The messages that an event of a mark is about, newest first, at most 500 of them: what its
    /// audience is told.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn marked_messages(&self, event: &Event) -> Result<Vec<MessageId>, Error> {
        let place = |name: &str| event.data.get(name).and_then(serde_json::Value::as_u64);
        let reader = event
            .data
            .get("user_id")
            .and_then(serde_json::Value::as_i64);
        let id = event.subject.as_uuid().map(ConversationId::new);
        let (Some(id), Some(after), Some(up_to), Some(reader)) =
            (id, place("after"), place("up_to"), reader)
        else {
            return Ok(Vec::new());
        };
        // The reader's own messages lie in between; twice as many places hold enough of others in
        // a conversation of two who take turns.
        let first = (after + 1).max(up_to.saturating_sub(2 * MOST_TOLD));
        let window = self
            .inner()
            .storage()
            .message_window(id, first, up_to)
            .await?;
        let of_others = window.iter().rev().filter(|one| one.sender.get() != reader);
        Ok(of_others
            .take(usize::try_from(MOST_TOLD).unwrap_or(usize::MAX))
            .map(|one| one.id)
            .collect())
    }
}
