//! The storage trait of identity.

use super::{
    Account, ContactNumber, Email, FullName, GuessingLimits, Language, LoginKeys, LoginStanding,
    NewSession, PasswordHash, Phone, SessionWithUser, StoredUser,
};
use crate::actor::Role;
use crate::crypto::{Fingerprint, Sealed, WrappedDataKey};
use crate::directory::{ClinicDetails, DailyLimit, ExperienceYears, LicenceNumber, Specialty};
use crate::id::{ClinicId, DataKeyId, SealId, SessionId, UserId};
use crate::journal::Write;
use crate::page::{Page, PageRequest};
use crate::store::{Written, store_trait};
use crate::time::Timestamp;

/// A user to be made, with everything that belongs to a new account.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// The role. A patient gets an empty patient's profile in the same transaction.
    pub role: Role,
    /// The e-mail address.
    pub email: Option<Email>,
    /// The name.
    pub full_name: FullName,
    /// The telephone number, a login too.
    pub phone: Option<Phone>,
    /// The preferred language.
    pub language: Option<Language>,
    /// A number to reach the user by.
    pub contact_number: Option<ContactNumber>,
    /// Under what the row's texts are sealed; the patient's profile has another of its own.
    pub seal_id: SealId,
    /// The seal id of the patient's profile.
    pub profile_seal_id: SealId,
    /// What is known about a patient from the start, sealed.
    pub profile: Option<Sealed>,
    /// The unverified profile of a doctor who registers himself.
    pub doctor: Option<DoctorApplication>,
    /// The postal address, sealed.
    pub address: Option<Sealed>,
    /// Whether the user counts as verified from the start.
    pub is_verified: bool,
    /// The hash of the password.
    pub password: PasswordHash,
    /// The user's data key.
    pub data_key: WrappedDataKey,
    /// A session to open at once; it also counts as a login.
    pub session: Option<NewSession>,
}

/// The profile of a doctor who registers himself.
#[derive(Clone, Debug)]
pub struct DoctorApplication {
    /// The clinic; without one it is the first clinic of the installation.
    pub clinic: Option<ClinicId>,
    /// The clinic that is made when there is none yet.
    pub first_clinic: ClinicDetails,
    /// The licence to practise.
    pub licence_number: LicenceNumber,
    /// The field of medicine.
    pub specialty: Specialty,
    /// Years of practice.
    pub experience_years: ExperienceYears,
    /// Patients on one clinic-local day.
    pub daily_limit: DailyLimit,
}

/// What became of a registration, in the order of precedence.
#[derive(Clone, Debug, PartialEq)]
pub enum RegisterOutcome {
    /// The e-mail address belongs to an account.
    EmailTaken,
    /// The telephone number belongs to an account.
    PhoneTaken,
    /// The clinic of a doctor's application does not exist.
    ClinicNotFound,
    /// The licence of a doctor's application belongs to another doctor.
    LicenceTaken,
    /// The account was made.
    Registered(StoredUser),
}

/// How a login that was checked is to be concluded.
#[derive(Clone, Debug)]
pub struct ConcludeLogin {
    /// Under what failures are counted.
    pub keys: LoginKeys,
    /// The limits.
    pub limits: GuessingLimits,
    /// The user and the session to open, if the password was right and the account is active;
    /// otherwise the failure is counted.
    pub opened: Option<(UserId, NewSession)>,
    /// The account that the failure belongs to, if there is one: from its known networks
    /// failures are counted apart.
    pub account: Option<UserId>,
}

/// What became of a login.
#[derive(Clone, Debug, PartialEq)]
pub enum ConcludeLoginOutcome {
    /// There were too many failures before it; the answer says nothing about the password, and
    /// nothing was written.
    Limited(Timestamp),
    /// The failure was counted.
    Refused,
    /// The account was deactivated in the meantime; nothing was written.
    Deactivated,
    /// The session is open.
    Opened(StoredUser),
}

/// What became of a change of password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangePasswordOutcome {
    /// There is no such user.
    UserNotFound,
    /// Another change came first: the hash is no longer the expected one.
    Superseded,
    /// It is changed, and the user's other sessions have ended.
    Changed,
}

/// An exchange of a refresh token.
#[derive(Clone, Debug)]
pub struct RefreshCommand {
    /// The fingerprint of the token that was presented.
    pub presented: Fingerprint,
    /// The fingerprint of the one that takes its place.
    pub next: Fingerprint,
    /// When the session ends by itself from now on.
    pub expires_at: Timestamp,
    /// What is left behind when the token had been used before and its session is ended.
    pub reuse: Write,
}

/// What became of an exchange of a refresh token, in the order of precedence.
#[derive(Clone, Debug, PartialEq)]
pub enum RefreshOutcome {
    /// No such token was ever given.
    Unknown,
    /// Its session has ended or expired, or its account is deactivated.
    Ended,
    /// It had been used before: somebody else may hold it. Its session has ended now, and with it
    /// every token of the family.
    Reused,
    /// It is used up, and the next one stands in its place.
    Refreshed(SessionWithUser),
}

/// A change of an account's own data: what is `None` stays as it is; an inner `None` empties a
/// field.
#[derive(Clone, Debug, Default)]
pub struct UserEdit {
    /// The name.
    pub full_name: Option<FullName>,
    /// The telephone number.
    pub phone: Option<Option<Phone>>,
    /// The preferred language.
    pub language: Option<Option<Language>>,
}

/// What became of it, in the order of precedence.
#[derive(Clone, Debug, PartialEq)]
pub enum UserEditOutcome {
    /// There is no such user.
    UserNotFound,
    /// The user would have neither an e-mail address nor a telephone number.
    NoLogin,
    /// The telephone number belongs to another account.
    PhoneTaken,
    /// The user after the change.
    Edited(StoredUser),
}

/// What became of an activation or deactivation.
#[derive(Clone, Debug, PartialEq)]
pub enum SetActiveOutcome {
    /// There is no such user.
    UserNotFound,
    /// The account was in that state already; nothing was written.
    Unchanged(StoredUser),
    /// The account's state was changed; when it was deactivated its sessions have ended.
    Changed(StoredUser),
}

store_trait! {
    /// Users, credentials, sessions and data keys.
    pub trait IdentityStore in identity_delegation {
        /// Makes an account: user, credential, data key, a patient's profile, a session.
        ///
        /// # Behavior
        /// - `register_makes_the_account_whole`: user, patient's profile for a patient, data
        ///   key and session are there together.
        /// - `register_refuses_a_taken_email`: without regard to case; nothing is written.
        /// - `register_refuses_a_taken_phone`: compared as [`Phone::folded`] writes it.
        /// - `a_doctor_applies_with_a_profile`: unverified, at the clinic he names, else at the
        ///   installation's first clinic, which is made if there is none; a licence that is taken
        ///   or a clinic that is not there refuses the whole.
        /// - `register_replays_its_key`
        async fn register_user(&self, write: &Write, user: &NewUser) -> Written<RegisterOutcome>;

        /// The user with this id.
        ///
        /// # Behavior
        /// - `an_unknown_user_is_none`
        async fn user_by_id(&self, user: UserId) -> Option<StoredUser>;

        /// Users by id, of one role or of all.
        ///
        /// # Behavior
        /// - `users_are_listed_by_id_with_the_total`
        async fn user_page(&self, role: Option<Role>, page: PageRequest) -> Page<StoredUser>;

        /// The account with this e-mail address in lower case.
        ///
        /// # Behavior
        /// - `an_account_is_found_without_regard_to_case`
        async fn account_by_email(&self, folded: &str) -> Option<Account>;

        /// The account with this telephone number, as [`Phone::folded`] writes it.
        ///
        /// # Behavior
        /// - `an_account_is_found_by_its_phone`
        async fn account_by_phone(&self, folded: &str) -> Option<Account>;

        /// The account of a user.
        ///
        /// # Behavior
        /// - `an_account_is_found_by_its_user`
        async fn account_by_user(&self, user: UserId) -> Option<Account>;

        /// Where a login stands, before the password is looked at.
        ///
        /// # Behavior
        /// - `failures_limit_an_account`: as [`ConcludeLogin`] counts them.
        async fn login_standing(&self, keys: &LoginKeys, account: Option<UserId>, limits: &GuessingLimits, now: Timestamp) -> LoginStanding;

        /// Opens the session or counts the failure, after the password was looked at.
        ///
        /// Failures of an account are counted in piles: those that came with a live session of
        /// its own, each session by itself; else those from networks from which the account has
        /// opened a session before, each network by itself; and those from all other places
        /// together. Failures for what is no account are counted in the last. Failures of a
        /// network are counted whatever the account.
        ///
        /// # Behavior
        /// - `a_login_opens_a_session`: and notes the time of the login.
        /// - `failures_limit_an_account`: after as many failures as the limit in the window the
        ///   answer is `Limited`, for a right password too, and nothing is written.
        /// - `failures_leave_the_window`
        /// - `failures_elsewhere_do_not_lock_the_owner_out`
        /// - `failures_of_others_do_not_lock_a_session_out`
        /// - `failures_limit_a_network`
        /// - `parallel_failures_are_all_counted`
        async fn conclude_login(&self, write: &Write, login: &ConcludeLogin) -> ConcludeLoginOutcome;

        /// A session with its user, live or not.
        ///
        /// # Behavior
        /// - `a_session_is_read_with_its_user`
        async fn session_with_user(&self, session: SessionId) -> Option<SessionWithUser>;

        /// The session that a refresh token was given for, with its user, whether the token has
        /// been used or not.
        ///
        /// # Behavior
        /// - `a_refresh_token_is_used_once`
        async fn session_of_refresh_token(&self, token: Fingerprint) -> Option<SessionWithUser>;

        /// Exchanges a refresh token: the write is left behind when it is refreshed,
        /// [`RefreshCommand::reuse`] when it had been used before.
        ///
        /// # Behavior
        /// - `a_refresh_token_is_used_once`: of N exchanges in parallel one succeeds.
        /// - `a_reused_refresh_token_ends_its_session`
        /// - `an_ended_session_is_not_refreshed`
        async fn refresh_session(&self, write: &Write, command: &RefreshCommand) -> RefreshOutcome;

        /// Ends one session; `false` when it is unknown or had ended (nothing is written then).
        ///
        /// # Behavior
        /// - `a_session_ends_once`
        async fn end_session(&self, write: &Write, session: SessionId) -> Written<bool>;

        /// Changes the hash from `expected` to `new` and ends all sessions but `keep`.
        ///
        /// # Behavior
        /// - `a_password_change_ends_the_other_sessions`
        /// - `a_superseded_password_change_changes_nothing`
        async fn change_password(&self, write: &Write, user: UserId, expected: &PasswordHash, new: &PasswordHash, keep: Option<SessionId>) -> ChangePasswordOutcome;

        /// Changes an account's own data.
        ///
        /// # Behavior
        /// - `a_user_is_edited_in_part`
        /// - `an_edit_refuses_a_taken_phone`
        /// - `an_account_keeps_a_login`
        async fn edit_user(&self, write: &Write, user: UserId, edit: &UserEdit) -> Written<UserEditOutcome>;

        /// Activates or deactivates an account.
        ///
        /// # Behavior
        /// - `deactivation_ends_all_sessions`
        /// - `activation_is_idempotent`
        async fn set_user_active(&self, write: &Write, user: UserId, active: bool) -> Written<SetActiveOutcome>;

        /// The data key of a user.
        ///
        /// # Behavior
        /// - `register_makes_the_account_whole`
        async fn data_key_of_user(&self, user: UserId) -> Option<WrappedDataKey>;

        /// The data keys with these ids, of users and of conversations, in any order; unknown
        /// ones are left out.
        ///
        /// # Behavior
        /// - `data_keys_are_read_in_one_call`
        async fn data_keys(&self, ids: &[DataKeyId]) -> Vec<WrappedDataKey>;
    }
}
