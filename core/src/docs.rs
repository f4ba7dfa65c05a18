//! Documents that live with the code.

#[doc = include_str!("docs/permissions.md")]
pub mod permissions {}

#[doc = include_str!("docs/search.md")]
pub mod search {}

/// Decisions, each with its cost. A new one is a copy of `template.md` with the next number.
pub mod adr {
    #[doc = include_str!("docs/adr/0001-stores-finish-a-booking.md")]
    pub mod adr_0001 {}
    #[doc = include_str!("docs/adr/0002-stores-publish-events.md")]
    pub mod adr_0002 {}
    #[doc = include_str!("docs/adr/0003-codes-of-core-and-codes-of-a-surface.md")]
    pub mod adr_0003 {}
    #[doc = include_str!("docs/adr/0004-the-audit-trail-is-sealed-in-the-sqlite-writer.md")]
    pub mod adr_0004 {}
    #[doc = include_str!("docs/adr/0005-a-profile-is-sealed-as-a-whole.md")]
    pub mod adr_0005 {}
    #[doc = include_str!("docs/adr/0006-failed-logins-are-counted-in-piles.md")]
    pub mod adr_0006 {}
    #[doc = include_str!("docs/adr/0007-slots-are-published-and-not-computed.md")]
    pub mod adr_0007 {}
    #[doc = include_str!("docs/adr/0008-a-publication-goes-around-what-is-there.md")]
    pub mod adr_0008 {}
    #[doc = include_str!("docs/adr/0009-sealed-messages-are-found-by-keyed-tokens.md")]
    pub mod adr_0009 {}
    #[doc = include_str!("docs/adr/0010-receipts-are-ranges.md")]
    pub mod adr_0010 {}
    #[doc = include_str!("docs/adr/0011-a-call-changes-by-compare-and-set.md")]
    pub mod adr_0011 {}
    #[doc = include_str!("docs/adr/0012-presence-follows-from-leases.md")]
    pub mod adr_0012 {}
    #[doc = include_str!("docs/adr/0013-signals-stay-on-the-senders-node.md")]
    pub mod adr_0013 {}
    #[doc = include_str!("docs/adr/0014-bookings-of-many-slots-share-a-call.md")]
    pub mod adr_0014 {}
}
