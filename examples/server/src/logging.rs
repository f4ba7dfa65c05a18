//! Where the log goes: to stderr, since stdout belongs to what a command answers.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Starts the log. `RUST_LOG` chooses what is in it; without it, lines of this level and above.
pub fn start(level: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let started = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init();
    // There is one log for a process, and this is the only call.
    drop(started);
}
