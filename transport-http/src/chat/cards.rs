//! Conversations and messages as this surface and its sockets show them.

use serde::Serialize;
use telemed_core::actor::Role;
use telemed_core::id::UserId;
use telemed_core::messaging::{ConversationSummary, Message, MessageStatus, Participant};
use utoipa::ToSchema;

/// A message.
#[derive(Clone, Serialize, ToSchema)]
pub(crate) struct MessageCard {
    /// The id.
    #[schema(format = "uuid")]
    id: String,
    /// The conversation.
    #[schema(format = "uuid")]
    conversation_id: String,
    /// Who sent it.
    sender_id: i64,
    /// The sender's name.
    sender_name: String,
    /// The other one.
    recipient_id: Option<i64>,
    /// The text, byte for byte as it was sent: escape it where you show it.
    message: String,
    /// The same as `message`.
    content: String,
    /// `text`, `image`, `file`, `voice_note`, `prescription`, `report` or `system`.
    #[schema(value_type = String, example = "text")]
    message_type: &'static str,
    /// The attachment.
    file_path: Option<String>,
    /// Where the attachment can be fetched.
    file_url: Option<String>,
    /// Whether the recipient has read it.
    is_read: bool,
    /// When the recipient read it first.
    #[schema(format = DateTime)]
    read_at: Option<String>,
    /// When a device of the recipient had it first.
    #[schema(format = DateTime)]
    delivered_at: Option<String>,
    /// `sent`, `delivered` or `read`.
    #[schema(value_type = String, example = "sent")]
    status: &'static str,
    /// The appointment that it is about.
    appointment_id: Option<i64>,
    /// The service that it is about.
    service_id: Option<String>,
    /// The call in which it was sent.
    #[schema(format = "uuid")]
    call_id: Option<String>,
    /// The id that the sender's client gave it.
    client_msg_id: Option<String>,
    /// Its place in the conversation: dense, from 1.
    seq: u64,
    /// When it was sent.
    #[schema(format = DateTime)]
    created_at: String,
}

impl From<Message> for MessageCard {
    fn from(message: Message) -> Self {
        let status = message.status();
        Self {
            id: message.id.to_string(),
            conversation_id: message.conversation.to_string(),
            sender_id: message.sender.get(),
            sender_name: message.sender_name.as_str().to_owned(),
            recipient_id: message.recipient.map(UserId::get),
            content: message.body.clone(),
            message: message.body,
            message_type: message.kind.as_str(),
            // A message with a file has no way in yet.
            file_path: None,
            file_url: None,
            is_read: status == MessageStatus::Read,
            read_at: message.read_at.map(|at| at.to_string()),
            delivered_at: message.delivered_at.map(|at| at.to_string()),
            status: status.as_str(),
            appointment_id: message.appointment.map(|id| id.get()),
            service_id: message.service.map(|label| label.as_str().to_owned()),
            call_id: message.call.map(|id| id.to_string()),
            client_msg_id: message.client_id.map(|id| id.as_str().to_owned()),
            seq: message.seq,
            created_at: message.created_at.to_string(),
        }
    }
}

/// A conversation, as the caller sees it.
#[derive(Clone, Serialize, ToSchema)]
pub(super) struct ConversationCard {
    /// The id.
    #[schema(format = "uuid")]
    id: String,
    /// The other one.
    participant: Option<ParticipantCard>,
    /// The newest message.
    last_message: Option<MessageCard>,
    /// The text of the newest message.
    last_message_content: Option<String>,
    /// When the newest message was sent.
    #[schema(format = DateTime)]
    last_message_at: Option<String>,
    /// How many messages the caller has not read.
    unread_count: u64,
    /// The patient.
    patient_id: Option<i64>,
    /// The doctor.
    doctor_id: Option<i64>,
    /// The patient's name.
    patient_name: Option<String>,
    /// The doctor's name.
    doctor_name: Option<String>,
    /// The two once more.
    participant_info: ParticipantInfo,
    /// The appointment that it is about: what was asked for, else that of the newest message.
    appointment_id: Option<i64>,
    /// Whether it is in the caller's list; the next message brings it back.
    is_active: bool,
    /// When it was opened.
    #[schema(format = DateTime)]
    created_at: String,
}

/// The other one of a conversation.
#[derive(Clone, Serialize, ToSchema)]
struct ParticipantCard {
    /// The id.
    id: i64,
    /// The name.
    name: String,
    /// `patient`, `doctor` or `admin`.
    #[schema(value_type = String, example = "doctor")]
    user_type: &'static str,
    /// Whether he can be reached: a device of his was heard of just now.
    is_online: bool,
}

/// Patient and doctor of a conversation.
#[derive(Clone, Serialize, ToSchema)]
struct ParticipantInfo {
    /// The patient.
    patient: Option<PatientInfo>,
    /// The doctor.
    doctor: Option<DoctorInfo>,
}

/// The patient of a conversation.
#[derive(Clone, Serialize, ToSchema)]
struct PatientInfo {
    /// The id.
    id: i64,
    /// The name.
    name: String,
}

/// The doctor of a conversation.
#[derive(Clone, Serialize, ToSchema)]
struct DoctorInfo {
    /// The id.
    id: i64,
    /// The name.
    name: String,
    /// The field of medicine.
    specialty: Option<String>,
}

impl ConversationCard {
    /// The conversation for one of its participants, and who can be reached.
    pub(super) fn of(
        summary: ConversationSummary,
        user: Option<UserId>,
        online: &[UserId],
    ) -> Self {
        let ConversationSummary {
            conversation,
            last_message,
        } = summary;
        let last_message = last_message.map(MessageCard::from);
        let own = user.and_then(|user| conversation.participant(user));
        let other = user.and_then(|user| conversation.other(user));
        let one_who_is = |role| {
            let mut all = conversation.participants.iter();
            all.find(move |one| one.role == role)
        };
        let name = |one: &Participant| one.name.as_str().to_owned();
        let (patient, doctor) = (one_who_is(Role::Patient), one_who_is(Role::Doctor));
        Self {
            id: conversation.id.to_string(),
            participant: other.map(|one| ParticipantCard {
                id: one.user.get(),
                name: name(one),
                user_type: one.role.as_str(),
                is_online: online.contains(&one.user),
            }),
            last_message_content: last_message.as_ref().map(|last| last.message.clone()),
            last_message_at: conversation.last_message_at.map(|at| at.to_string()),
            unread_count: own.map_or(0, |own| own.unread),
            patient_id: patient.map(|one| one.user.get()),
            doctor_id: doctor.map(|one| one.user.get()),
            patient_name: patient.map(name),
            doctor_name: doctor.map(name),
            participant_info: ParticipantInfo {
                patient: patient.map(|one| PatientInfo {
                    id: one.user.get(),
                    name: name(one),
                }),
                doctor: doctor.map(|one| DoctorInfo {
                    id: one.user.get(),
                    name: name(one),
                    specialty: one.specialty.as_ref().map(|word| word.as_str().to_owned()),
                }),
            },
            appointment_id: last_message.as_ref().and_then(|last| last.appointment_id),
            is_active: own.is_some_and(|own| !own.is_archived),
            created_at: conversation.created_at.to_string(),
            last_message,
        }
    }

    /// The same with the appointment that was asked for.
    pub(super) fn about(mut self, appointment: Option<i64>) -> Self {
        self.appointment_id = appointment.or(self.appointment_id);
        self
    }
}
