//! What the sockets cost, beside what is the least that others do it with.
//!
//! | file | holds |
//! |---|---|
//! | `house.rs` | our server, and people who talk |
//! | `relay.rs` | the bare relay |
//! | `node.rs` | Node's own Socket.IO server |
//! | `client.rs` | the client, the same for all of them |
//! | `delivered.rs` | from sent to delivered |
//! | `passing.rs`, `typing.rs` | how fast something passes that is kept nowhere |
//! | `messages.rs` | messages for a second of the processor |
//! | `idle.rs` | what a connection costs that says nothing |

pub mod client;
mod delivered;
pub mod house;
mod idle;
mod messages;
mod node;
pub mod passing;
pub mod relay;
mod typing;

use crate::Options;
use house::House;

/// Pairs that talk in any of the comparisons.
const PAIRS: usize = messages::PAIRS;

/// A comparison.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Delivered,
    Typing,
    Messages,
    Idle,
}

impl Part {
    /// The one with this name.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "delivered" => Self::Delivered,
            "typing" => Self::Typing,
            "messages" => Self::Messages,
            "idle" => Self::Idle,
            _ => return None,
        })
    }
}

/// Runs and prints the parts; without any, all of them.
pub async fn run(options: &Options, parts: &[Part]) {
    let made = tempfile::tempdir().expect("a folder");
    let folder = options.folder.as_deref().unwrap_or(made.path());
    let folder = &folder.join(format!("bench-{}", std::process::id()));
    std::fs::create_dir_all(folder).expect("a folder");
    let is_wanted = |part| parts.is_empty() || parts.contains(&part);
    println!("Databases in {}; the load is {}", folder.display(), load());
    let crowd = if is_wanted(Part::Idle) {
        idle::SOCKETS
    } else {
        0
    };
    let house = House::make(folder.join("house"), PAIRS, crowd).await;
    if is_wanted(Part::Delivered) {
        delivered::run(&house, folder, options.rounds).await;
    }
    if is_wanted(Part::Typing) {
        typing::run(&house, options.rounds).await;
    }
    if is_wanted(Part::Messages) {
        match node::missing() {
            Some(why) => println!("\n{why}"),
            None => messages::run(&house, folder, options.rounds).await,
        }
    }
    if is_wanted(Part::Idle) {
        idle::run(&house, folder).await;
    }
    println!("\nThe load is {}", load());
    let _ = std::fs::remove_dir_all(folder);
}

/// The load of the machine over a minute.
pub fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("unknown").to_owned()
}
