-- Conversations, messages, receipts, search.

-- Messages are numbered from 1 without a gap: last_seq is their count too. data_key is the id of
-- the key that seals them; it stays when the key is destroyed.
CREATE TABLE conversations (
    id UUID PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('direct')),
    low_user BIGINT NOT NULL REFERENCES users (id),
    high_user BIGINT NOT NULL REFERENCES users (id),
    data_key UUID NOT NULL,
    created_at BIGINT NOT NULL,
    last_seq BIGINT NOT NULL DEFAULT 0 CHECK (last_seq >= 0),
    last_message_at BIGINT,
    CONSTRAINT conversations_pair_check CHECK (low_user < high_user),
    CONSTRAINT conversations_last_message_check
        CHECK ((last_seq = 0) = (last_message_at IS NULL)),
    CONSTRAINT conversations_pair_key UNIQUE (low_user, high_user),
    CONSTRAINT conversations_data_key_key UNIQUE (data_key)
) WITH (fillfactor = 70);

-- A data key seals what belongs to a user, or to a conversation.
ALTER TABLE data_keys
    ALTER COLUMN user_id DROP NOT NULL,
    ADD COLUMN conversation_id UUID REFERENCES conversations (id),
    ADD CONSTRAINT data_keys_conversation_key UNIQUE (conversation_id),
    ADD CONSTRAINT data_keys_owner_check CHECK (num_nonnulls(user_id, conversation_id) = 1);

-- Who takes part, and how far he has come. active_at is when the newest message was sent, or when
-- the conversation was opened: a list reads it from its index, whatever else there is. It is the
-- same for all who take part. Rows change under the lock of their conversation only.
CREATE TABLE conversation_participants (
    conversation_id UUID NOT NULL REFERENCES conversations (id),
    user_id BIGINT NOT NULL REFERENCES users (id),
    delivered_up_to BIGINT NOT NULL DEFAULT 0,
    read_up_to BIGINT NOT NULL DEFAULT 0 CHECK (read_up_to >= 0),
    unread BIGINT NOT NULL DEFAULT 0 CHECK (unread >= 0),
    is_archived BOOLEAN NOT NULL DEFAULT false,
    active_at BIGINT NOT NULL,
    CONSTRAINT conversation_participants_places_check CHECK (delivered_up_to >= read_up_to),
    PRIMARY KEY (conversation_id, user_id)
);
CREATE INDEX conversation_participants_list ON conversation_participants
    (user_id, active_at DESC, conversation_id DESC);
CREATE INDEX conversation_participants_open ON conversation_participants
    (user_id, active_at DESC, conversation_id DESC) WHERE NOT is_archived;

-- The body is sealed. The service's label and the client's id are not: one is a word of the
-- installation, the other an opaque name that is compared.
CREATE TABLE messages (
    conversation_id UUID NOT NULL,
    seq BIGINT NOT NULL CHECK (seq > 0),
    id UUID NOT NULL,
    sender_id BIGINT NOT NULL,
    recipient_id BIGINT,
    kind TEXT NOT NULL CHECK (kind IN ('text', 'image', 'file', 'voice_note', 'prescription',
                                       'report', 'system')),
    body BYTEA NOT NULL,
    appointment_id BIGINT,
    service TEXT,
    call_id UUID,
    client_id TEXT COLLATE "C",
    client_fingerprint BYTEA CHECK (octet_length(client_fingerprint) = 32),
    created_at BIGINT NOT NULL,
    PRIMARY KEY (conversation_id, seq),
    CONSTRAINT messages_id_key UNIQUE (id),
    CONSTRAINT messages_client_check
        CHECK ((client_id IS NULL) = (client_fingerprint IS NULL)),
    CONSTRAINT messages_sender_fkey FOREIGN KEY (conversation_id, sender_id)
        REFERENCES conversation_participants (conversation_id, user_id)
);
CREATE UNIQUE INDEX messages_client_key ON messages (conversation_id, sender_id, client_id)
    WHERE client_id IS NOT NULL;

-- Ranges that are added and never changed: a message was first read at the receipt with the
-- least up_to that covers it, which is one look into the key.
CREATE TABLE receipts (
    conversation_id UUID NOT NULL,
    user_id BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('delivered', 'read')),
    up_to BIGINT NOT NULL CHECK (up_to > 0),
    at BIGINT NOT NULL,
    PRIMARY KEY (conversation_id, user_id, kind, up_to),
    CONSTRAINT receipts_participant_fkey FOREIGN KEY (conversation_id, user_id)
        REFERENCES conversation_participants (conversation_id, user_id)
);

-- By what messages are found: keyed hashes of words and of their beginnings. The conversation
-- comes first, so that what a message writes lies close together and what a conversation has can
-- be deleted with it. No foreign key: rows come and go with their message, in one transaction.
CREATE TABLE message_tokens (
    conversation_id UUID NOT NULL,
    token BIGINT NOT NULL,
    message_id UUID NOT NULL,
    PRIMARY KEY (conversation_id, token, message_id)
);

-- Adds a message to the end of its conversation, with everything that the write leaves behind:
-- `entries`, as apply_write takes them. `outcome` is one of
--   key_used           the idempotency key was used before, for what is in used_*
--   not_found          there is no such conversation, or the sender takes no part in it
--   client_id_reused   the sender has sent something else under the client's id
--   repeated           the sender has sent the same under the client's id: message_seq
--   appended           message_seq, recipient, sender_name; first_event is its cursor
CREATE FUNCTION append_message(
    from_node UUID, entries JSONB, key_scope TEXT, key_name TEXT, sent_at BIGINT,
    to_conversation UUID, new_id UUID, new_sender BIGINT, new_kind TEXT, new_body BYTEA,
    new_appointment BIGINT, new_service TEXT, new_call UUID,
    new_client TEXT, new_fingerprint BYTEA, new_tokens BIGINT[])
RETURNS TABLE (outcome TEXT, used_fingerprint BYTEA, used_resource TEXT, used_subject TEXT,
               message_seq BIGINT, recipient BIGINT, sender_name TEXT, first_event BIGINT)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    before RECORD;
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
    -- One message after the other, in the order of their arrival. Who waits for a row may get the
    -- number of his transaction before it is his turn; here nobody has one yet, so that in one
    -- conversation the cursors of the events are in the order of the messages.
    PERFORM pg_advisory_xact_lock(hashtextextended(to_conversation::TEXT, 3));
    SELECT last_seq + 1, CASE new_sender WHEN low_user THEN high_user ELSE low_user END
        INTO message_seq, recipient
        FROM conversations JOIN conversation_participants AS place
            ON place.conversation_id = conversations.id AND place.user_id = new_sender
        WHERE conversations.id = to_conversation FOR NO KEY UPDATE OF conversations;
    IF NOT FOUND THEN
        outcome := 'not_found';
        RETURN NEXT;
        RETURN;
    END IF;
    IF new_client IS NOT NULL THEN
        SELECT seq, client_fingerprint INTO before FROM messages
            WHERE conversation_id = to_conversation AND sender_id = new_sender
                AND client_id = new_client;
        IF FOUND THEN
            message_seq := before.seq;
            outcome := CASE before.client_fingerprint WHEN new_fingerprint THEN 'repeated'
                                                      ELSE 'client_id_reused' END;
            RETURN NEXT;
            RETURN;
        END IF;
    END IF;
    UPDATE conversations SET last_seq = message_seq, last_message_at = sent_at
        WHERE id = to_conversation;
    UPDATE conversation_participants
        SET active_at = sent_at, is_archived = false,
            unread = unread + (user_id <> new_sender)::INTEGER
        WHERE conversation_id = to_conversation;
    INSERT INTO messages (conversation_id, seq, id, sender_id, recipient_id, kind, body,
                          appointment_id, service, call_id, client_id, client_fingerprint,
                          created_at)
        VALUES (to_conversation, message_seq, new_id, new_sender, recipient, new_kind, new_body,
                new_appointment, new_service, new_call, new_client, new_fingerprint, sent_at);
    INSERT INTO message_tokens (conversation_id, token, message_id)
        SELECT to_conversation, one, new_id FROM unnest(new_tokens) AS one;
    SELECT full_name INTO sender_name FROM users WHERE id = new_sender;
    first_event := apply_write(from_node, entries, NULL);
    outcome := 'appended';
    RETURN NEXT;
END
$$;
