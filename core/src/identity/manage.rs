//! Looking at accounts, and switching them on and off.

use crate::actor::{Actor, Role};
use crate::engine::{RequestParts, Settled, settle};
use crate::error::{Code, Error, What};
use crate::id::UserId;
use crate::identity::user::ADDRESS;
use crate::identity::{Identity, SetActiveOutcome, StoredUser, User};
use crate::journal::{EventKind, Resource, Subject};
use crate::page::{Page, PageRequest};
use crate::policy::{Action, Relation, require};

impl Identity<'_> {
    /// The actor's own account.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`].
    pub async fn own_user(&self, actor: &Actor) -> Result<User, Error> {
        require(actor, Action::ReadOwnUser, Relation::Own, || {
            Error::new(Code::Forbidden)
        })?;
        let user = actor
            .user_id()
            .ok_or_else(|| Error::new(Code::Unauthenticated))?;
        self.open_user(self.stored(user).await?).await
    }

    /// All accounts by id, of one role or of all.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for anybody but administrators.
    pub async fn users(
        &self,
        actor: &Actor,
        role: Option<Role>,
        page: PageRequest,
    ) -> Result<Page<User>, Error> {
        require(actor, Action::ListUsers, Relation::None, || {
            Error::new(Code::Forbidden)
        })?;
        let inner = self.inner();
        let stored = inner.storage().user_page(role, page).await?;
        let sealed = stored.items.iter().filter_map(|user| user.address.as_ref());
        let keys = inner.vault.keys_of(inner.storage(), sealed, &[]).await?;
        stored.try_map(|user| {
            let address = keys.text(user.address.as_ref(), ADDRESS, user.seal_id)?;
            Ok(user.opened(address))
        })
    }

    /// Activates an account; an active one stays so.
    ///
    /// # Errors
    /// [`Code::Forbidden`], [`Code::NotFound`].
    pub async fn activate(&self, actor: &Actor, user: UserId) -> Result<User, Error> {
        self.set_active(actor, user, true).await
    }

    /// Deactivates an account and ends its sessions at once.
    ///
    /// # Errors
    /// [`Code::Forbidden`], [`Code::NotFound`], [`Code::OwnAccount`].
    pub async fn deactivate(&self, actor: &Actor, user: UserId) -> Result<User, Error> {
        self.set_active(actor, user, false).await
    }

    async fn set_active(&self, actor: &Actor, user: UserId, active: bool) -> Result<User, Error> {
        let (action, event) = if active {
            (Action::ActivateUser, EventKind::UserActivated)
        } else {
            (Action::DeactivateUser, EventKind::UserDeactivated)
        };
        require(actor, action, Relation::None, || {
            Error::new(Code::Forbidden)
        })?;
        if !active && actor.user_id() == Some(user) {
            return Err(Error::new(Code::OwnAccount));
        }
        let inner = self.inner();
        let parts = RequestParts::default().number(user.get());
        let keyed = self.command(actor, action, parts);
        let subject = Subject::number(Resource::User, user.get());
        let mut write = inner.write(actor, self.engine.now(), action, subject);
        inner.announce(&mut write, event, &[user], serde_json::Map::new());
        write.idempotency = keyed.claim();
        let stored = match settle(
            inner
                .storage()
                .set_user_active(&write, user, active)
                .await?,
        )? {
            Settled::Now(SetActiveOutcome::UserNotFound) => {
                return Err(Error::not_found(What::User, user.get()));
            }
            Settled::Now(
                SetActiveOutcome::Changed(stored) | SetActiveOutcome::Unchanged(stored),
            ) => stored,
            Settled::Before(_) => self.stored(user).await?,
        };
        self.open_user(stored).await
    }

    async fn stored(&self, user: UserId) -> Result<StoredUser, Error> {
        let found = self.inner().storage().user_by_id(user).await?;
        found.ok_or_else(|| Error::not_found(What::User, user.get()))
    }
}
