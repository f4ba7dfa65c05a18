//! By which servers two devices find to each other.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use telemed_core::calls::IceServer;
use utoipa::ToSchema;

use crate::auth::Caller;
use crate::envelope::json;
use crate::platform::Platform;
use crate::platform::reply::{Answer, Refusals};

/// A server, as browsers take it (`RTCIceServer`).
#[derive(Clone, Serialize, ToSchema)]
pub(crate) struct IceServerLine {
    /// Its address.
    #[schema(example = "stun:stun.example.org:3478")]
    urls: String,
    /// For a server that relays: until when the credential is good, and for which call.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    /// The credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<String>,
}

impl From<IceServer> for IceServerLine {
    fn from(server: IceServer) -> Self {
        let (username, credential) = server
            .credential
            .map(|credential| (credential.username, credential.password))
            .unzip();
        Self {
            urls: server.url,
            username,
            credential,
        }
    }
}

/// The servers, as they are sent.
pub(crate) fn lines(servers: Vec<IceServer>) -> Vec<IceServerLine> {
    servers.into_iter().map(IceServerLine::from).collect()
}

/// The servers, as an argument of `RTCPeerConnection`: without the envelope of the others.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct IceConfiguration {
    /// The servers.
    ice_servers: Vec<IceServerLine>,
}

/// The servers for the caller's live call, with credentials that end soon; without a call, those
/// that need none.
#[utoipa::path(get, path = "/api/ice", tag = "calls",
    operation_id = "get_ice_servers",
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "The servers, as they are given to `RTCPeerConnection`", body = IceConfiguration), Refusals))]
pub(super) async fn own(State(state): State<Platform>, Caller(actor): Caller) -> Answer {
    let servers = state.engine.calls().own_ice_servers(&actor).await?;
    let body = IceConfiguration {
        ice_servers: lines(servers),
    };
    Ok(json(StatusCode::OK, &body))
}
