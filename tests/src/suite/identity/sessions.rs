//! Cases of sessions, and of what ends them.

use std::sync::Arc;

use telemed_core::actor::Role;
use telemed_core::id::SessionId;
use telemed_core::identity::{
    ChangePasswordOutcome, NewUser, SessionWithUser, SetActiveOutcome, StoredUser,
};
use telemed_core::journal::{Resource, Subject};

use crate::build::{World, applied, at, hash, user_id};
use crate::suite::case_list;
use crate::suite::identity::guessing::{LIMITS, keys};
use crate::together;

case_list! { "identity":
    a_session_is_read_with_its_user,
    a_session_ends_once,
    a_password_change_ends_the_other_sessions,
    a_superseded_password_change_changes_nothing,
    deactivation_ends_all_sessions,
}

async fn a_session_is_read_with_its_user(world: Arc<World>) {
    let session = world.new_session(None);
    let new = NewUser {
        session: Some(session.clone()),
        ..world.new_user(Role::Doctor)
    };
    let user = world.register(&new).await;
    let read = || async {
        world
            .storage
            .session_with_user(session.id)
            .await
            .unwrap()
            .unwrap()
    };
    assert_eq!(read().await.user, user);
    assert_eq!(read().await.session.ended_at, None);
    // An ended one is read, too, with the user as he is now.
    world.set_active(user.id, false).await;
    assert!(!read().await.user.is_active);
    assert!(read().await.session.ended_at.is_some());
    let unknown = SessionId::new(world.uuid());
    assert_eq!(
        world.storage.session_with_user(unknown).await.unwrap(),
        None
    );
}

async fn a_session_ends_once(world: Arc<World>) {
    let (one, two) = (world.new_session(None), world.new_session(None));
    for session in [&one, &two] {
        let new = NewUser {
            session: Some(session.clone()),
            ..world.new_user(Role::Patient)
        };
        world.register(&new).await;
    }
    let subject = |session: SessionId| Subject::uuid(Resource::Session, session.get());
    let answers = together(16, |caller| {
        let (world, session) = (Arc::clone(&world), one.id);
        async move {
            let minute = i64::try_from(caller).unwrap();
            let write = world.write_at(at(minute), subject(session));
            (
                minute,
                applied(world.storage.end_session(&write, session).await.unwrap()),
            )
        }
    })
    .await;
    let ended: Vec<_> = answers.iter().filter(|(_, ended)| *ended).collect();
    let [(minute, _)] = ended[..] else {
        panic!("{answers:?}")
    };
    let session = world
        .storage
        .session_with_user(one.id)
        .await
        .unwrap()
        .unwrap()
        .session;
    assert_eq!(session.ended_at, Some(at(*minute)));
    for id in [one.id, SessionId::new(world.uuid())] {
        let write = world.write_at(at(99), subject(id));
        let again = world
            .unchanged(world.storage.end_session(&write, id))
            .await
            .unwrap();
        assert!(!applied(again));
    }
    let other = world
        .storage
        .session_with_user(two.id)
        .await
        .unwrap()
        .unwrap()
        .session;
    assert_eq!(other.ended_at, None);
}

async fn a_password_change_ends_the_other_sessions(world: Arc<World>) {
    let new = NewUser {
        session: Some(world.new_session(None)),
        ..world.new_user(Role::Patient)
    };
    let first = new.session.clone().unwrap().id;
    let user = world.register(&new).await;
    let stranger = NewUser {
        session: Some(world.new_session(None)),
        ..world.new_user(Role::Patient)
    };
    world.register(&stranger).await;
    for minute in 1..4 {
        let keys = keys(1, None);
        world
            .conclude(at(minute), keys, LIMITS, Some(user.id), true)
            .await;
    }
    let sessions = world.dump().await.sessions;
    let own: Vec<SessionId> = sessions
        .iter()
        .map(|one| one.session.id)
        .filter(|id| Some(*id) != stranger.session.as_ref().map(|one| one.id))
        .collect();
    assert_eq!(own.len(), 4);
    // One has ended before; it keeps its time.
    let write = world.write_at(at(10), Subject::uuid(Resource::Session, first.get()));
    world.storage.end_session(&write, first).await.unwrap();
    let keep = own[2];
    let write = world.write_at(at(20), Subject::number(Resource::User, user.id.get()));
    let change = |expected: &str, new: &str, keep| {
        let (expected, new) = (hash(expected), hash(new));
        let (world, write) = (Arc::clone(&world), write.clone());
        async move {
            world
                .storage
                .change_password(&write, user.id, &expected, &new, keep)
                .await
                .unwrap()
        }
    };
    let outcome = change(new.password.as_str(), "second", Some(keep)).await;
    assert_eq!(outcome, ChangePasswordOutcome::Changed);
    let account = world
        .storage
        .account_by_user(user.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(account.password, hash("second"));
    for one in world.dump().await.sessions {
        let expected = match one.session.id {
            id if id == first => Some(at(10)),
            id if id != keep && own.contains(&id) => Some(at(20)),
            _ => None,
        };
        assert_eq!(one.session.ended_at, expected);
    }
    // Without one to keep, all of them end.
    assert_eq!(
        change("second", "third", None).await,
        ChangePasswordOutcome::Changed
    );
    let live = world
        .dump()
        .await
        .sessions
        .iter()
        .filter(|one| one.session.ended_at.is_none())
        .count();
    assert_eq!(live, 1, "the stranger's");
}

async fn a_superseded_password_change_changes_nothing(world: Arc<World>) {
    let new = NewUser {
        session: Some(world.new_session(None)),
        ..world.new_user(Role::Patient)
    };
    let user = world.register(&new).await.id;
    let write = world.changes(Resource::User, user.get());
    let (wrong, second) = (hash("wrong"), hash("second"));
    let change = world
        .storage
        .change_password(&write, user, &wrong, &second, None);
    assert_eq!(
        world.unchanged(change).await.unwrap(),
        ChangePasswordOutcome::Superseded
    );
    let change = world
        .storage
        .change_password(&write, user_id(999), &wrong, &second, None);
    assert_eq!(
        world.unchanged(change).await.unwrap(),
        ChangePasswordOutcome::UserNotFound
    );
    // Of changes in parallel one comes first.
    let answers = together(16, |caller| {
        let (world, expected) = (Arc::clone(&world), new.password.clone());
        async move {
            let write = world.changes(Resource::User, user.get());
            let to = hash(&format!("new {caller}"));
            world
                .storage
                .change_password(&write, user, &expected, &to, None)
                .await
                .unwrap()
        }
    })
    .await;
    let first = answers
        .iter()
        .position(|one| *one == ChangePasswordOutcome::Changed)
        .unwrap();
    let changed = answers
        .iter()
        .filter(|one| **one == ChangePasswordOutcome::Changed)
        .count();
    assert_eq!(changed, 1);
    let account = world.storage.account_by_user(user).await.unwrap().unwrap();
    assert_eq!(account.password, hash(&format!("new {first}")));
}

async fn deactivation_ends_all_sessions(world: Arc<World>) {
    let new = NewUser {
        session: Some(world.new_session(None)),
        ..world.new_user(Role::Patient)
    };
    let user = world.register(&new).await;
    world
        .conclude(at(1), keys(1, None), LIMITS, Some(user.id), true)
        .await;
    let before = world.storage.user_by_id(user.id).await.unwrap().unwrap();
    let stranger = NewUser {
        session: Some(world.new_session(None)),
        ..world.new_user(Role::Patient)
    };
    let stranger = world.register(&stranger).await.id;
    let write = world.write_at(at(9), Subject::number(Resource::User, user.id.get()));
    let outcome = world
        .storage
        .set_user_active(&write, user.id, false)
        .await
        .unwrap();
    let inactive = StoredUser {
        is_active: false,
        updated_at: at(9),
        ..before
    };
    assert_eq!(
        applied(outcome),
        SetActiveOutcome::Changed(inactive.clone())
    );
    assert_eq!(
        world.storage.user_by_id(user.id).await.unwrap(),
        Some(inactive.clone())
    );
    let sessions = world.dump().await.sessions;
    assert_eq!(sessions.len(), 3);
    for one in &sessions {
        let expected = (one.session.user != stranger).then(|| at(9));
        assert_eq!(one.session.ended_at, expected);
    }
    // They stay ended when the account comes back.
    let write = world.write_at(at(10), Subject::number(Resource::User, user.id.get()));
    let outcome = world
        .storage
        .set_user_active(&write, user.id, true)
        .await
        .unwrap();
    let active = StoredUser {
        is_active: true,
        updated_at: at(10),
        ..inactive
    };
    assert_eq!(applied(outcome), SetActiveOutcome::Changed(active));
    let after = world.dump().await.sessions;
    let ends = |sessions: &[SessionWithUser]| -> Vec<_> {
        sessions.iter().map(|one| one.session.clone()).collect()
    };
    assert_eq!(ends(&after), ends(&sessions));
}
