//! The operations of messaging, and what they have done.

use telemed_core::Error;
use telemed_core::actor::Actor;
use telemed_core::id::{ConversationId, MessageId};
use telemed_core::journal::{IdempotencyKey, Resource, Subject};
use telemed_core::messaging::{
    ClientMessageId, MessageBody, MessageContext, MessageKind, MessageRange, OpenConversation,
    PageFrom, ReceiptKind, SendMessage, ServiceLabel,
};
use telemed_core::page::PageRequest;
use telemed_tests::dump::Dump;

use super::operation::Operation;
use super::scene::Scene;

/// A message to be sent, under a client's id or under none.
pub fn text(conversation: ConversationId, body: &str, client_id: Option<&str>) -> SendMessage {
    SendMessage {
        conversation,
        kind: MessageKind::Text,
        body: MessageBody::new(body, 100).unwrap(),
        context: MessageContext {
            service: ServiceLabel::new("cardiology").ok(),
            ..MessageContext::default()
        },
        client_id: client_id.map(|id| ClientMessageId::new(id).unwrap()),
    }
}

/// Opens the conversation of the patient and the doctor and sends what the patient has to say;
/// returns it with the patient's first message.
pub async fn begin(
    engine: &telemed_core::Engine,
    patient: &Actor,
    doctor: &Actor,
) -> (ConversationId, MessageId) {
    let messaging = engine.messaging();
    let request = OpenConversation {
        with: Scene::id(doctor),
        with_administrators: false,
    };
    let opened = messaging.open_conversation(patient, request).await;
    let id = opened.unwrap().id;
    let first = messaging.send(patient, text(id, "severe headache", None));
    let first = first.await.unwrap().id;
    for (sender, body) in [(doctor, "since when?"), (patient, "since Monday")] {
        messaging.send(sender, text(id, body, None)).await.unwrap();
    }
    (id, first)
}

impl Operation {
    pub async fn messaging(self, scene: &Scene, key: &str) -> Result<(), Error> {
        let messaging = scene.engine.messaging();
        let keyed = scene
            .engine
            .messaging()
            .keyed(IdempotencyKey::new(key).ok());
        let (doctor, patient, id) = (&scene.doctor, &scene.patient, scene.conversation);
        match self {
            Self::OpenConversation => {
                let request = OpenConversation {
                    with: Scene::id(patient),
                    with_administrators: true,
                };
                let opened = keyed.open_conversation(&scene.admin, request).await?;
                assert_eq!(opened.participants.len(), 2);
            }
            Self::OpenConversationAgain => {
                let request = OpenConversation {
                    with: Scene::id(patient),
                    with_administrators: false,
                };
                let found = keyed.open_conversation(doctor, request).await?;
                assert_eq!(found.id, id);
            }
            Self::SendMessage => {
                let mut request = text(id, "and fever", None);
                request.context.appointment = Some(scene.pending);
                let sent = keyed.send(patient, request).await?;
                assert_eq!((sent.seq, sent.body.as_str()), (4, "and fever"));
            }
            // Without a key, the client's id is what it is known by.
            Self::SendNamedMessage => {
                let sent = messaging.send(patient, text(id, "and fever", Some("m-1")));
                assert_eq!(sent.await?.seq, 4);
            }
            Self::ReadMessages => {
                let range = MessageRange {
                    from: PageFrom::Newest(1),
                    limit: 50,
                };
                let page = keyed.read_messages(doctor, id, range, ReceiptKind::Read);
                let page = page.await?;
                assert!(page.messages[0].read_at.is_some());
            }
            Self::MarkMessages => {
                keyed.mark(doctor, id, ReceiptKind::Delivered, None).await?;
            }
            Self::MarkPlace => {
                keyed.mark_place(doctor, id, ReceiptKind::Read, 2).await?;
            }
            Self::MarkSender => {
                let sender = Scene::id(patient);
                keyed.mark_from(doctor, sender, ReceiptKind::Read).await?;
            }
            Self::MarkMessage => {
                let marked = keyed.mark_message(doctor, scene.message, ReceiptKind::Read);
                assert!(marked.await?.read_at.is_some());
            }
            Self::ArchiveConversation => {
                keyed.archive(doctor, id, true).await?;
            }
            Self::SetTyping => messaging.set_typing(doctor, id, true).await?,
            Self::SearchMessages => {
                let found = messaging.search(doctor, "HEADACHES headac", None).await?;
                assert!(found.is_empty());
                for within in [None, Some(id)] {
                    let found = messaging.search(doctor, "Severe head", within).await?;
                    assert_eq!(found[0].id, scene.message);
                }
            }
            Self::ReadEvents => {
                let now = scene.engine.events(doctor, None, 10).await?;
                assert!(now.events.is_empty());
                let all = scene.engine.events(doctor, Some(0), 500).await?;
                assert_eq!(all.next, now.next);
                let events = || all.events.iter().map(|logged| &logged.event);
                assert_eq!(messaging.messages_of_events(events()).await?.len(), 3);
                for event in events() {
                    messaging.marked_messages(event).await?;
                }
            }
            _ => {
                messaging.conversation_summary(doctor, id).await?;
                assert!(messaging.is_conversation(id).await?);
                let page = PageRequest::default();
                let listed = messaging.conversations(doctor, true, page).await?;
                assert_eq!(listed.total, 1);
                let rest = messaging.messages_to_deliver(doctor, id, 1, 10).await?;
                assert_eq!(rest.len(), 2);
            }
        }
        Ok(())
    }
}

/// What is in the conversations, without the ids that core makes.
pub fn effects(dump: &Dump) -> Vec<String> {
    let mut lines = Vec::new();
    for (conversation, _, messages) in &dump.conversations {
        for place in &conversation.participants {
            lines.push(format!("place in {:?}: {place:?}", conversation.users()));
        }
        for one in messages {
            let dates = (one.delivered_at, one.read_at);
            lines.push(format!(
                "message {} of {} {:?} {dates:?}",
                one.seq, one.sender, one.client_id
            ));
        }
    }
    lines
}

/// A subject without an id that differs from one attempt to the next.
pub fn shown(subject: Subject) -> String {
    match subject.resource {
        Resource::Conversation | Resource::Message | Resource::Call => {
            subject.resource.as_str().to_owned()
        }
        _ => format!("{subject:?}"),
    }
}
