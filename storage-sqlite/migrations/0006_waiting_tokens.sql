-- The tokens of new messages, before they are sorted into message_tokens: a row for a message and
-- not for a token, since each of those would lie on a page of its own. Eight bytes a token, the
-- lowest first.
CREATE TABLE waiting_tokens (
    conversation_id BLOB NOT NULL,
    message_id BLOB NOT NULL,
    tokens BLOB NOT NULL CHECK (length(tokens) > 0 AND length(tokens) % 8 = 0),
    PRIMARY KEY (conversation_id, message_id)
) STRICT, WITHOUT ROWID;
