//! Steps that only read.

use telemed_core::directory::{DoctorFilter, Specialty};
use telemed_core::id::{AppointmentId, ClinicId};
use telemed_core::journal::Audience;
use telemed_core::scheduling::{AppointmentFilter, SlotFilter};
use telemed_core::time::TimeZone;

use super::{CITIES, Pair};
use crate::build::{at, page, user_id};
use crate::dump::without_cursors;
use crate::lockstep::operation::{Operation, Step};

impl Pair {
    pub(super) async fn lists(&mut self, step: &Step) {
        match &step.operation {
            Operation::ListUsers { role, skip, limit } => {
                both!(self, user_page(*role, page(*skip, *limit)));
            }
            Operation::ListClinics { city, skip, limit } => {
                let city = city.map(|city| CITIES[usize::from(city)].to_lowercase());
                let city = city.as_deref();
                both!(self, clinic_page(city, page(*skip, *limit)));
            }
            Operation::ListDoctors {
                specialty,
                clinic,
                skip,
                limit,
            } => {
                let words = ["CARDIOLOGY", "Dermatology"];
                let filter = DoctorFilter {
                    specialty: specialty
                        .map(|word| Specialty::new(words[usize::from(word)]).unwrap()),
                    clinic: clinic.map(ClinicId::from_row),
                };
                both!(self, doctor_page(&filter, page(*skip, *limit)));
            }
            Operation::ListSlots {
                doctor,
                clinic,
                from,
                to,
                skip,
                limit,
            } => {
                let filter = SlotFilter {
                    doctor: doctor.map(user_id),
                    clinic: clinic.map(ClinicId::from_row),
                    from: from.map(at),
                    to: to.map(at),
                };
                let (now, page) = (self.at(), page(*skip, *limit));
                both!(self, open_slot_page(&filter, now, page));
            }
            Operation::ListAppointments {
                patient,
                doctor,
                status,
                from,
                to,
                skip,
                limit,
            } => {
                let filter = AppointmentFilter {
                    patient: patient.map(user_id),
                    doctor: doctor.map(user_id),
                    status: *status,
                    from: from.map(at),
                    to: to.map(at),
                };
                both!(self, appointment_page(&filter, page(*skip, *limit)));
            }
            Operation::ListSpecialties => {
                both!(self, specialties());
            }
            Operation::ReadHours {
                doctor,
                from,
                length,
            } => {
                let (doctor, from, until) = (user_id(*doctor), at(*from), at(from + length));
                let [first, last] = [from, until].map(|at| at.local_day(&TimeZone::utc()));
                both!(self, days_of_listed_doctor(doctor, first, last));
                both!(self, blocks_of_doctor(doctor, from, until));
                both!(self, live_bookings(doctor, from, until));
                both!(self, slot_at(doctor, from));
            }
            Operation::ReadAppointment { appointment } => {
                let id = AppointmentId::from_row(*appointment);
                both!(self, appointment_row(id));
            }
            Operation::ReadEvents {
                audience,
                after,
                limit,
            } => {
                let users: Vec<_> = audience
                    .iter()
                    .map(|user| Audience::User(user_id(*user)))
                    .collect();
                self.event_span().await;
                self.events_after(&users, *after, *limit).await;
            }
            Operation::ReadRelation {
                doctor,
                patient,
                minutes,
            } => {
                let (doctor, patient) = (user_id(*doctor), user_id(*patient));
                both!(self, care_relation(doctor, patient, at(*minutes)));
            }
            _ => {}
        }
    }

    /// Reads events after the one that is at a place in what these users are told: the cursors
    /// themselves differ from store to store.
    /// The numbers of two stores need not be the same, but both know whether something is gone.
    async fn event_span(&self) {
        let one = self.world.storage.event_span().await.unwrap();
        let other = self.other.storage.event_span().await.unwrap();
        assert_eq!(
            one.dropped_up_to > 0,
            other.dropped_up_to > 0,
            "the stores answer differently"
        );
    }

    async fn events_after(&self, users: &[Audience], place: usize, limit: u32) {
        let mut answers = Vec::new();
        for store in [&self.world.storage, &self.other.storage] {
            let all = store.events_after(users, 0, 100_000).await.unwrap();
            let cursors: Vec<u64> = all.iter().map(|one| one.seq).collect();
            let last = cursors.last().copied().unwrap_or(0);
            let cursor = match place {
                0 => 0,
                place => cursors.get(place - 1).copied().unwrap_or(last),
            };
            let after = store.events_after(users, cursor, limit).await.unwrap();
            answers.push(without_cursors(after));
        }
        assert_eq!(answers[0], answers[1], "the stores answer differently");
    }
}
