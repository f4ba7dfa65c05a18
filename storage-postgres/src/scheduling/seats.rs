//! The seats of slots, and those of a doctor's day that follow from them.

use telemed_core::id::{SlotId, UserId};
use telemed_core::store::StoreResult;
use telemed_core::time::{LocalDay, Timestamp};

use crate::connection::Connection;
use crate::statement::{change, one, only, single};

/// Takes a seat of a slot. It counts for the doctor's day, too: see [`take_of_day`].
pub(super) async fn take(
    connection: &mut Connection,
    at: Timestamp,
    slot: SlotId,
) -> StoreResult<()> {
    change(
        connection,
        "taking a seat",
        "UPDATE slots SET booked_count = booked_count + 1, updated_at = $2 WHERE id = $1",
        (slot.get(), at.micros()),
    )
    .await?;
    Ok(())
}

/// Gives a seat of a slot back.
pub(super) async fn free(
    connection: &mut Connection,
    at: Timestamp,
    slot: SlotId,
) -> StoreResult<()> {
    change(
        connection,
        "giving a seat back",
        "UPDATE slots SET booked_count = greatest(booked_count - 1, 0), updated_at = $2
         WHERE id = $1",
        (slot.get(), at.micros()),
    )
    .await?;
    Ok(())
}

/// Takes a seat of a doctor's day; `false` when his limit is reached.
pub(super) async fn take_of_day(
    connection: &mut Connection,
    doctor: UserId,
    day: LocalDay,
    daily_limit: i32,
) -> StoreResult<bool> {
    let given: i32 = single(
        connection,
        "taking a seat of a day",
        "SELECT take_seats_of_day($1, $2, 1, $3)",
        (doctor.get(), day.to_string(), daily_limit),
        only,
    )
    .await?;
    Ok(given > 0)
}

/// Gives a seat of a doctor's day back.
pub(super) async fn free_of_day(
    connection: &mut Connection,
    doctor: UserId,
    day: LocalDay,
) -> StoreResult<()> {
    change(
        connection,
        "giving a seat of a day back",
        "UPDATE doctor_days SET taken = greatest(taken - 1, 0)
         WHERE doctor_id = $1 AND local_day = $2",
        (doctor.get(), day.to_string()),
    )
    .await?;
    Ok(())
}

/// Whether a doctor's day has more seats taken than the limit allows, one of them aside.
pub(super) async fn day_is_full_without_one(
    connection: &mut Connection,
    doctor: UserId,
    day: LocalDay,
    daily_limit: i32,
) -> StoreResult<bool> {
    let taken = one(
        connection,
        "counting the seats of a day",
        "SELECT taken FROM doctor_days WHERE doctor_id = $1 AND local_day = $2
         FOR NO KEY UPDATE",
        (doctor.get(), day.to_string()),
        only::<i32>,
    )
    .await?;
    Ok(taken.unwrap_or(0) > daily_limit)
}
