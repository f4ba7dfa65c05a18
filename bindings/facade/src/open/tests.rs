#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::Arc;

use telemed_core::env::SeededEntropy;
use telemed_core::identity::Pbkdf2Hasher;
use telemed_core::journal::AuditFault;

use super::*;
use crate::Telemed;
use crate::prelude::*;

/// A database in this folder, without background tasks and with a hash that costs nothing.
fn config(folder: &Path) -> Config {
    let mut config = Config::new(format!("sqlite:{}/telemed.db", folder.display()));
    config.background = false;
    config.relaxed_durability = true;
    let entropy = Arc::new(SeededEntropy::new(1));
    config.hasher = Some(Arc::new(Pbkdf2Hasher::new(1, entropy)));
    config
}

async fn refused(config: Config) -> OpenError {
    match Telemed::open(config).await {
        Ok(_) => panic!("it opens"),
        Err(error) => {
            let line = error.to_string();
            assert!(!line.contains('\n') && !line.contains("secret"), "{line}");
            error
        }
    }
}

async fn make_administrator(telemed: &Telemed, email: &str) {
    let request = CreateAdministrator {
        full_name: FullName::new("Admin").unwrap(),
        email: Email::new(email).unwrap(),
        password: NewPassword::new("a password").unwrap(),
    };
    let identity = telemed.engine().identity();
    identity
        .create_administrator(&Actor::operator(), request)
        .await
        .unwrap();
}

#[tokio::test]
async fn what_was_kept_is_there_at_the_next_start() {
    let base = tempfile::tempdir().unwrap();
    let folder = base.path().join("new/data");
    let telemed = Telemed::open(config(&folder)).await.unwrap();
    make_administrator(&telemed, "a@example.org").await;
    assert_eq!(telemed.host_value("demo").await.unwrap(), None);
    assert_eq!(telemed.claim_host_value("demo", "1").await.unwrap(), "1");
    telemed.close().await.unwrap();
    for name in [
        "telemed.db",
        "master.key",
        "signing.key",
        "audit-checkpoints.log",
    ] {
        let path = folder.join(name);
        assert!(path.exists(), "{name}");
        assert_eq!(
            crate::files::mode_for_others(&path).unwrap(),
            None,
            "{name}"
        );
    }
    assert_eq!(crate::files::mode_for_others(&folder).unwrap(), None);

    let telemed = Telemed::open(config(&folder)).await.unwrap();
    assert_eq!(telemed.claim_host_value("demo", "2").await.unwrap(), "1");
    let report = telemed.engine().verify_audit().await.unwrap();
    assert_eq!((report.rows, report.fault), (1, None));
    telemed.close().await.unwrap();
}

#[tokio::test]
async fn two_may_have_it_open_at_once() {
    let base = tempfile::tempdir().unwrap();
    let server = Telemed::open(config(base.path())).await.unwrap();
    let command = Telemed::open(config(base.path())).await.unwrap();
    let many = async {
        for at in 0..20 {
            make_administrator(&server, &format!("s{at}@example.org")).await;
        }
    };
    let others = async {
        for at in 0..20 {
            make_administrator(&command, &format!("c{at}@example.org")).await;
        }
    };
    tokio::join!(many, others);
    let report = command.engine().verify_audit().await.unwrap();
    assert_eq!((report.rows, report.fault), (40, None));
    command.close().await.unwrap();
    make_administrator(&server, "last@example.org").await;
    let report = server.engine().verify_audit().await.unwrap();
    assert_eq!((report.rows, report.fault), (41, None));
    server.close().await.unwrap();
}

#[tokio::test]
async fn a_trail_that_was_put_back_is_found_by_the_file_outside() {
    let base = tempfile::tempdir().unwrap();
    let saved = base.path().join("saved.db");
    let telemed = Telemed::open(config(base.path())).await.unwrap();
    make_administrator(&telemed, "a@example.org").await;
    telemed.close().await.unwrap();
    let database = base.path().join("telemed.db");
    std::fs::copy(&database, &saved).unwrap();
    let telemed = Telemed::open(config(base.path())).await.unwrap();
    make_administrator(&telemed, "b@example.org").await;
    telemed.close().await.unwrap();

    std::fs::copy(&saved, &database).unwrap();
    let telemed = Telemed::open(config(base.path())).await.unwrap();
    let report = telemed.engine().verify_audit().await.unwrap();
    assert_eq!(report.fault, Some(AuditFault::Cut { known: 2, found: 1 }));
}

#[tokio::test]
async fn a_database_is_not_opened_without_its_own_keys() {
    let base = tempfile::tempdir().unwrap();
    Telemed::open(config(base.path()))
        .await
        .unwrap()
        .close()
        .await
        .unwrap();
    let master = base.path().join("master.key");
    let saved = std::fs::read(&master).unwrap();

    std::fs::remove_file(&master).unwrap();
    let error = refused(config(base.path())).await;
    assert!(matches!(error, OpenError::Keys(KeyFileError::Missing(_))));
    assert!(!master.exists());

    let mut elsewhere = config(base.path());
    elsewhere.key_dir = Some(base.path().join("elsewhere"));
    let error = refused(elsewhere).await;
    assert!(matches!(error, OpenError::Keys(KeyFileError::Missing(_))));
    assert!(!base.path().join("elsewhere").exists());

    // The keys of another installation.
    let other = tempfile::tempdir().unwrap();
    Telemed::open(config(other.path())).await.unwrap();
    std::fs::copy(other.path().join("master.key"), &master).unwrap();
    let error = refused(config(base.path())).await;
    assert!(matches!(error, OpenError::KeysDoNotMatch { .. }));

    std::fs::write(&master, saved).unwrap();
    assert!(Telemed::open(config(base.path())).await.is_ok());
    std::fs::remove_file(base.path().join("signing.key")).unwrap();
    let error = refused(config(base.path())).await;
    assert!(matches!(error, OpenError::Keys(KeyFileError::Missing(_))));
}

#[tokio::test]
async fn a_database_knows_its_signing_keys_through_their_changes() {
    let base = tempfile::tempdir().unwrap();
    Telemed::open(config(base.path())).await.unwrap();
    let path = base.path().join("signing.key");
    let first = std::fs::read_to_string(&path).unwrap();
    let write = |text: &str| std::fs::write(&path, text).unwrap();
    let is_refused = async || {
        let error = refused(config(base.path())).await;
        assert!(
            matches!(error, OpenError::SigningKeysDoNotMatch(_)),
            "{error}"
        );
    };
    let key = |id: &str, digit: &str| format!("{id} HS256 {}\n", digit.repeat(64));

    // Another key, under a name of its own and under the known one's.
    write(&key("other", "a"));
    is_refused().await;
    let first_id = first.split(' ').next().unwrap();
    write(&key(first_id, "a"));
    is_refused().await;
    write(&format!("{}{}", key("other", "a"), key(first_id, "b")));
    is_refused().await;

    // Beside a known one it becomes known, and the known one may go.
    write(&format!("{}{first}", key("second", "c")));
    Telemed::open(config(base.path())).await.unwrap();
    write(&key("second", "c"));
    Telemed::open(config(base.path())).await.unwrap();
    write(&key("second", "d"));
    is_refused().await;
    write(&key("third", "e"));
    is_refused().await;
}

#[tokio::test]
async fn keys_may_live_elsewhere() {
    let base = tempfile::tempdir().unwrap();
    let mut config = config(base.path());
    config.key_dir = Some(base.path().join("keys"));
    Telemed::open(config).await.unwrap();
    assert!(base.path().join("keys/master.key").exists());
    assert!(!base.path().join("master.key").exists());
}

#[tokio::test]
async fn what_cannot_be_opened_says_what_to_do() {
    let base = tempfile::tempdir().unwrap();
    let mut absent = config(&base.path().join("absent"));
    absent.create = false;
    assert!(matches!(refused(absent).await, OpenError::NoDatabase(_)));
    assert!(!base.path().join("absent").exists());

    let mut unreachable = Config::new("postgres://u:secret@127.0.0.1:1/d");
    unreachable.data_dir = Some(base.path().join("absent"));
    let error = refused(unreachable).await;
    assert!(error.to_string().contains("PostgreSQL"), "{error}");
    assert!(!base.path().join("absent").exists());
    assert!(matches!(
        refused(Config::new("nonsense:secret")).await,
        OpenError::Database(DatabaseError::Unknown)
    ));

    std::fs::write(
        base.path().join("telemed.db"),
        "no database at all, but a text",
    )
    .unwrap();
    let error = refused(config(base.path())).await;
    assert!(matches!(error, OpenError::Unusable { .. }), "{error}");
    assert!(!base.path().join("master.key").exists());

    std::fs::write(base.path().join("file"), "").unwrap();
    let error = refused(config(&base.path().join("file"))).await;
    assert!(matches!(error, OpenError::Folder { .. }), "{error}");
}

#[tokio::test]
async fn in_memory_nothing_is_written() {
    let base = tempfile::tempdir().unwrap();
    let mut config = Config::new("memory:");
    config.data_dir = Some(base.path().join("data"));
    config.key_dir = Some(base.path().join("keys"));
    let telemed = Telemed::open(config).await.unwrap();
    telemed.engine().ready().await.unwrap();
    telemed.close().await.unwrap();
    assert_eq!(std::fs::read_dir(base.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn the_usual_hasher_and_signer_sign_somebody_in() {
    let telemed = Telemed::open(Config::new("memory:")).await.unwrap();
    make_administrator(&telemed, "a@example.org").await;
    let identity = telemed.engine().identity();
    let log_in = |password: &str| LogIn {
        identifier: LoginIdentifier::parse("a@example.org"),
        password: Password::typed(password),
        refresh: false,
    };
    let visitor = Actor::anonymous();
    let signed = identity
        .log_in(&visitor, log_in("a password"))
        .await
        .unwrap();
    assert!(
        identity
            .authenticate(&signed.token, Origin::default())
            .await
            .is_ok()
    );
    let error = identity
        .log_in(&visitor, log_in("another"))
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::InvalidCredentials);
}
