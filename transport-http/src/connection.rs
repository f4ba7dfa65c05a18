//! What the sockets share.

mod online;

pub use online::{OnlineUsers, OpenSocket};
