//! What a host names most often: `use telemed_facade::prelude::*;`.

pub use telemed_core::actor::{Actor, Origin, Role};
pub use telemed_core::directory::{
    ClinicDetails, ClinicName, CreateDoctor, DailyLimit, DoctorDetails, ExperienceYears,
    LicenceNumber, Specialty,
};
pub use telemed_core::identity::{
    AccessToken, CreateAdministrator, Email, FullName, Language, LogIn, LoginIdentifier,
    NewPassword, Password, Phone, Register,
};
pub use telemed_core::page::{Page, PageLimit, PageRequest, PageSkip};
pub use telemed_core::scheduling::{
    AppointmentKind, Book, Capacity, CreateSlot, LocalTime, MoveTo, ReasonForVisit, SetSchedule,
    SlotDuration, SlotFilter, WeeklyHours, Window,
};
pub use telemed_core::time::{TimeZone, Timestamp};
pub use telemed_core::{Code, Engine, Error, Kind};

pub use crate::{Config, OpenError, Telemed};
