-- Counts by section, and the seats that they count. Amounts are the currency's minor unit.

CREATE TABLE seating_events (
    event_id   text    PRIMARY KEY,
    definition jsonb   NOT NULL,
    chart_hash text    NOT NULL,
    closed     boolean NOT NULL DEFAULT false
);

CREATE TABLE seats (
    event_id text   NOT NULL,
    seat_key text   NOT NULL,
    status   text   NOT NULL CHECK (status IN ('AVAILABLE', 'HELD', 'RESERVED', 'BLOCKED')),
    amount   bigint NOT NULL DEFAULT 0,     -- of the claim; seat.released does not say it again
    PRIMARY KEY (event_id, seat_key)
) WITH (fillfactor = 80);

CREATE TABLE section_stats (
    event_id   text   NOT NULL,
    section_id text   NOT NULL,
    available  bigint NOT NULL,
    held       bigint NOT NULL,
    reserved   bigint NOT NULL,
    released   bigint NOT NULL DEFAULT 0,   -- how often a seat was released, ever
    revenue    bigint NOT NULL,             -- what the reserved seats cost together
    PRIMARY KEY (event_id, section_id)
);

-- Domain events that this handler produced and that are not published yet.
CREATE TABLE outbox (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    envelope bytea  NOT NULL
);
