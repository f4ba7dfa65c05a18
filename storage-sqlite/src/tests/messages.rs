//! Every operation of messaging, for the plans of their statements.

use telemed_core::id::ConversationId;
use telemed_core::messaging::{
    AppendMessage, AppendMessageOutcome, ArchiveOutcome, ClientMessage, ClientMessageId,
    MarkMessages, MarkMessagesOutcome, MessageKind, MessagingStore, NewConversation,
    OpenConversationOutcome, ReceiptKind, SearchNeedle, SearchToken, ServiceLabel,
};
use telemed_core::page::PageRequest;

use super::*;

fn about(conversation: ConversationId) -> Write {
    write(Subject::uuid(Resource::Conversation, conversation.get()))
}

async fn open_pair(store: &SqliteStore, pair: [UserId; 2]) -> NewConversation {
    let new = NewConversation {
        id: fresh(),
        pair,
        key: new_user("key", Role::Patient).data_key,
    };
    let opened = store.open_conversation(&about(new.id), &new).await.unwrap();
    let opened = Written::map(opened, |one| {
        matches!(one, OpenConversationOutcome::Opened(_))
    });
    assert_eq!(opened, Written::Applied(true));
    new
}

fn text(conversation: ConversationId, sender: UserId) -> AppendMessage {
    AppendMessage {
        id: fresh(),
        conversation,
        sender,
        kind: MessageKind::Text,
        body: Sealed::from_row(vec![7; 90]),
        tokens: vec![SearchToken(1), SearchToken(-2), SearchToken(i64::MAX)],
        appointment: None,
        service: ServiceLabel::new("x-ray").ok(),
        call: None,
        client: None,
    }
}

async fn append(store: &SqliteStore, new: &AppendMessage) -> AppendMessageOutcome {
    match store.append_message(&about(new.conversation), new).await {
        Ok(Written::Applied(outcome)) => outcome,
        other => panic!("{other:?}"),
    }
}

/// Calls every operation of messaging.
pub(super) async fn exercise(store: &SqliteStore, doctor: UserId) {
    let patient = user(store, "writer", Role::Patient).await;
    let new = open_pair(store, [patient, doctor]).await;
    let id = new.id;
    let found = store.conversation_of_pair([doctor, patient]).await.unwrap();
    assert_eq!(found, store.conversation_by_id(id).await.unwrap());
    let named = AppendMessage {
        client: Some(ClientMessage {
            id: ClientMessageId::new("m-1").unwrap(),
            fingerprint: Fingerprint([1; 32]),
        }),
        ..text(id, patient)
    };
    let sent = append(store, &named).await;
    assert!(matches!(sent, AppendMessageOutcome::Appended(_)));
    let again = append(store, &named).await;
    assert!(matches!(again, AppendMessageOutcome::Repeated(_)));
    append(store, &text(id, patient)).await;
    for (kind, up_to) in [
        (ReceiptKind::Delivered, 1),
        (ReceiptKind::Read, 1),
        (ReceiptKind::Read, 9),
    ] {
        let mark = MarkMessages {
            write: about(id),
            conversation: id,
            user: doctor,
            kind,
            up_to,
        };
        let marked = store.mark_messages(&mark).await.unwrap();
        let is_marked = |outcome| matches!(outcome, MarkMessagesOutcome::Marked { .. });
        assert_eq!(marked.map(is_marked), Written::Applied(true));
    }
    for with_archived in [true, false] {
        let page = PageRequest::default();
        let listed = store.conversation_page(doctor, with_archived, page).await;
        let row = listed.unwrap().items.remove(0);
        assert!(row.last_message.unwrap().read_at.is_some());
    }
    let keys = store.conversation_keys(doctor, 10).await.unwrap();
    assert_eq!(keys, [(id, new.key)]);
    assert_eq!(store.message_window(id, 1, 9).await.unwrap().len(), 2);
    assert_eq!(store.messages_by_ids(&[named.id]).await.unwrap().len(), 1);
    let needle = SearchNeedle {
        conversation: id,
        tokens: named.tokens.clone(),
    };
    let found = store.search_messages(&[needle], None, 10).await.unwrap();
    assert_eq!(found.len(), 2);
    let archived = store
        .archive_conversation(&about(id), id, doctor, true)
        .await;
    let is_changed = |outcome| matches!(outcome, ArchiveOutcome::Changed(_));
    assert_eq!(archived.unwrap().map(is_changed), Written::Applied(true));
}
