//! What the request that opens a socket says about who opens it.

use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use telemed_core::actor::Origin;
use telemed_core::error::{Code, Error};
use telemed_core::identity::AccessToken;

use crate::auth::forgery::{Page, page_of};
use crate::auth::{bearer, cookie, origin};
use crate::surface::Shared;

/// The subprotocol under which a browser, which can send no headers, sends a token.
pub(crate) const SUBPROTOCOL: &str = "bearer";

/// The credentials of a request.
#[derive(Clone, Debug)]
pub(crate) struct Handshake {
    bearer: Option<Result<AccessToken, Code>>,
    cookie: Option<AccessToken>,
    page: Page,
    origin: Origin,
}

impl Handshake {
    pub(crate) fn of(parts: &Parts, shared: &Shared) -> Self {
        let token = |text: &str| AccessToken::new(text.to_owned());
        let bearer = match bearer(&parts.headers) {
            Ok(None) => by_subprotocol(&parts.headers).map(|text| Ok(token(text))),
            Ok(Some(text)) => Some(Ok(token(text))),
            Err(error) => Some(Err(error.code)),
        };
        Self {
            bearer,
            cookie: cookie::token(&parts.headers).map(token),
            page: page_of(parts, shared),
            origin: origin(parts),
        }
    }

    /// Where the request comes from.
    pub(crate) fn origin(&self) -> Origin {
        self.origin
    }

    /// Takes the page of a later request of the same client: the first one of a page of our own
    /// may not have named it.
    pub(crate) fn learn(&mut self, later: &Self) {
        if self.page == Page::Unknown || later.page == Page::Foreign {
            self.page = later.page;
        }
    }

    /// The credential of the request, if it has one: the header, else the subprotocol, else the
    /// session cookie, which counts on pages only that may call us.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`] for a header that cannot be read, [`Code::ForeignOrigin`] for
    /// the cookie on another page.
    pub(crate) fn credential(&self) -> Result<Option<AccessToken>, Error> {
        match (&self.bearer, &self.cookie, self.page) {
            (Some(Ok(token)), _, _) => Ok(Some(token.clone())),
            (Some(Err(code)), _, _) => Err(Error::new(*code)),
            (None, Some(token), Page::Known) => Ok(Some(token.clone())),
            (None, Some(_), Page::Foreign) => Err(Error::new(Code::ForeignOrigin)),
            (None, Some(_), Page::Unknown) | (None, None, _) => Ok(None),
        }
    }
}

/// The token after the word `bearer` in `Sec-WebSocket-Protocol`.
fn by_subprotocol(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let first = values.next()?.to_str().ok()?;
    let (scheme, token) = match first.split_once(',') {
        Some(both) => both,
        // The two may stand in headers of their own.
        None => (first, values.next()?.to_str().ok()?),
    };
    Some(token.trim())
        .filter(|token| scheme.trim().eq_ignore_ascii_case(SUBPROTOCOL) && !token.is_empty())
}

/// Whether a client offers the subprotocol.
pub(crate) fn offers_bearer(headers: &HeaderMap) -> bool {
    by_subprotocol(headers).is_some()
}
