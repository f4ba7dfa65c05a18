//! The in-memory store of identity.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::sessions_memory::{
    LoginFailure, RefreshTokenRow, SessionRow, conclude_login, refresh_session,
};
use super::{
    Account, ChangePasswordOutcome, ConcludeLogin, ConcludeLoginOutcome, GuessingLimits,
    IdentityStore, LoginKeys, LoginStanding, NewUser, PasswordHash, RefreshCommand, RefreshOutcome,
    RegisterOutcome, SessionWithUser, SetActiveOutcome, StoredUser, UserEdit, UserEditOutcome,
};
use crate::actor::Role;
use crate::crypto::{Fingerprint, WrappedDataKey};
use crate::id::{DataKeyId, SessionId, UserId};
use crate::journal::Write;
use crate::memory::{Decided, MemoryStorage, State, next, page_of, settle};
use crate::page::{Page, PageRequest};
use crate::store::{StoreResult, Written};
use crate::time::Timestamp;

/// What identity keeps.
#[derive(Default)]
pub(crate) struct IdentityState {
    last_user: i64,
    pub(super) users: BTreeMap<UserId, UserRow>,
    data_keys: BTreeMap<DataKeyId, WrappedDataKey>,
    pub(super) sessions: BTreeMap<SessionId, SessionRow>,
    pub(super) refresh_tokens: BTreeMap<Fingerprint, RefreshTokenRow>,
    pub(super) login_failures: Vec<LoginFailure>,
}

pub(super) struct UserRow {
    pub(super) user: StoredUser,
    password: PasswordHash,
    data_key: DataKeyId,
}

impl IdentityState {
    pub(crate) fn user(&self, user: UserId) -> Option<&StoredUser> {
        self.users.get(&user).map(|row| &row.user)
    }

    /// Every user, by id.
    pub(crate) fn user_ids(&self) -> impl Iterator<Item = UserId> + '_ {
        self.users.keys().copied()
    }

    /// Keeps a data key.
    pub(crate) fn keep_data_key(&mut self, key: WrappedDataKey) {
        self.data_keys.insert(key.id, key);
    }

    pub(crate) fn data_key(&self, id: DataKeyId) -> Option<&WrappedDataKey> {
        self.data_keys.get(&id)
    }

    pub(crate) fn data_key_of(&self, user: UserId) -> Option<&WrappedDataKey> {
        self.data_keys.get(&self.users.get(&user)?.data_key)
    }

    /// Notes that a user is verified.
    pub(crate) fn verify(&mut self, user: UserId, at: Timestamp) {
        if let Some(row) = self.users.get_mut(&user) {
            row.user.is_verified = true;
            row.user.updated_at = at;
        }
    }

    fn user_row_by_email(&self, folded: &str) -> Option<&UserRow> {
        let email = |row: &&UserRow| {
            let email = row.user.email.as_ref();
            email.is_some_and(|email| email.folded() == folded)
        };
        self.users.values().find(email)
    }

    fn user_row_by_phone(&self, folded: &str) -> Option<&UserRow> {
        let phone = |row: &&UserRow| {
            let phone = row.user.phone.as_ref();
            phone.is_some_and(|phone| phone.folded() == folded)
        };
        self.users.values().find(phone)
    }
}

impl UserRow {
    fn account(&self) -> Account {
        Account {
            user: self.user.clone(),
            password: self.password.clone(),
        }
    }
}

fn register(state: &mut State, at: Timestamp, new: &NewUser) -> Decided<RegisterOutcome> {
    let identity = &state.identity;
    let email_taken = |email: &super::Email| identity.user_row_by_email(email.folded()).is_some();
    if new.email.as_ref().is_some_and(email_taken) {
        return Decided::Refused(RegisterOutcome::EmailTaken);
    }
    let phone_taken = |phone: &super::Phone| identity.user_row_by_phone(phone.folded()).is_some();
    if new.phone.as_ref().is_some_and(phone_taken) {
        return Decided::Refused(RegisterOutcome::PhoneTaken);
    }
    if let Some(application) = &new.doctor
        && let Some(refusal) = state.directory.refuses(application)
    {
        return Decided::Refused(refusal);
    }
    let identity = &mut state.identity;
    let id = UserId::from_row(next(&mut identity.last_user));
    let user = StoredUser {
        id,
        role: new.role,
        email: new.email.clone(),
        phone: new.phone.clone(),
        language: new.language,
        full_name: new.full_name.clone(),
        contact_number: new.contact_number.clone(),
        seal_id: new.seal_id,
        address: new.address.clone(),
        is_verified: new.is_verified,
        is_active: true,
        last_login: new.session.as_ref().map(|_| at),
        created_at: at,
        updated_at: at,
    };
    let row = UserRow {
        user: user.clone(),
        password: new.password.clone(),
        data_key: new.data_key.id,
    };
    identity.users.insert(id, row);
    identity
        .data_keys
        .insert(new.data_key.id, new.data_key.clone());
    if let Some(session) = &new.session {
        identity.open_session(id, session, at);
    }
    if new.role == Role::Patient {
        let profile = new.profile.clone();
        state
            .directory
            .add_patient(id, new.profile_seal_id, profile, at);
    }
    if let Some(application) = &new.doctor {
        state.directory.add_applicant(id, application, at);
    }
    Decided::Made(RegisterOutcome::Registered(user), id.get())
}

fn edit_user(
    identity: &mut IdentityState,
    at: Timestamp,
    id: UserId,
    edit: &UserEdit,
) -> Decided<UserEditOutcome> {
    let Some(row) = identity.users.get(&id) else {
        return Decided::Refused(UserEditOutcome::UserNotFound);
    };
    let mut user = row.user.clone();
    if let Some(full_name) = &edit.full_name {
        user.full_name = full_name.clone();
    }
    if let Some(phone) = &edit.phone {
        user.phone.clone_from(phone);
    }
    if let Some(language) = edit.language {
        user.language = language;
    }
    user.updated_at = at;
    if user.email.is_none() && user.phone.is_none() {
        return Decided::Refused(UserEditOutcome::NoLogin);
    }
    let owner = |phone: &super::Phone| identity.user_row_by_phone(phone.folded());
    let owner = user.phone.as_ref().and_then(owner);
    if owner.is_some_and(|owner| owner.user.id != id) {
        return Decided::Refused(UserEditOutcome::PhoneTaken);
    }
    if let Some(row) = identity.users.get_mut(&id) {
        row.user = user.clone();
    }
    Decided::Changed(UserEditOutcome::Edited(user))
}

#[async_trait]
impl IdentityStore for MemoryStorage {
    async fn register_user(
        &self,
        write: &Write,
        user: &NewUser,
    ) -> StoreResult<Written<RegisterOutcome>> {
        Ok(self.keyed(write, |state| register(state, write.at, user)))
    }

    async fn user_by_id(&self, user: UserId) -> StoreResult<Option<StoredUser>> {
        Ok(self.read(|state| state.identity.user(user).cloned()))
    }

    async fn user_page(
        &self,
        role: Option<Role>,
        page: PageRequest,
    ) -> StoreResult<Page<StoredUser>> {
        Ok(self.read(|state| {
            let users = state.identity.users.values().map(|row| &row.user);
            page_of(
                users
                    .filter(|user| role.is_none_or(|role| user.role == role))
                    .cloned(),
                page,
            )
        }))
    }

    async fn account_by_email(&self, folded: &str) -> StoreResult<Option<Account>> {
        Ok(self.read(|state| {
            let row = state.identity.user_row_by_email(folded);
            row.map(UserRow::account)
        }))
    }

    async fn account_by_phone(&self, folded: &str) -> StoreResult<Option<Account>> {
        Ok(self.read(|state| {
            let row = state.identity.user_row_by_phone(folded);
            row.map(UserRow::account)
        }))
    }

    async fn account_by_user(&self, user: UserId) -> StoreResult<Option<Account>> {
        Ok(self.read(|state| state.identity.users.get(&user).map(UserRow::account)))
    }

    async fn login_standing(
        &self,
        keys: &LoginKeys,
        account: Option<UserId>,
        limits: &GuessingLimits,
        now: Timestamp,
    ) -> StoreResult<LoginStanding> {
        Ok(self.read(|state| state.identity.standing(keys, account, limits, now)))
    }

    async fn conclude_login(
        &self,
        write: &Write,
        login: &ConcludeLogin,
    ) -> StoreResult<ConcludeLoginOutcome> {
        Ok(self.unkeyed(write, |state| conclude_login(state, write.at, login)))
    }

    async fn session_with_user(&self, session: SessionId) -> StoreResult<Option<SessionWithUser>> {
        Ok(self.read(|state| state.identity.session_with_user(session)))
    }

    async fn session_of_refresh_token(
        &self,
        token: Fingerprint,
    ) -> StoreResult<Option<SessionWithUser>> {
        Ok(self.read(|state| {
            let row = state.identity.refresh_tokens.get(&token)?;
            state.identity.session_with_user(row.session)
        }))
    }

    async fn refresh_session(
        &self,
        write: &Write,
        command: &RefreshCommand,
    ) -> StoreResult<RefreshOutcome> {
        Ok(self.transaction(|state, events| {
            let token = state.identity.refresh_tokens.get(&command.presented);
            let is_used = token.is_some_and(|token| token.is_used);
            let write = if is_used { &command.reuse } else { write };
            settle(state, events, write, |state| {
                refresh_session(&mut state.identity, write.at, command)
            })
        }))
    }

    async fn end_session(&self, write: &Write, session: SessionId) -> StoreResult<Written<bool>> {
        Ok(self.keyed(write, |state| {
            match state.identity.sessions.get_mut(&session) {
                Some(row) if row.session.ended_at.is_none() => {
                    row.session.ended_at = Some(write.at);
                    Decided::Changed(true)
                }
                _ => Decided::Refused(false),
            }
        }))
    }

    async fn change_password(
        &self,
        write: &Write,
        user: UserId,
        expected: &PasswordHash,
        new: &PasswordHash,
        keep: Option<SessionId>,
    ) -> StoreResult<ChangePasswordOutcome> {
        Ok(self.unkeyed(write, |state| {
            let Some(row) = state.identity.users.get_mut(&user) else {
                return Decided::Refused(ChangePasswordOutcome::UserNotFound);
            };
            if row.password != *expected {
                return Decided::Refused(ChangePasswordOutcome::Superseded);
            }
            row.password = new.clone();
            state.identity.end_sessions(user, keep, write.at);
            Decided::Changed(ChangePasswordOutcome::Changed)
        }))
    }

    async fn edit_user(
        &self,
        write: &Write,
        user: UserId,
        edit: &UserEdit,
    ) -> StoreResult<Written<UserEditOutcome>> {
        Ok(self.keyed(write, |state| {
            edit_user(&mut state.identity, write.at, user, edit)
        }))
    }

    async fn set_user_active(
        &self,
        write: &Write,
        user: UserId,
        active: bool,
    ) -> StoreResult<Written<SetActiveOutcome>> {
        Ok(self.keyed(write, |state| {
            let Some(row) = state.identity.users.get_mut(&user) else {
                return Decided::Refused(SetActiveOutcome::UserNotFound);
            };
            if row.user.is_active == active {
                return Decided::Refused(SetActiveOutcome::Unchanged(row.user.clone()));
            }
            row.user.is_active = active;
            row.user.updated_at = write.at;
            let changed = row.user.clone();
            if !active {
                state.identity.end_sessions(user, None, write.at);
            }
            Decided::Changed(SetActiveOutcome::Changed(changed))
        }))
    }

    async fn data_key_of_user(&self, user: UserId) -> StoreResult<Option<WrappedDataKey>> {
        Ok(self.read(|state| state.identity.data_key_of(user).cloned()))
    }

    async fn data_keys(&self, ids: &[DataKeyId]) -> StoreResult<Vec<WrappedDataKey>> {
        Ok(self.read(|state| {
            let keys = state.identity.data_keys.values();
            keys.filter(|key| ids.contains(&key.id)).cloned().collect()
        }))
    }
}
