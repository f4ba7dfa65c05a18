//! Looks whether somebody can be reached.

use crate::actor::{Actor, Role};
use crate::error::{Code, Error, What};
use crate::id::{AppointmentId, CallId, UserId};
use crate::policy::{Action, Decision, Relation, decide, require};
use crate::presence::settle::bounds;
use crate::presence::{Presence, PresenceStatus, Presences};

/// How many people a list holds at most.
const MOST_LISTED: u32 = 500;

impl Presences<'_> {
    /// Whether somebody can be reached. The call and the appointment that he is in show to those
    /// who take part in them.
    ///
    /// # Errors
    /// [`Code::NotFound`] for anybody but himself, his contacts and administrators.
    pub async fn look(&self, actor: &Actor, user: UserId) -> Result<Presence, Error> {
        let hidden = || Error::not_found(What::User, user.get());
        require(actor, Action::ReadPresence, Relation::Own, hidden)?;
        let own = self.asker(actor)?;
        let relates = own == user || self.are_contacts(own, user).await?;
        require(actor, Action::ReadPresence, Relation::own(relates), hidden)?;
        let found = self.found(user).await?;
        let mut presence = found.ok_or_else(hidden)?;
        if own != user {
            self.hide(own, &mut presence).await?;
        }
        Ok(presence)
    }

    /// Who can be reached of the actor's contacts, by name; of the role if one is given. Where
    /// doctors are asked for, listed doctors who are no contacts come too, with their status only.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(&self, actor: &Actor, role: Option<Role>) -> Result<Vec<Presence>, Error> {
        let forbidden = || Error::new(Code::Forbidden);
        require(actor, Action::ListPresence, Relation::Own, forbidden)?;
        let own = self.asker(actor)?;
        let storage = self.inner().storage();
        let now = self.engine.now();
        let sees_all = decide(actor, Action::ReadPresence, Relation::None) == Decision::Allow;
        let contacts = storage
            .present_contacts(own, bounds(now), now, MOST_LISTED)
            .await?;
        let mut users = contacts.clone();
        if role == Some(Role::Doctor) {
            users.extend(storage.present_doctors(now, MOST_LISTED).await?);
            users.retain(|user| *user != own);
        }
        let mut listed = Vec::new();
        for row in storage.presence_rows(&users, now).await? {
            let is_contact = contacts.binary_search(&row.user).is_ok();
            let mut presence = Presence::from(row);
            if presence.status == PresenceStatus::Offline
                || role.is_some_and(|role| presence.role != role)
            {
                continue;
            }
            if !is_contact && !sees_all {
                presence.last_seen = None;
                presence.device_type = None;
            }
            presence.current_call = None;
            presence.current_appointment = None;
            listed.push(presence);
        }
        listed.sort_by(|one, other| {
            (one.name.as_str(), one.user).cmp(&(other.name.as_str(), other.user))
        });
        Ok(listed)
    }

    /// Whether each of these users can be reached, for those who see them anyway.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn are_online(&self, users: &[UserId]) -> Result<Vec<UserId>, Error> {
        let rows = self
            .inner()
            .storage()
            .presence_rows(users, self.engine.now());
        let rows = rows.await?.into_iter().map(Presence::from);
        let online = rows.filter(|presence| presence.status != PresenceStatus::Offline);
        Ok(online.map(|presence| presence.user).collect())
    }

    /// Whether a user can be reached.
    pub(crate) async fn of(&self, user: UserId) -> Result<Presence, Error> {
        let found = self.found(user).await?;
        found.ok_or_else(|| Error::not_found(What::User, user.get()))
    }

    async fn found(&self, user: UserId) -> Result<Option<Presence>, Error> {
        let storage = self.inner().storage();
        let mut rows = storage.presence_rows(&[user], self.engine.now()).await?;
        Ok(rows.pop().map(Presence::from))
    }

    async fn are_contacts(&self, one: UserId, other: UserId) -> Result<bool, Error> {
        let storage = self.inner().storage();
        let bounds = bounds(self.engine.now());
        Ok(storage.are_contacts([one, other], bounds).await?)
    }

    fn asker(&self, actor: &Actor) -> Result<UserId, Error> {
        actor
            .user_id()
            .ok_or_else(|| Error::new(Code::Unauthenticated))
    }

    /// Hides the call and the appointment that somebody takes no part in.
    async fn hide(&self, from: UserId, presence: &mut Presence) -> Result<(), Error> {
        if let Some(call) = presence.current_call
            && !self.takes_part(from, call).await?
        {
            presence.current_call = None;
        }
        if let Some(appointment) = presence.current_appointment
            && !self.is_party(from, appointment).await?
        {
            presence.current_appointment = None;
        }
        Ok(())
    }

    pub(super) async fn takes_part(&self, user: UserId, call: CallId) -> Result<bool, Error> {
        let found = self.inner().storage().call_by_id(call).await?;
        Ok(found.is_some_and(|call| call.side_of(user).is_some()))
    }

    pub(super) async fn is_party(
        &self,
        user: UserId,
        appointment: AppointmentId,
    ) -> Result<bool, Error> {
        let found = self
            .inner()
            .storage()
            .appointment_by_id(appointment)
            .await?;
        Ok(found.is_some_and(|row| [row.patient, row.facts.doctor].contains(&user)))
    }
}
