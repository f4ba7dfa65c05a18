//! Changes the own account's data.

use crate::actor::Actor;
use crate::engine::{RequestParts, Settled, settle};
use crate::error::{Code, Error, What};
use crate::identity::register::taken;
use crate::identity::{FullName, Identity, Language, Phone, User, UserEdit, UserEditOutcome};
use crate::journal::{EventKind, Resource, Subject};
use crate::policy::{Action, Relation, require};

impl Identity<'_> {
    /// Changes the actor's name, telephone number and language.
    ///
    /// # Errors
    /// [`Code::PhoneTaken`]; [`Code::BrokenRule`] at `phone` when nothing would be left to sign
    /// in with.
    pub async fn update_profile(&self, actor: &Actor, edit: UserEdit) -> Result<User, Error> {
        require(actor, Action::UpdateOwnUser, Relation::Own, || {
            Error::new(Code::Forbidden)
        })?;
        let user = actor
            .user_id()
            .ok_or_else(|| Error::new(Code::Unauthenticated))?;
        let inner = self.inner();
        let keyed = self.command(actor, Action::UpdateOwnUser, edit.parts());
        let subject = Subject::number(Resource::User, user.get());
        let mut write = inner.write(actor, self.engine.now(), Action::UpdateOwnUser, subject);
        inner.announce(
            &mut write,
            EventKind::UserUpdated,
            &[user],
            serde_json::Map::new(),
        );
        write.idempotency = keyed.claim();
        match settle(inner.storage().edit_user(&write, user, &edit).await?)? {
            Settled::Now(UserEditOutcome::Edited(stored)) => self.open_user(stored).await,
            Settled::Now(UserEditOutcome::PhoneTaken) => Err(taken(Code::PhoneTaken, "phone")),
            Settled::Now(UserEditOutcome::NoLogin) => Err(Error::broken_rule(
                "phone",
                "is the only login of this account",
            )),
            Settled::Now(UserEditOutcome::UserNotFound) => {
                Err(Error::not_found(What::User, user.get()))
            }
            Settled::Before(_) => self.own_user(actor).await,
        }
    }
}

impl UserEdit {
    fn parts(&self) -> RequestParts {
        RequestParts::default()
            .text(self.full_name.as_ref().map(FullName::as_str))
            .number(i64::from(self.phone.is_some()))
            .text(self.phone.iter().flatten().next().map(Phone::as_str))
            .number(i64::from(self.language.is_some()))
            .text(self.language.flatten().map(Language::as_str))
    }
}
