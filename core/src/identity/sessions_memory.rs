//! What the in-memory store of identity keeps of sessions and failed logins.

use super::memory::IdentityState;
use super::{
    ConcludeLogin, ConcludeLoginOutcome, GuessingLimits, LoginKeys, LoginStanding, NewSession,
    RefreshCommand, RefreshOutcome, Session, SessionWithUser,
};
use crate::crypto::Fingerprint;
use crate::id::{SessionId, UserId};
use crate::journal::Retention;
use crate::memory::{Decided, State};
use crate::time::Timestamp;

/// A session and where it was opened.
pub(super) struct SessionRow {
    pub(super) session: Session,
    network: Option<Fingerprint>,
}

/// A refresh token that was given out.
pub(super) struct RefreshTokenRow {
    pub(super) session: SessionId,
    pub(super) is_used: bool,
}

/// A login that failed.
pub(super) struct LoginFailure {
    at: Timestamp,
    account: Fingerprint,
    network: Option<Fingerprint>,
    pile: Pile,
}

/// With which other failures of an account a failure is counted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pile {
    /// Those that came with this live session of the account.
    Session(Fingerprint),
    /// Those from this network, from which the account had opened a session before.
    Network(Fingerprint),
    /// All others.
    Elsewhere,
}

impl IdentityState {
    pub(super) fn session_with_user(&self, session: SessionId) -> Option<SessionWithUser> {
        let session = self.sessions.get(&session)?.session.clone();
        let user = self.user(session.user)?.clone();
        Some(SessionWithUser { session, user })
    }

    /// Opens a session; it counts as a login.
    pub(super) fn open_session(&mut self, user: UserId, session: &NewSession, at: Timestamp) {
        let row = SessionRow {
            session: Session {
                id: session.id,
                user,
                created_at: at,
                expires_at: session.expires_at,
                ended_at: None,
            },
            network: session.network,
        };
        self.sessions.insert(session.id, row);
        if let Some(token) = session.refresh {
            self.give_refresh_token(token, session.id);
        }
        if let Some(row) = self.users.get_mut(&user) {
            row.user.last_login = Some(at);
        }
    }

    fn give_refresh_token(&mut self, token: Fingerprint, session: SessionId) {
        let row = RefreshTokenRow {
            session,
            is_used: false,
        };
        self.refresh_tokens.insert(token, row);
    }

    /// Ends the user's sessions that have not ended, but for one.
    pub(super) fn end_sessions(&mut self, user: UserId, keep: Option<SessionId>, at: Timestamp) {
        for row in self.sessions.values_mut() {
            let session = &mut row.session;
            if session.user == user && Some(session.id) != keep && session.ended_at.is_none() {
                session.ended_at = Some(at);
            }
        }
    }

    /// In which pile a failure of an account counts.
    fn pile(&self, keys: &LoginKeys, account: Option<UserId>) -> Pile {
        let Some(account) = account else {
            return Pile::Elsewhere;
        };
        if let Some(session) = keys.session {
            return Pile::Session(session);
        }
        let Some(network) = keys.network else {
            return Pile::Elsewhere;
        };
        let from_there =
            |row: &SessionRow| row.session.user == account && row.network == Some(network);
        if self.sessions.values().any(from_there) {
            Pile::Network(network)
        } else {
            Pile::Elsewhere
        }
    }

    pub(super) fn standing(
        &self,
        keys: &LoginKeys,
        account: Option<UserId>,
        limits: &GuessingLimits,
        now: Timestamp,
    ) -> LoginStanding {
        let pile = self.pile(keys, account);
        let of_account =
            |failure: &LoginFailure| failure.account == keys.account && failure.pile == pile;
        let of_network =
            |failure: &LoginFailure| failure.network.is_some() && failure.network == keys.network;
        LoginStanding::decide(
            limits,
            &self.failures(limits, now, of_account),
            &self.failures(limits, now, of_network),
        )
    }

    /// The times of failures in the window, oldest first.
    fn failures(
        &self,
        limits: &GuessingLimits,
        now: Timestamp,
        counts: impl Fn(&LoginFailure) -> bool,
    ) -> Vec<Timestamp> {
        let opens = now.minus(limits.window);
        let in_window = self
            .login_failures
            .iter()
            .filter(|failure| failure.at > opens);
        let mut times: Vec<_> = in_window
            .filter(|failure| counts(failure))
            .map(|failure| failure.at)
            .collect();
        times.sort_unstable();
        times
    }

    pub(crate) fn purge(&mut self, retention: &Retention) {
        self.login_failures
            .retain(|failure| failure.at >= retention.login_failures_before);
        self.sessions.retain(|_, row| {
            let over = row.session.ended_at.unwrap_or(row.session.expires_at);
            over.min(row.session.expires_at) >= retention.sessions_before
        });
        // The tokens of a session go with it.
        let sessions = &self.sessions;
        self.refresh_tokens
            .retain(|_, row| sessions.contains_key(&row.session));
    }

    pub(crate) fn rows_to_purge(&self) -> usize {
        self.login_failures.len() + self.sessions.len()
    }
}

pub(super) fn conclude_login(
    state: &mut State,
    at: Timestamp,
    login: &ConcludeLogin,
) -> Decided<ConcludeLoginOutcome> {
    let identity = &mut state.identity;
    let standing = identity.standing(&login.keys, login.account, &login.limits, at);
    if let LoginStanding::Limited(until) = standing {
        return Decided::Refused(ConcludeLoginOutcome::Limited(until));
    }
    let Some((user, session)) = &login.opened else {
        let failure = LoginFailure {
            at,
            account: login.keys.account,
            network: login.keys.network,
            pile: identity.pile(&login.keys, login.account),
        };
        identity.login_failures.push(failure);
        return Decided::Changed(ConcludeLoginOutcome::Refused);
    };
    if !identity.user(*user).is_some_and(|user| user.is_active) {
        return Decided::Refused(ConcludeLoginOutcome::Deactivated);
    }
    identity.open_session(*user, session, at);
    match identity.user(*user) {
        Some(user) => Decided::Changed(ConcludeLoginOutcome::Opened(user.clone())),
        None => Decided::Refused(ConcludeLoginOutcome::Deactivated),
    }
}

pub(super) fn refresh_session(
    identity: &mut IdentityState,
    at: Timestamp,
    command: &RefreshCommand,
) -> Decided<RefreshOutcome> {
    let Some(token) = identity.refresh_tokens.get_mut(&command.presented) else {
        return Decided::Refused(RefreshOutcome::Unknown);
    };
    let id = token.session;
    let Some(row) = identity.sessions.get_mut(&id) else {
        return Decided::Refused(RefreshOutcome::Unknown);
    };
    let user = identity.users.get(&row.session.user);
    if !row.session.is_live(at) || !user.is_some_and(|row| row.user.is_active) {
        return Decided::Refused(RefreshOutcome::Ended);
    }
    if token.is_used {
        row.session.ended_at = Some(at);
        return Decided::Changed(RefreshOutcome::Reused);
    }
    token.is_used = true;
    row.session.expires_at = command.expires_at;
    identity.give_refresh_token(command.next, id);
    match identity.session_with_user(id) {
        Some(found) => Decided::Changed(RefreshOutcome::Refreshed(found)),
        None => Decided::Refused(RefreshOutcome::Unknown),
    }
}
