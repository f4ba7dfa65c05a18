//! `admin create`: the way to the first administrator.

use std::io::{BufRead, Read};

use telemed_facade::prelude::*;

use super::answer;
use crate::arguments::AdminArguments;
use crate::failure::Failure;
use crate::settings::StorageSettings;

/// More than the longest password has.
const MOST_BYTES: u64 = 4096;

pub async fn create(arguments: AdminArguments) -> Result<(), Failure> {
    let wrong =
        |what: &str, error: &dyn std::fmt::Display| Failure::usage(format!("the {what} {error}"));
    let full_name = FullName::new(&arguments.name).map_err(|error| wrong("name", &error))?;
    let email = Email::new(&arguments.email).map_err(|error| wrong("e-mail address", &error))?;
    let password = password()?;
    let password = NewPassword::new(password).map_err(|error| wrong("password", &error))?;

    let config = StorageSettings::load(arguments.storage)?.command_config()?;
    let telemed = Telemed::open(config).await?;
    let request = CreateAdministrator {
        full_name,
        email,
        password,
    };
    let made = telemed
        .engine()
        .identity()
        .create_administrator(&Actor::operator(), request)
        .await;
    let closed = telemed.close().await;
    let administrator = made.map_err(|error| match error.code {
        Code::EmailTaken => {
            Failure::failed("this e-mail address has an account already: name another one")
        }
        _ => error.into(),
    })?;
    closed?;
    answer(&administrator.id.to_string())
}

/// The first line of stdin.
fn password() -> Result<String, Failure> {
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .take(MOST_BYTES)
        .read_line(&mut line)
        .map_err(|error| Failure::usage(format!("no password can be read from stdin: {error}")))?;
    let line = line.strip_suffix('\n').unwrap_or(&line);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}
