-- Bookings of several slots in one call.

-- A patient's live appointments. Which states are live is said by those that are not, here and
-- where it is looked for: other indexes of live appointments do not serve those words. As long as
-- there are few rows, the planner takes any of them, read from one end to the other, for as good.
DROP INDEX appointments_live_patient;
CREATE INDEX appointments_live_patient ON appointments (patient_id, starts_at)
    WHERE status NOT IN ('rejected', 'cancelled', 'completed', 'no_show');

-- Slots as they decide over bookings, one row for each booking in `n`, and why the slot refuses the
-- patient: the word of the first rule that does, or NULL. That the free seats may be too few for
-- all of them, and the daily limit, the last rule, are left to the caller. An appointment that is
-- to be moved to the slot is left aside.
--
-- The caller has locked the patients and the slots.
DROP FUNCTION weigh_bookings(BIGINT, BIGINT[], BIGINT[], BIGINT);
CREATE FUNCTION weigh_bookings(
    of_slots BIGINT[], of_patients BIGINT[], at_times BIGINT[], aside BIGINT
) RETURNS TABLE (
    n BIGINT, slot BIGINT, patient BIGINT, doctor BIGINT, clinic BIGINT, begins BIGINT,
    ends BIGINT, day TEXT, free INTEGER, daily_limit INTEGER, auto_confirm BOOLEAN, refusal TEXT
) LANGUAGE sql STABLE AS $$
    SELECT asked.n, asked.slot, asked.patient, slots.doctor_id, slots.clinic_id, slots.starts_at,
           slots.ends_at, slots.local_day, slots.capacity - slots.booked_count,
           doctors.daily_limit, coalesce(schedules.auto_confirm, false),
           CASE
               WHEN slots.id IS NULL THEN 'slot_not_found'
               WHEN account.is_active IS NULL THEN 'patient_not_found'
               WHEN NOT account.is_active THEN 'patient_inactive'
               WHEN NOT (slots.is_active AND users.is_active AND users.is_verified
                         AND clinics.is_active) THEN 'slot_inactive'
               WHEN slots.starts_at <= asked.at_time THEN 'slot_past'
               WHEN meanwhile.is_here THEN 'already_booked'
               WHEN NOT meanwhile.is_here THEN 'patient_overlap'
               WHEN slots.booked_count >= slots.capacity THEN 'slot_full'
               WHEN EXISTS (
                   SELECT FROM blocked_times
                   WHERE blocked_times.doctor_id = slots.doctor_id
                       AND blocked_times.ends_at > slots.starts_at
                       AND blocked_times.starts_at < slots.ends_at
               ) THEN 'on_leave'
           END
    FROM unnest(of_slots, of_patients, at_times)
        WITH ORDINALITY AS asked (slot, patient, at_time, n)
    LEFT JOIN slots ON slots.id = asked.slot
    LEFT JOIN doctors ON doctors.id = slots.doctor_id
    LEFT JOIN users ON users.id = slots.doctor_id
    LEFT JOIN clinics ON clinics.id = slots.clinic_id
    LEFT JOIN schedules ON schedules.doctor_id = slots.doctor_id
    LEFT JOIN (patients JOIN users AS account ON account.id = patients.id)
        ON patients.id = asked.patient
    CROSS JOIN LATERAL (
        -- What overlaps cannot have begun longer ago than the longest slot lasts: four hours.
        SELECT bool_or(live.slot_id = slots.id) AS is_here FROM appointments AS live
        WHERE live.patient_id = asked.patient
            AND live.starts_at > slots.starts_at - 14400000000
            AND live.starts_at < slots.ends_at AND live.ends_at > slots.starts_at
            AND live.status NOT IN ('rejected', 'cancelled', 'completed', 'no_show')
            AND live.id IS DISTINCT FROM aside
    ) AS meanwhile
$$;

-- Books slots for patients, each by itself and, where seats are few, in their order; no patient and
-- no key comes twice. The arrays have one place for each booking, but for those of the keys, which
-- are NULL when no booking has one. `entries` is for apply_write.
--
-- `answers` holds what each came to, NULL when it is booked; `made` the numbers of the appointments.
-- A key that was used before brings what it was used for.
DROP FUNCTION book_many(BIGINT, BIGINT[], BIGINT[], BOOLEAN[], TEXT[], UUID[], BYTEA[], BYTEA[],
                        BYTEA[], TEXT[], TEXT[], BYTEA[], UUID, JSONB);
CREATE FUNCTION book_many(
    of_slots BIGINT[], of_patients BIGINT[], at_times BIGINT[], are_elsewhere BOOLEAN[],
    kinds TEXT[], seal_ids UUID[], reasons BYTEA[], symptoms BYTEA[], notes BYTEA[],
    scopes TEXT[], keys TEXT[], fingerprints BYTEA[], from_node UUID, entries JSONB,
    OUT answers TEXT[], OUT made BIGINT[], OUT known_resources TEXT[], OUT known_subjects TEXT[],
    OUT local_days TEXT[], OUT are_confirmed BOOLEAN[], OUT first_event BIGINT
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    known_keys TEXT[];
BEGIN
    IF cardinality(of_slots) > 1
            AND current_setting('lock_timeout')::INTERVAL NOT BETWEEN '1 ms' AND '1 s' THEN
        -- Whoever is held up by something is not waited for by all of them: they are sent apart.
        PERFORM set_config('lock_timeout', '1s', true);
    END IF;
    IF keys IS NOT NULL THEN
        PERFORM pg_advisory_xact_lock(name) FROM (
            SELECT DISTINCT hashtextextended(scope || ' ' || key, 1) AS name
            FROM unnest(scopes, keys) AS claims (scope, key) WHERE key IS NOT NULL ORDER BY name
        ) AS names;
    END IF;
    PERFORM FROM patients WHERE id = ANY (of_patients) ORDER BY id FOR NO KEY UPDATE;
    PERFORM FROM slots WHERE id = ANY (of_slots) ORDER BY id FOR NO KEY UPDATE;
    -- From here on every statement sees what was committed while this one waited.
    IF keys IS NOT NULL THEN
        SELECT array_agg(CASE
                   WHEN known.fingerprint = claims.fingerprint THEN 'replayed'
                   WHEN known.fingerprint IS NOT NULL THEN 'key_mismatch'
               END ORDER BY n),
               array_agg(known.resource ORDER BY n), array_agg(known.subject ORDER BY n)
            INTO known_keys, known_resources, known_subjects
            FROM unnest(scopes, keys, fingerprints)
                WITH ORDINALITY AS claims (scope, key, fingerprint, n)
            LEFT JOIN idempotency_keys AS known USING (scope, key);
    END IF;
    WITH weighed AS MATERIALIZED (
        SELECT *, coalesce(known_keys[n], CASE
                      WHEN are_elsewhere[n] AND doctor IS NOT NULL THEN 'slot_mismatch'
                      ELSE refusal
                  END) AS word
        FROM weigh_bookings(of_slots, of_patients, at_times, NULL)
    ), seated AS MATERIALIZED (
        -- Who gets a seat of his slot, as far as the doctor's day goes.
        SELECT n, doctor, day, daily_limit,
               row_number() OVER (PARTITION BY doctor, day ORDER BY n) AS place_of_day
        FROM (SELECT *, row_number() OVER (PARTITION BY slot ORDER BY n) AS place FROM weighed
              WHERE word IS NULL) AS asking
        WHERE place <= free
    ), days AS (
        -- `granted` becomes how many seats the day had left before.
        INSERT INTO doctor_days AS known (doctor_id, local_day, taken, granted)
            SELECT doctor, day, least(count(*), max(daily_limit)), max(daily_limit) FROM seated
            GROUP BY doctor, day ORDER BY doctor, day
            ON CONFLICT (doctor_id, local_day) DO UPDATE
                SET taken = least(known.taken + excluded.taken, excluded.granted),
                    granted = excluded.granted - known.taken
                WHERE known.taken < excluded.granted
            RETURNING doctor_id, local_day, granted
    ), decided AS MATERIALIZED (
        SELECT weighed.*, seated.place_of_day <= days.granted IS TRUE AS is_booked
        FROM weighed LEFT JOIN seated USING (n)
        LEFT JOIN days ON days.doctor_id = seated.doctor AND days.local_day = seated.day
    ), seats AS (
        UPDATE slots SET booked_count = booked_count + added.seats, updated_at = at_times[added.last]
            FROM (SELECT slot, count(*)::INTEGER AS seats, max(n) AS last FROM decided
                  WHERE is_booked GROUP BY slot) AS added
            WHERE slots.id = added.slot
    ), booked AS (
        INSERT INTO appointments (patient_id, slot_id, doctor_id, clinic_id, starts_at, ends_at,
                                  kind, status, seal_id, reason_for_visit, symptoms, notes,
                                  created_at, updated_at)
            SELECT patient, slot, doctor, clinic, begins, ends, kinds[n],
                   CASE WHEN auto_confirm THEN 'confirmed' ELSE 'pending' END, seal_ids[n],
                   reasons[n], symptoms[n], notes[n], at_times[n], at_times[n]
            FROM decided WHERE is_booked ORDER BY n
            RETURNING id, patient_id
    )
    SELECT array_agg(CASE
               WHEN is_booked OR word IS NOT NULL THEN word
               -- Either every seat went to somebody before, or the doctor's day had no more.
               WHEN sold = free THEN 'slot_full'
               ELSE 'daily_limit'
           END ORDER BY n),
           array_agg(booked.id ORDER BY n), array_agg(day ORDER BY n),
           array_agg(auto_confirm ORDER BY n)
        INTO answers, made, local_days, are_confirmed
        FROM (SELECT *, count(*) FILTER (WHERE is_booked) OVER (PARTITION BY slot) AS sold
              FROM decided) AS all_of_them
        LEFT JOIN booked ON booked.patient_id = patient AND is_booked;
    IF array_position(answers, NULL) IS NULL THEN
        -- Nothing but locks: there is nothing to wait for at the disk.
        PERFORM set_config('synchronous_commit', 'off', true);
        made := NULL;
        RETURN;
    END IF;
    first_event := apply_write(from_node, entries, made);
END
$$;
