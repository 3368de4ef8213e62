-- What commands that came with an idempotency key were answered, for a day: a repetition gets the same answer. In the
-- order in which they are forgotten.
CREATE TABLE answers (
    seating_event TEXT    NOT NULL,
    at            INTEGER NOT NULL, -- when it was decided
    key           TEXT    NOT NULL, -- digest of user and key
    fingerprint   TEXT    NOT NULL, -- digest of what was asked for
    answer        TEXT    NOT NULL, -- JSON
    PRIMARY KEY (seating_event, at, key)
) WITHOUT ROWID;
