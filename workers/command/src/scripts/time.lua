-- The clock of a server.
--
-- KEYS  any key of that server
-- Returns the time in ms
return now()
