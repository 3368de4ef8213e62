-- The seat view: what the query worker loads as its snapshot. Times are Unix milliseconds.

CREATE TABLE seating_events (
    event_id   text    PRIMARY KEY,
    definition jsonb   NOT NULL,            -- as event.created and event.updated carry it, ranges and all
    chart_hash text    NOT NULL,
    closed     boolean NOT NULL DEFAULT false
);

CREATE TABLE seats (
    event_id       text NOT NULL,
    seat_key       text NOT NULL,           -- A-12-7: the seat id without its SeatingEvent
    status         text NOT NULL CHECK (status IN ('AVAILABLE', 'HELD', 'RESERVED', 'BLOCKED')),
    user_id        text,                    -- HELD and RESERVED
    hold_id        text,                    -- HELD
    reservation_id text,                    -- RESERVED
    expires_at     bigint,                  -- HELD
    PRIMARY KEY (event_id, seat_key)
) WITH (fillfactor = 80);

CREATE TABLE reservations (
    reservation_id text   PRIMARY KEY,
    event_id       text   NOT NULL,
    user_id        text   NOT NULL,
    seat_ids       text[] NOT NULL,         -- the seats that it still has
    amount         bigint NOT NULL,         -- what these cost together, in the currency's minor unit
    currency       text   NOT NULL,
    created_at     bigint NOT NULL,
    cancelled_at   bigint                   -- when its last seat left
);

CREATE INDEX reservations_by_user ON reservations (user_id, created_at);

CREATE TABLE trace (
    event_id       uuid   PRIMARY KEY,      -- of the envelope
    correlation_id text   NOT NULL,
    causation_id   uuid   NOT NULL,
    event_type     text   NOT NULL,
    aggregate_id   text   NOT NULL,
    seating_event  text   NOT NULL,
    sequence       bigint NOT NULL,
    timestamp      bigint NOT NULL,
    user_id        text
);

CREATE INDEX trace_by_correlation ON trace (correlation_id);
