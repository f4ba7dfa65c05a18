-- Conversations, messages, receipts, search; how far the log of events was dropped.

-- identity ---------------------------------------------------------------------------------

-- A data key seals what belongs to a user, or to a conversation, which names it; then there is no
-- user.
CREATE TABLE data_keys_of_all (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    user_id INTEGER REFERENCES users (id),
    tenant_key INTEGER NOT NULL,
    wrapped BLOB NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO data_keys_of_all (id, user_id, tenant_key, wrapped)
    SELECT id, user_id, tenant_key, wrapped FROM data_keys;
DROP TABLE data_keys;
ALTER TABLE data_keys_of_all RENAME TO data_keys;
CREATE UNIQUE INDEX data_keys_user_key ON data_keys (user_id) WHERE user_id IS NOT NULL;

-- messaging --------------------------------------------------------------------------------

-- Messages are numbered from 1 without a gap: last_seq is their count too.
CREATE TABLE conversations (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    kind TEXT NOT NULL CHECK (kind = 'direct'),
    low_user INTEGER NOT NULL REFERENCES users (id),
    high_user INTEGER NOT NULL REFERENCES users (id),
    data_key BLOB NOT NULL REFERENCES data_keys (id),
    created_at INTEGER NOT NULL,
    last_seq INTEGER NOT NULL CHECK (last_seq >= 0),
    last_message_at INTEGER,
    CHECK (low_user < high_user),
    CHECK ((last_seq = 0) = (last_message_at IS NULL))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX conversations_pair_key ON conversations (low_user, high_user);
CREATE UNIQUE INDEX conversations_data_key ON conversations (data_key);

-- Who takes part, and how far he has come. active_at is when the newest message was sent, or when
-- the conversation was opened: a list reads it from its index, whatever else there is.
CREATE TABLE conversation_participants (
    conversation_id BLOB NOT NULL REFERENCES conversations (id),
    user_id INTEGER NOT NULL REFERENCES users (id),
    delivered_up_to INTEGER NOT NULL DEFAULT 0 CHECK (delivered_up_to >= read_up_to),
    read_up_to INTEGER NOT NULL DEFAULT 0 CHECK (read_up_to >= 0),
    unread INTEGER NOT NULL DEFAULT 0 CHECK (unread >= 0),
    is_archived INTEGER NOT NULL DEFAULT 0 CHECK (is_archived IN (0, 1)),
    active_at INTEGER NOT NULL,
    PRIMARY KEY (conversation_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX conversation_participants_list ON conversation_participants
    (user_id, active_at DESC, conversation_id DESC);
CREATE INDEX conversation_participants_open ON conversation_participants
    (user_id, active_at DESC, conversation_id DESC) WHERE is_archived = 0;

-- The body is sealed. The service's label and the client's id are not: one is a word of the
-- installation, the other an opaque name that is compared.
CREATE TABLE messages (
    conversation_id BLOB NOT NULL REFERENCES conversations (id),
    seq INTEGER NOT NULL CHECK (seq > 0),
    id BLOB NOT NULL CHECK (length(id) = 16),
    sender_id INTEGER NOT NULL REFERENCES users (id),
    recipient_id INTEGER,
    kind TEXT NOT NULL,
    body BLOB NOT NULL,
    appointment_id INTEGER,
    service TEXT,
    call_id BLOB CHECK (length(call_id) = 16),
    client_id TEXT,
    client_fingerprint BLOB CHECK (length(client_fingerprint) = 32),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (conversation_id, seq),
    CHECK (kind = 'text' OR kind = 'image' OR kind = 'file' OR kind = 'voice_note'
           OR kind = 'prescription' OR kind = 'report' OR kind = 'system'),
    CHECK ((client_id IS NULL) = (client_fingerprint IS NULL))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX messages_id_key ON messages (id);
CREATE UNIQUE INDEX messages_client_key ON messages (conversation_id, sender_id, client_id)
    WHERE client_id IS NOT NULL;

-- Ranges that are added and never changed: a message was first read at the receipt with the
-- least up_to that covers it, which is one look into the key.
CREATE TABLE receipts (
    conversation_id BLOB NOT NULL,
    user_id INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind = 'delivered' OR kind = 'read'),
    up_to INTEGER NOT NULL CHECK (up_to > 0),
    at INTEGER NOT NULL,
    PRIMARY KEY (conversation_id, user_id, kind, up_to),
    FOREIGN KEY (conversation_id, user_id)
        REFERENCES conversation_participants (conversation_id, user_id)
) STRICT, WITHOUT ROWID;

-- By what messages are found: keyed hashes of words and of their beginnings. The conversation
-- comes first, so that what a message writes lies close together and what a conversation has can
-- be deleted with it. No foreign key: rows come and go with their message, in one transaction.
CREATE TABLE message_tokens (
    conversation_id BLOB NOT NULL,
    token INTEGER NOT NULL,
    message_id BLOB NOT NULL,
    PRIMARY KEY (conversation_id, token, message_id)
) STRICT, WITHOUT ROWID;

-- journal ----------------------------------------------------------------------------------

-- The highest cursor of an event that is no longer kept. Cursors have no gaps but those of
-- dropped events.
CREATE TABLE event_log (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    dropped_up_to INTEGER NOT NULL CHECK (dropped_up_to >= 0)
) STRICT;
INSERT INTO event_log (only, dropped_up_to) SELECT 1, max(
    coalesce((SELECT max(seq) - 1 FROM events AS one
              WHERE NOT EXISTS (SELECT 1 FROM events WHERE seq = one.seq - 1)), 0),
    coalesce((SELECT seq FROM sqlite_sequence
              WHERE name = 'events' AND seq > coalesce((SELECT max(seq) FROM events), 0)), 0));
