//! One file a command.

mod admin;
mod audit;
mod migrate;
mod openapi;
mod serve;

use std::io::Write;

use crate::arguments::{AdminCommand, Arguments, AuditCommand, Command};
use crate::failure::Failure;
use crate::logging;

/// Options that come with a later version. As options they are unknown; as variables of the
/// environment they would go unseen.
const LATER: [&str; 2] = ["TELEMED_ICE_SERVER", "TELEMED_TURN_SECRET_FILE"];

/// Runs what the command line asks for.
///
/// # Errors
/// [`Failure`], with its exit code.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    if let Some(name) = LATER.iter().find(|name| std::env::var_os(name).is_some()) {
        return Err(Failure::usage(format!(
            "{name} is set, but this version has no such option: unset it"
        )));
    }
    let command = arguments.command.unwrap_or(Command::Serve(arguments.serve));
    logging::start(match command {
        Command::Serve(_) => "info",
        _ => "warn",
    });
    let runtime = tokio::runtime::Runtime::new().map_err(|error| {
        Failure::failed(format!(
            "threads cannot be started: {error}; raise the limit on processes"
        ))
    })?;
    runtime.block_on(async {
        match command {
            Command::Serve(arguments) => serve::serve(arguments).await,
            Command::Admin {
                command: AdminCommand::Create(arguments),
            } => admin::create(arguments).await,
            Command::Migrate(arguments) => migrate::migrate(arguments).await,
            Command::Audit {
                command: AuditCommand::Verify(arguments),
            } => audit::verify(arguments).await,
            Command::Audit {
                command: AuditCommand::Accept(arguments),
            } => audit::accept(arguments).await,
            Command::Openapi => openapi::openapi(),
        }
    })
}

/// Writes what a command answers to stdout.
fn answer(line: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(|error| Failure::failed(format!("stdout cannot be written: {error}")))
}
