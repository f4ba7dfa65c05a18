//! Cases of what is dropped with time.

use std::sync::Arc;

use telemed_core::identity::{ConcludeLoginOutcome, GuessingLimits, LoginKeys, LoginStanding};
use telemed_core::journal::{EventSpan, JobEnd, Resource, Retention, Subject};
use telemed_core::time::Timestamp;

use crate::build::{World, applied, at, fingerprint, minutes, with_key};
use crate::dump::{audit_trail, open_jobs};
use crate::suite::case_list;
use crate::suite::journal::jobs::{claim, schedule};
use crate::suite::journal::records::{heard, key, tell};

case_list! { "journal":
    purge_drops_only_what_is_old,
    the_span_of_the_log_is_known,
}

/// A retention that drops nothing.
pub(in crate::suite) fn nothing() -> Retention {
    let begin = Timestamp::from_micros(i64::MIN);
    Retention {
        events_before: begin,
        keys_before: begin,
        dead_jobs_before: begin,
        login_failures_before: begin,
        sessions_before: begin,
    }
}

async fn purge_drops_only_what_is_old(world: Arc<World>) {
    let store = &world.storage;
    let limits = GuessingLimits {
        window: minutes(600),
        per_account: 2,
        per_network: 2,
    };
    let keys = LoginKeys {
        account: fingerprint(1),
        network: Some(fingerprint(2)),
        session: None,
    };
    let user = Some(world.patient().await);
    for minute in [10, 20] {
        tell(&world, at(minute), &[1, 2]).await;
        let text = minute.to_string();
        let write = world.write_at(at(minute), Subject::new_row(Resource::Clinic));
        let details = world.clinic_details("UTC");
        store
            .create_clinic(&with_key(write, &text, 1), &details)
            .await
            .unwrap();
        let job = schedule(&world, minute).await;
        claim(&world, minute, minute + 5, 1).await;
        assert!(
            store
                .finish_job(job, at(minute + 5), JobEnd::Dead)
                .await
                .unwrap()
        );
        let outcome = world.conclude(at(minute), keys, limits, None, false).await;
        assert_eq!(outcome, ConcludeLoginOutcome::Refused);
    }
    // Jobs that are open, or claimed, are no dead ones.
    let (open, claimed) = (schedule(&world, 1).await, schedule(&world, 2).await);
    claim(&world, 1, 8, 1).await;
    claim(&world, 2, 9, 1).await;
    // One session that ended at 10, one at 20, one that expires at 610 and was ended after that,
    // one of minute 50 that is live until 650.
    let from_home = LoginKeys {
        account: fingerprint(9),
        network: Some(fingerprint(3)),
        session: None,
    };
    let mut sessions = Vec::new();
    for minute in [1, 2, 10, 50] {
        let outcome = world
            .conclude(at(minute), from_home, limits, user, true)
            .await;
        assert!(matches!(outcome, ConcludeLoginOutcome::Opened(_)));
        sessions = world
            .dump()
            .await
            .sessions
            .iter()
            .map(|one| one.session.id)
            .collect();
    }
    for (session, minute) in [(sessions[0], 10), (sessions[1], 20), (sessions[2], 700)] {
        let subject = Subject::uuid(Resource::Session, session.get());
        let write = world.write_at(at(minute), subject);
        assert!(applied(store.end_session(&write, session).await.unwrap()));
    }
    assert_eq!(world.unchanged(store.purge(&nothing())).await.unwrap(), 0);

    let audit = audit_trail(&**store).await;
    let before = nothing();
    let purge = async |retention: Retention| store.purge(&retention).await.unwrap();
    // Each kind by itself, and the instant itself is kept.
    let events = |at| Retention {
        events_before: at,
        ..before
    };
    assert_eq!(purge(events(at(10))).await, 0);
    assert_eq!(purge(events(at(20))).await, 1);
    assert_eq!(heard(&world, &[1], 0, 9).await.len(), 1);
    assert_eq!(
        purge(Retention {
            keys_before: at(20),
            ..before
        })
        .await,
        1
    );
    assert_eq!(store.key_record("test", &key("10")).await.unwrap(), None);
    let kept = store.key_record("test", &key("20")).await.unwrap();
    assert!(kept.is_some());
    assert_eq!(
        purge(Retention {
            dead_jobs_before: at(20),
            ..before
        })
        .await,
        1
    );
    let standing = |most| {
        let limits = GuessingLimits {
            per_account: most,
            per_network: 1000,
            ..limits
        };
        let world = Arc::clone(&world);
        async move {
            world
                .storage
                .login_standing(&keys, None, &limits, at(30))
                .await
                .unwrap()
        }
    };
    assert_eq!(standing(2).await, LoginStanding::Limited(at(610)));
    assert_eq!(
        purge(Retention {
            login_failures_before: at(20),
            ..before
        })
        .await,
        1
    );
    assert_eq!(standing(2).await, LoginStanding::Open);
    assert_eq!(standing(1).await, LoginStanding::Limited(at(620)));
    let left = || async {
        let dump = world.dump().await;
        dump.sessions
            .iter()
            .map(|one| one.session.id)
            .collect::<Vec<_>>()
    };
    let sessions_of = |at| Retention {
        sessions_before: at,
        ..before
    };
    assert_eq!(purge(sessions_of(at(20))).await, 1);
    assert_eq!(left().await, sessions[1..]);
    assert_eq!(purge(sessions_of(at(611))).await, 2);
    assert_eq!(left().await, sessions[3..]);
    // The cursor goes on rising, the trail and the open jobs stay.
    let last = heard(&world, &[1], 0, 9).await[0].0;
    assert_eq!(purge(events(at(1000))).await, 1);
    tell(&world, at(1000), &[1]).await;
    assert!(heard(&world, &[1], 0, 9).await[0].0 > last);
    assert_eq!(audit_trail(&**store).await[..audit.len()], audit);
    let jobs: Vec<_> = open_jobs(&**store)
        .await
        .iter()
        .map(|one| one.job.id)
        .collect();
    assert_eq!(jobs, [open, claimed]);
}

async fn the_span_of_the_log_is_known(world: Arc<World>) {
    let store = &world.storage;
    let span = async || store.event_span().await.unwrap();
    assert_eq!(span().await, EventSpan::default());
    // The clock may go back: the third is older than the second.
    let mut seqs = Vec::new();
    for minute in [10, 40, 20, 60] {
        tell(&world, at(minute), &[1]).await;
        let last = heard(&world, &[1], 0, 9).await.last().unwrap().0;
        seqs.push(last);
        let newest = EventSpan {
            dropped_up_to: 0,
            newest: last,
        };
        assert_eq!(span().await, newest);
    }
    let purge = async |before| {
        let retention = Retention {
            events_before: at(before),
            ..nothing()
        };
        store.purge(&retention).await.unwrap()
    };
    let expected = |dropped_up_to| EventSpan {
        dropped_up_to,
        newest: seqs[3],
    };
    assert_eq!(purge(5).await, 0);
    assert_eq!(span().await, expected(0));
    assert_eq!(purge(15).await, 1);
    assert_eq!(span().await, expected(seqs[0]));
    // Of what is dropped the highest counts, though the second is still there.
    assert_eq!(purge(30).await, 1);
    assert_eq!(span().await, expected(seqs[2]));
    assert_eq!(purge(50).await, 1);
    assert_eq!(span().await, expected(seqs[2]));
    assert_eq!(purge(100).await, 1);
    assert_eq!(span().await, expected(seqs[3]));
    // An empty log remembers how far it reached, and goes on from there.
    tell(&world, at(200), &[2]).await;
    let next = heard(&world, &[2], 0, 9).await[0].0;
    assert!(next > seqs[3]);
    let after = EventSpan {
        dropped_up_to: seqs[3],
        newest: next,
    };
    assert_eq!(span().await, after);
}
