-- The first rooms: identity, directory, scheduling, journal.
--
-- Instants are microseconds since 1970 (UTC), ids from elsewhere are UUIDs of 16 bytes, words are
-- the words of the domain, and what is free text about a person is sealed before it gets here.

-- identity ---------------------------------------------------------------------------------

-- AUTOINCREMENT: the id of an account that is gone never becomes somebody else's.
CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id > 0),
    role TEXT NOT NULL CHECK (role IN ('patient', 'doctor', 'admin')),
    email TEXT,
    email_folded TEXT,
    full_name TEXT NOT NULL,
    contact_number TEXT,
    seal_id BLOB NOT NULL CHECK (length(seal_id) = 16),
    address BLOB,
    is_verified INTEGER NOT NULL CHECK (is_verified IN (0, 1)),
    is_active INTEGER NOT NULL CHECK (is_active IN (0, 1)),
    last_login INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    CHECK ((email IS NULL) = (email_folded IS NULL))
) STRICT;
CREATE UNIQUE INDEX users_email_key ON users (email_folded);
CREATE INDEX users_role ON users (role, id);

CREATE TABLE credentials (
    user_id INTEGER PRIMARY KEY REFERENCES users (id),
    password_hash TEXT NOT NULL
) STRICT;

CREATE TABLE data_keys (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    user_id INTEGER NOT NULL REFERENCES users (id),
    tenant_key INTEGER NOT NULL,
    wrapped BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX data_keys_user_key ON data_keys (user_id);

CREATE TABLE sessions (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    user_id INTEGER NOT NULL REFERENCES users (id),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    ended_at INTEGER,
    network BLOB CHECK (length(network) = 32)
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_open ON sessions (user_id) WHERE ended_at IS NULL;
CREATE INDEX sessions_network ON sessions (user_id, network) WHERE network IS NOT NULL;
CREATE INDEX sessions_expiry ON sessions (expires_at);
CREATE INDEX sessions_end ON sessions (ended_at) WHERE ended_at IS NOT NULL;

-- Failed logins in the window. Account and network are keyed fingerprints; `known` says whether
-- the account had opened a session from that network before.
CREATE TABLE login_failures (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    account BLOB NOT NULL CHECK (length(account) = 32),
    network BLOB CHECK (length(network) = 32),
    known INTEGER NOT NULL CHECK (known IN (0, 1)),
    CHECK (known = 0 OR network IS NOT NULL)
) STRICT;
CREATE INDEX login_failures_account ON login_failures (account, known, at);
CREATE INDEX login_failures_network ON login_failures (network, at) WHERE network IS NOT NULL;
CREATE INDEX login_failures_at ON login_failures (at);

-- directory --------------------------------------------------------------------------------

CREATE TABLE patients (
    id INTEGER PRIMARY KEY REFERENCES users (id),
    seal_id BLOB NOT NULL CHECK (length(seal_id) = 16),
    profile BLOB,
    updated_at INTEGER NOT NULL,
    version INTEGER NOT NULL CHECK (version > 0)
) STRICT;

CREATE TABLE clinics (
    id INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id > 0),
    name TEXT NOT NULL,
    address TEXT,
    phone TEXT,
    email TEXT,
    city TEXT,
    city_folded TEXT,
    state TEXT,
    zip_code TEXT,
    time_zone TEXT NOT NULL,
    is_active INTEGER NOT NULL CHECK (is_active IN (0, 1)),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    version INTEGER NOT NULL CHECK (version > 0),
    CHECK ((city IS NULL) = (city_folded IS NULL))
) STRICT;
CREATE INDEX clinics_active ON clinics (id) WHERE is_active = 1;
CREATE INDEX clinics_city ON clinics (city_folded, id) WHERE is_active = 1;

CREATE TABLE doctors (
    id INTEGER PRIMARY KEY REFERENCES users (id),
    clinic_id INTEGER NOT NULL REFERENCES clinics (id),
    specialty TEXT NOT NULL,
    specialty_folded TEXT NOT NULL,
    licence_number TEXT NOT NULL,
    licence_folded TEXT NOT NULL,
    qualifications TEXT,
    experience_years INTEGER NOT NULL CHECK (experience_years BETWEEN 0 AND 80),
    daily_limit INTEGER NOT NULL CHECK (daily_limit BETWEEN 1 AND 100),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    version INTEGER NOT NULL CHECK (version > 0)
) STRICT;
CREATE UNIQUE INDEX doctors_licence_key ON doctors (licence_folded);
CREATE INDEX doctors_specialty ON doctors (specialty_folded, id);
CREATE INDEX doctors_clinic ON doctors (clinic_id, id);

-- scheduling -------------------------------------------------------------------------------

-- booked_count counts the appointments that take a seat: all but rejected and cancelled ones.
CREATE TABLE slots (
    id INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id > 0),
    doctor_id INTEGER NOT NULL REFERENCES doctors (id),
    clinic_id INTEGER NOT NULL REFERENCES clinics (id),
    starts_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    local_day TEXT NOT NULL,
    capacity INTEGER NOT NULL CHECK (capacity BETWEEN 1 AND 100),
    booked_count INTEGER NOT NULL,
    is_active INTEGER NOT NULL CHECK (is_active IN (0, 1)),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    CHECK (starts_at < ends_at),
    CHECK (booked_count BETWEEN 0 AND capacity)
) STRICT;
-- Serves the search for overlaps; unique as the safety net beneath it.
CREATE UNIQUE INDEX slots_active_doctor_start_key ON slots (doctor_id, starts_at)
    WHERE is_active = 1;
CREATE INDEX slots_open ON slots (starts_at, id)
    WHERE is_active = 1 AND booked_count < capacity;
CREATE INDEX slots_open_clinic ON slots (clinic_id, starts_at, id)
    WHERE is_active = 1 AND booked_count < capacity;
-- The daily limit is the sum of booked_count over a doctor's slots of the day.
CREATE INDEX slots_doctor_day ON slots (doctor_id, local_day);

-- No list of words after IN: SQLite makes a temporary table of it for every row that is written.
-- Doctor, clinic, start and end are those of the slot, which never change; they are here for the
-- indexes. The local day can change with the clinic's zone and stays with the slot alone.
CREATE TABLE appointments (
    id INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id > 0),
    patient_id INTEGER NOT NULL REFERENCES patients (id),
    slot_id INTEGER NOT NULL REFERENCES slots (id),
    doctor_id INTEGER NOT NULL,
    clinic_id INTEGER NOT NULL,
    starts_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    seal_id BLOB NOT NULL CHECK (length(seal_id) = 16),
    reason_for_visit BLOB,
    notes BLOB,
    status_reason BLOB,
    cancelled_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    CHECK (kind = 'video' OR kind = 'audio' OR kind = 'chat' OR kind = 'in_person'),
    CHECK (status = 'pending' OR status = 'confirmed' OR status = 'rejected'
           OR status = 'cancelled' OR status = 'in_progress' OR status = 'completed'
           OR status = 'no_show')
) STRICT;
CREATE UNIQUE INDEX appointments_live_slot_patient_key ON appointments (slot_id, patient_id)
    WHERE status = 'pending' OR status = 'confirmed' OR status = 'in_progress';
CREATE INDEX appointments_live_patient ON appointments (patient_id, starts_at)
    WHERE status = 'pending' OR status = 'confirmed' OR status = 'in_progress';
-- Lists come newest first, by id downwards.
CREATE INDEX appointments_patient ON appointments (patient_id, id);
CREATE INDEX appointments_doctor ON appointments (doctor_id, id);
CREATE INDEX appointments_status ON appointments (status, id);

-- journal ----------------------------------------------------------------------------------

CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL CHECK (length(id) = 16),
    kind TEXT NOT NULL,
    audience TEXT NOT NULL,
    resource TEXT NOT NULL,
    subject TEXT NOT NULL,
    at INTEGER NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id INTEGER,
    data TEXT NOT NULL
) STRICT;
CREATE INDEX events_at ON events (at);

-- Which events an audience reads. No foreign key: an event and its rows here come and go in one
-- transaction, and a key in this direction would need an index of its own.
CREATE TABLE event_feeds (
    audience TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (audience, seq)
) STRICT, WITHOUT ROWID;

-- ready_at is when the job may be claimed: its due time, or the end of its lease.
CREATE TABLE jobs (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    kind TEXT NOT NULL,
    resource TEXT NOT NULL,
    subject TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    data TEXT NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 0,
    lease_until INTEGER,
    is_dead INTEGER NOT NULL DEFAULT 0 CHECK (is_dead IN (0, 1)),
    ready_at INTEGER NOT NULL GENERATED ALWAYS AS (coalesce(lease_until, due_at)) STORED
) STRICT, WITHOUT ROWID;
CREATE INDEX jobs_ready ON jobs (ready_at, id) WHERE is_dead = 0;
CREATE INDEX jobs_subject ON jobs (resource, subject, kind) WHERE is_dead = 0;
CREATE INDEX jobs_dead ON jobs (due_at) WHERE is_dead = 1;

CREATE TABLE idempotency_keys (
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32),
    resource TEXT NOT NULL,
    subject TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_keys_at ON idempotency_keys (at);

-- Each row has a dense number and the hash of itself and of the row before.
CREATE TABLE audit_rows (
    number INTEGER PRIMARY KEY CHECK (number > 0),
    id BLOB NOT NULL CHECK (length(id) = 16),
    at INTEGER NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id INTEGER,
    session BLOB CHECK (length(session) = 16),
    action TEXT NOT NULL,
    resource TEXT NOT NULL,
    subject TEXT NOT NULL,
    data TEXT NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE TABLE audit_head (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    number INTEGER NOT NULL CHECK (number >= 0),
    hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
INSERT INTO audit_head (only, number, hash) VALUES (1, 0, zeroblob(32));

CREATE TABLE audit_checkpoints (
    number INTEGER PRIMARY KEY CHECK (number >= 0),
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    at INTEGER NOT NULL,
    tenant_key INTEGER NOT NULL,
    signature BLOB NOT NULL CHECK (length(signature) = 32)
) STRICT;

CREATE TABLE installation (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
