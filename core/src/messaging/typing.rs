//! Tells the others that somebody writes.

use crate::actor::Actor;
use crate::engine::data;
use crate::error::Error;
use crate::id::{ConversationId, EventId};
use crate::journal::{Audience, Frame, FrameKind};
use crate::messaging::{Messaging, Participant};
use crate::policy::Action;

/// Somebody who may show in a conversation that he writes: looked up once for what his client
/// says of it in a short time.
pub struct Typist {
    conversation: ConversationId,
    place: Participant,
    others: Vec<Audience>,
}

impl Typist {
    /// The conversation.
    #[must_use]
    pub fn conversation(&self) -> ConversationId {
        self.conversation
    }
}

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
        let typist = self.typist(actor, id).await?;
        self.show_typing(&typist, is_typing);
        Ok(())
    }

    /// The actor as somebody who may show that he writes. Who keeps what is returned looks again
    /// whenever he looks at the actor's credential.
    ///
    /// # Errors
    /// As [`Messaging::set_typing`].
    pub async fn typist(&self, actor: &Actor, id: ConversationId) -> Result<Typist, Error> {
        let (conversation, place) = self.own(actor, id, Action::ShowTyping).await?;
        let others = conversation.others(place.user);
        Ok(Typist {
            conversation: id,
            others: others.map(|one| Audience::User(one.user)).collect(),
            place,
        })
    }

    /// As [`Messaging::set_typing`], for somebody who may.
    pub fn show_typing(&self, typist: &Typist, is_typing: bool) {
        let inner = self.inner();
        let now = self.engine.now();
        inner.parts.bus.pass(Frame {
            id: EventId::new(inner.uuid(now)),
            kind: FrameKind::Typing,
            audience: typist.others.clone(),
            data: data([
                ("conversation_id", typist.conversation.to_string().into()),
                ("user_id", typist.place.user.get().into()),
                ("user_name", typist.place.name.as_str().into()),
                ("is_typing", is_typing.into()),
            ]),
            signal: None,
        });
    }
}
