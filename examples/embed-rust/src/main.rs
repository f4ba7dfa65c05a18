//! An engine inside a program: a doctor offers a slot, a patient books it, the next one is told
//! that it is gone. Nothing is kept; with `sqlite:PATH` instead of `memory:` all of it is.
#![allow(clippy::print_stdout, reason = "an example shows something")]

use std::{error::Error, time::Duration};
use telemed_facade::prelude::*;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let telemed = Telemed::open(Config::new("memory:")).await?;
    let (engine, operator) = (telemed.engine(), Actor::operator());
    let register = async |by: &Actor, role, name: &str, email: &str| {
        let password = NewPassword::new("a good password")?;
        let account = Register::new(role, FullName::new(name)?, Email::new(email)?, password);
        Ok::<_, Box<dyn Error>>(engine.identity().register(by, account).await?)
    };

    // Somebody who runs the place: a clinic, and a doctor who works there.
    let zone = TimeZone::named("Africa/Cairo").ok_or("no such time zone")?;
    let clinic = ClinicDetails::new(ClinicName::new("Nile Clinic")?, zone);
    let clinic = engine
        .directory()
        .create_clinic(&operator, clinic)
        .await?
        .id;
    let doctor = register(&operator, Role::Doctor, "Dr. Mona Adel", "mona@example.org").await?;
    let (user, specialty) = (doctor.user.id, Specialty::new("Cardiology")?);
    let details = DoctorDetails::new(clinic, specialty, LicenceNumber::new("EG-1")?);
    engine
        .directory()
        .create_doctor(&operator, CreateDoctor { user, details })
        .await?;

    // The doctor offers half an hour tomorrow, for one patient.
    let tomorrow = engine.now().plus(Duration::from_secs(24 * 3600));
    let slot = CreateSlot::new(user, clinic, tomorrow, SlotDuration::new(30)?);
    let slot = engine.scheduling().create_slot(&operator, slot).await?.id;

    // Two patients want it.
    for (name, email) in [("مريم", "maryam@example.org"), ("Omar", "omar@example.org")] {
        let signed = register(&Actor::anonymous(), Role::Patient, name, email).await?;
        let patient = engine
            .identity()
            .authenticate(&signed.token, Origin::default())
            .await?;
        match engine
            .scheduling()
            .book(&patient, Book::new(signed.user.id, slot))
            .await
        {
            Ok(booked) => println!("{name}: appointment {} is {}", booked.id, booked.status),
            Err(error) => println!("{name}: {} ({})", error.message, error.code),
        }
    }
    Ok(telemed.close().await?)
}
