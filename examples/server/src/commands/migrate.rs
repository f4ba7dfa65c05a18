//! `migrate`: brings the schema up to date without serving.

use telemed_facade::Telemed;

use super::answer;
use crate::arguments::StorageArguments;
use crate::failure::Failure;
use crate::settings::StorageSettings;

pub async fn migrate(arguments: StorageArguments) -> Result<(), Failure> {
    let config = StorageSettings::load(arguments)?.command_config()?;
    // To open a database is to bring it up to date.
    Telemed::open(config).await?.close().await?;
    answer("the database is up to date")
}
