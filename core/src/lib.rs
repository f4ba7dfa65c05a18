//! The domain of Telemed: rules, policy, operations, storage traits and the in-memory store.
//!
//! This crate has no I/O, no clock and no randomness of its own: a host gives it a store, a
//! clock, a source of randomness and the rest of [`EngineParts`], and calls operations with an
//! [`actor::Actor`] as the first argument. The crate `telemed-facade` does that for a program that
//! wants one line instead.
//!
//! Every crate of the project is cut into the same slices: [`identity`], [`directory`],
//! [`scheduling`], [`messaging`], [`calls`], [`presence`], [`notifications`], [`journal`]. Whoever knows the word knows the file.
//!
//! An operation is one file, in one order: validate, load, ask the [`policy`], decide, let the
//! store write, answer. Stores guard what must hold under races; they decide nothing else.

pub mod actor;
pub mod calls;
pub mod crypto;
pub mod directory;
pub mod docs;
mod engine;
pub mod env;
pub mod error;
pub mod id;
pub mod identity;
pub mod journal;
pub mod limits;
pub mod memory;
pub mod messaging;
pub mod notifications;
pub mod page;
pub mod policy;
pub mod presence;
pub mod scheduling;
pub mod store;
pub mod time;
pub mod value;

pub use engine::{Engine, EngineParts, KEY_CHECK, MessageLengths, OpenError, Settings};
pub use error::{Code, Error, Kind};
