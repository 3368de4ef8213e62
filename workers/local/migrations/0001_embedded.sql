-- The data file of `boxoffice local`: what the seat store and the event log of one process remember. Everything else,
-- seats, views, groups' progress, is worked out from it at start.

-- The domain events of every SeatingEvent, as its commands wrote them: the seat store's truth, and its outbox from
-- what is in `published` on.
CREATE TABLE events (
    seating_event TEXT    NOT NULL,
    sequence      INTEGER NOT NULL,
    envelope      TEXT    NOT NULL, -- JSON
    traceparent   TEXT,             -- of the command that wrote it
    PRIMARY KEY (seating_event, sequence)
);

-- What is pinned of a SeatingEvent.
CREATE TABLE seating_events (
    seating_event TEXT    PRIMARY KEY,
    partition     INTEGER NOT NULL
) WITHOUT ROWID;

-- How far the log has it.
CREATE TABLE published (
    seating_event TEXT    PRIMARY KEY,
    sequence      INTEGER NOT NULL
) WITHOUT ROWID;

-- The log.
CREATE TABLE topics (
    topic      TEXT    PRIMARY KEY,
    partitions INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE records (
    topic     TEXT    NOT NULL,
    partition INTEGER NOT NULL,
    "offset"  INTEGER NOT NULL,
    key       TEXT    NOT NULL,
    value     TEXT    NOT NULL,
    headers   TEXT    NOT NULL, -- JSON: [[name, value], ...]
    timestamp INTEGER NOT NULL,
    PRIMARY KEY (topic, partition, "offset")
);

-- Where a consumer group begins in a partition: what was declared when it was created. How far it got is not kept,
-- because its view is not either.
CREATE TABLE group_starts (
    consumer_group TEXT    NOT NULL,
    topic          TEXT    NOT NULL,
    partition      INTEGER NOT NULL,
    "offset"       INTEGER NOT NULL,
    PRIMARY KEY (consumer_group, topic, partition)
) WITHOUT ROWID;
