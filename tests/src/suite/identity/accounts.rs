//! Cases of accounts.

use std::sync::Arc;

use telemed_core::actor::Role;
use telemed_core::crypto::WrappedDataKey;
use telemed_core::directory::StoredPatient;
use telemed_core::id::DataKeyId;
use telemed_core::identity::{
    ContactNumber, Email, Language, NewUser, Phone, RegisterOutcome, Session, SessionWithUser,
    SetActiveOutcome, StoredUser,
};
use telemed_core::journal::{Resource, Subject};
use telemed_core::store::Written;

use crate::build::{World, applied, at, page, sealed, user_id, with_key};
use crate::suite::case_list;
use crate::together;

case_list! { "identity":
    register_makes_the_account_whole,
    register_refuses_a_taken_email,
    register_replays_its_key,
    an_unknown_user_is_none,
    users_are_listed_by_id_with_the_total,
    an_account_is_found_without_regard_to_case,
    an_account_is_found_by_its_user,
    activation_is_idempotent,
    data_keys_are_read_in_one_call,
}

async fn register_makes_the_account_whole(world: Arc<World>) {
    let session = world.new_session(Some(1));
    let new = NewUser {
        phone: Some(Phone::new("+20 (100) 000-0001").unwrap()),
        language: Some(Language::Arabic),
        profile: Some(sealed("born in 1990")),
        contact_number: Some(ContactNumber::new("+20 100 000 0000").unwrap()),
        address: Some(sealed("12 Nile Street")),
        email: Some(Email::new("Amal@Example.org").unwrap()),
        session: Some(session.clone()),
        ..world.new_user(Role::Patient)
    };
    let write = world.write_at(at(5), Subject::new_row(Resource::User));
    let outcome = applied(world.storage.register_user(&write, &new).await.unwrap());
    let RegisterOutcome::Registered(user) = outcome else {
        panic!("{outcome:?}")
    };
    let expected = StoredUser {
        id: user.id,
        role: Role::Patient,
        email: new.email.clone(),
        phone: new.phone.clone(),
        language: new.language,
        full_name: new.full_name.clone(),
        contact_number: new.contact_number.clone(),
        seal_id: new.seal_id,
        address: new.address.clone(),
        is_verified: false,
        is_active: true,
        last_login: Some(at(5)),
        created_at: at(5),
        updated_at: at(5),
    };
    assert!(user.id.get() > 0);
    assert_eq!(user, expected);
    assert_eq!(user.email.as_ref().unwrap().as_str(), "Amal@Example.org");
    assert_eq!(
        world.storage.user_by_id(user.id).await.unwrap(),
        Some(expected.clone())
    );
    assert_eq!(
        world.storage.data_key_of_user(user.id).await.unwrap(),
        Some(new.data_key)
    );
    let profile = StoredPatient {
        id: user.id,
        full_name: new.full_name,
        seal_id: new.profile_seal_id,
        profile: new.profile,
        is_active: true,
        created_at: at(5),
        updated_at: at(5),
        version: 1,
    };
    assert_eq!(
        world.storage.patient_by_id(user.id).await.unwrap(),
        Some(profile)
    );
    let opened = SessionWithUser {
        session: Session {
            id: session.id,
            user: user.id,
            created_at: at(5),
            expires_at: session.expires_at,
            ended_at: None,
        },
        user: expected,
    };
    assert_eq!(
        world.storage.session_with_user(session.id).await.unwrap(),
        Some(opened)
    );

    let silent = world.patient().await;
    let silent = world.storage.patient_by_id(silent).await.unwrap().unwrap();
    assert_eq!((silent.profile, silent.version), (None, 1));
    let doctor = world.user(Role::Doctor).await;
    assert_ne!(doctor.id, user.id);
    assert_eq!(doctor.last_login, None, "no session, no login");
    assert_eq!(world.storage.patient_by_id(doctor.id).await.unwrap(), None);
    assert_eq!(world.storage.doctor_by_id(doctor.id).await.unwrap(), None);
    let admin = world.user(Role::Admin).await;
    assert!(admin.is_verified);
    assert_eq!(
        world.storage.data_key_of_user(user_id(999)).await.unwrap(),
        None
    );
}

async fn register_refuses_a_taken_email(world: Arc<World>) {
    let email = |text: &str| Some(Email::new(text).unwrap());
    let first = NewUser {
        email: email("amal@example.org"),
        ..world.new_user(Role::Patient)
    };
    world.register(&first).await;
    for (text, role) in [
        ("amal@example.org", Role::Patient),
        ("AMAL@Example.ORG", Role::Doctor),
    ] {
        let session = Some(world.new_session(None));
        let second = NewUser {
            email: email(text),
            session,
            ..world.new_user(role)
        };
        let write = world.makes(Resource::User);
        let outcome = world
            .unchanged(world.storage.register_user(&write, &second))
            .await
            .unwrap();
        assert_eq!(applied(outcome), RegisterOutcome::EmailTaken);
    }
    for _ in 0..2 {
        let nameless = NewUser {
            email: None,
            ..world.new_user(Role::Doctor)
        };
        world.register(&nameless).await;
    }
    // Parallel registrations of one address make one account.
    let answers = together(16, |caller| {
        let world = Arc::clone(&world);
        async move {
            let text = if caller % 2 == 0 {
                "new@example.org"
            } else {
                "NEW@example.org"
            };
            let email = Some(Email::new(text).unwrap());
            let new = NewUser {
                email,
                ..world.new_user(Role::Patient)
            };
            let write = world.makes(Resource::User);
            applied(world.storage.register_user(&write, &new).await.unwrap())
        }
    })
    .await;
    let made = answers
        .iter()
        .filter(|one| matches!(one, RegisterOutcome::Registered(_)))
        .count();
    assert_eq!(made, 1);
}

async fn register_replays_its_key(world: Arc<World>) {
    let new = NewUser {
        session: Some(world.new_session(None)),
        ..world.new_user(Role::Patient)
    };
    let write = with_key(world.makes(Resource::User), "key", 1);
    let outcome = applied(world.storage.register_user(&write, &new).await.unwrap());
    let RegisterOutcome::Registered(user) = outcome else {
        panic!("{outcome:?}")
    };
    // The address is taken by now: the key comes before that.
    let again = with_key(world.makes(Resource::User), "key", 1);
    let answer = world
        .unchanged(world.storage.register_user(&again, &new))
        .await
        .unwrap();
    assert_eq!(
        answer,
        Written::Replayed(Subject::number(Resource::User, user.id.get()))
    );
    let other = with_key(world.makes(Resource::User), "key", 2);
    let answer = world
        .unchanged(world.storage.register_user(&other, &new))
        .await
        .unwrap();
    assert_eq!(answer, Written::KeyMismatch);
}

async fn an_unknown_user_is_none(world: Arc<World>) {
    let user = world.patient().await;
    for number in [0, -1, user.get() + 1, i64::MAX] {
        assert_eq!(
            world.storage.user_by_id(user_id(number)).await.unwrap(),
            None
        );
        assert!(
            world
                .storage
                .account_by_user(user_id(number))
                .await
                .unwrap()
                .is_none()
        );
    }
}

async fn users_are_listed_by_id_with_the_total(world: Arc<World>) {
    let mut users = Vec::new();
    for role in [
        Role::Patient,
        Role::Doctor,
        Role::Patient,
        Role::Admin,
        Role::Patient,
    ] {
        users.push(world.user(role).await);
    }
    world.set_active(users[2].id, false).await;
    let listed = |role, request| {
        let world = Arc::clone(&world);
        async move {
            let page = world.storage.user_page(role, request).await.unwrap();
            (
                page.items.iter().map(|user| user.id).collect::<Vec<_>>(),
                page.total,
            )
        }
    };
    let ids = |places: &[usize]| places.iter().map(|at| users[*at].id).collect::<Vec<_>>();
    assert_eq!(listed(None, page(0, 100)).await, (ids(&[0, 1, 2, 3, 4]), 5));
    assert_eq!(listed(None, page(1, 2)).await, (ids(&[1, 2]), 5));
    assert_eq!(listed(None, page(5, 2)).await, (ids(&[]), 5));
    assert_eq!(
        listed(Some(Role::Patient), page(0, 100)).await,
        (ids(&[0, 2, 4]), 3)
    );
    assert_eq!(
        listed(Some(Role::Patient), page(2, 100)).await,
        (ids(&[4]), 3)
    );
    assert_eq!(listed(Some(Role::Admin), page(0, 1)).await, (ids(&[3]), 1));
    let far = page(i64::MAX, 100);
    assert_eq!(listed(Some(Role::Admin), far).await, (ids(&[]), 1));
}

async fn an_account_is_found_without_regard_to_case(world: Arc<World>) {
    let email = Some(Email::new("Ämal.Ünal@Example.ORG").unwrap());
    let new = NewUser {
        email,
        ..world.new_user(Role::Patient)
    };
    let user = world.register(&new).await;
    let found = world
        .storage
        .account_by_email("ämal.ünal@example.org")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.user, user);
    assert_eq!(found.password, new.password);
    for other in [
        "",
        "ämal.ünal@example.com",
        "amal.unal@example.org",
        "%",
        "Ämal.Ünal@Example.ORG",
    ] {
        assert!(
            world
                .storage
                .account_by_email(other)
                .await
                .unwrap()
                .is_none(),
            "{other}"
        );
    }
}

async fn an_account_is_found_by_its_user(world: Arc<World>) {
    let new = NewUser {
        email: None,
        ..world.new_user(Role::Doctor)
    };
    let user = world.register(&new).await;
    world.patient().await;
    world.set_active(user.id, false).await;
    let found = world
        .storage
        .account_by_user(user.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.user.id, user.id);
    assert!(!found.user.is_active);
    assert_eq!(found.password, new.password);
}

async fn activation_is_idempotent(world: Arc<World>) {
    let user = world.user(Role::Patient).await;
    let set = |id, active| {
        let world = Arc::clone(&world);
        async move {
            let write = with_key(world.changes(Resource::User, 1), "never kept", 1);
            applied(
                world
                    .storage
                    .set_user_active(&write, id, active)
                    .await
                    .unwrap(),
            )
        }
    };
    let outcome = world.unchanged(set(user.id, true)).await;
    assert_eq!(outcome, SetActiveOutcome::Unchanged(user.clone()));
    world.set_active(user.id, false).await;
    let inactive = world.storage.user_by_id(user.id).await.unwrap().unwrap();
    let outcome = world.unchanged(set(user.id, false)).await;
    assert_eq!(outcome, SetActiveOutcome::Unchanged(inactive));
    for active in [true, false] {
        let outcome = world
            .unchanged(set(user_id(user.id.get() + 1), active))
            .await;
        assert_eq!(outcome, SetActiveOutcome::UserNotFound);
    }
}

async fn data_keys_are_read_in_one_call(world: Arc<World>) {
    let mut keys: Vec<WrappedDataKey> = Vec::new();
    for _ in 0..4 {
        let new = world.new_user(Role::Patient);
        world.register(&new).await;
        keys.push(new.data_key);
    }
    let unknown = DataKeyId::new(world.uuid());
    let asked = [keys[3].id, unknown, keys[0].id, keys[2].id];
    let mut found = world.storage.data_keys(&asked).await.unwrap();
    found.sort_by_key(|key| key.id);
    assert_eq!(found, [keys[0].clone(), keys[2].clone(), keys[3].clone()]);
    assert_eq!(world.storage.data_keys(&[]).await.unwrap(), []);
    assert_eq!(world.storage.data_keys(&[unknown]).await.unwrap(), []);
    // As many as a page of a list can need, and a few unknown ones.
    let mut many: Vec<_> = (0..300).map(|_| DataKeyId::new(world.uuid())).collect();
    many.extend(keys.iter().map(|key| key.id));
    assert_eq!(world.storage.data_keys(&many).await.unwrap().len(), 4);
}
