-- What consumers with effects outside remember, each under its name: all that the databases of payment and webhook
-- consumers hold in a cluster. Written with how far they got, so that a restart neither charges nor tells again.

-- How far they got on the log: the first offset whose effects are not written down here.
CREATE TABLE effect_checkpoints (
    consumer    TEXT    NOT NULL,
    topic       TEXT    NOT NULL,
    partition   INTEGER NOT NULL,
    next_offset INTEGER NOT NULL,
    PRIMARY KEY (consumer, topic, partition)
) WITHOUT ROWID;

-- One aggregate on one topic. There are no leases: one process has the file.
CREATE TABLE effect_lanes (
    consumer  TEXT    NOT NULL,
    topic     TEXT    NOT NULL,
    aggregate TEXT    NOT NULL,
    due       INTEGER,          -- Unix milliseconds; null: not by itself
    attempts  INTEGER NOT NULL, -- in a row that came to nothing
    state     TEXT,             -- what the handler keeps of it, as JSON
    parked    TEXT,             -- why it was set aside, with all that hangs below it
    PRIMARY KEY (consumer, topic, aggregate)
) WITHOUT ROWID;

-- What hangs below a lane, in order.
CREATE TABLE effects (
    consumer  TEXT    NOT NULL,
    topic     TEXT    NOT NULL,
    aggregate TEXT    NOT NULL,
    number    INTEGER NOT NULL,
    envelope  TEXT    NOT NULL, -- JSON
    PRIMARY KEY (consumer, topic, aggregate, number)
) WITHOUT ROWID;

-- Domain events to announce that are not on the log yet.
CREATE TABLE effect_outbox (
    consumer TEXT    NOT NULL,
    number   INTEGER NOT NULL,
    envelope TEXT    NOT NULL, -- JSON
    PRIMARY KEY (consumer, number)
) WITHOUT ROWID;
