//! Random groups of good and bad commands, compared with a model that runs them one by one.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Adds an item; a constraint error when it is there.
    Add(i64),
    /// Adds an item unless it is there: decided by reading, as a booking is.
    AddOnce(i64),
    /// Takes an item away; undone when it was not there.
    Remove(i64),
    /// Adds an item, then refuses.
    Undo(i64),
    /// Adds an item, then panics.
    Panic(i64),
    /// Leaves an orphan that makes COMMIT fail.
    Orphan(i64),
    /// Fills the disk, which ends the transaction.
    Fill(i64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    Done,
    Refused,
    Failed(StoreErrorKind),
}

fn step() -> impl Strategy<Value = Step> {
    let id = 0_i64..12;
    prop_oneof![
        6 => id.clone().prop_map(Step::Add),
        6 => id.clone().prop_map(Step::AddOnce),
        4 => id.clone().prop_map(Step::Remove),
        3 => id.clone().prop_map(Step::Undo),
        1 => id.clone().prop_map(Step::Panic),
        1 => id.clone().prop_map(Step::Orphan),
        1 => id.prop_map(Step::Fill),
    ]
}

/// What has to come out of it.
fn expected(items: &mut BTreeSet<i64>, step: Step) -> Outcome {
    match step {
        Step::Add(id) if items.insert(id) => Outcome::Done,
        Step::Add(_) => Outcome::Failed(StoreErrorKind::Internal),
        Step::AddOnce(id) if items.insert(id) => Outcome::Done,
        Step::AddOnce(_) => Outcome::Refused,
        Step::Remove(id) if items.remove(&id) => Outcome::Done,
        Step::Remove(_) => Outcome::Refused,
        Step::Undo(id) if items.contains(&id) => Outcome::Failed(StoreErrorKind::Internal),
        Step::Undo(_) => Outcome::Refused,
        Step::Panic(_) | Step::Orphan(_) => Outcome::Failed(StoreErrorKind::Internal),
        Step::Fill(_) => Outcome::Failed(StoreErrorKind::StorageFull),
    }
}

fn there(context: &WriteContext<'_>, id: i64) -> StoreResult<bool> {
    context
        .statement("SELECT count(*) FROM item WHERE id = ?1")?
        .query_row([id], |row| row.get(0))
        .during("looking")
}

fn run(context: &mut WriteContext<'_>, step: Step) -> StoreResult<Verdict<Outcome>> {
    match step {
        Step::Add(id) => insert(context, id)?,
        Step::AddOnce(id) if there(context, id)? => return Ok(Verdict::Undo(Outcome::Refused)),
        Step::AddOnce(id) => insert(context, id)?,
        Step::Remove(id) => {
            let removed = context
                .statement("DELETE FROM item WHERE id = ?1")?
                .execute([id])
                .during("removing")?;
            if removed == 0 {
                return Ok(Verdict::Undo(Outcome::Refused));
            }
        }
        Step::Undo(id) => {
            insert(context, id)?;
            context.audit(audit(id));
            return Ok(Verdict::Undo(Outcome::Refused));
        }
        Step::Panic(id) => {
            if !there(context, id)? {
                insert(context, id)?;
            }
            context.audit(audit(id));
            panic!("on purpose")
        }
        Step::Orphan(id) => {
            context
                .connection()
                .pragma_update(None, "defer_foreign_keys", true)
                .during("deferring")?;
            context
                .statement("INSERT INTO item (id, parent) VALUES (?1, 77)")?
                .execute([id + 1_000])
                .during("adding an orphan")?;
        }
        Step::Fill(id) => {
            context
                .statement("INSERT INTO item (id, content) VALUES (?1, zeroblob(1000000))")?
                .execute([id + 2_000])
                .during("filling the disk")?;
        }
    }
    let (Step::Add(id)
    | Step::AddOnce(id)
    | Step::Remove(id)
    | Step::Undo(id)
    | Step::Panic(id)
    | Step::Orphan(id)
    | Step::Fill(id)) = step;
    context.audit(audit(id));
    Ok(Verdict::Keep(Outcome::Done))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn groups_answer_and_leave_what_one_by_one_would(
        groups in prop::collection::vec(prop::collection::vec(step(), 1..20), 1..8)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let shop = Workshop::new();
            super::faults::limit_size(&shop).await;
            let (mut items, mut log) = (BTreeSet::new(), Vec::new());
            for group in groups {
                let answers = shop
                    .group(group.iter().map(|step| {
                        let step = *step;
                        ask(shop.writer.write(move |context| run(context, step)))
                    }))
                    .await;
                for (answer, step) in answers.into_iter().zip(group) {
                    let outcome = answer.unwrap_or_else(|error| Outcome::Failed(error.kind));
                    prop_assert_eq!(outcome, expected(&mut items, step), "{:?}", step);
                    if let (Outcome::Done, Step::Add(id) | Step::AddOnce(id) | Step::Remove(id)) =
                        (outcome, step)
                    {
                        log.push(id);
                    }
                }
                prop_assert_eq!(shop.items(), items.iter().copied().collect::<Vec<_>>());
                prop_assert_eq!(shop.log(), &log[..]);
            }
            Ok(())
        })?;
    }
}
