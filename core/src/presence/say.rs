//! Says whether one can be reached.

use std::time::Duration;

use crate::actor::{Actor, UserActor};
use crate::calls::DeviceId;
use crate::error::{Code, Error};
use crate::id::{AppointmentId, CallId, LeaseId};
use crate::policy::{Action, Relation, require};
use crate::presence::{DeviceType, Lease, LeaseSource, Presence, PresenceStatus, Presences};

/// How long what a device says over HTTP is believed.
const BY_HTTP: Duration = Duration::from_secs(90);

/// What a device says of its user.
#[derive(Clone, Debug, PartialEq)]
pub struct SayPresence {
    /// Whether he can be reached.
    pub status: PresenceStatus,
    /// The call that he is in.
    pub current_call: Option<CallId>,
    /// The appointment that he is in.
    pub current_appointment: Option<AppointmentId>,
    /// The device; the session's if it is not said.
    pub device: Option<DeviceId>,
    /// What kind of device it is; as it was, or `web`, if it is not said.
    pub device_type: Option<DeviceType>,
}

impl Presences<'_> {
    /// Says whether the actor can be reached, for his device: on a request of its own for ninety
    /// seconds, and on its open sockets as long as they are open. His contacts are told if it
    /// makes a difference.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`]; [`Code::BrokenRule`]: `current_call_id` for a call and
    /// `current_appointment_id` for an appointment that the actor takes no part in.
    pub async fn say(&self, actor: &Actor, said: SayPresence) -> Result<Presence, Error> {
        let user = self.speaker(actor)?;
        self.require_own(user, &said).await?;
        let now = self.engine.now();
        let device = said
            .device
            .clone()
            .unwrap_or_else(|| DeviceId::of_session(user.session));
        let storage = self.inner().storage();
        let leases = storage.leases_of(user.user).await?;
        let mut own: Vec<Lease> = leases
            .into_iter()
            .filter(|lease| lease.expires_at > now)
            .filter(|lease| lease.is_of(&device) || lease.session == user.session)
            .collect();
        let by_http = LeaseId::new(user.session.get());
        let has_socket = own.iter().any(|lease| lease.source == LeaseSource::Socket);
        own.retain(|lease| lease.id != by_http);
        // With a socket open the device is heard of by that.
        if !has_socket {
            let device_type = DeviceType::from_row("web".to_owned());
            own.push(Lease {
                id: by_http,
                user: user.user,
                device,
                session: user.session,
                device_type,
                source: LeaseSource::Http,
                status: said.status,
                current_call: None,
                current_appointment: None,
                heard_at: now,
                expires_at: now.plus(BY_HTTP),
            });
        }
        for lease in own {
            let changed = Lease {
                status: said.status,
                current_call: said.current_call,
                current_appointment: said.current_appointment,
                device_type: said
                    .device_type
                    .clone()
                    .unwrap_or(lease.device_type.clone()),
                heard_at: now,
                ..lease
            };
            storage.put_lease(&changed).await?;
        }
        if has_socket {
            storage.end_lease(by_http, now, now).await?;
        }
        self.settle(user.user).await;
        self.of(user.user).await
    }

    /// Whose calls and appointments there are does not show: one that is not there is refused as
    /// one of others is.
    async fn require_own(&self, user: &UserActor, said: &SayPresence) -> Result<(), Error> {
        if let Some(call) = said.current_call
            && !self.takes_part(user.user, call).await?
        {
            return Err(Error::broken_rule(
                "current_call_id",
                "must be one of yours",
            ));
        }
        if let Some(appointment) = said.current_appointment
            && !self.is_party(user.user, appointment).await?
        {
            let field = "current_appointment_id";
            return Err(Error::broken_rule(field, "must be one of yours"));
        }
        Ok(())
    }

    /// The user who says something of himself.
    pub(super) fn speaker<'a>(&self, actor: &'a Actor) -> Result<&'a UserActor, Error> {
        let forbidden = || Error::new(Code::Forbidden);
        require(actor, Action::UpdatePresence, Relation::Own, forbidden)?;
        match actor {
            Actor::User(user) => Ok(user),
            Actor::Anonymous(_) | Actor::System(_) => Err(Error::new(Code::Unauthenticated)),
        }
    }
}
