//! Adding a message to the end of its conversation: one call of the schema's function, which
//! decides, writes and commits.

use telemed_core::id::{AppointmentId, UserId};
use telemed_core::identity::FullName;
use telemed_core::journal::{KeyRecord, Write};
use telemed_core::messaging::{
    AppendMessage, AppendMessageOutcome, SearchToken, ServiceLabel, StoredMessage,
};
use telemed_core::store::{StoreError, StoreResult, Written};

use super::messages;
use crate::connection::Connection;
use crate::journal::{Entries, known};
use crate::rows::{key_record, number, there};
use crate::statement::{Columns, single};

/// What the function has come to.
enum Answer {
    KeyUsed(KeyRecord),
    NotFound,
    ClientIdReused,
    Repeated {
        seq: u64,
    },
    Appended {
        seq: u64,
        recipient: Option<UserId>,
        sender_name: FullName,
        first_event: i64,
    },
}

pub(super) async fn append(
    connection: &mut Connection,
    write: &Write,
    new: &AppendMessage,
) -> StoreResult<Written<AppendMessageOutcome>> {
    let entries = Entries::of([write])?;
    connection.expect(entries.ids());
    let outcome = match call(connection, write, new, &entries).await? {
        Answer::KeyUsed(record) => {
            let claim = there(write.idempotency.as_ref())?;
            return Ok(known(claim, record));
        }
        Answer::NotFound => AppendMessageOutcome::NotFound,
        Answer::ClientIdReused => AppendMessageOutcome::ClientIdReused,
        Answer::Repeated { seq } => {
            let before = messages::at_place(connection, new.conversation, seq).await?;
            AppendMessageOutcome::Repeated(there(before)?)
        }
        Answer::Appended {
            seq,
            recipient,
            sender_name,
            first_event,
        } => {
            connection.announce(entries.logged(first_event, None)?);
            AppendMessageOutcome::Appended(StoredMessage {
                id: new.id,
                conversation: new.conversation,
                seq,
                sender: new.sender,
                sender_name,
                recipient,
                kind: new.kind,
                body: new.body.clone(),
                appointment: new.appointment,
                service: new.service.clone(),
                call: new.call,
                client_id: new.client.as_ref().map(|client| client.id.clone()),
                created_at: write.at,
                // Nobody has come up to a message that was not there.
                delivered_at: None,
                read_at: None,
            })
        }
    };
    Ok(Written::Applied(outcome))
}

async fn call(
    connection: &mut Connection,
    write: &Write,
    new: &AppendMessage,
    entries: &Entries,
) -> StoreResult<Answer> {
    let node = connection.node();
    let claim = write.idempotency.as_ref();
    let client = new.client.as_ref();
    let mut tokens: Vec<i64> = new.tokens.iter().map(|SearchToken(token)| *token).collect();
    // In the order of the index, so that neighbours are written together.
    tokens.sort_unstable();
    tokens.dedup();
    single(
        connection,
        "adding a message",
        "SELECT outcome, used_fingerprint, used_resource, used_subject, message_seq, recipient,
                sender_name, first_event
         FROM append_message($1, $2::JSONB, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,
                             $15, $16)",
        (
            node,
            entries.text(),
            claim.map(|claim| claim.scope.as_str()),
            claim.map(|claim| claim.key.as_str()),
            write.at.micros(),
            new.conversation.get(),
            new.id.get(),
            new.sender.get(),
            new.kind.as_str(),
            new.body.as_bytes(),
            new.appointment.map(AppointmentId::get),
            new.service.as_ref().map(ServiceLabel::as_str),
            new.call.map(|call| call.get()),
            client.map(|client| client.id.as_str()),
            client.map(|client| client.fingerprint.0.as_slice()),
            tokens,
        ),
        answer,
    )
    .await
}

fn answer(columns: &mut Columns<'_>) -> StoreResult<Answer> {
    let outcome: String = columns.next()?;
    if outcome == "key_used" {
        return key_record(columns).map(Answer::KeyUsed);
    }
    // No key was used.
    let _: Option<Vec<u8>> = columns.next()?;
    let _: (Option<String>, Option<String>) = (columns.next()?, columns.next()?);
    Ok(match outcome.as_str() {
        "appended" => Answer::Appended {
            seq: number(columns)?,
            recipient: columns.maybe(UserId::from_row)?,
            sender_name: columns.make(FullName::from_row)?,
            first_event: columns.next()?,
        },
        "repeated" => Answer::Repeated {
            seq: number(columns)?,
        },
        "client_id_reused" => Answer::ClientIdReused,
        "not_found" => Answer::NotFound,
        _ => return Err(StoreError::corrupt("adding a message: an unknown outcome")),
    })
}
