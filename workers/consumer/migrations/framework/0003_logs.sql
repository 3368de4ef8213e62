-- Of which topic a checkpoint is. A topic that is deleted and made again has the same name and another id. What an older
-- version wrote is null until the worker begins there again.

ALTER TABLE checkpoint_partitions
    ADD COLUMN log text;                    -- the topic's id; null where the brokers give none

ALTER TABLE checkpoint_events
    ADD COLUMN log text;                    -- the id of the topic on which its last domain event was met
