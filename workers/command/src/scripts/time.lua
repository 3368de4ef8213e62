-- The clock of a server.
--
-- KEYS  1 any key of that server
-- Returns the time in ms
return now()
