//! Users, credentials, sessions and data keys.

mod guessing;
mod refresh;
mod register;

use async_trait::async_trait;
use rusqlite::Connection;
use telemed_core::actor::Role;
use telemed_core::crypto::{Fingerprint, WrappedDataKey};
use telemed_core::id::{DataKeyId, SessionId, UserId};
use telemed_core::identity::{
    Account, ChangePasswordOutcome, ConcludeLogin, ConcludeLoginOutcome, GuessingLimits,
    IdentityStore, Language, LoginKeys, LoginStanding, NewSession, NewUser, PasswordHash, Phone,
    RefreshCommand, RefreshOutcome, RegisterOutcome, SessionWithUser, SetActiveOutcome, StoredUser,
    UserEdit, UserEditOutcome,
};
use telemed_core::journal::Write;
use telemed_core::page::{Page, PageRequest};
use telemed_core::store::{StoreResult, Written};
use telemed_core::time::Timestamp;

use crate::SqliteStore;
use crate::journal::Decided;
use crate::rows;
use crate::statement::{Conditions, List, all, any, change, one};

/// The user with this id.
pub(crate) fn user_by_id(connection: &Connection, user: UserId) -> StoreResult<Option<StoredUser>> {
    let sql = format!("SELECT {} FROM users WHERE id = ?1", rows::USER);
    one(connection, "reading a user", &sql, [user.get()], rows::user)
}

/// The account that a condition with one value finds.
fn account(
    connection: &Connection,
    condition: &str,
    value: impl rusqlite::ToSql,
) -> StoreResult<Option<Account>> {
    let sql = format!(
        "SELECT {}, password_hash FROM users JOIN credentials ON user_id = id WHERE {condition}",
        rows::USER
    );
    one(
        connection,
        "reading an account",
        &sql,
        [value],
        rows::account,
    )
}

/// Whether a telephone number belongs to an account, but for this one.
fn phone_is_taken(
    connection: &Connection,
    phone: Option<&Phone>,
    but: Option<UserId>,
) -> StoreResult<bool> {
    any(
        connection,
        "looking for a telephone number",
        "SELECT 1 FROM users WHERE phone_folded = ?1 AND id IS NOT ?2",
        (phone.map(Phone::folded), but.map(UserId::get)),
    )
}

/// A session with its user, live or not.
fn session_with_user(
    connection: &Connection,
    session: SessionId,
) -> StoreResult<Option<SessionWithUser>> {
    let sql = format!(
        "SELECT {}, {} FROM sessions JOIN users ON users.id = sessions.user_id
         WHERE sessions.id = ?1",
        rows::SESSION,
        rows::USER
    );
    one(
        connection,
        "reading a session",
        &sql,
        [session.get().as_bytes()],
        rows::session_with_user,
    )
}

/// Opens a session; it counts as a login.
fn open_session(
    connection: &Connection,
    user: UserId,
    session: &NewSession,
    at: Timestamp,
) -> StoreResult<()> {
    change(
        connection,
        "opening a session",
        "INSERT INTO sessions (id, user_id, created_at, expires_at, network)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        (
            session.id.get().as_bytes(),
            user.get(),
            at.micros(),
            session.expires_at.micros(),
            session.network.map(|network| network.0),
        ),
    )?;
    if let Some(token) = session.refresh {
        refresh::give(connection, token, session.id)?;
    }
    change(
        connection,
        "noting a login",
        "UPDATE users SET last_login = ?2 WHERE id = ?1",
        (user.get(), at.micros()),
    )?;
    Ok(())
}

/// Ends the user's sessions that have not ended, but for one.
fn end_sessions(
    connection: &Connection,
    user: UserId,
    keep: Option<SessionId>,
    at: Timestamp,
) -> StoreResult<()> {
    change(
        connection,
        "ending the sessions of a user",
        "UPDATE sessions SET ended_at = ?2
         WHERE user_id = ?1 AND ended_at IS NULL AND id IS NOT ?3",
        (
            user.get(),
            at.micros(),
            keep.map(|session| session.get().into_bytes()),
        ),
    )?;
    Ok(())
}

fn change_password(
    connection: &Connection,
    at: Timestamp,
    user: UserId,
    [expected, new]: [&PasswordHash; 2],
    keep: Option<SessionId>,
) -> StoreResult<Decided<ChangePasswordOutcome>> {
    let known = one(
        connection,
        "reading a password hash",
        "SELECT password_hash FROM credentials WHERE user_id = ?1",
        [user.get()],
        |columns| columns.make(PasswordHash::new),
    )?;
    let Some(known) = known else {
        return Ok(Decided::Refused(ChangePasswordOutcome::UserNotFound));
    };
    if known != *expected {
        return Ok(Decided::Refused(ChangePasswordOutcome::Superseded));
    }
    change(
        connection,
        "changing a password hash",
        "UPDATE credentials SET password_hash = ?2 WHERE user_id = ?1",
        (user.get(), new.as_str()),
    )?;
    end_sessions(connection, user, keep, at)?;
    Ok(Decided::Changed(ChangePasswordOutcome::Changed))
}

fn edit_user(
    connection: &Connection,
    at: Timestamp,
    user: UserId,
    edit: &UserEdit,
) -> StoreResult<Decided<UserEditOutcome>> {
    let Some(mut row) = user_by_id(connection, user)? else {
        return Ok(Decided::Refused(UserEditOutcome::UserNotFound));
    };
    if let Some(full_name) = &edit.full_name {
        row.full_name = full_name.clone();
    }
    if let Some(phone) = &edit.phone {
        row.phone.clone_from(phone);
    }
    if let Some(language) = edit.language {
        row.language = language;
    }
    row.updated_at = at;
    if row.email.is_none() && row.phone.is_none() {
        return Ok(Decided::Refused(UserEditOutcome::NoLogin));
    }
    if phone_is_taken(connection, row.phone.as_ref(), Some(user))? {
        return Ok(Decided::Refused(UserEditOutcome::PhoneTaken));
    }
    change(
        connection,
        "editing a user",
        "UPDATE users
         SET full_name = ?2, phone = ?3, phone_folded = ?4, language = ?5, updated_at = ?6
         WHERE id = ?1",
        (
            user.get(),
            row.full_name.as_str(),
            row.phone.as_ref().map(Phone::as_str),
            row.phone.as_ref().map(Phone::folded),
            row.language.map(Language::as_str),
            at.micros(),
        ),
    )?;
    Ok(Decided::Changed(UserEditOutcome::Edited(row)))
}

fn set_user_active(
    connection: &Connection,
    at: Timestamp,
    user: UserId,
    active: bool,
) -> StoreResult<Decided<SetActiveOutcome>> {
    let Some(mut row) = user_by_id(connection, user)? else {
        return Ok(Decided::Refused(SetActiveOutcome::UserNotFound));
    };
    if row.is_active == active {
        return Ok(Decided::Refused(SetActiveOutcome::Unchanged(row)));
    }
    change(
        connection,
        "activating or deactivating a user",
        "UPDATE users SET is_active = ?2, updated_at = ?3 WHERE id = ?1",
        (user.get(), active, at.micros()),
    )?;
    if !active {
        end_sessions(connection, user, None, at)?;
    }
    row.is_active = active;
    row.updated_at = at;
    Ok(Decided::Changed(SetActiveOutcome::Changed(row)))
}

#[async_trait]
impl IdentityStore for SqliteStore {
    async fn register_user(
        &self,
        write: &Write,
        user: &NewUser,
    ) -> StoreResult<Written<RegisterOutcome>> {
        let user = user.clone();
        self.keyed(write, move |connection, write| {
            register::register(connection, write.at, &user)
        })
        .await
    }

    async fn user_by_id(&self, user: UserId) -> StoreResult<Option<StoredUser>> {
        self.read(move |connection| user_by_id(connection, user))
            .await
    }

    async fn user_page(
        &self,
        role: Option<Role>,
        page: PageRequest,
    ) -> StoreResult<Page<StoredUser>> {
        self.read(move |connection| {
            let mut conditions = Conditions::new("true");
            conditions.and("role = ?", role.map(|role| role.as_str().to_owned()));
            let list = List {
                columns: rows::USER,
                from: "users",
                key: "id",
                joined: "",
                order: "id",
            };
            conditions.page(connection, "listing users", &list, page, rows::user)
        })
        .await
    }

    async fn account_by_email(&self, folded: &str) -> StoreResult<Option<Account>> {
        let folded = folded.to_owned();
        self.read(move |connection| account(connection, "email_folded = ?1", folded))
            .await
    }

    async fn account_by_phone(&self, folded: &str) -> StoreResult<Option<Account>> {
        let folded = folded.to_owned();
        self.read(move |connection| account(connection, "phone_folded = ?1", folded))
            .await
    }

    async fn account_by_user(&self, user: UserId) -> StoreResult<Option<Account>> {
        self.read(move |connection| account(connection, "id = ?1", user.get()))
            .await
    }

    async fn login_standing(
        &self,
        keys: &LoginKeys,
        account: Option<UserId>,
        limits: &GuessingLimits,
        now: Timestamp,
    ) -> StoreResult<LoginStanding> {
        let (keys, limits) = (*keys, *limits);
        self.read(move |connection| {
            let place = guessing::place(connection, &keys, account)?;
            guessing::standing(connection, &keys, place, &limits, now)
        })
        .await
    }

    async fn conclude_login(
        &self,
        write: &Write,
        login: &ConcludeLogin,
    ) -> StoreResult<ConcludeLoginOutcome> {
        let login = login.clone();
        self.unkeyed(write, move |connection, write| {
            guessing::conclude_login(connection, write.at, &login)
        })
        .await
    }

    async fn session_with_user(&self, session: SessionId) -> StoreResult<Option<SessionWithUser>> {
        self.read(move |connection| session_with_user(connection, session))
            .await
    }

    async fn session_of_refresh_token(
        &self,
        token: Fingerprint,
    ) -> StoreResult<Option<SessionWithUser>> {
        self.read(move |connection| Ok(refresh::given(connection, token)?.map(|given| given.found)))
            .await
    }

    async fn refresh_session(
        &self,
        write: &Write,
        command: &RefreshCommand,
    ) -> StoreResult<RefreshOutcome> {
        let (write, command) = (write.clone(), command.clone());
        self.write(move |context| refresh::refresh(context, &write, &command))
            .await
    }

    async fn end_session(&self, write: &Write, session: SessionId) -> StoreResult<Written<bool>> {
        self.keyed(write, move |connection, write| {
            let ended = change(
                connection,
                "ending a session",
                "UPDATE sessions SET ended_at = ?2 WHERE id = ?1 AND ended_at IS NULL",
                (session.get().as_bytes(), write.at.micros()),
            )?;
            Ok(if ended > 0 {
                Decided::Changed(true)
            } else {
                Decided::Refused(false)
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
        let (expected, new) = (expected.clone(), new.clone());
        self.unkeyed(write, move |connection, write| {
            change_password(connection, write.at, user, [&expected, &new], keep)
        })
        .await
    }

    async fn edit_user(
        &self,
        write: &Write,
        user: UserId,
        edit: &UserEdit,
    ) -> StoreResult<Written<UserEditOutcome>> {
        let edit = edit.clone();
        self.keyed(write, move |connection, write| {
            edit_user(connection, write.at, user, &edit)
        })
        .await
    }

    async fn set_user_active(
        &self,
        write: &Write,
        user: UserId,
        active: bool,
    ) -> StoreResult<Written<SetActiveOutcome>> {
        self.keyed(write, move |connection, write| {
            set_user_active(connection, write.at, user, active)
        })
        .await
    }

    async fn data_key_of_user(&self, user: UserId) -> StoreResult<Option<WrappedDataKey>> {
        self.read(move |connection| {
            let sql = format!(
                "SELECT {} FROM data_keys WHERE user_id = ?1",
                rows::DATA_KEY
            );
            one(
                connection,
                "reading a data key",
                &sql,
                [user.get()],
                rows::data_key,
            )
        })
        .await
    }

    async fn data_keys(&self, ids: &[DataKeyId]) -> StoreResult<Vec<WrappedDataKey>> {
        let ids: Vec<String> = ids.iter().map(|id| id.get().simple().to_string()).collect();
        self.read(move |connection| {
            let sql = format!(
                "SELECT {} FROM data_keys WHERE id IN (SELECT unhex(value) FROM json_each(?1))",
                rows::DATA_KEY
            );
            let ids = serde_json::Value::from(ids).to_string();
            all(connection, "reading data keys", &sql, [ids], rows::data_key)
        })
        .await
    }
}
