//! Who has a socket open.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use telemed_core::id::UserId;

/// Who has a socket open on this node. Copies of it are the same.
#[derive(Clone, Debug, Default)]
pub struct OnlineUsers(Arc<Mutex<HashMap<UserId, usize>>>);

impl OnlineUsers {
    /// Notes that a socket of a user has opened; it counts until the guard is dropped.
    #[must_use]
    pub fn opened(&self, user: UserId) -> OpenSocket {
        let mut sockets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *sockets.entry(user).or_insert(0) += 1;
        OpenSocket {
            users: self.clone(),
            user,
        }
    }

    /// Whether a socket of the user is open.
    #[must_use]
    pub fn is_online(&self, user: UserId) -> bool {
        let sockets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sockets.contains_key(&user)
    }
}

/// An open socket of a user.
#[derive(Debug)]
pub struct OpenSocket {
    users: OnlineUsers,
    user: UserId,
}

impl Drop for OpenSocket {
    fn drop(&mut self) {
        let mut sockets = self.users.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = sockets.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                sockets.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_is_online_until_the_last_socket_closes() {
        let users = OnlineUsers::default();
        let (one, other) = (UserId::from_row(1), UserId::from_row(2));
        let first = users.opened(one);
        let second = users.clone().opened(one);
        assert!(users.is_online(one) && !users.is_online(other));
        drop(first);
        assert!(users.is_online(one));
        drop(second);
        assert!(!users.is_online(one));
    }
}
