//! Makes an administrator's account from the command line of the installation.

use crate::actor::{Actor, Role};
use crate::error::{Code, Error};
use crate::identity::register::{Register, taken};
use crate::identity::{Email, FullName, Identity, NewPassword, RegisterOutcome, User};
use crate::journal::{EventKind, Resource, Subject};
use crate::policy::{Action, Relation, require};
use crate::store::Written;

/// An administrator to be made.
#[derive(Clone, Debug)]
pub struct CreateAdministrator {
    /// The name.
    pub full_name: FullName,
    /// The e-mail address.
    pub email: Email,
    /// The password.
    pub password: NewPassword,
}

impl Identity<'_> {
    /// Makes an administrator without signing him in. The first one is made by the operator;
    /// nobody becomes one by himself.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for anybody but the operator and administrators, [`Code::EmailTaken`].
    pub async fn create_administrator(
        &self,
        actor: &Actor,
        request: CreateAdministrator,
    ) -> Result<User, Error> {
        require(actor, Action::RegisterStaff, Relation::None, || {
            Error::new(Code::Forbidden)
        })?;
        let inner = self.inner();
        let register = Register::new(
            Role::Admin,
            request.full_name,
            request.email,
            request.password,
        );
        let user = self.new_user(&register, None).await?;
        let now = self.engine.now();
        let mut write = inner.write(
            actor,
            now,
            Action::RegisterStaff,
            Subject::new_row(Resource::User),
        );
        write
            .audit
            .data
            .insert("role".into(), Role::Admin.as_str().into());
        inner.announce(
            &mut write,
            EventKind::UserRegistered,
            &[],
            serde_json::Map::new(),
        );
        match inner.storage().register_user(&write, &user).await? {
            Written::Applied(RegisterOutcome::Registered(stored)) => self.open_user(stored).await,
            Written::Applied(RegisterOutcome::EmailTaken) => Err(taken(Code::EmailTaken, "email")),
            _ => Err(Error::new(Code::Internal)),
        }
    }
}
