//! Who there is: users, roles, credentials, sessions, and the limit on guessing.

mod account;
mod authenticate;
mod change_password;
mod create_administrator;
mod credential;
mod csrf;
mod guessing;
mod hasher;
mod log_in;
mod log_out;
mod manage;
pub(crate) mod memory;
mod refresh;
mod register;
mod session;
mod sessions_memory;
mod store;
mod token;
mod update_profile;
mod user;

pub use authenticate::Authenticated;
pub use change_password::ChangePassword;
pub use create_administrator::CreateAdministrator;
pub use credential::{NewPassword, Password, PasswordHash};
pub(crate) use guessing::network_of;
pub use guessing::{GuessingLimits, LoginKeys, LoginStanding};
pub use hasher::{HasherError, PasswordHasher, Pbkdf2Hasher};
pub use log_in::LogIn;
pub(crate) use register::check_born;
pub use register::{ApplyAsDoctor, Register, Signed};
pub use session::{NewSession, Session, SessionWithUser};
pub use store::{
    ChangePasswordOutcome, ConcludeLogin, ConcludeLoginOutcome, DoctorApplication, IdentityStore,
    NewUser, RefreshCommand, RefreshOutcome, RegisterOutcome, SetActiveOutcome, UserEdit,
    UserEditOutcome,
};
pub use token::{AccessToken, Claims, HmacTokenSigner, RefreshToken, TokenError, TokenSigner};
pub use user::{
    Account, Address, ContactNumber, Email, FullName, Language, LoginIdentifier, Phone, StoredUser,
    User,
};

crate::engine::operations! {
    /// Accounts, sessions, passwords.
    Identity
}
