//! Marking messages as delivered or read.

use telemed_core::messaging::{MarkMessages, MarkMessagesOutcome, ReceiptKind};
use telemed_core::store::{StoreResult, Written};

use super::{conversations, row};
use crate::connection::Connection;
use crate::journal::{Decided, Verdict, repeated, settle};
use crate::rows::number;
use crate::statement::{change, one};

/// Where a participant stands, and what is to be marked.
struct Place {
    delivered_up_to: u64,
    read_up_to: u64,
    /// Messages of others after the mark that is to be moved: up to where it goes, and beyond.
    covered: u64,
    beyond: u64,
}

pub(super) async fn mark(
    connection: &mut Connection,
    command: &MarkMessages,
) -> StoreResult<Verdict<Written<MarkMessagesOutcome>>> {
    if let Some(answer) = repeated(connection, &command.write).await? {
        return Ok(Verdict::Undo(answer));
    }
    let last_seq = conversations::lock(connection, command.conversation).await?;
    let up_to = command.up_to.min(last_seq.unwrap_or(0));
    let refused = |outcome| Ok(Verdict::Undo(Written::Applied(outcome)));
    // A statement of its own: it sees what was committed while the lock was waited for.
    let Some(place) = place(connection, command, up_to).await? else {
        return refused(MarkMessagesOutcome::NotFound);
    };
    if place.covered == 0 {
        return refused(MarkMessagesOutcome::Unchanged);
    }
    let after = match command.kind {
        ReceiptKind::Delivered => place.delivered_up_to,
        ReceiptKind::Read => place.read_up_to,
    };
    move_place(connection, command, up_to, &place).await?;
    add_receipts(connection, command, up_to, &place).await?;
    let marked = MarkMessagesOutcome::Marked {
        after,
        up_to,
        count: place.covered,
    };
    let write = command.write_for(after, up_to);
    let verdict = settle(connection, &write, Decided::Changed(marked));
    Ok(verdict.map(Written::Applied))
}

async fn place(
    connection: &mut Connection,
    command: &MarkMessages,
    up_to: u64,
) -> StoreResult<Option<Place>> {
    one(
        connection,
        "reading a participant's place",
        "SELECT delivered_up_to, read_up_to, others.covered, others.beyond
         FROM conversation_participants AS place
         CROSS JOIN LATERAL (
             SELECT count(*) FILTER (WHERE seq <= $4) AS covered,
                    count(*) FILTER (WHERE seq > $4) AS beyond
             FROM messages
             WHERE messages.conversation_id = place.conversation_id
                 AND seq > CASE WHEN $3 THEN read_up_to ELSE delivered_up_to END
                 AND sender_id <> place.user_id
         ) AS others
         WHERE place.conversation_id = $1 AND place.user_id = $2",
        (
            command.conversation.get(),
            command.user.get(),
            command.kind == ReceiptKind::Read,
            row(up_to),
        ),
        |columns| {
            Ok(Place {
                delivered_up_to: number(columns)?,
                read_up_to: number(columns)?,
                covered: number(columns)?,
                beyond: number(columns)?,
            })
        },
    )
    .await
}

async fn move_place(
    connection: &mut Connection,
    command: &MarkMessages,
    up_to: u64,
    place: &Place,
) -> StoreResult<()> {
    let action = "moving a participant's place";
    let whose = (command.conversation.get(), command.user.get());
    match command.kind {
        ReceiptKind::Delivered => {
            change(
                connection,
                action,
                "UPDATE conversation_participants SET delivered_up_to = $3
                 WHERE conversation_id = $1 AND user_id = $2",
                (whose.0, whose.1, row(up_to)),
            )
            .await?
        }
        ReceiptKind::Read => {
            change(
                connection,
                action,
                "UPDATE conversation_participants
                 SET delivered_up_to = greatest(delivered_up_to, $3), read_up_to = $3, unread = $4
                 WHERE conversation_id = $1 AND user_id = $2",
                (whose.0, whose.1, row(up_to), row(place.beyond)),
            )
            .await?
        }
    };
    Ok(())
}

/// Reading is a delivery too.
async fn add_receipts(
    connection: &mut Connection,
    command: &MarkMessages,
    up_to: u64,
    place: &Place,
) -> StoreResult<()> {
    let mut kinds = vec![command.kind.as_str()];
    if command.kind == ReceiptKind::Read && place.delivered_up_to < up_to {
        kinds.push(ReceiptKind::Delivered.as_str());
    }
    change(
        connection,
        "adding receipts",
        "INSERT INTO receipts (conversation_id, user_id, kind, up_to, at)
         SELECT $1, $2, kind, $4, $5 FROM unnest($3::TEXT[]) AS kind",
        (
            command.conversation.get(),
            command.user.get(),
            kinds,
            row(up_to),
            command.write.at.micros(),
        ),
    )
    .await
    .map(drop)
}
