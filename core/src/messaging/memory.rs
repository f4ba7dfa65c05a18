//! The in-memory store of messaging.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;

use super::{
    AppendMessage, AppendMessageOutcome, ArchiveOutcome, Conversation, ConversationKind,
    ConversationRow, MarkMessages, MarkMessagesOutcome, MessagingStore, NewConversation,
    OpenConversationOutcome, Participant, Receipt, ReceiptKind, SearchNeedle, SearchToken,
    StoredMessage, first_covering,
};
use crate::crypto::{Fingerprint, WrappedDataKey};
use crate::id::{ConversationId, DataKeyId, MessageId, UserId};
use crate::journal::Write;
use crate::memory::{Decided, MemoryStorage, State, keyed, page_of};
use crate::page::{Page, PageRequest};
use crate::store::{StoreResult, Written};
use crate::time::Timestamp;

/// What messaging keeps.
#[derive(Default)]
pub(crate) struct MessagingState {
    conversations: BTreeMap<ConversationId, Row>,
    /// By the lower and the higher user.
    pairs: BTreeMap<[UserId; 2], ConversationId>,
    /// Where a message is.
    places: BTreeMap<MessageId, (ConversationId, u64)>,
}

struct Row {
    key: DataKeyId,
    created_at: Timestamp,
    /// By user.
    places: BTreeMap<UserId, Place>,
    /// In order: the first has the place 1.
    messages: Vec<MessageRow>,
    receipts: Vec<Receipt>,
}

#[derive(Clone, Copy, Default)]
struct Place {
    delivered_up_to: u64,
    read_up_to: u64,
    unread: u64,
    is_archived: bool,
}

struct MessageRow {
    message: StoredMessage,
    tokens: BTreeSet<SearchToken>,
    fingerprint: Option<Fingerprint>,
}

impl Row {
    fn last_seq(&self) -> u64 {
        self.messages.len() as u64
    }

    /// When something happened in it last.
    fn active_at(&self) -> Timestamp {
        self.messages
            .last()
            .map_or(self.created_at, |row| row.message.created_at)
    }

    /// How many messages of others lie after one place and up to another.
    fn of_others(&self, user: UserId, after: u64, up_to: u64) -> u64 {
        let within = |row: &&MessageRow| {
            let seq = row.message.seq;
            seq > after && seq <= up_to && row.message.sender != user
        };
        self.messages.iter().filter(within).count() as u64
    }

    /// A message with its dates.
    fn dated(&self, message: &StoredMessage) -> StoredMessage {
        let first = |kind| {
            let recipient = message.recipient?;
            first_covering(&self.receipts, recipient, kind, message.seq)
        };
        StoredMessage {
            delivered_at: first(ReceiptKind::Delivered),
            read_at: first(ReceiptKind::Read),
            ..message.clone()
        }
    }
}

impl MessagingState {
    /// Whether two have a conversation.
    pub(crate) fn have_conversation(&self, pair: [UserId; 2]) -> bool {
        self.pairs.contains_key(&sorted(pair))
    }
}

impl State {
    fn conversation(&self, id: ConversationId) -> Option<Conversation> {
        let row = self.messaging.conversations.get(&id)?;
        let participant = |(user, place): (&UserId, &Place)| {
            let account = self.identity.user(*user)?;
            Some(Participant {
                user: *user,
                name: account.full_name.clone(),
                role: account.role,
                specialty: self.directory.specialty_of(*user),
                delivered_up_to: place.delivered_up_to,
                read_up_to: place.read_up_to,
                unread: place.unread,
                is_archived: place.is_archived,
            })
        };
        Some(Conversation {
            id,
            kind: ConversationKind::Direct,
            key: row.key,
            created_at: row.created_at,
            last_seq: row.last_seq(),
            last_message_at: row.messages.last().map(|row| row.message.created_at),
            participants: row.places.iter().filter_map(participant).collect(),
        })
    }

    /// A user's conversations, the most recently active first.
    fn conversations_of(&self, user: UserId) -> Vec<(ConversationId, &Row)> {
        let mut own: Vec<_> = self
            .messaging
            .conversations
            .iter()
            .filter(|(_, row)| row.places.contains_key(&user))
            .map(|(id, row)| (*id, row))
            .collect();
        own.sort_by_key(|(id, row)| Reverse((row.active_at(), *id)));
        own
    }

    /// The message at a place, with its sender's name and its dates.
    fn message(&self, conversation: ConversationId, seq: u64) -> Option<StoredMessage> {
        let row = self.messaging.conversations.get(&conversation)?;
        let at = usize::try_from(seq.checked_sub(1)?).ok()?;
        let message = row.dated(&row.messages.get(at)?.message);
        let sender = self.identity.user(message.sender)?;
        Some(StoredMessage {
            sender_name: sender.full_name.clone(),
            ..message
        })
    }

    fn message_by_id(&self, id: MessageId) -> Option<StoredMessage> {
        let (conversation, seq) = self.messaging.places.get(&id)?;
        self.message(*conversation, *seq)
    }
}

fn sorted(mut pair: [UserId; 2]) -> [UserId; 2] {
    pair.sort();
    pair
}

fn open(
    state: &mut State,
    at: Timestamp,
    new: &NewConversation,
) -> Decided<OpenConversationOutcome> {
    let pair = sorted(new.pair);
    let existing = state.messaging.pairs.get(&pair).copied();
    if let Some(found) = existing.and_then(|id| state.conversation(id)) {
        return Decided::Refused(OpenConversationOutcome::Existing(found));
    }
    state.messaging.pairs.insert(pair, new.id);
    state.identity.keep_data_key(new.key.clone());
    let row = Row {
        key: new.key.id,
        created_at: at,
        places: pair
            .into_iter()
            .map(|user| (user, Place::default()))
            .collect(),
        messages: Vec::new(),
        receipts: Vec::new(),
    };
    state.messaging.conversations.insert(new.id, row);
    let opened = Conversation {
        id: new.id,
        kind: ConversationKind::Direct,
        key: new.key.id,
        created_at: at,
        last_seq: 0,
        last_message_at: None,
        participants: Vec::new(),
    };
    Decided::Changed(OpenConversationOutcome::Opened(
        state.conversation(new.id).unwrap_or(opened),
    ))
}

fn append(state: &mut State, at: Timestamp, new: &AppendMessage) -> Decided<AppendMessageOutcome> {
    let sender_name = state
        .identity
        .user(new.sender)
        .map(|user| user.full_name.clone());
    let row = state.messaging.conversations.get_mut(&new.conversation);
    let row = row.filter(|row| row.places.contains_key(&new.sender));
    let (Some(row), Some(sender_name)) = (row, sender_name) else {
        return Decided::Refused(AppendMessageOutcome::NotFound);
    };
    if let Some(client) = &new.client {
        let before = row.messages.iter().find(|row| {
            row.message.sender == new.sender && row.message.client_id.as_ref() == Some(&client.id)
        });
        if let Some(before) = before {
            if before.fingerprint != Some(client.fingerprint) {
                return Decided::Refused(AppendMessageOutcome::ClientIdReused);
            }
            let seq = before.message.seq;
            return match state.message(new.conversation, seq) {
                Some(message) => Decided::Refused(AppendMessageOutcome::Repeated(message)),
                None => Decided::Refused(AppendMessageOutcome::NotFound),
            };
        }
    }
    let message = StoredMessage {
        id: new.id,
        conversation: new.conversation,
        seq: row.last_seq() + 1,
        sender: new.sender,
        sender_name,
        recipient: row.places.keys().copied().find(|user| *user != new.sender),
        kind: new.kind,
        body: new.body.clone(),
        appointment: new.appointment,
        service: new.service.clone(),
        call: new.call,
        client_id: new.client.as_ref().map(|client| client.id.clone()),
        created_at: at,
        delivered_at: None,
        read_at: None,
    };
    row.messages.push(MessageRow {
        message: message.clone(),
        tokens: new.tokens.iter().copied().collect(),
        fingerprint: new.client.as_ref().map(|client| client.fingerprint),
    });
    for (user, place) in &mut row.places {
        place.is_archived = false;
        if *user != new.sender {
            place.unread += 1;
        }
    }
    let place = (new.conversation, message.seq);
    state.messaging.places.insert(new.id, place);
    Decided::Changed(AppendMessageOutcome::Appended(message))
}

fn mark(state: &mut State, mark: &MarkMessages) -> Decided<MarkMessagesOutcome> {
    let row = state.messaging.conversations.get_mut(&mark.conversation);
    let Some(row) = row.filter(|row| row.places.contains_key(&mark.user)) else {
        return Decided::Refused(MarkMessagesOutcome::NotFound);
    };
    let up_to = mark.up_to.min(row.last_seq());
    let place = row.places.get(&mark.user).copied().unwrap_or_default();
    let after = match mark.kind {
        ReceiptKind::Delivered => place.delivered_up_to,
        ReceiptKind::Read => place.read_up_to,
    };
    let count = row.of_others(mark.user, after, up_to);
    if count == 0 {
        return Decided::Refused(MarkMessagesOutcome::Unchanged);
    }
    let unread = row.of_others(mark.user, up_to, row.last_seq());
    let receipt = |kind| Receipt {
        user: mark.user,
        kind,
        up_to,
        at: mark.write.at,
    };
    row.receipts.push(receipt(mark.kind));
    if mark.kind == ReceiptKind::Read && place.delivered_up_to < up_to {
        row.receipts.push(receipt(ReceiptKind::Delivered));
    }
    if let Some(place) = row.places.get_mut(&mark.user) {
        place.delivered_up_to = place.delivered_up_to.max(up_to);
        if mark.kind == ReceiptKind::Read {
            place.read_up_to = up_to;
            place.unread = unread;
        }
    }
    Decided::Changed(MarkMessagesOutcome::Marked {
        after,
        up_to,
        count,
    })
}

fn archive(
    state: &mut State,
    id: ConversationId,
    user: UserId,
    archived: bool,
) -> Decided<ArchiveOutcome> {
    let row = state.messaging.conversations.get_mut(&id);
    let Some(place) = row.and_then(|row| row.places.get_mut(&user)) else {
        return Decided::Refused(ArchiveOutcome::NotFound);
    };
    let was = std::mem::replace(&mut place.is_archived, archived);
    let Some(conversation) = state.conversation(id) else {
        return Decided::Refused(ArchiveOutcome::NotFound);
    };
    if was == archived {
        Decided::Refused(ArchiveOutcome::Unchanged(conversation))
    } else {
        Decided::Changed(ArchiveOutcome::Changed(conversation))
    }
}

#[async_trait]
impl MessagingStore for MemoryStorage {
    async fn open_conversation(
        &self,
        write: &Write,
        conversation: &NewConversation,
    ) -> StoreResult<Written<OpenConversationOutcome>> {
        Ok(self.keyed(write, |state| open(state, write.at, conversation)))
    }

    async fn conversation_by_id(
        &self,
        conversation: ConversationId,
    ) -> StoreResult<Option<Conversation>> {
        Ok(self.read(|state| state.conversation(conversation)))
    }

    async fn conversation_of_pair(&self, pair: [UserId; 2]) -> StoreResult<Option<Conversation>> {
        Ok(self.read(|state| {
            let id = state.messaging.pairs.get(&sorted(pair))?;
            state.conversation(*id)
        }))
    }

    async fn conversation_page(
        &self,
        user: UserId,
        with_archived: bool,
        page: PageRequest,
    ) -> StoreResult<Page<ConversationRow>> {
        Ok(self.read(|state| {
            let shown = |row: &Row| {
                let place = row.places.get(&user);
                with_archived || place.is_some_and(|place| !place.is_archived)
            };
            let own = state.conversations_of(user).into_iter();
            let rows = own.filter(|(_, row)| shown(row)).filter_map(|(id, row)| {
                Some(ConversationRow {
                    conversation: state.conversation(id)?,
                    last_message: state.message(id, row.last_seq()),
                })
            });
            page_of(rows, page)
        }))
    }

    async fn conversation_keys(
        &self,
        user: UserId,
        limit: u32,
    ) -> StoreResult<Vec<(ConversationId, WrappedDataKey)>> {
        Ok(self.read(|state| {
            let own = state.conversations_of(user).into_iter();
            own.take(limit as usize)
                .filter_map(|(id, row)| Some((id, state.identity.data_key(row.key)?.clone())))
                .collect()
        }))
    }

    async fn append_message(
        &self,
        write: &Write,
        message: &AppendMessage,
    ) -> StoreResult<Written<AppendMessageOutcome>> {
        Ok(self.keyed(write, |state| append(state, write.at, message)))
    }

    async fn messages_by_ids(&self, ids: &[MessageId]) -> StoreResult<Vec<StoredMessage>> {
        let ids: BTreeSet<_> = ids.iter().copied().collect();
        Ok(self.read(|state| {
            let found = ids.iter().filter_map(|id| state.message_by_id(*id));
            found.collect()
        }))
    }

    async fn message_window(
        &self,
        conversation: ConversationId,
        from: u64,
        to: u64,
    ) -> StoreResult<Vec<StoredMessage>> {
        Ok(self.read(|state| {
            let row = state.messaging.conversations.get(&conversation);
            let last = row.map_or(0, Row::last_seq);
            let places = from..=to.min(last);
            places
                .filter_map(|seq| state.message(conversation, seq))
                .collect()
        }))
    }

    async fn mark_messages(
        &self,
        command: &MarkMessages,
    ) -> StoreResult<Written<MarkMessagesOutcome>> {
        Ok(self.transaction(|state, events| {
            // The write follows from where the participant stood, which the mark changes.
            let before = state
                .conversation(command.conversation)
                .map(|conversation| {
                    let place = conversation.participant(command.user);
                    let after = place.map_or(0, |place| place.up_to(command.kind));
                    (after, command.up_to.min(conversation.last_seq))
                });
            let (after, up_to) = before.unwrap_or_default();
            let write = command.write_for(after, up_to);
            keyed(state, events, &write, |state| mark(state, command))
        }))
    }

    async fn archive_conversation(
        &self,
        write: &Write,
        conversation: ConversationId,
        user: UserId,
        archived: bool,
    ) -> StoreResult<Written<ArchiveOutcome>> {
        Ok(self.keyed(write, |state| archive(state, conversation, user, archived)))
    }

    async fn search_messages(
        &self,
        needles: &[SearchNeedle],
        before: Option<MessageId>,
        limit: u32,
    ) -> StoreResult<Vec<StoredMessage>> {
        Ok(self.read(|state| {
            let mut found = BTreeSet::new();
            for needle in needles {
                let Some(row) = state.messaging.conversations.get(&needle.conversation) else {
                    continue;
                };
                let candidates = row.messages.iter().filter(|row| {
                    let is_before = before.is_none_or(|before| row.message.id < before);
                    is_before && needle.tokens.iter().all(|token| row.tokens.contains(token))
                });
                found.extend(candidates.map(|row| row.message.id));
            }
            found
                .into_iter()
                .rev()
                .take(limit as usize)
                .filter_map(|id| state.message_by_id(id))
                .collect()
        }))
    }
}
