//! `audit verify`: tells whether the audit trail is whole. `audit accept`: begins its checkpoints
//! anew.

use telemed_facade::Telemed;

use super::answer;
use crate::arguments::StorageArguments;
use crate::failure::Failure;
use crate::settings::StorageSettings;

pub async fn verify(arguments: StorageArguments) -> Result<(), Failure> {
    let mut config = StorageSettings::load(arguments)?.command_config()?;
    // A check of the wrong place must not find an empty trail whole.
    config.create = false;
    let telemed = Telemed::open(config).await?;
    let report = telemed.engine().verify_audit().await?;
    if let Some(fault) = report.fault {
        // Not closed in order: that would sign what was found to be broken.
        return Err(Failure::failed(format!(
            "audit trail: {fault}; the rows before it ({}) are whole; keep the database as it is \
             and compare it with your backup",
            report.rows
        )));
    }
    telemed.close().await?;
    answer(&format!("audit trail: {} rows, whole", report.rows))
}

pub async fn accept(arguments: StorageArguments) -> Result<(), Failure> {
    let mut config = StorageSettings::load(arguments)?.command_config()?;
    config.create = false;
    let telemed = Telemed::open(config).await?;
    let head = telemed.engine().accept_audit().await?;
    telemed.close().await?;
    answer(&format!(
        "audit trail: signed as it stands, {} rows",
        head.count
    ))
}
