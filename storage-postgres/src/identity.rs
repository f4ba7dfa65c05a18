//! Users, credentials, sessions and data keys.
//!
//! Whoever opens a session or ends several locks the user's row first, so that nobody is signed
//! in while he is being deactivated.

mod accounts;
mod guessing;
mod refresh;
mod register;

use async_trait::async_trait;
use telemed_core::actor::Role;
use telemed_core::crypto::{Fingerprint, WrappedDataKey};
use telemed_core::id::{DataKeyId, SessionId, UserId};
use telemed_core::identity::{
    Account, ChangePasswordOutcome, ConcludeLogin, ConcludeLoginOutcome, GuessingLimits,
    IdentityStore, LoginKeys, LoginStanding, NewSession, NewUser, PasswordHash, Phone,
    RefreshCommand, RefreshOutcome, RegisterOutcome, SessionWithUser, SetActiveOutcome, StoredUser,
    UserEdit, UserEditOutcome,
};
use telemed_core::journal::Write;
use telemed_core::page::{Page, PageRequest};
use telemed_core::store::{StoreResult, Written};
use telemed_core::time::Timestamp;
use uuid::Uuid;

use crate::PostgresStore;
use crate::connection::Connection;
use crate::journal::Decided;
use crate::rows;
use crate::statement::{Conditions, List, all, any, can_be_stored, change, one};
use crate::store::Repeat;

/// The user with this id.
pub(crate) async fn user_by_id(
    connection: &mut Connection,
    user: UserId,
) -> StoreResult<Option<StoredUser>> {
    let sql = format!("SELECT {} FROM users WHERE id = $1", rows::USER);
    one(
        connection,
        "reading a user",
        &sql,
        (user.get(),),
        rows::user,
    )
    .await
}

/// The user with this id, whom nobody changes until the transaction ends.
async fn locked_user(connection: &mut Connection, user: UserId) -> StoreResult<Option<StoredUser>> {
    let sql = format!(
        "SELECT {} FROM users WHERE id = $1 FOR NO KEY UPDATE",
        rows::USER
    );
    one(
        connection,
        "locking a user",
        &sql,
        (user.get(),),
        rows::user,
    )
    .await
}

/// Whether a telephone number belongs to an account, but for this one.
async fn phone_is_taken(
    connection: &mut Connection,
    phone: Option<&Phone>,
    but: Option<UserId>,
) -> StoreResult<bool> {
    let Some(phone) = phone else {
        return Ok(false);
    };
    any(
        connection,
        "looking for a telephone number",
        "SELECT 1 FROM users WHERE phone_folded = $1 AND id IS DISTINCT FROM $2",
        (phone.folded(), but.map(UserId::get)),
    )
    .await
}

/// A session with its user, live or not.
async fn session_with_user(
    connection: &mut Connection,
    session: SessionId,
) -> StoreResult<Option<SessionWithUser>> {
    let sql = format!(
        "SELECT {}, {} FROM sessions JOIN users ON users.id = sessions.user_id
         WHERE sessions.id = $1",
        rows::SESSION,
        rows::USER
    );
    one(
        connection,
        "reading a session",
        &sql,
        (session.get(),),
        rows::session_with_user,
    )
    .await
}

/// Opens a session; it counts as a login. The user is locked, or new.
async fn open_session(
    connection: &mut Connection,
    user: UserId,
    session: &NewSession,
    at: Timestamp,
) -> StoreResult<()> {
    change(
        connection,
        "opening a session",
        "INSERT INTO sessions (id, user_id, created_at, expires_at, network)
         VALUES ($1, $2, $3, $4, $5)",
        (
            session.id.get(),
            user.get(),
            at.micros(),
            session.expires_at.micros(),
            session.network.map(|network| network.0),
        ),
    )
    .await?;
    if let Some(token) = session.refresh {
        refresh::give(connection, token, session.id).await?;
    }
    change(
        connection,
        "noting a login",
        "UPDATE users SET last_login = $2 WHERE id = $1",
        (user.get(), at.micros()),
    )
    .await
    .map(drop)
}

/// Ends the user's sessions that have not ended, but for one. The user is locked.
async fn end_sessions(
    connection: &mut Connection,
    user: UserId,
    keep: Option<SessionId>,
    at: Timestamp,
) -> StoreResult<()> {
    change(
        connection,
        "ending the sessions of a user",
        "UPDATE sessions SET ended_at = $2
         WHERE user_id = $1 AND ended_at IS NULL AND id IS DISTINCT FROM $3",
        (user.get(), at.micros(), keep.map(SessionId::get)),
    )
    .await
    .map(drop)
}

#[async_trait]
impl IdentityStore for PostgresStore {
    async fn register_user(
        &self,
        write: &Write,
        user: &NewUser,
    ) -> StoreResult<Written<RegisterOutcome>> {
        self.keyed(write, user.clone(), |connection, write, user| {
            Box::pin(register::register(connection, write.at, user))
        })
        .await
    }

    async fn user_by_id(&self, user: UserId) -> StoreResult<Option<StoredUser>> {
        self.read(user, |connection, user| {
            Box::pin(user_by_id(connection, *user))
        })
        .await
    }

    async fn user_page(
        &self,
        role: Option<Role>,
        page: PageRequest,
    ) -> StoreResult<Page<StoredUser>> {
        self.read((role, page), |connection, (role, page)| {
            Box::pin(async move {
                let mut conditions = Conditions::new("true");
                conditions.and("role = ?", role.map(Role::as_str))?;
                let list = List {
                    columns: rows::USER,
                    from: "users",
                    key: "id",
                    joined: "",
                    order: "id",
                };
                conditions
                    .page(connection, "listing users", &list, *page, rows::user)
                    .await
            })
        })
        .await
    }

    async fn account_by_email(&self, folded: &str) -> StoreResult<Option<Account>> {
        if !can_be_stored(folded) {
            return Ok(None);
        }
        self.read(folded.to_owned(), |connection, folded| {
            Box::pin(accounts::account(connection, "email_folded = $1", folded))
        })
        .await
    }

    async fn account_by_phone(&self, folded: &str) -> StoreResult<Option<Account>> {
        if !can_be_stored(folded) {
            return Ok(None);
        }
        self.read(folded.to_owned(), |connection, folded| {
            Box::pin(accounts::account(connection, "phone_folded = $1", folded))
        })
        .await
    }

    async fn account_by_user(&self, user: UserId) -> StoreResult<Option<Account>> {
        self.read(user.get(), |connection, user| {
            Box::pin(accounts::account(connection, "id = $1", *user))
        })
        .await
    }

    async fn login_standing(
        &self,
        keys: &LoginKeys,
        account: Option<UserId>,
        limits: &GuessingLimits,
        now: Timestamp,
    ) -> StoreResult<LoginStanding> {
        let question = (*keys, account, *limits, now);
        self.read(question, |connection, (keys, account, limits, now)| {
            Box::pin(async move {
                let place = guessing::place(connection, keys, *account).await?;
                guessing::standing(connection, keys, place, limits, *now).await
            })
        })
        .await
    }

    async fn conclude_login(
        &self,
        write: &Write,
        login: &ConcludeLogin,
    ) -> StoreResult<ConcludeLoginOutcome> {
        self.unkeyed(write, login.clone(), |connection, write, login| {
            Box::pin(guessing::conclude_login(connection, write.at, login))
        })
        .await
    }

    async fn session_with_user(&self, session: SessionId) -> StoreResult<Option<SessionWithUser>> {
        self.read(session, |connection, session| {
            Box::pin(session_with_user(connection, *session))
        })
        .await
    }

    async fn session_of_refresh_token(
        &self,
        token: Fingerprint,
    ) -> StoreResult<Option<SessionWithUser>> {
        self.read(token, |connection, token| {
            Box::pin(async move {
                let given = refresh::given(connection, *token).await?;
                Ok(given.map(|given| given.found))
            })
        })
        .await
    }

    async fn refresh_session(
        &self,
        write: &Write,
        command: &RefreshCommand,
    ) -> StoreResult<RefreshOutcome> {
        let exchange = (write.clone(), command.clone());
        self.write(
            Repeat::IfUndone,
            exchange,
            |connection, (write, command)| Box::pin(refresh::refresh(connection, write, command)),
        )
        .await
    }

    async fn end_session(&self, write: &Write, session: SessionId) -> StoreResult<Written<bool>> {
        self.keyed(write, session, |connection, write, session| {
            Box::pin(async move {
                let ended = change(
                    connection,
                    "ending a session",
                    "UPDATE sessions SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL",
                    (session.get(), write.at.micros()),
                )
                .await?;
                Ok(if ended > 0 {
                    Decided::Changed(true)
                } else {
                    Decided::Refused(false)
                })
            })
        })
        .await
    }

    async fn change_password(
        &self,
        write: &Write,
        user: UserId,
        expected: &PasswordHash,
        new: &PasswordHash,
        keep: Option<SessionId>,
    ) -> StoreResult<ChangePasswordOutcome> {
        let change = (user, expected.clone(), new.clone(), keep);
        self.unkeyed(write, change, |connection, write, change| {
            let (user, expected, new, keep) = change;
            let hashes = [expected, new];
            Box::pin(accounts::change_password(
                connection, write.at, *user, hashes, *keep,
            ))
        })
        .await
    }

    async fn edit_user(
        &self,
        write: &Write,
        user: UserId,
        edit: &UserEdit,
    ) -> StoreResult<Written<UserEditOutcome>> {
        let edit = (user, edit.clone());
        self.keyed(write, edit, |connection, write, (user, edit)| {
            Box::pin(accounts::edit_user(connection, write.at, *user, edit))
        })
        .await
    }

    async fn set_user_active(
        &self,
        write: &Write,
        user: UserId,
        active: bool,
    ) -> StoreResult<Written<SetActiveOutcome>> {
        self.keyed(
            write,
            (user, active),
            |connection, write, (user, active)| {
                Box::pin(accounts::set_user_active(
                    connection, write.at, *user, *active,
                ))
            },
        )
        .await
    }

    async fn data_key_of_user(&self, user: UserId) -> StoreResult<Option<WrappedDataKey>> {
        self.read(user, |connection, user| {
            Box::pin(async move {
                let sql = format!(
                    "SELECT {} FROM data_keys WHERE user_id = $1",
                    rows::DATA_KEY
                );
                let reading = "reading a data key";
                one(connection, reading, &sql, (user.get(),), rows::data_key).await
            })
        })
        .await
    }

    async fn data_keys(&self, ids: &[DataKeyId]) -> StoreResult<Vec<WrappedDataKey>> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.get()).collect();
        self.read(ids, |connection, ids| {
            Box::pin(async move {
                let sql = format!(
                    "SELECT {} FROM data_keys WHERE id = ANY($1)",
                    rows::DATA_KEY
                );
                all(
                    connection,
                    "reading data keys",
                    &sql,
                    (ids,),
                    rows::data_key,
                )
                .await
            })
        })
        .await
    }
}
