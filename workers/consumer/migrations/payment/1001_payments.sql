-- Payments. Times are Unix milliseconds by this database's clock, amounts the currency's minor unit.

-- One reservation: what members take, each for a while. `state` is its payment, or which other one covers it.
CREATE TABLE effect_lanes (
    topic     text    NOT NULL,
    aggregate text    NOT NULL,              -- the reservation
    due       bigint,                        -- when it is taken; of one that was taken, when its lease ends; null: not by itself
    token     uuid,                          -- of its lease
    attempts  integer NOT NULL DEFAULT 0,    -- answers in a row that were not final
    state     jsonb,
    parked    text,                          -- why nobody asks about it any more
    PRIMARY KEY (topic, aggregate)
) WITH (fillfactor = 80);

CREATE INDEX effect_lanes_by_due ON effect_lanes (due) WHERE due IS NOT NULL;

-- Nothing hangs below a payment: what happens to its reservation changes its state at once.
CREATE TABLE effects (
    topic     text   NOT NULL,
    aggregate text   NOT NULL,
    id        bigint GENERATED ALWAYS AS IDENTITY,
    envelope  text   NOT NULL,
    PRIMARY KEY (topic, aggregate, id)
);

-- For people.
CREATE VIEW payments AS
    SELECT aggregate AS reservation_id, payment ->> 'eventId' AS event_id, payment ->> 'userId' AS user_id,
           payment ->> 'state' AS state, (payment ->> 'amount')::bigint AS amount,
           (payment ->> 'charged')::bigint AS charged, (payment ->> 'refunded')::bigint AS refunded,
           payment ->> 'currency' AS currency, payment ->> 'paymentId' AS payment_id,
           (payment ->> 'deadline')::bigint AS deadline, (payment ->> 'posts')::integer AS posts,
           due, attempts, parked
    FROM (SELECT lane.*, state -> 'payment' AS payment FROM effect_lanes AS lane) AS lane
    WHERE payment IS NOT NULL;

-- Domain events to announce that are not published yet.
CREATE TABLE outbox (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    envelope bytea  NOT NULL
);
