//! Finds messages by the words in them.

use std::cmp::Reverse;

use crate::actor::Actor;
use crate::error::{Code, Error};
use crate::id::{ConversationId, MessageId};
use crate::messaging::search_words::{Tokens, has_words, normalised_words};
use crate::messaging::service::user_of;
use crate::messaging::{Message, Messaging, SearchNeedle};
use crate::policy::{Action, Relation, require};

/// How many messages one search finds.
pub const MOST_FOUND: usize = 50;
/// How many conversations one search looks into: the most recently active.
const MOST_CONVERSATIONS: u32 = 1000;
/// How many candidates are opened at a time, and how often: a word that is shared by a great many
/// messages as its beginning only costs no more than this.
const CANDIDATES: u32 = 64;
const ROUNDS: u32 = 32;
/// More words than this narrow nothing down any further.
const MOST_WORDS: usize = 16;

impl Messaging<'_> {
    /// Messages that have every word of a query, newest first: in one conversation, or in the
    /// thousand of the actor's that were active last. A word of three letters or more is found at
    /// the beginning of a word too.
    ///
    /// # Errors
    /// [`Code::BrokenRule`] for `q` without a word; [`Code::NotFound`] for a conversation that the
    /// actor takes no part in.
    pub async fn search(
        &self,
        actor: &Actor,
        query: &str,
        conversation: Option<ConversationId>,
    ) -> Result<Vec<Message>, Error> {
        require(actor, Action::SearchMessages, Relation::Own, || {
            Error::new(Code::Forbidden)
        })?;
        let mut words = normalised_words(query);
        words.sort();
        words.dedup();
        // The longest are the rarest, mostly: they are looked for first.
        words.sort_by_key(|word| Reverse(word.len()));
        words.truncate(MOST_WORDS);
        if words.is_empty() {
            return Err(Error::broken_rule("q", "must have a word in it"));
        }
        let needles = self.needles(actor, &words, conversation).await?;
        if needles.is_empty() {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        let mut before: Option<MessageId> = None;
        for _ in 0..ROUNDS {
            let candidates = self
                .inner()
                .storage()
                .search_messages(&needles, before, CANDIDATES)
                .await?;
            let is_last = candidates.len() < CANDIDATES as usize;
            before = candidates.last().map(|message| message.id);
            let opened = self.open_all(candidates).await?;
            found.extend(
                opened
                    .into_iter()
                    .filter(|one| has_words(&one.body, &words)),
            );
            if is_last || found.len() >= MOST_FOUND {
                break;
            }
        }
        found.truncate(MOST_FOUND);
        Ok(found)
    }

    async fn needles(
        &self,
        actor: &Actor,
        words: &[String],
        conversation: Option<ConversationId>,
    ) -> Result<Vec<SearchNeedle>, Error> {
        let inner = self.inner();
        let needle = |conversation, tokens: &Tokens| SearchNeedle {
            conversation,
            tokens: words.iter().map(|word| tokens.of_word(word)).collect(),
        };
        if let Some(id) = conversation {
            let (conversation, _) = self.own(actor, id, Action::SearchMessages).await?;
            let key = inner.vault.key(inner.storage(), conversation.key).await?;
            return Ok(vec![needle(id, &Tokens::under(&key))]);
        }
        let user = user_of(actor)?;
        let keys = inner
            .storage()
            .conversation_keys(user, MOST_CONVERSATIONS)
            .await?;
        keys.iter()
            .map(|(id, wrapped)| {
                let key = inner.vault.unwrapped(wrapped)?;
                Ok(needle(*id, &Tokens::under(&key)))
            })
            .collect()
    }
}
