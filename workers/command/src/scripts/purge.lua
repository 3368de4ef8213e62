-- Forgets a SeatingEvent for good, unless events wait in its outbox.
--
-- KEYS  those of lib/head.lua
-- Returns 1, or 0 while events wait
local sequence, published = unpack(redis.call('HMGET', KEYS[1], 'sequence', 'published'))
if tonumber(sequence or 0) > tonumber(published or 0) then
  return 0
end
redis.call('UNLINK', unpack(KEYS))
return 1
