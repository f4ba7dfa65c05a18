//! The tokens of a session that was refreshed for a long time go with it.

use telemed_core::actor::Role;
use telemed_core::crypto::Fingerprint;
use telemed_core::identity::{IdentityStore, RefreshCommand, RefreshOutcome};
use telemed_core::journal::{JournalStore, Retention};
use telemed_core::time::Timestamp;
use telemed_tests::build::{NOW, at};

use super::place::{Place, options, world};

/// More than go with one statement.
const EXCHANGES: usize = 1_200;

pub async fn the_tokens_of_an_old_session_go_before_it_and_do_not_count(place: Place) {
    let store = place.silent(&options("one")).await;
    let world = world(&place, &store);
    let (session, first) = world.refreshing_session();
    let (id, expires_at) = (session.id, session.expires_at);
    let mut new = world.new_user(Role::Patient);
    new.session = Some(session);
    world.register(&new).await;
    let mut tokens: Vec<Fingerprint> = vec![first];
    for number in 0..EXCHANGES {
        let exchange = RefreshCommand {
            presented: tokens[number],
            next: world.token(),
            expires_at,
            reuse: world.whole(),
        };
        let exchanged = store.refresh_session(&world.whole(), &exchange).await;
        assert!(matches!(exchanged, Ok(RefreshOutcome::Refreshed(_))));
        tokens.push(exchange.next);
    }
    let purge = |sessions_before: Timestamp| Retention {
        events_before: NOW,
        keys_before: NOW,
        dead_jobs_before: NOW,
        login_failures_before: NOW,
        sessions_before,
    };
    let known = [tokens[0], tokens[EXCHANGES]];
    assert_eq!(store.purge(&purge(expires_at)).await.unwrap(), 0);
    for token in known {
        let found = store.session_of_refresh_token(token).await.unwrap();
        assert_eq!(found.unwrap().session.id, id);
    }
    let later = at(25 * 60);
    assert_eq!(store.purge(&purge(later)).await.unwrap(), 1);
    for token in known {
        let found = store.session_of_refresh_token(token).await.unwrap();
        assert_eq!(found, None);
    }
}
