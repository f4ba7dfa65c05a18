//! The tokens of a session that was refreshed for a long time go with it.

use telemed_core::identity::{RefreshCommand, RefreshOutcome};
use telemed_core::journal::{JournalStore, Retention};

use super::*;

/// More than are dropped in one transaction.
const EXCHANGES: u64 = 1_200;

fn token(number: u64) -> Fingerprint {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    Fingerprint(bytes)
}

#[tokio::test]
async fn the_tokens_of_an_old_session_go_before_it_and_do_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("a.db"), &quick());
    let whole = Subject::new_row(Resource::User);
    let mut new = new_user("amal", Role::Patient);
    let expires_at = NOW.plus(hours(24));
    new.session = Some(NewSession {
        id: fresh(),
        expires_at,
        refresh: Some(token(0)),
        network: None,
    });
    store.register_user(&write(whole), &new).await.unwrap();
    for number in 0..EXCHANGES {
        let exchange = RefreshCommand {
            presented: token(number),
            next: token(number + 1),
            expires_at,
            reuse: write(whole),
        };
        let exchanged = store.refresh_session(&write(whole), &exchange).await;
        assert!(matches!(exchanged, Ok(RefreshOutcome::Refreshed(_))));
    }
    let purge = |sessions_before| Retention {
        events_before: NOW,
        keys_before: NOW,
        dead_jobs_before: NOW,
        login_failures_before: NOW,
        sessions_before,
    };
    assert_eq!(store.purge(&purge(expires_at)).await.unwrap(), 0);
    for known in [0, EXCHANGES] {
        let found = store.session_of_refresh_token(token(known)).await.unwrap();
        assert_eq!(found.unwrap().session.id, new.session.as_ref().unwrap().id);
    }
    let later = expires_at.plus(hours(1));
    assert_eq!(store.purge(&purge(later)).await.unwrap(), 1);
    for known in [0, EXCHANGES] {
        let found = store.session_of_refresh_token(token(known)).await.unwrap();
        assert_eq!(found, None);
    }
}
