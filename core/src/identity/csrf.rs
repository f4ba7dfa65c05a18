//! The token against forged requests: it proves that a request with a session cookie was made by
//! a page that could read an answer of ours.

use subtle::ConstantTimeEq;

use crate::actor::Actor;
use crate::error::{Code, Error};
use crate::identity::Identity;

impl Identity<'_> {
    /// The token of the actor's session; it is the same as long as the session lives.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`] without a session.
    pub fn csrf_token(&self, actor: &Actor) -> Result<String, Error> {
        let Actor::User(user) = actor else {
            return Err(Error::new(Code::Unauthenticated));
        };
        let session = user.session.get();
        let token = self
            .inner()
            .vault
            .fingerprint("session/csrf", &[session.as_bytes()]);
        Ok(token.0.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Whether a token is that of the actor's session.
    #[must_use]
    pub fn is_csrf_token(&self, actor: &Actor, token: &str) -> bool {
        self.csrf_token(actor)
            .is_ok_and(|expected| expected.as_bytes().ct_eq(token.as_bytes()).into())
    }
}
