//! Sends a message.

use crate::actor::Actor;
use crate::calls::CallReference;
use crate::crypto::Sealed;
use crate::engine::{Inner, RequestParts, Settled, data, settle};
use crate::error::{Code, Error, What};
use crate::id::{AppointmentId, CallId, ConversationId, MessageId, UserId};
use crate::journal::{EventKind, Resource, Subject, SubjectId};
use crate::messaging::message::BODY;
use crate::messaging::search_words::Tokens;
use crate::messaging::service::{missing, user_of};
use crate::messaging::{
    AppendMessage, AppendMessageOutcome, ClientMessage, ClientMessageId, Conversation, Message,
    MessageBody, MessageKind, Messaging, ServiceLabel,
};
use crate::policy::Action;

/// A message to be sent.
#[derive(Clone, Debug)]
pub struct SendMessage {
    /// The conversation.
    pub conversation: ConversationId,
    /// What it is.
    pub kind: MessageKind,
    /// The text.
    pub body: MessageBody,
    /// What it is about.
    pub context: MessageContext,
    /// The id that the client gave it: under it, it is sent once, for ever.
    pub client_id: Option<ClientMessageId>,
}

/// What a message is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageContext {
    /// An appointment of one of the participants.
    pub appointment: Option<AppointmentId>,
    /// A service.
    pub service: Option<ServiceLabel>,
    /// The call in which it is sent: one of the participants'.
    pub call: Option<CallReference>,
}

impl Messaging<'_> {
    /// Adds a message to the end of a conversation and tells every participant, the sender's
    /// other devices too. Sent again under the same client's id it is answered as it was stored.
    ///
    /// # Errors
    /// [`Code::NotFound`] for anybody but participants; [`Code::BrokenRule`]: `message_type` for a
    /// kind that is the system's own or needs a file, `appointment_id` for an appointment of
    /// neither, `call_id` for a call that is not the participants';
    /// [`Code::IdempotencyMismatch`] for another content under the same client's id.
    pub async fn send(&self, actor: &Actor, request: SendMessage) -> Result<Message, Error> {
        let inner = self.inner();
        let id = request.conversation;
        let (conversation, _) = self.own(actor, id, Action::SendMessage).await?;
        let user = user_of(actor)?;
        let keyed = self.command(actor, Action::SendMessage, request.parts());
        if let Some(subject) = keyed.replay(inner).await? {
            return self.sent_before(subject).await;
        }
        if request.kind == MessageKind::System {
            return Err(Error::broken_rule("message_type", "is the system's own"));
        }
        if request.kind.needs_attachment() {
            return Err(Error::broken_rule("message_type", "needs an attachment"));
        }
        if let Some(appointment) = request.context.appointment {
            self.require_appointment(&conversation, appointment).await?;
        }
        let call = match &request.context.call {
            Some(call) => Some(self.call_of(&conversation, user, call).await?),
            None => None,
        };
        let key = inner.vault.key(inner.storage(), conversation.key).await?;
        let now = self.engine.now();
        let message = MessageId::new(inner.uuid(now));
        let text = request.body.as_str();
        let body = Sealed::seal(
            &key,
            BODY,
            message.get().into(),
            text.as_bytes(),
            inner.entropy(),
        )?;
        let subject = Subject::uuid(Resource::Message, message.get());
        let mut write = inner.write(actor, now, Action::SendMessage, subject);
        let ids = data([("conversation_id", id.to_string().into())]);
        write.audit.data.clone_from(&ids);
        inner.announce(
            &mut write,
            EventKind::MessageSent,
            &conversation.users(),
            ids,
        );
        write.idempotency = keyed.claim();
        let client = request.client_id.clone().map(|id| ClientMessage {
            fingerprint: request.fingerprint(inner),
            id,
        });
        let command = AppendMessage {
            id: message,
            conversation: id,
            sender: user,
            kind: request.kind,
            body,
            tokens: Tokens::under(&key).of_text(text),
            appointment: request.context.appointment,
            service: request.context.service,
            call,
            client,
        };
        match settle(inner.storage().append_message(&write, &command).await?)? {
            Settled::Now(
                AppendMessageOutcome::Appended(stored) | AppendMessageOutcome::Repeated(stored),
            ) => self.open_one(stored).await,
            Settled::Now(AppendMessageOutcome::ClientIdReused) => {
                Err(Error::new(Code::IdempotencyMismatch))
            }
            Settled::Now(AppendMessageOutcome::NotFound) => Err(missing(id)),
            Settled::Before(subject) => self.sent_before(subject).await,
        }
    }

    async fn sent_before(&self, subject: Subject) -> Result<Message, Error> {
        let SubjectId::Uuid(id) = subject.id else {
            return Err(Error::new(Code::Internal).message("a key names no message"));
        };
        let stored = self
            .inner()
            .storage()
            .messages_by_ids(&[MessageId::new(id)])
            .await?
            .pop()
            .ok_or_else(|| Error::not_found(What::Message, id.to_string().as_str()))?;
        self.open_one(stored).await
    }

    async fn require_appointment(
        &self,
        conversation: &Conversation,
        id: AppointmentId,
    ) -> Result<(), Error> {
        let found = self.inner().storage().appointment_by_id(id).await?;
        let concerns = found.is_some_and(|appointment| {
            [appointment.patient, appointment.facts.doctor]
                .iter()
                .any(|user| conversation.participant(*user).is_some())
        });
        if concerns {
            Ok(())
        } else {
            // The same for one that is not there: whose appointments there are does not show.
            Err(Error::broken_rule(
                "appointment_id",
                "must be an appointment of one of the participants",
            ))
        }
    }

    /// The call of a message: both parties take part in the conversation.
    async fn call_of(
        &self,
        conversation: &Conversation,
        sender: UserId,
        reference: &CallReference,
    ) -> Result<CallId, Error> {
        let found = self.engine.calls().find(reference, sender).await?;
        let theirs = found.filter(|call| {
            let mut parties = call.users().into_iter();
            parties.all(|user| conversation.participant(user).is_some())
        });
        // The same for one that is not there: who calls whom does not show.
        theirs
            .map(|call| call.id)
            .ok_or_else(|| Error::broken_rule("call_id", "must be a call of the participants"))
    }
}

impl SendMessage {
    fn parts(&self) -> RequestParts {
        // A call's id is the same however it is written.
        let call = self.context.call.as_ref().map(|call| match call.id() {
            Some(id) => id.to_string(),
            None => call.as_str().to_owned(),
        });
        let appointment = self.context.appointment.map_or(0, AppointmentId::get);
        RequestParts::default()
            .text(Some(&self.conversation.to_string()))
            .text(Some(self.kind.as_str()))
            .text(Some(self.body.as_str()))
            .number(appointment)
            .text(self.context.service.as_ref().map(ServiceLabel::as_str))
            .text(call.as_deref())
            .text(self.client_id.as_ref().map(ClientMessageId::as_str))
    }

    /// What stands behind a client's id.
    fn fingerprint(&self, inner: &Inner) -> crate::crypto::Fingerprint {
        self.parts().fingerprint(inner, "client_message")
    }
}
