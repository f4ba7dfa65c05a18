//! The standalone server: `telemed-facade`, its HTTP surfaces, and a command line.
//!
//! | file | holds |
//! |---|---|
//! | `arguments.rs` | the command line and the environment |
//! | `settings.rs` | what they, the file and the defaults come to |
//! | `commands/` | one file a command |
//! | `demo.rs` | what `--demo` puts into an empty database |
//! | `failure.rs` | how a command fails, and its exit code |

mod arguments;
mod commands;
mod demo;
mod failure;
mod logging;
mod settings;

use std::process::ExitCode;

use clap::Parser;

use arguments::Arguments;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and the version come this way too; they succeed.
            let code = u8::try_from(error.exit_code()).unwrap_or(2);
            return error
                .print()
                .map_or(ExitCode::FAILURE, |()| ExitCode::from(code));
        }
    };
    match commands::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
