//! Groups in good weather: how many commits, in which order, who is answered when.

use std::sync::atomic::{AtomicI64, Ordering};

use super::*;

#[tokio::test]
async fn a_lone_command_is_committed_at_once() {
    let shop = Workshop::new();
    assert_eq!(shop.writer.write(add(1)).await.unwrap(), 1);
    assert_eq!(
        (shop.items(), shop.log(), shop.announced()),
        (vec![1], vec![1], vec![1])
    );
    let counts = shop.writer.counts();
    assert_eq!((counts.commands, counts.commits, counts.replays), (1, 1, 0));
}

#[tokio::test]
async fn a_refusal_commits_nothing() {
    let shop = Workshop::new();
    let refused = shop
        .writer
        .write(|context| {
            insert(context, 1)?;
            context.audit(audit(1));
            context.announce(event(1));
            Ok(Verdict::Undo("refused"))
        })
        .await;
    assert_eq!(refused.unwrap(), "refused");
    assert!(shop.items().is_empty());
    assert!(shop.log().is_empty());
    assert!(shop.announced().is_empty());
    assert_eq!(shop.writer.counts().commits, 0);
}

#[tokio::test]
async fn a_group_of_64_uses_one_commit() {
    let shop = Workshop::new();
    let answers = shop.group((1..=64).map(|id| shop.add(id))).await;
    assert!(answers.iter().all(Result::is_ok));
    let all: Vec<i64> = (1..=64).collect();
    assert_eq!(
        (shop.items(), shop.log(), shop.announced()),
        (all.clone(), all.clone(), all)
    );
    let counts = shop.writer.counts();
    assert_eq!(
        (counts.commands, counts.commits, counts.replays),
        (65, 1, 0)
    );
}

/// Refuses, or fails, before it has written.
fn turn_away(id: i64) -> StoreResult<Verdict<i64>> {
    if id % 3 == 1 {
        Ok(Verdict::Undo(id))
    } else {
        Err(StoreError::corrupt("on purpose"))
    }
}

/// Twelve commands, of which every third is kept.
async fn every_third_is_kept(shop: &Workshop, writes_before: bool) {
    let other = |id| {
        ask(shop.writer.write(move |context| {
            if writes_before {
                insert(context, id)?;
            }
            context.audit(audit(id));
            context.announce(event(id));
            turn_away(id)
        }))
    };
    let answers = shop
        .group((1..=12).map(|id| if id % 3 == 0 { shop.add(id) } else { other(id) }))
        .await;
    for (answer, id) in answers.iter().zip(1..) {
        match id % 3 {
            2 => assert_eq!(kind(answer), StoreErrorKind::Corrupt),
            _ => assert_eq!(answer.as_ref().unwrap(), &id),
        }
    }
    let kept = vec![3, 6, 9, 12];
    assert_eq!(
        (shop.items(), shop.log(), shop.announced()),
        (kept.clone(), kept.clone(), kept)
    );
}

#[tokio::test]
async fn a_refusal_that_wrote_nothing_costs_the_group_nothing() {
    let shop = Workshop::new();
    every_third_is_kept(&shop, false).await;
    let counts = shop.writer.counts();
    assert_eq!((counts.commits, counts.replays), (1, 0));
}

#[tokio::test]
async fn what_a_refusal_or_a_failure_wrote_is_undone_and_the_others_stay() {
    let shop = Workshop::new();
    every_third_is_kept(&shop, true).await;
    let counts = shop.writer.counts();
    assert!(counts.commits == 4 && counts.replays > 0, "{counts:?}");
}

#[tokio::test]
async fn what_was_written_before_anybody_kept_anything_needs_no_second_run() {
    let shop = Workshop::new();
    let undone = |id| {
        ask(shop.writer.write(move |context| {
            insert(context, id)?;
            context.audit(audit(id));
            Ok(Verdict::Undo(id))
        }))
    };
    let answers = shop
        .group((1..=9).map(|id| if id < 5 { undone(id) } else { shop.add(id) }))
        .await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(
        (shop.items(), shop.log()),
        (vec![5, 6, 7, 8, 9], vec![5, 6, 7, 8, 9])
    );
    let counts = shop.writer.counts();
    assert_eq!((counts.commits, counts.replays), (1, 0));
}

#[tokio::test]
async fn a_command_sees_what_the_ones_before_it_did() {
    let shop = Workshop::new();
    let last = || {
        ask(shop.writer.write(|context| {
            let last: i64 = context
                .statement("SELECT coalesce(max(id), 0) FROM item")?
                .query_row([], |row| row.get(0))
                .during("looking")?;
            Ok(Verdict::Undo(last))
        }))
    };
    let answers = shop
        .group((1..=6).map(|id| if id % 2 == 0 { last() } else { shop.add(id) }))
        .await;
    let answers: Vec<i64> = answers.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers, [1, 1, 3, 3, 5, 5]);
}

#[tokio::test]
async fn events_are_announced_before_anybody_is_answered() {
    let shop = Workshop::new();
    for id in 1..=50 {
        shop.writer.write(add(id)).await.unwrap();
        assert_eq!(shop.announced().last(), Some(&id));
    }
}

#[tokio::test]
async fn a_panic_hurts_nobody_else() {
    let shop = Workshop::new();
    let panics = || {
        ask(shop.writer.write(|context| -> StoreResult<Verdict<i64>> {
            insert(context, 1_000)?;
            context.audit(audit(1_000));
            panic!("on purpose")
        }))
    };
    let answers = shop
        .group((1..=5).map(|id| if id == 3 { panics() } else { shop.add(id) }))
        .await;
    assert_eq!(kind(&answers[2]), StoreErrorKind::Internal);
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 4);
    assert_eq!(shop.items(), [1, 2, 4, 5]);
    assert_eq!(shop.log(), [1, 2, 4, 5]);
    let alone = shop.group(std::iter::once_with(panics)).await;
    assert_eq!(kind(&alone[0]), StoreErrorKind::Internal);
    assert_eq!(shop.writer.write(add(6)).await.unwrap(), 6);
}

#[tokio::test]
async fn a_dropped_future_leaves_the_command_to_run_to_its_end() {
    let shop = Workshop::new();
    let (held, open) = shop.hold();
    for id in 1..=10 {
        drop(shop.add(id));
    }
    drop(held);
    drop(open);
    // The queue is first in, first out: when this is answered, the dropped ones have run.
    shop.writer.write(add(11)).await.unwrap();
    assert_eq!(shop.items(), (1..=11).collect::<Vec<_>>());
    assert_eq!(shop.announced().len(), 11);
}

#[tokio::test]
async fn a_full_queue_makes_callers_wait_and_a_dropped_one_leaves_nothing() {
    let shop = Workshop::with_queue(2);
    let started = Arc::new(AtomicI64::new(0));
    let (open, gate) = mpsc::channel::<()>();
    let running = Arc::clone(&started);
    let held = ask(shop.writer.write(move |_| {
        running.fetch_add(1, Ordering::SeqCst);
        let _ = gate.recv();
        Ok(Verdict::Undo(()))
    }));
    // Taken out of the queue, it leaves both places free.
    while started.load(Ordering::SeqCst) == 0 {
        std::thread::yield_now();
    }
    let (first, second) = (shop.add(1), shop.add(2));
    let (third, fourth) = (shop.add(3), shop.add(4));
    drop(third);
    drop(open);
    held.await.unwrap();
    for one in [first, second, fourth] {
        one.await.unwrap();
    }
    assert_eq!(shop.items(), [1, 2, 4]);
}

#[tokio::test]
async fn closing_finishes_what_was_accepted() {
    let shop = Workshop::new();
    let (held, open) = shop.hold();
    for id in 1..=20 {
        drop(shop.add(id));
    }
    drop(held);
    let Workshop {
        writer,
        elsewhere,
        announced,
        _folder,
    } = shop;
    let opens = std::thread::spawn(move || drop(open));
    drop(writer);
    opens.join().unwrap();
    assert_eq!(
        numbers(&elsewhere, "SELECT id FROM item ORDER BY id"),
        (1..=20).collect::<Vec<_>>()
    );
    assert_eq!(announced.lock().unwrap().len(), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_callers_share_commits() {
    let shop = Workshop::new();
    let Workshop {
        writer,
        elsewhere,
        announced,
        _folder,
    } = shop;
    let writer = Arc::new(writer);
    let callers: Vec<_> = (0..64)
        .map(|caller| {
            let writer = Arc::clone(&writer);
            tokio::spawn(async move {
                for round in 0..20 {
                    let id = caller * 100 + round;
                    assert_eq!(writer.write(add(id)).await.unwrap(), id);
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    assert_eq!(numbers(&elsewhere, "SELECT count(*) FROM item"), [1280]);
    assert_eq!(announced.lock().unwrap().len(), 1280);
    let counts = writer.counts();
    assert_eq!(counts.commands, 1280);
    assert!(counts.commits < 1280, "{counts:?}");
}
