//! The local days of slots, and the seats that are counted by them.

use std::collections::BTreeSet;

use telemed_core::id::ClinicId;
use telemed_core::store::StoreResult;
use telemed_core::time::{TimeZone, Timestamp};

use crate::connection::Connection;
use crate::statement::{all, change};

/// Derives the local days of a clinic's slots from its new zone; appointments have theirs from
/// the slot. The clinic is locked.
pub(crate) async fn move_local_days(
    connection: &mut Connection,
    clinic: ClinicId,
    zone: &TimeZone,
) -> StoreResult<()> {
    let slots = all(
        connection,
        "locking the slots of a clinic",
        "SELECT id, doctor_id, starts_at, local_day FROM slots WHERE clinic_id = $1
         ORDER BY id FOR NO KEY UPDATE",
        (clinic.get(),),
        |columns| {
            let (id, doctor) = (columns.next::<i64>()?, columns.next::<i64>()?);
            let starts_at = columns.make(Timestamp::from_micros)?;
            Ok((id, doctor, starts_at, columns.next::<String>()?))
        },
    )
    .await?;
    let (mut ids, mut new_days, mut touched) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (id, doctor, starts_at, before) in slots {
        let day = starts_at.local_day(zone).to_string();
        if day != before {
            touched.extend([(doctor, before), (doctor, day.clone())]);
            ids.push(id);
            new_days.push(day);
        }
    }
    if ids.is_empty() {
        return Ok(());
    }
    change(
        connection,
        "moving the local days of slots",
        "UPDATE slots SET local_day = moved.day
         FROM unnest($1::BIGINT[], $2::TEXT[]) AS moved (id, day)
         WHERE slots.id = moved.id",
        (ids, new_days),
    )
    .await?;
    let (doctors, days): (Vec<_>, Vec<_>) = touched.into_iter().unzip();
    // They are locked in their order, and counted anew when nobody else can change them.
    change(
        connection,
        "locking the days of doctors",
        "INSERT INTO doctor_days (doctor_id, local_day, taken)
             SELECT doctor, day, 0
             FROM unnest($1::BIGINT[], $2::TEXT[]) WITH ORDINALITY AS touched (doctor, day, place)
             ORDER BY place
         ON CONFLICT (doctor_id, local_day) DO UPDATE SET granted = 0",
        (&doctors, &days),
    )
    .await?;
    change(
        connection,
        "counting the seats of days anew",
        "UPDATE doctor_days
         SET taken = (SELECT coalesce(sum(slots.booked_count), 0) FROM slots
                      WHERE slots.doctor_id = doctor_days.doctor_id
                          AND slots.local_day = doctor_days.local_day)
         FROM unnest($1::BIGINT[], $2::TEXT[]) AS touched (doctor, day)
         WHERE doctor_days.doctor_id = touched.doctor AND doctor_days.local_day = touched.day",
        (&doctors, &days),
    )
    .await?;
    Ok(())
}
