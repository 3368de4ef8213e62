-- The store's clock.
--
-- Returns the time in ms
return now()
