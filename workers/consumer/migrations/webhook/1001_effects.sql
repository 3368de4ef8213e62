-- What is to be passed on. Times are Unix milliseconds by this database's clock.

-- One aggregate on one topic: what members take, each for a while. Goes when nothing hangs below it.
CREATE TABLE effect_lanes (
    topic     text    NOT NULL,
    aggregate text    NOT NULL,
    due       bigint,                        -- when it is taken; of one that was taken, when its lease ends; null: not by itself
    token     uuid,                          -- of its lease
    attempts  integer NOT NULL DEFAULT 0,    -- in a row that came to nothing
    state     jsonb,                         -- what the handler keeps of it
    parked    text,                          -- why it was set aside, with all that hangs below it
    PRIMARY KEY (topic, aggregate)
) WITH (fillfactor = 80);

CREATE INDEX effect_lanes_by_due ON effect_lanes (due) WHERE due IS NOT NULL;

CREATE TABLE effects (
    topic     text   NOT NULL,
    aggregate text   NOT NULL,
    id        bigint GENERATED ALWAYS AS IDENTITY,
    envelope  text   NOT NULL,               -- the domain event as JSON, to the byte
    PRIMARY KEY (topic, aggregate, id)
);

-- Domain events to announce: this handler has none.
CREATE TABLE outbox (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    envelope bytea  NOT NULL
);
