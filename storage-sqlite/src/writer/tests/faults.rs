//! Groups in bad weather: a full disk, a COMMIT that fails, an I/O error.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use rusqlite::ffi;

use super::super::command::CommitFault;
use super::*;

/// Lets the database grow by a few pages from where it is.
pub(super) async fn limit_size(shop: &Workshop) {
    let limited = shop.writer.write(|context| {
        let pages: u32 = context
            .connection()
            .pragma_query_value(None, "page_count", |row| row.get(0))
            .during("counting pages")?;
        context
            .connection()
            .pragma_update_and_check(None, "max_page_count", pages + 8, |_| Ok(()))
            .during("limiting pages")?;
        Ok(Verdict::Undo(()))
    });
    limited.await.unwrap();
}

/// Puts the culprit in the middle of twenty innocents, and checks that only it fails.
async fn only_the_culprit_fails<'w>(
    shop: &'w Workshop,
    culprit: impl Fn() -> Asked<'w, i64>,
) -> StoreErrorKind {
    let answers = shop
        .group((1..=21).map(|id| if id == 11 { culprit() } else { shop.add(id) }))
        .await;
    let innocent: Vec<i64> = (1..=21).filter(|id| *id != 11).collect();
    for (answer, id) in answers.iter().zip(1..) {
        if id != 11 {
            assert_eq!(answer.as_ref().unwrap(), &id);
        }
    }
    assert_eq!(shop.items(), innocent);
    assert_eq!(shop.log(), innocent);
    assert_eq!(shop.announced(), innocent);
    kind(&answers[10])
}

/// Leaves traces, as every culprit does before it fails.
fn traces(context: &mut WriteContext<'_>) -> StoreResult<()> {
    insert(context, 1_000)?;
    context.audit(audit(1_000));
    context.announce(event(1_000));
    Ok(())
}

const TOO_LARGE: &str = "INSERT INTO item (id, content) VALUES (1001, zeroblob(1000000))";

#[tokio::test]
async fn a_full_disk_that_ends_the_transaction_fails_the_culprit_only() {
    let shop = Workshop::new();
    limit_size(&shop).await;
    let ended = Arc::new(AtomicBool::new(false));
    let failed = only_the_culprit_fails(&shop, || {
        let ended = Arc::clone(&ended);
        ask(shop.writer.write(move |context| {
            traces(context)?;
            let result = context
                .statement(TOO_LARGE)?
                .execute([])
                .during("adding a large item");
            ended.fetch_or(context.connection().is_autocommit(), Ordering::SeqCst);
            result.map(|_| Verdict::Keep(11))
        }))
    })
    .await;
    assert_eq!(failed, StoreErrorKind::StorageFull);
    assert!(
        ended.load(Ordering::SeqCst),
        "SQLite did not do what this test is about"
    );
    assert_eq!(shop.writer.counts().replays, 1);
    // There is space again: the database was never in doubt.
    assert_eq!(shop.writer.write(add(22)).await.unwrap(), 22);
    assert_eq!(shop.writer.counts().reopened, 0);
}

#[tokio::test]
async fn a_full_disk_that_ends_only_the_statement_fails_the_culprit_only() {
    let shop = Workshop::new();
    limit_size(&shop).await;
    let failed = only_the_culprit_fails(&shop, || {
        ask(shop.writer.write(|context| {
            traces(context)?;
            context
                .statement(
                    "INSERT INTO item (id, content)
                     SELECT value + 2000, zeroblob(9000) FROM json_each('[1,2,3,4,5,6,7,8,9]')",
                )?
                .execute([])
                .during("adding large items")?;
            Ok(Verdict::Keep(11))
        }))
    })
    .await;
    assert_eq!(failed, StoreErrorKind::StorageFull);
    assert_eq!(shop.writer.counts().replays, 1);
}

#[tokio::test]
async fn a_command_that_hides_a_full_disk_is_not_acknowledged() {
    let shop = Workshop::new();
    limit_size(&shop).await;
    let failed = only_the_culprit_fails(&shop, || {
        ask(shop.writer.write(|context| {
            traces(context)?;
            let _ = context.statement(TOO_LARGE)?.execute([]);
            Ok(Verdict::Keep(11))
        }))
    })
    .await;
    assert_eq!(failed, StoreErrorKind::Internal);
}

#[tokio::test]
async fn a_full_disk_under_a_lone_command_is_its_own_fault() {
    let shop = Workshop::new();
    limit_size(&shop).await;
    let failed = shop
        .writer
        .write(|context| {
            traces(context)?;
            context
                .statement(TOO_LARGE)?
                .execute([])
                .during("adding a large item")?;
            Ok(Verdict::Keep(()))
        })
        .await;
    assert_eq!(kind(&failed), StoreErrorKind::StorageFull);
    assert_eq!((shop.items(), shop.announced()), (vec![], vec![]));
    assert_eq!(shop.writer.counts().replays, 0);
}

#[tokio::test]
async fn a_refused_commit_that_leaves_the_transaction_open_fails_the_culprit_only() {
    let shop = Workshop::new();
    let failed = only_the_culprit_fails(&shop, || {
        ask(shop.writer.write(|context| {
            traces(context)?;
            context
                .connection()
                .pragma_update(None, "defer_foreign_keys", true)
                .during("deferring")?;
            context
                .statement("INSERT INTO item (id, parent) VALUES (1001, 77)")?
                .execute([])
                .during("adding an orphan")?;
            Ok(Verdict::Keep(11))
        }))
    })
    .await;
    assert_eq!(failed, StoreErrorKind::Internal);
    assert_eq!(shop.writer.counts().replays, 1);
    assert_eq!(shop.writer.counts().commits, 20);
}

#[tokio::test]
async fn a_commit_turned_away_by_a_hook_fails_the_culprit_only() {
    let shop = Workshop::new();
    let turned_away = Arc::new(AtomicI64::new(0));
    let failed = only_the_culprit_fails(&shop, || {
        let turned_away = Arc::clone(&turned_away);
        ask(shop.writer.write(move |context| {
            traces(context)?;
            // Turns away the transaction that this runs in, and no other.
            let here = Arc::new(AtomicBool::new(true));
            let (over, counted) = (Arc::clone(&here), Arc::clone(&turned_away));
            let connection = context.connection();
            connection
                .commit_hook(Some(move || {
                    let refuse = here.load(Ordering::SeqCst);
                    counted.fetch_add(i64::from(refuse), Ordering::SeqCst);
                    refuse
                }))
                .during("setting a hook")?;
            connection
                .rollback_hook(Some(move || over.store(false, Ordering::SeqCst)))
                .during("setting a hook")?;
            Ok(Verdict::Keep(11))
        }))
    })
    .await;
    assert_eq!(failed, StoreErrorKind::Internal);
    assert_eq!(
        turned_away.load(Ordering::SeqCst),
        2,
        "once in the group, once alone"
    );
    assert_eq!(shop.writer.counts().replays, 1);
}

#[tokio::test]
async fn audit_rows_that_cannot_be_stored_fail_their_command_only() {
    let shop = Workshop::new();
    let failed = only_the_culprit_fails(&shop, || {
        ask(shop.writer.write(|context| {
            traces(context)?;
            context.audit(audit(NO_AUDIT));
            Ok(Verdict::Keep(11))
        }))
    })
    .await;
    assert_eq!(failed, StoreErrorKind::Internal);
    assert_eq!(shop.writer.counts().replays, 1);
}

/// Twenty commands that count their runs, and one among them that orders a failing COMMIT.
async fn with_a_failing_commit(shop: &Workshop, fault: CommitFault) {
    let runs = Arc::new(AtomicI64::new(0));
    let answers = shop
        .group((1..=20).map(|id| {
            let runs = Arc::clone(&runs);
            let mut add = add(id);
            ask(shop.writer.write(move |context| {
                runs.fetch_add(1, Ordering::SeqCst);
                if id == 7 {
                    context.fail_commit(fault);
                }
                add(context)
            }))
        }))
        .await;
    for answer in &answers {
        assert_eq!(kind(answer), StoreErrorKind::Unavailable);
    }
    assert_eq!(runs.load(Ordering::SeqCst), 20, "nothing is run again");
    assert!(shop.announced().is_empty());
    assert_eq!(shop.writer.counts().replays, 0);
}

#[tokio::test]
async fn after_an_io_error_at_commit_nothing_is_run_again_and_the_writer_goes_on() {
    for code in [
        ffi::SQLITE_IOERR,
        ffi::SQLITE_IOERR_FSYNC,
        ffi::SQLITE_IOERR_WRITE,
        ffi::SQLITE_CORRUPT,
        ffi::SQLITE_NOTADB,
    ] {
        let shop = Workshop::new();
        with_a_failing_commit(&shop, CommitFault::Instead(code)).await;
        assert!(shop.items().is_empty());
        // The same command again: its outcome was unknown, and now it is known.
        assert_eq!(shop.writer.write(add(1)).await.unwrap(), 1);
        assert_eq!((shop.items(), shop.announced()), (vec![1], vec![1]));
        assert_eq!(shop.writer.counts().reopened, 1);
    }
}

#[tokio::test]
async fn an_io_error_at_a_commit_that_succeeded_applies_nothing_twice() {
    let shop = Workshop::new();
    with_a_failing_commit(&shop, CommitFault::After(ffi::SQLITE_IOERR_FSYNC)).await;
    assert_eq!(shop.items(), (1..=20).collect::<Vec<_>>());
    assert_eq!(shop.log(), (1..=20).collect::<Vec<_>>());
    assert_eq!(shop.writer.write(add(21)).await.unwrap(), 21);
    assert_eq!(shop.writer.counts().reopened, 1);
}

#[tokio::test]
async fn a_full_disk_at_commit_runs_the_group_again() {
    let shop = Workshop::new();
    let once = Arc::new(AtomicBool::new(true));
    let answers = shop
        .group((1..=20).map(|id| {
            let once = Arc::clone(&once);
            let mut add = add(id);
            ask(shop.writer.write(move |context| {
                if id == 7 && once.swap(false, Ordering::SeqCst) {
                    context.fail_commit(CommitFault::Instead(ffi::SQLITE_FULL));
                }
                add(context)
            }))
        }))
        .await;
    assert!(answers.iter().all(Result::is_ok));
    let all: Vec<i64> = (1..=20).collect();
    assert_eq!(
        (shop.items(), shop.log(), shop.announced()),
        (all.clone(), all.clone(), all)
    );
    assert_eq!(shop.writer.counts().replays, 1);
}

#[tokio::test]
async fn a_database_that_cannot_be_opened_again_refuses_until_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let (here, away) = (folder.path().join("here"), folder.path().join("away"));
    std::fs::create_dir(&here).unwrap();
    let path = here.join("a.db");
    let options = SqliteOptions::default();
    let open = Box::new(move || {
        let connection = open_writer(&path, &options)?;
        connection
            .execute_batch(SCHEMA)
            .during("making the tables")?;
        Ok(connection)
    });
    let announced = Arc::new(Mutex::new(Vec::new()));
    let connection = open().unwrap();
    let elsewhere = Connection::open(here.join("a.db")).unwrap();
    let writer = Writer::start(
        8,
        connection,
        open,
        Box::new(Recorder {
            elsewhere,
            announced,
        }),
    )
    .unwrap();
    let broken = writer.write(|context| {
        insert(context, 1)?;
        context.fail_commit(CommitFault::Instead(ffi::SQLITE_IOERR));
        Ok(Verdict::Keep(()))
    });
    assert_eq!(kind(&broken.await), StoreErrorKind::Unavailable);
    std::fs::rename(&here, &away).unwrap();
    assert_eq!(
        kind(&writer.write(add(1)).await),
        StoreErrorKind::Unavailable
    );
    assert_eq!(
        kind(&writer.write(add(1)).await),
        StoreErrorKind::Unavailable
    );
    std::fs::rename(&away, &here).unwrap();
    assert_eq!(writer.write(add(1)).await.unwrap(), 1);
}

#[tokio::test]
async fn a_database_that_another_process_holds_is_unavailable_and_then_free_again() {
    let shop = Workshop::new();
    let impatient = shop.writer.write(|context| {
        let waiting = std::time::Duration::from_millis(1);
        context
            .connection()
            .busy_timeout(waiting)
            .during("waiting less")?;
        Ok(Verdict::Undo(()))
    });
    impatient.await.unwrap();
    shop.elsewhere.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(
        kind(&shop.writer.write(add(1)).await),
        StoreErrorKind::Unavailable
    );
    shop.elsewhere.execute_batch("ROLLBACK").unwrap();
    assert_eq!(shop.writer.write(add(1)).await.unwrap(), 1);
}
