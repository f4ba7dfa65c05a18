//! Making an account: user, credential, data key, a patient's or a doctor's profile, a session.

use telemed_core::actor::Role;
use telemed_core::crypto::Sealed;
use telemed_core::id::UserId;
use telemed_core::identity::{Language, NewUser, Phone, RegisterOutcome};
use telemed_core::store::StoreResult;
use telemed_core::time::Timestamp;

use super::{open_session, phone_is_taken, user_by_id};
use crate::connection::Connection;
use crate::directory::applications;
use crate::journal::Decided;
use crate::rows;
use crate::statement::{any, change, only, single};

pub(super) async fn register(
    connection: &mut Connection,
    at: Timestamp,
    new: &NewUser,
) -> StoreResult<Decided<RegisterOutcome>> {
    if let Some(email) = &new.email {
        let taken = "SELECT 1 FROM users WHERE email_folded = $1";
        let looking = "looking for an email address";
        if any(connection, looking, taken, (email.folded(),)).await? {
            return Ok(Decided::Refused(RegisterOutcome::EmailTaken));
        }
    }
    if phone_is_taken(connection, new.phone.as_ref(), None).await? {
        return Ok(Decided::Refused(RegisterOutcome::PhoneTaken));
    }
    if let Some(application) = &new.doctor
        && let Some(refusal) = applications::refusal(connection, application).await?
    {
        return Ok(Decided::Refused(refusal));
    }
    let id = insert_user(connection, at, new).await?;
    change(
        connection,
        "making a credential",
        "INSERT INTO credentials (user_id, password_hash) VALUES ($1, $2)",
        (id, new.password.as_str()),
    )
    .await?;
    let key = &new.data_key;
    change(
        connection,
        "keeping a data key",
        "INSERT INTO data_keys (id, user_id, tenant_key, wrapped) VALUES ($1, $2, $3, $4)",
        (key.id.get(), id, key.tenant_key.0, &key.wrapped),
    )
    .await?;
    if new.role == Role::Patient {
        change(
            connection,
            "making a patient's profile",
            "INSERT INTO patients (id, seal_id, profile, updated_at, version)
             VALUES ($1, $2, $3, $4, 1)",
            (
                id,
                new.profile_seal_id.get(),
                new.profile.as_ref().map(Sealed::as_bytes),
                at.micros(),
            ),
        )
        .await?;
    }
    let user = UserId::from_row(id);
    if let Some(application) = &new.doctor {
        applications::keep(connection, at, user, application).await?;
    }
    if let Some(session) = &new.session {
        open_session(connection, user, session, at).await?;
    }
    let user = rows::there(user_by_id(connection, user).await?)?;
    Ok(Decided::Made(RegisterOutcome::Registered(user), id))
}

async fn insert_user(
    connection: &mut Connection,
    at: Timestamp,
    new: &NewUser,
) -> StoreResult<i64> {
    single(
        connection,
        "making a user",
        "INSERT INTO users (role, email, email_folded, phone, phone_folded, language, full_name,
                            contact_number, seal_id, address, is_verified, is_active, created_at,
                            updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, true, $12, $12) RETURNING id",
        (
            new.role.as_str(),
            new.email.as_ref().map(|email| email.as_str()),
            new.email.as_ref().map(|email| email.folded()),
            new.phone.as_ref().map(Phone::as_str),
            new.phone.as_ref().map(Phone::folded),
            new.language.map(Language::as_str),
            new.full_name.as_str(),
            new.contact_number.as_ref().map(|number| number.as_str()),
            new.seal_id.get(),
            new.address.as_ref().map(Sealed::as_bytes),
            new.is_verified,
            at.micros(),
        ),
        only,
    )
    .await
}
