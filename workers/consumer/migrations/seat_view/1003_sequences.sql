-- Everything that is shown is kept with the sequence that made it so, so that events may come in any order: what was
-- parked and is redriven changes nothing that a later event said.

SET LOCAL statement_timeout = '30min'; -- a view may have many millions of rows

-- What became of a SeatingEvent, also of one that has no row in `seating_events`: yet, because its definition is parked,
-- or any more.
CREATE TABLE shows (
    event_id  text   PRIMARY KEY,
    epoch     bigint NOT NULL DEFAULT 0,    -- raised when something that came late changed what a sequence shows
    closed_at bigint NOT NULL DEFAULT 0,    -- the sequence that closed it
    purged_at bigint NOT NULL DEFAULT 0,    -- the sequence that purged it: what is not above it is forgotten
    over_at   bigint,                       -- since when it is over, where it is not in the view any more
    blocked   text[]                        -- the seats that were blocked when they left, for should it come back
);

ALTER TABLE seating_events
    ADD COLUMN sequence bigint NOT NULL DEFAULT 0, -- of its definition
    ADD COLUMN over_at  bigint NOT NULL DEFAULT 0; -- when its seats are not needed any more

ALTER TABLE seats
    ADD COLUMN sequence       bigint NOT NULL DEFAULT 0, -- of the last event about it; 0: there was none
    ADD COLUMN is_blocked     boolean,                   -- what the last definition said that blocked it or put it on sale
    ADD COLUMN block_sequence bigint;                    -- and that one's sequence

-- There is a row only of seats that were ever claimed or blocked. Those of which one says AVAILABLE may have been: what
-- that knows beyond the lack of a row is a sequence, and none was kept.
DELETE FROM seats WHERE status = 'AVAILABLE';

-- So far a seat with a parked event had all its later ones parked behind it: its row is as of the one before. All others
-- are as of the checkpoint. With 0 for all of them an event that is redriven would undo what came after it; with the
-- checkpoint for all of them those that wait would change nothing when they are redriven.
UPDATE seats SET sequence = coalesce(
    (SELECT min(waits.sequence) - 1 FROM parked_events AS waits
     WHERE waits.aggregate_id = seats.event_id || '.' || seats.seat_key),
    checkpoint.sequence)
FROM checkpoint_events AS checkpoint WHERE checkpoint.seating_event = seats.event_id;

UPDATE seating_events SET
    sequence = coalesce(
        (SELECT min(waits.sequence) - 1 FROM parked_events AS waits WHERE waits.aggregate_id = seating_events.event_id),
        checkpoint.sequence),
    over_at = greatest(
        (definition ->> 'startsAt')::bigint, (definition -> 'sales' ->> 'closesAt')::bigint,
        (definition -> 'sales' ->> 'cancelUntil')::bigint) + 7 * 86400000
FROM checkpoint_events AS checkpoint WHERE checkpoint.seating_event = seating_events.event_id;

INSERT INTO shows (event_id, closed_at) SELECT event_id, sequence FROM seating_events WHERE closed;

-- What was cancelled of reservations of which `reservation.created` is parked.
CREATE TABLE early_cancellations (
    reservation_id text   PRIMARY KEY,
    event_id       text   NOT NULL,
    seat_ids       text[] NOT NULL,
    amount         bigint NOT NULL,
    at             bigint NOT NULL
);

ALTER TABLE reservations
    ADD COLUMN sequence bigint NOT NULL DEFAULT 0; -- of the event that made it; 0: it was not kept yet

CREATE INDEX seating_events_by_end ON seating_events (over_at);
CREATE INDEX payments_of_show ON payments (event_id);
