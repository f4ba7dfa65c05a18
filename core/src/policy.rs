//! Who may do what: one function, deny by default.
//!
//! The table below is printed as `permissions.md` in the documentation of this crate; a test
//! fails when the two differ, so that every change of a permission is a visible change.

use crate::actor::{Actor, Role};
use crate::error::{Code, Error};
use crate::value::words;

/// What kind of actor asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// A visitor.
    Anonymous,
    /// A patient.
    Patient,
    /// A doctor whom no administrator has verified.
    UnverifiedDoctor,
    /// A verified doctor.
    Doctor,
    /// An administrator.
    Admin,
    /// The engine's own jobs, or its operator.
    System,
}

impl Party {
    /// Every party, in the order of the printed table.
    pub const ALL: [Self; 6] = [
        Self::Anonymous,
        Self::Patient,
        Self::UnverifiedDoctor,
        Self::Doctor,
        Self::Admin,
        Self::System,
    ];

    fn of(actor: &Actor) -> Self {
        match actor {
            Actor::Anonymous(_) => Self::Anonymous,
            Actor::System(_) => Self::System,
            Actor::User(user) => match (user.role, user.verified) {
                (Role::Patient, _) => Self::Patient,
                (Role::Doctor, false) => Self::UnverifiedDoctor,
                (Role::Doctor, true) => Self::Doctor,
                (Role::Admin, _) => Self::Admin,
            },
        }
    }
}

/// How the actor stands to what is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Relation {
    /// A stranger, or nothing that one could stand to.
    None,
    /// A doctor with a care relation to the patient: an appointment that was neither rejected
    /// nor cancelled, until 365 days after its end.
    Care,
    /// It is the actor himself, or he is a party to it.
    Own,
}

impl Relation {
    /// [`Relation::Own`] if it is, else [`Relation::None`].
    #[must_use]
    pub fn own(is_own: bool) -> Self {
        if is_own { Self::Own } else { Self::None }
    }
}

/// What a party is granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grant {
    Never,
    Own,
    Care,
    Any,
}

words! {
    /// An action, as the policy and the audit trail name it.
    Action {
        /// Make a patient's account.
        RegisterPatient = "user.register_patient",
        /// Make a doctor's or an administrator's account.
        RegisterStaff = "user.register_staff",
        /// Make the own doctor's account, to be verified by an administrator.
        ApplyAsDoctor = "user.apply_as_doctor",
        /// Exchange a refresh token.
        RefreshSession = "session.refresh",
        /// Open a session.
        OpenSession = "session.open",
        /// End the own session.
        EndSession = "session.end",
        /// Read the own account.
        ReadOwnUser = "user.read_own",
        /// Change the own password.
        ChangePassword = "user.change_password",
        /// Change the own account's data.
        UpdateOwnUser = "user.update_own",
        /// List all users.
        ListUsers = "user.list",
        /// Activate an account.
        ActivateUser = "user.activate",
        /// Deactivate an account.
        DeactivateUser = "user.deactivate",
        /// Make or complete a doctor's profile.
        CreateDoctor = "doctor.create",
        /// Change a doctor's profile.
        UpdateDoctor = "doctor.update",
        /// Change what a doctor says about himself.
        UpdateOwnPractice = "doctor.update_own",
        /// Verify a doctor.
        VerifyDoctor = "doctor.verify",
        /// Read about listed doctors.
        ReadDoctors = "doctor.read",
        /// Make a clinic.
        CreateClinic = "clinic.create",
        /// Change a clinic.
        UpdateClinic = "clinic.update",
        /// Read about clinics.
        ReadClinics = "clinic.read",
        /// Read a patient's profile.
        ReadPatient = "patient.read",
        /// Change a patient's profile.
        UpdatePatient = "patient.update",
        /// List a patient's appointments.
        ListPatientAppointments = "patient.list_appointments",
        /// Offer a slot.
        CreateSlot = "slot.create",
        /// Take a slot back.
        RetireSlot = "slot.retire",
        /// Search slots that can be booked.
        SearchSlots = "slot.search",
        /// Read a doctor's weekly hours and blocked times.
        ReadSchedule = "schedule.read",
        /// Set a doctor's weekly hours.
        SetSchedule = "schedule.set",
        /// Publish slots from a doctor's weekly hours.
        PublishSlots = "schedule.publish",
        /// Block a time.
        BlockTime = "schedule.block",
        /// Free a blocked time.
        UnblockTime = "schedule.unblock",
        /// Book an appointment.
        Book = "appointment.book",
        /// Read an appointment.
        ReadAppointment = "appointment.read",
        /// List all appointments.
        ListAppointments = "appointment.list",
        /// List the appointments that the actor is a party to.
        ListOwnAppointments = "appointment.list_own",
        /// Move an appointment to another slot.
        Reschedule = "appointment.reschedule",
        /// Change the notes on an appointment.
        UpdateNotes = "appointment.update_notes",
        /// Cancel an appointment.
        Cancel = "appointment.cancel",
        /// Confirm an appointment.
        Confirm = "appointment.confirm",
        /// Reject an appointment.
        Reject = "appointment.reject",
        /// Say that an appointment took place.
        Complete = "appointment.complete",
        /// Say that the patient did not come.
        NoShow = "appointment.no_show",
        /// Open a conversation with somebody.
        OpenConversation = "conversation.open",
        /// List the own conversations.
        ListConversations = "conversation.list",
        /// Read a conversation.
        ReadConversation = "conversation.read",
        /// Put a conversation away or bring it back.
        ArchiveConversation = "conversation.archive",
        /// Show that one writes.
        ShowTyping = "conversation.show_typing",
        /// Send a message.
        SendMessage = "message.send",
        /// Mark messages as delivered or read.
        MarkMessages = "message.mark",
        /// Search the own messages.
        SearchMessages = "message.search",
        /// Call somebody.
        InitiateCall = "call.initiate",
        /// Accept or decline a call.
        AnswerCall = "call.answer",
        /// Hand signals to the other device of a call.
        SignalCall = "call.signal",
        /// End a call.
        EndCall = "call.end",
        /// Say how good the connection of a call is.
        MeasureCall = "call.measure",
        /// List the own calls and how they went.
        ListCalls = "call.list",
        /// Read about a call and its quality.
        ReadCall = "call.read",
        /// Say whether one can be reached.
        UpdatePresence = "presence.update",
        /// See whether somebody can be reached.
        ReadPresence = "presence.read",
        /// List who can be reached.
        ListPresence = "presence.list",
        /// Read what has happened to oneself since a cursor.
        ReadEvents = "event.read",
    }
}

impl Action {
    /// What each party is granted, in the order of [`Party::ALL`].
    const fn grants(self) -> [Grant; 6] {
        use Grant::{Any, Care, Never, Own};
        match self {
            Self::RegisterPatient
            | Self::ApplyAsDoctor
            | Self::OpenSession
            | Self::RefreshSession => [Any, Any, Any, Any, Any, Any],
            Self::ReadDoctors | Self::ReadClinics | Self::SearchSlots => {
                [Any, Any, Any, Any, Any, Any]
            }
            Self::EndSession | Self::ReadOwnUser | Self::UpdateOwnUser | Self::ChangePassword => {
                [Never, Own, Own, Own, Own, Never]
            }
            Self::RegisterStaff
            | Self::ListUsers
            | Self::ActivateUser
            | Self::DeactivateUser
            | Self::CreateDoctor
            | Self::UpdateDoctor
            | Self::VerifyDoctor
            | Self::CreateClinic
            | Self::UpdateClinic
            | Self::ListAppointments => [Never, Never, Never, Never, Any, Any],
            Self::UpdateOwnPractice => [Never, Never, Own, Own, Never, Never],
            Self::ReadPatient => [Never, Own, Never, Care, Any, Never],
            Self::UpdatePatient => [Never, Own, Never, Never, Any, Never],
            Self::ListPatientAppointments => [Never, Own, Never, Never, Any, Never],
            Self::CreateSlot
            | Self::RetireSlot
            | Self::ReadSchedule
            | Self::SetSchedule
            | Self::PublishSlots
            | Self::BlockTime
            | Self::UnblockTime => [Never, Never, Never, Own, Any, Any],
            Self::ListOwnAppointments => [Never, Own, Never, Own, Any, Never],
            Self::Book => [Never, Own, Never, Never, Any, Never],
            Self::ReadAppointment | Self::Cancel | Self::Reschedule | Self::UpdateNotes => {
                [Never, Own, Never, Own, Any, Never]
            }
            Self::OpenConversation
            | Self::ListConversations
            | Self::ReadConversation
            | Self::ArchiveConversation
            | Self::ShowTyping
            | Self::SendMessage
            | Self::MarkMessages
            | Self::SearchMessages
            | Self::ReadEvents => [Never, Own, Own, Own, Own, Never],
            Self::InitiateCall
            | Self::AnswerCall
            | Self::SignalCall
            | Self::EndCall
            | Self::MeasureCall => [Never, Own, Never, Own, Never, Never],
            Self::ListCalls => [Never, Own, Never, Own, Own, Never],
            Self::ReadCall => [Never, Own, Never, Own, Any, Never],
            Self::UpdatePresence | Self::ListPresence => [Never, Own, Own, Own, Own, Never],
            Self::ReadPresence => [Never, Own, Own, Own, Any, Never],
            Self::Confirm | Self::Reject | Self::Complete | Self::NoShow => {
                [Never, Never, Never, Own, Any, Never]
            }
        }
    }

    /// Whether a stranger is told "not found" where the right relation would let him in. Where
    /// he named somebody else in his own request, or where there is nothing to hide, he is told
    /// that he may not.
    const fn hides(self) -> bool {
        !matches!(
            self,
            Self::Book
                | Self::CreateSlot
                | Self::ReadSchedule
                | Self::SetSchedule
                | Self::PublishSlots
                | Self::BlockTime
                | Self::OpenConversation
                | Self::InitiateCall
        )
    }
}

/// What the policy says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It may be done.
    Allow,
    /// Sign in first (401).
    SignIn,
    /// The role may not do this, or not for somebody else (403).
    Forbid,
    /// It must look as if it were not there (404).
    Hide,
}

/// Decides. Whatever is not granted is refused.
#[must_use]
pub fn decide(actor: &Actor, action: Action, relation: Relation) -> Decision {
    judge(Party::of(actor), action, relation)
}

fn judge(party: Party, action: Action, relation: Relation) -> Decision {
    let grants = action.grants();
    let grant = Party::ALL
        .iter()
        .position(|candidate| *candidate == party)
        .map_or(Grant::Never, |at| grants[at]);
    let needed = match grant {
        Grant::Any => return Decision::Allow,
        Grant::Never if party == Party::Anonymous => return Decision::SignIn,
        Grant::Never => return Decision::Forbid,
        Grant::Care => Relation::Care,
        Grant::Own => Relation::Own,
    };
    if relation >= needed {
        Decision::Allow
    } else if action.hides() {
        Decision::Hide
    } else {
        Decision::Forbid
    }
}

/// Refuses what the policy does not allow.
///
/// # Errors
/// [`Code::Unauthenticated`], [`Code::Forbidden`], or `hidden` where it must look as if it were
/// not there.
pub fn require(
    actor: &Actor,
    action: Action,
    relation: Relation,
    hidden: impl FnOnce() -> Error,
) -> Result<(), Error> {
    match decide(actor, action, relation) {
        Decision::Allow => Ok(()),
        Decision::SignIn => Err(Error::new(Code::Unauthenticated)),
        Decision::Forbid => Err(Error::new(Code::Forbidden)),
        Decision::Hide => Err(hidden()),
    }
}

/// The table in Markdown.
#[must_use]
pub fn permission_table() -> String {
    let mut text = String::from(
        "# Permissions\n\nPrinted from the policy; do not edit by hand. \
         `any`: for everybody's. `care`: with a care relation to the patient. `own`: for what is \
         his own or what he is a party to; what is not is 404, or 403 where marked with *. \
         `sign in`: 401. `-`: 403.\n\n\
         | action | visitor | patient | doctor, unverified | doctor | administrator | system |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for &action in Action::ALL {
        text.push_str(&format!("| {action} |"));
        for party in Party::ALL {
            let shown = match judge(party, action, Relation::None) {
                Decision::Allow => "any",
                Decision::SignIn => "sign in",
                refused => match (judge(party, action, Relation::Care), refused) {
                    (Decision::Allow, _) => "care",
                    (_, refused) => match (judge(party, action, Relation::Own), refused) {
                        (Decision::Allow, Decision::Forbid) => "own*",
                        (Decision::Allow, _) => "own",
                        _ => "-",
                    },
                },
            };
            text.push_str(&format!(" {shown} |"));
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used)]
    use super::*;

    #[test]
    fn the_printed_table_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/docs/permissions.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, permission_table()).expect("the table can be written");
        }
        let printed = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(
            printed,
            permission_table(),
            "the policy has changed: look at the difference, then run the tests with UPDATE_DOCS=1"
        );
    }

    #[test]
    fn visitors_are_asked_to_sign_in_and_nothing_else_is_said() {
        for &action in Action::ALL {
            let decision = judge(Party::Anonymous, action, Relation::None);
            assert!(
                matches!(decision, Decision::Allow | Decision::SignIn),
                "{action}"
            );
        }
    }

    #[test]
    fn an_unverified_doctor_touches_no_patient_and_no_slot() {
        for &action in Action::ALL {
            let touches = action.as_str().starts_with("patient.")
                || action.as_str().starts_with("appointment.")
                || action.as_str() == "slot.create"
                || action.as_str() == "slot.retire"
                || action.as_str().starts_with("schedule.")
                || action.as_str().starts_with("call.");
            if touches {
                assert_eq!(
                    judge(Party::UnverifiedDoctor, action, Relation::Own),
                    Decision::Forbid,
                    "{action}"
                );
            }
        }
    }
}
