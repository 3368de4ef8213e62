-- The domain events of a chain are found by it: what `/trace/{correlationId}` is drawn from is the log itself. A record that
-- is no JSON is in no chain.
CREATE INDEX records_of_chain ON records (
    CASE WHEN json_valid(value) THEN json_extract(value, '$.metadata.correlationId') END, timestamp
);
