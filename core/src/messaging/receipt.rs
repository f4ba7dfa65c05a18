//! Receipts: ranges that are added and never changed.
//!
//! A receipt says that a participant has come up to a message at an instant. When he read one
//! message follows from the first of his receipts that covers it, so later receipts never move
//! the first time.

use crate::id::UserId;
use crate::time::Timestamp;
use crate::value::words;

words! {
    /// What a receipt says.
    ReceiptKind {
        /// A device has the messages.
        Delivered = "delivered",
        /// The participant has read the messages.
        Read = "read",
    }
}

/// A participant has come up to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Receipt {
    /// Whose it is.
    pub(crate) user: UserId,
    /// What it says.
    pub(crate) kind: ReceiptKind,
    /// Up to and including this message.
    pub(crate) up_to: u64,
    /// When.
    pub(crate) at: Timestamp,
}

/// When the user's receipts of a kind first covered a message.
pub(crate) fn first_covering(
    receipts: &[Receipt],
    user: UserId,
    kind: ReceiptKind,
    seq: u64,
) -> Option<Timestamp> {
    receipts
        .iter()
        .filter(|one| one.user == user && one.kind == kind && one.up_to >= seq)
        .min_by_key(|one| one.up_to)
        .map(|one| one.at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_range_that_covers_a_message_dates_it() {
        let (reader, other) = (UserId::from_row(1), UserId::from_row(2));
        let receipt = |user, kind, up_to, at| Receipt {
            user,
            kind,
            up_to,
            at: Timestamp::from_micros(at),
        };
        let receipts = [
            receipt(reader, ReceiptKind::Read, 3, 10),
            receipt(reader, ReceiptKind::Read, 7, 20),
            receipt(reader, ReceiptKind::Delivered, 9, 5),
            receipt(other, ReceiptKind::Read, 9, 1),
        ];
        let read =
            |seq| first_covering(&receipts, reader, ReceiptKind::Read, seq).map(Timestamp::micros);
        assert_eq!(
            [1, 3, 4, 7, 8].map(read),
            [Some(10), Some(10), Some(20), Some(20), None]
        );
    }
}
