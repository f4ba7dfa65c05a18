//! Cases of telephone numbers, doctors' applications and the own account's data.

use std::sync::Arc;

use telemed_core::actor::Role;
use telemed_core::directory::{Doctor, DoctorDetails};
use telemed_core::id::{ClinicId, UserId};
use telemed_core::identity::{
    FullName, Language, NewUser, Phone, RegisterOutcome, StoredUser, UserEdit, UserEditOutcome,
};
use telemed_core::journal::{Resource, Subject};

use crate::build::{World, applied, at, sealed, user_id};
use crate::suite::case_list;
use crate::together;

case_list! { "identity":
    register_refuses_a_taken_phone,
    an_account_is_found_by_its_phone,
    a_doctor_applies_with_a_profile,
    a_user_is_edited_in_part,
    an_edit_refuses_a_taken_phone,
    an_account_keeps_a_login,
}

fn phone(text: &str) -> Phone {
    Phone::new(text).unwrap()
}

async fn register(world: &World, new: &NewUser) -> RegisterOutcome {
    let write = world.makes(Resource::User);
    applied(world.storage.register_user(&write, new).await.unwrap())
}

/// A user to be made who has this number.
fn reached_by(world: &World, number: &str) -> NewUser {
    NewUser {
        phone: Some(phone(number)),
        ..world.new_user(Role::Patient)
    }
}

async fn register_refuses_a_taken_phone(world: Arc<World>) {
    let first = NewUser {
        email: None,
        ..reached_by(&world, "+20 (100) 000-0000")
    };
    let user = world.register(&first).await;
    assert_eq!(user.phone.as_ref().unwrap().as_str(), "+20 (100) 000-0000");
    for (text, role) in [
        ("+20 (100) 000-0000", Role::Patient),
        ("+201000000000", Role::Doctor),
        ("+20.100.000.0000", Role::Admin),
    ] {
        let second = NewUser {
            session: Some(world.new_session(None)),
            role,
            ..reached_by(&world, text)
        };
        let outcome = world.unchanged(register(&world, &second)).await;
        assert_eq!(outcome, RegisterOutcome::PhoneTaken, "{text}");
    }
    // An address that is taken comes first.
    let amal = world.register(&reached_by(&world, "01000000001")).await;
    let both = NewUser {
        email: amal.email,
        ..reached_by(&world, "01000000001")
    };
    let outcome = world.unchanged(register(&world, &both)).await;
    assert_eq!(outcome, RegisterOutcome::EmailTaken);
    // Another number differs in a digit or in the plus sign.
    for text in ["201000000000", "+201000000001"] {
        world.register(&reached_by(&world, text)).await;
    }
    let answers = together(16, |caller| {
        let world = Arc::clone(&world);
        async move {
            let text = ["+44 20 7946 0000", "+442079460000"][caller % 2];
            register(&world, &reached_by(&world, text)).await
        }
    })
    .await;
    let made = |one: &&RegisterOutcome| matches!(one, RegisterOutcome::Registered(_));
    assert_eq!(answers.iter().filter(made).count(), 1);
    let taken = answers
        .iter()
        .filter(|one| **one == RegisterOutcome::PhoneTaken);
    assert_eq!(taken.count(), 15);
}

async fn an_account_is_found_by_its_phone(world: Arc<World>) {
    let new = reached_by(&world, "+20 100-000");
    let user = world.register(&new).await;
    world.register(&reached_by(&world, "20100000")).await;
    let find = |text: &'static str| {
        let world = Arc::clone(&world);
        async move { world.storage.account_by_phone(text).await.unwrap() }
    };
    let found = find("+20100000").await.unwrap();
    assert_eq!(found.user, user);
    assert_eq!(found.password, new.password);
    for other in ["", "+20 100-000", "+2010000", "20100000 ", "%"] {
        assert!(find(other).await.is_none(), "{other}");
    }
    // Whose number has changed is found by the new one only.
    let edit = UserEdit {
        phone: Some(Some(phone("555-55"))),
        ..UserEdit::default()
    };
    edited(&world, user.id, &edit).await;
    assert!(find("+20100000").await.is_none());
    assert_eq!(find("55555").await.unwrap().user.id, user.id);
}

async fn a_doctor_applies_with_a_profile(world: Arc<World>) {
    // Nothing is made for who is refused, not even the first clinic.
    let taken = world.register(&reached_by(&world, "+201000000000")).await;
    let number = NewUser {
        phone: taken.phone,
        ..world.application("EG-1", None)
    };
    let outcome = world.unchanged(register(&world, &number)).await;
    assert_eq!(outcome, RegisterOutcome::PhoneTaken);
    let missing = Some(ClinicId::from_row(77));
    let nowhere = world.application("EG-1", missing);
    let outcome = world.unchanged(register(&world, &nowhere)).await;
    assert_eq!(outcome, RegisterOutcome::ClinicNotFound);

    // The first makes the clinic.
    let first = world.application("EG-1", None);
    let write = world.write_at(at(5), Subject::new_row(Resource::User));
    let outcome = applied(world.storage.register_user(&write, &first).await.unwrap());
    let RegisterOutcome::Registered(user) = outcome else {
        panic!("{outcome:?}")
    };
    let dump = world.dump().await;
    let asked = first.doctor.as_ref().unwrap();
    let [clinic] = &dump.clinics[..] else {
        panic!("{:?}", dump.clinics)
    };
    assert_eq!(clinic.details, asked.first_clinic);
    assert_eq!(
        (clinic.created_at, clinic.updated_at, clinic.version),
        (at(5), at(5), 1)
    );
    let expected = Doctor {
        id: user.id,
        full_name: first.full_name.clone(),
        details: DoctorDetails {
            experience_years: asked.experience_years,
            daily_limit: asked.daily_limit,
            ..DoctorDetails::new(
                clinic.id,
                asked.specialty.clone(),
                asked.licence_number.clone(),
            )
        },
        clinic_name: asked.first_clinic.name.clone(),
        is_active: true,
        is_verified: false,
        created_at: at(5),
        updated_at: at(5),
        version: 1,
    };
    assert_eq!(dump.doctors, [expected]);
    let audit = &dump.audit.last().unwrap().row;
    assert_eq!(
        audit.subject,
        Subject::number(Resource::User, user.id.get())
    );
    // He is not listed until he is verified.
    assert!(world.storage.specialties().await.unwrap().is_empty());
    let write = world.changes(Resource::Doctor, user.id.get());
    world.storage.verify_doctor(&write, user.id).await.unwrap();
    assert_eq!(world.storage.specialties().await.unwrap().len(), 1);

    // The next ones work there, or where they say.
    let first_clinic = clinic.id;
    let second_clinic = world.clinic().await;
    let taken = world.application("eg-1", None);
    let outcome = world.unchanged(register(&world, &taken)).await;
    assert_eq!(outcome, RegisterOutcome::LicenceTaken);
    let nowhere = world.application("eg-1", missing);
    let outcome = world.unchanged(register(&world, &nowhere)).await;
    assert_eq!(outcome, RegisterOutcome::ClinicNotFound);
    for (licence, named, expected) in [
        ("EG-2", None, first_clinic),
        ("EG-3", Some(second_clinic), second_clinic),
        ("EG-4", Some(first_clinic), first_clinic),
    ] {
        let user = world.register(&world.application(licence, named)).await;
        let doctor = world.storage.doctor_by_id(user.id).await.unwrap().unwrap();
        assert_eq!(doctor.details.clinic, expected, "{licence}");
        assert!(!doctor.is_verified);
    }
    assert_eq!(world.dump().await.clinics.len(), 2);
    // Of applications with one licence in parallel one is heard.
    let answers = together(16, |_| {
        let world = Arc::clone(&world);
        async move { register(&world, &world.application("EG-5", None)).await }
    })
    .await;
    let made = |one: &&RegisterOutcome| matches!(one, RegisterOutcome::Registered(_));
    assert_eq!(answers.iter().filter(made).count(), 1);
}

/// Edits at minute 9.
async fn edited(world: &World, user: UserId, edit: &UserEdit) -> UserEditOutcome {
    let write = world.write_at(at(9), Subject::number(Resource::User, user.get()));
    applied(world.storage.edit_user(&write, user, edit).await.unwrap())
}

async fn a_user_is_edited_in_part(world: Arc<World>) {
    let new = NewUser {
        language: Some(Language::English),
        address: Some(sealed("12 Nile Street")),
        ..reached_by(&world, "+201000000000")
    };
    let mut expected = world.register(&new).await;
    assert_eq!(expected.language, Some(Language::English));
    let other = world.register(&reached_by(&world, "55555")).await;
    let nothing = UserEdit::default;
    let name = FullName::new("أمل").unwrap();
    for edit in [
        UserEdit {
            full_name: Some(name.clone()),
            ..nothing()
        },
        UserEdit {
            phone: Some(Some(phone("+20 100 000 0001"))),
            ..nothing()
        },
        UserEdit {
            language: Some(Some(Language::Arabic)),
            ..nothing()
        },
        UserEdit {
            language: Some(None),
            ..nothing()
        },
        // Its own number, written in another way.
        UserEdit {
            phone: Some(Some(phone("+201000000001"))),
            ..nothing()
        },
        UserEdit {
            phone: Some(None),
            language: Some(Some(Language::Arabic)),
            ..nothing()
        },
        nothing(),
    ] {
        if let Some(name) = &edit.full_name {
            expected.full_name = name.clone();
        }
        if let Some(phone) = &edit.phone {
            expected.phone.clone_from(phone);
        }
        if let Some(language) = edit.language {
            expected.language = language;
        }
        expected.updated_at = at(9);
        let outcome = edited(&world, expected.id, &edit).await;
        assert_eq!(outcome, UserEditOutcome::Edited(expected.clone()));
        let now = world.storage.user_by_id(expected.id).await.unwrap();
        assert_eq!(now.as_ref(), Some(&expected));
    }
    // Who reads the profile reads the new name; nobody else was touched.
    let patient = world.storage.patient_by_id(expected.id).await.unwrap();
    assert_eq!(patient.unwrap().full_name, name);
    let now = world.storage.user_by_id(other.id).await.unwrap();
    assert_eq!(now, Some(other.clone()));
    let (unknown, nothing) = (user_id(other.id.get() + 1), nothing());
    let unknown = edited(&world, unknown, &nothing);
    assert_eq!(
        world.unchanged(unknown).await,
        UserEditOutcome::UserNotFound
    );
}

async fn an_edit_refuses_a_taken_phone(world: Arc<World>) {
    world
        .register(&reached_by(&world, "+20 100 000 0000"))
        .await;
    let user = world.user(Role::Doctor).await.id;
    let to = |number: &str| UserEdit {
        phone: Some(Some(phone(number))),
        full_name: Some(FullName::new("Changed").unwrap()),
        language: Some(Some(Language::Arabic)),
    };
    let edit = to("+201000000000");
    let outcome = world.unchanged(edited(&world, user, &edit)).await;
    assert_eq!(outcome, UserEditOutcome::PhoneTaken);
    // Of many who want the same number one gets it.
    let users = world.patients(16).await;
    let answers = together(16, |caller| {
        let (world, user, edit) = (Arc::clone(&world), users[caller], to("+44 20 7946 0000"));
        async move { edited(&world, user, &edit).await }
    })
    .await;
    let got = |one: &&UserEditOutcome| matches!(one, UserEditOutcome::Edited(_));
    assert_eq!(answers.iter().filter(got).count(), 1);
    // What was given up is free.
    let holder = answers.iter().find_map(|one| match one {
        UserEditOutcome::Edited(user) => Some(user.id),
        _ => None,
    });
    edited(&world, holder.unwrap(), &to("55555")).await;
    let outcome = edited(&world, user, &to("+442079460000")).await;
    assert!(matches!(outcome, UserEditOutcome::Edited(_)));
}

async fn an_account_keeps_a_login(world: Arc<World>) {
    let new = NewUser {
        email: None,
        ..reached_by(&world, "+201000000000")
    };
    let user: StoredUser = world.register(&new).await;
    let without = UserEdit {
        phone: Some(None),
        full_name: Some(FullName::new("Changed").unwrap()),
        ..UserEdit::default()
    };
    let outcome = world.unchanged(edited(&world, user.id, &without)).await;
    assert_eq!(outcome, UserEditOutcome::NoLogin);
    let with_email = world.register(&reached_by(&world, "55555")).await;
    let outcome = edited(&world, with_email.id, &without).await;
    assert!(matches!(outcome, UserEditOutcome::Edited(_)));
}
