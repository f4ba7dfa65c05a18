//! Reads requests: bodies, queries and paths become values, or a refusal that names the field.
//!
//! What is refused never repeats the input: the messages say what was expected.

mod body;
mod budget;
mod change;
mod expectation;
mod fields;
mod order;
mod path;
mod query;

pub use body::{JSON_LIMIT, Json, JsonOrForm, OptionalJson};
pub(crate) use body::{collect_early, from_json, from_object, from_text};
pub(crate) use budget::{BODY_BUDGET, BodyBudget};
pub(crate) use change::{checked_change, unless_blank};
pub use fields::{
    Count, Figure, Flag, Id, IntegerId, Limit, MessageAt, PathValue, Skip, UuidId, Whole, present,
};
pub use order::Order;
pub use path::PathId;
pub use query::Query;

#[cfg(test)]
mod tests;
