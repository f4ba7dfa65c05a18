//! Who does something.

use crate::id::{SessionId, UserId};
use crate::value::words;

words! {
    /// The role of a user.
    Role {
        /// Books appointments for himself.
        Patient = "patient",
        /// Offers slots and sees patients.
        Doctor = "doctor",
        /// Runs the installation.
        Admin = "admin",
    }
}

/// Who does something: the first argument of every operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Nobody who is known: a visitor who has not signed in.
    Anonymous(Origin),
    /// A user with a live session.
    User(UserActor),
    /// The engine itself, or its host through the command line.
    System(SystemActor),
}

/// A user with a live session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserActor {
    /// The user.
    pub user: UserId,
    /// The user's role.
    pub role: Role,
    /// Whether an administrator has verified the user; a doctor who is not can do nothing with
    /// patients and slots.
    pub verified: bool,
    /// The session that the credential belongs to.
    pub session: SessionId,
    /// Where the request came from.
    pub origin: Origin,
}

/// What part of the system acts when no user does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SystemActor {
    /// The job driver.
    Jobs,
    /// The operator of the installation, at its command line or in the host's own code.
    Operator,
}

/// Where a request came from. The network is used for the limits on guessing and is never stored
/// or logged in clear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The address of the client, if there is one.
    pub address: Option<std::net::IpAddr>,
}

impl Actor {
    /// A visitor without a known address.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::Anonymous(Origin::default())
    }

    /// The operator of the installation.
    #[must_use]
    pub fn operator() -> Self {
        Self::System(SystemActor::Operator)
    }

    /// The user, if a user acts.
    #[must_use]
    pub fn user_id(&self) -> Option<UserId> {
        match self {
            Self::User(user) => Some(user.user),
            Self::Anonymous(_) | Self::System(_) => None,
        }
    }

    /// Where the request came from.
    #[must_use]
    pub fn origin(&self) -> Origin {
        match self {
            Self::Anonymous(origin) => *origin,
            Self::User(user) => user.origin,
            Self::System(_) => Origin::default(),
        }
    }

    /// Who this is in an audit row.
    #[must_use]
    pub fn reference(&self) -> ActorReference {
        match self {
            Self::Anonymous(_) => ActorReference::Anonymous,
            Self::User(user) => ActorReference::User(user.user),
            Self::System(SystemActor::Jobs) => ActorReference::Jobs,
            Self::System(SystemActor::Operator) => ActorReference::Operator,
        }
    }
}

/// Who did something, as rows of the journal keep it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ActorReference {
    /// A visitor.
    Anonymous,
    /// A user.
    User(UserId),
    /// The job driver.
    Jobs,
    /// The operator.
    Operator,
}

impl ActorReference {
    /// The word for the kind of actor.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::User(_) => "user",
            Self::Jobs => "jobs",
            Self::Operator => "operator",
        }
    }

    /// The user, if it is one.
    #[must_use]
    pub fn user_id(self) -> Option<UserId> {
        match self {
            Self::User(user) => Some(user),
            _ => None,
        }
    }

    /// The reference of a row: its kind's word and the user.
    #[must_use]
    pub fn from_row(kind: &str, user: Option<i64>) -> Option<Self> {
        match (kind, user) {
            ("anonymous", None) => Some(Self::Anonymous),
            ("user", Some(user)) => Some(Self::User(UserId::from_row(user))),
            ("jobs", None) => Some(Self::Jobs),
            ("operator", None) => Some(Self::Operator),
            _ => None,
        }
    }
}
