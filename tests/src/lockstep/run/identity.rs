//! Steps of identity.

use telemed_core::actor::Role;
use telemed_core::crypto::Fingerprint;
use telemed_core::directory::{DailyLimit, ExperienceYears, LicenceNumber, Specialty};
use telemed_core::id::ClinicId;
use telemed_core::identity::{
    ConcludeLogin, DoctorApplication, Email, FullName, Language, NewUser, Phone, RefreshCommand,
    UserEdit,
};
use telemed_core::journal::{Resource, Subject};

use super::{LIMITS, Pair, login_keys};
use crate::build::{at, hash, sealed, user_id};
use crate::lockstep::operation::{Operation, Step};

/// The same number in two spellings.
fn phone(number: u8) -> Phone {
    let text = if number.is_multiple_of(2) {
        format!("+20 (100) 000-{:04}", number / 2)
    } else {
        format!("+20100000{:04}", number / 2)
    };
    Phone::new(text).unwrap()
}

fn language(number: u8) -> Language {
    if number.is_multiple_of(2) {
        Language::English
    } else {
        Language::Arabic
    }
}

impl Pair {
    fn application(&self, licence: u8, clinic: Option<i64>) -> DoctorApplication {
        DoctorApplication {
            clinic: clinic.map(ClinicId::from_row),
            first_clinic: self.world.clinic_details("Africa/Cairo"),
            licence_number: LicenceNumber::new(format!("l{licence}")).unwrap(),
            specialty: Specialty::new("Neurology").unwrap(),
            experience_years: ExperienceYears::new(i64::from(licence)).unwrap(),
            daily_limit: DailyLimit::new(3).unwrap(),
        }
    }

    pub(super) async fn identity(&mut self, step: &Step) {
        match step.operation {
            Operation::Register {
                role,
                email,
                phone: number,
                application,
                network,
                session,
            } => {
                let session = session.then(|| self.session(network));
                let doctor = application.map(|(licence, clinic)| self.application(licence, clinic));
                // What is not said about a patient from the start is sealed in every second one.
                let is_told = role == Role::Patient && email.is_some_and(|email| email % 2 == 0);
                let email = email.map(|number| {
                    // The same address in two spellings.
                    let name = if number % 2 == 0 { "Amal" } else { "amal" };
                    Email::new(format!("{name}{}@example.org", number / 2)).unwrap()
                });
                let address = (role == Role::Doctor).then(|| sealed("address"));
                let new = NewUser {
                    email,
                    phone: number.map(phone),
                    language: number.map(language),
                    profile: is_told.then(|| sealed("profile")),
                    doctor,
                    session,
                    address,
                    ..self.world.new_user(role)
                };
                let write = self.write("register", Subject::new_row(Resource::User), step.key);
                both!(self, register_user(&write, &new));
            }
            Operation::ConcludeLogin {
                user,
                network,
                own,
                opened,
            } => {
                let keys = login_keys(user, network, own);
                let account = Some(user_id(user));
                let opened = if opened {
                    Some((user_id(user), self.session(network)))
                } else {
                    None
                };
                let login = ConcludeLogin {
                    keys,
                    limits: LIMITS,
                    opened,
                    account,
                };
                let write = self.write("login", Subject::number(Resource::User, user), None);
                both!(self, conclude_login(&write, &login));
            }
            Operation::LoginStanding { user, network, own } => {
                let (keys, now) = (login_keys(user, network, own), self.at());
                let account = Some(user_id(user));
                both!(self, login_standing(&keys, account, &LIMITS, now));
            }
            Operation::Refresh { token } => {
                let unknown = Fingerprint([0; 32]);
                let presented = self.tokens.iter().rev().nth(token).copied();
                let subject = Subject::number(Resource::User, 1);
                let write = self.write("refresh", subject, None);
                let mut reuse = self.write("reuse", subject, None);
                reuse.audit.action = "reused".to_owned();
                let command = RefreshCommand {
                    presented: presented.unwrap_or(unknown),
                    next: self.token(),
                    expires_at: at(self.now + 300),
                    reuse,
                };
                both!(self, refresh_session(&write, &command));
                both!(self, session_of_refresh_token(command.presented));
                both!(self, session_of_refresh_token(command.next));
            }
            Operation::EditUser {
                user,
                rename,
                phone: number,
                language: word,
            } => {
                let name = format!("Renamed {}", self.world.number());
                let edit = UserEdit {
                    full_name: rename.then(|| FullName::new(name).unwrap()),
                    phone: number.map(|number| number.map(phone)),
                    language: word.map(|word| word.map(|word| language(u8::from(word)))),
                };
                let subject = Subject::number(Resource::User, user);
                let write = self.write("edit user", subject, step.key);
                both!(self, edit_user(&write, user_id(user), &edit));
            }
            Operation::EndSession { session } => {
                let session = self.session_at(session);
                let subject = Subject::uuid(Resource::Session, session.get());
                let write = self.write("end session", subject, step.key);
                both!(self, end_session(&write, session));
            }
            Operation::ChangePassword {
                user,
                is_right,
                keep,
            } => {
                let user = user_id(user);
                let account = self.world.storage.account_by_user(user).await.unwrap();
                let expected = match account {
                    Some(account) if is_right => account.password,
                    _ => hash("wrong"),
                };
                let new = hash(&format!("changed {}", self.world.number()));
                let keep = Some(self.session_at(keep));
                let subject = Subject::number(Resource::User, user.get());
                let write = self.write("password", subject, None);
                both!(self, change_password(&write, user, &expected, &new, keep));
            }
            Operation::SetActive { user, active } => {
                let subject = Subject::number(Resource::User, user);
                let write = self.write("activate", subject, step.key);
                both!(self, set_user_active(&write, user_id(user), active));
            }
            _ => {}
        }
    }
}
