//! What `--demo` puts into an empty database: a clinic, three doctors with weekly hours, two
//! patients and an administrator.
//!
//! Each step looks first whether it was done, so a start that was cut off half way is finished by
//! the next, and a later start publishes the days that have come nearer since.

use std::io::Write;

use telemed_facade::core::directory::{City, Clinic};
use telemed_facade::core::id::UserId;
use telemed_facade::prelude::*;

use crate::failure::Failure;

/// Under this name the database says that it was made by this, and by which version of it.
const MARK: &str = "demo";
const VERSION: &str = "1";

const ADMIN: Account = Account(
    "admin@demo.example",
    "",
    "Demo Administrator",
    "demo-admin-1",
);
const DOCTORS: [DemoDoctor; 3] = [
    DemoDoctor {
        account: Account("doctor1@demo.example", "", "Dr. Mona Adel", "demo-doctor-1"),
        specialty: "Cardiology",
        licence: "DEMO-1",
        capacity: 1,
    },
    DemoDoctor {
        account: Account("doctor2@demo.example", "", "د. كريم حسن", "demo-doctor-1"),
        specialty: "Pediatrics",
        licence: "DEMO-2",
        capacity: 1,
    },
    DemoDoctor {
        account: Account(
            "doctor3@demo.example",
            "",
            "Dr. Salma Fathy",
            "demo-doctor-1",
        ),
        specialty: "Dermatology",
        licence: "DEMO-3",
        capacity: 3,
    },
];
const PATIENTS: [Account; 2] = [
    Account(
        "patient1@demo.example",
        "+20 100 000 0001",
        "مريم علي",
        "demo-patient-1",
    ),
    Account(
        "patient2@demo.example",
        "+20 100 000 0002",
        "Omar Nabil",
        "demo-patient-1",
    ),
];

const CLINIC: &str = "Nile Demo Clinic";
const CITY: &str = "Cairo";
const TIME_ZONE: &str = "Africa/Cairo";
/// The hours of every day, by the clinic's clocks.
const HOURS: (&str, &str) = ("09:00", "12:00");
const MINUTES: i64 = 30;
/// Enough for every seat of a day.
const DAILY_LIMIT: i64 = 20;

/// E-mail address, telephone number (or nothing), name and password.
struct Account(&'static str, &'static str, &'static str, &'static str);

struct DemoDoctor {
    account: Account,
    specialty: &'static str,
    licence: &'static str,
    capacity: i64,
}

/// Fills an empty database, or brings one that this has made up to date.
///
/// # Errors
/// [`Failure::Failed`] for a database that holds something else.
pub async fn prepare(telemed: &Telemed) -> Result<(), Failure> {
    let engine = telemed.engine();
    if !made(telemed).await? {
        if !is_empty(engine).await? {
            return Err(Failure::failed(
                "the database holds data that are not the demo's: start without --demo, or name \
                 another database",
            ));
        }
        // Before anything else: what is cut off after this is known as the demo's.
        telemed.claim_host_value(MARK, VERSION).await?;
    }
    administrator(engine).await?;
    for patient in &PATIENTS {
        account(engine, Role::Patient, patient).await?;
    }
    let [one, two, three] = &DOCTORS;
    // One after the other, since the first makes the clinic.
    let doctors = [
        (doctor(engine, one).await?, one),
        (doctor(engine, two).await?, two),
        (doctor(engine, three).await?, three),
    ];
    let [one, two, three] = doctors.map(|(profile, demo)| hours(engine, profile, demo));
    tokio::try_join!(one, two, three)?;
    Ok(())
}

/// Whether the database is one that this has made.
pub async fn made(telemed: &Telemed) -> Result<bool, Failure> {
    Ok(telemed.host_value(MARK).await?.is_some())
}

async fn is_empty(engine: &Engine) -> Result<bool, Failure> {
    let (operator, page) = (Actor::operator(), PageRequest::default());
    let users = engine.identity().users(&operator, None, page).await?;
    let clinics = engine.directory().clinics(&operator, None, page).await?;
    Ok(users.total == 0 && clinics.total == 0)
}

/// Writes the logins to stderr.
pub fn show_logins() {
    let mut text = String::from("demo logins (e-mail, telephone, password):\n");
    let doctors = DOCTORS.iter().map(|doctor| &doctor.account);
    for Account(email, phone, name, password) in
        std::iter::once(&ADMIN).chain(doctors).chain(&PATIENTS)
    {
        text.push_str(&format!("  {email}  {phone:16}  {password}  {name}\n"));
    }
    // The demo goes on without its logins on the screen; they are in the README.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// The constants above are values that their types take; if one is not, this says which.
fn value<T, E: std::fmt::Display>(made: Result<T, E>, of: &str) -> Result<T, Failure> {
    made.map_err(|error| Failure::failed(format!("the demo's `{of}` {error}")))
}

async fn find(engine: &Engine, role: Role, email: &Email) -> Result<Option<UserId>, Failure> {
    // The demo's accounts are the first of their roles.
    let page = PageRequest::default();
    let users = engine
        .identity()
        .users(&Actor::operator(), Some(role), page)
        .await?;
    let is_it = |found: &Email| found.folded() == email.folded();
    Ok(users
        .items
        .into_iter()
        .find(|user| user.email.as_ref().is_some_and(is_it))
        .map(|user| user.id))
}

async fn administrator(engine: &Engine) -> Result<(), Failure> {
    let Account(email, _, name, password) = ADMIN;
    let email = value(Email::new(email), email)?;
    if find(engine, Role::Admin, &email).await?.is_some() {
        return Ok(());
    }
    let request = CreateAdministrator {
        full_name: value(FullName::new(name), name)?,
        email,
        password: value(NewPassword::new(password), password)?,
    };
    engine
        .identity()
        .create_administrator(&Actor::operator(), request)
        .await?;
    Ok(())
}

async fn account(engine: &Engine, role: Role, account: &Account) -> Result<UserId, Failure> {
    let Account(email, phone, name, password) = *account;
    let email = value(Email::new(email), email)?;
    if let Some(found) = find(engine, role, &email).await? {
        return Ok(found);
    }
    let name = value(FullName::new(name), name)?;
    let password = value(NewPassword::new(password), password)?;
    let mut request = Register::new(role, name, email, password);
    if !phone.is_empty() {
        request.phone = Some(value(Phone::new(phone), phone)?);
    }
    let signed = engine
        .identity()
        .register(&Actor::operator(), request)
        .await?;
    Ok(signed.user.id)
}

async fn clinic(engine: &Engine) -> Result<Clinic, Failure> {
    let (operator, directory) = (Actor::operator(), engine.directory());
    let name = value(ClinicName::new(CLINIC), CLINIC)?;
    let page = PageRequest::default();
    let clinics = directory.clinics(&operator, None, page).await?;
    if let Some(found) = clinics
        .items
        .into_iter()
        .find(|one| one.details.name == name)
    {
        return Ok(found);
    }
    let zone = value(TimeZone::named(TIME_ZONE).ok_or("is not known"), TIME_ZONE)?;
    let mut details = ClinicDetails::new(name, zone);
    details.city = Some(value(City::new(CITY), CITY)?);
    Ok(directory.create_clinic(&operator, details).await?)
}

/// The doctor's account and profile.
async fn doctor(engine: &Engine, demo: &DemoDoctor) -> Result<CreateDoctor, Failure> {
    let (operator, directory) = (Actor::operator(), engine.directory());
    let user = account(engine, Role::Doctor, &demo.account).await?;
    match directory.doctor(&operator, user).await {
        Ok(found) => {
            return Ok(CreateDoctor {
                user,
                details: found.details,
            });
        }
        Err(error) if error.kind() == Kind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    let clinic = clinic(engine).await?.id;
    let specialty = value(Specialty::new(demo.specialty), demo.specialty)?;
    let licence = value(LicenceNumber::new(demo.licence), demo.licence)?;
    let mut details = DoctorDetails::new(clinic, specialty, licence);
    details.experience_years = value(ExperienceYears::new(10), "years")?;
    details.daily_limit = value(DailyLimit::new(DAILY_LIMIT), "daily limit")?;
    let profile = CreateDoctor { user, details };
    directory.create_doctor(&operator, profile.clone()).await?;
    Ok(profile)
}

/// Gives the doctor hours, or publishes what they offer by now.
async fn hours(engine: &Engine, doctor: CreateDoctor, demo: &DemoDoctor) -> Result<(), Failure> {
    let (operator, doctor) = (Actor::operator(), doctor.user);
    let scheduling = engine.scheduling();
    let known = scheduling.hours(&operator, doctor).await?;
    if known.schedule.is_some() {
        return Ok(scheduling.publish(&operator, doctor).await?);
    }
    let time = |text| value(LocalTime::parse(text), text);
    let window = Window {
        start: time(HOURS.0)?,
        end: time(HOURS.1)?,
    };
    let hours = WeeklyHours::new(
        std::array::from_fn(|_| vec![window]),
        value(SlotDuration::new(MINUTES), "minutes")?,
        value(Capacity::new(demo.capacity), "capacity")?,
        false,
    );
    let request = SetSchedule {
        doctor,
        hours: value(hours.map_err(|(_, error)| error), "hours")?,
        time_zone: None,
    };
    scheduling.set_schedule(&operator, request).await?;
    Ok(())
}

#[cfg(test)]
mod tests;
