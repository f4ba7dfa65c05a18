//! Making an account: user, credential, data key, a patient's or a doctor's profile, a session.

use rusqlite::Connection;
use telemed_core::actor::Role;
use telemed_core::crypto::Sealed;
use telemed_core::id::UserId;
use telemed_core::identity::{Language, NewUser, Phone, RegisterOutcome};
use telemed_core::store::StoreResult;
use telemed_core::time::Timestamp;

use super::{open_session, phone_is_taken, user_by_id};
use crate::directory::applications;
use crate::journal::Decided;
use crate::rows;
use crate::statement::{any, change, insert};

pub(super) fn register(
    connection: &Connection,
    at: Timestamp,
    new: &NewUser,
) -> StoreResult<Decided<RegisterOutcome>> {
    let folded = new.email.as_ref().map(|email| email.folded());
    let taken = "SELECT 1 FROM users WHERE email_folded = ?1";
    if any(connection, "looking for an email address", taken, [folded])? {
        return Ok(Decided::Refused(RegisterOutcome::EmailTaken));
    }
    if phone_is_taken(connection, new.phone.as_ref(), None)? {
        return Ok(Decided::Refused(RegisterOutcome::PhoneTaken));
    }
    if let Some(application) = &new.doctor
        && let Some(refusal) = applications::refusal(connection, application)?
    {
        return Ok(Decided::Refused(refusal));
    }
    let id = insert(
        connection,
        "making a user",
        "INSERT INTO users (role, email, email_folded, phone, phone_folded, language, full_name,
                            contact_number, seal_id, address, is_verified, is_active, created_at,
                            updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 1, ?12, ?12)",
        (
            new.role.as_str(),
            new.email.as_ref().map(|email| email.as_str()),
            folded,
            new.phone.as_ref().map(Phone::as_str),
            new.phone.as_ref().map(Phone::folded),
            new.language.map(Language::as_str),
            new.full_name.as_str(),
            new.contact_number.as_ref().map(|number| number.as_str()),
            new.seal_id.get().as_bytes(),
            new.address.as_ref().map(|address| address.as_bytes()),
            new.is_verified,
            at.micros(),
        ),
    )?;
    change(
        connection,
        "making a credential",
        "INSERT INTO credentials (user_id, password_hash) VALUES (?1, ?2)",
        (id, new.password.as_str()),
    )?;
    let key = &new.data_key;
    change(
        connection,
        "keeping a data key",
        "INSERT INTO data_keys (id, user_id, tenant_key, wrapped) VALUES (?1, ?2, ?3, ?4)",
        (key.id.get().as_bytes(), id, key.tenant_key.0, &key.wrapped),
    )?;
    if new.role == Role::Patient {
        change(
            connection,
            "making a patient's profile",
            "INSERT INTO patients (id, seal_id, profile, updated_at, version)
             VALUES (?1, ?2, ?3, ?4, 1)",
            (
                id,
                new.profile_seal_id.get().as_bytes(),
                new.profile.as_ref().map(Sealed::as_bytes),
                at.micros(),
            ),
        )?;
    }
    let user = UserId::from_row(id);
    if let Some(application) = &new.doctor {
        applications::keep(connection, at, user, application)?;
    }
    if let Some(session) = &new.session {
        open_session(connection, user, session, at)?;
    }
    let user = rows::there(user_by_id(connection, user)?)?;
    Ok(Decided::Made(RegisterOutcome::Registered(user), id))
}
