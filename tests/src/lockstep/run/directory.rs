//! Steps of the directory.

use telemed_core::directory::{
    City, ClinicDetails, CompleteDoctor, DailyLimit, DoctorDetails, LicenceNumber, Specialty,
};
use telemed_core::id::ClinicId;
use telemed_core::journal::{Resource, Subject};

use super::{CITIES, Pair, ZONES};
use crate::build::{sealed, user_id};
use crate::lockstep::operation::{Operation, Step};

impl Pair {
    fn doctor_details(&self, clinic: i64, licence: u8, limit: i64) -> DoctorDetails {
        let specialty = if licence.is_multiple_of(2) {
            "Cardiology"
        } else {
            "cardiology"
        };
        let licence = if limit % 2 == 0 {
            format!("L{licence}")
        } else {
            format!("l{licence}")
        };
        DoctorDetails {
            specialty: Specialty::new(specialty).unwrap(),
            licence_number: LicenceNumber::new(licence).unwrap(),
            daily_limit: DailyLimit::new(limit).unwrap(),
            ..self.world.doctor_details(ClinicId::from_row(clinic))
        }
    }

    fn clinic_details(&self, zone: u8, city: Option<u8>, is_active: bool) -> ClinicDetails {
        let city = city.map(|city| City::new(CITIES[usize::from(city)]).unwrap());
        let details = self.world.clinic_details(ZONES[usize::from(zone)]);
        ClinicDetails {
            city,
            is_active,
            ..details
        }
    }

    pub(super) async fn directory(&mut self, step: &Step) {
        let stale = |is_current: bool, version: i64| if is_current { version } else { version - 1 };
        match step.operation {
            Operation::CreateClinic { zone, city, active } => {
                let details = self.clinic_details(zone, city, active);
                let write = self.write("clinic", Subject::new_row(Resource::Clinic), step.key);
                both!(self, create_clinic(&write, &details));
            }
            Operation::UpdateClinic {
                clinic,
                is_current,
                zone,
                city,
                active,
            } => {
                let id = ClinicId::from_row(clinic);
                let details = self.clinic_details(zone, city, active);
                let now = both!(self, clinic_by_id(id));
                let version = stale(is_current, now.map_or(1, |clinic| clinic.version));
                let subject = Subject::number(Resource::Clinic, clinic);
                let write = self.write("update clinic", subject, step.key);
                both!(self, update_clinic(&write, id, version, &details));
            }
            Operation::CompleteDoctor {
                user,
                clinic,
                licence,
                limit,
            } => {
                let details = self.doctor_details(clinic, licence, limit);
                let doctor = CompleteDoctor {
                    user: user_id(user),
                    details,
                };
                let subject = Subject::number(Resource::Doctor, user);
                let write = self.write("doctor", subject, step.key);
                both!(self, complete_doctor(&write, &doctor));
            }
            Operation::VerifyDoctor { user } => {
                let subject = Subject::number(Resource::Doctor, user);
                let write = self.write("verify", subject, step.key);
                both!(self, verify_doctor(&write, user_id(user)));
            }
            Operation::UpdateDoctor {
                doctor,
                is_current,
                clinic,
                licence,
                limit,
            } => {
                let id = user_id(doctor);
                let details = self.doctor_details(clinic, licence, limit);
                let now = both!(self, doctor_by_id(id));
                let version = stale(is_current, now.map_or(1, |doctor| doctor.version));
                let subject = Subject::number(Resource::Doctor, doctor);
                let write = self.write("update doctor", subject, step.key);
                both!(self, update_doctor(&write, id, version, &details));
            }
            Operation::UpdatePatient {
                patient,
                is_current,
            } => {
                let id = user_id(patient);
                let profile = sealed(&format!("profile {}", self.world.number()));
                let now = both!(self, patient_by_id(id));
                let version = stale(is_current, now.map_or(1, |patient| patient.version));
                let subject = Subject::number(Resource::Patient, patient);
                let write = self.write("update patient", subject, step.key);
                both!(self, update_patient(&write, id, version, &profile));
            }
            _ => {}
        }
    }
}
