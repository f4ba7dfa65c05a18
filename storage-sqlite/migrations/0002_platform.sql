-- Logins by telephone, refresh tokens, doctors' weekly hours and blocked times, published slots,
-- appointments by date.

-- identity ---------------------------------------------------------------------------------

ALTER TABLE users ADD COLUMN phone TEXT;
ALTER TABLE users ADD COLUMN phone_folded TEXT CHECK ((phone IS NULL) = (phone_folded IS NULL));
ALTER TABLE users ADD COLUMN language TEXT;
CREATE UNIQUE INDEX users_phone_key ON users (phone_folded) WHERE phone_folded IS NOT NULL;
-- Whom patients find: the list of doctors and its total.
CREATE INDEX users_listed_doctors ON users (role, is_active, is_verified, id)
    WHERE role = 'doctor' AND is_active = 1 AND is_verified = 1;

-- Every token that was given for a session: one that is used twice is told from an unknown one.
CREATE TABLE refresh_tokens (
    fingerprint BLOB PRIMARY KEY CHECK (length(fingerprint) = 32),
    session_id BLOB NOT NULL REFERENCES sessions (id),
    used_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX refresh_tokens_session ON refresh_tokens (session_id);

-- `place` says in which pile of the account a failure lies: the keyed fingerprint of a live
-- session of its own, or of a network that it had opened a session from before; NULL is
-- everywhere else.
CREATE TABLE login_failures_by_place (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    account BLOB NOT NULL CHECK (length(account) = 32),
    network BLOB CHECK (length(network) = 32),
    place BLOB CHECK (length(place) = 32)
) STRICT;
INSERT INTO login_failures_by_place (id, at, account, network, place)
    SELECT id, at, account, network, CASE WHEN known = 1 THEN network END FROM login_failures;
DROP TABLE login_failures;
ALTER TABLE login_failures_by_place RENAME TO login_failures;
CREATE INDEX login_failures_account ON login_failures (account, place, at);
CREATE INDEX login_failures_network ON login_failures (network, at) WHERE network IS NOT NULL;
CREATE INDEX login_failures_at ON login_failures (at);

-- directory --------------------------------------------------------------------------------

-- The fee is in hundredths.
ALTER TABLE doctors ADD COLUMN biography TEXT;
ALTER TABLE doctors ADD COLUMN consultation_fee INTEGER CHECK (consultation_fee >= 0);

-- scheduling -------------------------------------------------------------------------------

-- `hours` is a JSON array of seven days, Monday first; a day is an array of windows, and a window
-- the minutes of its start and its end since midnight.
CREATE TABLE schedules (
    doctor_id INTEGER PRIMARY KEY REFERENCES doctors (id),
    hours TEXT NOT NULL,
    slot_minutes INTEGER NOT NULL CHECK (slot_minutes BETWEEN 5 AND 240),
    capacity INTEGER NOT NULL CHECK (capacity BETWEEN 1 AND 100),
    auto_confirm INTEGER NOT NULL CHECK (auto_confirm IN (0, 1)),
    version INTEGER NOT NULL CHECK (version > 0),
    updated_at INTEGER NOT NULL
) STRICT;

-- The local day, the minutes since midnight and the zone say what was meant; the instants decide.
CREATE TABLE blocked_times (
    id INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id > 0),
    doctor_id INTEGER NOT NULL REFERENCES doctors (id),
    starts_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    local_day TEXT NOT NULL,
    start_minute INTEGER NOT NULL CHECK (start_minute BETWEEN 0 AND 1440),
    end_minute INTEGER NOT NULL CHECK (end_minute BETWEEN 0 AND 1440),
    time_zone TEXT NOT NULL,
    seal_id BLOB NOT NULL CHECK (length(seal_id) = 16),
    reason BLOB,
    created_at INTEGER NOT NULL,
    CHECK (starts_at < ends_at)
) STRICT;
-- What shares a moment with a slot has not ended before it begins: few are left.
CREATE INDEX blocked_times_doctor_end ON blocked_times (doctor_id, ends_at, starts_at);
CREATE INDEX blocked_times_doctor_start ON blocked_times (doctor_id, starts_at, id, ends_at);

ALTER TABLE slots ADD COLUMN is_published INTEGER NOT NULL DEFAULT 0
    CHECK (is_published IN (0, 1));

ALTER TABLE appointments ADD COLUMN symptoms BLOB;
-- A list of somebody's appointments and its total, whatever it is filtered by, read one index.
DROP INDEX appointments_patient;
DROP INDEX appointments_doctor;
DROP INDEX appointments_status;
CREATE INDEX appointments_patient ON appointments (patient_id, id, starts_at, status);
CREATE INDEX appointments_doctor ON appointments (doctor_id, id, starts_at, status);
CREATE INDEX appointments_status ON appointments (status, id, starts_at);
CREATE INDEX appointments_start ON appointments (starts_at, id, status);
