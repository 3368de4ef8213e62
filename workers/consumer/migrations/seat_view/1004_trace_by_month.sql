-- The trace by month of `timestamp`: what is older than it is to be kept goes with its table, and costs no deletion.

SET LOCAL statement_timeout = '30min'; -- a trace may have many millions of rows

-- A worker of an older version changes seats where they have a row, and they need none any more: what it wrote would be lost.
-- It says no version of the events that it traces, so that its transactions fail, and it waits until it is replaced.
CREATE FUNCTION worker_is_too_old() RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the tables are of a newer version: update this worker, or give it an empty database'
        USING ERRCODE = 'object_not_in_prerequisite_state';
END $$;

ALTER TABLE trace RENAME TO trace_before;
ALTER INDEX trace_by_correlation RENAME TO trace_before_by_correlation;
ALTER TABLE trace_before
    DROP CONSTRAINT trace_pkey,
    ADD CONSTRAINT trace_before_pkey PRIMARY KEY (event_id, timestamp),
    ADD COLUMN version integer NOT NULL DEFAULT 1; -- the only one that there was
ALTER TABLE trace_before ALTER COLUMN version DROP DEFAULT;

CREATE TABLE trace (
    event_id       uuid   NOT NULL,         -- of the envelope
    correlation_id text   NOT NULL,
    causation_id   uuid   NOT NULL,
    event_type     text   NOT NULL,
    aggregate_id   text   NOT NULL,
    seating_event  text   NOT NULL,
    sequence       bigint NOT NULL,
    timestamp      bigint NOT NULL,
    user_id        text,
    version        integer NOT NULL DEFAULT worker_is_too_old(), -- of the event's schema
    PRIMARY KEY (event_id, timestamp)
) PARTITION BY RANGE (timestamp);

CREATE INDEX trace_by_correlation ON trace (correlation_id);

CREATE TABLE trace_months (
    name      text   PRIMARY KEY,           -- of its table
    begins_at bigint NOT NULL,
    ends_at   bigint NOT NULL               -- the first moment that is not in it
);

-- Makes the month of a moment where it is missing. Members that need one at the same time wait for each other; nobody who
-- reads or writes the months that there are waits for either.
CREATE FUNCTION trace_month(at bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    month  timestamp := date_trunc('month', to_timestamp(at / 1000) AT TIME ZONE 'UTC');
    called text      := 'trace_' || to_char(month, 'YYYY_MM');
    since  bigint    := extract(epoch FROM month)::bigint * 1000;
    until  bigint    := extract(epoch FROM month + interval '1 month')::bigint * 1000;
BEGIN
    PERFORM pg_advisory_xact_lock(x'626f786f6d6f6e74'::bit(64)::bigint);
    IF EXISTS (SELECT FROM trace_months WHERE begins_at <= at AND at < ends_at) THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE trace INCLUDING ALL)', called);
    EXECUTE format('ALTER TABLE trace ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', called, since, until);
    INSERT INTO trace_months (name, begins_at, ends_at) VALUES (called, since, until);
END $$;

-- Drops the months that ended before a moment.
CREATE FUNCTION trace_forget(before bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    old text;
BEGIN
    FOR old IN DELETE FROM trace_months WHERE ends_at <= before RETURNING name LOOP
        EXECUTE format('DROP TABLE %I', old);
    END LOOP;
END $$;

-- What there is so far stays where it is, as one part that ends with the month of its newest row or with this one.
DO $$
DECLARE
    newest bigint := (SELECT max(timestamp) FROM trace_before);
    until  bigint := extract(epoch FROM date_trunc('month', greatest(to_timestamp(newest / 1000), now()) AT TIME ZONE 'UTC')
                             + interval '1 month')::bigint * 1000;
BEGIN
    IF newest IS NULL THEN
        DROP TABLE trace_before;
    ELSE
        EXECUTE format('ALTER TABLE trace ATTACH PARTITION trace_before FOR VALUES FROM (MINVALUE) TO (%s)', until);
        INSERT INTO trace_months (name, begins_at, ends_at) VALUES ('trace_before', 0, until);
    END IF;
END $$;

-- This month and the next two, so that a batch seldom has to.
SELECT trace_month((extract(epoch FROM now() + ahead * interval '1 month') * 1000)::bigint)
FROM generate_series(0, 2) AS ahead;
