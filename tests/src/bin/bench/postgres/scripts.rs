//! The scripts of pgbench.

use crate::seed::{Pair, REASON, SIDE, START};

/// Half an hour in microseconds.
pub const HALF_HOUR: i64 = 1_800_000_000;

/// What one transaction does.
#[derive(Clone, Copy, Debug)]
pub enum Script {
    /// The same call of the same function as the store makes, its arguments as long.
    Same,
    /// Only takes the seat and makes the appointment.
    Bare,
}

impl Script {
    /// The settings of the connection: those of the store for its own call.
    pub fn settings(self) -> &'static str {
        match self {
            Self::Same => "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c jit=off",
            Self::Bare => "",
        }
    }

    /// The text for so many clients, who book these pairs in turn.
    pub fn text(self, pairs: &[Pair], clients: usize) -> String {
        let head = variables(pairs, clients);
        // As long as what the engine seals: the text, a nonce, a tag and the key's number.
        let sealed = "07".repeat(REASON.len() + 56);
        match self {
            Self::Same => head + &same(&sealed),
            Self::Bare => head + &bare(&sealed),
        }
    }
}

/// Which pair the client books in this turn, as arithmetic: the pairs were made by it.
fn variables(pairs: &[Pair], clients: usize) -> String {
    let first = pairs[0];
    let step = |at: usize, part: fn(&Pair) -> i64| part(&pairs[at]) - part(&first);
    let slot = |pair: &Pair| pair.slot.get();
    let doctor = |pair: &Pair| pair.doctor.get();
    let start = |pair: &Pair| pair.starts_at.micros();
    let patient = |pair: &Pair| pair.patient.get();
    // From one place to the next, and from one time to the next.
    let (slot_place, slot_time) = (step(1, slot), step(SIDE, slot));
    let (doctor_place, start_time) = (step(1, doctor), step(SIDE, start));
    let patient_step = step(1, patient);
    format!(
        "\\set turn :turn + 1
\\set number :turn * {clients} + :client_id
\\set time :number / {SIDE}
\\set place :number % {SIDE}
\\set slot {} + :time * {slot_time} + :place * {slot_place}
\\set doctor {} + :place * {doctor_place}
\\set patient {} + (:place + :time) % {SIDE} * {patient_step}
\\set starts {} + :time * {start_time}
\\set ends :starts + {HALF_HOUR}
\\set day :starts - 86400000000
\\set hour :starts - 3600000000
",
        first.slot.get(),
        first.doctor.get(),
        first.patient.get(),
        first.starts_at.micros(),
    )
}

/// A UUID that is as good as any.
const ID: &str = "01b8dac5-b400-7656-8f14-4dd4fc9ac05d";

/// The argument `entries`: one write of a booking, as long as the engine's. A blank after a colon
/// keeps pgbench from taking what follows for a variable.
fn entries() -> String {
    let ids = r#"{\"doctor_id\":%1$s,\"patient_id\":%2$s,\"slot_id\":%3$s}"#;
    // The number of the booking makes the ids of the jobs, which are a key.
    let job = |kind: &str, digit: char, due_at: &str, data: &str| {
        format!(
            r#"{{"w": 1,"id":"01b8dac5-b400-7656-8f1{digit}-%4$s","kind":"appointment.{kind}","resource":"appointment","subject": null,"due_at": {due_at},"data":"{data}"}}"#
        )
    };
    let jobs = [
        job(
            "notice",
            '1',
            &START.to_string(),
            r#"{\"notice\":\"appointment_booked\",\"recipient\":%2$s}"#,
        ),
        job(
            "reminder",
            '2',
            "%5$s",
            r#"{\"hours\": 24,\"recipient\":%2$s}"#,
        ),
        job(
            "reminder",
            '3',
            "%6$s",
            r#"{\"hours\": 1,\"recipient\":%2$s}"#,
        ),
    ]
    .join(",");
    let nil = "00000000-0000-0000-0000-000000000000";
    format!(
        r#"{{"audit":[{{"w": 1,"id":"{ID}","at": {START},"actor_kind":"user","actor_id":%2$s,"session":"{nil}","action":"appointment.book","resource":"appointment","subject": null,"data":"{ids}"}}],"jobs":[{jobs}],"events":[{{"w": 1,"id":"{ID}","kind":"appointment.booked","audience":"user:%2$s user:%1$s","resource":"appointment","subject": null,"at": {START},"actor_kind":"user","actor_id":%2$s,"data":"{ids}"}}],"feeds":[{{"w": 1,"event": 0,"audience":"user:%1$s"}},{{"w": 1,"event": 0,"audience":"user:%2$s"}}]}}"#
    )
}

fn same(sealed: &str) -> String {
    let entries = entries();
    format!(
        "SELECT answers, made, known_resources, known_subjects, local_days, are_confirmed, \
                first_event \
         FROM book_many(ARRAY[:slot::BIGINT], ARRAY[:patient::BIGINT], ARRAY[{START}::BIGINT], \
                        ARRAY[false], ARRAY['video'], ARRAY['{ID}'::UUID], \
                        ARRAY['\\x{sealed}'::BYTEA], ARRAY[NULL::BYTEA], ARRAY[NULL::BYTEA], \
                        NULL, NULL, NULL, '{ID}', \
                        format('{entries}', :doctor::BIGINT, :patient::BIGINT, :slot::BIGINT, \
                               lpad((:number::BIGINT)::TEXT, 12, '0'), :day::BIGINT, \
                               :hour::BIGINT)::JSONB);\n"
    )
}

fn bare(sealed: &str) -> String {
    format!(
        "BEGIN;
UPDATE slots SET booked_count = booked_count + 1, updated_at = {START} WHERE id = :slot;
INSERT INTO appointments (patient_id, slot_id, doctor_id, clinic_id, starts_at, ends_at, kind, \
                          status, seal_id, reason_for_visit, created_at, updated_at) \
    VALUES (:patient, :slot, :doctor, 1, :starts, :ends, 'video', 'pending', '{ID}', \
            '\\x{sealed}', {START}, {START});
COMMIT;
"
    )
}
