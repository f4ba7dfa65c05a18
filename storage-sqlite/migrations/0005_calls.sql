-- Calls, the quality of their connection, presence; a doctor's appointments by their end.

-- scheduling -------------------------------------------------------------------------------

-- Whom a doctor has cared for lately, or will.
CREATE INDEX appointments_doctor_end ON appointments (doctor_id, ends_at, patient_id);

-- calls ------------------------------------------------------------------------------------

-- How far each has come. The version is the number of its newest event.
CREATE TABLE calls (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    caller_id INTEGER NOT NULL REFERENCES users (id),
    callee_id INTEGER NOT NULL REFERENCES users (id),
    kind TEXT NOT NULL,
    appointment_id INTEGER,
    client_id TEXT,
    initiated_at INTEGER NOT NULL,
    state TEXT NOT NULL,
    end_reason TEXT,
    ended_by INTEGER,
    caller_device TEXT,
    callee_device TEXT,
    ringing_at INTEGER,
    accepted_at INTEGER,
    connected_at INTEGER,
    ended_at INTEGER,
    reported_duration INTEGER CHECK (reported_duration >= 0),
    version INTEGER NOT NULL CHECK (version > 0),
    CHECK (caller_id <> callee_id),
    CHECK (kind = 'video' OR kind = 'voice'),
    CHECK (state = 'initiated' OR state = 'ringing' OR state = 'accepted' OR state = 'connecting'
           OR state = 'connected' OR state = 'ended' OR state = 'missed' OR state = 'declined'
           OR state = 'failed' OR state = 'busy')
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX calls_client_key ON calls (caller_id, client_id) WHERE client_id IS NOT NULL;

-- A call as one of its parties sees it, and what the samples of that party come to: `samples` are
-- all of them, `round_trips` and `losses` those in which that was measured, the other two columns
-- their medians.
CREATE TABLE call_parties (
    call_id BLOB NOT NULL REFERENCES calls (id),
    user_id INTEGER NOT NULL REFERENCES users (id),
    side TEXT NOT NULL CHECK (side = 'outgoing' OR side = 'incoming'),
    kind TEXT NOT NULL,
    initiated_at INTEGER NOT NULL,
    status TEXT NOT NULL,
    is_live INTEGER NOT NULL CHECK (is_live IN (0, 1)),
    seconds INTEGER NOT NULL CHECK (seconds >= 0),
    samples INTEGER NOT NULL DEFAULT 0 CHECK (samples >= round_trips AND samples >= losses),
    round_trips INTEGER NOT NULL DEFAULT 0 CHECK (round_trips >= 0),
    losses INTEGER NOT NULL DEFAULT 0 CHECK (losses >= 0),
    round_trip REAL,
    loss REAL,
    audio TEXT,
    PRIMARY KEY (call_id, user_id),
    CHECK (status = 'initiated' OR status = 'ringing' OR status = 'accepted'
           OR status = 'connecting' OR status = 'connected' OR status = 'completed'
           OR status = 'missed' OR status = 'declined' OR status = 'failed' OR status = 'busy'
           OR status = 'cancelled'),
    CHECK (is_live = (status = 'initiated' OR status = 'ringing' OR status = 'accepted'
                      OR status = 'connecting' OR status = 'connected')),
    CHECK ((round_trips = 0) = (round_trip IS NULL)),
    CHECK ((losses = 0) = (loss IS NULL))
) STRICT, WITHOUT ROWID;
-- A list of somebody's calls and its total, whatever it is filtered by, and the tallies read one
-- index.
CREATE INDEX call_parties_history ON call_parties
    (user_id, initiated_at DESC, call_id DESC, side, status, kind, seconds);
CREATE INDEX call_parties_live ON call_parties (user_id, initiated_at DESC, call_id DESC)
    WHERE is_live = 1;

-- In the order of their time, each party's by themselves.
CREATE TABLE quality_samples (
    call_id BLOB NOT NULL,
    user_id INTEGER NOT NULL,
    at INTEGER NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 16),
    round_trip REAL,
    loss REAL,
    jitter REAL,
    audio_bitrate REAL,
    video_bitrate REAL,
    video_resolution TEXT,
    video_framerate REAL,
    processor REAL,
    memory REAL,
    audio TEXT,
    video TEXT,
    PRIMARY KEY (call_id, user_id, at, id),
    FOREIGN KEY (call_id, user_id) REFERENCES call_parties (call_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX quality_samples_id_key ON quality_samples (id);
-- A median is read from the middle of its index.
CREATE INDEX quality_samples_round_trip ON quality_samples (call_id, user_id, round_trip)
    WHERE round_trip IS NOT NULL;
CREATE INDEX quality_samples_loss ON quality_samples (call_id, user_id, loss)
    WHERE loss IS NOT NULL;

-- presence ---------------------------------------------------------------------------------

-- What follows from a lapse is noted when it is done. No index has both the user and the end: the end
-- moves all the time.
CREATE TABLE presence_leases (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    user_id INTEGER NOT NULL REFERENCES users (id),
    device TEXT NOT NULL,
    session_id BLOB NOT NULL CHECK (length(session_id) = 16),
    device_type TEXT NOT NULL,
    source TEXT NOT NULL CHECK (source = 'http' OR source = 'socket'),
    status TEXT NOT NULL,
    current_call BLOB CHECK (length(current_call) = 16),
    current_appointment INTEGER,
    heard_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    is_noted INTEGER NOT NULL DEFAULT 0 CHECK (is_noted IN (0, 1)),
    CHECK (status = 'online' OR status = 'away' OR status = 'idle' OR status = 'busy'
           OR status = 'offline' OR status = 'do_not_disturb')
) STRICT, WITHOUT ROWID;
CREATE INDEX presence_leases_user ON presence_leases (user_id);
CREATE INDEX presence_leases_open ON presence_leases (expires_at, id) WHERE is_noted = 0;
CREATE INDEX presence_leases_lapsed ON presence_leases (expires_at) WHERE is_noted = 1;

-- What stays when leases are gone: when somebody was seen last, and what others were told of him.
CREATE TABLE presence (
    user_id INTEGER PRIMARY KEY REFERENCES users (id),
    last_seen INTEGER,
    told TEXT NOT NULL DEFAULT 'offline'
) STRICT;
