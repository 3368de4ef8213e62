-- What every handler's database has: how far the view got, what it has seen, and what it set aside (I5).

CREATE TABLE checkpoint_partitions (
    topic       text   NOT NULL,
    partition   integer NOT NULL,
    next_offset bigint NOT NULL,            -- the first offset that is not in the view
    reset_id    text   NOT NULL DEFAULT '', -- the declared reset that this generation of the view began with
    PRIMARY KEY (topic, partition)
);

CREATE TABLE checkpoint_events (
    seating_event text   PRIMARY KEY,
    sequence      bigint NOT NULL           -- of the last domain event applied, parked or skipped
);

CREATE TABLE processed_events (
    event_id uuid PRIMARY KEY               -- of the envelope
);

CREATE TABLE parked_events (
    id            bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic         text        NOT NULL,
    partition     integer     NOT NULL,
    record_offset bigint      NOT NULL,
    aggregate_id  text,                     -- null where the record names none: it is foreign and stands alone
    seating_event text,
    sequence      bigint,
    reason        text        NOT NULL,
    key           text        NOT NULL,
    headers       jsonb       NOT NULL,     -- [[name, value], ...]
    value         bytea       NOT NULL,
    parked_at     timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX parked_events_by_aggregate ON parked_events (aggregate_id);
