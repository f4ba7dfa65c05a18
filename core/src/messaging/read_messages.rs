//! Reads a page of a conversation.
//!
//! Places are dense, so a page is arithmetic: page 5,000 costs what page 1 costs.

use crate::actor::Actor;
use crate::engine::RequestParts;
use crate::error::{Error, What};
use crate::id::{ConversationId, MessageId};
use crate::messaging::{Conversation, Marked, Message, Messaging, ReceiptKind};
use crate::policy::Action;

/// Which messages of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageRange {
    /// From where.
    pub from: PageFrom,
    /// At most so many: at least 1.
    pub limit: u32,
}

/// From where messages are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageFrom {
    /// Page 1 is the newest.
    Newest(u64),
    /// Page 1 is the oldest.
    Oldest(u64),
    /// The newest before this place.
    BeforePlace(u64),
    /// The oldest after this place.
    AfterPlace(u64),
    /// The newest before this message.
    Before(MessageId),
    /// The oldest after this message.
    After(MessageId),
}

/// Messages of a conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct MessagePage {
    /// The conversation as it was before anything was marked.
    pub conversation: Conversation,
    /// The messages, ascending.
    pub messages: Vec<Message>,
    /// How many messages the conversation has.
    pub total: u64,
    /// What reading them has marked.
    pub marked: Option<Marked>,
}

impl Messaging<'_> {
    /// A page of a conversation. What is fetched is delivered; it is read as well if `mark` says
    /// so, up to the newest message of the page.
    ///
    /// # Errors
    /// [`crate::Code::NotFound`] for anybody but participants, and for a message that is not of this
    /// conversation.
    pub async fn read_messages(
        &self,
        actor: &Actor,
        id: ConversationId,
        range: MessageRange,
        mark: ReceiptKind,
    ) -> Result<MessagePage, Error> {
        let (conversation, _) = self.own(actor, id, Action::ReadConversation).await?;
        let from = self.place(id, range.from).await?;
        let (first, last) = window(from, u64::from(range.limit.max(1)), conversation.last_seq);
        let mut marked = None;
        let mut messages = Vec::new();
        if first <= last {
            // Marked before it is read, so that the page shows what it has brought about.
            let parts = RequestParts::default().text(Some(&last.to_string()));
            marked = self
                .mark_in(actor, &conversation, mark, last, parts)
                .await?;
            messages = self
                .inner()
                .storage()
                .message_window(id, first, last)
                .await?;
        }
        Ok(MessagePage {
            messages: self.open_all(messages).await?,
            total: conversation.last_seq,
            conversation,
            marked,
        })
    }

    /// The oldest messages of a conversation after a place, unmarked: for a transport that marks
    /// each when its client has it.
    ///
    /// # Errors
    /// [`crate::Code::NotFound`] for anybody but participants.
    pub async fn messages_to_deliver(
        &self,
        actor: &Actor,
        id: ConversationId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<Message>, Error> {
        let (conversation, _) = self.own(actor, id, Action::ReadConversation).await?;
        let from = PageFrom::AfterPlace(after);
        let (first, last) = window(from, u64::from(limit.max(1)), conversation.last_seq);
        if first > last {
            return Ok(Vec::new());
        }
        let storage = self.inner().storage();
        let found = storage.message_window(id, first, last).await?;
        self.open_all(found).await
    }

    /// The same range by places.
    async fn place(&self, id: ConversationId, from: PageFrom) -> Result<PageFrom, Error> {
        match from {
            PageFrom::Before(message) => Ok(PageFrom::BeforePlace(self.seq_of(id, message).await?)),
            PageFrom::After(message) => Ok(PageFrom::AfterPlace(self.seq_of(id, message).await?)),
            by_place => Ok(by_place),
        }
    }

    /// The place of a message in this conversation.
    pub(super) async fn seq_of(
        &self,
        conversation: ConversationId,
        message: MessageId,
    ) -> Result<u64, Error> {
        let found = self.inner().storage().messages_by_ids(&[message]).await?;
        found
            .first()
            .filter(|found| found.conversation == conversation)
            .map(|found| found.seq)
            .ok_or_else(|| Error::not_found(What::Message, message.to_string().as_str()))
    }
}

/// The first and the last place of a range; the first is beyond the last when there is nothing.
fn window(from: PageFrom, limit: u64, total: u64) -> (u64, u64) {
    const NOTHING: (u64, u64) = (1, 0);
    match from {
        PageFrom::Newest(page) => {
            let skipped = page.saturating_sub(1).saturating_mul(limit);
            match total.checked_sub(skipped) {
                Some(last) if last > 0 => (last.saturating_sub(limit) + 1, last),
                _ => NOTHING,
            }
        }
        PageFrom::Oldest(page) => {
            let skipped = page.saturating_sub(1).saturating_mul(limit);
            if skipped >= total {
                return NOTHING;
            }
            (skipped + 1, skipped.saturating_add(limit).min(total))
        }
        PageFrom::BeforePlace(seq) => {
            let last = seq.saturating_sub(1).min(total);
            if last == 0 {
                return NOTHING;
            }
            (last.saturating_sub(limit) + 1, last)
        }
        PageFrom::AfterPlace(seq) if seq < total => (seq + 1, seq.saturating_add(limit).min(total)),
        PageFrom::AfterPlace(_) => NOTHING,
        // Brought to places before.
        PageFrom::Before(_) | PageFrom::After(_) => NOTHING,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_arithmetic() {
        let places = |from, total| {
            let (first, last) = window(from, 50, total);
            (first..=last).count()
        };
        assert_eq!(window(PageFrom::Newest(1), 50, 120), (71, 120));
        assert_eq!(window(PageFrom::Newest(3), 50, 120), (1, 20));
        assert_eq!(places(PageFrom::Newest(4), 120), 0);
        assert_eq!(window(PageFrom::Oldest(1), 50, 120), (1, 50));
        assert_eq!(window(PageFrom::Oldest(3), 50, 120), (101, 120));
        assert_eq!(places(PageFrom::Oldest(4), 120), 0);
        assert_eq!(window(PageFrom::BeforePlace(71), 50, 120), (21, 70));
        assert_eq!(window(PageFrom::BeforePlace(u64::MAX), 50, 120), (71, 120));
        assert_eq!(places(PageFrom::BeforePlace(1), 120), 0);
        assert_eq!(places(PageFrom::BeforePlace(0), 120), 0);
        assert_eq!(window(PageFrom::AfterPlace(0), 50, 120), (1, 50));
        assert_eq!(window(PageFrom::AfterPlace(100), 50, 120), (101, 120));
        assert_eq!(places(PageFrom::AfterPlace(120), 120), 0);
        assert_eq!(places(PageFrom::AfterPlace(u64::MAX), 120), 0);
        for page in [0, 1, 2, u64::MAX] {
            assert_eq!(places(PageFrom::Newest(page), 0), 0);
            assert_eq!(places(PageFrom::Oldest(page), 0), 0);
        }
    }
}
