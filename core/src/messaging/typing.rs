//! Tells the others that somebody writes.

use crate::actor::Actor;
use crate::engine::data;
use crate::error::Error;
use crate::id::{ConversationId, EventId};
use crate::journal::{Audience, Frame, FrameKind};
use crate::messaging::Messaging;
use crate::policy::Action;

impl Messaging<'_> {
    /// Tells the other participants who listen that the actor writes, or has stopped. It is kept
    /// nowhere.
    ///
    /// # Errors
    /// [`crate::Code::NotFound`] for anybody but participants.
    pub async fn set_typing(
        &self,
        actor: &Actor,
        id: ConversationId,
        is_typing: bool,
    ) -> Result<(), Error> {
        let (conversation, place) = self.own(actor, id, Action::ShowTyping).await?;
        let inner = self.inner();
        let now = self.engine.now();
        inner.parts.bus.pass(Frame {
            id: EventId::new(inner.uuid(now)),
            kind: FrameKind::Typing,
            audience: conversation
                .others(place.user)
                .map(|one| Audience::User(one.user))
                .collect(),
            data: data([
                ("conversation_id", id.to_string().into()),
                ("user_id", place.user.get().into()),
                ("user_name", place.name.as_str().into()),
                ("is_typing", is_typing.into()),
            ]),
        });
        Ok(())
    }
}
