//! Looking accounts up, and changing them.

use sqlx::{Encode, Postgres, Type};
use telemed_core::id::{SessionId, UserId};
use telemed_core::identity::{
    Account, ChangePasswordOutcome, Language, PasswordHash, Phone, SetActiveOutcome, UserEdit,
    UserEditOutcome,
};
use telemed_core::store::StoreResult;
use telemed_core::time::Timestamp;

use super::{end_sessions, locked_user, phone_is_taken};
use crate::connection::Connection;
use crate::journal::Decided;
use crate::rows;
use crate::statement::{change, one};

/// The account that a condition with one value finds.
pub(super) async fn account<'v, V>(
    connection: &mut Connection,
    condition: &str,
    value: V,
) -> StoreResult<Option<Account>>
where
    V: Encode<'v, Postgres> + Type<Postgres>,
{
    let sql = format!(
        "SELECT {}, password_hash FROM users JOIN credentials ON user_id = id WHERE {condition}",
        rows::USER
    );
    one(
        connection,
        "reading an account",
        &sql,
        (value,),
        rows::account,
    )
    .await
}

pub(super) async fn change_password(
    connection: &mut Connection,
    at: Timestamp,
    user: UserId,
    [expected, new]: [&PasswordHash; 2],
    keep: Option<SessionId>,
) -> StoreResult<Decided<ChangePasswordOutcome>> {
    if locked_user(connection, user).await?.is_none() {
        return Ok(Decided::Refused(ChangePasswordOutcome::UserNotFound));
    }
    let known = one(
        connection,
        "reading a password hash",
        "SELECT password_hash FROM credentials WHERE user_id = $1",
        (user.get(),),
        |columns| columns.make(PasswordHash::new),
    )
    .await?;
    if known.as_ref() != Some(expected) {
        return Ok(Decided::Refused(ChangePasswordOutcome::Superseded));
    }
    change(
        connection,
        "changing a password hash",
        "UPDATE credentials SET password_hash = $2 WHERE user_id = $1",
        (user.get(), new.as_str()),
    )
    .await?;
    end_sessions(connection, user, keep, at).await?;
    Ok(Decided::Changed(ChangePasswordOutcome::Changed))
}

pub(super) async fn edit_user(
    connection: &mut Connection,
    at: Timestamp,
    user: UserId,
    edit: &UserEdit,
) -> StoreResult<Decided<UserEditOutcome>> {
    let Some(mut row) = locked_user(connection, user).await? else {
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
    if phone_is_taken(connection, row.phone.as_ref(), Some(user)).await? {
        return Ok(Decided::Refused(UserEditOutcome::PhoneTaken));
    }
    change(
        connection,
        "editing a user",
        "UPDATE users
         SET full_name = $2, phone = $3, phone_folded = $4, language = $5, updated_at = $6
         WHERE id = $1",
        (
            user.get(),
            row.full_name.as_str(),
            row.phone.as_ref().map(Phone::as_str),
            row.phone.as_ref().map(Phone::folded),
            row.language.map(Language::as_str),
            at.micros(),
        ),
    )
    .await?;
    Ok(Decided::Changed(UserEditOutcome::Edited(row)))
}

pub(super) async fn set_user_active(
    connection: &mut Connection,
    at: Timestamp,
    user: UserId,
    active: bool,
) -> StoreResult<Decided<SetActiveOutcome>> {
    let Some(mut row) = locked_user(connection, user).await? else {
        return Ok(Decided::Refused(SetActiveOutcome::UserNotFound));
    };
    if row.is_active == active {
        return Ok(Decided::Refused(SetActiveOutcome::Unchanged(row)));
    }
    change(
        connection,
        "activating or deactivating a user",
        "UPDATE users SET is_active = $2, updated_at = $3 WHERE id = $1",
        (user.get(), active, at.micros()),
    )
    .await?;
    if !active {
        end_sessions(connection, user, None, at).await?;
    }
    row.is_active = active;
    row.updated_at = at;
    Ok(Decided::Changed(SetActiveOutcome::Changed(row)))
}
