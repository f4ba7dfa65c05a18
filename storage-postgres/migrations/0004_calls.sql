-- Calls with the quality of their parties, and presence.

-- A change of a call is one compare-and-set of its version. What changes stands in no index, and a
-- page has room: the row is changed in its place.
CREATE TABLE calls (
    id UUID PRIMARY KEY,
    caller_id BIGINT NOT NULL REFERENCES users (id),
    callee_id BIGINT NOT NULL REFERENCES users (id),
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('video', 'voice')),
    appointment_id BIGINT,
    client_id TEXT COLLATE "C",
    initiated_at BIGINT NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN (
        'initiated', 'ringing', 'accepted', 'connecting', 'connected', 'ended', 'missed',
        'declined', 'failed', 'busy')),
    end_reason TEXT,
    ended_by BIGINT,
    caller_device TEXT,
    callee_device TEXT,
    ringing_at BIGINT,
    accepted_at BIGINT,
    connected_at BIGINT,
    ended_at BIGINT,
    reported_duration BIGINT CHECK (reported_duration >= 0),
    version BIGINT NOT NULL CHECK (version > 0),
    CONSTRAINT calls_parties_check CHECK (caller_id <> callee_id)
) WITH (fillfactor = 60);
CREATE UNIQUE INDEX calls_client_key ON calls (caller_id, client_id) WHERE client_id IS NOT NULL;

-- A call as each of its two parties sees it, for the lists, the figures and the search for live
-- calls; and what the party's samples come to: how many there are, how many of them have a round
-- trip and a loss, the medians of these, and the newest. Rows change under the lock of their call,
-- what comes of samples under their own.
CREATE TABLE call_parties (
    call_id UUID NOT NULL REFERENCES calls (id),
    user_id BIGINT NOT NULL,
    side TEXT COLLATE "C" NOT NULL CHECK (side IN ('outgoing', 'incoming')),
    kind TEXT COLLATE "C" NOT NULL,
    initiated_at BIGINT NOT NULL,
    status TEXT COLLATE "C" NOT NULL CHECK (status IN (
        'initiated', 'ringing', 'accepted', 'connecting', 'connected', 'completed', 'missed',
        'declined', 'failed', 'busy', 'cancelled')),
    seconds BIGINT NOT NULL CHECK (seconds >= 0),
    samples BIGINT NOT NULL DEFAULT 0,
    round_trips BIGINT NOT NULL DEFAULT 0,
    losses BIGINT NOT NULL DEFAULT 0,
    round_trip DOUBLE PRECISION,
    loss DOUBLE PRECISION,
    audio TEXT,
    newest_sample UUID,
    PRIMARY KEY (call_id, user_id)
) WITH (fillfactor = 60);
-- A list with its total, and the figures, read this index whatever they are filtered by.
CREATE INDEX call_parties_list ON call_parties
    (user_id, initiated_at DESC, call_id DESC) INCLUDE (side, kind, status, seconds);
CREATE INDEX call_parties_live ON call_parties (user_id, initiated_at DESC, call_id DESC)
    WHERE status IN ('initiated', 'ringing', 'accepted', 'connecting', 'connected');

CREATE TABLE quality_samples (
    id UUID PRIMARY KEY,
    call_id UUID NOT NULL,
    user_id BIGINT NOT NULL,
    at BIGINT NOT NULL,
    round_trip DOUBLE PRECISION,
    loss DOUBLE PRECISION,
    jitter DOUBLE PRECISION,
    audio_bitrate DOUBLE PRECISION,
    video_bitrate DOUBLE PRECISION,
    video_width INTEGER,
    video_height INTEGER,
    video_framerate DOUBLE PRECISION,
    processor DOUBLE PRECISION,
    memory DOUBLE PRECISION,
    audio TEXT,
    video TEXT,
    CONSTRAINT quality_samples_size_check
        CHECK ((video_width IS NULL) = (video_height IS NULL)),
    CONSTRAINT quality_samples_party_fkey FOREIGN KEY (call_id, user_id)
        REFERENCES call_parties (call_id, user_id)
);
CREATE INDEX quality_samples_call ON quality_samples (call_id, at, id);
-- The one in the middle is found by stepping half of a party's values.
CREATE INDEX quality_samples_round_trip ON quality_samples (call_id, user_id, round_trip)
    WHERE round_trip IS NOT NULL;
CREATE INDEX quality_samples_loss ON quality_samples (call_id, user_id, loss)
    WHERE loss IS NOT NULL;

-- What devices say of their users, and until when that is believed. seen_at is when the device was
-- heard of last, whatever it has said since. It passes, and so no foreign key holds it.
--
-- It is logged all the same: by a lease that lapses a call learns that its party is gone. If a
-- crash emptied the table, nobody would ever tell. Who writes here waits for no disk
-- (synchronous_commit): what a crash undoes of the last moment, devices say again, or it lapses.
CREATE TABLE presence_leases (
    id UUID PRIMARY KEY,
    user_id BIGINT NOT NULL,
    device TEXT NOT NULL,
    session_id UUID NOT NULL,
    device_type TEXT NOT NULL,
    source TEXT NOT NULL CHECK (source IN ('http', 'socket')),
    status TEXT NOT NULL CHECK (status IN (
        'online', 'away', 'idle', 'busy', 'offline', 'do_not_disturb')),
    current_call UUID,
    current_appointment BIGINT,
    heard_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    is_handed_out BOOLEAN NOT NULL DEFAULT false
) WITH (fillfactor = 70);
CREATE INDEX presence_leases_user ON presence_leases (user_id, expires_at);
-- Which lapse next, and which have lapsed and were handed out.
CREATE INDEX presence_leases_lapse ON presence_leases (is_handed_out, expires_at);

-- What stays of a user: when he was last seen by leases that are gone, and what was told of him,
-- last and before that: an upsert can return nothing else.
CREATE TABLE presence (
    user_id BIGINT PRIMARY KEY,
    last_seen BIGINT,
    told TEXT CHECK (told IN ('online', 'away', 'idle', 'busy', 'offline', 'do_not_disturb')),
    told_before TEXT
) WITH (fillfactor = 70);

-- Begins a call. `begun` is the row of calls; `busy` what of it is different when the callee is
-- busy; the statuses and the seconds are what each then shows. `entries` and `busy_entries` are for
-- apply_write. `outcome` is one of
--   key_used           the idempotency key was used before, for what is in used_*
--   client_id_reused   the caller's client gave its id to another call
--   repeated           it has begun this call before: met
--   glare              the callee is calling the caller: met
--   caller_busy        the caller is in as many live calls as can be: met is the newest
--   callee_busy        the call is recorded and over: met; first_event is its cursor
--   started            the call is there: met; first_event is its cursor
CREATE FUNCTION start_call(
    from_node UUID, entries JSONB, busy_entries JSONB, key_scope TEXT, key_name TEXT, begun JSONB,
    begun_status TEXT, busy JSONB, busy_caller_status TEXT, busy_callee_status TEXT,
    busy_seconds BIGINT, callee_refuses BOOLEAN, most_live BIGINT)
RETURNS TABLE (outcome TEXT, used_fingerprint BYTEA, used_resource TEXT, used_subject TEXT,
               first_event BIGINT, met calls)
LANGUAGE plpgsql ROWS 1 AS $$
#variable_conflict use_column
DECLARE
    made calls := jsonb_populate_record(NULL::calls, begun);
    is_busy BOOLEAN;
BEGIN
    IF key_name IS NOT NULL THEN
        SELECT known.fingerprint, known.resource, known.subject
            INTO used_fingerprint, used_resource, used_subject
            FROM lock_key(key_scope, key_name) AS known;
        IF FOUND THEN
            outcome := 'key_used';
            RETURN NEXT;
            RETURN;
        END IF;
    END IF;
    -- Who begins a call with either of the two waits for the other, in one order for all: how many
    -- live calls they have is true until this one is among them. No row of theirs is locked, so
    -- that no login and no booking waits, and nobody has the number of his transaction yet: the
    -- cursors of the events are in the order of the calls.
    PERFORM pg_advisory_xact_lock(name) FROM (
        SELECT DISTINCT hashtextextended(one::TEXT, 4) AS name
        FROM unnest(ARRAY[made.caller_id, made.callee_id]) AS one ORDER BY name
    ) AS names;
    -- From here on every statement sees what was committed while this one waited.
    IF made.client_id IS NOT NULL THEN
        SELECT calls.* INTO met FROM calls
            WHERE calls.caller_id = made.caller_id AND calls.client_id = made.client_id;
        IF FOUND THEN
            IF met.callee_id = made.callee_id AND met.kind = made.kind
                AND met.appointment_id IS NOT DISTINCT FROM made.appointment_id
            THEN
                outcome := 'repeated';
            ELSE
                outcome := 'client_id_reused';
            END IF;
            RETURN NEXT;
            RETURN;
        END IF;
    END IF;
    SELECT calls.* INTO met
        FROM call_parties AS place JOIN calls ON calls.id = place.call_id
        WHERE place.user_id = made.caller_id
            AND place.status IN ('initiated', 'ringing', 'accepted', 'connecting', 'connected')
            AND calls.caller_id = made.callee_id AND calls.state IN ('initiated', 'ringing')
        ORDER BY place.initiated_at DESC, place.call_id DESC LIMIT 1;
    IF FOUND THEN
        outcome := 'glare';
        RETURN NEXT;
        RETURN;
    END IF;
    SELECT calls.* INTO met
        FROM call_parties AS place JOIN calls ON calls.id = place.call_id
        WHERE place.user_id = made.caller_id
            AND place.status IN ('initiated', 'ringing', 'accepted', 'connecting', 'connected')
        ORDER BY place.initiated_at DESC, place.call_id DESC LIMIT 1;
    IF FOUND AND most_live <= (
        SELECT count(*) FROM call_parties
        WHERE user_id = made.caller_id
            AND status IN ('initiated', 'ringing', 'accepted', 'connecting', 'connected'))
    THEN
        outcome := 'caller_busy';
        RETURN NEXT;
        RETURN;
    END IF;
    is_busy := callee_refuses OR most_live <= (
        SELECT count(*) FROM call_parties
        WHERE user_id = made.callee_id
            AND status IN ('initiated', 'ringing', 'accepted', 'connecting', 'connected'));
    IF is_busy THEN
        made := jsonb_populate_record(made, busy);
    END IF;
    INSERT INTO calls SELECT made.* RETURNING calls.* INTO met;
    INSERT INTO call_parties (call_id, user_id, side, kind, initiated_at, status, seconds)
        VALUES (made.id, made.caller_id, 'outgoing', made.kind, made.initiated_at,
                CASE WHEN is_busy THEN busy_caller_status ELSE begun_status END,
                CASE WHEN is_busy THEN busy_seconds ELSE 0 END),
               (made.id, made.callee_id, 'incoming', made.kind, made.initiated_at,
                CASE WHEN is_busy THEN busy_callee_status ELSE begun_status END,
                CASE WHEN is_busy THEN busy_seconds ELSE 0 END);
    IF is_busy THEN
        first_event := apply_write(from_node, busy_entries, NULL);
        outcome := 'callee_busy';
    ELSE
        first_event := apply_write(from_node, entries, NULL);
        outcome := 'started';
    END IF;
    RETURN NEXT;
END
$$;

-- Changes a call, if it has the version that was seen. `progress` is what of its row is written;
-- the statuses and the seconds are what it then shows. An appointment goes in progress with it.
-- `outcome` is one of
--   key_used     the idempotency key was used before, for what is in used_*
--   not_found    there is no such call
--   superseded   the call, or the appointment, is no longer as it was seen
--   advanced     the call: met; first_event is its cursor
CREATE FUNCTION advance_call(
    from_node UUID, entries JSONB, key_scope TEXT, key_name TEXT, of_call UUID, seen BIGINT,
    progress JSONB, caller_status TEXT, callee_status TEXT, in_seconds BIGINT,
    of_appointment BIGINT, seen_status TEXT, changed_at BIGINT)
RETURNS TABLE (outcome TEXT, used_fingerprint BYTEA, used_resource TEXT, used_subject TEXT,
               first_event BIGINT, met calls)
LANGUAGE plpgsql ROWS 1 AS $$
#variable_conflict use_column
DECLARE
    locked_slot BIGINT;
    appointment RECORD;
    is_as_seen BOOLEAN := true;
    made calls;
BEGIN
    IF key_name IS NOT NULL THEN
        SELECT known.fingerprint, known.resource, known.subject
            INTO used_fingerprint, used_resource, used_subject
            FROM lock_key(key_scope, key_name) AS known;
        IF FOUND THEN
            outcome := 'key_used';
            RETURN NEXT;
            RETURN;
        END IF;
    END IF;
    IF of_appointment IS NOT NULL THEN
        -- The state of an appointment changes under the lock of its slot, which comes before that
        -- of a call.
        SELECT slots.id INTO locked_slot
            FROM appointments JOIN slots ON slots.id = appointments.slot_id
            WHERE appointments.id = of_appointment FOR NO KEY UPDATE OF slots;
        SELECT slot_id, status INTO appointment FROM appointments WHERE id = of_appointment;
        IF appointment.slot_id <> locked_slot THEN
            -- It was moved while this waited: to lock its new slot as well could be against the
            -- order.
            RAISE EXCEPTION 'the appointment was moved' USING ERRCODE = 'serialization_failure';
        END IF;
        is_as_seen := coalesce(appointment.status = seen_status, false);
    END IF;
    SELECT calls.* INTO met FROM calls WHERE calls.id = of_call FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        outcome := 'not_found';
        RETURN NEXT;
        RETURN;
    END IF;
    IF met.version <> seen OR NOT is_as_seen THEN
        -- Nothing but locks: there is nothing to wait for at the disk.
        PERFORM set_config('synchronous_commit', 'off', true);
        outcome := 'superseded';
        RETURN NEXT;
        RETURN;
    END IF;
    UPDATE appointments SET status = 'in_progress', updated_at = changed_at
        WHERE id = of_appointment;
    made := jsonb_populate_record(met, progress);
    UPDATE calls
        SET state = made.state, end_reason = made.end_reason, ended_by = made.ended_by,
            caller_device = made.caller_device, callee_device = made.callee_device,
            ringing_at = made.ringing_at, accepted_at = made.accepted_at,
            connected_at = made.connected_at, ended_at = made.ended_at,
            reported_duration = made.reported_duration, version = seen + 1
        WHERE calls.id = of_call RETURNING calls.* INTO met;
    UPDATE call_parties
        SET status = CASE side WHEN 'outgoing' THEN caller_status ELSE callee_status END,
            seconds = in_seconds
        WHERE call_id = of_call;
    first_event := apply_write(from_node, entries, NULL);
    outcome := 'advanced';
    RETURN NEXT;
END
$$;

-- Adds a sample of a party. `outcome` is one of
--   not_found   there is no such call, or the user is no party to it
--   repeated    there is a sample with this id: met
--   added       met is the party's newest sample before it, if there is one
CREATE FUNCTION add_quality_sample(
    new_id UUID, of_call UUID, of_user BIGINT, taken_at BIGINT, new_round_trip DOUBLE PRECISION,
    new_loss DOUBLE PRECISION, new_jitter DOUBLE PRECISION, new_audio_bitrate DOUBLE PRECISION,
    new_video_bitrate DOUBLE PRECISION, new_video_size INTEGER[],
    new_video_framerate DOUBLE PRECISION, new_processor DOUBLE PRECISION,
    new_memory DOUBLE PRECISION, new_audio TEXT, new_video TEXT)
RETURNS TABLE (outcome TEXT, met quality_samples)
LANGUAGE plpgsql ROWS 1 AS $$
#variable_conflict use_column
DECLARE
    party call_parties;
    is_newest BOOLEAN := true;
BEGIN
    -- A party's samples come one after the other.
    SELECT call_parties.* INTO party FROM call_parties
        WHERE call_id = of_call AND user_id = of_user FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        outcome := 'not_found';
        RETURN NEXT;
        RETURN;
    END IF;
    SELECT quality_samples.* INTO met FROM quality_samples WHERE id = new_id;
    IF FOUND THEN
        PERFORM set_config('synchronous_commit', 'off', true);
        outcome := 'repeated';
        RETURN NEXT;
        RETURN;
    END IF;
    IF party.newest_sample IS NOT NULL THEN
        SELECT quality_samples.* INTO met FROM quality_samples WHERE id = party.newest_sample;
        is_newest := (taken_at, new_id) > (met.at, met.id);
    END IF;
    INSERT INTO quality_samples (id, call_id, user_id, at, round_trip, loss, jitter, audio_bitrate,
                                 video_bitrate, video_width, video_height, video_framerate,
                                 processor, memory, audio, video)
        VALUES (new_id, of_call, of_user, taken_at, new_round_trip, new_loss, new_jitter,
                new_audio_bitrate, new_video_bitrate, new_video_size[1], new_video_size[2],
                new_video_framerate, new_processor, new_memory, new_audio, new_video);
    party.round_trips := party.round_trips + (new_round_trip IS NOT NULL)::INTEGER;
    party.losses := party.losses + (new_loss IS NOT NULL)::INTEGER;
    -- The one in the middle, or the mean of the two in the middle.
    UPDATE call_parties
        SET samples = samples + 1, round_trips = party.round_trips, losses = party.losses,
            round_trip = (SELECT avg(round_trip) FROM (
                SELECT round_trip FROM quality_samples
                WHERE call_id = of_call AND user_id = of_user AND round_trip IS NOT NULL
                ORDER BY round_trip
                LIMIT 2 - party.round_trips % 2 OFFSET (party.round_trips - 1) / 2) AS middle),
            loss = (SELECT avg(loss) FROM (
                SELECT loss FROM quality_samples
                WHERE call_id = of_call AND user_id = of_user AND loss IS NOT NULL
                ORDER BY loss
                LIMIT 2 - party.losses % 2 OFFSET (party.losses - 1) / 2) AS middle),
            audio = CASE WHEN is_newest THEN new_audio ELSE audio END,
            newest_sample = CASE WHEN is_newest THEN new_id ELSE newest_sample END
        WHERE call_id = of_call AND user_id = of_user;
    outcome := 'added';
    RETURN NEXT;
END
$$;
