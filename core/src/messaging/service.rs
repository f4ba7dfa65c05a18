//! What the operations of messaging share.

use crate::actor::Actor;
use crate::error::{Code, Error, What};
use crate::id::{ConversationId, UserId};
use crate::messaging::message::BODY;
use crate::messaging::{Conversation, Message, Messaging, Participant, StoredMessage};
use crate::policy::{Action, Relation, require};

impl Messaging<'_> {
    /// A conversation that the actor takes part in, and his place in it. To anybody else it is
    /// not there.
    pub(super) async fn own(
        &self,
        actor: &Actor,
        id: ConversationId,
        action: Action,
    ) -> Result<(Conversation, Participant), Error> {
        let hidden = || missing(id);
        // Whether there is one does not show to somebody who may not do this at all.
        require(actor, action, Relation::Own, hidden)?;
        let found = self.inner().storage().conversation_by_id(id).await?;
        let place = found.as_ref().and_then(|conversation| {
            let user = actor.user_id()?;
            conversation.participant(user).cloned()
        });
        require(actor, action, Relation::own(place.is_some()), hidden)?;
        found.zip(place).ok_or_else(hidden)
    }

    /// Messages with their texts opened: one look-up of keys for all.
    pub(super) async fn open_all(&self, stored: Vec<StoredMessage>) -> Result<Vec<Message>, Error> {
        let inner = self.inner();
        let sealed = stored.iter().map(|message| &message.body);
        let keys = inner.vault.keys_of(inner.storage(), sealed, &[]).await?;
        stored
            .into_iter()
            .map(|message| {
                let body = keys.text(Some(&message.body), BODY, message.id.get().into())?;
                Ok(Message {
                    body: body.unwrap_or_default(),
                    id: message.id,
                    conversation: message.conversation,
                    seq: message.seq,
                    sender: message.sender,
                    sender_name: message.sender_name,
                    recipient: message.recipient,
                    kind: message.kind,
                    appointment: message.appointment,
                    service: message.service,
                    call: message.call,
                    client_id: message.client_id,
                    created_at: message.created_at,
                    delivered_at: message.delivered_at,
                    read_at: message.read_at,
                })
            })
            .collect()
    }

    /// A message with its text opened.
    pub(super) async fn open_one(&self, stored: StoredMessage) -> Result<Message, Error> {
        let mut opened = self.open_all(vec![stored]).await?;
        opened.pop().ok_or_else(|| Error::new(Code::Internal))
    }
}

/// The user who acts.
pub(super) fn user_of(actor: &Actor) -> Result<UserId, Error> {
    actor
        .user_id()
        .ok_or_else(|| Error::new(Code::Unauthenticated))
}

/// A conversation that is not there, or not for this actor.
pub(super) fn missing(id: ConversationId) -> Error {
    Error::not_found(What::Conversation, id.to_string().as_str())
}
