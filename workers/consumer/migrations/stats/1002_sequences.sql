-- Seats are kept with the sequence that made them what they are, so that events may come in any order: what was parked and
-- is redriven changes nothing that a later event said.

SET LOCAL statement_timeout = '30min'; -- a view may have many millions of rows

CREATE TABLE shows (
    event_id  text   PRIMARY KEY,
    epoch     bigint NOT NULL DEFAULT 0,
    closed_at bigint NOT NULL DEFAULT 0,
    purged_at bigint NOT NULL DEFAULT 0,    -- the sequence that purged it: what is not above it is forgotten
    over_at   bigint,
    blocked   text[]
);

ALTER TABLE seating_events
    ADD COLUMN sequence bigint NOT NULL DEFAULT 0, -- of its definition
    ADD COLUMN over_at  bigint NOT NULL DEFAULT 0;

ALTER TABLE seats
    ADD COLUMN sequence       bigint NOT NULL DEFAULT 0, -- of the last event about it; 0: there was none
    ADD COLUMN is_blocked     boolean,                   -- what the last definition said that blocked it or put it on sale
    ADD COLUMN block_sequence bigint;                    -- and that one's sequence

-- What is neither held nor reserved nor blocked is available.
ALTER TABLE section_stats
    ADD COLUMN total   bigint NOT NULL DEFAULT 0,  -- seats of the chart; 0 as long as no definition has the section
    ADD COLUMN blocked bigint NOT NULL DEFAULT 0;
UPDATE section_stats AS stats SET total = counted.total, blocked = counted.blocked
FROM (SELECT event_id, split_part(seat_key, '-', 1) AS section_id, count(*) AS total,
             count(*) FILTER (WHERE status = 'BLOCKED') AS blocked
      FROM seats GROUP BY 1, 2) AS counted
WHERE stats.event_id = counted.event_id AND stats.section_id = counted.section_id;
ALTER TABLE section_stats DROP COLUMN available;
ALTER TABLE section_stats
    ADD COLUMN available bigint GENERATED ALWAYS AS (total - held - reserved - blocked) STORED,
    ALTER COLUMN held SET DEFAULT 0, ALTER COLUMN reserved SET DEFAULT 0, ALTER COLUMN revenue SET DEFAULT 0;

-- There is a row only of seats that were ever claimed or blocked.
DELETE FROM seats WHERE status = 'AVAILABLE';

-- So far a seat with a parked event had all its later ones parked behind it: its row is as of the one before. All others
-- are as of the checkpoint.
UPDATE seats SET sequence = coalesce(
    (SELECT min(waits.sequence) - 1 FROM parked_events AS waits
     WHERE waits.aggregate_id = seats.event_id || '.' || seats.seat_key),
    checkpoint.sequence)
FROM checkpoint_events AS checkpoint WHERE checkpoint.seating_event = seats.event_id;
UPDATE seating_events SET sequence = coalesce(
    (SELECT min(waits.sequence) - 1 FROM parked_events AS waits WHERE waits.aggregate_id = seating_events.event_id),
    checkpoint.sequence)
FROM checkpoint_events AS checkpoint WHERE checkpoint.seating_event = seating_events.event_id;
