-- Where the view began, and whose it is. What an older version wrote without it is null.

ALTER TABLE checkpoint_partitions
    ADD COLUMN begins_at bigint,            -- the first offset that is in the view
    ADD COLUMN earliest  boolean;           -- whether that was the log's first record: every first event is due

ALTER TABLE checkpoint_events
    ADD COLUMN first_sequence bigint;       -- of the first domain event met; what is below is from before the start
UPDATE checkpoint_events SET first_sequence = sequence;

CREATE TABLE owner (
    only_row       boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    service        text    NOT NULL,        -- the ReservationService, as namespace/name
    consumer_group text    NOT NULL,
    topic          text    NOT NULL         -- of the seats' domain events
);
