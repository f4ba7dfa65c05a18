//! Opens the direct conversation of two people.

use crate::actor::{Actor, Role};
use crate::engine::{RequestParts, Settled, data, settle};
use crate::error::{Code, Error, What};
use crate::id::{ConversationId, DataKeyId, UserId};
use crate::identity::StoredUser;
use crate::journal::{EventKind, Resource, Subject};
use crate::messaging::service::{missing, user_of};
use crate::messaging::{Conversation, Messaging, NewConversation, OpenConversationOutcome};
use crate::policy::{Action, Relation, require};
use crate::scheduling::care_relation;

/// With whom a conversation is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenConversation {
    /// The other one.
    pub with: UserId,
    /// Whether an administrator may be one of the two, too.
    pub with_administrators: bool,
}

impl Messaging<'_> {
    /// The direct conversation with somebody: the one that is there, or a new one.
    ///
    /// A patient may write to any listed doctor, a doctor to patients whom he has a care relation
    /// to; administrators and everybody else may write to one another where the caller's surface
    /// offers that. A conversation that is there stays open to both, whatever has become of the
    /// relation.
    ///
    /// # Errors
    /// [`Code::BrokenRule`] for `participant_id`: oneself, or two who have nothing to do with one
    /// another by their roles; [`Code::NotFound`] for an unknown user; [`Code::Forbidden`].
    pub async fn open_conversation(
        &self,
        actor: &Actor,
        request: OpenConversation,
    ) -> Result<Conversation, Error> {
        let inner = self.inner();
        require(actor, Action::OpenConversation, Relation::Own, || {
            Error::new(Code::Forbidden)
        })?;
        let user = user_of(actor)?;
        if request.with == user {
            return Err(Error::broken_rule(
                "participant_id",
                "must be somebody else",
            ));
        }
        let other = inner.storage().user_by_id(request.with).await?;
        let other = other.ok_or_else(|| Error::not_found(What::User, request.with.get()))?;
        let keyed = self.command(
            actor,
            Action::OpenConversation,
            RequestParts::default().number(request.with.get()),
        );
        // The key is looked at before anything is decided, and the result is the same anyway.
        let _ = keyed.replay(inner).await?;
        let pair = [user, request.with];
        if let Some(found) = inner.storage().conversation_of_pair(pair).await? {
            return Ok(found);
        }
        let relation = self.relation_to(actor, &other, request).await?;
        require(actor, Action::OpenConversation, relation, || {
            Error::new(Code::Forbidden)
        })?;
        let now = self.engine.now();
        let id = ConversationId::new(inner.uuid(now));
        let key_id = DataKeyId::new(inner.uuid(now));
        let (_, key) = inner.vault.generate(key_id, inner.entropy())?;
        let subject = Subject::uuid(Resource::Conversation, id.get());
        let mut write = inner.write(actor, now, Action::OpenConversation, subject);
        let ids = data([("participant_ids", vec![user.get(), other.id.get()].into())]);
        write.audit.data.clone_from(&ids);
        inner.announce(&mut write, EventKind::ConversationOpened, &pair, ids);
        write.idempotency = keyed.claim();
        let new = NewConversation { id, pair, key };
        match settle(inner.storage().open_conversation(&write, &new).await?)? {
            Settled::Now(
                OpenConversationOutcome::Existing(found) | OpenConversationOutcome::Opened(found),
            ) => Ok(found),
            Settled::Before(_) => {
                let found = inner.storage().conversation_of_pair(pair).await?;
                found.ok_or_else(|| missing(id))
            }
        }
    }

    /// How the actor stands to somebody whom he wants to write to.
    async fn relation_to(
        &self,
        actor: &Actor,
        other: &StoredUser,
        request: OpenConversation,
    ) -> Result<Relation, Error> {
        let Actor::User(user) = actor else {
            return Ok(Relation::None);
        };
        match (user.role, other.role) {
            (Role::Patient, Role::Doctor) => {
                Ok(Relation::own(other.is_active && other.is_verified))
            }
            (Role::Doctor, Role::Patient) if !user.verified => Ok(Relation::None),
            (Role::Doctor, Role::Patient) => {
                let now = self.engine.now();
                let care = care_relation(self.inner(), user.user, other.id, now).await?;
                Ok(Relation::own(care >= Relation::Care))
            }
            (Role::Admin, _) | (_, Role::Admin) if request.with_administrators => {
                Ok(Relation::own(other.is_active))
            }
            _ => Err(Error::broken_rule(
                "participant_id",
                "must make a pair of a patient and a doctor",
            )),
        }
    }
}
